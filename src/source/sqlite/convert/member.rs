//! Values into ENUM and SET columns.

use std::cmp::Ordering;

use rusqlite::types::Value as Stored;

use super::{Given, Storing};
use crate::event::collation;
use crate::event::{CollationId, Column};
use crate::source::sqlite::cell;
use crate::sql::sqlite::Fault;

pub(super) fn store_enum(
    column: &Column,
    members: &[Box<str>],
    given: &Given,
    storing: &Storing<'_>,
) -> Result<Stored, Fault> {
    let count = members.len() as u64;
    let found = match given {
        Given::Whole(number) => u64::try_from(*number).ok().filter(|n| (1..=count).contains(n)),
        Given::Exact(text) => {
            let number = text.parse::<f64>().unwrap_or_default().trunc();
            Some(number as u64).filter(|n| (1..=count).contains(n))
        }
        Given::Double(number) => Some(*number as u64).filter(|n| (1..=count).contains(n)),
        other => {
            let text = other.text();
            // MySQL takes a text that is no member, but a number, for the member's number.
            find(column.collation, members, &text).or_else(|| {
                text.trim_end().parse().ok().filter(|number| (1..=count).contains(number))
            })
        }
    };
    let number = match found {
        Some(number) => number,
        None => {
            storing.refuse(storing.truncated(column))?;
            0
        }
    };
    Ok(Stored::Integer(i64::try_from(number).unwrap_or(0)))
}

pub(super) fn store_set(
    column: &Column,
    members: &[Box<str>],
    given: &Given,
    storing: &Storing<'_>,
) -> Result<Stored, Fault> {
    let all = if members.len() >= 64 { u64::MAX } else { (1 << members.len()) - 1 };
    let (bits, fits) = match given {
        Given::Whole(number) => {
            let bits = u64::try_from(*number).unwrap_or(u64::MAX);
            (bits & all, bits & !all == 0)
        }
        Given::Exact(text) => {
            let bits = text.parse::<f64>().unwrap_or_default().trunc() as u64;
            (bits & all, bits & !all == 0)
        }
        other => {
            let text = other.text();
            let chosen = text.split(',').filter(|_| !text.is_empty());
            let (mut bits, mut fits) = (0, true);
            for member in chosen {
                match find(column.collation, members, member) {
                    Some(number) => bits |= 1 << (number - 1),
                    None => fits = false,
                }
            }
            match text.trim().parse::<u64>() {
                Ok(number) if !fits && number & !all == 0 => (number, true),
                _ => (bits, fits),
            }
        }
    };
    if !fits {
        storing.refuse(storing.truncated(column))?;
    }
    Ok(cell::unsigned(bits))
}

/// The number of a member, from 1, as the column's collation compares.
fn find(collation: CollationId, members: &[Box<str>], text: &str) -> Option<u64> {
    let text = text.trim_end_matches(' ');
    let same = |member: &str| {
        member == text
            || collation::compare(
                collation,
                &in_charset(collation, member),
                &in_charset(collation, text),
            ) == Ok(Ordering::Equal)
    };
    let exact = members.iter().position(|member| **member == *text);
    let place = exact.or_else(|| members.iter().position(|member| same(member)));
    place.map(|place| place as u64 + 1)
}

fn in_charset(collation: CollationId, text: &str) -> Vec<u8> {
    let charset = collation::charset(collation);
    charset.and_then(|charset| charset.encode(text)).unwrap_or_else(|| text.as_bytes().to_vec())
}
