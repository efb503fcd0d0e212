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

/// Eight groups, of which the longest run of zeros is left out, be it one; at the end an IPv4 address
/// where only zeros, or zeros and `ffff`, are before it.
pub(super) fn inet6(stored: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
    let bytes = whole::<16>(stored)?;
    let groups = Ipv6Addr::from(bytes).segments();
    let (start, length) = longest_zeros(&groups);
    let [.., a, b, c, d] = bytes;
    let is_mapped = length == 5 && groups.get(5) == Some(&0xffff);
    let before = if start == 0 && (length == 6 || is_mapped) { 6 } else { groups.len() };
    short_cell(out, |out| {
        for (index, group) in groups.iter().enumerate().take(before) {
            if length > 0 && index == start {
                out.extend_from_slice(b"::");
            } else if index < start || index >= start + length {
                if index > 0 && index != start + length {
                    out.push(b':');
                }
                hex_group(*group, out);
            }
        }
        if before < groups.len() {
            if is_mapped {
                out.push(b':');
            }
            push(out, &Ipv4Addr::new(a, b, c, d));
        }
    });
    Ok(())
}

/// Where the first of the longest runs of zeros begins, and how many they are.
fn longest_zeros(groups: &[u16; 8]) -> (usize, usize) {
    let (mut best, mut run) = ((groups.len(), 0), 0);
    for (index, group) in groups.iter().enumerate() {
        run = if *group == 0 { run + 1 } else { 0 };
        if run > best.1 {
            best = (index + 1 - run, run);
        }
    }
    best
}

/// Without zeros in front.
fn hex_group(group: u16, out: &mut Vec<u8>) {
    let [high, low] = group.to_be_bytes();
    let digits = [high >> 4, high & 0xf, low >> 4, low & 0xf];
    let zeros = digits.iter().take(3).take_while(|digit| **digit == 0).count();
    out.extend(digits.iter().skip(zeros).map(|digit| hex(*digit)));
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
        for (text, expected) in [
            ("1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"),
            ("1:0:3:4:5:6:0:8", "1::3:4:5:6:0:8"),
            ("0:2:3:4:5:6:7:8", "::2:3:4:5:6:7:8"),
            ("1:2:3:4:5:6:7:0", "1:2:3:4:5:6:7::"),
            ("1:0:3:0:0:6:7:8", "1:0:3::6:7:8"),
            ("::1", "::1"),
            ("::1.2.3.4", "::1.2.3.4"),
            ("::ffff:0.0.0.4", "::ffff:0.0.0.4"),
            ("::fffe:1.2.3.4", "::fffe:102:304"),
        ] {
            check(inet6, &text.parse::<Ipv6Addr>().unwrap().octets(), expected);
        }
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
