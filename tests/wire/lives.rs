//! How connections end: half-closed by the client, at shutdown whatever they do, and those of clients
//! that read nothing.

use std::io::{Read as _, Write as _};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use vstreamd::frontend::mysql::{Accounts, DoorConfig};

use super::logins::{ssl_request, under_tls};
use super::streams::Fixture;
use super::{PING, check_alive, is_ok, wait_for_connections, wait_for_info};
use crate::harness::door::OpenDoor;
use crate::harness::raw::{Answer, Login, PATIENCE, Raw, code, framed, texts};

const PREPARE: u8 = 0x16;
const EXECUTE: u8 = 0x17;
const FETCH: u8 = 0x1c;
const SHUTDOWN: u16 = 1053;

#[tokio::test]
async fn a_client_that_closes_its_side_leaves() {
    let mut fixture = Fixture::new().await;
    fixture.insert(0..3);
    let mut watcher = fixture.client().await;
    // While idle, behind commands that are answered first, in mid-statement and in an open stream.
    let mut idle = fixture.client().await;
    idle.socket.shutdown().await.unwrap();
    assert_eq!(idle.read().await, None);
    let mut pipelined = fixture.client().await;
    let both = [framed(0, &[PING]), framed(0, &[PING])].concat();
    pipelined.socket.write_all(&both).await.unwrap();
    pipelined.socket.shutdown().await.unwrap();
    for _ in 0..2 {
        pipelined.sequence = 1;
        assert_eq!(pipelined.read().await.expect("an answer")[0], 0);
    }
    assert_eq!(pipelined.read().await, None);
    let mut busy = fixture.client().await;
    busy.send(3, b"do wait").await;
    wait_for_info(&mut watcher, busy.id, "do wait").await;
    busy.socket.shutdown().await.unwrap();
    assert_eq!(busy.read().await, None);
    let mut stream = fixture.client().await;
    stream.open("vstream * from corder").await;
    for _ in 0..3 {
        stream.row().await.expect("a row");
    }
    stream.socket.shutdown().await.unwrap();
    assert_eq!(stream.read().await, None);
    wait_for_connections(&mut watcher, 1).await;
    assert!(texts(&watcher.query("show vstreams").await).is_empty());
    fixture.door.close().await;
}

#[tokio::test]
async fn who_closes_its_side_and_reads_on_gets_what_is_on_its_way() {
    let door = OpenDoor::scripted().await;
    let mut watcher = Raw::login(door.address, &Login::default()).await;
    let mut reader = Raw::login(door.address, &Login::default()).await;
    reader.open("select rows 200000 100").await;
    reader.row().await.expect("the first row");
    reader.socket.shutdown().await.unwrap();
    while reader.read().await.is_some() {}
    wait_for_connections(&mut watcher, 1).await;
    check_alive(&mut watcher).await;
    door.close().await;
}

/// A statement of two parameters, executed with a cursor.
async fn open_cursor(raw: &mut Raw, text: &str) {
    raw.send(PREPARE, text.as_bytes()).await;
    let prepared = raw.read().await.expect("an answer");
    assert_eq!(prepared[0], 0, "{prepared:?}");
    for _ in 0..u16::from_le_bytes([prepared[5], prepared[6]]) {
        raw.read().await.expect("a definition");
    }
    raw.send(EXECUTE, &[1, 0, 0, 0, 1, 1, 0, 0, 0]).await;
    let columns = raw.read().await.expect("columns")[0];
    assert_ne!(columns, 0xff);
    for _ in 0..columns {
        raw.read().await.expect("a definition");
    }
    assert_eq!(raw.read().await.expect("the cursor's status")[0], 0xfe);
}

#[tokio::test]
async fn shutdown_ends_cursors_and_rows_of_statements() {
    let mut fixture = Fixture::new().await;
    fixture.insert(0..3);
    let mut watcher = fixture.client().await;
    let mut idle_cursor = fixture.client().await;
    open_cursor(&mut idle_cursor, "select rows 10 10").await;
    let mut stream_cursor = fixture.client().await;
    open_cursor(&mut stream_cursor, "vstream * from corder where pos > 'current'").await;
    stream_cursor.send(FETCH, &[1, 0, 0, 0, 5, 0, 0, 0]).await;
    wait_for_info(&mut watcher, stream_cursor.id, "FETCH").await;
    let mut several = fixture.client().await;
    several.send(3, b"insert 1; do wait; insert 2").await;
    wait_for_info(&mut watcher, several.id, "do wait").await;
    fixture.door.close().await;
    idle_cursor.sequence = 0;
    for raw in [&mut idle_cursor, &mut stream_cursor] {
        let packet = raw.read().await.expect("a word of farewell");
        assert_eq!(u16::from_le_bytes([packet[1], packet[2]]), SHUTDOWN);
        closes(raw).await;
    }
    assert_eq!(several.read().await.expect("the first answer")[0], 0);
    let packet = several.read().await.expect("the second answer");
    assert_eq!(u16::from_le_bytes([packet[1], packet[2]]), SHUTDOWN);
    closes(&mut several).await;
}

/// The server closes without another word.
async fn closes(raw: &mut Raw) {
    let mut rest = Vec::new();
    let reading = raw.socket.read_to_end(&mut rest);
    let _ = tokio::time::timeout(PATIENCE, reading).await.expect("the server closes");
    assert!(rest.is_empty(), "{rest:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn shutdown_ends_connections_under_tls() {
    let door = OpenDoor::scripted().await;
    let address = door.address;
    let mut watcher = Raw::login(address, &Login::default()).await;
    let client = move |statement: Option<&'static [u8]>| {
        let mut stream = under_tls(address);
        let login = [&ssl_request()[..], b"ann\0\0caching_sha2_password\0"].concat();
        stream.write_all(&framed(2, &login)).unwrap();
        let mut ok = [0; 11];
        stream.read_exact(&mut ok).unwrap();
        assert_eq!((ok[3], ok[4]), (3, 0));
        if let Some(statement) = statement {
            stream.write_all(&framed(0, statement)).unwrap();
        }
        let mut rest = Vec::new();
        // The server's end is no TLS alert where the socket closes first.
        let _ = stream.read_to_end(&mut rest);
        rest
    };
    let idle = tokio::task::spawn_blocking(move || client(None));
    let busy = tokio::task::spawn_blocking(move || client(Some(b"\x03do wait")));
    wait_for_connections(&mut watcher, 3).await;
    loop {
        let processes = texts(&watcher.query("show full processlist").await);
        let waits = processes.iter().any(|line| line.ends_with("do wait"));
        let sleeps = processes.iter().any(|line| line.contains("ann") && line.contains("Sleep"));
        if waits && sleeps {
            break;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    door.close().await;
    for rest in [idle.await.unwrap(), busy.await.unwrap()] {
        assert_eq!(rest.get(4), Some(&0xff), "{rest:?}");
        assert_eq!(u16::from_le_bytes([rest[5], rest[6]]), SHUTDOWN);
    }
}

#[tokio::test]
async fn whoever_reads_nothing_holds_nothing_for_long() {
    let config = DoorConfig { login_timeout: Duration::from_secs(2), ..DoorConfig::default() };
    let door = OpenDoor::with(config, Accounts::Anybody).await;
    let mut watcher = Raw::login(door.address, &Login::default()).await;
    // Never reads the login's answer, nor any other.
    let mut deaf = Raw::connect(door.address).await;
    let mut bytes = framed(1, &deaf.login_payload(&Login::default()));
    bytes.extend(framed(0, b"\x03set net_write_timeout = 1"));
    for _ in 0..100 {
        bytes.extend(framed(0, b"\x03select rows 1000 1000"));
    }
    deaf.socket.write_all(&bytes).await.unwrap();
    wait_for_connections(&mut watcher, 2).await;
    wait_for_connections(&mut watcher, 1).await;
    // Neither logs in nor reads the greeting.
    let _silent = tokio::net::TcpStream::connect(door.address).await.unwrap();
    wait_for_connections(&mut watcher, 2).await;
    wait_for_connections(&mut watcher, 1).await;
    check_alive(&mut watcher).await;
    door.close().await;
}

#[tokio::test]
async fn a_stream_survives_a_client_that_reads_nothing_for_long() {
    let mut fixture = Fixture::new().await;
    let mut frozen = fixture.client().await;
    let mut watcher = fixture.client().await;
    assert!(is_ok(&frozen.query("set net_write_timeout = 1, wait_timeout = 1").await));
    frozen.open("vstream * from corder where pos > 'current'").await;
    // Far more than the buffers of both sockets hold.
    const ROWS: u32 = 500_000;
    fixture.insert(0..ROWS);
    tokio::time::sleep(Duration::from_secs(3)).await;
    check_alive(&mut watcher).await;
    for id in 0..ROWS {
        let row = frozen.row().await.expect("the stream goes on");
        assert_eq!(row[1].as_deref(), Some(id.to_string().as_bytes()));
    }
    fixture.door.close().await;
    let end = frozen.row().await.expect_err("no further row");
    assert!(matches!(end, Answer::Err { .. }) && code(&end) == SHUTDOWN, "{end:?}");
}
