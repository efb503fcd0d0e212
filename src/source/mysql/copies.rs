//! What copies spare their server: there are few of them, and none goes on while the server is short
//! of what a copy costs it.
//!
//! A view keeps a server from forgetting old rows, which then slow everybody down: the length of the
//! history list says how many it keeps. A replica that reads for a copy may fall behind its source.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error, Row};
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use super::Flavour;
use super::budget::Waiting;
use super::connect::{Connection, Server};
use crate::source::Scarce;

/// What bounds the copies of one server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CopyLimits {
    /// Copies at once.
    pub copies_max: usize,
    /// No copy goes on while the server is further behind than this.
    pub replica_lag_max: Duration,
    /// No copy goes on while the server keeps more transactions' old rows than this.
    pub history_list_max: u64,
}

impl Default for CopyLimits {
    fn default() -> Self {
        // The last two are Vitess's.
        Self {
            copies_max: 8,
            replica_lag_max: Duration::from_hours(12),
            history_list_max: 1_000_000,
        }
    }
}

/// The copies of one server.
#[derive(Debug)]
pub struct Copies {
    limits: CopyLimits,
    places: Arc<Semaphore>,
    /// What the server was short of when it was last looked at.
    seen: Mutex<Option<Seen>>,
    /// It was said that something cannot be seen.
    is_blind: AtomicBool,
    wait_for_copy: AtomicUsize,
    wait_for_lag: AtomicUsize,
    wait_for_history: AtomicUsize,
}

/// What a look at a server has shown.
#[derive(Debug)]
struct Seen {
    at: Instant,
    scarce: Option<Scarce>,
    history_list: Option<u64>,
}

/// A copy's place among those that there may be, for as long as it is held.
#[derive(Debug)]
pub struct CopyPlace {
    _permit: OwnedSemaphorePermit,
}

impl Copies {
    /// No copies yet.
    pub fn new(limits: CopyLimits) -> Self {
        Self {
            limits,
            places: Arc::new(Semaphore::new(limits.copies_max)),
            seen: Mutex::default(),
            is_blind: AtomicBool::new(false),
            wait_for_copy: AtomicUsize::new(0),
            wait_for_lag: AtomicUsize::new(0),
            wait_for_history: AtomicUsize::new(0),
        }
    }

    /// Waits for the end of another copy, first come, first served, then for as long as the server
    /// is short of something. Who waits has no connection. Cancel-safe.
    pub async fn begin(&self, server: &Server) -> CopyPlace {
        let place = self.place(server.name()).await;
        while let Some(scarce) = self.look(server).await {
            let _waiting = self.wait(scarce, server.name());
            while self.look(server).await == Some(scarce) {
                tokio::time::sleep(LOOK_INTERVAL).await;
            }
        }
        place
    }

    async fn place(&self, tablet: &str) -> CopyPlace {
        let places = || Arc::clone(&self.places);
        let permit = match places().try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) => {
                let _waiting = self.wait(Scarce::Copy, tablet);
                places().acquire_owned().await.expect("the semaphore is never closed")
            }
        };
        CopyPlace { _permit: permit }
    }

    fn wait(&self, scarce: Scarce, tablet: &str) -> Waiting<'_> {
        tracing::info!(tablet, waits_for = %scarce, "a copy spares its server");
        Waiting::new(self.waiting(scarce))
    }

    /// Whether a copy waits for this.
    pub fn wait_for(&self, scarce: Scarce) -> bool {
        scarce != Scarce::Connection && self.waiting(scarce).load(Ordering::Relaxed) > 0
    }

    fn waiting(&self, scarce: Scarce) -> &AtomicUsize {
        match scarce {
            Scarce::Connection | Scarce::Copy => &self.wait_for_copy,
            Scarce::ReplicaLag => &self.wait_for_lag,
            Scarce::HistoryList => &self.wait_for_history,
        }
    }

    /// What the server is short of, as of a few seconds ago at most. All copies have one answer.
    pub async fn look(&self, server: &Server) -> Option<Scarce> {
        let mut seen = self.seen.lock().await;
        if let Some(seen) = &*seen
            && seen.at.elapsed() < LOOK_INTERVAL
        {
            return seen.scarce;
        }
        let read = async |connection: &mut Connection| {
            Load::read(connection).await.map_err(|error| server.broken("read the load", error))
        };
        // A server that is away is found to be by who reads from it.
        let load = server.ask(read).await.unwrap_or_default();
        if let Some(denied) = &load.denied
            && !self.is_blind.swap(true, Ordering::Relaxed)
        {
            let what = "copies do not wait for what cannot be seen of a server";
            tracing::info!(tablet = server.name(), denied, "{what}");
        }
        let before = seen.as_ref().and_then(|seen| seen.history_list);
        let scarce = self.limits.exceeded(&load, before);
        *seen = Some(Seen { at: Instant::now(), scarce, history_list: load.history_list });
        scarce
    }
}

impl CopyLimits {
    /// A history list that stays as it was is that of a server without writers, where MySQL forgets
    /// nothing: a view adds nothing to it, and who waited for its end would wait for a write.
    fn exceeded(&self, load: &Load, before: Option<u64>) -> Option<Scarce> {
        if load.replica_lag.is_some_and(|lag| lag > self.replica_lag_max) {
            return Some(Scarce::ReplicaLag);
        }
        let changed = load.history_list.filter(|_| load.history_list != before);
        let history = changed.is_some_and(|length| length > self.history_list_max);
        history.then_some(Scarce::HistoryList)
    }
}

/// How a server is doing, as far as its user may see that.
#[derive(Debug, Default, PartialEq, Eq)]
struct Load {
    /// How far a replica is behind.
    replica_lag: Option<Duration>,
    /// Transactions whose old rows are kept.
    history_list: Option<u64>,
    /// Why something is not known.
    denied: Option<String>,
}

impl Load {
    async fn read(connection: &mut Connection) -> mysql_async::Result<Self> {
        let Connection { conn, flavour, .. } = connection;
        let mut load = Self::default();
        match replica_lag(conn, *flavour).await {
            Ok(lag) => load.replica_lag = lag,
            Err(Error::Server(said)) => load.denied = Some(said.message),
            Err(error) => return Err(error),
        }
        match conn.query_first::<u64, _>(HISTORY_LIST).await {
            Ok(length) => load.history_list = length,
            Err(Error::Server(said)) => load.denied = Some(said.message),
            Err(error) => return Err(error),
        }
        Ok(load)
    }
}

/// How far the server is behind the furthest ahead of its sources; none without one that it reads.
async fn replica_lag(conn: &mut Conn, flavour: Flavour) -> mysql_async::Result<Option<Duration>> {
    let query = match flavour {
        Flavour::Mysql => "SHOW REPLICA STATUS",
        Flavour::MariaDb => "SHOW ALL REPLICAS STATUS",
    };
    let rows: Vec<Row> = conn.query(query).await?;
    let seconds = |row: &Row| {
        let names = ["Seconds_Behind_Source", "Seconds_Behind_Master"];
        names.iter().find_map(|&name| row.get_opt::<u64, _>(name)?.ok())
    };
    Ok(rows.iter().filter_map(seconds).max().map(Duration::from_secs))
}

const HISTORY_LIST: &str =
    "SELECT `COUNT` FROM information_schema.INNODB_METRICS WHERE NAME = 'trx_rseg_history_len'";
/// How old what is known of a server may be.
pub const LOOK_INTERVAL: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use tokio::time::timeout;

    use super::*;

    const LONG: Duration = Duration::from_hours(1);

    #[tokio::test(start_paused = true)]
    async fn copies_wait_for_their_turn_until_they_are_given_up() {
        let copies = Copies::new(CopyLimits { copies_max: 1, ..CopyLimits::default() });
        let first = copies.place("one").await;
        let (mut left, mut second, mut third) = (
            Box::pin(copies.place("one")),
            Box::pin(copies.place("one")),
            Box::pin(copies.place("one")),
        );
        for place in [&mut left, &mut second, &mut third] {
            assert!(timeout(LONG, place).await.is_err());
        }
        assert!(copies.wait_for(Scarce::Copy) && !copies.wait_for(Scarce::HistoryList));
        drop((left, first));
        assert!(timeout(LONG, &mut third).await.is_err());
        drop(second.await);
        timeout(LONG, third).await.unwrap();
        assert!(!copies.wait_for(Scarce::Copy));
    }

    #[test]
    fn a_load_beyond_a_limit_is_told_by_its_name() {
        let check_after = |before, lag: Option<u64>, history_list, expected| {
            let replica_lag = lag.map(Duration::from_secs);
            let load = Load { replica_lag, history_list, denied: None };
            assert_eq!(CopyLimits::default().exceeded(&load, before), expected, "{load:?}");
        };
        let check = |lag, history_list, expected| check_after(None, lag, history_list, expected);
        check(None, None, None);
        check(Some(43_200), Some(1_000_000), None);
        check(Some(43_201), Some(1_000_001), Some(Scarce::ReplicaLag));
        check(None, Some(1_000_001), Some(Scarce::HistoryList));
        check_after(Some(1_000_002), None, Some(1_000_001), Some(Scarce::HistoryList));
        check_after(Some(1_000_001), None, Some(1_000_001), None);
    }
}
