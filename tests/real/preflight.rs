//! Faults of servers and users, each seen by preflight.

use std::sync::Arc;

use vstreamd::source::mysql::{Budget, MysqlSource, Server, ServerUrl};
use vstreamd::source::{Finding, Source, SourceError};

use super::run;
use crate::harness::real::{self, Kind, mariadb, mysql, start};

fn source(real: &real::Server, login: &str, database: &str) -> MysqlSource {
    let url = format!("mysql://{login}@{}/{database}", real.address());
    let budget = Arc::new(Budget::new(9));
    MysqlSource::new(Server::new("zone1-100", ServerUrl::parse(&url).unwrap(), budget), "commerce")
}

async fn findings(real: &real::Server, login: &str, database: &str) -> Vec<Finding> {
    let found = source(real, login, database).preflight().await;
    found.unwrap_or_else(|error| panic!("{:?}: {error:?}", real.kind))
}

/// Whether a finding says this, and that it makes streaming impossible.
fn has(findings: &[Finding], what: &str, fatal: bool) -> bool {
    findings.iter().any(|finding| finding.what.contains(what) && finding.fatal == fatal)
}

/// Runs what mends the findings, as far as it begins with this word.
async fn mend(real: &real::Server, word: &str, findings: &[Finding]) {
    let mends = findings.iter().map(|finding| &finding.mend).filter(|mend| mend.starts_with(word));
    run(real, &mends.flat_map(|mend| mend.split("; ")).collect::<Vec<_>>()).await;
}

const GOOD: [&str; 1] = ["--binlog-row-metadata=FULL"];

#[tokio::test]
async fn a_good_server_has_nothing_in_the_way() {
    for (kind, more) in [(Kind::MySql, None), (Kind::MariaDb, Some("--gtid-strict-mode=ON"))] {
        let options: Vec<&str> = GOOD.into_iter().chain(more).collect();
        let real = start(kind, &options);
        assert_eq!(findings(&real, "root", "mysql").await, [], "{kind:?}");
    }
}

#[tokio::test]
async fn settings_that_hurt_are_found_and_mended() {
    let options = [
        "--gtid-mode=OFF_PERMISSIVE",
        "--binlog-format=MIXED",
        "--binlog-row-image=MINIMAL",
        "--binlog-row-value-options=PARTIAL_JSON",
        "--binlog-checksum=NONE",
        "--binlog-expire-logs-seconds=60",
        "--server-id=0",
        "--log-replica-updates=OFF",
    ];
    let real = start(Kind::MySql, &options);
    let found = findings(&real, "root", "mysql").await;
    for (what, fatal) in [
        ("gtid_mode is OFF_PERMISSIVE", true),
        ("binlog_format is MIXED", true),
        ("server_id is 0", true),
        ("binlog_row_image is MINIMAL", false),
        ("documents", false),
        ("binlog_row_metadata is MINIMAL", false),
        ("binlog_checksum is NONE", false),
        ("kept for 60 s", false),
        ("log_replica_updates is OFF", false),
    ] {
        assert!(has(&found, what, fatal), "{what}: {found:#?}");
    }
    let position = source(&real, "root", "mysql").position().await;
    assert!(matches!(position, Err(SourceError::Unfit { .. })), "{position:?}");
    // Each mend is a list of statements that the server takes, and it helps.
    mend(&real, "SET", &found).await;
    let left = findings(&real, "root", "mysql").await;
    let left: Vec<_> = left.iter().map(|finding| finding.what.as_str()).collect();
    assert_eq!(
        left,
        ["log_replica_updates is OFF: what this server replicates is not in its own log"]
    );
    source(&real, "root", "mysql").position().await.unwrap();
}

#[tokio::test]
async fn mariadbs_defaults_are_found() {
    let real = start(Kind::MariaDb, &["--binlog-format=MIXED", "--expire-logs-days=0.5"]);
    let found = findings(&real, "root", "mysql").await;
    assert!(has(&found, "binlog_format is MIXED", true), "{found:#?}");
    assert!(has(&found, "gtid_strict_mode is OFF", false), "{found:#?}");
    assert!(has(&found, "kept for 43200 s", false), "{found:#?}");
    let position = source(&real, "root", "mysql").position().await;
    assert!(matches!(position, Err(SourceError::Unfit { .. })), "{position:?}");
}

#[tokio::test]
async fn a_server_without_a_binary_log_is_refused() {
    for kind in [Kind::MySql, Kind::MariaDb] {
        let real = start(kind, &["--skip-log-bin"]);
        let found = findings(&real, "root", "mysql").await;
        assert!(found.first().is_some_and(|first| first.fatal), "{found:#?}");
        assert!(has(&found, "the binary log is off", true), "{found:#?}");
    }
}

#[tokio::test]
async fn missing_privileges_are_found_and_granted() {
    for real in [mysql(), mariadb()] {
        run(
            real,
            &[
                "DROP DATABASE IF EXISTS lim_ited",
                "CREATE DATABASE lim_ited",
                "CREATE TABLE lim_ited.t (id int PRIMARY KEY)",
                "DROP USER IF EXISTS 'lim''ited'@'127.0.0.1'",
                "CREATE USER 'lim''ited'@'127.0.0.1' IDENTIFIED BY 'geheim'",
                "GRANT SELECT ON lim_ited.t TO 'lim''ited'@'127.0.0.1'",
            ],
        )
        .await;
        let login = "lim%27ited:geheim";
        let found = findings(real, login, "lim_ited").await;
        assert!(has(&found, "may not read the binary log", true), "{found:#?}");
        assert!(has(&found, "may read some tables only", false), "{found:#?}");
        let locks = real.kind == Kind::MySql;
        assert_eq!(has(&found, "may not lock tables", false), locks, "{found:#?}");
        mend(real, "GRANT", &found).await;
        let found = findings(real, login, "lim_ited").await;
        assert!(found.iter().all(|finding| !finding.mend.starts_with("GRANT")), "{found:#?}");
    }
}

#[tokio::test]
async fn privileges_of_roles_count() {
    run(
        mysql(),
        &[
            "DROP ROLE IF EXISTS streaming",
            "CREATE ROLE streaming",
            "GRANT REPLICATION SLAVE, SELECT, LOCK TABLES ON *.* TO streaming",
            "DROP USER IF EXISTS roled@'127.0.0.1'",
            "CREATE USER roled@'127.0.0.1' DEFAULT ROLE streaming",
        ],
    )
    .await;
    let found = findings(mysql(), "roled", "mysql").await;
    assert!(found.iter().all(|finding| !finding.mend.starts_with("GRANT")), "{found:#?}");
}

#[tokio::test]
async fn old_temporal_columns_are_found_by_table() {
    run(
        mariadb(),
        &["CREATE OR REPLACE DATABASE aged", "SET GLOBAL mysql56_temporal_format = OFF"],
    )
    .await;
    run(
        mariadb(),
        &[
            "CREATE TABLE aged.old (id int PRIMARY KEY, a datetime(3), b time(2))",
            "SET GLOBAL mysql56_temporal_format = ON",
            "CREATE TABLE aged.young (id int PRIMARY KEY, a datetime(3))",
        ],
    )
    .await;
    let found = findings(mariadb(), "root", "aged").await;
    let finding = found.iter().find(|finding| finding.what.starts_with("old of aged"));
    let mend = &finding.unwrap_or_else(|| panic!("{found:#?}")).mend;
    run(mariadb(), &mend.split("; ").collect::<Vec<_>>()).await;
    let found = findings(mariadb(), "root", "aged").await;
    assert!(!found.iter().any(|finding| finding.what.contains("of aged")), "{found:#?}");
}
