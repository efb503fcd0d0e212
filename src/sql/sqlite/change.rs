//! INSERT, REPLACE, UPDATE and DELETE.

use std::sync::Arc;

use sqlparser::ast::{Expr, OrderByExpr, TableFactor, TableWithJoins};
use sqlparser::parser::Parser;
use sqlparser::tokenizer::Token;

use super::expr::{Reader, object_name};
use super::parser::Input;
use super::scope::{Relation, Scope, Statement};
use super::select::{count, order_by};
use super::table::quote;
use super::{Conflict, Delete, Dml, Fault, Insert, InsertRows, Set, Table, Update};

impl Statement<'_> {
    /// INSERT or REPLACE behind its keyword.
    pub fn insert(&self, input: &mut Input<'_>, replace: bool) -> Result<Dml, Fault> {
        for word in ["LOW_PRIORITY", "DELAYED", "HIGH_PRIORITY"] {
            input.word(word);
        }
        let ignore = !replace && input.word("IGNORE");
        input.word("INTO");
        let table = self.target(input)?;
        if input.peek_word("PARTITION") {
            return Err(Fault::Unsupported("PARTITION".to_owned()));
        }
        let mut conflict = if replace { Conflict::Replace } else { Conflict::Fail };
        let (columns, rows, from_select, alias) = if input.word("SET") {
            let (columns, rows) = self.insert_set(input, &table)?;
            (columns, rows, false, row_alias(input)?)
        } else {
            let columns = insert_columns(input, &table)?;
            if input.word("VALUES") || input.word("VALUE") {
                let rows = self.insert_values(input, &table, &columns)?;
                (columns, rows, false, row_alias(input)?)
            } else {
                let rows = self.insert_select(input, &columns)?;
                (columns, rows, true, None)
            }
        };
        if !replace && input.words(&["ON", "DUPLICATE", "KEY", "UPDATE"]) {
            conflict = Conflict::Update(self.on_duplicate(input, &table, &columns, alias)?);
        }
        input.end()?;
        refuse_generated(&table, &columns, &rows)?;
        Ok(Dml::Insert(Insert { table, columns, rows, conflict, ignore, from_select }))
    }

    fn target(&self, input: &mut Input<'_>) -> Result<Arc<Table>, Fault> {
        let mut parts = vec![input.name()?];
        if input.token(&Token::Period) {
            parts.push(input.name()?);
        }
        if self.tables.view(&self.local_name(&parts)?).is_some() {
            return Err(Fault::Unsupported("changing rows through a view".to_owned()));
        }
        self.table(&parts)
    }

    fn insert_set(
        &self,
        input: &mut Input<'_>,
        table: &Arc<Table>,
    ) -> Result<(Vec<usize>, Vec<InsertRows>), Fault> {
        let pairs = input.list(|input| {
            let column = column_of(input, table)?;
            input.expect(&Token::Eq)?;
            let value =
                if input.word("DEFAULT") { None } else { Some(input.checked(Parser::parse_expr)?) };
            Ok((column, value))
        })?;
        let columns: Vec<usize> = pairs.iter().map(|(column, _)| *column).collect();
        twice(&columns, table)?;
        let values: Vec<Option<Expr>> = pairs.into_iter().map(|(_, value)| value).collect();
        let rows = self.insert_row(values)?;
        Ok((columns, vec![rows]))
    }

    fn insert_values(
        &self,
        input: &mut Input<'_>,
        table: &Arc<Table>,
        columns: &[usize],
    ) -> Result<Vec<InsertRows>, Fault> {
        let mut number = 0;
        input.list(|input| {
            number += 1;
            input.word("ROW");
            input.expect(&Token::LParen)?;
            let mut values = Vec::new();
            if !input.peek(&Token::RParen) {
                values = input.list(|input| {
                    let bare = input.peek_word("DEFAULT")
                        && !matches!(input.parser().peek_nth_token_ref(1).token, Token::LParen);
                    if bare {
                        input.word("DEFAULT");
                        return Ok(None);
                    }
                    Ok(Some(input.checked(Parser::parse_expr)?))
                })?;
            }
            input.expect(&Token::RParen)?;
            // `VALUES ()` gives every column its default.
            if values.is_empty() && columns.len() == table.columns.len() {
                values = vec![None; columns.len()];
            }
            if values.len() != columns.len() {
                return Err(Fault::ValueCount(number));
            }
            self.insert_row(values)
        })
    }

    /// A value may have many MiB: each is gone once it is part of the whole.
    fn insert_row(&self, values: Vec<Option<Expr>>) -> Result<InsertRows, Fault> {
        let scope = Scope::default();
        let reader = Reader { statement: self, scope: &scope, clause: "field list" };
        let mut types = Vec::with_capacity(values.len());
        let mut sql = String::from(if values.is_empty() { "SELECT NULL" } else { "SELECT " });
        for (index, value) in values.into_iter().enumerate() {
            let read = value.map(|expr| reader.read(&expr)).transpose()?;
            if index > 0 {
                sql.push_str(", ");
            }
            sql.push_str(read.as_ref().map_or("NULL", |value| &value.sql));
            types.push(read.map(|value| value.value_type()));
        }
        Ok(InsertRows { sql, types })
    }

    fn insert_select(
        &self,
        input: &mut Input<'_>,
        columns: &[usize],
    ) -> Result<Vec<InsertRows>, Fault> {
        let query = input.checked(Parser::parse_query)?;
        let rows = self.query(&query, None, &[])?;
        if rows.columns.len() != columns.len() {
            return Err(Fault::ValueCount(1));
        }
        let types = rows.columns.iter().map(|(_, value)| Some(value.value_type())).collect();
        Ok(vec![InsertRows { sql: rows.sql, types }])
    }

    /// The assignments of ON DUPLICATE KEY UPDATE; `VALUES(c)` and the alias name the new row.
    fn on_duplicate(
        &self,
        input: &mut Input<'_>,
        table: &Arc<Table>,
        inserted: &[usize],
        alias: Option<(String, Vec<String>)>,
    ) -> Result<Vec<Set>, Fault> {
        let width = table.columns.len();
        let name = table.name.table.to_string();
        let current = Relation::of(table, &name, |index, _| format!("?{}", index + 1));
        let new =
            |alias: &str| Relation::of(table, alias, |index, _| format!("?{}", width + index + 1));
        let mut values = new("values()");
        for column in &mut values.columns {
            column.merged = true;
        }
        let mut relations = vec![current, values];
        if let Some((alias, names)) = alias {
            let mut relation = new(&alias);
            if names.is_empty() {
                for column in &mut relation.columns {
                    column.merged = true;
                }
            } else {
                if names.len() != inserted.len() {
                    return Err(Fault::ViewColumns);
                }
                let mut columns = Vec::new();
                for (name, index) in names.into_iter().zip(inserted) {
                    let mut column =
                        relation.columns.get(*index).cloned().ok_or(Fault::ViewColumns)?;
                    column.name = name;
                    columns.push(column);
                }
                relation.columns = columns;
            }
            relations.push(relation);
        }
        let scope = Scope { relations, ..Scope::default() };
        self.assignments(input, table, &scope)
    }

    fn assignments(
        &self,
        input: &mut Input<'_>,
        table: &Arc<Table>,
        scope: &Scope<'_>,
    ) -> Result<Vec<Set>, Fault> {
        let reader = Reader { statement: self, scope, clause: "field list" };
        input.list(|input| {
            let column = column_of(input, table)?;
            input.expect(&Token::Eq)?;
            let bare = input.peek_word("DEFAULT")
                && !matches!(input.parser().peek_nth_token_ref(1).token, Token::LParen);
            if bare {
                input.word("DEFAULT");
                return Ok(Set { column, value: None });
            }
            let expr = input.checked(Parser::parse_expr)?;
            let value = reader.read(&expr)?;
            if let Some(definition) = table.columns.get(column).filter(|c| c.generated.is_some()) {
                return Err(generated(table, &definition.column.name));
            }
            let value_type = value.value_type();
            Ok(Set { column, value: Some((value.sql, value_type)) })
        })
    }

    /// UPDATE behind its keyword.
    pub fn update(&self, input: &mut Input<'_>) -> Result<Dml, Fault> {
        input.word("LOW_PRIORITY");
        let ignore = input.word("IGNORE");
        let from =
            input.checked(|parser| parser.parse_comma_separated(Parser::parse_table_and_joins))?;
        input.expect_word("SET")?;
        let Some((table, alias)) = self.single(&from)? else {
            return Err(Fault::Unsupported("UPDATE of more than one table".to_owned()));
        };
        let row = Relation::of(&table, &alias, |index, _| format!("?{}", index + 1));
        let scope = Scope { relations: vec![row], ..Scope::default() };
        let before = self.read.borrow().len();
        let set = self.assignments(input, &table, &scope)?;
        let rows = self.chosen(input, &table, &alias)?;
        self.refuse_target(&table, before)?;
        Ok(Dml::Update(Update { table, rows, set, ignore }))
    }

    /// DELETE behind its keyword.
    pub fn delete(&self, input: &mut Input<'_>) -> Result<Dml, Fault> {
        input.word("LOW_PRIORITY");
        input.word("QUICK");
        let ignore = input.word("IGNORE");
        if !input.word("FROM") {
            return Err(Fault::Unsupported("DELETE of more than one table".to_owned()));
        }
        let table = self.target(input)?;
        let mut alias = table.name.table.to_string();
        let goes_on = ["WHERE", "ORDER", "LIMIT", "USING"].iter().any(|word| input.peek_word(word));
        let named = matches!(input.parser().peek_token_ref().token, Token::Word(_));
        if input.word("AS") || (named && !goes_on) {
            alias = input.name()?;
        }
        if input.peek_word("USING") || input.peek(&Token::Comma) {
            return Err(Fault::Unsupported("DELETE of more than one table".to_owned()));
        }
        let before = self.read.borrow().len();
        let rows = self.chosen(input, &table, &alias)?;
        self.refuse_target(&table, before)?;
        Ok(Dml::Delete(Delete { table, rows, ignore }))
    }

    /// A statement may not read the table that it changes, but for the rows themselves.
    fn refuse_target(&self, table: &Table, before: usize) -> Result<(), Fault> {
        let name = table.name.table.to_string();
        if self.read.borrow().iter().skip(before).any(|read| *read == name) {
            return Err(Fault::TargetInFrom(name));
        }
        Ok(())
    }

    fn single(&self, from: &[TableWithJoins]) -> Result<Option<(Arc<Table>, String)>, Fault> {
        let [TableWithJoins { relation, joins }] = from else { return Ok(None) };
        if !joins.is_empty() {
            return Ok(None);
        }
        let TableFactor::Table { name, alias, args: None, partitions, .. } = relation else {
            return Ok(None);
        };
        if !partitions.is_empty() {
            return Err(Fault::Unsupported("PARTITION".to_owned()));
        }
        let parts = object_name(name)?;
        if self.tables.view(&self.local_name(&parts)?).is_some() {
            return Err(Fault::Unsupported("changing rows through a view".to_owned()));
        }
        let table = self.table(&parts)?;
        let alias =
            alias.as_ref().map_or_else(|| table.name.table.to_string(), |a| a.name.value.clone());
        Ok(Some((table, alias)))
    }

    /// WHERE, ORDER BY and LIMIT as a query for the rowids.
    fn chosen(
        &self,
        input: &mut Input<'_>,
        table: &Arc<Table>,
        alias: &str,
    ) -> Result<String, Fault> {
        let scope = Scope { relations: vec![Relation::in_from(table, alias)], ..Scope::default() };
        let reader = |clause| Reader { statement: self, scope: &scope, clause };
        let mut sql = format!(
            "SELECT {}.{} FROM {} AS {}",
            quote(alias),
            table.rowid(),
            quote(&table.name.table),
            quote(alias)
        );
        if input.word("WHERE") {
            let condition = input.checked(Parser::parse_expr)?;
            sql.push_str(&format!(" WHERE {}", reader("where clause").read(&condition)?.sql));
        }
        let mut order: Vec<OrderByExpr> = Vec::new();
        if input.words(&["ORDER", "BY"]) {
            order = input
                .checked(|parser| parser.parse_comma_separated(Parser::parse_order_by_expr))?;
        }
        let mut terms = order_by(&reader("order clause"), &order, &[])?;
        if terms.is_empty() {
            let keys: Vec<String> = table
                .key_terms()
                .iter()
                .map(|term| {
                    term.over(&format!(
                        "{}.{}",
                        quote(alias),
                        quote(table.columns.get(term.column).map_or("", |c| &c.column.name))
                    ))
                })
                .collect();
            if !table.schema().key.is_empty() {
                terms = format!(" ORDER BY {}", keys.join(", "));
            }
        }
        sql.push_str(&terms);
        if input.word("LIMIT") {
            let limit = input.checked(Parser::parse_expr)?;
            sql.push_str(&format!(" LIMIT {}", count(&limit)?));
        }
        input.end()?;
        Ok(sql)
    }
}

/// Generated columns take no value but DEFAULT.
fn refuse_generated(table: &Table, columns: &[usize], rows: &[InsertRows]) -> Result<(), Fault> {
    for (at, column) in columns.iter().enumerate() {
        let Some(definition) = table.columns.get(*column) else { continue };
        let given = rows.iter().any(|row| matches!(row.types.get(at), Some(Some(_))));
        if definition.generated.is_some() && given {
            return Err(generated(table, &definition.column.name));
        }
    }
    Ok(())
}

fn generated(table: &Table, column: &str) -> Fault {
    Fault::GeneratedValue { column: column.to_owned(), table: table.name.table.to_string() }
}

/// `AS new` or `AS new(a, b)` behind VALUES.
fn row_alias(input: &mut Input<'_>) -> Result<Option<(String, Vec<String>)>, Fault> {
    if !input.word("AS") {
        return Ok(None);
    }
    let alias = input.name()?;
    let mut columns = Vec::new();
    if input.token(&Token::LParen) {
        columns = input.list(Input::name)?;
        input.expect(&Token::RParen)?;
    }
    Ok(Some((alias, columns)))
}

/// The columns of an INSERT: those named, or all.
fn insert_columns(input: &mut Input<'_>, table: &Arc<Table>) -> Result<Vec<usize>, Fault> {
    let all = || (0..table.columns.len()).collect();
    if !input.peek(&Token::LParen)
        || input.peek_word_at(1, "SELECT")
        || input.parser().peek_nth_token_ref(1).token == Token::LParen
    {
        return Ok(all());
    }
    input.expect(&Token::LParen)?;
    if input.token(&Token::RParen) {
        // `INSERT INTO t () VALUES ()`.
        return Ok(if input.peek_word("VALUES") || input.peek_word("VALUE") {
            Vec::new()
        } else {
            all()
        });
    }
    let columns = input.list(|input| column_of(input, table))?;
    input.expect(&Token::RParen)?;
    twice(&columns, table)?;
    Ok(columns)
}

/// A column of the table, perhaps qualified.
fn column_of(input: &mut Input<'_>, table: &Arc<Table>) -> Result<usize, Fault> {
    let mut name = input.name()?;
    while input.token(&Token::Period) {
        name = input.name()?;
    }
    table.column(&name).ok_or(Fault::UnknownColumn { column: name, clause: "field list" })
}

fn twice(columns: &[usize], table: &Table) -> Result<(), Fault> {
    for (position, column) in columns.iter().enumerate() {
        if columns.iter().take(position).any(|other| other == column) {
            let name = table.columns.get(*column).map_or("", |c| &c.column.name);
            return Err(Fault::ColumnTwice(name.to_owned()));
        }
    }
    Ok(())
}
