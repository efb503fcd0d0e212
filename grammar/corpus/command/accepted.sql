SELECT 1
--> [Select] SELECT 1

select @@version_comment limit 1;
--> [Select] select @@version_comment limit 1

(SELECT 1) UNION (SELECT 2)
--> [Select] (SELECT 1) UNION (SELECT 2)

WITH a AS (SELECT 1) SELECT * FROM a
--> [Select] WITH a AS (SELECT 1) SELECT * FROM a

/* comment */ SELECT 1 /* comment */
--> [Select] SELECT 1

-- Metabase:: userID: 1
SELECT 1
--> [Select] SELECT 1

INSERT INTO t VALUES (1, 'a;b')
--> [Insert] INSERT INTO t VALUES (1, 'a;b')

insert into t set a = 1
--> [Insert] insert into t set a = 1

UPDATE t SET a = 1 WHERE b = 2
--> [Update] UPDATE t SET a = 1 WHERE b = 2

DELETE FROM t
--> [Delete] DELETE FROM t

REPLACE INTO t VALUES (1)
--> [Replace] REPLACE INTO t VALUES (1)

CREATE TABLE t (id INT PRIMARY KEY)
--> [Ddl] CREATE TABLE t (id INT PRIMARY KEY)

ALTER TABLE t ADD COLUMN a INT
--> [Ddl] ALTER TABLE t ADD COLUMN a INT

DROP TABLE t
--> [Ddl] DROP TABLE t

TRUNCATE t
--> [Ddl] TRUNCATE t

RENAME TABLE a TO b
--> [Ddl] RENAME TABLE a TO b

BEGIN
--> [Begin] BEGIN

begin work
--> [Begin] begin work

START TRANSACTION READ ONLY
--> [Begin] START TRANSACTION READ ONLY

COMMIT
--> [Commit] COMMIT

ROLLBACK
--> [Rollback] ROLLBACK

ROLLBACK AND CHAIN
--> [Rollback] ROLLBACK AND CHAIN

ROLLBACK TO SAVEPOINT a
--> [Savepoint] ROLLBACK TO SAVEPOINT a

rollback work to a
--> [Savepoint] rollback work to a

SAVEPOINT a
--> [Savepoint] SAVEPOINT a

RELEASE SAVEPOINT a
--> [Savepoint] RELEASE SAVEPOINT a

LOCK TABLES `corder` READ /*!32311 LOCAL */, `t` WRITE
--> [Lock] LOCK TABLES `corder` READ          LOCAL   , `t` WRITE

UNLOCK TABLES
--> [Lock] UNLOCK TABLES

DO 0
--> [Other] DO 0

CALL p()
--> [Other] CALL p()

TABLE t
--> [Select] TABLE t

VALUES ROW(1)
--> [Select] VALUES ROW(1)

/*!40000 ALTER TABLE `corder` DISABLE KEYS */;
--> [Ddl] ALTER TABLE `corder` DISABLE KEYS

INSERT /*!99999 IGNORE */ INTO t VALUES (1)
--> [Insert] INSERT                    INTO t VALUES (1)

INSERT /*!40000 IGNORE */ INTO t VALUES (1)
--> [Insert] INSERT          IGNORE    INTO t VALUES (1)

nonsense that a backend must refuse
--> [Other] nonsense that a backend must refuse

SELECT 'a /*!40000 b */ c'
--> [Select] SELECT 'a /*!40000 b */ c'

SELECT 5 -- 3
--> [Select] SELECT 5

SELECT 5--3
--> [Select] SELECT 5--3

(USE)
--> [Select] (USE)

( USE x )
--> [Select] ( USE x )

SELECT 1 --# two
--> [Select] SELECT 1 --# two
