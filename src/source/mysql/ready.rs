//! Events that can be handed out: a table's shape before its rows, and the rows of small events of the
//! log in one buffer.

use std::collections::HashMap;
use std::sync::Arc;

use crate::event::{Event, Rows, RowsEvent, TableName, TableSchema};

/// Events that wait to be taken.
#[derive(Debug, Default)]
pub(super) struct Ready {
    events: Vec<Event>,
    /// Behind the events: rows that those of the log's next event may be appended to.
    open_rows: Option<RowsEvent>,
    bytes: usize,
    /// The shape of each table that the last FIELD told.
    told: HashMap<TableName, Arc<TableSchema>>,
}

impl Ready {
    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.events.is_empty() && self.open_rows.is_none()
    }

    /// About how many bytes they are.
    pub fn bytes(&self) -> usize {
        self.bytes + self.open_rows.as_ref().map_or(0, RowsEvent::bytes)
    }

    /// All of them.
    pub fn take(&mut self) -> Vec<Event> {
        self.close_rows();
        self.bytes = 0;
        std::mem::take(&mut self.events)
    }

    /// The rows that others may be appended to.
    pub fn open_rows(&mut self) -> Option<&mut RowsEvent> {
        self.open_rows.as_mut().filter(|rows| rows.bytes() < ROWS_BYTES_MAX)
    }

    /// Rows of a transaction that was told.
    pub fn push_rows(&mut self, rows: RowsEvent) {
        self.close_rows();
        self.tell(rows.schema());
        self.open_rows = Some(rows);
    }

    /// Any event.
    pub fn push(&mut self, event: Event) {
        self.close_rows();
        match &event {
            Event::Row(rows) => self.tell(rows.event.schema()),
            Event::Ddl(ddl) if ddl.tables.is_empty() => self.told.clear(),
            Event::Ddl(ddl) => self.told.retain(|table, _| !ddl.tables.contains(table)),
            _ => {}
        }
        if repeats(self.events.last(), &event) {
            return;
        }
        self.bytes += bytes(&event);
        self.events.push(event);
    }

    fn close_rows(&mut self) {
        if let Some(mut rows) = self.open_rows.take() {
            rows.shrink();
            let event = Event::Row(Rows::all(Arc::new(rows)));
            self.bytes += bytes(&event);
            self.events.push(event);
        }
    }

    fn tell(&mut self, schema: &Arc<TableSchema>) {
        let told = self.told.get(&schema.name);
        if !told.is_some_and(|told| Arc::ptr_eq(told, schema) || told == schema) {
            self.told.insert(schema.name.clone(), Arc::clone(schema));
            self.events.push(Event::Field(Arc::clone(schema)));
        }
    }
}

/// Whether it says nothing but what the event before it says: many changes that cannot be shown have
/// one reason.
pub(super) fn repeats(last: Option<&Event>, event: &Event) -> bool {
    match (last, event) {
        (Some(Event::Unreadable(last)), Event::Unreadable(why)) => {
            Arc::ptr_eq(last, why) || last == why
        }
        _ => false,
    }
}

/// About what an event costs while it waits.
pub(super) fn bytes(event: &Event) -> usize {
    size_of::<Event>()
        + match event {
            Event::Row(rows) => rows.event.bytes(),
            Event::RowsQuery(text) => text.len(),
            Event::Ddl(ddl) => ddl.statement.len(),
            Event::Unreadable(why) => why.what.len() + why.mend.len(),
            _ => 0,
        }
}

/// Rows of one event of ours, about: more of them gain nothing.
const ROWS_BYTES_MAX: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{CollationId, Column, ColumnType, Ddl};

    fn row(table: &str, column: &str) -> RowsEvent {
        let int = ColumnType::Int { bytes: 4, unsigned: false };
        let columns = vec![Column::plain(column, int, CollationId::BINARY)];
        let name = TableName::new("ks", table);
        let schema = TableSchema { name, columns, key: Vec::new(), key_is_primary: false };
        let mut rows = RowsEvent::new(Arc::new(schema));
        rows.push_encoded(None, Some(b"\x011"));
        rows
    }

    fn ddl(tables: &[&str]) -> Event {
        let tables = tables.iter().map(|table| TableName::new("ks", table)).collect();
        Event::Ddl(Arc::new(Ddl { timestamp: 1, statement: String::new(), tables }))
    }

    fn check(ready: &mut Ready, expected: &str) {
        let taken = ready.take();
        let names: Vec<_> = taken.iter().map(Event::name).collect();
        assert_eq!(names.join(" "), expected);
        assert!(ready.is_empty() && ready.bytes() == 0 && ready.open_rows().is_none());
    }

    #[test]
    fn a_shape_is_told_once_until_it_may_have_changed() {
        let mut ready = Ready::default();
        for column in ["a", "a", "b"] {
            ready.push_rows(row("t", column));
        }
        ready.push(Event::Row(Rows::all(Arc::new(row("u", "a")))));
        check(&mut ready, "FIELD ROW ROW FIELD ROW FIELD ROW");
        ready.push(ddl(&["u"]));
        ready.push_rows(row("t", "b"));
        ready.push_rows(row("u", "a"));
        check(&mut ready, "DDL ROW FIELD ROW");
        ready.push(ddl(&[]));
        ready.push_rows(row("t", "b"));
        check(&mut ready, "DDL FIELD ROW");
    }

    #[test]
    fn rows_stay_open_until_they_are_many_or_something_follows() {
        let mut ready = Ready::default();
        ready.push_rows(row("t", "a"));
        let rows = ready.open_rows().unwrap();
        while rows.bytes() < ROWS_BYTES_MAX {
            rows.push_encoded(None, Some(b"\x011"));
        }
        assert!(ready.open_rows().is_none() && ready.bytes() >= ROWS_BYTES_MAX);
        ready.push_rows(row("t", "a"));
        assert!(ready.open_rows().is_some());
        ready.push(Event::Commit(1));
        assert!(ready.open_rows().is_none());
        check(&mut ready, "FIELD ROW ROW COMMIT");
    }
}
