-- case where
CREATE TABLE p (id INT PRIMARY KEY, name VARCHAR(20), dept VARCHAR(10), salary DECIMAL(10,2), hired DATE);
INSERT INTO p VALUES (1, 'Ann', 'dev', 100.50, '2020-01-15'), (2, 'bob', 'Dev', 90, '2021-06-30'), (3, 'Cid', 'ops', 80.25, '2019-12-31'), (4, 'dora', NULL, NULL, NULL), (5, 'Eve', 'ops', 120, '2022-02-28');
SELECT name FROM p WHERE dept = 'DEV' ORDER BY id;
SELECT name FROM p WHERE salary > 85 AND dept <> 'ops' ORDER BY id;
SELECT id FROM p WHERE dept IS NULL OR salary BETWEEN 80 AND 100 ORDER BY id;
SELECT id FROM p WHERE id IN (1, 3, 9) ORDER BY id DESC;
SELECT id FROM p WHERE id NOT IN (1, 2) AND NOT (salary > 100) ORDER BY id;
SELECT id FROM p WHERE dept = 'dev' || id = 4 ORDER BY id;
SELECT id FROM p WHERE dept = 'dev' && id = 1;
-- case like
CREATE TABLE p (id INT PRIMARY KEY, name VARCHAR(20), dept VARCHAR(10), salary DECIMAL(10,2), hired DATE);
INSERT INTO p VALUES (1, 'Ann', 'dev', 100.50, '2020-01-15'), (2, 'bob', 'Dev', 90, '2021-06-30'), (3, 'Cid', 'ops', 80.25, '2019-12-31'), (4, 'dora', NULL, NULL, NULL), (5, 'Eve', 'ops', 120, '2022-02-28');
SELECT name FROM p WHERE name LIKE 'a%' ORDER BY id;
SELECT name FROM p WHERE name LIKE '_o%' ORDER BY id;
SELECT name FROM p WHERE name NOT LIKE '%e%' ORDER BY id;
SELECT 'a%b' LIKE 'a\%b', 'axb' LIKE 'a\%b', 'a_b' LIKE 'a|_b' ESCAPE '|';
SELECT name FROM p WHERE name LIKE BINARY 'a%';
SELECT name FROM p WHERE name REGEXP '^[a-c]' ORDER BY id;
-- case order
CREATE TABLE p (id INT PRIMARY KEY, name VARCHAR(20), dept VARCHAR(10), salary DECIMAL(10,2), hired DATE);
INSERT INTO p VALUES (1, 'Ann', 'dev', 100.50, '2020-01-15'), (2, 'bob', 'Dev', 90, '2021-06-30'), (3, 'Cid', 'ops', 80.25, '2019-12-31'), (4, 'dora', NULL, NULL, NULL), (5, 'Eve', 'ops', 120, '2022-02-28');
SELECT name FROM p ORDER BY name;
SELECT name FROM p ORDER BY salary DESC, name;
SELECT name, salary * 2 AS twice FROM p ORDER BY twice DESC;
SELECT name FROM p ORDER BY 1 DESC;
SELECT dept, name FROM p ORDER BY dept, name DESC;
-- case limit
CREATE TABLE p (id INT PRIMARY KEY, name VARCHAR(20), dept VARCHAR(10), salary DECIMAL(10,2), hired DATE);
INSERT INTO p VALUES (1, 'Ann', 'dev', 100.50, '2020-01-15'), (2, 'bob', 'Dev', 90, '2021-06-30'), (3, 'Cid', 'ops', 80.25, '2019-12-31'), (4, 'dora', NULL, NULL, NULL), (5, 'Eve', 'ops', 120, '2022-02-28');
SELECT id FROM p ORDER BY id LIMIT 2;
SELECT id FROM p ORDER BY id LIMIT 1, 2;
SELECT id FROM p ORDER BY id LIMIT 2 OFFSET 3;
SELECT id FROM p ORDER BY id LIMIT 0;
-- case aggregate
CREATE TABLE p (id INT PRIMARY KEY, name VARCHAR(20), dept VARCHAR(10), salary DECIMAL(10,2), hired DATE);
INSERT INTO p VALUES (1, 'Ann', 'dev', 100.50, '2020-01-15'), (2, 'bob', 'Dev', 90, '2021-06-30'), (3, 'Cid', 'ops', 80.25, '2019-12-31'), (4, 'dora', NULL, NULL, NULL), (5, 'Eve', 'ops', 120, '2022-02-28');
SELECT COUNT(*), COUNT(dept), COUNT(DISTINCT dept), SUM(salary), AVG(salary), MIN(name), MAX(hired) FROM p;
SELECT SUM(id), AVG(id), MAX(id), MIN(salary) FROM p;
SELECT COUNT(*) FROM p WHERE id > 100;
SELECT SUM(id), MAX(name) FROM p WHERE id > 100;
-- case group by
CREATE TABLE p (id INT PRIMARY KEY, name VARCHAR(20), dept VARCHAR(10), salary DECIMAL(10,2), hired DATE);
INSERT INTO p VALUES (1, 'Ann', 'dev', 100.50, '2020-01-15'), (2, 'bob', 'Dev', 90, '2021-06-30'), (3, 'Cid', 'ops', 80.25, '2019-12-31'), (4, 'dora', NULL, NULL, NULL), (5, 'Eve', 'ops', 120, '2022-02-28');
SELECT dept, COUNT(*) AS n, SUM(salary) FROM p WHERE dept = 'ops' GROUP BY dept;
SELECT LOWER(dept) AS d, COUNT(*) FROM p GROUP BY LOWER(dept) ORDER BY d;
SELECT LOWER(dept) AS d, COUNT(*) FROM p GROUP BY d ORDER BY d;
SELECT YEAR(hired), COUNT(*) FROM p GROUP BY YEAR(hired) ORDER BY 1;
SELECT COUNT(*) AS n FROM p GROUP BY dept HAVING n > 1 ORDER BY n;
SELECT COUNT(*) FROM p GROUP BY dept HAVING COUNT(*) > 1 ORDER BY 1;
-- case only full group by
CREATE TABLE p (id INT PRIMARY KEY, name VARCHAR(20), dept VARCHAR(10), salary DECIMAL(10,2), hired DATE);
INSERT INTO p VALUES (1, 'Ann', 'dev', 100.50, '2020-01-15'), (2, 'bob', 'Dev', 90, '2021-06-30'), (3, 'Cid', 'ops', 80.25, '2019-12-31'), (4, 'dora', NULL, NULL, NULL), (5, 'Eve', 'ops', 120, '2022-02-28');
SELECT name, COUNT(*) FROM p GROUP BY dept;
SELECT id, name, COUNT(*) FROM p GROUP BY id ORDER BY id;
SELECT name, COUNT(*) FROM p;
-- case distinct
CREATE TABLE p (id INT PRIMARY KEY, name VARCHAR(20), dept VARCHAR(10), salary DECIMAL(10,2), hired DATE);
INSERT INTO p VALUES (1, 'Ann', 'dev', 100.50, '2020-01-15'), (2, 'bob', 'Dev', 90, '2021-06-30'), (3, 'Cid', 'ops', 80.25, '2019-12-31'), (4, 'dora', NULL, NULL, NULL), (5, 'Eve', 'ops', 120, '2022-02-28');
SELECT DISTINCT LOWER(dept) FROM p ORDER BY LOWER(dept);
SELECT COUNT(DISTINCT dept, name) FROM p;
SELECT DISTINCT salary > 95 AS x FROM p ORDER BY x;
-- case group concat
CREATE TABLE p (id INT PRIMARY KEY, name VARCHAR(20), dept VARCHAR(10), salary DECIMAL(10,2), hired DATE);
INSERT INTO p VALUES (1, 'Ann', 'dev', 100.50, '2020-01-15'), (2, 'bob', 'Dev', 90, '2021-06-30'), (3, 'Cid', 'ops', 80.25, '2019-12-31'), (4, 'dora', NULL, NULL, NULL), (5, 'Eve', 'ops', 120, '2022-02-28');
SELECT GROUP_CONCAT(name ORDER BY id) FROM p;
SELECT GROUP_CONCAT(name ORDER BY name DESC SEPARATOR '; ') FROM p;
SELECT GROUP_CONCAT(DISTINCT LOWER(dept) ORDER BY LOWER(dept)) FROM p;
SELECT GROUP_CONCAT(id, '=', name ORDER BY id SEPARATOR '|') FROM p WHERE id < 3;
SELECT GROUP_CONCAT(name) FROM p WHERE id > 100;
-- case join
CREATE TABLE p (id INT PRIMARY KEY, name VARCHAR(20), dept VARCHAR(10), salary DECIMAL(10,2), hired DATE);
INSERT INTO p VALUES (1, 'Ann', 'dev', 100.50, '2020-01-15'), (2, 'bob', 'Dev', 90, '2021-06-30'), (3, 'Cid', 'ops', 80.25, '2019-12-31'), (4, 'dora', NULL, NULL, NULL), (5, 'Eve', 'ops', 120, '2022-02-28');
CREATE TABLE d (code VARCHAR(10) PRIMARY KEY, title VARCHAR(20));
INSERT INTO d VALUES ('dev', 'Development'), ('ops', 'Operations'), ('hr', 'Humans');
SELECT p.name, d.title FROM p JOIN d ON p.dept = d.code ORDER BY p.id;
SELECT p.name, d.title FROM p LEFT JOIN d ON p.dept = d.code ORDER BY p.id;
SELECT d.code, COUNT(p.id) FROM p RIGHT JOIN d ON p.dept = d.code GROUP BY d.code ORDER BY d.code;
SELECT COUNT(*) FROM p, d;
SELECT COUNT(*) FROM p CROSS JOIN d;
SELECT a.name, b.name FROM p a JOIN p b ON a.id = b.id + 1 ORDER BY a.id;
-- case join using
CREATE TABLE a (id INT, x INT);
CREATE TABLE b (id INT, y INT);
INSERT INTO a VALUES (1, 1), (2, 2);
INSERT INTO b VALUES (2, 20), (3, 30);
SELECT * FROM a JOIN b USING (id) ORDER BY id;
SELECT * FROM a NATURAL JOIN b ORDER BY id;
SELECT a.id, b.y FROM a LEFT JOIN b USING (id) ORDER BY a.id;
SELECT id FROM a JOIN b ON a.id = b.id;
-- case subqueries
CREATE TABLE p (id INT PRIMARY KEY, name VARCHAR(20), dept VARCHAR(10), salary DECIMAL(10,2), hired DATE);
INSERT INTO p VALUES (1, 'Ann', 'dev', 100.50, '2020-01-15'), (2, 'bob', 'Dev', 90, '2021-06-30'), (3, 'Cid', 'ops', 80.25, '2019-12-31'), (4, 'dora', NULL, NULL, NULL), (5, 'Eve', 'ops', 120, '2022-02-28');
CREATE TABLE d (code VARCHAR(10) PRIMARY KEY, title VARCHAR(20));
INSERT INTO d VALUES ('dev', 'Development'), ('ops', 'Operations'), ('hr', 'Humans');
SELECT name FROM p WHERE salary = (SELECT MAX(salary) FROM p);
SELECT name FROM p WHERE dept IN (SELECT code FROM d WHERE title LIKE 'D%') ORDER BY id;
SELECT code FROM d WHERE EXISTS (SELECT 1 FROM p WHERE p.dept = d.code) ORDER BY code;
SELECT code FROM d WHERE NOT EXISTS (SELECT 1 FROM p WHERE p.dept = d.code);
SELECT name, (SELECT title FROM d WHERE d.code = p.dept) AS t FROM p ORDER BY id;
SELECT (SELECT id FROM p);
SELECT t.n FROM (SELECT dept, COUNT(*) AS n FROM p GROUP BY dept) AS t ORDER BY t.n;
SELECT * FROM (SELECT 1 AS a, 'x' AS b) AS t;
SELECT name FROM p WHERE (id, dept) IN ((1, 'dev'), (3, 'dev')) ORDER BY id;
-- case union
CREATE TABLE p (id INT PRIMARY KEY, name VARCHAR(20), dept VARCHAR(10), salary DECIMAL(10,2), hired DATE);
INSERT INTO p VALUES (1, 'Ann', 'dev', 100.50, '2020-01-15'), (2, 'bob', 'Dev', 90, '2021-06-30'), (3, 'Cid', 'ops', 80.25, '2019-12-31'), (4, 'dora', NULL, NULL, NULL), (5, 'Eve', 'ops', 120, '2022-02-28');
CREATE TABLE d (code VARCHAR(10) PRIMARY KEY, title VARCHAR(20));
INSERT INTO d VALUES ('dev', 'Development'), ('ops', 'Operations'), ('hr', 'Humans');
SELECT 1 AS a UNION SELECT 2 UNION SELECT 1 ORDER BY a;
SELECT 'b' AS x UNION ALL SELECT 'A' ORDER BY x;
SELECT name FROM p WHERE id = 1 UNION SELECT code FROM d ORDER BY name;
SELECT 1, 2 UNION SELECT 3;
(SELECT id FROM p ORDER BY id DESC LIMIT 1) UNION ALL (SELECT id FROM p ORDER BY id LIMIT 1);
SELECT 1 UNION SELECT 1.5 ORDER BY 1;
-- case names
CREATE TABLE p (id INT PRIMARY KEY, name VARCHAR(20), dept VARCHAR(10), salary DECIMAL(10,2), hired DATE);
INSERT INTO p VALUES (1, 'Ann', 'dev', 100.50, '2020-01-15'), (2, 'bob', 'Dev', 90, '2021-06-30'), (3, 'Cid', 'ops', 80.25, '2019-12-31'), (4, 'dora', NULL, NULL, NULL), (5, 'Eve', 'ops', 120, '2022-02-28');
SELECT 1+1, 'x', name AS `n m`, p.id, COUNT(*) OVER_ALL FROM p WHERE id = 1 GROUP BY id;
SELECT count( * ) FROM p;
SELECT NULL, TRUE, -1, 1.50, 'it''s';
SELECT "double", 'a' 'b';
SELECT p.* FROM p WHERE id = 1;
SELECT p.*, id AS again FROM p WHERE id = 1;
-- case ambiguous
CREATE TABLE p (id INT PRIMARY KEY, name VARCHAR(20), dept VARCHAR(10), salary DECIMAL(10,2), hired DATE);
INSERT INTO p VALUES (1, 'Ann', 'dev', 100.50, '2020-01-15'), (2, 'bob', 'Dev', 90, '2021-06-30'), (3, 'Cid', 'ops', 80.25, '2019-12-31'), (4, 'dora', NULL, NULL, NULL), (5, 'Eve', 'ops', 120, '2022-02-28');
SELECT id FROM p, p AS q;
SELECT 1 FROM p, p;
SELECT q.id FROM p;
SELECT * FROM (SELECT 1);
-- case arithmetic
SELECT 1/2, 1/3, 7 DIV 2, 7 % 3, -7 % 3, 7 MOD 4, 2*3+4, 2+3*4, -(2+3);
SELECT 1/0, 1 DIV 0, 1 % 0;
SELECT 0.1 + 0.2, 1.10 * 3, 1e1 + 1, '3' + 4, '2.5' * 2, 10 - '4x';
SELECT 5 & 3, 5 | 3, 5 ^ 3, ~0, 1 << 4, 256 >> 2;
SELECT 9223372036854775807 + 1;
SELECT 1 = 1, 1 <> 1, 1 < 2, 2 >= 3, 1 != 2;
SELECT 'a' = 'A', 'a' = 'b', 'abc' < 'abd', 1 = '1', 0 = 'x', '1' = '01';
SELECT 10.0 / 4, 10 / 4.00, 5.5 DIV 2, 5.5 % 2;
SELECT 1 + NULL, NULL * 2, CONCAT('a', NULL);
SELECT 3 BETWEEN 1 AND 5, 3 NOT BETWEEN 1 AND 5, 3 IN (1, 2), NULL IN (1), 1 IN (NULL, 1);
SELECT NOT 1, NOT 0, !1, 1 XOR 1, 1 XOR 0, 1 AND NULL, 0 AND NULL;
-- case precedence
SELECT 1 OR 0 AND 0, NOT 1 = 2, 1 + 2 * 3 - 4 / 2, 2 * -3, 10 - 2 - 3;
SELECT 1 || 0 AND 0, 1 = 1 || 0, 5 & 1 + 1, 1 | 2 = 3;
SELECT 'a' = 'a' IS NULL, 1 BETWEEN 0 AND 2 = 1, NOT 0 IS NULL;
-- case control
SELECT IF(1 > 2, 'yes', 'no'), IFNULL(NULL, 5), IFNULL(1, 2), NULLIF(1, 1), NULLIF(1, 2), COALESCE(NULL, NULL, 'x');
SELECT CASE WHEN 1 = 2 THEN 'a' WHEN 2 = 2 THEN 'b' ELSE 'c' END, CASE 3 WHEN 1 THEN 'one' WHEN 3 THEN 'three' END, CASE 'A' WHEN 'a' THEN 1 END, CASE 9 WHEN 1 THEN 1 END;
SELECT ISNULL(NULL), GREATEST(1, 5, 3), LEAST(2, 1.5, 3), GREATEST('a', 'B'), GREATEST(1, NULL);
SELECT IF(NULL, 1, 2), IF(1, 1.5, 2), IF(0, 1, 'x');
-- case strings
SELECT CONCAT('a', 1, 2.50, 'b'), CONCAT_WS('-', 'a', NULL, 'b'), LENGTH('héllo'), CHAR_LENGTH('héllo'), UPPER('aß'), LOWER('ÄB');
SELECT LEFT('hello', 2), RIGHT('hello', 3), SUBSTRING('hello', 2), SUBSTRING('hello', 2, 3), SUBSTRING('hello', -3, 2), SUBSTR('hello' FROM 2 FOR 2), MID('hello', 3, 2), SUBSTRING('hello', 0);
SELECT TRIM('  x  '), LTRIM('  x '), RTRIM(' x  '), TRIM(LEADING 'x' FROM 'xxaxx'), TRIM(TRAILING 'x' FROM 'xxaxx'), TRIM('x' FROM 'xxaxx');
SELECT REPLACE('aXbX', 'X', 'yy'), REVERSE('abc'), REPEAT('ab', 3), LPAD('5', 3, '0'), RPAD('x', 3, 'ab'), LPAD('hello', 2, 'x'), SPACE(2);
SELECT INSTR('foobar', 'BAR'), LOCATE('o', 'foobar'), LOCATE('o', 'foobar', 3), LOCATE('z', 'foo'), POSITION('b' IN 'foobar'), FIND_IN_SET('b', 'a,b,c'), FIELD('b', 'a', 'b'), ELT(2, 'x', 'y');
SELECT SUBSTRING_INDEX('a.b.c', '.', 2), SUBSTRING_INDEX('a.b.c', '.', -1), STRCMP('a', 'b'), ASCII('a'), HEX('abc'), UNHEX('616263'), HEX(255), CONV('ff', 16, 10), BIN(5), OCT(8);
SELECT INSERT('Quadratic', 3, 4, 'What'), QUOTE('it''s'), FORMAT(1234567.891, 2), FORMAT(0.5, 0), CRC32('abc'), TO_BASE64('abc'), FROM_BASE64('YWJj');
SELECT 'a\nb', 'tab\there', 'q\'q', 'b\\s', 'a''b', LENGTH('\0');
SELECT 0x4142, X'43', b'1000001', 0x41 + 0, HEX(0x0A);
SELECT SHA2('abc', 256);
-- case math
SELECT ABS(-5), ABS(-1.50), CEIL(1.2), FLOOR(-1.2), CEILING(-1.8), SIGN(-3), SIGN(0);
SELECT ROUND(1.5), ROUND(2.5), ROUND(-1.5), ROUND(1.2345, 2), ROUND(1234.5, -2), ROUND(1.005e0, 2), TRUNCATE(1.999, 1), TRUNCATE(-1.999, 0), TRUNCATE(1999, -2);
SELECT POW(2, 10), POWER(2, 0.5), SQRT(16), SQRT(-1), EXP(0), LN(1), LOG(2, 8), LOG10(1000), LOG2(8), PI();
SELECT MOD(10, 3), MOD(10.5, 3), MOD(-10, 3), 10 MOD 4;
SELECT ROUND(150), ROUND(155, -1), ROUND('2.5'), FLOOR('3.7'), ABS('-2');
SELECT SIN(0), COS(0), TAN(0), ATAN(1), DEGREES(PI()), RADIANS(180), LN(0), LOG(-1);
-- case dates
SELECT YEAR('2024-02-29'), MONTH('2024-02-29'), DAY('2024-02-29'), DAYOFWEEK('2024-02-29'), WEEKDAY('2024-02-29'), DAYOFYEAR('2024-12-31'), QUARTER('2024-05-01'), DAYNAME('2024-02-29'), MONTHNAME('2024-02-29'), LAST_DAY('2024-02-01');
SELECT WEEK('2024-01-01'), WEEK('2024-01-01', 1), WEEK('2023-01-01', 0), WEEK('2023-01-01', 3), WEEKOFYEAR('2021-01-03'), YEARWEEK('2024-01-01'), YEARWEEK('2021-01-03', 1);
SELECT DATE_ADD('2024-01-31', INTERVAL 1 MONTH), DATE_SUB('2024-03-31', INTERVAL 1 MONTH), '2024-01-01' + INTERVAL 1 DAY, DATE_ADD('2024-02-28', INTERVAL 2 DAY), DATE_ADD('2024-01-01 10:00:00', INTERVAL 90 MINUTE), DATE_ADD('2024-01-01', INTERVAL 1 HOUR);
SELECT DATE('2024-01-02 03:04:05') + INTERVAL 1 WEEK, DATE('2024-01-02') + INTERVAL 1 SECOND, DATE '2024-01-02' - INTERVAL 1 YEAR, INTERVAL 1 DAY + DATE '2024-01-02';
SELECT DATEDIFF('2024-03-01', '2024-02-01'), DATEDIFF('2023-12-31', '2024-01-01'), TIMESTAMPDIFF(DAY, '2024-01-01', '2024-02-01'), TIMESTAMPDIFF(MONTH, '2024-01-31', '2024-02-29'), TIMESTAMPDIFF(YEAR, '2000-02-29', '2024-02-28'), TIMESTAMPDIFF(HOUR, '2024-01-01', '2024-01-02 12:30:00'), TIMESTAMPDIFF(SECOND, '2024-01-02', '2024-01-01');
SELECT DATE_FORMAT('2024-02-03 14:05:06', '%Y-%m-%d %H:%i:%s'), DATE_FORMAT('2024-02-03 14:05:06', '%W %M %e %D %y %b %a %j %p %h %l %r %T'), DATE_FORMAT('2024-02-03', '%c/%d/%Y %%'), DATE_FORMAT('2024-01-01', '%U %u %V %v %X %x');
SELECT STR_TO_DATE('03/02/2024', '%d/%m/%Y'), STR_TO_DATE('2024-02-03 04:05:06', '%Y-%m-%d %H:%i:%s'), STR_TO_DATE('bad', '%Y');
SELECT UNIX_TIMESTAMP('2024-01-01 00:00:00'), FROM_UNIXTIME(1704067200), FROM_UNIXTIME(1704067200, '%Y'), FROM_UNIXTIME(1704067200.5);
SELECT HOUR('14:05:06'), MINUTE('2024-01-01 14:05:06'), SECOND('14:05:06'), MICROSECOND('14:05:06.123'), TIME('2024-01-01 14:05:06'), TIME_TO_SEC('01:00:01'), SEC_TO_TIME(3661), MAKETIME(1, 2, 3), MAKEDATE(2024, 60);
SELECT EXTRACT(YEAR FROM '2024-02-03'), EXTRACT(MONTH FROM '2024-02-03'), EXTRACT(HOUR FROM '2024-02-03 04:05:06'), EXTRACT(MINUTE FROM TIME '10:20:30');
SELECT TO_DAYS('2024-01-01'), FROM_DAYS(739251), TIMEDIFF('10:00:00', '08:30:00'), TIMEDIFF('2024-01-02 00:00:00', '2024-01-01 00:00:01');
SELECT DATE('2024-01-02 03:04:05'), DATE('bad'), YEAR(NULL), DATE('2024-02-30');
SELECT PERIOD_ADD(202401, 3), PERIOD_DIFF(202403, 202401);
SELECT NOW() > '2020-01-01', CURDATE() = DATE(NOW()), LENGTH(NOW()), LENGTH(NOW(3)), CURRENT_DATE >= '2020-01-01', UNIX_TIMESTAMP() > 1700000000;
SELECT DATE '2024-02-30';
SELECT TIMESTAMP '2024-01-02 03:04:05', TIME '03:04:05', DATE '2024-01-02' = '2024-01-02';
-- case casts
SELECT CAST('12' AS SIGNED), CAST('12abc' AS SIGNED), CAST(3.7 AS SIGNED), CAST(-1 AS UNSIGNED), CAST('3.14' AS DECIMAL(5,1)), CAST(12 AS CHAR), CAST('abc' AS CHAR(2)), CAST('2024-01-02 03:04:05' AS DATE);
SELECT CAST('2024-01-02' AS DATETIME), CAST('03:04:05.6' AS TIME), CAST('03:04:05.6' AS TIME(1)), CONVERT('5', SIGNED), CONVERT('x' USING utf8mb4), CAST(1.5 AS DOUBLE), BINARY 'a' = 'A';
SELECT CAST('[1, 2]' AS JSON);
SELECT 'a' COLLATE utf8mb4_bin = 'A', 'a' COLLATE utf8mb4_general_ci = 'A', 'é' = 'e';
