KILL
--! syntax: near '' at line 1

KILL QUERY
--! syntax: near '' at line 1

KILL x
--! syntax: near 'x' at line 1

KILL -5
--! syntax: near '-5' at line 1

KILL 1.5
--! syntax: near '1.5' at line 1

KILL '5'
--! syntax: near ''5'' at line 1

KILL 5 6
--! syntax: near '6' at line 1

KILL QUERY CONNECTION 5
--! syntax: near 'CONNECTION 5' at line 1

KILL 18446744073709551616
--! syntax: near '18446744073709551616' at line 1

KILL CONNECTION_ID()
--! syntax: near 'CONNECTION_ID()' at line 1
