//! A session's variables, as the server's session is to hold them.

use super::super::Flavour;
use crate::source::Variables;
use crate::sql::sqlite::Value;

/// What a server's session holds of the variables that a client can set.
#[derive(Debug, Default)]
pub(super) struct Settings(Vec<(&'static str, String)>);

/// What is to be set.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Change {
    /// The statement.
    pub statement: String,
    values: Vec<(&'static str, String)>,
}

impl Settings {
    /// What has changed since; nothing if all is as it was.
    pub fn change(
        &self,
        variables: &dyn Variables,
        flavour: Flavour,
        read_only: bool,
    ) -> Option<Change> {
        let mut values = Vec::new();
        for &(name, default) in VARIABLES {
            let known = self.0.iter().find(|(known, _)| *known == name).map(|(_, value)| value);
            let value = match name {
                "transaction_read_only" if read_only => Some("1".to_owned()),
                // What is not logged is a change all the same.
                "sql_log_bin" if read_only => None,
                "max_statement_time" if flavour == Flavour::Mysql => None,
                _ => variables.system(name).map(|value| printed(name, value, flavour)),
            };
            // What nobody has set stays as the server has it, unless its meaning is the door's.
            let unset = |value: &String| known.is_none() && default == Some(value.as_str());
            if let Some(value) = value.filter(|value| known != Some(value) && !unset(value)) {
                values.push((name, value));
            }
        }
        if values.is_empty() {
            return None;
        }
        let items = values.iter().map(|(name, value)| {
            let name = match (flavour, *name) {
                (Flavour::MariaDb, "transaction_isolation") => "tx_isolation",
                (Flavour::MariaDb, "transaction_read_only") => "tx_read_only",
                (Flavour::MariaDb | Flavour::Mysql, name) => name,
            };
            format!("SESSION {name} = {value}")
        });
        let statement = format!("SET {}", items.collect::<Vec<_>>().join(", "));
        Some(Change { statement, values })
    }

    /// The server has taken it.
    pub fn keep(&mut self, change: Change) {
        for (name, value) in change.values {
            self.0.retain(|(known, _)| *known != name);
            self.0.push((name, value));
        }
    }
}

fn printed(name: &str, value: Value, flavour: Flavour) -> String {
    match value {
        Value::Text(text) if name == "collation_connection" => {
            // MySQL's default, which MariaDB lacks; its own one of the same character set.
            let lacks = flavour == Flavour::MariaDb && text == "utf8mb4_0900_ai_ci";
            quoted(if lacks { "utf8mb4_general_ci" } else { &text })
        }
        Value::Text(text) => quoted(&text),
        value => literal(&value),
    }
}

/// What sets user variables to what the door holds; nothing if it holds none of them.
pub(super) fn set_users(names: &[String], variables: &dyn Variables) -> Option<String> {
    let items: Vec<String> = names
        .iter()
        .filter_map(|name| {
            let value = variables.user(name).filter(|value| *value != Value::Null)?;
            Some(format!("@`{}` = {}", name.replace('`', "``"), literal(&value)))
        })
        .collect();
    (!items.is_empty()).then(|| format!("SET {}", items.join(", ")))
}

/// A value in a form that no mode reads in another way.
fn literal(value: &Value) -> String {
    match value {
        Value::Null => "NULL".to_owned(),
        Value::Int(number) => number.to_string(),
        Value::Double(number) => format!("{number:e}"),
        Value::Decimal(text) if is_decimal(text) => text.clone(),
        Value::Decimal(text) | Value::Text(text) => {
            format!("_utf8mb4 X'{}'", hex(text.as_bytes()))
        }
        Value::Bytes(bytes) => format!("X'{}'", hex(bytes)),
    }
}

fn is_decimal(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    digits.contains(|c: char| c.is_ascii_digit())
        && digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
        && digits.matches('.').count() <= 1
}

fn quoted(text: &str) -> String {
    // Words, names and their lists: whatever else there may be is left out.
    let kept = text.chars().filter(|c| c.is_ascii_alphanumeric() || "_-,+:/ ".contains(*c));
    format!("'{}'", kept.collect::<String>())
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // A string takes everything.
        let _ = write!(text, "{byte:02X}");
        text
    })
}

/// What a client can set that means something to its statements on a server. With what the door has
/// where nobody has set it: what is so is left as the server has it. Without, the door's value holds
/// in any case.
const VARIABLES: &[(&str, Option<&str>)] = &[
    ("collation_connection", None),
    ("sql_mode", None),
    ("transaction_isolation", None),
    ("transaction_read_only", None),
    ("foreign_key_checks", None),
    ("unique_checks", None),
    ("auto_increment_increment", Some("1")),
    ("auto_increment_offset", Some("1")),
    ("group_concat_max_len", Some("1024")),
    ("innodb_lock_wait_timeout", Some("50")),
    ("lock_wait_timeout", Some("31536000")),
    ("max_join_size", Some("18446744073709551615")),
    ("max_statement_time", Some("0")),
    ("sql_auto_is_null", Some("0")),
    ("sql_big_selects", Some("1")),
    ("sql_log_bin", Some("1")),
    ("sql_notes", Some("1")),
    ("sql_quote_show_create", Some("1")),
    // The door counts too, and would have to end the statement.
    ("sql_select_limit", Some("18446744073709551615")),
    ("sql_safe_updates", Some("0")),
    // Switching it on commits: last, under the others' new values.
    ("autocommit", None),
];

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    struct Held(HashMap<&'static str, Value>);

    impl Variables for Held {
        fn system(&self, name: &str) -> Option<Value> {
            self.0.get(name).cloned()
        }

        fn user(&self, name: &str) -> Option<Value> {
            Some(self.0.get(name).cloned().unwrap_or(Value::Null))
        }
    }

    #[test]
    fn only_what_changed_is_set() {
        let text = |text: &str| Value::Text(text.to_owned());
        let mut held = Held(HashMap::from([
            ("collation_connection", text("utf8mb4_0900_ai_ci")),
            ("transaction_isolation", text("READ-COMMITTED")),
            ("transaction_read_only", Value::Int(0)),
            ("autocommit", Value::Int(1)),
            ("group_concat_max_len", Value::Int(1024)),
            ("max_join_size", Value::Decimal("18446744073709551615".to_owned())),
            ("sql_log_bin", Value::Int(0)),
            ("max_statement_time", Value::Int(0)),
        ]));
        let mut settings = Settings::default();
        let change = settings.change(&held, Flavour::MariaDb, true).unwrap();
        assert_eq!(
            change.statement,
            "SET SESSION collation_connection = 'utf8mb4_general_ci', \
             SESSION tx_isolation = 'READ-COMMITTED', SESSION tx_read_only = 1, \
             SESSION autocommit = 1"
        );
        settings.keep(change);
        assert_eq!(settings.change(&held, Flavour::MariaDb, true), None);
        held.0.insert("group_concat_max_len", Value::Int(9));
        let change = settings.change(&held, Flavour::MariaDb, true).unwrap();
        assert!(change.statement.contains("group_concat_max_len = 9"), "{change:?}");
        settings.keep(change);
        held.0.insert("group_concat_max_len", Value::Int(1024));
        let change = settings.change(&held, Flavour::MariaDb, false).unwrap();
        assert_eq!(
            change.statement,
            "SET SESSION tx_read_only = 0, SESSION group_concat_max_len = 1024, \
             SESSION sql_log_bin = 0"
        );
        settings.keep(change);
        held.0.insert("max_statement_time", Value::Int(9));
        let change = settings.change(&held, Flavour::MariaDb, false).unwrap();
        assert_eq!(change.statement, "SET SESSION max_statement_time = 9");
        let change = settings.change(&held, Flavour::Mysql, false).unwrap();
        assert!(!change.statement.contains("max_statement_time"), "MySQL does not know it");
    }

    #[test]
    fn values_are_no_statements() {
        let held = Held(HashMap::from([
            ("a", Value::Text("' OR \\".to_owned())),
            ("b", Value::Int(-7)),
            ("c", Value::Bytes(vec![0, 255])),
            ("d", Value::Decimal("1.50".to_owned())),
            ("e", Value::Decimal("1; x".to_owned())),
            ("f", Value::Double(0.1)),
        ]));
        let names: Vec<String> =
            ["a", "b", "c", "d", "e", "f", "g`"].map(ToString::to_string).into();
        assert_eq!(
            set_users(&names, &held).unwrap(),
            "SET @`a` = _utf8mb4 X'27204F52205C', @`b` = -7, @`c` = X'00FF', @`d` = 1.50, \
             @`e` = _utf8mb4 X'313B2078', @`f` = 1e-1"
        );
        assert_eq!(set_users(&names[6..], &held), None);
        assert_eq!(quoted("a'b\\,c"), "'ab,c'");
    }
}
