//! The table that predicates are judged on: a column of each kind, rows that are hard to compare.

use std::sync::Arc;

use fastrand::Rng;
use vstreamd::event::{CollationId, Column, ColumnType, TableName, TableSchema};

/// What a column holds, for choosing what to compare it with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Int,
    Decimal,
    Real,
    Year,
    Text,
    Binary,
    Date,
    DateTime,
    Time,
    Enum,
    Bit,
    Json,
}

/// One column: its name, its declaration, what it is to us.
pub struct Declared {
    pub name: &'static str,
    pub sql: &'static str,
    pub kind: Kind,
    pub column_type: ColumnType,
    pub collation: CollationId,
}

/// The columns. `uca` is the collation of the last text column: MariaDB has no `0900`.
pub fn columns(mysql: bool) -> Vec<Declared> {
    let column = |name, sql, kind, column_type, collation| Declared {
        name,
        sql,
        kind,
        column_type,
        collation,
    };
    let binary = CollationId::BINARY;
    let int = |bytes, unsigned| ColumnType::Int { bytes, unsigned };
    let decimal = |precision, scale| ColumnType::Decimal { precision, scale, unsigned: false };
    let varchar = || ColumnType::VarChar { length: 20 };
    let members: Arc<[Box<str>]> = Arc::from(["b".into(), "a".into(), "Cé".into()]);
    let (uca_sql, uca) = if mysql {
        ("varchar(20) character set utf8mb4 collate utf8mb4_0900_ai_ci", CollationId(255))
    } else {
        ("varchar(20) character set utf8mb4 collate utf8mb4_unicode_ci", CollationId(224))
    };
    let member_sql = "character set utf8mb4 collate utf8mb4_general_ci";
    let mut columns = vec![
        column("id", "int not null", Kind::Int, int(4, false), binary),
        column("i", "int", Kind::Int, int(4, false), binary),
        column("t", "tinyint", Kind::Int, int(1, false), binary),
        column("n", "int unsigned", Kind::Int, int(4, true), binary),
        column("b", "bigint", Kind::Int, int(8, false), binary),
        column("u", "bigint unsigned", Kind::Int, int(8, true), binary),
        column("d", "decimal(10,3)", Kind::Decimal, decimal(10, 3), binary),
        column("w", "decimal(30,10)", Kind::Decimal, decimal(30, 10), binary),
        column("f", "float", Kind::Real, ColumnType::Float { unsigned: false }, binary),
        column("r", "double", Kind::Real, ColumnType::Double { unsigned: false }, binary),
        column("y", "year", Kind::Year, ColumnType::Year, binary),
        column("dt", "date", Kind::Date, ColumnType::Date, binary),
        column("m", "datetime", Kind::DateTime, ColumnType::DateTime { fsp: 0 }, binary),
        column("m6", "datetime(6)", Kind::DateTime, ColumnType::DateTime { fsp: 6 }, binary),
        column("ts", "timestamp(3) null", Kind::DateTime, ColumnType::Timestamp { fsp: 3 }, binary),
        column("ti", "time", Kind::Time, ColumnType::Time { fsp: 0 }, binary),
        column("ti3", "time(3)", Kind::Time, ColumnType::Time { fsp: 3 }, binary),
        column("x", "varbinary(20)", Kind::Binary, varchar(), binary),
        column("bt", "bit(12)", Kind::Bit, ColumnType::Bit { bits: 12 }, binary),
        column("j", "json", Kind::Json, ColumnType::Json, binary),
        column("uca", uca_sql, Kind::Text, varchar(), uca),
    ];
    for (name, charset, collation, id) in [
        ("vg", "utf8mb4", "utf8mb4_general_ci", 45),
        ("vu", "utf8mb4", "utf8mb4_unicode_ci", 224),
        ("vb", "utf8mb4", "utf8mb4_bin", 46),
        ("l", "latin1", "latin1_swedish_ci", 8),
        ("lb", "latin1", "latin1_bin", 47),
        ("g3", "utf8mb3", "utf8mb3_general_ci", 33),
    ] {
        let sql = format!("varchar(20) character set {charset} collate {collation}");
        columns.push(column(name, sql.leak(), Kind::Text, varchar(), CollationId(id)));
    }
    let sql = format!("char(10) {member_sql}");
    let char10 = ColumnType::Char { length: 10 };
    columns.push(column("c", sql.leak(), Kind::Text, char10, CollationId(45)));
    let sql = format!("enum('b','a','Cé') {member_sql}");
    let member = ColumnType::Enum { members: Arc::clone(&members) };
    columns.push(column("e", sql.leak(), Kind::Enum, member, CollationId(45)));
    let sql = format!("set('b','a','Cé') {member_sql}");
    let set = ColumnType::Set { members };
    columns.push(column("s", sql.leak(), Kind::Enum, set, CollationId(45)));
    columns
}

pub fn schema(columns: &[Declared]) -> Arc<TableSchema> {
    let columns = columns.iter().map(|column| Column {
        nullable: column.name != "id",
        declared: column.sql.into(),
        ..Column::plain(column.name, column.column_type.clone(), column.collation)
    });
    Arc::new(TableSchema {
        name: TableName::new("test", "p"),
        columns: columns.collect(),
        key: vec![0],
        key_is_primary: true,
    })
}

/// A literal for an INSERT into a column of this kind.
pub fn value(column: &Declared, random: &mut Rng) -> String {
    if random.u8(..8) == 0 {
        return "NULL".to_owned();
    }
    let quoted = |text: &str| format!("'{}'", text.replace('\\', "\\\\").replace('\'', "''"));
    match column.kind {
        Kind::Int => pick(ints(&column.column_type), random).to_owned(),
        Kind::Decimal if column.name == "d" => pick(DECIMALS, random).to_owned(),
        Kind::Decimal => pick(WIDE_DECIMALS, random).to_owned(),
        Kind::Real if column.name == "f" => pick(FLOATS, random).to_owned(),
        Kind::Real => pick(REALS, random).to_owned(),
        Kind::Year => pick(YEARS, random).to_owned(),
        Kind::Text if column.name.starts_with('l') => quoted(pick(LATIN1_TEXTS, random)),
        Kind::Text if column.name == "g3" => quoted(pick(BMP_TEXTS, random)),
        Kind::Text if column.name == "c" => quoted(pick(LATIN1_TEXTS, random)),
        Kind::Text | Kind::Binary => quoted(pick(TEXTS, random)),
        Kind::Date => quoted(pick(DATES, random)),
        Kind::DateTime if column.name == "m6" => quoted(pick(DATE_TIMES_6, random)),
        Kind::DateTime => quoted(pick(DATE_TIMES, random)),
        Kind::Time => quoted(pick(TIMES, random)),
        Kind::Enum if column.name == "e" => quoted(pick(&["b", "a", "Cé"], random)),
        Kind::Enum => quoted(pick(&["", "b", "a", "b,a", "a,Cé", "b,a,Cé"], random)),
        Kind::Bit => pick(&["b'0'", "b'1'", "b'1010'", "b'111111111111'"], random).to_owned(),
        Kind::Json => quoted(pick(&["1", "\"a\"", "{\"a\": 1}", "null"], random)),
    }
}

pub fn pick<'a>(from: &[&'a str], random: &mut Rng) -> &'a str {
    from[random.usize(..from.len())]
}

fn ints(column_type: &ColumnType) -> &'static [&'static str] {
    match column_type {
        ColumnType::Int { bytes: 1, .. } => &["0", "1", "-1", "2", "10", "-128", "127"],
        ColumnType::Int { bytes: 8, unsigned: true } => &[
            "0",
            "1",
            "2",
            "10",
            "9223372036854775807",
            "9223372036854775808",
            "18446744073709551615",
        ],
        ColumnType::Int { bytes: 8, .. } => &[
            "0",
            "1",
            "-1",
            "2",
            "10",
            "9007199254740993",
            "9223372036854775807",
            "-9223372036854775808",
        ],
        ColumnType::Int { unsigned: true, .. } => &["0", "1", "2", "10", "4294967295", "20200229"],
        _ => {
            &["0", "1", "-1", "2", "3", "10", "99", "2020", "20200229", "2147483647", "-2147483648"]
        }
    }
}

pub const DECIMALS: &[&str] =
    &["0", "1", "-1", "1.5", "-1.5", "0.001", "10.100", "9999999.999", "2"];
pub const WIDE_DECIMALS: &[&str] = &[
    "0",
    "1",
    "1.5",
    "-0.0000000001",
    "12345678901234567890.1234567891",
    "9223372036854775807.5",
    "0.1",
    "0.3333333333",
];
pub const FLOATS: &[&str] = &["0", "1", "-1", "0.1", "1.5", "3.4e38", "1e-10", "16777216", "0.3"];
pub const REALS: &[&str] =
    &["0", "1", "-1", "0.1", "1.5", "1.7e308", "1e-300", "9007199254740992", "0.3333333333333333"];
pub const YEARS: &[&str] = &["0", "1901", "1970", "1999", "2000", "2020", "2069", "2155"];
pub const DATES: &[&str] = &["1000-01-01", "1999-12-31", "2020-02-29", "2020-03-01", "9999-12-31"];
pub const DATE_TIMES: &[&str] = &[
    "1970-01-02 00:00:00",
    "1999-12-31 23:59:59",
    "2020-02-29 00:00:00",
    "2020-02-29 12:30:00",
    "2037-01-01 01:02:03",
];
pub const DATE_TIMES_6: &[&str] = &[
    "1999-12-31 23:59:59.999999",
    "2020-02-29 00:00:00.000000",
    "2020-02-29 12:30:00.500000",
    "2020-02-29 12:30:00.000001",
];
pub const TIMES: &[&str] =
    &["00:00:00", "12:30:00", "-01:00:00", "838:59:59", "-838:59:59", "00:00:01", "100:00:00"];
pub const LATIN1_TEXTS: &[&str] = &[
    "",
    "a",
    "A",
    "b",
    "ab",
    "AB",
    "abc",
    "a b",
    "é",
    "E",
    "ä",
    "Æ",
    "ae",
    "ß",
    "ss",
    "ü",
    "y",
    "Z",
    "å",
    "1",
    "10",
    "1.5",
    " 2",
    "1e1",
    "2x",
    "-1",
    "a%",
    "a_c",
    "%",
    "€",
    "÷",
    "0.0",
    "a\\b",
    "2020-02-29",
];
pub const BMP_TEXTS: &[&str] = &[
    "", "a", "A ", "á", "Ａ", "ss", "ß", "ẞ", "ﬁ", "fi", "Σ", "ς", "σ", "и", "й", "中", "가",
    "a\t", "a ", "\u{301}a", "a\u{301}", "İ", "i", "I", "ı", "ǆ", "1", "②", "2", "b'c", "\u{a0}",
    "…", "Ⅷ", "viii",
];
pub const TEXTS: &[&str] = &[
    "",
    "a",
    "A",
    "a ",
    "A  ",
    "a\t",
    "b",
    "ab",
    "a b",
    "é",
    "É",
    "e\u{301}",
    "ß",
    "ss",
    "SS",
    "ﬃ",
    "ffi",
    "Æ",
    "ae",
    "😀",
    "😁",
    "中",
    "각",
    "가",
    "1",
    "10",
    "1.5",
    " 2",
    "1e1",
    "-1",
    "a%",
    "a\\%",
    "\\",
    "'",
    "paÜl",
    "påul",
    "\u{200d}",
    "a\u{200d}",
    "\u{3000}",
    " ",
    "İ",
    "0",
    "0.5",
    "2020-02-29",
];
