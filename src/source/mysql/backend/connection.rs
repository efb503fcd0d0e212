//! One connection to a server, on which a session's statements run.

use std::collections::HashSet;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use mysql_async::{DriverError, Error};
use tokio::runtime::Handle;

use super::super::budget::Permit;
use super::super::connect::{CONNECT_TIMEOUT, NET_WRITE_TIMEOUT_SECONDS};
use super::super::protocol::{
    COLUMNS_MAX, Head, Outcome, RawConnection, column, end, head, prepared,
};
use super::super::{Flavour, Server};
use super::control::{Control, kill};
use super::settings::{Settings, set_users};
use super::{ServedKeyspace, errors};
use crate::event::row::split_cell;
use crate::source::{BackendColumn, BackendError, ConnectError, RowBlock, Variables, Warning};
use crate::telemetry;

/// A connection that is logged in and set up. Dropping it takes leave of the server, and ends what it
/// still runs for us.
pub(super) struct ServerConnection {
    /// Nothing once it is dropped.
    raw: Option<RawConnection>,
    server: Server,
    served: Arc<ServedKeyspace>,
    control: Arc<Control>,
    flavour: Flavour,
    settings: Settings,
    /// Names without a database are those of the keyspace's.
    in_database: bool,
    /// User variables that the server knows better than the door.
    users: HashSet<String>,
    use_of: Use,
    permit: Option<Permit>,
}

/// What a connection can be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    /// The next statement.
    Ready,
    /// To read what answers the statement under way.
    Busy,
    /// Nothing any more.
    Gone,
}

/// What answers a statement.
pub(super) enum Answer {
    Ok(Outcome),
    /// Rows follow.
    Rows(Vec<BackendColumn>),
}

/// Why a statement has failed.
#[derive(Debug)]
pub(super) enum Failed {
    /// The server says so.
    Said(BackendError),
    /// The connection is gone.
    Lost,
}

impl ServerConnection {
    /// Opens a connection within the server's budget, unless the statement is interrupted meanwhile.
    pub async fn open(
        served: &Arc<ServedKeyspace>,
        server: &Server,
        control: &Arc<Control>,
        in_database: bool,
        counts_found_rows: bool,
    ) -> Result<Self, BackendError> {
        let opened = async {
            let taken = server.budget().take_for_session().await;
            let permit = taken.map_err(|exhausted| errors::exhausted(server, exhausted))?;
            let database = in_database.then(|| server.database());
            let connected = server.connect_for_client(database, counts_found_rows).await;
            let raw = connected.map_err(|error| errors::of_connect(&error))?;
            Ok::<_, BackendError>((raw, permit))
        };
        let (raw, permit) = tokio::select! {
            biased;
            () = control.killed() => return Err(BackendError::interrupted()),
            opened = opened => opened?,
        };
        let flavour = Flavour::of_version(raw.version());
        let mut connection = Self {
            raw: Some(raw),
            server: server.clone(),
            served: Arc::clone(served),
            control: Arc::clone(control),
            flavour,
            settings: Settings::default(),
            in_database,
            users: HashSet::new(),
            use_of: Use::Ready,
            permit: Some(permit),
        };
        match in_set_up_time(connection.run(&set_up(flavour))).await {
            Some(set_up) => set_up.map_err(|failed| failed.told(&served.keyspace, false))?,
            None => return Err(connection.late()),
        }
        Ok(connection)
    }

    /// What the client of a new connection is told that is not set up in time.
    pub fn late(&self) -> BackendError {
        let (address, after) = (self.server.address(), CONNECT_TIMEOUT);
        errors::of_connect(&ConnectError::TimedOut { address, after })
    }

    /// The keyspace that it is for.
    pub const fn served(&self) -> &Arc<ServedKeyspace> {
        &self.served
    }

    /// Whether another statement can be run.
    pub fn is_ready(&self) -> bool {
        self.use_of == Use::Ready
    }

    /// Whether the server is still there, as far as is known without asking it.
    pub async fn is_alive(&mut self) -> bool {
        let Some(raw) = self.raw.as_mut().filter(|raw| raw.is_quiet()) else { return false };
        let mut receive = pin!(raw.receive());
        // A server says nothing unasked but farewell.
        let alive =
            poll_fn(|context| Poll::Ready(receive.as_mut().poll(context).is_pending())).await;
        if !alive {
            self.use_of = Use::Gone;
        }
        alive
    }

    /// Lets the server's session hold what the client's variables hold; which of its user variables
    /// were new there.
    pub async fn set(
        &mut self,
        variables: &dyn Variables,
        users: &[String],
        read_only: bool,
    ) -> Result<Vec<String>, Failed> {
        if let Some(change) = self.settings.change(variables, self.flavour, read_only) {
            self.run(&change.statement).await?;
            self.settings.keep(change);
        }
        let new: Vec<String> =
            users.iter().filter(|name| !self.users.contains(*name)).cloned().collect();
        if let Some(statement) = set_users(&new, variables) {
            self.run(&statement).await?;
        }
        self.users.extend(new.iter().cloned());
        Ok(new)
    }

    /// Lets names without a database be those of the keyspace's, since the client has chosen it.
    pub async fn choose_database(&mut self) -> Result<(), Failed> {
        if !self.in_database {
            let name = self.server.database().replace('`', "``");
            self.run(&format!("USE `{name}`")).await?;
            self.in_database = true;
        }
        Ok(())
    }

    /// The server knows these user variables better than the door from now on.
    pub fn know(&mut self, users: &[String]) {
        self.users.extend(users.iter().cloned());
    }

    /// A KILL was sent, and may have come too late for its statement: none is to come for the next.
    pub async fn lift_kill(&mut self) -> Result<(), Failed> {
        match self.run("DO 0").await {
            Err(Failed::Said(_)) | Ok(()) => Ok(()),
            Err(Failed::Lost) => Err(Failed::Lost),
        }
    }

    /// Runs a statement of ours, which has no rows.
    pub async fn run(&mut self, statement: &str) -> Result<(), Failed> {
        match self.query(statement).await? {
            Answer::Ok(_) => Ok(()),
            Answer::Rows(_) => Err(self.broken("rows where none belong")),
        }
    }

    /// Runs a statement. Its rows are to be read to their end.
    pub async fn query(&mut self, statement: &str) -> Result<Answer, Failed> {
        let control = Arc::clone(&self.control);
        tokio::select! {
            biased;
            answer = self.ask(statement) => answer,
            () = control.overdue() => Err(self.broken("no answer to a KILL")),
        }
    }

    async fn ask(&mut self, statement: &str) -> Result<Answer, Failed> {
        self.begin()?;
        let sent = self.raw()?.ask(statement).await;
        sent.map_err(|error| self.failed(error))?;
        let packet = self.packet().await?;
        match head(&packet).map_err(|error| self.failed(error))? {
            Head::Ok(outcome) => {
                self.finish(&outcome);
                Ok(Answer::Ok(outcome))
            }
            Head::Columns(count) => {
                let columns = self.columns(count).await?;
                Ok(Answer::Rows(columns))
            }
            Head::File => {
                let refused = self.raw()?.give_no_file().await;
                refused.map_err(|error| self.failed(error))?;
                self.packet().await?;
                self.use_of = Use::Ready;
                Err(Failed::Said(errors::no_files()))
            }
        }
    }

    /// Adds rows to a block until it is full, or until the server would be waited for; whether that
    /// was the end of the rows. Cancel-safe: what was read is in the block.
    pub async fn rows(&mut self, block: &mut RowBlock) -> Result<bool, Failed> {
        loop {
            while block.bytes() < BLOCK_BYTES {
                let received = self.raw()?.received();
                let Some(packet) = received.map_err(|error| self.failed(error))? else { break };
                if let Some(outcome) = end(&packet).map_err(|error| self.failed(error))? {
                    self.finish(&outcome);
                    return Ok(true);
                }
                block.push(|cells| cells.extend_from_slice(&packet));
            }
            if !block.is_empty() {
                return Ok(false);
            }
            let control = Arc::clone(&self.control);
            let received = tokio::select! {
                biased;
                received = self.raw()?.receive() => received,
                () = control.overdue() => return Err(self.broken("no end after a KILL")),
            };
            received.map_err(|error| self.failed(error))?;
        }
    }

    /// The columns of a statement's rows; none if it has none, or cannot be prepared.
    pub async fn describe(&mut self, statement: &str) -> Result<Vec<BackendColumn>, Failed> {
        let control = Arc::clone(&self.control);
        tokio::select! {
            biased;
            columns = self.prepare(statement) => columns,
            () = control.overdue() => Err(self.broken("no answer to a KILL")),
        }
    }

    async fn prepare(&mut self, statement: &str) -> Result<Vec<BackendColumn>, Failed> {
        self.begin()?;
        let sent = self.raw()?.prepare(statement).await;
        sent.map_err(|error| self.failed(error))?;
        let packet = match self.packet().await {
            Err(Failed::Said(error)) if error.code == NOT_PREPARED => return Ok(Vec::new()),
            packet => packet?,
        };
        let made = prepared(&packet).map_err(|error| self.failed(error))?;
        if made.num_params() > 0 {
            self.columns(made.num_params().into()).await?;
        }
        let columns = match made.num_columns() {
            0 => Vec::new(),
            count => self.columns(count.into()).await?,
        };
        let closed = self.raw()?.close(made.statement_id()).await;
        closed.map_err(|error| self.failed(error))?;
        self.use_of = Use::Ready;
        Ok(columns)
    }

    /// What the statement before has left to SHOW WARNINGS.
    pub async fn warnings(&mut self) -> Result<Vec<Warning>, Failed> {
        let mut warnings = Vec::new();
        if let Answer::Ok(_) = self.query("SHOW WARNINGS").await? {
            return Ok(warnings);
        }
        loop {
            let mut block = RowBlock::default();
            let is_over = self.rows(&mut block).await?;
            warnings.extend(block.rows().filter_map(warning));
            if is_over {
                return Ok(warnings);
            }
        }
    }

    /// The definitions of so many columns, and what ends them.
    async fn columns(&mut self, count: u64) -> Result<Vec<BackendColumn>, Failed> {
        if count > COLUMNS_MAX {
            return Err(self.broken("more columns than there can be"));
        }
        let definitions = self.raw()?.definitions(count, column).await;
        let mut columns = definitions.map_err(|error| self.failed(error))?;
        for column in &mut columns {
            if column.schema == self.server.database() {
                column.schema.clone_from(&self.served.keyspace);
            }
        }
        Ok(columns.into_iter().map(BackendColumn::Served).collect())
    }

    async fn packet(&mut self) -> Result<Bytes, Failed> {
        let packet = self.raw()?.packet().await;
        packet.map_err(|error| self.failed(error))
    }

    fn raw(&mut self) -> Result<&mut RawConnection, Failed> {
        self.raw.as_mut().ok_or(Failed::Lost)
    }

    /// A command goes out: what a KILL is for from now on.
    fn begin(&mut self) -> Result<(), Failed> {
        let id = self.raw()?.id();
        if !self.control.go_on(&self.server, id) {
            return Err(Failed::Said(BackendError::interrupted()));
        }
        self.use_of = Use::Busy;
        Ok(())
    }

    fn finish(&mut self, outcome: &Outcome) {
        self.control.note(outcome.status, outcome.warnings);
        self.use_of = Use::Ready;
    }

    /// What went wrong. Behind an error of the server's the connection goes on, unless it ends.
    fn failed(&mut self, error: Error) -> Failed {
        match error {
            Error::Server(said) => {
                self.use_of = match said.code {
                    SHUTDOWN | CONNECTION_KILLED | SESSION_KILLED | IDLE => Use::Gone,
                    _ => Use::Ready,
                };
                if let DEADLOCK | XA_DEADLOCK = said.code {
                    self.control.note_rollback();
                }
                Failed::Said(BackendError::new(said.code, &said.state, said.message))
            }
            Error::Driver(DriverError::ConnectionClosed) | Error::Io(_) => {
                self.use_of = Use::Gone;
                Failed::Lost
            }
            error => self.broken(&error.to_string()),
        }
    }

    /// The server is there, but what it says cannot be gone on with.
    fn broken(&self, what: &str) -> Failed {
        tracing::debug!(server = self.server.name(), what, "a connection to a server was given up");
        Failed::Lost
    }
}

impl Failed {
    /// What the client is told.
    pub fn told(self, keyspace: &str, in_transaction: bool) -> BackendError {
        match self {
            Self::Said(error) => error,
            Self::Lost => errors::lost(keyspace, in_transaction),
        }
    }
}

impl Drop for ServerConnection {
    fn drop(&mut self) {
        let (Some(raw), permit) = (self.raw.take(), self.permit.take()) else { return };
        // Outside of a runtime nothing can be sent; the process ends.
        if Handle::try_current().is_err() {
            return;
        }
        match self.use_of {
            Use::Gone => {}
            Use::Ready => {
                telemetry::spawn("leave a server", async move {
                    let _ = tokio::time::timeout(LEAVE_TIMEOUT, raw.quit()).await;
                    drop(permit);
                });
            }
            Use::Busy => {
                let (server, id) = (self.server.clone(), raw.id());
                drop(raw);
                // A server that computes does not look whether anybody is still there.
                telemetry::spawn("end a statement", async move {
                    kill(&server, &format!("KILL {id}")).await;
                    drop(permit);
                });
            }
        }
    }
}

/// Waits no longer for a new connection's setting up than for the connection: a server that is stopped
/// behind the login says nothing.
pub(super) async fn in_set_up_time<T>(set_up: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout(CONNECT_TIMEOUT, set_up).await.ok()
}

/// A row of SHOW WARNINGS.
fn warning(row: &[u8]) -> Option<Warning> {
    let (level, rest) = split_cell(row)?;
    let (code, rest) = split_cell(rest)?;
    let (message, _) = split_cell(rest)?;
    Some(Warning {
        level: match level? {
            b"Error" => "Error",
            b"Note" => "Note",
            _ => "Warning",
        },
        code: str::from_utf8(code?).ok()?.parse().ok()?,
        message: String::from_utf8_lossy(message?).into_owned(),
    })
}

/// What holds for all statements: their time is bounded by the door, texts come in the
/// columns' own character sets, and a client may be as slow as the door lets it.
fn set_up(flavour: Flavour) -> String {
    let time_max = flavour.statement_time_variable();
    format!(
        "SET time_zone = '+00:00', character_set_client = utf8mb4, character_set_results = NULL, \
         {time_max} = 0, wait_timeout = {WAIT_TIMEOUT_SECONDS}, \
         net_write_timeout = {NET_WRITE_TIMEOUT_SECONDS}"
    )
}

/// Bytes of rows that are handed on together.
const BLOCK_BYTES: usize = 64 << 10;
/// For the farewell.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(1);
/// As long as a server can wait: how long a client may is the door's.
const WAIT_TIMEOUT_SECONDS: u32 = 31_536_000;
/// ER_UNSUPPORTED_PS.
const NOT_PREPARED: u16 = 1295;
/// Behind these the server hangs up: ER_SERVER_SHUTDOWN, ER_CONNECTION_KILLED of MariaDB,
/// ER_SESSION_WAS_KILLED, ER_CLIENT_INTERACTION_TIMEOUT.
const SHUTDOWN: u16 = 1053;
const CONNECTION_KILLED: u16 = 1927;
const SESSION_KILLED: u16 = 3169;
const IDLE: u16 = 4031;
/// Behind these the server has rolled back the transaction: ER_LOCK_DEADLOCK, ER_XA_RBDEADLOCK.
const DEADLOCK: u16 = 1213;
const XA_DEADLOCK: u16 = 1614;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::row::{push_cell, push_null};

    #[test]
    fn a_warning_is_read_from_its_row() {
        let mut row = Vec::new();
        for cell in ["Note", "1051", "Unknown table 'ks.t'"] {
            push_cell(&mut row, cell.as_bytes());
        }
        let expected =
            Warning { level: "Note", code: 1051, message: "Unknown table 'ks.t'".to_owned() };
        assert_eq!(warning(&row), Some(expected));
        row.clear();
        push_null(&mut row);
        assert_eq!(warning(&row), None);
    }
}
