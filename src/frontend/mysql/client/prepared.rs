//! Prepared statements and their cursors: the books, and the commands that use them.
//!
//! The values of an EXECUTE become literals of the statement's text, which then runs like any other;
//! only its rows are written in the binary form. A cursor keeps the rows of its result until they are
//! fetched: those of a stream where they are, all others here.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::time::Duration;

use super::super::binary::CellError;
use super::super::budget::Holding;
use super::super::columns::ColumnDefinition;
use super::super::error::{self, Failure};
use super::super::execute::{Execute, ParameterType};
use super::super::link::Link;
use super::super::opensrv::StatusFlags;
use super::super::registry::Token;
use super::super::resultset::{Encoding, RowForm};
use super::super::session::Reply;
use super::super::stream::{self, Ending, Portion, RowWriter};
use super::super::wire::{push_end, push_prepared};
use super::{Client, flush_unless_killed};
use crate::engine::Subscription;
use crate::event::charset::Charset;
use crate::source::RowBlock;
use crate::sql::{self, Statement, Template};
use crate::telemetry;

/// How the statement under way is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Manner {
    /// Its rows are binary.
    pub binary: bool,
    /// Its rows wait in a cursor.
    pub cursor: bool,
}

/// A connection's prepared statements.
#[derive(Debug)]
pub(super) struct Prepared {
    last: u32,
    statements: HashMap<u32, PreparedStatement>,
    /// Bytes of texts and long data.
    bytes: usize,
    /// What of all connections' bytes they take.
    holding: Holding,
    /// What the statement under way opened.
    opened: Option<Cursor>,
}

#[derive(Debug)]
struct PreparedStatement {
    template: Template,
    types: Vec<ParameterType>,
    long: Vec<Option<Vec<u8>>>,
    /// Long data was refused; the next EXECUTE says why.
    refused: Option<Failure>,
    cursor: Option<Cursor>,
}

/// Rows that wait to be fetched.
#[derive(Debug)]
enum Cursor {
    Stream(Box<(Subscription, RowWriter)>),
    Rows(KeptRows),
}

impl Cursor {
    fn bytes(&self) -> usize {
        match self {
            // Its rows wait in the engine, which bounds them.
            Self::Stream(_) => 0,
            Self::Rows(rows) => rows.bytes(),
        }
    }
}

/// The rest of a whole result.
#[derive(Debug)]
struct KeptRows {
    form: RowForm,
    /// None of them is at its end.
    blocks: VecDeque<RowBlock>,
    /// The next row of the first block.
    row: usize,
}

impl KeptRows {
    /// Rows in this form.
    fn new(form: RowForm, mut blocks: Vec<RowBlock>) -> Self {
        blocks.retain(|block| !block.is_empty());
        Self { form, blocks: blocks.into(), row: 0 }
    }

    /// Writes the next row; `None` at the end.
    fn write(&mut self, link: &mut Link) -> Option<Result<(), CellError>> {
        let block = self.blocks.front()?;
        let row = block.row(self.row)?;
        let written = self.form.write(link, |cells| cells.push(row));
        self.row += 1;
        if self.row == block.len() {
            // What was fetched is not needed again.
            self.blocks.pop_front();
            self.row = 0;
        }
        Some(written)
    }

    /// Sends at most `count` rows.
    async fn send(
        &mut self,
        link: &mut Link,
        count: u32,
        token: &Token,
        patience: Duration,
    ) -> io::Result<Ending> {
        for _ in 0..count {
            match self.write(link) {
                Some(Ok(())) => {}
                Some(Err(error)) => return Ok(Err(error::of_cell(&error))),
                None => break,
            }
            if link.is_full()
                && let Some(end) = flush_unless_killed(link, token, patience).await?
            {
                return Ok(Err(error::of_end(end)));
            }
        }
        Ok(Ok(()))
    }

    fn bytes(&self) -> usize {
        self.blocks.iter().map(RowBlock::bytes).sum()
    }

    fn is_over(&self) -> bool {
        self.blocks.is_empty()
    }
}

impl PreparedStatement {
    /// Drops what came in parts; says how many bytes it was.
    fn forget_long(&mut self) -> usize {
        let bytes = self.long.iter().flatten().map(Vec::len).sum();
        self.long.fill(None);
        self.refused = None;
        bytes
    }
}

impl Prepared {
    /// No statements yet.
    pub fn new(holding: Holding) -> Self {
        Self { last: 0, statements: HashMap::new(), bytes: 0, holding, opened: None }
    }

    /// Closes everything, as COM_RESET_CONNECTION does. Numbers are not used again.
    pub fn clear(&mut self) {
        self.statements.clear();
        self.forgot(self.bytes);
    }

    /// Bytes that are kept, all in all.
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Some bytes are not kept any more.
    fn forgot(&mut self, bytes: usize) {
        self.bytes -= bytes;
        let held = self.holding.try_hold(self.bytes);
        held.expect("less than before is there");
    }

    /// Bytes of rows that wait in cursors.
    pub fn kept_bytes(&self) -> usize {
        let cursors = self.statements.values().filter_map(|statement| statement.cursor.as_ref());
        cursors.map(Cursor::bytes).sum()
    }

    fn statement(&mut self, id: u32, command: &str) -> Result<&mut PreparedStatement, Failure> {
        self.statements.get_mut(&id).ok_or_else(|| {
            error::UNKNOWN_PREPARED
                .with(format!("Unknown prepared statement handler ({id}) given to {command}"))
        })
    }

    fn insert(&mut self, template: Template, bytes_max: usize) -> Result<u32, Failure> {
        let bytes = self.bytes + template.bytes();
        if self.statements.len() >= STATEMENTS_MAX || bytes > bytes_max {
            return Err(error::TOO_MANY_PREPARED.with(format!(
                "Can't create more than max_prepared_stmt_count statements (current value: \
                 {STATEMENTS_MAX}), nor keep more than max_allowed_packet bytes of their texts"
            )));
        }
        self.holding.try_hold(bytes).map_err(error::of_crowded)?;
        self.bytes = bytes;
        self.last = self.last.wrapping_add(1);
        let long = vec![None; template.kinds().len()];
        let statement =
            PreparedStatement { template, types: Vec::new(), long, refused: None, cursor: None };
        self.statements.insert(self.last, statement);
        Ok(self.last)
    }

    /// Forgets a statement, if there is one of this number.
    pub fn close(&mut self, id: u32) {
        if let Some(mut statement) = self.statements.remove(&id) {
            self.forgot(statement.template.bytes() + statement.forget_long());
        }
    }

    /// Appends to a parameter. Nobody is answered: what is refused, the next EXECUTE tells.
    pub fn append(&mut self, id: u32, parameter: u16, data: &[u8], bytes_max: usize) {
        let Some(statement) = self.statements.get_mut(&id) else { return };
        let Some(long) = statement.long.get_mut(usize::from(parameter)) else { return };
        let bytes = self.bytes + data.len();
        if bytes > bytes_max {
            statement.refused = Some(error::UNKNOWN.with(
                "Parameter of prepared statement which is set through mysql_send_long_data() is \
                 longer than 'max_allowed_packet' bytes",
            ));
            return;
        }
        if let Err(error) = self.holding.try_hold(bytes) {
            statement.refused = Some(error::of_crowded(error));
            return;
        }
        self.bytes = bytes;
        long.get_or_insert_default().extend_from_slice(data);
    }

    /// Closes a statement's cursor and forgets its long data.
    pub fn reset(&mut self, id: u32) -> Result<(), Failure> {
        let statement = self.statement(id, "mysqld_stmt_reset")?;
        statement.cursor = None;
        let forgotten = statement.forget_long();
        self.forgot(forgotten);
        Ok(())
    }

    /// The text of a statement with an EXECUTE's values in it. What waited of its last run is gone.
    fn fill(&mut self, execute: &Execute<'_>, client: Charset) -> Result<String, Failure> {
        let statement = self.statement(execute.statement, "mysqld_stmt_execute")?;
        statement.cursor = None;
        let refused = statement.refused.take();
        let PreparedStatement { template, types, long, .. } = statement;
        let filled = execute.fill(template, types, client, |index| long.get(index)?.as_deref());
        let forgotten = statement.forget_long();
        self.forgot(forgotten);
        refused.map_or(filled, Err)
    }
}

impl Client {
    /// COM_STMT_PREPARE: checks and describes a statement, and keeps it.
    pub(super) async fn prepare(&mut self, link: &mut Link, text: &str) -> io::Result<()> {
        let token = self.seat.begin_statement(text);
        let failure = match self.try_prepare(link, text, &token).await? {
            Ok(()) => return Ok(()),
            Err(failure) => failure,
        };
        self.fail(link, &failure);
        Ok(())
    }

    async fn try_prepare(
        &mut self,
        link: &mut Link,
        text: &str,
        token: &Token,
    ) -> io::Result<Ending> {
        if let Err(failure) = self.may_introduce(text) {
            return Ok(Err(failure));
        }
        let (template, more) = telemetry::run_long(text.len(), || {
            let mut statements = sql::split(text);
            (statements.next().map(Template::new), statements.next().is_some())
        });
        let Some(template) = template else {
            return Ok(Err(error::EMPTY_QUERY.with("Query was empty")));
        };
        if more {
            return Ok(Err(error::PARSE.with(
                "You have an error in your SQL syntax; a prepared statement is one statement",
            )));
        }
        let Ok(parameters) = u16::try_from(template.kinds().len()) else {
            return Ok(Err(error::TOO_MANY_PLACEHOLDERS
                .with("Prepared statement contains too many placeholders")));
        };
        // Not every value may stand in every place.
        let mut described = Ok(Vec::new());
        for value in SAMPLES {
            let next = self.describe(link, &template.sample(value), token).await?;
            let done = next.is_ok() || parameters == 0 || token.end().is_some();
            if next.is_ok() || described.is_ok() {
                described = next;
            }
            if done {
                break;
            }
        }
        let columns = match described {
            Ok(columns) => columns,
            Err(failure) => return Ok(Err(failure)),
        };
        let bytes_max = self.shared.config.packet_bytes_max;
        let id = match self.prepared.insert(template, bytes_max) {
            Ok(id) => id,
            Err(failure) => return Ok(Err(failure)),
        };
        let encoding = self.encoding(false);
        let count = u16::try_from(columns.len()).unwrap_or(u16::MAX);
        link.write(|out| push_prepared(out, id, count, parameters));
        let parameter = ColumnDefinition::text("?", 0);
        encoding.definitions(link, std::iter::repeat_n(&parameter, usize::from(parameters)));
        encoding.definitions(link, &columns);
        Ok(Ok(()))
    }

    /// The columns that a statement will have; none if it has no rows.
    async fn describe(
        &mut self,
        link: &mut Link,
        sample: &str,
        token: &Token,
    ) -> io::Result<Result<Vec<ColumnDefinition>, Failure>> {
        let statement = match telemetry::run_long(sample.len(), || sql::parse(sample)) {
            Ok(statement) => statement,
            Err(error) => return Ok(Err(error::of_sql(&error))),
        };
        // These only change the session, and not before they run.
        if matches!(
            statement,
            Statement::Set(_) | Statement::SetFor { .. } | Statement::Use(_) | Statement::Kill(_)
        ) {
            return Ok(Ok(Vec::new()));
        }
        let table = match self.session.decide(statement) {
            Ok(Reply::Stream(stream)) => {
                if let Err(failure) = self.may_read(&stream.table) {
                    return Ok(Err(failure));
                }
                let describe = self.shared.engine.describe(&stream.request);
                return Ok(match super::watched(link, token, describe).await? {
                    Ok(Ok(schemas)) => schemas
                        .iter()
                        .find(|schema| schema.name == stream.table)
                        .map(|output| stream::columns(&stream.table, &stream.items, output))
                        .ok_or_else(|| error::no_such_table(&stream.table)),
                    Ok(Err(error)) => Err(error::of_subscribe(&error)),
                    Err(end) => Err(error::of_end(end)),
                });
            }
            Ok(Reply::Backend { text, .. }) => {
                return self.describe_backend(link, &text, token).await;
            }
            Ok(Reply::Table(asked)) => self.table(link, asked, token).await?,
            Ok(Reply::Ok | Reply::Told(_) | Reply::Under(..) | Reply::Kill { .. }) => {
                return Ok(Ok(Vec::new()));
            }
            Err(failure) => Err(failure),
        };
        Ok(table.map(|table| table.columns))
    }

    /// COM_STMT_EXECUTE.
    pub(super) async fn execute_prepared(
        &mut self,
        link: &mut Link,
        packet: &[u8],
    ) -> io::Result<()> {
        let bytes = packet.len() + self.prepared.bytes();
        let filled = telemetry::run_long(bytes, || match Execute::parse(packet) {
            Some(execute) => {
                let client = self.session.variables().client();
                self.prepared.fill(&execute, client).map(|text| (execute, text))
            }
            None => Err(error::malformed_packet()),
        });
        let failure = match filled {
            Ok((execute, text)) => {
                let token = self.seat.begin_statement(&text);
                self.manner = Manner { binary: true, cursor: execute.cursor };
                let ending = self.statement(link, &text, &token, false).await;
                self.manner = Manner::default();
                let opened = self.prepared.opened.take();
                match ending? {
                    Ok(()) => {
                        if let Some(kept) = self.prepared.statements.get_mut(&execute.statement) {
                            kept.cursor = opened;
                        }
                        return Ok(());
                    }
                    Err(failure) => failure,
                }
            }
            Err(failure) => failure,
        };
        self.fail(link, &failure);
        Ok(())
    }

    /// Answers the statement under way with a cursor over a stream.
    pub(super) fn open_stream(
        &mut self,
        link: &mut Link,
        columns: &[ColumnDefinition],
        subscription: Subscription,
        writer: RowWriter,
    ) {
        self.encoding(false).cursor(link, columns);
        self.prepared.opened = Some(Cursor::Stream(Box::new((subscription, writer))));
    }

    /// Answers the statement under way with a cursor over rows that are all there.
    pub(super) fn open_rows(
        &mut self,
        link: &mut Link,
        columns: &[ColumnDefinition],
        blocks: Vec<RowBlock>,
    ) {
        let encoding = self.encoding(false);
        encoding.cursor(link, columns);
        let form = RowForm::new(true, columns, encoding.results);
        self.prepared.opened = Some(Cursor::Rows(KeptRows::new(form, blocks)));
    }

    /// COM_STMT_FETCH: the next rows of a cursor, at most `count`. A stream's are waited for until
    /// there is one.
    pub(super) async fn fetch(&mut self, link: &mut Link, id: u32, count: u32) -> io::Result<()> {
        let cursor = match self.prepared.statement(id, "mysqld_stmt_fetch") {
            Ok(statement) => statement.cursor.take().ok_or_else(|| {
                error::NO_OPEN_CURSOR.with(format!("The statement ({id}) has no open cursor."))
            }),
            Err(failure) => Err(failure),
        };
        let token = self.seat.begin_statement("FETCH");
        let patience = self.write_timeout();
        let fetched = match cursor {
            Ok(Cursor::Stream(mut stream)) => {
                let (subscription, writer) = &mut *stream;
                self.seat.begin_stream(subscription.id());
                let portion =
                    stream::portion(link, subscription, writer, &token, u64::from(count)).await?;
                portion.map(|portion| match portion {
                    Portion::Part => Some(Cursor::Stream(stream)),
                    Portion::Last => None,
                })
            }
            Ok(Cursor::Rows(mut rows)) => {
                let ending = rows.send(link, count, &token, patience).await?;
                ending.map(|()| (!rows.is_over()).then_some(Cursor::Rows(rows)))
            }
            Err(failure) => Err(failure),
        };
        let encoding = self.encoding(false);
        match fetched {
            Ok(cursor) => {
                let flag = match &cursor {
                    Some(_) => StatusFlags::SERVER_STATUS_CURSOR_EXISTS,
                    None => StatusFlags::SERVER_STATUS_LAST_ROW_SENT,
                };
                let Encoding { capabilities, status, .. } = encoding;
                link.write(|out| push_end(out, capabilities, 0, status | flag));
                if let Some(statement) = self.prepared.statements.get_mut(&id) {
                    statement.cursor = cursor;
                }
            }
            Err(failure) => self.fail(link, &failure),
        }
        Ok(())
    }
}

/// Literals that are tried in place of values that are not known yet.
const SAMPLES: [&str; 3] = ["''", "NULL", "1"];
/// Statements of one connection, as many as MySQL has in all of a server.
const STATEMENTS_MAX: usize = 16_382;
