//! Why there is no connection to a server.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// What a library said; its own type stays inside the source.
pub type Cause = Arc<dyn std::error::Error + Send + Sync>;

/// Why there is no connection to a server. Texts name the server, never a password. One attempt's
/// failure may be told to many who waited for it.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ConnectError {
    /// No such name.
    #[error("unknown host {host:?}")]
    UnknownHost {
        /// The name.
        host: String,
        /// What the resolver said.
        #[source]
        source: Cause,
    },
    /// The host answers, and no server does.
    #[error("nothing listens at {address}")]
    Refused {
        /// Where.
        address: String,
    },
    /// No answer.
    #[error("{address} did not answer within {after:?}")]
    TimedOut {
        /// Where.
        address: String,
        /// How long it had.
        after: Duration,
    },
    /// The network, or a server that is going away.
    #[error("the connection to {address} broke")]
    Broken {
        /// Where.
        address: String,
        /// What the library said.
        #[source]
        source: Cause,
    },
    /// Wrong user or password, or this host may not.
    #[error("{address} denied the login: {message}")]
    Denied {
        /// Where.
        address: String,
        /// What the server said.
        message: String,
    },
    /// The server has no such database, or hides it from this user.
    #[error("{address} has no such database, or not for this user: {message}")]
    NoDatabase {
        /// Where.
        address: String,
        /// What the server said.
        message: String,
    },
    /// The server has as many connections as it allows.
    #[error("{address} has no connection left: {message}")]
    TooManyConnections {
        /// Where.
        address: String,
        /// What the server said.
        message: String,
    },
    /// As many connections to the server as vstreamd allows itself are in use.
    #[error(
        "{max} connections to {address} are in use, which is the most allowed \
         (connections_max), and none of them ended within {waited:?}"
    )]
    Budget {
        /// Where.
        address: String,
        /// How many.
        max: usize,
        /// How long one more waited.
        waited: Duration,
    },
    /// TLS was asked for and the server has none.
    #[error("{address} offers no TLS, and ssl-mode={mode} asks for it")]
    NoTls {
        /// Where.
        address: String,
        /// What was asked for.
        mode: &'static str,
    },
    /// The server's certificate is not one to trust.
    #[error("the certificate of {address} cannot be verified")]
    Unverified {
        /// Where.
        address: String,
        /// What is wrong with it.
        #[source]
        source: Cause,
    },
    /// The two sides found no common TLS, or what its files hold cannot be used.
    #[error("no TLS with {address}")]
    Tls {
        /// Where.
        address: String,
        /// What the library said.
        #[source]
        source: Cause,
    },
    /// A password's or a certificate's file.
    #[error("read {}, which the login at {address} needs", path.display())]
    File {
        /// Where.
        address: String,
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: Cause,
    },
    /// Anything else that the server or the library said.
    #[error("log in to {address}")]
    Login {
        /// Where.
        address: String,
        /// What was said.
        #[source]
        source: Cause,
    },
}

impl ConnectError {
    /// Whether connecting may succeed later without anybody's doing.
    pub const fn is_transient(&self) -> bool {
        match self {
            Self::UnknownHost { .. }
            | Self::Refused { .. }
            | Self::TimedOut { .. }
            | Self::Broken { .. }
            | Self::TooManyConnections { .. }
            | Self::Budget { .. } => true,
            Self::Denied { .. }
            | Self::NoDatabase { .. }
            | Self::NoTls { .. }
            | Self::Unverified { .. }
            | Self::Tls { .. }
            | Self::File { .. }
            | Self::Login { .. } => false,
        }
    }
}
