EXPLAIN VSTREAM * FROM corder

DESCRIBE VSTREAM * FROM corder WHERE pos > 'current' LIMIT 5

desc vstream id from ks.t where a = 1;

EXPLAIN /* why */ VSTREAM /* what */ * FROM t

EXPLAIN SELECT 1

EXPLAIN FORMAT=JSON SELECT * FROM t

DESCRIBE corder

desc `commerce`.`corder`

EXPLAIN corder

DESCRIBE corder price

DESCRIBE corder 'p%'

DESC `vstream`
