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
        ColumnType::Geometry
        | ColumnType::Vector { .. }
        | ColumnType::Uuid
        | ColumnType::Inet4
        | ColumnType::Inet6 => false,
    }
}

/// The text of the stored value of a literal that fits; `None` where it takes more than this knows.
pub fn stored(column_type: &ColumnType, text_column: bool, text: &str) -> Option<String> {
    let number = || text.trim().parse::<bigdecimal::BigDecimal>().ok();
    let rounded = |scale: i64| {
        let rounded = number()?.with_scale_round(scale, bigdecimal::RoundingMode::HalfUp);
        Some(rounded.to_plain_string())
    };
    let same = |member: &str, part: &str| member.eq_ignore_ascii_case(part);
    match column_type {
        ColumnType::Int { .. } => rounded(0),
        ColumnType::Decimal { scale, .. } => rounded(i64::from(*scale)),
        ColumnType::Float { .. } | ColumnType::Double { .. } => Some(text.trim().to_owned()),
        ColumnType::Year => match text.parse::<u16>().ok()? {
            year @ 0..=69 if text.len() <= 2 => Some((year + 2000).to_string()),
            year @ 70..=99 => Some((year + 1900).to_string()),
            year => Some(format!("{year:04}")),
        },
        ColumnType::Enum { members } => {
            members.iter().find(|member| same(member, text)).map(ToString::to_string)
        }
        ColumnType::Set { members } => {
            let has = |member: &&str| text.split(',').any(|part| same(member, part));
            let members = members.iter().map(|member| &**member);
            Some(members.filter(has).collect::<Vec<_>>().join(","))
        }
        ColumnType::Date => {
            let plain = text.len() == 10 && text.as_bytes().get(4) == Some(&b'-');
            plain.then(|| text.to_owned())
        }
        ColumnType::DateTime { fsp } | ColumnType::Timestamp { fsp } => match (text.len(), fsp) {
            (10, 0) => Some(format!("{text} 00:00:00")),
            (19, 0) => Some(text.replace('T', " ")),
            (length, fsp) if length == 20 + usize::from(*fsp) => Some(text.to_owned()),
            (19, fsp) => Some(format!("{text}.{}", "0".repeat(usize::from(*fsp)))),
            _ => None,
        },
        ColumnType::Time { fsp: 0 } if text.len() == 8 => Some(text.to_owned()),
        ColumnType::Time { .. } => None,
        ColumnType::Char { .. } if text_column => Some(text.trim_end_matches(' ').to_owned()),
        ColumnType::Char { length } if u32::try_from(text.len()).ok() != Some(*length) => None,
        _ => Some(text.to_owned()),
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
