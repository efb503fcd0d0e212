//! Events out of the bytes that a server sends: the header that all have, and the checksum.

use bytes::Bytes;

use super::RawEvent;
use super::bytes::{Bytes as Fields, wide};
use super::error::{DecodeError, Fault};

/// An event of a log, checked, with bytes of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEvent {
    timestamp: u32,
    kind: u8,
    server_id: u32,
    log_pos: u32,
    flags: u16,
    body: Bytes,
}

impl LogEvent {
    /// What `raw` is, its body in `body`.
    pub fn new(raw: RawEvent<'_>, body: Bytes) -> Self {
        let RawEvent { timestamp, kind, server_id, log_pos, flags, .. } = raw;
        Self { timestamp, kind, server_id, log_pos, flags, body }
    }

    /// The event as the decoder takes it.
    pub fn raw(&self) -> RawEvent<'_> {
        let Self { timestamp, kind, server_id, log_pos, flags, ref body } = *self;
        RawEvent { timestamp, kind, server_id, log_pos, flags, body }
    }
}

/// Takes the events of one log apart, in the log's order.
#[derive(Debug, Clone, Copy, Default)]
pub struct Framing {
    /// As the description of the file says that is being read.
    has_checksums: bool,
}

impl Framing {
    /// An event as it is in the log, checked.
    pub fn event<'a>(&mut self, bytes: &'a [u8]) -> Result<RawEvent<'a>, DecodeError> {
        let (mut event, length) = header(Fields(bytes)).map_err(framing)?;
        if u64::from(length) != wide(bytes.len()) {
            return Err(framing(Fault::Length));
        }
        if event.kind == FORMAT_DESCRIPTION {
            return self.description(bytes, event);
        }
        if self.has_checksums {
            event.body = checked(bytes, event.body)?;
        } else if event.kind == ROTATE {
            // The one that comes before all descriptions has a checksum if the server's events have
            // one, which only its value tells.
            event.body = checked(bytes, event.body).unwrap_or(event.body);
        }
        Ok(event)
    }

    /// The description itself has room for a checksum always, and before it what kind the events
    /// behind it have. A server that has none does not fill its own in when it changes it.
    fn description<'a>(
        &mut self,
        bytes: &[u8],
        mut event: RawEvent<'a>,
    ) -> Result<RawEvent<'a>, DecodeError> {
        let (body, checksum) = split_checksum(event.body)?;
        let (&algorithm, body) = body.split_last().ok_or(framing(Fault::Truncated))?;
        self.has_checksums = match algorithm {
            CHECKSUM_NONE => false,
            CHECKSUM_CRC32 => true,
            other => return Err(DecodeError::UnknownChecksum(other)),
        };
        if self.has_checksums {
            // That the file is still written to is left out of the checksum.
            let mut closed = bytes.to_vec();
            if let Some(flags) = closed.get_mut(FLAGS_AT) {
                *flags &= !FLAG_IN_USE;
            }
            check(&closed, checksum)?;
        }
        event.body = body;
        Ok(event)
    }
}

/// A header and what is there of the body; and how long both are said to be.
pub(super) fn header(mut fields: Fields<'_>) -> Result<(RawEvent<'_>, u32), Fault> {
    let timestamp = fields.u32()?;
    let kind = fields.u8()?;
    let server_id = fields.u32()?;
    let length = fields.u32()?;
    let log_pos = fields.u32()?;
    let flags = fields.u16()?;
    let body = fields.rest();
    Ok((RawEvent { timestamp, kind, server_id, log_pos, flags, body }, length))
}

/// A body without the checksum behind it, which is right.
fn checked<'a>(bytes: &[u8], body: &'a [u8]) -> Result<&'a [u8], DecodeError> {
    let (body, checksum) = split_checksum(body)?;
    check(bytes, checksum)?;
    Ok(body)
}

/// A body and the checksum behind it.
fn split_checksum(body: &[u8]) -> Result<(&[u8], u32), DecodeError> {
    let (body, checksum) =
        body.split_last_chunk::<CHECKSUM_BYTES>().ok_or(framing(Fault::Truncated))?;
    Ok((body, u32::from_le_bytes(*checksum)))
}

/// It is of all bytes before it.
fn check(bytes: &[u8], checksum: u32) -> Result<(), DecodeError> {
    let covered = bytes.len().saturating_sub(CHECKSUM_BYTES);
    let mut computed = flate2::Crc::new();
    computed.update(bytes.get(..covered).unwrap_or_default());
    match computed.sum() == checksum {
        true => Ok(()),
        false => Err(DecodeError::Checksum),
    }
}

const fn framing(fault: Fault) -> DecodeError {
    DecodeError::Event { event: "the header of an", fault }
}

/// The bytes of the header that all events have.
pub(super) const HEADER_BYTES: usize = 19;
const ROTATE: u8 = 4;
const FORMAT_DESCRIPTION: u8 = 15;
const CHECKSUM_NONE: u8 = 0;
const CHECKSUM_CRC32: u8 = 1;
const CHECKSUM_BYTES: usize = 4;
const FLAGS_AT: usize = 17;
const FLAG_IN_USE: u8 = 0x01;

#[cfg(test)]
mod tests {
    use super::*;

    fn event(kind: u8, body: &[u8], checksum: bool) -> Vec<u8> {
        let length = 19 + body.len() + if checksum { 4 } else { 0 };
        let mut bytes = vec![1, 0, 0, 0, kind, 2, 0, 0, 0];
        bytes.extend_from_slice(&u32::try_from(length).unwrap().to_le_bytes());
        bytes.extend_from_slice(&[3, 0, 0, 0, 4, 0]);
        bytes.extend_from_slice(body);
        if checksum {
            let mut computed = flate2::Crc::new();
            computed.update(&bytes);
            bytes.extend_from_slice(&computed.sum().to_le_bytes());
        }
        bytes
    }

    #[test]
    fn the_description_says_whether_events_have_checksums() {
        let mut framing = Framing::default();
        let plain = event(2, b"body", false);
        let expected =
            RawEvent { timestamp: 1, kind: 2, server_id: 2, log_pos: 3, flags: 4, body: b"body" };
        assert_eq!(framing.event(&plain), Ok(expected));
        let description = event(15, &[b'd', 1], true);
        assert_eq!(framing.event(&description).unwrap().body, b"d");
        let mut in_use = description.clone();
        in_use[17] |= 1;
        assert_eq!(framing.event(&in_use).unwrap().body, b"d");
        let summed = event(2, b"body", true);
        assert_eq!(framing.event(&summed), Ok(expected));
        for at in 0..summed.len() {
            let mut corrupt = summed.clone();
            corrupt[at] ^= 1;
            assert!(framing.event(&corrupt).is_err(), "byte {at}");
            assert!(framing.event(&summed[..at]).is_err());
        }
        framing.event(&event(15, &[b'd', 0], true)).unwrap();
        assert_eq!(framing.event(&plain), Ok(expected));
        let other = event(15, &[b'd', 9], true);
        assert_eq!(framing.event(&other), Err(DecodeError::UnknownChecksum(9)));
    }

    #[test]
    fn the_checksum_behind_the_first_rotate_is_no_part_of_its_name() {
        for checksum in [false, true] {
            let rotate = event(4, b"binlog.000003", checksum);
            assert_eq!(Framing::default().event(&rotate).unwrap().body, b"binlog.000003");
        }
        let short = event(4, b"b", false);
        assert_eq!(Framing::default().event(&short).unwrap().body, b"b");
    }
}
