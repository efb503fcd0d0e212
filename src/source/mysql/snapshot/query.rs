//! The statement that reads a table in the order of its key, from behind a row on.

use crate::event::row::split_cell;
use crate::event::{CollationId, Column, ColumnType, TableLastPk, TableSchema, collation};
use crate::source::Scan;
use crate::source::mysql::literal::{self, literal};
use crate::source::mysql::schema::Table;

/// A statement, and what of its rows was read before.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Query {
    pub sql: String,
    /// The same without the index that it is to use, which the server may not let it use.
    pub plain: String,
    /// The row that was read last and how often: equal rows of a table without a key come again.
    pub skip: Option<(Vec<u8>, u64)>,
    /// All columns are sorted, by more bytes than servers do unless they are told to.
    pub sorts: bool,
    /// Only some rows are wanted, and the server may have to look at very many for each.
    pub has_condition: bool,
}

/// Why a scan cannot go on behind a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unplaced {
    /// The key is none of this table.
    Key,
    /// The table has no key, and columns too long to be sorted by.
    Unsorted,
}

impl Query {
    pub fn new(table: &Table, scan: &Scan) -> Result<Self, Unplaced> {
        let schema = &*table.schema;
        let order = Order::new(schema);
        let mut terms: Vec<String> =
            scan.where_sql.iter().map(|condition| format!("({condition})")).collect();
        let mut skip = None;
        if let Some(after) = &scan.after {
            let order = order.as_ref().ok_or(Unplaced::Unsorted)?;
            let values = order.values(schema, after).ok_or(Unplaced::Key)?;
            if schema.key.is_empty() {
                terms.push(order.from(&values));
                skip = Some((after.cells.clone(), after.copies.max(1)));
            } else {
                terms.push(order.behind(&values));
            }
        }
        let columns: Vec<_> =
            schema.columns.iter().map(|column| literal::name(&column.name)).collect();
        let select =
            format!("SELECT {} FROM {}", columns.join(", "), literal::name(&schema.name.table));
        let mut rest = String::new();
        if !terms.is_empty() {
            rest.push_str(&format!(" WHERE {}", terms.join(" AND ")));
        }
        if let Some(order) = &order {
            let terms: Vec<_> = order.terms.iter().map(|term| term.row.as_str()).collect();
            rest.push_str(&format!(" ORDER BY {}", terms.join(", ")));
        }
        // With a condition, another index may find the few rows wanted at once.
        let has_condition = scan.where_sql.is_some();
        let index = table.index.as_ref().filter(|_| !has_condition);
        let index = index.map(|index| format!(" FORCE INDEX ({})", literal::name(index)));
        Ok(Self {
            sql: format!("{select}{}{rest}", index.unwrap_or_default()),
            plain: format!("{select}{rest}"),
            skip,
            sorts: schema.key.is_empty() && order.is_some(),
            has_condition,
        })
    }
}

/// The order of a scan.
#[derive(Debug)]
struct Order {
    terms: Vec<Term>,
}

/// What rows are ordered by.
#[derive(Debug)]
struct Term {
    /// The index of the column.
    column: usize,
    row: String,
    /// Its bytes, which tell apart texts that are equal.
    is_raw: bool,
}

impl Order {
    /// The key's order; without a key that of all columns, and then that of the bytes of texts, so
    /// that it is the same in each scan. `None` if they are too long to be sorted by.
    fn new(schema: &TableSchema) -> Option<Self> {
        let column = |column: usize| {
            let name = literal::name(&schema.columns.get(column)?.name);
            Some(Term { column, row: name, is_raw: false })
        };
        if !schema.key.is_empty() {
            let terms = schema.key.iter().map(|&index| column(index)).collect::<Option<_>>()?;
            return Some(Self { terms });
        }
        let is_sortable =
            schema.columns.iter().all(|column| sorted_bytes(column) <= SORT_BYTES_MAX);
        let all = 0..schema.columns.len();
        let mut terms = all.filter_map(column).collect::<Vec<_>>();
        let raw = |(column, definition): (usize, &Column)| {
            is_text(definition).then(|| {
                let row = format!("CAST({} AS BINARY)", literal::name(&definition.name));
                Term { column, row, is_raw: true }
            })
        };
        terms.extend(schema.columns.iter().enumerate().filter_map(raw));
        is_sortable.then_some(Self { terms })
    }

    /// The last key as one literal per term, `None` inside for NULL.
    fn values(&self, schema: &TableSchema, after: &TableLastPk) -> Option<Vec<Option<String>>> {
        let columns = self.terms.iter().filter(|term| !term.is_raw).map(|term| term.column);
        let mut cells = vec![None; schema.columns.len()];
        let (mut rest, mut names) = (after.cells.as_slice(), after.columns.iter());
        for index in columns {
            let (cell, behind) = split_cell(rest)?;
            let column = schema.columns.get(index)?;
            if !names.next()?.eq_ignore_ascii_case(&column.name) {
                return None;
            }
            *cells.get_mut(index)? = cell;
            rest = behind;
        }
        if !rest.is_empty() || names.next().is_some() {
            return None;
        }
        let value = |term: &Term| {
            let (column, cell) = (schema.columns.get(term.column)?, *cells.get(term.column)?);
            Some(match cell {
                None => None,
                Some(cell) if term.is_raw => Some(literal::bytes(cell)),
                Some(cell) => Some(literal(column, cell)?),
            })
        };
        let values: Vec<_> = self.terms.iter().map(value).collect::<Option<_>>()?;
        // A key holds no NULL.
        (schema.key.is_empty() || values.iter().all(Option::is_some)).then_some(values)
    }

    /// Rows behind the values, none of them NULL, in the form for which servers use an index.
    fn behind(&self, values: &[Option<String>]) -> String {
        let pairs: Vec<(&str, &str)> = self
            .terms
            .iter()
            .zip(values)
            .map(|(term, value)| (term.row.as_str(), value.as_deref().unwrap_or("NULL")))
            .collect();
        let place = |last: usize| {
            let equal = pairs.iter().take(last).map(|(row, value)| format!("{row} = {value}"));
            let greater = pairs.get(last).map(|(row, value)| format!("{row} > {value}"));
            format!("({})", equal.chain(greater).collect::<Vec<_>>().join(" AND "))
        };
        let places: Vec<_> = (0..pairs.len()).rev().map(place).collect();
        format!("({})", places.join(" OR "))
    }

    /// Rows at the values or behind them, where NULL comes before everything else.
    fn from(&self, values: &[Option<String>]) -> String {
        self.terms.iter().zip(values).rev().fold("TRUE".to_owned(), |rest, (term, value)| {
            let row = &term.row;
            match value {
                None => format!("({row} IS NOT NULL OR ({row} IS NULL AND {rest}))"),
                Some(value) => format!("({row} > {value} OR ({row} = {value} AND {rest}))"),
            }
        })
    }
}

const fn is_text(column: &Column) -> bool {
    matches!(
        column.column_type,
        ColumnType::Char { .. } | ColumnType::VarChar { .. } | ColumnType::Text { .. }
    ) && column.collation.0 != CollationId::BINARY.0
}

/// How many bytes a server may have to sort a column by.
fn sorted_bytes(column: &Column) -> u64 {
    let characters = match column.column_type {
        ColumnType::Char { length } | ColumnType::VarChar { length } => u64::from(length),
        ColumnType::Text { length_bytes: 1 } => 255,
        ColumnType::Text { .. }
        | ColumnType::Json
        | ColumnType::Geometry
        | ColumnType::Vector { .. } => u64::MAX,
        _ => 0,
    };
    let weight = match collation::is_bytewise(column.collation) {
        true => collation::character_bytes_max(column.collation).map_or(4, u64::from),
        false => WEIGHT_BYTES_MAX,
    };
    characters.saturating_mul(weight)
}

/// What one character may weigh under the longest of collations.
const WEIGHT_BYTES_MAX: u64 = 36;
/// What servers are told to sort by at most: more would be more memory than they have for it.
pub(super) const SORT_BYTES_MAX: u64 = 16_384;

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::event::TableName;
    use crate::event::row::{push_cell, push_null};
    use crate::source::BatchMax;

    const INT: ColumnType = ColumnType::Int { bytes: 4, unsigned: false };

    fn table(columns: &[(&str, ColumnType)], key: &[usize]) -> Table {
        let columns = columns.iter().map(|(name, column_type)| {
            let collation = match column_type {
                ColumnType::VarChar { .. } | ColumnType::Text { .. } => CollationId::UTF8MB4_BIN,
                _ => CollationId::BINARY,
            };
            Column::plain(name, column_type.clone(), collation)
        });
        let (columns, key) = (columns.collect(), key.to_vec());
        let name = TableName::new("ks", "t");
        let schema = Arc::new(TableSchema { name, columns, key, key_is_primary: true });
        let index = (!schema.key.is_empty()).then(|| "PRIMARY".into());
        Table { schema, index, engine: "InnoDB".into() }
    }

    fn query(
        table: &Table,
        condition: Option<&str>,
        after: Option<(&[&str], &[Option<&str>])>,
    ) -> Result<Query, Unplaced> {
        let after = after.map(|(columns, values)| {
            let mut cells = Vec::new();
            for value in values {
                match value {
                    Some(value) => push_cell(&mut cells, value.as_bytes()),
                    None => push_null(&mut cells),
                }
            }
            let columns = columns.iter().map(|&column| column.into()).collect();
            TableLastPk { table: "t".into(), columns, cells, copies: 1 }
        });
        let where_sql = condition.map(str::to_owned);
        Query::new(
            table,
            &Scan { table: TableName::new("ks", "t"), after, where_sql, batch: BatchMax::bytes(1) },
        )
    }

    #[test]
    fn tables_are_read_by_their_keys() {
        let two = table(&[("b", INT), ("a", INT), ("v", INT)], &[1, 0]);
        let select = "SELECT `b`, `a`, `v` FROM `t`";
        let sql = |condition, after| query(&two, condition, after).unwrap().sql;
        assert_eq!(sql(None, None), format!("{select} FORCE INDEX (`PRIMARY`) ORDER BY `a`, `b`"));
        assert_eq!(
            sql(Some("v = 1"), Some((&["a", "b"], &[Some("1"), Some("-2")]))),
            format!(
                "{select} WHERE (v = 1) AND ((`a` = 1 AND `b` > -2) OR (`a` > 1)) ORDER BY `a`, `b`"
            )
        );
    }

    #[test]
    fn tables_without_a_key_are_read_by_all_columns() {
        let text = ColumnType::VarChar { length: 9 };
        let keyless = table(&[("a", INT), ("t", text)], &[]);
        let order = "ORDER BY `a`, `t`, CAST(`t` AS BINARY)";
        let first = query(&keyless, None, None).unwrap();
        assert_eq!(first.sql, format!("SELECT `a`, `t` FROM `t` {order}"));
        assert!(first.sorts && first.skip.is_none());
        let next = query(&keyless, None, Some((&["a", "t"], &[None, Some("x")]))).unwrap();
        let (t, raw) = ("`t` > _utf8mb4 X'78'", "CAST(`t` AS BINARY)");
        let t_equal = "`t` = _utf8mb4 X'78'";
        let rest = format!("({t} OR ({t_equal} AND ({raw} > X'78' OR ({raw} = X'78' AND TRUE))))");
        let condition = format!("(`a` IS NOT NULL OR (`a` IS NULL AND {rest}))");
        assert_eq!(next.sql, format!("SELECT `a`, `t` FROM `t` WHERE {condition} {order}"));
        assert_eq!(next.skip, Some((b"\xfb\x01x".to_vec(), 1)));
    }

    #[test]
    fn long_columns_are_not_sorted_by() {
        let long = table(&[("a", INT), ("t", ColumnType::Text { length_bytes: 2 })], &[]);
        let first = query(&long, None, None).unwrap();
        assert_eq!((first.sql.as_str(), first.sorts), ("SELECT `a`, `t` FROM `t`", false));
        let after: (&[&str], &[_]) = (&["a", "t"], &[Some("1"), Some("x")]);
        assert_eq!(query(&long, None, Some(after)), Err(Unplaced::Unsorted));
    }

    #[test]
    fn keys_of_another_table_are_refused() {
        let one = table(&[("a", INT)], &[0]);
        let cases: [(&[&str], &[Option<&str>]); 5] = [
            (&["b"], &[Some("1")]),
            (&["a", "b"], &[Some("1"), Some("2")]),
            (&["a"], &[Some("1"), Some("2")]),
            (&["a"], &[None]),
            (&["a"], &[Some("1 OR TRUE")]),
        ];
        for after in cases {
            assert_eq!(query(&one, None, Some(after)), Err(Unplaced::Key), "{after:?}");
        }
        assert!(query(&one, None, Some((&["A"], &[Some("1")]))).is_ok());
    }
}
