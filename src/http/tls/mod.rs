//! TLS at the edge: one certificate, which can change while connections live.
//!
//! TLS 1.2 and 1.3 by rustls over aws-lc-rs. No 0-RTT: early data can be replayed, and a stanza
//! must not be (RFC 8446 §8). TLS 1.2 only with the extended master secret, without which its
//! connections have no unique name to bind a login to (RFC 7627, RFC 9266 §3).

mod certificate;
mod pem;
mod self_signed;

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use arc_swap::ArcSwap;
use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::{self, Ticketer};
use rustls::server::ServerConnection;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ProtocolVersion, ServerConfig};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::http::peer::{TlsLink, TlsVersion};
pub use certificate::{CertificateReport, CertificateWarning};
pub use pem::PemContents;

/// Where the certificate comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CertificateSource {
    /// PEM files of the operator's: the leaf first, then its intermediates; a key in PKCS#8,
    /// PKCS#1 or SEC1. Both may be the same file.
    Files {
        /// `tls.cert`
        cert: PathBuf,
        /// `tls.key`
        key: PathBuf,
    },
    /// A self-signed certificate, made on first use and kept as `selfsigned.pem` and
    /// `selfsigned.key` (mode 0600) until it runs out after ten years.
    SelfSigned {
        /// `state_dir`; it must exist.
        state_dir: PathBuf,
        /// The names that it is made for, besides `localhost` and the loopback addresses.
        /// Names that are not ASCII are left out.
        names: Vec<String>,
    },
}

/// Why there is no certificate to serve. The operator's to mend; each names the file.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file could not be read, or written for the self-signed certificate.
    #[error("{}: {source}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The certificate file has no certificate.
    #[error("{}: no certificate, only {found}", path.display())]
    NoCertificate {
        /// Which file.
        path: PathBuf,
        /// What is in it instead.
        found: PemContents,
    },
    /// The key file has no key that is understood.
    #[error("{}: no private key, only {found}", path.display())]
    NoKey {
        /// Which file.
        path: PathBuf,
        /// What is in it instead.
        found: PemContents,
    },
    /// The key wants a passphrase, and nobody is there to type it.
    #[error(
        "{path}: the private key is encrypted; write a copy without passphrase: \
         openssl pkey -in {path} -out {path}.open",
        path = path.display()
    )]
    EncryptedKey {
        /// Which file.
        path: PathBuf,
    },
    /// The certificate is in binary form.
    #[error(
        "{path}: the certificate is DER, not PEM; convert it: \
         openssl x509 -inform DER -in {path} -out {path}.pem",
        path = path.display()
    )]
    CertificateIsDer {
        /// Which file.
        path: PathBuf,
    },
    /// The key is in binary form.
    #[error(
        "{path}: the private key is DER, not PEM; convert it: \
         openssl pkey -inform DER -in {path} -out {path}.pem",
        path = path.display()
    )]
    KeyIsDer {
        /// Which file.
        path: PathBuf,
    },
    /// A PEM section that does not decode.
    #[error("{}: damaged PEM: {reason}", path.display())]
    DamagedPem {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A certificate that is none inside.
    #[error("{}: certificate {position} cannot be read: {reason}", path.display())]
    DamagedCertificate {
        /// Which file.
        path: PathBuf,
        /// Counted from 1.
        position: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// A key of a kind or size that TLS here does not take.
    #[error("{}: the private key cannot be used: {source}", path.display())]
    UnusableKey {
        /// Which file.
        path: PathBuf,
        /// What rustls said.
        source: rustls::Error,
    },
    /// The key belongs to another certificate.
    #[error("{}: the key does not belong to the certificate in {}", key.display(), cert.display())]
    KeyMismatch {
        /// The certificate's file.
        cert: PathBuf,
        /// The key's file.
        key: PathBuf,
    },
    /// The key belongs to a later certificate of the file.
    #[error(
        "{}: the key belongs to certificate {position}, which must stand first, \
         with its issuers behind it",
        cert.display()
    )]
    LeafNotFirst {
        /// The certificate's file.
        cert: PathBuf,
        /// Counted from 1.
        position: usize,
    },
    /// The self-signed certificate could not be made.
    #[error("cannot make a self-signed certificate: {reason}")]
    CannotSelfSign {
        /// What went wrong.
        reason: String,
    },
    /// The cryptographic library refused to work.
    #[error("TLS cannot start: {0}")]
    Library(#[from] rustls::Error),
}

/// Keeps the certificate that new connections are shown, and swaps it on demand.
///
/// A connection takes a whole configuration at its start and keeps it, so what it was shown and
/// what its logins bind to are the same certificate, also in the middle of a reload.
pub struct TlsKeeper {
    served: ArcSwap<Served>,
    /// The host of `public_url`, which the certificate ought to name.
    public_host: Option<String>,
}

struct Served {
    config: Arc<ServerConfig>,
    server_end_point: Option<Arc<[u8]>>,
    report: Arc<CertificateReport>,
}

impl TlsKeeper {
    /// Loads the certificate, or makes the self-signed one.
    ///
    /// What is wrong without being fatal (a certificate that has run out, a missing
    /// intermediate, another name than `public_host`) is in [`report`](Self::report).
    ///
    /// # Errors
    ///
    /// [`TlsError`] when there is nothing that could be served.
    pub fn load(source: &CertificateSource, public_host: Option<String>) -> Result<Self, TlsError> {
        let served = Served::load(source, public_host.as_deref())?;
        Ok(Self {
            served: ArcSwap::from_pointee(served),
            public_host,
        })
    }

    /// Loads again and, when that worked, shows the result to every new connection. Open
    /// connections keep what they have.
    ///
    /// # Errors
    ///
    /// [`TlsError`]; the certificate so far then stays in use.
    pub fn reload(&self, source: &CertificateSource) -> Result<Arc<CertificateReport>, TlsError> {
        let served = Served::load(source, self.public_host.as_deref())?;
        self.served.store(Arc::new(served));
        Ok(self.report())
    }

    /// What is being served now.
    pub fn report(&self) -> Arc<CertificateReport> {
        Arc::clone(&self.served.load().report)
    }

    /// The configuration for new connections, for accept loops other than
    /// [`Listener`](crate::http::listener::Listener). It does not follow a reload: ask again.
    pub fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.served.load().config)
    }

    /// Performs the server's side of the handshake. Has no time-out of its own.
    ///
    /// # Errors
    ///
    /// Whatever ends the handshake; the alert has then been sent.
    pub async fn accept<S>(&self, io: S) -> io::Result<(TlsStream<S>, TlsLink)>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let served = self.served.load_full();
        let stream = TlsAcceptor::from(Arc::clone(&served.config))
            .accept(io)
            .await?;
        let link = tls_link(stream.get_ref().1, served.server_end_point.clone());
        Ok((stream, link))
    }
}

impl fmt::Debug for TlsKeeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsKeeper")
            .field("report", &self.report())
            .finish_non_exhaustive()
    }
}

impl Served {
    fn load(source: &CertificateSource, public_host: Option<&str>) -> Result<Self, TlsError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let key = match source {
            CertificateSource::Files { cert, key } => pem::load(cert, key, &provider)?,
            CertificateSource::SelfSigned { state_dir, names } => {
                self_signed::load_or_make(state_dir, names, &provider)?
            }
        };
        let report = certificate::report(&key.cert, public_host, SystemTime::now());
        let server_end_point = key.cert.first().and_then(certificate::server_end_point);
        let config = Arc::new(server_config(key, provider)?);
        Ok(Self {
            config,
            server_end_point,
            report: Arc::new(report),
        })
    }
}

fn server_config(
    key: CertifiedKey,
    provider: Arc<CryptoProvider>,
) -> Result<ServerConfig, rustls::Error> {
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(key)));
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.require_ems = true;
    config.max_early_data_size = 0;
    // Stateless tickets cost no memory per client; one is what a browser uses. The ticketer is
    // made anew with the certificate, so that no session resumes under another certificate than
    // it began with, and tls-server-end-point stays true (RFC 5929 §4).
    config.ticketer = Ticketer::new()?;
    config.send_tls13_tickets = 1;
    Ok(config)
}

fn tls_link(connection: &ServerConnection, server_end_point: Option<Arc<[u8]>>) -> TlsLink {
    let exporter = connection.export_keying_material([0; 32], EXPORTER_LABEL, Some(b""));
    let version = match connection.protocol_version() {
        Some(ProtocolVersion::TLSv1_3) => TlsVersion::V1_3,
        _ => TlsVersion::V1_2,
    };
    TlsLink {
        exporter: exporter.ok(),
        server_end_point,
        version,
    }
}

/// RFC 9266 §2, with an empty context.
const EXPORTER_LABEL: &[u8] = b"EXPORTER-Channel-Binding";

#[cfg(test)]
pub(crate) mod tests;
