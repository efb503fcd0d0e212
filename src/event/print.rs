//! Numbers and times as MySQL prints them: the one formatter of all sources, so that a value reads
//! the same whether it was copied or followed.
//!
//! Everything is appended by hand; nothing is allocated. What ends in `_cell` appends a whole cell,
//! all else only its text.

use std::fmt::Write as _;

use super::row::push_length;

/// Appends a cell of text shorter than 251 bytes, whose length is one byte.
#[inline]
pub fn short_cell(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.push(0);
    write(out);
    let length = out.len() - start - 1;
    if let Some(place) = out.get_mut(start) {
        *place = u8::try_from(length).unwrap_or(250);
    }
}

/// Appends a cell of any length; nothing if writing it fails.
pub fn long_cell<E>(
    out: &mut Vec<u8>,
    write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
) -> Result<(), E> {
    const LENGTH_BYTES_MAX: usize = 9;
    let start = out.len();
    out.resize(start + LENGTH_BYTES_MAX, 0);
    let text = out.len();
    if let Err(error) = write(out) {
        out.truncate(start);
        return Err(error);
    }
    let end = out.len();
    push_length(out, (end - text) as u64);
    let length_bytes = out.len() - end;
    out.copy_within(end.., start);
    out.copy_within(text..end, start + length_bytes);
    out.truncate(start + length_bytes + (end - text));
    Ok(())
}

/// Appends a whole number as a cell.
#[inline]
pub fn whole_cell(negative: bool, number: u64, out: &mut Vec<u8>) {
    let mut text = [b'-'; LENGTH_BYTE + SIGN + DIGITS_MAX];
    let mut start = push_digits(&mut text, number);
    if negative {
        start -= SIGN;
    }
    start -= LENGTH_BYTE;
    text[start] = (text.len() - start - LENGTH_BYTE).to_le_bytes()[0];
    out.extend_from_slice(&text[start..]);
}

/// Appends a whole number with a sign as a cell.
#[inline]
pub fn signed_cell(number: i64, out: &mut Vec<u8>) {
    whole_cell(number < 0, number.unsigned_abs(), out);
}

/// Appends digits with zeros before them up to `width`.
pub fn padded(number: u64, width: usize, out: &mut Vec<u8>) {
    let mut text = [b'0'; DIGITS_MAX];
    let start = push_digits(&mut text, number);
    out.extend(std::iter::repeat_n(b'0', width.saturating_sub(DIGITS_MAX)));
    out.extend_from_slice(&text[start.min(DIGITS_MAX.saturating_sub(width))..]);
}

/// Writes digits, at least one, to the end of `text`; returns where they begin.
#[inline]
fn push_digits(text: &mut [u8], mut number: u64) -> usize {
    let mut start = text.len();
    while number >= 100 {
        start -= 2;
        text[start..start + 2].copy_from_slice(&two((number % 100) as u32));
        number /= 100;
    }
    let last = two(number as u32);
    if number >= 10 {
        start -= 2;
        text[start..start + 2].copy_from_slice(&last);
    } else {
        start -= 1;
        text[start] = last[1];
    }
    start
}

/// The last two digits of a number.
#[inline]
const fn two(number: u32) -> [u8; 2] {
    let number = (number % 100) as u8;
    [b'0' + number / 10, b'0' + number % 10]
}

/// A day of a calendar that also has the year, month and day 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Day {
    /// 0 to 9999.
    pub year: u32,
    /// 0 to 12.
    pub month: u32,
    /// 0 to 31.
    pub day: u32,
}

impl Day {
    /// The day so many days after 1970-01-01.
    pub const fn after_epoch(days: u32) -> Self {
        // Eras of 400 years, with years that begin in March, so that leap days come last.
        let days = days + 719_468;
        let era = days / 146_097;
        let of_era = days % 146_097;
        let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted = (5 * of_year + 2) / 153;
        let day = of_year - (153 * shifted + 2) / 5 + 1;
        let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
        Self { year: era * 400 + year_of_era + (month <= 2) as u32, month, day }
    }
}

/// A time of day, or a span: its hours may exceed a day's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Clock {
    /// 0 to 838.
    pub hour: u32,
    /// 0 to 59.
    pub minute: u32,
    /// 0 to 59.
    pub second: u32,
    /// 0 to 999,999.
    pub micros: u32,
}

/// Appends `2026-11-22`.
#[inline]
pub fn date(day: Day, out: &mut Vec<u8>) {
    out.extend_from_slice(&date_text(day));
}

/// Appends `2026-11-22 13:45:00` with `fsp` digits of the second's fraction.
#[inline]
pub fn date_time(day: Day, clock: Clock, fsp: u8, out: &mut Vec<u8>) {
    let mut text = [b' '; 19];
    text[..10].copy_from_slice(&date_text(day));
    text[11..].copy_from_slice(&clock_text(clock));
    out.extend_from_slice(&text);
    fraction(clock.micros, fsp, out);
}

/// Appends `-838:59:59` with `fsp` digits of the second's fraction.
#[inline]
pub fn time(negative: bool, clock: Clock, fsp: u8, out: &mut Vec<u8>) {
    if negative {
        out.push(b'-');
    }
    if clock.hour >= 100 {
        padded(u64::from(clock.hour / 100), 1, out);
    }
    out.extend_from_slice(&clock_text(clock));
    fraction(clock.micros, fsp, out);
}

fn date_text(Day { year, month, day }: Day) -> [u8; 10] {
    let ([a, b], [c, d], [e, f], [g, h]) = (two(year / 100), two(year), two(month), two(day));
    [a, b, c, d, b'-', e, f, b'-', g, h]
}

/// Two digits of each; the hundreds of hours are left out.
fn clock_text(clock: Clock) -> [u8; 8] {
    let ([a, b], [c, d], [e, f]) = (two(clock.hour), two(clock.minute), two(clock.second));
    [a, b, b':', c, d, b':', e, f]
}

/// Appends the point and `fsp` digits; nothing for none.
#[inline]
pub fn fraction(micros: u32, fsp: u8, out: &mut Vec<u8>) {
    if fsp > 0 {
        let ([a, b], [c, d], [e, f]) = (two(micros / 10_000), two(micros / 100), two(micros));
        let digits = [b'.', a, b, c, d, e, f];
        out.extend_from_slice(&digits[..=usize::from(fsp.min(6))]);
    }
}

/// Appends MySQL's text of a floating number: the shortest digits that read back to it, with an
/// exponent from 1e15 up, unless there are digits behind the point, and below 1e-15.
pub fn float(number: f64, single: bool, out: &mut Vec<u8>) {
    if number == 0.0 {
        out.extend_from_slice(if number.is_sign_negative() { b"-0" } else { b"0" });
        return;
    }
    let mut text = Scratch { bytes: [0; SCRATCH_BYTES], used: 0 };
    // The shortest digits of an f64 or f32 with its exponent always fit.
    let _ = if single { write!(text, "{:e}", number as f32) } else { write!(text, "{number:e}") };
    let text = &mut text.bytes[..text.used];
    let Some(mark) = text.iter().position(|&byte| byte == b'e') else {
        return out.extend_from_slice(text);
    };
    if !single {
        round_to_even(number, text, mark);
    }
    let text = &*text;
    let exponent = std::str::from_utf8(&text[mark + 1..]).ok().and_then(|e| e.parse::<i32>().ok());
    let digits = text[..mark].iter().copied().filter(u8::is_ascii_digit);
    let count = digits.clone().count();
    let plain = |exponent: &i32| {
        (-15..15).contains(exponent) || (*exponent == 15 && count == FRACTION_OF_16_DIGITS)
    };
    let Some(exponent) = exponent.filter(plain) else {
        return out.extend_from_slice(text);
    };
    if number < 0.0 {
        out.push(b'-');
    }
    let before = usize::try_from(exponent + 1).unwrap_or(0);
    if before == 0 {
        out.extend_from_slice(b"0.");
        let zeros = usize::try_from(-1 - exponent).unwrap_or(0);
        out.extend(std::iter::repeat_n(b'0', zeros));
    }
    for (place, digit) in digits.enumerate() {
        if place == before && place > 0 {
            out.push(b'.');
        }
        out.push(digit);
    }
    out.extend(std::iter::repeat_n(b'0', before.saturating_sub(count)));
}

/// Where a double lies exactly between two shortest texts, servers print the even one, and the
/// standard library the upper one. `mark` is where the exponent begins.
fn round_to_even(number: f64, text: &mut [u8], mark: usize) {
    let digits = text[..mark].iter().filter(|byte| byte.is_ascii_digit()).count();
    let last = text[mark - 1];
    // Fewer digits are no rounded ones.
    if digits < TIE_DIGITS_MIN || last.is_multiple_of(2) {
        return;
    }
    let mut exact = Scratch { bytes: [0; SCRATCH_BYTES], used: 0 };
    let _ = write!(exact, "{number:.EXACT_DIGITS$e}");
    let mut behind = exact.bytes[..exact.used]
        .iter()
        .take_while(|byte| **byte != b'e')
        .filter(|byte| byte.is_ascii_digit())
        .skip(digits - 1);
    let is_upper = behind.next() != Some(&last);
    let is_tie = behind.next() == Some(&b'5') && behind.all(|digit| *digit == b'0');
    if is_tie {
        text[mark - 1] = if is_upper { last - 1 } else { last + 1 };
        let read = std::str::from_utf8(text).ok().and_then(|text| text.parse::<f64>().ok());
        if read != Some(number) {
            text[mark - 1] = last;
        }
    }
}

/// Text on the stack, for what only the standard library can print.
struct Scratch {
    bytes: [u8; SCRATCH_BYTES],
    used: usize,
}

impl std::fmt::Write for Scratch {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        let end = self.used + text.len();
        let place = self.bytes.get_mut(self.used..end).ok_or(std::fmt::Error)?;
        place.copy_from_slice(text.as_bytes());
        self.used = end;
        Ok(())
    }
}

const LENGTH_BYTE: usize = 1;
const SIGN: usize = 1;
/// Digits of the longest whole number.
const DIGITS_MAX: usize = 20;
const SCRATCH_BYTES: usize = 64;
/// Digits of the shortest text that can lie beside an exact one.
const TIE_DIGITS_MIN: usize = 16;
/// More than a double has that lies exactly between two of 17.
const EXACT_DIGITS: usize = 40;
/// Digits of a double with 16 before the point and one behind it.
const FRACTION_OF_16_DIGITS: usize = 17;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::row::split_cell;

    fn check(expected: &str, write: impl FnOnce(&mut Vec<u8>)) {
        let mut out = Vec::new();
        write(&mut out);
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn whole_numbers_of_every_length() {
        let mut number = 0_u64;
        for digit in (1..=9).chain(0..=9).chain([1]) {
            let mut out = Vec::new();
            whole_cell(false, number, &mut out);
            whole_cell(true, number, &mut out);
            let (first, rest) = split_cell(&out).unwrap();
            assert_eq!(first, Some(number.to_string().as_bytes()));
            let (second, rest) = split_cell(rest).unwrap();
            assert_eq!(second, Some(format!("-{number}").as_bytes()));
            assert!(rest.is_empty());
            check(&number.to_string(), |out| padded(number, 1, out));
            check(&format!("{number:025}"), |out| padded(number, 25, out));
            number = number.saturating_mul(10).saturating_add(digit);
        }
        let mut out = Vec::new();
        whole_cell(false, u64::MAX, &mut out);
        signed_cell(i64::MIN, &mut out);
        assert_eq!(out, b"\x1418446744073709551615\x14-9223372036854775808");
    }

    #[test]
    fn cells_of_any_length() {
        for length in [0, 1, 250, 251, 70_000] {
            let mut out = b"before".to_vec();
            let text = vec![b'x'; length];
            long_cell::<()>(&mut out, |out| {
                out.extend_from_slice(&text);
                Ok(())
            })
            .unwrap();
            let (cell, rest) = split_cell(&out[6..]).unwrap();
            assert_eq!((cell, rest.len()), (Some(&text[..]), 0));
        }
        let mut out = b"before".to_vec();
        let failed = long_cell(&mut out, |out| {
            out.push(b'x');
            Err("no")
        });
        assert_eq!((failed, &out[..]), (Err("no"), &b"before"[..]));
    }

    #[test]
    fn days_after_the_epoch() {
        for (days, year, month, day) in [
            (0, 1970, 1, 1),
            (58, 1970, 2, 28),
            (59, 1970, 3, 1),
            (11_016, 2000, 2, 29),
            (49_710, 2106, 2, 7),
        ] {
            assert_eq!(Day::after_epoch(days), Day { year, month, day });
        }
    }

    #[test]
    fn times_with_fractions() {
        let clock = Clock { hour: 101, minute: 2, second: 3, micros: 40_506 };
        check("101:02:03", |out| time(false, clock, 0, out));
        check("-101:02:03.04", |out| time(true, clock, 2, out));
        let clock = Clock { hour: 1, ..clock };
        check("01:02:03.040506", |out| time(false, clock, 6, out));
        let day = Day { year: 987, month: 6, day: 5 };
        check("0987-06-05 01:02:03.0", |out| date_time(day, clock, 1, out));
        check("0000-00-00", |out| date(Day::default(), out));
    }

    #[test]
    fn floating_numbers_print_as_mysql_does() {
        let doubles = [
            "0",
            "-0",
            "1",
            "-1.5",
            "0.1",
            "100000000000000",
            "1e15",
            "1.5e15",
            "1e-15",
            "123.456",
            "0.000000000000001",
            "1.7976931348623157e308",
            "5e-324",
            "0.00001",
            "-12345678.9",
            "1.234567890123456e15",
            "-2737325152840874.5",
            "1.2345678901234568e16",
            // Both lie exactly between two texts of 17 digits.
            "-1322730282980669.2",
            "1322730282980669.8",
        ];
        for text in doubles {
            let expected = if text == "1e-15" { "0.000000000000001" } else { text };
            check(expected, |out| float(text.parse().unwrap(), false, out));
        }
        check("0.1", |out| float(f64::from(0.1_f32), true, out));
    }
}
