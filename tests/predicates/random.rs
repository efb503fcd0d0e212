//! Random expressions over the table: mostly such as people write, some that nobody should.

use fastrand::Rng;
use vstreamd::sql::Expr;
use vstreamd::sql::expr::{BinaryOp, ColumnRef, Literal, Temporal, Test, UnaryOp};

use super::table::{self, Declared, Kind, pick};

pub struct Expressions<'a> {
    pub columns: &'a [Declared],
    pub random: Rng,
}

const COMPARISONS: &[BinaryOp] = &[
    BinaryOp::Eq,
    BinaryOp::NullSafeEq,
    BinaryOp::NotEq,
    BinaryOp::Lt,
    BinaryOp::LtEq,
    BinaryOp::Gt,
    BinaryOp::GtEq,
];

impl Expressions<'_> {
    /// A condition.
    pub fn condition(&mut self, depth: u8) -> Expr {
        let deep = depth > 0;
        match self.random.u8(..20) {
            0 | 1 if deep => Expr::And(vec![self.condition(depth - 1), self.condition(depth - 1)]),
            2 | 3 if deep => Expr::Or(vec![self.condition(depth - 1), self.condition(depth - 1)]),
            4 if deep => {
                Expr::Unary { op: UnaryOp::Not, operand: Box::new(self.condition(depth - 1)) }
            }
            5 if deep => {
                let (left, right) = (self.condition(depth - 1), self.condition(depth - 1));
                binary(BinaryOp::Xor, left, right)
            }
            6 if deep => self.is(depth),
            7 | 8 => self.is_in(depth),
            9 | 10 => self.between(depth),
            11 | 12 => self.like(depth),
            13 => {
                let kind = self.kind();
                self.value(kind, depth)
            }
            _ => {
                let kind = self.kind();
                let op = COMPARISONS[self.random.usize(..COMPARISONS.len())];
                let left = self.value(kind, depth);
                let right = self.other(kind, depth);
                if self.random.u8(..4) == 0 {
                    binary(op, right, left)
                } else {
                    binary(op, left, right)
                }
            }
        }
    }

    fn is(&mut self, depth: u8) -> Expr {
        let tests = [Test::Null, Test::True, Test::False, Test::Unknown];
        let test = tests[self.random.usize(..4)];
        let operand = if self.random.bool() {
            self.condition(depth - 1)
        } else {
            let kind = self.kind();
            self.value(kind, depth - 1)
        };
        Expr::Is { operand: Box::new(operand), test, negated: self.random.bool() }
    }

    fn is_in(&mut self, depth: u8) -> Expr {
        let kind = self.kind();
        let operand = Box::new(self.value(kind, depth));
        let count = self.random.usize(1..5);
        let mut list: Vec<Expr> = (0..count).map(|_| self.literal(kind)).collect();
        if self.random.u8(..4) == 0 {
            list.push(self.other(kind, 0));
        }
        if self.random.u8(..5) == 0 {
            list.push(Expr::Literal(Literal::Null));
        }
        Expr::In { operand, list, negated: self.random.bool() }
    }

    fn between(&mut self, depth: u8) -> Expr {
        let kind = self.kind();
        Expr::Between {
            operand: Box::new(self.value(kind, depth)),
            low: Box::new(self.literal(kind)),
            high: Box::new(self.other(kind, depth.saturating_sub(1))),
            negated: self.random.bool(),
        }
    }

    fn like(&mut self, depth: u8) -> Expr {
        let kind = if self.random.u8(..5) == 0 { self.kind() } else { Kind::Text };
        let patterns = [
            "%", "_", "a%", "%B", "_%", "%a%", "a_%", "\\%%", "é", "%ss", "1%", "2_%", "", "a!%",
            "%!", "__",
        ];
        let pattern = if self.random.u8(..4) == 0 {
            self.value(Kind::Text, 0)
        } else {
            Expr::text(pick(&patterns, &mut self.random))
        };
        let escapes = [Some('\\'), Some('\\'), Some('!'), None];
        Expr::Like {
            operand: Box::new(self.value(kind, depth)),
            pattern: Box::new(pattern),
            escape: escapes[self.random.usize(..4)],
            negated: self.random.bool(),
        }
    }

    /// Something of this kind in which a column of it takes part.
    fn value(&mut self, kind: Kind, depth: u8) -> Expr {
        if depth == 0 || self.random.u8(..3) > 0 {
            return self.column(kind);
        }
        match kind {
            Kind::Int | Kind::Decimal | Kind::Real => self.calculation(kind, depth - 1),
            Kind::Text => self.text_function(depth - 1),
            Kind::Date | Kind::DateTime if self.random.bool() => {
                function("DATE", vec![self.column(kind)])
            }
            _ => self.column(kind),
        }
    }

    fn calculation(&mut self, kind: Kind, depth: u8) -> Expr {
        let left = self.value(kind, depth);
        let right = match self.random.u8(..4) {
            0 => self.literal(kind),
            1 => {
                let other =
                    [Kind::Int, Kind::Decimal, Kind::Real, Kind::Text, Kind::Date, Kind::Time]
                        [self.random.usize(..6)];
                self.value(other, depth.saturating_sub(1))
            }
            _ => self.value(kind, depth),
        };
        let operators = [
            BinaryOp::Add,
            BinaryOp::Subtract,
            BinaryOp::Multiply,
            BinaryOp::Divide,
            BinaryOp::IntegerDivide,
            BinaryOp::Modulo,
            BinaryOp::BitAnd,
            BinaryOp::BitOr,
            BinaryOp::BitXor,
            BinaryOp::ShiftLeft,
            BinaryOp::ShiftRight,
        ];
        match self.random.u8(..14) {
            0 => Expr::Unary { op: UnaryOp::Minus, operand: Box::new(left) },
            1 => function("ABS", vec![left]),
            2 => function("MOD", vec![left, right]),
            3 => function("IF", vec![self.condition(depth), left, right]),
            4 => function("IFNULL", vec![left, right]),
            5 => function("NULLIF", vec![left, right]),
            6 => function("SIGN", vec![left]),
            7 => {
                let branches = vec![(self.condition(0), left)];
                Expr::Case { operand: None, branches, otherwise: Some(Box::new(right)) }
            }
            8 if kind == Kind::Int => match self.random.u8(..4) {
                0 => function("YEAR", vec![self.column(Kind::Date)]),
                1 => function("HOUR", vec![self.column(Kind::DateTime)]),
                2 => function("CHAR_LENGTH", vec![self.value(Kind::Text, 0)]),
                _ => function("LENGTH", vec![self.value(Kind::Text, 0)]),
            },
            _ => binary(operators[self.random.usize(..operators.len())], left, right),
        }
    }

    fn text_function(&mut self, depth: u8) -> Expr {
        let text = self.value(Kind::Text, depth);
        let count = self.random.i8(-2..4);
        let count = Expr::number(&count.to_string());
        match self.random.u8(..12) {
            0 => function("LOWER", vec![text]),
            1 => function("UPPER", vec![text]),
            2 => function("CONCAT", vec![text, self.literal(Kind::Text)]),
            3 => function("LEFT", vec![text, count]),
            4 => function("RIGHT", vec![text, count]),
            5 => function("SUBSTRING", vec![text, count]),
            6 => {
                let length = Expr::number(&self.random.i8(-1..4).to_string());
                function("SUBSTRING", vec![text, count, length])
            }
            7 => function("TRIM", vec![text]),
            8 => function("RTRIM", vec![text]),
            9 => function("COALESCE", vec![text, self.literal(Kind::Text)]),
            10 => function("IF", vec![self.condition(0), text, self.literal(Kind::Text)]),
            _ => function("LTRIM", vec![text]),
        }
    }

    /// What something of this kind may be compared with.
    fn other(&mut self, kind: Kind, depth: u8) -> Expr {
        match self.random.u8(..12) {
            0 => {
                let kind = self.kind();
                self.value(kind, depth)
            }
            1 => {
                let kind = self.kind();
                self.literal(kind)
            }
            2 => Expr::Literal(Literal::Null),
            3 | 4 => self.value(kind, depth),
            5 => self.literal(Kind::Text),
            _ => self.literal(kind),
        }
    }

    fn column(&mut self, kind: Kind) -> Expr {
        let fitting: Vec<_> = self.columns.iter().filter(|column| column.kind == kind).collect();
        let name = fitting[self.random.usize(..fitting.len())].name.to_owned();
        Expr::Column(ColumnRef { image: None, name })
    }

    fn kind(&mut self) -> Kind {
        let kinds = [
            Kind::Int,
            Kind::Int,
            Kind::Int,
            Kind::Decimal,
            Kind::Decimal,
            Kind::Real,
            Kind::Year,
            Kind::Text,
            Kind::Text,
            Kind::Text,
            Kind::Text,
            Kind::Binary,
            Kind::Date,
            Kind::DateTime,
            Kind::Time,
            Kind::Enum,
            Kind::Bit,
            Kind::Json,
        ];
        kinds[self.random.usize(..kinds.len())]
    }

    fn literal(&mut self, kind: Kind) -> Expr {
        let random = &mut self.random;
        let number = |from: &[&str], random: &mut Rng| Expr::number(pick(from, random));
        let text = |from: &[&str], random: &mut Rng| Expr::text(pick(from, random));
        match kind {
            Kind::Int | Kind::Bit => number(
                &[
                    "0",
                    "1",
                    "-1",
                    "2",
                    "10",
                    "99",
                    "2020",
                    "20200229",
                    "9223372036854775807",
                    "9223372036854775808",
                    "18446744073709551615",
                    "-9223372036854775808",
                    "9007199254740993",
                ],
                random,
            ),
            Kind::Decimal if random.bool() => {
                number(&["0.0", "1.5", "-1.50", "0.001", "2.000", "0.3"], random)
            }
            Kind::Decimal => {
                number(&["9223372036854775807.5", "0.1", "10.1", "0.3333333333", "1.0"], random)
            }
            Kind::Real => number(&["0e0", "1e0", "1.5e0", "1e-1", "1e300", "-1e0", "3e-1"], random),
            Kind::Year => number(&["0", "70", "20", "99", "1999", "2020", "1800"], random),
            Kind::Text if random.bool() => text(table::LATIN1_TEXTS, random),
            Kind::Text if random.bool() => text(table::BMP_TEXTS, random),
            Kind::Text | Kind::Binary => text(table::TEXTS, random),
            Kind::Date | Kind::DateTime => self.moment(kind),
            Kind::Time if random.bool() => Expr::Literal(Literal::Temporal(
                Temporal::Time,
                pick(table::TIMES, random).to_owned(),
            )),
            Kind::Time => text(table::TIMES, random),
            Kind::Enum => text(&["a", "A", "b", "Cé", "ce", "", "b,a", "x"], random),
            Kind::Json => text(&["1", "a"], random),
        }
    }

    fn moment(&mut self, kind: Kind) -> Expr {
        let random = &mut self.random;
        match random.u8(..8) {
            0 => Expr::number(pick(&["20200229", "20200301", "20200229123000"], random)),
            1 => Expr::text(pick(
                &[
                    "2020-2-9",
                    "20200229",
                    "2020-02-29 12:30",
                    "abc",
                    "2020-02-30",
                    "2021-02-29 00:00:00",
                ],
                random,
            )),
            2 => Expr::Literal(Literal::Temporal(
                Temporal::Date,
                pick(table::DATES, random).to_owned(),
            )),
            3 => Expr::Literal(Literal::Temporal(
                Temporal::Timestamp,
                pick(table::DATE_TIMES_6, random).to_owned(),
            )),
            _ if kind == Kind::Date => Expr::text(pick(table::DATES, random)),
            4 | 5 => Expr::text(pick(table::DATE_TIMES, random)),
            _ => Expr::text(pick(table::DATE_TIMES_6, random)),
        }
    }
}

fn binary(op: BinaryOp, left: Expr, right: Expr) -> Expr {
    Expr::Binary { op, left: Box::new(left), right: Box::new(right) }
}

fn function(name: &str, arguments: Vec<Expr>) -> Expr {
    Expr::Function { name: name.to_owned(), arguments }
}
