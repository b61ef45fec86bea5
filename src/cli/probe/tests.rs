//! Probes of servers that do one thing each, on loopback.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use tokio_tungstenite::tungstenite::http::HeaderValue;

use super::*;

const OPEN: &str = "<open xmlns=\"urn:ietf:params:xml:ns:xmpp-framing\" from=\"localhost\" id=\"i1\" \
                    version=\"1.0\"/>";
const FEATURES: &str = "<stream:features xmlns:stream=\"http://etherx.jabber.org/streams\">\
                        <mechanisms xmlns=\"urn:ietf:params:xml:ns:xmpp-sasl\">\
                        <mechanism>SCRAM-SHA-256</mechanism><mechanism>PLAIN</mechanism>\
                        </mechanisms></stream:features>";

fn args(url: String) -> ProbeArgs {
    ProbeArgs {
        url: Some(url),
        domain: None,
        origin: None,
        ca: None,
        insecure: false,
        timeout: Duration::from_secs(10),
    }
}

/// What the probe prints, and whether it found all well.
async fn probed(args: &ProbeArgs) -> (String, bool) {
    let target = Target::of(&Config::default(), false, args).unwrap();
    let mut out = Vec::new();
    let outcome = probe(&mut out, &target, args).await;
    (String::from_utf8(out).unwrap(), outcome.is_ok())
}

async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// A server that gives these bytes for an answer to any request.
async fn answering(answer: &'static str) -> String {
    let (listener, address) = listener().await;
    tokio::spawn(async move {
        let (mut tcp, _) = listener.accept().await.unwrap();
        let mut request = [0; 4096];
        let _ = tcp.read(&mut request).await;
        let _ = tcp.write_all(answer.as_bytes()).await;
        let _ = tcp.shutdown().await;
    });
    format!("ws://{address}/ws/")
}

/// A WebSocket server that sends these frames, the first one after it has read one.
async fn speaking(link: impl Link, frames: &[&str]) {
    // The type of the refusal is the library's.
    #[allow(clippy::result_large_err)]
    let choose = |_: &Request, mut response: Response| {
        response
            .headers_mut()
            .insert("sec-websocket-protocol", HeaderValue::from_static("xmpp"));
        Ok(response)
    };
    let Ok(mut socket) = tokio_tungstenite::accept_hdr_async(link, choose).await else {
        return;
    };
    let _ = socket.next().await;
    for frame in frames {
        let _ = socket.send(Message::text(*frame)).await;
    }
    while let Some(Ok(_)) = socket.next().await {}
}

async fn speaking_plain(frames: &'static [&'static str]) -> String {
    let (listener, address) = listener().await;
    tokio::spawn(async move {
        let (tcp, _) = listener.accept().await.unwrap();
        speaking(tcp, frames).await;
    });
    format!("ws://{address}/ws/")
}

#[tokio::test]
async fn x3_a_good_server_passes_every_step_in_order() {
    let (text, well) = probed(&args(speaking_plain(&[OPEN, FEATURES]).await)).await;
    assert!(well, "{text}");
    let places: Vec<_> = [
        "✓ DNS",
        "✓ TCP",
        "✓ upgrade",
        "✓ subprotocol",
        "✓ open",
        "✓ features",
    ]
    .map(|step| {
        text.find(step)
            .unwrap_or_else(|| panic!("{step} in {text}"))
    })
    .into();
    assert!(places.is_sorted(), "{text}");
    assert!(text.contains("SCRAM-SHA-256, PLAIN"), "{text}");
    assert!(!text.contains('!'), "{text}");
}

#[tokio::test]
async fn a_port_where_nothing_listens_fails_at_tcp_and_names_the_options() {
    let (listener, address) = listener().await;
    drop(listener);
    let (text, well) = probed(&args(format!("ws://{address}/ws/"))).await;
    assert!(!well);
    assert!(
        text.contains("✗ TCP") && text.contains("listen.plain"),
        "{text}"
    );
}

#[tokio::test]
async fn x3_a_refused_upgrade_tells_what_each_status_means() {
    let answers = [
        (
            "HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n",
            "endpoint.origins",
        ),
        (
            "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n",
            "endpoint.path",
        ),
        (
            "HTTP/1.1 426 Upgrade Required\r\ncontent-length: 0\r\n\r\n",
            "proxy_set_header Upgrade",
        ),
        (
            "HTTP/1.1 400 Bad Request\r\ncontent-length: 4\r\n\r\nwhy?",
            "400 Bad Request: why?",
        ),
        (
            "HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n",
            "does not reach",
        ),
        (
            "HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n",
            "limits.connections",
        ),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\n<html>",
            "with a page",
        ),
        (
            "HTTP/1.1 301 Moved\r\nlocation: https://x.example/\r\n\r\n",
            "https://x.example/",
        ),
    ];
    for (answer, advice) in answers {
        let (text, well) = probed(&args(answering(answer).await)).await;
        assert!(!well && text.contains("✗ upgrade"), "{text}");
        assert!(text.contains(advice), "{advice} in {text}");
    }
}

#[tokio::test]
async fn what_is_no_http_fails_at_the_upgrade() {
    let (text, well) = probed(&args(answering("SSH-2.0-OpenSSH_9.2\r\n\r\n").await)).await;
    assert!(
        !well && text.contains("✗ upgrade") && text.contains("no HTTP server"),
        "{text}"
    );
    let (text, well) = probed(&args(answering("").await)).await;
    assert!(
        !well && text.contains("✗ upgrade") && text.contains("wss://"),
        "{text}"
    );
}

#[tokio::test]
async fn x7_a_proxy_that_drops_the_subprotocol_is_found_out() {
    let (listener, address) = listener().await;
    tokio::spawn(async move {
        let (tcp, _) = listener.accept().await.unwrap();
        let _ = tokio_tungstenite::accept_async(tcp).await;
    });
    let (text, well) = probed(&args(format!("ws://{address}/ws/"))).await;
    assert!(!well, "{text}");
    assert!(
        text.contains("✓ upgrade") && text.contains("✗ subprotocol"),
        "{text}"
    );
    assert!(text.contains("Sec-WebSocket-Protocol"), "{text}");
}

#[tokio::test]
async fn an_unknown_domain_is_told_to_name_another() {
    let error = "<stream:error xmlns:stream='http://etherx.jabber.org/streams'>\
                 <text xmlns='urn:ietf:params:xml:ns:xmpp-streams'>no</text>\
                 <host-unknown xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>";
    let frames: &'static [&'static str] = vec![error].leak();
    let (text, well) = probed(&args(speaking_plain(frames).await)).await;
    assert!(
        !well && text.contains("✗ open") && text.contains("host-unknown"),
        "{text}"
    );
    assert!(text.contains("--domain"), "{text}");
}

#[tokio::test]
async fn x3_a_frame_that_is_no_stream_header_fails_at_open() {
    for frames in [
        &["hello"] as &'static [_],
        &["<message/>"],
        &["<open"],
        &["<a/><b/>"],
    ] {
        let (text, well) = probed(&args(speaking_plain(frames).await)).await;
        assert!(!well && text.contains("✗ open"), "{text}");
    }
}

#[tokio::test]
async fn an_open_that_strophe_cannot_read_is_a_warning() {
    let open = "<open id='1' from='a' version='1.0' xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>";
    let odd = open.replace("<open id", "<open\nid");
    let frames: &'static [&'static str] = vec![&*odd.leak(), FEATURES].leak();
    let (text, well) = probed(&args(speaking_plain(frames).await)).await;
    assert!(
        well && text.contains("! the frame does not begin"),
        "{text}"
    );
}

#[tokio::test]
async fn x3_features_without_a_mechanism_fail() {
    let frames = &[OPEN, "<features xmlns='http://etherx.jabber.org/streams'/>"];
    let (text, well) = probed(&args(speaking_plain(frames).await)).await;
    assert!(
        !well && text.contains("✗ features") && text.contains("no SASL mechanism"),
        "{text}"
    );
}

#[tokio::test]
async fn a_server_that_never_answers_ends_with_the_limit_of_the_step() {
    let (listener, address) = listener().await;
    let mut args = args(format!("ws://{address}/ws/"));
    args.timeout = Duration::from_millis(50);
    let (text, well) = probed(&args).await;
    drop(listener);
    assert!(
        !well && text.contains("✗ upgrade") && text.contains("no end after 50ms"),
        "{text}"
    );
}

mod over_tls {
    use super::*;

    struct Certificate {
        dir: tempfile::TempDir,
        acceptor: TlsAcceptor,
    }

    impl Certificate {
        /// A self-signed certificate for these names.
        fn for_names(names: &[&str]) -> Self {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            let made = rcgen::generate_simple_self_signed(names).unwrap();
            let dir = tempfile::tempdir().unwrap();
            std::fs::write(dir.path().join("ca.pem"), made.cert.pem()).unwrap();
            let key = PrivateKeyDer::from_pem_slice(made.signing_key.serialize_pem().as_bytes());
            let chain = vec![CertificateDer::from(made.cert)];
            let provider = Arc::new(aws_lc_rs::default_provider());
            let config = ServerConfig::builder_with_provider(provider)
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_no_client_auth()
                .with_single_cert(chain, key.unwrap())
                .unwrap();
            Self {
                dir,
                acceptor: TlsAcceptor::from(Arc::new(config)),
            }
        }

        fn path(&self) -> PathBuf {
            self.dir.path().join("ca.pem")
        }

        /// The port of a good server with this certificate.
        async fn serve(&self) -> u16 {
            let (listener, address) = listener().await;
            let acceptor = self.acceptor.clone();
            tokio::spawn(async move {
                let (tcp, _): (TcpStream, _) = listener.accept().await.unwrap();
                if let Ok(tls) = acceptor.accept(tcp).await {
                    speaking(tls, &[OPEN, FEATURES]).await;
                }
            });
            address.port()
        }
    }

    #[tokio::test]
    async fn a_certificate_of_the_named_ca_passes() {
        let certificate = Certificate::for_names(&["127.0.0.1"]);
        let mut args = args(format!("wss://127.0.0.1:{}/ws/", certificate.serve().await));
        args.ca = Some(certificate.path());
        let (text, well) = probed(&args).await;
        assert!(
            well && text.contains("✓ TLS") && text.contains("TLSv1.3"),
            "{text}"
        );
        assert!(!text.contains('!'), "{text}");
    }

    #[tokio::test]
    async fn x8_a_self_signed_certificate_fails_and_says_so() {
        let certificate = Certificate::for_names(&["127.0.0.1"]);
        // Another certificate stands for the roots of the system, which may have none.
        let other = Certificate::for_names(&["other.example"]);
        let mut args = args(format!("wss://127.0.0.1:{}/ws/", certificate.serve().await));
        args.ca = Some(other.path());
        let (text, well) = probed(&args).await;
        assert!(
            !well && text.contains("✗ TLS") && text.contains("is self-signed"),
            "{text}"
        );
    }

    #[tokio::test]
    async fn x8_a_certificate_for_another_name_fails_and_names_the_host() {
        let certificate = Certificate::for_names(&["other.example"]);
        let mut args = args(format!("wss://127.0.0.1:{}/ws/", certificate.serve().await));
        args.ca = Some(certificate.path());
        let (text, well) = probed(&args).await;
        assert!(
            !well && text.contains("✗ TLS") && text.contains("with 127.0.0.1 among"),
            "{text}"
        );
    }

    #[tokio::test]
    async fn insecure_goes_on_and_warns() {
        let certificate = Certificate::for_names(&["other.example"]);
        let mut args = args(format!("wss://127.0.0.1:{}/ws/", certificate.serve().await));
        args.insecure = true;
        let (text, well) = probed(&args).await;
        assert!(
            well && text.contains("! no browser would go on here"),
            "{text}"
        );
    }

    #[tokio::test]
    async fn tls_to_a_plain_port_and_plain_to_a_tls_port_are_told_apart() {
        let certificate = Certificate::for_names(&["127.0.0.1"]);
        let plain = answering("HTTP/1.1 400 Bad Request\r\n\r\n").await;
        let mut args = args(plain.replace("ws://", "wss://"));
        args.ca = Some(certificate.path());
        let (text, _) = probed(&args).await;
        assert!(text.contains("✗ TLS") && text.contains("ws://"), "{text}");
        args.url = Some(format!("ws://127.0.0.1:{}/ws/", certificate.serve().await));
        let (text, _) = probed(&args).await;
        assert!(
            text.contains("✗ upgrade") && text.contains("wss://"),
            "{text}"
        );
    }

    #[tokio::test]
    async fn a_ca_file_without_a_certificate_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("empty.pem");
        std::fs::write(&path, "").unwrap();
        let certificate = Certificate::for_names(&["127.0.0.1"]);
        let mut args = args(format!("wss://127.0.0.1:{}/ws/", certificate.serve().await));
        args.ca = Some(path);
        let (text, well) = probed(&args).await;
        assert!(
            !well && text.contains("empty.pem: no certificate in it"),
            "{text}"
        );
    }
}

mod target {
    use super::*;

    fn target(from_file: bool, url: &str) -> Result<Target, Failure> {
        let config = Config {
            domains: vec!["example.org".into()],
            ..Config::default()
        };
        Target::of(&config, from_file, &args(url.to_owned()))
    }

    #[test]
    fn the_domain_is_the_host_unless_a_file_or_the_arguments_name_one() {
        assert_eq!(
            target(false, "wss://chat.example.net/ws/").unwrap().domain,
            "chat.example.net"
        );
        assert_eq!(
            target(true, "wss://chat.example.net/ws/").unwrap().domain,
            "example.org"
        );
        assert_eq!(
            target(false, "ws://127.0.0.1:5280/ws/").unwrap().domain,
            "example.org"
        );
        assert_eq!(target(false, "ws://[::1]:5280/ws/").unwrap().host, "::1");
    }

    #[test]
    fn without_a_url_the_first_endpoint_is_probed() {
        let args = ProbeArgs {
            url: None,
            ..args(String::new())
        };
        let target = Target::of(&Config::default(), false, &args).unwrap();
        assert_eq!(target.url.to_string(), "ws://127.0.0.1:5280/ws/");
    }

    #[test]
    fn what_is_no_websocket_url_is_a_usage_error_that_says_what_to_write() {
        for (url, advice) in [
            ("https://example.org/ws/", "wss://"),
            ("http://example.org/ws/", "ws://"),
            ("example.org", "wss://"),
            ("/ws/", "wss://"),
            ("ws://a b/", "not a URL"),
        ] {
            let failure = target(false, url).expect_err(url);
            assert_eq!(failure.exit_code(), 2);
            assert!(failure.to_string().contains(advice), "{failure}");
        }
    }
}
