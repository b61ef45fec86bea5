//! From PEM files to a key that can sign for its certificate, with every mistake named.

use std::fmt;
use std::fs;
use std::path::Path;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys};
use x509_parser::parse_x509_certificate;

use super::TlsError;

/// What a file holds, by the labels of its PEM sections: for error messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PemContents(Vec<String>);

impl fmt::Display for PemContents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("bytes without any PEM section");
        }
        f.write_str(&self.0.join(", "))
    }
}

impl PemContents {
    fn of(file: &[u8]) -> Self {
        let lines = file
            .split(|byte| *byte == b'\n')
            .filter_map(|line| str::from_utf8(line).ok());
        let labels = lines.filter_map(|line| {
            let label = line
                .trim_end()
                .strip_prefix("-----BEGIN ")?
                .strip_suffix("-----")?;
            Some(label.chars().take(LABEL_MAX_CHARS).collect())
        });
        Self(labels.take(SECTIONS_NAMED).collect())
    }

    fn names(&self, label: &str) -> bool {
        self.0.iter().any(|found| found == label)
    }
}

/// Loads a chain and its key, which may share a file, and checks that they belong together.
pub(super) fn load(
    cert_path: &Path,
    key_path: &Path,
    provider: &CryptoProvider,
) -> Result<CertifiedKey, TlsError> {
    let chain = read_chain(cert_path)?;
    let key = read_key(key_path)?;
    let unusable = |source| TlsError::UnusableKey {
        path: key_path.to_owned(),
        source,
    };
    let signing_key = provider
        .key_provider
        .load_private_key(key)
        .map_err(unusable)?;
    let certified = CertifiedKey::new(chain, signing_key);
    match certified.keys_match() {
        // A key that does not tell its public half cannot be checked.
        Ok(()) | Err(Error::InconsistentKeys(InconsistentKeys::Unknown)) => Ok(certified),
        Err(Error::InconsistentKeys(_)) => Err(mismatch(cert_path, key_path, &certified)),
        Err(error) => Err(damaged_certificate(cert_path, 1, &error)),
    }
}

/// A key beside the wrong certificate is one mistake, a chain in the wrong order another.
fn mismatch(cert_path: &Path, key_path: &Path, certified: &CertifiedKey) -> TlsError {
    let belongs = |cert: &CertificateDer<'static>| {
        CertifiedKey::new(vec![cert.clone()], certified.key.clone())
            .keys_match()
            .is_ok()
    };
    match certified.cert.iter().position(belongs) {
        Some(index) => TlsError::LeafNotFirst {
            cert: cert_path.to_owned(),
            position: index + 1,
        },
        None => TlsError::KeyMismatch {
            cert: cert_path.to_owned(),
            key: key_path.to_owned(),
        },
    }
}

fn read_chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let file = read(path)?;
    if is_der(&file) {
        return Err(TlsError::CertificateIsDer {
            path: path.to_owned(),
        });
    }
    let chain: Vec<_> = CertificateDer::pem_slice_iter(&file)
        .collect::<Result<_, _>>()
        .map_err(|error| damaged_pem(path, &error))?;
    if chain.is_empty() {
        let found = PemContents::of(&file);
        return Err(TlsError::NoCertificate {
            path: path.to_owned(),
            found,
        });
    }
    for (index, cert) in chain.iter().enumerate() {
        parse_x509_certificate(cert).map_err(|e| damaged_certificate(path, index + 1, &e))?;
    }
    Ok(chain)
}

fn read_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let file = read(path)?;
    if is_der(&file) {
        return Err(TlsError::KeyIsDer {
            path: path.to_owned(),
        });
    }
    let found = PemContents::of(&file);
    if is_encrypted(&file, &found) {
        return Err(TlsError::EncryptedKey {
            path: path.to_owned(),
        });
    }
    match PrivateKeyDer::pem_slice_iter(&file).next() {
        Some(Ok(key)) => Ok(key),
        Some(Err(error)) => Err(damaged_pem(path, &error)),
        None => Err(TlsError::NoKey {
            path: path.to_owned(),
            found,
        }),
    }
}

/// PKCS#8 says it in its label, the older forms in a header line of RFC 1421.
fn is_encrypted(file: &[u8], found: &PemContents) -> bool {
    let proc_type = b"Proc-Type: 4,ENCRYPTED";
    found.names("ENCRYPTED PRIVATE KEY")
        || file
            .windows(proc_type.len())
            .any(|window| window == proc_type)
}

/// A DER file is one SEQUENCE whose length is the rest of the file.
fn is_der(file: &[u8]) -> bool {
    let declared = match file {
        [0x30, len @ 0..=0x7f, ..] => usize::from(*len) + 2,
        [0x30, 0x81, len, ..] => usize::from(*len) + 3,
        [0x30, 0x82, high, low, ..] => usize::from(u16::from_be_bytes([*high, *low])) + 4,
        _ => return false,
    };
    declared == file.len()
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    fs::read(path).map_err(|source| TlsError::File {
        path: path.to_owned(),
        source,
    })
}

fn damaged_pem(path: &Path, error: &rustls::pki_types::pem::Error) -> TlsError {
    TlsError::DamagedPem {
        path: path.to_owned(),
        reason: error.to_string(),
    }
}

fn damaged_certificate(path: &Path, position: usize, error: &dyn fmt::Display) -> TlsError {
    TlsError::DamagedCertificate {
        path: path.to_owned(),
        position,
        reason: error.to_string(),
    }
}

/// An error message is a line, whatever the file is.
const SECTIONS_NAMED: usize = 8;
const LABEL_MAX_CHARS: usize = 40;
