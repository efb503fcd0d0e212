//! The connection phase: greeting, login packet, the proof of a password, and MySQL's own errors.
//!
//! All of it happens on our link, before opensrv exists for the connection: opensrv sees neither a
//! stranger's login packet nor a password.

use super::auth::{Accounts, Plugin, SALT_BYTES};
use super::error::{self, Failure};
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
            Self::Denied { user, password } => {
                let using = if *password { "YES" } else { "NO" };
                Some(error::ACCESS_DENIED.with(format!(
                    "Access denied for user '{user}'@'{host}' (using password: {using})"
                )))
            }
        }
    }
}

/// Greets the client and lets it prove who it is. The caller bounds the time, and answers the OK.
pub async fn login(
    link: &mut Link,
    id: ConnectionId,
    salt: &[u8; SALT_BYTES],
    accounts: &Accounts,
) -> Result<Login, LoginError> {
    link.write(|out| push_greeting(out, id, salt));
    link.flush().await.map_err(LinkError::from)?;
    let payload = read(link).await?;
    let response = Response::parse(&payload).ok_or(LoginError::Malformed)?;
    let account = accounts.account(&response.login.user);
    let plugin = account.plugin(response.plugin);
    let proof = prove(link, salt, plugin, &response).await?;
    if account.accepts(plugin, salt, &proof) {
        if plugin == Some(Plugin::CachingSha2) {
            link.write(|out| out.extend_from_slice(&[AUTH_MORE_DATA, FAST_AUTH_SUCCESS]));
        }
        return Ok(response.login);
    }
    Err(LoginError::Denied { user: response.login.user, password: !proof.is_empty() })
}

/// Sends an ERR packet as the last thing that the client hears.
pub async fn refuse(link: &mut Link, failure: &Failure) {
    link.write(|out| push_failure(out, failure));
    // The client may be gone, and then nobody misses the packet.
    let _ = link.flush().await;
    link.shut().await;
}

/// The client's answer to the salt under the account's plugin; asks again if it used another one.
async fn prove(
    link: &mut Link,
    salt: &[u8; SALT_BYTES],
    plugin: Option<Plugin>,
    response: &Response,
) -> Result<Vec<u8>, LoginError> {
    let wanted = match plugin {
        Some(wanted) if response.plugin != Some(wanted) => wanted,
        _ => return Ok(response.proof.clone()),
    };
    if !response.login.capabilities.contains(CapabilityFlags::CLIENT_PLUGIN_AUTH) {
        return Err(LoginError::Denied { user: response.login.user.clone(), password: true });
    }
    link.write(|out| {
        out.push(AUTH_SWITCH);
        push_zero_ended(out, wanted.name().as_bytes());
        push_zero_ended(out, salt);
    });
    link.flush().await.map_err(LinkError::from)?;
    Ok(read(link).await?)
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
}

const PROTOCOL_VERSION: u8 = 10;
const AUTH_MORE_DATA: u8 = 0x01;
const FAST_AUTH_SUCCESS: u8 = 0x03;
const AUTH_SWITCH: u8 = 0xfe;
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
