//! The `vstreamd` program: arguments in, exit code out.

use std::process::ExitCode;

use clap::Parser;
use vstreamd::cli::{self, Cli};

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
    let mut line = format!("vstreamd: {error}");
    let mut cause = error.source();
    while let Some(error) = cause {
        line.push_str(&format!(": {error}"));
        cause = error.source();
    }
    eprintln!("{line}");
    ExitCode::FAILURE
}
