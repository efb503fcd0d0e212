//! A table as its CREATE TABLE defines it, and the SQLite statements that make it.
//!
//! The SQLite table has the declared columns in order, without types, so that SQLite converts
//! nothing, and one index per key. Constraints, defaults and generated columns are the writer's.

use std::fmt::Write as _;
use std::sync::Arc;

use crate::event::{CollationId, Column, ColumnType, TableName, TableSchema};

/// A table's definition.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// The database and the table's name.
    pub name: TableName,
    /// The columns in order.
    pub columns: Vec<ColumnDefinition>,
    /// The keys: the primary key first, then in order of definition.
    pub indexes: Vec<Index>,
    /// The foreign keys.
    pub foreign_keys: Vec<ForeignKey>,
    /// The CHECK constraints.
    pub checks: Vec<Check>,
    /// COMMENT.
    pub comment: String,
    /// The collation of columns that name none.
    pub collation: CollationId,
    /// Where AUTO_INCREMENT starts, at least 1.
    pub auto_increment: u64,
}

/// One column of a table.
#[derive(Debug, Clone, PartialEq)]
pub struct ColumnDefinition {
    /// Name, type, collation and flags.
    pub column: Column,
    /// DEFAULT.
    pub default: Default,
    /// ON UPDATE CURRENT_TIMESTAMP.
    pub on_update_now: bool,
    /// GENERATED ALWAYS AS.
    pub generated: Option<Generated>,
    /// COMMENT.
    pub comment: String,
}

/// The default of a column.
#[derive(Debug, Clone, PartialEq)]
pub enum Default {
    /// Nothing declared, and the column is NOT NULL.
    None,
    /// NULL, declared or implied.
    Null,
    /// A literal, in MySQL's text of the stored value.
    Literal(String),
    /// CURRENT_TIMESTAMP.
    Now,
    /// An expression.
    Expression {
        /// In MySQL's text.
        text: String,
        /// In SQLite's text.
        sql: String,
        /// Its type.
        value: super::Type,
    },
}

/// A generated column's expression.
#[derive(Debug, Clone, PartialEq)]
pub struct Generated {
    /// In MySQL's text.
    pub text: String,
    /// In SQLite's text, over `?1`.. as the row's columns.
    pub sql: String,
    /// Its type.
    pub value: super::Type,
    /// STORED; the SQLite table stores the virtual ones too.
    pub stored: bool,
}

/// A key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Index {
    /// The name; `PRIMARY` for the primary key.
    pub name: String,
    /// UNIQUE or PRIMARY KEY.
    pub unique: bool,
    /// The columns in key order.
    pub parts: Vec<IndexPart>,
}

impl Index {
    /// Whether it is the PRIMARY KEY.
    pub fn is_primary(&self) -> bool {
        self.name == "PRIMARY"
    }
}

/// One column of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexPart {
    /// Which column.
    pub column: usize,
    /// Only so many characters or bytes of it.
    pub prefix: Option<u32>,
    /// DESC.
    pub descending: bool,
}

/// A FOREIGN KEY.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignKey {
    /// The constraint's name.
    pub name: String,
    /// The columns.
    pub columns: Vec<usize>,
    /// The parent, in the same database.
    pub parent: String,
    /// The parent's columns by name.
    pub parent_columns: Vec<String>,
    /// ON DELETE.
    pub on_delete: OnDelete,
    /// ON UPDATE.
    pub on_update: OnDelete,
}

/// What happens to the children of a row that goes or changes its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnDelete {
    /// Error 1451; the default.
    NoAction,
    /// The same, written RESTRICT.
    Restrict,
    /// The children go or change too.
    Cascade,
    /// The children's columns become NULL.
    SetNull,
}

/// A CHECK constraint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// The constraint's name.
    pub name: String,
    /// In MySQL's text.
    pub text: String,
    /// In SQLite's text, over `?1`.. as the row's columns.
    pub sql: String,
    /// Not NOT ENFORCED.
    pub enforced: bool,
}

/// One term of the order of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyTerm {
    /// The column.
    pub column: usize,
    function: Option<CollationId>,
    name: String,
}

impl KeyTerm {
    /// The term over a row of the table.
    pub fn sql(&self) -> String {
        self.over(&quote(&self.name))
    }

    /// The term over another operand in the column's stored form.
    pub fn over(&self, operand: &str) -> String {
        match self.function {
            Some(collation) => format!("my_key({operand}, {})", collation.0),
            None => operand.to_owned(),
        }
    }
}

impl Table {
    /// What a FIELD event says about the table.
    pub fn schema(&self) -> Arc<TableSchema> {
        let primary = self.indexes.iter().find(|index| index.is_primary());
        let key = primary.or_else(|| {
            self.indexes.iter().find(|index| {
                index.unique
                    && index.parts.iter().all(|part| {
                        part.prefix.is_none()
                            && self.columns.get(part.column).is_some_and(|c| !c.column.nullable)
                    })
            })
        });
        Arc::new(TableSchema {
            name: self.name.clone(),
            columns: self.columns.iter().map(|column| column.column.clone()).collect(),
            key: key.map_or_else(Vec::new, |key| key.parts.iter().map(|p| p.column).collect()),
            key_is_primary: primary.is_some(),
        })
    }

    /// The index of a column by name.
    pub fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.column.name.eq_ignore_ascii_case(name))
    }

    /// The column that counts, if any.
    pub fn auto_column(&self) -> Option<usize> {
        self.columns.iter().position(|column| column.column.auto_increment)
    }

    /// The column that is SQLite's rowid, if any: a single signed integer as primary key.
    pub fn rowid_column(&self) -> Option<usize> {
        let primary = self.indexes.iter().find(|index| index.is_primary())?;
        let [part] = primary.parts.as_slice() else { return None };
        let definition = self.columns.get(part.column)?;
        let fits = match definition.column.column_type {
            ColumnType::Int { bytes, unsigned } => !(unsigned && bytes == 8),
            _ => false,
        };
        (fits && definition.generated.is_none()).then_some(part.column)
    }

    /// A name of SQLite's rowid that no column has.
    pub fn rowid(&self) -> &'static str {
        let free = |name: &&&str| self.column(name).is_none();
        ["rowid", "_rowid_", "oid"].iter().find(free).copied().unwrap_or("rowid")
    }

    /// The order of a scan in key order: of the key, or of all columns if there is none.
    pub fn key_terms(&self) -> Vec<KeyTerm> {
        let schema = self.schema();
        let columns: Vec<usize> = if schema.key.is_empty() {
            (0..self.columns.len()).collect()
        } else {
            schema.key.clone()
        };
        columns
            .into_iter()
            .filter_map(|column| {
                let definition = &self.columns.get(column)?.column;
                Some(KeyTerm {
                    column,
                    function: sort_collation(definition),
                    name: definition.name.to_string(),
                })
            })
            .collect()
    }

    /// The SQLite statements that make the table and its indexes under this name.
    pub fn create_sql(&self, name: &str) -> Vec<String> {
        let rowid = self.rowid_column();
        let columns: Vec<String> = self
            .columns
            .iter()
            .enumerate()
            .map(|(index, definition)| {
                let key = if rowid == Some(index) { " INTEGER PRIMARY KEY" } else { "" };
                format!("{}{key}", quote(&definition.column.name))
            })
            .collect();
        let mut statements = vec![format!("CREATE TABLE {} ({})", quote(name), columns.join(", "))];
        for index in &self.indexes {
            if !(index.is_primary() && rowid.is_some()) {
                statements.push(self.create_index_sql(name, index));
            }
        }
        statements
    }

    fn create_index_sql(&self, table: &str, index: &Index) -> String {
        let unique = if index.unique { "UNIQUE " } else { "" };
        let mut sql = format!(
            "CREATE {unique}INDEX {} ON {} (",
            quote(&format!("{table}~{}", index.name)),
            quote(table)
        );
        for (position, part) in index.parts.iter().enumerate() {
            let separator = if position == 0 { "" } else { ", " };
            let direction = if part.descending { " DESC" } else { "" };
            let term = self.part_sql(part, |column| quote(&column.name));
            let _ = write!(sql, "{separator}{term}{direction}");
        }
        sql.push(')');
        sql
    }

    /// What an index holds of a row for one of its parts, over operands made by `operand`.
    pub fn part_sql(&self, part: &IndexPart, operand: impl Fn(&Column) -> String) -> String {
        let Some(definition) = self.columns.get(part.column) else { return "NULL".to_owned() };
        let column = &definition.column;
        let mut term = operand(column);
        if let Some(prefix) = part.prefix {
            term = format!("substr({term}, 1, {prefix})");
        }
        match sort_collation(column) {
            Some(collation) => format!("my_key({term}, {})", collation.0),
            None => term,
        }
    }
}

/// The collation by whose sort key a column is compared; `None` where the stored value is it.
fn sort_collation(column: &Column) -> Option<CollationId> {
    let text = matches!(
        column.column_type,
        ColumnType::Char { .. } | ColumnType::VarChar { .. } | ColumnType::Text { .. }
    );
    (text && column.collation != CollationId::BINARY).then_some(column.collation)
}

/// A name in SQLite's quotes.
pub fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
