//! The modes of MySQL's `--ssl-mode` in terms of mysql_async and rustls.

use std::io;
use std::path::{Path, PathBuf};

use mysql_async::{ClientIdentity, Conn, DriverError, OptsBuilder, SslOpts};

use super::url::{Tls, TlsIdentity, TlsMode};

/// Why a connection that was to be secured did not open.
#[derive(Debug, thiserror::Error)]
pub enum SecureError {
    /// A file of certificates or a key.
    #[error("read {}", path.display())]
    Unread {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// What the library or the server said.
    #[error(transparent)]
    Refused(#[from] mysql_async::Error),
}

/// Connects as the mode says. Two modes may need a second attempt: PREFERRED where the server has no
/// TLS, VERIFY_CA where its certificate names another host.
pub async fn connect(options: OptsBuilder, tls: &Tls) -> Result<Conn, SecureError> {
    let secured = secured(tls)?;
    let attempt = Conn::new(options.clone().ssl_opts(secured.clone())).await;
    let error = match attempt {
        Ok(conn) => return Ok(conn),
        Err(error) => error,
    };
    let again = match tls.mode {
        TlsMode::Preferred if offers_none(&error) => Some(None),
        TlsMode::VerifyCa => name_presented(&error)
            .map(|name| secured.map(|tls| tls.with_danger_tls_hostname_override(Some(name)))),
        TlsMode::Disabled | TlsMode::Preferred | TlsMode::Required | TlsMode::VerifyIdentity => {
            None
        }
    };
    match again {
        Some(secured) => Ok(Conn::new(options.ssl_opts(secured)).await?),
        None => Err(error.into()),
    }
}

/// How an attempt is secured; `None` is in the clear.
fn secured(tls: &Tls) -> Result<Option<SslOpts>, SecureError> {
    let verified = match tls.mode {
        TlsMode::Disabled => return Ok(None),
        TlsMode::Preferred | TlsMode::Required => false,
        TlsMode::VerifyCa | TlsMode::VerifyIdentity => true,
    };
    let mut options = SslOpts::default().with_danger_accept_invalid_certs(!verified);
    if let (true, Some(ca)) = (verified, &tls.ca) {
        options = options.with_root_certs(vec![read(ca)?.into()]).with_disable_built_in_roots(true);
    }
    if let Some(TlsIdentity { certificate, key }) = &tls.identity {
        let identity = ClientIdentity::new(read(certificate)?.into(), read(key)?.into());
        options = options.with_client_identity(Some(identity));
    }
    Ok(Some(options))
}

fn read(path: &Path) -> Result<Vec<u8>, SecureError> {
    std::fs::read(path).map_err(|source| SecureError::Unread { path: path.to_owned(), source })
}

/// Whether the server has no TLS at all.
pub fn offers_none(error: &mysql_async::Error) -> bool {
    matches!(error, mysql_async::Error::Driver(DriverError::NoClientSslFlagFromServer))
}

/// A name that the server's certificate does carry, where the only fault of the certificate is that
/// it does not carry the one it was asked for.
///
/// The library has no way of verifying a certificate without the name (its own switch for that looks
/// for a wording that rustls no longer has). So under VERIFY_CA the first attempt tells which names
/// there are, and a second one asks for one of them. A certificate without any name cannot be
/// verified.
fn name_presented(error: &mysql_async::Error) -> Option<String> {
    let rustls::Error::InvalidCertificate(rustls::CertificateError::NotValidForNameContext {
        presented,
        ..
    }) = tls_error(error)?
    else {
        return None;
    };
    presented.iter().find_map(|name| {
        let name = name.strip_prefix("DnsName(\"").and_then(|name| name.strip_suffix("\")"))?;
        // Any host of the wildcard's domain will do.
        Some(name.strip_prefix("*.").map_or_else(|| name.to_owned(), |rest| format!("a.{rest}")))
    })
}

/// Whether the server proved itself by a certificate that is not to be trusted.
pub fn is_unverified(error: &mysql_async::Error) -> bool {
    matches!(tls_error(error), Some(rustls::Error::InvalidCertificate(_)))
}

/// Whether TLS is what failed.
pub fn is_tls(error: &mysql_async::Error) -> bool {
    use mysql_async::{Error, IoError};
    tls_error(error).is_some()
        || matches!(error, Error::Io(IoError::Tls(_)) | Error::Driver(DriverError::NoKeyFound))
}

/// What rustls said, however deep it is wrapped.
fn tls_error(error: &mysql_async::Error) -> Option<&rustls::Error> {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(found) = error.downcast_ref::<rustls::Error>() {
            return Some(found);
        }
        // An I/O error shows the source of what it wraps, and not what it wraps.
        let wrapped = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        cause = match wrapped {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    None
}
