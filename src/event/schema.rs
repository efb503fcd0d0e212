//! Names and shapes of tables: what a FIELD event says about one version of a table.
//!
//! A [`TableSchema`] is immutable and shared; another shape of the same table is another value.

use std::fmt;
use std::sync::Arc;

/// A table within a keyspace. Shards of a keyspace hold tables of the same name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TableName {
    /// The keyspace, which is MySQL's database.
    pub keyspace: Arc<str>,
    /// The table's own name.
    pub table: Arc<str>,
}

impl TableName {
    /// Names `keyspace.table`.
    pub fn new(keyspace: &str, table: &str) -> Self {
        Self { keyspace: keyspace.into(), table: table.into() }
    }
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.keyspace, self.table)
    }
}

/// One shard of a keyspace; `0` or `-` in an unsharded one.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ShardName {
    /// The keyspace.
    pub keyspace: Arc<str>,
    /// The shard's key range, or `0`.
    pub shard: Arc<str>,
}

impl ShardName {
    /// Names `keyspace/shard`.
    pub fn new(keyspace: &str, shard: &str) -> Self {
        Self { keyspace: keyspace.into(), shard: shard.into() }
    }
}

impl fmt::Display for ShardName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.keyspace, self.shard)
    }
}

/// MySQL's column types. Sizes, signs and members are the type's own; text types name no charset,
/// which is [`Column::collation`]'s.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ColumnType {
    /// TINYINT, SMALLINT, MEDIUMINT, INT, BIGINT by their size in bytes: 1, 2, 3, 4 or 8.
    Int {
        /// 1, 2, 3, 4 or 8.
        bytes: u8,
        /// Without a sign.
        unsigned: bool,
    },
    /// DECIMAL(precision, scale).
    Decimal {
        /// All digits, at most 65.
        precision: u8,
        /// Digits behind the point, at most 30.
        scale: u8,
        /// Without a sign.
        unsigned: bool,
    },
    /// FLOAT: prints as the shortest text that reads back to the same `f32`.
    Float {
        /// Without a sign.
        unsigned: bool,
    },
    /// DOUBLE: prints as the shortest text that reads back to the same `f64`.
    Double {
        /// Without a sign.
        unsigned: bool,
    },
    /// BIT(n): the cell is the big-endian bytes.
    Bit {
        /// 1 to 64.
        bits: u8,
    },
    /// DATE.
    Date,
    /// TIME(fsp).
    Time {
        /// Digits of a second's fraction, 0 to 6.
        fsp: u8,
    },
    /// DATETIME(fsp).
    DateTime {
        /// Digits of a second's fraction, 0 to 6.
        fsp: u8,
    },
    /// TIMESTAMP(fsp); the cell is UTC.
    Timestamp {
        /// Digits of a second's fraction, 0 to 6.
        fsp: u8,
    },
    /// YEAR.
    Year,
    /// CHAR(n) in characters; with collation `binary`, BINARY(n) in bytes.
    Char {
        /// Characters, or bytes of a BINARY.
        length: u32,
    },
    /// VARCHAR(n) in characters; with collation `binary`, VARBINARY(n) in bytes.
    VarChar {
        /// Characters, or bytes of a VARBINARY.
        length: u32,
    },
    /// TINYTEXT to LONGTEXT by the bytes of the length, 1 to 4; with collation `binary`, the BLOBs.
    Text {
        /// 1, 2, 3 or 4.
        length_bytes: u8,
    },
    /// ENUM: the cell is the member's text.
    Enum {
        /// The members in the order of definition.
        members: Arc<[Box<str>]>,
    },
    /// SET: the cell is the members' texts, joined by commas.
    Set {
        /// The members in the order of definition.
        members: Arc<[Box<str>]>,
    },
    /// JSON in MySQL's own text form.
    Json,
    /// GEOMETRY and its kinds: SRID and WKB.
    Geometry,
    /// VECTOR(n): the cell is the `f32`s, lowest byte first.
    Vector {
        /// How many numbers it holds at most.
        dimensions: u32,
    },
    /// MariaDB's UUID: the cell is its text of 36 characters.
    Uuid,
    /// MariaDB's INET4: the cell is the address as text.
    Inet4,
    /// MariaDB's INET6: the cell is the address as text.
    Inet6,
}

/// A collation by MySQL's number, as columns and clients name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CollationId(pub u16);

impl CollationId {
    /// `binary`: bytes, and all that is not text.
    pub const BINARY: Self = Self(63);
    /// `utf8mb4_0900_ai_ci`, MySQL 8's default.
    pub const UTF8MB4_0900_AI_CI: Self = Self(255);
    /// `utf8mb4_general_ci`, MariaDB's default.
    pub const UTF8MB4_GENERAL_CI: Self = Self(45);
    /// `utf8mb4_bin`.
    pub const UTF8MB4_BIN: Self = Self(46);
    /// `utf8mb4_unicode_ci`.
    pub const UTF8MB4_UNICODE_CI: Self = Self(224);
    /// `latin1_swedish_ci`.
    pub const LATIN1_SWEDISH_CI: Self = Self(8);
}

/// One column of one version of a table.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Column {
    /// The name as declared.
    pub name: Arc<str>,
    /// The type as declared.
    pub column_type: ColumnType,
    /// The collation of a text; `binary` for all else.
    pub collation: CollationId,
    /// May hold NULL.
    pub nullable: bool,
    /// AUTO_INCREMENT.
    pub auto_increment: bool,
    /// Has a DEFAULT (an implicit NULL counts).
    pub has_default: bool,
    /// The type in `SHOW COLUMNS`' words, such as `bigint unsigned` or `enum('a','b')`.
    pub declared: Arc<str>,
}

impl Column {
    /// A column that may hold NULL and says no more than how its cells read.
    pub fn plain(name: &str, column_type: ColumnType, collation: CollationId) -> Self {
        Self {
            name: name.into(),
            column_type,
            collation,
            nullable: true,
            auto_increment: false,
            has_default: true,
            declared: "".into(),
        }
    }
}

/// One version of a table: its columns and the key that orders a copy.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct TableSchema {
    /// Whose schema it is.
    pub name: TableName,
    /// The columns in table order.
    pub columns: Vec<Column>,
    /// Indexes into `columns`, in key order: the primary key, else the best unique key whose
    /// columns are all NOT NULL, else empty.
    pub key: Vec<usize>,
    /// Whether `key` is the PRIMARY KEY.
    pub key_is_primary: bool,
}

impl TableSchema {
    /// The index of a column by name; MySQL's column names ignore case.
    pub fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name.eq_ignore_ascii_case(name))
    }
}
