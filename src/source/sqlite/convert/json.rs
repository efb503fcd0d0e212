//! JSON in MySQL's own text: keys by length and bytes, one space behind each comma and colon.

use rusqlite::types::Value as Stored;
use serde_json::Value;

use super::{Given, double_text};
use crate::event::Column;
use crate::sql::sqlite::Fault;

pub(super) fn store(column: &Column, given: &Given) -> Result<Stored, Fault> {
    let text = match given {
        Given::Json(text) => return Ok(Stored::Text(text.clone())),
        Given::Whole(_) | Given::Exact(_) | Given::Double(_) | Given::Text(_) => given.text(),
        Given::Moment(_) | Given::Time(..) | Given::Member(..) => quote(&given.text()),
        Given::Bytes(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => text.to_owned(),
            Err(_) => return Err(invalid(column, "Invalid encoding in string.", 0)),
        },
    };
    normal(&text).map(Stored::Text).map_err(|position| invalid(column, "Invalid value.", position))
}

fn invalid(column: &Column, message: &str, position: usize) -> Fault {
    Fault::InvalidJson { message: message.to_owned(), position, column: column.name.to_string() }
}

/// A JSON text in MySQL's form, or where it goes wrong.
pub fn normal(text: &str) -> Result<String, usize> {
    let value: Value = serde_json::from_str(text).map_err(|error| {
        let lines = text.split_inclusive('\n').take(error.line().saturating_sub(1));
        lines.map(str::len).sum::<usize>() + error.column().saturating_sub(1)
    })?;
    let mut out = String::with_capacity(text.len());
    print(&value, &mut out);
    Ok(out)
}

fn print(value: &Value, out: &mut String) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(truth) => out.push_str(if *truth { "true" } else { "false" }),
        Value::Number(number) => match number.as_f64().filter(|_| number.is_f64()) {
            Some(double) => {
                let text = double_text(double);
                out.push_str(&text);
                // A double stays one when it is read again.
                if text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-') {
                    out.push_str(".0");
                }
            }
            None => out.push_str(&number.to_string()),
        },
        Value::String(text) => out.push_str(&quote(text)),
        Value::Array(values) => {
            out.push('[');
            for (place, value) in values.iter().enumerate() {
                if place > 0 {
                    out.push_str(", ");
                }
                print(value, out);
            }
            out.push(']');
        }
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_by(|a, b| (a.0.len(), a.0).cmp(&(b.0.len(), b.0)));
            out.push('{');
            for (place, (key, value)) in members.into_iter().enumerate() {
                if place > 0 {
                    out.push_str(", ");
                }
                out.push_str(&quote(key));
                out.push_str(": ");
                print(value, out);
            }
            out.push('}');
        }
    }
}

fn quote(text: &str) -> String {
    Value::String(text.to_owned()).to_string()
}
