//! `grammar/corpus/<statement>/*.sql`: cases between blank lines, each a text and behind it lines
//! `--> result` or `--! error`. `UPDATE_EXPECTED=1` writes the results anew.

use std::fmt::Debug;
use std::fs;
use std::path::{Path, PathBuf};

use vstreamd::sql::{self, FilterError, Select, SqlError, Statement};

/// One text and what became of it.
pub(super) struct Case {
    pub text: String,
    expected: Vec<String>,
}

#[test]
fn corpus_has_exact_results() {
    let mut wrong = Vec::new();
    for file in files() {
        let written = fs::read_to_string(&file).unwrap();
        let mut renewed = Vec::new();
        for case in cases(&written) {
            let found = outcome(&file, &case.text);
            if found != case.expected {
                wrong.push(format!(
                    "{}\n{}\nexpected {:#?}\nfound    {found:#?}",
                    file.display(),
                    case.text,
                    case.expected
                ));
            }
            renewed.push([vec![case.text], found].concat().join("\n") + "\n");
        }
        if std::env::var_os("UPDATE_EXPECTED").is_some() {
            fs::write(&file, renewed.join("\n")).unwrap();
            wrong.clear();
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// What the files are called, they hold: a change of the parser that turns one into the other is
/// seen even after `UPDATE_EXPECTED`.
#[test]
fn corpus_accepts_and_rejects_as_filed() {
    let (mut accepted, mut rejected) = (0, 0);
    for file in files() {
        let accepts = file.ends_with("accepted.sql");
        for case in cases(&fs::read_to_string(&file).unwrap()) {
            let refused = outcome(&file, &case.text).iter().any(|line| line.starts_with("--!"));
            assert_eq!(refused, !accepts, "{}: {}", file.display(), case.text);
            if accepts { accepted += 1 } else { rejected += 1 }
        }
    }
    assert!(accepted >= 150 && rejected >= 100, "{accepted} accepted, {rejected} rejected");
}

/// Every case of the corpus.
pub(super) fn all() -> Vec<Case> {
    files().iter().flat_map(|file| cases(&fs::read_to_string(file).unwrap())).collect()
}

fn outcome(file: &Path, text: &str) -> Vec<String> {
    let statement = file.parent().and_then(Path::file_name).unwrap();
    let lines = match statement.to_str().unwrap() {
        "filter" => vec![filter(text)],
        "split" => sql::split(text).map(|part| Ok(part.trim().to_owned())).collect(),
        _ => vec![check(text)],
    };
    let lines = lines.into_iter().map(|line| match line {
        Ok(line) => format!("--> {}", line.replace('\n', "\\n")),
        Err(line) => format!("--! {}", line.replace('\n', "\\n")),
    });
    lines.collect()
}

/// MySQL's sentence about syntax is the same everywhere; one test has it in full.
fn brief(error: &SqlError) -> String {
    match error {
        SqlError::Syntax { near, line } => format!("syntax: near '{near}' at line {line}"),
        error => error.to_string(),
    }
}

#[test]
fn syntax_errors_are_in_the_words_of_mysql() {
    assert_eq!(
        sql::parse("KILL x").unwrap_err().to_string(),
        "You have an error in your SQL syntax; check the manual that corresponds to your MySQL \
         server version for the right syntax to use near 'x' at line 1"
    );
}

/// Parses, and requires that what is printed parses to the same.
pub(super) fn check(text: &str) -> Result<String, String> {
    let statement = sql::parse(text).map_err(|error| brief(&error))?;
    let printed = statement.to_string();
    same(&statement, &printed, sql::parse(&printed))?;
    Ok(match &statement {
        Statement::Backend(command) => format!("[{:?}] {printed}", command.kind),
        _ => printed,
    })
}

/// The same for the SELECT of a filter rule.
pub(super) fn filter(text: &str) -> Result<String, String> {
    let select = Select::parse(text).map_err(|error| match error {
        FilterError::Sql(error) => brief(&error),
        error => error.to_string(),
    })?;
    let printed = select.to_string();
    same(&select, &printed, Select::parse(&printed))?;
    Ok(printed)
}

fn same<T: PartialEq + Debug, E: Debug + PartialEq>(
    first: &T,
    printed: &str,
    again: Result<T, E>,
) -> Result<(), String> {
    if again.as_ref() == Ok(first) {
        return Ok(());
    }
    Err(format!("{DIFFERS}\n{printed}\n{first:?}\n{again:?}"))
}

/// No error of the parser begins so.
pub(super) const DIFFERS: &str = "prints as what parses otherwise:";

fn cases(written: &str) -> Vec<Case> {
    let texts =
        written.split("\n\n").map(|block| block.trim_matches('\n')).filter(|text| !text.is_empty());
    let case = |block: &str| {
        let (expected, text): (Vec<&str>, Vec<&str>) =
            block.lines().partition(|line| line.starts_with("--> ") || line.starts_with("--! "));
        Case { text: text.join("\n"), expected: expected.into_iter().map(str::to_owned).collect() }
    };
    texts.map(case).collect()
}

fn files() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("grammar/corpus");
    let statements = fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = statements
        .flat_map(|folder| fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()))
        .collect();
    files.sort();
    files
}
