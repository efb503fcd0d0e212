//! How far a shard's copy is, and what of the changes in between a client has to see.
//!
//! A change is dropped only if it is provably beyond the last key copied: the later snapshot holds
//! it. When in doubt it is delivered; applied as an upsert it does no harm. A table without any key
//! has no upserts: its rows are counted, so that equal ones are neither lost nor doubled.

use std::cmp::Ordering;
use std::sync::Arc;

use crate::event::row::{push_cell, push_null};
use crate::event::{Cell, Ddl, Row, RowChange, ShardPosition, TableLastPk, TableSchema};

use super::rules::{Hash, key_columns, key_shape};

/// The tables of a copy in bytewise order of their names; none once it is complete.
#[derive(Debug, Default)]
pub(super) struct CopyProgress {
    tables: Vec<TableCopy>,
}

#[derive(Debug)]
struct TableCopy {
    table: Arc<str>,
    state: TableState,
}

#[derive(Debug)]
enum TableState {
    Waiting,
    Begun {
        pk: TableLastPk,
        /// The key's shape when `pk` was read.
        shape: u64,
        /// What the transaction being read adds to `pk.copies`.
        pending: i64,
    },
    Finished,
}

/// What a client has to see of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Visible {
    Yes,
    No,
    /// The image before leaves what was copied, and the one after is beyond it: a delete.
    Before,
    /// The image after joins what was copied, and the one before was beyond it: an insert.
    After,
    /// The change cannot be placed before or behind the last row copied, and not be repeated.
    Unknown,
}

impl CopyProgress {
    /// A copy of these tables that has come as far as `position` says.
    pub fn new<'a>(
        tables: impl IntoIterator<Item = &'a Arc<TableSchema>>,
        position: &ShardPosition,
    ) -> Self {
        let copy = |schema: &Arc<TableSchema>| {
            let table = Arc::clone(&schema.name.table);
            let pk = position.table_pks.iter().find(|pk| pk.table == table);
            let state = match pk {
                Some(pk) => {
                    TableState::Begun { pk: pk.clone(), shape: key_shape(schema), pending: 0 }
                }
                None if position.finished.contains(&table) => TableState::Finished,
                None => TableState::Waiting,
            };
            TableCopy { table, state }
        };
        let mut tables: Vec<_> = tables.into_iter().map(copy).collect();
        tables.sort_by(|a, b| a.table.cmp(&b.table));
        Self { tables }
    }

    /// Adds a table that nothing was known of; `false` if it is there already.
    pub fn add(&mut self, table: &Arc<str>) -> bool {
        let Err(at) = self.tables.binary_search_by(|known| known.table.cmp(table)) else {
            return false;
        };
        let table = TableCopy { table: Arc::clone(table), state: TableState::Waiting };
        self.tables.insert(at, table);
        true
    }

    /// A table that was made since the copy began comes by its changes alone. Positions say so: who
    /// resumes must not copy it.
    pub fn meet(&mut self, table: &Arc<str>) {
        if !self.tables.is_empty() && self.add(table) {
            self.finish(table);
        }
    }

    pub fn is_complete(&self) -> bool {
        self.unfinished().next().is_none()
    }

    /// Whether the client has rows of a copy that is not complete.
    pub fn has_begun(&self) -> bool {
        self.tables.iter().any(|copy| !matches!(copy.state, TableState::Waiting))
    }

    /// The tables that are still to be copied, in order.
    pub fn unfinished(&self) -> impl Iterator<Item = &Arc<str>> {
        let open = |copy: &&TableCopy| !matches!(copy.state, TableState::Finished);
        self.tables.iter().filter(open).map(|copy| &copy.table)
    }

    fn find(&self, table: &str) -> Option<&TableCopy> {
        let at = self.tables.binary_search_by(|copy| (*copy.table).cmp(table)).ok()?;
        self.tables.get(at)
    }

    fn state(&mut self, table: &str) -> Option<&mut TableState> {
        let at = self.tables.binary_search_by(|copy| (*copy.table).cmp(table)).ok()?;
        self.tables.get_mut(at).map(|copy| &mut copy.state)
    }

    /// The last key copied of a table.
    pub fn last_pk(&self, table: &str) -> Option<&TableLastPk> {
        match &self.find(table)?.state {
            TableState::Begun { pk, .. } => Some(pk),
            TableState::Waiting | TableState::Finished => None,
        }
    }

    /// Rows up to this key have been copied.
    pub fn advance(&mut self, schema: &TableSchema, pk: TableLastPk) {
        if let Some(state) = self.state(&schema.name.table) {
            *state = TableState::Begun { pk, shape: key_shape(schema), pending: 0 };
        }
    }

    pub fn finish(&mut self, table: &str) {
        if let Some(state) = self.state(table) {
            *state = TableState::Finished;
        }
        if self.is_complete() {
            self.tables = Vec::new();
        }
    }

    /// Whether the copy of a table can go on under this shape. Under another key it cannot: what is
    /// behind the last row copied is another set of rows.
    pub fn fits(&self, schema: &TableSchema) -> bool {
        let copy = self.find(&schema.name.table);
        let Some(TableState::Begun { pk, shape, .. }) = copy.map(|copy| &copy.state) else {
            return true;
        };
        let names = key_columns(schema).filter_map(|index| schema.columns.get(index));
        pk.columns.iter().eq(names.map(|column| &column.name)) && *shape == key_shape(schema)
    }

    /// Writes how far the copy is into a position.
    pub fn describe(&self, position: &mut ShardPosition) {
        position.copying = !self.tables.is_empty();
        for copy in &self.tables {
            match &copy.state {
                TableState::Waiting => {}
                TableState::Begun { pk, .. } => position.table_pks.push(pk.clone()),
                TableState::Finished => position.finished.push(Arc::clone(&copy.table)),
            }
        }
    }

    /// A number for the keys behind which the copy would go on; 0 if there are none.
    pub fn hash(&self) -> u64 {
        let mark = |copy: &TableCopy| match &copy.state {
            TableState::Begun { shape, .. } => {
                let mut hash = Hash(*shape);
                hash.add(copy.table.as_bytes());
                hash.0
            }
            TableState::Waiting | TableState::Finished => 0,
        };
        self.tables.iter().fold(0, |hash, copy| hash ^ mark(copy))
    }

    /// Whether all changes of this table are to be seen, without a look at the rows.
    pub fn sees_all(&self, table: &str) -> bool {
        self.find(table).is_none_or(|copy| matches!(copy.state, TableState::Finished))
    }

    /// Whether a snapshot to come holds the table as it is now.
    pub fn awaits(&self, table: &str) -> bool {
        self.find(table).is_some_and(|copy| matches!(copy.state, TableState::Waiting))
    }

    /// Whether a change of a table in this shape is to be seen, and counts it.
    pub fn judge(&mut self, schema: &TableSchema, shape: u64, change: RowChange<'_>) -> Visible {
        let Some(state) = self.state(&schema.name.table) else { return Visible::Yes };
        match state {
            TableState::Finished => Visible::Yes,
            TableState::Waiting => Visible::No,
            TableState::Begun { shape: known, .. } if *known != shape => Visible::Yes,
            TableState::Begun { pk, pending, .. } if schema.key.is_empty() => {
                count(schema, pk, pending, change)
            }
            TableState::Begun { pk, .. } => {
                let seen = |row: Option<Row<'_>>| {
                    row.is_some_and(|row| compare(schema, pk, row) != Some(Ordering::Greater))
                };
                visible(change, seen(change.before), seen(change.after))
            }
        }
    }

    /// The transaction being read begins again, or for the first time.
    pub fn begin(&mut self) {
        for copy in &mut self.tables {
            if let TableState::Begun { pending, .. } = &mut copy.state {
                *pending = 0;
            }
        }
    }

    /// The transaction being read is complete.
    pub fn commit(&mut self) {
        for copy in &mut self.tables {
            if let TableState::Begun { pk, pending, .. } = &mut copy.state {
                pk.copies = pk.copies.saturating_add_signed(std::mem::take(pending));
            }
        }
    }

    /// A table of the copy that the statement renames while not all is copied: its rows would be
    /// looked for under the wrong name.
    pub fn loses_track(&self, ddl: &Ddl) -> Option<&Arc<str>> {
        let renames = ddl.tables.len() != 1
            && ddl.statement.as_bytes().windows(6).any(|word| word.eq_ignore_ascii_case(b"rename"));
        let named = |table: &&Arc<str>| {
            ddl.tables.is_empty() || ddl.tables.iter().any(|name| name.table == **table)
        };
        renames.then(|| self.unfinished().find(named)).flatten()
    }
}

/// A table without a key: rows before the last one copied are seen, rows equal to it as long as
/// they are among the copies, so that what is left of them in the next snapshot is known.
fn count(
    schema: &TableSchema,
    pk: &TableLastPk,
    pending: &mut i64,
    change: RowChange<'_>,
) -> Visible {
    let place = |row: Option<Row<'_>>| row.map(|row| compare(schema, pk, row));
    let (before, after) = (place(change.before), place(change.after));
    if before == Some(None) || after == Some(None) {
        return Visible::Unknown;
    }
    let copies = i64::try_from(pk.copies).unwrap_or(i64::MAX).saturating_add(*pending);
    let seen = |place: Option<Option<Ordering>>, equal: bool| match place.flatten() {
        None | Some(Ordering::Greater) => false,
        Some(Ordering::Less) => true,
        Some(Ordering::Equal) => equal,
    };
    let (sees_before, sees_after) = (seen(before, copies > 0), seen(after, true));
    *pending -= i64::from(sees_before && before.flatten() == Some(Ordering::Equal));
    *pending += i64::from(sees_after && after.flatten() == Some(Ordering::Equal));
    visible(change, sees_before, sees_after)
}

/// A row that leaves what was copied is gone for the client until the later snapshot brings it:
/// whatever happens to it before then is not shown.
const fn visible(change: RowChange<'_>, before: bool, after: bool) -> Visible {
    match (before, after) {
        (false, false) => Visible::No,
        (true, false) if change.after.is_some() => Visible::Before,
        (false, true) if change.before.is_some() => Visible::After,
        _ => Visible::Yes,
    }
}

/// The key of the last row of a batch; `previous` is the one before the batch.
pub(super) fn last_pk<'a>(
    schema: &TableSchema,
    row: Row<'_>,
    earlier: impl Iterator<Item = Row<'a>>,
    previous: Option<&TableLastPk>,
) -> TableLastPk {
    let mut pk = TableLastPk {
        table: Arc::clone(&schema.name.table),
        columns: key_columns(schema)
            .filter_map(|index| schema.columns.get(index))
            .map(|column| Arc::clone(&column.name))
            .collect(),
        cells: Vec::new(),
        copies: 1,
    };
    write_key(schema, row, &mut pk.cells);
    if schema.key.is_empty() {
        pk.copies += copies_before(&pk.cells, earlier, previous);
    }
    pk
}

/// How many of the rows right before one, newest first, are equal to it.
pub(super) fn copies_before<'a>(
    cells: &[u8],
    earlier: impl Iterator<Item = Row<'a>>,
    previous: Option<&TableLastPk>,
) -> u64 {
    let mut copies = 0;
    for row in earlier {
        if row.encoded() != cells {
            return copies;
        }
        copies += 1;
    }
    copies + previous.filter(|pk| pk.cells == cells).map_or(0, |pk| pk.copies)
}

/// Writes the cells of a row's key in key order.
pub(super) fn write_key(schema: &TableSchema, row: Row<'_>, out: &mut Vec<u8>) {
    out.clear();
    if schema.key.is_empty() {
        out.extend_from_slice(row.encoded());
        return;
    }
    for index in key_columns(schema) {
        match row.cells().nth(index) {
            Some(Cell::Text(bytes)) => push_cell(out, bytes),
            Some(Cell::Null | Cell::Absent) | None => push_null(out),
        }
    }
}

fn compare(schema: &TableSchema, pk: &TableLastPk, row: Row<'_>) -> Option<Ordering> {
    crate::plan::compare_keys(schema, pk, row)
}
