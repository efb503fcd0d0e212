//! Which tables anybody reads.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use crate::event::TableName;

/// Which tables anybody reads. Rows of others are left out of their transactions: undecoded, and
/// without a look at what their columns are.
///
/// Many streams share one reading, so that scopes are compared and joined. A pattern is known by its
/// text: those of one text fit the same tables.
#[derive(Clone, Default)]
pub struct Scope {
    tables: BTreeSet<TableName>,
    patterns: BTreeMap<Arc<str>, Fits>,
}

/// Whether a pattern fits a table, by its name without keyspace.
type Fits = Arc<dyn Fn(&str) -> bool + Send + Sync>;

impl Scope {
    /// The pattern that fits whatever any other fits.
    pub const EVERYTHING: &str = ".*";

    /// Every table of the keyspace.
    pub fn all() -> Self {
        let mut scope = Self::default();
        scope.add_pattern(Self::EVERYTHING, |_| true);
        scope
    }

    /// These tables.
    pub fn tables(tables: impl IntoIterator<Item = TableName>) -> Self {
        Self { tables: tables.into_iter().collect(), patterns: BTreeMap::new() }
    }

    /// Adds the tables that a pattern fits, by their names without keyspace.
    pub fn add_pattern(
        &mut self,
        pattern: &str,
        fits: impl Fn(&str) -> bool + Send + Sync + 'static,
    ) {
        self.patterns.insert(pattern.into(), Arc::new(fits));
    }

    /// Adds what another one has.
    pub fn join(&mut self, other: &Self) {
        self.tables.extend(other.tables.iter().cloned());
        for (pattern, fits) in &other.patterns {
            self.patterns.entry(Arc::clone(pattern)).or_insert_with(|| Arc::clone(fits));
        }
    }

    /// Whether rows of this table are wanted.
    pub fn has(&self, table: &TableName) -> bool {
        self.tables.contains(table) || self.patterns.values().any(|fits| fits(&table.table))
    }

    /// Whether whoever reads this also reads everything that the other one wants.
    pub fn covers(&self, other: &Self) -> bool {
        let has_pattern = |pattern: &Arc<str>| self.patterns.contains_key(&**pattern);
        (self.patterns.contains_key(Self::EVERYTHING) || other.patterns.keys().all(has_pattern))
            && other.tables.iter().all(|table| self.has(table))
    }
}

impl PartialEq for Scope {
    fn eq(&self, other: &Self) -> bool {
        self.tables == other.tables && self.patterns.keys().eq(other.patterns.keys())
    }
}

impl Eq for Scope {}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope")
            .field("tables", &self.tables)
            .field("patterns", &self.patterns.keys())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Words: a table, or a text that names begin with and a star.
    fn scope(words: &str) -> Scope {
        let (patterns, tables): (Vec<_>, Vec<_>) =
            words.split_whitespace().partition(|word| word.ends_with('*'));
        let mut scope = Scope::tables(tables.iter().map(|table| TableName::new("ks", table)));
        for pattern in patterns {
            let beginning = pattern.trim_end_matches(['.', '*']).to_owned();
            scope.add_pattern(pattern, move |table| table.starts_with(&beginning));
        }
        scope
    }

    fn check(have: &str, want: &str, covers: bool) {
        assert_eq!(scope(have).covers(&scope(want)), covers, "{have} for {want}");
        let mut both = scope(have);
        both.join(&scope(want));
        assert!(both.covers(&scope(want)) && both.covers(&scope(have)), "{have} with {want}");
    }

    #[test]
    fn what_is_read_is_read_for_all_who_want_no_more() {
        check("a b", "a", true);
        check("a", "a b", false);
        check("a*", "a*", true);
        check("a*", "b*", false);
        check("a*", "ab*", false);
        check(".*", "b*", true);
        check("a", "a*", false);
        check("a b*", "", true);
        let both = scope("t a*");
        for (table, has) in [("t", true), ("t1", false), ("a", true), ("ab", true), ("b", false)] {
            assert_eq!(both.has(&TableName::new("ks", table)), has, "{table}");
        }
        assert!(scope("a*").covers(&scope("a ab")) && !scope("a*").covers(&scope("b")));
        assert!(Scope::all().has(&TableName::new("ks", "t")) && Scope::all().covers(&both));
    }
}
