//! One rule bound to one version of a table: which of its rows and columns a stream sees.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use super::filter::{Rule, RuleFilter};
use super::predicate::{Predicate, Scope};
use super::projection::{Image, Projection};
use crate::event::collation::CollationError;
use crate::event::{Op, Row, RowChange, TableSchema};
use crate::sql::Expr;

/// A rule bound to a schema: which rows and columns of the table a stream sees.
///
/// An update is judged on both images: into the filter it is an insert, out of it a delete.
/// A predicate that names `old.`, `new.`, `op` or CHANGED() is judged once per change and leaves
/// `op` alone; for an insert, and so in a copy, `old.x` is NULL and CHANGED false.
#[derive(Debug)]
pub struct TablePlan {
    rule: Rule,
    schema: Arc<TableSchema>,
    projection: Option<Projection>,
    predicate: Option<Predicate>,
}

/// Buffers that [`TablePlan::apply`] reuses from row to row.
#[derive(Debug, Default)]
pub struct Scratch {
    pub(super) predicate: super::predicate::Scratch,
    before: Image,
    after: Image,
}

/// What a plan makes of a row change.
#[derive(Debug)]
pub enum Applied<'a> {
    /// The change passes as it is.
    Same,
    /// The stream does not see the change.
    Without,
    /// The stream sees this instead.
    Changed(RowChange<'a>),
}

/// Why a rule does not fit a table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// The table has no such column. MySQL's 1054.
    #[error("column `{column}` not found in table {table}")]
    NoColumn {
        /// What the rule names.
        column: String,
        /// Where it is not.
        table: String,
        /// The part of the statement that names it, in MySQL's words.
        clause: &'static str,
    },
    /// The SELECT of a rule names another table than its match.
    #[error(
        "unsupported: select expression table {select} does not match the table entry name {table}"
    )]
    OtherTable {
        /// The SELECT's table.
        select: String,
        /// The rule's.
        table: String,
    },
    /// A key range or `keyspace_id()` needs a primary vindex.
    #[error("table {0} has no primary vindex; key ranges are not supported yet")]
    NoVindex(String),
    /// There is no such function. MySQL's 1305.
    #[error("FUNCTION {0} does not exist")]
    NoFunction(String),
    /// MySQL's 1582.
    #[error("Incorrect parameter count in the call to native function '{0}'")]
    Arguments(String),
    /// MySQL's 1267.
    #[error("Illegal mix of collations ({left}) and ({right}) for operation '{operation}'")]
    CollationMix {
        /// One side's.
        left: String,
        /// The other side's.
        right: String,
        /// The operator or function.
        operation: String,
    },
    /// MySQL's 1273.
    #[error("Unknown collation: '{0}'")]
    UnknownCollation(String),
    /// A collation without weights.
    #[error(transparent)]
    Collation(#[from] CollationError),
    /// A text in a character set that is not known here.
    #[error("column `{column}` has a character set that is not supported")]
    UnknownCharset {
        /// Whose.
        column: String,
    },
    /// A text that is compared with a date or time and is none. MySQL's 1525.
    #[error("Incorrect {kind} value: '{value}'")]
    Incorrect {
        /// DATE, DATETIME or TIME.
        kind: &'static str,
        /// The literal.
        value: String,
    },
    /// A constant part of the predicate has no value.
    #[error(transparent)]
    Constant(#[from] EvalError),
    /// MySQL knows this; we would have to guess.
    #[error("unsupported: {0}")]
    Unsupported(String),
}

/// Why a predicate cannot judge a row.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EvalError {
    /// MySQL's 1690.
    #[error("{kind} value is out of range in '{expression}'")]
    OutOfRange {
        /// BIGINT, BIGINT UNSIGNED, DECIMAL or DOUBLE.
        kind: &'static str,
        /// The operation.
        expression: Box<str>,
    },
    /// The image is partial and leaves out what the rule needs.
    #[error("column `{0}` is not in the row image; the rule needs binlog_row_image=FULL")]
    Absent(Arc<str>),
    /// A cell is no value of its column's type.
    #[error("column `{0}` holds no value of its type")]
    Malformed(Arc<str>),
    /// Texts that cannot be compared.
    #[error(transparent)]
    Collation(#[from] CollationError),
}

impl TablePlan {
    /// Binds a rule to a schema. The rule's match is not looked at: see [`super::Filter::rule`].
    pub fn new(rule: &Rule, schema: &Arc<TableSchema>) -> Result<Self, PlanError> {
        let (projection, predicate) = match &rule.filter {
            RuleFilter::All => (None, None),
            RuleFilter::KeyRange(_) => {
                return Err(PlanError::NoVindex(schema.name.table.to_string()));
            }
            RuleFilter::Select(select) if select.table != *schema.name.table => {
                return Err(PlanError::OtherTable {
                    select: select.table.clone(),
                    table: schema.name.table.to_string(),
                });
            }
            RuleFilter::Select(select) => {
                let projection = Projection::new(&select.items, schema)?;
                let condition = select.condition.as_ref();
                let predicate = condition.map(|condition| Predicate::new(condition, schema));
                (projection, predicate.transpose()?)
            }
        };
        Ok(Self { rule: rule.clone(), schema: Arc::clone(schema), projection, predicate })
    }

    /// The rule.
    pub const fn rule(&self) -> &Rule {
        &self.rule
    }

    /// The source's schema.
    pub const fn schema(&self) -> &Arc<TableSchema> {
        &self.schema
    }

    /// The schema that clients see; the source's own if the rule selects `*`.
    pub fn output(&self) -> &Arc<TableSchema> {
        self.projection.as_ref().map_or(&self.schema, Projection::output)
    }

    /// The condition on rows, as EXPLAIN shows it.
    pub fn condition(&self) -> Option<&Expr> {
        match &self.rule.filter {
            RuleFilter::Select(select) => select.condition.as_ref(),
            RuleFilter::All | RuleFilter::KeyRange(_) => None,
        }
    }

    /// A condition that every row of a copy meets which the plan lets through, and that means the
    /// same to every source; `None` if there is none. Rows still have to be judged.
    pub fn pushdown(&self) -> Option<Expr> {
        super::pushdown::pushdown(self.condition()?, &self.schema)
    }

    /// A number that changes with the rule and with the schema, the same in every process.
    pub fn plan_hash(&self) -> u64 {
        let mut hasher = Fnv(0xcbf2_9ce4_8422_2325);
        self.rule.hash(&mut hasher);
        self.schema.hash(&mut hasher);
        hasher.finish()
    }

    /// Whether every change passes as it is.
    pub const fn passes_all(&self) -> bool {
        self.predicate.is_none() && self.projection.is_none()
    }

    /// Judges one change and shows what the stream sees of it.
    #[inline]
    pub fn apply<'a>(
        &'a self,
        change: RowChange<'a>,
        scratch: &'a mut Scratch,
    ) -> Result<Applied<'a>, EvalError> {
        if self.passes_all() { Ok(Applied::Same) } else { self.apply_rule(&change, scratch) }
    }

    // By reference, so that nothing is copied for those that pass.
    fn apply_rule<'a>(
        &'a self,
        change: &RowChange<'a>,
        scratch: &'a mut Scratch,
    ) -> Result<Applied<'a>, EvalError> {
        let seen = match &self.predicate {
            None => Some(*change),
            Some(predicate) => judge(predicate, *change, &mut scratch.predicate)?,
        };
        let Some(seen) = seen else { return Ok(Applied::Without) };
        let Some(projection) = &self.projection else {
            let whole = seen.op() == change.op();
            return Ok(if whole { Applied::Same } else { Applied::Changed(seen) });
        };
        let write = |row: Option<Row<'_>>, image: &mut Image| match row {
            Some(row) if !projection.write(row, image) => {
                Err(EvalError::Malformed(Arc::clone(&self.schema.name.table)))
            }
            _ => Ok(()),
        };
        write(seen.before, &mut scratch.before)?;
        write(seen.after, &mut scratch.after)?;
        Ok(Applied::Changed(RowChange {
            before: seen.before.map(|_| scratch.before.row()),
            after: seen.after.map(|_| scratch.after.row()),
        }))
    }
}

/// The part of a change that meets the predicate.
fn judge<'a>(
    predicate: &Predicate,
    change: RowChange<'a>,
    scratch: &mut super::predicate::Scratch,
) -> Result<Option<RowChange<'a>>, EvalError> {
    if predicate.scope() == Scope::Change {
        return Ok(predicate.holds(change, scratch)?.then_some(change));
    }
    let mut meets = |row: Option<Row<'a>>| -> Result<Option<Row<'a>>, EvalError> {
        let Some(image) = row else { return Ok(None) };
        let alone = RowChange { before: None, after: Some(image) };
        Ok(predicate.holds(alone, scratch)?.then_some(image))
    };
    let seen = RowChange { before: meets(change.before)?, after: meets(change.after)? };
    let none = seen.before.is_none() && seen.after.is_none();
    debug_assert!(none || change.op() == Op::Update || seen.op() == change.op());
    Ok((!none).then_some(seen))
}

/// FNV-1a: tokens outlive the process and the compiler, which std's hasher does not promise to.
struct Fnv(u64);

impl Hasher for Fnv {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::row::{push_cell, push_null};
    use crate::event::{Cell, CollationId, Column, ColumnType, Presence, TableName};
    use crate::sql::expr::{BinaryOp, ColumnRef, Image, Literal};
    use crate::sql::filter::{Item, Select};

    fn schema() -> Arc<TableSchema> {
        let int = ColumnType::Int { bytes: 8, unsigned: false };
        let text = ColumnType::VarChar { length: 20 };
        Arc::new(TableSchema {
            name: TableName::new("ks", "t"),
            columns: vec![
                Column::plain("id", int, CollationId::BINARY),
                Column::plain("val", text.clone(), CollationId::UTF8MB4_0900_AI_CI),
                Column::plain("old_text", text, CollationId::LATIN1_SWEDISH_CI),
            ],
            key: vec![0],
            key_is_primary: true,
        })
    }

    fn rule(items: Vec<Item>, condition: Option<Expr>) -> Rule {
        Rule::select(Select { items, table: "t".into(), condition })
    }

    fn column(name: &str) -> Item {
        Item::Column { name: name.into(), alias: None }
    }

    fn binary(op: BinaryOp, left: Expr, right: Expr) -> Expr {
        Expr::Binary { op, left: Box::new(left), right: Box::new(right) }
    }

    fn val_is(text: &str) -> Option<Expr> {
        Some(binary(BinaryOp::Eq, Expr::column("val"), Expr::text(text)))
    }

    fn row(cells: &[Option<&[u8]>]) -> Vec<u8> {
        let mut row = Vec::new();
        for cell in cells {
            match cell {
                Some(cell) => push_cell(&mut row, cell),
                None => push_null(&mut row),
            }
        }
        row
    }

    /// `(id,val)->(id,val)` as the stream sees it; absent images are empty.
    fn check(rule: &Rule, before: Option<&str>, after: Option<&str>, expected: &str) {
        let plan = TablePlan::new(rule, &schema()).unwrap();
        let image = |text: &str| {
            let (id, val) = text.split_once(',').unwrap();
            row(&[Some(id.as_bytes()), Some(val.as_bytes()), Some(b"\xe9")])
        };
        let (before, after) = (before.map(image), after.map(image));
        let change = RowChange {
            before: before.as_deref().map(|row| Row::new(row, None)),
            after: after.as_deref().map(|row| Row::new(row, None)),
        };
        let mut scratch = Scratch::default();
        let seen = match plan.apply(change, &mut scratch).unwrap() {
            Applied::Same => "same".to_owned(),
            Applied::Without => "without".to_owned(),
            Applied::Changed(seen) => {
                format!("{}->{}", show(seen.before), show(seen.after))
            }
        };
        assert_eq!(seen, expected);
    }

    fn show(row: Option<Row<'_>>) -> String {
        let cells = row.into_iter().flat_map(Row::cells);
        let cells = cells.map(|cell| match cell {
            Cell::Text(text) => String::from_utf8_lossy(text).into_owned(),
            Cell::Null => "NULL".to_owned(),
            Cell::Absent => "absent".to_owned(),
        });
        cells.collect::<Vec<_>>().join(",")
    }

    #[test]
    fn an_update_is_judged_on_both_images() {
        let rule = rule(vec![column("id"), column("val")], val_is("a"));
        check(&rule, Some("1,b"), Some("1,a"), "->1,a");
        check(&rule, Some("1,A"), Some("1,b"), "1,A->");
        check(&rule, Some("1,b"), Some("1,c"), "without");
        check(&rule, Some("1,a"), Some("2,Á"), "1,a->2,Á");
        check(&rule, None, Some("1,b"), "without");
        check(&rule, Some("1,a"), None, "1,a->");
    }

    #[test]
    fn all_columns_are_not_copied() {
        check(&Rule::all("t"), Some("1,a"), Some("1,b"), "same");
        check(&rule(vec![Item::All], val_is("a")), Some("1,a"), Some("2,a"), "same");
        let plan = TablePlan::new(&rule(vec![Item::All], None), &schema()).unwrap();
        assert!(Arc::ptr_eq(plan.output(), plan.schema()));
    }

    #[test]
    fn a_change_is_judged_once_and_keeps_its_op() {
        let old =
            |name: &str| Expr::Column(ColumnRef { image: Some(Image::Old), name: name.to_owned() });
        let came_in = binary(BinaryOp::NotEq, old("val"), Expr::column("val"));
        let by_old = rule(vec![Item::All], Some(came_in));
        check(&by_old, Some("1,a"), Some("1,b"), "same");
        check(&by_old, Some("1,a"), Some("1,A"), "without");
        check(&by_old, None, Some("1,b"), "without");
        let changed = rule(vec![column("id")], Some(Expr::Changed(vec!["val".into()])));
        check(&changed, Some("1,a"), Some("1,A"), "1->1");
        check(&changed, Some("1,a"), Some("2,a"), "without");
        check(&changed, None, Some("2,a"), "without");
        let deleted =
            rule(vec![column("id")], Some(binary(BinaryOp::Eq, Expr::Op, Expr::text("-"))));
        check(&deleted, Some("1,a"), None, "1->");
        check(&deleted, Some("1,a"), Some("1,a"), "without");
    }

    #[test]
    fn items_become_columns() {
        let alias = Some("n".to_owned());
        let items = vec![
            Item::Column { name: "VAL".into(), alias },
            Item::One { alias: None },
            Item::Utf8mb4 { column: "old_text".into(), alias: None },
        ];
        let rule = rule(items, None);
        check(&rule, None, Some("1,a"), "->a,1,é");
        let plan = TablePlan::new(&rule, &schema()).unwrap();
        let names: Vec<_> = plan.output().columns.iter().map(|c| c.name.to_string()).collect();
        assert_eq!(names, ["n", "1", "old_text"]);
        assert!(plan.output().key.is_empty() && !plan.output().key_is_primary);
    }

    #[test]
    fn an_absent_column_is_never_guessed() {
        let rule = rule(vec![column("val"), column("id")], val_is("a"));
        let plan = TablePlan::new(&rule, &schema()).unwrap();
        let cells = row(&[Some(b"1"), None, None]);
        let presence = Presence::new(3, |column| column == 0);
        let image = Row::new(&cells, Some(&presence));
        let change = RowChange { before: None, after: Some(image) };
        let mut scratch = Scratch::default();
        let error = plan.apply(change, &mut scratch).unwrap_err();
        assert_eq!(error, EvalError::Absent("val".into()));
        let plan =
            TablePlan::new(&super::tests::rule(vec![column("val"), column("id")], None), &schema());
        let plan = plan.unwrap();
        match plan.apply(change, &mut scratch).unwrap() {
            Applied::Changed(seen) => assert_eq!(show(seen.after), "absent,1"),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn rules_that_do_not_fit() {
        let error = |rule: &Rule| TablePlan::new(rule, &schema()).unwrap_err().to_string();
        let none = rule(vec![column("none")], None);
        assert_eq!(error(&none), "column `none` not found in table t");
        let select = Select { items: vec![Item::All], table: "t2".into(), condition: None };
        let other = Rule { match_: "t".into(), filter: RuleFilter::Select(select) };
        let expected =
            "unsupported: select expression table t2 does not match the table entry name t";
        assert_eq!(error(&other), expected);
        let range = Rule { match_: "t".into(), filter: RuleFilter::KeyRange("-80".into()) };
        assert_eq!(TablePlan::new(&range, &schema()).unwrap_err(), PlanError::NoVindex("t".into()));
        let call = |name: &str| Expr::Function { name: name.into(), arguments: vec![] };
        assert_eq!(
            error(&rule(vec![Item::All], Some(call("NONE")))),
            "FUNCTION NONE does not exist"
        );
    }

    #[test]
    fn the_hash_follows_rule_and_schema() {
        let hash = |rule: &Rule| TablePlan::new(rule, &schema()).unwrap().plan_hash();
        assert_eq!(hash(&rule(vec![Item::All], None)), hash(&rule(vec![Item::All], None)));
        assert_ne!(hash(&rule(vec![Item::All], None)), hash(&rule(vec![column("id")], None)));
    }

    #[test]
    fn only_what_every_source_means_alike_is_pushed_down() {
        let id = binary(BinaryOp::Gt, Expr::column("id"), Expr::number("5"));
        let null = Expr::Literal(Literal::Null);
        let other = binary(BinaryOp::Eq, Expr::column("val"), null);
        let both = rule(vec![Item::All], Some(Expr::And(vec![id.clone(), other])));
        let plan = TablePlan::new(&both, &schema()).unwrap();
        assert_eq!(plan.pushdown(), Some(id));
    }
}
