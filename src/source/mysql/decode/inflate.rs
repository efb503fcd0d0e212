//! What servers compress: MariaDB's columns, queries and row events (zlib), MySQL's transactions
//! (zstd). Nothing inflates beyond a bound, whatever its header claims.

use std::io::Read;

use flate2::{Decompress, FlushDecompress, Status};

use crate::event::row::push_length;

use super::bytes::{Bytes, wide};
use super::error::Fault;

/// The most that one compressed event or value may come to: servers send no larger event.
pub const INFLATED_BYTES_MAX: usize = 1 << 30;

/// The most that a compressed transaction may come to. It is read in pieces and never held.
pub const PAYLOAD_BYTES_MAX: u64 = 1 << 36;

/// Appends a value of MariaDB's COMPRESSED columns as a cell. Its first byte says how it is
/// compressed: 0 for not at all, else 8, whether it has zlib's header, and the length of a length.
pub(super) fn column(stored: &[u8], bytes_max: usize, out: &mut Vec<u8>) -> Result<(), Fault> {
    let mut stored = Bytes(stored);
    if stored.is_empty() {
        push_length(out, 0);
        return Ok(());
    }
    let method = stored.u8()?;
    if method >> 4 == 0 {
        push_length(out, wide(stored.len()));
        out.extend_from_slice(stored.rest());
        return Ok(());
    }
    if method >> 4 != ZLIB_COLUMN {
        return Err(Fault::Compression);
    }
    let length = usize::try_from(stored.big(method & 7)?).map_err(|_| Fault::Length)?;
    if length > bytes_max {
        return Err(Fault::TooLarge);
    }
    push_length(out, wide(length));
    zlib(stored.rest(), method & 8 == 0, length, out)
}

/// Makes the bytes that stood in the place of these.
pub(super) type Inflate = fn(Bytes<'_>) -> Result<Vec<u8>, Fault>;

/// What stands behind a compressed query's or row event's header: a byte with the length of the
/// length, the length, zlib.
pub(super) fn event(body: Bytes<'_>) -> Result<Vec<u8>, Fault> {
    let mut body = body;
    let method = body.u8()?;
    if method & 0x80 == 0 || method >> 4 & 7 != 0 {
        return Err(Fault::Compression);
    }
    let length = usize::try_from(body.big(method & 7)?).map_err(|_| Fault::Length)?;
    if length > INFLATED_BYTES_MAX {
        return Err(Fault::TooLarge);
    }
    let mut out = Vec::new();
    zlib(body.rest(), true, length, &mut out)?;
    Ok(out)
}

/// Appends exactly `length` bytes. Memory follows what really inflates, not what is claimed.
fn zlib(deflated: &[u8], header: bool, length: usize, out: &mut Vec<u8>) -> Result<(), Fault> {
    let mut inflater = Decompress::new(header);
    let end = out.len() + length;
    let mut rest = deflated;
    loop {
        // The end of a stream is only seen with room behind its last byte.
        let room = (end + 1 - out.len()).min(STEP_BYTES.max(out.len()));
        out.reserve_exact(room);
        let before = inflater.total_in();
        let held = out.len();
        let status = inflater
            .decompress_vec(rest, out, FlushDecompress::None)
            .map_err(|_| Fault::Compressed)?;
        let taken = usize::try_from(inflater.total_in() - before).map_err(|_| Fault::Length)?;
        rest = rest.get(taken..).ok_or(Fault::Length)?;
        if out.len() > end {
            return Err(Fault::Compressed);
        }
        match status {
            Status::StreamEnd if out.len() == end => return Ok(()),
            Status::StreamEnd => return Err(Fault::Compressed),
            Status::Ok | Status::BufError if taken == 0 && out.len() == held => {
                return Err(Fault::Compressed);
            }
            Status::Ok | Status::BufError => {}
        }
    }
}

/// Reads a compressed transaction to its end: how many events it holds. What does not inflate
/// whole, or holds a piece of an event, is an error.
pub(super) fn payload(body: Bytes<'_>) -> Result<usize, Fault> {
    let (stored, method, claimed) = payload_fields(body)?;
    if claimed > PAYLOAD_BYTES_MAX {
        return Err(Fault::TooLarge);
    }
    let (events, bytes) = match method {
        ZSTD => {
            let mut inflated =
                zstd::stream::read::Decoder::with_buffer(stored).map_err(|_| Fault::Compressed)?;
            inflated.window_log_max(ZSTD_WINDOW_LOG_MAX).map_err(|_| Fault::Compressed)?;
            count_events(inflated)?
        }
        UNCOMPRESSED => count_events(stored)?,
        _ => return Err(Fault::Compression),
    };
    if bytes != claimed {
        return Err(Fault::Compressed);
    }
    Ok(events)
}

/// The payload, how it is compressed, and the bytes that it comes to.
fn payload_fields(mut body: Bytes<'_>) -> Result<(&[u8], u64, u64), Fault> {
    let (mut method, mut stored, mut inflated) = (None, None, None);
    loop {
        let kind = body.packed()?;
        if kind == PAYLOAD_FIELDS_END {
            break;
        }
        let mut field = Bytes(body.packed_prefixed()?);
        match kind {
            PAYLOAD_STORED => stored = Some(field.count()?),
            PAYLOAD_METHOD => method = Some(field.packed()?),
            PAYLOAD_INFLATED => inflated = Some(field.packed()?),
            _ => {}
        }
    }
    let method = method.ok_or(Fault::Compression)?;
    let payload = match stored {
        Some(length) => body.take(length)?,
        None => body.rest(),
    };
    let inflated = match inflated {
        Some(bytes) => bytes,
        None => wide(payload.len()),
    };
    Ok((payload, method, inflated))
}

/// How many events there are, and how many bytes.
fn count_events(mut inflated: impl Read) -> Result<(usize, u64), Fault> {
    let (mut events, mut bytes) = (0, 0_u64);
    let mut scratch = vec![0; STEP_BYTES];
    let mut header = [0; EVENT_HEADER_BYTES];
    while read_full(&mut inflated, &mut header)? {
        let mut fields = Bytes(&header);
        fields.skip(EVENT_LENGTH_AT)?;
        let length = u64::from(fields.u32()?);
        let mut left = length.checked_sub(wide(EVENT_HEADER_BYTES)).ok_or(Fault::Length)?;
        bytes = bytes.saturating_add(length);
        if bytes > PAYLOAD_BYTES_MAX {
            return Err(Fault::TooLarge);
        }
        while left > 0 {
            let step = usize::try_from(left).unwrap_or(STEP_BYTES).min(STEP_BYTES);
            let part = scratch.get_mut(..step).ok_or(Fault::Length)?;
            inflated.read_exact(part).map_err(|_| Fault::Compressed)?;
            left -= wide(step);
        }
        events += 1;
    }
    Ok((events, bytes))
}

/// Fills the buffer; false at the end of the bytes, if not one of them could be read.
fn read_full(source: &mut impl Read, buffer: &mut [u8]) -> Result<bool, Fault> {
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match source.read(rest).map_err(|_| Fault::Compressed)? {
            0 if filled == 0 => return Ok(false),
            0 => return Err(Fault::Truncated),
            read => filled += read,
        }
    }
    Ok(true)
}

const ZLIB_COLUMN: u8 = 8;
const PAYLOAD_FIELDS_END: u64 = 0;
const PAYLOAD_STORED: u64 = 1;
const PAYLOAD_METHOD: u64 = 2;
const PAYLOAD_INFLATED: u64 = 3;
const ZSTD: u64 = 0;
const UNCOMPRESSED: u64 = 255;
/// 128 MiB of memory, more than any of MySQL's levels asks for.
const ZSTD_WINDOW_LOG_MAX: u32 = 27;
const EVENT_HEADER_BYTES: usize = 19;
const EVENT_LENGTH_AT: usize = 9;
/// What is inflated at a time.
const STEP_BYTES: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::ZlibEncoder;

    use super::*;

    fn deflated(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn stored_event(length: u32, bytes: &[u8]) -> Vec<u8> {
        let mut stored = vec![0x84];
        stored.extend_from_slice(&length.to_be_bytes());
        stored.extend_from_slice(&deflated(bytes));
        stored
    }

    #[test]
    fn events_inflate_to_exactly_what_they_claim() {
        for length in [0_u32, 1, 65_535, 65_536, 65_537, 300_000] {
            let bytes: Vec<u8> =
                (0..length).map(|n| (n.wrapping_mul(n) >> 7).to_le_bytes()[0]).collect();
            let stored = stored_event(length, &bytes);
            assert_eq!(event(Bytes(&stored)).as_deref(), Ok(&bytes[..]));
            let short = &stored[..stored.len() - 1];
            assert!(event(Bytes(short)).is_err());
            let more = stored_event(length + 1, &bytes);
            assert_eq!(event(Bytes(&more)), Err(Fault::Compressed));
            if let Some(less) = length.checked_sub(1) {
                assert_eq!(event(Bytes(&stored_event(less, &bytes))), Err(Fault::Compressed));
            }
        }
        assert_eq!(event(Bytes(&stored_event(u32::MAX, b"x"))), Err(Fault::TooLarge));
        assert_eq!(event(Bytes(&[0x91, 1])), Err(Fault::Compression));
    }

    #[test]
    fn columns_by_every_method() {
        let check = |stored: &[u8], expected: Result<&[u8], Fault>| {
            let mut out = Vec::new();
            let read = column(stored, 100, &mut out);
            let cell = read.map(|()| crate::event::row::split_cell(&out).unwrap().0.unwrap());
            assert_eq!(cell, expected);
        };
        check(b"", Ok(b""));
        check(b"\0plain", Ok(b"plain"));
        let zlib = deflated(&[b'x'; 50]);
        check(&[&[0x81, 50][..], &zlib].concat(), Ok(&[b'x'; 50]));
        let raw = &zlib[2..zlib.len() - 4];
        check(&[&[0x89, 50][..], raw].concat(), Ok(&[b'x'; 50]));
        check(&[&[0x81, 101][..], &zlib].concat(), Err(Fault::TooLarge));
        check(&[&[0x71, 50][..], &zlib].concat(), Err(Fault::Compression));
    }

    fn stored_payload(method: u8, claimed: u8, bytes: &[u8]) -> Vec<u8> {
        let length = u8::try_from(bytes.len()).unwrap();
        let mut stored = vec![2, 1, method, 3, 1, claimed, 1, 1, length, 0];
        if method == 255 {
            stored.splice(1..3, [3, 252, 255, 0]);
        }
        stored.extend_from_slice(bytes);
        stored
    }

    /// A server's header, of which only the length counts here, and some bytes behind it.
    fn inner(behind: u8) -> Vec<u8> {
        let mut event = vec![0; 19 + usize::from(behind)];
        event[9] = 19 + behind;
        event
    }

    #[test]
    fn transactions_are_whole_or_errors() {
        let events = [inner(3), inner(0), inner(40)].concat();
        let claimed = u8::try_from(events.len()).unwrap();
        let compressed = zstd::encode_all(&events[..], 3).unwrap();
        let stored = stored_payload(0, claimed, &compressed);
        assert_eq!(payload(Bytes(&stored)), Ok(3));
        assert_eq!(payload(Bytes(&stored_payload(255, claimed, &events))), Ok(3));
        for length in 0..stored.len() {
            assert!(payload(Bytes(&stored[..length])).is_err(), "{length} bytes");
        }
        let mut corrupt = compressed.clone();
        *corrupt.last_mut().unwrap() ^= 0x55;
        assert!(payload(Bytes(&stored_payload(0, claimed, &corrupt))).is_err());
        // A piece of an event, and other than what is claimed.
        let piece = zstd::encode_all(&events[..events.len() - 1], 3).unwrap();
        assert!(payload(Bytes(&stored_payload(0, claimed - 1, &piece))).is_err());
        let other = stored_payload(0, claimed - 1, &compressed);
        assert_eq!(payload(Bytes(&other)), Err(Fault::Compressed));
        let method = stored_payload(7, claimed, &compressed);
        assert_eq!(payload(Bytes(&method)), Err(Fault::Compression));
    }
}
