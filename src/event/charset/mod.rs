//! Character sets of columns and clients, and texts from one to another as MySQL converts them.
//!
//! The maps are what real servers say of every code and every character (`scripts/charsets`): they
//! are not those of the web's encodings of the same names. A character that the target lacks becomes
//! `?`, and so does what is no character of its own set; what is cut off at the end is left out.

mod collations;
mod map;

use super::schema::CollationId;
pub(super) use collations::{collation_name, collation_named};
use map::{Map, Shape, Tables};

macro_rules! charsets {
    ($($variant:ident $name:literal $default:literal $form:expr, $says:literal;)*) => {
        /// A character set that columns or clients of MySQL or MariaDB can have.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Charset {
            $(#[doc = $says] $variant,)*
        }

        impl Charset {
            /// All there are, by name.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// Its name, as in `SET NAMES latin1`.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// The collation that its texts have in MySQL unless another one is named.
            pub const fn default_collation(self) -> CollationId {
                match self {
                    $(Self::$variant => CollationId($default),)*
                }
            }

            fn form(self) -> Form {
                match self {
                    $(Self::$variant => $form,)*
                }
            }
        }
    };
}

macro_rules! map {
    ($name:literal, $shape:ident) => {{
        static MAP: Map = Map::new(include_bytes!(concat!("maps/", $name, ".map")), Shape::$shape);
        Form::Map(&MAP)
    }};
}

charsets! {
    Armscii8 "armscii8" 32 map!("armscii8", Single), "ARMSCII-8, Armenian.";
    Ascii "ascii" 11 map!("ascii", Single), "Seven bits.";
    Big5 "big5" 1 map!("big5", Double), "Big5, traditional Chinese.";
    Binary "binary" 63 Form::Bytes, "Bytes, no characters.";
    Cp1250 "cp1250" 26 map!("cp1250", Single), "Windows, Central European.";
    Cp1251 "cp1251" 51 map!("cp1251", Single), "Windows, Cyrillic.";
    Cp1256 "cp1256" 57 map!("cp1256", Single), "Windows, Arabic.";
    Cp1257 "cp1257" 59 map!("cp1257", Single), "Windows, Baltic.";
    Cp850 "cp850" 4 map!("cp850", Single), "DOS, Western European.";
    Cp852 "cp852" 40 map!("cp852", Single), "DOS, Central European.";
    Cp866 "cp866" 36 map!("cp866", Single), "DOS, Cyrillic.";
    Cp932 "cp932" 95 map!("cp932", ShiftJis), "Shift JIS as Windows has it.";
    Dec8 "dec8" 3 map!("dec8", Single), "DEC, Western European.";
    Eucjpms "eucjpms" 97 map!("eucjpms", Euc), "EUC-JP with the characters of Windows.";
    Euckr "euckr" 19 map!("euckr", Double), "EUC-KR, Korean.";
    Gb18030 "gb18030" 248 map!("gb18030", Gb18030), "GB 18030, Chinese; MySQL only.";
    Gb2312 "gb2312" 24 map!("gb2312", Double), "GB 2312, simplified Chinese.";
    Gbk "gbk" 28 map!("gbk", Double), "GBK, simplified Chinese.";
    Geostd8 "geostd8" 92 map!("geostd8", Single), "Georgian.";
    Greek "greek" 25 map!("greek", Single), "ISO 8859-7, Greek.";
    Hebrew "hebrew" 16 map!("hebrew", Single), "ISO 8859-8, Hebrew.";
    Hp8 "hp8" 6 map!("hp8", Single), "HP, Western European.";
    Keybcs2 "keybcs2" 37 map!("keybcs2", Single), "DOS Kamenický, Czech and Slovak.";
    Koi8r "koi8r" 7 map!("koi8r", Single), "KOI8-R, Russian.";
    Koi8u "koi8u" 22 map!("koi8u", Single), "KOI8-U, Ukrainian.";
    Latin1 "latin1" 8 map!("latin1", Single), "Windows-1252, its five gaps filled by C1 controls.";
    Latin2 "latin2" 9 map!("latin2", Single), "ISO 8859-2, Central European.";
    Latin5 "latin5" 30 map!("latin5", Single), "ISO 8859-9, Turkish.";
    Latin7 "latin7" 41 map!("latin7", Single), "ISO 8859-13, Baltic.";
    Macce "macce" 38 map!("macce", Single), "Macintosh, Central European.";
    Macroman "macroman" 39 map!("macroman", Single), "Macintosh, Western European.";
    Sjis "sjis" 13 map!("sjis", ShiftJis), "Shift JIS.";
    Swe7 "swe7" 10 map!("swe7", Single), "Seven bits, Swedish: some of ASCII is letters.";
    Tis620 "tis620" 18 map!("tis620", Tis620), "TIS-620, Thai.";
    Ucs2 "ucs2" 35 Form::Ucs2, "Two bytes a character, the higher one first.";
    Ujis "ujis" 12 map!("ujis", Euc), "EUC-JP.";
    Utf16 "utf16" 54 Form::Utf16 { little: false }, "UTF-16, the higher byte first.";
    Utf16le "utf16le" 56 Form::Utf16 { little: true }, "UTF-16, the lower byte first.";
    Utf32 "utf32" 60 Form::Utf32, "Four bytes a character, the highest one first.";
    Utf8mb3 "utf8mb3" 33 Form::Utf8 { bytes_max: 3 }, "UTF-8 of at most three bytes.";
    Utf8mb4 "utf8mb4" 255 Form::Utf8 { bytes_max: 4 }, "UTF-8.";
}

impl Charset {
    /// The character set of this name, whatever its case; `utf8` is `utf8mb3`.
    pub fn by_name(name: &str) -> Option<Self> {
        let name = if name.eq_ignore_ascii_case("utf8") { "utf8mb3" } else { name };
        Self::ALL.iter().find(|known| known.name().eq_ignore_ascii_case(name)).copied()
    }

    /// Bytes of its shortest character.
    pub fn bytes_min(self) -> u8 {
        match self.form() {
            Form::Bytes | Form::Utf8 { .. } | Form::Map(_) => 1,
            Form::Ucs2 | Form::Utf16 { .. } => 2,
            Form::Utf32 => 4,
        }
    }

    /// Bytes of its longest character.
    pub fn bytes_max(self) -> u8 {
        match self.form() {
            Form::Bytes => 1,
            Form::Utf8 { bytes_max } => bytes_max,
            Form::Ucs2 => 2,
            Form::Utf16 { .. } | Form::Utf32 => 4,
            Form::Map(map) => map.bytes_max(),
        }
    }

    /// Whether its bytes are UTF-8 as they stand.
    pub const fn is_utf8(self) -> bool {
        matches!(self, Self::Utf8mb4 | Self::Utf8mb3 | Self::Ascii)
    }

    /// Whether bytes below 0x80 are ASCII, in either direction.
    pub fn extends_ascii(self) -> bool {
        Coder::new(self).extends_ascii()
    }

    /// Whether clients may send statements in it: not where a byte may be less than a character.
    pub fn is_for_clients(self) -> bool {
        self.bytes_min() == 1
    }

    /// Whether MySQL's rules for texts that meet say that it has every character of another set, and
    /// more.
    pub const fn holds(self, other: Self) -> bool {
        match self {
            Self::Utf8mb4 => matches!(other, Self::Utf8mb3 | Self::Latin1 | Self::Ascii),
            Self::Utf8mb3 => matches!(other, Self::Latin1 | Self::Ascii),
            _ => false,
        }
    }

    /// Encodes a text; `None` if it has a character that the set lacks.
    pub fn encode(self, text: &str) -> Option<Vec<u8>> {
        let coder = Coder::new(self);
        let mut bytes = Vec::with_capacity(text.len());
        match coder {
            Coder::Bytes => bytes.extend_from_slice(text.as_bytes()),
            _ if !text.chars().all(|character| coder.push(character, &mut bytes)) => return None,
            _ => {}
        }
        Some(bytes)
    }

    /// Appends bytes of this set as UTF-8; false if they are no text of it, or one that has
    /// characters of no other.
    pub fn decode(self, bytes: &[u8], text: &mut String) -> bool {
        if self.is_utf8() || self == Self::Binary {
            return std::str::from_utf8(bytes).map(|valid| text.push_str(valid)).is_ok();
        }
        let coder = Coder::new(self);
        let mut rest = bytes;
        while !rest.is_empty() {
            let Step::Char(character, length) = coder.next(rest) else { return false };
            text.push(character);
            rest = rest.get(length..).unwrap_or_default();
        }
        true
    }
}

/// Texts from one character set to another, `?` in place of what cannot be converted.
#[derive(Debug, Clone, Copy)]
pub struct Conversion {
    from: Coder,
    to: Coder,
    /// ASCII goes as it is.
    ascii: bool,
}

impl Conversion {
    /// The conversion of such texts; `None` where their bytes go as they are.
    pub fn new(from: Charset, to: Charset) -> Option<Self> {
        if from == to || from == Charset::Binary || to == Charset::Binary {
            return None;
        }
        let (from, to) = (Coder::new(from), Coder::new(to));
        Some(Self { from, to, ascii: from.extends_ascii() && to.extends_ascii() })
    }

    /// Whether a text's bytes go as they are.
    #[inline]
    pub const fn keeps(&self, text: &[u8]) -> bool {
        self.ascii && text.is_ascii()
    }

    /// Appends a text. What the buffer has room for allocates nothing.
    pub fn push(&self, text: &[u8], out: &mut Vec<u8>) {
        self.push_with(text, out, |out, _| {
            self.to.push('?', out);
        });
    }

    /// The same with `lacking` for each character that the target lacks; malformed ones are `?`.
    pub fn push_with(
        &self,
        text: &[u8],
        out: &mut Vec<u8>,
        mut lacking: impl FnMut(&mut Vec<u8>, char),
    ) {
        let mut rest = text;
        while !rest.is_empty() {
            if self.ascii {
                let run = rest.iter().position(|byte| !byte.is_ascii()).unwrap_or(rest.len());
                let (ascii, behind) = rest.split_at(run);
                out.extend_from_slice(ascii);
                rest = behind;
            }
            let (character, length) = match self.from.next(rest) {
                Step::Char(character, length) => (character, length),
                Step::Unmapped(length) => ('?', length),
                Step::Malformed => ('?', 1),
                Step::Cut => break,
            };
            if !self.to.push(character, out) {
                lacking(out, character);
            }
            rest = rest.get(length..).unwrap_or_default();
        }
    }

    /// Appends a character of the target; false if it lacks it.
    pub fn push_char(&self, character: char, out: &mut Vec<u8>) -> bool {
        self.to.push(character, out)
    }
}

/// How a set's characters become bytes.
#[derive(Debug, Clone, Copy)]
enum Form {
    Bytes,
    Utf8 { bytes_max: u8 },
    Ucs2,
    Utf16 { little: bool },
    Utf32,
    Map(&'static Map),
}

/// The same at work, its map unpacked.
#[derive(Debug, Clone, Copy)]
enum Coder {
    Bytes,
    Utf8 { bytes_max: u8 },
    Ucs2,
    Utf16 { little: bool },
    Utf32,
    Map(&'static Tables),
}

/// What stands at the beginning of a text, and how many bytes it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// A character.
    Char(char, usize),
    /// A code without a character.
    Unmapped(usize),
    /// A byte that begins no code.
    Malformed,
    /// The text ends before its last code does.
    Cut,
}

impl Coder {
    fn new(charset: Charset) -> Self {
        match charset.form() {
            Form::Bytes => Self::Bytes,
            Form::Utf8 { bytes_max } => Self::Utf8 { bytes_max },
            Form::Ucs2 => Self::Ucs2,
            Form::Utf16 { little } => Self::Utf16 { little },
            Form::Utf32 => Self::Utf32,
            Form::Map(map) => Self::Map(map.tables()),
        }
    }

    const fn extends_ascii(self) -> bool {
        match self {
            Self::Utf8 { .. } => true,
            Self::Map(tables) => tables.extends_ascii,
            Self::Bytes | Self::Ucs2 | Self::Utf16 { .. } | Self::Utf32 => false,
        }
    }

    fn next(self, text: &[u8]) -> Step {
        match self {
            Self::Bytes => text.first().map_or(Step::Cut, |&byte| Step::Char(char::from(byte), 1)),
            Self::Utf8 { bytes_max } => utf8(text, bytes_max),
            Self::Ucs2 => match text.first_chunk() {
                Some(unit) => formed(u16::from_be_bytes(*unit).into(), 2),
                None => Step::Cut,
            },
            Self::Utf16 { little } => utf16(text, little),
            Self::Utf32 => match text.first_chunk() {
                Some(unit) => formed(u32::from_be_bytes(*unit), 4),
                None => Step::Cut,
            },
            Self::Map(tables) => tables.next(text),
        }
    }

    /// Appends a character; false if the set lacks it.
    fn push(self, character: char, out: &mut Vec<u8>) -> bool {
        let in_plane = u16::try_from(u32::from(character));
        match self {
            Self::Utf8 { bytes_max: 4 } | Self::Bytes => {
                out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            }
            Self::Utf8 { .. } if in_plane.is_err() => return false,
            Self::Utf8 { .. } => {
                out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            }
            Self::Ucs2 => match in_plane {
                Ok(unit) => out.extend_from_slice(&unit.to_be_bytes()),
                Err(_) => return false,
            },
            Self::Utf16 { little } => {
                let bytes =
                    |unit: &u16| if little { unit.to_le_bytes() } else { unit.to_be_bytes() };
                out.extend(character.encode_utf16(&mut [0; 2]).iter().flat_map(bytes));
            }
            Self::Utf32 => out.extend_from_slice(&u32::from(character).to_be_bytes()),
            Self::Map(tables) => return tables.push(character, out),
        }
        true
    }
}

fn utf8(text: &[u8], bytes_max: u8) -> Step {
    let length = match text.first() {
        None => return Step::Cut,
        Some(&byte @ ..0x80) => return Step::Char(char::from(byte), 1),
        Some(0xc2..=0xdf) => 2,
        Some(0xe0..=0xef) => 3,
        Some(0xf0..=0xf7) if bytes_max == 4 => 4,
        Some(_) => return Step::Malformed,
    };
    let Some(code) = text.get(..length) else { return Step::Cut };
    let character = std::str::from_utf8(code).ok().and_then(|text| text.chars().next());
    character.map_or(Step::Malformed, |character| Step::Char(character, length))
}

fn utf16(text: &[u8], little: bool) -> Step {
    let unit =
        |bytes: [u8; 2]| if little { u16::from_le_bytes(bytes) } else { u16::from_be_bytes(bytes) };
    let Some(&first) = text.first_chunk::<2>() else { return Step::Cut };
    let first = unit(first);
    if !matches!(first, 0xd800..=0xdbff) {
        return formed(first.into(), 2);
    }
    let Some(&[_, _, c, d]) = text.first_chunk::<4>() else { return Step::Cut };
    match char::decode_utf16([first, unit([c, d])]).next() {
        Some(Ok(character)) => Step::Char(character, 4),
        _ => Step::Malformed,
    }
}

fn formed(point: u32, length: usize) -> Step {
    char::from_u32(point).map_or(Step::Malformed, |character| Step::Char(character, length))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn converted(from: Charset, to: Charset, text: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        Conversion::new(from, to).unwrap().push(text, &mut out);
        out
    }

    /// What a server makes of the text in UTF-8.
    fn check(from: Charset, text: &[u8], expected: &str) {
        let found = converted(from, Charset::Utf8mb4, text);
        assert_eq!(String::from_utf8_lossy(&found), expected, "{text:x?} from {}", from.name());
    }

    #[test]
    fn what_one_set_encodes_it_decodes() {
        for &charset in Charset::ALL.iter().filter(|charset| **charset != Charset::Binary) {
            let mut count = 0;
            for character in ('\0'..=char::MAX).step_by(7) {
                let text = character.to_string();
                let Some(bytes) = charset.encode(&text) else { continue };
                // Two bytes of Shift JIS are a backslash, and Thai beyond the first plane wraps.
                let mut back = String::new();
                assert!(charset.decode(&bytes, &mut back), "{text:?} in {}", charset.name());
                let wraps = charset == Charset::Tis620 && character > '\u{ffff}';
                assert!(back == text || wraps, "{text:?} {back:?} in {}", charset.name());
                assert!(bytes.len() <= usize::from(charset.bytes_max()), "{}", charset.name());
                assert!(bytes.len() >= usize::from(charset.bytes_min()), "{}", charset.name());
                count += 1;
            }
            assert!(count >= 127 / 7, "{}", charset.name());
        }
    }

    #[test]
    fn every_latin1_byte_survives_a_round_trip() {
        for byte in 0..=255 {
            let mut text = String::new();
            assert!(Charset::Latin1.decode(&[byte], &mut text));
            assert_eq!(Charset::Latin1.encode(&text), Some(vec![byte]));
        }
        assert_eq!(Charset::Latin1.encode("中"), None);
    }

    #[test]
    fn ascii_goes_as_it_is_between_sets_that_extend_it() {
        let keeps =
            |from, to, text: &str| Conversion::new(from, to).unwrap().keeps(text.as_bytes());
        assert!(keeps(Charset::Latin1, Charset::Utf8mb4, "abc"));
        assert!(!keeps(Charset::Latin1, Charset::Utf8mb4, "abcé"));
        assert!(!keeps(Charset::Utf8mb4, Charset::Ucs2, "abc"));
        assert!(!keeps(Charset::Utf8mb4, Charset::Sjis, "a\\b"), "a backslash is none there");
    }

    #[test]
    fn what_the_target_lacks_is_a_question_mark() {
        let from_utf8 = |to, text: &str| converted(Charset::Utf8mb4, to, text.as_bytes());
        assert_eq!(from_utf8(Charset::Latin1, "aé中b"), b"a\xe9?b");
        assert_eq!(from_utf8(Charset::Gbk, "aé中\u{1f600}b"), b"a\xa8\xa6\xd6\xd0?b");
        assert_eq!(from_utf8(Charset::Utf8mb3, "\u{1f600}"), b"?");
        assert_eq!(from_utf8(Charset::Ucs2, "\u{1f600}b"), b"\0?\0b");
        assert_eq!(from_utf8(Charset::Utf16le, "é\u{1f600}"), b"\xe9\0\x3d\xd8\0\xde");
        assert_eq!(from_utf8(Charset::Utf32, "é"), b"\0\0\0\xe9");
        assert_eq!(from_utf8(Charset::Gb18030, "\u{1f600}"), b"\x94\x39\xfc\x36");
        assert_eq!(from_utf8(Charset::Swe7, "é[~"), b"`??");
        assert_eq!(from_utf8(Charset::Sjis, "a\\b"), b"a\x81\x5fb", "as the servers do");
        assert_eq!(from_utf8(Charset::Cp932, "a\\b"), b"a\\b");
        assert_eq!(from_utf8(Charset::Ujis, "丂"), b"\x8f\xb0\xa1");
        assert_eq!(from_utf8(Charset::Tis620, "\u{10e01}\u{10000}"), b"\xa1?");
    }

    #[test]
    fn malformed_texts_are_converted_as_the_server_does() {
        check(Charset::Gbk, b"\x81\x41\xff\x41", "丄?");
        check(Charset::Gbk, b"a\x81", "a");
        check(Charset::Sjis, b"\xfd\x41", "?A");
        check(Charset::Sjis, b"\x81\xad", "?");
        check(Charset::Sjis, b"\xa0\x81", "?");
        check(Charset::Ujis, b"\x8f\xa1\x41", "??A");
        check(Charset::Ujis, b"\x8f\xa1\xa1", "?");
        check(Charset::Ujis, b"\x8e\xff", "??");
        check(Charset::Eucjpms, b"\x8f\x41", "");
        check(Charset::Euckr, b"\xff\x41", "?");
        check(Charset::Big5, b"\xa1\x7f", "?");
        check(Charset::Gb2312, b"\xf8\xa1a", "?a");
        check(Charset::Gb18030, b"\x84\x31\xa5\x30", "?");
        check(Charset::Gb18030, b"\x80\x30\x81\xff", "?0??");
        check(Charset::Gb18030, b"\x81\x30\x41", "");
        check(Charset::Utf8mb3, b"\xf0\x9f\x98\x80", "????");
        check(Charset::Utf8mb3, b"\xe4\xb8", "");
        check(Charset::Cp1250, b"\x81", "?");
        check(Charset::Ascii, b"a\xff", "a?");
        check(Charset::Utf16, b"\0a\xd8", "a");
        let mut text = String::new();
        assert!(
            !Charset::Gbk.decode(b"\x81", &mut text) && !Charset::Ascii.decode(b"\xff", &mut text)
        );
    }

    #[test]
    fn no_text_makes_a_conversion_panic() {
        let mut random = fastrand::Rng::with_seed(7);
        for &from in Charset::ALL {
            for to in [Charset::Utf8mb4, Charset::Gb18030, Charset::Utf16] {
                let Some(conversion) = Conversion::new(from, to) else { continue };
                for _ in 0..500 {
                    let text: Vec<u8> = (0..random.usize(..9)).map(|_| random.u8(..)).collect();
                    let mut out = Vec::new();
                    conversion.push(&text, &mut out);
                    let mut valid = String::new();
                    assert!(to.decode(&out, &mut valid), "{text:x?} from {}", from.name());
                }
            }
        }
    }

    #[test]
    fn ascii_is_the_same_where_that_is_proved() {
        let others: Vec<_> =
            Charset::ALL.iter().filter(|charset| !charset.extends_ascii()).collect();
        use Charset as C;
        let expected = [C::Binary, C::Sjis, C::Swe7, C::Ucs2, C::Utf16, C::Utf16le, C::Utf32];
        assert_eq!(others, expected.iter().collect::<Vec<_>>());
    }

    #[test]
    fn characters_are_as_wide_as_the_servers_say() {
        use crate::event::collation::character_bytes_max;
        // latin1, gbk, ucs2, ujis, utf8mb3, utf8mb4, utf16, utf32, gb18030, then MariaDB's own.
        let mysql = [(8, 1), (63, 1), (28, 2), (128, 2), (91, 3), (33, 3), (45, 4), (255, 4)];
        let wide = [(62, 4), (101, 4), (160, 4), (248, 4), (309, 4)];
        let mariadb = [(1216, 3), (1032, 1), (2304, 4), (2563, 2), (3239, 4), (672, 4)];
        for (id, bytes) in [&mysql[..], &wide, &mariadb].concat() {
            assert_eq!(character_bytes_max(CollationId(id)), Some(bytes), "{id}");
        }
        assert_eq!(character_bytes_max(CollationId(999)), None);
    }

    #[test]
    fn names_ignore_case() {
        assert_eq!(Charset::by_name("UTF8"), Some(Charset::Utf8mb3));
        assert_eq!(Charset::by_name("Gbk"), Some(Charset::Gbk));
        assert_eq!(Charset::by_name("filename"), None);
        assert!(Charset::ALL.is_sorted_by_key(|charset| charset.name()));
    }
}
