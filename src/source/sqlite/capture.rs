//! Row images of the running statement, caught by triggers on the writing connection.
//!
//! Each table has three TEMP triggers there that hand the images of every changed row to a function
//! of ours; nothing that writes through SQLite can miss them. The images wait in memory until the
//! statement succeeds, and are then appended to the journal. (SQLite's own hook for this would need
//! a C header parser on the machine that builds.)
//!
//! A run of changes is encoded as, per change: a byte that says which images follow, 1 before and
//! 2 after; the length of each as four bytes, little endian; the images in [`crate::event::row`]'s
//! encoding.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;
use rusqlite::functions::{Context, FunctionFlags};

use super::connection::Opened;
use super::convert;
use super::functions::Current;
use crate::event::{Column, RowsEvent, TableSchema};
use crate::sql::sqlite::{Fault, quote};

/// What has been caught since the statement began. Shared by the connection's function and the
/// writer that owns the connection.
#[derive(Debug)]
pub(super) struct Capture {
    state: Mutex<State>,
    current: Arc<Current>,
    bytes_max: usize,
    cell_bytes_max: usize,
}

/// Consecutive changes of one table.
#[derive(Debug)]
pub(super) struct Run {
    /// The version of the table.
    pub(super) version: i64,
    /// The encoded changes.
    pub(super) changes: Vec<u8>,
    /// Where changes begin at which a run may be cut, so that one entry stays small.
    cuts: Vec<usize>,
}

#[derive(Debug, Default)]
struct State {
    tables: HashMap<i64, Arc<TableSchema>>,
    runs: Vec<Run>,
    bytes: usize,
    before: Vec<u8>,
    after: Vec<u8>,
}

impl Capture {
    /// Registers the function on the connection. A statement fails if its images, and what else it
    /// holds, exceed `bytes_max`, or one cell `cell_bytes_max`.
    pub(super) fn register(
        opened: &Opened,
        bytes_max: usize,
        cell_bytes_max: usize,
    ) -> rusqlite::Result<Arc<Self>> {
        let current = Arc::clone(&opened.current);
        let capture =
            Arc::new(Self { state: Mutex::default(), current, bytes_max, cell_bytes_max });
        let shared = Arc::clone(&capture);
        opened.connection.create_scalar_function(
            FUNCTION,
            -1,
            FunctionFlags::SQLITE_UTF8,
            move |row| shared.catch(row).map(|()| 0_i64),
        )?;
        Ok(capture)
    }

    /// Makes the triggers of a table's version, in place of those of an earlier one.
    pub(super) fn watch(
        &self,
        connection: &Connection,
        version: i64,
        schema: &Arc<TableSchema>,
    ) -> rusqlite::Result<()> {
        connection.execute_batch(&triggers(version, schema))?;
        self.state().tables.insert(version, Arc::clone(schema));
        Ok(())
    }

    /// Removes the triggers of a table. Its shape stays known: the transaction may roll back.
    pub(super) fn unwatch(&self, connection: &Connection, version: i64) -> rusqlite::Result<()> {
        let mut sql = String::new();
        for event in ["insert", "update", "delete"] {
            let _ = writeln!(sql, "DROP TRIGGER IF EXISTS temp.\"~{version}~{event}\";");
        }
        connection.execute_batch(&sql)
    }

    /// Forgets the shapes of versions that are gone for good.
    pub(super) fn forget(&self, live: impl Fn(i64) -> bool) {
        self.state().tables.retain(|&version, _| live(version));
    }

    /// Takes what the statement changed and begins anew.
    pub(super) fn take(&self) -> Vec<Run> {
        let mut state = self.state();
        state.bytes = 0;
        std::mem::take(&mut state.runs)
    }

    /// Counts what the statement holds beside its images, such as rows that it will insert.
    pub(super) fn hold(&self, bytes: usize) -> Result<(), Fault> {
        self.state().count(bytes, self.bytes_max)
    }

    /// The statement holds so much less.
    pub(super) fn release(&self, bytes: usize) {
        let mut state = self.state();
        state.bytes = state.bytes.saturating_sub(bytes);
    }

    fn catch(&self, row: &Context<'_>) -> rusqlite::Result<()> {
        let mut guard = self.state();
        let state = &mut *guard;
        let version: i64 = row.get(0)?;
        let images: i64 = row.get(1)?;
        let schema = state.tables.get(&version).ok_or(rusqlite::Error::InvalidQuery)?;
        let columns = &schema.columns;
        state.before.clear();
        state.after.clear();
        let mut next = 2;
        for (bit, buffer) in [(BEFORE, &mut state.before), (AFTER, &mut state.after)] {
            if images & i64::from(bit) != 0 {
                image(row, next, columns, self.cell_bytes_max, buffer)?;
                next += columns.len();
            }
        }
        if images == i64::from(BEFORE | AFTER) && state.before == state.after {
            return Ok(());
        }
        let bytes = state.before.len() + state.after.len() + 9;
        state.count(bytes, self.bytes_max).map_err(|fault| {
            let error = rusqlite::Error::UserFunctionError(fault.to_string().into());
            self.current.session().fail(fault);
            error
        })?;
        if state.runs.last().is_none_or(|run| run.version != version) {
            state.runs.push(Run { version, changes: Vec::new(), cuts: Vec::new() });
        }
        let run = state.runs.last_mut().expect("a run was pushed if there was none");
        run.push(images, &state.before, &state.after);
        for buffer in [&mut state.before, &mut state.after] {
            if buffer.capacity() > KEPT_BYTES {
                *buffer = Vec::new();
            }
        }
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn count(&mut self, bytes: usize, bytes_max: usize) -> Result<(), Fault> {
        self.bytes += bytes;
        if self.bytes > bytes_max { Err(Fault::StatementTooLarge) } else { Ok(()) }
    }
}

impl Run {
    fn push(&mut self, images: i64, before: &[u8], after: &[u8]) {
        let last_cut = self.cuts.last().copied().unwrap_or_default();
        if self.changes.len() - last_cut >= ENTRY_BYTES {
            self.cuts.push(self.changes.len());
        }
        self.changes.push(if images & i64::from(BEFORE) == 0 {
            AFTER
        } else if images & i64::from(AFTER) == 0 {
            BEFORE
        } else {
            BEFORE | AFTER
        });
        for (bit, image) in [(BEFORE, before), (AFTER, after)] {
            if images & i64::from(bit) != 0 {
                let length = u32::try_from(image.len()).unwrap_or(u32::MAX);
                self.changes.extend_from_slice(&length.to_le_bytes());
                self.changes.extend_from_slice(image);
            }
        }
    }

    /// The run cut into entries of about [`ENTRY_BYTES`].
    pub(super) fn entries(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.cuts.iter().copied());
        let ends = self.cuts.iter().copied().chain(std::iter::once(self.changes.len()));
        starts.zip(ends).map(|(start, end)| &self.changes[start..end])
    }
}

/// Reads a journal entry; `None` if it is damaged.
pub(super) fn decode(schema: &Arc<TableSchema>, mut payload: &[u8]) -> Option<RowsEvent> {
    let mut event = RowsEvent::new(Arc::clone(schema));
    while !payload.is_empty() {
        let (before, after, rest) = split_change(payload)?;
        event.push_encoded(before, after);
        payload = rest;
    }
    Some(event)
}

type Change<'a> = (Option<&'a [u8]>, Option<&'a [u8]>, &'a [u8]);

fn split_change(encoded: &[u8]) -> Option<Change<'_>> {
    let (&images, mut rest) = encoded.split_first()?;
    let mut image = |bit| {
        if images & bit == 0 {
            return Some(None);
        }
        let (length, behind) = rest.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
        let (image, behind) = behind.split_at_checked(length)?;
        rest = behind;
        Some(Some(image))
    };
    let before = image(BEFORE)?;
    let after = image(AFTER)?;
    (before.is_some() || after.is_some()).then_some((before, after, rest))
}

fn image(
    row: &Context<'_>,
    first: usize,
    columns: &[Column],
    cell_bytes_max: usize,
    buffer: &mut Vec<u8>,
) -> rusqlite::Result<()> {
    for (index, column) in columns.iter().enumerate() {
        let start = buffer.len();
        convert::cell(column, row.get_raw(first + index), buffer);
        if buffer.len() - start > cell_bytes_max {
            let message = format!("Data too long for column '{}'", column.name);
            return Err(rusqlite::Error::UserFunctionError(message.into()));
        }
    }
    Ok(())
}

fn triggers(version: i64, schema: &TableSchema) -> String {
    let list = |image: &str| {
        schema.columns.iter().fold(String::new(), |mut list, column| {
            let _ = write!(list, ", {image}.{}", quote(&column.name));
            list
        })
    };
    let (old, new) = (list("OLD"), list("NEW"));
    let table = quote(&schema.name.table);
    let mut sql = String::new();
    for (event, images, arguments) in [
        ("insert", AFTER, new.clone()),
        ("update", BEFORE | AFTER, format!("{old}{new}")),
        ("delete", BEFORE, old.clone()),
    ] {
        let name = format!("\"~{version}~{event}\"");
        let _ = writeln!(
            sql,
            "CREATE TEMP TRIGGER {name} AFTER {event} ON main.{table} \
             BEGIN SELECT {FUNCTION}({version}, {images}{arguments}); END;"
        );
    }
    sql
}

const FUNCTION: &str = "vstream_capture";
const BEFORE: u8 = 1;
const AFTER: u8 = 2;
/// A larger buffer is given back once its image is in the run.
const KEPT_BYTES: usize = 64 << 10;
/// About how many bytes one journal entry holds.
const ENTRY_BYTES: usize = 512 << 10;
/// Columns of which both images fit into the arguments of one function call (SQLite: 1000).
pub(super) const COLUMNS_MAX: usize = 490;
