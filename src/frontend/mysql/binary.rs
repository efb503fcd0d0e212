//! Rows of the binary protocol, made from the text cells that all rows are.
//!
//! A row is 0x00, a bitmap of the NULLs that begins at its third bit, then the cells that are not
//! NULL in the form of their column's type.

use super::columns::ColumnDefinition;
use super::opensrv::ColumnType;
use crate::event::row::split_cell;

/// The forms of one result's columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BinaryRow {
    forms: Vec<Form>,
}

/// A cell's text is not of its column's type: the source and its schema disagree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the cell of column {} is not of the column's type", column + 1)]
pub struct CellError {
    /// Which, counted from 0.
    pub column: usize,
}

/// How a cell's value stands in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// A whole number of so many bytes.
    Int(usize),
    Float,
    Double,
    /// A date, maybe with a time of day.
    DateTime,
    /// A time span.
    Time,
    /// The text itself, behind its length.
    Bytes,
}

impl Form {
    fn of(column_type: ColumnType) -> Self {
        use ColumnType as T;
        match column_type {
            T::MYSQL_TYPE_TINY => Self::Int(1),
            T::MYSQL_TYPE_SHORT | T::MYSQL_TYPE_YEAR => Self::Int(2),
            T::MYSQL_TYPE_LONG | T::MYSQL_TYPE_INT24 => Self::Int(4),
            T::MYSQL_TYPE_LONGLONG => Self::Int(8),
            T::MYSQL_TYPE_FLOAT => Self::Float,
            T::MYSQL_TYPE_DOUBLE => Self::Double,
            T::MYSQL_TYPE_DATE | T::MYSQL_TYPE_DATETIME | T::MYSQL_TYPE_TIMESTAMP => Self::DateTime,
            T::MYSQL_TYPE_TIME => Self::Time,
            T::MYSQL_TYPE_DECIMAL
            | T::MYSQL_TYPE_NULL
            | T::MYSQL_TYPE_NEWDATE
            | T::MYSQL_TYPE_VARCHAR
            | T::MYSQL_TYPE_BIT
            | T::MYSQL_TYPE_TIMESTAMP2
            | T::MYSQL_TYPE_DATETIME2
            | T::MYSQL_TYPE_TIME2
            | T::MYSQL_TYPE_TYPED_ARRAY
            | T::MYSQL_TYPE_UNKNOWN
            | T::MYSQL_TYPE_JSON
            | T::MYSQL_TYPE_NEWDECIMAL
            | T::MYSQL_TYPE_ENUM
            | T::MYSQL_TYPE_SET
            | T::MYSQL_TYPE_TINY_BLOB
            | T::MYSQL_TYPE_MEDIUM_BLOB
            | T::MYSQL_TYPE_LONG_BLOB
            | T::MYSQL_TYPE_BLOB
            | T::MYSQL_TYPE_VAR_STRING
            | T::MYSQL_TYPE_STRING
            | T::MYSQL_TYPE_GEOMETRY => Self::Bytes,
        }
    }
}

impl BinaryRow {
    /// Rows of these columns.
    pub fn new(columns: &[ColumnDefinition]) -> Self {
        Self { forms: columns.iter().map(|column| Form::of(column.wire_type)).collect() }
    }

    /// Appends a row. `text` is the row's text form: its cells one behind the other.
    pub fn push(&self, out: &mut Vec<u8>, text: &[u8]) -> Result<(), CellError> {
        let start = out.len() + 1;
        out.resize(start + (self.forms.len() + NULLS_OFFSET).div_ceil(8), 0);
        let mut rest = text;
        for (index, form) in self.forms.iter().enumerate() {
            let wrong = CellError { column: index };
            let (cell, behind) = split_cell(rest).ok_or(wrong)?;
            let encoded = &rest[..rest.len() - behind.len()];
            rest = behind;
            match cell {
                Some(cell) => form.push(out, cell, encoded).ok_or(wrong)?,
                None => {
                    let bit = index + NULLS_OFFSET;
                    out[start + bit / 8] |= 1 << (bit % 8);
                }
            }
        }
        Ok(())
    }
}

impl Form {
    /// Appends a cell; nothing if the text is not of this form. `encoded` is the cell with its length.
    fn push(self, out: &mut Vec<u8>, cell: &[u8], encoded: &[u8]) -> Option<()> {
        match self {
            Self::Int(bytes) => out.extend_from_slice(&integer(cell)?.to_le_bytes()[..bytes]),
            Self::Float => out.extend_from_slice(&number::<f32>(cell)?.to_le_bytes()),
            Self::Double => out.extend_from_slice(&number::<f64>(cell)?.to_le_bytes()),
            Self::DateTime => push_date_time(out, cell)?,
            Self::Time => push_time(out, cell)?,
            // The same in both protocols.
            Self::Bytes => out.extend_from_slice(encoded),
        }
        Some(())
    }
}

/// A whole number in two's complement, whatever its sign and width.
fn integer(text: &[u8]) -> Option<u64> {
    let (negative, digits) = match text.strip_prefix(b"-") {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    let value = unsigned(digits)?;
    Some(if negative { value.wrapping_neg() } else { value })
}

fn unsigned(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    let (sure, rest) = digits.split_at(digits.len().min(DIGITS_SURE));
    let mut value = 0;
    for digit in sure {
        value = value * 10 + u64::from(digit_of(*digit)?);
    }
    rest.iter().try_fold(value, |value: u64, digit| {
        value.checked_mul(10)?.checked_add(u64::from(digit_of(*digit)?))
    })
}

fn digit_of(byte: u8) -> Option<u8> {
    let digit = byte.wrapping_sub(b'0');
    (digit < 10).then_some(digit)
}

fn number<T: std::str::FromStr>(text: &[u8]) -> Option<T> {
    str::from_utf8(text).ok()?.parse().ok()
}

/// `2026-11-22`, `2026-11-22 13:45:00` or `2026-11-22 13:45:00.123456`.
fn push_date_time(out: &mut Vec<u8>, text: &[u8]) -> Option<()> {
    let (date, clock, micros) = match whole_seconds(text) {
        Some((date, clock)) => (date, clock, 0),
        None => date_time(text)?,
    };
    let [year, month, day] = date;
    let [hour, minute, second] = clock;
    let whole = [small(hour)?, small(minute)?, small(second)?];
    let length = match (micros, whole, (year, month, day)) {
        (0, [0, 0, 0], (0, 0, 0)) => 0,
        (0, [0, 0, 0], _) => 4,
        (0, _, _) => 7,
        _ => 11,
    };
    let [a, b] = u16::try_from(year).ok()?.to_le_bytes();
    let mut encoded = [length, a, b, small(month)?, small(day)?, 0, 0, 0, 0, 0, 0, 0];
    encoded[5..8].copy_from_slice(&whole);
    encoded[8..].copy_from_slice(&micros.to_le_bytes());
    out.extend_from_slice(&encoded[..=usize::from(length)]);
    Some(())
}

/// `2026-11-22 13:45:00`, the form that most have, in one go: date and time.
fn whole_seconds(text: &[u8]) -> Option<([u32; 3], [u32; 3])> {
    let text: &[u8; 19] = text.try_into().ok()?;
    if [text[4], text[7], text[10], text[13], text[16]] != *b"-- ::" {
        return None;
    }
    let two = |at: usize| {
        let [tens, ones] = [digit_of(text[at])?, digit_of(text[at + 1])?];
        Some(u32::from(tens) * 10 + u32::from(ones))
    };
    let date = [two(0)? * 100 + two(2)?, two(5)?, two(8)?];
    Some((date, [two(11)?, two(14)?, two(17)?]))
}

/// Date, time and microseconds in any of their forms.
fn date_time(text: &[u8]) -> Option<([u32; 3], [u32; 3], u32)> {
    let (date, time) = match text.iter().position(|byte| matches!(byte, b' ' | b'T')) {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    };
    let (clock, micros) = match time {
        Some(time) => clock(time)?,
        None => ([0; 3], 0),
    };
    Some((fields(date, b'-')?, clock, micros))
}

/// `-838:59:59.000000` to `838:59:59.000000`.
fn push_time(out: &mut Vec<u8>, text: &[u8]) -> Option<()> {
    let (negative, digits) = match text.strip_prefix(b"-") {
        Some(digits) => (1, digits),
        None => (0, text),
    };
    let ([hours, minutes, seconds], micros) = clock(digits)?;
    let length = match (micros, hours, minutes, seconds) {
        (0, 0, 0, 0) => 0,
        (0, ..) => 8,
        _ => 12,
    };
    let mut encoded = [0; 13];
    encoded[..2].copy_from_slice(&[length, negative]);
    encoded[2..6].copy_from_slice(&(hours / 24).to_le_bytes());
    encoded[6..9].copy_from_slice(&[small(hours % 24)?, small(minutes)?, small(seconds)?]);
    encoded[9..].copy_from_slice(&micros.to_le_bytes());
    out.extend_from_slice(&encoded[..=usize::from(length)]);
    Some(())
}

/// `13:45:00` or `13:45:00.123456`: hours, minutes, seconds; microseconds.
fn clock(text: &[u8]) -> Option<([u32; 3], u32)> {
    let (whole, fraction) = match text.iter().position(|byte| *byte == b'.') {
        Some(at) => (&text[..at], &text[at + 1..]),
        None => (text, &b""[..]),
    };
    if fraction.len() > 6 {
        return None;
    }
    let mut micros = 0;
    for index in 0..6 {
        let digit = fraction.get(index).map_or(Some(0), |byte| byte.checked_sub(b'0'));
        micros = micros * 10 + u32::from(digit.filter(|digit| *digit < 10)?);
    }
    Some((fields(whole, b':')?, micros))
}

/// Three numbers with a sign between them.
fn fields(text: &[u8], separator: u8) -> Option<[u32; 3]> {
    let mut parts = text.split(|byte| *byte == separator);
    let mut next = || u32::try_from(unsigned(parts.next()?)?).ok();
    let found = [next()?, next()?, next()?];
    parts.next().is_none().then_some(found)
}

fn small(number: u32) -> Option<u8> {
    u8::try_from(number).ok()
}

/// A number of so many digits is never too large.
const DIGITS_SURE: usize = 19;
/// The bitmap's first bits stand for nothing.
const NULLS_OFFSET: usize = 2;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::row::{push_cell, push_null};

    fn check(wire_type: ColumnType, text: &str, expected: &[u8]) {
        let mut column = ColumnDefinition::integer("c");
        column.wire_type = wire_type;
        let mut cells = Vec::new();
        push_cell(&mut cells, text.as_bytes());
        let mut row = Vec::new();
        BinaryRow::new(&[column]).push(&mut row, &cells).unwrap();
        assert_eq!(row[..2], [0, 0], "{text} is no NULL");
        assert_eq!(&row[2..], expected, "{text}");
    }

    #[test]
    fn numbers_are_written_by_their_width() {
        check(ColumnType::MYSQL_TYPE_TINY, "-1", &[0xff]);
        check(ColumnType::MYSQL_TYPE_TINY, "255", &[0xff]);
        check(ColumnType::MYSQL_TYPE_SHORT, "-32768", &[0x00, 0x80]);
        check(ColumnType::MYSQL_TYPE_YEAR, "2026", &[0xea, 0x07]);
        check(ColumnType::MYSQL_TYPE_INT24, "-8388608", &[0, 0, 0x80, 0xff]);
        check(ColumnType::MYSQL_TYPE_LONG, "7", &[7, 0, 0, 0]);
        check(ColumnType::MYSQL_TYPE_LONGLONG, "18446744073709551615", &[0xff; 8]);
        check(ColumnType::MYSQL_TYPE_LONGLONG, "-9223372036854775808", &i64::MIN.to_le_bytes());
        check(ColumnType::MYSQL_TYPE_FLOAT, "1.5", &1.5_f32.to_le_bytes());
        check(ColumnType::MYSQL_TYPE_DOUBLE, "-1e-300", &(-1e-300_f64).to_le_bytes());
        check(ColumnType::MYSQL_TYPE_NEWDECIMAL, "10.50", b"\x0510.50");
        check(ColumnType::MYSQL_TYPE_BIT, "\x01\x02", b"\x02\x01\x02");
    }

    #[test]
    fn times_are_as_short_as_they_can_be() {
        check(ColumnType::MYSQL_TYPE_DATE, "2026-11-22", &[4, 0xea, 7, 11, 22]);
        check(ColumnType::MYSQL_TYPE_DATE, "0000-00-00", &[0]);
        check(ColumnType::MYSQL_TYPE_DATETIME, "2026-11-22 00:00:00", &[4, 0xea, 7, 11, 22]);
        let noon = [7, 0xea, 7, 11, 22, 12, 0, 1];
        check(ColumnType::MYSQL_TYPE_DATETIME, "2026-11-22 12:00:01", &noon);
        check(ColumnType::MYSQL_TYPE_DATETIME, "2026-11-22T12:00:01", &noon);
        check(ColumnType::MYSQL_TYPE_TIMESTAMP, "2026-11-22 12:00:01.000", &noon);
        let fraction = [11, 0xea, 7, 11, 22, 0, 0, 0, 0x20, 0xa1, 7, 0];
        check(ColumnType::MYSQL_TYPE_DATETIME, "2026-11-22 00:00:00.5", &fraction);
        check(ColumnType::MYSQL_TYPE_TIME, "00:00:00", &[0]);
        check(ColumnType::MYSQL_TYPE_TIME, "-838:59:59", &[8, 1, 34, 0, 0, 0, 22, 59, 59]);
        let fraction = [12, 0, 0, 0, 0, 0, 1, 2, 3, 1, 0, 0, 0];
        check(ColumnType::MYSQL_TYPE_TIME, "01:02:03.000001", &fraction);
    }

    #[test]
    fn nulls_are_bits() {
        let columns = vec![ColumnDefinition::integer("c"); 8];
        let mut cells = Vec::new();
        for index in 0..8 {
            match index {
                0 | 6 | 7 => push_null(&mut cells),
                _ => push_cell(&mut cells, b"1"),
            }
        }
        let mut row = Vec::new();
        BinaryRow::new(&columns).push(&mut row, &cells).unwrap();
        assert_eq!(row[..3], [0, 0b0000_0100, 0b0000_0011]);
        assert_eq!(row.len(), 3 + 5 * 8);
    }

    #[test]
    fn texts_of_another_form_are_errors() {
        for (wire_type, text) in [
            (ColumnType::MYSQL_TYPE_LONGLONG, "x"),
            (ColumnType::MYSQL_TYPE_LONGLONG, ""),
            (ColumnType::MYSQL_TYPE_LONGLONG, "99999999999999999999"),
            (ColumnType::MYSQL_TYPE_LONGLONG, "1234567890123456789x"),
            (ColumnType::MYSQL_TYPE_LONGLONG, "12/4"),
            (ColumnType::MYSQL_TYPE_DATETIME, "2026-11-2x 12:00:01"),
            (ColumnType::MYSQL_TYPE_DATETIME, "2026:11-22 12:00:01"),
            (ColumnType::MYSQL_TYPE_DATE, "2026-11"),
            (ColumnType::MYSQL_TYPE_TIME, "1:2"),
            (ColumnType::MYSQL_TYPE_TIME, "1:2:3.1234567"),
        ] {
            let mut column = ColumnDefinition::integer("c");
            column.wire_type = wire_type;
            let mut cells = Vec::new();
            push_cell(&mut cells, text.as_bytes());
            let mut row = Vec::new();
            let pushed = BinaryRow::new(&[column]).push(&mut row, &cells);
            assert_eq!(pushed, Err(CellError { column: 0 }), "{text}");
        }
    }
}
