//! Filter rules as in Vitess: tried in order, the first whose `match` fits the table decides.

use crate::sql::filter::{FilterError, Select};

use super::internal::is_internal;

/// The rules of a stream; a table that no rule fits is not streamed.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Filter {
    /// In order; the first that fits a table decides.
    pub rules: Vec<Rule>,
}

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Rule {
    /// A table's exact name, or `/regex` (unanchored).
    pub match_: String,
    /// Which rows and columns.
    pub filter: RuleFilter,
}

/// What a rule lets through.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum RuleFilter {
    /// Everything.
    All,
    /// Rows whose keyspace id is in a range such as `-80`.
    KeyRange(String),
    /// What a SELECT names.
    Select(Select),
}

/// A rule's match, compiled.
#[derive(Debug, Clone)]
pub enum Matcher {
    /// One table.
    Exact(String),
    /// Every table in whose name it finds something.
    Regex(regex::Regex),
}

impl Matcher {
    /// Whether it is about a table, by its name without keyspace.
    pub fn fits(&self, table: &str) -> bool {
        match self {
            Self::Exact(name) => name == table,
            Self::Regex(regex) => regex.is_match(table),
        }
    }
}

/// Why a text is no rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// The match is no regular expression; in the words of Go's parser where it has the same case.
    #[error("error parsing regexp: {0}")]
    Regex(String),
    /// One bound, or none.
    #[error("malformed spec: doesn't define a range: {0:?}")]
    NoRange(String),
    /// More than two bounds, or one that is not hexadecimal.
    #[error("error parsing keyrange: {0}")]
    KeyRange(String),
    /// Neither empty, nor a key range, nor a SELECT that fits.
    #[error(transparent)]
    Select(FilterError),
    /// A SELECT names one table, a regular expression many.
    #[error("unsupported: a rule that matches by regular expression takes a key range, not {0}")]
    SelectByRegex(String),
}

impl Filter {
    /// The rule that decides about a table, by its name without keyspace; none about an internal
    /// one.
    pub fn rule(&self, table: &str) -> Result<Option<&Rule>, RuleError> {
        if is_internal(table) {
            return Ok(None);
        }
        for rule in &self.rules {
            if rule.fits(table)? {
                return Ok(Some(rule));
            }
        }
        Ok(None)
    }

    /// Reads one rule as Vitess's clients write it: a match, and `""`, a key range or a SELECT.
    pub fn parse_rule(match_: &str, filter: &str) -> Result<Rule, RuleError> {
        let filter = match RuleFilter::range(filter)? {
            Some(filter) => filter,
            None => RuleFilter::Select(Select::parse(filter).map_err(RuleError::Select)?),
        };
        let rule = Rule { match_: match_.to_owned(), filter };
        rule.check().map(|()| rule)
    }

    /// Whether every rule is one; a rule behind one that fits everything is looked at too.
    pub fn check(&self) -> Result<(), RuleError> {
        self.rules.iter().try_for_each(Rule::check)
    }
}

impl Rule {
    /// All rows and columns of one table.
    pub fn all(table: &str) -> Self {
        Self { match_: table.to_owned(), filter: RuleFilter::All }
    }

    /// All rows and columns of every table.
    pub fn everything() -> Self {
        Self::all("/.*/")
    }

    /// What a SELECT names, of the table that it names.
    pub fn select(select: Select) -> Self {
        Self { match_: select.table.clone(), filter: RuleFilter::Select(select) }
    }

    /// Whether this rule is about a table, by its name without keyspace.
    pub fn fits(&self, table: &str) -> Result<bool, RuleError> {
        Ok(self.matcher()?.fits(table))
    }

    /// The match made ready for many tables.
    pub fn matcher(&self) -> Result<Matcher, RuleError> {
        Ok(match self.pattern() {
            Some(pattern) => Matcher::Regex(regex(pattern)?),
            None => Matcher::Exact(self.match_.clone()),
        })
    }

    fn check(&self) -> Result<(), RuleError> {
        if let Some(pattern) = self.pattern() {
            regex(pattern)?;
        }
        match (&self.filter, self.pattern()) {
            (RuleFilter::Select(select), Some(_)) => {
                Err(RuleError::SelectByRegex(select.to_string()))
            }
            (RuleFilter::KeyRange(range), _) => check_range(range),
            (RuleFilter::All | RuleFilter::Select(_), _) => Ok(()),
        }
    }

    fn pattern(&self) -> Option<&str> {
        self.match_.starts_with('/').then(|| self.match_.trim_matches('/'))
    }
}

impl RuleFilter {
    /// Reads a filter that is no SELECT: `""` or a key range; `None` leaves a SELECT to `sql`.
    pub fn range(text: &str) -> Result<Option<Self>, RuleError> {
        let text = text.trim();
        if text.is_empty() {
            return Ok(Some(Self::All));
        }
        if text.contains(|c: char| !c.is_ascii_hexdigit() && c != '-') {
            return Ok(None);
        }
        check_range(text)?;
        Ok(Some(Self::KeyRange(text.to_owned())))
    }
}

/// A rule as users read it, in EXPLAIN and in errors.
impl std::fmt::Display for Rule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.filter {
            RuleFilter::All => write!(f, "{}", self.match_),
            RuleFilter::KeyRange(range) => write!(f, "{}: {range}", self.match_),
            RuleFilter::Select(select) => write!(f, "{}: {select}", self.match_),
        }
    }
}

fn check_range(range: &str) -> Result<(), RuleError> {
    let bounds: Vec<&str> = range.split('-').collect();
    let is_bound = |bound: &&str| {
        bound.len().is_multiple_of(2) && bound.bytes().all(|byte| byte.is_ascii_hexdigit())
    };
    match bounds.as_slice() {
        [] | [_] => Err(RuleError::NoRange(range.to_owned())),
        [from, to] if is_bound(from) && is_bound(to) => Ok(()),
        _ => Err(RuleError::KeyRange(range.to_owned())),
    }
}

fn regex(pattern: &str) -> Result<regex::Regex, RuleError> {
    let build = regex::RegexBuilder::new(pattern).size_limit(REGEX_BYTES_MAX).build();
    build.map_err(|error| {
        let text = error.to_string();
        let operator = pattern.chars().find(|c| matches!(c, '*' | '+' | '?' | '{'));
        match operator {
            Some(operator) if text.contains("repetition operator missing expression") => {
                let words = "missing argument to repetition operator";
                RuleError::Regex(format!("{words}: `{operator}`"))
            }
            _ => {
                let last = text.lines().last().unwrap_or_default();
                let reason = last.trim_start_matches("error: ");
                RuleError::Regex(format!("{reason}: `{pattern}`"))
            }
        }
    })
}

/// A client's pattern must not take the process's memory.
const REGEX_BYTES_MAX: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    fn check(matches: &[&str], table: &str, expected: Option<usize>) {
        let filter = Filter { rules: matches.iter().copied().map(Rule::all).collect() };
        let found = filter.rule(table).unwrap();
        assert_eq!(found, expected.map(|index| &filter.rules[index]), "{matches:?} for {table}");
    }

    #[test]
    fn the_first_match_wins_and_regexes_are_unanchored() {
        check(&["t1", "/.*/"], "t1", Some(0));
        check(&["t1", "/.*/"], "t2", Some(1));
        check(&["t1"], "T1", None);
        check(&["/yes.*/"], "xyes1", Some(0));
        check(&["/es_s/"], "yes_stream", Some(0));
        check(&["/.*"], "anything", Some(0));
        check(&["/t1/"], "t1", Some(0));
        check(&["/^t1$/"], "t12", None);
        check(&[], "t1", None);
    }

    #[test]
    fn a_bad_regex_is_told_in_vitess_words() {
        let filter = Filter { rules: vec![Rule::all("/*/")] };
        let error = filter.rule("t1").unwrap_err().to_string();
        assert_eq!(error, "error parsing regexp: missing argument to repetition operator: `*`");
        assert_eq!(filter.check().unwrap_err().to_string(), error);
    }

    #[test]
    fn key_ranges() {
        let range = |text: &str| RuleFilter::range(text).map_err(|error| error.to_string());
        assert_eq!(range(""), Ok(Some(RuleFilter::All)));
        assert_eq!(range("-80"), Ok(Some(RuleFilter::KeyRange("-80".into()))));
        assert_eq!(range("80"), Err("malformed spec: doesn't define a range: \"80\"".into()));
        assert_eq!(range("-80-"), Err("error parsing keyrange: -80-".into()));
        assert_eq!(range("select * from t"), Ok(None));
    }

    #[test]
    fn rules_as_clients_write_them() {
        let rule = Filter::parse_rule("t1", "select id from t1 where id in (1, 2)").unwrap();
        assert_eq!(rule.to_string(), "t1: select id from t1 where id IN (1, 2)");
        assert_eq!(Filter::parse_rule("/.*/", "").unwrap(), Rule::everything());
        let error = |match_: &str, filter: &str| {
            Filter::parse_rule(match_, filter).unwrap_err().to_string()
        };
        assert_eq!(error("t1", "80"), "malformed spec: doesn't define a range: \"80\"");
        assert!(error("/.*/", "select * from t1").starts_with("unsupported: a rule that matches"));
        assert_eq!(error("t1", "delete from t1"), "unsupported: delete from t1");
    }
}
