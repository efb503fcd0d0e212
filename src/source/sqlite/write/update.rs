//! UPDATE and DELETE.

use rusqlite::types::Value as Stored;

use super::{Found, Info, Run, held_bytes};
use crate::sql::sqlite::{Delete, Fault, Set, Table, Update};

impl Run<'_> {
    pub(super) fn update(&mut self, update: &Update, found: Found) -> Result<(), Fault> {
        self.ignore = update.ignore;
        self.info = Some(Info::Matched);
        for (rowid, extra) in found {
            self.check_killed()?;
            self.capture.release(held_bytes(&extra));
            // An earlier row of this statement may have removed it, or a cascade.
            let Some(old) = self.read(&update.table, rowid)? else { continue };
            self.row += 1;
            self.met += 1;
            let changed = self.assign(&update.table, &update.set, rowid, old, &extra);
            if self.forgive(changed)? == Some(true) {
                self.affected += 1;
            }
        }
        Ok(())
    }

    /// Gives a row its new values; `false` if they are the old ones. Assignments see those before
    /// them, and `extra` behind the row's own values.
    pub(super) fn assign(
        &mut self,
        table: &Table,
        sets: &[Set],
        rowid: i64,
        old: Vec<Stored>,
        extra: &[Stored],
    ) -> Result<bool, Fault> {
        let mut row: Vec<Stored> = old.iter().chain(extra).cloned().collect();
        for set in sets {
            let definition = table
                .columns
                .get(set.column)
                .ok_or_else(|| Fault::Internal(format!("no column {}", set.column)))?;
            let value = match &set.value {
                None => self.default(definition)?,
                Some((sql, from)) => {
                    let value = self.evaluate(sql, &row)?;
                    self.store(definition, &value, from)?
                }
            };
            row[set.column] = self.not_null(definition, value)?;
        }
        row.truncate(old.len());
        self.generate(table, &mut row)?;
        if row == old {
            return Ok(false);
        }
        let mut stamped = false;
        for (place, definition) in table.columns.iter().enumerate() {
            if definition.on_update_now && !sets.iter().any(|set| set.column == place) {
                row[place] = self.now(definition)?;
                stamped = true;
            }
        }
        if stamped {
            self.generate(table, &mut row)?;
        }
        self.rewrite(table, rowid, &old, &row)?;
        Ok(true)
    }

    /// Writes a changed row, with all that constraints say about it.
    pub(super) fn rewrite(
        &mut self,
        table: &Table,
        rowid: i64,
        old: &[Stored],
        row: &[Stored],
    ) -> Result<(), Fault> {
        self.check(table, row)?;
        self.check_parents(table, row, Some(old))?;
        self.check_children(table, old, Some(row))?;
        if !self.replace(table, rowid, row)? {
            return Err(match self.conflict(table, row, Some(rowid))? {
                Some((index, _)) => Self::duplicate(table, index, row),
                None => Fault::Internal("a constraint failed that no key explains".to_owned()),
            });
        }
        self.cascade(table, old, Some(row))
    }

    pub(super) fn delete(&mut self, delete: &Delete, found: Found) -> Result<(), Fault> {
        self.ignore = delete.ignore;
        for (rowid, extra) in found {
            self.check_killed()?;
            self.capture.release(held_bytes(&extra));
            self.row += 1;
            let deleted = self.delete_row(&delete.table, rowid);
            if self.forgive(deleted)? == Some(true) {
                self.affected += 1;
            }
        }
        Ok(())
    }

    /// Deletes a row with all that foreign keys say about it; `false` if it is gone already.
    pub(super) fn delete_row(&mut self, table: &Table, rowid: i64) -> Result<bool, Fault> {
        let Some(old) = self.read(table, rowid)? else { return Ok(false) };
        self.check_children(table, &old, None)?;
        self.remove(table, rowid)?;
        self.cascade(table, &old, None)?;
        Ok(true)
    }
}
