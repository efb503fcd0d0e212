//! Start and end: what scripts rely on, and what people type wrong.

use std::time::Duration;

use mysql_async::prelude::Queryable;

use crate::harness::vstreamd::{PROGRAM, Vstreamd, argument, drain, run, serve};

#[tokio::test]
async fn sigterm_ends_streams_with_1053_and_exits_0() {
    let server = Vstreamd::start();
    let mut conn = server.connect_olap().await;
    let mut stream = conn.query_iter("VSTREAM * FROM commerce.product").await.expect("VSTREAM");
    stream.next().await.expect("the first row");
    server.signal("-TERM");
    let ended = loop {
        match stream.next().await {
            Ok(Some(_)) => {}
            ended => break ended,
        }
    };
    let error = ended.expect_err("an error is never shown as an end");
    assert!(error.to_string().contains("1053"), "{error}");
    let mut server = server;
    assert!(server.finish().success());
}

#[tokio::test]
async fn a_second_signal_ends_at_once() {
    let server = Vstreamd::start();
    // A client that reads nothing holds the drain up to its deadline.
    let _frozen = std::net::TcpStream::connect(server.address).expect("connect");
    server.signal("-INT");
    server.signal("-INT");
    let mut server = server;
    let ended = tokio::task::spawn_blocking(move || server.announce_and_finish());
    let status = tokio::time::timeout(Duration::from_secs(90), ended).await;
    assert!(status.expect("it ends").expect("it does not panic").success());
}

impl Vstreamd {
    fn announce_and_finish(&mut self) -> std::process::ExitStatus {
        self.announce("second signal");
        self.finish()
    }
}

#[tokio::test]
async fn a_restart_keeps_the_data() {
    let dir = tempfile::tempdir().expect("make a directory");
    let server = Vstreamd::start_in(dir.path());
    let mut conn = server.connect().await;
    conn.query_drop("INSERT INTO commerce.corder (customer_id, price) VALUES (1, 2)")
        .await
        .expect("insert");
    drop(conn);
    assert!(server.stop().success());
    let server = Vstreamd::start_in(dir.path());
    let rows: Vec<(i64, i64)> = server
        .connect()
        .await
        .query("SELECT customer_id, price FROM commerce.corder")
        .await
        .expect("select");
    assert_eq!(rows, [(1, 2)]);
}

#[test]
fn a_second_process_is_kept_out_of_the_store() {
    let dir = tempfile::tempdir().expect("make a directory");
    let first = Vstreamd::start_in(dir.path());
    let output = serve(dir.path()).output().expect("run vstreamd");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(stderr.contains(&first.pid().to_string()), "{stderr} names who has it");
}

#[test]
fn wrong_arguments_say_what_to_do() {
    let check = |arguments: &[&str], expected: &str| {
        let (status, _, stderr) = run(arguments);
        assert!(!status.success(), "{arguments:?}");
        assert!(stderr.contains(expected), "{arguments:?}: {stderr}");
    };
    check(&["serve", "--mysql-listen", "0.0.0.0:0"], "reachable from other machines");
    check(&["serve", "--mysql-listen", "localhost"], "write IP:PORT");
    check(&["serve", "--config", "/nonexistent.toml"], "/nonexistent.toml");
    check(&["serve", "--data-dir", "/dev/null"], "/dev/null");
    check(&["tail", "corder"], "write KEYSPACE.TABLE");
    check(&["tail", "commerce.corder", "--server", "127.0.0.1:1"], "127.0.0.1:1");
    check(&["sevre"], "serve");
}

#[test]
fn help_names_every_command() {
    let (status, stdout, _) = run(&["--help"]);
    assert!(status.success());
    for text in ["serve", "demo", "tail", "SET WORKLOAD=OLAP"] {
        assert!(stdout.contains(text), "{text} in {stdout}");
    }
}

#[tokio::test]
async fn tail_follows_and_says_how_to_go_on() {
    let server = Vstreamd::start();
    let address = server.address.to_string();
    let mut conn = server.connect().await;
    conn.query_drop("INSERT INTO commerce.corder VALUES (1, 2, NULL, 3)").await.expect("insert");
    let tail = |from: String, limit: &'static str| {
        let address = address.clone();
        tokio::task::spawn_blocking(move || {
            run(&[
                "tail",
                "commerce.corder",
                "--server",
                &address,
                "--from",
                &from,
                "--limit",
                limit,
            ])
        })
    };
    let (status, stdout, stderr) = tail("copy".to_owned(), "1").await.expect("tail runs");
    assert!(status.success(), "{stderr}");
    assert_eq!(stdout, "+ order_id=1 customer_id=2 sku=NULL price=3\n");
    let position = stderr.trim().rsplit(' ').next().expect("a position").to_owned();
    conn.query_drop("UPDATE commerce.corder SET price = 4").await.expect("update");
    let (_, stdout, _) = tail(position, "1").await.expect("tail runs");
    assert_eq!(stdout, "* order_id=1 customer_id=2 sku=NULL price=4\n");
}

#[test]
fn the_demo_shows_changes_and_ends() {
    let child = std::process::Command::new(PROGRAM)
        .args(["demo", "--mysql-listen", "127.0.0.1:0", "--seconds", "4", "--every", "50"])
        .stdout(std::process::Stdio::piped())
        .spawn();
    let mut child = child.expect("start the demo");
    let stdout = drain(child.stdout.take().expect("stdout is piped"));
    assert!(child.wait().expect("the demo ends").success());
    assert!(stdout.contains("mysql --quick -h 127.0.0.1 -P "), "{stdout}");
    assert!(stdout.lines().filter(|line| line.starts_with("+ order_id=")).count() > 2, "{stdout}");
}

#[tokio::test]
async fn a_configuration_file_is_used() {
    let dir = tempfile::tempdir().expect("make a directory");
    let path = dir.path().join("vstreamd.toml");
    std::fs::write(&path, "[limits]\nconnections_max = 1\n").expect("write the file");
    let path = argument(&path);
    let server = Vstreamd::start_with(&dir.path().join("data"), &["--config", &path]);
    let _first = server.connect().await;
    let options = mysql_async::Opts::from_url(&format!("mysql://root@{}", server.address));
    let second = mysql_async::Conn::new(options.expect("a URL")).await;
    let error = second.expect_err("one connection is the most").to_string();
    assert!(error.contains("1040"), "{error}");
}

#[tokio::test]
async fn tail_speaks_tls() {
    let dir = tempfile::tempdir().expect("make a directory");
    let config = dir.path().join("vstreamd.toml");
    std::fs::write(&config, "[tls]\nrequired = true\n").expect("write the configuration");
    let server = Vstreamd::start_with(dir.path(), &["--config", &argument(&config)]);
    let own = argument(&dir.path().join("server-cert.pem"));
    let port = server.address.port();
    let tail = |host: &str, more: &[&str]| {
        let address = format!("{host}:{port}");
        let common = ["tail", "commerce.product", "--limit", "1", "--server", &address];
        run(&[&common, more].concat())
    };
    let verified = ["--ssl-mode", "VERIFY_IDENTITY", "--ssl-ca", &own];
    for (host, more) in [
        ("127.0.0.1", &[][..]),
        ("127.0.0.1", &["--ssl-mode", "required"]),
        ("127.0.0.1", &verified),
        ("localhost", &verified),
        ("127.0.0.1", &["--ssl-ca", &own]),
    ] {
        let (status, stdout, stderr) = tail(host, more);
        assert!(status.success() && stdout.contains("SKU-1001"), "{host} {more:?}: {stderr}");
        assert_eq!(stderr.contains(" --ssl-ca "), more.contains(&"--ssl-ca"), "{stderr}");
    }
    for (more, expected) in [
        (&["--ssl-mode", "DISABLED"][..], "3159"),
        (&["--ssl-mode", "VERIFY_IDENTITY"], "certificate"),
        (&["--ssl-mode", "VERIFY_CA"], "needs ssl-ca"),
        (&["--ssl-mode", "on"], "write DISABLED"),
        (&["--ssl-ca", "/no/such/file"], "read /no/such/file"),
    ] {
        let (status, _, stderr) = tail("127.0.0.1", more);
        assert!(!status.success() && stderr.contains(expected), "{more:?}: {stderr}");
    }
    assert!(server.stop().success());
}
