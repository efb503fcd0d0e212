SET
--! syntax: near '' at line 1

SET x
--! syntax: near '' at line 1

SET x =
--! syntax: near '' at line 1

SET = 1
--! syntax: near '= 1' at line 1

SET x = 1,
--! syntax: near '' at line 1

SET x = 1 y = 2
--! syntax: near 'y = 2' at line 1

SET x == 1
--! syntax: near '== 1' at line 1

SET x = DEFAULT + 1
--! syntax: near 'DEFAULT' at line 1

SET @x = DEFAULT
--! syntax: near 'DEFAULT' at line 1

SET @x
--! syntax: near '' at line 1

SET @ = 1
--! syntax: near '= 1' at line 1

SET @x = foo
--! Unknown column 'foo' in 'field list'

SET x = foo + 1
--! Unknown column 'foo' in 'field list'

SET x = t.c
--! Unknown column 'c' in 'field list'

SET NAMES
--! syntax: near '' at line 1

SET NAMES utf8mb4 COLLATE
--! syntax: near '' at line 1

SET NAMES DEFAULT COLLATE utf8mb4_bin
--! syntax: near 'COLLATE utf8mb4_bin' at line 1

SET CHARACTER SET
--! syntax: near '' at line 1

SET CHARACTER utf8
--! syntax: near 'utf8' at line 1

SET TRANSACTION
--! syntax: near '' at line 1

SET TRANSACTION READ
--! syntax: near 'READ' at line 1

SET TRANSACTION ISOLATION LEVEL
--! syntax: near '' at line 1

SET TRANSACTION ISOLATION LEVEL CHAOS
--! syntax: near 'CHAOS' at line 1

SET TRANSACTION READ ONLY, READ WRITE
--! syntax: near 'READ WRITE' at line 1

SET TRANSACTION READ ONLY ISOLATION LEVEL SERIALIZABLE
--! syntax: near 'ISOLATION LEVEL SERIALIZABLE' at line 1

SET SESSION
--! syntax: near '' at line 1

SET SESSION x
--! syntax: near '' at line 1

SET GLOBAL GLOBAL x = 1
--! syntax: near 'x = 1' at line 1

SET x = (SELECT 1)
--! a subquery cannot be used here: compare columns, literals and functions of one row

SET x = 'a
--! syntax: near ''a' at line 1

SET PASSWORD = 'x'
--! This version of vstreamd doesn't yet support 'SET PASSWORD'

SET PASSWORD FOR a = 'x'
--! This version of vstreamd doesn't yet support 'SET PASSWORD'

SET ROLE admin
--! This version of vstreamd doesn't yet support 'SET ROLE'

SET DEFAULT ROLE ALL TO a
--! This version of vstreamd doesn't yet support 'SET DEFAULT'

SET STATEMENT x = 1
--! syntax: near '' at line 1

SET STATEMENT x = 1 FOR
--! Query was empty

SET STATEMENT NAMES utf8 FOR SELECT 1
--! syntax: near 'SELECT 1' at line 1

SET STATEMENT x = 1 FOR SET STATEMENT y = 2 FOR SELECT 1
--! syntax: near 'y = 2 FOR SELECT 1' at line 1

SET x = 1; SET y = 2
--! syntax: near 'SET y = 2' at line 1

SET @@session. = 1
--! syntax: near '= 1' at line 1

SET @@x
--! syntax: near '' at line 1

SET x = ?
--! a placeholder cannot be used here: compare columns, literals and functions of one row
