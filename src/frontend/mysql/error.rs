//! What a client is told when something fails: code, SQLSTATE and text, from one match per error.
//!
//! `docs/errors.md` lists every code of this file.

use super::binary::CellError;
use super::budget::Crowded;
use super::link::LinkError;
use super::registry::End;
use crate::access::{Denied, Right};
use crate::engine::{StreamError, SubscribeError};
use crate::event::TableName;
use crate::event::position::PositionError;
use crate::plan::{EvalError, PlanError};
use crate::source::{BackendError, ConnectError, SourceError};
use crate::sql::{SqlError, TargetError};
use crate::telemetry::chain;

/// The content of an ERR packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// MySQL's error number.
    pub code: u16,
    /// The SQLSTATE.
    pub state: [u8; 5],
    /// The message.
    pub text: String,
}

/// An error number with its SQLSTATE.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Code(pub u16, pub [u8; 5]);

impl Code {
    /// This error with a message.
    pub fn with(self, text: impl Into<String>) -> Failure {
        Failure { code: self.0, state: self.1, text: text.into() }
    }
}

/// What a client that cannot be read from is told before its connection ends; nothing if it is gone.
pub fn of_link(error: &LinkError) -> Option<Failure> {
    match error {
        LinkError::Broken(_) => None,
        LinkError::TooLarge(_) => {
            Some(PACKET_TOO_LARGE.with("Got a packet bigger than 'max_allowed_packet' bytes"))
        }
        LinkError::Crowded(error) => Some(of_crowded(*error)),
        LinkError::OutOfOrder { .. } => Some(PACKETS_OUT_OF_ORDER.with("Got packets out of order")),
    }
}

/// Bytes that a client may have, but not now.
pub fn of_crowded(_: Crowded) -> Failure {
    OUT_OF_RESOURCES.with(
        "Out of resources: large packets of other connections take all of 'packets_bytes_max'; \
         try again later",
    )
}

/// What a statement is told that must end before its time.
pub fn of_end(end: End) -> Failure {
    match end {
        End::Statement | End::Connection => INTERRUPTED.with("Query execution was interrupted"),
        End::Overtime => OVERTIME
            .with("Query execution was interrupted, maximum statement execution time exceeded"),
        End::Shutdown => SHUTDOWN.with("Server shutdown in progress"),
    }
}

/// A text that is no statement.
pub fn of_sql(error: &SqlError) -> Failure {
    let code = match error {
        SqlError::Empty => EMPTY_QUERY,
        SqlError::Unsupported { .. } => NOT_SUPPORTED,
        SqlError::ColumnInSet { .. } => UNKNOWN_COLUMN,
        SqlError::Target(_) => UNKNOWN,
        SqlError::Syntax { .. }
        | SqlError::TooLong { .. }
        | SqlError::TooManyOperators { .. }
        | SqlError::TooDeep { .. }
        | SqlError::TooManyItems { .. }
        | SqlError::Expression { .. }
        | SqlError::Qualifier { .. }
        | SqlError::Changed
        | SqlError::Start { .. }
        | SqlError::TwoStarts
        | SqlError::Limit
        | SqlError::Clause { .. }
        | SqlError::SelectItem { .. }
        | SqlError::StarAndColumns => PARSE,
    };
    code.with(error.to_string())
}

/// A name that is no target.
pub fn of_target(error: &TargetError) -> Failure {
    UNKNOWN.with(error.to_string())
}

/// A text that is no position.
pub fn of_position(error: &PositionError) -> Failure {
    UNKNOWN.with(chain(error))
}

/// A user, logged in from `host`, who may not.
pub fn of_denied(denied: &Denied, host: &str) -> Failure {
    let privilege = match denied.right {
        Right::Read => "SELECT",
        Right::Execute => "EXECUTE",
        Right::Process => "PROCESS",
    };
    match &denied.table {
        Some(table) => TABLE_DENIED.with(format!(
            "{privilege} command denied to user '{}'@'{host}' for table '{}'",
            denied.user, table.table
        )),
        None => PRIVILEGE.with(format!(
            "Access denied; you need (at least one of) the {privilege} privilege(s) for this \
             operation"
        )),
    }
}

/// A stream that cannot begin.
pub fn of_subscribe(error: &SubscribeError) -> Failure {
    match error {
        SubscribeError::NoSuchKeyspace(name) => {
            UNKNOWN_DATABASE.with(format!("Unknown database '{name}'"))
        }
        SubscribeError::NoSuchTable(table) => no_such_table(table),
        SubscribeError::Plan(error) => of_plan(error),
        SubscribeError::Rule(_) => PARSE.with(chain(error)),
        SubscribeError::Shutdown => of_end(End::Shutdown),
        SubscribeError::TooManyStreams(_) => TOO_MANY_CONNECTIONS.with(chain(error)),
        SubscribeError::NoShard
        | SubscribeError::NoSuchShard(_)
        | SubscribeError::PositionWithoutShard
        | SubscribeError::NoTablet { .. }
        | SubscribeError::LetterCase { .. }
        | SubscribeError::NothingToCopy
        | SubscribeError::OtherPlan => UNKNOWN.with(chain(error)),
        SubscribeError::Source { source, .. } => of_source(source).with(chain(error)),
    }
}

/// A packet that is not what its command asks for.
pub fn malformed_packet() -> Failure {
    MALFORMED.with("Malformed communication packet.")
}

/// A cell that its column's type does not explain.
pub fn of_cell(error: &CellError) -> Failure {
    UNKNOWN.with(error.to_string())
}

/// A stream that ends before its time.
pub fn of_stream(error: &StreamError) -> Failure {
    match error {
        StreamError::Shutdown => of_end(End::Shutdown),
        StreamError::TableChanged { .. } => TABLE_CHANGED.with(chain(error)),
        StreamError::TooManyCopies { .. } => TOO_MANY_CONNECTIONS.with(chain(error)),
        StreamError::Purged { .. } | StreamError::Future { .. } => {
            CANNOT_READ_CHANGES.with(chain(error))
        }
        StreamError::Source { source, .. } => of_source(source).with(chain(error)),
        StreamError::Order { .. }
        | StreamError::Recount { .. }
        | StreamError::Plan { .. }
        | StreamError::Skew(_) => UNKNOWN.with(chain(error)),
    }
}

/// What a source failed with. A login that a server refuses *us* is none of the client's: it keeps
/// the one number for all that may go wrong on the way to a server.
const fn of_source(error: &SourceError) -> Code {
    match error {
        SourceError::Connect(
            ConnectError::TooManyConnections { .. } | ConnectError::Budget { .. },
        ) => TOO_MANY_CONNECTIONS,
        // The connection that there was, and the one that there could not be: try again later.
        SourceError::Connect(_) | SourceError::Disconnected { .. } => CANNOT_CONNECT,
        SourceError::Purged { .. }
        | SourceError::Future { .. }
        | SourceError::NoSuchTable(_)
        | SourceError::SnapshotExpired(_)
        | SourceError::SnapshotYielded(_)
        | SourceError::SnapshotOutdated(_)
        | SourceError::TooManySnapshots { .. }
        | SourceError::Privilege { .. }
        | SourceError::Unfit { .. }
        | SourceError::LogRefused { .. }
        | SourceError::Corrupt { .. } => CANNOT_READ_CHANGES,
    }
}

/// A rule that does not fit its table.
fn of_plan(error: &PlanError) -> Failure {
    let code = match error {
        PlanError::NoColumn { column, clause, .. } => {
            return UNKNOWN_COLUMN.with(format!("Unknown column '{column}' in '{clause}'"));
        }
        PlanError::Constant(error) => return of_eval(error),
        PlanError::NoFunction(_) => NO_FUNCTION,
        PlanError::Arguments(_) => ARGUMENT_COUNT,
        PlanError::CollationMix { .. } => COLLATION_MIX,
        PlanError::UnknownCollation(_) => UNKNOWN_COLLATION,
        PlanError::Incorrect { .. } => INCORRECT_VALUE,
        PlanError::OtherTable { .. }
        | PlanError::NoVindex(_)
        | PlanError::Collation(_)
        | PlanError::UnknownCharset { .. }
        | PlanError::Unsupported(_) => NOT_SUPPORTED,
    };
    code.with(chain(error))
}

/// A predicate that cannot judge a row.
pub fn of_eval(error: &EvalError) -> Failure {
    let code = match error {
        EvalError::OutOfRange { .. } => OUT_OF_RANGE,
        EvalError::Collation(_) => NOT_SUPPORTED,
        EvalError::Absent(_) | EvalError::Malformed(_) => UNKNOWN,
    };
    code.with(chain(error))
}

/// What a backend says is in MySQL's terms already.
pub fn of_backend(error: &BackendError) -> Failure {
    Code(error.code, error.state).with(error.message.as_str())
}

/// A table that is not there.
pub fn no_such_table(table: &TableName) -> Failure {
    NO_SUCH_TABLE.with(format!("Table '{table}' doesn't exist"))
}

/// ER_CON_COUNT_ERROR.
pub const TOO_MANY_CONNECTIONS: Code = Code(1040, *b"08004");
/// Too much of what all connections share is in use.
pub const OUT_OF_RESOURCES: Code = Code(1041, *b"HY000");
/// ER_HANDSHAKE_ERROR.
pub const BAD_HANDSHAKE: Code = Code(1043, *b"08S01");
/// ER_ACCESS_DENIED_ERROR.
pub const ACCESS_DENIED: Code = Code(1045, *b"28000");
/// ER_NO_DB_ERROR.
pub const NO_DATABASE: Code = Code(1046, *b"3D000");
/// ER_UNKNOWN_COM_ERROR.
pub const UNKNOWN_COMMAND: Code = Code(1047, *b"08S01");
/// ER_BAD_DB_ERROR.
pub const UNKNOWN_DATABASE: Code = Code(1049, *b"42000");
/// ER_SERVER_SHUTDOWN.
pub const SHUTDOWN: Code = Code(1053, *b"08S01");
/// ER_BAD_FIELD_ERROR.
pub const UNKNOWN_COLUMN: Code = Code(1054, *b"42S22");
/// ER_PARSE_ERROR.
pub const PARSE: Code = Code(1064, *b"42000");
/// ER_EMPTY_QUERY.
pub const EMPTY_QUERY: Code = Code(1065, *b"42000");
/// ER_NO_SUCH_THREAD.
pub const NO_SUCH_THREAD: Code = Code(1094, *b"HY000");
/// ER_KILL_DENIED_ERROR.
pub const KILL_DENIED: Code = Code(1095, *b"HY000");
/// ER_UNKNOWN_ERROR.
pub const UNKNOWN: Code = Code(1105, *b"HY000");
/// ER_RECORD_FILE_FULL.
pub const CURSOR_FULL: Code = Code(1114, *b"HY000");
/// ER_UNKNOWN_CHARACTER_SET.
pub const UNKNOWN_CHARSET: Code = Code(1115, *b"42000");
/// ER_HOST_NOT_PRIVILEGED.
pub const HOST_NOT_ALLOWED: Code = Code(1130, *b"HY000");
/// ER_TABLEACCESS_DENIED_ERROR.
pub const TABLE_DENIED: Code = Code(1142, *b"42000");
/// ER_NO_SUCH_TABLE.
pub const NO_SUCH_TABLE: Code = Code(1146, *b"42S02");
/// ER_NET_PACKET_TOO_LARGE.
pub const PACKET_TOO_LARGE: Code = Code(1153, *b"08S01");
/// ER_NET_PACKETS_OUT_OF_ORDER.
pub const PACKETS_OUT_OF_ORDER: Code = Code(1156, *b"08S01");
/// ER_NET_READ_INTERRUPTED.
pub const READ_TIMEOUT: Code = Code(1159, *b"08S01");
/// ER_UNKNOWN_SYSTEM_VARIABLE.
pub const UNKNOWN_VARIABLE: Code = Code(1193, *b"HY000");
/// ER_WRONG_ARGUMENTS.
pub const WRONG_ARGUMENTS: Code = Code(1210, *b"HY000");
/// ER_SPECIFIC_ACCESS_DENIED_ERROR.
pub const PRIVILEGE: Code = Code(1227, *b"42000");
/// ER_WRONG_VALUE_FOR_VAR.
pub const WRONG_VALUE: Code = Code(1231, *b"42000");
/// ER_WRONG_TYPE_FOR_VAR.
pub const WRONG_TYPE: Code = Code(1232, *b"42000");
/// ER_NOT_SUPPORTED_YET.
pub const NOT_SUPPORTED: Code = Code(1235, *b"42000");
/// ER_SOURCE_FATAL_ERROR_READING_BINLOG.
pub const CANNOT_READ_CHANGES: Code = Code(1236, *b"HY000");
/// ER_INCORRECT_GLOBAL_LOCAL_VAR: the variable is read-only.
pub const READ_ONLY_VARIABLE: Code = Code(1238, *b"HY000");
/// ER_UNKNOWN_STMT_HANDLER.
pub const UNKNOWN_PREPARED: Code = Code(1243, *b"HY000");
/// ER_COLLATION_CHARSET_MISMATCH.
pub const COLLATION_MISMATCH: Code = Code(1253, *b"42000");
/// ER_CANT_AGGREGATE_2COLLATIONS.
pub const COLLATION_MIX: Code = Code(1267, *b"HY000");
/// ER_UNKNOWN_COLLATION.
pub const UNKNOWN_COLLATION: Code = Code(1273, *b"HY000");
/// ER_INVALID_CHARACTER_STRING.
pub const NOT_TEXT: Code = Code(1300, *b"HY000");
/// ER_SP_DOES_NOT_EXIST.
pub const NO_FUNCTION: Code = Code(1305, *b"42000");
/// ER_QUERY_INTERRUPTED.
pub const INTERRUPTED: Code = Code(1317, *b"70100");
/// ER_PS_MANY_PARAM.
pub const TOO_MANY_PLACEHOLDERS: Code = Code(1390, *b"HY000");
/// ER_TABLE_DEF_CHANGED.
pub const TABLE_CHANGED: Code = Code(1412, *b"HY000");
/// ER_STMT_HAS_NO_OPEN_CURSOR.
pub const NO_OPEN_CURSOR: Code = Code(1421, *b"HY000");
/// ER_CONNECT_TO_FOREIGN_DATA_SOURCE.
pub const CANNOT_CONNECT: Code = Code(1429, *b"HY000");
/// ER_MAX_PREPARED_STMT_COUNT_REACHED.
pub const TOO_MANY_PREPARED: Code = Code(1461, *b"42000");
/// ER_WRONG_VALUE.
pub const INCORRECT_VALUE: Code = Code(1525, *b"HY000");
/// ER_WRONG_PARAMCOUNT_TO_NATIVE_FCT.
pub const ARGUMENT_COUNT: Code = Code(1582, *b"42000");
/// ER_DATA_OUT_OF_RANGE.
pub const OUT_OF_RANGE: Code = Code(1690, *b"22003");
/// ER_MALFORMED_PACKET.
pub const MALFORMED: Code = Code(1835, *b"HY000");
/// ER_SET_STATEMENT_NOT_SUPPORTED, which only MariaDB has.
pub const NOT_FOR_STATEMENT: Code = Code(1971, *b"42000");
/// ER_QUERY_TIMEOUT.
pub const OVERTIME: Code = Code(3024, *b"HY000");
/// ER_ILLEGAL_USER_VAR.
pub const VARIABLE_NAME: Code = Code(3061, *b"42000");
/// ER_SECURE_TRANSPORT_REQUIRED.
pub const INSECURE: Code = Code(3159, *b"HY000");
/// ER_CLIENT_INTERACTION_TIMEOUT.
pub const IDLE: Code = Code(4031, *b"HY000");
