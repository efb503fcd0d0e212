//! What copies ask of a server, and what they know of it beforehand.

use std::time::Duration;

use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use vstreamd::event::TableName;
use vstreamd::source::Source;

use crate::harness::real::{Kind, Server, start};
use crate::harness::server_keyspace::{connect, source};

const KINDS: [Kind; 2] = [Kind::MySql, Kind::MariaDb];

/// A server of its own with table `t` of so many rows in database `ks`.
async fn world(kind: Kind, options: &[&str], rows: usize) -> (Server, Conn) {
    let server = start(kind, options);
    super::run(&server, &["CREATE DATABASE ks"]).await;
    let mut conn = connect(&server, "ks").await;
    conn.query_drop("CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(200))").await.unwrap();
    let ids: Vec<_> = (0..rows).collect();
    for ids in ids.chunks(1_000) {
        let values: Vec<_> = ids.iter().map(|id| format!("({id}, REPEAT('v', 100))")).collect();
        conn.query_drop(format!("INSERT INTO t VALUES {}", values.join(","))).await.unwrap();
    }
    (server, conn)
}

/// Also what has come since the server last counted; and for how long its log is kept.
#[tokio::test]
async fn the_size_of_tables_is_known_about() {
    for kind in KINDS {
        let (server, mut conn) = world(kind, &["--binlog-expire-logs-seconds=3600"], 1_000).await;
        let source = source(&server, "ks");
        let t = TableName::new("ks", "t");
        let names = [t.clone(), TableName::new("ks", "none")];
        let rows = async || {
            let extent = source.extent(&names).await.unwrap();
            assert_eq!(extent.changes_kept, Some(Duration::from_hours(1)), "{kind:?}");
            assert_eq!(extent.tables.len(), 1, "{kind:?}");
            let size = extent.tables[&t];
            assert!(size.bytes >= 16_384, "{kind:?} {size:?}");
            size.rows
        };
        let before = rows().await;
        assert!((500..2_000).contains(&before), "{kind:?}: {before}");
        let more = "INSERT INTO t SELECT id + 1000 * n, v FROM t, \
                    (SELECT 1 n UNION SELECT 2 UNION SELECT 3) m";
        conn.query_drop(more).await.unwrap();
        let after = rows().await;
        assert!((2_000..8_000).contains(&after), "{kind:?}: {after}");
    }
}
