VSTREAM
--! syntax: near '' at line 1

VSTREAM *
--! syntax: near '' at line 1

VSTREAM FROM t
--! syntax: near 'FROM t' at line 1

VSTREAM * t
--! syntax: near 't' at line 1

VSTREAM * FROM
--! syntax: near '' at line 1

VSTREAM * FROM WHERE
--! syntax: near 'WHERE' at line 1

VSTREAM * FROM t u
--! syntax: near 'u' at line 1

VSTREAM * FROM a.b.c
--! syntax: near '.c' at line 1

VSTREAM * FROM t, u
--! VSTREAM has no JOIN: it takes a select list, one table, WHERE and LIMIT

VSTREAM * FROM t JOIN u
--! VSTREAM has no JOIN: it takes a select list, one table, WHERE and LIMIT

VSTREAM * FROM t LEFT JOIN u ON t.a = u.a
--! VSTREAM has no JOIN: it takes a select list, one table, WHERE and LIMIT

VSTREAM * FROM t ORDER BY id
--! VSTREAM has no ORDER BY: it takes a select list, one table, WHERE and LIMIT

VSTREAM * FROM t GROUP BY id
--! VSTREAM has no GROUP BY: it takes a select list, one table, WHERE and LIMIT

VSTREAM * FROM t WHERE a = 1 ORDER BY id LIMIT 5
--! VSTREAM has no ORDER BY: it takes a select list, one table, WHERE and LIMIT

VSTREAM * FROM t LIMIT
--! LIMIT of a VSTREAM is a number of rows without an offset: LIMIT 10

VSTREAM * FROM t LIMIT x
--! LIMIT of a VSTREAM is a number of rows without an offset: LIMIT 10

VSTREAM * FROM t LIMIT -1
--! LIMIT of a VSTREAM is a number of rows without an offset: LIMIT 10

VSTREAM * FROM t LIMIT 1.5
--! LIMIT of a VSTREAM is a number of rows without an offset: LIMIT 10

VSTREAM * FROM t LIMIT '5'
--! LIMIT of a VSTREAM is a number of rows without an offset: LIMIT 10

VSTREAM * FROM t LIMIT 5, 10
--! LIMIT of a VSTREAM is a number of rows without an offset: LIMIT 10

VSTREAM * FROM t LIMIT 5 OFFSET 10
--! LIMIT of a VSTREAM is a number of rows without an offset: LIMIT 10

VSTREAM * FROM t LIMIT 18446744073709551616
--! LIMIT of a VSTREAM is a number of rows without an offset: LIMIT 10

VSTREAM * FROM t LIMIT 5 WHERE a = 1
--! syntax: near 'WHERE a = 1' at line 1

VSTREAM *, id FROM t
--! * stands for all columns: name columns or write *, not both (_pos, _shard, _ts may follow)

VSTREAM id, * FROM t
--! * stands for all columns: name columns or write *, not both (_pos, _shard, _ts may follow)

VSTREAM *, * FROM t
--! * stands for all columns: name columns or write *, not both (_pos, _shard, _ts may follow)

VSTREAM id, FROM t
--! syntax: near 'FROM t' at line 1

VSTREAM count(*) FROM t
--! VSTREAM shows *, columns of the table, _pos, _shard and _ts; found count(*)

VSTREAM id + 1 FROM t
--! VSTREAM shows *, columns of the table, _pos, _shard and _ts; found id + 1

VSTREAM id AS x + 1 FROM t
--! VSTREAM shows *, columns of the table, _pos, _shard and _ts; found id AS x + 1

VSTREAM t.id FROM t
--! VSTREAM shows *, columns of the table, _pos, _shard and _ts; found t.id

VSTREAM 1 FROM t
--! syntax: near '1 FROM t' at line 1

VSTREAM 'x' FROM t
--! syntax: near ''x' FROM t' at line 1

VSTREAM DISTINCT id FROM t
--! syntax: near 'DISTINCT id FROM t' at line 1

VSTREAM (id) FROM t
--! syntax: near '(id) FROM t' at line 1

VSTREAM id AS FROM t
--! syntax: near 'FROM t' at line 1

VSTREAM * AS x FROM t
--! syntax: near 'AS x FROM t' at line 1

VSTREAM * FROM (SELECT 1)
--! syntax: near '(SELECT 1)' at line 1

VSTREAM * FROM 't'
--! syntax: near ''t'' at line 1

VSTREAM * FROM `t
--! syntax: near '`t' at line 1

VSTREAM * FROM t WHERE
--! syntax: near '' at line 1

VSTREAM * FROM t WHERE pos >= ''
--! where clause can only start a stream by one term pos > '<position>' joined by AND: pos > '' copies first, pos > 'current' begins now; found pos >= ''; a column of that name is written `pos` in back quotes

VSTREAM * FROM t WHERE pos = 'current'
--! where clause can only start a stream by one term pos > '<position>' joined by AND: pos > '' copies first, pos > 'current' begins now; found pos = 'current'; a column of that name is written `pos` in back quotes

VSTREAM * FROM t WHERE pos < 'x'
--! where clause can only start a stream by one term pos > '<position>' joined by AND: pos > '' copies first, pos > 'current' begins now; found pos < 'x'; a column of that name is written `pos` in back quotes

VSTREAM * FROM t WHERE pos > 5
--! where clause can only start a stream by one term pos > '<position>' joined by AND: pos > '' copies first, pos > 'current' begins now; found pos > 5; a column of that name is written `pos` in back quotes

VSTREAM * FROM t WHERE pos > f()
--! where clause can only start a stream by one term pos > '<position>' joined by AND: pos > '' copies first, pos > 'current' begins now; found pos > F(); a column of that name is written `pos` in back quotes

VSTREAM * FROM t WHERE pos > NULL
--! where clause can only start a stream by one term pos > '<position>' joined by AND: pos > '' copies first, pos > 'current' begins now; found pos > NULL; a column of that name is written `pos` in back quotes

VSTREAM * FROM t WHERE pos > other
--! where clause can only start a stream by one term pos > '<position>' joined by AND: pos > '' copies first, pos > 'current' begins now; found pos > `other`; a column of that name is written `pos` in back quotes

VSTREAM * FROM t WHERE 'x' < pos
--! where clause can only start a stream by one term pos > '<position>' joined by AND: pos > '' copies first, pos > 'current' begins now; found 'x' < pos; a column of that name is written `pos` in back quotes

VSTREAM * FROM t WHERE pos > 'a' OR id = 1
--! where clause can only start a stream by one term pos > '<position>' joined by AND: pos > '' copies first, pos > 'current' begins now; found pos > 'a' OR id = 1; a column of that name is written `pos` in back quotes

VSTREAM * FROM t WHERE NOT pos > 'a'
--! where clause can only start a stream by one term pos > '<position>' joined by AND: pos > '' copies first, pos > 'current' begins now; found NOT pos > 'a'; a column of that name is written `pos` in back quotes

VSTREAM * FROM t WHERE pos IS NULL
--! where clause can only start a stream by one term pos > '<position>' joined by AND: pos > '' copies first, pos > 'current' begins now; found pos IS NULL; a column of that name is written `pos` in back quotes

VSTREAM * FROM t WHERE id = 1 AND (pos > 'a' OR id = 2)
--! where clause can only start a stream by one term pos > '<position>' joined by AND: pos > '' copies first, pos > 'current' begins now; found pos > 'a' OR id = 2; a column of that name is written `pos` in back quotes

VSTREAM * FROM t WHERE pos > CONCAT('a', 'b')
--! where clause can only start a stream by one term pos > '<position>' joined by AND: pos > '' copies first, pos > 'current' begins now; found pos > CONCAT('a', 'b'); a column of that name is written `pos` in back quotes

VSTREAM * FROM t WHERE pos > 'a' AND pos > 'b'
--! a stream has one start: write pos > '<position>' only once

VSTREAM * FROM t WHERE pos > 'a' = 1
--! where clause can only start a stream by one term pos > '<position>' joined by AND: pos > '' copies first, pos > 'current' begins now; found (pos > 'a') = 1; a column of that name is written `pos` in back quotes

VSTREAM * FROM t WHERE pos > X'41'
--! where clause can only start a stream by one term pos > '<position>' joined by AND: pos > '' copies first, pos > 'current' begins now; found pos > X'41'; a column of that name is written `pos` in back quotes

VSTREAM * FROM t WHERE u.id = 1
--! Unknown table 'u': write the table's own name, old or new before a column

VSTREAM * FROM ks.t WHERE ks.t.id = 1
--! a column of another keyspace cannot be used here: compare columns, literals and functions of one row

VSTREAM * FROM t WHERE a = @x
--! a variable in a predicate cannot be used here: compare columns, literals and functions of one row

VSTREAM * FROM t WHERE a = @@sql_mode
--! a variable in a predicate cannot be used here: compare columns, literals and functions of one row

VSTREAM * FROM t WHERE a = ?
--! a placeholder cannot be used here: compare columns, literals and functions of one row

VSTREAM * FROM t WHERE a = (SELECT 1)
--! a subquery cannot be used here: compare columns, literals and functions of one row

VSTREAM * FROM t WHERE a IN (SELECT 1)
--! a subquery cannot be used here: compare columns, literals and functions of one row

VSTREAM * FROM t WHERE EXISTS (SELECT 1)
--! a subquery cannot be used here: compare columns, literals and functions of one row

VSTREAM * FROM t WHERE a IN ()
--! syntax: near ')' at line 1

VSTREAM * FROM t WHERE (a, b) = (1, 2)
--! a row of values cannot be used here: compare columns, literals and functions of one row

VSTREAM * FROM t WHERE COUNT(*) > 1
--! an aggregate cannot be used here: compare columns, literals and functions of one row

VSTREAM * FROM t WHERE COUNT(DISTINCT a) > 1
--! an aggregate cannot be used here: compare columns, literals and functions of one row

VSTREAM * FROM t WHERE SUM(a) OVER () > 1
--! a window function cannot be used here: compare columns, literals and functions of one row

VSTREAM * FROM t WHERE a > NOW() - INTERVAL 1 DAY
--! INTERVAL cannot be used here: compare columns, literals and functions of one row

VSTREAM * FROM t WHERE a LIKE 'x' ESCAPE 'ab'
--! an ESCAPE of more than one character cannot be used here: compare columns, literals and functions of one row

VSTREAM * FROM t WHERE a LIKE 'x' LIKE 'y'
--! a chain of IN, BETWEEN, LIKE or REGEXP without parentheses cannot be used here: compare columns, literals and functions of one row

VSTREAM * FROM t WHERE a BETWEEN 1 AND 2 BETWEEN 3 AND 4
--! a chain of IN, BETWEEN, LIKE or REGEXP without parentheses cannot be used here: compare columns, literals and functions of one row

VSTREAM * FROM t WHERE a =
--! syntax: near '' at line 1

VSTREAM * FROM t WHERE a = = b
--! syntax: near '= b' at line 1

VSTREAM * FROM t WHERE a = 1 AND
--! syntax: near '' at line 1

VSTREAM * FROM t WHERE (a = 1
--! syntax: near '' at line 1

VSTREAM * FROM t WHERE a = 1)
--! syntax: near ')' at line 1

VSTREAM * FROM t WHERE a == 1
--! syntax: near '== 1' at line 1

VSTREAM * FROM t WHERE a := 1
--! syntax: near ':= 1' at line 1

VSTREAM * FROM t WHERE a = 'x
--! syntax: near ''x' at line 1

VSTREAM * FROM t WHERE a ILIKE 'x'
--! syntax: near 'ILIKE 'x'' at line 1

VSTREAM * FROM t WHERE a::int = 1
--! syntax: near '::int = 1' at line 1

VSTREAM * FROM t WHERE a[1] = 1
--! this expression cannot be used here: compare columns, literals and functions of one row

VSTREAM * FROM t WHERE CHANGED()
--! CHANGED takes names of columns: CHANGED(price, sku)

VSTREAM * FROM t WHERE CHANGED(1)
--! CHANGED takes names of columns: CHANGED(price, sku)

VSTREAM * FROM t WHERE CHANGED(old.a)
--! CHANGED takes names of columns: CHANGED(price, sku)

VSTREAM * FROM t WHERE CAST(a AS foo) = 1
--! a cast to this type cannot be used here: compare columns, literals and functions of one row

VSTREAM * FROM t WHERE _latin1'x' = a
--! a text in another character set than utf8mb4 cannot be used here: compare columns, literals and functions of one row

VSTREAM * FROM t WHERE a = 1 b = 2
--! syntax: near 'b = 2' at line 1

VSTREAM * FROM t; SELECT 1
--! syntax: near 'SELECT 1' at line 1

VSTREAM * FROM t
WHERE a = 1
  AND b = = 2
--! syntax: near '= 2' at line 3

STREAM * FROM messages
--! This version of vstreamd doesn't yet support 'STREAM'

VSTREAM * FROM t UNION SELECT 1
--! VSTREAM has no UNION: it takes a select list, one table, WHERE and LIMIT

VSTREAM * FROM t /* never closed
--! syntax: near '' at line 1

VSTREAM * FROM t WHERE from = 1
--! syntax: near 'from = 1' at line 1

VSTREAM * FROM t WHERE a = DEFAULT
--! syntax: near 'DEFAULT' at line 1

VSTREAM * FROM t WHERE a IN (1, 2
--! syntax: near '' at line 1
