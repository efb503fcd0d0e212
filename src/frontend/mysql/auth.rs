//! Who may log in, and the proof: caching_sha2_password, its fast path and its full one, and
//! mysql_native_password.
//!
//! An account holds verifiers, never passwords: whoever reads them can check a login but not log in
//! under caching_sha2_password. Pure; the exchange of packets is [`super::connect`]'s.

use std::collections::HashMap;

use sha1::Sha1;
use sha2::{Digest, Sha256};

use super::sha2_crypt::Salted;

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
    caching_sha2: Option<Sha2Verifier>,
    native: Option<[u8; 20]>,
}

/// What tells whether a password is right under caching_sha2_password.
#[derive(Clone, PartialEq, Eq)]
enum Sha2Verifier {
    /// SHA256(SHA256(password)): proves the fast path at once.
    Digest([u8; 32]),
    /// As MySQL keeps it: the first login must show the password.
    Salted(Salted),
    /// Of a user that does not exist: nothing is right.
    Nothing,
}

/// Never shows a verifier: logs are read by many.
impl std::fmt::Debug for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Account")
    }
}

/// A verifier's text is not what it must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the verifier of {} must be {form}", plugin.name())]
pub struct VerifierError {
    plugin: Plugin,
    form: &'static str,
}

impl Account {
    /// An account whose password is empty.
    pub const NO_PASSWORD: Self = Self { caching_sha2: None, native: None };

    /// An account by its verifiers: `$A$005$...` as in MySQL's authentication_string (or the hex of
    /// it, behind 0x) or SHA256(SHA256(password)) in hex; and SHA1(SHA1(password)) in hex, maybe
    /// behind an asterisk.
    pub fn of_verifiers(
        caching_sha2: Option<&str>,
        native: Option<&str>,
    ) -> Result<Self, VerifierError> {
        let caching_sha2 = caching_sha2.map(|text| sha2_verifier(text).ok_or(SHA2_FORM));
        let native = native.map(|text| {
            hex(text.strip_prefix('*').unwrap_or(text))
                .and_then(|bytes| bytes.try_into().ok())
                .ok_or(NATIVE_FORM)
        });
        Ok(Self { caching_sha2: caching_sha2.transpose()?, native: native.transpose()? })
    }

    /// An account by its password, proven by either plugin.
    pub fn of_password(password: &str) -> Self {
        if password.is_empty() {
            return Self::NO_PASSWORD;
        }
        let native = native_digest(password.as_bytes());
        Self {
            caching_sha2: Some(Sha2Verifier::Digest(fast_digest(password.as_bytes()))),
            native: Some(native),
        }
    }

    /// The plugin to prove the password by: the client's own, if the account has a verifier for it,
    /// and mysql_native_password for a client whose own is neither. None where there is nothing to
    /// prove.
    pub fn plugin(&self, offered: Option<Plugin>) -> Option<Plugin> {
        match (&self.caching_sha2, &self.native, offered) {
            (None, None, _) => None,
            (_, Some(_), Some(Plugin::Native) | None) | (None, Some(_), _) => Some(Plugin::Native),
            (Some(_), _, _) => Some(Plugin::CachingSha2),
        }
    }

    /// Whether `response`, given to `salt`, proves the password by mysql_native_password; without a
    /// plugin, that there is none.
    pub fn accepts(
        &self,
        plugin: Option<Plugin>,
        salt: &[u8; SALT_BYTES],
        response: &[u8],
    ) -> bool {
        match (plugin, self.native) {
            // An empty password is answered with nothing, by some clients with a zero byte.
            (None, None) => self.caching_sha2.is_none() && matches!(response, [] | [0]),
            (Some(Plugin::Native), Some(stored)) => {
                let candidate = unmask(response, sha1(&[salt, &stored]));
                candidate.is_some_and(|candidate| same(&sha1(&[&candidate]), &stored))
            }
            (Some(Plugin::Native) | None, _) | (Some(Plugin::CachingSha2), _) => false,
        }
    }

    /// What caching_sha2_password's fast path compares with, if the verifier alone gives it.
    pub const fn fast_digest(&self) -> Option<[u8; 32]> {
        match self.caching_sha2 {
            Some(Sha2Verifier::Digest(digest)) => Some(digest),
            Some(Sha2Verifier::Salted(_) | Sha2Verifier::Nothing) | None => None,
        }
    }

    /// Whether this is the password, by caching_sha2_password's verifier. May take milliseconds.
    pub fn is_password(&self, password: &[u8]) -> bool {
        match &self.caching_sha2 {
            Some(Sha2Verifier::Digest(digest)) => same(&fast_digest(password), digest),
            Some(Sha2Verifier::Salted(salted)) => salted.is_of(password),
            Some(Sha2Verifier::Nothing) | None => false,
        }
    }
}

/// SHA256(SHA256(password)).
pub fn fast_digest(password: &[u8]) -> [u8; 32] {
    sha256(&[&sha256(&[password])])
}

/// SHA1(SHA1(password)), mysql_native_password's verifier.
pub fn native_digest(password: &[u8]) -> [u8; 20] {
    sha1(&[&sha1(&[password])])
}

/// Whether `response`, given to `salt`, proves by caching_sha2_password's fast path that the client
/// knows the password of this digest.
pub fn proves_fast(digest: &[u8; 32], salt: &[u8; SALT_BYTES], response: &[u8]) -> bool {
    let candidate = unmask(response, sha256(&[digest, salt]));
    candidate.is_some_and(|candidate| same(&sha256(&[&candidate]), digest))
}

/// The password that a client hid under the salt, and ended with a zero, before it encrypted it.
pub fn unhide(mut hidden: Vec<u8>, salt: &[u8; SALT_BYTES]) -> Option<Vec<u8>> {
    hidden.iter_mut().zip(salt.iter().cycle()).for_each(|(byte, salt)| *byte ^= salt);
    (hidden.pop() == Some(0)).then_some(hidden)
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
                .unwrap_or(Account { caching_sha2: Some(Sha2Verifier::Nothing), native: None }),
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
pub fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |differ, (a, b)| differ | (a ^ b)) == 0
}

fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    parts.iter().fold(Sha256::new(), |hash, part| hash.chain_update(part)).finalize().into()
}

fn sha1(parts: &[&[u8]]) -> [u8; 20] {
    parts.iter().fold(Sha1::new(), |hash, part| hash.chain_update(part)).finalize().into()
}

fn sha2_verifier(text: &str) -> Option<Sha2Verifier> {
    if text.starts_with('$') {
        return Salted::parse(text.as_bytes()).map(Sha2Verifier::Salted);
    }
    if let Some(digits) = text.strip_prefix("0x") {
        return Salted::parse(&hex(digits)?).map(Sha2Verifier::Salted);
    }
    hex(text)?.try_into().ok().map(Sha2Verifier::Digest)
}

fn hex(digits: &str) -> Option<Vec<u8>> {
    if !digits.len().is_multiple_of(2) || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    let pairs = digits.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok()).collect()
}

const SHA2_FORM: VerifierError = VerifierError {
    plugin: Plugin::CachingSha2,
    form: "$A$005$... as in MySQL's authentication_string, its hex behind 0x, or 64 hex digits",
};
const NATIVE_FORM: VerifierError =
    VerifierError { plugin: Plugin::Native, form: "40 hex digits, maybe behind an asterisk" };

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
            let accepts = |salt, response: &[u8]| match plugin {
                Plugin::CachingSha2 => proves_fast(&account.fast_digest().unwrap(), salt, response),
                Plugin::Native => account.accepts(Some(plugin), salt, response),
            };
            assert!(accepts(SALT, &response(plugin, "secret", SALT)));
            assert!(!accepts(SALT, &response(plugin, "Secret", SALT)));
            assert!(!accepts(b"tsrqponmlkjihgfedcba", &response(plugin, "secret", SALT)));
            for wrong in [&b""[..], b"\0", b"short", &[0; 64]] {
                assert!(!accepts(SALT, wrong));
            }
        }
        assert_eq!(account.plugin(None), Some(Plugin::Native));
        assert!(account.is_password(b"secret") && !account.is_password(b"Secret"));
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
        assert!(Account::of_verifiers(None, Some(&format!("*{native}"))).is_ok());
        for wrong in ["secret", "14", "", "é", &"z".repeat(64), "$A$005$", "0x24"] {
            assert!(Account::of_verifiers(Some(wrong), None).is_err(), "{wrong}");
        }
        let salted = Salted::of_password(b"secret").unwrap().to_string();
        let hex: String = salted.bytes().map(|byte| format!("{byte:02X}")).collect();
        for text in [salted, format!("0x{hex}")] {
            let account = Account::of_verifiers(Some(&text), None).unwrap();
            assert_eq!(account.fast_digest(), None);
            assert!(account.is_password(b"secret") && !account.is_password(b""));
        }
    }

    /// What MySQL 9.7 keeps in authentication_string after CREATE USER; salts hold any 7-bit byte.
    #[test]
    fn a_servers_own_verifiers_are_understood() {
        let of_server = [
            (
                "secret",
                "24412430304124306C264F3A0B0B40351D3E6E084877790E5C11306152756433555359456D7959547A\
                 4D376A474D594976797242455A6A777470454759564B6D437962617438",
            ),
            (
                "a longer password, with more than thirty-two bytes",
                "244124303035247D684C610D6B333C1C2A6F54302F341123062A3F69506762787A7A527365742F5935\
                 7A6E2F6D4D7168552E6F326C4855576D61332E6535546E4274536C4843",
            ),
            (
                "gr\u{fc}n",
                "24412430303524255E651705356C633D2B107F027A452768395974395343753638644A76437369626D\
                 304A526C47655054314F33664B54523449706B44324466535764544B43",
            ),
        ];
        for (password, text) in of_server {
            let account = Account::of_verifiers(Some(&format!("0x{text}")), None).unwrap();
            assert!(account.is_password(password.as_bytes()), "{password}");
            assert!(!account.is_password(b"wrong") && !account.is_password(b""));
        }
    }

    #[test]
    fn hidden_passwords_are_shown() {
        let hidden: Vec<_> = b"secret, and longer than the salt\0"
            .iter()
            .zip(SALT.iter().cycle())
            .map(|(byte, salt)| byte ^ salt)
            .collect();
        let shown = unhide(hidden.clone(), SALT);
        assert_eq!(shown.as_deref(), Some(&b"secret, and longer than the salt"[..]));
        assert_eq!(unhide(hidden[..9].to_vec(), SALT), None, "no zero at the end");
        assert_eq!(unhide(Vec::new(), SALT), None);
    }

    #[test]
    fn salts_are_seven_bit_and_differ() {
        let (a, b) = (salt().unwrap(), salt().unwrap());
        assert!(a.iter().all(|byte| (1..=0x7f).contains(byte)));
        assert_ne!(a, b);
    }
}
