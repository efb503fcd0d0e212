//! `vstreamd tail`: one table's changes on stdout, one line each, over the MySQL protocol.
//!
//! It is a plain client of a running vstreamd. Whatever ends it, it says on stderr how to go on
//! from the last line it printed.

use std::io::{self, IsTerminal, Write};
use std::sync::Arc;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, OptsBuilder, Row, Value};

use super::bar::{Bar, Copy};
use super::{CliError, TailArgs};
use crate::source::mysql::{Password, Tls, connect_secured};

pub(super) async fn run(args: TailArgs) -> Result<(), CliError> {
    let statement = statement(&args)?;
    let tls = tls(&args)?;
    let connect = async || Client::connect(&args.server, &args.user, password(&args)?, &tls).await;
    let mut client = connect().await?;
    let bar = Bar::new().map(Arc::new);
    let mut printer = Printer { bar: bar.clone(), ..Printer::new(args.json) };
    let connection = client.0.id();
    let watch = async {
        if let Some(bar) = &bar
            && let Ok(mut other) = connect().await
        {
            bar.watch(&mut other, connection).await;
        }
        std::future::pending().await
    };
    let ended = tokio::select! {
        ended = client.follow(&statement, &mut printer) => ended,
        _ = tokio::signal::ctrl_c() => Ok(()),
        ended = watch => ended,
    };
    if let Some(bar) = &bar {
        bar.clear();
    }
    if let Some(position) = &printer.position {
        eprintln!("go on with: {}", going_on(&args, position));
    }
    match ended {
        // The reader of our output has gone: as good an end as any.
        Err(CliError::Io { source, .. }) if source.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        ended => ended,
    }
}

/// A connection to a vstreamd, as any MySQL client has it.
pub(super) struct Client(Conn);

impl Client {
    pub(super) async fn connect(
        server: &str,
        user: &str,
        password: Option<String>,
        tls: &Tls,
    ) -> Result<Self, CliError> {
        let (host, port) = server
            .rsplit_once(':')
            .and_then(|(host, port)| Some((host, port.parse::<u16>().ok()?)))
            .filter(|(host, _)| !host.is_empty())
            .ok_or_else(|| {
                CliError::Argument(format!("{server:?} is not an address; write HOST:PORT"))
            })?;
        let options = OptsBuilder::default()
            .ip_or_hostname(host.trim_start_matches('[').trim_end_matches(']'))
            .tcp_port(port)
            .user(Some(user))
            .pass(password)
            .prefer_socket(false)
            // Given here, the client need not ask the server for them.
            .max_allowed_packet(Some(1 << 30))
            .wait_timeout(Some(28_800));
        connect_secured(options, tls).await.map(Self).map_err(|error| CliError::Client {
            context: format!("connect to {server}"),
            source: Box::new(error),
        })
    }

    /// Runs a statement that has no rows.
    pub(super) async fn execute(&mut self, statement: &str) -> Result<(), CliError> {
        self.0.query_drop(statement).await.map_err(failed("run a statement"))
    }

    /// The numbers in the one column that a query gives.
    pub(super) async fn numbers(&mut self, query: &str) -> Result<Vec<u64>, CliError> {
        self.0.query(query).await.map_err(failed("run a query"))
    }

    /// How far the copies of a connection's stream are, one for each shard.
    pub(super) async fn copies_of(&mut self, connection: u32) -> Result<Vec<Copy>, CliError> {
        let query = format!("SHOW VSTREAMS WHERE Id = '{connection}'");
        let rows: Vec<Row> = self.0.query(query).await.map_err(failed("run a query"))?;
        let copy = |row: &Row| {
            let text = |name| row.get::<Option<String>, _>(name).flatten();
            let number = |name| text(name).and_then(|number| number.parse().ok());
            Copy {
                phase: text("Phase").unwrap_or_default(),
                table: text("Table"),
                rows: number("Rows"),
                percent: number("Percent"),
                rate: number("Rate"),
                eta: number("ETA"),
                waiting: text("Waiting").unwrap_or_default(),
            }
        };
        Ok(rows.iter().map(copy).collect())
    }

    /// Prints what a VSTREAM whose last column is `_pos` gives, to its end.
    pub(super) async fn follow(
        &mut self,
        statement: &str,
        printer: &mut Printer,
    ) -> Result<(), CliError> {
        self.execute("SET WORKLOAD='OLAP'").await?;
        let context = "follow the table";
        let mut result = self.0.query_iter(statement).await.map_err(failed(context))?;
        while let Some(row) = result.next().await.map_err(failed(context))? {
            printer.print(row)?;
        }
        Ok(())
    }
}

fn failed(context: &str) -> impl FnOnce(mysql_async::Error) -> CliError {
    let context = context.to_owned();
    move |source| CliError::Client { context, source: Box::new(source) }
}

/// The command that shows what comes after `position`: a position belongs to its columns and
/// condition.
fn going_on(args: &TailArgs, position: &str) -> String {
    let mut command = format!("vstreamd tail {}", quoted(&args.table));
    let mut add = |name: &str, value: &str| command.push_str(&format!(" {name} {}", quoted(value)));
    if args.server != crate::config::DEFAULT_MYSQL_LISTEN {
        add("--server", &args.server);
    }
    if args.user != DEFAULT_USER {
        add("--user", &args.user);
    }
    if let Some(file) = &args.password_file {
        add("--password-file", &file.to_string_lossy());
    }
    if let Some(mode) = args.ssl_mode {
        add("--ssl-mode", mode.as_str());
    }
    if let Some(file) = &args.ssl_ca {
        add("--ssl-ca", &file.to_string_lossy());
    }
    if args.columns != ALL_COLUMNS {
        add("--columns", &args.columns);
    }
    if let Some(condition) = &args.condition {
        add("--where", condition);
    }
    add("--from", position);
    if args.json {
        command.push_str(" --json");
    }
    command
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.,:/".contains(&byte);
    if !word.is_empty() && word.bytes().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// Whom `--user` names by default.
pub(super) const DEFAULT_USER: &str = "root";
/// What `--columns` names by default.
pub(super) const ALL_COLUMNS: &str = "*";

/// The statement that the arguments ask for; `_pos` comes along so that the end can be resumed.
fn statement(args: &TailArgs) -> Result<String, CliError> {
    let (keyspace, table) = args.table.split_once('.').ok_or_else(|| {
        CliError::Argument(format!("{:?} names no keyspace; write KEYSPACE.TABLE", args.table))
    })?;
    let quote = |name: &str| format!("`{}`", name.replace('`', "``"));
    let start = match args.from.as_str() {
        "copy" => "",
        "now" => "current",
        position => position,
    };
    let start = start.replace('\\', "\\\\").replace('\'', "''");
    let mut statement = format!(
        "VSTREAM {}, _pos FROM {}.{} WHERE pos > '{start}'",
        args.columns,
        quote(keyspace),
        quote(table)
    );
    if let Some(condition) = &args.condition {
        statement.push_str(&format!(" AND ({condition})"));
    }
    if let Some(limit) = args.limit {
        statement.push_str(&format!(" LIMIT {limit}"));
    }
    Ok(statement)
}

fn password(args: &TailArgs) -> Result<Option<String>, CliError> {
    let password = args.password_file.clone().map_or(Password::Empty, Password::File);
    password.read().map_err(|(path, source)| CliError::Io {
        context: format!("read {}", path.display()),
        source,
    })
}

fn tls(args: &TailArgs) -> Result<Tls, CliError> {
    Tls::new(args.ssl_mode, args.ssl_ca.clone(), None, None)
        .map_err(|error| CliError::Argument(error.to_string()))
}

/// Writes changes to stdout.
#[derive(Debug)]
pub(super) struct Printer {
    json: bool,
    colour: bool,
    position: Option<String>,
    /// What is drawn below the rows.
    bar: Option<Arc<Bar>>,
}

impl Printer {
    /// Colours only on a terminal, and not where `NO_COLOR` is set.
    pub(super) fn new(json: bool) -> Self {
        let colour = !json && io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        Self { json, colour, position: None, bar: None }
    }

    /// Prints one row whose first column is `op` and whose last is `_pos`.
    fn print(&mut self, row: Row) -> Result<(), CliError> {
        let columns = row.columns();
        let mut names: Vec<_> = columns.iter().map(|column| column.name_str()).collect();
        let mut values = row.unwrap();
        names.pop();
        if let Some(Value::Bytes(position)) = values.pop() {
            self.position = String::from_utf8(position).ok();
        }
        let line = if self.json { json_line(&names, &values) } else { self.text(&names, &values) };
        let write = || {
            let mut stdout = io::stdout().lock();
            writeln!(stdout, "{line}").and_then(|()| stdout.flush())
        };
        let written = match &self.bar {
            Some(bar) => bar.beneath(write),
            None => write(),
        };
        written.map_err(|source| CliError::Io { context: "write to stdout".to_owned(), source })
    }

    fn text(&self, names: &[impl AsRef<str>], values: &[Value]) -> String {
        let mut cells = names.iter().zip(values);
        let op = cells.next().map(|(_, op)| text_cell(op)).unwrap_or_default();
        let mut line = op.clone();
        for (name, value) in cells {
            line.push_str(&format!(" {}={}", name.as_ref(), text_cell(value)));
        }
        match (self.colour, op.as_str()) {
            (true, "+") => format!("\x1b[32m{line}\x1b[0m"),
            (true, "*") => format!("\x1b[33m{line}\x1b[0m"),
            (true, "-") => format!("\x1b[31m{line}\x1b[0m"),
            (_, _) => line,
        }
    }
}

/// One JSON object: `op`, then the row. Bytes that are no UTF-8 are shown as `0x...`.
fn json_line(names: &[impl AsRef<str>], values: &[Value]) -> String {
    let mut cells = names.iter().zip(values);
    let op = cells.next().map(|(_, op)| text_cell(op));
    let row: serde_json::Map<String, serde_json::Value> = cells
        .map(|(name, value)| {
            let value = match value {
                Value::NULL => serde_json::Value::Null,
                other => serde_json::Value::String(text_cell(other)),
            };
            (name.as_ref().to_owned(), value)
        })
        .collect();
    serde_json::json!({ "op": op, "row": row }).to_string()
}

/// A cell on one line: control characters are escaped, what is no UTF-8 is hex.
fn text_cell(value: &Value) -> String {
    let Value::Bytes(bytes) = value else { return value.as_sql(true) };
    match std::str::from_utf8(bytes) {
        Ok(text) if text.chars().any(char::is_control) => text.escape_debug().to_string(),
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().fold("0x".to_owned(), |hex, byte| format!("{hex}{byte:02x}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(table: &str, from: &str, condition: Option<&str>) -> TailArgs {
        TailArgs {
            table: table.to_owned(),
            server: crate::config::DEFAULT_MYSQL_LISTEN.to_owned(),
            user: DEFAULT_USER.to_owned(),
            password_file: None,
            ssl_mode: None,
            ssl_ca: None,
            columns: "*".to_owned(),
            condition: condition.map(str::to_owned),
            from: from.to_owned(),
            limit: None,
            json: false,
        }
    }

    #[test]
    fn says_what_was_asked() {
        let check = |from, condition, expected: &str| {
            let statement = statement(&arguments("commerce.corder", from, condition)).unwrap();
            assert_eq!(statement, format!("VSTREAM *, _pos FROM `commerce`.`corder` {expected}"));
        };
        check("copy", None, "WHERE pos > ''");
        check("now", Some("price > 5"), "WHERE pos > 'current' AND (price > 5)");
        check("it's", None, "WHERE pos > 'it''s'");
        assert!(statement(&arguments("corder", "copy", None)).is_err());
        let args = arguments("commerce.corder", "copy", Some("sku = 'a'"));
        let expected = r"vstreamd tail commerce.corder --where 'sku = '\''a'\''' --from vs1_x";
        assert_eq!(going_on(&args, "vs1_x"), expected);
    }

    #[test]
    fn cells_stay_on_their_line() {
        assert_eq!(text_cell(&Value::Bytes(b"a\nb".to_vec())), "a\\nb");
        assert_eq!(text_cell(&Value::Bytes(vec![0xff, 0])), "0xff00");
        assert_eq!(text_cell(&Value::NULL), "NULL");
    }
}
