//! What the door proves itself by: a certificate for TLS, and an RSA key that lets a client send its
//! password over a connection in the clear.
//!
//! What the configuration does not name is made at the first start and kept in the data directory,
//! under the names that MySQL gives these files, so that clients may pin it.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa::{KeySize, OAEP_SHA1_MGF1SHA1, OaepPrivateDecryptingKey, PrivateDecryptingKey};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

/// Where certificate and key of TLS are, if not made by the door.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The chain in PEM, the server's own certificate first.
    pub certificate: PathBuf,
    /// Its private key in PEM.
    pub key: PathBuf,
}

/// The door's certificate and keys, ready for use.
pub struct Identity {
    tls: Arc<ServerConfig>,
    rsa: OaepPrivateDecryptingKey,
    rsa_public_pem: String,
}

/// Why there is no identity.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// A file cannot be read.
    #[error("read {path}")]
    Read {
        /// Which.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A file cannot be written.
    #[error("write {path}")]
    Write {
        /// Which.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A file is not what it must be.
    #[error("{path} holds no {wanted} in PEM")]
    Pem {
        /// Which.
        path: PathBuf,
        /// What was looked for.
        wanted: &'static str,
    },
    /// Certificate and key cannot serve TLS.
    #[error("use the certificate {certificate} with the key {key}")]
    Certificate {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// What the TLS library said.
        #[source]
        source: rustls::Error,
    },
    /// A certificate cannot be made.
    #[error("make a certificate")]
    Make(#[from] rcgen::Error),
    /// An RSA key cannot be made.
    #[error("make an RSA key")]
    MakeRsa,
}

impl Identity {
    /// Reads certificate and key from `files`, else from the data directory, and the RSA key from
    /// there; makes what is missing in the data directory.
    pub fn open(data_dir: &Path, files: Option<&CertificateFiles>) -> Result<Self, IdentityError> {
        std::fs::create_dir_all(data_dir)
            .map_err(|source| IdentityError::Write { path: data_dir.to_owned(), source })?;
        let files = match files {
            Some(files) => files.clone(),
            None => own_certificate(data_dir)?,
        };
        let rsa = rsa_key(data_dir)?;
        let public: PublicKeyX509Der<'_> =
            rsa.public_key().as_der().map_err(|_| IdentityError::MakeRsa)?;
        let rsa_public_pem = pem("PUBLIC KEY", public.as_ref());
        let path = data_dir.join(RSA_PUBLIC_KEY);
        if std::fs::read(&path).ok().as_deref() != Some(rsa_public_pem.as_bytes()) {
            write(&path, rsa_public_pem.as_bytes(), EVERYBODY)?;
        }
        let rsa = OaepPrivateDecryptingKey::new(rsa).map_err(|_| IdentityError::MakeRsa)?;
        Ok(Self { tls: server_config(&files)?, rsa, rsa_public_pem })
    }

    /// How TLS is served.
    pub fn tls(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.tls)
    }

    /// The RSA key that a client may encrypt its password with, in PEM.
    pub fn rsa_public_pem(&self) -> &str {
        &self.rsa_public_pem
    }

    /// What a client encrypted with the RSA key; `None` if it did not.
    pub fn decrypt(&self, ciphertext: &[u8]) -> Option<Vec<u8>> {
        let mut plaintext = vec![0; self.rsa.min_output_size()];
        let found = self.rsa.decrypt(&OAEP_SHA1_MGF1SHA1, ciphertext, &mut plaintext, None).ok()?;
        Some(found.to_vec())
    }
}

/// Never shows a key.
impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Identity")
    }
}

fn server_config(files: &CertificateFiles) -> Result<Arc<ServerConfig>, IdentityError> {
    let CertificateFiles { certificate, key } = files;
    let not_pem = |path: &Path, wanted| IdentityError::Pem { path: path.to_owned(), wanted };
    let chain: Vec<_> = CertificateDer::pem_slice_iter(&read(certificate)?)
        .collect::<Result<_, _>>()
        .map_err(|_| not_pem(certificate, "certificate"))?;
    if chain.is_empty() {
        return Err(not_pem(certificate, "certificate"));
    }
    let private =
        PrivateKeyDer::from_pem_slice(&read(key)?).map_err(|_| not_pem(key, "private key"))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|versions| versions.with_no_client_auth().with_single_cert(chain, private))
        .map_err(|source| {
            let (certificate, key) = (certificate.clone(), key.clone());
            IdentityError::Certificate { certificate, key, source }
        })?;
    Ok(Arc::new(config))
}

/// The certificate that the door signs for itself, good for this machine's own names.
fn own_certificate(data_dir: &Path) -> Result<CertificateFiles, IdentityError> {
    let files =
        CertificateFiles { certificate: data_dir.join(CERTIFICATE), key: data_dir.join(KEY) };
    if files.certificate.exists() && files.key.exists() {
        return Ok(files);
    }
    let names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
    let mut params = rcgen::CertificateParams::new(names)?;
    let mut name = rcgen::DistinguishedName::new();
    name.push(rcgen::DnType::CommonName, "vstreamd");
    params.distinguished_name = name;
    let key = rcgen::KeyPair::generate()?;
    let certificate = params.self_signed(&key)?;
    write(&files.key, key.serialize_pem().as_bytes(), OWNER_ONLY)?;
    write(&files.certificate, certificate.pem().as_bytes(), EVERYBODY)?;
    Ok(files)
}

fn rsa_key(data_dir: &Path) -> Result<PrivateDecryptingKey, IdentityError> {
    let path = data_dir.join(RSA_PRIVATE_KEY);
    if path.exists() {
        return PrivatePkcs8KeyDer::from_pem_slice(&read(&path)?)
            .ok()
            .and_then(|key| PrivateDecryptingKey::from_pkcs8(key.secret_pkcs8_der()).ok())
            .ok_or(IdentityError::Pem { path, wanted: "RSA private key (PKCS #8)" });
    }
    let key =
        PrivateDecryptingKey::generate(KeySize::Rsa2048).map_err(|_| IdentityError::MakeRsa)?;
    let der: Pkcs8V1Der<'_> = key.as_der().map_err(|_| IdentityError::MakeRsa)?;
    write(&path, pem("PRIVATE KEY", der.as_ref()).as_bytes(), OWNER_ONLY)?;
    Ok(key)
}

fn pem(tag: &str, der: &[u8]) -> String {
    let config = pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF);
    pem::encode_config(&pem::Pem::new(tag, der), config)
}

fn read(path: &Path) -> Result<Vec<u8>, IdentityError> {
    std::fs::read(path).map_err(|source| IdentityError::Read { path: path.to_owned(), source })
}

/// Writes a whole file or none, so that an end in mid-way leaves no half key.
fn write(path: &Path, bytes: &[u8], mode: u32) -> Result<(), IdentityError> {
    use std::os::unix::fs::PermissionsExt;
    let directory = path.parent().unwrap_or(Path::new("."));
    let written = tempfile::Builder::new()
        .permissions(std::fs::Permissions::from_mode(mode))
        .tempfile_in(directory)
        .and_then(|mut file| {
            file.write_all(bytes)?;
            file.as_file().sync_all()?;
            file.persist(path).map_err(|error| error.error)
        });
    written.map(|_| ()).map_err(|source| IdentityError::Write { path: path.to_owned(), source })
}

const CERTIFICATE: &str = "server-cert.pem";
const KEY: &str = "server-key.pem";
const RSA_PRIVATE_KEY: &str = "private_key.pem";
const RSA_PUBLIC_KEY: &str = "public_key.pem";
const OWNER_ONLY: u32 = 0o600;
const EVERYBODY: u32 = 0o644;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_made_once_is_found_again() {
        let directory = tempfile::tempdir().unwrap();
        let first = Identity::open(directory.path(), None).unwrap();
        let files = [CERTIFICATE, KEY, RSA_PRIVATE_KEY, RSA_PUBLIC_KEY];
        let kept = files.map(|name| std::fs::read(directory.path().join(name)).unwrap());
        let second = Identity::open(directory.path(), None).unwrap();
        assert_eq!(first.rsa_public_pem(), second.rsa_public_pem());
        assert_eq!(files.map(|name| std::fs::read(directory.path().join(name)).unwrap()), kept);
        for name in [KEY, RSA_PRIVATE_KEY] {
            use std::os::unix::fs::PermissionsExt;
            let mode = std::fs::metadata(directory.path().join(name)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, OWNER_ONLY, "{name}");
        }
    }

    #[test]
    fn broken_files_are_named() {
        let directory = tempfile::tempdir().unwrap();
        Identity::open(directory.path(), None).unwrap();
        for name in [CERTIFICATE, KEY, RSA_PRIVATE_KEY] {
            let path = directory.path().join(name);
            let good = std::fs::read(&path).unwrap();
            std::fs::write(&path, "-----BEGIN NOTHING-----").unwrap();
            let error = Identity::open(directory.path(), None).unwrap_err();
            assert!(error.to_string().contains(name), "{error}");
            std::fs::write(&path, good).unwrap();
        }
        let files = CertificateFiles { certificate: "/nowhere".into(), key: "/nowhere".into() };
        let error = Identity::open(directory.path(), Some(&files)).unwrap_err();
        assert_eq!(error.to_string(), "read /nowhere");
    }

    #[test]
    fn only_what_the_key_encrypted_is_read() {
        let directory = tempfile::tempdir().unwrap();
        let identity = Identity::open(directory.path(), None).unwrap();
        assert_eq!(identity.decrypt(b"secret\0"), None);
        assert_eq!(identity.decrypt(&[7; 256]), None);
        assert_eq!(identity.decrypt(&[]), None);
    }
}
