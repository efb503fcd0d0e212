//! What the decoder must know of character sets: how wide characters are, and how the names of
//! ENUM and SET members stand in the column's own bytes.

use crate::event::CollationId;
use crate::event::collation;

/// Bytes of the longest character of a collation's charset; `None` for a collation not known.
pub(super) const fn character_bytes_max(collation: CollationId) -> Option<u32> {
    match plain(collation.0) {
        1 | 13 | 19 | 24 | 28 | 35 | 84..=88 | 90 | 95 | 96 | 128..=159 => Some(2),
        12 | 33 | 76 | 83 | 91 | 97 | 98 | 192..=223 => Some(3),
        45 | 46 | 54..=56 | 60..=62 | 101..=127 | 160..=191 | 224..=250 | 255..=323 => Some(4),
        2..=100 => Some(1),
        _ => None,
    }
}

/// How a member's name stands in its column's bytes; `None` where it cannot be told.
pub(super) fn encode(collation: CollationId, text: &str) -> Option<Box<[u8]>> {
    match Width::of(collation) {
        Width::Utf16 => Some(text.encode_utf16().flat_map(u16::to_be_bytes).collect()),
        Width::Utf16Little => Some(text.encode_utf16().flat_map(u16::to_le_bytes).collect()),
        Width::Utf32 => Some(text.chars().flat_map(|c| u32::from(c).to_be_bytes()).collect()),
        Width::Bytes => match collation::charset(collation).or_else(|| unicode(collation)) {
            Some(charset) => charset.encode(text).map(Into::into),
            None => text.is_ascii().then(|| text.as_bytes().into()),
        },
    }
}

/// A member's name from its column's bytes; `None` where it cannot be told.
pub(super) fn decode(collation: CollationId, bytes: &[u8]) -> Option<Box<str>> {
    let units = |number: fn([u8; 2]) -> u16| {
        let (pairs, []) = bytes.as_chunks::<2>() else { return None };
        let units = pairs.iter().map(|pair| number(*pair));
        char::decode_utf16(units).collect::<Result<String, _>>().ok().map(Into::into)
    };
    match Width::of(collation) {
        Width::Utf16 => units(u16::from_be_bytes),
        Width::Utf16Little => units(u16::from_le_bytes),
        Width::Utf32 => {
            let (characters, []) = bytes.as_chunks::<4>() else { return None };
            let character = |bytes: &[u8; 4]| char::from_u32(u32::from_be_bytes(*bytes));
            characters.iter().map(character).collect::<Option<String>>().map(Into::into)
        }
        Width::Bytes => match collation::charset(collation).or_else(|| unicode(collation)) {
            Some(charset) => {
                let mut text = String::new();
                charset.decode(bytes, &mut text).then(|| text.into())
            }
            None if bytes.is_ascii() => std::str::from_utf8(bytes).ok().map(Into::into),
            None => None,
        },
    }
}

/// Collations of UTF-8 that comparisons do not cover.
const fn unicode(collation: CollationId) -> Option<collation::Charset> {
    match (plain(collation.0), character_bytes_max(collation)) {
        (76 | 192..=223, _) => Some(collation::Charset::Utf8mb3),
        (224..=247 | 255..=323, _) => Some(collation::Charset::Utf8mb4),
        _ => None,
    }
}

/// Characters of bytes that ASCII is a part of, or wider ones.
enum Width {
    Bytes,
    /// UTF-16 and UCS-2.
    Utf16,
    Utf16Little,
    Utf32,
}

impl Width {
    const fn of(collation: CollationId) -> Self {
        match plain(collation.0) {
            35 | 54 | 55 | 90 | 101..=159 => Self::Utf16,
            56 | 62 => Self::Utf16Little,
            60 | 61 | 160..=191 => Self::Utf32,
            _ => Self::Bytes,
        }
    }
}

/// MariaDB numbers its own collations far above MySQL's, charset by charset: the number of one of
/// MySQL's collations with the same charset.
const fn plain(id: u16) -> u16 {
    const UTF8MB3: u16 = 33;
    const UTF8MB4: u16 = 45;
    const UCS2: u16 = 35;
    const UTF16: u16 = 54;
    const UTF32: u16 = 60;
    match id {
        576..=607 | 2048..=2303 => UTF8MB3,
        608..=639 | 2304..=2559 => UTF8MB4,
        640..=671 | 2560..=2815 => UCS2,
        672..=703 | 2816..=3071 => UTF16,
        736..=767 | 3072..=3327 => UTF32,
        // NO PAD versions of the first 255.
        1024..=1279 => id - 1024,
        id => id,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widths_are_the_servers() {
        // latin1, gbk, ucs2, ujis, utf8mb3, utf8mb4, utf16, utf32, gb18030, then MariaDB's own.
        for (id, bytes) in [
            (8, 1),
            (63, 1),
            (28, 2),
            (128, 2),
            (91, 3),
            (33, 3),
            (45, 4),
            (255, 4),
            (309, 4),
            (62, 4),
            (101, 4),
            (160, 4),
            (248, 4),
            (1216, 3),
            (1032, 1),
            (2304, 4),
            (2563, 2),
            (3239, 4),
            (672, 4),
        ] {
            assert_eq!(character_bytes_max(CollationId(id)), Some(bytes), "{id}");
        }
        assert_eq!(character_bytes_max(CollationId(999)), None);
    }

    #[test]
    fn members_in_their_columns_charset() {
        for (id, text, bytes) in [
            (8_u16, "ü", &b"\xfc"[..]),
            (45, "ü", "ü".as_bytes()),
            (230, "ü", "ü".as_bytes()),
            (54, "ü€", b"\x00\xfc\x20\xac"),
            (56, "ü", b"\xfc\x00"),
            (60, "ü", b"\x00\x00\x00\xfc"),
            (35, "a", b"\x00a"),
            (28, "a", b"a"),
        ] {
            let id = CollationId(id);
            assert_eq!(encode(id, text).as_deref(), Some(bytes));
            assert_eq!(decode(id, bytes).as_deref(), Some(text));
        }
        assert_eq!(encode(CollationId(28), "ü"), None);
        assert_eq!(decode(CollationId(28), b"\xfc"), None);
        assert_eq!(decode(CollationId(54), b"\xfc"), None);
    }
}
