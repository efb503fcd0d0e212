//! Connections to one server: within its budget, in a bounded time, set up for their purpose.
//!
//! Nothing is tried twice here, and no connection is kept for later: retries are the engine's.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, DriverError, Error, IoError, OptsBuilder, TlsError};

use super::Flavour;
use super::budget::{Budget, Exhausted, Permit};
use super::protocol::{Credentials, RawConnection};
use super::tls::{self, Secure, SecureError};
use super::url::ServerUrl;
use crate::source::{Cause, ConnectError, SourceError};

/// One server: where it is, who logs in, and how many connections there may be.
#[derive(Debug, Clone)]
pub struct Server {
    name: Arc<str>,
    url: Arc<ServerUrl>,
    budget: Arc<Budget>,
}

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Short questions: settings, positions, schemas.
    Questions,
    /// The rows of tables.
    Snapshot,
}

/// A connection with its place in the server's budget.
#[derive(Debug)]
pub struct Connection {
    /// The connection itself.
    pub conn: Conn,
    /// Which family the server is of.
    pub flavour: Flavour,
    /// What the server calls itself, such as `9.7.4` or `10.11.19-MariaDB-log`.
    pub version: String,
    /// The server takes names of databases and tables in any case: `lower_case_table_names`.
    pub folds_names: bool,
    /// As whom the server has let us in: `user@host`, as its own grants name it.
    pub account: String,
    permit: Permit,
}

impl Connection {
    /// The connection and its place in the budget, which is taken until the permit is dropped.
    pub fn into_parts(self) -> (Conn, Permit) {
        (self.conn, self.permit)
    }
}

impl Server {
    /// A server by its tablet's name. Servers at the same address share one budget.
    pub fn new(name: &str, url: ServerUrl, budget: Arc<Budget>) -> Self {
        Self { name: name.into(), url: Arc::new(url), budget }
    }

    /// The tablet's name, such as `zone1-100`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The database that the keyspace is.
    pub fn database(&self) -> &str {
        &self.url.database
    }

    /// `host:port`.
    pub fn address(&self) -> String {
        self.url.address()
    }

    /// The connections that there may be, are, and are waited for.
    pub fn budget(&self) -> &Budget {
        &self.budget
    }

    /// Opens a connection, waiting for its place in the budget. Dropping the future gives both up.
    pub async fn connect(&self, purpose: Purpose) -> Result<Connection, SourceError> {
        let permit = self.budget.take().await.map_err(|exhausted| self.exhausted(exhausted))?;
        self.open(purpose, permit).await
    }

    /// Opens two connections for who needs both at once.
    pub async fn connect_two(
        &self,
        first: Purpose,
        second: Purpose,
    ) -> Result<(Connection, Connection), SourceError> {
        let permits = self.budget.take_two().await;
        let permits = permits.map_err(|exhausted| self.exhausted(exhausted))?;
        let first = self.open(first, permits.0).await?;
        Ok((first, self.open(second, permits.1).await?))
    }

    fn exhausted(&self, Exhausted { max, waited }: Exhausted) -> ConnectError {
        ConnectError::Budget { address: self.address(), max, waited }
    }

    async fn open(&self, purpose: Purpose, permit: Permit) -> Result<Connection, SourceError> {
        let connecting = tokio::time::timeout(CONNECT_TIMEOUT, self.log_in(purpose, permit));
        connecting
            .await
            .unwrap_or_else(|_| {
                Err(ConnectError::TimedOut { address: self.address(), after: CONNECT_TIMEOUT })
            })
            .map_err(SourceError::from)
    }

    /// Opens a connection whose packets are read as they are, in a bounded time.
    pub async fn connect_raw(&self) -> Result<RawConnection, ConnectError> {
        self.connect_for_client(false).await
    }

    /// The same for a client's statements, of which an UPDATE counts what it finds if the client's
    /// login says so.
    pub async fn connect_for_client(
        &self,
        counts_found_rows: bool,
    ) -> Result<RawConnection, ConnectError> {
        let connecting = tokio::time::timeout(CONNECT_TIMEOUT, self.log_in_raw(counts_found_rows));
        connecting.await.unwrap_or_else(|_| {
            Err(ConnectError::TimedOut { address: self.address(), after: CONNECT_TIMEOUT })
        })
    }

    async fn log_in_raw(&self, counts_found_rows: bool) -> Result<RawConnection, ConnectError> {
        let ServerUrl { host, user, database, password, tls, .. } = &*self.url;
        let password = password.read().map_err(|unread| self.unread(unread))?;
        let secure = Secure::of(tls, host).map_err(|error| self.insecure(error))?;
        let credentials = Credentials {
            user,
            password: password.as_deref(),
            database,
            max_packet: PACKET_BYTES_MAX,
            counts_found_rows,
        };
        let addresses = self.resolve().await?;
        RawConnection::open(&addresses, secure, &credentials, KEEPALIVE_TIME)
            .await
            .map_err(|error| self.error(error))
    }

    /// Asks the server something, over a connection that is opened for it, in a bounded time.
    pub async fn ask<T>(
        &self,
        question: impl AsyncFnOnce(&mut Connection) -> Result<T, SourceError>,
    ) -> Result<T, SourceError> {
        let mut connection = self.connect(Purpose::Questions).await?;
        self.in_time(question(&mut connection)).await
    }

    /// Bounds what is asked of the server: one that stalls with its connections open must not hold
    /// up whoever asks for ever.
    pub async fn in_time<T>(
        &self,
        asked: impl Future<Output = Result<T, SourceError>>,
    ) -> Result<T, SourceError> {
        tokio::time::timeout(ANSWER_TIMEOUT, asked).await.unwrap_or_else(|_| {
            Err(SourceError::Disconnected {
                context: format!("{} did not answer within {ANSWER_TIMEOUT:?}", self.name),
                source: None,
            })
        })
    }

    /// What went wrong on a connection that was open, while `what` was being done: it is to be done
    /// again.
    pub fn broken(&self, what: &str, error: Error) -> SourceError {
        SourceError::Disconnected {
            context: format!("{what} of {}", self.name),
            source: Some(Box::new(cause(error))),
        }
    }

    /// The server has told a position that is none.
    pub fn unreadable(
        &self,
        error: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> SourceError {
        SourceError::Corrupt {
            context: format!("read the position of {}", self.name),
            source: Some(error.into()),
        }
    }

    async fn log_in(&self, purpose: Purpose, permit: Permit) -> Result<Connection, ConnectError> {
        let options = self.options().await?;
        let secured = tls::connect(options, &self.url.tls).await;
        let mut conn = secured.map_err(|error| self.insecure(error))?;
        let failed = |error| self.error(error);
        let identity = "SELECT VERSION(), CURRENT_USER(), @@GLOBAL.lower_case_table_names <> 0";
        let row: Option<(String, String, bool)> =
            conn.query_first(identity).await.map_err(failed)?;
        let (version, account, folds_names) = row.unwrap_or_default();
        let flavour = Flavour::of_version(&version);
        conn.query_drop(session(purpose, flavour)).await.map_err(failed)?;
        Ok(Connection { conn, flavour, version, folds_names, account, permit })
    }

    async fn options(&self) -> Result<OptsBuilder, ConnectError> {
        let ServerUrl { host, port, user, database, password, .. } = &*self.url;
        let password = password.read().map_err(|unread| self.unread(unread))?;
        let addresses = self.resolve().await?.iter().map(SocketAddr::ip).collect::<Vec<_>>();
        Ok(OptsBuilder::default()
            .ip_or_hostname(host)
            .resolved_ips(Some(addresses))
            .tcp_port(*port)
            .user(Some(user))
            .pass(password)
            .db_name(Some(database))
            // The library would leave TCP for the server's socket, which may be another server's.
            .prefer_socket(false)
            // Events may be larger than the server's own limit for statements.
            .max_allowed_packet(usize::try_from(PACKET_BYTES_MAX).ok())
            .wait_timeout(Some(WAIT_TIMEOUT_SECONDS))
            .tcp_keepalive(Some(KEEPALIVE_TIME))
            .stmt_cache_size(0_usize)
            .connect_attribute("program_name", "vstreamd"))
    }

    /// Looked up here, so that an unknown name can be told from a server that is away.
    async fn resolve(&self) -> Result<Vec<SocketAddr>, ConnectError> {
        let ServerUrl { host, port, .. } = &*self.url;
        let unknown =
            |source| ConnectError::UnknownHost { host: host.clone(), source: Arc::new(source) };
        let resolved = tokio::net::lookup_host((host.as_str(), *port)).await.map_err(unknown)?;
        Ok(resolved.collect())
    }

    fn insecure(&self, error: SecureError) -> ConnectError {
        match error {
            SecureError::Unread { path, source } => self.unread((path, source)),
            SecureError::Refused(error) => self.error(error),
        }
    }

    fn unread(&self, (path, error): (PathBuf, io::Error)) -> ConnectError {
        ConnectError::File { address: self.address(), path, source: Arc::new(error) }
    }

    /// Tells apart what may go wrong on the way to a session.
    fn error(&self, error: Error) -> ConnectError {
        let address = self.address();
        if tls::offers_none(&error) {
            return ConnectError::NoTls { address, mode: self.url.tls.mode.as_str() };
        }
        if tls::is_unverified(&error) {
            return ConnectError::Unverified { address, source: cause(error) };
        }
        if tls::is_tls(&error) {
            return ConnectError::Tls { address, source: cause(error) };
        }
        match error {
            Error::Server(said) => match said.code {
                // Bad password; no right to the database; this host may not.
                1045 | 1698 | 1130 | 1129 => {
                    ConnectError::Denied { address, message: said.message }
                }
                1044 | 1049 => ConnectError::NoDatabase { address, message: said.message },
                // It shuts down, or was told to let nobody in, or somebody ended us.
                1053 | 1317 | 1927 | 3032 => {
                    ConnectError::Broken { address, source: Arc::new(said) }
                }
                1040 | 1203 | 1226 => {
                    ConnectError::TooManyConnections { address, message: said.message }
                }
                _ => ConnectError::Login { address, source: Arc::new(said) },
            },
            Error::Io(IoError::Io(source)) => match source.kind() {
                io::ErrorKind::ConnectionRefused => ConnectError::Refused { address },
                io::ErrorKind::TimedOut => {
                    ConnectError::TimedOut { address, after: CONNECT_TIMEOUT }
                }
                _ => ConnectError::Broken { address, source: Arc::new(source) },
            },
            Error::Driver(DriverError::ConnectionClosed | DriverError::PacketOutOfOrder) => {
                ConnectError::Broken { address, source: cause(error) }
            }
            error => ConnectError::Login { address, source: cause(error) },
        }
    }
}

/// What the library's error is about: its outer layers print their inner ones, which a chain of
/// causes would then print again.
fn cause(error: Error) -> Cause {
    match error {
        Error::Io(IoError::Io(inner)) => Arc::new(inner),
        Error::Io(IoError::Tls(TlsError::Tls(inner))) => Arc::new(inner),
        Error::Driver(inner) => Arc::new(inner),
        Error::Server(inner) => Arc::new(inner),
        other => Arc::new(other),
    }
}

/// Sets what would otherwise change the meaning or the text of what is read.
fn session(purpose: Purpose, flavour: Flavour) -> String {
    let mut statement = "SET time_zone = '+00:00', sql_mode = ''".to_owned();
    // A server's own limit for its clients' queries would cut long reads.
    statement.push_str(match flavour {
        Flavour::Mysql => ", max_execution_time = 0",
        Flavour::MariaDb => ", max_statement_time = 0",
    });
    if purpose == Purpose::Snapshot {
        statement.push_str(&format!(", net_write_timeout = {NET_WRITE_TIMEOUT_SECONDS}"));
    }
    statement
}

/// From the name's look-up to a session that is set up.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// For the answer to a question, however many tables it is about.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);
/// The most that the protocol allows for.
const PACKET_BYTES_MAX: u32 = 1 << 30;
/// Given so that the library does not ask the server for it.
const WAIT_TIMEOUT_SECONDS: usize = 28_800;
/// Silence after which the kernel asks whether the server is there.
const KEEPALIVE_TIME: Duration = Duration::from_secs(60);
/// How long the server lets us read nothing before it hangs up. Whoever reads slowly holds us up; the
/// server is to be as patient as we are.
pub(super) const NET_WRITE_TIMEOUT_SECONDS: u32 = 3600;
