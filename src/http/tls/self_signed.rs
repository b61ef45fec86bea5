//! The certificate for those who have none: made once, kept, so that what a user has trusted
//! once stays the same.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair, date_time_ymd};
use rustls::crypto::CryptoProvider;
use rustls::sign::CertifiedKey;

use super::certificate::{self, CertificateWarning};
use super::{TlsError, pem};

/// The kept certificate, or a new one when there is none or the kept one has run out.
pub(super) fn load_or_make(
    state_dir: &Path,
    names: &[String],
    provider: &CryptoProvider,
) -> Result<CertifiedKey, TlsError> {
    let cert_path = state_dir.join(CERT_FILE);
    let key_path = state_dir.join(KEY_FILE);
    if cert_path.exists() && key_path.exists() {
        let kept = pem::load(&cert_path, &key_path, provider)?;
        if !has_run_out(&kept) {
            return Ok(kept);
        }
    }
    make(&cert_path, &key_path, names)?;
    pem::load(&cert_path, &key_path, provider)
}

fn has_run_out(kept: &CertifiedKey) -> bool {
    let report = certificate::report(&kept.cert, None, SystemTime::now());
    report
        .warnings
        .iter()
        .any(|warning| matches!(warning, CertificateWarning::Expired { .. }))
}

fn make(cert_path: &Path, key_path: &Path, names: &[String]) -> Result<(), TlsError> {
    let key = KeyPair::generate().map_err(cannot)?;
    let cert = params(names)?.self_signed(&key).map_err(cannot)?;
    // The key first: a certificate without its key would be taken for a pair that is broken.
    write_private(key_path, &key.serialize_pem())?;
    write_private(cert_path, &cert.pem())
}

fn params(names: &[String]) -> Result<CertificateParams, TlsError> {
    let mut all: Vec<String> = Vec::new();
    let given = names
        .iter()
        .filter(|name| name.is_ascii())
        .map(String::as_str);
    for name in given.chain(LOOPBACK_NAMES) {
        let name = name.trim_matches(['[', ']']);
        if !all.iter().any(|known| known == name) {
            all.push(name.to_owned());
        }
    }
    let mut params = CertificateParams::new(all).map_err(cannot)?;
    params
        .distinguished_name
        .push(DnType::CommonName, "stanzad self-signed");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let today = Timestamp::now().to_zoned(TimeZone::UTC).date();
    // Since the first of January: a client whose clock is behind must not find it too young.
    params.not_before = date_time_ymd(i32::from(today.year()), 1, 1);
    params.not_after = date_time_ymd(i32::from(today.year()) + VALID_YEARS, 12, 31);
    Ok(params)
}

/// Writes beside and renames, so that a crash leaves the old file or the new one. Readable by
/// the owner alone from the first byte on.
fn write_private(path: &Path, text: &str) -> Result<(), TlsError> {
    let beside = path.with_extension("new");
    let written = (|| {
        remove_if_there(&beside)?;
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&beside)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&beside, path)
    })();
    written.map_err(|source| TlsError::File {
        path: PathBuf::from(path),
        source,
    })
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn cannot(error: rcgen::Error) -> TlsError {
    TlsError::CannotSelfSign {
        reason: error.to_string(),
    }
}

const CERT_FILE: &str = "selfsigned.pem";
const KEY_FILE: &str = "selfsigned.key";
const LOOPBACK_NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];
const VALID_YEARS: i32 = 10;
