//! Where a stream is: one entry per shard, as Vitess's VGTID has it, and as our own exact token.
//!
//! A VGTID (JSON) keeps Vitess's reading: between two tables of a copy it forgets the rest. The
//! `_pos` token also holds finished tables, the place inside a transaction and a hash of rule and
//! schema, so that it resumes exactly after the row that printed it.

use std::sync::Arc;

use super::gtid::{Gtid, GtidSet};
use super::schema::ShardName;

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
