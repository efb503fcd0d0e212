//! The greeting, TLS, and the ways to prove a password.

use std::collections::HashMap;

use aws_lc_rs::rsa::{OAEP_SHA1_MGF1SHA1, OaepPublicEncryptingKey, PublicEncryptingKey};
use mysql_async::{DriverError, Error};
use mysql_common::constants::CapabilityFlags;
use mysql_common::io::ParseBuf;
use mysql_common::packets::{AuthPlugin, AuthSwitchRequest, HandshakePacket, HandshakeResponse};
use mysql_common::proto::MySerialize;

use super::{OK, RawConnection, Result, io, unexpected};
use crate::source::mysql::tls::Secure;

/// Who logs in, and to which database.
pub(in super::super) struct Credentials<'a> {
    /// The user.
    pub user: &'a str,
    /// The password; none is the empty one.
    pub password: Option<&'a str>,
    /// The database that unqualified names are of; none until a USE says which.
    pub database: Option<&'a str>,
    /// The largest packet that this side takes.
    pub max_packet: u32,
    /// UPDATE counts the rows that it finds, not those that it changes.
    pub counts_found_rows: bool,
}

/// Answers the server's greeting.
pub(super) async fn log_in(
    connection: &mut RawConnection,
    secure: Option<Secure>,
    credentials: &Credentials<'_>,
) -> Result<()> {
    let greeting = connection.packet().await?;
    let greeting = ParseBuf(&greeting).parse::<HandshakePacket<'_>>(()).map_err(io)?;
    if !greeting.capabilities().contains(NEEDED) {
        return Err(unexpected(greeting.server_version_ref()));
    }
    connection.capabilities = greeting.capabilities() & (NEEDED | WANTED);
    if credentials.counts_found_rows {
        connection.capabilities |= CapabilityFlags::CLIENT_FOUND_ROWS;
    }
    if credentials.database.is_none() {
        connection.capabilities -= CapabilityFlags::CLIENT_CONNECT_WITH_DB;
    }
    connection.id = greeting.connection_id();
    connection.version = greeting.server_version_str().into_owned();
    let offers_tls = greeting.capabilities().contains(CapabilityFlags::CLIENT_SSL);
    let is_secure = match secure {
        Some(secure) if offers_tls => {
            connection.capabilities |= CapabilityFlags::CLIENT_SSL;
            connection.secure(secure, credentials.max_packet).await?;
            true
        }
        Some(secure) if secure.is_demanded => {
            return Err(Error::Driver(DriverError::NoClientSslFlagFromServer));
        }
        Some(_) | None => false,
    };
    // Others are asked for by a switch, which says what they need.
    let plugin = match greeting.auth_plugin() {
        Some(AuthPlugin::CachingSha2Password) => AuthPlugin::CachingSha2Password,
        _ => AuthPlugin::MysqlNativePassword,
    };
    let mut proof =
        Proof { password: credentials.password, is_secure, nonce: greeting.nonce(), plugin };
    let response = proof.response(connection.capabilities, credentials);
    connection.write(&response).await?;
    prove(connection, &mut proof).await
}

/// What the password is proved by.
struct Proof<'a> {
    password: Option<&'a str>,
    is_secure: bool,
    nonce: Vec<u8>,
    plugin: AuthPlugin<'static>,
}

impl Proof<'_> {
    fn response(&self, capabilities: CapabilityFlags, credentials: &Credentials<'_>) -> Vec<u8> {
        let attributes = HashMap::from([("program_name".to_owned(), "vstreamd".to_owned())]);
        let data = self.plugin.gen_data(self.password, &self.nonce);
        let response = HandshakeResponse::new(
            data.as_deref(),
            SINCE_UTF8MB4,
            Some(credentials.user.as_bytes()),
            credentials.database.map(str::as_bytes),
            Some(self.plugin.borrow()),
            capabilities,
            Some(attributes),
            credentials.max_packet,
        );
        serialized(&response)
    }

    /// The answer to a request for another way.
    fn switched(&mut self, packet: &[u8]) -> Result<Vec<u8>> {
        // One byte asks for the oldest way of all.
        if packet.len() == 1 {
            return Err(Error::Driver(DriverError::MysqlOldPasswordDisabled));
        }
        let request = ParseBuf(packet).parse::<AuthSwitchRequest<'_>>(()).map_err(io)?;
        self.plugin = request.auth_plugin().into_owned();
        // Numbers drawn at random may end with a zero, which the library would take for the end of a
        // text.
        self.nonce = match &self.plugin {
            AuthPlugin::Ed25519 | AuthPlugin::MariadbParsec { .. } => {
                let mut parts = packet.splitn(2, |byte| *byte == 0);
                parts.nth(1).unwrap_or_default().to_vec()
            }
            _ => request.plugin_data().to_vec(),
        };
        match &self.plugin {
            AuthPlugin::MysqlOldPassword => {
                Err(Error::Driver(DriverError::MysqlOldPasswordDisabled))
            }
            AuthPlugin::MysqlClearPassword => {
                Err(Error::Driver(DriverError::CleartextPluginDisabled))
            }
            AuthPlugin::Other(name) => {
                let name = String::from_utf8_lossy(name).into_owned();
                Err(Error::Driver(DriverError::UnknownAuthPlugin { name }))
            }
            // Its salt is asked for first.
            AuthPlugin::MariadbParsec { .. } => Ok(Vec::new()),
            AuthPlugin::CachingSha2Password
            | AuthPlugin::MysqlNativePassword
            | AuthPlugin::Ed25519 => Ok(self.data()),
        }
    }

    fn data(&self) -> Vec<u8> {
        let data = self.plugin.gen_data(self.password, &self.nonce);
        data.map_or_else(Vec::new, |data| serialized(&data))
    }

    /// The password itself, as a text of C's.
    fn text(&self) -> Vec<u8> {
        let mut text = self.password.unwrap_or_default().as_bytes().to_vec();
        text.push(0);
        text
    }

    /// The same, for whoever has the private half of a key in PEM.
    fn encrypted(&self, key: &[u8]) -> Result<Vec<u8>> {
        let bad = || Error::Driver(DriverError::NoKeyFound);
        let mut text = self.text();
        if self.nonce.is_empty() {
            return Err(bad());
        }
        text.iter_mut().zip(self.nonce.iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
        let key = pem::parse(key).map_err(|_| bad())?;
        let key = PublicEncryptingKey::from_der(key.contents()).map_err(|_| bad())?;
        let key = OaepPublicEncryptingKey::new(key).map_err(|_| bad())?;
        let mut encrypted = vec![0; key.ciphertext_size()];
        let length =
            key.encrypt(&OAEP_SHA1_MGF1SHA1, &text, &mut encrypted, None).map_err(|_| bad())?.len();
        encrypted.truncate(length);
        Ok(encrypted)
    }
}

/// Answers whatever the server asks until it lets us in, or not.
async fn prove(connection: &mut RawConnection, proof: &mut Proof<'_>) -> Result<()> {
    for _ in 0..STEPS_MAX {
        let packet = connection.packet().await?;
        let answer = match (packet.first().copied(), &mut proof.plugin) {
            (Some(OK), _) => return Ok(()),
            (Some(SWITCH), _) => proof.switched(&packet)?,
            (Some(MORE), AuthPlugin::CachingSha2Password) => match packet.get(1) {
                // The server remembers this password: its OK comes next.
                Some(&SHA2_REMEMBERED) => continue,
                Some(&SHA2_WHOLE) if proof.is_secure => proof.text(),
                Some(&SHA2_WHOLE) => {
                    connection.write(&[SHA2_KEY]).await?;
                    let key = connection.packet().await?;
                    proof.encrypted(key.get(1..).unwrap_or_default())?
                }
                _ => return Err(unexpected(&packet)),
            },
            (Some(_), plugin @ AuthPlugin::MariadbParsec { .. }) => {
                // The first servers that had it sent its salt without the byte before it.
                let salt = packet.strip_prefix(&[MORE]).unwrap_or(&packet);
                if salt.get(1).is_some_and(|factor| *factor > PARSEC_FACTOR_MAX) {
                    return Err(Error::Driver(DriverError::InvalidParsecSalt));
                }
                let salt_read = plugin.read_add_data(salt);
                salt_read.ok_or(Error::Driver(DriverError::InvalidParsecSalt))?;
                proof.data()
            }
            _ => return Err(unexpected(&packet)),
        };
        connection.write(&answer).await?;
    }
    Err(Error::Driver(DriverError::PacketOutOfOrder))
}

fn serialized(packet: &impl MySerialize) -> Vec<u8> {
    let mut bytes = Vec::new();
    packet.serialize(&mut bytes);
    bytes
}

/// Without these there is no login that is known here.
const NEEDED: CapabilityFlags = CapabilityFlags::CLIENT_PROTOCOL_41
    .union(CapabilityFlags::CLIENT_SECURE_CONNECTION)
    .union(CapabilityFlags::CLIENT_PLUGIN_AUTH)
    .union(CapabilityFlags::CLIENT_CONNECT_WITH_DB);
const WANTED: CapabilityFlags = CapabilityFlags::CLIENT_LONG_PASSWORD
    .union(CapabilityFlags::CLIENT_TRANSACTIONS)
    .union(CapabilityFlags::CLIENT_PLUGIN_AUTH_LENENC_CLIENT_DATA)
    .union(CapabilityFlags::CLIENT_CONNECT_ATTRS);
/// Servers since then know utf8mb4.
const SINCE_UTF8MB4: (u16, u16, u16) = (5, 5, 3);
/// The longest way has five.
const STEPS_MAX: usize = 8;
/// A million rounds; servers have 3, which is 8,192.
const PARSEC_FACTOR_MAX: u8 = 10;
const MORE: u8 = 0x01;
const SWITCH: u8 = 0xfe;
const SHA2_KEY: u8 = 0x02;
const SHA2_REMEMBERED: u8 = 0x03;
const SHA2_WHOLE: u8 = 0x04;
