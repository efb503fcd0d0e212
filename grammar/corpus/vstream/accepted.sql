VSTREAM * FROM corder
--> VSTREAM * FROM corder

vstream * from commerce.corder
--> VSTREAM * FROM commerce.corder

VSTREAM * FROM commerce.corder;
--> VSTREAM * FROM commerce.corder

  vStReAm  *  FrOm  `commerce`.`corder`  ;
--> VSTREAM * FROM commerce.corder

VSTREAM /* directives have no effect */ * FROM corder
--> VSTREAM * FROM corder

VSTREAM /*vt+ WORKLOAD_NAME=demo */ * FROM corder
--> VSTREAM * FROM corder

/* leading */ VSTREAM * FROM corder /* trailing */
--> VSTREAM * FROM corder

-- leading
VSTREAM * FROM corder -- trailing
--> VSTREAM * FROM corder

# leading
VSTREAM *
FROM corder
--> VSTREAM * FROM corder

VSTREAM `order id`, `a``b` FROM `my table`
--> VSTREAM `order id`, `a``b` FROM `my table`

VSTREAM order_id, price FROM corder
--> VSTREAM order_id, price FROM corder

VSTREAM order_id AS id, price cents FROM corder
--> VSTREAM order_id AS id, price AS cents FROM corder

VSTREAM order_id AS `the id`, price AS 'cents' FROM corder
--> VSTREAM order_id AS `the id`, price AS cents FROM corder

VSTREAM *, _pos FROM corder
--> VSTREAM *, _pos FROM corder

VSTREAM _pos, * FROM corder
--> VSTREAM _pos, * FROM corder

VSTREAM *, _pos, _shard, _ts FROM corder
--> VSTREAM *, _pos, _shard, _ts FROM corder

VSTREAM order_id, _pos AS resume, _TS FROM corder
--> VSTREAM order_id, _pos AS `resume`, _ts FROM corder

VSTREAM _shard FROM corder
--> VSTREAM _shard FROM corder

VSTREAM `_pos` FROM corder
--> VSTREAM `_pos` FROM corder

VSTREAM op, id FROM corder
--> VSTREAM `op`, id FROM corder

VSTREAM status, name, type, date, key_name, value FROM t
--> VSTREAM status, name, type, date, key_name, value FROM t

VSTREAM * FROM t LIMIT 10
--> VSTREAM * FROM t LIMIT 10

VSTREAM * FROM t LIMIT 0
--> VSTREAM * FROM t LIMIT 0

VSTREAM * FROM t LIMIT 18446744073709551615
--> VSTREAM * FROM t LIMIT 18446744073709551615

VSTREAM * FROM t WHERE pos > ''
--> VSTREAM * FROM t

VSTREAM * FROM t WHERE pos > 'current'
--> VSTREAM * FROM t WHERE pos > 'current'

VSTREAM * FROM t WHERE POS > "Current" LIMIT 3
--> VSTREAM * FROM t WHERE pos > 'current' LIMIT 3

VSTREAM * FROM t WHERE pos > 'MySQL56/3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5'
--> VSTREAM * FROM t WHERE pos > 'MySQL56/3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5'

VSTREAM * FROM t WHERE pos > 'AQID-_token'
--> VSTREAM * FROM t WHERE pos > 'AQID-_token'

VSTREAM * FROM t WHERE (pos > 'current')
--> VSTREAM * FROM t WHERE pos > 'current'

VSTREAM * FROM t WHERE ((pos > 'current')) AND id > 5
--> VSTREAM * FROM t WHERE pos > 'current' AND id > 5

VSTREAM * FROM t WHERE id > 5 AND pos > 'current' AND price < 3
--> VSTREAM * FROM t WHERE pos > 'current' AND id > 5 AND price < 3

VSTREAM * FROM t WHERE (id > 5 AND pos > 'current') AND price < 3
--> VSTREAM * FROM t WHERE pos > 'current' AND id > 5 AND price < 3

VSTREAM * FROM t WHERE pos > 'a' 'b'
--> VSTREAM * FROM t WHERE pos > 'ab'

VSTREAM * FROM t WHERE `pos` > 'x'
--> VSTREAM * FROM t WHERE `pos` > 'x'

VSTREAM * FROM t WHERE t.pos > 5
--> VSTREAM * FROM t WHERE `pos` > 5

VSTREAM * FROM t WHERE pos > '' AND `pos` = 3
--> VSTREAM * FROM t WHERE `pos` = 3

VSTREAM * FROM ks.t WHERE t.id = 1
--> VSTREAM * FROM ks.t WHERE id = 1

VSTREAM * FROM t WHERE `t`.`id` = 1
--> VSTREAM * FROM t WHERE id = 1

VSTREAM * FROM t WHERE pos > '' AND (a = 1 OR b = 2)
--> VSTREAM * FROM t WHERE a = 1 OR b = 2

VSTREAM * FROM t WHERE a = 1 OR b = 2 AND c = 3
--> VSTREAM * FROM t WHERE a = 1 OR b = 2 AND c = 3

VSTREAM * FROM t WHERE (a = 1 OR b = 2) AND c = 3
--> VSTREAM * FROM t WHERE (a = 1 OR b = 2) AND c = 3

VSTREAM * FROM t WHERE a = 1 || b = 2 && c = 3
--> VSTREAM * FROM t WHERE a = 1 OR b = 2 AND c = 3

VSTREAM * FROM t WHERE a = 1 XOR b = 2
--> VSTREAM * FROM t WHERE a = 1 XOR b = 2

VSTREAM * FROM t WHERE NOT a = 1 AND NOT (b = 2 OR c = 3)
--> VSTREAM * FROM t WHERE NOT a = 1 AND NOT (b = 2 OR c = 3)

VSTREAM * FROM t WHERE NOT NOT a
--> VSTREAM * FROM t WHERE NOT (NOT a)

VSTREAM * FROM t WHERE !a = b
--> VSTREAM * FROM t WHERE (NOT a) = b

VSTREAM * FROM t WHERE !(a = b)
--> VSTREAM * FROM t WHERE NOT a = b

VSTREAM * FROM t WHERE old.price <> new.price
--> VSTREAM * FROM t WHERE old.price <> new.price

VSTREAM * FROM t WHERE OLD.price < 5 AND New.`price` >= 5
--> VSTREAM * FROM t WHERE old.price < 5 AND new.price >= 5

VSTREAM * FROM t WHERE op = '+'
--> VSTREAM * FROM t WHERE op = '+'

VSTREAM * FROM t WHERE op IN ('+', '-') AND `op` = 3
--> VSTREAM * FROM t WHERE op IN ('+', '-') AND `op` = 3

VSTREAM * FROM t WHERE CHANGED(price)
--> VSTREAM * FROM t WHERE CHANGED(price)

VSTREAM * FROM t WHERE changed(price, `sku`) OR op <> '*'
--> VSTREAM * FROM t WHERE CHANGED(price, sku) OR op <> '*'

VSTREAM * FROM t WHERE a <=> NULL
--> VSTREAM * FROM t WHERE a <=> NULL

VSTREAM * FROM t WHERE a != 1
--> VSTREAM * FROM t WHERE a <> 1

VSTREAM * FROM t WHERE a >= -5 AND b <= +5 AND c > - 5.25
--> VSTREAM * FROM t WHERE a >= -5 AND b <= 5 AND c > -5.25

VSTREAM * FROM t WHERE a = 1e10 OR a = 1.5E-3 OR a = .5
--> VSTREAM * FROM t WHERE a = 1e10 OR a = 1.5E-3 OR a = .5

VSTREAM * FROM t WHERE a IN (1, 2, 3)
--> VSTREAM * FROM t WHERE a IN (1, 2, 3)

VSTREAM * FROM t WHERE a NOT IN ('x', NULL)
--> VSTREAM * FROM t WHERE a NOT IN ('x', NULL)

VSTREAM * FROM t WHERE a BETWEEN 1 AND 5
--> VSTREAM * FROM t WHERE a BETWEEN 1 AND 5

VSTREAM * FROM t WHERE a NOT BETWEEN 1 + 1 AND b * 2 AND c = 1
--> VSTREAM * FROM t WHERE a NOT BETWEEN 1 + 1 AND b * 2 AND c = 1

VSTREAM * FROM t WHERE a LIKE 'x%'
--> VSTREAM * FROM t WHERE a LIKE 'x%'

VSTREAM * FROM t WHERE a LIKE 'x\_y\%' AND b NOT LIKE '%|%%' ESCAPE '|'
--> VSTREAM * FROM t WHERE a LIKE 'x\_y\%' AND b NOT LIKE '%|%%' ESCAPE '|'

VSTREAM * FROM t WHERE a LIKE 'x' ESCAPE ''
--> VSTREAM * FROM t WHERE a LIKE 'x' ESCAPE ''

VSTREAM * FROM t WHERE a LIKE 'x' ESCAPE '\\'
--> VSTREAM * FROM t WHERE a LIKE 'x'

VSTREAM * FROM t WHERE a LIKE CONCAT(b, '%')
--> VSTREAM * FROM t WHERE a LIKE CONCAT(b, '%')

VSTREAM * FROM t WHERE a = b LIKE c
--> VSTREAM * FROM t WHERE a = b LIKE c

VSTREAM * FROM t WHERE (a = b) LIKE c
--> VSTREAM * FROM t WHERE (a = b) LIKE c

VSTREAM * FROM t WHERE a REGEXP '^x' OR a NOT RLIKE 'y$'
--> VSTREAM * FROM t WHERE a REGEXP '^x' OR a NOT REGEXP 'y$'

VSTREAM * FROM t WHERE a IS NULL AND b IS NOT NULL
--> VSTREAM * FROM t WHERE a IS NULL AND b IS NOT NULL

VSTREAM * FROM t WHERE a IS TRUE OR b IS NOT FALSE OR c IS UNKNOWN OR d IS NOT UNKNOWN
--> VSTREAM * FROM t WHERE a IS TRUE OR b IS NOT FALSE OR c IS UNKNOWN OR d IS NOT UNKNOWN

VSTREAM * FROM t WHERE a = b IS NULL
--> VSTREAM * FROM t WHERE (a = b) IS NULL

VSTREAM * FROM t WHERE a = (b IS NULL)
--> VSTREAM * FROM t WHERE a = (b IS NULL)

VSTREAM * FROM t WHERE a + b * c - d / e % f DIV g MOD h > 0
--> VSTREAM * FROM t WHERE a + b * c - d / e % f DIV g % h > 0

VSTREAM * FROM t WHERE (a + b) * c = a - (b - c)
--> VSTREAM * FROM t WHERE (a + b) * c = a - (b - c)

VSTREAM * FROM t WHERE a | b & c << 2 >> 1 ^ 3
--> VSTREAM * FROM t WHERE a | b & c << 2 >> 1 ^ 3

VSTREAM * FROM t WHERE -a ^ b = ~c
--> VSTREAM * FROM t WHERE -a ^ b = ~c

VSTREAM * FROM t WHERE a * b ^ c = a ^ b * c
--> VSTREAM * FROM t WHERE a * b ^ c = a ^ b * c

VSTREAM * FROM t WHERE a - -5 = - -a
--> VSTREAM * FROM t WHERE a - -5 = -(-a)

VSTREAM * FROM t WHERE MOD(a, 2) = 1 AND a MOD 2 = 1
--> VSTREAM * FROM t WHERE MOD(a, 2) = 1 AND a % 2 = 1

VSTREAM * FROM t WHERE CASE WHEN a > 1 THEN 'x' ELSE 'y' END = 'x'
--> VSTREAM * FROM t WHERE CASE WHEN a > 1 THEN 'x' ELSE 'y' END = 'x'

VSTREAM * FROM t WHERE CASE a WHEN 1 THEN TRUE WHEN 2 THEN FALSE END
--> VSTREAM * FROM t WHERE CASE a WHEN 1 THEN TRUE WHEN 2 THEN FALSE END

VSTREAM * FROM t WHERE CAST(a AS SIGNED) = 1 AND CAST(b AS UNSIGNED INTEGER) = 2
--> VSTREAM * FROM t WHERE CAST(a AS SIGNED) = 1 AND CAST(b AS UNSIGNED) = 2

VSTREAM * FROM t WHERE CAST(a AS CHAR) = 'x' AND CAST(a AS CHAR(5)) = 'y' AND CAST(a AS BINARY(4)) = 'z'
--> VSTREAM * FROM t WHERE CAST(a AS CHAR) = 'x' AND CAST(a AS CHAR(5)) = 'y' AND CAST(a AS BINARY(4)) = 'z'

VSTREAM * FROM t WHERE CAST(a AS DECIMAL(10,2)) > 1 AND CAST(a AS DECIMAL) > 1 AND CAST(a AS DECIMAL(5)) > 1
--> VSTREAM * FROM t WHERE CAST(a AS DECIMAL(10, 2)) > 1 AND CAST(a AS DECIMAL(10, 0)) > 1 AND CAST(a AS DECIMAL(5, 0)) > 1

VSTREAM * FROM t WHERE CAST(a AS DATE) > '2020-01-01' AND CAST(a AS DATETIME(6)) > b AND CAST(a AS TIME) > c
--> VSTREAM * FROM t WHERE CAST(a AS DATE) > '2020-01-01' AND CAST(a AS DATETIME(6)) > b AND CAST(a AS TIME) > c

VSTREAM * FROM t WHERE CONVERT(a, SIGNED) = 1 AND CONVERT(b USING utf8mb4) = 'x'
--> VSTREAM * FROM t WHERE CAST(a AS SIGNED) = 1 AND CONVERT(b USING utf8mb4) = 'x'

VSTREAM * FROM t WHERE BINARY a = 'x'
--> VSTREAM * FROM t WHERE CAST(a AS BINARY) = 'x'

VSTREAM * FROM t WHERE a COLLATE utf8mb4_bin = 'x'
--> VSTREAM * FROM t WHERE a COLLATE utf8mb4_bin = 'x'

VSTREAM * FROM t WHERE 'x' COLLATE utf8mb4_bin = a
--> VSTREAM * FROM t WHERE 'x' COLLATE utf8mb4_bin = a

VSTREAM * FROM t WHERE _utf8mb4'x' = a AND _binary'x' = b
--> VSTREAM * FROM t WHERE 'x' = a AND X'78' = b

VSTREAM * FROM t WHERE a = X'4D79' OR a = 0x4d OR a = 0xF OR a = b'101'
--> VSTREAM * FROM t WHERE a = X'4D79' OR a = X'4D' OR a = X'0F' OR a = X'05'

VSTREAM * FROM t WHERE a > DATE '2020-01-01' AND b > TIMESTAMP '2020-01-01 10:00:00' AND c < TIME '10:00:00'
--> VSTREAM * FROM t WHERE a > DATE '2020-01-01' AND b > TIMESTAMP '2020-01-01 10:00:00' AND c < TIME '10:00:00'

VSTREAM * FROM t WHERE SUBSTRING(a, 2, 3) = 'x' AND SUBSTR(a FROM 2) = 'y' AND LEFT(a, 1) = 'z'
--> VSTREAM * FROM t WHERE SUBSTRING(a, 2, 3) = 'x' AND SUBSTRING(a, 2) = 'y' AND LEFT(a, 1) = 'z'

VSTREAM * FROM t WHERE TRIM(a) = 'x' AND CEIL(b) = 1 AND FLOOR(b) = 1 AND POSITION('x' IN a) > 0
--> VSTREAM * FROM t WHERE TRIM(a) = 'x' AND CEILING(b) = 1 AND FLOOR(b) = 1 AND LOCATE('x', a) > 0

VSTREAM * FROM t WHERE LOWER(a) = 'x' AND coalesce(b, 0) = 0 AND IF(a, b, c) AND IFNULL(d, e)
--> VSTREAM * FROM t WHERE LOWER(a) = 'x' AND COALESCE(b, 0) = 0 AND IF(a, b, c) AND IFNULL(d, e)

VSTREAM * FROM t WHERE doc->'$.a' = 1 AND doc->>'$.b' = 'x'
--> VSTREAM * FROM t WHERE JSON_EXTRACT(doc, '$.a') = 1 AND JSON_UNQUOTE(JSON_EXTRACT(doc, '$.b')) = 'x'

VSTREAM * FROM t WHERE ts > NOW() AND ts > CURRENT_TIMESTAMP
--> VSTREAM * FROM t WHERE ts > NOW() AND ts > CURRENT_TIMESTAMP()

VSTREAM * FROM t WHERE a = 'it''s' AND b = "say ""x""" AND c = 'line\nbreak\t\\'
--> VSTREAM * FROM t WHERE a = 'it''s' AND b = 'say "x"' AND c = 'line\nbreak	\\'

VSTREAM * FROM t WHERE a = '; -- no comment /* nor this'
--> VSTREAM * FROM t WHERE a = '; -- no comment /* nor this'

VSTREAM * FROM t WHERE name = 'Zoë' AND `größe` = '✓'
--> VSTREAM * FROM t WHERE name = 'Zoë' AND `größe` = '✓'

VSTREAM * FROM größe
--> VSTREAM * FROM `größe`

VSTREAM * FROM t WHERE TRUE
--> VSTREAM * FROM t WHERE TRUE

VSTREAM * FROM t WHERE a = TRUE AND b = NULL
--> VSTREAM * FROM t WHERE a = TRUE AND b = NULL

VSTREAM * FROM t WHERE in_keyrange('-80')
--> VSTREAM * FROM t WHERE IN_KEYRANGE('-80')

VSTREAM * FROM `vstream` WHERE `select` = 1
--> VSTREAM * FROM vstream WHERE `select` = 1

/*!40101 VSTREAM * FROM t */
--> VSTREAM * FROM t

/*! VSTREAM * FROM t */
--> VSTREAM * FROM t

VSTREAM * FROM t /*!99999 LIMIT 5 */
--> VSTREAM * FROM t

VSTREAM * FROM t /*!50000 LIMIT 5 */
--> VSTREAM * FROM t LIMIT 5

VSTREAM * FROM t.u
--> VSTREAM * FROM t.u

VSTREAM * FROM t WHERE (((((((((( a ))))))))))
--> VSTREAM * FROM t WHERE a
