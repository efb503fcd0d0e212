//! CREATE TABLE: columns, keys, constraints and options.

use std::sync::Arc;

use sqlparser::ast::{ExactNumberInfo, Expr};
use sqlparser::parser::Parser;
use sqlparser::tokenizer::Token;

use super::column::{Attributes, ColumnText};
use super::expr::Reader;
use super::parser::Input;
use super::scope::{Relation, Scope, Statement};
use super::typed::{DEFAULT, Typed};
use super::{
    Check, ColumnDefinition, Default, Fault, ForeignKey, Generated, Index, IndexPart, OnDelete,
    Table,
};
use crate::event::collation as collations;
use crate::event::{CollationId, ColumnType, TableName};

/// What a CREATE TABLE or ALTER TABLE has said so far; names are bound when all is read.
#[derive(Debug, Clone)]
pub struct Draft {
    /// The table's name.
    pub name: TableName,
    /// The columns.
    pub columns: Vec<ColumnText>,
    /// The keys.
    pub keys: Vec<KeyText>,
    /// The foreign keys.
    pub foreign_keys: Vec<ForeignText>,
    /// The CHECK constraints.
    pub checks: Vec<CheckText>,
    /// COMMENT.
    pub comment: String,
    /// The collation of columns that name none.
    pub collation: CollationId,
    /// AUTO_INCREMENT.
    pub auto_increment: u64,
}

/// A key as written.
#[derive(Debug, Clone)]
pub struct KeyText {
    /// The name, if given; `PRIMARY` for the primary key.
    pub name: Option<String>,
    /// UNIQUE or PRIMARY.
    pub unique: bool,
    /// Column, prefix length, DESC.
    pub parts: Vec<(String, Option<u32>, bool)>,
}

/// A foreign key as written.
#[derive(Debug, Clone)]
pub struct ForeignText {
    /// The constraint's name, if given.
    pub name: Option<String>,
    /// The columns.
    pub columns: Vec<String>,
    /// The parent.
    pub parent: String,
    /// The parent's columns.
    pub parent_columns: Vec<String>,
    /// ON DELETE.
    pub on_delete: OnDelete,
    /// ON UPDATE.
    pub on_update: OnDelete,
}

/// A CHECK constraint as written.
#[derive(Debug, Clone)]
pub struct CheckText {
    /// The constraint's name, if given.
    pub name: Option<String>,
    /// The expression.
    pub expr: Expr,
    /// Its text.
    pub text: String,
    /// Not NOT ENFORCED.
    pub enforced: bool,
    /// Of a column: may name only that one.
    pub column: Option<String>,
}

impl Draft {
    /// An empty table.
    pub fn new(database: &str, name: &str) -> Self {
        Self {
            name: TableName::new(database, name),
            columns: Vec::new(),
            keys: Vec::new(),
            foreign_keys: Vec::new(),
            checks: Vec::new(),
            comment: String::new(),
            collation: DEFAULT,
            auto_increment: 1,
        }
    }

    /// Reads what stands between the parentheses of CREATE TABLE.
    pub fn elements(&mut self, input: &mut Input<'_>) -> Result<(), Fault> {
        loop {
            self.element(input)?;
            if !input.token(&Token::Comma) {
                return input.expect(&Token::RParen);
            }
        }
    }

    fn element(&mut self, input: &mut Input<'_>) -> Result<(), Fault> {
        if self.constraint(input)? {
            return Ok(());
        }
        let name = input.name()?;
        let column = self.column(input, name)?;
        self.columns.push(column);
        Ok(())
    }

    /// A key or constraint, if one is next.
    pub fn constraint(&mut self, input: &mut Input<'_>) -> Result<bool, Fault> {
        let mut name = None;
        if input.word("CONSTRAINT") {
            let unnamed =
                ["PRIMARY", "UNIQUE", "FOREIGN", "CHECK"].iter().any(|w| input.peek_word(w));
            if !unnamed {
                name = Some(input.name()?);
            }
        }
        if input.words(&["PRIMARY", "KEY"]) {
            skip_using(input)?;
            let parts = key_parts(input)?;
            skip_key_options(input)?;
            self.keys.push(KeyText { name: Some("PRIMARY".to_owned()), unique: true, parts });
        } else if input.word("UNIQUE") {
            let _ = input.word("KEY") || input.word("INDEX");
            self.key(input, true, name)?;
        } else if input.words(&["FOREIGN", "KEY"]) {
            self.foreign_key(input, name)?;
        } else if input.word("CHECK") {
            self.check(input, name, None)?;
        } else if name.is_none() && is_key(input) {
            input.parser().advance_token();
            self.key(input, false, None)?;
        } else if input.peek_word("FULLTEXT") || input.peek_word("SPATIAL") {
            return Err(Fault::Unsupported("FULLTEXT and SPATIAL indexes".to_owned()));
        } else if name.is_some() {
            return Err(input.here());
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    /// The rest of a key behind its keyword.
    pub fn key(
        &mut self,
        input: &mut Input<'_>,
        unique: bool,
        name: Option<String>,
    ) -> Result<(), Fault> {
        let mut name = name;
        if !input.peek(&Token::LParen) && !input.peek_word("USING") {
            name = Some(input.name()?);
        }
        skip_using(input)?;
        let parts = key_parts(input)?;
        skip_key_options(input)?;
        if name.as_deref().is_some_and(|name| name.eq_ignore_ascii_case("PRIMARY")) {
            return Err(Fault::WrongIndexName(name.unwrap_or_default()));
        }
        self.keys.push(KeyText { name, unique, parts });
        Ok(())
    }

    fn foreign_key(&mut self, input: &mut Input<'_>, name: Option<String>) -> Result<(), Fault> {
        let mut name = name;
        if !input.peek(&Token::LParen) {
            let index = input.name()?;
            name.get_or_insert(index);
        }
        let columns: Vec<String> =
            key_parts(input)?.into_iter().map(|(column, ..)| column).collect();
        let foreign = references(input, name, columns)?;
        self.foreign_keys.push(foreign);
        Ok(())
    }

    /// The rest of a CHECK behind its keyword.
    pub fn check(
        &mut self,
        input: &mut Input<'_>,
        name: Option<String>,
        column: Option<String>,
    ) -> Result<(), Fault> {
        let (expr, text) = parenthesized(input)?;
        let enforced = if input.words(&["NOT", "ENFORCED"]) {
            false
        } else {
            input.word("ENFORCED");
            true
        };
        self.checks.push(CheckText { name, expr, text, enforced, column });
        Ok(())
    }

    /// A column behind its name; its keys and checks go to the table.
    pub fn column(&mut self, input: &mut Input<'_>, name: String) -> Result<ColumnText, Fault> {
        let mut column = ColumnText::read(input, name)?;
        let attributes = std::mem::take(&mut column.attributes);
        let Attributes { primary, unique, checks, references, .. } = attributes.clone();
        column.attributes = attributes;
        let part = vec![(column.name.clone(), None, false)];
        if primary {
            let name = Some("PRIMARY".to_owned());
            self.keys.push(KeyText { name, unique: true, parts: part.clone() });
        }
        if unique {
            self.keys.push(KeyText { name: None, unique: true, parts: part });
        }
        for (name, expr, text, enforced) in checks {
            let column = Some(column.name.clone());
            self.checks.push(CheckText { name, expr, text, enforced, column });
        }
        // MySQL 8 reads REFERENCES of a column and forgets it.
        let _ = references;
        Ok(column)
    }

    /// Table options, to the end of the text or to AS or SELECT.
    pub fn options(&mut self, input: &mut Input<'_>) -> Result<(), Fault> {
        loop {
            input.token(&Token::Comma);
            input.word("DEFAULT");
            if input.words(&["CHARACTER", "SET"]) || input.word("CHARSET") {
                input.token(&Token::Eq);
                self.collation = charset(&word_or_string(input)?)?;
            } else if input.word("COLLATE") {
                input.token(&Token::Eq);
                self.collation = collation(&word_or_string(input)?)?;
            } else if input.word("COMMENT") {
                input.token(&Token::Eq);
                self.comment = input.string()?;
            } else if input.word("AUTO_INCREMENT") {
                input.token(&Token::Eq);
                self.auto_increment = input.number()?.max(1);
            } else if IGNORED.iter().any(|option| input.word(option)) {
                input.token(&Token::Eq);
                input.parser().advance_token();
            } else if input.peek_word("PARTITION") {
                return Err(Fault::Unsupported("PARTITION BY".to_owned()));
            } else {
                return Ok(());
            }
        }
    }

    /// Binds all names.
    pub fn finish(self, statement: &Statement<'_>) -> Result<Table, Fault> {
        let columns = self.bind_columns()?;
        let mut table = Table {
            name: self.name.clone(),
            columns,
            indexes: Vec::new(),
            foreign_keys: Vec::new(),
            checks: Vec::new(),
            comment: self.comment.clone(),
            collation: self.collation,
            auto_increment: self.auto_increment,
        };
        self.bind_keys(&mut table)?;
        self.bind_foreign_keys(&mut table, statement)?;
        super::keys::finish(&mut table)?;
        self.bind_expressions(&mut table, statement)?;
        Ok(table)
    }

    fn bind_columns(&self) -> Result<Vec<ColumnDefinition>, Fault> {
        if self.columns.is_empty() {
            return Err(Fault::NoColumns);
        }
        let mut columns: Vec<ColumnDefinition> = Vec::new();
        for text in &self.columns {
            if columns.iter().any(|c| c.column.name.eq_ignore_ascii_case(&text.name)) {
                return Err(Fault::DuplicateColumn(text.name.clone()));
            }
            columns.push(text.bind(self.collation)?);
        }
        Ok(columns)
    }

    fn bind_keys(&self, table: &mut Table) -> Result<(), Fault> {
        for key in &self.keys {
            let mut parts = Vec::new();
            for (name, prefix, descending) in &key.parts {
                let column =
                    table.column(name).ok_or_else(|| Fault::KeyColumnMissing(name.clone()))?;
                if parts.iter().any(|part: &IndexPart| part.column == column) {
                    return Err(Fault::DuplicateColumn(name.clone()));
                }
                parts.push(IndexPart { column, prefix: *prefix, descending: *descending });
            }
            let name = match &key.name {
                Some(name) => {
                    if table.indexes.iter().any(|i| i.name.eq_ignore_ascii_case(name)) {
                        return Err(if name == "PRIMARY" {
                            Fault::MultiplePrimaryKeys
                        } else {
                            Fault::DuplicateKeyName(name.clone())
                        });
                    }
                    name.clone()
                }
                None => self.free_key_name(table, &key.parts),
            };
            table.indexes.push(Index { name, unique: key.unique, parts });
        }
        Ok(())
    }

    /// The first column's name, with a number if that is taken by any key, written later too.
    fn free_key_name(&self, table: &Table, parts: &[(String, Option<u32>, bool)]) -> String {
        let first = parts.first().map_or("key", |(column, ..)| column.as_str());
        let first = table
            .column(first)
            .and_then(|index| table.columns.get(index))
            .map_or_else(|| first.to_owned(), |definition| definition.column.name.to_string());
        let taken = |name: &str| {
            name.eq_ignore_ascii_case("PRIMARY")
                || table.indexes.iter().any(|i| i.name.eq_ignore_ascii_case(name))
                || self
                    .keys
                    .iter()
                    .any(|k| k.name.as_deref().is_some_and(|n| n.eq_ignore_ascii_case(name)))
        };
        if !taken(&first) {
            return first;
        }
        (2..).map(|n| format!("{first}_{n}")).find(|name| !taken(name)).unwrap_or(first)
    }

    fn bind_foreign_keys(&self, table: &mut Table, statement: &Statement<'_>) -> Result<(), Fault> {
        for foreign in &self.foreign_keys {
            let mut columns = Vec::new();
            for name in &foreign.columns {
                columns
                    .push(table.column(name).ok_or_else(|| Fault::KeyColumnMissing(name.clone()))?);
            }
            let name = match &foreign.name {
                Some(name) => name.clone(),
                None => (1..)
                    .map(|n| format!("{}_ibfk_{n}", table.name.table))
                    .find(|name| {
                        !table.foreign_keys.iter().any(|f| f.name == *name)
                            && !self.foreign_keys.iter().any(|f| f.name.as_ref() == Some(name))
                    })
                    .unwrap_or_default(),
            };
            if table.foreign_keys.iter().any(|f| f.name.eq_ignore_ascii_case(&name)) {
                return Err(Fault::DuplicateForeignKey(name));
            }
            let bound = ForeignKey {
                name,
                columns,
                parent: foreign.parent.clone(),
                parent_columns: foreign.parent_columns.clone(),
                on_delete: foreign.on_delete,
                on_update: foreign.on_update,
            };
            super::keys::check_foreign(table, &bound, statement)?;
            super::keys::cover_foreign(table, &bound);
            table.foreign_keys.push(bound);
        }
        Ok(())
    }

    /// DEFAULT, GENERATED and CHECK expressions, which see the whole table.
    fn bind_expressions(&self, table: &mut Table, statement: &Statement<'_>) -> Result<(), Fault> {
        let shape = Arc::new(table.clone());
        let name = table.name.table.to_string();
        let relation = Relation::of(&shape, &name, |index, _| format!("?{}", index + 1));
        let scope = Scope { relations: vec![relation], ..Scope::default() };
        let reader = |clause| Reader { statement, scope: &scope, clause };
        for (text, definition) in self.columns.iter().zip(&mut table.columns) {
            if let Some((expr, written, stored)) = &text.attributes.generated {
                let value = reader("generated column function").read(expr)?;
                if definition.column.auto_increment {
                    return Err(Fault::WrongUsage("AUTO_INCREMENT and generated column"));
                }
                definition.generated = Some(Generated {
                    text: written.clone(),
                    value: value.value_type(),
                    sql: value.sql,
                    stored: *stored,
                });
                definition.default = Default::Null;
            }
            if let Some((expr, written)) = &text.attributes.default_expression {
                // A default is computed before there is a row.
                let alone = Scope::default();
                let clause = "default value expression";
                let value = Reader { statement, scope: &alone, clause }.read(expr)?;
                definition.default = Default::Expression {
                    text: written.clone(),
                    value: value.value_type(),
                    sql: value.sql,
                };
            }
        }
        for check in &self.checks {
            let name = match &check.name {
                Some(name) => name.clone(),
                None => (1..)
                    .map(|n| format!("{}_chk_{n}", table.name.table))
                    .find(|name| {
                        !table.checks.iter().any(|c| c.name == *name)
                            && !self.checks.iter().any(|c| c.name.as_ref() == Some(name))
                    })
                    .unwrap_or_default(),
            };
            if table.checks.iter().any(|c| c.name.eq_ignore_ascii_case(&name)) {
                return Err(Fault::DuplicateCheck(name));
            }
            let value: Typed = reader("check constraint expression").read(&check.expr).map_err(
                |fault| match fault {
                    Fault::UnknownColumn { column, .. } => {
                        Fault::CheckColumn { check: name.clone(), column }
                    }
                    other => other,
                },
            )?;
            table.checks.push(Check {
                name,
                text: check.text.clone(),
                sql: value.sql,
                enforced: check.enforced,
            });
        }
        Ok(())
    }
}

/// `KEY` or `INDEX` that begins a key, not a column of that name.
fn is_key(input: &Input<'_>) -> bool {
    input.peek_word("KEY") || input.peek_word("INDEX")
}

/// REFERENCES and its actions.
pub fn references(
    input: &mut Input<'_>,
    name: Option<String>,
    columns: Vec<String>,
) -> Result<ForeignText, Fault> {
    input.expect_word("REFERENCES")?;
    let mut parent = input.name()?;
    if input.token(&Token::Period) {
        parent = input.name()?;
    }
    let parent_columns: Vec<String> =
        key_parts(input)?.into_iter().map(|(column, ..)| column).collect();
    let mut foreign = ForeignText {
        name,
        columns,
        parent,
        parent_columns,
        on_delete: OnDelete::NoAction,
        on_update: OnDelete::NoAction,
    };
    if input.word("MATCH") {
        return Err(Fault::Unsupported("MATCH".to_owned()));
    }
    loop {
        if input.words(&["ON", "DELETE"]) {
            foreign.on_delete = action(input)?;
        } else if input.words(&["ON", "UPDATE"]) {
            foreign.on_update = action(input)?;
        } else {
            return Ok(foreign);
        }
    }
}

fn action(input: &mut Input<'_>) -> Result<OnDelete, Fault> {
    if input.word("CASCADE") {
        Ok(OnDelete::Cascade)
    } else if input.word("RESTRICT") {
        Ok(OnDelete::Restrict)
    } else if input.words(&["SET", "NULL"]) {
        Ok(OnDelete::SetNull)
    } else if input.words(&["NO", "ACTION"]) {
        Ok(OnDelete::NoAction)
    } else if input.words(&["SET", "DEFAULT"]) {
        Err(Fault::CannotAddForeignKey)
    } else {
        Err(input.here())
    }
}

/// An expression in parentheses, and its text with them.
pub fn parenthesized(input: &mut Input<'_>) -> Result<(Expr, String), Fault> {
    let start = input.offset();
    input.expect(&Token::LParen)?;
    let expr = input.checked(Parser::parse_expr)?;
    input.expect(&Token::RParen)?;
    Ok((expr, input.text_from(start).to_owned()))
}

/// Column, prefix and direction of each part of a key.
pub fn key_parts(input: &mut Input<'_>) -> Result<Vec<(String, Option<u32>, bool)>, Fault> {
    input.expect(&Token::LParen)?;
    let parts = input.list(|input| {
        if input.peek(&Token::LParen) {
            return Err(Fault::Unsupported("keys over expressions".to_owned()));
        }
        let name = input.name()?;
        let mut prefix = None;
        if input.token(&Token::LParen) {
            prefix = u32::try_from(input.number()?).ok();
            input.expect(&Token::RParen)?;
        }
        let descending = input.word("DESC");
        if !descending {
            input.word("ASC");
        }
        Ok((name, prefix, descending))
    })?;
    input.expect(&Token::RParen)?;
    Ok(parts)
}

fn skip_using(input: &mut Input<'_>) -> Result<(), Fault> {
    if input.word("USING") && !(input.word("BTREE") || input.word("HASH")) {
        return Err(input.here());
    }
    Ok(())
}

/// Options of a key that mean nothing here.
pub fn skip_key_options(input: &mut Input<'_>) -> Result<(), Fault> {
    loop {
        if input.peek_word("USING") {
            skip_using(input)?;
        } else if input.word("COMMENT") {
            input.string()?;
        } else if input.word("KEY_BLOCK_SIZE") {
            input.token(&Token::Eq);
            input.number()?;
        } else if !(input.word("VISIBLE") || input.word("INVISIBLE")) {
            return Ok(());
        }
    }
}

/// A name or a text, as options take them.
pub fn word_or_string(input: &mut Input<'_>) -> Result<String, Fault> {
    input.string().or_else(|_| input.name())
}

/// A collation that texts can be compared under.
pub fn collation(name: &str) -> Result<CollationId, Fault> {
    let lower = name.to_ascii_lowercase();
    let lower = lower.replace("utf8_", "utf8mb3_");
    let found =
        collations::by_name(&lower).ok_or_else(|| Fault::UnknownCollation(name.to_owned()))?;
    if !collations::is_covered(found) {
        return Err(Fault::Unsupported(format!("the collation {name}")));
    }
    Ok(found)
}

/// The default collation of a character set.
pub fn charset(name: &str) -> Result<CollationId, Fault> {
    match name.to_ascii_lowercase().as_str() {
        "utf8mb4" => Ok(DEFAULT),
        "utf8" | "utf8mb3" => collation("utf8mb3_general_ci"),
        "latin1" => collation("latin1_swedish_ci"),
        "ascii" => collation("ascii_general_ci"),
        "binary" => Ok(CollationId::BINARY),
        other if collations::Charset::by_name(other).is_some() => {
            Err(Fault::Unsupported(format!("the character set {name}")))
        }
        _ => Err(Fault::UnknownCharset(name.to_owned())),
    }
}

/// Precision and scale of a DECIMAL.
pub fn decimal(info: &ExactNumberInfo, column: &str) -> Result<(u8, u8), Fault> {
    let (precision, scale) = match info {
        ExactNumberInfo::None => (10, 0),
        ExactNumberInfo::Precision(precision) => (*precision, 0),
        ExactNumberInfo::PrecisionAndScale(precision, scale) => {
            (*precision, u64::try_from(*scale).unwrap_or(u64::MAX))
        }
    };
    decimal_checked(precision, scale, column)
}

/// The same, checked.
pub fn decimal_checked(precision: u64, scale: u64, column: &str) -> Result<(u8, u8), Fault> {
    let precision = if precision == 0 && scale == 0 { 10 } else { precision };
    if scale > 30 {
        return Err(Fault::TooBigScale { scale, column: column.to_owned() });
    }
    if precision > 65 {
        return Err(Fault::TooBigPrecision { precision, column: column.to_owned(), max: 65 });
    }
    if scale > precision {
        return Err(Fault::ScaleOverPrecision(column.to_owned()));
    }
    match (u8::try_from(precision), u8::try_from(scale)) {
        (Ok(precision), Ok(scale)) => Ok((precision, scale)),
        _ => Err(Fault::ScaleOverPrecision(column.to_owned())),
    }
}

/// Digits of a second's fraction.
pub fn fsp(fsp: Option<u64>, column: &str) -> Result<u8, Fault> {
    match u8::try_from(fsp.unwrap_or(0)) {
        Ok(fsp) if fsp <= 6 => Ok(fsp),
        _ => Err(Fault::TooBigPrecision {
            precision: fsp.unwrap_or(0),
            column: column.to_owned(),
            max: 6,
        }),
    }
}

/// Whether the type needs a prefix in a key.
pub fn is_long(column_type: &ColumnType) -> bool {
    matches!(column_type, ColumnType::Text { .. })
}

/// Options of a table that mean nothing here.
const IGNORED: &[&str] = &[
    "ENGINE",
    "TYPE",
    "ROW_FORMAT",
    "KEY_BLOCK_SIZE",
    "STATS_PERSISTENT",
    "STATS_AUTO_RECALC",
    "STATS_SAMPLE_PAGES",
    "AVG_ROW_LENGTH",
    "CHECKSUM",
    "DELAY_KEY_WRITE",
    "MAX_ROWS",
    "MIN_ROWS",
    "PACK_KEYS",
    "COMPRESSION",
];
