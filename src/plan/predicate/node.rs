//! Compiled expressions and how they are judged on a row.

use std::cmp::Ordering;
use std::sync::Arc;

use super::arithmetic::Arithmetic;
use super::decimal::{self, Decimal};
use super::function::Function;
use super::temporal::{self, Parts};
use super::value::{Value, text_to_real};
use crate::event::collation::{self, Charset};
use crate::event::{Cell, CollationId, Op, TableSchema};
use crate::plan::EvalError;
use crate::plan::key::{enum_index, set_bits};
use crate::plan::projection::Span;

/// An expression whose columns, types and conversions are decided.
#[derive(Debug, Clone)]
pub(super) enum Node {
    Constant(Value<'static>),
    Column {
        image: Image,
        at: usize,
        reader: Reader,
    },
    /// The change's `op`.
    Op,
    /// An update gave one of these columns another value.
    Changed(Vec<usize>),
    And(Vec<Node>),
    Or(Vec<Node>),
    Xor(Box<[Node; 2]>),
    Not(Box<Node>),
    Is {
        operand: Box<Node>,
        test: Option<bool>,
        negated: bool,
    },
    Compare {
        op: Comparison,
        how: How,
        sides: Box<[Node; 2]>,
    },
    In {
        operand: Box<Node>,
        list: Vec<Node>,
        how: How,
        negated: bool,
    },
    /// The operand as each bound needs it, and the bounds: all are looked at.
    Between {
        low: Box<([Node; 2], How)>,
        high: Box<([Node; 2], How)>,
        negated: bool,
    },
    Like {
        sides: Box<[Node; 2]>,
        collation: CollationId,
        escape: Option<char>,
        negated: bool,
    },
    Arithmetic(Box<Arithmetic>),
    /// Conditions and their values; the last one stands for ELSE.
    Case {
        branches: Vec<(Node, Node)>,
        otherwise: Box<Node>,
    },
    Function(Box<Function>),
    /// A text as UTF-8.
    Decode(Charset, Box<Node>),
    /// An integer as text.
    IntText(Box<Node>),
    /// A moment as `YYYYMMDD` or `YYYYMMDDhhmmss`, with a fraction if there can be one.
    MomentNumber {
        operand: Box<Node>,
        date: bool,
        fsp: u8,
    },
    /// A TIME as `hhmmss`, with a fraction if there can be one.
    TimeNumber {
        operand: Box<Node>,
        fsp: u8,
    },
}

/// Which image of a change a column is read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Image {
    /// The one that is judged or shown.
    Shown,
    Old,
    New,
}

/// What a cell is read as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reader {
    Int,
    UInt,
    Decimal,
    Float,
    Double,
    Text,
    Moment,
    Time,
    Bit,
    EnumIndex(Arc<[Box<str>]>),
    SetBits(Arc<[Box<str>]>),
}

/// As what two values are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    Int,
    Decimal,
    Real,
    Text(CollationId),
    Moment,
    Time,
}

/// A comparison operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Eq,
    NotEq,
    Lt,
    LtEq,
    Gt,
    GtEq,
    NullSafeEq,
}

/// What is judged: the images' cells and what happened.
pub(super) struct Context<'a> {
    pub schema: &'a TableSchema,
    pub op: Op,
    pub old: Option<Cells<'a>>,
    pub new: Option<Cells<'a>>,
}

/// One image, its cells found.
#[derive(Clone, Copy)]
pub(super) struct Cells<'a> {
    pub encoded: &'a [u8],
    pub spans: &'a [Span],
}

impl Node {
    pub(super) fn eval<'a>(&'a self, context: &Context<'a>) -> Result<Value<'a>, EvalError> {
        Ok(match self {
            Self::Constant(value) => value.borrowed(),
            Self::Column { image, at, reader } => return column(context, *image, *at, reader),
            Self::Op => Value::text(context.op.symbol().as_bytes()),
            Self::Changed(columns) => changed(context, columns)?,
            Self::And(terms) => connect(context, terms, false)?,
            Self::Or(terms) => connect(context, terms, true)?,
            Self::Xor(sides) => xor(context, sides)?,
            Self::Not(operand) => {
                Value::truth(operand.eval(context)?.is_true().map(|truth| !truth))
            }
            Self::Is { operand, test, negated } => {
                let value = operand.eval(context)?;
                let truth = match test {
                    None => value.is_null(),
                    Some(test) => value.is_true() == Some(*test),
                };
                Value::truth(Some(truth != *negated))
            }
            Self::Compare { op, how, sides } => return judge(context, *op, *how, sides),
            Self::In { operand, list, how, negated } => {
                let found = is_in(context, operand, list, *how)?;
                Value::truth(found.map(|found| found != *negated))
            }
            Self::Between { low, high, negated } => {
                Value::truth(is_between(context, low, high)?.map(|found| found != *negated))
            }
            Self::Like { sides, collation, escape, negated } => {
                let text = sides[0].eval(context)?;
                if text.is_null() {
                    return Ok(Value::Null);
                }
                let pattern = sides[1].eval(context)?;
                let (Some(text), Some(pattern)) = (text.bytes(), pattern.bytes()) else {
                    return Ok(Value::Null);
                };
                let fits = collation::like(*collation, text, pattern, *escape)?;
                Value::truth(Some(fits != *negated))
            }
            Self::Arithmetic(arithmetic) => return arithmetic.eval(context),
            Self::Case { branches, otherwise } => {
                for (condition, value) in branches {
                    if condition.eval(context)?.is_true() == Some(true) {
                        return value.eval(context);
                    }
                }
                return otherwise.eval(context);
            }
            Self::Function(function) => return function.eval(context),
            Self::Decode(charset, operand) => decode(*charset, operand.eval(context)?),
            Self::IntText(operand) => match operand.eval(context)?.integer() {
                Some(int) => Value::Text(int.to_string().into_bytes().into()),
                None => Value::Null,
            },
            Self::MomentNumber { operand, date, fsp } => {
                moment_number(&operand.eval(context)?, *date, *fsp)
            }
            Self::TimeNumber { operand, fsp } => time_number(&operand.eval(context)?, *fsp),
        })
    }

    pub(super) const fn is_constant(&self) -> bool {
        matches!(self, Self::Constant(_))
    }

    /// Whether every operand is a constant, so that the expression is one.
    pub(super) fn needs_no_row(&self) -> bool {
        match self {
            Self::Constant(_) => true,
            Self::Column { .. } | Self::Op | Self::Changed(_) => false,
            Self::And(terms) | Self::Or(terms) => terms.iter().all(Self::is_constant),
            Self::Between { low, high, .. } => low.0.iter().chain(&high.0).all(Self::needs_no_row),
            Self::Xor(sides) | Self::Compare { sides, .. } | Self::Like { sides, .. } => {
                sides.iter().all(Self::needs_no_row)
            }
            Self::Not(operand)
            | Self::Is { operand, .. }
            | Self::Decode(_, operand)
            | Self::IntText(operand)
            | Self::MomentNumber { operand, .. }
            | Self::TimeNumber { operand, .. } => operand.needs_no_row(),
            Self::In { operand, list, .. } => {
                operand.needs_no_row() && list.iter().all(Self::needs_no_row)
            }
            Self::Arithmetic(arithmetic) => {
                arithmetic.left.needs_no_row() && arithmetic.right.needs_no_row()
            }
            Self::Case { branches, otherwise } => {
                let whole =
                    |(when, then): &(Self, Self)| when.needs_no_row() && then.needs_no_row();
                branches.iter().all(whole) && otherwise.needs_no_row()
            }
            Self::Function(function) => function.arguments.iter().all(Self::needs_no_row),
        }
    }
}

impl Comparison {
    fn judge(self, order: Option<Ordering>, left: &Value<'_>, right: &Value<'_>) -> Option<bool> {
        let Some(order) = order else {
            let both = left.is_null() && right.is_null();
            return (self == Self::NullSafeEq).then_some(both);
        };
        Some(match self {
            Self::Eq | Self::NullSafeEq => order.is_eq(),
            Self::NotEq => order.is_ne(),
            Self::Lt => order.is_lt(),
            Self::LtEq => order.is_le(),
            Self::Gt => order.is_gt(),
            Self::GtEq => order.is_ge(),
        })
    }
}

impl Value<'_> {
    pub(super) fn borrowed(&self) -> Value<'_> {
        match self {
            Value::Text(text) => Value::text(text),
            Value::Decimal(Decimal::Text(text)) => {
                Value::Decimal(Decimal::Text(text.as_ref().into()))
            }
            Value::Decimal(Decimal::Big(big)) => Value::Decimal(Decimal::Big(big.clone())),
            Value::Null => Value::Null,
            Value::Int(int) => Value::Int(*int),
            Value::UInt(int) => Value::UInt(*int),
            Value::Real(real) => Value::Real(*real),
            Value::Moment(moment) => Value::Moment(*moment),
            Value::Time(time) => Value::Time(*time),
        }
    }

    /// As a double, as far as it is a number or a text.
    pub(super) fn real(&self) -> Option<f64> {
        match self {
            Value::Int(int) => Some(*int as f64),
            Value::UInt(int) => Some(*int as f64),
            Value::Decimal(decimal) => decimal.to_real(),
            Value::Real(real) => Some(*real),
            Value::Text(text) => Some(text_to_real(text)),
            Value::Null | Value::Moment(_) | Value::Time(_) => None,
        }
    }

    /// As an exact number, as far as it is one.
    pub(super) fn decimal(&self) -> Option<Decimal<'_>> {
        match self {
            Value::Int(int) => Some(Decimal::Big((*int).into())),
            Value::UInt(int) => Some(Decimal::Big((*int).into())),
            Value::Decimal(Decimal::Text(text)) => Some(Decimal::Text(text.as_ref().into())),
            Value::Decimal(Decimal::Big(big)) => Some(Decimal::Big(big.clone())),
            _ => None,
        }
    }
}

/// AND ends at the first false, OR at the first true; otherwise one NULL makes it NULL.
fn connect<'a>(
    context: &Context<'a>,
    terms: &'a [Node],
    decisive: bool,
) -> Result<Value<'a>, EvalError> {
    let mut null = false;
    for term in terms {
        match term.eval(context)?.is_true() {
            Some(truth) if truth == decisive => return Ok(Value::truth(Some(decisive))),
            Some(_) => {}
            None => null = true,
        }
    }
    Ok(Value::truth((!null).then_some(!decisive)))
}

/// MySQL does not look at the other side of a NULL, nor at its errors; so too in a comparison.
fn xor<'a>(context: &Context<'a>, [left, right]: &'a [Node; 2]) -> Result<Value<'a>, EvalError> {
    let Some(left) = left.eval(context)?.is_true() else { return Ok(Value::Null) };
    Ok(Value::truth(right.eval(context)?.is_true().map(|right| left != right)))
}

fn judge<'a>(
    context: &Context<'a>,
    op: Comparison,
    how: How,
    [left, right]: &'a [Node; 2],
) -> Result<Value<'a>, EvalError> {
    let left = left.eval(context)?;
    if left.is_null() && op != Comparison::NullSafeEq {
        return Ok(Value::Null);
    }
    let right = right.eval(context)?;
    Ok(Value::truth(op.judge(compare(how, &left, &right)?, &left, &right)))
}

fn is_in<'a>(
    context: &Context<'a>,
    operand: &'a Node,
    list: &'a [Node],
    how: How,
) -> Result<Option<bool>, EvalError> {
    let operand = operand.eval(context)?;
    if operand.is_null() {
        return Ok(None);
    }
    let mut null = false;
    for item in list {
        match compare(how, &operand, &item.eval(context)?)? {
            Some(Ordering::Equal) => return Ok(Some(true)),
            Some(_) => {}
            None => null = true,
        }
    }
    Ok((!null).then_some(false))
}

fn is_between<'a>(
    context: &Context<'a>,
    (low, low_how): &'a ([Node; 2], How),
    (high, high_how): &'a ([Node; 2], How),
) -> Result<Option<bool>, EvalError> {
    let value = low[0].eval(context)?;
    if value.is_null() {
        return Ok(None);
    }
    let (low, bound) = (low[1].eval(context)?, high[1].eval(context)?);
    let above = compare(*low_how, &value, &low)?.map(Ordering::is_ge);
    let below = compare(*high_how, &high[0].eval(context)?, &bound)?.map(Ordering::is_le);
    Ok(match (above, below) {
        (Some(false), _) | (_, Some(false)) => Some(false),
        (Some(true), Some(true)) => Some(true),
        _ => None,
    })
}

/// `None` if one side is NULL.
pub(super) fn compare(
    how: How,
    left: &Value<'_>,
    right: &Value<'_>,
) -> Result<Option<Ordering>, EvalError> {
    if left.is_null() || right.is_null() {
        return Ok(None);
    }
    Ok(match (how, left, right) {
        (How::Text(collation), Value::Text(left), Value::Text(right)) => {
            Some(collation::compare(collation, left, right)?)
        }
        (How::Int, left, right) => left.integer().zip(right.integer()).map(|(l, r)| l.cmp(&r)),
        (How::Decimal, Value::Decimal(left), Value::Decimal(right)) => left.compare(right),
        (How::Decimal, left, right) => {
            left.decimal().zip(right.decimal()).and_then(|(left, right)| left.compare(&right))
        }
        (How::Real, left, right) => {
            left.real().zip(right.real()).and_then(|(left, right)| left.partial_cmp(&right))
        }
        (How::Moment, Value::Moment(left), Value::Moment(right)) => Some(left.cmp(right)),
        (How::Time, Value::Time(left), Value::Time(right)) => Some(left.cmp(right)),
        (How::Text(_) | How::Moment | How::Time, _, _) => None,
    })
}

fn column<'a>(
    context: &Context<'a>,
    image: Image,
    at: usize,
    reader: &Reader,
) -> Result<Value<'a>, EvalError> {
    let name = || context.schema.columns.get(at).map_or_else(|| "".into(), |c| Arc::clone(&c.name));
    match cell(context, image, at) {
        Cell::Null => Ok(Value::Null),
        Cell::Absent => Err(EvalError::Absent(name())),
        Cell::Text(cell) => reader.read(cell).ok_or_else(|| EvalError::Malformed(name())),
    }
}

/// A missing image is all NULL: `old.x` of an insert, `new.x` of a delete.
fn cell<'a>(context: &Context<'a>, image: Image, at: usize) -> Cell<'a> {
    let cells = match image {
        Image::Shown => context.new.or(context.old),
        Image::Old => context.old,
        Image::New => context.new,
    };
    let Some(cells) = cells else { return Cell::Null };
    cells.spans.get(at).map_or(Cell::Absent, |span| span.cell(cells.encoded))
}

/// A column that the image after leaves out was not changed; one that only the image before leaves
/// out may have been.
fn changed<'a>(context: &Context<'a>, columns: &[usize]) -> Result<Value<'a>, EvalError> {
    if context.op != Op::Update {
        return Ok(Value::truth(Some(false)));
    }
    for &at in columns {
        match (cell(context, Image::Old, at), cell(context, Image::New, at)) {
            (_, Cell::Absent) => {}
            (Cell::Absent, _) => {
                let name = context.schema.columns.get(at).map(|column| Arc::clone(&column.name));
                return Err(EvalError::Absent(name.unwrap_or_else(|| "".into())));
            }
            (old, new) if old != new => return Ok(Value::truth(Some(true))),
            _ => {}
        }
    }
    Ok(Value::truth(Some(false)))
}

impl Reader {
    /// `None` if the cell is no value of the type.
    fn read<'a>(&self, cell: &'a [u8]) -> Option<Value<'a>> {
        let text = || std::str::from_utf8(cell).ok();
        Some(match self {
            Self::Text => Value::text(cell),
            Self::Int => Value::Int(text()?.parse().ok()?),
            Self::UInt => Value::UInt(text()?.parse().ok()?),
            Self::Decimal => {
                decimal::compare_texts(cell, b"0")?;
                Value::Decimal(Decimal::Text(cell.into()))
            }
            Self::Float => Value::Real(f64::from(text()?.parse::<f32>().ok()?)),
            Self::Double => Value::Real(text()?.parse().ok()?),
            Self::Moment => Value::Moment(temporal::parse_moment(cell)?),
            Self::Time => Value::Time(temporal::parse_time(cell)?),
            Self::Bit => Value::UInt(big_endian(cell)?),
            Self::EnumIndex(members) => Value::UInt(enum_index(members, cell)?),
            Self::SetBits(members) => Value::UInt(set_bits(members, cell)?),
        })
    }
}

fn big_endian(cell: &[u8]) -> Option<u64> {
    (cell.len() <= 8).then(|| cell.iter().fold(0, |bits, &byte| bits << 8 | u64::from(byte)))
}

fn decode<'a>(charset: Charset, value: Value<'a>) -> Value<'a> {
    let Value::Text(bytes) = &value else { return value };
    if bytes.is_ascii() && charset.extends_ascii() {
        return value;
    }
    let mut text = String::new();
    // Bytes that are no text stay as they are, and fail where they are compared.
    if charset.decode(bytes, &mut text) { Value::Text(text.into_bytes().into()) } else { value }
}

fn moment_number(value: &Value<'_>, date: bool, fsp: u8) -> Value<'static> {
    let Value::Moment(moment) = value else { return Value::Null };
    let parts = Parts::unpack(*moment);
    if date {
        return Value::Int(parts.date_number());
    }
    let whole = parts.date_number() * 1_000_000 + parts.time_number();
    with_fraction(false, whole, parts.micros, fsp)
}

fn time_number(value: &Value<'_>, fsp: u8) -> Value<'static> {
    let Value::Time(time) = value else { return Value::Null };
    let seconds = time.abs() / 1_000_000;
    let whole = (seconds / 3600 * 100 + seconds / 60 % 60) * 100 + seconds % 60;
    with_fraction(*time < 0, whole, time.abs() % 1_000_000, fsp)
}

fn with_fraction(negative: bool, whole: i64, micros: i64, fsp: u8) -> Value<'static> {
    let sign = if negative { -1 } else { 1 };
    if fsp == 0 {
        return Value::Int(sign * whole);
    }
    let digits = i128::from(sign) * (i128::from(whole) * 1_000_000 + i128::from(micros));
    let number = bigdecimal::BigDecimal::new(digits.into(), 6).with_scale(i64::from(fsp));
    Value::Decimal(Decimal::Big(number))
}
