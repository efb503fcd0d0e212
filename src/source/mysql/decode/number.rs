//! Numbers that are more than their bytes.

use crate::event::print;

use super::bytes::Bytes;
use super::error::Fault;

/// A number of 24 bits in two's complement.
pub(super) fn signed24(number: u32) -> i64 {
    i64::from((number << 8).cast_signed() >> 8)
}

/// DECIMAL(precision, scale): nine digits in four bytes, on both sides of the point; the digits
/// that are no nine are first before it and last behind it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Decimal {
    /// Digits of the first group, less than nine.
    first_digits: u8,
    groups_before: u8,
    groups_behind: u8,
    /// Digits of the last group, less than nine.
    last_digits: u8,
    bytes: u8,
    /// Digits before the point that are printed even if they are 0.
    digits_min: u8,
    scale: u8,
}

impl Decimal {
    /// `scale` is not above `precision`. With `zeros`, all digits are printed.
    pub(super) fn new(precision: u8, scale: u8, zeros: bool) -> Self {
        let before = precision.saturating_sub(scale);
        let (first_digits, groups_before) = (before % DIGITS, before / DIGITS);
        let (last_digits, groups_behind) = (scale % DIGITS, scale / DIGITS);
        let groups = (groups_before + groups_behind) * GROUP_BYTES;
        let bytes = group_bytes(first_digits) + groups + group_bytes(last_digits);
        let digits_min = if zeros { before.max(1) } else { 1 };
        Self { first_digits, groups_before, groups_behind, last_digits, bytes, digits_min, scale }
    }

    pub(super) fn decode(self, bytes: &mut Bytes<'_>, out: &mut Vec<u8>) -> Result<(), Fault> {
        let start = out.len();
        out.push(0);
        self.print(bytes, out)?;
        let length = u8::try_from(out.len() - start - 1).map_err(|_| Fault::Range)?;
        if let Some(place) = out.get_mut(start) {
            *place = length;
        }
        Ok(())
    }

    /// Appends the number's text.
    pub(super) fn print(self, bytes: &mut Bytes<'_>, out: &mut Vec<u8>) -> Result<(), Fault> {
        let stored = bytes.take(usize::from(self.bytes))?;
        let mut own = [0; BYTES_MAX];
        let own = own.get_mut(..stored.len()).ok_or(Fault::Range)?;
        own.copy_from_slice(stored);
        // The first bit is set for a positive number; a negative one has all its bits turned.
        let first = own.first_mut().ok_or(Fault::Range)?;
        let negative = *first & SIGN == 0;
        *first ^= SIGN;
        if negative {
            own.iter_mut().for_each(|byte| *byte = !*byte);
            out.push(b'-');
        }
        let mut groups = Bytes(own);
        let mut begun = false;
        let start = out.len();
        let mut group = |digits: u8, out: &mut Vec<u8>| -> Result<(), Fault> {
            let number = groups.big(group_bytes(digits))?;
            if begun {
                print::padded(number, usize::from(digits), out);
            } else if number != 0 {
                print::padded(number, 1, out);
                begun = true;
            }
            Ok(())
        };
        group(self.first_digits, out)?;
        for _ in 0..self.groups_before {
            group(DIGITS, out)?;
        }
        self.fill(start, out);
        if self.scale > 0 {
            out.push(b'.');
            for _ in 0..self.groups_behind {
                print::padded(groups.big(GROUP_BYTES)?, usize::from(DIGITS), out);
            }
            if self.last_digits > 0 {
                let number = groups.big(group_bytes(self.last_digits))?;
                print::padded(number, usize::from(self.last_digits), out);
            }
        }
        Ok(())
    }

    /// Puts zeros before the digits that begin at `start` until they are enough.
    fn fill(self, start: usize, out: &mut Vec<u8>) {
        let missing = usize::from(self.digits_min).saturating_sub(out.len() - start);
        if missing > 0 {
            out.splice(start..start, std::iter::repeat_n(b'0', missing));
        }
    }
}

/// Bytes of a group of digits.
const fn group_bytes(digits: u8) -> u8 {
    match digits {
        DIGITS => GROUP_BYTES,
        fewer => fewer.div_ceil(2),
    }
}

const DIGITS: u8 = 9;
const GROUP_BYTES: u8 = 4;
/// Digits of the longest DECIMAL, that of an expression.
pub(super) const DIGITS_MAX: u8 = 81;
/// Its bytes, if none of its groups is full.
const BYTES_MAX: usize = 40;
const SIGN: u8 = 0x80;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signed_24_bits() {
        assert_eq!(signed24(0xff_ffff), -1);
        assert_eq!(signed24(0x80_0000), -8_388_608);
        assert_eq!(signed24(0x7f_ffff), 8_388_607);
    }

    fn check(precision: u8, scale: u8, bytes: &[u8], expected: &str) {
        let mut out = Vec::new();
        Decimal::new(precision, scale, false).print(&mut Bytes(bytes), &mut out).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn decimals_as_servers_store_them() {
        // The example of MySQL's own description of the format: 1234567890.1234 in (14,4).
        check(14, 4, &[0x81, 0x0d, 0xfb, 0x38, 0xd2, 0x04, 0xd2], "1234567890.1234");
        check(14, 4, &[0x7e, 0xf2, 0x04, 0xc7, 0x2d, 0xfb, 0x2d], "-1234567890.1234");
        check(5, 2, &[0x80, 0x00, 0x05], "0.05");
        check(5, 2, &[0x7f, 0xff, 0xfa], "-0.05");
        check(3, 3, &[0x80, 0x7d], "0.125");
        check(1, 0, &[0x80], "0");
    }

    #[test]
    fn zeros_before_the_digits_on_demand() {
        let mut out = Vec::new();
        Decimal::new(5, 2, true).print(&mut Bytes(&[0x80, 0x01, 0x05]), &mut out).unwrap();
        assert_eq!(out, b"001.05");
    }

    #[test]
    fn bytes_of_every_number_of_digits() {
        let bytes: Vec<u8> = (0..=9).map(group_bytes).collect();
        assert_eq!(bytes, [0, 1, 1, 2, 2, 3, 3, 4, 4, 4]);
    }
}
