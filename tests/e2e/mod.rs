//! The program as its users meet it: started as a process, spoken to by real clients.

mod bystanders;
mod crash;
mod flood;
mod footprint;
mod frozen;
mod lifecycle;
mod page;
mod progress;
mod resume;

use mysql_async::{Row, Value};

/// The cells of a row of the text protocol.
fn text_cells(row: Row) -> Vec<Option<String>> {
    row.unwrap()
        .into_iter()
        .map(|value| match value {
            Value::NULL => None,
            Value::Bytes(bytes) => Some(String::from_utf8(bytes).expect("cells are text")),
            other => panic!("{other:?} is no text cell"),
        })
        .collect()
}
