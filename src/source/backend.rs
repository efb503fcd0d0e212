//! Ordinary statements, passed through to the server behind a keyspace.
//!
//! # Contract
//! A session is one client's: it runs one statement at a time and keeps what MySQL keeps per
//! connection (the open transaction, savepoints, the last insert id). A dropped session rolls back.
//! Cells of result rows are in the encoding of [`crate::event::row`], in each column's own bytes.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use crate::event::CollationId;
use crate::sql::sqlite::Fault;
pub use crate::sql::sqlite::{ResultColumn, Variables, Warning};

/// A server that runs ordinary statements.
#[async_trait]
pub trait Backend: Send + Sync + 'static {
    /// A new session for this user.
    async fn session(&self, user: &str) -> Result<Box<dyn BackendSession>, BackendError>;
}

/// One client's session on a server.
#[async_trait]
pub trait BackendSession: Send {
    /// Whose session it is. Said before the first statement, if at all.
    fn introduce(&mut self, _client: Introduction) {}

    /// Runs one statement. Rows are to be read to their end, or dropped, before the next one.
    /// Dropping the future abandons the statement: it may have run or not, as when a connection
    /// breaks.
    async fn execute(
        &mut self,
        sql: &str,
        variables: &dyn Variables,
    ) -> Result<BackendReply, BackendError>;

    /// The columns of a statement's rows, without running it; none if it has no rows.
    async fn describe(
        &mut self,
        sql: &str,
        variables: &dyn Variables,
    ) -> Result<Vec<BackendColumn>, BackendError>;

    /// What the status flags of an OK packet say.
    fn status(&self) -> BackendStatus;

    /// Interrupts what the session runs, from elsewhere.
    fn kill_handle(&self) -> KillHandle;

    /// What the statement before left to SHOW WARNINGS.
    fn warnings(&self) -> Left {
        Left::default()
    }

    /// What of it only the server knows. Statements may come in between only if it is not asked for.
    async fn ask_warnings(&mut self) -> Result<Vec<Warning>, BackendError> {
        Ok(Vec::new())
    }

    /// Rolls back and forgets everything, as COM_RESET_CONNECTION does.
    async fn reset(&mut self) -> Result<(), BackendError>;
}

/// What a session may want to know of its client.
pub struct Introduction {
    /// An UPDATE counts the rows that it finds, not those that it changes: its login says so.
    pub counts_found_rows: bool,
    /// Takes what SHOW PROCESSLIST is to say of a statement that does not run yet.
    pub show_state: Box<dyn Fn(&'static str) + Send + Sync>,
}

/// What a statement has left to SHOW WARNINGS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Left {
    /// These.
    Known(Vec<Warning>),
    /// So many, which are asked for when somebody wants to see them.
    AtServer(u16),
}

impl Default for Left {
    fn default() -> Self {
        Self::Known(Vec::new())
    }
}

/// What a statement answers.
pub enum BackendReply {
    /// No rows.
    Ok(BackendOk),
    /// A result set.
    Rows(Box<dyn BackendRows>),
}

impl fmt::Debug for BackendReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ok(ok) => f.debug_tuple("Ok").field(ok).finish(),
            Self::Rows(rows) => f.debug_tuple("Rows").field(&rows.columns()).finish(),
        }
    }
}

/// What an OK packet says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BackendOk {
    /// Rows inserted, changed or deleted, as MySQL counts them.
    pub affected_rows: u64,
    /// The first AUTO_INCREMENT value that the statement made; 0 for none.
    pub last_insert_id: u64,
    /// How many warnings there are.
    pub warnings: u16,
    /// The text that clients show, such as `Rows matched: 1  Changed: 1  Warnings: 0`.
    pub info: String,
}

/// The rows of a result set. Dropping it stops the statement.
#[async_trait]
pub trait BackendRows: Send {
    /// The columns.
    fn columns(&self) -> &[BackendColumn];

    /// The next rows; `None` at the end. Cancel-safe.
    async fn next(&mut self) -> Result<Option<RowBlock>, BackendError>;
}

/// A column of a result.
#[derive(Debug, Clone, PartialEq)]
pub enum BackendColumn {
    /// One of a declared type.
    Declared(ResultColumn),
    /// One that another server has described.
    Served(ServedColumn),
}

impl BackendColumn {
    /// The name that clients see.
    pub fn name(&self) -> &str {
        match self {
            Self::Declared(column) => &column.name,
            Self::Served(column) => &column.name,
        }
    }
}

/// A column as a server describes it in the protocol, its texts in their own character sets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServedColumn {
    /// The keyspace; empty for what is no table's.
    pub schema: String,
    /// The table's alias.
    pub table: String,
    /// The table's own name.
    pub original_table: String,
    /// The column's alias.
    pub name: String,
    /// The column's own name.
    pub original_name: String,
    /// The collation of its cells; `binary` for all that is no text.
    pub collation: CollationId,
    /// The longest cell in bytes.
    pub length: u32,
    /// The protocol's number of its type.
    pub wire_type: u8,
    /// The protocol's flags.
    pub flags: u16,
    /// Digits behind the point.
    pub decimals: u8,
}

/// Some rows of a result set, one after the other in one buffer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RowBlock {
    cells: Vec<u8>,
    ends: Vec<usize>,
}

impl RowBlock {
    /// Appends a row whose cells `write` appends.
    pub fn push(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        write(&mut self.cells);
        self.ends.push(self.cells.len());
    }

    /// The rows in order, each the payload of a text-protocol row packet.
    pub fn rows(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, &end)| &self.cells[start..end])
    }

    /// The row of this number, counted from 0.
    pub fn row(&self, index: usize) -> Option<&[u8]> {
        let end = *self.ends.get(index)?;
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before]);
        self.cells.get(start..end)
    }

    /// Drops all rows but the first `count`.
    pub fn truncate(&mut self, count: usize) {
        self.ends.truncate(count);
        self.cells.truncate(self.ends.last().copied().unwrap_or(0));
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Bytes of cells.
    pub fn bytes(&self) -> usize {
        self.cells.len()
    }
}

/// What the status flags of an OK packet say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BackendStatus {
    /// A transaction is open.
    pub in_transaction: bool,
    /// Statements outside a transaction commit by themselves.
    pub autocommit: bool,
}

/// Interrupts a session's running statement; without one, nothing happens.
#[derive(Clone)]
pub struct KillHandle(Arc<dyn Fn() + Send + Sync>);

impl KillHandle {
    /// A handle that interrupts by this.
    pub fn new(interrupt: impl Fn() + Send + Sync + 'static) -> Self {
        Self(Arc::new(interrupt))
    }

    /// Asks the running statement to end with error 1317.
    pub fn interrupt(&self) {
        (self.0)();
    }
}

impl fmt::Debug for KillHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KillHandle")
    }
}

/// Why a statement failed, in MySQL's terms.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct BackendError {
    /// MySQL's error number.
    pub code: u16,
    /// The SQLSTATE.
    pub state: [u8; 5],
    /// What clients show.
    pub message: String,
}

impl BackendError {
    /// An error of this number, state and text. A state that is none is the general one.
    pub fn new(code: u16, state: &str, message: impl Into<String>) -> Self {
        let state = state.as_bytes().try_into().unwrap_or(*b"HY000");
        Self { code, state, message: message.into() }
    }

    /// Another session holds the right to write for too long.
    pub fn lock_wait_timeout() -> Self {
        Self::new(1205, "HY000", "Lock wait timeout exceeded; try restarting transaction")
    }

    /// KILL QUERY ended the statement.
    pub fn interrupted() -> Self {
        Self::new(1317, "70100", "Query execution was interrupted")
    }
}

impl From<Fault> for BackendError {
    fn from(fault: Fault) -> Self {
        Self::new(fault.code(), fault.state(), fault.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_gives_its_rows_back() {
        let mut block = RowBlock::default();
        block.push(|cells| cells.extend_from_slice(b"ab"));
        block.push(|_| {});
        block.push(|cells| cells.push(b'c'));
        assert_eq!(block.rows().collect::<Vec<_>>(), [&b"ab"[..], b"", b"c"]);
    }
}
