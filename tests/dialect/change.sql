-- case insert forms
CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(10), n INT);
INSERT INTO t VALUES (1, 'a', 10), (2, 'b', 20), (3, 'c', 30);
INSERT INTO t (id, v) VALUES (4, 'd');
INSERT t VALUES (5, 'e', 50);
INSERT INTO t SET id = 6, v = 'f';
INSERT INTO t (n, id) VALUES (70, 7), (80, 8);
INSERT INTO t VALUE (9, 'i', 1 + 2);
INSERT INTO t SELECT id + 100, v, n FROM t WHERE id < 3;
INSERT INTO t (id, v) SELECT 200, 'z';
INSERT INTO t () VALUES ();
SELECT * FROM t ORDER BY id;
-- case insert fails midway
CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(10), n INT);
INSERT INTO t VALUES (1, 'a', 10), (2, 'b', 20), (3, 'c', 30);
INSERT INTO t VALUES (4, 'd', 1), (1, 'dup', 2), (5, 'e', 3);
INSERT INTO t VALUES (6, 'x', 1), (7, 'much too long', 2);
SELECT * FROM t ORDER BY id;
-- case insert ignore
CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(10), n INT);
INSERT INTO t VALUES (1, 'a', 10), (2, 'b', 20), (3, 'c', 30);
INSERT IGNORE INTO t VALUES (1, 'x', 0), (4, 'd', 40), (4, 'e', 41);
INSERT IGNORE INTO t VALUES (5, 'much too long text', 'abc');
INSERT IGNORE INTO t VALUES (NULL, 'q', 1);
SELECT * FROM t ORDER BY id;
-- case replace
CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(10), n INT);
INSERT INTO t VALUES (1, 'a', 10), (2, 'b', 20), (3, 'c', 30);
REPLACE INTO t VALUES (1, 'x', 0);
REPLACE INTO t VALUES (1, 'x', 0);
REPLACE INTO t VALUES (4, 'd', 1), (2, 'y', 2);
REPLACE INTO t SET id = 3, v = 'z';
REPLACE INTO t (id) VALUES (3);
SELECT * FROM t ORDER BY id;
-- case replace two keys
CREATE TABLE u (a INT PRIMARY KEY, b INT UNIQUE, c INT);
INSERT INTO u VALUES (1, 10, 1), (2, 20, 2), (3, 30, 3);
REPLACE INTO u VALUES (1, 20, 9);
SELECT * FROM u ORDER BY a;
-- case on duplicate
CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(10), n INT);
INSERT INTO t VALUES (1, 'a', 10), (2, 'b', 20), (3, 'c', 30);
INSERT INTO t VALUES (1, 'x', 5) ON DUPLICATE KEY UPDATE n = n + 1;
INSERT INTO t VALUES (1, 'x', 5), (4, 'd', 4) ON DUPLICATE KEY UPDATE v = VALUES(v), n = VALUES(n) * 2;
INSERT INTO t (id, n) VALUES (2, 20) ON DUPLICATE KEY UPDATE n = 20;
INSERT INTO t (id) VALUES (3) ON DUPLICATE KEY UPDATE id = 2;
INSERT INTO t (id, v) VALUES (3, 'q') ON DUPLICATE KEY UPDATE id = id + 100, v = CONCAT(v, VALUES(v));
SELECT * FROM t ORDER BY id;
-- case on duplicate alias
CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(10), n INT);
INSERT INTO t VALUES (1, 'a', 10), (2, 'b', 20), (3, 'c', 30);
INSERT INTO t VALUES (1, 'x', 5) AS new ON DUPLICATE KEY UPDATE n = new.n + t.n;
INSERT INTO t VALUES (2, 'y', 6) AS new(a, b, c) ON DUPLICATE KEY UPDATE v = b, n = c;
SELECT * FROM t ORDER BY id;
-- case on duplicate auto
CREATE TABLE c (id INT AUTO_INCREMENT PRIMARY KEY, k VARCHAR(10) UNIQUE, hits INT DEFAULT 1);
INSERT INTO c (k) VALUES ('a') ON DUPLICATE KEY UPDATE hits = hits + 1;
INSERT INTO c (k) VALUES ('a') ON DUPLICATE KEY UPDATE hits = hits + 1;
INSERT INTO c (k) VALUES ('b') ON DUPLICATE KEY UPDATE hits = hits + 1;
SELECT * FROM c ORDER BY id;
-- case insert ignore auto
CREATE TABLE c (id INT AUTO_INCREMENT PRIMARY KEY, k VARCHAR(10) UNIQUE);
INSERT INTO c (k) VALUES ('a'), ('b');
INSERT IGNORE INTO c (k) VALUES ('a'), ('c'), ('b'), ('d');
INSERT INTO c (k) VALUES ('e');
SELECT * FROM c ORDER BY id;
-- case insert select auto
CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(10), n INT);
INSERT INTO t VALUES (1, 'a', 10), (2, 'b', 20), (3, 'c', 30);
CREATE TABLE c (id INT AUTO_INCREMENT PRIMARY KEY, v INT);
INSERT INTO c (v) SELECT n FROM t ORDER BY id;
INSERT INTO c (v) VALUES (99);
SELECT * FROM c ORDER BY id;
-- case update forms
CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(10), n INT);
INSERT INTO t VALUES (1, 'a', 10), (2, 'b', 20), (3, 'c', 30);
UPDATE t SET n = n + 1;
UPDATE t SET v = 'z', n = 0 WHERE id = 2;
UPDATE t SET n = 5 WHERE id > 100;
UPDATE t SET n = n WHERE id = 1;
UPDATE t SET n = id * 10 ORDER BY id DESC LIMIT 2;
UPDATE t AS x SET x.v = 'q' WHERE x.id = 1;
UPDATE t SET v = DEFAULT WHERE id = 3;
UPDATE t SET v = NULL, n = IF(n > 5, 1, 2);
SELECT * FROM t ORDER BY id;
-- case update order matters
CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(10), n INT);
INSERT INTO t VALUES (1, 'a', 10), (2, 'b', 20), (3, 'c', 30);
UPDATE t SET id = id + 1;
UPDATE t SET id = id + 1 ORDER BY id DESC;
UPDATE t SET n = n + 1, v = n WHERE id = 2;
SELECT * FROM t ORDER BY id;
-- case update duplicates
CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(10), n INT);
INSERT INTO t VALUES (1, 'a', 10), (2, 'b', 20), (3, 'c', 30);
UPDATE t SET id = 2 WHERE id = 1;
UPDATE t SET id = 9;
UPDATE IGNORE t SET id = 2 WHERE id = 1;
SELECT * FROM t ORDER BY id;
-- case update conversions
CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(10), n INT);
INSERT INTO t VALUES (1, 'a', 10), (2, 'b', 20), (3, 'c', 30);
UPDATE t SET n = 'abc';
UPDATE t SET n = '5' WHERE id = 1;
UPDATE t SET v = 'far too long for it';
UPDATE t SET v = 12.50 WHERE id = 2;
UPDATE t SET id = NULL;
SELECT * FROM t ORDER BY id;
-- case update subquery
CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(10), n INT);
INSERT INTO t VALUES (1, 'a', 10), (2, 'b', 20), (3, 'c', 30);
CREATE TABLE s (id INT, n INT);
INSERT INTO s VALUES (1, 100), (2, 200);
UPDATE t SET n = (SELECT s.n FROM s WHERE s.id = t.id) WHERE id IN (SELECT id FROM s);
UPDATE t SET n = (SELECT MAX(n) FROM t);
SELECT * FROM t ORDER BY id;
-- case update join
CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(10), n INT);
INSERT INTO t VALUES (1, 'a', 10), (2, 'b', 20), (3, 'c', 30);
CREATE TABLE s (id INT, n INT);
INSERT INTO s VALUES (1, 100), (2, 200);
UPDATE t JOIN s ON t.id = s.id SET t.n = s.n;
SELECT * FROM t ORDER BY id;
-- case delete forms
CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(10), n INT);
INSERT INTO t VALUES (1, 'a', 10), (2, 'b', 20), (3, 'c', 30);
DELETE FROM t WHERE id = 1;
DELETE FROM t WHERE id = 99;
INSERT INTO t VALUES (4, 'd', 1), (5, 'e', 2);
DELETE FROM t ORDER BY id DESC LIMIT 1;
DELETE FROM t WHERE n < (SELECT 15);
SELECT * FROM t ORDER BY id;
DELETE FROM t;
SELECT * FROM t ORDER BY id;
-- case delete join
CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(10), n INT);
INSERT INTO t VALUES (1, 'a', 10), (2, 'b', 20), (3, 'c', 30);
CREATE TABLE s (id INT);
INSERT INTO s VALUES (1);
DELETE t FROM t JOIN s ON t.id = s.id;
SELECT * FROM t ORDER BY id;
-- case division in writes
CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(10), n INT);
INSERT INTO t VALUES (1, 'a', 10), (2, 'b', 20), (3, 'c', 30);
INSERT INTO t VALUES (4, 'd', 1 / 0);
UPDATE t SET n = 1 / 0;
UPDATE t SET n = 7 / 2 WHERE id = 1;
SELECT * FROM t ORDER BY id;
-- case user variables
CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(10), n INT);
INSERT INTO t VALUES (1, 'a', 10), (2, 'b', 20), (3, 'c', 30);
SET @a = 5, @b = 'x';
SELECT @a, @b, @a + 1, @nope;
INSERT INTO t VALUES (@a, @b, @a * 2);
SET @c = (SELECT COUNT(*) FROM t);
SELECT @c;
SELECT * FROM t ORDER BY id;
-- case last insert id
CREATE TABLE c (id INT AUTO_INCREMENT PRIMARY KEY, v INT);
INSERT INTO c (v) VALUES (1), (2), (3);
SELECT LAST_INSERT_ID();
INSERT INTO c VALUES (50, 5);
SELECT LAST_INSERT_ID();
INSERT INTO c (v) VALUES (LAST_INSERT_ID());
SELECT * FROM c ORDER BY id;
-- case row count
CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(10), n INT);
INSERT INTO t VALUES (1, 'a', 10), (2, 'b', 20), (3, 'c', 30);
UPDATE t SET n = 1 WHERE id < 3;
SELECT ROW_COUNT();
SELECT ROW_COUNT();
-- case not null
CREATE TABLE m (id INT PRIMARY KEY, a INT NOT NULL, b VARCHAR(5) NOT NULL DEFAULT 'd');
INSERT INTO m VALUES (1, 1, NULL);
INSERT INTO m (id, a) VALUES (1, 1);
UPDATE m SET a = NULL;
INSERT INTO m (id) VALUES (2);
SELECT * FROM m;
-- case unique null
CREATE TABLE m (a INT UNIQUE, b VARCHAR(5), UNIQUE KEY ab (a, b));
INSERT INTO m VALUES (NULL, 'x'), (NULL, 'x'), (1, NULL);
INSERT INTO m VALUES (1, 'y');
SELECT * FROM m ORDER BY a, b;
-- case case insensitive key
CREATE TABLE m (k VARCHAR(10) PRIMARY KEY, v INT);
INSERT INTO m VALUES ('abc', 1);
INSERT INTO m VALUES ('ABC', 2);
INSERT INTO m VALUES ('äbc', 3);
UPDATE m SET v = 5 WHERE k = 'Abc';
SELECT * FROM m;
SELECT COUNT(*) FROM m WHERE k IN ('ABC', 'x');
-- case binary collation key
CREATE TABLE m (k VARCHAR(10) COLLATE utf8mb4_bin PRIMARY KEY);
INSERT INTO m VALUES ('abc'), ('ABC');
INSERT INTO m VALUES ('abc');
SELECT * FROM m ORDER BY k;
-- case prefix key
CREATE TABLE m (a VARCHAR(20), UNIQUE (a(3)));
INSERT INTO m VALUES ('abcdef');
INSERT INTO m VALUES ('abcxyz');
INSERT INTO m VALUES ('abxyz');
SELECT * FROM m ORDER BY a;
-- case select for update
CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(10), n INT);
INSERT INTO t VALUES (1, 'a', 10), (2, 'b', 20), (3, 'c', 30);
BEGIN;
SELECT * FROM t WHERE id = 1 FOR UPDATE;
UPDATE t SET n = 0 WHERE id = 1;
COMMIT;
SELECT * FROM t ORDER BY id;
