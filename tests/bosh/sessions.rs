//! Sessions: from the creation request to the end, with somebody to talk to.

use crate::world::{Client, DOMAIN, World, chat};
use std::time::{Duration, Instant};

/// B-01, B-02, B-04
#[tokio::test]
async fn creation_answer_tells_the_terms_and_the_features() {
    let world = World::new().await;
    let client = world
        .session("wait='30' hold='1' content='text/html&#13;&#10;X: y'")
        .await;
    let reply = &client.creation;
    assert_eq!(
        reply.header("content-type"),
        Some("text/xml; charset=utf-8")
    );
    assert_eq!(reply.header("x"), None); // B-20
    for (name, value) in [
        ("wait", "30"),
        ("hold", "1"),
        ("requests", "2"),
        ("ver", "1.11"),
        ("from", DOMAIN),
        ("inactivity", "60"),
        ("xmpp:restartlogic", "true"),
        ("xmpp:version", "1.0"),
    ] {
        assert_eq!(reply.attribute(name), value, "{name}");
    }
    assert!(
        reply.body.contains("<mechanism>SCRAM-SHA-256</mechanism>"),
        "{reply:?}"
    );
    assert_eq!(client.sid.len(), 32); // B-05
    assert_ne!(world.session("").await.sid, client.sid);
}

/// B-28, B-29
#[tokio::test]
async fn unknown_host_is_refused_and_no_host_is_the_default_one() {
    let world = World::new().await;
    let creation =
        |to: &str| format!("<body rid='1' {to} xmlns='http://jabber.org/protocol/httpbind'/>");
    let unknown = world.post(&creation("to='elsewhere.example'")).await;
    assert!(unknown.is_terminated_with("host-unknown"));
    assert_eq!(world.post(&creation("")).await.attribute("from"), DOMAIN);
}

/// B-12, B-33: several messages of one body reach the other client in order, in its held request.
#[tokio::test]
async fn messages_reach_the_held_request_at_once_and_in_order() {
    let world = World::new().await;
    let (mut romeo, mut juliet) = (world.login("romeo").await, world.login("juliet").await);
    let mut held = juliet.hold().await;
    let both = chat("juliet", "one") + &chat("juliet", "two");
    romeo.send(&both).await;
    let mut said = held.reply().await.body;
    if !said.contains("two") {
        said.push_str(&juliet.ask("", "two").await);
    }
    let at = |text: &str| said.find(&format!("<body>{text}</body>")).unwrap();
    assert!(at("one") < at("two"), "{said}");
    assert!(
        said.contains(&format!("from=\"romeo@{DOMAIN}/romeo\"")),
        "{said}"
    );
}

/// B-10
#[tokio::test]
async fn empty_request_is_held_for_wait_and_then_answered_by_an_empty_body() {
    let world = World::new().await;
    let mut client = world.session("wait='1' hold='1'").await;
    let begun_at = Instant::now();
    let reply = client.exchange("", "").await;
    assert!(reply.is_empty_body(), "{reply:?}");
    assert!(begun_at.elapsed() >= Duration::from_secs(1));
}

/// B-11
#[tokio::test]
async fn further_request_releases_the_held_one() {
    let world = World::new().await;
    let mut client = world.session("wait='60' hold='1'").await;
    let mut first = client.begin("", "").await;
    let _second = client.begin("", "").await;
    assert!(first.reply().await.is_empty_body());
}

/// B-08: the whole answer, and the payload is not processed again.
#[tokio::test]
async fn repeated_rid_gets_the_same_bytes_and_its_message_goes_out_once() {
    let world = World::new().await;
    let (mut romeo, mut juliet) = (world.login("romeo").await, world.login("juliet").await);
    let body = romeo.next("", &(chat("juliet", "once") + PING));
    let (first, again) = (world.post(&body).await, world.post(&body).await);
    assert!(
        first.body.contains("id=\"p1\"") || first.body.contains("id='p1'"),
        "{first:?}"
    );
    assert_eq!(first.body, again.body);
    assert_eq!(first.header("content-type"), again.header("content-type"));
    romeo.send(&chat("juliet", "end")).await;
    let said = juliet.ask("", "end").await;
    assert_eq!(said.matches("once").count(), 1, "{said}");
}

const PING: &str =
    "<iq xmlns='jabber:client' type='get' id='p1'><ping xmlns='urn:xmpp:ping'/></iq>";

/// B-47: the connection of a held request breaks, and the client sends the rid again.
#[tokio::test]
async fn message_that_came_while_no_connection_held_the_rid_is_in_its_repetition() {
    let world = World::new().await;
    let (mut romeo, mut juliet) = (world.login("romeo").await, world.login("juliet").await);
    drop(juliet.hold().await);
    romeo.send(&chat("juliet", "hello")).await;
    let again = juliet.body(juliet.rid, "", "");
    let reply = world.post(&again).await;
    assert!(reply.body.contains("hello"), "{reply:?}");
}

/// B-06
#[tokio::test]
async fn requests_out_of_order_are_served_in_order() {
    let world = World::new().await;
    let (mut romeo, mut juliet) = (world.login("romeo").await, world.login("juliet").await);
    let (one, two) = (
        romeo.next("", &chat("juliet", "one")),
        romeo.next("", &chat("juliet", "two")),
    );
    let mut late = world.connect().await;
    late.post(&two).await;
    assert!(world.post(&one).await.is_empty_body());
    let said = juliet.ask("", "two").await;
    assert!(
        said.find("one").unwrap() < said.find("two").unwrap(),
        "{said}"
    );
}

/// B-07, B-13: and the session is gone for every request after it.
#[tokio::test]
async fn rid_beyond_the_window_ends_the_session() {
    let world = World::new().await;
    let mut client = world.session("").await;
    let wild = world.post(&client.body(client.rid + 100, "", "")).await;
    assert!(wild.is_terminated_with("item-not-found"));
    assert!(
        client
            .exchange("", "")
            .await
            .is_terminated_with("item-not-found")
    );
    world.until(|| world.state.sessions() == 0).await;
}

/// B-14
#[tokio::test]
async fn terminate_is_served_with_its_payload_and_tells_the_contacts() {
    let world = World::new().await;
    let (mut romeo, mut juliet) = (world.login("romeo").await, world.login("juliet").await);
    let jid = format!("juliet@{DOMAIN}/juliet");
    let directed = format!("<presence xmlns='jabber:client' to='{jid}'/>");
    romeo.send(&directed).await;
    let mut held = romeo.hold().await;
    let farewell = chat("juliet", "farewell");
    let last = romeo.exchange("type='terminate'", &farewell).await;
    assert!(last.body.contains("type='terminate'") && !last.body.contains("condition"));
    assert!(held.reply().await.is_empty_body());
    let said = juliet.ask("", "unavailable").await;
    assert!(said.contains("farewell"), "{said}");
    assert!(
        romeo
            .exchange("", "")
            .await
            .is_terminated_with("item-not-found")
    );
    world.until(|| world.state.sessions() == 1).await;
}

/// B-30: without stream management, what the lost client did not get waits for its next login.
#[tokio::test]
async fn abandoned_session_ends_and_its_messages_wait_for_the_next_login() {
    let inactivity = Duration::from_secs(1);
    let world = World::with(|options, _| options.window.inactivity = inactivity).await;
    let mut juliet = world.login("juliet").await;
    let mut lost = juliet.hold().await; // its answer never reaches juliet
    let mut romeo = world.login("romeo").await;
    romeo.send(&chat("juliet", "in the lost answer")).await;
    assert!(lost.reply().await.body.contains("in the lost answer"));
    romeo.send(&chat("juliet", "in the mailbox")).await;
    world.until(|| world.state.sessions() <= 1).await;
    assert!(
        juliet
            .exchange("", "")
            .await
            .is_terminated_with("item-not-found")
    );
    let mut juliet = world.session("").await;
    juliet.authenticate("juliet").await;
    juliet.bind("back").await;
    let said = juliet
        .ask("<presence xmlns='jabber:client'/>", "in the mailbox")
        .await;
    assert_eq!(said.matches("in the lost answer").count(), 1, "{said}");
    assert_eq!(said.matches("in the mailbox").count(), 1, "{said}");
    assert!(said.find("in the lost").unwrap() < said.find("in the mailbox").unwrap());
    assert!(said.contains("urn:xmpp:delay"), "{said}");
}

/// B-24, B-25: a restart before SASL gives no session.
#[tokio::test]
async fn restart_before_login_ends_the_stream() {
    let world = World::new().await;
    let mut client = world.session("").await;
    let reply = client.exchange("xmpp:restart='true'", "").await;
    assert!(reply.is_terminated_with("remote-stream-error"), "{reply:?}");
    assert!(!reply.body.contains("xmpp-bind"));
}

/// A restart of a bound stream must not put it back before its login: its session ends in order.
#[tokio::test]
async fn restart_of_a_bound_stream_ends_it_and_leaves_nothing_behind() {
    let world = World::new().await;
    let mut romeo = world.login("romeo").await;
    let reply = romeo.exchange("xmpp:restart='true'", "").await;
    assert!(reply.is_terminated_with("remote-stream-error"), "{reply:?}");
    world.until(|| world.sessions.is_empty()).await;
}

/// B-38, B-39
#[tokio::test]
async fn stanza_before_login_is_answered_by_the_stream_error_inside_a_terminate() {
    let world = World::new().await;
    let mut client = world.session("").await;
    let reply = client.exchange("", &chat("juliet", "hello")).await;
    assert!(reply.is_terminated_with("remote-stream-error"), "{reply:?}");
    assert!(reply.body.contains("<stream:error") && reply.body.contains("<not-authorized"));
    assert!(
        reply
            .body
            .contains("xmlns:stream='http://etherx.jabber.org/streams'")
    );
    world.until(|| world.state.sessions() == 0).await;
}

/// B-32
#[tokio::test]
async fn pause_answers_all_requests_at_once_and_empty() {
    let world = World::new().await;
    let mut client = world.session("wait='60' hold='1'").await;
    let mut held = client.hold().await;
    assert!(client.exchange("pause='10'", "").await.is_empty_body());
    assert!(held.reply().await.is_empty_body());
}

/// B-48
#[tokio::test]
async fn session_that_polls_is_answered_at_once() {
    let world = World::new().await;
    let mut client = world.session("wait='0' hold='0'").await;
    assert!(client.exchange("", "").await.is_empty_body());
}

/// XEP-0198 over BOSH: the session hibernates, and another BOSH session resumes it.
#[tokio::test]
async fn managed_session_outlives_its_bosh_session() {
    let inactivity = Duration::from_secs(1);
    let world = World::with(|options, _| options.window.inactivity = inactivity).await;
    let mut juliet = world.login("juliet").await;
    let enabled = juliet
        .ask("<enable xmlns='urn:xmpp:sm:3' resume='true'/>", "<enabled")
        .await;
    let previd = between(&enabled, " id=\"", "\"");
    world.until(|| world.sessions.hibernating() == 1).await;
    let mut romeo = world.login("romeo").await;
    romeo.send(&chat("juliet", "while away")).await;
    let mut back = world.session("").await;
    back.authenticate("juliet").await;
    let resume = format!("<resume xmlns='urn:xmpp:sm:3' h='0' previd='{previd}'/>");
    let said = back.ask(&resume, "while away").await;
    assert!(said.contains("<resumed"), "{said}");
    assert_eq!(said.matches("while away").count(), 1);
}

/// XEP-0198 §5: a client that changes its link resumes before the old one is known to be lost.
#[tokio::test]
async fn managed_session_is_taken_over_from_a_bosh_session_that_still_stands() {
    let world = World::new().await;
    let (mut romeo, mut juliet) = (world.login("romeo").await, world.login("juliet").await);
    let enabled = juliet
        .ask("<enable xmlns='urn:xmpp:sm:3' resume='true'/>", "<enabled")
        .await;
    let previd = between(&enabled, " id=\"", "\"");
    let mut lost = juliet.hold().await;
    romeo.send(&chat("juliet", "not acked")).await;
    assert!(lost.reply().await.body.contains("not acked"));
    let mut back = world.session("").await;
    back.authenticate("juliet").await;
    let resume = format!("<resume xmlns='urn:xmpp:sm:3' h='0' previd='{previd}'/>");
    let said = back.ask(&resume, "not acked").await;
    assert!(said.contains("<resumed"), "{said}");
    assert_eq!(said.matches("not acked").count(), 1);
    let reply = juliet.exchange("", "").await;
    assert!(reply.body.contains("<conflict"), "{reply:?}");
    assert!(!reply.body.contains("not acked"), "{reply:?}");
}

fn between<'t>(text: &'t str, start: &str, end: &str) -> &'t str {
    let rest = text.split(start).nth(1).unwrap();
    rest.split(end).next().unwrap()
}

/// The server stops: who waits hears it, and nothing is left.
#[tokio::test]
async fn stop_tells_held_requests_and_drains() {
    let world = World::new().await;
    let mut held = Vec::new();
    let mut clients: Vec<Client<'_>> =
        vec![world.login("romeo").await, world.login("juliet").await];
    for client in &mut clients {
        held.push(client.hold().await);
    }
    world.stop();
    for http in &mut held {
        let reply = http.reply().await;
        assert!(reply.is_terminated_with("remote-stream-error"), "{reply:?}");
        assert!(reply.body.contains("<system-shutdown"), "{reply:?}");
    }
    tokio::time::timeout(Duration::from_secs(10), world.state.drained())
        .await
        .unwrap();
    assert!(world.sessions.is_empty());
}

/// A conflict must not wait for a client that has no request open.
#[tokio::test]
async fn resource_of_an_idle_session_is_free_at_once_and_the_loser_hears_why() {
    let world = World::new().await;
    let mut old = world.login("romeo").await;
    let mut new = world.session("").await;
    new.authenticate("romeo").await;
    let bound = new.bind("romeo").await;
    assert!(bound.contains("/romeo</jid>"), "{bound}");
    let reply = old.exchange("", "").await;
    assert!(reply.is_terminated_with("remote-stream-error"), "{reply:?}");
    assert!(reply.body.contains("<conflict"), "{reply:?}");
}
