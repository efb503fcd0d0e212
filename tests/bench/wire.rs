//! A MySQL client that counts instead of reading: rows are skipped in its buffer, so that it costs
//! both servers the same and next to nothing. Text protocol, empty password, blocking.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// One connection.
pub struct Client {
    stream: TcpStream,
    buffer: Vec<u8>,
    /// What of the buffer is filled and not yet consumed.
    ready: std::ops::Range<usize>,
    /// Bytes consumed since the connection began.
    pub received: u64,
}

/// What a packet inside a result is.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// A row.
    Row,
    /// The end of the rows.
    End,
}

impl Client {
    /// Logs in as root.
    pub fn connect(address: &str) -> Client {
        let stream = TcpStream::connect(address).expect("connect");
        stream.set_nodelay(true).expect("set TCP_NODELAY");
        stream.set_read_timeout(Some(READ_TIMEOUT)).expect("set a time-out");
        let mut client = Client { stream, buffer: vec![0; BUFFER_BYTES], ready: 0..0, received: 0 };
        let greeting = client.packet();
        assert_eq!(greeting[0], 10, "the greeting is of protocol 10");
        let mut login = Vec::new();
        login.extend_from_slice(&CAPABILITIES.to_le_bytes());
        login.extend_from_slice(&(1_u32 << 30).to_le_bytes());
        login.push(45); // utf8mb4_general_ci
        login.extend_from_slice(&[0; 23]);
        login.extend_from_slice(b"root\0\0mysql_native_password\0");
        client.send(1, &login);
        loop {
            let packet = client.packet_with_sequence();
            match packet.1[0] {
                0x00 => return client,
                0xfe => client.send(packet.0 + 1, &[]),
                0x01 => {}
                _ => panic!("login failed: {}", String::from_utf8_lossy(&packet.1)),
            }
        }
    }

    /// Runs a statement that has no rows.
    pub fn run(&mut self, sql: &str) {
        self.command(sql);
        let reply = self.packet();
        match reply[0] {
            0x00 => {}
            0xff => panic!("{sql:.200}: {}", String::from_utf8_lossy(&reply)),
            _ => panic!("{sql:.200}: rows came back"),
        }
    }

    /// Starts a statement that has rows and reads the column definitions.
    pub fn open(&mut self, sql: &str) {
        self.command(sql);
        let head = self.packet();
        assert!(head[0] != 0xff && head[0] != 0, "{sql}: {}", String::from_utf8_lossy(&head));
        for _ in 0..=head[0] {
            self.packet();
        }
    }

    /// Skips the next row.
    pub fn step(&mut self) -> Step {
        let length = self.header();
        self.need(1);
        let first = self.buffer[self.ready.start];
        if first == 0xff {
            let said = self.take(length);
            panic!("the result ended with {}", String::from_utf8_lossy(&said));
        }
        self.skip(length);
        if first == 0xfe && length < 9 { Step::End } else { Step::Row }
    }

    /// The cells of the next row; `None` at the end.
    pub fn row(&mut self) -> Option<Vec<Option<String>>> {
        let packet = self.packet();
        match packet[0] {
            0xff => panic!("the result ended with {}", String::from_utf8_lossy(&packet)),
            0xfe if packet.len() < 9 => None,
            _ => Some(cells(&packet)),
        }
    }

    /// Skips all rows of a statement; how many there were.
    pub fn count(&mut self, sql: &str) -> u64 {
        self.open(sql);
        let mut rows = 0;
        while self.step() == Step::Row {
            rows += 1;
        }
        rows
    }

    fn command(&mut self, sql: &str) {
        let mut packet = Vec::with_capacity(sql.len() + 1);
        packet.push(3);
        packet.extend_from_slice(sql.as_bytes());
        self.send(0, &packet);
    }

    fn send(&mut self, sequence: u8, payload: &[u8]) {
        assert!(payload.len() < PACKET_BYTES_MAX, "statements stay below one packet");
        let mut packet = Vec::with_capacity(payload.len() + 4);
        packet
            .extend_from_slice(&u32::try_from(payload.len()).expect("checked").to_le_bytes()[..3]);
        packet.push(sequence);
        packet.extend_from_slice(payload);
        self.stream.write_all(&packet).expect("send");
    }

    fn packet(&mut self) -> Vec<u8> {
        self.packet_with_sequence().1
    }

    fn packet_with_sequence(&mut self) -> (u8, Vec<u8>) {
        self.need(4);
        let sequence = self.buffer[self.ready.start + 3];
        let length = self.header();
        (sequence, self.take(length))
    }

    fn header(&mut self) -> usize {
        self.need(4);
        let at = self.ready.start;
        let [a, b, c] = [0, 1, 2].map(|byte| usize::from(self.buffer[at + byte]));
        self.advance(4);
        a | b << 8 | c << 16
    }

    fn take(&mut self, length: usize) -> Vec<u8> {
        self.need(length);
        let bytes = self.buffer[self.ready.start..self.ready.start + length].to_vec();
        self.advance(length);
        bytes
    }

    fn skip(&mut self, mut length: usize) {
        loop {
            let now = length.min(self.ready.len());
            self.advance(now);
            length -= now;
            if length == 0 {
                return;
            }
            self.fill();
        }
    }

    fn need(&mut self, bytes: usize) {
        assert!(bytes <= self.buffer.len(), "packets of a benchmark are small");
        while self.ready.len() < bytes {
            self.fill();
        }
    }

    fn fill(&mut self) {
        if self.ready.end == self.buffer.len() || self.ready.is_empty() {
            self.buffer.copy_within(self.ready.clone(), 0);
            self.ready = 0..self.ready.len();
        }
        let read = self.stream.read(&mut self.buffer[self.ready.end..]).expect("receive");
        assert!(read > 0, "the server closed the connection");
        self.ready.end += read;
    }

    fn advance(&mut self, bytes: usize) {
        self.ready.start += bytes;
        self.received += bytes as u64;
    }
}

fn cells(mut rest: &[u8]) -> Vec<Option<String>> {
    let mut cells = Vec::new();
    while let Some((&first, after)) = rest.split_first() {
        let (length, after) = match first {
            0xfb => {
                cells.push(None);
                rest = after;
                continue;
            }
            0xfc => (usize::from(u16::from_le_bytes([after[0], after[1]])), &after[2..]),
            0xfd.. => panic!("cells of a benchmark are small"),
            short => (usize::from(short), after),
        };
        cells.push(Some(String::from_utf8_lossy(&after[..length]).into_owned()));
        rest = &after[length..];
    }
    cells
}

/// LONG_PASSWORD, PROTOCOL_41, TRANSACTIONS, SECURE_CONNECTION, PLUGIN_AUTH.
const CAPABILITIES: u32 = 1 | 1 << 9 | 1 << 13 | 1 << 15 | 1 << 19;
const BUFFER_BYTES: usize = 1 << 18;
const PACKET_BYTES_MAX: usize = (1 << 24) - 1;
/// Bounds a hang; no figure depends on it.
const READ_TIMEOUT: Duration = Duration::from_secs(120);
