//! How far a copy is, on the last line of the terminal: drawn on stderr, out of the rows' way.

use std::io::{self, IsTerminal, Write};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::tail::Client;

/// A line below the rows, for as long as there is something to say in it.
#[derive(Debug)]
pub(super) struct Bar {
    text: Mutex<String>,
    /// Rows and bar are on the same terminal.
    shares: bool,
}

impl Bar {
    /// A bar, if stderr is a terminal.
    pub(super) fn new() -> Option<Self> {
        let shares = io::stdout().is_terminal();
        io::stderr().is_terminal().then(|| Self { text: Mutex::default(), shares })
    }

    /// Runs what prints a row. The bar is in no row's place.
    pub(super) fn beneath<T>(&self, print: impl FnOnce() -> T) -> T {
        let text = self.text.lock().unwrap_or_else(PoisonError::into_inner);
        let moves = self.shares && !text.is_empty();
        if moves {
            draw("");
        }
        let printed = print();
        if moves {
            draw(&text);
        }
        printed
    }

    /// Nothing more is said.
    pub(super) fn clear(&self) {
        self.say(String::new());
    }

    fn say(&self, text: String) {
        let mut last = self.text.lock().unwrap_or_else(PoisonError::into_inner);
        if *last != text {
            draw(&text);
            *last = text;
        }
    }

    /// Says how far the stream of another connection is until it follows. Whatever goes wrong here
    /// is no reason to disturb it.
    pub(super) async fn watch(&self, client: &mut Client, connection: u32) {
        let mut is_open = false;
        loop {
            tokio::time::sleep(INTERVAL).await;
            let Ok(shards) = client.copies_of(connection).await else { break };
            is_open |= !shards.is_empty();
            // Shards are mostly of one size: the first that still copies stands for all.
            match shards.iter().find(|copy| !["follow", "done"].contains(&copy.phase.as_str())) {
                Some(copy) => self.say(line(copy)),
                None if is_open => break,
                None => {}
            }
        }
        self.clear();
    }
}

/// What SHOW VSTREAMS says of a shard's copy.
#[derive(Debug, Default)]
pub(super) struct Copy {
    pub(super) phase: String,
    pub(super) table: Option<String>,
    pub(super) rows: Option<u64>,
    pub(super) percent: Option<u64>,
    pub(super) rate: Option<u64>,
    pub(super) eta: Option<u64>,
    pub(super) waiting: String,
}

/// The bar's text; empty if there is nothing to say yet.
fn line(copy: &Copy) -> String {
    let Some(rows) = copy.rows else { return String::new() };
    let mut line = String::new();
    if let Some(percent) = copy.percent {
        let done = usize::try_from(percent).unwrap_or(0) * CELLS / 100;
        line = format!("[{:<CELLS$}] {percent} % ", "#".repeat(done));
    }
    line.push_str(
        &copy.table.as_ref().map_or("copy".to_owned(), |table| format!("copy of {table}")),
    );
    line.push_str(&format!(": {rows} rows"));
    if let Some(rate) = copy.rate {
        line.push_str(&format!(", {rate}/s"));
    }
    if let Some(eta) = copy.eta {
        line.push_str(&format!(", {} left", duration(eta)));
    }
    // What the server is asked for is nothing to be told of.
    if !["", "server", "changes", "client"].contains(&copy.waiting.as_str()) {
        line.push_str(&format!(", waits: {}", copy.waiting));
    }
    line
}

/// Hours, minutes and seconds.
fn duration(seconds: u64) -> String {
    let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    match (hours, minutes) {
        (0, 0) => format!("{seconds} s"),
        (0, _) => format!("{minutes}:{seconds:02}"),
        _ => format!("{hours}:{minutes:02}:{seconds:02}"),
    }
}

/// Puts a text where the cursor's line is. What is too long for the terminal is cut off by it: a
/// second line would stay.
fn draw(text: &str) {
    let _ = write!(io::stderr().lock(), "\r\x1b[K\x1b[?7l{text}\x1b[?7h");
}

/// How often the bar is brought up to date.
const INTERVAL: Duration = Duration::from_millis(500);
/// Width of the bar's own part.
const CELLS: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_as_much_as_is_known() {
        let check = |copy: Copy, expected: &str| assert_eq!(line(&copy), expected);
        check(Copy::default(), "");
        let copy = || Copy { table: Some("t".to_owned()), rows: Some(5_000), ..Copy::default() };
        check(Copy { rate: Some(100), ..copy() }, "copy of t: 5000 rows, 100/s");
        let copy = Copy { percent: Some(50), eta: Some(50), ..copy() };
        let bar = "[##########          ] 50 % copy of t: 5000 rows, 50 s left";
        check(Copy { waiting: "server".to_owned(), ..copy }, bar);
        let waits = Copy { rows: Some(0), waiting: "connection".to_owned(), ..Copy::default() };
        check(waits, "copy: 0 rows, waits: connection");
        let times = [59, 60, 3_599, 3_600, 90_061].map(duration);
        assert_eq!(times, ["59 s", "1:00", "59:59", "1:00:00", "25:01:01"]);
    }
}
