//! MySQL's binary JSON -> the text that MySQL prints of it, down to the space behind each comma.
//!
//! Documents are read where they lie. Their tables hold offsets, which in malicious bytes could
//! point at the same value again and again: so a document may not yield more values and bytes of
//! text than it has bytes itself.

mod change;
mod print;

use super::bytes::Bytes;
use super::error::Fault;

pub(super) use change::changed_cell;

/// Appends a document as a cell.
pub(super) fn cell(document: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
    crate::event::print::long_cell(out, |out| print::document(document, out))
}

/// A value where it lies: its type, and the bytes from its beginning to the end of the document.
#[derive(Debug, Clone, Copy)]
struct Value<'a> {
    kind: u8,
    bytes: &'a [u8],
}

/// What a value is.
#[derive(Debug, Clone, Copy)]
enum Shape<'a> {
    Object(Container<'a>),
    Array(Container<'a>),
    Scalar(Scalar<'a>),
}

/// A value that holds no other.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Scalar<'a> {
    Null,
    True,
    False,
    Int(i64),
    Unsigned(u64),
    Double(f64),
    String(&'a [u8]),
    /// A value of a column's type.
    Opaque(u8, &'a [u8]),
}

/// The members of an object or the elements of an array: tables of their places, then themselves.
#[derive(Debug, Clone, Copy)]
struct Container<'a> {
    /// Offsets count from here.
    whole: &'a [u8],
    count: usize,
    keys: Bytes<'a>,
    values: Bytes<'a>,
    large: bool,
}

impl<'a> Value<'a> {
    /// A whole document; no bytes at all are how some servers store `null`.
    fn document(document: &'a [u8]) -> Result<Self, Fault> {
        match document.split_first() {
            Some((&kind, bytes)) => Ok(Self { kind, bytes }),
            None => Ok(Self { kind: LITERAL, bytes: &[NULL] }),
        }
    }

    fn shape(self) -> Result<Shape<'a>, Fault> {
        let mut bytes = Bytes(self.bytes);
        let scalar = match self.kind {
            SMALL_OBJECT => return Container::read(self.bytes, false, true).map(Shape::Object),
            LARGE_OBJECT => return Container::read(self.bytes, true, true).map(Shape::Object),
            SMALL_ARRAY => return Container::read(self.bytes, false, false).map(Shape::Array),
            LARGE_ARRAY => return Container::read(self.bytes, true, false).map(Shape::Array),
            LITERAL => match bytes.u8()? {
                NULL => Scalar::Null,
                TRUE => Scalar::True,
                FALSE => Scalar::False,
                _ => return Err(Fault::Json),
            },
            INT16 => Scalar::Int(i64::from(bytes.u16()?.cast_signed())),
            UINT16 => Scalar::Unsigned(u64::from(bytes.u16()?)),
            INT32 => Scalar::Int(i64::from(bytes.u32()?.cast_signed())),
            UINT32 => Scalar::Unsigned(u64::from(bytes.u32()?)),
            INT64 => Scalar::Int(bytes.u64()?.cast_signed()),
            UINT64 => Scalar::Unsigned(bytes.u64()?),
            DOUBLE => Scalar::Double(f64::from_bits(bytes.u64()?)),
            STRING => Scalar::String(string(&mut bytes)?),
            OPAQUE => {
                let kind = bytes.u8()?;
                Scalar::Opaque(kind, string(&mut bytes)?)
            }
            _ => return Err(Fault::Json),
        };
        Ok(Shape::Scalar(scalar))
    }
}

/// Bytes behind their length: seven bits in each byte, the lowest first.
fn string<'a>(bytes: &mut Bytes<'a>) -> Result<&'a [u8], Fault> {
    let mut length = 0_usize;
    for shift in [0, 7, 14, 21, 28] {
        let byte = bytes.u8()?;
        length |= usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return bytes.take(length);
        }
    }
    Err(Fault::Json)
}

impl<'a> Container<'a> {
    fn read(bytes: &'a [u8], large: bool, object: bool) -> Result<Self, Fault> {
        let width = if large { 4 } else { 2 };
        let mut rest = Bytes(bytes);
        let (count, length) = (rest.little(width)?, rest.little(width)?);
        let count = usize::try_from(count).map_err(|_| Fault::Json)?;
        let length = usize::try_from(length).map_err(|_| Fault::Json)?;
        let whole = bytes.get(..length).ok_or(Fault::Truncated)?;
        let table = |entry: u8| count.checked_mul(usize::from(entry)).ok_or(Fault::Json);
        let keys = if object { Bytes(rest.take(table(width + 2)?)?) } else { Bytes(&[]) };
        let values = Bytes(rest.take(table(width + 1)?)?);
        Ok(Self { whole, count, keys, values, large })
    }

    /// The members in the order in which they are stored; the keys of an array are empty.
    fn members(self) -> impl Iterator<Item = Result<(&'a [u8], Value<'a>), Fault>> {
        let Self { mut keys, mut values, .. } = self;
        (0..self.count).map(move |_| {
            let key = if keys.is_empty() { &[][..] } else { self.key(&mut keys)? };
            Ok((key, self.value(&mut values)?))
        })
    }

    fn key(&self, keys: &mut Bytes<'a>) -> Result<&'a [u8], Fault> {
        let offset = usize::try_from(keys.little(self.width())?).map_err(|_| Fault::Json)?;
        let length = usize::from(keys.u16()?);
        let rest = self.whole.get(offset..).ok_or(Fault::Truncated)?;
        rest.get(..length).ok_or(Fault::Truncated)
    }

    /// A value from its place in the table: short ones stand there themselves.
    fn value(&self, values: &mut Bytes<'a>) -> Result<Value<'a>, Fault> {
        let kind = values.u8()?;
        let place = values.take(usize::from(self.width()))?;
        let inlined = matches!(kind, LITERAL | INT16 | UINT16)
            || self.large && matches!(kind, INT32 | UINT32);
        if inlined {
            return Ok(Value { kind, bytes: place });
        }
        let offset =
            usize::try_from(Bytes(place).little(self.width())?).map_err(|_| Fault::Json)?;
        let bytes = self.whole.get(offset..).ok_or(Fault::Truncated)?;
        Ok(Value { kind, bytes })
    }

    const fn width(&self) -> u8 {
        if self.large { 4 } else { 2 }
    }
}

/// MySQL's own bound.
const DEPTH_MAX: usize = 100;

const SMALL_OBJECT: u8 = 0;
const LARGE_OBJECT: u8 = 1;
const SMALL_ARRAY: u8 = 2;
const LARGE_ARRAY: u8 = 3;
const LITERAL: u8 = 4;
const INT16: u8 = 5;
const UINT16: u8 = 6;
const INT32: u8 = 7;
const UINT32: u8 = 8;
const INT64: u8 = 9;
const UINT64: u8 = 10;
const DOUBLE: u8 = 11;
const STRING: u8 = 12;
const OPAQUE: u8 = 15;

const NULL: u8 = 0;
const TRUE: u8 = 1;
const FALSE: u8 = 2;
