//! One column's values from the log's bytes to a cell: everything that does not change from row to
//! row is worked out once per table map.

use crate::event::print;
use crate::event::row::{push_cell, push_length};
use crate::event::{CollationId, Column, ColumnType, collation};

use super::bytes::{Bytes, wide};
use super::error::Fault;
use super::inflate;
use super::json;
use super::schema::SchemaMismatch;
use super::table_map::{MappedColumn, StoredType};
use super::{address, number, temporal};

/// How to read one column.
#[derive(Debug)]
pub(super) enum ColumnDecoder {
    /// With a sign, of 1, 2, 3, 4 or 8 bytes.
    Int(u8),
    /// Without one.
    Unsigned(u8),
    /// Without one, and with zeros before it up to a width.
    Zerofill {
        bytes: u8,
        width: u8,
    },
    Decimal(number::Decimal),
    Float,
    Double,
    Bit {
        bytes: u8,
    },
    Date,
    Time {
        fsp: u8,
    },
    DateTime {
        fsp: u8,
    },
    Timestamp {
        fsp: u8,
    },
    OldTime,
    OldDateTime,
    OldTimestamp,
    Year,
    /// Any bytes behind their length.
    Bytes {
        length_bytes: u8,
    },
    /// Bytes that lost the zeros at their end.
    Padded {
        length_bytes: u8,
        width: usize,
    },
    /// Deflated bytes behind the length of what they take.
    Compressed {
        length_bytes: u8,
        bytes_max: usize,
    },
    Enum {
        bytes: u8,
        members: Members,
    },
    Set {
        bytes: u8,
        members: Members,
        comma: Box<[u8]>,
    },
    Json {
        length_bytes: u8,
    },
    Uuid,
    Inet4,
    Inet6,
}

/// The names of an ENUM's or SET's members in the column's own bytes.
type Members = Box<[Box<[u8]>]>;

impl ColumnDecoder {
    /// How to read values that are stored as `mapped` says as those of `column`, which
    /// [`MappedColumn::check`] has found to fit.
    pub(super) fn new(mapped: &MappedColumn, column: &Column) -> Result<Self, SchemaMismatch> {
        Ok(match (mapped.stored, &column.column_type) {
            (StoredType::Int(bytes), ColumnType::Int { unsigned, .. }) => {
                match (unsigned, zerofill(&column.declared)) {
                    (true, Some(width)) => Self::Zerofill { bytes, width },
                    (true, None) => Self::Unsigned(bytes),
                    (false, _) => Self::Int(bytes),
                }
            }
            (StoredType::Int(bytes), _) => Self::Int(bytes),
            (StoredType::Decimal(precision, scale), _) => {
                let zeros = zerofill(&column.declared).is_some();
                Self::Decimal(number::Decimal::new(precision, scale, zeros))
            }
            (StoredType::Float, _) => Self::Float,
            (StoredType::Double, _) => Self::Double,
            (StoredType::Bit(bits), _) => Self::Bit { bytes: bits.div_ceil(8) },
            (StoredType::Date, _) => Self::Date,
            (StoredType::Time(fsp), _) => Self::Time { fsp },
            (StoredType::DateTime(fsp), _) => Self::DateTime { fsp },
            (StoredType::Timestamp(fsp), _) => Self::Timestamp { fsp },
            (StoredType::OldTime, ColumnType::Time { fsp: 0 }) => Self::OldTime,
            (StoredType::OldDateTime, ColumnType::DateTime { fsp: 0 }) => Self::OldDateTime,
            (StoredType::OldTimestamp, ColumnType::Timestamp { fsp: 0 }) => Self::OldTimestamp,
            (StoredType::OldTime | StoredType::OldDateTime | StoredType::OldTimestamp, _) => {
                let column = column.name.as_ref().into();
                return Err(SchemaMismatch::OldTime { column });
            }
            (StoredType::Year, _) => Self::Year,
            (StoredType::Char(_), ColumnType::Uuid) => Self::Uuid,
            (StoredType::Char(_), ColumnType::Inet4) => Self::Inet4,
            (StoredType::Char(_), ColumnType::Inet6) => Self::Inet6,
            (StoredType::Char(bytes), _) if column.collation == CollationId::BINARY => {
                Self::Padded { length_bytes: length_bytes(bytes), width: usize::from(bytes) }
            }
            (StoredType::Char(bytes) | StoredType::VarChar(bytes), _) => {
                Self::Bytes { length_bytes: length_bytes(bytes) }
            }
            (StoredType::CompressedVarChar(bytes), _) => {
                let bytes_max = usize::from(bytes);
                Self::Compressed { length_bytes: length_bytes(bytes), bytes_max }
            }
            (StoredType::CompressedBlob(length_bytes), _) => {
                Self::Compressed { length_bytes, bytes_max: inflate::INFLATED_BYTES_MAX }
            }
            (StoredType::Json(length_bytes), _) => Self::Json { length_bytes },
            (
                StoredType::Blob(length_bytes)
                | StoredType::Geometry(length_bytes)
                | StoredType::Vector(length_bytes),
                _,
            ) => Self::Bytes { length_bytes },
            (StoredType::Enum(bytes), _) => Self::Enum { bytes, members: members(mapped, column)? },
            (StoredType::Set(bytes), _) => {
                let comma = collation::encode(column.collation, ",").unwrap_or_default();
                Self::Set { bytes, members: members(mapped, column)?, comma }
            }
        })
    }

    /// Appends the next value as a cell.
    #[inline]
    pub(super) fn decode(&self, bytes: &mut Bytes<'_>, out: &mut Vec<u8>) -> Result<(), Fault> {
        match self {
            Self::Int(1) => print::signed_cell(i64::from(bytes.u8()?.cast_signed()), out),
            Self::Int(2) => print::signed_cell(i64::from(bytes.u16()?.cast_signed()), out),
            Self::Int(4) => print::signed_cell(i64::from(bytes.u32()?.cast_signed()), out),
            Self::Int(8) => print::signed_cell(bytes.u64()?.cast_signed(), out),
            Self::Int(_) => print::signed_cell(number::signed24(bytes.u24()?), out),
            Self::Unsigned(width) => print::whole_cell(false, bytes.little(*width)?, out),
            Self::Zerofill { bytes: width, width: digits } => {
                let number = bytes.little(*width)?;
                print::short_cell(out, |out| print::padded(number, usize::from(*digits), out));
            }
            Self::Decimal(decimal) => decimal.decode(bytes, out)?,
            Self::Float => {
                let number = f32::from_bits(bytes.u32()?);
                print::short_cell(out, |out| print::float(f64::from(number), true, out));
            }
            Self::Double => {
                let number = f64::from_bits(bytes.u64()?);
                print::short_cell(out, |out| print::float(number, false, out));
            }
            Self::Bit { bytes: width } => push_cell(out, bytes.take(usize::from(*width))?),
            Self::Date => temporal::date(bytes, out)?,
            Self::Time { fsp } => temporal::time(*fsp, bytes, out)?,
            Self::DateTime { fsp } => temporal::date_time(*fsp, bytes, out)?,
            Self::Timestamp { fsp } => temporal::timestamp(*fsp, bytes, out)?,
            Self::OldTime => temporal::old_time(bytes, out)?,
            Self::OldDateTime => temporal::old_date_time(bytes, out)?,
            Self::OldTimestamp => temporal::old_timestamp(bytes, out)?,
            Self::Year => temporal::year(bytes.u8()?, out),
            Self::Bytes { length_bytes } => push_cell(out, bytes.prefixed(*length_bytes)?),
            Self::Padded { length_bytes, width } => {
                padded(bytes.prefixed(*length_bytes)?, *width, out)?;
            }
            Self::Compressed { length_bytes, bytes_max } => {
                inflate::column(bytes.prefixed(*length_bytes)?, *bytes_max, out)?;
            }
            Self::Enum { bytes: width, members } => member(bytes.little(*width)?, members, out)?,
            Self::Set { bytes: width, members, comma } => {
                set(bytes.little(*width)?, members, comma, out)?;
            }
            Self::Json { length_bytes } => json::cell(bytes.prefixed(*length_bytes)?, out)?,
            Self::Uuid => address::uuid(bytes.prefixed(1)?, out)?,
            Self::Inet4 => address::inet4(bytes.prefixed(1)?, out)?,
            Self::Inet6 => address::inet6(bytes.prefixed(1)?, out)?,
        }
        Ok(())
    }

    /// The bytes of a JSON's length; none for other types.
    pub(super) const fn json_length_bytes(&self) -> Option<u8> {
        match self {
            Self::Json { length_bytes } => Some(*length_bytes),
            _ => None,
        }
    }
}

fn insufficient(column: &Column, lacks: &'static str) -> SchemaMismatch {
    SchemaMismatch::Insufficient { column: column.name.as_ref().into(), lacks }
}

/// The bytes of the length of a text of at most so many bytes.
const fn length_bytes(bytes_max: u16) -> u8 {
    if bytes_max > 255 { 2 } else { 1 }
}

/// The width of `int(5) unsigned zerofill`, which the log does not have.
pub(in crate::source::mysql) fn zerofill(declared: &str) -> Option<u8> {
    let words = declared.strip_suffix("zerofill")?;
    let (_, width) = words.split_once('(')?;
    width.split([')', ',']).next()?.parse().ok()
}

fn members(mapped: &MappedColumn, column: &Column) -> Result<Members, SchemaMismatch> {
    if let Some(members) = &mapped.members {
        return Ok(members.iter().cloned().collect());
    }
    let known: &[Box<str>] = match &column.column_type {
        ColumnType::Enum { members } | ColumnType::Set { members } => members,
        _ => &[],
    };
    let encoded = known.iter().map(|member| collation::encode(column.collation, member));
    encoded
        .collect::<Option<Members>>()
        .ok_or_else(|| insufficient(column, "its members in its character set"))
}

fn padded(bytes: &[u8], width: usize, out: &mut Vec<u8>) -> Result<(), Fault> {
    let missing = width.checked_sub(bytes.len()).ok_or(Fault::Length)?;
    push_length(out, wide(width));
    out.extend_from_slice(bytes);
    out.extend(std::iter::repeat_n(0, missing));
    Ok(())
}

/// An ENUM's member; its number 0 is the empty text that an invalid value becomes.
fn member(number: u64, members: &Members, out: &mut Vec<u8>) -> Result<(), Fault> {
    let Some(index) = number.checked_sub(1) else {
        push_cell(out, b"");
        return Ok(());
    };
    let index = usize::try_from(index).map_err(|_| Fault::Range)?;
    push_cell(out, members.get(index).ok_or(Fault::Range)?);
    Ok(())
}

fn set(bits: u64, members: &Members, comma: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
    let count = u32::try_from(members.len()).map_err(|_| Fault::Range)?;
    if bits.checked_shr(count).is_some_and(|beyond| beyond != 0) {
        return Err(Fault::Range);
    }
    print::long_cell(out, |out| {
        let mut before: &[u8] = b"";
        for (index, member) in members.iter().enumerate() {
            if bits >> index & 1 == 1 {
                out.extend_from_slice(before);
                out.extend_from_slice(member);
                before = comma;
            }
        }
        Ok(())
    })
}
