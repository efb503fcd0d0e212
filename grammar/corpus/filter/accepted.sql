select * from t1
--> select * from t1

SELECT * FROM `t1`;
--> select * from t1

select id, val from t1
--> select id, val from t1

select id as a, val b from t1
--> select id as a, val as b from t1

select id, keyspace_id() from t1
--> select id, keyspace_id() from t1

select keyspace_id() as ksid from t1
--> select keyspace_id() as ksid from t1

select 1 from t1
--> select 1 from t1

select id, 1 as one from t1
--> select id, 1 as `one` from t1

select convert(val using utf8mb4) as v from t1
--> select convert(val using utf8mb4) as v from t1

select * from t1 where id = 1
--> select * from t1 where id = 1

select * from t1 where id >= 1 and val < 'x' and val != 'y'
--> select * from t1 where id >= 1 AND val < 'x' AND val <> 'y'

select * from t1 where id in (1, 2, 3)
--> select * from t1 where id IN (1, 2, 3)

select * from t1 where id between 1 and 5
--> select * from t1 where id BETWEEN 1 AND 5

select * from t1 where id not between 1 and 5
--> select * from t1 where id NOT BETWEEN 1 AND 5

select * from t1 where val is null
--> select * from t1 where val IS NULL

select * from t1 where val is not null
--> select * from t1 where val IS NOT NULL

select * from t1 where in_keyrange('-80')
--> select * from t1 where IN_KEYRANGE('-80')

select * from t1 where in_keyrange(id, 'hash', '-80')
--> select * from t1 where IN_KEYRANGE(id, 'hash', '-80')

select id from t1 where in_keyrange(id, 'ks.hash', '-80') and id > 5
--> select id from t1 where IN_KEYRANGE(id, 'ks.hash', '-80') AND id > 5

select * from t1 where in_keyrange(id, hash, '-80')
--> select * from t1 where IN_KEYRANGE(id, hash, '-80')

select * from t1 where id = 1 or val = 'x'
--> select * from t1 where id = 1 OR val = 'x'

select * from t1 where val like 'a%'
--> select * from t1 where val LIKE 'a%'

select * from t1 where id + 1 > 5
--> select * from t1 where id + 1 > 5

select * from t1 where lower(val) = 'x'
--> select * from t1 where LOWER(val) = 'x'

select * from t1 where old.val <> new.val
--> select * from t1 where old.val <> new.val

select * from t1 where changed(val)
--> select * from t1 where CHANGED(val)

select * from t1 where op = 1 and pos > 2
--> select * from t1 where `op` = 1 AND `pos` > 2

select `_pos`, _shard from t1
--> select `_pos`, `_shard` from t1

/* comment */ select * from t1 -- comment
--> select * from t1

select * from t1 where val = 'påul'
--> select * from t1 where val = 'påul'
