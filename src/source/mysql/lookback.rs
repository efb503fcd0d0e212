//! XA transactions that were prepared before a run of changes began.
//!
//! A position of ours over MySQL leaves them out, so that a resume reads them. One over MariaDB, and
//! one that a server tells, such as `current`, holds them although their rows are in no table yet:
//! these are fetched from the log once the commit is met. The log is read backwards in growing steps,
//! since most such transactions are prepared shortly before they end.

use std::collections::HashMap;
use std::time::Duration;

use super::bounds;
use super::connect::{Connection, Server};
use super::decode::{Binding, Decoded, Decoder};
use super::pump::Pump;
use super::transaction;
use crate::event::{Gtid, GtidSet};
use crate::source::SourceError;

/// Where an XA transaction was prepared.
#[derive(Debug)]
pub(super) struct Prepare {
    /// Its first half.
    pub gtid: Gtid,
    /// What the log holds before it.
    pub before: GtidSet,
}

/// Finds where the XA transaction was prepared that `commit` ends, for a run that began behind
/// `start`; `None` if the log no longer says so.
pub(super) async fn find(
    server: &Server,
    start: &GtidSet,
    commit: Gtid,
    xid: &str,
) -> Result<Option<Prepare>, SourceError> {
    let search = async {
        let places = async |connection: &mut Connection| {
            let Connection { conn, flavour, .. } = connection;
            bounds::places_before(conn, *flavour, server, start).await
        };
        for place in server.ask(places).await? {
            let found = match search(server, place, commit, xid).await {
                // The log was cut meanwhile, or never went back so far.
                Err(SourceError::Purged { .. } | SourceError::LogRefused { .. }) => {
                    return Ok(None);
                }
                found => found?,
            };
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    };
    in_time(server, commit, xid, search).await
}

/// A search that takes too long may yet end in time when it is made again.
async fn in_time<T>(
    server: &Server,
    commit: Gtid,
    xid: &str,
    search: impl Future<Output = Result<T, SourceError>>,
) -> Result<T, SourceError> {
    tokio::time::timeout(SEARCH_TIME_MAX, search).await.unwrap_or_else(|_| {
        let context = format!(
            "{commit} commits XA transaction {xid}, and where it was prepared was not found in \
             the log of {} within {SEARCH_TIME_MAX:?}; begin at a position with {commit} in it to \
             leave it out",
            server.name()
        );
        Err(SourceError::Disconnected { context, source: None })
    })
}

/// The first halves of the XA transactions of these names among what the server had executed when
/// it told `until`; the log no longer says where the others are.
pub(super) async fn prepared(
    server: &Server,
    places: Vec<GtidSet>,
    until: &GtidSet,
    xids: &[String],
) -> Result<Vec<Gtid>, SourceError> {
    let mut found = HashMap::new();
    for place in places {
        found = match prepared_behind(server, place, until, xids).await {
            Err(SourceError::Purged { .. } | SourceError::LogRefused { .. }) => break,
            found => found?,
        };
        if found.len() == xids.len() {
            break;
        }
    }
    Ok(found.into_values().collect())
}

/// The same, as far as it is behind a place.
async fn prepared_behind(
    server: &Server,
    from: GtidSet,
    until: &GtidSet,
    xids: &[String],
) -> Result<HashMap<String, Gtid>, SourceError> {
    let mut pump = Pump::open(server, &from).await?;
    let mut decoder = Decoder::new(pump.flavour);
    let mut read = from;
    let mut named: Option<Gtid> = None;
    let mut found = HashMap::new();
    // The last one is read to its end once the next thing is said.
    while !read.contains_set(until) {
        let event = pump.next().await?;
        match decoder.push(event.raw()).map_err(|error| pump.corrupt(error))? {
            Decoded::TableMap { id, bound: false } => {
                decoder.bind(id, Binding::Skip).expect("only rows can be refused");
            }
            Decoded::Gtid { gtid, .. } => {
                named.replace(gtid).into_iter().for_each(|gtid| read.add(gtid));
            }
            Decoded::Heartbeat { .. } => {
                named.take().into_iter().for_each(|gtid| read.add(gtid));
            }
            Decoded::XaPrepare { one_phase: false, xid } => {
                let xid = transaction::key(&xid.to_string());
                found.extend(xids.contains(&xid).then_some(xid).zip(named));
            }
            other => pump.note(&other),
        }
    }
    Ok(found)
}

/// Reads from a place up to the commit.
async fn search(
    server: &Server,
    from: GtidSet,
    commit: Gtid,
    xid: &str,
) -> Result<Option<Prepare>, SourceError> {
    let mut pump = Pump::open(server, &from).await?;
    let mut decoder = Decoder::new(pump.flavour);
    let mut read = from;
    let mut named: Option<Gtid> = None;
    let mut found = None;
    loop {
        let event = pump.next().await?;
        match decoder.push(event.raw()).map_err(|error| pump.corrupt(error))? {
            Decoded::TableMap { id, bound: false } => {
                decoder.bind(id, Binding::Skip).expect("only rows can be refused");
            }
            Decoded::Gtid { gtid, .. } if gtid == commit => return Ok(found),
            Decoded::Gtid { gtid, .. } => {
                if let Some(before) = named.replace(gtid) {
                    read.add(before);
                }
            }
            // One xid may name one transaction after the other: the last is the one.
            Decoded::XaPrepare { one_phase: false, xid: prepared }
                if transaction::key(&prepared.to_string()) == xid =>
            {
                found = named.map(|gtid| Prepare { gtid, before: read.clone() });
            }
            other => pump.note(&other),
        }
    }
}

/// How long a stream waits for what was prepared long ago.
const SEARCH_TIME_MAX: Duration = Duration::from_secs(600);

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::{Budget, ServerUrl};
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_search_that_takes_too_long_may_be_made_again() {
        let url = ServerUrl::parse("mysql://u@127.0.0.1/db").unwrap();
        let server = Server::new("db-1", url, Arc::new(Budget::new(1)));
        let commit = Gtid::MariaDb { domain: 0, server: 1, sequence: 7 };
        let never = std::future::pending::<Result<(), SourceError>>();
        let error = in_time(&server, commit, "x'78',x'',1", never).await.unwrap_err();
        assert!(error.is_transient());
        assert_eq!(
            error.to_string(),
            "0-1-7 commits XA transaction x'78',x'',1, and where it was prepared was not found in \
             the log of db-1 within 600s; begin at a position with 0-1-7 in it to leave it out"
        );
    }
}
