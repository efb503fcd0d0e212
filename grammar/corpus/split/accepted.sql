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

CREATE PROCEDURE p() BEGIN SELECT 1; IF a THEN SELECT CASE b WHEN 1 THEN 2 END; END IF; END; SELECT 2
--> CREATE PROCEDURE p() BEGIN SELECT 1; IF a THEN SELECT CASE b WHEN 1 THEN 2 END; END IF; END
--> SELECT 2

create or replace definer = 'root'@localhost trigger t before insert on u for each row begin case new.x when 1 then set new.x = 2; end case; begin set new.`end` = new.end; end; end; SELECT 2;
--> create or replace definer = 'root'@localhost trigger t before insert on u for each row begin case new.x when 1 then set new.x = 2; end case; begin set new.`end` = new.end; end; end
--> SELECT 2

/*!50003 CREATE*/ /*!50020 DEFINER=`root`@`%`*/ /*!50003 TRIGGER t BEFORE INSERT ON u FOR EACH ROW BEGIN SET @a = 1; END */; SELECT 2
--> /*!50003 CREATE*/ /*!50020 DEFINER=`root`@`%`*/ /*!50003 TRIGGER t BEFORE INSERT ON u FOR EACH ROW BEGIN SET @a = 1; END */
--> SELECT 2

CREATE TRIGGER t BEFORE INSERT ON u FOR EACH ROW SET NEW.a = 1; SELECT 2
--> CREATE TRIGGER t BEFORE INSERT ON u FOR EACH ROW SET NEW.a = 1
--> SELECT 2

BEGIN NOT ATOMIC DELETE FROM t; END; SELECT 2
--> BEGIN NOT ATOMIC DELETE FROM t; END
--> SELECT 2

BEGIN; SELECT 1; COMMIT
--> BEGIN
--> SELECT 1
--> COMMIT

CREATE TABLE event (begin INT); CREATE DEFINER = a VIEW v AS SELECT begin FROM event; SELECT 2
--> CREATE TABLE event (begin INT)
--> CREATE DEFINER = a VIEW v AS SELECT begin FROM event
--> SELECT 2
