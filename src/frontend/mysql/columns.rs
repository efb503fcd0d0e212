//! Column definitions: how a column of a table, or one that a statement makes, looks on the wire.

use super::charsets::Results;
use super::opensrv::{ColumnFlags, ColumnType as WireType};
use super::wire::push_made_cell;
use crate::event::charset::Conversion;
use crate::event::{CollationId, Column, ColumnType, collation};
use crate::source::ServedColumn;

/// One column definition packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnDefinition {
    /// The keyspace; empty for what is no table's.
    pub schema: String,
    /// The table's alias.
    pub table: String,
    /// The table's own name.
    pub original_table: String,
    /// The column's alias.
    pub name: String,
    /// The column's own name.
    pub original_name: String,
    /// The collation of the cells as they are kept; `binary` for all that is no text.
    pub collation: CollationId,
    /// The longest cell as it is kept, in bytes: clients make columns as wide as it becomes.
    pub length: u32,
    /// The type.
    pub wire_type: WireType,
    /// What else is known.
    pub flags: ColumnFlags,
    /// Digits behind the point.
    pub decimals: u8,
}

impl ColumnDefinition {
    /// A text that a statement makes, of at most `characters`.
    pub fn text(name: &str, characters: u32) -> Self {
        Self {
            collation: TEXT_COLLATION,
            length: characters.saturating_mul(CHARACTER_BYTES),
            ..Self::made(name, WireType::MYSQL_TYPE_VAR_STRING)
        }
    }

    /// Declares a text as so many characters long; other types keep their length.
    pub fn fit_text(&mut self, characters: u32) {
        if self.wire_type == WireType::MYSQL_TYPE_VAR_STRING {
            self.length = characters.saturating_mul(CHARACTER_BYTES);
        }
    }

    /// A whole number that a statement makes.
    pub fn integer(name: &str) -> Self {
        Self { length: 20, ..Self::made(name, WireType::MYSQL_TYPE_LONGLONG) }
    }

    /// A column of a table, under a name of the statement's.
    pub fn of(column: &Column, schema: &str, tables: (&str, &str), name: &str) -> Self {
        let shape = Shape::of(column);
        // Binary in the store, but read as text.
        let reads_as_text =
            matches!(column.column_type, ColumnType::Uuid | ColumnType::Inet4 | ColumnType::Inet6);
        let text = shape.is_text && (reads_as_text || column.collation != CollationId::BINARY);
        let mut flags = shape.flags;
        flags.set(ColumnFlags::NOT_NULL_FLAG, !column.nullable);
        flags.set(ColumnFlags::AUTO_INCREMENT_FLAG, column.auto_increment);
        flags
            .set(ColumnFlags::NO_DEFAULT_VALUE_FLAG, !column.has_default && !column.auto_increment);
        flags.set(ColumnFlags::BINARY_FLAG, !text);
        Self {
            schema: schema.to_owned(),
            table: tables.0.to_owned(),
            original_table: tables.1.to_owned(),
            name: name.to_owned(),
            original_name: column.name.to_string(),
            collation: if text { column.collation } else { CollationId::BINARY },
            length: if text && !is_blob(shape.wire_type) {
                let bytes = collation::character_bytes_max(column.collation).unwrap_or(1);
                shape.length.saturating_mul(bytes)
            } else {
                shape.length
            },
            wire_type: shape.wire_type,
            flags,
            decimals: shape.decimals,
        }
    }

    /// A column as another server has described it.
    pub fn served(column: &ServedColumn) -> Self {
        Self {
            schema: column.schema.clone(),
            table: column.table.clone(),
            original_table: column.original_table.clone(),
            name: column.name.clone(),
            original_name: column.original_name.clone(),
            collation: column.collation,
            length: column.length,
            // A type that is newer than we are says nothing to most clients either; its bytes are a
            // blob's.
            wire_type: WireType::try_from(column.wire_type).unwrap_or(WireType::MYSQL_TYPE_BLOB),
            flags: ColumnFlags::from_bits_truncate(column.flags),
            decimals: column.decimals,
        }
    }

    /// How the cells are converted for a session; `None` where they go as they are.
    pub fn conversion(&self, results: Results) -> Option<Conversion> {
        // JSON says that it is bytes, and is a text all the same.
        let is_json = self.wire_type == WireType::MYSQL_TYPE_JSON;
        results.conversion(if is_json { TEXT_COLLATION } else { self.collation })
    }

    /// Appends the packet's payload.
    pub fn push(&self, out: &mut Vec<u8>, results: Results) {
        let texts = [
            "def",
            &self.schema,
            &self.table,
            &self.original_table,
            &self.name,
            &self.original_name,
        ];
        for text in texts {
            push_made_cell(out, |out| results.push_name(text, out));
        }
        out.push(FIXED_BYTES);
        let (collation, length) =
            results.declared(self.collation, self.length, is_blob(self.wire_type));
        out.extend_from_slice(&collation.0.to_le_bytes());
        out.extend_from_slice(&length.to_le_bytes());
        out.push(self.wire_type as u8);
        out.extend_from_slice(&self.flags.bits().to_le_bytes());
        out.extend_from_slice(&[self.decimals, 0, 0]);
    }

    fn made(name: &str, wire_type: WireType) -> Self {
        Self {
            schema: String::new(),
            table: String::new(),
            original_table: String::new(),
            name: name.to_owned(),
            original_name: String::new(),
            collation: CollationId::BINARY,
            length: 0,
            wire_type,
            flags: ColumnFlags::empty(),
            decimals: 0,
        }
    }
}

/// What a declared type comes to on the wire.
struct Shape {
    wire_type: WireType,
    /// In characters for texts, in bytes for all else.
    length: u32,
    flags: ColumnFlags,
    decimals: u8,
    is_text: bool,
}

impl Shape {
    fn of(column: &Column) -> Self {
        let number = |wire_type, length, decimals, unsigned| {
            let flags = if unsigned { ColumnFlags::UNSIGNED_FLAG } else { ColumnFlags::empty() };
            Self { wire_type, length, flags, decimals, is_text: false }
        };
        let time = |wire_type, length: u32, fsp: u8| {
            let fraction = if fsp == 0 { 0 } else { u32::from(fsp) + 1 };
            number(wire_type, length + fraction, fsp, false)
        };
        let text = |wire_type, length, flags| Self {
            wire_type,
            length,
            flags,
            decimals: 0,
            is_text: true,
        };
        match &column.column_type {
            ColumnType::Int { bytes, unsigned } => {
                let (wire_type, length) = integer(*bytes, *unsigned);
                number(wire_type, length, 0, *unsigned)
            }
            ColumnType::Decimal { precision, scale, unsigned } => {
                let length = u32::from(*precision) + u32::from(*scale > 0) + u32::from(!unsigned);
                number(WireType::MYSQL_TYPE_NEWDECIMAL, length, *scale, *unsigned)
            }
            ColumnType::Float { unsigned } => {
                number(WireType::MYSQL_TYPE_FLOAT, 12, ANY_DECIMALS, *unsigned)
            }
            ColumnType::Double { unsigned } => {
                number(WireType::MYSQL_TYPE_DOUBLE, 22, ANY_DECIMALS, *unsigned)
            }
            ColumnType::Bit { bits } => number(WireType::MYSQL_TYPE_BIT, u32::from(*bits), 0, true),
            ColumnType::Date => number(WireType::MYSQL_TYPE_DATE, 10, 0, false),
            ColumnType::Time { fsp } => time(WireType::MYSQL_TYPE_TIME, 10, *fsp),
            ColumnType::DateTime { fsp } => time(WireType::MYSQL_TYPE_DATETIME, 19, *fsp),
            ColumnType::Timestamp { fsp } => {
                let mut shape = time(WireType::MYSQL_TYPE_TIMESTAMP, 19, *fsp);
                shape.flags |= ColumnFlags::TIMESTAMP_FLAG;
                shape
            }
            ColumnType::Year => number(WireType::MYSQL_TYPE_YEAR, 4, 0, true),
            ColumnType::Char { length } => {
                text(WireType::MYSQL_TYPE_STRING, *length, ColumnFlags::empty())
            }
            ColumnType::VarChar { length } => {
                text(WireType::MYSQL_TYPE_VAR_STRING, *length, ColumnFlags::empty())
            }
            ColumnType::Text { length_bytes } => {
                let length = u32::MAX >> (32 - 8 * u32::from((*length_bytes).clamp(1, 4)));
                text(WireType::MYSQL_TYPE_BLOB, length, ColumnFlags::BLOB_FLAG)
            }
            ColumnType::Enum { members } => {
                let length = members.iter().map(|member| characters(member)).max().unwrap_or(0);
                text(WireType::MYSQL_TYPE_STRING, length, ColumnFlags::ENUM_FLAG)
            }
            ColumnType::Set { members } => {
                let texts: u32 = members.iter().map(|member| characters(member)).sum();
                let commas = u32::try_from(members.len()).unwrap_or(0).saturating_sub(1);
                text(WireType::MYSQL_TYPE_STRING, texts + commas, ColumnFlags::SET_FLAG)
            }
            ColumnType::Json => blob(WireType::MYSQL_TYPE_JSON),
            ColumnType::Geometry => blob(WireType::MYSQL_TYPE_GEOMETRY),
            // The number of MySQL 9's own type says nothing to older clients; its bytes are a blob's.
            ColumnType::Vector { dimensions } => {
                let length = dimensions.saturating_mul(VECTOR_ENTRY_BYTES);
                Self { length, ..blob(WireType::MYSQL_TYPE_BLOB) }
            }
            ColumnType::Uuid => text(WireType::MYSQL_TYPE_STRING, 36, ColumnFlags::empty()),
            ColumnType::Inet4 => text(WireType::MYSQL_TYPE_STRING, 15, ColumnFlags::empty()),
            ColumnType::Inet6 => text(WireType::MYSQL_TYPE_STRING, 39, ColumnFlags::empty()),
        }
    }
}

/// Whether the length counts bytes, whatever the characters are.
fn is_blob(wire_type: WireType) -> bool {
    matches!(
        wire_type,
        WireType::MYSQL_TYPE_TINY_BLOB
            | WireType::MYSQL_TYPE_MEDIUM_BLOB
            | WireType::MYSQL_TYPE_LONG_BLOB
            | WireType::MYSQL_TYPE_BLOB
    )
}

fn blob(wire_type: WireType) -> Shape {
    let flags = ColumnFlags::BLOB_FLAG;
    Shape { wire_type, length: u32::MAX, flags, decimals: 0, is_text: false }
}

/// The type and its widest number.
fn integer(bytes: u8, unsigned: bool) -> (WireType, u32) {
    let (wire_type, signed_length, unsigned_length) = match bytes {
        1 => (WireType::MYSQL_TYPE_TINY, 4, 3),
        2 => (WireType::MYSQL_TYPE_SHORT, 6, 5),
        3 => (WireType::MYSQL_TYPE_INT24, 9, 8),
        4 => (WireType::MYSQL_TYPE_LONG, 11, 10),
        _ => (WireType::MYSQL_TYPE_LONGLONG, 20, 20),
    };
    (wire_type, if unsigned { unsigned_length } else { signed_length })
}

fn characters(text: &str) -> u32 {
    u32::try_from(text.chars().count()).unwrap_or(u32::MAX)
}

/// The collation of texts that statements make.
const TEXT_COLLATION: CollationId = CollationId::UTF8MB4_0900_AI_CI;
/// Bytes of the longest utf8mb4 character.
const CHARACTER_BYTES: u32 = 4;
/// Length of the fields behind the names.
const FIXED_BYTES: u8 = 0x0c;
const VECTOR_ENTRY_BYTES: u32 = 4;
/// As many decimals as a value has.
const ANY_DECIMALS: u8 = 31;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_the_widest_cell() {
        let check = |column_type, collation, length| {
            let column = Column::plain("c", column_type, collation);
            let definition = ColumnDefinition::of(&column, "ks", ("t", "t"), "c");
            assert_eq!(definition.length, length, "{definition:?}");
        };
        let (binary, text) = (CollationId::BINARY, CollationId::UTF8MB4_BIN);
        check(ColumnType::Int { bytes: 8, unsigned: false }, binary, 20);
        check(ColumnType::Int { bytes: 1, unsigned: true }, binary, 3);
        check(ColumnType::Decimal { precision: 8, scale: 2, unsigned: false }, binary, 10);
        check(ColumnType::VarChar { length: 128 }, binary, 128);
        check(ColumnType::VarChar { length: 128 }, text, 512);
        check(ColumnType::Text { length_bytes: 2 }, binary, 65535);
        check(ColumnType::Text { length_bytes: 2 }, text, 65535);
        check(ColumnType::VarChar { length: 128 }, CollationId(28), 256);
        check(ColumnType::Text { length_bytes: 4 }, text, u32::MAX);
        check(ColumnType::DateTime { fsp: 6 }, binary, 26);
        let members = ["a".into(), "bcd".into()].into();
        check(ColumnType::Set { members }, text, 20);
    }

    #[test]
    fn the_packet_is_what_clients_expect() {
        let mut out = Vec::new();
        ColumnDefinition::text("op", 1).push(&mut out, Results::default());
        assert_eq!(out, b"\x03def\0\0\0\x02op\0\x0c\xff\0\x04\0\0\0\xfd\0\0\0\0\0");
    }
}
