//! The TLS step: the chain as a browser on this machine would check it.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::report::{Done, Trouble};
use super::target::Target;
use crate::cli::ProbeArgs;

/// Speaks TLS over `tcp` and says what the certificate is worth.
pub(super) async fn secure(
    target: &Target,
    tcp: TcpStream,
    args: &ProbeArgs,
) -> Result<Done<TlsStream<TcpStream>>, Trouble> {
    let name = ServerName::try_from(target.host.clone());
    let name = name.map_err(|_| Trouble::new("the host is no name for a certificate", ""))?;
    let recorder = Arc::new(Recorder::new(args)?);
    let connector = TlsConnector::from(Arc::new(client_config(recorder.clone())?));
    let outcome = connector.connect(name, tcp).await;
    let seen = recorder.seen();
    match outcome {
        Ok(stream) => Ok(describe(stream, &seen)),
        Err(error) => Err(explain(&error, &seen, target)),
    }
}

fn client_config(recorder: Arc<Recorder>) -> Result<ClientConfig, Trouble> {
    let builder = ClientConfig::builder_with_provider(recorder.provider.clone());
    let builder = builder.with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| Trouble::new(error, ""))?;
    let verified = builder
        .dangerous()
        .with_custom_certificate_verifier(recorder);
    let mut config = verified.with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// Checks as rustls does, and remembers what it was shown.
#[derive(Debug)]
struct Recorder {
    provider: Arc<CryptoProvider>,
    verifier: Result<Arc<WebPkiServerVerifier>, String>,
    insecure: bool,
    seen: Mutex<Seen>,
}

/// What the server showed, and what is wrong with it.
#[derive(Debug, Clone, Default)]
struct Seen {
    chain: Vec<CertificateDer<'static>>,
    fault: Option<Error>,
}

impl Recorder {
    fn new(args: &ProbeArgs) -> Result<Self, Trouble> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let roots = Arc::new(roots(args.ca.as_deref())?);
        let verifier = WebPkiServerVerifier::builder_with_provider(roots, provider.clone()).build();
        let verifier = verifier.map_err(|error| error.to_string());
        if let (Err(why), false) = (&verifier, args.insecure) {
            return Err(Trouble::new(why, NO_ROOTS));
        }
        Ok(Self {
            provider,
            verifier,
            insecure: args.insecure,
            seen: Mutex::default(),
        })
    }

    fn seen(&self) -> Seen {
        self.seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

const NO_ROOTS: &str = "This machine has no root certificates to check against. Install them \
                        (ca-certificates), or name some by --ca.";

fn roots(ca: Option<&Path>) -> Result<RootCertStore, Trouble> {
    let mut roots = RootCertStore::empty();
    let Some(path) = ca else {
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        return Ok(roots);
    };
    let refuse = |error: &dyn std::fmt::Display| {
        Trouble::new(
            format!("{}: {error}", path.display()),
            "--ca wants certificates in PEM.",
        )
    };
    for certificate in CertificateDer::pem_file_iter(path).map_err(|error| refuse(&error))? {
        let certificate = certificate.map_err(|error| refuse(&error))?;
        roots.add(certificate).map_err(|error| refuse(&error))?;
    }
    if roots.is_empty() {
        Err(refuse(&"no certificate in it"))
    } else {
        Ok(roots)
    }
}

impl ServerCertVerifier for Recorder {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verdict = match &self.verifier {
            Ok(verifier) => verifier.verify_server_cert(
                end_entity,
                intermediates,
                server_name,
                ocsp_response,
                now,
            ),
            Err(why) => Err(Error::General(why.clone())),
        };
        let chain = [end_entity].into_iter().chain(intermediates);
        let chain = chain
            .map(|certificate| certificate.clone().into_owned())
            .collect();
        let fault = verdict.as_ref().err().cloned();
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Seen { chain, fault };
        if self.insecure {
            Ok(ServerCertVerified::assertion())
        } else {
            verdict
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

/// What is worth knowing of a certificate.
struct Facts {
    subject: String,
    issuer: String,
    self_signed: bool,
    /// Negative once it has expired.
    days_left: i64,
}

/// Fewer days than this are a warning: whatever renews the certificate should have done so by now.
const DAYS_LEFT_MIN: i64 = 14;

fn facts(seen: &Seen) -> Option<Facts> {
    let (_, leaf) = X509Certificate::from_der(seen.chain.first()?).ok()?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
    let now = i64::try_from(now.as_secs()).ok()?;
    Some(Facts {
        subject: leaf.subject().to_string(),
        issuer: leaf.issuer().to_string(),
        self_signed: leaf.subject() == leaf.issuer(),
        days_left: (leaf.validity().not_after.timestamp() - now).div_euclid(86_400),
    })
}

fn describe(stream: TlsStream<TcpStream>, seen: &Seen) -> Done<TlsStream<TcpStream>> {
    let version = stream
        .get_ref()
        .1
        .protocol_version()
        .and_then(|version| version.as_str());
    let mut detail = version.unwrap_or("TLS").replace('_', ".");
    let mut warnings = Vec::new();
    if let Some(facts) = facts(seen) {
        let Facts {
            subject,
            issuer,
            days_left,
            ..
        } = &facts;
        detail.push_str(&format!(
            ", {subject}, issued by {issuer}, {days_left} days left"
        ));
        if (0..DAYS_LEFT_MIN).contains(days_left) {
            warnings.push(format!("the certificate ends in {days_left} days"));
        }
    }
    if let Some(fault) = &seen.fault {
        warnings.push(format!("no browser would go on here: {}", sentence(fault)));
    }
    Done {
        warnings,
        ..Done::new(stream, detail)
    }
}

fn sentence(fault: &Error) -> String {
    use CertificateError as E;
    match fault {
        Error::InvalidCertificate(E::UnknownIssuer | E::BadSignature) => {
            "the issuer of the certificate is not trusted".to_owned()
        }
        Error::InvalidCertificate(E::Expired) => "the certificate has expired".to_owned(),
        Error::InvalidCertificate(error) => error.to_string(),
        other => other.to_string(),
    }
}

fn explain(error: &std::io::Error, seen: &Seen, target: &Target) -> Trouble {
    let fault = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<Error>());
    let what = fault.map_or_else(|| error.to_string(), sentence);
    let advice = match fault {
        Some(Error::InvalidCertificate(error)) => certificate_advice(error, seen, target),
        Some(Error::InvalidMessage(_)) => {
            "What listens there does not speak TLS. Is the port right, or is it to be ws://?".into()
        }
        _ => "The server ended the handshake. Its log says why; a proxy may want another name \
              (SNI)."
            .into(),
    };
    Trouble { what, advice }
}

fn certificate_advice(error: &CertificateError, seen: &Seen, target: &Target) -> String {
    use CertificateError as E;
    let host = &target.host;
    match error {
        E::Expired | E::ExpiredContext { .. } => {
            "The certificate has expired. Renew it; the server reads it again on SIGHUP.".into()
        }
        E::NotValidYet | E::NotValidYetContext { .. } => {
            "The certificate is not valid yet. Is the clock of this machine right?".into()
        }
        E::NotValidForName | E::NotValidForNameContext { .. } => {
            format!("The certificate is for other names. Get one with {host} among its names.")
        }
        // A trusted issuer of the same name has another key.
        E::UnknownIssuer | E::BadSignature => issuer_advice(seen),
        _ => "No browser accepts this certificate. --insecure goes on all the same.".into(),
    }
}

fn issuer_advice(seen: &Seen) -> String {
    match (facts(seen), seen.chain.len()) {
        (Some(facts), _) if facts.self_signed => {
            "The certificate is self-signed: browsers refuse it until it is replaced (tls.cert).\n\
             To go on here: --ca with that certificate, or --insecure."
                .into()
        }
        (Some(facts), 1) => format!(
            "The server sends its own certificate alone, and nobody here knows its issuer, {}.\n\
             Most likely the intermediate is missing: put it behind the certificate in tls.cert \
             (often called fullchain.pem).",
            facts.issuer
        ),
        _ => {
            "The chain ends at an issuer that this machine does not trust. For a private one: --ca."
                .into()
        }
    }
}
