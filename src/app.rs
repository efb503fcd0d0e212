//! The composition root: names every concrete type once, and the order of start and stop.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::access::Access;
use crate::config::{self, Config, Limits};
use crate::engine::{Engine, EngineConfig, ShardSources, Tablet};
use crate::event::ShardName;
use crate::frontend::mysql::{
    Accounts, Behind, Door, DoorConfig, Identity, IdentityError, Keyspace,
};
use crate::plan::TabletType;
use crate::shutdown::ShutdownController;
use crate::source::mysql::{
    Budget, CopyLimits, MysqlSource, ServedKeyspace, Server, ServersBackend,
};
use crate::source::sqlite::{OpenError, Store, StoreConfig, Tableless};
use crate::source::{Backend, Source};
use crate::telemetry;

/// A running vstreamd.
pub struct App {
    mysql_address: SocketAddr,
    engine: Engine,
    shutdown: ShutdownController,
    drain_timeout: Duration,
    /// Gone with the process, if it ends in order.
    _directory: Option<TempDir>,
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
    /// There is no room for what sessions need.
    #[error("make a temporary directory")]
    Temporary(#[source] std::io::Error),
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
        let served = match config.keyspaces.is_empty() {
            true => embedded(config).await?,
            false => servers(config).await?,
        };
        let identity = Identity::open(&config.data_dir, config.tls.certificate.as_ref())?;
        let engine = Engine::new(engine_config(&config.limits), served.shards);
        let behind = Behind {
            engine: engine.clone(),
            backend: served.backend,
            keyspaces: served.keyspaces,
            accounts: config.accounts.clone(),
            identity: Arc::new(identity),
            access: Access::default(),
        };
        let door = Door::new(door_config(config), behind).map_err(AppError::Door)?;
        let shutdown = ShutdownController::new();
        telemetry::spawn("mysql door", door.serve(listener, shutdown.subscribe()));
        tracing::info!(mysql = %mysql_address, data_dir = %config.data_dir.display(), "serving");
        Ok(Self {
            mysql_address,
            engine,
            shutdown,
            drain_timeout: config.limits.drain_timeout(),
            _directory: served.directory,
        })
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

/// What the doors open to.
struct Served {
    keyspaces: Vec<Keyspace>,
    shards: Vec<ShardSources>,
    backend: Arc<dyn Backend>,
    /// What the backend needs for as long as it is.
    directory: Option<TempDir>,
}

/// The embedded store: one keyspace of one shard.
async fn embedded(config: &Config) -> Result<Served, AppError> {
    let store = Store::open(&config.data_dir, store_config(&config.limits)).await?;
    let shard = ShardName::new(KEYSPACE, SHARD);
    let tablet = Tablet {
        name: format!("{}-embedded", config.cell).into(),
        tablet_type: TabletType::Primary,
        source: Arc::new(store.source()),
    };
    Ok(Served {
        keyspaces: vec![Keyspace { name: KEYSPACE.to_owned(), shards: vec![shard.clone()] }],
        shards: vec![ShardSources { shard, tablets: vec![tablet] }],
        backend: Arc::new(store.backend()),
        directory: None,
    })
}

/// The configured servers. None of them is waited for: whoever asks for one that is away is told.
async fn servers(config: &Config) -> Result<Served, AppError> {
    let budgets = Budgets::of(&config.keyspaces, config.limits.copies());
    let (mut keyspaces, mut shards, mut served) = (Vec::new(), Vec::new(), Vec::new());
    for keyspace in &config.keyspaces {
        served.push(served_keyspace(keyspace, &budgets));
        let mut names = Vec::new();
        for shard in &keyspace.shards {
            let name = ShardName::new(&keyspace.name, &shard.name);
            let tablets = shard.tablets.iter().map(|tablet| {
                let server = budgets.server(tablet);
                let source = Arc::new(MysqlSource::new(server, &keyspace.name));
                telemetry::spawn("preflight", report(Arc::clone(&source)));
                Tablet {
                    name: tablet.alias.as_str().into(),
                    tablet_type: tablet.tablet_type,
                    source,
                }
            });
            shards.push(ShardSources { shard: name.clone(), tablets: tablets.collect() });
            names.push(name);
        }
        keyspaces.push(Keyspace { name: keyspace.name.clone(), shards: names });
    }
    let directory =
        tempfile::Builder::new().prefix("vstreamd-").tempdir().map_err(AppError::Temporary)?;
    let local = Arc::new(Tableless::open(directory.path()).await?);
    // Whoever is on this machine would have the rights of the passwords that are configured.
    let read_only = config.accounts == Accounts::Anybody;
    let backend = Arc::new(ServersBackend::new(served, local, read_only));
    Ok(Served { keyspaces, shards, backend, directory: Some(directory) })
}

/// Where the statements of a keyspace run.
fn served_keyspace(keyspace: &config::Keyspace, budgets: &Budgets) -> ServedKeyspace {
    let is_primary = |tablet: &&config::Tablet| tablet.tablet_type == TabletType::Primary;
    let primary = match keyspace.shards.as_slice() {
        [only] => only.tablets.iter().find(is_primary).map(|tablet| budgets.server(tablet)),
        _ => None,
    };
    ServedKeyspace { keyspace: keyspace.name.clone(), primary }
}

/// One budget per server: its tablets share it, and the least of their bounds holds.
struct Budgets(HashMap<String, Arc<Budget>>);

impl Budgets {
    fn of(keyspaces: &[config::Keyspace], copies: CopyLimits) -> Self {
        let mut least: HashMap<String, usize> = HashMap::new();
        for tablet in keyspaces.iter().flat_map(config::Keyspace::tablets) {
            let max = least.entry(tablet.url.address()).or_insert(tablet.connections_max);
            *max = tablet.connections_max.min(*max);
        }
        let budget = |max| Arc::new(Budget::with_copies(max, copies));
        Self(least.into_iter().map(|(address, max)| (address, budget(max))).collect())
    }

    fn server(&self, tablet: &config::Tablet) -> Server {
        let budget = self.0.get(&tablet.url.address()).map(Arc::clone);
        let budget = budget.expect("every tablet's address has a budget");
        Server::new(&tablet.alias, tablet.url.clone(), budget)
    }
}

/// Says once, at the start, what stands in the way of streaming from a server.
async fn report(source: Arc<MysqlSource>) {
    let tablet = source.name();
    match source.preflight().await {
        Ok(findings) => {
            for finding in findings {
                let (what, mend) = (&finding.what, &finding.mend);
                if finding.fatal {
                    tracing::warn!(tablet, what, mend, "a server cannot be streamed from as it is");
                } else {
                    tracing::info!(tablet, what, mend, "a server could be set up better");
                }
            }
        }
        Err(error) => {
            let error = telemetry::chain(&error);
            tracing::warn!(
                tablet,
                error,
                "a server cannot be asked; its streams fail until it can"
            );
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
        copy_rows_per_second_max: NonZeroU32::new(limits.rows_per_second_max),
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
        packets_bytes_max: limits.packets_bytes_max,
        drain_timeout: limits.drain_timeout(),
        ..DoorConfig::default()
    }
}

/// The embedded store's one keyspace and shard.
const KEYSPACE: &str = "commerce";
const SHARD: &str = "0";
/// What a door gets beyond the connections' deadline, to say that it was missed.
const REPORT_TIME: Duration = Duration::from_millis(500);
