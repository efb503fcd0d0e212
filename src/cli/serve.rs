//! `vstreamd serve`: the server in the foreground.

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{CliError, ServeArgs};
use crate::app::App;
use crate::config::{Config, Overrides};

pub(super) async fn run(args: ServeArgs) -> Result<(), CliError> {
    args.log.init();
    let overrides = Overrides { data_dir: args.data_dir, mysql_listen: args.mysql_listen };
    let config = Config::load(args.config.as_deref(), overrides)?;
    let mut signals = Signals::listen()?;
    let app = App::start(&config).await?;
    // Scripts wait for this line; it is the only one on stdout.
    println!("ready mysql={}", app.mysql_address());
    signals.next().await;
    tracing::info!("shutting down; a second signal ends at once");
    tokio::select! {
        () = app.stop() => Ok(()),
        () = signals.next() => {
            tracing::warn!("second signal: ending without waiting for streams");
            Ok(())
        }
    }
}

/// SIGINT and SIGTERM, heard from the moment of [`Signals::listen`] on.
pub(super) struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    pub(super) fn listen() -> Result<Self, CliError> {
        let listen = |kind| {
            signal(kind)
                .map_err(|source| CliError::Io { context: "listen for signals".to_owned(), source })
        };
        let interrupt = listen(SignalKind::interrupt())?;
        Ok(Self { interrupt, terminate: listen(SignalKind::terminate())? })
    }

    /// Resolves at the next signal. Cancel-safe.
    pub(super) async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
