//! Prepared statements: parameters and binary rows as mysql_async sees them, cursors and malformed
//! packets by hand.

use std::net::SocketAddr;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, OptsBuilder, Value};
use vstreamd::event::{CollationId, Column, ColumnType};
use vstreamd::frontend::mysql::{Accounts, DoorConfig};

use super::streams::Fixture;
use crate::harness::door::OpenDoor;
use crate::harness::raw::{Answer, Login, Raw, code, texts};

const PREPARE: u8 = 0x16;
const EXECUTE: u8 = 0x17;
const LONG_DATA: u8 = 0x18;
const CLOSE: u8 = 0x19;
const RESET: u8 = 0x1a;
const FETCH: u8 = 0x1c;

async fn connect(address: SocketAddr) -> Conn {
    let options = OptsBuilder::default()
        .ip_or_hostname("127.0.0.1")
        .tcp_port(address.port())
        .user(Some("root"))
        .db_name(Some("commerce"));
    Conn::new(options).await.unwrap()
}

/// A door to an embedded store.
async fn store() -> (OpenDoor, crate::harness::keyspace::Keyspace) {
    let keyspace = crate::harness::keyspace::Keyspace::open().await;
    let backend = std::sync::Arc::new(keyspace.store.backend());
    let door = OpenDoor::open(DoorConfig::default(), Accounts::Anybody, backend, Vec::new()).await;
    (door, keyspace)
}

const TABLE: &str = "create table t (id bigint unsigned primary key, a tinyint, \
    b smallint unsigned, c mediumint, d int, e float, f double, g decimal(20, 5), h varchar(50), \
    i varbinary(50), j date, k datetime(6), l time(3), m year, n json, o enum('x', 'y'), p bit(9))";

#[tokio::test(flavor = "multi_thread")]
async fn values_of_all_types_come_back_as_they_were_sent() {
    let (door, _keyspace) = store().await;
    let mut client = connect(door.address).await;
    client.query_drop(TABLE).await.unwrap();
    let rows: [Vec<Value>; 3] = [
        vec![
            Value::UInt(u64::MAX),
            Value::Int(-128),
            Value::Int(65535),
            Value::Int(-8_388_608),
            Value::Int(-1),
            Value::Float(0.1),
            Value::Double(-1.5e300),
            Value::Bytes(b"-123456789012345.67891".to_vec()),
            Value::Bytes("it's \\ \"gr\u{fc}n\" ?".into()),
            Value::Bytes(vec![0, 0xff, b'\'', b'\\']),
            Value::Date(2026, 11, 22, 0, 0, 0, 0),
            Value::Date(2026, 11, 22, 23, 59, 58, 123_456),
            Value::Time(true, 34, 22, 59, 59, 0),
            Value::Int(2026),
            Value::Bytes(b"{\"a\": 1}".to_vec()),
            Value::Bytes(b"y".to_vec()),
            Value::Bytes(vec![1, 0xff]),
        ],
        std::iter::once(Value::UInt(1)).chain(vec![Value::NULL; 16]).collect(),
        vec![
            Value::UInt(2),
            Value::Int(0),
            Value::Int(0),
            Value::Int(0),
            Value::Int(0),
            Value::Float(0.0),
            Value::Double(0.0),
            Value::Bytes(b"0.00000".to_vec()),
            Value::Bytes(Vec::new()),
            Value::Bytes(Vec::new()),
            Value::Date(1000, 1, 1, 0, 0, 0, 0),
            Value::Date(9999, 12, 31, 0, 0, 0, 0),
            Value::Time(false, 0, 0, 0, 0, 1000),
            Value::Int(1901),
            Value::Bytes(b"[]".to_vec()),
            Value::Bytes(b"x".to_vec()),
            Value::Bytes(vec![0, 0]),
        ],
    ];
    let marks = vec!["?"; 17].join(", ");
    for row in &rows {
        client.exec_drop(format!("insert into t values ({marks})"), row.clone()).await.unwrap();
    }
    for row in rows {
        let found: Option<mysql_async::Row> =
            client.exec_first("select * from t where id = ?", (row[0].clone(),)).await.unwrap();
        let mut found = found.unwrap().unwrap();
        // The client shows an unsigned number that fits as a signed one.
        found[1..].iter_mut().for_each(|value| *value = signed(value.clone()));
        assert_eq!(found[1..], row[1..]);
    }
    let limited: Vec<u64> =
        client.exec("select id from t order by id limit ? offset ?", (1, 1)).await.unwrap();
    assert_eq!(limited, [2]);
    // No text may stand in these places, and the values come later.
    let found: Option<(i64, Option<String>)> = client
        .exec_first("select 5 div ?, json_extract('{\"a\": 1}', ?)", (2, "$.a"))
        .await
        .unwrap();
    assert_eq!(found, Some((2, Some("1".to_owned()))));
    let made = client.exec_iter("update t set a = ? where id = ?", (5, 2)).await.unwrap();
    assert_eq!(made.affected_rows(), 1);
    drop(made);
    client.disconnect().await.unwrap();
    door.close().await;
}

fn signed(value: Value) -> Value {
    match value {
        Value::UInt(number) => i64::try_from(number).map_or(value, Value::Int),
        other => other,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prepared_stream_shows_binary_rows() {
    let mut fixture = Fixture::new().await;
    fixture.insert(0..3);
    let mut client = connect(fixture.door.address).await;
    client.query_drop("set workload = olap").await.unwrap();
    let statement = client.prep("vstream * from corder where id > ? limit ?").await.unwrap();
    assert_eq!(statement.num_params(), 2);
    let names: Vec<_> = statement.columns().iter().map(|c| c.name_str().into_owned()).collect();
    assert_eq!(names, ["op", "id", "sku"]);
    let rows: Vec<(String, i64, Option<String>)> = client.exec(&statement, (0, 2)).await.unwrap();
    assert_eq!(rows.len(), 2);
    assert!(rows.iter().all(|(op, id, _)| op == "+" && *id > 0), "{rows:?}");
    drop(client);
    fixture.door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sets_and_geometries_are_bytes_of_their_types() {
    let members = ["a".into(), "b".into(), "c".into()].into();
    let set = ColumnType::Set { members };
    let mut fixture = Fixture::with(vec![
        Column::plain("tags", set, CollationId::UTF8MB4_BIN),
        Column::plain("place", ColumnType::Geometry, CollationId::BINARY),
    ])
    .await;
    // POINT(0 0) behind its SRID.
    let point = "\0\0\0\0\u{1}\u{1}\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
    fixture.change(None, Some(&["7", "sku", "a,c", point]));
    fixture.change(None, Some(&["8", "sku", "", ""]));
    let mut client = connect(fixture.door.address).await;
    client.query_drop("set workload = olap").await.unwrap();
    let statement = client.prep("vstream * from corder where pos > '' limit 2").await.unwrap();
    let types: Vec<_> = statement.columns().iter().map(|column| column.column_type()).collect();
    use mysql_async::consts::{ColumnFlags, ColumnType as Wire};
    assert_eq!(types[3..], [Wire::MYSQL_TYPE_STRING, Wire::MYSQL_TYPE_GEOMETRY]);
    assert!(statement.columns()[3].flags().contains(ColumnFlags::SET_FLAG));
    let rows: Vec<mysql_async::Row> = client.exec(&statement, ()).await.unwrap();
    let shown: Vec<_> = rows.into_iter().map(|row| row.unwrap()[3..].to_vec()).collect();
    let bytes = |text: &str| Value::Bytes(text.into());
    assert_eq!(shown, [vec![bytes("a,c"), bytes(point)], vec![bytes(""), bytes("")]]);
    drop(client);
    fixture.door.close().await;
}

/// Prepares a statement; its id, parameters and columns.
async fn prepare(raw: &mut Raw, text: &str) -> (u32, u16, u16) {
    raw.send(PREPARE, text.as_bytes()).await;
    let first = raw.read().await.unwrap();
    assert_eq!(first[0], 0, "{}", String::from_utf8_lossy(&first));
    let id = u32::from_le_bytes(first[1..5].try_into().unwrap());
    let columns = u16::from_le_bytes([first[5], first[6]]);
    let parameters = u16::from_le_bytes([first[7], first[8]]);
    // Without EOF packets between them: the login deprecates those.
    for _ in 0..parameters + columns {
        raw.read().await.unwrap();
    }
    (id, parameters, columns)
}

fn execute(id: u32, cursor: bool) -> Vec<u8> {
    [&id.to_le_bytes()[..], &[u8::from(cursor), 1, 0, 0, 0]].concat()
}

/// Opens a cursor; how many columns it has.
async fn open_cursor(raw: &mut Raw, id: u32) -> usize {
    raw.send(EXECUTE, &execute(id, true)).await;
    let first = raw.read().await.unwrap();
    assert_ne!(first[0], 0xff, "{}", String::from_utf8_lossy(&first));
    for _ in 0..first[0] {
        raw.read().await.unwrap();
    }
    let end = raw.read().await.unwrap();
    assert_eq!((end[0], status(&end) & CURSOR_EXISTS), (0xfe, CURSOR_EXISTS));
    usize::from(first[0])
}

/// Fetches rows; how many came, and the status behind them.
async fn fetch(raw: &mut Raw, id: u32, rows: u32) -> (usize, u16) {
    raw.send(FETCH, &[id.to_le_bytes(), rows.to_le_bytes()].concat()).await;
    let mut count = 0;
    loop {
        let packet = raw.read().await.unwrap();
        match packet[0] {
            0 => count += 1,
            0xfe => return (count, status(&packet)),
            _ => panic!("{}", String::from_utf8_lossy(&packet)),
        }
    }
}

fn status(end: &[u8]) -> u16 {
    u16::from_le_bytes([end[3], end[4]])
}

const CURSOR_EXISTS: u16 = 0x40;
const LAST_ROW_SENT: u16 = 0x80;

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_is_fetched_in_portions() {
    let mut fixture = Fixture::new().await;
    fixture.insert(0..10);
    let login = Login { database: "commerce", ..Login::default() };
    let mut raw = Raw::login(fixture.door.address, &login).await;
    raw.query("set workload = olap").await;
    let (id, _, columns) = prepare(&mut raw, "vstream * from corder").await;
    assert_eq!(open_cursor(&mut raw, id).await, usize::from(columns));
    let mut seen = 0;
    while seen < 10 {
        let (rows, status) = fetch(&mut raw, id, 3).await;
        assert!((1..=3).contains(&rows), "{rows}");
        assert_eq!(status & (CURSOR_EXISTS | LAST_ROW_SENT), CURSOR_EXISTS);
        seen += rows;
    }
    // Other statements run meanwhile, and the cursor goes on with what comes.
    raw.query("set @x = 1").await;
    fixture.insert(10..11);
    assert_eq!(fetch(&mut raw, id, 100).await.0, 1);
    // A fetch that waits is killed, and so is its stream.
    let mut other = Raw::login(fixture.door.address, &login).await;
    raw.send(FETCH, &[id.to_le_bytes(), 5_u32.to_le_bytes()].concat()).await;
    let killed = raw.id;
    loop {
        other.query(&format!("kill query {killed}")).await;
        let waited = tokio::time::timeout(std::time::Duration::from_millis(100), raw.peek()).await;
        if waited.is_ok() {
            break;
        }
    }
    let packet = raw.read().await.unwrap();
    assert_eq!((packet[0], u16::from_le_bytes([packet[1], packet[2]])), (0xff, 1317));
    assert_eq!(code(&raw.command(FETCH, &[id.to_le_bytes(), [1, 0, 0, 0]].concat()).await), 1421);
    assert!(texts(&other.query("show vstreams").await).is_empty());
    // Opened again, and closed by a reset.
    open_cursor(&mut raw, id).await;
    assert!(matches!(raw.command(RESET, &id.to_le_bytes()).await, Answer::Ok { .. }));
    assert!(texts(&other.query("show vstreams").await).is_empty());
    fixture.door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_ends_a_cursor_with_its_last_row() {
    let mut fixture = Fixture::new().await;
    fixture.insert(0..10);
    let login = Login { database: "commerce", ..Login::default() };
    let mut raw = Raw::login(fixture.door.address, &login).await;
    raw.query("set workload = olap").await;
    let (id, _, _) = prepare(&mut raw, "vstream id from corder limit 4").await;
    open_cursor(&mut raw, id).await;
    let (mut seen, mut status) = (0, 0);
    while status & LAST_ROW_SENT == 0 {
        let (rows, now) = fetch(&mut raw, id, 3).await;
        (seen, status) = (seen + rows, now);
    }
    assert_eq!(seen, 4);
    assert_eq!(code(&raw.command(FETCH, &[id.to_le_bytes(), [1, 0, 0, 0]].concat()).await), 1421);
    fixture.door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_of_the_store_is_fetched_in_portions() {
    let (door, _keyspace) = store().await;
    let login = Login { database: "commerce", ..Login::default() };
    let mut raw = Raw::login(door.address, &login).await;
    raw.query("create table t (id int primary key)").await;
    raw.query("insert into t values (1), (2), (3), (4), (5)").await;
    let (id, _, columns) = prepare(&mut raw, "select * from t").await;
    assert_eq!(columns, 1);
    open_cursor(&mut raw, id).await;
    assert_eq!(fetch(&mut raw, id, 2).await, (2, 2 | CURSOR_EXISTS));
    raw.query("delete from t").await;
    assert_eq!(fetch(&mut raw, id, 2).await, (2, 2 | CURSOR_EXISTS));
    assert_eq!(fetch(&mut raw, id, 2).await, (1, 2 | LAST_ROW_SENT));
    door.close().await;
}

#[tokio::test]
async fn wrong_packets_get_mysqls_errors() {
    let door = OpenDoor::scripted().await;
    let mut raw = Raw::login(door.address, &Login::default()).await;
    let unknown = 77_u32.to_le_bytes();
    assert_eq!(code(&raw.command(EXECUTE, &execute(77, false)).await), 1243);
    assert_eq!(code(&raw.command(RESET, &unknown).await), 1243);
    assert_eq!(code(&raw.command(FETCH, &[unknown, unknown].concat()).await), 1243);
    let malformed = [(EXECUTE, &b"\x01"[..]), (FETCH, b"\x01\0\0"), (RESET, b"")];
    for (command, packet) in malformed {
        assert_eq!(code(&raw.command(command, packet).await), 1835, "{command}");
    }
    for (text, expected) in [("", 1065), ("select 1; select 2", 1064), ("selec 1", 1064)] {
        assert_eq!(code(&raw.command(PREPARE, text.as_bytes()).await), expected, "{text}");
    }
    assert_eq!(code(&raw.command(PREPARE, b"\xff").await), 1300);
    let (id, parameters, _) = prepare(&mut raw, "insert ?").await;
    assert_eq!(parameters, 1);
    assert_eq!(code(&raw.command(EXECUTE, &execute(id, false)).await), 1210);
    // Nothing is answered to these, whatever they say.
    raw.send(LONG_DATA, b"\x01").await;
    raw.send(LONG_DATA, &[unknown.as_slice(), b"\0\0x"].concat()).await;
    raw.send(CLOSE, b"\x01").await;
    raw.send(CLOSE, &unknown).await;
    assert!(matches!(raw.command(0x0e, b"").await, Answer::Ok { .. }), "the next command");
    raw.send(CLOSE, &id.to_le_bytes()).await;
    assert_eq!(code(&raw.command(EXECUTE, &execute(id, false)).await), 1243);
    door.close().await;
}

#[tokio::test]
async fn statements_and_their_data_are_bounded() {
    let config = DoorConfig { packet_bytes_max: 10_000, ..DoorConfig::default() };
    let door = OpenDoor::with(config, Accounts::Anybody).await;
    let mut raw = Raw::login(door.address, &Login::default()).await;
    let (id, _, _) = prepare(&mut raw, "insert ?").await;
    let chunk = [&id.to_le_bytes()[..], &[0, 0], &[b'x'; 6_000]].concat();
    raw.send(LONG_DATA, &chunk).await;
    raw.send(LONG_DATA, &chunk).await;
    let packet = [&execute(id, false)[..], &[0, 1, 0xfc, 0]].concat();
    assert_eq!(code(&raw.command(EXECUTE, &packet).await), 1105, "too much long data");
    assert!(matches!(raw.command(RESET, &id.to_le_bytes()).await, Answer::Ok { .. }));
    let text = format!("insert '{}'", "x".repeat(5_000));
    prepare(&mut raw, &text).await;
    assert_eq!(code(&raw.command(PREPARE, text.as_bytes()).await), 1461, "too much text");
    raw.command(0x1f, b"").await;
    prepare(&mut raw, &text).await;
    door.close().await;
}
