//! What Openfire's WebSocket plugin offered, and what its users complained about: rows F1 to F11 of
//! `tests/rows.md` that no other file proves. F3 is in `rows_tls.rs`.

mod kit;

use kit::bosh::{CREATE, PATH, wrap};
use kit::xmpp::{OPEN, h, parse, stream_condition};
use kit::{Bosh, CLIENT, Client, ETHERX, FRAMING, Got, Handshake, Http, SM, TestServer, Ws, body};

/// What a first frame is answered with: an `<open/>` of ours, the error, `<close/>`, the Close frame.
async fn refused_opening(server: &TestServer, text: &str) -> String {
    let mut ws = Ws::connect(server).await;
    ws.text(text).await;
    let (texts, code) = ws.read_to_end().await;
    let heard: Vec<_> = texts.iter().map(|text| parse(text)).collect();
    let [open, error, close] = &heard[..] else {
        panic!("{text}: {texts:?}");
    };
    assert!(open.is("open", FRAMING), "{text}: {open}");
    assert!(close.is("close", FRAMING), "{text}: {close}");
    assert!(code.is_some(), "{text}: no Close frame");
    assert!(error.is("error", ETHERX), "{text}: {error}");
    stream_condition(error)
}

/// F1: nobody is left hanging, whatever it begins with.
#[tokio::test]
async fn f1_each_malformed_opening_is_answered_with_its_condition() {
    let server = TestServer::start().await;
    let other = |from: &str, to: &str| {
        assert!(OPEN.contains(from), "{from}");
        OPEN.replace(from, to)
    };
    let table = [
        (other(FRAMING, CLIENT), "invalid-namespace"),
        (
            other(" xmlns='urn:ietf:params:xml:ns:xmpp-framing'", ""),
            "invalid-namespace",
        ),
        (other("example.org", "example.net"), "host-unknown"),
        (other("to='example.org'", "to=''"), "host-unknown"),
        (
            other("version='1.0'", "version='0.9'"),
            "unsupported-version",
        ),
        (other("version='1.0'", ""), "unsupported-version"),
        (other("/>", ">"), "not-well-formed"),
        (
            other("version='1.0'", "version='1.0' version='1.0'"),
            "not-well-formed",
        ),
        (format!("{OPEN}{OPEN}"), "not-well-formed"),
        (format!(" {OPEN}"), "not-well-formed"),
        (format!("<!-- hi -->{OPEN}"), "restricted-xml"),
        (format!("<!DOCTYPE open>{OPEN}"), "restricted-xml"),
        (format!("<message xmlns='{CLIENT}'/>"), "not-authorized"),
        (
            format!(
                "<stream:stream to='example.org' version='1.0' xmlns='{CLIENT}' xmlns:stream='{ETHERX}'>"
            ),
            "not-well-formed",
        ),
    ];
    for (text, condition) in table {
        assert_eq!(refused_opening(&server, &text).await, condition, "{text}");
    }
    Client::login(&server, "romeo").await.hears_nothing().await;
}

/// F1, as its users found it otherwise: an empty element in its own namespace, `xml:lang`, an
/// `<open/>` that ends itself, a `<close/>` before the Close frame.
#[tokio::test]
async fn f1_frames_are_whole_documents_from_the_open_to_the_close() {
    let server = TestServer::start().await;
    let mut ws = Ws::connect(&server).await;
    ws.text(OPEN).await;
    let Got::Text(open) = ws.next().await else {
        panic!("no <open/>");
    };
    assert!(open.ends_with("/>"), "{open}");
    assert!(parse(&open).attr("xml:lang").is_some(), "{open}");
    assert_eq!(parse(&open).attr("lang"), None, "{open}");
    let Got::Text(features) = ws.next().await else {
        panic!("no features");
    };
    assert!(parse(&features).is("features", ETHERX), "{features}");
    ws.text(kit::xmpp::CLOSE_STREAM).await;
    let Got::Text(close) = ws.next().await else {
        panic!("no <close/>");
    };
    assert!(parse(&close).is("close", FRAMING), "{close}");
    let mut romeo = Client::login(&server, "romeo").await;
    let empty = format!("<message xmlns='{CLIENT}' to='{}'/>", romeo.jid);
    romeo.send(&empty).await;
    assert!(romeo.next().await.is("message", CLIENT));
}

/// F2: one listener for both; they chat with each other.
#[tokio::test]
async fn f2_bosh_and_websocket_are_on_one_port_and_chat() {
    let server = TestServer::start().await;
    let mut romeo = Client::login(&server, "romeo").await;
    let mut juliet = Bosh::login(&server, "juliet").await;
    romeo.chat(&juliet.jid, "hark").await;
    assert_eq!(body(&juliet.next().await), "hark");
    let pending = juliet.chat(&romeo.jid, "ay me").await;
    assert_eq!(body(&romeo.next_named("message").await), "ay me");
    pending.abort();
}

/// F2: neither needs the other.
#[tokio::test]
async fn f2_either_may_be_off() {
    let server = TestServer::with(&["bosh.enabled=false"]).await;
    let mut http = Http::connect(&server).await;
    http.request("POST", PATH, "", &wrap(&format!("rid='1' {CREATE}"), ""))
        .await;
    assert_eq!(http.response().await.status, 404);
    Client::login(&server, "romeo").await.hears_nothing().await;
    let server = TestServer::with(&["ws.enabled=false"]).await;
    assert_eq!(Handshake::new().status(&server).await, 404);
    assert!(Bosh::login(&server, "romeo").await.sync().await.is_empty());
}

/// F4: pings of the server are no stanzas, so that an idle session's counts agree.
#[tokio::test]
async fn f4_after_three_pings_of_the_server_the_counts_agree() {
    let server = TestServer::with(&["ws.ping_interval=1s", "ws.idle_timeout=20s"]).await;
    let mut romeo = Client::login(&server, "romeo").await;
    let enabled = romeo.enable("resume='true'").await;
    assert_eq!(
        enabled
            .attr("resume")
            .map(|value| value == "true" || value == "1"),
        Some(true)
    );
    for _ in 0..3 {
        let Got::Ping(data) = romeo.ws.recv().await else {
            panic!("not a ping");
        };
        romeo.ws.frame(kit::ws::PONG, data).await;
    }
    assert_eq!(romeo.ask_h().await, 0);
    romeo.ack(0).await;
    romeo.sync().await; // an answer each way
    assert_eq!(romeo.ask_h().await, 1);
    romeo.ack(1).await;
    romeo.hears_nothing().await;
}

/// Sends ten stanzas and an `<r/>`, and hears these acks before its answer.
async fn acks_of_ten(frequency: u32, wanted: &[u32]) {
    let frequency = format!("sm.unsolicited_ack_frequency={frequency}");
    let server = TestServer::with(&[&frequency, "sm.unsolicited_ack_delay=0s"]).await;
    // What was sent before <enabled/> is no part of it: SASL, bind, presence.
    let mut romeo = Client::available_as(&server, "romeo", "orchard").await;
    romeo.enable("").await;
    for n in 0..10 {
        romeo.chat("juliet@example.org", &n.to_string()).await;
        romeo.send("<active xmlns='urn:xmpp:csi:0'/>").await;
    }
    romeo.send(&format!("<r xmlns='{SM}'/>")).await;
    for wanted in wanted.iter().chain(&[10]) {
        let ack = romeo.next_where(|e| e.is("a", SM)).await;
        assert_eq!(h(&ack), *wanted, "{frequency}");
    }
    let more = romeo.sync().await;
    let mut more = more.iter().filter(|e| e.is("a", SM)).map(h);
    assert!(more.all(|h| h > 10), "{frequency}");
}

/// F5: counted from `<enabled/>` on, stanzas alone, and `<r/>` is answered whatever it is set to.
#[tokio::test]
async fn f5_every_nth_stanza_is_acked_and_requests_are_always_answered() {
    acks_of_ten(0, &[]).await;
    acks_of_ten(1, &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]).await;
    acks_of_ten(3, &[3, 6, 9]).await;
}

/// F5: takes effect on sessions that run.
#[tokio::test]
async fn f5_a_reload_changes_the_frequency_of_open_streams() {
    let server = TestServer::with(&["sm.unsolicited_ack_delay=0s"]).await;
    let mut romeo = Client::login(&server, "romeo").await;
    romeo.enable("").await;
    romeo.chat("juliet@example.org", "1").await;
    assert!(romeo.sync().await.iter().all(|e| !e.is("a", SM)));
    let options = [
        "sm.unsolicited_ack_frequency=1",
        "sm.unsolicited_ack_delay=0s",
    ];
    server
        .server
        .reload(&kit::server::config(server.state_dir(), &options));
    romeo.chat("juliet@example.org", "3").await;
    assert_eq!(h(&romeo.next_where(|e| e.is("a", SM)).await), 3);
}

/// F6: a thousand messages, and the link is lost in the midst of them.
#[tokio::test]
async fn f6_a_thousand_messages_cross_a_cut_link_once_and_in_order() {
    const COUNT: usize = 1000;
    let server = TestServer::with(&["sm.max_unacked=5000", "limits.send_queue=5000"]).await;
    let mut romeo = Client::login_as(&server, "romeo", "orchard").await;
    let previd = romeo.enable_resumable().await;
    let mut juliet = Client::login(&server, "juliet").await;
    let burst = tokio::spawn(async move {
        for n in 0..COUNT {
            juliet
                .chat("romeo@example.org/orchard", &n.to_string())
                .await;
        }
        juliet.sync().await;
        juliet
    });
    let mut heard = Vec::new();
    while heard.len() < 400 {
        heard.push(body(&romeo.next_named("message").await));
    }
    drop(romeo);
    let handled = u32::try_from(heard.len()).expect("a count");
    let (mut romeo, _) = Client::resume(&server, "romeo", &previd, handled).await;
    burst.await.expect("no panic");
    while heard.len() < COUNT {
        heard.push(body(&romeo.next_named("message").await));
    }
    assert!(romeo.messages().await.is_empty());
    let wanted: Vec<_> = (0..COUNT).map(|n| n.to_string()).collect();
    assert_eq!(heard, wanted);
}

/// F7: whatever is wrong has a condition of RFC 6120, a `<close/>` and an end.
#[tokio::test]
async fn f7_each_wrong_frame_of_a_bound_stream_is_answered_with_its_condition() {
    let server = TestServer::start().await;
    let message = |inner: &str| format!("<message xmlns='{CLIENT}'>{inner}</message>");
    for (text, condition) in [
        (
            "<pubsub xmlns='jabber:client'/>".to_owned(),
            "unsupported-stanza-type",
        ),
        (message("").replace(CLIENT, ""), "invalid-namespace"),
        (
            message("").replace(CLIENT, "jabber:server"),
            "invalid-namespace",
        ),
        (message("<body>"), "not-well-formed"),
        (message("&nbsp;"), "restricted-xml"),
        ("hello".to_owned(), "not-well-formed"),
        (message("<!-- hi -->"), "restricted-xml"),
        (message("<?hi?>"), "restricted-xml"),
        (
            format!("<!DOCTYPE message>{}", message("")),
            "restricted-xml",
        ),
    ] {
        let mut romeo = Client::login(&server, "romeo").await;
        romeo.send(&text).await;
        romeo.refused(&[condition]).await;
    }
    server.sessions(0).await;
}

/// F7: no stanza error on a stream that stays open (OF-2565).
#[tokio::test]
async fn f7_a_stanza_before_login_ends_the_stream() {
    let server = TestServer::start().await;
    for stanza in ["message", "presence", "iq type='get' id='1'"] {
        let mut stranger = Client::open(&server).await;
        stranger
            .send(&format!("<{stanza} xmlns='{CLIENT}'/>"))
            .await;
        stranger.refused(&["not-authorized"]).await;
    }
}

/// F9: what a page may is said in one place, for both transports.
#[tokio::test]
async fn f9_one_list_of_origins_holds_for_both_transports() {
    let server = TestServer::with(&["endpoint.0.origins=[\"https://app.example.org\"]"]).await;
    for (origin, is_in) in [
        ("https://app.example.org", true),
        ("https://evil.example", false),
    ] {
        let upgrade = Handshake::new()
            .with("Origin", origin)
            .status(&server)
            .await;
        assert_eq!(upgrade, if is_in { 101 } else { 403 }, "{origin}");
        let mut http = Http::connect(&server).await;
        http.send(format!(
            "OPTIONS {PATH} HTTP/1.1\r\nHost: example.org\r\nOrigin: {origin}\r\n\
             Access-Control-Request-Method: POST\r\n\r\n"
        ))
        .await;
        let response = http.response().await;
        let allowed = response.header("access-control-allow-origin");
        assert_eq!(allowed.as_deref(), is_in.then_some(origin), "{response:?}");
    }
}

/// F11: the host is always looked at, and the old way in is shut.
#[tokio::test]
async fn f11_authentication_of_old_is_neither_offered_nor_served() {
    let server = TestServer::start().await;
    let mut stranger = Client::open(&server).await;
    let features = stranger.features.to_string();
    assert!(!features.contains("iq-auth"), "{features}");
    let ask = "<iq xmlns='jabber:client' type='get' id='1' to='example.org'>\
               <query xmlns='jabber:iq:auth'><username>romeo</username></query></iq>";
    stranger.send(ask).await;
    stranger.refused(&["not-authorized"]).await;
}

/// F10, as far as one node goes: a server that is emptied sends those who come to another one, and
/// keeps those who are there.
#[tokio::test]
async fn f10_a_server_that_is_emptied_names_another_one_and_keeps_its_sessions() {
    let server = TestServer::start().await;
    let mut romeo = Client::login(&server, "romeo").await;
    let mut juliet = Client::login(&server, "juliet").await;
    let elsewhere = "ws.see_other_uri=wss://other.example.org/ws/";
    server
        .server
        .reload(&kit::server::config(server.state_dir(), &[elsewhere]));
    let mut ws = Ws::connect(&server).await;
    ws.text(OPEN).await;
    let (texts, code) = ws.read_to_end().await;
    let close = parse(texts.last().expect("a close"));
    assert_eq!(
        close.attr("see-other-uri"),
        Some("wss://other.example.org/ws/")
    );
    assert!(code.is_some(), "no Close frame");
    romeo.chat(&juliet.jid, "hark").await;
    assert_eq!(body(&juliet.next_named("message").await), "hark");
}
