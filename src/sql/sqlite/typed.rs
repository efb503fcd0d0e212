//! SQLite text with the MySQL type of its value, and the rules that bring types together.
//!
//! The forms that values have inside SQLite: whole numbers INTEGER (above 2^63-1 a TEXT of twenty
//! digits), DECIMAL its own TEXT, FLOAT and DOUBLE REAL, DATE and DATETIME TEXT, TIME INTEGER
//! microseconds, texts TEXT, bytes BLOB, ENUM its number, SET its bits, JSON TEXT.

use super::{Fault, Type};
use crate::event::collation;
use crate::event::{CollationId, Column, ColumnType};

/// An expression in SQLite's text.
#[derive(Debug, Clone, PartialEq)]
pub struct Typed {
    /// The text; an operand as it stands.
    pub sql: String,
    /// The type of its value.
    pub column_type: ColumnType,
    /// The collation of a text; `binary` for all else.
    pub collation: CollationId,
    /// May be NULL.
    pub nullable: bool,
    /// How strongly it insists on its collation.
    pub strength: Strength,
    /// What it is as a literal.
    pub literal: Literal,
    /// The column that it is.
    pub origin: Option<Origin>,
    /// Has an aggregate function inside.
    pub aggregate: bool,
    /// Is true or false where JSON asks.
    pub truth: bool,
}

/// Whose collation prevails; the smaller one does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Strength {
    /// COLLATE
    Explicit,
    /// A column.
    Column,
    /// A system constant.
    System,
    /// A literal.
    Literal,
    /// A number or a time as text.
    Number,
    /// NULL
    Null,
}

/// What a literal is.
#[derive(Debug, Clone, PartialEq)]
pub enum Literal {
    /// No literal.
    No,
    /// NULL
    Null,
    /// A whole number.
    Int(i128),
    /// A text.
    Text(String),
    /// Any other.
    Other,
}

/// The column that an expression is.
#[derive(Debug, Clone, PartialEq)]
pub struct Origin {
    /// The alias in FROM.
    pub alias: String,
    /// The table, if it is a stored one.
    pub table: Option<String>,
    /// The column.
    pub column: Column,
}

/// What values are compared as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Whole numbers.
    Int,
    /// Exact numbers.
    Decimal,
    /// Floating numbers.
    Double,
    /// Points in time.
    DateTime,
    /// Times of day.
    Time,
    /// Texts under a collation.
    Text(CollationId),
    /// Bytes.
    Bytes,
    /// JSON values.
    Json,
}

/// The collation of literals, MySQL 8's default.
pub const DEFAULT: CollationId = CollationId::UTF8MB4_0900_AI_CI;

impl Typed {
    /// A value of a type that is no text.
    pub fn new(sql: impl Into<String>, column_type: ColumnType) -> Self {
        Self {
            sql: sql.into(),
            column_type,
            collation: CollationId::BINARY,
            nullable: true,
            strength: Strength::Number,
            literal: Literal::No,
            origin: None,
            aggregate: false,
            truth: false,
        }
    }

    /// A whole number.
    pub fn int(sql: impl Into<String>) -> Self {
        Self::new(sql, ColumnType::Int { bytes: 8, unsigned: false })
    }

    /// A whole number without a sign.
    pub fn unsigned(sql: impl Into<String>) -> Self {
        Self::new(sql, ColumnType::Int { bytes: 8, unsigned: true })
    }

    /// A DOUBLE.
    pub fn double(sql: impl Into<String>) -> Self {
        Self::new(sql, ColumnType::Double { unsigned: false })
    }

    /// A text.
    pub fn text(sql: impl Into<String>, collation: CollationId) -> Self {
        Self { collation, strength: Strength::Literal, ..Self::new(sql, varchar(255)) }
    }

    /// Bytes.
    pub fn bytes(sql: impl Into<String>) -> Self {
        Self::new(sql, varchar(255))
    }

    /// NULL.
    pub fn null() -> Self {
        Self { literal: Literal::Null, strength: Strength::Null, ..Self::new("NULL", varchar(0)) }
    }

    /// Whether it is the literal NULL.
    pub fn is_null(&self) -> bool {
        self.literal == Literal::Null
    }

    /// Marks it as made from `parts`.
    pub fn over(mut self, parts: &[&Self]) -> Self {
        self.aggregate |= parts.iter().any(|part| part.aggregate);
        self
    }

    /// The same value without what only the expression as written has.
    pub fn derived(mut self) -> Self {
        self.truth = false;
        self.literal = Literal::No;
        self.origin = None;
        self
    }

    /// The type alone.
    pub fn value_type(&self) -> Type {
        Type { column_type: self.column_type.clone(), collation: self.collation }
    }

    /// Whether it is a text with a collation; ENUM and SET count.
    pub fn is_text(&self) -> bool {
        self.is_string() && self.collation != CollationId::BINARY
    }

    /// Whether it is a text or bytes.
    pub fn is_string(&self) -> bool {
        matches!(
            self.column_type,
            ColumnType::Char { .. }
                | ColumnType::VarChar { .. }
                | ColumnType::Text { .. }
                | ColumnType::Enum { .. }
                | ColumnType::Set { .. }
        )
    }

    /// Whether it is DATE, DATETIME or TIMESTAMP.
    pub fn is_date(&self) -> bool {
        matches!(
            self.column_type,
            ColumnType::Date | ColumnType::DateTime { .. } | ColumnType::Timestamp { .. }
        )
    }

    /// Whether it is a number; BIT and YEAR count.
    pub fn is_number(&self) -> bool {
        matches!(self.number_class(), Some(Class::Int | Class::Decimal | Class::Double))
            && !self.is_string()
            && !self.is_date()
    }

    /// Digits behind the point or the second.
    pub fn scale(&self) -> u8 {
        match self.column_type {
            ColumnType::Decimal { scale, .. } => scale,
            ColumnType::Time { fsp }
            | ColumnType::DateTime { fsp }
            | ColumnType::Timestamp { fsp } => fsp,
            _ => 0,
        }
    }

    /// Digits before the point.
    pub fn whole_digits(&self) -> u8 {
        match self.column_type {
            ColumnType::Decimal { precision, scale, .. } => precision.saturating_sub(scale),
            ColumnType::Int { bytes: 1, .. } => 3,
            ColumnType::Int { bytes: 2, .. } => 5,
            ColumnType::Int { bytes: 3, .. } => 8,
            ColumnType::Int { bytes: 4, .. } => 10,
            ColumnType::Year => 4,
            _ => match self.literal {
                Literal::Int(number) => u8::try_from(number.to_string().len()).unwrap_or(20),
                _ => 20,
            },
        }
    }

    /// Whether it is a whole number without a sign.
    pub fn is_unsigned(&self) -> bool {
        matches!(
            self.column_type,
            ColumnType::Int { unsigned: true, .. } | ColumnType::Bit { .. } | ColumnType::Year
        )
    }

    /// What it is in arithmetic; `None` for what is text or JSON.
    pub fn number_class(&self) -> Option<Class> {
        match self.column_type {
            ColumnType::Int { .. } | ColumnType::Bit { .. } | ColumnType::Year => Some(Class::Int),
            ColumnType::Decimal { .. } => Some(Class::Decimal),
            ColumnType::Float { .. } | ColumnType::Double { .. } => Some(Class::Double),
            ColumnType::Date => Some(Class::Int),
            ColumnType::Time { fsp }
            | ColumnType::DateTime { fsp }
            | ColumnType::Timestamp { fsp } => {
                Some(if fsp == 0 { Class::Int } else { Class::Decimal })
            }
            ColumnType::Char { .. }
            | ColumnType::VarChar { .. }
            | ColumnType::Text { .. }
            | ColumnType::Enum { .. }
            | ColumnType::Set { .. }
            | ColumnType::Json
            | ColumnType::Geometry
            | ColumnType::Vector { .. }
            | ColumnType::Uuid
            | ColumnType::Inet4
            | ColumnType::Inet6 => None,
        }
    }

    /// The type in the letters that the store's functions read.
    pub fn code(&self) -> String {
        let bytes = self.collation == CollationId::BINARY;
        let code = match &self.column_type {
            ColumnType::Int { .. } => "i".to_owned(),
            ColumnType::Decimal { .. } => "d".to_owned(),
            ColumnType::Float { .. } => "f".to_owned(),
            ColumnType::Double { .. } => "g".to_owned(),
            ColumnType::Bit { bits } => format!("b{bits}"),
            ColumnType::Date => "D".to_owned(),
            ColumnType::Time { fsp } => format!("t{fsp}"),
            ColumnType::DateTime { fsp } | ColumnType::Timestamp { fsp } => format!("p{fsp}"),
            ColumnType::Year => "y".to_owned(),
            ColumnType::Char { .. } | ColumnType::VarChar { .. } | ColumnType::Text { .. } => {
                if bytes { "x" } else { "s" }.to_owned()
            }
            ColumnType::Enum { members } => format!("e{}", members.join("\u{1f}")),
            ColumnType::Set { members } => format!("S{}", members.join("\u{1f}")),
            ColumnType::Json => "j".to_owned(),
            ColumnType::Geometry | ColumnType::Vector { .. } => "x".to_owned(),
            ColumnType::Uuid | ColumnType::Inet4 | ColumnType::Inet6 => "s".to_owned(),
        };
        string(&code)
    }

    /// As a text; ENUM and SET by their members.
    pub fn as_text(&self) -> String {
        match self.column_type {
            _ if self.is_null() => self.sql.clone(),
            ColumnType::Char { .. } | ColumnType::VarChar { .. } | ColumnType::Text { .. }
                if self.is_text() =>
            {
                self.sql.clone()
            }
            ColumnType::Json | ColumnType::Date | ColumnType::DateTime { .. } => self.sql.clone(),
            ColumnType::Decimal { .. } | ColumnType::Timestamp { .. } => self.sql.clone(),
            _ => format!("my_str({}, {})", self.sql, self.code()),
        }
    }

    /// As bytes.
    pub fn as_bytes(&self) -> String {
        match (&self.column_type, &self.literal) {
            _ if self.is_null() => self.sql.clone(),
            (_, Literal::Text(text)) => hex(text.as_bytes()),
            (ColumnType::Char { .. } | ColumnType::VarChar { .. } | ColumnType::Text { .. }, _)
                if !self.is_text() =>
            {
                self.sql.clone()
            }
            _ if collation::charset(self.collation) == Some(collation::Charset::Latin1) => {
                format!("my_encode({}, {})", self.as_text(), self.collation.0)
            }
            _ => format!("CAST({} AS BLOB)", self.as_text()),
        }
    }

    /// The number that a hexadecimal or bit literal is where a number is wanted.
    fn literal_number(&self) -> Option<u64> {
        let digits = self.sql.strip_prefix("X'")?.strip_suffix('\'')?;
        let literal = self.literal == Literal::Other && self.is_string();
        if literal { u64::from_str_radix(digits, 16).ok() } else { None }
    }

    /// As a DOUBLE.
    pub fn as_double(&self) -> String {
        if let Some(number) = self.literal_number() {
            return format!("CAST('{number}' AS REAL)");
        }
        match self.number_class() {
            _ if self.is_null() => self.sql.clone(),
            Some(Class::Double) => self.sql.clone(),
            _ => format!("my_num({}, {})", self.sql, self.code()),
        }
    }

    /// As a DECIMAL's text; `scale` pads and rounds.
    pub fn as_decimal(&self, scale: Option<u8>) -> String {
        if let Some(number) = self.literal_number() {
            return format!("'{number}'");
        }
        match (&self.column_type, scale) {
            _ if self.is_null() => self.sql.clone(),
            (ColumnType::Decimal { .. }, None) => self.sql.clone(),
            (ColumnType::Decimal { scale: have, .. }, Some(want)) if *have == want => {
                self.sql.clone()
            }
            (_, None) => format!("my_dec({}, {})", self.sql, self.code()),
            (_, Some(scale)) => format!("my_dec({}, {}, {scale})", self.sql, self.code()),
        }
    }

    /// As a whole number, rounded.
    pub fn as_int(&self) -> String {
        if let Some(number) = self.literal_number() {
            return i64::try_from(number)
                .map_or_else(|_| format!("'{number:020}'"), |n| n.to_string());
        }
        match self.column_type {
            _ if self.is_null() => self.sql.clone(),
            ColumnType::Int { .. } | ColumnType::Bit { .. } | ColumnType::Year => self.sql.clone(),
            _ => format!("my_int({}, {})", self.sql, self.code()),
        }
    }

    /// As a DATETIME's text with so many digits; NULL if it is none.
    pub fn as_datetime(&self, fsp: u8) -> String {
        match self.column_type {
            _ if self.is_null() => self.sql.clone(),
            ColumnType::DateTime { fsp: have } | ColumnType::Timestamp { fsp: have }
                if have == fsp =>
            {
                self.sql.clone()
            }
            _ => format!("my_dt({}, {}, {fsp})", self.sql, self.code()),
        }
    }

    /// As a DATE's text; NULL if it is none.
    pub fn as_date(&self) -> String {
        match self.column_type {
            _ if self.is_null() => self.sql.clone(),
            ColumnType::Date => self.sql.clone(),
            _ => format!("my_date({}, {})", self.sql, self.code()),
        }
    }

    /// As a TIME's microseconds; NULL if it is none.
    pub fn as_time(&self, fsp: u8) -> String {
        match self.column_type {
            _ if self.is_null() => self.sql.clone(),
            ColumnType::Time { fsp: have } if have <= fsp => self.sql.clone(),
            _ => format!("my_time({}, {}, {fsp})", self.sql, self.code()),
        }
    }

    /// As a JSON value's text: a text becomes a JSON string.
    pub fn as_json(&self) -> String {
        match self.column_type {
            _ if self.is_null() => self.sql.clone(),
            ColumnType::Json => self.sql.clone(),
            _ if self.truth => format!("my_json({}, 'B')", self.sql),
            _ => format!("my_json({}, {})", self.sql, self.code()),
        }
    }

    /// What SQLite compares, sorts and groups it by.
    pub fn key(&self, class: Class) -> String {
        match class {
            _ if self.is_null() => self.sql.clone(),
            Class::Int => self.as_int(),
            Class::Decimal => format!("my_dkey({})", self.as_decimal(None)),
            Class::Double => self.as_double(),
            Class::DateTime => self.as_datetime(6),
            Class::Time => self.as_time(6),
            Class::Text(collation) => format!("my_key({}, {})", self.as_text(), collation.0),
            Class::Bytes => self.as_bytes(),
            Class::Json => format!("my_jkey({})", self.as_json()),
        }
    }

    /// What it is sorted, grouped and made distinct by.
    pub fn sort_class(&self) -> Class {
        match self.column_type {
            ColumnType::Int { .. }
            | ColumnType::Bit { .. }
            | ColumnType::Year
            | ColumnType::Enum { .. }
            | ColumnType::Set { .. } => Class::Int,
            ColumnType::Decimal { .. } => Class::Decimal,
            ColumnType::Float { .. } | ColumnType::Double { .. } => Class::Double,
            ColumnType::Date | ColumnType::DateTime { .. } | ColumnType::Timestamp { .. } => {
                Class::DateTime
            }
            ColumnType::Time { .. } => Class::Time,
            ColumnType::Json => Class::Json,
            _ if self.is_text() => Class::Text(self.collation),
            _ => Class::Bytes,
        }
    }

    /// The key that ORDER BY, GROUP BY and DISTINCT use: ENUM and SET by number.
    pub fn sort_key(&self) -> String {
        match self.column_type {
            ColumnType::Enum { .. } | ColumnType::Set { .. } | ColumnType::Date => self.sql.clone(),
            ColumnType::DateTime { .. } | ColumnType::Timestamp { .. } => self.sql.clone(),
            _ => self.key(self.sort_class()),
        }
    }

    /// Converted to another type, as the branches of CASE and UNION are.
    pub fn convert(&self, to: &Type) -> String {
        match to.column_type {
            _ if self.is_null() || self.value_type() == *to => self.sql.clone(),
            ColumnType::Int { .. } | ColumnType::Bit { .. } | ColumnType::Year => self.as_int(),
            ColumnType::Decimal { scale, .. } => self.as_decimal(Some(scale)),
            ColumnType::Float { .. } | ColumnType::Double { .. } => self.as_double(),
            ColumnType::Date => self.as_date(),
            ColumnType::Time { fsp } => self.as_time(fsp),
            ColumnType::DateTime { fsp } | ColumnType::Timestamp { fsp } => self.as_datetime(fsp),
            ColumnType::Json => self.as_json(),
            _ if to.collation == CollationId::BINARY => self.as_bytes(),
            _ => self.as_text(),
        }
    }

    /// The column that a result shows for it.
    pub fn column(&self, name: &str) -> Column {
        let origin = self.origin.as_ref();
        Column {
            name: origin.map_or_else(|| name.into(), |origin| origin.column.name.clone()),
            column_type: self.column_type.clone(),
            collation: self.collation,
            nullable: self.nullable,
            auto_increment: origin.is_some_and(|origin| origin.column.auto_increment),
            has_default: false,
            declared: origin.map_or_else(|| "".into(), |origin| origin.column.declared.clone()),
        }
    }
}

/// VARCHAR of a length.
pub fn varchar(length: usize) -> ColumnType {
    ColumnType::VarChar { length: u32::try_from(length).unwrap_or(u32::MAX) }
}

/// A text in SQLite's quotes.
pub fn string(text: &str) -> String {
    if text.contains('\0') {
        return format!("CAST({} AS TEXT)", hex(text.as_bytes()));
    }
    format!("'{}'", text.replace('\'', "''"))
}

/// Bytes as a SQLite literal.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut sql = String::with_capacity(bytes.len() * 2 + 3);
    sql.push_str("X'");
    for byte in bytes {
        let _ = write!(sql, "{byte:02X}");
    }
    sql.push('\'');
    sql
}

/// The collation under which two or more texts meet.
pub fn meet(parts: &[&Typed], operation: &str) -> Result<(CollationId, Strength), Fault> {
    let mut found: Option<(CollationId, Strength)> = None;
    for part in parts.iter().filter(|part| part.is_text()) {
        let next = (part.collation, part.strength);
        found = Some(match found {
            None => next,
            Some(have) if have.0 == next.0 => (have.0, have.1.min(next.1)),
            Some(have) if have.1 < next.1 => have,
            Some(have) if have.1 > next.1 => next,
            Some(have) if have.1 == Strength::Explicit => {
                let _ = have;
                return Err(Fault::MixedCollations(operation.to_owned()));
            }
            Some(have) => meet_equal(have, next, operation)?,
        });
    }
    Ok(found.unwrap_or((DEFAULT, Strength::Literal)))
}

/// Of equal strength: `_bin` prevails within a character set, utf8mb4 over the others.
fn meet_equal(
    left: (CollationId, Strength),
    right: (CollationId, Strength),
    operation: &str,
) -> Result<(CollationId, Strength), Fault> {
    let same = collation::charset(left.0) == collation::charset(right.0);
    let left_bin = collation::is_bytewise(left.0);
    let right_bin = collation::is_bytewise(right.0);
    match (same, left_bin, right_bin) {
        (true, true, false) => Ok(left),
        (true, false, true) => Ok(right),
        (false, ..) => match (collation::charset(left.0), collation::charset(right.0)) {
            (Some(collation::Charset::Utf8mb4), _) => Ok(left),
            (_, Some(collation::Charset::Utf8mb4)) => Ok(right),
            _ => Err(Fault::MixedCollations(operation.to_owned())),
        },
        _ => Err(Fault::MixedCollations(operation.to_owned())),
    }
}

/// What two values are compared as.
pub fn compare_class(left: &Typed, right: &Typed, operation: &str) -> Result<Class, Fault> {
    if left.is_null() || right.is_null() {
        return Ok(Class::Int);
    }
    let json = |value: &Typed| value.column_type == ColumnType::Json;
    let time = |value: &Typed| matches!(value.column_type, ColumnType::Time { .. });
    if json(left) || json(right) {
        return Ok(Class::Json);
    }
    if left.is_date() || right.is_date() {
        if time(left) || time(right) {
            return Err(Fault::Unsupported("comparing a date with a time".to_owned()));
        }
        return Ok(Class::DateTime);
    }
    if time(left) || time(right) {
        return Ok(Class::Time);
    }
    if left.is_string() && right.is_string() {
        if left.is_text() && right.is_text() {
            return Ok(Class::Text(meet(&[left, right], operation)?.0));
        }
        return Ok(Class::Bytes);
    }
    Ok(match (left.number_class(), right.number_class()) {
        (Some(Class::Int), Some(Class::Int)) => Class::Int,
        (Some(Class::Int | Class::Decimal), Some(Class::Int | Class::Decimal)) => Class::Decimal,
        (Some(Class::Int), None) if is_whole(right) => Class::Decimal,
        (None, Some(Class::Int)) if is_whole(left) => Class::Decimal,
        (Some(Class::Int), None) if is_member(right) => Class::Int,
        (None, Some(Class::Int)) if is_member(left) => Class::Int,
        _ => Class::Double,
    })
}

fn is_member(value: &Typed) -> bool {
    matches!(value.column_type, ColumnType::Enum { .. } | ColumnType::Set { .. })
}

fn is_whole(value: &Typed) -> bool {
    matches!(&value.literal, Literal::Text(text)
        if !text.is_empty() && text.len() < 20 && text.bytes().all(|b| b.is_ascii_digit()))
}

/// The type that values of several types have in common, as in CASE, COALESCE and UNION.
pub fn common(parts: &[&Typed], operation: &str) -> Result<Type, Fault> {
    let parts: Vec<&Typed> = parts.iter().copied().filter(|part| !part.is_null()).collect();
    let Some(first) = parts.first() else {
        return Ok(Typed::null().value_type());
    };
    let plain = |column_type: ColumnType| Type { column_type, collation: CollationId::BINARY };
    let all = |test: fn(&Typed) -> bool| parts.iter().all(|part| test(part));
    if parts.iter().all(|part| part.column_type == first.column_type && !part.is_string()) {
        return Ok(first.value_type());
    }
    if all(|part| part.column_type == ColumnType::Json) {
        return Ok(plain(ColumnType::Json));
    }
    if all(Typed::is_number) {
        return Ok(plain(common_number(&parts)));
    }
    let fsp = parts.iter().map(|part| part.scale()).max().unwrap_or(0).min(6);
    if all(Typed::is_date) {
        return Ok(plain(ColumnType::DateTime { fsp }));
    }
    if all(|part| matches!(part.column_type, ColumnType::Time { .. })) {
        return Ok(plain(ColumnType::Time { fsp }));
    }
    let bytes = parts.iter().any(|part| part.is_string() && !part.is_text());
    let collation = if bytes { CollationId::BINARY } else { meet(&parts, operation)?.0 };
    let long = parts
        .iter()
        .any(|part| matches!(part.column_type, ColumnType::Text { .. } | ColumnType::Json));
    let column_type = if long {
        ColumnType::Text { length_bytes: 4 }
    } else {
        varchar(parts.iter().map(|part| length(part)).max().unwrap_or(0))
    };
    Ok(Type { column_type, collation })
}

/// How many characters a value has at most.
pub fn length(value: &Typed) -> usize {
    let length = match &value.column_type {
        ColumnType::Char { length } | ColumnType::VarChar { length } => *length,
        ColumnType::Enum { members } => {
            return members.iter().map(|m| m.chars().count()).max().unwrap_or(0);
        }
        ColumnType::Set { members } => {
            return members.iter().map(|m| m.chars().count() + 1).sum::<usize>().saturating_sub(1);
        }
        ColumnType::Date => 10,
        ColumnType::Decimal { precision, .. } => u32::from(*precision) + 2,
        _ => return usize::from(value.whole_digits()) + 1,
    };
    usize::try_from(length).unwrap_or(usize::MAX)
}

fn common_number(parts: &[&Typed]) -> ColumnType {
    let class = |want: Class| parts.iter().any(|part| part.number_class() == Some(want));
    let scale = parts.iter().map(|part| part.scale()).max().unwrap_or(0);
    let whole = parts.iter().map(|part| part.whole_digits()).max().unwrap_or(0);
    if class(Class::Double) {
        return ColumnType::Double { unsigned: false };
    }
    if class(Class::Decimal) {
        return ColumnType::Decimal {
            precision: whole.saturating_add(scale).min(65),
            scale,
            unsigned: false,
        };
    }
    let unsigned = parts.iter().all(|part| part.is_unsigned());
    let wide = |part: &&Typed| {
        matches!(
            part.column_type,
            ColumnType::Int { bytes: 8, unsigned: true } | ColumnType::Bit { .. }
        )
    };
    if !unsigned && parts.iter().any(wide) {
        return ColumnType::Decimal { precision: 20, scale: 0, unsigned: false };
    }
    let bytes = parts.iter().map(|part| match part.column_type {
        ColumnType::Int { bytes, .. } => bytes,
        _ => 8,
    });
    ColumnType::Int { bytes: bytes.max().unwrap_or(8), unsigned }
}
