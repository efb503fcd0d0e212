//! XA transactions that were prepared before a run of changes began.
//!
//! A position of ours over MySQL leaves them out, so that a resume reads them. One over MariaDB, and
//! one that a server tells, such as `current`, holds them although their rows are in no table yet:
//! these are fetched from the log once the commit is met. The log is read backwards in growing steps,
//! since most such transactions are prepared shortly before they end.
//!
//! Whoever has met the commit reads nothing else meanwhile, so that the time for it is short, and is
//! spent once: by all who ask together, and by one who begins anew because more tables are wanted.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::time::Instant;

use super::bounds;
use super::connect::{Connection, Server};
use super::skim::{Line, Skim};
use super::transaction::Lacking;
use crate::event::{Event, Gtid, GtidSet, Unreadable};
use crate::source::{SourceError, Span};

/// Where an XA transaction was prepared.
#[derive(Debug, Clone)]
pub(super) struct Prepare {
    /// Its first half.
    pub gtid: Gtid,
    /// What the log holds before it.
    pub before: GtidSet,
}

/// The searches in one server's log, each for the XA transaction that a commit ends.
#[derive(Debug, Default)]
pub(super) struct Searches {
    lately: Mutex<HashMap<(Gtid, String), Search>>,
}

/// A search that is being made, or was.
#[derive(Debug, Clone)]
struct Search {
    deadline: Instant,
    found: Arc<tokio::sync::Mutex<Option<Prepare>>>,
}

/// Why the rows of a commit are not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Missing {
    /// The log no longer says what was prepared.
    Purged,
    /// It was not found in time.
    Late,
}

impl Searches {
    /// Finds where the XA transaction was prepared that a commit ends, for a run that began behind
    /// `start`.
    pub async fn find(
        &self,
        server: &Server,
        start: &GtidSet,
        Lacking { gtid: commit, xid, .. }: &Lacking,
    ) -> Result<Result<Prepare, Missing>, SourceError> {
        let search = async {
            let places = async |connection: &mut Connection| {
                let Connection { conn, flavour, .. } = connection;
                bounds::places_before(conn, *flavour, server, start).await
            };
            for place in server.ask(places).await? {
                match search(server, place, *commit, xid).await {
                    Ok(None) => {}
                    // The log was cut meanwhile, or never went back so far.
                    Err(SourceError::Purged { .. } | SourceError::LogRefused { .. }) => break,
                    found => return found,
                }
            }
            Ok(None)
        };
        self.once((*commit, xid.clone()), search).await
    }

    /// What was found before, or is found in the time that is left.
    async fn once(
        &self,
        key: (Gtid, String),
        search: impl Future<Output = Result<Option<Prepare>, SourceError>>,
    ) -> Result<Result<Prepare, Missing>, SourceError> {
        let Search { deadline, found } = self.lately(&key);
        let mut found = found.lock().await;
        if let Some(prepare) = &*found {
            return Ok(Ok(prepare.clone()));
        }
        match tokio::time::timeout_at(deadline, search).await {
            Ok(Ok(searched)) => {
                found.clone_from(&searched);
                Ok(searched.ok_or(Missing::Purged))
            }
            // A server that was away is given all the time again.
            Ok(Err(error)) => {
                self.lock().remove(&key);
                Err(error)
            }
            Err(_) => Ok(Err(Missing::Late)),
        }
    }

    fn lately(&self, key: &(Gtid, String)) -> Search {
        let mut lately = self.lock();
        let now = Instant::now();
        lately.retain(|_, search| now < search.deadline + KEPT_TIME);
        let begun = Search { deadline: now + SEARCH_TIME_MAX, found: Arc::default() };
        if lately.len() >= SEARCHES_MAX && !lately.contains_key(key) {
            return begun;
        }
        lately.entry(key.clone()).or_insert(begun).clone()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(Gtid, String), Search>> {
        self.lately.lock().expect("no one panics while holding the searches")
    }
}

impl Missing {
    /// What stands in place of the rows.
    pub fn event(self, server: &Server, Lacking { gtid, xid, .. }: &Lacking) -> Event {
        let leave_out = format!("begin at a position with {gtid} in it to leave it out");
        let (why, mend) = match self {
            Self::Purged => {
                ("is in the log no more, so that its rows are not known".to_owned(), leave_out)
            }
            Self::Late => (
                format!("was not found in the log of {} within {SEARCH_TIME_MAX:?}", server.name()),
                format!("try again after {KEPT_TIME:?}, or {leave_out}"),
            ),
        };
        Event::Unreadable(Arc::new(Unreadable {
            tables: Vec::new(),
            what: format!(
                "{gtid} commits XA transaction {xid}, which was prepared before the stream began \
                 and {why}"
            ),
            mend,
        }))
    }
}

/// The first halves of the XA transactions of these names among what the server had executed when
/// it told `until`; the log no longer says where the others are. None if it takes too long: whoever
/// meets their commits searches then.
pub(super) async fn prepared(
    server: &Server,
    places: Vec<GtidSet>,
    until: &GtidSet,
    xids: &[String],
) -> Result<Vec<Gtid>, SourceError> {
    let search = prepared_among(server, places, until, xids);
    tokio::time::timeout(PREPARED_TIME_MAX, search).await.unwrap_or_else(|_| {
        let xids = xids.join(" ");
        tracing::info!(server = server.name(), xids, "XA transactions were prepared too long ago");
        Ok(Vec::new())
    })
}

async fn prepared_among(
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
    let span = Span { start: from, until: Some(until.clone()) };
    let mut log = Skim::open(server, span).await?;
    let mut found = HashMap::new();
    while let Some(line) = log.next().await? {
        if let Line::Prepare(xid) = line {
            found.extend(xids.contains(&xid).then_some(xid).zip(log.named()));
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
    let mut log = Skim::open(server, Span { start: from, until: None }).await?;
    let mut found = None;
    while let Some(line) = log.next().await? {
        match line {
            Line::Gtid(gtid) if gtid == commit => break,
            // One xid may name one transaction after the other: the last is the one.
            Line::Prepare(prepared) if prepared == xid => {
                found = log.named().map(|gtid| Prepare { gtid, before: log.before().clone() });
            }
            Line::Gtid(_) | Line::Statement(..) | Line::Prepare(_) => {}
        }
    }
    Ok(found)
}

/// How long a stream waits for what was prepared long ago, and all others that read with it.
pub(super) const SEARCH_TIME_MAX: Duration = Duration::from_secs(60);
/// How long what became of a search is the answer to whoever asks again.
const KEPT_TIME: Duration = Duration::from_secs(600);
/// How long the opening of a view waits for those that are prepared at that time.
const PREPARED_TIME_MAX: Duration = Duration::from_secs(20);
/// More of them are not remembered.
const SEARCHES_MAX: usize = 100;

#[cfg(test)]
mod tests {
    use super::super::{Budget, ServerUrl};
    use super::*;

    fn gtid(sequence: u64) -> Gtid {
        Gtid::MariaDb { domain: 0, server: 1, sequence }
    }

    fn commit() -> (Gtid, String) {
        (gtid(7), "x'78',x'',1".to_owned())
    }

    async fn after(seconds: u64) -> Result<Option<Prepare>, SourceError> {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        Ok(Some(Prepare { gtid: gtid(3), before: GtidSet::new() }))
    }

    /// The sequence number of the prepare.
    fn shown(found: Result<Result<Prepare, Missing>, SourceError>) -> Result<Gtid, Missing> {
        found.unwrap().map(|prepare| prepare.gtid)
    }

    #[tokio::test(start_paused = true)]
    async fn the_time_for_a_search_is_spent_once() {
        let searches = Searches::default();
        // Who begins anew, because more tables are wanted, goes on with the time that is left.
        for _ in 0..3 {
            let left = Duration::from_secs(15);
            let given_up = tokio::time::timeout(left, searches.once(commit(), after(40)));
            assert!(given_up.await.is_err());
        }
        assert_eq!(shown(searches.once(commit(), after(40)).await), Err(Missing::Late));
        assert_eq!(shown(searches.once(commit(), after(40)).await), Err(Missing::Late));
        let other = (gtid(8), commit().1);
        assert_eq!(shown(searches.once(other, after(40)).await), Ok(gtid(3)));
        tokio::time::sleep(KEPT_TIME).await;
        assert_eq!(shown(searches.once(commit(), after(40)).await), Ok(gtid(3)));
    }

    #[tokio::test(start_paused = true)]
    async fn who_asks_together_is_answered_together() {
        let searches = Searches::default();
        let second = async {
            tokio::time::sleep(Duration::from_secs(50)).await;
            searches.once(commit(), std::future::pending()).await
        };
        let (first, second) = tokio::join!(searches.once(commit(), after(55)), second);
        assert_eq!([shown(first), shown(second)], [Ok(gtid(3)); 2]);
        let nothing = std::future::ready(Ok(None));
        let purged = searches.once((gtid(9), String::new()), nothing).await;
        assert_eq!(shown(purged), Err(Missing::Purged));
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_was_away_is_searched_anew() {
        let searches = Searches::default();
        let broken = async {
            tokio::time::sleep(Duration::from_secs(50)).await;
            Err(SourceError::Disconnected { context: String::new(), source: None })
        };
        assert!(searches.once(commit(), broken).await.is_err());
        assert_eq!(shown(searches.once(commit(), after(50)).await), Ok(gtid(3)));
    }

    #[test]
    fn what_was_not_found_in_time_can_be_left_out() {
        let url = ServerUrl::parse("mysql://u@127.0.0.1/db").unwrap();
        let server = Server::new("db-1", url, Arc::new(Budget::new(1)));
        let (gtid, xid) = commit();
        let event = Missing::Late.event(&server, &Lacking { gtid, xid, time: 1 });
        let Event::Unreadable(why) = event else { panic!("{event:?}") };
        assert!(why.tables.is_empty());
        assert_eq!(
            format!("{}; {}", why.what, why.mend),
            "0-1-7 commits XA transaction x'78',x'',1, which was prepared before the stream began \
             and was not found in the log of db-1 within 60s; try again after 600s, or begin at a \
             position with 0-1-7 in it to leave it out"
        );
    }
}
