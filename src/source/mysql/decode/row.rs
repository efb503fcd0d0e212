//! Row images -> cells in the buffer of a rows event.

use std::sync::Arc;

use crate::event::row::push_null;
use crate::event::{Op, Presence, RowsEvent, TableSchema};

use super::bytes::Bytes;
use super::column::ColumnDecoder;
use super::error::{Fault, RowsError};
use super::inflate::Inflate;
use super::json;
use super::schema::SchemaMismatch;
use super::table_map::TableMap;

/// Reads the rows of one table map.
#[derive(Debug)]
pub(super) struct RowDecoder {
    schema: Arc<TableSchema>,
    columns: Vec<ColumnDecoder>,
}

/// The kinds of rows events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RowsKind {
    pub(super) op: Op,
    /// After images may hold changes of JSON documents instead of these.
    pub(super) partial_json: bool,
}

/// Which columns the images of an event hold.
struct Image {
    /// None for all.
    presence: Option<Presence>,
    null_bytes: usize,
}

/// What is wrong with a row, and in which column if it is one's.
struct RowFault {
    column: Option<usize>,
    fault: Fault,
    /// A change of a JSON document without the document.
    lacks_document: bool,
}

impl From<Fault> for RowFault {
    fn from(fault: Fault) -> Self {
        Self { column: None, fault, lacks_document: false }
    }
}

impl RowFault {
    const fn in_column(column: usize, fault: Fault) -> Self {
        Self { column: Some(column), fault, lacks_document: false }
    }
}

impl RowDecoder {
    /// Works out all that does not change from row to row.
    pub(super) fn new(map: &TableMap, schema: Arc<TableSchema>) -> Result<Self, SchemaMismatch> {
        map.check(&schema)?;
        let columns = map.columns.iter().zip(&schema.columns);
        let columns: Result<_, _> =
            columns.map(|(mapped, column)| ColumnDecoder::new(mapped, column)).collect();
        Ok(Self { columns: columns?, schema })
    }

    /// Reads what stands behind the flags: the number of columns, which of them the images hold,
    /// and the rows; `inflate` makes the rows of what stands in their place. Rows that fit are
    /// appended to `open`; others are returned.
    pub(super) fn decode(
        &self,
        kind: RowsKind,
        mut body: Bytes<'_>,
        inflate: Option<Inflate>,
        open: Option<&mut RowsEvent>,
    ) -> Result<Option<RowsEvent>, RowsError> {
        let error = |fault: RowFault| self.error(&fault);
        let whole = |fault: Fault| self.error(&fault.into());
        let count = body.count().map_err(whole)?;
        if count != self.columns.len() {
            return Err(whole(Fault::ColumnCount));
        }
        let mut image = || self.image(&mut body).map_err(whole);
        let first = image()?;
        let second = if kind.op == Op::Update { Some(image()?) } else { None };
        let inflated;
        let rows = match inflate {
            None => body,
            Some(inflate) => {
                inflated = inflate(body).map_err(whole)?;
                Bytes(&inflated)
            }
        };
        let after = second.as_ref().and_then(|second| merged(&first, second, count));
        let presence = match kind.op {
            Op::Insert => [None, first.presence.as_ref()],
            Op::Update | Op::Delete => [first.presence.as_ref(), after.as_ref()],
        };
        let read = |event: &mut RowsEvent| {
            let read = match &second {
                None => self.single(kind.op, &first, rows, event),
                Some(second) => self.updates(kind, (&first, second), rows, event),
            };
            read.map_err(error)
        };
        if let Some(open) = open.filter(|open| open.fits(&self.schema, presence)) {
            return open.append(read).map(|()| None);
        }
        let [before, after] = presence.map(Option::<&Presence>::cloned);
        let event = RowsEvent::with_capacity(Arc::clone(&self.schema), estimate(rows.len()));
        let mut event = event.with_presence(before, after);
        read(&mut event)?;
        Ok(Some(event))
    }

    /// The bitmap of an image's columns.
    fn image(&self, body: &mut Bytes<'_>) -> Result<Image, Fault> {
        let columns = self.columns.len();
        let bits = body.take(columns.div_ceil(8))?;
        let has =
            |column: usize| bits.get(column / 8).is_some_and(|byte| byte >> (column % 8) & 1 == 1);
        let present = (0..columns).filter(|&column| has(column)).count();
        let presence = (present < columns).then(|| Presence::new(columns, has));
        Ok(Image { presence, null_bytes: present.div_ceil(8) })
    }

    /// Rows of one image: inserted or deleted ones.
    fn single(
        &self,
        op: Op,
        image: &Image,
        mut rows: Bytes<'_>,
        event: &mut RowsEvent,
    ) -> Result<(), RowFault> {
        // A row of nothing but defaults takes no bytes: replicas too take no bytes for one row.
        let mut left = rows.len() + usize::from(image.null_bytes == 0);
        while left > 0 {
            event.push_with(op, |out| {
                match &image.presence {
                    None => self.whole(&mut rows, out)?,
                    Some(presence) => self.part(image.null_bytes, presence, &mut rows, out)?,
                }
                Ok::<_, RowFault>(out.len())
            })?;
            progress(left, rows)?;
            left = rows.len();
        }
        Ok(())
    }

    /// Rows of two images. What the image after leaves out and the image before has did not
    /// change: it is copied (`FULL_NODUP`, and the keys of `MINIMAL`).
    fn updates<'a>(
        &self,
        kind: RowsKind,
        images: (&Image, &Image),
        mut rows: Bytes<'a>,
        event: &mut RowsEvent,
    ) -> Result<(), RowFault> {
        let (first, second) = images;
        let mut documents: Vec<Option<&'a [u8]>> = Vec::new();
        let mut cells = Vec::new();
        while !rows.is_empty() {
            let images = rows;
            event.push_with(Op::Update, |out| {
                let start = out.len();
                match &first.presence {
                    None => self.whole(&mut rows, out)?,
                    Some(presence) => self.part(first.null_bytes, presence, &mut rows, out)?,
                }
                let middle = out.len();
                if kind.partial_json {
                    self.documents(first, images, &mut documents)?;
                }
                match &second.presence {
                    None if !kind.partial_json => self.whole(&mut rows, out)?,
                    _ => {
                        let after = After { first, second, documents: &documents };
                        ends(out.get(start..middle).unwrap_or_default(), start, &mut cells);
                        self.after(kind, &after, &cells, &mut rows, out)?;
                    }
                }
                Ok::<_, RowFault>(middle)
            })?;
            progress(images.len(), rows)?;
        }
        Ok(())
    }

    /// An image of all columns: the way that most rows take.
    fn whole(&self, rows: &mut Bytes<'_>, out: &mut Vec<u8>) -> Result<(), RowFault> {
        let nulls = rows.take(self.columns.len().div_ceil(8))?;
        for (group, (columns, nulls)) in self.columns.chunks(8).zip(nulls).enumerate() {
            let mut nulls = *nulls;
            for (place, column) in columns.iter().enumerate() {
                if nulls & 1 == 1 {
                    push_null(out);
                } else {
                    let decoded = column.decode(rows, out);
                    decoded.map_err(|fault| RowFault::in_column(group * 8 + place, fault))?;
                }
                nulls >>= 1;
            }
        }
        Ok(())
    }

    /// An image of some columns; the others are written as NULL.
    fn part(
        &self,
        null_bytes: usize,
        presence: &Presence,
        rows: &mut Bytes<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), RowFault> {
        let mut nulls = Nulls::of(rows.take(null_bytes)?);
        for (index, column) in self.columns.iter().enumerate() {
            if !presence.has(index) || nulls.next() {
                push_null(out);
            } else {
                let decoded = column.decode(rows, out);
                decoded.map_err(|fault| RowFault::in_column(index, fault))?;
            }
        }
        Ok(())
    }

    /// An image after that needs the one before.
    fn after(
        &self,
        kind: RowsKind,
        images: &After<'_, '_>,
        before: &[std::ops::Range<usize>],
        rows: &mut Bytes<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), RowFault> {
        let is_json = |column: &ColumnDecoder| column.json_length_bytes().is_some();
        let partial = match kind.partial_json && rows.packed()? & PARTIAL_JSON != 0 {
            true => {
                let count = self.columns.iter().filter(|column| is_json(column)).count();
                rows.take(count.div_ceil(8))?
            }
            false => &[],
        };
        // The one bitmap counts the JSON columns of the table, the other the columns of the image.
        let mut partial = Nulls::of(partial);
        let mut nulls = Nulls::of(rows.take(images.second.null_bytes)?);
        for (index, column) in self.columns.iter().enumerate() {
            let is_change = is_json(column) && partial.next();
            let in_image = images.second.has(index);
            if !in_image && images.first.has(index) {
                let cell = before.get(index).ok_or(Fault::Truncated)?;
                out.extend_from_within(cell.clone());
            } else if !in_image || nulls.next() {
                push_null(out);
            } else if is_change {
                let changes =
                    rows.prefixed(4).map_err(|fault| RowFault::in_column(index, fault))?;
                let document = images.documents.get(index).copied().flatten();
                let document = document.ok_or(RowFault {
                    lacks_document: true,
                    ..RowFault::in_column(index, Fault::JsonChange)
                })?;
                let changed = json::changed_cell(document, changes, out);
                changed.map_err(|fault| RowFault::in_column(index, fault))?;
            } else {
                let decoded = column.decode(rows, out);
                decoded.map_err(|fault| RowFault::in_column(index, fault))?;
            }
        }
        Ok(())
    }

    /// The JSON documents of an image before, by column.
    fn documents<'a>(
        &self,
        image: &Image,
        mut rows: Bytes<'a>,
        documents: &mut Vec<Option<&'a [u8]>>,
    ) -> Result<(), RowFault> {
        documents.clear();
        let mut skipped = Vec::new();
        let mut nulls = Nulls::of(rows.take(image.null_bytes)?);
        for (index, column) in self.columns.iter().enumerate() {
            let mut document = None;
            if image.has(index) && !nulls.next() {
                match column.json_length_bytes() {
                    Some(length_bytes) => document = Some(rows.prefixed(length_bytes)?),
                    None => {
                        skipped.clear();
                        column.decode(&mut rows, &mut skipped)?;
                    }
                }
            }
            documents.push(document);
        }
        Ok(())
    }

    fn error(&self, &RowFault { column, fault, lacks_document }: &RowFault) -> RowsError {
        let table = self.schema.name.clone();
        let column = column.and_then(|column| self.schema.columns.get(column));
        match column.map(|column| column.name.as_ref().into()) {
            Some(column) if lacks_document => RowsError::PartialJson { table, column },
            Some(column) => RowsError::Cell { table, column, fault },
            None => RowsError::Layout { table, fault },
        }
    }
}

/// A row without any column takes no bytes, so that bytes behind it are nobody's.
const fn progress(before: usize, rows: Bytes<'_>) -> Result<(), RowFault> {
    if rows.len() < before {
        return Ok(());
    }
    Err(RowFault { column: None, fault: Fault::LeftOver, lacks_document: false })
}

impl Image {
    fn has(&self, column: usize) -> bool {
        self.presence.as_ref().is_none_or(|presence| presence.has(column))
    }
}

/// The two images of an update, and the documents of the first.
struct After<'i, 'a> {
    first: &'i Image,
    second: &'i Image,
    documents: &'i [Option<&'a [u8]>],
}

/// The columns that an after image has once it is completed from the one before.
fn merged(first: &Image, second: &Image, columns: usize) -> Option<Presence> {
    let has = |column: usize| first.has(column) || second.has(column);
    let all = (0..columns).all(has);
    (!all).then(|| Presence::new(columns, has))
}

/// Where the cells of an image lie that begins at `start` of the buffer.
fn ends(image: &[u8], start: usize, cells: &mut Vec<std::ops::Range<usize>>) {
    cells.clear();
    let mut rest = image;
    while let Some((_, behind)) = crate::event::row::split_cell(rest) {
        let from = start + image.len() - rest.len();
        rest = behind;
        cells.push(from..start + image.len() - rest.len());
    }
}

/// The bits of a bitmap one after the other, lowest first; beyond the end they are 0.
struct Nulls<'a> {
    rest: std::slice::Iter<'a, u8>,
    bits: u8,
    left: u8,
}

impl<'a> Nulls<'a> {
    fn of(bytes: &'a [u8]) -> Self {
        Self { rest: bytes.iter(), bits: 0, left: 0 }
    }

    fn next(&mut self) -> bool {
        if self.left == 0 {
            self.bits = self.rest.next().copied().unwrap_or(0);
            self.left = 8;
        }
        let bit = self.bits & 1 == 1;
        self.bits >>= 1;
        self.left -= 1;
        bit
    }
}

/// Text is mostly a little longer than what it was stored as.
const fn estimate(stored: usize) -> usize {
    stored + stored / 2
}

/// The value option that announces changes of JSON documents.
const PARTIAL_JSON: u64 = 1;
