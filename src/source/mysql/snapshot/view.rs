//! Opens a view of tables, and finds the position that it shows.
//!
//! MariaDB tells the place in its log at which a view was opened, for all tables and without a lock.
//! MySQL does not: one connection locks the tables against writers for a moment, in which another
//! one opens the view, and the first reads the position. Where they cannot be locked, the position
//! is read before the view is opened: what was committed in between comes twice, and nothing is
//! missed. It is never read after, and no lock is ever taken on more than the tables to be copied.

use std::collections::{HashMap, HashSet};

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
    /// Why the view may show more than the position says; `None` if it does not.
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

impl View {
    /// Opens a view of the first of these tables, in the order in which they are given.
    pub async fn open(
        server: &Server,
        names: &Names,
        tables: &[TableName],
    ) -> Result<(Self, Connection<RawConnection>), SourceError> {
        let (connection, mut locker) = server.connect_for_view().await?;
        let opening = async {
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
        tables: HashMap<TableName, Table>,
    ) -> Result<(View, Connection<RawConnection>), SourceError> {
        self.begin().await?;
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
        let position = found.flatten().ok_or("the log has no such place");
        let position = position.map_err(|error| self.server.unreadable(error))?;
        let position = position.parse().map_err(|error| self.server.unreadable(error))?;
        Ok(self.opened(position, None, tables))
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
        let failed = |error| self.server.broken("lock tables", error);
        let mut lock = Lock::Held;
        for mode in modes(&tables) {
            if let Lock::Missing = lock {
                tables = self.describe().await?;
            }
            lock = lock_tables(&mut locker.conn, tables.keys(), mode).await.map_err(failed)?;
            if let Lock::Held | Lock::Failed(Inexact::Forbidden) = lock {
                break;
            }
        }
        let (position, inexact) = match lock {
            Lock::Held => {
                self.begin().await?;
                let position =
                    bounds::executed(&mut locker.conn, Flavour::Mysql, self.server).await?;
                locker.conn.query_drop("UNLOCK TABLES").await.map_err(failed)?;
                (position, None)
            }
            Lock::Failed(why) => (self.position_before(&mut locker).await?, Some(why)),
            Lock::Missing => (self.position_before(&mut locker).await?, Some(Inexact::Busy)),
        };
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

    /// The position, and then the view.
    async fn position_before(&mut self, other: &mut Connection) -> Result<GtidSet, SourceError> {
        let position = bounds::executed(&mut other.conn, Flavour::Mysql, self.server).await?;
        self.begin().await?;
        Ok(position)
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
fn modes(tables: &HashMap<TableName, Table>) -> &'static [&'static str] {
    match tables.values().any(|table| table.schema.key.is_empty()) {
        true => &["READ", "WRITE", "WRITE", "WRITE"],
        false => &["READ", "READ", "READ"],
    }
}

/// Locks tables against writers, in a bounded time. Others go on with all other tables.
async fn lock_tables<'a>(
    conn: &mut Conn,
    tables: impl Iterator<Item = &'a TableName>,
    mode: &str,
) -> mysql_async::Result<Lock> {
    let tables: Vec<_> =
        tables.map(|name| format!("{} {mode}", literal::name(&name.table))).collect();
    if tables.is_empty() {
        return Ok(Lock::Held);
    }
    conn.query_drop(format!("SET lock_wait_timeout = {LOCK_WAIT_SECONDS}")).await?;
    match conn.query_drop(format!("LOCK TABLES {}", tables.join(", "))).await {
        Ok(()) => Ok(Lock::Held),
        Err(Error::Server(said)) => Ok(match said.code {
            LOCK_WAIT_TIMEOUT | DEADLOCK => Lock::Failed(Inexact::Busy),
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
/// ER_LOCK_WAIT_TIMEOUT and ER_LOCK_DEADLOCK.
const LOCK_WAIT_TIMEOUT: u16 = 1205;
const DEADLOCK: u16 = 1213;
/// ER_DBACCESS_DENIED_ERROR, ER_TABLEACCESS_DENIED_ERROR, ER_SPECIFIC_ACCESS_DENIED_ERROR.
const DATABASE_DENIED: u16 = 1044;
const TABLE_DENIED: u16 = 1142;
const PRIVILEGE_DENIED: u16 = 1227;
/// ER_NO_SUCH_TABLE.
const NO_SUCH_TABLE: u16 = 1146;
