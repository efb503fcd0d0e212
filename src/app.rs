//! The composition root: names every concrete type once, and the order of start and stop.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;

use crate::access::Access;
use crate::config::{Config, Limits};
use crate::engine::{Engine, EngineConfig, ShardSources, Tablet};
use crate::event::ShardName;
use crate::frontend::mysql::{Behind, Door, DoorConfig, Identity, IdentityError, Keyspace};
use crate::plan::TabletType;
use crate::shutdown::ShutdownController;
use crate::source::sqlite::{OpenError, Store, StoreConfig};
use crate::telemetry;

/// A running vstreamd.
pub struct App {
    mysql_address: SocketAddr,
    engine: Engine,
    shutdown: ShutdownController,
    drain_timeout: Duration,
}

/// Why the process cannot serve, or did not end well.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// An address cannot be bound.
    #[error("listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The embedded store cannot be used.
    #[error(transparent)]
    Store(#[from] OpenError),
    /// Certificate or keys cannot be used.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The system gives no random bytes for connection ids.
    #[error("open the MySQL door")]
    Door(#[source] std::io::Error),
}

impl App {
    /// Opens the store, then the doors. Connections are taken from the moment this returns.
    pub async fn start(config: &Config) -> Result<Self, AppError> {
        let address = config.mysql_listen;
        let listener = TcpListener::bind(address)
            .await
            .and_then(|listener| listener.local_addr().map(|address| (listener, address)));
        let (listener, mysql_address) =
            listener.map_err(|source| AppError::Listen { address, source })?;
        let store = Store::open(&config.data_dir, store_config(&config.limits)).await?;
        let identity = Identity::open(&config.data_dir, config.tls.certificate.as_ref())?;
        let shard = ShardName::new(KEYSPACE, SHARD);
        let tablet = Tablet {
            name: format!("{}-embedded", config.cell).into(),
            tablet_type: TabletType::Primary,
            source: Arc::new(store.source()),
        };
        let shards = vec![ShardSources { shard: shard.clone(), tablets: vec![tablet] }];
        let engine = Engine::new(engine_config(&config.limits), shards);
        let behind = Behind {
            engine: engine.clone(),
            backend: Arc::new(store.backend()),
            keyspaces: vec![Keyspace { name: KEYSPACE.to_owned(), shards: vec![shard] }],
            accounts: config.accounts.clone(),
            identity: Arc::new(identity),
            access: Access::default(),
        };
        let door = Door::new(door_config(config), behind).map_err(AppError::Door)?;
        let shutdown = ShutdownController::new();
        telemetry::spawn("mysql door", door.serve(listener, shutdown.subscribe()));
        tracing::info!(mysql = %mysql_address, data_dir = %config.data_dir.display(), "serving");
        Ok(Self { mysql_address, engine, shutdown, drain_timeout: config.limits.drain_timeout() })
    }

    /// Where MySQL clients connect.
    pub const fn mysql_address(&self) -> SocketAddr {
        self.mysql_address
    }

    /// Ends streams with an error that says so, then everything else; waits a bounded time.
    pub async fn stop(self) {
        self.shutdown.request();
        self.engine.shutdown();
        // The doors have the same deadline for their connections; a moment more lets them report.
        if !self.shutdown.drained(self.drain_timeout + REPORT_TIME).await {
            tracing::warn!("connections did not end in time; ending without them");
        }
    }
}

fn store_config(limits: &Limits) -> StoreConfig {
    StoreConfig {
        keyspace: KEYSPACE.to_owned(),
        shard: SHARD.to_owned(),
        lock_wait_timeout: Duration::from_secs(limits.lock_wait_timeout_seconds),
        journal_bytes_max: limits.journal_bytes_max,
        journal_age_max: Duration::from_secs(limits.journal_age_max_seconds),
        ..StoreConfig::default()
    }
}

fn engine_config(limits: &Limits) -> EngineConfig {
    EngineConfig {
        log_bytes_max: limits.log_bytes_max,
        catch_up_readers_max: limits.catch_up_readers_max,
        streams_max: limits.connections_max,
        seed: fastrand::u64(..),
        ..EngineConfig::default()
    }
}

fn door_config(config: &Config) -> DoorConfig {
    let limits = &config.limits;
    DoorConfig {
        tls_required: config.tls.required,
        connections_max: limits.connections_max,
        packet_bytes_max: limits.packet_bytes_max,
        drain_timeout: limits.drain_timeout(),
        ..DoorConfig::default()
    }
}

/// The embedded store's one keyspace and shard.
const KEYSPACE: &str = "commerce";
const SHARD: &str = "0";
/// What a door gets beyond the connections' deadline, to say that it was missed.
const REPORT_TIME: Duration = Duration::from_millis(500);
