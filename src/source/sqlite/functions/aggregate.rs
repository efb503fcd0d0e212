//! Aggregate functions.

use std::collections::BTreeSet;

use bigdecimal::BigDecimal;
use rusqlite::Connection;
use rusqlite::functions::{Aggregate, Context, FunctionFlags};
use rusqlite::types::{Value as Stored, ValueRef};

use super::call::owned;
use super::number::compare;
use super::{decimal, form, json};

/// Registers all of them.
pub fn register(connection: &Connection) -> rusqlite::Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    connection.create_aggregate_function("my_sum", 1, flags, Exact { average: false })?;
    connection.create_aggregate_function("my_avg", 1, flags, Exact { average: true })?;
    connection.create_aggregate_function("my_fsum", 1, flags, Sum)?;
    connection.create_aggregate_function("my_min", 2, flags, Extreme(std::cmp::Ordering::Less))?;
    connection.create_aggregate_function(
        "my_max",
        2,
        flags,
        Extreme(std::cmp::Ordering::Greater),
    )?;
    connection.create_aggregate_function("my_any_value", 1, flags, First)?;
    connection.create_aggregate_function("my_bit_and", 1, flags, Bits('&'))?;
    connection.create_aggregate_function("my_bit_or", 1, flags, Bits('|'))?;
    connection.create_aggregate_function("my_bit_xor", 1, flags, Bits('^'))?;
    for (name, sample, root) in [
        ("my_var_pop", false, false),
        ("my_var_samp", true, false),
        ("my_stddev_pop", false, true),
        ("my_stddev_samp", true, true),
    ] {
        connection.create_aggregate_function(name, 1, flags, Variance { sample, root })?;
    }
    connection.create_aggregate_function("my_group_concat", 3, flags, GroupConcat)?;
    connection.create_aggregate_function("my_json_arrayagg", 1, flags, JsonArray)?;
    connection.create_aggregate_function("my_json_objectagg", 2, flags, JsonObject)
}

fn text(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Null => String::new(),
        ValueRef::Integer(number) => number.to_string(),
        ValueRef::Real(number) => form::double(number),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => {
            String::from_utf8_lossy(bytes).into_owned()
        }
    }
}

/// SUM and AVG of exact numbers.
struct Exact {
    average: bool,
}

impl Aggregate<Option<(BigDecimal, u64)>, Stored> for Exact {
    fn init(&self, _: &mut Context<'_>) -> rusqlite::Result<Option<(BigDecimal, u64)>> {
        Ok(None)
    }

    fn step(
        &self,
        context: &mut Context<'_>,
        sum: &mut Option<(BigDecimal, u64)>,
    ) -> rusqlite::Result<()> {
        let value = context.get_raw(0);
        if value == ValueRef::Null {
            return Ok(());
        }
        let number = decimal::parse(&text(value)).unwrap_or_default();
        *sum = Some(match sum.take() {
            None => (number, 1),
            Some((sum, count)) => (sum + number, count + 1),
        });
        Ok(())
    }

    fn finalize(
        &self,
        _: &mut Context<'_>,
        sum: Option<Option<(BigDecimal, u64)>>,
    ) -> rusqlite::Result<Stored> {
        let Some((sum, count)) = sum.flatten() else { return Ok(Stored::Null) };
        let result = if self.average {
            let scale = sum.fractional_digit_count().max(0) + 40;
            (sum.with_scale(scale) / BigDecimal::from(count)).with_prec(90)
        } else {
            sum
        };
        Ok(Stored::Text(decimal::plain(&result)))
    }
}

/// SUM of DOUBLEs.
struct Sum;

impl Aggregate<Option<f64>, Stored> for Sum {
    fn init(&self, _: &mut Context<'_>) -> rusqlite::Result<Option<f64>> {
        Ok(None)
    }

    fn step(&self, context: &mut Context<'_>, sum: &mut Option<f64>) -> rusqlite::Result<()> {
        if let ValueRef::Real(number) = context.get_raw(0) {
            *sum = Some(sum.unwrap_or(0.0) + number);
        }
        Ok(())
    }

    fn finalize(&self, _: &mut Context<'_>, sum: Option<Option<f64>>) -> rusqlite::Result<Stored> {
        Ok(sum.flatten().map_or(Stored::Null, Stored::Real))
    }
}

/// MIN and MAX of a value by its key.
struct Extreme(std::cmp::Ordering);

impl Aggregate<Option<(Stored, Stored)>, Stored> for Extreme {
    fn init(&self, _: &mut Context<'_>) -> rusqlite::Result<Option<(Stored, Stored)>> {
        Ok(None)
    }

    fn step(
        &self,
        context: &mut Context<'_>,
        best: &mut Option<(Stored, Stored)>,
    ) -> rusqlite::Result<()> {
        let key = owned(context.get_raw(1));
        if key != Stored::Null
            && best.as_ref().is_none_or(|(have, _)| compare(&key, have) == self.0)
        {
            *best = Some((key, owned(context.get_raw(0))));
        }
        Ok(())
    }

    fn finalize(
        &self,
        _: &mut Context<'_>,
        best: Option<Option<(Stored, Stored)>>,
    ) -> rusqlite::Result<Stored> {
        Ok(best.flatten().map_or(Stored::Null, |(_, value)| value))
    }
}

/// ANY_VALUE.
struct First;

impl Aggregate<Option<Stored>, Stored> for First {
    fn init(&self, _: &mut Context<'_>) -> rusqlite::Result<Option<Stored>> {
        Ok(None)
    }

    fn step(&self, context: &mut Context<'_>, first: &mut Option<Stored>) -> rusqlite::Result<()> {
        if first.is_none() {
            *first = Some(owned(context.get_raw(0)));
        }
        Ok(())
    }

    fn finalize(
        &self,
        _: &mut Context<'_>,
        first: Option<Option<Stored>>,
    ) -> rusqlite::Result<Stored> {
        Ok(first.flatten().unwrap_or(Stored::Null))
    }
}

/// BIT_AND, BIT_OR and BIT_XOR.
struct Bits(char);

impl Bits {
    fn start(&self) -> u64 {
        if self.0 == '&' { u64::MAX } else { 0 }
    }
}

impl Aggregate<u64, Stored> for Bits {
    fn init(&self, _: &mut Context<'_>) -> rusqlite::Result<u64> {
        Ok(self.start())
    }

    fn step(&self, context: &mut Context<'_>, bits: &mut u64) -> rusqlite::Result<()> {
        let Some(number) = form::integer(context.get_raw(0)) else { return Ok(()) };
        let number = u64::try_from(number)
            .unwrap_or_else(|_| i64::try_from(number).unwrap_or(0).cast_unsigned());
        match self.0 {
            '&' => *bits &= number,
            '|' => *bits |= number,
            _ => *bits ^= number,
        }
        Ok(())
    }

    fn finalize(&self, _: &mut Context<'_>, bits: Option<u64>) -> rusqlite::Result<Stored> {
        Ok(form::big_number(bits.unwrap_or_else(|| self.start()).into()))
    }
}

/// The variances and deviations, by Welford's recurrence as MySQL.
struct Variance {
    sample: bool,
    root: bool,
}

impl Aggregate<(f64, f64, f64), Stored> for Variance {
    fn init(&self, _: &mut Context<'_>) -> rusqlite::Result<(f64, f64, f64)> {
        Ok((0.0, 0.0, 0.0))
    }

    fn step(
        &self,
        context: &mut Context<'_>,
        (count, mean, squares): &mut (f64, f64, f64),
    ) -> rusqlite::Result<()> {
        if let ValueRef::Real(number) = context.get_raw(0) {
            *count += 1.0;
            let before = number - *mean;
            *mean += before / *count;
            *squares += before * (number - *mean);
        }
        Ok(())
    }

    fn finalize(
        &self,
        _: &mut Context<'_>,
        state: Option<(f64, f64, f64)>,
    ) -> rusqlite::Result<Stored> {
        let (count, _, squares) = state.unwrap_or_default();
        let divisor = if self.sample { count - 1.0 } else { count };
        if divisor <= 0.0 {
            return Ok(Stored::Null);
        }
        let variance = squares / divisor;
        Ok(Stored::Real(if self.root { variance.sqrt() } else { variance }))
    }
}

/// Bytes that GROUP_CONCAT keeps; MySQL's group_concat_max_len.
const CONCAT_MAX: usize = 1024;

/// GROUP_CONCAT(text, separator, key): a key that is not NULL makes it DISTINCT.
struct GroupConcat;

#[derive(Default)]
struct Joined {
    text: Option<String>,
    seen: BTreeSet<Vec<u8>>,
}

impl Aggregate<Joined, Stored> for GroupConcat {
    fn init(&self, _: &mut Context<'_>) -> rusqlite::Result<Joined> {
        Ok(Joined::default())
    }

    fn step(&self, context: &mut Context<'_>, joined: &mut Joined) -> rusqlite::Result<()> {
        let value = context.get_raw(0);
        if value == ValueRef::Null {
            return Ok(());
        }
        let key = context.get_raw(2);
        if key != ValueRef::Null {
            let bytes = match key {
                ValueRef::Text(bytes) | ValueRef::Blob(bytes) => bytes.to_vec(),
                other => text(other).into_bytes(),
            };
            if !joined.seen.insert(bytes) {
                return Ok(());
            }
        }
        let (value, separator) = (text(value), text(context.get_raw(1)));
        match &mut joined.text {
            Some(text) if text.len() <= CONCAT_MAX => {
                text.push_str(&separator);
                text.push_str(&value);
            }
            Some(_) => {}
            none => *none = Some(value),
        }
        Ok(())
    }

    fn finalize(&self, _: &mut Context<'_>, joined: Option<Joined>) -> rusqlite::Result<Stored> {
        let Some(mut text) = joined.and_then(|joined| joined.text) else { return Ok(Stored::Null) };
        if text.len() > CONCAT_MAX {
            let cut = (0..=CONCAT_MAX).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
            text.truncate(cut);
        }
        Ok(Stored::Text(text))
    }
}

/// JSON_ARRAYAGG.
struct JsonArray;

impl Aggregate<Vec<json::Json>, Stored> for JsonArray {
    fn init(&self, _: &mut Context<'_>) -> rusqlite::Result<Vec<json::Json>> {
        Ok(Vec::new())
    }

    fn step(&self, context: &mut Context<'_>, items: &mut Vec<json::Json>) -> rusqlite::Result<()> {
        items.push(match context.get_raw(0) {
            ValueRef::Null => json::Json::Null,
            value => json::read(&text(value)),
        });
        Ok(())
    }

    fn finalize(
        &self,
        _: &mut Context<'_>,
        items: Option<Vec<json::Json>>,
    ) -> rusqlite::Result<Stored> {
        Ok(items.map_or(Stored::Null, |items| Stored::Text(json::Json::Array(items).to_string())))
    }
}

/// JSON_OBJECTAGG.
struct JsonObject;

impl Aggregate<Vec<(String, json::Json)>, Stored> for JsonObject {
    fn init(&self, _: &mut Context<'_>) -> rusqlite::Result<Vec<(String, json::Json)>> {
        Ok(Vec::new())
    }

    fn step(
        &self,
        context: &mut Context<'_>,
        members: &mut Vec<(String, json::Json)>,
    ) -> rusqlite::Result<()> {
        let value = match context.get_raw(1) {
            ValueRef::Null => json::Json::Null,
            value => json::read(&text(value)),
        };
        json::set(members, text(context.get_raw(0)), value);
        Ok(())
    }

    fn finalize(
        &self,
        _: &mut Context<'_>,
        members: Option<Vec<(String, json::Json)>>,
    ) -> rusqlite::Result<Stored> {
        Ok(members
            .map_or(Stored::Null, |members| Stored::Text(json::Json::Object(members).to_string())))
    }
}
