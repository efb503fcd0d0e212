//! A source that hands out another's events one by one: where its batches end is no promise.

use std::collections::VecDeque;
use std::sync::Arc;

use async_trait::async_trait;
use vstreamd::event::{Event, GtidSet, TableName, TableSchema};
use vstreamd::source::{Changes, Finding, Scope, Snapshot, Source, SourceError, Span};

/// The other source.
pub struct Single(pub Arc<dyn Source>);

#[async_trait]
impl Source for Single {
    fn name(&self) -> &str {
        self.0.name()
    }

    async fn preflight(&self) -> Result<Vec<Finding>, SourceError> {
        self.0.preflight().await
    }

    async fn tables(&self) -> Result<Vec<Arc<TableSchema>>, SourceError> {
        self.0.tables().await
    }

    async fn position(&self) -> Result<GtidSet, SourceError> {
        self.0.position().await
    }

    async fn changes(&self, span: Span, scope: Scope) -> Result<Box<dyn Changes>, SourceError> {
        let inner = self.0.changes(span, scope).await?;
        Ok(Box::new(SingleChanges { inner, events: VecDeque::new() }))
    }

    async fn snapshot(&self, tables: &[TableName]) -> Result<Box<dyn Snapshot>, SourceError> {
        self.0.snapshot(tables).await
    }
}

struct SingleChanges {
    inner: Box<dyn Changes>,
    events: VecDeque<Event>,
}

#[async_trait]
impl Changes for SingleChanges {
    async fn next(&mut self) -> Result<Option<Vec<Event>>, SourceError> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Ok(Some(vec![event]));
            }
            match self.inner.next().await? {
                Some(events) => self.events.extend(events),
                None => return Ok(None),
            }
        }
    }
}
