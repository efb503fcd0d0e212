SHOW
--! syntax: near '' at line 1

SHOW nonsense
--! syntax: near 'nonsense' at line 1

SHOW TABLES LIKE
--! syntax: near '' at line 1

SHOW TABLES LIKE x
--! syntax: near 'x' at line 1

SHOW TABLES WHERE
--! syntax: near '' at line 1

SHOW TABLES FROM
--! syntax: near '' at line 1

SHOW TABLES FROM a b
--! syntax: near 'b' at line 1

SHOW TABLES LIKE 'a' WHERE b = 1
--! syntax: near 'WHERE b = 1' at line 1

SHOW FULL
--! syntax: near '' at line 1

SHOW FULL DATABASES
--! syntax: near 'DATABASES' at line 1

SHOW EXTENDED PROCESSLIST
--! syntax: near 'PROCESSLIST' at line 1

SHOW COLUMNS
--! syntax: near '' at line 1

SHOW COLUMNS FROM
--! syntax: near '' at line 1

SHOW INDEX
--! syntax: near '' at line 1

SHOW INDEX FROM t LIKE 'x'
--! syntax: near 'LIKE 'x'' at line 1

SHOW CREATE
--! syntax: near '' at line 1

SHOW CREATE nonsense
--! syntax: near 'nonsense' at line 1

SHOW CREATE TABLE
--! syntax: near '' at line 1

SHOW CREATE TABLE a.b.c
--! syntax: near '.c' at line 1

SHOW GLOBAL
--! syntax: near '' at line 1

SHOW GLOBAL TABLES
--! syntax: near 'TABLES' at line 1

SHOW SESSION VGTID_EXECUTED
--! syntax: near 'VGTID_EXECUTED' at line 1

SHOW COUNT(*)
--! syntax: near '' at line 1

SHOW COUNT(x) WARNINGS
--! syntax: near 'x) WARNINGS' at line 1

SHOW WARNINGS LIMIT
--! syntax: near '' at line 1

SHOW WARNINGS LIMIT x
--! syntax: near 'x' at line 1

SHOW WARNINGS LIMIT 1,
--! syntax: near '' at line 1

SHOW GRANTS FOR
--! syntax: near '' at line 1

SHOW VSCHEMA TABLES
--! This version of vstreamd doesn't yet support 'SHOW VSCHEMA TABLES'

SHOW VITESS_MIGRATIONS
--! This version of vstreamd doesn't yet support 'SHOW VITESS_MIGRATIONS'

SHOW VITESS_REPLICATION_STATUS LIKE 'x'
--! This version of vstreamd doesn't yet support 'SHOW VITESS_REPLICATION_STATUS'

SHOW VARIABLES WHERE a = (SELECT 1)
--! a subquery cannot be used here: compare columns, literals and functions of one row

SHOW VARIABLES WHERE t.a = 1
--! Unknown table 't': write the table's own name, old or new before a column

SHOW TABLES; SHOW TABLES
--! syntax: near 'SHOW TABLES' at line 1
