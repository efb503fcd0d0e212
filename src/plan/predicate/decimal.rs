//! Exact numbers: compared as texts without allocating, calculated as big decimals.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::str::FromStr;

use bigdecimal::num_bigint::{BigInt, Sign};
use bigdecimal::{BigDecimal, RoundingMode, ToPrimitive, Zero};

/// An exact number, as a cell has it or as a calculation left it.
#[derive(Debug, Clone)]
pub(super) enum Decimal<'a> {
    /// Sign, digits, point, digits.
    Text(Cow<'a, [u8]>),
    Big(BigDecimal),
}

impl Decimal<'_> {
    pub(super) fn into_owned(self) -> Decimal<'static> {
        match self {
            Self::Text(text) => Decimal::Text(Cow::Owned(text.into_owned())),
            Self::Big(big) => Decimal::Big(big),
        }
    }

    pub(super) fn is_zero(&self) -> bool {
        match self {
            Self::Text(text) => text.iter().all(|byte| matches!(byte, b'0' | b'.' | b'-' | b'+')),
            Self::Big(big) => big.is_zero(),
        }
    }

    /// `None` if the text is no number.
    pub(super) fn to_big(&self) -> Option<BigDecimal> {
        match self {
            Self::Text(text) => BigDecimal::from_str(std::str::from_utf8(text).ok()?).ok(),
            Self::Big(big) => Some(big.clone()),
        }
    }

    pub(super) fn to_real(&self) -> Option<f64> {
        match self {
            Self::Text(text) => std::str::from_utf8(text).ok()?.parse().ok(),
            // The shortest way that rounds once: through the digits.
            Self::Big(big) => big.to_string().parse().ok(),
        }
    }

    /// `None` if a text is no number.
    pub(super) fn compare(&self, other: &Decimal<'_>) -> Option<Ordering> {
        match (self, other) {
            (Self::Text(left), Decimal::Text(right)) => compare_texts(left, right),
            _ => Some(self.to_big()?.cmp(&other.to_big()?)),
        }
    }
}

/// Compares two numbers without exponents; `None` if one is no number.
pub(in crate::plan) fn compare_texts(left: &[u8], right: &[u8]) -> Option<Ordering> {
    let (left, right) = (Digits::read(left)?, Digits::read(right)?);
    Some(match (left.negative, right.negative) {
        (false, true) => Ordering::Greater,
        (true, false) => Ordering::Less,
        (false, false) => left.magnitude(&right),
        (true, true) => right.magnitude(&left),
    })
}

/// A number's digits without zeros at either end; zero is not negative.
struct Digits<'a> {
    negative: bool,
    whole: &'a [u8],
    fraction: &'a [u8],
}

impl<'a> Digits<'a> {
    fn read(text: &'a [u8]) -> Option<Self> {
        let (negative, body) = match text.split_first() {
            Some((b'-', body)) => (true, body),
            Some((b'+', body)) => (false, body),
            _ => (false, text),
        };
        let (whole, fraction) = match body.iter().position(|&byte| byte == b'.') {
            Some(point) => (body.get(..point)?, body.get(point + 1..)?),
            None => (body, &b""[..]),
        };
        let is_number = |digits: &[u8]| digits.iter().all(u8::is_ascii_digit);
        if whole.len() + fraction.len() == 0 || !is_number(whole) || !is_number(fraction) {
            return None;
        }
        let first = whole.iter().position(|&digit| digit != b'0').unwrap_or(whole.len());
        let behind = fraction.iter().rposition(|&digit| digit != b'0').map_or(0, |last| last + 1);
        let (whole, fraction) = (whole.get(first..)?, fraction.get(..behind)?);
        let negative = negative && whole.len() + fraction.len() > 0;
        Some(Self { negative, whole, fraction })
    }

    fn magnitude(&self, other: &Self) -> Ordering {
        let whole =
            self.whole.len().cmp(&other.whole.len()).then_with(|| self.whole.cmp(other.whole));
        whole.then_with(|| self.fraction.cmp(other.fraction))
    }
}

/// `left / right` rounded to `scale` digits behind the point; `None` for a division by zero.
pub(super) fn divide(left: &BigDecimal, right: &BigDecimal, scale: u8) -> Option<BigDecimal> {
    if right.is_zero() {
        return None;
    }
    let (left_digits, left_scale) = left.as_bigint_and_exponent();
    let (right_digits, right_scale) = right.as_bigint_and_exponent();
    // One digit more than is kept decides how the last one is rounded; the cut ones never do.
    let shift = i64::from(scale) + 1 - left_scale + right_scale;
    let ten = |power: i64| BigInt::from(10).pow(u32::try_from(power.max(0)).unwrap_or(0));
    let quotient = (left_digits * ten(shift)) / (right_digits * ten(-shift));
    let quotient = BigDecimal::new(quotient, i64::from(scale) + 1);
    Some(quotient.with_scale_round(i64::from(scale), RoundingMode::HalfUp))
}

/// `left % right` with the sign of `left`; `None` for a division by zero.
pub(super) fn remainder(left: &BigDecimal, right: &BigDecimal) -> Option<BigDecimal> {
    let scale = left.fractional_digit_count().max(right.fractional_digit_count());
    let (left, _) = left.with_scale(scale).into_bigint_and_exponent();
    let (right, _) = right.with_scale(scale).into_bigint_and_exponent();
    (!right.is_zero()).then(|| BigDecimal::new(left % right, scale))
}

/// The whole part, towards zero; `None` if it is no 128-bit number.
pub(super) fn truncate(number: &BigDecimal) -> Option<i128> {
    number.with_scale(0).to_i128()
}

/// Whether MySQL's DECIMAL holds a number without losing any of its digits.
pub(super) fn fits(number: &BigDecimal) -> bool {
    let (digits, scale) = number.as_bigint_and_exponent();
    let count =
        if digits.sign() == Sign::NoSign { 1 } else { digits.magnitude().to_string().len() };
    count <= PRECISION_MAX && scale <= i64::from(SCALE_MAX)
}

/// MySQL's `div_precision_increment`.
pub(super) const DIVISION_DIGITS: u8 = 4;
const PRECISION_MAX: usize = 65;
pub(super) const SCALE_MAX: u8 = 30;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_compare_as_numbers() {
        use Ordering::{Equal, Greater, Less};
        let check = |left: &str, right: &str, expected| {
            assert_eq!(
                compare_texts(left.as_bytes(), right.as_bytes()),
                expected,
                "{left} {right}"
            );
        };
        check("10", "9", Some(Greater));
        check("1.50", "1.5", Some(Equal));
        check("-0.0", "0", Some(Equal));
        check("-2", "-10", Some(Greater));
        check("007", "7", Some(Equal));
        check("0.1", "0.09", Some(Greater));
        check("-1", "1", Some(Less));
        check("1e3", "1", None);
        check("", "1", None);
        check(".", "1", None);
    }

    #[test]
    fn quotients_are_rounded() {
        let check = |left: &str, right: &str, scale, expected: &str| {
            let number = |text| BigDecimal::from_str(text).unwrap();
            let quotient = divide(&number(left), &number(right), scale).unwrap();
            assert_eq!(quotient.to_string(), expected);
        };
        check("1", "3", 4, "0.3333");
        check("-2", "3", 4, "-0.6667");
        check("5.00", "8", 6, "0.625000");
        check("1", "0.00003", 4, "33333.3333");
        assert!(divide(&BigDecimal::from(1), &BigDecimal::from(0), 4).is_none());
    }
}
