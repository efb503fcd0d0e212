//! Rows per CPU time, side by side with MariaDB.

use super::compare::{Comparison, Side, compare};
use super::figures::{SystemCalls, aim};
use super::servers::{LoggedRows, TABLE, Vstreamd, fill};

/// Rows that are already in the shared log, as every follower gets them, against a SELECT: as texts
/// and, of a prepared statement, binary.
pub fn encoder() {
    let server = Vstreamd::start("log_bytes_max = 268435456");
    let logged = LoggedRows::new(|| server.client(), &[(ENCODER_ROWS, 1000)]);
    let mut theirs = Side::mariadb("encoder", ENCODER_ROWS, 5);
    let mut ours = Side::vstreamd(&server, logged.statement(ENCODER_ROWS), 10);
    for form in ["text", "binary"] {
        println!("  {form} rows");
        if form == "binary" {
            ours.prepare();
            theirs.prepare();
        }
        let compared = compare(&mut ours, &mut theirs, ENCODER_ROWS);
        let cpu = compared.theirs.cpu.median / compared.ours.cpu.median;
        let figure = format!("mariadbd's CPU over ours, {form} rows");
        aim(&figure, cpu, "times", cpu >= 4.0, "at least 4");
        let wall = compared.speed.median;
        println!("mariadbd's wall time over ours, {form} rows: {wall:.2} times");
        system_calls(&mut ours, form);
    }
}

/// How often a busy stream asks something of the system.
fn system_calls(side: &mut Side, form: &str) {
    let counter = SystemCalls::of(side.pid);
    let received = side.client.received;
    for _ in 0..side.repeats {
        assert_eq!(side.client.count(&side.query), ENCODER_ROWS);
    }
    let bytes = side.client.received - received;
    let calls = counter.finish() as f64;
    let millions = (ENCODER_ROWS * u64::from(side.repeats)) as f64 / 1e6;
    println!("  {:.0} system calls per M rows", calls / millions);
    let each = calls / (bytes as f64 / f64::from(1 << 16));
    let figure = format!("system calls per 64 KiB, {form} rows");
    aim(&figure, each, "", each <= 1.0, "at most 1");
}

/// A copy of the whole table against a SELECT of it.
pub fn copy() {
    let server = Vstreamd::start("");
    let mut writer = server.client();
    writer.run(TABLE);
    fill(&mut writer, 1, COPY_ROWS, 1000);
    let mut theirs = Side::mariadb("copied", COPY_ROWS, 1);
    let statement = format!("VSTREAM * FROM bench WHERE pos > '' LIMIT {COPY_ROWS}");
    let mut ours = Side::vstreamd(&server, statement, 1);
    let Comparison { ours, theirs, speed } = compare(&mut ours, &mut theirs, COPY_ROWS);
    let speed = speed.median;
    aim("our rows per second over mariadbd's", speed, "times", speed >= 0.8, "at least 0.8");
    println!("mariadbd's CPU over ours: {:.2} times", theirs.cpu.median / ours.cpu.median);
}

const ENCODER_ROWS: u64 = 300_000;
const COPY_ROWS: u64 = 1_000_000;
