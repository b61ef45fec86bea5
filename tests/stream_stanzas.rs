//! Before the session, addresses, and stanzas (RFC 6120 §4, §7, §8, §10), over sockets.

mod kit;

use kit::xmpp::{bodies, fresh_id};
use kit::{BIND, CLIENT, Client, SASL, TestServer, body, condition};
use stanzad::xml::Element;

const PING: &str = "<ping xmlns='urn:xmpp:ping'/>";

async fn pair(server: &TestServer) -> (Client, Client) {
    let romeo = Client::available_as(server, "romeo", "orchard").await;
    let juliet = Client::available_as(server, "juliet", "balcony").await;
    (romeo, juliet)
}

/// Sends a stanza with this id and returns what the server says to it.
async fn answer_to(client: &mut Client, stanza: &str) -> Element {
    let id = fresh_id();
    client.send(&stanza.replace("ID", &id)).await;
    client.next_where(|e| e.attr("id") == Some(&*id)).await
}

mod before_the_session {
    use super::*;

    ///
    #[tokio::test]
    async fn a_stanza_or_bind_before_authentication_is_not_authorized() {
        let server = TestServer::start().await;
        let mut juliet = Client::available_as(&server, "juliet", "balcony").await;
        for stanza in [
            &format!("<message xmlns='{CLIENT}' to='juliet@example.org'><body>x</body></message>"),
            &format!("<presence xmlns='{CLIENT}' to='juliet@example.org' type='subscribe'/>"),
            &format!("<iq xmlns='{CLIENT}' type='set' id='1'><bind xmlns='{BIND}'/></iq>"),
            &format!("<iq xmlns='{CLIENT}' type='get' id='1'>{PING}</iq>"),
        ] {
            let mut stranger = Client::open(&server).await;
            stranger.send(stanza).await;
            stranger.refused(&["not-authorized"]).await;
        }
        juliet.hears_nothing().await;
    }

    ///
    #[tokio::test]
    async fn a_stanza_between_authentication_and_bind_is_not_processed_and_not_silent() {
        let server = TestServer::start().await;
        let mut juliet = Client::available_as(&server, "juliet", "balcony").await;
        for stanza in [
            &format!("<message xmlns='{CLIENT}' to='juliet@example.org'><body>x</body></message>"),
            &format!("<presence xmlns='{CLIENT}' to='juliet@example.org'/>"),
            &format!("<iq xmlns='{CLIENT}' type='get' id='1'>{PING}</iq>"),
        ] {
            let mut romeo = Client::authenticated(&server, "romeo").await;
            romeo.send(stanza).await;
            romeo.refused(&["not-authorized"]).await;
        }
        juliet.hears_nothing().await;
    }

    ///
    #[tokio::test]
    async fn bind_gives_a_resource_of_its_own_or_the_one_asked_for() {
        let server = TestServer::with(&["limits.sessions_per_user=100"]).await;
        let mut seen = std::collections::HashSet::new();
        let mut clients = Vec::new();
        for _ in 0..20 {
            let client = Client::login(&server, "romeo").await;
            let (bare, resource) = client.jid.split_once('/').expect("a full address");
            assert_eq!(bare, "romeo@example.org");
            assert!(!resource.is_empty());
            assert!(seen.insert(client.jid.clone()), "{} came twice", client.jid);
            clients.push(client);
        }
        let client = Client::login_as(&server, "romeo", "orchard").await;
        assert_eq!(client.jid, "romeo@example.org/orchard");
    }

    ///
    #[tokio::test]
    async fn who_takes_a_resource_in_use_ends_the_old_stream_with_conflict() {
        let server = TestServer::start().await;
        let mut old = Client::login_as(&server, "romeo", "orchard").await;
        let mut new = Client::login_as(&server, "romeo", "orchard").await;
        old.refused(&["conflict"]).await;
        assert_eq!(new.jid, "romeo@example.org/orchard");
        new.hears_nothing().await;
    }

    ///
    #[tokio::test]
    async fn a_second_bind_is_not_allowed_and_the_stream_goes_on() {
        let server = TestServer::start().await;
        let mut romeo = Client::login(&server, "romeo").await;
        let answer = romeo.try_bind(Some("elsewhere")).await;
        assert_eq!(condition(&answer), "not-allowed");
        romeo.hears_nothing().await;
    }

    ///
    #[tokio::test]
    async fn a_resource_that_cannot_be_is_refused_or_replaced() {
        let server = TestServer::start().await;
        let long = "x".repeat(1024);
        for resource in ["a\u{7f}b", "tab&#9;bed", "\u{2028}line", "\u{200b}", &long] {
            let mut romeo = Client::authenticated(&server, "romeo").await;
            let answer = romeo.try_bind(Some(resource)).await;
            assert_eq!(condition(&answer), "bad-request", "{resource:?}");
            romeo.bind(Some("orchard")).await; // and it goes on
            romeo.close().await;
        }
        let mut romeo = Client::authenticated(&server, "romeo").await;
        romeo.bind(Some("")).await;
        assert!(romeo.jid.len() > "romeo@example.org/".len());
        let longest = "y".repeat(1023);
        let romeo = Client::login_as(&server, "romeo", &longest).await;
        assert!(romeo.jid.ends_with(&longest));
    }

    ///
    #[tokio::test]
    async fn malformed_bind_payloads_do_not_confuse_the_stream() {
        let server = TestServer::start().await;
        let mut romeo = Client::authenticated(&server, "romeo").await;
        for (kind, payload) in [
            ("get", format!("<bind xmlns='{BIND}'/>")),
            (
                "set",
                format!("<bind xmlns='{BIND}'/><bind xmlns='{BIND}'/>"),
            ),
            ("result", format!("<bind xmlns='{BIND}'/>")),
            ("frob", format!("<bind xmlns='{BIND}'/>")),
        ] {
            let id = fresh_id();
            romeo
                .send(&format!(
                    "<iq xmlns='{CLIENT}' type='{kind}' id='{id}'>{payload}</iq>"
                ))
                .await;
            assert_eq!(condition(&romeo.read().await), "bad-request", "{kind}");
        }
        let odd = format!(
            "<bind xmlns='{BIND}'><resource><x/>or</resource><resource>two</resource><y/></bind>"
        );
        let answer = romeo.iq("set", "", &odd).await;
        if answer.attr("type") == Some("error") {
            romeo.bind(None).await;
        }
        romeo.hears_nothing().await;
    }
}

mod addresses {
    use super::*;

    fn from(from: &str, to: &str) -> String {
        format!(
            "<message xmlns='{CLIENT}' from='{from}' to='{to}' id='ID' type='chat'><body>hi</body></message>"
        )
    }

    ///
    #[tokio::test]
    async fn a_foreign_from_is_never_delivered_as_such() {
        let server = TestServer::start().await;
        let (mut romeo, mut juliet) = pair(&server).await;
        for forged in [
            "tybalt@example.org",
            "juliet@example.org/balcony",
            "romeo@example.net/orchard",
            "example.org",
            "romeo@example.org/elsewhere",
            "@@",
            "",
        ] {
            romeo.send(&from(forged, &juliet.jid)).await;
            let refused = romeo.messages().await;
            let arrived = juliet.messages().await;
            assert_eq!(refused.len() + arrived.len(), 1, "{forged}");
            for message in arrived {
                assert_eq!(message.attr("from"), Some(&*romeo.jid), "{forged}");
            }
        }
    }

    ///
    #[tokio::test]
    async fn the_own_address_is_accepted_and_what_is_delivered_carries_the_full_one() {
        let server = TestServer::start().await;
        let (mut romeo, mut juliet) = pair(&server).await;
        for own in [
            "romeo@example.org",
            "romeo@example.org/orchard",
            "ROMEO@Example.org",
        ] {
            romeo.send(&from(own, &juliet.jid)).await;
        }
        romeo.chat(&juliet.jid.clone(), "no from").await;
        romeo.hears_nothing().await;
        let arrived = juliet.messages().await;
        assert_eq!(arrived.len(), 4);
        for message in arrived {
            assert_eq!(message.attr("from"), Some("romeo@example.org/orchard"));
        }
    }

    ///
    #[tokio::test]
    async fn a_malformed_to_is_told_and_the_stream_goes_on() {
        let server = TestServer::start().await;
        let mut romeo = Client::login(&server, "romeo").await;
        let long = format!("{}@example.org", "a".repeat(1024));
        for to in [
            "@",
            "@example.org",
            "a b@example.org",
            "romeo@",
            "a@b@c",
            "x/",
            "",
            &long,
        ] {
            for name in ["message", "presence", "iq type='get'"] {
                let tag = name.split(' ').next().expect("a name");
                let stanza = format!("<{name} xmlns='{CLIENT}' to='{to}' id='ID'>{PING}</{tag}>");
                let answer = answer_to(&mut romeo, &stanza).await;
                assert_eq!(condition(&answer), "jid-malformed", "{name} {to:?}");
            }
        }
        romeo.hears_nothing().await;
    }

    ///
    #[tokio::test]
    async fn without_to_an_iq_is_for_the_account_and_a_message_for_its_bare_address() {
        let server = TestServer::start().await;
        let mut romeo = Client::available_as(&server, "romeo", "orchard").await;
        let answer = romeo.iq("get", "", PING).await;
        assert_eq!(answer.attr("type"), Some("result"), "{answer}");
        assert!(
            matches!(answer.attr("from"), None | Some("romeo@example.org")),
            "{answer}"
        );
        romeo
            .send(&format!(
                "<message xmlns='{CLIENT}' id='m'><body>note to self</body></message>"
            ))
            .await;
        assert_eq!(romeo.bodies().await, ["note to self"]);
    }

    ///
    #[tokio::test]
    async fn local_parts_and_domains_compare_without_case_and_resources_with_it() {
        let server = TestServer::start().await;
        let (mut romeo, mut juliet) = pair(&server).await;
        romeo.chat("JULIET@Example.ORG/balcony", "found").await;
        let answer = romeo.iq("get", "juliet@example.org/BALCONY", PING).await;
        assert_eq!(condition(&answer), "service-unavailable");
        romeo.hears_nothing().await;
        assert_eq!(juliet.bodies().await, ["found"]);
    }

    ///
    #[tokio::test]
    async fn a_domain_that_cannot_be_reached_is_told() {
        let server = TestServer::start().await;
        let mut romeo = Client::login(&server, "romeo").await;
        for name in ["message", "iq type='get'", "presence type='subscribe'"] {
            let tag = name.split(' ').next().expect("a name");
            let stanza =
                format!("<{name} xmlns='{CLIENT}' to='x@nowhere.invalid' id='ID'>{PING}</{tag}>");
            let answer = answer_to(&mut romeo, &stanza).await;
            let found = condition(&answer);
            assert!(
                matches!(&*found, "remote-server-not-found" | "remote-server-timeout"),
                "{answer}"
            );
        }
    }
}

mod iqs {
    use super::*;

    async fn refused(attributes: &str, payload: &str) {
        let server = TestServer::start().await;
        let (mut romeo, mut juliet) = pair(&server).await;
        for to in [
            "example.org",
            "romeo@example.org",
            "juliet@example.org/balcony",
        ] {
            let stanza =
                format!("<iq xmlns='{CLIENT}' to='{to}' id='ID' {attributes}>{payload}</iq>");
            let answer = answer_to(&mut romeo, &stanza).await;
            assert_eq!(condition(&answer), "bad-request", "{to}");
        }
        romeo.hears_nothing().await;
        juliet.hears_nothing().await;
    }

    ///
    #[tokio::test]
    async fn an_iq_without_an_id_is_a_bad_request() {
        let server = TestServer::start().await;
        let mut romeo = Client::login(&server, "romeo").await;
        romeo
            .send(&format!(
                "<iq xmlns='{CLIENT}' type='get' to='example.org'>{PING}</iq>"
            ))
            .await;
        let heard = romeo.sync().await;
        assert_eq!(heard.len(), 1);
        assert_eq!(condition(&heard[0]), "bad-request");
    }

    ///
    #[tokio::test]
    async fn two_children_are_a_bad_request() {
        refused("type='get'", &PING.repeat(2)).await;
    }

    ///
    #[tokio::test]
    async fn no_child_is_a_bad_request() {
        refused("type='get'", "").await;
        refused("type='set'", "text").await;
    }

    ///
    #[tokio::test]
    async fn an_unknown_type_is_a_bad_request() {
        refused("type='frob'", PING).await;
    }

    ///
    #[tokio::test]
    async fn no_type_is_a_bad_request() {
        refused("", PING).await;
    }

    ///
    #[tokio::test]
    async fn an_unknown_payload_is_not_available_from_account_and_domain_alike() {
        let server = TestServer::start().await;
        let mut romeo = Client::login(&server, "romeo").await;
        for to in ["", "romeo@example.org", "example.org"] {
            for kind in ["get", "set"] {
                let answer = romeo.iq(kind, to, "<x xmlns='urn:example:x'/>").await;
                assert_eq!(condition(&answer), "service-unavailable", "{to}");
            }
        }
    }

    ///
    #[tokio::test]
    async fn an_offline_address_and_an_account_that_is_not_there_are_told_alike() {
        let server = TestServer::start().await;
        let mut romeo = Client::login(&server, "romeo").await;
        for to in [
            "juliet@example.org/x",
            "nobody@example.org/x",
            "nobody@example.org",
        ] {
            let answer = romeo.iq("get", to, PING).await;
            assert_eq!(condition(&answer), "service-unavailable", "{to}");
            assert_eq!(answer.attr("from"), Some(to));
        }
    }

    ///
    #[tokio::test]
    async fn answers_to_nothing_are_dropped_in_silence() {
        let server = TestServer::start().await;
        let mut romeo = Client::login(&server, "romeo").await;
        let error = "<error type='cancel'><item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>";
        for to in [
            "example.org",
            "romeo@example.org",
            "juliet@example.org/x",
            "nobody@example.org",
            "x@nowhere.invalid",
        ] {
            romeo
                .send(&format!(
                    "<iq xmlns='{CLIENT}' type='result' id='r1' to='{to}'/>"
                ))
                .await;
            romeo
                .send(&format!(
                    "<iq xmlns='{CLIENT}' type='error' id='e1' to='{to}'>{error}</iq>"
                ))
                .await;
        }
        romeo.hears_nothing().await;
    }

    /// P-31, X-53
    #[tokio::test]
    async fn requests_between_clients_are_routed_both_ways_with_their_ids() {
        let server = TestServer::start().await;
        let (mut romeo, mut juliet) = pair(&server).await;
        romeo
            .send(&format!(
                "<iq xmlns='{CLIENT}' type='get' id='same' to='{}'>{PING}</iq>",
                juliet.jid
            ))
            .await;
        let request = juliet.next().await;
        assert_eq!(request.attr("id"), Some("same"));
        assert_eq!(request.attr("from"), Some(&*romeo.jid));
        juliet
            .send(&format!(
                "<iq xmlns='{CLIENT}' type='result' id='same' to='{}'/>",
                romeo.jid
            ))
            .await;
        let answer = romeo.next().await;
        assert_eq!(answer.attr("id"), Some("same"));
        assert_eq!(answer.attr("from"), Some(&*juliet.jid));
        assert_eq!(answer.attr("type"), Some("result"));
    }
}

mod errors {
    use super::*;

    ///
    #[tokio::test]
    async fn an_error_is_never_answered_with_an_error() {
        let server = TestServer::start().await;
        let mut romeo = Client::login(&server, "romeo").await;
        let error =
            "<error type='cancel'><gone xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>";
        for to in [
            "nobody@example.org",
            "juliet@example.org/x",
            "x@nowhere.invalid",
            "example.org",
            "@@",
        ] {
            for name in ["message", "presence", "iq"] {
                romeo
                    .send(&format!(
                        "<{name} xmlns='{CLIENT}' type='error' id='e1' to='{to}'>{error}</{name}>"
                    ))
                    .await;
            }
        }
        romeo.hears_nothing().await;
    }

    /// the kit's `condition` checks type and condition of every error in the suite.
    #[tokio::test]
    async fn an_error_keeps_id_and_kind_and_swaps_the_addresses() {
        let server = TestServer::start().await;
        let mut romeo = Client::login(&server, "romeo").await;
        for (stanza, name) in [
            (
                "<message xmlns='jabber:client' to='nobody@example.org/x' id='ID' type='chat'><body>x</body></message>",
                "message",
            ),
            (
                "<iq xmlns='jabber:client' to='nobody@example.org/x' id='ID' type='get'><ping xmlns='urn:xmpp:ping'/></iq>",
                "iq",
            ),
        ] {
            let answer = answer_to(&mut romeo, stanza).await;
            assert_eq!(answer.name(), name);
            assert_eq!(condition(&answer), "service-unavailable");
            assert_eq!(answer.attr("from"), Some("nobody@example.org/x"));
            assert_eq!(answer.attr("to"), Some(&*romeo.jid));
        }
    }
}

mod messages {
    use super::*;

    ///
    #[tokio::test]
    async fn a_message_of_no_or_an_unknown_type_is_delivered_as_normal() {
        let server = TestServer::start().await;
        let (mut romeo, mut juliet) = pair(&server).await;
        for kind in ["", "type='normal'", "type='frob'", "type=''"] {
            romeo
                .send(&format!(
                    "<message xmlns='{CLIENT}' to='juliet@example.org' id='m' {kind}><body>x</body></message>"
                ))
                .await;
        }
        romeo.hears_nothing().await;
        assert_eq!(juliet.bodies().await, ["x"; 4]);
    }

    ///
    #[tokio::test]
    async fn messages_of_one_sender_arrive_in_order() {
        let server = TestServer::start().await;
        let (mut romeo, mut juliet) = pair(&server).await;
        let texts: Vec<_> = (0..300).map(|n| n.to_string()).collect();
        for (n, text) in texts.iter().enumerate() {
            let to = if n % 2 == 0 {
                "juliet@example.org/balcony"
            } else {
                "juliet@example.org"
            };
            romeo.chat(to, text).await;
        }
        let mut arrived = Vec::new();
        while arrived.len() < texts.len() {
            arrived.push(juliet.next_named("message").await);
        }
        assert_eq!(bodies(&arrived), texts);
    }

    ///
    #[tokio::test]
    async fn a_presence_of_an_unknown_type_is_not_broadcast() {
        let server = TestServer::start().await;
        let mut other = Client::available_as(&server, "romeo", "bench").await;
        let mut romeo = Client::available_as(&server, "romeo", "orchard").await;
        other.sync().await;
        romeo.sync().await;
        romeo
            .send(&format!("<presence xmlns='{CLIENT}' type='frob' id='p'/>"))
            .await;
        let heard = romeo.sync().await;
        assert!(
            heard
                .iter()
                .all(|stanza| stanza.attr("type") == Some("error")),
            "{}",
            kit::xmpp::show(&heard)
        );
        other.hears_nothing().await;
    }

    /// A message to oneself arrives, as a check of the check above.
    #[tokio::test]
    async fn a_message_to_the_own_address_arrives() {
        let server = TestServer::start().await;
        let mut romeo = Client::available_as(&server, "romeo", "orchard").await;
        let jid = romeo.jid.clone();
        romeo.chat(&jid, "mine").await;
        assert_eq!(body(&romeo.next_named("message").await), "mine");
        assert!(romeo.features.child("mechanisms", SASL).is_none());
    }
}
