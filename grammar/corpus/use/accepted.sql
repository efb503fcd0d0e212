USE commerce
--> USE commerce

use `commerce`;
--> USE commerce

USE `commerce`
--> USE commerce

USE commerce@replica
--> USE `commerce@replica`

USE `commerce@replica`
--> USE `commerce@replica`

USE `commerce:-80`
--> USE `commerce:-80`

USE commerce:-80@rdonly
--> USE `commerce:-80@rdonly`

USE commerce/-80
--> USE `commerce:-80`

USE `commerce/80-@REPLICA`
--> USE `commerce:80-@replica`

USE commerce:0
--> USE `commerce:0`

USE `ks[-80]@replica`
--> USE `ks[-80]@replica`

USE ks[40-80]
--> USE `ks[40-80]`

USE ks[80-]
--> USE `ks[80-]`

USE `ks[-]`
--> USE `ks[-]`

USE ks[DEADBEEF]
--> USE `ks[deadbeef]`

USE @replica
--> USE `@replica`

USE `@primary`
--> USE `@primary`

USE @master
--> USE `@primary`

USE ks@batch
--> USE `ks@rdonly`

USE `ks:-80@replica|zone1-0000000100`
--> USE `ks:-80@replica|zone1-0000000100`

USE `my db`
--> USE `my db`

USE `a``b`
--> USE `a``b`

USE /* here */ commerce -- there
--> USE commerce

use information_schema
--> USE information_schema

/*!40000 USE commerce */
--> USE commerce

USE 2ks
--> USE `2ks`
