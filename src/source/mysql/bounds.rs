//! Which part of its history a server's log still holds.

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error};

use super::Flavour;
use super::connect::Server;
use crate::event::GtidSet;
use crate::source::SourceError;

/// What a server's log begins behind, and how far it goes.
#[derive(Debug)]
pub struct Bounds {
    /// What is in the log no more.
    pub purged: GtidSet,
    /// What was executed.
    pub executed: GtidSet,
}

impl Bounds {
    /// Asks for both.
    pub async fn read(
        conn: &mut Conn,
        flavour: Flavour,
        server: &Server,
    ) -> Result<Self, SourceError> {
        let purged = match flavour {
            Flavour::Mysql => conn.query_first("SELECT @@GLOBAL.gtid_purged").await,
            Flavour::MariaDb => mariadb_purged(conn).await,
        };
        let purged = set(server, purged)?;
        Ok(Self { purged, executed: executed(conn, flavour, server).await? })
    }

    /// Refuses a position that the server cannot serve. Asked before the dump, since a server says
    /// the same number for all that may be wrong with one.
    pub fn check(&self, start: &GtidSet) -> Result<(), SourceError> {
        if !self.executed.contains_set(start) {
            return Err(SourceError::Future {
                position: start.clone(),
                current: self.executed.clone(),
            });
        }
        if !start.contains_set(&self.purged) {
            return Err(SourceError::Purged {
                position: start.clone(),
                oldest: self.purged.clone(),
            });
        }
        Ok(())
    }
}

/// Everything that the server has committed and can deliver.
///
/// MySQL adds a transaction to `gtid_executed` once it is committed. MariaDB adds it to
/// `gtid_binlog_pos` a moment before the engine commits it, so that this position may lead what a
/// reader sees: right for following, wrong for a snapshot. Deliberately not `gtid_current_pos`: what a
/// replica has applied without logging it is in there, and the binary log cannot be read from it.
pub async fn executed(
    conn: &mut Conn,
    flavour: Flavour,
    server: &Server,
) -> Result<GtidSet, SourceError> {
    let query = match flavour {
        Flavour::Mysql => "SELECT @@GLOBAL.gtid_executed",
        Flavour::MariaDb => "SELECT @@GLOBAL.gtid_binlog_pos",
    };
    set(server, conn.query_first(query).await)
}

/// A user without the right to see the log's files learns only from the server's refusal that a
/// position is too old.
async fn mariadb_purged(conn: &mut Conn) -> mysql_async::Result<Answer> {
    let first: mysql_async::Result<Option<(String, u64)>> =
        conn.query_first("SHOW BINARY LOGS").await;
    match first {
        Ok(Some((file, _))) => conn.exec_first("SELECT BINLOG_GTID_POS(?, 4)", (file,)).await,
        Ok(None) | Err(Error::Server(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// A set as a server tells it: nothing, and NULL, for the empty one.
type Answer = Option<Option<String>>;

fn set(server: &Server, answer: mysql_async::Result<Answer>) -> Result<GtidSet, SourceError> {
    let answer = answer.map_err(|error| server.broken("read the position", error))?;
    answer.flatten().unwrap_or_default().parse().map_err(|error| server.unreadable(error))
}
