USE

USE ;

USE a b

USE `a

USE `a` b

USE 'a'

USE ks@typo

USE ks@

USE ks:

USE ks/@replica

USE `ks[-80`

USE ks[-40-80]

USE ks[80-40]

USE ks[x-80]

USE ks[xyz]

USE ks[]

USE ks[abc]

USE a; SELECT 1
