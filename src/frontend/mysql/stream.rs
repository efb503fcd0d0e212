//! The open result set: a subscription's row changes as text rows, led by `op`.
//!
//! Rows go straight from the shared events into the link's buffer, which leaves at 64 KiB or when the
//! stream would wait. Nothing is allocated per row once the buffers are warm.

use std::io;
use std::sync::Arc;
use std::task::Poll;

use super::columns::ColumnDefinition;
use super::error::{self, Failure};
use super::link::Link;
use super::registry::{End, Token};
use super::session::Stream;
use crate::engine::{Batch, Subscription};
use crate::event::row::{push_cell, push_null, split_cell};
use crate::event::{Event, Op, Position, Row, RowChange, Rows, TableSchema};
use crate::plan::{Applied, Scratch};
use crate::sql::vstream::{Item, Metadata};

/// How a statement that was answered in part ends: with an error in mid-result, or well.
pub type Ending = Result<(), Failure>;

/// The definitions of `op` and the statement's items over the stream's columns.
pub fn columns(stream: &Stream, output: &TableSchema) -> Vec<ColumnDefinition> {
    let schema = &*stream.table.keyspace;
    let tables = (&*stream.table.table, &*stream.table.table);
    let mut rest = output.columns.iter();
    let mut definitions = vec![ColumnDefinition::text("op", 1)];
    for item in &stream.items {
        match item {
            Item::All => definitions.extend(
                rest.by_ref()
                    .map(|column| ColumnDefinition::of(column, schema, tables, &column.name)),
            ),
            Item::Column { name, alias } => definitions.extend(rest.next().map(|column| {
                let shown = alias.as_deref().unwrap_or(&column.name);
                let mut definition = ColumnDefinition::of(column, schema, tables, shown);
                definition.original_name.clone_from(name);
                definition
            })),
            Item::Metadata { which, alias } => {
                definitions.push(metadata(*which, alias.as_deref()));
            }
        }
    }
    definitions
}

/// Sends rows until the stream ends. An `Err` is the connection's end; the caller ends the result.
pub async fn run(
    link: &mut Link,
    subscription: &mut Subscription,
    writer: &mut RowWriter,
    token: &Token,
) -> io::Result<Ending> {
    loop {
        if let Some(end) = token.end() {
            return Ok(Err(error::of_end(end)));
        }
        let ready = match subscription.try_next() {
            Ok(Poll::Ready(batch)) => Ok(batch),
            Ok(Poll::Pending) => match wait(link, subscription, token).await? {
                Waited::Next(next) => next,
                Waited::Ended(end) => return Ok(Err(error::of_end(end))),
            },
            Err(error) => Err(error),
        };
        match ready {
            Ok(Some(batch)) => {
                if let Err(failure) = writer.batch(link, batch, token).await? {
                    return Ok(Err(failure));
                }
            }
            Ok(None) => return Ok(Ok(())),
            Err(error) => return Ok(Err(error::of_stream(&error))),
        }
    }
}

/// Sends what is buffered unless the statement is killed meanwhile.
pub async fn flush(link: &mut Link, token: &Token) -> io::Result<Option<End>> {
    tokio::select! {
        biased;
        end = token.fired() => Ok(Some(end)),
        flushed = link.flush() => flushed.map(|()| None),
    }
}

#[allow(clippy::large_enum_variant, reason = "a box would be an allocation for each wait")]
enum Waited {
    Next(Result<Option<Batch>, crate::engine::StreamError>),
    Ended(End),
}

/// Lets buffered rows go, then waits for the next ones, a kill, or the client's departure.
async fn wait(
    link: &mut Link,
    subscription: &mut Subscription,
    token: &Token,
) -> io::Result<Waited> {
    if let Some(end) = flush(link, token).await? {
        return Ok(Waited::Ended(end));
    }
    link.shrink();
    tokio::select! {
        biased;
        end = token.fired() => Ok(Waited::Ended(end)),
        () = link.closed() => Err(io::ErrorKind::ConnectionAborted.into()),
        next = subscription.next() => Ok(Waited::Next(next)),
    }
}

/// Writes one stream's rows.
#[derive(Debug)]
pub struct RowWriter {
    parts: Vec<Part>,
    /// The columns that the client was told.
    output: Arc<TableSchema>,
    /// Where the client is once it has read all complete transactions so far.
    position: Arc<Position>,
    scratch: Scratch,
    token: Vec<u8>,
}

/// A run of cells of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    /// All cells of the image.
    AllCells,
    /// The next cells of the image.
    Cells(usize),
    /// A cell that the door makes.
    Metadata(Metadata),
}

impl RowWriter {
    /// A writer for these items over these columns, for a stream that begins at `position`.
    pub fn new(items: &[Item], output: Arc<TableSchema>, position: Arc<Position>) -> Self {
        let mut parts = Vec::new();
        for item in items {
            match (item, parts.last_mut()) {
                (Item::All, _) => parts.push(Part::AllCells),
                (Item::Column { .. }, Some(Part::Cells(count))) => *count += 1,
                (Item::Column { .. }, _) => parts.push(Part::Cells(1)),
                (Item::Metadata { which, .. }, _) => parts.push(Part::Metadata(*which)),
            }
        }
        Self { parts, output, position, scratch: Scratch::default(), token: Vec::new() }
    }

    /// Writes the rows of one batch, flushing as often as the buffer is full.
    async fn batch(&mut self, link: &mut Link, batch: Batch, token: &Token) -> io::Result<Ending> {
        for event in &batch.events {
            match event {
                Event::Row(rows) => {
                    if let Err(failure) = self.rows(link, &batch, rows, token).await? {
                        return Ok(Err(failure));
                    }
                }
                Event::Vgtid(position) => self.position = Arc::clone(position),
                Event::Gtid(_)
                | Event::Begin(_)
                | Event::Field(_)
                | Event::RowsQuery(_)
                | Event::Commit(_)
                | Event::Ddl(_)
                | Event::Other(_)
                | Event::Journal(_)
                | Event::Heartbeat(_)
                | Event::CopyCompleted(_) => {}
            }
        }
        Ok(Ok(()))
    }

    async fn rows(
        &mut self,
        link: &mut Link,
        batch: &Batch,
        rows: &Rows,
        token: &Token,
    ) -> io::Result<Ending> {
        let plan = batch.plan(rows);
        if !self.fits(plan.output()) {
            return Ok(Err(self.table_changed()));
        }
        for (index, change) in rows.changes().enumerate() {
            let shown = match plan.apply(change, &mut self.scratch) {
                Ok(Applied::Same) => change,
                Ok(Applied::Changed(changed)) => changed,
                Ok(Applied::Without) => continue,
                Err(error) => return Ok(Err(error::of_eval(&error))),
            };
            let place = Place { batch, rows, index };
            write_row(link, &self.parts, &mut self.token, shown, &place);
            if link.is_full()
                && let Some(end) = flush(link, token).await?
            {
                return Ok(Err(error::of_end(end)));
            }
        }
        Ok(Ok(()))
    }

    /// Whether rows of this shape fit the columns that the client was told.
    fn fits(&mut self, output: &Arc<TableSchema>) -> bool {
        if Arc::ptr_eq(output, &self.output) {
            return true;
        }
        let fits = output.columns == self.output.columns;
        if fits {
            self.output = Arc::clone(output);
        }
        fits
    }

    fn table_changed(&self) -> Failure {
        let mut token = Vec::new();
        self.position.to_token(&mut token);
        error::TABLE_CHANGED.with(format!(
            "Table definition has changed, please retry transaction: resume with pos > '{}'",
            String::from_utf8_lossy(&token)
        ))
    }
}

/// Which row change a row shows.
struct Place<'a> {
    batch: &'a Batch,
    rows: &'a Rows,
    index: usize,
}

fn write_row(
    link: &mut Link,
    parts: &[Part],
    token: &mut Vec<u8>,
    change: RowChange<'_>,
    place: &Place<'_>,
) {
    let Some(row) = change.shown() else { return };
    link.write(|out| {
        push_op(out, change.op());
        push_parts(out, parts, token, row, place);
    });
}

fn push_parts(
    out: &mut Vec<u8>,
    parts: &[Part],
    token: &mut Vec<u8>,
    row: Row<'_>,
    place: &Place<'_>,
) {
    let mut cells = row.encoded();
    for part in parts {
        match part {
            Part::AllCells => out.extend_from_slice(row.encoded()),
            Part::Cells(count) => {
                let rest = behind(cells, *count);
                out.extend_from_slice(&cells[..cells.len() - rest.len()]);
                cells = rest;
            }
            Part::Metadata(Metadata::Position) => {
                token.clear();
                place.batch.write_pos(place.rows, place.index, token);
                push_cell(out, token);
            }
            Part::Metadata(Metadata::Shard) => push_cell(out, place.batch.shard.shard.as_bytes()),
            Part::Metadata(Metadata::Timestamp) => push_timestamp(out, place.batch.timestamp()),
        }
    }
}

fn push_op(out: &mut Vec<u8>, op: Op) {
    push_cell(out, op.symbol().as_bytes());
}

/// Seconds since 1970; NULL where there is no commit to name, as in a copy.
fn push_timestamp(out: &mut Vec<u8>, seconds: u64) {
    if seconds == 0 {
        return push_null(out);
    }
    let mut digits = [0; 20];
    let mut start = digits.len();
    let mut rest = seconds;
    while rest > 0 {
        start -= 1;
        digits[start] = b'0' + u8::try_from(rest % 10).expect("a digit");
        rest /= 10;
    }
    push_cell(out, &digits[start..]);
}

/// What lies behind the first `count` cells.
fn behind(mut cells: &[u8], count: usize) -> &[u8] {
    for _ in 0..count {
        cells = split_cell(cells).map_or(&[], |(_, rest)| rest);
    }
    cells
}

fn metadata(which: Metadata, alias: Option<&str>) -> ColumnDefinition {
    let name = alias.unwrap_or(which.name());
    let mut definition = match which {
        Metadata::Position => ColumnDefinition::text(name, POSITION_CHARACTERS),
        Metadata::Shard => ColumnDefinition::text(name, 8),
        Metadata::Timestamp => ColumnDefinition::integer(name),
    };
    which.name().clone_into(&mut definition.original_name);
    definition
}

/// The width of a `_pos` column in clients that draw tables. Longer tokens are sent whole all the
/// same.
const POSITION_CHARACTERS: u32 = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_print_as_numbers() {
        let check = |seconds, expected: &[u8]| {
            let mut out = Vec::new();
            push_timestamp(&mut out, seconds);
            assert_eq!(out, expected);
        };
        check(0, b"\xfb");
        check(7, b"\x017");
        check(1_790_000_000, b"\x0a1790000000");
        check(u64::MAX, b"\x1418446744073709551615");
    }

    #[test]
    fn cells_are_skipped_by_count() {
        let cells = b"\x01a\xfb\x02bc";
        assert_eq!(behind(cells, 0), cells);
        assert_eq!(behind(cells, 2), b"\x02bc");
        assert_eq!(behind(cells, 9), b"");
    }
}
