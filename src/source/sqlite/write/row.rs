//! One row on its way in or out: defaults, computed columns, checks, unique keys.

use rusqlite::types::{Value as Stored, ValueRef};
use rusqlite::{ErrorCode, params_from_iter};

use super::{Run, parameters};
use crate::event::{ColumnType, row};
use crate::source::sqlite::cell;
use crate::source::sqlite::convert::{self, Storing};
use crate::sql::sqlite::{ColumnDefinition, Default, Fault, Index, Table, Type, quote};

impl Run<'_> {
    /// The value of an expression over parameters; those behind the last one it names are left out.
    pub(super) fn evaluate(&self, sql: &str, row: &[Stored]) -> Result<Stored, Fault> {
        let sql = format!("SELECT {sql}");
        let mut statement = self.connection.prepare_cached(&sql).map_err(|e| self.fault(&e))?;
        let count = statement.parameter_count().min(row.len());
        let _reading = self.current.reading();
        statement
            .query_row(params_from_iter(&row[..count]), |found| found.get(0))
            .map_err(|e| self.fault(&e))
    }

    /// Converts a value of a statement into a column's stored form.
    pub(super) fn store(
        &self,
        definition: &ColumnDefinition,
        value: &Stored,
        from: &Type,
    ) -> Result<Stored, Fault> {
        let storing = Storing { row: self.row, strict: self.strict(), session: self.session };
        convert::store(&definition.column, ValueRef::from(value), from, &storing)
    }

    /// The default of a column.
    pub(super) fn default(&self, definition: &ColumnDefinition) -> Result<Stored, Fault> {
        match &definition.default {
            Default::Null => Ok(Stored::Null),
            Default::Literal(text)
                if matches!(definition.column.column_type, ColumnType::Bit { .. }) =>
            {
                Ok(text.parse().map_or(Stored::Null, cell::unsigned))
            }
            Default::Literal(text) => {
                Ok(cell::stored(&definition.column, Some(&charset_bytes(definition, text))))
            }
            Default::Now => self.now(definition),
            Default::Expression { sql, value, .. } => {
                let found = self.evaluate(sql, &[])?;
                self.store(definition, &found, value)
            }
            Default::None if matches!(definition.column.column_type, ColumnType::Enum { .. }) => {
                Ok(Stored::Integer(1))
            }
            Default::None => {
                let fault = Fault::NoDefault(definition.column.name.to_string());
                if self.strict() {
                    return Err(fault);
                }
                self.warn(&fault);
                Ok(implicit_default(&definition.column.column_type))
            }
        }
    }

    /// The time of the statement as this column stores it.
    pub(super) fn now(&self, definition: &ColumnDefinition) -> Result<Stored, Fault> {
        let fsp = match definition.column.column_type {
            ColumnType::DateTime { fsp }
            | ColumnType::Timestamp { fsp }
            | ColumnType::Time { fsp } => fsp,
            _ => 0,
        };
        let text = self.session.now_text(fsp);
        let from = Type {
            column_type: ColumnType::DateTime { fsp },
            collation: crate::event::CollationId::BINARY,
        };
        self.store(definition, &Stored::Text(text), &from)
    }

    /// NULL in a NOT NULL column: an error, or the type's own default.
    pub(super) fn not_null(
        &self,
        definition: &ColumnDefinition,
        value: Stored,
    ) -> Result<Stored, Fault> {
        if value != Stored::Null || definition.column.nullable {
            return Ok(value);
        }
        let fault = Fault::NullColumn(definition.column.name.to_string());
        if self.strict() || (self.single && !self.ignore) {
            return Err(fault);
        }
        self.warn(&fault);
        Ok(implicit_default(&definition.column.column_type))
    }

    /// Computes the generated columns, in order.
    pub(super) fn generate(&self, table: &Table, row: &mut [Stored]) -> Result<(), Fault> {
        for (place, definition) in table.columns.iter().enumerate() {
            let Some(generated) = &definition.generated else { continue };
            let found = self.evaluate(&generated.sql, row)?;
            let value = self.store(definition, &found, &generated.value)?;
            row[place] = self.not_null(definition, value)?;
        }
        Ok(())
    }

    /// CHECK constraints; unknown is not false.
    pub(super) fn check(&self, table: &Table, row: &[Stored]) -> Result<(), Fault> {
        for check in table.checks.iter().filter(|check| check.enforced) {
            let violated = match self.evaluate(&check.sql, row)? {
                Stored::Integer(number) => number == 0,
                Stored::Real(number) => number == 0.0,
                _ => false,
            };
            if violated {
                return Err(Fault::CheckViolated(check.name.clone()));
            }
        }
        Ok(())
    }

    /// The row's values, if it is still there.
    pub(super) fn read(&self, table: &Table, rowid: i64) -> Result<Option<Vec<Stored>>, Fault> {
        let columns: Vec<String> =
            table.columns.iter().map(|definition| quote(&definition.column.name)).collect();
        let sql = format!(
            "SELECT {} FROM {} WHERE {} = ?1",
            columns.join(", "),
            quote(&table.name.table),
            table.rowid()
        );
        let mut statement = self.connection.prepare_cached(&sql).map_err(|e| self.fault(&e))?;
        let mut rows = statement.query([rowid]).map_err(|e| self.fault(&e))?;
        let Some(row) = self.step(&mut rows)? else { return Ok(None) };
        let values = (0..columns.len()).map(|place| row.get(place));
        values.collect::<Result<_, _>>().map(Some).map_err(|e| self.fault(&e))
    }

    /// Inserts; `false` if a unique key is in the way.
    pub(super) fn put(&self, table: &Table, row: &[Stored]) -> Result<bool, Fault> {
        let sql =
            format!("INSERT INTO {} VALUES ({})", quote(&table.name.table), parameters(table));
        self.change(&sql, row)
    }

    /// Replaces a row's values; `false` if a unique key is in the way.
    pub(super) fn replace(&self, table: &Table, rowid: i64, row: &[Stored]) -> Result<bool, Fault> {
        let sets: Vec<String> = table
            .columns
            .iter()
            .enumerate()
            .map(|(place, column)| format!("{} = ?{}", quote(&column.column.name), place + 1))
            .collect();
        let sql = format!(
            "UPDATE {} SET {} WHERE {} = {rowid}",
            quote(&table.name.table),
            sets.join(", "),
            table.rowid()
        );
        self.change(&sql, row)
    }

    /// Deletes a row.
    pub(super) fn remove(&self, table: &Table, rowid: i64) -> Result<(), Fault> {
        let sql = format!("DELETE FROM {} WHERE {} = ?1", quote(&table.name.table), table.rowid());
        let mut statement = self.connection.prepare_cached(&sql).map_err(|e| self.fault(&e))?;
        statement.execute([rowid]).map(drop).map_err(|e| self.fault(&e))
    }

    fn change(&self, sql: &str, row: &[Stored]) -> Result<bool, Fault> {
        let mut statement = self.connection.prepare_cached(sql).map_err(|e| self.fault(&e))?;
        match statement.execute(params_from_iter(row)) {
            Ok(_) => Ok(true),
            Err(rusqlite::Error::SqliteFailure(error, _))
                if error.code == ErrorCode::ConstraintViolation =>
            {
                Ok(false)
            }
            Err(error) => Err(self.fault(&error)),
        }
    }

    /// The first unique key that another row than `own` has in common with `row`, and that row.
    pub(super) fn conflict<'t>(
        &self,
        table: &'t Table,
        row: &[Stored],
        own: Option<i64>,
    ) -> Result<Option<(&'t Index, i64)>, Fault> {
        for index in table.indexes.iter().filter(|index| index.unique) {
            if index.parts.iter().any(|part| row.get(part.column) == Some(&Stored::Null)) {
                continue;
            }
            let terms: Vec<String> = index
                .parts
                .iter()
                .map(|part| {
                    let theirs = table.part_sql(part, |column| quote(&column.name));
                    let ours = table.part_sql(part, |_| format!("?{}", part.column + 1));
                    format!("{theirs} = {ours}")
                })
                .collect();
            let rowid = table.rowid();
            let sql = format!(
                "SELECT {rowid} FROM {} WHERE {} AND {rowid} IS NOT ?{} LIMIT 1",
                quote(&table.name.table),
                terms.join(" AND "),
                table.columns.len() + 1
            );
            let mut statement = self.connection.prepare_cached(&sql).map_err(|e| self.fault(&e))?;
            let own = own.map_or(Stored::Null, Stored::Integer);
            let mut found = statement
                .query(params_from_iter(row.iter().chain(std::iter::once(&own))))
                .map_err(|e| self.fault(&e))?;
            if let Some(other) = self.step(&mut found)? {
                return Ok(Some((index, other.get(0).map_err(|e| self.fault(&e))?)));
            }
        }
        Ok(None)
    }

    /// Error 1062 for a row and the key that is in its way.
    pub(super) fn duplicate(table: &Table, index: &Index, row: &[Stored]) -> Fault {
        let mut texts = Vec::new();
        for part in &index.parts {
            let (Some(definition), Some(value)) =
                (table.columns.get(part.column), row.get(part.column))
            else {
                continue;
            };
            let mut buffer = Vec::new();
            cell::cell(&definition.column, ValueRef::from(value), &mut buffer);
            let text = row::split_cell(&buffer).and_then(|(text, _)| text).unwrap_or_default();
            texts.push(String::from_utf8_lossy(text).into_owned());
        }
        Fault::DuplicateEntry {
            entry: texts.join("-"),
            key: format!("{}.{}", table.name.table, index.name),
        }
    }
}

fn charset_bytes(definition: &ColumnDefinition, text: &str) -> Vec<u8> {
    let charset = crate::event::collation::charset(definition.column.collation);
    charset.and_then(|charset| charset.encode(text)).unwrap_or_else(|| text.as_bytes().to_vec())
}

/// What a NOT NULL column holds that nobody gave a value, where that is no error.
pub(super) fn implicit_default(column_type: &ColumnType) -> Stored {
    let fraction =
        |fsp: u8| if fsp == 0 { String::new() } else { format!(".{:0<1$}", "", usize::from(fsp)) };
    match column_type {
        ColumnType::Int { .. }
        | ColumnType::Bit { .. }
        | ColumnType::Year
        | ColumnType::Time { .. }
        | ColumnType::Set { .. } => Stored::Integer(0),
        ColumnType::Enum { .. } => Stored::Integer(1),
        ColumnType::Decimal { precision, scale, .. } => {
            if *precision <= cell::SHORT_DIGITS {
                Stored::Integer(0)
            } else {
                Stored::Text(cell::long_decimal("0", *precision, *scale))
            }
        }
        ColumnType::Float { .. } | ColumnType::Double { .. } => Stored::Real(0.0),
        ColumnType::Date => Stored::Text("0000-00-00".to_owned()),
        ColumnType::DateTime { fsp } | ColumnType::Timestamp { fsp } => {
            Stored::Text(format!("0000-00-00 00:00:00{}", fraction(*fsp)))
        }
        ColumnType::Json => Stored::Text("null".to_owned()),
        ColumnType::Char { .. } | ColumnType::VarChar { .. } | ColumnType::Text { .. } => {
            Stored::Text(String::new())
        }
        ColumnType::Geometry
        | ColumnType::Vector { .. }
        | ColumnType::Uuid
        | ColumnType::Inet4
        | ColumnType::Inet6 => Stored::Blob(Vec::new()),
    }
}
