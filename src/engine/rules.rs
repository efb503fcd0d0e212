//! A request's filter made ready: which rule decides on a table, and plans per schema version.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use crate::event::collation::lower_name;
use crate::event::{Ddl, TableName, TableSchema};
use crate::plan::{
    Filter, Matcher, PlanError, Rule, RuleError, RuleFilter, TablePlan, is_internal,
};
use crate::source::Scope;

/// The rules of one stream.
#[derive(Debug)]
pub(super) struct Rules {
    rules: Vec<(Matcher, Rule)>,
    copy_only: BTreeSet<String>,
}

impl Rules {
    /// Compiles the rules' expressions once, for as long as the stream lives.
    pub fn new(filter: &Filter, tables_to_copy: &[String]) -> Result<Self, RuleError> {
        filter.check()?;
        let rules = filter.rules.iter().map(|rule| Ok((rule.matcher()?, rule.clone())));
        Ok(Self {
            rules: rules.collect::<Result<_, _>>()?,
            copy_only: tables_to_copy.iter().cloned().collect(),
        })
    }

    /// Names tables in lower case, as a source does that takes them in any case; whether that
    /// changes a name. What is matched by a regular expression is the source's spelling.
    pub fn fold(&mut self) -> bool {
        let spelled: Vec<_> = self.named().map(str::to_owned).collect();
        for (matcher, rule) in &mut self.rules {
            if let Matcher::Exact(name) = matcher {
                *name = lower_name(name);
                rule.match_.clone_from(name);
                if let RuleFilter::Select(select) = &mut rule.filter {
                    select.table = lower_name(&select.table);
                }
            }
        }
        let copy_only = self.copy_only.iter().map(|name| lower_name(name)).collect();
        let copy_only_was = std::mem::replace(&mut self.copy_only, copy_only);
        !self.named().eq(spelled.iter().map(String::as_str)) || copy_only_was != self.copy_only
    }

    /// The first rule that fits a table; none if the stream does not see it.
    pub fn rule(&self, table: &str) -> Option<&Rule> {
        if is_internal(table) {
            return None;
        }
        self.rules.iter().find(|(matcher, _)| matcher.fits(table)).map(|(_, rule)| rule)
    }

    /// Whether a table takes part in a copy.
    pub fn copies(&self, table: &str) -> bool {
        self.rule(table).is_some() && (self.copy_only.is_empty() || self.copy_only.contains(table))
    }

    /// The tables that are named and not only matched.
    pub fn named(&self) -> impl Iterator<Item = &str> {
        let exact = |(matcher, _): &&(Matcher, Rule)| matches!(matcher, Matcher::Exact(_));
        self.rules.iter().filter(exact).map(|(_, rule)| &*rule.match_)
    }

    /// Whether a table that is not named can fit.
    pub fn match_more_than_named(&self) -> bool {
        self.rules.iter().any(|(matcher, _)| matches!(matcher, Matcher::Regex(_)))
    }

    /// The tables that a source has to read.
    pub fn scope(&self, keyspace: &str) -> Scope {
        let named = self.named().filter(|table| !is_internal(table));
        let mut scope = Scope::tables(named.map(|table| TableName::new(keyspace, table)));
        for (matcher, _) in &self.rules {
            if let Matcher::Regex(regex) = matcher {
                let (pattern, regex) = (regex.as_str().to_owned(), regex.clone());
                let is_all = pattern == Scope::EVERYTHING;
                scope.add_pattern(&pattern, move |table| {
                    !is_internal(table) && (is_all || regex.is_match(table))
                });
            }
        }
        scope
    }

    /// A number for these rules, the same in every process, that other rules hardly have.
    pub fn hash(&self) -> u64 {
        let mut hash = Hash::default();
        for (_, rule) in &self.rules {
            hash.add(rule.to_string().as_bytes());
        }
        for table in &self.copy_only {
            hash.add(table.as_bytes());
        }
        hash.0
    }
}

/// FNV-1a: small, and the same for ever, as tokens must be.
#[derive(Debug)]
pub(super) struct Hash(pub u64);

impl Default for Hash {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Hash {
    /// Adds bytes and their end.
    pub fn add(&mut self, bytes: &[u8]) {
        for byte in bytes.iter().copied().chain([0xff]) {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
        }
    }
}

/// What a table's key looks like; a copy can go on behind a key only in the same shape.
pub(super) fn key_shape(schema: &TableSchema) -> u64 {
    let mut hash = Hash::default();
    for column in key_columns(schema).filter_map(|index| schema.columns.get(index)) {
        hash.add(column.name.as_bytes());
        hash.add(column.declared.as_bytes());
        hash.add(&column.collation.0.to_le_bytes());
    }
    hash.0
}

/// The columns that order a copy: the key's, or all where there is no key.
pub(super) fn key_columns(schema: &TableSchema) -> impl Iterator<Item = usize> {
    let all = if schema.key.is_empty() { 0..schema.columns.len() } else { 0..0 };
    schema.key.iter().copied().chain(all)
}

/// The tables that a stream has met, each with the plan for its newest shape.
#[derive(Debug, Default)]
pub(super) struct Tables {
    known: HashMap<Arc<str>, Table>,
}

/// One table in its newest shape.
#[derive(Debug)]
pub(super) struct Table {
    schema: Arc<TableSchema>,
    /// None if no rule fits.
    pub plan: Option<Arc<TablePlan>>,
    /// The client has been told this shape.
    pub told: bool,
    pub key_shape: u64,
}

impl Tables {
    /// The table as it is in this shape.
    pub fn bind(
        &mut self,
        rules: &Rules,
        schema: &Arc<TableSchema>,
    ) -> Result<&mut Table, PlanError> {
        let name = &schema.name.table;
        let known = self
            .known
            .get(name)
            .is_some_and(|table| Arc::ptr_eq(&table.schema, schema) || table.schema == *schema);
        if !known {
            let plan = rules.rule(name).map(|rule| TablePlan::new(rule, schema)).transpose()?;
            let table = Table {
                schema: Arc::clone(schema),
                plan: plan.map(Arc::new),
                told: false,
                key_shape: key_shape(schema),
            };
            self.known.insert(Arc::clone(name), table);
        }
        let table = self.known.get_mut(name).expect("just put there, or known before");
        if !Arc::ptr_eq(&table.schema, schema) {
            table.schema = Arc::clone(schema);
        }
        Ok(table)
    }

    /// Whether a table's shape has to be told now; it will not have to be the next time.
    pub fn tell(&mut self, table: &str) -> bool {
        let table = self.known.get_mut(table).expect("a table is bound before it is told");
        !std::mem::replace(&mut table.told, true)
    }

    /// All shapes have to be told again.
    pub fn forget_told(&mut self) {
        for table in self.known.values_mut() {
            table.told = false;
        }
    }

    /// A statement may have changed these tables.
    pub fn forget(&mut self, ddl: &Ddl) {
        if ddl.tables.is_empty() {
            self.known.clear();
        }
        for table in &ddl.tables {
            self.known.remove(&table.table);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(matches: &[&str]) -> Rules {
        let rules = matches.iter().map(|m| Rule::all(m)).collect();
        Rules::new(&Filter { rules }, &[]).unwrap()
    }

    #[test]
    fn the_first_rule_that_fits_decides() {
        let rules = rules(&["t1", "/es_s/", "/x/"]);
        for (table, expected) in [
            ("t1", Some("t1")),
            ("t12", None),
            ("yes_stream", Some("/es_s/")),
            ("axb", Some("/x/")),
        ] {
            assert_eq!(rules.rule(table).map(|rule| &*rule.match_), expected, "{table}");
        }
        assert_eq!(rules.named().collect::<Vec<_>>(), ["t1"]);
        let scope = rules.scope("ks");
        for table in ["t1", "t12", "yes_stream", "axb", "_x_old", "x_old"] {
            let name = TableName::new("ks", table);
            assert_eq!(scope.has(&name), rules.rule(table).is_some(), "{table}");
        }
    }
}
