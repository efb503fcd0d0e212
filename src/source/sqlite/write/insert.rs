//! INSERT, REPLACE, ON DUPLICATE KEY UPDATE.

use rusqlite::types::Value as Stored;

use super::{Info, Run, held_bytes};
use crate::event::ColumnType;
use crate::source::sqlite::{cell, counters};
use crate::sql::sqlite::{Conflict, Fault, Insert, InsertRows, Set, Table, quote};

impl Run<'_> {
    pub(super) fn insert(&mut self, insert: &Insert) -> Result<(), Fault> {
        self.ignore = insert.ignore;
        self.single = insert.rows.len() == 1 && !insert.from_select;
        for rows in &insert.rows {
            // Read before the first is inserted: the query may name the table itself.
            for given in self.given(rows)? {
                self.check_killed()?;
                self.capture.release(held_bytes(&given));
                self.row += 1;
                self.counted = None;
                let row = self.forgive_null(insert, rows, given)?;
                if let Some(row) = row {
                    self.insert_row(insert, row)?;
                }
            }
        }
        self.reserve(insert);
        if self.row > 1 || insert.from_select {
            self.info = Some(Info::Records);
        }
        Ok(())
    }

    fn given(&self, rows: &InsertRows) -> Result<Vec<Vec<Stored>>, Fault> {
        let mut statement = self.connection.prepare(&rows.sql).map_err(|e| self.fault(&e))?;
        let columns = statement.column_count();
        let mut found = statement.query([]).map_err(|e| self.fault(&e))?;
        let mut given = Vec::new();
        while let Some(row) = self.step(&mut found)? {
            self.check_killed()?;
            let values = (0..columns).map(|place| row.get::<_, Stored>(place));
            let values = values.collect::<Result<Vec<_>, _>>().map_err(|e| self.fault(&e))?;
            self.capture.hold(held_bytes(&values))?;
            given.push(values);
        }
        Ok(given)
    }

    fn forgive_null(
        &mut self,
        insert: &Insert,
        rows: &InsertRows,
        given: Vec<Stored>,
    ) -> Result<Option<Vec<Stored>>, Fault> {
        let row = self.complete(insert, rows, given);
        self.forgive(row)
    }

    /// A whole row out of the given values, defaults, the counter and what is computed.
    fn complete(
        &mut self,
        insert: &Insert,
        rows: &InsertRows,
        given: Vec<Stored>,
    ) -> Result<Vec<Stored>, Fault> {
        let table = &insert.table;
        let auto = table.auto_column();
        let mut row: Vec<Option<Stored>> = vec![None; table.columns.len()];
        for ((&column, value), from) in insert.columns.iter().zip(given).zip(&rows.types) {
            let (Some(definition), Some(place)) = (table.columns.get(column), row.get_mut(column))
            else {
                return Err(Fault::Internal(format!("no column {column}")));
            };
            let Some(from) = from else { continue };
            let value = self.store(definition, &value, from)?;
            *place =
                Some(if auto == Some(column) { value } else { self.not_null(definition, value)? });
        }
        let mut complete = Vec::with_capacity(row.len());
        for (column, value) in row.into_iter().enumerate() {
            let definition = &table.columns[column];
            complete.push(match value {
                _ if auto == Some(column) => self.count(table, column, value)?,
                Some(value) => value,
                None if definition.generated.is_some() => Stored::Null,
                None => self.default(definition)?,
            });
        }
        self.generate(table, &mut complete)?;
        self.check(table, &complete)?;
        Ok(complete)
    }

    /// The AUTO_INCREMENT column's value: the next one for NULL and 0, else the given one, behind
    /// which the counter goes on.
    pub(super) fn count(
        &mut self,
        table: &Table,
        column: usize,
        given: Option<Stored>,
    ) -> Result<Stored, Fault> {
        let name = &*table.name.table;
        let counters = self.session.counters();
        let next = counters.next(name, || self.first_count(table, column))?;
        let given = given.unwrap_or(Stored::Null);
        let wanted = match given {
            Stored::Null | Stored::Integer(0) | Stored::Real(0.0) => None,
            other => Some(other),
        };
        let Some(value) = wanted else {
            let max = match table.columns[column].column.column_type {
                ColumnType::Int { bytes, unsigned } => int_max(bytes, unsigned),
                _ => i64::MAX as u64,
            };
            if next > max {
                return Err(Fault::AutoIncrement);
            }
            counters.set(name, next.saturating_add(1));
            self.counted_from.get_or_insert(next);
            self.counted = Some(next);
            if self.first_id == 0 {
                self.first_id = next;
            }
            return Ok(match table.columns[column].column.column_type {
                ColumnType::Float { .. } | ColumnType::Double { .. } => Stored::Real(next as f64),
                _ => cell::unsigned(next),
            });
        };
        let number = match &value {
            Stored::Integer(number) => u64::try_from(*number).unwrap_or(0),
            Stored::Text(digits) => digits.parse().unwrap_or(0),
            Stored::Real(number) => *number as u64,
            Stored::Null | Stored::Blob(_) => 0,
        };
        if number >= next {
            counters.set(name, number.saturating_add(1));
        }
        Ok(value)
    }

    /// A row that was not inserted gives its number back to the rest of the statement.
    fn give_back(&mut self, table: &Table) {
        if let Some(number) = self.counted.take() {
            self.session.counters().set(&table.name.table, number);
        }
    }

    /// InnoDB takes numbers for all rows of a VALUES list at once, and for those of a SELECT in
    /// blocks of doubling size; what is left over is lost.
    fn reserve(&self, insert: &Insert) {
        let Some(from) = self.counted_from else { return };
        let mut reserved = self.row;
        if insert.from_select {
            let mut block = 1_u64;
            reserved = 0;
            while reserved < self.row {
                reserved = reserved.saturating_add(block);
                block = block.saturating_mul(2).min(u64::from(u16::MAX));
            }
        }
        let counters = self.session.counters();
        let name = &*insert.table.name.table;
        let end = from.saturating_add(reserved);
        if let Ok(next) = counters.next(name, || Ok::<u64, Fault>(end))
            && next < end
        {
            counters.set(name, end);
        }
    }

    fn first_count(&self, table: &Table, column: usize) -> Result<u64, Fault> {
        let column = quote(&table.columns[column].column.name);
        let sql = format!("SELECT max({column}) FROM {}", quote(&table.name.table));
        let saved = counters::saved(self.connection, &table.name.table);
        let saved = saved.map_err(|error| self.fault(&error))?.unwrap_or(0);
        let _reading = self.current.reading();
        let found: Stored = self
            .connection
            .query_row(&sql, [], |row| row.get(0))
            .map_err(|error| self.fault(&error))?;
        let last = match found {
            Stored::Integer(number) => u64::try_from(number).unwrap_or(0),
            Stored::Text(digits) => digits.parse().unwrap_or(0),
            Stored::Real(number) => number as u64,
            Stored::Null | Stored::Blob(_) => 0,
        };
        Ok(last.saturating_add(1).max(table.auto_increment).max(saved))
    }

    fn insert_row(&mut self, insert: &Insert, row: Vec<Stored>) -> Result<(), Fault> {
        let table = &insert.table;
        // Keys come first, then parents, then the row. Bounded: each turn removes a row in the way.
        loop {
            let simple = table.foreign_keys.is_empty();
            if simple && self.put(table, &row)? {
                break;
            }
            let Some((index, other)) = self.conflict(table, &row, None)? else {
                let parents = self.check_parents(table, &row, None);
                if self.forgive(parents)?.is_none() {
                    return Ok(());
                }
                if !simple && self.put(table, &row)? {
                    break;
                }
                return Err(Fault::Internal("a constraint failed that no key explains".to_owned()));
            };
            self.met += 1;
            match &insert.conflict {
                Conflict::Fail => {
                    let duplicate = Err(Self::duplicate(table, index, &row));
                    self.forgive::<()>(duplicate)?;
                    self.give_back(table);
                    return Ok(());
                }
                Conflict::Update(sets) => return self.update_instead(table, sets, other, &row),
                Conflict::Replace => {
                    let last = table.indexes.iter().rfind(|index| index.unique);
                    let is_last = last.is_some_and(|last| std::ptr::eq(last, index));
                    // A parent's key that stays the same holds its children.
                    if is_last && (index.is_primary() || !self.is_parent(table)) {
                        return self.replace_in_place(table, other, &row);
                    }
                    self.delete_row(table, other)?;
                    self.affected += 1;
                }
            }
        }
        self.affected += 1;
        Ok(())
    }

    /// The last unique key in the way: MySQL then updates the row it would delete and insert.
    fn replace_in_place(&mut self, table: &Table, rowid: i64, row: &[Stored]) -> Result<(), Fault> {
        let same = self.read(table, rowid)?.is_some_and(|old| old == row);
        if same {
            self.affected += 1;
            return Ok(());
        }
        if !self.replace(table, rowid, row)? {
            return Err(Fault::Internal("a constraint failed that no key explains".to_owned()));
        }
        self.affected += 2;
        Ok(())
    }

    fn update_instead(
        &mut self,
        table: &Table,
        sets: &[Set],
        rowid: i64,
        row: &[Stored],
    ) -> Result<(), Fault> {
        self.give_back(table);
        let Some(old) = self.read(table, rowid)? else { return Ok(()) };
        let changed = self.assign(table, sets, rowid, old, row);
        if self.forgive(changed)? == Some(true) {
            self.affected += 2;
        }
        Ok(())
    }
}

const fn int_max(bytes: u8, unsigned: bool) -> u64 {
    let bits = if bytes >= 8 { 64 } else { bytes as u32 * 8 };
    u64::MAX >> (64 - bits + if unsigned { 0 } else { 1 })
}
