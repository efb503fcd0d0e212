//! Bytes that no client would send, at every phase of a connection: it is answered or closed, nothing
//! panics, and the next client is served.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::runtime::Runtime;
use tokio::sync::Mutex;
use vstreamd::frontend::mysql::{Account, Accounts, DoorConfig};

use super::logins::ssl_request;
use super::{PING, check_alive};
use crate::harness::door::{OpenDoor, account};
use crate::harness::raw::{Answer, Login, PATIENCE, Raw, code, framed};
use crate::harness::rounds;

const QUERY: u8 = 0x03;
const CHANGE_USER: u8 = 0x11;
const PREPARE: u8 = 0x16;
const EXECUTE: u8 = 0x17;
const LONG_DATA: u8 = 0x18;
const CLOSE: u8 = 0x19;
const FETCH: u8 = 0x1c;

/// Bytes to be changed: where, and into what. Beyond the end they are appended.
type Changes = Vec<(u16, u8)>;

fn changed(valid: &[u8], changes: &Changes, cut: Option<u8>) -> Vec<u8> {
    let mut bytes = valid.to_vec();
    for &(at, byte) in changes {
        // Most of what is worth changing is near the beginning.
        match bytes.get_mut(usize::from(at) % (valid.len() + valid.len() / 8 + 1)) {
            Some(place) => *place = byte,
            None => bytes.push(byte),
        }
    }
    if let Some(cut) = cut {
        bytes.truncate(usize::from(cut));
    }
    bytes
}

/// A door and a session that must not notice anything, for as long as a property is tried.
struct Siege {
    runtime: Runtime,
    door: OpenDoor,
    witness: Mutex<Raw>,
}

impl Siege {
    fn new(accounts: Accounts, login: &Login<'_>) -> AssertUnwindSafe<Self> {
        let runtime = Runtime::new().unwrap();
        let (door, witness) = runtime.block_on(async {
            let config = DoorConfig { packet_bytes_max: 1 << 20, ..DoorConfig::default() };
            let door = OpenDoor::with(config, accounts).await;
            let witness = Raw::login(door.address, login).await;
            (door, witness)
        });
        AssertUnwindSafe(Self { runtime, door, witness: witness.into() })
    }

    /// Sends `bytes` and nothing more, then reads until the server closes, which it must.
    fn send_to_end(&self, raw: &mut Raw, bytes: &[u8]) {
        self.runtime.block_on(async {
            // The server may close before it has read everything.
            let _ = raw.socket.write_all(bytes).await;
            let _ = raw.socket.shutdown().await;
            let mut rest = Vec::new();
            let reading = raw.socket.read_to_end(&mut rest);
            let _ = tokio::time::timeout(PATIENCE, reading).await.expect("the server closes too");
        });
    }

    fn end(self) {
        let Self { runtime, door, witness } = self;
        runtime.block_on(async {
            check_alive(&mut witness.into_inner()).await;
            door.close().await;
        });
    }
}

/// Bob, whose password must be proven.
fn bob() -> (Accounts, Login<'static>) {
    let login = Login { user: "bob", password: "secret", ..Login::default() };
    (account("bob", Account::of_password("secret")), login)
}

#[test]
fn random_logins() {
    let (accounts, login) = bob();
    let siege = Siege::new(accounts, &login);
    bolero::check!()
        .with_iterations(rounds(150, 2_000, 20_000))
        .with_type::<(u8, Vec<u8>, Changes, Option<u8>)>()
        .for_each(|(kind, random, changes, cut)| {
            let siege = &siege;
            let mut raw = siege.runtime.block_on(Raw::connect(siege.door.address));
            let login = Login { native: kind & 8 == 0, ..bob().1 };
            let valid = raw.login_payload(&login);
            let mut bytes = match kind % 4 {
                0 => random.clone(),
                1 => framed(1, random),
                _ => framed(1, &changed(&valid, changes, *cut)),
            };
            // Something behind it, as proof or as a command.
            bytes.extend_from_slice(&framed(kind % 4, random));
            siege.send_to_end(&mut raw, &bytes);
        });
    siege.0.end();
}

#[test]
fn random_bytes_in_place_of_tls() {
    let siege = Siege::new(Accounts::Anybody, &Login::default());
    // A TLS 1.2 record that holds a client's hello, as far as its first fields.
    let hello = b"\x16\x03\x01\x00\x2f\x01\x00\x00\x2b\x03\x03................................\
        \x00\x00\x02\x13\x01\x01\x00\x00\x00";
    bolero::check!()
        .with_iterations(rounds(100, 1_000, 10_000))
        .with_type::<(u8, Vec<u8>, Changes, Option<u8>)>()
        .for_each(|(kind, random, changes, cut)| {
            let siege = &siege;
            let mut raw = siege.runtime.block_on(Raw::connect(siege.door.address));
            let mut bytes = framed(1, &ssl_request());
            bytes.extend(match kind % 3 {
                0 => random.clone(),
                _ => changed(hello, changes, *cut),
            });
            siege.send_to_end(&mut raw, &bytes);
        });
    siege.0.end();
}

#[test]
fn random_commands() {
    let siege = Siege::new(Accounts::Anybody, &Login::default());
    let valid: [&[u8]; 12] = [
        b"\x03select rows 3 7; insert 1",
        b"\x03set @a = 1, sql_mode = 'ANSI'",
        b"\x03show variables like 'a%'",
        b"\x03vstream * from commerce.t where pos > 'current'",
        b"\x02commerce",
        b"\x04t\0%\0",
        b"\x16select rows ? ?",
        b"\x17\x01\0\0\0\x01\x01\0\0\0\0\x01\x08\0\xfd\0\x02\0\0\0\0\0\0\0\x011",
        b"\x18\x01\0\0\0\x01\0abc",
        b"\x1c\x01\0\0\0\x02\0\0\0",
        b"\x1a\x01\0\0\0",
        b"\x11root\0\0commerce\0\x2d\0caching_sha2_password\0",
    ];
    bolero::check!()
        .with_iterations(rounds(150, 2_000, 20_000))
        .with_type::<Vec<(u8, u8, Vec<u8>, Changes, Option<u8>)>>()
        .for_each(|commands| {
            let siege = &siege;
            let login = Login::default();
            let mut raw = siege.runtime.block_on(Raw::login(siege.door.address, &login));
            let mut bytes = framed(0, valid[6]);
            for (which, sequence, random, changes, cut) in commands {
                let payload = match valid.get(usize::from(which % 16)) {
                    Some(valid) => changed(valid, changes, *cut),
                    None => random.clone(),
                };
                bytes.extend(framed(u8::from(*sequence == 1), &payload));
            }
            siege.send_to_end(&mut raw, &bytes);
        });
    siege.0.end();
}

/// A prepared INSERT with a parameter of every type that a client sends, and an EXECUTE for it.
fn execute() -> (String, Vec<u8>) {
    let types: [(u8, &[u8]); 20] = [
        (0x01, &[0x80]),
        (0x02, &[1, 2]),
        (0x03, &[1, 2, 3, 4]),
        (0x04, &[0, 0, 0x80, 0x3f]),
        (0x05, &[0, 0, 0, 0, 0, 0, 0xf0, 0x3f]),
        (0x08, &[1, 2, 3, 4, 5, 6, 7, 8]),
        (0x09, &[1, 2, 3, 4]),
        (0x0d, &[0xea, 7]),
        (0x0a, &[4, 0xea, 7, 11, 22]),
        (0x0c, &[11, 0xea, 7, 11, 22, 23, 59, 58, 1, 0, 0, 0]),
        (0x07, &[7, 0xea, 7, 11, 22, 23, 59, 58]),
        (0x0b, &[12, 1, 3, 0, 0, 0, 23, 59, 58, 1, 0, 0, 0]),
        (0x00, b"\x041.50"),
        (0xf6, b"\x04-2.5"),
        (0x0f, b"\x03a'b"),
        (0xfd, b"\xfc\x03\x00a\\b"),
        (0xfe, b"\x02\xff\xfe"),
        (0xfc, b"\x02\x00\x01"),
        (0x10, b"\x01\x01"),
        (0xf5, b"\x02{}"),
    ];
    let marks = vec!["?"; types.len() + 1].join(", ");
    let mut packet = vec![1, 0, 0, 0, 0, 1, 0, 0, 0];
    // The last one is NULL.
    packet.extend_from_slice(&[0, 0, 0b1_0000, 1]);
    for (code, _) in types.iter().chain([&(0x06, &[][..])]) {
        packet.extend_from_slice(&[*code, 0]);
    }
    types.iter().for_each(|(_, value)| packet.extend_from_slice(value));
    (format!("insert into t values ({marks})"), packet)
}

#[test]
fn random_executes() {
    let siege = Siege::new(Accounts::Anybody, &Login::default());
    let (statement, valid) = execute();
    let witness = AssertUnwindSafe(&siege.witness);
    siege.runtime.block_on(async {
        let mut raw = witness.lock().await;
        raw.send(PREPARE, statement.as_bytes()).await;
        for _ in 0..22 {
            assert_ne!(raw.read().await.expect("OK and definitions")[0], 0xff);
        }
        let answer = raw.command(EXECUTE, &valid).await;
        assert!(matches!(answer, Answer::Ok { affected: 1, .. }), "{answer:?}");
    });
    bolero::check!()
        .with_iterations(rounds(2_000, 20_000, 200_000))
        .with_type::<(Changes, Option<u8>, bool)>()
        .for_each(|(changes, cut, long)| {
            let siege = &siege;
            siege.runtime.block_on(async {
                let mut raw = witness.lock().await;
                if *long {
                    raw.send(LONG_DATA, &[1, 0, 0, 0, 14, 0, b'\'', 0xff]).await;
                }
                // One answer each: the statement has no rows.
                match raw.command(EXECUTE, &changed(&valid, changes, *cut)).await {
                    Answer::Ok { affected: 1, .. } => {}
                    answer => assert!([1210, 1243, 1835].contains(&code(&answer)), "{answer:?}"),
                }
            });
        });
    siege.0.end();
}

#[test]
fn random_changes_of_user() {
    let (accounts, login) = bob();
    let siege = Siege::new(accounts, &login);
    bolero::check!()
        .with_iterations(rounds(100, 1_000, 10_000))
        .with_type::<(u8, Vec<u8>, Changes, Option<u8>)>()
        .for_each(|(kind, random, changes, cut)| {
            let siege = &siege;
            let mut raw = siege.runtime.block_on(Raw::login(siege.door.address, &bob().1));
            let payload = match kind % 3 {
                0 => random.clone(),
                _ => changed(b"bob\0\0commerce\0\x2d\0mysql_native_password\0", changes, *cut),
            };
            let mut bytes = framed(0, &[&[CHANGE_USER], &payload[..]].concat());
            bytes.extend(framed(kind % 4, random));
            siege.send_to_end(&mut raw, &bytes);
        });
    siege.0.end();
}

#[tokio::test]
async fn commands_behind_a_prepared_statement_are_answered_in_order() {
    let door = OpenDoor::scripted().await;
    let mut raw = Raw::login(door.address, &Login::default()).await;
    let execute = b"\x17\x01\0\0\0\0\x01\0\0\0\0\x01\xfd\0\x03abc";
    let mut bytes = framed(0, b"\x16insert into t values (?)");
    for _ in 0..100 {
        bytes.extend(framed(0, &[LONG_DATA, 1, 0, 0, 0, 0, 0, b'x']));
        bytes.extend(framed(0, &execute[..14]));
        bytes.extend(framed(0, execute));
        bytes.extend(framed(0, &[FETCH, 1, 0, 0, 0, 1, 0, 0, 0]));
    }
    bytes.extend(framed(0, &[CLOSE, 1, 0, 0, 0]));
    bytes.extend(framed(0, execute));
    bytes.extend(framed(0, &[PING]));
    raw.socket.write_all(&bytes).await.unwrap();
    raw.sequence = 1;
    assert_eq!(raw.read().await.unwrap()[..5], [0, 1, 0, 0, 0]);
    assert_eq!(raw.read().await.unwrap()[..4], *b"\x03def");
    let mut next = async || {
        raw.sequence = 1;
        let packet = raw.read().await.expect("an answer");
        if packet[0] == 0 { 0 } else { u16::from_le_bytes([packet[1], packet[2]]) }
    };
    for _ in 0..100 {
        // Long data takes the place of the value; the one behind it is malformed without.
        assert_eq!([next().await, next().await, next().await], [0, 0, 1421]);
    }
    assert_eq!([next().await, next().await], [1243, 0]);
    door.close().await;
}

/// One of each kind of command, with whether what it answers is always the same, and is that of
/// nothing before.
const COMMANDS: [(&[u8], bool); 22] = [
    (b"\x03select rows 2 3", true),
    (b"\x03insert 1; insert 2", true),
    (b"\x03insert 1; nonsense; insert 2", true),
    (b"\x03vstream * from nowhere.t", true),
    (b"\x03select rows 200 1000", true),
    (b"\x02commerce", true),
    (b"\x02nowhere", true),
    (b"\x04corder\0", false),
    (b"\x09", false),
    (b"\x0c\x01\0\0\0", true),
    (b"\x0e", true),
    (b"\x11root\0\0commerce\0\xff\0caching_sha2_password\0", true),
    (b"\x16insert ?", false),
    (b"\x17\x01\0\0\0\0\x01\0\0\0\0\x01\xfd\0\x03abc", false),
    (b"\x18\x01\0\0\0\0\0x", true),
    (b"\x19\x01\0\0\0", true),
    (b"\x1a\x01\0\0\0", false),
    (b"\x1b\0\0", true),
    (b"\x1c\x01\0\0\0\x01\0\0\0", false),
    (b"\x1f", true),
    (b"\x77", true),
    (b"", true),
];

/// What a new connection answers to these commands and a PING, all of them in one write.
async fn answers(address: std::net::SocketAddr, commands: &[&[u8]]) -> Vec<u8> {
    let mut raw = Raw::login(address, &Login::default()).await;
    let packets = commands.iter().copied().chain([&[PING][..], b"\x01"]);
    let bytes: Vec<u8> = packets.flat_map(|command| framed(0, command)).collect();
    raw.socket.write_all(&bytes).await.unwrap();
    let mut answers = Vec::new();
    let reading = raw.socket.read_to_end(&mut answers);
    tokio::time::timeout(PATIENCE, reading).await.expect("the server closes").unwrap();
    answers
}

#[tokio::test]
async fn each_pair_of_commands_is_answered_in_order() {
    let door = OpenDoor::scripted().await;
    let ping = answers(door.address, &[]).await;
    assert_eq!(ping, framed(1, &[0, 0, 0, 2, 0, 0, 0]));
    let mut alone = Vec::new();
    for (command, _) in COMMANDS {
        let mut answer = answers(door.address, &[command]).await;
        assert!(answer.ends_with(&ping), "{command:?}: {answer:?}");
        answer.truncate(answer.len() - ping.len());
        alone.push(answer);
    }
    for ((first, same_first), answer) in COMMANDS.iter().zip(&alone) {
        for ((second, same_second), other) in COMMANDS.iter().zip(&alone) {
            let both = answers(door.address, &[first, second]).await;
            let name = || format!("{first:?} {second:?}: {both:?}");
            assert!(both.ends_with(&ping), "{}", name());
            assert!(!same_first || both.starts_with(answer), "{}", name());
            if *same_first && *same_second {
                assert_eq!(both, [&answer[..], other, &ping].concat(), "{}", name());
            }
        }
    }
    door.close().await;
}

#[tokio::test]
async fn nothing_in_the_clear_behind_an_ssl_request_counts() {
    let door = OpenDoor::scripted().await;
    let mut raw = Raw::connect(door.address).await;
    let mut bytes = framed(1, &ssl_request());
    bytes.extend(framed(2, &raw.login_payload(&Login::default())));
    bytes.extend(framed(0, b"\x03select rows 1 1"));
    raw.socket.write_all(&bytes).await.unwrap();
    let mut answer = Vec::new();
    let reading = raw.socket.read_to_end(&mut answer);
    let _ = tokio::time::timeout(PATIENCE, reading).await.expect("the server closes");
    // At most a TLS alert: neither OK nor ERR of a login in the clear.
    assert!(answer.is_empty() || answer[0] == 0x15, "{answer:?}");
    door.close().await;
}

/// Writes one byte after the other until the server closes; how long that took.
async fn trickle(raw: &mut Raw, bytes: &[u8], pause: Duration) -> Duration {
    let begun = std::time::SystemTime::now();
    let (mut reader, mut writer) = raw.socket.split();
    let writing = async {
        for byte in bytes.iter().cycle() {
            if writer.write_all(&[*byte]).await.is_err() {
                break;
            }
            tokio::time::sleep(pause).await;
        }
    };
    let mut rest = Vec::new();
    tokio::select! {
        () = writing => {}
        _ = reader.read_to_end(&mut rest) => {}
        () = tokio::time::sleep(PATIENCE) => panic!("the server waits for ever"),
    }
    begun.elapsed().unwrap_or_default()
}

#[tokio::test]
async fn a_login_that_trickles_in_has_one_deadline() {
    let login_timeout = Duration::from_secs(2);
    let config = DoorConfig { login_timeout, ..DoorConfig::default() };
    let door = OpenDoor::with(config, Accounts::Anybody).await;
    let mut witness = Raw::login(door.address, &Login::default()).await;
    let mut plain = Raw::connect(door.address).await;
    let mut tls = Raw::connect(door.address).await;
    tls.socket.write_all(&framed(1, &ssl_request())).await.unwrap();
    let pause = Duration::from_millis(50);
    // 60,000 bytes: far from their end when the time is up.
    let (header, hello) = (framed(1, &[b'x'; 60_000]), b"\x16\x03\x01\x3f\xff\x01\x00\x3f\xfb");
    let hello = [&hello[..], &[3; 16_000]].concat();
    let (first, second) =
        tokio::join!(trickle(&mut plain, &header, pause), trickle(&mut tls, &hello, pause));
    for taken in [first, second] {
        assert!(taken < login_timeout + Duration::from_secs(20), "{taken:?}");
    }
    check_alive(&mut witness).await;
    door.close().await;
}

#[tokio::test]
async fn a_command_that_trickles_in_is_served_as_long_as_it_comes() {
    let door = OpenDoor::scripted().await;
    let mut raw = Raw::login(door.address, &Login::default()).await;
    let set = raw.query("set net_read_timeout = 1").await;
    assert!(super::is_ok(&set));
    // Four times the time-out in all, a quarter of it between two bytes.
    let text = b"insert 1        ";
    for byte in framed(0, &[&[QUERY], &text[..]].concat()) {
        raw.socket.write_all(&[byte]).await.unwrap();
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    raw.sequence = 1;
    assert_eq!(raw.read().await.expect("an answer")[0], 0);
    check_alive(&mut raw).await;
    door.close().await;
}
