//! The tables of a database as `information_schema` tells them: three queries for all of them.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

use mysql_async::Conn;
use mysql_async::prelude::{FromRow, Queryable};

use super::Flavour;
use super::connect::Server;
use super::names::Names;
use super::protocol::RawConnection;
use crate::event::{CollationId, Column, ColumnType, TableName, TableSchema};
use crate::source::TableSize;

/// A table as a server has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// Its columns and its key.
    pub schema: Arc<TableSchema>,
    /// The index that its key is.
    pub index: Option<Box<str>>,
    /// What stores it.
    pub engine: Box<str>,
}

/// The numbers of a server's collations, which it is asked for once, and again for a name that is not
/// among them.
#[derive(Debug, Clone, Default)]
pub struct Collations(Arc<Mutex<Option<Arc<CollationIds>>>>);

type CollationIds = HashMap<String, CollationId>;

impl Collations {
    fn get(&self) -> Option<Arc<CollationIds>> {
        self.0.lock().expect("no one panics while holding it").clone()
    }

    fn set(&self, ids: CollationIds) -> Arc<CollationIds> {
        let ids = Arc::new(ids);
        *self.0.lock().expect("no one panics while holding it") = Some(Arc::clone(&ids));
        ids
    }
}

/// A connection that can be asked, of either kind.
pub trait Questioned: Send {
    /// Adds up the rows of a query.
    fn fold<T: FromRow + Send + 'static, U: Send>(
        &mut self,
        query: String,
        sum: U,
        add: impl FnMut(U, T) -> U + Send,
    ) -> impl Future<Output = mysql_async::Result<U>> + Send;
}

impl Questioned for Conn {
    async fn fold<T: FromRow + Send + 'static, U: Send>(
        &mut self,
        query: String,
        sum: U,
        add: impl FnMut(U, T) -> U + Send,
    ) -> mysql_async::Result<U> {
        self.query_fold(query, sum, add).await
    }
}

impl Questioned for RawConnection {
    async fn fold<T: FromRow + Send + 'static, U: Send>(
        &mut self,
        query: String,
        sum: U,
        add: impl FnMut(U, T) -> U + Send,
    ) -> mysql_async::Result<U> {
        self.query_fold(&query, sum, add).await
    }
}

/// Reads all tables of the connection's database, views left out, in bytewise order of their names.
pub async fn read(
    conn: &mut Conn,
    flavour: Flavour,
    server: &Server,
    names: &Names,
) -> mysql_async::Result<Vec<Arc<TableSchema>>> {
    let tables = read_tables(conn, flavour, server, names, "").await?;
    Ok(tables.into_iter().map(|table| table.schema).collect())
}

/// The same, of the tables that meet a condition on their names: `AND TABLE_NAME = 't'`.
pub async fn read_tables(
    conn: &mut impl Questioned,
    flavour: Flavour,
    server: &Server,
    names: &Names,
    which: &str,
) -> mysql_async::Result<Vec<Table>> {
    let known = server.collations();
    if let Some(collations) = known.get() {
        let (tables, has_met_others) = describe(conn, names, which, &collations).await?;
        if !has_met_others {
            return Ok(tables);
        }
    }
    let collations = known.set(read_collations(conn, flavour).await?);
    describe(conn, names, which, &collations).await.map(|(tables, _)| tables)
}

/// The tables, and whether one of them has a collation that is not known.
async fn describe(
    conn: &mut impl Questioned,
    names: &Names,
    which: &str,
    collations: &CollationIds,
) -> mysql_async::Result<(Vec<Table>, bool)> {
    let mut has_met_others = false;
    let mut tables = BTreeMap::<String, Described>::new();
    let query = format!("{TABLES} {which}");
    tables = conn
        .fold(query, tables, |mut tables, (name, engine): (String, Option<String>)| {
            let engine = engine.unwrap_or_default().into();
            tables.insert(name, Described { engine, ..Described::default() });
            tables
        })
        .await?;
    let query = format!("{COLUMNS} {which} ORDER BY TABLE_NAME, ORDINAL_POSITION");
    tables = conn
        .fold(query, tables, |mut tables, row: ColumnRow| {
            // A table that was made meanwhile is told the next time.
            if let Some(table) = tables.get_mut(&row.0) {
                has_met_others |= row.4.as_ref().is_some_and(|name| !collations.contains_key(name));
                table.columns.push(column(&row, collations));
            }
            tables
        })
        .await?;
    let query = format!("{KEYS} {which} ORDER BY TABLE_NAME, INDEX_NAME, SEQ_IN_INDEX");
    tables = conn
        .fold(query, tables, |mut tables, (name, key, column, is_prefix): KeyRow| {
            if let Some(table) = tables.get_mut(&name) {
                table.add_key_part(key, column.as_deref(), is_prefix);
            }
            tables
        })
        .await?;
    // A table that was dropped meanwhile has no columns.
    let present = tables.into_iter().filter(|(_, table)| !table.columns.is_empty());
    let named = |name: &str| TableName::new(&names.keyspace, name);
    Ok((present.map(|(name, table)| table.table(named(&name))).collect(), has_met_others))
}

/// About how large the tables are that meet a condition on their names.
pub async fn read_sizes(
    conn: &mut Conn,
    flavour: Flavour,
    keyspace: &str,
    which: &str,
) -> mysql_async::Result<HashMap<TableName, TableSize>> {
    if flavour == Flavour::Mysql {
        // It would tell what it knew up to a day ago.
        conn.query_drop("SET information_schema_stats_expiry = 0").await?;
    }
    let size = |mut sizes: HashMap<_, _>,
                (name, rows, bytes): (String, Option<u64>, Option<u64>)| {
        let size = TableSize { rows: rows.unwrap_or(0), bytes: bytes.unwrap_or(0) };
        sizes.insert(TableName::new(keyspace, &name), size);
        sizes
    };
    conn.query_fold(format!("{SIZES} {which}"), HashMap::new(), size).await
}

/// What is known of one table so far.
#[derive(Debug, Default)]
struct Described {
    engine: Box<str>,
    columns: Vec<Column>,
    keys: Vec<Key>,
}

/// A unique key; `None` for a part that orders no whole column.
#[derive(Debug)]
struct Key {
    name: String,
    columns: Vec<Option<usize>>,
}

impl Described {
    fn add_key_part(&mut self, key: String, column: Option<&str>, is_prefix: bool) {
        let index = column.and_then(|column| {
            self.columns.iter().position(|known| known.name.eq_ignore_ascii_case(column))
        });
        // Whoever differs within the prefix differs: a primary key identifies rows by its columns.
        let index = index.filter(|_| !is_prefix || key == PRIMARY);
        match self.keys.last_mut() {
            Some(last) if last.name == key => last.columns.push(index),
            _ => self.keys.push(Key { name: key, columns: vec![index] }),
        }
    }

    fn table(self, name: TableName) -> Table {
        let usable = self.keys.iter().filter_map(|key| {
            let columns: Vec<usize> = key.columns.iter().copied().collect::<Option<_>>()?;
            let cost = self.cost(&columns)?;
            Some((key, key.name != PRIMARY, cost, columns))
        });
        // Among equals the server's order decides, so that every reading finds the same.
        let best = usable.min_by_key(|(_, is_other, cost, _)| (*is_other, *cost));
        let (index, key_is_primary, key) = match best {
            Some((key, is_other, _, columns)) => {
                (Some(key.name.as_str().into()), !is_other, columns)
            }
            None => (None, false, Vec::new()),
        };
        let schema = Arc::new(TableSchema { name, columns: self.columns, key, key_is_primary });
        Table { schema, index, engine: self.engine }
    }

    /// How dear a key is; `None` if a part of it may be NULL.
    fn cost(&self, key: &[usize]) -> Option<Cost> {
        let columns = key.iter().map(|&index| self.columns.get(index));
        let columns: Vec<&Column> = columns
            .collect::<Option<Vec<_>>>()?
            .into_iter()
            .filter(|column| !column.nullable)
            .collect();
        let numbers =
            columns.iter().filter(|column| matches!(column.column_type, ColumnType::Int { .. }));
        let others = columns.len() - numbers.count();
        (columns.len() == key.len()).then_some(Cost { others, columns: columns.len() })
    }
}

/// What it costs to compare and to carry a key: columns that are no integers first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
struct Cost {
    others: usize,
    columns: usize,
}

async fn read_collations(
    conn: &mut impl Questioned,
    flavour: Flavour,
) -> mysql_async::Result<CollationIds> {
    let add = |mut ids: HashMap<_, _>, (name, id): (String, u64)| {
        if let Ok(id) = u16::try_from(id) {
            ids.insert(name, CollationId(id));
        }
        ids
    };
    if flavour == Flavour::MariaDb {
        // Since 10.10 a collation for several charsets has a number for each of them, told here only.
        match conn.fold(FULL_COLLATIONS.to_owned(), HashMap::new(), add).await {
            Err(mysql_async::Error::Server(error)) if error.code == UNKNOWN_COLUMN => {}
            told => return told,
        }
    }
    conn.fold(COLLATIONS.to_owned(), HashMap::new(), add).await
}

/// Table, name, data type, column type, collation, nullable, extra, has a default, characters,
/// precision, scale, fraction digits.
type ColumnRow = (
    String,
    String,
    String,
    String,
    Option<String>,
    bool,
    String,
    bool,
    Option<u64>,
    Option<u64>,
    Option<u64>,
    Option<u64>,
);
/// Table, key, column, whether only a prefix of it.
type KeyRow = (String, String, Option<String>, bool);

fn column(row: &ColumnRow, collations: &CollationIds) -> Column {
    let (_, name, data_type, declared, collation, nullable, extra, has_default, ..) = row;
    let collation = collation.as_deref().and_then(|name| collations.get(name)).copied();
    Column {
        name: name.as_str().into(),
        column_type: column_type(data_type, declared, (row.8, row.9, row.10, row.11)),
        collation: collation.unwrap_or(CollationId::BINARY),
        nullable: *nullable,
        auto_increment: extra.to_ascii_lowercase().contains("auto_increment"),
        has_default: *has_default || *nullable,
        declared: declared.as_str().into(),
    }
}

/// A type by its name and the numbers that go with it: characters, precision, scale, fraction.
fn column_type(
    data_type: &str,
    declared: &str,
    (length, precision, scale, fsp): (Option<u64>, Option<u64>, Option<u64>, Option<u64>),
) -> ColumnType {
    let unsigned = declared.to_ascii_lowercase().contains("unsigned");
    let small = |number: Option<u64>| number.and_then(|n| u8::try_from(n).ok()).unwrap_or(0);
    let length = length.and_then(|n| u32::try_from(n).ok()).unwrap_or(u32::MAX);
    let int = |bytes| ColumnType::Int { bytes, unsigned };
    match data_type.to_ascii_lowercase().as_str() {
        "tinyint" => int(1),
        "smallint" => int(2),
        "mediumint" => int(3),
        "int" => int(4),
        "bigint" => int(8),
        "decimal" => {
            ColumnType::Decimal { precision: small(precision), scale: small(scale), unsigned }
        }
        "float" => ColumnType::Float { unsigned },
        "double" => ColumnType::Double { unsigned },
        "bit" => ColumnType::Bit { bits: small(precision) },
        "date" => ColumnType::Date,
        "time" => ColumnType::Time { fsp: small(fsp) },
        "datetime" => ColumnType::DateTime { fsp: small(fsp) },
        "timestamp" => ColumnType::Timestamp { fsp: small(fsp) },
        "year" => ColumnType::Year,
        "char" | "binary" => ColumnType::Char { length },
        "varchar" | "varbinary" => ColumnType::VarChar { length },
        "tinytext" | "tinyblob" => ColumnType::Text { length_bytes: 1 },
        "text" | "blob" => ColumnType::Text { length_bytes: 2 },
        "mediumtext" | "mediumblob" => ColumnType::Text { length_bytes: 3 },
        "enum" => ColumnType::Enum { members: members(declared) },
        "set" => ColumnType::Set { members: members(declared) },
        "json" => ColumnType::Json,
        "geometry" | "point" | "linestring" | "polygon" | "multipoint" | "multilinestring"
        | "multipolygon" | "geomcollection" | "geometrycollection" => ColumnType::Geometry,
        "vector" => ColumnType::Vector { dimensions: parenthesized(declared).unwrap_or(0) },
        "uuid" => ColumnType::Uuid,
        "inet4" => ColumnType::Inet4,
        "inet6" => ColumnType::Inet6,
        // Anything newer is bytes as far as we are concerned.
        _ => ColumnType::Text { length_bytes: 4 },
    }
}

/// The number in `vector(3)`.
fn parenthesized(declared: &str) -> Option<u32> {
    let (_, rest) = declared.split_once('(')?;
    let (number, _) = rest.split_once(')')?;
    number.parse().ok()
}

/// The members in `enum('a','it''s')`; a server writes some characters with a backslash.
fn members(declared: &str) -> Arc<[Box<str>]> {
    let mut members = Vec::new();
    let mut rest = declared.chars().peekable();
    while rest.by_ref().any(|c| c == '\'') {
        let mut member = String::new();
        while let Some(c) = rest.next() {
            match c {
                '\'' if rest.next_if_eq(&'\'').is_none() => break,
                '\\' => member.extend(rest.next().map(|escaped| match escaped {
                    'n' => '\n',
                    'r' => '\r',
                    't' => '\t',
                    '0' => '\0',
                    other => other,
                })),
                c => member.push(c),
            }
        }
        members.push(member.into_boxed_str());
    }
    members.into()
}

const PRIMARY: &str = "PRIMARY";
/// ER_BAD_FIELD_ERROR.
const UNKNOWN_COLUMN: u16 = 1054;
// Where names are taken in any case, the log may spell them otherwise than they are declared.
const TABLES: &str = "SELECT IF(@@lower_case_table_names = 0, TABLE_NAME, LOWER(TABLE_NAME)), \
     ENGINE FROM information_schema.TABLES \
     WHERE TABLE_SCHEMA = DATABASE() AND TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED')";
const SIZES: &str = "SELECT IF(@@lower_case_table_names = 0, TABLE_NAME, LOWER(TABLE_NAME)), \
     TABLE_ROWS, DATA_LENGTH FROM information_schema.TABLES \
     WHERE TABLE_SCHEMA = DATABASE() AND TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED')";
const COLUMNS: &str = "SELECT IF(@@lower_case_table_names = 0, TABLE_NAME, LOWER(TABLE_NAME)), COLUMN_NAME, DATA_TYPE, COLUMN_TYPE, COLLATION_NAME, \
     IS_NULLABLE = 'YES', EXTRA, COLUMN_DEFAULT IS NOT NULL, CHARACTER_MAXIMUM_LENGTH, \
     NUMERIC_PRECISION, NUMERIC_SCALE, DATETIME_PRECISION FROM information_schema.COLUMNS \
     WHERE TABLE_SCHEMA = DATABASE()";
const KEYS: &str = "SELECT IF(@@lower_case_table_names = 0, TABLE_NAME, LOWER(TABLE_NAME)), \
     INDEX_NAME, COLUMN_NAME, SUB_PART IS NOT NULL \
     FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = DATABASE() AND NON_UNIQUE = 0";
const COLLATIONS: &str =
    "SELECT COLLATION_NAME, ID FROM information_schema.COLLATIONS WHERE ID IS NOT NULL";
const FULL_COLLATIONS: &str = "SELECT FULL_COLLATION_NAME, ID \
     FROM information_schema.COLLATION_CHARACTER_SET_APPLICABILITY WHERE ID IS NOT NULL";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_read_as_servers_write_them() {
        let check = |declared, expected: &[&str]| {
            let expected: Vec<Box<str>> = expected.iter().map(|&member| member.into()).collect();
            assert_eq!(&*members(declared), &*expected, "{declared}");
        };
        check("enum('a','b')", &["a", "b"]);
        check(
            r"set('it''s','back\\slash','line\n','','a,b','(''')",
            &["it's", "back\\slash", "line\n", "", "a,b", "('"],
        );
        check("enum('ü')", &["ü"]);
        check("enum('open", &["open"]);
    }

    fn check_key(
        columns: &[(&str, bool)],
        keys: &[(&str, &str, bool)],
        expected: (&[usize], bool),
    ) {
        let mut table = Described::default();
        for &(name, nullable) in columns {
            let column_type = match name.starts_with('n') {
                true => ColumnType::Int { bytes: 8, unsigned: false },
                false => ColumnType::VarChar { length: 9 },
            };
            let column = Column::plain(name, column_type, CollationId::BINARY);
            table.columns.push(Column { nullable, ..column });
        }
        for &(key, column, is_prefix) in keys {
            table.add_key_part(key.to_owned(), Some(column).filter(|c| !c.is_empty()), is_prefix);
        }
        let schema = table.table(TableName::new("ks", "t")).schema;
        assert_eq!((schema.key.as_slice(), schema.key_is_primary), expected, "{keys:?}");
    }

    #[test]
    fn the_best_key_identifies_rows() {
        let columns = [("n1", false), ("s1", false), ("n2", false), ("nullable", true)];
        check_key(&columns, &[], (&[], false));
        let primary = ("PRIMARY", "s1", false);
        check_key(&columns, &[("a", "n1", false), primary], (&[1], true));
        check_key(&columns, &[("PRIMARY", "s1", true), ("PRIMARY", "n1", false)], (&[1, 0], true));
        check_key(
            &columns,
            &[("a", "s1", false), ("b", "n2", false), ("b", "n1", false)],
            (&[2, 0], false),
        );
        check_key(&columns, &[("a", "n2", false), ("a", "nullable", false)], (&[], false));
        check_key(&columns, &[("a", "s1", true), ("b", "", false)], (&[], false));
    }
}
