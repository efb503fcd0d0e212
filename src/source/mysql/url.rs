//! Where a server is and how to log in, from `mysql://user:password@host:port/database?...`.
//!
//! Parsed once; what is not understood is an error, and no error or debug text shows a password.

use std::fmt;
use std::io;
use std::path::PathBuf;

use mysql_async::{Opts, UrlError};

/// A server's address, its database, and how the connection is secured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerUrl {
    /// A host's name or address; an IPv6 address without brackets.
    pub host: String,
    /// The port, 3306 unless the URL says otherwise.
    pub port: u16,
    /// Who logs in.
    pub user: String,
    /// The one database that the keyspace is.
    pub database: String,
    /// How the server is asked to prove itself.
    pub tls: Tls,
    /// Where the password is.
    pub password: Password,
}

/// Where a password is. Its text is shown nowhere.
#[derive(Clone, PartialEq, Eq, Default)]
pub enum Password {
    /// There is none.
    #[default]
    Empty,
    /// This is it.
    Text(String),
    /// The first line of this file, read anew for each connection.
    File(PathBuf),
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("Empty"),
            Self::Text(_) => f.write_str("Text(..)"),
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
        }
    }
}

impl Password {
    /// The password itself, `None` for the empty one; the error says which file cannot be read.
    pub fn read(&self) -> Result<Option<String>, (PathBuf, io::Error)> {
        match self {
            Self::Empty => Ok(None),
            Self::Text(text) => Ok(Some(text.clone())),
            Self::File(path) => {
                let text = std::fs::read_to_string(path).map_err(|error| (path.clone(), error))?;
                let first = text.lines().next().unwrap_or_default();
                Ok(Some(first.to_owned()).filter(|password| !password.is_empty()))
            }
        }
    }
}

/// How a connection is secured: the modes of MySQL's `--ssl-mode`, and the files that go with them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tls {
    /// How much is asked of the server.
    pub mode: TlsMode,
    /// Whom to trust, in PEM; without it the authorities of the web.
    pub ca: Option<PathBuf>,
    /// What this side proves itself by.
    pub identity: Option<TlsIdentity>,
}

/// A client's certificate and its key, in PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsIdentity {
    /// The certificate and its chain.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// How much is asked of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TlsMode {
    /// No TLS.
    Disabled,
    /// TLS where the server has it, with any certificate.
    #[default]
    Preferred,
    /// TLS, with any certificate.
    Required,
    /// TLS, with a certificate that the CA vouches for, whatever host it names.
    VerifyCa,
    /// TLS, with a certificate that the CA vouches for and that names this host.
    VerifyIdentity,
}

impl TlsMode {
    /// Reads MySQL's name of the mode, in any case.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Disabled, Self::Preferred, Self::Required, Self::VerifyCa, Self::VerifyIdentity]
            .into_iter()
            .find(|mode| mode.as_str().eq_ignore_ascii_case(text))
    }

    /// MySQL's name of the mode.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Disabled => "DISABLED",
            Self::Preferred => "PREFERRED",
            Self::Required => "REQUIRED",
            Self::VerifyCa => "VERIFY_CA",
            Self::VerifyIdentity => "VERIFY_IDENTITY",
        }
    }
}

/// Why a text is no server's URL. The text itself may hold a password and is not shown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ServerUrlError {
    /// No URL, or not of this kind.
    #[error(
        "write mysql://USER:PASSWORD@HOST:PORT/DATABASE, with %XX for signs such as @ : / ? # and \
         % in user and password"
    )]
    Form,
    /// Nobody to log in as.
    #[error("the url names no user")]
    NoUser,
    /// No database.
    #[error("the url names no database; write it behind the port, as in /commerce")]
    NoDatabase,
    /// A parameter that does not exist.
    #[error("unknown parameter {0:?}; there are ssl-mode, ssl-ca, ssl-cert and ssl-key")]
    Parameter(String),
    /// A parameter that stands twice.
    #[error("parameter {0} stands twice")]
    Twice(&'static str),
    /// No mode of TLS.
    #[error(
        "ssl-mode={0:?} is none; write DISABLED, PREFERRED, REQUIRED, VERIFY_CA or VERIFY_IDENTITY"
    )]
    Mode(String),
    /// A certificate without its key, or a key without its certificate.
    #[error("ssl-cert and ssl-key need each other")]
    HalfIdentity,
    /// There is nothing to verify by.
    #[error("ssl-mode=VERIFY_CA needs ssl-ca")]
    NoCa,
    /// Files for a TLS that is turned off.
    #[error("ssl-ca, ssl-cert and ssl-key have no use with ssl-mode=DISABLED")]
    NoUse,
}

impl ServerUrl {
    /// Reads a URL.
    pub fn parse(text: &str) -> Result<Self, ServerUrlError> {
        let (base, parameters) = match text.split_once('?') {
            Some((base, parameters)) => (base, Some(parameters)),
            None => (text, None),
        };
        let (authority, database) = base
            .strip_prefix("mysql://")
            .and_then(|rest| rest.split_once('/').or(Some((rest, ""))))
            .ok_or(ServerUrlError::Form)?;
        if authority.is_empty() || base.contains('#') || database.contains('/') {
            return Err(ServerUrlError::Form);
        }
        let parsed = Opts::from_url(base).map_err(|_: UrlError| ServerUrlError::Form)?;
        let host = parsed.ip_or_hostname().trim_start_matches('[').trim_end_matches(']');
        if host.is_empty() {
            return Err(ServerUrlError::Form);
        }
        let password = match parsed.pass() {
            Some(text) if !text.is_empty() => Password::Text(text.to_owned()),
            _ => Password::Empty,
        };
        Ok(Self {
            host: host.to_owned(),
            port: parsed.tcp_port(),
            user: parsed.user().ok_or(ServerUrlError::NoUser)?.to_owned(),
            database: parsed.db_name().ok_or(ServerUrlError::NoDatabase)?.to_owned(),
            tls: tls(parameters.unwrap_or_default())?,
            password,
        })
    }

    /// `host:port`, as errors and logs name the server.
    pub fn address(&self) -> String {
        match self.host.contains(':') {
            true => format!("[{}]:{}", self.host, self.port),
            false => format!("{}:{}", self.host, self.port),
        }
    }
}

impl Tls {
    /// What MySQL's clients make of these options: a CA without a mode is there to be asked.
    pub fn new(
        mode: Option<TlsMode>,
        ca: Option<PathBuf>,
        certificate: Option<PathBuf>,
        key: Option<PathBuf>,
    ) -> Result<Self, ServerUrlError> {
        let identity = match (certificate, key) {
            (Some(certificate), Some(key)) => Some(TlsIdentity { certificate, key }),
            (None, None) => None,
            _ => return Err(ServerUrlError::HalfIdentity),
        };
        let implied = if ca.is_some() { TlsMode::VerifyCa } else { TlsMode::Preferred };
        let mode = mode.unwrap_or(implied);
        if mode == TlsMode::VerifyCa && ca.is_none() {
            return Err(ServerUrlError::NoCa);
        }
        if mode == TlsMode::Disabled && (ca.is_some() || identity.is_some()) {
            return Err(ServerUrlError::NoUse);
        }
        Ok(Self { mode, ca, identity })
    }
}

fn tls(parameters: &str) -> Result<Tls, ServerUrlError> {
    let (mut mode, mut ca, mut certificate, mut key) = (None, None, None, None);
    for parameter in parameters.split('&').filter(|parameter| !parameter.is_empty()) {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let value = percent_decoded(value).ok_or(ServerUrlError::Form)?;
        let (name, place) = match name {
            "ssl-mode" => ("ssl-mode", &mut mode),
            "ssl-ca" => ("ssl-ca", &mut ca),
            "ssl-cert" => ("ssl-cert", &mut certificate),
            "ssl-key" => ("ssl-key", &mut key),
            other => return Err(ServerUrlError::Parameter(other.to_owned())),
        };
        if place.replace(value).is_some() {
            return Err(ServerUrlError::Twice(name));
        }
    }
    let mode = match mode {
        Some(text) => Some(TlsMode::parse(&text).ok_or(ServerUrlError::Mode(text))?),
        None => None,
    };
    Tls::new(mode, ca.map(Into::into), certificate.map(Into::into), key.map(Into::into))
}

/// The text with `%XX` replaced by the byte; `None` if that is no text.
fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let mut digit = || char::from(rest.next()?).to_digit(16);
                u8::try_from(digit()? * 16 + digit()?).ok()?
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<(&str, &str, &str), ServerUrlError>) {
        let found = ServerUrl::parse(text);
        let found = found.map(|url| {
            let password = url.password.read().unwrap().unwrap_or_default();
            (url.address(), format!("{}:{password}", url.user), url.database)
        });
        let expected = expected.map(|(a, b, c)| (a.to_owned(), b.to_owned(), c.to_owned()));
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn reads_address_login_and_database() {
        check("mysql://u:p@db.example:3307/commerce", Ok(("db.example:3307", "u:p", "commerce")));
        check("mysql://u@127.0.0.1/commerce", Ok(("127.0.0.1:3306", "u:", "commerce")));
        check("mysql://u:@h/c", Ok(("h:3306", "u:", "c")));
        check("mysql://u:p%40%2F%3F%23%25@h/c%20d", Ok(("h:3306", "u:p@/?#%", "c d")));
        check("mysql://u:p@[::1]:5/c", Ok(("[::1]:5", "u:p", "c")));
        check("postgres://u:p@h/c", Err(ServerUrlError::Form));
        check("mysql://u:p@h/c/d", Err(ServerUrlError::Form));
        check("mysql://u:p@h/c#d", Err(ServerUrlError::Form));
        check("mysql://u:p@h:port/c", Err(ServerUrlError::Form));
        check("mysql://u:p#@h/c", Err(ServerUrlError::Form));
        check("mysql:///c", Err(ServerUrlError::Form));
        check("mysql://u:p@/c", Err(ServerUrlError::Form));
        check("u:p@h/c", Err(ServerUrlError::Form));
        check("mysql://h/c", Err(ServerUrlError::NoUser));
        check("mysql://u@h", Err(ServerUrlError::NoDatabase));
        check("mysql://u@h/", Err(ServerUrlError::NoDatabase));
    }

    #[test]
    fn reads_what_tls_is_asked_for() {
        let check = |parameters: &str, expected: Result<(TlsMode, Option<&str>), _>| {
            let found = ServerUrl::parse(&format!("mysql://u@h/c{parameters}"));
            let found = found.map(|url| (url.tls.mode, url.tls.ca));
            assert_eq!(found, expected.map(|(mode, ca)| (mode, ca.map(PathBuf::from))));
        };
        check("", Ok((TlsMode::Preferred, None)));
        check("?ssl-mode=disabled", Ok((TlsMode::Disabled, None)));
        check("?ssl-ca=%2Fa%20b", Ok((TlsMode::VerifyCa, Some("/a b"))));
        check("?ssl-ca=/a&ssl-mode=REQUIRED", Ok((TlsMode::Required, Some("/a"))));
        check("?ssl-mode=VERIFY_IDENTITY", Ok((TlsMode::VerifyIdentity, None)));
        check("?ssl-mode=VERIFY_CA", Err(ServerUrlError::NoCa));
        check("?ssl-mode=on", Err(ServerUrlError::Mode("on".to_owned())));
        check("?ssl-ca=/a&ssl-ca=/b", Err(ServerUrlError::Twice("ssl-ca")));
        check("?ssl-cert=/a", Err(ServerUrlError::HalfIdentity));
        check("?ssl-ca=/a&ssl-mode=DISABLED", Err(ServerUrlError::NoUse));
        check("?ssl-ca=%f", Err(ServerUrlError::Form));
        check("?pool_min=1", Err(ServerUrlError::Parameter("pool_min".to_owned())));
    }

    #[test]
    fn a_password_is_not_shown() {
        let url = ServerUrl::parse("mysql://u:geheim@h/c").unwrap();
        assert!(!format!("{url:?}").contains("geheim"));
        for wrong in ["mysql://u:geheim@h:x/c", "mysql://u:geheim@h", "mysql://u:geheim@h/c?a=b"] {
            let error = ServerUrl::parse(wrong).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("geheim"), "{error}");
        }
    }

    #[test]
    fn a_password_file_is_its_first_line() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("password");
        std::fs::write(&path, "geheim\r\nnot this").unwrap();
        assert_eq!(Password::File(path.clone()).read().unwrap().as_deref(), Some("geheim"));
        std::fs::write(&path, "").unwrap();
        assert_eq!(Password::File(path).read().unwrap(), None);
    }
}
