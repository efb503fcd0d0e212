//! The MySQL door, packet by packet: logins, commands, results, KILL, and bytes no client would send.

mod bounds;
mod chains;
mod charsets;
mod clients;
mod crowds;
mod hostile;
mod lives;
mod logins;
mod passthrough;
mod prepared;
mod store;
mod streams;

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use vstreamd::frontend::mysql::{Account, DoorConfig};

use crate::harness::door::{OpenDoor, account};
use crate::harness::raw::{Answer, Login, PATIENCE, Raw, code, framed, texts};

const PING: u8 = 0x0e;
const RESET_CONNECTION: u8 = 0x1f;

fn is_ok(answer: &Answer) -> bool {
    matches!(answer, Answer::Ok { .. })
}

/// The session is usable, whatever happened before.
async fn check_alive(raw: &mut Raw) {
    assert!(is_ok(&raw.command(PING, b"").await));
    assert_eq!(texts(&raw.query("select rows 2 3").await), ["xxx", "xxx"]);
}

#[tokio::test]
async fn logins_by_both_plugins() {
    let both = Account::of_password("secret");
    let hex = "14E65567ABDB5135D0CFD9A70B3032C179A49EE7";
    let native_only = Account::of_verifiers(None, Some(hex)).unwrap();
    for (account_of_bob, native_works) in [(both, true), (native_only, true)] {
        let accounts = account("bob", account_of_bob);
        let door = OpenDoor::with(DoorConfig::default(), accounts).await;
        for native in [true, false] {
            let login = Login { user: "bob", password: "secret", native, ..Login::default() };
            let (mut raw, answer) = Raw::try_login(door.address, &login).await;
            assert_eq!(is_ok(&answer), native_works, "{login:?}: {answer:?}");
            check_alive(&mut raw).await;
            for (user, password) in [("bob", "wrong"), ("bob", ""), ("eve", "secret")] {
                let login = Login { user, password, native, ..Login::default() };
                let (_, answer) = Raw::try_login(door.address, &login).await;
                let using = if password.is_empty() { "NO" } else { "YES" };
                let text = format!(
                    "Access denied for user '{user}'@'127.0.0.1' (using password: {using})"
                );
                let expected = Answer::Err { code: 1045, state: "28000".to_owned(), text };
                assert_eq!(answer, expected);
            }
        }
        door.close().await;
    }
}

#[tokio::test]
async fn anybody_on_loopback_without_a_password() {
    let door = OpenDoor::scripted().await;
    let mut raw = Raw::login(door.address, &Login { user: "ann", ..Login::default() }).await;
    assert_eq!(raw.version, "8.0.30-Vitess");
    assert_eq!(texts(&raw.query("select version()").await), ["8.0.30-Vitess"]);
    assert_eq!(texts(&raw.query("select user()").await), ["ann@127.0.0.1"]);
    assert_eq!(texts(&raw.query("select connection_id()").await), [raw.id.to_string()]);
    let login = Login { password: "guess", ..Login::default() };
    assert_eq!(code(&Raw::try_login(door.address, &login).await.1), 1045);
    let login = Login { database: "nowhere", ..Login::default() };
    assert_eq!(code(&Raw::try_login(door.address, &login).await.1), 1049);
    let login = Login { database: "commerce", ..Login::default() };
    let mut raw = Raw::login(door.address, &login).await;
    assert_eq!(texts(&raw.query("select database()").await), ["commerce"]);
    door.close().await;
}

#[tokio::test]
async fn results_end_as_the_client_reads_them() {
    let door = OpenDoor::scripted().await;
    for deprecate_eof in [true, false] {
        let login = Login { deprecate_eof, ..Login::default() };
        let mut raw = Raw::login(door.address, &login).await;
        for count in [0, 1, 1000] {
            let answer = raw.query(&format!("select rows {count} 300")).await;
            assert_eq!(texts(&answer).len(), count);
        }
        let insert = Answer::Ok { affected: 1, insert_id: 7, status: 2 };
        assert_eq!(raw.query("insert into t values (1)").await, insert);
    }
    door.close().await;
}

#[tokio::test]
async fn status_flags_tell_of_transactions() {
    let door = OpenDoor::scripted().await;
    let mut raw = Raw::login(door.address, &Login::default()).await;
    let status = |answer: Answer| match answer {
        Answer::Ok { status, .. } | Answer::Rows { status, .. } => status,
        other => panic!("{other:?}"),
    };
    assert_eq!(status(raw.query("begin").await), 3);
    assert_eq!(status(raw.query("select rows 1 1").await), 3);
    assert_eq!(status(raw.query("commit").await), 2);
    assert_eq!(status(raw.query("set autocommit = 0").await), 0);
    assert_eq!(texts(&raw.query("select @@autocommit").await), ["0"]);
    assert!(is_ok(&raw.command(RESET_CONNECTION, b"").await));
    assert_eq!(texts(&raw.query("select @@autocommit").await), ["1"]);
    door.close().await;
}

#[tokio::test]
async fn several_statements_end_at_the_first_error() {
    let door = OpenDoor::scripted().await;
    let mut raw = Raw::login(door.address, &Login::default()).await;
    let answers = raw.queries("set @a = ';'; select rows 1 1 ;; insert into t;").await;
    assert_eq!(answers.len(), 3);
    let answers = raw.queries("insert 1; nonsense; insert 2").await;
    assert_eq!(answers.len(), 2);
    assert_eq!(code(&answers[1]), 1064);
    check_alive(&mut raw).await;
    let login = Login { multi_statements: false, ..Login::default() };
    let mut raw = Raw::login(door.address, &login).await;
    assert_eq!(code(&raw.query("insert 1; insert 2").await), 1064);
    let mut set_option = raw.command(0x1b, &[0, 0]).await;
    assert!(is_ok(&set_option), "{set_option:?}");
    set_option = raw.queries("insert 1; insert 2").await.remove(1);
    assert!(is_ok(&set_option));
    door.close().await;
}

#[tokio::test]
async fn commands_of_every_code_are_answered() {
    let door = OpenDoor::scripted().await;
    let mut raw = Raw::login(door.address, &Login::default()).await;
    for code_byte in 0..=255_u8 {
        // QUIT, QUERY, FIELD_LIST, STATISTICS, and what is not answered, come below.
        if [0x01, 0x03, 0x04, 0x09, 0x18, 0x19].contains(&code_byte) {
            continue;
        }
        let answer = raw.command(code_byte, b"").await;
        let expected = match code_byte {
            0x02 => 1046,
            PING | RESET_CONNECTION => {
                assert!(is_ok(&answer));
                continue;
            }
            0x16 => 1065,
            0x17 | 0x1a | 0x1c => 1835,
            _ => 1047,
        };
        assert_eq!(code(&answer), expected, "command {code_byte:#x}: {answer:?}");
    }
    raw.send(0x19, &[1, 0, 0, 0]).await;
    raw.send(0x09, b"").await;
    let statistics = String::from_utf8(raw.read().await.unwrap()).unwrap();
    assert!(statistics.starts_with("Uptime: "), "{statistics}");
    assert_eq!(code(&raw.command(0x04, b"t\0").await), 1046);
    assert_eq!(code(&raw.command(0x03, b"\xff\xfe").await), 1300);
    assert_eq!(code(&raw.command(0x03, b" ; ").await), 1065);
    assert!(is_ok(&raw.command(0x02, b"commerce").await));
    assert_eq!(texts(&raw.query("select database()").await), ["commerce"]);
    raw.send(0x04, b"t\0").await;
    let definition = raw.read().await.unwrap();
    assert!(definition.starts_with(b"\x03def") && definition.ends_with(b"\xfb"));
    assert_eq!(raw.read().await.map(|packet| packet[0]), Some(0xfe));
    raw.send(0x01, b"").await;
    assert_eq!(raw.read().await, None);
    door.close().await;
}

#[tokio::test]
async fn variables_are_kept_and_unknown_ones_refused() {
    let door = OpenDoor::scripted().await;
    let mut raw = Raw::login(door.address, &Login::default()).await;
    assert!(is_ok(&raw.query("SET SESSION workload=OLAP,SESSION sql_mode='ANSI'").await));
    assert_eq!(texts(&raw.query("select @@workload").await), ["OLAP"]);
    assert_eq!(code(&raw.query("set nonsense = 1").await), 1193);
    assert_eq!(code(&raw.query("select @@nonsense").await), 1193);
    assert_eq!(code(&raw.query("set workload = 'fast'").await), 1231);
    assert_eq!(code(&raw.query("set workload = OLTP, nonsense = 1").await), 1193);
    assert_eq!(texts(&raw.query("select @@workload").await), ["OLAP"], "all or nothing");
    assert_eq!(texts(&raw.query("show variables like 'work%'").await), ["workload OLAP"]);
    let counted = texts(&raw.query("show warnings").await);
    assert!(counted.is_empty());
    assert_eq!(code(&raw.query("nonsense").await), 1064);
    let shown = texts(&raw.query("show warnings").await);
    assert_eq!(shown, ["Error 1064 You have an error in your SQL syntax"]);
    assert_eq!(code(&raw.query("use nowhere").await), 1049);
    assert_eq!(code(&raw.query("show tables").await), 1046);
    assert!(is_ok(&raw.query("use commerce").await));
    assert_eq!(texts(&raw.query("show tables like 'c%'").await), ["corder", "corder"]);
    assert!(texts(&raw.query("show tables like 'x%'").await).is_empty());
    assert_eq!(code(&raw.query("select $$").await), 1064, "mysql 9 wants an error");
    for limit in ["set sql_select_limit = 2", "set sql_select_limit = default"] {
        assert!(is_ok(&raw.query(limit).await));
        let rows = texts(&raw.query("select rows 5 1").await).len();
        assert_eq!(rows, if limit.ends_with('2') { 2 } else { 5 });
    }
    door.close().await;
}

#[tokio::test]
async fn rows_of_sixteen_mebibytes_arrive_whole() {
    let door = OpenDoor::scripted().await;
    let mut raw = Raw::login(door.address, &Login::default()).await;
    // The row's length prefix takes 4 bytes below 16 MiB and 9 from there on.
    for cell in [0xff_ffff - 5, 0xff_ffff - 4, 0xff_ffff - 3, 0x100_0000, 0x1ff_fffe - 9, 40 << 20]
    {
        let answer = raw.query(&format!("select rows 1 {cell}")).await;
        let Answer::Rows { rows, .. } = answer else { panic!("{cell}") };
        assert_eq!(rows[0][0].as_ref().map(Vec::len), Some(cell));
    }
    check_alive(&mut raw).await;
    door.close().await;
}

#[tokio::test]
async fn kill_query_ends_the_statement_and_kill_the_connection() {
    let door = OpenDoor::scripted().await;
    let mut victim = Raw::login(door.address, &Login::default()).await;
    let mut killer = Raw::login(door.address, &Login::default()).await;
    for _ in 0..3 {
        victim.send(3, b"do wait").await;
        wait_for_info(&mut killer, victim.id, "do wait").await;
        assert!(is_ok(&killer.query(&format!("KILL QUERY {}", victim.id)).await));
        let packet = victim.read().await.unwrap();
        assert_eq!(u16::from_le_bytes([packet[1], packet[2]]), 1317);
        // A late kill must not hit the next statement.
        assert!(is_ok(&killer.query(&format!("KILL QUERY {}", victim.id)).await));
        check_alive(&mut victim).await;
    }
    assert!(is_ok(&killer.query(&format!("KILL {}", victim.id)).await));
    assert_eq!(victim.read().await, None);
    assert_eq!(code(&killer.query(&format!("KILL {}", victim.id)).await), 1094);
    assert_eq!(code(&killer.query("KILL 1").await), 1094, "a foreign id");
    assert_eq!(code(&killer.query("KILL 99999999999").await), 1094);
    let own = format!("KILL QUERY {}", killer.id);
    killer.query(&own).await;
    check_alive(&mut killer).await;
    door.close().await;
}

/// Waits until SHOW PROCESSLIST says that a connection runs this.
async fn wait_for_info(watcher: &mut Raw, id: u32, info: &str) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        let processes = texts(&watcher.query("show full processlist").await);
        let line = processes.iter().find(|line| line.starts_with(&format!("{id} ")));
        if line.is_some_and(|line| line.ends_with(info)) {
            return;
        }
        assert!(tokio::time::Instant::now() < deadline, "{processes:?}");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Waits until only so many connections are left.
async fn wait_for_connections(watcher: &mut Raw, count: usize) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        let processes = texts(&watcher.query("show processlist").await);
        if processes.len() == count {
            return;
        }
        assert!(tokio::time::Instant::now() < deadline, "{processes:?}");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test]
async fn a_frozen_client_can_be_killed() {
    let door = OpenDoor::scripted().await;
    let mut frozen = Raw::login(door.address, &Login::default()).await;
    let mut killer = Raw::login(door.address, &Login::default()).await;
    frozen.send(3, b"select rows 100000000 1000").await;
    wait_for_info(&mut killer, frozen.id, "select rows 100000000 1000").await;
    check_alive(&mut killer).await;
    assert!(is_ok(&killer.query(&format!("KILL {}", frozen.id)).await));
    wait_for_connections(&mut killer, 1).await;
    door.close().await;
}

#[tokio::test]
async fn a_departed_client_frees_its_statement() {
    let door = OpenDoor::scripted().await;
    let mut watcher = Raw::login(door.address, &Login::default()).await;
    let mut waiting = Raw::login(door.address, &Login::default()).await;
    waiting.send(3, b"do wait").await;
    wait_for_info(&mut watcher, waiting.id, "do wait").await;
    // Commands sent ahead do not hide the end.
    waiting.socket.write_all(&framed(0, &[PING])).await.unwrap();
    drop(waiting);
    wait_for_connections(&mut watcher, 1).await;
    door.close().await;
}

#[tokio::test]
async fn a_panic_ends_its_connection_alone() {
    let door = OpenDoor::scripted().await;
    let mut watcher = Raw::login(door.address, &Login::default()).await;
    let mut victim = Raw::login(door.address, &Login::default()).await;
    victim.send(3, b"do panic").await;
    assert_eq!(victim.read().await, None);
    wait_for_connections(&mut watcher, 1).await;
    check_alive(&mut watcher).await;
    door.close().await;
}

#[tokio::test]
async fn a_huge_pipelined_login_is_refused() {
    let door = OpenDoor::scripted().await;
    let mut witness = Raw::login(door.address, &Login::default()).await;
    let mut raw = Raw::connect(door.address).await;
    let mut payload = raw.login_payload(&Login::default());
    payload.resize(2 << 20, b'a');
    let mut bytes = framed(1, &payload);
    for _ in 0..8 {
        bytes.extend_from_slice(&framed(0, &[PING]));
    }
    // The server may close before it has read everything.
    let _ = raw.socket.write_all(&bytes).await;
    raw.sequence = 2;
    if let Some(packet) = raw.read().await {
        assert_eq!(u16::from_le_bytes([packet[1], packet[2]]), 1153);
    }
    check_alive(&mut witness).await;
    door.close().await;
}

#[tokio::test]
async fn commands_behind_a_login_are_answered_in_order() {
    let door = OpenDoor::scripted().await;
    let mut raw = Raw::connect(door.address).await;
    let mut bytes = framed(1, &raw.login_payload(&Login::default()));
    for _ in 0..100 {
        bytes.extend_from_slice(&framed(0, &[PING]));
        bytes.extend_from_slice(&framed(0, b"\x03select rows 1 5000"));
    }
    raw.socket.write_all(&bytes).await.unwrap();
    raw.sequence = 2;
    assert_eq!(raw.read().await.map(|packet| packet[0]), Some(0));
    for _ in 0..100 {
        raw.sequence = 1;
        assert_eq!(raw.read().await.map(|packet| packet[0]), Some(0));
        raw.sequence = 1;
        for length in [1, 38, 5003] {
            let packet = raw.read().await.unwrap();
            assert!(packet.len() == length || packet.len() > 5 && length == 38, "{packet:?}");
        }
        assert_eq!(raw.read().await.map(|packet| packet[0]), Some(0xfe));
    }
    door.close().await;
}

#[tokio::test]
async fn packets_out_of_bounds_end_the_connection() {
    let config = DoorConfig { packet_bytes_max: 1 << 20, ..DoorConfig::default() };
    let door = OpenDoor::with(config, vstreamd::frontend::mysql::Accounts::Anybody).await;
    let mut raw = Raw::login(door.address, &Login::default()).await;
    let text = format!("select rows 1 1 {}", " ".repeat(1 << 19));
    assert_eq!(texts(&raw.query(&text).await), ["x"]);
    raw.socket.write_all(&[1, 0, 0x10, 0]).await.unwrap();
    raw.sequence = 1;
    let packet = raw.read().await.unwrap();
    assert_eq!(u16::from_le_bytes([packet[1], packet[2]]), 1153);
    assert_eq!(raw.read().await, None);
    let mut raw = Raw::login(door.address, &Login::default()).await;
    raw.socket.write_all(&framed(5, &[PING])).await.unwrap();
    raw.sequence = 0;
    let packet = raw.read().await.unwrap();
    assert_eq!(u16::from_le_bytes([packet[1], packet[2]]), 1156);
    door.close().await;
}

#[tokio::test]
async fn connections_have_a_bound_and_logins_a_deadline() {
    let config = DoorConfig {
        connections_max: 5,
        logins_max: 3,
        logins_per_address_max: 3,
        login_timeout: Duration::from_secs(3),
        ..DoorConfig::default()
    };
    let door = OpenDoor::with(config, vstreamd::frontend::mysql::Accounts::Anybody).await;
    let mut alive = Raw::login(door.address, &Login::default()).await;
    let mut silent = Vec::new();
    for _ in 0..3 {
        silent.push(Raw::connect(door.address).await);
    }
    let mut refused = TcpStream::connect(door.address).await.unwrap();
    let mut bytes = Vec::new();
    refused.read_to_end(&mut bytes).await.unwrap();
    assert_eq!(&bytes[4..], b"\xff\x10\x04Too many connections");
    check_alive(&mut alive).await;
    for raw in &mut silent {
        assert_eq!(raw.read().await, None, "too slow to log in");
    }
    check_alive(&mut Raw::login(door.address, &Login::default()).await).await;
    door.close().await;
}

#[tokio::test]
async fn shutdown_ends_idle_and_busy_connections() {
    let door = OpenDoor::scripted().await;
    let mut idle = Raw::login(door.address, &Login::default()).await;
    let mut busy = Raw::login(door.address, &Login::default()).await;
    busy.send(3, b"do wait").await;
    wait_for_info(&mut idle, busy.id, "do wait").await;
    door.close().await;
    idle.sequence = 0;
    let packet = idle.read().await.expect("a word of farewell");
    assert_eq!(u16::from_le_bytes([packet[1], packet[2]]), 1053);
    let packet = busy.read().await.expect("an answer");
    assert_eq!(u16::from_le_bytes([packet[1], packet[2]]), 1053);
    let address = idle.socket.peer_addr().unwrap();
    assert!(TcpStream::connect(address).await.is_err());
}
