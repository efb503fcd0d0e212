bad
--! syntax: near 'bad' at line 1

select
--! syntax: near '' at line 1

select * from
--! syntax: near '' at line 1

select from t1
--! syntax: near 'from t1' at line 1

delete from t1
--! unsupported: delete from t1

insert into t1 values (1)
--! unsupported: insert into t1 values (1)

update t1 set a = 1
--! unsupported: update t1 set a = 1

select * from t1, t2
--! unsupported: select * from t1, t2

select * from t1 join t2 on t1.id = t2.id
--! unsupported: select * from t1 join t2 on t1.id = t2.id

select * from a.t1
--! unsupported: select * from a.t1

select * from t1 as x
--! unsupported: select * from t1 as x

select * from (select 1) as x
--! unsupported: select * from (select 1) as x

select *, id from t1
--! unsupported: *, id

select id, * from t1
--! unsupported: id, *

select *, * from t1
--! unsupported: *, *

select max(val) from t1
--! unsupported function: max(val)

select keyspace_id(id) from t1
--! unsupported function: keyspace_id(id)

select id + 1 from t1
--! unsupported: id + 1

select t1.id from t1
--! unsupported qualifier for column: t1.id

select id, 2 from t1
--! only the integer literal 1 is supported

select id, 'a' from t1
--! only integer literals are supported

select id, 1.5 from t1
--! only integer literals are supported

select convert(val using latin1) from t1
--! unsupported: convert(val using latin1)

select convert(val, char) from t1
--! unsupported: convert(val, char)

select distinct id from t1
--! unsupported: select distinct id from t1

select id from t1 group by id
--! unsupported: select id from t1 group by id

select id from t1 order by id
--! unsupported: select id from t1 order by id

select id from t1 limit 5
--! unsupported: select id from t1 limit 5

select id from t1 union select id from t2
--! unsupported: select id from t1 union select id from t2

select * from t1 where id = (select 1)
--! a subquery cannot be used here: compare columns, literals and functions of one row

select * from t1 where t2.id = 1
--! Unknown table 't2': write the table's own name, old or new before a column

select * from t1 where id = @x
--! a variable in a predicate cannot be used here: compare columns, literals and functions of one row

select * from t1 where id = ?
--! a placeholder cannot be used here: compare columns, literals and functions of one row

select * from t1 where
--! syntax: near '' at line 1

select * from t1 where id =
--! syntax: near '' at line 1

-80
--! syntax: near '-80' at line 1

select * from t1; select * from t2
--! syntax: near 'select * from t2' at line 1
