//! A MySQL door on a port of its own, for as long as the test holds it.

use std::net::SocketAddr;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use vstreamd::access::Access;
use vstreamd::engine::{Engine, EngineConfig, ShardSources};
use vstreamd::event::ShardName;
use vstreamd::frontend::mysql::{Account, Accounts, Behind, Door, DoorConfig, Identity, Keyspace};
use vstreamd::shutdown::ShutdownController;
use vstreamd::source::Backend;
use vstreamd::telemetry;

use super::panics;
use super::scripted::Scripted;

/// An open door.
pub struct OpenDoor {
    pub address: SocketAddr,
    controller: ShutdownController,
    task: JoinHandle<()>,
}

impl OpenDoor {
    /// A door to the scripted backend that anybody may enter.
    pub async fn scripted() -> Self {
        Self::with(DoorConfig::default(), Accounts::Anybody).await
    }

    /// A door to the scripted backend.
    pub async fn with(config: DoorConfig, accounts: Accounts) -> Self {
        Self::open(config, accounts, Arc::new(Scripted::default()), Vec::new()).await
    }

    /// A door to the scripted backend, where not everybody may everything.
    pub async fn guarded(access: Access) -> Self {
        let (config, backend) = (DoorConfig::default(), Arc::new(Scripted::default()));
        Self::open_guarded(config, Accounts::Anybody, backend, Vec::new(), access).await
    }

    /// A door to this backend and these shards, all of keyspace `commerce`.
    pub async fn open(
        config: DoorConfig,
        accounts: Accounts,
        backend: Arc<dyn Backend>,
        shards: Vec<ShardSources>,
    ) -> Self {
        Self::open_guarded(config, accounts, backend, shards, Access::default()).await
    }

    async fn open_guarded(
        config: DoorConfig,
        accounts: Accounts,
        backend: Arc<dyn Backend>,
        shards: Vec<ShardSources>,
        access: Access,
    ) -> Self {
        panics::watch();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut names: Vec<_> = shards.iter().map(|shard| shard.shard.clone()).collect();
        if names.is_empty() {
            names.push(ShardName::new("commerce", "0"));
        }
        let behind = Behind {
            engine: Engine::new(EngineConfig::default(), shards),
            backend,
            keyspaces: vec![Keyspace { name: "commerce".to_owned(), shards: names }],
            accounts,
            identity: identity(),
            access,
        };
        let controller = ShutdownController::new();
        let door = Door::new(config, behind).unwrap();
        let task = telemetry::spawn("door", door.serve(listener, controller.subscribe()));
        Self { address, controller, task }
    }

    /// Asks the door to close, and waits until it has. Fails if a task panicked meanwhile.
    pub async fn close(self) {
        self.controller.request();
        let closed = tokio::time::timeout(Duration::from_secs(90), self.task).await;
        closed.expect("the door closes in time").unwrap();
        panics::check();
    }
}

/// What all doors of a test process prove themselves by: keys take a while to make.
static IDENTITY: LazyLock<(Arc<Identity>, Vec<u8>)> = LazyLock::new(|| {
    let directory = tempfile::tempdir().unwrap();
    let identity = Identity::open(directory.path(), None).unwrap();
    let certificate = std::fs::read(directory.path().join("server-cert.pem")).unwrap();
    (Arc::new(identity), certificate)
});

/// What the doors of this process prove themselves by.
pub fn identity() -> Arc<Identity> {
    Arc::clone(&IDENTITY.0)
}

/// The certificate of the doors of this process, in PEM.
pub fn certificate() -> &'static [u8] {
    &IDENTITY.1
}

/// Accounts of one user, proven by either plugin or by only one of them.
pub fn account(user: &str, account: Account) -> Accounts {
    Accounts::Users([(user.to_owned(), account)].into())
}
