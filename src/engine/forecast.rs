//! How long a copy will take, and whether its source keeps changes for as long as it stands still.
//!
//! A copy stays at the position of its view until the next one is opened: after
//! `copy_snapshot_max_age`, and for a table without a key at its end. What was committed meanwhile is
//! read then, and so has to be there.

use std::time::Duration;

use super::config::EngineConfig;
use crate::event::TableSchema;
use crate::source::{Extent, Finding, TableSize};

/// What a copy of some tables would be like.
pub(super) struct Forecast<'a> {
    config: &'a EngineConfig,
    extent: &'a Extent,
    rows_per_second: u64,
}

impl<'a> Forecast<'a> {
    /// `measured` are the rows per second of the last copy from there, 0 if there was none.
    pub fn new(config: &'a EngineConfig, extent: &'a Extent, measured: u32) -> Self {
        let fastest = if measured > 0 { measured } else { ROWS_PER_SECOND };
        let held = config.copy_rows_per_second_max.map_or(u32::MAX, |max| max.get());
        Self { config, extent, rows_per_second: u64::from(fastest.min(held)) }
    }

    /// What EXPLAIN VSTREAM says of a table.
    pub fn describe(&self, table: &TableSchema) -> String {
        let Some(size) = self.extent.tables.get(&table.name) else { return String::new() };
        let mib = size.bytes.div_ceil(1 << 20);
        let stored = if size.bytes > 0 { format!(", {mib} MiB") } else { String::new() };
        let seconds = self.time(*size).as_secs().max(1);
        format!("about {} rows{stored}: {seconds} s", size.rows)
    }

    /// Advice where the source does not keep changes for long enough.
    pub fn finding(&self, tables: &[&TableSchema]) -> Option<Finding> {
        let kept = self.extent.changes_kept?;
        let (mut all, mut longest_keyless) = (Duration::ZERO, Duration::ZERO);
        for table in tables {
            let size = self.extent.tables.get(&table.name).copied().unwrap_or_default();
            let time = self.time(size);
            all += time;
            if table.key.is_empty() {
                longest_keyless = longest_keyless.max(time);
            }
        }
        let stands = all.min(self.config.copy_snapshot_max_age + longest_keyless);
        if stands < kept {
            return None;
        }
        let what = format!(
            "the copy will take about {} s and stand at one position for {} s of them, but changes \
             are kept for {} s: those that are made meanwhile may be gone before they are read",
            all.as_secs(),
            stands.as_secs(),
            kept.as_secs()
        );
        let mend = format!(
            "keep them for {} s or more (binlog_expire_logs_seconds; journal_age_max_seconds of the \
             embedded store)",
            stands.as_secs() * 2
        );
        Some(Finding { fatal: false, what, mend })
    }

    fn time(&self, size: TableSize) -> Duration {
        let seconds = size.rows.div_ceil(self.rows_per_second).max(size.bytes / BYTES_PER_SECOND);
        Duration::from_secs(seconds)
    }
}

/// What is assumed of a source that nothing was copied from yet.
const ROWS_PER_SECOND: u32 = 100_000;
/// The same of large rows.
const BYTES_PER_SECOND: u64 = 50 << 20;

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;
    use std::sync::Arc;

    use super::*;
    use crate::event::{CollationId, Column, ColumnType, TableName};

    fn table(name: &str, key: &[usize]) -> Arc<TableSchema> {
        let int = ColumnType::Int { bytes: 4, unsigned: false };
        Arc::new(TableSchema {
            name: TableName::new("ks", name),
            columns: vec![Column::plain("id", int, CollationId::BINARY)],
            key: key.to_vec(),
            key_is_primary: true,
        })
    }

    #[test]
    fn a_copy_needs_changes_for_as_long_as_it_stands_still() {
        let (keyed, keyless) = (table("a", &[0]), table("b", &[]));
        let check = |per_second: u32, kept: u64, expected: Option<(u64, u64)>| {
            let config = EngineConfig {
                copy_rows_per_second_max: NonZeroU32::new(per_second),
                ..EngineConfig::default()
            };
            let size = |rows| TableSize { rows, bytes: 0 };
            let tables = [(&keyed, size(10_000)), (&keyless, size(1_000))];
            let extent = Extent {
                tables: tables.map(|(table, size)| (table.name.clone(), size)).into(),
                changes_kept: Some(Duration::from_secs(kept)),
            };
            let finding = Forecast::new(&config, &extent, 0).finding(&[&*keyed, &*keyless]);
            let expected = expected.map(|(all, stands)| {
                format!("take about {all} s and stand at one position for {stands} s")
            });
            match (&finding, &expected) {
                (None, None) => {}
                (Some(finding), Some(expected)) if finding.what.contains(expected) => {}
                _ => panic!("{finding:?}, expected {expected:?}"),
            }
        };
        check(0, 60, None);
        // A table with a key goes on from another view, one without does not.
        check(1, 86_400, None);
        check(1, 1_600, Some((11_000, 1_600)));
        check(1, 1_601, None);
        check(100, 109, Some((110, 110)));
    }

    #[test]
    fn what_was_measured_goes_before_what_is_assumed() {
        let keyed = table("a", &[0]);
        let size = TableSize { rows: 1_000_000, bytes: 150 << 20 };
        let extent = Extent { tables: [(keyed.name.clone(), size)].into(), changes_kept: None };
        let config = EngineConfig::default();
        let said = |measured| Forecast::new(&config, &extent, measured).describe(&keyed);
        assert_eq!(said(0), "about 1000000 rows, 150 MiB: 10 s");
        assert_eq!(said(50_000), "about 1000000 rows, 150 MiB: 20 s");
        assert_eq!(said(900_000), "about 1000000 rows, 150 MiB: 3 s");
    }
}
