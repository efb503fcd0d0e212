//! What several test modules need: real servers to compare with, and how long to run.

pub mod door;
pub mod keyspace;
pub mod mirror;
pub mod panics;
pub mod raw;
pub mod real;
pub mod scripted;
pub mod server_keyspace;
pub mod single;
pub mod stream;
pub mod terminal;
pub mod through_door;
pub mod trace;
pub mod vstreamd;

/// How many rounds a test runs: the first under `scripts/test fast` and a plain `cargo test`, the
/// second in continuous integration, the third at night.
pub fn rounds(fast: usize, all: usize, nightly: usize) -> usize {
    match std::env::var("VSTREAMD_TEST_ROUNDS").as_deref() {
        Err(_) | Ok("fast") => fast,
        Ok("all") => all,
        Ok("nightly") => nightly,
        Ok(other) => panic!("VSTREAMD_TEST_ROUNDS is fast, all or nightly, not {other:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::real::{Kind, client, mariadb, mysql, start};
    use mysql_async::prelude::Queryable;

    #[test]
    fn rounds_come_from_the_mode() {
        assert!((1..=3).contains(&super::rounds(1, 2, 3)));
    }

    #[tokio::test]
    async fn each_server_answers_and_says_what_it_is() {
        for server in [mariadb(), mysql()] {
            let version = match server.kind {
                Kind::MariaDb => "MariaDB",
                Kind::MySql => "9.7.",
            };
            let url = server.url("mysql");
            let mut connection = mysql_async::Conn::from_url(&url).await.unwrap();
            let found: String = connection.query_first("SELECT VERSION()").await.unwrap().unwrap();
            assert!(found.contains(version), "{found}");
            let row: (String, u8) =
                connection.query_first("SELECT @@binlog_format, @@log_bin").await.unwrap().unwrap();
            assert_eq!(row, ("ROW".to_owned(), 1));
            connection.disconnect().await.unwrap();
        }
    }

    #[test]
    fn each_stock_client_runs() {
        for kind in [Kind::MariaDb, Kind::MySql] {
            let said = std::process::Command::new(client(kind)).arg("--version").output().unwrap();
            assert!(said.status.success(), "{said:?}");
        }
    }

    #[test]
    fn a_dropped_server_is_gone_with_its_data() {
        let server = start(Kind::MariaDb, &["--binlog-row-metadata=FULL"]);
        let (pid, dir) = (server.pid, server.dir.clone());
        assert!(std::path::PathBuf::from(format!("/proc/{pid}")).exists() && dir.exists());
        drop(server);
        assert!(!std::path::PathBuf::from(format!("/proc/{pid}")).exists() && !dir.exists());
    }
}
