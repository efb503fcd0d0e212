//! The modes of MySQL's `--ssl-mode` in terms of mysql_async, and of rustls for the connections that
//! are our own.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mysql_async::{ClientIdentity, Conn, DriverError, IoError, OptsBuilder, SslOpts};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

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

/// How a connection of our own is secured.
pub(super) struct Secure {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
    /// A server without TLS is not good enough.
    pub is_demanded: bool,
}

impl Secure {
    /// As the mode says; `None` is in the clear.
    pub fn of(tls: &Tls, host: &str) -> Result<Option<Self>, SecureError> {
        if tls.mode == TlsMode::Disabled {
            return Ok(None);
        }
        let name = ServerName::try_from(host.to_owned());
        let name = name.map_err(|error| refused(mysql_async::TlsError::InvalidDnsName(error)))?;
        let config = Arc::new(client_config(tls)?);
        Ok(Some(Self { config, name, is_demanded: tls.mode != TlsMode::Preferred }))
    }

    /// Goes on under TLS.
    pub async fn handshake<S: AsyncRead + AsyncWrite + Unpin>(
        self,
        stream: S,
    ) -> Result<TlsStream<S>, mysql_async::Error> {
        let connected = TlsConnector::from(self.config).connect(self.name, stream).await;
        connected.map_err(|error| mysql_async::Error::Io(IoError::Io(error)))
    }
}

fn client_config(tls: &Tls) -> Result<ClientConfig, SecureError> {
    let failed = |error: rustls::Error| refused(error.into());
    let bad_pem = |error| refused(mysql_async::TlsError::Pem(error));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut roots = RootCertStore::empty();
    let verifies = matches!(tls.mode, TlsMode::VerifyCa | TlsMode::VerifyIdentity);
    match tls.ca.as_ref().filter(|_| verifies) {
        None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        Some(path) => {
            for certificate in CertificateDer::pem_slice_iter(&read(path)?) {
                roots.add(certificate.map_err(bad_pem)?).map_err(failed)?;
            }
        }
    }
    let verifier =
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
            .build()
            .map_err(|error| refused(error.into()))?;
    let verifier = Verifier { mode: tls.mode, verifier };
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(failed)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    let Some(TlsIdentity { certificate, key }) = &tls.identity else {
        return Ok(config.with_no_client_auth());
    };
    let chain = CertificateDer::pem_slice_iter(&read(certificate)?).collect::<Result<_, _>>();
    let key = PrivateKeyDer::from_pem_slice(&read(key)?).map_err(bad_pem)?;
    config.with_client_auth_cert(chain.map_err(bad_pem)?, key).map_err(failed)
}

fn refused(error: mysql_async::TlsError) -> SecureError {
    SecureError::Refused(error.into())
}

/// Asks as much of a certificate as the mode does.
#[derive(Debug)]
struct Verifier {
    mode: TlsMode,
    verifier: Arc<WebPkiServerVerifier>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let verified =
            || self.verifier.verify_server_cert(end_entity, intermediates, name, ocsp, now);
        match self.mode {
            TlsMode::Disabled | TlsMode::Preferred | TlsMode::Required => {
                Ok(ServerCertVerified::assertion())
            }
            // The name is looked at last: all else is in order.
            TlsMode::VerifyCa => verified().or_else(|error| match error {
                rustls::Error::InvalidCertificate(
                    CertificateError::NotValidForName
                    | CertificateError::NotValidForNameContext { .. },
                ) => Ok(ServerCertVerified::assertion()),
                error => Err(error),
            }),
            TlsMode::VerifyIdentity => verified(),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verifier.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verifier.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }
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
    let rustls::Error::InvalidCertificate(CertificateError::NotValidForNameContext {
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
