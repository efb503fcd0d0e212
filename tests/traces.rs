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

use crate::harness::keyspace::Keyspace;
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
#[derive(Debug, Clone, Copy, PartialEq)]
enum World {
    /// The embedded store and the engine's usual limits.
    Store,
    /// The embedded store event by event, and limits so small that every transaction comes in
    /// parts, and every one but the last is out of the log.
    Tiny,
    /// The scripted source, with the store's transactions as its script.
    Memory,
}

/// Runs one trace; returns the trace as it would have to be, and what was wrong.
async fn run(trace: &Trace, world: World) -> (Trace, Vec<String>) {
    let mut actual = trace.clone();
    let mut wrong = Vec::new();
    let mut keyspace =
        if world == World::Memory { Keyspace::mirrored().await } else { Keyspace::open().await };
    let mut config = EngineConfig::default();
    if world == World::Tiny {
        (config.part_bytes, config.log_bytes_max, config.catch_up_bytes_max) = (1, 1, 1);
    }
    let mut engine = None;
    let mut marks = Marks::new();
    let mut stream: Option<Result<Stream, String>> = None;
    let mut until = None;
    for step in trace.steps() {
        match step {
            // The scripted source ends its batches where it likes.
            Step::Config(name, _) if name == "copy_batch_bytes" && world == World::Memory => {
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
                let engine = engine.get_or_insert_with(|| {
                    let source = keyspace.source();
                    let single = || Arc::new(Single(source.clone()));
                    let source = if world == World::Tiny { single() } else { source.clone() };
                    stream::engine(config.clone(), source)
                });
                stream = Some(Stream::open(engine, &request, &marks).await);
            }
            Step::Until(line) => until = Some(line),
            Step::Expect(block) => {
                let stream = stream.as_mut().expect("a stream comes before what it shows");
                let target = keyspace.position().await;
                match shown(stream, &target, until.take()).await {
                    Ok(lines) => {
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

async fn run_all(world: World) {
    let only = std::env::var("TRACE").unwrap_or_default();
    let rewrite = std::env::var_os("UPDATE_EXPECTED").is_some() && world == World::Store;
    let mut failed = String::new();
    for trace in Trace::all(&folder()) {
        if !trace.name().contains(&only) {
            continue;
        }
        let (actual, wrong) = run(&trace, world).await;
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
