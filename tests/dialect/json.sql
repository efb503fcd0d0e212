-- case extract
CREATE TABLE t (id INT PRIMARY KEY, j JSON);
INSERT INTO t VALUES (1, '{"name": "Ann", "age": 30, "tags": ["a", "b"], "addr": {"city": "X"}}'), (2, '{"name": "Bob", "age": 25, "ok": true}'), (3, NULL);
SELECT id, JSON_EXTRACT(j, '$.age'), JSON_UNQUOTE(JSON_EXTRACT(j, '$.name')), JSON_EXTRACT(j, '$.tags[0]', '$.tags[1]'), JSON_EXTRACT(j, '$.addr.city'), JSON_EXTRACT(j, '$.*') FROM t ORDER BY id;
SELECT id FROM t WHERE JSON_EXTRACT(j, '$.age') > 26;
-- case arrows
CREATE TABLE t (id INT PRIMARY KEY, j JSON);
INSERT INTO t VALUES (1, '{"name": "Ann", "age": 30, "tags": ["a", "b"], "addr": {"city": "X"}}'), (2, '{"name": "Bob", "age": 25, "ok": true}'), (3, NULL);
SELECT id, j->'$.name', j->>'$.name' FROM t ORDER BY id;
SELECT id FROM t WHERE j->>'$.name' = 'Bob';
SELECT id FROM t WHERE j->'$.age' = 25;
-- case modify
CREATE TABLE t (id INT PRIMARY KEY, j JSON);
INSERT INTO t VALUES (1, '{"name": "Ann", "age": 30, "tags": ["a", "b"], "addr": {"city": "X"}}'), (2, '{"name": "Bob", "age": 25, "ok": true}'), (3, NULL);
SELECT JSON_SET('{"a": 1}', '$.b', 2, '$.a', 'x'), JSON_INSERT('{"a": 1}', '$.a', 9, '$.c', TRUE), JSON_REPLACE('{"a": 1}', '$.a', NULL, '$.z', 1), JSON_REMOVE('{"a": 1, "b": [1, 2]}', '$.b[0]');
UPDATE t SET j = JSON_SET(j, '$.age', 31) WHERE id = 1;
SELECT JSON_EXTRACT(j, '$.age') FROM t WHERE id = 1;
SELECT JSON_ARRAY_APPEND('[1]', '$', 2), JSON_MERGE_PATCH('{"a": 1}', '{"b": 2, "a": null}'), JSON_MERGE_PRESERVE('[1]', '[2]');
-- case make
CREATE TABLE t (id INT PRIMARY KEY, j JSON);
INSERT INTO t VALUES (1, '{"name": "Ann", "age": 30, "tags": ["a", "b"], "addr": {"city": "X"}}'), (2, '{"name": "Bob", "age": 25, "ok": true}'), (3, NULL);
SELECT JSON_OBJECT('a', 1, 'b', 'x', 'c', NULL, 'd', 1.5), JSON_ARRAY(1, 'a', NULL, TRUE), JSON_QUOTE('a"b'), JSON_ARRAY(), JSON_OBJECT();
SELECT JSON_ARRAYAGG(id), JSON_OBJECTAGG(id, id * 2) FROM t WHERE id < 2;
-- case ask
SELECT JSON_VALID('{}'), JSON_VALID('x'), JSON_LENGTH('[1, 2, 3]'), JSON_LENGTH('{"a": [1, 2]}', '$.a'), JSON_TYPE('1'), JSON_TYPE('"a"'), JSON_TYPE('1.5'), JSON_DEPTH('[[1]]'), JSON_KEYS('{"b": 1, "a": 2}');
SELECT JSON_CONTAINS('[1, 2]', '1'), JSON_CONTAINS('{"a": 1}', '1', '$.a'), JSON_CONTAINS_PATH('{"a": 1}', 'one', '$.a', '$.b'), JSON_CONTAINS_PATH('{"a": 1}', 'all', '$.a', '$.b');
SELECT JSON_EXTRACT('{bad', '$.a');
SELECT JSON_EXTRACT('{}', 'a');
