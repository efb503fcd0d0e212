//! The rows of an altered table, copied into its new shape.

use std::sync::Arc;

use rusqlite::params_from_iter;
use rusqlite::types::Value as Stored;

use super::{Run, Written, parameters};
use crate::event::{CollationId, ColumnType};
use crate::source::sqlite::functions::SessionState;
use crate::source::sqlite::writer::Writer;
use crate::sql::sqlite::{Alter, Fault, Fill, Tables, Type, quote};

/// Copies the rows of `alter.old`, under its SQLite name, into the empty table `into` that has the
/// shape of `alter.new`.
pub(in crate::source::sqlite) fn rebuild(
    writer: &Writer,
    alter: &Alter,
    into: &str,
    tables: &dyn Tables,
    session: &Arc<SessionState>,
) -> Result<Written, Fault> {
    let mut run = Run::new(writer, tables, session);
    let columns: Vec<String> =
        alter.old.columns.iter().map(|column| quote(&column.column.name)).collect();
    let order: Vec<String> = alter.old.key_terms().iter().map(|term| term.sql()).collect();
    let sql = format!(
        "SELECT {} FROM {} ORDER BY {}",
        columns.join(", "),
        quote(&alter.old.name.table),
        order.join(", ")
    );
    let insert = format!("INSERT INTO {} VALUES ({})", quote(into), parameters(&alter.new));
    let connection = run.connection;
    let mut rows = connection.prepare(&sql).map_err(|e| run.fault(&e))?;
    let mut put = connection.prepare(&insert).map_err(|e| run.fault(&e))?;
    let mut rows = rows.query([]).map_err(|e| run.fault(&e))?;
    let mut next = alter.new.auto_increment;
    while let Some(row) = run.step(&mut rows)? {
        run.check_killed()?;
        run.row += 1;
        let old: Vec<Stored> = (0..columns.len())
            .map(|place| row.get(place))
            .collect::<Result<_, _>>()
            .map_err(|e| run.fault(&e))?;
        let new = run.refill(alter, &old, &mut next)?;
        if put.execute(params_from_iter(&new)).is_err() {
            return Err(run.clash(alter, into, &new));
        }
    }
    let count = run.row;
    let warnings = session.take_warnings();
    let info = format!("Records: {count}  Duplicates: 0  Warnings: {}", warnings.len());
    let affected_rows = if alter.in_place { 0 } else { count };
    Ok(Written { affected_rows, last_insert_id: 0, warnings, info })
}

impl Run<'_> {
    fn refill(&self, alter: &Alter, old: &[Stored], next: &mut u64) -> Result<Vec<Stored>, Fault> {
        let mut row = Vec::with_capacity(alter.new.columns.len());
        for (definition, fill) in alter.new.columns.iter().zip(&alter.fill) {
            row.push(match fill {
                Fill::Column(place) => {
                    let from = &alter
                        .old
                        .columns
                        .get(*place)
                        .ok_or_else(|| Fault::Internal(format!("no column {place}")))?
                        .column;
                    let value = old.get(*place).unwrap_or(&Stored::Null);
                    let same = from.column_type == definition.column.column_type
                        && from.collation == definition.column.collation;
                    let value =
                        if same { value.clone() } else { self.reconvert(definition, from, value)? };
                    self.not_null_in_copy(definition, value)?
                }
                Fill::Default => match &definition.default {
                    crate::sql::sqlite::Default::None => {
                        self.refuse_zero_date(definition)?;
                        super::row::implicit_default(&definition.column.column_type)
                    }
                    _ => self.default(definition)?,
                },
                Fill::AutoIncrement => {
                    let value = crate::source::sqlite::cell::unsigned(*next);
                    *next += 1;
                    value
                }
                Fill::Generated => Stored::Null,
            });
        }
        self.generate(&alter.new, &mut row)?;
        self.check(&alter.new, &row)?;
        self.check_parents(&alter.new, &row, None)?;
        Ok(row)
    }

    /// A stored value of one column as another column's.
    fn reconvert(
        &self,
        definition: &crate::sql::sqlite::ColumnDefinition,
        from: &crate::event::Column,
        value: &Stored,
    ) -> Result<Stored, Fault> {
        let source = Type {
            column_type: from.column_type.clone(),
            collation: if from.collation == CollationId::BINARY {
                CollationId::BINARY
            } else {
                from.collation
            },
        };
        let value = crate::source::sqlite::convert::operand(from, value);
        self.store(definition, &value, &source).map_err(|fault| match fault {
            Fault::TooLong { column, row } => Fault::Truncated { column, row },
            other => other,
        })
    }

    /// A new date column without a default would hold zero dates, which strict mode refuses.
    fn refuse_zero_date(
        &self,
        definition: &crate::sql::sqlite::ColumnDefinition,
    ) -> Result<(), Fault> {
        let kind = match definition.column.column_type {
            ColumnType::Date => "date",
            ColumnType::DateTime { .. } | ColumnType::Timestamp { .. } => "datetime",
            _ => return Ok(()),
        };
        if !self.strict() {
            return Ok(());
        }
        let column = definition.column.name.to_string();
        Err(Fault::WrongTime { kind, value: "0000-00-00".to_owned(), column, row: self.row })
    }

    /// MySQL calls a NULL that meets a new NOT NULL truncated data.
    fn not_null_in_copy(
        &self,
        definition: &crate::sql::sqlite::ColumnDefinition,
        value: Stored,
    ) -> Result<Stored, Fault> {
        if value == Stored::Null && !definition.column.nullable && self.strict() {
            let column = definition.column.name.to_string();
            return Err(Fault::Truncated { column, row: self.row });
        }
        self.not_null(definition, value)
    }

    fn clash(&self, alter: &Alter, into: &str, row: &[Stored]) -> Fault {
        let mut table = (*alter.new).clone();
        let shown = table.name.table.clone();
        table.name.table = into.into();
        match self.conflict(&table, row, None) {
            Ok(Some((index, _))) => {
                let index = index.clone();
                table.name.table = shown;
                Self::duplicate(&table, &index, row)
            }
            Ok(None) => Fault::Internal("a constraint failed that no key explains".to_owned()),
            Err(fault) => fault,
        }
    }
}
