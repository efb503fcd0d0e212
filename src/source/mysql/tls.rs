//! The modes of MySQL's `--ssl-mode` in terms of mysql_async and rustls.

use std::io;
use std::path::{Path, PathBuf};

use mysql_async::{ClientIdentity, SslOpts};

use super::url::{Tls, TlsIdentity, TlsMode};

/// How a connection attempt is secured; `None` is in the clear. The error says which file cannot be
/// read.
pub fn options(tls: &Tls) -> Result<Option<SslOpts>, (PathBuf, io::Error)> {
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

fn read(path: &Path) -> Result<Vec<u8>, (PathBuf, io::Error)> {
    std::fs::read(path).map_err(|error| (path.to_owned(), error))
}

/// A name that the server's certificate does carry, where the only fault of the certificate is that
/// it does not carry the one it was asked for.
///
/// The library has no way of verifying a certificate without the name (its own switch for that looks
/// for a wording that rustls no longer has). So under VERIFY_CA the first attempt tells which names
/// there are, and a second one asks for one of them. A certificate without any name cannot be
/// verified.
pub fn name_presented(error: &mysql_async::Error) -> Option<String> {
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
    use mysql_async::{DriverError, Error, IoError};
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
