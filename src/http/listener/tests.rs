//! Real sockets on loopback, one listener each.

use std::net::Ipv4Addr;

use axum::body::Body;
use axum::extract::Request;
use axum::http::{Response, StatusCode};
use axum::routing::{any, get};
use axum::{Extension, Router};
use http_body_util::BodyExt;
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::*;
use crate::http::peer::Peer;
use crate::http::proxy_protocol::tests::{V4_BLOCK, v2};
use crate::http::tls::CertificateSource;
use crate::http::tls::tests::{connector, localhost};

/// A listener that is being served, until it is stopped or dropped.
struct Edge {
    address: SocketAddr,
    connections: ConnectionCap,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<()>,
    /// Lets the requests to `/slow` go on.
    go_on: Arc<Notify>,
    /// Rings when a request to `/slow` has come in.
    came_in: Arc<Notify>,
    _state_dir: Option<TempDir>,
}

impl Edge {
    async fn with(options: ListenerOptions) -> Self {
        let (go_on, came_in) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let connections = options.connections.clone();
        let listener = Listener::bind((Ipv4Addr::LOCALHOST, 0).into(), options).unwrap();
        let address = listener.address();
        let (stop, stopped) = oneshot::channel();
        let app = app(Arc::clone(&go_on), Arc::clone(&came_in));
        let serving = tokio::spawn(listener.serve(app, async {
            let _ = stopped.await;
        }));
        Self {
            address,
            connections,
            stop,
            serving,
            go_on,
            came_in,
            _state_dir: None,
        }
    }

    async fn plain() -> Self {
        Self::with(ListenerOptions::default()).await
    }

    async fn behind_proxies() -> Self {
        Self::with(behind_proxies()).await
    }

    async fn tls(options: ListenerOptions) -> Self {
        let dir = TempDir::new().unwrap();
        let source = CertificateSource::SelfSigned {
            state_dir: dir.path().to_owned(),
            names: vec![],
        };
        let keeper = Arc::new(TlsKeeper::load(&source, None).unwrap());
        let edge = Self::with(ListenerOptions {
            tls: Some(keeper),
            ..options
        })
        .await;
        Self {
            _state_dir: Some(dir),
            ..edge
        }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Everything that is answered to `bytes` until the server closes.
    async fn answer_to(&self, bytes: impl AsRef<[u8]>) -> String {
        let mut tcp = self.connect().await;
        let _ = tcp.write_all(bytes.as_ref()).await; // the server may close before the end
        everything(tcp).await
    }
}

fn behind_proxies() -> ListenerOptions {
    let loopback = ["127.0.0.0/8".parse().unwrap()];
    ListenerOptions {
        trusted_proxies: loopback.into_iter().collect(),
        ..Default::default()
    }
}

fn app(go_on: Arc<Notify>, came_in: Arc<Notify>) -> Router {
    let slow = move || async move {
        came_in.notify_one();
        go_on.notified().await;
        "done"
    };
    Router::new()
        .route(
            "/peer",
            any(|Extension(peer): Extension<Peer>| async move { describe(&peer) }),
        )
        .route("/length", any(length))
        .route("/slow", get(slow))
        .route("/echo", get(upgrade_to_echo))
}

/// `192.0.2.1 proxied secure tls!`
fn describe(peer: &Peer) -> String {
    let mut line = peer.ip().to_string();
    let words = [
        (peer.proxied, " proxied"),
        (peer.secure, " secure"),
        (peer.tls.is_some(), " tls"),
    ];
    words
        .iter()
        .filter(|(is, _)| *is)
        .for_each(|(_, word)| line.push_str(word));
    line + "!"
}

async fn length(body: Body) -> String {
    format!(
        "length {}!",
        body.collect().await.map_or(0, |body| body.to_bytes().len())
    )
}

async fn upgrade_to_echo(mut request: Request) -> Response<Body> {
    let upgrading = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        let (mut link, early) = Link::from_upgraded(upgrading.await.unwrap()).unwrap();
        link.write_all(&early).await.unwrap();
        let mut chunk = [0; 64];
        while let Ok(read @ 1..) = link.read(&mut chunk).await {
            link.write_all(&chunk[..read]).await.unwrap();
        }
    });
    let response = Response::builder().status(StatusCode::SWITCHING_PROTOCOLS);
    response
        .header("connection", "upgrade")
        .header("upgrade", "echo")
        .body(Body::empty())
        .unwrap()
}

async fn everything(mut io: impl AsyncRead + Unpin) -> String {
    let mut bytes = Vec::new();
    let reading = timeout(Duration::from_secs(60), io.read_to_end(&mut bytes));
    let _ = reading.await.expect("the server closes"); // a reset is an end, too
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Reads until `end` has come.
async fn until(io: &mut (impl AsyncRead + Unpin), end: &str) -> String {
    let mut bytes = Vec::new();
    while !bytes.ends_with(end.as_bytes()) {
        let byte = timeout(Duration::from_secs(60), io.read_u8())
            .await
            .expect("an answer");
        bytes.push(byte.unwrap_or_else(|e| panic!("{e} after {}", bytes.escape_ascii())));
    }
    String::from_utf8(bytes).unwrap()
}

async fn write(io: &mut (impl AsyncWrite + Unpin), text: &str) {
    io.write_all(text.as_bytes()).await.unwrap();
    io.flush().await.unwrap();
}

const GET_PEER: &str = "GET /peer HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
const UPGRADE: &str = "GET /echo HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: echo\r\n";

mod peers {
    use super::*;

    #[tokio::test]
    async fn direct_client_is_its_socket() {
        let answer = Edge::plain().await.answer_to(GET_PEER).await;
        assert!(answer.ends_with("\r\n\r\n127.0.0.1!"), "{answer}");
    }

    #[tokio::test]
    async fn trusted_proxy_names_the_client_in_either_version() {
        let edge = Edge::behind_proxies().await;
        let v1 = b"PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n".to_vec();
        for header in [v1, v2(1, 0x11, &V4_BLOCK)] {
            let answer = edge
                .answer_to([&header, GET_PEER.as_bytes()].concat())
                .await;
            assert!(answer.ends_with("\r\n\r\n192.0.2.1 proxied!"), "{answer}");
        }
    }

    #[tokio::test]
    async fn header_that_comes_byte_by_byte_is_read_and_nothing_behind_it_is_lost() {
        let edge = Edge::behind_proxies().await;
        let mut tcp = edge.connect().await;
        tcp.set_nodelay(true).unwrap();
        let header = "PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n";
        for byte in format!("{header}{GET_PEER}").bytes() {
            tcp.write_u8(byte).await.unwrap();
            tokio::task::yield_now().await;
        }
        assert!(everything(tcp).await.ends_with("192.0.2.1 proxied!"));
    }

    #[tokio::test]
    async fn trusted_client_without_a_header_is_served_as_it_is() {
        let edge = Edge::behind_proxies().await;
        for request in [GET_PEER.to_owned(), GET_PEER.replace("GET", "PROPFIND")] {
            let answer = edge.answer_to(request).await;
            assert!(answer.ends_with("\r\n\r\n127.0.0.1!"), "{answer}");
        }
    }

    #[tokio::test]
    async fn untrusted_client_cannot_name_another() {
        let edge = Edge::plain().await;
        let v1 = b"PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n".to_vec();
        for header in [v1, v2(1, 0x11, &V4_BLOCK)] {
            let answer = edge
                .answer_to([&header, GET_PEER.as_bytes()].concat())
                .await;
            assert!(
                !answer.contains("192.0.2.1") && !answer.contains("200 OK"),
                "{answer}"
            );
        }
        let forged = GET_PEER.replace("Host", "X-Forwarded-For: 192.0.2.1\r\nHost");
        let answer = edge.answer_to(forged).await;
        assert!(answer.ends_with("\r\n\r\n127.0.0.1 proxied!"), "{answer}");
    }

    #[tokio::test]
    async fn malformed_or_endless_header_of_a_proxy_ends_the_connection() {
        let edge = Edge::behind_proxies().await;
        let endless = [b"PROXY ".as_slice(), &[b'A'; 5000]].concat();
        for bytes in [
            b"PROXY NONSENSE\r\n".to_vec(),
            endless,
            v2(1, 0x11, &[0; 4096]),
        ] {
            assert_eq!(edge.answer_to(bytes).await, "");
        }
    }

    #[tokio::test]
    async fn forwarding_headers_speak_for_one_request_each() {
        let edge = Edge::behind_proxies().await;
        let mut tcp = edge.connect().await;
        for (header, expected) in [
            (
                "X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: https",
                "192.0.2.1 proxied secure!",
            ),
            ("X-Forwarded-For: 192.0.2.2", "192.0.2.2 proxied!"),
            ("Forwarded: for=192.0.2.3", "127.0.0.1 proxied!"),
            ("X-Nothing: 1", "127.0.0.1!"),
        ] {
            write(
                &mut tcp,
                &format!("GET /peer HTTP/1.1\r\nHost: x\r\n{header}\r\n\r\n"),
            )
            .await;
            let answer = until(&mut tcp, "!").await;
            assert!(answer.ends_with(&format!("\r\n\r\n{expected}")), "{answer}");
        }
    }

    #[tokio::test]
    async fn tls_ends_here_and_says_so_also_behind_a_proxy_header() {
        let edge = Edge::tls(behind_proxies()).await;
        for (header, expected) in [
            ("", "127.0.0.1 secure tls!"),
            (
                "PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n",
                "192.0.2.1 proxied secure tls!",
            ),
        ] {
            let mut tcp = edge.connect().await;
            write(&mut tcp, header).await;
            let connector = connector(rustls::ALL_VERSIONS);
            let mut tls = connector.connect(localhost(), tcp).await.unwrap();
            write(&mut tls, GET_PEER).await;
            let answer = everything(tls).await;
            assert!(answer.ends_with(&format!("\r\n\r\n{expected}")), "{answer}");
        }
    }
}

mod abuse {
    use super::*;

    /// W-75
    #[tokio::test]
    async fn big_head_is_answered_431_and_closed() {
        let edge = Edge::plain().await;
        let long_value = format!("X: {}\r\n", "x".repeat(128 * 1024));
        let many: String = (0..2000).map(|n| format!("X-{n}: {n}\r\n")).collect();
        for flood in [long_value, many] {
            let answer = edge
                .answer_to(format!("GET /peer HTTP/1.1\r\n{flood}\r\n"))
                .await;
            // Unread bytes make a reset, which may take the answer with it.
            assert!(
                answer.is_empty() || answer.starts_with("HTTP/1.1 431 "),
                "{answer}"
            );
        }
        let just_over = "x".repeat(17 * 1024);
        let answer = edge
            .answer_to(format!("GET /peer HTTP/1.1\r\nX: {just_over}"))
            .await;
        assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    }

    #[tokio::test]
    async fn head_of_a_usual_size_is_served() {
        let cookie = format!("Cookie: {}\r\nHost", "x".repeat(12 * 1024));
        let answer = Edge::plain()
            .await
            .answer_to(GET_PEER.replace("Host", &cookie))
            .await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }

    /// W-76
    #[tokio::test]
    async fn other_protocols_on_the_port_end_and_reach_no_handler() {
        let edge = Edge::plain().await;
        let tls_hello = [
            0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03,
        ];
        let http2 = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
        let stream = b"<?xml version='1.0'?><stream:stream xmlns='jabber:client'>\r\n\r\n";
        let noise: Vec<u8> = (0..512u32).map(|n| (n * 167 % 251) as u8).collect();
        for bytes in [tls_hello.as_slice(), http2, stream, &noise] {
            let answer = edge.answer_to(bytes).await;
            assert!(
                answer.is_empty() || answer.starts_with("HTTP/1.1 400 "),
                "{answer}"
            );
        }
        assert!(edge.answer_to(GET_PEER).await.ends_with("127.0.0.1!"));
    }

    /// W-77
    #[tokio::test]
    async fn upgrade_with_a_body_is_refused_and_what_follows_is_not_read() {
        let edge = Edge::plain().await;
        for framing in [
            "Content-Length: 6\r\nTransfer-Encoding: chunked\r\n",
            "Transfer-Encoding: chunked\r\nContent-Length: 6\r\n",
            "Content-Length: 6\r\n",
            "Transfer-Encoding: chunked\r\n",
        ] {
            let answer = edge
                .answer_to(format!("{UPGRADE}{framing}\r\n0\r\n\r\n{GET_PEER}"))
                .await;
            assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
            assert_eq!(answer.matches("HTTP/1.1").count(), 1, "{answer}");
        }
    }

    /// W-77
    #[tokio::test]
    async fn two_lengths_of_one_body_never_make_a_second_request() {
        let edge = Edge::plain().await;
        for framing in [
            "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
            "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n",
            "Transfer-Encoding: chunked, identity\r\n",
            "Content-Length: 4\r\nContent-Length: 5\r\n",
            "Content-Length: +4\r\n",
        ] {
            let post =
                format!("POST /length HTTP/1.1\r\nHost: x\r\n{framing}\r\n0\r\n\r\n{GET_PEER}");
            let answer = edge.answer_to(post).await;
            assert_eq!(answer.matches("HTTP/1.1").count(), 1, "{framing}{answer}");
        }
    }

    /// RFC 9112 §3.2
    #[tokio::test]
    async fn a_request_names_its_host_once() {
        let edge = Edge::plain().await;
        for hosts in ["", "Host: a\r\nHost: b\r\n", "Host: a\r\nHost: a\r\n"] {
            let answer = edge
                .answer_to(format!(
                    "GET /peer HTTP/1.1\r\n{hosts}Connection: close\r\n\r\n"
                ))
                .await;
            assert!(answer.starts_with("HTTP/1.1 400 "), "{hosts}{answer}");
        }
        let old = edge.answer_to("GET /peer HTTP/1.0\r\n\r\n").await;
        assert!(old.starts_with("HTTP/1.0 200 "), "{old}");
    }

    /// B-44
    #[tokio::test]
    async fn chunked_requests_share_a_connection() {
        let edge = Edge::plain().await;
        let mut tcp = edge.connect().await;
        for _ in 0..3 {
            let head = "POST /length HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
            write(&mut tcp, &format!("{head}3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")).await;
            assert!(until(&mut tcp, "!").await.ends_with("length 5!"));
        }
    }

    /// L-10
    #[tokio::test(start_paused = true)]
    async fn handshake_that_never_ends_is_ended() {
        let edge = Edge::tls(behind_proxies()).await;
        let begun = tokio::time::Instant::now();
        for start in [b"".as_slice(), b"PROXY TCP4", &[0x16, 0x03, 0x01]] {
            assert_eq!(edge.answer_to(start).await, "");
        }
        assert!(begun.elapsed() < Duration::from_secs(45));
    }

    /// L-10
    #[tokio::test(start_paused = true)]
    async fn head_that_never_ends_and_idle_connections_are_ended() {
        let edge = Edge::plain().await;
        for start in [
            "",
            "GET /peer HTTP/1.1\r\nHost",
            &GET_PEER.replace("close", "keep-alive"),
        ] {
            let begun = tokio::time::Instant::now();
            let _ = edge.answer_to(start).await;
            assert!(begun.elapsed() < Duration::from_secs(20), "{start}");
        }
    }
}

mod cap {
    use super::*;

    #[tokio::test]
    async fn connection_over_the_cap_is_told_to_come_back_and_is_served_when_there_is_room() {
        let connections = ConnectionCap::new(2);
        let options = ListenerOptions {
            connections,
            ..ListenerOptions::default()
        };
        let edge = Edge::with(options).await;
        let (first, mut second) = (edge.connect().await, edge.connect().await);
        let refused = edge.answer_to(GET_PEER).await;
        assert!(refused.starts_with("HTTP/1.1 503 ") && refused.contains("Retry-After: "));
        let (head, body) = refused.split_once("\r\n\r\n").unwrap();
        assert!(
            head.contains(&format!("Content-Length: {}", body.len())),
            "{refused}"
        );
        write(&mut second, &GET_PEER.replace("close", "keep-alive")).await;
        assert!(until(&mut second, "!").await.contains("200 OK"));
        drop(first);
        room_for(&edge, 1).await;
        assert!(edge.answer_to(GET_PEER).await.starts_with("HTTP/1.1 200 "));
    }

    #[tokio::test]
    async fn one_address_has_its_share_and_is_served_again_when_it_let_go() {
        let edge = Edge::with(sharing(ListenerOptions::default())).await;
        let first = edge.connect().await;
        room_taken(&edge, 1).await;
        let refused = edge.answer_to(GET_PEER).await;
        assert!(refused.starts_with("HTTP/1.1 503 ") && refused.contains("Retry-After: "));
        drop(first);
        room_for(&edge, 0).await;
        assert!(edge.answer_to(GET_PEER).await.starts_with("HTTP/1.1 200 "));
    }

    #[tokio::test]
    async fn address_of_a_proxy_header_has_its_share_and_the_proxy_itself_has_no_bound() {
        let edge = Edge::with(sharing(behind_proxies())).await;
        let of = |client: &str| format!("PROXY TCP4 {client} 198.51.100.1 56324 443\r\n{GET_PEER}");
        let mut first = edge.connect().await;
        write(&mut first, &of("192.0.2.1").replace("close", "keep-alive")).await;
        until(&mut first, "!").await;
        let refused = edge.answer_to(of("192.0.2.1")).await;
        assert!(refused.starts_with("HTTP/1.1 503 "), "{refused}");
        for other in [of("192.0.2.2"), GET_PEER.to_owned()] {
            let _quiet = edge.connect().await;
            assert!(edge.answer_to(other).await.starts_with("HTTP/1.1 200 "));
        }
    }

    /// One connection per address.
    fn sharing(options: ListenerOptions) -> ListenerOptions {
        ListenerOptions {
            connections: ConnectionCap::new(100).with_per_address(1),
            ..options
        }
    }

    async fn room_taken(edge: &Edge, open: usize) {
        while edge.connections.open() < open {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn upgraded_connection_keeps_its_place_until_it_ends() {
        let edge = Edge::plain().await;
        let mut tcp = edge.connect().await;
        write(&mut tcp, &format!("{UPGRADE}\r\n")).await;
        until(&mut tcp, "\r\n\r\n").await;
        assert_eq!(edge.connections.open(), 1);
        drop(tcp);
        room_for(&edge, 0).await;
    }

    async fn room_for(edge: &Edge, open: usize) {
        while edge.connections.open() > open {
            tokio::task::yield_now().await;
        }
    }
}

mod upgrades {
    use super::*;

    /// W-72
    #[tokio::test]
    async fn bytes_behind_the_upgrade_request_are_not_lost() {
        let edge = Edge::behind_proxies().await;
        let mut tcp = edge.connect().await;
        write(&mut tcp, &format!("{UPGRADE}\r\nearly")).await;
        assert!(
            until(&mut tcp, "\r\n\r\n")
                .await
                .starts_with("HTTP/1.1 101 ")
        );
        until(&mut tcp, "early").await;
        write(&mut tcp, "late").await;
        assert_eq!(until(&mut tcp, "late").await, "late");
    }

    #[tokio::test]
    async fn upgrade_works_over_tls() {
        let edge = Edge::tls(ListenerOptions::default()).await;
        let connector = connector(rustls::ALL_VERSIONS);
        let mut tls = connector
            .connect(localhost(), edge.connect().await)
            .await
            .unwrap();
        write(&mut tls, &format!("{UPGRADE}\r\n")).await;
        until(&mut tls, "\r\n\r\n").await;
        write(&mut tls, "over TLS").await;
        assert_eq!(until(&mut tls, "over TLS").await, "over TLS");
    }
}

mod ending {
    use super::*;

    #[tokio::test]
    async fn stop_closes_the_port_and_the_idle_answers_the_running_and_leaves_the_upgraded() {
        let edge = Edge::plain().await;
        let mut upgraded = edge.connect().await;
        write(&mut upgraded, &format!("{UPGRADE}\r\n")).await;
        until(&mut upgraded, "\r\n\r\n").await;
        let mut idle = edge.connect().await;
        write(&mut idle, &GET_PEER.replace("close", "keep-alive")).await;
        until(&mut idle, "!").await;
        let fresh = edge.connect().await;
        let mut running = edge.connect().await;
        write(&mut running, "GET /slow HTTP/1.1\r\nHost: x\r\n\r\n").await;
        edge.came_in.notified().await;

        edge.stop.send(()).unwrap();
        assert_eq!(everything(idle).await, "");
        assert_eq!(everything(fresh).await, "");
        assert!(TcpStream::connect(edge.address).await.is_err());
        assert!(!edge.serving.is_finished());
        edge.go_on.notify_one();
        assert!(everything(running).await.ends_with("done"));
        edge.serving.await.unwrap();

        write(&mut upgraded, "still here").await;
        assert_eq!(until(&mut upgraded, "still here").await, "still here");
    }

    /// It found the port open, and counts on an answer.
    #[tokio::test]
    async fn a_connection_that_was_taken_before_the_stop_is_answered_once_and_closed() {
        let plain = Edge::plain().await;
        let tls = Edge::tls(ListenerOptions::default()).await;
        let (mut fresh, shaking) = (plain.connect().await, tls.connect().await);
        while plain.connections.open() + tls.connections.open() < 2 {
            tokio::task::yield_now().await;
        }
        for stop in [plain.stop, tls.stop] {
            stop.send(()).unwrap();
        }
        while TcpStream::connect(plain.address).await.is_ok() {}
        while TcpStream::connect(tls.address).await.is_ok() {}
        tokio::time::sleep(Duration::from_millis(100)).await; // a long way
        let request = GET_PEER.replace("close", "keep-alive");
        write(&mut fresh, &request).await;
        assert!(everything(fresh).await.starts_with("HTTP/1.1 200"));
        let connector = connector(rustls::ALL_VERSIONS);
        let mut shaken = connector.connect(localhost(), shaking).await.unwrap();
        write(&mut shaken, &request).await;
        assert!(everything(shaken).await.starts_with("HTTP/1.1 200"));
        plain.serving.await.unwrap();
        tls.serving.await.unwrap();
    }

    #[tokio::test]
    async fn dropping_the_listener_cuts_its_requests() {
        let edge = Edge::plain().await;
        let mut running = edge.connect().await;
        write(&mut running, "GET /slow HTTP/1.1\r\nHost: x\r\n\r\n").await;
        edge.came_in.notified().await;
        edge.serving.abort();
        assert_eq!(everything(running).await, "");
    }
}

mod binding {
    use super::*;

    #[tokio::test]
    async fn busy_port_is_named() {
        let edge = Edge::plain().await;
        let error = Listener::bind(edge.address, ListenerOptions::default()).unwrap_err();
        assert!(matches!(error, ListenError::InUse { address } if address == edge.address));
        let port = edge.address.port();
        let expected =
            format!("cannot listen on 127.0.0.1:{port}: the port is in use by another process");
        assert_eq!(error.to_string(), expected);
    }

    #[tokio::test]
    async fn address_of_another_machine_is_named() {
        let address = "192.0.2.1:0".parse().unwrap();
        let error = Listener::bind(address, ListenerOptions::default()).unwrap_err();
        assert!(
            matches!(error, ListenError::NoSuchAddress { .. }),
            "{error}"
        );
    }
}
