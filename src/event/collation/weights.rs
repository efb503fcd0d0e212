//! Weight tables: how `scripts/collations` stores what a server's WEIGHT_STRING said.

/// The weights of every code point under one collation.
#[derive(Debug)]
pub(super) struct Table {
    bytes: &'static [u8],
}

/// The weights of one character; at most eight.
pub(super) type Weights = ([u16; 8], usize);

impl Table {
    pub(super) const fn new(bytes: &'static [u8]) -> Self {
        Self { bytes }
    }

    /// The weights of a character in order; none if the collation ignores it.
    pub(super) fn weights(&self, character: char) -> Weights {
        let code_point = u32::from(character);
        let page = self.word(HEADER + (code_point >> 8) as usize);
        if page >= LAST_RULE {
            return self.rule(page, code_point);
        }
        let code = self.word(self.pages() + usize::from(page) * 256 + (code_point & 0xff) as usize);
        let limit = self.word(0);
        match code {
            0 if limit > 0 => ([0; 8], 0),
            code if limit > 0 && code >= limit => self.expansion(usize::from(code - limit)),
            weight => single(weight),
        }
    }

    fn rule(&self, rule: u16, code_point: u32) -> Weights {
        let implicit = |base: u32, offset: u32| {
            let high = base + (offset >> 15);
            let low = (offset & 0x7fff) | 0x8000;
            let mut weights = [0; 8];
            weights[0] = high as u16;
            weights[1] = low as u16;
            (weights, 2)
        };
        match rule {
            IDENTITY => single(code_point as u16),
            REPLACEMENT => single(0xfffd),
            CJK => implicit(0xfb40, code_point),
            CJK_EXTENSION => implicit(0xfb80, code_point),
            UNASSIGNED => implicit(0xfbc0, code_point),
            TANGUT => implicit(0xfb00, code_point.wrapping_sub(0x1_7000)),
            _ => self.hangul(code_point.wrapping_sub(0xac00)),
        }
    }

    fn hangul(&self, syllable: u32) -> Weights {
        let jamo = [0x1100 + syllable / 588, 0x1161 + syllable % 588 / 28, 0x11a7 + syllable % 28];
        let count = if syllable.is_multiple_of(28) { 2 } else { 3 };
        let (mut weights, mut length) = ([0; 8], 0);
        for &part in &jamo[..count] {
            let (found, many) = char::from_u32(part).map_or(([0; 8], 0), |part| self.weights(part));
            for &weight in found.iter().take(many).take(8 - length) {
                weights[length] = weight;
                length += 1;
            }
        }
        (weights, length)
    }

    fn expansion(&self, index: usize) -> Weights {
        let offsets = self.pages() + usize::from(self.word(1)) * 256;
        let pool = offsets + usize::from(self.word(2)) + 1;
        let start = usize::from(self.word(offsets + index));
        let end = usize::from(self.word(offsets + index + 1));
        let mut weights = [0; 8];
        let length = end.saturating_sub(start).min(8);
        for (place, weight) in weights.iter_mut().take(length).enumerate() {
            *weight = self.word(pool + start + place);
        }
        (weights, length)
    }

    const fn pages(&self) -> usize {
        HEADER + 0x1100
    }

    fn word(&self, index: usize) -> u16 {
        match self.bytes.get(index * 2..index * 2 + 2) {
            Some(&[low, high]) => u16::from_le_bytes([low, high]),
            _ => 0,
        }
    }
}

fn single(weight: u16) -> Weights {
    ([weight, 0, 0, 0, 0, 0, 0, 0], 1)
}

const HEADER: usize = 3;

// Pages that hold no codes because all their weights follow one rule.
const IDENTITY: u16 = 0xffff;
const REPLACEMENT: u16 = 0xfffe;
const CJK: u16 = 0xfffd;
const CJK_EXTENSION: u16 = 0xfffc;
const UNASSIGNED: u16 = 0xfffb;
const TANGUT: u16 = 0xfff9;
const LAST_RULE: u16 = TANGUT;
