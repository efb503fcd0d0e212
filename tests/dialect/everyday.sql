-- case shop
CREATE TABLE product (sku VARBINARY(128) NOT NULL, description VARBINARY(128), price BIGINT, PRIMARY KEY (sku));
CREATE TABLE corder (order_id BIGINT NOT NULL AUTO_INCREMENT, customer_id BIGINT, sku VARBINARY(128), price BIGINT, PRIMARY KEY (order_id));
INSERT INTO product (sku, description, price) VALUES ('SKU-1001', 'Monitor', 100), ('SKU-1002', 'Keyboard', 30);
INSERT INTO corder (customer_id, sku, price) VALUES (1, 'SKU-1001', 100);
INSERT INTO corder (customer_id, sku, price) SELECT 2, sku, price FROM product WHERE sku = 'SKU-1002';
UPDATE corder SET price = price + 10 WHERE sku = 'SKU-1001';
SELECT o.order_id, p.description, o.price FROM corder o JOIN product p USING (sku) ORDER BY o.order_id;
DELETE FROM corder WHERE order_id = 1;
SELECT * FROM corder;
SELECT sku FROM product WHERE sku LIKE 'SKU-%2';
SELECT SUM(price), COUNT(*) FROM corder;
-- case todo
CREATE TABLE todo (id INT UNSIGNED AUTO_INCREMENT PRIMARY KEY, title VARCHAR(100) NOT NULL, done TINYINT(1) NOT NULL DEFAULT 0, due DATE);
INSERT INTO todo (title, due) VALUES ('milk', '2024-05-01'), ('bread', NULL);
UPDATE todo SET done = 1 WHERE title = 'Milk';
UPDATE todo SET done = NOT done;
SELECT id, title, done, due FROM todo ORDER BY id;
SELECT COUNT(*) FROM todo WHERE NOT done;
-- case accounts
CREATE TABLE account (id INT PRIMARY KEY, balance DECIMAL(12,2) NOT NULL CHECK (balance >= 0));
INSERT INTO account VALUES (1, 100), (2, 50.5);
BEGIN;
UPDATE account SET balance = balance - 30.25 WHERE id = 1;
UPDATE account SET balance = balance + 30.25 WHERE id = 2;
COMMIT;
UPDATE account SET balance = balance - 1000 WHERE id = 1;
SELECT * FROM account ORDER BY id;
SELECT SUM(balance) FROM account;
-- case blog
CREATE TABLE post (id INT AUTO_INCREMENT PRIMARY KEY, title VARCHAR(50), body TEXT, tags SET('news','tech','fun'), created DATETIME);
CREATE TABLE comment (id INT AUTO_INCREMENT PRIMARY KEY, post_id INT NOT NULL, txt TEXT, FOREIGN KEY (post_id) REFERENCES post(id) ON DELETE CASCADE);
INSERT INTO post (title, body, tags, created) VALUES ('Hi', 'First', 'news,fun', '2024-01-01 10:00:00'), ('Two', 'Second', 'tech', '2024-01-02 10:00:00');
INSERT INTO comment (post_id, txt) VALUES (1, 'nice'), (1, 'ok'), (2, 'meh');
SELECT p.title, COUNT(c.id) AS n FROM post p LEFT JOIN comment c ON c.post_id = p.id GROUP BY p.id, p.title ORDER BY n DESC;
DELETE FROM post WHERE title = 'hi';
SELECT post_id, txt FROM comment;
SELECT title FROM post WHERE created >= '2024-01-02';
-- case counter
CREATE TABLE hit (page VARCHAR(20) PRIMARY KEY, n INT NOT NULL);
INSERT INTO hit VALUES ('a', 1) ON DUPLICATE KEY UPDATE n = n + 1;
INSERT INTO hit VALUES ('a', 1) ON DUPLICATE KEY UPDATE n = n + 1;
INSERT INTO hit VALUES ('A', 1), ('b', 1) ON DUPLICATE KEY UPDATE n = n + VALUES(n);
SELECT * FROM hit ORDER BY page;
-- case queue
CREATE TABLE job (id INT AUTO_INCREMENT PRIMARY KEY, state ENUM('new','run','done') NOT NULL DEFAULT 'new', run_at TIMESTAMP NULL);
INSERT INTO job () VALUES (), (), ();
UPDATE job SET state = 'run', run_at = '2024-01-01 00:00:00' WHERE state = 'new' ORDER BY id LIMIT 1;
UPDATE job SET state = 'done' WHERE state = 'run';
DELETE FROM job WHERE state = 'done';
SELECT id, state, run_at FROM job ORDER BY id;
SELECT state, COUNT(*) FROM job GROUP BY state;
-- case tree
CREATE TABLE n (id INT PRIMARY KEY, parent INT, name VARCHAR(10));
INSERT INTO n VALUES (1, NULL, 'root'), (2, 1, 'a'), (3, 1, 'b'), (4, 2, 'c');
SELECT c.name, p.name FROM n c LEFT JOIN n p ON p.id = c.parent ORDER BY c.id;
SELECT name FROM n WHERE id NOT IN (SELECT parent FROM n WHERE parent IS NOT NULL) ORDER BY id;
SELECT name FROM n WHERE id NOT IN (SELECT parent FROM n);
-- case report
CREATE TABLE sale (id INT PRIMARY KEY, region VARCHAR(10), amount DECIMAL(10,2), sold DATE);
INSERT INTO sale VALUES (1, 'north', 10.10, '2024-01-10'), (2, 'south', 20.20, '2024-01-20'), (3, 'north', 30.30, '2024-02-10'), (4, 'south', NULL, '2024-02-15');
SELECT region, SUM(amount), AVG(amount), COUNT(amount) FROM sale GROUP BY region ORDER BY region;
SELECT DATE_FORMAT(sold, '%Y-%m') AS m, SUM(amount) AS s FROM sale GROUP BY m ORDER BY m;
SELECT region, MONTH(sold) AS m, SUM(IFNULL(amount, 0)) FROM sale GROUP BY region, MONTH(sold) HAVING SUM(IFNULL(amount, 0)) > 15 ORDER BY region, m;
SELECT SUM(CASE WHEN region = 'north' THEN amount ELSE 0 END) AS north, SUM(region = 'south') AS souths FROM sale;
SELECT ROUND(AVG(amount), 2), MAX(amount) - MIN(amount) FROM sale;
-- case upper keys
create table T1 (ID int not null primary key, Name varchar(20) not null);
insert into T1 (id, NAME) values (1, 'x');
update T1 set nAmE = 'y' where iD = 1;
select id, Name, ID + 1 from T1;
drop table T1;
-- case comments in text
CREATE TABLE t (id INT) -- trailing
;
INSERT INTO t VALUES (1) # hash
;
SELECT /* inner */ id FROM t;
SELECT 1 -- x
+ 1;
/* lead */ SELECT 2;
-- case quoted names
CREATE TABLE `we ird` (`a b` INT, `c``d` INT, `sel"x` INT);
INSERT INTO `we ird` (`a b`, `c``d`) VALUES (1, 2);
SELECT `a b`, `c``d` FROM `we ird` WHERE `a b` = 1;
UPDATE `we ird` SET `c``d` = 5;
SELECT * FROM `we ird`;
-- case reserved
CREATE TABLE t (id INT PRIMARY KEY, `rank` INT, `groups` VARCHAR(5), status INT, type INT, name INT, date DATE, value INT);
INSERT INTO t (id, status, type, name, date, value) VALUES (1, 2, 3, 4, '2024-01-01', 6);
SELECT id, status, type, name, date, value FROM t;
-- case rowid columns
CREATE TABLE t (rowid INT, oid INT, v INT);
INSERT INTO t VALUES (5, 6, 1), (7, 8, 2);
UPDATE t SET v = 9 WHERE rowid = 5;
DELETE FROM t WHERE oid = 8;
SELECT * FROM t;
-- case trailing blanks
CREATE TABLE t (a VARCHAR(5), b CHAR(5));
INSERT INTO t VALUES ('x ', 'x ');
SELECT CONCAT(a, '|'), CONCAT(b, '|'), a = 'x', b = 'x' FROM t;
-- case empty strings
CREATE TABLE t (id INT PRIMARY KEY, a VARCHAR(5), n INT);
INSERT INTO t VALUES (1, '', 0), (2, NULL, NULL);
SELECT id, a = '', a IS NULL, n = 0, LENGTH(a), CONCAT('[', a, ']') FROM t ORDER BY id;
INSERT INTO t VALUES (3, '', '');
-- case escapes
CREATE TABLE t (id INT PRIMARY KEY, a VARCHAR(50));
INSERT INTO t VALUES (1, 'it''s'), (2, 'a\\b'), (3, 'new\nline'), (4, 'tab\t'), (5, "dq ' x"), (6, 'quote " in'), (7, '100%'), (8, '\%\_');
SELECT id, a, LENGTH(a) FROM t ORDER BY id;
SELECT id FROM t WHERE a LIKE '100\%';
SELECT id FROM t WHERE a LIKE '%\\\\%';
-- case big rows
CREATE TABLE t (id INT PRIMARY KEY, a LONGTEXT);
INSERT INTO t VALUES (1, REPEAT('x', 100000));
UPDATE t SET a = CONCAT(a, a);
SELECT id, LENGTH(a) FROM t;
-- case many values
CREATE TABLE t (id INT PRIMARY KEY, v INT);
INSERT INTO t VALUES (1, 1), (2, 4), (3, 9), (4, 16), (5, 25), (6, 36), (7, 49), (8, 64), (9, 81), (10, 100), (11, 121), (12, 144), (13, 169), (14, 196), (15, 225), (16, 256), (17, 289), (18, 324), (19, 361), (20, 400), (21, 441), (22, 484), (23, 529), (24, 576), (25, 625), (26, 676), (27, 729), (28, 784), (29, 841), (30, 900), (31, 961), (32, 1024), (33, 1089), (34, 1156), (35, 1225), (36, 1296), (37, 1369), (38, 1444), (39, 1521), (40, 1600), (41, 1681), (42, 1764), (43, 1849), (44, 1936), (45, 2025), (46, 2116), (47, 2209), (48, 2304), (49, 2401), (50, 2500), (51, 2601), (52, 2704), (53, 2809), (54, 2916), (55, 3025), (56, 3136), (57, 3249), (58, 3364), (59, 3481), (60, 3600), (61, 3721), (62, 3844), (63, 3969), (64, 4096), (65, 4225), (66, 4356), (67, 4489), (68, 4624), (69, 4761), (70, 4900), (71, 5041), (72, 5184), (73, 5329), (74, 5476), (75, 5625), (76, 5776), (77, 5929), (78, 6084), (79, 6241), (80, 6400), (81, 6561), (82, 6724), (83, 6889), (84, 7056), (85, 7225), (86, 7396), (87, 7569), (88, 7744), (89, 7921), (90, 8100), (91, 8281), (92, 8464), (93, 8649), (94, 8836), (95, 9025), (96, 9216), (97, 9409), (98, 9604), (99, 9801), (100, 10000);
SELECT COUNT(*), SUM(v), MAX(v) FROM t;
DELETE FROM t WHERE v % 2 = 0;
SELECT COUNT(*) FROM t;
UPDATE t SET v = v DIV 10 WHERE id BETWEEN 10 AND 20;
SELECT SUM(v) FROM t;
-- case null arithmetic
CREATE TABLE t (a INT, b INT);
INSERT INTO t VALUES (1, NULL), (NULL, 2), (3, 4);
SELECT a + b, a = b, COALESCE(a, b), a IS NOT NULL AND b IS NULL FROM t ORDER BY a, b;
SELECT SUM(a + b), COUNT(a + b) FROM t;
SELECT * FROM t WHERE NOT (a = 1) ORDER BY a;
SELECT * FROM t WHERE a <=> NULL;
-- case in with nulls
SELECT 1 IN (1, NULL), 2 IN (1, NULL), 2 NOT IN (1, NULL), NULL IN (NULL);
SELECT 'a' IN ('A', 'b'), 1 IN ('1', 2), 'x' NOT IN ('y');
-- case mixed comparison
CREATE TABLE t (i INT, s VARCHAR(10), d DECIMAL(5,2), f DOUBLE);
INSERT INTO t VALUES (1, '1', 1.00, 1), (2, '2x', 2.50, 2.5), (10, '010', 10, 10);
SELECT i FROM t WHERE s = 10;
SELECT i FROM t WHERE i = '1';
SELECT i FROM t WHERE d = '2.5' ORDER BY i;
SELECT i FROM t WHERE f > '2' ORDER BY i;
SELECT i FROM t WHERE s = i ORDER BY i;
SELECT i FROM t WHERE d = f ORDER BY i;
SELECT i FROM t WHERE i = 1.0;
-- case date comparison
CREATE TABLE t (d DATE, dt DATETIME, tm TIME);
INSERT INTO t VALUES ('2024-01-15', '2024-01-15 12:00:00', '12:00:00');
SELECT d = '2024-01-15', d = '2024-1-15', d < '2024-02-01', dt = d, dt > d, d = 20240115, tm = '12:00', tm > 110000 FROM t;
SELECT d FROM t WHERE d = 'garbage';
SELECT d FROM t WHERE dt BETWEEN '2024-01-15' AND '2024-01-15 23:59:59';
SELECT d + INTERVAL 1 DAY, dt - INTERVAL 1 HOUR, d + 0, dt + 0, tm + 0 FROM t;
SELECT MAX(d), MIN(dt), MAX(tm), COUNT(DISTINCT d) FROM t;
SELECT YEAR(d), HOUR(dt), MINUTE(tm) FROM t;
-- case enum order
CREATE TABLE t (e ENUM('z','a','m'));
INSERT INTO t VALUES ('a'), ('z'), ('m'), (NULL);
SELECT e FROM t ORDER BY e;
SELECT e FROM t ORDER BY CONCAT(e);
SELECT MAX(e), MIN(e) FROM t;
SELECT CONCAT(e, '!'), LENGTH(e), UPPER(e) FROM t WHERE e = 'A';
SELECT e FROM t WHERE e IN ('a', 'm') ORDER BY e;
SELECT IFNULL(e, 'none') FROM t ORDER BY 1;
-- case collations
CREATE TABLE t (a VARCHAR(10) COLLATE utf8mb4_bin, b VARCHAR(10) COLLATE utf8mb4_general_ci, c VARCHAR(10) COLLATE utf8mb4_unicode_ci);
INSERT INTO t VALUES ('a', 'a', 'a'), ('B', 'B', 'B'), ('c', 'c', 'c'), ('ä', 'ä', 'ä');
SELECT a FROM t ORDER BY a;
SELECT b FROM t WHERE b = 'A' ORDER BY a;
SELECT COUNT(DISTINCT b), COUNT(DISTINCT a), COUNT(DISTINCT c) FROM t;
SELECT a FROM t WHERE a = 'A';
SELECT a FROM t WHERE a COLLATE utf8mb4_general_ci = 'A' ORDER BY a;
-- case select without from
SELECT 1;
SELECT 1 AS a, 2 AS b;
SELECT 'hello world';
SELECT 1 WHERE 1 = 0;
SELECT 1 FROM DUAL;
SELECT 1 LIMIT 0;
SELECT DATABASE(), SCHEMA();
-- case do
DO 1 + 1;
DO SLEEP_NOPE(1);
SELECT 1;
-- case nested
SELECT ((((1 + 2)) * 3));
SELECT (SELECT (SELECT 5));
SELECT * FROM (SELECT * FROM (SELECT 1 AS x) AS a) AS b;
SELECT IF(1, IF(0, 'a', 'b'), 'c');
-- case having
CREATE TABLE t (a INT, b INT);
INSERT INTO t VALUES (1, 10), (1, 20), (2, 5);
SELECT a, SUM(b) AS s FROM t GROUP BY a HAVING s > 10;
SELECT a FROM t GROUP BY a HAVING SUM(b) > 10 AND a < 5;
SELECT a AS x FROM t HAVING x = 2;
SELECT MAX(b) FROM t HAVING COUNT(*) > 5;
-- case group expressions
CREATE TABLE t (a INT, b INT);
INSERT INTO t VALUES (1, 1), (2, 1), (3, 2), (4, NULL);
SELECT a % 2, COUNT(*) FROM t GROUP BY a % 2 ORDER BY 1;
SELECT b, GROUP_CONCAT(a ORDER BY a DESC) FROM t GROUP BY b ORDER BY b;
SELECT b, COUNT(*) FROM t GROUP BY b ORDER BY COUNT(*) DESC, b;
SELECT IF(b IS NULL, 'none', b) AS k, MAX(a) FROM t GROUP BY k ORDER BY k;
-- case count variants
CREATE TABLE t (a INT, b VARCHAR(5));
SELECT COUNT(*), COUNT(a), SUM(a), AVG(a), MIN(b), MAX(a), GROUP_CONCAT(b) FROM t;
INSERT INTO t VALUES (1, 'x'), (1, 'X'), (NULL, 'y');
SELECT COUNT(*), COUNT(a), COUNT(DISTINCT a), COUNT(DISTINCT b), SUM(DISTINCT a) FROM t;
SELECT COUNT(1), COUNT(NULL) FROM t;
-- case bit aggregates
CREATE TABLE t (a INT);
INSERT INTO t VALUES (5), (6);
SELECT BIT_AND(a), BIT_OR(a), BIT_XOR(a) FROM t;
SELECT STD(a), VARIANCE(a), STDDEV_SAMP(a), VAR_SAMP(a) FROM t;
-- case temporary
CREATE TEMPORARY TABLE fleeting (a INT);
SELECT 1;
-- case with
WITH x AS (SELECT 1 AS a) SELECT a FROM x;
SELECT 1;
-- case window
CREATE TABLE t (a INT, b INT);
INSERT INTO t VALUES (1, 10), (2, 20);
SELECT a, ROW_NUMBER() OVER (ORDER BY b DESC) AS r FROM t ORDER BY a;
-- case multi delete
CREATE TABLE a (id INT);
CREATE TABLE b (id INT);
DELETE a, b FROM a JOIN b ON a.id = b.id;
SELECT 1;
-- case hex inserts
CREATE TABLE t (a VARBINARY(10), b BLOB, c VARCHAR(10));
INSERT INTO t VALUES (0x010203, X'ff00', 0x616263);
SELECT HEX(a), HEX(b), c, LENGTH(b) FROM t;
SELECT a = X'010203', a > X'0102' FROM t;
-- case system variables
SELECT @@nope_variable;
SELECT 1;
-- case alias scope
CREATE TABLE t (a INT, b INT);
INSERT INTO t VALUES (1, 2), (3, 1);
SELECT a AS b, b AS a FROM t ORDER BY b;
SELECT a AS x FROM t WHERE x = 1;
SELECT a x, b y FROM t ORDER BY y, x;
SELECT t.a + 1 AS a FROM t ORDER BY a DESC;
SELECT -a AS a FROM t ORDER BY a;
-- case order by expressions
CREATE TABLE t (a INT, s VARCHAR(5));
INSERT INTO t VALUES (1, 'b'), (2, 'A'), (3, NULL), (4, 'C');
SELECT a FROM t ORDER BY s;
SELECT a FROM t ORDER BY s IS NULL, s;
SELECT a FROM t ORDER BY FIELD(a, 3, 1), a;
SELECT a FROM t ORDER BY a % 2, a DESC;
SELECT a FROM t ORDER BY LENGTH(s), a;
SELECT a FROM t ORDER BY -a;
SELECT a FROM t ORDER BY a LIMIT 2 OFFSET 1;
SELECT a FROM t ORDER BY 5;
