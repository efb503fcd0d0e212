//! MariaDB's UUID, INET4 and INET6. The log stores them as BINARY, without the zeros at their end.

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::event::print::short_cell;

use super::error::Fault;

/// A UUID: its five parts in reverse order where its version has the time first, so that an index
/// keeps equal machines together.
pub(super) fn uuid(stored: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
    let stored: [u8; 16] = whole(stored)?;
    let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = stored;
    let is_reversed = g & 0x80 != 0 && (1..0x60).contains(&i);
    let bytes = if is_reversed { [m, n, o, p, k, l, i, j, g, h, a, b, c, d, e, f] } else { stored };
    short_cell(out, |out| {
        for (index, byte) in bytes.iter().enumerate() {
            if matches!(index, 4 | 6 | 8 | 10) {
                out.push(b'-');
            }
            out.extend_from_slice(&[hex(byte >> 4), hex(byte & 0xf)]);
        }
    });
    Ok(())
}

pub(super) fn inet4(stored: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
    let address = Ipv4Addr::from(whole::<4>(stored)?);
    short_cell(out, |out| push(out, &address));
    Ok(())
}

pub(super) fn inet6(stored: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
    let bytes = whole::<16>(stored)?;
    let address = Ipv6Addr::from(bytes);
    short_cell(out, |out| match bytes {
        // Compatible with IPv4: MariaDB prints the last four bytes so, unless only they are small.
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, a, b, c, d] if a != 0 || b != 0 => {
            out.extend_from_slice(b"::");
            push(out, &Ipv4Addr::new(a, b, c, d));
        }
        _ => push(out, &address),
    });
    Ok(())
}

fn whole<const N: usize>(stored: &[u8]) -> Result<[u8; N], Fault> {
    let mut bytes = [0; N];
    bytes.get_mut(..stored.len()).ok_or(Fault::Length)?.copy_from_slice(stored);
    Ok(bytes)
}

const fn hex(digit: u8) -> u8 {
    match digit {
        0..=9 => b'0' + digit,
        _ => b'a' + digit - 10,
    }
}

fn push(out: &mut Vec<u8>, address: &impl std::fmt::Display) {
    use std::io::Write as _;
    // A Vec takes everything.
    let _ = write!(out, "{address}");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(decode: fn(&[u8], &mut Vec<u8>) -> Result<(), Fault>, stored: &[u8], expected: &str) {
        let mut out = Vec::new();
        decode(stored, &mut out).unwrap();
        assert_eq!(std::str::from_utf8(&out[1..]).unwrap(), expected);
    }

    #[test]
    fn addresses_without_the_zeros_at_their_end() {
        check(inet4, &[10], "10.0.0.0");
        check(inet4, &[192, 168, 1, 255], "192.168.1.255");
        check(inet6, &[], "::");
        check(inet6, &[0x20, 0x01, 0x0d, 0xb8], "2001:db8::");
        assert_eq!(inet4(&[0; 5], &mut Vec::new()), Err(Fault::Length));
    }

    #[test]
    fn uuids_in_both_orders() {
        let stored = [0xa, 0xb, 0xc, 0xd, 0xe, 0xf, 0x91, 0x23, 0x41, 0x23, 5, 6, 1, 2, 3, 4];
        check(uuid, &stored, "01020304-0506-4123-9123-0a0b0c0d0e0f");
        let stored = [1, 2, 3, 4, 5, 6, 0x71, 0x23, 0x91, 0x23, 1, 2, 3, 4, 5];
        check(uuid, &stored, "01020304-0506-7123-9123-010203040500");
    }
}
