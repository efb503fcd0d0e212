//! Numbers into columns of numbers.

use rusqlite::types::Value as Stored;

use super::{Given, Storing};
use crate::event::{Column, ColumnType};
use crate::source::sqlite::cell::{self, SHORT_DIGITS};
use crate::sql::sqlite::Fault;

/// Decimal digits as they were written: `negative`, all digits, and how many are behind the point.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Digits {
    negative: bool,
    digits: Vec<u8>,
    scale: usize,
}

/// How well a text is a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fit {
    Whole,
    /// Something stands behind it.
    Prefix,
    /// It does not even begin with one.
    None,
}

pub(super) fn store_whole(
    column: &Column,
    given: &Given,
    bytes: u8,
    unsigned: bool,
    storing: &Storing<'_>,
) -> Result<Stored, Fault> {
    let mut unfit = None;
    let number = match given {
        Given::Whole(number) => *number,
        Given::Member(number, _) => i128::from(*number),
        // MySQL rounds a double as rint does: a tie goes to the even neighbour.
        Given::Double(number) => number.round_ties_even() as i128,
        Given::Bytes(bytes) if is_number_literal(bytes) => big_endian(bytes),
        other => {
            let text = other_text(other);
            let (digits, fit) = parse(&text);
            unfit = Some((fit, text));
            digits.round(0).to_i128()
        }
    };
    let bits = u32::from(bytes.clamp(1, 8)) * 8;
    let (min, max) = if unsigned {
        (0, (1_i128 << bits) - 1)
    } else {
        (-(1_i128 << (bits - 1)), (1_i128 << (bits - 1)) - 1)
    };
    if number < min || number > max {
        storing.refuse(storing.out_of_range(column))?;
    } else if let Some((fit, text)) = unfit {
        // A number out of range says so, whatever stands behind it.
        check_fit(column, fit, "integer", &text, storing)?;
    }
    let fitting = number.clamp(min, max);
    Ok(match i64::try_from(fitting) {
        Ok(number) => Stored::Integer(number),
        Err(_) => cell::unsigned(u64::try_from(fitting).unwrap_or(u64::MAX)),
    })
}

pub(super) fn store_decimal(
    column: &Column,
    given: &Given,
    storing: &Storing<'_>,
) -> Result<Stored, Fault> {
    let ColumnType::Decimal { precision, scale, unsigned } = column.column_type else {
        return Err(Fault::Internal("no DECIMAL column".to_owned()));
    };
    let text = match given {
        Given::Bytes(bytes) if is_number_literal(bytes) => big_endian(bytes).to_string(),
        Given::Member(number, _) => number.to_string(),
        other => other_text(other),
    };
    let (digits, fit) = parse(&text);
    check_fit(column, fit, "decimal", &text, storing)?;
    let mut rounded = digits.round(usize::from(scale));
    if rounded.lost(&digits) {
        storing.note("Note", &storing.truncated(column));
    }
    let most = usize::from(precision);
    let too_low = unsigned && rounded.negative && !rounded.is_zero();
    if rounded.significant() > most || too_low {
        storing.refuse(storing.out_of_range(column))?;
        rounded.digits = if too_low { vec![0] } else { vec![9; most] };
    }
    let text = rounded.text(usize::from(scale));
    if precision <= SHORT_DIGITS {
        let whole: String = text.chars().filter(|&c| c != '.').collect();
        return Ok(Stored::Integer(whole.parse().unwrap_or_default()));
    }
    Ok(Stored::Text(cell::long_decimal(&text, precision, scale)))
}

pub(super) fn store_double(
    column: &Column,
    given: &Given,
    storing: &Storing<'_>,
) -> Result<Stored, Fault> {
    let number = match given {
        Given::Double(number) => *number,
        Given::Whole(number) => *number as f64,
        Given::Member(number, _) => *number as f64,
        Given::Bytes(bytes) if is_number_literal(bytes) => big_endian(bytes) as f64,
        other => {
            let text = other_text(other);
            let (prefix, fit) = number_prefix(&text);
            check_fit(column, fit, "double", &text, storing)?;
            prefix.parse().unwrap_or_default()
        }
    };
    let (unsigned, single) = match column.column_type {
        ColumnType::Float { unsigned } => (unsigned, true),
        ColumnType::Double { unsigned } => (unsigned, false),
        _ => (false, false),
    };
    let max = if single { f64::from(f32::MAX) } else { f64::MAX };
    let min = if unsigned { 0.0 } else { -max };
    if number < min || number > max || number.is_nan() {
        storing.refuse(storing.out_of_range(column))?;
    }
    let fitting = if number.is_nan() { 0.0 } else { number.clamp(min, max) };
    Ok(Stored::Real(if single { f64::from(fitting as f32) } else { fitting }))
}

pub(super) fn store_bit(
    column: &Column,
    given: &Given,
    bits: u8,
    storing: &Storing<'_>,
) -> Result<Stored, Fault> {
    let number = match given {
        Given::Whole(number) => *number,
        Given::Bytes(bytes) => big_endian(bytes),
        Given::Text(text) => big_endian(text.as_bytes()),
        other => parse(&other_text(other)).0.round(0).to_i128(),
    };
    let max = (1_i128 << bits.clamp(1, 64)) - 1;
    // A negative number is its two's complement, which has all 64 bits.
    let number = if number < 0 { number & i128::from(u64::MAX) } else { number };
    if number > max {
        storing.refuse(storing.too_long(column))?;
    }
    Ok(cell::unsigned(u64::try_from(number.min(max)).unwrap_or(u64::MAX)))
}

pub(super) fn store_year(
    column: &Column,
    given: &Given,
    storing: &Storing<'_>,
) -> Result<Stored, Fault> {
    let (number, text) = match given {
        Given::Whole(number) => (*number, false),
        Given::Moment(text) => (text.get(..4).and_then(|y| y.parse().ok()).unwrap_or(0), false),
        Given::Text(text) => {
            let (digits, fit) = parse(text);
            if fit == Fit::None {
                storing.refuse(storing.wrong(column, "integer", text))?;
            } else {
                check_fit(column, fit, "integer", text, storing)?;
            }
            // '0' and '00' are the year 2000, '0000' and the number 0 are none.
            (digits.round(0).to_i128(), text.trim().len() < 4)
        }
        Given::Bytes(bytes) if is_number_literal(bytes) || bytes.len() == 1 => {
            (big_endian(bytes), false)
        }
        other => (parse(&other_text(other)).0.round(0).to_i128(), false),
    };
    let year = match number {
        0 if text => 2000,
        0 => 0,
        1..=69 => 2000 + number,
        70..=99 => 1900 + number,
        1901..=2155 => number,
        _ => {
            storing.refuse(storing.out_of_range(column))?;
            0
        }
    };
    Ok(Stored::Integer(i64::try_from(year).unwrap_or(0)))
}

fn check_fit(
    column: &Column,
    fit: Fit,
    kind: &'static str,
    text: &str,
    storing: &Storing<'_>,
) -> Result<(), Fault> {
    match fit {
        Fit::Whole => Ok(()),
        Fit::Prefix if kind == "integer" => storing.refuse(storing.truncated(column)),
        Fit::Prefix | Fit::None => storing.refuse(storing.wrong(column, kind, text)),
    }
}

/// A time as the number MySQL makes of it, everything else as its text.
fn other_text(given: &Given) -> String {
    match given {
        Given::Moment(text) => {
            let (clock, fraction) = text.split_once('.').unwrap_or((text, ""));
            let digits: String = clock.chars().filter(char::is_ascii_digit).collect();
            if fraction.is_empty() { digits } else { format!("{digits}.{fraction}") }
        }
        Given::Time(..) => given.text().replace(':', ""),
        other => other.text(),
    }
}

/// Bytes of a hexadecimal or bit literal are a number where a number is wanted; those of a text in
/// bytes are its digits.
fn is_number_literal(bytes: &[u8]) -> bool {
    bytes.len() <= 8 && !bytes.iter().any(|byte| byte.is_ascii_digit())
}

fn big_endian(bytes: &[u8]) -> i128 {
    let bytes = &bytes[bytes.len().saturating_sub(9)..];
    bytes.iter().fold(0_i128, |number, &byte| number << 8 | i128::from(byte))
}

/// The number that a text begins with, as Rust reads it, and how well the text is one.
fn number_prefix(text: &str) -> (String, Fit) {
    let trimmed = text.trim_start();
    let bytes = trimmed.as_bytes();
    let digits = |from: usize| bytes[from..].iter().take_while(|b| b.is_ascii_digit()).count();
    let sign = usize::from(matches!(bytes.first(), Some(b'+' | b'-')));
    let whole = digits(sign);
    let mut end = sign + whole;
    let mut fraction = 0;
    if bytes.get(end) == Some(&b'.') {
        fraction = digits(end + 1);
        if whole + fraction > 0 {
            end += 1 + fraction;
        }
    }
    if whole + fraction == 0 {
        return ("0".to_owned(), Fit::None);
    }
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        let signed = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
        let exponent = if end + 1 + signed <= bytes.len() { digits(end + 1 + signed) } else { 0 };
        if exponent > 0 {
            end += 1 + signed + exponent;
        }
    }
    let fit = if trimmed[end..].trim_end().is_empty() { Fit::Whole } else { Fit::Prefix };
    (trimmed[..end].to_owned(), fit)
}

fn parse(text: &str) -> (Digits, Fit) {
    let (prefix, fit) = number_prefix(text);
    let (mantissa, exponent) = prefix.split_once(['e', 'E']).unwrap_or((&prefix, "0"));
    let exponent = exponent.parse::<i64>().unwrap_or(0).clamp(-EXPONENT_MAX, EXPONENT_MAX);
    let negative = mantissa.starts_with('-');
    let (before, behind) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digit = |byte: u8| byte.is_ascii_digit().then(|| byte - b'0');
    let mut digits: Vec<u8> = before.bytes().chain(behind.bytes()).filter_map(digit).collect();
    let mut scale = behind.len() as i64 - exponent;
    if scale < 0 {
        digits.extend(std::iter::repeat_n(0, usize::try_from(-scale).unwrap_or(0)));
        scale = 0;
    }
    (Digits { negative, digits, scale: usize::try_from(scale).unwrap_or(0) }, fit)
}

impl Digits {
    /// Rounded to so many digits behind the point, a half away from zero.
    fn round(&self, scale: usize) -> Self {
        let mut digits = self.digits.clone();
        if self.scale <= scale {
            digits.extend(std::iter::repeat_n(0, scale - self.scale));
            return Self { digits, scale, ..*self };
        }
        let drop = self.scale - scale;
        let up = if drop > digits.len() {
            false
        } else {
            digits.get(digits.len() - drop).is_some_and(|&digit| digit >= 5)
        };
        digits.truncate(digits.len().saturating_sub(drop));
        if up {
            let mut place = digits.len();
            loop {
                if place == 0 {
                    digits.insert(0, 1);
                    break;
                }
                place -= 1;
                if digits[place] == 9 {
                    digits[place] = 0;
                } else {
                    digits[place] += 1;
                    break;
                }
            }
        }
        Self { digits, scale, negative: self.negative }
    }

    /// Whether rounding took digits other than zeros.
    fn lost(&self, from: &Self) -> bool {
        from.scale > self.scale
            && from.digits.iter().rev().take(from.scale - self.scale).any(|&digit| digit != 0)
    }

    fn is_zero(&self) -> bool {
        self.digits.iter().all(|&digit| digit == 0)
    }

    /// Digits from the first that is not zero.
    fn significant(&self) -> usize {
        self.digits.iter().skip_while(|&&digit| digit == 0).count()
    }

    fn to_i128(&self) -> i128 {
        let number = self.digits.iter().fold(0_i128, |number, &digit| {
            number.saturating_mul(10).saturating_add(i128::from(digit))
        });
        if self.negative { -number } else { number }
    }

    fn text(&self, scale: usize) -> String {
        let digit = |&digit: &u8| char::from(b'0' + digit);
        let digits: String = self.digits.iter().map(digit).collect();
        let digits = format!("{digits:0>width$}", width = scale + 1);
        let (before, behind) = digits.split_at(digits.len() - scale);
        let sign = if self.negative && !self.is_zero() { "-" } else { "" };
        let before = before.trim_start_matches('0');
        let before = if before.is_empty() { "0" } else { before };
        if scale == 0 { format!("{sign}{before}") } else { format!("{sign}{before}.{behind}") }
    }
}

/// Beyond this a number is out of every range, or nothing.
const EXPONENT_MAX: i64 = 400;
