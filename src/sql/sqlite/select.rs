//! Queries: FROM, the SELECT list, grouping, order and set operations.

use sqlparser::ast::{
    self, Distinct, Expr, GroupByExpr, LimitClause, OrderBy, OrderByExpr, OrderByKind,
    Query as AstQuery, Select, SelectFlavor, SelectItem, SelectItemQualifiedWildcardKind, SetExpr,
    SetOperator, SetQuantifier, Value,
};

use super::expr::{Reader, object_name};
use super::scope::{Relation, Scope, ScopeColumn, Statement};
use super::table::quote;
use super::typed::{Typed, common};
use super::{Fault, Query, ResultColumn};

/// A query in SQLite's text with the types of its columns.
#[derive(Debug, Clone)]
pub struct Rows {
    /// The text; its columns are named `c0`, `c1`, ...
    pub sql: String,
    /// The columns: names, and values of which `sql` is not meaningful outside.
    pub columns: Vec<(String, Typed)>,
}

impl Statement<'_> {
    /// Reads a whole SELECT. `texts` are the items of its list as written, which name columns.
    pub fn select(&self, query: &AstQuery, texts: &[&str]) -> Result<Query, Fault> {
        let rows = self.query(query, None, texts)?;
        let columns = rows.columns.iter().map(|(name, value)| ResultColumn {
            name: name.clone(),
            column: value.column(name),
            table: value
                .origin
                .as_ref()
                .map(|origin| (origin.alias.clone(), origin.table.clone().unwrap_or_default())),
        });
        Ok(Query {
            columns: columns.collect(),
            sql: rows.sql,
            locks: self.locks.get(),
            tables: self.read.borrow().clone(),
        })
    }

    /// Reads a query, a subquery if `parent` is given.
    pub fn query(
        &self,
        query: &AstQuery,
        parent: Option<&Scope<'_>>,
        texts: &[&str],
    ) -> Result<Rows, Fault> {
        if query.with.is_some() {
            return Err(Fault::Unsupported("WITH".to_owned()));
        }
        if query.fetch.is_some()
            || query.for_clause.is_some()
            || query.settings.is_some()
            || query.format_clause.is_some()
            || !query.pipe_operators.is_empty()
        {
            return Err(Fault::Unsupported("this clause of SELECT".to_owned()));
        }
        if !query.locks.is_empty() {
            self.locks.set(true);
        }
        let order = order_terms(query.order_by.as_ref())?;
        let limit = limit(query.limit_clause.as_ref())?;
        match query.body.as_ref() {
            SetExpr::Select(select) => self.one_select(select, order, &limit, parent, texts),
            SetExpr::Query(inner) if order.is_empty() && limit.is_empty() => {
                self.query(inner, parent, texts)
            }
            body => {
                let rows = self.set_expr(body, parent, texts)?;
                self.ordered(rows, order, &limit, parent)
            }
        }
    }

    fn set_expr(
        &self,
        body: &SetExpr,
        parent: Option<&Scope<'_>>,
        texts: &[&str],
    ) -> Result<Rows, Fault> {
        match body {
            SetExpr::Select(select) => self.one_select(select, &[], "", parent, texts),
            SetExpr::Query(query) => self.query(query, parent, texts),
            SetExpr::SetOperation { left, op, set_quantifier, right } => {
                let left = self.set_expr(left, parent, texts)?;
                let right = self.set_expr(right, parent, &[])?;
                self.set_operation(left, *op, *set_quantifier, right)
            }
            SetExpr::Values(values) => self.values_rows(values, parent),
            _ => Err(Fault::Unsupported("this kind of query".to_owned())),
        }
    }

    fn values_rows(&self, values: &ast::Values, parent: Option<&Scope<'_>>) -> Result<Rows, Fault> {
        if !values.explicit_row {
            return Err(Fault::Syntax { near: "VALUES".to_owned(), line: 1 });
        }
        let scope = Scope { parent, ..Scope::default() };
        let reader = Reader { statement: self, scope: &scope, clause: "field list" };
        let mut union: Option<Rows> = None;
        for row in &values.rows {
            let values = reader.read_all(&row.content)?;
            let items: Vec<String> =
                values.iter().enumerate().map(|(n, v)| format!("{} AS c{n}", v.sql)).collect();
            let next = Rows {
                sql: format!("SELECT {}", items.join(", ")),
                columns: values
                    .into_iter()
                    .enumerate()
                    .map(|(n, value)| (format!("column_{n}"), value.derived()))
                    .collect(),
            };
            union = Some(match union {
                None => next,
                Some(rows) => {
                    self.set_operation(rows, SetOperator::Union, SetQuantifier::All, next)?
                }
            });
        }
        union.ok_or(Fault::Empty)
    }

    fn set_operation(
        &self,
        left: Rows,
        op: SetOperator,
        quantifier: SetQuantifier,
        right: Rows,
    ) -> Result<Rows, Fault> {
        if left.columns.len() != right.columns.len() {
            return Err(Fault::UnionColumns);
        }
        let scope = Scope::default();
        let reader = Reader { statement: self, scope: &scope, clause: "field list" };
        let mut columns = Vec::new();
        let (mut one, mut two) = (Vec::new(), Vec::new());
        for (n, ((name, a), (_, b))) in left.columns.iter().zip(&right.columns).enumerate() {
            let to = common(&[a, b], "UNION")?;
            let named = |value: &Typed| Typed { sql: format!("c{n}"), ..value.clone() };
            one.push(format!("{} AS c{n}", named(a).convert(&to)));
            two.push(format!("{} AS c{n}", named(b).convert(&to)));
            let value = reader.of_common(format!("c{n}"), &to, &[a, b], "UNION")?;
            columns.push((name.clone(), value));
        }
        let side =
            |items: &[String], sql: &str| format!("SELECT {} FROM ({sql})", items.join(", "));
        let (one, two) = (side(&one, &left.sql), side(&two, &right.sql));
        let distinct = match quantifier {
            SetQuantifier::All => false,
            SetQuantifier::None | SetQuantifier::Distinct => true,
            _ => return Err(Fault::Unsupported("UNION BY NAME".to_owned())),
        };
        if op != SetOperator::Union {
            return Err(Fault::Unsupported(format!("{op}")));
        }
        let rows = Rows { sql: format!("{one} UNION ALL {two}"), columns };
        Ok(if distinct { distinct_rows(&rows) } else { rows })
    }

    /// ORDER BY and LIMIT over finished rows.
    fn ordered(
        &self,
        rows: Rows,
        order: &[OrderByExpr],
        limit: &str,
        parent: Option<&Scope<'_>>,
    ) -> Result<Rows, Fault> {
        if order.is_empty() && limit.is_empty() {
            return Ok(rows);
        }
        let relation = derived("u", &rows.columns);
        let aliases = relation.columns.iter().map(|c| (c.name.clone(), c.value.clone())).collect();
        let scope = Scope { relations: vec![relation], aliases, parent, aggregates: false };
        let reader = Reader { statement: self, scope: &scope, clause: "order clause" };
        let outputs: Vec<Typed> = scope.aliases.iter().map(|(_, value)| value.clone()).collect();
        let terms = order_by(&reader, order, &outputs)?;
        let sql = format!("SELECT * FROM ({}) AS u{terms}{limit}", rows.sql);
        Ok(Rows { sql, ..rows })
    }

    fn one_select(
        &self,
        select: &Select,
        order: &[OrderByExpr],
        limit: &str,
        parent: Option<&Scope<'_>>,
        texts: &[&str],
    ) -> Result<Rows, Fault> {
        refuse_foreign(select)?;
        let mut scope = Scope { parent, aggregates: true, ..Scope::default() };
        let from = self.from(&select.from, &mut scope)?;
        let items = self.items(select, &scope, texts)?;
        let mut sql = String::new();
        if let Some(condition) = &select.selection {
            let reader = Reader { statement: self, scope: &scope, clause: "where clause" };
            sql.push_str(&format!(" WHERE {}", reader.read(condition)?.sql));
        }
        scope.aliases = items.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        let outputs: Vec<Typed> = items.iter().map(|(_, value)| value.clone()).collect();
        let groups = self.groups(select, &scope, &outputs)?;
        let reader = |clause| Reader { statement: self, scope: &scope, clause };
        let having = select.having.as_ref().map(|h| reader("having clause").read(h)).transpose()?;
        let aggregated = !groups.is_empty()
            || items.iter().any(|(_, value)| value.aggregate)
            || having.as_ref().is_some_and(|having| having.aggregate);
        if aggregated {
            super::grouping::check(select, &scope, &groups)?;
        }
        if !groups.is_empty() {
            let keys: Vec<String> = groups.iter().map(|(_, value)| value.sort_key()).collect();
            sql.push_str(&format!(" GROUP BY {}", keys.join(", ")));
        }
        if let Some(having) = having {
            // Without grouping HAVING is another WHERE, which SQLite does not know.
            if aggregated {
                sql.push_str(&format!(" HAVING {}", having.sql));
            } else if select.selection.is_some() {
                sql = sql.replacen(" WHERE ", " WHERE (", 1);
                sql.push_str(&format!(") AND {}", having.sql));
            } else {
                sql.push_str(&format!(" WHERE {}", having.sql));
            }
        }
        let terms = order_by(&reader("order clause"), order, &outputs)?;
        let list: Vec<String> = items
            .iter()
            .enumerate()
            .map(|(n, (_, value))| format!("{} AS c{n}", value.sql))
            .collect();
        let distinct = match &select.distinct {
            None | Some(Distinct::All) => false,
            Some(Distinct::Distinct) => true,
            Some(Distinct::On(_)) => return Err(Fault::Unsupported("DISTINCT ON".to_owned())),
        };
        let body = format!("SELECT {}{from}{sql}", list.join(", "));
        if !distinct {
            return Ok(Rows { sql: format!("{body}{terms}{limit}"), columns: items });
        }
        let keys = order_keys(&reader("order clause"), order, &outputs)?;
        distinct_select(&body, items, &keys, limit)
    }

    fn items(
        &self,
        select: &Select,
        scope: &Scope<'_>,
        texts: &[&str],
    ) -> Result<Vec<(String, Typed)>, Fault> {
        let reader = Reader { statement: self, scope, clause: "field list" };
        let texts = if texts.len() == select.projection.len() { texts } else { &[] };
        let mut items = Vec::new();
        for (position, item) in select.projection.iter().enumerate() {
            match item {
                SelectItem::UnnamedExpr(expr) => {
                    let mut value = reader.read(expr)?;
                    if value.sql == "my_pi()" {
                        // PI() shows six digits, but computes with all.
                        value.sql = "my_round('round', 'g', my_pi(), 6, 0)".to_owned();
                    }
                    let written = texts.get(position).map(|text| (*text).to_owned());
                    items.push((item_name(expr, written), value));
                }
                SelectItem::ExprWithAlias { expr, alias } => {
                    items.push((alias.value.clone(), reader.read(expr)?));
                }
                SelectItem::Wildcard(options) if plain_wildcard(options) => {
                    if scope.relations.is_empty() {
                        return Err(Fault::Denied("No tables used".to_owned()));
                    }
                    for relation in &scope.relations {
                        items.extend(expand(relation, false));
                    }
                }
                SelectItem::QualifiedWildcard(
                    SelectItemQualifiedWildcardKind::ObjectName(name),
                    options,
                ) if plain_wildcard(options) => {
                    let name = object_name(name)?;
                    let alias = name.last().cloned().unwrap_or_default();
                    let relation = scope
                        .relations
                        .iter()
                        .find(|relation| relation.alias.eq_ignore_ascii_case(&alias))
                        .ok_or(Fault::UnknownTable(alias))?;
                    items.extend(expand(relation, true));
                }
                other => return Err(Fault::Unsupported(other.to_string())),
            }
        }
        Ok(items)
    }

    fn groups(
        &self,
        select: &Select,
        scope: &Scope<'_>,
        outputs: &[Typed],
    ) -> Result<Vec<(Expr, Typed)>, Fault> {
        let GroupByExpr::Expressions(exprs, modifiers) = &select.group_by else {
            return Err(Fault::Unsupported("GROUP BY ALL".to_owned()));
        };
        if !modifiers.is_empty() {
            return Err(Fault::Unsupported("GROUP BY WITH ROLLUP".to_owned()));
        }
        let reader = Reader { statement: self, scope, clause: "group statement" };
        let mut groups = Vec::new();
        for expr in exprs {
            let value = match position(expr, outputs.len()) {
                Some(Some(n)) => outputs.get(n).cloned(),
                Some(None) => None,
                None => Some(reader.read(expr)?),
            };
            let value = value.ok_or_else(|| Fault::UnknownColumn {
                column: expr.to_string(),
                clause: "group statement",
            })?;
            if value.aggregate {
                return Err(Fault::GroupOnAggregate(expr.to_string()));
            }
            groups.push((expr.clone(), value));
        }
        Ok(groups)
    }
}

impl Reader<'_, '_> {
    pub(super) fn scalar_query(&self, query: &AstQuery) -> Result<Typed, Fault> {
        let rows = self.statement.query(query, Some(self.scope), &[])?;
        let [(_, value)] = rows.columns.as_slice() else { return Err(Fault::OperandColumns(1)) };
        // Two rows are an error, not the first of them.
        let sql =
            format!("(SELECT my_single(c0, count(*)) FROM ({} LIMIT 2))", without_limit(&rows.sql));
        Ok(Typed { sql, nullable: true, aggregate: false, ..value.clone() }.derived())
    }

    pub(super) fn in_query(
        &self,
        expr: &Expr,
        query: &AstQuery,
        negated: bool,
    ) -> Result<Typed, Fault> {
        let left = match expr {
            Expr::Tuple(items) => self.read_all(items)?,
            one => vec![self.read(one)?],
        };
        let rows = self.statement.query(query, Some(self.scope), &[])?;
        if rows.columns.len() != left.len() {
            return Err(Fault::OperandColumns(left.len()));
        }
        let (mut keys, mut columns) = (Vec::new(), Vec::new());
        for (n, (value, (_, other))) in left.iter().zip(&rows.columns).enumerate() {
            let other = Typed { sql: format!("c{n}"), ..other.clone().derived() };
            let class = super::typed::compare_class(value, &other, "in")?;
            keys.push(value.key(class));
            columns.push(other.key(class));
        }
        let keys = if keys.len() == 1 { keys.concat() } else { format!("({})", keys.join(", ")) };
        let not = if negated { "NOT " } else { "" };
        let sql = format!("({keys} {not}IN (SELECT {} FROM ({})))", columns.join(", "), rows.sql);
        Ok(Typed::int(sql).over(&left.iter().collect::<Vec<_>>()))
    }

    pub(super) fn exists(&self, query: &AstQuery, negated: bool) -> Result<Typed, Fault> {
        let rows = self.statement.query(query, Some(self.scope), &[])?;
        let not = if negated { "NOT " } else { "" };
        Ok(Typed { nullable: false, ..Typed::int(format!("({not}EXISTS ({}))", rows.sql)) })
    }
}

/// A query as the inside of another, where its own LIMIT stays its own.
fn without_limit(sql: &str) -> String {
    format!("SELECT c0 FROM ({sql})")
}

fn refuse_foreign(select: &Select) -> Result<(), Fault> {
    let foreign = select.top.is_some()
        || select.exclude.is_some()
        || select.into.is_some()
        || !select.lateral_views.is_empty()
        || select.prewhere.is_some()
        || !select.connect_by.is_empty()
        || !select.cluster_by.is_empty()
        || !select.distribute_by.is_empty()
        || !select.sort_by.is_empty()
        || !select.named_window.is_empty()
        || select.qualify.is_some()
        || select.value_table_mode.is_some()
        || !matches!(select.flavor, SelectFlavor::Standard);
    if foreign { Err(Fault::Unsupported("this clause of SELECT".to_owned())) } else { Ok(()) }
}

fn plain_wildcard(options: &ast::WildcardAdditionalOptions) -> bool {
    options.opt_ilike.is_none()
        && options.opt_exclude.is_none()
        && options.opt_except.is_none()
        && options.opt_replace.is_none()
        && options.opt_rename.is_none()
}

fn expand(relation: &Relation, all: bool) -> Vec<(String, Typed)> {
    relation
        .columns
        .iter()
        .filter(|column| all || !column.merged)
        .map(|column| (column.name.clone(), column.value.clone()))
        .collect()
}

/// The name of an item without an alias: the column's own, or the text as written.
fn item_name(expr: &Expr, written: Option<String>) -> String {
    match expr {
        Expr::Identifier(name) => name.value.clone(),
        Expr::CompoundIdentifier(parts) => {
            let variable = parts.first().is_some_and(|part| part.value.starts_with("@@"));
            match parts.last() {
                Some(last) if !variable => last.value.clone(),
                _ => written.unwrap_or_else(|| expr.to_string()),
            }
        }
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text) | Value::DoubleQuotedString(text) => {
                // Of several literals side by side the first names the column.
                let first = written
                    .as_deref()
                    .and_then(|written| super::parser::Input::new(written).ok()?.first_string());
                first.unwrap_or_else(|| text.clone())
            }
            _ => written.unwrap_or_else(|| expr.to_string()),
        },
        _ => written.unwrap_or_else(|| expr.to_string()),
    }
}

/// The relation of a query in FROM, whose columns are `c0`, `c1`, ...
pub(super) fn derived(alias: &str, columns: &[(String, Typed)]) -> Relation {
    let columns = columns.iter().enumerate().map(|(n, (name, value))| {
        let origin = value.origin.clone().map(|mut origin| {
            alias.clone_into(&mut origin.alias);
            origin.column.name = name.as_str().into();
            origin.table = None;
            origin
        });
        let sql = format!("{}.c{n}", quote(alias));
        let value = Typed { sql, aggregate: false, ..value.clone().derived() };
        let strength = value.strength.max(super::typed::Strength::Column);
        ScopeColumn {
            name: name.clone(),
            value: Typed { origin, strength, ..value },
            merged: false,
        }
    });
    Relation { alias: alias.to_owned(), table: None, columns: columns.collect() }
}

pub(super) fn duplicate_names(columns: &[(String, Typed)]) -> Result<(), Fault> {
    for (n, (name, _)) in columns.iter().enumerate() {
        if columns.iter().take(n).any(|(other, _)| other.eq_ignore_ascii_case(name)) {
            return Err(Fault::DuplicateColumn(name.clone()));
        }
    }
    Ok(())
}

fn order_terms(order: Option<&OrderBy>) -> Result<&[OrderByExpr], Fault> {
    match order {
        None => Ok(&[]),
        Some(OrderBy { kind: OrderByKind::Expressions(terms), interpolate: None }) => Ok(terms),
        Some(_) => Err(Fault::Unsupported("this ORDER BY".to_owned())),
    }
}

/// ` ASC` or ` DESC`.
pub fn direction(term: &OrderByExpr) -> Result<&'static str, Fault> {
    if term.options.nulls_first.is_some() || term.with_fill.is_some() {
        return Err(Fault::Unsupported("NULLS FIRST".to_owned()));
    }
    match &term.options.sort {
        None | Some(ast::OrderBySort::Asc) => Ok(""),
        Some(ast::OrderBySort::Desc) => Ok(" DESC"),
        Some(_) => Err(Fault::Unsupported("this ORDER BY".to_owned())),
    }
}

/// `Some(Some(n))` for the position of an item, `Some(None)` for one that is not there.
fn position(expr: &Expr, items: usize) -> Option<Option<usize>> {
    let Expr::Value(value) = expr else { return None };
    let Value::Number(text, false) = &value.value else { return None };
    let number: usize = text.parse().ok()?;
    Some(number.checked_sub(1).filter(|n| *n < items))
}

/// The keys of ORDER BY with their directions.
fn order_keys(
    reader: &Reader<'_, '_>,
    order: &[OrderByExpr],
    outputs: &[Typed],
) -> Result<Vec<(Typed, &'static str)>, Fault> {
    let mut keys = Vec::new();
    for term in order {
        let value = match position(&term.expr, outputs.len()) {
            Some(Some(n)) => outputs.get(n).cloned(),
            Some(None) => None,
            None => Some(reader.read(&term.expr)?),
        };
        let value = value.ok_or_else(|| Fault::UnknownColumn {
            column: term.expr.to_string(),
            clause: "order clause",
        })?;
        keys.push((value, direction(term)?));
    }
    Ok(keys)
}

/// ORDER BY with its keywords; empty without terms.
pub fn order_by(
    reader: &Reader<'_, '_>,
    order: &[OrderByExpr],
    outputs: &[Typed],
) -> Result<String, Fault> {
    let keys = order_keys(reader, order, outputs)?;
    // A constant orders nothing, but to SQLite a number is a position.
    let terms: Vec<String> = keys
        .iter()
        .filter(|(value, _)| value.literal == super::typed::Literal::No)
        .map(|(value, direction)| format!("{}{direction}", value.sort_key()))
        .collect();
    Ok(if terms.is_empty() { String::new() } else { format!(" ORDER BY {}", terms.join(", ")) })
}

/// LIMIT with its keyword; empty without.
fn limit(clause: Option<&LimitClause>) -> Result<String, Fault> {
    let (limit, offset) = match clause {
        None => return Ok(String::new()),
        Some(LimitClause::LimitOffset { limit, offset, limit_by }) if limit_by.is_empty() => {
            (limit.as_ref(), offset.as_ref().map(|offset| &offset.value))
        }
        Some(LimitClause::OffsetCommaLimit { offset, limit }) => (Some(limit), Some(offset)),
        Some(_) => return Err(Fault::Unsupported("LIMIT BY".to_owned())),
    };
    let Some(limit) = limit else {
        return Err(Fault::Syntax { near: "OFFSET".to_owned(), line: 1 });
    };
    let offset = offset.map_or(Ok(0), count)?;
    Ok(format!(" LIMIT {} OFFSET {offset}", count(limit)?))
}

/// A number of rows.
pub fn count(expr: &Expr) -> Result<i64, Fault> {
    let Expr::Value(value) = expr else {
        return Err(Fault::Syntax { near: expr.to_string(), line: 1 });
    };
    match &value.value {
        Value::Number(text, false) => text
            .parse::<u64>()
            .map(|number| i64::try_from(number).unwrap_or(i64::MAX))
            .map_err(|_| Fault::Syntax { near: text.clone(), line: 1 }),
        other => Err(Fault::Syntax { near: other.to_string(), line: 1 }),
    }
}

/// One row of each group of equal ones; of texts that differ only to the eye, the first.
fn distinct_rows(rows: &Rows) -> Rows {
    let keys: Vec<String> = named(&rows.columns).iter().map(Typed::sort_key).collect();
    let list: Vec<String> = (0..rows.columns.len()).map(|n| format!("c{n}")).collect();
    let list = list.join(", ");
    let numbered = format!("SELECT {list}, row_number() OVER () AS r FROM ({})", rows.sql);
    let first =
        format!("SELECT {list}, min(r) AS r FROM ({numbered}) GROUP BY {}", keys.join(", "));
    Rows { sql: format!("SELECT {list} FROM ({first})"), columns: rows.columns.clone() }
}

fn named(columns: &[(String, Typed)]) -> Vec<Typed> {
    columns
        .iter()
        .enumerate()
        .map(|(n, (_, value))| Typed { sql: format!("c{n}"), ..value.clone() })
        .collect()
}

/// DISTINCT with ORDER BY, whose terms must be items.
fn distinct_select(
    body: &str,
    items: Vec<(String, Typed)>,
    order: &[(Typed, &'static str)],
    limit: &str,
) -> Result<Rows, Fault> {
    let mut terms = Vec::new();
    for (value, direction) in order {
        let Some(n) = items.iter().position(|(_, item)| item.sql == value.sql) else {
            return Err(Fault::Unsupported(
                "DISTINCT with ORDER BY of what is not in the SELECT list".to_owned(),
            ));
        };
        let item = Typed { sql: format!("c{n}"), ..value.clone() };
        terms.push(format!("{}{direction}", item.sort_key()));
    }
    let rows = distinct_rows(&Rows { sql: body.to_owned(), columns: items });
    let order =
        if terms.is_empty() { String::new() } else { format!(" ORDER BY {}", terms.join(", ")) };
    Ok(Rows { sql: format!("{}{order}{limit}", rows.sql), columns: rows.columns })
}
