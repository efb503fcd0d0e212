//! The rules of keys and foreign keys.

use super::define::is_long;
use super::scope::Statement;
use super::{Default, Fault, ForeignKey, Index, IndexPart, OnDelete, Table};
use crate::event::{CollationId, ColumnType};

/// Checks the keys of a table and puts them in MySQL's order.
pub fn finish(table: &mut Table) -> Result<(), Fault> {
    for index in &table.indexes {
        let mut bytes = 0_u64;
        for part in &index.parts {
            let Some(definition) = table.columns.get(part.column) else { continue };
            let column = &definition.column;
            match column.column_type {
                ColumnType::Json | ColumnType::Geometry | ColumnType::Vector { .. } => {
                    return Err(Fault::Unsupported(format!(
                        "an index on JSON column '{}'",
                        column.name
                    )));
                }
                _ if is_long(&column.column_type) && part.prefix.is_none() => {
                    return Err(Fault::BlobKeyWithoutLength(column.name.to_string()));
                }
                ColumnType::Char { length } | ColumnType::VarChar { length } => {
                    let width = if column.collation == CollationId::BINARY { 1 } else { 4 };
                    bytes += u64::from(part.prefix.unwrap_or(length)) * width;
                }
                _ => bytes += u64::from(part.prefix.unwrap_or(8)),
            }
        }
        if bytes > 3072 {
            return Err(Fault::KeyTooLong);
        }
    }
    let primary: Vec<usize> = table
        .indexes
        .iter()
        .filter(|index| index.is_primary())
        .flat_map(|index| index.parts.iter().map(|part| part.column))
        .collect();
    for column in primary {
        if let Some(definition) = table.columns.get_mut(column) {
            definition.column.nullable = false;
            if definition.default == Default::Null {
                definition.default = Default::None;
                definition.column.has_default = false;
            }
        }
    }
    let mut autos = table.columns.iter().enumerate().filter(|(_, c)| c.column.auto_increment);
    if let Some((auto, _)) = autos.next() {
        let keyed = table
            .indexes
            .iter()
            .any(|index| index.parts.first().is_some_and(|part| part.column == auto));
        if autos.next().is_some() || !keyed {
            return Err(Fault::WrongAutoKey);
        }
    }
    let nullable = |index: &Index| {
        index.parts.iter().any(|p| table.columns.get(p.column).is_some_and(|c| c.column.nullable))
    };
    let rank = |index: &Index| match index {
        index if index.is_primary() => 0,
        index if index.unique && !nullable(index) => 1,
        index if index.unique => 2,
        _ => 3,
    };
    let mut ranked: Vec<(u8, Index)> =
        table.indexes.iter().map(|index| (rank(index), index.clone())).collect();
    ranked.sort_by_key(|(rank, _)| *rank);
    table.indexes = ranked.into_iter().map(|(_, index)| index).collect();
    Ok(())
}

/// Checks a foreign key against its parent.
pub fn check_foreign(
    table: &Table,
    foreign: &ForeignKey,
    statement: &Statement<'_>,
) -> Result<(), Fault> {
    if foreign.columns.len() != foreign.parent_columns.len() {
        return Err(Fault::CannotAddForeignKey);
    }
    let own = foreign.parent == *table.name.table;
    let stored = statement.tables.table(&foreign.parent);
    let unchecked =
        matches!(statement.variables.system("foreign_key_checks"), Some(super::Value::Int(0)));
    let parent = match (&stored, own) {
        (_, true) => table,
        (Some(parent), false) => parent.as_ref(),
        (None, false) if unchecked => return Ok(()),
        (None, false) => return Err(Fault::NoParentTable(foreign.parent.clone())),
    };
    let missing =
        || Fault::NoParentIndex { constraint: foreign.name.clone(), table: foreign.parent.clone() };
    let mut parent_columns = Vec::new();
    for name in &foreign.parent_columns {
        parent_columns.push(parent.column(name).ok_or_else(missing)?);
    }
    for (child, parent_column) in foreign.columns.iter().zip(&parent_columns) {
        let (Some(child), Some(other)) =
            (table.columns.get(*child), parent.columns.get(*parent_column))
        else {
            continue;
        };
        let same = match (&child.column.column_type, &other.column.column_type) {
            (a, b) if is_sized(a) && is_sized(b) => {
                child.column.collation == other.column.collation
            }
            (a, b) => a == b,
        };
        if !same || child.generated.is_some() || other.generated.is_some() {
            return Err(Fault::CannotAddForeignKey);
        }
        let null = foreign.on_delete == OnDelete::SetNull || foreign.on_update == OnDelete::SetNull;
        if null && !child.column.nullable {
            return Err(Fault::CannotAddForeignKey);
        }
    }
    let keyed = parent.indexes.iter().any(|index| {
        index.unique
            && index.parts.len() == parent_columns.len()
            && starts_with(index, &parent_columns)
    });
    if keyed {
        Ok(())
    } else {
        Err(Fault::NoParentKey { constraint: foreign.name.clone(), table: foreign.parent.clone() })
    }
}

fn is_sized(column_type: &ColumnType) -> bool {
    matches!(column_type, ColumnType::Char { .. } | ColumnType::VarChar { .. })
}

/// Whether an index begins with these columns.
pub fn starts_with(index: &Index, columns: &[usize]) -> bool {
    columns.iter().enumerate().all(|(position, column)| {
        index
            .parts
            .get(position)
            .is_some_and(|part| part.column == *column && part.prefix.is_none())
    })
}

/// Gives a foreign key the index it needs.
pub fn cover_foreign(table: &mut Table, foreign: &ForeignKey) {
    if table.indexes.iter().any(|index| starts_with(index, &foreign.columns)) {
        return;
    }
    let parts = foreign
        .columns
        .iter()
        .map(|column| IndexPart { column: *column, prefix: None, descending: false })
        .collect();
    table.indexes.push(Index { name: foreign.name.clone(), unique: false, parts });
}
