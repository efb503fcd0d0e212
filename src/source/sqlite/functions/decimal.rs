//! DECIMAL values: exact, in the forms that the store keeps them in.
//!
//! Up to 18 digits a column holds a scaled INTEGER; a wider one a TEXT whose bytewise order is the
//! numbers' order. Inside queries a DECIMAL is its own TEXT.

use bigdecimal::num_bigint::{BigInt, Sign};
use bigdecimal::{BigDecimal, RoundingMode, ToPrimitive as _};
use rusqlite::types::ValueRef;

use super::form::Leftover;

/// Reads a DECIMAL's or DOUBLE's text.
pub fn parse(text: &str) -> Option<BigDecimal> {
    let text = text.trim();
    // The exponent is bounded, so that a short text cannot ask for a long number.
    let exponent = text.split_once(['e', 'E']).map_or(Some(0_i32), |(_, e)| e.parse().ok())?;
    if exponent.abs() > 400 {
        return None;
    }
    text.parse().ok()
}

/// As text, without an exponent and with all digits of its scale.
pub fn plain(number: &BigDecimal) -> String {
    number.to_plain_string()
}

/// A stored DECIMAL as text.
pub fn shown(value: ValueRef<'_>, scale: u8) -> String {
    match value {
        ValueRef::Integer(number) => plain(&BigDecimal::new(number.into(), i64::from(scale))),
        ValueRef::Text(text) => match text.split_first() {
            Some((b'p', digits)) => wide(digits, scale, false),
            Some((b'n', digits)) => wide(digits, scale, true),
            _ => String::from_utf8_lossy(text).into_owned(),
        },
        ValueRef::Real(number) => super::form::double(number),
        ValueRef::Null | ValueRef::Blob(_) => String::new(),
    }
}

fn wide(digits: &[u8], scale: u8, negative: bool) -> String {
    let digits: String = digits
        .iter()
        .map(|digit| char::from(if negative { b'9' + b'0' - digit } else { *digit }))
        .collect();
    let number: BigInt = digits.parse().unwrap_or_default();
    plain(&BigDecimal::new(if negative { -number } else { number }, i64::from(scale)))
}

/// The largest number of a precision and scale.
pub fn largest(precision: u8, scale: u8) -> BigDecimal {
    let digits: BigInt = "9".repeat(usize::from(precision.max(1))).parse().unwrap_or_default();
    BigDecimal::new(digits, i64::from(scale))
}

/// To a whole number, halves away from zero; what does not fit is the nearest that does.
pub fn rounded(number: &BigDecimal) -> i128 {
    let whole = number.with_scale_round(0, RoundingMode::HalfUp);
    whole.to_i128().unwrap_or(if number.sign() == Sign::Minus { i128::MIN } else { i128::MAX })
}

/// To a whole number, halves to even as MySQL rounds a DOUBLE.
#[expect(clippy::cast_possible_truncation, reason = "a float cast saturates, as wanted")]
pub fn of_double_rounded(number: f64) -> i128 {
    number.round_ties_even() as i128
}

/// The number a text begins with, and what stands behind it.
pub fn leading(text: &str) -> (BigDecimal, Leftover) {
    let (number, leftover) = prefix(text);
    (parse(number).unwrap_or_default(), leftover)
}

/// The same as a DOUBLE.
pub fn leading_double(text: &str) -> (f64, Leftover) {
    let (number, leftover) = prefix(text);
    (number.parse().unwrap_or(0.0), leftover)
}

fn prefix(text: &str) -> (&str, Leftover) {
    let text = text.trim_start_matches([' ', '\t', '\n', '\r', '\u{b}', '\u{c}']);
    let bytes = text.as_bytes();
    let digits = |mut at: usize| {
        while bytes.get(at).is_some_and(u8::is_ascii_digit) {
            at += 1;
        }
        at
    };
    let start = usize::from(matches!(bytes.first(), Some(b'-' | b'+')));
    let mut end = digits(start);
    let mut any = end > start;
    if bytes.get(end) == Some(&b'.') {
        let fraction = digits(end + 1);
        any |= fraction > end + 1;
        if any {
            end = fraction;
        }
    }
    if !any {
        return ("0", Leftover::All);
    }
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(end + 1), Some(b'-' | b'+')));
        let exponent = digits(end + 1 + sign);
        if exponent > end + 1 + sign {
            end = exponent;
        }
    }
    let (number, rest) = text.split_at(end);
    let blank = rest.bytes().all(|b| b.is_ascii_whitespace());
    (number, if blank { Leftover::Nothing } else { Leftover::Some })
}

/// Bytes whose order is the numbers' order, whatever their scales.
pub fn key(number: &BigDecimal) -> Vec<u8> {
    let (digits, scale) = number.normalized().into_bigint_and_exponent();
    if digits.sign() == Sign::NoSign {
        return vec![0x80];
    }
    let text = digits.magnitude().to_string();
    let length = i64::try_from(text.len()).unwrap_or(i64::MAX);
    let exponent = u16::try_from((length - scale + 0x4000).clamp(0, 0x7fff)).unwrap_or(0);
    let mut key = exponent.to_be_bytes().to_vec();
    key.extend(text.trim_end_matches('0').bytes().map(|digit| digit - b'0' + 1));
    key.push(0);
    if digits.sign() == Sign::Minus {
        key.iter_mut().for_each(|byte| *byte = !*byte);
        key.insert(0, 0x7f);
    } else {
        key.insert(0, 0x81);
    }
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_by_key() {
        let texts = [
            "-12345678901234567890.5",
            "-100",
            "-9.99",
            "-0.01",
            "0",
            "0.001",
            "0.01",
            "9",
            "10.5",
            "100",
            "12345678901234567890.5",
        ];
        let numbers: Vec<BigDecimal> = texts.iter().map(|text| parse(text).unwrap()).collect();
        for pair in numbers.windows(2) {
            assert!(key(&pair[0]) < key(&pair[1]), "{} < {}", pair[0], pair[1]);
        }
        assert_eq!(key(&parse("10").unwrap()), key(&parse("10.00").unwrap()));
    }
}
