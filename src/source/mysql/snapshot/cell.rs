//! Values of the binary protocol -> cells, by the formatters that changes are printed with, so that
//! a value reads the same whether it was copied or followed.

use mysql_async::Value;

use crate::event::print::{self, Clock, Day};
use crate::event::row::{push_cell, push_null};
use crate::event::{Column, ColumnType};
use crate::source::mysql::decode;

/// How to print the values of one column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Printer {
    /// A whole number, with zeros before it up to a width.
    Whole {
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

/// A value that is none of its column's type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the server sent a value that is none of the column's type")]
pub(super) struct Misfit;

impl Printer {
    pub fn new(column: &Column) -> Self {
        match column.column_type {
            ColumnType::Int { .. } => Self::Whole { width: decode::zerofill(&column.declared) },
            ColumnType::Year => Self::Year,
            ColumnType::Float { .. } => Self::Float,
            ColumnType::Double { .. } => Self::Double,
            ColumnType::Date => Self::Date,
            ColumnType::DateTime { fsp } | ColumnType::Timestamp { fsp } => Self::DateTime { fsp },
            ColumnType::Time { fsp } => Self::Time { fsp },
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
            | ColumnType::Inet6 => Self::Bytes,
        }
    }

    /// Appends a value as a cell.
    pub fn print(self, value: &Value, out: &mut Vec<u8>) -> Result<(), Misfit> {
        match (self, value) {
            (_, Value::NULL) => push_null(out),
            (Self::Whole { width: None }, Value::Int(number)) => print::signed_cell(*number, out),
            (Self::Whole { width: None }, Value::UInt(number)) => {
                print::whole_cell(false, *number, out);
            }
            (Self::Whole { width: Some(width) }, Value::Int(_) | Value::UInt(_)) => {
                let (number, width) = (whole(value)?, usize::from(width));
                print::short_cell(out, |out| print::padded(number, width, out));
            }
            (Self::Year, Value::Int(_) | Value::UInt(_)) => {
                let year = whole(value)?;
                print::short_cell(out, |out| print::padded(year, 4, out));
            }
            (Self::Float, Value::Float(number)) => {
                print::short_cell(out, |out| print::float(f64::from(*number), true, out));
            }
            (Self::Double, Value::Double(number)) => {
                print::short_cell(out, |out| print::float(*number, false, out));
            }
            (Self::Date, &Value::Date(year, month, day, ..)) => {
                let day = self::day(year, month, day);
                print::short_cell(out, |out| print::date(day, out));
            }
            (
                Self::DateTime { fsp },
                &Value::Date(year, month, day, hour, minute, second, micros),
            ) => {
                let (day, clock) =
                    (self::day(year, month, day), clock(hour, minute, second, micros));
                print::short_cell(out, |out| print::date_time(day, clock, fsp, out));
            }
            (Self::Time { fsp }, &Value::Time(negative, days, hour, minute, second, micros)) => {
                let clock = clock(hour, minute, second, micros);
                let hour = days.saturating_mul(HOURS_OF_DAY).saturating_add(clock.hour);
                let clock = Clock { hour, ..clock };
                print::short_cell(out, |out| print::time(negative, clock, fsp, out));
            }
            (Self::Bytes, Value::Bytes(bytes)) => push_cell(out, bytes),
            _ => return Err(Misfit),
        }
        Ok(())
    }
}

fn whole(value: &Value) -> Result<u64, Misfit> {
    match value {
        Value::Int(number) => u64::try_from(*number).map_err(|_| Misfit),
        Value::UInt(number) => Ok(*number),
        _ => Err(Misfit),
    }
}

fn day(year: u16, month: u8, day: u8) -> Day {
    Day { year: year.into(), month: month.into(), day: day.into() }
}

fn clock(hour: u8, minute: u8, second: u8, micros: u32) -> Clock {
    Clock { hour: hour.into(), minute: minute.into(), second: second.into(), micros }
}

const HOURS_OF_DAY: u32 = 24;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::CollationId;
    use crate::event::row::split_cell;

    fn print(column_type: ColumnType, declared: &str, value: &Value) -> Result<String, Misfit> {
        let column = Column::plain("c", column_type, CollationId::BINARY);
        let column = Column { declared: declared.into(), ..column };
        let mut out = Vec::new();
        Printer::new(&column).print(value, &mut out)?;
        let (cell, rest) = split_cell(&out).unwrap();
        assert!(rest.is_empty());
        Ok(cell.map_or("NULL".to_owned(), |cell| String::from_utf8(cell.to_vec()).unwrap()))
    }

    #[track_caller]
    fn check(column_type: ColumnType, declared: &str, value: Value, expected: &str) {
        assert_eq!(print(column_type, declared, &value).as_deref(), Ok(expected));
    }

    const BIG: ColumnType = ColumnType::Int { bytes: 8, unsigned: true };

    #[test]
    fn values_print_as_changes_do() {
        check(BIG, "bigint unsigned", Value::UInt(u64::MAX), "18446744073709551615");
        check(BIG, "bigint unsigned", Value::Int(7), "7");
        check(BIG, "bigint(5) unsigned zerofill", Value::UInt(7), "00007");
        let int = ColumnType::Int { bytes: 4, unsigned: false };
        check(int, "int", Value::Int(-7), "-7");
        check(ColumnType::Year, "year", Value::UInt(0), "0000");
        check(
            ColumnType::Float { unsigned: false },
            "float",
            Value::Float(16_777_216.0),
            "16777216",
        );
        check(ColumnType::Double { unsigned: false }, "double", Value::Double(0.1), "0.1");
        let zero = Value::Date(0, 0, 0, 0, 0, 0, 0);
        check(ColumnType::Date, "date", zero.clone(), "0000-00-00");
        check(ColumnType::DateTime { fsp: 2 }, "datetime(2)", zero, "0000-00-00 00:00:00.00");
        let moment = Value::Date(2026, 1, 2, 3, 4, 5, 60_000);
        check(ColumnType::Timestamp { fsp: 3 }, "timestamp(3)", moment, "2026-01-02 03:04:05.060");
        let span = Value::Time(true, 34, 22, 59, 59, 0);
        check(ColumnType::Time { fsp: 0 }, "time", span, "-838:59:59");
        check(ColumnType::Json, "json", Value::Bytes(b"[1]".to_vec()), "[1]");
        check(ColumnType::Json, "json", Value::NULL, "NULL");
    }

    #[test]
    fn values_of_another_type_are_refused() {
        assert_eq!(print(BIG, "bigint", &Value::Bytes(b"7".to_vec())), Err(Misfit));
        assert_eq!(print(BIG, "bigint(5) unsigned zerofill", &Value::Int(-1)), Err(Misfit));
        assert_eq!(print(ColumnType::Json, "json", &Value::Int(7)), Err(Misfit));
    }
}
