//! The open result set: a subscription's row changes as text rows, led by `op`.
//!
//! Rows go straight from the shared events into the link's buffer, which leaves when it is full or
//! when the stream would wait. Nothing is allocated per row once the buffers are warm.

use std::io;
use std::sync::Arc;
use std::task::Poll;

use super::columns::ColumnDefinition;
use super::error::{self, Failure};
use super::link::Link;
use super::older::Older;
use super::registry::{End, Token};
use super::resultset::{Encoding, RowCells, RowForm};
use super::session::Stream;
use super::wire::Done;
use crate::engine::{Batch, Subscription};
use crate::event::row::{push_cell, push_null, split_cells};
use crate::event::{Event, Op, Position, Rows, Start, TableName, TableSchema};
use crate::plan::{Applied, Scratch};
use crate::sql::vstream::{Item, Metadata};

/// How a statement that was answered in part ends: with an error in mid-result, or well.
pub type Ending = Result<(), Failure>;

/// The definitions of `op` and the statement's items over the stream's columns.
pub fn columns(table: &TableName, items: &[Item], output: &TableSchema) -> Vec<ColumnDefinition> {
    let schema = &*table.keyspace;
    let tables = (&*table.table, &*table.table);
    let mut rest = output.columns.iter();
    let mut definitions = vec![ColumnDefinition::text("op", 1)];
    for item in items {
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
        match portion(link, subscription, writer, token, u64::MAX).await? {
            Ok(Portion::Part) => {}
            Ok(Portion::Last) => return Ok(Ok(())),
            Err(failure) => return Ok(Err(failure)),
        }
    }
}

/// What became of a portion of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Portion {
    /// More rows may come.
    Part,
    /// The stream is at its end.
    Last,
}

/// Waits until there is a row, then writes what there is without waiting, at most `rows_max` rows.
pub async fn portion(
    link: &mut Link,
    subscription: &mut Subscription,
    writer: &mut RowWriter,
    token: &Token,
    rows_max: u64,
) -> io::Result<Result<Portion, Failure>> {
    let mut left = rows_max;
    loop {
        if let Some(end) = token.end() {
            return Ok(Err(error::of_end(end)));
        }
        match writer.write(link, token, left).await? {
            Ok(written) => left -= written,
            Err(failure) => return Ok(Err(failure)),
        }
        if writer.judged > JUDGED_MAX {
            writer.judged = 0;
            tokio::task::yield_now().await;
        }
        if left == 0 {
            return Ok(Ok(Portion::Part));
        }
        let ready = match subscription.try_next() {
            Ok(Poll::Ready(batch)) => Ok(batch),
            Ok(Poll::Pending) if left < rows_max && rows_max != u64::MAX => {
                return Ok(Ok(Portion::Part));
            }
            Ok(Poll::Pending) => {
                writer.pause(link);
                match wait(link, subscription, token).await? {
                    Waited::Next(next) => next,
                    Waited::Ended(end) => return Ok(Err(error::of_end(end))),
                }
            }
            Err(error) => Err(error),
        };
        match ready {
            Ok(Some(batch)) => writer.take(batch),
            Ok(None) => return Ok(Ok(Portion::Last)),
            Err(error) => return Ok(Err(error::of_stream(&error))),
        }
    }
}

/// Sends what is buffered unless the statement is killed meanwhile.
pub async fn flush(link: &mut Link, token: &Token) -> io::Result<Option<End>> {
    let _sending = token.sending();
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
    form: RowForm,
    table: TableName,
    items: Vec<Item>,
    /// The columns that the client was told.
    output: Arc<TableSchema>,
    /// The stream goes on from long ago, and no row has come yet of the columns that the client was
    /// told: rows of others are from before these.
    is_behind: bool,
    /// How such rows are shown.
    older: Option<Box<Older>>,
    /// Where the client is once it has read all complete transactions so far.
    position: Arc<Position>,
    scratch: Scratch,
    made: Made,
    /// Row changes looked at since other tasks had a turn.
    judged: usize,
    /// What is not written yet, or not all of it.
    unwritten: Option<Unwritten>,
    /// How one result set follows the other; `None` if there is only one.
    chain: Option<Box<Chain>>,
}

/// A stream as one small result set after the other, for clients that show a result only once it is
/// whole.
#[derive(Debug)]
pub struct Chain {
    encoding: Encoding,
    binary: bool,
    state: SetState,
}

/// Where a chain is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SetState {
    /// Before its first set.
    New,
    /// In a set.
    Open,
    /// Behind a set that another follows.
    Between,
}

impl Chain {
    /// A chain that has not begun; `encoding` is that of its last set.
    pub const fn new(encoding: Encoding, binary: bool) -> Self {
        Self { encoding, binary, state: SetState::New }
    }

    fn begin(&mut self, link: &mut Link, columns: impl FnOnce() -> Vec<ColumnDefinition>) {
        if self.state != SetState::Open {
            self.encoding.columns(link, &columns());
            self.state = SetState::Open;
        }
    }

    /// Ends the open set; another one will follow.
    fn pause(&mut self, link: &mut Link) {
        if self.state == SetState::Open {
            self.encoding.followed().end(link);
            self.state = SetState::Between;
        }
    }
}

/// A batch, and the first row change of it that is not written yet.
#[derive(Debug)]
struct Unwritten {
    batch: Batch,
    event: usize,
    change: usize,
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
    /// A writer for the stream's items over these columns, where the stream begins at `position`.
    pub fn new(
        stream: &Stream,
        form: RowForm,
        output: Arc<TableSchema>,
        position: Arc<Position>,
    ) -> Self {
        let mut parts = Vec::new();
        for item in &stream.items {
            match (item, parts.last_mut()) {
                (Item::All, _) => parts.push(Part::AllCells),
                (Item::Column { .. }, Some(Part::Cells(count))) => *count += 1,
                (Item::Column { .. }, _) => parts.push(Part::Cells(1)),
                (Item::Metadata { which, .. }, _) => parts.push(Part::Metadata(*which)),
            }
        }
        let scratch = Scratch::default();
        let shards = &stream.request.position.shards;
        Self {
            parts,
            form,
            table: stream.table.clone(),
            items: stream.items.clone(),
            output,
            is_behind: shards.iter().any(|shard| matches!(shard.start, Start::After(_))),
            older: None,
            position,
            scratch,
            made: Made::default(),
            judged: 0,
            unwritten: None,
            chain: None,
        }
    }

    /// Makes a chain of result sets of the stream.
    pub fn chain(&mut self, chain: Chain) {
        self.chain = Some(Box::new(chain));
    }

    /// Ends the result; the stream is at its end.
    pub fn finish(&mut self, link: &mut Link, encoding: &Encoding) {
        match &mut self.chain {
            Some(chain) if chain.state == SetState::Between => encoding.ok(link, &Done::default()),
            Some(chain) => {
                chain.begin(link, || columns(&self.table, &self.items, &self.output));
                encoding.end(link);
            }
            None => encoding.end(link),
        }
    }

    /// Nothing comes for a while: a client that waits for the end of a set gets it.
    fn pause(&mut self, link: &mut Link) {
        if let Some(chain) = &mut self.chain {
            chain.pause(link);
        }
    }

    /// Takes the stream's next batch; the one before is written.
    fn take(&mut self, batch: Batch) {
        self.unwritten = Some(Unwritten { batch, event: 0, change: 0 });
    }

    /// Writes rows of the batch taken, at most `rows_max`, flushing as often as the buffer is full.
    /// Says how many.
    async fn write(
        &mut self,
        link: &mut Link,
        token: &Token,
        rows_max: u64,
    ) -> io::Result<Result<u64, Failure>> {
        let Some(mut unwritten) = self.unwritten.take() else { return Ok(Ok(0)) };
        let mut written = 0;
        while let Some(event) = unwritten.batch.events.get(unwritten.event) {
            match event {
                Event::Row(rows) => {
                    let (batch, first) = (&unwritten.batch, unwritten.change);
                    let left = rows_max - written;
                    let (rows, next) =
                        match self.rows(link, (batch, rows), token, first, left).await? {
                            Ok(done) => done,
                            Err(failure) => return Ok(Err(failure)),
                        };
                    written += rows;
                    if let Some(next) = next {
                        unwritten.change = next;
                        self.unwritten = Some(unwritten);
                        return Ok(Ok(written));
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
                | Event::Unreadable(_)
                | Event::Journal(_)
                | Event::Heartbeat(_)
                | Event::CopyCompleted(_) => {}
            }
            (unwritten.event, unwritten.change) = (unwritten.event + 1, 0);
        }
        Ok(Ok(written))
    }

    /// Writes the row changes from the `first` on: how many rows, and the change where it stopped
    /// because of `rows_max`.
    async fn rows(
        &mut self,
        link: &mut Link,
        (batch, rows): (&Batch, &Rows),
        token: &Token,
        first: usize,
        rows_max: u64,
    ) -> io::Result<Result<(u64, Option<usize>), Failure>> {
        let plan = batch.plan(rows);
        if !self.prepare(link, plan.output()) {
            return Ok(Err(self.table_changed()));
        }
        let (mut written, mut first) = (0, first);
        loop {
            let (rows, next) = match self.fill(link, (batch, rows), first, rows_max - written) {
                Ok(filled) => filled,
                Err(failure) => return Ok(Err(failure)),
            };
            written += rows;
            match next {
                Some(next) if link.is_full() => first = next,
                _ => return Ok(Ok((written, next))),
            }
            self.judged = 0;
            self.pause(link);
            if let Some(end) = flush(link, token).await? {
                return Ok(Err(error::of_end(end)));
            }
        }
    }

    /// The same until the link is full.
    fn fill(
        &mut self,
        link: &mut Link,
        (batch, rows): (&Batch, &Rows),
        first: usize,
        rows_max: u64,
    ) -> Result<(u64, Option<usize>), Failure> {
        let plan = batch.plan(rows);
        let mut written = 0;
        for (index, change) in (first..).zip(rows.changes_from(first)) {
            if written == rows_max || link.is_full() {
                return Ok((written, Some(index)));
            }
            self.judged += 1;
            let (op, row) = match plan.apply(change, &mut self.scratch) {
                Ok(Applied::Same) => (change.op(), change.shown()),
                Ok(Applied::Changed(changed)) => (changed.op(), changed.shown()),
                Ok(Applied::Without) => continue,
                Err(error) => return Err(error::of_eval(&error)),
            };
            let Some(row) = row else { continue };
            if let Some(chain) = &mut self.chain {
                chain.begin(link, || columns(&self.table, &self.items, &self.output));
            }
            let place = Place { batch, rows, index };
            let (parts, made) = (&self.parts, &mut self.made);
            let (form, row) = match &mut self.older {
                None => (&self.form, row.encoded()),
                Some(older) => older.arrange(row.encoded()),
            };
            let pushed = form.write(link, |cells| {
                cells.push_text(op_cell(op));
                push_parts(cells, parts, made, row, &place);
            });
            pushed.map_err(|error| error::of_cell(&error))?;
            written += 1;
        }
        Ok((written, None))
    }

    /// Makes ready for rows of this shape; `false` if the client cannot be shown them.
    fn prepare(&mut self, link: &mut Link, output: &Arc<TableSchema>) -> bool {
        if self.fits(output) {
            (self.is_behind, self.older) = (false, None);
            return true;
        }
        self.follow(link, output) || self.look_back(output)
    }

    /// Shows rows of older columns in those that the client was told.
    fn look_back(&mut self, output: &Arc<TableSchema>) -> bool {
        if self.older.as_ref().is_some_and(|older| older.is_of(output)) {
            return true;
        }
        let names_columns = !self.items.contains(&Item::All);
        let places = match self.is_behind {
            true => Older::places(&self.output, output, names_columns),
            false => None,
        };
        self.older = places.map(|places| {
            let mixed = Older::mixed(&self.output, output, &places);
            let mixed = columns(&self.table, &self.items, &mixed);
            Box::new(Older::new(output, places, &self.form, &mixed))
        });
        self.older.is_some()
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

    /// Goes on with a result set of the new columns, if the client takes another one.
    fn follow(&mut self, link: &mut Link, output: &Arc<TableSchema>) -> bool {
        let Some(chain) = &mut self.chain else { return false };
        chain.pause(link);
        let columns = columns(&self.table, &self.items, output);
        self.form = RowForm::new(chain.binary, &columns, chain.encoding.results);
        self.output = Arc::clone(output);
        true
    }

    fn table_changed(&self) -> Failure {
        let mut token = Vec::new();
        self.position.to_token(&mut token);
        // The same columns would be told again, and do not hold the rows that come first.
        let first = match self.is_behind {
            true => "SET vstream_result_sets = 'chain', then ",
            false => "",
        };
        error::TABLE_CHANGED.with(changed_text(first, &String::from_utf8_lossy(&token)))
    }
}

/// What a client is told that has to begin again under new columns, `first` before that.
fn changed_text(first: &str, token: &str) -> String {
    let text = |place: &str| {
        format!(
            "Table definition has changed, please retry transaction: {first}resume with {place}"
        )
    };
    let told = text(&format!("pos > '{token}'"));
    match told.len() <= ERROR_TEXT_BYTES_MAX {
        true => told,
        // A part of a token is none.
        false => text("the last row's _pos, which is too long for this message"),
    }
}

/// Clients keep no more of an error's text.
const ERROR_TEXT_BYTES_MAX: usize = 511;

/// Buffers for the cells that the door makes.
#[derive(Debug, Default)]
struct Made {
    cell: Vec<u8>,
    token: Vec<u8>,
}

/// Which row change a row shows.
struct Place<'a> {
    batch: &'a Batch,
    rows: &'a Rows,
    index: usize,
}

#[inline]
fn push_parts(
    out: &mut RowCells<'_>,
    parts: &[Part],
    made: &mut Made,
    row: &[u8],
    place: &Place<'_>,
) {
    let mut cells = row;
    for part in parts {
        match part {
            Part::AllCells => out.push(row),
            Part::Cells(count) => {
                let (next, rest) = split_cells(cells, *count).unwrap_or((cells, &[]));
                out.push(next);
                cells = rest;
            }
            Part::Metadata(which) => out.push(made.cell(*which, place)),
        }
    }
}

impl Made {
    /// A cell that tells where a row is from.
    fn cell(&mut self, which: Metadata, place: &Place<'_>) -> &[u8] {
        let Self { cell, token } = self;
        cell.clear();
        match which {
            Metadata::Position => {
                token.clear();
                place.batch.write_pos(place.rows, place.index, token);
                push_cell(cell, token);
            }
            Metadata::Shard => push_cell(cell, place.batch.shard.shard.as_bytes()),
            Metadata::Timestamp => push_timestamp(cell, place.batch.timestamp()),
        }
        cell
    }
}

/// The cell of the `op` column.
const fn op_cell(op: Op) -> &'static [u8; 2] {
    match op {
        Op::Insert => b"\x01+",
        Op::Update => b"\x01*",
        Op::Delete => b"\x01-",
    }
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

/// So many row changes of which no client sees any, and then others have a turn: some milliseconds.
const JUDGED_MAX: usize = 4096;
/// The width of a `_pos` column in clients that draw tables. Longer tokens are sent whole all the
/// same.
const POSITION_CHARACTERS: u32 = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_told_whole_or_not_at_all() {
        for length in [0, 400, 500, 5_000] {
            let token = "x".repeat(length);
            let text = changed_text("", &token);
            assert!(text.len() <= ERROR_TEXT_BYTES_MAX, "{text}");
            assert_eq!(text.ends_with(&format!("pos > '{token}'")), length <= 400, "{text}");
            assert_eq!(text.contains("the last row's _pos"), length > 400, "{text}");
        }
    }

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
}
