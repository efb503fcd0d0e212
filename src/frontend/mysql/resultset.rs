//! Result sets: definitions, rows, and the end of rows, straight into the link's buffer.

use super::binary::{BinaryCells, BinaryRow, CellError};
use super::charsets::Results;
use super::columns::ColumnDefinition;
use super::error::Failure;
use super::link::Link;
use super::opensrv::{CapabilityFlags, StatusFlags};
use super::wire::{Done, push_end, push_eof, push_failure, push_made_cell, push_ok};
use crate::event::charset::Conversion;
use crate::event::row::{push_cell, push_length, push_null, split_cell};
use crate::source::RowBlock;

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

    /// The rows as cells of texts.
    pub fn block(&self) -> RowBlock {
        let mut block = RowBlock::default();
        self.rows.iter().for_each(|row| block.push(|out| push_texts(out, row)));
        block
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

/// How the rows of one result are written.
#[derive(Debug, Clone)]
pub struct RowForm {
    /// By their columns' types, for a prepared statement; as texts, for one that came as a text.
    binary: Option<BinaryRow>,
    /// How cells are converted; `None` if all go as they are.
    conversions: Option<Box<[Option<Conversion>]>>,
    results: Results,
}

impl RowForm {
    /// Rows of these columns for a session, `binary` or as texts.
    pub fn new(binary: bool, columns: &[ColumnDefinition], results: Results) -> Self {
        let binary = binary.then(|| BinaryRow::new(columns));
        Self { binary, conversions: None, results }.converting(columns)
    }

    /// The same form for cells that are converted as those of these columns.
    pub fn converting(&self, columns: &[ColumnDefinition]) -> Self {
        let conversions: Box<[_]> =
            columns.iter().map(|column| column.conversion(self.results)).collect();
        let converts = conversions.iter().any(Option::is_some);
        let conversions = converts.then_some(conversions);
        Self { binary: self.binary.clone(), conversions, results: self.results }
    }

    /// Writes a row that consists of the cells that `write` pushes.
    pub fn write(
        &self,
        link: &mut Link,
        write: impl FnOnce(&mut RowCells<'_>),
    ) -> Result<(), CellError> {
        link.try_write(|out| {
            let sent = match &self.binary {
                None => SentCells::Text(out),
                Some(row) => SentCells::Binary(row.begin(out)),
            };
            let mut cells = RowCells { sent, rest: self.conversions.as_deref() };
            write(&mut cells);
            cells.sent.finish()
        })
    }
}

/// A row that is being written.
#[derive(Debug)]
pub struct RowCells<'a> {
    sent: SentCells<'a>,
    /// The conversions of the columns that follow; `None` if all cells go as they are.
    rest: Option<&'a [Option<Conversion>]>,
}

impl RowCells<'_> {
    /// Appends the next cells, which are texts one behind the other.
    #[inline]
    pub fn push(&mut self, cells: &[u8]) {
        match self.rest {
            None => self.sent.push(cells),
            Some(rest) => self.rest = Some(self.sent.convert(cells, rest)),
        }
    }

    /// Appends the next cell, a text of a column that is one.
    #[inline]
    pub fn push_text(&mut self, cell: &[u8]) {
        match self.rest {
            None => self.sent.push_text(cell),
            Some(_) => self.push(cell),
        }
    }
}

/// The cells of a row as they are sent.
#[derive(Debug)]
enum SentCells<'a> {
    /// As texts.
    Text(&'a mut Vec<u8>),
    /// By the columns' types.
    Binary(BinaryCells<'a>),
}

impl SentCells<'_> {
    #[inline]
    fn push(&mut self, cells: &[u8]) {
        match self {
            Self::Text(out) => out.extend_from_slice(cells),
            Self::Binary(row) => row.push(cells),
        }
    }

    #[inline]
    fn push_text(&mut self, cell: &[u8]) {
        match self {
            Self::Text(out) => out.extend_from_slice(cell),
            Self::Binary(row) => row.push_text(cell),
        }
    }

    /// Appends cells of columns of which some are converted; says which columns are next. Cells that
    /// go as they are go together.
    fn convert<'c>(
        &mut self,
        cells: &[u8],
        mut columns: &'c [Option<Conversion>],
    ) -> &'c [Option<Conversion>] {
        let (mut same, mut rest) = (cells, cells);
        while let Some((cell, behind)) = split_cell(rest) {
            let conversion = columns.split_first().and_then(|(first, behind)| {
                columns = behind;
                first.as_ref()
            });
            if let (Some(conversion), Some(text)) = (conversion, cell)
                && !conversion.keeps(text)
            {
                let before = same.len() - rest.len();
                if before > 0 {
                    self.push(&same[..before]);
                }
                let make =
                    |out: &mut Vec<u8>| push_made_cell(out, |out| conversion.push(text, out));
                match self {
                    Self::Text(out) => make(out),
                    Self::Binary(row) => row.push_text_with(make),
                }
                same = behind;
            }
            rest = behind;
        }
        if !same.is_empty() {
            self.push(same);
        }
        columns
    }

    fn finish(self) -> Result<(), CellError> {
        match self {
            Self::Text(_) => Ok(()),
            Self::Binary(row) => row.finish(),
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
    /// The form of texts.
    pub results: Results,
}

impl Encoding {
    /// The same where another result follows.
    pub fn followed(mut self) -> Self {
        self.status |= StatusFlags::SERVER_MORE_RESULTS_EXISTS;
        self
    }

    /// Writes an OK packet.
    pub fn ok(&self, link: &mut Link, done: &Done) {
        link.write(|out| push_ok(out, done, self.status));
    }

    /// Writes an ERR packet, in place of a result or in the middle of one.
    pub fn failure(&self, link: &mut Link, failure: &Failure) {
        link.write(|out| push_failure(out, failure, self.results));
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
        self.definitions(link, columns);
        if count == 0 {
            self.after_definitions(link);
        }
    }

    /// Writes definitions, of parameters or columns, and what separates them from what follows.
    pub fn definitions<'a, I>(&self, link: &mut Link, columns: I)
    where
        I: IntoIterator<Item = &'a ColumnDefinition>,
    {
        let mut any = false;
        for column in columns {
            link.write(|out| column.push(out, self.results));
            any = true;
        }
        if any {
            self.after_definitions(link);
        }
    }

    fn after_definitions(&self, link: &mut Link) {
        if !self.capabilities.contains(CapabilityFlags::CLIENT_DEPRECATE_EOF) {
            link.write(|out| push_eof(out, 0, self.status));
        }
    }

    /// Writes the definitions of rows that wait in a cursor.
    pub fn cursor(&self, link: &mut Link, columns: &[ColumnDefinition]) {
        link.write(|out| push_length(out, columns.len() as u64));
        for column in columns {
            link.write(|out| column.push(out, self.results));
        }
        let status = self.status | StatusFlags::SERVER_STATUS_CURSOR_EXISTS;
        link.write(|out| push_end(out, self.capabilities, self.warnings, status));
    }

    /// Ends the rows of a result set.
    pub fn end(&self, link: &mut Link) {
        link.write(|out| push_end(out, self.capabilities, self.warnings, self.status));
    }

    /// Writes a whole small result.
    pub fn table(&self, link: &mut Link, table: &Table, binary: bool) -> Result<(), CellError> {
        self.columns(link, &table.columns);
        let form = RowForm::new(binary, &table.columns, self.results);
        for row in table.block().rows() {
            form.write(link, |cells| cells.push(row))?;
        }
        self.end(link);
        Ok(())
    }
}

fn push_texts(out: &mut Vec<u8>, row: &[Option<String>]) {
    for cell in row {
        match cell {
            Some(text) => push_cell(out, text.as_bytes()),
            None => push_null(out),
        }
    }
}
