//! SHOW CREATE TABLE: a table's definition as MySQL prints it.

use std::fmt::{self, Display};

use super::{ColumnDefinition, Default, ForeignKey, Index, OnDelete, Table};
use crate::event::collation::{self, Charset};
use crate::event::{CollationId, ColumnType};

impl Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines: Vec<String> =
            self.columns.iter().map(|column| self.column_line(column)).collect();
        lines.extend(self.indexes.iter().map(|index| self.index_line(index)));
        lines.extend(self.foreign_keys.iter().map(|foreign| self.foreign_line(foreign)));
        for check in &self.checks {
            let enforced = if check.enforced { "" } else { " NOT ENFORCED" };
            lines.push(format!("CONSTRAINT {} CHECK {}{enforced}", name(&check.name), check.text));
        }
        write!(
            f,
            "CREATE TABLE {} (\n  {}\n) ENGINE=InnoDB",
            name(&self.name.table),
            lines.join(",\n  ")
        )?;
        if self.auto_increment > 1 {
            write!(f, " AUTO_INCREMENT={}", self.auto_increment)?;
        }
        write!(f, " DEFAULT CHARSET={}", charset_name(self.collation))?;
        write!(f, " COLLATE={}", collation::name(self.collation).unwrap_or("utf8mb4_0900_ai_ci"))?;
        if !self.comment.is_empty() {
            write!(f, " COMMENT={}", text(&self.comment))?;
        }
        Ok(())
    }
}

impl Table {
    /// The SHOW CREATE TABLE text.
    pub fn to_sql(&self) -> String {
        self.to_string()
    }

    fn column_line(&self, definition: &ColumnDefinition) -> String {
        let column = &definition.column;
        let mut line = format!("{} {}", name(&column.name), column.declared);
        if is_text(definition) && column.collation != self.collation {
            line.push_str(&format!(
                " CHARACTER SET {} COLLATE {}",
                charset_name(column.collation),
                collation::name(column.collation).unwrap_or("utf8mb4_0900_ai_ci")
            ));
        }
        line.push_str(&attributes(definition));
        line
    }

    fn index_line(&self, index: &Index) -> String {
        let parts: Vec<String> = index
            .parts
            .iter()
            .map(|part| {
                let column = self.columns.get(part.column).map_or("", |c| &c.column.name);
                let prefix = part.prefix.map_or_else(String::new, |n| format!("({n})"));
                let direction = if part.descending { " DESC" } else { "" };
                format!("{}{prefix}{direction}", name(column))
            })
            .collect();
        let parts = parts.join(",");
        if index.is_primary() {
            return format!("PRIMARY KEY ({parts})");
        }
        let unique = if index.unique { "UNIQUE " } else { "" };
        format!("{unique}KEY {} ({parts})", name(&index.name))
    }

    /// A foreign key as SHOW CREATE TABLE and errors 1451 and 1452 print it.
    pub fn foreign_line(&self, foreign: &ForeignKey) -> String {
        let columns: Vec<String> = foreign
            .columns
            .iter()
            .filter_map(|column| self.columns.get(*column))
            .map(|definition| name(&definition.column.name))
            .collect();
        let parents: Vec<String> = foreign.parent_columns.iter().map(|p| name(p)).collect();
        let mut line = format!(
            "CONSTRAINT {} FOREIGN KEY ({}) REFERENCES {} ({})",
            name(&foreign.name),
            columns.join(", "),
            name(&foreign.parent),
            parents.join(", ")
        );
        for (word, action) in [("DELETE", foreign.on_delete), ("UPDATE", foreign.on_update)] {
            let action = match action {
                OnDelete::NoAction => continue,
                OnDelete::Restrict => "RESTRICT",
                OnDelete::Cascade => "CASCADE",
                OnDelete::SetNull => "SET NULL",
            };
            line.push_str(&format!(" ON {word} {action}"));
        }
        line
    }
}

/// A column as CREATE TABLE takes it, its collation left out.
pub fn column_text(definition: &ColumnDefinition) -> String {
    let column = &definition.column;
    format!("{} {}{}", name(&column.name), column.declared, attributes(definition))
}

fn is_text(definition: &ColumnDefinition) -> bool {
    definition.column.collation != CollationId::BINARY
}

fn attributes(definition: &ColumnDefinition) -> String {
    let column = &definition.column;
    let mut line = String::new();
    if let Some(generated) = &definition.generated {
        let stored = if generated.stored { "STORED" } else { "VIRTUAL" };
        line.push_str(&format!(" GENERATED ALWAYS AS {} {stored}", generated.text));
    }
    if !column.nullable {
        line.push_str(" NOT NULL");
    } else if matches!(column.column_type, ColumnType::Timestamp { .. }) {
        line.push_str(" NULL");
    }
    if column.auto_increment {
        line.push_str(" AUTO_INCREMENT");
    }
    let long = matches!(column.column_type, ColumnType::Text { .. } | ColumnType::Json);
    let fsp = match column.column_type {
        ColumnType::DateTime { fsp } | ColumnType::Timestamp { fsp } if fsp > 0 => {
            format!("({fsp})")
        }
        _ => String::new(),
    };
    match &definition.default {
        Default::None => {}
        Default::Null if long || definition.generated.is_some() => {}
        Default::Null => line.push_str(" DEFAULT NULL"),
        Default::Literal(value) if matches!(column.column_type, ColumnType::Bit { .. }) => {
            match value.parse::<u64>() {
                Ok(number) => line.push_str(&format!(" DEFAULT b'{number:b}'")),
                Err(_) => line.push_str(&format!(" DEFAULT {}", text(value))),
            }
        }
        Default::Literal(value) => line.push_str(&format!(" DEFAULT {}", text(value))),
        Default::Now => line.push_str(&format!(" DEFAULT CURRENT_TIMESTAMP{fsp}")),
        Default::Expression { text, .. } => line.push_str(&format!(" DEFAULT {text}")),
    }
    if definition.on_update_now {
        line.push_str(&format!(" ON UPDATE CURRENT_TIMESTAMP{fsp}"));
    }
    if !definition.comment.is_empty() {
        line.push_str(&format!(" COMMENT {}", text(&definition.comment)));
    }
    line
}

fn charset_name(id: CollationId) -> &'static str {
    collation::charset(id).unwrap_or(Charset::Utf8mb4).name()
}

/// A name in back-quotes.
pub fn name(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// A text in MySQL's quotes.
pub fn text(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

/// A column of CREATE TABLE ... AS SELECT for a value, as CREATE TABLE takes it.
pub fn derived_column(column: &str, value: &super::typed::Typed) -> Result<String, super::Fault> {
    let null = if value.nullable { "" } else { " NOT NULL" };
    let sign = |unsigned: bool| if unsigned { " unsigned" } else { "" };
    let declared = match (&value.origin, &value.column_type) {
        (Some(origin), _) => {
            let mut declared = origin.column.declared.to_string();
            if origin.column.collation != CollationId::BINARY
                && let Some(collation) = collation::name(origin.column.collation)
            {
                declared.push_str(&format!(" COLLATE {collation}"));
            }
            declared
        }
        (None, ColumnType::Int { bytes, unsigned }) => {
            let word = if *bytes > 4 { "bigint" } else { "int" };
            format!("{word}{}", sign(*unsigned))
        }
        (None, ColumnType::Decimal { precision, scale, .. }) => {
            format!("decimal({precision},{scale})")
        }
        (None, ColumnType::Float { .. }) => "float".to_owned(),
        (None, ColumnType::Double { .. }) => "double".to_owned(),
        (None, ColumnType::Date) => "date".to_owned(),
        (None, ColumnType::Time { fsp }) => format!("time({fsp})"),
        (None, ColumnType::DateTime { fsp } | ColumnType::Timestamp { fsp }) => {
            format!("datetime({fsp})")
        }
        (None, ColumnType::Year) => "year".to_owned(),
        (None, ColumnType::Json) => "json".to_owned(),
        (None, ColumnType::Bit { bits }) => format!("bit({bits})"),
        (None, ColumnType::VarChar { length } | ColumnType::Char { length }) if value.is_text() => {
            format!("varchar({length})")
        }
        (None, ColumnType::VarChar { length } | ColumnType::Char { length }) => {
            format!("varbinary({length})")
        }
        (None, ColumnType::Text { .. }) if value.is_text() => "longtext".to_owned(),
        (None, ColumnType::Text { .. }) => "longblob".to_owned(),
        (
            None,
            ColumnType::Enum { .. }
            | ColumnType::Set { .. }
            | ColumnType::Geometry
            | ColumnType::Vector { .. }
            | ColumnType::Uuid
            | ColumnType::Inet4
            | ColumnType::Inet6,
        ) => {
            return Err(super::Fault::Unsupported(format!("CREATE TABLE AS with '{column}'")));
        }
    };
    let default = match &value.origin {
        // The column's own default goes along only with its text, which is not at hand.
        Some(origin) if origin.column.has_default && !value.nullable => {
            return Err(super::Fault::Unsupported(format!(
                "CREATE TABLE AS of '{column}', which has a default; name its type"
            )));
        }
        _ => "",
    };
    Ok(format!("{} {declared}{null}{default}", name(column)))
}
