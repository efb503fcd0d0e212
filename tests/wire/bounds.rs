//! Bounds that a session sees and moves: variables that follow the configuration, time-outs.

use tokio::io::AsyncWriteExt as _;
use vstreamd::frontend::mysql::{Accounts, DoorConfig};

use super::{check_alive, is_ok};
use crate::harness::door::OpenDoor;
use crate::harness::raw::{Login, Raw, code, texts};

#[tokio::test]
async fn variables_say_what_the_configuration_says() {
    let config = DoorConfig {
        packet_bytes_max: 1 << 20,
        idle_timeout: std::time::Duration::from_secs(600),
        ..DoorConfig::default()
    };
    let door = OpenDoor::with(config, Accounts::Anybody).await;
    let mut raw = Raw::login(door.address, &Login::default()).await;
    for (name, value) in
        [("max_allowed_packet", "1048576"), ("wait_timeout", "600"), ("interactive_timeout", "600")]
    {
        assert_eq!(texts(&raw.query(&format!("select @@{name}")).await), [value]);
        let shown = texts(&raw.query(&format!("show variables like '{name}'")).await);
        assert_eq!(shown, [format!("{name} {value}")]);
    }
    assert_eq!(code(&raw.query("set max_allowed_packet = 1").await), 1238);
    assert!(is_ok(&raw.query("set wait_timeout = 5").await));
    assert_eq!(texts(&raw.query("select @@wait_timeout").await), ["5"]);
    assert!(is_ok(&raw.query("set wait_timeout = default").await));
    assert_eq!(texts(&raw.query("select @@wait_timeout").await), ["600"]);
    door.close().await;
}

#[tokio::test]
async fn the_cursors_of_a_session_share_one_bound() {
    let door = OpenDoor::scripted().await;
    let mut raw = Raw::login(door.address, &Login::default()).await;
    let cursor = async |raw: &mut Raw, id: u8| {
        raw.send(0x16, b"select rows 40 1048576").await;
        for _ in 0..2 {
            raw.read().await.expect("a prepared statement and its column");
        }
        raw.send(0x17, &[id, 0, 0, 0, 1, 1, 0, 0, 0]).await;
        let packet = raw.read().await.expect("an answer");
        if packet[0] == 0xff {
            return u16::from_le_bytes([packet[1], packet[2]]);
        }
        for _ in 0..2 {
            raw.read().await.expect("a column and the end of them");
        }
        0
    };
    assert_eq!(cursor(&mut raw, 1).await, 0);
    assert_eq!(cursor(&mut raw, 2).await, 1114, "40 and 40 MiB");
    raw.send(0x19, &[1, 0, 0, 0]).await;
    assert_eq!(cursor(&mut raw, 3).await, 0);
    check_alive(&mut raw).await;
    door.close().await;
}

#[tokio::test]
async fn the_login_names_the_collation_of_texts() {
    let door = OpenDoor::scripted().await;
    let mut raw = Raw::connect(door.address).await;
    let mut payload = raw.login_payload(&Login::default());
    assert_eq!(payload[8], 255);
    payload[8] = 45;
    raw.write(&payload).await;
    assert_eq!(raw.read().await.unwrap()[0], 0);
    let text = "select @@collation_connection, @@character_set_results";
    assert_eq!(texts(&raw.query(text).await), ["utf8mb4_general_ci utf8mb4"]);
    door.close().await;
}

#[tokio::test]
async fn who_says_nothing_is_disconnected_as_it_wished() {
    let door = OpenDoor::scripted().await;
    let mut raw = Raw::login(door.address, &Login::default()).await;
    assert!(is_ok(&raw.query("set wait_timeout = 1").await));
    raw.sequence = 0;
    let packet = raw.read().await.expect("the reason");
    assert_eq!(u16::from_le_bytes([packet[1], packet[2]]), 4031);
    assert_eq!(raw.read().await, None);
    door.close().await;
}

#[tokio::test]
async fn a_packet_that_stops_coming_ends_its_connection() {
    let door = OpenDoor::scripted().await;
    let mut raw = Raw::login(door.address, &Login::default()).await;
    assert!(is_ok(&raw.query("set net_read_timeout = 1").await));
    raw.socket.write_all(&[9, 0, 0, 0, 3, b's']).await.unwrap();
    raw.sequence = 1;
    let packet = raw.read().await.expect("the reason");
    assert_eq!(u16::from_le_bytes([packet[1], packet[2]]), 1159);
    assert_eq!(raw.read().await, None);
    door.close().await;
}

#[tokio::test]
async fn what_is_set_for_one_statement_is_restored_behind_it() {
    let door = OpenDoor::scripted().await;
    let mut raw = Raw::login(door.address, &Login::default()).await;
    let statement = "set statement sql_select_limit = 2 for set sql_mode = 'ANSI', workload = olap";
    assert!(is_ok(&raw.query(statement).await));
    assert_eq!(texts(&raw.query("select @@sql_mode, @@workload").await), ["ANSI OLAP"]);
    assert_eq!(texts(&raw.query("select rows 3 1").await).len(), 3);
    let limited = raw.query("set statement sql_select_limit = 2 for select rows 3 1").await;
    assert_eq!(texts(&limited).len(), 2);
    assert_eq!(texts(&raw.query("select rows 3 1").await).len(), 3);
    // What it is set for goes first, and is restored all the same.
    let both = "set statement workload = oltp for set workload = dba, sql_mode = @@workload";
    assert_eq!(code(&raw.query(both).await), 1231, "OLTP is no SQL mode");
    assert_eq!(texts(&raw.query("select @@sql_mode, @@workload").await), ["ANSI OLAP"]);
    assert!(is_ok(&raw.query("set statement workload = oltp for set workload = dba").await));
    assert_eq!(texts(&raw.query("select @@workload").await), ["OLAP"]);
    assert_eq!(code(&raw.query("set statement autocommit = 0 for select rows 1 1").await), 1971);
    assert!(is_ok(&raw.query("set statement workload = oltp for use commerce").await));
    assert_eq!(texts(&raw.query("select database()").await), ["commerce"]);
    let denied = "set statement workload = olap for vstream * from nowhere.t";
    assert_eq!(code(&raw.query(denied).await), 1049);
    assert_eq!(texts(&raw.query("select @@workload").await), ["OLAP"]);
    check_alive(&mut raw).await;
    door.close().await;
}
