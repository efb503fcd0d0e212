//! Values while a predicate is judged.

use std::borrow::Cow;

use super::decimal::Decimal;
use super::temporal::{Micros, Moment};

/// A value; which kind an expression has is known when it is compiled.
#[derive(Debug, Clone)]
pub(super) enum Value<'a> {
    Null,
    Int(i64),
    UInt(u64),
    Decimal(Decimal<'a>),
    Real(f64),
    /// A text in its type's charset.
    Text(Cow<'a, [u8]>),
    /// A DATE, DATETIME or TIMESTAMP.
    Moment(Moment),
    /// A TIME.
    Time(Micros),
}

impl<'a> Value<'a> {
    pub(super) fn truth(truth: Option<bool>) -> Self {
        truth.map_or(Self::Null, |truth| Self::Int(i64::from(truth)))
    }

    pub(super) fn text(text: &'a [u8]) -> Self {
        Self::Text(Cow::Borrowed(text))
    }

    pub(super) const fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    pub(super) fn into_owned(self) -> Value<'static> {
        match self {
            Self::Null => Value::Null,
            Self::Int(int) => Value::Int(int),
            Self::UInt(int) => Value::UInt(int),
            Self::Decimal(decimal) => Value::Decimal(decimal.into_owned()),
            Self::Real(real) => Value::Real(real),
            Self::Text(text) => Value::Text(Cow::Owned(text.into_owned())),
            Self::Moment(moment) => Value::Moment(moment),
            Self::Time(time) => Value::Time(time),
        }
    }

    /// What WHERE makes of it; `None` for NULL.
    pub(super) fn is_true(&self) -> Option<bool> {
        match self {
            Self::Null => None,
            Self::Int(int) => Some(*int != 0),
            Self::UInt(int) => Some(*int != 0),
            Self::Decimal(decimal) => Some(!decimal.is_zero()),
            Self::Real(real) => Some(*real != 0.0),
            Self::Text(text) => Some(text_to_real(text) != 0.0),
            Self::Moment(moment) => Some(*moment != 0),
            Self::Time(time) => Some(*time != 0),
        }
    }

    /// An integer of either sign.
    pub(super) fn integer(&self) -> Option<i128> {
        match self {
            Self::Int(int) => Some(i128::from(*int)),
            Self::UInt(int) => Some(i128::from(*int)),
            _ => None,
        }
    }

    pub(super) fn bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }
}

/// The number that a text begins with, as MySQL reads it; 0 if it begins with none.
pub(super) fn text_to_real(text: &[u8]) -> f64 {
    let body = text.trim_ascii_start();
    let length = number_length(body);
    let number = body.get(..length).and_then(|number| std::str::from_utf8(number).ok());
    let real: f64 = number.and_then(|number| number.parse().ok()).unwrap_or(0.0);
    real.clamp(f64::MIN, f64::MAX)
}

/// How many bytes at the beginning are a number: sign, digits, point, digits, exponent.
pub(super) fn number_length(text: &[u8]) -> usize {
    let digits_at = |from: usize| {
        text.get(from..).unwrap_or_default().iter().take_while(|byte| byte.is_ascii_digit()).count()
    };
    let sign = usize::from(matches!(text.first(), Some(b'+' | b'-')));
    let whole = digits_at(sign);
    let mut end = sign + whole;
    let mut fraction = 0;
    if text.get(end) == Some(&b'.') {
        fraction = digits_at(end + 1);
        end += 1 + fraction;
    }
    if whole + fraction == 0 {
        return 0;
    }
    if matches!(text.get(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(text.get(end + 1), Some(b'+' | b'-')));
        let exponent = digits_at(end + 1 + sign);
        if exponent > 0 {
            end += 1 + sign + exponent;
        }
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_begin_with_numbers() {
        for (text, expected) in [
            ("12abc", 12.0),
            ("  -1.5e2x", -150.0),
            ("abc", 0.0),
            ("", 0.0),
            (".5", 0.5),
            ("5.", 5.0),
            ("1e", 1.0),
            ("1e+", 1.0),
            ("-", 0.0),
            (".", 0.0),
            ("inf", 0.0),
            ("1e999", f64::MAX),
            ("0x1a", 0.0),
        ] {
            assert_eq!(text_to_real(text.as_bytes()), expected, "{text:?}");
        }
    }
}
