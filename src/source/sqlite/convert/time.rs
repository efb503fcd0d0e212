//! Dates and times: parsed as leniently as MySQL does, checked against the calendar, rounded.
//!
//! All times are UTC.

use rusqlite::types::Value as Stored;

use super::{Given, Storing};
use crate::event::{Column, ColumnType};
use crate::sql::sqlite::Fault;

/// A point in time; all zeros is MySQL's zero date.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Moment {
    /// 0 to 9999.
    pub year: u32,
    /// 1 to 12, or 0.
    pub month: u32,
    /// 1 to 31, or 0.
    pub day: u32,
    /// 0 to 23.
    pub hour: u32,
    /// 0 to 59.
    pub minute: u32,
    /// 0 to 59.
    pub second: u32,
    /// 0 to 999,999.
    pub micros: u32,
}

/// A moment or a time, and whether the whole text was it.
type Parsed<T> = Option<(T, bool)>;

pub(super) fn store(
    column: &Column,
    given: &Given,
    storing: &Storing<'_>,
) -> Result<Stored, Fault> {
    match column.column_type {
        ColumnType::Time { fsp } => store_time(column, given, fsp, storing),
        ColumnType::DateTime { fsp } => store_moment(column, given, fsp, storing),
        ColumnType::Timestamp { fsp } => store_moment(column, given, fsp, storing),
        _ => store_moment(column, given, 0, storing),
    }
}

fn store_moment(
    column: &Column,
    given: &Given,
    fsp: u8,
    storing: &Storing<'_>,
) -> Result<Stored, Fault> {
    let date_only = column.column_type == ColumnType::Date;
    let kind = if date_only { "date" } else { "datetime" };
    let parsed = match given {
        Given::Time(micros, _) => on_today(*micros, storing),
        Given::Whole(1..=100) => None,
        Given::Whole(number) => number_moment(*number).map(|moment| (moment, true)),
        Given::Double(number) => number_moment(*number as i128).map(|moment| (moment, true)),
        other => parse_moment(&other.text()),
    };
    let moment = match parsed {
        Some((moment, whole)) if allowed(&moment, &column.column_type, storing.strict) => {
            if !whole {
                storing.refuse(storing.wrong_time(column, kind, &given.text()))?;
            }
            moment
        }
        _ => {
            storing.refuse(storing.wrong_time(column, kind, &given.text()))?;
            Moment::default()
        }
    };
    if date_only {
        return Ok(Stored::Text(moment.date_text()));
    }
    match moment.rounded(fsp) {
        Some(rounded) => Ok(Stored::Text(rounded.text(fsp))),
        None => {
            storing.refuse(storing.wrong_time(column, kind, &given.text()))?;
            Ok(Stored::Text(Moment::default().text(fsp)))
        }
    }
}

/// Zero dates are no dates in strict mode; a TIMESTAMP has MySQL's range.
fn allowed(moment: &Moment, column_type: &ColumnType, strict: bool) -> bool {
    let zero = moment.month == 0 || moment.day == 0;
    if zero {
        let all_zero = *moment == Moment::default();
        let timestamp = matches!(column_type, ColumnType::Timestamp { .. });
        return !strict && (all_zero || !timestamp);
    }
    let first = Moment { year: 1970, month: 1, day: 1, second: 1, ..Moment::default() };
    let last =
        Moment { year: 2038, month: 1, day: 19, hour: 3, minute: 14, second: 7, micros: 999_999 };
    !matches!(column_type, ColumnType::Timestamp { .. }) || (first..=last).contains(moment)
}

fn on_today(micros: i64, storing: &Storing<'_>) -> Parsed<Moment> {
    let (today, _) = parse_moment(&storing.session.now_text(0))?;
    let start = Moment { hour: 0, minute: 0, second: 0, micros: 0, ..today };
    Some((start.plus_micros(micros)?, true))
}

fn store_time(
    column: &Column,
    given: &Given,
    fsp: u8,
    storing: &Storing<'_>,
) -> Result<Stored, Fault> {
    let parsed = match given {
        Given::Time(micros, _) => Some((*micros, true)),
        Given::Moment(text) => parse_moment(text).map(|(m, whole)| (m.clock_micros(), whole)),
        Given::Text(text) if text.is_empty() => Some((0, true)),
        other => parse_time(&other.text()),
    };
    let text = given.text();
    let (micros, whole) = match parsed {
        Some(found) => found,
        None => {
            storing.refuse(storing.wrong_time(column, "time", &text))?;
            (0, true)
        }
    };
    if !whole {
        storing.refuse(storing.wrong_time(column, "time", &text))?;
    }
    let unit = 10_i64.pow(6 - u32::from(fsp.min(6)));
    let rounded = (micros.abs() + unit / 2) / unit * unit * micros.signum();
    if rounded.abs() > TIME_MAX {
        storing.refuse(storing.wrong_time(column, "time", &text))?;
    }
    Ok(Stored::Integer(rounded.clamp(-TIME_MAX, TIME_MAX)))
}

/// Reads a DATE or DATETIME as MySQL writes them, with any punctuation, or as digits only.
pub fn parse_moment(text: &str) -> Parsed<Moment> {
    let text = text.trim();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let behind = &text[digits..];
    if digits >= 5 && (behind.is_empty() || behind.starts_with('.')) {
        let moment = number_moment(text[..digits].parse().ok()?)?;
        let micros = behind.strip_prefix('.').map_or(Some(0), fraction_micros);
        return Some((Moment { micros: micros.unwrap_or(0), ..moment }, micros.is_some()));
    }
    let mut rest = text;
    let (year, width) = number(&mut rest)?;
    let mut parts = [0_u32; 5];
    let mut count = 0;
    for part in &mut parts {
        if !separator(&mut rest, count == 2) {
            break;
        }
        let Some((value, _)) = number(&mut rest) else { break };
        *part = value;
        count += 1;
    }
    if count < 2 {
        return None;
    }
    let mut whole = true;
    let mut micros = 0;
    if count == 5
        && let Some(fraction) = rest.strip_prefix('.')
    {
        let digits = fraction.bytes().take_while(u8::is_ascii_digit).count();
        micros = fraction_micros(&fraction[..digits])?;
        rest = &fraction[digits..];
    }
    let year = if width <= 2 { short_year(year) } else { year };
    let [month, day, hour, minute, second] = parts;
    let mut moment = Moment { year, month, day, hour, minute, second, micros };
    if micros == 1_000_000 {
        moment = Moment { micros: 0, ..moment }.plus_micros(1_000_000)?;
    }
    if let Some(offset) = offset_micros(rest).filter(|_| count == 5) {
        moment = moment.plus_micros(-offset)?;
        rest = "";
    }
    whole &= rest.trim().is_empty();
    moment.is_possible().then_some((moment, whole))
}

/// `+hh:mm` or `-hh:mm` behind a time.
fn offset_micros(text: &str) -> Option<i64> {
    let (sign, rest) = match text.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let (hours, minutes) = rest.split_once(':')?;
    let exact = hours.len() == 2 && minutes.len() == 2;
    let (hours, minutes): (i64, i64) = (hours.parse().ok()?, minutes.parse().ok()?);
    (exact && hours <= 14 && minutes < 60).then(|| sign * (hours * 60 + minutes) * 60 * 1_000_000)
}

fn number(rest: &mut &str) -> Option<(u32, usize)> {
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let value = rest[..digits].parse().ok()?;
    *rest = &rest[digits..];
    Some((value, digits))
}

/// Skips what separates two parts; between date and time also spaces and `T`.
fn separator(rest: &mut &str, before_time: bool) -> bool {
    let length = rest
        .bytes()
        .take_while(|byte| {
            byte.is_ascii_punctuation() || before_time && (*byte == b' ' || *byte == b'T')
        })
        .count();
    *rest = &rest[length..];
    length > 0 && !rest.is_empty()
}

fn fraction_micros(digits: &str) -> Option<u32> {
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let seven: u32 = format!("{digits:0<7.7}").parse().ok()?;
    Some((seven + 5) / 10)
}

/// YYYYMMDD, YYMMDD, YYYYMMDDhhmmss, YYMMDDhhmmss.
fn number_moment(number: i128) -> Option<Moment> {
    let number = u64::try_from(number).ok()?;
    if number == 0 {
        return Some(Moment::default());
    }
    let (date, clock) = match number {
        0..=99_999_999 => (number, 0),
        _ => (number / 1_000_000, number % 1_000_000),
    };
    let part = |value: u64| u32::try_from(value).unwrap_or(u32::MAX);
    let mut year = part(date / 10_000);
    if date < 1_000_000 {
        year = short_year(year);
    }
    let moment = Moment {
        year,
        month: part(date / 100 % 100),
        day: part(date % 100),
        hour: part(clock / 10_000),
        minute: part(clock / 100 % 100),
        second: part(clock % 100),
        micros: 0,
    };
    moment.is_possible().then_some(moment)
}

const fn short_year(year: u32) -> u32 {
    match year {
        0..=69 => 2000 + year,
        70..=99 => 1900 + year,
        _ => year,
    }
}

/// Reads a TIME, or the time of a DATETIME, as microseconds; not yet held to TIME's range.
pub fn parse_time(text: &str) -> Parsed<i64> {
    let text = text.trim();
    if let Some((moment, whole)) = parse_moment(text).filter(|_| looks_like_moment(text)) {
        return Some((moment.clock_micros(), whole));
    }
    let (sign, text) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    let (days, clock) = match text.split_once(' ') {
        Some((days, clock)) if days.bytes().all(|b| b.is_ascii_digit()) => {
            (days.parse::<i64>().ok()?, clock.trim_start())
        }
        _ => (0, text),
    };
    let end = clock.bytes().take_while(|b| b.is_ascii_digit() || matches!(b, b':' | b'.')).count();
    let whole = clock[end..].trim().is_empty();
    let (clock, fraction) = clock[..end].split_once('.').unwrap_or((&clock[..end], ""));
    let mut parts = Vec::new();
    for part in clock.split(':') {
        parts.push(part.parse::<i64>().ok()?);
    }
    let (hours, minutes, seconds) = match parts[..] {
        [hours, minutes, seconds] => (hours, minutes, seconds),
        [hours, minutes] => (hours, minutes, 0),
        [hours] if days > 0 => (hours, 0, 0),
        [number] => (number / 10_000, number / 100 % 100, number % 100),
        _ => return None,
    };
    if minutes > 59 || seconds > 59 {
        return None;
    }
    let micros = i64::from(fraction_micros(fraction)?);
    let hours = days.checked_mul(24)?.checked_add(hours)?.min(HOURS_MAX);
    Some((sign * (((hours * 60 + minutes) * 60 + seconds) * 1_000_000 + micros), whole))
}

fn looks_like_moment(text: &str) -> bool {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let next = text.as_bytes().get(digits);
    let dated = matches!(next, Some(b'-' | b'/')) && digits > 0;
    dated || digits >= 12 && next.is_none_or(|&byte| byte == b'.')
}

/// A TIME's text.
pub fn time_text(micros: i64, fsp: u8) -> String {
    let sign = if micros < 0 { "-" } else { "" };
    let micros = micros.unsigned_abs();
    let seconds = micros / 1_000_000;
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let fraction = fraction_text((micros % 1_000_000) as u32, fsp);
    format!("{sign}{hours:02}:{minutes:02}:{seconds:02}{fraction}")
}

fn fraction_text(micros: u32, fsp: u8) -> String {
    if fsp == 0 {
        return String::new();
    }
    let mut text = format!(".{micros:06}");
    text.truncate(1 + usize::from(fsp.min(6)));
    text
}

impl Moment {
    /// The moment so many microseconds after 1970, UTC.
    pub fn from_unix_micros(micros: i64) -> Option<Self> {
        let (days, clock) = (micros.div_euclid(DAY), micros.rem_euclid(DAY));
        let (year, month, day) = civil(days + UNIX_DAY);
        let seconds = clock / 1_000_000;
        let part = |value: i64| u32::try_from(value).ok();
        Some(Self {
            year: part(year).filter(|&year| year <= 9999)?,
            month: part(month)?,
            day: part(day)?,
            hour: part(seconds / 3600)?,
            minute: part(seconds / 60 % 60)?,
            second: part(seconds % 60)?,
            micros: part(clock % 1_000_000)?,
        })
    }

    /// Microseconds since 1970, UTC; none for a date that has a zero in it.
    pub fn unix_micros(&self) -> Option<i64> {
        if self.month == 0 || self.day == 0 {
            return None;
        }
        let days = days(i64::from(self.year), i64::from(self.month), i64::from(self.day));
        Some((days - UNIX_DAY) * DAY + self.clock_micros())
    }

    /// The moment so many microseconds later.
    pub fn plus_micros(self, micros: i64) -> Option<Self> {
        if micros == 0 {
            return Some(self);
        }
        Self::from_unix_micros(self.unix_micros()?.checked_add(micros)?)
    }

    /// Rounded to so many digits of a second, a half up.
    pub fn rounded(self, fsp: u8) -> Option<Self> {
        let unit = 10_u32.pow(6 - u32::from(fsp.min(6)));
        let over = self.micros % unit;
        let down = Self { micros: self.micros - over, ..self };
        if over * 2 < unit { Some(down) } else { down.plus_micros(i64::from(unit)) }
    }

    /// `YYYY-MM-DD`
    pub fn date_text(&self) -> String {
        format!("{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }

    /// `YYYY-MM-DD hh:mm:ss` with so many digits of a second.
    pub fn text(&self, fsp: u8) -> String {
        let fraction = fraction_text(self.micros, fsp);
        let (hour, minute, second) = (self.hour, self.minute, self.second);
        format!("{} {hour:02}:{minute:02}:{second:02}{fraction}", self.date_text())
    }

    fn clock_micros(&self) -> i64 {
        let seconds = (self.hour * 60 + self.minute) * 60 + self.second;
        i64::from(seconds) * 1_000_000 + i64::from(self.micros)
    }

    fn is_possible(&self) -> bool {
        let leap = self.year.is_multiple_of(4)
            && (!self.year.is_multiple_of(100) || self.year.is_multiple_of(400));
        let days = match self.month {
            4 | 6 | 9 | 11 => 30,
            2 if leap => 29,
            2 => 28,
            0 | 1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
            _ => 0,
        };
        self.year <= 9999
            && self.day <= days
            && self.hour <= 23
            && self.minute <= 59
            && self.second <= 59
    }
}

/// Days since the first of March of the year 0, in the Gregorian calendar extended backwards.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month <= 2 { (year - 1, month + 9) } else { (year, month - 3) };
    let leaps = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    year * 365 + leaps + (month * 153 + 2) / 5 + day - 1
}

/// The year, month and day of a day that [`days`] counts.
fn civil(days: i64) -> (i64, i64, i64) {
    let era = days.div_euclid(ERA);
    let day_of_era = days.rem_euclid(ERA);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let (month, later) = if shifted < 10 { (shifted + 3, 0) } else { (shifted - 9, 1) };
    (era * 400 + year_of_era + later, month, day)
}

/// Days of 400 years.
const ERA: i64 = 146_097;
/// The first of January 1970, as [`days`] counts.
const UNIX_DAY: i64 = 719_468;
/// Microseconds of a day.
const DAY: i64 = 86_400_000_000;
/// 838:59:59 in microseconds.
const TIME_MAX: i64 = (838 * 3600 + 59 * 60 + 59) * 1_000_000;
/// More than any TIME has; keeps the arithmetic in range.
const HOURS_MAX: i64 = 1_000_000;
