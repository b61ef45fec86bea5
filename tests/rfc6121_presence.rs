//! Presence (RFC 6121 §4), over sockets.

mod kit;

use kit::xmpp::{befriend, show};
use kit::{CLIENT, Client, TestServer};
use stanzad::xml::Element;

fn said(presence: &Element) -> (&str, &str) {
    (
        presence.attr("from").unwrap_or(""),
        presence.attr("type").unwrap_or("available"),
    )
}

async fn send(client: &mut Client, attributes: &str, inner: &str) {
    client
        .send(&format!(
            "<presence xmlns='{CLIENT}' {attributes}>{inner}</presence>"
        ))
        .await;
}

async fn available(server: &TestServer, name: &str, resource: &str) -> Client {
    Client::available_as(server, name, resource).await
}

/// P-12
#[tokio::test]
async fn presence_goes_to_contacts_and_own_resources_and_to_nobody_else() {
    let server = TestServer::start().await;
    let mut romeo = available(&server, "romeo", "orchard").await;
    let mut juliet = available(&server, "juliet", "balcony").await;
    let mut tybalt = available(&server, "tybalt", "street").await;
    let mut mercutio = available(&server, "mercutio", "street").await;
    befriend(&mut romeo, &mut juliet).await;
    // Mercutio asked and was not answered; Tybalt is nobody.
    send(&mut mercutio, "to='romeo@example.org' type='subscribe'", "").await;
    mercutio.sync().await;
    romeo.sync().await;
    let mut bench = available(&server, "romeo", "bench").await;
    let heard = bench.sync().await;
    let online: Vec<_> = heard.iter().map(|p| said(p).0).collect();
    assert!(online.contains(&&*romeo.jid), "{}", show(&heard)); // own resources
    assert!(online.contains(&&*juliet.jid), "{}", show(&heard)); // §4.3.2: probed
    romeo.sync().await;
    juliet.sync().await;
    send(&mut romeo, "", "<show>away</show><status>musing</status>").await;
    romeo.sync().await;
    for client in [&mut juliet, &mut bench] {
        let heard = client.sync().await;
        assert_eq!(heard.len(), 1, "{}", show(&heard));
        assert_eq!(said(&heard[0]).0, romeo.jid);
        let shown = heard[0].child("show", CLIENT).expect("show");
        assert_eq!(shown.text(), "away");
    }
    tybalt.hears_nothing().await;
    mercutio.hears_nothing().await;
}

/// P-19
#[tokio::test]
async fn probes_of_strangers_reveal_nothing() {
    let server = TestServer::start().await;
    let mut juliet = available(&server, "juliet", "balcony").await;
    let mut tybalt = available(&server, "tybalt", "street").await;
    for to in [
        "juliet@example.org",
        "juliet@example.org/balcony",
        "nurse@example.org",
        "nobody@example.org",
    ] {
        send(
            &mut tybalt,
            &format!("to='{to}' type='probe' id='same'"),
            "",
        )
        .await;
        let heard = tybalt.sync().await;
        for answer in &heard {
            // Silence or "unsubscribed"; never a presence, and nothing that tells them apart.
            assert_eq!(said(answer).1, "unsubscribed", "{to}: {answer}");
        }
    }
    juliet.hears_nothing().await;
}

/// P-19: a contact may ask.
#[tokio::test]
async fn a_probe_of_a_contact_is_answered() {
    let server = TestServer::start().await;
    let mut romeo = available(&server, "romeo", "orchard").await;
    let mut juliet = available(&server, "juliet", "balcony").await;
    befriend(&mut romeo, &mut juliet).await;
    send(&mut romeo, "to='juliet@example.org' type='probe'", "").await;
    let heard = romeo.sync().await;
    assert_eq!(
        heard.iter().map(said).collect::<Vec<_>>(),
        [(&*juliet.jid, "available")]
    );
}

/// P-25
#[tokio::test]
async fn directed_presence_is_ended_and_leaks_no_broadcasts() {
    let server = TestServer::start().await;
    let mut tybalt = available(&server, "tybalt", "street").await;
    let mut romeo = available(&server, "romeo", "orchard").await;
    send(&mut romeo, &format!("to='{}'", tybalt.jid), "").await;
    assert_eq!(said(&tybalt.next().await), (&*romeo.jid, "available"));
    send(&mut romeo, "", "<show>dnd</show>").await;
    romeo.sync().await;
    tybalt.hears_nothing().await;
    let jid = romeo.jid.clone();
    romeo.close().await;
    assert_eq!(said(&tybalt.next().await), (&*jid, "unavailable"));
    tybalt.hears_nothing().await;
}

/// P-27
#[tokio::test]
async fn a_priority_out_of_range_harms_nothing() {
    let server = TestServer::start().await;
    let mut romeo = available(&server, "romeo", "orchard").await;
    for priority in [
        "128",
        "-129",
        "999999999999999999999",
        "high",
        "",
        "1.5",
        "+5",
    ] {
        send(&mut romeo, "", &format!("<priority>{priority}</priority>")).await;
        romeo.sync().await;
    }
    send(
        &mut romeo,
        "",
        "<priority>1</priority><priority>2</priority>",
    )
    .await;
    romeo.sync().await;
    let jid = romeo.jid.clone();
    romeo.chat(&jid, "still here").await;
    assert_eq!(romeo.bodies().await, ["still here"]);
}

/// P-28
#[tokio::test]
async fn the_status_of_unavailable_is_passed_on() {
    let server = TestServer::start().await;
    let mut romeo = available(&server, "romeo", "orchard").await;
    let mut juliet = available(&server, "juliet", "balcony").await;
    befriend(&mut romeo, &mut juliet).await;
    send(
        &mut romeo,
        "type='unavailable'",
        "<status>to Mantua</status>",
    )
    .await;
    romeo.sync().await;
    let gone = juliet.next().await;
    assert_eq!(said(&gone), (&*romeo.jid, "unavailable"));
    let status = gone.child("status", CLIENT).expect("a status");
    assert_eq!(status.text(), "to Mantua");
    romeo.close().await;
    juliet.hears_nothing().await; // once
}

/// P-29
#[tokio::test]
async fn an_unavailable_resource_gets_nothing_by_the_bare_address_and_may_come_back() {
    let server = TestServer::start().await;
    let mut romeo = available(&server, "romeo", "orchard").await;
    let mut juliet = available(&server, "juliet", "balcony").await;
    send(&mut romeo, "type='unavailable'", "").await;
    romeo.sync().await;
    juliet.chat("romeo@example.org", "kept").await;
    juliet.chat("romeo@example.org/orchard", "direct").await;
    juliet.hears_nothing().await;
    assert_eq!(romeo.bodies().await, ["direct"]);
    send(&mut romeo, "", "").await;
    assert_eq!(kit::xmpp::bodies(&romeo.stored(1).await), ["kept"]);
    juliet.chat("romeo@example.org", "again").await;
    juliet.hears_nothing().await;
    assert_eq!(romeo.bodies().await, ["again"]);
}

/// P-12: whoever is gone for good is gone once.
#[tokio::test]
async fn unavailable_goes_out_once_whatever_ends_the_stream() {
    let server = TestServer::start().await;
    let mut juliet = available(&server, "juliet", "balcony").await;
    let mut romeo = available(&server, "romeo", "orchard").await;
    befriend(&mut romeo, &mut juliet).await;
    romeo.send("<fault").await;
    romeo.refused(&["not-well-formed"]).await;
    assert_eq!(said(&juliet.next().await), (&*romeo.jid, "unavailable"));
    juliet.hears_nothing().await;
}
