//! Shapes in which MariaDB 10.11 and MySQL 9.7 disagree. MySQL's reading is ours, so MariaDB is not
//! asked about them.

use vstreamd::sql::Expr;
use vstreamd::sql::expr::{BinaryOp, Literal, Test};

use super::table::{Declared, Kind};

/// Whether an expression has such a shape anywhere.
pub fn differs(expr: &Expr, columns: &[Declared]) -> bool {
    let class = |expr: &Expr| class(expr, columns);
    let here = match expr {
        // MariaDB judges XOR's operands as integers: 0.5 is false.
        Expr::Binary { op: BinaryOp::Xor, .. } => true,
        // MariaDB takes shift counts modulo their width.
        Expr::Binary { op: BinaryOp::ShiftLeft | BinaryOp::ShiftRight, .. } => true,
        // MariaDB keeps the digits that MySQL rounds away when it calculates with a quotient, and its
        // remainders and whole quotients of long decimals differ.
        Expr::Binary {
            op: BinaryOp::Divide | BinaryOp::Modulo | BinaryOp::IntegerDivide, ..
        } => true,
        Expr::Function { name, .. } if name == "MOD" => true,
        // MariaDB chooses a wider type for IFNULL and IF, in which ABS has no gap.
        Expr::Function { name, arguments } if name == "ABS" => {
            !matches!(arguments.as_slice(), [Expr::Column(_)])
        }
        // MariaDB does not look at the operands to know that `<=>` is not NULL.
        Expr::Is { operand, test: Test::Null | Test::Unknown, .. } if is_null_safe(operand) => true,
        // MariaDB has BETWEEN with unsigned numbers and a NULL in another way.
        Expr::Between { low, high, .. } if is_huge(low) || is_huge(high) => true,
        // MariaDB's ESCAPE '' is a backslash.
        Expr::Like { escape: None, .. } => true,
        // MariaDB makes a moment of the number, MySQL a number of the moment; a text that is no
        // moment is an error in MySQL and a warning in MariaDB.
        Expr::Binary { left, right, .. } => mixed(&[class(left), class(right)]),
        Expr::In { operand, list, .. } => {
            let classes: Vec<_> =
                std::iter::once(class(operand)).chain(list.iter().map(class)).collect();
            mixed(&classes)
        }
        Expr::Between { operand, low, high, .. } => {
            mixed(&[class(operand), class(low), class(high)])
        }
        _ => false,
    };
    here || children(expr).into_iter().any(|child| differs(child, columns))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Number,
    Temporal,
    Other,
}

fn mixed(classes: &[Class]) -> bool {
    classes.contains(&Class::Temporal) && classes.contains(&Class::Number)
}

fn class(expr: &Expr, columns: &[Declared]) -> Class {
    match expr {
        Expr::Column(column) => {
            match columns.iter().find(|known| known.name == column.name).map(|known| known.kind) {
                Some(Kind::Date | Kind::DateTime | Kind::Time) => Class::Temporal,
                Some(Kind::Text | Kind::Binary | Kind::Enum | Kind::Json) | None => Class::Other,
                Some(Kind::Int | Kind::Decimal | Kind::Real | Kind::Year | Kind::Bit) => {
                    Class::Number
                }
            }
        }
        Expr::Literal(Literal::Temporal(..)) => Class::Temporal,
        Expr::Literal(Literal::Number(_) | Literal::Bool(_)) => Class::Number,
        Expr::Literal(_) => Class::Other,
        Expr::Function { name, .. } if name == "DATE" => Class::Temporal,
        Expr::Function { arguments, .. } if arguments.iter().any(|a| is_other(a, columns)) => {
            Class::Other
        }
        _ => Class::Number,
    }
}

fn is_other(expr: &Expr, columns: &[Declared]) -> bool {
    class(expr, columns) == Class::Other
}

fn is_null_safe(expr: &Expr) -> bool {
    matches!(expr, Expr::Binary { op: BinaryOp::NullSafeEq, .. })
}

fn is_huge(expr: &Expr) -> bool {
    matches!(expr, Expr::Literal(Literal::Number(digits)) if digits.parse::<i64>().is_err())
}

fn children(expr: &Expr) -> Vec<&Expr> {
    match expr {
        Expr::And(terms) | Expr::Or(terms) | Expr::Function { arguments: terms, .. } => {
            terms.iter().collect()
        }
        Expr::Unary { operand, .. } | Expr::Is { operand, .. } => vec![operand],
        Expr::Binary { left, right, .. } => vec![left, right],
        Expr::In { operand, list, .. } => std::iter::once(&**operand).chain(list).collect(),
        Expr::Between { operand, low, high, .. } => vec![operand, low, high],
        Expr::Like { operand, pattern, .. } => vec![operand, pattern],
        Expr::Case { branches, otherwise, .. } => {
            let branches = branches.iter().flat_map(|(when, then)| [when, then]);
            branches.chain(otherwise.as_deref()).collect()
        }
        _ => vec![],
    }
}
