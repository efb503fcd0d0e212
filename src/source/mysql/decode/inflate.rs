//! What MariaDB compresses: columns, queries and row events. Nothing inflates beyond a bound, whatever
//! its header claims.

use flate2::{Decompress, FlushDecompress, Status};

use crate::event::row::push_length;

use super::bytes::{Bytes, wide};
use super::error::Fault;

/// The most that one compressed event or value may come to: servers send no larger event.
pub const INFLATED_BYTES_MAX: usize = 1 << 30;

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

const ZLIB_COLUMN: u8 = 8;
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
}
