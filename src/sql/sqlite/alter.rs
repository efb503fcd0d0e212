//! ALTER TABLE, CREATE INDEX and DROP INDEX: the table after it, and where its values come from.

use std::sync::Arc;

use sqlparser::tokenizer::Token;

use super::column::ColumnText;
use super::define::{
    CheckText, Draft, ForeignText, KeyText, key_parts, skip_key_options, word_or_string,
};
use super::parser::Input;
use super::scope::Statement;
use super::{Alter, Fault, Fill, Table};
use crate::event::TableName;

/// A table being altered.
struct Altering {
    old: Arc<Table>,
    draft: Draft,
    /// For each column of the draft, the old column it was.
    from: Vec<Option<usize>>,
}

impl Draft {
    /// The draft that gives this table again.
    fn of(table: &Table) -> Result<Self, Fault> {
        let mut draft = Self::new(&table.name.keyspace, &table.name.table);
        for definition in &table.columns {
            draft.columns.push(ColumnText::of(definition)?);
        }
        let name = |column: usize| {
            table.columns.get(column).map_or_else(String::new, |c| c.column.name.to_string())
        };
        for index in &table.indexes {
            draft.keys.push(KeyText {
                name: Some(index.name.clone()),
                unique: index.unique,
                parts: index
                    .parts
                    .iter()
                    .map(|part| (name(part.column), part.prefix, part.descending))
                    .collect(),
            });
        }
        for foreign in &table.foreign_keys {
            draft.foreign_keys.push(ForeignText {
                name: Some(foreign.name.clone()),
                columns: foreign.columns.iter().map(|column| name(*column)).collect(),
                parent: foreign.parent.clone(),
                parent_columns: foreign.parent_columns.clone(),
                on_delete: foreign.on_delete,
                on_update: foreign.on_update,
            });
        }
        for check in &table.checks {
            let mut input = Input::new(&check.text)?;
            let (expr, text) = super::define::parenthesized(&mut input)?;
            draft.checks.push(CheckText {
                name: Some(check.name.clone()),
                expr,
                text,
                enforced: check.enforced,
                column: None,
            });
        }
        draft.comment.clone_from(&table.comment);
        draft.collation = table.collation;
        draft.auto_increment = table.auto_increment;
        Ok(draft)
    }
}

impl Statement<'_> {
    /// ALTER TABLE behind its keywords.
    pub fn alter(&self, input: &mut Input<'_>) -> Result<Alter, Fault> {
        let mut altering = self.altering(input)?;
        if !input.peek(&Token::EOF) && !input.peek(&Token::SemiColon) {
            loop {
                altering.operation(input)?;
                if !input.token(&Token::Comma) {
                    break;
                }
            }
        }
        input.end()?;
        self.altered(altering)
    }

    /// CREATE INDEX behind INDEX; `unique` if UNIQUE stood before it.
    pub fn create_index(&self, input: &mut Input<'_>, unique: bool) -> Result<Alter, Fault> {
        let name = input.name()?;
        if input.word("USING") {
            input.name()?;
        }
        input.expect_word("ON")?;
        let mut altering = self.altering(input)?;
        let parts = key_parts(input)?;
        skip_key_options(input)?;
        skip_algorithm(input);
        input.end()?;
        altering.draft.keys.push(KeyText { name: Some(name), unique, parts });
        self.altered(altering)
    }

    /// DROP INDEX behind INDEX.
    pub fn drop_index(&self, input: &mut Input<'_>) -> Result<Alter, Fault> {
        let name = input.name()?;
        input.expect_word("ON")?;
        let mut altering = self.altering(input)?;
        skip_algorithm(input);
        input.end()?;
        altering.drop_key(&name)?;
        self.altered(altering)
    }

    fn altering(&self, input: &mut Input<'_>) -> Result<Altering, Fault> {
        let mut parts = vec![input.name()?];
        if input.token(&Token::Period) {
            parts.push(input.name()?);
        }
        let old = self.table(&parts)?;
        let draft = Draft::of(&old)?;
        let from = (0..draft.columns.len()).map(Some).collect();
        Ok(Altering { old, draft, from })
    }

    fn altered(&self, altering: Altering) -> Result<Alter, Fault> {
        let Altering { old, draft, from } = altering;
        if draft.columns.is_empty() {
            return Err(Fault::CannotRemoveAllColumns);
        }
        if draft.name != old.name && self.tables.table(&draft.name.table).is_some() {
            return Err(Fault::TableExists(draft.name.table.to_string()));
        }
        if draft.name != old.name {
            super::statement::refuse_parent(self, &old.name.table)?;
        }
        refuse_renamed_parent_columns(self, &old, &draft)?;
        let new = draft.finish(self)?;
        let fill = new
            .columns
            .iter()
            .zip(&from)
            .map(|(definition, from)| match from {
                _ if definition.generated.is_some() => Fill::Generated,
                Some(column) => Fill::Column(*column),
                None if definition.column.auto_increment => Fill::AutoIncrement,
                None => Fill::Default,
            })
            .collect();
        let same = |a: &Table, b: &Table| {
            a.create_sql("t") == b.create_sql("t")
                && a.columns.len() == b.columns.len()
                && a.columns.iter().zip(&b.columns).all(|(a, b)| {
                    a.column.name == b.column.name
                        && a.column.column_type == b.column.column_type
                        && a.column.collation == b.column.collation
                        && a.column.nullable == b.column.nullable
                        && a.generated == b.generated
                })
                && a.checks == b.checks
                && a.foreign_keys == b.foreign_keys
        };
        let in_place = same(&old, &new) && old.name == new.name;
        Ok(Alter { old, new: Arc::new(new), fill, in_place, warnings: Vec::new() })
    }
}

impl Altering {
    fn operation(&mut self, input: &mut Input<'_>) -> Result<(), Fault> {
        if input.word("ADD") {
            self.add(input)
        } else if input.word("DROP") {
            self.drop(input)
        } else if input.word("MODIFY") {
            input.word("COLUMN");
            let name = input.name()?;
            self.change(input, &name.clone(), name)
        } else if input.word("CHANGE") {
            input.word("COLUMN");
            let old = input.name()?;
            let new = input.name()?;
            self.change(input, &old, new)
        } else if input.word("RENAME") {
            self.rename(input)
        } else if input.word("ALTER") {
            self.alter(input)
        } else if input.word("ORDER") {
            Err(Fault::Unsupported("ALTER TABLE ... ORDER BY".to_owned()))
        } else if input.words(&["CONVERT", "TO"]) {
            Err(Fault::Unsupported("ALTER TABLE ... CONVERT TO".to_owned()))
        } else if input.word("ALGORITHM") || input.word("LOCK") {
            input.token(&Token::Eq);
            input.name().map(|_| ())
        } else if input.words(&["ENABLE", "KEYS"])
            || input.words(&["DISABLE", "KEYS"])
            || input.word("FORCE")
        {
            Ok(())
        } else {
            let before = input.offset();
            self.draft.options(input)?;
            if input.offset() == before { Err(input.here()) } else { Ok(()) }
        }
    }

    fn add(&mut self, input: &mut Input<'_>) -> Result<(), Fault> {
        if !input.peek_word("COLUMN") && self.draft.constraint(input)? {
            return Ok(());
        }
        input.word("COLUMN");
        if input.peek_word("IF") {
            return Err(Fault::Syntax { near: "IF NOT EXISTS".to_owned(), line: 1 });
        }
        if input.token(&Token::LParen) {
            loop {
                let name = input.name()?;
                self.add_column(input, name)?;
                if !input.token(&Token::Comma) {
                    return input.expect(&Token::RParen);
                }
            }
        }
        let name = input.name()?;
        self.add_column(input, name)
    }

    fn add_column(&mut self, input: &mut Input<'_>, name: String) -> Result<(), Fault> {
        if self.position(&name).is_some() {
            return Err(Fault::DuplicateColumn(name));
        }
        let column = self.draft.column(input, name)?;
        let at = self.place(input)?.unwrap_or(self.draft.columns.len());
        self.draft.columns.insert(at, column);
        self.from.insert(at, None);
        Ok(())
    }

    /// FIRST or AFTER, as a position among the columns.
    fn place(&self, input: &mut Input<'_>) -> Result<Option<usize>, Fault> {
        if input.word("FIRST") {
            return Ok(Some(0));
        }
        if input.word("AFTER") {
            let after = input.name()?;
            let at = self.position(&after).ok_or_else(|| self.unknown(&after))?;
            return Ok(Some(at + 1));
        }
        Ok(None)
    }

    fn position(&self, name: &str) -> Option<usize> {
        self.draft.columns.iter().position(|column| column.name.eq_ignore_ascii_case(name))
    }

    fn unknown(&self, column: &str) -> Fault {
        Fault::UnknownColumn { column: column.to_owned(), clause: self.clause() }
    }

    /// MySQL names the table where it would name a clause; ours are constants.
    fn clause(&self) -> &'static str {
        "alter table"
    }

    fn change(&mut self, input: &mut Input<'_>, old: &str, new: String) -> Result<(), Fault> {
        let at = self.position(old).ok_or_else(|| self.unknown(old))?;
        if !old.eq_ignore_ascii_case(&new) {
            if self.position(&new).is_some() {
                return Err(Fault::DuplicateColumn(new));
            }
            self.refuse_dependants(old)?;
            self.rename_everywhere(old, &new);
        }
        let mut keys = std::mem::take(&mut self.draft.keys);
        let mut column = self.draft.column(input, new)?;
        let added = std::mem::take(&mut self.draft.keys);
        keys.extend(added);
        self.draft.keys = keys;
        if self.is_primary(&column.name) && column.attributes.nullable != Some(true) {
            column.attributes.nullable = Some(false);
        }
        let from = self.from.get(at).copied().flatten();
        self.draft.columns.remove(at);
        self.from.remove(at);
        let to = self.place(input)?.unwrap_or(at);
        self.draft.columns.insert(to, column);
        self.from.insert(to, from);
        Ok(())
    }

    fn is_primary(&self, column: &str) -> bool {
        self.draft.keys.iter().any(|key| {
            key.name.as_deref() == Some("PRIMARY")
                && key.parts.iter().any(|(part, ..)| part.eq_ignore_ascii_case(column))
        })
    }

    /// A column in a CHECK or generated column keeps its name.
    fn refuse_dependants(&self, column: &str) -> Result<(), Fault> {
        let names = |text: &str| {
            text.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$'))
                .any(|word| word.eq_ignore_ascii_case(column))
        };
        if let Some(check) = self.draft.checks.iter().find(|check| names(&check.text)) {
            return Err(Fault::ColumnInCheck {
                check: check.name.clone().unwrap_or_default(),
                column: column.to_owned(),
            });
        }
        let generated = |c: &&ColumnText| {
            c.attributes.generated.as_ref().is_some_and(|(_, text, _)| names(text))
                || c.attributes.default_expression.as_ref().is_some_and(|(_, text)| names(text))
        };
        if self.draft.columns.iter().any(|c| generated(&c)) {
            return Err(Fault::GeneratedDependency(column.to_owned()));
        }
        Ok(())
    }

    fn rename_everywhere(&mut self, old: &str, new: &str) {
        let own = self.draft.name.table.to_string();
        let swap = |name: &mut String| {
            if name.eq_ignore_ascii_case(old) {
                new.clone_into(name);
            }
        };
        for key in &mut self.draft.keys {
            key.parts.iter_mut().for_each(|(name, ..)| swap(name));
        }
        for foreign in &mut self.draft.foreign_keys {
            foreign.columns.iter_mut().for_each(swap);
            if foreign.parent == own {
                foreign.parent_columns.iter_mut().for_each(swap);
            }
        }
    }

    fn rename(&mut self, input: &mut Input<'_>) -> Result<(), Fault> {
        if input.word("COLUMN") {
            let old = input.name()?;
            input.expect_word("TO")?;
            let new = input.name()?;
            let at = self.position(&old).ok_or_else(|| self.unknown(&old))?;
            if self.position(&new).is_some_and(|other| other != at) {
                return Err(Fault::DuplicateColumn(new));
            }
            self.refuse_dependants(&old)?;
            self.rename_everywhere(&old, &new);
            if let Some(column) = self.draft.columns.get_mut(at) {
                column.name = new;
            }
            return Ok(());
        }
        if input.word("INDEX") || input.word("KEY") {
            let old = input.name()?;
            input.expect_word("TO")?;
            let new = input.name()?;
            let taken = self.draft.keys.iter().any(|key| key.name.as_deref() == Some(&new));
            let table = self.draft.name.table.to_string();
            let key = self
                .draft
                .keys
                .iter_mut()
                .find(|key| key.name.as_deref().is_some_and(|n| n.eq_ignore_ascii_case(&old)))
                .ok_or(Fault::NoSuchKey { key: old, table })?;
            if taken {
                return Err(Fault::DuplicateKeyName(new));
            }
            key.name = Some(new);
            return Ok(());
        }
        let _ = input.word("TO") || input.word("AS");
        let name = input.name()?;
        self.draft.name = TableName::new(&self.draft.name.keyspace, &name);
        Ok(())
    }

    fn drop(&mut self, input: &mut Input<'_>) -> Result<(), Fault> {
        if input.words(&["PRIMARY", "KEY"]) {
            return self.drop_key("PRIMARY");
        }
        if input.word("INDEX") || input.word("KEY") {
            let name = input.name()?;
            return self.drop_key(&name);
        }
        if input.words(&["FOREIGN", "KEY"]) {
            let name = input.name()?;
            let before = self.draft.foreign_keys.len();
            self.draft.foreign_keys.retain(|f| !same(f.name.as_deref(), &name));
            return if self.draft.foreign_keys.len() == before {
                Err(Fault::CannotDrop(name))
            } else {
                Ok(())
            };
        }
        if input.word("CHECK") {
            let name = input.name()?;
            return self.drop_check(name);
        }
        if input.word("CONSTRAINT") {
            let name = input.name()?;
            if self.draft.foreign_keys.iter().any(|f| same(f.name.as_deref(), &name)) {
                self.draft.foreign_keys.retain(|f| !same(f.name.as_deref(), &name));
                return Ok(());
            }
            if self.draft.keys.iter().any(|k| same(k.name.as_deref(), &name)) {
                return self.drop_key(&name);
            }
            return self.drop_check(name);
        }
        input.word("COLUMN");
        let name = input.name()?;
        self.drop_column(&name)
    }

    fn drop_check(&mut self, name: String) -> Result<(), Fault> {
        let before = self.draft.checks.len();
        self.draft.checks.retain(|check| !same(check.name.as_deref(), &name));
        if self.draft.checks.len() == before { Err(Fault::NoSuchCheck(name)) } else { Ok(()) }
    }

    fn drop_key(&mut self, name: &str) -> Result<(), Fault> {
        let at = self
            .draft
            .keys
            .iter()
            .position(|key| same(key.name.as_deref(), name))
            .ok_or_else(|| Fault::CannotDrop(name.to_owned()))?;
        let key = self.draft.keys.remove(at);
        for foreign in &self.draft.foreign_keys {
            let covers = |key: &KeyText| {
                foreign.columns.iter().enumerate().all(|(position, column)| {
                    key.parts.get(position).is_some_and(|(c, ..)| c.eq_ignore_ascii_case(column))
                })
            };
            if covers(&key) && !self.draft.keys.iter().any(covers) {
                return Err(Fault::IndexInForeignKey(name.to_owned()));
            }
        }
        Ok(())
    }

    /// A column takes its place in keys with it; a key without columns goes.
    fn drop_column(&mut self, name: &str) -> Result<(), Fault> {
        let at = self.position(name).ok_or_else(|| Fault::CannotDrop(name.to_owned()))?;
        for foreign in &self.draft.foreign_keys {
            if foreign.columns.iter().any(|column| column.eq_ignore_ascii_case(name)) {
                return Err(Fault::ColumnInForeignKey {
                    column: name.to_owned(),
                    constraint: foreign.name.clone().unwrap_or_default(),
                });
            }
        }
        self.draft.checks.retain(|check| !same(check.column.as_deref(), name));
        self.draft.columns.remove(at);
        self.from.remove(at);
        self.refuse_dependants(name)?;
        for key in &mut self.draft.keys {
            key.parts.retain(|(part, ..)| !part.eq_ignore_ascii_case(name));
        }
        self.draft.keys.retain(|key| !key.parts.is_empty());
        Ok(())
    }

    /// ALTER COLUMN ... SET DEFAULT and DROP DEFAULT; ALTER CHECK and INDEX.
    fn alter(&mut self, input: &mut Input<'_>) -> Result<(), Fault> {
        if input.peek_word("CHECK") || input.peek_word("CONSTRAINT") {
            return Err(Fault::Unsupported("ALTER CHECK".to_owned()));
        }
        if input.word("INDEX") {
            input.name()?;
            let _ = input.word("VISIBLE") || input.word("INVISIBLE");
            return Ok(());
        }
        input.word("COLUMN");
        let name = input.name()?;
        let at = self.position(&name).ok_or_else(|| self.unknown(&name))?;
        let Some(column) = self.draft.columns.get_mut(at) else { return Ok(()) };
        if input.words(&["DROP", "DEFAULT"]) {
            column.attributes.default = None;
            column.attributes.default_now = false;
            column.attributes.default_expression = None;
            column.attributes.no_default = true;
            return Ok(());
        }
        column.attributes.no_default = false;
        input.expect_word("SET")?;
        if !input.peek_word("DEFAULT") {
            return Err(input.here());
        }
        input.expect_word("DEFAULT")?;
        column.attributes.default = None;
        column.attributes.default_now = false;
        column.attributes.default_expression = None;
        column.read_default(input)
    }
}

/// A column that a foreign key of another table refers to keeps its name.
fn refuse_renamed_parent_columns(
    statement: &Statement<'_>,
    old: &Table,
    draft: &Draft,
) -> Result<(), Fault> {
    for child in statement.tables.names() {
        let Some(child) = statement.tables.table(&child) else { continue };
        for foreign in child.foreign_keys.iter().filter(|f| f.parent == *old.name.table) {
            let kept = |name: &String| {
                draft.columns.iter().any(|column| column.name.eq_ignore_ascii_case(name))
            };
            if child.name != old.name && !foreign.parent_columns.iter().all(kept) {
                return Err(Fault::ColumnInForeignKey {
                    column: foreign.parent_columns.join(", "),
                    constraint: foreign.name.clone(),
                });
            }
        }
    }
    Ok(())
}

fn same(have: Option<&str>, name: &str) -> bool {
    have.is_some_and(|have| have.eq_ignore_ascii_case(name))
}

fn skip_algorithm(input: &mut Input<'_>) {
    while input.word("ALGORITHM") || input.word("LOCK") {
        input.token(&Token::Eq);
        let _ = word_or_string(input);
    }
}
