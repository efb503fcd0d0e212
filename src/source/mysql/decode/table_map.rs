//! TABLE_MAP events: what the log itself says of a table before the rows of it.
//!
//! Types and their sizes are always there. Names, signs, charsets, members and the primary key are
//! there as far as `binlog_row_metadata` has them written (MariaDB: nothing unless it is set).

use crate::event::{CollationId, collation};
use crate::source::mysql::Flavour;

use super::bytes::Bytes;
use super::error::Fault;

/// The number that a table map gives its table for the rows behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TableId(pub u64);

impl TableId {
    /// Rows of no table: they only end a statement.
    pub(super) const DUMMY: Self = Self(0xff_ffff);
}

/// What the log itself says of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableMap {
    /// The database.
    pub database: Box<str>,
    /// The table.
    pub table: Box<str>,
    /// The columns in table order.
    pub columns: Vec<MappedColumn>,
    /// The number of the first column's type that is not known: of the columns nothing is, then.
    pub unknown_type: Option<u8>,
    /// Whether the log has names, and then all that `binlog_row_metadata = FULL` has.
    pub is_full: bool,
    /// Indexes of the primary key's columns in key order; none if there is none, or if the log
    /// does not say ([`Self::is_full`]).
    pub primary_key: Vec<usize>,
}

impl TableMap {
    /// `database.table`, for errors.
    pub fn name(&self) -> Box<str> {
        format!("{}.{}", self.database, self.table).into()
    }
}

/// What the log says of a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MappedColumn {
    /// The name, if it is logged.
    pub name: Option<Box<str>>,
    /// The type as it is stored.
    pub stored: StoredType,
    /// May hold NULL.
    pub nullable: bool,
    /// Whether a number has no sign, if it is logged.
    pub unsigned: Option<bool>,
    /// The collation of a text, ENUM or SET, if it is logged; `binary` for bytes.
    pub collation: Option<CollationId>,
    /// The members of an ENUM or SET in their charset, if they are logged.
    pub members: Option<Vec<Box<[u8]>>>,
    /// Dimensions of a VECTOR, if they are logged.
    pub dimensions: Option<u32>,
}

/// How the log stores a column's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoredType {
    /// 1, 2, 3, 4 or 8 bytes.
    Int(u8),
    /// All digits, and those behind the point.
    Decimal(u8, u8),
    /// FLOAT.
    Float,
    /// DOUBLE.
    Double,
    /// BIT of so many bits.
    Bit(u8),
    /// DATE.
    Date,
    /// TIME(fsp).
    Time(u8),
    /// DATETIME(fsp).
    DateTime(u8),
    /// TIMESTAMP(fsp).
    Timestamp(u8),
    /// TIME in the form before MySQL 5.6, whose fraction the log does not name.
    OldTime,
    /// DATETIME in that form.
    OldDateTime,
    /// TIMESTAMP in that form.
    OldTimestamp,
    /// YEAR.
    Year,
    /// CHAR or BINARY of so many bytes.
    Char(u16),
    /// VARCHAR or VARBINARY of so many bytes.
    VarChar(u16),
    /// A TEXT or BLOB by the bytes of its length.
    Blob(u8),
    /// MariaDB's VARCHAR or VARBINARY COMPRESSED of so many bytes as stored.
    CompressedVarChar(u16),
    /// MariaDB's TEXT or BLOB COMPRESSED by the bytes of its length.
    CompressedBlob(u8),
    /// ENUM of 1 or 2 bytes.
    Enum(u8),
    /// SET of 1 to 8 bytes.
    Set(u8),
    /// JSON by the bytes of its length.
    Json(u8),
    /// GEOMETRY by the bytes of its length.
    Geometry(u8),
    /// VECTOR by the bytes of its length.
    Vector(u8),
}

impl StoredType {
    const fn is_number(self) -> bool {
        matches!(self, Self::Int(_) | Self::Decimal(..) | Self::Float | Self::Double | Self::Year)
    }

    /// Whether MySQL logs a charset for it.
    const fn is_mysql_text(self) -> bool {
        matches!(self, Self::Char(_) | Self::VarChar(_) | Self::Blob(_) | Self::Vector(_))
    }

    /// Whether MariaDB logs a charset for it.
    const fn is_mariadb_text(self) -> bool {
        matches!(
            self,
            Self::Char(_)
                | Self::VarChar(_)
                | Self::Blob(_)
                | Self::CompressedVarChar(_)
                | Self::CompressedBlob(_)
                | Self::Geometry(_)
        )
    }

    const fn is_member(self) -> bool {
        matches!(self, Self::Enum(_) | Self::Set(_))
    }

    /// Reads a type's own bytes behind its number.
    fn decode(kind: u8, metadata: &mut Bytes<'_>) -> Result<Self, Fault> {
        Ok(match kind {
            1 => Self::Int(1),
            2 => Self::Int(2),
            9 => Self::Int(3),
            3 => Self::Int(4),
            8 => Self::Int(8),
            4 => metadata.u8().map(|_| Self::Float)?,
            5 => metadata.u8().map(|_| Self::Double)?,
            246 => {
                let (precision, scale) = (metadata.u8()?, metadata.u8()?);
                if precision > 65 || scale > precision || scale > 38 {
                    return Err(Fault::Range);
                }
                Self::Decimal(precision, scale)
            }
            16 => {
                let (bits, bytes) = (metadata.u8()?, metadata.u8()?);
                let bits = bytes.checked_mul(8).and_then(|whole| whole.checked_add(bits));
                Self::Bit(bits.filter(|bits| (1..=64).contains(bits)).ok_or(Fault::Range)?)
            }
            10 | 14 => Self::Date,
            19 => Self::Time(fsp(metadata)?),
            18 => Self::DateTime(fsp(metadata)?),
            17 => Self::Timestamp(fsp(metadata)?),
            11 => Self::OldTime,
            12 => Self::OldDateTime,
            7 => Self::OldTimestamp,
            13 => Self::Year,
            15 | 253 => Self::VarChar(metadata.u16()?),
            141 => Self::CompressedVarChar(metadata.u16()?),
            252 => Self::Blob(length_bytes(metadata)?),
            140 => Self::CompressedBlob(length_bytes(metadata)?),
            245 => Self::Json(length_bytes(metadata)?),
            255 => Self::Geometry(length_bytes(metadata)?),
            242 => Self::Vector(length_bytes(metadata)?),
            247 | 248 | 254 => Self::decode_string(metadata.u8()?, metadata.u8()?)?,
            _ => return Err(Fault::ColumnType),
        })
    }

    /// CHAR, ENUM and SET share a number; two bits of a CHAR's length are in the byte of the kind.
    fn decode_string(kind: u8, length: u8) -> Result<Self, Fault> {
        let high = u16::from((kind & 0x30) ^ 0x30) << 4;
        Ok(match kind | 0x30 {
            247 if high == 0 && matches!(length, 1 | 2) => Self::Enum(length),
            248 if high == 0 && matches!(length, 1..=8) => Self::Set(length),
            254 => Self::Char(high | u16::from(length)),
            _ => return Err(Fault::ColumnType),
        })
    }
}

fn fsp(metadata: &mut Bytes<'_>) -> Result<u8, Fault> {
    metadata.u8().and_then(|fsp| if fsp <= 6 { Ok(fsp) } else { Err(Fault::Range) })
}

fn length_bytes(metadata: &mut Bytes<'_>) -> Result<u8, Fault> {
    let bytes = metadata.u8()?;
    if (1..=4).contains(&bytes) { Ok(bytes) } else { Err(Fault::Range) }
}

/// Reads what stands behind the table's id and the flags.
pub(super) fn decode(flavour: Flavour, mut body: Bytes<'_>) -> Result<TableMap, Fault> {
    let database = name(&mut body)?;
    let table = name(&mut body)?;
    let count = body.count()?;
    let kinds = body.take(count)?;
    let mut metadata = Bytes(body.packed_prefixed()?);
    let nulls = body.take(count.div_ceil(8))?;
    let mut map = TableMap {
        database,
        table,
        columns: Vec::with_capacity(count),
        unknown_type: None,
        is_full: false,
        primary_key: Vec::new(),
    };
    for (index, &kind) in kinds.iter().enumerate() {
        let stored = match StoredType::decode(kind, &mut metadata) {
            // A newer server's type is no matter of who wants other tables.
            Err(Fault::ColumnType) => {
                return Ok(TableMap { unknown_type: Some(kind), columns: Vec::new(), ..map });
            }
            stored => stored?,
        };
        map.columns.push(MappedColumn {
            name: None,
            stored,
            nullable: bit(nulls, index),
            unsigned: None,
            collation: None,
            members: None,
            dimensions: None,
        });
    }
    if !metadata.is_empty() {
        return Err(Fault::LeftOver);
    }
    while !body.is_empty() {
        let (kind, mut field) = (body.u8()?, Bytes(body.packed_prefixed()?));
        map.optional(flavour, kind, &mut field)?;
    }
    Ok(map)
}

/// A name behind its length, ended by a zero.
fn name(body: &mut Bytes<'_>) -> Result<Box<str>, Fault> {
    let text = body.packed_prefixed()?;
    body.skip(1)?;
    utf8(text)
}

fn utf8(text: &[u8]) -> Result<Box<str>, Fault> {
    std::str::from_utf8(text).map(Into::into).map_err(|_| Fault::Utf8)
}

/// A bitmap's bit, lowest first.
fn bit(bits: &[u8], index: usize) -> bool {
    bits.get(index / 8).is_some_and(|byte| byte >> (index % 8) & 1 == 1)
}

impl TableMap {
    fn optional(&mut self, flavour: Flavour, kind: u8, field: &mut Bytes<'_>) -> Result<(), Fault> {
        let is_text = match flavour {
            Flavour::Mysql => StoredType::is_mysql_text,
            Flavour::MariaDb => StoredType::is_mariadb_text,
        };
        match kind {
            SIGNS => {
                let bits = field.rest();
                for (index, column) in self.those(StoredType::is_number).enumerate() {
                    // Highest bit first, unlike every other bitmap.
                    let byte = bits.get(index / 8).ok_or(Fault::Truncated)?;
                    column.unsigned = Some(byte >> (7 - index % 8) & 1 == 1);
                }
            }
            DEFAULT_CHARSET => default_charset(self.those(is_text), field)?,
            COLUMN_CHARSET => column_charset(self.those(is_text), field)?,
            MEMBERS_DEFAULT_CHARSET => {
                default_charset(self.those(StoredType::is_member), field)?;
            }
            MEMBERS_COLUMN_CHARSET => column_charset(self.those(StoredType::is_member), field)?,
            NAMES => {
                for column in &mut self.columns {
                    column.name = Some(utf8(field.packed_prefixed()?)?);
                }
                self.is_full = true;
            }
            SET_MEMBERS => {
                members(self.those(|stored| matches!(stored, StoredType::Set(_))), field)?;
            }
            ENUM_MEMBERS => {
                members(self.those(|stored| matches!(stored, StoredType::Enum(_))), field)?;
            }
            PRIMARY_KEY => {
                while !field.is_empty() {
                    self.push_key(field.count()?)?;
                }
            }
            PRIMARY_KEY_WITH_PREFIX => {
                while !field.is_empty() {
                    self.push_key(field.count()?)?;
                    field.packed()?;
                }
            }
            DIMENSIONS => {
                for column in self.those(|stored| matches!(stored, StoredType::Vector(_))) {
                    column.dimensions = u32::try_from(field.packed()?).ok();
                }
            }
            // Kinds of geometry, visibility, and what a later server may add.
            _ => {}
        }
        Ok(())
    }

    fn those(&mut self, which: fn(StoredType) -> bool) -> impl Iterator<Item = &mut MappedColumn> {
        self.columns.iter_mut().filter(move |column| which(column.stored))
    }

    fn push_key(&mut self, index: usize) -> Result<(), Fault> {
        if index >= self.columns.len() || self.primary_key.contains(&index) {
            return Err(Fault::Range);
        }
        self.primary_key.push(index);
        Ok(())
    }
}

/// One collation for all columns but those that are listed.
fn default_charset<'a>(
    columns: impl Iterator<Item = &'a mut MappedColumn>,
    field: &mut Bytes<'_>,
) -> Result<(), Fault> {
    let default = collation(field)?;
    let mut exceptions = Vec::new();
    while !field.is_empty() {
        exceptions.push((field.count()?, collation(field)?));
    }
    exceptions.sort_unstable_by_key(|(index, _)| *index);
    for (index, column) in columns.enumerate() {
        let found = exceptions.binary_search_by_key(&index, |(index, _)| *index).ok();
        let exception = found.and_then(|found| exceptions.get(found));
        column.collation = Some(exception.map_or(default, |(_, collation)| *collation));
    }
    Ok(())
}

fn column_charset<'a>(
    columns: impl Iterator<Item = &'a mut MappedColumn>,
    field: &mut Bytes<'_>,
) -> Result<(), Fault> {
    for column in columns {
        column.collation = Some(collation(field)?);
    }
    Ok(())
}

fn collation(field: &mut Bytes<'_>) -> Result<CollationId, Fault> {
    u16::try_from(field.packed()?).map(CollationId).map_err(|_| Fault::Range)
}

fn members<'a>(
    columns: impl Iterator<Item = &'a mut MappedColumn>,
    field: &mut Bytes<'_>,
) -> Result<(), Fault> {
    for column in columns {
        let count = field.count()?;
        // Each has at least the byte of its length.
        if count > field.len() {
            return Err(Fault::Truncated);
        }
        let mut members = Vec::with_capacity(count);
        for _ in 0..count {
            members.push(field.packed_prefixed()?.into());
        }
        column.members = Some(members);
    }
    Ok(())
}

impl MappedColumn {
    /// The members as texts, where the log has them and their charset can be read.
    pub(super) fn member_texts(&self) -> Option<Vec<Box<str>>> {
        let (members, collation) = (self.members.as_ref()?, self.collation?);
        members.iter().map(|member| collation::decode(collation, member)).collect()
    }
}

const SIGNS: u8 = 1;
const DEFAULT_CHARSET: u8 = 2;
const COLUMN_CHARSET: u8 = 3;
const NAMES: u8 = 4;
const SET_MEMBERS: u8 = 5;
const ENUM_MEMBERS: u8 = 6;
const PRIMARY_KEY: u8 = 8;
const PRIMARY_KEY_WITH_PREFIX: u8 = 9;
const MEMBERS_DEFAULT_CHARSET: u8 = 10;
const MEMBERS_COLUMN_CHARSET: u8 = 11;
const DIMENSIONS: u8 = 13;
