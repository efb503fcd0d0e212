//! Calls about dates and times: clocks, intervals, conversions.

use sqlparser::ast::{BinaryOperator, DateTimeField, Expr, Interval};

use super::Fault;
use super::expr::Reader;
use super::typed::{DEFAULT, Literal, Typed};
use crate::event::ColumnType;

impl Reader<'_, '_> {
    pub(super) fn clock(&self, name: &str, args: &[Expr]) -> Result<Typed, Fault> {
        let fsp = match self.read_all(args)?.as_slice() {
            [] => 0,
            [Typed { literal: Literal::Int(fsp), .. }] if (0..=6).contains(fsp) => {
                u8::try_from(*fsp).unwrap_or(6)
            }
            _ => return Err(Fault::ParameterCount(name.to_ascii_lowercase())),
        };
        self.utc_only(name)?;
        let value = match name {
            "CURDATE" | "CURRENT_DATE" | "UTC_DATE" => {
                Typed::new("substr(my_now(0), 1, 10)", ColumnType::Date)
            }
            "CURTIME" | "CURRENT_TIME" | "UTC_TIME" => Typed::new(
                format!("my_time(my_now({fsp}), 'p{fsp}', {fsp})"),
                ColumnType::Time { fsp },
            ),
            _ => Typed::new(format!("my_now({fsp})"), ColumnType::DateTime { fsp }),
        };
        Ok(Typed { nullable: false, ..value })
    }

    /// The store knows no time zone but UTC.
    pub(super) fn utc_only(&self, name: &str) -> Result<(), Fault> {
        match self.statement.variables.system("time_zone") {
            Some(super::Value::Text(zone))
                if !zone.eq_ignore_ascii_case("system")
                    && !zone.eq_ignore_ascii_case("utc")
                    && zone != "+00:00"
                    && !name.starts_with("UTC") =>
            {
                Err(Fault::Unsupported(format!("{name} with time_zone = '{zone}'")))
            }
            _ => Ok(()),
        }
    }

    /// `+ INTERVAL` and `- INTERVAL`.
    pub(super) fn add_interval(
        &self,
        left: &Expr,
        op: &BinaryOperator,
        right: &Expr,
    ) -> Result<Typed, Fault> {
        let sign = if *op == BinaryOperator::Minus { "-" } else { "+" };
        match (left, right) {
            (Expr::Interval(interval), other) | (other, Expr::Interval(interval)) => {
                let value = self.read(other)?;
                self.shift(&value, sign, interval)
            }
            _ => Err(Fault::WrongUsage("INTERVAL")),
        }
    }

    /// A time moved by an interval.
    pub(super) fn shift(
        &self,
        value: &Typed,
        sign: &str,
        interval: &Interval,
    ) -> Result<Typed, Fault> {
        let plain = interval.leading_precision.is_none()
            && interval.last_field.is_none()
            && interval.fractional_seconds_precision.is_none();
        let Some(field) = interval.leading_field.as_ref().filter(|_| plain) else {
            return Err(Fault::Unsupported(interval.to_string()));
        };
        let amount = self.read(&interval.value)?;
        self.shift_by(value, sign, &unit(field)?, &amount)
    }

    pub(super) fn shift_by(
        &self,
        value: &Typed,
        sign: &str,
        unit: &str,
        amount: &Typed,
    ) -> Result<Typed, Fault> {
        let clock = is_clock(unit);
        let fraction = if unit == "MICROSECOND" { 6 } else { 0 };
        let fraction =
            if unit == "SECOND" && !amount.is_string() { amount.scale().min(6) } else { fraction };
        let move_by = amount.as_decimal(None);
        let call = |from: String, fsp: u8| {
            format!("my_shift('{unit}', {from}, '{sign}', {move_by}, {fsp})")
        };
        let result = match value.column_type {
            ColumnType::Date if !clock => {
                Typed::new(call(value.sql.clone(), 255), ColumnType::Date)
            }
            ColumnType::Date | ColumnType::DateTime { .. } | ColumnType::Timestamp { .. } => {
                let fsp = value.scale().max(fraction);
                Typed::new(call(value.as_datetime(6), fsp), ColumnType::DateTime { fsp })
            }
            ColumnType::Time { .. } => {
                return Err(Fault::Unsupported("adding an interval to a TIME".to_owned()));
            }
            // A text stays a text, as a date or as a point in time.
            _ if value.is_string() || value.is_null() || value.is_number() => Typed::text(
                call(format!("my_loose({}, {})", value.sql, value.code()), 254),
                DEFAULT,
            ),
            _ => return Err(Fault::Unsupported("INTERVAL with this operand".to_owned())),
        };
        Ok(result.over(&[value, amount]))
    }

    pub(super) fn times(&self, name: &str, args: &[Expr]) -> Result<Typed, Fault> {
        match (name, args) {
            ("DATE_ADD" | "ADDDATE", [value, Expr::Interval(interval)]) => {
                self.shift(&self.read(value)?, "+", interval)
            }
            ("DATE_SUB" | "SUBDATE", [value, Expr::Interval(interval)]) => {
                self.shift(&self.read(value)?, "-", interval)
            }
            ("ADDDATE" | "SUBDATE", [value, days]) => {
                let sign = if name == "ADDDATE" { "+" } else { "-" };
                self.shift_by(&self.read(value)?, sign, "DAY", &self.read(days)?)
            }
            ("TIMESTAMPADD", [Expr::Identifier(field), amount, value]) => {
                let amount = self.read(amount)?;
                self.shift_by(&self.read(value)?, "+", &unit_name(&field.value)?, &amount)
            }
            ("TIMESTAMPDIFF", [Expr::Identifier(field), from, to]) => {
                let (from, to) = (self.read(from)?, self.read(to)?);
                let unit = unit_name(&field.value)?;
                let sql = format!(
                    "my_timestampdiff('{unit}', {}, {})",
                    from.as_datetime(6),
                    to.as_datetime(6)
                );
                Ok(Typed::int(sql).over(&[&from, &to]))
            }
            _ => {
                let values = self.read_all(args)?;
                self.times_of(name, &values)
            }
        }
    }

    pub(super) fn times_of(&self, name: &str, values: &[Typed]) -> Result<Typed, Fault> {
        let all: Vec<&Typed> = values.iter().collect();
        let value = match (name, values) {
            ("STR_TO_DATE", [text, format]) => {
                let Literal::Text(shape) = &format.literal else {
                    return Err(Fault::Unsupported(
                        "STR_TO_DATE with a computed format".to_owned(),
                    ));
                };
                let has = |letters: &[char]| {
                    shape.as_bytes().windows(2).any(|pair| {
                        matches!(pair, [b'%', letter] if letters.contains(&char::from(*letter)))
                    })
                };
                let clock = has(&['H', 'h', 'i', 's', 'S', 'T', 'r', 'k', 'l', 'I', 'f', 'p']);
                let day = has(&['Y', 'y', 'm', 'c', 'd', 'e', 'b', 'M', 'D', 'j']);
                let fsp = if has(&['f']) { 6 } else { 0 };
                let (kind, column_type) = match (day, clock) {
                    (true, false) => ("D", ColumnType::Date),
                    (false, true) => ("t", ColumnType::Time { fsp }),
                    _ => ("p", ColumnType::DateTime { fsp }),
                };
                let sql =
                    format!("my_str_to_date({}, {}, '{kind}', {fsp})", text.as_text(), format.sql);
                Typed::new(sql, column_type)
            }
            ("UNIX_TIMESTAMP", []) => Typed::unsigned("my_unix_now()"),
            ("UNIX_TIMESTAMP", [value]) => {
                let fsp = text_fsp(value);
                let sql = format!("my_unix_timestamp({}, {fsp})", value.as_datetime(6));
                if fsp == 0 {
                    Typed::int(format!("CAST({sql} AS INTEGER)"))
                } else {
                    let scale = fsp;
                    Typed::new(
                        sql,
                        ColumnType::Decimal { precision: 12 + scale, scale, unsigned: false },
                    )
                }
            }
            ("FROM_UNIXTIME", [value]) => {
                let fsp = if value.is_string() { 6 } else { value.scale().min(6) };
                let sql = format!("my_from_unixtime({}, {fsp})", value.as_decimal(None));
                Typed::new(sql, ColumnType::DateTime { fsp })
            }
            ("FROM_UNIXTIME", [value, format]) => Typed::text(
                format!(
                    "my_date_format(my_from_unixtime({}, 6), {})",
                    value.as_decimal(None),
                    format.as_text()
                ),
                DEFAULT,
            ),
            ("TIMESTAMP", [value]) => {
                let fsp = if value.is_date() { value.scale() } else { 6 };
                if value.is_string() {
                    return Err(Fault::Unsupported("TIMESTAMP() of a text".to_owned()));
                }
                Typed::new(value.as_datetime(fsp), ColumnType::DateTime { fsp })
            }
            _ => return self.clocks_of(name, values),
        };
        Ok(value.over(&all))
    }

    fn clocks_of(&self, name: &str, values: &[Typed]) -> Result<Typed, Fault> {
        let all: Vec<&Typed> = values.iter().collect();
        let any_time = |value: &Typed| format!("my_any_time({}, {})", value.sql, value.code());
        let value = match (name, values) {
            ("TIME", [value]) => {
                let fsp = if value.is_string() { text_fsp(value) } else { value.scale().min(6) };
                Typed::new(any_time(value), ColumnType::Time { fsp })
            }
            ("HOUR" | "MINUTE" | "SECOND" | "MICROSECOND", [value]) => {
                Typed::int(format!("my_clock('{name}', {})", any_time(value)))
            }
            ("TIME_TO_SEC", [value]) => {
                Typed::int(format!("my_clock('SECONDS', {})", any_time(value)))
            }
            ("SEC_TO_TIME", [value]) => {
                let fsp = value.scale().min(6);
                Typed::new(
                    format!("my_sec_to_time({})", value.as_decimal(None)),
                    ColumnType::Time { fsp },
                )
            }
            ("MAKETIME", [hour, minute, second]) => {
                let fsp = second.scale().min(6);
                let sql = format!(
                    "my_maketime({}, {}, {})",
                    hour.as_int(),
                    minute.as_int(),
                    second.as_decimal(None)
                );
                Typed::new(sql, ColumnType::Time { fsp })
            }
            ("TIMEDIFF", [a, b]) => {
                let fsp = text_fsp(a).max(text_fsp(b));
                let sql = format!("my_timediff({}, {}, {}, {})", a.sql, a.code(), b.sql, b.code());
                Typed::new(sql, ColumnType::Time { fsp })
            }
            ("ADDTIME" | "SUBTIME", [..]) => return Err(Fault::Unsupported(name.to_owned())),
            _ => return Err(Fault::ParameterCount(name.to_owned())),
        };
        Ok(value.over(&all))
    }
}

/// Digits of a second's fraction in a text literal; 0 or 6 for others.
pub(super) fn text_fsp(value: &Typed) -> u8 {
    match &value.literal {
        Literal::Text(text) => {
            let digits = text.rsplit_once('.').map_or(0, |(_, digits)| digits.trim().len().min(6));
            u8::try_from(digits).unwrap_or(6)
        }
        _ if value.is_string() => 6,
        _ => value.scale().min(6),
    }
}

pub(super) fn unit(field: &DateTimeField) -> Result<String, Fault> {
    unit_name(&field.to_string())
}

pub(super) fn unit_name(name: &str) -> Result<String, Fault> {
    let name = name.to_ascii_uppercase();
    let name = name.strip_prefix("SQL_TSI_").unwrap_or(&name).to_owned();
    match name.as_str() {
        "YEAR" | "QUARTER" | "MONTH" | "WEEK" | "DAY" | "HOUR" | "MINUTE" | "SECOND"
        | "MICROSECOND" => Ok(name),
        _ => Err(Fault::Unsupported(format!("the unit {name}"))),
    }
}

pub(super) fn is_clock(unit: &str) -> bool {
    matches!(unit, "HOUR" | "MINUTE" | "SECOND" | "MICROSECOND")
}
