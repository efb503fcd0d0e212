use super::*;
use crate::source::sqlite::functions::SessionState;

/// Stores a text, or what its prefix says it is, and shows the cell or the error's code.
fn stored_as(column_type: &ColumnType, value: &str, strict: bool) -> String {
    let text = matches!(
        column_type,
        ColumnType::VarChar { .. }
            | ColumnType::Char { .. }
            | ColumnType::Enum { .. }
            | ColumnType::Set { .. }
            | ColumnType::Text { .. }
    );
    let collation = if text { CollationId::UTF8MB4_0900_AI_CI } else { CollationId::BINARY };
    let column = Column::plain("c", column_type.clone(), collation);
    let session = SessionState::default();
    let storing = Storing { row: 1, strict, session: &session };
    let bigint = ColumnType::Int { bytes: 8, unsigned: false };
    let (value, from) = match value.split_once(':') {
        Some(("int", number)) => (Stored::Integer(number.parse().unwrap()), bigint),
        Some(("double", number)) => {
            (Stored::Real(number.parse().unwrap()), ColumnType::Double { unsigned: false })
        }
        Some(("dec", text)) => (
            Stored::Text(text.to_owned()),
            ColumnType::Decimal { precision: 65, scale: 30, unsigned: false },
        ),
        _ => (Stored::Text(value.to_owned()), ColumnType::VarChar { length: 100 }),
    };
    let from = Type { column_type: from, collation: CollationId::UTF8MB4_0900_AI_CI };
    match store(&column, ValueRef::from(&value), &from, &storing) {
        Ok(stored) => cell_text(&column, &stored),
        Err(fault) => format!("E{}", fault.code()),
    }
}

fn check(column_type: &ColumnType, cases: &[(&str, &str, &str)]) {
    for (value, strict, lenient) in cases {
        assert_eq!(stored_as(column_type, value, true), *strict, "{value} strict");
        assert_eq!(stored_as(column_type, value, false), *lenient, "{value} lenient");
    }
}

#[test]
fn whole_numbers() {
    check(
        &ColumnType::Int { bytes: 1, unsigned: false },
        &[
            ("int:127", "127", "127"),
            ("int:128", "E1264", "127"),
            ("int:-129", "E1264", "-128"),
            ("dec:1.5", "2", "2"),
            ("dec:-1.5", "-2", "-2"),
            ("double:2.5", "2", "2"),
            ("12", "12", "12"),
            (" 1e1 ", "10", "10"),
            ("12abc", "E1265", "12"),
            ("abc", "E1366", "0"),
        ],
    );
    check(
        &ColumnType::Int { bytes: 8, unsigned: true },
        &[
            ("int:-1", "E1264", "0"),
            ("dec:18446744073709551615", "18446744073709551615", "18446744073709551615"),
            ("dec:18446744073709551616", "E1264", "18446744073709551615"),
        ],
    );
}

#[test]
fn decimals() {
    check(
        &ColumnType::Decimal { precision: 5, scale: 2, unsigned: false },
        &[
            ("int:10", "10.00", "10.00"),
            ("dec:1.005", "1.01", "1.01"),
            ("dec:-0.001", "0.00", "0.00"),
            ("double:1.1", "1.10", "1.10"),
            ("dec:999.99", "999.99", "999.99"),
            ("dec:999.995", "E1264", "999.99"),
            ("int:-1000", "E1264", "-999.99"),
            ("x", "E1366", "0.00"),
        ],
    );
}

#[test]
fn dates_and_times() {
    check(
        &ColumnType::Date,
        &[
            ("2024-02-29", "2024-02-29", "2024-02-29"),
            ("2023-02-29", "E1292", "0000-00-00"),
            ("24-1-2", "2024-01-02", "2024-01-02"),
            ("20240102", "2024-01-02", "2024-01-02"),
            ("int:20240102", "2024-01-02", "2024-01-02"),
            ("2024-01-02 10:11:12", "2024-01-02", "2024-01-02"),
            ("0000-00-00", "E1292", "0000-00-00"),
            ("abc", "E1292", "0000-00-00"),
        ],
    );
    check(
        &ColumnType::DateTime { fsp: 0 },
        &[
            ("2024-12-31 23:59:59.5", "2025-01-01 00:00:00", "2025-01-01 00:00:00"),
            ("2024-01-02T03:04:05", "2024-01-02 03:04:05", "2024-01-02 03:04:05"),
            ("2024-01-02", "2024-01-02 00:00:00", "2024-01-02 00:00:00"),
            ("int:20240102030405", "2024-01-02 03:04:05", "2024-01-02 03:04:05"),
            ("2024-01-02 25:00:00", "E1292", "0000-00-00 00:00:00"),
        ],
    );
    check(
        &ColumnType::Timestamp { fsp: 3 },
        &[
            ("2024-01-02 03:04:05.6789", "2024-01-02 03:04:05.679", "2024-01-02 03:04:05.679"),
            ("2039-01-01 00:00:00", "E1292", "0000-00-00 00:00:00.000"),
        ],
    );
    check(
        &ColumnType::Time { fsp: 0 },
        &[
            ("10:11:12", "10:11:12", "10:11:12"),
            ("-1 02:00:00", "-26:00:00", "-26:00:00"),
            ("101112", "10:11:12", "10:11:12"),
            ("12", "00:00:12", "00:00:12"),
            ("839:00:00", "E1292", "838:59:59"),
            ("10:61:00", "E1292", "00:00:00"),
        ],
    );
    check(
        &ColumnType::Year,
        &[
            ("int:24", "2024", "2024"),
            ("int:0", "0000", "0000"),
            ("0", "2000", "2000"),
            ("1900", "E1264", "0000"),
        ],
    );
}

#[test]
fn texts_and_members() {
    check(
        &ColumnType::VarChar { length: 3 },
        &[
            ("abc", "abc", "abc"),
            ("abcd", "E1406", "abc"),
            ("abc  ", "abc", "abc"),
            ("int:12", "12", "12"),
            ("double:1.5", "1.5", "1.5"),
        ],
    );
    check(&ColumnType::Char { length: 3 }, &[("a  ", "a", "a"), ("äöüß", "E1406", "äöü")]);
    let members = |names: &[&str]| names.iter().map(|&name| Box::from(name)).collect();
    check(
        &ColumnType::Enum { members: members(&["red", "blue"]) },
        &[
            ("BLUE", "blue", "blue"),
            ("int:1", "red", "red"),
            ("2", "blue", "blue"),
            ("green", "E1265", ""),
        ],
    );
    check(
        &ColumnType::Set { members: members(&["a", "b", "c"]) },
        &[("c,a", "a,c", "a,c"), ("", "", ""), ("int:3", "a,b", "a,b"), ("a,x", "E1265", "a")],
    );
}

#[test]
fn json_has_one_form() {
    let normal = |text| json::normal(text);
    assert_eq!(
        normal(r#"{"bb":1,"a":[1,2.50,null]}"#),
        Ok(r#"{"a": [1, 2.5, null], "bb": 1}"#.into())
    );
    assert_eq!(normal("1.0"), Ok("1.0".into()));
    assert!(normal("{").is_err());
}
