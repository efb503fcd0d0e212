//! The open streams, for SHOW VSTREAMS, and the word that all of them end.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use crate::event::{ShardName, Timestamp};
use crate::shutdown::{Shutdown, ShutdownController};

use super::progress::Progress;
use super::shard::Status;
use super::{StreamStatus, SubscribeError};

/// All open streams of an engine.
pub(super) struct Registry {
    streams: Mutex<Streams>,
    shutdown: ShutdownController,
    heard: Shutdown,
    streams_max: usize,
}

#[derive(Default)]
struct Streams {
    last_id: u64,
    open: BTreeMap<u64, Vec<ShardStatus>>,
}

pub(super) type ShardStatus = (Arc<ShardName>, Arc<Mutex<Status>>);

/// One open stream's entry; it goes with the stream.
pub(super) struct Registration {
    registry: Arc<Registry>,
    id: u64,
}

impl Registry {
    pub fn new(streams_max: usize) -> Self {
        let shutdown = ShutdownController::new();
        let heard = shutdown.subscribe();
        Self { streams: Mutex::default(), shutdown, heard, streams_max }
    }

    /// A new stream, of whose shards nothing is known yet.
    pub fn register(self: &Arc<Self>) -> Result<Registration, SubscribeError> {
        if self.heard.is_requested() {
            return Err(SubscribeError::Shutdown);
        }
        let mut streams = self.streams();
        if streams.open.len() >= self.streams_max {
            return Err(SubscribeError::TooManyStreams(self.streams_max));
        }
        streams.last_id += 1;
        let id = streams.last_id;
        streams.open.insert(id, Vec::new());
        Ok(Registration { registry: Arc::clone(self), id })
    }

    pub fn shut_down(&self) {
        self.shutdown.request();
    }

    /// How all streams are at this time.
    pub fn list(&self, now: Timestamp) -> Vec<StreamStatus> {
        let streams = self.streams();
        let shards = streams.open.iter().flat_map(|(id, shards)| {
            shards.iter().map(move |(shard, status)| {
                let status = status.lock().expect("no one panics while holding a status").clone();
                StreamStatus {
                    id: *id,
                    shard: (**shard).clone(),
                    lag: status.lag(now),
                    tablet: Arc::clone(&status.tail.tablet.name),
                    phase: status.phase,
                    position: status.seen.bare().to_string(),
                    waiting: status.waiting(),
                    copy: status.copy.as_ref().map(Progress::status),
                }
            })
        });
        shards.collect()
    }

    fn streams(&self) -> std::sync::MutexGuard<'_, Streams> {
        self.streams.lock().expect("no one panics while holding the registry")
    }
}

impl Registration {
    pub const fn id(&self) -> u64 {
        self.id
    }

    pub fn show(&self, shards: Vec<ShardStatus>) {
        self.registry.streams().open.insert(self.id, shards);
    }

    pub fn is_shut_down(&self) -> bool {
        self.registry.heard.is_requested()
    }

    /// Hears when all streams are to end.
    pub fn shutdown(&self) -> Shutdown {
        self.registry.heard.clone()
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.registry.streams().open.remove(&self.id);
    }
}
