//! Tables as a consumer of a stream keeps them: by key, or counted where there is none.

use std::collections::BTreeMap;
use std::sync::Arc;

use vstreamd::event::row::{push_cell, push_null};
use vstreamd::event::{Cell, Row, TableName, TableSchema};

/// The tables of one shard.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct State {
    pub tables: BTreeMap<TableName, TableRows>,
}

/// The rows of one table: a row per key, and how many there are of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableRows {
    pub schema: Arc<TableSchema>,
    pub rows: BTreeMap<Vec<u8>, (Vec<u8>, i64)>,
}

/// What a statement does to a table.
#[derive(Debug, Clone)]
pub enum Effect {
    Create(Arc<TableSchema>),
    Drop(TableName),
    Truncate(TableName),
    /// The last column is new and NULL in all rows.
    AddColumn(Arc<TableSchema>),
    /// The same columns under another key.
    Rekey(Arc<TableSchema>),
}

impl Effect {
    pub fn table(&self) -> &TableName {
        match self {
            Self::Drop(name) | Self::Truncate(name) => name,
            Self::Create(schema) | Self::AddColumn(schema) | Self::Rekey(schema) => &schema.name,
        }
    }
}

pub fn key_of(schema: &TableSchema, row: &[u8]) -> Vec<u8> {
    if schema.key.is_empty() {
        return row.to_vec();
    }
    let mut key = Vec::new();
    for &index in &schema.key {
        match Row::new(row, None).cells().nth(index) {
            Some(Cell::Text(bytes)) => push_cell(&mut key, bytes),
            _ => push_null(&mut key),
        }
    }
    key
}

impl TableRows {
    pub fn new(schema: &Arc<TableSchema>) -> Self {
        Self { schema: Arc::clone(schema), rows: BTreeMap::new() }
    }

    pub fn remove(&mut self, row: &[u8]) {
        let key = key_of(&self.schema, row);
        if !self.schema.key.is_empty() {
            self.rows.remove(&key);
            return;
        }
        let entry = self.rows.entry(key).or_insert((row.to_vec(), 0));
        entry.1 -= 1;
        if entry.1 == 0 {
            self.rows.remove(row);
        }
    }

    pub fn put(&mut self, row: &[u8]) {
        let key = key_of(&self.schema, row);
        if !self.schema.key.is_empty() {
            self.rows.insert(key, (row.to_vec(), 1));
            return;
        }
        let entry = self.rows.entry(key.clone()).or_insert((row.to_vec(), 0));
        entry.1 += 1;
        if entry.1 == 0 {
            self.rows.remove(&key);
        }
    }

    /// All rows, equal ones as often as they are there.
    pub fn all(&self) -> Vec<Vec<u8>> {
        let copies = |(row, count): &(Vec<u8>, i64)| {
            std::iter::repeat_n(row.clone(), usize::try_from(*count).unwrap_or(0))
        };
        self.rows.values().flat_map(copies).collect()
    }
}

impl State {
    pub fn change(
        &mut self,
        schema: &Arc<TableSchema>,
        before: Option<&[u8]>,
        after: Option<&[u8]>,
    ) {
        let new = || TableRows::new(schema);
        let table = self.tables.entry(schema.name.clone()).or_insert_with(new);
        if let Some(before) = before {
            table.remove(before);
        }
        if let Some(after) = after {
            table.put(after);
        }
    }

    pub fn apply(&mut self, effect: &Effect) {
        match effect {
            Effect::Create(schema) => {
                self.tables.insert(schema.name.clone(), TableRows::new(schema));
            }
            Effect::Drop(name) => {
                self.tables.remove(name);
            }
            Effect::Truncate(name) => {
                if let Some(table) = self.tables.get_mut(name) {
                    table.rows.clear();
                }
            }
            Effect::AddColumn(schema) | Effect::Rekey(schema) => {
                let old = self.tables.insert(schema.name.clone(), TableRows::new(schema));
                let Some(old) = old else { return };
                let table = self.tables.get_mut(&schema.name).expect("just put there");
                for mut row in old.all() {
                    if matches!(effect, Effect::AddColumn(_)) {
                        push_null(&mut row);
                    }
                    table.put(&row);
                }
            }
        }
    }

    /// The rows that are here and not there, as text.
    pub fn without(&self, other: &Self) -> Vec<String> {
        let mut rows = Vec::new();
        for (name, table) in &self.tables {
            for (key, (row, count)) in &table.rows {
                let theirs = other.tables.get(name).and_then(|table| table.rows.get(key));
                if theirs != Some(&(row.clone(), *count)) {
                    rows.push(format!("{}:{}x{count}", name.table, print_row(row)));
                }
            }
        }
        rows
    }
}

pub fn print_row(row: &[u8]) -> String {
    let cell = |cell: Cell<'_>| match cell {
        Cell::Text(text) => String::from_utf8_lossy(text).into_owned(),
        Cell::Null | Cell::Absent => "NULL".to_owned(),
    };
    let cells: Vec<_> = Row::new(row, None).cells().map(cell).collect();
    format!("({})", cells.join(","))
}
