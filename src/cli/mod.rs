//! The command line: one file per command, and the texts that a person reads first.

mod bar;
mod demo;
mod doctor;
mod serve;
mod tail;
mod user;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::app::AppError;
use crate::config::ConfigError;
use crate::source::mysql::TlsMode;
use crate::telemetry::LogFormat;

/// Watch data change with nothing but a MySQL client.
///
/// vstreamd serves a table as an open result set: the rows it holds now, then every change as it
/// commits. Start it, connect with any MySQL client, and say:
///
///   SET WORKLOAD=OLAP;
///   VSTREAM * FROM commerce.corder;
#[derive(Debug, Parser)]
#[command(version, verbatim_doc_comment, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the embedded store, or the configured servers, to MySQL clients until Ctrl-C
    Serve(ServeArgs),
    /// See it work: a temporary store, a small live workload, and its changes in colour
    Demo(DemoArgs),
    /// Look at each configured server: what stands in the way of streaming, and what mends it
    Doctor(DoctorArgs),
    /// Follow a table from the shell, for machines without a mysql client
    Tail(TailArgs),
    /// Print the configuration of a user whose password is read from the terminal or standard input
    User(UserArgs),
}

#[derive(Debug, Args)]
struct ServeArgs {
    /// Read settings from this TOML file (docs/operating.md lists them)
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Keep the embedded store here [default: $XDG_DATA_HOME/vstreamd or ~/.local/share/vstreamd]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Listen for MySQL clients here; port 0 takes any free one [default: 127.0.0.1:15306]
    #[arg(long, value_name = "ADDR")]
    mysql_listen: Option<String>,
    #[command(flatten)]
    log: LogArgs,
}

#[derive(Debug, Args)]
struct LogArgs {
    /// How log lines on stderr look
    #[arg(long, value_enum, default_value = "text", value_name = "FORMAT")]
    log_format: LogFormatArg,
    /// What is logged: error, warn, info, debug or trace
    #[arg(long, default_value = "info", value_name = "LEVEL")]
    log_level: tracing::Level,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum LogFormatArg {
    Text,
    Json,
}

impl LogArgs {
    fn init(&self) {
        let format = match self.log_format {
            LogFormatArg::Text => LogFormat::Text,
            LogFormatArg::Json => LogFormat::Json,
        };
        crate::telemetry::init(format, self.log_level);
    }
}

#[derive(Debug, Args)]
struct DemoArgs {
    /// Listen for MySQL clients here; without it 127.0.0.1:15306, or any free port if that is taken
    #[arg(long, value_name = "ADDR")]
    mysql_listen: Option<String>,
    /// End by itself after so many seconds
    #[arg(long, value_name = "N")]
    seconds: Option<u64>,
    /// Milliseconds between the changes of the workload
    #[arg(long, value_name = "N", default_value_t = 700, value_parser = clap::value_parser!(u64).range(1..))]
    every: u64,
}

#[derive(Debug, Args)]
struct DoctorArgs {
    /// The settings that serve would read
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

#[derive(Debug, Args)]
struct TailArgs {
    /// The table to follow, such as commerce.corder
    #[arg(value_name = "KEYSPACE.TABLE")]
    table: String,
    /// The vstreamd to ask
    #[arg(long, value_name = "ADDR", default_value = crate::config::DEFAULT_MYSQL_LISTEN)]
    server: String,
    /// Log in as this user
    #[arg(long, value_name = "NAME", default_value = tail::DEFAULT_USER)]
    user: String,
    /// Read the password from the first line of this file
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// How the server is asked to prove itself: DISABLED, PREFERRED, REQUIRED, VERIFY_CA or
    /// VERIFY_IDENTITY [default: PREFERRED; with --ssl-ca VERIFY_CA]
    #[arg(long, value_name = "MODE", value_parser = tls_mode)]
    ssl_mode: Option<TlsMode>,
    /// Trust the certificates in this file
    #[arg(long, value_name = "FILE")]
    ssl_ca: Option<PathBuf>,
    /// Show these columns, as in a select list
    #[arg(long, value_name = "LIST", default_value = tail::ALL_COLUMNS)]
    columns: String,
    /// Show only changes that meet this condition, such as 'price > 5'
    #[arg(long = "where", value_name = "CONDITION")]
    condition: Option<String>,
    /// Begin with all rows (copy), with what commits from now on (now), or after a position
    #[arg(long, value_name = "copy|now|POSITION", default_value = "copy")]
    from: String,
    /// End after so many rows
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
    /// Print one JSON object per change
    #[arg(long)]
    json: bool,
}

fn tls_mode(text: &str) -> Result<TlsMode, String> {
    TlsMode::parse(text).ok_or_else(|| {
        "write DISABLED, PREFERRED, REQUIRED, VERIFY_CA or VERIFY_IDENTITY".to_owned()
    })
}

#[derive(Debug, Args)]
struct UserArgs {
    /// The user's name
    #[arg(value_name = "NAME")]
    name: String,
    /// Also let clients in that know mysql_native_password only
    #[arg(long)]
    native: bool,
}

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// The configuration cannot be used.
    #[error("use the configuration")]
    Config(#[from] ConfigError),
    /// The server did not start or did not end well.
    #[error("serve")]
    App(#[from] AppError),
    /// `tail` or `demo` could not go on.
    #[error("{context}")]
    Client {
        /// What was being done.
        context: String,
        /// What the server or the network said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A file or the terminal.
    #[error("{context}")]
    Io {
        /// What was being done.
        context: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// `doctor` found servers that cannot be streamed from.
    #[error("{unfit} of {servers} servers cannot be streamed from")]
    Unfit {
        /// How many.
        unfit: usize,
        /// Of how many.
        servers: usize,
    },
    /// An argument that clap cannot check.
    #[error("{0}")]
    Argument(String),
}

/// Runs the command until it is done.
pub async fn run(cli: Cli) -> Result<(), CliError> {
    match cli.command {
        Command::Serve(args) => serve::run(args).await,
        Command::Demo(args) => demo::run(args).await,
        Command::Doctor(args) => doctor::run(args).await,
        Command::Tail(args) => tail::run(args).await,
        Command::User(args) => user::run(&args),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn arguments_are_consistent() {
        super::Cli::command().debug_assert();
    }
}
