//! From an expression to a [`Node`]: names become columns, types decide conversions, constants are
//! calculated.

use super::Scope;
use super::arithmetic::{Arithmetic, Operation};
use super::decimal::{self, Decimal};
use super::function;
use super::meet::{self, Typed};
use super::node::{Comparison, Context, How, Image, Node, Reader};
use super::temporal::{Literal as Read, moment_literal, time_literal};
use super::typing::{Coercion, Numeric, Strength, Type};
use super::value::Value;
use crate::event::collation::{self, Charset};
use crate::event::{CollationId, Column, ColumnType, Op, TableSchema};
use crate::plan::PlanError;
use crate::sql::Expr;
use crate::sql::expr::{self, BinaryOp, CastType, ColumnRef, Literal, Temporal, Test, UnaryOp};

/// The condition, what it judges, and how many of a row's cells it may look at.
pub(super) fn compile(
    condition: &Expr,
    schema: &TableSchema,
) -> Result<(Node, Scope, usize), PlanError> {
    let mut compiler = Compiler { schema, scope: Scope::Image, columns: 0 };
    let condition = compiler.condition(condition)?;
    Ok((condition, compiler.scope, compiler.columns))
}

/// What is learned on the way through an expression.
pub(super) struct Compiler<'a> {
    pub schema: &'a TableSchema,
    scope: Scope,
    columns: usize,
}

impl Compiler<'_> {
    pub(super) fn expr(&mut self, expr: &Expr) -> Result<Typed, PlanError> {
        let typed = match expr {
            Expr::Literal(literal) => constant(literal)?,
            Expr::Column(column) => self.column(column)?,
            Expr::Op => {
                self.scope = Scope::Change;
                let collation = CollationId::UTF8MB4_BIN;
                Typed::text(Node::Op, Coercion { collation, strength: Strength::Column })
            }
            Expr::Changed(names) => {
                self.scope = Scope::Change;
                let columns = names.iter().map(|name| Ok(self.find(name)?.0));
                Typed::truth(Node::Changed(columns.collect::<Result<_, PlanError>>()?))
            }
            Expr::And(terms) => Typed::truth(Node::And(self.conditions(terms)?)),
            Expr::Or(terms) => Typed::truth(Node::Or(self.conditions(terms)?)),
            Expr::Unary { op, operand } => self.unary(*op, operand)?,
            Expr::Binary { op, left, right } => self.binary(expr, *op, left, right)?,
            Expr::Is { operand, test, negated } => self.is(operand, *test, *negated)?,
            Expr::In { operand, list, negated } => self.is_in(operand, list, *negated)?,
            Expr::Between { operand, low, high, negated } => {
                self.between(operand, low, high, *negated)?
            }
            Expr::Like { operand, pattern, escape, negated } => {
                let (text, pattern) = (self.expr(operand)?, self.expr(pattern)?);
                let (sides, coercion) = meet::texts(text, pattern, "like")?;
                let collation = coercion.collation;
                let (escape, negated) = (*escape, *negated);
                Typed::truth(Node::Like { sides: Box::new(sides), collation, escape, negated })
            }
            Expr::Case { operand, branches, otherwise } => {
                self.case(operand.as_deref(), branches, otherwise.as_deref())?
            }
            Expr::Cast { operand, to } => self.cast(expr, operand, *to)?,
            Expr::Convert { operand, charset } => {
                let operand = self.expr(operand)?;
                convert(expr, operand, charset)?
            }
            Expr::Collate { operand, collation } => {
                let operand = self.expr(operand)?;
                collate(operand, collation)?
            }
            Expr::Function { name, arguments } => function::compile(self, expr, name, arguments)?,
            Expr::Regexp { .. } | Expr::Variable { .. } | Expr::UserVariable(_) => {
                return Err(unsupported(expr));
            }
        };
        self.fold(typed)
    }

    /// An expression of which only the truth matters.
    pub(super) fn condition(&mut self, expr: &Expr) -> Result<Node, PlanError> {
        let typed = self.expr(expr)?;
        match typed.ty {
            Type::Json | Type::Opaque(_) => {
                Err(PlanError::Unsupported(format!("{} as a condition", typed.ty.word())))
            }
            // An ENUM is true by its number, not by its text.
            _ => Ok(meet::number(typed)?.node),
        }
    }

    fn conditions(&mut self, terms: &[Expr]) -> Result<Vec<Node>, PlanError> {
        terms.iter().map(|term| self.condition(term)).collect()
    }

    fn find(&mut self, name: &str) -> Result<(usize, &Column), PlanError> {
        let at = self.schema.column(name);
        let found = at.and_then(|at| Some((at, self.schema.columns.get(at)?)));
        let found = found.ok_or_else(|| PlanError::NoColumn {
            column: name.to_owned(),
            table: self.schema.name.table.to_string(),
            clause: "where clause",
        })?;
        self.columns = self.columns.max(found.0 + 1);
        Ok(found)
    }

    fn column(&mut self, column: &ColumnRef) -> Result<Typed, PlanError> {
        let image = match column.image {
            None => Image::Shown,
            Some(expr::Image::Old) => Image::Old,
            Some(expr::Image::New) => Image::New,
        };
        if image != Image::Shown {
            self.scope = Scope::Change;
        }
        let (at, column) = self.find(&column.name)?;
        let reader = match &column.column_type {
            ColumnType::Int { unsigned: false, .. } => Reader::Int,
            ColumnType::Int { unsigned: true, .. } | ColumnType::Year => Reader::UInt,
            ColumnType::Decimal { .. } => Reader::Decimal,
            ColumnType::Float { .. } => Reader::Float,
            ColumnType::Double { .. } => Reader::Double,
            ColumnType::Bit { .. } => Reader::Bit,
            ColumnType::Date | ColumnType::DateTime { .. } | ColumnType::Timestamp { .. } => {
                Reader::Moment
            }
            ColumnType::Time { .. } => Reader::Time,
            _ => Reader::Text,
        };
        let ty = Type::of(&column.column_type, column.collation);
        let wide = matches!(column.column_type, ColumnType::Int { bytes: 8, .. });
        Ok(Typed { node: Node::Column { image, at, reader }, ty, wide })
    }

    fn unary(&mut self, op: UnaryOp, operand: &Expr) -> Result<Typed, PlanError> {
        match op {
            UnaryOp::Not => Ok(Typed::truth(Node::Not(Box::new(self.condition(operand)?)))),
            UnaryOp::Minus => {
                let shown = format!("-({operand})");
                let operand = meet::number(self.expr(operand)?)?;
                let zero = Typed::int(0);
                let numeric = meet::arithmetic(&operand.ty, &zero.ty, "-")?;
                Ok(arithmetic(Operation::Subtract, numeric, false, [zero, operand], shown))
            }
            UnaryOp::BitNot => {
                let shown = format!("~{operand}");
                let operand = self.expr(operand)?;
                let ones = Typed::constant(Value::UInt(u64::MAX), Type::Int { unsigned: true });
                bitwise(Operation::BitXor, operand, ones, shown)
            }
        }
    }

    fn binary(
        &mut self,
        whole: &Expr,
        op: BinaryOp,
        left: &Expr,
        right: &Expr,
    ) -> Result<Typed, PlanError> {
        if op == BinaryOp::Xor {
            let sides = [self.condition(left)?, self.condition(right)?];
            return Ok(Typed::truth(Node::Xor(Box::new(sides))));
        }
        let (left, right) = (self.expr(left)?, self.expr(right)?);
        if let Some(op) = comparison(op) {
            return compare(op, left, right);
        }
        let Some(operation) = Operation::of(op) else { return Err(unsupported(whole)) };
        let shown = format!("({whole})");
        if operation.is_bitwise() {
            return bitwise(operation, left, right, shown);
        }
        calculate(operation, left, right, shown)
    }

    fn is(&mut self, operand: &Expr, test: Test, negated: bool) -> Result<Typed, PlanError> {
        let (operand, test) = match test {
            Test::Null | Test::Unknown => (self.expr(operand)?.node, None),
            Test::True => (self.condition(operand)?, Some(true)),
            Test::False => (self.condition(operand)?, Some(false)),
        };
        Ok(Typed::truth(Node::Is { operand: Box::new(operand), test, negated }))
    }

    /// A list that meets the operand in one way is one node; else it is the comparisons' OR.
    fn is_in(&mut self, operand: &Expr, list: &[Expr], negated: bool) -> Result<Typed, PlanError> {
        let compiled = self.expr(operand)?;
        let list: Result<Vec<Typed>, _> = list.iter().map(|item| self.expr(item)).collect();
        let list = list?;
        meet::check_list(&compiled, &list.iter().collect::<Vec<_>>(), "IN")?;
        let mut items = Vec::with_capacity(list.len());
        for item in list {
            items.push(meet::meet(compiled.copy(), item, "in")?);
        }
        let Some(first) = items.first() else { return Err(unsupported(operand)) };
        let how = first.1;
        let plain = |[left, _]: &[Node; 2]| same_column(left, &first.0[0]);
        if items.iter().all(|(sides, other)| *other == how && plain(sides)) {
            let mut operand = None;
            let list = items.into_iter().map(|([left, right], _)| {
                operand.get_or_insert(left);
                right
            });
            let list = list.collect();
            let operand = Box::new(operand.unwrap_or(Node::Constant(Value::Null)));
            return Ok(Typed::truth(Node::In { operand, list, how, negated }));
        }
        let any = items.into_iter().map(|(sides, how)| Node::Compare {
            op: Comparison::Eq,
            how,
            sides: Box::new(sides),
        });
        let any = Node::Or(any.collect());
        Ok(Typed::truth(if negated { Node::Not(Box::new(any)) } else { any }))
    }

    fn between(
        &mut self,
        operand: &Expr,
        low: &Expr,
        high: &Expr,
        negated: bool,
    ) -> Result<Typed, PlanError> {
        let (operand, low, high) = (self.expr(operand)?, self.expr(low)?, self.expr(high)?);
        // MySQL compares all three alike; as pairs they may meet in different ways.
        let real = [&low.ty, &high.ty].iter().any(|ty| ty.numeric() == Some(Numeric::Real));
        let mixed = low.ty.coercion().is_some() != high.ty.coercion().is_some();
        // With a NULL for a bound, MySQL's answer depends on the type.
        let null = matches!(low.ty, Type::Null) || matches!(high.ty, Type::Null);
        if null || mixed || (real && low.ty.numeric() != high.ty.numeric()) {
            let types = format!("{} AND {}", low.ty.word(), high.ty.word());
            return Err(PlanError::Unsupported(format!("BETWEEN {types}")));
        }
        meet::check_list(&operand, &[&low, &high], "BETWEEN")?;
        let low = Box::new(meet::meet(operand.copy(), low, "between")?);
        let high = Box::new(meet::meet(operand, high, "between")?);
        Ok(Typed::truth(Node::Between { low, high, negated }))
    }

    fn case(
        &mut self,
        operand: Option<&Expr>,
        branches: &[(Expr, Expr)],
        otherwise: Option<&Expr>,
    ) -> Result<Typed, PlanError> {
        let mut conditions = Vec::with_capacity(branches.len());
        let mut values = Vec::with_capacity(branches.len() + 1);
        for (when, then) in branches {
            conditions.push(match operand {
                None => self.condition(when)?,
                Some(operand) => {
                    let (operand, when) = (self.expr(operand)?, self.expr(when)?);
                    compare(Comparison::Eq, operand, when)?.node
                }
            });
            values.push(self.expr(then)?);
        }
        values.push(match otherwise {
            Some(otherwise) => self.expr(otherwise)?,
            None => Typed::null(),
        });
        let (mut values, ty) = meet::unite(values, "case")?;
        let otherwise = Box::new(values.pop().unwrap_or(Node::Constant(Value::Null)));
        let branches = conditions.into_iter().zip(values).collect();
        Ok(Typed::new(Node::Case { branches, otherwise }, ty))
    }

    fn cast(&mut self, whole: &Expr, operand: &Expr, to: CastType) -> Result<Typed, PlanError> {
        let operand = self.expr(operand)?;
        match (to, &operand.ty) {
            (CastType::Date, Type::Date) | (CastType::Double, Type::Real) => Ok(operand),
            (CastType::Signed, Type::Int { unsigned: false })
            | (CastType::Unsigned, Type::Int { unsigned: true } | Type::Year) => Ok(operand),
            (CastType::Double, Type::Int { .. } | Type::Decimal { .. }) => {
                let one = Typed::constant(Value::Real(1.0), Type::Real);
                let shown = whole.to_string();
                Ok(arithmetic(Operation::Multiply, Numeric::Real, false, [operand, one], shown))
            }
            (CastType::Char(None), Type::Text(coercion))
                if coercion.collation != CollationId::BINARY =>
            {
                convert(whole, operand, "utf8mb4")
            }
            (CastType::Binary(None), Type::Text(_)) => {
                let collation = CollationId::BINARY;
                let node = operand.node;
                Ok(Typed::text(node, Coercion { collation, strength: Strength::Column }))
            }
            _ => Err(unsupported(whole)),
        }
    }

    /// Calculates what needs no row.
    fn fold(&self, typed: Typed) -> Result<Typed, PlanError> {
        if typed.node.is_constant() || !typed.node.needs_no_row() {
            return Ok(typed);
        }
        let context = Context { schema: self.schema, op: Op::Insert, old: None, new: None };
        let value = typed.node.eval(&context)?.into_owned();
        Ok(Typed { node: Node::Constant(value), ..typed })
    }
}

pub(super) fn compare(op: Comparison, left: Typed, right: Typed) -> Result<Typed, PlanError> {
    let (sides, how) = meet::meet(left, right, op.word())?;
    Ok(Typed::truth(Node::Compare { op, how, sides: Box::new(sides) }))
}

fn comparison(op: BinaryOp) -> Option<Comparison> {
    Some(match op {
        BinaryOp::Eq => Comparison::Eq,
        BinaryOp::NullSafeEq => Comparison::NullSafeEq,
        BinaryOp::NotEq => Comparison::NotEq,
        BinaryOp::Lt => Comparison::Lt,
        BinaryOp::LtEq => Comparison::LtEq,
        BinaryOp::Gt => Comparison::Gt,
        BinaryOp::GtEq => Comparison::GtEq,
        _ => return None,
    })
}

impl Comparison {
    const fn word(self) -> &'static str {
        match self {
            Self::Eq => "=",
            Self::NotEq => "<>",
            Self::Lt => "<",
            Self::LtEq => "<=",
            Self::Gt => ">",
            Self::GtEq => ">=",
            Self::NullSafeEq => "<=>",
        }
    }
}

fn same_column(left: &Node, right: &Node) -> bool {
    match (left, right) {
        (
            Node::Column { image, at, reader },
            Node::Column { image: other_image, at: other_at, reader: other_reader },
        ) => (image, at, reader) == (other_image, other_at, other_reader),
        (Node::Column { .. }, _) | (_, Node::Column { .. }) => false,
        // What `meet` did to one copy of an expression it did to every other.
        _ => std::mem::discriminant(left) == std::mem::discriminant(right),
    }
}

pub(super) fn calculate(
    op: Operation,
    left: Typed,
    right: Typed,
    shown: String,
) -> Result<Typed, PlanError> {
    let (left, right) = (meet::number(left)?, meet::number(right)?);
    let numeric = match (meet::arithmetic(&left.ty, &right.ty, &shown)?, op) {
        (Numeric::Int, Operation::Divide) => Numeric::Decimal,
        (Numeric::Real, Operation::IntegerDivide) => {
            return Err(PlanError::Unsupported(format!("DIV of {}", Type::Real.word())));
        }
        (numeric, _) => numeric,
    };
    let unsigned = match op {
        Operation::Modulo => left.ty.is_unsigned(),
        _ => left.ty.is_unsigned() || right.ty.is_unsigned(),
    };
    Ok(arithmetic(op, numeric, unsigned, [left, right], shown))
}

fn arithmetic(
    op: Operation,
    numeric: Numeric,
    unsigned: bool,
    [left, right]: [Typed; 2],
    shown: String,
) -> Typed {
    let (first, second) = (left.ty.scale(), right.ty.scale());
    let scale = match op {
        Operation::Multiply => first + second,
        Operation::Divide => first + decimal::DIVISION_DIGITS,
        _ => first.max(second),
    };
    let scale = scale.min(decimal::SCALE_MAX);
    let ty = match numeric {
        Numeric::Decimal if op != Operation::IntegerDivide => Type::Decimal { scale },
        Numeric::Int | Numeric::Decimal => Type::Int { unsigned },
        Numeric::Real => Type::Real,
    };
    let (left, right, shown) = (left.node, right.node, shown.into());
    let node =
        Node::Arithmetic(Box::new(Arithmetic { op, numeric, unsigned, scale, left, right, shown }));
    Typed::new(node, ty)
}

fn bitwise(op: Operation, left: Typed, right: Typed, shown: String) -> Result<Typed, PlanError> {
    let is_int = |ty: &Type| matches!(ty, Type::Int { .. } | Type::Null | Type::Year | Type::Bit);
    if !is_int(&left.ty) || !is_int(&right.ty) {
        return Err(PlanError::Unsupported(format!(
            "bit operator on other than integers: {shown}"
        )));
    }
    Ok(arithmetic(op, Numeric::Int, true, [left, right], shown))
}

pub(super) fn unsupported(expr: &Expr) -> PlanError {
    PlanError::Unsupported(expr.to_string())
}

fn constant(literal: &Literal) -> Result<Typed, PlanError> {
    let signed = Type::Int { unsigned: false };
    Ok(match literal {
        Literal::Null => Typed::null(),
        Literal::Bool(truth) => Typed::constant(Value::Int(i64::from(*truth)), signed),
        Literal::Number(digits) => number(digits)?,
        Literal::Text(text) => {
            let value = Value::Text(text.clone().into_bytes().into());
            Typed::constant(value, Type::Text(Coercion::LITERAL))
        }
        Literal::Bytes(bytes) => {
            let coercion = Coercion { collation: CollationId::BINARY, strength: Strength::Literal };
            Typed::constant(Value::Text(bytes.clone().into()), Type::Text(coercion))
        }
        Literal::Temporal(kind, text) => temporal(*kind, text)?,
    })
}

fn number(digits: &str) -> Result<Typed, PlanError> {
    if let Ok(int) = digits.parse() {
        return Ok(Typed::constant(Value::Int(int), Type::Int { unsigned: false }));
    }
    if let Ok(int) = digits.parse() {
        return Ok(Typed::constant(Value::UInt(int), Type::Int { unsigned: true }));
    }
    let too_long = || PlanError::Unsupported(format!("number {digits}"));
    if digits.contains(['e', 'E']) {
        let real: f64 = digits.parse().map_err(|_| too_long())?;
        let finite = real.is_finite().then_some(real).ok_or_else(too_long)?;
        return Ok(Typed::constant(Value::Real(finite), Type::Real));
    }
    let scale = digits.split_once('.').map_or(0, |(_, fraction)| fraction.len());
    let fits = digits.bytes().filter(u8::is_ascii_digit).count() <= 65 && scale <= 30;
    if !fits || decimal::compare_texts(digits.as_bytes(), b"0").is_none() {
        return Err(too_long());
    }
    let value = Value::Decimal(Decimal::Text(digits.as_bytes().to_vec().into()));
    let scale = u8::try_from(scale).unwrap_or(u8::MAX);
    Ok(Typed::constant(value, Type::Decimal { scale }))
}

fn temporal(kind: Temporal, text: &str) -> Result<Typed, PlanError> {
    let has_time = text.contains([' ', 'T', ':']);
    let fsp =
        text.split_once('.').map_or(0, |(_, fraction)| u8::try_from(fraction.len()).unwrap_or(6));
    let read = match kind {
        Temporal::Date if has_time => None,
        Temporal::Timestamp if !has_time => None,
        Temporal::Date | Temporal::Timestamp => match moment_literal(text) {
            Read::Value(moment) => Some(Value::Moment(moment)),
            Read::Incorrect | Read::Unsure => None,
        },
        Temporal::Time => match time_literal(text) {
            Read::Value(time) => Some(Value::Time(time)),
            Read::Incorrect | Read::Unsure => None,
        },
    };
    let (ty, word) = match kind {
        Temporal::Date => (Type::Date, "DATE"),
        Temporal::Timestamp => (Type::DateTime { fsp }, "DATETIME"),
        Temporal::Time => (Type::Time { fsp }, "TIME"),
    };
    let value = read.ok_or(PlanError::Incorrect { kind: word, value: text.to_owned() })?;
    Ok(Typed::constant(value, ty))
}

fn convert(whole: &Expr, operand: Typed, charset: &str) -> Result<Typed, PlanError> {
    let from = match &operand.ty {
        Type::Text(coercion) => collation::charset(coercion.collation),
        _ => None,
    };
    let collation = CollationId::UTF8MB4_0900_AI_CI;
    let coercion = Coercion { collation, strength: Strength::Column };
    match (from, charset) {
        (Some(from), "utf8mb4") if from.is_utf8() => Ok(Typed::text(operand.node, coercion)),
        (Some(from), "utf8mb4") if from != Charset::Binary => {
            Ok(Typed::text(Node::Decode(from, Box::new(operand.node)), coercion))
        }
        _ => Err(unsupported(whole)),
    }
}

fn collate(operand: Typed, name: &str) -> Result<Typed, PlanError> {
    let collation =
        collation::by_name(name).ok_or_else(|| PlanError::UnknownCollation(name.to_owned()))?;
    if !collation::is_covered(collation) {
        return Err(collation::CollationError::Uncovered(collation).into());
    }
    let explicit = Coercion { collation, strength: Strength::Explicit };
    match &operand.ty {
        Type::Text(from) if from.charset() == explicit.charset() => {
            Ok(Typed::text(operand.node, explicit))
        }
        ty => Err(PlanError::Unsupported(format!("{} COLLATE {name}", ty.word()))),
    }
}

/// How IN and BETWEEN name the column that they look at.
pub(super) type Pair = ([Node; 2], How);
