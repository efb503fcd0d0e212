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
