EXPLAIN VSTREAM * FROM corder
--> EXPLAIN VSTREAM * FROM corder

DESCRIBE VSTREAM * FROM corder WHERE pos > 'current' LIMIT 5
--> EXPLAIN VSTREAM * FROM corder WHERE pos > 'current' LIMIT 5

desc vstream id from ks.t where a = 1;
--> EXPLAIN VSTREAM id FROM ks.t WHERE a = 1

EXPLAIN /* why */ VSTREAM /* what */ * FROM t
--> EXPLAIN VSTREAM * FROM t

EXPLAIN SELECT 1
--> [Explain] EXPLAIN SELECT 1

EXPLAIN FORMAT=JSON SELECT * FROM t
--> [Explain] EXPLAIN FORMAT=JSON SELECT * FROM t

DESCRIBE corder
--> SHOW COLUMNS FROM corder

desc `commerce`.`corder`
--> SHOW COLUMNS FROM commerce.corder

EXPLAIN corder
--> SHOW COLUMNS FROM corder

DESCRIBE corder price
--> SHOW COLUMNS FROM corder LIKE 'price'

DESCRIBE corder 'p%'
--> SHOW COLUMNS FROM corder LIKE 'p%'

DESC `vstream`
--> SHOW COLUMNS FROM vstream

EXPLAIN (SELECT 1)
--> [Explain] EXPLAIN (SELECT 1)
