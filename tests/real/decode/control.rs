//! What frames the rows: GTIDs, statements, two-phase transactions, rotations.

use mysql_async::prelude::Queryable;
use vstreamd::event::Gtid;
use vstreamd::source::mysql::decode::{Decoded, XaStep};

use super::{decode, log, run, session, tables};
use crate::harness::real::{self, Kind, Server, mysql};

/// What a server says of the statements, one word for each event; rows of table `t` are decoded.
async fn said(server: &Server, statements: &[&str]) -> Vec<String> {
    let mut conn = session(server).await;
    run(&mut conn, "CREATE DATABASE control CHARACTER SET utf8mb4").await;
    run(&mut conn, "USE control").await;
    run(&mut conn, "CREATE TABLE t (id int PRIMARY KEY, v varchar(9))").await;
    let before = log(server).len();
    for statement in statements {
        run(&mut conn, statement).await;
    }
    let known = tables(server, "control").await;
    let decoded = decode(server.kind, &log(server), &known);
    decoded.into_iter().skip(before).filter_map(|said| word(&said)).collect()
}

fn word(said: &Decoded) -> Option<String> {
    Some(match said {
        Decoded::Skip | Decoded::Format | Decoded::TableMap { .. } => return None,
        Decoded::Gtid { gtid, standalone, xa } => {
            let tag = match gtid {
                Gtid::Mysql { tag: Some(tag), .. } => format!(" {}", tag.as_str()),
                Gtid::Mysql { tag: None, .. } => String::new(),
                Gtid::MariaDb { domain, .. } => format!(" domain {domain}"),
            };
            let xa = match xa {
                None => String::new(),
                Some(XaStep::Prepared(xid)) => format!(" prepares {xid}"),
                Some(XaStep::Completed(xid)) => format!(" completes {xid}"),
            };
            format!("GTID{tag}{}{xa}", if *standalone { " alone" } else { "" })
        }
        Decoded::Anonymous => "ANONYMOUS".to_owned(),
        Decoded::Query(query) => {
            assert_eq!(query.unreadable, None);
            format!("[{}] {}", query.database, query.statement)
        }
        Decoded::Xid => "XID".to_owned(),
        Decoded::XaPrepare { one_phase, xid } => format!("PREPARE {xid} {one_phase}"),
        Decoded::Rows(rows) => format!("ROWS {}", rows.len()),
        Decoded::RowsAppended => "APPENDED".to_owned(),
        Decoded::RowsSkipped => "SKIPPED".to_owned(),
        Decoded::RowsUnreadable(_) => "UNREADABLE".to_owned(),
        Decoded::RowsQuery(text) => format!("BY {text}"),
        Decoded::Rotate { artificial, .. } => format!("ROTATE {artificial}"),
        Decoded::GtidList(list) => format!("LIST {}", list.gtids.is_empty()),
        Decoded::Heartbeat { .. } => "HEARTBEAT".to_owned(),
        Decoded::Stop => "STOP".to_owned(),
        Decoded::Incident { .. } => "INCIDENT".to_owned(),
    })
}

#[tokio::test]
async fn mysqls_log() {
    let server = real::start(Kind::MySql, &[]);
    let said = said(
        &server,
        &[
            "INSERT INTO t VALUES (1, 'a')",
            "SET binlog_rows_query_log_events = ON",
            "SET gtid_next = 'AUTOMATIC:some_tag'",
            "UPDATE t SET v = 'ü'",
            "SET gtid_next = 'AUTOMATIC'",
            "XA START 'glo','b'",
            "INSERT INTO t VALUES (2, NULL), (3, '')",
            "XA END 'glo','b'",
            "XA PREPARE 'glo','b'",
            "XA COMMIT 'glo','b'",
            "SET NAMES latin1",
            "ALTER TABLE t COMMENT 'x'",
            "FLUSH LOGS",
            "TRUNCATE TABLE t",
            "SET binlog_transaction_compression = ON",
            "INSERT INTO t VALUES (4, NULL)",
            // A row without a value for any column still is one.
            "SET binlog_transaction_compression = OFF, binlog_rows_query_log_events = OFF",
            "CREATE TABLE u (a int)",
            "SET binlog_row_image = MINIMAL",
            "INSERT INTO u VALUES ()",
        ],
    )
    .await;
    assert_eq!(
        said,
        [
            "GTID",
            "[control] BEGIN",
            "ROWS 1",
            "XID",
            "GTID some_tag",
            "[control] BEGIN",
            "BY UPDATE t SET v = 'ü'",
            "ROWS 1",
            "XID",
            "GTID",
            "[control] XA START X'676c6f',X'62',1",
            "BY INSERT INTO t VALUES (2, NULL), (3, '')",
            "ROWS 2",
            "[control] XA END X'676c6f',X'62',1",
            "PREPARE X'676c6f',X'62',1 false",
            "GTID",
            "[control] XA COMMIT X'676c6f',X'62',1",
            "GTID",
            "[control] ALTER TABLE t COMMENT 'x'",
            "ROTATE false",
            "GTID",
            "[control] TRUNCATE TABLE t",
            "GTID",
            "[control] BEGIN",
            "BY INSERT INTO t VALUES (4, NULL)",
            "ROWS 1",
            "XID",
            "GTID",
            "[control] CREATE TABLE u (a int)",
            "GTID",
            "[control] BEGIN",
            "ROWS 1",
            "XID",
        ]
    );
}

#[tokio::test]
async fn mariadbs_log() {
    let server = real::start(Kind::MariaDb, &[]);
    let said = said(
        &server,
        &[
            "INSERT INTO t VALUES (1, 'a')",
            "SET gtid_domain_id = 7",
            "UPDATE t SET v = 'ü'",
            "XA START 'glo','b'",
            "INSERT INTO t VALUES (2, NULL), (3, '')",
            "XA END 'glo','b'",
            "XA PREPARE 'glo','b'",
            "XA COMMIT 'glo','b'",
            "SET NAMES latin1",
            "ALTER TABLE t COMMENT 'x'",
            "FLUSH LOGS",
            "TRUNCATE TABLE t",
            "CREATE TABLE u (a int)",
            "SET binlog_row_image = MINIMAL",
            "INSERT INTO u VALUES ()",
        ],
    )
    .await;
    assert_eq!(
        said,
        [
            "GTID domain 0",
            "BY INSERT INTO t VALUES (1, 'a')",
            "ROWS 1",
            "XID",
            "GTID domain 7",
            "BY UPDATE t SET v = 'ü'",
            "ROWS 1",
            "XID",
            "GTID domain 7 prepares X'676c6f',X'62',1",
            "BY INSERT INTO t VALUES (2, NULL), (3, '')",
            "ROWS 2",
            "[control] XA END X'676c6f',X'62',1",
            "PREPARE X'676c6f',X'62',1 false",
            "GTID domain 7 alone completes X'676c6f',X'62',1",
            "[control] XA COMMIT X'676c6f',X'62',1",
            "GTID domain 7 alone",
            "[control] ALTER TABLE t COMMENT 'x'",
            "ROTATE false",
            "LIST false",
            "GTID domain 7 alone",
            "[control] TRUNCATE TABLE t",
            "GTID domain 7 alone",
            "[control] CREATE TABLE u (a int)",
            "GTID domain 7",
            "BY INSERT INTO u VALUES ()",
            "ROWS 1",
            "XID",
        ]
    );
}

/// Statements in a character set that is not UTF-8.
#[tokio::test]
async fn texts_of_clients_in_other_charsets() {
    let mut conn = session(mysql()).await;
    run(&mut conn, "SET NAMES latin1").await;
    conn.query_drop(&b"CREATE DATABASE d_\xfc"[..]).await.unwrap();
    let decoded = decode(Kind::MySql, &log(mysql()), &std::collections::HashMap::new());
    let found = decoded.iter().any(
        |said| matches!(said, Decoded::Query(query) if query.statement == "CREATE DATABASE d_ü"),
    );
    assert!(found);
}
