//! Logins: TLS, passwords that are shown and those that are only proven, and a change of user.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use vstreamd::frontend::mysql::{Account, Accounts, DoorConfig, Salted};

use crate::harness::door::{OpenDoor, certificate};
use crate::harness::raw::{Answer, Login, Raw, framed, texts};
use crate::harness::real;

/// A door for bob, whose password `secret` must be shown once, and ann, whose is `other`.
async fn door(config: DoorConfig) -> OpenDoor {
    let salted = Salted::of_password(b"secret").unwrap().to_string();
    let bob = Account::of_verifiers(Some(&salted), None).unwrap();
    let users = [("bob".to_owned(), bob), ("ann".to_owned(), Account::of_password("other"))];
    OpenDoor::with(config, Accounts::Users(users.into())).await
}

fn bob(password: &str) -> Login<'_> {
    Login { user: "bob", password, ..Login::default() }
}

fn is_denied(answer: &Answer) -> bool {
    matches!(answer, Answer::Err { code: 1045, .. })
}

#[tokio::test]
async fn a_salted_password_is_shown_once_and_then_proven() {
    let door = door(DoorConfig::default()).await;
    for password in ["wrong", "Secret", "secret\0x"] {
        assert!(is_denied(&Raw::try_login(door.address, &bob(password)).await.1), "{password}");
    }
    let mut first = Raw::connect(door.address).await;
    let payload = first.login_payload(&bob("secret"));
    first.write(&payload).await;
    assert_eq!(first.read().await.unwrap(), [1, 4], "nobody has shown this password yet");
    drop(first);
    Raw::login(door.address, &bob("secret")).await;
    let mut second = Raw::connect(door.address).await;
    let payload = second.login_payload(&bob("secret"));
    second.write(&payload).await;
    assert_eq!(second.read().await.unwrap(), [1, 3], "its digest is known by now");
    assert!(is_denied(&Raw::try_login(door.address, &bob("wrong")).await.1));
    door.close().await;
}

#[tokio::test]
async fn what_is_not_encrypted_by_the_key_is_no_password() {
    let door = door(DoorConfig::default()).await;
    for answer in [&b"secret\0"[..], b"", &[7; 256], &[2, 2]] {
        let mut raw = Raw::connect(door.address).await;
        let payload = raw.login_payload(&bob("secret"));
        raw.write(&payload).await;
        assert_eq!(raw.read().await.unwrap(), [1, 4]);
        raw.write(answer).await;
        let packet = raw.read().await.unwrap();
        assert_eq!(packet[..3], [0xff, 0x15, 0x04], "{answer:?}");
    }
    door.close().await;
}

#[tokio::test]
async fn a_client_becomes_somebody_else() {
    let door = door(DoorConfig::default()).await;
    let mut raw = Raw::login(door.address, &Login { database: "commerce", ..bob("secret") }).await;
    raw.query("set workload = olap").await;
    let answer = raw.change_user(&Login { user: "ann", password: "other", ..bob("") }).await;
    assert!(matches!(answer, Answer::Ok { .. }), "{answer:?}");
    let user = raw.query("select user()").await;
    assert_eq!(texts(&user), ["ann@127.0.0.1"]);
    let workload = raw.query("show variables where variable_name = 'workload' and value = 'OLTP'");
    assert_eq!(texts(&workload.await), ["workload OLTP"], "nothing is left of the session");
    let nowhere = Login { user: "ann", password: "other", database: "nowhere", ..bob("") };
    assert!(matches!(raw.change_user(&nowhere).await, Answer::Err { code: 1049, .. }));
    let mut raw = Raw::login(door.address, &bob("secret")).await;
    let answer = raw.change_user(&Login { user: "ann", password: "wrong", ..bob("") }).await;
    assert!(is_denied(&answer), "{answer:?}");
    assert!(raw.read().await.is_none(), "the connection is gone");
    door.close().await;
}

#[tokio::test]
async fn connections_in_the_clear_are_refused_where_tls_is_required() {
    let config = DoorConfig { tls_required: true, ..DoorConfig::default() };
    let door = door(config).await;
    let (_, answer) = Raw::try_login(door.address, &bob("secret")).await;
    assert!(matches!(answer, Answer::Err { code: 3159, .. }), "{answer:?}");
    door.close().await;
}

/// A connection that says SSLRequest and the TLS hello in one write.
pub(super) fn under_tls(
    address: SocketAddr,
) -> rustls::StreamOwned<rustls::ClientConnection, std::net::TcpStream> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(certificate()).unwrap()).unwrap();
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    let mut tls = rustls::ClientConnection::new(Arc::new(config), name).unwrap();
    let mut socket = std::net::TcpStream::connect(address).unwrap();
    socket.set_read_timeout(Some(crate::harness::raw::PATIENCE)).unwrap();
    let mut header = [0; 4];
    socket.read_exact(&mut header).unwrap();
    let mut greeting = vec![0; usize::from(header[0])];
    socket.read_exact(&mut greeting).unwrap();

    let mut hello = framed(1, &ssl_request());
    tls.write_tls(&mut hello).unwrap();
    socket.write_all(&hello).unwrap();
    rustls::StreamOwned::new(tls, socket)
}

/// The first half of a login packet, under TLS and before it.
pub(super) fn ssl_request() -> Vec<u8> {
    let flags = 0x0008_8a00_u32 | 0x0100_0000;
    let mut request = flags.to_le_bytes().to_vec();
    request.extend_from_slice(&[0, 0, 0, 1, 45]);
    request.resize(32, 0);
    request
}

/// Logs in as bob, who must show the password; the server's last word.
fn log_in_under_tls(address: SocketAddr) -> Vec<u8> {
    let mut stream = under_tls(address);
    let mut login = ssl_request();
    login.extend_from_slice(b"bob\0\x01xcaching_sha2_password\0");
    stream.write_all(&framed(2, &login)).unwrap();
    let mut answer = [0; 6];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(answer, [2, 0, 0, 3, 1, 4], "the password is to be shown");
    stream.write_all(&framed(4, b"secret\0")).unwrap();
    let mut header = [0; 4];
    stream.read_exact(&mut header).unwrap();
    let mut answer = vec![0; usize::from(header[0])];
    stream.read_exact(&mut answer).unwrap();
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_may_begin_right_behind_its_request() {
    let config = DoorConfig { tls_required: true, ..DoorConfig::default() };
    let door = door(config).await;
    let address = door.address;
    let answer = tokio::task::spawn_blocking(move || log_in_under_tls(address)).await.unwrap();
    assert_eq!(answer[0], 0, "{answer:?}");
    door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_behind_a_login_under_tls_are_answered() {
    let door = OpenDoor::scripted().await;
    let address = door.address;
    let answers = tokio::task::spawn_blocking(move || {
        let mut stream = under_tls(address);
        let login = [&ssl_request()[..], b"ann\0\0caching_sha2_password\0"].concat();
        let mut bytes = framed(2, &login);
        bytes.extend(framed(0, b"\x03insert 1"));
        bytes.extend(framed(0, b"\x02nowhere"));
        bytes.extend(framed(0, &[0x0e]));
        bytes.extend(framed(0, &[0x01]));
        stream.write_all(&bytes).unwrap();
        let mut answers = Vec::new();
        // The server's end may be no TLS alert.
        let _ = stream.read_to_end(&mut answers);
        answers
    });
    let answers = answers.await.unwrap();
    let (mut heads, mut rest) = (Vec::new(), &answers[..]);
    while let [a, b, 0, sequence, kind, ..] = *rest {
        heads.push((sequence, kind));
        rest = &rest[4 + usize::from(u16::from_le_bytes([a, b]))..];
    }
    assert_eq!(heads, [(3, 0), (1, 0), (1, 0xff), (1, 0)], "{answers:?}");
    door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mysql_logs_in_under_tls_and_by_the_rsa_key() {
    let mysql = real::client(real::Kind::MySql);
    let run = |address: SocketAddr, arguments: &[&str]| {
        let mut command = std::process::Command::new(&mysql);
        command.args(["--no-defaults", "--host=127.0.0.1", "--protocol=tcp", "-ubob"]);
        command.arg(format!("--port={}", address.port())).args(arguments);
        let text = "select user(); show status like 'ssl_version'";
        command.args(["-N", "-e", text]);
        let output = tokio::task::block_in_place(|| command.output().unwrap());
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (text(output.stdout), text(output.stderr))
    };
    let clear = "bob@127.0.0.1\nSsl_version\t\n";
    let tls = "bob@127.0.0.1\nSsl_version\tTLSv1.3\n";
    for (arguments, expected, complaint) in [
        (&["-psecret", "--ssl-mode=REQUIRED"][..], tls, ""),
        (&["-pwrong", "--ssl-mode=REQUIRED"], "", "ERROR 1045 (28000)"),
        (&["-psecret", "--ssl-mode=DISABLED", "--get-server-public-key"], clear, ""),
        (&["-psecret", "--ssl-mode=DISABLED"], "", "ERROR 2061 (HY000)"),
    ] {
        // A fresh door each time: a password that was shown once need not be shown again.
        let door = door(DoorConfig::default()).await;
        let (printed, complained) = run(door.address, arguments);
        assert_eq!(printed, expected, "{arguments:?} {complained}");
        assert!(complained.contains(complaint), "{arguments:?} {complained}");
        door.close().await;
    }
}
