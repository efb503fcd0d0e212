//! USE: which keyspace, shard and kind of tablet a session speaks to.

use std::fmt;

/// A session's target: `keyspace[:shard][@type]`, in Vitess's forms.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Target {
    /// Empty in `@replica`: the session keeps its keyspace.
    pub keyspace: String,
    /// Which part of the keyspace; none: all of it.
    pub shard: Option<Destination>,
    /// None: primary.
    pub tablet_type: Option<TabletType>,
    /// One tablet, behind `|`.
    pub alias: Option<String>,
}

/// A part of a keyspace.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Destination {
    /// `:-80` or `/-80`.
    Shard(String),
    /// `[40-80]`: the shards of exactly this key range.
    KeyRange {
        /// In lower-case hex; empty: from the beginning.
        start: String,
        /// In lower-case hex; empty: to the end.
        end: String,
    },
    /// `[deadbeef]`: the shard that owns this keyspace id, in lower-case hex.
    KeyspaceId(String),
}

/// What a tablet is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TabletType {
    /// `primary`, or `master`.
    Primary,
    /// `replica`.
    Replica,
    /// `rdonly`.
    Rdonly,
}

impl TabletType {
    /// In lower case.
    pub fn word(self) -> &'static str {
        match self {
            Self::Primary => "primary",
            Self::Replica => "replica",
            Self::Rdonly => "rdonly",
        }
    }
}

/// The text that [`Target::parse`] reads, without quotes.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.keyspace)?;
        match &self.shard {
            Some(Destination::Shard(shard)) => write!(f, ":{shard}")?,
            Some(Destination::KeyRange { start, end }) => write!(f, "[{start}-{end}]")?,
            Some(Destination::KeyspaceId(id)) => write!(f, "[{id}]")?,
            None => {}
        }
        if let Some(tablet_type) = self.tablet_type {
            write!(f, "@{}", tablet_type.word())?;
        }
        match &self.alias {
            Some(alias) => write!(f, "|{alias}"),
            None => Ok(()),
        }
    }
}
