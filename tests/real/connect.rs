//! Connections to real servers: logins, TLS, and errors that can be told apart.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use mysql_async::prelude::Queryable;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use vstreamd::engine::{EngineConfig, Waiting};
use vstreamd::event::{GtidSet, TableName};
use vstreamd::source::mysql::{
    Budget, Connection, Flavour, MysqlSource, Password, Server, ServerUrl,
};
use vstreamd::source::{ConnectError, Scarce, Scope, Source, SourceError, Span};
use vstreamd::telemetry;

use super::run;
use crate::harness::real::{self, Kind, mariadb, mysql, start};
use crate::harness::stream::{self, Marks, Stream};
use crate::harness::trace::Request;

/// The server as `login` (`user:password`), with parameters of the URL.
fn server(real: &real::Server, login: &str, parameters: &str) -> Server {
    at(&format!("mysql://{login}@{}/information_schema{parameters}", real.address()))
}

fn at(url: &str) -> Server {
    Server::new("zone1-100", ServerUrl::parse(url).unwrap(), Arc::new(Budget::new(9)))
}

async fn connect(server: &Server) -> Result<Connection, ConnectError> {
    match server.connect().await {
        Ok(connection) => Ok(connection),
        Err(SourceError::Connect(error)) => Err(error),
        Err(error) => panic!("{error}"),
    }
}

/// Connects in both ways, the library's and our own.
async fn connect_both(server: &Server) -> Result<(), ConnectError> {
    let connected = connect(server).await.map(|_| ());
    let raw = server.connect_raw().await.map(|_| ());
    let (said, raw_said) = (connected.as_ref().err(), raw.as_ref().err());
    assert_eq!(raw_said.map(ToString::to_string), said.map(ToString::to_string));
    connected
}

/// The cipher of the connection; empty in the clear.
async fn cipher(server: &Server) -> String {
    let mut connection = connect(server).await.unwrap_or_else(|error| panic!("{error:?}"));
    let query = "SHOW STATUS LIKE 'Ssl_cipher'";
    let (_, cipher): (String, String) = connection.conn.query_first(query).await.unwrap().unwrap();
    cipher
}

#[tokio::test]
async fn a_session_is_set_up_for_its_purpose() {
    for (real, flavour) in [(mysql(), Flavour::Mysql), (mariadb(), Flavour::MariaDb)] {
        let server = server(real, "root", "");
        let (mut view, mut other) = server.connect_for_view().await.unwrap();
        assert_eq!((view.flavour, other.flavour), (flavour, flavour));
        assert_eq!((&*view.account, &*other.account), ("root@127.0.0.1", "root@127.0.0.1"));
        type Session = (String, String, u32, String);
        let query = "SELECT @@time_zone, @@sql_mode, @@net_write_timeout, DATABASE()";
        let session = |timeout| {
            ("+00:00".to_owned(), String::new(), timeout, "information_schema".to_owned())
        };
        let found: Vec<Session> = view.conn.query(query).await.unwrap();
        assert_eq!(found, [session(3600)]);
        let found: Option<Session> = other.conn.query_first(query).await.unwrap();
        assert_eq!(found, Some(session(60)));
        assert_eq!(server.budget().in_use(), 2);
        drop(other);
        let (conn, permit) = view.into_parts();
        drop(conn);
        assert_eq!(server.budget().in_use(), 1);
        drop(permit);
        assert_eq!(server.budget().in_use(), 0);
    }
}

#[tokio::test]
async fn errors_can_be_told_apart() {
    run(
        mysql(),
        &[
            "CREATE USER IF NOT EXISTS apart@'127.0.0.1' IDENTIFIED BY 'right'",
            "CREATE DATABASE IF NOT EXISTS apart",
        ],
    )
    .await;
    let address = mysql().address();
    let error = |url: String| async move { connect_both(&at(&url)).await.unwrap_err() };
    let found = error("mysql://u@no-such-host.invalid/d".to_owned()).await;
    assert!(matches!(&found, ConnectError::UnknownHost { host, .. } if host.contains("no-such")));
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let found = error(format!("mysql://u@{free}/d")).await;
    assert!(matches!(found, ConnectError::Refused { .. }), "{found:?}");
    assert_eq!(found.to_string(), format!("nothing listens at {free}"));
    let found = error(format!("mysql://apart:wrong@{address}/d")).await;
    let text = "Access denied for user 'apart'@'127.0.0.1' (using password: YES)";
    assert_eq!(found.to_string(), format!("{address} denied the login: {text}"));
    assert!(!found.is_transient());
    let found = error(format!("mysql://root@{address}/nowhere")).await;
    assert!(
        matches!(&found, ConnectError::NoDatabase { message, .. }
        if message == "Unknown database 'nowhere'"),
        "{found:?}"
    );
    let found = error(format!("mysql://apart:right@{address}/apart")).await;
    assert!(matches!(found, ConnectError::NoDatabase { .. }), "{found:?}");
}

/// A server's own connections are few: what is asked of it in passing counts, too.
#[tokio::test]
async fn questions_hold_a_place_in_the_budget() {
    for real in [mysql(), mariadb()] {
        let url = format!("mysql://root@{}/information_schema", real.address());
        let budget = Arc::new(Budget::new(1));
        let server = Server::new("one", ServerUrl::parse(&url).unwrap(), Arc::clone(&budget));
        let asked = server.ask(async |_| Ok(budget.in_use())).await.unwrap();
        assert_eq!((asked, budget.in_use()), (1, 0));
        let held = server.connect().await.unwrap();
        let source = MysqlSource::new(server, "ks");
        for question in 0..3 {
            let asked = async {
                match question {
                    0 => source.position().await.map(drop),
                    1 => source.tables().await.map(drop),
                    _ => source.preflight().await.map(drop),
                }
            };
            let soon = tokio::time::timeout(Duration::from_millis(200), asked).await;
            assert!(soon.is_err(), "question {question} was answered without a place");
        }
        let waiting = async {
            while budget.waiting() == 0 {
                tokio::task::yield_now().await;
            }
            drop(held);
        };
        let (position, ()) = tokio::join!(source.position(), waiting);
        position.unwrap();
        assert_eq!((budget.in_use(), budget.waiting()), (0, 0));
    }
}

/// Behind one address there may be several servers: what one has said is nothing to the other's log.
#[tokio::test]
async fn the_log_is_that_of_the_server_that_was_asked() {
    for kind in [Kind::MySql, Kind::MariaDb] {
        let servers = [start(kind, &[]), start(kind, &["--server-id=2"])];
        let addresses = servers.each_ref().map(real::Server::address);
        let front = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at_front = front.local_addr().unwrap();
        telemetry::spawn("balance", async move {
            for address in addresses.iter().cycle() {
                let Ok((mut client, _)) = front.accept().await else { return };
                let mut server = tokio::net::TcpStream::connect(address).await.unwrap();
                telemetry::spawn("forward", async move {
                    let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
                });
            }
        });
        // Who looks for TLS in vain connects twice.
        let url = format!("mysql://root@{at_front}/information_schema?ssl-mode=DISABLED");
        let source = MysqlSource::new(at(&url), "ks");
        let span = Span { start: GtidSet::new(), until: None };
        let Err(error) = source.changes(span, Scope::all()).await else { panic!("{kind:?}") };
        assert!(error.is_transient(), "{kind:?}: {error}");
        let said = format!(
            "another server answers at {at_front} than the one that was asked about its log"
        );
        assert_eq!(error.to_string(), said);
        let table = TableName::new("ks", "t");
        let Err(error) = source.snapshot(&[table]).await else { panic!("{kind:?}") };
        assert!(error.is_transient(), "{kind:?}: {error}");
        let said =
            format!("another server answers at {at_front} than the one that shows the tables");
        assert_eq!(error.to_string(), said);
    }
}

/// What a stream needs before it has begun, and what the tail behind it needs.
#[tokio::test]
async fn who_waits_for_a_connection_is_shown() {
    run(mariadb(), &["CREATE DATABASE IF NOT EXISTS waited"]).await;
    let url = format!("mysql://root@{}/waited", mariadb().address());
    let budget = Arc::new(Budget::new(2));
    let server = Server::new("one", ServerUrl::parse(&url).unwrap(), Arc::clone(&budget));
    let source = Arc::new(MysqlSource::new(server.clone(), "ks"));
    let engine = stream::engine(EngineConfig::default(), source);
    let shown = |count: usize, waiting: Option<Waiting>| {
        let engine = &engine;
        async move {
            let is = || {
                let streams = engine.streams();
                streams.len() == count && streams.iter().all(|stream| stream.waiting == waiting)
            };
            while !is() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    };
    let taken = [server.connect().await.unwrap(), server.connect().await.unwrap()];
    let request = Request { start: "current".to_owned(), ..Request::default() };
    let marks = Marks::new();
    let opening = Stream::open(&engine, &request, &marks);
    let freed = async {
        shown(1, Some(Waiting::Scarce(Scarce::Connection))).await;
        drop(taken);
    };
    let (stream, ()) = tokio::join!(opening, freed);
    shown(1, None).await;
    drop(stream);
}

#[tokio::test]
async fn a_server_without_connections_left_says_so() {
    let real = start(Kind::MariaDb, &["--max-connections=10"]);
    // The administrator would get one more.
    run(&real, &["CREATE USER plain@'127.0.0.1'"]).await;
    let url = format!("mysql://plain@{}/information_schema", real.address());
    let server = Server::new("full", ServerUrl::parse(&url).unwrap(), Arc::new(Budget::new(99)));
    let mut held = Vec::new();
    let error = loop {
        match connect(&server).await {
            Ok(connection) => held.push(connection),
            Err(error) => break error,
        }
        assert!(held.len() <= 10);
    };
    assert!(matches!(error, ConnectError::TooManyConnections { .. }), "{error:?}");
    assert!(error.is_transient());
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_given_up() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = at(&format!("mysql://u@{address}/d"));
    // The clock stands still only while everything waits for it.
    tokio::time::pause();
    let found = connect_both(&server).await.unwrap_err();
    assert!(matches!(found, ConnectError::TimedOut { .. }), "{found:?}");
    assert_eq!(server.budget().in_use(), 0);
}

#[tokio::test]
async fn servers_log_in_by_each_plugin() {
    run(
        mysql(),
        &[
            "CREATE USER IF NOT EXISTS cold@'127.0.0.1' IDENTIFIED BY 'geheim'",
            "CREATE USER IF NOT EXISTS warm@'127.0.0.1' IDENTIFIED BY 'geheim'",
            "CREATE USER IF NOT EXISTS cold_raw@'127.0.0.1' IDENTIFIED BY 'geheim'",
            "CREATE USER IF NOT EXISTS warm_raw@'127.0.0.1' IDENTIFIED BY 'geheim'",
            "CREATE USER IF NOT EXISTS none@'127.0.0.1'",
            "CREATE USER IF NOT EXISTS sha256@'127.0.0.1' IDENTIFIED WITH sha256_password BY 'g'",
        ],
    )
    .await;
    // Cold: the server wants the password itself, encrypted by its key or under TLS; then it knows it.
    let in_the_clear = server(mysql(), "cold:geheim", "?ssl-mode=DISABLED");
    for _ in 0..2 {
        assert_eq!(cipher(&in_the_clear).await, "");
    }
    let secured = server(mysql(), "warm:geheim", "?ssl-mode=REQUIRED");
    for _ in 0..2 {
        assert_ne!(cipher(&secured).await, "");
    }
    for (login, mode) in [("cold_raw:geheim", "DISABLED"), ("warm_raw:geheim", "REQUIRED")] {
        let server = server(mysql(), login, &format!("?ssl-mode={mode}"));
        for _ in 0..2 {
            server.connect_raw().await.unwrap();
        }
        connect(&server).await.unwrap();
    }
    connect_both(&server(mysql(), "none", "")).await.unwrap();
    let found = connect_both(&server(mysql(), "sha256:g", "")).await.unwrap_err();
    assert!(matches!(found, ConnectError::Login { .. }), "{found:?}");
    let found = connect_both(&server(mysql(), "cold:falsch", "")).await.unwrap_err();
    assert!(matches!(found, ConnectError::Denied { .. }), "{found:?}");
    run(mariadb(), &["CREATE OR REPLACE USER native@'127.0.0.1' IDENTIFIED BY 'geheim'"]).await;
    connect_both(&server(mariadb(), "native:geheim", "")).await.unwrap();
    let found = connect_both(&server(mariadb(), "native:falsch", "")).await.unwrap_err();
    assert!(matches!(found, ConnectError::Denied { .. }), "{found:?}");
}

#[tokio::test]
async fn mariadbs_ed25519_logs_in() {
    let cache = real::client(Kind::MariaDb);
    let cache = cache.parent().and_then(Path::parent).unwrap();
    let plugins = format!("--plugin-dir={}", cache.join("mariadb/usr/lib/mysql/plugin").display());
    let real = start(Kind::MariaDb, &[&plugins, "--plugin-load-add=auth_ed25519"]);
    let create = "CREATE USER ed@'127.0.0.1' IDENTIFIED VIA ed25519 USING PASSWORD('geheim')";
    run(&real, &[create]).await;
    let connection = connect(&server(&real, "ed:geheim", "")).await.unwrap();
    assert_eq!(connection.account, "ed@127.0.0.1");
    connect_both(&server(&real, "ed:geheim", "")).await.unwrap();
    let found = connect_both(&server(&real, "ed:falsch", "")).await.unwrap_err();
    assert!(matches!(found, ConnectError::Denied { .. }), "{found:?}");
}

#[tokio::test]
async fn passwords_come_from_files() {
    run(mysql(), &["CREATE USER IF NOT EXISTS filed@'127.0.0.1' IDENTIFIED BY 'geheim'"]).await;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("password");
    let mut url =
        ServerUrl::parse(&format!("mysql://filed@{}/information_schema", mysql().address()))
            .unwrap();
    url.password = Password::File(path.clone());
    let server = Server::new("zone1-100", url, Arc::new(Budget::new(9)));
    let found = connect(&server).await.unwrap_err();
    assert!(matches!(found, ConnectError::File { .. }), "{found:?}");
    // No restart is needed for another password.
    for (written, opens) in [("falsch\n", false), ("geheim\n", true)] {
        std::fs::write(&path, written).unwrap();
        assert_eq!(connect_both(&server).await.is_ok(), opens);
    }
}

/// Certificates of an authority of our own: for this host, for another, and for none.
struct Certificates {
    directory: tempfile::TempDir,
}

impl Certificates {
    fn make() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut authority = CertificateParams::default();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
        let made = Self { directory };
        std::fs::write(made.path("ca"), issuer.pem()).unwrap();
        for (name, hosts) in
            [("here", vec!["127.0.0.1"]), ("there", vec!["db.example"]), ("nameless", vec![])]
        {
            let hosts: Vec<String> = hosts.into_iter().map(str::to_owned).collect();
            let key = KeyPair::generate().unwrap();
            let certificate =
                CertificateParams::new(hosts).unwrap().signed_by(&key, &issuer).unwrap();
            std::fs::write(made.path(name), certificate.pem()).unwrap();
            std::fs::write(made.path(&format!("{name}-key")), key.serialize_pem()).unwrap();
        }
        made
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(format!("{name}.pem"))
    }

    fn start(&self, kind: Kind, name: &str) -> real::Server {
        let option = |option: &str, path: &Path| format!("--{option}={}", path.display());
        let options = [
            option("ssl-ca", &self.path("ca")),
            option("ssl-cert", &self.path(name)),
            option("ssl-key", &self.path(&format!("{name}-key"))),
        ];
        start(kind, &options.each_ref().map(String::as_str))
    }
}

/// The same for connections of our own, which verify a certificate without a name as well.
async fn check_raw(real: &real::Server, ca: &Path, name: &str, strange: &Path) {
    run(real, &["CREATE USER secured@'127.0.0.1' REQUIRE SSL"]).await;
    let connect = |parameters: String| {
        let server = server(real, "secured", &parameters);
        async move { server.connect_raw().await.map(|_| ()) }
    };
    let found = connect("?ssl-mode=DISABLED".to_owned()).await;
    assert!(matches!(found, Err(ConnectError::Denied { .. })), "{found:?}");
    connect(String::new()).await.unwrap();
    connect("?ssl-mode=REQUIRED".to_owned()).await.unwrap();
    let mode = |mode: &str, ca: &Path| format!("?ssl-mode={mode}&ssl-ca={}", ca.display());
    connect(mode("VERIFY_CA", ca)).await.unwrap();
    let found = connect(mode("VERIFY_IDENTITY", ca)).await;
    assert!(
        matches!((name, &found), ("here", Ok(())) | (_, Err(ConnectError::Unverified { .. }))),
        "{name}: {found:?}"
    );
    for mode_name in ["VERIFY_CA", "VERIFY_IDENTITY"] {
        let found = connect(mode(mode_name, strange)).await;
        assert!(matches!(found, Err(ConnectError::Unverified { .. })), "{found:?}");
    }
}

#[tokio::test]
async fn tls_is_as_the_mode_says() {
    let certificates = Certificates::make();
    let ca = certificates.path("ca");
    let strangers = Certificates::make();
    let strange = strangers.path("ca");
    let modes = |mode: &str| format!("?ssl-mode={mode}&ssl-ca={}", ca.display());
    for kind in [Kind::MySql, Kind::MariaDb] {
        for name in ["here", "there", "nameless"] {
            let real = certificates.start(kind, name);
            let url = |parameters: &str| server(&real, "root", parameters);
            assert_eq!(cipher(&url("?ssl-mode=DISABLED")).await, "");
            assert_ne!(cipher(&url("")).await, "");
            assert_ne!(cipher(&url("?ssl-mode=REQUIRED")).await, "");
            check_raw(&real, &ca, name, &strange).await;
            let verified = |mode: &'static str| {
                let server = url(&modes(mode));
                async move { connect(&server).await.map(|_| ()) }
            };
            let (by_ca, by_name) = (verified("VERIFY_CA").await, verified("VERIFY_IDENTITY").await);
            assert_eq!(by_ca.is_ok(), name != "nameless", "{kind:?} {name}: {by_ca:?}");
            assert_eq!(by_name.is_ok(), name == "here", "{kind:?} {name}: {by_name:?}");
            let other = format!("?ssl-ca={}", strange.display());
            for (name, error) in [
                ("no name", by_ca.err()),
                ("other name", by_name.err()),
                ("other authority", connect(&url(&other)).await.err()),
            ] {
                let unverified = matches!(error, None | Some(ConnectError::Unverified { .. }));
                assert!(unverified, "{name}: {error:?}");
            }
        }
    }
}

#[tokio::test]
async fn tls_that_a_server_does_not_have() {
    let found = connect_both(&server(mariadb(), "root", "?ssl-mode=REQUIRED")).await.unwrap_err();
    assert!(matches!(found, ConnectError::NoTls { mode: "REQUIRED", .. }), "{found:?}");
    assert_eq!(cipher(&server(mariadb(), "root", "?ssl-mode=PREFERRED")).await, "");
    server(mariadb(), "root", "?ssl-mode=PREFERRED").connect_raw().await.unwrap();
    let missing = "?ssl-ca=/no/such/file&ssl-mode=VERIFY_IDENTITY";
    let found = connect_both(&server(mysql(), "root", missing)).await.unwrap_err();
    assert!(matches!(found, ConnectError::File { .. }), "{found:?}");
}
