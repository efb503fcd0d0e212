//! Columns of all types, and random values for them as SQL.

use fastrand::Rng;

use crate::harness::real::Kind;

/// A column's definition and what makes a literal for it; none for generated columns.
pub struct Sample {
    pub definition: String,
    pub literal: Option<fn(&mut Rng) -> String>,
}

fn sample(definition: &str, literal: fn(&mut Rng) -> String) -> Sample {
    Sample { definition: definition.to_owned(), literal: Some(literal) }
}

/// Tables of one kind of types each; all fit into a row of 65,535 bytes.
pub fn tables(kind: Kind) -> Vec<(&'static str, Vec<Sample>)> {
    let mut tables = vec![
        ("numbers", numbers()),
        ("times", times()),
        ("texts", texts()),
        ("blobs", blobs()),
        ("members", members()),
        ("others", others()),
    ];
    let own = match kind {
        Kind::MySql => mysql,
        Kind::MariaDb => mariadb,
    };
    tables.extend([("own", own()), ("approximate", approximate(own()))]);
    tables
}

/// Approximate numbers, for which all values of a table are copied in another form than without.
fn approximate(own: Vec<Sample>) -> Vec<Sample> {
    let mut samples =
        vec![sample("float", real), sample("double", real), sample("double unsigned", real)];
    samples.extend(numbers().into_iter().chain(times()).chain(own));
    samples
}

fn numbers() -> Vec<Sample> {
    let mut samples = Vec::new();
    for name in ["tinyint", "smallint", "mediumint", "int", "bigint"] {
        samples.push(sample(name, whole));
        samples.push(sample(&format!("{name} unsigned"), whole));
    }
    samples.push(sample("int(7) zerofill", whole));
    samples.push(sample("bigint(25) unsigned zerofill", whole));
    for shape in ["1,0", "5,2", "9,9", "10,0", "18,9", "20,1", "38,19", "65,0", "65,30", "30,30"] {
        samples.push(sample(&format!("decimal({shape})"), decimal));
    }
    samples.push(sample("decimal(12,3) unsigned", decimal));
    samples.push(sample("decimal(20,4) zerofill", decimal));
    for bits in [1, 7, 8, 9, 31, 64] {
        samples.push(sample(&format!("bit({bits})"), |random| format!("{}", random.u64(..))));
    }
    samples
}

fn times() -> Vec<Sample> {
    let mut samples = vec![sample("date", date), sample("year", year)];
    for fsp in 0..=6 {
        samples.push(sample(&format!("time({fsp})"), time));
        samples.push(sample(&format!("datetime({fsp})"), date_time));
        samples.push(sample(&format!("timestamp({fsp}) NULL"), date_time));
    }
    samples
}

fn texts() -> Vec<Sample> {
    let mut samples = Vec::new();
    for charset in
        ["utf8mb4", "utf8mb3", "latin1", "gbk", "utf16", "utf32", "ucs2", "ascii", "cp932"]
    {
        samples.push(sample(&format!("char(9) CHARACTER SET {charset}"), text));
        samples.push(sample(&format!("varchar(300) CHARACTER SET {charset}"), text));
    }
    samples.push(sample("char(255) CHARACTER SET utf8mb4", text));
    samples.push(sample("char(200) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin", text));
    samples.push(sample("varchar(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_520_ci", text));
    samples.push(sample("tinytext", text));
    samples.push(sample("text CHARACTER SET latin1", text));
    samples.push(sample("mediumtext", long_text));
    samples.push(sample("longtext CHARACTER SET utf16", text));
    samples
}

fn blobs() -> Vec<Sample> {
    let definitions = [
        "binary(1)",
        "binary(5)",
        "binary(255)",
        "varbinary(7)",
        "varbinary(255)",
        "varbinary(256)",
        "varbinary(4000)",
        "tinyblob",
        "blob",
        "mediumblob",
        "longblob",
    ];
    definitions.iter().map(|definition| sample(definition, bytes)).collect()
}

fn members() -> Vec<Sample> {
    let many = |count: usize| {
        let names: Vec<String> = (0..count).map(|n| format!("'m{n}'")).collect();
        names.join(",")
    };
    vec![
        sample("enum('a','b','it''s','ü')", |random| format!("{}", random.u8(0..=4))),
        sample("enum('a','ü') CHARACTER SET latin1", |random| format!("{}", random.u8(0..=2))),
        sample("enum('a','ü€') CHARACTER SET utf16", |random| format!("{}", random.u8(0..=2))),
        sample("enum('a','b') CHARACTER SET gbk", |random| format!("{}", random.u8(0..=2))),
        sample(&format!("enum({})", many(255)), |random| format!("{}", random.u16(0..=255))),
        sample(&format!("enum({})", many(300)), |random| format!("{}", random.u16(0..=300))),
        sample("set('a','b','c d','ö')", |random| format!("{}", random.u8(0..16))),
        sample("set('a','ö') CHARACTER SET utf32", |random| format!("{}", random.u8(0..4))),
        sample(&format!("set({})", many(9)), |random| format!("{}", random.u16(0..512))),
        sample(&format!("set({})", many(30)), |random| format!("{}", random.u32(0..1 << 30))),
        sample(&format!("set({})", many(64)), |random| format!("{}", random.u64(..))),
    ]
}

/// Geometry, generated columns, and one column whose place in the row matters.
fn others() -> Vec<Sample> {
    let generated = |definition: &str| Sample { definition: definition.to_owned(), literal: None };
    vec![
        sample("geometry", |random| {
            format!("ST_GeomFromText('LINESTRING(0 0,{} 2)')", random.u8(..))
        }),
        sample("point", |random| format!("POINT({}, {})", random.i16(..), random.f64())),
        sample("int", whole),
        generated("int AS (c2 DIV 2) VIRTUAL"),
        generated("varchar(40) AS (concat('<', c2, '>')) STORED"),
        sample("int DEFAULT 7 INVISIBLE", whole),
        sample("varchar(20) DEFAULT 'x'", text),
    ]
}

fn mysql() -> Vec<Sample> {
    vec![
        sample("json", json),
        sample("json", json),
        sample("vector(5)", |random| {
            let numbers: Vec<String> = (0..random.usize(1..=5)).map(|_| real(random)).collect();
            format!("STRING_TO_VECTOR('[{}]')", numbers.join(",").replace("3.4028235e38", "1"))
        }),
        sample("varchar(9) CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_as_cs", text),
        sample("varchar(9) CHARACTER SET gb18030", text),
    ]
}

fn mariadb() -> Vec<Sample> {
    let uuid = |random: &mut Rng| {
        let text = format!("{:032x}", random.u128(..));
        match random.u8(..4) {
            0 => "UUID()".to_owned(),
            1 => "'00000000-0000-0000-0000-000000000000'".to_owned(),
            // Versions and variants of all kinds, and zeros at the end.
            _ => format!("'{}{}'", &text[..28], ["0000", "ff00", &text[28..]][random.usize(..3)]),
        }
    };
    vec![
        sample("uuid", uuid),
        sample("inet4", |random| format!("'{}.0.{}.0'", random.u8(..), random.u8(..))),
        sample("inet6", inet6),
        sample("varchar(300) COMPRESSED", text),
        sample("varchar(200) CHARACTER SET latin1 COMPRESSED", text),
        sample("varbinary(254) COMPRESSED", bytes),
        sample("varbinary(255) COMPRESSED", bytes),
        sample("tinytext COMPRESSED", text),
        sample("mediumtext COMPRESSED", long_text),
        sample("blob COMPRESSED", bytes),
        sample("json", |random| format!("JSON_ARRAY({})", whole(random))),
        sample("varchar(9) CHARACTER SET utf8mb4 COLLATE utf8mb4_uca1400_ai_ci", text),
    ]
}

fn whole(random: &mut Rng) -> String {
    let number = i128::from(random.i64(..)) >> random.u8(..64);
    match random.u8(..10) {
        0 => "0".to_owned(),
        1 => "18446744073709551615".to_owned(),
        2 => "-9223372036854775808".to_owned(),
        _ => number.to_string(),
    }
}

fn decimal(random: &mut Rng) -> String {
    let digits = |random: &mut Rng, count: usize| -> String {
        (0..count).map(|_| random.digit(10)).collect()
    };
    let (before, behind) = (random.usize(0..36), random.usize(0..31));
    let sign = if random.bool() { "-" } else { "" };
    match random.u8(..10) {
        0 => "0".to_owned(),
        1 => "-0.0".to_owned(),
        _ => format!("{sign}{}0.{}1", digits(random, before), digits(random, behind)),
    }
}

fn real(random: &mut Rng) -> String {
    match random.u8(..12) {
        0 => "0".to_owned(),
        1 => "-0e0".to_owned(),
        2 => "3.4028235e38".to_owned(),
        3 => "1e15".to_owned(),
        4 => "16777217".to_owned(),
        5 => "1e-15".to_owned(),
        6 => format!("{}", random.i32(..)),
        7 => format!("{}", f64::from(random.i16(..)) / 100.0),
        _ => format!("{:e}", (random.f64() - 0.5) * 10_f64.powi(random.i32(-30..30))),
    }
}

fn fraction(random: &mut Rng) -> String {
    format!("{:06}", random.u32(..1_000_000))
}

fn date(random: &mut Rng) -> String {
    match random.u8(..8) {
        0 => "'0000-00-00'".to_owned(),
        1 => "'9999-12-31'".to_owned(),
        2 => format!("'{:04}-{:02}-00'", random.u16(..10_000), random.u8(..13)),
        _ => {
            let (year, month, day) = (random.u16(..10_000), random.u8(1..13), random.u8(1..29));
            format!("'{year:04}-{month:02}-{day:02}'")
        }
    }
}

fn year(random: &mut Rng) -> String {
    match random.u8(..4) {
        0 => "'0000'".to_owned(),
        _ => random.u16(1901..=2155).to_string(),
    }
}

fn time(random: &mut Rng) -> String {
    let sign = if random.bool() { "-" } else { "" };
    match random.u8(..6) {
        0 => format!("'{sign}00:00:00.{}'", fraction(random)),
        1 => format!("'{sign}838:59:59'"),
        _ => {
            let (hour, minute, second) = (random.u16(..839), random.u8(..60), random.u8(..60));
            format!("'{sign}{hour}:{minute}:{second}.{}'", fraction(random))
        }
    }
}

fn date_time(random: &mut Rng) -> String {
    let clock = |random: &mut Rng| {
        let (hour, minute, second) = (random.u8(..24), random.u8(..60), random.u8(..60));
        format!("{hour:02}:{minute:02}:{second:02}.{}", fraction(random))
    };
    match random.u8(..8) {
        0 => "'0000-00-00 00:00:00'".to_owned(),
        1 => "'1970-01-01 00:00:01'".to_owned(),
        2 => "'2038-01-19 03:14:07.499999'".to_owned(),
        3 => format!("'{:04}-01-02 {}'", random.u16(1000..10_000), clock(random)),
        // Within the range of TIMESTAMP.
        _ => {
            let (year, month, day) = (random.u16(1971..2038), random.u8(1..13), random.u8(1..29));
            format!("'{year}-{month}-{day} {}'", clock(random))
        }
    }
}

fn text(random: &mut Rng) -> String {
    let alphabet: Vec<char> = "abcXYZ 09_éüß中文字€😀'\\\"\n".chars().collect();
    let length = [0, 1, 3, 9, 40][random.usize(..5)];
    let text: String = (0..length).map(|_| alphabet[random.usize(..alphabet.len())]).collect();
    let spaces = if random.u8(..4) == 0 { "  " } else { "" };
    format!("'{}{spaces}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}

fn long_text(random: &mut Rng) -> String {
    match random.u8(..20) {
        0 => format!("REPEAT('xyz€', {})", random.u32(..30_000)),
        1 => format!("REPEAT('a', {})", random.u32(65_530..65_540)),
        _ => text(random),
    }
}

fn bytes(random: &mut Rng) -> String {
    let length = [0, 1, 2, 5, 30, 254, 255][random.usize(..7)];
    let bytes: String = (0..length)
        .map(|_| format!("{:02x}", random.u8(..) & [0, 0xff, 0xff][random.usize(..3)]))
        .collect();
    format!("x'{bytes}'")
}

fn inet6(random: &mut Rng) -> String {
    let groups: Vec<String> = (0..8)
        .map(|_| match random.u8(..3) {
            0 => format!("{:x}", random.u16(..)),
            1 => format!("{:x}", random.u8(..)),
            _ => "0".to_owned(),
        })
        .collect();
    let octet = |random: &mut Rng| random.u8(..) & [0, 0xff][random.usize(..2)];
    let (a, b, c, d) = (octet(random), octet(random), octet(random), octet(random));
    match random.u8(..8) {
        0 => "'::'".to_owned(),
        1 => format!("'::{}'", random.u16(..)),
        2 => format!("'::{a}.{b}.{c}.{d}'"),
        3 => format!("'::ffff:{a}.{b}.{c}.{d}'"),
        4 => format!("'::ffff:0:{a}.{b}.{c}.{d}'"),
        _ => format!("'{}'", groups.join(":")),
    }
}

/// A document as an expression, with scalars that JSON's own text does not have.
fn json(random: &mut Rng) -> String {
    match random.u8(..12) {
        0 => "NULL".to_owned(),
        1 => {
            // So large that its offsets need four bytes.
            let fill = random.u32(20_000..30_000);
            format!("JSON_OBJECT('k', REPEAT('long', {fill}), 'n', {})", json_value(random, 2))
        }
        _ => format!("JSON_EXTRACT(JSON_ARRAY({}), '$[0]')", json_value(random, 4)),
    }
}

fn json_value(random: &mut Rng, depth: usize) -> String {
    match random.u8(..if depth == 0 { 16 } else { 22 }) {
        0 => "CAST('null' AS JSON)".to_owned(),
        1 => "CAST('true' AS JSON)".to_owned(),
        2 => "CAST('false' AS JSON)".to_owned(),
        3 => random.i8(..).to_string(),
        4 => whole(random),
        5 => format!("CAST({} AS DOUBLE)", real(random).replace("3.4028235e38", "1e300")),
        6 => format!("CAST({} AS DECIMAL(65,30))", decimal(random)),
        7 => format!("CAST({} AS DATE)", date(random)),
        8 => format!("CAST({} AS TIME({}))", time(random), random.u8(..7)),
        9 => format!("CAST({} AS DATETIME({}))", date_time(random), random.u8(..7)),
        10 => format!("CAST({} AS BINARY)", bytes(random)),
        11 => "b'101'".to_owned(),
        12 => format!("JSON_QUOTE(_utf8mb4'\\b\\t{}\\Z')", random.alphanumeric()),
        13 => format!("CAST('{}' AS JSON)", random.u32(..)),
        14 => format!("CONCAT('c', CHAR({} USING utf8mb4))", random.u8(..128)),
        15 => text(random),
        16..=18 => {
            let elements: Vec<String> =
                (0..random.usize(..5)).map(|_| json_value(random, depth - 1)).collect();
            format!("JSON_ARRAY({})", elements.join(","))
        }
        _ => {
            let members: Vec<String> = (0..random.usize(..5))
                .map(|_| {
                    let key = ["a", "b", "long key", "ü", "", "q\"", "zz"][random.usize(..7)];
                    format!("'{key}',{}", json_value(random, depth - 1))
                })
                .collect();
            format!("JSON_OBJECT({})", members.join(","))
        }
    }
}
