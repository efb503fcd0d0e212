//! The functions that predicates may call.

use super::arithmetic::{Operation, absolute};
use super::compile::{Compiler, calculate, compare, unsupported};
use super::meet::{self, Typed};
use super::node::{Comparison, Context, Node};
use super::temporal::Parts;
use super::typing::{Coercion, Numeric, Type};
use super::value::Value;
use crate::event::CollationId;
use crate::event::collation::{self, Charset};
use crate::plan::{EvalError, PlanError};
use crate::sql::Expr;

/// A call whose result depends on the row.
#[derive(Debug, Clone)]
pub(super) struct Function {
    name: Name,
    pub arguments: Vec<Node>,
    /// Of the first text.
    collation: CollationId,
    charset: Charset,
    shown: Box<str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Name {
    Length,
    CharLength,
    Lower,
    Upper,
    Concat,
    Left,
    Right,
    Substring,
    Trim,
    LeftTrim,
    RightTrim,
    Abs,
    Sign,
    Date,
    Year,
    Month,
    Day,
    Hour,
    Minute,
    Second,
}

/// A call by its name in upper case.
pub(super) fn compile(
    compiler: &mut Compiler<'_>,
    whole: &Expr,
    name: &str,
    arguments: &[Expr],
) -> Result<Typed, PlanError> {
    let count = || PlanError::Arguments(name.to_owned());
    let Some((function, least, most)) = find(name) else {
        return Err(if MYSQL_FUNCTIONS.contains(&name) {
            unsupported(whole)
        } else {
            PlanError::NoFunction(name.to_owned())
        });
    };
    if arguments.len() < least || arguments.len() > most {
        return Err(count());
    }
    let mut compiled = Vec::with_capacity(arguments.len());
    if function != Known::If {
        for argument in arguments {
            compiled.push(compiler.expr(argument)?);
        }
    }
    let mut compiled = compiled.into_iter();
    let mut next = || compiled.next().ok_or_else(count);
    match function {
        Known::If => {
            let [condition, then, otherwise] = arguments else { return Err(count()) };
            let condition = compiler.condition(condition)?;
            let values = vec![compiler.expr(then)?, compiler.expr(otherwise)?];
            choose(vec![condition], values, "if")
        }
        Known::Coalesce => coalesce(compiled.collect(), whole),
        Known::NullIf => {
            let (left, right) = (next()?, next()?);
            let equal = compare(Comparison::Eq, left.copy(), right)?.node;
            // A text column keeps its type here, a number too: the value is the left one's.
            choose(vec![equal], vec![Typed::null(), left], "nullif")
        }
        Known::IsNull => {
            let operand = Box::new(next()?.node);
            Ok(Typed::truth(Node::Is { operand, test: None, negated: false }))
        }
        Known::Mod => calculate(Operation::Modulo, next()?, next()?, format!("({whole})")),
        Known::Call(name) => call(name, compiled.collect(), whole),
    }
}

/// What a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Known {
    If,
    Coalesce,
    NullIf,
    IsNull,
    Mod,
    Call(Name),
}

fn find(name: &str) -> Option<(Known, usize, usize)> {
    let one = |name| Some((Known::Call(name), 1, 1));
    match name {
        "IF" => Some((Known::If, 3, 3)),
        "COALESCE" => Some((Known::Coalesce, 1, ARGUMENTS_MAX)),
        "IFNULL" => Some((Known::Coalesce, 2, 2)),
        "NULLIF" => Some((Known::NullIf, 2, 2)),
        "ISNULL" => Some((Known::IsNull, 1, 1)),
        "MOD" => Some((Known::Mod, 2, 2)),
        "LENGTH" | "OCTET_LENGTH" => one(Name::Length),
        "CHAR_LENGTH" | "CHARACTER_LENGTH" => one(Name::CharLength),
        "LOWER" | "LCASE" => one(Name::Lower),
        "UPPER" | "UCASE" => one(Name::Upper),
        "CONCAT" => Some((Known::Call(Name::Concat), 1, ARGUMENTS_MAX)),
        "LEFT" => Some((Known::Call(Name::Left), 2, 2)),
        "RIGHT" => Some((Known::Call(Name::Right), 2, 2)),
        "SUBSTRING" | "SUBSTR" | "MID" => Some((Known::Call(Name::Substring), 2, 3)),
        "TRIM" => one(Name::Trim),
        "LTRIM" => one(Name::LeftTrim),
        "RTRIM" => one(Name::RightTrim),
        "ABS" => one(Name::Abs),
        "SIGN" => one(Name::Sign),
        "DATE" => one(Name::Date),
        "YEAR" => one(Name::Year),
        "MONTH" => one(Name::Month),
        "DAY" | "DAYOFMONTH" => one(Name::Day),
        "HOUR" => one(Name::Hour),
        "MINUTE" => one(Name::Minute),
        "SECOND" => one(Name::Second),
        _ => None,
    }
}

/// The value behind the first condition that is true; the last value stands for ELSE.
fn choose(conditions: Vec<Node>, values: Vec<Typed>, name: &str) -> Result<Typed, PlanError> {
    let (mut values, ty) = meet::unite(values, name)?;
    let otherwise = Box::new(values.pop().unwrap_or(Node::Constant(Value::Null)));
    let branches = conditions.into_iter().zip(values).collect();
    Ok(Typed::new(Node::Case { branches, otherwise }, ty))
}

fn coalesce(values: Vec<Typed>, whole: &Expr) -> Result<Typed, PlanError> {
    if values.is_empty() {
        return Err(unsupported(whole));
    }
    let present = |value: &Typed| Node::Is {
        operand: Box::new(value.node.clone()),
        test: None,
        negated: true,
    };
    let conditions = values.iter().take(values.len() - 1).map(present).collect();
    choose(conditions, values, "coalesce")
}

fn call(name: Name, arguments: Vec<Typed>, whole: &Expr) -> Result<Typed, PlanError> {
    match name {
        Name::Concat => concat(arguments, whole),
        Name::Length | Name::CharLength => {
            let (nodes, coercion) = text_first(arguments, whole)?;
            Ok(Typed::truth(function(name, nodes, coercion, whole)?))
        }
        Name::Lower | Name::Upper | Name::Trim | Name::LeftTrim | Name::RightTrim => {
            let (nodes, coercion) = text_first(arguments, whole)?;
            Ok(Typed::text(function(name, nodes, coercion, whole)?, coercion))
        }
        Name::Left | Name::Right | Name::Substring => {
            let counts = arguments.iter().skip(1);
            if counts.into_iter().any(|count| !matches!(count.ty, Type::Int { .. } | Type::Null)) {
                return Err(unsupported(whole));
            }
            let (nodes, coercion) = text_first(arguments, whole)?;
            Ok(Typed::text(function(name, nodes, coercion, whole)?, coercion))
        }
        Name::Abs | Name::Sign => {
            let Some(argument) = arguments.into_iter().next() else {
                return Err(unsupported(whole));
            };
            let argument = meet::number(argument)?;
            let ty = match (name, &argument.ty, argument.ty.numeric()) {
                (_, Type::Year | Type::Bit, _) | (_, _, None) => return Err(unsupported(whole)),
                (Name::Sign, ..) => Type::Int { unsigned: false },
                (_, ty, Some(Numeric::Int | Numeric::Decimal | Numeric::Real)) => ty.clone(),
            };
            Ok(Typed::new(function(name, vec![argument.node], Coercion::NUMBER, whole)?, ty))
        }
        Name::Date
        | Name::Year
        | Name::Month
        | Name::Day
        | Name::Hour
        | Name::Minute
        | Name::Second => {
            let Some(argument) = arguments.into_iter().next() else {
                return Err(unsupported(whole));
            };
            let of_time = matches!(name, Name::Hour | Name::Minute | Name::Second);
            let fits = match argument.ty {
                Type::Date | Type::Null => !of_time,
                Type::DateTime { .. } => true,
                Type::Time { .. } => of_time,
                _ => false,
            };
            if !fits {
                return Err(unsupported(whole));
            }
            let ty = match name {
                Name::Date => Type::Date,
                // MySQL has it that YEAR() alone has no sign.
                name => Type::Int { unsigned: name == Name::Year },
            };
            Ok(Typed::new(function(name, vec![argument.node], Coercion::NUMBER, whole)?, ty))
        }
    }
}

fn function(
    name: Name,
    arguments: Vec<Node>,
    coercion: Coercion,
    whole: &Expr,
) -> Result<Node, PlanError> {
    let charset = coercion.charset().ok_or_else(|| unsupported(whole))?;
    if matches!(name, Name::Lower | Name::Upper) && charset == Charset::Binary {
        return Err(unsupported(whole));
    }
    let shown = whole.to_string().into();
    let collation = coercion.collation;
    Ok(Node::Function(Box::new(Function { name, arguments, collation, charset, shown })))
}

/// The arguments, of which the first is a text.
fn text_first(arguments: Vec<Typed>, whole: &Expr) -> Result<(Vec<Node>, Coercion), PlanError> {
    let mut coercion = Coercion::LITERAL;
    let mut nodes = Vec::with_capacity(arguments.len());
    for argument in arguments {
        if !nodes.is_empty() {
            nodes.push(argument.node);
            continue;
        }
        let text = meet::as_text(argument)?;
        if let Some(own) = text.ty.coercion() {
            coercion = own;
        }
        if !collation::is_covered(coercion.collation) && coercion.charset().is_none() {
            return Err(unsupported(whole));
        }
        nodes.push(text.node);
    }
    Ok((nodes, coercion))
}

fn concat(arguments: Vec<Typed>, whole: &Expr) -> Result<Typed, PlanError> {
    let texts: Result<Vec<Typed>, _> = arguments.into_iter().map(meet::as_text).collect();
    let (nodes, ty) = meet::unite(texts?, "concat")?;
    match ty {
        Type::Null => Ok(Typed::null()),
        Type::Text(coercion) => {
            Ok(Typed::text(function(Name::Concat, nodes, coercion, whole)?, coercion))
        }
        _ => Err(unsupported(whole)),
    }
}

impl Function {
    pub(super) fn eval<'a>(&'a self, context: &Context<'a>) -> Result<Value<'a>, EvalError> {
        if self.name == Name::Concat {
            return self.concat(context);
        }
        let [first, rest @ ..] = self.arguments.as_slice() else { return Ok(Value::Null) };
        let first = first.eval(context)?;
        let mut counts = [0_i64; 2];
        for (count, node) in counts.iter_mut().zip(rest) {
            match node.eval(context)?.integer() {
                // A count beyond 64 bits is beyond every text.
                Some(int) => *count = i64::try_from(int).unwrap_or(i64::MAX),
                None => return Ok(Value::Null),
            }
        }
        match first {
            Value::Null => Ok(Value::Null),
            Value::Text(text) => self.of_text(&text, counts, rest.len()),
            Value::Moment(moment) => Ok(self.of_moment(moment)),
            Value::Time(time) => Ok(self.of_seconds(time.abs() / 1_000_000)),
            number => self.of_number(number),
        }
    }

    fn concat<'a>(&'a self, context: &Context<'a>) -> Result<Value<'a>, EvalError> {
        let mut all = Vec::new();
        for argument in &self.arguments {
            match argument.eval(context)?.bytes() {
                Some(text) => all.extend_from_slice(text),
                None => return Ok(Value::Null),
            }
        }
        Ok(Value::Text(all.into()))
    }

    fn of_text(
        &self,
        text: &[u8],
        [first, second]: [i64; 2],
        counts: usize,
    ) -> Result<Value<'static>, EvalError> {
        let part = |part: &[u8]| Value::Text(part.to_vec().into());
        let length = || i64::try_from(self.characters(text)).unwrap_or(i64::MAX);
        Ok(match self.name {
            Name::Length => Value::Int(i64::try_from(text.len()).unwrap_or(i64::MAX)),
            Name::CharLength => Value::Int(length()),
            Name::Lower | Name::Upper => self.cased(text)?,
            Name::Trim => part(trim(text, true, true)),
            Name::LeftTrim => part(trim(text, true, false)),
            Name::RightTrim => part(trim(text, false, true)),
            Name::Left => part(self.slice(text, 0, first)),
            Name::Right => {
                let from = length() - first.max(0);
                part(self.slice(text, from.max(0), i64::MAX))
            }
            Name::Substring => {
                let wanted = if counts > 1 { second } else { i64::MAX };
                let from = if first < 0 { length() + first } else { first - 1 };
                let outside = first == 0 || from < 0 || wanted <= 0;
                part(if outside { b"" } else { self.slice(text, from, wanted) })
            }
            _ => Value::Null,
        })
    }

    fn characters(&self, text: &[u8]) -> usize {
        match self.charset {
            Charset::Utf8mb4 | Charset::Utf8mb3 => {
                text.iter().filter(|byte| !is_inner(**byte)).count()
            }
            _ => text.len(),
        }
    }

    /// `count` characters behind the first `from`.
    fn slice<'a>(&self, text: &'a [u8], from: i64, count: i64) -> &'a [u8] {
        let place = |characters: i64| {
            let characters = usize::try_from(characters).unwrap_or(0);
            match self.charset {
                Charset::Utf8mb4 | Charset::Utf8mb3 => {
                    let starts = text.iter().enumerate().filter(|(_, byte)| !is_inner(**byte));
                    starts.map(|(at, _)| at).nth(characters).unwrap_or(text.len())
                }
                _ => characters.min(text.len()),
            }
        };
        text.get(place(from)..place(from.saturating_add(count.max(0)))).unwrap_or_default()
    }

    fn cased(&self, text: &[u8]) -> Result<Value<'static>, EvalError> {
        let mut cased = Vec::with_capacity(text.len());
        match self.name {
            Name::Lower => collation::lower(self.collation, text, &mut cased)?,
            _ => collation::upper(self.collation, text, &mut cased)?,
        }
        Ok(Value::Text(cased.into()))
    }

    fn of_moment(&self, moment: i64) -> Value<'static> {
        let parts = Parts::unpack(moment);
        Value::Int(match self.name {
            Name::Date => {
                let date = Parts { hour: 0, minute: 0, second: 0, micros: 0, ..parts };
                return Value::Moment(date.pack());
            }
            Name::Year => parts.year,
            Name::Month => parts.month,
            Name::Day => parts.day,
            Name::Hour => parts.hour,
            Name::Minute => parts.minute,
            _ => parts.second,
        })
    }

    fn of_seconds(&self, seconds: i64) -> Value<'static> {
        Value::Int(match self.name {
            Name::Hour => seconds / 3600,
            Name::Minute => seconds / 60 % 60,
            _ => seconds % 60,
        })
    }

    fn of_number(&self, number: Value<'_>) -> Result<Value<'static>, EvalError> {
        if self.name == Name::Abs {
            return absolute(number, &self.shown);
        }
        let sign = match number {
            Value::Int(int) => int.signum(),
            Value::UInt(int) => i64::from(int > 0),
            Value::Real(0.0) => 0,
            Value::Real(real) => real.signum() as i64,
            other => match other.decimal().and_then(|decimal| decimal.to_real()) {
                Some(0.0) | None => 0,
                Some(real) => real.signum() as i64,
            },
        };
        Ok(Value::Int(sign))
    }
}

/// Whether a byte of UTF-8 continues a character.
const fn is_inner(byte: u8) -> bool {
    byte & 0xc0 == 0x80
}

/// Without the spaces, and only spaces, at the ends.
fn trim(mut text: &[u8], left: bool, right: bool) -> &[u8] {
    while left && let [b' ', rest @ ..] = text {
        text = rest;
    }
    while right && let [rest @ .., b' '] = text {
        text = rest;
    }
    text
}

const ARGUMENTS_MAX: usize = 64;

// Functions that MySQL has and predicates do not: to say so is better than "does not exist".
const MYSQL_FUNCTIONS: &[&str] = &[
    "ACOS",
    "ADDDATE",
    "ADDTIME",
    "ASCII",
    "ASIN",
    "ATAN",
    "ATAN2",
    "BIN",
    "BIT_COUNT",
    "BIT_LENGTH",
    "CEIL",
    "CEILING",
    "CHAR",
    "CONCAT_WS",
    "CONNECTION_ID",
    "CONV",
    "COS",
    "COT",
    "CRC32",
    "CURDATE",
    "CURRENT_DATE",
    "CURRENT_TIME",
    "CURRENT_TIMESTAMP",
    "CURRENT_USER",
    "CURTIME",
    "DATABASE",
    "DATEDIFF",
    "DATE_ADD",
    "DATE_FORMAT",
    "DATE_SUB",
    "DAYNAME",
    "DAYOFWEEK",
    "DAYOFYEAR",
    "DEGREES",
    "ELT",
    "EXP",
    "EXPORT_SET",
    "EXTRACT",
    "FIELD",
    "FIND_IN_SET",
    "FLOOR",
    "FORMAT",
    "FROM_BASE64",
    "FROM_DAYS",
    "FROM_UNIXTIME",
    "GREATEST",
    "HEX",
    "INET_ATON",
    "INET_NTOA",
    "INSERT",
    "INSTR",
    "INTERVAL",
    "JSON_ARRAY",
    "JSON_CONTAINS",
    "JSON_EXTRACT",
    "JSON_LENGTH",
    "JSON_OBJECT",
    "JSON_TYPE",
    "JSON_UNQUOTE",
    "JSON_VALID",
    "JSON_VALUE",
    "LAST_DAY",
    "LEAST",
    "LN",
    "LOCATE",
    "LOG",
    "LOG10",
    "LOG2",
    "LPAD",
    "MAKEDATE",
    "MAKETIME",
    "MD5",
    "MICROSECOND",
    "MONTHNAME",
    "NOW",
    "OCT",
    "ORD",
    "PERIOD_ADD",
    "PERIOD_DIFF",
    "PI",
    "POSITION",
    "POW",
    "POWER",
    "QUARTER",
    "QUOTE",
    "RADIANS",
    "RAND",
    "REGEXP_INSTR",
    "REGEXP_LIKE",
    "REGEXP_REPLACE",
    "REGEXP_SUBSTR",
    "REPEAT",
    "REPLACE",
    "REVERSE",
    "ROUND",
    "RPAD",
    "SEC_TO_TIME",
    "SHA1",
    "SHA2",
    "SIN",
    "SOUNDEX",
    "SPACE",
    "SQRT",
    "STRCMP",
    "STR_TO_DATE",
    "SUBDATE",
    "SUBSTRING_INDEX",
    "SUBTIME",
    "SYSDATE",
    "TAN",
    "TIME",
    "TIMEDIFF",
    "TIMESTAMP",
    "TIMESTAMPADD",
    "TIMESTAMPDIFF",
    "TIME_FORMAT",
    "TIME_TO_SEC",
    "TO_BASE64",
    "TO_DAYS",
    "TO_SECONDS",
    "TRUNCATE",
    "UNHEX",
    "UNIX_TIMESTAMP",
    "USER",
    "UTC_DATE",
    "UTC_TIME",
    "UTC_TIMESTAMP",
    "UUID",
    "VERSION",
    "WEEK",
    "WEEKDAY",
    "WEEKOFYEAR",
    "YEARWEEK",
];
