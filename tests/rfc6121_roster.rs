//! Roster and subscriptions (RFC 6121 §2, §3), over sockets.

mod kit;

use kit::xmpp::{fresh_id, show};
use kit::{CLIENT, Client, TestServer, condition};
use stanzad::xml::Element;

const ROSTER: &str = "jabber:iq:roster";

async fn roster(client: &mut Client) -> Vec<Element> {
    let answer = client
        .iq("get", "", &format!("<query xmlns='{ROSTER}'/>"))
        .await;
    assert_eq!(answer.attr("type"), Some("result"), "{answer}");
    let query = answer.child("query", ROSTER).expect("a query");
    query.children().cloned().collect()
}

async fn set(client: &mut Client, items: &str) -> Element {
    client
        .iq(
            "set",
            "",
            &format!("<query xmlns='{ROSTER}'>{items}</query>"),
        )
        .await
}

/// The item of a push, which is checked and answered.
async fn push(client: &mut Client) -> Element {
    let is_push = |e: &Element| e.name() == "iq" && e.attr("type") == Some("set");
    let push = client.next_where(is_push).await;
    let from = push.attr("from");
    assert!(from.is_none() || from == Some(client.bare()), "{push}");
    let id = push.attr("id").expect("an id").to_owned();
    client
        .send(&format!("<iq xmlns='{CLIENT}' type='result' id='{id}'/>"))
        .await;
    let query = push.child("query", ROSTER).expect("a query");
    let items: Vec<_> = query.children().collect();
    assert_eq!(items.len(), 1, "{push}"); // §2.1.6
    items[0].clone()
}

/// Logged in, interested in the roster, available.
async fn interested(server: &TestServer, name: &str) -> Client {
    let mut client = Client::login(server, name).await;
    roster(&mut client).await;
    client
        .become_available(&format!("<presence xmlns='{CLIENT}'/>"))
        .await;
    client
}

async fn presence(client: &mut Client, to: &str, kind: &str) {
    let id = fresh_id();
    let kind = kit::xmpp::attribute("type", kind);
    client
        .send(&format!(
            "<presence xmlns='{CLIENT}' to='{to}' id='{id}'{kind}/>"
        ))
        .await;
}

/// What a presence says.
fn said(presence: &Element) -> (&str, &str) {
    (
        presence.attr("from").unwrap_or(""),
        presence.attr("type").unwrap_or("available"),
    )
}

fn state(item: &Element) -> (&str, Option<&str>) {
    (item.attr("subscription").unwrap_or(""), item.attr("ask"))
}

mod items {
    use super::*;

    /// P-01
    #[tokio::test]
    async fn a_roster_is_got_and_holds_what_was_set() {
        let server = TestServer::start().await;
        let mut romeo = Client::login(&server, "romeo").await;
        assert!(roster(&mut romeo).await.is_empty());
        let item = "<item jid='juliet@example.org' name='Juliet &amp; &quot;co&quot;'><group>Verona</group><group>friends</group></item>";
        let answer = set(&mut romeo, item).await;
        assert_eq!(answer.attr("type"), Some("result"), "{answer}");
        push(&mut romeo).await;
        let items = roster(&mut romeo).await;
        assert_eq!(items.len(), 1);
        assert_eq!(items[0].attr("jid"), Some("juliet@example.org"));
        assert_eq!(items[0].attr("name"), Some("Juliet & \"co\""));
        assert_eq!(items[0].attr("subscription"), Some("none"));
        let mut groups: Vec<_> = items[0].children().map(Element::text).collect();
        groups.sort();
        assert_eq!(groups, ["Verona", "friends"]);
    }

    /// P-02
    #[tokio::test]
    async fn a_change_is_pushed_to_those_who_asked_for_the_roster_and_to_no_other() {
        let server = TestServer::start().await;
        let mut orchard = interested(&server, "romeo").await;
        let mut bench = interested(&server, "romeo").await;
        let mut silent = Client::available_as(&server, "romeo", "silent").await;
        for client in [&mut orchard, &mut bench, &mut silent] {
            client.sync().await;
        }
        set(&mut silent, "<item jid='juliet@example.org' name='J'/>").await;
        for client in [&mut orchard, &mut bench] {
            assert_eq!(push(client).await.attr("name"), Some("J"));
        }
        silent.hears_nothing().await;
        set(
            &mut orchard,
            "<item jid='juliet@example.org' subscription='remove'/>",
        )
        .await;
        for client in [&mut orchard, &mut bench] {
            assert_eq!(push(client).await.attr("subscription"), Some("remove"));
        }
        assert!(roster(&mut bench).await.is_empty());
    }

    /// P-05
    #[tokio::test]
    async fn two_no_or_bad_items_are_a_bad_request() {
        let server = TestServer::start().await;
        let mut romeo = interested(&server, "romeo").await;
        let long = format!(
            "<item jid='juliet@example.org'><group>{}</group></item>",
            "g".repeat(5000)
        );
        for (items, wanted) in [
            (
                "<item jid='a@example.org'/><item jid='b@example.org'/>",
                &["bad-request"][..],
            ),
            ("", &["bad-request"]),
            ("<item/>", &["bad-request"]),
            ("<item jid=''/>", &["bad-request", "jid-malformed"]),
            ("<item jid='@@'/>", &["bad-request", "jid-malformed"]),
            ("<other/>", &["bad-request"]),
            (
                "<item jid='a@example.org'><group>x</group><group>x</group></item>",
                &["bad-request"],
            ),
            (
                "<item jid='a@example.org'><group/></item>",
                &["not-acceptable", "bad-request"],
            ),
            (&long, &["not-acceptable", "bad-request"]),
        ] {
            let answer = set(&mut romeo, items).await;
            let found = condition(&answer);
            assert!(wanted.contains(&&*found), "{items}: {answer}");
        }
        assert!(roster(&mut romeo).await.is_empty());
    }

    /// P-06
    #[tokio::test]
    async fn the_roster_of_another_account_is_closed() {
        let server = TestServer::start().await;
        let mut juliet = interested(&server, "juliet").await;
        let mut romeo = interested(&server, "romeo").await;
        let query = |inner: &str| format!("<query xmlns='{ROSTER}'>{inner}</query>");
        for to in ["juliet@example.org", "nobody@example.org"] {
            let got = romeo.iq("get", to, &query("")).await;
            let found = condition(&got);
            assert!(
                matches!(&*found, "forbidden" | "service-unavailable"),
                "{got}"
            );
            let item = "<item jid='tybalt@example.org'/>";
            let got = romeo.iq("set", to, &query(item)).await;
            let found = condition(&got);
            assert!(
                matches!(&*found, "forbidden" | "service-unavailable"),
                "{got}"
            );
        }
        // A push of a stranger's is passed on as his, and is not the server's.
        romeo
            .send(&format!(
                "<iq xmlns='{CLIENT}' type='set' id='forged' to='{}' from='juliet@example.org'>{}</iq>",
                juliet.jid,
                query("<item jid='evil@example.org'/>")
            ))
            .await;
        romeo.sync().await;
        for stanza in juliet.sync().await {
            assert_eq!(stanza.attr("from"), Some(&*romeo.jid), "{stanza}");
        }
        assert!(roster(&mut juliet).await.is_empty());
    }

    /// P-07
    #[tokio::test]
    async fn removing_what_is_not_there_is_not_found() {
        let server = TestServer::start().await;
        let mut romeo = interested(&server, "romeo").await;
        let answer = set(
            &mut romeo,
            "<item jid='juliet@example.org' subscription='remove'/>",
        )
        .await;
        assert_eq!(condition(&answer), "item-not-found");
    }

    /// L-18
    #[tokio::test]
    async fn a_roster_at_its_bound_takes_no_more_and_is_served() {
        let server = TestServer::with(&["limits.roster_items=20"]).await;
        let mut romeo = Client::login(&server, "romeo").await;
        for n in 0..20 {
            let answer = set(
                &mut romeo,
                &format!("<item jid='c{n}@example.org' name='Contact {n}'/>"),
            )
            .await;
            assert_eq!(answer.attr("type"), Some("result"), "{answer}");
        }
        let answer = set(&mut romeo, "<item jid='more@example.org'/>").await;
        assert_eq!(condition(&answer), "not-allowed");
        assert_eq!(roster(&mut romeo).await.len(), 20);
    }
}

mod subscriptions {
    use super::*;

    /// P-10
    #[tokio::test]
    async fn subscribe_subscribed_and_both_with_the_right_pushes() {
        let server = TestServer::start().await;
        let mut romeo = interested(&server, "romeo").await;
        let mut juliet = interested(&server, "juliet").await;
        presence(&mut romeo, "juliet@example.org", "subscribe").await;
        assert_eq!(state(&push(&mut romeo).await), ("none", Some("subscribe")));
        let request = juliet.next_named("presence").await;
        assert_eq!(said(&request), ("romeo@example.org", "subscribe"));

        presence(&mut juliet, "romeo@example.org", "subscribed").await;
        assert_eq!(state(&push(&mut juliet).await), ("from", None));
        assert_eq!(state(&push(&mut romeo).await), ("to", None));
        let granted = romeo
            .next_where(|e| e.attr("type") == Some("subscribed"))
            .await;
        assert_eq!(said(&granted), ("juliet@example.org", "subscribed"));
        let online = romeo.next_named("presence").await;
        assert_eq!(said(&online), (&*juliet.jid, "available"));

        presence(&mut juliet, "romeo@example.org", "subscribe").await;
        assert_eq!(state(&push(&mut juliet).await), ("from", Some("subscribe")));
        let request = romeo.next_named("presence").await;
        assert_eq!(said(&request), ("juliet@example.org", "subscribe"));
        presence(&mut romeo, "juliet@example.org", "subscribed").await;
        assert_eq!(state(&push(&mut romeo).await), ("both", None));
        assert_eq!(state(&push(&mut juliet).await), ("both", None));
        let granted = juliet
            .next_where(|e| e.attr("type") == Some("subscribed"))
            .await;
        assert_eq!(said(&granted), ("romeo@example.org", "subscribed"));
        let online = juliet.next_named("presence").await;
        assert_eq!(said(&online), (&*romeo.jid, "available"));

        // Removal ends it in both directions, and each loses sight of the other.
        set(
            &mut romeo,
            "<item jid='juliet@example.org' subscription='remove'/>",
        )
        .await;
        assert_eq!(state(&push(&mut romeo).await), ("remove", None));
        let heard = juliet.sync().await;
        let kinds: Vec<_> = heard
            .iter()
            .filter(|e| e.name() == "presence")
            .map(|e| said(e).1)
            .collect();
        for wanted in ["unsubscribe", "unsubscribed", "unavailable"] {
            assert!(kinds.contains(&wanted), "{wanted}: {}", show(&heard));
        }
        let mut items = roster(&mut juliet).await;
        assert_eq!(state(&items.remove(0)), ("none", None));
        let heard = romeo.sync().await;
        let gone = heard
            .iter()
            .any(|e| said(e) == (&*juliet.jid, "unavailable"));
        assert!(gone, "{}", show(&heard));
    }

    /// P-10
    #[tokio::test]
    async fn a_refusal_takes_the_request_back() {
        let server = TestServer::start().await;
        let mut romeo = interested(&server, "romeo").await;
        let mut juliet = interested(&server, "juliet").await;
        presence(&mut romeo, "juliet@example.org/balcony", "subscribe").await;
        push(&mut romeo).await;
        juliet.next_named("presence").await;
        presence(&mut juliet, "romeo@example.org", "unsubscribed").await;
        let refused = romeo.next_named("presence").await;
        assert_eq!(said(&refused), ("juliet@example.org", "unsubscribed"));
        assert_eq!(state(&push(&mut romeo).await), ("none", None));
        assert!(roster(&mut juliet).await.is_empty());
    }

    /// P-11
    #[tokio::test]
    async fn a_request_to_an_offline_account_is_kept_until_it_is_answered() {
        let server = TestServer::start().await;
        let mut romeo = interested(&server, "romeo").await;
        presence(&mut romeo, "juliet@example.org", "subscribe").await;
        push(&mut romeo).await;
        // At each initial presence, until there is an answer (§3.1.3).
        for _ in 0..2 {
            let mut juliet = Client::login(&server, "juliet").await;
            juliet.hears_nothing().await; // not before presence
            juliet.send(&format!("<presence xmlns='{CLIENT}'/>")).await;
            let request = juliet
                .next_where(|e| e.attr("type") == Some("subscribe"))
                .await;
            assert_eq!(said(&request), ("romeo@example.org", "subscribe"));
            juliet.close().await;
        }
        let mut juliet = interested(&server, "juliet").await;
        juliet
            .next_where(|e| e.attr("type") == Some("subscribe"))
            .await;
        presence(&mut juliet, "romeo@example.org", "subscribed").await;
        assert_eq!(state(&push(&mut romeo).await), ("to", None));
        juliet.close().await;
        let mut juliet = interested(&server, "juliet").await;
        let heard = juliet.sync().await;
        let again = heard.iter().any(|e| e.attr("type") == Some("subscribe"));
        assert!(!again, "{}", show(&heard));
    }

    /// P-10: to nobody.
    #[tokio::test]
    async fn a_request_to_an_account_that_is_not_there_reveals_nothing() {
        let server = TestServer::start().await;
        let mut romeo = interested(&server, "romeo").await;
        presence(&mut romeo, "nobody@example.org", "subscribe").await;
        assert_eq!(state(&push(&mut romeo).await), ("none", Some("subscribe")));
        let heard = romeo.sync().await;
        assert!(
            heard.iter().all(|e| e.attr("type") != Some("subscribed")),
            "{}",
            show(&heard)
        );
    }
}
