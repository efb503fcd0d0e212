//! Events of real servers, cut and changed: errors or smaller results, never a panic.
//!
//! The corpus is written by `UPDATE_EXPECTED=1 cargo test --test tests real::decode::corpus`: one
//! event per line, the fields of its header and its body in hexadecimal digits.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::OnceLock;

use fastrand::Rng;
use mysql_async::Conn;
use vstreamd::source::mysql::decode::{
    Binding, DecodeError, Decoded, Decoder, Framing, RowsError, TRANSACTION_PAYLOAD,
};

use super::values::{self, Sample};
use super::{LogEvent, flavour, inner_events, log, run, session};
use crate::harness::real::{self, Kind};
use crate::harness::rounds;

fn path(kind: Kind) -> PathBuf {
    let name = match kind {
        Kind::MySql => "mysql",
        Kind::MariaDb => "mariadb",
    };
    let root = env!("CARGO_MANIFEST_DIR");
    PathBuf::from(format!("{root}/tests/real/decode/corpus/{name}.events"))
}

fn corpus(kind: Kind) -> &'static [LogEvent] {
    static CORPORA: [OnceLock<Vec<LogEvent>>; 2] = [OnceLock::new(), OnceLock::new()];
    let corpus = &CORPORA[usize::from(kind == Kind::MariaDb)];
    corpus.get_or_init(|| std::fs::read_to_string(path(kind)).unwrap().lines().map(read).collect())
}

fn read(line: &str) -> LogEvent {
    let fields: Vec<&str> = line.split(' ').collect();
    let number = |at: usize| fields[at].parse::<u32>().unwrap();
    let digits = fields[5].as_bytes().chunks(2);
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    LogEvent {
        kind: u8::try_from(number(0)).unwrap(),
        timestamp: number(1),
        server_id: number(2),
        log_pos: number(3),
        flags: u16::try_from(number(4)).unwrap(),
        body: digits.map(byte).collect(),
    }
}

fn written(event: &LogEvent) -> String {
    let LogEvent { kind, timestamp, server_id, log_pos, flags, body } = event;
    let mut line = format!("{kind} {timestamp} {server_id} {log_pos} {flags} ");
    body.iter().for_each(|byte| write!(line, "{byte:02x}").unwrap());
    line
}

/// Feeds an event and binds what asks for it, by what the log alone says. The events of a compressed
/// transaction are in the corpus behind it, as in a log.
fn push(decoder: &mut Decoder, event: &LogEvent) -> Result<Decoded, DecodeError> {
    if event.kind == TRANSACTION_PAYLOAD {
        return inner_events(event).map(|_| Decoded::Skip);
    }
    let said = decoder.push(event.raw())?;
    if let Decoded::TableMap { id, bound: false } = said {
        let schema = decoder.table_map(id).unwrap().schema(None);
        let binding = schema.map_or(Binding::Skip, |schema| Binding::Rows(schema.into()));
        // Rows of a table map whose binding was refused are an error themselves.
        let _ = decoder.bind(id, binding);
    }
    Ok(said)
}

/// Whether a result is no larger than what an event of that size can hold.
fn check_size(event: &LogEvent, said: &Result<Decoded, DecodeError>) {
    if let Ok(Decoded::Rows(rows)) = said {
        let bound = BYTES_PER_BYTE * event.body.len();
        assert!(rows.bytes() <= bound, "{} bytes of {event:02x?}", rows.bytes());
    }
}

async fn update(kind: Kind) {
    let server = real::start(kind, &["--binlog-row-metadata=FULL"]);
    let mut conn = session(&server).await;
    run(&mut conn, "CREATE DATABASE corpus CHARACTER SET utf8mb4").await;
    run(&mut conn, "USE corpus").await;
    let (first, last) = match kind {
        Kind::MySql => (MYSQL_FIRST, MYSQL_LAST),
        Kind::MariaDb => (MARIADB_FIRST, MARIADB_LAST),
    };
    run_all(&mut conn, first).await;
    let mut random = Rng::with_seed(9);
    for (name, samples) in values::tables(kind) {
        let columns: Vec<String> =
            samples.iter().enumerate().map(|(n, s)| format!("c{n} {}", s.definition)).collect();
        let create = format!("CREATE TABLE {name} (id int PRIMARY KEY, {})", columns.join(", "));
        run(&mut conn, &create).await;
        for image in ["FULL", "MINIMAL"] {
            run(&mut conn, &format!("SET binlog_row_image = {image}")).await;
            change_rows(&mut conn, name, &samples, &mut random).await;
        }
    }
    run_all(&mut conn, last).await;
    run_all(&mut conn, &["XA START 'g','b'", "INSERT INTO last (id) VALUES (2)"]).await;
    run_all(&mut conn, &["XA END 'g','b'", "XA PREPARE 'g','b'", "XA COMMIT 'g','b'"]).await;
    run(&mut conn, "FLUSH LOGS").await;
    let lines: String = chosen(&log(&server)).iter().map(|event| written(event) + "\n").collect();
    std::fs::create_dir_all(path(kind).parent().unwrap()).unwrap();
    std::fs::write(path(kind), lines).unwrap();
}

async fn run_all(conn: &mut Conn, statements: &[&str]) {
    for statement in statements {
        run(conn, statement).await;
    }
}

async fn change_rows(conn: &mut Conn, name: &str, samples: &[Sample], random: &mut Rng) {
    for change in ["INSERT INTO {t} SET id = 1", "UPDATE {t} SET id = id + 1"] {
        let mut statement = change.replace("{t}", name);
        for (n, sample) in samples.iter().enumerate() {
            if let Some(literal) = sample.literal {
                // What is long says no more than what is short.
                let value = Some(literal(random)).filter(|value| !value.contains("REPEAT"));
                write!(statement, ", c{n} = {}", value.as_deref().unwrap_or("NULL")).unwrap();
            }
        }
        run(conn, &statement).await;
    }
    run(conn, &format!("DELETE FROM {name}")).await;
}

/// Table maps once, rows of each table and all other kinds a few times each.
fn chosen(events: &[LogEvent]) -> Vec<&LogEvent> {
    let mut met: HashMap<(u8, &[u8]), usize> = HashMap::new();
    let mut chosen = Vec::new();
    for event in events {
        let (what, most) = match event.kind {
            19 => (&event.body[..], 1),
            23..=25 | 30..=32 | 39 | 166..=168 => (&event.body[..6], 3),
            _ => (&[][..], 4),
        };
        let count = met.entry((event.kind, what)).or_default();
        *count += 1;
        if *count <= most && event.body.len() <= EVENT_BYTES_MAX {
            chosen.push(event);
        }
    }
    chosen
}

#[tokio::test]
async fn the_corpus_is_read_as_it_was_written() {
    for kind in [Kind::MySql, Kind::MariaDb] {
        if std::env::var_os("UPDATE_EXPECTED").is_some() {
            update(kind).await;
        }
        let mut decoder = Decoder::new(flavour(kind));
        let mut rows = 0;
        for event in corpus(kind) {
            match push(&mut decoder, event) {
                Ok(Decoded::Rows(event)) => rows += event.len(),
                Ok(_) => {}
                // MINIMAL images of documents that are logged as their changes.
                Err(DecodeError::Rows(RowsError::PartialJson { .. })) => {}
                Err(error) => panic!("{error:?} in {event:02x?}"),
            }
        }
        assert!(rows > 30, "{rows} rows of {kind:?}");
    }
}

#[test]
fn events_that_end_early() {
    for kind in [Kind::MySql, Kind::MariaDb] {
        let mut decoder = Decoder::new(flavour(kind));
        for event in corpus(kind) {
            let mut short = event.clone();
            let is_format = event.kind == 15;
            for length in (0..event.body.len()).filter(|_| !is_format) {
                short.body.truncate(0);
                short.body.extend_from_slice(&event.body[..length]);
                let said = push(&mut decoder, &short);
                check_size(&short, &said);
            }
            let whole = push(&mut decoder, event);
            assert!(
                matches!(whole, Ok(_) | Err(DecodeError::Rows(RowsError::PartialJson { .. }))),
                "{whole:?}"
            );
        }
    }
}

/// Which event of the corpus, the bytes to be changed, and where to cut.
type Change = (u16, Vec<(u16, u8)>, Option<u16>);

fn changed(event: &LogEvent, changes: &[(u16, u8)], cut: Option<u16>) -> LogEvent {
    let mut event = event.clone();
    for &(at, byte) in changes {
        let length = event.body.len().max(1);
        if let Some(place) = event.body.get_mut(usize::from(at) % length) {
            *place = byte;
        }
    }
    if let Some(cut) = cut {
        event.body.truncate(usize::from(cut));
    }
    event
}

/// Feeds a changed event with the table map before it, and the events behind it.
fn check_changed(kind: Kind, (which, changes, cut): &Change) {
    let corpus = corpus(kind);
    let at = usize::from(*which) % corpus.len();
    let map = corpus[..at].iter().rposition(|event| event.kind == 19);
    let mut decoder = Decoder::new(flavour(kind));
    if let Some(map) = map {
        push(&mut decoder, &corpus[map]).unwrap();
    }
    let event = changed(&corpus[at], changes, *cut);
    check_size(&event, &push(&mut decoder, &event));
    for event in corpus[at + 1..].iter().take(2) {
        check_size(event, &push(&mut decoder, event));
    }
}

#[test]
fn changed_events() {
    bolero::check!()
        .with_iterations(rounds(20_000, 300_000, 10_000_000))
        .with_type::<(bool, Change)>()
        .for_each(|(mariadb, change)| {
            check_changed(if *mariadb { Kind::MariaDb } else { Kind::MySql }, change);
        });
}

#[test]
fn random_events() {
    bolero::check!()
        .with_iterations(rounds(20_000, 300_000, 10_000_000))
        .with_type::<(bool, u8, u16, Vec<u8>)>()
        .for_each(|(mariadb, kind, flags, body)| {
            let flavour = flavour(if *mariadb { Kind::MariaDb } else { Kind::MySql });
            let event = LogEvent {
                timestamp: 0,
                kind: *kind,
                server_id: 1,
                log_pos: 0,
                flags: *flags,
                body: body.clone(),
            };
            check_size(&event, &push(&mut Decoder::new(flavour), &event));
        });
}

/// Whether a description comes first, and says that there are checksums; which event of the corpus,
/// and what is changed of its bytes.
type Framed = (Option<bool>, Change);

/// An event as a server sends it.
fn framed(event: &LogEvent, has_checksums: bool) -> Vec<u8> {
    let is_description = event.kind == DESCRIPTION;
    let mut body = event.body.clone();
    body.extend(is_description.then_some(u8::from(has_checksums)));
    let checksum_bytes = if is_description || has_checksums { 4 } else { 0 };
    let length = u32::try_from(19 + body.len() + checksum_bytes).unwrap();
    let mut bytes = event.timestamp.to_le_bytes().to_vec();
    bytes.push(event.kind);
    for field in [event.server_id, length, event.log_pos] {
        bytes.extend_from_slice(&field.to_le_bytes());
    }
    bytes.extend_from_slice(&event.flags.to_le_bytes());
    bytes.extend_from_slice(&body);
    let mut covered = bytes.clone();
    if is_description {
        // The flag of a file that is still written to.
        covered[17] &= !1;
    }
    let mut checksum = flate2::Crc::new();
    checksum.update(&covered);
    bytes.extend_from_slice(&checksum.sum().to_le_bytes()[..checksum_bytes]);
    bytes
}

fn check_framed(kind: Kind, events: &[Framed]) {
    let corpus = corpus(kind);
    let (mut framing, mut has_checksums) = (Framing::default(), false);
    let description = corpus.iter().find(|event| event.kind == DESCRIPTION).unwrap();
    for (described, (which, changes, cut)) in events.iter().take(8) {
        if let Some(checksums) = *described {
            let framed = framed(description, checksums);
            assert_eq!(framing.event(&framed), Ok(description.raw()));
            has_checksums = checksums;
        }
        let event = &corpus[usize::from(*which) % corpus.len()];
        let whole = framed(event, has_checksums);
        let mut bytes = whole.clone();
        for &(at, byte) in changes {
            let at = usize::from(at) % bytes.len();
            bytes[at] = byte;
        }
        bytes.truncate(cut.map_or(bytes.len(), usize::from));
        let said = framing.event(&bytes);
        if bytes == whole {
            assert_eq!(said, Ok(event.raw()));
        } else if bytes.get(4) == Some(&DESCRIPTION) {
            // Who knows what it says of the events behind it.
            return;
        } else if let Ok(said) = said {
            assert!(!has_checksums, "{bytes:02x?} is {said:02x?}");
            assert_eq!(said.body, &bytes[19..]);
        }
    }
}

#[test]
fn changed_frames() {
    bolero::check!()
        .with_iterations(rounds(20_000, 300_000, 3_000_000))
        .with_type::<(bool, Vec<Framed>)>()
        .for_each(|(mariadb, events)| {
            check_framed(if *mariadb { Kind::MariaDb } else { Kind::MySql }, events);
        });
}

const DESCRIPTION: u8 = 15;
/// The longest event of the corpus.
const EVENT_BYTES_MAX: usize = 4096;
/// The most that a byte of an event comes to: one that says that none of 4,096 columns is there, or
/// the index of a long member of an ENUM; compressed ones are multiplied by what they inflate to.
const BYTES_PER_BYTE: usize = 8192;

const MYSQL_FIRST: &[&str] =
    &["SET binlog_row_value_options = PARTIAL_JSON", "SET binlog_rows_query_log_events = ON"];
const MARIADB_FIRST: &[&str] =
    &["SET gtid_domain_id = 3", "SET GLOBAL log_bin_compress_min_len = 10"];
/// Changes of documents, a tag, a compressed transaction.
const MYSQL_LAST: &[&str] = &[
    "SET binlog_row_image = FULL",
    r#"INSERT INTO own SET id = 1, c0 = '{"a": [1, {"b": "text"}], "k k": 1.5}'"#,
    r#"UPDATE own SET c0 = JSON_SET(c0, '$.a[1].b', 'x', '$."k k"', 2)"#,
    "UPDATE own SET c0 = JSON_REMOVE(c0, '$.a[0]')",
    "SET gtid_next = 'AUTOMATIC:some_tag'",
    "CREATE TABLE last (id int)",
    "SET gtid_next = 'AUTOMATIC'",
    "SET binlog_transaction_compression = ON",
    "INSERT INTO last VALUES (1)",
];
const MARIADB_LAST: &[&str] = &[
    "CREATE TABLE last (id int, t text)",
    "SET GLOBAL log_bin_compress = ON",
    "INSERT INTO last VALUES (1, 'a text of some length'), (2, 'another one')",
    "UPDATE last SET t = 'a third one, which is as long'",
    "DELETE FROM last",
    "CREATE TABLE a_statement_of_some_length (id int)",
    "SET GLOBAL log_bin_compress = OFF",
];
