//! GTIDs and sets of them, of MySQL (tags included) and of MariaDB (several domains).
//!
//! A [`GtidSet`] is immutable shared data with copy-on-write: cloning one costs a reference count,
//! so that every entry of a log can hold the set before it. MySQL's sets are intervals per server
//! and tag; MariaDB's are the last sequence number per domain, and contain all before it. All
//! operations are total: transactions of the two flavours simply never contain each other.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// One transaction's identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Gtid {
    /// `uuid:sequence` or `uuid:tag:sequence`.
    Mysql {
        /// The server's UUID.
        server: [u8; 16],
        /// The tag of MySQL 8.3 and later.
        tag: Option<Tag>,
        /// From 1.
        sequence: u64,
    },
    /// `domain-server-sequence`.
    MariaDb {
        /// The replication domain.
        domain: u32,
        /// The server that committed first.
        server: u32,
        /// From 1 within the domain.
        sequence: u64,
    },
}

/// The tag of a MySQL GTID: 1 to 32 lower-case letters, digits and underscores.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tag([u8; Tag::LENGTH_MAX]);

impl Tag {
    const LENGTH_MAX: usize = 32;

    /// Reads a tag in any case; `None` if it is none.
    pub fn new(text: &str) -> Option<Self> {
        let first = text.bytes().next()?;
        let legal = (first.is_ascii_alphabetic() || first == b'_')
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        let mut bytes = [0; Self::LENGTH_MAX];
        let place = bytes.get_mut(..text.len()).filter(|_| legal)?;
        place.copy_from_slice(text.as_bytes());
        bytes.make_ascii_lowercase();
        Some(Self(bytes))
    }

    /// The tag's text.
    pub fn as_str(&self) -> &str {
        let text = self.0.split(|&byte| byte == 0).next().unwrap_or_default();
        std::str::from_utf8(text).unwrap_or_default()
    }
}

impl fmt::Debug for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(f)
    }
}

/// A set of transactions: what has been executed, or what a client has seen.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct GtidSet(Option<Arc<Vec<Part>>>);

/// One numbering of transactions, and what of it is in the set. Parts are sorted by numbering.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Part {
    pub(super) numbering: Numbering,
    /// MariaDB only: which server committed the last one; 0 for MySQL.
    pub(super) last_server: u32,
    /// Sorted, apart from each other by at least one, never empty. MariaDB: one, from 1.
    pub(super) intervals: Arc<Vec<Interval>>,
}

/// What sequence numbers are counted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Numbering {
    Mysql { server: [u8; 16], tag: Option<Tag> },
    MariaDb { domain: u32 },
}

/// Sequence numbers from `start` to `end`, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Interval {
    pub(super) start: u64,
    pub(super) end: u64,
}

impl GtidSet {
    /// The empty set.
    pub const fn new() -> Self {
        Self(None)
    }

    /// Whether no transaction is in the set.
    pub fn is_empty(&self) -> bool {
        self.parts().is_empty()
    }

    /// Whether the transaction is in the set.
    pub fn contains(&self, gtid: &Gtid) -> bool {
        let (numbering, sequence) = gtid.place();
        self.part(&numbering).is_some_and(|part| part.covers(sequence, sequence))
    }

    /// Whether all of `other` is in this set.
    pub fn contains_set(&self, other: &Self) -> bool {
        other.parts().iter().all(|theirs| {
            self.part(&theirs.numbering).is_some_and(|ours| {
                Arc::ptr_eq(&ours.intervals, &theirs.intervals)
                    || theirs.intervals.iter().all(|span| ours.covers(span.start, span.end))
            })
        })
    }

    /// Adds a transaction; on MariaDB with all that its domain numbered before it.
    pub fn add(&mut self, gtid: Gtid) {
        let (numbering, sequence) = gtid.place();
        let (start, server) = match gtid {
            Gtid::Mysql { .. } => (sequence, 0),
            Gtid::MariaDb { server, .. } => (1, server),
        };
        self.add_span(numbering, server, Interval { start, end: sequence });
    }

    /// Adds every transaction of `other`.
    pub fn union(&mut self, other: &Self) {
        if self.is_empty() {
            self.0.clone_from(&other.0);
            return;
        }
        for part in other.parts() {
            for &span in part.intervals.iter() {
                self.add_span(part.numbering, part.last_server, span);
            }
        }
    }

    /// What of this set is not in `other`. A MariaDB domain that is ahead of `other` stays whole,
    /// because MariaDB's sets have no beginning.
    pub fn subtract(&self, other: &Self) -> Self {
        let rest = self.parts().iter().filter_map(|part| match other.part(&part.numbering) {
            None => Some(part.clone()),
            Some(theirs) => part.without(theirs),
        });
        Self::from_parts(rest.collect())
    }

    /// The set without the last so many numbers of each of MySQL's numberings. MariaDB's domains
    /// stay: which server committed the one that would be the last cannot be told.
    pub fn without_last(&self, count: u64) -> Self {
        let mut rest = Self::new();
        for part in self.parts() {
            let end = match part.numbering {
                Numbering::Mysql { .. } => part.last().saturating_sub(count),
                Numbering::MariaDb { .. } => part.last(),
            };
            for &Interval { start, end: last } in part.intervals.iter() {
                let span = Interval { start, end: last.min(end) };
                rest.add_span(part.numbering, part.last_server, span);
            }
        }
        rest
    }

    /// Prints the set as its server would, without the flavour that Vitess puts before it.
    pub fn bare(&self) -> impl fmt::Display + '_ {
        Bare(self)
    }

    /// The set in pieces of one server and tag, or of one domain, each printed alone.
    pub fn entries(&self) -> impl Iterator<Item = String> + '_ {
        self.parts().iter().map(|part| Self::from_parts(vec![part.clone()]).bare().to_string())
    }

    /// How many intervals describe the set, for bounds.
    pub fn intervals(&self) -> usize {
        self.parts().iter().map(|part| part.intervals.len()).sum()
    }

    pub(super) fn parts(&self) -> &[Part] {
        self.0.as_ref().map_or(&[], |parts| parts)
    }

    fn from_parts(parts: Vec<Part>) -> Self {
        Self((!parts.is_empty()).then(|| Arc::new(parts)))
    }

    fn part(&self, numbering: &Numbering) -> Option<&Part> {
        let parts = self.parts();
        parts.get(parts.binary_search_by_key(numbering, |part| part.numbering).ok()?)
    }

    pub(super) fn add_span(&mut self, numbering: Numbering, server: u32, span: Interval) {
        if span.start == 0 || span.end < span.start {
            return;
        }
        let parts = Arc::make_mut(self.0.get_or_insert_default());
        match parts.binary_search_by_key(&numbering, |part| part.numbering) {
            Ok(index) => {
                if let Some(part) = parts.get_mut(index) {
                    part.add(server, span);
                }
            }
            Err(index) => {
                let intervals = Arc::new(vec![span]);
                parts.insert(index, Part { numbering, last_server: server, intervals });
            }
        }
    }
}

impl Part {
    fn covers(&self, start: u64, end: u64) -> bool {
        let after = self.intervals.partition_point(|span| span.start <= start);
        let span = after.checked_sub(1).and_then(|index| self.intervals.get(index));
        span.is_some_and(|span| end <= span.end)
    }

    fn last(&self) -> u64 {
        self.intervals.last().map_or(0, |span| span.end)
    }

    fn add(&mut self, server: u32, span: Interval) {
        if self.covers(span.start, span.end) {
            return;
        }
        if span.end > self.last() {
            self.last_server = server;
        }
        let intervals = Arc::make_mut(&mut self.intervals);
        // All that touch the new span become one with it.
        let first = intervals.partition_point(|old| old.end.saturating_add(1) < span.start);
        let end = intervals.partition_point(|old| old.start <= span.end.saturating_add(1));
        let touched = intervals.get(first..end).unwrap_or_default();
        let merged = Interval {
            start: touched.first().map_or(span.start, |old| old.start.min(span.start)),
            end: touched.last().map_or(span.end, |old| old.end.max(span.end)),
        };
        if let [_] = touched {
            // The usual case: the next transaction of the same server.
            if let Some(place) = intervals.get_mut(first) {
                *place = merged;
            }
        } else {
            intervals.splice(first..end.max(first), [merged]);
        }
    }

    fn without(&self, other: &Self) -> Option<Self> {
        if let Numbering::MariaDb { .. } = self.numbering {
            return (self.last() > other.last()).then(|| self.clone());
        }
        let mut rest = Vec::new();
        let mut cuts = other.intervals.iter().peekable();
        for span in self.intervals.iter() {
            let mut start = span.start;
            while cuts.peek().is_some_and(|cut| cut.end < start) {
                cuts.next();
            }
            while let Some(cut) = cuts.peek().filter(|cut| cut.start <= span.end) {
                if start < cut.start {
                    rest.push(Interval { start, end: cut.start - 1 });
                }
                start = start.max(cut.end.saturating_add(1));
                if cut.end >= span.end {
                    break;
                }
                cuts.next();
            }
            if start <= span.end {
                rest.push(Interval { start, end: span.end });
            }
        }
        (!rest.is_empty()).then(|| Self { intervals: Arc::new(rest), ..self.clone() })
    }
}

impl Gtid {
    pub(super) const fn place(&self) -> (Numbering, u64) {
        match *self {
            Self::Mysql { server, tag, sequence } => (Numbering::Mysql { server, tag }, sequence),
            Self::MariaDb { domain, sequence, .. } => (Numbering::MariaDb { domain }, sequence),
        }
    }
}

impl FromIterator<Gtid> for GtidSet {
    fn from_iter<I: IntoIterator<Item = Gtid>>(gtids: I) -> Self {
        let mut set = Self::new();
        for gtid in gtids {
            set.add(gtid);
        }
        set
    }
}

impl fmt::Display for Gtid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mysql { server, tag, sequence } => {
                write_uuid(f, server)?;
                if let Some(tag) = tag {
                    write!(f, ":{}", tag.as_str())?;
                }
                write!(f, ":{sequence}")
            }
            Self::MariaDb { domain, server, sequence } => {
                write!(f, "{domain}-{server}-{sequence}")
            }
        }
    }
}

/// Prints with the flavour before it, as Vitess does; the empty set prints nothing.
impl fmt::Display for GtidSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.parts().first().map(|part| part.numbering) {
            None => Ok(()),
            Some(Numbering::Mysql { .. }) => write!(f, "{MYSQL}{}", self.bare()),
            Some(Numbering::MariaDb { .. }) => write!(f, "{MARIADB}{}", self.bare()),
        }
    }
}

struct Bare<'a>(&'a GtidSet);

impl fmt::Display for Bare<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut previous = None;
        for part in self.0.parts() {
            let comma = if previous.is_some() { "," } else { "" };
            match part.numbering {
                Numbering::MariaDb { domain } => {
                    write!(f, "{comma}{domain}-{}-{}", part.last_server, part.last())?;
                }
                Numbering::Mysql { server, tag } => {
                    if previous != Some(server) {
                        f.write_str(comma)?;
                        write_uuid(f, &server)?;
                    }
                    if let Some(tag) = tag {
                        write!(f, ":{}", tag.as_str())?;
                    }
                    write_intervals(f, &part.intervals)?;
                    previous = Some(server);
                    continue;
                }
            }
            previous = Some([0; 16]);
        }
        Ok(())
    }
}

fn write_intervals(f: &mut fmt::Formatter<'_>, intervals: &[Interval]) -> fmt::Result {
    for span in intervals {
        if span.start == span.end {
            write!(f, ":{}", span.start)?;
        } else {
            write!(f, ":{}-{}", span.start, span.end)?;
        }
    }
    Ok(())
}

fn write_uuid(f: &mut fmt::Formatter<'_>, server: &[u8; 16]) -> fmt::Result {
    for (index, byte) in server.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            f.write_str("-")?;
        }
        write!(f, "{byte:02x}")?;
    }
    Ok(())
}

/// Why a text is no GTID or no GTID set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GtidError {
    /// The text is longer than any server prints.
    #[error("a GTID set of {length} bytes is too long; at most {TEXT_BYTES_MAX} are read")]
    TooLong {
        /// Bytes of the text.
        length: usize,
    },
    /// More holes than any server should have.
    #[error("a GTID set may have at most {INTERVALS_MAX} intervals")]
    TooManyIntervals,
    /// Another flavour of positions.
    #[error("unknown GTIDSet flavor {0:?}; give MySQL56/uuid:1-9 or MariaDB/0-1-9")]
    UnknownFlavor(String),
    /// An entry that neither server would print.
    #[error("cannot read {entry:?} as GTIDs: {reason}; give uuid:1-9 (MySQL) or 0-1-9 (MariaDB)")]
    Malformed {
        /// The entry between two commas, cut if long.
        entry: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// MySQL's and MariaDB's entries in one set.
    #[error("a GTID set holds GTIDs of MySQL or of MariaDB, not of both")]
    Mixed,
}

impl FromStr for GtidSet {
    type Err = GtidError;

    /// Reads what a server prints, with or without Vitess's flavour before it.
    fn from_str(text: &str) -> Result<Self, GtidError> {
        if text.len() > TEXT_BYTES_MAX {
            return Err(GtidError::TooLong { length: text.len() });
        }
        let (flavor, entries) = split_flavor(text.trim())?;
        let mut spans = Vec::new();
        for entry in entries.split(',').map(str::trim).filter(|entry| !entry.is_empty()) {
            let of = flavor.unwrap_or(if entry.contains(':') { MYSQL } else { MARIADB });
            let parse = if of == MYSQL { parse_mysql_entry } else { parse_mariadb_entry };
            parse(entry, &mut spans).map_err(|reason| malformed(entry, reason))?;
            if spans.len() > INTERVALS_MAX {
                return Err(GtidError::TooManyIntervals);
            }
        }
        // In order, each span is appended; the cost does not depend on how the text is ordered.
        spans.sort_unstable_by_key(|&(numbering, _, span)| (numbering, span.start, span.end));
        let mut set = Self::new();
        for (numbering, server, span) in spans {
            set.add_span(numbering, server, span);
        }
        let is_mysql = |part: &Part| matches!(part.numbering, Numbering::Mysql { .. });
        match (set.parts().iter().any(is_mysql), set.parts().iter().all(is_mysql)) {
            (true, false) => Err(GtidError::Mixed),
            _ => Ok(set),
        }
    }
}

impl FromStr for Gtid {
    type Err = GtidError;

    fn from_str(text: &str) -> Result<Self, GtidError> {
        let set: GtidSet = text.parse()?;
        let not_one = || malformed(text, "it names not exactly one transaction");
        let [part] = set.parts() else { return Err(not_one()) };
        let sequence = part.last();
        match part.numbering {
            Numbering::MariaDb { domain } => {
                Ok(Self::MariaDb { domain, server: part.last_server, sequence })
            }
            Numbering::Mysql { server, tag } => match part.intervals.as_slice() {
                [span] if span.start == span.end => Ok(Self::Mysql { server, tag, sequence }),
                _ => Err(not_one()),
            },
        }
    }
}

fn malformed(entry: &str, reason: &'static str) -> GtidError {
    GtidError::Malformed { entry: entry.chars().take(80).collect(), reason }
}

fn split_flavor(text: &str) -> Result<(Option<&'static str>, &str), GtidError> {
    let Some((flavor, rest)) = text.split_once('/') else { return Ok((None, text)) };
    for known in [MYSQL, MARIADB] {
        if known.trim_end_matches('/').eq_ignore_ascii_case(flavor) {
            return Ok((Some(known), rest));
        }
    }
    Err(GtidError::UnknownFlavor(flavor.chars().take(80).collect()))
}

fn parse_mysql_entry(entry: &str, spans: &mut Vec<Span>) -> Result<(), &'static str> {
    let mut items = entry.split(':').map(str::trim);
    let server = items.next().and_then(parse_uuid).ok_or("it does not begin with a UUID")?;
    let mut tag = None;
    let mut wants_interval = true;
    for item in items {
        if item.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_') {
            if wants_interval && tag.is_some() {
                return Err("a tag without an interval");
            }
            tag = Some(Tag::new(item).ok_or("a tag has 1 to 32 letters, digits, underscores")?);
            wants_interval = true;
            continue;
        }
        let span = parse_interval(item).ok_or("an interval is 1 or 1-9, counted from 1")?;
        spans.push((Numbering::Mysql { server, tag }, 0, span));
        wants_interval = false;
    }
    if wants_interval { Err("an interval is missing") } else { Ok(()) }
}

fn parse_mariadb_entry(entry: &str, spans: &mut Vec<Span>) -> Result<(), &'static str> {
    let mut numbers = entry.split('-').map(str::trim);
    let mut next = || numbers.next().filter(|text| is_digits(text));
    let parsed = (|| {
        let domain = next()?.parse().ok()?;
        let server = next()?.parse().ok()?;
        let sequence: u64 = next()?.parse().ok()?;
        Some((domain, server, sequence))
    })();
    let (Some((domain, server, end)), None) = (parsed, numbers.next()) else {
        return Err("it is not domain-server-sequence");
    };
    if end == 0 {
        return Err("sequence numbers begin at 1");
    }
    spans.push((Numbering::MariaDb { domain }, server, Interval { start: 1, end }));
    Ok(())
}

/// Where an interval belongs, with the server that committed the last of it (MariaDB).
type Span = (Numbering, u32, Interval);

fn parse_interval(text: &str) -> Option<Interval> {
    let number = |text: &str| {
        let text = text.trim();
        let number = text.parse().ok().filter(|_| is_digits(text))?;
        (1..=SEQUENCE_MAX).contains(&number).then_some(number)
    };
    match text.split_once('-') {
        None => number(text).map(|start| Interval { start, end: start }),
        Some((start, end)) => Some(Interval { start: number(start)?, end: number(end)? }),
    }
}

fn parse_uuid(text: &str) -> Option<[u8; 16]> {
    let dashed = text.len() == 36;
    let mut server = [0; 16];
    let mut digits = text.bytes().enumerate().filter_map(|(index, byte)| {
        let dash_here = dashed && matches!(index, 8 | 13 | 18 | 23);
        if dash_here && byte == b'-' { None } else { Some(char::from(byte).to_digit(16)) }
    });
    for byte in &mut server {
        let (high, low) = (digits.next()??, digits.next()??);
        *byte = u8::try_from(high * 16 + low).ok()?;
    }
    digits.next().is_none().then_some(server)
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

const MYSQL: &str = "MySQL56/";
const MARIADB: &str = "MariaDB/";

/// The last sequence number that MySQL gives.
const SEQUENCE_MAX: u64 = i64::MAX.unsigned_abs();

/// A set of 100 servers with 1,000 holes each is some 2 MB of text; more is no honest position.
const TEXT_BYTES_MAX: usize = 4 << 20;

/// Bounds the work that one text can cause.
const INTERVALS_MAX: usize = 200_000;

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "16b1039f-22b6-11ed-b765-0a43f95f28a3";
    const B: &str = "26b1039f-22b6-11ed-b765-0a43f95f28a3";

    fn set(text: &str) -> GtidSet {
        text.replace("A:", &format!("{A}:")).replace("B:", &format!("{B}:")).parse().unwrap()
    }

    fn check(text: &str, expected: &str) {
        let bare = set(text).bare().to_string().replace(A, "A").replace(B, "B");
        assert_eq!(bare, expected, "{text}");
        assert_eq!(set(&bare), set(text), "{text} prints what reads back");
        let prefixed = set(text).to_string();
        assert_eq!(prefixed.parse::<GtidSet>().unwrap(), set(text));
    }

    #[test]
    fn sets_print_in_canonical_form() {
        check("", "");
        check("A:1-3:5", "A:1-3:5");
        check("A:5:1-3:4", "A:1-5");
        check("A:1-3:7-9:2-6", "A:1-9");
        check("B:1,A:2", "A:2,B:1");
        check("A:1,\n B:1-9 ,\n", "A:1,B:1-9");
        check(" MySQL56/A:1", "A:1");
        check("A:9-5:1", "A:1");
        check("A:9-5", "");
        check("A:1-9:mytag:1-2", "A:1-9:mytag:1-2");
        check("A:MyTag:1-2:b:3:5, A:7", "A:7:b:3:5:mytag:1-2");
        check("16B1039F22B611EDB7650A43F95F28A3:1", "A:1");
        check("0-1-5,7-2-9", "0-1-5,7-2-9");
        check("MariaDB/7-2-9,0-3-6,0-1-5", "0-3-6,7-2-9");
    }

    #[test]
    fn flavours_go_before_the_set() {
        assert_eq!(set("0-1-5").to_string(), "MariaDB/0-1-5");
        assert_eq!(set("A:1").to_string(), format!("MySQL56/{A}:1"));
        assert_eq!("MySQL56/".parse(), Ok(GtidSet::new()));
    }

    #[test]
    fn what_no_server_prints_is_refused() {
        for text in [
            "x",
            "A",
            "A:",
            "A:0",
            "A:0-4",
            "A:-4",
            "A:1-",
            "A:1--2",
            "A:+1",
            "A:tag",
            "A:1:tag",
            "A:t:u:1",
            "A:1:9x",
            "A:99999999999999999999",
            "A:tag!:1",
            "0-1",
            "0-1-0",
            "0-1-5-6",
            "0-+1-5",
            "4294967296-1-1",
            "-80",
            "FilePos/binlog.000001:4",
            "MariaDB/A:1",
            "A:1,0-1-5",
            "MySQL56/0-1-5",
            "16b1039f:1",
            "\u{fffd}\u{0}:1",
            "A:a23456789012345678901234567890123:1",
        ] {
            let text = text.replace("A", A);
            let error = text.parse::<GtidSet>().unwrap_err();
            assert!(!error.to_string().is_empty(), "{text}");
        }
        let long = format!("{A}:1").repeat(TEXT_BYTES_MAX / 38 + 1);
        assert!(matches!(long.parse::<GtidSet>(), Err(GtidError::TooLong { .. })));
        let holes = format!("{A}{}", ":1".repeat(INTERVALS_MAX + 1));
        assert_eq!(holes.parse::<GtidSet>(), Err(GtidError::TooManyIntervals));
    }

    #[test]
    fn one_gtid_reads_and_prints() {
        for text in [format!("{A}:7"), format!("{A}:tag:7"), "0-1-5".to_owned()] {
            assert_eq!(text.parse::<Gtid>().unwrap().to_string(), text);
        }
        for text in ["A:1-2", "A:1:3", "0-1-5,1-1-1", ""] {
            assert!(text.replace("A", A).parse::<Gtid>().is_err(), "{text}");
        }
    }

    #[test]
    fn sets_contain_subtract_and_unite() {
        let check = |big: &str, small: &str, contains: bool, difference: &str| {
            assert_eq!(set(big).contains_set(&set(small)), contains, "{big} > {small}");
            assert_eq!(set(big).subtract(&set(small)), set(difference), "{big} - {small}");
            let mut union = set(big);
            union.union(&set(small));
            assert!(union.contains_set(&set(big)) && union.contains_set(&set(small)));
            assert_eq!(union == set(big), contains, "{big} + {small}");
        };
        check("A:1-9", "A:3-4", true, "A:1-2:5-9");
        check("A:1-9", "A:3-4:6", true, "A:1-2:5:7-9");
        check("A:1-9:20", "A:5-30", false, "A:1-4");
        check("A:1-9:20-30", "A:9-20", false, "A:1-8:21-30");
        check("A:1-9", "A:t:1", false, "A:1-9");
        check("A:1", "B:1", false, "A:1");
        check("A:1", "", true, "A:1");
        check("", "A:1", false, "");
        check("0-1-5,7-2-9", "0-2-4", true, "0-1-5,7-2-9");
        check("0-1-5,7-2-9", "0-2-6", false, "7-2-9");
        check("A:1", "0-1-1", false, "A:1");
    }

    #[test]
    fn the_last_of_each_server_are_left_out() {
        for (whole, rest) in [
            ("A:1-10", "A:1-7"),
            ("A:1-5:8-10,B:1-3", "A:1-5"),
            ("A:4-5:8-10:x:1-4", "A:4-5:x:1"),
            ("0-1-7", "0-1-7"),
        ] {
            assert_eq!(set(whole).without_last(3), set(rest), "{whole}");
        }
    }

    #[test]
    fn random_sets_behave_as_bit_sets() {
        let mut random = fastrand::Rng::with_seed(11);
        for _ in 0..300 {
            let mut draw = || -> (GtidSet, Vec<bool>) {
                let mut bits = vec![false; 41];
                let mut set = GtidSet::new();
                for _ in 0..random.usize(0..25) {
                    let sequence = random.u64(1..=40);
                    set.add(Gtid::Mysql { server: [3; 16], tag: None, sequence });
                    bits[usize::try_from(sequence).unwrap()] = true;
                }
                (set, bits)
            };
            let ((left, left_bits), (right, right_bits)) = (draw(), draw());
            let mut union = left.clone();
            union.union(&right);
            let rest = left.subtract(&right);
            for sequence in 1..=40 {
                let gtid = Gtid::Mysql { server: [3; 16], tag: None, sequence };
                let index = usize::try_from(sequence).unwrap();
                let (in_left, in_right) = (left_bits[index], right_bits[index]);
                assert_eq!(left.contains(&gtid), in_left);
                assert_eq!(union.contains(&gtid), in_left || in_right);
                assert_eq!(rest.contains(&gtid), in_left && !in_right);
            }
            let subset = left_bits.iter().zip(&right_bits).all(|(left, right)| *left || !*right);
            assert_eq!(left.contains_set(&right), subset);
            assert_eq!(left.to_string().parse::<GtidSet>().unwrap(), left);
        }
    }

    #[test]
    fn clones_do_not_see_later_additions() {
        let before = set("A:1-9");
        let mut after = before.clone();
        after.add(format!("{A}:10").parse().unwrap());
        assert_eq!((before, after), (set("A:1-9"), set("A:1-10")));
    }
}
