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

/// Why a target cannot be read. The first three are Vitess's words.
#[derive(Debug, Clone, PartialEq, Eq, Hash, thiserror::Error)]
pub enum TargetError {
    /// `ks[-80`.
    #[error("invalid key range provided. Couldn't find range end ']'")]
    RangeEnd,
    /// `ks[-40-80]`.
    #[error("single keyrange expected in {range}")]
    SingleRange {
        /// What stands between the brackets.
        range: String,
    },
    /// `ks[xyz]`.
    #[error("expected valid hex in keyspace id {id}")]
    KeyspaceId {
        /// What stands between the brackets.
        id: String,
    },
    /// `ks@typo`.
    #[error("unknown tablet type '{word}': write primary, replica or rdonly")]
    TabletType {
        /// What stands behind the `@`.
        word: String,
    },
    /// `ks:`.
    #[error("no shard behind '{before}': write {before}-80 or leave the end away")]
    NoShard {
        /// The keyspace and its separator.
        before: String,
    },
}

impl Target {
    /// Reads `keyspace[:shard][@type[|alias]]`; an empty text is no target at all.
    pub fn parse(text: &str) -> Result<Self, TargetError> {
        let mut target = Self::default();
        let mut rest = text;
        if let Some((before, after)) = rest.rsplit_once('@') {
            let (word, alias) = match after.split_once('|') {
                Some((word, alias)) => (word, Some(alias.to_owned())),
                None => (after, None),
            };
            target.tablet_type = Some(TabletType::parse(word)?);
            target.alias = alias;
            rest = before;
        }
        if let Some(at) = rest.rfind([':', '/']) {
            let (keyspace, shard) = rest.split_at_checked(at).unwrap_or((rest, ""));
            let shard = shard.get(1..).unwrap_or_default();
            if shard.is_empty() {
                return Err(TargetError::NoShard { before: rest.to_owned() });
            }
            target.shard = Some(Destination::Shard(shard.to_owned()));
            rest = keyspace;
        } else if let Some((keyspace, range)) = rest.rsplit_once('[') {
            let range = range.strip_suffix(']').ok_or(TargetError::RangeEnd)?;
            target.shard = Some(Destination::parse_brackets(range)?);
            rest = keyspace;
        }
        target.keyspace = rest.to_owned();
        Ok(target)
    }
}

impl Destination {
    fn parse_brackets(range: &str) -> Result<Self, TargetError> {
        let single = || TargetError::SingleRange { range: range.to_owned() };
        let Some((start, end)) = range.split_once('-') else {
            return match hex(range) {
                Some(id) if !id.is_empty() => Ok(Self::KeyspaceId(id)),
                _ => Err(TargetError::KeyspaceId { id: range.to_owned() }),
            };
        };
        let start = hex(start).ok_or_else(single)?;
        let end = hex(end).ok_or_else(single)?;
        // Keys compare as bytes, and so does lower-case hex.
        if !end.is_empty() && start >= end {
            return Err(single());
        }
        Ok(Self::KeyRange { start, end })
    }
}

/// Whole bytes of hex, in lower case.
fn hex(digits: &str) -> Option<String> {
    let whole =
        digits.len().is_multiple_of(2) && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    whole.then(|| digits.to_ascii_lowercase())
}

impl TabletType {
    fn parse(word: &str) -> Result<Self, TargetError> {
        match word.to_ascii_lowercase().as_str() {
            "primary" | "master" => Ok(Self::Primary),
            "replica" => Ok(Self::Replica),
            "rdonly" | "batch" => Ok(Self::Rdonly),
            _ => Err(TargetError::TabletType { word: word.to_owned() }),
        }
    }

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
