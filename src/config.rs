//! What the process is told: a TOML file and command-line options, parsed once into types that
//! cannot be wrong.
//!
//! Every key is optional and an unknown one is an error. `docs/operating.md` lists them all.

mod keyspaces;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use keyspaces::KeyspaceFile;

pub use keyspaces::{Keyspace, KeyspaceError, Shard, Tablet};

use crate::frontend::mysql::{Account, Accounts, CertificateFiles, VerifierError};
use crate::source::mysql::{Budget, CopyLimits};

/// Everything `serve` needs to know.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// The cell that this process counts as its own.
    pub cell: String,
    /// Where the embedded store lives, and the keys that are made at the first start.
    pub data_dir: PathBuf,
    /// Keyspaces of servers; without any, the embedded store is served.
    pub keyspaces: Vec<Keyspace>,
    /// Where MySQL clients connect; others than this machine's only with users and a certificate.
    pub mysql_listen: SocketAddr,
    /// How MySQL clients are served TLS.
    pub tls: Tls,
    /// Who may log in.
    pub accounts: Accounts,
    /// Named bounds.
    pub limits: Limits,
}

/// How MySQL clients are served TLS.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tls {
    /// Certificate and key; `None` for those that are made at the first start.
    pub certificate: Option<CertificateFiles>,
    /// Whether clients in the clear are refused.
    pub required: bool,
}

/// The named bounds that an operator may move. What is not here is a constant beside its use.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Bytes of recent transactions kept in memory per source.
    pub log_bytes_max: usize,
    /// Reads of a source for subscribers that lag, at once.
    pub catch_up_readers_max: usize,
    /// Rows that one copy reads per second; 0 for as many as come.
    pub rows_per_second_max: u32,
    /// Copies of one server at once.
    pub copies_max: usize,
    /// Seconds that a replica may be behind; further behind, no copy reads from it.
    pub replica_lag_max_seconds: u64,
    /// Length that a server's history list may have; beyond it, no copy reads from it.
    pub history_list_max: u64,
    /// MySQL connections at once; one more is refused with error 1040.
    pub connections_max: usize,
    /// Bytes of one statement or packet from a MySQL client.
    pub packet_bytes_max: usize,
    /// Bytes of large statements and packets that all MySQL clients together have under way.
    pub packets_bytes_max: usize,
    /// Bytes of the embedded store's journal; older changes are trimmed.
    pub journal_bytes_max: u64,
    /// Age in seconds of the embedded store's journal; older changes are trimmed.
    pub journal_age_max_seconds: u64,
    /// Seconds that a writer waits for another's transaction.
    pub lock_wait_timeout_seconds: u64,
    /// Seconds that streams and statements get to end at shutdown.
    pub drain_timeout_seconds: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            log_bytes_max: 64 << 20,
            catch_up_readers_max: 4,
            rows_per_second_max: 0,
            copies_max: CopyLimits::default().copies_max,
            replica_lag_max_seconds: CopyLimits::default().replica_lag_max.as_secs(),
            history_list_max: CopyLimits::default().history_list_max,
            connections_max: 10_000,
            packet_bytes_max: 64 << 20,
            packets_bytes_max: 512 << 20,
            journal_bytes_max: 1 << 30,
            journal_age_max_seconds: 7 * 24 * 3600,
            lock_wait_timeout_seconds: 50,
            drain_timeout_seconds: 5,
        }
    }
}

impl Limits {
    /// What bounds the copies of one server.
    pub const fn copies(&self) -> CopyLimits {
        CopyLimits {
            copies_max: self.copies_max,
            replica_lag_max: Duration::from_secs(self.replica_lag_max_seconds),
            history_list_max: self.history_list_max,
        }
    }

    /// How long streams and statements get to end at shutdown.
    pub const fn drain_timeout(&self) -> Duration {
        Duration::from_secs(self.drain_timeout_seconds)
    }
}

/// What the command line says; it goes before the file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Overrides {
    /// `--data-dir`
    pub data_dir: Option<PathBuf>,
    /// `--mysql-listen`
    pub mysql_listen: Option<String>,
}

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("read configuration {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The file is not what it should be.
    #[error("parse configuration {path}, line {line}: {message}")]
    Parse {
        /// The file.
        path: PathBuf,
        /// Where in it.
        line: usize,
        /// What the parser said.
        message: String,
    },
    /// No socket address.
    #[error("{found:?} is not an address; write IP:PORT, such as 127.0.0.1:15306")]
    Address {
        /// What was found.
        found: String,
    },
    /// An address that others can reach, and nothing that keeps them out.
    #[error(
        "{0} is reachable from other machines; configure users ([[user]]) and a certificate \
         ([tls] certificate and key) first, or listen on a loopback address such as \
         127.0.0.1:15306 (reach it from elsewhere through an SSH tunnel)"
    )]
    Reachable(SocketAddr),
    /// A certificate without its key, or a key without its certificate.
    #[error("tls.certificate and tls.key need each other; set both or neither")]
    HalfCertificate,
    /// A verifier of the wrong form.
    #[error("user {user:?}")]
    Verifier {
        /// Whose.
        user: String,
        /// What is wrong.
        #[source]
        source: VerifierError,
    },
    /// A name that stands twice.
    #[error("user {0:?} is configured twice")]
    SameUser(String),
    /// A user that nobody can log in as.
    #[error("user {0:?} has no verifier; set caching_sha2 or native")]
    NoVerifier(String),
    /// A bound that leaves nothing to work with.
    #[error("limits.{name} must be at least {least}")]
    TooSmall {
        /// The key.
        name: &'static str,
        /// The least value.
        least: u64,
    },
    /// More copies than connections.
    #[error(
        "limits.copies_max is {copies_max}, and connections_max = {connections_max} of tablet \
         {tablet:?} has room for {room} copies beside sessions and the log; raise it, or lower \
         copies_max to {room}"
    )]
    TooManyCopies {
        /// As configured.
        copies_max: usize,
        /// Whose server.
        tablet: String,
        /// As configured.
        connections_max: usize,
        /// How many there may be.
        room: usize,
    },
    /// A keyspace that cannot be served.
    #[error(transparent)]
    Keyspace(#[from] KeyspaceError),
}

/// The file as written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    cell: Option<String>,
    data_dir: Option<PathBuf>,
    #[serde(default)]
    listen: Listen,
    #[serde(default)]
    tls: TlsFile,
    #[serde(default)]
    user: Vec<User>,
    #[serde(default)]
    limits: Limits,
    #[serde(default)]
    keyspace: Vec<KeyspaceFile>,
}

/// A name and the verifiers of its password, never the password.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct User {
    name: String,
    caching_sha2: Option<String>,
    native: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Listen {
    mysql: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct TlsFile {
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
    required: Option<bool>,
}

impl Config {
    /// Reads the file, if one is named, and lets the command line go before it.
    pub fn load(path: Option<&Path>, overrides: Overrides) -> Result<Self, ConfigError> {
        let Some(path) = path else { return Self::resolve(File::default(), overrides) };
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        let file = toml::from_str(&text).map_err(|error| {
            // Only the message: the error's own text quotes the line, and with it a verifier.
            let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
            let line = before.matches('\n').count() + 1;
            ConfigError::Parse { path: path.to_owned(), line, message: error.message().to_owned() }
        })?;
        Self::resolve(file, overrides)
    }

    fn resolve(file: File, overrides: Overrides) -> Result<Self, ConfigError> {
        check_limits(&file.limits)?;
        let listen = overrides.mysql_listen.or(file.listen.mysql);
        let listen = address(listen.as_deref().unwrap_or(DEFAULT_MYSQL_LISTEN))?;
        let accounts = accounts(file.user)?;
        let certificate = match (file.tls.certificate, file.tls.key) {
            (Some(certificate), Some(key)) => Some(CertificateFiles { certificate, key }),
            (None, None) => None,
            _ => return Err(ConfigError::HalfCertificate),
        };
        let remote = !listen.ip().is_loopback();
        if remote && (accounts == Accounts::Anybody || certificate.is_none()) {
            return Err(ConfigError::Reachable(listen));
        }
        let cell = file.cell.unwrap_or_else(|| "zone1".to_owned());
        let keyspaces = keyspaces::parse(file.keyspace, &cell)?;
        check_copies(file.limits.copies_max, &keyspaces)?;
        Ok(Self {
            keyspaces,
            cell,
            data_dir: overrides.data_dir.or(file.data_dir).unwrap_or_else(default_data_dir),
            mysql_listen: listen,
            tls: Tls { certificate, required: file.tls.required.unwrap_or(remote) },
            accounts,
            limits: file.limits,
        })
    }
}

fn address(text: &str) -> Result<SocketAddr, ConfigError> {
    text.parse().map_err(|_| ConfigError::Address { found: text.to_owned() })
}

/// Without users, anybody on this machine; a user without a verifier could never log in.
fn accounts(users: Vec<User>) -> Result<Accounts, ConfigError> {
    if users.is_empty() {
        return Ok(Accounts::Anybody);
    }
    let mut accounts = HashMap::new();
    for User { name, caching_sha2, native } in users {
        if caching_sha2.is_none() && native.is_none() {
            return Err(ConfigError::NoVerifier(name));
        }
        let account = Account::of_verifiers(caching_sha2.as_deref(), native.as_deref())
            .map_err(|source| ConfigError::Verifier { user: name.clone(), source })?;
        if accounts.insert(name.clone(), account).is_some() {
            return Err(ConfigError::SameUser(name));
        }
    }
    Ok(Accounts::Users(accounts))
}

fn check_limits(limits: &Limits) -> Result<(), ConfigError> {
    let least = [
        ("log_bytes_max", limits.log_bytes_max as u64, 1 << 16),
        ("catch_up_readers_max", limits.catch_up_readers_max as u64, 1),
        ("copies_max", limits.copies_max as u64, 1),
        ("connections_max", limits.connections_max as u64, 1),
        ("packet_bytes_max", limits.packet_bytes_max as u64, 1 << 10),
        ("packets_bytes_max", limits.packets_bytes_max as u64, limits.packet_bytes_max as u64),
        ("journal_bytes_max", limits.journal_bytes_max, 1 << 16),
        ("journal_age_max_seconds", limits.journal_age_max_seconds, 1),
        ("lock_wait_timeout_seconds", limits.lock_wait_timeout_seconds, 1),
    ];
    match least.into_iter().find(|&(_, value, least)| value < least) {
        Some((name, _, least)) => Err(ConfigError::TooSmall { name, least }),
        None => Ok(()),
    }
}

/// A server of few connections has fewer copies than is usual; more than is usual were asked for.
fn check_copies(copies_max: usize, keyspaces: &[Keyspace]) -> Result<(), ConfigError> {
    if copies_max <= CopyLimits::default().copies_max {
        return Ok(());
    }
    for Tablet { alias, connections_max, .. } in keyspaces.iter().flat_map(Keyspace::tablets) {
        let (tablet, connections_max) = (alias.clone(), *connections_max);
        let room = Budget::copies_of(connections_max, copies_max);
        if room < copies_max {
            return Err(ConfigError::TooManyCopies { copies_max, tablet, connections_max, room });
        }
    }
    Ok(())
}

/// `$XDG_DATA_HOME/vstreamd`, else `$HOME/.local/share/vstreamd`, else `./vstreamd-data`.
fn default_data_dir() -> PathBuf {
    let absolute = |name| std::env::var_os(name).map(PathBuf::from).filter(|p| p.is_absolute());
    absolute("XDG_DATA_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".local/share")))
        .map_or_else(|| PathBuf::from("vstreamd-data"), |base| base.join("vstreamd"))
}

/// Where MySQL clients of Vitess's local example connect, too.
pub const DEFAULT_MYSQL_LISTEN: &str = "127.0.0.1:15306";

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<(), &str>) {
        let found = toml::from_str::<File>(text)
            .map_err(|error| error.message().to_owned())
            .and_then(|file| {
                Config::resolve(file, Overrides::default()).map_err(|error| error.to_string())
            });
        match (found, expected) {
            (Ok(_), Ok(())) => {}
            (Err(found), Err(expected)) if found.contains(expected) => {}
            (found, expected) => panic!("{text}: {found:?}, expected {expected:?}"),
        }
    }

    #[test]
    fn says_what_is_wrong() {
        check("", Ok(()));
        check("cell = 'zone2'\n[listen]\nmysql = '[::1]:0'", Ok(()));
        check("[listen]\nmysql = '0.0.0.0:15306'", Err("reachable from other machines"));
        let remote = "[listen]\nmysql = '0.0.0.0:15306'\n";
        let tls = "[tls]\ncertificate = 'a'\nkey = 'b'\n";
        let user = format!("[[user]]\nname = 'a'\nnative = '{}'\n", "0".repeat(40));
        check(&format!("{remote}{tls}"), Err("reachable from other machines"));
        check(&format!("{remote}{user}"), Err("reachable from other machines"));
        check(&format!("{remote}{tls}{user}"), Ok(()));
        check("[tls]\nkey = 'b'", Err("need each other"));
        check("[listen]\nmysql = 'localhost'", Err("is not an address"));
        check("[limits]\nlog_bytes_max = 1", Err("limits.log_bytes_max must be at least 65536"));
        let text = "[limits]\npacket_bytes_max = 1024\npackets_bytes_max = 1023";
        check(text, Err("limits.packets_bytes_max must be at least 1024"));
        check("[limits]\nlog_bytes = 1", Err("unknown field `log_bytes`"));
        check("[[user]]\nname = 'a'", Err("has no verifier"));
        check("[[user]]\nname = 'a'\nnative = 'zz'", Err("user \"a\""));
        check("[[keyspace]]\nname = 'commerce'", Err("has no shard"));
    }

    #[test]
    fn copies_have_connections() {
        let keyspace = "[[keyspace]]\nname = 'ks'\n[[keyspace.shard]]\nname = '0'\n\
                        [[keyspace.shard.tablet]]\nalias = 'zone1-1'\ntype = 'primary'\n\
                        url = 'mysql://root@db/ks'\n";
        let limited = |copies| format!("[limits]\ncopies_max = {copies}\n{keyspace}");
        check(&limited(12), Ok(()));
        check(&limited(13), Err("\"zone1-1\" has room for 12 copies"));
        check(&format!("{}connections_max = 42", limited(13)), Ok(()));
        check(&format!("{keyspace}connections_max = 5"), Ok(()));
        check("[limits]\ncopies_max = 1000", Ok(()));
    }

    #[test]
    fn the_command_line_goes_before_the_file() {
        let file: File =
            toml::from_str("data_dir = '/a'\n[listen]\nmysql = '127.0.0.1:1'").unwrap();
        let overrides =
            Overrides { data_dir: Some("/b".into()), mysql_listen: Some("127.0.0.1:2".to_owned()) };
        let config = Config::resolve(file, overrides).unwrap();
        assert_eq!(config.data_dir, PathBuf::from("/b"));
        assert_eq!(config.mysql_listen.port(), 2);
    }
}
