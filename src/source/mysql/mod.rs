//! MySQL 8/9 and MariaDB servers as sources, through their binary logs.

mod ahead;
mod backend;
mod bounds;
mod budget;
mod changes;
mod connect;
mod copies;
pub mod decode;
mod grants;
mod literal;
mod lookback;
mod names;
mod preflight;
mod prepared;
mod protocol;
mod pump;
mod ready;
mod schema;
mod shapes;
mod shared_answer;
mod skim;
mod snapshot;
mod tls;
mod transaction;
mod url;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;

pub use backend::{ServedKeyspace, ServersBackend};
pub use budget::{Budget, CONNECTIONS_MAX_DEFAULT, Permit};
pub use connect::{Connection, Server};
pub use copies::CopyLimits;
pub use preflight::refused_log;
pub use protocol::RawConnection;
pub use tls::{SecureError, connect as connect_secured};
pub use url::{Password, ServerUrl, ServerUrlError, Tls, TlsIdentity, TlsMode};

use self::changes::LogChanges;
use self::lookback::Searches;
use self::names::Names;
use self::shared_answer::SharedAnswer;
use self::snapshot::ServerSnapshot;
use super::{Changes, Extent, Finding, Scarce, Scope, Snapshot, Source, SourceError, Span};
use crate::event::{GtidSet, TableName, TableSchema};

/// Which of the two families a server is of: they differ in GTIDs, events and settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flavour {
    /// MySQL and what is built from it.
    Mysql,
    /// MariaDB.
    MariaDb,
}

impl Flavour {
    /// The family of a server that answers this to `SELECT VERSION()`.
    pub fn of_version(version: &str) -> Self {
        match version.to_ascii_lowercase().contains("mariadb") {
            true => Self::MariaDb,
            false => Self::Mysql,
        }
    }

    /// The variable that bounds the time of a session's statements; 0 is no bound.
    const fn statement_time_variable(self) -> &'static str {
        match self {
            Self::Mysql => "max_execution_time",
            Self::MariaDb => "max_statement_time",
        }
    }
}

/// What a look at a server has shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Examined {
    /// What the server calls itself, such as `10.11.19-MariaDB-log`.
    pub version: String,
    /// What stands in the way of streaming, the worst first.
    pub findings: Vec<Finding>,
}

/// A server's database as a source of changes: a keyspace's, or a shard of one.
#[derive(Debug)]
pub struct MysqlSource {
    server: Server,
    names: Names,
    /// What the last look at the server has shown.
    folds_names: AtomicBool,
    tables: SharedAnswer<Vec<Arc<TableSchema>>>,
    position: SharedAnswer<GtidSet>,
    searches: Arc<Searches>,
}

impl MysqlSource {
    /// The server's database under the name that clients know it by.
    pub fn new(server: Server, keyspace: &str) -> Self {
        let names =
            Names { keyspace: keyspace.into(), database: server.database().into(), folds: false };
        Self {
            server,
            names,
            folds_names: AtomicBool::new(false),
            tables: SharedAnswer::default(),
            position: SharedAnswer::default(),
            searches: Arc::default(),
        }
    }

    /// The server.
    pub const fn server(&self) -> &Server {
        &self.server
    }

    /// What the server is, and what stands in the way of streaming from it.
    pub async fn examine(&self) -> Result<Examined, SourceError> {
        let examine = async |connection: &mut Connection| {
            let findings = preflight::examine(connection, self.server.database()).await;
            let findings =
                findings.map_err(|error| self.server.broken("read the settings", error))?;
            Ok(Examined { version: connection.version.clone(), findings })
        };
        self.server.ask(examine).await
    }

    async fn read_tables(&self) -> Result<Vec<Arc<TableSchema>>, SourceError> {
        let read = async |connection: &mut Connection| {
            let Connection { conn, flavour, folds_names, .. } = connection;
            self.folds_names.store(*folds_names, Ordering::Relaxed);
            let read = schema::read(conn, *flavour, &self.server, &self.names).await;
            read.map_err(|error| self.server.broken("read the schemas", error))
        };
        self.server.ask(read).await
    }

    async fn read_position(&self) -> Result<GtidSet, SourceError> {
        let read = async |connection: &mut Connection| {
            let Connection { conn, flavour, .. } = connection;
            // Without GTIDs the position would be empty, and everything streamed again from it.
            preflight::require_fit(conn, *flavour, &self.server).await?;
            bounds::executed(conn, *flavour, &self.server).await
        };
        self.server.ask(read).await
    }
}

#[async_trait]
impl Source for MysqlSource {
    fn name(&self) -> &str {
        self.server.name()
    }

    async fn preflight(&self) -> Result<Vec<Finding>, SourceError> {
        self.examine().await.map(|examined| examined.findings)
    }

    async fn tables(&self) -> Result<Vec<Arc<TableSchema>>, SourceError> {
        self.tables.get(self.read_tables()).await
    }

    fn folds_names(&self) -> bool {
        self.folds_names.load(Ordering::Relaxed)
    }

    fn waits_for(&self, what: Scarce) -> bool {
        match what {
            Scarce::Connection => self.server.budget().waiting() > 0,
            copies => self.server.budget().copies().wait_for(copies),
        }
    }

    async fn extent(&self, tables: &[TableName]) -> Result<Extent, SourceError> {
        let read = async |Connection { conn, flavour, .. }: &mut Connection| {
            let which = snapshot::among(tables);
            let tables = schema::read_sizes(conn, *flavour, &self.names.keyspace, &which).await?;
            let changes_kept = preflight::changes_kept(conn, *flavour).await?;
            Ok(Extent { tables, changes_kept })
        };
        let read = async |connection: &mut Connection| {
            read(connection).await.map_err(|error| self.server.broken("estimate tables", error))
        };
        self.server.ask(read).await
    }

    async fn position(&self) -> Result<GtidSet, SourceError> {
        self.position.get(self.read_position()).await
    }

    async fn changes(&self, span: Span, scope: Scope) -> Result<Box<dyn Changes>, SourceError> {
        let (server, searches) = (&self.server, &self.searches);
        let changes = LogChanges::open(server, searches, self.names.clone(), span, scope).await?;
        Ok(Box::new(changes))
    }

    async fn snapshot(&self, tables: &[TableName]) -> Result<Box<dyn Snapshot>, SourceError> {
        Ok(Box::new(ServerSnapshot::open(&self.server, &self.names, tables).await?))
    }
}
