//! The select list of a rule: which cells of a row a stream shows, and the schema that they have.

use std::sync::Arc;

use super::table::PlanError;
use crate::event::collation::{self, Charset};
use crate::event::row::{push_cell, push_null, split_cell};
use crate::event::{Cell, CollationId, Column, ColumnType, Presence, Row, TableSchema};
use crate::sql::filter::Item;

/// A select list bound to a schema.
#[derive(Debug)]
pub(super) struct Projection {
    cells: Vec<Projected>,
    output: Arc<TableSchema>,
}

/// What one item of the list shows.
#[derive(Debug, Clone, Copy)]
enum Projected {
    Column(usize),
    One,
    /// A column's text as UTF-8.
    Utf8(usize, Charset),
}

/// Buffers of one projected image, reused from row to row.
#[derive(Debug, Default)]
pub(super) struct Image {
    /// Where the source's cells lie; see [`spans`].
    source: Vec<Span>,
    encoded: Vec<u8>,
    text: String,
    /// A source's presence and what it is of the output: the same for long runs of rows.
    presence: Option<(Presence, Presence)>,
}

/// Where a cell lies in its row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Span {
    Absent,
    Null,
    Text(usize, usize),
}

impl Projection {
    /// Binds a list; `None` if it shows all columns as they are.
    pub(super) fn new(items: &[Item], schema: &TableSchema) -> Result<Option<Self>, PlanError> {
        if items == [Item::All] {
            return Ok(None);
        }
        let mut cells = Vec::with_capacity(items.len());
        let mut columns = Vec::with_capacity(items.len());
        for item in items {
            let (cell, column) = bind(item, schema)?;
            cells.push(cell);
            columns.push(column);
        }
        let shown = |source: &usize| {
            cells.iter().position(|cell| matches!(cell, Projected::Column(at) if at == source))
        };
        // A key that is not shown whole is none.
        let key: Option<Vec<usize>> = schema.key.iter().map(shown).collect();
        let output = Arc::new(TableSchema {
            name: schema.name.clone(),
            columns,
            key_is_primary: schema.key_is_primary && key.is_some(),
            key: key.unwrap_or_default(),
        });
        Ok(Some(Self { cells, output }))
    }

    pub(super) const fn output(&self) -> &Arc<TableSchema> {
        &self.output
    }

    /// Writes the shown cells of `row` into `image`; false if a text is not of its charset.
    pub(super) fn write(&self, row: Row<'_>, image: &mut Image) -> bool {
        spans(row, usize::MAX, &mut image.source);
        image.encoded.clear();
        let span = |at: usize| image.source.get(at).copied().unwrap_or(Span::Absent);
        for cell in &self.cells {
            match *cell {
                Projected::One => push_cell(&mut image.encoded, b"1"),
                Projected::Column(at) => match span(at) {
                    Span::Text(start, end) => {
                        push_cell(&mut image.encoded, &row.encoded()[start..end])
                    }
                    Span::Null | Span::Absent => push_null(&mut image.encoded),
                },
                Projected::Utf8(at, charset) => match span(at) {
                    Span::Text(start, end) => {
                        image.text.clear();
                        if !charset.decode(&row.encoded()[start..end], &mut image.text) {
                            return false;
                        }
                        push_cell(&mut image.encoded, image.text.as_bytes());
                    }
                    Span::Null | Span::Absent => push_null(&mut image.encoded),
                },
            }
        }
        self.write_presence(row.presence(), image);
        true
    }

    fn write_presence(&self, source: Option<&Presence>, image: &mut Image) {
        let Some(source) = source else {
            image.presence = None;
            return;
        };
        if image.presence.as_ref().is_some_and(|(known, _)| known == source) {
            return;
        }
        let shown = Presence::new(self.cells.len(), |place| match self.cells.get(place) {
            Some(Projected::Column(at) | Projected::Utf8(at, _)) => source.has(*at),
            Some(Projected::One) | None => true,
        });
        image.presence = Some((source.clone(), shown));
    }
}

impl Image {
    /// The image that was written last.
    pub(super) fn row(&self) -> Row<'_> {
        Row::new(&self.encoded, self.presence.as_ref().map(|(_, shown)| shown))
    }
}

/// Notes where the first `columns` cells of a row lie.
pub(super) fn spans(row: Row<'_>, columns: usize, spans: &mut Vec<Span>) {
    spans.clear();
    let encoded = row.encoded();
    let mut rest = encoded;
    while spans.len() < columns
        && let Some((cell, behind)) = split_cell(rest)
    {
        let end = encoded.len() - behind.len();
        let absent = row.presence().is_some_and(|presence| !presence.has(spans.len()));
        spans.push(match cell {
            _ if absent => Span::Absent,
            Some(cell) => Span::Text(end - cell.len(), end),
            None => Span::Null,
        });
        rest = behind;
    }
}

impl Span {
    pub(super) fn cell(self, encoded: &[u8]) -> Cell<'_> {
        match self {
            Self::Absent => Cell::Absent,
            Self::Null => Cell::Null,
            Self::Text(start, end) => encoded.get(start..end).map_or(Cell::Absent, Cell::Text),
        }
    }
}

fn bind(item: &Item, schema: &TableSchema) -> Result<(Projected, Column), PlanError> {
    let find = |name: &str| {
        let found = schema.column(name).and_then(|at| Some((at, schema.columns.get(at)?)));
        found.ok_or_else(|| PlanError::NoColumn {
            column: name.to_owned(),
            table: schema.name.table.to_string(),
            clause: "field list",
        })
    };
    let renamed = |column: &Column, alias: &Option<String>| match alias {
        Some(alias) => Column { name: alias.as_str().into(), ..column.clone() },
        None => column.clone(),
    };
    match item {
        Item::All => Err(PlanError::Unsupported("* beside other columns".to_owned())),
        Item::Column { name, alias } => {
            let (at, column) = find(name)?;
            Ok((Projected::Column(at), renamed(column, alias)))
        }
        Item::KeyspaceId { .. } => Err(PlanError::NoVindex(schema.name.table.to_string())),
        Item::One { alias } => Ok((Projected::One, one(alias.as_deref().unwrap_or("1")))),
        Item::Utf8mb4 { column: name, alias } => {
            let (at, column) = find(name)?;
            let charset = collation::charset(column.collation)
                .ok_or_else(|| PlanError::UnknownCharset { column: name.clone() })?;
            if charset == Charset::Binary {
                let what = format!("convert({name} using utf8mb4) of a column that is not text");
                return Err(PlanError::Unsupported(what));
            }
            let mut output = renamed(column, alias);
            if !charset.is_utf8() {
                output.collation = CollationId::UTF8MB4_0900_AI_CI;
            }
            Ok((Projected::Utf8(at, charset), output))
        }
    }
}

fn one(name: &str) -> Column {
    Column {
        name: name.into(),
        column_type: ColumnType::Int { bytes: 8, unsigned: false },
        collation: CollationId::BINARY,
        nullable: false,
        auto_increment: false,
        has_default: false,
        declared: "bigint".into(),
    }
}
