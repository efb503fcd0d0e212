USE
--! syntax: near '' at line 1

USE ;
--! syntax: near '' at line 1

USE a b
--! syntax: near 'a b' at line 1

USE `a
--! syntax: near '`a' at line 1

USE `a` b
--! syntax: near '`a` b' at line 1

USE 'a'
--! syntax: near ''a'' at line 1

USE ks@typo
--! unknown tablet type 'typo': write primary, replica or rdonly

USE ks@
--! unknown tablet type '': write primary, replica or rdonly

USE ks:
--! no shard behind 'ks:': write ks:-80 or leave the end away

USE ks/@replica
--! no shard behind 'ks/': write ks/-80 or leave the end away

USE `ks[-80`
--! invalid key range provided. Couldn't find range end ']'

USE ks[-40-80]
--! single keyrange expected in -40-80

USE ks[80-40]
--! single keyrange expected in 80-40

USE ks[x-80]
--! single keyrange expected in x-80

USE ks[xyz]
--! expected valid hex in keyspace id xyz

USE ks[]
--! expected valid hex in keyspace id 

USE ks[abc]
--! expected valid hex in keyspace id abc

USE a; SELECT 1
--! syntax: near 'a; SELECT 1' at line 1
