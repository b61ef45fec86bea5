//! TLS as a client speaks it, with what channel binding needs of it.

use super::{Http, TestServer, within};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use sha2::{Digest, Sha256};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// A connection with its binding data.
pub struct Tls {
    pub http: Http,
    /// `tls-exporter` (RFC 9266 §2).
    pub exporter: Vec<u8>,
    /// `tls-server-end-point` (RFC 5929 §4.1), for a certificate signed with SHA-256.
    pub end_point: Vec<u8>,
}

/// Connects and trusts the one certificate that the server made for itself.
pub async fn connect(server: &TestServer, version: &'static SupportedProtocolVersion) -> Tls {
    let certificate = server.server.certificate().expect("a certificate");
    let config = ClientConfig::builder_with_protocol_versions(&[version])
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Pinned(certificate.fingerprint.clone())))
        .with_no_client_auth();
    let tcp = within("a connection", TcpStream::connect(server.tls()))
        .await
        .expect("a connection");
    let name = ServerName::try_from("example.org").expect("a name");
    let connecting = TlsConnector::from(Arc::new(config)).connect(name, tcp);
    let stream = within("a TLS handshake", connecting).await.expect("TLS");
    let session = stream.get_ref().1;
    let exporter = session
        .export_keying_material([0; 32], b"EXPORTER-Channel-Binding", Some(b""))
        .expect("an exporter");
    let certificate = session.peer_certificates().expect("a certificate")[0].clone();
    Tls {
        end_point: Sha256::digest(&certificate).to_vec(),
        exporter: exporter.to_vec(),
        http: Http::over(Box::new(stream)),
    }
}

/// Connects to `localhost` as a browser does that believes these roots and nobody else.
pub async fn trusting(roots: &Path, address: SocketAddr) -> std::io::Result<Http> {
    let mut store = RootCertStore::empty();
    for root in CertificateDer::pem_file_iter(roots).expect("a file") {
        store.add(root.expect("a certificate")).expect("a root");
    }
    let config = ClientConfig::builder()
        .with_root_certificates(store)
        .with_no_client_auth();
    let tcp = within("a connection", TcpStream::connect(address)).await?;
    let name = ServerName::try_from("localhost").expect("a name");
    let connecting = TlsConnector::from(Arc::new(config)).connect(name, tcp);
    let stream = within("a TLS handshake", connecting).await?;
    Ok(Http::over(Box::new(stream)))
}

/// Takes the certificate of this fingerprint and no other.
#[derive(Debug)]
struct Pinned(String);

mod verifier {
    use super::Pinned;
    use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
    use rustls::crypto::aws_lc_rs::default_provider;
    use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
    use rustls::{DigitallySignedStruct, Error, SignatureScheme};
    use sha2::{Digest, Sha256};

    impl ServerCertVerifier for Pinned {
        fn verify_server_cert(
            &self,
            end_entity: &CertificateDer<'_>,
            _: &[CertificateDer<'_>],
            _: &ServerName<'_>,
            _: &[u8],
            _: UnixTime,
        ) -> Result<ServerCertVerified, Error> {
            let found: String = Sha256::digest(end_entity)
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect();
            let wanted = self.0.replace(':', "").to_ascii_lowercase();
            if found == wanted {
                Ok(ServerCertVerified::assertion())
            } else {
                Err(Error::General(format!("{found} is not {wanted}")))
            }
        }

        fn verify_tls12_signature(
            &self,
            message: &[u8],
            cert: &CertificateDer<'_>,
            dss: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            let provider = default_provider();
            let algorithms = &provider.signature_verification_algorithms;
            rustls::crypto::verify_tls12_signature(message, cert, dss, algorithms)
        }

        fn verify_tls13_signature(
            &self,
            message: &[u8],
            cert: &CertificateDer<'_>,
            dss: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            let provider = default_provider();
            let algorithms = &provider.signature_verification_algorithms;
            rustls::crypto::verify_tls13_signature(message, cert, dss, algorithms)
        }

        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            default_provider()
                .signature_verification_algorithms
                .supported_schemes()
        }
    }
}
