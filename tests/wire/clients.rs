//! The door as stock clients see it: the `mariadb` command-line client, and mysql_async.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, OptsBuilder, Row};
use vstreamd::frontend::mysql::{Account, DoorConfig};

use super::streams::Fixture;
use super::{check_alive, wait_for_connections};
use crate::harness::door::{OpenDoor, account};
use crate::harness::raw::{Login, Raw, texts};
use crate::harness::real::{self, Kind};

/// The client, with its output in pipes.
fn mariadb(address: SocketAddr, arguments: &[&str]) -> Child {
    start(Command::new(real::client(Kind::MariaDb)), address, arguments)
}

/// The same, with its output line by line: in a pipe the client holds it back.
pub(super) fn mariadb_by_lines(address: SocketAddr, arguments: &[&str]) -> Child {
    let mut program = Command::new("stdbuf");
    program.arg("-oL").arg(real::client(Kind::MariaDb));
    start(program, address, arguments)
}

/// Starts a program that is the client, or runs it. The client's configuration files stay out of it.
fn start(mut program: Command, address: SocketAddr, arguments: &[&str]) -> Child {
    program
        .arg("--no-defaults")
        .args(["--host=127.0.0.1", "--protocol=tcp", &format!("--port={}", address.port())])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("start the mariadb client")
}

/// Runs the client to its end: what it printed, and what it complained about.
async fn run(address: SocketAddr, arguments: &[&str]) -> (String, String) {
    ended(mariadb(address, arguments)).await
}

/// The same of one that runs already.
async fn ended(child: Child) -> (String, String) {
    let output = tokio::task::spawn_blocking(move || child.wait_with_output());
    let output = output.await.unwrap().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (text(output.stdout), text(output.stderr))
}

#[tokio::test(flavor = "multi_thread")]
async fn mariadb_logs_in_by_both_plugins() {
    let native = "14E65567ABDB5135D0CFD9A70B3032C179A49EE7";
    for account_of_bob in
        [Account::of_password("secret"), Account::of_verifiers(None, Some(native)).unwrap()]
    {
        let accounts = account("bob", account_of_bob);
        let door = OpenDoor::with(DoorConfig::default(), accounts).await;
        let text = "select user()";
        let printed = run(door.address, &["-ubob", "-psecret", "-N", "-e", text]).await;
        assert_eq!(printed, ("bob@127.0.0.1\n".to_owned(), String::new()));
        let (_, complaint) = run(door.address, &["-ubob", "-pwrong", "-e", text]).await;
        assert!(complaint.starts_with("ERROR 1045 (28000): Access denied"), "{complaint}");
        door.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn mariadb_logs_in_without_its_plugins() {
    let nothing = tempfile::TempDir::new().unwrap();
    let run = async |door: &OpenDoor, password: &str| {
        let mut program = Command::new(real::client(Kind::MariaDb));
        program.env("MARIADB_PLUGIN_DIR", nothing.path());
        let arguments = ["-ubob", password, "-N", "-e", "select user()"];
        ended(start(program, door.address, &arguments)).await
    };
    let anybody = OpenDoor::scripted().await;
    let users = account("bob", Account::of_password("secret"));
    let users = OpenDoor::with(DoorConfig::default(), users).await;
    for (door, password) in [(&anybody, "--password="), (&users, "--password=secret")] {
        let printed = run(door, password).await;
        assert_eq!(printed, ("bob@127.0.0.1\n".to_owned(), String::new()));
    }
    let (_, complaint) = run(&users, "--password=wrong").await;
    assert!(complaint.starts_with("ERROR 1045 (28000)"), "{complaint}");
    anybody.close().await;
    users.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mariadb_prints_results() {
    let door = OpenDoor::scripted().await;
    let run = |arguments: &'static [&'static str]| run(door.address, arguments);
    let version = run(&["-uann", "-N", "-e", "select @@version_comment limit 1"]).await;
    assert_eq!(version.0, "vstreamd\n");
    let several = run(&["-uann", "-N", "-e", "select rows 1 1; insert 1; select rows 2 2"]).await;
    assert_eq!(several.0, "x\nxx\nxx\n");
    let status = run(&["-uann", "commerce", "-e", "status"]).await;
    assert!(status.0.contains("8.0.30-Vitess"), "{status:?}");
    assert!(status.0.contains("Uptime:"), "{status:?}");
    let missing = run(&["-uann", "nowhere", "-e", "select 1"]).await;
    assert_eq!(missing.1, "ERROR 1049 (42000): Unknown database 'nowhere'\n");
    let large = run(&["-uann", "-N", "--max-allowed-packet=1G", "-e", "select rows 2 20000000"]);
    assert_eq!(large.await.0.len(), 40_000_002);
    door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mariadb_shows_a_stream_row_by_row() {
    let mut fixture = Fixture::new().await;
    fixture.change(None, Some(&["1", "a"]));
    let text = "set workload = olap; vstream * from commerce.corder\\G";
    let mut child = mariadb_by_lines(fixture.door.address, &["--quick"]);
    writeln!(child.stdin.take().unwrap(), "{text}").unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut row = move || lines.by_ref().take(4).collect::<Result<Vec<_>, _>>().unwrap().join("\n");
    let expected = |number: u32, op: &str, sku: &str| {
        let stars = "*".repeat(27);
        format!("{stars} {number}. row {stars}\n op: {op}\n id: 1\nsku: {sku}")
    };
    // Each row is there before the next change is made.
    assert_eq!(tokio::task::block_in_place(&mut row), expected(1, "+", "a"));
    fixture.change(Some(&["1", "a"]), Some(&["1", "b"]));
    assert_eq!(tokio::task::block_in_place(&mut row), expected(2, "*", "b"));
    fixture.change(Some(&["1", "b"]), None);
    assert_eq!(tokio::task::block_in_place(&mut row), expected(3, "-", "b"));
    fixture.door.close().await;
    let output = tokio::task::spawn_blocking(move || child.wait_with_output());
    let complaint = String::from_utf8(output.await.unwrap().unwrap().stderr).unwrap();
    assert!(complaint.contains("ERROR 1053 (08S01)"), "{complaint}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_mariadb_frees_its_stream() {
    let mut fixture = Fixture::new().await;
    fixture.insert(0..1);
    let text = "set workload = olap; vstream * from commerce.corder";
    let mut child = mariadb(fixture.door.address, &["-uann", "--quick", "-e", text]);
    let mut watcher = fixture.client().await;
    while texts(&watcher.query("show vstreams").await).is_empty() {
        tokio::task::yield_now().await;
    }
    child.kill().unwrap();
    child.wait().unwrap();
    wait_for_connections(&mut watcher, 1).await;
    assert!(texts(&watcher.query("show vstreams").await).is_empty());
    fixture.door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_mariadb_goes_on() {
    let mut fixture = Fixture::new().await;
    fixture.insert(0..1);
    let mut child =
        mariadb(fixture.door.address, &["-uann", "--quick", "--unbuffered", "--force", "-N"]);
    let mut stdin = child.stdin.take().unwrap();
    writeln!(stdin, "set workload = olap; vstream * from commerce.corder;").unwrap();
    let mut watcher = fixture.client().await;
    while texts(&watcher.query("show vstreams").await).is_empty() {
        tokio::task::yield_now().await;
    }
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    writeln!(stdin, "select rows 1 3;").unwrap();
    drop(stdin);
    let printed = tokio::task::spawn_blocking(move || {
        let mut lines = Vec::new();
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            lines.push(line.unwrap());
        }
        let mut complaint = String::new();
        child.stderr.take().unwrap().read_to_string(&mut complaint).unwrap();
        child.wait().unwrap();
        (lines, complaint)
    });
    let (lines, complaint) = printed.await.unwrap();
    assert!(complaint.contains("ERROR 1317 (70100)"), "{complaint}");
    assert_eq!(lines.last().map(String::as_str), Some("xxx"), "{lines:?}");
    fixture.door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mysql_async_logs_in_and_streams() {
    let mut fixture = Fixture::new().await;
    fixture.insert(0..3);
    let options = OptsBuilder::default()
        .ip_or_hostname("127.0.0.1")
        .tcp_port(fixture.door.address.port())
        .user(Some("ann"))
        .db_name(Some("commerce"));
    let mut connection = Conn::new(options).await.unwrap();
    connection.query_drop("set workload = olap").await.unwrap();
    let rows: Vec<(String, u32, String)> =
        connection.query("vstream * from corder limit 3").await.unwrap();
    assert_eq!(rows[2], ("+".to_owned(), 2, "sku".to_owned()));
    let row: Row =
        connection.query_first("vstream id, _ts, _pos from corder limit 1").await.unwrap().unwrap();
    assert_eq!(&*row.columns_ref()[0].name_str(), "op");
    assert_eq!(&*row.columns_ref()[1].schema_str(), "commerce");
    connection.query_drop("nonsense").await.unwrap_err();
    connection.ping().await.unwrap();
    connection.reset().await.unwrap();
    connection.disconnect().await.unwrap();
    let mut raw = Raw::login(fixture.door.address, &Login::default()).await;
    check_alive(&mut raw).await;
    fixture.door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mysql_async_logs_in_with_a_password() {
    let accounts = account("bob", Account::of_password("secret"));
    let door = OpenDoor::with(DoorConfig::default(), accounts).await;
    let options = |password| {
        OptsBuilder::default()
            .ip_or_hostname("127.0.0.1")
            .tcp_port(door.address.port())
            .user(Some("bob"))
            .pass(Some(password))
    };
    let mut connection = Conn::new(options("secret")).await.unwrap();
    let cell: Option<String> = connection.query_first("select rows 1 3").await.unwrap();
    assert_eq!(cell.as_deref(), Some("xxx"));
    connection.disconnect().await.unwrap();
    Conn::new(options("wrong")).await.unwrap_err();
    door.close().await;
}
