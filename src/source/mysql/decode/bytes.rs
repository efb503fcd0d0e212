//! Reads numbers and texts off the front of a server's bytes; what is too short is an error.

use super::error::Fault;

/// What is left of a body to read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bytes<'a>(pub(super) &'a [u8]);

impl<'a> Bytes<'a> {
    pub(super) const fn len(self) -> usize {
        self.0.len()
    }

    pub(super) const fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// Takes all that is left.
    pub(super) fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }

    #[inline]
    pub(super) fn take(&mut self, length: usize) -> Result<&'a [u8], Fault> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(Fault::Truncated)?;
        self.0 = rest;
        Ok(taken)
    }

    #[inline]
    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let (taken, rest) = self.0.split_first_chunk::<N>().ok_or(Fault::Truncated)?;
        self.0 = rest;
        Ok(*taken)
    }

    pub(super) fn skip(&mut self, length: usize) -> Result<(), Fault> {
        self.take(length).map(|_| ())
    }

    #[inline]
    pub(super) fn u8(&mut self) -> Result<u8, Fault> {
        self.array().map(|[byte]| byte)
    }

    #[inline]
    pub(super) fn u16(&mut self) -> Result<u16, Fault> {
        self.array().map(u16::from_le_bytes)
    }

    #[inline]
    pub(super) fn u24(&mut self) -> Result<u32, Fault> {
        self.array().map(|[a, b, c]| u32::from_le_bytes([a, b, c, 0]))
    }

    #[inline]
    pub(super) fn u32(&mut self) -> Result<u32, Fault> {
        self.array().map(u32::from_le_bytes)
    }

    #[inline]
    pub(super) fn u48(&mut self) -> Result<u64, Fault> {
        self.array().map(|[a, b, c, d, e, f]| u64::from_le_bytes([a, b, c, d, e, f, 0, 0]))
    }

    #[inline]
    pub(super) fn u64(&mut self) -> Result<u64, Fault> {
        self.array().map(u64::from_le_bytes)
    }

    /// A whole number of 1 to 8 bytes, lowest first.
    #[inline]
    pub(super) fn little(&mut self, length: u8) -> Result<u64, Fault> {
        let taken = self.take(usize::from(length))?;
        Ok(taken.iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte)))
    }

    /// A whole number of 1 to 8 bytes, highest first.
    #[inline]
    pub(super) fn big(&mut self, length: u8) -> Result<u64, Fault> {
        let taken = self.take(usize::from(length))?;
        Ok(taken.iter().fold(0, |number, &byte| number << 8 | u64::from(byte)))
    }

    /// MySQL's packed integer: one byte up to 250, else its length before it.
    pub(super) fn packed(&mut self) -> Result<u64, Fault> {
        match self.u8()? {
            small @ 0..=250 => Ok(u64::from(small)),
            252 => self.u16().map(u64::from),
            253 => self.u24().map(u64::from),
            254 => self.u64(),
            251 | 255 => Err(Fault::Length),
        }
    }

    /// A packed integer that counts something in memory.
    pub(super) fn count(&mut self) -> Result<usize, Fault> {
        usize::try_from(self.packed()?).map_err(|_| Fault::Length)
    }

    /// Bytes behind their length of `length_bytes` bytes.
    #[inline]
    pub(super) fn prefixed(&mut self, length_bytes: u8) -> Result<&'a [u8], Fault> {
        let length = match length_bytes {
            1 => usize::from(self.u8()?),
            2 => usize::from(self.u16()?),
            more => usize::try_from(self.little(more)?).map_err(|_| Fault::Length)?,
        };
        self.take(length)
    }

    /// Bytes behind their packed length.
    pub(super) fn packed_prefixed(&mut self) -> Result<&'a [u8], Fault> {
        let length = self.count()?;
        self.take(length)
    }
}

/// A length of bytes in memory as one of the wire.
pub(super) fn wide(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_every_length() {
        let bytes = [1, 2, 3, 4, 5, 6, 7, 8];
        let read = || Bytes(&bytes);
        assert_eq!(read().u16(), Ok(0x0201));
        assert_eq!(read().u24(), Ok(0x03_0201));
        assert_eq!(read().u48(), Ok(0x0605_0403_0201));
        assert_eq!(read().little(8), read().u64());
        assert_eq!(read().big(3), Ok(0x01_0203));
        assert_eq!(Bytes(&bytes[..7]).u64(), Err(Fault::Truncated));
    }

    #[test]
    fn packed_integers() {
        assert_eq!(Bytes(&[250]).packed(), Ok(250));
        assert_eq!(Bytes(&[252, 1, 1]).packed(), Ok(257));
        assert_eq!(Bytes(&[253, 0, 0, 1]).packed(), Ok(0x1_0000));
        assert_eq!(Bytes(&[254, 0, 0, 0, 0, 0, 0, 0, 1]).packed(), Ok(1 << 56));
        assert_eq!(Bytes(&[251]).packed(), Err(Fault::Length));
        assert_eq!(Bytes(&[252, 1]).packed(), Err(Fault::Truncated));
    }

    #[test]
    fn a_length_beyond_the_end_takes_nothing() {
        let mut bytes = Bytes(&[3, b'a', b'b']);
        assert_eq!(bytes.prefixed(1), Err(Fault::Truncated));
        assert_eq!(Bytes(&[2, 0, b'a', b'b']).prefixed(2), Ok(&b"ab"[..]));
    }
}
