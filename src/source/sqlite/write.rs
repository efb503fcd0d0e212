//! Runs one statement that changes rows, row by row as MySQL does.
//!
//! The caller has opened a savepoint on the one writing connection and rolls back to it when this
//! fails; so a statement is atomic. SQLite sees plain inserts, updates and deletes of rows whose
//! values are already in stored form: defaults, conversions, constraints and foreign keys are
//! decided here, because MySQL decides them per row and in its own order.

mod foreign;
mod insert;
mod rebuild;
mod row;
mod update;

use std::sync::Arc;

use rusqlite::types::Value as Stored;
use rusqlite::{Connection, Row, Rows};

pub(super) use self::rebuild::rebuild;
use super::capture::Capture;
use super::functions::{Current, SessionState};
use super::writer::Writer;
use crate::sql::sqlite::{Delete, Dml, Fault, Table, Tables, Update, Warning};

/// What a statement did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Written {
    /// Rows changed, in MySQL's counting.
    pub affected_rows: u64,
    /// The first AUTO_INCREMENT value made, 0 if none.
    pub last_insert_id: u64,
    /// Warnings and notes.
    pub warnings: Vec<Warning>,
    /// `Records: 3  Duplicates: 0  Warnings: 0`, or empty.
    pub info: String,
}

/// Runs `dml` on the writing connection.
pub(super) fn run(
    writer: &Writer,
    tables: &dyn Tables,
    dml: &Dml,
    session: &Arc<SessionState>,
) -> Result<Written, Fault> {
    session.set_writing(true);
    let written = run_all(writer, tables, dml, session);
    session.set_writing(false);
    written
}

fn run_all(
    writer: &Writer,
    tables: &dyn Tables,
    dml: &Dml,
    session: &Arc<SessionState>,
) -> Result<Written, Fault> {
    let mut run = Run::new(writer, tables, session);
    // What a multi-table statement changes is found before any of it changes.
    let work = run.find(dml)?;
    for (dml, found) in work {
        match dml {
            Dml::Insert(insert) => run.insert(insert)?,
            Dml::Update(update) => run.update(update, found)?,
            Dml::Delete(delete) => run.delete(delete, found)?,
            Dml::Several(_) => return Err(Fault::Internal("statements nested twice".to_owned())),
        }
    }
    Ok(run.finish(matches!(dml, Dml::Insert(_))))
}

/// A row to change: its rowid, and values of other tables that assignments name.
type Found = Vec<(i64, Vec<Stored>)>;

/// A statement in progress.
struct Run<'a> {
    connection: &'a Connection,
    current: &'a Current,
    /// Counts what is collected with the images.
    capture: &'a Capture,
    tables: &'a dyn Tables,
    session: &'a Arc<SessionState>,
    /// IGNORE: an error of a row is a warning.
    ignore: bool,
    /// The row at work, from 1, as messages count.
    row: u64,
    affected: u64,
    /// Rows that an UPDATE found, or duplicates that an INSERT met.
    met: u64,
    first_id: u64,
    info: Option<Info>,
    /// An INSERT of one row: NULL for NOT NULL is an error in any mode.
    single: bool,
    /// The first number that the counter gave, and the one of the row at work.
    counted_from: Option<u64>,
    counted: Option<u64>,
}

/// Which numbers the client is shown.
#[derive(Debug, Clone, Copy)]
enum Info {
    Records,
    Matched,
}

impl<'a> Run<'a> {
    fn new(writer: &'a Writer, tables: &'a dyn Tables, session: &'a Arc<SessionState>) -> Self {
        Self {
            connection: &writer.opened.connection,
            current: &writer.opened.current,
            capture: &writer.capture,
            tables,
            session,
            ignore: false,
            row: 0,
            affected: 0,
            met: 0,
            first_id: 0,
            info: None,
            single: false,
            counted_from: None,
            counted: None,
        }
    }

    fn find<'d>(&self, dml: &'d Dml) -> Result<Vec<(&'d Dml, Found)>, Fault> {
        match dml {
            Dml::Insert(_) => Ok(vec![(dml, Vec::new())]),
            Dml::Update(Update { rows, .. }) | Dml::Delete(Delete { rows, .. }) => {
                Ok(vec![(dml, self.found(rows)?)])
            }
            Dml::Several(parts) => {
                let mut work = Vec::new();
                for part in parts {
                    work.extend(self.find(part)?);
                }
                Ok(work)
            }
        }
    }

    fn found(&self, sql: &str) -> Result<Found, Fault> {
        let mut statement = self.connection.prepare(sql).map_err(|e| self.fault(&e))?;
        let columns = statement.column_count();
        let mut rows = statement.query([]).map_err(|e| self.fault(&e))?;
        let mut found = Found::new();
        while let Some(row) = self.step(&mut rows)? {
            self.check_killed()?;
            let extra = (1..columns).map(|index| row.get::<_, Stored>(index));
            let extra = extra.collect::<Result<Vec<_>, _>>().map_err(|e| self.fault(&e))?;
            self.capture.hold(held_bytes(&extra))?;
            found.push((row.get(0).map_err(|e| self.fault(&e))?, extra));
        }
        Ok(found)
    }

    /// The next row of a search; a kill interrupts SQLite while it looks for it.
    fn step<'r>(&self, rows: &'r mut Rows<'_>) -> Result<Option<&'r Row<'r>>, Fault> {
        let _reading = self.current.reading();
        rows.next().map_err(|e| self.fault(&e))
    }

    fn check_killed(&self) -> Result<(), Fault> {
        if self.session.killed() { Err(Fault::Interrupted) } else { Ok(()) }
    }

    /// Whether a value that does not fit is an error.
    fn strict(&self) -> bool {
        self.session.strict() && !self.ignore
    }

    fn warn(&self, fault: &Fault) {
        let (code, message) = (fault.code(), fault.to_string());
        self.session.warn(Warning { level: "Warning", code, message });
    }

    /// Under IGNORE a row's error is a warning, and the row is left out.
    fn forgive<T>(&self, outcome: Result<T, Fault>) -> Result<Option<T>, Fault> {
        match outcome {
            Ok(done) => Ok(Some(done)),
            Err(fault) if self.ignore && is_row_error(&fault) => {
                self.warn(&fault);
                Ok(None)
            }
            Err(fault) => Err(fault),
        }
    }

    fn fault(&self, error: &rusqlite::Error) -> Fault {
        self.session.fault(error)
    }

    fn finish(self, insert: bool) -> Written {
        let warnings = self.session.take_warnings();
        let count = warnings.len();
        let info = match self.info {
            None => String::new(),
            Some(Info::Records) => {
                format!("Records: {}  Duplicates: {}  Warnings: {count}", self.row, self.met)
            }
            Some(Info::Matched) => {
                format!("Rows matched: {}  Changed: {}  Warnings: {count}", self.met, self.affected)
            }
        };
        if insert && self.first_id > 0 {
            self.session.set_last_insert_id(self.first_id);
        }
        Written { affected_rows: self.affected, last_insert_id: self.first_id, warnings, info }
    }
}

/// Bytes of memory that a collected row takes, roughly.
fn held_bytes(values: &[Stored]) -> usize {
    let text = |value: &Stored| match value {
        Stored::Text(text) => text.len(),
        Stored::Blob(bytes) => bytes.len(),
        Stored::Null | Stored::Integer(_) | Stored::Real(_) => 0,
    };
    let own = size_of_val(values) + size_of::<(i64, Vec<Stored>)>();
    own + values.iter().map(text).sum::<usize>()
}

fn is_row_error(fault: &Fault) -> bool {
    matches!(
        fault,
        Fault::DuplicateEntry { .. }
            | Fault::ChildRow(_)
            | Fault::ParentRow(_)
            | Fault::CheckViolated(_)
            | Fault::NullColumn(_)
    )
}

/// The parameters `?1, ?2, ...` of a row of this table.
fn parameters(table: &Table) -> String {
    let each: Vec<String> = (1..=table.columns.len()).map(|place| format!("?{place}")).collect();
    each.join(", ")
}
