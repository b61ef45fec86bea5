//! What is HTTP and not yet BOSH.

use crate::world::{Client, DOMAIN, Http, ORIGIN, World, chat};
use axum::http::Request;
use http_body_util::BodyExt;
use stanzad::http::bosh::routes;
use stanzad::http::origin::OriginPolicy;
use stanzad::http::peer::Peer;
use std::time::Duration;
use tower_service::Service;

const POST: &str = "POST /http-bind/ HTTP/1.1";

/// B-23
#[tokio::test]
async fn preflight_of_an_allowed_page_is_granted_and_of_a_foreign_one_refused() {
    let world = World::new().await;
    let ask = |origin: &str| {
        format!(
            "OPTIONS /http-bind/ HTTP/1.1\r\nOrigin: {origin}\r\n\
             Access-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: content-type"
        )
    };
    let granted = world.request(&ask(ORIGIN), "").await;
    assert_eq!(granted.status, 204);
    assert_eq!(granted.header("access-control-allow-origin"), Some(ORIGIN));
    assert!(
        granted
            .header("access-control-allow-methods")
            .unwrap()
            .contains("POST")
    );
    assert_eq!(
        granted.header("access-control-allow-headers"),
        Some("Content-Type")
    );
    assert_eq!(granted.header("access-control-allow-credentials"), None);
    assert_eq!(granted.header("vary"), Some("Origin"));
    let refused = world.request(&ask("https://evil.example"), "").await;
    assert_eq!(refused.status, 403);
    assert_eq!(refused.header("access-control-allow-origin"), None);
}

/// B-23, W-11
#[tokio::test]
async fn answers_let_the_allowed_page_read_them_and_a_foreign_page_gets_no_session() {
    let world = World::new().await;
    let creation =
        format!("<body rid='1' to='{DOMAIN}' xmlns='http://jabber.org/protocol/httpbind'/>");
    let reply = world
        .request(&format!("{POST}\r\nOrigin: {ORIGIN}"), &creation)
        .await;
    assert_eq!(reply.header("access-control-allow-origin"), Some(ORIGIN));
    reply.attribute("sid");
    let foreign = format!("{POST}\r\nOrigin: https://evil.example");
    assert_eq!(world.request(&foreign, &creation).await.status, 403);
    assert_eq!(world.state.sessions(), 1);
}

/// B-23
#[tokio::test]
async fn where_every_page_may_the_star_comes_without_credentials() {
    let world = World::with(|options, _| options.origins = OriginPolicy::Any).await;
    let reply = world
        .request(&format!("{POST}\r\nOrigin: null"), "<body/>")
        .await;
    assert_eq!(reply.header("access-control-allow-origin"), Some("*"));
    assert_eq!(reply.header("access-control-allow-credentials"), None);
}

/// B-35
#[tokio::test]
async fn other_methods_get_405_and_a_line_that_helps() {
    let world = World::new().await;
    for method in ["GET", "PUT", "DELETE", "BREW"] {
        for path in ["/http-bind/", "/http-bind", "/http-bind/?x=1"] {
            let reply = world
                .request(&format!("{method} {path} HTTP/1.1"), "")
                .await;
            assert_eq!(
                (reply.status, reply.header("allow")),
                (405, Some("POST, OPTIONS"))
            );
            assert!(reply.body.contains("XMPP client"), "{method} {path}");
        }
    }
}

/// B-02, B-16, B-17, B-18, B-19
#[tokio::test]
async fn what_is_no_body_is_a_bad_request() {
    let world = World::new().await;
    let ns = "xmlns='http://jabber.org/protocol/httpbind'";
    for text in [
        "",
        "hello",
        "<body",
        "<body rid='1' xmlns='urn:other'/>",
        &format!("<body {ns}/>"),
        &format!("<body rid='x' {ns}/>"),
        &format!("<body rid='1' {ns}>text</body>"),
        &format!("<body rid='9007199254740992' {ns}/>"),
        &format!("<!DOCTYPE x [<!ENTITY a 'b'>]><body rid='1' {ns}/>"),
    ] {
        let reply = world.post(text).await;
        assert!(reply.is_terminated_with("bad-request"), "{text}: {reply:?}");
        assert_eq!(
            reply.header("content-type"),
            Some("text/xml; charset=utf-8")
        );
        assert_eq!(reply.header("cache-control"), Some("no-store"));
    }
    assert_eq!(world.state.sessions(), 0);
}

/// B-13
#[tokio::test]
async fn unknown_sids_are_not_found() {
    let world = World::new().await;
    for sid in [
        "",
        "x",
        "../..",
        &"f".repeat(32),
        &"F".repeat(32),
        &"a".repeat(9000),
    ] {
        let text =
            format!("<body rid='1' sid='{sid}' xmlns='http://jabber.org/protocol/httpbind'/>");
        assert!(
            world.post(&text).await.is_terminated_with("item-not-found"),
            "{sid}"
        );
    }
}

/// B-22
#[tokio::test]
async fn body_over_the_limit_is_refused_before_it_is_read() {
    let world = World::new().await;
    let mut http = world.connect().await;
    http.write(&format!(
        "{POST}\r\nHost: x\r\nContent-Length: 10000000000\r\n\r\n<body"
    ))
    .await;
    let reply = http.reply().await;
    assert_eq!(
        (reply.status, reply.header("connection")),
        (413, Some("close"))
    );
}

/// B-22
#[tokio::test]
async fn chunked_body_over_the_limit_is_refused_where_it_passes_it() {
    let world = World::new().await;
    let mut http = world.connect().await;
    http.write(&format!(
        "{POST}\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    ))
    .await;
    let chunk = format!("10000\r\n{}\r\n", " ".repeat(0x10000));
    for _ in 0..4 {
        http.write(&chunk).await;
    }
    assert_eq!(http.reply().await.status, 413);
}

/// Before a login a body holds as much as one stanza may.
#[tokio::test]
async fn stranger_may_not_send_long_bodies() {
    let world = World::new().await;
    let mut client = world.session("").await;
    let long = format!(
        "<iq xmlns='jabber:client' type='get' id='{}'/>",
        "x".repeat(20_000)
    );
    assert_eq!(client.exchange("", &long).await.status, 413);
}

/// B-22
#[tokio::test]
async fn long_body_of_a_stranger_is_refused_while_the_rest_has_not_come() {
    let world = World::new().await;
    let mut http = world.connect().await;
    let announced = 100_000;
    let head = format!("{POST}\r\nHost: x\r\nContent-Length: {announced}\r\n\r\n");
    http.write(&(head + &" ".repeat(20_000))).await;
    assert_eq!(http.reply().await.status, 413);
}

#[tokio::test]
async fn client_that_has_logged_in_may_send_long_bodies() {
    let world = World::new().await;
    let mut client = world.login("romeo").await;
    let long = chat("juliet@example.org", &"x".repeat(60_000));
    let reply = client.exchange("", &long).await;
    assert!(reply.status == 200 && !reply.is_terminated_with("policy-violation"));
}

#[tokio::test]
async fn sid_that_is_not_that_of_the_body_lets_nothing_long_in() {
    let world = World::new().await;
    let client = world.login("romeo").await;
    let sid = &client.sid;
    let text = format!(
        "<body rid='1' to='example.org' xmlns='http://jabber.org/protocol/httpbind'>\
         <message xmlns='jabber:client' sid='{sid}'>{}</message></body>",
        "x".repeat(20_000)
    );
    let reply = world.post(&text).await;
    assert!(reply.is_terminated_with("policy-violation"), "{reply:?}");
    assert_eq!(world.state.sessions(), 1);
}

/// B-44
#[tokio::test]
async fn chunked_request_on_a_connection_that_is_kept_alive_is_served() {
    let world = World::new().await;
    let mut client = world.session("").await;
    let mut http = world.connect().await;
    for _ in 0..3 {
        let body = client.next("pause='1'", "");
        let (one, two) = body.split_at(body.len() / 2);
        chunked(&mut http, &[one, two]).await;
        assert!(http.reply().await.is_empty_body());
    }
}

async fn chunked(http: &mut Http, chunks: &[&str]) {
    let mut text = format!("{POST}\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
    for chunk in chunks.iter().chain(&[""]) {
        text.push_str(&format!("{:x}\r\n{chunk}\r\n", chunk.len()));
    }
    http.write(&text).await;
}

/// B-45
#[tokio::test]
async fn slow_body_ends_with_408_and_harms_nobody() {
    let patience = Duration::from_millis(200);
    let world = World::with(|options, _| options.read_timeout = patience).await;
    let mut slow = world.connect().await;
    slow.write(&format!(
        "{POST}\r\nHost: x\r\nContent-Length: 100\r\n\r\n<body "
    ))
    .await;
    let mut client = world.session("").await;
    assert!(client.exchange("pause='1'", "").await.is_empty_body());
    let reply = slow.reply().await;
    assert_eq!(
        (reply.status, reply.header("connection")),
        (408, Some("close"))
    );
}

/// B-46
#[tokio::test]
async fn strangers_take_only_the_share_of_their_address_and_give_it_back() {
    let world = World::with(|options, _| {
        options.max_sessions_before_login_of_one_address = 3;
    })
    .await;
    let mut clients = Vec::new();
    for _ in 0..3 {
        clients.push(world.session("").await);
    }
    let refused = world.session_refused().await;
    assert_eq!(
        (refused.status, refused.header("retry-after")),
        (503, Some("5"))
    );
    clients[0].authenticate("romeo").await;
    let freed = world.session("").await;
    assert!(!freed.sid.is_empty());
    for client in &mut clients {
        goodbye(client).await;
    }
    world.until(|| world.state.sessions() == 1).await;
}

async fn goodbye(client: &mut Client<'_>) {
    let reply = client.exchange("type='terminate'", "").await;
    assert!(reply.body.contains("type='terminate'"), "{reply:?}");
}

impl World {
    async fn session_refused(&self) -> crate::world::Reply {
        self.post(&format!(
            "<body rid='1' to='{DOMAIN}' xmlns='http://jabber.org/protocol/httpbind'/>"
        ))
        .await
    }
}

/// Who listens in on an open link learns no sid of a session that began on a private one: it would
/// be of no use there.
#[tokio::test]
async fn session_that_began_on_a_private_link_is_not_found_over_an_open_one() {
    let world = World::new().await;
    let client = world.session("").await;
    let body = client.body(client.rid + 1, "pause='1'", "");
    let again = body.clone();
    let open_link = Peer::direct("192.0.2.1:1".parse().unwrap());
    let request = Request::post("/http-bind/")
        .extension(open_link)
        .body(axum::body::Body::from(body));
    let reply = routes(world.state.clone())
        .call(request.unwrap())
        .await
        .unwrap();
    let reply = reply.into_body().collect().await.unwrap().to_bytes();
    assert!(String::from_utf8_lossy(&reply).contains("condition='item-not-found'"));
    assert_eq!(world.state.sessions(), 1);
    assert!(world.post(&again).await.is_empty_body());
}
