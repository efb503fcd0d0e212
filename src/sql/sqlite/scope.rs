//! What names mean inside a statement.

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use super::table::quote;
use super::typed::{Origin, Strength, Typed, string};
use super::{Fault, Table, Tables, Variables};
use crate::event::{CollationId, Column, ColumnType};

/// What holds for a whole statement.
pub struct Statement<'a> {
    /// The tables there are.
    pub tables: &'a dyn Tables,
    /// The session's variables.
    pub variables: &'a dyn Variables,
    /// The stored tables that were named.
    pub read: RefCell<Vec<String>>,
    /// FOR UPDATE or FOR SHARE was written.
    pub locks: Cell<bool>,
}

impl<'a> Statement<'a> {
    /// A statement that has read nothing yet.
    pub fn new(tables: &'a dyn Tables, variables: &'a dyn Variables) -> Self {
        Self { tables, variables, read: RefCell::default(), locks: Cell::new(false) }
    }

    /// A table by the parts of its written name.
    pub fn table(&self, parts: &[String]) -> Result<Arc<Table>, Fault> {
        let name = self.local_name(parts)?;
        self.tables
            .table(&name)
            .ok_or_else(|| Fault::NoSuchTable(format!("{}.{name}", self.tables.database())))
    }

    /// The name of a table of this database.
    pub fn local_name(&self, parts: &[String]) -> Result<String, Fault> {
        match parts {
            [name] => Ok(name.clone()),
            [database, name] if database == self.tables.database() => Ok(name.clone()),
            [database, _] => Err(Fault::UnknownDatabase(database.clone())),
            _ => Err(Fault::Unsupported("names of three parts".to_owned())),
        }
    }
}

/// The relations in FROM, and the query around.
#[derive(Default)]
pub struct Scope<'p> {
    /// In order.
    pub relations: Vec<Relation>,
    /// Names of the SELECT list, where a clause sees them.
    pub aliases: Vec<(String, Typed)>,
    /// The query around this one.
    pub parent: Option<&'p Scope<'p>>,
    /// Aggregate functions are allowed here.
    pub aggregates: bool,
}

/// One relation of FROM.
#[derive(Debug, Clone)]
pub struct Relation {
    /// Its name in the statement.
    pub alias: String,
    /// The stored table it is.
    pub table: Option<Arc<Table>>,
    /// Its columns.
    pub columns: Vec<ScopeColumn>,
}

/// One column of a relation.
#[derive(Debug, Clone)]
pub struct ScopeColumn {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: Typed,
    /// USING or NATURAL made it one with a column before: only a qualified name finds it.
    pub merged: bool,
}

impl Relation {
    /// A stored table; `operand` gives the SQLite text of each column.
    pub fn of(table: &Arc<Table>, alias: &str, operand: impl Fn(usize, &Column) -> String) -> Self {
        let columns = table.columns.iter().enumerate().map(|(index, definition)| {
            let column = &definition.column;
            let mut value = stored(operand(index, column), column);
            value.origin = Some(Origin {
                alias: alias.to_owned(),
                table: Some(table.name.table.to_string()),
                column: column.clone(),
            });
            ScopeColumn { name: column.name.to_string(), value, merged: false }
        });
        Self { alias: alias.to_owned(), columns: columns.collect(), table: Some(Arc::clone(table)) }
    }

    /// A stored table in FROM.
    pub fn in_from(table: &Arc<Table>, alias: &str) -> Self {
        Self::of(table, alias, |_, column| format!("{}.{}", quote(alias), quote(&column.name)))
    }
}

/// A column's stored value as an operand.
pub fn stored(sql: String, column: &Column) -> Typed {
    let sql = match column.column_type {
        ColumnType::Decimal { scale, .. } => {
            format!("my_dec({sql}, {})", string(&format!("c{scale}")))
        }
        _ => sql,
    };
    let strength =
        if column.collation == CollationId::BINARY { Strength::Number } else { Strength::Column };
    Typed {
        collation: column.collation,
        nullable: column.nullable,
        strength,
        ..Typed::new(sql, column.column_type.clone())
    }
}

impl Scope<'_> {
    /// The column of this name; `qualifier` is a relation's.
    pub fn column(
        &self,
        qualifier: Option<&str>,
        name: &str,
        clause: &'static str,
    ) -> Result<Typed, Fault> {
        let mut found = None;
        for relation in &self.relations {
            if qualifier.is_some_and(|qualifier| !relation.alias.eq_ignore_ascii_case(qualifier)) {
                continue;
            }
            for column in &relation.columns {
                if !column.name.eq_ignore_ascii_case(name) || (qualifier.is_none() && column.merged)
                {
                    continue;
                }
                if found.is_some() {
                    return Err(Fault::Ambiguous { column: name.to_owned(), clause });
                }
                found = Some(&column.value);
            }
        }
        let written = || match qualifier {
            Some(qualifier) => format!("{qualifier}.{name}"),
            None => name.to_owned(),
        };
        match (found, self.parent) {
            (Some(value), _) => Ok(value.clone()),
            (None, Some(parent)) => parent.column(qualifier, name, clause),
            (None, None) => Err(Fault::UnknownColumn { column: written(), clause }),
        }
    }

    /// The item of the SELECT list of this name.
    pub fn alias(&self, name: &str) -> Option<&Typed> {
        self.aliases.iter().find(|(alias, _)| alias.eq_ignore_ascii_case(name)).map(|(_, v)| v)
    }
}
