//! Result sets: definitions, rows, and the end of rows, straight into the link's buffer.

use super::columns::ColumnDefinition;
use super::error::Failure;
use super::link::Link;
use super::opensrv::{CapabilityFlags, StatusFlags};
use super::wire::{Done, push_end, push_eof, push_failure, push_ok};
use crate::event::row::{push_cell, push_length, push_null};

/// A small result that is made at once, such as a SHOW's.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Table {
    /// The columns.
    pub columns: Vec<ColumnDefinition>,
    /// The rows; `None` is NULL.
    pub rows: Vec<Vec<Option<String>>>,
}

impl Table {
    /// A table of texts by their columns' names, without rows.
    pub fn of_texts(columns: &[&str]) -> Self {
        let columns = columns.iter().map(|name| ColumnDefinition::text(name, 0)).collect();
        Self { columns, rows: Vec::new() }
    }

    /// Declares each text as long as its longest cell: clients draw columns that wide.
    pub fn fit(&mut self) {
        for (at, column) in self.columns.iter_mut().enumerate() {
            let cells = self.rows.iter().filter_map(|row| row.get(at)?.as_deref());
            let longest = cells.map(|cell| cell.chars().count()).max().unwrap_or_default();
            column.fit_text(u32::try_from(longest).unwrap_or(u32::MAX));
        }
    }
}

/// How the results of one statement are encoded for its client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Encoding {
    /// What both sides can do.
    pub capabilities: CapabilityFlags,
    /// The session's status; MORE_RESULTS when another statement of the text follows.
    pub status: StatusFlags,
    /// How many warnings SHOW WARNINGS has.
    pub warnings: u16,
}

impl Encoding {
    /// Writes an OK packet.
    pub fn ok(&self, link: &mut Link, done: &Done) {
        link.write(|out| push_ok(out, done, self.status));
    }

    /// Writes an ERR packet, in place of a result or in the middle of one.
    pub fn failure(&self, link: &mut Link, failure: &Failure) {
        link.write(|out| push_failure(out, failure));
    }

    /// Writes the definitions: rows, [`Encoding::end`] or [`Encoding::failure`] follow.
    pub fn columns<'a, I>(&self, link: &mut Link, columns: I)
    where
        I: IntoIterator<Item = &'a ColumnDefinition>,
        I::IntoIter: ExactSizeIterator,
    {
        let columns = columns.into_iter();
        let count = columns.len() as u64;
        link.write(|out| push_length(out, count));
        for column in columns {
            link.write(|out| column.push(out));
        }
        if !self.capabilities.contains(CapabilityFlags::CLIENT_DEPRECATE_EOF) {
            link.write(|out| push_eof(out, 0, self.status));
        }
    }

    /// Ends the rows of a result set.
    pub fn end(&self, link: &mut Link) {
        link.write(|out| push_end(out, self.capabilities, self.warnings, self.status));
    }

    /// Writes a whole small result.
    pub fn table(&self, link: &mut Link, table: &Table) {
        self.columns(link, &table.columns);
        for row in &table.rows {
            link.write(|out| {
                for cell in row {
                    match cell {
                        Some(text) => push_cell(out, text.as_bytes()),
                        None => push_null(out),
                    }
                }
            });
        }
        self.end(link);
    }
}
