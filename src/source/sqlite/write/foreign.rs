//! Foreign keys: parents that must exist, children that forbid, follow or let go.

use std::sync::Arc;

use rusqlite::params_from_iter;
use rusqlite::types::Value as Stored;

use super::Run;
use crate::sql::sqlite::{Fault, ForeignKey, IndexPart, OnDelete, Table, quote};

/// A table that refers to another one, by which key, and to which values of it.
struct Child<'r> {
    table: Arc<Table>,
    key: ForeignKey,
    /// What the key says is to be done.
    action: OnDelete,
    values: Vec<&'r Stored>,
}

impl Child<'_> {
    fn forbids(&self) -> bool {
        matches!(self.action, OnDelete::NoAction | OnDelete::Restrict)
    }
}

impl Run<'_> {
    /// The parent rows of a row exist. With `old`, only keys that changed are looked at.
    pub(super) fn check_parents(
        &self,
        table: &Table,
        row: &[Stored],
        old: Option<&[Stored]>,
    ) -> Result<(), Fault> {
        if !self.session.foreign_key_checks() {
            return Ok(());
        }
        for key in &table.foreign_keys {
            let values: Vec<&Stored> = key.columns.iter().filter_map(|&c| row.get(c)).collect();
            let unchanged = old.is_some_and(|old| {
                key.columns.iter().all(|&column| old.get(column) == row.get(column))
            });
            if unchanged || values.iter().any(|value| **value == Stored::Null) {
                continue;
            }
            let parent = self.tables.table(&key.parent);
            let found = match &parent {
                Some(parent) => {
                    let columns = columns_of(parent, &key.parent_columns)?;
                    !self.matching(parent, &columns, &values)?.is_empty()
                }
                None => false,
            };
            // A row may be its own parent.
            let own = *key.parent == *table.name.table
                && columns_of(table, &key.parent_columns)?
                    .iter()
                    .zip(&values)
                    .all(|(&column, value)| row.get(column) == Some(value));
            if !found && !own {
                return Err(Fault::ChildRow(describe(table, key)));
            }
        }
        Ok(())
    }

    /// Whether any table refers to this one.
    pub(super) fn is_parent(&self, table: &Table) -> bool {
        !self.references(table).is_empty()
    }

    /// No child forbids that the row goes, or gets the values `new`.
    pub(super) fn check_children(
        &self,
        table: &Table,
        old: &[Stored],
        new: Option<&[Stored]>,
    ) -> Result<(), Fault> {
        for child in self.children(table, old, new)?.iter().filter(|child| child.forbids()) {
            let rows = self.matching(&child.table, &child.key.columns, &child.values)?;
            let own = *child.table.name.table == *table.name.table;
            // The row itself is no obstacle to its own end.
            let others = if own && new.is_none() {
                self.others(&child.table, &rows, old)?
            } else {
                rows.len()
            };
            if others > 0 {
                return Err(Fault::ParentRow(describe(&child.table, &child.key)));
            }
        }
        Ok(())
    }

    fn others(&self, table: &Table, rows: &[i64], old: &[Stored]) -> Result<usize, Fault> {
        let mut others = 0;
        for &rowid in rows {
            others += usize::from(self.read(table, rowid)?.is_some_and(|row| row != old));
        }
        Ok(others)
    }

    /// The children of a row that is gone, or has the values `new` now, follow or let go.
    pub(super) fn cascade(
        &mut self,
        table: &Table,
        old: &[Stored],
        new: Option<&[Stored]>,
    ) -> Result<(), Fault> {
        for child in self.children(table, old, new)?.iter().filter(|child| !child.forbids()) {
            for rowid in self.matching(&child.table, &child.key.columns, &child.values)? {
                let followed = self.follow(table, child, rowid, new);
                // The parent has changed already: IGNORE must not keep half of it.
                self.ignore &= followed.is_ok();
                followed?;
            }
        }
        Ok(())
    }

    fn follow(
        &mut self,
        table: &Table,
        child: &Child<'_>,
        rowid: i64,
        new: Option<&[Stored]>,
    ) -> Result<(), Fault> {
        self.check_killed()?;
        let Child { table: child, key, action, .. } = child;
        let action = *action;
        let (true, None) = (action == OnDelete::Cascade, new) else {
            let Some(before) = self.read(child, rowid)? else { return Ok(()) };
            let mut after = before.clone();
            let parents = columns_of(table, &key.parent_columns)?;
            for (&column, parent) in key.columns.iter().zip(parents) {
                let value = match new {
                    Some(new) if action == OnDelete::Cascade => new.get(parent).cloned(),
                    _ => None,
                };
                if let Some(place) = after.get_mut(column) {
                    *place = value.unwrap_or(Stored::Null);
                }
            }
            self.generate(child, &mut after)?;
            return self.rewrite(child, rowid, &before, &after);
        };
        self.delete_row(child, rowid).map(drop)
    }

    /// Which tables' keys refer to the old values of a row that go or change, in order.
    fn children<'r>(
        &self,
        table: &Table,
        old: &'r [Stored],
        new: Option<&[Stored]>,
    ) -> Result<Vec<Child<'r>>, Fault> {
        let mut children = Vec::new();
        for (child, key) in self.references(table) {
            if let Some(values) = self.referenced(table, &key, old, new)? {
                let action = if new.is_some() { key.on_update } else { key.on_delete };
                children.push(Child { table: child, key, action, values });
            }
        }
        Ok(children)
    }

    fn references(&self, table: &Table) -> Vec<(Arc<Table>, ForeignKey)> {
        if !self.session.foreign_key_checks() {
            return Vec::new();
        }
        let names = self.tables.names();
        let tables = names.iter().filter_map(|name| self.tables.table(name));
        tables
            .flat_map(|child| {
                let keys: Vec<ForeignKey> = child
                    .foreign_keys
                    .iter()
                    .filter(|key| *key.parent == *table.name.table)
                    .cloned()
                    .collect();
                keys.into_iter().map(move |key| (Arc::clone(&child), key))
            })
            .collect()
    }

    /// The old values that children refer to, if they go or change.
    fn referenced<'r>(
        &self,
        table: &Table,
        key: &ForeignKey,
        old: &'r [Stored],
        new: Option<&[Stored]>,
    ) -> Result<Option<Vec<&'r Stored>>, Fault> {
        let columns = columns_of(table, &key.parent_columns)?;
        let same =
            new.is_some_and(|new| columns.iter().all(|&column| old.get(column) == new.get(column)));
        let values: Vec<&Stored> = columns.iter().filter_map(|&column| old.get(column)).collect();
        let null = values.iter().any(|value| **value == Stored::Null);
        Ok((!same && !null).then_some(values))
    }

    /// The rows that have these values in these columns, compared as the columns are.
    fn matching(
        &self,
        table: &Table,
        columns: &[usize],
        values: &[&Stored],
    ) -> Result<Vec<i64>, Fault> {
        let terms: Vec<String> = columns
            .iter()
            .enumerate()
            .map(|(place, &column)| {
                let part = IndexPart { column, prefix: None, descending: false };
                let theirs = table.part_sql(&part, |column| quote(&column.name));
                let ours = table.part_sql(&part, |_| format!("?{}", place + 1));
                format!("{theirs} = {ours}")
            })
            .collect();
        let sql = format!(
            "SELECT {} FROM {} WHERE {}",
            table.rowid(),
            quote(&table.name.table),
            terms.join(" AND ")
        );
        let mut statement = self.connection.prepare_cached(&sql).map_err(|e| self.fault(&e))?;
        let _reading = self.current.reading();
        let rows = statement
            .query_map(params_from_iter(values.iter().copied()), |row| row.get(0))
            .map_err(|e| self.fault(&e))?;
        rows.collect::<Result<_, _>>().map_err(|e| self.fault(&e))
    }
}

fn columns_of(table: &Table, names: &[String]) -> Result<Vec<usize>, Fault> {
    let place = |name: &String| {
        table.column(name).ok_or_else(|| Fault::Internal(format!("no column {name}")))
    };
    names.iter().map(place).collect()
}

/// The constraint as MySQL's messages show it.
fn describe(table: &Table, key: &ForeignKey) -> String {
    let columns: Vec<String> = key
        .columns
        .iter()
        .filter_map(|&column| table.columns.get(column))
        .map(|definition| format!("`{}`", definition.column.name))
        .collect();
    let parents: Vec<String> =
        key.parent_columns.iter().map(|column| format!("`{column}`")).collect();
    format!(
        "`{}`.`{}`, CONSTRAINT `{}` FOREIGN KEY ({}) REFERENCES `{}` ({})",
        table.name.keyspace,
        table.name.table,
        key.name,
        columns.join(", "),
        key.parent,
        parents.join(", ")
    )
}
