//! Statements of the backend's while somebody waits for them: watched, interrupted, denied.

use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use vstreamd::access::{Access, Right};
use vstreamd::event::TableName;

use super::{check_alive, is_ok, wait_for_connections, wait_for_info};
use crate::harness::door::OpenDoor;
use crate::harness::raw::{Answer, Login, PATIENCE, Raw, code, texts};

const FIELD_LIST: u8 = 0x04;

/// Waits until so many hanging statements have not been interrupted.
async fn wait_for_running(watcher: &mut Raw, count: &str) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while texts(&watcher.query("select running").await) != [count] {
        assert!(tokio::time::Instant::now() < deadline, "still not {count}");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test]
async fn a_departed_client_has_no_statement_that_goes_on() {
    let door = OpenDoor::scripted().await;
    let mut watcher = Raw::login(door.address, &Login::default()).await;
    for rows in ["select hang 3 1", "select hang 3 100000"] {
        let mut waiting = Raw::login(door.address, &Login::default()).await;
        waiting.send(3, rows.as_bytes()).await;
        wait_for_running(&mut watcher, "1").await;
        wait_for_info(&mut watcher, waiting.id, rows).await;
        drop(waiting);
        wait_for_running(&mut watcher, "0").await;
        wait_for_connections(&mut watcher, 1).await;
    }
    door.close().await;
}

#[tokio::test]
async fn a_killed_statement_has_ended_when_its_client_is_told() {
    let door = OpenDoor::scripted().await;
    let mut killer = Raw::login(door.address, &Login::default()).await;
    let mut victim = Raw::login(door.address, &Login::default()).await;
    for _ in 0..3 {
        victim.send(3, b"select hang 3 100000").await;
        wait_for_running(&mut killer, "1").await;
        assert!(is_ok(&killer.query(&format!("KILL QUERY {}", victim.id)).await));
        // The definition, rows, and how it ended.
        let ended = loop {
            let packet = victim.read().await.expect("the connection goes on");
            if packet[0] == 0xff {
                break u16::from_le_bytes([packet[1], packet[2]]);
            }
        };
        assert_eq!(ended, 1317);
        assert_eq!(texts(&victim.query("select running").await), ["0"]);
        check_alive(&mut victim).await;
    }
    victim.send(3, b"select hang 3 100000").await;
    wait_for_running(&mut killer, "1").await;
    assert!(is_ok(&killer.query(&format!("KILL {}", victim.id)).await));
    wait_for_running(&mut killer, "0").await;
    wait_for_connections(&mut killer, 1).await;
    door.close().await;
}

#[tokio::test]
async fn enough_rows_end_the_statement() {
    let door = OpenDoor::scripted().await;
    let mut raw = Raw::login(door.address, &Login::default()).await;
    assert!(is_ok(&raw.query("set sql_select_limit = 2").await));
    assert_eq!(texts(&raw.query("select hang 5 1").await), ["x", "x"]);
    assert_eq!(texts(&raw.query("select running").await), ["0"]);
    check_alive(&mut raw).await;
    door.close().await;
}

#[tokio::test]
async fn a_select_ends_when_its_time_is_up() {
    let door = OpenDoor::scripted().await;
    let mut raw = Raw::login(door.address, &Login::default()).await;
    assert!(is_ok(&raw.query("set max_execution_time = 50").await));
    for text in ["select hang 3 1", "select hang 300 1000", "select wait"] {
        let ended = raw.query(text).await;
        assert_eq!(code(&ended), 3024, "{text}: {ended:?}");
        assert_eq!(texts(&raw.query("select running").await), ["0"]);
    }
    check_alive(&mut raw).await;
    door.close().await;
}

#[tokio::test]
async fn who_takes_no_rows_is_given_up() {
    let door = OpenDoor::scripted().await;
    let mut watcher = Raw::login(door.address, &Login::default()).await;
    let mut frozen = Raw::login(door.address, &Login::default()).await;
    assert!(is_ok(&frozen.query("set net_write_timeout = 1").await));
    frozen.send(3, b"select hang 1000000 10000").await;
    wait_for_running(&mut watcher, "1").await;
    wait_for_running(&mut watcher, "0").await;
    wait_for_connections(&mut watcher, 1).await;
    door.close().await;
}

#[tokio::test]
async fn a_slow_client_is_not_given_up() {
    const ROW_BYTES: usize = 60_000_000;
    let door = OpenDoor::scripted().await;
    let mut slow = Raw::login(door.address, &Login::default()).await;
    assert!(is_ok(&slow.query("set net_write_timeout = 2").await));
    // A row that takes longer than the time-out, though something of it is always taken.
    slow.open(&format!("select rows 1 {ROW_BYTES}")).await;
    let mut chunk = vec![0; 1 << 20];
    let (mut taken, mut left) = (0, 0);
    for round in 0.. {
        if left == 0 {
            left = slow.frame().await.expect("a frame");
            if left < 0x1000 {
                break;
            }
        }
        let part = left.min(chunk.len());
        slow.socket.read_exact(&mut chunk[..part]).await.expect("the row goes on");
        (taken, left) = (taken + part, left - part);
        if round < 35 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
    assert!(taken > ROW_BYTES, "{taken}");
    slow.socket.read_exact(&mut chunk[..left]).await.expect("the end");
    check_alive(&mut slow).await;
    door.close().await;
}

#[tokio::test]
async fn field_list_asks_who_may_read_the_table() {
    let table = |name| Some(TableName::new("commerce", name));
    let access = Access::default().denying("ann", Right::Read, table("secret"));
    let door = OpenDoor::guarded(access).await;
    let login = Login { user: "ann", database: "commerce", ..Login::default() };
    let mut ann = Raw::login(door.address, &login).await;
    let denied = ann.command(FIELD_LIST, b"secret\0").await;
    let text = "SELECT command denied to user 'ann'@'127.0.0.1' for table 'secret'";
    let expected = Answer::Err { code: 1142, state: "42000".to_owned(), text: text.to_owned() };
    assert_eq!(denied, expected);
    assert!(is_ok(&ann.query("set workload = olap").await));
    for text in ["vstream * from secret", "explain vstream * from secret"] {
        assert_eq!(ann.query(text).await, expected, "{text}");
    }
    ann.send(FIELD_LIST, b"open\0").await;
    assert!(ann.read().await.unwrap().starts_with(b"\x03def"));
    assert_eq!(ann.read().await.map(|packet| packet[0]), Some(0xfe));
    check_alive(&mut ann).await;
    door.close().await;
}

#[tokio::test]
async fn statements_and_others_connections_can_be_denied() {
    let access =
        Access::default().denying("ann", Right::Execute, None).denying("ann", Right::Process, None);
    let door = OpenDoor::guarded(access).await;
    let login = |user| Login { user, database: "commerce", ..Login::default() };
    let mut bob = Raw::login(door.address, &login("bob")).await;
    let mut ann = Raw::login(door.address, &login("ann")).await;
    let mut other = Raw::login(door.address, &login("ann")).await;
    for text in ["select rows 1 1", "show tables"] {
        assert_eq!(code(&ann.query(text).await), 1227, "{text}");
    }
    assert_eq!(texts(&ann.query("show processlist").await).len(), 2, "her own");
    assert_eq!(texts(&bob.query("show processlist").await).len(), 3);
    assert_eq!(code(&ann.query(&format!("kill {}", bob.id)).await), 1095);
    assert!(is_ok(&ann.query(&format!("kill {}", other.id)).await));
    assert_eq!(other.read().await, None);
    check_alive(&mut bob).await;
    door.close().await;
}
