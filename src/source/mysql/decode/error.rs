//! Why bytes of a binary log say nothing, and of what they were to speak.

use super::TableId;
use crate::event::TableName;

/// What is wrong with bytes. Small and copied: the error around it says where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// They end too early.
    #[error("the bytes end too early")]
    Truncated,
    /// More bytes than the value has.
    #[error("bytes are left over")]
    LeftOver,
    /// A length that cannot be one.
    #[error("a length is impossible")]
    Length,
    /// A text that is no UTF-8 where the log has UTF-8.
    #[error("a name is no UTF-8")]
    Utf8,
    /// A column type that no server is known to have.
    #[error("a column type is unknown")]
    ColumnType,
    /// A number or time outside of its type.
    #[error("a value is outside of its type")]
    Range,
    /// Bytes that are no JSON document.
    #[error("a JSON document is malformed")]
    Json,
    /// A change of a JSON document that does not fit it.
    #[error("a change of a JSON document does not fit the document")]
    JsonChange,
    /// Compressed bytes that do not inflate.
    #[error("compressed bytes are corrupt")]
    Compressed,
    /// Compressed by a method that is not known.
    #[error("the method of compression is unknown")]
    Compression,
    /// Would inflate beyond [`super::inflate::INFLATED_BYTES_MAX`].
    #[error("compressed bytes inflate beyond all bounds")]
    TooLarge,
    /// The number of columns is not the table map's.
    #[error("the number of columns is not that of the table map")]
    ColumnCount,
    /// A GTID without a sequence number, or with a tag that is none.
    #[error("the GTID is none")]
    Gtid,
}

/// Why an event of a binary log could not be decoded. The reader adds file and position.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The event itself cannot be read.
    #[error("decode {event} event")]
    Event {
        /// The event's name.
        event: &'static str,
        /// What is wrong.
        #[source]
        fault: Fault,
    },
    /// The event is whole, and the rows in it cannot be read.
    #[error(transparent)]
    Rows(#[from] RowsError),
    /// Rows whose table map was not in the log before them.
    #[error("rows of table id {} without a table map before them", .0.0)]
    NoTableMap(TableId),
    /// Rows of a table map that nobody bound.
    #[error("rows of {0} before it was said how to decode them")]
    Unbound(Box<str>),
    /// The event is not what the server wrote.
    #[error("an event's checksum does not fit its bytes")]
    Checksum,
    /// The file has checksums of a kind that no server is known to write.
    #[error("events have checksums of unknown kind {0}")]
    UnknownChecksum(u8),
    /// Its events were to be fed in its place.
    #[error("a compressed transaction was fed as one event")]
    Compressed,
    /// An event that no server is known to send and that may not be ignored.
    #[error("event of unknown kind {0:#04x}")]
    UnknownEvent(u8),
}

/// Why rows of one table cannot be read. It concerns no other table: where the event ends is known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RowsError {
    /// They are not laid out as the table map says.
    #[error("decode rows of {table}")]
    Layout {
        /// Whose rows they are.
        table: TableName,
        /// What is wrong.
        #[source]
        fault: Fault,
    },
    /// A value cannot be read.
    #[error("decode column {column} of {table}")]
    Cell {
        /// Whose rows they are.
        table: TableName,
        /// The column's name.
        column: Box<str>,
        /// What is wrong.
        #[source]
        fault: Fault,
    },
    /// Only a change of a JSON document was logged, and not the document before it.
    #[error(
        "column {column} of {table} was logged as a change of a document that is not in the log"
    )]
    PartialJson {
        /// Whose rows they are.
        table: TableName,
        /// The column's name.
        column: Box<str>,
    },
}

impl RowsError {
    /// Whose rows cannot be read.
    pub const fn table(&self) -> &TableName {
        match self {
            Self::Layout { table, .. }
            | Self::Cell { table, .. }
            | Self::PartialJson { table, .. } => table,
        }
    }
}
