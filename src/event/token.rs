//! A position as the compact text that the `_pos` column shows.
//!
//! `vs1_` and base64url of a binary form with a checksum behind it. The number is the version of
//! the form: a later one gets another number, and old tokens stay readable or are refused by name.
//! No GTID set and no VGTID begins like a token. A token that was cut, mixed up or edited is
//! refused; it is a checksum, not a signature: whoever can read a stream can make its tokens.
//!
//! Written once per row where a client selects `_pos`, so that writing does not allocate.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::gtid::{Gtid, GtidSet, Interval, Numbering, Part, Tag};
use super::position::{Partial, Position, ShardPosition, Start, TableLastPk};
use super::schema::ShardName;
use super::vgtid::are_cells;

/// Why a text is no `_pos` token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Made by a later version of this program.
    #[error("this _pos token is of another version; use the vstreamd that printed it")]
    Version,
    /// Characters are missing or were changed.
    #[error("this _pos token is damaged; copy it again, all of it, as the row printed it")]
    Damaged,
    /// Longer than any token that we print.
    #[error("a _pos token of {length} bytes is too long; at most {TEXT_BYTES_MAX} are read")]
    TooLong {
        /// Bytes of the text.
        length: usize,
    },
}

/// Whether the text wants to be a token, of whatever version.
pub(super) fn is_token(text: &str) -> bool {
    let version = text.strip_prefix("vs").and_then(|rest| rest.split_once('_'));
    version.is_some_and(|(number, _)| {
        !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
    })
}

/// Appends a position's token.
pub(super) fn write(position: &Position, out: &mut Vec<u8>) {
    out.extend_from_slice(PREFIX.as_bytes());
    let mut writer = Writer { out, checksum: !0, pending: 0, bits: 0 };
    writer.byte(u8::from(position.plan_hash.is_some()));
    if let Some(hash) = position.plan_hash {
        writer.bytes(&hash.to_le_bytes());
    }
    writer.count(position.shards.len());
    for shard in &position.shards {
        write_shard(&mut writer, shard);
    }
    writer.finish();
}

/// Reads a token.
pub(super) fn read(text: &str) -> Result<Position, TokenError> {
    let text = text.trim();
    if text.len() > TEXT_BYTES_MAX {
        return Err(TokenError::TooLong { length: text.len() });
    }
    let Some(encoded) = text.strip_prefix(PREFIX) else {
        return Err(if is_token(text) { TokenError::Version } else { TokenError::Damaged });
    };
    let bytes = URL_SAFE_NO_PAD.decode(encoded).map_err(|_| TokenError::Damaged)?;
    let (body, checksum) = bytes.split_last_chunk::<4>().ok_or(TokenError::Damaged)?;
    if body.iter().fold(!0, |sum, &byte| crc32(sum, byte)) != u32::from_le_bytes(*checksum) {
        return Err(TokenError::Damaged);
    }
    let mut reader = Reader(body);
    reader.position().filter(|_| reader.0.is_empty()).ok_or(TokenError::Damaged)
}

const COPYING: u8 = 4;
const PARTIAL: u8 = 8;

fn write_shard(writer: &mut Writer<'_>, shard: &ShardPosition) {
    let start = match shard.start {
        Start::Copy => 0,
        Start::Now => 1,
        Start::After(_) => 2,
    };
    let copying = if shard.copying { COPYING } else { 0 };
    let partial = if shard.partial.is_some() { PARTIAL } else { 0 };
    writer.text(&shard.shard.keyspace);
    writer.text(&shard.shard.shard);
    writer.byte(start | copying | partial);
    if let Start::After(set) = &shard.start {
        writer.count(set.parts().len());
        for part in set.parts() {
            write_part(writer, part);
        }
    }
    writer.count(shard.table_pks.len());
    for last_pk in &shard.table_pks {
        writer.text(&last_pk.table);
        writer.count(last_pk.columns.len());
        for column in &last_pk.columns {
            writer.text(column);
        }
        writer.count(last_pk.cells.len());
        writer.bytes(&last_pk.cells);
        writer.number(last_pk.copies);
    }
    writer.count(shard.finished.len());
    for table in &shard.finished {
        writer.text(table);
    }
    if let Some(Partial { gtid, changes }) = &shard.partial {
        let (numbering, sequence) = gtid.place();
        let server = match gtid {
            Gtid::Mysql { .. } => 0,
            Gtid::MariaDb { server, .. } => *server,
        };
        write_numbering(writer, numbering, server);
        writer.number(sequence);
        writer.number(*changes);
    }
}

fn write_part(writer: &mut Writer<'_>, part: &Part) {
    write_numbering(writer, part.numbering, part.last_server);
    writer.count(part.intervals.len());
    // Each interval is printed by its distance from the one before: sets stay short for years.
    let mut before = 0;
    for span in part.intervals.iter() {
        writer.number(span.start.saturating_sub(before));
        writer.number(span.end.saturating_sub(span.start));
        before = span.end;
    }
}

fn write_numbering(writer: &mut Writer<'_>, numbering: Numbering, last_server: u32) {
    match numbering {
        Numbering::Mysql { server, tag } => {
            writer.byte(u8::from(tag.is_some()));
            writer.bytes(&server);
            if let Some(tag) = tag {
                writer.text(tag.as_str());
            }
        }
        Numbering::MariaDb { domain } => {
            writer.byte(2);
            writer.number(domain.into());
            writer.number(last_server.into());
        }
    }
}

/// Encodes bytes as base64url straight into the output, and sums them up.
struct Writer<'a> {
    out: &'a mut Vec<u8>,
    checksum: u32,
    pending: u32,
    bits: u32,
}

impl Writer<'_> {
    fn byte(&mut self, byte: u8) {
        self.checksum = crc32(self.checksum, byte);
        self.encode(byte);
    }

    fn encode(&mut self, byte: u8) {
        self.pending = self.pending << 8 | u32::from(byte);
        self.bits += 8;
        while self.bits >= 6 {
            self.bits -= 6;
            self.digit(self.pending >> self.bits);
        }
    }

    fn digit(&mut self, bits: u32) {
        let digit = usize::try_from(bits & 63).ok().and_then(|index| DIGITS.get(index));
        self.out.extend(digit);
    }

    fn bytes(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.byte(byte);
        }
    }

    fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            let [low, ..] = number.to_le_bytes();
            self.byte(low | 0x80);
            number >>= 7;
        }
        let [low, ..] = number.to_le_bytes();
        self.byte(low);
    }

    fn count(&mut self, count: usize) {
        self.number(u64::try_from(count).unwrap_or(u64::MAX));
    }

    fn text(&mut self, text: &str) {
        self.count(text.len());
        self.bytes(text.as_bytes());
    }

    fn finish(mut self) {
        for byte in self.checksum.to_le_bytes() {
            self.encode(byte);
        }
        if self.bits > 0 {
            self.digit(self.pending << (6 - self.bits));
        }
    }
}

/// What is left to read of a token's bytes; `None` wherever they cannot be ours.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn position(&mut self) -> Option<Position> {
        let plan_hash = match self.byte()? {
            0 => None,
            1 => Some(u64::from_le_bytes(self.bytes(8)?.try_into().ok()?)),
            _ => return None,
        };
        let shards = self.list(Self::shard)?;
        Some(Position { shards, plan_hash })
    }

    fn shard(&mut self) -> Option<ShardPosition> {
        let shard = ShardName { keyspace: self.text()?, shard: self.text()? };
        let flags = self.byte()?;
        let start = match flags & 3 {
            0 => Start::Copy,
            1 => Start::Now,
            2 => Start::After(self.set()?),
            _ => return None,
        };
        let table_pks = self.list(Self::last_pk)?;
        let finished = self.list(Self::text)?;
        let partial = if flags & PARTIAL == 0 { None } else { Some(self.partial()?) };
        let copying = flags & COPYING != 0;
        Some(ShardPosition { shard, start, table_pks, finished, copying, partial })
    }

    fn last_pk(&mut self) -> Option<TableLastPk> {
        let table = self.text()?;
        let columns = self.list(Self::text)?;
        let length = self.count()?;
        let cells = self.bytes(length)?;
        let copies = self.number()?;
        are_cells(cells, columns.len()).then(|| TableLastPk {
            table,
            columns,
            cells: cells.to_vec(),
            copies,
        })
    }

    fn set(&mut self) -> Option<GtidSet> {
        let mut set = GtidSet::new();
        for _ in 0..self.count()? {
            let (numbering, server) = self.numbering()?;
            let mut before = 0_u64;
            for _ in 0..self.count()? {
                let start = before.checked_add(self.number()?).filter(|&start| start > 0)?;
                let end = start.checked_add(self.number()?)?;
                set.add_span(numbering, server, Interval { start, end });
                before = end;
            }
        }
        Some(set)
    }

    fn partial(&mut self) -> Option<Partial> {
        let (numbering, server) = self.numbering()?;
        let sequence = self.number()?;
        let gtid = match numbering {
            Numbering::Mysql { server, tag } => Gtid::Mysql { server, tag, sequence },
            Numbering::MariaDb { domain } => Gtid::MariaDb { domain, server, sequence },
        };
        Some(Partial { gtid, changes: self.number()? })
    }

    fn numbering(&mut self) -> Option<(Numbering, u32)> {
        let kind = self.byte()?;
        if kind == 2 {
            let domain = self.number()?.try_into().ok()?;
            let server = self.number()?.try_into().ok()?;
            return Some((Numbering::MariaDb { domain }, server));
        }
        let server = self.bytes(16)?.try_into().ok()?;
        let tag = match kind {
            0 => None,
            1 => Some(Tag::new(&self.text()?)?),
            _ => return None,
        };
        Some((Numbering::Mysql { server, tag }, 0))
    }

    /// So many items, of which each takes at least one byte.
    fn list<T>(&mut self, mut read: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        (0..self.count()?).map(|_| read(self)).collect()
    }

    /// A count of things that take at least one byte each.
    fn count(&mut self) -> Option<usize> {
        usize::try_from(self.number()?).ok().filter(|&count| count <= self.0.len())
    }

    fn text(&mut self) -> Option<Arc<str>> {
        let length = self.count()?;
        Some(std::str::from_utf8(self.bytes(length)?).ok()?.into())
    }

    fn number(&mut self) -> Option<u64> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return None;
            }
            number |= bits << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    fn byte(&mut self) -> Option<u8> {
        let (&byte, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(byte)
    }

    fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(bytes)
    }
}

fn crc32(sum: u32, byte: u8) -> u32 {
    let [low, ..] = sum.to_le_bytes();
    CRC32.get(usize::from(low ^ byte)).copied().unwrap_or_default() ^ sum >> 8
}

const fn crc32_table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut index = 0_u32;
    let mut rest: &mut [u32] = &mut table;
    while let Some((entry, others)) = rest.split_first_mut() {
        let mut sum = index;
        let mut bit = 0;
        while bit < 8 {
            sum = if sum & 1 == 1 { sum >> 1 ^ 0xedb8_8320 } else { sum >> 1 };
            bit += 1;
        }
        *entry = sum;
        rest = others;
        index += 1;
    }
    table
}

static CRC32: [u32; 256] = crc32_table();

const PREFIX: &str = "vs1_";
const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// As long as the longest VGTID in JSON, which says the same in more words.
const TEXT_BYTES_MAX: usize = 16 << 20;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::position::tests::random_position;

    fn token(position: &Position) -> String {
        let mut out = Vec::new();
        position.to_token(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn random_positions_read_back() {
        let mut random = fastrand::Rng::with_seed(3);
        for _ in 0..1000 {
            let position = random_position(&mut random);
            let text = token(&position);
            assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)));
            assert_eq!(Position::from_token(&text), Ok(position), "{text}");
        }
    }

    #[test]
    fn mariadb_positions_read_back() {
        let set: GtidSet = "0-1-5,7-4294967295-18446744073709551615".parse().unwrap();
        let mut position =
            Position::starting(&Start::After(set), &[ShardName::new("commerce", "0")]);
        let gtid = "7-3-9".parse().unwrap();
        position.shards[0].partial = Some(Partial { gtid, changes: 4 });
        assert_eq!(Position::from_token(&token(&position)), Ok(position));
    }

    #[test]
    fn a_usual_token_is_short() {
        let set = "16b1039f-22b6-11ed-b765-0a43f95f28a3:1-615".parse().unwrap();
        let shards = [ShardName::new("commerce", "0")];
        let mut position = Position::starting(&Start::After(set), &shards);
        position.plan_hash = Some(7);
        assert!(token(&position).len() < 80, "{}", token(&position));
    }

    #[test]
    fn every_cut_and_every_changed_character_is_noticed() {
        let mut random = fastrand::Rng::with_seed(9);
        let text = loop {
            let position = random_position(&mut random);
            if position.shards.len() > 1 {
                break token(&position);
            }
        };
        for length in 0..text.len() {
            assert!(Position::from_token(&text[..length]).is_err(), "{length}");
        }
        for index in 0..text.len() {
            for other in ["A", "b", "7", "_", "é", "\0"] {
                let mut changed = text.clone();
                changed.replace_range(index..=index, other);
                assert!(changed == text || Position::from_token(&changed).is_err(), "{changed}");
            }
        }
        assert_eq!(Position::from_token(&text.replace("vs1_", "vs9_")), Err(TokenError::Version));
    }

    #[test]
    fn bytes_with_a_right_checksum_still_cannot_panic() {
        let mut random = fastrand::Rng::with_seed(13);
        let mut read = 0;
        for _ in 0..20_000 {
            let mut out = Vec::from(PREFIX.as_bytes());
            let mut writer = Writer { out: &mut out, checksum: !0, pending: 0, bits: 0 };
            for _ in 0..random.usize(0..40) {
                writer.byte(if random.bool() { random.u8(0..4) } else { random.u8(..) });
            }
            writer.finish();
            let text = String::from_utf8(out).unwrap();
            if let Ok(position) = Position::from_token(&text) {
                assert_eq!(Position::from_token(&token(&position)), Ok(position));
                read += 1;
            }
        }
        assert!(read > 10, "some random bytes are positions: {read}");
    }
}
