//! A small MySQL client that shows packets, so that tests can also send what no client would.

use std::net::SocketAddr;
use std::time::Duration;

use aws_lc_rs::rsa::{OAEP_SHA1_MGF1SHA1, OaepPublicEncryptingKey, PublicEncryptingKey};
use sha1::{Digest, Sha1};
use sha2::Sha256;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Ten times what any answer takes: only a hang takes longer.
pub const PATIENCE: Duration = Duration::from_secs(90);

const PROTOCOL_41: u32 = 0x200;
const CONNECT_WITH_DB: u32 = 0x8;
const SECURE_CONNECTION: u32 = 0x8000;
const MULTI_STATEMENTS: u32 = 0x1_0000;
const PLUGIN_AUTH: u32 = 0x8_0000;
const DEPRECATE_EOF: u32 = 0x100_0000;

/// How to log in.
#[derive(Debug, Clone)]
pub struct Login<'a> {
    pub user: &'a str,
    pub password: &'a str,
    pub database: &'a str,
    pub native: bool,
    pub deprecate_eof: bool,
    pub multi_statements: bool,
}

impl Default for Login<'_> {
    fn default() -> Self {
        Self {
            user: "root",
            password: "",
            database: "",
            native: false,
            deprecate_eof: true,
            multi_statements: true,
        }
    }
}

/// What a statement was answered with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    Ok {
        affected: u64,
        insert_id: u64,
        status: u16,
    },
    Err {
        code: u16,
        state: String,
        text: String,
    },
    Rows {
        columns: Vec<String>,
        rows: Vec<Vec<Option<Vec<u8>>>>,
        status: u16,
    },
    /// Rows that ended in an error.
    Broken {
        rows: usize,
        code: u16,
        text: String,
    },
}

/// One connection, packet by packet.
#[derive(Debug)]
pub struct Raw {
    pub socket: TcpStream,
    pub sequence: u8,
    pub id: u32,
    pub version: String,
    salt: Vec<u8>,
    deprecate_eof: bool,
}

impl Raw {
    /// Connects and reads the greeting.
    pub async fn connect(address: SocketAddr) -> Self {
        let socket = TcpStream::connect(address).await.unwrap();
        socket.set_nodelay(true).unwrap();
        let mut raw = Self {
            socket,
            sequence: 0,
            id: 0,
            version: String::new(),
            salt: Vec::new(),
            deprecate_eof: true,
        };
        let greeting = raw.read().await.expect("a greeting");
        assert_eq!(greeting[0], 10);
        let end = greeting.iter().position(|byte| *byte == 0).unwrap();
        raw.version = String::from_utf8(greeting[1..end].to_vec()).unwrap();
        let rest = &greeting[end + 1..];
        raw.id = u32::from_le_bytes(rest[..4].try_into().unwrap());
        raw.salt = [&rest[4..12], &rest[31..43]].concat();
        assert!(raw.salt.iter().all(|byte| (1..0x80).contains(byte)));
        raw
    }

    /// Connects and logs in; the answer is the server's.
    pub async fn try_login(address: SocketAddr, login: &Login<'_>) -> (Self, Answer) {
        let mut raw = Self::connect(address).await;
        raw.deprecate_eof = login.deprecate_eof;
        let payload = raw.login_payload(login);
        raw.write(&payload).await;
        let packet = raw.prove(login).await;
        (raw, answer(&packet))
    }

    /// Answers whatever the server asks of a login; its last word.
    async fn prove(&mut self, login: &Login<'_>) -> Vec<u8> {
        let mut packet = self.read().await.expect("an answer to the login");
        if packet[0] == 0xfe {
            let native = packet[1..].starts_with(b"mysql_native_password\0");
            let proof = self.proof(login.password, native);
            self.write(&proof).await;
            packet = self.read().await.expect("an answer to the proof");
        }
        match packet[..] {
            [1, 4] => self.show(login.password).await,
            [1, 3] => self.read().await.expect("an OK behind the fast path"),
            _ => packet,
        }
    }

    /// Sends COM_CHANGE_USER and proves what is asked.
    pub async fn change_user(&mut self, login: &Login<'_>) -> Answer {
        let mut payload = login.user.as_bytes().to_vec();
        payload.push(0);
        let proof = self.proof(login.password, login.native);
        payload.push(u8::try_from(proof.len()).unwrap());
        payload.extend_from_slice(&proof);
        payload.extend_from_slice(login.database.as_bytes());
        payload.extend_from_slice(&[0, 255, 0]);
        let plugin = if login.native { "mysql_native_password" } else { "caching_sha2_password" };
        payload.extend_from_slice(plugin.as_bytes());
        payload.push(0);
        self.send(0x11, &payload).await;
        answer(&self.prove(login).await)
    }

    /// Shows the password, encrypted with the server's RSA key; the answer is the server's.
    async fn show(&mut self, password: &str) -> Vec<u8> {
        self.write(&[2]).await;
        let key = self.read().await.expect("the public key");
        let der = pem::parse(&key[1..]).unwrap().into_contents();
        let key = PublicEncryptingKey::from_der(&der).unwrap();
        let key = OaepPublicEncryptingKey::new(key).unwrap();
        let hidden = password.bytes().chain([0]).zip(self.salt.iter().cycle());
        let hidden: Vec<_> = hidden.map(|(byte, salt)| byte ^ salt).collect();
        let mut encrypted = vec![0; key.ciphertext_size()];
        key.encrypt(&OAEP_SHA1_MGF1SHA1, &hidden, &mut encrypted, None).unwrap();
        self.write(&encrypted).await;
        self.read().await.expect("an answer to the password")
    }

    /// Connects and logs in, which must work.
    pub async fn login(address: SocketAddr, login: &Login<'_>) -> Self {
        let (raw, answer) = Self::try_login(address, login).await;
        assert!(matches!(answer, Answer::Ok { .. }), "{answer:?}");
        raw
    }

    /// The login packet's payload.
    pub fn login_payload(&self, login: &Login<'_>) -> Vec<u8> {
        let mut flags = PROTOCOL_41 | CONNECT_WITH_DB | SECURE_CONNECTION | PLUGIN_AUTH;
        if login.deprecate_eof {
            flags |= DEPRECATE_EOF;
        }
        if login.multi_statements {
            flags |= MULTI_STATEMENTS;
        }
        let mut payload = flags.to_le_bytes().to_vec();
        payload.extend_from_slice(&(1_u32 << 24).to_le_bytes());
        // The default, so that a reset of the connection changes nothing.
        payload.push(255);
        payload.extend_from_slice(&[0; 23]);
        payload.extend_from_slice(login.user.as_bytes());
        payload.push(0);
        let proof = self.proof(login.password, login.native);
        payload.push(u8::try_from(proof.len()).unwrap());
        payload.extend_from_slice(&proof);
        payload.extend_from_slice(login.database.as_bytes());
        payload.push(0);
        let plugin = if login.native { "mysql_native_password" } else { "caching_sha2_password" };
        payload.extend_from_slice(plugin.as_bytes());
        payload.push(0);
        payload
    }

    fn proof(&self, password: &str, native: bool) -> Vec<u8> {
        if password.is_empty() {
            return Vec::new();
        }
        let xor = |a: &[u8], b: &[u8]| a.iter().zip(b).map(|(a, b)| a ^ b).collect();
        if native {
            let once = Sha1::digest(password);
            let mask = Sha1::new().chain_update(&self.salt).chain_update(Sha1::digest(once));
            return xor(&once, &mask.finalize());
        }
        let once = Sha256::digest(password);
        let twice = Sha256::digest(once);
        let mask = Sha256::new().chain_update(twice).chain_update(&self.salt);
        xor(&once, &mask.finalize())
    }

    /// The next packet; `None` where the server closed.
    pub async fn read(&mut self) -> Option<Vec<u8>> {
        tokio::time::timeout(PATIENCE, self.read_patiently()).await.expect("an answer in time")
    }

    /// The next packet, whenever it comes.
    pub async fn read_patiently(&mut self) -> Option<Vec<u8>> {
        let mut payload = Vec::new();
        loop {
            let length = self.frame().await?;
            let start = payload.len();
            payload.resize(start + length, 0);
            self.socket.read_exact(&mut payload[start..]).await.ok()?;
            if length < 0xff_ffff {
                return Some(payload);
            }
        }
    }

    /// The length of the next frame, whose payload is to be read from the socket.
    pub async fn frame(&mut self) -> Option<usize> {
        let mut header = [0; 4];
        self.socket.read_exact(&mut header).await.ok()?;
        assert_eq!(header[3], self.sequence, "the server's sequence number");
        self.sequence = self.sequence.wrapping_add(1);
        Some(u32::from_le_bytes([header[0], header[1], header[2], 0]) as usize)
    }

    /// Waits until something can be read, and leaves it there.
    pub async fn peek(&self) {
        self.socket.peek(&mut [0]).await.unwrap();
    }

    /// Sends one packet under the next sequence number.
    pub async fn write(&mut self, payload: &[u8]) {
        let packet = framed(self.sequence, payload);
        self.sequence = self.sequence.wrapping_add(1);
        self.socket.write_all(&packet).await.unwrap();
    }

    /// Sends a command.
    pub async fn send(&mut self, code: u8, argument: &[u8]) {
        self.sequence = 0;
        let payload = [&[code], argument].concat();
        self.write(&payload).await;
    }

    /// Sends a command, and reads one packet.
    pub async fn command(&mut self, code: u8, argument: &[u8]) -> Answer {
        self.send(code, argument).await;
        answer(&self.read().await.expect("an answer"))
    }

    /// Runs a text of one statement.
    pub async fn query(&mut self, text: &str) -> Answer {
        let mut answers = self.queries(text).await;
        assert_eq!(answers.len(), 1, "{answers:?}");
        answers.remove(0)
    }

    /// Runs a text of several statements.
    pub async fn queries(&mut self, text: &str) -> Vec<Answer> {
        self.send(3, text.as_bytes()).await;
        let mut answers = Vec::new();
        loop {
            let next = self.answer().await;
            let more = match &next {
                Answer::Ok { status, .. } | Answer::Rows { status, .. } => status & 8 != 0,
                Answer::Err { .. } | Answer::Broken { .. } => false,
            };
            answers.push(next);
            if !more {
                return answers;
            }
        }
    }

    /// Sends a text and reads its column names; rows may follow without end.
    pub async fn open(&mut self, text: &str) -> Vec<String> {
        self.send(3, text.as_bytes()).await;
        let first = self.read().await.expect("a result");
        assert_ne!(first[0], 0xff, "{:?}", answer(&first));
        self.columns(usize::from(first[0])).await
    }

    /// The next row of an open result, or how it ended.
    pub async fn row(&mut self) -> Result<Vec<Option<Vec<u8>>>, Answer> {
        let packet = self.read().await.expect("a row");
        match packet[0] {
            0xff => Err(answer(&packet)),
            0xfe if packet.len() < 9 => Err(self.end(&packet)),
            _ => Ok(cells(&packet)),
        }
    }

    /// The next result, whole.
    pub async fn answer(&mut self) -> Answer {
        let first = self.read().await.expect("an answer");
        if matches!(first[0], 0 | 0xff) {
            return answer(&first);
        }
        let columns = self.columns(usize::from(first[0])).await;
        let mut rows = Vec::new();
        loop {
            match self.row().await {
                Ok(row) => rows.push(row),
                Err(Answer::Err { code, text, .. }) => {
                    return Answer::Broken { rows: rows.len(), code, text };
                }
                Err(Answer::Ok { status, .. }) => return Answer::Rows { columns, rows, status },
                Err(other) => panic!("{other:?} at the end of rows"),
            }
        }
    }

    async fn columns(&mut self, count: usize) -> Vec<String> {
        let mut names = Vec::new();
        for _ in 0..count {
            let definition = self.read().await.expect("a definition");
            let name = cells(&definition).swap_remove(4);
            names.push(String::from_utf8(name.unwrap()).unwrap());
        }
        if !self.deprecate_eof {
            let eof = self.read().await.expect("an EOF");
            assert_eq!((eof[0], eof.len()), (0xfe, 5));
        }
        names
    }

    /// What ended the rows.
    fn end(&self, packet: &[u8]) -> Answer {
        if self.deprecate_eof {
            return answer(packet);
        }
        assert_eq!(packet.len(), 5);
        let status = u16::from_le_bytes([packet[3], packet[4]]);
        Answer::Ok { affected: 0, insert_id: 0, status }
    }
}

/// A packet with its header.
pub fn framed(sequence: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_le_bytes();
    let mut packet = vec![length[0], length[1], length[2], sequence];
    packet.extend_from_slice(payload);
    packet
}

/// The first column's cells of a result as text.
pub fn texts(answer: &Answer) -> Vec<String> {
    let Answer::Rows { rows, .. } = answer else { panic!("{answer:?} is no result") };
    let text = |cell: &Option<Vec<u8>>| match cell {
        Some(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        None => "NULL".to_owned(),
    };
    rows.iter().map(|row| row.iter().map(text).collect::<Vec<_>>().join(" ")).collect()
}

/// The code of an error.
pub fn code(answer: &Answer) -> u16 {
    match answer {
        Answer::Err { code, .. } | Answer::Broken { code, .. } => *code,
        other => panic!("{other:?} is no error"),
    }
}

fn answer(packet: &[u8]) -> Answer {
    match packet[0] {
        0 | 0xfe => {
            let (affected, at) = length(packet, 1);
            let (insert_id, at) = length(packet, at);
            let status = u16::from_le_bytes([packet[at], packet[at + 1]]);
            Answer::Ok { affected, insert_id, status }
        }
        0xff => {
            let code = u16::from_le_bytes([packet[1], packet[2]]);
            let rest = String::from_utf8_lossy(&packet[3..]).into_owned();
            match rest.strip_prefix('#') {
                Some(rest) => {
                    let (state, text) = rest.split_at(5);
                    Answer::Err { code, state: state.to_owned(), text: text.to_owned() }
                }
                None => Answer::Err { code, state: String::new(), text: rest },
            }
        }
        other => panic!("packet {other:#x}"),
    }
}

fn length(packet: &[u8], at: usize) -> (u64, usize) {
    let bytes = |count: usize| {
        let mut number = [0; 8];
        number[..count].copy_from_slice(&packet[at + 1..at + 1 + count]);
        (u64::from_le_bytes(number), at + 1 + count)
    };
    match packet[at] {
        0xfc => bytes(2),
        0xfd => bytes(3),
        0xfe => bytes(8),
        short => (u64::from(short), at + 1),
    }
}

fn cells(packet: &[u8]) -> Vec<Option<Vec<u8>>> {
    let mut cells = Vec::new();
    let mut at = 0;
    // A definition's fixed part looks like a cell and is read as one.
    while at < packet.len() {
        if packet[at] == 0xfb {
            cells.push(None);
            at += 1;
            continue;
        }
        let (length, start) = length(packet, at);
        at = start + usize::try_from(length).unwrap();
        cells.push(Some(packet[start..at].to_vec()));
    }
    cells
}
