SELECT 1; SELECT 2
--> SELECT 1
--> SELECT 2

SELECT 1;
--> SELECT 1

;;SELECT 1;;SELECT 2;;
--> SELECT 1
--> SELECT 2

SELECT ';'; SELECT ";"; SELECT `;`
--> SELECT ';'
--> SELECT ";"
--> SELECT `;`

SELECT 'it''s;', "a\";b", 'c\\'; SELECT 2
--> SELECT 'it''s;', "a\";b", 'c\\'
--> SELECT 2

SELECT 1 /* ; */; SELECT 2 -- ;
; SELECT 3 # ;
--> SELECT 1 /* ; */
--> SELECT 2 -- ;
--> SELECT 3 # ;

/* nothing */; -- nothing

/*!40101 SET a = 1; */ SET b = 2
--> /*!40101 SET a = 1; */ SET b = 2

SELECT 5--3; SELECT 2
--> SELECT 5--3
--> SELECT 2

SELECT 'open; SELECT 2
--> SELECT 'open; SELECT 2

SELECT /* open; SELECT 2
--> SELECT /* open; SELECT 2

SET NAMES utf8; VSTREAM * FROM t; KILL 5
--> SET NAMES utf8
--> VSTREAM * FROM t
--> KILL 5
