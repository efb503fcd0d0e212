//! Values into columns of texts and bytes.

use rusqlite::types::Value as Stored;

use super::{Given, Storing};
use crate::event::collation::{self, Charset};
use crate::event::{CollationId, Column, ColumnType};
use crate::sql::sqlite::Fault;

pub(super) fn store(column: &Column, given: Given, storing: &Storing<'_>) -> Result<Stored, Fault> {
    let bytes = given.into_bytes();
    if column.collation == CollationId::BINARY {
        return store_bytes(column, bytes, storing);
    }
    let charset = collation::charset(column.collation).unwrap_or(Charset::Utf8mb4);
    let mut text = match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let valid = error.utf8_error().valid_up_to();
            let bytes = error.into_bytes();
            storing.refuse(storing.wrong(column, "string", &escaped(&bytes[valid..])))?;
            String::from_utf8_lossy(&bytes[..valid]).into_owned()
        }
    };
    if charset != Charset::Utf8mb4
        && let Some(place) = first_foreign(charset, &text)
    {
        storing.refuse(storing.wrong(column, "string", &escaped(&text.as_bytes()[place..])))?;
        text = text.chars().map(|c| if is_in(charset, c) { c } else { '?' }).collect();
    }
    fit(column, &mut text, charset, storing)?;
    if matches!(column.column_type, ColumnType::Char { .. }) {
        text.truncate(text.trim_end_matches(' ').len());
    }
    Ok(Stored::Text(text))
}

/// Cuts a text to the column's length; spaces at its end may go, all else only without strictness.
fn fit(
    column: &Column,
    text: &mut String,
    charset: Charset,
    storing: &Storing<'_>,
) -> Result<(), Fault> {
    let cut = match column.column_type {
        ColumnType::Char { length } | ColumnType::VarChar { length } => {
            let length = usize::try_from(length).unwrap_or(usize::MAX);
            text.char_indices().nth(length).map(|(place, _)| place)
        }
        ColumnType::Text { length_bytes } => {
            let max = text_bytes_max(length_bytes);
            let bytes = if charset.is_utf8() { text.len() } else { text.chars().count() };
            (bytes > max).then(|| floor_boundary(text, max))
        }
        _ => None,
    };
    let Some(cut) = cut else { return Ok(()) };
    let rest = &text[cut..];
    if rest.bytes().all(|byte| byte == b' ') {
        if !matches!(column.column_type, ColumnType::Char { .. }) {
            storing.note("Note", &storing.truncated(column));
        }
    } else {
        storing.refuse(storing.too_long(column))?;
    }
    text.truncate(cut);
    Ok(())
}

fn store_bytes(
    column: &Column,
    mut bytes: Vec<u8>,
    storing: &Storing<'_>,
) -> Result<Stored, Fault> {
    let max = match column.column_type {
        ColumnType::Char { length } | ColumnType::VarChar { length } => {
            usize::try_from(length).unwrap_or(usize::MAX)
        }
        ColumnType::Text { length_bytes } => text_bytes_max(length_bytes),
        _ => usize::MAX,
    };
    if bytes.len() > max {
        storing.refuse(storing.too_long(column))?;
        bytes.truncate(max);
    }
    if matches!(column.column_type, ColumnType::Char { .. }) {
        bytes.resize(max, 0);
    }
    Ok(Stored::Blob(bytes))
}

fn text_bytes_max(length_bytes: u8) -> usize {
    match length_bytes {
        1 => 0xff,
        2 => 0xffff,
        3 => 0xff_ffff,
        _ => 0xffff_ffff,
    }
}

fn floor_boundary(text: &str, max: usize) -> usize {
    (0..=max.min(text.len())).rev().find(|&place| text.is_char_boundary(place)).unwrap_or(0)
}

fn first_foreign(charset: Charset, text: &str) -> Option<usize> {
    text.char_indices().find(|&(_, character)| !is_in(charset, character)).map(|(place, _)| place)
}

fn is_in(charset: Charset, character: char) -> bool {
    charset.encode(character.encode_utf8(&mut [0; 4])).is_some()
}

/// Bytes as MySQL's message shows them, six of them at most.
fn escaped(bytes: &[u8]) -> String {
    let mut shown: String = bytes
        .iter()
        .take(6)
        .map(|&byte| match byte {
            b' '..=b'~' => char::from(byte).to_string(),
            other => format!("\\x{other:02X}"),
        })
        .collect();
    if bytes.len() > 6 {
        shown.push_str("...");
    }
    shown
}
