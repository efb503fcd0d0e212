//! Collations: which texts are equal and which comes first, exactly as MySQL has it.
//!
//! A covered collation is a table of weights taken from a real server (`scripts/collations`) and
//! a pad attribute: under PAD SPACE `'a' = 'a '`, also under `utf8mb4_bin`. For any other collation
//! every question is an error: a guess would lose rows. Texts are in the collation's own charset.

mod case;
mod like;
mod weights;

use std::cmp::Ordering;

pub use super::charset::Charset;
use super::schema::CollationId;
use weights::Table;

pub use case::{lower, lower_name, upper};
pub use like::like;

/// Why two texts cannot be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CollationError {
    /// No weights are known for the collation.
    #[error("comparison under collation {} is not supported", name_or_number(*.0))]
    Uncovered(CollationId),
    /// The bytes are no text of the collation's charset.
    #[error("text is not valid in the character set of {}", name_or_number(*.0))]
    Malformed(CollationId),
}

/// The collation of this name; MySQL's collation names ignore case.
pub fn by_name(name: &str) -> Option<CollationId> {
    let name =
        name.strip_prefix("utf8_").map_or_else(|| name.to_owned(), |r| format!("utf8mb3_{r}"));
    super::charset::collation_named(&name)
}

/// The name of a collation.
pub fn name(id: CollationId) -> Option<&'static str> {
    super::charset::collation_name(id).map(|(name, _)| name)
}

/// The character set of a collation.
pub fn charset(id: CollationId) -> Option<Charset> {
    let known = || super::charset::collation_name(id).map(|(_, charset)| charset);
    find(id).map(|known| known.charset).or_else(known)
}

/// Bytes of the longest character of a collation's character set.
pub fn character_bytes_max(id: CollationId) -> Option<u32> {
    charset(id).map(|charset| charset.bytes_max().into())
}

/// A text in the bytes of a collation's character set, if that has all its characters.
pub fn encode(id: CollationId, text: &str) -> Option<Box<[u8]>> {
    charset(id)?.encode(text).map(Into::into)
}

/// The text that bytes are in a collation's character set, if they are one.
pub fn decode(id: CollationId, bytes: &[u8]) -> Option<Box<str>> {
    let mut text = String::new();
    charset(id)?.decode(bytes, &mut text).then(|| text.into())
}

/// Whether texts can be compared under this collation.
pub fn is_covered(id: CollationId) -> bool {
    find(id).is_some_and(|known| !matches!(known.order, Order::Unknown))
}

/// Whether a collation compares characters by their numbers, as `_bin` and `binary` do.
pub fn is_bytewise(id: CollationId) -> bool {
    find(id).is_some_and(|known| matches!(known.order, Order::Bytes))
}

/// Compares two texts as MySQL's comparison operators and ORDER BY do.
pub fn compare(id: CollationId, left: &[u8], right: &[u8]) -> Result<Ordering, CollationError> {
    let known = find(id).ok_or(CollationError::Uncovered(id))?;
    match known.order {
        Order::Unknown => Err(CollationError::Uncovered(id)),
        _ if left == right => Ok(Ordering::Equal),
        Order::Bytes => Ok(order(left.iter(), right.iter(), known.pad.then_some(&b' '))),
        Order::Single(weights) => {
            let weigh = |&byte: &u8| weights[usize::from(byte)];
            let pad = known.pad.then(|| weigh(&b' '));
            Ok(order(left.iter().map(weigh), right.iter().map(weigh), pad))
        }
        Order::Table(table) => {
            let (left, right) = (utf8(id, left)?, utf8(id, right)?);
            let pad = known.pad.then(|| table.weights(' ').0[0]);
            Ok(order(WeightStream::new(table, left), WeightStream::new(table, right), pad))
        }
    }
}

/// Appends bytes whose bytewise order is the collation's order and whose equality is its equality.
///
/// Under PAD SPACE a text equals itself with any number of spaces behind it, and `'a\t' < 'a'`.
/// So a text ends with the weight of a space and a mark, and each space inside is followed by a
/// mark that says how the rest compares with spaces only.
pub fn sort_key(id: CollationId, text: &[u8], key: &mut Vec<u8>) -> Result<(), CollationError> {
    let known = find(id).ok_or(CollationError::Uncovered(id))?;
    match known.order {
        Order::Unknown => return Err(CollationError::Uncovered(id)),
        Order::Bytes if !known.pad => key.extend_from_slice(text),
        Order::Bytes => push_padded(text.iter().copied(), b' ', key, |byte, key| key.push(byte)),
        Order::Single(weights) => {
            let weigh = |&byte: &u8| weights[usize::from(byte)];
            push_padded(text.iter().map(weigh), weigh(&b' '), key, |byte, key| key.push(byte));
        }
        Order::Table(table) => {
            let stream = WeightStream::new(table, utf8(id, text)?);
            let push =
                |weight: u16, key: &mut Vec<u8>| key.extend_from_slice(&weight.to_be_bytes());
            if known.pad {
                push_padded(stream, table.weights(' ').0[0], key, push);
            } else {
                stream.for_each(|weight| push(weight, key));
            }
        }
    }
    Ok(())
}

fn push_padded<W: Ord + Copy>(
    weights: impl Iterator<Item = W> + Clone,
    space: W,
    key: &mut Vec<u8>,
    push: impl Fn(W, &mut Vec<u8>),
) {
    const BELOW_SPACES: u8 = 1;
    const END: u8 = 2;
    const ABOVE_SPACES: u8 = 3;
    let mut weights = weights;
    while let Some(weight) = weights.next() {
        if weight != space {
            push(weight, key);
            continue;
        }
        // A run of spaces: judged once, so that a long run costs no more than its length.
        let mut run = 1;
        let behind = loop {
            let mut ahead = weights.clone();
            match ahead.next() {
                Some(next) if next == space => {
                    run += 1;
                    weights = ahead;
                }
                Some(next) => break next.cmp(&space),
                None => break Ordering::Equal,
            }
        };
        let mark = match behind {
            Ordering::Less => BELOW_SPACES,
            Ordering::Equal => break,
            Ordering::Greater => ABOVE_SPACES,
        };
        for _ in 0..run {
            push(space, key);
            key.push(mark);
        }
    }
    push(space, key);
    key.push(END);
}

/// Compares weights one by one; the shorter side is continued by `pad`, or sorts first without one.
fn order<W: Ord + Copy>(
    mut left: impl Iterator<Item = W>,
    mut right: impl Iterator<Item = W>,
    pad: Option<W>,
) -> Ordering {
    loop {
        let (a, b) = match (left.next(), right.next(), pad) {
            (None, None, _) => return Ordering::Equal,
            (None, Some(_), None) => return Ordering::Less,
            (Some(_), None, None) => return Ordering::Greater,
            (Some(a), Some(b), _) => (a, b),
            (Some(a), None, Some(pad)) => (a, pad),
            (None, Some(b), Some(pad)) => (pad, b),
        };
        if a != b {
            return a.cmp(&b);
        }
    }
}

/// The weights of a text, one after the other.
#[derive(Clone)]
struct WeightStream<'a> {
    table: &'static Table,
    rest: std::str::Chars<'a>,
    pending: weights::Weights,
    taken: usize,
}

impl<'a> WeightStream<'a> {
    fn new(table: &'static Table, text: &'a str) -> Self {
        Self { table, rest: text.chars(), pending: ([0; 8], 0), taken: 0 }
    }
}

impl Iterator for WeightStream<'_> {
    type Item = u16;

    fn next(&mut self) -> Option<u16> {
        while self.taken >= self.pending.1 {
            self.pending = self.table.weights(self.rest.next()?);
            self.taken = 0;
        }
        let weight = self.pending.0.get(self.taken).copied();
        self.taken += 1;
        weight
    }
}

fn utf8(id: CollationId, text: &[u8]) -> Result<&str, CollationError> {
    std::str::from_utf8(text).map_err(|_| CollationError::Malformed(id))
}

fn find(id: CollationId) -> Option<&'static Collation> {
    COLLATIONS.iter().find(|known| known.id == id)
}

fn name_or_number(id: CollationId) -> String {
    name(id).map_or_else(|| format!("#{}", id.0), str::to_owned)
}

/// One collation of which more is known than its name.
struct Collation {
    id: CollationId,
    name: &'static str,
    charset: Charset,
    order: Order,
    pad: bool,
}

/// How a collation orders.
#[derive(Clone, Copy)]
enum Order {
    /// By the bytes, which for UTF-8 is by the characters' numbers.
    Bytes,
    /// By one weight a byte.
    Single(&'static [u8; 256]),
    /// By weights of characters.
    Table(&'static Table),
    /// Not covered.
    Unknown,
}

static GENERAL: Table = Table::new(include_bytes!("utf8mb4_general_ci.weights"));
static UNICODE: Table = Table::new(include_bytes!("utf8mb4_unicode_ci.weights"));
static UCA_0900: Table = Table::new(include_bytes!("utf8mb4_0900_ai_ci.weights"));
static SWEDISH: &[u8; 256] = include_bytes!("latin1_swedish_ci.weights");

const PAD_SPACE: bool = true;
const NO_PAD: bool = false;

const fn known(
    id: u16,
    name: &'static str,
    charset: Charset,
    order: Order,
    pad: bool,
) -> Collation {
    Collation { id: CollationId(id), name, charset, order, pad }
}

// The covered ones first: they are the ones looked up per row.
static COLLATIONS: &[Collation] = &[
    known(255, "utf8mb4_0900_ai_ci", Charset::Utf8mb4, Order::Table(&UCA_0900), NO_PAD),
    known(45, "utf8mb4_general_ci", Charset::Utf8mb4, Order::Table(&GENERAL), PAD_SPACE),
    known(63, "binary", Charset::Binary, Order::Bytes, NO_PAD),
    known(46, "utf8mb4_bin", Charset::Utf8mb4, Order::Bytes, PAD_SPACE),
    known(224, "utf8mb4_unicode_ci", Charset::Utf8mb4, Order::Table(&UNICODE), PAD_SPACE),
    known(8, "latin1_swedish_ci", Charset::Latin1, Order::Single(SWEDISH), PAD_SPACE),
    known(47, "latin1_bin", Charset::Latin1, Order::Bytes, PAD_SPACE),
    known(33, "utf8mb3_general_ci", Charset::Utf8mb3, Order::Table(&GENERAL), PAD_SPACE),
    known(83, "utf8mb3_bin", Charset::Utf8mb3, Order::Bytes, PAD_SPACE),
    known(192, "utf8mb3_unicode_ci", Charset::Utf8mb3, Order::Table(&UNICODE), PAD_SPACE),
    known(309, "utf8mb4_0900_bin", Charset::Utf8mb4, Order::Bytes, NO_PAD),
    known(11, "ascii_general_ci", Charset::Ascii, Order::Unknown, PAD_SPACE),
    known(65, "ascii_bin", Charset::Ascii, Order::Bytes, PAD_SPACE),
    known(278, "utf8mb4_0900_as_cs", Charset::Utf8mb4, Order::Unknown, NO_PAD),
    known(305, "utf8mb4_0900_as_ci", Charset::Utf8mb4, Order::Unknown, NO_PAD),
    known(246, "utf8mb4_unicode_520_ci", Charset::Utf8mb4, Order::Unknown, PAD_SPACE),
    known(5, "latin1_german1_ci", Charset::Latin1, Order::Unknown, PAD_SPACE),
    known(31, "latin1_german2_ci", Charset::Latin1, Order::Unknown, PAD_SPACE),
    known(48, "latin1_general_ci", Charset::Latin1, Order::Unknown, PAD_SPACE),
    known(49, "latin1_general_cs", Charset::Latin1, Order::Unknown, PAD_SPACE),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn key(id: CollationId, text: &str) -> Vec<u8> {
        let mut key = Vec::new();
        sort_key(id, text.as_bytes(), &mut key).unwrap();
        key
    }

    fn check(collation: &str, left: &str, right: &str, expected: Ordering) {
        let id = by_name(collation).unwrap();
        let found = compare(id, left.as_bytes(), right.as_bytes()).unwrap();
        assert_eq!(found, expected, "{left:?} {right:?} under {collation}");
        assert_eq!(key(id, left).cmp(&key(id, right)), expected, "key of {left:?} {right:?}");
    }

    #[test]
    fn sharp_s_differs_by_collation() {
        check("utf8mb4_0900_ai_ci", "ss", "ß", Ordering::Equal);
        check("utf8mb4_unicode_ci", "ss", "ß", Ordering::Equal);
        check("utf8mb4_general_ci", "s", "ß", Ordering::Equal);
        check("utf8mb4_general_ci", "ss", "ß", Ordering::Greater);
        check("utf8mb4_bin", "ss", "ß", Ordering::Less);
    }

    #[test]
    fn spaces_count_under_no_pad_only() {
        for padded in ["utf8mb4_general_ci", "utf8mb4_unicode_ci", "utf8mb4_bin"] {
            check(padded, "a", "a  ", Ordering::Equal);
            check(padded, "", " ", Ordering::Equal);
            check(padded, "a", "a\t", Ordering::Greater);
            check(padded, "a ", "a \t", Ordering::Greater);
            check(padded, "a", "a  b", Ordering::Less);
        }
        check("utf8mb4_0900_ai_ci", "a", "a ", Ordering::Less);
        check("binary", "a", "a ", Ordering::Less);
        check("latin1_swedish_ci", "A ", "a", Ordering::Equal);
    }

    #[test]
    fn case_and_accents() {
        check("utf8mb4_0900_ai_ci", "påul", "PAUĹ", Ordering::Equal);
        check("utf8mb4_0900_ai_ci", "각", "간", Ordering::Less);
        check("utf8mb4_0900_ai_ci", "\u{1f600}", "\u{1f601}", Ordering::Less);
        check("utf8mb4_general_ci", "\u{1f600}", "\u{1f601}", Ordering::Equal);
    }

    #[test]
    fn keys_order_as_compare_does() {
        let mut random = fastrand::Rng::with_seed(1);
        let alphabet = ['a', 'B', ' ', '\t', 'ß', 'é', '\u{301}', '中', '각', '\u{1f600}', '\0'];
        for known in COLLATIONS.iter().filter(|known| is_covered(known.id)) {
            for _ in 0..20_000 {
                let mut text = || -> String {
                    (0..random.usize(..6))
                        .map(|_| alphabet[random.usize(..alphabet.len())])
                        .collect()
                };
                let (left, right) = (text(), text());
                let found = compare(known.id, left.as_bytes(), right.as_bytes()).unwrap();
                let keys = key(known.id, &left).cmp(&key(known.id, &right));
                assert_eq!(found, keys, "{left:?} {right:?} under {}", known.name);
            }
        }
    }

    #[test]
    fn what_is_not_covered_is_an_error() {
        let id = by_name("UTF8MB4_0900_as_cs").unwrap();
        assert_eq!(compare(id, b"a", b"a"), Err(CollationError::Uncovered(id)));
        let general = CollationId::UTF8MB4_GENERAL_CI;
        assert_eq!(compare(general, b"\xff", b"a"), Err(CollationError::Malformed(general)));
    }
}
