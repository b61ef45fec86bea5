//! What a certificate says: for the operator's log, and for channel binding.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use rustls::client::verify_server_name;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::server::ParsedCertificate;
use sha2::{Digest, Sha256, Sha384, Sha512};
use x509_parser::parse_x509_certificate;
use x509_parser::prelude::{GeneralName, X509Certificate};
use x509_parser::signature_algorithm::SignatureAlgorithm;
use x509_parser::x509::AlgorithmIdentifier;

/// The certificate that is being served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateReport {
    /// SHA-256 of the leaf, upper-case hex pairs with colons, as browsers show it.
    pub fingerprint: String,
    /// The leaf's serial number in hex pairs with colons.
    pub serial: String,
    /// Who signed it.
    pub issuer: String,
    /// The names and addresses it stands for.
    pub names: Vec<String>,
    /// Its last second, in seconds since 1970.
    pub not_after_unix: i64,
    /// What clients will or may object to.
    pub warnings: Vec<CertificateWarning>,
}

/// What is wrong with a certificate that can nevertheless be served.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CertificateWarning {
    /// Every client refuses it.
    #[error("the certificate ran out on {on}")]
    Expired {
        /// Its last second, as the certificate writes it.
        on: String,
    },
    /// Every client refuses it; or the clock of this machine is wrong.
    #[error("the certificate is not valid before {from}")]
    NotYetValid {
        /// Its first second, as the certificate writes it.
        from: String,
    },
    /// Clients that do not know the issuer yet cannot build the chain.
    #[error("the chain ends at the leaf; add the certificate of its issuer, {issuer}")]
    MissingIntermediate {
        /// Who signed the leaf.
        issuer: String,
    },
    /// A certificate in the file did not sign the one before it.
    #[error("certificate {position} of the chain is not the issuer of the one before it, {issuer}")]
    BrokenChain {
        /// Counted from 1.
        position: usize,
        /// Who should stand there.
        issuer: String,
    },
    /// Clients that come by `public_url` refuse it.
    #[error("the certificate is for {}, not for {host}", names.join(", "))]
    NameMismatch {
        /// The host of `public_url`.
        host: String,
        /// What the certificate names instead.
        names: Vec<String>,
    },
}

/// Describes a chain that has been parsed before; `public_host` is the host of `public_url`.
pub(super) fn report(
    chain: &[CertificateDer<'static>],
    public_host: Option<&str>,
    now: SystemTime,
) -> CertificateReport {
    let parsed = parse(chain);
    let leaf = parsed.first();
    CertificateReport {
        fingerprint: chain
            .first()
            .map(|leaf| fingerprint(leaf))
            .unwrap_or_default(),
        serial: leaf
            .map(|leaf| leaf.raw_serial_as_string())
            .unwrap_or_default(),
        issuer: leaf
            .map(|leaf| leaf.issuer().to_string())
            .unwrap_or_default(),
        names: leaf.map(names).unwrap_or_default(),
        not_after_unix: leaf.map_or(0, |leaf| leaf.validity().not_after.timestamp()),
        warnings: warnings(chain, &parsed, public_host, now),
    }
}

fn parse<'c>(chain: &'c [CertificateDer<'static>]) -> Vec<X509Certificate<'c>> {
    chain
        .iter()
        .filter_map(|der| parse_x509_certificate(der).ok())
        .map(|(_, cert)| cert)
        .collect()
}

fn warnings(
    chain: &[CertificateDer<'static>],
    parsed: &[X509Certificate<'_>],
    public_host: Option<&str>,
    now: SystemTime,
) -> Vec<CertificateWarning> {
    let Some(leaf) = parsed.first() else {
        return Vec::new();
    };
    let mut warnings: Vec<_> = validity_warning(leaf, now).into_iter().collect();
    warnings.extend(chain_warning(parsed));
    warnings.extend(public_host.and_then(|host| name_warning(chain, leaf, host)));
    warnings
}

fn validity_warning(leaf: &X509Certificate<'_>, now: SystemTime) -> Option<CertificateWarning> {
    let now_unix = now
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    let now_unix = i64::try_from(now_unix).unwrap_or(i64::MAX);
    let validity = leaf.validity();
    if now_unix > validity.not_after.timestamp() {
        Some(CertificateWarning::Expired {
            on: validity.not_after.to_string(),
        })
    } else if now_unix < validity.not_before.timestamp() {
        Some(CertificateWarning::NotYetValid {
            from: validity.not_before.to_string(),
        })
    } else {
        None
    }
}

/// Roots stay with the clients, so a good chain ends one short of its root: only a leaf that
/// stands alone without having signed itself is suspicious.
fn chain_warning(chain: &[X509Certificate<'_>]) -> Option<CertificateWarning> {
    if let [leaf] = chain {
        let issuer = leaf.issuer();
        let self_signed = issuer.as_raw() == leaf.subject().as_raw();
        let issuer = issuer.to_string();
        return (!self_signed).then_some(CertificateWarning::MissingIntermediate { issuer });
    }
    let links = chain.iter().zip(chain.iter().skip(1)).enumerate();
    let mut broken =
        links.filter(|(_, (cert, next))| cert.issuer().as_raw() != next.subject().as_raw());
    broken
        .next()
        .map(|(index, (cert, _))| CertificateWarning::BrokenChain {
            position: index + 2,
            issuer: cert.issuer().to_string(),
        })
}

fn name_warning(
    chain: &[CertificateDer<'static>],
    leaf: &X509Certificate<'_>,
    host: &str,
) -> Option<CertificateWarning> {
    let bare = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host);
    let name = ServerName::try_from(bare).ok()?;
    let parsed = ParsedCertificate::try_from(chain.first()?).ok()?;
    let mismatch = verify_server_name(&parsed, &name).is_err();
    let host = host.to_owned();
    mismatch.then(|| CertificateWarning::NameMismatch {
        host,
        names: names(leaf),
    })
}

fn names(leaf: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(extension)) = leaf.subject_alternative_name() else {
        return Vec::new();
    };
    let names = extension
        .value
        .general_names
        .iter()
        .filter_map(|name| match name {
            GeneralName::DNSName(name) => Some((*name).to_owned()),
            GeneralName::IPAddress(bytes) => address(bytes),
            _ => None,
        });
    names.collect()
}

fn address(bytes: &[u8]) -> Option<String> {
    if let Ok(v4) = <[u8; 4]>::try_from(bytes) {
        return Some(std::net::Ipv4Addr::from(v4).to_string());
    }
    <[u8; 16]>::try_from(bytes)
        .ok()
        .map(|v6| std::net::Ipv6Addr::from(v6).to_string())
}

fn fingerprint(der: &[u8]) -> String {
    let pairs: Vec<String> = Sha256::digest(der)
        .iter()
        .map(|b| format!("{b:02X}"))
        .collect();
    pairs.join(":")
}

/// The `tls-server-end-point` binding of a leaf (RFC 5929 §4.1): its hash by the hash function of
/// its signature algorithm, with SHA-256 in place of MD5 and SHA-1. `None` when the algorithm
/// uses no single hash function (Ed25519), for which the binding is undefined.
pub(super) fn server_end_point(leaf: &CertificateDer<'static>) -> Option<Arc<[u8]>> {
    let (_, parsed) = parse_x509_certificate(leaf).ok()?;
    match signature_hash(&parsed.signature_algorithm)? {
        Hash::Sha256 => Some(Sha256::digest(leaf).as_slice().into()),
        Hash::Sha384 => Some(Sha384::digest(leaf).as_slice().into()),
        Hash::Sha512 => Some(Sha512::digest(leaf).as_slice().into()),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hash {
    Sha256,
    Sha384,
    Sha512,
}

fn signature_hash(algorithm: &AlgorithmIdentifier<'_>) -> Option<Hash> {
    if let Ok(SignatureAlgorithm::RSASSA_PSS(params)) = SignatureAlgorithm::try_from(algorithm) {
        return hash_named(&params.hash_algorithm_oid().to_id_string());
    }
    match algorithm.algorithm.to_id_string().as_str() {
        // sha1WithRSAEncryption, md5WithRSAEncryption, ecdsa-with-SHA1
        "1.2.840.113549.1.1.5" | "1.2.840.113549.1.1.4" | "1.2.840.10045.4.1" => Some(Hash::Sha256),
        "1.2.840.113549.1.1.11" | "1.2.840.10045.4.3.2" => Some(Hash::Sha256),
        "1.2.840.113549.1.1.12" | "1.2.840.10045.4.3.3" => Some(Hash::Sha384),
        "1.2.840.113549.1.1.13" | "1.2.840.10045.4.3.4" => Some(Hash::Sha512),
        _ => None,
    }
}

fn hash_named(oid: &str) -> Option<Hash> {
    match oid {
        // id-sha1, which is also the default of RSASSA-PSS, and id-sha256
        "1.3.14.3.2.26" | "2.16.840.1.101.3.4.2.1" => Some(Hash::Sha256),
        "2.16.840.1.101.3.4.2.2" => Some(Hash::Sha384),
        "2.16.840.1.101.3.4.2.3" => Some(Hash::Sha512),
        _ => None,
    }
}
