//! LOWER and UPPER: character by character, never two for one.
//!
//! MySQL converts in place. A character that grows, as `'ɐ'` of two bytes to `'Ɐ'` of three, runs
//! over the next one, which ends the text; without room for it, it is dropped. So it is here.

use super::{Charset, CollationError, find, utf8};
use crate::event::schema::CollationId;

/// Appends `text` in lower case, as MySQL's LOWER has it.
pub fn lower(id: CollationId, text: &[u8], out: &mut Vec<u8>) -> Result<(), CollationError> {
    convert(id, text, out, Column::Lower)
}

/// Appends `text` in upper case, as MySQL's UPPER has it.
pub fn upper(id: CollationId, text: &[u8], out: &mut Vec<u8>) -> Result<(), CollationError> {
    convert(id, text, out, Column::Upper)
}

/// The name of a table in lower case, as servers with `lower_case_table_names` write it.
pub fn lower_name(name: &str) -> String {
    let mut lowered = Vec::new();
    let lowered = lower(CollationId::UTF8MB4_GENERAL_CI, name.as_bytes(), &mut lowered)
        .ok()
        .and_then(|()| String::from_utf8(lowered).ok());
    lowered.unwrap_or_else(|| name.to_lowercase())
}

#[derive(Clone, Copy)]
enum Column {
    Lower = 1,
    Upper = 2,
}

fn convert(
    id: CollationId,
    text: &[u8],
    out: &mut Vec<u8>,
    column: Column,
) -> Result<(), CollationError> {
    let known = find(id).ok_or(CollationError::Uncovered(id))?;
    let from = column as usize - 1;
    match known.charset {
        Charset::Binary => out.extend_from_slice(text),
        Charset::Latin1 => {
            let single = |&byte: &u8| LATIN1[from * 256 + usize::from(byte)];
            out.extend(text.iter().map(single));
        }
        Charset::Utf8mb4 | Charset::Utf8mb3 | Charset::Ascii => {
            // The collations of 9.0 bring newer case tables than the older ones.
            let table = if known.name.contains("_0900_") { UNICODE_9 } else { UNICODE_3 };
            let mut buffer = [0; 4];
            let start = out.len();
            let mut read = 0;
            for character in utf8(id, text)?.chars() {
                let cased = find_case(table, character, column);
                let cased = cased.encode_utf8(&mut buffer).as_bytes();
                let written = out.len() - start + cased.len();
                read += character.len_utf8();
                if written <= text.len() {
                    out.extend_from_slice(cased);
                }
                if written > read {
                    break;
                }
            }
        }
        _ => return Err(CollationError::Uncovered(id)),
    }
    Ok(())
}

fn find_case(table: &[u8], character: char, column: Column) -> char {
    let point = |at: usize| match table.get(at..at + 3) {
        Some(&[low, middle, high]) => u32::from_le_bytes([low, middle, high, 0]),
        _ => 0,
    };
    let (mut from, mut to) = (0, table.len() / ENTRY);
    while from < to {
        let middle = from.midpoint(to);
        match point(middle * ENTRY).cmp(&u32::from(character)) {
            std::cmp::Ordering::Less => from = middle + 1,
            std::cmp::Ordering::Greater => to = middle,
            std::cmp::Ordering::Equal => {
                let cased = point(middle * ENTRY + 3 * column as usize);
                return char::from_u32(cased).unwrap_or(character);
            }
        }
    }
    character
}

/// Three code points of three bytes.
const ENTRY: usize = 9;

static UNICODE_3: &[u8] = include_bytes!("utf8mb4_general_ci.case");
static UNICODE_9: &[u8] = include_bytes!("utf8mb4_0900_ai_ci.case");
static LATIN1: &[u8; 512] = include_bytes!("latin1_swedish_ci.case");

#[cfg(test)]
mod tests {
    use super::*;

    fn check(id: CollationId, text: &str, expected_lower: &str, expected_upper: &str) {
        let (mut low, mut up) = (Vec::new(), Vec::new());
        lower(id, text.as_bytes(), &mut low).unwrap();
        upper(id, text.as_bytes(), &mut up).unwrap();
        assert_eq!(low, expected_lower.as_bytes(), "LOWER({text})");
        assert_eq!(up, expected_upper.as_bytes(), "UPPER({text})");
    }

    #[test]
    fn cases() {
        let (newer, older) = (CollationId::UTF8MB4_0900_AI_CI, CollationId::UTF8MB4_GENERAL_CI);
        check(newer, "aÉßẞ1", "aéßß1", "AÉßẞ1");
        check(older, "aÉßẞ1", "aéßẞ1", "AÉßẞ1");
        check(newer, "\u{10400}", "\u{10428}", "\u{10400}");
        check(newer, "ɐ", "ɐ", "");
        check(newer, "ɐ\u{130}", "ɐi", "Ɐ");
        check(newer, "xɐbb", "xɐbb", "XⱯ");
        let mut up = Vec::new();
        upper(CollationId::LATIN1_SWEDISH_CI, b"\xe9\xff", &mut up).unwrap();
        assert_eq!(up, b"\xc9\xff");
    }
}
