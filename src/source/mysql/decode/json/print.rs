//! Values as MySQL prints them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::event::print;
use crate::source::mysql::decode::bytes::Bytes;
use crate::source::mysql::decode::error::Fault;
use crate::source::mysql::decode::{number, temporal};

use super::{Container, DEPTH_MAX, Scalar, Shape, Value};

/// Appends a document's text.
pub(super) fn document(document: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
    let mut budget = Budget::of(document);
    value(Value::document(document)?, 0, &mut budget, out)
}

/// What a document may still yield: as many values and bytes of text as it has bytes.
pub(super) struct Budget(usize);

impl Budget {
    pub(super) const fn of(document: &[u8]) -> Self {
        // The type of the outermost value, or the missing byte of an empty document.
        Self(document.len() + 2)
    }

    pub(super) fn spend(&mut self, bytes: usize) -> Result<(), Fault> {
        self.0 = self.0.checked_sub(bytes + 1).ok_or(Fault::Json)?;
        Ok(())
    }
}

fn value(
    value: Value<'_>,
    depth: usize,
    budget: &mut Budget,
    out: &mut Vec<u8>,
) -> Result<(), Fault> {
    match value.shape()? {
        Shape::Object(members) => container(members, true, depth, budget, out),
        Shape::Array(elements) => container(elements, false, depth, budget, out),
        Shape::Scalar(found) => {
            budget.spend(found.bytes())?;
            scalar(found, out)
        }
    }
}

fn container(
    container: Container<'_>,
    object: bool,
    depth: usize,
    budget: &mut Budget,
    out: &mut Vec<u8>,
) -> Result<(), Fault> {
    if depth >= DEPTH_MAX {
        return Err(Fault::Json);
    }
    budget.spend(0)?;
    out.push(if object { b'{' } else { b'[' });
    for (index, member) in container.members().enumerate() {
        let (key, member) = member?;
        if index > 0 {
            out.extend_from_slice(b", ");
        }
        if object {
            budget.spend(key.len())?;
            quoted(key, out);
            out.extend_from_slice(b": ");
        }
        value(member, depth + 1, budget, out)?;
    }
    out.push(if object { b'}' } else { b']' });
    Ok(())
}

impl Scalar<'_> {
    /// Bytes of its own beside its place.
    pub(super) const fn bytes(&self) -> usize {
        match self {
            Self::String(bytes) | Self::Opaque(_, bytes) => bytes.len(),
            _ => 0,
        }
    }
}

/// Appends a scalar's text.
pub(super) fn scalar(scalar: Scalar<'_>, out: &mut Vec<u8>) -> Result<(), Fault> {
    match scalar {
        Scalar::Null => out.extend_from_slice(b"null"),
        Scalar::True => out.extend_from_slice(b"true"),
        Scalar::False => out.extend_from_slice(b"false"),
        Scalar::Int(number) => {
            if number < 0 {
                out.push(b'-');
            }
            print::padded(number.unsigned_abs(), 1, out);
        }
        Scalar::Unsigned(number) => print::padded(number, 1, out),
        Scalar::Double(number) => double(number, out),
        Scalar::String(text) => quoted(text, out),
        Scalar::Opaque(kind, bytes) => opaque(kind, bytes, out)?,
    }
    Ok(())
}

/// A double keeps a point or an exponent, so that it reads back as one.
fn double(number: f64, out: &mut Vec<u8>) {
    let start = out.len();
    print::float(number, false, out);
    let text = out.get(start..).unwrap_or_default();
    if text.iter().all(|byte| byte.is_ascii_digit() || *byte == b'-') {
        out.extend_from_slice(b".0");
    }
}

fn opaque(kind: u8, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
    let packed = || Bytes(bytes).u64().map(u64::cast_signed);
    match kind {
        DECIMAL => decimal(bytes, out),
        DATE => in_quotes(out, |out| temporal::json_date(packed()?, out)),
        TIME => in_quotes(out, |out| temporal::json_time(packed()?, out)),
        TIMESTAMP | DATETIME => in_quotes(out, |out| temporal::json_date_time(packed()?, out)),
        _ => in_quotes(out, |out| {
            out.extend_from_slice(b"base64:type");
            print::padded(u64::from(kind), 1, out);
            out.push(b':');
            base64(bytes, out);
            Ok(())
        }),
    }
}

fn in_quotes(
    out: &mut Vec<u8>,
    write: impl FnOnce(&mut Vec<u8>) -> Result<(), Fault>,
) -> Result<(), Fault> {
    out.push(b'"');
    write(out)?;
    out.push(b'"');
    Ok(())
}

/// A DECIMAL behind its precision and scale.
fn decimal(bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
    let mut bytes = Bytes(bytes);
    let (precision, scale) = (bytes.u8()?, bytes.u8()?);
    // Those of expressions may be longer than those of columns.
    if precision > number::DIGITS_MAX || scale > precision {
        return Err(Fault::Json);
    }
    number::Decimal::new(precision, scale, false).print(&mut bytes, out)
}

/// MySQL's base64 begins a new line after every 76 characters, which JSON writes as `\n`.
fn base64(bytes: &[u8], out: &mut Vec<u8>) {
    let mut line = [0; LINE_CHARACTERS];
    for (index, part) in bytes.chunks(LINE_BYTES).enumerate() {
        if index > 0 {
            out.extend_from_slice(b"\\n");
        }
        // A line's bytes always fit into a line.
        let length = STANDARD.encode_slice(part, &mut line).unwrap_or(0);
        out.extend_from_slice(line.get(..length).unwrap_or_default());
    }
}

/// Appends a text in quotes, with the escapes that MySQL writes.
pub(super) fn quoted(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    let mut plain = text;
    while let Some(at) = plain.iter().position(|byte| *byte < b' ' || matches!(byte, b'"' | b'\\'))
    {
        let (before, from) = plain.split_at(at);
        let Some((&special, behind)) = from.split_first() else { break };
        out.extend_from_slice(before);
        plain = behind;
        let short = match special {
            b'"' | b'\\' => special,
            0x08 => b'b',
            0x0c => b'f',
            b'\n' => b'n',
            b'\r' => b'r',
            b'\t' => b't',
            control => {
                let digit = |digit: u8| if digit < 10 { b'0' + digit } else { b'a' + digit - 10 };
                out.extend_from_slice(b"\\u00");
                out.extend_from_slice(&[digit(control >> 4), digit(control & 0xf)]);
                continue;
            }
        };
        out.extend_from_slice(&[b'\\', short]);
    }
    out.extend_from_slice(plain);
    out.push(b'"');
}

const TIMESTAMP: u8 = 7;
const DATE: u8 = 10;
const TIME: u8 = 11;
const DATETIME: u8 = 12;
const DECIMAL: u8 = 246;

const LINE_CHARACTERS: usize = 76;
const LINE_BYTES: usize = LINE_CHARACTERS / 4 * 3;

#[cfg(test)]
mod tests {
    use super::*;

    fn check(bytes: &[u8], expected: &str) {
        let mut out = Vec::new();
        document(bytes, &mut out).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), expected);
        for length in 1..bytes.len() {
            let _ = document(&bytes[..length], &mut Vec::new());
        }
    }

    #[test]
    fn documents_as_servers_store_them() {
        check(b"", "null");
        check(b"\x04\x01", "true");
        check(b"\x05\xff\xff", "-1");
        check(b"\x0c\x03a\"\n", "\"a\\\"\\n\"");
        check(b"\x0b\0\0\0\0\0\0\xf0\x3f", "1.0");
        // {"a": 1, "b": [1, 2.5]}
        check(
            b"\0\x02\0\x2a\0\x12\0\x01\0\x13\0\x01\0\x05\x01\0\x02\x14\0ab\
              \x02\0\x12\0\x05\x01\0\x0b\x0a\0\0\0\0\0\0\0\x04\x40\0\0\0\0",
            "{\"a\": 1, \"b\": [1, 2.5]}",
        );
        check(b"\x0f\x0f\x02\0\xff", "\"base64:type15:AP8=\"");
        check(b"\x0f\xf6\x04\x03\x02\x81\x32", "1.50");
    }

    /// An array whose elements all are the array before it: 2^depth values in a few bytes.
    #[test]
    fn values_that_are_pointed_at_again_and_again_are_no_document() {
        let mut bytes = vec![2];
        // Each level: count 2, its length to the end, and two entries that point behind themselves.
        let levels = 60_u16;
        for level in 0..levels {
            let length = (levels - level) * 10 + 4;
            bytes.extend_from_slice(&2_u16.to_le_bytes());
            bytes.extend_from_slice(&length.to_le_bytes());
            for _ in 0..2 {
                bytes.push(2);
                bytes.extend_from_slice(&10_u16.to_le_bytes());
            }
        }
        bytes.extend_from_slice(&[0, 0, 4, 0]);
        assert_eq!(document(&bytes, &mut Vec::new()), Err(Fault::Json));
    }

    #[test]
    fn nesting_is_bounded() {
        let nested = |levels: u16| {
            let mut bytes = vec![2];
            for level in 0..levels {
                let length = (levels - level) * 7 + 4;
                bytes.extend_from_slice(&1_u16.to_le_bytes());
                bytes.extend_from_slice(&length.to_le_bytes());
                bytes.extend_from_slice(&[2, 7, 0]);
            }
            bytes.extend_from_slice(&[0, 0, 4, 0]);
            document(&bytes, &mut Vec::new())
        };
        assert_eq!(nested(99), Ok(()));
        assert_eq!(nested(100), Err(Fault::Json));
    }
}
