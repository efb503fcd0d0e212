bad

select

select * from

select from t1

delete from t1

insert into t1 values (1)

update t1 set a = 1

select * from t1, t2

select * from t1 join t2 on t1.id = t2.id

select * from a.t1

select * from t1 as x

select * from (select 1) as x

select *, id from t1

select id, * from t1

select *, * from t1

select max(val) from t1

select keyspace_id(id) from t1

select id + 1 from t1

select t1.id from t1

select id, 2 from t1

select id, 'a' from t1

select id, 1.5 from t1

select convert(val using latin1) from t1

select convert(val, char) from t1

select distinct id from t1

select id from t1 group by id

select id from t1 order by id

select id from t1 limit 5

select id from t1 union select id from t2

select * from t1 where id = (select 1)

select * from t1 where t2.id = 1

select * from t1 where id = @x

select * from t1 where id = ?

select * from t1 where

select * from t1 where id =

-80

select * from t1; select * from t2
