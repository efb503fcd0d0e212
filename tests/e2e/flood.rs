//! Ten thousand connections that never log in: refused beyond a bound, forgotten once they are gone,
//! and nothing to those who work meanwhile.

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use mysql_async::prelude::Queryable;
use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpSocket, TcpStream};

use crate::harness::raw::{Login, PATIENCE, Raw};
use crate::harness::vstreamd::Vstreamd;

const CONNECTIONS: usize = 10_000;
/// Addresses that they come from; one may have 500 logins under way.
const ADDRESSES: usize = 20;
/// Descriptors that the other tests of this process need.
const SPARE: usize = 500;
/// 1,000 logins under way, at some KiB each, and room for malloc.
const GROWTH_BYTES_MAX: usize = 64 << 20;

/// How many descriptors this process may have.
fn descriptors() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").expect("read the limits");
    let line = limits.lines().find(|line| line.starts_with("Max open files"));
    let soft = line.and_then(|line| line.split_whitespace().nth(3)?.parse().ok());
    soft.expect("a limit of descriptors")
}

async fn connect(from: IpAddr, to: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("make a socket");
    socket.bind(SocketAddr::new(from, 0)).expect("bind it");
    let connected = tokio::time::timeout(PATIENCE, socket.connect(to)).await;
    connected.expect("in time").expect("connect")
}

/// What the server said first: greeted, or turned away with error 1040 or without a word.
async fn is_greeted(socket: &mut TcpStream) -> bool {
    let mut packet = [0; 7];
    let reading = socket.read_exact(&mut packet);
    match tokio::time::timeout(PATIENCE, reading).await.expect("an answer in time") {
        Ok(_) if packet[4] == 10 => true,
        Ok(_) => {
            assert_eq!(packet[4..], [0xff, 0x10, 0x04]);
            false
        }
        Err(error) => {
            assert!(matches!(error.kind(), ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset));
            false
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_half_open_connections() {
    let server = Vstreamd::start();
    let mut worker = server.connect().await;
    let mut reader = Raw::login(server.address, &Login::default()).await;
    reader.query("SET WORKLOAD=OLAP").await;
    reader.open("VSTREAM * FROM commerce.corder WHERE pos > 'current'").await;
    let before = server.resident();
    let count = CONNECTIONS.min(descriptors().saturating_sub(SPARE) / 2 * 2);
    println!("{count} connections");
    let (mut open, mut greeted) = (Vec::new(), 0);
    for index in 0..count {
        let last = u8::try_from(2 + index % ADDRESSES).expect("few addresses");
        let mut socket = connect(IpAddr::from([127, 0, 0, last]), server.address).await;
        greeted += usize::from(is_greeted(&mut socket).await);
        open.push(socket);
        if index % 500 == 0 {
            let id = index + 1;
            let insert = format!("INSERT INTO commerce.corder VALUES ({id}, 1, NULL, 1)");
            worker.query_drop(insert).await.expect("those who work go on");
            let row = reader.row().await.expect("streams go on");
            assert_eq!(row[1].as_deref(), Some(id.to_string().as_bytes()));
        }
    }
    let growth = server.resident().saturating_sub(before);
    println!("{greeted} greeted, the server grew by {growth} bytes");
    assert!(growth < GROWTH_BYTES_MAX, "the server grew by {growth} bytes");
    if count == CONNECTIONS {
        assert!((1_000..count).contains(&greeted), "{greeted} greeted");
    }
    drop(open);
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        let left: Vec<mysql_async::Row> = worker.query("SHOW PROCESSLIST").await.expect("a list");
        if left.len() == 2 {
            break;
        }
        assert!(tokio::time::Instant::now() < deadline, "{} connections are left", left.len());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Raw::login(server.address, &Login::default()).await;
}
