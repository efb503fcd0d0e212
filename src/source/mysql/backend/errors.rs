//! What a client is told that no server has said.

use super::super::Server;
use super::super::budget::Exhausted;
use crate::source::{BackendError, ConnectError};
use crate::telemetry;

/// There is no connection to the server.
pub(super) fn of_connect(error: &ConnectError) -> BackendError {
    let (code, state) = match error {
        ConnectError::TooManyConnections { .. } | ConnectError::Budget { .. } => (1040, "08004"),
        ConnectError::UnknownHost { .. }
        | ConnectError::Refused { .. }
        | ConnectError::TimedOut { .. }
        | ConnectError::Broken { .. }
        | ConnectError::Denied { .. }
        | ConnectError::NoDatabase { .. }
        | ConnectError::NoTls { .. }
        | ConnectError::Unverified { .. }
        | ConnectError::Tls { .. }
        | ConnectError::File { .. }
        | ConnectError::Login { .. } => (1429, "HY000"),
    };
    BackendError::new(code, state, telemetry::chain(error))
}

/// As many sessions as may have a connection to the server have one.
pub(super) fn exhausted(server: &Server, exhausted: Exhausted) -> BackendError {
    let (address, Exhausted { max, waited }) = (server.address(), exhausted);
    let text = format!(
        "{max} sessions have a connection to {address}, which is half of those allowed \
         (connections_max), and none of them ended within {waited:?}"
    );
    BackendError::new(1040, "08004", text)
}

/// The connection is gone, and with it what the server kept for it.
pub(super) fn lost(keyspace: &str, in_transaction: bool) -> BackendError {
    let rolled_back = match in_transaction {
        true => "; the transaction that was open there is rolled back",
        false => "; temporary tables, locks and variables there are gone",
    };
    BackendError::new(
        2013,
        "HY000",
        format!("Lost connection to the server of keyspace '{keyspace}'{rolled_back}"),
    )
}

/// The same, found before the statement was sent.
pub(super) fn lost_before(keyspace: &str, in_transaction: bool) -> BackendError {
    let lost = lost(keyspace, in_transaction);
    BackendError { message: format!("{}; this statement was not run", lost.message), ..lost }
}

/// No users are configured.
pub(super) fn read_only() -> BackendError {
    BackendError::new(
        1290,
        "HY000",
        "The MySQL server is running with the --read-only option so it cannot execute this \
         statement; configure users ([[user]]) to let them change what is on the servers",
    )
}

/// A keyspace whose rows are on several servers.
pub(super) fn several_shards(keyspace: &str) -> BackendError {
    not_supported(format!(
        "keyspace '{keyspace}' has several shards, and this version of vstreamd doesn't yet pass \
         statements on to more than one"
    ))
}

/// A target that is no primary.
pub(super) fn not_primary(kind: &str) -> BackendError {
    not_supported(format!(
        "this version of vstreamd runs statements on primaries only, and USE has chosen '@{kind}'; \
         USE the keyspace without it"
    ))
}

/// A keyspace that is not to be had in the same statement.
pub(super) fn other_server(keyspace: &str, current: &str) -> BackendError {
    not_supported(format!(
        "keyspace '{keyspace}' is not on the server of keyspace '{current}'; USE it, and name tables \
         of one server in a statement"
    ))
}

/// A keyspace that its server knows by another name.
pub(super) fn other_name(keyspace: &str, database: &str) -> BackendError {
    not_supported(format!(
        "keyspace '{keyspace}' is database '{database}' of its server; USE it, and name its tables \
         without it"
    ))
}

/// A keyspace left in the middle of a transaction.
pub(super) fn other_transaction(keyspace: &str) -> BackendError {
    not_supported(format!(
        "a transaction is open on keyspace '{keyspace}'; COMMIT or ROLLBACK before another keyspace \
         is asked"
    ))
}

/// A mode under which the server reads quotes in another way than we do.
pub(super) fn other_quotes() -> BackendError {
    not_supported(
        "a backslash in a statement under sql_mode NO_BACKSLASH_ESCAPES, or together with double \
         quotes under ANSI_QUOTES; write what it stands for as x'...'"
            .to_owned(),
    )
}

/// A file of the client's, or of ours.
pub(super) fn no_files() -> BackendError {
    BackendError::new(1148, "42000", "The used command is not allowed with this MySQL version")
}

pub(super) fn unknown_database(name: &str) -> BackendError {
    BackendError::new(1049, "42000", format!("Unknown database '{name}'"))
}

fn not_supported(text: String) -> BackendError {
    BackendError::new(1235, "42000", text)
}
