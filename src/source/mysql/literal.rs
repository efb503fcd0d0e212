//! Cells -> literals of a statement, so that the server compares them as values of their columns:
//! texts under the column's collation, numbers without a detour through DOUBLE.
//!
//! The last key of a copy comes back from a client. A cell that is no value of its type, and so
//! might be anything else in a statement, is refused.

use std::fmt::Write as _;

use crate::event::{Column, ColumnType, collation};

/// The value of a column as a literal; `None` if the cell is none of the column's type.
pub(super) fn literal(column: &Column, cell: &[u8]) -> Option<String> {
    Some(match &column.column_type {
        ColumnType::Int { .. } | ColumnType::Decimal { .. } => number(cell)?,
        // As a text, since numbers of two digits mean other years.
        ColumnType::Year => quoted(cell, |byte| byte.is_ascii_digit())?,
        ColumnType::Float { .. } => {
            let number: f32 = std::str::from_utf8(cell).ok()?.parse().ok()?;
            real(f64::from(number))?
        }
        ColumnType::Double { .. } => real(std::str::from_utf8(cell).ok()?.parse().ok()?)?,
        ColumnType::Bit { .. } => bits(cell)?.to_string(),
        ColumnType::Date
        | ColumnType::Time { .. }
        | ColumnType::DateTime { .. }
        | ColumnType::Timestamp { .. } => {
            quoted(cell, |byte| byte.is_ascii_digit() || b"-:. ".contains(&byte))?
        }
        ColumnType::Char { .. } | ColumnType::VarChar { .. } | ColumnType::Text { .. } => {
            format!("_{} {}", collation::charset(column.collation)?.name(), bytes(cell))
        }
        // Their order is that of their numbers, and a comparison with a text is none of numbers.
        ColumnType::Enum { members } => member(column, members, cell)?.to_string(),
        ColumnType::Set { members } => set(column, members, cell)?.to_string(),
        ColumnType::Uuid | ColumnType::Inet4 | ColumnType::Inet6 => {
            quoted(cell, |byte| byte.is_ascii_hexdigit() || b"-:.".contains(&byte))?
        }
        ColumnType::Json | ColumnType::Geometry | ColumnType::Vector { .. } => return None,
    })
}

/// Bytes in hexadecimal digits.
pub(super) fn bytes(cell: &[u8]) -> String {
    let mut text = String::with_capacity(3 + 2 * cell.len());
    text.push_str("X'");
    for byte in cell {
        // Nothing can go wrong with writing to a String.
        let _ = write!(text, "{byte:02X}");
    }
    text.push('\'');
    text
}

/// A text in UTF-8.
pub(in crate::source::mysql) fn text(text: &str) -> String {
    format!("_utf8mb4 {}", bytes(text.as_bytes()))
}

/// A name in back quotes.
pub(in crate::source::mysql) fn name(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// Digits, with a sign before and a point in them.
fn number(cell: &[u8]) -> Option<String> {
    let digits = cell.strip_prefix(b"-").unwrap_or(cell);
    let points = digits.iter().filter(|byte| **byte == b'.').count();
    let is_number = points <= 1
        && digits.first().is_some_and(u8::is_ascii_digit)
        && digits.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.');
    is_number.then(|| String::from_utf8_lossy(cell).into_owned())
}

/// A DOUBLE: its exponent says that it is no DECIMAL.
fn real(number: f64) -> Option<String> {
    number.is_finite().then(|| format!("{number:e}"))
}

fn quoted(cell: &[u8], allowed: impl Fn(u8) -> bool) -> Option<String> {
    let is_plain = !cell.is_empty() && cell.iter().all(|byte| allowed(*byte));
    is_plain.then(|| format!("'{}'", String::from_utf8_lossy(cell)))
}

/// The number that a BIT's bytes are, the highest first.
fn bits(cell: &[u8]) -> Option<u64> {
    const BYTES_MAX: usize = 8;
    (cell.len() <= BYTES_MAX)
        .then(|| cell.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

/// An ENUM's number. An empty text may be a member or an invalid value, which is 0: the copy goes
/// on behind the lower one.
fn member(column: &Column, members: &[Box<str>], cell: &[u8]) -> Option<usize> {
    if cell.is_empty() {
        return Some(0);
    }
    members
        .iter()
        .position(|member| collation::encode(column.collation, member).is_some_and(|m| *m == *cell))
        .map(|index| index + 1)
}

/// A SET's number: one bit per member, the first lowest.
fn set(column: &Column, members: &[Box<str>], cell: &[u8]) -> Option<u64> {
    if cell.is_empty() {
        return Some(0);
    }
    let text = collation::decode(column.collation, cell)?;
    text.split(',').try_fold(0, |bits, part| {
        let at = members.iter().position(|member| **member == *part)?;
        Some(bits | 1_u64.checked_shl(u32::try_from(at).ok()?)?)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::CollationId;

    #[track_caller]
    fn check(column_type: ColumnType, collation: CollationId, cell: &[u8], expected: Option<&str>) {
        let column = Column::plain("c", column_type, collation);
        assert_eq!(literal(&column, cell).as_deref(), expected);
    }

    const NONE: CollationId = CollationId::BINARY;
    const INT: ColumnType = ColumnType::Int { bytes: 8, unsigned: true };
    const DECIMAL: ColumnType = ColumnType::Decimal { precision: 65, scale: 30, unsigned: false };

    #[test]
    fn numbers_stay_exact() {
        check(INT, NONE, b"18446744073709551615", Some("18446744073709551615"));
        check(INT, NONE, b"-5", Some("-5"));
        check(
            DECIMAL,
            NONE,
            b"-0.000000000000000000000000000001",
            Some("-0.000000000000000000000000000001"),
        );
        check(ColumnType::Double { unsigned: false }, NONE, b"0.1", Some("1e-1"));
        check(ColumnType::Float { unsigned: false }, NONE, b"0.1", Some("1.0000000149011612e-1"));
        check(ColumnType::Bit { bits: 64 }, NONE, &[0xff; 8], Some("18446744073709551615"));
        check(ColumnType::Bit { bits: 9 }, NONE, &[1, 2], Some("258"));
    }

    #[test]
    fn texts_are_bytes_of_their_character_set() {
        let text = ColumnType::VarChar { length: 9 };
        check(text.clone(), CollationId::LATIN1_SWEDISH_CI, b"\xfc'", Some("_latin1 X'FC27'"));
        check(text.clone(), CollationId::UTF8MB4_BIN, b"", Some("_utf8mb4 X''"));
        check(text, NONE, b"\0", Some("_binary X'00'"));
    }

    #[test]
    fn members_are_their_numbers() {
        let members = || ["a".into(), "ü".into(), "c".into()].into();
        let latin1 = CollationId::LATIN1_SWEDISH_CI;
        check(ColumnType::Enum { members: members() }, latin1, b"\xfc", Some("2"));
        check(ColumnType::Enum { members: members() }, latin1, b"", Some("0"));
        check(ColumnType::Enum { members: members() }, latin1, b"x", None);
        check(ColumnType::Set { members: members() }, latin1, b"a,c", Some("5"));
        check(ColumnType::Set { members: members() }, latin1, b"a,x", None);
    }

    #[test]
    fn what_is_no_value_of_its_type_is_refused() {
        let moment = ColumnType::DateTime { fsp: 6 };
        check(
            moment.clone(),
            NONE,
            b"2026-01-02 03:04:05.000006",
            Some("'2026-01-02 03:04:05.000006'"),
        );
        check(moment, NONE, b"' OR 1", None);
        for cell in [&b"1 OR 1"[..], b"", b"-", b"1.2.3", b"0x1", b".5"] {
            check(INT, NONE, cell, None);
            check(DECIMAL, NONE, cell, None);
        }
        check(ColumnType::Double { unsigned: false }, NONE, b"inf", None);
        check(ColumnType::Uuid, NONE, b"'", None);
        check(ColumnType::Json, NONE, b"[1]", None);
    }

    #[test]
    fn names_are_quoted() {
        assert_eq!(name("a`b"), "`a``b`");
    }
}
