//! Dates and times, in the log's packed forms and in those that JSON documents hold.

use crate::event::print::{self, Clock, Day, short_cell};

use super::bytes::Bytes;
use super::error::Fault;

/// Three bytes: 15 bits of year, 4 of month, 5 of day.
pub(super) fn date(bytes: &mut Bytes<'_>, out: &mut Vec<u8>) -> Result<(), Fault> {
    let packed = bytes.u24()?;
    let day = checked_day(packed >> 9, packed >> 5 & 0xf, packed & 0x1f)?;
    short_cell(out, |out| print::date(day, out));
    Ok(())
}

/// A sign and 39 bits, highest byte first: 17 of year * 13 + month, 5 of day, 5 of hour, 6 of
/// minute, 6 of second; then the fraction.
pub(super) fn date_time(fsp: u8, bytes: &mut Bytes<'_>, out: &mut Vec<u8>) -> Result<(), Fault> {
    let [a, b, c, d, e] = bytes.array()?;
    let packed = u64::from_be_bytes([0, 0, 0, a, b, c, d, e]) & 0x7f_ffff_ffff;
    let micros = fraction(fsp, bytes)?;
    let (day, clock) = (packed_day(packed >> 17)?, packed_clock(packed & 0x1_ffff, micros)?);
    short_cell(out, |out| print::date_time(day, clock, fsp, out));
    Ok(())
}

/// Seconds since 1970, highest byte first; then the fraction. 0 is the zero date.
pub(super) fn timestamp(fsp: u8, bytes: &mut Bytes<'_>, out: &mut Vec<u8>) -> Result<(), Fault> {
    let seconds = u32::from_be_bytes(bytes.array()?);
    let micros = fraction(fsp, bytes)?;
    push_timestamp(seconds, micros, fsp, out);
    Ok(())
}

fn push_timestamp(seconds: u32, micros: u32, fsp: u8, out: &mut Vec<u8>) {
    let (day, clock) = match (seconds, micros) {
        (0, 0) => (Day::default(), Clock::default()),
        _ => {
            let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
            (Day::after_epoch(seconds / 86_400), Clock { hour, minute, second, micros })
        }
    };
    short_cell(out, |out| print::date_time(day, clock, fsp, out));
}

/// 24 bits of sign, hours, minutes and seconds, and the fraction: one whole number, so that the
/// fraction of a negative time is negative too. Its zero lies in the middle.
pub(super) fn time(fsp: u8, bytes: &mut Bytes<'_>, out: &mut Vec<u8>) -> Result<(), Fault> {
    let fraction_bytes = fsp.div_ceil(2);
    let fraction_bits = u32::from(fraction_bytes) * 8;
    let packed = bytes.big(3 + fraction_bytes)?;
    let zero = 0x80_0000 << fraction_bits;
    let negative = packed < zero;
    let packed = packed.abs_diff(zero);
    let fraction = packed & ((1 << fraction_bits) - 1);
    let micros = fraction_micros(fraction, fraction_bytes)?;
    let packed = packed >> fraction_bits;
    let clock = Clock {
        hour: low(packed >> 12, 10),
        minute: sixtieth(packed >> 6)?,
        second: sixtieth(packed)?,
        micros,
    };
    short_cell(out, |out| print::time(negative, clock, fsp, out));
    Ok(())
}

/// Years since 1900; 0 is the year 0000.
pub(super) fn year(byte: u8, out: &mut Vec<u8>) {
    let year = if byte == 0 { 0 } else { 1900 + u64::from(byte) };
    short_cell(out, |out| print::padded(year, 4, out));
}

/// The form before MySQL 5.6, without a fraction: the digits hhmmss as a number.
pub(super) fn old_time(bytes: &mut Bytes<'_>, out: &mut Vec<u8>) -> Result<(), Fault> {
    let digits = super::number::signed24(bytes.u24()?);
    let clock = digits_clock(digits.unsigned_abs())?;
    short_cell(out, |out| print::time(digits < 0, clock, 0, out));
    Ok(())
}

/// The form before MySQL 5.6, without a fraction: the digits yyyymmddhhmmss as a number.
pub(super) fn old_date_time(bytes: &mut Bytes<'_>, out: &mut Vec<u8>) -> Result<(), Fault> {
    let digits = bytes.u64()?;
    let (date, clock) = (digits / 1_000_000, digits_clock(digits % 1_000_000)?);
    let part = |part: u64| u32::try_from(part).map_err(|_| Fault::Range);
    let day = checked_day(part(date / 10_000)?, part(date / 100 % 100)?, part(date % 100)?)?;
    short_cell(out, |out| print::date_time(day, clock, 0, out));
    Ok(())
}

/// The form before MySQL 5.6, without a fraction: seconds since 1970, lowest byte first.
pub(super) fn old_timestamp(bytes: &mut Bytes<'_>, out: &mut Vec<u8>) -> Result<(), Fault> {
    push_timestamp(bytes.u32()?, 0, 0, out);
    Ok(())
}

/// Appends the text of a DATE inside a JSON document.
pub(super) fn json_date(packed: i64, out: &mut Vec<u8>) -> Result<(), Fault> {
    print::date(packed_day(packed.unsigned_abs() >> 41)?, out);
    Ok(())
}

/// Appends the text of a DATETIME or TIMESTAMP inside a JSON document.
pub(super) fn json_date_time(packed: i64, out: &mut Vec<u8>) -> Result<(), Fault> {
    let packed = packed.unsigned_abs();
    let clock = packed_clock(packed >> 24 & 0x1_ffff, checked_micros(packed & 0xff_ffff)?)?;
    print::date_time(packed_day(packed >> 41)?, clock, JSON_FSP, out);
    Ok(())
}

/// Appends the text of a TIME inside a JSON document.
pub(super) fn json_time(packed: i64, out: &mut Vec<u8>) -> Result<(), Fault> {
    let (negative, packed) = (packed < 0, packed.unsigned_abs());
    let micros = checked_micros(packed & 0xff_ffff)?;
    let packed = packed >> 24;
    let clock = Clock {
        hour: low(packed >> 12, 10),
        minute: sixtieth(packed >> 6)?,
        second: sixtieth(packed)?,
        micros,
    };
    print::time(negative, clock, JSON_FSP, out);
    Ok(())
}

/// Microseconds of a fraction of `fsp` digits, highest byte first.
fn fraction(fsp: u8, bytes: &mut Bytes<'_>) -> Result<u32, Fault> {
    let fraction_bytes = fsp.div_ceil(2);
    fraction_micros(bytes.big(fraction_bytes)?, fraction_bytes)
}

fn fraction_micros(fraction: u64, fraction_bytes: u8) -> Result<u32, Fault> {
    let unit = match fraction_bytes {
        0 => return Ok(0),
        1 => 10_000,
        2 => 100,
        _ => 1,
    };
    checked_micros(fraction * unit)
}

fn checked_micros(micros: u64) -> Result<u32, Fault> {
    u32::try_from(micros).ok().filter(|&micros| micros < 1_000_000).ok_or(Fault::Range)
}

/// 17 bits of year * 13 + month, 5 of day.
fn packed_day(packed: u64) -> Result<Day, Fault> {
    let months = low(packed >> 5, 27);
    checked_day(months / 13, months % 13, low(packed, 5))
}

/// 5 bits of hour, 6 of minute, 6 of second.
fn packed_clock(packed: u64, micros: u32) -> Result<Clock, Fault> {
    let hour = low(packed >> 12, 5);
    if hour > 23 {
        return Err(Fault::Range);
    }
    Ok(Clock { hour, minute: sixtieth(packed >> 6)?, second: sixtieth(packed)?, micros })
}

/// The six lowest bits.
fn sixtieth(packed: u64) -> Result<u32, Fault> {
    match low(packed, 6) {
        part @ 0..=59 => Ok(part),
        _ => Err(Fault::Range),
    }
}

fn digits_clock(digits: u64) -> Result<Clock, Fault> {
    let part = |part: u64| u32::try_from(part).map_err(|_| Fault::Range);
    let (hour, minute, second) =
        (part(digits / 10_000)?, part(digits / 100 % 100)?, part(digits % 100)?);
    if minute > 59 || second > 59 {
        return Err(Fault::Range);
    }
    Ok(Clock { hour, minute, second, micros: 0 })
}

fn checked_day(year: u32, month: u32, day: u32) -> Result<Day, Fault> {
    if year > 9999 || month > 12 || day > 31 {
        return Err(Fault::Range);
    }
    Ok(Day { year, month, day })
}

/// The lowest bits, at most 31.
fn low(packed: u64, bits: u32) -> u32 {
    u32::try_from(packed & ((1 << bits) - 1)).unwrap_or(u32::MAX)
}

/// Times inside JSON documents always print all digits of their fraction.
const JSON_FSP: u8 = 6;

#[cfg(test)]
mod tests {
    use super::*;

    type Decode = fn(&mut Bytes<'_>, &mut Vec<u8>) -> Result<(), Fault>;

    fn check(decode: Decode, bytes: &[u8], expected: &str) {
        let mut out = Vec::new();
        let mut rest = Bytes(bytes);
        decode(&mut rest, &mut out).unwrap();
        assert!(rest.is_empty());
        let (cell, _) = crate::event::row::split_cell(&out).unwrap();
        assert_eq!(cell, Some(expected.as_bytes()));
        for length in 0..bytes.len() {
            assert!(decode(&mut Bytes(&bytes[..length]), &mut out).is_err());
        }
    }

    #[test]
    fn negative_times_with_fractions() {
        check(|b, out| time(0, b, out), &[0x80, 0, 0], "00:00:00");
        check(|b, out| time(0, b, out), &[0x7f, 0xff, 0xff], "-00:00:01");
        check(|b, out| time(1, b, out), &[0x7f, 0xff, 0xff, 0xf6], "-00:00:00.1");
        check(|b, out| time(2, b, out), &[0x80, 0, 0, 99], "00:00:00.99");
        check(|b, out| time(0, b, out), &[0xb4, 0x6e, 0xfb], "838:59:59");
        check(|b, out| time(6, b, out), &[0x7f, 0xff, 0xff, 0xff, 0xff, 0xff], "-00:00:00.000001");
    }

    #[test]
    fn zero_dates() {
        check(date, &[0, 0, 0], "0000-00-00");
        check(|b, out| date_time(0, b, out), &[0x80, 0, 0, 0, 0], "0000-00-00 00:00:00");
        check(|b, out| timestamp(3, b, out), &[0, 0, 0, 0, 0, 0], "0000-00-00 00:00:00.000");
        check(
            |b, out| {
                year(b.u8()?, out);
                Ok(())
            },
            &[0],
            "0000",
        );
        check(
            |b, out| {
                year(b.u8()?, out);
                Ok(())
            },
            &[255],
            "2155",
        );
    }

    #[test]
    fn moments() {
        check(
            |b, out| timestamp(2, b, out),
            &[0x7f, 0xff, 0xff, 0xff, 99],
            "2038-01-19 03:14:07.99",
        );
        check(date, &[0x21, 0x9f, 0x0f], "1999-09-01");
        check(old_time, &[0xff, 0xff, 0xff], "-00:00:01");
        let digits = 20_241_231_235_959_u64.to_le_bytes();
        check(old_date_time, &digits, "2024-12-31 23:59:59");
    }

    #[test]
    fn impossible_times_are_errors() {
        let mut out = Vec::new();
        assert_eq!(date(&mut Bytes(&[0xff, 0xff, 0xff]), &mut out), Err(Fault::Range));
        assert_eq!(date_time(0, &mut Bytes(&[0xff; 5]), &mut out), Err(Fault::Range));
        assert_eq!(time(1, &mut Bytes(&[0x80, 0, 0, 100]), &mut out), Err(Fault::Range));
        assert!(out.is_empty());
    }
}
