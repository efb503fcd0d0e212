//! The order of keys: where a row stands against the last key that a copy has sent.

use std::cmp::Ordering;

use super::predicate::{decimal, temporal};
use crate::event::collation;
use crate::event::row::split_cell;
use crate::event::{Cell, Column, ColumnType, Row, TableLastPk, TableSchema};

/// How the row's key compares with `last`, under each column's type and collation.
///
/// `None` when in doubt: a column is gone or not in the image, a cell is no value of its type, a
/// collation is not covered. The caller must then treat the row as copied.
pub fn compare_keys(schema: &TableSchema, last: &TableLastPk, row: Row<'_>) -> Option<Ordering> {
    let mut rest = last.cells.as_slice();
    for name in &last.columns {
        let (cell, behind) = split_cell(rest)?;
        rest = behind;
        let at = schema.column(name)?;
        let order = match (row.cells().nth(at)?, cell) {
            (Cell::Absent, _) => return None,
            (Cell::Null, None) => Ordering::Equal,
            (Cell::Null, Some(_)) => Ordering::Less,
            (Cell::Text(_), None) => Ordering::Greater,
            (Cell::Text(cell), Some(last)) => compare_cells(schema.columns.get(at)?, cell, last)?,
        };
        if order != Ordering::Equal {
            return Some(order);
        }
    }
    Some(Ordering::Equal)
}

/// Compares two values of one column, neither NULL, as ORDER BY does; `None` when in doubt.
pub fn compare_cells(column: &Column, left: &[u8], right: &[u8]) -> Option<Ordering> {
    match &column.column_type {
        ColumnType::Int { .. } | ColumnType::Decimal { .. } | ColumnType::Year => {
            decimal::compare_texts(left, right)
        }
        ColumnType::Float { .. } | ColumnType::Double { .. } => {
            let parse = |cell| std::str::from_utf8(cell).ok()?.parse::<f64>().ok();
            parse(left)?.partial_cmp(&parse(right)?)
        }
        ColumnType::Bit { .. } => Some(left.cmp(right)),
        ColumnType::Date | ColumnType::DateTime { .. } | ColumnType::Timestamp { .. } => {
            Some(temporal::parse_moment(left)?.cmp(&temporal::parse_moment(right)?))
        }
        ColumnType::Time { .. } => {
            Some(temporal::parse_time(left)?.cmp(&temporal::parse_time(right)?))
        }
        ColumnType::Char { .. } | ColumnType::VarChar { .. } | ColumnType::Text { .. } => {
            collation::compare(column.collation, left, right).ok()
        }
        ColumnType::Enum { members } => {
            Some(enum_index(members, left)?.cmp(&enum_index(members, right)?))
        }
        ColumnType::Set { members } => {
            Some(set_bits(members, left)?.cmp(&set_bits(members, right)?))
        }
        ColumnType::Json
        | ColumnType::Geometry
        | ColumnType::Vector { .. }
        | ColumnType::Uuid
        | ColumnType::Inet4
        | ColumnType::Inet6 => None,
    }
}

/// The number of an ENUM's member, from 1; 0 for the empty text of an invalid value.
pub(super) fn enum_index(members: &[Box<str>], text: &[u8]) -> Option<u64> {
    let found = members.iter().position(|member| member.as_bytes() == text);
    match found {
        Some(index) => u64::try_from(index + 1).ok(),
        None => text.is_empty().then_some(0),
    }
}

/// The number of a SET: one bit per member, the first member lowest.
pub(super) fn set_bits(members: &[Box<str>], text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return Some(0);
    }
    text.split(|&byte| byte == b',').try_fold(0, |bits, part| {
        let at = members.iter().position(|member| member.as_bytes() == part)?;
        Some(bits | 1_u64.checked_shl(u32::try_from(at).ok()?)?)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::row::{push_cell, push_null};
    use crate::event::{CollationId, Presence, TableName};

    fn schema(types: &[(ColumnType, CollationId)]) -> TableSchema {
        let columns = types.iter().enumerate().map(|(at, (column_type, collation))| {
            Column::plain(&format!("c{at}"), column_type.clone(), *collation)
        });
        let columns: Vec<_> = columns.collect();
        let key = (0..columns.len()).collect();
        TableSchema { name: TableName::new("ks", "t"), columns, key, key_is_primary: true }
    }

    fn cells(values: &[Option<&str>]) -> Vec<u8> {
        let mut cells = Vec::new();
        for value in values {
            match value {
                Some(value) => push_cell(&mut cells, value.as_bytes()),
                None => push_null(&mut cells),
            }
        }
        cells
    }

    #[track_caller]
    fn check(
        types: &[(ColumnType, CollationId)],
        row: &[Option<&str>],
        last: &[Option<&str>],
        expected: Option<Ordering>,
    ) {
        let schema = schema(types);
        let columns = schema.columns.iter().map(|column| column.name.clone()).collect();
        let last = TableLastPk { table: "t".into(), columns, cells: cells(last), copies: 1 };
        let row = cells(row);
        assert_eq!(compare_keys(&schema, &last, Row::new(&row, None)), expected);
    }

    const INT: (ColumnType, CollationId) =
        (ColumnType::Int { bytes: 8, unsigned: false }, CollationId::BINARY);

    #[test]
    fn keys_compare_by_type_and_collation() {
        use Ordering::{Equal, Greater, Less};
        let text = |collation| (ColumnType::VarChar { length: 9 }, collation);
        check(&[INT], &[Some("10")], &[Some("9")], Some(Greater));
        check(&[INT], &[Some("-10")], &[Some("-9")], Some(Less));
        check(&[INT, INT], &[Some("1"), Some("3")], &[Some("1"), Some("2")], Some(Greater));
        check(&[INT], &[None], &[Some("0")], Some(Less));
        check(&[text(CollationId::UTF8MB4_0900_AI_CI)], &[Some("É")], &[Some("e")], Some(Equal));
        check(&[text(CollationId::UTF8MB4_BIN)], &[Some("E")], &[Some("e")], Some(Less));
        check(&[text(CollationId(278))], &[Some("E")], &[Some("f")], None);
        let time = (ColumnType::Time { fsp: 0 }, CollationId::BINARY);
        check(&[time], &[Some("-01:00:00")], &[Some("100:00:00")], Some(Less));
        let members = Arc::from(["b".into(), "a".into()]);
        let member = (ColumnType::Enum { members }, CollationId::UTF8MB4_BIN);
        check(&[member], &[Some("a")], &[Some("b")], Some(Greater));
        check(&[INT], &[Some("x")], &[Some("1")], None);
    }

    #[test]
    fn an_absent_column_leaves_doubt() {
        let schema = schema(&[INT]);
        let last = TableLastPk {
            table: "t".into(),
            columns: vec!["c0".into()],
            cells: cells(&[Some("1")]),
            copies: 1,
        };
        let row = cells(&[None]);
        let presence = Presence::new(1, |_| false);
        assert_eq!(compare_keys(&schema, &last, Row::new(&row, Some(&presence))), None);
    }

    use std::sync::Arc;
}
