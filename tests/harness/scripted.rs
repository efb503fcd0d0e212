//! A backend that answers what the statement's own text asks for: tests of the door need no store.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use vstreamd::event::row::push_cell;
use vstreamd::event::{CollationId, Column, ColumnType};
use vstreamd::source::{
    Backend, BackendColumn, BackendError, BackendOk, BackendReply, BackendRows, BackendSession,
    BackendStatus, KillHandle, ResultColumn, RowBlock, Variables,
};
use vstreamd::sql::sqlite::Value;
use vstreamd::telemetry;

/// Answers `SELECT ROWS <count> <bytes>` with so many rows of one column, `SELECT *` with none,
/// `SELECT HANG <count> <bytes>` with such rows and then nothing until it is interrupted, `SELECT
/// RUNNING` with the number of those that were not, `SELECT @@<name>` and `SELECT <name>` with a
/// variable, `DO WAIT` and `SELECT WAIT` once they are interrupted, BEGIN, COMMIT and `DO 0` with the
/// new status, INSERT with one row, SET with OK, and anything else with error 1064.
#[derive(Default)]
pub struct Scripted {
    running: Arc<AtomicUsize>,
}

/// Random statements ask for more.
const CELL_BYTES_MAX: usize = 64 << 20;

struct Session {
    status: BackendStatus,
    killed: Arc<AtomicBool>,
    running: Arc<AtomicUsize>,
}

struct Rows {
    columns: Vec<BackendColumn>,
    left: usize,
    cells: Vec<Vec<u8>>,
    /// The end comes once this says that the statement was interrupted.
    hangs: Option<Arc<AtomicBool>>,
}

#[async_trait]
impl Backend for Scripted {
    async fn session(&self, _user: &str) -> Result<Box<dyn BackendSession>, BackendError> {
        let status = BackendStatus { in_transaction: false, autocommit: true };
        let running = Arc::clone(&self.running);
        Ok(Box::new(Session { status, killed: Arc::default(), running }))
    }
}

#[async_trait]
impl BackendSession for Session {
    async fn execute(
        &mut self,
        sql: &str,
        variables: &dyn Variables,
    ) -> Result<BackendReply, BackendError> {
        self.killed.store(false, Ordering::Relaxed);
        let lower = sql.to_lowercase();
        let words: Vec<&str> = lower.split_whitespace().collect();
        match words[..] {
            ["select", "rows", count, bytes] => {
                let (count, cell) = script(count, bytes)?;
                Ok(rows(count, cell))
            }
            ["select", "hang", count, bytes] => {
                let (count, cell) = script(count, bytes)?;
                Ok(self.hang(count, cell))
            }
            ["do" | "select", "wait"] => {
                until(&self.killed).await;
                Err(BackendError::interrupted())
            }
            ["select", "running"] => {
                let running = self.running.load(Ordering::Relaxed);
                Ok(rows(1, running.to_string().into_bytes()))
            }
            ["show", "tables"] => Ok(rows(2, b"corder".to_vec())),
            ["select", "*", ..] => Ok(rows(0, Vec::new())),
            ["select", ..] => {
                let names = lower["select".len()..].split(" limit ").next().unwrap_or_default();
                let cells = names.split(',').map(|name| variable(name.trim(), variables));
                let cells = cells.collect::<Result<Vec<_>, _>>()?;
                Ok(table(1, cells))
            }
            ["do", "panic"] => panic!("as announced"),
            ["begin"] => Ok(self.set(true, self.status.autocommit)),
            ["commit"] => Ok(self.set(false, self.status.autocommit)),
            ["do", "0"] => Ok(self.set(false, self.status.autocommit)),
            ["set", ..] => Ok(BackendReply::Ok(BackendOk::default())),
            ["insert", ..] => Ok(BackendReply::Ok(BackendOk {
                affected_rows: 1,
                last_insert_id: 7,
                ..BackendOk::default()
            })),
            _ => Err(syntax()),
        }
    }

    async fn describe(
        &mut self,
        sql: &str,
        variables: &dyn Variables,
    ) -> Result<Vec<BackendColumn>, BackendError> {
        match self.execute(sql, variables).await? {
            BackendReply::Rows(rows) => Ok(rows.columns().to_vec()),
            BackendReply::Ok(_) => Ok(Vec::new()),
        }
    }

    fn status(&self) -> BackendStatus {
        self.status
    }

    fn kill_handle(&self) -> KillHandle {
        let killed = Arc::clone(&self.killed);
        KillHandle::new(move || killed.store(true, Ordering::Relaxed))
    }

    async fn reset(&mut self) -> Result<(), BackendError> {
        self.status = BackendStatus { in_transaction: false, autocommit: true };
        Ok(())
    }
}

impl Session {
    /// As a real server does, it works on by itself, whoever reads the rows.
    fn hang(&self, count: usize, cell: Vec<u8>) -> BackendReply {
        self.running.fetch_add(1, Ordering::Relaxed);
        let (killed, running) = (Arc::clone(&self.killed), Arc::clone(&self.running));
        let ended = Arc::new(AtomicBool::new(false));
        let hangs = Some(Arc::clone(&ended));
        telemetry::spawn("hanging statement", async move {
            until(&killed).await;
            running.fetch_sub(1, Ordering::Relaxed);
            ended.store(true, Ordering::Relaxed);
        });
        reply(count, vec![cell], hangs)
    }

    fn set(&mut self, in_transaction: bool, autocommit: bool) -> BackendReply {
        self.status = BackendStatus { in_transaction, autocommit };
        BackendReply::Ok(BackendOk::default())
    }
}

#[async_trait]
impl BackendRows for Rows {
    fn columns(&self) -> &[BackendColumn] {
        &self.columns
    }

    async fn next(&mut self) -> Result<Option<RowBlock>, BackendError> {
        if self.left == 0 {
            let Some(ended) = &self.hangs else { return Ok(None) };
            until(ended).await;
            return Err(BackendError::interrupted());
        }
        let mut block = RowBlock::default();
        for _ in 0..self.left.min(100) {
            block.push(|out| self.cells.iter().for_each(|cell| push_cell(out, cell)));
            self.left -= 1;
        }
        Ok(Some(block))
    }
}

/// So many rows, with this cell.
fn script(count: &str, bytes: &str) -> Result<(usize, Vec<u8>), BackendError> {
    let number = |text: &str| text.parse::<usize>().ok();
    let bytes = number(bytes).filter(|bytes| *bytes <= CELL_BYTES_MAX);
    let (Some(count), Some(bytes)) = (number(count), bytes) else { return Err(syntax()) };
    Ok((count, vec![b'x'; bytes]))
}

fn syntax() -> BackendError {
    BackendError::new(1064, "42000", "You have an error in your SQL syntax")
}

/// What `@@name` or `name()` is worth.
fn variable(name: &str, variables: &dyn Variables) -> Result<Vec<u8>, BackendError> {
    let name = name.trim_start_matches("@@").trim_end_matches("()");
    match variables.system(name) {
        Some(Value::Null) => Ok(b"NULL".to_vec()),
        Some(Value::Int(number)) => Ok(number.to_string().into_bytes()),
        Some(Value::Text(text)) => Ok(text.into_bytes()),
        other => Err(BackendError::new(1193, "HY000", format!("{name}: {other:?}"))),
    }
}

async fn until(flag: &AtomicBool) {
    while !flag.load(Ordering::Relaxed) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

fn rows(left: usize, cell: Vec<u8>) -> BackendReply {
    table(left, vec![cell])
}

fn table(left: usize, cells: Vec<Vec<u8>>) -> BackendReply {
    reply(left, cells, None)
}

fn reply(left: usize, cells: Vec<Vec<u8>>, hangs: Option<Arc<AtomicBool>>) -> BackendReply {
    let text = ColumnType::Text { length_bytes: 4 };
    let column = Column::plain("cell", text, CollationId::UTF8MB4_BIN);
    let column = ResultColumn { name: "cell".to_owned(), column, table: None };
    let column = BackendColumn::Declared(column);
    let columns = vec![column; cells.len()];
    BackendReply::Rows(Box::new(Rows { columns, left, cells, hangs }))
}
