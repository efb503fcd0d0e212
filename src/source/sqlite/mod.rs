//! The embedded store: one SQLite file per shard, written by MySQL's statements.
//!
//! All writes go through one connection, which catches the images of every row that changes
//! ([`capture`]) and writes them to a journal in the same transaction ([`journal`]). Changes are
//! read from the journal, copies from a read transaction; cells are printed by one function
//! ([`convert`]) for both. MySQL's statements are translated by [`crate::sql::sqlite`] and run row
//! by row ([`write`]). A real, durable store for demos, tests and small use; not a MySQL: what is
//! not understood is an error that says so.

mod capture;
pub mod cell;
mod changes;
mod condition;
mod connection;
pub mod convert;
mod counters;
mod ddl;
mod extent;
pub mod functions;
mod handover;
mod identity;
mod journal;
mod lock;
mod registry;
mod rows;
mod session;
mod snapshot;
mod tableless;
pub mod write;
mod writer;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::watch;

use self::connection::{Opened, Readers};
use self::counters::Counters;
use self::identity::ServerId;
use self::lock::{LockError, StoreLock};
use self::registry::Registry;
pub use self::tableless::Tableless;
use self::writer::{Shared, Writer};
use super::{
    Backend, BackendError, BackendSession, Changes, Extent, Finding, Scope, Snapshot, Source,
    SourceError, Span,
};
use crate::event::{GtidSet, TableName, TableSchema};
use crate::sql::sqlite::Table;
use crate::telemetry;

/// How a store behaves, with a bound on everything that could grow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreConfig {
    /// The keyspace, which statements know as the database.
    pub keyspace: String,
    /// The shard; part of the file's name.
    pub shard: String,
    /// How long a write waits for another session's transaction before error 1205.
    pub lock_wait_timeout: Duration,
    /// Bytes of journal that are kept.
    pub journal_bytes_max: u64,
    /// How long a journal entry is kept.
    pub journal_age_max: Duration,
    /// How often an idle store looks for entries that have become too old.
    pub journal_trim_interval: Duration,
    /// Statements that read at the same time.
    pub readers_max: usize,
    /// Snapshots that are open at the same time.
    pub snapshots_max: usize,
    /// How long one more snapshot waits for one of them to end.
    pub snapshot_wait_timeout: Duration,
    /// A snapshot that is older is given up, read or not: the write-ahead log grows behind it.
    pub snapshot_age_max: Duration,
    /// Bytes of one cell.
    pub cell_bytes_max: usize,
    /// Bytes of row images of one statement, held in memory until it succeeds.
    pub statement_bytes_max: usize,
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self {
            keyspace: "commerce".to_owned(),
            shard: "0".to_owned(),
            lock_wait_timeout: Duration::from_secs(50),
            journal_bytes_max: 1 << 30,
            journal_age_max: Duration::from_hours(72),
            journal_trim_interval: Duration::from_mins(1),
            readers_max: 32,
            snapshots_max: 16,
            snapshot_wait_timeout: Duration::from_secs(60),
            // Whoever reads on renews them after ten minutes; this is for those who do not.
            snapshot_age_max: Duration::from_mins(15),
            cell_bytes_max: 64 << 20,
            statement_bytes_max: 512 << 20,
        }
    }
}

/// Why a store did not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it.
    #[error("the store in {} is in use by process {}", directory.display(),
        pid.map_or_else(|| "(unknown)".to_owned(), |pid| pid.to_string()))]
    InUse {
        /// The store's directory.
        directory: PathBuf,
        /// Whose it is.
        pid: Option<u32>,
    },
    /// A file or directory cannot be used.
    #[error("open the store at {}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// SQLite cannot use the file, or it is not a store.
    #[error("open the store's file {}", path.display())]
    Database {
        /// Which.
        path: PathBuf,
        /// What SQLite said.
        #[source]
        source: rusqlite::Error,
    },
    /// A new store could not be filled.
    #[error("make the first tables")]
    Fill(#[source] BackendError),
}

/// One shard's embedded store.
#[derive(Debug)]
pub struct Store {
    config: StoreConfig,
    name: String,
    shared: Arc<Shared>,
    writer: Arc<tokio::sync::Mutex<Writer>>,
    readers: Readers,
    /// Apart from clients' statements, which may hold theirs for as long as a client reads.
    change_readers: Readers,
    snapshot_readers: Readers,
    versions: Mutex<HashMap<i64, Arc<TableSchema>>>,
}

impl Store {
    /// Opens the store in a directory, making both if need be. A new store of keyspace `commerce`
    /// gets the tables of the tour.
    pub async fn open(directory: &Path, config: StoreConfig) -> Result<Arc<Self>, OpenError> {
        let directory = directory.to_owned();
        let opening = tokio::task::spawn_blocking(move || Self::open_files(&directory, config));
        let store = opening.await.expect("opening a store does not panic")?;
        let interval = store.config.journal_trim_interval;
        telemetry::spawn("journal trim", keep_trimmed(Arc::downgrade(&store.writer), interval));
        if store.config.keyspace == TOUR {
            // Each statement is one transaction: a store that was killed here goes on where it was.
            let done = usize::try_from(*store.shared.committed.borrow()).unwrap_or(usize::MAX);
            let mut session = session::StoreSession::new(Arc::clone(&store), "root");
            for statement in TOUR_STATEMENTS.into_iter().skip(done) {
                session.execute(statement, &NoVariables).await.map_err(OpenError::Fill)?;
            }
        }
        Ok(store)
    }

    fn open_files(directory: &Path, config: StoreConfig) -> Result<Arc<Self>, OpenError> {
        let io = |source| OpenError::Io { path: directory.to_owned(), source };
        std::fs::create_dir_all(directory).map_err(io)?;
        let stem = format!("{}.{}", config.keyspace, config.shard);
        let lock =
            StoreLock::take(&directory.join(format!("{stem}.lock"))).map_err(
                |error| match error {
                    LockError::Held(pid) => {
                        OpenError::InUse { directory: directory.to_owned(), pid }
                    }
                    LockError::Io(source) => io(source),
                },
            )?;
        let path = directory.join(format!("{stem}.sqlite"));
        Self::open_database(&path, config, lock)
            .map_err(|source| OpenError::Database { path, source })
    }

    fn open_database(
        path: &Path,
        config: StoreConfig,
        lock: StoreLock,
    ) -> rusqlite::Result<Arc<Self>> {
        let opened = Opened::writer(path, config.cell_bytes_max)?;
        let connection = &opened.connection;
        let server = match journal::server(connection)? {
            Some(server) => server,
            None => create(connection)?,
        };
        counters::create(connection)?;
        let registry = Registry::load(connection, &config.keyspace)?;
        let extent = journal::extent(connection)?;
        let shared = Arc::new(Shared {
            server,
            registry: RwLock::new(Arc::new(registry)),
            committed: watch::Sender::new(extent.last),
            counters: Arc::new(Counters::default()),
            _lock: lock,
        });
        let mut writer = Writer::new(opened, Arc::clone(&shared), &config)?;
        while writer.trim()? {}
        let store = Self {
            name: format!("{}/{}", config.keyspace, config.shard),
            readers: Readers::new(path, config.cell_bytes_max, config.readers_max),
            change_readers: Readers::new(path, config.cell_bytes_max, CHANGE_READERS_MAX),
            snapshot_readers: Readers::new(path, config.cell_bytes_max, config.snapshots_max),
            writer: Arc::new(tokio::sync::Mutex::new(writer)),
            versions: Mutex::default(),
            config,
            shared,
        };
        Ok(Arc::new(store))
    }

    /// The tables as defined, in bytewise order of their names.
    pub fn tables(&self) -> Vec<Arc<Table>> {
        self.shared.registry().lives().map(|live| Arc::clone(&live.table)).collect()
    }

    /// What SHOW CREATE TABLE says.
    pub fn show_create(&self, table: &str) -> Option<String> {
        self.shared.registry().live(table).map(|live| live.table.to_sql())
    }

    /// The store as a source of changes.
    pub fn source(self: &Arc<Self>) -> StoreSource {
        StoreSource(Arc::clone(self))
    }

    /// The store as a server of statements.
    pub fn backend(self: &Arc<Self>) -> StoreBackend {
        StoreBackend(Arc::clone(self))
    }

    /// The schema of a version, live or ended.
    fn version(
        &self,
        connection: &rusqlite::Connection,
        version: i64,
    ) -> rusqlite::Result<Arc<TableSchema>> {
        let lock = || self.versions.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(schema) = lock().get(&version) {
            return Ok(Arc::clone(schema));
        }
        let registry = self.shared.registry();
        let live = registry.lives().find(|live| live.version == version);
        let schema = match live {
            Some(live) => Arc::clone(&live.schema),
            None => Registry::version(connection, &self.config.keyspace, version)?,
        };
        let mut versions = lock();
        if versions.len() >= VERSIONS_MAX {
            versions.clear();
        }
        Ok(Arc::clone(versions.entry(version).or_insert(schema)))
    }

    /// Everything committed by now.
    fn position(&self) -> GtidSet {
        self.shared.server.up_to(*self.shared.committed.borrow())
    }
}

fn create(connection: &rusqlite::Connection) -> rusqlite::Result<ServerId> {
    let server = ServerId::random().map_err(|error| {
        rusqlite::Error::UserFunctionError(format!("no random numbers: {error}").into())
    })?;
    connection.execute_batch("BEGIN IMMEDIATE")?;
    journal::create(connection, server)?;
    Registry::create(connection)?;
    connection.execute_batch("COMMIT")?;
    Ok(server)
}

/// Trims the journal of a store in which nobody commits, for as long as the store is open.
async fn keep_trimmed(writer: Weak<tokio::sync::Mutex<Writer>>, interval: Duration) {
    loop {
        tokio::time::sleep(interval).await;
        loop {
            let Some(writer) = writer.upgrade() else { return };
            // One step at a time: whoever waits to write comes between.
            let mut writer = writer.lock_owned().await;
            match tokio::task::spawn_blocking(move || writer.trim()).await {
                Ok(Ok(true)) => {}
                Ok(Ok(false)) => break,
                // The process ends.
                Err(_) => return,
                Ok(Err(error)) => {
                    tracing::warn!(%error, "trimming the journal failed; will retry");
                    break;
                }
            }
        }
    }
}

/// A store as a source of changes.
#[derive(Debug, Clone)]
pub struct StoreSource(Arc<Store>);

#[async_trait]
impl Source for StoreSource {
    fn name(&self) -> &str {
        &self.0.name
    }

    async fn preflight(&self) -> Result<Vec<Finding>, SourceError> {
        Ok(Vec::new())
    }

    async fn tables(&self) -> Result<Vec<Arc<TableSchema>>, SourceError> {
        Ok(self.0.shared.registry().lives().map(|live| Arc::clone(&live.schema)).collect())
    }

    async fn extent(&self, tables: &[TableName]) -> Result<Extent, SourceError> {
        self.0.extent(tables).await
    }

    async fn position(&self) -> Result<GtidSet, SourceError> {
        Ok(self.0.position())
    }

    async fn changes(&self, span: Span, scope: Scope) -> Result<Box<dyn Changes>, SourceError> {
        let changes = changes::StoreChanges::open(Arc::clone(&self.0), span, scope).await?;
        Ok(Box::new(changes))
    }

    async fn snapshot(&self, tables: &[TableName]) -> Result<Box<dyn Snapshot>, SourceError> {
        let snapshot = snapshot::StoreSnapshot::open(Arc::clone(&self.0), tables).await?;
        Ok(Box::new(snapshot))
    }
}

/// A store as a server of statements.
#[derive(Debug, Clone)]
pub struct StoreBackend(Arc<Store>);

#[async_trait]
impl Backend for StoreBackend {
    async fn session(&self, user: &str) -> Result<Box<dyn BackendSession>, BackendError> {
        Ok(Box::new(session::StoreSession::new(Arc::clone(&self.0), user)))
    }
}

/// A session of our own: every variable has its default.
#[derive(Debug)]
struct NoVariables;

impl super::Variables for NoVariables {
    fn system(&self, _: &str) -> Option<crate::sql::sqlite::Value> {
        None
    }

    fn user(&self, _: &str) -> Option<crate::sql::sqlite::Value> {
        None
    }
}

/// What reading a store's file failed with, as the source's error.
fn corrupt(context: &str, error: rusqlite::Error) -> SourceError {
    SourceError::Corrupt { context: context.to_owned(), source: Some(Box::new(error)) }
}

/// Pieces of the journal that are read at the same time; each read is short.
const CHANGE_READERS_MAX: usize = 8;

/// The keyspace that a new store fills with something to look at.
const TOUR: &str = "commerce";
const TOUR_STATEMENTS: [&str; 5] = [
    "CREATE TABLE product (sku varbinary(128) NOT NULL, description varbinary(128), price bigint, \
     PRIMARY KEY (sku))",
    "CREATE TABLE customer (customer_id bigint NOT NULL AUTO_INCREMENT, email varbinary(128), \
     PRIMARY KEY (customer_id))",
    "CREATE TABLE corder (order_id bigint NOT NULL AUTO_INCREMENT, customer_id bigint, \
     sku varbinary(128), price bigint, PRIMARY KEY (order_id))",
    "INSERT INTO product (sku, description, price) VALUES ('SKU-1001', 'Monitor', 100), \
     ('SKU-1002', 'Keyboard', 30)",
    "INSERT INTO customer (email) VALUES ('alice@domain.com'), ('bob@domain.com'), \
     ('charlie@domain.com'), ('dan@domain.com'), ('eve@domain.com')",
];
/// Schemas of versions that are kept in memory; more are read again.
const VERSIONS_MAX: usize = 10_000;

#[cfg(test)]
mod tests;
