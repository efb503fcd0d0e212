//! The forms that values have inside SQLite, as functions take and give them.

use rusqlite::types::{Value as Stored, ValueRef};

use crate::event::print;

/// A whole number's form: a TEXT of twenty digits above 2^63-1.
pub fn big_number(number: i128) -> Stored {
    i64::try_from(number).map_or_else(|_| Stored::Text(format!("{number:020}")), Stored::Integer)
}

/// A whole number.
pub fn integer(value: ValueRef<'_>) -> Option<i128> {
    match value {
        ValueRef::Integer(number) => Some(i128::from(number)),
        ValueRef::Text(text) => std::str::from_utf8(text).ok()?.parse().ok(),
        ValueRef::Null | ValueRef::Real(_) | ValueRef::Blob(_) => None,
    }
}

/// The text of an ENUM's number.
pub fn member(members: &[Box<str>], number: i64) -> &str {
    usize::try_from(number)
        .ok()
        .and_then(|number| number.checked_sub(1))
        .and_then(|at| members.get(at))
        .map_or("", |member| member)
}

/// The text of a SET's bits.
pub fn set_text(members: &[Box<str>], bits: i64) -> String {
    let chosen: Vec<&str> = members
        .iter()
        .enumerate()
        .filter(|(at, _)| bits >> at & 1 == 1)
        .map(|(_, member)| &**member)
        .collect();
    chosen.join(",")
}

/// A FLOAT's text.
pub fn float(number: f64) -> String {
    let mut out = Vec::new();
    print::float(number, true, &mut out);
    String::from_utf8_lossy(&out).into_owned()
}

/// A DOUBLE's text.
pub fn double(number: f64) -> String {
    let mut out = Vec::new();
    print::float(number, false, &mut out);
    String::from_utf8_lossy(&out).into_owned()
}

/// What stood behind a text's leading number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leftover {
    /// Nothing but blanks.
    Nothing,
    /// Something.
    Some,
    /// There was no number at all.
    All,
}
