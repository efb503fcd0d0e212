//! What is told of streams while they run.

use std::num::NonZeroU32;
use std::task::Poll;

use super::*;
use crate::engine::Waiting;

#[tokio::test(start_paused = true)]
async fn a_copy_tells_how_far_it_is() {
    let (a, b) = (schema("a"), schema("b"));
    let mut script = Script::new(&[&a, &b]);
    for id in 0..300 {
        script.change(&[(if id < 100 { &a } else { &b }, None, Some(row(id, 0)))]);
    }
    script.source.set_faults(Faults { batch_min: 100, ..Faults::default() });
    let engine = script.engine(EngineConfig::default());
    let copy = request(&Start::Copy, vec![Rule::everything()]);
    let mut stream = engine.subscribe(copy.clone()).await.unwrap();
    let status = || engine.streams().first().and_then(|stream| stream.copy.clone()).unwrap();
    assert_eq!((status().rows, status().percent(), status().table), (0, None, None));
    let (mut seen, mut middle) = (Vec::new(), None);
    while let Ok(Some(batch)) = stream.next().await {
        let copy = status();
        let known = (copy.rows, copy.percent(), copy.table.as_deref().map(str::to_owned));
        if seen.last() != Some(&known) {
            seen.push(known);
        }
        if let Some(Event::Vgtid(position)) =
            batch.events.iter().find(|event| matches!(event, Event::Vgtid(_)))
            && copy.rows == 200
        {
            middle = Some(Position::clone(position));
        }
        if let [Event::CopyCompleted(_), ..] = *batch.events {
            break;
        }
        // Time in which the source tells how large its tables are.
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let expected = [
        (100, None, Some("a")),
        (100, None, None),
        (200, Some(66), Some("b")),
        (300, Some(99), Some("b")),
        (300, Some(100), None),
    ];
    let expected = expected.map(|(rows, percent, table): (_, _, Option<&str>)| {
        (rows, percent, table.map(str::to_owned))
    });
    assert_eq!(seen, expected);
    let done = engine.streams().remove(0);
    assert_eq!((done.phase, done.waiting), ("catch-up", None));
    // Whoever goes on in a table cannot know how much of it is left.
    let resumed = StreamRequest { position: middle.unwrap(), ..copy };
    drop(stream);
    let mut stream = engine.subscribe(resumed).await.unwrap();
    drain(&mut stream).await;
    assert_eq!((status().rows, status().percent()), (100, Some(100)));
}

#[tokio::test(start_paused = true)]
async fn lag_is_by_the_clock_on_the_wall() {
    let a = schema("a");
    let mut script = Script::new(&[&a]);
    let now = || SystemTime::UNIX_EPOCH + Duration::from_secs(1_100);
    let engine = script.engine(EngineConfig { now, ..EngineConfig::default() });
    let start = Start::After(crate::event::GtidSet::new());
    let mut stream = engine.subscribe(request(&start, vec![Rule::all("a")])).await.unwrap();
    let known = || engine.streams().first().map(|stream| (stream.lag, stream.waiting)).unwrap();
    assert_eq!(known(), (None, None));
    script.commit_at(1_040, MemoryWork::Rows(vec![]));
    drain(&mut stream).await;
    // Nothing has come since, and no server has said that there was nothing.
    assert_eq!(known(), (Some(60), Some(Waiting::Change)));
}

#[tokio::test(start_paused = true)]
async fn a_copy_keeps_to_its_rate() {
    let a = schema("a");
    let mut script = Script::new(&[&a]);
    for id in 0..1_000 {
        script.change(&[(&a, None, Some(row(id, 0)))]);
    }
    let check = async |rows_per_second_max: u32, seconds: u64| {
        let copy_rows_per_second_max = NonZeroU32::new(rows_per_second_max);
        let engine =
            script.engine(EngineConfig { copy_rows_per_second_max, ..EngineConfig::default() });
        let copy = request(&Start::Copy, vec![Rule::everything()]);
        let mut stream = engine.subscribe(copy).await.unwrap();
        let begun = tokio::time::Instant::now();
        let mut waits = 0;
        let mut rows = 0;
        while rows < 1_000 {
            let batch = match stream.try_next().unwrap() {
                Poll::Ready(batch) => batch,
                Poll::Pending => {
                    let rate = engine.streams()[0].waiting == Some(Waiting::Rate);
                    waits += u32::from(rate);
                    stream.next().await.unwrap()
                }
            };
            let of =
                |event: &Event| if let Event::Row(rows) = event { rows.range.len() } else { 0 };
            rows += batch.unwrap().events.iter().map(of).sum::<usize>();
        }
        assert_eq!(rows, 1_000);
        assert_eq!(begun.elapsed().as_secs(), seconds, "{rows_per_second_max} per second");
        assert_eq!(waits > 0, rows_per_second_max > 0);
    };
    check(0, 0).await;
    check(100, 9).await;
    check(7, 142).await;
    check(u32::MAX, 0).await;
}

/// A catch-up reader has a connection, of which there are few: who waits for a view needs none.
#[tokio::test(start_paused = true)]
async fn a_copy_that_waits_for_a_view_has_no_reader() {
    let a = schema("a");
    let mut script = Script::new(&[&a]);
    for id in 1..=3 {
        script.change(&[(&a, None, Some(row(id, 0)))]);
    }
    // Each row is of another view, and the log holds next to nothing.
    let config = EngineConfig {
        log_bytes_max: 1,
        copy_batch_bytes: 1,
        copy_snapshot_max_age: Duration::ZERO,
        ..EngineConfig::default()
    };
    script.source.set_faults(Faults { batch_max: 1, ..Faults::default() });
    let engine = script.engine(config);
    let mut stream =
        engine.subscribe(request(&Start::Copy, vec![Rule::everything()])).await.unwrap();
    let mut next = async || {
        let batch = stream.next().await.unwrap().unwrap();
        batch.events.iter().map(print).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(next().await, "B F:a V +(1,0) V{a} C");
    let mut change = |from: u32| {
        for v in from..from + 5 {
            script.change(&[(&a, Some(row(1, v)), Some(row(1, v + 1)))]);
        }
    };
    change(0);
    assert_eq!(next().await, "B *(1,1) V{a} C");
    change(5);
    tokio::time::sleep(Duration::from_secs(1)).await;
    while !next().await.contains("+(2,0)") {}
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(engine.usage().readers, 1);
    let delay_max = Duration::from_hours(100);
    script.source.set_faults(Faults { delay_max, ..Faults::default() });
    assert!(tokio::time::timeout(Duration::from_secs(60), next()).await.is_err());
    assert_eq!(engine.usage().readers, 0);
}
