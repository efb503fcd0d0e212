//! A table's definition as SHOW CREATE TABLE prints it; the same text is what a store keeps.

use std::fmt::Write as _;

use super::table::{ColumnDefinition, Default, ForeignKey, Generated, Index, OnDelete, Table};
use crate::event::{CollationId, ColumnType, collation};

impl Table {
    /// The CREATE TABLE statement that makes this table, in MySQL's layout.
    pub fn to_sql(&self) -> String {
        let mut lines: Vec<String> =
            self.columns.iter().map(|column| column_line(column, self.collation)).collect();
        lines.extend(self.indexes.iter().map(|index| self.index_line(index)));
        lines.extend(self.foreign_keys.iter().map(|key| self.foreign_key_line(key)));
        lines.extend(self.checks.iter().map(|check| {
            let enforced = if check.enforced { "" } else { " /*!80016 NOT ENFORCED */" };
            format!("CONSTRAINT {} CHECK ({}){enforced}", name(&check.name), check.text)
        }));
        let mut sql = format!("CREATE TABLE {} (\n", name(&self.name.table));
        for (place, line) in lines.iter().enumerate() {
            let comma = if place + 1 == lines.len() { "" } else { "," };
            let _ = writeln!(sql, "  {line}{comma}");
        }
        sql.push_str(") ENGINE=InnoDB");
        if self.auto_increment > 1 {
            let _ = write!(sql, " AUTO_INCREMENT={}", self.auto_increment);
        }
        let (charset, collation) = collation_names(self.collation);
        let _ = write!(sql, " DEFAULT CHARSET={charset} COLLATE={collation}");
        if !self.comment.is_empty() {
            let _ = write!(sql, " COMMENT={}", text(&self.comment));
        }
        sql
    }

    fn index_line(&self, index: &Index) -> String {
        let parts: Vec<String> = index
            .parts
            .iter()
            .map(|part| {
                let column = self.column_name(part.column);
                let prefix = part.prefix.map_or_else(String::new, |length| format!("({length})"));
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

    fn foreign_key_line(&self, key: &ForeignKey) -> String {
        let columns: Vec<String> =
            key.columns.iter().map(|&column| name(self.column_name(column))).collect();
        let parents: Vec<String> = key.parent_columns.iter().map(|column| name(column)).collect();
        let mut line = format!(
            "CONSTRAINT {} FOREIGN KEY ({}) REFERENCES {} ({})",
            name(&key.name),
            columns.join(", "),
            name(&key.parent),
            parents.join(", ")
        );
        for (when, action) in [("DELETE", key.on_delete), ("UPDATE", key.on_update)] {
            let action = match action {
                OnDelete::NoAction => continue,
                OnDelete::Restrict => "RESTRICT",
                OnDelete::Cascade => "CASCADE",
                OnDelete::SetNull => "SET NULL",
            };
            let _ = write!(line, " ON {when} {action}");
        }
        line
    }

    fn column_name(&self, column: usize) -> &str {
        self.columns.get(column).map_or("", |definition| &definition.column.name)
    }
}

fn column_line(definition: &ColumnDefinition, table_collation: CollationId) -> String {
    let column = &definition.column;
    let mut line = format!("{} {}", name(&column.name), column.declared);
    let bytes = column.collation == CollationId::BINARY || column.column_type == ColumnType::Json;
    if !bytes && column.collation != table_collation {
        let (charset, collation) = collation_names(column.collation);
        let _ = write!(line, " CHARACTER SET {charset} COLLATE {collation}");
    }
    if let Some(Generated { text, stored, .. }) = &definition.generated {
        let kind = if *stored { "STORED" } else { "VIRTUAL" };
        let _ = write!(line, " GENERATED ALWAYS AS ({text}) {kind}");
    }
    if !column.nullable {
        line.push_str(" NOT NULL");
    } else if matches!(column.column_type, ColumnType::Timestamp { .. }) {
        line.push_str(" NULL");
    }
    if column.auto_increment {
        line.push_str(" AUTO_INCREMENT");
    } else if definition.generated.is_none() {
        line.push_str(&default_text(definition));
    }
    if definition.on_update_now {
        let _ = write!(line, " ON UPDATE CURRENT_TIMESTAMP{}", precision(&column.column_type));
    }
    if !definition.comment.is_empty() {
        let _ = write!(line, " COMMENT {}", text(&definition.comment));
    }
    line
}

fn default_text(definition: &ColumnDefinition) -> String {
    let column_type = &definition.column.column_type;
    let no_default = matches!(column_type, ColumnType::Text { .. } | ColumnType::Json);
    match &definition.default {
        Default::None => String::new(),
        Default::Null if no_default || !definition.column.nullable => String::new(),
        Default::Null => " DEFAULT NULL".to_owned(),
        Default::Literal(literal) => format!(" DEFAULT {}", text(literal)),
        Default::Now => format!(" DEFAULT CURRENT_TIMESTAMP{}", precision(column_type)),
        Default::Expression { text, .. } => format!(" DEFAULT ({text})"),
    }
}

fn precision(column_type: &ColumnType) -> String {
    match column_type {
        ColumnType::DateTime { fsp } | ColumnType::Timestamp { fsp } if *fsp > 0 => {
            format!("({fsp})")
        }
        _ => String::new(),
    }
}

/// The names of a collation's character set, which the collation's begins with, and of itself.
fn collation_names(id: CollationId) -> (&'static str, &'static str) {
    let name = collation::name(id).unwrap_or("utf8mb4_0900_ai_ci");
    (name.split('_').next().unwrap_or(name), name)
}

fn name(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

fn text(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}
