//! Collations against real servers: order, equality, LIKE and case of random texts.

use std::cmp::Ordering;

use fastrand::Rng;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Value};
use vstreamd::event::CollationId;
use vstreamd::event::collation;

use super::connect;
use super::table::{BMP_TEXTS, LATIN1_TEXTS, TEXTS};
use crate::harness::real::{self, Server};
use crate::harness::rounds;

#[tokio::test]
async fn mysql_compares_alike() {
    let names = [
        "utf8mb4_0900_ai_ci",
        "utf8mb4_general_ci",
        "utf8mb4_unicode_ci",
        "utf8mb4_bin",
        "utf8mb4_0900_bin",
        "utf8mb3_general_ci",
        "utf8mb3_unicode_ci",
        "utf8mb3_bin",
        "latin1_swedish_ci",
        "latin1_bin",
        "ascii_bin",
    ];
    compare(real::mysql(), &names, true).await;
}

#[tokio::test]
async fn mariadb_compares_alike() {
    let names = [
        "utf8mb4_general_ci",
        "utf8mb4_unicode_ci",
        "utf8mb4_bin",
        "utf8mb3_general_ci",
        "latin1_swedish_ci",
        "latin1_bin",
    ];
    // MariaDB 10.11's case tables are not MySQL's, which are ours.
    compare(real::mariadb(), &names, false).await;
}

async fn compare(server: &Server, names: &[&str], case: bool) {
    let mut connection = connect(server).await;
    let mut random = Rng::with_seed(0xc011a7e);
    let mut compared = 0;
    for name in names {
        let id = collation::by_name(name).unwrap();
        for _ in 0..rounds(40, 200, 2_000) {
            let pairs: Vec<_> =
                (0..100).map(|_| (text(id, &mut random), text(id, &mut random))).collect();
            compared += pairs.len();
            batch(&mut connection, name, id, &pairs, case).await;
        }
    }
    println!("{:?}: {compared} pairs of texts under {} collations", server.kind, names.len());
}

async fn batch(
    connection: &mut Conn,
    name: &str,
    id: CollationId,
    pairs: &[(String, String)],
    case: bool,
) {
    let (charset, _) = name.split_once('_').unwrap();
    let set = collation::charset(id).unwrap();
    let (mut encoded, mut selects) = (Vec::new(), Vec::new());
    for (left, right) in pairs {
        let (left, right) = (set.encode(left).unwrap(), set.encode(right).unwrap());
        let value = |bytes: &[u8]| format!("(_{charset} 0x{} COLLATE {name})", hex(bytes));
        let value = |bytes: &[u8]| {
            if bytes.is_empty() { format!("(_{charset} '' COLLATE {name})") } else { value(bytes) }
        };
        let (a, b) = (value(&left), value(&right));
        selects.push(format!("SELECT STRCMP({a}, {b}), {a} LIKE {b}, LOWER({a}), UPPER({a})"));
        encoded.push((left, right));
    }
    let query = selects.join(" UNION ALL ");
    let rows: Vec<(i32, i32, Value, Value)> = connection.query(query).await.unwrap();
    for ((order, like, lower, upper), (left, right)) in rows.into_iter().zip(&encoded) {
        let shown = || {
            format!(
                "{:?} {:?} under {name}",
                String::from_utf8_lossy(left),
                String::from_utf8_lossy(right)
            )
        };
        let found = collation::compare(id, left, right).unwrap();
        assert_eq!(found, order.cmp(&0), "{}", shown());
        let key = |text: &[u8]| {
            let mut key = Vec::new();
            collation::sort_key(id, text, &mut key).unwrap();
            key
        };
        assert_eq!(key(left).cmp(&key(right)), found, "key of {}", shown());
        assert_eq!(found == Ordering::Equal, key(left) == key(right));
        let fits = collation::like(id, left, right, Some('\\')).unwrap();
        assert_eq!(fits, like == 1, "LIKE of {}", shown());
        if case {
            let mut ours = (Vec::new(), Vec::new());
            collation::lower(id, left, &mut ours.0).unwrap();
            collation::upper(id, left, &mut ours.1).unwrap();
            assert_eq!(Value::Bytes(ours.0), lower, "LOWER of {}", shown());
            assert_eq!(Value::Bytes(ours.1), upper, "UPPER of {}", shown());
        }
    }
}

/// Mostly letters that are hard to compare, some characters from anywhere.
fn text(id: CollationId, random: &mut Rng) -> String {
    let set = collation::charset(id).unwrap();
    let mut text = String::new();
    for _ in 0..random.usize(..4) {
        let part = match random.u8(..8) {
            0..=2 => LATIN1_TEXTS[random.usize(..LATIN1_TEXTS.len())].to_owned(),
            3 => BMP_TEXTS[random.usize(..BMP_TEXTS.len())].to_owned(),
            4 => TEXTS[random.usize(..TEXTS.len())].to_owned(),
            5 => random.char('\0'..='\u{2ff}').to_string(),
            6 => random.char('\0'..='\u{ffff}').to_string(),
            _ => random.char('\u{10000}'..).to_string(),
        };
        if set.encode(&part).is_some() {
            text.push_str(&part);
        }
    }
    text
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
