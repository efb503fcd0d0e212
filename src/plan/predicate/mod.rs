//! Predicates: a rule's condition, compiled once against a schema, with MySQL's semantics.
//!
//! What MySQL would do is decided by types before any row is seen: as what two values are compared
//! ([`meet`]), where texts become numbers or dates, which collation wins. What is not certain is
//! [`PlanError::Unsupported`], never a guess. TIMESTAMPs are judged in UTC, as their cells are.

mod arithmetic;
mod compile;
pub(super) mod decimal;
mod function;
mod meet;
mod node;
pub(super) mod temporal;
mod typing;
mod value;

use std::sync::Arc;

use super::projection::{Span, spans};
use super::table::{EvalError, PlanError};
use crate::event::{Row, RowChange, TableSchema};
use crate::sql::Expr;
use node::{Cells, Context, Node};

/// A compiled condition.
#[derive(Debug)]
pub(super) struct Predicate {
    node: Node,
    scope: Scope,
    schema: Arc<TableSchema>,
    /// How many cells of a row have to be found: all up to the last column that is named.
    columns: usize,
}

/// What a condition judges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    /// One image: an update is judged twice.
    Image,
    /// The whole change, because it names `old.`, `new.`, `op` or CHANGED().
    Change,
}

/// Where the cells of the images lie; reused from row to row.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    old: Vec<Span>,
    new: Vec<Span>,
}

impl Predicate {
    pub(super) fn new(condition: &Expr, schema: &Arc<TableSchema>) -> Result<Self, PlanError> {
        let (node, scope, columns) = compile::compile(condition, schema)?;
        Ok(Self { node, scope, schema: Arc::clone(schema), columns })
    }

    pub(super) const fn scope(&self) -> Scope {
        self.scope
    }

    /// Whether the condition is true; NULL is not.
    pub(super) fn holds(
        &self,
        change: RowChange<'_>,
        scratch: &mut Scratch,
    ) -> Result<bool, EvalError> {
        Ok(self.judge(change, scratch)? == Some(true))
    }

    fn judge(
        &self,
        change: RowChange<'_>,
        scratch: &mut Scratch,
    ) -> Result<Option<bool>, EvalError> {
        let find = |row: Option<Row<'_>>, found: &mut Vec<Span>| {
            if let Some(row) = row {
                spans(row, self.columns, found);
            }
        };
        find(change.before, &mut scratch.old);
        find(change.after, &mut scratch.new);
        let old = change.before.map(|row| Cells { encoded: row.encoded(), spans: &scratch.old });
        let new = change.after.map(|row| Cells { encoded: row.encoded(), spans: &scratch.new });
        let context = Context { schema: &self.schema, op: change.op(), old, new };
        Ok(self.node.eval(&context)?.is_true())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::row::{push_cell, push_null};
    use crate::event::{CollationId, Column, ColumnType, TableName};
    use crate::sql::filter::Select;

    fn schema() -> Arc<TableSchema> {
        let column = Column::plain;
        let (none, ci) = (CollationId::BINARY, CollationId::UTF8MB4_0900_AI_CI);
        let members = Arc::from(["b".into(), "a".into()]);
        let columns = vec![
            column("i", ColumnType::Int { bytes: 8, unsigned: false }, none),
            column("u", ColumnType::Int { bytes: 8, unsigned: true }, none),
            column("d", ColumnType::Decimal { precision: 10, scale: 2, unsigned: false }, none),
            column("r", ColumnType::Double { unsigned: false }, none),
            column("v", ColumnType::VarChar { length: 20 }, ci),
            column("m", ColumnType::DateTime { fsp: 3 }, none),
            column("ti", ColumnType::Time { fsp: 0 }, none),
            column("e", ColumnType::Enum { members }, ci),
            column("s", ColumnType::VarChar { length: 20 }, CollationId(278)),
            column("j", ColumnType::Json, none),
        ];
        let name = TableName::new("ks", "t");
        Arc::new(TableSchema { name, columns, key: vec![0], key_is_primary: true })
    }

    const CELLS: [Option<&str>; 10] = [
        Some("-5"),
        Some("18446744073709551615"),
        Some("1.50"),
        Some("0.1"),
        Some("Päul "),
        Some("2020-02-29 12:30:00.500"),
        Some("-01:00:00"),
        Some("a"),
        Some("x"),
        None,
    ];

    fn row(cells: &[Option<&str>]) -> Vec<u8> {
        let mut row = Vec::new();
        for cell in cells {
            match cell {
                Some(cell) => push_cell(&mut row, cell.as_bytes()),
                None => push_null(&mut row),
            }
        }
        row
    }

    fn compiled(condition: &str) -> Result<Predicate, PlanError> {
        let select = Select::parse(&format!("select * from t where {condition}")).unwrap();
        Predicate::new(&select.condition.unwrap(), &schema())
    }

    #[track_caller]
    fn check(condition: &str, expected: &str) {
        let row = row(&CELLS);
        let change = RowChange { before: None, after: Some(Row::new(&row, None)) };
        let found = match compiled(condition) {
            Err(error) => error.to_string(),
            Ok(predicate) => match predicate.judge(change, &mut Scratch::default()) {
                Err(error) => error.to_string(),
                Ok(Some(true)) => "true".to_owned(),
                Ok(Some(false)) => "false".to_owned(),
                Ok(None) => "null".to_owned(),
            },
        };
        assert_eq!(found, expected, "{condition}");
    }

    #[test]
    fn types_decide_how_values_meet() {
        check("i = '-5'", "true");
        check("i = -5.0", "true");
        check("i < u", "true");
        check("d = '1.5abc'", "true");
        check("d = 1.5", "true");
        check("r = 0.1", "true");
        check("v = 'PAUL'", "false");
        check("v = 'PAUL '", "true");
        check("v like 'p_ul%'", "true");
        check("v like 'p!_ul%' escape '!'", "false");
        check("m > '2020-02-29'", "true");
        check("m = '2020-02-29 12:30:00.5'", "true");
        check("ti < '00:00:00'", "true");
        check("e = 'A'", "true");
        check("e = 2", "true");
        check("d / 0 is null", "true");
        check("1 / 3 = 0.3333", "true");
    }

    #[test]
    fn null_is_neither_true_nor_false() {
        check("j is null", "true");
        check("i = null", "null");
        check("null <=> null", "true");
        check("i in (1, null)", "null");
        check("i in (-5, null)", "true");
        check("i not in (1, null)", "null");
        check("i = 1 and null", "false");
        check("i = 1 or null", "null");
        check("not null", "null");
        check("null is unknown", "true");
        check("coalesce(null, v) = 'paul '", "true");
    }

    #[test]
    fn what_mysql_refuses_is_refused() {
        check("u + 1 > 0", "BIGINT UNSIGNED value is out of range in '(u + 1)'");
        check("i - u < 0", "BIGINT UNSIGNED value is out of range in '(i - u)'");
        check("m = 'abc'", "Incorrect DATETIME value: 'abc'");
        check("none = 1", "column `none` not found in table t");
        check("frobnicate(i)", "FUNCTION FROBNICATE does not exist");
        check("length(i, i)", "Incorrect parameter count in the call to native function 'LENGTH'");
        check("v = 'a' collate nowhere", "Unknown collation: 'nowhere'");
    }

    #[test]
    fn what_is_not_certain_is_unsupported() {
        check("s = 'x'", "comparison under collation utf8mb4_0900_as_cs is not supported");
        check("j = 1", "unsupported: a JSON value = an integer");
        check("hex(v) = 'a'", "unsupported: HEX(v)");
        check("m = '20-1-1'", "unsupported: DATETIME = '20-1-1'");
        check("i between 1 and null", "unsupported: BETWEEN an integer AND NULL");
    }

    const WORDS: &[&str] = &[
        "i",
        "u",
        "d",
        "r",
        "v",
        "m",
        "ti",
        "e",
        "s",
        "j",
        "op",
        "old.i",
        "new.v",
        "1",
        "-1",
        "1.5",
        "1e3",
        "'a'",
        "'2020-01-01'",
        "'10:00:00'",
        "null",
        "true",
        "and",
        "or",
        "xor",
        "not",
        "=",
        "<=>",
        "<",
        ">=",
        "+",
        "-",
        "*",
        "/",
        "div",
        "%",
        "in",
        "between",
        "like",
        "is",
        "(",
        ")",
        ",",
        "abs(",
        "left(",
        "if(",
        "changed(",
        "coalesce(",
        "case",
        "when",
        "then",
        "end",
        "date '2020-01-01'",
        "x'41'",
        "18446744073709551615",
        "year(",
        "&",
        "<<",
    ];
    const HARD_CELLS: &[&str] =
        &["", "-", "1", "1.5", "a", "\u{1f600}", "2020-02-30", "-1:1:1", "99999999999999999999"];

    /// Seeded: what parses compiles or is refused, and what compiles judges any cells.
    #[test]
    fn no_text_and_no_cell_panics() {
        let mut random = fastrand::Rng::with_seed(5);
        let (mut compiled, mut scratch) = (0, Scratch::default());
        for _ in 0..30_000 {
            let words = (0..random.usize(1..9)).map(|_| WORDS[random.usize(..WORDS.len())]);
            let text = format!("select * from t where {}", words.collect::<Vec<_>>().join(" "));
            let Ok(Select { condition: Some(condition), .. }) = Select::parse(&text) else {
                continue;
            };
            let Ok(predicate) = Predicate::new(&condition, &schema()) else { continue };
            compiled += 1;
            let mut image = || -> Vec<u8> {
                let cell = |random: &mut fastrand::Rng| match random.u8(..4) {
                    0 => None,
                    _ => Some(HARD_CELLS[random.usize(..HARD_CELLS.len())]),
                };
                row(&(0..10).map(|_| cell(&mut random)).collect::<Vec<_>>())
            };
            let (before, mut after) = (image(), image());
            after.truncate(random.usize(..=after.len()));
            let (before, after) = (Row::new(&before, None), Row::new(&after, None));
            let change = RowChange { before: Some(before), after: Some(after) };
            let _ = predicate.judge(change, &mut scratch);
        }
        assert!(compiled > 200, "only {compiled} conditions compiled");
    }
}
