//! Clients that ask for other character sets than the columns have.

use std::sync::Arc;

use mysql_async::Value;
use mysql_async::prelude::Queryable;
use vstreamd::event::row::{push_cell, push_null};
use vstreamd::event::{CollationId, Column, ColumnType};
use vstreamd::source::memory::{MemoryChange, MemoryWork};

use super::is_ok;
use super::streams::Fixture;
use crate::harness::raw::{Answer, Login, Raw, code};

/// Columns of several character sets, and one row: é and 中 in each of them that has them.
async fn fixture() -> Fixture {
    let text = |name, collation| {
        Column::plain(name, ColumnType::VarChar { length: 10 }, CollationId(collation))
    };
    let note = ColumnType::Text { length_bytes: 1 };
    let mut fixture = Fixture::with(vec![
        text("western", LATIN1),
        text("chinese", GBK),
        Column::plain("note", note, CollationId(UTF16)),
        text("absent", GBK),
        text("bytes", BINARY),
        Column::plain("doc", ColumnType::Json, CollationId::BINARY),
    ])
    .await;
    let cells: [&[u8]; 5] =
        [b"7", "é中".as_bytes(), b"\xe9", b"\xa8\xa6\xd6\xd0", b"\0\xe9\x4e\x2d"];
    let mut row = Vec::new();
    cells.iter().for_each(|cell| push_cell(&mut row, cell));
    push_null(&mut row);
    push_cell(&mut row, b"\xe9");
    push_cell(&mut row, "{\"é\": \"中\"}".as_bytes());
    let schema = Arc::clone(&fixture.schema);
    let change = MemoryChange { schema, before: None, after: Some(row) };
    fixture.commit(MemoryWork::Rows(vec![change]));
    fixture
}

/// What definitions say of a column: its collation and length.
type Declared = Vec<(u16, u32)>;

/// The definitions and the only row of a stream.
async fn stream(raw: &mut Raw) -> (Declared, Vec<Option<Vec<u8>>>) {
    raw.send(3, b"vstream * from corder where pos > '' limit 1").await;
    let first = raw.read().await.unwrap();
    assert_eq!(first[0], 9, "{}", String::from_utf8_lossy(&first));
    let mut declared = Vec::new();
    for _ in 0..first[0] {
        let packet = raw.read().await.unwrap();
        // Behind the names: 12, the collation, the length, type, flags, decimals, two zeros.
        let fixed = &packet[packet.len() - 12..];
        let collation = u16::from_le_bytes(fixed[..2].try_into().unwrap());
        declared.push((collation, u32::from_le_bytes(fixed[2..6].try_into().unwrap())));
    }
    let row = raw.row().await.unwrap();
    assert!(raw.row().await.is_err(), "the end");
    (declared, row)
}

fn cells(row: &[Option<Vec<u8>>]) -> Vec<&[u8]> {
    row.iter().map(|cell| cell.as_deref().unwrap_or(b"NULL")).collect()
}

#[tokio::test]
async fn cells_come_in_character_set_results() {
    let fixture = fixture().await;
    let mut raw = fixture.client().await;
    let check =
        async |raw: &mut Raw, set: &str, declared: [(u16, u32); 4], expected: [&[u8]; 9]| {
            assert!(is_ok(&raw.query(set).await), "{set}");
            let (found, row) = stream(raw).await;
            assert_eq!(found[2..6], declared, "{set}");
            assert_eq!((found[1], found[7]), ((63, 11), (63, 10)), "numbers and bytes after {set}");
            assert_eq!(cells(&row), expected, "{set}");
        };
    let json = "{\"é\": \"中\"}".as_bytes();
    let (both, wide) = ("é中".as_bytes(), b"\0\xe9\x4e\x2d");
    let expected: [&[u8]; 9] =
        [b"+", b"7", both, "é".as_bytes(), both, both, b"NULL", b"\xe9", json];
    let declared = [(45, 256), (45, 40), (45, 40), (45, 508)];
    check(&mut raw, "SET NAMES utf8mb4 COLLATE utf8mb4_general_ci", declared, expected).await;
    let expected: [&[u8]; 9] =
        [b"+", b"7", b"\xe9?", b"\xe9", b"\xe9?", b"\xe9?", b"NULL", b"\xe9", b"{\"\xe9\": \"?\"}"];
    check(&mut raw, "SET NAMES latin1", [(8, 64), (8, 10), (8, 10), (8, 127)], expected).await;
    let gbk = b"\xa8\xa6\xd6\xd0";
    let json_gbk = b"{\"\xa8\xa6\": \"\xd6\xd0\"}";
    let expected: [&[u8]; 9] = [b"+", b"7", gbk, b"\xa8\xa6", gbk, gbk, b"NULL", b"\xe9", json_gbk];
    let declared = [(28, 128), (28, 20), (28, 20), (28, 254)];
    check(&mut raw, "SET character_set_results = gbk", declared, expected).await;
    let json_wide = b"\0{\0\"\0\xe9\0\"\0:\0 \0\"\x4e\x2d\0\"\0}";
    let expected: [&[u8]; 9] =
        [b"\0+", b"7", wide, b"\0\xe9", wide, wide, b"NULL", b"\xe9", json_wide];
    let declared = [(54, 256), (54, 40), (54, 40), (54, 508)];
    check(&mut raw, "SET character_set_results = utf16", declared, expected).await;
    let expected: [&[u8]; 9] = [b"+", b"7", both, b"\xe9", gbk, wide, b"NULL", b"\xe9", json];
    let declared = [(255, 256), (8, 10), (28, 20), (54, 255)];
    check(&mut raw, "SET character_set_results = NULL", declared, expected).await;
    let declared = [(63, 64), (63, 10), (63, 10), (63, 127)];
    check(&mut raw, "SET NAMES binary", declared, expected).await;
    fixture.door.close().await;
}

#[tokio::test]
async fn binary_rows_are_converted_too() {
    let fixture = fixture().await;
    let url = format!("mysql://root@{}/commerce?prefer_socket=false", fixture.door.address);
    let mut client = mysql_async::Conn::from_url(&url).await.unwrap();
    client.query_drop("SET workload = olap, character_set_results = gbk").await.unwrap();
    let statement = "vstream * from corder where pos > '' limit 1";
    let row: mysql_async::Row = client.exec_first(statement, ()).await.unwrap().unwrap();
    let text = |bytes: &[u8]| Value::Bytes(bytes.to_vec());
    let gbk = text(b"\xa8\xa6\xd6\xd0");
    let json = text(b"{\"\xa8\xa6\": \"\xd6\xd0\"}");
    let expected = [
        text(b"+"),
        Value::Int(7),
        gbk.clone(),
        text(b"\xa8\xa6"),
        gbk.clone(),
        gbk,
        Value::NULL,
        text(b"\xe9"),
        json,
    ];
    assert_eq!(row.unwrap(), expected);
    drop(client);
    fixture.door.close().await;
}

#[tokio::test]
async fn names_and_messages_are_converted() {
    let fixture = fixture().await;
    let mut raw = fixture.client().await;
    assert!(is_ok(&raw.query("SET NAMES latin1").await));
    let mut failure = async |bytes: &[u8]| {
        raw.send(3, bytes).await;
        raw.read().await.unwrap()[9..].to_vec()
    };
    let found = failure(b"vstream \xe9 from corder where pos > ''").await;
    assert!(found.windows(3).any(|part| part == b"'\xe9'"), "{}", found.escape_ascii());
    let mut wide = fixture.client().await;
    assert!(is_ok(&wide.query("SET character_set_results = utf16").await));
    wide.send(3, "vstream é from corder where pos > ''".as_bytes()).await;
    let found = wide.read().await.unwrap()[9..].to_vec();
    assert!(found.windows(4).any(|part| part == b"\0\xe9\0'"), "{}", found.escape_ascii());
    fixture.door.close().await;
}

#[tokio::test]
async fn statements_come_in_character_set_client() {
    let fixture = fixture().await;
    let mut raw = fixture.client().await;
    let mut run = async |text: &[u8]| {
        raw.send(3, text).await;
        raw.answer().await
    };
    assert!(is_ok(&run(b"SET NAMES gbk").await));
    assert!(is_ok(&run(b"SET character_set_results = utf8mb4").await));
    let text =
        b"vstream sku as `\xd6\xd0` from corder where pos > '' and chinese is not null limit 1";
    let answer = run(text).await;
    let Answer::Rows { columns, rows, .. } = answer else { panic!("{answer:?}") };
    assert_eq!((&*columns[1], rows.len()), ("中", 1));
    let Answer::Err { code: 1300, text, .. } = run(b"select '\x80'").await else { panic!() };
    assert_eq!(text, "Invalid gbk character string in the statement");
    assert_eq!(code(&run(b"select _binary'\xd6\xd0'").await), 1235);
    for set in ["NAMES ucs2", "character_set_client = utf16", "CHARACTER SET utf32"] {
        assert_eq!(code(&run(format!("SET {set}").as_bytes()).await), 1231, "{set}");
    }
    // utf16: the login is refused as well, and an unknown one is the server's own.
    for (collation, refused) in [(54, true), (28, false), (17, false)] {
        let mut raw = Raw::connect(fixture.door.address).await;
        let mut payload = raw.login_payload(&Login::default());
        payload[8] = collation;
        raw.write(&payload).await;
        let answer = raw.read().await.unwrap();
        assert_eq!(answer[0] == 0xff, refused, "{collation}");
    }
    fixture.door.close().await;
}

const LATIN1: u16 = 8;
const GBK: u16 = 28;
const UTF16: u16 = 54;
const BINARY: u16 = 63;
