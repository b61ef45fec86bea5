//! The limits on one stanza and on time, over both transports; and what of them is announced.

mod kit;

use kit::bosh::{CREATE, PATH, post, terminated, wrap};
use kit::xmpp::{befriend, stream_condition};
use kit::{Bosh, CLIENT, Client, ETHERX, Got, Http, TestServer, Ws, bodies, until, within};
use stanzad::xml::Element;
use std::time::{Duration, Instant};

fn message(attributes: &str, inner: &str) -> String {
    format!("<message xmlns='{CLIENT}' type='chat'{attributes}>{inner}</message>")
}

/// Over WebSocket: the stream ends, and why.
async fn refused_over_websocket(server: &TestServer, stanza: &str) {
    let mut romeo = Client::login(server, "romeo").await;
    romeo.send(stanza).await;
    romeo.refused(&["policy-violation"]).await;
}

/// Over BOSH: a terminate, which says it itself or holds the stream error that does.
async fn refused_over_bosh(server: &TestServer, stanza: &str) {
    let mut romeo = Bosh::login(server, "romeo").await;
    let mut sent = romeo.request("", stanza).await;
    says_policy_violation(&sent.answer().await);
}

#[track_caller]
fn says_policy_violation(body: &Element) {
    match terminated(body) {
        "remote-stream-error" => {
            let error = body.child("error", ETHERX).expect("why");
            assert_eq!(stream_condition(error), "policy-violation");
        }
        condition => assert_eq!(condition, "policy-violation"),
    }
}

/// Over both: one within the limit arrives, one over it ends the stream.
async fn within_and_over(option: &str, good: &str, bad: &str) {
    let server = TestServer::with(&[option]).await;
    let mut romeo = Client::available_as(&server, "romeo", "orchard").await;
    romeo.send(good).await;
    romeo.next_named("message").await;
    romeo.close().await;
    let mut romeo = Bosh::available(&server, "romeo").await;
    romeo.send(good).await;
    let heard = romeo.next().await;
    assert_eq!(heard.name(), "message", "{heard}");
    romeo.terminate("").await;
    refused_over_websocket(&server, bad).await;
    refused_over_bosh(&server, bad).await;
}

/// `limits.max_depth`
#[tokio::test]
async fn elements_stand_in_each_other_as_deep_as_allowed_and_no_deeper() {
    let deep = |levels: usize| {
        let inner = format!("{}{}", "<a>".repeat(levels - 1), "</a>".repeat(levels - 1));
        message("", &inner)
    };
    within_and_over("limits.max_depth=10", &deep(10), &deep(11)).await;
}

/// `limits.max_attributes`
#[tokio::test]
async fn an_element_has_as_many_attributes_as_allowed_and_no_more() {
    let with = |count: usize| {
        let attributes: String = (0..count).map(|n| format!(" a{n}=''")).collect();
        message("", &format!("<x xmlns='x'{attributes}/>"))
    };
    within_and_over("limits.max_attributes=16", &with(15), &with(16)).await;
}

/// `limits.max_namespaces`
#[tokio::test]
async fn so_many_namespaces_are_declared_as_allowed_and_no_more() {
    let with = |count: usize| {
        let declarations: String = (0..count).map(|n| format!(" xmlns:p{n}='n{n}'")).collect();
        message("", &format!("<x{declarations}/>"))
    };
    // That of the stanza itself is the eighth.
    within_and_over("limits.max_namespaces=8", &with(7), &with(8)).await;
}

/// `limits.max_stanza_bytes`. L-02
#[tokio::test]
async fn a_stanza_is_as_long_as_allowed_and_no_longer() {
    let long = |bytes: usize| {
        let empty = message("", "<body></body>").len();
        message("", &format!("<body>{}</body>", "x".repeat(bytes - empty)))
    };
    within_and_over(
        "limits.max_stanza_bytes=20000",
        &long(20_000),
        &long(20_001),
    )
    .await;
}

/// `limits.max_stanza_bytes_before_auth`. L-02
#[tokio::test]
async fn a_stranger_has_the_smaller_limit_over_either_transport() {
    let server = TestServer::with(&["limits.max_stanza_bytes_before_auth=4KiB"]).await;
    let long = format!(
        "<auth xmlns='{}' mechanism='PLAIN'>{}</auth>",
        kit::SASL,
        "A".repeat(5000)
    );
    let mut stranger = Client::open(&server).await;
    stranger.send(&long).await;
    stranger.refused(&["policy-violation"]).await;
    let (mut stranger, _) = Bosh::open(&server).await;
    let mut sent = stranger.request("", &long).await;
    says_policy_violation(&sent.answer().await);
    let much = long.repeat(3);
    let response = post(&server, &wrap(&format!("rid='1' {CREATE}"), &much)).await;
    assert_eq!(response.status, 413, "{response:?}");
}

/// XEP-0478: what is enforced is announced, on both transports, before and after login.
mod announced {
    use super::*;

    const LIMITS: &str = "urn:xmpp:stream-limits:0";

    fn limits(features: &Element) -> (String, String) {
        let limits = features.child("limits", LIMITS).expect("limits");
        let number = |name| limits.child(name, LIMITS).expect("a number").text();
        (number("max-bytes"), number("idle-seconds"))
    }

    fn pair(bytes: &str, seconds: &str) -> (String, String) {
        (bytes.to_owned(), seconds.to_owned())
    }

    const OPTIONS: &[&str] = &[
        "limits.max_stanza_bytes=30000",
        "limits.max_stanza_bytes_before_auth=5000",
        "ws.idle_timeout=80s",
        "bosh.inactivity=40s",
    ];

    #[tokio::test]
    async fn over_websocket() {
        let server = TestServer::with(OPTIONS).await;
        let mut client = Client::open(&server).await;
        assert_eq!(limits(&client.features), pair("5000", "80"));
        client.plain("romeo").await;
        assert_eq!(limits(&client.features), pair("30000", "80"));
    }

    #[tokio::test]
    async fn over_bosh() {
        let server = TestServer::with(OPTIONS).await;
        let (mut client, features) = Bosh::open(&server).await;
        assert_eq!(limits(&features), pair("5000", "40"));
        assert_eq!(client.creation.attr("inactivity"), Some("40"));
        client
            .send(&kit::xmpp::plain_auth("romeo", kit::PASSWORD))
            .await;
        assert_eq!(client.next().await.name(), "success");
        assert_eq!(limits(&client.restart().await), pair("30000", "40"));
    }
}

/// `limits.header_timeout`, and ten seconds for what comes before HTTP.
mod handshake {
    use super::*;

    /// L-03, L-10
    #[tokio::test]
    async fn a_request_whose_head_never_ends_is_dropped_whatever_it_is_for() {
        let server = TestServer::with(&["limits.header_timeout=1s"]).await;
        let mut upgrade = Http::connect(&server).await;
        upgrade.send("GET /ws/ HTTP/1.1\r\nHost: exam").await;
        let mut bosh = Http::connect(&server).await;
        bosh.send(format!("POST {PATH} HTTP/1.1\r\nHost: exam"))
            .await;
        let silent = Http::connect(&server).await;
        for slow in [upgrade, bosh, silent] {
            kit::ws::end_of(slow).await;
        }
    }

    /// L-03
    #[tokio::test]
    async fn a_tls_handshake_that_never_ends_is_dropped() {
        let server = TestServer::with(&["listen.tls=127.0.0.1:0"]).await;
        let mut silent = Http::to(server.tls()).await;
        silent.send([22, 3, 1]).await; // the first bytes of a hello
        let began = Instant::now();
        kit::ws::end_of(silent).await;
        assert!(
            began.elapsed() > Duration::from_secs(8),
            "{:?}",
            began.elapsed()
        );
    }
}

/// `limits.login_timeout`
mod login {
    use super::*;

    /// L-03: that over WebSocket is with the streams.
    #[tokio::test]
    async fn a_bosh_session_that_does_not_log_in_ends_and_says_why() {
        let server = TestServer::with(&["limits.login_timeout=1s"]).await;
        let (mut stranger, _) = Bosh::open(&server).await;
        let mut unbound = Bosh::authenticated(&server, "romeo").await;
        let mut bound = Bosh::login(&server, "juliet").await;
        for late in [&mut stranger, &mut unbound] {
            let mut held = late.request("", "").await;
            let end = held.answer().await;
            assert_eq!(terminated(&end), "remote-stream-error");
            let error = end.child("error", ETHERX).expect("why");
            assert_eq!(stream_condition(error), "connection-timeout");
        }
        assert!(bound.sync().await.is_empty());
    }
}

/// `ws.idle_timeout`, `bosh.inactivity`
mod idle {
    use super::*;

    const QUICK: &[&str] = &["ws.ping_interval=1s", "ws.idle_timeout=3s"];

    /// Takes what comes and answers nothing, not even a ping.
    async fn silence(ws: &mut Ws) {
        while !matches!(ws.recv().await, Got::End) {}
    }

    #[tokio::test]
    async fn e8_a_websocket_that_answers_no_ping_is_given_up_and_its_session_waits() {
        let server = TestServer::with(QUICK).await;
        let mut romeo = Client::login(&server, "romeo").await;
        let previd = romeo.enable_resumable().await;
        let began = Instant::now();
        within("the end", silence(&mut romeo.ws)).await;
        assert!(began.elapsed() >= Duration::from_millis(2800));
        server.hibernating(1).await;
        Client::resume(&server, "romeo", &previd, 0).await;
    }

    /// E8: who cannot come back is gone, and its contacts hear it at once.
    #[tokio::test]
    async fn e8_without_resumption_a_silent_link_ends_its_session() {
        let server = TestServer::with(QUICK).await;
        let mut romeo = Client::available_as(&server, "romeo", "orchard").await;
        let mut juliet = Client::available_as(&server, "juliet", "balcony").await;
        befriend(&mut romeo, &mut juliet).await;
        tokio::spawn(async move { silence(&mut romeo.ws).await });
        let gone = within("a farewell", juliet.next_named("presence")).await;
        assert_eq!(gone.attr("type"), Some("unavailable"), "{gone}");
        server.sessions(1).await;
    }

    #[tokio::test]
    async fn e8_f8_a_websocket_that_answers_pings_and_says_nothing_else_stays() {
        let server = TestServer::with(QUICK).await;
        let mut romeo = Client::login(&server, "romeo").await;
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(5) {
            match romeo.ws.recv().await {
                Got::Ping(data) => romeo.ws.frame(kit::ws::PONG, data).await,
                other => panic!("{other:?}"),
            }
        }
        romeo.hears_nothing().await;
    }

    /// A part of a frame is a sign of life: its client can send nothing else meanwhile.
    #[tokio::test]
    async fn a_stanza_that_takes_its_time_on_a_slow_link_is_not_silence() {
        let server = TestServer::with(QUICK).await;
        let mut romeo = Client::login(&server, "romeo").await;
        let ping =
            "<iq xmlns='jabber:client' id='slow' type='get'><ping xmlns='urn:xmpp:ping'/></iq>";
        for piece in kit::ws::frame(kit::ws::TEXT, ping.as_bytes()).chunks(10) {
            romeo.ws.raw(piece).await;
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        romeo.answer("slow").await;
    }

    /// Who takes nothing of what waits for it is as good as silent, whatever it sends.
    #[tokio::test]
    async fn o13_w15_a_websocket_that_reads_nothing_is_given_up() {
        let server = TestServer::with(&[QUICK, &["limits.send_queue=100000"]].concat()).await;
        let mut juliet = Client::login(&server, "juliet").await;
        let mut romeo = Client::login(&server, "romeo").await;
        let long = "x".repeat(100_000);
        for _ in 0..100 {
            romeo.chat(&juliet.jid, &long).await;
        }
        let gone = async {
            while server.server.sessions().len() == 2 {
                juliet.ws.frame(kit::ws::PONG, "").await;
                romeo.sync().await; // it reads, and answers pings
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        };
        within("the end", gone).await;
        romeo.sync().await;
    }

    #[tokio::test]
    async fn a_bosh_session_without_requests_is_given_up_and_waits_to_be_resumed() {
        let server = TestServer::with(&["bosh.inactivity=5s"]).await;
        let mut romeo = Bosh::login(&server, "romeo").await;
        let previd = romeo.enable_resumable().await;
        server.hibernating(1).await;
        let (mut romeo, _) = Client::resume(&server, "romeo", &previd, 0).await;
        romeo.hears_nothing().await;
    }
}

/// Whoever sends to a slow reader is slowed by two seconds a stanza, and not stopped.
mod slow_readers {
    use super::*;

    const SMALL: &[&str] = &["limits.send_queue=16", "bosh.max_wait=1s"];

    #[tokio::test]
    async fn a_sender_over_websocket_goes_on_after_two_seconds() {
        let server = TestServer::with(SMALL).await;
        let juliet = Bosh::login(&server, "juliet").await; // who asks for nothing
        let mut romeo = Client::login(&server, "romeo").await;
        for n in 0..18 {
            romeo.chat(&juliet.jid, &n.to_string()).await;
        }
        let began = Instant::now();
        romeo.sync().await;
        let slowed = began.elapsed();
        assert!(slowed >= Duration::from_millis(1500), "{slowed:?}");
    }

    #[tokio::test]
    async fn a_sender_over_bosh_as_well() {
        let server = TestServer::with(SMALL).await;
        let mut juliet = Bosh::login(&server, "juliet").await;
        let mut romeo = Bosh::login(&server, "romeo").await;
        let one = |n| {
            format!(
                "<message xmlns='{CLIENT}' to='{}' type='chat'><body>{n}</body></message>",
                juliet.jid
            )
        };
        let all: String = (0..18).map(one).collect();
        let began = Instant::now();
        let _sent = romeo.request("", &all).await;
        until("slow delivery", || {
            let sessions = server.server.sessions().all();
            sessions.iter().any(|session| session.waiting() >= 18)
        })
        .await;
        let slowed = began.elapsed();
        assert!(slowed >= Duration::from_millis(1500), "{slowed:?}");
        for n in 0..18 {
            assert_eq!(bodies(&[juliet.next().await]), [n.to_string()]);
        }
    }
}
