//! Rows as a server sends them -> cells that read the same as those of changes.
//!
//! A row of texts is its cells already. Approximate numbers are the exception: a server's text of a
//! FLOAT has six digits, of however many the log has. Rows with any come in the binary protocol and
//! are printed by the formatters of changes.

use mysql_async::Column as Sent;
use mysql_async::consts::{ColumnFlags, ColumnType as SentType};

use crate::event::print::{self, Clock, Day};
use crate::event::row::{push_cell, push_null, split_cell, split_cells};
use crate::event::{Column, ColumnType, TableSchema};
use crate::source::SourceError;
use crate::source::mysql::decode;

/// How the rows of a table are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Text,
    Binary,
}

impl Form {
    /// The form in which nothing of the table's values is lost.
    pub fn of(schema: &TableSchema) -> Self {
        let is_approximate = |column: &Column| {
            matches!(column.column_type, ColumnType::Float { .. } | ColumnType::Double { .. })
        };
        match schema.columns.iter().any(is_approximate) {
            true => Self::Binary,
            false => Self::Text,
        }
    }
}

/// How to print the rows of one statement.
#[derive(Debug)]
pub(super) enum Printer {
    /// Rows of so many texts.
    Text { columns: usize },
    /// Binary rows.
    Binary { columns: Vec<CellPrinter> },
}

/// A row, or a value in it, that is none of its table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the server sent a value that is none of the column's type")]
pub(super) struct Misfit {
    /// Where it shows; behind the last column if there are more.
    pub column: usize,
}

impl Misfit {
    /// The same of a table's copy.
    pub fn in_table(self, schema: &TableSchema) -> SourceError {
        let context = match schema.columns.get(self.column) {
            Some(column) => format!("read column {} of {}", column.name, schema.name),
            None => format!("read more columns than {} has", schema.name),
        };
        SourceError::Corrupt { context, source: Some(Box::new(self)) }
    }
}

impl Printer {
    /// For rows of a table, sent as the server says of each column.
    pub fn new(form: Form, schema: &TableSchema, sent: &[Sent]) -> Result<Self, Misfit> {
        let columns = schema.columns.len();
        if columns != sent.len() {
            return Err(Misfit { column: columns.min(sent.len()) });
        }
        if form == Form::Text {
            return Ok(Self::Text { columns });
        }
        let pairs = schema.columns.iter().zip(sent).enumerate();
        let columns = pairs.map(|(column, (definition, sent))| {
            CellPrinter::new(definition, sent).ok_or(Misfit { column })
        });
        Ok(Self::Binary { columns: columns.collect::<Result<_, _>>()? })
    }

    /// Appends a row's cells. Where it fails, what was appended is of no use.
    pub fn print(&self, packet: &[u8], out: &mut Vec<u8>) -> Result<(), Misfit> {
        match self {
            Self::Text { columns } => {
                check_cells(packet, *columns)?;
                out.extend_from_slice(packet);
                Ok(())
            }
            Self::Binary { columns } => print_binary(columns, packet, out),
        }
    }
}

/// A row that is not what was told would be taken apart wrongly from there on.
fn check_cells(packet: &[u8], columns: usize) -> Result<(), Misfit> {
    match split_cells(packet, columns) {
        Ok((_, [])) => Ok(()),
        Ok(_) => Err(Misfit { column: columns }),
        Err(column) => Err(Misfit { column }),
    }
}

fn print_binary(columns: &[CellPrinter], packet: &[u8], out: &mut Vec<u8>) -> Result<(), Misfit> {
    let nulls_bytes = (columns.len() + NULLS_OFFSET).div_ceil(8);
    let body = packet.split_first().and_then(|(_, body)| body.split_at_checked(nulls_bytes));
    let (nulls, mut rest) = body.ok_or(Misfit { column: 0 })?;
    for (column, printer) in columns.iter().enumerate() {
        let bit = column + NULLS_OFFSET;
        if nulls.get(bit / 8).is_some_and(|byte| byte >> (bit % 8) & 1 == 1) {
            push_null(out);
        } else {
            rest = printer.print(rest, out).ok_or(Misfit { column })?;
        }
    }
    match rest.is_empty() {
        true => Ok(()),
        false => Err(Misfit { column: columns.len() }),
    }
}

/// How the values of one column come, and how they are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CellPrinter {
    /// A whole number, with zeros before it up to a width.
    Whole {
        form: Whole,
        width: Option<u8>,
    },
    Year,
    Float,
    Double,
    Date,
    DateTime {
        fsp: u8,
    },
    Time {
        fsp: u8,
    },
    /// What the server sends as the column's own bytes.
    Bytes,
}

/// How whole numbers come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Whole {
    bytes: u8,
    is_unsigned: bool,
}

impl CellPrinter {
    /// Nothing if values that come like this are none of the column.
    fn new(column: &Column, sent: &Sent) -> Option<Self> {
        let sent_type = sent.column_type();
        let is = |wanted: &[SentType]| wanted.contains(&sent_type);
        let (printer, is_so) = match column.column_type {
            ColumnType::Int { .. } => {
                let is_unsigned = sent.flags().contains(ColumnFlags::UNSIGNED_FLAG);
                let form = Whole { bytes: whole_bytes(sent_type)?, is_unsigned };
                (Self::Whole { form, width: decode::zerofill(&column.declared) }, true)
            }
            ColumnType::Year => (Self::Year, is(&[SentType::MYSQL_TYPE_YEAR])),
            ColumnType::Float { .. } => (Self::Float, is(&[SentType::MYSQL_TYPE_FLOAT])),
            ColumnType::Double { .. } => (Self::Double, is(&[SentType::MYSQL_TYPE_DOUBLE])),
            ColumnType::Date => (Self::Date, is(&[SentType::MYSQL_TYPE_DATE])),
            ColumnType::DateTime { fsp } => {
                (Self::DateTime { fsp }, is(&[SentType::MYSQL_TYPE_DATETIME]))
            }
            ColumnType::Timestamp { fsp } => {
                (Self::DateTime { fsp }, is(&[SentType::MYSQL_TYPE_TIMESTAMP]))
            }
            ColumnType::Time { fsp } => (Self::Time { fsp }, is(&[SentType::MYSQL_TYPE_TIME])),
            ColumnType::Decimal { .. }
            | ColumnType::Bit { .. }
            | ColumnType::Char { .. }
            | ColumnType::VarChar { .. }
            | ColumnType::Text { .. }
            | ColumnType::Enum { .. }
            | ColumnType::Set { .. }
            | ColumnType::Json
            | ColumnType::Geometry
            | ColumnType::Vector { .. }
            | ColumnType::Uuid
            | ColumnType::Inet4
            | ColumnType::Inet6 => (Self::Bytes, !is(WITHOUT_LENGTH)),
        };
        is_so.then_some(printer)
    }

    /// Appends the first value as a cell; what is behind it, or nothing if it is none of the
    /// column's.
    fn print<'a>(self, packet: &'a [u8], out: &mut Vec<u8>) -> Option<&'a [u8]> {
        match self {
            Self::Whole { form, width } => {
                let (negative, number, rest) = form.split(packet)?;
                match width {
                    None => print::whole_cell(negative, number, out),
                    Some(_) if negative => return None,
                    Some(width) => print::short_cell(out, |out| {
                        print::padded(number, width.into(), out);
                    }),
                }
                Some(rest)
            }
            Self::Year => {
                let (year, rest) = packet.split_first_chunk()?;
                let year = u16::from_le_bytes(*year);
                print::short_cell(out, |out| print::padded(year.into(), 4, out));
                Some(rest)
            }
            Self::Float => {
                let (number, rest) = packet.split_first_chunk()?;
                let number = f64::from(f32::from_le_bytes(*number));
                print::short_cell(out, |out| print::float(number, true, out));
                Some(rest)
            }
            Self::Double => {
                let (number, rest) = packet.split_first_chunk()?;
                let number = f64::from_le_bytes(*number);
                print::short_cell(out, |out| print::float(number, false, out));
                Some(rest)
            }
            Self::Date => {
                let (day, _, rest) = split_moment(packet)?;
                print::short_cell(out, |out| print::date(day, out));
                Some(rest)
            }
            Self::DateTime { fsp } => {
                let (day, clock, rest) = split_moment(packet)?;
                print::short_cell(out, |out| print::date_time(day, clock, fsp, out));
                Some(rest)
            }
            Self::Time { fsp } => {
                let (negative, clock, rest) = split_time(packet)?;
                print::short_cell(out, |out| print::time(negative, clock, fsp, out));
                Some(rest)
            }
            Self::Bytes => {
                let (cell, rest) = split_cell(packet)?;
                push_cell(out, cell?);
                Some(rest)
            }
        }
    }
}

impl Whole {
    /// Whether the first number is below zero, how far it is from there, and what is behind it.
    #[inline]
    fn split(self, packet: &[u8]) -> Option<(bool, u64, &[u8])> {
        let (bytes, rest) = packet.split_at_checked(self.bytes.into())?;
        let mut number = [0; 8];
        number.get_mut(..bytes.len())?.copy_from_slice(bytes);
        let number = u64::from_le_bytes(number);
        if self.is_unsigned {
            return Some((false, number, rest));
        }
        // The sign stands in the highest bit of the number's own bytes.
        let unused = 64 - 8 * u32::from(self.bytes);
        let number = (number << unused).cast_signed() >> unused;
        Some((number < 0, number.unsigned_abs(), rest))
    }
}

const fn whole_bytes(sent: SentType) -> Option<u8> {
    match sent {
        SentType::MYSQL_TYPE_TINY => Some(1),
        SentType::MYSQL_TYPE_SHORT => Some(2),
        SentType::MYSQL_TYPE_LONG | SentType::MYSQL_TYPE_INT24 => Some(4),
        SentType::MYSQL_TYPE_LONGLONG => Some(8),
        _ => None,
    }
}

/// Splits a day and a time of that day off; parts that are left out are zero.
fn split_moment(packet: &[u8]) -> Option<(Day, Clock, &[u8])> {
    let (length, rest) = packet.split_first()?;
    let (sent, rest) = rest.split_at_checked((*length).into())?;
    let mut whole = [0; 11];
    whole.get_mut(..sent.len())?.copy_from_slice(sent);
    let [y, z, month, day, hour, minute, second, micros @ ..] = whole;
    let day = Day { year: u16::from_le_bytes([y, z]).into(), month: month.into(), day: day.into() };
    Some((day, clock([hour, minute, second], micros, 0), rest))
}

/// Splits a span of time off, and whether it is below zero.
fn split_time(packet: &[u8]) -> Option<(bool, Clock, &[u8])> {
    let (length, rest) = packet.split_first()?;
    let (sent, rest) = rest.split_at_checked((*length).into())?;
    let mut whole = [0; 12];
    whole.get_mut(..sent.len())?.copy_from_slice(sent);
    let [negative, a, b, c, d, hour, minute, second, micros @ ..] = whole;
    let days = u32::from_le_bytes([a, b, c, d]);
    Some((negative != 0, clock([hour, minute, second], micros, days), rest))
}

fn clock([hour, minute, second]: [u8; 3], micros: [u8; 4], days: u32) -> Clock {
    let hour = days.saturating_mul(HOURS_OF_DAY).saturating_add(hour.into());
    let micros = u32::from_le_bytes(micros);
    Clock { hour, minute: minute.into(), second: second.into(), micros }
}

/// What comes without its length before it, or in another form than its text.
const WITHOUT_LENGTH: &[SentType] = &[
    SentType::MYSQL_TYPE_NULL,
    SentType::MYSQL_TYPE_TINY,
    SentType::MYSQL_TYPE_SHORT,
    SentType::MYSQL_TYPE_YEAR,
    SentType::MYSQL_TYPE_LONG,
    SentType::MYSQL_TYPE_INT24,
    SentType::MYSQL_TYPE_LONGLONG,
    SentType::MYSQL_TYPE_FLOAT,
    SentType::MYSQL_TYPE_DOUBLE,
    SentType::MYSQL_TYPE_DATE,
    SentType::MYSQL_TYPE_DATETIME,
    SentType::MYSQL_TYPE_TIMESTAMP,
    SentType::MYSQL_TYPE_TIME,
];
/// The first bits of a row's NULLs are no column's.
const NULLS_OFFSET: usize = 2;
const HOURS_OF_DAY: u32 = 24;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::row::Row;
    use crate::event::{Cell, CollationId, TableName};

    fn schema(columns: Vec<Column>) -> TableSchema {
        let name = TableName::new("ks", "t");
        TableSchema { name, columns, key: Vec::new(), key_is_primary: false }
    }

    fn column(column_type: ColumnType, declared: &str) -> Column {
        let column = Column::plain("c", column_type, CollationId::BINARY);
        Column { declared: declared.into(), ..column }
    }

    /// A row of one value, printed.
    fn print(column: &Column, sent: &Sent, value: &[u8]) -> Result<String, Misfit> {
        let printer =
            Printer::new(Form::Binary, &schema(vec![column.clone()]), std::slice::from_ref(sent))?;
        let mut out = Vec::new();
        printer.print(&[&[0, 0], value].concat(), &mut out)?;
        let cells: Vec<_> = Row::new(&out, None).cells().collect();
        let [Cell::Text(text)] = cells[..] else { panic!("{cells:?}") };
        Ok(String::from_utf8(text.to_vec()).unwrap())
    }

    #[track_caller]
    fn check(column_type: ColumnType, declared: &str, sent: SentType, value: &[u8], text: &str) {
        let column = column(column_type, declared);
        let flag = match declared.contains("unsigned") {
            true => ColumnFlags::UNSIGNED_FLAG,
            false => ColumnFlags::empty(),
        };
        let sent = Sent::new(sent).with_flags(flag);
        assert_eq!(print(&column, &sent, value).as_deref(), Ok(text));
        for end in 0..value.len() {
            assert_eq!(print(&column, &sent, &value[..end]), Err(Misfit { column: 0 }), "{end}");
        }
        let more = [value, &[0]].concat();
        assert_eq!(print(&column, &sent, &more), Err(Misfit { column: 1 }));
    }

    const fn int(bytes: u8, unsigned: bool) -> ColumnType {
        ColumnType::Int { bytes, unsigned }
    }

    #[test]
    fn whole_numbers_print_as_changes_do() {
        use SentType as Sent;
        let big = Sent::MYSQL_TYPE_LONGLONG;
        check(int(8, true), "bigint unsigned", big, &[0xff; 8], "18446744073709551615");
        check(int(8, false), "bigint", big, &i64::MIN.to_le_bytes(), "-9223372036854775808");
        let seven = 7_u64.to_le_bytes();
        check(int(8, true), "bigint(5) unsigned zerofill", big, &seven, "00007");
        check(int(4, false), "int", Sent::MYSQL_TYPE_LONG, &(-7_i32).to_le_bytes(), "-7");
        check(int(3, false), "mediumint", Sent::MYSQL_TYPE_INT24, &[1, 0, 0x80, 0xff], "-8388607");
        check(int(2, true), "smallint unsigned", Sent::MYSQL_TYPE_SHORT, &[0xff; 2], "65535");
        check(int(1, false), "tinyint", Sent::MYSQL_TYPE_TINY, &[0x80], "-128");
        check(ColumnType::Year, "year", Sent::MYSQL_TYPE_YEAR, &[0, 0], "0000");
    }

    #[test]
    fn fractions_and_times_print_as_changes_do() {
        use SentType as Sent;
        let float = ColumnType::Float { unsigned: false };
        let large = 16_777_216_f32.to_le_bytes();
        check(float, "float", Sent::MYSQL_TYPE_FLOAT, &large, "16777216");
        let double = ColumnType::Double { unsigned: false };
        check(double, "double", Sent::MYSQL_TYPE_DOUBLE, &0.1_f64.to_le_bytes(), "0.1");
        check(ColumnType::Date, "date", Sent::MYSQL_TYPE_DATE, &[0], "0000-00-00");
        check(
            ColumnType::DateTime { fsp: 2 },
            "datetime(2)",
            Sent::MYSQL_TYPE_DATETIME,
            &[4, 0xea, 0x07, 1, 2],
            "2026-01-02 00:00:00.00",
        );
        check(
            ColumnType::Timestamp { fsp: 3 },
            "timestamp(3)",
            Sent::MYSQL_TYPE_TIMESTAMP,
            &[11, 0xea, 0x07, 1, 2, 3, 4, 5, 0x60, 0xea, 0, 0],
            "2026-01-02 03:04:05.060",
        );
        let time = ColumnType::Time { fsp: 0 };
        let span = &[8, 1, 34, 0, 0, 0, 22, 59, 59];
        check(time.clone(), "time", Sent::MYSQL_TYPE_TIME, span, "-838:59:59");
        check(time, "time", Sent::MYSQL_TYPE_TIME, &[0], "00:00:00");
    }

    #[test]
    fn bytes_and_nulls_stay_what_they_are() {
        check(ColumnType::Json, "json", SentType::MYSQL_TYPE_JSON, b"\x03[1]", "[1]");
        let columns = (0..9).map(|_| column(ColumnType::Json, "json")).collect();
        let sent: Vec<_> = (0..9).map(|_| Sent::new(SentType::MYSQL_TYPE_BLOB)).collect();
        let printer = Printer::new(Form::Binary, &schema(columns), &sent).unwrap();
        let mut out = Vec::new();
        printer.print(b"\x00\xf8\x05\x01a\x01b", &mut out).unwrap();
        assert_eq!(out, b"\x01a\xfb\xfb\xfb\xfb\xfb\xfb\x01b\xfb");
        assert_eq!(printer.print(b"\x00\xff", &mut out), Err(Misfit { column: 0 }));
    }

    #[test]
    fn rows_of_texts_are_what_they_are() {
        let column = |declared| column(int(4, false), declared);
        let two = schema(vec![column("int"), column("int")]);
        assert_eq!(Form::of(&two), Form::Text);
        let sent = [Sent::new(SentType::MYSQL_TYPE_LONG), Sent::new(SentType::MYSQL_TYPE_LONG)];
        let printer = Printer::new(Form::Text, &two, &sent).unwrap();
        let mut out = Vec::new();
        printer.print(b"\x0212\xfb", &mut out).unwrap();
        assert_eq!(out, b"\x0212\xfb");
        for (bad, column) in [(&b""[..], 0), (b"\x0212", 1), (b"\x021", 0), (b"\x011\x012\xfb", 2)]
        {
            assert_eq!(printer.print(bad, &mut out), Err(Misfit { column }), "{bad:?}");
        }
        let three = Printer::new(Form::Text, &two, &sent[..1]);
        assert_eq!(three.unwrap_err(), Misfit { column: 1 });
    }

    #[test]
    fn values_of_another_type_are_refused() {
        let refuse = |column_type: ColumnType, sent| {
            let column = column(column_type, "");
            assert!(Printer::new(Form::Binary, &schema(vec![column]), &[Sent::new(sent)]).is_err());
        };
        refuse(int(8, false), SentType::MYSQL_TYPE_VAR_STRING);
        refuse(ColumnType::Json, SentType::MYSQL_TYPE_LONG);
        refuse(ColumnType::Date, SentType::MYSQL_TYPE_DATETIME);
        let zerofill = column(int(4, true), "int(5) unsigned zerofill");
        let signed = Sent::new(SentType::MYSQL_TYPE_LONG);
        assert!(print(&zerofill, &signed, &[0xff; 4]).is_err());
        let two = schema(vec![zerofill.clone(), zerofill]);
        assert_eq!(Printer::new(Form::Binary, &two, &[signed]).unwrap_err(), Misfit { column: 1 });
    }
}
