//! Numbers: conversions, arithmetic, rounding, and what needs no more than numbers.

use bigdecimal::num_bigint::Sign;
use bigdecimal::{BigDecimal, RoundingMode};
use rusqlite::types::{Value as Stored, ValueRef};

use super::call::{Call, Definition, NULL, int, nulls, owned, pure, real, session, text};
use super::form::{self, Leftover, big_number};
use super::{decimal, time};
use crate::sql::sqlite::Fault;

/// The functions of this file.
pub const LIST: &[Definition] = &[
    pure("my_num", 2, num),
    pure("my_dec", 2, dec),
    pure("my_dec", 3, dec),
    pure("my_int", 2, whole),
    pure("my_cast_signed", 2, cast_signed),
    pure("my_cast_unsigned", 2, cast_unsigned),
    pure("my_cast_dec", 4, cast_dec),
    pure("my_dkey", 1, |c| Ok(Stored::Blob(decimal::key(&c.exact(0))))),
    pure("my_f32", 1, |c| real(single(c.real(0)))),
    pure("my_arith", 5, arith),
    pure("my_div", 2, div),
    pure("my_bit", 3, bit),
    pure("my_round", 5, round),
    nulls("my_greatest", -1, |c| extreme(c, std::cmp::Ordering::Greater)),
    nulls("my_least", -1, |c| extreme(c, std::cmp::Ordering::Less)),
    nulls("my_tuple", -1, tuple),
    nulls("my_single", 2, single_row),
    pure("my_sign", 1, |c| int(i128::from(c.real(0) > 0.0) - i128::from(c.real(0) < 0.0))),
    pure("my_sqrt", 1, |c| real(c.real(0).sqrt())),
    pure("my_pow", 2, |c| finite(c.real(0).powf(c.real(1)), "pow")),
    pure("my_power", 2, |c| finite(c.real(0).powf(c.real(1)), "pow")),
    pure("my_exp", 1, |c| finite(c.real(0).exp(), "exp")),
    pure("my_ln", 1, |c| real(c.real(0).ln())),
    pure("my_log", 1, |c| real(c.real(0).ln())),
    pure("my_log", 2, |c| real(c.real(1).ln() / c.real(0).ln())),
    pure("my_log2", 1, |c| real(c.real(0).log2())),
    pure("my_log10", 1, |c| real(c.real(0).log10())),
    pure("my_sin", 1, |c| real(c.real(0).sin())),
    pure("my_cos", 1, |c| real(c.real(0).cos())),
    pure("my_tan", 1, |c| real(c.real(0).tan())),
    pure("my_cot", 1, |c| real(1.0 / c.real(0).tan())),
    pure("my_asin", 1, |c| real(c.real(0).asin())),
    pure("my_acos", 1, |c| real(c.real(0).acos())),
    pure("my_atan", 1, |c| real(c.real(0).atan())),
    pure("my_atan", 2, |c| real(c.real(0).atan2(c.real(1)))),
    pure("my_atan2", 2, |c| real(c.real(0).atan2(c.real(1)))),
    pure("my_pi", 0, |_| real(std::f64::consts::PI)),
    pure("my_degrees", 1, |c| real(c.real(0).to_degrees())),
    pure("my_radians", 1, |c| real(c.real(0).to_radians())),
    pure("my_bit_count", 1, |c| int(low_bits(c.whole(0)).count_ones())),
    session("my_rand", 0, |_| real(fastrand::f64())),
    session("my_rand", 1, |_| Err(Fault::Unsupported("RAND(seed)".to_owned()))),
    session("my_last_insert_id", 0, |c| int(c.session().last_insert_id())),
    session("my_last_insert_id", 1, set_last_insert_id),
    session("my_connection_id", 0, |c| int(c.session().lock().connection_id)),
    session("my_row_count", 0, |c| int(c.session().lock().row_count)),
    session("my_found_rows", 0, |c| int(c.session().lock().found_rows)),
    session("my_version", 0, |c| text(c.session().lock().version.clone())),
    session("my_database", 0, |c| match &c.session().lock().database {
        none if none.is_empty() => Ok(Stored::Null),
        database => text(database.clone()),
    }),
    session("my_user", 0, |c| text(c.session().lock().user.clone())),
];

fn set_last_insert_id(call: &Call<'_, '_>) -> Result<Stored, Fault> {
    let id = u64::try_from(call.whole(0)).unwrap_or(0);
    call.session().set_last_insert_id(id);
    int(id)
}

#[expect(clippy::cast_possible_truncation, reason = "rounding to f32 is the purpose")]
fn single(number: f64) -> f64 {
    f64::from(number as f32)
}

fn finite(number: f64, expression: &str) -> Result<Stored, Fault> {
    if number.is_infinite() {
        return Err(Fault::Overflow { kind: "DOUBLE", expression: expression.to_owned() });
    }
    real(number)
}

/// An argument's value as an exact number, by the letter of its type in the next argument.
fn exact(call: &Call<'_, '_>, at: usize) -> (BigDecimal, Leftover) {
    let code = call.text(at + 1);
    match (code.as_bytes().first(), call.raw(at)) {
        (Some(b'c'), value) => {
            let scale = code.get(1..).and_then(|scale| scale.parse().ok()).unwrap_or(0);
            (decimal::parse(&decimal::shown(value, scale)).unwrap_or_default(), Leftover::Nothing)
        }
        (Some(b'D' | b'p'), _) => (time::as_number(&call.text(at)), Leftover::Nothing),
        (Some(b't'), ValueRef::Integer(micros)) => {
            (time::time_as_number(micros), Leftover::Nothing)
        }
        (_, ValueRef::Integer(number)) => (number.into(), Leftover::Nothing),
        (_, ValueRef::Real(number)) => {
            (decimal::parse(&form::double(number)).unwrap_or_default(), Leftover::Nothing)
        }
        (Some(b'x'), ValueRef::Blob(bytes)) if std::str::from_utf8(bytes).is_err() => {
            let number = bytes.iter().take(8).fold(0_u64, |n, b| (n << 8) | u64::from(*b));
            (number.into(), Leftover::Nothing)
        }
        (Some(b'j'), _) => decimal::leading(call.text(at).trim_matches('"')),
        _ => decimal::leading(&call.text(at)),
    }
}

/// A text that is no number is worth what it begins with, and a warning.
fn complain(call: &Call<'_, '_>, leftover: Leftover, kind: &'static str) -> Result<(), Fault> {
    if leftover == Leftover::Nothing {
        return Ok(());
    }
    call.session().complain(Fault::TruncatedValue { kind, value: call.text(0) })
}

fn num(call: &Call<'_, '_>) -> Result<Stored, Fault> {
    let code = call.text(1);
    if matches!(code.as_bytes().first(), Some(b's' | b'x'))
        && !matches!(call.raw(0), ValueRef::Integer(_))
    {
        let (number, leftover) = decimal::leading_double(&call.text(0));
        complain(call, leftover, "DOUBLE")?;
        return real(number);
    }
    if let ValueRef::Real(number) = call.raw(0) {
        return real(number);
    }
    let (number, _) = exact(call, 0);
    real(decimal::plain(&number).parse().unwrap_or(0.0))
}

fn dec(call: &Call<'_, '_>) -> Result<Stored, Fault> {
    let (number, leftover) = exact(call, 0);
    complain(call, leftover, "DECIMAL")?;
    if call.len() == 3 {
        let scale = call.int(2);
        return text(decimal::plain(&number.with_scale_round(scale, RoundingMode::HalfUp)));
    }
    text(decimal::plain(&number))
}

fn whole(call: &Call<'_, '_>) -> Result<Stored, Fault> {
    if let ValueRef::Real(number) = call.raw(0) {
        return Ok(big_number(
            decimal::of_double_rounded(number).clamp(i128::from(i64::MIN), i128::from(u64::MAX)),
        ));
    }
    let (number, leftover) = exact(call, 0);
    complain(call, leftover, "INTEGER")?;
    Ok(big_number(decimal::rounded(&number).clamp(i128::from(i64::MIN), i128::from(u64::MAX))))
}

/// CAST of a text takes the whole number that it begins with, nothing behind a point.
fn cast_number(call: &Call<'_, '_>) -> Result<i128, Fault> {
    let code = call.text(1);
    if matches!(code.as_bytes().first(), Some(b's' | b'x'))
        && !matches!(call.raw(0), ValueRef::Integer(_))
    {
        let value = call.text(0);
        let trimmed = value.trim();
        let sign = usize::from(trimmed.starts_with(['-', '+']));
        let digits = trimmed.bytes().skip(sign).take_while(u8::is_ascii_digit).count();
        let number = trimmed.get(..sign + digits).unwrap_or_default();
        if sign + digits < trimmed.len() || digits == 0 {
            call.session()
                .complain(Fault::TruncatedValue { kind: "INTEGER", value: value.clone() })?;
        }
        return Ok(number.parse().unwrap_or(0));
    }
    if let ValueRef::Real(number) = call.raw(0) {
        return Ok(decimal::of_double_rounded(number));
    }
    Ok(decimal::rounded(&exact(call, 0).0))
}

fn cast_signed(call: &Call<'_, '_>) -> Result<Stored, Fault> {
    let number = cast_number(call)?;
    // An unsigned number keeps its bits.
    let kept = match u64::try_from(number) {
        Ok(bits) if call.text(1) == "i" => i128::from(bits.cast_signed()),
        _ => number.clamp(i128::from(i64::MIN), i128::from(i64::MAX)),
    };
    Ok(big_number(kept))
}

fn cast_unsigned(call: &Call<'_, '_>) -> Result<Stored, Fault> {
    let number = cast_number(call)?;
    let kept = match i64::try_from(number) {
        Ok(signed) => i128::from(signed.cast_unsigned()),
        Err(_) => number.clamp(0, i128::from(u64::MAX)),
    };
    Ok(big_number(kept))
}

fn cast_dec(call: &Call<'_, '_>) -> Result<Stored, Fault> {
    let (number, leftover) = exact(call, 0);
    complain(call, leftover, "DECIMAL")?;
    let precision = u8::try_from(call.int(2)).unwrap_or(65);
    let scale = u8::try_from(call.int(3)).unwrap_or(0);
    let rounded = number.with_scale_round(i64::from(scale), RoundingMode::HalfUp);
    let limit = decimal::largest(precision, scale);
    let clipped = if rounded > limit {
        limit
    } else if rounded < -limit.clone() {
        -limit
    } else {
        return text(decimal::plain(&rounded));
    };
    call.session().complain(Fault::OutOfRange { column: "CAST".to_owned(), row: 1 })?;
    text(decimal::plain(&clipped))
}

/// NULL and a warning, or an error while rows are written in strict mode.
fn by_zero(call: &Call<'_, '_>) -> Result<Stored, Fault> {
    call.session().complain(Fault::DivisionByZero)?;
    NULL
}

fn arith(call: &Call<'_, '_>) -> Result<Stored, Fault> {
    let operator = call.text(0);
    match call.text(1).as_str() {
        "g" => arith_double(call, &operator),
        "d" => arith_decimal(call, &operator),
        class => {
            let (a, b) = (call.whole(2), call.whole(3));
            let result = match operator.as_str() {
                "+" => a + b,
                "-" => a - b,
                "*" => a.saturating_mul(b),
                _ if b == 0 => return by_zero(call),
                _ => a % b,
            };
            let unsigned = class == "u";
            let fits = if unsigned {
                u64::try_from(result).is_ok()
            } else {
                i64::try_from(result).is_ok()
            };
            if fits {
                return Ok(big_number(result));
            }
            let kind = if unsigned { "BIGINT UNSIGNED" } else { "BIGINT" };
            Err(Fault::Overflow { kind, expression: format!("({a} {operator} {b})") })
        }
    }
}

fn arith_double(call: &Call<'_, '_>, operator: &str) -> Result<Stored, Fault> {
    let (a, b) = (call.real(2), call.real(3));
    let result = match operator {
        "+" => a + b,
        "-" => a - b,
        "*" => a * b,
        _ if b == 0.0 => return by_zero(call),
        "/" => a / b,
        _ => a % b,
    };
    if result.is_finite() {
        return real(result);
    }
    Err(Fault::Overflow { kind: "DOUBLE", expression: format!("({a} {operator} {b})") })
}

fn arith_decimal(call: &Call<'_, '_>, operator: &str) -> Result<Stored, Fault> {
    let (a, b) = (call.exact(2), call.exact(3));
    let scale = call.int(4);
    let zero = b.sign() == Sign::NoSign;
    let result = match operator {
        "+" => a + b,
        "-" => a - b,
        "*" => a * b,
        _ if zero => return by_zero(call),
        "/" => {
            // Division by BigDecimal's own precision could round twice: divide whole numbers.
            let digits = scale + 1 + i64::from(u8::MAX);
            let (a, a_scale) = a.into_bigint_and_exponent();
            let (b, b_scale) = b.into_bigint_and_exponent();
            let shift = u32::try_from(digits + b_scale.max(0)).unwrap_or(0);
            let quotient = a * bigdecimal::num_bigint::BigInt::from(10).pow(shift) / b;
            BigDecimal::new(quotient, a_scale + i64::from(shift) - b_scale)
        }
        _ => a % b,
    };
    let rounded = result.with_scale_round(scale, RoundingMode::HalfUp);
    let shown = decimal::plain(&rounded);
    if shown.bytes().filter(u8::is_ascii_digit).count() > 82 {
        return Err(Fault::Overflow { kind: "DECIMAL", expression: operator.to_owned() });
    }
    text(shown)
}

fn div(call: &Call<'_, '_>) -> Result<Stored, Fault> {
    let (a, b) = (call.exact(0), call.exact(1));
    if b.sign() == Sign::NoSign {
        return by_zero(call);
    }
    let (a, a_scale) = a.into_bigint_and_exponent();
    let (b, b_scale) = b.into_bigint_and_exponent();
    let ten = bigdecimal::num_bigint::BigInt::from(10);
    let up = |number, by: i64| number * ten.pow(u32::try_from(by.max(0)).unwrap_or(0));
    let quotient = up(a, b_scale - a_scale.min(b_scale)) / up(b, a_scale - a_scale.min(b_scale));
    let quotient = BigDecimal::from(quotient);
    let whole = decimal::rounded(&quotient);
    if whole > i128::from(u64::MAX) || whole < i128::from(i64::MIN) {
        return Err(Fault::Overflow { kind: "BIGINT", expression: "DIV".to_owned() });
    }
    Ok(big_number(whole))
}

#[expect(clippy::cast_possible_truncation, reason = "MySQL's bit operators work on 64 bits")]
#[expect(clippy::cast_sign_loss, reason = "a negative number's bits are meant")]
fn low_bits(number: i128) -> u64 {
    number as u64
}

fn bit(call: &Call<'_, '_>) -> Result<Stored, Fault> {
    let (a, b) = (low_bits(call.whole(1)), low_bits(call.whole(2)));
    let shift = u32::try_from(b).unwrap_or(u32::MAX);
    int(match call.text(0).as_str() {
        "&" => a & b,
        "|" => a | b,
        "^" => a ^ b,
        "<<" => a.checked_shl(shift).unwrap_or(0),
        ">>" => a.checked_shr(shift).unwrap_or(0),
        _ => !a,
    })
}

fn round(call: &Call<'_, '_>) -> Result<Stored, Fault> {
    let function = call.text(0);
    let digits = call.int(3).clamp(-65, 30);
    let mode = match function.as_str() {
        "round" => RoundingMode::HalfUp,
        "truncate" => RoundingMode::Down,
        "ceil" => RoundingMode::Ceiling,
        _ => RoundingMode::Floor,
    };
    match call.text(1).as_str() {
        "g" => {
            let number = call.real(2);
            let power = 10_f64.powi(i32::try_from(digits).unwrap_or(0));
            real(match function.as_str() {
                "abs" => number.abs(),
                "ceil" => number.ceil(),
                "floor" => number.floor(),
                "round" if (number * power).is_finite() => {
                    (number * power).round_ties_even() / power
                }
                _ if (number * power).is_finite() => (number * power).trunc() / power,
                _ => number,
            })
        }
        "i" => {
            let number = call.whole(2);
            if function == "abs" {
                return int(number.abs());
            }
            if digits >= 0 {
                return int(number);
            }
            let rounded = BigDecimal::from(number).with_scale_round(digits, mode);
            int(decimal::rounded(&rounded))
        }
        _ => {
            let number = call.exact(2);
            if function == "abs" {
                return text(decimal::plain(&number.abs()));
            }
            let shown = call.int(4);
            text(decimal::plain(&number.with_scale_round(digits, mode).with_scale(shown)))
        }
    }
}

/// GREATEST and LEAST over pairs of key and value.
fn extreme(call: &Call<'_, '_>, want: std::cmp::Ordering) -> Result<Stored, Fault> {
    let mut best: Option<(Stored, usize)> = None;
    for at in (0..call.len()).step_by(2) {
        let key = owned(call.raw(at));
        if key == Stored::Null {
            return NULL;
        }
        let better = best.as_ref().is_none_or(|(have, _)| compare(&key, have) == want);
        if better {
            best = Some((key, at + 1));
        }
    }
    Ok(best.map_or(Stored::Null, |(_, at)| owned(call.raw(at))))
}

/// SQLite's order of values.
pub fn compare(a: &Stored, b: &Stored) -> std::cmp::Ordering {
    let rank = |value: &Stored| match value {
        Stored::Null => 0,
        Stored::Integer(_) | Stored::Real(_) => 1,
        Stored::Text(_) => 2,
        Stored::Blob(_) => 3,
    };
    match (a, b) {
        (Stored::Integer(a), Stored::Integer(b)) => a.cmp(b),
        (Stored::Real(a), Stored::Real(b)) => a.total_cmp(b),
        (Stored::Text(a), Stored::Text(b)) => a.cmp(b),
        (Stored::Blob(a), Stored::Blob(b)) => a.cmp(b),
        _ => rank(a).cmp(&rank(b)),
    }
}

/// Several keys as one value; NULL if one of them is.
fn tuple(call: &Call<'_, '_>) -> Result<Stored, Fault> {
    let mut key = Vec::new();
    for at in 0..call.len() {
        if call.is_null(at) {
            return NULL;
        }
        let bytes = call.bytes(at);
        key.extend_from_slice(&u64::try_from(bytes.len()).unwrap_or(0).to_be_bytes());
        key.extend_from_slice(&bytes);
    }
    Ok(Stored::Blob(key))
}

/// The value of a subquery, unless it has two rows.
fn single_row(call: &Call<'_, '_>) -> Result<Stored, Fault> {
    if call.whole(1) > 1 {
        return Err(Fault::SubqueryRows);
    }
    Ok(owned(call.raw(0)))
}
