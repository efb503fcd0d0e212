//! Events out of the bytes that a server sends: the header that all have, and the checksum.

use super::RawEvent;
use super::bytes::{Bytes, wide};
use super::error::{DecodeError, Fault};

/// Takes the events of one log apart, in the log's order.
#[derive(Debug, Clone, Copy, Default)]
pub struct Framing {
    /// As the description of the file says that is being read.
    has_checksums: bool,
}

impl Framing {
    /// An event as it is in the log, checked.
    pub fn event<'a>(&mut self, bytes: &'a [u8]) -> Result<RawEvent<'a>, DecodeError> {
        let mut event = inner_event(bytes)?;
        if event.kind == FORMAT_DESCRIPTION {
            return self.description(bytes, event);
        }
        if self.has_checksums {
            let (body, checksum) = split_checksum(event.body)?;
            check(bytes, checksum)?;
            event.body = body;
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

/// An event of a compressed transaction, which has no checksum of its own.
pub fn inner_event(bytes: &[u8]) -> Result<RawEvent<'_>, DecodeError> {
    header(Bytes(bytes)).map_err(framing)
}

fn header(mut fields: Bytes<'_>) -> Result<RawEvent<'_>, Fault> {
    let all = wide(fields.len());
    let timestamp = fields.u32()?;
    let kind = fields.u8()?;
    let server_id = fields.u32()?;
    if u64::from(fields.u32()?) != all {
        return Err(Fault::Length);
    }
    let log_pos = fields.u32()?;
    let flags = fields.u16()?;
    Ok(RawEvent { timestamp, kind, server_id, log_pos, flags, body: fields.rest() })
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
        assert_eq!(inner_event(&plain), Ok(expected));
        framing.event(&event(15, &[b'd', 0], true)).unwrap();
        assert_eq!(framing.event(&plain), Ok(expected));
        let other = event(15, &[b'd', 9], true);
        assert_eq!(framing.event(&other), Err(DecodeError::UnknownChecksum(9)));
    }
}
