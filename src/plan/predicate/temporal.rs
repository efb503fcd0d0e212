//! Dates and times as numbers that compare: a moment is packed field by field, a TIME is its
//! microseconds.

/// A DATE, DATETIME or TIMESTAMP as one number in their order; 0 is the zero date.
pub(in crate::plan) type Moment = i64;

/// A TIME in microseconds.
pub(in crate::plan) type Micros = i64;

/// The parts of a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Parts {
    pub year: i64,
    pub month: i64,
    pub day: i64,
    pub hour: i64,
    pub minute: i64,
    pub second: i64,
    pub micros: i64,
}

impl Parts {
    pub(super) const fn pack(self) -> Moment {
        let days = (self.year * 13 + self.month) * 32 + self.day;
        let seconds = ((days * 24 + self.hour) * 60 + self.minute) * 60 + self.second;
        seconds * 1_000_000 + self.micros
    }

    pub(super) const fn unpack(moment: Moment) -> Self {
        let seconds = moment / 1_000_000;
        let days = seconds / 86_400;
        Self {
            year: days / 32 / 13,
            month: days / 32 % 13,
            day: days % 32,
            hour: seconds / 3600 % 24,
            minute: seconds / 60 % 60,
            second: seconds % 60,
            micros: moment % 1_000_000,
        }
    }

    /// Whether it is a day of the calendar and a time of the day. A zero date is not.
    pub(super) const fn is_valid(self) -> bool {
        self.year >= 1
            && self.month >= 1
            && self.month <= 12
            && self.day >= 1
            && self.day <= days_of_month(self.year, self.month)
            && self.hour < 24
            && self.minute < 60
            && self.second < 60
    }

    /// `YYYYMMDD`.
    pub(super) const fn date_number(self) -> i64 {
        (self.year * 100 + self.month) * 100 + self.day
    }

    /// `hhmmss`.
    pub(super) const fn time_number(self) -> i64 {
        (self.hour * 100 + self.minute) * 100 + self.second
    }
}

const fn days_of_month(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Reads a cell: `2020-01-02`, `2020-01-02 03:04:05` with or without a fraction.
pub(in crate::plan) fn parse_moment(cell: &[u8]) -> Option<Moment> {
    let (date, time) = match cell.iter().position(|&byte| byte == b' ') {
        Some(at) => (cell.get(..at)?, cell.get(at + 1..)?),
        None => (cell, &b"00:00:00"[..]),
    };
    let mut fields = date.splitn(3, |&byte| byte == b'-').map(digits);
    let (year, month, day) = (fields.next()??, fields.next()??, fields.next()??);
    let micros = parse_time(time)?;
    let seconds = micros / 1_000_000;
    let parts = Parts {
        year,
        month,
        day,
        hour: seconds / 3600,
        minute: seconds / 60 % 60,
        second: seconds % 60,
        micros: micros % 1_000_000,
    };
    (year < 10_000 && month < 13 && day < 32 && parts.hour < 24 && micros >= 0)
        .then(|| parts.pack())
}

/// Reads a cell: `-838:59:59` with or without a fraction.
pub(in crate::plan) fn parse_time(cell: &[u8]) -> Option<Micros> {
    let (negative, cell) = match cell.split_first() {
        Some((b'-', rest)) => (true, rest),
        _ => (false, cell),
    };
    let (whole, fraction) = match cell.iter().position(|&byte| byte == b'.') {
        Some(at) => (cell.get(..at)?, cell.get(at + 1..)?),
        None => (cell, &b""[..]),
    };
    let mut fields = whole.splitn(3, |&byte| byte == b':').map(digits);
    let (hours, minutes, seconds) = (fields.next()??, fields.next()??, fields.next()??);
    if hours > 838 || minutes > 59 || seconds > 59 || fraction.len() > 6 {
        return None;
    }
    let mut micros = if fraction.is_empty() { 0 } else { digits(fraction)? };
    for _ in fraction.len()..6 {
        micros *= 10;
    }
    let total = ((hours * 60 + minutes) * 60 + seconds) * 1_000_000 + micros;
    Some(if negative { -total } else { total })
}

/// At least one digit, nothing else, and not so many that they could overflow.
fn digits(text: &[u8]) -> Option<i64> {
    if text.is_empty() || text.len() > 9 {
        return None;
    }
    text.iter().try_fold(0_i64, |number, &byte| {
        byte.is_ascii_digit().then(|| number * 10 + i64::from(byte - b'0'))
    })
}

/// What a literal says when it is compared with a temporal column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Literal<T> {
    /// This value.
    Value(T),
    /// MySQL refuses it.
    Incorrect,
    /// MySQL may have a reading of it, of which we are not sure.
    Unsure,
}

/// Reads a text as a moment: `Y-M-D`, `Y-M-D h:m[:s[.f]]` (also with `T`), `YYYYMMDD`,
/// `YYYYMMDDhhmmss`. MySQL's other spellings are left open.
pub(super) fn moment_literal(text: &str) -> Literal<Moment> {
    let text = text.trim();
    let sure = text.bytes().all(|b| b.is_ascii_digit() || b"-: .T".contains(&b));
    if !text.starts_with(|c: char| c.is_ascii_digit()) {
        let wordy = text.starts_with(|c: char| c.is_ascii_alphabetic());
        return if wordy { Literal::Incorrect } else { Literal::Unsure };
    }
    if !sure {
        return Literal::Unsure;
    }
    let parts = if text.bytes().all(|byte| byte.is_ascii_digit()) {
        compact(text)
    } else {
        delimited(text)
    };
    match parts {
        Some(parts) if parts.is_valid() => Literal::Value(parts.pack()),
        Some(parts) if parts.year > 0 && parts.month > 0 && parts.day > 0 => Literal::Incorrect,
        _ => Literal::Unsure,
    }
}

fn compact(text: &str) -> Option<Parts> {
    let field = |from: usize, to: usize| digits(text.as_bytes().get(from..to)?);
    let mut parts =
        Parts { year: field(0, 4)?, month: field(4, 6)?, day: field(6, 8)?, ..Parts::default() };
    match text.len() {
        8 => Some(parts),
        14 => {
            (parts.hour, parts.minute, parts.second) =
                (field(8, 10)?, field(10, 12)?, field(12, 14)?);
            Some(parts)
        }
        _ => None,
    }
}

fn delimited(text: &str) -> Option<Parts> {
    let (date, time) = match text.split_once([' ', 'T']) {
        Some((date, time)) => (date, Some(time)),
        None => (text, None),
    };
    let fields: Vec<&str> = date.split('-').collect();
    let &[year, month, day] = fields.as_slice() else { return None };
    if year.len() != 4 || month.len() > 2 || day.len() > 2 {
        return None;
    }
    let number = |text: &str| digits(text.as_bytes());
    let mut parts =
        Parts { year: number(year)?, month: number(month)?, day: number(day)?, ..Parts::default() };
    if let Some(time) = time {
        let (time, fraction) = time.split_once('.').map_or((time, None), |(t, f)| (t, Some(f)));
        let fields: Vec<&str> = time.split(':').collect();
        let (hour, minute, second) = match fields.as_slice() {
            [hour, minute] if fraction.is_none() => (*hour, *minute, "0"),
            [hour, minute, second] => (*hour, *minute, *second),
            _ => return None,
        };
        if hour.len() > 2 || minute.len() > 2 || second.len() > 2 {
            return None;
        }
        (parts.hour, parts.minute, parts.second) =
            (number(hour)?, number(minute)?, number(second)?);
        parts.micros = fraction.map_or(Some(0), fraction_micros)?;
    }
    Some(parts)
}

fn fraction_micros(fraction: &str) -> Option<i64> {
    let digits = digits(fraction.as_bytes())?;
    (fraction.len() <= 6)
        .then(|| digits * 10_i64.pow(6 - u32::try_from(fraction.len()).unwrap_or(6)))
}

/// Reads a text as a TIME: `[-]h:mm:ss[.f]` in range. MySQL's other spellings are left open.
pub(super) fn time_literal(text: &str) -> Literal<Micros> {
    let body = text.strip_prefix('-').unwrap_or(text);
    let parts: Vec<&str> = body.split(':').collect();
    let plain = matches!(parts.as_slice(), [h, m, s]
        if h.len() <= 3 && m.len() == 2 && s.split('.').next().is_some_and(|s| s.len() == 2)
            && !s.ends_with('.'));
    match plain.then(|| parse_time(text.as_bytes())).flatten() {
        Some(micros) => Literal::Value(micros),
        None => Literal::Unsure,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_pack_and_unpack() {
        let packed = parse_moment(b"2020-02-29 23:59:58.120").unwrap();
        let parts = Parts::unpack(packed);
        assert_eq!((parts.date_number(), parts.time_number()), (20_200_229, 235_958));
        assert_eq!(parts.micros, 120_000);
        assert_eq!(parse_moment(b"0000-00-00"), Some(0));
        assert_eq!(parse_time(b"-00:00:00.5"), Some(-500_000));
        for bad in
            ["", "2020", "2020-1", "2020-13-01", "1-1-1 25:00:00", "a-b-c", "12345678901-1-1"]
        {
            assert_eq!(parse_moment(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn literals() {
        let same = |text: &str, cell: &str| {
            let expected = Literal::Value(parse_moment(cell.as_bytes()).unwrap());
            assert_eq!(moment_literal(text), expected, "{text}");
        };
        same("2020-1-2", "2020-01-02");
        same("20200102", "2020-01-02");
        same("20200102030405", "2020-01-02 03:04:05");
        same("2020-01-02T03:04", "2020-01-02 03:04:00");
        same("2020-01-02 03:04:05.5", "2020-01-02 03:04:05.500000");
        assert_eq!(moment_literal("abc"), Literal::Incorrect);
        assert_eq!(moment_literal("2021-02-29"), Literal::Incorrect);
        assert_eq!(moment_literal("20-01-02"), Literal::Unsure);
        assert_eq!(moment_literal("0000-00-00"), Literal::Unsure);
        assert_eq!(time_literal("10:11:12"), Literal::Value(36_672_000_000));
        assert_eq!(time_literal("10:11"), Literal::Unsure);
    }
}
