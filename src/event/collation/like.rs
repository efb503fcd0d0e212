//! LIKE: `%`, `_` and an escape, character by character under a collation.
//!
//! MySQL compares single characters here: `'ss' LIKE 'ß'` is false under every collation, and
//! spaces at the end count.

use super::{Charset, CollationError, Order, find, utf8};
use crate::event::schema::CollationId;

/// Whether `text` fits `pattern`, both in the collation's own charset.
pub fn like(
    id: CollationId,
    text: &[u8],
    pattern: &[u8],
    escape: Option<char>,
) -> Result<bool, CollationError> {
    let known = find(id).ok_or(CollationError::Uncovered(id))?;
    let single_byte = matches!(known.charset, Charset::Binary | Charset::Latin1);
    let escape_byte = escape.and_then(|escape| u8::try_from(escape).ok());
    match known.order {
        Order::Unknown => Err(CollationError::Uncovered(id)),
        Order::Single(weights) => {
            let same = |a: u8, b: u8| weights[usize::from(a)] == weights[usize::from(b)];
            Ok(fits(bytes(text), bytes(pattern), escape_byte, same))
        }
        Order::Bytes if single_byte => {
            Ok(fits(bytes(text), bytes(pattern), escape_byte, |a, b| a == b))
        }
        Order::Bytes => {
            let (text, pattern) = (utf8(id, text)?, utf8(id, pattern)?);
            Ok(fits(text.chars(), pattern.chars(), escape, |a, b| a == b))
        }
        Order::Table(table) => {
            let (text, pattern) = (utf8(id, text)?, utf8(id, pattern)?);
            // Beyond the BMP these tables have one weight for all, which LIKE does not go by.
            let last = if known.name.ends_with("_unicode_ci") { '\u{ffff}' } else { char::MAX };
            let weighed = |a, b| a <= last && b <= last && table.weights(a) == table.weights(b);
            let same = |a: char, b: char| a == b || weighed(a, b);
            Ok(fits(text.chars(), pattern.chars(), escape, same))
        }
    }
}

fn bytes(text: &[u8]) -> impl Iterator<Item = u8> + Clone {
    text.iter().copied()
}

/// Matches with one point of return, the last `%`: an earlier one never has to give way again.
fn fits<C: Copy + PartialEq + From<u8>>(
    text: impl Iterator<Item = C> + Clone,
    pattern: impl Iterator<Item = C> + Clone,
    escape: Option<C>,
    same: impl Fn(C, C) -> bool,
) -> bool {
    let (mut text, mut pattern) = (text, pattern);
    let mut last_percent = None;
    loop {
        let mut ahead = pattern.clone();
        let step = match ahead.next() {
            Some(c) if Some(c) == escape => Step::Literal(ahead.next().unwrap_or(c)),
            Some(c) if c == C::from(b'%') => Step::Percent,
            Some(c) if c == C::from(b'_') => Step::Any,
            Some(c) => Step::Literal(c),
            None => Step::End,
        };
        let mut text_ahead = text.clone();
        let fits_here = match (step, text_ahead.next()) {
            (Step::Percent, _) => {
                last_percent = Some((ahead.clone(), text.clone()));
                pattern = ahead;
                continue;
            }
            (Step::End, None) => return true,
            (Step::End, Some(_)) => false,
            (_, None) => return false,
            (Step::Any, Some(_)) => true,
            (Step::Literal(wanted), Some(found)) => same(wanted, found),
        };
        if fits_here {
            (text, pattern) = (text_ahead, ahead);
            continue;
        }
        let Some((behind_percent, from)) = &mut last_percent else { return false };
        if from.next().is_none() {
            return false;
        }
        (text, pattern) = (from.clone(), behind_percent.clone());
    }
}

#[derive(Clone, Copy)]
enum Step<C> {
    Percent,
    Any,
    Literal(C),
    End,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(id: CollationId, text: &str, pattern: &str, expected: bool) {
        let found = like(id, text.as_bytes(), pattern.as_bytes(), Some('\\')).unwrap();
        assert_eq!(found, expected, "{text:?} LIKE {pattern:?}");
    }

    #[test]
    fn patterns() {
        let id = CollationId::UTF8MB4_0900_AI_CI;
        check(id, "Abc", "a%", true);
        check(id, "abcabd", "%ab_", true);
        check(id, "abcabd", "%abc", false);
        check(id, "a%", r"a\%", true);
        check(id, "ab", r"a\%", false);
        check(id, "é", "_", true);
        check(id, "ss", "ß", false);
        check(id, "a ", "a", false);
        check(id, "", "%", true);
        check(id, "", "", true);
        check(CollationId::UTF8MB4_BIN, "A", "a", false);
        check(CollationId::BINARY, "é", "_", false);
        check(id, r"a\", r"a\", true);
    }
}
