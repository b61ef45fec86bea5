//! Stream management: enabling, counting, acks (XEP-0198 §3, §4), over sockets.

mod kit;

use kit::xmpp::{h, stream_condition};
use kit::{CLIENT, Client, SM, STANZAS, TestServer};

/// `<failed/>` with this condition.
fn is_failed(element: &stanzad::xml::Element, condition: &str) -> bool {
    element.is("failed", SM) && element.child(condition, STANZAS).is_some()
}

const ENABLE: &str = "<enable xmlns='urn:xmpp:sm:3' resume='true'/>";

mod enabling {
    use super::*;

    /// S-01
    #[tokio::test]
    async fn the_feature_is_there_after_authentication_and_not_before() {
        let server = TestServer::start().await;
        let mut client = Client::open(&server).await;
        assert!(client.features.child("sm", SM).is_none());
        client.plain("romeo").await;
        assert!(client.features.child("sm", SM).is_some());
    }

    /// S-02
    #[tokio::test]
    async fn enable_before_authentication_fails() {
        let server = TestServer::start().await;
        let mut client = Client::open(&server).await;
        client.send(ENABLE).await;
        assert!(is_failed(&client.read().await, "unexpected-request"));
        client.plain("romeo").await; // and the stream goes on
    }

    /// S-03
    #[tokio::test]
    async fn enable_before_bind_fails_and_enables_nothing() {
        let server = TestServer::start().await;
        let mut client = Client::authenticated(&server, "romeo").await;
        client.send(ENABLE).await;
        assert!(is_failed(&client.read().await, "unexpected-request"));
        client.bind(None).await;
        client.enable_resumable().await; // it was not on
    }

    /// S-04
    #[tokio::test]
    async fn resumption_is_granted_with_an_id_for_true_and_1() {
        let server = TestServer::start().await;
        for resume in ["resume='true'", "resume='1'"] {
            let mut client = Client::login(&server, "romeo").await;
            let enabled = client.enable(resume).await;
            assert!(matches!(enabled.attr("resume"), Some("true" | "1")));
            let id = enabled.attr("id").expect("an id");
            assert!((22..=4000).contains(&id.len()), "{id}");
        }
    }

    /// S-05
    #[tokio::test]
    async fn without_resume_nothing_resumable_is_granted() {
        let server = TestServer::start().await;
        for attributes in ["", "resume='false'", "resume='0'", "resume='yes'"] {
            let mut client = Client::login(&server, "romeo").await;
            let enabled = client.enable(attributes).await;
            assert_eq!(enabled.attr("resume"), None, "{enabled}");
            assert_eq!(enabled.attr("id"), None, "{enabled}");
        }
    }

    /// S-06
    #[tokio::test]
    async fn a_second_enable_is_refused_and_resets_no_counter() {
        let server = TestServer::start().await;
        let mut client = Client::login(&server, "romeo").await;
        client.enable_resumable().await;
        client.sync().await;
        client.send(ENABLE).await;
        assert!(is_failed(&client.read().await, "unexpected-request"));
        assert_eq!(client.ask_h().await, 1);
    }

    /// S-39
    #[tokio::test]
    async fn ids_never_repeat_and_have_128_bits_that_differ() {
        let server = TestServer::with(&["limits.sessions_per_user=100"]).await;
        let mut ids = Vec::new();
        for _ in 0..30 {
            let mut client = Client::login(&server, "romeo").await;
            ids.push(client.enable_resumable().await);
        }
        for (n, id) in ids.iter().enumerate() {
            assert!(id.len() >= 22, "{id}");
            for other in &ids[..n] {
                let same = id.bytes().zip(other.bytes()).filter(|(a, b)| a == b);
                assert!(same.count() < id.len() / 2, "{id} is near {other}");
            }
        }
    }

    /// S-41, S-42
    #[tokio::test]
    async fn max_is_positive_and_a_smaller_one_that_is_asked_for_is_honoured() {
        let server = TestServer::with(&["sm.resume_timeout=5m"]).await;
        for (asked, granted) in [
            ("", "300"),
            ("max='20'", "20"),
            ("max='4000'", "300"),
            ("max='0'", "300"),
            ("max='soon'", "300"),
        ] {
            let mut client = Client::login(&server, "romeo").await;
            let enabled = client.enable(&format!("resume='true' {asked}")).await;
            assert_eq!(enabled.attr("max"), Some(granted), "{asked}");
            assert_eq!(enabled.attr("location"), None);
        }
    }

    /// S-42
    #[tokio::test]
    async fn a_session_that_asked_for_a_short_time_expires_after_it() {
        let server = TestServer::start().await;
        let mut client = Client::login(&server, "romeo").await;
        client.enable("resume='true' max='1'").await;
        drop(client);
        server.sessions(0).await;
    }

    /// Off is off: neither a feature nor granted.
    #[tokio::test]
    async fn f4_where_it_is_switched_off_it_is_neither_offered_nor_granted() {
        let server = TestServer::with(&["sm.enabled=false"]).await;
        let mut client = Client::login(&server, "romeo").await;
        assert!(client.features.child("sm", SM).is_none());
        client.send(ENABLE).await;
        assert!(is_failed(&client.read().await, "unexpected-request"));
    }
}

mod counting_in {
    use super::*;

    /// S-07
    #[tokio::test]
    async fn stanzas_before_enable_do_not_count() {
        let server = TestServer::start().await;
        let mut client = Client::login(&server, "romeo").await;
        client
            .become_available("<presence xmlns='jabber:client'/>")
            .await;
        client.sync().await;
        client.enable("").await;
        assert_eq!(client.ask_h().await, 0);
    }

    /// S-08
    #[tokio::test]
    async fn h_counts_stanzas_and_nothing_else() {
        let server = TestServer::start().await;
        let mut client = Client::login(&server, "romeo").await;
        client.enable("").await;
        for nonza in [
            "<r xmlns='urn:xmpp:sm:3'/>",
            "<a xmlns='urn:xmpp:sm:3' h='0'/>",
            "<inactive xmlns='urn:xmpp:csi:0'/>",
            "<active xmlns='urn:xmpp:csi:0'/>",
        ] {
            client.send(nonza).await;
        }
        assert_eq!(h(&client.next_where(|e| e.is("a", SM)).await), 0);
        assert_eq!(client.ask_h().await, 0);
        let own = client.bare().to_owned();
        client.chat("juliet@example.org", "one").await;
        client.send(&format!("<presence xmlns='{CLIENT}'/>")).await;
        client
            .iq("get", &own, "<ping xmlns='urn:xmpp:ping'/>")
            .await;
        assert_eq!(client.ask_h().await, 3);
        // Answered by errors: an unknown payload, a malformed address, no id, an unknown account.
        client
            .iq("get", "example.org", "<x xmlns='urn:example'/>")
            .await;
        client.chat("@@", "four").await;
        client
            .send(&format!(
                "<iq xmlns='{CLIENT}' type='get'><x xmlns='urn:example'/></iq>"
            ))
            .await;
        client.chat("nobody@example.org", "seven").await;
        assert_eq!(client.ask_h().await, 7);
    }

    /// S-13
    #[tokio::test]
    async fn thousands_of_requests_are_answered_with_the_right_h() {
        let server = TestServer::start().await;
        let mut client = Client::login(&server, "romeo").await;
        client.enable("").await;
        let own = client.jid.clone();
        client
            .send(&format!(
                "<iq xmlns='{CLIENT}' type='result' id='x' to='{own}'/>"
            ))
            .await;
        let request = kit::ws::frame(kit::ws::TEXT, b"<r xmlns='urn:xmpp:sm:3'/>");
        for _ in 0..30 {
            client.ws.raw(request.repeat(100)).await;
            for _ in 0..100 {
                assert_eq!(h(&client.next_where(|e| e.is("a", SM)).await), 1);
            }
        }
    }

    /// S-44: a server that starts near the end of the numbers.
    #[tokio::test]
    async fn f6_h_of_the_server_wraps_from_4294967295_to_0() {
        let server = TestServer::with(&["sm.debug_first_h=4294967294"]).await;
        let mut client = Client::login(&server, "romeo").await;
        let previd = client.enable_resumable().await;
        for wanted in [4_294_967_294, u32::MAX, 0, 1] {
            assert_eq!(client.ask_h().await, wanted);
            client.send(&format!("<presence xmlns='{CLIENT}'/>")).await;
            client.next_named("presence").await;
        }
        // Four presences came, and the client has handled each of them.
        let (_, h) =
            Client::resume(&server, "romeo", &previd, 4_294_967_294_u32.wrapping_add(4)).await;
        assert_eq!(h, 2);
    }

    /// An `<a/>` after every Nth stanza that was handled, unasked.
    #[tokio::test]
    async fn f5_unsolicited_acks_come_after_every_nth_stanza() {
        let server = TestServer::with(&[
            "sm.unsolicited_ack_frequency=3",
            "sm.unsolicited_ack_delay=0s",
        ])
        .await;
        let mut client = Client::login(&server, "romeo").await;
        client.enable("").await;
        for _ in 0..7 {
            client.send("<presence xmlns='jabber:client'/>").await;
        }
        let heard = client.sync().await;
        let acks: Vec<_> = heard.iter().filter(|e| e.is("a", SM)).map(h).collect();
        assert_eq!(acks, [3, 6]);
    }
}

mod counting_out {
    use super::*;

    /// S-09
    #[tokio::test]
    async fn the_server_counts_what_it_sends_the_way_the_client_counts_what_it_gets() {
        let server = TestServer::start().await;
        let mut romeo = Client::available_as(&server, "romeo", "orchard").await;
        let mut juliet = Client::login(&server, "juliet").await;
        romeo.enable("").await;
        juliet.chat("romeo@example.org/orchard", "one").await;
        juliet.sync().await;
        romeo.sync().await;
        romeo.ask_h().await;
        romeo.ack(2).await; // a message and the answer to a ping; the <a/> is none
        romeo.sync().await;
        romeo.ack(3).await;
        romeo.hears_nothing().await;
        romeo.ack(6).await; // one more than there was
        let error = romeo.refused(&["undefined-condition"]).await;
        let too_high = error.child("handled-count-too-high", SM).expect("why");
        assert_eq!(too_high.attr("send-count"), Some("4"));
    }

    /// S-10
    #[tokio::test]
    async fn f6_an_h_above_what_was_sent_ends_the_stream_and_says_both_numbers() {
        let server = TestServer::start().await;
        let mut client = Client::login(&server, "romeo").await;
        client.enable_resumable().await;
        client.ack(1).await;
        let error = client.refused(&["undefined-condition"]).await;
        assert_eq!(stream_condition(&error), "undefined-condition");
        let too_high = error.child("handled-count-too-high", SM).expect("why");
        assert_eq!(too_high.attr("h"), Some("1"));
        assert_eq!(too_high.attr("send-count"), Some("0"));
        server.sessions(0).await;
    }

    /// S-11
    #[tokio::test]
    async fn an_answer_that_is_no_count_frees_nothing() {
        let server = TestServer::start().await;
        let mut client = Client::login(&server, "romeo").await;
        let previd = client.enable_resumable().await;
        client
            .become_available("<presence xmlns='jabber:client'/>")
            .await;
        for wrong in [
            "",
            "h=''",
            "h='-1'",
            "h='1e0'",
            "h='4294967297'",
            "h=' 1'",
            "h='+1'",
        ] {
            client.send(&format!("<a xmlns='{SM}' {wrong}/>")).await;
        }
        client.ask_h().await;
        drop(client);
        let (mut client, _) = Client::resume(&server, "romeo", &previd, 0).await;
        assert_eq!(client.next().await.name(), "presence"); // still there
    }

    /// S-12, S-45
    #[tokio::test]
    async fn an_answer_below_an_earlier_one_is_ignored_and_a_late_one_frees_what_it_names() {
        let server = TestServer::start().await;
        let mut romeo = Client::login_as(&server, "romeo", "orchard").await;
        let previd = romeo.enable_resumable().await;
        let mut juliet = Client::login(&server, "juliet").await;
        for text in ["one", "two", "three", "four"] {
            juliet.chat("romeo@example.org/orchard", text).await;
        }
        juliet.sync().await;
        for _ in 0..4 {
            romeo.next_named("message").await;
        }
        romeo.ack(2).await;
        romeo.ack(1).await; // overtaken
        romeo.ack(3).await; // late: the fourth has been sent meanwhile
        romeo.ask_h().await;
        drop(romeo);
        let (mut romeo, _) = Client::resume(&server, "romeo", &previd, 3).await;
        assert_eq!(romeo.bodies().await, ["four"]);
    }

    /// S-14
    #[tokio::test]
    async fn answers_that_nobody_asked_for_are_fine_also_without_news() {
        let server = TestServer::start().await;
        let mut client = Client::login(&server, "romeo").await;
        client.enable("").await;
        for _ in 0..3 {
            client.ack(0).await;
        }
        client.sync().await;
        client.ack(1).await;
        client.ack(1).await;
        client.hears_nothing().await;
    }

    /// S-43
    #[tokio::test]
    async fn the_server_asks_often_enough_and_stops_sending_at_its_bound() {
        let server = TestServer::with(&["sm.ack_request_frequency=5", "sm.max_unacked=20"]).await;
        let mut romeo = Client::login_as(&server, "romeo", "orchard").await;
        romeo.enable("").await;
        let mut juliet = Client::login(&server, "juliet").await;
        for n in 0..100 {
            juliet
                .chat("romeo@example.org/orchard", &n.to_string())
                .await;
        }
        let (mut got, mut requests) = (0, 0);
        while got < 100 {
            match romeo.read().await {
                request if request.is("r", SM) => {
                    requests += 1;
                    assert!(got <= 20 * requests, "{got} sent, asked {requests} times");
                    romeo.ack(got).await;
                }
                message => {
                    assert_eq!(kit::body(&message), got.to_string());
                    got += 1;
                }
            }
        }
        assert!(requests >= 5, "{requests}");
        juliet.sync().await;
    }

    /// S-44
    #[tokio::test]
    async fn f6_acks_of_the_client_wrap_and_are_compared_by_distance() {
        let server = TestServer::with(&["sm.debug_first_h=4294967294"]).await;
        let mut romeo = Client::login_as(&server, "romeo", "orchard").await;
        let previd = romeo.enable_resumable().await;
        let mut juliet = Client::login(&server, "juliet").await;
        for text in ["one", "two", "three", "four"] {
            juliet.chat("romeo@example.org/orchard", text).await;
        }
        juliet.sync().await;
        for _ in 0..4 {
            romeo.next_named("message").await;
        }
        romeo.ack(u32::MAX).await; // the first
        romeo.ack(0).await; // past the end of the numbers: the second
        romeo.ack(u32::MAX).await; // an old one
        romeo.ask_h().await;
        drop(romeo);
        let (mut romeo, _) = Client::resume(&server, "romeo", &previd, 1).await; // the third
        assert_eq!(romeo.bodies().await, ["four"]);
        // Four messages and the answer to a ping went out: 3, past the end of the numbers.
        romeo.ack(4).await;
        let error = romeo.refused(&["undefined-condition"]).await;
        let too_high = error.child("handled-count-too-high", SM).expect("why");
        assert_eq!(too_high.attr("send-count"), Some("3"));
    }
}
