//! The `vstreamd` program: arguments in, exit code out.

use std::process::ExitCode;

use clap::Parser;
use vstreamd::cli::{self, Cli};
use vstreamd::telemetry;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error),
    };
    let code = match runtime.block_on(cli::run(cli)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    };
    // Whoever still runs had its deadline: nothing may hold the process up now.
    runtime.shutdown_background();
    code
}

/// Prints an error with all its causes on one line.
fn fail(error: &dyn std::error::Error) -> ExitCode {
    eprintln!("vstreamd: {}", telemetry::chain(error));
    ExitCode::FAILURE
}
