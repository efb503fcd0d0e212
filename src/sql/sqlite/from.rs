//! FROM: tables, views, derived tables and joins.

use sqlparser::ast::{Join, JoinConstraint, JoinOperator, TableAlias, TableFactor, TableWithJoins};

use super::Fault;
use super::expr::{Reader, object_name};
use super::scope::{Relation, Scope, Statement};
use super::select::{Rows, derived, duplicate_names};
use super::table::quote;
use super::typed::Typed;

impl Statement<'_> {
    /// FROM, with its keyword; fills the scope.
    pub fn from(&self, from: &[TableWithJoins], scope: &mut Scope<'_>) -> Result<String, Fault> {
        let mut sql = String::new();
        for (position, tables) in from.iter().enumerate() {
            sql.push_str(if position == 0 { " FROM " } else { ", " });
            let start = scope.relations.len();
            sql.push_str(&self.factor(&tables.relation, scope)?);
            for join in &tables.joins {
                sql.push_str(&self.join(join, scope, start)?);
            }
        }
        Ok(sql)
    }

    pub(super) fn factor(
        &self,
        factor: &TableFactor,
        scope: &mut Scope<'_>,
    ) -> Result<String, Fault> {
        match factor {
            TableFactor::Table {
                name,
                alias,
                args: None,
                with_hints,
                version: None,
                with_ordinality: false,
                partitions,
                json_path: None,
                sample: None,
                index_hints: _,
            } if with_hints.is_empty() && partitions.is_empty() => {
                let parts = object_name(name)?;
                let name = parts.last().cloned().unwrap_or_default();
                if name.eq_ignore_ascii_case("dual") && parts.len() == 1 {
                    return Ok("(SELECT 1) AS dual".to_owned());
                }
                let alias = alias_name(alias.as_ref())?.unwrap_or_else(|| name.clone());
                unique(scope, &alias)?;
                if let Some(view) = self.tables.view(&self.local_name(&parts)?) {
                    return self.view(&view, &alias, scope);
                }
                let table = self.table(&parts)?;
                self.read.borrow_mut().push(table.name.table.to_string());
                scope.relations.push(Relation::in_from(&table, &alias));
                Ok(format!("{} AS {}", quote(&table.name.table), quote(&alias)))
            }
            TableFactor::Derived { lateral: false, subquery, alias, sample: None } => {
                let alias_node = alias.as_ref().ok_or(Fault::DerivedAlias)?;
                let rows = self.query(subquery, None, &[])?;
                let mut columns = rows.columns;
                if !alias_node.columns.is_empty() {
                    if alias_node.columns.len() != columns.len() {
                        return Err(Fault::ViewColumns);
                    }
                    for (column, name) in columns.iter_mut().zip(&alias_node.columns) {
                        column.0.clone_from(&name.name.value);
                    }
                }
                let alias = alias_node.name.value.clone();
                unique(scope, &alias)?;
                duplicate_names(&columns)?;
                scope.relations.push(derived(&alias, &columns));
                Ok(format!("({}) AS {}", rows.sql, quote(&alias)))
            }
            TableFactor::NestedJoin { table_with_joins, alias: None } => {
                let start = scope.relations.len();
                let mut sql = format!("({}", self.factor(&table_with_joins.relation, scope)?);
                for join in &table_with_joins.joins {
                    sql.push_str(&self.join(join, scope, start)?);
                }
                sql.push(')');
                Ok(sql)
            }
            other => Err(Fault::Unsupported(other.to_string())),
        }
    }

    pub(super) fn view(
        &self,
        view: &super::View,
        alias: &str,
        scope: &mut Scope<'_>,
    ) -> Result<String, Fault> {
        let rows = self.view_rows(view)?;
        scope.relations.push(derived(alias, &rows.columns));
        Ok(format!("({}) AS {}", rows.sql, quote(alias)))
    }

    /// A view's query, its columns renamed.
    pub fn view_rows(&self, view: &super::View) -> Result<Rows, Fault> {
        let mut input = super::parser::Input::new(&view.text)?;
        let texts = input.select_texts();
        let query = input.checked(sqlparser::parser::Parser::parse_query)?;
        let mut rows = self.query(&query, None, &texts)?;
        if !view.columns.is_empty() {
            if view.columns.len() != rows.columns.len() {
                return Err(Fault::ViewColumns);
            }
            for (column, name) in rows.columns.iter_mut().zip(&view.columns) {
                column.0.clone_from(name);
            }
        }
        duplicate_names(&rows.columns)?;
        Ok(rows)
    }

    pub(super) fn join(
        &self,
        join: &Join,
        scope: &mut Scope<'_>,
        start: usize,
    ) -> Result<String, Fault> {
        let (word, constraint) = match &join.join_operator {
            JoinOperator::Join(c) | JoinOperator::Inner(c) | JoinOperator::StraightJoin(c) => {
                ("JOIN", c)
            }
            JoinOperator::CrossJoin(c) => ("JOIN", c),
            JoinOperator::Left(c) | JoinOperator::LeftOuter(c) => ("LEFT JOIN", c),
            JoinOperator::Right(c) | JoinOperator::RightOuter(c) => ("RIGHT JOIN", c),
            _ => return Err(Fault::Unsupported("this kind of join".to_owned())),
        };
        let split = scope.relations.len();
        let factor = self.factor(&join.relation, scope)?;
        if word != "JOIN" {
            let (left, right) = scope.relations.split_at_mut(split);
            let outer =
                if word == "LEFT JOIN" { right } else { left.get_mut(start..).unwrap_or_default() };
            for column in outer.iter_mut().flat_map(|relation| &mut relation.columns) {
                column.value.nullable = true;
            }
        }
        let condition = match constraint {
            JoinConstraint::None if word == "JOIN" => String::new(),
            JoinConstraint::None => {
                return Err(Fault::Syntax { near: String::new(), line: 1 });
            }
            JoinConstraint::On(condition) => {
                let reader = Reader { statement: self, scope, clause: "on clause" };
                format!(" ON {}", reader.read(condition)?.sql)
            }
            JoinConstraint::Using(names) => {
                let names: Result<Vec<_>, _> = names.iter().map(object_name).collect();
                let names = names?.into_iter().filter_map(|mut parts| parts.pop()).collect();
                self.using(names, scope, split, word)?
            }
            JoinConstraint::Natural => {
                let (left, right) = scope.relations.split_at(split);
                let has = |name: &str| {
                    left.iter()
                        .flat_map(|r| &r.columns)
                        .any(|c| !c.merged && c.name.eq_ignore_ascii_case(name))
                };
                let names = right
                    .iter()
                    .flat_map(|r| &r.columns)
                    .filter(|c| has(&c.name))
                    .map(|c| c.name.clone())
                    .collect();
                self.using(names, scope, split, word)?
            }
        };
        Ok(format!(" {word} {factor}{condition}"))
    }

    /// USING: equality of the named columns, which become one.
    pub(super) fn using(
        &self,
        names: Vec<String>,
        scope: &mut Scope<'_>,
        split: usize,
        word: &str,
    ) -> Result<String, Fault> {
        if word == "RIGHT JOIN" {
            return Err(Fault::Unsupported("RIGHT JOIN ... USING".to_owned()));
        }
        let mut terms = Vec::new();
        for name in names {
            let (left, right) = scope.relations.split_at_mut(split);
            let find = |relations: &mut [Relation]| -> Result<Typed, Fault> {
                let mut found = relations
                    .iter_mut()
                    .flat_map(|r| &mut r.columns)
                    .filter(|c| !c.merged && c.name.eq_ignore_ascii_case(&name));
                let first = found.next().map(|c| c.value.clone());
                match (first, found.next()) {
                    (Some(value), None) => Ok(value),
                    (Some(_), Some(_)) => {
                        Err(Fault::Ambiguous { column: name.clone(), clause: "from clause" })
                    }
                    (None, _) => {
                        Err(Fault::UnknownColumn { column: name.clone(), clause: "from clause" })
                    }
                }
            };
            let (a, b) = (find(left)?, find(right)?);
            for column in right.iter_mut().flat_map(|r| &mut r.columns) {
                if column.name.eq_ignore_ascii_case(&name) {
                    column.merged = true;
                }
            }
            let reader_scope = Scope::default();
            let reader = Reader { statement: self, scope: &reader_scope, clause: "from clause" };
            terms.push(reader.compare(&a, "=", &b)?.sql);
        }
        Ok(if terms.is_empty() { String::new() } else { format!(" ON {}", terms.join(" AND ")) })
    }
}

pub(super) fn unique(scope: &Scope<'_>, alias: &str) -> Result<(), Fault> {
    if scope.relations.iter().any(|relation| relation.alias.eq_ignore_ascii_case(alias)) {
        return Err(Fault::DuplicateAlias(alias.to_owned()));
    }
    Ok(())
}

pub(super) fn alias_name(alias: Option<&TableAlias>) -> Result<Option<String>, Fault> {
    match alias {
        None => Ok(None),
        Some(alias) if alias.columns.is_empty() => Ok(Some(alias.name.value.clone())),
        Some(alias) => Err(Fault::Unsupported(format!("the alias {alias}"))),
    }
}
