//! Who may log in, and the proof: caching_sha2_password's fast path and mysql_native_password.
//!
//! An account holds verifiers, never passwords: whoever reads them can check a login but not log in
//! under caching_sha2_password. Pure; the exchange of packets is [`super::connect`]'s.

use std::collections::HashMap;

use sha1::Sha1;
use sha2::{Digest, Sha256};

/// The bytes of a greeting's salt.
pub const SALT_BYTES: usize = 20;

/// How a password is proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plugin {
    /// `caching_sha2_password`.
    CachingSha2,
    /// `mysql_native_password`.
    Native,
}

impl Plugin {
    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::CachingSha2 => "caching_sha2_password",
            Self::Native => "mysql_native_password",
        }
    }

    /// The plugin of this name.
    pub fn named(name: &[u8]) -> Option<Self> {
        [Self::CachingSha2, Self::Native]
            .into_iter()
            .find(|plugin| plugin.name().as_bytes() == name)
    }
}

/// What a user must prove.
#[derive(Clone, PartialEq, Eq)]
pub struct Account {
    caching_sha2: Option<[u8; 32]>,
    native: Option<[u8; 20]>,
}

/// Never shows a verifier: logs are read by many.
impl std::fmt::Debug for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Account")
    }
}

/// A verifier's text is not what it must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the verifier of {} must be {digits} hex digits", plugin.name())]
pub struct VerifierError {
    plugin: Plugin,
    digits: usize,
}

impl Account {
    /// An account whose password is empty.
    pub const NO_PASSWORD: Self = Self { caching_sha2: None, native: None };

    /// An account by its verifiers in hex: SHA256(SHA256(password)) and SHA1(SHA1(password)).
    pub fn of_verifiers(
        caching_sha2: Option<&str>,
        native: Option<&str>,
    ) -> Result<Self, VerifierError> {
        let caching_sha2 = caching_sha2.map(|digits| {
            hex(digits).ok_or(VerifierError { plugin: Plugin::CachingSha2, digits: 64 })
        });
        let native = native
            .map(|digits| hex(digits).ok_or(VerifierError { plugin: Plugin::Native, digits: 40 }));
        Ok(Self { caching_sha2: caching_sha2.transpose()?, native: native.transpose()? })
    }

    /// An account by its password, proven by either plugin.
    pub fn of_password(password: &str) -> Self {
        if password.is_empty() {
            return Self::NO_PASSWORD;
        }
        let password = password.as_bytes();
        Self {
            caching_sha2: Some(sha256(&[&sha256(&[password])])),
            native: Some(sha1(&[&sha1(&[password])])),
        }
    }

    /// The plugin to prove the password by: the client's own, if the account has a verifier for it.
    /// None where there is nothing to prove.
    pub fn plugin(&self, offered: Option<Plugin>) -> Option<Plugin> {
        match (self.caching_sha2, self.native, offered) {
            (None, None, _) => None,
            (_, Some(_), Some(Plugin::Native)) | (None, Some(_), _) => Some(Plugin::Native),
            (Some(_), _, _) => Some(Plugin::CachingSha2),
        }
    }

    /// Whether `response`, given to `salt` by this plugin, proves the password.
    pub fn accepts(
        &self,
        plugin: Option<Plugin>,
        salt: &[u8; SALT_BYTES],
        response: &[u8],
    ) -> bool {
        match (plugin, self.caching_sha2, self.native) {
            // An empty password is answered with nothing, by some clients with a zero byte.
            (_, None, None) => matches!(response, [] | [0]),
            (Some(Plugin::CachingSha2), Some(stored), _) => {
                let candidate = unmask(response, sha256(&[&stored, salt]));
                candidate.is_some_and(|candidate| same(&sha256(&[&candidate]), &stored))
            }
            (Some(Plugin::Native), _, Some(stored)) => {
                let candidate = unmask(response, sha1(&[salt, &stored]));
                candidate.is_some_and(|candidate| same(&sha1(&[&candidate]), &stored))
            }
            (None, _, _) | (Some(_), _, _) => false,
        }
    }
}

/// Everybody who may log in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Accounts {
    /// Nobody was configured: any name without a password, from this machine only.
    Anybody,
    /// These users.
    Users(HashMap<String, Account>),
}

impl Accounts {
    /// What `user` must prove. A name that does not exist gets an account that nothing satisfies, so
    /// that its login takes the same course as a wrong password's.
    pub fn account(&self, user: &str) -> Account {
        match self {
            Self::Anybody => Account::NO_PASSWORD,
            Self::Users(users) => users
                .get(user)
                .cloned()
                .unwrap_or(Account { caching_sha2: Some([0; 32]), native: None }),
        }
    }
}

/// A fresh salt: 7 bits per byte and no zero among them, else some clients compute another scramble.
pub fn salt() -> Result<[u8; SALT_BYTES], getrandom::Error> {
    let mut salt = [0; SALT_BYTES];
    getrandom::fill(&mut salt)?;
    Ok(salt.map(|byte| byte % 0x7f + 1))
}

fn unmask<const N: usize>(response: &[u8], mut mask: [u8; N]) -> Option<[u8; N]> {
    let response: &[u8; N] = response.try_into().ok()?;
    mask.iter_mut().zip(response).for_each(|(byte, masked)| *byte ^= masked);
    Some(mask)
}

/// Compares in a time that does not depend on where the bytes differ.
fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |differ, (a, b)| differ | (a ^ b)) == 0
}

fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    parts.iter().fold(Sha256::new(), |hash, part| hash.chain_update(part)).finalize().into()
}

fn sha1(parts: &[&[u8]]) -> [u8; 20] {
    parts.iter().fold(Sha1::new(), |hash, part| hash.chain_update(part)).finalize().into()
}

fn hex<const N: usize>(digits: &str) -> Option<[u8; N]> {
    if digits.len() != 2 * N || !digits.is_ascii() {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SALT: &[u8; SALT_BYTES] = b"abcdefghijklmnopqrst";

    /// What a client answers.
    fn response(plugin: Plugin, password: &str, salt: &[u8; SALT_BYTES]) -> Vec<u8> {
        let password = password.as_bytes();
        match plugin {
            Plugin::CachingSha2 => {
                let once = sha256(&[password]);
                let mask = sha256(&[&sha256(&[&once]), salt]);
                once.iter().zip(mask).map(|(a, b)| a ^ b).collect()
            }
            Plugin::Native => {
                let once = sha1(&[password]);
                let mask = sha1(&[salt, &sha1(&[&once])]);
                once.iter().zip(mask).map(|(a, b)| a ^ b).collect()
            }
        }
    }

    #[test]
    fn only_the_password_is_accepted() {
        let account = Account::of_password("secret");
        for plugin in [Plugin::CachingSha2, Plugin::Native] {
            assert_eq!(account.plugin(Some(plugin)), Some(plugin));
            let accepts = |salt, response: &[u8]| account.accepts(Some(plugin), salt, response);
            assert!(accepts(SALT, &response(plugin, "secret", SALT)));
            assert!(!accepts(SALT, &response(plugin, "Secret", SALT)));
            assert!(!accepts(b"tsrqponmlkjihgfedcba", &response(plugin, "secret", SALT)));
            for wrong in [&b""[..], b"\0", b"short", &[0; 64]] {
                assert!(!accepts(SALT, wrong));
            }
        }
        assert!(Account::NO_PASSWORD.accepts(None, SALT, b""));
        let response = response(Plugin::Native, "x", SALT);
        assert!(!Account::NO_PASSWORD.accepts(Some(Plugin::Native), SALT, &response));
    }

    #[test]
    fn verifiers_are_read_from_hex() {
        let native = "14E65567ABDB5135D0CFD9A70B3032C179A49EE7";
        let account = Account::of_verifiers(None, Some(native)).unwrap();
        assert_eq!(account.native, Account::of_password("secret").native);
        assert_eq!(account.plugin(Some(Plugin::CachingSha2)), Some(Plugin::Native));
        for wrong in ["secret", "14", "", "é", &"z".repeat(64)] {
            assert!(Account::of_verifiers(Some(wrong), None).is_err(), "{wrong}");
        }
    }

    #[test]
    fn salts_are_seven_bit_and_differ() {
        let (a, b) = (salt().unwrap(), salt().unwrap());
        assert!(a.iter().all(|byte| (1..=0x7f).contains(byte)));
        assert_ne!(a, b);
    }
}
