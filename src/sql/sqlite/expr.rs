//! Expressions: each operator by the static types of its operands.

use sqlparser::ast::{
    self, BinaryOperator, CastKind, DataType, Expr, Ident, ObjectName, ObjectNamePart,
    UnaryOperator, Value,
};

use super::Fault;
use super::scope::{Scope, Statement};
use super::typed::{
    Class, DEFAULT, Literal, Strength, Typed, common, compare_class, hex, meet, string, varchar,
};
use crate::event::{CollationId, ColumnType};

/// An expression's reader: the statement, the names around it, and the clause for messages.
#[derive(Clone, Copy)]
pub struct Reader<'s, 'a> {
    /// The statement.
    pub statement: &'s Statement<'a>,
    /// The names.
    pub scope: &'s Scope<'s>,
    /// The clause, as error 1054 names it.
    pub clause: &'static str,
}

impl Reader<'_, '_> {
    /// Reads an expression.
    pub fn read(&self, expr: &Expr) -> Result<Typed, Fault> {
        match expr {
            Expr::Identifier(name) => self.name(name),
            Expr::CompoundIdentifier(parts) => self.qualified(parts),
            Expr::Nested(inner) => {
                let inner = self.read(inner)?;
                Ok(Typed { sql: format!("({})", inner.sql), ..inner })
            }
            Expr::Value(value) => literal(&value.value),
            Expr::TypedString(typed) => self.typed_string(typed),
            Expr::Prefixed { prefix, value } => self.prefixed(prefix, value),
            Expr::UnaryOp { op, expr } => self.unary(*op, expr),
            Expr::BinaryOp { left, op, right } => self.binary(left, op, right),
            Expr::IsNull(inner) => self.postfix(inner, "IS NULL"),
            Expr::IsNotNull(inner) => self.postfix(inner, "IS NOT NULL"),
            Expr::IsTrue(inner) => self.postfix(inner, "IS TRUE"),
            Expr::IsNotTrue(inner) => self.postfix(inner, "IS NOT TRUE"),
            Expr::IsFalse(inner) => self.postfix(inner, "IS FALSE"),
            Expr::IsNotFalse(inner) => self.postfix(inner, "IS NOT FALSE"),
            Expr::IsUnknown(inner) => self.postfix(inner, "IS NULL"),
            Expr::IsNotUnknown(inner) => self.postfix(inner, "IS NOT NULL"),
            Expr::Between { expr, negated, low, high } => self.between(expr, *negated, low, high),
            Expr::InList { expr, list, negated } => self.in_list(expr, list, *negated),
            Expr::InSubquery { expr, subquery, negated } => self.in_query(expr, subquery, *negated),
            Expr::Exists { subquery, negated } => self.exists(subquery, *negated),
            Expr::Subquery(query) => self.scalar_query(query),
            Expr::Like { negated, any: false, expr, pattern, escape_char } => {
                self.like(expr, pattern, escape_char.as_deref(), *negated)
            }
            Expr::RLike { negated, expr, pattern, regexp: _ } => {
                self.regexp(expr, pattern, *negated)
            }
            Expr::Case { operand, conditions, else_result, .. } => {
                self.case(operand.as_deref(), conditions, else_result.as_deref())
            }
            Expr::Cast { kind: CastKind::Cast, expr, data_type, format: None } => {
                self.cast(expr, data_type)
            }
            Expr::Convert { expr, data_type, charset, styles, .. } if styles.is_empty() => {
                self.convert(expr, data_type.as_ref(), charset.as_ref())
            }
            Expr::Collate { expr, collation } => self.collate(expr, collation),
            other => self.call_like(other),
        }
    }

    /// Reads a list of expressions.
    pub fn read_all(&self, exprs: &[Expr]) -> Result<Vec<Typed>, Fault> {
        exprs.iter().map(|expr| self.read(expr)).collect()
    }

    fn name(&self, name: &Ident) -> Result<Typed, Fault> {
        if name.quote_style.is_none() {
            if let Some(system) = name.value.strip_prefix("@@") {
                return self.system_variable(system);
            }
            if let Some(user) = name.value.strip_prefix('@') {
                return Ok(self.user_variable(user));
            }
        }
        match self.clause {
            "order clause" => match self.scope.alias(&name.value) {
                Some(value) => Ok(value.clone()),
                None => self.scope.column(None, &name.value, self.clause),
            },
            "having clause" | "group statement" => {
                match self.scope.column(None, &name.value, self.clause) {
                    Ok(value) => Ok(value),
                    Err(fault) => self.scope.alias(&name.value).cloned().ok_or(fault),
                }
            }
            _ => self.scope.column(None, &name.value, self.clause),
        }
    }

    fn qualified(&self, parts: &[Ident]) -> Result<Typed, Fault> {
        if let [scope, name] = parts
            && scope.quote_style.is_none()
            && scope.value.starts_with("@@")
        {
            return self.system_variable(&name.value);
        }
        match parts {
            [table, column] => self.scope.column(Some(&table.value), &column.value, self.clause),
            [database, table, column] if database.value == self.statement.tables.database() => {
                self.scope.column(Some(&table.value), &column.value, self.clause)
            }
            _ => Err(Fault::UnknownColumn {
                column: parts.iter().map(|p| p.value.as_str()).collect::<Vec<_>>().join("."),
                clause: self.clause,
            }),
        }
    }

    fn system_variable(&self, name: &str) -> Result<Typed, Fault> {
        let name = name.to_ascii_lowercase();
        let bare = name.strip_prefix("session.").or(name.strip_prefix("global.")).unwrap_or(&name);
        let value = self.statement.variables.system(bare);
        value.map(|value| of_value(&value)).ok_or_else(|| Fault::UnknownVariable(bare.to_owned()))
    }

    fn user_variable(&self, name: &str) -> Typed {
        let value = self.statement.variables.user(&name.to_ascii_lowercase());
        let value = value.unwrap_or(super::Value::Null);
        Typed { literal: Literal::No, ..of_value(&value) }
    }

    fn typed_string(&self, typed: &ast::TypedString) -> Result<Typed, Fault> {
        let Value::SingleQuotedString(text) = &typed.value.value else {
            return Err(Fault::Unsupported(typed.to_string()));
        };
        let value = Typed::text(string(text), DEFAULT);
        let fraction = text.rsplit_once('.').map_or(0, |(_, digits)| digits.trim().len().min(6));
        let fsp = u8::try_from(fraction).unwrap_or(6);
        let (kind, column_type) = match typed.data_type {
            DataType::Date => ("DATE", ColumnType::Date),
            DataType::Time(None, _) => ("TIME", ColumnType::Time { fsp }),
            DataType::Timestamp(None, _) => ("DATETIME", ColumnType::DateTime { fsp }),
            _ => return Err(Fault::Unsupported(typed.to_string())),
        };
        let sql = format!("my_temporal('{kind}', {}, {fsp})", value.sql);
        Ok(Typed { literal: Literal::Other, ..Typed::new(sql, column_type) })
    }

    /// `_utf8mb4'text'` and `N'text'`.
    fn prefixed(&self, prefix: &Ident, value: &Expr) -> Result<Typed, Fault> {
        let value = self.read(value)?;
        match prefix.value.to_ascii_lowercase().as_str() {
            "_utf8mb4" | "_utf8" | "_utf8mb3" if value.is_text() => Ok(value),
            "_binary" => Ok(Typed::bytes(value.as_bytes())),
            _ => Err(Fault::Unsupported(format!("the introducer {}", prefix.value))),
        }
    }

    fn postfix(&self, inner: &Expr, operator: &str) -> Result<Typed, Fault> {
        let value = self.read(inner)?;
        let sql = format!("({} {operator})", value.sql);
        Ok(Typed { nullable: false, ..Typed::int(sql) }.over(&[&value]))
    }

    fn unary(&self, op: UnaryOperator, operand: &Expr) -> Result<Typed, Fault> {
        if matches!(operand, Expr::BinaryOp { op: BinaryOperator::BitwiseXor, .. }) {
            return Err(Fault::Unsupported("a sign before ^ without parentheses".to_owned()));
        }
        let value = self.read(operand)?;
        match op {
            UnaryOperator::Plus => Ok(value),
            UnaryOperator::Minus => self.negate(value),
            UnaryOperator::Not => Ok(Typed::int(format!("(NOT {})", value.sql)).over(&[&value])),
            UnaryOperator::BangNot if !matches!(operand, Expr::BinaryOp { .. }) => {
                Ok(Typed::int(format!("(NOT {})", value.sql)).over(&[&value]))
            }
            UnaryOperator::BitwiseNot => {
                Ok(Typed::unsigned(format!("my_bit('~', {}, 0)", value.as_int())).over(&[&value]))
            }
            _ => Err(Fault::Unsupported(format!("the operator {op}"))),
        }
    }

    fn negate(&self, value: Typed) -> Result<Typed, Fault> {
        match &value.literal {
            Literal::Int(number) => return Ok(whole(-number)),
            Literal::Other if matches!(value.column_type, ColumnType::Decimal { .. }) => {
                let sql = format!("'-{}", value.sql.trim_start_matches('\''));
                return Ok(Typed { sql, ..value });
            }
            _ => {}
        }
        self.arithmetic("-", &whole(0), &value)
    }

    pub(super) fn binary(
        &self,
        left: &Expr,
        op: &BinaryOperator,
        right: &Expr,
    ) -> Result<Typed, Fault> {
        use BinaryOperator as B;
        if matches!((op, right), (B::Plus | B::Minus, Expr::Interval(_)))
            || matches!((op, left), (B::Plus, Expr::Interval(_)))
        {
            return self.add_interval(left, op, right);
        }
        if let Some(tuple) = self.tuples(left, op, right)? {
            return Ok(tuple);
        }
        if matches!(op, B::Arrow | B::LongArrow) {
            return self.json_arrow(left, right, *op == B::LongArrow);
        }
        let (a, b) = (self.read(left)?, self.read(right)?);
        let logic =
            |text: &str| Ok(Typed::int(format!("({} {text} {})", a.sql, b.sql)).over(&[&a, &b]));
        match op {
            B::And => logic("AND"),
            B::PGOverlap => logic("AND"),
            B::Or | B::StringConcat => logic("OR"),
            B::Xor => {
                Ok(Typed::int(format!("((NOT {}) <> (NOT {}))", a.sql, b.sql)).over(&[&a, &b]))
            }
            B::Eq => self.compare(&a, "=", &b),
            B::NotEq => self.compare(&a, "<>", &b),
            B::Lt => self.compare(&a, "<", &b),
            B::LtEq => self.compare(&a, "<=", &b),
            B::Gt => self.compare(&a, ">", &b),
            B::GtEq => self.compare(&a, ">=", &b),
            B::Spaceship => self.compare(&a, "IS", &b),
            B::Plus => self.arithmetic("+", &a, &b),
            B::Minus => self.arithmetic("-", &a, &b),
            B::Multiply => self.arithmetic("*", &a, &b),
            B::Divide => self.arithmetic("/", &a, &b),
            B::Modulo => self.arithmetic("%", &a, &b),
            B::MyIntegerDivide => self.arithmetic("DIV", &a, &b),
            B::BitwiseAnd => Ok(bits("&", &a, &b)),
            B::BitwiseOr => Ok(bits("|", &a, &b)),
            B::BitwiseXor | B::PGBitwiseXor => Ok(bits("^", &a, &b)),
            B::PGBitwiseShiftLeft => Ok(bits("<<", &a, &b)),
            B::PGBitwiseShiftRight => Ok(bits(">>", &a, &b)),
            other => Err(Fault::Unsupported(format!("the operator {other}"))),
        }
    }

    /// `(a, b) = (1, 2)` and its kin, term by term.
    fn tuples(
        &self,
        left: &Expr,
        op: &BinaryOperator,
        right: &Expr,
    ) -> Result<Option<Typed>, Fault> {
        let (Expr::Tuple(a), Expr::Tuple(b)) = (left, right) else { return Ok(None) };
        if a.len() != b.len() {
            return Err(Fault::OperandColumns(a.len()));
        }
        let mut terms = Vec::new();
        for (left, right) in a.iter().zip(b) {
            let (left, right) = (self.read(left)?, self.read(right)?);
            let class = compare_class(&left, &right, "=")?;
            terms.push((left.key(class), right.key(class)));
        }
        let side = |pick: fn(&(String, String)) -> &String| {
            terms.iter().map(|t| pick(t).as_str()).collect::<Vec<_>>().join(", ")
        };
        let operator = match op {
            BinaryOperator::Eq => "=",
            BinaryOperator::NotEq => "<>",
            BinaryOperator::Lt => "<",
            BinaryOperator::LtEq => "<=",
            BinaryOperator::Gt => ">",
            BinaryOperator::GtEq => ">=",
            BinaryOperator::Spaceship => "IS",
            _ => return Err(Fault::OperandColumns(1)),
        };
        Ok(Some(Typed::int(format!("(({}) {operator} ({}))", side(|t| &t.0), side(|t| &t.1)))))
    }

    /// A comparison as MySQL's types of both sides demand.
    pub fn compare(&self, a: &Typed, operator: &str, b: &Typed) -> Result<Typed, Fault> {
        let class = compare_class(a, b, operator)?;
        let (left, right) = keys(a, b, class);
        let nullable = operator != "IS" && (a.nullable || b.nullable);
        let sql = format!("({left} {operator} {right})");
        Ok(Typed { nullable, truth: true, ..Typed::int(sql) }.over(&[a, b]))
    }

    /// `+ - * / % DIV`.
    pub fn arithmetic(&self, operator: &str, a: &Typed, b: &Typed) -> Result<Typed, Fault> {
        let class = |value: &Typed| match value.number_class() {
            _ if value.is_null() => Some(Class::Int),
            Some(class) => Some(class),
            None if value.column_type == ColumnType::Json => None,
            None => Some(Class::Double),
        };
        let (Some(left), Some(right)) = (class(a), class(b)) else {
            return Err(Fault::Unsupported("arithmetic with JSON values".to_owned()));
        };
        let parts = [a, b];
        if operator == "DIV" {
            let sql = format!("my_div({}, {})", a.as_decimal(None), b.as_decimal(None));
            let unsigned = a.is_unsigned() || b.is_unsigned();
            let column_type = ColumnType::Int { bytes: 8, unsigned };
            return Ok(Typed::new(sql, column_type).over(&parts));
        }
        if left == Class::Double || right == Class::Double {
            let sql =
                format!("my_arith('{operator}', 'g', {}, {}, 0)", a.as_double(), b.as_double());
            return Ok(Typed::double(sql).over(&parts));
        }
        if left == Class::Int && right == Class::Int && operator != "/" {
            let unsigned = a.is_unsigned() || b.is_unsigned();
            let unsigned = if operator == "%" { a.is_unsigned() } else { unsigned };
            let flag = if unsigned { "u" } else { "i" };
            let sql = format!(
                "my_arith('{operator}', '{flag}', {}, {}, 0)",
                a.as_int_number(),
                b.as_int_number()
            );
            return Ok(Typed::new(sql, ColumnType::Int { bytes: 8, unsigned }).over(&parts));
        }
        let (sa, sb) = (a.scale(), b.scale());
        let (wa, wb) = (a.whole_digits(), b.whole_digits());
        let (whole, scale) = match operator {
            "*" => (wa.saturating_add(wb), sa.saturating_add(sb)),
            "/" => (wa.saturating_add(sb), sa.saturating_add(4)),
            "%" => (wa.max(wb), sa.max(sb)),
            _ => (wa.max(wb).saturating_add(1), sa.max(sb)),
        };
        let scale = scale.min(30);
        let sql = format!(
            "my_arith('{operator}', 'd', {}, {}, {scale})",
            a.as_decimal(None),
            b.as_decimal(None)
        );
        let precision = whole.saturating_add(scale).min(65);
        Ok(Typed::new(sql, ColumnType::Decimal { precision, scale, unsigned: false }).over(&parts))
    }

    fn between(&self, expr: &Expr, negated: bool, low: &Expr, high: &Expr) -> Result<Typed, Fault> {
        let value = self.read(expr)?;
        let (low, high) = (self.read(low)?, self.read(high)?);
        let from = self.compare(&value, ">=", &low)?;
        let to = self.compare(&value, "<=", &high)?;
        let not = if negated { "NOT " } else { "" };
        Ok(Typed::int(format!("({not}({} AND {}))", from.sql, to.sql)).over(&[&value, &low, &high]))
    }

    fn in_list(&self, expr: &Expr, list: &[Expr], negated: bool) -> Result<Typed, Fault> {
        let mut terms = Vec::new();
        let mut aggregate = false;
        let same = match expr {
            Expr::Tuple(_) => None,
            _ => {
                let value = self.read(expr)?;
                let items = self.read_all(list)?;
                aggregate |= value.aggregate;
                self.same_class(&value, &items)?
            }
        };
        let sql = if let Some(sql) = same {
            sql
        } else {
            for item in list {
                let equal = self.binary(expr, &BinaryOperator::Eq, item)?;
                aggregate |= equal.aggregate;
                terms.push(equal.sql);
            }
            format!("({})", terms.join(" OR "))
        };
        let not = if negated { "NOT " } else { "" };
        Ok(Typed { aggregate, ..Typed::int(format!("({not}{sql})")) })
    }

    /// `x IN (..)` where all comparisons are of one kind.
    fn same_class(&self, value: &Typed, items: &[Typed]) -> Result<Option<String>, Fault> {
        let mut class = None;
        let mut keys = Vec::new();
        for item in items {
            let next = compare_class(value, item, "in")?;
            if class.is_some_and(|class| class != next) && !item.is_null() {
                return Ok(None);
            }
            if !item.is_null() {
                class = Some(next);
            }
            keys.push((item, next));
        }
        let Some(class) = class else { return Ok(None) };
        let items: Vec<String> =
            keys.iter().map(|(item, _)| keys_one(item, value, class)).collect();
        Ok(Some(format!("({} IN ({}))", value.key(class), items.join(", "))))
    }

    fn like(
        &self,
        expr: &Expr,
        pattern: &Expr,
        escape: Option<&Expr>,
        negated: bool,
    ) -> Result<Typed, Fault> {
        let (value, pattern) = (self.read(expr)?, self.read(pattern)?);
        let escape = match escape.map(|escape| self.read(escape)).transpose()? {
            None => "'\\'".to_owned(),
            Some(escape) => match escape.literal {
                Literal::Text(text) if text.chars().count() <= 1 => string(&text),
                _ => return Err(Fault::WrongUsage("ESCAPE")),
            },
        };
        let bytes = [&value, &pattern].iter().any(|v| v.is_string() && !v.is_text());
        let collation =
            if bytes { CollationId::BINARY } else { meet(&[&value, &pattern], "like")?.0 };
        let side = |v: &Typed| if bytes { v.as_bytes() } else { v.as_text() };
        let not = if negated { "NOT " } else { "" };
        let sql = format!(
            "({not}my_like({}, {}, {escape}, {}))",
            side(&value),
            side(&pattern),
            collation.0
        );
        Ok(Typed::int(sql).over(&[&value, &pattern]))
    }

    fn regexp(&self, expr: &Expr, pattern: &Expr, negated: bool) -> Result<Typed, Fault> {
        let (value, pattern) = (self.read(expr)?, self.read(pattern)?);
        let collation = meet(&[&value, &pattern], "regexp")?.0;
        let not = if negated { "NOT " } else { "" };
        let sql = format!(
            "({not}my_regexp({}, {}, {}))",
            value.as_text(),
            pattern.as_text(),
            collation.0
        );
        Ok(Typed::int(sql).over(&[&value, &pattern]))
    }

    fn case(
        &self,
        operand: Option<&Expr>,
        conditions: &[ast::CaseWhen],
        otherwise: Option<&Expr>,
    ) -> Result<Typed, Fault> {
        let operand = operand.map(|operand| self.read(operand)).transpose()?;
        let mut whens = Vec::new();
        let mut results = Vec::new();
        for when in conditions {
            let condition = self.read(&when.condition)?;
            whens.push(match &operand {
                Some(operand) => self.compare(operand, "=", &condition)?,
                None => condition,
            });
            results.push(self.read(&when.result)?);
        }
        let otherwise = otherwise.map(|otherwise| self.read(otherwise)).transpose()?;
        results.push(otherwise.unwrap_or_else(Typed::null));
        self.choose(&whens, &results, "case")
    }

    /// CASE over conditions and one more result than those.
    pub fn choose(
        &self,
        whens: &[Typed],
        results: &[Typed],
        operation: &str,
    ) -> Result<Typed, Fault> {
        let parts: Vec<&Typed> = results.iter().collect();
        let to = common(&parts, operation)?;
        let mut sql = "CASE".to_owned();
        for (when, result) in whens.iter().zip(results) {
            sql.push_str(&format!(" WHEN {} THEN {}", when.sql, result.convert(&to)));
        }
        if let Some(last) = results.last() {
            sql.push_str(&format!(" ELSE {} END", last.convert(&to)));
        }
        let mut all: Vec<&Typed> = whens.iter().collect();
        all.extend(&parts);
        Ok(self.of_common(format!("({sql})"), &to, &parts, operation)?.over(&all))
    }

    /// A value of the common type of `parts`.
    pub fn of_common(
        &self,
        sql: String,
        to: &super::Type,
        parts: &[&Typed],
        operation: &str,
    ) -> Result<Typed, Fault> {
        let strength = if parts.iter().any(|part| part.is_text()) {
            meet(parts, operation)?.1
        } else {
            Strength::Number
        };
        Ok(Typed {
            collation: to.collation,
            strength,
            nullable: parts.iter().any(|part| part.nullable),
            ..Typed::new(sql, to.column_type.clone())
        }
        .over(parts))
    }
}

impl Typed {
    /// A number that arithmetic takes as it is: dates become 20240131.
    fn as_int_number(&self) -> String {
        match self.column_type {
            ColumnType::Date
            | ColumnType::Time { .. }
            | ColumnType::DateTime { .. }
            | ColumnType::Timestamp { .. } => format!("my_int({}, {})", self.sql, self.code()),
            _ => self.as_int(),
        }
    }
}

/// Both sides of a comparison; a literal against bytes becomes a BLOB literal.
fn keys(a: &Typed, b: &Typed, class: Class) -> (String, String) {
    (keys_one(a, b, class), keys_one(b, a, class))
}

/// One side; against a column in time, a text literal that is no time is an error.
fn keys_one(value: &Typed, other: &Typed, class: Class) -> String {
    match (&value.literal, class, &other.column_type) {
        (Literal::Text(_), Class::DateTime, ColumnType::Date) => {
            format!("my_const_dt({}, 'DATE')", value.sql)
        }
        (Literal::Text(_), Class::DateTime, _) => format!("my_const_dt({}, 'DATETIME')", value.sql),
        (Literal::Text(_), Class::Time, _) => format!("my_const_time({})", value.sql),
        _ => value.key(class),
    }
}

fn bits(operator: &str, a: &Typed, b: &Typed) -> Typed {
    Typed::unsigned(format!("my_bit('{operator}', {}, {})", a.as_int(), b.as_int())).over(&[a, b])
}

/// The parts of a dotted name.
pub fn object_name(name: &ObjectName) -> Result<Vec<String>, Fault> {
    name.0
        .iter()
        .map(|part| match part {
            ObjectNamePart::Identifier(ident) => Ok(ident.value.clone()),
            ObjectNamePart::Function(_) => Err(Fault::Unsupported(name.to_string())),
        })
        .collect()
}

/// A whole number as a literal.
pub fn whole(number: i128) -> Typed {
    let literal = Literal::Int(number);
    if let Ok(small) = i64::try_from(number) {
        let sql = if small == i64::MIN {
            "(-9223372036854775807 - 1)".to_owned()
        } else {
            small.to_string()
        };
        return Typed { literal, nullable: false, ..Typed::int(sql) };
    }
    if u64::try_from(number).is_ok() {
        return Typed { literal, nullable: false, ..Typed::unsigned(format!("'{number:020}'")) };
    }
    decimal_literal(&number.to_string())
}

fn decimal_literal(text: &str) -> Typed {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let whole = whole.trim_start_matches('0');
    let scale = u8::try_from(fraction.len()).unwrap_or(u8::MAX).min(30);
    let precision = u8::try_from(whole.len()).unwrap_or(u8::MAX).saturating_add(scale).clamp(1, 65);
    let shown = if fraction.is_empty() {
        format!("'{}'", if whole.is_empty() { "0" } else { whole })
    } else {
        format!("'{}.{fraction}'", if whole.is_empty() { "0" } else { whole })
    };
    Typed {
        literal: Literal::Other,
        nullable: false,
        ..Typed::new(shown, ColumnType::Decimal { precision, scale, unsigned: false })
    }
}

/// A literal.
fn literal(value: &Value) -> Result<Typed, Fault> {
    match value {
        Value::Number(text, false) => number(text),
        Value::SingleQuotedString(text) | Value::DoubleQuotedString(text) => Ok(text_literal(text)),
        Value::NationalStringLiteral(text) => Ok(text_literal(text)),
        Value::HexStringLiteral(digits) => {
            if !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
                return Err(Fault::Syntax { near: digits.clone(), line: 1 });
            }
            // There may be many MiB of them: copied once, into as much room as they need.
            let mut sql = String::with_capacity(digits.len() + "X'0'".len());
            sql.push_str(if digits.len() % 2 == 1 { "X'0" } else { "X'" });
            sql.push_str(digits);
            sql.push('\'');
            let value = Typed::bytes(sql);
            let column_type = varchar(digits.len().div_ceil(2));
            Ok(Typed { column_type, nullable: false, literal: Literal::Other, ..value })
        }
        Value::SingleQuotedByteStringLiteral(bits) => {
            let number = u64::from_str_radix(bits, 2)
                .map_err(|_| Fault::Syntax { near: bits.clone(), line: 1 })?;
            let width = bits.len().div_ceil(8).max(1);
            let bytes = number.to_be_bytes();
            let value = Typed::bytes(hex(bytes.get(8 - width.min(8)..).unwrap_or(&bytes)));
            let column_type = varchar(width);
            Ok(Typed { nullable: false, column_type, literal: Literal::Other, ..value })
        }
        Value::Boolean(truth) => Ok(Typed { truth: true, ..whole(i128::from(*truth)) }),
        Value::Null => Ok(Typed::null()),
        other => Err(Fault::Unsupported(format!("the literal {other}"))),
    }
}

fn text_literal(text: &str) -> Typed {
    Typed {
        literal: Literal::Text(text.to_owned()),
        nullable: false,
        column_type: varchar(text.chars().count()),
        ..Typed::text(string(text), DEFAULT)
    }
}

fn number(text: &str) -> Result<Typed, Fault> {
    if text.contains(['e', 'E']) {
        let number: f64 =
            text.parse().map_err(|_| Fault::Syntax { near: text.to_owned(), line: 1 })?;
        if !number.is_finite() {
            return Err(Fault::WrongConstant { kind: "DOUBLE", value: text.to_owned() });
        }
        let sql = format!("my_num('{number:e}', 's')");
        return Ok(Typed { literal: Literal::Other, nullable: false, ..Typed::double(sql) });
    }
    if let Ok(number) = text.parse::<i128>() {
        return Ok(whole(number));
    }
    Ok(decimal_literal(text))
}

/// A variable's value.
pub fn of_value(value: &super::Value) -> Typed {
    match value {
        super::Value::Null => Typed::null(),
        super::Value::Int(number) => whole(i128::from(*number)),
        super::Value::Double(number) => Typed::double(format!("my_num('{number:e}', 's')")),
        super::Value::Decimal(text) => decimal_literal(text),
        super::Value::Text(text) => Typed { strength: Strength::System, ..text_literal(text) },
        super::Value::Bytes(bytes) => Typed::bytes(hex(bytes)),
    }
}
