//! The way into a listener: PROXY header, head of the request, forwarding headers, handshake.
//!
//! The first byte chooses what the listener is told, the rest is what a client sends. It is served
//! over a pipe in this process, by the code that serves sockets.
//!
//! A header of the PROXY protocol is one however its bytes are cut. Only a trusted proxy is
//! believed. Whoever is upgraded has sent a handshake by all rules, from an allowed origin, and
//! gets the key that belongs to it; nothing that HTTP says follows it.

use std::net::SocketAddr;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use sha1::{Digest, Sha1};
use stanzad::fuzzing::serve_http;
use stanzad::http::forwarded::ForwardedHeader;
use stanzad::http::listener::ListenerOptions;
use stanzad::http::origin::OriginPolicy;
use stanzad::http::peer::Peer;
use stanzad::http::proxy_protocol::{
    Preface, ProxyHeader, V1_HEADER_MAX_BYTES, V2_HEADER_MAX_BYTES, read_preface,
};
use stanzad::http::transcoder::Transcoders;
use stanzad::http::ws::upgrade::{Refusal, accept};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::input::Input;

const ORIGIN: &str = "https://chat.example.org";
const SWITCHING: &[u8] = b"HTTP/1.1 101 ";
/// No input keeps the server busy for so long.
const PATIENCE: Duration = Duration::from_secs(5);

/// Serves what a client sends.
pub fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let flags = input.byte();
    let is_trusted = flags & 1 != 0;
    let mut peer = Peer::direct(SocketAddr::from(([127, 0, 0, 1], 4711)));
    let mut bytes = input.remaining();
    if is_trusted {
        let preface = read_preface(bytes);
        check_preface(bytes, &preface);
        match preface {
            Preface::Header(header) => {
                bytes = &bytes[header.len_bytes..];
                apply(&mut peer, &header);
            }
            Preface::Absent => {}
            Preface::Incomplete | Preface::Invalid => return,
        }
    }
    let options = options(flags);
    let seen = Seen::default();
    let answer = serve(bytes, peer.clone(), options, app(seen.clone()));
    let seen = seen.0.lock().expect("no panic");
    for request in seen.iter() {
        check_peer(&request.peer, &peer, is_trusted);
    }
    check_answer(&answer, &seen);
}

/// What a client sends that this flag byte is for; for seeds.
pub fn flagged(flags: u8, bytes: &[u8]) -> Vec<u8> {
    [&[flags], bytes].concat()
}

fn options(flags: u8) -> ListenerOptions {
    let trusted = ["127.0.0.0/8", "10.0.0.0/8"].map(|one| one.parse().expect("a network"));
    let is_trusted = flags & 1 != 0;
    ListenerOptions {
        trusted_proxies: trusted.into_iter().filter(|_| is_trusted).collect(),
        forwarded_header: match flags & 2 {
            0 => ForwardedHeader::XForwardedFor,
            _ => ForwardedHeader::Forwarded,
        },
        ..ListenerOptions::default()
    }
}

/// As the listener does.
fn apply(peer: &mut Peer, header: &ProxyHeader) {
    if let Some(source) = header.source {
        peer.address = source;
        peer.proxied = true;
        peer.secure = header.tls == Some(true);
    }
}

/// However the bytes are cut, the header is the same.
fn check_preface(bytes: &[u8], preface: &Preface) {
    if let Preface::Header(header) = preface {
        let most = match bytes.starts_with(b"PROXY ") {
            true => V1_HEADER_MAX_BYTES,
            false => V2_HEADER_MAX_BYTES,
        };
        assert!(header.len_bytes <= most && header.len_bytes <= bytes.len());
        assert_eq!(read_preface(&bytes[..header.len_bytes]), *preface);
        for len in 0..header.len_bytes {
            assert_eq!(read_preface(&bytes[..len]), Preface::Incomplete, "{len}");
        }
        let mapped = header
            .source
            .is_some_and(|source| source.ip().to_canonical() != source.ip());
        assert!(!mapped, "a mapped address");
    }
    if *preface == Preface::Incomplete {
        assert!(bytes.len() < V2_HEADER_MAX_BYTES, "no end of a header");
    }
}

#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<Handshake>>>);

/// A request that reached the handler.
struct Handshake {
    headers: HeaderMap,
    is_get_of_http_11: bool,
    peer: Peer,
    is_upgraded: bool,
}

fn app(seen: Seen) -> Router {
    let policy = OriginPolicy::same_origin(ORIGIN).expect("an origin");
    Router::new().fallback(move |request: Request| {
        let answer = answer(&request, &policy);
        let handshake = Handshake {
            headers: request.headers().clone(),
            is_get_of_http_11: request.method() == "GET"
                && request.version() == axum::http::Version::HTTP_11,
            peer: request.extensions().get().cloned().expect("a peer"),
            is_upgraded: answer.is_ok(),
        };
        seen.0.lock().expect("no panic").push(handshake);
        async { answer.unwrap_or_else(Refusal::response) }
    })
}

/// As the route of an endpoint does.
fn answer(request: &Request, policy: &OriginPolicy) -> Result<Response<Body>, Refusal> {
    let (response, _) = accept(request, &Transcoders::default())?;
    policy
        .check(request.headers())
        .map_err(|_| Refusal::Origin)?;
    Ok(response)
}

fn serve(bytes: &[u8], peer: Peer, options: ListenerOptions, app: Router) -> Vec<u8> {
    static RUNTIME: LazyLock<tokio::runtime::Runtime> = LazyLock::new(|| {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        runtime.enable_time().build().expect("a runtime")
    });
    let (mut client, server) = tokio::io::duplex(1 << 20);
    RUNTIME.block_on(async {
        client.write_all(bytes).await.expect("room");
        client.shutdown().await.expect("a pipe");
        let serving = serve_http(server, peer, options, app);
        let served = tokio::time::timeout(PATIENCE, serving).await;
        served.expect("the server hangs");
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).await.expect("a pipe");
        answer
    })
}

/// Who is not trusted gains nothing by what he says.
fn check_peer(believed: &Peer, peer: &Peer, is_trusted: bool) {
    assert_eq!(believed.socket, peer.socket);
    assert!(believed.proxied || !peer.proxied);
    assert!(believed.tls.is_none());
    assert!(!(believed.proxied && believed.is_on_loopback()));
    if !is_trusted {
        assert_eq!(believed.address, peer.address);
        assert!(!believed.secure);
    }
    assert_eq!(believed.ip(), believed.ip().to_canonical());
}

fn check_answer(answer: &[u8], seen: &[Handshake]) {
    assert!(answer.is_empty() || answer.starts_with(b"HTTP/1."));
    let upgrades = seen.iter().filter(|request| request.is_upgraded).count();
    assert!(upgrades <= 1, "upgraded twice");
    let Some(upgrade) = seen.iter().find(|request| request.is_upgraded) else {
        let is_switching = answer
            .windows(SWITCHING.len())
            .any(|part| part == SWITCHING);
        return assert!(!is_switching, "switching protocols for nobody");
    };
    assert!(
        seen.last().is_some_and(|last| last.is_upgraded),
        "HTTP goes on"
    );
    assert!(upgrade.is_get_of_http_11);
    check_handshake(&upgrade.headers);
    let key = upgrade.headers["sec-websocket-key"].as_bytes();
    let accepted = BASE64.encode(Sha1::digest([key, GUID].concat()));
    let accepted = format!("sec-websocket-accept: {accepted}\r\n");
    let answer = String::from_utf8_lossy(answer);
    let head = answer.rfind("HTTP/1.1 101 ").map(|at| &answer[at..]);
    let head = head
        .expect("an upgrade without an answer")
        .to_ascii_lowercase();
    assert!(head.contains(&accepted.to_ascii_lowercase()), "{head}");
    assert!(head.contains("sec-websocket-protocol: xmpp\r\n"), "{head}");
    assert!(head.ends_with("\r\n\r\n"), "something follows: {head}");
}

/// RFC 6455 §4.2.1, RFC 7395 §3.1, in the plainest words.
fn check_handshake(headers: &HeaderMap) {
    let joined = |name: &str| {
        let lines = headers.get_all(name).iter();
        let lines = lines.map(|line| String::from_utf8_lossy(line.as_bytes()).into_owned());
        lines.collect::<Vec<_>>().join(",")
    };
    let lists = |name: &str, token: &str| joined(name).split(',').any(|t| t.trim() == token);
    let lists_in_any_case = |name: &str, token: &str| {
        let all = joined(name).to_ascii_lowercase();
        all.split(',').any(|t| t.trim() == token)
    };
    assert!(lists_in_any_case("upgrade", "websocket"));
    assert!(lists_in_any_case("connection", "upgrade"));
    assert!(lists("sec-websocket-protocol", "xmpp"));
    assert!(lists("sec-websocket-version", "13"));
    let key = BASE64.decode(headers["sec-websocket-key"].as_bytes());
    assert_eq!(key.map(|key| key.len()), Ok(16));
    assert_eq!(headers.get_all("host").iter().count(), 1);
    assert!(!headers.contains_key("transfer-encoding"));
    let origins: Vec<_> = headers.get_all("origin").iter().collect();
    let is_ours = |origin: &str| {
        let origin = origin.to_ascii_lowercase();
        let origin = origin
            .strip_prefix("wss:")
            .map_or(origin.clone(), |rest| format!("https:{rest}"));
        origin == ORIGIN || origin.strip_suffix(":443") == Some(ORIGIN)
    };
    match origins[..] {
        [] => {}
        [origin] => {
            let text = origin.to_str().expect("a foreign origin");
            assert!(is_ours(text) || is_with_zeros(text), "{text} is let in");
        }
        _ => panic!("two origins are let in"),
    }
}

/// A port may be written with zeros before it.
fn is_with_zeros(origin: &str) -> bool {
    let port = origin
        .rsplit_once(':')
        .map(|(_, port)| port.trim_start_matches('0'));
    origin
        .to_ascii_lowercase()
        .contains("://chat.example.org:0")
        && port == Some("443")
}

const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
