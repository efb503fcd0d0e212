//! The salted form in which MySQL 8 and 9 keep a `caching_sha2_password`: SHA-crypt with SHA-256
//! (<https://www.akkadia.org/drepper/SHA-crypt.txt>), with a salt of 20 bytes where the original
//! stops at 16.

use sha2::{Digest, Sha256};

/// The bytes of a salt.
pub const SALT_BYTES: usize = 20;

/// A password's salted digest, as in `mysql.user.authentication_string`.
#[derive(Clone, PartialEq, Eq)]
pub struct Salted {
    rounds: u32,
    salt: [u8; SALT_BYTES],
    digest: [u8; 32],
}

impl Salted {
    /// Reads `$A$005$`, 20 bytes of salt, 43 digits of digest.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let rest = text.strip_prefix(b"$A$")?;
        let (thousands, rest) = rest.split_at_checked(3)?;
        let thousands = u32::from_str_radix(str::from_utf8(thousands).ok()?, 16).ok()?;
        let (salt, digits) = rest.strip_prefix(b"$")?.split_at_checked(SALT_BYTES)?;
        let rounds = thousands.checked_mul(ROUNDS_UNIT).filter(|rounds| *rounds > 0)?;
        Some(Self { rounds, salt: salt.try_into().ok()?, digest: decode(digits)? })
    }

    /// A password under a fresh salt.
    pub fn of_password(password: &[u8]) -> Result<Self, getrandom::Error> {
        let mut salt = [0; SALT_BYTES];
        getrandom::fill(&mut salt)?;
        // Digits only, so that the whole can stand in a configuration as text.
        let salt = salt.map(|byte| DIGITS[usize::from(byte) % DIGITS.len()]);
        let rounds = DEFAULT_THOUSANDS * ROUNDS_UNIT;
        Ok(Self { rounds, salt, digest: crypt(password, &salt, rounds) })
    }

    /// Whether this is the password's digest. Takes milliseconds, as it is meant to.
    pub fn is_of(&self, password: &[u8]) -> bool {
        super::auth::same(&crypt(password, &self.salt, self.rounds), &self.digest)
    }
}

/// The form that [`Salted::parse`] reads. The salt of a server's own may hold any 7-bit byte.
impl std::fmt::Display for Salted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let salt = String::from_utf8_lossy(&self.salt);
        write!(f, "$A${:03X}${salt}{}", self.rounds / ROUNDS_UNIT, encode(&self.digest))
    }
}

fn crypt(password: &[u8], salt: &[u8], rounds: u32) -> [u8; 32] {
    let b: [u8; 32] = Sha256::new()
        .chain_update(password)
        .chain_update(salt)
        .chain_update(password)
        .finalize()
        .into();
    let mut a = Sha256::new().chain_update(password).chain_update(salt);
    repeat(&b, password.len(), |part| a.update(part));
    let mut length = password.len();
    while length > 0 {
        a.update(if length & 1 == 1 { &b[..] } else { password });
        length >>= 1;
    }
    let mut digest: [u8; 32] = a.finalize().into();
    let p = sequence(password, password.len(), password.len());
    let s = sequence(salt, 16 + usize::from(digest[0]), salt.len());
    for round in 0..rounds {
        let mut next = Sha256::new();
        next.update(if round & 1 == 1 { &p[..] } else { &digest });
        if round % 3 != 0 {
            next.update(&s);
        }
        if round % 7 != 0 {
            next.update(&p);
        }
        next.update(if round & 1 == 1 { &digest[..] } else { &p });
        digest = next.finalize().into();
    }
    digest
}

/// The digest of `times` copies of `text`, repeated to `length` bytes.
fn sequence(text: &[u8], times: usize, length: usize) -> Vec<u8> {
    let mut hash = Sha256::new();
    (0..times).for_each(|_| hash.update(text));
    let digest: [u8; 32] = hash.finalize().into();
    let mut sequence = Vec::with_capacity(length);
    repeat(&digest, length, |part| sequence.extend_from_slice(part));
    sequence
}

/// Calls `each` with `block` again and again until `length` bytes were seen.
fn repeat(block: &[u8; 32], length: usize, mut each: impl FnMut(&[u8])) {
    (0..length / block.len()).for_each(|_| each(block));
    each(&block[..length % block.len()]);
}

/// The order in which crypt writes a digest's bytes: each group of three becomes four digits.
fn groups() -> impl Iterator<Item = [usize; 3]> {
    (0..10).map(|i| match i % 3 {
        0 => [i, 10 + i, 20 + i],
        1 => [20 + i, i, 10 + i],
        _ => [10 + i, 20 + i, i],
    })
}

fn encode(digest: &[u8; 32]) -> String {
    let digits = |value: u32, count: u32| {
        (0..count).map(move |i| char::from(DIGITS[(value >> (6 * i)) as usize & 63]))
    };
    let value = |[a, b, c]: [usize; 3]| {
        u32::from(digest[a]) << 16 | u32::from(digest[b]) << 8 | u32::from(digest[c])
    };
    let last = u32::from(digest[31]) << 8 | u32::from(digest[30]);
    groups().flat_map(|group| digits(value(group), 4)).chain(digits(last, 3)).collect()
}

fn decode(digits: &[u8]) -> Option<[u8; 32]> {
    let values: Option<Vec<u32>> = digits
        .iter()
        .map(|digit| DIGITS.iter().position(|d| d == digit).and_then(|i| u32::try_from(i).ok()))
        .collect();
    let values = values.filter(|values| values.len() == DIGEST_DIGITS)?;
    let joined = |part: &[u32]| part.iter().rev().fold(0, |value, digit| value << 6 | digit);
    let mut digest = [0; 32];
    for (group, part) in groups().zip(values.chunks(4)) {
        let [_, a, b, c] = joined(part).to_be_bytes();
        group.into_iter().zip([a, b, c]).for_each(|(index, byte)| digest[index] = byte);
    }
    let [_, none, last, before] = joined(&values[40..]).to_be_bytes();
    [digest[31], digest[30]] = [last, before];
    (none == 0).then_some(digest)
}

const ROUNDS_UNIT: u32 = 1000;
/// As MySQL's `caching_sha2_password_digest_rounds` is by default.
const DEFAULT_THOUSANDS: u32 = 5;
const DIGEST_DIGITS: usize = 43;
const DIGITS: &[u8; 64] = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_made_is_read_again() {
        let made = Salted::of_password(b"secret").unwrap();
        let text = made.to_string();
        assert_eq!(text.len(), 70);
        let read = Salted::parse(text.as_bytes()).unwrap();
        assert!(read == made && read.is_of(b"secret") && !read.is_of(b"Secret"));
    }

    #[test]
    fn other_texts_are_refused() {
        let good = Salted::of_password(b"secret").unwrap().to_string();
        for wrong in ["", "$A$", "$A$005$", "$5$abc", &good[..69], &format!("{good}x")] {
            assert!(Salted::parse(wrong.as_bytes()).is_none(), "{wrong}");
        }
        for (from, to) in [("$A$005", "$A$000"), ("$A$005", "$A$00Z"), ("$A$", "$B$")] {
            assert!(Salted::parse(good.replace(from, to).as_bytes()).is_none(), "{to}");
        }
        let digit = format!("{}~", &good[..69]);
        assert!(Salted::parse(digit.as_bytes()).is_none(), "no digit, or too large a last one");
    }
}
