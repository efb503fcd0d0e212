//! Opens a view of tables, and finds the position that it shows.
//!
//! MariaDB tells the place in its log at which a view was opened, for all tables and, unless its log
//! has just begun a new file, without a lock. MySQL does not: one connection locks the tables against
//! writers for a moment, in which it reads the position and another one opens the view. Where they cannot be locked, the position
//! is read before the view is opened: what was committed in between comes twice, and nothing is
//! missed. It is never read after, and no lock is ever taken on more than the tables to be copied.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error};

use crate::event::{GtidSet, TableName};
use crate::source::SourceError;
use crate::source::mysql::connect::{Connection, Server};
use crate::source::mysql::names::Names;
use crate::source::mysql::protocol::RawConnection;
use crate::source::mysql::schema::{self, Table};
use crate::source::mysql::{Flavour, bounds, literal, lookback, preflight, transaction};

/// What an open view shows.
#[derive(Debug)]
pub(super) struct View {
    pub position: GtidSet,
    /// Why tables without a key may show more than the position says; `None` if they do not.
    pub inexact: Option<Inexact>,
    /// The tables that were looked for.
    pub covered: HashSet<TableName>,
    /// Those of them that there are, as they were right before.
    pub tables: HashMap<TableName, Table>,
}

/// Why tables were not locked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Inexact {
    /// The server's user has no right to.
    Forbidden,
    /// Transactions that stay open had changed them.
    Busy,
}

/// How it went with a lock.
enum Lock {
    Held,
    Failed(Inexact),
    /// A table is gone.
    Missing,
}

impl Lock {
    /// Why there is none.
    fn failure(self) -> Option<Inexact> {
        match self {
            Self::Held => None,
            Self::Failed(why) => Some(why),
            Self::Missing => Some(Inexact::Busy),
        }
    }
}

/// How tables are locked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// All of them, behind everybody who writes.
    Read,
    /// Those without a key, before everybody who comes later.
    Write,
}

/// Where an open view is.
struct Shown {
    position: GtidSet,
    /// Nothing but its file's head is before it in its file.
    begins_file: bool,
}

impl View {
    /// Opens a view of the first of these tables, in the order in which they are given.
    pub async fn open(
        server: &Server,
        names: &Names,
        tables: &[TableName],
    ) -> Result<(Self, Connection<RawConnection>), SourceError> {
        let (connection, mut locker) = server.connect_for_view().await?;
        let opening = async {
            // One of them would tell a position that is none of the other's view.
            if connection.instance != locker.instance {
                let address = server.address();
                let context = format!(
                    "another server answers at {address} than the one that shows the tables"
                );
                return Err(SourceError::Disconnected { context, source: None });
            }
            let flavour = connection.flavour;
            let tables = match flavour {
                Flavour::Mysql => tables.get(..LOCKED_TABLES_MAX).unwrap_or(tables),
                Flavour::MariaDb => tables,
            };
            let mut opening = Opening { server, names, tables, connection };
            let fit = preflight::require_fit(&mut locker.conn, locker.flavour, server);
            let (tables, ()) = tokio::try_join!(opening.describe(), fit)?;
            match flavour {
                Flavour::Mysql => opening.mysql(locker, tables).await,
                Flavour::MariaDb => opening.mariadb(locker, tables).await,
            }
        };
        server.in_time(opening).await
    }
}

/// A view to be opened.
struct Opening<'a> {
    server: &'a Server,
    names: &'a Names,
    tables: &'a [TableName],
    connection: Connection<RawConnection>,
}

impl Opening<'_> {
    async fn mariadb(
        mut self,
        mut other: Connection,
        mut tables: HashMap<TableName, Table>,
    ) -> Result<(View, Connection<RawConnection>), SourceError> {
        self.begin().await?;
        let mut shown = self.shown(&mut other).await?;
        if !shown.begins_file {
            return Ok(self.opened(shown.position, None, tables));
        }
        // A new file is told as the place before the last transactions of the one before it, which
        // are already in the position, are in any view. Who has a lock knows that none is on its way.
        self.tables = self.tables.get(..LOCKED_TABLES_MAX).unwrap_or(self.tables);
        tables.retain(|name, _| self.tables.contains(name));
        let failure = self.lock(&mut other, &mut tables, READS).await?.failure();
        if failure.is_some() {
            self.settle(&mut other).await?;
        }
        self.begin().await?;
        shown = self.shown(&mut other).await?;
        self.unlock(&mut other).await?;
        let inexact = failure.filter(|_| shown.begins_file);
        Ok(self.opened(shown.position, inexact, tables))
    }

    /// The position of MariaDB's view that is open.
    async fn shown(&mut self, other: &mut Connection) -> Result<Shown, SourceError> {
        let failed = |error| self.server.broken(POSITION, error);
        let conn = &mut self.connection.conn;
        let status: Vec<(String, String)> =
            conn.query("SHOW STATUS LIKE 'binlog_snapshot_%'").await.map_err(failed)?;
        let value = |wanted: &str| {
            let found = status.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted));
            found.map(|(_, value)| value.as_str()).unwrap_or_default()
        };
        let (file, place) = (value("binlog_snapshot_file"), value("binlog_snapshot_position"));
        let place: u64 = place.parse().map_err(|error| self.server.unreadable(error))?;
        let found = bounds::at_place(&mut other.conn, file, place).await.map_err(failed)?;
        let Some(found) = found.flatten() else {
            // While its log goes over to another file, a server may tell the one with the other's
            // place.
            let name = self.server.name();
            let context = format!("{POSITION} of {name}: none is at {place} of {file}");
            return Err(SourceError::Disconnected { context, source: None });
        };
        let position: GtidSet = found.parse().map_err(|error| self.server.unreadable(error))?;
        let begin = bounds::before_file(&mut other.conn, file, self.server).await?;
        Ok(Shown { begins_file: position == begin, position })
    }

    /// Waits until what a server has logged is committed, as far as that shows without a lock.
    async fn settle(&self, other: &mut Connection) -> Result<(), SourceError> {
        for _ in 0..SETTLE_MAX {
            tokio::time::sleep(SETTLE_TIME).await;
            let waiting = "SHOW STATUS LIKE 'Rpl_semi_sync_master_wait_sessions'";
            let waiting: Option<(String, u64)> = other
                .conn
                .query_first(waiting)
                .await
                .map_err(|error| self.server.broken(POSITION, error))?;
            if waiting.is_none_or(|(_, sessions)| sessions == 0) {
                return Ok(());
            }
        }
        let context = format!("transactions of {} wait for its replicas", self.server.name());
        Err(SourceError::Disconnected { context, source: None })
    }

    fn opened(
        self,
        position: GtidSet,
        inexact: Option<Inexact>,
        tables: HashMap<TableName, Table>,
    ) -> (View, Connection<RawConnection>) {
        let covered = self.tables.iter().cloned().collect();
        (View { position, inexact, covered, tables }, self.connection)
    }

    async fn mysql(
        mut self,
        mut locker: Connection,
        mut tables: HashMap<TableName, Table>,
    ) -> Result<(View, Connection<RawConnection>), SourceError> {
        let modes = modes(&tables);
        let inexact = self.lock(&mut locker, &mut tables, modes).await?.failure();
        // Rows of tables that are not locked may be newer than the position, and are never older.
        let position = bounds::executed(&mut locker.conn, Flavour::Mysql, self.server).await?;
        self.begin().await?;
        self.unlock(&mut locker).await?;
        let position = self.without_prepared(locker, position).await?;
        Ok(self.opened(position, inexact, tables))
    }

    /// The position less the XA transactions that are prepared: their rows are in no view yet, and
    /// who catches up with the position must not wait for their end. A user who may not see them
    /// waits.
    async fn without_prepared(
        &self,
        mut locker: Connection,
        position: GtidSet,
    ) -> Result<GtidSet, SourceError> {
        let conn = &mut locker.conn;
        let prepared: Vec<XaRow> = match conn.query("XA RECOVER").await {
            Err(Error::Server(_)) => return Ok(position),
            prepared => prepared.map_err(|error| self.server.broken("list XA", error))?,
        };
        if prepared.is_empty() {
            return Ok(position);
        }
        let until = bounds::executed(conn, Flavour::Mysql, self.server).await?;
        let places = bounds::places_before(conn, Flavour::Mysql, self.server, &position).await?;
        // Whoever reads the log needs a connection, too.
        drop(locker);
        let xids: Vec<_> = prepared.into_iter().map(xid).collect();
        let mut halves = GtidSet::new();
        for half in lookback::prepared(self.server, places, &until, &xids).await? {
            halves.add(half);
        }
        Ok(position.subtract(&halves))
    }

    /// Tries to lock the tables in these ways, in turn.
    async fn lock(
        &mut self,
        locker: &mut Connection,
        tables: &mut HashMap<TableName, Table>,
        modes: &[Mode],
    ) -> Result<Lock, SourceError> {
        let mut lock = Lock::Held;
        for mode in modes {
            if let Lock::Missing = lock {
                *tables = self.describe().await?;
            }
            let locked = lock_tables(&mut locker.conn, tables.values(), *mode).await;
            lock = locked.map_err(|error| self.server.broken(LOCK, error))?;
            if let Lock::Held | Lock::Failed(Inexact::Forbidden) = lock {
                break;
            }
        }
        Ok(lock)
    }

    async fn unlock(&self, locker: &mut Connection) -> Result<(), SourceError> {
        let unlocked = locker.conn.query_drop("UNLOCK TABLES").await;
        unlocked.map_err(|error| self.server.broken(LOCK, error))
    }

    /// The tables as they are now. Read before the view is opened: if they still are the same when
    /// they are read, nothing was changed about them in between.
    async fn describe(&mut self) -> Result<HashMap<TableName, Table>, SourceError> {
        let Connection { conn, flavour, .. } = &mut self.connection;
        let which = among(self.tables);
        let read = schema::read_tables(conn, *flavour, self.server, self.names, &which).await;
        let read = read.map_err(|error| self.server.broken("read the schemas", error))?;
        let named = read.into_iter().map(|table| (table.schema.name.clone(), table));
        let wanted: HashSet<_> = self.tables.iter().collect();
        Ok(named.filter(|(name, _)| wanted.contains(name)).collect())
    }

    async fn begin(&mut self) -> Result<(), SourceError> {
        let conn = &mut self.connection.conn;
        for statement in BEGIN {
            let done = conn.run(statement).await;
            done.map_err(|error| self.server.broken("open a view", error))?;
        }
        Ok(())
    }
}

/// What XA RECOVER says of a transaction: the number of its name's form, the lengths of the name's
/// two parts, and both.
type XaRow = (u64, usize, usize, Vec<u8>);

/// The name of an XA transaction as the log's reader spells it.
fn xid((form, length, _, name): XaRow) -> String {
    let (global, branch) = name.split_at_checked(length).unwrap_or((&name, &[]));
    let (global, branch) = (literal::bytes(global), literal::bytes(branch));
    transaction::key(&format!("{global},{branch},{form}"))
}

/// How to try to lock tables, in this order. Who waits for a READ lock holds nobody up, and waits for
/// ever where there always is a transaction that has changed one of the tables. A WRITE lock keeps
/// others waiting behind it, but comes: only tables without a key are worth that.
fn modes(tables: &HashMap<TableName, Table>) -> &'static [Mode] {
    match tables.values().any(|table| table.schema.key.is_empty()) {
        true => &[Mode::Read, Mode::Write, Mode::Write, Mode::Write],
        false => READS,
    }
}

/// Locks tables against writers, in a bounded time. Others go on with all other tables.
async fn lock_tables<'a>(
    conn: &mut Conn,
    tables: impl Iterator<Item = &'a Table>,
    mode: Mode,
) -> mysql_async::Result<Lock> {
    let (word, all) = match mode {
        Mode::Read => ("READ", true),
        Mode::Write => ("WRITE", false),
    };
    let tables: Vec<_> = tables
        .filter(|table| all || table.schema.key.is_empty())
        .map(|table| format!("{} {word}", literal::name(&table.schema.name.table)))
        .collect();
    if tables.is_empty() {
        return Ok(Lock::Held);
    }
    conn.query_drop(format!("SET lock_wait_timeout = {LOCK_WAIT_SECONDS}")).await?;
    match conn.query_drop(format!("LOCK TABLES {}", tables.join(", "))).await {
        Ok(()) => Ok(Lock::Held),
        Err(Error::Server(said)) => Ok(match said.code {
            LOCK_WAIT_TIMEOUT | DEADLOCK | READ_ONLY => Lock::Failed(Inexact::Busy),
            DATABASE_DENIED | TABLE_DENIED | PRIVILEGE_DENIED => Lock::Failed(Inexact::Forbidden),
            NO_SUCH_TABLE => Lock::Missing,
            _ => return Err(Error::Server(said)),
        }),
        Err(error) => Err(error),
    }
}

/// A condition that the names of these tables meet, and others if they are many: a server that looks
/// for many names looks through all tables.
pub(in crate::source::mysql) fn among(tables: &[TableName]) -> String {
    let names: Vec<_> =
        tables.iter().take(NAMED_TABLES_MAX + 1).map(|name| literal::text(&name.table)).collect();
    match names.as_slice() {
        [] => "AND FALSE".to_owned(),
        [name] => format!("AND TABLE_NAME = {name}"),
        names if names.len() > NAMED_TABLES_MAX => String::new(),
        names => format!("AND TABLE_NAME IN ({})", names.join(", ")),
    }
}

const POSITION: &str = "read the position of a view";
const LOCK: &str = "lock tables";
/// Holds nobody up.
const READS: &[Mode] = &[Mode::Read; 3];
/// Cells are the columns' own bytes, as in the log.
const BEGIN: &[&str] = &[
    "SET character_set_results = NULL",
    "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
    "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
];
/// So many tables are locked at once, and writers of all of them held up for as long as that takes.
const LOCKED_TABLES_MAX: usize = 100;
/// More tables are not looked for by their names.
const NAMED_TABLES_MAX: usize = 100;
/// How long one try to lock waits for open transactions.
const LOCK_WAIT_SECONDS: u64 = 1;
/// Between a log's new file and a look whether what stands before it is committed, and how often.
const SETTLE_TIME: Duration = Duration::from_secs(1);
const SETTLE_MAX: usize = 20;
/// ER_LOCK_WAIT_TIMEOUT and ER_LOCK_DEADLOCK.
pub(super) const LOCK_WAIT_TIMEOUT: u16 = 1205;
pub(super) const DEADLOCK: u16 = 1213;
/// ER_OPTION_PREVENTS_STATEMENT: a server that is read-only, of a WRITE lock.
const READ_ONLY: u16 = 1290;
/// ER_DBACCESS_DENIED_ERROR, ER_TABLEACCESS_DENIED_ERROR, ER_SPECIFIC_ACCESS_DENIED_ERROR.
const DATABASE_DENIED: u16 = 1044;
const TABLE_DENIED: u16 = 1142;
const PRIVILEGE_DENIED: u16 = 1227;
/// ER_NO_SUCH_TABLE.
const NO_SUCH_TABLE: u16 = 1146;
