//! What of a predicate a source may evaluate itself while it is copied.
//!
//! Only what means the same in every SQL: an integer column against integers, and IS NULL. Texts
//! are left out on purpose, whose collation differs from source to source.

use crate::event::{ColumnType, TableSchema};
use crate::sql::Expr;
use crate::sql::expr::{BinaryOp, ColumnRef, Literal, Test};

/// The terms of `condition` that every source can be trusted with, joined by AND.
pub(super) fn pushdown(condition: &Expr, schema: &TableSchema) -> Option<Expr> {
    let terms = match condition {
        Expr::And(terms) => terms.as_slice(),
        term => std::slice::from_ref(term),
    };
    Expr::all(terms.iter().filter(|term| is_plain(term, schema)).cloned().collect())
}

fn is_plain(term: &Expr, schema: &TableSchema) -> bool {
    match term {
        Expr::Binary { op, left, right } => {
            let known = matches!(
                op,
                BinaryOp::Eq
                    | BinaryOp::NotEq
                    | BinaryOp::Lt
                    | BinaryOp::LtEq
                    | BinaryOp::Gt
                    | BinaryOp::GtEq
            );
            known && is_int_column(left, schema) && is_int(right)
        }
        Expr::In { operand, list, .. } => is_int_column(operand, schema) && list.iter().all(is_int),
        Expr::Between { operand, low, high, .. } => {
            is_int_column(operand, schema) && is_int(low) && is_int(high)
        }
        Expr::Is { operand, test: Test::Null, .. } => column(operand, schema).is_some(),
        _ => false,
    }
}

fn column<'a>(expr: &Expr, schema: &'a TableSchema) -> Option<&'a ColumnType> {
    match expr {
        Expr::Column(ColumnRef { image: None, name }) => {
            schema.column(name).and_then(|at| Some(&schema.columns.get(at)?.column_type))
        }
        _ => None,
    }
}

fn is_int_column(expr: &Expr, schema: &TableSchema) -> bool {
    // A BIGINT UNSIGNED is no integer to every store.
    match column(expr, schema) {
        Some(ColumnType::Int { bytes, unsigned }) => !unsigned || *bytes < 8,
        _ => false,
    }
}

fn is_int(expr: &Expr) -> bool {
    matches!(expr, Expr::Literal(Literal::Number(digits)) if digits.parse::<i64>().is_ok())
}
