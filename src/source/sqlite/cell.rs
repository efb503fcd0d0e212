//! Stored values as cells, and cells as stored values: the one formatter of copy, follow and SELECT.
//!
//! The stored forms keep MySQL's order where SQLite compares them: whole numbers are INTEGER, and
//! above 2^63-1 a TEXT of twenty digits, which SQLite puts behind every INTEGER; DECIMAL of up to 18
//! digits is the INTEGER without its point, a longer one a TEXT of fixed length ([`long_decimal`]);
//! FLOAT and DOUBLE are REAL; dates are TEXT; TIME is INTEGER microseconds; texts are TEXT in UTF-8,
//! bytes BLOB; ENUM is its number, SET its bits. A query's own DECIMAL may be its plain text.

use rusqlite::types::{Value as Stored, ValueRef};

use crate::event::collation::{self, Charset};
use crate::event::print::{self, padded, short_cell};
use crate::event::{CollationId, Column, ColumnType, row};

/// Appends the cell of a stored value, or of a query's value of that type. Allocates nothing but for
/// texts of a charset other than UTF-8.
pub fn cell(column: &Column, value: ValueRef<'_>, out: &mut Vec<u8>) {
    match value {
        ValueRef::Null => row::push_null(out),
        ValueRef::Integer(number) => whole(column, number, out),
        ValueRef::Real(number) => match column.column_type {
            ColumnType::Float { .. } => short_cell(out, |out| print::float(number, true, out)),
            _ => short_cell(out, |out| print::float(number, false, out)),
        },
        ValueRef::Text(text) => texts(column, text, out),
        ValueRef::Blob(bytes) => row::push_cell(out, bytes),
    }
}

fn whole(column: &Column, number: i64, out: &mut Vec<u8>) {
    match &column.column_type {
        ColumnType::Decimal { scale, .. } => short_cell(out, |out| scaled(number, *scale, out)),
        ColumnType::Time { fsp } => short_cell(out, |out| time(number, *fsp, out)),
        ColumnType::Bit { bits } => bit(u64::try_from(number).unwrap_or_default(), *bits, out),
        ColumnType::Enum { members } => {
            let place = usize::try_from(number).ok().and_then(|place| place.checked_sub(1));
            let member = place.and_then(|place| members.get(place)).map_or("", |member| member);
            charset_text(column.collation, member.as_bytes(), out);
        }
        ColumnType::Set { members } => {
            set(column, members, u64::try_from(number).unwrap_or_default(), out);
        }
        ColumnType::Year => short_cell(out, |out| padded(number.unsigned_abs(), 4, out)),
        _ => short_cell(out, |out| {
            if number < 0 {
                out.push(b'-');
            }
            padded(number.unsigned_abs(), 1, out);
        }),
    }
}

fn texts(column: &Column, text: &[u8], out: &mut Vec<u8>) {
    let great = || std::str::from_utf8(text).ok().and_then(|digits| digits.parse::<u64>().ok());
    match &column.column_type {
        ColumnType::Int { .. } => match great() {
            Some(number) => short_cell(out, |out| padded(number, 1, out)),
            None => row::push_cell(out, text),
        },
        ColumnType::Bit { bits } => match great() {
            Some(number) => bit(number, *bits, out),
            None => row::push_cell(out, text),
        },
        ColumnType::Set { members } => match great() {
            Some(bits) => set(column, members, bits, out),
            None => row::push_cell(out, text),
        },
        ColumnType::Decimal { scale, .. } => match text.split_first() {
            Some((&sign @ (POSITIVE | NEGATIVE), digits)) => {
                short_cell(out, |out| unpack_decimal(sign, digits, *scale, out));
            }
            _ => row::push_cell(out, text),
        },
        ColumnType::Char { .. } | ColumnType::VarChar { .. } | ColumnType::Text { .. } => {
            charset_text(column.collation, text, out);
        }
        _ => row::push_cell(out, text),
    }
}

fn charset_text(collation: CollationId, text: &[u8], out: &mut Vec<u8>) {
    let latin1 = collation::charset(collation) == Some(Charset::Latin1);
    if latin1
        && !text.is_ascii()
        && let Some(bytes) = std::str::from_utf8(text).ok().and_then(|t| Charset::Latin1.encode(t))
    {
        return row::push_cell(out, &bytes);
    }
    row::push_cell(out, text);
}

fn set(column: &Column, members: &[Box<str>], bits: u64, out: &mut Vec<u8>) {
    let chosen = || {
        let each = members.iter().enumerate();
        each.filter(|(place, _)| bits >> place & 1 == 1).map(|(_, member)| &**member)
    };
    let text = chosen().enumerate().fold(String::new(), |mut text, (place, member)| {
        if place > 0 {
            text.push(',');
        }
        text.push_str(member);
        text
    });
    charset_text(column.collation, text.as_bytes(), out);
}

fn bit(number: u64, bits: u8, out: &mut Vec<u8>) {
    let bytes = number.to_be_bytes();
    let length = usize::from(bits).div_ceil(8).clamp(1, 8);
    row::push_cell(out, &bytes[8 - length..]);
}

fn scaled(number: i64, scale: u8, out: &mut Vec<u8>) {
    if number < 0 {
        out.push(b'-');
    }
    let unit = 10_u64.saturating_pow(u32::from(scale));
    let number = number.unsigned_abs();
    padded(number / unit, 1, out);
    if scale > 0 {
        out.push(b'.');
        padded(number % unit, usize::from(scale), out);
    }
}

fn time(micros: i64, fsp: u8, out: &mut Vec<u8>) {
    let (negative, micros) = (micros < 0, micros.unsigned_abs());
    let seconds = micros / 1_000_000;
    let part = |part: u64| u32::try_from(part).unwrap_or(u32::MAX);
    let clock = print::Clock {
        hour: part(seconds / 3600),
        minute: part(seconds / 60 % 60),
        second: part(seconds % 60),
        micros: part(micros % 1_000_000),
    };
    print::time(negative, clock, fsp, out);
}

/// The stored form of a DECIMAL of more than 18 digits: its sign, then all its digits, those of a
/// negative number turned into what they lack to nine; the texts' order is the numbers'.
pub fn long_decimal(text: &str, precision: u8, scale: u8) -> String {
    let (negative, digits) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let (before, behind) = digits.split_once('.').unwrap_or((digits, ""));
    let before = before.trim_start_matches('0');
    let width = usize::from(precision.saturating_sub(scale));
    let padded = format!("{before:0>width$}{behind:0<scale$.scale$}", scale = usize::from(scale));
    let negative = negative && padded.bytes().any(|digit| digit != b'0');
    let mut stored = String::with_capacity(padded.len() + 1);
    stored.push(char::from(if negative { NEGATIVE } else { POSITIVE }));
    stored.extend(
        padded.bytes().map(|digit| char::from(if negative { b'0' + b'9' - digit } else { digit })),
    );
    stored
}

fn unpack_decimal(sign: u8, digits: &[u8], scale: u8, out: &mut Vec<u8>) {
    let negative = sign == NEGATIVE;
    if negative {
        out.push(b'-');
    }
    let point = digits.len().saturating_sub(usize::from(scale));
    let plain = |digit: u8| if negative { (b'0' + b'9').wrapping_sub(digit) } else { digit };
    let (before, behind) = digits.split_at(point);
    let start = out.len();
    out.extend(before.iter().map(|&digit| plain(digit)).skip_while(|&digit| digit == b'0'));
    if out.len() == start {
        out.push(b'0');
    }
    if !behind.is_empty() {
        out.push(b'.');
        out.extend(behind.iter().map(|&digit| plain(digit)));
    }
}

/// The stored form of a cell of this column; a cell that is none of its type becomes its bytes.
pub fn stored(column: &Column, cell: Option<&[u8]>) -> Stored {
    let Some(bytes) = cell else { return Stored::Null };
    let text = std::str::from_utf8(bytes).ok();
    let form = match &column.column_type {
        ColumnType::Int { .. } => text.and_then(|text| {
            let whole = text.parse().map(Stored::Integer).ok();
            whole.or_else(|| text.parse().ok().map(unsigned))
        }),
        ColumnType::Year => text.and_then(|text| text.parse().ok()).map(Stored::Integer),
        ColumnType::Decimal { precision, scale, .. } if *precision <= SHORT_DIGITS => {
            text.and_then(|text| long_or_short(text, *scale))
        }
        ColumnType::Decimal { precision, scale, .. } => {
            text.map(|text| Stored::Text(long_decimal(text, *precision, *scale)))
        }
        ColumnType::Float { .. } => {
            text.and_then(|text| text.parse::<f32>().ok()).map(|f| Stored::Real(f64::from(f)))
        }
        ColumnType::Double { .. } => text.and_then(|text| text.parse().ok()).map(Stored::Real),
        ColumnType::Bit { .. } => {
            Some(unsigned(bytes.iter().fold(0_u64, |bits, &byte| bits << 8 | u64::from(byte))))
        }
        ColumnType::Time { .. } => text.and_then(time_micros).map(Stored::Integer),
        ColumnType::Enum { members } => utf8(column.collation, bytes).map(|text| {
            let place = members.iter().position(|member| **member == *text);
            Stored::Integer(place.and_then(|p| i64::try_from(p + 1).ok()).unwrap_or(0))
        }),
        ColumnType::Set { members } => utf8(column.collation, bytes).map(|text| {
            let has = |member: &str| text.split(',').any(|chosen| chosen == member);
            let each = members.iter().enumerate().take(64);
            unsigned(each.fold(0, |bits, (p, member)| bits | u64::from(has(member)) << p))
        }),
        ColumnType::Char { .. } | ColumnType::VarChar { .. } | ColumnType::Text { .. }
            if column.collation != CollationId::BINARY =>
        {
            utf8(column.collation, bytes).map(Stored::Text)
        }
        ColumnType::Date
        | ColumnType::DateTime { .. }
        | ColumnType::Timestamp { .. }
        | ColumnType::Json => text.map(|text| Stored::Text(text.to_owned())),
        ColumnType::Char { .. }
        | ColumnType::VarChar { .. }
        | ColumnType::Text { .. }
        | ColumnType::Geometry
        | ColumnType::Vector { .. }
        | ColumnType::Uuid
        | ColumnType::Inet4
        | ColumnType::Inet6 => None,
    };
    form.unwrap_or_else(|| Stored::Blob(bytes.to_vec()))
}

/// The stored form of a whole number without a sign.
pub fn unsigned(number: u64) -> Stored {
    i64::try_from(number).map_or_else(|_| Stored::Text(format!("{number:020}")), Stored::Integer)
}

/// A short DECIMAL without its point, at `scale` digits behind it.
fn long_or_short(text: &str, scale: u8) -> Option<Stored> {
    let (before, behind) = text.split_once('.').unwrap_or((text, ""));
    let scale = usize::from(scale);
    let behind = behind.get(..scale.min(behind.len()))?;
    let digits = format!("{before}{behind:0<scale$}");
    digits.parse().ok().map(Stored::Integer)
}

fn time_micros(text: &str) -> Option<i64> {
    let (sign, text) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    let (clock, fraction) = text.split_once('.').unwrap_or((text, ""));
    let mut parts = clock.split(':');
    let mut next = || parts.next()?.parse::<i64>().ok();
    let seconds = next()? * 3600 + next()? * 60 + next()?;
    let micros: i64 = format!("{fraction:0<6.6}").parse().ok()?;
    Some(sign * (seconds * 1_000_000 + micros))
}

fn utf8(collation: CollationId, bytes: &[u8]) -> Option<String> {
    let mut text = String::new();
    let charset = collation::charset(collation).unwrap_or(Charset::Utf8mb4);
    charset.decode(bytes, &mut text).then_some(text)
}

/// Digits of a DECIMAL that fit into an INTEGER.
pub const SHORT_DIGITS: u8 = 18;
const POSITIVE: u8 = b'p';
const NEGATIVE: u8 = b'n';

#[cfg(test)]
mod tests {
    use super::*;

    fn check(column_type: ColumnType, values: &[&str]) {
        let column = Column::plain("c", column_type, CollationId::UTF8MB4_0900_AI_CI);
        for value in values {
            let stored = stored(&column, Some(value.as_bytes()));
            let mut out = Vec::new();
            cell(&column, ValueRef::from(&stored), &mut out);
            let (text, rest) = row::split_cell(&out).unwrap();
            assert_eq!(text, Some(value.as_bytes()), "{column:?} {stored:?}");
            assert!(rest.is_empty());
        }
    }

    fn members(names: &[&str]) -> std::sync::Arc<[Box<str>]> {
        names.iter().map(|&name| name.into()).collect()
    }

    #[test]
    fn every_type_reads_back() {
        let bigint = |unsigned| ColumnType::Int { bytes: 8, unsigned };
        check(bigint(false), &["0", "-1", "9223372036854775807", "-9223372036854775808"]);
        check(bigint(true), &["0", "9223372036854775808", "18446744073709551615"]);
        let decimal = |precision, scale| ColumnType::Decimal { precision, scale, unsigned: false };
        check(decimal(8, 2), &["0.00", "10.00", "-0.05", "123456.78", "-123456.78"]);
        check(decimal(10, 0), &["0", "-7", "1234567890"]);
        let long = "12345678901234567890123456789012345.123456789012345678901234567890";
        check(decimal(65, 30), &[long, "-0.000000000000000000000000000001"]);
        check(decimal(20, 0), &["0", "-99999999999999999999", "5"]);
        check(ColumnType::Year, &["0000", "1999"]);
        check(ColumnType::Bit { bits: 9 }, &["\u{1}a"]);
        check(ColumnType::Time { fsp: 0 }, &["00:00:00", "-838:59:59", "12:34:56"]);
        check(ColumnType::Time { fsp: 3 }, &["-00:00:00.100", "100:00:00.999"]);
        check(ColumnType::DateTime { fsp: 6 }, &["2024-02-29 23:59:59.123456"]);
        check(ColumnType::Enum { members: members(&["a", "b"]) }, &["b", ""]);
        check(ColumnType::Set { members: members(&["a", "b", "c"]) }, &["", "a,c", "b"]);
        check(ColumnType::VarChar { length: 9 }, &["", "grüße"]);
    }

    #[test]
    fn long_decimals_sort_as_numbers() {
        let numbers = ["-20", "-3.5", "-3.4", "-0.1", "0", "0.1", "3.4", "3.5", "20"];
        let stored: Vec<_> = numbers.iter().map(|number| long_decimal(number, 20, 1)).collect();
        assert!(stored.is_sorted(), "{stored:?}");
    }

    #[test]
    fn texts_are_in_the_columns_own_charset() {
        let text = ColumnType::VarChar { length: 9 };
        let column = Column::plain("c", text, CollationId::LATIN1_SWEDISH_CI);
        let mut out = Vec::new();
        cell(&column, ValueRef::Text("ü€".as_bytes()), &mut out);
        assert_eq!(out, [2, 0xfc, 0x80]);
        assert_eq!(stored(&column, Some(&[0xfc, 0x80])), Stored::Text("ü€".to_owned()));
    }
}
