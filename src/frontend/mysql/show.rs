//! The rows of SHOW statements that the door answers by itself, and which of them a filter keeps.
//!
//! Pure: what is shown is handed in.

use super::constant::of_literal;
use super::error::{self, Failure};
use super::registry::{Process, SENDING};
use super::resultset::Table;
use super::variables::{Variables, printed};
use crate::engine::{CopyStatus, Explained, StreamStatus, Waiting};
use crate::event::ShardName;
use crate::source::Finding;
use crate::sql::Target;
use crate::sql::expr::{BinaryOp, Expr, Literal, UnaryOp};
use crate::sql::show::Filter;
use crate::sql::sqlite::Warning;

/// SHOW DATABASES and SHOW KEYSPACES.
pub fn databases<'a>(
    names: impl Iterator<Item = &'a str>,
    filter: Option<&Filter>,
) -> Result<Table, Failure> {
    let mut table = Table::of_texts(&["Database"]);
    table.rows = names.map(|name| vec![Some(name.to_owned())]).collect();
    keep(table, filter)
}

/// SHOW VITESS_SHARDS.
pub fn shards<'a>(
    shards: impl Iterator<Item = &'a ShardName>,
    filter: Option<&Filter>,
) -> Result<Table, Failure> {
    let mut table = Table::of_texts(&["Shards"]);
    table.rows = shards.map(|shard| vec![Some(shard.to_string())]).collect();
    keep(table, filter)
}

/// SHOW VITESS_TARGET.
pub fn target(target: Option<&Target>) -> Table {
    let mut table = Table::of_texts(&["Target"]);
    table.rows = vec![vec![Some(target.map(ToString::to_string).unwrap_or_default())]];
    table
}

/// SHOW VARIABLES.
pub fn variables(variables: &Variables, filter: Option<&Filter>) -> Result<Table, Failure> {
    let rows = variables.all().map(|(name, value)| vec![Some(name.to_owned()), Some(value)]);
    let table = Table { rows: rows.collect(), ..name_and_value() };
    keep(table, filter)
}

/// SHOW STATUS.
pub fn status(
    entries: impl IntoIterator<Item = (&'static str, String)>,
    filter: Option<&Filter>,
) -> Result<Table, Failure> {
    let rows =
        entries.into_iter().map(|(name, value)| vec![Some(name.to_owned()), Some(value)]).collect();
    let table = Table { rows, ..name_and_value() };
    keep(table, filter)
}

/// SHOW WARNINGS and SHOW ERRORS.
pub fn diagnostics(left: &[Warning], errors: bool, offset: u64, limit: Option<u64>) -> Table {
    let mut table = Table::of_texts(&["Level", "Code", "Message"]);
    let row = |left: &Warning| {
        vec![Some(left.level.to_owned()), Some(left.code.to_string()), Some(left.message.clone())]
    };
    let count = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    let shown = left.iter().filter(|left| !errors || left.level == ERROR);
    let page = shown.skip(count(offset)).take(limit.map_or(usize::MAX, count));
    table.rows = page.map(row).collect();
    table
}

/// SHOW COUNT(*) WARNINGS and SHOW COUNT(*) ERRORS.
pub fn count(left: &[Warning], errors: bool) -> Table {
    let name = if errors { "@@session.error_count" } else { "@@session.warning_count" };
    let mut table = Table::of_texts(&[name]);
    let count = left.iter().filter(|left| !errors || left.level == ERROR).count();
    table.rows = vec![vec![Some(count.to_string())]];
    table
}

/// SHOW GRANTS: every user may do everything.
pub fn grants(user: &str) -> Table {
    let mut table = Table::of_texts(&[&format!("Grants for {user}@%")]);
    table.rows = vec![vec![Some(format!("GRANT ALL PRIVILEGES ON *.* TO `{user}`@`%`"))]];
    table
}

/// SHOW PROCESSLIST.
pub fn processlist(processes: &[Process], full: bool) -> Table {
    let mut table =
        Table::of_texts(&["Id", "User", "Host", "db", "Command", "Time", "State", "Info"]);
    let row = |process: &Process| {
        vec![
            Some(process.id.0.to_string()),
            Some(process.user.clone()),
            Some(process.peer.to_string()),
            process.database.clone(),
            Some(process.command.to_owned()),
            Some(process.since.elapsed().as_secs().to_string()),
            Some(process.state.to_owned()),
            info(process, full),
        ]
    };
    table.rows = processes.iter().map(row).collect();
    table
}

/// A connection's statement, or its beginning.
fn info(process: &Process, full: bool) -> Option<String> {
    process.info.as_ref().map(|info| match full {
        true => info.to_string(),
        false => info.chars().take(INFO_CHARACTERS).collect(),
    })
}

/// SHOW VSTREAMS; `Id` is the connection, for KILL QUERY, where a connection of this door streams.
pub fn vstreams(
    streams: &[StreamStatus],
    processes: &[Process],
    filter: Option<&Filter>,
) -> Result<Table, Failure> {
    let mut table = Table::of_texts(&[
        "Id",
        "User",
        "Client",
        "Stream",
        "Shard",
        "Tablet",
        "Phase",
        "Table",
        "Rows",
        "Percent",
        "Rate",
        "ETA",
        "Position",
        "Lag",
        "Waiting",
        "Statement",
    ]);
    let row = |stream: &StreamStatus| {
        let owner = processes.iter().find(|process| process.stream == Some(stream.id));
        let copy = stream.copy.as_ref();
        let running = copy.filter(|copy| copy.percent() != Some(100));
        vec![
            owner.map(|process| process.id.0.to_string()),
            owner.map(|process| process.user.clone()),
            owner.map(|process| process.peer.to_string()),
            Some(stream.id.to_string()),
            Some(stream.shard.to_string()),
            Some(stream.tablet.to_string()),
            Some(stream.phase.to_owned()),
            copy.and_then(|copy| copy.table.as_deref().map(str::to_owned)),
            copy.map(|copy| copy.rows.to_string()),
            copy.and_then(CopyStatus::percent).map(|percent| percent.to_string()),
            running.map(|copy| copy.rows_per_second.to_string()),
            running
                .and_then(|copy| copy.remaining)
                .map(|remaining| remaining.as_secs().to_string()),
            Some(stream.position.clone()),
            stream.lag.map(|lag| lag.to_string()),
            Some(waiting(stream, owner).to_owned()),
            owner.and_then(|process| info(process, false)),
        ]
    };
    table.rows = streams.iter().map(row).collect();
    keep(table, filter)
}

/// What a stream waits for: a client that takes nothing holds up all the rest.
fn waiting(stream: &StreamStatus, owner: Option<&Process>) -> &'static str {
    if owner.is_some_and(|process| process.state == SENDING) {
        return "client";
    }
    match stream.waiting {
        None => "",
        Some(Waiting::Reader) => "catch-up reader",
        Some(Waiting::Scarce(scarce)) => scarce.as_str(),
        Some(Waiting::Rate) => "rows_per_second_max",
        Some(Waiting::Server) => "server",
        Some(Waiting::Change) => "changes",
    }
}

/// EXPLAIN VSTREAM.
pub fn explained(entries: &[Explained]) -> Table {
    let mut table = Table::of_texts(&[
        "Shard",
        "Tablet",
        "Start",
        "Table",
        "Rule",
        "Projection",
        "Predicate",
        "Copy",
        "Findings",
    ]);
    let row = |entry: &Explained| {
        let finding = |finding: &Finding| {
            let grade = if finding.fatal { "FATAL" } else { "advice" };
            format!("{grade}: {} ({})", finding.what, finding.mend)
        };
        let findings: Vec<_> = entry.findings.iter().map(finding).collect();
        vec![
            Some(entry.shard.to_string()),
            Some(entry.tablet.clone()),
            Some(entry.start.clone()),
            Some(entry.table.to_string()),
            Some(entry.rule.clone()),
            Some(entry.projection.clone()),
            Some(entry.predicate.clone()),
            Some(entry.copy.clone()),
            Some(findings.join("\n")),
        ]
    };
    table.rows = entries.iter().map(row).collect();
    table
}

fn name_and_value() -> Table {
    Table::of_texts(&["Variable_name", "Value"])
}

/// The rows that the filter keeps.
pub fn keep(mut table: Table, filter: Option<&Filter>) -> Result<Table, Failure> {
    let mut kept = Vec::new();
    for row in std::mem::take(&mut table.rows) {
        let keeps = match filter {
            None => true,
            Some(Filter::Like(pattern)) => {
                row.first().and_then(Option::as_deref).is_some_and(|cell| like(cell, pattern))
            }
            Some(Filter::Where(condition)) => holds(condition, &table, &row)? == Some(true),
        };
        if keeps {
            kept.push(row);
        }
    }
    table.rows = kept;
    Ok(table)
}

/// Whether a row meets a condition; `None` where a NULL leaves it open.
#[allow(clippy::wildcard_enum_match_arm, reason = "all other expressions are refused alike")]
fn holds(condition: &Expr, table: &Table, row: &[Option<String>]) -> Result<Option<bool>, Failure> {
    let text = |expr: &Expr| value(expr, table, row);
    Ok(match condition {
        Expr::And(terms) => fold(terms, table, row, false)?,
        Expr::Or(terms) => fold(terms, table, row, true)?,
        Expr::Unary { op: UnaryOp::Not, operand } => holds(operand, table, row)?.map(|held| !held),
        Expr::Binary { op: BinaryOp::Eq, left, right } => equal(&text(left)?, &text(right)?),
        Expr::Binary { op: BinaryOp::NotEq, left, right } => {
            equal(&text(left)?, &text(right)?).map(|same| !same)
        }
        Expr::Like { operand, pattern, negated, escape: Some('\\') } => {
            match (text(operand)?, text(pattern)?) {
                (Some(cell), Some(pattern)) => Some(like(&cell, &pattern) != *negated),
                _ => None,
            }
        }
        Expr::In { operand, list, negated } => {
            let cell = text(operand)?;
            let mut found = Some(false);
            for item in list {
                found = match (found, equal(&cell, &text(item)?)) {
                    (Some(true), _) | (_, Some(true)) => Some(true),
                    (None, _) | (_, None) => None,
                    (Some(false), Some(false)) => Some(false),
                };
            }
            found.map(|found| found != *negated)
        }
        other => return Err(refused(other)),
    })
}

/// OR, which one true term decides, or AND, which one false term decides.
fn fold(
    terms: &[Expr],
    table: &Table,
    row: &[Option<String>],
    decides: bool,
) -> Result<Option<bool>, Failure> {
    let mut outcome = Some(!decides);
    for term in terms {
        match holds(term, table, row)? {
            Some(held) if held == decides => return Ok(Some(decides)),
            Some(_) => {}
            None => outcome = None,
        }
    }
    Ok(outcome)
}

#[allow(clippy::wildcard_enum_match_arm, reason = "all other expressions are refused alike")]
fn value(expr: &Expr, table: &Table, row: &[Option<String>]) -> Result<Option<String>, Failure> {
    match expr {
        Expr::Literal(Literal::Null) => Ok(None),
        Expr::Literal(literal) => Ok(Some(printed(&of_literal(literal)))),
        Expr::Column(column) => {
            let index = table
                .columns
                .iter()
                .position(|known| known.name.eq_ignore_ascii_case(&column.name))
                .ok_or_else(|| {
                    error::UNKNOWN_COLUMN
                        .with(format!("Unknown column '{}' in 'where clause'", column.name))
                })?;
            Ok(row.get(index).cloned().flatten())
        }
        other => Err(refused(other)),
    }
}

fn equal(left: &Option<String>, right: &Option<String>) -> Option<bool> {
    Some(left.as_ref()?.to_lowercase() == right.as_ref()?.to_lowercase())
}

/// LIKE without regard to case: `%` any text, `_` any character, `\` takes the next one as it is.
pub fn like(text: &str, pattern: &str) -> bool {
    let text: Vec<char> = text.to_lowercase().chars().collect();
    let pattern: Vec<char> = pattern.to_lowercase().chars().collect();
    // One star to fall back to is enough: an earlier one never helps where a later one fails.
    let (mut at, mut in_pattern) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    loop {
        match (pattern.get(in_pattern), text.get(at)) {
            (Some('%'), _) => {
                in_pattern += 1;
                star = Some((in_pattern, at));
                continue;
            }
            (Some('_'), Some(_)) => {
                (at, in_pattern) = (at + 1, in_pattern + 1);
                continue;
            }
            (Some('\\'), Some(char)) if pattern.get(in_pattern + 1) == Some(char) => {
                (at, in_pattern) = (at + 1, in_pattern + 2);
                continue;
            }
            (Some(wanted), Some(char)) if wanted == char => {
                (at, in_pattern) = (at + 1, in_pattern + 1);
                continue;
            }
            (None, None) => return true,
            _ => {}
        }
        match &mut star {
            Some((behind, from)) if *from < text.len() => {
                *from += 1;
                (in_pattern, at) = (*behind, *from);
            }
            _ => return false,
        }
    }
}

fn refused(expr: &Expr) -> Failure {
    error::NOT_SUPPORTED
        .with(format!("this version of vstreamd doesn't yet support '{expr}' in SHOW"))
}

/// The level of what made a statement fail.
pub const ERROR: &str = "Error";
/// Characters of a statement in SHOW PROCESSLIST without FULL.
const INFO_CHARACTERS: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        let check = |text, pattern, expected| {
            assert_eq!(like(text, pattern), expected, "{text} like {pattern}");
        };
        check("sql_mode", "SQL%", true);
        check("sql_mode", "sql_mode", true);
        check("sqlxmode", r"sql\_mode", false);
        check("sql_mode", r"sql\_mode", true);
        check("abcabc", "%b%c", true);
        check("abcabd", "%bc", false);
        check("", "%", true);
        check("", "_", false);
        check("é", "_", true);
    }

    #[test]
    fn conditions_over_the_columns_shown() {
        let name = || Box::new(Expr::column("variable_name"));
        let is = |text| Expr::Binary {
            op: BinaryOp::Eq,
            left: name(),
            right: Box::new(Expr::text(text)),
        };
        let rows = |condition| {
            let shown = variables(&Variables::default(), Some(&Filter::Where(condition)));
            shown.map(|table| table.rows.len()).map_err(|failure| failure.code)
        };
        assert_eq!(rows(Expr::Or(vec![is("workload"), is("sql_mode")])), Ok(2));
        assert_eq!(rows(Expr::And(vec![is("workload"), is("sql_mode")])), Ok(0));
        let list = vec![Expr::text("workload"), Expr::text("license"), Expr::text("x")];
        assert_eq!(rows(Expr::In { operand: name(), list, negated: false }), Ok(2));
        assert_eq!(rows(Expr::column("none")), Err(1235));
        let differs =
            |from| Expr::Binary { op: BinaryOp::NotEq, left: name(), right: Box::new(from) };
        assert_eq!(rows(differs(Expr::Literal(Literal::Null))), Ok(0), "NULL differs from nothing");
    }
}
