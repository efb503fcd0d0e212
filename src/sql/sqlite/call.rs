//! Function calls: what each function takes and returns.

use sqlparser::ast::{
    CeilFloorKind, DateTimeField, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments,
    TrimWhereField,
};

use super::Fault;
use super::aggregate::is_aggregate;
use super::expr::{Reader, object_name};
use super::interval::{is_clock, unit};
use super::typed::{
    Class, DEFAULT, Literal, Strength, Typed, common, length, meet, string, varchar,
};
use crate::event::{CollationId, ColumnType};

impl Reader<'_, '_> {
    /// What sqlparser gives its own syntax, and calls.
    pub(super) fn call_like(&self, expr: &Expr) -> Result<Typed, Fault> {
        match expr {
            Expr::Function(function) => self.function(function),
            Expr::Substring { expr, substring_from: Some(from), substring_for, .. } => {
                let mut args = vec![(**expr).clone(), (**from).clone()];
                args.extend(substring_for.as_ref().map(|length| (**length).clone()));
                self.simple("SUBSTRING", &args)
            }
            Expr::Trim { trim_where, trim_what, expr, trim_characters: None } => {
                let value = self.read(expr)?;
                let what = trim_what.as_ref().map(|what| self.read(what)).transpose()?;
                let side = match trim_where {
                    Some(TrimWhereField::Leading) => "l",
                    Some(TrimWhereField::Trailing) => "t",
                    Some(TrimWhereField::Both) | None => "b",
                };
                let what = what.map_or_else(|| "' '".to_owned(), |what| what.as_text());
                let sql = format!("my_trim({}, {what}, '{side}')", value.as_text());
                text_like(sql, &[&value], "trim")
            }
            Expr::Position { expr, r#in } => {
                self.simple("LOCATE", &[(**expr).clone(), (**r#in).clone()])
            }
            Expr::Ceil { expr, field: CeilFloorKind::DateTimeField(DateTimeField::NoDateTime) } => {
                self.rounding("CEIL", std::slice::from_ref(&**expr))
            }
            Expr::Floor {
                expr,
                field: CeilFloorKind::DateTimeField(DateTimeField::NoDateTime),
            } => self.rounding("FLOOR", std::slice::from_ref(&**expr)),
            Expr::Extract { field, expr, .. } => {
                let value = self.read(expr)?;
                let unit = unit(field)?;
                let source = if is_clock(&unit) && !value.is_date() {
                    format!("my_any_dt({}, {})", value.sql, value.code())
                } else {
                    value.as_datetime(6)
                };
                Ok(Typed::int(format!("my_extract('{unit}', {source})")).over(&[&value]))
            }
            Expr::Interval(_) => Err(Fault::WrongUsage("INTERVAL")),
            Expr::Tuple(items) => Err(Fault::OperandColumns(items.len().min(1))),
            other => Err(Fault::Unsupported(other.to_string())),
        }
    }

    fn function(&self, function: &Function) -> Result<Typed, Fault> {
        let plain = function.within_group.is_empty()
            && function.filter.is_none()
            && function.null_treatment.is_none()
            && matches!(function.parameters, FunctionArguments::None);
        let name = match object_name(&function.name)?.as_slice() {
            [name] if plain => name.to_ascii_uppercase(),
            other => {
                let written = other.join(".");
                return Err(Fault::NoSuchFunction(written));
            }
        };
        let list = match &function.args {
            FunctionArguments::List(list) => list,
            FunctionArguments::None => return self.without_arguments(&name),
            FunctionArguments::Subquery(_) => return Err(Fault::Unsupported(name)),
        };
        if let Some(over) = &function.over {
            let _ = (list, over);
            return Err(Fault::Unsupported("window functions".to_owned()));
        }
        if is_aggregate(&name) {
            return self.aggregate(&name, list);
        }
        if list.duplicate_treatment.is_some() || !list.clauses.is_empty() {
            return Err(Fault::Unsupported(function.to_string()));
        }
        let args = arguments(&name, &list.args)?;
        self.scalar(&name, &args)
    }

    /// CURRENT_TIMESTAMP and its kin need no parentheses.
    fn without_arguments(&self, name: &str) -> Result<Typed, Fault> {
        match name {
            "CURRENT_TIMESTAMP" | "CURRENT_DATE" | "CURRENT_TIME" | "LOCALTIME"
            | "LOCALTIMESTAMP" | "UTC_TIMESTAMP" | "UTC_DATE" | "UTC_TIME" | "CURRENT_USER" => {
                self.scalar(name, &[])
            }
            _ => Err(Fault::UnknownColumn { column: name.to_owned(), clause: self.clause }),
        }
    }

    fn scalar(&self, name: &str, args: &[Expr]) -> Result<Typed, Fault> {
        match name {
            "IF" | "IFNULL" | "NULLIF" | "COALESCE" | "ISNULL" | "GREATEST" | "LEAST" | "NVL" => {
                self.control(name, args)
            }
            "ABS" | "CEIL" | "CEILING" | "FLOOR" | "ROUND" | "TRUNCATE" | "MOD" => {
                self.rounding(name, args)
            }
            "CONCAT" | "CONCAT_WS" | "ELT" | "FIELD" | "HEX" | "FORMAT" | "CHAR" => {
                self.texts(name, args)
            }
            "NOW" | "CURRENT_TIMESTAMP" | "LOCALTIME" | "LOCALTIMESTAMP" | "SYSDATE"
            | "UTC_TIMESTAMP" | "CURDATE" | "CURRENT_DATE" | "UTC_DATE" | "CURTIME"
            | "CURRENT_TIME" | "UTC_TIME" => self.clock(name, args),
            "DATE_ADD" | "DATE_SUB" | "ADDDATE" | "SUBDATE" | "TIMESTAMPADD" | "TIMESTAMPDIFF"
            | "STR_TO_DATE" | "UNIX_TIMESTAMP" | "FROM_UNIXTIME" | "TIME" | "TIMEDIFF"
            | "SEC_TO_TIME" | "MAKETIME" | "TIMESTAMP" | "HOUR" | "MINUTE" | "SECOND"
            | "MICROSECOND" | "TIME_TO_SEC" | "ADDTIME" | "SUBTIME" => self.times(name, args),
            "VERSION" | "DATABASE" | "SCHEMA" | "USER" | "CURRENT_USER" | "SESSION_USER"
            | "SYSTEM_USER" | "CONNECTION_ID" | "LAST_INSERT_ID" | "ROW_COUNT" | "FOUND_ROWS" => {
                self.session(name, args)
            }
            "VALUES" => self.values(args),
            "DEFAULT" => self.default_of(args),
            _ => self.simple(name, args),
        }
    }

    fn control(&self, name: &str, args: &[Expr]) -> Result<Typed, Fault> {
        let values = self.read_all(args)?;
        let all: Vec<&Typed> = values.iter().collect();
        match (name, values.as_slice()) {
            ("IF", [condition, then, otherwise]) => self.choose(
                std::slice::from_ref(condition),
                &[then.clone(), otherwise.clone()],
                "if",
            ),
            ("ISNULL", [value]) => {
                Ok(Typed { nullable: false, ..Typed::int(format!("({} IS NULL)", value.sql)) }
                    .over(&all))
            }
            ("NULLIF", [a, b]) => {
                let equal = self.compare(a, "=", b)?;
                let sql = format!("(CASE WHEN {} THEN NULL ELSE {} END)", equal.sql, a.sql);
                Ok(Typed { sql, nullable: true, ..a.clone() }.derived().over(&all))
            }
            ("IFNULL" | "NVL", [_, _]) | ("COALESCE", [_, ..]) => {
                let to = common(&all, "coalesce")?;
                let parts: Vec<String> = values.iter().map(|value| value.convert(&to)).collect();
                let sql = match parts.as_slice() {
                    [one] => one.clone(),
                    many => format!("coalesce({})", many.join(", ")),
                };
                let mut value = self.of_common(sql, &to, &all, "coalesce")?;
                value.nullable = values.iter().all(|value| value.nullable);
                Ok(value)
            }
            ("GREATEST" | "LEAST", [_, _, ..]) => self.extreme(name, &values),
            _ => Err(Fault::ParameterCount(name.to_owned())),
        }
    }

    fn extreme(&self, name: &str, values: &[Typed]) -> Result<Typed, Fault> {
        let all: Vec<&Typed> = values.iter().collect();
        let to = common(&all, "greatest")?;
        let shown = self.of_common("x".to_owned(), &to, &all, "greatest")?;
        let mut args = Vec::new();
        for value in values {
            let sql = value.convert(&to);
            let key = Typed { sql: sql.clone(), ..shown.clone() }.sort_key();
            args.push(format!("{key}, {sql}"));
        }
        let function = if name == "GREATEST" { "my_greatest" } else { "my_least" };
        Ok(Typed { sql: format!("{function}({})", args.join(", ")), ..shown })
    }

    /// What rounds, by the kind of number.
    fn rounding(&self, name: &str, args: &[Expr]) -> Result<Typed, Fault> {
        let values = self.read_all(args)?;
        let (value, digits) = match (name, values.as_slice()) {
            ("MOD", [a, b]) => return self.arithmetic("%", a, b),
            ("ROUND" | "TRUNCATE", [value, digits]) => (value, Some(digits)),
            ("ROUND" | "ABS" | "CEIL" | "CEILING" | "FLOOR", [value]) => (value, None),
            _ => return Err(Fault::ParameterCount(name.to_owned())),
        };
        let function = match name {
            "CEILING" => "ceil".to_owned(),
            other => other.to_ascii_lowercase(),
        };
        let by = digits.map_or_else(|| "0".to_owned(), Typed::as_int);
        let whole = !matches!(name, "ROUND" | "TRUNCATE" | "ABS");
        let result = match value.number_class() {
            Some(Class::Int) => Typed {
                sql: format!("my_round('{function}', 'i', {}, {by}, 0)", value.as_int()),
                ..Typed::new("", ColumnType::Int { bytes: 8, unsigned: value.is_unsigned() })
            },
            Some(Class::Decimal) => {
                let scale = match digits.map(|digits| &digits.literal) {
                    _ if name == "ABS" => value.scale(),
                    _ if whole => 0,
                    None => 0,
                    Some(Literal::Int(wanted)) => {
                        u8::try_from((*wanted).max(0)).unwrap_or(30).min(value.scale())
                    }
                    Some(_) => value.scale(),
                };
                let sql = format!(
                    "my_round('{function}', 'd', {}, {by}, {scale})",
                    value.as_decimal(None)
                );
                if whole && value.whole_digits() < 18 {
                    Typed::int(format!("CAST({sql} AS INTEGER)"))
                } else {
                    let precision =
                        value.whole_digits().saturating_add(scale).saturating_add(1).min(65);
                    Typed::new(sql, ColumnType::Decimal { precision, scale, unsigned: false })
                }
            }
            _ => Typed::double(format!(
                "my_round('{function}', 'g', {}, {by}, 0)",
                value.as_double()
            )),
        };
        let all: Vec<&Typed> = values.iter().collect();
        Ok(result.over(&all))
    }

    fn texts(&self, name: &str, args: &[Expr]) -> Result<Typed, Fault> {
        let values = self.read_all(args)?;
        let all: Vec<&Typed> = values.iter().collect();
        let count = Fault::ParameterCount(name.to_owned());
        match (name, values.as_slice()) {
            ("CONCAT", [_, ..]) => {
                let bytes = all.iter().any(|value| value.is_string() && !value.is_text());
                let parts: Vec<String> =
                    values.iter().map(|v| if bytes { v.as_bytes() } else { v.as_text() }).collect();
                let sql = format!("my_concat({})", parts.join(", "));
                let long = values.iter().map(length).sum();
                let value = if bytes { Typed::bytes(sql) } else { text_like(sql, &all, "concat")? };
                Ok(Typed {
                    column_type: varchar(long),
                    nullable: values.iter().any(|v| v.nullable),
                    ..value
                }
                .over(&all))
            }
            ("CONCAT_WS", [_, _, ..]) => {
                let parts: Vec<String> = values.iter().map(Typed::as_text).collect();
                text_like(format!("my_concat_ws({})", parts.join(", ")), &all, "concat_ws")
            }
            ("ELT", [number, items @ ..]) if !items.is_empty() => {
                let parts: Vec<String> = items.iter().map(Typed::as_text).collect();
                let sql = format!("my_elt({}, {})", number.as_int(), parts.join(", "));
                text_like(sql, &items.iter().collect::<Vec<_>>(), "elt")
            }
            ("FIELD", [first, items @ ..]) if !items.is_empty() => {
                let mut sql = "(CASE".to_owned();
                for (position, item) in items.iter().enumerate() {
                    let equal = self.compare(first, "=", item)?;
                    sql.push_str(&format!(" WHEN {} THEN {}", equal.sql, position + 1));
                }
                Ok(Typed::int(format!("{sql} ELSE 0 END)")).over(&all))
            }
            ("HEX", [value]) => {
                let sql = if value.is_string()
                    || value.column_type == ColumnType::Json
                    || value.is_date()
                {
                    format!("hex({})", value.as_bytes())
                } else {
                    format!("my_hex({})", value.as_int())
                };
                let sql = format!("(CASE WHEN {} IS NULL THEN NULL ELSE {sql} END)", value.sql);
                Ok(Typed::text(sql, DEFAULT).over(&all))
            }
            ("FORMAT", [value, digits]) => {
                let sql = format!("my_format({}, {})", value.as_decimal(None), digits.as_int());
                Ok(Typed::text(sql, DEFAULT).over(&all))
            }
            ("CHAR", [_, ..]) => Err(Fault::Unsupported("CHAR()".to_owned())),
            _ => Err(count),
        }
    }

    fn session(&self, name: &str, args: &[Expr]) -> Result<Typed, Fault> {
        let values = self.read_all(args)?;
        match (name, values.as_slice()) {
            ("LAST_INSERT_ID", []) => Ok(Typed::unsigned("my_last_insert_id()")),
            ("LAST_INSERT_ID", [value]) => {
                Ok(Typed::unsigned(format!("my_last_insert_id({})", value.as_int())))
            }
            ("CONNECTION_ID", []) => Ok(Typed::unsigned("my_connection_id()")),
            ("ROW_COUNT", []) => Ok(Typed::int("my_row_count()")),
            ("FOUND_ROWS", []) => Ok(Typed::int("my_found_rows()")),
            ("VERSION", []) => Ok(system("my_version()")),
            ("DATABASE" | "SCHEMA", []) => Ok(system("my_database()")),
            (_, []) => Ok(system("my_user()")),
            _ => Err(Fault::ParameterCount(name.to_owned())),
        }
    }

    /// `VALUES(c)` in ON DUPLICATE KEY UPDATE: the row to insert is a relation of that name.
    fn values(&self, args: &[Expr]) -> Result<Typed, Fault> {
        match args {
            [Expr::Identifier(column)] => {
                self.scope.column(Some("values()"), &column.value, self.clause)
            }
            _ => Err(Fault::Unsupported("VALUES()".to_owned())),
        }
    }

    fn default_of(&self, args: &[Expr]) -> Result<Typed, Fault> {
        let [column] = args else { return Err(Fault::ParameterCount("default".to_owned())) };
        let value = self.read(column)?;
        let origin = value.origin.ok_or_else(|| Fault::Unsupported("DEFAULT()".to_owned()))?;
        let table = origin.table.and_then(|name| self.statement.tables.table(&name));
        let definition = table
            .as_ref()
            .and_then(|table| table.columns.get(table.column(&origin.column.name)?))
            .ok_or_else(|| Fault::Unsupported("DEFAULT()".to_owned()))?;
        match &definition.default {
            super::Default::None => Err(Fault::NoDefault(origin.column.name.to_string())),
            super::Default::Null => Ok(Typed::null()),
            super::Default::Literal(text) => Ok(Typed::text(string(text), DEFAULT)),
            super::Default::Now | super::Default::Expression { .. } => {
                Err(Fault::Unsupported("DEFAULT() of an expression".to_owned()))
            }
        }
    }

    /// Functions that the table below describes.
    fn simple(&self, name: &str, args: &[Expr]) -> Result<Typed, Fault> {
        let Some((_, wants, gives)) = SIMPLE.iter().find(|(known, ..)| *known == name) else {
            let database = self.statement.tables.database();
            return Err(Fault::NoSuchFunction(format!("{database}.{name}")));
        };
        if let Some(kinds) = wants.strip_suffix('+') {
            return self.pairs(name, kinds, args, gives);
        }
        let (required, optional) = wants.split_once('?').unwrap_or((wants, ""));
        let repeats = wants.ends_with('*');
        let required = required.trim_end_matches('*');
        let optional = optional.trim_end_matches('*');
        if args.len() < required.len() || (!repeats && args.len() > required.len() + optional.len())
        {
            return Err(Fault::ParameterCount(name.to_owned()));
        }
        let values = self.read_all(args)?;
        let all: Vec<&Typed> = values.iter().collect();
        let mut kinds = required.chars().chain(optional.chars());
        let mut last = 't';
        let mut sql = Vec::new();
        for (position, value) in values.iter().enumerate() {
            last = kinds.next().unwrap_or(last);
            let bytes = value.is_string() && !value.is_text() && last == 't';
            let cuts = matches!(name, "LEFT" | "RIGHT" | "MID" | "SUBSTR" | "SUBSTRING");
            sql.push(match (bytes, name) {
                (false, _) => argument(last, value, name, position + 1)?,
                (true, _) if cuts => value.sql.clone(),
                (true, "CHAR_LENGTH" | "CHARACTER_LENGTH" | "ASCII") => value.sql.clone(),
                (true, _) => return Err(Fault::Unsupported(format!("{name} of bytes"))),
            });
        }
        if gives.contains('c') {
            sql.push(meet(&all, name)?.0.0.to_string());
        }
        let sql = format!("my_{}({})", name.to_ascii_lowercase(), sql.join(", "));
        let cuts = matches!(name, "LEFT" | "RIGHT" | "MID" | "SUBSTR" | "SUBSTRING");
        if let Some(first) =
            values.first().filter(|first| cuts && first.is_string() && !first.is_text())
        {
            let value = Typed { column_type: varchar(length(first)), ..Typed::bytes(sql) };
            return Ok(value.over(&all));
        }
        let value = match gives.chars().next() {
            Some('T') => text_like(sql, &all, name)?,
            Some('L') => {
                let long = ColumnType::Text { length_bytes: 4 };
                Typed { column_type: long, ..Typed::text(sql, DEFAULT) }
            }
            Some('A') => Typed::text(sql, DEFAULT),
            Some('I') => Typed::int(sql),
            Some('U') => Typed::unsigned(sql),
            Some('G') => Typed::double(sql),
            Some('D') => Typed::new(sql, ColumnType::Date),
            Some('J') => Typed::new(sql, ColumnType::Json),
            _ => Typed::bytes(sql),
        };
        Ok(value.over(&all))
    }

    /// A JSON function whose last two kinds of argument repeat together.
    fn pairs(&self, name: &str, kinds: &str, args: &[Expr], gives: &str) -> Result<Typed, Fault> {
        let first = kinds.len().saturating_sub(2);
        if args.len() < first || (args.len() - first) % 2 == 1 || (first > 0 && args.len() == first)
        {
            return Err(Fault::ParameterCount(name.to_owned()));
        }
        let values = self.read_all(args)?;
        let mut sql = Vec::new();
        for (position, value) in values.iter().enumerate() {
            let at = if position < first { position } else { first + (position - first) % 2 };
            sql.push(argument(kinds.chars().nth(at).unwrap_or('t'), value, name, position + 1)?);
        }
        let sql = format!("my_{}({})", name.to_ascii_lowercase(), sql.join(", "));
        let _ = gives;
        let all: Vec<&Typed> = values.iter().collect();
        Ok(Typed::new(sql, ColumnType::Json).over(&all))
    }

    /// `column -> '$.path'` and `->>`.
    pub(super) fn json_arrow(
        &self,
        left: &Expr,
        right: &Expr,
        unquote: bool,
    ) -> Result<Typed, Fault> {
        let extract = self.simple("JSON_EXTRACT", &[left.clone(), right.clone()])?;
        if !unquote {
            return Ok(extract);
        }
        let sql = format!("my_json_unquote({})", extract.sql);
        let long = ColumnType::Text { length_bytes: 4 };
        let value = Typed { column_type: long, ..Typed::text(sql, CollationId::UTF8MB4_BIN) };
        Ok(Typed { strength: Strength::Column, ..value }.over(&[&extract]))
    }
}

/// The expressions of an argument list.
pub(super) fn arguments(name: &str, args: &[FunctionArg]) -> Result<Vec<Expr>, Fault> {
    args.iter()
        .map(|arg| match arg {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Ok(expr.clone()),
            _ => Err(Fault::ParameterCount(name.to_owned())),
        })
        .collect()
}

fn argument(kind: char, value: &Typed, function: &str, position: usize) -> Result<String, Fault> {
    Ok(match kind {
        't' => value.as_text(),
        'n' => value.as_double(),
        'i' => value.as_int(),
        'm' => value.as_decimal(None),
        'd' => value.as_datetime(6),
        'D' => value.as_date(),
        'b' => value.as_bytes(),
        'v' => value.as_json(),
        'j' if value.column_type == ColumnType::Json || value.is_null() => value.sql.clone(),
        'j' if value.is_text() => {
            format!("my_json_doc({}, '{}', {position})", value.sql, function.to_ascii_lowercase())
        }
        _ => return Err(Fault::Unsupported(format!("{function} with this argument"))),
    })
}

/// A text made from texts.
pub(super) fn text_like(sql: String, parts: &[&Typed], operation: &str) -> Result<Typed, Fault> {
    let (collation, strength) = meet(parts, operation)?;
    let long = parts.iter().any(|part| matches!(part.column_type, ColumnType::Text { .. }));
    let column_type = if long {
        ColumnType::Text { length_bytes: 4 }
    } else {
        varchar(parts.iter().map(|part| length(part)).sum())
    };
    Ok(Typed { strength, column_type, ..Typed::text(sql, collation) }.over(parts))
}

fn system(sql: &str) -> Typed {
    Typed { strength: Strength::System, ..Typed::text(sql, CollationId::UTF8MB4_GENERAL_CI) }
}

/// Name, arguments (`?` begins the optional ones, `*` repeats the last), result. Arguments: `t`
/// text, `n` DOUBLE, `i` whole, `m` DECIMAL, `d` DATETIME(6), `D` DATE, `b` bytes, `j` JSON
/// document, `v` JSON value. Results: `T` text in the arguments' collation, `A` other text, `L` long
/// text, `I` whole, `U` unsigned, `G` DOUBLE, `D` DATE, `J` JSON, `B` bytes; with `c` the function
/// also takes the collation.
const SIMPLE: &[(&str, &str, &str)] = &[
    ("ASCII", "t", "I"),
    ("BIT_LENGTH", "b", "I"),
    ("CHAR_LENGTH", "t", "I"),
    ("CHARACTER_LENGTH", "t", "I"),
    ("LENGTH", "b", "I"),
    ("OCTET_LENGTH", "b", "I"),
    ("FIND_IN_SET", "tt", "Ic"),
    ("INSERT", "tiit", "T"),
    ("INSTR", "tt", "Ic"),
    ("LOCATE", "tt?i", "Ic"),
    ("LEFT", "ti", "T"),
    ("RIGHT", "ti", "T"),
    ("LOWER", "t", "T"),
    ("LCASE", "t", "T"),
    ("UPPER", "t", "T"),
    ("UCASE", "t", "T"),
    ("LPAD", "tit", "T"),
    ("RPAD", "tit", "T"),
    ("LTRIM", "t", "T"),
    ("RTRIM", "t", "T"),
    ("MID", "tii", "T"),
    ("SUBSTR", "ti?i", "T"),
    ("SUBSTRING", "ti?i", "T"),
    ("QUOTE", "t", "T"),
    ("REPEAT", "ti", "T"),
    ("REPLACE", "ttt", "T"),
    ("REVERSE", "t", "T"),
    ("SPACE", "i", "A"),
    ("STRCMP", "tt", "Ic"),
    ("SUBSTRING_INDEX", "tti", "T"),
    ("UNHEX", "t", "B"),
    ("TO_BASE64", "b", "A"),
    ("FROM_BASE64", "t", "B"),
    ("MD5", "b", "A"),
    ("SHA", "b", "A"),
    ("SHA1", "b", "A"),
    ("SHA2", "bi", "A"),
    ("CRC32", "b", "U"),
    ("UUID", "", "A"),
    ("CONV", "tii", "A"),
    ("BIN", "i", "A"),
    ("OCT", "i", "A"),
    ("SIGN", "n", "I"),
    ("SQRT", "n", "G"),
    ("POW", "nn", "G"),
    ("POWER", "nn", "G"),
    ("EXP", "n", "G"),
    ("LN", "n", "G"),
    ("LOG", "n?n", "G"),
    ("LOG2", "n", "G"),
    ("LOG10", "n", "G"),
    ("SIN", "n", "G"),
    ("COS", "n", "G"),
    ("TAN", "n", "G"),
    ("COT", "n", "G"),
    ("ASIN", "n", "G"),
    ("ACOS", "n", "G"),
    ("ATAN", "n?n", "G"),
    ("ATAN2", "nn", "G"),
    ("PI", "", "G"),
    ("DEGREES", "n", "G"),
    ("RADIANS", "n", "G"),
    ("RAND", "?i", "G"),
    ("BIT_COUNT", "i", "I"),
    ("DATE", "d", "D"),
    ("YEAR", "d", "I"),
    ("MONTH", "d", "I"),
    ("DAY", "d", "I"),
    ("DAYOFMONTH", "d", "I"),
    ("DAYNAME", "d", "A"),
    ("MONTHNAME", "d", "A"),
    ("DAYOFWEEK", "d", "I"),
    ("DAYOFYEAR", "d", "I"),
    ("WEEKDAY", "d", "I"),
    ("WEEK", "d?i", "I"),
    ("YEARWEEK", "d?i", "I"),
    ("WEEKOFYEAR", "d", "I"),
    ("QUARTER", "d", "I"),
    ("LAST_DAY", "d", "D"),
    ("TO_DAYS", "d", "I"),
    ("FROM_DAYS", "i", "D"),
    ("DATEDIFF", "dd", "I"),
    ("DATE_FORMAT", "dt", "A"),
    ("TIME_FORMAT", "dt", "A"),
    ("MAKEDATE", "ii", "D"),
    ("PERIOD_ADD", "ii", "I"),
    ("PERIOD_DIFF", "ii", "I"),
    ("INET_ATON", "t", "U"),
    ("INET_NTOA", "i", "A"),
    ("JSON_EXTRACT", "jt*", "J"),
    ("JSON_UNQUOTE", "v", "L"),
    ("JSON_QUOTE", "t", "L"),
    ("JSON_OBJECT", "tv+", "J"),
    ("JSON_SET", "jtv+", "J"),
    ("JSON_INSERT", "jtv+", "J"),
    ("JSON_REPLACE", "jtv+", "J"),
    ("JSON_ARRAY_APPEND", "jtv+", "J"),
    ("JSON_ARRAY", "?v*", "J"),
    ("JSON_REMOVE", "jt*", "J"),
    ("JSON_CONTAINS", "jj?t", "I"),
    ("JSON_CONTAINS_PATH", "jtt*", "I"),
    ("JSON_KEYS", "j?t", "J"),
    ("JSON_LENGTH", "j?t", "I"),
    ("JSON_DEPTH", "j", "I"),
    ("JSON_TYPE", "j", "A"),
    ("JSON_VALID", "t", "I"),
    ("JSON_MERGE_PATCH", "jj*", "J"),
    ("JSON_MERGE_PRESERVE", "jj*", "J"),
    ("JSON_PRETTY", "j", "L"),
];
