//! As what two expressions are compared, and the conversions that this needs.

use super::compile::Pair;
use super::decimal::Decimal;
use super::node::{How, Node, Reader};
use super::temporal::{Literal as Read, Parts, moment_literal, time_literal};
use super::typing::{Coercion, Numeric, Type, mix};
use super::value::{Value, number_length};
use crate::event::collation::{self, Charset};
use crate::plan::PlanError;

/// A compiled expression and its type.
#[derive(Debug)]
pub(super) struct Typed {
    pub node: Node,
    pub ty: Type,
    /// A BIGINT column: texts that it is compared with become integers.
    pub wide: bool,
}

impl Typed {
    pub(super) const fn new(node: Node, ty: Type) -> Self {
        Self { node, ty, wide: false }
    }

    pub(super) const fn truth(node: Node) -> Self {
        Self::new(node, Type::Int { unsigned: false })
    }

    pub(super) const fn text(node: Node, coercion: Coercion) -> Self {
        Self::new(node, Type::Text(coercion))
    }

    pub(super) const fn constant(value: Value<'static>, ty: Type) -> Self {
        Self::new(Node::Constant(value), ty)
    }

    pub(super) const fn int(int: i64) -> Self {
        Self::constant(Value::Int(int), Type::Int { unsigned: false })
    }

    pub(super) const fn null() -> Self {
        Self::constant(Value::Null, Type::Null)
    }

    pub(super) fn copy(&self) -> Self {
        Self { node: self.node.clone(), ty: self.ty.clone(), wide: self.wide }
    }

    fn constant_text(&self) -> Option<&str> {
        match &self.node {
            Node::Constant(Value::Text(text)) => std::str::from_utf8(text).ok(),
            _ => None,
        }
    }

    const fn is_null(&self) -> bool {
        matches!(self.node, Node::Constant(Value::Null))
    }

    const fn is_column(&self) -> bool {
        matches!(self.node, Node::Column { .. })
    }
}

/// Decides how two expressions are compared and converts both for it.
pub(super) fn meet(left: Typed, right: Typed, operation: &str) -> Result<Pair, PlanError> {
    let pair = |left: Typed, right: Typed, how| Ok(([left.node, right.node], how));
    let refuse = |left: &Typed, right: &Typed| {
        let types = format!("{} {operation} {}", left.ty.word(), right.ty.word());
        Err(PlanError::Unsupported(types))
    };
    if left.is_null() || right.is_null() {
        return pair(left, right, How::Int);
    }
    if matches!(left.ty, Type::Json | Type::Opaque(_))
        || matches!(right.ty, Type::Json | Type::Opaque(_))
    {
        return refuse(&left, &right);
    }
    if left.ty.coercion().is_some() && right.ty.coercion().is_some() {
        let (sides, coercion) = texts(left, right, operation)?;
        return Ok((sides, How::Text(coercion.collation)));
    }
    if let Some((a, b)) = left.ty.numeric().zip(right.ty.numeric()) {
        return numbers(left, right, a.max(b), operation);
    }
    if left.ty.is_temporal() || right.ty.is_temporal() {
        return temporals(left, right, operation);
    }
    // A number and a text.
    let ([number_side, text_side], swapped) =
        if left.ty.numeric().is_some() { ([left, right], false) } else { ([right, left], true) };
    if matches!(number_side.ty, Type::Bit) || is_binary_literal(&text_side) {
        return refuse(&number_side, &text_side);
    }
    let (number_side, text_side, how) = number_and_text(number_side, text_side, operation)?;
    if swapped { pair(text_side, number_side, how) } else { pair(number_side, text_side, how) }
}

/// Two texts, converted into the charset of the collation that wins.
pub(super) fn texts(
    left: Typed,
    right: Typed,
    operation: &str,
) -> Result<([Node; 2], Coercion), PlanError> {
    let (left, right) = (as_text(left)?, as_text(right)?);
    let (Some(a), Some(b)) = (left.ty.coercion(), right.ty.coercion()) else {
        // NULL on one side: the result is NULL under any collation.
        return Ok(([left.node, right.node], Coercion::LITERAL));
    };
    let met = a.meet(b, operation)?;
    let left = recode(left.node, a, met, operation)?;
    let right = recode(right.node, b, met, operation)?;
    Ok(([left, right], met))
}

/// A text of what is one or can be written as one.
pub(super) fn as_text(typed: Typed) -> Result<Typed, PlanError> {
    let Typed { node, ty, wide } = typed;
    let written = Type::Text(Coercion::NUMBER);
    Ok(match (node, ty) {
        (node, ty @ (Type::Text(_) | Type::Null)) => Typed { node, ty, wide },
        (node, Type::Enum(coercion, _) | Type::Set(coercion, _)) => Typed::text(node, coercion),
        (Node::Column { image, at, .. }, Type::Int { .. } | Type::Decimal { .. } | Type::Year)
        | (
            Node::Column { image, at, .. },
            Type::Date | Type::DateTime { .. } | Type::Time { .. },
        ) => Typed::new(Node::Column { image, at, reader: Reader::Text }, written),
        (Node::Constant(Value::Decimal(Decimal::Text(text))), Type::Decimal { .. }) => {
            Typed::constant(Value::Text(text), written)
        }
        (node, Type::Int { .. }) => Typed::new(Node::IntText(Box::new(node)), written),
        (_, ty) => return Err(PlanError::Unsupported(format!("{} as text", ty.word()))),
    })
}

fn recode(node: Node, from: Coercion, to: Coercion, operation: &str) -> Result<Node, PlanError> {
    let (Some(from_set), Some(to_set)) = (from.charset(), to.charset()) else {
        return Err(mix(from, to, operation));
    };
    if let Node::Constant(Value::Text(bytes)) = &node {
        if from_set == Charset::Binary || to_set == Charset::Binary || from_set == to_set {
            let valid = !to_set.is_utf8() || std::str::from_utf8(bytes).is_ok();
            return if valid { Ok(node) } else { Err(mix(from, to, operation)) };
        }
        let mut text = String::new();
        let recoded = from_set.decode(bytes, &mut text).then(|| to_set.encode(&text)).flatten();
        let recoded = recoded.ok_or_else(|| mix(from, to, operation))?;
        return Ok(Node::Constant(Value::Text(recoded.into())));
    }
    match (from_set, to_set) {
        (from, to) if from == to || to == Charset::Binary => Ok(node),
        (Charset::Utf8mb3 | Charset::Ascii, to) if to.holds(from_set) => Ok(node),
        (Charset::Latin1, Charset::Utf8mb4 | Charset::Utf8mb3) => {
            Ok(Node::Decode(Charset::Latin1, Box::new(node)))
        }
        // A number written as text is ASCII in every charset.
        _ if from.strength == super::typing::Strength::Number => Ok(node),
        _ => Err(mix(from, to, operation)),
    }
}

/// What arithmetic and conditions make of an expression: an ENUM is its number, a double to MySQL,
/// and a moment is its digits.
pub(super) fn number(typed: Typed) -> Result<Typed, PlanError> {
    let Typed { node, ty, wide } = typed;
    let by_fsp = |fsp: u8| match fsp {
        0 => Type::Int { unsigned: false },
        scale => Type::Decimal { scale },
    };
    Ok(match (node, ty) {
        (Node::Column { image, at, .. }, Type::Enum(_, members)) => {
            Typed::new(Node::Column { image, at, reader: Reader::EnumIndex(members) }, Type::Real)
        }
        (Node::Column { image, at, .. }, Type::Set(_, members)) => {
            Typed::new(Node::Column { image, at, reader: Reader::SetBits(members) }, Type::Real)
        }
        (node, Type::Date) => {
            let node = Node::MomentNumber { operand: Box::new(node), date: true, fsp: 0 };
            Typed::new(node, by_fsp(0))
        }
        (node, Type::DateTime { fsp }) => {
            let node = Node::MomentNumber { operand: Box::new(node), date: false, fsp };
            Typed::new(node, by_fsp(fsp))
        }
        (node, Type::Time { fsp }) => {
            Typed::new(Node::TimeNumber { operand: Box::new(node), fsp }, by_fsp(fsp))
        }
        (_, ty @ (Type::Json | Type::Opaque(_))) => {
            return Err(PlanError::Unsupported(format!("{} as a number", ty.word())));
        }
        (node, ty) => Typed { node, ty, wide },
    })
}

/// As what two numbers calculate.
pub(super) fn arithmetic(left: &Type, right: &Type, shown: &str) -> Result<Numeric, PlanError> {
    let numeric = |ty: &Type| match ty {
        Type::Text(coercion) if coercion.collation == crate::event::CollationId::BINARY => {
            Err(PlanError::Unsupported(format!("calculation with a binary text: {shown}")))
        }
        Type::Text(_) | Type::Null => Ok(Numeric::Real),
        ty => ty.numeric().ok_or_else(|| {
            PlanError::Unsupported(format!("calculation with {}: {shown}", ty.word()))
        }),
    };
    Ok(numeric(left)?.max(numeric(right)?))
}

fn numbers(
    left: Typed,
    right: Typed,
    numeric: Numeric,
    operation: &str,
) -> Result<Pair, PlanError> {
    let (left, right) = match (&left.ty, &right.ty) {
        (Type::Year, _) => (left, year_constant(right, operation)?),
        (_, Type::Year) => (year_constant(left, operation)?, right),
        _ => (left, right),
    };
    match numeric {
        Numeric::Int => Ok(([left.node, right.node], How::Int)),
        Numeric::Decimal => Ok(([exact(left.node), exact(right.node)], How::Decimal)),
        Numeric::Real => Ok(([left.node, right.node], How::Real)),
    }
}

/// Two digits mean a year of this age, when they are compared with a YEAR.
fn year_constant(typed: Typed, operation: &str) -> Result<Typed, PlanError> {
    match &typed.node {
        // In a list it depends on the other members.
        Node::Constant(Value::Int(1..=99)) if matches!(operation, "in" | "between") => {
            Err(PlanError::Unsupported(format!("a YEAR {operation} years of two digits")))
        }
        Node::Constant(Value::Int(year @ 1..=69)) => Ok(Typed::int(2000 + year)),
        Node::Constant(Value::Int(year @ 70..=99)) => Ok(Typed::int(1900 + year)),
        Node::Constant(Value::Int(_) | Value::UInt(_)) | Node::Column { .. } => Ok(typed),
        _ => Err(PlanError::Unsupported(format!("a YEAR beside {}", typed.ty.word()))),
    }
}

/// An integer as the decimal that it is, without work per row where possible.
fn exact(node: Node) -> Node {
    match node {
        Node::Column { image, at, reader: Reader::Int | Reader::UInt } => {
            Node::Column { image, at, reader: Reader::Decimal }
        }
        Node::Constant(value) => match value.integer() {
            Some(int) => {
                let text = int.to_string().into_bytes();
                Node::Constant(Value::Decimal(Decimal::Text(text.into())))
            }
            None => Node::Constant(value),
        },
        node => node,
    }
}

fn number_and_text(
    number_side: Typed,
    text_side: Typed,
    operation: &str,
) -> Result<(Typed, Typed, How), PlanError> {
    let refuse = |text: &str| {
        let ty = number_side.ty.word();
        Err(PlanError::Unsupported(format!("{ty} {operation} the text {text:?}")))
    };
    let integral =
        number_side.is_column() && (number_side.wide || matches!(number_side.ty, Type::Year));
    if let (true, Some(text)) = (integral, text_side.constant_text()) {
        let trimmed = text.trim();
        let whole = number_length(trimmed.as_bytes()) == trimmed.len() && !trimmed.is_empty();
        let int = trimmed.parse::<i128>().ok();
        match (int, &number_side.ty) {
            (Some(year @ 1901..=2155), Type::Year) => {
                let year = Typed::int(i64::try_from(year).unwrap_or_default());
                return Ok((number_side, year, How::Int));
            }
            (_, Type::Year) => return refuse(text),
            (Some(int), Type::Int { unsigned: false }) if i64::try_from(int).is_ok() => {
                let int = Typed::int(i64::try_from(int).unwrap_or_default());
                return Ok((number_side, int, How::Int));
            }
            (Some(int), Type::Int { unsigned: true }) if u64::try_from(int).is_ok() => {
                let int = Value::UInt(u64::try_from(int).unwrap_or_default());
                let int = Typed::constant(int, Type::Int { unsigned: true });
                return Ok((number_side, int, How::Int));
            }
            // MySQL rounds `bigint_column = '1.5'` before it compares.
            (None, _) if whole => return refuse(text),
            _ => {}
        }
    }
    let text_side = if text_side.ty.coercion().is_some() { number(text_side)? } else { text_side };
    Ok((number_side, text_side, How::Real))
}

fn is_binary_literal(typed: &Typed) -> bool {
    let Type::Text(coercion) = &typed.ty else { return false };
    typed.node.is_constant() && coercion.collation == crate::event::CollationId::BINARY
}

fn temporals(left: Typed, right: Typed, operation: &str) -> Result<Pair, PlanError> {
    let (a, b) = (&left.ty, &right.ty);
    if a.is_moment() && b.is_moment() {
        return Ok(([left.node, right.node], How::Moment));
    }
    if matches!((a, b), (Type::Time { .. }, Type::Time { .. })) {
        return Ok(([left.node, right.node], How::Time));
    }
    if left.ty.is_temporal() && !right.ty.is_temporal() {
        let (right, how) = beside(&left, right, operation)?;
        let left = if how == How::Real { number(left)? } else { left };
        return Ok(([left.node, right.node], how));
    }
    if right.ty.is_temporal() && !left.ty.is_temporal() {
        let (left, how) = beside(&right, left, operation)?;
        let right = if how == How::Real { number(right)? } else { right };
        return Ok(([left.node, right.node], how));
    }
    Err(PlanError::Unsupported(format!("{} {operation} {}", a.word(), b.word())))
}

/// What becomes of something that is compared with a temporal and is none itself.
fn beside(temporal: &Typed, other: Typed, operation: &str) -> Result<(Typed, How), PlanError> {
    let moment = temporal.ty.is_moment();
    let word = match temporal.ty {
        Type::Date => "DATE",
        Type::Time { .. } => "TIME",
        _ => "DATETIME",
    };
    let unsure = |other: &Typed| {
        let types = format!("{} {operation} {}", temporal.ty.word(), other.ty.word());
        Err(PlanError::Unsupported(types))
    };
    if let (Some(text), Type::Text(_)) = (other.constant_text(), &other.ty) {
        let text = text.to_owned();
        let unsure = || Err(PlanError::Unsupported(format!("{word} {operation} '{text}'")));
        return match moment.then(|| moment_literal(&text)) {
            Some(Read::Value(moment)) => {
                Ok((Typed::constant(Value::Moment(moment), Type::Date), How::Moment))
            }
            // A list is not refused by MySQL, and its other members are judged in another way.
            Some(Read::Incorrect) if matches!(operation, "in" | "between") => unsure(),
            Some(Read::Incorrect) => Err(PlanError::Incorrect { kind: word, value: text }),
            Some(Read::Unsure) => unsure(),
            None => match time_literal(&text) {
                Read::Value(time) => {
                    Ok((Typed::constant(Value::Time(time), Type::Time { fsp: 6 }), How::Time))
                }
                Read::Incorrect | Read::Unsure => unsure(),
            },
        };
    }
    match &other.node {
        Node::Constant(Value::Int(int)) if moment && temporal.is_column() => {
            let has_room = matches!(temporal.ty, Type::DateTime { .. });
            match int_moment(*int, has_room) {
                Some(moment) => {
                    Ok((Typed::constant(Value::Moment(moment), Type::Date), How::Moment))
                }
                None => unsure(&other),
            }
        }
        Node::Constant(_) => unsure(&other),
        _ if other.ty.numeric().is_some() && !matches!(other.ty, Type::Year | Type::Bit) => {
            Ok((other, How::Real))
        }
        _ => unsure(&other),
    }
}

/// Refuses lists whose members do not all meet the operand in the same way: MySQL then decides by
/// all of them together.
pub(super) fn check_list(operand: &Typed, list: &[&Typed], word: &str) -> Result<(), PlanError> {
    let known = || list.iter().filter(|item| !item.is_null());
    let refuse = || {
        let types: Vec<&str> = list.iter().map(|item| item.ty.word()).collect();
        let types = types.join(", ");
        Err(PlanError::Unsupported(format!("{} {word} {types}", operand.ty.word())))
    };
    // A column's collation may change under which one the other members are compared.
    let strong = |item: &Typed| {
        item.ty.coercion().filter(|coercion| coercion.strength <= super::typing::Strength::Column)
    };
    let differs = |own: Coercion| move |other: Coercion| other.collation != own.collation;
    if let Some(own) = operand.ty.coercion()
        && known().filter_map(|item| strong(item)).any(differs(own))
    {
        return refuse();
    }
    let family = |item: &Typed| match &item.ty {
        ty if ty.coercion().is_some() => 0,
        ty if ty.numeric().is_some() => 1,
        _ => 2,
    };
    let mut families = known().map(|item| family(item));
    let first = families.next();
    if families.any(|other| Some(other) != first) {
        return refuse();
    }
    let all_int = known().all(|item| item.ty.numeric() == Some(Numeric::Int));
    let unsigned = operand.ty.is_unsigned() || known().any(|item| item.ty.is_unsigned());
    let constant = known().all(|item| item.node.is_constant());
    let null = list.iter().any(|item| item.is_null());
    let mixed = first == Some(1) && ((unsigned && !(all_int && constant)) || (null && !all_int));
    let moments = operand.ty.is_temporal() && first == Some(1);
    if mixed || moments { refuse() } else { Ok(()) }
}

/// `YYYYMMDD`, and `YYYYMMDDhhmmss` where there is room for it.
fn int_moment(int: i64, has_room: bool) -> Option<i64> {
    let (date, time) = match int {
        10_000_101..=99_991_231 => (int, 0),
        10_000_101_000_000..=99_991_231_235_959 if has_room => (int / 1_000_000, int % 1_000_000),
        _ => return None,
    };
    let parts = Parts {
        year: date / 10_000,
        month: date / 100 % 100,
        day: date % 100,
        hour: time / 10_000,
        minute: time / 100 % 100,
        second: time % 100,
        micros: 0,
    };
    parts.is_valid().then(|| parts.pack())
}

/// Values of which one is chosen per row, by CASE, IF or COALESCE: one type for all.
pub(super) fn unite(values: Vec<Typed>, operation: &str) -> Result<(Vec<Node>, Type), PlanError> {
    let known: Vec<&Type> =
        values.iter().map(|value| &value.ty).filter(|ty| **ty != Type::Null).collect();
    let Some(first) = known.first().map(|first| (*first).clone()) else {
        return Ok((values.into_iter().map(|value| value.node).collect(), Type::Null));
    };
    let refuse = || {
        let types: Vec<&str> = known.iter().map(|ty| ty.word()).collect();
        Err(PlanError::Unsupported(format!("{operation} of {}", types.join(" and "))))
    };
    if known.iter().all(|ty| matches!(ty, Type::Text(_))) {
        return unite_texts(values, operation);
    }
    let scale = known.iter().map(|ty| ty.scale()).max().unwrap_or(0);
    let numeric: Option<Vec<Numeric>> = known.iter().map(|ty| plain_number(ty)).collect();
    let ty = match numeric.and_then(|numeric| numeric.into_iter().max()) {
        Some(Numeric::Real) => Type::Real,
        Some(Numeric::Decimal) => Type::Decimal { scale },
        Some(Numeric::Int) => {
            let unsigned = || values.iter().filter(|value| value.ty.is_unsigned());
            match unsigned().count() {
                0 => Type::Int { unsigned: false },
                all if all == known.len() => Type::Int { unsigned: true },
                _ if unsigned().all(|value| value.is_column() && !value.wide) => {
                    Type::Int { unsigned: false }
                }
                _ if unsigned().all(Typed::is_column) => Type::Decimal { scale: 0 },
                _ => return refuse(),
            }
        }
        None if known.iter().all(|ty| **ty == first) && first.is_temporal() => first,
        None => return refuse(),
    };
    let convert = |value: Typed| match ty {
        Type::Decimal { .. } => exact(value.node),
        _ => value.node,
    };
    Ok((values.into_iter().map(convert).collect(), ty.clone()))
}

fn plain_number(ty: &Type) -> Option<Numeric> {
    ty.numeric().filter(|_| !matches!(ty, Type::Year | Type::Bit))
}

fn unite_texts(values: Vec<Typed>, operation: &str) -> Result<(Vec<Node>, Type), PlanError> {
    let mut met: Option<Coercion> = None;
    for coercion in values.iter().filter_map(|value| value.ty.coercion()) {
        met = Some(match met {
            Some(met) => met.meet(coercion, operation)?,
            None => coercion,
        });
    }
    let met = met.unwrap_or(Coercion::LITERAL);
    if !collation::is_covered(met.collation) {
        return Err(collation::CollationError::Uncovered(met.collation).into());
    }
    let nodes = values.into_iter().map(|value| match value.ty.coercion() {
        Some(from) => recode(value.node, from, met, operation),
        None => Ok(value.node),
    });
    Ok((nodes.collect::<Result<_, _>>()?, Type::Text(met)))
}
