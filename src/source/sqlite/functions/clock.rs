//! Dates and times.

use rusqlite::types::{Value as Stored, ValueRef};

use super::call::{Call, Definition, NULL, int, pure, session, text};
use super::decimal;
use super::time::{self, Moment, SECOND};
use crate::sql::sqlite::Fault;

/// The functions of this file.
pub const LIST: &[Definition] = &[
    session("my_now", 1, now),
    session("my_unix_now", 0, |c| int(c.session().now_micros() / SECOND)),
    pure("my_dt", 3, datetime),
    pure("my_date", 2, |c| Ok(read(c)?.map_or(Stored::Null, |m| Stored::Text(m.show_date())))),
    pure("my_time", 3, to_time),
    pure("my_loose", 2, loose),
    pure("my_any_time", 2, |c| Ok(any_time(c, 0).map_or(Stored::Null, Stored::Integer))),
    pure("my_any_dt", 2, any_datetime),
    pure("my_temporal", 3, temporal),
    pure("my_const_dt", 2, constant),
    pure("my_const_time", 1, constant_time),
    pure("my_unix_timestamp", 2, unix_timestamp),
    pure("my_from_unixtime", 2, from_unixtime),
    pure("my_extract", 2, extract),
    pure("my_shift", 5, shift),
    pure("my_timestampdiff", 3, timestampdiff),
    pure("my_str_to_date", 4, str_to_date),
    pure("my_clock", 2, clock),
    pure("my_sec_to_time", 1, sec_to_time),
    pure("my_maketime", 3, maketime),
    pure("my_timediff", 4, timediff),
    pure("my_year", 1, |c| part(c, |m| m.year)),
    pure("my_month", 1, |c| part(c, |m| m.month)),
    pure("my_day", 1, |c| part(c, |m| m.day)),
    pure("my_dayofmonth", 1, |c| part(c, |m| m.day)),
    pure("my_quarter", 1, |c| part(c, |m| (m.month + 2) / 3)),
    pure("my_date", 1, |c| Ok(moment(c, 0).map_or(Stored::Null, |m| Stored::Text(m.show_date())))),
    pure("my_dayname", 1, |c| name(c, &DAYS, |m| m.weekday())),
    pure("my_monthname", 1, |c| name(c, &MONTHS, |m| m.month - 1)),
    pure("my_dayofweek", 1, |c| whole_date(c, |m| m.weekday() + 1)),
    pure("my_weekday", 1, |c| whole_date(c, |m| (m.weekday() + 6) % 7)),
    pure("my_dayofyear", 1, |c| whole_date(c, |m| m.day_of_year())),
    pure("my_week", 1, |c| whole_date(c, |m| week(m, 0).1)),
    pure("my_week", 2, |c| whole_date(c, |m| week(m, c.int(1)).1)),
    pure("my_weekofyear", 1, |c| whole_date(c, |m| week(m, 3).1)),
    pure("my_yearweek", 1, |c| whole_date(c, |m| yearweek(m, 0))),
    pure("my_yearweek", 2, |c| whole_date(c, |m| yearweek(m, c.int(1)))),
    pure("my_last_day", 1, last_day),
    pure("my_to_days", 1, |c| whole_date(c, |m| m.days())),
    pure("my_from_days", 1, |c| text(Moment::of_days(c.int(0).clamp(1, 3_652_424), 0).show_date())),
    pure("my_datediff", 2, datediff),
    pure("my_date_format", 2, date_format),
    pure("my_time_format", 2, |_| Err(Fault::Unsupported("TIME_FORMAT()".to_owned()))),
    pure("my_makedate", 2, makedate),
    pure("my_period_add", 2, period_add),
    pure("my_period_diff", 2, |c| int(months(c.int(0)) - months(c.int(1)))),
];

const DAYS: [&str; 7] =
    ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

fn now(call: &Call<'_, '_>) -> Result<Stored, Fault> {
    let fsp = u8::try_from(call.int(0)).unwrap_or(6);
    let unit = 10_i64.pow(6 - u32::from(fsp.min(6)));
    let micros = call.session().now_micros().div_euclid(unit) * unit;
    text(Moment::of_unix(micros).show(fsp))
}

/// A moment that an argument's text already is.
fn moment(call: &Call<'_, '_>, at: usize) -> Option<Moment> {
    time::parse_datetime(&call.text(at)).map(|(moment, _)| moment)
}

/// A moment of any type; what is none is NULL and a warning.
fn read(call: &Call<'_, '_>) -> Result<Option<Moment>, Fault> {
    let code = call.text(1);
    let parsed = match (code.as_bytes().first(), call.raw(0)) {
        (Some(b't'), ValueRef::Integer(micros)) => {
            let today = Moment::of_unix(call.session().now_micros());
            return Ok(Moment { micros: 0, ..today }.plus_micros(i128::from(micros)));
        }
        (Some(b'i' | b'g' | b'f' | b'd' | b'y'), _) => time::of_number(&call.exact(0)),
        _ => time::parse_datetime(&call.text(0)),
    };
    match parsed {
        Some((moment, leftover)) if moment.is_valid() => {
            if leftover {
                let value = call.text(0);
                call.session().complain(Fault::TruncatedValue { kind: "datetime", value })?;
            }
            Ok(Some(moment))
        }
        _ => {
            let value = call.text(0);
            call.session().complain(Fault::WrongConstant { kind: "datetime", value })?;
            Ok(None)
        }
    }
}

fn datetime(call: &Call<'_, '_>) -> Result<Stored, Fault> {
    let fsp = u8::try_from(call.int(2)).unwrap_or(6);
    Ok(read(call)?.map_or(Stored::Null, |m| Stored::Text(m.rounded(fsp).show(fsp))))
}

fn to_time(call: &Call<'_, '_>) -> Result<Stored, Fault> {
    let fsp = u8::try_from(call.int(2)).unwrap_or(6);
    match any_time(call, 0) {
        Some(micros) => Ok(Stored::Integer(time::round_micros(micros, fsp))),
        None => {
            let value = call.text(0);
            call.session().complain(Fault::WrongConstant { kind: "time", value })?;
            NULL
        }
    }
}

/// A time of day of any type, by the letters in the next argument.
fn any_time(call: &Call<'_, '_>, at: usize) -> Option<i64> {
    let code = call.text(at + 1);
    let micros = match (code.as_bytes().first(), call.raw(at)) {
        (_, ValueRef::Null) => return None,
        (Some(b't'), ValueRef::Integer(micros)) => micros,
        (Some(b'D'), _) => 0,
        (Some(b'i' | b'g' | b'f' | b'd' | b'y'), _) => time::time_of_number(&call.exact(at))?,
        _ => time::parse_time(&call.text(at))?.0,
    };
    Some(micros.clamp(-time::TIME_MAX, time::TIME_MAX))
}

/// A moment, or a time of day on the zero date; what EXTRACT reads clocks from.
fn any_datetime(call: &Call<'_, '_>) -> Result<Stored, Fault> {
    let micros = any_time(call, 0).unwrap_or(0).rem_euclid(86_400 * SECOND);
    text(Moment { micros, ..Moment::default() }.show(6))
}

/// A text as date or point in time in its own precision, for `+ INTERVAL`.
fn loose(call: &Call<'_, '_>) -> Result<Stored, Fault> {
    let Some(moment) = read(call)? else { return NULL };
    let value = call.text(0);
    let clock = value.contains(':') || (value.len() > 8 && !value.contains('-'));
    let fsp = if moment.micros % SECOND == 0 { 0 } else { 6 };
    text(if clock { moment.show(fsp) } else { moment.show_date() })
}

/// A literal such as `DATE '2024-01-01'`; anything else in it is an error.
fn temporal(call: &Call<'_, '_>) -> Result<Stored, Fault> {
    let (kind, value) = (call.text(0), call.text(1));
    let fsp = u8::try_from(call.int(2)).unwrap_or(6);
    let kind = match kind.as_str() {
        "DATE" => "DATE",
        "TIME" => "TIME",
        _ => "DATETIME",
    };
    let wrong = Fault::WrongConstant { kind, value: value.clone() };
    if kind == "TIME" {
        return match time::parse_time(&value) {
            Some((micros, false)) => int(time::round_micros(micros, fsp)),
            _ => Err(wrong),
        };
    }
    match time::parse_datetime(&value) {
        Some((m, false)) if m.is_valid() && !m.has_zero() => {
            text(if kind == "DATE" { m.show_date() } else { m.rounded(fsp).show(fsp) })
        }
        _ => Err(wrong),
    }
}

/// A text compared with a date: MySQL refuses one that is no date.
fn constant(call: &Call<'_, '_>) -> Result<Stored, Fault> {
    let value = call.text(0);
    let kind = if call.text(1) == "DATE" { "DATE" } else { "DATETIME" };
    match time::parse_datetime(&value) {
        Some((moment, false)) if moment.is_valid() => text(moment.show(6)),
        Some((moment, true)) if moment.is_valid() => {
            call.session().complain(Fault::TruncatedValue { kind: "datetime", value })?;
            text(moment.show(6))
        }
        _ => Err(Fault::WrongConstant { kind, value }),
    }
}

fn constant_time(call: &Call<'_, '_>) -> Result<Stored, Fault> {
    let value = call.text(0);
    match time::parse_time(&value) {
        Some((micros, false)) => int(micros),
        _ => Err(Fault::WrongConstant { kind: "TIME", value }),
    }
}

fn unix_timestamp(call: &Call<'_, '_>) -> Result<Stored, Fault> {
    let Some(moment) = moment(call, 0) else { return NULL };
    let micros = moment.unix_micros();
    if moment.has_zero() || micros < SECOND {
        return int(0);
    }
    let number = bigdecimal::BigDecimal::new(micros.into(), 6);
    text(decimal::plain(&number.with_scale_round(call.int(1), bigdecimal::RoundingMode::Down)))
}

fn from_unixtime(call: &Call<'_, '_>) -> Result<Stored, Fault> {
    let fsp = u8::try_from(call.int(1)).unwrap_or(6);
    let micros = call.exact(0) * bigdecimal::BigDecimal::from(SECOND);
    let micros = decimal::rounded(&micros);
    match i64::try_from(micros) {
        Ok(micros) if (0..=32_536_771_199 * SECOND).contains(&micros) => {
            text(Moment::of_unix(micros).rounded(fsp).show(fsp))
        }
        _ => NULL,
    }
}

fn extract(call: &Call<'_, '_>) -> Result<Stored, Fault> {
    let Some(m) = moment(call, 1) else { return NULL };
    int(match call.text(0).as_str() {
        "YEAR" => m.year,
        "QUARTER" => (m.month + 2) / 3,
        "MONTH" => m.month,
        "WEEK" => week(&m, 0).1,
        "DAY" => m.day,
        "HOUR" => m.micros / SECOND / 3600,
        "MINUTE" => m.micros / SECOND / 60 % 60,
        "SECOND" => m.micros / SECOND % 60,
        _ => m.micros % SECOND,
    })
}

/// `+ INTERVAL`: unit, from, sign, amount, digits (255: a date; 254: as the text is).
fn shift(call: &Call<'_, '_>) -> Result<Stored, Fault> {
    let unit = call.text(0);
    let from = call.text(1);
    let Some((moment, _)) = time::parse_datetime(&from) else { return NULL };
    let sign = if call.text(2) == "-" { -1 } else { 1 };
    let amount = call.exact(3);
    let whole = sign * decimal::rounded(&amount);
    let small = i64::try_from(whole).unwrap_or(0);
    if moment.has_zero() || i64::try_from(whole).is_err() {
        return NULL;
    }
    let micros = |unit: i64| Some(whole.saturating_mul(i128::from(unit) * i128::from(SECOND)));
    let moved = match unit.as_str() {
        "YEAR" => moment.plus_months(small.saturating_mul(12)),
        "QUARTER" => moment.plus_months(small.saturating_mul(3)),
        "MONTH" => moment.plus_months(small),
        "WEEK" => micros(7 * 86_400).and_then(|by| moment.plus_micros(by)),
        "DAY" => micros(86_400).and_then(|by| moment.plus_micros(by)),
        "HOUR" => micros(3600).and_then(|by| moment.plus_micros(by)),
        "MINUTE" => micros(60).and_then(|by| moment.plus_micros(by)),
        "SECOND" => {
            let exact = amount * bigdecimal::BigDecimal::from(SECOND);
            moment.plus_micros(sign * decimal::rounded(&exact))
        }
        _ => moment.plus_micros(whole),
    };
    let Some(moved) = moved else {
        call.session().complain(Fault::Overflow { kind: "datetime", expression: unit })?;
        return NULL;
    };
    let clock = matches!(unit.as_str(), "HOUR" | "MINUTE" | "SECOND" | "MICROSECOND");
    match call.int(4) {
        255 => text(moved.show_date()),
        254 if !clock && !from.contains(':') => text(moved.show_date()),
        254 => {
            let fraction = moved.micros % SECOND != 0 || from.contains('.');
            text(moved.show(if fraction { 6 } else { 0 }))
        }
        fsp => text(moved.show(u8::try_from(fsp).unwrap_or(6))),
    }
}

fn timestampdiff(call: &Call<'_, '_>) -> Result<Stored, Fault> {
    let (Some(from), Some(to)) = (moment(call, 1), moment(call, 2)) else { return NULL };
    if from.has_zero() || to.has_zero() {
        return NULL;
    }
    let micros = to.unix_micros() - from.unix_micros();
    let months = {
        let (early, late) = if from <= to { (&from, &to) } else { (&to, &from) };
        let mut months = (late.year - early.year) * 12 + late.month - early.month;
        if (late.day, late.micros) < (early.day, early.micros) {
            months -= 1;
        }
        if from <= to { months } else { -months }
    };
    int(match call.text(0).as_str() {
        "YEAR" => months / 12,
        "QUARTER" => months / 3,
        "MONTH" => months,
        "WEEK" => micros / SECOND / 604_800,
        "DAY" => micros / SECOND / 86_400,
        "HOUR" => micros / SECOND / 3600,
        "MINUTE" => micros / SECOND / 60,
        "SECOND" => micros / SECOND,
        _ => micros,
    })
}

fn clock(call: &Call<'_, '_>) -> Result<Stored, Fault> {
    let micros = call.int(1);
    let all = micros.abs();
    int(match call.text(0).as_str() {
        "HOUR" => all / SECOND / 3600,
        "MINUTE" => all / SECOND / 60 % 60,
        "SECOND" => all / SECOND % 60,
        "SECONDS" => micros / SECOND,
        _ => all % SECOND,
    })
}

fn sec_to_time(call: &Call<'_, '_>) -> Result<Stored, Fault> {
    let micros = decimal::rounded(&(call.exact(0) * bigdecimal::BigDecimal::from(SECOND)));
    let max = i128::from(time::TIME_MAX);
    int(micros.clamp(-max, max))
}

fn maketime(call: &Call<'_, '_>) -> Result<Stored, Fault> {
    let (hour, minute) = (call.int(0), call.int(1));
    let micros = decimal::rounded(&(call.exact(2) * bigdecimal::BigDecimal::from(SECOND)));
    if !(0..60).contains(&minute) || !(0..60 * i128::from(SECOND)).contains(&micros) {
        return NULL;
    }
    let all = i128::from(hour.abs() * 3600 + minute * 60) * i128::from(SECOND) + micros;
    let max = i128::from(time::TIME_MAX);
    int(if hour < 0 { -all.min(max) } else { all.min(max) })
}

/// The difference of two times or of two moments; of one and the other NULL.
fn timediff(call: &Call<'_, '_>) -> Result<Stored, Fault> {
    let long = |at: usize| {
        let code = call.text(at + 1);
        match code.as_bytes().first() {
            Some(b'D' | b'p') => true,
            Some(b's') => call.text(at).bytes().skip(1).filter(|b| *b == b'-').count() >= 2,
            _ => false,
        }
    };
    let (a, b) = match (long(0), long(2)) {
        (true, true) => {
            let (Some(a), Some(b)) = (moment(call, 0), moment(call, 2)) else { return NULL };
            (a.unix_micros(), b.unix_micros())
        }
        (false, false) => {
            let (Some(a), Some(b)) = (any_time(call, 0), any_time(call, 2)) else { return NULL };
            (a, b)
        }
        _ => return NULL,
    };
    int((a - b).clamp(-time::TIME_MAX, time::TIME_MAX))
}

fn part(call: &Call<'_, '_>, of: fn(&Moment) -> i64) -> Result<Stored, Fault> {
    moment(call, 0).map_or(NULL, |moment| int(of(&moment)))
}

fn whole_date(call: &Call<'_, '_>, of: impl Fn(&Moment) -> i64) -> Result<Stored, Fault> {
    match moment(call, 0) {
        Some(moment) if !moment.has_zero() => int(of(&moment)),
        _ => NULL,
    }
}

fn name(call: &Call<'_, '_>, names: &[&str], of: fn(&Moment) -> i64) -> Result<Stored, Fault> {
    match moment(call, 0) {
        Some(moment) if !moment.has_zero() => {
            let at = usize::try_from(of(&moment)).ok();
            Ok(at
                .and_then(|at| names.get(at))
                .map_or(Stored::Null, |n| Stored::Text((*n).to_owned())))
        }
        _ => NULL,
    }
}

/// Year and week of a date under one of MySQL's eight modes.
fn week(moment: &Moment, mode: i64) -> (i64, i64) {
    let monday = mode & 1 == 1;
    let with_year = mode & 2 == 2;
    let first_weekday = mode & 4 == 4;
    // As MySQL: mode bit 0 flips the meaning of the "four days" rule.
    let four_days = if monday { !first_weekday } else { first_weekday };
    let day = moment.days();
    let weekday_of = |days: i64| {
        let sunday = (days + 6).rem_euclid(7);
        if monday { (sunday + 6) % 7 } else { sunday }
    };
    let year_start = |year: i64| Moment { year, month: 1, day: 1, micros: 0 }.days();
    let first_week = |year: i64| {
        let start = year_start(year);
        let weekday = weekday_of(start);
        let begins_before = if four_days { weekday <= 3 } else { weekday == 0 };
        if begins_before { start - weekday } else { start + 7 - weekday }
    };
    let mut year = moment.year;
    if day < first_week(year) {
        if !with_year {
            return (year, 0);
        }
        year -= 1;
    } else if with_year && day >= first_week(year + 1) {
        year += 1;
    }
    (year, (day - first_week(year)) / 7 + 1)
}

fn yearweek(moment: &Moment, mode: i64) -> i64 {
    let (year, week) = week(moment, mode | 2);
    year * 100 + week
}

fn last_day(call: &Call<'_, '_>) -> Result<Stored, Fault> {
    match moment(call, 0) {
        Some(m) if m.month > 0 => {
            text(Moment { day: time::days_in(m.year, m.month), micros: 0, ..m }.show_date())
        }
        _ => NULL,
    }
}

fn datediff(call: &Call<'_, '_>) -> Result<Stored, Fault> {
    match (moment(call, 0), moment(call, 1)) {
        (Some(a), Some(b)) if !a.has_zero() && !b.has_zero() => int(a.days() - b.days()),
        _ => NULL,
    }
}

fn makedate(call: &Call<'_, '_>) -> Result<Stored, Fault> {
    let (year, day) = (call.int(0), call.int(1));
    let year = match year {
        0..=69 => year + 2000,
        70..=99 => year + 1900,
        _ => year,
    };
    if day < 1 || !(0..=9999).contains(&year) {
        return NULL;
    }
    let days = Moment { year, month: 1, day: 1, micros: 0 }.days().saturating_add(day - 1);
    if days > 3_652_424 { NULL } else { text(Moment::of_days(days, 0).show_date()) }
}

/// A period such as 202401 or 2401 in months.
fn months(period: i64) -> i64 {
    let (year, month) = (period / 100, period % 100);
    let year = match year {
        0..=69 => year + 2000,
        70..=99 => year + 1900,
        _ => year,
    };
    year * 12 + month - 1
}

fn period_add(call: &Call<'_, '_>) -> Result<Stored, Fault> {
    let all = months(call.int(0)).saturating_add(call.int(1));
    int(all / 12 * 100 + all % 12 + 1)
}

fn date_format(call: &Call<'_, '_>) -> Result<Stored, Fault> {
    let Some(m) = moment(call, 0) else { return NULL };
    let format = call.text(1);
    let mut out = String::new();
    let mut letters = format.chars();
    while let Some(letter) = letters.next() {
        if letter != '%' {
            out.push(letter);
            continue;
        }
        match letters.next() {
            None => out.push('%'),
            Some(letter) => match directive(&m, letter) {
                Some(part) => out.push_str(&part),
                None => return NULL,
            },
        }
    }
    text(out)
}

/// What one letter of DATE_FORMAT prints; `None` where the date has no such part.
fn directive(m: &Moment, letter: char) -> Option<String> {
    let seconds = m.micros / SECOND;
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let twelve = (hour + 11) % 12 + 1;
    let half = if hour < 12 { "AM" } else { "PM" };
    let weekday = || (!m.has_zero()).then(|| usize::try_from(m.weekday()).unwrap_or(0));
    let month = || usize::try_from(m.month - 1).ok().and_then(|at| MONTHS.get(at));
    let short = |name: &str| name.get(..3).unwrap_or(name).to_owned();
    Some(match letter {
        'Y' => format!("{:04}", m.year),
        'y' => format!("{:02}", m.year % 100),
        'm' => format!("{:02}", m.month),
        'c' => m.month.to_string(),
        'M' => (*month()?).to_owned(),
        'b' => short(month()?),
        'd' => format!("{:02}", m.day),
        'e' => m.day.to_string(),
        'D' => {
            let suffix = match (m.day % 10, m.day % 100) {
                (1, day) if day != 11 => "st",
                (2, day) if day != 12 => "nd",
                (3, day) if day != 13 => "rd",
                _ => "th",
            };
            format!("{}{suffix}", m.day)
        }
        'j' => format!("{:03}", m.day_of_year()),
        'W' => DAYS.get(weekday()?)?.to_string(),
        'a' => short(DAYS.get(weekday()?)?),
        'w' => weekday()?.to_string(),
        'H' => format!("{hour:02}"),
        'k' => hour.to_string(),
        'h' | 'I' => format!("{twelve:02}"),
        'l' => twelve.to_string(),
        'i' => format!("{minute:02}"),
        's' | 'S' => format!("{second:02}"),
        'f' => format!("{:06}", m.micros % SECOND),
        'p' => half.to_owned(),
        'T' => format!("{hour:02}:{minute:02}:{second:02}"),
        'r' => format!("{twelve:02}:{minute:02}:{second:02} {half}"),
        'U' => format!("{:02}", week(m, 0).1),
        'u' => format!("{:02}", week(m, 1).1),
        'V' => format!("{:02}", week(m, 2).1),
        'v' => format!("{:02}", week(m, 3).1),
        'X' => format!("{:04}", week(m, 2).0),
        'x' => format!("{:04}", week(m, 3).0),
        other => other.to_string(),
    })
}

fn str_to_date(call: &Call<'_, '_>) -> Result<Stored, Fault> {
    let (value, format, kind) = (call.text(0), call.text(1), call.text(2));
    let fsp = u8::try_from(call.int(3)).unwrap_or(0);
    match scan(&value, &format) {
        Some(m) if m.is_valid() => match kind.as_str() {
            "D" => text(m.show_date()),
            "t" => int(m.micros),
            _ => text(m.show(fsp)),
        },
        _ => {
            call.session().complain(Fault::WrongArgument {
                kind: "datetime",
                value,
                function: "str_to_date".to_owned(),
            })?;
            NULL
        }
    }
}

/// Reads a text by a format.
fn scan(value: &str, format: &str) -> Option<Moment> {
    let mut rest = value;
    let mut m = Moment::default();
    let (mut hour, mut minute, mut second, mut micros) = (0, 0, 0, 0);
    let mut half = None;
    let expanded = format.replace("%T", "%H:%i:%s").replace("%r", "%I:%i:%s %p");
    let mut letters = expanded.chars();
    while let Some(letter) = letters.next() {
        if letter.is_whitespace() {
            rest = rest.trim_start();
            continue;
        }
        if letter != '%' {
            rest = rest.strip_prefix(letter)?;
            continue;
        }
        match letters.next()? {
            'Y' => m.year = scan_number(&mut rest, 4)?,
            'y' => {
                let year = scan_number(&mut rest, 2)?;
                m.year = if year < 70 { year + 2000 } else { year + 1900 };
            }
            'm' | 'c' => m.month = scan_number(&mut rest, 2)?,
            'd' | 'e' => m.day = scan_number(&mut rest, 2)?,
            'D' => {
                m.day = scan_number(&mut rest, 2)?;
                rest = rest.get(2..)?;
            }
            'M' => m.month = scan_name(&mut rest, &MONTHS, false)?,
            'b' => m.month = scan_name(&mut rest, &MONTHS, true)?,
            'W' => scan_name(&mut rest, &DAYS, false).map(|_| ())?,
            'a' => scan_name(&mut rest, &DAYS, true).map(|_| ())?,
            'H' | 'k' | 'h' | 'I' | 'l' => hour = scan_number(&mut rest, 2)?,
            'i' => minute = scan_number(&mut rest, 2)?,
            's' | 'S' => second = scan_number(&mut rest, 2)?,
            'f' => {
                let width = rest.bytes().take(6).take_while(u8::is_ascii_digit).count();
                let digits = rest.get(..width)?;
                micros = format!("{digits:0<6}").parse().ok()?;
                rest = rest.get(width..)?;
            }
            'p' => half = Some(scan_name(&mut rest, &["AM", "PM"], false)?),
            '%' => rest = rest.strip_prefix('%')?,
            _ => return None,
        }
    }
    if let Some(half) = half {
        hour = hour % 12 + if half == 1 { 0 } else { 12 };
    }
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    m.micros = ((hour * 60 + minute) * 60 + second) * SECOND + micros;
    Some(m)
}

/// Takes a number of at most so many digits off.
fn scan_number(rest: &mut &str, most: usize) -> Option<i64> {
    let width = rest.bytes().take(most).take_while(u8::is_ascii_digit).count();
    let number = rest.get(..width)?.parse().ok()?;
    *rest = rest.get(width..)?;
    Some(number)
}

/// Takes one of the names off, or its first three letters; counted from 1.
fn scan_name(rest: &mut &str, names: &[&str], short: bool) -> Option<i64> {
    for (at, name) in names.iter().enumerate() {
        let name = if short { name.get(..3)? } else { name };
        if rest.get(..name.len()).is_some_and(|head| head.eq_ignore_ascii_case(name)) {
            *rest = rest.get(name.len()..)?;
            return i64::try_from(at + 1).ok();
        }
    }
    None
}
