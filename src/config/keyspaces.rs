//! Which keyspaces there are and which servers hold them: `[[keyspace]]` and what stands under it.
//!
//! What comes out of [`parse`] can be served: names are usable and unique, the shards of a keyspace
//! cover all keyspace ids once, each shard has one primary, and no database is listed twice.

use std::collections::HashSet;
use std::path::PathBuf;

use serde::Deserialize;

use crate::plan::TabletType;
use crate::source::mysql::{CONNECTIONS_MAX_DEFAULT, Password, ServerUrl, ServerUrlError};

/// A keyspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keyspace {
    /// Its name, which clients take for a database.
    pub name: String,
    /// Its shards, in key order.
    pub shards: Vec<Shard>,
}

impl Keyspace {
    /// The servers of all its shards.
    pub fn tablets(&self) -> impl Iterator<Item = &Tablet> {
        self.shards.iter().flat_map(|shard| &shard.tablets)
    }
}

/// A shard of a keyspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shard {
    /// Its key range such as `-80`, or any name where it is the only one.
    pub name: String,
    /// Its servers, those of this process's cell first.
    pub tablets: Vec<Tablet>,
}

/// A server that holds a shard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tablet {
    /// Its name in logs and answers, `CELL-NUMBER`.
    pub alias: String,
    /// What it is for.
    pub tablet_type: TabletType,
    /// Where it is and how to log in.
    pub url: ServerUrl,
    /// Connections to its server at once.
    pub connections_max: usize,
}

/// Why a keyspace cannot be served.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyspaceError {
    /// A name that cannot be written where clients write it.
    #[error("keyspace {0:?}: a name has letters, digits and _ $ - only, and is no system schema's")]
    Name(String),
    /// A name that stands twice.
    #[error("keyspace {0:?} is configured twice")]
    Twice(String),
    /// Nothing in it.
    #[error("keyspace {0:?} has no shard; add [[keyspace.shard]]")]
    NoShard(String),
    /// No name of a shard.
    #[error("{0}: a shard is a key range in hexadecimal such as - or -80 or 80-c0, or 0")]
    ShardName(String),
    /// Shards that leave keyspace ids out, or hold them twice.
    #[error("keyspace {keyspace:?}: its shards {shards} do not cover every keyspace id once")]
    Ranges {
        /// Which.
        keyspace: String,
        /// Their names.
        shards: String,
    },
    /// Not one primary.
    #[error("{shard} has {found} tablets of type primary; it needs one")]
    Primaries {
        /// Which.
        shard: String,
        /// How many.
        found: usize,
    },
    /// No name of a tablet.
    #[error("tablet {0:?}: an alias is CELL-NUMBER, such as zone1-100")]
    Alias(String),
    /// A name that stands twice.
    #[error("tablet {0:?} is configured twice")]
    SameAlias(String),
    /// No type.
    #[error("tablet {alias:?}: type {found:?} is none; write primary, replica or rdonly")]
    Type {
        /// Whose.
        alias: String,
        /// What was found.
        found: String,
    },
    /// No server's URL.
    #[error("tablet {alias:?}")]
    Url {
        /// Whose.
        alias: String,
        /// What is wrong.
        #[source]
        source: ServerUrlError,
    },
    /// The same rows under two names.
    #[error("tablets {first:?} and {second:?} are the same database")]
    SameDatabase {
        /// One.
        first: String,
        /// Another.
        second: String,
    },
    /// More than one password.
    #[error("tablet {0:?}: its password is in one place: url, password_file or password_env")]
    Passwords(String),
    /// A variable of the environment that is not there.
    #[error("tablet {alias:?}: the environment has no {variable}")]
    NoVariable {
        /// Whose.
        alias: String,
        /// What was asked for.
        variable: String,
    },
    /// No connection is too few for anything.
    #[error("tablet {0:?}: connections_max must be at least {CONNECTIONS_LEAST}")]
    Connections(String),
}

/// `[[keyspace]]` as written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyspaceFile {
    name: String,
    #[serde(default)]
    shard: Vec<ShardFile>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ShardFile {
    name: String,
    #[serde(default)]
    tablet: Vec<TabletFile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TabletFile {
    alias: String,
    #[serde(rename = "type")]
    tablet_type: String,
    /// Not shown: it may hold a password.
    url: String,
    password_file: Option<PathBuf>,
    password_env: Option<String>,
    connections_max: Option<usize>,
}

impl std::fmt::Debug for TabletFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TabletFile").field("alias", &self.alias).finish_non_exhaustive()
    }
}

/// Makes sure that all of it can be served; `cell` is this process's own.
pub fn parse(files: Vec<KeyspaceFile>, cell: &str) -> Result<Vec<Keyspace>, KeyspaceError> {
    let mut keyspaces = Vec::new();
    let mut names = HashSet::new();
    for file in files {
        let keyspace = keyspace(file, cell)?;
        if !names.insert(keyspace.name.clone()) {
            return Err(KeyspaceError::Twice(keyspace.name));
        }
        keyspaces.push(keyspace);
    }
    let tablets: Vec<&Tablet> = keyspaces.iter().flat_map(Keyspace::tablets).collect();
    let mut aliases = HashSet::new();
    for (index, tablet) in tablets.iter().enumerate() {
        if !aliases.insert(&tablet.alias) {
            return Err(KeyspaceError::SameAlias(tablet.alias.clone()));
        }
        let place = |tablet: &Tablet| (tablet.url.address(), tablet.url.database.clone());
        if let Some(first) = tablets.iter().take(index).find(|first| place(first) == place(tablet))
        {
            let (first, second) = (first.alias.clone(), tablet.alias.clone());
            return Err(KeyspaceError::SameDatabase { first, second });
        }
    }
    Ok(keyspaces)
}

fn keyspace(file: KeyspaceFile, cell: &str) -> Result<Keyspace, KeyspaceError> {
    let KeyspaceFile { name, shard } = file;
    let usable = |c: char| c.is_alphanumeric() || matches!(c, '_' | '$' | '-');
    if name.is_empty() || !name.chars().all(usable) || SYSTEM.contains(&name.as_str()) {
        return Err(KeyspaceError::Name(name));
    }
    let mut shards = Vec::new();
    for file in shard {
        let range = Range::parse(&file.name).ok_or_else(|| {
            KeyspaceError::ShardName(format!("shard {:?} of keyspace {name:?}", file.name))
        })?;
        shards.push((range, tablets(&name, file, cell)?));
    }
    if shards.is_empty() {
        return Err(KeyspaceError::NoShard(name));
    }
    shards.sort_by(|(a, _), (b, _)| a.start.cmp(&b.start));
    let ranges: Vec<&Range> = shards.iter().map(|(range, _)| range).collect();
    if !covers_once(&ranges) {
        let names: Vec<&str> = shards.iter().map(|(_, shard)| shard.name.as_str()).collect();
        return Err(KeyspaceError::Ranges { keyspace: name, shards: names.join(", ") });
    }
    Ok(Keyspace { name, shards: shards.into_iter().map(|(_, shard)| shard).collect() })
}

fn tablets(keyspace: &str, file: ShardFile, cell: &str) -> Result<Shard, KeyspaceError> {
    let ShardFile { name, tablet } = file;
    let mut tablets = tablet.into_iter().map(self::tablet).collect::<Result<Vec<_>, _>>()?;
    let found = tablets.iter().filter(|tablet| tablet.tablet_type == TabletType::Primary).count();
    if found != 1 {
        return Err(KeyspaceError::Primaries { shard: format!("shard {keyspace}/{name}"), found });
    }
    let is_far = |tablet: &Tablet| tablet.alias.rsplit_once('-').is_none_or(|(own, _)| own != cell);
    tablets.sort_by_key(is_far);
    Ok(Shard { name, tablets })
}

fn tablet(file: TabletFile) -> Result<Tablet, KeyspaceError> {
    let TabletFile { alias, tablet_type, url, password_file, password_env, connections_max } = file;
    let named = alias.rsplit_once('-').is_some_and(|(cell, number)| {
        let sign = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        !cell.is_empty() && cell.chars().all(sign) && number.parse::<u32>().is_ok()
    });
    if !named {
        return Err(KeyspaceError::Alias(alias));
    }
    let types = [TabletType::Primary, TabletType::Replica, TabletType::Rdonly];
    let Some(tablet_type) = types.into_iter().find(|known| known.to_string() == tablet_type) else {
        return Err(KeyspaceError::Type { alias, found: tablet_type });
    };
    let mut url = match ServerUrl::parse(&url) {
        Ok(url) => url,
        Err(source) => return Err(KeyspaceError::Url { alias, source }),
    };
    let other = match (password_file, password_env) {
        (None, None) => None,
        (Some(file), None) => Some(Password::File(file)),
        (None, Some(variable)) => match std::env::var(&variable) {
            Ok(text) => Some(Password::Text(text)),
            Err(_) => return Err(KeyspaceError::NoVariable { alias, variable }),
        },
        (Some(_), Some(_)) => return Err(KeyspaceError::Passwords(alias)),
    };
    if let Some(other) = other {
        if url.password != Password::Empty {
            return Err(KeyspaceError::Passwords(alias));
        }
        url.password = other;
    }
    let connections_max = connections_max.unwrap_or(CONNECTIONS_MAX_DEFAULT);
    if connections_max < CONNECTIONS_LEAST {
        return Err(KeyspaceError::Connections(alias));
    }
    Ok(Tablet { alias, tablet_type, url, connections_max })
}

/// The keyspace ids of a shard; an empty end is the end of all.
#[derive(Debug, PartialEq, Eq)]
struct Range {
    start: Vec<u8>,
    end: Vec<u8>,
}

impl Range {
    /// Reads a shard's name; one without a `-` holds everything.
    fn parse(name: &str) -> Option<Self> {
        let Some((start, end)) = name.split_once('-') else {
            let legal = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric());
            return legal.then(|| Self { start: Vec::new(), end: Vec::new() });
        };
        let range = Self { start: keyspace_id(start)?, end: keyspace_id(end)? };
        (range.end.is_empty() || range.start < range.end).then_some(range)
    }
}

/// Bytes from pairs of lower-case digits; zeros at the end say nothing.
fn keyspace_id(digits: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let pair = |pair: &[u8]| match pair {
        &[high, low] => Some(digit(high)? * 16 + digit(low)?),
        _ => None,
    };
    let mut bytes = digits.as_bytes().chunks(2).map(pair).collect::<Option<Vec<u8>>>()?;
    while bytes.last() == Some(&0) {
        bytes.pop();
    }
    Some(bytes)
}

/// Whether ranges, sorted by their starts, follow each other from the first id to the last.
fn covers_once(ranges: &[&Range]) -> bool {
    let first = ranges.first().is_some_and(|range| range.start.is_empty());
    let last = ranges.last().is_some_and(|range| range.end.is_empty());
    let joined = ranges
        .windows(2)
        .all(|pair| matches!(pair, [a, b] if a.end == b.start && !a.end.is_empty()));
    first && last && joined
}

/// One to follow, two to open a view by, one for a session.
const CONNECTIONS_LEAST: usize = 4;
/// Schemas that every server has.
const SYSTEM: [&str; 4] = ["information_schema", "mysql", "performance_schema", "sys"];

#[cfg(test)]
mod tests {
    use super::*;

    /// Keyspaces from `[[keyspace]]` tables; errors with their causes.
    fn read(text: &str) -> Result<Vec<Keyspace>, String> {
        #[derive(Deserialize)]
        struct File {
            keyspace: Vec<KeyspaceFile>,
        }
        let file: File = toml::from_str(text).map_err(|error| error.message().to_owned())?;
        parse(file.keyspace, "zone1").map_err(|error| match std::error::Error::source(&error) {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        })
    }

    fn shard(name: &str, tablets: &str) -> String {
        format!("[[keyspace.shard]]\nname = '{name}'\n{tablets}")
    }

    fn tablet(alias: &str, more: &str) -> String {
        format!(
            "[[keyspace.shard.tablet]]\nalias = '{alias}'\ntype = 'primary'\n\
             url = 'mysql://u@h/of-{alias}'\n{more}\n"
        )
    }

    fn sharded(names: &[&str]) -> String {
        let shards = names.iter().enumerate();
        let shards = shards.map(|(n, name)| shard(name, &tablet(&format!("zone1-{n}"), "")));
        format!("[[keyspace]]\nname = 'ks'\n{}", shards.collect::<String>())
    }

    #[track_caller]
    fn refused(text: &str, expected: &str) {
        let found = read(text).unwrap_err();
        assert!(found.contains(expected), "{text}\n{found}");
    }

    #[test]
    fn shards_cover_everything_once() {
        for good in
            [&["0"][..], &["-"], &["80-", "-80"], &["-40", "40-80", "80-"], &["-8000", "80-"]]
        {
            let keyspaces =
                read(&sharded(good)).unwrap_or_else(|error| panic!("{good:?}: {error}"));
            assert_eq!(keyspaces[0].shards.len(), good.len());
        }
        assert_eq!(read(&sharded(&["80-", "-80"])).unwrap()[0].shards[0].name, "-80");
        for holes in
            [&["-80"][..], &["80-"], &["-40", "80-"], &["-80", "40-"], &["0", "1"], &["-", "-"]]
        {
            refused(&sharded(holes), "do not cover every keyspace id once");
        }
        for wrong in ["-8", "80-80", "c0-80", "x-", "-8O", "-80-", "", "a b", "-FF"] {
            refused(&sharded(&[wrong]), "a shard is a key range");
        }
    }

    #[test]
    fn tablets_are_named_once_and_known() {
        let keyspace = "[[keyspace]]\nname = 'ks'\n";
        let one = |tablet: &str| format!("{keyspace}{}", shard("0", tablet));
        assert!(read(&one(&tablet("zone1-100", "connections_max = 5"))).is_ok());
        refused(&one(""), "shard ks/0 has 0 tablets of type primary");
        let two = tablet("zone1-1", "") + &tablet("zone1-2", "");
        refused(&one(&two), "has 2 tablets of type primary");
        let replica = tablet("zone1-2", "").replace("primary", "replica");
        let both = tablet("zone2-1", "") + &replica;
        let found = read(&one(&both)).unwrap();
        let aliases: Vec<_> = found[0].shards[0].tablets.iter().map(|t| t.alias.as_str()).collect();
        assert_eq!(aliases, ["zone1-2", "zone2-1"], "those of our own cell go first");
        refused(
            &one(&(tablet("zone1-2", "") + &replica)),
            "tablet \"zone1-2\" is configured twice",
        );
        for alias in ["zone1", "-1", "zone1-", "zone 1-1", "zone1-x", "zone1-4294967296"] {
            refused(&one(&tablet(alias, "")), "an alias is CELL-NUMBER");
        }
        refused(
            &one(&tablet("zone1-1", "").replace("primary", "master")),
            "write primary, replica",
        );
        refused(
            &one(&tablet("zone1-1", "").replace("mysql:", "pg:")),
            "tablet \"zone1-1\": write mysql://",
        );
        refused(&one(&tablet("zone1-1", "connections_max = 3")), "must be at least 4");
        refused(&one(&tablet("zone1-1", "typ = 'x'")), "unknown field `typ`");
        let same = sharded(&["-80", "80-"]).replace("of-zone1-1", "of-zone1-0");
        refused(&same, "\"zone1-0\" and \"zone1-1\" are the same database");
    }

    #[test]
    fn keyspaces_are_named_once_and_hold_shards() {
        refused("[[keyspace]]\nname = 'ks'", "keyspace \"ks\" has no shard");
        for name in ["", "a/b", "a b", "a:b", "a@b", "mysql", "information_schema"] {
            refused(&sharded(&["0"]).replace("'ks'", &format!("'{name}'")), "a name has letters");
        }
        let twice = sharded(&["0"]) + &sharded(&["0"]);
        refused(&twice, "keyspace \"ks\" is configured twice");
        let other = sharded(&["0"]).replace("'ks'", "'other'").replace("zone1-0", "zone1-9");
        assert_eq!(read(&(sharded(&["0"]) + &other)).unwrap().len(), 2);
    }

    #[test]
    fn the_password_is_in_one_place_and_never_shown() {
        let keyspace = |more: &str, url: &str| {
            sharded(&["0"]).replace("url", &format!("{more}\nurl")).replace("u@h", url)
        };
        let password =
            |text: &str| read(text).map(|k| k[0].shards[0].tablets[0].url.password.clone());
        let of_url = keyspace("", "u:geheim@h");
        assert_eq!(password(&of_url), Ok(Password::Text("geheim".to_owned())));
        let of_file = keyspace("password_file = '/p'", "u@h");
        assert_eq!(password(&of_file), Ok(Password::File("/p".into())));
        let of_environment = keyspace("password_env = 'PATH'", "u@h");
        assert_eq!(password(&of_environment), Ok(Password::Text(std::env::var("PATH").unwrap())));
        refused(&keyspace("password_env = 'NO_SUCH_VARIABLE'", "u@h"), "no NO_SUCH_VARIABLE");
        refused(&keyspace("password_file = '/p'", "u:geheim@h"), "in one place");
        let both = "password_file = '/p'\npassword_env = 'PATH'";
        refused(&keyspace(both, "u@h"), "in one place");
        let wrong = read(&keyspace("", "u:geheim@h:x")).unwrap_err();
        assert!(!wrong.contains("geheim"), "{wrong}");
        assert!(!format!("{:?}", read(&of_url).unwrap()).contains("geheim"));
    }
}
