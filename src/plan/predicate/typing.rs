//! The types that expressions have before any row is seen, and what MySQL makes of pairs of them.

use std::sync::Arc;

use crate::event::collation::{self, Charset};
use crate::event::{CollationId, ColumnType};
use crate::plan::PlanError;

/// What kind of value an expression has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Type {
    /// The literal NULL.
    Null,
    Int {
        unsigned: bool,
    },
    /// Digits behind the point, as far as they are known; a quotient is rounded to them.
    Decimal {
        scale: u8,
    },
    Real,
    Text(Coercion),
    Date,
    /// DATETIME or TIMESTAMP.
    DateTime {
        fsp: u8,
    },
    Time {
        fsp: u8,
    },
    Year,
    Bit,
    Enum(Coercion, Arc<[Box<str>]>),
    Set(Coercion, Arc<[Box<str>]>),
    Json,
    /// Bytes or a text with a meaning of its own, by its word: comparing it is not covered.
    Opaque(&'static str),
}

/// A text's collation and how hard it insists on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Coercion {
    pub collation: CollationId,
    pub strength: Strength,
}

/// MySQL's coercibility: a smaller one wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Strength {
    /// COLLATE was written.
    Explicit,
    /// A column's own.
    Column,
    /// A literal's.
    Literal,
    /// A number or a time, written as text.
    Number,
}

/// How two numbers meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Numeric {
    Int,
    Decimal,
    Real,
}

impl Type {
    pub(super) fn of(column_type: &ColumnType, collation: CollationId) -> Self {
        let coercion = Coercion { collation, strength: Strength::Column };
        match column_type {
            ColumnType::Int { unsigned, .. } => Self::Int { unsigned: *unsigned },
            ColumnType::Decimal { scale, .. } => Self::Decimal { scale: *scale },
            ColumnType::Float { .. } | ColumnType::Double { .. } => Self::Real,
            ColumnType::Bit { .. } => Self::Bit,
            ColumnType::Date => Self::Date,
            ColumnType::Time { fsp } => Self::Time { fsp: *fsp },
            ColumnType::DateTime { fsp } | ColumnType::Timestamp { fsp } => {
                Self::DateTime { fsp: *fsp }
            }
            ColumnType::Year => Self::Year,
            ColumnType::Char { .. } | ColumnType::VarChar { .. } | ColumnType::Text { .. } => {
                Self::Text(coercion)
            }
            ColumnType::Enum { members } => Self::Enum(coercion, Arc::clone(members)),
            ColumnType::Set { members } => Self::Set(coercion, Arc::clone(members)),
            ColumnType::Json => Self::Json,
            ColumnType::Geometry => Self::Opaque("a geometry"),
            ColumnType::Vector { .. } => Self::Opaque("a VECTOR"),
            ColumnType::Uuid => Self::Opaque("a UUID"),
            ColumnType::Inet4 | ColumnType::Inet6 => Self::Opaque("an INET address"),
        }
    }

    /// The collation of a text, ENUM or SET.
    pub(super) const fn coercion(&self) -> Option<Coercion> {
        match self {
            Self::Text(coercion) | Self::Enum(coercion, _) | Self::Set(coercion, _) => {
                Some(*coercion)
            }
            _ => None,
        }
    }

    /// How it meets other numbers; `None` for what is no number by itself.
    pub(super) const fn numeric(&self) -> Option<Numeric> {
        match self {
            Self::Null | Self::Int { .. } | Self::Year | Self::Bit => Some(Numeric::Int),
            Self::Decimal { .. } => Some(Numeric::Decimal),
            Self::Real => Some(Numeric::Real),
            _ => None,
        }
    }

    /// Digits behind the point of an exact number.
    pub(super) const fn scale(&self) -> u8 {
        match self {
            Self::Decimal { scale } => *scale,
            _ => 0,
        }
    }

    pub(super) const fn is_unsigned(&self) -> bool {
        matches!(self, Self::Int { unsigned: true } | Self::Year | Self::Bit)
    }

    pub(super) const fn is_moment(&self) -> bool {
        matches!(self, Self::Date | Self::DateTime { .. })
    }

    pub(super) const fn is_temporal(&self) -> bool {
        matches!(self, Self::Date | Self::DateTime { .. } | Self::Time { .. })
    }

    /// In the words of an error.
    pub(super) const fn word(&self) -> &'static str {
        match self {
            Self::Null => "NULL",
            Self::Int { .. } => "an integer",
            Self::Decimal { .. } => "a DECIMAL",
            Self::Real => "a floating-point number",
            Self::Text(_) => "a text",
            Self::Date => "a DATE",
            Self::DateTime { .. } => "a DATETIME",
            Self::Time { .. } => "a TIME",
            Self::Year => "a YEAR",
            Self::Bit => "a BIT",
            Self::Enum(..) => "an ENUM",
            Self::Set(..) => "a SET",
            Self::Json => "a JSON value",
            Self::Opaque(word) => word,
        }
    }
}

impl Coercion {
    /// What a literal has: the connection's collation, which is MySQL 8's default.
    pub(super) const LITERAL: Self =
        Self { collation: CollationId::UTF8MB4_0900_AI_CI, strength: Strength::Literal };
    /// What a number has that is used as a text.
    pub(super) const NUMBER: Self =
        Self { collation: CollationId::UTF8MB4_0900_AI_CI, strength: Strength::Number };

    /// The character set, if predicates are judged in it.
    pub(super) fn charset(self) -> Option<Charset> {
        let judged =
            |set: &Charset| set.is_utf8() || matches!(set, Charset::Binary | Charset::Latin1);
        collation::charset(self.collation).filter(judged)
    }

    /// Under which collation two texts meet.
    pub(super) fn meet(self, other: Self, operation: &str) -> Result<Self, PlanError> {
        for coercion in [self, other] {
            if !collation::is_covered(coercion.collation) {
                let collation = coercion.collation;
                return Err(collation::CollationError::Uncovered(collation).into());
            }
        }
        let (strong, weak) =
            if self.strength <= other.strength { (self, other) } else { (other, self) };
        let equal = strong.strength == weak.strength;
        if strong.collation == weak.collation {
            return Ok(strong);
        }
        let (Some(strong_charset), Some(weak_charset)) = (strong.charset(), weak.charset()) else {
            return Err(mix(self, other, operation));
        };
        let bytes = |coercion: Self| collation::is_bytewise(coercion.collation);
        match (strong_charset, weak_charset) {
            (Charset::Binary, _) => Ok(strong),
            (_, Charset::Binary) if equal => Ok(weak),
            (_, Charset::Binary) => Ok(strong),
            _ if !equal && weak.strength >= Strength::Literal => Ok(strong),
            (left, right) if left == right && !equal => Ok(strong),
            (left, right) if left == right && strong.strength == Strength::Column => {
                match (bytes(strong), bytes(weak)) {
                    (true, false) => Ok(strong),
                    (false, true) => Ok(weak),
                    _ => Err(mix(self, other, operation)),
                }
            }
            (left, right) if left.holds(right) => Ok(strong),
            (left, right) if right.holds(left) && equal => Ok(weak),
            _ => Err(mix(self, other, operation)),
        }
    }
}

pub(super) fn mix(left: Coercion, right: Coercion, operation: &str) -> PlanError {
    let side = |coercion: Coercion| {
        let strength = match coercion.strength {
            Strength::Explicit => "EXPLICIT",
            Strength::Column => "IMPLICIT",
            Strength::Literal => "COERCIBLE",
            Strength::Number => "NUMERIC",
        };
        format!("{},{strength}", collation::name(coercion.collation).unwrap_or("?"))
    };
    PlanError::CollationMix {
        left: side(left),
        right: side(right),
        operation: operation.to_owned(),
    }
}
