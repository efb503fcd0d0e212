SET WORKLOAD=OLAP
--> SET @@workload = 'OLAP'

SET workload = 'olap'
--> SET @@workload = 'olap'

set Workload := "OLAP";
--> SET @@workload = 'OLAP'

SET SESSION workload=OLAP,SESSION sql_mode='ANSI'
--> SET @@session.workload = 'OLAP', @@session.sql_mode = 'ANSI'

SET autocommit=1
--> SET @@autocommit = 1

set autocommit=0
--> SET @@autocommit = 0

SET AUTOCOMMIT = 0
--> SET @@autocommit = 0

SET @@session.autocommit = ON
--> SET @@session.autocommit = 'ON'

SET @@autocommit = OFF
--> SET @@autocommit = 'OFF'

SET @@local.autocommit = 1
--> SET @@session.autocommit = 1

SET @@global.max_connections = 5
--> SET @@global.max_connections = 5

SET GLOBAL max_connections = 5, SESSION autocommit = 1, wait_timeout = 5
--> SET @@global.max_connections = 5, @@session.autocommit = 1, @@session.wait_timeout = 5

SET GLOBAL a = 1, b = 2, @@c = 3, LOCAL d = 4, e = 5
--> SET @@global.a = 1, @@global.b = 2, @@c = 3, @@session.d = 4, @@session.e = 5

SET PERSIST x = 1, PERSIST_ONLY y = 2
--> SET @@persist.x = 1, @@persist_only.y = 2

SET @@PERSIST.x = 1, @@persist_only.y = 2
--> SET @@persist.x = 1, @@persist_only.y = 2

SET NAMES utf8mb4
--> SET NAMES 'utf8mb4'

SET NAMES 'utf8mb4' COLLATE 'utf8mb4_general_ci'
--> SET NAMES 'utf8mb4' COLLATE 'utf8mb4_general_ci'

SET NAMES utf8mb4 COLLATE utf8mb4_0900_ai_ci
--> SET NAMES 'utf8mb4' COLLATE 'utf8mb4_0900_ai_ci'

SET NAMES "latin1"
--> SET NAMES 'latin1'

SET NAMES DEFAULT
--> SET NAMES DEFAULT

SET NAMES binary
--> SET NAMES 'binary'

SET CHARACTER SET utf8mb4
--> SET CHARACTER SET 'utf8mb4'

SET CHARACTER SET 'utf8'
--> SET CHARACTER SET 'utf8'

SET CHARSET latin1
--> SET CHARACTER SET 'latin1'

SET CHARACTER SET DEFAULT
--> SET CHARACTER SET DEFAULT

set autocommit=1, sql_mode = concat(@@sql_mode,',STRICT_TRANS_TABLES')
--> SET @@autocommit = 1, @@sql_mode = CONCAT(@@sql_mode, ',STRICT_TRANS_TABLES')

set autocommit=1, sql_mode = concat(@@sql_mode,',STRICT_TRANS_TABLES'),workload=OLAP
--> SET @@autocommit = 1, @@sql_mode = CONCAT(@@sql_mode, ',STRICT_TRANS_TABLES'), @@workload = 'OLAP'

set sql_mode=CONCAT(@@sql_mode,',STRICT_TRANS_TABLES'),session_track_system_variables=CONCAT('autocommit,character_set_client,character_set_connection,character_set_results,time_zone,transaction_isolation',IF(LOCATE('*',@@session_track_system_variables)>0 OR FIND_IN_SET('x',@@session_track_system_variables)>0,'','x')),session_track_schema=1,NAMES utf8mb4
--> SET @@sql_mode = CONCAT(@@sql_mode, ',STRICT_TRANS_TABLES'), @@session_track_system_variables = CONCAT('autocommit,character_set_client,character_set_connection,character_set_results,time_zone,transaction_isolation', IF(LOCATE('*', @@session_track_system_variables) > 0 OR FIND_IN_SET('x', @@session_track_system_variables) > 0, '', 'x')), @@session_track_schema = 1, NAMES 'utf8mb4'

SET character_set_results = NULL
--> SET @@character_set_results = NULL

SET character_set_results=NULL
--> SET @@character_set_results = NULL

SET SESSION character_set_results = 'binary'
--> SET @@session.character_set_results = 'binary'

SET character_set_results = binary
--> SET @@character_set_results = 'binary'

SET sql_select_limit=DEFAULT
--> SET @@sql_select_limit = DEFAULT

set @@SQL_SELECT_LIMIT=DEFAULT
--> SET @@sql_select_limit = DEFAULT

SET SQL_SELECT_LIMIT=200
--> SET @@sql_select_limit = 200

SET net_write_timeout=600
--> SET @@net_write_timeout = 600

SET SESSION SQL_AUTO_IS_NULL=0
--> SET @@session.sql_auto_is_null = 0

SET SQL_QUOTE_SHOW_CREATE=1
--> SET @@sql_quote_show_create = 1

SET time_zone = '+00:00'
--> SET @@time_zone = '+00:00'

SET @@session.time_zone = '+00:00';
--> SET @@session.time_zone = '+00:00'

SET TIME_ZONE=SYSTEM
--> SET @@time_zone = 'SYSTEM'

SET session_track_schema= ON
--> SET @@session_track_schema = 'ON'

set optimizer_switch='semijoin=off'
--> SET @@optimizer_switch = 'semijoin=off'

set optimizer_switch=default
--> SET @@optimizer_switch = DEFAULT

SET @@session.sql_mode = 'STRICT_TRANS_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_AUTO_CREATE_USER,NO_ENGINE_SUBSTITUTION'
--> SET @@session.sql_mode = 'STRICT_TRANS_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_AUTO_CREATE_USER,NO_ENGINE_SUBSTITUTION'

/*!40100 SET @@SQL_MODE='' */
--> SET @@sql_mode = ''

/*!40103 SET TIME_ZONE='+00:00' */
--> SET @@time_zone = '+00:00'

/*M!100100 SET @@MAX_STATEMENT_TIME=0.000000 */
--> SET @@max_statement_time = 0.000000

/*M!100100 SET WAIT_TIMEOUT=DEFAULT */
--> SET @@wait_timeout = DEFAULT

/*!40101 SET @OLD_CHARACTER_SET_CLIENT=@@CHARACTER_SET_CLIENT */;
--> SET @old_character_set_client = @@character_set_client

/*!40101 SET @OLD_SQL_MODE=@@SQL_MODE, SQL_MODE='NO_AUTO_VALUE_ON_ZERO' */;
--> SET @old_sql_mode = @@sql_mode, @@sql_mode = 'NO_AUTO_VALUE_ON_ZERO'

/*!40101 SET CHARACTER_SET_CLIENT=@OLD_CHARACTER_SET_CLIENT */;
--> SET @@character_set_client = @old_character_set_client

SET TRANSACTION ISOLATION LEVEL REPEATABLE READ
--> SET TRANSACTION ISOLATION LEVEL REPEATABLE READ

SET SESSION TRANSACTION ISOLATION LEVEL READ UNCOMMITTED
--> SET SESSION TRANSACTION ISOLATION LEVEL READ UNCOMMITTED

SET SESSION TRANSACTION READ ONLY
--> SET SESSION TRANSACTION READ ONLY

set session transaction read write
--> SET SESSION TRANSACTION READ WRITE

SET GLOBAL TRANSACTION ISOLATION LEVEL SERIALIZABLE, READ ONLY
--> SET GLOBAL TRANSACTION ISOLATION LEVEL SERIALIZABLE, READ ONLY

SET LOCAL TRANSACTION READ WRITE, ISOLATION LEVEL READ COMMITTED
--> SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED, READ WRITE

SET @x := 1
--> SET @x = 1

SET @x = 'a', @y = @x, @`the z` = 3 + 4, @'q' = NULL
--> SET @x = 'a', @y = @x, @`the z` = 3 + 4, @q = NULL

SET x = -1
--> SET @@x = -1

SET x = 1.5
--> SET @@x = 1.5

SET x = TRUE
--> SET @@x = TRUE

SET x = @@global.y
--> SET @@x = @@global.y

SET x = @y
--> SET @@x = @y

SET x = `utf8mb4`
--> SET @@x = 'utf8mb4'

SET x = utf8mb4_bin
--> SET @@x = 'utf8mb4_bin'

SET x = ON, y = OFF
--> SET @@x = 'ON', @@y = 'OFF'

SET x = (1 + 2) * 3
--> SET @@x = (1 + 2) * 3

SET x = IF(@@y > 1, 'a', 'b')
--> SET @@x = IF(@@y > 1, 'a', 'b')

SET @@vitess_metadata.k = 'v'
--> SET @@`vitess_metadata.k` = 'v'

SET vstream_result_sets = 'chain'
--> SET @@vstream_result_sets = 'chain'

SET names = 1
--> SET @@`names` = 1

SET charset = 'utf8'
--> SET @@`charset` = 'utf8'

SET transaction = 1
--> SET @@`transaction` = 1

SET `session` = 1
--> SET @@`session` = 1

SET STATEMENT max_statement_time=1 FOR SELECT SLEEP(3)
--> SET STATEMENT @@max_statement_time = 1 FOR SELECT SLEEP(3)

SET STATEMENT SQL_SELECT_LIMIT=10 FOR SELECT order_id FROM corder
--> SET STATEMENT @@sql_select_limit = 10 FOR SELECT order_id FROM corder

SET STATEMENT SQL_SELECT_LIMIT=10, workload=OLAP FOR VSTREAM * FROM corder
--> SET STATEMENT @@sql_select_limit = 10, @@workload = 'OLAP' FOR VSTREAM * FROM corder

SET STATEMENT a = 1 FOR SET b = 2
--> SET STATEMENT @@a = 1 FOR SET @@b = 2

SET @X.y = @x.Y
--> SET @`x.y` = @`x.y`
