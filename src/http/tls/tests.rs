use std::fs;
use std::path::Path;
use std::time::Duration;

use rcgen::{CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme};
use sha2::{Digest, Sha256, Sha384};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream as ClientStream;

use super::*;
use crate::http::peer::TlsVersion;

/// Believes every certificate: what is tested is the server.
#[derive(Debug)]
struct Credulous(CryptoProvider);

impl ServerCertVerifier for Credulous {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, cert, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// A client for `versions` that believes every certificate.
pub(crate) fn connector(versions: &[&'static rustls::SupportedProtocolVersion]) -> TlsConnector {
    let provider = aws_lc_rs::default_provider();
    let mut config = ClientConfig::builder_with_provider(Arc::new(provider.clone()))
        .with_protocol_versions(versions)
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Credulous(provider)))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    TlsConnector::from(Arc::new(config))
}

pub(crate) fn localhost() -> ServerName<'static> {
    ServerName::try_from("localhost").unwrap()
}

type Ends = (ClientStream<DuplexStream>, TlsStream<DuplexStream>, TlsLink);

async fn shake_hands(
    keeper: &TlsKeeper,
    version: &'static rustls::SupportedProtocolVersion,
) -> Ends {
    let (near, far) = duplex(65_536);
    let connecting = connector(&[version]);
    let (client, server) = tokio::join!(connecting.connect(localhost(), near), keeper.accept(far));
    let (server, link) = server.unwrap();
    (client.unwrap(), server, link)
}

fn exported(client: &ClientConnection) -> [u8; 32] {
    client
        .export_keying_material([0; 32], EXPORTER_LABEL, Some(b""))
        .unwrap()
}

fn leaf(client: &ClientConnection) -> CertificateDer<'static> {
    client.peer_certificates().unwrap()[0].clone().into_owned()
}

/// A directory with `cert.pem` and `key.pem`.
struct Files {
    dir: TempDir,
}

impl Files {
    fn new(cert: &str, key: &str) -> Self {
        let files = Self {
            dir: TempDir::new().unwrap(),
        };
        files.write(cert, key);
        files
    }

    fn made_with(key: &KeyPair) -> Self {
        Self::new(
            &params().self_signed(key).unwrap().pem(),
            &key.serialize_pem(),
        )
    }

    fn write(&self, cert: &str, key: &str) {
        fs::write(self.cert(), cert).unwrap();
        fs::write(self.key(), key).unwrap();
    }

    fn cert(&self) -> PathBuf {
        self.dir.path().join("cert.pem")
    }

    fn key(&self) -> PathBuf {
        self.dir.path().join("key.pem")
    }

    fn source(&self) -> CertificateSource {
        CertificateSource::Files {
            cert: self.cert(),
            key: self.key(),
        }
    }

    fn load(&self) -> Result<TlsKeeper, TlsError> {
        TlsKeeper::load(&self.source(), Some("localhost".to_owned()))
    }

    fn warnings(&self) -> Vec<CertificateWarning> {
        self.load().unwrap().report().warnings.clone()
    }
}

fn params() -> CertificateParams {
    CertificateParams::new(vec!["localhost".to_owned()]).unwrap()
}

fn ecdsa() -> KeyPair {
    KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap()
}

/// One key in the forms that PEM files come in: PKCS#8, and PKCS#1 or SEC1.
fn openssl(args: &[&str], dir: &Path) {
    let run = std::process::Command::new("openssl")
        .args(args)
        .current_dir(dir)
        .output();
    let output = run.expect("openssl is installed");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[tokio::test]
async fn x10_every_key_form_serves_tls_1_2_and_1_3() {
    let self_sign = [
        "req",
        "-x509",
        "-days",
        "2",
        "-subj",
        "/CN=localhost",
        "-addext",
        "subjectAltName=DNS:localhost",
        "-key",
        "key.pem",
        "-out",
        "cert.pem",
    ];
    for make_key in [
        [
            "genpkey",
            "-algorithm",
            "EC",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-out",
            "key.pem",
        ]
        .as_slice(), // PKCS#8
        &[
            "ecparam",
            "-name",
            "secp384r1",
            "-genkey",
            "-noout",
            "-out",
            "key.pem",
        ], // SEC1
        &["genrsa", "-traditional", "-out", "key.pem", "2048"], // PKCS#1
        &["genpkey", "-algorithm", "ed25519", "-out", "key.pem"],
    ] {
        let files = Files::new("", "");
        openssl(make_key, files.dir.path());
        openssl(&self_sign, files.dir.path());
        let keeper = files.load().unwrap();
        assert_eq!(keeper.report().warnings, [], "{make_key:?}");
        for (version, expected) in [(&TLS12, TlsVersion::V1_2), (&TLS13, TlsVersion::V1_3)] {
            let (_, _, link) = shake_hands(&keeper, version).await;
            assert_eq!(link.version, expected, "{make_key:?}");
        }
    }
}

///
#[tokio::test]
async fn both_ends_export_the_same_binding_and_no_two_connections_share_it() {
    let keeper = Files::made_with(&ecdsa()).load().unwrap();
    let mut seen = Vec::new();
    for version in [&TLS12, &TLS13] {
        let (client, _, link) = shake_hands(&keeper, version).await;
        assert_eq!(link.exporter, Some(exported(client.get_ref().1)));
        seen.push(link.exporter);
    }
    assert_ne!(seen[0], seen[1]);
}

///
#[tokio::test]
async fn server_end_point_is_the_hash_of_the_leaf_by_its_own_algorithm() {
    let p384 = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap();
    let ed25519 = KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    type Hasher = fn(&[u8]) -> Option<Vec<u8>>;
    let hashes: [Hasher; 3] = [
        |der| Some(Sha256::digest(der).to_vec()),
        |der| Some(Sha384::digest(der).to_vec()),
        |_| None,
    ];
    for (key, hash) in [ecdsa(), p384, ed25519].iter().zip(hashes) {
        let keeper = Files::made_with(key).load().unwrap();
        let (client, _, link) = shake_hands(&keeper, &TLS13).await;
        let expected = hash(&leaf(client.get_ref().1));
        assert_eq!(link.server_end_point.as_deref(), expected.as_deref());
    }
}

#[tokio::test]
async fn x8_reload_shows_the_new_certificate_while_old_connections_go_on() {
    let files = Files::made_with(&ecdsa());
    let keeper = files.load().unwrap();
    let (mut client, mut server, old_link) = shake_hands(&keeper, &TLS13).await;
    let old_report = keeper.report();

    let key = ecdsa();
    files.write(
        &params().self_signed(&key).unwrap().pem(),
        &key.serialize_pem(),
    );
    let new_report = keeper.reload(&files.source()).unwrap();
    assert_ne!(new_report.serial, old_report.serial);
    assert_ne!(new_report.fingerprint, old_report.fingerprint);

    let (new_client, _, new_link) = shake_hands(&keeper, &TLS13).await;
    assert_ne!(leaf(client.get_ref().1), leaf(new_client.get_ref().1));
    assert_ne!(new_link.server_end_point, old_link.server_end_point);

    client.write_all(b"still here").await.unwrap();
    client.flush().await.unwrap();
    let mut heard = [0; 10];
    server.read_exact(&mut heard).await.unwrap();
    assert_eq!(&heard, b"still here");
}

#[tokio::test]
async fn x8_reload_that_fails_keeps_the_certificate() {
    let files = Files::made_with(&ecdsa());
    let keeper = files.load().unwrap();
    let before = keeper.report();
    fs::write(files.key(), ecdsa().serialize_pem()).unwrap();
    assert!(matches!(
        keeper.reload(&files.source()),
        Err(TlsError::KeyMismatch { .. })
    ));
    assert_eq!(keeper.report(), before);
    shake_hands(&keeper, &TLS13).await;
}

#[test]
fn x10_key_and_chain_may_share_a_file() {
    let key = ecdsa();
    let both = params().self_signed(&key).unwrap().pem() + &key.serialize_pem();
    assert!(Files::new(&both, &both).load().is_ok());
}

#[test]
fn x10_encrypted_key_is_named_with_the_line_that_opens_it() {
    let cert = params().self_signed(&ecdsa()).unwrap().pem();
    for key in [
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
        "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: X\n\nAAAA\n-----END RSA PRIVATE KEY-----\n",
    ] {
        let error = Files::new(&cert, key).load().unwrap_err();
        assert!(matches!(error, TlsError::EncryptedKey { .. }), "{error}");
        assert!(error.to_string().contains("openssl pkey -in "), "{error}");
    }
}

#[test]
fn x10_der_files_are_named_with_the_line_that_converts_them() {
    let key = ecdsa();
    let cert = params().self_signed(&key).unwrap();
    let files = Files::new(&cert.pem(), "");
    fs::write(files.key(), key.serialize_der()).unwrap();
    let error = files.load().unwrap_err();
    assert!(
        matches!(error, TlsError::KeyIsDer { .. }) && error.to_string().contains("openssl pkey")
    );
    fs::write(files.cert(), cert.der()).unwrap();
    let error = files.load().unwrap_err();
    assert!(matches!(error, TlsError::CertificateIsDer { .. }));
    assert!(error.to_string().contains("openssl x509"), "{error}");
}

#[test]
fn file_without_what_is_looked_for_is_named_with_what_it_holds() {
    let key = ecdsa();
    let cert = params().self_signed(&key).unwrap().pem();
    let swapped = Files::new(&key.serialize_pem(), &cert).load().unwrap_err();
    assert!(
        swapped
            .to_string()
            .ends_with("no certificate, only PRIVATE KEY"),
        "{swapped}"
    );
    let no_key = Files::new(&cert, &cert).load().unwrap_err();
    assert!(
        no_key
            .to_string()
            .ends_with("no private key, only CERTIFICATE"),
        "{no_key}"
    );
    let garbage = Files::new("garbage", "garbage").load().unwrap_err();
    assert!(
        garbage
            .to_string()
            .ends_with("only bytes without any PEM section"),
        "{garbage}"
    );
    let files = Files::new(&cert, "");
    fs::remove_file(files.key()).unwrap();
    assert!(files.load().unwrap_err().to_string().contains("key.pem"));
}

#[test]
fn damaged_certificate_is_named_by_its_position() {
    let key = ecdsa();
    let good = params().self_signed(&key).unwrap().pem();
    let damaged = good.clone() + "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let error = Files::new(&damaged, &key.serialize_pem())
        .load()
        .unwrap_err();
    assert!(
        matches!(error, TlsError::DamagedCertificate { position: 2, .. }),
        "{error}"
    );
}

#[test]
fn x8_key_of_another_certificate_and_a_chain_in_the_wrong_order_are_told_apart() {
    let (issuer, key) = (issuer(), ecdsa());
    let leaf = params().signed_by(&key, &issuer).unwrap();
    let reversed = issuer.pem() + &leaf.pem();
    let error = Files::new(&reversed, &key.serialize_pem())
        .load()
        .unwrap_err();
    assert!(
        matches!(error, TlsError::LeafNotFirst { position: 2, .. }),
        "{error}"
    );
    let error = Files::new(&leaf.pem(), &ecdsa().serialize_pem())
        .load()
        .unwrap_err();
    assert!(matches!(error, TlsError::KeyMismatch { .. }), "{error}");
}

fn issuer() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    params
        .distinguished_name
        .push(rcgen::DnType::CommonName, "Issuer");
    CertifiedIssuer::self_signed(params, ecdsa()).unwrap()
}

#[test]
fn x8_leaf_without_its_issuer_is_warned_about_and_a_whole_chain_is_not() {
    let (issuer, key) = (issuer(), ecdsa());
    let mut leaf_params = params();
    leaf_params
        .distinguished_name
        .push(rcgen::DnType::CommonName, "Leaf");
    let leaf = leaf_params.signed_by(&key, &issuer).unwrap().pem();
    let key = key.serialize_pem();
    let alone = Files::new(&leaf, &key).warnings();
    assert!(
        matches!(&alone[..], [CertificateWarning::MissingIntermediate { issuer }] if issuer.contains("Issuer"))
    );
    assert_eq!(
        Files::new(&(leaf.clone() + &issuer.pem()), &key).warnings(),
        []
    );
    let stranger = params().self_signed(&ecdsa()).unwrap().pem();
    let broken = Files::new(&(leaf + &stranger), &key).warnings();
    assert!(matches!(
        broken[..],
        [CertificateWarning::BrokenChain { position: 2, .. }]
    ));
}

#[test]
fn x8_dates_and_names_that_do_not_fit_are_warned_about() {
    fn warned(change: impl FnOnce(&mut CertificateParams)) -> Vec<CertificateWarning> {
        let key = ecdsa();
        let mut params = params();
        change(&mut params);
        Files::new(
            &params.self_signed(&key).unwrap().pem(),
            &key.serialize_pem(),
        )
        .warnings()
    }
    let expired = warned(|params| params.not_after = date_time_ymd(2020, 1, 1));
    assert!(
        matches!(expired[..], [CertificateWarning::Expired { .. }]),
        "{expired:?}"
    );
    let early = warned(|params| params.not_before = date_time_ymd(3000, 1, 1));
    assert!(
        matches!(early[..], [CertificateWarning::NotYetValid { .. }]),
        "{early:?}"
    );
    let other = warned(|params| {
        params.subject_alt_names = vec![rcgen::SanType::DnsName("x.example".try_into().unwrap())];
    });
    let expected = "the certificate is for x.example, not for localhost";
    assert_eq!(
        other.iter().map(ToString::to_string).collect::<Vec<_>>(),
        [expected]
    );
}

fn self_signed(dir: &TempDir) -> CertificateSource {
    let names = vec![
        "example.org".to_owned(),
        "localhost".to_owned(),
        "münchen.example".to_owned(),
    ];
    CertificateSource::SelfSigned {
        state_dir: dir.path().to_owned(),
        names,
    }
}

#[test]
fn x9_self_signed_certificate_is_made_once_and_kept() {
    let dir = TempDir::new().unwrap();
    let first = TlsKeeper::load(&self_signed(&dir), Some("example.org".to_owned())).unwrap();
    let report = first.report();
    assert_eq!(
        report.names,
        ["example.org", "localhost", "127.0.0.1", "::1"]
    );
    assert_eq!(report.warnings, []);
    assert_eq!(report.fingerprint.len(), 32 * 3 - 1);
    let second = TlsKeeper::load(&self_signed(&dir), None).unwrap();
    assert_eq!(second.report().fingerprint, report.fingerprint);
}

#[cfg(unix)]
#[test]
fn self_signed_key_is_readable_by_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let dir = TempDir::new().unwrap();
    TlsKeeper::load(&self_signed(&dir), None).unwrap();
    let mode = fs::metadata(dir.path().join("selfsigned.key"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
}

#[test]
fn self_signed_certificate_that_has_run_out_is_made_anew() {
    let dir = TempDir::new().unwrap();
    let key = ecdsa();
    let mut params = params();
    params.not_after = date_time_ymd(2020, 1, 1);
    fs::write(
        dir.path().join("selfsigned.pem"),
        params.self_signed(&key).unwrap().pem(),
    )
    .unwrap();
    fs::write(dir.path().join("selfsigned.key"), key.serialize_pem()).unwrap();
    let keeper = TlsKeeper::load(&self_signed(&dir), None).unwrap();
    assert_eq!(keeper.report().warnings, []);
}

#[test]
fn state_directory_that_is_not_there_is_named() {
    let source = CertificateSource::SelfSigned {
        state_dir: "/nonexistent".into(),
        names: vec![],
    };
    let error = TlsKeeper::load(&source, None).unwrap_err();
    assert!(
        error.to_string().starts_with("/nonexistent/selfsigned.key"),
        "{error}"
    );
}

#[tokio::test]
async fn handshake_with_something_else_ends_with_an_error() {
    let keeper = Files::made_with(&ecdsa()).load().unwrap();
    let (mut near, far) = duplex(65_536);
    near.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    let accepting = tokio::time::timeout(Duration::from_secs(5), keeper.accept(far));
    assert!(accepting.await.unwrap().is_err());
}
