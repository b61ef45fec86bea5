//! Messages and iqs by address (RFC 6121 §8), offline messages (XEP-0160), carbons (XEP-0280),
//! over sockets.

mod kit;

use kit::xmpp::bodies;
use kit::{CLIENT, Client, DELAY, TestServer, body, condition};
use stanzad::xml::Element;

const CARBONS: &str = "urn:xmpp:carbons:2";
const FORWARD: &str = "urn:xmpp:forward:0";
const BARE: &str = "romeo@example.org";

async fn at_priority(server: &TestServer, resource: &str, priority: i32) -> Client {
    let mut client = Client::login_as(server, "romeo", resource).await;
    let presence = format!("<presence xmlns='{CLIENT}'><priority>{priority}</priority></presence>");
    client.become_available(&presence).await;
    client
}

async fn message(client: &mut Client, to: &str, kind: &str, inner: &str) {
    client
        .send(&format!(
            "<message xmlns='{CLIENT}' to='{to}' type='{kind}' id='m'>{inner}</message>"
        ))
        .await;
}

async fn enable_carbons(client: &mut Client) {
    let answer = client
        .iq("set", "", &format!("<enable xmlns='{CARBONS}'/>"))
        .await;
    assert_eq!(answer.attr("type"), Some("result"), "{answer}");
}

/// The message inside a carbon of this kind, which is checked.
fn carbon<'a>(stanza: &'a Element, kind: &str, owner: &Client) -> &'a Element {
    assert_eq!(stanza.attr("from"), Some(owner.bare()), "{stanza}");
    assert_eq!(stanza.attr("to"), Some(&*owner.jid), "{stanza}");
    let copy = stanza
        .child(kind, CARBONS)
        .unwrap_or_else(|| panic!("{stanza}"));
    let forwarded = copy.child("forwarded", FORWARD).expect("a forward");
    forwarded.child("message", CLIENT).expect("the message")
}

mod to_the_bare_address {
    use super::*;

    /// P-13
    #[tokio::test]
    async fn a_chat_goes_to_resources_that_are_not_negative_and_never_to_a_negative_one() {
        let server = TestServer::start().await;
        let mut most = at_priority(&server, "most", 5).await;
        let mut some = at_priority(&server, "some", 0).await;
        let mut negative = at_priority(&server, "negative", -1).await;
        let mut juliet = Client::login(&server, "juliet").await;
        juliet.chat(BARE, "hello").await;
        juliet.hears_nothing().await;
        assert_eq!(most.bodies().await, ["hello"]);
        // All of them, or the most available one alone.
        let also = some.bodies().await;
        assert!(also.is_empty() || also == ["hello"], "{also:?}");
        assert!(negative.bodies().await.is_empty());
    }

    /// P-14
    #[tokio::test]
    async fn a_resource_without_presence_gets_none() {
        let server = TestServer::start().await;
        let mut silent = Client::login(&server, "romeo").await;
        let mut juliet = Client::login(&server, "juliet").await;
        juliet.chat(BARE, "hello").await;
        juliet.hears_nothing().await;
        silent.hears_nothing().await;
        silent.send(&format!("<presence xmlns='{CLIENT}'/>")).await;
        assert_eq!(bodies(&silent.stored(1).await), ["hello"]); // it was kept
    }

    /// P-15
    #[tokio::test]
    async fn groupchat_is_not_available() {
        let server = TestServer::start().await;
        let mut romeo = at_priority(&server, "orchard", 0).await;
        let mut juliet = Client::login(&server, "juliet").await;
        message(&mut juliet, BARE, "groupchat", "<body>x</body>").await;
        assert_eq!(condition(&juliet.next().await), "service-unavailable");
        romeo.hears_nothing().await;
    }

    /// P-16
    #[tokio::test]
    async fn a_chat_to_an_offline_full_address_goes_as_to_the_bare_one() {
        let server = TestServer::start().await;
        let mut romeo = at_priority(&server, "orchard", 0).await;
        let mut juliet = Client::login(&server, "juliet").await;
        juliet.chat("romeo@example.org/elsewhere", "hello").await;
        juliet.hears_nothing().await;
        assert_eq!(romeo.bodies().await, ["hello"]);
        // And if nobody is there, it is kept.
        romeo.close().await;
        juliet.chat("romeo@example.org/elsewhere", "later").await;
        juliet.hears_nothing().await;
        let mut romeo = Client::login(&server, "romeo").await;
        romeo.send(&format!("<presence xmlns='{CLIENT}'/>")).await;
        assert_eq!(bodies(&romeo.stored(1).await), ["later"]);
    }

    /// P-17
    #[tokio::test]
    async fn a_message_to_nobody_is_told_once() {
        let server = TestServer::start().await;
        let mut juliet = Client::login(&server, "juliet").await;
        for to in ["nobody@example.org", "nobody@example.org/x"] {
            for kind in ["chat", "normal"] {
                message(&mut juliet, to, kind, "<body>x</body>").await;
                let refused = juliet.next_named("message").await;
                assert_eq!(condition(&refused), "service-unavailable");
                juliet.hears_nothing().await;
            }
        }
    }

    /// P-30
    #[tokio::test]
    async fn an_iq_to_another_account_is_answered_by_the_server() {
        let server = TestServer::start().await;
        let mut romeo = at_priority(&server, "orchard", 0).await;
        let mut juliet = Client::login(&server, "juliet").await;
        for to in [BARE, "tybalt@example.org", "nobody@example.org"] {
            let answer = juliet.iq("get", to, "<x xmlns='urn:example'/>").await;
            assert_eq!(condition(&answer), "service-unavailable");
            assert_eq!(answer.attr("from"), Some(to));
        }
        romeo.hears_nothing().await;
    }

    /// P-24
    #[tokio::test]
    async fn a_ping_of_domain_and_account_is_answered() {
        let server = TestServer::start().await;
        let mut romeo = Client::login(&server, "romeo").await;
        for to in ["example.org", BARE, ""] {
            let answer = romeo.iq("get", to, "<ping xmlns='urn:xmpp:ping'/>").await;
            assert_eq!(answer.attr("type"), Some("result"), "{answer}");
        }
    }
}

mod offline {
    use super::*;

    /// P-18
    #[tokio::test]
    async fn messages_are_kept_in_order_and_come_once_with_their_time_at_initial_presence() {
        let server = TestServer::start().await;
        let mut juliet = Client::login(&server, "juliet").await;
        let texts: Vec<_> = (0..50).map(|n| n.to_string()).collect();
        for text in &texts {
            juliet.chat(BARE, text).await;
        }
        juliet.hears_nothing().await;
        let mut romeo = Client::login(&server, "romeo").await;
        romeo.hears_nothing().await; // not before presence
        let below = format!("<presence xmlns='{CLIENT}'><priority>-1</priority></presence>");
        romeo.become_available(&below).await;
        romeo.hears_nothing().await; // nor at a negative priority
        romeo.send(&format!("<presence xmlns='{CLIENT}'/>")).await;
        let heard = romeo.stored(texts.len()).await;
        assert_eq!(bodies(&heard), texts);
        for message in &heard {
            let delay = message.child("delay", DELAY).expect("a delay");
            assert_eq!(delay.attr("from"), Some("example.org"));
            let stamp = delay.attr("stamp").expect("a stamp");
            assert!(stamp.parse::<jiff::Timestamp>().is_ok(), "{stamp}");
            assert_eq!(message.attr("from"), Some(&*juliet.jid));
        }
        romeo.close().await;
        let mut romeo = Client::available_as(&server, "romeo", "orchard").await;
        assert!(romeo.bodies().await.is_empty()); // once
    }

    /// P-18: at the bound the sender is told.
    #[tokio::test]
    async fn what_is_not_kept_is_told_to_its_sender() {
        let server = TestServer::with(&["limits.offline_messages=3"]).await;
        let mut juliet = Client::login(&server, "juliet").await;
        for n in 0..5 {
            juliet.chat(BARE, &n.to_string()).await;
        }
        for _ in 0..2 {
            let error = juliet.next_named("message").await;
            assert_eq!(condition(&error), "service-unavailable");
        }
        juliet.hears_nothing().await;
        let mut romeo = Client::login(&server, "romeo").await;
        romeo.send(&format!("<presence xmlns='{CLIENT}'/>")).await;
        assert_eq!(bodies(&romeo.stored(3).await), ["0", "1", "2"]);
    }
}

mod carbons {
    use super::*;

    /// P-20
    #[tokio::test]
    async fn copies_go_to_the_other_resources_that_asked_and_not_to_the_sender_itself() {
        let server = TestServer::start().await;
        let mut orchard = at_priority(&server, "orchard", 0).await;
        let mut bench = at_priority(&server, "bench", 0).await;
        let mut unasked = at_priority(&server, "unasked", 0).await;
        let mut juliet = Client::available_as(&server, "juliet", "balcony").await;
        for client in [&mut orchard, &mut bench] {
            enable_carbons(client).await;
        }
        for client in [&mut orchard, &mut bench, &mut unasked] {
            client.sync().await;
        }
        orchard.chat(&juliet.jid.clone(), "sent").await;
        orchard.hears_nothing().await; // none to the sender itself
        let heard = bench.messages().await;
        assert_eq!(heard.len(), 1);
        assert_eq!(body(carbon(&heard[0], "sent", &bench)), "sent");
        assert_eq!(juliet.bodies().await, ["sent"]);
        juliet.chat(&orchard.jid.clone(), "received").await;
        juliet.hears_nothing().await;
        assert_eq!(orchard.bodies().await, ["received"]);
        let heard = bench.messages().await;
        assert_eq!(heard.len(), 1);
        let inner = carbon(&heard[0], "received", &bench);
        assert_eq!(body(inner), "received");
        assert_eq!(inner.attr("from"), Some(&*juliet.jid));
        unasked.hears_nothing().await;
        // To the bare address everybody has it already: once each.
        juliet.chat(BARE, "to all").await;
        juliet.hears_nothing().await;
        for client in [&mut orchard, &mut bench] {
            assert_eq!(client.messages().await.len(), 1);
        }
    }

    /// P-20
    #[tokio::test]
    async fn private_messages_are_not_copied_and_off_is_off() {
        let server = TestServer::start().await;
        let mut orchard = at_priority(&server, "orchard", 0).await;
        let mut bench = at_priority(&server, "bench", 0).await;
        enable_carbons(&mut bench).await;
        orchard.sync().await;
        bench.sync().await;
        let mut juliet = Client::available_as(&server, "juliet", "balcony").await;
        let private = format!("<body>between us</body><private xmlns='{CARBONS}'/>");
        message(&mut orchard, &juliet.jid, "chat", &private).await;
        message(&mut juliet, &orchard.jid, "chat", &private).await;
        orchard.sync().await;
        juliet.sync().await;
        bench.hears_nothing().await;
        let answer = bench
            .iq("set", "", &format!("<disable xmlns='{CARBONS}'/>"))
            .await;
        assert_eq!(answer.attr("type"), Some("result"));
        orchard.chat(&juliet.jid, "no copy").await;
        orchard.sync().await;
        bench.hears_nothing().await;
    }

    /// P-22
    #[tokio::test]
    async fn a_forged_carbon_arrives_as_from_its_sender() {
        let server = TestServer::start().await;
        let mut romeo = at_priority(&server, "orchard", 0).await;
        enable_carbons(&mut romeo).await;
        let mut tybalt = Client::login(&server, "tybalt").await;
        let forged = format!(
            "<received xmlns='{CARBONS}'><forwarded xmlns='{FORWARD}'>\
             <message xmlns='{CLIENT}' from='juliet@example.org/balcony' to='{BARE}/orchard' type='chat'>\
             <body>forged</body></message></forwarded></received>"
        );
        tybalt
            .send(&format!(
                "<message xmlns='{CLIENT}' from='{BARE}' to='{}' type='chat' id='f'>{forged}</message>",
                romeo.jid
            ))
            .await;
        tybalt.sync().await;
        for message in romeo.messages().await {
            assert_eq!(message.attr("from"), Some(&*tybalt.jid), "{message}");
        }
    }
}

mod flood {
    use super::*;

    /// L-04
    #[tokio::test]
    async fn a_flood_arrives_whole_and_in_order() {
        let server = TestServer::start().await;
        let mut romeo = at_priority(&server, "orchard", 0).await;
        let jid = romeo.jid.clone();
        let mut juliet = Client::login(&server, "juliet").await;
        let sending = tokio::spawn(async move {
            for n in 0..3000 {
                juliet.chat(&jid, &n.to_string()).await;
            }
            juliet.hears_nothing().await;
        });
        for n in 0..3000 {
            assert_eq!(body(&romeo.next_named("message").await), n.to_string());
        }
        sending.await.expect("no panic");
    }
}
