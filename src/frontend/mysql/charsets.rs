//! Character sets and collations that sessions may name.
//!
//! Texts go to clients as they are kept, in UTF-8; a character set that would need another form is
//! not known here, so that nobody is sent what it did not ask for.

use crate::event::CollationId;

/// A character set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Charset {
    /// Its name.
    pub name: &'static str,
    default: u16,
}

/// A collation of a character set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Collation {
    /// MySQL's number.
    pub id: CollationId,
    /// Its name.
    pub name: &'static str,
    /// The name of its character set.
    pub charset: &'static str,
}

impl Charset {
    /// The collation that texts of the set have unless another one is named.
    pub fn default_collation(self) -> Collation {
        by_id(CollationId(self.default)).expect("each default is in the list below")
    }
}

/// The character set of this name, whatever its case; `utf8` is `utf8mb3`.
pub fn charset(name: &str) -> Option<Charset> {
    let name = if name.eq_ignore_ascii_case("utf8") { "utf8mb3" } else { name };
    CHARSETS.iter().find(|charset| charset.name.eq_ignore_ascii_case(name)).copied()
}

/// The collation of this name, whatever its case.
pub fn collation(name: &str) -> Option<Collation> {
    let older = name.get(..5).filter(|start| start.eq_ignore_ascii_case("utf8_"));
    let renamed = older.and(name.get(5..)).map(|rest| format!("utf8mb3_{rest}"));
    let name = renamed.as_deref().unwrap_or(name);
    COLLATIONS.iter().copied().map(from_row).find(|known| known.name.eq_ignore_ascii_case(name))
}

/// The collation of this number.
pub fn by_id(id: CollationId) -> Option<Collation> {
    COLLATIONS.iter().copied().map(from_row).find(|known| known.id == id)
}

fn from_row((id, name, charset): (u16, &'static str, &'static str)) -> Collation {
    Collation { id: CollationId(id), name, charset }
}

const CHARSETS: &[Charset] = &[
    Charset { name: "utf8mb4", default: 255 },
    Charset { name: "utf8mb3", default: 33 },
    Charset { name: "binary", default: 63 },
];

const COLLATIONS: &[(u16, &str, &str)] = &[
    (33, "utf8mb3_general_ci", "utf8mb3"),
    (45, "utf8mb4_general_ci", "utf8mb4"),
    (46, "utf8mb4_bin", "utf8mb4"),
    (63, "binary", "binary"),
    (83, "utf8mb3_bin", "utf8mb3"),
    (192, "utf8mb3_unicode_ci", "utf8mb3"),
    (224, "utf8mb4_unicode_ci", "utf8mb4"),
    (246, "utf8mb4_unicode_520_ci", "utf8mb4"),
    (255, "utf8mb4_0900_ai_ci", "utf8mb4"),
    (278, "utf8mb4_0900_as_cs", "utf8mb4"),
    (305, "utf8mb4_0900_as_ci", "utf8mb4"),
    (309, "utf8mb4_0900_bin", "utf8mb4"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_charset_has_its_default() {
        for charset in CHARSETS {
            assert_eq!(charset.default_collation().charset, charset.name);
        }
        assert_eq!(collation("UTF8_general_ci").map(|known| known.id), Some(CollationId(33)));
        assert_eq!(collation("é"), None);
        assert_eq!(charset("utf8").map(|known| known.name), Some("utf8mb3"));
    }
}
