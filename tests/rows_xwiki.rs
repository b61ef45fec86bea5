//! What XWiki's WebSocket integration offered: rows X3 to X13 of `tests/rows.md` that no other file
//! proves. X8 to X10 are in `rows_tls.rs`.

mod kit;

use kit::http::find;
use kit::process::{Process, run_to_end};
use kit::ws::{BINARY, FIN, TEXT};
use kit::xmpp::parse;
use kit::{Client, ETHERX, Got, Handshake, Http, TestServer, Ws, body, until};
use std::fs::File;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Runs `stanzad probe`.
async fn probe(url: &str) -> (Option<i32>, String) {
    run_to_end(&["probe", "--domain", "example.org", url]).await
}

/// X3: each step of a good server is named, in order.
#[tokio::test]
async fn x3_a_probe_names_each_step_and_the_one_that_fails() {
    let server = Process::start(&[]).await;
    let at = server.address;
    let (code, text) = probe(&format!("ws://{at}/ws/")).await;
    assert_eq!(code, Some(0), "{text}");
    let steps = ["DNS", "TCP", "upgrade", "subprotocol", "open", "features"];
    let places = steps.map(|step| text.find(&format!("✓ {step}")).expect(step));
    assert!(places.is_sorted(), "{text}");
    let nobody = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let closed = nobody.local_addr().expect("an address");
    drop(nobody);
    for (url, step) in [
        (format!("ws://{closed}/ws/"), "✗ TCP"),
        (format!("wss://{at}/ws/"), "✗ TLS"),
        (format!("ws://{at}/nowhere/"), "✗ upgrade"),
        ("ws://no-such-host.invalid/ws/".to_owned(), "✗ DNS"),
    ] {
        let (code, text) = probe(&url).await;
        assert_eq!(code, Some(1), "{url}: {text}");
        assert!(text.contains(step), "{url}: {text}");
    }
    let elsewhere = [
        "probe",
        "--domain",
        "example.net",
        &format!("ws://{at}/ws/"),
    ];
    let (code, text) = run_to_end(&elsewhere).await;
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("host-unknown"), "{text}");
}

/// X3: nothing of it is there that was not switched on.
#[tokio::test]
async fn x3_the_echo_handler_is_off_unless_it_is_listed() {
    for (handlers, kind) in [("handlers=[\"echo\"]", "chat"), ("handlers=[]", "error")] {
        let server = TestServer::with(&[handlers]).await;
        let mut romeo = Client::login(&server, "romeo").await;
        romeo.chat("echo.example.org", "hark").await;
        let answer = romeo.next_named("message").await;
        assert_eq!(answer.attr("type"), Some(kind), "{handlers}: {answer}");
    }
}

/// The address of the WebSocket that host-meta names, and the path there.
async fn discovered(address: SocketAddr) -> (String, String) {
    let mut http = Http::to(address).await;
    http.send(
        "GET /.well-known/host-meta.json HTTP/1.1\r\nHost: example.org\r\n\
         Origin: https://anywhere.example\r\n\r\n",
    )
    .await;
    let response = http.response().await;
    assert_eq!(response.status, 200);
    let readable = response.header("access-control-allow-origin");
    assert_eq!(readable.as_deref(), Some("*"));
    let jrd: serde_json::Value = serde_json::from_str(response.text()).expect("JSON");
    let links = jrd["links"].as_array().expect("links");
    let url = links
        .iter()
        .filter(|link| link["rel"] == "urn:xmpp:alt-connections:websocket")
        .find_map(|link| link["href"].as_str())
        .expect("a link");
    let (_, rest) = url.split_once("://").expect("a URL");
    let (authority, path) = rest.split_once('/').expect("a path");
    (authority.to_owned(), format!("/{path}"))
}

/// Logs in over a WebSocket at this path.
async fn log_in(address: SocketAddr, path: &str, name: &str) -> Client {
    let handshake = Handshake::new().line(&format!("GET {path} HTTP/1.1"));
    let (response, ws) = handshake.over(Http::to(address).await).await;
    assert_eq!(response.status, 101, "{response:?}");
    let mut client = Client::on(ws).await;
    client.plain(name).await;
    client.bind(None).await;
    client
}

/// X4, W10: a browser needs no URL but that of the site.
#[tokio::test]
async fn x4_w10_the_address_that_discovery_names_is_enough_to_log_in() {
    let options = ["endpoint=[{name='chat', path='/xmpp/1.0/'}]"];
    let server = TestServer::with(&options).await;
    let (authority, path) = discovered(server.plain()).await;
    let address = authority.replace("localhost", "127.0.0.1");
    let address: SocketAddr = address.parse().expect("an address");
    let mut romeo = log_in(address, &path, "romeo").await;
    romeo.hears_nothing().await;
}

/// X6
#[tokio::test]
async fn x6_a_port_that_is_taken_ends_the_start_and_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let state = tempfile::tempdir().expect("a directory");
    let state = format!("state_dir={}", state.path().display());
    for port in ["plain", "tls", "admin"] {
        let mut arguments = vec!["serve", "--set", &state];
        let all = ["plain", "tls", "admin"].map(|other| {
            let at = if other == port {
                &address
            } else {
                "127.0.0.1:0"
            };
            format!("listen.{other}={at}")
        });
        for option in &all {
            arguments.extend(["--set", option]);
        }
        let (code, text) = run_to_end(&arguments).await;
        assert_eq!(code, Some(1), "{text}");
        assert!(text.contains(&address), "{text}");
    }
}

/// X6
#[tokio::test]
async fn x6_ipv6_is_listened_on_and_each_port_may_be_absent() {
    let server = TestServer::with(&["listen.plain=[::1]:0"]).await;
    log_in(server.plain(), "/ws/", "romeo").await;
    let options = ["listen.plain=none", "listen.tls=127.0.0.1:0"];
    let server = TestServer::with(&options).await;
    assert_eq!(server.server.config().listen.plain, None);
    assert_eq!(server.server.config().listen.admin, None);
    assert_ne!(server.tls().port(), 0);
    assert!(TestServer::start().await.server.certificate().is_none());
}

/// What a proxy makes of the head of a request.
type Rewrite = fn(&str) -> String;

/// A proxy in front of the server that passes on what `rewrite` makes of each connection's first head.
async fn proxy(server: SocketAddr, rewrite: Rewrite) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut head = Vec::new();
                while find(&head, b"\r\n\r\n").is_none() {
                    if client.read_buf(&mut head).await.unwrap_or(0) == 0 {
                        return;
                    }
                }
                let head = String::from_utf8(head).expect("a head");
                let mut behind = TcpStream::connect(server).await.expect("the server");
                let head = rewrite(&head);
                behind.write_all(head.as_bytes()).await.expect("a head");
                let _ = tokio::io::copy_bidirectional(&mut client, &mut behind).await;
            });
        }
    });
    address
}

/// As nginx does with `location /app/ { proxy_pass http://server/; }` and the usual headers.
fn below_a_path(head: &str) -> String {
    let told = "X-Forwarded-For: 198.51.100.7\r\nX-Forwarded-Proto: https\r\n";
    let head = head.replacen("GET /app/", "GET /", 1);
    head.replacen("Host:", &format!("{told}Host:"), 1)
}

/// X7: the public address is told, and not guessed from what arrives.
#[tokio::test]
async fn x7_behind_a_proxy_that_cuts_the_path_discovery_alone_leads_to_a_login() {
    let server = TestServer::with(&[
        "public_url=https://chat.example.org/app",
        "listen.trusted_proxies=[\"127.0.0.0/8\"]",
    ])
    .await;
    let front = proxy(server.plain(), below_a_path).await;
    let (authority, path) = discovered(front).await;
    assert_eq!(authority, "chat.example.org");
    assert_eq!(path, "/app/ws/");
    let mut romeo = log_in(front, &path, "romeo").await;
    romeo.hears_nothing().await;
    // The origin compares with the public address, although the server's own link has no TLS.
    for (origin, status) in [
        ("https://chat.example.org", 101),
        ("http://chat.example.org", 403),
        ("https://evil.example", 403),
    ] {
        let line = format!("GET {path} HTTP/1.1");
        let page = Handshake::new().line(&line).with("Origin", origin);
        let (response, _) = page.over(Http::to(front).await).await;
        assert_eq!(response.status, status, "{origin}");
    }
}

/// What the log says of a page of somewhere else, by the time that it is refused.
async fn log_of_a_refusal(options: &[&str], headers: &[(&str, &str)]) -> String {
    let place = tempfile::tempdir().expect("a directory");
    let path = place.path().join("log");
    let file = File::create(&path).expect("a file");
    let process = Process::logging(options, "info", file.into()).await;
    let mut page = Handshake::new().with("Origin", "https://evil.example");
    for (name, value) in headers {
        page = page.with(name, value);
    }
    let (response, _) = page.over(Http::to(process.address).await).await;
    assert_eq!(response.status, 403);
    let log = || std::fs::read_to_string(&path).expect("a log");
    until("a line of the log", || log().contains("origin refused")).await;
    log()
}

const BEHIND_A_PROXY: &str = "listen.trusted_proxies=[\"127.0.0.0/8\"]";
const FOR: (&str, &str) = ("X-Forwarded-For", "198.51.100.7");
const PROTO: (&str, &str) = ("X-Forwarded-Proto", "https");

/// X7: only whom the operator lists may say who the client is.
#[tokio::test]
async fn x7_an_address_that_a_stranger_claims_is_not_believed() {
    let log = log_of_a_refusal(&[], &[FOR]).await;
    assert!(!log.contains("198.51.100.7"), "{log}");
    assert!(log.contains("127.0.0.1"), "{log}");
    let log = log_of_a_refusal(&[BEHIND_A_PROXY], &[FOR]).await;
    assert!(log.contains("198.51.100.7"), "{log}");
}

/// X7: what no client can see from outside, the log says.
#[tokio::test]
async fn x7_the_log_names_the_header_that_a_trusted_proxy_does_not_set() {
    for (headers, missing, there) in [
        (
            &[FOR][..],
            &["sends no X-Forwarded-Proto"][..],
            "no X-Forwarded-For",
        ),
        (
            &[PROTO],
            &["sends no X-Forwarded-For"],
            "no X-Forwarded-Proto",
        ),
        (&[FOR, PROTO], &[], "sends no"),
        (&[], &[], "sends no"),
    ] {
        let log = log_of_a_refusal(&[BEHIND_A_PROXY], headers).await;
        assert!(missing.iter().all(|name| log.contains(name)), "{log}");
        assert!(!log.contains(there), "{log}");
    }
    let log = log_of_a_refusal(&[], &[FOR]).await;
    assert!(
        log.contains("listen.trusted_proxies does not list"),
        "{log}"
    );
}

fn without(head: &str, name: &str) -> String {
    let lines = head.split_inclusive("\r\n");
    lines
        .filter(|line| !line.to_lowercase().starts_with(name))
        .collect()
}

/// X7: what a proxy swallowed is named by whoever looks with `stanzad probe`.
#[tokio::test]
async fn x7_a_probe_names_the_header_that_a_proxy_does_not_pass_on() {
    let server = Process::start(&[]).await;
    let swallowing: [(&str, Rewrite); 4] = [
        ("Upgrade", |head| without(head, "upgrade:")),
        ("Connection", |head| without(head, "connection:")),
        ("Sec-WebSocket-Protocol", |head| {
            without(head, "sec-websocket-protocol:")
        }),
        ("Sec-WebSocket-Key", |head| {
            without(head, "sec-websocket-key:")
        }),
    ];
    for (header, rewrite) in swallowing {
        let front = proxy(server.address, rewrite).await;
        let (code, text) = probe(&format!("ws://{front}/ws/")).await;
        assert_eq!(code, Some(1), "{header}: {text}");
        let line = text.lines().find(|line| line.contains("✗ upgrade"));
        assert!(text.contains(header), "{header}: {line:?}");
    }
}

/// X11: what an operator sees with a browser and with curl.
#[tokio::test]
async fn x11_curl_and_a_browser_are_told_what_is_there() {
    let server = TestServer::with(&["listen.admin=127.0.0.1:0"]).await;
    let page = Http::connect(&server).await.get("/ws/").await;
    assert_eq!(page.status, 426);
    let kind = page.header("content-type").expect("a type");
    assert!(kind.starts_with("text/plain"), "{kind}");
    assert_eq!(page.text().lines().count(), 1, "{}", page.text());
    assert!(
        page.text().contains("XMPP over WebSocket"),
        "{}",
        page.text()
    );
    assert!(page.text().contains("\"xmpp\""), "{}", page.text());
    let admin = server.server.config().listen.admin.expect("a port");
    assert_eq!(Http::to(admin).await.get("/healthz").await.status, 200);
    let (response, _) = Handshake::new().send(&server).await;
    assert_eq!(response.status, 101);
    let chosen = response.header("sec-websocket-protocol");
    assert_eq!(chosen.as_deref(), Some("xmpp"));
    for (offer, handshake) in [
        ("none", Handshake::new().without("Sec-WebSocket-Protocol")),
        (
            "chat",
            Handshake::new().replace("Sec-WebSocket-Protocol", "chat"),
        ),
    ] {
        let (response, _) = handshake.send(&server).await;
        assert_eq!(response.status, 400, "{offer}");
        assert!(response.text().contains("\"xmpp\""), "{}", response.text());
    }
}

/// X12: pages of one's own, or those that are listed instead, and clients that are no pages.
#[tokio::test]
async fn x12_each_kind_of_origin_gets_its_answer() {
    let own = "https://chat.example.org";
    let listed = "https://app.example.org";
    let public = "public_url=https://chat.example.org";
    let list = "endpoint.0.origins=[\"https://app.example.org\"]";
    let any = "endpoint.0.origins=*";
    for (options, allowed) in [
        (&[public][..], [true, false, false, false]),
        (&[public, list], [false, true, false, false]),
        (&[public, any], [true, true, true, true]),
    ] {
        let server = TestServer::with(options).await;
        assert_eq!(Handshake::new().status(&server).await, 101, "{options:?}");
        let origins = [own, listed, "https://evil.example", "null"];
        for (origin, is_in) in origins.into_iter().zip(allowed) {
            let status = Handshake::new()
                .with("Origin", origin)
                .status(&server)
                .await;
            let wanted = if is_in { 101 } else { 403 };
            assert_eq!(status, wanted, "{options:?} {origin}");
        }
    }
}

const KIB: usize = 1024;

/// X13: the limits as they are when nobody has set them, announced and kept.
#[tokio::test]
async fn x13_a_stanza_has_one_limit_before_login_and_one_after_it() {
    let server = TestServer::start().await;
    let announced = |client: &Client| {
        let ns = "urn:xmpp:stream-limits:0";
        let limits = client.features.child("limits", ns).expect("limits");
        let bytes = limits.child("max-bytes", ns).expect("a number").text();
        bytes.parse::<usize>().expect("a number")
    };
    let long = |bytes| {
        format!(
            "<message xmlns='jabber:client'>{}</message>",
            "x".repeat(bytes)
        )
    };
    let mut stranger = Client::open(&server).await;
    assert_eq!(announced(&stranger), 10 * KIB);
    stranger.send(&long(11 * KIB)).await;
    stranger.refused(&["policy-violation"]).await;
    let mut romeo = Client::login(&server, "romeo").await;
    assert_eq!(announced(&romeo), 256 * KIB);
    let own = romeo.jid.clone();
    romeo.chat(&own, &"x".repeat(250 * KIB)).await;
    assert_eq!(body(&romeo.next_named("message").await).len(), 250 * KIB);
    romeo.send(&long(300 * KIB)).await;
    romeo.refused(&["policy-violation"]).await;
}

/// X13: fragments are one frame, and the limit is that of the whole.
#[tokio::test]
async fn x13_fragments_are_joined_and_binary_frames_are_refused() {
    let server = TestServer::start().await;
    let mut romeo = Client::login(&server, "romeo").await;
    let stanza = format!(
        "<message xmlns='jabber:client' to='{}'><body>hark</body></message>",
        romeo.jid
    );
    let bytes = stanza.as_bytes();
    for (n, byte) in bytes.iter().enumerate() {
        let opcode = if n == 0 { TEXT & !FIN } else { 0 };
        let last = if n + 1 == bytes.len() { FIN } else { 0 };
        romeo.ws.frame(opcode | last, [*byte]).await;
    }
    assert_eq!(body(&romeo.next_named("message").await), "hark");
    romeo
        .ws
        .frame(TEXT & !FIN, b"<message xmlns='jabber:client'>")
        .await;
    for _ in 0..30 {
        romeo.ws.frame(0, [b'x'; 10 * KIB]).await;
    }
    let (texts, code) = romeo.ws.read_to_end().await;
    assert!(code.is_some(), "{texts:?}");
    let error = parse(texts.first().expect("an error"));
    assert!(error.is("error", ETHERX), "{error}");
    assert_eq!(kit::xmpp::stream_condition(&error), "policy-violation");
    let mut ws = Ws::connect(&server).await;
    ws.frame(BINARY, kit::xmpp::OPEN).await;
    assert_eq!(ws.next().await, Got::Close(Some(1003)));
}
