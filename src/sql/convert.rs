//! sqlparser's expressions into ours: the fence. What MySQL has and nobody here can judge is
//! refused by name.

use sqlparser::ast;
use sqlparser::ast::{
    BinaryOperator, DataType, Expr as Theirs, FunctionArg, FunctionArgExpr, FunctionArguments,
    Ident, ObjectName, UnaryOperator, Value,
};

use super::SqlError;
use super::cursor::{self, NESTING_MAX};
use super::dialect::DIV;
use super::expr::{
    BinaryOp, CastType, ColumnRef, Expr, Image, Literal, Scope, Temporal, Test, UnaryOp,
};

/// Where an expression stands, which decides what its names mean.
#[derive(Clone, Copy)]
pub(super) enum Place<'a> {
    /// A VSTREAM's WHERE: `op` and `pos` have a meaning.
    Vstream { table: &'a str },
    /// A filter rule's WHERE.
    Filter,
    /// SHOW's WHERE: columns of the answer.
    Show,
    /// SET's values: variables, but no columns.
    Set,
}

/// Converts one expression.
pub(super) struct Converter<'a> {
    place: Place<'a>,
    /// Whether `pos`, the start position, was met.
    pub mentions_pos: bool,
}

impl<'a> Converter<'a> {
    pub fn new(place: Place<'a>) -> Self {
        Self { place, mentions_pos: false }
    }

    /// Converts `theirs`.
    pub fn convert(&mut self, theirs: Theirs) -> Result<Expr, SqlError> {
        self.at(theirs, 0)
    }

    fn boxed(&mut self, theirs: Box<Theirs>, depth: usize) -> Result<Box<Expr>, SqlError> {
        self.at(*theirs, depth).map(Box::new)
    }

    fn all(&mut self, theirs: Vec<Theirs>, depth: usize) -> Result<Vec<Expr>, SqlError> {
        theirs.into_iter().map(|expr| self.at(expr, depth)).collect()
    }

    /// `depth` counts what encloses `theirs`; links of an AND or OR chain do not.
    fn at(&mut self, theirs: Theirs, depth: usize) -> Result<Expr, SqlError> {
        if depth > NESTING_MAX {
            return Err(SqlError::TooDeep { max: NESTING_MAX });
        }
        let inner = depth + 1;
        match theirs {
            Theirs::Nested(expr) => self.at(*expr, inner),
            Theirs::Value(value) => Ok(Expr::Literal(literal(value.value)?)),
            Theirs::TypedString(typed) => temporal(typed),
            Theirs::Identifier(name) => self.column(vec![name]),
            Theirs::CompoundIdentifier(names) => self.column(names),
            Theirs::Prefixed { prefix, value } => self.prefixed(prefix, *value),
            Theirs::UnaryOp { op, expr } => self.unary(op, *expr, inner),
            Theirs::BinaryOp { .. } => self.binary(theirs, inner),
            Theirs::IsNull(_)
            | Theirs::IsNotNull(_)
            | Theirs::IsTrue(_)
            | Theirs::IsNotTrue(_)
            | Theirs::IsFalse(_)
            | Theirs::IsNotFalse(_)
            | Theirs::IsUnknown(_)
            | Theirs::IsNotUnknown(_) => self.is(theirs, inner),
            Theirs::InList { .. }
            | Theirs::Between { .. }
            | Theirs::Like { any: false, .. }
            | Theirs::RLike { .. } => self.predicate(theirs, inner),
            Theirs::Case { operand, conditions, else_result, .. } => {
                let operand = operand.map(|expr| self.boxed(expr, inner)).transpose()?;
                let branches = conditions.into_iter().map(|case| {
                    Ok((self.at(case.condition, inner)?, self.at(case.result, inner)?))
                });
                let branches = branches.collect::<Result<_, SqlError>>()?;
                let otherwise = else_result.map(|expr| self.boxed(expr, inner)).transpose()?;
                Ok(Expr::Case { operand, branches, otherwise })
            }
            Theirs::Collate { expr, collation } => Ok(Expr::Collate {
                operand: self.boxed(expr, inner)?,
                collation: single(&collation, "this collation")?.to_ascii_lowercase(),
            }),
            Theirs::Cast { .. } | Theirs::Convert { .. } => self.cast(theirs, inner),
            other => self.call(other, inner),
        }
    }

    fn column(&mut self, names: Vec<Ident>) -> Result<Expr, SqlError> {
        let mut names = names.into_iter();
        let (first, second) = match (names.next(), names.next(), names.next()) {
            (Some(first), second, None) => (first, second),
            _ => return Err(unsupported("a column of another keyspace")),
        };
        let bare = |name: &Ident, word| {
            name.quote_style.is_none() && name.value.eq_ignore_ascii_case(word)
        };
        for name in [Some(&first), second.as_ref()].into_iter().flatten() {
            if name.quote_style.is_none() && cursor::is_reserved(&name.value) {
                let line = usize::try_from(name.span.start.line).unwrap_or(usize::MAX);
                return Err(SqlError::Syntax { near: name.value.clone(), line });
            }
        }
        let Some(column) = second else {
            return match self.place {
                Place::Set => Err(SqlError::ColumnInSet { name: first.value }),
                Place::Vstream { .. } if bare(&first, "op") => Ok(Expr::Op),
                Place::Vstream { .. } if bare(&first, "pos") => {
                    self.mentions_pos = true;
                    Ok(Expr::column("pos"))
                }
                Place::Vstream { .. } | Place::Filter | Place::Show => {
                    Ok(Expr::Column(ColumnRef { image: None, name: first.value }))
                }
            };
        };
        let image = match self.place {
            Place::Set => return Err(SqlError::ColumnInSet { name: column.value }),
            Place::Show => return Err(SqlError::Qualifier { name: first.value }),
            Place::Vstream { .. } | Place::Filter if bare(&first, "old") => Some(Image::Old),
            Place::Vstream { .. } | Place::Filter if bare(&first, "new") => Some(Image::New),
            Place::Vstream { table } if first.value == table => None,
            Place::Vstream { .. } | Place::Filter => {
                return Err(SqlError::Qualifier { name: first.value });
            }
        };
        Ok(Expr::Column(ColumnRef { image, name: column.value }))
    }

    /// A variable, or a text behind its character set.
    fn prefixed(&mut self, prefix: Ident, value: Theirs) -> Result<Expr, SqlError> {
        match (prefix.value.to_ascii_lowercase().as_str(), value) {
            ("@" | "@@", _) if !matches!(self.place, Place::Set | Place::Show) => {
                Err(unsupported("a variable in a predicate"))
            }
            ("@", Theirs::CompoundIdentifier(parts)) => {
                Ok(Expr::UserVariable(dotted(&parts).to_ascii_lowercase()))
            }
            ("@@", Theirs::CompoundIdentifier(parts)) => {
                let (scope, name) = variable(&parts);
                Ok(Expr::Variable { scope, name })
            }
            ("_utf8mb4" | "_utf8" | "_utf8mb3", Theirs::Value(value)) => {
                match literal(value.value)? {
                    Literal::Text(text) => Ok(Expr::Literal(Literal::Text(text))),
                    _ => Err(unsupported("a character set before what is no text")),
                }
            }
            ("_binary", Theirs::Value(value)) => match literal(value.value)? {
                Literal::Text(text) => Ok(Expr::Literal(Literal::Bytes(text.into_bytes()))),
                bytes => Ok(Expr::Literal(bytes)),
            },
            _ => Err(unsupported("a text in another character set than utf8mb4")),
        }
    }

    fn unary(&mut self, op: UnaryOperator, expr: Theirs, depth: usize) -> Result<Expr, SqlError> {
        let operand = self.at(expr, depth)?;
        let op = match op {
            UnaryOperator::Plus => return Ok(operand),
            UnaryOperator::Not | UnaryOperator::BangNot => UnaryOp::Not,
            UnaryOperator::BitwiseNot => UnaryOp::BitNot,
            UnaryOperator::Minus => match operand {
                Expr::Literal(Literal::Number(digits)) if !digits.starts_with('-') => {
                    return Ok(Expr::Literal(Literal::Number(format!("-{digits}"))));
                }
                operand => {
                    return Ok(Expr::Unary { op: UnaryOp::Minus, operand: Box::new(operand) });
                }
            },
            _ => return Err(unsupported("this operator")),
        };
        Ok(Expr::Unary { op, operand: Box::new(operand) })
    }

    fn binary(&mut self, theirs: Theirs, depth: usize) -> Result<Expr, SqlError> {
        let Theirs::BinaryOp { left, op, right } = theirs else {
            return Err(unsupported("this operator"));
        };
        let op = match op {
            BinaryOperator::And | BinaryOperator::Or | BinaryOperator::StringConcat => {
                let and = op == BinaryOperator::And;
                return self.chain(Theirs::BinaryOp { left, op, right }, and, depth);
            }
            BinaryOperator::Arrow | BinaryOperator::LongArrow => {
                let arguments = vec![self.at(*left, depth)?, self.at(*right, depth)?];
                let value = Expr::Function { name: "JSON_EXTRACT".to_owned(), arguments };
                if op == BinaryOperator::Arrow {
                    return Ok(value);
                }
                return Ok(Expr::Function {
                    name: "JSON_UNQUOTE".to_owned(),
                    arguments: vec![value],
                });
            }
            op => binary_op(&op).ok_or_else(|| unsupported("this operator"))?,
        };
        Ok(Expr::Binary { op, left: self.boxed(left, depth)?, right: self.boxed(right, depth)? })
    }

    /// Flattens a chain of ANDs or of ORs; walks its left spine without recursion.
    fn chain(&mut self, theirs: Theirs, and: bool, depth: usize) -> Result<Expr, SqlError> {
        let mut reversed = Vec::new();
        let mut rest = theirs;
        loop {
            rest = match rest {
                Theirs::BinaryOp { left, op: BinaryOperator::And, right } if and => {
                    reversed.push(*right);
                    *left
                }
                Theirs::BinaryOp {
                    left,
                    op: BinaryOperator::Or | BinaryOperator::StringConcat,
                    right,
                } if !and => {
                    reversed.push(*right);
                    *left
                }
                first => {
                    reversed.push(first);
                    break;
                }
            };
        }
        let mut terms = Vec::with_capacity(reversed.len());
        for term in reversed.into_iter().rev() {
            match self.at(term, depth)? {
                Expr::And(inner) if and => terms.extend(inner),
                Expr::Or(inner) if !and => terms.extend(inner),
                term => terms.push(term),
            }
        }
        Ok(if and { Expr::And(terms) } else { Expr::Or(terms) })
    }

    fn is(&mut self, theirs: Theirs, depth: usize) -> Result<Expr, SqlError> {
        let (operand, test, negated) = match theirs {
            Theirs::IsNull(expr) => (expr, Test::Null, false),
            Theirs::IsNotNull(expr) => (expr, Test::Null, true),
            Theirs::IsTrue(expr) => (expr, Test::True, false),
            Theirs::IsNotTrue(expr) => (expr, Test::True, true),
            Theirs::IsFalse(expr) => (expr, Test::False, false),
            Theirs::IsNotFalse(expr) => (expr, Test::False, true),
            Theirs::IsUnknown(expr) => (expr, Test::Unknown, false),
            Theirs::IsNotUnknown(expr) => (expr, Test::Unknown, true),
            _ => return Err(unsupported("this test")),
        };
        Ok(Expr::Is { operand: self.boxed(operand, depth)?, test, negated })
    }

    fn predicate(&mut self, theirs: Theirs, depth: usize) -> Result<Expr, SqlError> {
        match theirs {
            Theirs::InList { expr, list, negated } => Ok(Expr::In {
                operand: self.operand(expr, depth)?,
                list: self.all(list, depth)?,
                negated,
            }),
            Theirs::Between { expr, negated, low, high } => Ok(Expr::Between {
                operand: self.operand(expr, depth)?,
                low: self.boxed(low, depth)?,
                high: self.boxed(high, depth)?,
                negated,
            }),
            Theirs::Like { negated, expr, pattern, escape_char, .. } => Ok(Expr::Like {
                operand: self.operand(expr, depth)?,
                pattern: self.boxed(pattern, depth)?,
                escape: match escape_char {
                    None => Some('\\'),
                    Some(escape) => self.escape(*escape)?,
                },
                negated,
            }),
            Theirs::RLike { negated, expr, pattern, .. } => Ok(Expr::Regexp {
                operand: self.operand(expr, depth)?,
                pattern: self.boxed(pattern, depth)?,
                negated,
            }),
            _ => Err(unsupported("this predicate")),
        }
    }

    /// What stands before IN, LIKE and their like. MySQL does not let these follow each other
    /// without parentheses, and sqlparser would group them otherwise.
    fn operand(&mut self, expr: Box<Theirs>, depth: usize) -> Result<Box<Expr>, SqlError> {
        match *expr {
            Theirs::InList { .. }
            | Theirs::Between { .. }
            | Theirs::Like { .. }
            | Theirs::RLike { .. } => {
                Err(unsupported("a chain of IN, BETWEEN, LIKE or REGEXP without parentheses"))
            }
            expr => self.at(expr, depth).map(Box::new),
        }
    }

    fn escape(&mut self, escape: Theirs) -> Result<Option<char>, SqlError> {
        if let Expr::Literal(Literal::Text(text)) = self.at(escape, 0)? {
            let mut chars = text.chars();
            if let (escape, None) = (chars.next(), chars.next()) {
                return Ok(escape);
            }
        }
        Err(unsupported("an ESCAPE of more than one character"))
    }

    fn cast(&mut self, theirs: Theirs, depth: usize) -> Result<Expr, SqlError> {
        match theirs {
            Theirs::Cast { kind: ast::CastKind::Cast, expr, data_type, format: None } => {
                Ok(Expr::Cast { operand: self.boxed(expr, depth)?, to: cast_type(&data_type)? })
            }
            Theirs::Convert {
                is_try: false,
                expr,
                data_type: Some(data_type),
                charset: None,
                ..
            } => Ok(Expr::Cast { operand: self.boxed(expr, depth)?, to: cast_type(&data_type)? }),
            Theirs::Convert {
                is_try: false,
                expr,
                data_type: None,
                charset: Some(charset),
                ..
            } => Ok(Expr::Convert {
                operand: self.boxed(expr, depth)?,
                charset: single(&charset, "this character set")?.to_ascii_lowercase(),
            }),
            _ => Err(unsupported("this cast")),
        }
    }

    fn call(&mut self, theirs: Theirs, depth: usize) -> Result<Expr, SqlError> {
        let (name, arguments) = match theirs {
            Theirs::Function(function) => return self.function(function, depth),
            Theirs::Substring { expr, substring_from, substring_for, .. } => {
                let mut arguments = vec![*expr];
                arguments.extend(substring_from.map(|expr| *expr));
                arguments.extend(substring_for.map(|expr| *expr));
                ("SUBSTRING", arguments)
            }
            Theirs::Trim { trim_where: None, trim_what: None, expr, trim_characters: None } => {
                ("TRIM", vec![*expr])
            }
            Theirs::Ceil {
                expr,
                field: ast::CeilFloorKind::DateTimeField(ast::DateTimeField::NoDateTime),
            } => ("CEILING", vec![*expr]),
            Theirs::Floor {
                expr,
                field: ast::CeilFloorKind::DateTimeField(ast::DateTimeField::NoDateTime),
            } => ("FLOOR", vec![*expr]),
            Theirs::Position { expr, r#in } => ("LOCATE", vec![*expr, *r#in]),
            Theirs::InSubquery { .. } | Theirs::Exists { .. } | Theirs::Subquery(_) => {
                return Err(unsupported("a subquery"));
            }
            Theirs::Tuple(_) => return Err(unsupported("a row of values")),
            Theirs::Interval(_) => return Err(unsupported("INTERVAL")),
            _ => return Err(unsupported("this expression")),
        };
        Ok(Expr::Function { name: name.to_owned(), arguments: self.all(arguments, depth)? })
    }

    fn function(&mut self, function: ast::Function, depth: usize) -> Result<Expr, SqlError> {
        let name = single(&function.name, "a function of a schema")?.to_ascii_uppercase();
        if function.over.is_some() || function.filter.is_some() {
            return Err(unsupported("a window function"));
        }
        let arguments = match function.args {
            // CURRENT_TIMESTAMP and its like may stand without parentheses.
            FunctionArguments::None => Vec::new(),
            FunctionArguments::List(list)
                if list.duplicate_treatment.is_none() && list.clauses.is_empty() =>
            {
                let mut arguments = Vec::with_capacity(list.args.len());
                for argument in list.args {
                    match argument {
                        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => arguments.push(expr),
                        _ => return Err(unsupported("an aggregate")),
                    }
                }
                arguments
            }
            FunctionArguments::List(_) => return Err(unsupported("an aggregate")),
            FunctionArguments::Subquery(_) => return Err(unsupported("a subquery")),
        };
        let arguments = self.all(arguments, depth)?;
        if name != "CHANGED" || matches!(self.place, Place::Set | Place::Show) {
            return Ok(Expr::Function { name, arguments });
        }
        let names = arguments.into_iter().map(|argument| match argument {
            Expr::Column(ColumnRef { image: None, name }) => Ok(name),
            _ => Err(SqlError::Changed),
        });
        let names: Vec<String> = names.collect::<Result<_, _>>()?;
        if names.is_empty() { Err(SqlError::Changed) } else { Ok(Expr::Changed(names)) }
    }
}

/// A variable's scope and name, in lower case, from the names behind `@@`.
pub(super) fn variable(parts: &[Ident]) -> (Option<Scope>, String) {
    if let Some((first, rest)) = parts.split_first()
        && !rest.is_empty()
        && let Some(scope) = scope(&first.value)
    {
        return (Some(scope), dotted(rest).to_ascii_lowercase());
    }
    (None, dotted(parts).to_ascii_lowercase())
}

/// A scope by its keyword.
pub(super) fn scope(word: &str) -> Option<Scope> {
    match word.to_ascii_uppercase().as_str() {
        "SESSION" | "LOCAL" => Some(Scope::Session),
        "GLOBAL" => Some(Scope::Global),
        "PERSIST" => Some(Scope::Persist),
        "PERSIST_ONLY" => Some(Scope::PersistOnly),
        _ => None,
    }
}

fn dotted(parts: &[Ident]) -> String {
    parts.iter().map(|part| part.value.as_str()).collect::<Vec<_>>().join(".")
}

fn binary_op(op: &BinaryOperator) -> Option<BinaryOp> {
    Some(match op {
        BinaryOperator::Xor => BinaryOp::Xor,
        BinaryOperator::Eq => BinaryOp::Eq,
        BinaryOperator::Spaceship => BinaryOp::NullSafeEq,
        BinaryOperator::NotEq => BinaryOp::NotEq,
        BinaryOperator::Lt => BinaryOp::Lt,
        BinaryOperator::LtEq => BinaryOp::LtEq,
        BinaryOperator::Gt => BinaryOp::Gt,
        BinaryOperator::GtEq => BinaryOp::GtEq,
        BinaryOperator::BitwiseOr => BinaryOp::BitOr,
        BinaryOperator::BitwiseAnd => BinaryOp::BitAnd,
        BinaryOperator::PGBitwiseShiftLeft => BinaryOp::ShiftLeft,
        BinaryOperator::PGBitwiseShiftRight => BinaryOp::ShiftRight,
        BinaryOperator::Plus => BinaryOp::Add,
        BinaryOperator::Minus => BinaryOp::Subtract,
        BinaryOperator::Multiply => BinaryOp::Multiply,
        BinaryOperator::Divide => BinaryOp::Divide,
        BinaryOperator::Custom(word) if word == DIV => BinaryOp::IntegerDivide,
        BinaryOperator::Modulo => BinaryOp::Modulo,
        BinaryOperator::BitwiseXor => BinaryOp::BitXor,
        _ => return None,
    })
}

fn literal(value: Value) -> Result<Literal, SqlError> {
    match value {
        Value::Null => Ok(Literal::Null),
        Value::Boolean(value) => Ok(Literal::Bool(value)),
        Value::Number(digits, false) => Ok(Literal::Number(digits)),
        Value::SingleQuotedString(text)
        | Value::DoubleQuotedString(text)
        | Value::NationalStringLiteral(text) => Ok(Literal::Text(text)),
        Value::HexStringLiteral(digits) => hex(&digits)
            .map(Literal::Bytes)
            .ok_or_else(|| unsupported("a hex literal of this form")),
        Value::SingleQuotedByteStringLiteral(digits) => bits(&digits)
            .map(Literal::Bytes)
            .ok_or_else(|| unsupported("a bit literal of this form")),
        Value::Placeholder(_) => Err(unsupported("a placeholder")),
        _ => Err(unsupported("a literal of this form")),
    }
}

/// Bytes of an even number of hex digits; an odd one, as `0xf` may have, counts from the right.
fn hex(digits: &str) -> Option<Vec<u8>> {
    let even =
        if digits.len().is_multiple_of(2) { digits.to_owned() } else { format!("0{digits}") };
    let digits: Option<Vec<u32>> = even.chars().map(|digit| digit.to_digit(16)).collect();
    let bytes = digits?;
    bytes
        .chunks(2)
        .map(|pair| u8::try_from(pair.iter().fold(0, |byte, digit| byte * 16 + digit)).ok())
        .collect()
}

fn bits(digits: &str) -> Option<Vec<u8>> {
    let padded = format!("{}{digits}", "0".repeat((8 - digits.len() % 8) % 8));
    let digits: Option<Vec<u32>> = padded.chars().map(|digit| digit.to_digit(2)).collect();
    digits?
        .chunks(8)
        .map(|byte| u8::try_from(byte.iter().fold(0, |byte, bit| byte * 2 + bit)).ok())
        .collect()
}

fn temporal(typed: ast::TypedString) -> Result<Expr, SqlError> {
    let kind = match typed.data_type {
        DataType::Date => Temporal::Date,
        DataType::Time(None, ast::TimezoneInfo::None) => Temporal::Time,
        DataType::Timestamp(None, ast::TimezoneInfo::None) => Temporal::Timestamp,
        _ => return Err(unsupported("a literal of this form")),
    };
    match literal(typed.value.value)? {
        Literal::Text(text) => Ok(Expr::Literal(Literal::Temporal(kind, text))),
        _ => Err(unsupported("a literal of this form")),
    }
}

fn cast_type(theirs: &DataType) -> Result<CastType, SqlError> {
    let refused = || unsupported("a cast to this type");
    Ok(match theirs {
        DataType::Signed | DataType::SignedInteger => CastType::Signed,
        DataType::Unsigned | DataType::UnsignedInteger => CastType::Unsigned,
        DataType::Char(None) | DataType::Character(None) => CastType::Char(None),
        DataType::Char(Some(ast::CharacterLength::IntegerLength { length, unit: None }))
        | DataType::Character(Some(ast::CharacterLength::IntegerLength { length, unit: None })) => {
            CastType::Char(Some(u32::try_from(*length).map_err(|_| refused())?))
        }
        DataType::Binary(length) => {
            CastType::Binary(length.map(u32::try_from).transpose().map_err(|_| refused())?)
        }
        DataType::Decimal(size) | DataType::Dec(size) => {
            let (precision, scale) = match size {
                ast::ExactNumberInfo::None => (10, 0),
                ast::ExactNumberInfo::Precision(precision) => (*precision, 0),
                ast::ExactNumberInfo::PrecisionAndScale(precision, scale) => (*precision, *scale),
            };
            let precision = u8::try_from(precision).map_err(|_| refused())?;
            let scale = u8::try_from(scale).map_err(|_| refused())?;
            CastType::Decimal(precision, scale)
        }
        DataType::Float(ast::ExactNumberInfo::None) => CastType::Float,
        DataType::Double(ast::ExactNumberInfo::None) | DataType::Real => CastType::Double,
        DataType::Date => CastType::Date,
        DataType::Time(fsp, ast::TimezoneInfo::None) => {
            CastType::Time(u8::try_from(fsp.unwrap_or(0)).map_err(|_| refused())?)
        }
        DataType::Datetime(fsp) => {
            CastType::DateTime(u8::try_from(fsp.unwrap_or(0)).map_err(|_| refused())?)
        }
        DataType::JSON => CastType::Json,
        DataType::Custom(name, modifiers) if modifiers.is_empty() => {
            match single(name, "a cast to this type")?.to_ascii_uppercase().as_str() {
                "YEAR" => CastType::Year,
                _ => return Err(refused()),
            }
        }
        _ => return Err(refused()),
    })
}

/// The only part of a name.
fn single(name: &ObjectName, refused: &'static str) -> Result<String, SqlError> {
    match name.0.as_slice() {
        [part] => {
            part.as_ident().map(|name| name.value.clone()).ok_or_else(|| unsupported(refused))
        }
        _ => Err(unsupported(refused)),
    }
}

fn unsupported(what: &'static str) -> SqlError {
    SqlError::Expression { what }
}
