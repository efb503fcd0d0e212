//! Dates and times: reading, checking, moving and printing them as MySQL does.

use bigdecimal::{BigDecimal, ToPrimitive as _};

use super::decimal;

/// 838:59:59 in microseconds.
pub const TIME_MAX: i64 = ((838 * 60 + 59) * 60 + 59) * SECOND;

/// Microseconds of a second.
pub const SECOND: i64 = 1_000_000;

const DAY: i64 = 86_400 * SECOND;

/// A point in time; zeros in it are legal for MySQL.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment {
    /// 0 to 9999
    pub year: i64,
    /// 0 to 12
    pub month: i64,
    /// 0 to 31
    pub day: i64,
    /// Microseconds of the day.
    pub micros: i64,
}

impl Moment {
    /// Whether the calendar has it; zeros pass.
    pub fn is_valid(&self) -> bool {
        let days = if self.month == 0 { 31 } else { days_in(self.year, self.month) };
        (0..=9999).contains(&self.year)
            && (0..=12).contains(&self.month)
            && (0..=days).contains(&self.day)
            && (0..DAY).contains(&self.micros)
    }

    /// Whether the month or the day is zero.
    pub fn has_zero(&self) -> bool {
        self.month == 0 || self.day == 0
    }

    /// Rounded to digits of a second, upwards over midnight too.
    pub fn rounded(self, fsp: u8) -> Self {
        let micros = round_micros(self.micros, fsp);
        if micros < DAY || self.has_zero() {
            return Self { micros: micros.min(DAY - 1), ..self };
        }
        Self::of_days(self.days() + 1, micros - DAY)
    }

    /// `YYYY-MM-DD`
    pub fn show_date(&self) -> String {
        format!("{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }

    /// `YYYY-MM-DD HH:MM:SS` with digits of the second.
    pub fn show(&self, fsp: u8) -> String {
        format!("{} {}", self.show_date(), show_time(self.micros, fsp))
    }

    /// Days since year 0, as TO_DAYS counts.
    pub fn days(&self) -> i64 {
        // Days from civil, shifted so that 1970-01-01 is 719528.
        let year = if self.month <= 2 { self.year - 1 } else { self.year };
        let era = year.div_euclid(400);
        let of_era = year.rem_euclid(400);
        let month = (self.month + 9) % 12;
        let of_year = (153 * month + 2) / 5 + self.day - 1;
        let of_era = of_era * 365 + of_era / 4 - of_era / 100 + of_year;
        era * 146_097 + of_era - 719_468 + 719_528
    }

    /// The day with this number.
    pub fn of_days(days: i64, micros: i64) -> Self {
        let shifted = days - 719_528 + 719_468;
        let era = shifted.div_euclid(146_097);
        let of_era = shifted.rem_euclid(146_097);
        let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year + year / 4 - year / 100);
        let month = (5 * of_year + 2) / 153;
        let day = of_year - (153 * month + 2) / 5 + 1;
        let month = if month < 10 { month + 3 } else { month - 9 };
        Self { year: year + era * 400 + i64::from(month <= 2), month, day, micros }
    }

    /// Microseconds since 1970, UTC.
    pub fn unix_micros(&self) -> i64 {
        (self.days() - 719_528) * DAY + self.micros
    }

    /// The moment of so many microseconds since 1970.
    pub fn of_unix(micros: i64) -> Self {
        Self::of_days(micros.div_euclid(DAY) + 719_528, micros.rem_euclid(DAY))
    }

    /// Sunday is 0.
    pub fn weekday(&self) -> i64 {
        (self.days() + 6).rem_euclid(7)
    }

    /// 1 to 366
    pub fn day_of_year(&self) -> i64 {
        self.days() - Self { month: 1, day: 1, ..*self }.days() + 1
    }

    /// Moved by months; the day is cut to the month's length.
    pub fn plus_months(self, months: i64) -> Option<Self> {
        let all = self.year.checked_mul(12)?.checked_add(self.month - 1)?.checked_add(months)?;
        let (year, month) = (all.div_euclid(12), all.rem_euclid(12) + 1);
        (0..=9999).contains(&year).then(|| Self {
            year,
            month,
            day: self.day.min(days_in(year, month)),
            micros: self.micros,
        })
    }

    /// Moved by microseconds.
    pub fn plus_micros(self, micros: i128) -> Option<Self> {
        let all = i128::from(self.days()) * i128::from(DAY) + i128::from(self.micros) + micros;
        let day = i64::try_from(all.div_euclid(i128::from(DAY))).ok()?;
        let rest = i64::try_from(all.rem_euclid(i128::from(DAY))).ok()?;
        (1..=3_652_424).contains(&day).then(|| Self::of_days(day, rest))
    }
}

/// Days of a month.
pub fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Microseconds as `[-]HH:MM:SS` with digits.
pub fn show_time(micros: i64, fsp: u8) -> String {
    let sign = if micros < 0 { "-" } else { "" };
    let all = micros.unsigned_abs();
    let (seconds, fraction) = (all / 1_000_000, all % 1_000_000);
    let clock = format!("{sign}{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    if fsp == 0 {
        return clock;
    }
    let digits = format!("{fraction:06}");
    format!("{clock}.{}", digits.get(..usize::from(fsp.min(6))).unwrap_or(&digits))
}

/// Rounded to digits of a second, halves away from zero.
pub fn round_micros(micros: i64, fsp: u8) -> i64 {
    let unit = 10_i64.pow(6 - u32::from(fsp.min(6)));
    let half = unit / 2;
    if micros < 0 { -((-micros + half) / unit * unit) } else { (micros + half) / unit * unit }
}

/// Reads a date or point in time. The flag says that something else followed it.
pub fn parse_datetime(text: &str) -> Option<(Moment, bool)> {
    let text = text.trim_start();
    let trimmed = text.trim_end();
    let digits = trimmed.bytes().take_while(u8::is_ascii_digit).count();
    let rest = trimmed.get(digits..)?;
    let packed = matches!(digits, 6 | 8 | 12 | 14)
        && (rest.is_empty() || (rest.starts_with('.') && digits > 8));
    if packed {
        return parse_packed(trimmed.get(..digits)?, rest);
    }
    let mut parts = Vec::new();
    let mut rest = trimmed;
    let mut first_width = 0;
    let mut fraction = None;
    loop {
        let width = rest.bytes().take_while(u8::is_ascii_digit).count();
        if width == 0 {
            break;
        }
        if parts.is_empty() {
            first_width = width;
        }
        let number = rest.get(..width)?;
        rest = rest.get(width..)?;
        parts.push(number.parse::<i64>().ok()?);
        if parts.len() == 6 {
            if let Some(after) = rest.strip_prefix('.') {
                let width = after.bytes().take_while(u8::is_ascii_digit).count();
                fraction = after.get(..width);
                rest = after.get(width..)?;
            }
            break;
        }
        let separator = rest.chars().next();
        let legal = match (parts.len(), separator) {
            (_, None) => false,
            (3, Some(c)) => c == ' ' || c == 'T' || c.is_ascii_punctuation(),
            (_, Some(c)) => c.is_ascii_punctuation(),
        };
        if !legal {
            break;
        }
        let after = rest.get(separator.map_or(0, char::len_utf8)..)?;
        let after = if parts.len() == 3 { after.trim_start() } else { after };
        if !after.starts_with(|c: char| c.is_ascii_digit()) {
            break;
        }
        rest = after;
    }
    let [year, month, day, clock @ ..] = parts.as_slice() else { return None };
    let year = if first_width <= 2 { two_digits(*year) } else { *year };
    let clock = |at: usize| clock.get(at).copied().unwrap_or(0);
    let (hour, minute, second) = (clock(0), clock(1), clock(2));
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let micros = ((hour * 60 + minute) * 60 + second) * SECOND + fraction_micros(fraction);
    Some((Moment { year, month: *month, day: *day, micros }, !rest.is_empty()))
}

fn two_digits(year: i64) -> i64 {
    if year < 70 { year + 2000 } else { year + 1900 }
}

fn fraction_micros(digits: Option<&str>) -> i64 {
    let Some(digits) = digits.filter(|digits| !digits.is_empty()) else { return 0 };
    let seven: String = digits.chars().chain("0000000".chars()).take(7).collect();
    let number: i64 = seven.parse().unwrap_or(0);
    (number + 5) / 10
}

fn parse_packed(digits: &str, rest: &str) -> Option<(Moment, bool)> {
    let (year, after) = if matches!(digits.len(), 8 | 14) {
        (digits.get(..4)?.parse().ok()?, digits.get(4..)?)
    } else {
        (two_digits(digits.get(..2)?.parse().ok()?), digits.get(2..)?)
    };
    let part = |at: usize| after.get(at..at + 2).and_then(|two| two.parse::<i64>().ok());
    let (month, day) = (part(0)?, part(2)?);
    let (hour, minute, second) = (part(4).unwrap_or(0), part(6).unwrap_or(0), part(8).unwrap_or(0));
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let fraction = rest.strip_prefix('.');
    let clean = fraction.is_none_or(|digits| digits.bytes().all(|b| b.is_ascii_digit()));
    let micros =
        ((hour * 60 + minute) * 60 + second) * SECOND + fraction_micros(fraction.filter(|_| clean));
    Some((Moment { year, month, day, micros }, !clean))
}

/// Reads a number such as 20240131 or 20240131235959.
pub fn of_number(number: &BigDecimal) -> Option<(Moment, bool)> {
    let whole = number.with_scale_round(0, bigdecimal::RoundingMode::Down).to_i64()?;
    if whole == 0 {
        return Some((Moment::default(), false));
    }
    let (date, clock) = match whole {
        101..=691_231 => (whole + 20_000_000, 0),
        700_101..=991_231 => (whole + 19_000_000, 0),
        10_000_101..=99_991_231 => (whole, 0),
        101_000_000..=691_231_235_959 => (whole / 1_000_000 + 20_000_000, whole % 1_000_000),
        700_101_000_000..=991_231_235_959 => (whole / 1_000_000 + 19_000_000, whole % 1_000_000),
        _ if whole >= 10_000_101_000_000 => (whole / 1_000_000, whole % 1_000_000),
        _ => return None,
    };
    let (hour, minute, second) = (clock / 10_000, clock / 100 % 100, clock % 100);
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let fraction = (number - BigDecimal::from(whole)) * BigDecimal::from(SECOND);
    let micros = ((hour * 60 + minute) * 60 + second) * SECOND
        + i64::try_from(decimal::rounded(&fraction)).unwrap_or(0);
    Some((Moment { year: date / 10_000, month: date / 100 % 100, day: date % 100, micros }, false))
}

/// Reads a time of day or a point in time, of which the time counts; the flag as above.
pub fn parse_time(text: &str) -> Option<(i64, bool)> {
    let trimmed = text.trim();
    let dashes = trimmed.bytes().skip(1).filter(|b| *b == b'-').count();
    if dashes >= 2 {
        let (moment, leftover) = parse_datetime(trimmed)?;
        return (moment.is_valid()).then_some((moment.micros, leftover));
    }
    let (negative, rest) = match trimmed.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, trimmed),
    };
    let mut days = 0_i64;
    let mut rest = rest;
    if let Some((first, after)) = rest.split_once(' ')
        && first.bytes().all(|b| b.is_ascii_digit())
        && after.starts_with(|c: char| c.is_ascii_digit())
    {
        days = first.parse().ok()?;
        rest = after;
    }
    let end = rest.bytes().take_while(|b| b.is_ascii_digit() || *b == b':').count();
    let (clock, tail) = rest.split_at(end);
    let (fraction, tail) = match tail.strip_prefix('.') {
        Some(after) => {
            let width = after.bytes().take_while(u8::is_ascii_digit).count();
            (after.get(..width), after.get(width..)?)
        }
        None => (None, tail),
    };
    let parts: Option<Vec<i64>> = clock.split(':').map(|part| part.parse().ok()).collect();
    let (hour, minute, second) = match parts?.as_slice() {
        [hour, minute, second] => (*hour, *minute, *second),
        [hour, minute] => (*hour, *minute, 0),
        [hour] if days > 0 => (*hour, 0, 0),
        [packed] if *packed <= 99_999_999 => (packed / 10_000, packed / 100 % 100, packed % 100),
        _ => return None,
    };
    if minute > 59 || second > 59 || hour > 100_000 || days > 10_000 {
        return None;
    }
    let hours = days * 24 + hour;
    let micros = ((hours * 60 + minute) * 60 + second) * SECOND + fraction_micros(fraction);
    Some((if negative { -micros } else { micros }, !tail.is_empty()))
}

/// A number such as 123059 as a time of day.
pub fn time_of_number(number: &BigDecimal) -> Option<i64> {
    parse_time(&decimal::plain(number)).map(|(micros, _)| micros)
}

/// A date or point in time as the number that MySQL computes with.
pub fn as_number(text: &str) -> BigDecimal {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits: String = whole.chars().filter(char::is_ascii_digit).collect();
    let text = if fraction.is_empty() { digits } else { format!("{digits}.{fraction}") };
    decimal::parse(&text).unwrap_or_default()
}

/// A time of day as the number that MySQL computes with.
pub fn time_as_number(micros: i64) -> BigDecimal {
    let text = show_time(micros, if micros % SECOND == 0 { 0 } else { 6 });
    let negative = text.starts_with('-');
    let number = as_number(&text.replace(':', ""));
    if negative { -number } else { number }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(text: &str) -> Option<String> {
        parse_datetime(text)
            .map(|(m, left)| format!("{}{}", m.show(6), if left { " +" } else { "" }))
    }

    #[test]
    fn reads_dates_as_mysql_does() {
        assert_eq!(show("2024-02-29").as_deref(), Some("2024-02-29 00:00:00.000000"));
        assert_eq!(show("24-2-9 1:2:3.5").as_deref(), Some("2024-02-09 01:02:03.500000"));
        assert_eq!(show("20240229123456").as_deref(), Some("2024-02-29 12:34:56.000000"));
        assert_eq!(show("2024-01-02T03:04").as_deref(), Some("2024-01-02 03:04:00.000000"));
        assert_eq!(show("2024-01-02 x").as_deref(), Some("2024-01-02 00:00:00.000000 +"));
        assert_eq!(show("abc"), None);
        assert_eq!(show("2024-01-02 25:00:00"), None);
    }

    #[test]
    fn counts_days_as_mysql_does() {
        let (moment, _) = parse_datetime("1970-01-01").unwrap();
        assert_eq!(moment.days(), 719_528);
        assert_eq!(moment.weekday(), 4);
        for days in [1, 366, 719_528, 738_945, 3_652_424] {
            assert_eq!(Moment::of_days(days, 0).days(), days);
        }
    }

    #[test]
    fn reads_times_as_mysql_does() {
        let show = |text: &str| parse_time(text).map(|(micros, _)| show_time(micros, 1));
        assert_eq!(show("-12:30").as_deref(), Some("-12:30:00.0"));
        assert_eq!(show("1 02:03:04.56").as_deref(), Some("26:03:04.5"));
        assert_eq!(show("123059").as_deref(), Some("12:30:59.0"));
        assert_eq!(show("2024-01-02 03:04:05").as_deref(), Some("03:04:05.0"));
        assert_eq!(show("12:60:00"), None);
    }
}
