//! Rows as text cells: every cell a length-encoded string as in a MySQL text-protocol row, 0xfb for
//! NULL, all cells of a rows event in one buffer.
//!
//! Built once by the shared reader and shared by every subscriber: one reference count per event,
//! none per row. A column that a partial image leaves out is stored as NULL and named by the
//! image's [`Presence`], so that a row always has one cell per column of its schema.

use std::ops::Range;
use std::sync::Arc;

use super::schema::TableSchema;

/// What happened to a row, as the `op` column shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Op {
    /// `+`
    Insert,
    /// `*`
    Update,
    /// `-`
    Delete,
}

impl Op {
    /// The one byte that the `op` column shows.
    pub const fn symbol(self) -> &'static str {
        match self {
            Self::Insert => "+",
            Self::Update => "*",
            Self::Delete => "-",
        }
    }
}

/// Which columns an image holds, one bit per column, lowest bit of the first byte first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Presence(Box<[u8]>);

impl Presence {
    /// A presence of `columns` columns where `present(i)` holds.
    pub fn new(columns: usize, mut present: impl FnMut(usize) -> bool) -> Self {
        let mut bits = vec![0_u8; columns.div_ceil(8)];
        for column in (0..columns).filter(|&column| present(column)) {
            if let Some(byte) = bits.get_mut(column / 8) {
                *byte |= 1 << (column % 8);
            }
        }
        Self(bits.into())
    }

    /// Whether the image holds this column.
    pub fn has(&self, column: usize) -> bool {
        self.0.get(column / 8).is_some_and(|byte| byte >> (column % 8) & 1 == 1)
    }

    /// The bits themselves.
    pub fn bits(&self) -> &[u8] {
        &self.0
    }
}

/// One cell: absent from a partial image, NULL, or the column's own bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cell<'a> {
    /// The image does not say.
    Absent,
    /// NULL.
    Null,
    /// The column's own bytes, in the column's own character set.
    Text(&'a [u8]),
}

impl<'a> Cell<'a> {
    /// The bytes, unless NULL or absent.
    pub const fn bytes(self) -> Option<&'a [u8]> {
        match self {
            Self::Text(bytes) => Some(bytes),
            Self::Absent | Self::Null => None,
        }
    }
}

/// One image of a row: borrowed cells, and which of them are really there.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    encoded: &'a [u8],
    presence: Option<&'a Presence>,
}

impl<'a> Row<'a> {
    /// A whole image over cells that [`push_cell`] and [`push_null`] wrote.
    pub const fn new(encoded: &'a [u8], presence: Option<&'a Presence>) -> Self {
        Self { encoded, presence }
    }

    /// The cells as they go on the wire: length-encoded strings, absent ones as NULL.
    pub const fn encoded(self) -> &'a [u8] {
        self.encoded
    }

    /// Which columns the image holds; `None` for all.
    pub const fn presence(self) -> Option<&'a Presence> {
        self.presence
    }

    /// The cells in column order.
    pub fn cells(self) -> Cells<'a> {
        Cells { rest: self.encoded, presence: self.presence, column: 0 }
    }
}

impl PartialEq for Row<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cells().eq(other.cells())
    }
}

/// Iterates over the cells of one image.
#[derive(Debug, Clone)]
pub struct Cells<'a> {
    rest: &'a [u8],
    presence: Option<&'a Presence>,
    column: usize,
}

impl<'a> Iterator for Cells<'a> {
    type Item = Cell<'a>;

    fn next(&mut self) -> Option<Cell<'a>> {
        let (cell, rest) = split_cell(self.rest)?;
        self.rest = rest;
        let column = self.column;
        self.column += 1;
        if self.presence.is_some_and(|presence| !presence.has(column)) {
            return Some(Cell::Absent);
        }
        Some(cell.map_or(Cell::Null, Cell::Text))
    }
}

/// Splits the first cell off: `None` at the end or where the bytes are no cell, `Some(None)` inside
/// for NULL.
#[inline]
pub fn split_cell(encoded: &[u8]) -> Option<(Option<&[u8]>, &[u8])> {
    let (&first, rest) = encoded.split_first()?;
    let (length, rest) = match first {
        NULL => return Some((None, rest)),
        0xfc => rest.split_at_checked(2)?,
        0xfd => rest.split_at_checked(3)?,
        0xfe => rest.split_at_checked(8)?,
        0xff => return None,
        short => {
            let (cell, rest) = rest.split_at_checked(usize::from(short))?;
            return Some((Some(cell), rest));
        }
    };
    let mut bytes = [0_u8; 8];
    bytes.get_mut(..length.len())?.copy_from_slice(length);
    let (cell, rest) = rest.split_at_checked(usize::try_from(u64::from_le_bytes(bytes)).ok()?)?;
    Some((Some(cell), rest))
}

/// Splits so many cells off, or says which of them the bytes do not hold.
#[inline]
pub fn split_cells(encoded: &[u8], count: usize) -> Result<(&[u8], &[u8]), usize> {
    let mut end = 0;
    for index in 0..count {
        let rest = &encoded[end..];
        end = match rest.first() {
            Some(&short) if short < NULL => end + 1 + usize::from(short),
            _ => encoded.len() - split_cell(rest).ok_or(index)?.1.len(),
        };
        if end > encoded.len() {
            return Err(index);
        }
    }
    Ok(encoded.split_at(end))
}

/// Appends a cell.
#[inline]
pub fn push_cell(buffer: &mut Vec<u8>, cell: &[u8]) {
    push_length(buffer, cell.len() as u64);
    buffer.extend_from_slice(cell);
}

/// Appends a NULL.
pub fn push_null(buffer: &mut Vec<u8>) {
    buffer.push(NULL);
}

/// Appends a length as MySQL's length-encoded integer.
#[inline]
pub fn push_length(buffer: &mut Vec<u8>, length: u64) {
    let bytes = length.to_le_bytes();
    match length {
        0..=250 => buffer.push(bytes[0]),
        251..=0xffff => {
            buffer.push(0xfc);
            buffer.extend_from_slice(&bytes[..2]);
        }
        0x1_0000..=0xff_ffff => {
            buffer.push(0xfd);
            buffer.extend_from_slice(&bytes[..3]);
        }
        _ => {
            buffer.push(0xfe);
            buffer.extend_from_slice(&bytes);
        }
    }
}

/// Where a change's images lie in the buffer of its rows event: the one before directly behind those
/// of the change before, and the one after behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Images {
    has_before: bool,
    has_after: bool,
    middle: usize,
    end: usize,
}

/// Writes one image, cell by cell.
pub type WriteImage<'a> = &'a mut dyn FnMut(&mut Vec<u8>);

/// Row changes of one table in one buffer: those of one rows event of the source, or of several
/// that follow each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowsEvent {
    schema: Arc<TableSchema>,
    buffer: Vec<u8>,
    changes: Vec<Images>,
    /// With which change each of the source's events but the first begins.
    breaks: Vec<usize>,
    before_presence: Option<Presence>,
    after_presence: Option<Presence>,
}

/// One change of one row, borrowed from its rows event.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RowChange<'a> {
    /// The image before; none for an insert.
    pub before: Option<Row<'a>>,
    /// The image after; none for a delete.
    pub after: Option<Row<'a>>,
}

impl<'a> RowChange<'a> {
    /// What happened.
    pub const fn op(&self) -> Op {
        match (self.before.is_some(), self.after.is_some()) {
            (false, _) => Op::Insert,
            (true, true) => Op::Update,
            (true, false) => Op::Delete,
        }
    }

    /// The image that the SQL door shows: after, or before for a delete.
    pub fn shown(&self) -> Option<Row<'a>> {
        self.after.or(self.before)
    }
}

impl RowsEvent {
    /// An event without changes yet, of this version of a table.
    pub fn new(schema: Arc<TableSchema>) -> Self {
        Self {
            schema,
            buffer: Vec::new(),
            changes: Vec::new(),
            breaks: Vec::new(),
            before_presence: None,
            after_presence: None,
        }
    }

    /// An event without changes yet, with room for so many bytes of cells.
    pub fn with_capacity(schema: Arc<TableSchema>, bytes: usize) -> Self {
        Self { buffer: Vec::with_capacity(bytes), ..Self::new(schema) }
    }

    /// An event without changes yet, of the same version of the table, with room for about as much.
    pub fn with_same_room(&self) -> Self {
        // No two batches are alike, and to make more room would cost more than a little to spare.
        let about = |len: usize| len + len / 8;
        Self {
            buffer: Vec::with_capacity(about(self.buffer.len())),
            changes: Vec::with_capacity(about(self.changes.len())),
            ..Self::new(Arc::clone(&self.schema))
        }
    }

    /// Says which columns the images hold, for partial images.
    #[must_use]
    pub fn with_presence(mut self, before: Option<Presence>, after: Option<Presence>) -> Self {
        self.before_presence = before;
        self.after_presence = after;
        self
    }

    /// Appends a change whose images are written by the given functions, each one cell per column.
    pub fn push(&mut self, before: Option<WriteImage<'_>>, after: Option<WriteImage<'_>>) {
        let (has_before, has_after) = (before.is_some(), after.is_some());
        let mut write = |image: Option<WriteImage<'_>>| {
            if let Some(write) = image {
                write(&mut self.buffer);
            }
            self.buffer.len()
        };
        let images = Images { has_before, has_after, middle: write(before), end: write(after) };
        self.changes.push(images);
    }

    /// Appends a change whose images `write` appends to the event's buffer, the one before first; it
    /// returns the length of the buffer between the two, which counts for updates only. Nothing is
    /// appended if it fails.
    pub fn push_with<E>(
        &mut self,
        op: Op,
        write: impl FnOnce(&mut Vec<u8>) -> Result<usize, E>,
    ) -> Result<(), E> {
        let start = self.buffer.len();
        let middle = write(&mut self.buffer).inspect_err(|_| self.buffer.truncate(start))?;
        let end = self.buffer.len();
        let middle = match op {
            Op::Insert => start,
            Op::Update => middle.clamp(start, end),
            Op::Delete => end,
        };
        let (has_before, has_after) = (op != Op::Insert, op != Op::Delete);
        self.changes.push(Images { has_before, has_after, middle, end });
        Ok(())
    }

    /// Whether changes whose images hold these columns can be appended.
    pub fn fits(&self, schema: &Arc<TableSchema>, presence: [Option<&Presence>; 2]) -> bool {
        Arc::ptr_eq(&self.schema, schema)
            && [self.before_presence.as_ref(), self.after_presence.as_ref()] == presence
    }

    /// Appends all changes of the source's next event. Nothing is appended if it fails.
    pub fn append<E>(&mut self, push: impl FnOnce(&mut Self) -> Result<(), E>) -> Result<(), E> {
        let (changes, bytes) = (self.changes.len(), self.buffer.len());
        // Small events come in great numbers: room for one would soon have to be made again.
        self.buffer.reserve(APPENDED_BYTES);
        let pushed = push(self).inspect_err(|_| {
            self.changes.truncate(changes);
            self.buffer.truncate(bytes);
        });
        if self.changes.len() > changes {
            self.breaks.push(changes);
        }
        pushed
    }

    /// Gives back what was reserved and not used, if that is much.
    pub fn shrink(&mut self) {
        let is_much = |free: usize, used: usize| free > SLACK_BYTES.max(used / 4);
        let used = self.buffer.len();
        if is_much(self.buffer.capacity() - used, used) {
            self.buffer.shrink_to_fit();
        }
        let bytes = |changes: usize| changes * size_of::<Images>();
        let used = self.changes.len();
        if is_much(bytes(self.changes.capacity() - used), bytes(used)) {
            self.changes.shrink_to_fit();
        }
    }

    /// Appends a change from encoded images.
    pub fn push_encoded(&mut self, before: Option<&[u8]>, after: Option<&[u8]>) {
        let (has_before, has_after) = (before.is_some(), after.is_some());
        let mut write = |image: Option<&[u8]>| {
            self.buffer.extend_from_slice(image.unwrap_or_default());
            self.buffer.len()
        };
        let images = Images { has_before, has_after, middle: write(before), end: write(after) };
        self.changes.push(images);
    }

    /// The version of the table that the changes fit.
    pub const fn schema(&self) -> &Arc<TableSchema> {
        &self.schema
    }

    /// How many changes the event holds.
    pub fn len(&self) -> usize {
        self.changes.len()
    }

    /// Whether the event holds no change.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// Bytes of memory, for bounds.
    pub fn bytes(&self) -> usize {
        self.buffer.len()
            + self.changes.len() * size_of::<Images>()
            + self.breaks.len() * size_of::<usize>()
            + size_of::<Self>()
    }

    /// The change at `index`.
    pub fn change(&self, index: usize) -> Option<RowChange<'_>> {
        self.changes(index..index.saturating_add(1)).next()
    }

    /// The changes of a range, in order; beyond the end there are none.
    pub fn changes(&self, range: Range<usize>) -> impl Iterator<Item = RowChange<'_>> {
        let end = range.end.min(self.changes.len());
        let first = range.start.min(end);
        let mut start = first.checked_sub(1).map_or(0, |last| self.changes[last].end);
        self.changes[first..end].iter().map(move |images| {
            let change = self.resolve(start, *images);
            start = images.end;
            change
        })
    }

    fn resolve(&self, start: usize, images: Images) -> RowChange<'_> {
        let Images { has_before, has_after, middle, end } = images;
        let (before, after) = (&self.before_presence, &self.after_presence);
        RowChange {
            before: has_before.then(|| Row::new(&self.buffer[start..middle], before.as_ref())),
            after: has_after.then(|| Row::new(&self.buffer[middle..end], after.as_ref())),
        }
    }
}

/// What stands in the place of a cell that is NULL. Less is a cell's length.
const NULL: u8 = 0xfb;
/// Room that is made for rows to be appended.
const APPENDED_BYTES: usize = 4096;
/// So little room is not worth giving back.
const SLACK_BYTES: usize = 1024;

/// A shared rows event, or the part of it that a stream still has to see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rows {
    /// The event, shared with the log and other subscribers.
    pub event: Arc<RowsEvent>,
    /// The changes that this stream sees.
    pub range: Range<usize>,
}

impl Rows {
    /// All changes of an event.
    pub fn all(event: Arc<RowsEvent>) -> Self {
        let range = 0..event.len();
        Self { event, range }
    }

    /// The changes in order.
    pub fn changes(&self) -> impl Iterator<Item = RowChange<'_>> {
        self.changes_from(0)
    }

    /// The changes from the `first` of them on, in order.
    pub fn changes_from(&self, first: usize) -> impl Iterator<Item = RowChange<'_>> {
        self.event.changes(self.range.start + first..self.range.end)
    }

    /// Where in the event's changes those of each of the source's events lie, in order.
    pub fn parts(&self) -> impl Iterator<Item = Range<usize>> {
        let Range { start, end } = self.range;
        let inside = move |at: &usize| start < *at && *at < end;
        let starts = std::iter::once(start).chain(self.event.breaks.iter().copied().filter(inside));
        let ends = self.event.breaks.iter().copied().filter(inside).chain([end]);
        starts.zip(ends).map(|(start, end)| start..end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::schema::TableName;

    #[test]
    fn cells_of_every_length_read_back() {
        for length in [0, 1, 250, 251, 0xffff, 0x1_0000, 0xff_ffff, 0x100_0000] {
            let cell = vec![7_u8; length];
            let mut buffer = Vec::new();
            push_cell(&mut buffer, &cell);
            push_null(&mut buffer);
            let cells: Vec<_> = Row::new(&buffer, None).cells().collect();
            assert_eq!(cells, [Cell::Text(&cell), Cell::Null]);
        }
    }

    #[test]
    fn cells_are_split_by_count() {
        let cells = b"\x01a\xfb\xfc\x02\0bc";
        assert_eq!(split_cells(cells, 0), Ok((&b""[..], &cells[..])));
        assert_eq!(split_cells(cells, 2), Ok((&b"\x01a\xfb"[..], &b"\xfc\x02\0bc"[..])));
        assert_eq!(split_cells(cells, 3), Ok((&cells[..], &b""[..])));
        assert_eq!(split_cells(cells, 4), Err(3));
        for end in 0..cells.len() {
            let whole = [2, 3, cells.len()].iter().filter(|&&behind| behind <= end).count();
            assert_eq!(split_cells(&cells[..end], 3), Err(whole), "{end}");
        }
    }

    #[test]
    fn a_change_that_cannot_be_written_leaves_nothing() {
        let name = TableName::new("ks", "t");
        let schema =
            TableSchema { name, columns: Vec::new(), key: Vec::new(), key_is_primary: false };
        let mut event = RowsEvent::new(schema.into());
        let failed = event.push_with(Op::Insert, |out| {
            push_cell(out, b"half");
            Err(())
        });
        assert_eq!((failed, event.len()), (Err(()), 0));
        let written = event.push_with(Op::Update, |out| {
            push_cell(out, b"before");
            let middle = out.len();
            push_cell(out, b"after");
            Ok::<_, ()>(middle)
        });
        assert_eq!(written, Ok(()));
        let change = event.change(0).unwrap();
        let cells =
            |row: Option<Row<'_>>| row.unwrap().cells().next().unwrap().bytes().unwrap().to_vec();
        assert_eq!(
            (cells(change.before), cells(change.after)),
            (b"before".to_vec(), b"after".to_vec())
        );
        assert_eq!(change.op(), Op::Update);
    }

    #[test]
    fn the_events_of_the_source_stay_apart() {
        let schema = || {
            let name = TableName::new("ks", "t");
            let columns = Vec::new();
            Arc::new(TableSchema { name, columns, key: Vec::new(), key_is_primary: false })
        };
        let own = schema();
        let mut event = RowsEvent::new(Arc::clone(&own));
        event.push_encoded(None, Some(b"\x01a"));
        for count in [2, 0, 1] {
            let appended = event.append(|event| {
                (0..count).for_each(|_| event.push_encoded(None, Some(b"\x01b")));
                Ok::<_, ()>(())
            });
            assert_eq!(appended, Ok(()));
        }
        let before = event.clone();
        let failed = event.append(|event| {
            event.push_encoded(None, Some(b"\x01c"));
            Err(())
        });
        assert_eq!((failed, &event), (Err(()), &before));
        assert!(event.fits(&own, [None, None]));
        assert!(!event.fits(&own, [None, Some(&Presence::new(1, |_| true))]));
        assert!(!event.fits(&schema(), [None, None]));
        let rows = Rows::all(Arc::new(event));
        let check = |range, expected: &[(usize, usize)]| {
            let rows = Rows { event: Arc::clone(&rows.event), range };
            let parts: Vec<_> = rows.parts().map(|part| (part.start, part.end)).collect();
            assert_eq!(parts, expected);
        };
        check(0..4, &[(0, 1), (1, 3), (3, 4)]);
        check(1..3, &[(1, 3)]);
        check(2..4, &[(2, 3), (3, 4)]);
        check(3..4, &[(3, 4)]);
    }

    #[test]
    fn truncated_cells_end_the_row() {
        for bytes in [&[0xfc_u8, 1][..], &[5, b'a'], &[0xff], &[0xfe, 0xff, 0xff, 0xff, 0xff]] {
            assert_eq!(Row::new(bytes, None).cells().count(), 0, "{bytes:?}");
        }
    }

    #[test]
    fn absent_is_not_null() {
        let mut buffer = Vec::new();
        push_null(&mut buffer);
        push_null(&mut buffer);
        let presence = Presence::new(2, |column| column == 1);
        let cells: Vec<_> = Row::new(&buffer, Some(&presence)).cells().collect();
        assert_eq!(cells, [Cell::Absent, Cell::Null]);
    }
}
