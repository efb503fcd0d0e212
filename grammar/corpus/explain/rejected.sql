EXPLAIN VSTREAM
--! syntax: near '' at line 1

EXPLAIN VSTREAM * t
--! syntax: near 't' at line 1

DESC vstream
--! syntax: near '' at line 1

EXPLAIN
--! syntax: near '' at line 1

DESCRIBE a.b.c
--! syntax: near '.c' at line 1

DESCRIBE t a b
--! syntax: near 'b' at line 1

EXPLAIN SHOW TABLES
--! syntax: near 'SHOW TABLES' at line 1
