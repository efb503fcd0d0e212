//! Character sets of columns, and texts between them and UTF-8.

/// A character set that columns can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Charset {
    /// Bytes, no characters.
    Binary,
    /// UTF-8.
    Utf8mb4,
    /// UTF-8 of at most three bytes.
    Utf8mb3,
    /// MySQL's latin1, which is Windows-1252 with the five gaps filled by C1 controls.
    Latin1,
    /// Seven bits.
    Ascii,
}

impl Charset {
    /// Whether its bytes are UTF-8 as they stand.
    pub const fn is_utf8(self) -> bool {
        matches!(self, Self::Utf8mb4 | Self::Utf8mb3 | Self::Ascii)
    }

    /// Whether it has every character of another set, and more.
    pub const fn holds(self, other: Self) -> bool {
        match self {
            Self::Utf8mb4 => matches!(other, Self::Utf8mb3 | Self::Latin1 | Self::Ascii),
            Self::Utf8mb3 => matches!(other, Self::Latin1 | Self::Ascii),
            Self::Binary | Self::Latin1 | Self::Ascii => false,
        }
    }

    /// Encodes a text; `None` if it has a character that the set lacks.
    pub fn encode(self, text: &str) -> Option<Vec<u8>> {
        match self {
            Self::Binary | Self::Utf8mb4 => Some(text.as_bytes().to_vec()),
            Self::Utf8mb3 => {
                text.chars().all(|c| c <= '\u{ffff}').then(|| text.as_bytes().to_vec())
            }
            Self::Ascii => text.is_ascii().then(|| text.as_bytes().to_vec()),
            Self::Latin1 => text.chars().map(latin1_byte).collect(),
        }
    }

    /// Appends bytes of this set as UTF-8; false if they are no text of it.
    pub fn decode(self, bytes: &[u8], text: &mut String) -> bool {
        if self == Self::Latin1 {
            text.extend(bytes.iter().map(|&byte| latin1_char(byte)));
            return true;
        }
        std::str::from_utf8(bytes).map(|valid| text.push_str(valid)).is_ok()
    }
}

fn latin1_char(byte: u8) -> char {
    match byte {
        0x80..=0x9f => HIGH_CONTROLS[usize::from(byte - 0x80)],
        byte => char::from(byte),
    }
}

fn latin1_byte(character: char) -> Option<u8> {
    if let Some(place) = HIGH_CONTROLS.iter().position(|&known| known == character) {
        return u8::try_from(0x80 + place).ok();
    }
    u8::try_from(u32::from(character)).ok().filter(|byte| !(0x80..=0x9f).contains(byte))
}

const HIGH_CONTROLS: [char; 32] = [
    '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}',
    '\u{90}', '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_latin1_byte_survives_a_round_trip() {
        for byte in 0..=255 {
            let mut text = String::new();
            assert!(Charset::Latin1.decode(&[byte], &mut text));
            assert_eq!(Charset::Latin1.encode(&text), Some(vec![byte]));
        }
        assert_eq!(Charset::Latin1.encode("中"), None);
    }
}
