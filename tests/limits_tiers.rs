//! `[tier.NAME]`: what those in a tier send over its rates is delayed, refused or ends the stream.

mod kit;

use kit::xmpp::stream_condition;
use kit::{Bosh, CLIENT, Client, TestServer, bodies, condition, within};
use stanzad::xml::Element;
use std::time::{Duration, Instant};

/// Five a second, and no more than five at once.
const DELAY: &[&str] = &["tier.gold.stanzas=5/1s", "endpoint.0.tier=gold"];

/// Five an hour, so that what is sent at once is over it, however slow the machine.
fn strict(on_exceed: &'static str) -> Vec<&'static str> {
    vec![
        "tier.gold.stanzas=5/1h",
        "endpoint.0.tier=gold",
        "endpoint.1.name=open",
        "endpoint.1.path=/open/",
        "endpoint.1.tier=none",
        on_exceed,
    ]
}

async fn send_all(client: &mut Client, to: &str, count: usize) {
    for n in 0..count {
        client.chat(to, &n.to_string()).await;
    }
}

/// The errors among what came: each says that it is a matter of time.
fn refused(heard: &[Element]) -> usize {
    let errors = heard.iter().filter(|e| e.attr("type") == Some("error"));
    let check = |error: &Element| {
        assert_eq!(condition(error), "policy-violation");
        let kind = error.child("error", CLIENT).and_then(|e| e.attr("type"));
        assert_eq!(kind, Some("wait"));
    };
    errors.inspect(|error| check(error)).count()
}

/// W5
#[tokio::test]
async fn w5_who_is_delayed_loses_nothing() {
    let server = TestServer::with(DELAY).await;
    let mut juliet = Client::login(&server, "juliet").await;
    let mut romeo = Client::login(&server, "romeo").await;
    let began = Instant::now();
    send_all(&mut romeo, &juliet.jid, 50).await;
    for n in 0..50 {
        let message = juliet.next_named("message").await;
        assert_eq!(bodies(&[message]), [n.to_string()]);
    }
    assert!(began.elapsed() >= Duration::from_secs(9));
    romeo.hears_nothing().await;
}

/// W5: "raw sends 50 messages; 45 errors, socket usable, `h` = 50".
#[tokio::test]
async fn w5_what_is_rejected_is_answered_and_counts_as_handled() {
    let server = TestServer::with(&strict("tier.gold.on_exceed=reject")).await;
    let mut juliet = Client::login(&server, "juliet").await;
    let mut romeo = Client::login(&server, "romeo").await;
    romeo.enable("").await;
    send_all(&mut romeo, &juliet.jid, 50).await;
    assert_eq!(romeo.ask_h().await, 50);
    let refused = refused(&romeo.inbox.drain(..).collect::<Vec<_>>());
    let served = 50 - refused;
    assert!((3..=5).contains(&served), "{served}");
    for _ in 0..served {
        juliet.next_named("message").await;
    }
    juliet.hears_nothing().await;
}

/// W5: acks and the like are no stanzas.
#[tokio::test]
async fn w5_acks_do_not_count() {
    let server = TestServer::with(&strict("tier.gold.on_exceed=close")).await;
    let mut romeo = Client::login(&server, "romeo").await;
    romeo.enable("").await;
    for _ in 0..50 {
        romeo.send(&format!("<r xmlns='{}'/>", kit::SM)).await;
    }
    for _ in 0..50 {
        romeo.next_where(|e| e.is("a", kit::SM)).await;
    }
}

#[tokio::test]
async fn w5_who_is_to_be_closed_is_told_why() {
    let server = TestServer::with(&strict("tier.gold.on_exceed=close")).await;
    let juliet = Client::login(&server, "juliet").await;
    let mut romeo = Client::login(&server, "romeo").await;
    send_all(&mut romeo, &juliet.jid, 50).await;
    let (texts, code) = within("an end", romeo.ws.read_to_end()).await;
    assert_eq!(code, Some(1008));
    let error = kit::xmpp::parse(&texts[texts.len() - 2]);
    assert_eq!(stream_condition(&error), "policy-violation");
    server.sessions(1).await;
}

/// BOSH has the tier of the first endpoint: it is no way around it.
#[tokio::test]
async fn w5_over_bosh_the_tier_of_the_first_endpoint_holds() {
    let server = TestServer::with(&strict("tier.gold.on_exceed=reject")).await;
    let juliet = Client::login(&server, "juliet").await;
    let mut romeo = Bosh::login(&server, "romeo").await;
    let message = format!(
        "<message xmlns='{CLIENT}' to='{}' id='m' type='chat'><body>x</body></message>",
        juliet.jid
    );
    romeo.send(&message.repeat(50)).await;
    let mut errors = Vec::new();
    while errors.len() < 45 {
        errors.push(romeo.next().await);
    }
    assert_eq!(refused(&errors), 45);
}

/// W14: open sessions are in the tier that the reload brings, and out of one that it takes away.
#[tokio::test]
async fn w14_tiers_come_and_go_while_sessions_run() {
    let server = TestServer::with(&strict("tier.gold.on_exceed=reject")).await;
    let mut juliet = Client::login(&server, "juliet").await;
    let mut romeo = Client::login(&server, "romeo").await;
    romeo.enable("").await;
    send_all(&mut romeo, &juliet.jid, 10).await;
    assert_eq!(romeo.ask_h().await, 10);
    assert!(refused(&romeo.inbox.drain(..).collect::<Vec<_>>()) >= 5);
    let with_tier = (*server.server.config()).clone();
    let mut without = with_tier.clone();
    without.tiers.clear();
    without.endpoints[0].tier = None;
    assert!(server.server.reload(&without).is_empty());
    send_all(&mut romeo, &juliet.jid, 50).await;
    assert_eq!(romeo.ask_h().await, 60);
    assert_eq!(refused(&romeo.inbox.drain(..).collect::<Vec<_>>()), 0);
    assert!(server.server.reload(&with_tier).is_empty());
    send_all(&mut romeo, &juliet.jid, 10).await;
    assert_eq!(romeo.ask_h().await, 70);
    assert!(refused(&romeo.inbox.drain(..).collect::<Vec<_>>()) >= 5);
    juliet.next_named("message").await;
}

/// W5: who waits for an hour by the tiers of before does not wait for it by those of now.
#[tokio::test]
async fn w5_a_reload_frees_those_who_are_held_up_and_forgives_what_they_owe() {
    for now in [
        &["tier.gold.stanzas=10000/1s", "endpoint.0.tier=gold"][..],
        &[],
    ] {
        let before = ["tier.gold.stanzas=2/1h", "endpoint.0.tier=gold"];
        let server = TestServer::with(&before).await;
        let mut juliet = Client::login(&server, "juliet").await;
        let mut romeo = Client::login(&server, "romeo").await;
        send_all(&mut romeo, &juliet.jid, 20).await;
        juliet.next_named("message").await;
        let config = kit::server::config(server.state_dir(), now);
        server.server.reload(&config);
        for _ in 1..20 {
            juliet.next_named("message").await;
        }
        let mut again = Client::login(&server, "romeo").await;
        send_all(&mut again, &juliet.jid, 1).await;
        juliet.next_named("message").await;
    }
}
