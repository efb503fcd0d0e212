//! Character sets that are maps: how `scripts/charsets` stores what real servers said, and texts
//! through them.
//!
//! A map is unpacked when a text first needs it, and stays.

use std::sync::OnceLock;

use super::Step;

/// A character set whose codes and characters follow no rule.
#[derive(Debug)]
pub(super) struct Map {
    packed: &'static [u8],
    shape: Shape,
    tables: OnceLock<Tables>,
}

/// How a text is cut into codes, which says what of a malformed one is passed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// One byte each.
    Single,
    /// One byte each; of a character the server looks at the lower 16 bits only.
    Tis620,
    /// Two bytes from 0x80 on, whatever the second one is.
    Double,
    /// Two bytes, or one for half-width katakana.
    ShiftJis,
    /// Two bytes, three behind 0x8f.
    Euc,
    /// Two bytes, or four if the second one is a digit.
    Gb18030,
}

/// A map, unpacked.
#[derive(Debug)]
pub(super) struct Tables {
    shape: Shape,
    /// Code points of codes of one byte, of two (less 0x8000), of three (less 0x8f8000), of four by
    /// their place.
    one: Vec<u16>,
    two: Vec<u16>,
    three: Vec<u16>,
    four: Vec<u16>,
    /// Codes of code points, 256 to a page; the first page is empty.
    pages: Vec<[u32; 256]>,
    /// The page of each 256 code points.
    index: [u8; 256],
    /// Whether ASCII is the same in either direction.
    pub(super) extends_ascii: bool,
}

impl Map {
    pub(super) const fn new(packed: &'static [u8], shape: Shape) -> Self {
        Self { packed, shape, tables: OnceLock::new() }
    }

    pub(super) fn tables(&self) -> &Tables {
        self.tables.get_or_init(|| Tables::unpack(self.packed, self.shape))
    }

    pub(super) const fn bytes_max(&self) -> u8 {
        match self.shape {
            Shape::Single | Shape::Tis620 => 1,
            Shape::Double | Shape::ShiftJis => 2,
            Shape::Euc => 3,
            Shape::Gb18030 => 4,
        }
    }
}

impl Tables {
    fn unpack(packed: &[u8], shape: Shape) -> Self {
        let three = if shape == Shape::Euc { 0x8000 } else { 0 };
        let two = if matches!(shape, Shape::Single | Shape::Tis620) { 0 } else { 0x8000 };
        let mut tables = Self {
            shape,
            one: vec![NO_POINT; 256],
            two: vec![NO_POINT; two],
            three: vec![NO_POINT; three],
            four: Vec::new(),
            pages: vec![[NO_CODE; 256]],
            index: [0; 256],
            extends_ascii: false,
        };
        let mut numbers = Numbers(packed);
        let (mut code, mut point) = (0_u32, 0_u32);
        while let Some(number) = numbers.next() {
            match number {
                RUN => {
                    let count = numbers.next().unwrap_or_default();
                    if count == 0 {
                        break;
                    }
                    for _ in 0..count {
                        tables.learn(code, point);
                        (code, point) = (code + 1, point.wrapping_add(1));
                    }
                }
                GAP => code += numbers.next().unwrap_or_default(),
                step => {
                    let zigzag = step - FIRST_STEP;
                    // Two's complement: a step back is a wrapped step.
                    point = point.wrapping_add((zigzag >> 1) ^ (zigzag & 1).wrapping_neg());
                    tables.learn(code, point);
                    (code, point) = (code + 1, point.wrapping_add(1));
                }
            }
        }
        while let (Some(point), Some(code)) = (numbers.next(), numbers.next()) {
            tables.encode_as(point, code, true);
        }
        tables.extends_ascii = (0..0x80_u8).all(|byte| {
            let character = char::from(byte);
            matches!(tables.next(&[byte]), Step::Char(same, 1) if same == character)
                && tables.code(character) == Some(u32::from(byte))
        });
        tables
    }

    /// The lowest code of several is the one that a character is encoded as.
    fn learn(&mut self, code: u32, point: u32) {
        let place = match code {
            0..0x100 => self.one.get_mut(at(code)),
            0x100..0x1_0000 => self.two.get_mut(at(code - 0x8000)),
            0x1_0000..FOUR => self.three.get_mut(at(code - 0x8f_8000)),
            _ => {
                self.four.resize(at(code - FOUR) + 1, NO_POINT);
                self.four.last_mut()
            }
        };
        if let (Some(place), Ok(point)) = (place, u16::try_from(point)) {
            *place = point;
        }
        self.encode_as(point, code, false);
    }

    fn encode_as(&mut self, point: u32, code: u32, always: bool) {
        let Some(page) = self.index.get_mut(at(point >> 8)) else { return };
        if *page == 0 {
            *page = u8::try_from(self.pages.len()).unwrap_or_default();
            self.pages.push([NO_CODE; 256]);
        }
        let place =
            self.pages.get_mut(usize::from(*page)).map(|page| page.get_mut(at(point & 0xff)));
        if let Some(Some(place)) = place
            && (always || *place == NO_CODE)
        {
            *place = code;
        }
    }

    /// What stands at the beginning of a text.
    pub(super) fn next(&self, text: &[u8]) -> Step {
        let Some((&lead, rest)) = text.split_first() else { return Step::Cut };
        match self.shape {
            Shape::Single | Shape::Tis620 => return whole(point(&self.one, usize::from(lead)), 1),
            _ if lead < 0x80 => return whole(point(&self.one, usize::from(lead)), 1),
            Shape::Gb18030 if !matches!(lead, 0x81..=0xfe) => return Step::Malformed,
            Shape::Euc if !matches!(lead, 0x8e | 0x8f | 0xa1..=0xfe) => return Step::Malformed,
            Shape::Euc if lead == 0x8f => return self.third(rest),
            Shape::ShiftJis => {
                if let Some(katakana) = point(&self.one, usize::from(lead)) {
                    return Step::Char(katakana, 1);
                }
            }
            Shape::Double | Shape::Euc | Shape::Gb18030 => {}
        }
        let Some(&second) = rest.first() else { return Step::Cut };
        let two = pair(lead, second).and_then(|place| point(&self.two, place));
        match self.shape {
            Shape::Gb18030 if second.is_ascii_digit() => self.fourth(text),
            Shape::ShiftJis | Shape::Euc | Shape::Gb18030 if two.is_none() => {
                let formed = match self.shape {
                    Shape::ShiftJis => {
                        matches!(lead, 0x81..=0x9f | 0xe0..=0xfc)
                            && matches!(second, 0x40..=0x7e | 0x80..=0xfc)
                    }
                    Shape::Euc => lead >= 0xa1 && matches!(second, 0xa1..=0xfe),
                    _ => false,
                };
                if formed { Step::Unmapped(2) } else { Step::Malformed }
            }
            _ => whole(two, 2),
        }
    }

    /// The rest of a code of three bytes.
    fn third(&self, rest: &[u8]) -> Step {
        let &[second, third, ..] = rest else { return Step::Cut };
        match pair(second, third).and_then(|place| point(&self.three, place)) {
            Some(character) => Step::Char(character, 3),
            None if matches!((second, third), (0xa1..=0xfe, 0xa1..=0xfe)) => Step::Unmapped(3),
            None => Step::Malformed,
        }
    }

    /// A code of four bytes, of which the first two are as they must be.
    fn fourth(&self, text: &[u8]) -> Step {
        let &[a, b, c, d, ..] = text else { return Step::Cut };
        if !matches!((c, d), (0x81..=0xfe, b'0'..=b'9')) {
            return Step::Malformed;
        }
        let digit = |byte: u8, from: u8| u32::from(byte.wrapping_sub(from));
        let place =
            (digit(a, 0x81) * 10 + digit(b, b'0')) * 1260 + digit(c, 0x81) * 10 + digit(d, b'0');
        let character = match place.checked_sub(SUPPLEMENTARY) {
            Some(beyond) => char::from_u32(0x1_0000 + beyond),
            None => self.four.get(at(place)).and_then(|&point| char::from_u32(point.into())),
        };
        whole(character, 4)
    }

    /// Appends a character; false if the set lacks it.
    pub(super) fn push(&self, character: char, out: &mut Vec<u8>) -> bool {
        let Some(code) = self.code(character) else { return false };
        let [highest, high, middle, low] = code.to_be_bytes();
        match code {
            0..0x100 => out.push(low),
            0x100..0x1_0000 => out.extend_from_slice(&[middle, low]),
            0x1_0000..FOUR => out.extend_from_slice(&[high, middle, low]),
            _ => {
                debug_assert!(highest > 0, "a code of four bytes");
                let place = code - FOUR;
                let byte = |number: u32, from: u8| from.wrapping_add(number.to_le_bytes()[0]);
                out.extend_from_slice(&[
                    byte(place / 12_600, 0x81),
                    byte(place / 1260 % 10, b'0'),
                    byte(place / 10 % 126, 0x81),
                    byte(place % 10, b'0'),
                ]);
            }
        }
        true
    }

    fn code(&self, character: char) -> Option<u32> {
        let point = u32::from(character);
        match (self.shape, point.checked_sub(0x1_0000)) {
            (Shape::Gb18030, Some(beyond)) => Some(FOUR + SUPPLEMENTARY + beyond),
            (Shape::Tis620, Some(_)) => self.listed(point & 0xffff).filter(|code| *code != 0),
            (_, Some(_)) => None,
            (_, None) => self.listed(point),
        }
    }

    fn listed(&self, point: u32) -> Option<u32> {
        let page = *self.index.get(at(point >> 8))?;
        let code = *self.pages.get(usize::from(page))?.get(at(point & 0xff))?;
        (code != NO_CODE).then_some(code)
    }
}

fn whole(character: Option<char>, bytes: usize) -> Step {
    character.map_or(Step::Unmapped(bytes), |character| Step::Char(character, bytes))
}

fn point(table: &[u16], place: usize) -> Option<char> {
    let point = *table.get(place)?;
    if point == NO_POINT { None } else { char::from_u32(point.into()) }
}

/// The place of a code of two bytes, which begins at 0x8000.
fn pair(lead: u8, second: u8) -> Option<usize> {
    usize::from(u16::from_be_bytes([lead, second])).checked_sub(0x8000)
}

fn at(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// Numbers in groups of seven bits.
struct Numbers<'a>(&'a [u8]);

impl Iterator for Numbers<'_> {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        let mut number = 0;
        for shift in (0..32).step_by(7) {
            let (&byte, rest) = self.0.split_first()?;
            self.0 = rest;
            number |= u32::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }
}

// What the numbers of a packed map mean.
const RUN: u32 = 0;
const GAP: u32 = 1;
const FIRST_STEP: u32 = 2;

/// No set of one to three bytes has this code point.
const NO_POINT: u16 = 0xffff;
const NO_CODE: u32 = u32::MAX;
/// The number of the first code of four bytes.
const FOUR: u32 = 0x100_0000;
/// The place of U+10000 among the codes of four bytes.
const SUPPLEMENTARY: u32 = 189_000;
