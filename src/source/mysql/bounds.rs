//! Which part of its history a server's log still holds.

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error, Row};

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

/// Places in the log before `end` to read it from again, each farther back than the one before it;
/// the last is where the log begins. None if it begins behind `end`.
pub async fn places_before(
    conn: &mut Conn,
    flavour: Flavour,
    server: &Server,
    end: &GtidSet,
) -> Result<Vec<GtidSet>, SourceError> {
    let Bounds { purged, .. } = Bounds::read(conn, flavour, server).await?;
    let mut places = Vec::new();
    match flavour {
        Flavour::Mysql => {
            for step in STEPS {
                let mut place = end.without_last(step);
                place.union(&purged);
                places.push(place);
            }
        }
        // No transaction's neighbours can be told by its number: files are what can be gone back by.
        Flavour::MariaDb => {
            let files = files(conn).await.map_err(|error| server.broken("list the log", error))?;
            let mut back = 1;
            while let Some(file) = files.len().checked_sub(back).and_then(|at| files.get(at)) {
                places.push(before_file(conn, file, server).await?);
                back *= FILES_FACTOR;
            }
        }
    }
    places.push(purged);
    // The log may go on far behind `end`, and may have been cut behind it.
    places.retain(|place| end.contains_set(place));
    places.dedup();
    Ok(places)
}

/// A user without the right to see the log's files learns only from the server's refusal that a
/// position is too old.
async fn mariadb_purged(conn: &mut Conn) -> mysql_async::Result<Answer> {
    match files(conn).await?.first() {
        Some(file) => begin(conn, file).await,
        None => Ok(None),
    }
}

/// MariaDB's files of the log, the oldest first; none for a user who may not see them.
async fn files(conn: &mut Conn) -> mysql_async::Result<Vec<String>> {
    let files: mysql_async::Result<Vec<(String, u64)>> = conn.query("SHOW BINARY LOGS").await;
    match files {
        Ok(files) => Ok(files.into_iter().map(|(file, _)| file).collect()),
        Err(Error::Server(_)) => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// What is in the log before this file of MariaDB's.
pub async fn before_file(
    conn: &mut Conn,
    file: &str,
    server: &Server,
) -> Result<GtidSet, SourceError> {
    set(server, begin(conn, file).await)
}

async fn begin(conn: &mut Conn, file: &str) -> mysql_async::Result<Answer> {
    before_place(conn, file, 4).await
}

/// What is in MariaDB's log before a place near its end; NULL if there is no such place.
///
/// The server finds out by reading its file up to there, which takes long for a large one. Where
/// nothing was logged behind the place, all that the log holds is known to be it: the order of the
/// questions is what makes that true, since a transaction's GTID is known before the place behind
/// it.
pub async fn at_place(conn: &mut Conn, file: &str, at: u64) -> mysql_async::Result<Answer> {
    let whole = conn.query_first("SELECT @@GLOBAL.gtid_binlog_pos").await?;
    // A user may have no right to see this.
    let end: mysql_async::Result<Option<Row>> = conn.query_first("SHOW MASTER STATUS").await;
    let end = match end {
        Err(Error::Server(_)) => None,
        end => end?,
    };
    let place = end.and_then(|row| {
        let file: String = row.get_opt(0)?.ok()?;
        let at: u64 = row.get_opt(1)?.ok()?;
        Some((file, at))
    });
    match place {
        Some((last, end)) if last == file && end == at => Ok(whole),
        _ => before_place(conn, file, at).await,
    }
}

/// What is in MariaDB's log before a place of it; NULL if there is no such place.
async fn before_place(conn: &mut Conn, file: &str, at: u64) -> mysql_async::Result<Answer> {
    conn.exec_first("SELECT BINLOG_GTID_POS(?, ?)", (file, at)).await
}

/// A set as a server tells it: nothing, and NULL, for the empty one.
pub type Answer = Option<Option<String>>;

fn set(server: &Server, answer: mysql_async::Result<Answer>) -> Result<GtidSet, SourceError> {
    let answer = answer.map_err(|error| server.broken("read the position", error))?;
    answer.flatten().unwrap_or_default().parse().map_err(|error| server.unreadable(error))
}

/// How many transactions of each MySQL server are gone back over.
const STEPS: [u64; 3] = [1_000, 30_000, 1_000_000];
/// How many times as many files of MariaDB.
const FILES_FACTOR: usize = 4;
