//! What texts are sent in: `character_set_results`, as MySQL converts to it.
//!
//! Cells of texts, enumerations and JSON are converted, and names and messages; numbers, dates and
//! bytes are not. A character that the set lacks is `?`, in a message its number.

use crate::event::charset::{Charset, Conversion};
use crate::event::{CollationId, collation};

/// The form of the texts that a session is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Results {
    /// What column definitions name; nothing where each text goes in its column's own character
    /// set.
    collation: Option<CollationId>,
}

impl Default for Results {
    fn default() -> Self {
        Self::of(Charset::Utf8mb4.default_collation())
    }
}

impl Results {
    /// Texts as they are kept, as under `character_set_results = NULL`.
    pub const RAW: Self = Self { collation: None };

    /// Texts in the character set of this collation.
    pub const fn of(collation: CollationId) -> Self {
        Self { collation: Some(collation) }
    }

    /// How cells of a text of this collation are converted; `None` where they go as they are.
    pub fn conversion(self, own: CollationId) -> Option<Conversion> {
        Conversion::new(collation::charset(own)?, self.charset()?)
    }

    /// Collation and length in bytes that a column is declared with: its own are given, and whether
    /// its length counts bytes whatever the characters.
    pub fn declared(self, own: CollationId, length: u32, is_blob: bool) -> (CollationId, u32) {
        let (Some(collation), Some(charset)) = (self.collation, self.charset()) else {
            return (own, length);
        };
        match collation::charset(own) {
            None | Some(Charset::Binary) => (own, length),
            Some(from) => {
                let bytes = if is_blob { from.bytes_min() } else { from.bytes_max() };
                let characters = length / u32::from(bytes);
                (collation, characters.saturating_mul(charset.bytes_max().into()))
            }
        }
    }

    /// Appends a name.
    pub fn push_name(self, name: &str, out: &mut Vec<u8>) {
        match self.of_ours() {
            Some(conversion) => conversion.push(name.as_bytes(), out),
            None => out.extend_from_slice(name.as_bytes()),
        }
    }

    /// Appends a message; a character that the set lacks is shown by its number.
    pub fn push_message(self, text: &str, out: &mut Vec<u8>) {
        let Some(conversion) = self.of_ours() else {
            return out.extend_from_slice(text.as_bytes());
        };
        conversion.push_with(text.as_bytes(), out, |out, lacking| {
            let number = u32::from(lacking);
            let shown = if number > 0xffff {
                format!("\\+{number:06X}")
            } else {
                format!("\\{number:04X}")
            };
            for character in shown.chars() {
                if !conversion.push_char(character, out) {
                    conversion.push_char('?', out);
                }
            }
        });
    }

    /// The conversion of what this server itself says.
    fn of_ours(self) -> Option<Conversion> {
        Conversion::new(Charset::Utf8mb4, self.charset()?)
    }

    fn charset(self) -> Option<Charset> {
        self.collation.and_then(collation::charset)
    }
}

/// A text that a client sent in its character set; `None` if it is none.
pub fn read(charset: Charset, bytes: Vec<u8>) -> Option<String> {
    // Who says `binary` sends UTF-8, as names are kept in it.
    if charset.is_utf8() || charset == Charset::Binary {
        return String::from_utf8(bytes).ok();
    }
    let mut text = String::with_capacity(bytes.len());
    charset.decode(&bytes, &mut text).then_some(text)
}

/// Whether a literal of the text says its own character set, as in `_binary'ab'`: its bytes are then
/// not those that the client sent, once the text is converted.
pub fn has_introducer(text: &str) -> bool {
    text.match_indices('_').any(|(at, _)| {
        let (before, behind) = text.split_at(at);
        let behind = behind.trim_start_matches('_');
        let end = behind.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(behind.len());
        let (word, behind) = behind.split_at(end);
        let in_a_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '$');
        !before.ends_with(in_a_name)
            && Charset::by_name(word).is_some()
            && behind.trim_start().starts_with(['\'', '"'])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn results(charset: Charset) -> Results {
        Results::of(charset.default_collation())
    }

    #[test]
    fn lengths_are_those_of_mysql() {
        let (latin1, utf8mb4, utf16) = (CollationId(8), CollationId(255), CollationId(54));
        let check = |results: Results, own, length, is_blob, expected: (u16, u32)| {
            let (collation, length) = results.declared(own, length, is_blob);
            assert_eq!((collation.0, length), expected);
        };
        check(results(Charset::Gbk), latin1, 10, false, (28, 20));
        check(results(Charset::Gbk), utf8mb4, 40, false, (28, 20));
        check(results(Charset::Latin1), utf16, 255, true, (8, 127));
        check(results(Charset::Utf16), utf8mb4, 65_535, true, (54, 262_140));
        check(results(Charset::Utf8mb4), utf8mb4, u32::MAX, true, (255, u32::MAX));
        check(results(Charset::Binary), utf8mb4, 40, false, (63, 10));
        check(Results::RAW, utf16, 255, true, (54, 255));
        check(results(Charset::Utf16), CollationId::BINARY, 11, false, (63, 11));
        check(results(Charset::Utf16), CollationId(9999), 11, false, (9999, 11));
    }

    #[test]
    fn messages_show_numbers_of_what_is_lacking() {
        let check = |charset, text: &str, expected: &[u8]| {
            let mut out = Vec::new();
            results(charset).push_message(text, &mut out);
            assert_eq!(out, expected, "{}", charset.name());
        };
        check(Charset::Latin1, "é中\u{1f600}", b"\xe9\\4E2D\\+01F600");
        check(Charset::Sjis, "é", b"\x81\x5f00E9");
        check(Charset::Utf8mb4, "é", "é".as_bytes());
        check(Charset::Binary, "é", "é".as_bytes());
        check(Charset::Utf16, "é", b"\0\xe9");
        let mut name = Vec::new();
        results(Charset::Latin1).push_name("é中", &mut name);
        assert_eq!(name, b"\xe9?");
    }

    #[test]
    fn bytes_go_as_they_are() {
        let latin1 = CollationId::LATIN1_SWEDISH_CI;
        assert!(results(Charset::Latin1).conversion(latin1).is_none());
        assert!(results(Charset::Gbk).conversion(CollationId::BINARY).is_none());
        assert!(results(Charset::Binary).conversion(latin1).is_none());
        assert!(Results::RAW.conversion(latin1).is_none());
        assert!(results(Charset::Utf8mb4).conversion(latin1).is_some());
    }

    #[test]
    fn introducers_are_seen() {
        let check = |text, expected| assert_eq!(has_introducer(text), expected, "{text}");
        check("select _binary'ab'", true);
        check("select _LATIN1 \"é\"", true);
        check("select _binary x'6162', a_binary 'é', _any 'é', '_'", false);
        check("select my_binary'é'", false);
    }

    #[test]
    fn statements_are_read_in_the_clients_character_set() {
        assert_eq!(read(Charset::Gbk, b"\xd6\xd0".to_vec()).as_deref(), Some("中"));
        assert_eq!(read(Charset::Gbk, b"\xd6".to_vec()), None);
        assert_eq!(read(Charset::Utf8mb3, b"\xff".to_vec()), None);
        assert_eq!(read(Charset::Binary, "é".into()).as_deref(), Some("é"));
    }
}
