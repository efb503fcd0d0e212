//! The servers of keyspaces as backends of sessions: a statement runs on its keyspace's primary, as
//! it is written, and what comes back is handed on as it is.
//!
//! A session has at most one connection to a server, out of that server's budget. It is opened by
//! the first statement that needs it, kept for what a server keeps per connection (transactions,
//! temporary tables, locks, user variables), and closed when the session is reset, enters another
//! keyspace or ends. A connection is used again only if the statement before was read to its end.
//! Nothing is tried twice: who loses a connection is told so.

mod ahead;
mod connection;
mod control;
mod errors;
mod place;
mod rows;
mod session;
mod settings;

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;

use self::session::ServersSession;
use super::Server;
use crate::source::{Backend, BackendError, BackendSession};

/// The servers of keyspaces as backends of sessions.
pub struct ServersBackend(Arc<Servers>);

/// What all sessions share.
struct Servers {
    keyspaces: HashMap<String, Arc<ServedKeyspace>>,
    /// Answers what needs no table.
    local: Arc<dyn Backend>,
    /// Nobody may change anything.
    read_only: bool,
}

/// A keyspace that is a server's database.
#[derive(Debug)]
pub struct ServedKeyspace {
    /// What clients know it by.
    pub keyspace: String,
    /// The primary of its only shard; nothing if it has several.
    pub primary: Option<Server>,
}

impl ServersBackend {
    /// Sessions on these keyspaces; `local` answers what needs no table.
    pub fn new(keyspaces: Vec<ServedKeyspace>, local: Arc<dyn Backend>, read_only: bool) -> Self {
        let by_name = |served: ServedKeyspace| (served.keyspace.clone(), Arc::new(served));
        let keyspaces = keyspaces.into_iter().map(by_name).collect();
        Self(Arc::new(Servers { keyspaces, local, read_only }))
    }
}

#[async_trait]
impl Backend for ServersBackend {
    async fn session(&self, user: &str) -> Result<Box<dyn BackendSession>, BackendError> {
        let local = self.0.local.session(user).await?;
        Ok(Box::new(ServersSession::new(Arc::clone(&self.0), local)))
    }
}
