//! Where a stream is: one entry per shard, as Vitess's VGTID has it, and as our own exact token.
//!
//! A VGTID (JSON) keeps Vitess's reading: between two tables of a copy it forgets the rest. The
//! `_pos` token also holds finished tables, the place inside a transaction and a hash of rule and
//! schema, so that it resumes exactly after the row that printed it. The two texts are written and
//! read in [`super::vgtid`] and [`super::token`].

use std::sync::Arc;

use super::gtid::{Gtid, GtidError, GtidSet};
use super::schema::ShardName;
use super::token::{self, TokenError};
use super::vgtid::{self, VgtidError};

/// Where a whole stream is: Vitess's VGTID plus what makes it exact.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Position {
    /// One entry per shard, in the order of the request.
    pub shards: Vec<ShardPosition>,
    /// Hash of rule and schema that a token was made under; none in a VGTID.
    pub plan_hash: Option<u64>,
}

/// Where one shard of a stream is: Vitess's ShardGtid plus what makes it exact.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ShardPosition {
    /// The shard.
    pub shard: ShardName,
    /// What has been seen of its change log.
    pub start: Start,
    /// Tables whose copy has begun and not ended, and how far.
    pub table_pks: Vec<TableLastPk>,
    /// Tables whose copy is complete, while others are not; only a token knows them.
    pub finished: Vec<Arc<str>>,
    /// Whether tables are still to be copied although `table_pks` is empty; only a token says so.
    pub copying: bool,
    /// The transaction that was being sent, and how many of its row changes were.
    pub partial: Option<Partial>,
}

/// Where reading begins.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Start {
    /// Copy the tables first. Vitess's `""`.
    Copy,
    /// Only what commits from now on. Vitess's `current`.
    Now,
    /// Everything that this set does not contain.
    After(GtidSet),
}

/// A transaction of which a client has seen the beginning.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Partial {
    /// The transaction.
    pub gtid: Gtid,
    /// Row changes of it, counted as the source emits them, that need not be sent again.
    pub changes: u64,
}

/// The last key copied of one table.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TableLastPk {
    /// The table, without its keyspace.
    pub table: Arc<str>,
    /// The key columns' names in key order; all columns if the table has no key.
    pub columns: Vec<Arc<str>>,
    /// The key's cells in the encoding of [`super::row`], one per name.
    pub cells: Vec<u8>,
    /// How many rows with exactly these cells were copied; above 1 only without a unique key.
    pub copies: u64,
}

/// Why a text is no position.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PositionError {
    /// It looked like nothing else, and is no GTID set either.
    #[error("{0}; or a _pos token, 'current' for now, '' for a copy")]
    Gtid(GtidError),
    /// It looked like a `_pos` token.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// It looked like a VGTID.
    #[error(transparent)]
    Vgtid(#[from] VgtidError),
    /// A GTID set says where one shard is, and there are several.
    #[error("a GTID set is the position of one shard, this is {shards} shards; give a _pos token")]
    ManyShards {
        /// How many the stream has.
        shards: usize,
    },
}

impl Position {
    /// The same start for every shard.
    pub fn starting(start: &Start, shards: &[ShardName]) -> Self {
        let shards =
            shards.iter().map(|shard| ShardPosition::new(shard.clone(), start.clone())).collect();
        Self { shards, plan_hash: None }
    }

    /// Reads what a client may write as a position: nothing to copy, `current`, a `_pos` token, a
    /// VGTID in JSON, or (with one shard) a GTID set with or without its flavour. A token and a
    /// VGTID name their own shards.
    pub fn parse_start(text: &str, shards: &[ShardName]) -> Result<Self, PositionError> {
        let text = text.trim();
        if token::is_token(text) {
            return Ok(Self::from_token(text)?);
        }
        if text.starts_with(['{', '[']) {
            return Ok(Self::from_vgtid_json(text)?);
        }
        let start = Start::parse(text).map_err(PositionError::Gtid)?;
        if matches!(start, Start::After(_)) && shards.len() > 1 {
            return Err(PositionError::ManyShards { shards: shards.len() });
        }
        Ok(Self::starting(&start, shards))
    }

    /// Where one shard is.
    pub fn shard(&self, name: &ShardName) -> Option<&ShardPosition> {
        self.shards.iter().find(|shard| shard.shard == *name)
    }

    /// Prints a VGTID as Vitess's JSON. What only a token knows is left out.
    pub fn to_vgtid_json(&self) -> String {
        vgtid::print(self)
    }

    /// Reads a VGTID in JSON: an object with `shard_gtids`, or their array alone.
    pub fn from_vgtid_json(text: &str) -> Result<Self, VgtidError> {
        vgtid::parse(text)
    }

    /// Appends the compact text that `_pos` shows: URL-safe ASCII, without allocating.
    pub fn to_token(&self, out: &mut Vec<u8>) {
        token::write(self, out);
    }

    /// Reads what [`Position::to_token`] wrote.
    pub fn from_token(text: &str) -> Result<Self, TokenError> {
        token::read(text)
    }
}

impl ShardPosition {
    /// A shard of which nothing has been read since `start`.
    pub const fn new(shard: ShardName, start: Start) -> Self {
        Self {
            shard,
            start,
            table_pks: Vec::new(),
            finished: Vec::new(),
            copying: false,
            partial: None,
        }
    }

    /// Whether tables are still to be copied.
    pub fn wants_copy(&self) -> bool {
        self.copying || !self.table_pks.is_empty() || self.start == Start::Copy
    }
}

impl Start {
    /// Reads Vitess's `gtid` text: `""`, `current`, or a GTID set.
    pub fn parse(text: &str) -> Result<Self, GtidError> {
        match text.trim() {
            "" => Ok(Self::Copy),
            now if now.eq_ignore_ascii_case("current") => Ok(Self::Now),
            set => Ok(Self::After(set.parse()?)),
        }
    }
}

/// Vitess's `gtid` text. A set without any transaction prints its flavour only, since the empty
/// text asks for a copy.
impl std::fmt::Display for Start {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Copy => Ok(()),
            Self::Now => f.write_str("current"),
            Self::After(set) if set.is_empty() => f.write_str("MySQL56/"),
            Self::After(set) => set.fmt(f),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::event::gtid::Tag;
    use crate::event::row::{push_cell, push_null};

    /// A position with a bit of everything, for round trips.
    pub fn random_position(random: &mut fastrand::Rng) -> Position {
        let shards = (0..random.usize(0..4)).map(|_| random_shard(random)).collect();
        Position { shards, plan_hash: random.bool().then(|| random.u64(..)) }
    }

    fn random_shard(random: &mut fastrand::Rng) -> ShardPosition {
        let keyspace = ["commerce", "customer", "ключ"][random.usize(0..3)];
        let shard = ShardName::new(keyspace, ["0", "-80", "80-", ""][random.usize(0..4)]);
        let start = match random.u8(0..4) {
            0 => Start::Copy,
            1 => Start::Now,
            _ => Start::After((0..random.usize(0..30)).map(|_| random_gtid(random)).collect()),
        };
        let table_pks = (0..random.usize(0..3)).map(|_| random_last_pk(random)).collect();
        let finished = (0..random.usize(0..3)).map(|n| format!("table {n}").into()).collect();
        let partial =
            random.bool().then(|| Partial { gtid: random_gtid(random), changes: random.u64(..) });
        ShardPosition { shard, start, table_pks, finished, copying: random.bool(), partial }
    }

    fn random_gtid(random: &mut fastrand::Rng) -> Gtid {
        let tag = if random.bool() { Tag::new("backup") } else { None };
        Gtid::Mysql { server: [random.u8(0..3); 16], tag, sequence: random.u64(1..60) }
    }

    fn random_last_pk(random: &mut fastrand::Rng) -> TableLastPk {
        let mut cells = Vec::new();
        let columns: Vec<Arc<str>> =
            (0..random.usize(1..4)).map(|n| format!("key{n}").into()).collect();
        for _ in &columns {
            match random.bool() {
                true => push_cell(&mut cells, &vec![random.u8(..); random.usize(0..300)]),
                false => push_null(&mut cells),
            }
        }
        let table = ["corder", "café"][random.usize(0..2)].into();
        TableLastPk { table, columns, cells, copies: random.u64(1..4) }
    }

    #[test]
    fn every_way_to_write_a_start_is_told_apart() {
        let one = [ShardName::new("ks", "0")];
        let parse = |text: &str| Position::parse_start(text, &one);
        assert_eq!(parse(""), Ok(Position::starting(&Start::Copy, &one)));
        assert_eq!(parse(" current "), Ok(Position::starting(&Start::Now, &one)));
        let empty = Start::After(GtidSet::new());
        assert_eq!(parse("MySQL56/"), Ok(Position::starting(&empty, &one)));
        for set in ["0-1-5", "MariaDB/0-1-5", "16b1039f-22b6-11ed-b765-0a43f95f28a3:1-615"] {
            let expected = Start::After(set.parse().unwrap());
            assert_eq!(parse(set), Ok(Position::starting(&expected, &one)));
        }
        let mut random = fastrand::Rng::with_seed(5);
        let position = random_position(&mut random);
        let mut token = Vec::new();
        position.to_token(&mut token);
        assert_eq!(parse(std::str::from_utf8(&token).unwrap()), Ok(position));
        let vgtid = parse(r#"{"shard_gtids":[{"keyspace":"ks","shard":"0","gtid":"current"}]}"#);
        assert_eq!(vgtid, Ok(Position::starting(&Start::Now, &one)));
        assert!(matches!(parse("what"), Err(PositionError::Gtid(_))));
        assert!(matches!(parse("{"), Err(PositionError::Vgtid(_))));
        assert!(matches!(parse("vs1_"), Err(PositionError::Token(_))));
        for text in ["what", r#"{"shard_gtids":[{"keyspace":"ks","shard":"0","gtid":"what"}]}"#] {
            let said = crate::telemetry::chain(&parse(text).unwrap_err());
            assert_eq!(said.matches(r#"cannot read "what""#).count(), 1, "{said}");
        }
    }

    #[test]
    fn a_gtid_set_starts_one_shard_only() {
        let two = [ShardName::new("ks", "-80"), ShardName::new("ks", "80-")];
        assert!(Position::parse_start("", &two).is_ok());
        let error = Position::parse_start("0-1-5", &two).unwrap_err();
        assert_eq!(error, PositionError::ManyShards { shards: 2 });
    }
}
