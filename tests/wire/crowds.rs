//! Large packets of many connections: they share one bound, and nobody keeps it from the others.

use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use vstreamd::frontend::mysql::{Accounts, DoorConfig};

use super::{check_alive, is_ok};
use crate::harness::door::OpenDoor;
use crate::harness::raw::{Login, Raw, code, framed};

const LONG_DATA: u8 = 0x18;
const CLOSE: u8 = 0x19;

/// A door where one packet of 900 KiB leaves no room for another.
async fn door() -> OpenDoor {
    let config = DoorConfig {
        packet_bytes_max: 1 << 20,
        packets_bytes_max: 1 << 20,
        packet_timeout: Duration::from_millis(300),
        ..DoorConfig::default()
    };
    OpenDoor::with(config, Accounts::Anybody).await
}

async fn client(door: &OpenDoor) -> Raw {
    Raw::login(door.address, &Login::default()).await
}

/// A statement of about so many KiB.
fn statement(kib: usize) -> Vec<u8> {
    format!("insert '{}'", "x".repeat(kib << 10)).into_bytes()
}

/// Sends a statement that is refused before all of it is sent; the error's code.
async fn refused(raw: &mut Raw, text: &[u8]) -> u16 {
    let packet = framed(0, &[&[3], text].concat());
    // The server may close before it has read everything.
    let _ = raw.socket.write_all(&packet).await;
    raw.sequence = 1;
    let packet = raw.read().await.expect("the reason");
    assert_eq!(packet[0], 0xff);
    u16::from_le_bytes([packet[1], packet[2]])
}

#[tokio::test]
async fn large_packets_share_one_bound() {
    let door = door().await;
    let mut slow = client(&door).await;
    let packet = framed(0, &[&[3], &statement(900)[..]].concat());
    let (first, rest) = packet.split_at(800 << 10);
    slow.socket.write_all(first).await.unwrap();
    // What only claims to be large takes nothing from others.
    let mut claims = client(&door).await;
    claims.socket.write_all(&packet[..100]).await.unwrap();
    assert_eq!(refused(&mut client(&door).await, &statement(900)).await, 1041);
    let mut small = client(&door).await;
    check_alive(&mut small).await;
    assert!(is_ok(&small.command(3, &statement(60)).await));
    slow.socket.write_all(rest).await.unwrap();
    slow.sequence = 1;
    assert_eq!(slow.read().await.expect("an answer")[0], 0);
    // It is given back with the answer, and whoever waits gets it.
    assert!(is_ok(&client(&door).await.command(3, &statement(900)).await));
    check_alive(&mut slow).await;
    door.close().await;
}

#[tokio::test]
async fn large_packets_go_on_or_end() {
    let door = door().await;
    let mut slow = client(&door).await;
    assert!(is_ok(&slow.query("set net_read_timeout = 1").await));
    let packet = framed(0, &[&[3], &statement(900)[..]].concat());
    slow.socket.write_all(&packet[..800 << 10]).await.unwrap();
    let (mut reader, mut writer) = slow.socket.split();
    let trickle = async {
        while writer.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let mut rest = Vec::new();
    let read = tokio::io::AsyncReadExt::read_to_end(&mut reader, &mut rest);
    let patience = tokio::time::sleep(crate::harness::raw::PATIENCE);
    tokio::select! {
        _ = read => {}
        () = async { tokio::join!(trickle, patience); } => panic!("the server waits for ever"),
    }
    assert_eq!(u16::from_le_bytes([rest[5], rest[6]]), 1159);
    assert!(is_ok(&client(&door).await.command(3, &statement(900)).await));
    door.close().await;
}

#[tokio::test]
async fn prepared_statements_share_it_too() {
    let door = door().await;
    let mut holder = client(&door).await;
    let mut other = client(&door).await;
    let prepare = async |raw: &mut Raw| {
        raw.send(0x16, b"insert ?").await;
        assert_eq!(raw.read().await.expect("an answer")[0], 0);
        raw.read().await.expect("a definition");
    };
    prepare(&mut holder).await;
    prepare(&mut other).await;
    let chunk = [&[1, 0, 0, 0, 0, 0][..], &[b'x'; 100 << 10]].concat();
    for _ in 0..7 {
        holder.send(LONG_DATA, &chunk).await;
    }
    let execute = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0xfc, 0];
    check_alive(&mut holder).await;
    for _ in 0..5 {
        other.send(LONG_DATA, &chunk).await;
    }
    assert_eq!(code(&other.command(0x17, &execute).await), 1041);
    assert_eq!(refused(&mut client(&door).await, &statement(900)).await, 1041);
    let text = [b"insert ? + ".to_vec(), statement(300)].concat();
    assert_eq!(code(&other.command(0x16, &text).await), 1041);
    holder.send(CLOSE, &[1, 0, 0, 0]).await;
    check_alive(&mut holder).await;
    for _ in 0..5 {
        other.send(LONG_DATA, &chunk).await;
    }
    assert!(is_ok(&other.command(0x17, &execute).await));
    assert!(is_ok(&client(&door).await.command(3, &statement(900)).await));
    door.close().await;
}
