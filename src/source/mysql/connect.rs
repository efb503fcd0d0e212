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
use super::schema::Collations;
use super::tls::{self, Secure, SecureError};
use super::url::ServerUrl;
use crate::source::{Cause, ConnectError, SourceError};

/// One server: where it is, who logs in, and how many connections there may be.
#[derive(Debug, Clone)]
pub struct Server {
    name: Arc<str>,
    url: Arc<ServerUrl>,
    budget: Arc<Budget>,
    collations: Collations,
}

/// A connection with its place in the server's budget.
#[derive(Debug)]
pub struct Connection<C = Conn> {
    /// The connection itself.
    pub conn: C,
    /// Which family the server is of.
    pub flavour: Flavour,
    /// What the server calls itself, such as `9.7.4` or `10.11.19-MariaDB-log`.
    pub version: String,
    /// The server takes names of databases and tables in any case: `lower_case_table_names`.
    pub folds_names: bool,
    /// As whom the server has let us in: `user@host`, as its own grants name it.
    pub account: String,
    /// Which server it is, in the words of [`INSTANCE`]: behind one address there may be several.
    pub instance: String,
    permit: Permit,
}

impl<C> Connection<C> {
    fn new(conn: C, identity: Option<Identity>, permit: Permit) -> Self {
        let (version, account, folds_names, instance) = identity.unwrap_or_default();
        let flavour = Flavour::of_version(&version);
        Self { conn, flavour, version, folds_names, account, instance, permit }
    }

    /// The connection and its place in the budget, which is taken until the permit is dropped.
    pub fn into_parts(self) -> (C, Permit) {
        (self.conn, self.permit)
    }
}

impl Server {
    /// A server by its tablet's name. Servers at the same address share one budget.
    pub fn new(name: &str, url: ServerUrl, budget: Arc<Budget>) -> Self {
        Self { name: name.into(), url: Arc::new(url), budget, collations: Collations::default() }
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

    /// What is known of the server's collations.
    pub(super) const fn collations(&self) -> &Collations {
        &self.collations
    }

    /// Opens a connection for short questions, waiting for its place in the budget. Dropping the
    /// future gives both up.
    pub async fn connect(&self) -> Result<Connection, SourceError> {
        let permit = self.budget.take().await.map_err(|exhausted| self.exhausted(exhausted))?;
        Ok(self.in_connect_time(self.log_in(permit)).await?)
    }

    /// Opens a connection to read the rows of a view over, and one for who needs another to open the
    /// view.
    pub async fn connect_for_view(
        &self,
    ) -> Result<(Connection<RawConnection>, Connection), SourceError> {
        let permits = self.budget.take_two().await;
        let permits = permits.map_err(|exhausted| self.exhausted(exhausted))?;
        let view = self.in_connect_time(self.log_in_for_view(permits.0));
        Ok(tokio::try_join!(view, self.in_connect_time(self.log_in(permits.1)))?)
    }

    fn exhausted(&self, Exhausted { max, waited }: Exhausted) -> ConnectError {
        ConnectError::Budget { address: self.address(), max, waited }
    }

    async fn in_connect_time<T>(
        &self,
        connecting: impl Future<Output = Result<T, ConnectError>>,
    ) -> Result<T, ConnectError> {
        tokio::time::timeout(CONNECT_TIMEOUT, connecting).await.unwrap_or_else(|_| {
            Err(ConnectError::TimedOut { address: self.address(), after: CONNECT_TIMEOUT })
        })
    }

    /// Opens a connection whose packets are read as they are, in a bounded time.
    pub async fn connect_raw(&self) -> Result<RawConnection, ConnectError> {
        self.connect_for_client(Some(self.database()), false).await
    }

    /// The same for a client's statements, in the database that the client has chosen; of them an
    /// UPDATE counts what it finds if the client's login says so.
    pub async fn connect_for_client(
        &self,
        database: Option<&str>,
        counts_found_rows: bool,
    ) -> Result<RawConnection, ConnectError> {
        self.in_connect_time(self.log_in_raw(database, counts_found_rows)).await
    }

    async fn log_in_raw(
        &self,
        database: Option<&str>,
        counts_found_rows: bool,
    ) -> Result<RawConnection, ConnectError> {
        let ServerUrl { host, user, password, tls, .. } = &*self.url;
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
        let mut connection = self.connect().await?;
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

    async fn log_in(&self, permit: Permit) -> Result<Connection, ConnectError> {
        let options = self.options().await?;
        let secured = tls::connect(options, &self.url.tls).await;
        let mut conn = secured.map_err(|error| self.insecure(error))?;
        let failed = |error| self.error(error);
        let identity = conn.query_first(identity()).await.map_err(failed)?;
        let mut connection = Connection::new(conn, identity, permit);
        let session = session(connection.flavour);
        connection.conn.query_drop(session).await.map_err(failed)?;
        Ok(connection)
    }

    async fn log_in_for_view(
        &self,
        permit: Permit,
    ) -> Result<Connection<RawConnection>, ConnectError> {
        let mut conn = self.log_in_raw(Some(self.database()), false).await?;
        let failed = |error| self.error(error);
        let identity = conn.query(&identity()).await.map_err(failed)?.pop();
        let mut connection = Connection::new(conn, identity, permit);
        let session = format!(
            "{}, net_write_timeout = {NET_WRITE_TIMEOUT_SECONDS}, \
             lock_wait_timeout = {VIEW_LOCK_WAIT_SECONDS}",
            session(connection.flavour)
        );
        connection.conn.run(&session).await.map_err(failed)?;
        Ok(connection)
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

/// The server's version, as whom it knows us, whether it folds names, and which one it is.
type Identity = (String, String, bool, String);

fn identity() -> String {
    format!("SELECT VERSION(), CURRENT_USER(), @@GLOBAL.lower_case_table_names <> 0, {INSTANCE}")
}

/// Sets what would otherwise change the meaning or the text of what is read.
fn session(flavour: Flavour) -> String {
    // A server's own limit for its clients' queries would cut long reads.
    let time_max = flavour.statement_time_variable();
    format!("SET time_zone = '+00:00', sql_mode = '', {time_max} = 0")
}

/// What no two servers have in common, as an expression. MariaDB, which has no `server_uuid`, passes
/// over what MySQL's version comment says.
pub(super) const INSTANCE: &str = "CONCAT_WS(':', @@GLOBAL.server_id, @@hostname, @@GLOBAL.port /*!80000, @@GLOBAL.server_uuid */)";
/// How long a view waits for a table whose definition is being changed: it keeps the server from
/// forgetting old rows.
const VIEW_LOCK_WAIT_SECONDS: u32 = 60;
/// From the name's look-up to a session that is set up.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
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
