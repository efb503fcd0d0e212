//! How far a shard's copy is: how many rows of about how many, how fast, and for how long yet.
//!
//! The stream counts once per batch; whoever asks does the sums. How large tables are is asked while
//! the copy goes on, and a copy does without an answer.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::event::TableName;
use crate::source::{Extent, Source};
use crate::telemetry;

/// How far a copy is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopyStatus {
    /// The table that is being read.
    pub table: Option<Arc<str>>,
    /// Rows that this stream has read of all tables.
    pub rows: u64,
    /// About how many these will be. Unknown until the source has told, and while only a part of a
    /// table is read: behind a key, or under a condition.
    pub rows_estimate: Option<u64>,
    /// Rows per second, as of late.
    pub rows_per_second: u64,
    /// How long it will go on like this.
    pub remaining: Option<Duration>,
}

impl CopyStatus {
    /// The part that is done; all of it only once it is.
    pub fn percent(&self) -> Option<u64> {
        let estimate = self.rows_estimate?;
        if self.table.is_none() && estimate == self.rows {
            return Some(100);
        }
        let percent = u128::from(self.rows) * 100 / u128::from(estimate.max(1));
        Some(u64::try_from(percent.min(99)).unwrap_or(99))
    }
}

/// A copy's counters.
#[derive(Debug, Clone)]
pub(super) struct Progress {
    begun: Instant,
    rows: u64,
    table: Option<TableProgress>,
    /// About how many rows the tables hold whose turn is to come.
    waiting: Option<u64>,
    pace: Pace,
    logged: Instant,
}

#[derive(Debug, Clone)]
struct TableProgress {
    name: Arc<str>,
    rows: u64,
    estimate: Option<u64>,
    /// All rows of the table are read, by this stream.
    is_whole: bool,
}

impl Progress {
    pub fn new() -> Self {
        let now = Instant::now();
        let pace = Pace { before: (now, 0), since: (now, 0) };
        Self { begun: now, rows: 0, table: None, waiting: None, pace, logged: now }
    }

    /// The source has told how many rows the tables hold whose turn is to come, and the one that is
    /// being read.
    pub fn sized(&mut self, waiting: u64, current: Option<u64>) {
        self.waiting = Some(waiting);
        if let Some(table) = &mut self.table {
            table.estimate = current;
        }
    }

    /// The table that is being read.
    pub fn table(&self) -> Option<&Arc<str>> {
        self.table.as_ref().map(|table| &table.name)
    }

    /// A table's turn comes, or comes again. It is whole if no rows are left out.
    pub fn begin(&mut self, name: &Arc<str>, estimate: Option<u64>, is_whole: bool) {
        match &mut self.table {
            Some(table) if table.name == *name => {}
            _ => {
                let waiting = self.waiting.zip(estimate).map(|(all, own)| all.saturating_sub(own));
                self.waiting = waiting.or(self.waiting);
                self.table =
                    Some(TableProgress { name: Arc::clone(name), rows: 0, estimate, is_whole });
            }
        }
    }

    /// Rows were read. Whether it is time to say so in the log.
    pub fn advance(&mut self, rows: usize) -> bool {
        let (now, rows) = (Instant::now(), rows as u64);
        self.rows += rows;
        if let Some(table) = &mut self.table {
            table.rows += rows;
        }
        self.pace.note(now, self.rows);
        let due = now - self.logged >= LOG_INTERVAL;
        if due {
            self.logged = now;
        }
        due
    }

    pub fn finish_table(&mut self) {
        self.table = None;
    }

    /// Nothing is left to copy. For how long it was, and how many rows it has read.
    pub fn complete(&mut self) -> (Duration, u64) {
        (self.table, self.waiting) = (None, Some(0));
        (self.begun.elapsed(), self.rows)
    }

    pub fn status(&self) -> CopyStatus {
        let left = match &self.table {
            None => Some(0),
            Some(table) if !table.is_whole => None,
            Some(table) => table.estimate.map(|all| all.saturating_sub(table.rows)),
        };
        let left = left.zip(self.waiting).map(|(left, waiting)| left + waiting);
        let rows_per_second = self.pace.rows_per_second(Instant::now(), self.rows);
        let remaining = left.filter(|&left| left > 0 && rows_per_second > 0);
        CopyStatus {
            table: self.table.as_ref().map(|table| Arc::clone(&table.name)),
            rows: self.rows,
            rows_estimate: left.map(|left| self.rows + left),
            rows_per_second,
            remaining: remaining.map(|left| Duration::from_secs(left.div_ceil(rows_per_second))),
        }
    }
}

/// How fast rows come: since a while ago, at most two windows.
#[derive(Debug, Clone)]
struct Pace {
    before: (Instant, u64),
    since: (Instant, u64),
}

impl Pace {
    fn note(&mut self, now: Instant, rows: u64) {
        if now - self.since.0 >= WINDOW {
            self.before = self.since;
            self.since = (now, rows);
        }
    }

    fn rows_per_second(&self, now: Instant, rows: u64) -> u64 {
        let (at, before) = self.before;
        let millis = (now - at).as_millis().max(1);
        let per_second = u128::from(rows - before) * 1_000 / millis;
        u64::try_from(per_second).unwrap_or(u64::MAX)
    }
}

/// How many rows tables have, asked of their source once.
#[derive(Debug, Default)]
pub(super) enum Sizes {
    #[default]
    Unasked,
    Asked(oneshot::Receiver<Extent>),
    Told(Extent),
}

impl Sizes {
    /// Asks while something else goes on. Nothing comes of it if it fails, and it ends at once if
    /// nobody waits for it any more.
    pub fn ask(&mut self, source: &Arc<dyn Source>, tables: &[TableName]) {
        let Self::Unasked = self else { return };
        let (mut tell, told) = oneshot::channel();
        let (source, tables) = (Arc::clone(source), tables.to_vec());
        telemetry::spawn("estimate a copy", async move {
            let extent = tokio::select! {
                extent = source.extent(&tables) => extent,
                () = tell.closed() => return,
            };
            match extent {
                Ok(extent) => drop(tell.send(extent)),
                Err(error) => {
                    let (tablet, error) = (source.name(), telemetry::chain(&error));
                    tracing::debug!(tablet, error, "a copy goes on without an estimate");
                }
            }
        });
        *self = Self::Asked(told);
    }

    /// Whether the answer has just come.
    pub fn is_news(&mut self) -> bool {
        let Self::Asked(told) = self else { return false };
        let Ok(extent) = told.try_recv() else { return false };
        *self = Self::Told(extent);
        true
    }

    /// About how many rows a table has. One that was made meanwhile has few.
    pub fn rows(&self, table: &TableName) -> Option<u64> {
        let Self::Told(extent) = self else { return None };
        Some(extent.tables.get(table).map_or(0, |size| size.rows))
    }
}

/// The rate of a copy is that of the last ten to twenty seconds.
const WINDOW: Duration = Duration::from_secs(10);
/// How often a copy is heard of in the log.
const LOG_INTERVAL: Duration = Duration::from_secs(20);

#[cfg(test)]
mod tests {
    use super::*;

    async fn seconds(seconds: u64) {
        tokio::time::advance(Duration::from_secs(seconds)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn tables_count_by_their_rows() {
        let (a, b): (Arc<str>, Arc<str>) = ("a".into(), "b".into());
        let mut progress = Progress::new();
        progress.begin(&a, None, true);
        seconds(1).await;
        progress.advance(100);
        let status = progress.status();
        assert_eq!((status.rows, status.rows_per_second), (100, 100));
        assert_eq!((status.percent(), status.remaining), (None, None));
        // A table of 400 rows, and one of 600 behind it.
        progress.sized(600, Some(400));
        let status = progress.status();
        assert_eq!((status.rows_estimate, status.percent()), (Some(1_000), Some(10)));
        assert_eq!(status.remaining, Some(Duration::from_secs(9)));
        // It had fewer rows than was thought.
        progress.advance(200);
        progress.finish_table();
        progress.begin(&b, Some(600), true);
        assert_eq!(progress.status().rows_estimate, Some(900));
        // And the next one more.
        progress.advance(700);
        assert_eq!((progress.status().percent(), progress.status().remaining), (Some(99), None));
        progress.finish_table();
        assert_eq!(progress.complete(), (Duration::from_secs(1), 1_000));
        let status = progress.status();
        assert_eq!((status.table.as_deref(), status.percent()), (None, Some(100)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_part_of_a_table_is_no_part_of_an_estimate() {
        let (a, b): (Arc<str>, Arc<str>) = ("a".into(), "b".into());
        let mut progress = Progress::new();
        progress.sized(500, None);
        progress.begin(&a, Some(400), false);
        progress.advance(10);
        assert_eq!(progress.status().percent(), None);
        // A later view of it is still the same table.
        progress.begin(&a, Some(400), false);
        assert_eq!(progress.status().rows, 10);
        progress.finish_table();
        progress.begin(&b, Some(100), true);
        progress.advance(10);
        assert_eq!(progress.status().percent(), Some(18));
    }

    #[tokio::test(start_paused = true)]
    async fn a_copy_that_stands_still_is_seen_to() {
        let mut progress = Progress::new();
        progress.begin(&"a".into(), Some(10_000), true);
        progress.sized(0, Some(10_000));
        for _ in 0..50 {
            seconds(1).await;
            progress.advance(100);
        }
        assert_eq!(progress.status().rows_per_second, 100);
        assert_eq!(progress.status().remaining, Some(Duration::from_secs(50)));
        seconds(90).await;
        assert_eq!(progress.status().rows_per_second, 10);
        assert_eq!(progress.status().remaining, Some(Duration::from_secs(500)));
    }

    #[tokio::test(start_paused = true)]
    async fn the_log_hears_of_it_now_and_then() {
        let mut progress = Progress::new();
        let mut lines = 0;
        for _ in 0..100 {
            seconds(1).await;
            lines += u32::from(progress.advance(1));
        }
        assert_eq!(lines, 5);
    }
}
