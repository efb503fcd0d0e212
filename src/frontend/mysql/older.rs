//! Rows from before the columns that a client was told.
//!
//! A stream that resumes tells the columns that the table has today, and may first read rows from
//! when it had others. They are shown in today's columns as long as none of their cells is lost by
//! that: in columns that they lack as NULL.

use std::ops::Range;
use std::sync::Arc;

use super::columns::ColumnDefinition;
use super::resultset::RowForm;
use crate::event::TableSchema;
use crate::event::row::{push_null, split_cell};

/// How rows of older columns are shown in those that the client was told.
#[derive(Debug)]
pub struct Older {
    /// The columns of the rows.
    output: Arc<TableSchema>,
    /// Which of them each column is that the client was told; `None` if it came later.
    places: Vec<Option<usize>>,
    form: RowForm,
    /// The last row: where its cells were, and what they are in the order that the client was told.
    spans: Vec<Range<usize>>,
    cells: Vec<u8>,
}

impl Older {
    /// The columns of `told` that rows of `output` are shown in: the same ones if the statement names
    /// them, else by their names. `None` if a column of the rows is not among them.
    pub fn places(
        told: &TableSchema,
        output: &TableSchema,
        names_columns: bool,
    ) -> Option<Vec<Option<usize>>> {
        if names_columns {
            return Some((0..output.columns.len()).map(Some).collect());
        }
        let place = |schema: &TableSchema, name: &str| {
            schema.columns.iter().position(|column| *column.name == *name)
        };
        let has_all = output.columns.iter().all(|column| place(told, &column.name).is_some());
        has_all.then(|| told.columns.iter().map(|column| place(output, &column.name)).collect())
    }

    /// The columns of `told`, those that the rows have as the rows have them.
    pub fn mixed(
        told: &TableSchema,
        output: &TableSchema,
        places: &[Option<usize>],
    ) -> TableSchema {
        let columns = told.columns.iter().zip(places).map(|(told, place)| {
            place.and_then(|place| output.columns.get(place)).unwrap_or(told).clone()
        });
        TableSchema {
            name: told.name.clone(),
            columns: columns.collect(),
            key: told.key.clone(),
            key_is_primary: told.key_is_primary,
        }
    }

    /// Rows of `output` whose cells stand at `places`, sent in the form of what the client was told,
    /// and converted as the definitions of the mixed columns say.
    pub fn new(
        output: &Arc<TableSchema>,
        places: Vec<Option<usize>>,
        told: &RowForm,
        mixed: &[ColumnDefinition],
    ) -> Self {
        let form = told.converting(mixed);
        let output = Arc::clone(output);
        Self { output, places, form, spans: Vec::new(), cells: Vec::new() }
    }

    /// Whether it is made for rows of these columns.
    pub fn is_of(&self, output: &Arc<TableSchema>) -> bool {
        Arc::ptr_eq(&self.output, output)
    }

    /// A row's cells in the columns that the client was told, and how they are sent.
    pub fn arrange(&mut self, row: &[u8]) -> (&RowForm, &[u8]) {
        self.spans.clear();
        self.cells.clear();
        let mut rest = row;
        while let Some((_, behind)) = split_cell(rest) {
            self.spans.push(row.len() - rest.len()..row.len() - behind.len());
            rest = behind;
        }
        for place in &self.places {
            let span = place.and_then(|place| self.spans.get(place).cloned());
            match span.and_then(|span| row.get(span)) {
                Some(cell) => self.cells.extend_from_slice(cell),
                None => push_null(&mut self.cells),
            }
        }
        (&self.form, &self.cells)
    }
}
