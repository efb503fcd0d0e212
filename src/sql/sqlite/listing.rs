//! SHOW of what the store's tables are: answered from their definitions, without a query.
//!
//! All rows are listed; which of them LIKE or WHERE keeps is for whoever asked.

use super::table::{ColumnDefinition, Default, Index, Table};
use super::{Fault, Ready, ResultColumn, Tables};
use crate::event::collation;
use crate::event::{CollationId, Column, ColumnType};
use crate::sql::show::{RoutineList, Show};
use crate::sql::{self, Statement};

/// Answers a SHOW statement.
pub fn list(text: &str, tables: &dyn Tables) -> Result<Ready, Fault> {
    let Ok(Statement::Show(show)) = sql::parse(text) else {
        return Err(Fault::Unsupported("SHOW".to_owned()));
    };
    let named = |name: &str| tables.table(name).ok_or_else(|| no_such_table(tables, name));
    match &show {
        Show::Tables { full, keyspace, .. } => {
            of_database(tables, keyspace.as_deref())?;
            Ok(table_names(tables, *full))
        }
        Show::Columns { full, table, .. } => {
            of_database(tables, table.keyspace.as_deref())?;
            let table = named(&table.name)?;
            Ok(columns(&table, *full))
        }
        Show::Index { table, .. } => {
            of_database(tables, table.keyspace.as_deref())?;
            let table = named(&table.name)?;
            Ok(indexes(&table))
        }
        Show::TableStatus { keyspace, .. } => {
            of_database(tables, keyspace.as_deref())?;
            Ok(table_status(tables))
        }
        Show::CreateTable(table) => {
            of_database(tables, table.keyspace.as_deref())?;
            create(tables, &table.name)
        }
        Show::CreateDatabase(name) => {
            of_database(tables, Some(name))?;
            let text = format!(
                "CREATE DATABASE {} /*!40100 DEFAULT CHARACTER SET utf8mb4 */",
                super::show::name(name)
            );
            Ok(ready(&["Database", "Create Database"], vec![vec![some(name), some(text)]]))
        }
        Show::Routines { list, keyspace, .. } => {
            of_database(tables, keyspace.as_deref())?;
            Ok(ready(routine_columns(*list), Vec::new()))
        }
        other => Err(Fault::Unsupported(other.to_string())),
    }
}

fn of_database(tables: &dyn Tables, name: Option<&str>) -> Result<(), Fault> {
    match name {
        Some(name) if name != tables.database() => Err(Fault::UnknownDatabase(name.to_owned())),
        Some(_) | None => Ok(()),
    }
}

fn no_such_table(tables: &dyn Tables, name: &str) -> Fault {
    Fault::NoSuchTable(format!("{}.{name}", tables.database()))
}

fn table_names(tables: &dyn Tables, full: bool) -> Ready {
    let title = format!("Tables_in_{}", tables.database());
    let kinds = [(tables.names(), "BASE TABLE"), (tables.view_names(), "VIEW")];
    let mut rows: Vec<Vec<Option<String>>> = kinds
        .into_iter()
        .flat_map(|(names, kind)| names.into_iter().map(move |name| vec![some(name), some(kind)]))
        .collect();
    rows.sort();
    if full {
        return ready(&[&title, "Table_type"], rows);
    }
    rows.iter_mut().for_each(|row| row.truncate(1));
    ready(&[&title], rows)
}

fn columns(table: &Table, full: bool) -> Ready {
    let row = |(index, definition): (usize, &ColumnDefinition)| {
        let column = &definition.column;
        let null = if column.nullable { "YES" } else { "NO" };
        let mut row = vec![some(&*column.name), some(&*column.declared)];
        if full {
            row.push(collation_of(column));
        }
        row.extend([
            some(null),
            some(key_of(table, index)),
            default_of(definition),
            some(extra_of(definition)),
        ]);
        if full {
            row.push(some("select,insert,update,references"));
            row.push(some(&*definition.comment));
        }
        row
    };
    let rows = table.columns.iter().enumerate().map(row).collect();
    if full {
        let titles = [
            "Field",
            "Type",
            "Collation",
            "Null",
            "Key",
            "Default",
            "Extra",
            "Privileges",
            "Comment",
        ];
        return ready(&titles, rows);
    }
    ready(&["Field", "Type", "Null", "Key", "Default", "Extra"], rows)
}

/// A column's part in keys, as MySQL abbreviates it: the first that applies of PRI, UNI, MUL.
fn key_of(table: &Table, column: usize) -> &'static str {
    let first = |index: &&Index| index.parts.first().is_some_and(|part| part.column == column);
    let primary =
        |index: &Index| index.is_primary() && index.parts.iter().any(|part| part.column == column);
    if table.indexes.iter().any(primary) {
        return "PRI";
    }
    let alone = |index: &&Index| index.unique && index.parts.len() == 1;
    let leading = || table.indexes.iter().filter(first);
    match (leading().next(), leading().find(alone)) {
        (None, _) => "",
        (Some(_), Some(_)) => "UNI",
        (Some(_), None) => "MUL",
    }
}

fn default_of(definition: &ColumnDefinition) -> Option<String> {
    match &definition.default {
        Default::None | Default::Null => None,
        Default::Literal(value) => some(&**value),
        Default::Now => some(now(&definition.column)),
        Default::Expression { text, .. } => some(&**text),
    }
}

fn extra_of(definition: &ColumnDefinition) -> String {
    let mut words = Vec::new();
    if definition.column.auto_increment {
        words.push("auto_increment".to_owned());
    }
    if matches!(definition.default, Default::Now | Default::Expression { .. }) {
        words.push("DEFAULT_GENERATED".to_owned());
    }
    if definition.on_update_now {
        words.push(format!("on update {}", now(&definition.column)));
    }
    if let Some(generated) = &definition.generated {
        let kind = if generated.stored { "STORED GENERATED" } else { "VIRTUAL GENERATED" };
        words.push(kind.to_owned());
    }
    words.join(" ")
}

fn now(column: &Column) -> String {
    match column.column_type {
        ColumnType::DateTime { fsp } | ColumnType::Timestamp { fsp } if fsp > 0 => {
            format!("CURRENT_TIMESTAMP({fsp})")
        }
        _ => "CURRENT_TIMESTAMP".to_owned(),
    }
}

fn collation_of(column: &Column) -> Option<String> {
    (column.collation != CollationId::BINARY)
        .then(|| collation::name(column.collation).map(str::to_owned))
        .flatten()
}

fn indexes(table: &Table) -> Ready {
    let mut rows = Vec::new();
    for index in &table.indexes {
        for (place, part) in index.parts.iter().enumerate() {
            let Some(definition) = table.columns.get(part.column) else { continue };
            let column = &definition.column;
            rows.push(vec![
                some(&*table.name.table),
                some(u8::from(!index.unique).to_string()),
                some(&*index.name),
                some((place + 1).to_string()),
                some(&*column.name),
                some(if part.descending { "D" } else { "A" }),
                None,
                part.prefix.map(|prefix| prefix.to_string()),
                None,
                some(if column.nullable { "YES" } else { "" }),
                some("BTREE"),
                some(""),
                some(""),
                some("YES"),
                None,
            ]);
        }
    }
    let titles = [
        "Table",
        "Non_unique",
        "Key_name",
        "Seq_in_index",
        "Column_name",
        "Collation",
        "Cardinality",
        "Sub_part",
        "Packed",
        "Null",
        "Index_type",
        "Comment",
        "Index_comment",
        "Visible",
        "Expression",
    ];
    ready(&titles, rows)
}

fn table_status(tables: &dyn Tables) -> Ready {
    let titles = [
        "Name",
        "Engine",
        "Version",
        "Row_format",
        "Rows",
        "Avg_row_length",
        "Data_length",
        "Max_data_length",
        "Index_length",
        "Data_free",
        "Auto_increment",
        "Create_time",
        "Update_time",
        "Check_time",
        "Collation",
        "Checksum",
        "Create_options",
        "Comment",
    ];
    let row = |table: &Table| {
        let mut row = vec![None; titles.len()];
        row[0] = some(&*table.name.table);
        row[1] = some("InnoDB");
        row[14] = collation::name(table.collation).map(str::to_owned);
        row[16] = some("");
        row[17] = some(&*table.comment);
        row
    };
    let rows = tables.names().into_iter().filter_map(|name| tables.table(&name)).map(|t| row(&t));
    ready(&titles, rows.collect())
}

fn create(tables: &dyn Tables, name: &str) -> Result<Ready, Fault> {
    if let Some(table) = tables.table(name) {
        let row = vec![some(&*table.name.table), some(table.to_sql())];
        return Ok(ready(&["Table", "Create Table"], vec![row]));
    }
    let view = tables.view(name).ok_or_else(|| no_such_table(tables, name))?;
    let text = format!("CREATE VIEW {} AS {}", super::show::name(&view.name), view.text);
    let titles = ["View", "Create View", "character_set_client", "collation_connection"];
    let row = vec![some(&*view.name), some(text), some("utf8mb4"), some("utf8mb4_0900_ai_ci")];
    Ok(ready(&titles, vec![row]))
}

/// The columns of lists that are always empty: the store has no such things.
fn routine_columns(list: RoutineList) -> &'static [&'static str] {
    match list {
        RoutineList::Triggers => &[
            "Trigger",
            "Event",
            "Table",
            "Statement",
            "Timing",
            "Created",
            "sql_mode",
            "Definer",
            "character_set_client",
            "collation_connection",
            "Database Collation",
        ],
        RoutineList::Events => &[
            "Db",
            "Name",
            "Definer",
            "Time zone",
            "Type",
            "Execute at",
            "Interval value",
            "Interval field",
            "Starts",
            "Ends",
            "Status",
            "Originator",
            "character_set_client",
            "collation_connection",
            "Database Collation",
        ],
        RoutineList::OpenTables => &["Database", "Table", "In_use", "Name_locked"],
        RoutineList::ProcedureStatus | RoutineList::FunctionStatus => &[
            "Db",
            "Name",
            "Type",
            "Definer",
            "Modified",
            "Created",
            "Security_type",
            "Comment",
            "character_set_client",
            "collation_connection",
            "Database Collation",
        ],
    }
}

fn ready(titles: &[&str], rows: Vec<Vec<Option<String>>>) -> Ready {
    let columns = titles.iter().enumerate().map(|(index, title)| {
        let lengths = rows.iter().filter_map(|row| row.get(index)?.as_ref());
        let longest = lengths.map(|cell| cell.chars().count()).max().unwrap_or(0);
        let length = u32::try_from(longest).unwrap_or(u32::MAX).max(TITLE_CHARACTERS);
        let text = ColumnType::VarChar { length };
        let column = Column::plain(title, text, CollationId::UTF8MB4_0900_AI_CI);
        ResultColumn { name: (*title).to_owned(), column, table: None }
    });
    Ready { columns: columns.collect(), rows }
}

fn some(text: impl Into<String>) -> Option<String> {
    Some(text.into())
}

/// The least width of a column.
const TITLE_CHARACTERS: u32 = 16;

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::sql::sqlite::{View, parse_table};

    struct One(Option<Arc<Table>>);

    impl Tables for One {
        fn database(&self) -> &str {
            "commerce"
        }
        fn table(&self, name: &str) -> Option<Arc<Table>> {
            self.0.clone().filter(|_| name == "t")
        }
        fn view(&self, _: &str) -> Option<Arc<View>> {
            None
        }
        fn names(&self) -> Vec<String> {
            vec!["t".to_owned()]
        }
        fn view_names(&self) -> Vec<String> {
            vec!["a".to_owned()]
        }
    }

    fn check(show: &str, expected: Result<&[&str], &str>) {
        let text = "create table t (id bigint not null auto_increment, u int, v varchar(9) not null \
                    default 'x', w int, primary key (id), unique key u (u), key vw (v, w))";
        let table = parse_table(&text.replace("create table", "CREATE TABLE"), &One(None)).unwrap();
        let listed = list(show, &One(Some(Arc::new(table))));
        let lines = listed.map(|ready| {
            let line = |row: &Vec<Option<String>>| {
                let cells: Vec<_> = row.iter().map(|c| c.as_deref().unwrap_or("NULL")).collect();
                cells.join("|")
            };
            ready.rows.iter().map(line).collect::<Vec<_>>()
        });
        let expected = expected.map(|lines| lines.iter().map(|l| (*l).to_owned()).collect());
        assert_eq!(lines.map_err(|fault| fault.to_string()), expected.map_err(str::to_owned));
    }

    #[test]
    fn tables_are_listed_from_their_definitions() {
        check("SHOW TABLES", Ok(&["a", "t"]));
        check("SHOW FULL TABLES FROM commerce", Ok(&["a|VIEW", "t|BASE TABLE"]));
        check("SHOW TABLES FROM elsewhere", Err("Unknown database 'elsewhere'"));
        check("SHOW COLUMNS FROM none", Err("Table 'commerce.none' doesn't exist"));
        check(
            "SHOW COLUMNS FROM t",
            Ok(&[
                "id|bigint|NO|PRI|NULL|auto_increment",
                "u|int|YES|UNI|NULL|",
                "v|varchar(9)|NO|MUL|x|",
                "w|int|YES||NULL|",
            ]),
        );
        check("SHOW TRIGGERS", Ok(&[]));
    }
}
