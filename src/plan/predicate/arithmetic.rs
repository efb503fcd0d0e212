//! `+ - * / DIV %`, unary minus and bit operators.

use bigdecimal::BigDecimal;

use super::decimal::{self, Decimal};
use super::node::{Context, Node};
use super::typing::Numeric;
use super::value::Value;
use crate::plan::EvalError;
use crate::sql::expr::BinaryOp;

/// An operation on numbers, its kind decided.
#[derive(Debug, Clone)]
pub(super) struct Arithmetic {
    pub op: Operation,
    /// As what the operands meet.
    pub numeric: Numeric,
    /// Whether an integer result has no sign.
    pub unsigned: bool,
    /// Digits behind the point of an exact quotient.
    pub scale: u8,
    pub left: Node,
    /// 0 for unary minus.
    pub right: Node,
    /// The operation as errors show it.
    pub shown: Box<str>,
}

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operation {
    Add,
    Subtract,
    Multiply,
    Divide,
    IntegerDivide,
    Modulo,
    BitOr,
    BitAnd,
    BitXor,
    ShiftLeft,
    ShiftRight,
}

impl Operation {
    pub(super) const fn of(op: BinaryOp) -> Option<Self> {
        Some(match op {
            BinaryOp::Add => Self::Add,
            BinaryOp::Subtract => Self::Subtract,
            BinaryOp::Multiply => Self::Multiply,
            BinaryOp::Divide => Self::Divide,
            BinaryOp::IntegerDivide => Self::IntegerDivide,
            BinaryOp::Modulo => Self::Modulo,
            BinaryOp::BitOr => Self::BitOr,
            BinaryOp::BitAnd => Self::BitAnd,
            BinaryOp::BitXor => Self::BitXor,
            BinaryOp::ShiftLeft => Self::ShiftLeft,
            BinaryOp::ShiftRight => Self::ShiftRight,
            BinaryOp::Xor
            | BinaryOp::Eq
            | BinaryOp::NullSafeEq
            | BinaryOp::NotEq
            | BinaryOp::Lt
            | BinaryOp::LtEq
            | BinaryOp::Gt
            | BinaryOp::GtEq => return None,
        })
    }

    pub(super) const fn is_bitwise(self) -> bool {
        matches!(
            self,
            Self::BitOr | Self::BitAnd | Self::BitXor | Self::ShiftLeft | Self::ShiftRight
        )
    }
}

impl Arithmetic {
    pub(super) fn eval<'a>(&'a self, context: &Context<'a>) -> Result<Value<'a>, EvalError> {
        let left = self.left.eval(context)?;
        // MySQL looks at both operands of the others, and so at the errors of both.
        let hasty = self.op.is_bitwise() || self.numeric == Numeric::Decimal;
        if left.is_null() && hasty {
            return Ok(Value::Null);
        }
        let right = self.right.eval(context)?;
        if left.is_null() || right.is_null() {
            return Ok(Value::Null);
        }
        match self.numeric {
            Numeric::Int if self.op.is_bitwise() => Ok(self.bits(&left, &right)),
            Numeric::Int => self.integers(&left, &right),
            Numeric::Decimal => self.decimals(&left, &right),
            Numeric::Real => self.reals(&left, &right),
        }
    }

    fn integers(&self, left: &Value<'_>, right: &Value<'_>) -> Result<Value<'static>, EvalError> {
        let Some((left, right)) = left.integer().zip(right.integer()) else {
            return Ok(Value::Null);
        };
        // 128 bits hold every sum and product of two 64-bit numbers but the largest squares.
        let result = match self.op {
            Operation::Add => left.checked_add(right),
            Operation::Subtract => left.checked_sub(right),
            Operation::Multiply => left.checked_mul(right),
            Operation::IntegerDivide | Operation::Modulo if right == 0 => return Ok(Value::Null),
            Operation::IntegerDivide => left.checked_div(right),
            Operation::Modulo => left.checked_rem(right),
            _ => None,
        };
        result.and_then(|result| integer(result, self.unsigned)).ok_or_else(|| self.out_of_range())
    }

    fn bits(&self, left: &Value<'_>, right: &Value<'_>) -> Value<'static> {
        let bits = |value: &Value<'_>| match value {
            Value::Int(int) => Some(int.cast_unsigned()),
            Value::UInt(int) => Some(*int),
            _ => None,
        };
        let Some((left, right)) = bits(left).zip(bits(right)) else { return Value::Null };
        let by = u32::try_from(right).unwrap_or(u32::MAX);
        Value::UInt(match self.op {
            Operation::BitOr => left | right,
            Operation::BitAnd => left & right,
            Operation::BitXor => left ^ right,
            Operation::ShiftLeft => left.checked_shl(by).unwrap_or(0),
            _ => left.checked_shr(by).unwrap_or(0),
        })
    }

    fn decimals(&self, left: &Value<'_>, right: &Value<'_>) -> Result<Value<'static>, EvalError> {
        let big = |value: &Value<'_>| value.decimal().and_then(|decimal| decimal.to_big());
        let Some((left, right)) = big(left).zip(big(right)) else { return Ok(Value::Null) };
        let result: Option<BigDecimal> = match self.op {
            Operation::Add => Some(left + right),
            Operation::Subtract => Some(left - right),
            Operation::Multiply => Some(left * right),
            Operation::Divide => decimal::divide(&left, &right, self.scale),
            Operation::Modulo => decimal::remainder(&left, &right),
            _ => return self.whole_quotient(&left, &right),
        };
        match result {
            None => Ok(Value::Null),
            Some(result) if decimal::fits(&result) => Ok(Value::Decimal(Decimal::Big(result))),
            Some(_) => Err(self.out_of_range()),
        }
    }

    fn whole_quotient(
        &self,
        left: &BigDecimal,
        right: &BigDecimal,
    ) -> Result<Value<'static>, EvalError> {
        let scale = left.fractional_digit_count().max(right.fractional_digit_count());
        let (left, _) = left.with_scale(scale).into_bigint_and_exponent();
        let (right, _) = right.with_scale(scale).into_bigint_and_exponent();
        if right == 0.into() {
            return Ok(Value::Null);
        }
        let quotient = decimal::truncate(&BigDecimal::new(left / right, 0));
        let result = quotient.and_then(|quotient| integer(quotient, self.unsigned));
        result.ok_or_else(|| self.out_of_range())
    }

    fn reals(&self, left: &Value<'_>, right: &Value<'_>) -> Result<Value<'static>, EvalError> {
        let Some((left, right)) = left.real().zip(right.real()) else { return Ok(Value::Null) };
        let result = match self.op {
            Operation::Add => left + right,
            Operation::Subtract => left - right,
            Operation::Multiply => left * right,
            Operation::Divide | Operation::Modulo if right == 0.0 => return Ok(Value::Null),
            Operation::Divide => left / right,
            _ => left % right,
        };
        if result.is_finite() { Ok(Value::Real(result)) } else { Err(self.out_of_range()) }
    }

    fn out_of_range(&self) -> EvalError {
        let kind = match self.numeric {
            Numeric::Int if self.unsigned => "BIGINT UNSIGNED",
            Numeric::Int => "BIGINT",
            Numeric::Decimal if self.op == Operation::IntegerDivide => "BIGINT",
            Numeric::Decimal => "DECIMAL",
            Numeric::Real => "DOUBLE",
        };
        EvalError::OutOfRange { kind, expression: self.shown.clone() }
    }
}

fn integer(result: i128, unsigned: bool) -> Option<Value<'static>> {
    if unsigned {
        return u64::try_from(result).ok().map(Value::UInt);
    }
    i64::try_from(result).ok().map(Value::Int)
}

/// ABS, which has MySQL's one gap: the smallest integer.
pub(super) fn absolute(value: Value<'_>, shown: &str) -> Result<Value<'static>, EvalError> {
    Ok(match value {
        Value::Int(int) => {
            Value::Int(int.checked_abs().ok_or_else(|| EvalError::OutOfRange {
                kind: "BIGINT",
                expression: shown.into(),
            })?)
        }
        Value::Decimal(decimal) => {
            decimal.to_big().map_or(Value::Null, |big| Value::Decimal(Decimal::Big(big.abs())))
        }
        Value::Real(real) => Value::Real(real.abs()),
        other => other.into_owned(),
    })
}
