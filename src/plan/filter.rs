//! Filter rules as in Vitess: tried in order, the first whose `match` fits the table decides.

/// The rules of a stream; none means everything.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Filter {
    /// In order; the first that fits a table decides.
    pub rules: Vec<Rule>,
}

/// One rule.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// A table's exact name, or `/regex` (unanchored).
    pub match_: String,
    /// `""` for all rows and columns, a key range, or `select ... from <table> [where ...]`.
    pub filter: String,
}
