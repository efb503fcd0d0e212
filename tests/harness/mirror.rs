//! The scripted source, with what another source commits as its script.

use std::sync::Arc;

use vstreamd::event::{CollationId, Ddl, Event, Gtid, GtidSet, TableName, TableSchema};
use vstreamd::source::memory::{MemoryChange, MemorySource, MemoryWork};
use vstreamd::source::{BatchMax, Scan, Scope, Source, Span};

/// A scripted source that follows another one.
pub struct Mirror {
    pub memory: MemorySource,
    seen: GtidSet,
}

/// A table's new shape and its rows; none if it is gone.
type Effect = (TableName, Option<(Arc<TableSchema>, Vec<Vec<u8>>)>);

impl Mirror {
    /// One that has seen nothing.
    pub fn new() -> Self {
        Self { memory: MemorySource::new("memory"), seen: GtidSet::new() }
    }

    /// Commits what the other source has committed since. A schema statement must be the last of
    /// it, since its effect is what is there now.
    pub async fn follow(&mut self, source: &dyn Source) {
        let target = source.position().await.unwrap();
        let span = Span { start: self.seen.clone(), until: Some(target.clone()) };
        let mut changes = source.changes(span, Scope::all()).await.unwrap();
        let mut open: Option<Gtid> = None;
        let mut rows = Vec::new();
        while let Some(events) = changes.next().await.unwrap() {
            for event in events {
                let named = || open.expect("a GTID comes first");
                match event {
                    Event::Gtid(gtid) => open = Some(gtid),
                    Event::Row(event) => rows.extend(event.changes().map(|change| MemoryChange {
                        schema: event.event.schema().clone(),
                        before: change.before.map(|row| row.encoded().to_vec()),
                        after: change.after.map(|row| row.encoded().to_vec()),
                    })),
                    Event::Commit(time) => {
                        let work = MemoryWork::Rows(std::mem::take(&mut rows));
                        self.memory.commit(named(), time, work);
                    }
                    Event::Other(time) => self.memory.commit(named(), time, MemoryWork::Other),
                    Event::Ddl(ddl) => {
                        let effects = effects(source, &ddl).await;
                        let time = ddl.timestamp;
                        self.memory.commit(named(), time, MemoryWork::Ddl(ddl, effects));
                    }
                    Event::Begin(_) | Event::Field(_) | Event::Heartbeat(_) => {}
                    other => panic!("{} is nothing that a script has", other.name()),
                }
            }
        }
        self.seen = target;
    }

    /// Whether the script's source sorts its keys as a server would.
    pub async fn sorts_keys(&self) -> bool {
        let tables = self.memory.tables().await.unwrap();
        let binary = [CollationId::BINARY, CollationId::UTF8MB4_BIN];
        let mut keys = tables
            .iter()
            .flat_map(|table| table.key.iter().filter_map(|&index| table.columns.get(index)));
        keys.all(|column| binary.contains(&column.collation))
    }
}

async fn effects(source: &dyn Source, ddl: &Ddl) -> Vec<Effect> {
    let tables = source.tables().await.unwrap();
    let mut effects = Vec::new();
    for name in &ddl.tables {
        let schema = tables.iter().find(|schema| schema.name == *name);
        let rows = match schema {
            Some(_) => rows(source, name).await,
            None => Vec::new(),
        };
        effects.push((name.clone(), schema.map(|schema| (schema.clone(), rows))));
    }
    effects
}

async fn rows(source: &dyn Source, table: &TableName) -> Vec<Vec<u8>> {
    let mut snapshot = source.snapshot(std::slice::from_ref(table)).await.unwrap();
    let scan = Scan {
        table: table.clone(),
        after: None,
        where_sql: None,
        batch: BatchMax::bytes(1 << 20),
    };
    snapshot.scan(scan).await.unwrap();
    let mut rows = Vec::new();
    while let Some(batch) = snapshot.next().await.unwrap() {
        let images = batch.changes(0..batch.len()).filter_map(|change| change.after);
        rows.extend(images.map(|row| row.encoded().to_vec()));
    }
    rows
}
