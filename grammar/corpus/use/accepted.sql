USE commerce

use `commerce`;

USE `commerce`

USE commerce@replica

USE `commerce@replica`

USE `commerce:-80`

USE commerce:-80@rdonly

USE commerce/-80

USE `commerce/80-@REPLICA`

USE commerce:0

USE `ks[-80]@replica`

USE ks[40-80]

USE ks[80-]

USE `ks[-]`

USE ks[DEADBEEF]

USE @replica

USE `@primary`

USE @master

USE ks@batch

USE `ks:-80@replica|zone1-0000000100`

USE `my db`

USE `a``b`

USE /* here */ commerce -- there

use information_schema

/*!40000 USE commerce */

USE 2ks
