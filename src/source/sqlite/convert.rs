//! Values between MySQL's types: from statements into stored form, from stored form into cells.

use rusqlite::types::{Value as Stored, ValueRef};

use crate::event::{Column, row};

/// Appends the cell of a stored value, or of a query's value of that type.
pub fn cell(column: &Column, value: ValueRef<'_>, out: &mut Vec<u8>) {
    let _ = column;
    match value {
        ValueRef::Null => row::push_null(out),
        ValueRef::Integer(number) => row::push_cell(out, number.to_string().as_bytes()),
        ValueRef::Real(number) => row::push_cell(out, number.to_string().as_bytes()),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => row::push_cell(out, bytes),
    }
}

/// The stored form of a cell of this column.
pub fn stored(column: &Column, cell: Option<&[u8]>) -> Stored {
    let _ = column;
    match cell {
        None => Stored::Null,
        Some(bytes) => Stored::Text(String::from_utf8_lossy(bytes).into_owned()),
    }
}
