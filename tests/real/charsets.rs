//! Character sets against both servers: every code decoded and every character encoded as they do.

use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use vstreamd::event::charset::{Charset, Conversion};

use crate::harness::real::{self, Kind, Server};
use crate::harness::rounds;

#[tokio::test]
async fn character_sets_are_those_of_mysql() {
    compare(real::mysql()).await;
}

#[tokio::test]
async fn character_sets_are_those_of_mariadb() {
    compare(real::mariadb()).await;
}

async fn compare(server: &Server) {
    let mut connection = Conn::from_url(&server.url("mysql")).await.unwrap();
    let limit = match server.kind {
        Kind::MySql => "SET cte_max_recursion_depth = 2000000",
        Kind::MariaDb => "SET max_recursive_iterations = 2000000",
    };
    connection.query_drop(limit).await.unwrap();
    // A prime: a sample has codes of all rows and columns of a set.
    let step = rounds(61, 1, 1);
    let (mut characters, mut codes) = (0, 0);
    for &charset in Charset::ALL {
        let unknown = server.kind == Kind::MariaDb && charset == Charset::Gb18030;
        if charset == Charset::Binary || unknown {
            continue;
        }
        characters += encodes(&mut connection, charset, (0, 0x1_0000, step)).await;
        // Only these have whole planes beyond the first.
        let many = charset == Charset::Gb18030 || charset.name().starts_with("utf");
        let step = if many { step } else { 61 };
        characters += encodes(&mut connection, charset, (0x1_0000, 0x11_0000, step)).await;
        for (bytes, count) in shapes(charset) {
            let step = if count == 256 { 1 } else { step };
            codes += decodes(&mut connection, server.kind, charset, bytes, (count, step)).await;
        }
    }
    println!("{:?}: {characters} characters and {codes} codes, each {step}th", server.kind);
}

/// SQL for bytes made of a number `i`, and how many numbers there are.
fn shapes(charset: Charset) -> Vec<(&'static str, usize)> {
    const ONE: (&str, usize) = ("UNHEX(LPAD(HEX(i), 2, '0'))", 256);
    const TWO: (&str, usize) = ("UNHEX(LPAD(HEX(i), 4, '0'))", 0x1_0000);
    const BEHIND_8F: (&str, usize) = ("UNHEX(HEX(i + 0x8f0000))", 0x1_0000);
    const FOUR: (&str, usize) = (
        "CHAR(129 + i DIV 12600, 48 + i DIV 1260 % 10, 129 + i DIV 10 % 126, 48 + i % 10)",
        126 * 10 * 126 * 10,
    );
    match charset {
        Charset::Utf32 | Charset::Utf16 | Charset::Utf16le | Charset::Ucs2 => vec![TWO],
        Charset::Gb18030 => vec![ONE, TWO, FOUR],
        Charset::Eucjpms | Charset::Ujis => vec![ONE, TWO, BEHIND_8F],
        _ if charset.bytes_max() == 1 => vec![ONE],
        _ => vec![ONE, TWO],
    }
}

/// Each code point is encoded as the server does: `?` included.
async fn encodes(connection: &mut Conn, charset: Charset, range: (usize, usize, usize)) -> usize {
    let query = format!(
        "{} SELECT i, CAST(CONVERT(CONVERT(UNHEX(LPAD(HEX(i), 8, '0')) USING utf32) USING {}) AS \
         BINARY) FROM n",
        numbers(range),
        charset.name()
    );
    let rows: Vec<(u32, Option<Vec<u8>>)> = connection.query(query).await.unwrap();
    let mut count = 0;
    for (point, theirs) in rows {
        // The servers disagree about surrogates, which are no characters.
        if char::from_u32(point).is_none() {
            continue;
        }
        let ours = converted(Charset::Utf32, charset, &point.to_be_bytes());
        assert_eq!(Some(ours), theirs, "U+{point:04x} in {}", charset.name());
        count += 1;
    }
    count
}

/// Bytes are decoded as the server does. Of malformed ones MySQL says NULL where it sees it, and
/// MariaDB mends them in its own way.
async fn decodes(
    connection: &mut Conn,
    kind: Kind,
    charset: Charset,
    bytes: &str,
    (count, step): (usize, usize),
) -> usize {
    let query = format!(
        "{} SELECT {bytes}, CAST(CONVERT(CONVERT({bytes} USING {}) USING utf32) AS BINARY) FROM n",
        numbers((0, count, step)),
        charset.name()
    );
    let rows: Vec<(Vec<u8>, Option<Vec<u8>>)> = connection.query(query).await.unwrap();
    let mut compared = 0;
    for (bytes, theirs) in rows {
        let valid = charset.decode(&bytes, &mut String::new());
        assert!(theirs.is_some() || !valid, "{bytes:x?} in {}", charset.name());
        // A text that is too short for its set is filled up at its beginning when it is made, and
        // MySQL takes codes of gb2312 whose second byte lacks its highest bit.
        let short = bytes.len() < usize::from(charset.bytes_min());
        let lenient = charset == Charset::Gb2312 && !valid;
        if theirs.is_none() || short || lenient || (kind == Kind::MariaDb && !valid) {
            continue;
        }
        let ours = converted(charset, Charset::Utf32, &bytes);
        assert_eq!(Some(ours), theirs, "{bytes:x?} in {}", charset.name());
        compared += 1;
    }
    compared
}

fn numbers((first, end, step): (usize, usize, usize)) -> String {
    format!(
        "WITH RECURSIVE n (i) AS (SELECT {first} UNION ALL SELECT i + {step} FROM n WHERE i + \
         {step} < {end})"
    )
}

fn converted(from: Charset, to: Charset, text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    match Conversion::new(from, to) {
        Some(conversion) => conversion.push(text, &mut out),
        None => out.extend_from_slice(text),
    }
    out
}
