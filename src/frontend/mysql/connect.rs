//! The connection phase: greeting, TLS, login packet, the proof of a password, and MySQL's own
//! errors.
//!
//! All of it happens on our link, before opensrv exists for the connection: opensrv sees neither a
//! stranger's login packet nor a password.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::auth::{self, Account, Accounts, Plugin, SALT_BYTES};
use super::charsets::Results;
use super::error::{self, Failure};
use super::identity::Identity;
use super::link::{Link, LinkError};
use super::opensrv::{CapabilityFlags, StatusFlags};
use super::registry::ConnectionId;
use super::variables::SERVER_VERSION;
use super::wire::{Fields, push_failure};
use crate::event::CollationId;

/// Who logged in, and how the client speaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// The account.
    pub user: String,
    /// The database that the client wants to be in; empty for none.
    pub database: String,
    /// What both sides can do.
    pub capabilities: CapabilityFlags,
    /// The collation of the client's texts.
    pub collation: CollationId,
}

/// Why a login failed.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// The client cannot be read from.
    #[error("reading the login failed")]
    Link(#[from] LinkError),
    /// The client's packet is no login.
    #[error("the login packet is malformed")]
    Malformed,
    /// A connection in the clear, where TLS is required.
    #[error("the connection is not under TLS")]
    Insecure,
    /// Wrong user or password.
    #[error("access denied for user {user:?}")]
    Denied {
        /// Who tried.
        user: String,
        /// Whether a password was sent.
        password: bool,
    },
}

impl LoginError {
    /// What the client is told; nothing if it is gone.
    pub fn failure(&self, host: &str) -> Option<Failure> {
        match self {
            Self::Link(error) => error::of_link(error),
            Self::Malformed => Some(error::BAD_HANDSHAKE.with("Bad handshake")),
            Self::Insecure => Some(error::INSECURE.with(
                "Connections using insecure transport are prohibited while \
                 --require_secure_transport=ON.",
            )),
            Self::Denied { user, password } => {
                let using = if *password { "YES" } else { "NO" };
                Some(error::ACCESS_DENIED.with(format!(
                    "Access denied for user '{user}'@'{host}' (using password: {using})"
                )))
            }
        }
    }
}

/// Who may come in, and how they prove who they are.
#[derive(Debug)]
pub struct Entrance {
    /// Who may log in.
    pub accounts: Accounts,
    /// What the door proves itself by.
    pub identity: Arc<Identity>,
    /// Whether everybody must use TLS.
    pub tls_required: bool,
    /// The digests of passwords that were shown, so that their users need not show them again.
    shown: Mutex<HashMap<String, [u8; 32]>>,
}

impl Entrance {
    /// An entrance where nobody has shown a password yet.
    pub fn new(accounts: Accounts, identity: Arc<Identity>, tls_required: bool) -> Self {
        Self { accounts, identity, tls_required, shown: Mutex::default() }
    }

    /// Greets the client and lets it prove who it is. The caller bounds the time, and answers the
    /// OK.
    pub async fn login(
        &self,
        link: &mut Link,
        id: ConnectionId,
        salt: &[u8; SALT_BYTES],
    ) -> Result<Login, LoginError> {
        link.write(|out| push_greeting(out, id, salt));
        link.flush().await.map_err(LinkError::from)?;
        let mut payload = read(link).await?;
        if asks_for_tls(&payload) {
            link.begin_tls(self.identity.tls()).await.map_err(LinkError::from)?;
            payload = read(link).await?;
        }
        if self.tls_required && link.agreed().is_none() {
            return Err(LoginError::Insecure);
        }
        let response = Response::parse(&payload).ok_or(LoginError::Malformed)?;
        self.prove(link, salt, &response).await?;
        Ok(response.login)
    }

    /// Lets the client prove that it is somebody else, as COM_CHANGE_USER asks with `payload`; it
    /// can do what it could before.
    pub async fn change_user(
        &self,
        link: &mut Link,
        salt: &[u8; SALT_BYTES],
        capabilities: CapabilityFlags,
        payload: &[u8],
    ) -> Result<Login, LoginError> {
        let response =
            Response::parse_change(payload, capabilities).ok_or(LoginError::Malformed)?;
        self.prove(link, salt, &response).await?;
        Ok(response.login)
    }

    /// Compares the client's answer to the salt with the account; asks again if it was made by
    /// another plugin than the account's.
    async fn prove(
        &self,
        link: &mut Link,
        salt: &[u8; SALT_BYTES],
        response: &Response,
    ) -> Result<(), LoginError> {
        let user = &response.login.user;
        let denied = |password| LoginError::Denied { user: user.clone(), password };
        let account = self.accounts.account(user);
        let plugin = account.plugin(response.plugin);
        // A client that lacks the greeting's plugin waits to be asked by one that it has, even if
        // there is nothing to prove.
        let asked = plugin.or(response.plugin.is_none().then_some(Plugin::Native));
        let proof = match asked {
            Some(wanted) if response.plugin != Some(wanted) => {
                if !response.login.capabilities.contains(CapabilityFlags::CLIENT_PLUGIN_AUTH) {
                    return Err(denied(true));
                }
                switch(link, wanted, salt).await?
            }
            _ => response.proof.clone(),
        };
        let password = !matches!(&*proof, [] | [0]);
        let accepted = match plugin {
            Some(Plugin::CachingSha2) if password => {
                self.prove_sha2(link, salt, user, account, &proof).await?
            }
            _ => account.accepts(plugin, salt, &proof),
        };
        if accepted { Ok(()) } else { Err(denied(password)) }
    }

    /// The fast path if the password's digest is known; else the client shows the password, under
    /// TLS or encrypted with the RSA key.
    async fn prove_sha2(
        &self,
        link: &mut Link,
        salt: &[u8; SALT_BYTES],
        user: &str,
        account: Account,
        proof: &[u8],
    ) -> Result<bool, LoginError> {
        let shown = self.shown().get(user).copied();
        let known = account.fast_digest().or(shown);
        if known.is_some_and(|digest| auth::proves_fast(&digest, salt, proof)) {
            link.write(|out| out.extend_from_slice(&[AUTH_MORE_DATA, FAST_AUTH_SUCCESS]));
            return Ok(true);
        }
        link.write(|out| out.extend_from_slice(&[AUTH_MORE_DATA, PERFORM_FULL_AUTHENTICATION]));
        link.flush().await.map_err(LinkError::from)?;
        let mut answer = read(link).await?;
        let password = if link.agreed().is_some() {
            (answer.pop() == Some(0)).then_some(answer)
        } else {
            if answer == [REQUEST_PUBLIC_KEY] {
                link.write(|out| {
                    out.push(AUTH_MORE_DATA);
                    out.extend_from_slice(self.identity.rsa_public_pem().as_bytes());
                });
                link.flush().await.map_err(LinkError::from)?;
                answer = read(link).await?;
            }
            self.identity.decrypt(&answer).and_then(|hidden| auth::unhide(hidden, salt))
        };
        let Some(password) = password else { return Ok(false) };
        // A salted digest takes milliseconds, and other connections want this thread.
        let proven = tokio::task::spawn_blocking(move || {
            account.is_password(&password).then(|| auth::fast_digest(&password))
        });
        // It panics only if the process is about to end.
        let Ok(Some(digest)) = proven.await else { return Ok(false) };
        self.shown().insert(user.to_owned(), digest);
        Ok(true)
    }

    fn shown(&self) -> MutexGuard<'_, HashMap<String, [u8; 32]>> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sends an ERR packet as the last thing that the client hears.
pub async fn refuse(link: &mut Link, failure: &Failure) {
    link.write(|out| push_failure(out, failure, Results::default()));
    // The client may be gone, and then nobody misses the packet.
    let _ = link.flush().await;
    link.shut().await;
}

/// The client's answer to the salt by another plugin than it chose itself.
async fn switch(
    link: &mut Link,
    plugin: Plugin,
    salt: &[u8; SALT_BYTES],
) -> Result<Vec<u8>, LinkError> {
    link.write(|out| {
        out.push(AUTH_SWITCH);
        push_zero_ended(out, plugin.name().as_bytes());
        push_zero_ended(out, salt);
    });
    link.flush().await?;
    read(link).await
}

async fn read(link: &mut Link) -> Result<Vec<u8>, LinkError> {
    link.packet()
        .await?
        .ok_or_else(|| std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into())
}

fn push_greeting(out: &mut Vec<u8>, id: ConnectionId, salt: &[u8; SALT_BYTES]) {
    let [a, b, c, d] = capabilities().bits().to_le_bytes();
    let (first, second) = salt.split_at(SALT_FIRST_BYTES);
    out.push(PROTOCOL_VERSION);
    push_zero_ended(out, SERVER_VERSION.as_bytes());
    out.extend_from_slice(&id.0.to_le_bytes());
    push_zero_ended(out, first);
    out.extend_from_slice(&[a, b, UTF8MB4]);
    out.extend_from_slice(&StatusFlags::SERVER_STATUS_AUTOCOMMIT.bits().to_le_bytes());
    out.extend_from_slice(&[c, d, SALT_LENGTH]);
    out.extend_from_slice(&[0; 10]);
    push_zero_ended(out, second);
    push_zero_ended(out, Plugin::CachingSha2.name().as_bytes());
}

fn push_zero_ended(out: &mut Vec<u8>, text: &[u8]) {
    out.extend_from_slice(text);
    out.push(0);
}

/// What the server can do.
fn capabilities() -> CapabilityFlags {
    CapabilityFlags::CLIENT_LONG_PASSWORD
        | CapabilityFlags::CLIENT_FOUND_ROWS
        | CapabilityFlags::CLIENT_LONG_FLAG
        | CapabilityFlags::CLIENT_CONNECT_WITH_DB
        | CapabilityFlags::CLIENT_IGNORE_SPACE
        | CapabilityFlags::CLIENT_PROTOCOL_41
        | CapabilityFlags::CLIENT_SSL
        | CapabilityFlags::CLIENT_INTERACTIVE
        | CapabilityFlags::CLIENT_IGNORE_SIGPIPE
        | CapabilityFlags::CLIENT_TRANSACTIONS
        | CapabilityFlags::CLIENT_SECURE_CONNECTION
        | CapabilityFlags::CLIENT_MULTI_STATEMENTS
        | CapabilityFlags::CLIENT_MULTI_RESULTS
        | CapabilityFlags::CLIENT_PS_MULTI_RESULTS
        | CapabilityFlags::CLIENT_PLUGIN_AUTH
        | CapabilityFlags::CLIENT_CONNECT_ATTRS
        | CapabilityFlags::CLIENT_PLUGIN_AUTH_LENENC_CLIENT_DATA
        | CapabilityFlags::CLIENT_DEPRECATE_EOF
}

/// Whether this is the first half of a login packet: the client goes on under TLS.
fn asks_for_tls(payload: &[u8]) -> bool {
    let flags = Fields::new(payload).u32().map(CapabilityFlags::from_bits_truncate);
    payload.len() == SSL_REQUEST_BYTES
        && flags.is_some_and(|flags| flags.contains(CapabilityFlags::CLIENT_SSL))
}

/// A client's login packet.
#[derive(Debug)]
struct Response {
    login: Login,
    plugin: Option<Plugin>,
    proof: Vec<u8>,
}

impl Response {
    /// Reads HandshakeResponse41; older ones, and texts that are not UTF-8, are malformed.
    fn parse(payload: &[u8]) -> Option<Self> {
        let mut fields = Fields::new(payload);
        let capabilities = CapabilityFlags::from_bits_truncate(fields.u32()?) & capabilities();
        if !capabilities.contains(CapabilityFlags::CLIENT_PROTOCOL_41) {
            return None;
        }
        let _packet_bytes_max = fields.u32()?;
        let collation = CollationId(u16::from(fields.byte()?));
        let _filler = fields.take(23)?;
        let user = str::from_utf8(fields.zero_ended()).ok()?.to_owned();
        let proof = if capabilities.contains(CapabilityFlags::CLIENT_PLUGIN_AUTH_LENENC_CLIENT_DATA)
        {
            fields.cell()?
        } else if capabilities.contains(CapabilityFlags::CLIENT_SECURE_CONNECTION) {
            let length = fields.byte()?;
            fields.take(usize::from(length))?
        } else {
            fields.zero_ended()
        };
        let database = match capabilities.contains(CapabilityFlags::CLIENT_CONNECT_WITH_DB) {
            true => str::from_utf8(fields.zero_ended()).ok()?.to_owned(),
            false => String::new(),
        };
        let plugin = match capabilities.contains(CapabilityFlags::CLIENT_PLUGIN_AUTH) {
            true => Plugin::named(fields.zero_ended()),
            false => Some(Plugin::Native),
        };
        // Connection attributes follow; nothing is made of them.
        let login = Login { user, database, capabilities, collation };
        Some(Self { login, plugin, proof: proof.to_vec() })
    }

    /// Reads what COM_CHANGE_USER carries behind its first byte, from a client that can do this.
    fn parse_change(payload: &[u8], capabilities: CapabilityFlags) -> Option<Self> {
        let mut fields = Fields::new(payload);
        let user = str::from_utf8(fields.zero_ended()).ok()?.to_owned();
        let length = fields.byte()?;
        let proof = fields.take(usize::from(length))?.to_vec();
        let database = str::from_utf8(fields.zero_ended()).ok()?.to_owned();
        let collation = match fields.u16() {
            Some(id) => CollationId(id),
            None => CollationId::UTF8MB4_GENERAL_CI,
        };
        let plugin = match capabilities.contains(CapabilityFlags::CLIENT_PLUGIN_AUTH) {
            true => Plugin::named(fields.zero_ended()),
            false => Some(Plugin::Native),
        };
        let login = Login { user, database, capabilities, collation };
        Some(Self { login, plugin, proof })
    }
}

const PROTOCOL_VERSION: u8 = 10;
const AUTH_MORE_DATA: u8 = 0x01;
const FAST_AUTH_SUCCESS: u8 = 0x03;
const PERFORM_FULL_AUTHENTICATION: u8 = 0x04;
const REQUEST_PUBLIC_KEY: u8 = 0x02;
const AUTH_SWITCH: u8 = 0xfe;
const SSL_REQUEST_BYTES: usize = 32;
const SALT_FIRST_BYTES: usize = 8;
/// The salt and its zero byte.
const SALT_LENGTH: u8 = 21;
/// utf8mb4_0900_ai_ci, in the greeting's single byte.
const UTF8MB4: u8 = 255;

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(capabilities: CapabilityFlags, rest: &[u8]) -> Vec<u8> {
        let mut packet = capabilities.bits().to_le_bytes().to_vec();
        packet.extend_from_slice(&[0, 0, 0, 1, 45]);
        packet.extend_from_slice(&[0; 23]);
        packet.extend_from_slice(rest);
        packet
    }

    #[test]
    fn logins_are_read() {
        let bytes = packet(capabilities(), b"root\0\x03abcks\0mysql_native_password\0");
        let response = Response::parse(&bytes).unwrap();
        assert_eq!((&*response.login.user, &*response.login.database), ("root", "ks"));
        assert_eq!(response.plugin, Some(Plugin::Native));
        assert_eq!(response.proof, b"abc");
        assert_eq!(response.login.collation, CollationId::UTF8MB4_GENERAL_CI);
    }

    #[test]
    fn malformed_logins_are_refused() {
        let good = packet(capabilities(), b"root\0\x03abcks\0");
        for cut in [0, 3, 8, 31, 36, 38] {
            assert!(Response::parse(&good[..cut]).is_none(), "{cut}");
        }
        assert!(Response::parse(&packet(CapabilityFlags::empty(), b"root\0")).is_none());
        assert!(Response::parse(&packet(capabilities(), b"\xff\0\0")).is_none());
        let huge = packet(capabilities(), b"root\0\xfe\xff\xff\xff\xff\xff\xff\xff\xff");
        assert!(Response::parse(&huge).is_none());
    }
}
