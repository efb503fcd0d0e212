//! Logs and tasks: the tracing set-up, tasks that have a name and whose panic is an error, and work
//! that holds up no other task.
//!
//! Logs go to stderr, so that stdout stays for what a command prints. Row values, SQL literals and
//! secrets never reach them.

use std::future::Future;

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::task::JoinHandle;
use tracing::{Instrument, Level};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry, fmt};

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

/// Sends the logs of this process to stderr, once; later calls change nothing.
///
/// Crates other than ours speak up from WARN on only.
pub fn init(format: LogFormat, level: Level) {
    let targets = Targets::new().with_default(Level::WARN).with_target("vstreamd", level);
    let layer = match format {
        LogFormat::Text => fmt::layer().with_writer(std::io::stderr).with_ansi(false).boxed(),
        LogFormat::Json => fmt::layer().with_writer(std::io::stderr).json().boxed(),
    };
    // A second call finds a subscriber in place: the first one's choice holds.
    let _ = Registry::default().with(layer.with_filter(targets)).try_init();
}

/// Runs a named task. A panic in it is logged as an error and ends that task alone; whoever waits
/// for the handle sees it as a failed join.
pub fn spawn<F>(name: &'static str, future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    #[allow(clippy::disallowed_methods, reason = "the one place where tasks are made")]
    tokio::spawn(guarded(name, future).in_current_span())
}

/// An error and all that caused it, on one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}

/// Runs work on a text of so many bytes, whose time grows with it. The tasks that wait for this
/// thread go to another one meanwhile if the text is long; there is none in a runtime of one thread.
///
/// The work itself gets a thread that ends with it. Otherwise each of the runtime's threads would do
/// some of it in the course of time, and malloc keep for each of them what a large text takes; what
/// it kept for a thread that has ended, the next one uses.
pub fn run_long<T: Send>(text_bytes: usize, work: impl FnOnce() -> T + Send) -> T {
    let many_threads = || matches!(Handle::current().runtime_flavor(), RuntimeFlavor::MultiThread);
    if text_bytes < LONG_BYTES || !many_threads() {
        return work();
    }
    tokio::task::block_in_place(|| {
        std::thread::scope(|scope| {
            scope.spawn(work).join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    })
}

/// The future, and the word about its panic.
fn guarded<F: Future>(name: &'static str, future: F) -> impl Future<Output = F::Output> {
    let guard = PanicReport(name);
    // Boxed: a future that an async block takes and awaits has room in it twice.
    let future = Box::pin(future);
    async move {
        let output = future.await;
        guard.done();
        output
    }
}

/// Reports a task that unwinds; a task that is merely dropped is none of its business.
struct PanicReport(&'static str);

impl PanicReport {
    fn done(self) {
        std::mem::forget(self);
    }
}

impl Drop for PanicReport {
    fn drop(&mut self) {
        if std::thread::panicking() {
            tracing::error!(task = self.0, "task panicked; its streams end, the process goes on");
        }
    }
}

/// A text of so many bytes is long: to parse it may take a millisecond.
const LONG_BYTES: usize = 32 * 1024;

#[cfg(test)]
mod tests {
    #[test]
    fn a_task_has_its_future_once() {
        let large = async {
            let room = [0_u8; 4096];
            std::future::ready(()).await;
            room.len()
        };
        assert!(size_of_val(&super::guarded("test", large)) < 100);
    }

    #[tokio::test]
    async fn a_panic_ends_its_task_alone() {
        let task = super::spawn("test", async { panic!("as announced") });
        assert!(task.await.is_err());
        assert_eq!(super::spawn("test", async { 7 }).await.ok(), Some(7));
    }
}
