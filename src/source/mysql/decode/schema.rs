//! The schema of rows: from the log alone where it says enough, completed from what is known of
//! the table otherwise, and never against the log.

use crate::event::{CollationId, Column, ColumnType, TableName, TableSchema, collation};

use super::table_map::{MappedColumn, StoredType, TableMap};

/// How the table of the log and the known one differ.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SchemaMismatch {
    /// The log does not name the columns, and nothing else is known of the table.
    #[error("the log does not name the columns; set binlog_row_metadata = FULL")]
    Unknown,
    /// The log has more or fewer columns.
    #[error("the log has {logged} columns, the table has {known}")]
    ColumnCount {
        /// Columns in the log.
        logged: usize,
        /// Columns known.
        known: usize,
    },
    /// A column is stored as another type.
    #[error("the log has column {column} as {logged}, the table has {known}")]
    Column {
        /// The column's name.
        column: Box<str>,
        /// What the log has.
        logged: Box<str>,
        /// What is known.
        known: Box<str>,
    },
    /// A column's type is one that no server was known to have.
    #[error("the log has a column of type {0}, which is not known")]
    UnknownType(u8),
    /// A time that may have a fraction, in a form of which the log does not say where that lies.
    #[error(
        "column {column} is stored in the form before MySQL 5.6, whose fraction the log does not tell"
    )]
    OldTime {
        /// The column's name.
        column: Box<str>,
    },
    /// What the log has of a column does not say how to read it.
    #[error("the log does not say enough of column {column}: {lacks}")]
    Insufficient {
        /// The column's name.
        column: Box<str>,
        /// What is missing.
        lacks: &'static str,
    },
}

impl TableMap {
    /// The schema of rows. With names in the log (`binlog_row_metadata = FULL`) the log decides and
    /// `known`, the table of today, only completes it: what the log never has (AUTO_INCREMENT,
    /// defaults, the declared type, MariaDB's UUID and INET). Without names it is `known`, if every
    /// column fits the log; a table whose columns were renamed or swapped with like ones since does
    /// not show, so the caller must know that no DDL came between.
    pub fn schema(&self, known: Option<&TableSchema>) -> Result<TableSchema, SchemaMismatch> {
        self.check_types()?;
        if !self.is_full {
            let known = known.ok_or(SchemaMismatch::Unknown)?;
            self.check(known)?;
            return Ok(TableSchema {
                name: known.name.clone(),
                columns: known.columns.clone(),
                key: known.key.clone(),
                key_is_primary: known.key_is_primary,
            });
        }
        let columns: Result<Vec<Column>, _> =
            self.columns.iter().map(|mapped| mapped.column(known)).collect();
        let columns = columns?;
        let unique = || known.and_then(|known| unique_key(known, &columns));
        let key_is_primary = !self.primary_key.is_empty();
        let key =
            if key_is_primary { self.primary_key.clone() } else { unique().unwrap_or_default() };
        let name = TableName::new(&self.database, &self.table);
        Ok(TableSchema { name, columns, key, key_is_primary })
    }

    /// Whether rows of this map can be read as rows of `known`.
    pub(super) fn check(&self, known: &TableSchema) -> Result<(), SchemaMismatch> {
        self.check_types()?;
        if self.columns.len() != known.columns.len() {
            let (logged, known) = (self.columns.len(), known.columns.len());
            return Err(SchemaMismatch::ColumnCount { logged, known });
        }
        self.columns
            .iter()
            .zip(&known.columns)
            .try_for_each(|(mapped, column)| mapped.check(column))
    }

    fn check_types(&self) -> Result<(), SchemaMismatch> {
        self.unknown_type.map_or(Ok(()), |kind| Err(SchemaMismatch::UnknownType(kind)))
    }
}

/// The known unique key, where its columns still are there and NOT NULL.
fn unique_key(known: &TableSchema, columns: &[Column]) -> Option<Vec<usize>> {
    if known.key_is_primary {
        return None;
    }
    let place = |&index: &usize| {
        let name = &known.columns.get(index)?.name;
        columns.iter().position(|column| column.name == *name && !column.nullable)
    };
    known.key.iter().map(place).collect()
}

impl MappedColumn {
    /// Whether the column's values can be read as those of `column`.
    pub(super) fn check(&self, column: &Column) -> Result<(), SchemaMismatch> {
        // MariaDB logs a charset for its UUID and INET too, which says nothing.
        let has_charset = matches!(
            column.column_type,
            ColumnType::Char { .. }
                | ColumnType::VarChar { .. }
                | ColumnType::Text { .. }
                | ColumnType::Enum { .. }
                | ColumnType::Set { .. }
        );
        let logged = self.collation.filter(|_| has_charset);
        let collation = logged.is_none_or(|logged| logged == column.collation);
        if self.fits(column) && collation && self.nullable == column.nullable {
            return Ok(());
        }
        let null = |nullable: bool| if nullable { "" } else { " not null" };
        let name = |id: CollationId| match crate::event::collation::name(id) {
            Some(name) => format!(" collate {name}"),
            None => format!(" collate {}", id.0),
        };
        let logged_collation = self.collation.filter(|_| !collation).map(name);
        let known_collation = (!collation).then(|| name(column.collation));
        let declared = match &*column.declared {
            "" => format!("{:?}", column.column_type),
            declared => declared.to_owned(),
        };
        Err(SchemaMismatch::Column {
            column: column.name.as_ref().into(),
            logged: format!(
                "{}{}{}",
                self.words(),
                logged_collation.unwrap_or_default(),
                null(self.nullable)
            )
            .into(),
            known: format!(
                "{declared}{}{}",
                known_collation.unwrap_or_default(),
                null(column.nullable)
            )
            .into(),
        })
    }

    /// Whether the stored type is the one that the column's type is stored as.
    fn fits(&self, column: &Column) -> bool {
        let sign = |unsigned: bool| self.unsigned.is_none_or(|logged| logged == unsigned);
        let members =
            |known: &[Box<str>]| self.member_texts().is_none_or(|logged| logged.iter().eq(known));
        // Unknown charsets are as wide as they are.
        let width = |characters: u32, stored: u16| {
            let wide = collation::character_bytes_max(column.collation);
            wide.is_none_or(|wide| characters.checked_mul(wide) == Some(u32::from(stored)))
        };
        match (&column.column_type, self.stored) {
            (ColumnType::Int { bytes, unsigned }, StoredType::Int(stored)) => {
                *bytes == stored && sign(*unsigned)
            }
            (ColumnType::Decimal { precision, scale, unsigned }, StoredType::Decimal(p, s)) => {
                (*precision, *scale) == (p, s) && sign(*unsigned)
            }
            (ColumnType::Float { unsigned }, StoredType::Float)
            | (ColumnType::Double { unsigned }, StoredType::Double) => sign(*unsigned),
            (ColumnType::Bit { bits }, StoredType::Bit(stored)) => *bits == stored,
            (ColumnType::Date, StoredType::Date)
            | (ColumnType::Year, StoredType::Year)
            | (ColumnType::Time { .. }, StoredType::OldTime)
            | (ColumnType::DateTime { .. }, StoredType::OldDateTime)
            | (ColumnType::Timestamp { .. }, StoredType::OldTimestamp)
            | (ColumnType::Json, StoredType::Json(_))
            | (ColumnType::Json, StoredType::Blob(4))
            | (ColumnType::Geometry, StoredType::Geometry(_) | StoredType::Blob(4)) => true,
            (ColumnType::Time { fsp }, StoredType::Time(stored))
            | (ColumnType::DateTime { fsp }, StoredType::DateTime(stored))
            | (ColumnType::Timestamp { fsp }, StoredType::Timestamp(stored)) => *fsp == stored,
            (ColumnType::Char { length }, StoredType::Char(stored))
            | (ColumnType::VarChar { length }, StoredType::VarChar(stored)) => {
                width(*length, stored)
            }
            (ColumnType::VarChar { length }, StoredType::CompressedVarChar(stored)) => {
                width(*length, stored.saturating_sub(METHOD_BYTE))
            }
            (
                ColumnType::Text { length_bytes },
                StoredType::Blob(stored) | StoredType::CompressedBlob(stored),
            ) => *length_bytes == stored,
            (ColumnType::Enum { members: known }, StoredType::Enum(stored)) => {
                stored == if known.len() < 256 { 1 } else { 2 } && members(known)
            }
            (ColumnType::Set { members: known }, StoredType::Set(stored)) => {
                let bytes = known.len().div_ceil(8);
                usize::from(stored) == if bytes > 4 { 8 } else { bytes } && members(known)
            }
            (ColumnType::Vector { dimensions }, StoredType::Vector(_)) => {
                self.dimensions.is_none_or(|logged| logged == *dimensions)
            }
            (ColumnType::Vector { dimensions }, StoredType::VarChar(stored)) => {
                dimensions.checked_mul(4) == Some(u32::from(stored))
            }
            (ColumnType::Uuid | ColumnType::Inet6, StoredType::Char(16))
            | (ColumnType::Inet4, StoredType::Char(4)) => true,
            _ => false,
        }
    }

    /// The column as the log has it, completed from the known column of that name.
    fn column(&self, known: Option<&TableSchema>) -> Result<Column, SchemaMismatch> {
        let name = self.name.as_deref().ok_or(SchemaMismatch::Unknown)?;
        let known = known.and_then(|known| known.columns.get(known.column(name)?));
        if let Some(known) = known.filter(|known| self.check(known).is_ok()) {
            return Ok(Column { name: name.into(), ..known.clone() });
        }
        let collation = match self.collation {
            Some(collation) => collation,
            None => CollationId::BINARY,
        };
        let column_type = self.column_type(name, collation)?;
        let declared = declared(&column_type, collation).into();
        Ok(Column {
            name: name.into(),
            column_type,
            collation,
            nullable: self.nullable,
            auto_increment: known.is_some_and(|known| known.auto_increment),
            has_default: known.map_or(self.nullable, |known| known.has_default),
            declared,
        })
    }

    /// The type as far as the log alone has it.
    fn column_type(
        &self,
        name: &str,
        collation: CollationId,
    ) -> Result<ColumnType, SchemaMismatch> {
        let lacks = |lacks| move || SchemaMismatch::Insufficient { column: name.into(), lacks };
        let unsigned = || self.unsigned.ok_or_else(lacks("its sign"));
        let characters = |bytes: u16| {
            let wide = collation::character_bytes_max(collation);
            wide.map(|wide| u32::from(bytes) / wide).ok_or_else(lacks("its character set"))
        };
        let members = || self.member_texts().map(Into::into).ok_or_else(lacks("its members"));
        Ok(match self.stored {
            StoredType::Int(bytes) => ColumnType::Int { bytes, unsigned: unsigned()? },
            StoredType::Decimal(precision, scale) => {
                ColumnType::Decimal { precision, scale, unsigned: unsigned()? }
            }
            StoredType::Float => ColumnType::Float { unsigned: unsigned()? },
            StoredType::Double => ColumnType::Double { unsigned: unsigned()? },
            StoredType::Bit(bits) => ColumnType::Bit { bits },
            StoredType::Date => ColumnType::Date,
            StoredType::Time(fsp) => ColumnType::Time { fsp },
            StoredType::DateTime(fsp) => ColumnType::DateTime { fsp },
            StoredType::Timestamp(fsp) => ColumnType::Timestamp { fsp },
            StoredType::OldTime | StoredType::OldDateTime | StoredType::OldTimestamp => {
                return Err(SchemaMismatch::OldTime { column: name.into() });
            }
            StoredType::Year => ColumnType::Year,
            StoredType::Char(bytes) => ColumnType::Char { length: characters(bytes)? },
            StoredType::VarChar(bytes) => ColumnType::VarChar { length: characters(bytes)? },
            StoredType::CompressedVarChar(bytes) => {
                ColumnType::VarChar { length: characters(bytes.saturating_sub(METHOD_BYTE))? }
            }
            StoredType::Blob(length_bytes) | StoredType::CompressedBlob(length_bytes) => {
                ColumnType::Text { length_bytes }
            }
            StoredType::Enum(_) => ColumnType::Enum { members: members()? },
            StoredType::Set(_) => ColumnType::Set { members: members()? },
            StoredType::Json(_) => ColumnType::Json,
            StoredType::Geometry(_) => ColumnType::Geometry,
            StoredType::Vector(_) => ColumnType::Vector {
                dimensions: self.dimensions.ok_or_else(lacks("its dimensions"))?,
            },
        })
    }

    /// The stored type in the words of an error.
    fn words(&self) -> String {
        let sign = if self.unsigned == Some(true) { " unsigned" } else { "" };
        match self.stored {
            StoredType::Int(bytes) => format!("{}{sign}", integer(bytes)),
            StoredType::Decimal(precision, scale) => format!("decimal({precision},{scale}){sign}"),
            StoredType::Float => format!("float{sign}"),
            StoredType::Double => format!("double{sign}"),
            StoredType::Bit(bits) => format!("bit({bits})"),
            StoredType::Date => "date".to_owned(),
            StoredType::Time(fsp) => format!("time({fsp})"),
            StoredType::DateTime(fsp) => format!("datetime({fsp})"),
            StoredType::Timestamp(fsp) => format!("timestamp({fsp})"),
            StoredType::OldTime => "time of the form before MySQL 5.6".to_owned(),
            StoredType::OldDateTime => "datetime of the form before MySQL 5.6".to_owned(),
            StoredType::OldTimestamp => "timestamp of the form before MySQL 5.6".to_owned(),
            StoredType::Year => "year".to_owned(),
            StoredType::Char(bytes) => format!("char of {bytes} bytes"),
            StoredType::VarChar(bytes) => format!("varchar of {bytes} bytes"),
            StoredType::CompressedVarChar(bytes) => {
                format!("compressed varchar of {bytes} bytes")
            }
            StoredType::Blob(bytes) => format!("blob or text with {bytes} bytes of length"),
            StoredType::CompressedBlob(bytes) => {
                format!("compressed blob or text with {bytes} bytes of length")
            }
            StoredType::Enum(bytes) => format!("enum of {bytes} bytes{}", self.member_words()),
            StoredType::Set(bytes) => format!("set of {bytes} bytes{}", self.member_words()),
            StoredType::Json(_) => "json".to_owned(),
            StoredType::Geometry(_) => "geometry".to_owned(),
            StoredType::Vector(_) => "vector".to_owned(),
        }
    }

    fn member_words(&self) -> String {
        self.member_texts().map(|members| format!(" ({})", quoted(&members))).unwrap_or_default()
    }
}

/// The byte that says how a compressed value is compressed.
const METHOD_BYTE: u16 = 1;

const fn integer(bytes: u8) -> &'static str {
    match bytes {
        1 => "tinyint",
        2 => "smallint",
        3 => "mediumint",
        4 => "int",
        _ => "bigint",
    }
}

fn quoted(members: &[Box<str>]) -> String {
    let quoted: Vec<String> =
        members.iter().map(|member| format!("'{}'", member.replace('\'', "''"))).collect();
    quoted.join(",")
}

/// A type in `SHOW COLUMNS`' words.
fn declared(column_type: &ColumnType, collation: CollationId) -> String {
    let sign = |unsigned: &bool| if *unsigned { " unsigned" } else { "" };
    let fraction = |name: &str, fsp: &u8| match fsp {
        0 => name.to_owned(),
        fsp => format!("{name}({fsp})"),
    };
    let binary = collation == CollationId::BINARY;
    match column_type {
        ColumnType::Int { bytes, unsigned } => format!("{}{}", integer(*bytes), sign(unsigned)),
        ColumnType::Decimal { precision, scale, unsigned } => {
            format!("decimal({precision},{scale}){}", sign(unsigned))
        }
        ColumnType::Float { unsigned } => format!("float{}", sign(unsigned)),
        ColumnType::Double { unsigned } => format!("double{}", sign(unsigned)),
        ColumnType::Bit { bits } => format!("bit({bits})"),
        ColumnType::Date => "date".to_owned(),
        ColumnType::Time { fsp } => fraction("time", fsp),
        ColumnType::DateTime { fsp } => fraction("datetime", fsp),
        ColumnType::Timestamp { fsp } => fraction("timestamp", fsp),
        ColumnType::Year => "year".to_owned(),
        ColumnType::Char { length } if binary => format!("binary({length})"),
        ColumnType::Char { length } => format!("char({length})"),
        ColumnType::VarChar { length } if binary => format!("varbinary({length})"),
        ColumnType::VarChar { length } => format!("varchar({length})"),
        ColumnType::Text { length_bytes } => {
            let size = match length_bytes {
                1 => "tiny",
                2 => "",
                3 => "medium",
                _ => "long",
            };
            format!("{size}{}", if binary { "blob" } else { "text" })
        }
        ColumnType::Enum { members } => format!("enum({})", quoted(members)),
        ColumnType::Set { members } => format!("set({})", quoted(members)),
        ColumnType::Json => "json".to_owned(),
        ColumnType::Geometry => "geometry".to_owned(),
        ColumnType::Vector { dimensions } => format!("vector({dimensions})"),
        ColumnType::Uuid => "uuid".to_owned(),
        ColumnType::Inet4 => "inet4".to_owned(),
        ColumnType::Inet6 => "inet6".to_owned(),
    }
}
