//! The door over the embedded store: statements, transactions, SHOW, and the stream of both.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::Instant;
use vstreamd::engine::{ShardSources, Tablet};
use vstreamd::event::ShardName;
use vstreamd::frontend::mysql::{Accounts, DoorConfig};
use vstreamd::plan::TabletType;
use vstreamd::source::sqlite::{Store, StoreConfig};

use super::{PING, is_ok};
use crate::harness::door::OpenDoor;
use crate::harness::raw::{Answer, Login, Raw, code, texts};

async fn open(directory: &tempfile::TempDir) -> OpenDoor {
    let store = Store::open(directory.path(), StoreConfig::default()).await.unwrap();
    let tablet = Tablet {
        name: "zone1-1".into(),
        tablet_type: TabletType::Primary,
        source: Arc::new(store.source()),
    };
    let shard = ShardName::new("commerce", "0");
    let shards = vec![ShardSources { shard, tablets: vec![tablet] }];
    let backend = Arc::new(store.backend());
    OpenDoor::open(DoorConfig::default(), Accounts::Anybody, backend, shards).await
}

async fn client(door: &OpenDoor) -> Raw {
    Raw::login(door.address, &Login { database: "commerce", ..Login::default() }).await
}

#[tokio::test(flavor = "multi_thread")]
async fn statements_run_and_their_changes_stream() {
    let directory = tempfile::tempdir().unwrap();
    let door = open(&directory).await;
    let mut writer = client(&door).await;
    let mut reader = client(&door).await;
    assert!(is_ok(&reader.query("set workload = olap").await));
    reader.open("vstream * from corder").await;
    let insert = writer.query("insert into corder values (1, 1, NULL, 10)").await;
    assert!(matches!(insert, Answer::Ok { affected: 1, .. }), "{insert:?}");
    for text in ["begin", "update corder set price = 7", "insert into corder values (2, 2, 'a', 1)"]
    {
        assert!(is_ok(&writer.query(text).await), "{text}");
    }
    assert!(is_ok(&writer.query("rollback").await));
    assert!(is_ok(&writer.query("set autocommit = 0").await));
    let update = writer.query("update corder set price = 7").await;
    assert!(matches!(update, Answer::Ok { affected: 1, status: 1, .. }), "{update:?}");
    let on = writer.query("set autocommit = 1").await;
    assert!(matches!(on, Answer::Ok { status: 2, .. }), "switching it on commits: {on:?}");
    assert!(is_ok(&writer.query("delete from corder").await));
    for expected in ["+ 1 1 NULL 10", "* 1 1 NULL 7", "- 1 1 NULL 7"] {
        let row = reader.row().await.expect("a row");
        let shown = texts(&Answer::Rows { columns: Vec::new(), rows: vec![row], status: 0 });
        assert_eq!(shown, [expected]);
    }
    door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_are_shown_as_they_are() {
    let directory = tempfile::tempdir().unwrap();
    let door = open(&directory).await;
    let mut raw = client(&door).await;
    assert_eq!(texts(&raw.query("show tables").await), ["corder", "customer", "product"]);
    assert_eq!(texts(&raw.query("show full tables like 'p%'").await), ["product BASE TABLE"]);
    assert_eq!(
        texts(&raw.query("desc product").await),
        [
            "sku varbinary(128) NO PRI NULL ",
            "description varbinary(128) YES  NULL ",
            "price bigint YES  NULL ",
        ]
    );
    let columns = raw.query("show columns from corder where field = 'price'").await;
    assert_eq!(texts(&columns), ["price bigint YES  NULL "]);
    assert_eq!(texts(&raw.query("show index from corder").await).len(), 1);
    let create = texts(&raw.query("show create table corder").await);
    assert!(create[0].starts_with("corder CREATE TABLE `corder` ("), "{create:?}");
    assert_eq!(code(&raw.query("show columns from nowhere").await), 1146);
    assert_eq!(code(&raw.query("show tables from nowhere").await), 1049);
    assert_eq!(code(&raw.query("insert into product values ('SKU-1001', '', 1)").await), 1062);
    let ignored = raw.query("insert ignore into product values ('SKU-1001', '', 1)").await;
    assert!(matches!(ignored, Answer::Ok { affected: 0, .. }), "{ignored:?}");
    let warnings = texts(&raw.query("show warnings").await);
    assert!(warnings[0].starts_with("Warning 1062 Duplicate entry"), "{warnings:?}");
    assert_eq!(texts(&raw.query("show count(*) warnings").await), ["1"]);
    assert_eq!(texts(&raw.query("show count(*) errors").await), ["0"]);
    assert_eq!(texts(&raw.query("select @@version_comment limit 1").await), ["vstreamd"]);
    assert!(is_ok(&raw.query("set @a = 5, sql_mode = concat(@@sql_mode, ',ANSI')").await));
    assert_eq!(texts(&raw.query("select @a + 1, database()").await), ["6 commerce"]);
    raw.send(0x04, b"corder\0").await;
    let definition = raw.read().await.unwrap();
    assert!(definition.starts_with(b"\x03def\x08commerce\x06corder"), "{definition:?}");
    door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_limit_of_the_statement_itself_counts() {
    let directory = tempfile::tempdir().unwrap();
    let door = open(&directory).await;
    let mut raw = client(&door).await;
    assert!(is_ok(&raw.query("set sql_select_limit = 1").await));
    for (text, expected) in [
        ("select sku from product", 1),
        ("select sku from product limit 2", 2),
        ("select sku from product limit\n2", 2),
        ("select sku from product where sku like 'SKU%'limit 2", 2),
        ("select sku, 'no limit' from product", 1),
        ("select sku /* no limit */ from product", 1),
        ("select sku from (select sku from product limit 2) a", 1),
    ] {
        assert_eq!(texts(&raw.query(text).await).len(), expected, "{text}");
    }
    door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fields_are_listed_by_a_pattern() {
    let directory = tempfile::tempdir().unwrap();
    let door = open(&directory).await;
    let mut raw = client(&door).await;
    for (argument, expected) in [(&b"corder"[..], 4), (b"corder\0%D", 2), (b"corder\0nothing", 0)] {
        raw.send(4, argument).await;
        let mut listed = 0;
        while raw.read().await.expect("a definition or the end")[0] != 0xfe {
            listed += 1;
        }
        assert_eq!(listed, expected, "{argument:?}");
    }
    door.close().await;
}

/// Sends a command over and over until `done`; how long the slowest answer took.
async fn slowest_ping(raw: &mut Raw, done: &AtomicBool) -> Duration {
    let mut slowest = Duration::ZERO;
    while !done.load(Ordering::Relaxed) {
        let asked = Instant::now();
        assert!(is_ok(&raw.command(PING, b"").await));
        slowest = slowest.max(asked.elapsed());
    }
    slowest
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_long_statement_holds_up_nobody() {
    let directory = tempfile::tempdir().unwrap();
    let door = open(&directory).await;
    let mut other = client(&door).await;
    let mut long = client(&door).await;
    let values = vec![format!("('{}')", "x".repeat(60)); (10 << 20) / 66].join(", ");
    for (command, text, expected) in [
        (0x03, format!("insert into nowhere values {values}"), 1146),
        (0x16, format!("insert into nowhere values {values}"), 1146),
        (0x03, format!("show tables like {values}"), 1064),
    ] {
        long.send(command, text.as_bytes()).await;
        let (sent, done) = (Instant::now(), AtomicBool::new(false));
        let answer = async {
            let answer = long.answer().await;
            done.store(true, Ordering::Relaxed);
            (answer, sent.elapsed())
        };
        let ((answer, taken), slowest) = tokio::join!(answer, slowest_ping(&mut other, &done));
        assert_eq!(code(&answer), expected);
        println!("{command}: {taken:?}, while a ping took {slowest:?}");
        // Held up, a ping would take as long as all of it.
        let bound = (taken / 2).max(Duration::from_millis(50));
        assert!(slowest < bound, "a ping took {slowest:?} of {taken:?}");
    }
    door.close().await;
}
