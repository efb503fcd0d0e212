//! Streams as chains of small result sets, for clients that show a result only once it is whole.

use std::io::{BufRead, BufReader, Write};

use super::clients::mariadb_by_lines;
use super::streams::Fixture;
use crate::harness::raw::{Answer, Raw, code, texts};

const MORE_RESULTS: u16 = 8;

/// The next result: its rows joined by blanks, and whether another one follows.
async fn next(raw: &mut Raw) -> (Vec<String>, bool) {
    let answer = raw.answer().await;
    match answer {
        Answer::Rows { status, .. } => (texts(&answer), status & MORE_RESULTS != 0),
        Answer::Ok { status, .. } => (Vec::new(), status & MORE_RESULTS != 0),
        Answer::Err { .. } | Answer::Broken { .. } => panic!("{answer:?}"),
    }
}

fn rows(rows: &[&str]) -> Vec<String> {
    rows.iter().map(|row| (*row).to_owned()).collect()
}

#[tokio::test]
async fn each_pause_ends_a_set() {
    let mut fixture = Fixture::new().await;
    fixture.insert(1..3);
    let mut raw = fixture.client().await;
    raw.query("set vstream_result_sets = 'chain'").await;
    raw.send(3, b"vstream * from corder limit 5; insert 1").await;
    assert_eq!(next(&mut raw).await, (rows(&["+ 1 sku", "+ 2 sku"]), true));
    fixture.change(Some(&["1", "sku"]), Some(&["1", "b"]));
    assert_eq!(next(&mut raw).await, (rows(&["* 1 b"]), true));
    fixture.change(Some(&["1", "b"]), None);
    assert_eq!(next(&mut raw).await, (rows(&["- 1 b"]), true));
    fixture.insert(7..9);
    // The limit ends the stream within its last set; the statement behind it follows.
    assert_eq!(next(&mut raw).await, (rows(&["+ 7 sku"]), true));
    assert_eq!(next(&mut raw).await, (Vec::new(), false));
    fixture.door.close().await;
}

#[tokio::test]
async fn a_chain_of_nothing_is_one_empty_set() {
    let mut fixture = Fixture::new().await;
    fixture.insert(1..3);
    let mut raw = fixture.client().await;
    raw.query("set vstream_result_sets = 'chain'").await;
    raw.send(3, b"vstream * from corder limit 0").await;
    assert_eq!(next(&mut raw).await, (Vec::new(), false));
    fixture.door.close().await;
}

#[tokio::test]
async fn new_columns_begin_a_new_set() {
    let mut fixture = Fixture::new().await;
    fixture.insert(1..2);
    let mut raw = fixture.client().await;
    raw.query("set vstream_result_sets = 'chain'").await;
    raw.send(3, b"vstream * from corder").await;
    assert_eq!(next(&mut raw).await, (rows(&["+ 1 sku"]), true));
    fixture.add_column("note", &[&["1", "sku", "n"]]);
    fixture.change(None, Some(&["2", "a", "x"]));
    let Answer::Rows { columns, rows: found, .. } = raw.answer().await else { panic!() };
    assert_eq!(columns, ["op", "id", "sku", "note"]);
    assert_eq!(found.len(), 1);
    // Killed between two sets, the error is the next result.
    let mut other = fixture.client().await;
    other.query(&format!("kill query {}", raw.id)).await;
    assert_eq!(code(&raw.answer().await), 1317);
    fixture.door.close().await;
}

#[tokio::test]
async fn shutdown_ends_a_chain_once() {
    let mut fixture = Fixture::new().await;
    fixture.insert(1..3);
    let mut raw = fixture.client().await;
    raw.query("set vstream_result_sets = 'chain'").await;
    raw.send(3, b"vstream * from corder").await;
    assert_eq!(next(&mut raw).await, (rows(&["+ 1 sku", "+ 2 sku"]), true));
    fixture.door.close().await;
    // The next set is promised already: the error is in its place.
    assert_eq!(code(&raw.answer().await), 1053);
    assert_eq!(raw.read().await, None, "it is told once");
}

/// The next result of a prepared statement: its rows' bytes, and whether another one follows.
async fn next_binary(raw: &mut Raw) -> (Vec<Vec<u8>>, bool) {
    let columns = raw.read().await.expect("a result")[0];
    assert_eq!(columns, 3, "op, id and sku");
    for _ in 0..columns {
        raw.read().await.expect("a definition");
    }
    let mut rows = Vec::new();
    loop {
        let packet = raw.read().await.expect("a row or the end");
        match packet[0] {
            0 => rows.push(packet),
            0xfe => return (rows, u16::from_le_bytes([packet[3], packet[4]]) & MORE_RESULTS != 0),
            _ => panic!("{packet:?}"),
        }
    }
}

#[tokio::test]
async fn chains_of_prepared_statements_are_binary() {
    let mut fixture = Fixture::new().await;
    fixture.insert(1..3);
    let mut raw = fixture.client().await;
    raw.query("set vstream_result_sets = 'chain'").await;
    raw.send(0x16, b"vstream * from corder limit 4").await;
    for _ in 0..4 {
        assert_ne!(raw.read().await.expect("OK and definitions")[0], 0xff);
    }
    let row = |op: u8, id: u8, sku: &[u8]| {
        let length = u8::try_from(sku.len()).unwrap();
        [&[0, 0, 1, op, id, 0, 0, 0, length][..], sku].concat()
    };
    raw.send(0x17, &[1, 0, 0, 0, 0, 1, 0, 0, 0]).await;
    let copied = vec![row(b'+', 1, b"sku"), row(b'+', 2, b"sku")];
    assert_eq!(next_binary(&mut raw).await, (copied, true));
    fixture.change(Some(&["1", "sku"]), Some(&["1", "b"]));
    assert_eq!(next_binary(&mut raw).await, (vec![row(b'*', 1, b"b")], true));
    fixture.change(Some(&["1", "b"]), None);
    assert_eq!(next_binary(&mut raw).await, (vec![row(b'-', 1, b"b")], false));
    super::check_alive(&mut raw).await;
    // New columns are described, and written by their own types.
    raw.send(0x17, &[1, 0, 0, 0, 0, 1, 0, 0, 0]).await;
    assert_eq!(next_binary(&mut raw).await, (vec![row(b'+', 2, b"sku")], true));
    fixture.add_column("note", &[&["2", "sku", "n"]]);
    fixture.change(None, Some(&["3", "a", "x"]));
    assert_eq!(raw.read().await.expect("a result"), [4]);
    for _ in 0..4 {
        raw.read().await.expect("a definition");
    }
    let expected = [row(b'+', 3, b"a"), b"\x01x".to_vec()].concat();
    assert_eq!(raw.read().await.expect("a row"), expected);
    fixture.door.close().await;
}

#[tokio::test]
async fn clients_that_complete_names_get_a_chain() {
    let mut fixture = Fixture::new().await;
    fixture.insert(1..2);
    let mut raw = fixture.client().await;
    raw.send(4, b"corder\0").await;
    while raw.read().await.unwrap()[0] != 0xfe {}
    raw.send(3, b"vstream * from corder").await;
    assert_eq!(next(&mut raw).await, (rows(&["+ 1 sku"]), true));
    let mut single = fixture.client().await;
    single.send(4, b"corder\0").await;
    while single.read().await.unwrap()[0] != 0xfe {}
    single.query("set vstream_result_sets = 'single'").await;
    single.open("vstream * from corder").await;
    single.row().await.unwrap();
    fixture.insert(2..3);
    single.row().await.unwrap();
    fixture.door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plain_client_shows_a_chain_as_it_comes() {
    let mut fixture = Fixture::new().await;
    fixture.insert(1..2);
    // Without --quick: it holds each result back until its end.
    let mut child = mariadb_by_lines(fixture.door.address, &["-N"]);
    let mut stdin = child.stdin.take().unwrap();
    writeln!(stdin, "set workload = olap; set vstream_result_sets = 'chain';").unwrap();
    writeln!(stdin, "vstream * from commerce.corder;").unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut line = move || tokio::task::block_in_place(|| lines.next().unwrap().unwrap());
    assert_eq!(line(), "+\t1\tsku");
    fixture.change(Some(&["1", "sku"]), Some(&["1", "b"]));
    assert_eq!(line(), "*\t1\tb");
    fixture.change(Some(&["1", "b"]), None);
    assert_eq!(line(), "-\t1\tb");
    fixture.door.close().await;
    drop(stdin);
    tokio::task::block_in_place(|| child.wait()).unwrap();
}
