//! A column of CREATE TABLE: its type and attributes.

use sqlparser::ast::Expr;
use sqlparser::tokenizer::Token;

use super::define::{
    self, ForeignText, charset, collation, decimal_checked, parenthesized, word_or_string,
};
use super::parser::Input;
use super::{ColumnDefinition, Default, Fault};
use crate::event::collation as collations;
use crate::event::{CollationId, Column, ColumnType};

/// A column as written.
#[derive(Debug, Clone)]
pub struct ColumnText {
    /// The name.
    pub name: String,
    /// The type; texts with their length only.
    pub column_type: ColumnType,
    /// The type is a text with characters.
    text: bool,
    /// The type in SHOW COLUMNS' words.
    declared: String,
    /// The collation that the column names.
    collation: Option<CollationId>,
    binary_attribute: bool,
    /// What follows the type.
    pub attributes: Attributes,
}

/// What follows a column's type.
#[derive(Debug, Clone, Default)]
pub struct Attributes {
    /// NULL or NOT NULL.
    pub nullable: Option<bool>,
    /// DEFAULT of a literal; `None` inside is NULL.
    pub default: Option<Option<String>>,
    /// DEFAULT CURRENT_TIMESTAMP.
    pub default_now: bool,
    /// DEFAULT of an expression, and its text.
    pub default_expression: Option<(Expr, String)>,
    /// ON UPDATE CURRENT_TIMESTAMP.
    pub on_update_now: bool,
    /// AUTO_INCREMENT.
    pub auto_increment: bool,
    /// PRIMARY KEY.
    pub primary: bool,
    /// UNIQUE.
    pub unique: bool,
    /// COMMENT.
    pub comment: String,
    /// GENERATED: expression, text, STORED.
    pub generated: Option<(Expr, String, bool)>,
    /// CHECK: name, expression, text, enforced.
    pub checks: Vec<(Option<String>, Expr, String, bool)>,
    /// REFERENCES.
    pub references: Option<ForeignText>,
    /// ALTER ... DROP DEFAULT: not even NULL.
    pub no_default: bool,
}

impl ColumnText {
    /// Reads a column behind its name.
    pub fn read(input: &mut Input<'_>, name: String) -> Result<Self, Fault> {
        if name.ends_with(' ') || name.chars().count() > 64 {
            return Err(Fault::WrongColumnName(name));
        }
        let mut column = Self::read_type(input, name)?;
        column.read_attributes(input)?;
        Ok(column)
    }

    /// A column of this definition, as if written.
    pub fn of(definition: &ColumnDefinition) -> Result<Self, Fault> {
        let column = &definition.column;
        let text = super::show::column_text(definition);
        let mut input = Input::new(&text)?;
        let name = input.name()?;
        let mut read = Self::read(&mut input, name)?;
        input.end()?;
        read.collation = Some(column.collation);
        read.attributes.no_default = definition.default == Default::None;
        Ok(read)
    }

    fn read_type(input: &mut Input<'_>, name: String) -> Result<Self, Fault> {
        let mut column = Self {
            name,
            column_type: ColumnType::Date,
            text: false,
            declared: String::new(),
            collation: None,
            binary_attribute: false,
            attributes: Attributes::default(),
        };
        let Token::Word(word) = &input.parser().peek_token_ref().token else {
            return Err(input.here());
        };
        if word.quote_style.is_some() {
            return Err(input.here());
        }
        let word = word.value.to_ascii_uppercase();
        input.parser().advance_token();
        if column.number_type(input, &word)?
            || column.time_type(input, &word)?
            || column.text_type(input, &word)?
        {
            return Ok(column);
        }
        match word.as_str() {
            "ENUM" | "SET" => column.member_type(input, &word)?,
            "JSON" => column.set(ColumnType::Json, "json"),
            "GEOMETRY" | "POINT" | "LINESTRING" | "POLYGON" | "MULTIPOINT" | "MULTILINESTRING"
            | "MULTIPOLYGON" | "GEOMETRYCOLLECTION" | "VECTOR" | "UUID" | "INET6" | "INET4" => {
                return Err(Fault::Unsupported(format!("the type {word}")));
            }
            _ => {
                return Err(Fault::Syntax { near: word, line: 1 });
            }
        }
        Ok(column)
    }

    fn set(&mut self, column_type: ColumnType, declared: impl Into<String>) {
        self.column_type = column_type;
        self.declared = declared.into();
    }

    fn number_type(&mut self, input: &mut Input<'_>, word: &str) -> Result<bool, Fault> {
        let int = match word {
            "TINYINT" | "INT1" => Some((1, "tinyint")),
            "BOOL" | "BOOLEAN" => {
                self.set(ColumnType::Int { bytes: 1, unsigned: false }, "tinyint(1)");
                return Ok(true);
            }
            "SMALLINT" | "INT2" => Some((2, "smallint")),
            "MEDIUMINT" | "INT3" | "MIDDLEINT" => Some((3, "mediumint")),
            "INT" | "INTEGER" | "INT4" => Some((4, "int")),
            "BIGINT" | "INT8" => Some((8, "bigint")),
            "SERIAL" => {
                self.set(ColumnType::Int { bytes: 8, unsigned: true }, "bigint unsigned");
                self.attributes.nullable = Some(false);
                self.attributes.auto_increment = true;
                self.attributes.unique = true;
                return Ok(true);
            }
            _ => None,
        };
        if let Some((bytes, declared)) = int {
            let width = size(input)?;
            if width.is_some_and(|width| width > 255) {
                return Err(Fault::DisplayWidth(self.name.clone()));
            }
            let unsigned = sign(input)?;
            let one = if bytes == 1 && width == Some(1) && !unsigned { "(1)" } else { "" };
            let sign = if unsigned { " unsigned" } else { "" };
            self.set(ColumnType::Int { bytes, unsigned }, format!("{declared}{one}{sign}"));
            return Ok(true);
        }
        self.exact_type(input, word)
    }

    fn exact_type(&mut self, input: &mut Input<'_>, word: &str) -> Result<bool, Fault> {
        match word {
            "DECIMAL" | "NUMERIC" | "DEC" | "FIXED" => {
                let (precision, scale) = match sizes(input)? {
                    None => (10, 0),
                    Some((precision, scale)) => (precision, scale.unwrap_or(0)),
                };
                let (precision, scale) = decimal_checked(precision, scale, &self.name)?;
                let unsigned = sign(input)?;
                let sign = if unsigned { " unsigned" } else { "" };
                self.set(
                    ColumnType::Decimal { precision, scale, unsigned },
                    format!("decimal({precision},{scale}){sign}"),
                );
            }
            "FLOAT" | "FLOAT4" | "DOUBLE" | "REAL" | "FLOAT8" => {
                input.word("PRECISION");
                let sizes = sizes(input)?;
                if matches!(sizes, Some((_, Some(_)))) {
                    return Err(Fault::Unsupported(format!("{word}(M,D)")));
                }
                let single = word.starts_with("FLOAT")
                    && word != "FLOAT8"
                    && sizes.is_none_or(|(precision, _)| precision <= 24);
                if sizes.is_some_and(|(precision, _)| precision > 53) {
                    return Err(Fault::WrongColumnName(self.name.clone()));
                }
                let unsigned = sign(input)?;
                let sign = if unsigned { " unsigned" } else { "" };
                if single {
                    self.set(ColumnType::Float { unsigned }, format!("float{sign}"));
                } else {
                    self.set(ColumnType::Double { unsigned }, format!("double{sign}"));
                }
            }
            "BIT" => {
                let bits = size(input)?.unwrap_or(1);
                match u8::try_from(bits) {
                    Ok(bits @ 1..=64) => self.set(ColumnType::Bit { bits }, format!("bit({bits})")),
                    _ => return Err(Fault::DisplayWidth(self.name.clone())),
                }
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn time_type(&mut self, input: &mut Input<'_>, word: &str) -> Result<bool, Fault> {
        let shown = |name: &str, fsp: u8| {
            if fsp == 0 { name.to_owned() } else { format!("{name}({fsp})") }
        };
        match word {
            "DATE" => self.set(ColumnType::Date, "date"),
            "YEAR" => {
                if !matches!(size(input)?, None | Some(4)) {
                    return Err(Fault::Unsupported("YEAR(2)".to_owned()));
                }
                self.set(ColumnType::Year, "year");
            }
            "TIME" => {
                let fsp = define::fsp(size(input)?, &self.name)?;
                self.set(ColumnType::Time { fsp }, shown("time", fsp));
            }
            "DATETIME" => {
                let fsp = define::fsp(size(input)?, &self.name)?;
                self.set(ColumnType::DateTime { fsp }, shown("datetime", fsp));
            }
            "TIMESTAMP" => {
                let fsp = define::fsp(size(input)?, &self.name)?;
                self.set(ColumnType::Timestamp { fsp }, shown("timestamp", fsp));
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn text_type(&mut self, input: &mut Input<'_>, word: &str) -> Result<bool, Fault> {
        let blob = |length_bytes| ColumnType::Text { length_bytes };
        let mut text = true;
        match word {
            "CHAR" | "CHARACTER" | "NCHAR" if input.word("VARYING") => {
                self.sized(input, "varchar", false)?;
            }
            "CHAR" | "CHARACTER" | "NCHAR" => self.sized(input, "char", true)?,
            "VARCHAR" | "NVARCHAR" => self.sized(input, "varchar", false)?,
            "BINARY" | "VARBINARY" => {
                text = false;
                self.sized(input, &word.to_ascii_lowercase(), word == "BINARY")?;
                self.collation = Some(CollationId::BINARY);
            }
            "TINYTEXT" => self.set(blob(1), "tinytext"),
            "TEXT" => {
                self.long(size(input)?, "text", 2);
            }
            "MEDIUMTEXT" | "LONG" => self.set(blob(3), "mediumtext"),
            "LONGTEXT" => self.set(blob(4), "longtext"),
            "TINYBLOB" | "BLOB" | "MEDIUMBLOB" | "LONGBLOB" => {
                text = false;
                match word {
                    "TINYBLOB" => self.set(blob(1), "tinyblob"),
                    "MEDIUMBLOB" => self.set(blob(3), "mediumblob"),
                    "LONGBLOB" => self.set(blob(4), "longblob"),
                    _ => self.long(size(input)?, "blob", 2),
                }
                self.collation = Some(CollationId::BINARY);
            }
            _ => return Ok(false),
        }
        self.text = text;
        if text {
            self.charset_attributes(input)?;
        }
        Ok(true)
    }

    /// TEXT(n) and BLOB(n) are the smallest of their kind that holds n.
    fn long(&mut self, size: Option<u64>, name: &str, default: u8) {
        let (prefix, length_bytes) = match size {
            None => ("", default),
            Some(0..=255) if name == "blob" => ("tiny", 1),
            Some(0..=63) => ("tiny", 1),
            Some(n) if n <= (if name == "blob" { 65_535 } else { 16_383 }) => ("", 2),
            Some(n) if n <= (if name == "blob" { 16_777_215 } else { 4_194_303 }) => ("medium", 3),
            Some(_) => ("long", 4),
        };
        self.set(ColumnType::Text { length_bytes }, format!("{prefix}{name}"));
    }

    fn sized(&mut self, input: &mut Input<'_>, name: &str, fixed: bool) -> Result<(), Fault> {
        let length = match size(input)? {
            Some(length) => length,
            None if fixed => 1,
            None => return Err(input.here()),
        };
        let max: u32 = if fixed {
            255
        } else if name == "varchar" {
            16_383
        } else {
            65_535
        };
        let length = u32::try_from(length).unwrap_or(u32::MAX);
        if length > max {
            return Err(Fault::LengthTooBig { column: self.name.clone(), max });
        }
        let column_type =
            if fixed { ColumnType::Char { length } } else { ColumnType::VarChar { length } };
        self.set(column_type, format!("{name}({length})"));
        Ok(())
    }

    fn member_type(&mut self, input: &mut Input<'_>, word: &str) -> Result<(), Fault> {
        input.expect(&Token::LParen)?;
        let members = input.list(Input::string)?;
        input.expect(&Token::RParen)?;
        let members: Vec<Box<str>> =
            members.iter().map(|member| member.trim_end_matches(' ').into()).collect();
        for (position, member) in members.iter().enumerate() {
            if members.iter().take(position).any(|other| other == member) {
                return Err(Fault::DuplicateMember(self.name.clone()));
            }
        }
        let quoted: Vec<String> =
            members.iter().map(|m| format!("'{}'", m.replace('\'', "''"))).collect();
        let declared = format!("{}({})", word.to_ascii_lowercase(), quoted.join(","));
        if word == "ENUM" {
            self.set(ColumnType::Enum { members: members.into() }, declared);
        } else {
            if members.len() > 63 || members.iter().any(|member| member.contains(',')) {
                return Err(Fault::Unsupported("SET of more than 63 members".to_owned()));
            }
            self.set(ColumnType::Set { members: members.into() }, declared);
        }
        self.text = true;
        self.charset_attributes(input)
    }

    fn charset_attributes(&mut self, input: &mut Input<'_>) -> Result<(), Fault> {
        loop {
            if input.words(&["CHARACTER", "SET"]) || input.word("CHARSET") {
                let found = charset(&word_or_string(input)?)?;
                if self.collation.is_none() {
                    self.collation = Some(found);
                }
            } else if input.word("COLLATE") {
                self.collation = Some(collation(&word_or_string(input)?)?);
            } else if input.word("BINARY") {
                self.binary_attribute = true;
            } else {
                return Ok(());
            }
        }
    }

    fn read_attributes(&mut self, input: &mut Input<'_>) -> Result<(), Fault> {
        loop {
            let attributes = &mut self.attributes;
            if input.words(&["NOT", "NULL"]) {
                attributes.nullable = Some(false);
            } else if input.word("NULL") {
                attributes.nullable = Some(true);
            } else if input.word("DEFAULT") {
                self.read_default(input)?;
            } else if input.words(&["ON", "UPDATE"]) {
                now(input, &self.column_type)?.then_some(()).ok_or_else(|| input.here())?;
                attributes.on_update_now = true;
            } else if input.word("AUTO_INCREMENT") {
                attributes.auto_increment = true;
            } else if input.words(&["PRIMARY", "KEY"]) || input.word("KEY") {
                attributes.primary = true;
            } else if input.word("UNIQUE") {
                input.word("KEY");
                attributes.unique = true;
            } else if input.word("COMMENT") {
                attributes.comment = input.string()?;
            } else if input.word("COLLATE") {
                self.collation = Some(collation(&word_or_string(input)?)?);
            } else if input.words(&["GENERATED", "ALWAYS", "AS"]) || input.word("AS") {
                let (expr, text) = parenthesized(input)?;
                let stored = input.word("STORED") || input.word("PERSISTENT");
                if !stored {
                    input.word("VIRTUAL");
                }
                attributes.generated = Some((expr, text, stored));
            } else if input.peek_word("CHECK") || input.peek_word("CONSTRAINT") {
                let mut name = None;
                if input.word("CONSTRAINT") && !input.peek_word("CHECK") {
                    name = Some(input.name()?);
                }
                input.expect_word("CHECK")?;
                let (expr, text) = parenthesized(input)?;
                let enforced = !input.words(&["NOT", "ENFORCED"]);
                if enforced {
                    input.word("ENFORCED");
                }
                attributes.checks.push((name, expr, text, enforced));
            } else if input.peek_word("REFERENCES") {
                attributes.references =
                    Some(define::references(input, None, vec![self.name.clone()])?);
            } else if input.word("VISIBLE") {
            } else if input.peek_word("INVISIBLE") {
                return Err(Fault::Unsupported("INVISIBLE columns".to_owned()));
            } else {
                return Ok(());
            }
        }
    }

    /// A DEFAULT behind its keyword.
    pub fn read_default(&mut self, input: &mut Input<'_>) -> Result<(), Fault> {
        if input.peek(&Token::LParen) {
            self.attributes.default_expression = Some(parenthesized(input)?);
            return Ok(());
        }
        if now(input, &self.column_type)? {
            self.attributes.default_now = true;
            return Ok(());
        }
        let minus = input.token(&Token::Minus);
        if !minus {
            input.token(&Token::Plus);
        }
        let token = input.parser().next_token().token;
        let value = match token {
            Token::Number(text, _) => Some(if minus { format!("-{text}") } else { text }),
            _ if minus => return Err(input.here()),
            Token::SingleQuotedString(text) | Token::DoubleQuotedString(text) => Some(text),
            Token::SingleQuotedByteStringLiteral(bits) => {
                u64::from_str_radix(&bits, 2).ok().map(|number| number.to_string())
            }
            Token::Word(word) if word.quote_style.is_none() => {
                match word.value.to_ascii_uppercase().as_str() {
                    "NULL" => None,
                    "TRUE" => Some("1".to_owned()),
                    "FALSE" => Some("0".to_owned()),
                    _ => return Err(Fault::Syntax { near: word.value, line: 1 }),
                }
            }
            _ => return Err(Fault::Unsupported("this DEFAULT".to_owned())),
        };
        self.attributes.default = Some(value);
        Ok(())
    }

    /// The column, its expressions still to be bound.
    pub fn bind(&self, table_collation: CollationId) -> Result<ColumnDefinition, Fault> {
        let attributes = &self.attributes;
        let collation =
            if self.text { self.collation.unwrap_or(table_collation) } else { CollationId::BINARY };
        let collation = match collations::charset(collation) {
            Some(collations::Charset::Utf8mb4) if self.binary_attribute => CollationId::UTF8MB4_BIN,
            _ => collation,
        };
        let nullable =
            attributes.nullable.unwrap_or(!attributes.primary) && !attributes.auto_increment;
        let default = self.default(nullable)?;
        if attributes.on_update_now
            && !matches!(
                self.column_type,
                ColumnType::DateTime { .. } | ColumnType::Timestamp { .. }
            )
        {
            return Err(Fault::InvalidOnUpdate(self.name.clone()));
        }
        if attributes.auto_increment && !matches!(self.column_type, ColumnType::Int { .. }) {
            return Err(Fault::WrongColumnName(self.name.clone()));
        }
        let mut declared = self.declared.clone();
        if self.text && collation == CollationId::BINARY {
            declared = declared
                .replace("varchar", "varbinary")
                .replace("char", "binary")
                .replace("text", "blob");
        }
        Ok(ColumnDefinition {
            column: Column {
                name: self.name.as_str().into(),
                column_type: self.column_type.clone(),
                collation,
                nullable,
                auto_increment: attributes.auto_increment,
                has_default: default != Default::None,
                declared: declared.into(),
            },
            default,
            on_update_now: attributes.on_update_now,
            generated: None,
            comment: attributes.comment.clone(),
        })
    }

    fn default(&self, nullable: bool) -> Result<Default, Fault> {
        let attributes = &self.attributes;
        let long = matches!(self.column_type, ColumnType::Text { .. } | ColumnType::Json);
        let invalid = || Fault::InvalidDefault(self.name.clone());
        if attributes.auto_increment && (attributes.default.is_some() || attributes.default_now) {
            return Err(invalid());
        }
        if attributes.default_now {
            return match self.column_type {
                ColumnType::DateTime { .. } | ColumnType::Timestamp { .. } => Ok(Default::Now),
                _ => Err(invalid()),
            };
        }
        match &attributes.default {
            Some(Some(_)) if long => Err(Fault::BlobDefault(self.name.clone())),
            Some(None) if !nullable => Err(invalid()),
            Some(Some(text)) => {
                if !super::literal::fits(&self.column_type, text) {
                    return Err(invalid());
                }
                let stored = super::literal::stored(&self.column_type, self.text, text);
                stored.map(Default::Literal).ok_or_else(|| {
                    Fault::Unsupported(format!("the default '{text}' of '{}'", self.name))
                })
            }
            Some(None) => Ok(Default::Null),
            None if nullable && !attributes.no_default => Ok(Default::Null),
            None => Ok(Default::None),
        }
    }
}

/// CURRENT_TIMESTAMP with the column's digits, if it is next.
fn now(input: &mut Input<'_>, column_type: &ColumnType) -> Result<bool, Fault> {
    let names = ["CURRENT_TIMESTAMP", "NOW", "LOCALTIME", "LOCALTIMESTAMP"];
    if !names.iter().any(|name| input.word(name)) {
        return Ok(false);
    }
    let mut fsp = 0;
    if input.token(&Token::LParen) {
        if !input.peek(&Token::RParen) {
            fsp = input.number()?;
        }
        input.expect(&Token::RParen)?;
    }
    match column_type {
        ColumnType::DateTime { fsp: want } | ColumnType::Timestamp { fsp: want }
            if u64::from(*want) != fsp =>
        {
            Err(Fault::InvalidDefault("timestamp".to_owned()))
        }
        _ => Ok(true),
    }
}

fn size(input: &mut Input<'_>) -> Result<Option<u64>, Fault> {
    if !input.token(&Token::LParen) {
        return Ok(None);
    }
    let size = input.number()?;
    input.expect(&Token::RParen)?;
    Ok(Some(size))
}

fn sizes(input: &mut Input<'_>) -> Result<Option<(u64, Option<u64>)>, Fault> {
    if !input.token(&Token::LParen) {
        return Ok(None);
    }
    let first = input.number()?;
    let second = if input.token(&Token::Comma) { Some(input.number()?) } else { None };
    input.expect(&Token::RParen)?;
    Ok(Some((first, second)))
}

/// Whether UNSIGNED follows.
fn sign(input: &mut Input<'_>) -> Result<bool, Fault> {
    let mut unsigned = false;
    loop {
        if input.word("UNSIGNED") {
            unsigned = true;
        } else if input.peek_word("ZEROFILL") {
            return Err(Fault::Unsupported("ZEROFILL".to_owned()));
        } else if !input.word("SIGNED") {
            return Ok(unsigned);
        }
    }
}
