//! Reads the journal in order, in bounded pieces, and waits for commits where it ends.
//!
//! A reader holds no connection while it waits, and no view between two pieces: a journal that is
//! trimmed past it ends it with an error, not with a gap. While nothing is committed it says now and
//! then that time has passed.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::watch;
use tokio::time::timeout;

use super::journal::{self, Entry, EntryKind, first_id};

use super::{Store, capture, corrupt, ddl};
use crate::event::{Event, GtidSet, Rows, TableName};
use crate::source::{Changes, Scope, SourceError, Span, now_seconds};

/// A run of changes of a store.
pub(super) struct StoreChanges {
    store: Arc<Store>,
    committed: watch::Receiver<u64>,
    start: GtidSet,
    scope: Scope,
    /// The last transaction to emit.
    last: Option<u64>,
    cursor: Cursor,
}

/// How far a reader is.
#[derive(Debug, Clone)]
struct Cursor {
    /// The journal entry to read next.
    id: i64,
    /// The transaction of that entry, or the next one if none is in progress.
    sequence: u64,
    /// The transaction whose BEGIN was emitted and whose COMMIT was not.
    open: bool,
    /// The version of each table that the last FIELD showed.
    fields: HashMap<TableName, i64>,
}

impl StoreChanges {
    /// Finds where to begin; nothing is read yet.
    pub(super) async fn open(
        store: Arc<Store>,
        span: Span,
        scope: Scope,
    ) -> Result<Self, SourceError> {
        let committed = store.shared.committed.subscribe();
        let server = store.shared.server;
        let current = store.position();
        let future = |position: &GtidSet| SourceError::Future {
            position: position.clone(),
            current: current.clone(),
        };
        if !current.contains_set(&span.start) {
            return Err(future(&span.start));
        }
        let last = match &span.until {
            None => None,
            Some(until) => {
                Some(server.last_needed(&span.start, until).ok_or_else(|| future(until))?)
            }
        };
        let sequence = server.first_missing(&span.start);
        let cursor =
            Cursor { id: first_id(sequence), sequence, open: false, fields: HashMap::new() };
        let changes = Self { store, committed, start: span.start, scope, last, cursor };
        if last.is_none_or(|last| last >= sequence) {
            changes.check_not_purged().await?;
        }
        Ok(changes)
    }

    async fn check_not_purged(&self) -> Result<(), SourceError> {
        let reader = self.store.change_readers.take().await.map_err(opening)?;
        let read =
            tokio::task::spawn_blocking(move || journal::extent(&reader.opened().connection));
        let extent = read.await.map_err(panicked)?.map_err(reading)?;
        if extent.purged >= self.cursor.sequence { Err(self.purged(extent.purged)) } else { Ok(()) }
    }

    fn purged(&self, purged: u64) -> SourceError {
        let oldest = self.store.shared.server.up_to(purged);
        SourceError::Purged { position: self.start.clone(), oldest }
    }

    /// Reads the next piece; the cursor moves only when the caller has it.
    async fn read(&self) -> Result<(Vec<Event>, Cursor), SourceError> {
        let reader = self.store.change_readers.take().await.map_err(opening)?;
        let piece = Piece {
            store: Arc::clone(&self.store),
            scope: self.scope.clone(),
            start: self.start.clone(),
            last: self.last.unwrap_or(u64::MAX),
            cursor: self.cursor.clone(),
            events: Vec::new(),
        };
        let read = tokio::task::spawn_blocking(move || piece.read(&reader.opened().connection));
        match read.await.map_err(panicked)?? {
            Ok(piece) => Ok(piece),
            Err(purged) => Err(self.purged(purged)),
        }
    }
}

#[async_trait]
impl Changes for StoreChanges {
    async fn next(&mut self) -> Result<Option<Vec<Event>>, SourceError> {
        loop {
            if self.last.is_some_and(|last| self.cursor.sequence > last) {
                return Ok(None);
            }
            let behind = *self.committed.borrow_and_update() >= self.cursor.sequence;
            if behind {
                let (events, cursor) = self.read().await?;
                self.cursor = cursor;
                if !events.is_empty() {
                    return Ok(Some(events));
                }
                continue;
            }
            match timeout(HEARTBEAT_INTERVAL, self.committed.changed()).await {
                Ok(Ok(())) => {}
                // Between transactions: what is committed is in the journal whole.
                Err(_) => return Ok(Some(vec![Event::Heartbeat(now_seconds())])),
                Ok(Err(_)) => {
                    return Err(SourceError::Disconnected {
                        context: "the store was closed".to_owned(),
                        source: None,
                    });
                }
            }
        }
    }
}

/// One bounded piece of the journal on its way into events.
struct Piece {
    store: Arc<Store>,
    scope: Scope,
    start: GtidSet,
    last: u64,
    cursor: Cursor,
    events: Vec<Event>,
}

type PieceRead = Result<(Vec<Event>, Cursor), u64>;

impl Piece {
    /// The events, or up to where the journal is purged.
    fn read(mut self, connection: &rusqlite::Connection) -> Result<PieceRead, SourceError> {
        // One view for the check and the entries; the reader ends it when it is given back.
        connection.execute_batch("BEGIN").map_err(reading)?;
        let extent = journal::extent(connection).map_err(reading)?;
        if extent.purged >= self.cursor.sequence {
            return Ok(Err(extent.purged));
        }
        let (entries, next) = {
            let (store, scope) = (&self.store, &self.scope);
            // A version that cannot be read is wanted: the error shows when its rows are decoded.
            let wanted = |version| {
                store.version(connection, version).map_or(true, |schema| scope.has(&schema.name))
            };
            journal::read(connection, self.cursor.id, PIECE_BYTES, wanted).map_err(reading)?
        };
        self.cursor.id = next;
        for entry in entries {
            if entry.sequence > self.last {
                self.cursor.sequence = entry.sequence;
                break;
            }
            self.entry(connection, entry)?;
        }
        Ok(Ok((self.events, self.cursor)))
    }

    fn entry(
        &mut self,
        connection: &rusqlite::Connection,
        entry: Entry,
    ) -> Result<(), SourceError> {
        let gtid = self.store.shared.server.gtid(entry.sequence);
        let complete = entry.kind != EntryKind::Rows;
        self.cursor.sequence = entry.sequence + u64::from(complete);
        if self.start.contains(&gtid) {
            return Ok(());
        }
        if entry.kind == EntryKind::Ddl {
            let database = &self.store.config.keyspace;
            let ddl = ddl::decode(&entry.payload, database, entry.timestamp)
                .ok_or_else(|| damaged(&entry))?;
            self.events.extend([Event::Gtid(gtid), Event::Ddl(Arc::new(ddl))]);
            return Ok(());
        }
        if !self.cursor.open {
            self.cursor.open = true;
            self.events.extend([Event::Gtid(gtid), Event::Begin(entry.timestamp)]);
        }
        if entry.kind == EntryKind::Commit {
            self.cursor.open = false;
            self.events.push(Event::Commit(entry.timestamp));
            return Ok(());
        }
        self.rows(connection, &entry)
    }

    fn rows(
        &mut self,
        connection: &rusqlite::Connection,
        entry: &Entry,
    ) -> Result<(), SourceError> {
        let schema = self.store.version(connection, entry.version).map_err(reading)?;
        if !self.scope.has(&schema.name) {
            return Ok(());
        }
        let shown = self.cursor.fields.get(&schema.name) == Some(&entry.version);
        if !shown {
            self.cursor.fields.insert(schema.name.clone(), entry.version);
            self.events.push(Event::Field(Arc::clone(&schema)));
        }
        let rows = capture::decode(&schema, &entry.payload).ok_or_else(|| damaged(entry))?;
        self.events.push(Event::Row(Rows::all(Arc::new(rows))));
        Ok(())
    }
}

fn damaged(entry: &Entry) -> SourceError {
    let context = format!("decode journal entry {} of transaction {}", entry.id, entry.sequence);
    SourceError::Corrupt { context, source: None }
}

fn opening(error: rusqlite::Error) -> SourceError {
    corrupt("open a connection to the store's file", error)
}

fn reading(error: rusqlite::Error) -> SourceError {
    corrupt("read the journal", error)
}

fn panicked(error: tokio::task::JoinError) -> SourceError {
    let context = "reading the journal panicked".to_owned();
    SourceError::Corrupt { context, source: Some(Box::new(error)) }
}

/// How long nothing is committed before that is said, as Vitess's tablets do.
const HEARTBEAT_INTERVAL: Duration = Duration::from_millis(900);
/// About how many bytes of journal one piece holds.
const PIECE_BYTES: usize = 1 << 20;
