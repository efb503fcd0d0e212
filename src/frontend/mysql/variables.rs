//! System and user variables: which exist, what they may hold, and what a session has set.
//!
//! Pure. A variable that MySQL has and that means nothing here is kept all the same, so that drivers
//! read back what they set; one that no client was seen to need does not exist (error 1193).

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::charsets::Results;
use super::error::{self, Failure};
use crate::event::charset::Charset;
use crate::event::{CollationId, collation};
use crate::sql::expr::Scope;
use crate::sql::sqlite::Value;

/// What the greeting and `VERSION()` say: drivers take the paths of plain MySQL 8.0.
pub const SERVER_VERSION: &str = "8.0.30-Vitess";

/// What a variable may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// ON or OFF; shown as 1 or 0 by SELECT.
    Switch,
    /// A whole number from 0.
    Count,
    /// Any text.
    Text,
    /// One of these words, whatever their case.
    Word(&'static [&'static str]),
    /// Some of these words, separated by commas.
    Words(&'static [&'static str]),
    /// A character set's name.
    Charset,
    /// A character set's name or NULL.
    OptionalCharset,
    /// A collation's name.
    Collation,
    /// Read-only, a text.
    FixedText,
    /// Read-only, a number.
    FixedCount,
}

/// One system variable that exists.
struct Definition(&'static str, Kind, &'static str);

/// What variables hold on this server before a session sets them, where that is not what MySQL has.
#[derive(Debug, PartialEq, Eq, Default)]
pub struct Preset(HashMap<&'static str, String>);

impl Preset {
    /// What the door's bounds come to.
    pub fn new(packet_bytes_max: usize, idle_timeout: Duration) -> Self {
        let idle_seconds = idle_timeout.as_secs().max(1).to_string();
        Self(HashMap::from([
            ("max_allowed_packet", packet_bytes_max.to_string()),
            ("wait_timeout", idle_seconds.clone()),
            ("interactive_timeout", idle_seconds),
        ]))
    }
}

/// What one session's variables hold.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Variables {
    preset: Arc<Preset>,
    set: HashMap<&'static str, Option<String>>,
    /// The collation of `character_set_results` where SET NAMES, or the login, named one.
    results: Option<CollationId>,
    user: HashMap<String, Value>,
}

/// What some variables held before a statement that sets them for itself alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Saved {
    values: Vec<(&'static str, Option<Option<String>>)>,
    results: Option<CollationId>,
}

impl Variables {
    /// Variables of which a session has set none.
    pub fn new(preset: Arc<Preset>) -> Self {
        Self { preset, ..Self::default() }
    }

    /// Forgets everything that the session has set.
    pub fn reset(&mut self) {
        self.set.clear();
        self.results = None;
        self.user.clear();
    }

    /// What these variables hold, and their twins, so that one statement can have others.
    pub fn save<'a>(&self, names: impl Iterator<Item = &'a str>) -> Result<Saved, Failure> {
        let mut values = Vec::new();
        for name in names {
            let Definition(name, ..) = *definition(name).ok_or_else(|| unknown(name))?;
            if FOR_NO_STATEMENT.contains(&name) {
                return Err(error::NOT_FOR_STATEMENT
                    .with(format!("The system variable {name} cannot be set in SET STATEMENT.")));
            }
            let twins = TWINS.iter().filter(|(from, _)| *from == name).map(|(_, to)| *to);
            for name in std::iter::once(name).chain(twins) {
                values.push((name, self.set.get(name).cloned()));
            }
        }
        Ok(Saved { values, results: self.results })
    }

    /// Lets variables hold again what they held.
    pub fn restore(&mut self, saved: Saved) {
        self.results = saved.results;
        for (name, value) in saved.values {
            match value {
                Some(value) => self.set.insert(name, value),
                None => self.set.remove(name),
            };
        }
    }

    /// A bound in seconds, as MySQL cuts it: at least one second, at most a year.
    pub fn seconds(&self, name: &'static str) -> Duration {
        let seconds = self.text(name).parse().unwrap_or(SECONDS_MAX);
        Duration::from_secs(seconds.clamp(1, SECONDS_MAX))
    }

    /// A system variable's value; an error if there is none of that name.
    pub fn system(&self, name: &str) -> Result<Value, Failure> {
        let definition = definition(name).ok_or_else(|| unknown(name))?;
        Ok(self.value(definition))
    }

    /// A system variable that must exist, as text; empty for NULL.
    pub fn text(&self, name: &'static str) -> &str {
        match self.set.get(name) {
            Some(value) => value.as_deref().unwrap_or_default(),
            None => self.unset(definition(name).expect("the variable is in the list below")),
        }
    }

    /// Whether a switch is on.
    pub fn is_on(&self, name: &'static str) -> bool {
        self.text(name) == ON
    }

    /// The character set of the client's statements.
    pub fn client(&self) -> Charset {
        Charset::by_name(self.text("character_set_client")).unwrap_or(Charset::Utf8mb4)
    }

    /// The form of texts in results.
    pub fn results(&self) -> Results {
        let charset = Charset::by_name(self.text("character_set_results"));
        match (charset, self.results) {
            (None, _) => Results::RAW,
            (Some(_), Some(named)) => Results::of(named),
            (Some(charset), None) => Results::of(charset.default_collation()),
        }
    }

    /// A user variable's value.
    pub fn user(&self, name: &str) -> Value {
        self.user.get(name).cloned().unwrap_or(Value::Null)
    }

    /// Sets a user variable.
    pub fn set_user(&mut self, name: &str, value: Value) -> Result<(), Failure> {
        if self.user.len() >= USER_VARIABLES_MAX && !self.user.contains_key(name) {
            return Err(error::UNKNOWN.with("too many user variables"));
        }
        if name.chars().count() > USER_VARIABLE_NAME_MAX {
            return Err(
                error::VARIABLE_NAME.with(format!("User variable name '{name}' is illegal"))
            );
        }
        let bytes = match &value {
            Value::Null | Value::Int(_) | Value::Double(_) => 0,
            Value::Decimal(text) | Value::Text(text) => text.len(),
            Value::Bytes(bytes) => bytes.len(),
        };
        if bytes > USER_VARIABLE_BYTES_MAX {
            return Err(error::UNKNOWN.with(format!(
                "user variable '{name}' is longer than {USER_VARIABLE_BYTES_MAX} bytes"
            )));
        }
        self.user.insert(name.to_owned(), value);
        Ok(())
    }

    /// Sets a system variable of the session; `None` is DEFAULT.
    pub fn assign(
        &mut self,
        scope: Option<Scope>,
        name: &str,
        value: Option<Value>,
    ) -> Result<(), Failure> {
        let definition = definition(name).ok_or_else(|| unknown(name))?;
        let Definition(name, kind, _) = *definition;
        if matches!(kind, Kind::FixedText | Kind::FixedCount) {
            return Err(error::READ_ONLY_VARIABLE
                .with(format!("Variable '{name}' is a read only variable")));
        }
        if !matches!(scope, None | Some(Scope::Session)) {
            return Err(error::PRIVILEGE.with(
                "Access denied; you need (at least one of) the SUPER or SYSTEM_VARIABLES_ADMIN \
                 privilege(s) for this operation",
            ));
        }
        match value {
            None => self.set.remove(name),
            Some(value) => self.set.insert(name, accepted(name, kind, value)?),
        };
        if name == "character_set_results" {
            self.results = None;
        }
        self.follow(name);
        Ok(())
    }

    /// SET NAMES, and a connection's own collation.
    pub fn set_names(&mut self, charset: &str, collation: Option<&str>) -> Result<(), Failure> {
        let charset = Charset::by_name(charset).ok_or_else(|| unknown_charset(charset))?;
        if !charset.is_for_clients() {
            return Err(wrong_value("character_set_client", charset.name()));
        }
        let named = match collation {
            Some(name) => collation::by_name(name)
                .filter(|id| collation::charset(*id) == Some(charset))
                .ok_or_else(|| mismatch(name, charset.name()))?,
            None => charset.default_collation(),
        };
        for name in ["character_set_client", "character_set_connection", "character_set_results"] {
            self.set.insert(name, Some(charset.name().to_owned()));
        }
        self.set.insert("collation_connection", collation::name(named).map(str::to_owned));
        self.results = collation.is_some().then_some(named);
        Ok(())
    }

    /// What a login's collation comes to; one that is not known leaves all as it is, as in MySQL.
    pub fn begin(&mut self, login: CollationId) -> Result<(), Failure> {
        match (collation::charset(login), collation::name(login)) {
            (Some(charset), Some(name)) => self.set_names(charset.name(), Some(name)),
            _ => Ok(()),
        }
    }

    /// SET CHARACTER SET: as SET NAMES, but the connection gets the server's.
    pub fn set_character_set(&mut self, charset: &str) -> Result<(), Failure> {
        self.set_names(charset, None)?;
        self.set.remove("character_set_connection");
        self.set.remove("collation_connection");
        Ok(())
    }

    /// Every variable and its value as SHOW VARIABLES prints it, by name.
    pub fn all(&self) -> impl Iterator<Item = (&'static str, String)> + '_ {
        DEFINITIONS.iter().map(|definition| {
            let Definition(name, kind, _) = definition;
            let text = match self.set.get(name) {
                Some(value) => value.clone().unwrap_or_default(),
                None => self.unset(definition).to_owned(),
            };
            let is_on = matches!(kind, Kind::Switch).then(|| text == ON);
            (*name, is_on.map_or(text, |on| if on { "ON" } else { "OFF" }.to_owned()))
        })
    }

    /// Variables that come in two names, or in pairs, agree.
    fn follow(&mut self, name: &'static str) {
        let value = self.text(name).to_owned();
        for (from, to) in TWINS {
            if *from == name {
                self.set.insert(to, Some(value.clone()));
            }
        }
        if name == "collation_connection"
            && let Some(charset) = collation::by_name(&value).and_then(collation::charset)
        {
            self.set.insert("character_set_connection", Some(charset.name().to_owned()));
        }
        if name == "character_set_connection"
            && let Some(charset) = Charset::by_name(&value)
        {
            let default = collation::name(charset.default_collation());
            self.set.insert("collation_connection", default.map(str::to_owned));
        }
    }

    /// What a variable holds that the session has not set.
    fn unset(&self, definition: &'static Definition) -> &str {
        self.preset.0.get(definition.0).map_or(definition.2, String::as_str)
    }

    fn value(&self, definition: &'static Definition) -> Value {
        let Definition(name, kind, _) = definition;
        let text = match self.set.get(name) {
            None => self.unset(definition),
            Some(None) => return Value::Null,
            Some(Some(text)) => text,
        };
        match kind {
            Kind::Switch | Kind::Count | Kind::FixedCount => {
                text.parse().map_or_else(|_| Value::Decimal(text.to_owned()), Value::Int)
            }
            Kind::Text
            | Kind::Word(_)
            | Kind::Words(_)
            | Kind::Charset
            | Kind::OptionalCharset
            | Kind::Collation
            | Kind::FixedText => Value::Text(text.to_owned()),
        }
    }
}

/// The value as it is kept, if the variable takes it; `None` is NULL.
fn accepted(name: &str, kind: Kind, value: Value) -> Result<Option<String>, Failure> {
    let text = printed(&value);
    let kept = match kind {
        Kind::OptionalCharset if value == Value::Null => return Ok(None),
        Kind::Switch => switch(&value).map(str::to_owned),
        Kind::Count => {
            let (Value::Int(_) | Value::Decimal(_)) = value else { return Err(wrong_type(name)) };
            // Out of range is cut to the range, as in MySQL.
            Some(if text.starts_with('-') { "0".to_owned() } else { text.clone() })
        }
        Kind::Text => Some(text.clone()).filter(|_| value != Value::Null),
        Kind::Word(words) => word(words, &text),
        Kind::Words(words) => list(words, &text),
        Kind::Charset | Kind::OptionalCharset => {
            let charset = match value {
                Value::Int(_) => numbered(&text).and_then(collation::charset),
                Value::Double(_) | Value::Decimal(_) => return Err(wrong_type(name)),
                Value::Null | Value::Text(_) | Value::Bytes(_) => Charset::by_name(&text),
            };
            if value == Value::Null {
                return Err(wrong_value(name, "NULL"));
            }
            let charset = charset.ok_or_else(|| unknown_charset(&text))?;
            if name == "character_set_client" && !charset.is_for_clients() {
                return Err(wrong_value(name, &text));
            }
            Some(charset.name().to_owned())
        }
        Kind::Collation => {
            let found = numbered(&text).or_else(|| collation::by_name(&text));
            let known = found.and_then(collation::name);
            if value == Value::Null {
                return Err(wrong_value(name, "NULL"));
            }
            Some(known.ok_or_else(|| unknown_collation(&text))?.to_owned())
        }
        Kind::FixedText | Kind::FixedCount => None,
    };
    match kept {
        Some(kept) if kept.len() > VALUE_BYTES_MAX => Err(wrong_value(name, "(too long)")),
        Some(kept) => Ok(Some(kept)),
        None if value == Value::Null => Err(wrong_value(name, "NULL")),
        None => Err(wrong_value(name, &text)),
    }
}

fn numbered(text: &str) -> Option<CollationId> {
    text.parse().ok().map(CollationId)
}

fn switch(value: &Value) -> Option<&'static str> {
    match value {
        Value::Int(0) => Some(OFF),
        Value::Int(1) => Some(ON),
        Value::Text(text) if text.eq_ignore_ascii_case("on") => Some(ON),
        Value::Text(text) if text.eq_ignore_ascii_case("off") => Some(OFF),
        Value::Text(text) if text.eq_ignore_ascii_case("true") => Some(ON),
        Value::Text(text) if text.eq_ignore_ascii_case("false") => Some(OFF),
        Value::Null
        | Value::Int(_)
        | Value::Double(_)
        | Value::Decimal(_)
        | Value::Text(_)
        | Value::Bytes(_) => None,
    }
}

fn word(words: &[&'static str], text: &str) -> Option<String> {
    words.iter().find(|word| word.eq_ignore_ascii_case(text)).map(|word| (*word).to_owned())
}

fn list(words: &[&'static str], text: &str) -> Option<String> {
    let mut kept: Vec<String> = Vec::new();
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let known = word(words, part)?;
        if !kept.contains(&known) {
            kept.push(known);
        }
    }
    Some(kept.join(","))
}

/// A value as text; empty for NULL.
pub fn printed(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Int(number) => number.to_string(),
        Value::Double(number) => number.to_string(),
        Value::Decimal(text) | Value::Text(text) => text.clone(),
        Value::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
    }
}

fn definition(name: &str) -> Option<&'static Definition> {
    let index = DEFINITIONS.binary_search_by(|definition| definition.0.cmp(name)).ok()?;
    DEFINITIONS.get(index)
}

fn unknown(name: &str) -> Failure {
    error::UNKNOWN_VARIABLE.with(format!("Unknown system variable '{name}'"))
}

fn unknown_charset(name: &str) -> Failure {
    error::UNKNOWN_CHARSET.with(format!("Unknown character set: '{name}'"))
}

fn unknown_collation(name: &str) -> Failure {
    error::UNKNOWN_COLLATION.with(format!("Unknown collation: '{name}'"))
}

fn mismatch(collation: &str, charset: &str) -> Failure {
    match collation::by_name(collation) {
        Some(_) => error::COLLATION_MISMATCH
            .with(format!("COLLATION '{collation}' is not valid for CHARACTER SET '{charset}'")),
        None => unknown_collation(collation),
    }
}

fn wrong_value(name: &str, value: &str) -> Failure {
    error::WRONG_VALUE.with(format!("Variable '{name}' can't be set to the value of '{value}'"))
}

fn wrong_type(name: &str) -> Failure {
    error::WRONG_TYPE.with(format!("Incorrect argument type to variable '{name}'"))
}

const ON: &str = "1";
const OFF: &str = "0";
/// User variables of one session.
const USER_VARIABLES_MAX: usize = 256;
/// Characters of a user variable's name, as in MySQL.
const USER_VARIABLE_NAME_MAX: usize = 64;
/// Bytes of one user variable: with their number, what a session's variables may hold.
const USER_VARIABLE_BYTES_MAX: usize = 64 << 10;
/// Bytes of one system variable.
const VALUE_BYTES_MAX: usize = 64 * 1024;
/// A year: the longest time-out that MySQL takes.
const SECONDS_MAX: u64 = 31_536_000;

/// Setting the first sets the second.
const TWINS: &[(&str, &str)] = &[
    ("transaction_isolation", "tx_isolation"),
    ("tx_isolation", "transaction_isolation"),
    ("transaction_read_only", "tx_read_only"),
    ("tx_read_only", "transaction_read_only"),
];

/// What MariaDB, whose statement it is, lets nobody set for one statement.
const FOR_NO_STATEMENT: &[&str] = &[
    "autocommit",
    "character_set_client",
    "character_set_connection",
    "collation_connection",
    "interactive_timeout",
    "transaction_isolation",
    "tx_isolation",
    "wait_timeout",
];

/// A TIMESTAMP is read and shown as UTC: another zone is refused rather than ignored.
const TIME_ZONES: &[&str] = &["SYSTEM", "+00:00", "UTC"];

const ISOLATIONS: &[&str] =
    &["READ-UNCOMMITTED", "READ-COMMITTED", "REPEATABLE-READ", "SERIALIZABLE"];

const SQL_MODES: &[&str] = &[
    "REAL_AS_FLOAT",
    "PIPES_AS_CONCAT",
    "ANSI_QUOTES",
    "IGNORE_SPACE",
    "ONLY_FULL_GROUP_BY",
    "NO_UNSIGNED_SUBTRACTION",
    "NO_DIR_IN_CREATE",
    "ANSI",
    "NO_AUTO_VALUE_ON_ZERO",
    "NO_BACKSLASH_ESCAPES",
    "STRICT_TRANS_TABLES",
    "STRICT_ALL_TABLES",
    "NO_ZERO_IN_DATE",
    "NO_ZERO_DATE",
    "ALLOW_INVALID_DATES",
    "ERROR_FOR_DIVISION_BY_ZERO",
    "TRADITIONAL",
    "HIGH_NOT_PRECEDENCE",
    "NO_AUTO_CREATE_USER",
    "NO_ENGINE_SUBSTITUTION",
    "PAD_CHAR_TO_FULL_LENGTH",
    "TIME_TRUNCATE_FRACTIONAL",
];

const SQL_MODE: &str = "ONLY_FULL_GROUP_BY,STRICT_TRANS_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,\
                        ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION";

/// All that exist, by name.
const DEFINITIONS: &[Definition] = &[
    Definition("auto_increment_increment", Kind::Count, "1"),
    Definition("auto_increment_offset", Kind::Count, "1"),
    Definition("autocommit", Kind::Switch, ON),
    Definition("big_tables", Kind::Switch, OFF),
    Definition("character_set_client", Kind::Charset, "utf8mb4"),
    Definition("character_set_connection", Kind::Charset, "utf8mb4"),
    Definition("character_set_database", Kind::Charset, "utf8mb4"),
    Definition("character_set_results", Kind::OptionalCharset, "utf8mb4"),
    Definition("character_set_server", Kind::Charset, "utf8mb4"),
    Definition("character_set_system", Kind::FixedText, "utf8mb3"),
    Definition("collation_connection", Kind::Collation, "utf8mb4_0900_ai_ci"),
    Definition("collation_database", Kind::Collation, "utf8mb4_0900_ai_ci"),
    Definition("collation_server", Kind::Collation, "utf8mb4_0900_ai_ci"),
    Definition("ddl_strategy", Kind::Text, "direct"),
    Definition("default_storage_engine", Kind::Text, "InnoDB"),
    Definition("foreign_key_checks", Kind::Switch, ON),
    Definition("group_concat_max_len", Kind::Count, "1024"),
    Definition("have_openssl", Kind::FixedText, "DISABLED"),
    Definition("have_ssl", Kind::FixedText, "DISABLED"),
    Definition("information_schema_stats_expiry", Kind::Count, "86400"),
    Definition("init_connect", Kind::FixedText, ""),
    Definition("innodb_lock_wait_timeout", Kind::Count, "50"),
    Definition("interactive_timeout", Kind::Count, "28800"),
    Definition("license", Kind::FixedText, "Apache-2.0"),
    Definition("lock_wait_timeout", Kind::Count, "31536000"),
    Definition("lower_case_table_names", Kind::FixedCount, "0"),
    Definition("max_allowed_packet", Kind::FixedCount, "67108864"),
    Definition("max_execution_time", Kind::Count, "0"),
    Definition("max_join_size", Kind::Count, "18446744073709551615"),
    Definition("max_statement_time", Kind::Count, "0"),
    Definition("net_buffer_length", Kind::FixedCount, "16384"),
    Definition("net_read_timeout", Kind::Count, "30"),
    Definition("net_write_timeout", Kind::Count, "60"),
    Definition("optimizer_switch", Kind::Text, "default"),
    Definition("performance_schema", Kind::FixedCount, "0"),
    Definition("protocol_version", Kind::FixedCount, "10"),
    Definition("query_cache_size", Kind::FixedCount, "0"),
    Definition("query_cache_type", Kind::FixedText, "OFF"),
    Definition("read_after_write_gtid", Kind::Text, ""),
    Definition("read_only", Kind::FixedCount, "0"),
    Definition("session_track_gtids", Kind::Word(&["OFF", "OWN_GTID", "ALL_GTIDS"]), "OFF"),
    Definition("session_track_schema", Kind::Switch, ON),
    Definition("session_track_state_change", Kind::Switch, OFF),
    Definition("session_track_system_variables", Kind::Text, ""),
    Definition(
        "session_track_transaction_info",
        Kind::Word(&["OFF", "STATE", "CHARACTERISTICS"]),
        "OFF",
    ),
    Definition("skip_query_plan_cache", Kind::Switch, OFF),
    Definition("socket", Kind::FixedText, ""),
    Definition("sql_auto_is_null", Kind::Switch, OFF),
    Definition("sql_big_selects", Kind::Switch, ON),
    Definition("sql_log_bin", Kind::Switch, ON),
    Definition("sql_mode", Kind::Words(SQL_MODES), SQL_MODE),
    Definition("sql_notes", Kind::Switch, ON),
    Definition("sql_quote_show_create", Kind::Switch, ON),
    Definition("sql_safe_updates", Kind::Switch, OFF),
    Definition("sql_select_limit", Kind::Count, "18446744073709551615"),
    Definition("sql_warnings", Kind::Switch, OFF),
    Definition("system_time_zone", Kind::FixedText, "UTC"),
    Definition("time_zone", Kind::Word(TIME_ZONES), "SYSTEM"),
    Definition("transaction_isolation", Kind::Word(ISOLATIONS), "REPEATABLE-READ"),
    Definition("transaction_mode", Kind::Word(&["SINGLE", "MULTI", "TWOPC"]), "MULTI"),
    Definition("transaction_read_only", Kind::Switch, OFF),
    Definition("tx_isolation", Kind::Word(ISOLATIONS), "REPEATABLE-READ"),
    Definition("tx_read_only", Kind::Switch, OFF),
    Definition("unique_checks", Kind::Switch, ON),
    Definition("version", Kind::FixedText, SERVER_VERSION),
    Definition("version_comment", Kind::FixedText, "vstreamd"),
    Definition("version_compile_machine", Kind::FixedText, std::env::consts::ARCH),
    Definition("version_compile_os", Kind::FixedText, std::env::consts::OS),
    Definition("vstream_result_sets", Kind::Word(&["single", "chain", "auto"]), "auto"),
    Definition("wait_timeout", Kind::Count, "28800"),
    Definition("workload", Kind::Word(&["UNSPECIFIED", "OLTP", "OLAP", "DBA"]), "OLTP"),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Value {
        Value::Text(text.to_owned())
    }

    #[test]
    fn names_are_in_order_and_defaults_are_accepted() {
        assert!(DEFINITIONS.is_sorted_by(|a, b| a.0 < b.0), "binary search needs it");
        for Definition(name, kind, default) in DEFINITIONS {
            if !matches!(kind, Kind::FixedText | Kind::FixedCount) {
                let value = Variables::default().system(name).unwrap();
                assert_eq!(accepted(name, *kind, value), Ok(Some((*default).to_owned())), "{name}");
            }
        }
    }

    #[test]
    fn values_are_checked() {
        let check = |name, value: Value, expected: Result<Value, u16>| {
            let mut variables = Variables::default();
            let outcome = variables
                .assign(None, name, Some(value))
                .and_then(|()| variables.system(name))
                .map_err(|failure| failure.code);
            assert_eq!(outcome, expected, "{name}");
        };
        check("workload", text("olap"), Ok(text("OLAP")));
        check("workload", text("fast"), Err(1231));
        check("workload", Value::Null, Err(1231));
        check("autocommit", text("off"), Ok(Value::Int(0)));
        check("autocommit", Value::Int(2), Err(1231));
        check("sql_select_limit", Value::Int(10), Ok(Value::Int(10)));
        check("sql_select_limit", text("10"), Err(1232));
        check("sql_mode", text("ansi,no_zero_date,"), Ok(text("ANSI,NO_ZERO_DATE")));
        check("sql_mode", text("nonsense"), Err(1231));
        check("time_zone", text("utc"), Ok(text("UTC")));
        check("time_zone", text("+05:00"), Err(1231));
        check("character_set_results", Value::Null, Ok(Value::Null));
        check("character_set_results", text("latin9"), Err(1115));
        check("collation_connection", text("utf8mb4_bin"), Ok(text("utf8mb4_bin")));
        check("version", text("9"), Err(1238));
        check("no_such", text("9"), Err(1193));
    }

    #[test]
    fn only_the_session_can_be_set() {
        let mut variables = Variables::default();
        let failure = variables.assign(Some(Scope::Global), "workload", Some(text("olap")));
        assert_eq!(failure.unwrap_err().code, 1227);
        variables.assign(Some(Scope::Session), "tx_isolation", Some(text("serializable"))).unwrap();
        assert_eq!(variables.text("transaction_isolation"), "SERIALIZABLE");
        variables.assign(None, "tx_isolation", None).unwrap();
        assert_eq!(variables.text("transaction_isolation"), "REPEATABLE-READ");
    }

    #[test]
    fn user_variables_are_bounded() {
        let mut variables = Variables::default();
        let long = "9".repeat(USER_VARIABLE_BYTES_MAX + 1);
        let check = |variables: &mut Variables, name: &str, value, expected: Option<u16>| {
            let outcome = variables.set_user(name, value).map_err(|failure| failure.code);
            assert_eq!(outcome.err(), expected);
        };
        check(&mut variables, &"ä".repeat(64), Value::Null, None);
        check(&mut variables, &"ä".repeat(65), Value::Null, Some(3061));
        check(&mut variables, "a", text(&long), Some(1105));
        check(&mut variables, "a", Value::Decimal(long.clone()), Some(1105));
        check(&mut variables, "a", Value::Bytes(long.clone().into_bytes()), Some(1105));
        check(&mut variables, "a", text(&long[1..]), None);
        for number in 2..USER_VARIABLES_MAX {
            check(&mut variables, &number.to_string(), Value::Null, None);
        }
        check(&mut variables, "one more", Value::Null, Some(1105));
        check(&mut variables, "a", Value::Int(1), None);
    }

    #[test]
    fn what_was_saved_comes_back_with_its_twin() {
        let mut variables = Variables::new(Arc::new(Preset::new(4096, Duration::from_secs(9))));
        assert_eq!(variables.text("max_allowed_packet"), "4096");
        assert_eq!(variables.seconds("wait_timeout"), Duration::from_secs(9));
        variables.assign(None, "wait_timeout", Some(Value::Int(0))).unwrap();
        assert_eq!(variables.seconds("wait_timeout"), Duration::from_secs(1));
        let before = variables.clone();
        let assigned = [("tx_read_only", "on"), ("workload", "olap")];
        let saved = variables.save(assigned.iter().map(|(name, _)| *name)).unwrap();
        for (name, value) in assigned {
            variables.assign(None, name, Some(text(value))).unwrap();
        }
        for (name, code) in [("autocommit", 1971), ("no_such", 1193)] {
            assert_eq!(variables.save([name].into_iter()).unwrap_err().code, code);
        }
        assert_ne!(variables, before);
        variables.assign(None, "sql_select_limit", Some(Value::Int(1))).unwrap();
        variables.restore(saved);
        assert_eq!(variables.text("sql_select_limit"), "1");
        variables.assign(None, "sql_select_limit", None).unwrap();
        assert_eq!(variables, before);
        variables.reset();
        assert_eq!(variables.text("wait_timeout"), "9");
    }

    #[test]
    fn names_set_four_variables() {
        let mut variables = Variables::default();
        variables.set_names("utf8mb4", Some("utf8mb4_general_ci")).unwrap();
        assert_eq!(variables.text("collation_connection"), "utf8mb4_general_ci");
        variables.set_names("utf8", None).unwrap();
        assert_eq!(variables.text("character_set_results"), "utf8mb3");
        assert_eq!(variables.text("collation_connection"), "utf8mb3_general_ci");
        assert_eq!(variables.set_names("utf8mb4", Some("utf8_bin")).unwrap_err().code, 1253);
        assert_eq!(variables.set_names("latin9", None).unwrap_err().code, 1115);
        variables.set_names("latin1", None).unwrap();
        assert_eq!(variables.results(), Results::of(CollationId::LATIN1_SWEDISH_CI));
    }

    #[test]
    fn character_sets_are_those_of_mysql() {
        let check = |name, value: Value, expected: Result<&str, u16>| {
            let mut variables = Variables::default();
            let outcome = variables.assign(None, name, Some(value)).map_err(|failure| failure.code);
            let found = outcome.map(|()| variables.text(name).to_owned());
            assert_eq!(found.as_deref().map_err(|code| *code), expected, "{name}");
        };
        check("character_set_results", text("utf16"), Ok("utf16"));
        check("character_set_results", Value::Int(28), Ok("gbk"));
        check("character_set_results", Value::Int(9999), Err(1115));
        check("character_set_results", Value::Decimal("1.5".to_owned()), Err(1232));
        check("character_set_results", Value::Null, Ok(""));
        check("character_set_client", text("gbk"), Ok("gbk"));
        check("character_set_client", text("utf16"), Err(1231));
        check("character_set_client", Value::Int(35), Err(1231));
        check("character_set_client", Value::Null, Err(1231));
        check("collation_connection", Value::Int(54), Ok("utf16_general_ci"));
        check("collation_connection", Value::Null, Err(1231));
        let mut variables = Variables::default();
        for charset in Charset::ALL {
            let outcome = variables.set_names(charset.name(), None).map_err(|failure| failure.code);
            assert_eq!(outcome, if charset.is_for_clients() { Ok(()) } else { Err(1231) });
        }
        variables.set_names("latin1", Some("latin1_general_cs")).unwrap();
        let named = variables.results();
        assert_eq!(named, Results::of(CollationId(49)));
        let saved = variables.save(["character_set_results"].into_iter()).unwrap();
        variables.assign(None, "character_set_results", Some(Value::Null)).unwrap();
        assert_eq!((variables.results(), variables.client()), (Results::RAW, Charset::Latin1));
        variables.restore(saved);
        assert_eq!(variables.results(), named);
        variables.assign(None, "character_set_results", Some(text("latin1"))).unwrap();
        assert_eq!(variables.results(), Results::of(CollationId(8)));
        assert_eq!(variables.begin(CollationId(35)).unwrap_err().code, 1231);
        variables.begin(CollationId(999)).unwrap();
        variables.begin(CollationId(45)).unwrap();
        assert_eq!(variables.results(), Results::of(CollationId(45)));
    }
}
