//! Statements that a backend runs: passed through as they are, and SHOWs made of its answers.
//!
//! While a statement runs, its client is watched. Nobody's statement goes on: it is interrupted where
//! the client is killed or gone, takes nothing for `net_write_timeout`, or wants no further rows.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::super::columns::ColumnDefinition;
use super::super::error::{self, Failure};
use super::super::link::Link;
use super::super::opensrv::CapabilityFlags;
use super::super::registry::{End, Seat, Token};
use super::super::resultset::{Encoding, RowForm, Table};
use super::super::session::no_database;
use super::super::show;
use super::super::stream::Ending;
use super::super::wire::Done;
use super::{Client, flush_unless_killed, given_up, watched};
use crate::access::Right;
use crate::event::row::push_null;
use crate::event::{Cell, Row, TableName};
use crate::source::{
    BackendColumn, BackendError, BackendOk, BackendReply, BackendRows, Introduction, KillHandle,
    Left, RowBlock,
};
use crate::sql;

/// What a statement came to.
enum Answer {
    Ok(BackendOk),
    Rows(Running<Box<dyn BackendRows>>),
}

/// A statement that may still run; dropping it interrupts it unless it is over.
struct Running<T> {
    inner: Option<T>,
    kill: KillHandle,
}

impl<T> Running<T> {
    fn new(inner: T, kill: KillHandle) -> Self {
        Self { inner: Some(inner), kill }
    }

    /// It is over; what there was of it.
    fn over(&mut self) -> Option<T> {
        self.inner.take()
    }
}

impl<T> Drop for Running<T> {
    fn drop(&mut self) {
        if self.inner.is_some() {
            self.kill.interrupt();
        }
    }
}

impl Running<Box<dyn BackendRows>> {
    fn columns(&self) -> &[BackendColumn] {
        self.inner.as_ref().map(|rows| rows.columns()).unwrap_or_default()
    }

    /// The next rows; `None` at the end. Cancel-safe.
    async fn next(&mut self) -> Result<Option<RowBlock>, BackendError> {
        let Some(rows) = &mut self.inner else { return Ok(None) };
        let next = rows.next().await;
        if !matches!(next, Ok(Some(_))) {
            self.over();
        }
        next
    }

    /// Interrupts what still runs and waits until it has ended: the session's next statement would
    /// lift the interruption.
    async fn stop(mut self, link: &mut Link, seat: &Seat) -> io::Result<()> {
        if self.inner.is_none() {
            return Ok(());
        }
        self.kill.interrupt();
        let ended = async { while let Ok(Some(_)) = self.next().await {} };
        tokio::select! {
            biased;
            () = ended => Ok(()),
            () = link.closed() => Err(io::ErrorKind::ConnectionAborted.into()),
            () = given_up(seat.ended()) => Ok(()),
        }
    }
}

impl Client {
    /// Passes a statement through and sends whatever comes back.
    pub(super) async fn backend(
        &mut self,
        link: &mut Link,
        text: &str,
        limit: Option<u64>,
        token: &Token,
        more: bool,
    ) -> io::Result<Ending> {
        if let Err(failure) = self.may(Right::Execute, None) {
            return Ok(Err(failure));
        }
        match self.execute(link, text, token).await? {
            Ok(Answer::Ok(ok)) => {
                let done = Done {
                    affected_rows: ok.affected_rows,
                    last_insert_id: ok.last_insert_id,
                    warnings: ok.warnings,
                    info: ok.info,
                };
                self.note_warnings();
                self.encoding(more).ok(link, &done);
                Ok(Ok(()))
            }
            Ok(Answer::Rows(mut rows)) => {
                let schema = self.session.database().unwrap_or_default();
                let columns: Vec<_> =
                    rows.columns().iter().map(|column| definition(column, schema)).collect();
                if self.manner.cursor {
                    let held = self.prepared.kept_bytes();
                    let kept = keep(link, &mut rows, limit, held, token).await?;
                    rows.stop(link, &self.seat).await?;
                    return Ok(kept.map(|blocks| {
                        self.note_warnings();
                        self.open_rows(link, &columns, blocks);
                    }));
                }
                self.encoding(more).columns(link, &columns);
                self.seat.set_state("sending rows");
                let results = self.session.variables().results();
                let mut sender = Sender {
                    form: RowForm::new(self.manner.binary, &columns, results),
                    token,
                    patience: self.write_timeout(),
                };
                let ending = sender.send(link, &mut rows, limit).await?;
                rows.stop(link, &self.seat).await?;
                if ending.is_ok() {
                    let warnings = self.note_warnings();
                    Encoding { warnings, ..self.encoding(more) }.end(link);
                }
                Ok(ending)
            }
            Err(failure) => Ok(Err(failure)),
        }
    }

    /// The rows of a backend's SHOW that the filter keeps.
    pub(super) async fn listing(
        &mut self,
        link: &mut Link,
        text: &str,
        filter: Option<&sql::show::Filter>,
        token: &Token,
    ) -> io::Result<Result<Table, Failure>> {
        if let Err(failure) = self.may(Right::Execute, None) {
            return Ok(Err(failure));
        }
        let mut rows = match self.execute(link, text, token).await? {
            Ok(Answer::Rows(rows)) => rows,
            Ok(Answer::Ok(_)) => return Ok(Ok(Table::default())),
            Err(failure) => return Ok(Err(failure)),
        };
        let columns = rows.columns().iter().map(|column| definition(column, "")).collect();
        let mut table = Table { columns, rows: Vec::new() };
        let text = |cell: Cell<'_>| cell.bytes().map(|b| String::from_utf8_lossy(b).into_owned());
        loop {
            match watched(link, token, rows.next()).await? {
                Ok(Ok(Some(block))) => table.rows.extend(
                    block.rows().map(|row| Row::new(row, None).cells().map(text).collect()),
                ),
                Ok(Ok(None)) => return Ok(show::keep(table, filter)),
                Ok(Err(error)) => return Ok(Err(error::of_backend(&error))),
                Err(end) => {
                    rows.stop(link, &self.seat).await?;
                    return Ok(Err(error::of_end(end)));
                }
            }
        }
    }

    /// COM_FIELD_LIST: the columns of a table whose names are like `wildcard`, or all if that is
    /// empty; each with its default, here always NULL. Whoever may read the table may see them.
    pub(super) async fn field_list(
        &mut self,
        link: &mut Link,
        table: &str,
        wildcard: &str,
    ) -> io::Result<Ending> {
        let Some(keyspace) = self.session.database() else { return Ok(Err(no_database())) };
        let table = TableName::new(keyspace, table);
        if let Err(failure) = self.may_read(&table) {
            return Ok(Err(failure));
        }
        let token = self.seat.begin_statement("");
        let text = format!("SELECT * FROM `{}` LIMIT 0", table.table.replace('`', "``"));
        match self.execute(link, &text, &token).await? {
            Ok(Answer::Rows(mut rows)) => {
                let wanted = |column: &&BackendColumn| {
                    wildcard.is_empty() || show::like(column.name(), wildcard)
                };
                let results = self.session.variables().results();
                for column in rows.columns().iter().filter(wanted) {
                    link.write(|out| {
                        definition(column, &table.keyspace).push(out, results);
                        push_null(out);
                    });
                }
                // There are none; who reads their end need not interrupt the statement.
                let _ = watched(link, &token, rows.next()).await?;
                rows.stop(link, &self.seat).await?;
                Ok(Ok(()))
            }
            Ok(Answer::Ok(_)) => Ok(Ok(())),
            Err(failure) => Ok(Err(failure)),
        }
    }

    /// Runs a statement that the client may run, unless it is killed or gone before it is done.
    async fn execute(
        &mut self,
        link: &mut Link,
        text: &str,
        token: &Token,
    ) -> io::Result<Result<Answer, Failure>> {
        if let Err(failure) = self.open_backend(link, token).await? {
            return Ok(Err(failure));
        }
        let backend = self.backend.as_mut().expect("opened a moment ago");
        let kill = backend.kill_handle();
        let mut running = Running::new((), kill.clone());
        let execute = backend.execute(text, &self.session);
        let reply = match answered(link, &self.seat, token, &kill, execute).await? {
            Ok(reply) => reply,
            Err(end) => return Ok(Err(error::of_end(end))),
        };
        running.over();
        Ok(match reply {
            Ok(BackendReply::Ok(ok)) => Ok(Answer::Ok(ok)),
            Ok(BackendReply::Rows(rows)) => Ok(Answer::Rows(Running::new(rows, kill))),
            Err(error) => Err(of_interrupted(&error, token)),
        })
    }

    /// The columns that a statement of the backend's will have.
    pub(super) async fn describe_backend(
        &mut self,
        link: &mut Link,
        text: &str,
        token: &Token,
    ) -> io::Result<Result<Vec<ColumnDefinition>, Failure>> {
        if let Err(failure) = self.may(Right::Execute, None) {
            return Ok(Err(failure));
        }
        if let Err(failure) = self.open_backend(link, token).await? {
            return Ok(Err(failure));
        }
        let backend = self.backend.as_mut().expect("opened a moment ago");
        let kill = backend.kill_handle();
        let describe = backend.describe(text, &self.session);
        let described = match answered(link, &self.seat, token, &kill, describe).await? {
            Ok(described) => described.map_err(|error| of_interrupted(&error, token)),
            Err(end) => Err(error::of_end(end)),
        };
        let schema = self.session.database().unwrap_or_default();
        Ok(described
            .map(|columns| columns.iter().map(|column| definition(column, schema)).collect()))
    }

    /// Keeps what the backend's statement left to SHOW WARNINGS; says how many.
    fn note_warnings(&mut self) -> u16 {
        match self.backend.as_ref().map(|backend| backend.warnings()).unwrap_or_default() {
            Left::Known(left) => {
                let count = u16::try_from(left.len()).unwrap_or(u16::MAX);
                self.session.note(left);
                count
            }
            Left::AtServer(count) => {
                self.session.note_unread(count);
                count
            }
        }
    }

    /// Fetches what a backend's statement has left to SHOW WARNINGS and only its server knows.
    pub(super) async fn read_warnings(
        &mut self,
        link: &mut Link,
        token: &Token,
    ) -> io::Result<Ending> {
        let Some(backend) = self.backend.as_mut().filter(|_| self.session.unread() > 0) else {
            return Ok(Ok(()));
        };
        let kill = backend.kill_handle();
        let ask = backend.ask_warnings();
        Ok(match answered(link, &self.seat, token, &kill, ask).await? {
            Ok(Ok(left)) => {
                self.session.note(left);
                Ok(())
            }
            Ok(Err(error)) => Err(of_interrupted(&error, token)),
            Err(end) => Err(error::of_end(end)),
        })
    }

    async fn open_backend(
        &mut self,
        link: &mut Link,
        token: &Token,
    ) -> io::Result<Result<(), Failure>> {
        if self.backend.is_some() {
            return Ok(Ok(()));
        }
        let open = self.shared.backend.session(self.session.user());
        Ok(match watched(link, token, open).await? {
            Ok(Ok(mut session)) => {
                let seat = Arc::clone(&self.seat);
                session.introduce(Introduction {
                    counts_found_rows: self
                        .capabilities
                        .contains(CapabilityFlags::CLIENT_FOUND_ROWS),
                    show_state: Box::new(move |state| seat.set_state(state)),
                });
                self.backend = Some(session);
                Ok(())
            }
            Ok(Err(error)) => Err(error::of_backend(&error)),
            Err(end) => Err(error::of_end(end)),
        })
    }
}

/// What the backend answers. Who is interrupted waits for that, too: the session may have more to
/// lose than the statement, which may be over already; then what it did counts, unless the connection
/// ends as well.
async fn answered<T>(
    link: &mut Link,
    seat: &Seat,
    token: &Token,
    kill: &KillHandle,
    work: impl Future<Output = T>,
) -> io::Result<Result<T, End>> {
    tokio::pin!(work);
    let end = tokio::select! {
        biased;
        answer = &mut work => return Ok(Ok(answer)),
        end = token.fired() => end,
        () = link.closed() => return Err(io::ErrorKind::ConnectionAborted.into()),
    };
    kill.interrupt();
    let answer = tokio::select! {
        biased;
        answer = &mut work => answer,
        () = link.closed() => return Err(io::ErrorKind::ConnectionAborted.into()),
        () = given_up(seat.ended()) => return Ok(Err(end)),
    };
    Ok(if seat.ended().end().is_some() { Err(end) } else { Ok(answer) })
}

/// What it takes to send a backend's rows.
struct Sender<'a> {
    form: RowForm,
    token: &'a Token,
    patience: Duration,
}

impl Sender<'_> {
    /// Sends rows until there are no more, or until it is enough.
    async fn send(
        &mut self,
        link: &mut Link,
        rows: &mut Running<Box<dyn BackendRows>>,
        limit: Option<u64>,
    ) -> io::Result<Ending> {
        let mut left = limit.unwrap_or(u64::MAX);
        while left > 0 {
            let block = match watched(link, self.token, rows.next()).await? {
                Ok(Ok(Some(block))) => block,
                Ok(Ok(None)) => break,
                Ok(Err(error)) => return Ok(Err(error::of_backend(&error))),
                Err(end) => return Ok(Err(error::of_end(end))),
            };
            for row in block.rows().take(usize::try_from(left).unwrap_or(usize::MAX)) {
                let written = self.form.write(link, |cells| cells.push(row));
                if let Err(error) = written {
                    return Ok(Err(error::of_cell(&error)));
                }
                left -= 1;
                if link.is_full()
                    && let Some(end) = flush_unless_killed(link, self.token, self.patience).await?
                {
                    return Ok(Err(error::of_end(end)));
                }
            }
        }
        Ok(Ok(()))
    }
}

/// Reads all rows, or as many as are enough, for a cursor; other cursors hold `held` bytes.
async fn keep(
    link: &mut Link,
    rows: &mut Running<Box<dyn BackendRows>>,
    limit: Option<u64>,
    held: usize,
    token: &Token,
) -> io::Result<Result<Vec<RowBlock>, Failure>> {
    let (mut kept, mut bytes) = (Vec::new(), held);
    let mut left = limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
    while left > 0 {
        let mut block = match watched(link, token, rows.next()).await? {
            Ok(Ok(Some(block))) => block,
            Ok(Ok(None)) => break,
            Ok(Err(error)) => return Ok(Err(error::of_backend(&error))),
            Err(end) => return Ok(Err(error::of_end(end))),
        };
        block.truncate(left);
        left -= block.len();
        bytes += block.bytes();
        if bytes > CURSOR_BYTES_MAX {
            return Ok(Err(error::CURSOR_FULL.with(format!(
                "The table 'cursor' is full: a session's cursors keep at most {CURSOR_BYTES_MAX} \
                 bytes of rows; run the statement without a cursor, or with a LIMIT"
            ))));
        }
        kept.push(block);
    }
    Ok(Ok(kept))
}

/// Only the token knows why a statement was interrupted.
fn of_interrupted(error: &BackendError, token: &Token) -> Failure {
    match token.end() {
        Some(end) if error.code == error::INTERRUPTED.0 => error::of_end(end),
        _ => error::of_backend(error),
    }
}

fn definition(column: &BackendColumn, schema: &str) -> ColumnDefinition {
    let column = match column {
        BackendColumn::Declared(column) => column,
        BackendColumn::Served(column) => return ColumnDefinition::served(column),
    };
    match &column.table {
        Some((alias, name)) => {
            ColumnDefinition::of(&column.column, schema, (alias, name), &column.name)
        }
        None => {
            let mut definition = ColumnDefinition::of(&column.column, "", ("", ""), &column.name);
            definition.original_name.clear();
            definition
        }
    }
}

/// Bytes of rows that a session's cursors keep until they are fetched.
const CURSOR_BYTES_MAX: usize = 64 << 20;
