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
    /// `None` for what is the same in both protocols: the text itself, behind its length.
    forms: Box<[Option<Form>]>,
    /// How a row without NULLs begins.
    head: Box<[u8]>,
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
    /// A whole number of one byte.
    Tiny,
    /// Of two.
    Short,
    /// Of four.
    Long,
    /// Of eight.
    LongLong,
    Float,
    Double,
    /// A date, maybe with a time of day.
    DateTime,
    /// A time span.
    Time,
}

impl Form {
    fn of(column_type: ColumnType) -> Option<Self> {
        use ColumnType as T;
        Some(match column_type {
            T::MYSQL_TYPE_TINY => Self::Tiny,
            T::MYSQL_TYPE_SHORT | T::MYSQL_TYPE_YEAR => Self::Short,
            T::MYSQL_TYPE_LONG | T::MYSQL_TYPE_INT24 => Self::Long,
            T::MYSQL_TYPE_LONGLONG => Self::LongLong,
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
            | T::MYSQL_TYPE_GEOMETRY => return None,
        })
    }
}

impl BinaryRow {
    /// Rows of these columns.
    pub fn new(columns: &[ColumnDefinition]) -> Self {
        let nulls = (columns.len() + NULLS_OFFSET).div_ceil(8);
        Self {
            forms: columns.iter().map(|column| Form::of(column.wire_type)).collect(),
            head: vec![0; 1 + nulls].into(),
        }
    }

    /// Begins a row at the end of `out`.
    pub fn begin<'a>(&'a self, out: &'a mut Vec<u8>) -> BinaryCells<'a> {
        let nulls_at = out.len() + 1;
        out.extend_from_slice(&self.head);
        BinaryCells { forms: &self.forms, out, nulls_at, column: 0, wrong: None }
    }
}

/// A row that is being written.
#[derive(Debug)]
pub struct BinaryCells<'a> {
    forms: &'a [Option<Form>],
    out: &'a mut Vec<u8>,
    nulls_at: usize,
    /// The next column.
    column: usize,
    wrong: Option<CellError>,
}

impl BinaryCells<'_> {
    /// Appends the next cells of the row, which are texts one behind the other.
    pub fn push(&mut self, cells: &[u8]) {
        if self.wrong.is_some() {
            return;
        }
        if self.try_push(cells).is_none() {
            self.wrong = Some(CellError { column: self.column });
        }
    }

    /// Appends the next cell, of a column whose cells are the same in both protocols.
    #[inline]
    pub fn push_text(&mut self, cell: &[u8]) {
        self.out.extend_from_slice(cell);
        self.column += 1;
    }

    /// The same for a cell that `push` appends with its length.
    pub fn push_text_with(&mut self, push: impl FnOnce(&mut Vec<u8>)) {
        push(self.out);
        self.column += 1;
    }

    /// Ends the row: whether it has a cell of its type for each column.
    pub fn finish(self) -> Result<(), CellError> {
        let missing = self.column < self.forms.len();
        let wrong = self.wrong.or(missing.then_some(CellError { column: self.column }));
        wrong.map_or(Ok(()), Err)
    }

    fn try_push(&mut self, cells: &[u8]) -> Option<()> {
        let forms = self.forms.get(self.column..)?;
        // Cells that go as they are do so together: they begin at `same`, and end at `at` at least.
        let (mut same, mut at) = (0, 0);
        for form in forms {
            let Some(&first) = cells.get(at) else { break };
            let (start, end) = match usize::from(first) {
                length @ ..NULL => (at + 1, at + 1 + length),
                NULL => (at + 1, at + 1),
                _ => long_cell(cells, at)?,
            };
            let cell = cells.get(start..end)?;
            if form.is_some() || usize::from(first) == NULL {
                if same < at {
                    self.out.extend_from_slice(&cells[same..at]);
                }
                match form {
                    Some(form) if usize::from(first) != NULL => {
                        form.push(self.out, cell, &cells[start..])?;
                    }
                    _ => self.set_null()?,
                }
                same = end;
            }
            at = end;
            self.column += 1;
        }
        self.out.extend_from_slice(&cells[same..at]);
        (at == cells.len()).then_some(())
    }

    fn set_null(&mut self) -> Option<()> {
        let bit = self.column + NULLS_OFFSET;
        *self.out.get_mut(self.nulls_at + bit / 8)? |= 1 << (bit % 8);
        Some(())
    }
}

/// Where a cell's text begins and ends whose length is not in its first byte.
#[cold]
fn long_cell(cells: &[u8], at: usize) -> Option<(usize, usize)> {
    let (cell, behind) = split_cell(cells.get(at..)?)?;
    let end = cells.len() - behind.len();
    Some((end - cell?.len(), end))
}

impl Form {
    /// Appends a cell; nothing if the text is not of this form. `readable` begins with the cell, and
    /// may go on behind it: what is read in one go may then be longer than the cell.
    fn push(self, out: &mut Vec<u8>, cell: &[u8], readable: &[u8]) -> Option<()> {
        match self {
            Self::Tiny => {
                let [byte, ..] = integer(cell, readable)?;
                out.push(byte);
            }
            Self::Short => {
                let [a, b, ..] = integer(cell, readable)?;
                out.extend_from_slice(&[a, b]);
            }
            Self::Long => {
                let [a, b, c, d, ..] = integer(cell, readable)?;
                out.extend_from_slice(&[a, b, c, d]);
            }
            Self::LongLong => out.extend_from_slice(&integer(cell, readable)?),
            Self::Float => out.extend_from_slice(&number::<f32>(cell)?.to_le_bytes()),
            Self::Double => out.extend_from_slice(&number::<f64>(cell)?.to_le_bytes()),
            Self::DateTime => push_date_time(out, cell)?,
            Self::Time => push_time(out, cell)?,
        }
        Some(())
    }
}

/// A whole number in two's complement, whatever its sign and width.
#[inline]
fn integer(text: &[u8], readable: &[u8]) -> Option<[u8; 8]> {
    let short = (1..=8).contains(&text.len());
    if let (true, Some(word)) = (short, readable.first_chunk())
        && let Some(value) = digits(u64::from_le_bytes(*word), text.len())
    {
        return Some(value.to_le_bytes());
    }
    let value = match text.strip_prefix(b"-") {
        Some(digits) => unsigned(digits)?.wrapping_neg(),
        None => unsigned(text)?,
    };
    Some(value.to_le_bytes())
}

/// Digits by portions of eight, the first one maybe of fewer.
fn unsigned(text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    let (first, rest) = text.split_at(text.len() % 8);
    let first = if first.is_empty() { 0 } else { digits(load(first), first.len())? };
    rest.chunks_exact(8).try_fold(first, |value, eight| {
        value.checked_mul(EIGHT_DIGITS)?.checked_add(digits(load(eight), 8)?)
    })
}

/// The number whose `count` digits, 1 to 8, `word` begins with.
#[inline]
fn digits(word: u64, count: usize) -> Option<u64> {
    let digits = (word ^ ZEROS) << (64 - 8 * count);
    if (digits | digits.wrapping_add(ABOVE_NINE)) & HIGHEST_BITS != 0 {
        return None;
    }
    // The first digit is in the lowest byte: join neighbours, then their neighbours.
    let pairs = (digits * 10 + (digits >> 8)) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs * 100 + (pairs >> 16)) & 0x0000_ffff_0000_ffff;
    Some((fours * 10_000 + (fours >> 32)) & 0xffff_ffff)
}

/// The first eight bytes; zeros where there are fewer.
fn load(bytes: &[u8]) -> u64 {
    if let Some(word) = bytes.first_chunk() {
        return u64::from_le_bytes(*word);
    }
    let mut word = [0; 8];
    word[..bytes.len()].copy_from_slice(bytes);
    u64::from_le_bytes(word)
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
    let [a, b] = u16::try_from(year).ok()?.to_le_bytes();
    let [month, day] = [small(month)?, small(day)?];
    let [hour, minute, second] = [small(hour)?, small(minute)?, small(second)?];
    if micros > 0 {
        let [e, f, g, h] = micros.to_le_bytes();
        out.extend_from_slice(&[11, a, b, month, day, hour, minute, second, e, f, g, h]);
    } else if [hour, minute, second] != [0; 3] {
        out.extend_from_slice(&[7, a, b, month, day, hour, minute, second]);
    } else if [a, b, month, day] != [0; 4] {
        out.extend_from_slice(&[4, a, b, month, day]);
    } else {
        out.push(0);
    }
    Some(())
}

/// `2026-11-22 13:45:00`, the form that most have, in one go: date and time.
fn whole_seconds(text: &[u8]) -> Option<([u32; 3], [u32; 3])> {
    let text: &[u8; 19] = text.try_into().ok()?;
    let [century, _, year, _, _, month, ..] = pairs(text, 0, *b"0000-00-")?;
    let [day, _, _, hour, ..] = pairs(text, 8, *b"00 00:00")?;
    let [_, _, _, minute, _, _, second, _] = pairs(text, 11, *b"00:00:00")?;
    let year = u32::from(century) * 100 + u32::from(year);
    Some(([year, month.into(), day.into()], [hour.into(), minute.into(), second.into()]))
}

/// Eight bytes of a text that have the shape of `pattern`: digits where that has zeros, and else the
/// same. Each byte comes back as the number that it makes as a ten with the one behind it.
fn pairs(text: &[u8; 19], at: usize, pattern: [u8; 8]) -> Option<[u8; 8]> {
    let word = load(&text[at..]) ^ u64::from_le_bytes(pattern);
    // What may be above a byte's highest bit: 9 for a digit, nothing for what is to be the same.
    let limits = pattern.map(|byte| if byte == b'0' { 0x76 } else { 0x7f });
    if (word | word.wrapping_add(u64::from_le_bytes(limits))) & HIGHEST_BITS != 0 {
        return None;
    }
    Some((word * 10 + (word >> 8)).to_le_bytes())
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

/// What stands in place of a NULL's length; shorter cells have their length there.
const NULL: usize = 0xfb;
/// Eight times the digit 0.
const ZEROS: u64 = 0x3030_3030_3030_3030;
/// Added to eight digits, it sets the highest bit of the first byte that is above 9.
const ABOVE_NINE: u64 = 0x7676_7676_7676_7676;
const HIGHEST_BITS: u64 = 0x8080_8080_8080_8080;
const EIGHT_DIGITS: u64 = 100_000_000;
/// The bitmap's first bits stand for nothing.
const NULLS_OFFSET: usize = 2;

#[cfg(test)]
mod tests {
    use super::super::wire::Fields;
    use super::*;
    use crate::event::row::{push_cell, push_null};

    fn encode(columns: &[ColumnDefinition], cells: &[u8]) -> Result<Vec<u8>, CellError> {
        let (form, mut out) = (BinaryRow::new(columns), Vec::new());
        let mut row = form.begin(&mut out);
        row.push(cells);
        row.finish().map(|()| out)
    }

    fn column(wire_type: ColumnType) -> ColumnDefinition {
        ColumnDefinition { wire_type, ..ColumnDefinition::integer("c") }
    }

    fn check(wire_type: ColumnType, text: &str, expected: &[u8]) {
        let mut cells = Vec::new();
        push_cell(&mut cells, text.as_bytes());
        let row = encode(&[column(wire_type)], &cells).unwrap();
        assert_eq!(row[..2], [0, 0], "{text} is no NULL");
        assert_eq!(&row[2..], expected, "{text}");
        // What is behind a cell is not looked at.
        push_cell(&mut cells, b"123456789");
        let columns = [column(wire_type), column(ColumnType::MYSQL_TYPE_STRING)];
        let row = encode(&columns, &cells).unwrap();
        assert_eq!(row[2..], [expected, b"\x09123456789"].concat(), "{text}");
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
        let row = encode(&columns, &cells).unwrap();
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
            (ColumnType::MYSQL_TYPE_LONGLONG, "12:4"),
            (ColumnType::MYSQL_TYPE_LONGLONG, "1\u{b1}2"),
            (ColumnType::MYSQL_TYPE_LONGLONG, "-"),
            (ColumnType::MYSQL_TYPE_LONGLONG, "123456789:12345678"),
            (ColumnType::MYSQL_TYPE_DATETIME, "2026-11-2x 12:00:01"),
            (ColumnType::MYSQL_TYPE_DATETIME, "2026:11-22 12:00:01"),
            (ColumnType::MYSQL_TYPE_DATETIME, "2026-11-22 12:00-01"),
            (ColumnType::MYSQL_TYPE_DATETIME, "2026-11-22 1\u{b2}:00:0"),
            (ColumnType::MYSQL_TYPE_DATE, "2026-11"),
            (ColumnType::MYSQL_TYPE_TIME, "1:2"),
            (ColumnType::MYSQL_TYPE_TIME, "1:2:3.1234567"),
        ] {
            let mut cells = Vec::new();
            push_cell(&mut cells, text.as_bytes());
            let encoded = encode(&[column(wire_type)], &cells);
            assert_eq!(encoded, Err(CellError { column: 0 }), "{text}");
        }
    }

    /// A column and a cell of it, made of what is random.
    fn random_cell(kind: u8, number: u64, bytes: &[u8]) -> (ColumnDefinition, Vec<u8>) {
        use ColumnType as T;
        let [a, b, c, d, e, f, ..] = number.to_le_bytes();
        let decimals = [0, 3, 6][usize::from(a % 3)];
        let fraction = match decimals {
            0 => String::new(),
            3 => format!(".{:03}", number % 1_000),
            _ => format!(".{:06}", number % 1_000_000),
        };
        let date = format!("{:04}-{:02}-{:02}", number % 10_000, b % 13, c % 32);
        let clock = format!("{:02}:{:02}{fraction}", e % 60, f % 60);
        let sign = if b % 2 == 0 { "-" } else { "" };
        let (wire_type, text) = match kind % 16 {
            0 => (T::MYSQL_TYPE_TINY, i8::from_le_bytes([a]).to_string()),
            1 => (T::MYSQL_TYPE_SHORT, i16::from_le_bytes([a, b]).to_string()),
            2 => (T::MYSQL_TYPE_INT24, i32::from_le_bytes([a, b, c, 0]).to_string()),
            3 => (T::MYSQL_TYPE_LONG, i32::from_le_bytes([a, b, c, d]).to_string()),
            4 => (T::MYSQL_TYPE_LONGLONG, number.cast_signed().to_string()),
            5 => (T::MYSQL_TYPE_LONGLONG, (number >> (e % 64)).cast_signed().to_string()),
            6 => (T::MYSQL_TYPE_FLOAT, f32::from_le_bytes([a, b, c, d & 0x3f]).to_string()),
            7 => (T::MYSQL_TYPE_DOUBLE, f64::from_bits(number & 0x3fff_ffff_ffff_ffff).to_string()),
            8 => (T::MYSQL_TYPE_DATE, date),
            9 => (T::MYSQL_TYPE_DATETIME, format!("{date} {:02}:{clock}", d % 24)),
            10 => (
                T::MYSQL_TYPE_TIMESTAMP,
                format!(
                    "{date} 00:00:00{}",
                    fraction.replace(|digit: char| digit.is_ascii_digit(), "0")
                ),
            ),
            11 => (T::MYSQL_TYPE_TIME, format!("{sign}{:02}:{clock}", number % 839)),
            12 => (T::MYSQL_TYPE_YEAR, (1901 + number % 255).to_string()),
            13 => (T::MYSQL_TYPE_NEWDECIMAL, format!("{sign}{}.{:02}", number >> 8, a % 100)),
            _ => {
                let types = [T::MYSQL_TYPE_VAR_STRING, T::MYSQL_TYPE_GEOMETRY, T::MYSQL_TYPE_BIT];
                let long = bytes.repeat(if a < 8 { 1 << (a + 5) } else { 1 });
                return (column(types[usize::from(b % 3)]), long);
            }
        };
        (ColumnDefinition { decimals, ..column(wire_type) }, text.into_bytes())
    }

    /// Reads a cell as a client does, and prints it.
    #[allow(clippy::wildcard_enum_match_arm, reason = "all other types are bytes")]
    fn read_cell(fields: &mut Fields<'_>, column: &ColumnDefinition) -> Option<Vec<u8>> {
        use ColumnType as T;
        let text = match column.wire_type {
            T::MYSQL_TYPE_TINY => i8::from_le_bytes([fields.byte()?]).to_string(),
            T::MYSQL_TYPE_SHORT => fields.u16()?.cast_signed().to_string(),
            T::MYSQL_TYPE_YEAR => fields.u16()?.to_string(),
            T::MYSQL_TYPE_LONG | T::MYSQL_TYPE_INT24 => fields.u32()?.cast_signed().to_string(),
            T::MYSQL_TYPE_LONGLONG => {
                i64::from_le_bytes(fields.take(8)?.try_into().unwrap()).to_string()
            }
            T::MYSQL_TYPE_FLOAT => f32::from_bits(fields.u32()?).to_string(),
            T::MYSQL_TYPE_DOUBLE => {
                f64::from_le_bytes(fields.take(8)?.try_into().unwrap()).to_string()
            }
            T::MYSQL_TYPE_DATE | T::MYSQL_TYPE_DATETIME | T::MYSQL_TYPE_TIMESTAMP => {
                let mut value = Fields::new(fields.cell()?);
                let mut two = || value.byte().unwrap_or(0);
                let year = u16::from_le_bytes([two(), two()]);
                let date = format!("{year:04}-{:02}-{:02}", two(), two());
                let clock = format!("{:02}:{:02}:{:02}", two(), two(), two());
                if column.wire_type == T::MYSQL_TYPE_DATE {
                    date
                } else {
                    format!("{date} {clock}{}", read_fraction(&mut value, column.decimals))
                }
            }
            T::MYSQL_TYPE_TIME => {
                let mut value = Fields::new(fields.cell()?);
                let sign = if value.byte() == Some(1) { "-" } else { "" };
                let hours = 24 * value.u32().unwrap_or(0);
                let mut two = || u32::from(value.byte().unwrap_or(0));
                let clock = format!("{:02}:{:02}:{:02}", hours + two(), two(), two());
                format!("{sign}{clock}{}", read_fraction(&mut value, column.decimals))
            }
            _ => return fields.cell().map(<[u8]>::to_vec),
        };
        Some(text.into_bytes())
    }

    fn read_fraction(value: &mut Fields<'_>, decimals: u8) -> String {
        let micros = format!(".{:06}", value.u32().unwrap_or(0));
        if decimals == 0 { String::new() } else { micros[..=usize::from(decimals)].to_owned() }
    }

    #[test]
    fn random_rows_are_read_as_they_were() {
        bolero::check!()
            .with_iterations(2_000)
            .with_type::<Vec<(u8, u64, Vec<u8>, bool)>>()
            .for_each(|cells| {
                let cells = cells.iter().map(|(kind, number, bytes, null)| {
                    let (column, text) = random_cell(*kind, *number, bytes);
                    (column, (!null || *kind > 127).then_some(text))
                });
                let (columns, cells): (Vec<_>, Vec<_>) = cells.unzip();
                let mut text = Vec::new();
                for cell in &cells {
                    match cell {
                        Some(cell) => push_cell(&mut text, cell),
                        None => push_null(&mut text),
                    }
                }
                let row = encode(&columns, &text).unwrap();
                let mut fields = Fields::new(&row);
                assert_eq!(fields.byte(), Some(0));
                let nulls = fields.take((columns.len() + 2).div_ceil(8)).unwrap();
                for (index, (column, cell)) in columns.iter().zip(&cells).enumerate() {
                    let is_null = nulls[(index + 2) / 8] >> ((index + 2) % 8) & 1 == 1;
                    let read = (!is_null).then(|| read_cell(&mut fields, column).unwrap());
                    // Nothing tells a negative nothing from nothing.
                    let zero = |cell: &Vec<u8>| cell.iter().all(|byte| b"-0:.".contains(byte));
                    let same = read == *cell
                        || read.as_ref().is_some_and(zero) && cell.as_ref().is_some_and(zero);
                    assert!(same, "{read:?} is not {cell:?} of {column:?}");
                }
                assert!(fields.is_empty());
            });
    }
}
