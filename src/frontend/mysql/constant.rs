//! What the right side of a SET is worth: literals, variables, and the functions that drivers use.
//!
//! Pure. What is not understood is an error, never a guess.
#![allow(clippy::wildcard_enum_match_arm, reason = "all other expressions are refused alike")]

use super::error::{self, Failure};
use super::variables::{Variables, printed};
use crate::sql::expr::{BinaryOp, Expr, Literal, UnaryOp};
use crate::sql::sqlite::Value;

/// The value of `expr`.
pub fn evaluate(expr: &Expr, variables: &Variables) -> Result<Value, Failure> {
    match expr {
        Expr::Literal(literal) => Ok(of_literal(literal)),
        // A bare word is a text: SET workload = OLAP.
        Expr::Column(column) if column.image.is_none() => Ok(Value::Text(column.name.clone())),
        Expr::Variable { name, .. } => variables.system(name),
        Expr::UserVariable(name) => Ok(variables.user(name)),
        Expr::Unary { op: UnaryOp::Minus, operand } => match evaluate(operand, variables)? {
            Value::Int(number) => number.checked_neg().map(Value::Int).ok_or_else(|| refused(expr)),
            _ => Err(refused(expr)),
        },
        Expr::And(terms) => all_or_one(terms, variables, true),
        Expr::Or(terms) => all_or_one(terms, variables, false),
        Expr::Binary { op, left, right } => {
            let (left, right) = (evaluate(left, variables)?, evaluate(right, variables)?);
            compare(*op, &left, &right).ok_or_else(|| refused(expr))
        }
        Expr::Function { name, arguments } => {
            let values = arguments
                .iter()
                .map(|argument| evaluate(argument, variables))
                .collect::<Result<Vec<_>, _>>()?;
            call(name, &values).ok_or_else(|| refused(expr))
        }
        _ => Err(refused(expr)),
    }
}

/// AND, which one false term decides, and OR, which one true term decides.
fn all_or_one(terms: &[Expr], variables: &Variables, all: bool) -> Result<Value, Failure> {
    let mut unknown = false;
    for term in terms {
        match evaluate(term, variables)? {
            Value::Int(number) if (number != 0) != all => return Ok(Value::Int(i64::from(!all))),
            Value::Int(_) => {}
            Value::Null => unknown = true,
            _ => return Err(refused(term)),
        }
    }
    Ok(if unknown { Value::Null } else { Value::Int(i64::from(all)) })
}

/// The value of a literal.
pub fn of_literal(literal: &Literal) -> Value {
    match literal {
        Literal::Null => Value::Null,
        Literal::Bool(value) => Value::Int(i64::from(*value)),
        Literal::Number(digits) => {
            digits.parse().map_or_else(|_| Value::Decimal(digits.clone()), Value::Int)
        }
        Literal::Text(text) | Literal::Temporal(_, text) => Value::Text(text.clone()),
        Literal::Bytes(bytes) => Value::Bytes(bytes.clone()),
    }
}

/// Comparisons of two whole numbers or two texts, `None` for everything else.
fn compare(op: BinaryOp, left: &Value, right: &Value) -> Option<Value> {
    let ordering = match (left, right) {
        (Value::Int(left), Value::Int(right)) => left.cmp(right),
        (Value::Text(left), Value::Text(right)) => left.to_lowercase().cmp(&right.to_lowercase()),
        _ => return None,
    };
    let holds = match op {
        BinaryOp::Eq | BinaryOp::NullSafeEq => ordering.is_eq(),
        BinaryOp::NotEq => ordering.is_ne(),
        BinaryOp::Lt => ordering.is_lt(),
        BinaryOp::LtEq => ordering.is_le(),
        BinaryOp::Gt => ordering.is_gt(),
        BinaryOp::GtEq => ordering.is_ge(),
        _ => return None,
    };
    Some(Value::Int(i64::from(holds)))
}

fn call(name: &str, arguments: &[Value]) -> Option<Value> {
    let has_null = arguments.contains(&Value::Null);
    match (name, arguments) {
        ("CONCAT" | "LOCATE" | "REPLACE" | "LOWER" | "UPPER" | "FIND_IN_SET", _) if has_null => {
            Some(Value::Null)
        }
        ("CONCAT", parts) => {
            let parts: Vec<String> = parts.iter().map(printed).collect();
            let bytes = parts.iter().map(String::len).sum::<usize>();
            (bytes <= VALUE_BYTES_MAX).then(|| Value::Text(parts.concat()))
        }
        ("LOCATE", [part, whole]) => {
            let (part, whole) = (printed(part).to_lowercase(), printed(whole).to_lowercase());
            let place = whole.find(&part).map_or(0, |at| whole[..at].chars().count() + 1);
            i64::try_from(place).ok().map(Value::Int)
        }
        ("LOWER", [text]) => Some(Value::Text(printed(text).to_lowercase())),
        ("UPPER", [text]) => Some(Value::Text(printed(text).to_uppercase())),
        ("FIND_IN_SET", [part, list]) => {
            let (part, list) = (printed(part).to_lowercase(), printed(list).to_lowercase());
            let place = list.split(',').position(|item| item == part).map_or(0, |at| at + 1);
            i64::try_from(place).ok().map(Value::Int)
        }
        ("REPLACE", [whole, from, to]) => {
            let (whole, from, to) = (printed(whole), printed(from), printed(to));
            let found = if from.is_empty() { 0 } else { whole.matches(from.as_str()).count() };
            let bytes = whole.len().saturating_add(found.saturating_mul(to.len()));
            let replaced = || if found == 0 { whole.clone() } else { whole.replace(&from, &to) };
            (bytes <= VALUE_BYTES_MAX).then(|| Value::Text(replaced()))
        }
        ("IF", [Value::Int(condition), yes, no]) => {
            Some(if *condition == 0 { no } else { yes }.clone())
        }
        ("IF", [Value::Null, _, no]) => Some(no.clone()),
        _ => None,
    }
}

/// Bytes of a value that SET computes: a few nested calls could ask for any amount.
const VALUE_BYTES_MAX: usize = 1 << 20;

fn refused(expr: &Expr) -> Failure {
    error::NOT_SUPPORTED
        .with(format!("this version of vstreamd doesn't yet support '{expr}' in SET"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_of_drivers() {
        let function = |name: &str, arguments| Expr::Function { name: name.into(), arguments };
        let mode = Expr::Variable { scope: None, name: "time_zone".into() };
        let check = |expr: Expr, expected: &str| {
            assert_eq!(printed(&evaluate(&expr, &Variables::default()).unwrap()), expected);
        };
        check(function("CONCAT", vec![mode.clone(), Expr::text(",A")]), "SYSTEM,A");
        let at = function("LOCATE", vec![Expr::text("stem"), mode]);
        check(at.clone(), "3");
        check(function("IF", vec![at, Expr::text("yes"), Expr::text("no")]), "yes");
        let many = Expr::text(&"x".repeat(2_000));
        let bomb = function("REPLACE", vec![many.clone(), Expr::text("x"), many]);
        assert_eq!(evaluate(&bomb, &Variables::default()).unwrap_err().code, 1235);
        let unknown = evaluate(&function("SLEEP", vec![]), &Variables::default());
        assert_eq!(unknown.unwrap_err().code, 1235);
    }
}
