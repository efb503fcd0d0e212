//! MySQL's compressed transactions: the events in them, inflated one by one.

use std::fmt;
use std::io::{self, ErrorKind, Read};

use bytes::{Buf, Bytes};
use zstd::zstd_safe::{DCtx, DParameter, InBuffer, OutBuffer, ResetDirective};

use super::DecodeError;
use super::bytes::{Bytes as Fields, wide};
use super::error::Fault;
use super::frame::{HEADER_BYTES, LogEvent, header};
use super::inflate::INFLATED_BYTES_MAX;

/// The most that a compressed transaction may come to. It is read in pieces and never held.
pub const PAYLOAD_BYTES_MAX: u64 = 1 << 36;

/// Reads compressed transactions, one after the other.
#[derive(Default)]
pub struct PayloadReader {
    inflated: Inflated,
    /// What the transaction has come to, of what it claims to come to.
    bytes: u64,
    claimed: u64,
}

impl fmt::Debug for PayloadReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PayloadReader({} of {} bytes)", self.bytes, self.claimed)
    }
}

/// The bytes of a transaction.
#[derive(Default)]
struct Inflated {
    stored: Bytes,
    is_compressed: bool,
    /// All of the frame was read that the compressed bytes are in.
    is_whole: bool,
    /// Kept from one transaction to the next: most are small, and it is not.
    zstd: Option<DCtx<'static>>,
}

impl Inflated {
    fn begin(&mut self, stored: Bytes, is_compressed: bool) -> Result<(), Fault> {
        (self.stored, self.is_compressed, self.is_whole) = (stored, is_compressed, false);
        if is_compressed {
            let zstd = self.zstd.get_or_insert_with(DCtx::create);
            let reset = zstd.reset(ResetDirective::SessionOnly);
            reset
                .and_then(|_| zstd.set_parameter(DParameter::WindowLogMax(ZSTD_WINDOW_LOG_MAX)))
                .map_err(|_| Fault::Compressed)?;
        }
        Ok(())
    }

    /// Lets go of what it took to inflate a transaction, if that was much.
    fn end(&mut self) {
        (self.stored, self.is_compressed) = (Bytes::new(), false);
        self.zstd.take_if(|zstd| zstd.sizeof() > KEPT_BYTES_MAX);
    }
}

impl Read for Inflated {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(zstd) = self.zstd.as_mut().filter(|_| self.is_compressed) else {
            return (&mut self.stored).reader().read(buffer);
        };
        while !self.is_whole || self.stored.has_remaining() {
            let mut input = InBuffer::around(&self.stored);
            let mut output = OutBuffer::around(&mut *buffer);
            let missing = zstd.decompress_stream(&mut output, &mut input);
            let (read, written) = (input.pos(), output.pos());
            self.is_whole = missing.map_err(|_| ErrorKind::InvalidData)? == 0;
            self.stored.advance(read);
            match (read, written) {
                (0, 0) => return Err(ErrorKind::UnexpectedEof.into()),
                (_, 0) => {}
                _ => return Ok(written),
            }
        }
        Ok(0)
    }
}

impl PayloadReader {
    /// Begins to read the body of a TRANSACTION_PAYLOAD event.
    pub fn open(&mut self, body: Bytes) -> Result<(), DecodeError> {
        self.begin(&body).map_err(payload)
    }

    fn begin(&mut self, body: &Bytes) -> Result<(), Fault> {
        let (stored, method, claimed) = fields(Fields(body))?;
        if claimed > PAYLOAD_BYTES_MAX {
            return Err(Fault::TooLarge);
        }
        let is_compressed = match method {
            ZSTD => true,
            UNCOMPRESSED => false,
            _ => return Err(Fault::Compression),
        };
        (self.bytes, self.claimed) = (0, claimed);
        self.inflated.begin(body.slice_ref(stored), is_compressed)
    }

    /// The next event, which has no checksum of its own; `None` once the transaction was found to be
    /// whole, and before there is one.
    pub fn next_event(&mut self) -> Result<Option<LogEvent>, DecodeError> {
        self.read_event().map_err(payload)
    }

    fn read_event(&mut self) -> Result<Option<LogEvent>, Fault> {
        let mut fields = [0; HEADER_BYTES];
        if !read_full(&mut self.inflated, &mut fields)? {
            self.inflated.end();
            return match self.bytes == self.claimed {
                true => Ok(None),
                false => Err(Fault::Compressed),
            };
        }
        let (event, length) = header(Fields(&fields))?;
        let length = usize::try_from(length).map_err(|_| Fault::Length)?;
        let behind = length.checked_sub(HEADER_BYTES).ok_or(Fault::Length)?;
        self.bytes += wide(length);
        if self.bytes > self.claimed || length > INFLATED_BYTES_MAX {
            return Err(Fault::TooLarge);
        }
        // Memory follows what really inflates, not what is claimed.
        let mut body = Vec::with_capacity(behind.min(STEP_BYTES));
        let read = (&mut self.inflated).take(wide(behind)).read_to_end(&mut body);
        if read.map_err(|_| Fault::Compressed)? != behind {
            return Err(Fault::Truncated);
        }
        Ok(Some(LogEvent::new(event, body.into())))
    }
}

/// The payload, how it is compressed, and the bytes that it comes to.
fn fields(mut body: Fields<'_>) -> Result<(&[u8], u64, u64), Fault> {
    let (mut method, mut stored, mut inflated) = (None, None, None);
    loop {
        let kind = body.packed()?;
        if kind == FIELDS_END {
            break;
        }
        let mut field = Fields(body.packed_prefixed()?);
        match kind {
            STORED => stored = Some(field.count()?),
            METHOD => method = Some(field.packed()?),
            INFLATED => inflated = Some(field.packed()?),
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

const fn payload(fault: Fault) -> DecodeError {
    DecodeError::Event { event: "TRANSACTION_PAYLOAD", fault }
}

const FIELDS_END: u64 = 0;
const STORED: u64 = 1;
const METHOD: u64 = 2;
const INFLATED: u64 = 3;
const ZSTD: u64 = 0;
const UNCOMPRESSED: u64 = 255;
/// 128 MiB of memory, more than any of MySQL's levels asks for.
const ZSTD_WINDOW_LOG_MAX: u32 = 27;
/// Enough for MySQL's usual level of compression, whose window is 2 MiB.
const KEPT_BYTES_MAX: usize = 4 << 20;
/// What is made room for before it has come.
const STEP_BYTES: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn stored(method: u8, claimed: u8, bytes: &[u8]) -> Vec<u8> {
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
        let mut event = vec![behind; 19 + usize::from(behind)];
        event[9..13].copy_from_slice(&[19 + behind, 0, 0, 0]);
        event
    }

    fn read(body: &[u8]) -> Result<Vec<Vec<u8>>, Fault> {
        read_on(&mut PayloadReader::default(), body)
    }

    fn read_on(payload: &mut PayloadReader, body: &[u8]) -> Result<Vec<Vec<u8>>, Fault> {
        assert_eq!(payload.read_event(), Ok(None));
        payload.begin(&Bytes::copy_from_slice(body))?;
        let mut events = Vec::new();
        while let Some(event) = payload.read_event()? {
            events.push(event.raw().body.to_vec());
        }
        Ok(events)
    }

    #[test]
    fn transactions_are_whole_or_errors() {
        let events = [vec![3; 3], vec![], vec![40; 40]];
        let bytes = [inner(3), inner(0), inner(40)].concat();
        let claimed = u8::try_from(bytes.len()).unwrap();
        let compressed = zstd::encode_all(&bytes[..], 3).unwrap();
        let whole = stored(0, claimed, &compressed);
        assert_eq!(read(&whole).unwrap(), events);
        assert_eq!(read(&stored(255, claimed, &bytes)).unwrap(), events);
        for length in 0..whole.len() {
            assert!(read(&whole[..length]).is_err(), "{length} bytes");
        }
        let mut corrupt = compressed.clone();
        *corrupt.last_mut().unwrap() ^= 0x55;
        assert!(read(&stored(0, claimed, &corrupt)).is_err());
        // A piece of an event, more than what is claimed, and less.
        let piece = zstd::encode_all(&bytes[..bytes.len() - 1], 3).unwrap();
        assert_eq!(read(&stored(0, claimed, &piece)), Err(Fault::Truncated));
        assert_eq!(read(&stored(0, claimed - 1, &compressed)), Err(Fault::TooLarge));
        assert_eq!(read(&stored(0, claimed + 1, &compressed)), Err(Fault::Compressed));
        assert_eq!(read(&stored(7, claimed, &compressed)), Err(Fault::Compression));
        assert!(read(&stored(0, 0, &[])).is_err());
    }

    #[test]
    fn what_inflates_one_transaction_inflates_the_next() {
        let mut payload = PayloadReader::default();
        let compressed = |behind: u8, window_log: u32| {
            let mut encoder = zstd::Encoder::new(Vec::new(), 3).unwrap();
            encoder.window_log(window_log).unwrap();
            encoder.write_all(&inner(behind)).unwrap();
            stored(0, 19 + behind, &encoder.finish().unwrap())
        };
        let mut check = |window_log, is_kept| {
            for behind in [1, 100] {
                let body = compressed(behind, window_log);
                let expected = vec![vec![behind; usize::from(behind)]];
                assert_eq!(read_on(&mut payload, &body), Ok(expected));
                assert_eq!(payload.inflated.zstd.is_some(), is_kept, "{window_log}");
            }
            let plain = read_on(&mut payload, &stored(255, 22, &inner(3)));
            assert_eq!(plain, Ok(vec![vec![3; 3]]));
        };
        check(21, true);
        check(25, false);
        check(27, false);
        check(10, true);
        let too_wide = compressed(1, 28);
        assert_eq!(read_on(&mut payload, &too_wide), Err(Fault::Compressed));
    }
}
