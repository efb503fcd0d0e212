//! COM_STMT_EXECUTE: a packet's parameters as SQL literals. Pure: whatever the bytes, a statement or
//! an error.
//!
//! opensrv would decode parameters too, but panics on malformed ones and keeps 1 MiB for the
//! connection after a large packet, so that it never sees these.

use super::charsets;
use super::error::{self, Failure};
use super::opensrv::ColumnType;
use super::wire::Fields;
use crate::event::charset::Charset;
use crate::sql::Template;
use crate::sql::placeholder::PlaceholderKind;

/// How a client sends one parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParameterType {
    column_type: ColumnType,
    unsigned: bool,
}

/// What an EXECUTE says beside its parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Execute<'a> {
    /// The prepared statement.
    pub statement: u32,
    /// Whether rows are to be fetched one portion after the other.
    pub cursor: bool,
    /// The parameters' part of the packet.
    parameters: &'a [u8],
}

impl<'a> Execute<'a> {
    /// Reads what stands behind the command's byte.
    pub fn parse(payload: &'a [u8]) -> Option<Self> {
        let mut fields = Fields::new(payload);
        let statement = fields.u32()?;
        let flags = fields.byte()?;
        let iterations = fields.u32()?;
        let known = matches!(flags, CURSOR_TYPE_NO_CURSOR | CURSOR_TYPE_READ_ONLY);
        let parameters = payload.get(HEADER_BYTES..)?;
        (known && iterations == 1).then_some(Self {
            statement,
            cursor: flags == CURSOR_TYPE_READ_ONLY,
            parameters,
        })
    }

    /// The statement with the parameters in it. `types` are those of the client's last EXECUTE, and
    /// are replaced if the packet brings others; texts are in `client`; `long` is what
    /// COM_STMT_SEND_LONG_DATA brought.
    pub fn fill<'l>(
        &'l self,
        template: &Template,
        types: &mut Vec<ParameterType>,
        client: Charset,
        long: impl Fn(usize) -> Option<&'l [u8]>,
    ) -> Result<String, Failure> {
        let count = template.kinds().len();
        let mut fields: Fields<'l> = Fields::new(self.parameters);
        let nulls = match count {
            0 => &[],
            _ => fields.take(count.div_ceil(8)).ok_or_else(malformed)?,
        };
        if count > 0 && fields.byte().ok_or_else(malformed)? == 1 {
            *types = (0..count)
                .map(|_| ParameterType::parse(&mut fields))
                .collect::<Option<_>>()
                .ok_or_else(malformed)?;
        }
        if types.len() != count {
            return Err(malformed());
        }
        let text = template.fill(|out, index| {
            let is_null = nulls[index / 8] & 1 << (index % 8) != 0;
            let value = match long(index) {
                Some(bytes) => Value::Text(bytes),
                None if is_null => Value::Null,
                None => types[index].value(&mut fields).ok_or_else(malformed)?,
            };
            match template.kinds()[index] {
                PlaceholderKind::Value => value.push(out, client),
                PlaceholderKind::Count => value.push_count(out),
            }
            .ok_or_else(malformed)
        })?;
        if fields.is_empty() { Ok(text) } else { Err(malformed()) }
    }
}

/// MySQL's answer to every EXECUTE that it cannot read.
fn malformed() -> Failure {
    error::WRONG_ARGUMENTS.with("Incorrect arguments to mysqld_stmt_execute")
}

/// One parameter's value.
#[derive(Debug, Clone, PartialEq)]
enum Value<'a> {
    Null,
    Int(i64),
    UInt(u64),
    Double(f64),
    /// A number's digits.
    Decimal(&'a str),
    /// A text, or bytes that no text has.
    Text(&'a [u8]),
    /// Bytes that are to be compared as such.
    Bytes(&'a [u8]),
    /// A date or time in MySQL's form.
    Time(String),
}

impl ParameterType {
    fn parse(fields: &mut Fields<'_>) -> Option<Self> {
        let column_type = ColumnType::try_from(fields.byte()?).ok()?;
        let unsigned = fields.byte()? & UNSIGNED != 0;
        Some(Self { column_type, unsigned })
    }

    fn value<'a>(self, fields: &mut Fields<'a>) -> Option<Value<'a>> {
        use ColumnType as T;
        Some(match self.column_type {
            T::MYSQL_TYPE_NULL => Value::Null,
            T::MYSQL_TYPE_TINY => self.integer(fields, 1)?,
            T::MYSQL_TYPE_SHORT | T::MYSQL_TYPE_YEAR => self.integer(fields, 2)?,
            T::MYSQL_TYPE_LONG | T::MYSQL_TYPE_INT24 => self.integer(fields, 4)?,
            T::MYSQL_TYPE_LONGLONG => self.integer(fields, 8)?,
            T::MYSQL_TYPE_FLOAT => {
                let float = f32::from_le_bytes(fields.take(4)?.try_into().ok()?);
                // The shortest digits of the float, not those of the double next to it.
                Value::Double(float.to_string().parse().ok()?)
            }
            T::MYSQL_TYPE_DOUBLE => {
                Value::Double(f64::from_le_bytes(fields.take(8)?.try_into().ok()?))
            }
            T::MYSQL_TYPE_DATE
            | T::MYSQL_TYPE_NEWDATE
            | T::MYSQL_TYPE_DATETIME
            | T::MYSQL_TYPE_DATETIME2
            | T::MYSQL_TYPE_TIMESTAMP
            | T::MYSQL_TYPE_TIMESTAMP2 => Value::Time(date_time(fields)?),
            T::MYSQL_TYPE_TIME | T::MYSQL_TYPE_TIME2 => Value::Time(time(fields)?),
            T::MYSQL_TYPE_DECIMAL | T::MYSQL_TYPE_NEWDECIMAL => {
                let digits = fields.cell()?;
                match str::from_utf8(digits) {
                    Ok(text) if is_number(text) => Value::Decimal(text),
                    _ => Value::Text(digits),
                }
            }
            T::MYSQL_TYPE_TINY_BLOB
            | T::MYSQL_TYPE_MEDIUM_BLOB
            | T::MYSQL_TYPE_LONG_BLOB
            | T::MYSQL_TYPE_BLOB
            | T::MYSQL_TYPE_BIT
            | T::MYSQL_TYPE_GEOMETRY => Value::Bytes(fields.cell()?),
            T::MYSQL_TYPE_VARCHAR
            | T::MYSQL_TYPE_VAR_STRING
            | T::MYSQL_TYPE_STRING
            | T::MYSQL_TYPE_JSON
            | T::MYSQL_TYPE_ENUM
            | T::MYSQL_TYPE_SET => Value::Text(fields.cell()?),
            T::MYSQL_TYPE_TYPED_ARRAY | T::MYSQL_TYPE_UNKNOWN => return None,
        })
    }

    fn integer<'a>(self, fields: &mut Fields<'a>, width: usize) -> Option<Value<'a>> {
        let bytes = fields.take(width)?;
        let negative = !self.unsigned && bytes.last().is_some_and(|byte| byte & 0x80 != 0);
        let mut wide = [if negative { 0xff } else { 0 }; 8];
        wide[..width].copy_from_slice(bytes);
        Some(match self.unsigned {
            true => Value::UInt(u64::from_le_bytes(wide)),
            false => Value::Int(i64::from_le_bytes(wide)),
        })
    }
}

impl Value<'_> {
    /// Appends the literal; `None` where SQL has none.
    fn push(&self, out: &mut String, client: Charset) -> Option<()> {
        use std::fmt::Write;
        let written = match self {
            Self::Null => out.write_str("NULL"),
            Self::Int(number) => write!(out, "{number}"),
            Self::UInt(number) => write!(out, "{number}"),
            Self::Double(number) if number.is_finite() => write!(out, "{number:e}"),
            Self::Double(_) => return None,
            Self::Decimal(digits) => out.write_str(digits),
            Self::Time(text) => write!(out, "'{text}'"),
            Self::Bytes(bytes) => push_hex(out, bytes),
            Self::Text(bytes) if client.is_utf8() || client == Charset::Binary => {
                match str::from_utf8(bytes) {
                    Ok(text) => push_quoted(out, text),
                    Err(_) => push_hex(out, bytes),
                }
            }
            Self::Text(bytes) => match charsets::read(client, bytes.to_vec()) {
                Some(text) => push_quoted(out, &text),
                None => push_hex(out, bytes),
            },
        };
        written.ok()
    }

    /// Appends the number of a LIMIT, which some drivers send as a double or as a text.
    fn push_count(&self, out: &mut String) -> Option<()> {
        use std::fmt::Write;
        let count = match self {
            Self::Int(number) => u64::try_from(*number).ok()?,
            Self::UInt(number) => *number,
            Self::Double(number) => format!("{number:.0}").parse().ok().filter(|count: &u64| {
                #[allow(clippy::cast_precision_loss, reason = "compared to find lost precision")]
                let back = *count as f64;
                back.to_bits() == number.to_bits()
            })?,
            Self::Decimal(digits) => digits.parse().ok()?,
            Self::Text(bytes) => str::from_utf8(bytes).ok()?.parse().ok()?,
            Self::Null | Self::Bytes(_) | Self::Time(_) => return None,
        };
        write!(out, "{count}").ok()
    }
}

fn push_hex(out: &mut String, bytes: &[u8]) -> std::fmt::Result {
    use std::fmt::Write;
    out.reserve(2 * bytes.len() + 3);
    out.write_str("x'")?;
    let digit = |four: u8| char::from(if four < 10 { b'0' + four } else { b'a' - 10 + four });
    out.extend(bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 0xf)]));
    out.write_char('\'')
}

fn push_quoted(out: &mut String, text: &str) -> std::fmt::Result {
    use std::fmt::Write;
    out.reserve(text.len() + 2);
    out.write_char('\'')?;
    for char in text.chars() {
        if matches!(char, '\'' | '\\') {
            out.write_char(char)?;
        }
        out.write_char(char)?;
    }
    out.write_char('\'')
}

/// Digits, maybe with a sign in front and a point among them.
fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    digits.bytes().any(|byte| byte.is_ascii_digit())
        && digits.bytes().filter(|byte| *byte == b'.').count() <= 1
        && digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
}

fn date_time(fields: &mut Fields<'_>) -> Option<String> {
    let length = fields.byte()?;
    let mut value = Fields::new(fields.take(usize::from(length))?);
    if !matches!(length, 0 | 4 | 7 | 11) {
        return None;
    }
    let (mut date, mut clock, mut micros) = ((0, 0, 0), (0, 0, 0), 0);
    if length >= 4 {
        date = (value.u16()?, value.byte()?, value.byte()?);
    }
    if length >= 7 {
        clock = (value.byte()?, value.byte()?, value.byte()?);
    }
    if length == 11 {
        micros = value.u32()?;
    }
    let ((year, month, day), (hour, minute, second)) = (date, clock);
    let in_range = year <= 9999 && month <= 12 && day <= 31 && hour <= 23;
    if !in_range || minute > 59 || second > 59 || micros > MICROS_MAX {
        return None;
    }
    let mut text = format!("{year:04}-{month:02}-{day:02}");
    if length >= 7 {
        text += &format!(" {hour:02}:{minute:02}:{second:02}");
    }
    if length == 11 {
        text += &format!(".{micros:06}");
    }
    Some(text)
}

fn time(fields: &mut Fields<'_>) -> Option<String> {
    let length = fields.byte()?;
    let mut value = Fields::new(fields.take(usize::from(length))?);
    if length == 0 {
        return Some("00:00:00".to_owned());
    }
    if !matches!(length, 8 | 12) {
        return None;
    }
    let sign = if value.byte()? == 0 { "" } else { "-" };
    let days = value.u32()?;
    let (hours, minutes, seconds) = (value.byte()?, value.byte()?, value.byte()?);
    let micros = if length == 12 { value.u32()? } else { 0 };
    if days > DAYS_MAX || hours > 23 || minutes > 59 || seconds > 59 || micros > MICROS_MAX {
        return None;
    }
    let hours = days * 24 + u32::from(hours);
    let fraction = if length == 12 { format!(".{micros:06}") } else { String::new() };
    Some(format!("{sign}{hours:02}:{minutes:02}:{seconds:02}{fraction}"))
}

const HEADER_BYTES: usize = 9;
const CURSOR_TYPE_NO_CURSOR: u8 = 0;
const CURSOR_TYPE_READ_ONLY: u8 = 1;
const UNSIGNED: u8 = 0x80;
const MICROS_MAX: u32 = 999_999;
/// More days than a TIME holds.
const DAYS_MAX: u32 = 34;

#[cfg(test)]
mod tests {
    use super::*;

    /// An EXECUTE with these types and values; a value of `None` is NULL.
    fn packet(parameters: &[(ColumnType, bool, Option<&[u8]>)]) -> Vec<u8> {
        let mut packet = vec![1, 0, 0, 0, 0, 1, 0, 0, 0];
        if parameters.is_empty() {
            return packet;
        }
        let mut nulls = vec![0; parameters.len().div_ceil(8)];
        for (index, (_, _, value)) in parameters.iter().enumerate() {
            nulls[index / 8] |= u8::from(value.is_none()) << (index % 8);
        }
        packet.extend_from_slice(&nulls);
        packet.push(1);
        for (column_type, unsigned, _) in parameters {
            packet.extend_from_slice(&[*column_type as u8, if *unsigned { 0x80 } else { 0 }]);
        }
        for (_, _, value) in parameters {
            packet.extend_from_slice(value.unwrap_or_default());
        }
        packet
    }

    fn fill(text: &str, packet: &[u8]) -> Result<String, Failure> {
        let execute = Execute::parse(packet).ok_or_else(malformed)?;
        execute.fill(&Template::new(text), &mut Vec::new(), Charset::Utf8mb4, |_| None)
    }

    fn check(column_type: ColumnType, unsigned: bool, value: &[u8], expected: &str) {
        let filled = fill("?", &packet(&[(column_type, unsigned, Some(value))]));
        assert_eq!(filled.as_deref(), Ok(expected));
    }

    #[test]
    fn values_become_literals() {
        use ColumnType as T;
        check(T::MYSQL_TYPE_TINY, false, &[0xff], "-1");
        check(T::MYSQL_TYPE_TINY, true, &[0xff], "255");
        check(T::MYSQL_TYPE_SHORT, false, &[0, 0x80], "-32768");
        check(T::MYSQL_TYPE_LONG, false, &[7, 0, 0, 0], "7");
        check(T::MYSQL_TYPE_LONGLONG, true, &[0xff; 8], "18446744073709551615");
        check(T::MYSQL_TYPE_FLOAT, false, &0.1_f32.to_le_bytes(), "1e-1");
        check(T::MYSQL_TYPE_DOUBLE, false, &12.5_f64.to_le_bytes(), "1.25e1");
        check(T::MYSQL_TYPE_NEWDECIMAL, false, b"\x05-1.50", "-1.50");
        check(T::MYSQL_TYPE_NEWDECIMAL, false, b"\x041; x", "'1; x'");
        check(T::MYSQL_TYPE_VAR_STRING, false, b"\x06it's\\\"", "'it''s\\\\\"'");
        check(T::MYSQL_TYPE_STRING, false, b"\x02\xff\x00", "x'ff00'");
        check(T::MYSQL_TYPE_BLOB, false, b"\x02ab", "x'6162'");
        check(T::MYSQL_TYPE_DATE, false, &[4, 0xea, 7, 11, 22], "'2026-11-22'");
        check(T::MYSQL_TYPE_DATE, false, &[0], "'0000-00-00'");
        let noon = [7, 0xea, 7, 11, 22, 12, 0, 1];
        check(T::MYSQL_TYPE_DATETIME, false, &noon, "'2026-11-22 12:00:01'");
        let fraction = [11, 0xea, 7, 11, 22, 12, 0, 1, 1, 0, 0, 0];
        check(T::MYSQL_TYPE_TIMESTAMP, false, &fraction, "'2026-11-22 12:00:01.000001'");
        check(T::MYSQL_TYPE_TIME, false, &[8, 1, 1, 0, 0, 0, 2, 3, 4], "'-26:03:04'");
        check(T::MYSQL_TYPE_NULL, false, b"", "NULL");
    }

    #[test]
    fn texts_are_in_the_clients_character_set() {
        let packet = packet(&[(ColumnType::MYSQL_TYPE_VAR_STRING, false, Some(b"\x02\xd6\xd0"))]);
        let filled = |client| {
            let (template, mut types) = (Template::new("?"), Vec::new());
            Execute::parse(&packet).unwrap().fill(&template, &mut types, client, |_| None)
        };
        assert_eq!(filled(Charset::Gbk).as_deref(), Ok("'中'"));
        assert_eq!(filled(Charset::Latin1).as_deref(), Ok("'ÖÐ'"));
        assert_eq!(filled(Charset::Utf8mb4).as_deref(), Ok("x'd6d0'"));
    }

    #[test]
    fn limits_take_any_whole_number() {
        let limit = |column_type, value: &[u8]| {
            fill("limit ?", &packet(&[(column_type, false, Some(value))]))
        };
        let five = Ok("limit 5".to_owned());
        assert_eq!(limit(ColumnType::MYSQL_TYPE_LONGLONG, &5_u64.to_le_bytes()), five);
        assert_eq!(limit(ColumnType::MYSQL_TYPE_DOUBLE, &5_f64.to_le_bytes()), five);
        assert_eq!(limit(ColumnType::MYSQL_TYPE_VAR_STRING, b"\x015"), five);
        for (column_type, value) in [
            (ColumnType::MYSQL_TYPE_DOUBLE, &5.5_f64.to_le_bytes()[..]),
            (ColumnType::MYSQL_TYPE_DOUBLE, &f64::NAN.to_le_bytes()),
            (ColumnType::MYSQL_TYPE_LONGLONG, &(-5_i64).to_le_bytes()),
            (ColumnType::MYSQL_TYPE_VAR_STRING, b"\x025;"),
        ] {
            assert_eq!(limit(column_type, value), Err(malformed()));
        }
    }

    #[test]
    fn types_are_remembered_and_long_data_goes_first() {
        let (mut types, template) = (Vec::new(), Template::new("?, ?"));
        let first = packet(&[
            (ColumnType::MYSQL_TYPE_LONG, false, Some(&[1, 0, 0, 0])),
            (ColumnType::MYSQL_TYPE_BLOB, false, None),
        ]);
        let filled =
            Execute::parse(&first).unwrap().fill(&template, &mut types, Charset::Utf8mb4, |_| None);
        assert_eq!(filled.unwrap(), "1, NULL");
        let again = [&[1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0][..], &[2, 0, 0, 0]].concat();
        let execute = Execute::parse(&again).unwrap();
        assert!(execute.cursor);
        let long = |index| (index == 1).then_some(&b"ab"[..]);
        assert_eq!(execute.fill(&template, &mut types, Charset::Utf8mb4, long).unwrap(), "2, 'ab'");
    }

    #[test]
    fn malformed_packets_are_refused() {
        let good = packet(&[
            (ColumnType::MYSQL_TYPE_LONG, false, Some(&[1, 0, 0, 0])),
            (ColumnType::MYSQL_TYPE_VAR_STRING, false, Some(b"\x03abc")),
            (ColumnType::MYSQL_TYPE_TIME, false, Some(&[8, 0, 0, 0, 0, 0, 1, 2, 3])),
        ]);
        assert!(fill("?,?,?", &good).is_ok());
        for cut in 0..good.len() {
            assert_eq!(fill("?,?,?", &good[..cut]), Err(malformed()), "cut at {cut}");
        }
        assert_eq!(fill("?,?,?", &[&good[..], b"x"].concat()), Err(malformed()), "too long");
        assert_eq!(fill("?,?,?,?", &good), Err(malformed()), "too few");
        assert_eq!(fill("?", &[1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0]), Err(malformed()), "no types");
        assert_eq!(fill("", &[1, 0, 0, 0, 2, 1, 0, 0, 0]), Err(malformed()), "another cursor");
        assert_eq!(fill("", &[1, 0, 0, 0, 0, 2, 0, 0, 0]), Err(malformed()), "two iterations");
        for (column_type, value) in [
            (ColumnType::MYSQL_TYPE_DATE, &[5, 0, 0, 0, 0, 0][..]),
            (ColumnType::MYSQL_TYPE_DATE, &[4, 0xea, 7, 13, 1]),
            (ColumnType::MYSQL_TYPE_TIME, &[8, 0, 35, 0, 0, 0, 1, 2, 3]),
            (ColumnType::MYSQL_TYPE_TIME, &[8, 0, 0, 0, 0, 0, 1, 60, 3]),
            (ColumnType::MYSQL_TYPE_DOUBLE, &f64::INFINITY.to_le_bytes()),
        ] {
            let found = fill("?", &packet(&[(column_type, false, Some(value))]));
            assert_eq!(found, Err(malformed()), "{value:?}");
        }
    }
}
