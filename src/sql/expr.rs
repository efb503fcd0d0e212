//! Expressions of predicates and of SET: our own tree, printed so that it parses to itself.
//!
//! [`Expr`] says what was written, not what it is worth: columns are not looked up, literals keep
//! their digits. AND and OR are lists, so that a long chain is not a deep tree.

use std::fmt;

use super::name::{Identifier, Text};

/// An expression.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Expr {
    /// A literal.
    Literal(Literal),
    /// A column of the row.
    Column(ColumnRef),
    /// `op` in a VSTREAM: `+`, `*` or `-`. A column of that name is written `` `op` ``.
    Op,
    /// `CHANGED(a, b)`: an update gave one of these columns another value. Never empty.
    Changed(Vec<String>),
    /// A system variable; only SET and SHOW may name one.
    Variable {
        /// As in `@@global.x`.
        scope: Option<Scope>,
        /// In lower case.
        name: String,
    },
    /// A user variable, `@x`; only SET may name one.
    UserVariable(String),
    /// All hold. At least two, none of them an `And` itself.
    And(Vec<Expr>),
    /// One holds. At least two, none of them an `Or` itself.
    Or(Vec<Expr>),
    /// An operator with one operand.
    Unary {
        /// The operator.
        op: UnaryOp,
        /// Its operand.
        operand: Box<Expr>,
    },
    /// An operator with two operands.
    Binary {
        /// The operator.
        op: BinaryOp,
        /// What stands before it.
        left: Box<Expr>,
        /// What stands behind it.
        right: Box<Expr>,
    },
    /// `x IS [NOT] NULL`, `TRUE`, `FALSE` or `UNKNOWN`.
    Is {
        /// What is tested.
        operand: Box<Expr>,
        /// For what.
        test: Test,
        /// `IS NOT`.
        negated: bool,
    },
    /// `x [NOT] IN (...)`. The list is never empty.
    In {
        /// What is looked for.
        operand: Box<Expr>,
        /// Where.
        list: Vec<Expr>,
        /// `NOT IN`.
        negated: bool,
    },
    /// `x [NOT] BETWEEN low AND high`.
    Between {
        /// What is compared.
        operand: Box<Expr>,
        /// The lower bound, inclusive.
        low: Box<Expr>,
        /// The upper bound, inclusive.
        high: Box<Expr>,
        /// `NOT BETWEEN`.
        negated: bool,
    },
    /// `x [NOT] LIKE pattern [ESCAPE c]`.
    Like {
        /// What is matched.
        operand: Box<Expr>,
        /// Against what.
        pattern: Box<Expr>,
        /// `\` unless written; none after `ESCAPE ''`.
        escape: Option<char>,
        /// `NOT LIKE`.
        negated: bool,
    },
    /// `x [NOT] REGEXP pattern`, or RLIKE.
    Regexp {
        /// What is matched.
        operand: Box<Expr>,
        /// Against what.
        pattern: Box<Expr>,
        /// `NOT REGEXP`.
        negated: bool,
    },
    /// `CASE [x] WHEN a THEN b ... [ELSE c] END`.
    Case {
        /// What each WHEN is compared with; none: each WHEN is a condition.
        operand: Option<Box<Expr>>,
        /// WHEN and THEN. Never empty.
        branches: Vec<(Expr, Expr)>,
        /// ELSE.
        otherwise: Option<Box<Expr>>,
    },
    /// `CAST(x AS type)`; `BINARY x` and `CONVERT(x, type)` are the same.
    Cast {
        /// What is cast.
        operand: Box<Expr>,
        /// To what.
        to: CastType,
    },
    /// `CONVERT(x USING charset)`.
    Convert {
        /// What is converted.
        operand: Box<Expr>,
        /// In lower case.
        charset: String,
    },
    /// `x COLLATE collation`.
    Collate {
        /// What is compared.
        operand: Box<Expr>,
        /// In lower case.
        collation: String,
    },
    /// A call of an ordinary function.
    Function {
        /// In upper case.
        name: String,
        /// Its arguments.
        arguments: Vec<Expr>,
    },
}

/// A literal.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Literal {
    /// NULL.
    Null,
    /// TRUE or FALSE, which are 1 and 0.
    Bool(bool),
    /// The digits as written, `-` included: an integer; a decimal if it has a point; a double if
    /// it has an exponent.
    Number(String),
    /// A text.
    Text(String),
    /// `X'4d'`, `0x4d`, `b'101'`, `_binary 'x'`.
    Bytes(Vec<u8>),
    /// `DATE '...'`, `TIME '...'`, `TIMESTAMP '...'`.
    Temporal(Temporal, String),
}

/// The keyword before a temporal literal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Temporal {
    /// DATE.
    Date,
    /// TIME.
    Time,
    /// TIMESTAMP, which is a DATETIME.
    Timestamp,
}

/// A column of the row that is judged.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ColumnRef {
    /// `old.` or `new.`; none: the image that is judged.
    pub image: Option<Image>,
    /// As written.
    pub name: String,
}

/// An image of a row change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Image {
    /// Before the change.
    Old,
    /// After it.
    New,
}

/// Whose variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// SESSION or LOCAL.
    Session,
    /// GLOBAL.
    Global,
    /// PERSIST.
    Persist,
    /// `PERSIST_ONLY`.
    PersistOnly,
}

/// An operator with one operand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UnaryOp {
    /// NOT, or `!`.
    Not,
    /// `-`, of anything but a number.
    Minus,
    /// `~`.
    BitNot,
}

/// An operator with two operands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BinaryOp {
    /// XOR.
    Xor,
    /// `=`.
    Eq,
    /// `<=>`.
    NullSafeEq,
    /// `<>` or `!=`.
    NotEq,
    /// `<`.
    Lt,
    /// `<=`.
    LtEq,
    /// `>`.
    Gt,
    /// `>=`.
    GtEq,
    /// `|`.
    BitOr,
    /// `&`.
    BitAnd,
    /// `<<`.
    ShiftLeft,
    /// `>>`.
    ShiftRight,
    /// `+`.
    Add,
    /// `-`.
    Subtract,
    /// `*`.
    Multiply,
    /// `/`.
    Divide,
    /// DIV.
    IntegerDivide,
    /// `%` or MOD.
    Modulo,
    /// `^`.
    BitXor,
}

/// What IS tests for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Test {
    /// NULL.
    Null,
    /// TRUE: neither NULL nor 0.
    True,
    /// FALSE: 0.
    False,
    /// UNKNOWN: NULL.
    Unknown,
}

/// The target of a CAST.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CastType {
    /// SIGNED.
    Signed,
    /// UNSIGNED.
    Unsigned,
    /// CHAR, or CHAR(n).
    Char(Option<u32>),
    /// BINARY, or BINARY(n).
    Binary(Option<u32>),
    /// DECIMAL(precision, scale); (10, 0) unless written.
    Decimal(u8, u8),
    /// FLOAT.
    Float,
    /// DOUBLE or REAL.
    Double,
    /// DATE.
    Date,
    /// TIME(fsp).
    Time(u8),
    /// DATETIME(fsp).
    DateTime(u8),
    /// YEAR.
    Year,
    /// JSON.
    Json,
}

impl Expr {
    /// A column without an image.
    pub fn column(name: &str) -> Self {
        Self::Column(ColumnRef { image: None, name: name.to_owned() })
    }

    /// A text literal.
    pub fn text(text: &str) -> Self {
        Self::Literal(Literal::Text(text.to_owned()))
    }

    /// A number literal by its digits.
    pub fn number(digits: &str) -> Self {
        Self::Literal(Literal::Number(digits.to_owned()))
    }

    /// The conjunction of `terms`; none of no terms.
    pub fn all(mut terms: Vec<Self>) -> Option<Self> {
        if terms.len() < 2 { terms.pop() } else { Some(Self::And(terms)) }
    }

    /// Prints as one term of an AND.
    pub(super) fn as_term(&self) -> impl fmt::Display {
        Operand(self, 4)
    }

    /// How tightly the outermost operator binds; an operand that binds less needs parentheses.
    fn level(&self) -> u8 {
        match self {
            Self::Or(_) => 1,
            Self::And(_) => 3,
            Self::Unary { op: UnaryOp::Not, .. } => 4,
            Self::Is { .. } => 5,
            Self::In { .. } | Self::Between { .. } | Self::Like { .. } | Self::Regexp { .. } => 6,
            Self::Binary { op, .. } => op.level(),
            Self::Unary { .. } => 13,
            Self::Literal(Literal::Number(digits)) if digits.starts_with('-') => 13,
            Self::Collate { .. } => 14,
            Self::Literal(_)
            | Self::Column(_)
            | Self::Op
            | Self::Changed(_)
            | Self::Variable { .. }
            | Self::UserVariable(_)
            | Self::Case { .. }
            | Self::Cast { .. }
            | Self::Convert { .. }
            | Self::Function { .. } => 15,
        }
    }
}

impl BinaryOp {
    fn level(self) -> u8 {
        match self {
            Self::Xor => 2,
            Self::Eq
            | Self::NullSafeEq
            | Self::NotEq
            | Self::Lt
            | Self::LtEq
            | Self::Gt
            | Self::GtEq => 5,
            Self::BitOr => 7,
            Self::BitAnd => 8,
            Self::ShiftLeft | Self::ShiftRight => 9,
            Self::Add | Self::Subtract => 10,
            Self::Multiply | Self::Divide | Self::IntegerDivide | Self::Modulo => 11,
            Self::BitXor => 12,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Xor => "XOR",
            Self::Eq => "=",
            Self::NullSafeEq => "<=>",
            Self::NotEq => "<>",
            Self::Lt => "<",
            Self::LtEq => "<=",
            Self::Gt => ">",
            Self::GtEq => ">=",
            Self::BitOr => "|",
            Self::BitAnd => "&",
            Self::ShiftLeft => "<<",
            Self::ShiftRight => ">>",
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::IntegerDivide => "DIV",
            Self::Modulo => "%",
            Self::BitXor => "^",
        }
    }
}

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Literal(literal) => literal.fmt(f),
            Self::Column(column) => column.fmt(f),
            Self::Op => f.write_str("op"),
            Self::Changed(names) => {
                f.write_str("CHANGED(")?;
                list(f, names.iter().map(|name| Identifier(name)))?;
                f.write_str(")")
            }
            Self::Variable { scope, name } => {
                f.write_str("@@")?;
                if let Some(scope) = scope {
                    write!(f, "{}.", scope.word().to_ascii_lowercase())?;
                }
                Identifier(name).fmt(f)
            }
            Self::UserVariable(name) => write!(f, "@{}", Identifier(name)),
            Self::And(terms) => chain(f, terms, " AND ", 4),
            Self::Or(terms) => chain(f, terms, " OR ", 2),
            Self::Unary { op, operand } => unary(f, *op, operand),
            Self::Binary { op, left, right } => binary(f, *op, left, right),
            Self::Is { operand, test, negated } => {
                write!(f, "{} IS {}{}", Operand(operand, 7), not(*negated), test.word())
            }
            Self::In { operand, list: items, negated } => {
                write!(f, "{} {}IN (", Operand(operand, 7), not(*negated))?;
                list(f, items)?;
                f.write_str(")")
            }
            Self::Between { operand, low, high, negated } => {
                write!(f, "{} {}BETWEEN ", Operand(operand, 7), not(*negated))?;
                write!(f, "{} AND {}", Operand(low, 7), Operand(high, 7))
            }
            Self::Like { operand, pattern, escape, negated } => {
                write!(f, "{} {}LIKE ", Operand(operand, 7), not(*negated))?;
                Operand(pattern, 13).fmt(f)?;
                match escape {
                    Some('\\') => Ok(()),
                    Some(escape) => write!(f, " ESCAPE {}", Text(&escape.to_string())),
                    None => f.write_str(" ESCAPE ''"),
                }
            }
            Self::Regexp { operand, pattern, negated } => {
                write!(f, "{} {}REGEXP ", Operand(operand, 7), not(*negated))?;
                Operand(pattern, 13).fmt(f)
            }
            Self::Case { operand, branches, otherwise } => {
                case(f, operand.as_deref(), branches, otherwise.as_deref())
            }
            Self::Cast { operand, to } => write!(f, "CAST({operand} AS {to})"),
            Self::Convert { operand, charset } => {
                write!(f, "CONVERT({operand} USING {})", Identifier(charset))
            }
            Self::Collate { operand, collation } => {
                write!(f, "{} COLLATE {}", Operand(operand, 15), Identifier(collation))
            }
            Self::Function { name, arguments } => {
                write!(f, "{name}(")?;
                list(f, arguments)?;
                f.write_str(")")
            }
        }
    }
}

/// An operand, in parentheses if it binds less than its place needs.
struct Operand<'a>(&'a Expr, u8);

impl fmt::Display for Operand<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(expr, least) = self;
        if expr.level() < *least { write!(f, "({expr})") } else { expr.fmt(f) }
    }
}

fn chain(f: &mut fmt::Formatter<'_>, terms: &[Expr], word: &str, least: u8) -> fmt::Result {
    for (index, term) in terms.iter().enumerate() {
        if index > 0 {
            f.write_str(word)?;
        }
        write!(f, "{}", Operand(term, least))?;
    }
    Ok(())
}

fn unary(f: &mut fmt::Formatter<'_>, op: UnaryOp, operand: &Expr) -> fmt::Result {
    match op {
        UnaryOp::Not => write!(f, "NOT {}", Operand(operand, 5)),
        UnaryOp::Minus => write!(f, "-{}", Operand(operand, 14)),
        UnaryOp::BitNot => write!(f, "~{}", Operand(operand, 14)),
    }
}

fn binary(f: &mut fmt::Formatter<'_>, op: BinaryOp, left: &Expr, right: &Expr) -> fmt::Result {
    let (left_least, right_least) = match op {
        BinaryOp::Xor => (3, 3),
        // Comparisons chain to the left in MySQL too, but nobody remembers it.
        op if op.level() == 5 => (6, 6),
        op => (op.level(), op.level() + 1),
    };
    write!(f, "{} {} {}", Operand(left, left_least), op.word(), Operand(right, right_least))
}

fn case(
    f: &mut fmt::Formatter<'_>,
    operand: Option<&Expr>,
    branches: &[(Expr, Expr)],
    otherwise: Option<&Expr>,
) -> fmt::Result {
    f.write_str("CASE")?;
    if let Some(operand) = operand {
        write!(f, " {operand}")?;
    }
    for (when, then) in branches {
        write!(f, " WHEN {when} THEN {then}")?;
    }
    if let Some(otherwise) = otherwise {
        write!(f, " ELSE {otherwise}")?;
    }
    f.write_str(" END")
}

fn list<T: fmt::Display>(
    f: &mut fmt::Formatter<'_>,
    items: impl IntoIterator<Item = T>,
) -> fmt::Result {
    for (index, item) in items.into_iter().enumerate() {
        if index > 0 {
            f.write_str(", ")?;
        }
        item.fmt(f)?;
    }
    Ok(())
}

fn not(negated: bool) -> &'static str {
    if negated { "NOT " } else { "" }
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("NULL"),
            Self::Bool(true) => f.write_str("TRUE"),
            Self::Bool(false) => f.write_str("FALSE"),
            Self::Number(digits) => f.write_str(digits),
            Self::Text(text) => Text(text).fmt(f),
            Self::Bytes(bytes) => {
                f.write_str("X'")?;
                for byte in bytes {
                    write!(f, "{byte:02X}")?;
                }
                f.write_str("'")
            }
            Self::Temporal(kind, text) => write!(f, "{} {}", kind.word(), Text(text)),
        }
    }
}

impl fmt::Display for ColumnRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.image {
            Some(Image::Old) => f.write_str("old.")?,
            Some(Image::New) => f.write_str("new.")?,
            None => {}
        }
        Identifier(&self.name).fmt(f)
    }
}

impl fmt::Display for CastType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Signed => f.write_str("SIGNED"),
            Self::Unsigned => f.write_str("UNSIGNED"),
            Self::Char(None) => f.write_str("CHAR"),
            Self::Char(Some(length)) => write!(f, "CHAR({length})"),
            Self::Binary(None) => f.write_str("BINARY"),
            Self::Binary(Some(length)) => write!(f, "BINARY({length})"),
            Self::Decimal(precision, scale) => write!(f, "DECIMAL({precision}, {scale})"),
            Self::Float => f.write_str("FLOAT"),
            Self::Double => f.write_str("DOUBLE"),
            Self::Date => f.write_str("DATE"),
            Self::Time(0) => f.write_str("TIME"),
            Self::Time(fsp) => write!(f, "TIME({fsp})"),
            Self::DateTime(0) => f.write_str("DATETIME"),
            Self::DateTime(fsp) => write!(f, "DATETIME({fsp})"),
            Self::Year => f.write_str("YEAR"),
            Self::Json => f.write_str("JSON"),
        }
    }
}

impl Test {
    fn word(self) -> &'static str {
        match self {
            Self::Null => "NULL",
            Self::True => "TRUE",
            Self::False => "FALSE",
            Self::Unknown => "UNKNOWN",
        }
    }
}

impl Temporal {
    fn word(self) -> &'static str {
        match self {
            Self::Date => "DATE",
            Self::Time => "TIME",
            Self::Timestamp => "TIMESTAMP",
        }
    }
}

impl Scope {
    /// The keyword.
    pub fn word(self) -> &'static str {
        match self {
            Self::Session => "SESSION",
            Self::Global => "GLOBAL",
            Self::Persist => "PERSIST",
            Self::PersistOnly => "PERSIST_ONLY",
        }
    }
}
