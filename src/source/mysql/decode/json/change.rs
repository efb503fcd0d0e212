//! Changes of a document (`binlog_row_value_options = PARTIAL_JSON`), applied to the document
//! before them.

use std::cmp::Ordering;

use crate::source::mysql::decode::bytes::Bytes;
use crate::source::mysql::decode::error::Fault;

use super::print::{Budget, quoted, scalar};
use super::{DEPTH_MAX, Scalar, Shape, Value};

/// Appends the document that a list of changes makes of another one as a cell.
pub(in super::super) fn changed_cell(
    before: &[u8],
    changes: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), Fault> {
    let mut tree = Tree::of(Value::document(before)?, 0, &mut Budget::of(before))?;
    let mut changes = Bytes(changes);
    while !changes.is_empty() {
        tree.change(&mut changes)?;
    }
    crate::event::print::long_cell(out, |out| tree.print(0, out))
}

/// A document taken apart.
#[derive(Debug)]
enum Tree<'a> {
    /// In the order in which it is stored: by the keys' length, then by their bytes.
    Object(Vec<(Key<'a>, Tree<'a>)>),
    Array(Vec<Tree<'a>>),
    Scalar(Scalar<'a>),
}

/// A key of the document, or one that a path has in another spelling.
type Key<'a> = std::borrow::Cow<'a, [u8]>;

/// One step of a path.
enum Step<'a> {
    Member(Key<'a>),
    Element(usize),
}

impl<'a> Tree<'a> {
    fn of(value: Value<'a>, depth: usize, budget: &mut Budget) -> Result<Self, Fault> {
        if depth > DEPTH_MAX {
            return Err(Fault::Json);
        }
        Ok(match value.shape()? {
            Shape::Object(container) => {
                budget.spend(0)?;
                let members = container.members().map(|member| {
                    let (key, value) = member?;
                    budget.spend(key.len())?;
                    Ok((Key::from(key), Self::of(value, depth + 1, budget)?))
                });
                Self::Object(members.collect::<Result<_, Fault>>()?)
            }
            Shape::Array(container) => {
                budget.spend(0)?;
                let elements = container.members().map(|element| {
                    let (_, value) = element?;
                    Self::of(value, depth + 1, budget)
                });
                Self::Array(elements.collect::<Result<_, Fault>>()?)
            }
            Shape::Scalar(found) => {
                budget.spend(found.bytes())?;
                Self::Scalar(found)
            }
        })
    }

    /// Applies the next change: what to do, the path, and the new value unless it is removed.
    fn change(&mut self, changes: &mut Bytes<'a>) -> Result<(), Fault> {
        let operation = changes.u8()?;
        let path = path(changes.packed_prefixed()?)?;
        let value = |changes: &mut Bytes<'a>| {
            let bytes = changes.packed_prefixed()?;
            Self::of(Value::document(bytes)?, path.len(), &mut Budget::of(bytes))
        };
        match operation {
            REPLACE => {
                let value = value(changes)?;
                *self.find(&path)? = value;
                Ok(())
            }
            INSERT => {
                let value = value(changes)?;
                let (last, parent) = path.split_last().ok_or(Fault::JsonChange)?;
                self.find(parent)?.insert(last, value)
            }
            REMOVE => {
                let (last, parent) = path.split_last().ok_or(Fault::JsonChange)?;
                self.find(parent)?.remove(last)
            }
            _ => Err(Fault::JsonChange),
        }
    }

    fn find(&mut self, path: &[Step<'_>]) -> Result<&mut Self, Fault> {
        path.iter().try_fold(self, |tree, step| match (tree, step) {
            (Self::Object(members), Step::Member(key)) => {
                let at = place(members, key).map_err(|_| Fault::JsonChange)?;
                members.get_mut(at).map(|(_, value)| value).ok_or(Fault::JsonChange)
            }
            (Self::Array(elements), Step::Element(at)) => {
                elements.get_mut(*at).ok_or(Fault::JsonChange)
            }
            // A value that is no array is its own first element.
            (tree, Step::Element(0)) => Ok(tree),
            _ => Err(Fault::JsonChange),
        })
    }

    fn insert(&mut self, step: &Step<'a>, value: Self) -> Result<(), Fault> {
        match (self, step) {
            (Self::Object(members), Step::Member(key)) => match place(members, key) {
                Ok(_) => Err(Fault::JsonChange),
                Err(at) => {
                    members.insert(at, (key.clone(), value));
                    Ok(())
                }
            },
            (Self::Array(elements), Step::Element(at)) => {
                elements.insert((*at).min(elements.len()), value);
                Ok(())
            }
            _ => Err(Fault::JsonChange),
        }
    }

    fn remove(&mut self, step: &Step<'_>) -> Result<(), Fault> {
        match (self, step) {
            (Self::Object(members), Step::Member(key)) => {
                members.remove(place(members, key).map_err(|_| Fault::JsonChange)?);
            }
            (Self::Array(elements), Step::Element(at)) if *at < elements.len() => {
                elements.remove(*at);
            }
            _ => return Err(Fault::JsonChange),
        }
        Ok(())
    }

    fn print(&self, depth: usize, out: &mut Vec<u8>) -> Result<(), Fault> {
        if depth > DEPTH_MAX {
            return Err(Fault::Json);
        }
        let comma = |index: usize, out: &mut Vec<u8>| {
            if index > 0 {
                out.extend_from_slice(b", ");
            }
        };
        match self {
            Self::Object(members) => {
                out.push(b'{');
                for (index, (key, value)) in members.iter().enumerate() {
                    comma(index, out);
                    quoted(key, out);
                    out.extend_from_slice(b": ");
                    value.print(depth + 1, out)?;
                }
                out.push(b'}');
            }
            Self::Array(elements) => {
                out.push(b'[');
                for (index, element) in elements.iter().enumerate() {
                    comma(index, out);
                    element.print(depth + 1, out)?;
                }
                out.push(b']');
            }
            Self::Scalar(found) => scalar(*found, out)?,
        }
        Ok(())
    }
}

/// Where a key is, or where it would be.
fn place(members: &[(Key<'_>, Tree<'_>)], key: &[u8]) -> Result<usize, usize> {
    let order = |known: &[u8]| match known.len().cmp(&key.len()) {
        Ordering::Equal => known.cmp(key),
        unequal => unequal,
    };
    members.binary_search_by(|(known, _)| order(known))
}

/// `$.a."b c"[2]`, as MySQL prints the places of changes.
fn path(text: &[u8]) -> Result<Vec<Step<'_>>, Fault> {
    let mut rest = text.strip_prefix(b"$").ok_or(Fault::JsonChange)?;
    let mut steps = Vec::new();
    while let Some((first, behind)) = rest.split_first() {
        let (step, behind) = match first {
            b'.' if behind.first() == Some(&b'"') => quoted_key(behind)?,
            b'.' => {
                let end = behind.iter().position(|byte| matches!(byte, b'.' | b'['));
                let (key, behind) = behind.split_at(end.unwrap_or(behind.len()));
                (Step::Member(key.into()), behind)
            }
            b'[' => {
                let end = behind.iter().position(|byte| *byte == b']').ok_or(Fault::JsonChange)?;
                let (number, behind) = behind.split_at(end);
                let number = std::str::from_utf8(number).ok().and_then(|text| text.parse().ok());
                let behind = behind.get(1..).ok_or(Fault::JsonChange)?;
                (Step::Element(number.ok_or(Fault::JsonChange)?), behind)
            }
            _ => return Err(Fault::JsonChange),
        };
        if steps.len() >= DEPTH_MAX {
            return Err(Fault::JsonChange);
        }
        steps.push(step);
        rest = behind;
    }
    Ok(steps)
}

/// A key in quotes, with JSON's escapes, and what stands behind it.
fn quoted_key(text: &[u8]) -> Result<(Step<'_>, &[u8]), Fault> {
    let mut escaped = false;
    let end = text.iter().skip(1).position(|byte| {
        let is_end = *byte == b'"' && !escaped;
        escaped = *byte == b'\\' && !escaped;
        is_end
    });
    // The position does not count the quote in front, the end has the one behind.
    let end = end.ok_or(Fault::JsonChange)? + 2;
    let (key, behind) = text.split_at_checked(end).ok_or(Fault::JsonChange)?;
    let key: String = serde_json::from_slice(key).map_err(|_| Fault::JsonChange)?;
    Ok((Step::Member(Key::from(key.into_bytes())), behind))
}

const REPLACE: u8 = 0;
const INSERT: u8 = 1;
const REMOVE: u8 = 2;

#[cfg(test)]
mod tests {
    use super::*;

    /// {"a": 1, "b": [1, 2.5]}
    const DOCUMENT: &[u8] = b"\0\x02\0\x2a\0\x12\0\x01\0\x13\0\x01\0\x05\x01\0\x02\x14\0ab\
          \x02\0\x12\0\x05\x01\0\x0b\x0a\0\0\0\0\0\0\0\x04\x40\0\0\0\0";

    fn change(operation: u8, path: &str, value: Option<&[u8]>) -> Vec<u8> {
        let length = |bytes: &[u8]| u8::try_from(bytes.len()).unwrap();
        let mut change = vec![operation, length(path.as_bytes())];
        change.extend_from_slice(path.as_bytes());
        if let Some(value) = value {
            change.push(length(value));
            change.extend_from_slice(value);
        }
        change
    }

    fn check(changes: &[Vec<u8>], expected: Result<&str, Fault>) {
        let mut out = Vec::new();
        let made = changed_cell(DOCUMENT, &changes.concat(), &mut out);
        let text = made.map(|()| crate::event::row::split_cell(&out).unwrap().0.unwrap());
        assert_eq!(text, expected.map(str::as_bytes));
    }

    #[test]
    fn changes_of_every_kind() {
        let seven: Option<&[u8]> = Some(b"\x05\x07\0");
        check(&[], Ok("{\"a\": 1, \"b\": [1, 2.5]}"));
        check(&[change(REPLACE, "$.a", seven)], Ok("{\"a\": 7, \"b\": [1, 2.5]}"));
        check(&[change(REPLACE, "$", seven)], Ok("7"));
        check(&[change(INSERT, "$.b[1]", seven)], Ok("{\"a\": 1, \"b\": [1, 7, 2.5]}"));
        check(&[change(INSERT, "$.b[9]", seven)], Ok("{\"a\": 1, \"b\": [1, 2.5, 7]}"));
        check(
            &[change(INSERT, "$.\"a \\\"\"", seven), change(REMOVE, "$.b[0]", None)],
            Ok("{\"a\": 1, \"b\": [2.5], \"a \\\"\": 7}"),
        );
        check(&[change(REMOVE, "$.a", None)], Ok("{\"b\": [1, 2.5]}"));
    }

    #[test]
    fn changes_that_do_not_fit_are_errors() {
        for (operation, path) in [
            (REPLACE, "$.c"),
            (INSERT, "$.a"),
            (INSERT, "$"),
            (REMOVE, "$.b[2]"),
            (REMOVE, "$"),
            (REMOVE, "a"),
            (REMOVE, "$.\"a"),
            (REMOVE, "$[x]"),
            (7, "$.a"),
        ] {
            let value = (operation != REMOVE).then_some(&b"\x04\0"[..]);
            check(&[change(operation, path, value)], Err(Fault::JsonChange));
        }
    }
}
