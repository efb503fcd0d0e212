//! Runs every file of `tests/traces`, on every source and through every front end that there is.
//!
//! `UPDATE_EXPECTED=1` rewrites the expected lines by what the embedded store shows; a human reads
//! the difference. `TRACE=name` runs only the traces whose names contain that.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use vstreamd::engine::{Engine, EngineConfig};
use vstreamd::event::GtidSet;
use vstreamd::source::Source;

use crate::harness::keyspace::Keyspace;
use crate::harness::real::{self, Kind};
use crate::harness::rounds;
use crate::harness::server_keyspace::ServerKeyspace;
use crate::harness::single::Single;
use crate::harness::stream::{self, Marks, ShownRow, Stream, rebuild};
use crate::harness::through_door;
use crate::harness::trace::{Step, Trace};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/traces")
}

#[test]
fn traces_print_as_they_are_written() {
    let traces = Trace::all(&folder());
    assert!(!traces.is_empty());
    for trace in traces {
        let text = std::fs::read_to_string(&trace.path).unwrap();
        assert_eq!(trace.print(), text, "{}", trace.path.display());
        assert!(!trace.steps().is_empty());
    }
}

#[test]
fn compatibility_names_every_trace_and_no_other() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/compatibility.md");
    let text = std::fs::read_to_string(path).unwrap();
    let is_name = |name: &&str| {
        !name.is_empty()
            && name.bytes().all(|b| b.is_ascii_lowercase() || b"_0123456789".contains(&b))
    };
    let named: BTreeSet<_> = text.split('`').skip(1).step_by(2).filter(is_name).collect();
    let traces: Vec<_> = Trace::all(&folder().join("vitess")).iter().map(Trace::name).collect();
    let files: BTreeSet<_> = traces.iter().map(String::as_str).collect();
    assert_eq!(named, files);
}

/// Over what a trace is run.
#[derive(Clone, Copy)]
enum World<'a> {
    /// The embedded store and the engine's usual limits.
    Store,
    /// The embedded store event by event, and limits so small that every transaction comes in
    /// parts, and every one but the last is out of the log.
    Tiny,
    /// The scripted source, with the store's transactions as its script.
    Memory,
    /// A real server that no other test uses.
    Server {
        server: &'a real::Server,
        /// Traces whose statements it does not have.
        cannot: &'a [&'a str],
        /// Traces that end with an error that asks for names of columns in the log.
        refused: &'a [&'a str],
    },
}

impl World<'_> {
    fn config(self) -> EngineConfig {
        let mut config = EngineConfig::default();
        if matches!(self, World::Tiny) {
            (config.part_bytes, config.log_bytes_max, config.catch_up_bytes_max) = (1, 1, 1);
        }
        config
    }

    fn source(self, keyspace: &Ground) -> Arc<dyn Source> {
        let source = keyspace.source();
        if matches!(self, World::Tiny) { Arc::new(Single(source)) } else { source }
    }

    /// Lines without what a real server adds to the words it was given.
    fn in_plain_words(self, mut lines: Vec<String>) -> Vec<String> {
        if let World::Server { .. } = self {
            lines.iter_mut().for_each(|line| *line = in_plain_words(line));
        }
        lines
    }
}

/// A trace's keyspace.
enum Ground {
    Embedded(Keyspace),
    Server(ServerKeyspace),
}

impl Ground {
    async fn open(world: World<'_>) -> Self {
        match world {
            World::Store | World::Tiny => Self::Embedded(Keyspace::open().await),
            World::Memory => Self::Embedded(Keyspace::mirrored().await),
            World::Server { server, .. } => Self::Server(ServerKeyspace::open(server).await),
        }
    }

    async fn run(&mut self, texts: &str) -> Result<(), String> {
        match self {
            Self::Embedded(keyspace) => keyspace.run(texts).await,
            Self::Server(keyspace) => keyspace.run(texts).await,
        }
    }

    fn source(&self) -> Arc<dyn Source> {
        match self {
            Self::Embedded(keyspace) => keyspace.source(),
            Self::Server(keyspace) => keyspace.source(),
        }
    }

    async fn position(&self) -> GtidSet {
        self.source().position().await.unwrap()
    }

    /// Whether the source can be copied in the order of its keys.
    async fn sorts_keys(&self) -> bool {
        match self {
            Self::Embedded(keyspace) => keyspace.sorts_keys().await,
            Self::Server(_) => true,
        }
    }
}

/// Runs one trace; returns the trace as it would have to be, and what was wrong.
async fn run(trace: &Trace, world: World<'_>) -> (Trace, Vec<String>) {
    let mut actual = trace.clone();
    let mut wrong = Vec::new();
    let mut keyspace = Ground::open(world).await;
    let mut config = world.config();
    let mut engine = None;
    let mut marks = Marks::new();
    let mut stream: Option<Result<Stream, String>> = None;
    let mut until = None;
    for step in trace.steps() {
        match step {
            // The scripted source ends its batches where it likes.
            Step::Config(name, _)
                if name == "copy_batch_bytes" && matches!(world, World::Memory) =>
            {
                return (actual, wrong);
            }
            Step::Config(name, number) => stream::configure(&mut config, &name, number),
            Step::Apply(texts) => {
                if let Some(Ok(stream)) = &mut stream {
                    wrong.extend(stream.complete_copy().await.err());
                }
                wrong.extend(keyspace.run(&texts).await.err());
            }
            Step::Fails(text) => {
                if keyspace.run(&text).await.is_ok() {
                    wrong.push(format!("{text} did not fail"));
                }
            }
            Step::Mark(name) => {
                marks.insert(name, keyspace.position().await);
            }
            Step::Stream(_) if !keyspace.sorts_keys().await => return (actual, wrong),
            Step::Stream(request) => {
                let new = || stream::engine(config.clone(), world.source(&keyspace));
                let engine = engine.get_or_insert_with(new);
                stream = Some(Stream::open(engine, &request, &marks).await);
            }
            Step::Until(line) => until = Some(line),
            Step::Expect(block) => {
                let stream = stream.as_mut().expect("a stream comes before what it shows");
                let target = keyspace.position().await;
                match shown(stream, &target, until.take()).await {
                    Ok(lines) => {
                        let lines = world.in_plain_words(lines);
                        wrong.extend(difference(&trace.expected(block), &lines));
                        actual.set_expected(block, &lines);
                    }
                    Err(error) => {
                        wrong.push(error);
                        break;
                    }
                }
            }
            Step::Error(part) => {
                let stream = stream.as_mut().expect("a stream comes before its error");
                wrong.extend(lacks(stream, &part).await);
            }
        }
    }
    if let (Some(Ok(stream)), Some(engine), true) = (&stream, &engine, wrong.is_empty()) {
        wrong.extend(check_resume(engine, stream, &keyspace.position().await).await.err());
    }
    (actual, wrong)
}

/// What a stream shows next.
async fn shown(
    stream: &mut Result<Stream, String>,
    target: &GtidSet,
    until: Option<String>,
) -> Result<Vec<String>, String> {
    match (stream, until) {
        (Err(error), _) => Err(error.clone()),
        (Ok(stream), Some(line)) => stream.until(&line).await,
        (Ok(stream), None) => stream.settle(target).await,
    }
}

/// What real servers add are MariaDB's display widths, and how both log a DROP TABLE.
fn in_plain_words(line: &str) -> String {
    if let Some(names) = line.strip_prefix("DDL DROP TABLE ") {
        let names = names.trim_end_matches(" /* generated by server */");
        return format!("DDL drop table {}", names.replace('`', ""));
    }
    if !line.starts_with("FIELD ") {
        return line.to_owned();
    }
    let width = regex::Regex::new(r"\b((?:tiny|small|medium|big)?int|year)\(\d+\)").unwrap();
    width.replace_all(line, "$1").into_owned()
}

/// What is wrong with a stream's error, which must contain this text.
async fn lacks(stream: &mut Result<Stream, String>, part: &str) -> Option<String> {
    let error = match stream {
        Err(error) => error.clone(),
        Ok(stream) => stream.error().await,
    };
    (!error.contains(part)).then(|| format!("expected an error with {part:?}, got {error:?}"))
}

/// Goes on behind every row that a stream has shown: in follow comes what came, in copy at least
/// what makes the table right.
async fn check_resume(engine: &Engine, stream: &Stream, target: &GtidSet) -> Result<(), String> {
    if stream.has_limit() {
        return Ok(());
    }
    let all = stream.rows();
    for (index, row) in all.iter().enumerate() {
        let (before, behind) = all.split_at(index + 1);
        let place = |what: String| format!("resumed behind row {index} ({}): {what}", row.line);
        let mut again = stream.resume(engine, row).await.map_err(place)?;
        again.settle(target).await.map_err(place)?;
        let lines = |rows: &[ShownRow]| rows.iter().map(|row| row.line.clone()).collect::<Vec<_>>();
        if row.in_copy {
            let (first, second) = (rebuild(all), rebuild(before.iter().chain(again.rows())));
            if first != second {
                return Err(place(format!("the table is {second:?}, not {first:?}")));
            }
        } else if let Some(what) = difference(&lines(behind), &lines(again.rows())) {
            return Err(place(format!("\n{what}")));
        }
    }
    Ok(())
}

fn difference(expected: &[String], shown: &[String]) -> Option<String> {
    if expected == shown {
        return None;
    }
    let same = expected.iter().zip(shown).take_while(|(left, right)| left == right).count();
    let mut text = String::new();
    for line in &shown[..same] {
        writeln!(text, "    {line}").unwrap();
    }
    for line in &expected[same..] {
        writeln!(text, "  - {line}").unwrap();
    }
    for line in &shown[same..] {
        writeln!(text, "  + {line}").unwrap();
    }
    Some(text)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_embedded_store_shows_what_each_trace_expects() {
    run_all(World::Store).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_and_batches_are_invisible() {
    run_all(World::Tiny).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_scripted_source_shows_the_same() {
    run_all(World::Memory).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mysql_shows_the_same() {
    server_shows_the_same(Kind::MySql, &[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mariadb_shows_the_same() {
    // Its collations are utf8mb4_0900_ai_ci's elder brothers.
    server_shows_the_same(Kind::MariaDb, &["filter_collation", "text_key_order"]).await;
}

/// All but the traces that the server cannot run: with names of columns in its log, and without.
async fn server_shows_the_same(kind: Kind, cannot: &[&str]) {
    let full = real::start(kind, &["--binlog-row-metadata=FULL"]);
    run_all(World::Server { server: &full, cannot, refused: &[] }).await;
    if rounds(0, 1, 1) == 1 {
        let refused = REFUSED_WITHOUT_NAMES;
        run_all(World::Server { server: &real::start(kind, &[]), cannot, refused }).await;
    }
}

/// Traces that read the log behind a statement that changed the table later: without names of
/// columns in the log a stream refuses to guess.
const REFUSED_WITHOUT_NAMES: &[&str] =
    &["ddl_add_column_before_the_stream", "ddl_drop_column_before_the_stream", "table_made_again"];

async fn run_all(world: World<'_>) {
    let only = std::env::var("TRACE").unwrap_or_default();
    let rewrite = std::env::var_os("UPDATE_EXPECTED").is_some() && matches!(world, World::Store);
    let mut failed = String::new();
    let mut traces = Trace::all(&folder());
    if let World::Server { cannot, .. } = world {
        traces.retain(|trace| !cannot.contains(&&*trace.name()));
    }
    for trace in traces {
        if !trace.name().contains(&only) {
            continue;
        }
        let (actual, mut wrong) = run(&trace, world).await;
        if let World::Server { refused, .. } = world
            && refused.contains(&&*trace.name())
        {
            let is_refusal = |what: &String| what.contains("binlog_row_metadata = 'FULL'");
            wrong = match wrong.iter().any(is_refusal) {
                true => Vec::new(),
                false => vec![format!("it was not refused: {wrong:?}")],
            };
        }
        if !wrong.is_empty() {
            write!(failed, "\n{}\n{}\n", trace.path.display(), wrong.join("\n")).unwrap();
        }
        if rewrite {
            std::fs::write(&trace.path, actual.print()).unwrap();
        }
    }
    assert!(failed.is_empty(), "{failed}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mysql_clients_see_the_same_rows() {
    let only = std::env::var("TRACE").unwrap_or_default();
    let mut failed = String::new();
    for trace in Trace::all(&folder()) {
        if trace.name().contains(&only) && through_door::fits(&trace) {
            for wrong in through_door::run(&trace).await {
                writeln!(failed, "\n{}\n{wrong}", trace.path.display()).unwrap();
            }
        }
    }
    assert!(failed.is_empty(), "{failed}");
}
