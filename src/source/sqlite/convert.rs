//! Values of statements into the stored form of a column, as MySQL stores them: rounded, cut,
//! parsed, and refused or warned about by the session's strictness.
//!
//! A value comes as a query gives it: whole numbers INTEGER (above 2^63-1 a TEXT of twenty digits),
//! DECIMAL its own TEXT, FLOAT and DOUBLE REAL, DATE and DATETIME TEXT, TIME INTEGER microseconds,
//! texts TEXT, bytes BLOB, ENUM its number, SET its bits, JSON TEXT.

mod json;
mod member;
mod number;
mod text;
pub mod time;

use rusqlite::types::{Value as Stored, ValueRef};

pub use super::cell::{cell, stored};
use super::functions::SessionState;
use crate::event::{CollationId, Column, ColumnType, print, row};
use crate::sql::sqlite::{Fault, Type, Warning};

/// What a conversion depends on beside the value.
#[derive(Debug)]
pub struct Storing<'a> {
    /// The row, as messages count.
    pub row: u64,
    /// Whether a value that does not fit is an error; else it is made to fit, with a warning.
    pub strict: bool,
    /// Whose warnings they are.
    pub session: &'a SessionState,
}

impl Storing<'_> {
    /// An error in strict mode, else a warning.
    fn refuse(&self, fault: Fault) -> Result<(), Fault> {
        if self.strict {
            return Err(fault);
        }
        self.note("Warning", &fault);
        Ok(())
    }

    fn note(&self, level: &'static str, fault: &Fault) {
        let (code, message) = (fault.code(), fault.to_string());
        self.session.warn(Warning { level, code, message });
    }

    fn out_of_range(&self, column: &Column) -> Fault {
        Fault::OutOfRange { column: column.name.to_string(), row: self.row }
    }

    fn truncated(&self, column: &Column) -> Fault {
        Fault::Truncated { column: column.name.to_string(), row: self.row }
    }

    fn too_long(&self, column: &Column) -> Fault {
        Fault::TooLong { column: column.name.to_string(), row: self.row }
    }

    fn wrong(&self, column: &Column, kind: &'static str, value: &str) -> Fault {
        let (value, column) = (value.to_owned(), column.name.to_string());
        Fault::WrongValue { kind, value, column, row: self.row }
    }

    fn wrong_time(&self, column: &Column, kind: &'static str, value: &str) -> Fault {
        let (value, column) = (value.to_owned(), column.name.to_string());
        Fault::WrongTime { kind, value, column, row: self.row }
    }
}

/// A value by what it is, whatever SQLite calls it.
#[derive(Debug, Clone, PartialEq)]
enum Given {
    Whole(i128),
    /// A DECIMAL's text.
    Exact(String),
    Double(f64),
    /// A DATE or DATETIME.
    Moment(String),
    /// A TIME's microseconds and digits.
    Time(i64, u8),
    /// The number of an ENUM or the bits of a SET, and their text.
    Member(u64, String),
    Json(String),
    Text(String),
    Bytes(Vec<u8>),
}

/// Converts a statement's value of type `from` into the stored form of a column.
pub fn store(
    column: &Column,
    value: ValueRef<'_>,
    from: &Type,
    storing: &Storing<'_>,
) -> Result<Stored, Fault> {
    let Some(given) = given(value, from) else { return Ok(Stored::Null) };
    match &column.column_type {
        ColumnType::Int { bytes, unsigned } => {
            number::store_whole(column, &given, *bytes, *unsigned, storing)
        }
        ColumnType::Decimal { .. } => number::store_decimal(column, &given, storing),
        ColumnType::Float { .. } | ColumnType::Double { .. } => {
            number::store_double(column, &given, storing)
        }
        ColumnType::Bit { bits } => number::store_bit(column, &given, *bits, storing),
        ColumnType::Year => number::store_year(column, &given, storing),
        ColumnType::Date
        | ColumnType::Time { .. }
        | ColumnType::DateTime { .. }
        | ColumnType::Timestamp { .. } => time::store(column, &given, storing),
        ColumnType::Char { .. } | ColumnType::VarChar { .. } | ColumnType::Text { .. } => {
            text::store(column, given, storing)
        }
        ColumnType::Enum { members } => member::store_enum(column, members, &given, storing),
        ColumnType::Set { members } => member::store_set(column, members, &given, storing),
        ColumnType::Json => json::store(column, &given),
        ColumnType::Geometry => Err(Fault::Unsupported("GEOMETRY".to_owned())),
        ColumnType::Vector { .. } => Err(Fault::Unsupported("VECTOR".to_owned())),
        ColumnType::Uuid => Err(Fault::Unsupported("UUID".to_owned())),
        ColumnType::Inet4 | ColumnType::Inet6 => Err(Fault::Unsupported("INET".to_owned())),
    }
}

/// A stored value of a column as a query would give it.
pub fn operand(column: &Column, value: &Stored) -> Stored {
    if !matches!(column.column_type, ColumnType::Decimal { .. }) || *value == Stored::Null {
        return value.clone();
    }
    Stored::Text(cell_text(column, value))
}

/// The text of a stored value, as clients see it.
fn cell_text(column: &Column, value: &Stored) -> String {
    let mut buffer = Vec::new();
    cell(column, ValueRef::from(value), &mut buffer);
    let text = row::split_cell(&buffer).and_then(|(text, _)| text).unwrap_or_default();
    String::from_utf8_lossy(text).into_owned()
}

fn given(value: ValueRef<'_>, from: &Type) -> Option<Given> {
    let lossy = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Some(match (value, &from.column_type) {
        (ValueRef::Null, _) => return None,
        (ValueRef::Integer(micros), ColumnType::Time { fsp }) => Given::Time(micros, *fsp),
        (ValueRef::Integer(number), ColumnType::Enum { .. } | ColumnType::Set { .. }) => {
            let bits = u64::try_from(number).unwrap_or_default();
            Given::Member(bits, cell_text(&column_of(from), &Stored::Integer(number)))
        }
        (ValueRef::Integer(number), ColumnType::Bit { bits }) => {
            let bytes = number.to_be_bytes();
            let length = usize::from(*bits).div_ceil(8).clamp(1, 8);
            Given::Bytes(bytes[8 - length..].to_vec())
        }
        (ValueRef::Integer(number), _) => Given::Whole(i128::from(number)),
        (ValueRef::Real(number), _) => Given::Double(number),
        (ValueRef::Text(text), ColumnType::Int { .. }) => {
            let text = lossy(text);
            match text.parse() {
                Ok(number) => Given::Whole(number),
                Err(_) => Given::Text(text),
            }
        }
        (ValueRef::Text(text), ColumnType::Decimal { .. }) => Given::Exact(lossy(text)),
        (
            ValueRef::Text(text),
            ColumnType::Date | ColumnType::DateTime { .. } | ColumnType::Timestamp { .. },
        ) => Given::Moment(lossy(text)),
        (ValueRef::Text(text), ColumnType::Json) => Given::Json(lossy(text)),
        (ValueRef::Text(text), _) => Given::Text(lossy(text)),
        (ValueRef::Blob(bytes), _) => Given::Bytes(bytes.to_vec()),
    })
}

fn column_of(from: &Type) -> Column {
    Column {
        name: "".into(),
        column_type: from.column_type.clone(),
        // A member's text in UTF-8, whatever its column's character set.
        collation: CollationId::UTF8MB4_0900_AI_CI,
        nullable: true,
        auto_increment: false,
        has_default: false,
        declared: "".into(),
    }
}

impl Given {
    /// As a text, in UTF-8 where it is one.
    fn into_bytes(self) -> Vec<u8> {
        match self {
            Self::Bytes(bytes) => bytes,
            other => other.text().into_bytes(),
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Whole(number) => number.to_string(),
            Self::Double(number) => double_text(*number),
            Self::Time(micros, fsp) => time::time_text(*micros, *fsp),
            Self::Exact(text)
            | Self::Moment(text)
            | Self::Member(_, text)
            | Self::Json(text)
            | Self::Text(text) => text.clone(),
            Self::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        }
    }
}

/// A double's text, as MySQL prints it.
pub fn double_text(number: f64) -> String {
    let mut out = Vec::new();
    print::float(number, false, &mut out);
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests;
