//! Statements as people type them, on the embedded store and on real servers: the same outcome.
//!
//! `tests/dialect/*.sql` holds cases, each a line `-- case NAME` and statements. Beside it the
//! `.expected` file says what MariaDB 10.11 answered, and on lines that begin with `mysql` what
//! MySQL answered where that differs: then the store follows MySQL. `UPDATE_EXPECTED=1` asks both
//! servers anew. A statement that the store refuses with 1235 ends its case as refused; nothing may
//! be wrong.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mysql_async::prelude::Queryable;
use vstreamd::event::CollationId;
use vstreamd::event::collation::{self, Charset};
use vstreamd::event::row::split_cell;
use vstreamd::source::sqlite::{Store, StoreConfig};
use vstreamd::source::{Backend, BackendColumn, BackendReply, BackendSession, Variables};
use vstreamd::sql::sqlite::Value;

use super::harness::real;
use super::harness::rounds;

/// Statements of one case, and what each of them answered.
struct Case {
    name: String,
    statements: Vec<String>,
}

/// What a statement answered, printed: `ok`, `error 1062`, or rows.
type Outcomes = Vec<String>;

fn files() -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/dialect");
    let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|e| e == "sql")).collect();
    let only = std::env::var("DIALECT_FILE").unwrap_or_default();
    files.retain(|path| path.to_string_lossy().contains(&only));
    files.sort();
    files
}

fn cases(path: &Path) -> Vec<Case> {
    let text = std::fs::read_to_string(path).unwrap();
    let mut cases: Vec<Case> = Vec::new();
    let mut statement = String::new();
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("-- case ") {
            cases.push(Case { name: name.to_owned(), statements: Vec::new() });
            continue;
        }
        if line.starts_with("--") || line.trim().is_empty() {
            continue;
        }
        if !statement.is_empty() {
            statement.push('\n');
        }
        statement.push_str(line);
        if let Some(whole) = statement.trim_end().strip_suffix(';') {
            let case = cases.last_mut().expect("a case before its statements");
            case.statements.push(whole.to_owned());
            statement.clear();
        }
    }
    assert!(
        statement.is_empty(),
        "{}: a statement without its semicolon: {statement}",
        path.display()
    );
    cases
}

fn is_write(statement: &str) -> bool {
    let word = statement.split_whitespace().next().unwrap_or_default();
    ["INSERT", "UPDATE", "DELETE", "REPLACE"].iter().any(|w| word.eq_ignore_ascii_case(w))
}

fn print_ok(statement: &str, affected: u64) -> String {
    if is_write(statement) { format!("ok {affected}") } else { "ok".to_owned() }
}

fn print_rows(names: &[String], rows: &[Vec<Option<Vec<u8>>>]) -> String {
    let mut out = format!("| {}", names.join(" | ").replace('\n', "\\n"));
    for row in rows {
        let cells: Vec<String> = row
            .iter()
            .map(|cell| match cell {
                None => "NULL".to_owned(),
                Some(bytes) => String::from_utf8_lossy(bytes).escape_debug().to_string(),
            })
            .collect();
        let _ = write!(out, "\n= {}", cells.join(" | "));
    }
    out
}

/// One connection to a real server.
struct Real(mysql_async::Conn);

const SETTINGS: &str = "SET NAMES utf8mb4, time_zone = '+00:00', autocommit = 1, \
    foreign_key_checks = 1, sql_mode = 'ONLY_FULL_GROUP_BY,STRICT_TRANS_TABLES,\
    NO_ZERO_IN_DATE,NO_ZERO_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION'";

impl Real {
    async fn connect(server: &real::Server) -> Self {
        let connection = mysql_async::Conn::from_url(server.url("mysql")).await.unwrap();
        Self(connection)
    }

    async fn run(&mut self, case: &Case) -> Outcomes {
        for sql in [
            "ROLLBACK",
            SETTINGS,
            "DROP DATABASE IF EXISTS commerce",
            "CREATE DATABASE commerce CHARACTER SET utf8mb4",
            "USE commerce",
        ] {
            self.0.query_drop(sql).await.unwrap();
        }
        let mut outcomes = Vec::new();
        for statement in &case.statements {
            outcomes.push(self.one(statement).await);
        }
        outcomes
    }

    async fn one(&mut self, statement: &str) -> String {
        let mut result = match self.0.query_iter(statement).await {
            Ok(result) => result,
            Err(mysql_async::Error::Server(error)) => return format!("error {}", error.code),
            Err(error) => panic!("{statement}: {error}"),
        };
        let names: Vec<String> =
            result.columns_ref().iter().map(|column| column.name_str().into_owned()).collect();
        if names.is_empty() {
            let affected = result.affected_rows();
            drop(result);
            return print_ok(statement, affected);
        }
        let rows: Vec<mysql_async::Row> = match result.collect().await {
            Ok(rows) => rows,
            Err(mysql_async::Error::Server(error)) => return format!("error {}", error.code),
            Err(error) => panic!("{statement}: {error}"),
        };
        let rows: Vec<Vec<Option<Vec<u8>>>> = rows
            .into_iter()
            .map(|row| {
                row.unwrap()
                    .into_iter()
                    .map(|value| match value {
                        mysql_async::Value::NULL => None,
                        mysql_async::Value::Bytes(bytes) => Some(bytes),
                        other => Some(other.as_sql(true).into_bytes()),
                    })
                    .collect()
            })
            .collect();
        print_rows(&names, &rows)
    }
}

/// The system variables that a script has set.
#[derive(Default)]
struct Settings(BTreeMap<String, Value>);

impl Settings {
    /// Takes `SET name = value` of a system variable as the door would.
    fn take(&mut self, statement: &str) -> bool {
        let Some((name, value)) = statement
            .strip_prefix("SET ")
            .and_then(|rest| rest.split_once('='))
            .map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim()))
        else {
            return false;
        };
        if name.starts_with('@') {
            return false;
        }
        let value = match value.parse() {
            Ok(number) => Value::Int(number),
            Err(_) => Value::Text(value.trim_matches('\'').to_owned()),
        };
        self.0.insert(name, value);
        true
    }
}

impl Variables for Settings {
    fn system(&self, name: &str) -> Option<Value> {
        self.0.get(name).cloned()
    }

    fn user(&self, _: &str) -> Option<Value> {
        None
    }
}

/// Runs a case on a store of its own; ends early with `refused` where the store says 1235.
async fn on_store(case: &Case) -> Outcomes {
    let directory = tempfile::tempdir().unwrap();
    let config = StoreConfig { keyspace: "commerce".to_owned(), ..StoreConfig::default() };
    let store: Arc<Store> = Store::open(directory.path(), config).await.unwrap();
    let mut session = store.backend().session("root").await.unwrap();
    let mut settings = Settings::default();
    for table in ["product", "customer", "corder"] {
        let _ = session.execute(&format!("DROP TABLE IF EXISTS {table}"), &settings).await;
    }
    let mut outcomes = Vec::new();
    for statement in &case.statements {
        let outcome = if settings.take(statement) {
            "ok".to_owned()
        } else {
            one(&mut session, statement, &settings).await
        };
        let refused = outcome.starts_with("refused");
        outcomes.push(outcome);
        if refused {
            break;
        }
    }
    outcomes
}

async fn one(
    session: &mut Box<dyn BackendSession>,
    statement: &str,
    settings: &Settings,
) -> String {
    let error = |error: vstreamd::source::BackendError| match error.code {
        1235 => format!("refused {}", error.message),
        1105 => format!("error 1105 {}", error.message),
        code => format!("error {code}"),
    };
    match session.execute(statement, settings).await {
        Err(failed) => error(failed),
        Ok(BackendReply::Ok(ok)) => print_ok(statement, ok.affected_rows),
        Ok(BackendReply::Rows(mut rows)) => {
            let names: Vec<String> = rows.columns().iter().map(|c| c.name().to_owned()).collect();
            let mut found = Vec::new();
            loop {
                match rows.next().await {
                    Err(failed) => return error(failed),
                    Ok(None) => break,
                    Ok(Some(block)) => {
                        for encoded in block.rows() {
                            let mut rest = encoded;
                            let mut cells = Vec::new();
                            let mut columns = rows.columns().iter();
                            while let Some((cell, more)) = split_cell(rest) {
                                let Some(BackendColumn::Declared(column)) = columns.next() else {
                                    panic!("{statement}: a column of the store is declared");
                                };
                                let collation = column.column.collation;
                                cells.push(cell.map(|bytes| utf8(collation, bytes)));
                                rest = more;
                            }
                            found.push(cells);
                        }
                    }
                }
            }
            print_rows(&names, &found)
        }
    }
}

/// A cell as a client with utf8mb4 sees it.
fn utf8(collation: CollationId, bytes: &[u8]) -> Vec<u8> {
    let mut text = String::new();
    match collation::charset(collation) {
        Some(charset) if charset != Charset::Binary && charset.decode(bytes, &mut text) => {
            text.into_bytes()
        }
        _ => bytes.to_vec(),
    }
}

/// What the golden file says of a case: of each statement MariaDB's outcome, and MySQL's if it is
/// another.
type Golden = Vec<(String, Option<String>)>;

fn read_golden(path: &Path) -> BTreeMap<String, Golden> {
    let mut golden: BTreeMap<String, Golden> = BTreeMap::new();
    let mut name = String::new();
    let text = std::fs::read_to_string(path.with_extension("expected")).unwrap_or_default();
    for line in text.lines() {
        if let Some(next) = line.strip_prefix("## ") {
            name = next.to_owned();
            golden.entry(name.clone()).or_default();
            continue;
        }
        let outcomes = golden.entry(name.clone()).or_default();
        let (mysql, line) = match line.strip_prefix("mysql ") {
            Some(line) => (true, line),
            None => (false, line),
        };
        let more = line.starts_with("= ");
        match (outcomes.last_mut(), mysql, more) {
            (Some((outcome, _)), false, true) | (Some((_, Some(outcome))), true, true) => {
                outcome.push('\n');
                outcome.push_str(line);
            }
            (Some((_, other)), true, _) => *other = Some(line.to_owned()),
            _ => outcomes.push((line.to_owned(), None)),
        }
    }
    golden
}

fn print_golden(cases: &[(String, Golden)]) -> String {
    let mut out = String::new();
    for (name, golden) in cases {
        let _ = writeln!(out, "## {name}");
        for (mariadb, mysql) in golden {
            let _ = writeln!(out, "{mariadb}");
            for line in mysql.iter().flat_map(|text| text.lines()) {
                let _ = writeln!(out, "mysql {line}");
            }
        }
    }
    out
}

#[tokio::test(flavor = "multi_thread")]
async fn the_store_says_what_the_servers_say() {
    let update = std::env::var_os("UPDATE_EXPECTED").is_some();
    let mut mariadb = Real::connect(real::mariadb()).await;
    let mut mysql = match update || rounds(0, 1, 1) > 0 {
        true => Some(Real::connect(real::mysql()).await),
        false => None,
    };
    let (mut all, mut refused, mut wrong, mut changed) = (0, Vec::new(), Vec::new(), Vec::new());
    for path in files() {
        let known = read_golden(&path);
        let mut fresh = Vec::new();
        for case in cases(&path) {
            all += 1;
            let golden = known.get(&case.name).cloned().unwrap_or_default();
            let said = mariadb.run(&case).await;
            let mysql_said = match &mut mysql {
                Some(mysql) => mysql.run(&case).await,
                None => golden.iter().map(|(a, b)| b.as_ref().unwrap_or(a).clone()).collect(),
            };
            let now: Golden = said
                .into_iter()
                .zip(mysql_said)
                .map(|(a, b)| (a.clone(), (a != b).then_some(b)))
                .collect();
            if !update && now != golden {
                changed.push(format!("{}: {now:#?} instead of {golden:#?}", case.name));
            }
            let golden = if update { &now } else { &golden };
            judge(&path, &case, golden, &on_store(&case).await, &mut refused, &mut wrong);
            fresh.push((case.name, now));
        }
        if update {
            std::fs::write(path.with_extension("expected"), print_golden(&fresh)).unwrap();
        }
    }
    println!("{all} cases, {} refused, {} wrong", refused.len(), wrong.len());
    for line in &refused {
        println!("refused: {line}");
    }
    assert!(changed.is_empty(), "the servers say something else:\n{}", changed.join("\n"));
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    assert!(refused.len() * 10 <= all, "{} of {all} refused", refused.len());
}

fn judge(
    path: &Path,
    case: &Case,
    golden: &Golden,
    store: &Outcomes,
    refused: &mut Vec<String>,
    wrong: &mut Vec<String>,
) {
    let file = path.file_stem().unwrap_or_default().to_string_lossy();
    for ((statement, (mariadb, mysql)), said) in case.statements.iter().zip(golden).zip(store) {
        let expected = mysql.as_ref().unwrap_or(mariadb);
        if said == expected {
            continue;
        }
        if let Some(why) = said.strip_prefix("refused ") {
            refused.push(format!("{file}/{}: {statement}: {why}", case.name));
        } else {
            wrong.push(format!(
                "{file}/{}: {statement}\n--- expected\n{expected}\n--- the store\n{said}",
                case.name
            ));
        }
        return;
    }
    assert!(golden.len() >= store.len(), "{}: no golden outcome", case.name);
}
