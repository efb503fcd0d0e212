//! What a client asks for in one packet. Pure: bytes in, [`Command`] out, whatever the bytes.

use super::charsets;
use super::wire::Fields;
use crate::event::charset::Charset;

/// One command of the protocol's command phase.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// The login is through; answer it, and enter the database that it named.
    Login {
        /// The database; empty for none.
        database: String,
    },
    /// Statements as text.
    Query(String),
    /// Enter a database, as USE does.
    InitDb(String),
    /// Describe a table's columns; old clients complete names with it.
    FieldList {
        /// The table.
        table: String,
        /// A pattern of the columns' names; empty for all.
        wildcard: String,
    },
    /// Say that the server lives.
    Ping,
    /// One line about the server.
    Statistics,
    /// As KILL does.
    ProcessKill(u32),
    /// Log in as somebody else; the rest of its packet.
    ChangeUser(Vec<u8>),
    /// Forget the session, keep the login.
    ResetConnection,
    /// Allow or forbid several statements in one text.
    SetOption {
        /// Whether they are allowed.
        multi_statements: bool,
    },
    /// Prepare a statement.
    Prepare(String),
    /// Run a prepared statement; the rest of its packet.
    Execute(Vec<u8>),
    /// The next rows of a prepared statement's cursor.
    Fetch {
        /// Which statement.
        statement: u32,
        /// At most so many rows.
        rows: u32,
    },
    /// A part of a parameter's value; nothing is answered.
    LongData {
        /// Which statement.
        statement: u32,
        /// Which parameter, counted from 0.
        parameter: u16,
        /// The part.
        data: Vec<u8>,
    },
    /// Close a prepared statement's cursor and forget its long data.
    ResetPrepared(u32),
    /// Close a prepared statement; nothing is answered.
    Close(u32),
    /// A packet too short for its command.
    Malformed,
    /// A packet too short for a command that is not answered.
    Ignored,
    /// The client is leaving.
    Quit,
    /// The text is none of the client's character set.
    NotText(Charset),
    /// Nothing that this door knows.
    Unknown,
}

impl Command {
    /// Reads a command's packet, whose texts are in `client`.
    pub fn parse(payload: Vec<u8>, client: Charset) -> Self {
        let Some(&code) = payload.first() else { return Self::Unknown };
        let mut fields = Fields::new(payload.get(1..).unwrap_or_default());
        let text = |payload, command: fn(String) -> Self| {
            charsets::read(client, rest(payload)).map_or(Self::NotText(client), command)
        };
        match code {
            QUIT => Self::Quit,
            INIT_DB => text(payload, Self::InitDb),
            QUERY => text(payload, Self::Query),
            FIELD_LIST => {
                let [table, wildcard] = [fields.zero_ended(), fields.zero_ended()];
                let read = |name: &[u8]| charsets::read(client, name.to_vec());
                match (read(table), read(wildcard)) {
                    (Some(table), Some(wildcard)) => Self::FieldList { table, wildcard },
                    _ => Self::NotText(client),
                }
            }
            STATISTICS => Self::Statistics,
            PROCESS_KILL => fields.u32().map_or(Self::Unknown, Self::ProcessKill),
            PING => Self::Ping,
            STMT_PREPARE => text(payload, Self::Prepare),
            STMT_EXECUTE => Self::Execute(rest(payload)),
            STMT_FETCH => match (fields.u32(), fields.u32()) {
                (Some(statement), Some(rows)) => Self::Fetch { statement, rows },
                _ => Self::Malformed,
            },
            STMT_SEND_LONG_DATA => match (fields.u32(), fields.u16()) {
                (Some(statement), Some(parameter)) => {
                    Self::LongData { statement, parameter, data: fields.rest().to_vec() }
                }
                _ => Self::Ignored,
            },
            STMT_RESET => fields.u32().map_or(Self::Malformed, Self::ResetPrepared),
            STMT_CLOSE => fields.u32().map_or(Self::Ignored, Self::Close),
            SET_OPTION => match fields.u16() {
                Some(0) => Self::SetOption { multi_statements: true },
                Some(1) => Self::SetOption { multi_statements: false },
                _ => Self::Unknown,
            },
            CHANGE_USER => Self::ChangeUser(rest(payload)),
            RESET_CONNECTION => Self::ResetConnection,
            _ => Self::Unknown,
        }
    }

    /// The name that SHOW PROCESSLIST shows.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Login { .. } => "Connect",
            Self::Query(_) | Self::NotText(_) | Self::Unknown => "Query",
            Self::InitDb(_) => "Init DB",
            Self::FieldList { .. } => "Field List",
            Self::Ping => "Ping",
            Self::Statistics => "Statistics",
            Self::ProcessKill(_) => "Kill",
            Self::ChangeUser(_) => "Change user",
            Self::ResetConnection => "Reset Connection",
            Self::SetOption { .. } => "Set option",
            Self::Prepare(_) => "Prepare",
            Self::Execute(_) | Self::Malformed => "Execute",
            Self::Fetch { .. } => "Fetch",
            Self::LongData { .. } => "Long Data",
            Self::ResetPrepared(_) => "Reset stmt",
            Self::Close(_) | Self::Ignored => "Close stmt",
            Self::Quit => "Quit",
        }
    }
}

/// What is behind the command's byte, without another buffer for it.
fn rest(mut payload: Vec<u8>) -> Vec<u8> {
    payload.remove(0);
    payload
}

const QUIT: u8 = 0x01;
const INIT_DB: u8 = 0x02;
const QUERY: u8 = 0x03;
const FIELD_LIST: u8 = 0x04;
const STATISTICS: u8 = 0x09;
const PROCESS_KILL: u8 = 0x0c;
const PING: u8 = 0x0e;
const CHANGE_USER: u8 = 0x11;
const STMT_PREPARE: u8 = 0x16;
const STMT_EXECUTE: u8 = 0x17;
const STMT_SEND_LONG_DATA: u8 = 0x18;
const STMT_CLOSE: u8 = 0x19;
const STMT_RESET: u8 = 0x1a;
const SET_OPTION: u8 = 0x1b;
const STMT_FETCH: u8 = 0x1c;
const RESET_CONNECTION: u8 = 0x1f;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_read() {
        let read = |charset, bytes: &[u8]| Command::parse(bytes.to_vec(), charset);
        let check = |bytes: &[u8], expected| assert_eq!(read(Charset::Utf8mb4, bytes), expected);
        check(b"\x03select 1", Command::Query("select 1".into()));
        check(b"\x03\xff", Command::NotText(Charset::Utf8mb4));
        assert_eq!(read(Charset::Gbk, b"\x02\xd6\xd0"), Command::InitDb("中".into()));
        assert_eq!(read(Charset::Gbk, b"\x03\xff"), Command::NotText(Charset::Gbk));
        check(b"\x02ks", Command::InitDb("ks".into()));
        let (table, wildcard) = ("t".to_owned(), "a%".to_owned());
        check(b"\x04t\0a%", Command::FieldList { table, wildcard });
        let (table, wildcard) = ("t".to_owned(), String::new());
        check(b"\x04t", Command::FieldList { table, wildcard });
        check(b"\x04t\0\xff", Command::NotText(Charset::Utf8mb4));
        check(b"\x0c\x01\0\0\0", Command::ProcessKill(1));
        check(b"\x0c\x01", Command::Unknown);
        check(b"\x1b\x01\0", Command::SetOption { multi_statements: false });
        check(b"\x1b\x02\0", Command::Unknown);
        check(b"\x16select ?", Command::Prepare("select ?".into()));
        check(b"\x17\x01", Command::Execute(vec![1]));
        let (statement, rows) = (1, 2);
        check(b"\x1c\x01\0\0\0\x02\0\0\0", Command::Fetch { statement, rows });
        check(b"\x1c\x01\0\0\0\x02\0\0", Command::Malformed);
        let (parameter, data) = (2, b"ab".to_vec());
        check(b"\x18\x01\0\0\0\x02\0ab", Command::LongData { statement, parameter, data });
        check(b"\x18\x01\0\0\0\x02", Command::Ignored);
        check(b"\x1a\x01\0\0\0", Command::ResetPrepared(1));
        check(b"\x19\x01\0\0\0", Command::Close(1));
        check(b"\x19\x01\0", Command::Ignored);
        check(b"", Command::Unknown);
        check(b"\x11user\0", Command::ChangeUser(b"user\0".to_vec()));
    }
}
