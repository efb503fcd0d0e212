//! MySQL text -> SQLite text with MySQL's types, for the embedded store.
//!
//! Every expression gets MySQL's static type from the declared columns; the type decides which of
//! the store's SQLite functions does the work, so that a value is compared, added and printed as
//! MySQL does it. What is not understood is a [`Fault`], never a guess.

mod aggregate;
mod alter;
mod call;
mod cast;
mod change;
mod column;
mod define;
mod expr;
mod fault;
mod from;
mod grouping;
mod interval;
mod keys;
mod listing;
mod literal;
mod parser;
mod scope;
mod select;
mod show;
mod statement;
mod table;
mod typed;

use std::sync::Arc;

pub use fault::Fault;
pub use statement::{parse_table, translate};
pub use table::{
    Check, ColumnDefinition, Default, ForeignKey, Generated, Index, IndexPart, KeyTerm, OnDelete,
    Table, quote,
};

use crate::event::Column;

/// The tables that a statement may name, as of one moment.
pub trait Tables {
    /// The one database of the store.
    fn database(&self) -> &str;
    /// A table by its name.
    fn table(&self, name: &str) -> Option<Arc<Table>>;
    /// A view by its name.
    fn view(&self, name: &str) -> Option<Arc<View>>;
    /// The names of all tables, in bytewise order.
    fn names(&self) -> Vec<String>;
    /// The names of all views, in bytewise order.
    fn view_names(&self) -> Vec<String>;
}

/// What a session's variables hold.
pub trait Variables: Send + Sync {
    /// A system variable, of the session where it has one; the name without `@@`, in lower case.
    /// Also `version`, `database`, `connection_id`, `user` for the functions of those names.
    fn system(&self, name: &str) -> Option<Value>;
    /// A user variable; the name without `@`, in lower case.
    fn user(&self, name: &str) -> Option<Value>;
}

/// A value outside of any table.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// NULL.
    Null,
    /// A whole number.
    Int(i64),
    /// A DOUBLE.
    Double(f64),
    /// A DECIMAL's text.
    Decimal(String),
    /// A text.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
}

/// A statement, ready for the store.
#[derive(Debug, Clone, PartialEq)]
pub enum Translated {
    /// Returns rows.
    Select(Query),
    /// Sets user variables to the values of the query's only row, in order.
    SetUser {
        /// The variables' names, in lower case.
        names: Vec<String>,
        /// One column per name.
        query: Query,
    },
    /// An answer that is known without running anything.
    Ready(Ready),
    /// Changes rows: `write::run` does it.
    Dml(Dml),
    /// Makes a table and fills it.
    CreateTable {
        /// The table.
        table: Arc<Table>,
        /// An existing one is a warning (1050), not an error.
        if_not_exists: bool,
        /// Rows of AS SELECT, an INSERT into the new table.
        fill: Option<Box<Dml>>,
    },
    /// Replaces a table by another version of it.
    AlterTable(Alter),
    /// Drops tables.
    DropTables {
        /// Their names.
        names: Vec<String>,
        /// A missing one is a warning (1051).
        if_exists: bool,
        /// Foreign keys from tables that stay do not matter.
        unchecked: bool,
    },
    /// Renames tables, in order.
    RenameTables(Vec<(String, String)>),
    /// Empties a table and resets its counter.
    Truncate(String),
    /// Makes a view.
    CreateView {
        /// The view.
        view: Arc<View>,
        /// May replace a view of the same name.
        or_replace: bool,
    },
    /// Drops views.
    DropViews {
        /// Their names.
        names: Vec<String>,
        /// A missing one is a warning.
        if_exists: bool,
    },
    /// Begins a transaction, after committing an open one.
    Begin {
        /// Writes are refused with 1792.
        read_only: bool,
        /// The view is opened at once.
        snapshot: bool,
    },
    /// Commits; `chain` begins the next one.
    Commit {
        /// AND CHAIN
        chain: bool,
    },
    /// Rolls back; `chain` begins the next one.
    Rollback {
        /// AND CHAIN
        chain: bool,
    },
    /// Sets a savepoint, replacing one of the same name.
    Savepoint(String),
    /// Rolls back to a savepoint; 1305 if there is none.
    RollbackTo(String),
    /// Forgets a savepoint; 1305 if there is none.
    Release(String),
    /// Accepted, but there is nothing to do.
    Nothing {
        /// Commits the open transaction, as in MySQL.
        implicit_commit: bool,
        /// The warning to leave, if any.
        warning: Option<Warning>,
    },
}

/// A query in SQLite's text.
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    /// The text, without parameters.
    pub sql: String,
    /// The columns of its rows.
    pub columns: Vec<ResultColumn>,
    /// FOR UPDATE or FOR SHARE.
    pub locks: bool,
    /// The tables it reads.
    pub tables: Vec<String>,
}

/// A column of a result.
#[derive(Debug, Clone, PartialEq)]
pub struct ResultColumn {
    /// The name that clients see.
    pub name: String,
    /// Type, collation and flags; its name is the original column's.
    pub column: Column,
    /// The alias in FROM and the table's name, if the column is one of a table.
    pub table: Option<(String, String)>,
}

/// A result that needs no query: SHOW and DESCRIBE.
#[derive(Debug, Clone, PartialEq)]
pub struct Ready {
    /// The columns.
    pub columns: Vec<ResultColumn>,
    /// The rows; `None` is NULL.
    pub rows: Vec<Vec<Option<String>>>,
}

/// A view: its text and the query behind it.
#[derive(Debug, Clone, PartialEq)]
pub struct View {
    /// The name.
    pub name: String,
    /// The names of its columns, if the statement gave any.
    pub columns: Vec<String>,
    /// The SELECT in MySQL's text.
    pub text: String,
}

/// How a table changes.
#[derive(Debug, Clone, PartialEq)]
pub struct Alter {
    /// The table as it was.
    pub old: Arc<Table>,
    /// The table as it will be; its name may differ.
    pub new: Arc<Table>,
    /// For each new column where its values come from; `write::rebuild` takes it.
    pub fill: Vec<Fill>,
    /// Rows need not be touched: only names, comments, defaults or indexes differ.
    pub in_place: bool,
    /// What to tell the client.
    pub warnings: Vec<Warning>,
}

/// Where the values of a column of an altered table come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fill {
    /// From this column of the old table, converted to the new type.
    Column(usize),
    /// The new column's default.
    Default,
    /// The next number of the table's counter.
    AutoIncrement,
    /// Computed from the other columns.
    Generated,
}

/// A statement that changes rows.
#[derive(Debug, Clone, PartialEq)]
pub enum Dml {
    /// INSERT and REPLACE.
    Insert(Insert),
    /// UPDATE of one table.
    Update(Update),
    /// DELETE from one table.
    Delete(Delete),
    /// Several of them that were one multi-table statement, over rows found before the first.
    Several(Vec<Dml>),
}

/// An INSERT or REPLACE.
#[derive(Debug, Clone, PartialEq)]
pub struct Insert {
    /// The table.
    pub table: Arc<Table>,
    /// The columns that get values, in the order of a row of `rows`.
    pub columns: Vec<usize>,
    /// The rows in order: each a query of one or more rows, one column per entry of `columns`.
    pub rows: Vec<InsertRows>,
    /// What happens to a row whose key exists.
    pub conflict: Conflict,
    /// IGNORE: errors of a row become warnings.
    pub ignore: bool,
    /// INSERT ... SELECT.
    pub from_select: bool,
}

/// Rows of an INSERT.
#[derive(Debug, Clone, PartialEq)]
pub struct InsertRows {
    /// A query without parameters.
    pub sql: String,
    /// The type of each column; `None` where DEFAULT was written.
    pub types: Vec<Option<Type>>,
}

/// The MySQL type of a value that is not a column's.
#[derive(Debug, Clone, PartialEq)]
pub struct Type {
    /// The type.
    pub column_type: crate::event::ColumnType,
    /// The collation of a text; `binary` for all else.
    pub collation: crate::event::CollationId,
}

/// What an INSERT does with a row whose key exists.
#[derive(Debug, Clone, PartialEq)]
pub enum Conflict {
    /// Error 1062, or a warning under IGNORE.
    Fail,
    /// REPLACE: the old rows go.
    Replace,
    /// ON DUPLICATE KEY UPDATE.
    Update(Vec<Set>),
}

/// One assignment of an UPDATE.
#[derive(Debug, Clone, PartialEq)]
pub struct Set {
    /// The column.
    pub column: usize,
    /// `None`: DEFAULT. Else an expression over the row: `?1`.. are the current values of the
    /// table's columns, and behind them, in ON DUPLICATE KEY UPDATE, those of the row to insert.
    pub value: Option<(String, Type)>,
}

/// An UPDATE of one table.
#[derive(Debug, Clone, PartialEq)]
pub struct Update {
    /// The table.
    pub table: Arc<Table>,
    /// A query for the rowids of the rows, in order; behind them the values that assignments name
    /// of other tables, which follow the row's own as parameters.
    pub rows: String,
    /// The assignments, which see those before them.
    pub set: Vec<Set>,
    /// IGNORE.
    pub ignore: bool,
}

/// A DELETE from one table.
#[derive(Debug, Clone, PartialEq)]
pub struct Delete {
    /// The table.
    pub table: Arc<Table>,
    /// A query for the rowids of the rows, in order.
    pub rows: String,
    /// IGNORE.
    pub ignore: bool,
}

/// A warning or note that a statement leaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// `Warning` or `Note`.
    pub level: &'static str,
    /// MySQL's code.
    pub code: u16,
    /// MySQL's text.
    pub message: String,
}
