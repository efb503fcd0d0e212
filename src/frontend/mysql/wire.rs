//! The shapes of MySQL's packets: a cursor that reads fields, and functions that append packets'
//! payloads to a buffer. Pure; framing is [`super::link`]'s.

use super::charsets::Results;
use super::error::Failure;
use super::opensrv::{CapabilityFlags, StatusFlags};
use crate::event::row::{push_cell, push_length};

/// Reads the fields of one packet; every read past the end is `None`, never a panic.
#[derive(Debug, Clone, Copy)]
pub struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    /// Begins at the start of `payload`.
    pub const fn new(payload: &'a [u8]) -> Self {
        Self(payload)
    }

    /// The next `count` bytes.
    pub fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    /// All that is left.
    pub const fn rest(&self) -> &'a [u8] {
        self.0
    }

    /// Whether nothing is left.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// One byte.
    pub fn byte(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    /// Two bytes, little-endian.
    pub fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    /// Four bytes, little-endian.
    pub fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    /// A length-encoded integer.
    pub fn length(&mut self) -> Option<u64> {
        let size = match self.byte()? {
            0xfc => 2,
            0xfd => 3,
            0xfe => 8,
            0xfb | 0xff => return None,
            short => return Some(u64::from(short)),
        };
        let mut bytes = [0; 8];
        bytes.get_mut(..size)?.copy_from_slice(self.take(size)?);
        Some(u64::from_le_bytes(bytes))
    }

    /// A length-encoded string.
    pub fn cell(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.length()?).ok()?;
        self.take(length)
    }

    /// A string that ends with a zero byte, or with the packet: some clients leave the last one out.
    pub fn zero_ended(&mut self) -> &'a [u8] {
        let end = self.0.iter().position(|&byte| byte == 0).unwrap_or(self.0.len());
        let (text, rest) = self.0.split_at(end);
        self.0 = rest.get(1..).unwrap_or_default();
        text
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }
}

/// What an OK packet says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Done {
    /// Rows that the statement changed.
    pub affected_rows: u64,
    /// The first AUTO_INCREMENT value that it made.
    pub last_insert_id: u64,
    /// How many warnings SHOW WARNINGS will list.
    pub warnings: u16,
    /// Text for people, such as `Rows matched: 1  Changed: 1  Warnings: 0`.
    pub info: String,
}

/// Appends an OK packet's payload.
pub fn push_ok(out: &mut Vec<u8>, done: &Done, status: StatusFlags) {
    push_ok_as(out, 0x00, done, status);
}

/// Appends what ends a result set's rows: an EOF packet, or an OK packet in its place.
pub fn push_end(out: &mut Vec<u8>, client: CapabilityFlags, warnings: u16, status: StatusFlags) {
    if client.contains(CapabilityFlags::CLIENT_DEPRECATE_EOF) {
        push_ok_as(out, 0xfe, &Done { warnings, ..Done::default() }, status);
    } else {
        push_eof(out, warnings, status);
    }
}

/// Appends the payload of COM_STMT_PREPARE_OK: the statement's number, how many columns its rows will
/// have, and how many parameters it takes.
pub fn push_prepared(out: &mut Vec<u8>, id: u32, columns: u16, parameters: u16) {
    out.push(0);
    out.extend_from_slice(&id.to_le_bytes());
    out.extend_from_slice(&columns.to_le_bytes());
    out.extend_from_slice(&parameters.to_le_bytes());
    // A filler, and no warnings.
    out.extend_from_slice(&[0; 3]);
}

/// Appends an EOF packet's payload.
pub fn push_eof(out: &mut Vec<u8>, warnings: u16, status: StatusFlags) {
    out.push(0xfe);
    out.extend_from_slice(&warnings.to_le_bytes());
    out.extend_from_slice(&status.bits().to_le_bytes());
}

/// Appends an ERR packet's payload.
pub fn push_failure(out: &mut Vec<u8>, failure: &Failure, results: Results) {
    out.push(0xff);
    out.extend_from_slice(&failure.code.to_le_bytes());
    out.push(b'#');
    out.extend_from_slice(&failure.state);
    results.push_message(&failure.text, out);
}

/// Appends the ERR packet of a client that is not greeted: without the SQLSTATE, as it was before
/// both sides said what they can do.
pub fn push_early_failure(out: &mut Vec<u8>, failure: &Failure) {
    out.push(0xff);
    out.extend_from_slice(&failure.code.to_le_bytes());
    out.extend_from_slice(failure.text.as_bytes());
}

/// Appends a cell that is made in its place, so that it needs no other buffer.
pub fn push_made_cell(out: &mut Vec<u8>, make: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    make(out);
    let made = out.len();
    push_length(out, (made - start) as u64);
    let length_bytes = out.len() - made;
    out[start..].rotate_right(length_bytes);
}

fn push_ok_as(out: &mut Vec<u8>, header: u8, done: &Done, status: StatusFlags) {
    out.push(header);
    push_length(out, done.affected_rows);
    push_length(out, done.last_insert_id);
    out.extend_from_slice(&status.bits().to_le_bytes());
    out.extend_from_slice(&done.warnings.to_le_bytes());
    if !done.info.is_empty() {
        push_cell(out, done.info.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_read_to_the_end_and_not_beyond() {
        let mut fields = Fields::new(b"\x01\x02\x03\x00\x03abcuser\0rest");
        assert_eq!(fields.byte(), Some(1));
        assert_eq!(fields.u16(), Some(0x0302));
        assert_eq!(fields.byte(), Some(0));
        assert_eq!(fields.cell(), Some(&b"abc"[..]));
        assert_eq!(fields.zero_ended(), b"user");
        assert_eq!(fields.u32(), Some(u32::from_le_bytes(*b"rest")));
        assert!(fields.byte().is_none() && fields.zero_ended().is_empty());
        for bytes in [&b"\xfc\x01"[..], b"\xfe1234567", b"\x05abcd", b"\xfb", b"\xff"] {
            assert_eq!(Fields::new(bytes).cell(), None, "{bytes:?}");
        }
    }

    #[test]
    fn a_made_cell_is_behind_its_length() {
        for length in [0, 1, 250, 251, 70_000] {
            let text = vec![b'x'; length];
            let (mut made, mut expected) = (b"before".to_vec(), b"before".to_vec());
            push_made_cell(&mut made, |out| out.extend_from_slice(&text));
            push_cell(&mut expected, &text);
            assert!(made == expected, "{length}");
        }
    }

    #[test]
    fn ends_follow_what_the_client_can_read() {
        let mut out = Vec::new();
        push_end(&mut out, CapabilityFlags::empty(), 1, StatusFlags::SERVER_STATUS_AUTOCOMMIT);
        assert_eq!(out, [0xfe, 1, 0, 2, 0]);
        out.clear();
        let client = CapabilityFlags::CLIENT_DEPRECATE_EOF;
        push_end(&mut out, client, 1, StatusFlags::SERVER_STATUS_AUTOCOMMIT);
        assert_eq!(out, [0xfe, 0, 0, 2, 0, 1, 0]);
    }
}
