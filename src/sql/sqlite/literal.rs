//! Whether a DEFAULT's literal is a value of the column's type.

use crate::event::ColumnType;

/// Whether the column can store the literal.
pub fn fits(column_type: &ColumnType, text: &str) -> bool {
    match column_type {
        ColumnType::Int { bytes, unsigned } => match text.trim().parse::<f64>() {
            Ok(number) => {
                let bits = u32::from(*bytes) * 8;
                let (low, high) = if *unsigned {
                    (0.0, 2_f64.powi(i32::try_from(bits).unwrap_or(64)))
                } else {
                    let half = 2_f64.powi(i32::try_from(bits).unwrap_or(64) - 1);
                    (-half, half)
                };
                number.round() >= low && number.round() < high
            }
            Err(_) => false,
        },
        ColumnType::Decimal { precision, scale, unsigned } => {
            let whole = i32::from(precision.saturating_sub(*scale));
            text.trim()
                .parse::<f64>()
                .is_ok_and(|n| n.abs() < 10_f64.powi(whole) && !(*unsigned && n < 0.0))
        }
        ColumnType::Float { unsigned } | ColumnType::Double { unsigned } => {
            text.trim().parse::<f64>().is_ok_and(|number| !(*unsigned && number < 0.0))
        }
        ColumnType::Year => {
            text.parse::<u16>().is_ok_and(|year| matches!(year, 0..=99 | 1901..=2155))
        }
        ColumnType::Char { length } | ColumnType::VarChar { length } => {
            u32::try_from(text.chars().count()).is_ok_and(|count| count <= *length)
        }
        ColumnType::Enum { members } => members.iter().any(|m| m.eq_ignore_ascii_case(text)),
        ColumnType::Set { members } => {
            text.is_empty()
                || text.split(',').all(|part| members.iter().any(|m| m.eq_ignore_ascii_case(part)))
        }
        ColumnType::Date | ColumnType::DateTime { .. } | ColumnType::Timestamp { .. } => {
            is_date(text)
        }
        ColumnType::Time { .. } => {
            !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit() || b":.- ".contains(&b))
        }
        ColumnType::Bit { .. } | ColumnType::Text { .. } | ColumnType::Json => true,
        ColumnType::Geometry => false,
    }
}

/// A date in MySQL's usual form, with or without a time; no zero in it.
fn is_date(text: &str) -> bool {
    let date = text.split([' ', 'T']).next().unwrap_or_default();
    let parts: Vec<Option<u32>> = date.split('-').map(|part| part.parse().ok()).collect();
    match parts.as_slice() {
        [Some(_), Some(month), Some(day)] => (1..=12).contains(month) && (1..=31).contains(day),
        [Some(_)] => date.len() == 8 || date.len() == 14,
        _ => false,
    }
}
