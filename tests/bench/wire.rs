//! A MySQL client that counts instead of reading: rows are skipped in its buffer, so that it costs
//! both servers the same and next to nothing. Empty password, blocking.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

/// One connection.
pub struct Client {
    stream: Box<dyn Stream>,
    buffer: Vec<u8>,
    /// What of the buffer is filled and not yet consumed.
    ready: std::ops::Range<usize>,
    /// Bytes consumed since the connection began.
    pub received: u64,
    /// The server's number of the connection.
    pub id: u32,
}

/// A socket, in the clear or under TLS.
trait Stream: Read + Write + Send {}

impl<T: Read + Write + Send> Stream for T {}

/// A statement that has rows.
#[derive(Debug, Clone)]
pub enum Query {
    /// Sent as a text; its rows are texts.
    Text(String),
    /// Prepared under this number; its rows are binary.
    Prepared(u32),
}

/// What a packet inside a result is.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// A row.
    Row,
    /// The end of the rows.
    End,
    /// An error in place of the end: its code, and what the server says.
    Failed(u16, String),
}

impl Client {
    /// Logs in as root, in the clear.
    pub fn connect(address: &str) -> Client {
        Client::log_in(address, None, BUFFER_BYTES)
    }

    /// Logs in as root, under TLS if given a configuration, with a buffer of so many bytes.
    pub fn log_in(address: &str, tls: Option<&Arc<ClientConfig>>, buffer_bytes: usize) -> Client {
        let stream = TcpStream::connect(address).expect("connect");
        stream.set_nodelay(true).expect("set TCP_NODELAY");
        stream.set_read_timeout(Some(READ_TIMEOUT)).expect("set a time-out");
        let socket = stream.try_clone().expect("share the socket");
        let (buffer, stream) = (vec![0; buffer_bytes], Box::new(stream));
        let mut client = Client { stream, buffer, ready: 0..0, received: 0, id: 0 };
        let greeting = client.packet();
        assert_eq!(greeting[0], 10, "the greeting is of protocol 10");
        let version_end = greeting.iter().position(|byte| *byte == 0).expect("a version");
        let id = greeting[version_end + 1..][..4].try_into().expect("four bytes");
        client.id = u32::from_le_bytes(id);
        let capabilities = CAPABILITIES | if tls.is_some() { SSL } else { 0 };
        let mut login = capabilities.to_le_bytes().to_vec();
        login.extend_from_slice(&(1_u32 << 30).to_le_bytes());
        login.push(45); // utf8mb4_general_ci
        login.extend_from_slice(&[0; 23]);
        let mut sequence = 1;
        if let Some(config) = tls {
            client.send(sequence, &login);
            sequence += 1;
            let name = ServerName::try_from("localhost").expect("a name");
            let tls = ClientConnection::new(Arc::clone(config), name).expect("begin TLS");
            client.stream = Box::new(StreamOwned::new(tls, socket));
        }
        login.extend_from_slice(b"root\0\0mysql_native_password\0");
        client.send(sequence, &login);
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
        self.command(QUERY, sql.as_bytes());
        self.done(sql);
    }

    fn done(&mut self, sql: &str) {
        let reply = self.packet();
        match reply[0] {
            0x00 => {}
            0xff => panic!("{sql:.200}: {}", String::from_utf8_lossy(&reply)),
            _ => panic!("{sql:.200}: rows came back"),
        }
    }

    /// Runs statements that have no rows, all sent before the first answer is read.
    pub fn run_all(&mut self, statements: &[String]) {
        let mut packets = Vec::new();
        for statement in statements {
            packets.extend(packet(0, &[&[QUERY], statement.as_bytes()].concat()));
        }
        self.stream.write_all(&packets).expect("send");
        for statement in statements {
            self.done(statement);
        }
    }

    /// Prepares a statement that has rows and no parameters.
    pub fn prepare(&mut self, sql: &str) -> Query {
        self.command(PREPARE, sql.as_bytes());
        let head = self.packet();
        assert_eq!(head[0], 0, "{sql}: {}", String::from_utf8_lossy(&head));
        let columns = u16::from_le_bytes([head[5], head[6]]);
        if columns > 0 {
            for _ in 0..=columns {
                self.packet();
            }
        }
        Query::Prepared(u32::from_le_bytes([head[1], head[2], head[3], head[4]]))
    }

    /// Starts a statement that has rows and reads the column definitions.
    pub fn open(&mut self, sql: &str) {
        self.start(&Query::Text(sql.to_owned()));
    }

    /// As [`Client::open`], for either kind of statement.
    pub fn start(&mut self, query: &Query) {
        match query {
            Query::Text(sql) => self.command(QUERY, sql.as_bytes()),
            Query::Prepared(id) => {
                // No cursor, one iteration.
                let [a, b, c, d] = id.to_le_bytes();
                self.command(EXECUTE, &[a, b, c, d, 0, 1, 0, 0, 0]);
            }
        }
        let head = self.packet();
        let has_rows = head[0] != 0xff && head[0] != 0;
        assert!(has_rows, "{query:?}: {}", String::from_utf8_lossy(&head));
        for _ in 0..=head[0] {
            self.packet();
        }
    }

    /// Skips the next row.
    pub fn step(&mut self) -> Step {
        let length = self.header();
        self.need(1);
        match self.buffer[self.ready.start] {
            0xff => {
                let said = self.take(length);
                let code = u16::from_le_bytes([said[1], said[2]]);
                Step::Failed(code, String::from_utf8_lossy(&said[3..]).into_owned())
            }
            0xfe if length < 9 => {
                self.skip(length);
                Step::End
            }
            _ => {
                let mut part = length;
                self.skip(part);
                // A row beyond one packet goes on in the next.
                while part == PACKET_BYTES_MAX {
                    part = self.header();
                    self.skip(part);
                }
                Step::Row
            }
        }
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

    /// All rows of a statement that is a text.
    pub fn rows(&mut self, sql: &str) -> Vec<Vec<Option<String>>> {
        self.open(sql);
        std::iter::from_fn(|| self.row()).collect()
    }

    /// Skips all rows of a statement, which ends well; how many there were.
    pub fn count(&mut self, query: &Query) -> u64 {
        self.start(query);
        let mut rows = 0;
        loop {
            match self.step() {
                Step::Row => rows += 1,
                Step::End => return rows,
                Step::Failed(code, said) => panic!("{query:?} ended with {code} {said}"),
            }
        }
    }

    fn command(&mut self, command: u8, body: &[u8]) {
        let mut packet = Vec::with_capacity(body.len() + 1);
        packet.push(command);
        packet.extend_from_slice(body);
        self.send(0, &packet);
    }

    fn send(&mut self, sequence: u8, payload: &[u8]) {
        self.stream.write_all(&packet(sequence, payload)).expect("send");
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

fn packet(sequence: u8, payload: &[u8]) -> Vec<u8> {
    assert!(payload.len() < PACKET_BYTES_MAX, "statements stay below one packet");
    let length = u32::try_from(payload.len()).expect("checked").to_le_bytes();
    [&length[..3], &[sequence], payload].concat()
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

/// What trusts the server's own certificate, as PEM in a file.
pub fn tls_config(certificate: &Path) -> Arc<ClientConfig> {
    let certificate = CertificateDer::from_pem_file(certificate).expect("a certificate");
    let mut roots = RootCertStore::empty();
    roots.add(certificate).expect("a root certificate");
    Arc::new(ClientConfig::builder().with_root_certificates(roots).with_no_client_auth())
}

/// COM_QUERY, COM_STMT_PREPARE, COM_STMT_EXECUTE.
const QUERY: u8 = 0x03;
const PREPARE: u8 = 0x16;
const EXECUTE: u8 = 0x17;
/// LONG_PASSWORD, PROTOCOL_41, TRANSACTIONS, SECURE_CONNECTION, PLUGIN_AUTH.
const CAPABILITIES: u32 = 1 | 1 << 9 | 1 << 13 | 1 << 15 | 1 << 19;
const SSL: u32 = 1 << 11;
const BUFFER_BYTES: usize = 1 << 18;
const PACKET_BYTES_MAX: usize = (1 << 24) - 1;
/// Bounds a hang; no figure depends on it.
const READ_TIMEOUT: Duration = Duration::from_secs(120);
