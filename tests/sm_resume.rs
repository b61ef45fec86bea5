//! Stream management: resumption (XEP-0198 §5), over sockets.

mod kit;

use kit::ws::{CLOSE, code_bytes};
use kit::xmpp::{befriend, bodies, h, item_not_found};
use kit::{CLIENT, Client, DELAY, SM, STANZAS, TestServer, body};

const ROMEO: &str = "romeo@example.org/orchard";

/// Romeo with a session that can be resumed, and its id.
async fn resumable(server: &TestServer) -> (Client, String) {
    let mut romeo = Client::available_as(server, "romeo", "orchard").await;
    let previd = romeo.enable_resumable().await;
    (romeo, previd)
}

/// Juliet sends; all of it is with the server when this returns.
async fn says(juliet: &mut Client, texts: &[&str]) {
    for text in texts {
        juliet.chat(ROMEO, text).await;
    }
    juliet.hears_nothing().await; // S-23: no error either
}

mod refused {
    use super::*;

    /// S-15
    #[tokio::test]
    async fn an_unknown_previd_fails_and_bind_works_on_the_same_stream() {
        let server = TestServer::start().await;
        let (mut client, answer) = Client::try_resume(&server, "romeo", "no-such-id", "0").await;
        assert!(item_not_found(&answer), "{answer}");
        client.bind(None).await;
        client.enable_resumable().await;
    }

    /// S-35
    #[tokio::test]
    async fn a_previd_of_markup_or_path_characters_or_enormous_size_is_not_found() {
        let server = TestServer::start().await;
        let long = "a".repeat(200_000);
        for previd in [
            "&lt;x/&gt;",
            "../../etc/passwd",
            "%00",
            "&apos; OR 1=1",
            "\u{202e}\u{1f339}",
            "",
            &long,
        ] {
            let (_, answer) = Client::try_resume(&server, "romeo", previd, "0").await;
            assert!(item_not_found(&answer), "{answer}");
        }
        let mut client = Client::authenticated(&server, "romeo").await;
        let megabyte = "a".repeat(1 << 20);
        client
            .send(&format!("<resume xmlns='{SM}' previd='{megabyte}' h='0'/>"))
            .await;
        client.refused(&["policy-violation"]).await;
    }

    /// S-16
    #[tokio::test]
    async fn another_account_never_resumes_and_the_owner_notices_nothing() {
        let server = TestServer::start().await;
        let (mut romeo, previd) = resumable(&server).await;
        let (_, answer) = Client::try_resume(&server, "tybalt", &previd, "0").await;
        assert!(item_not_found(&answer), "{answer}");
        assert_eq!(answer.attr("h"), None, "it tells of another's session");
        romeo.hears_nothing().await;
        drop(romeo);
        server.hibernating(1).await;
        let (_, answer) = Client::try_resume(&server, "tybalt", &previd, "0").await;
        assert!(item_not_found(&answer) && answer.attr("h").is_none());
        let (mut romeo, _) = Client::resume(&server, "romeo", &previd, 1).await;
        romeo.hears_nothing().await;
    }

    /// S-17
    #[tokio::test]
    async fn nothing_is_resumed_before_authentication() {
        let server = TestServer::start().await;
        let (mut romeo, previd) = resumable(&server).await;
        let mut stranger = Client::open(&server).await;
        let answer = stranger.ask_resume(&previd, "0").await;
        assert!(answer.is("failed", SM), "{answer}");
        romeo.hears_nothing().await;
    }

    /// S-18
    #[tokio::test]
    async fn a_stream_that_has_bound_cannot_resume() {
        let server = TestServer::start().await;
        let (romeo, previd) = resumable(&server).await;
        drop(romeo);
        let mut second = Client::login(&server, "romeo").await;
        let answer = second.ask_resume(&previd, "0").await;
        assert!(
            answer.child("unexpected-request", STANZAS).is_some(),
            "{answer}"
        );
        Client::resume(&server, "romeo", &previd, 0).await; // it is still there
    }

    /// S-24
    #[tokio::test]
    async fn an_h_that_is_no_count_is_refused_and_the_session_stays() {
        let server = TestServer::start().await;
        let (romeo, previd) = resumable(&server).await;
        drop(romeo);
        for h in ["", "h=''", "h='-1'", "h='one'", "h='4294967296'"] {
            let mut client = Client::authenticated(&server, "romeo").await;
            client
                .send(&format!("<resume xmlns='{SM}' previd='{previd}' {h}/>"))
                .await;
            let answer = client.read().await;
            assert!(answer.is("failed", SM), "{h}: {answer}");
        }
        Client::resume(&server, "romeo", &previd, 0).await;
    }

    /// S-24
    #[tokio::test]
    async fn an_h_that_is_too_high_is_refused_and_says_both_numbers() {
        let server = TestServer::start().await;
        let (romeo, previd) = resumable(&server).await;
        drop(romeo);
        let mut client = Client::authenticated(&server, "romeo").await;
        client
            .send(&format!("<resume xmlns='{SM}' previd='{previd}' h='9'/>"))
            .await;
        let error = client.refused(&["undefined-condition"]).await;
        let too_high = error.child("handled-count-too-high", SM).expect("why");
        assert_eq!(too_high.attr("h"), Some("9"));
        assert_eq!(too_high.attr("send-count"), Some("0"));
    }

    /// S-27
    #[tokio::test]
    async fn after_a_close_or_a_stream_error_the_id_is_dead() {
        let server = TestServer::start().await;
        let (romeo, closed) = resumable(&server).await;
        romeo.close().await;
        let (mut romeo, faulty) = resumable(&server).await;
        romeo.send("<broken").await;
        romeo.refused(&["not-well-formed"]).await;
        server.sessions(0).await;
        for previd in [closed, faulty] {
            let (_, answer) = Client::try_resume(&server, "romeo", &previd, "0").await;
            assert!(item_not_found(&answer), "{answer}");
        }
    }
}

mod resumed {
    use super::*;

    /// S-20
    #[tokio::test]
    async fn f6_exactly_the_stanzas_beyond_h_come_again_in_order_and_once() {
        let server = TestServer::start().await;
        let (mut romeo, previd) = resumable(&server).await;
        let mut juliet = Client::login(&server, "juliet").await;
        says(&mut juliet, &["1", "2", "3", "4", "5"]).await;
        for _ in 0..5 {
            romeo.next_named("message").await;
        }
        drop(romeo);
        let (mut romeo, _) = Client::resume(&server, "romeo", &previd, 2).await;
        let heard = romeo.messages().await;
        assert_eq!(bodies(&heard), ["3", "4", "5"]);
        // All of them are stamped, or clients show them out of order.
        assert!(heard.iter().all(|m| m.child("delay", DELAY).is_some()));
        romeo.ack(6).await;
        romeo.hears_nothing().await;
    }

    /// S-21
    #[tokio::test]
    async fn f6_h_at_resumption_is_what_was_handled_also_after_a_cut_in_a_burst() {
        let server = TestServer::start().await;
        for cut_after in [1, 7, 40] {
            let mut juliet = Client::available_as(&server, "juliet", "balcony").await;
            let mut romeo = Client::login(&server, "romeo").await;
            let previd = romeo.enable_resumable().await;
            for n in 0..cut_after {
                romeo.chat(&juliet.jid, &n.to_string()).await;
            }
            // Half a stanza, and the link is gone.
            romeo
                .ws
                .raw(&kit::ws::frame(kit::ws::TEXT, &[b'<'; 500])[..100])
                .await;
            drop(romeo);
            let (mut romeo, h) = Client::resume(&server, "romeo", &previd, 0).await;
            let arrived = juliet.bodies().await;
            assert_eq!(arrived.len(), h as usize);
            // What was not handled is sent again, and then all of it is there, once.
            for n in h..cut_after {
                romeo.chat(&juliet.jid, &n.to_string()).await;
            }
            romeo.sync().await;
            let all = [arrived, juliet.bodies().await].concat();
            let wanted: Vec<_> = (0..cut_after).map(|n| n.to_string()).collect();
            assert_eq!(all, wanted);
        }
    }

    /// S-22
    #[tokio::test]
    async fn both_counters_go_on_after_resumption() {
        let server = TestServer::start().await;
        let (mut romeo, previd) = resumable(&server).await;
        romeo.sync().await; // one in, one out
        drop(romeo);
        let (mut romeo, h) = Client::resume(&server, "romeo", &previd, 1).await;
        assert_eq!(h, 1);
        romeo.sync().await;
        assert_eq!(romeo.ask_h().await, 2);
        romeo.ack(2).await;
        romeo.hears_nothing().await;
        romeo.ack(99).await;
        let error = romeo.refused(&["undefined-condition"]).await;
        let too_high = error.child("handled-count-too-high", SM).expect("why");
        assert_eq!(too_high.attr("send-count"), Some("3"));
    }

    /// S-23
    #[tokio::test]
    async fn what_arrived_meanwhile_is_delivered_at_resumption_in_order_and_stamped() {
        let server = TestServer::start().await;
        let (mut romeo, previd) = resumable(&server).await;
        let mut juliet = Client::login(&server, "juliet").await;
        says(&mut juliet, &["before"]).await;
        assert_eq!(body(&romeo.next().await), "before");
        drop(romeo);
        server.hibernating(1).await;
        says(&mut juliet, &["one", "two", "three"]).await;
        let (mut romeo, _) = Client::resume(&server, "romeo", &previd, 0).await;
        let heard = romeo.messages().await;
        assert_eq!(bodies(&heard), ["before", "one", "two", "three"]);
        assert!(heard.iter().all(|m| m.child("delay", DELAY).is_some()));
    }

    /// S-26
    #[tokio::test]
    async fn a_resumed_session_is_resumed_again_and_again_under_the_same_id() {
        let server = TestServer::start().await;
        let (mut romeo, previd) = resumable(&server).await;
        let mut juliet = Client::login(&server, "juliet").await;
        for n in 0..30 {
            drop(romeo);
            says(&mut juliet, &[&n.to_string()]).await;
            let resumed = Client::resume(&server, "romeo", &previd, n).await;
            romeo = resumed.0;
            assert_eq!(body(&romeo.next_named("message").await), n.to_string());
        }
        romeo.hears_nothing().await;
    }

    /// S-34
    #[tokio::test]
    async fn stanzas_in_the_same_breath_as_resume_are_served_and_counted_after_it() {
        let server = TestServer::start().await;
        let mut juliet = Client::available_as(&server, "juliet", "balcony").await;
        let (mut romeo, previd) = resumable(&server).await;
        romeo.sync().await;
        drop(romeo);
        let mut romeo = Client::authenticated(&server, "romeo").await;
        let mut bytes = Vec::new();
        for text in [
            format!("<resume xmlns='{SM}' previd='{previd}' h='1'/>"),
            format!(
                "<message xmlns='{CLIENT}' to='{}' id='m1'><body>at once</body></message>",
                juliet.jid
            ),
            format!("<r xmlns='{SM}'/>"),
        ] {
            bytes.extend(kit::ws::frame(kit::ws::TEXT, text.as_bytes()));
        }
        romeo.ws.raw(bytes).await;
        let resumed = romeo.read().await;
        assert!(resumed.is("resumed", SM), "{resumed}");
        assert_eq!(h(&resumed), 1);
        assert_eq!(h(&romeo.next_where(|e| e.is("a", SM)).await), 2);
        assert_eq!(juliet.bodies().await, ["at once"]);
    }

    /// S-44
    #[tokio::test]
    async fn h_in_resume_and_resumed_wraps() {
        let server = TestServer::with(&["sm.debug_first_h=4294967295"]).await;
        let (mut romeo, previd) = resumable(&server).await;
        let mut juliet = Client::login(&server, "juliet").await;
        says(&mut juliet, &["1", "2", "3"]).await;
        romeo.sync().await;
        drop(romeo);
        // 4294967295 stanzas before, then "1" is number 0 and "2" is number 1.
        let (mut romeo, h) = Client::resume(&server, "romeo", &previd, 1).await;
        assert_eq!(h, 0);
        assert_eq!(romeo.bodies().await, ["3"]);
        drop(romeo);
        let (_, h) = Client::resume(&server, "romeo", &previd, 2).await;
        assert_eq!(h, 1);
    }
}

mod while_the_old_link_lives {
    use super::*;

    /// S-19
    #[tokio::test]
    async fn the_session_goes_over_and_the_old_stream_hears_conflict() {
        let server = TestServer::start().await;
        let (mut old, previd) = resumable(&server).await;
        let mut juliet = Client::login(&server, "juliet").await;
        says(&mut juliet, &["one"]).await;
        assert_eq!(body(&old.next().await), "one");
        let (mut new, _) = Client::resume(&server, "romeo", &previd, 0).await;
        old.refused(&["conflict"]).await;
        says(&mut juliet, &["two"]).await;
        assert_eq!(new.bodies().await, ["one", "two"]);
        assert_eq!(new.ask_h().await, 1);
        server.sessions(2).await;
    }

    /// S-19: a phone that changed networks leaves a link behind that takes nothing any more.
    #[tokio::test]
    async fn a_link_that_takes_nothing_any_more_does_not_hold_the_session_back() {
        let server = TestServer::start().await;
        let (old, previd) = resumable(&server).await;
        let mut juliet = Client::login(&server, "juliet").await;
        let long = "x".repeat(200_000);
        let texts: Vec<String> = (0..20).map(|n| format!("{n} {long}")).collect();
        says(
            &mut juliet,
            &texts.iter().map(String::as_str).collect::<Vec<_>>(),
        )
        .await;
        let (mut new, _) = Client::resume(&server, "romeo", &previd, 0).await;
        for text in &texts {
            assert_eq!(body(&new.next_named("message").await), *text);
        }
        drop(old);
    }

    /// S-25
    #[tokio::test]
    async fn of_two_that_resume_at_once_one_wins_and_each_message_arrives_once() {
        let server = TestServer::start().await;
        for round in 0..8 {
            let mut romeo = Client::login_as(&server, "romeo", "orchard").await;
            let previd = romeo.enable_resumable().await;
            let mut juliet = Client::login(&server, "juliet").await;
            if round % 2 == 0 {
                drop(romeo);
                says(&mut juliet, &["one", "two"]).await;
            } else {
                says(&mut juliet, &["one", "two"]).await;
            }
            let a = Client::authenticated(&server, "romeo").await;
            let b = Client::authenticated(&server, "romeo").await;
            let race = |mut client: Client, previd: String| async move {
                client
                    .send(&format!("<resume xmlns='{SM}' previd='{previd}' h='0'/>"))
                    .await;
                client
            };
            let (mut a, mut b) = tokio::join!(race(a, previd.clone()), race(b, previd.clone()));
            // Each is resumed, or fails, or is resumed and then superseded by the other.
            let mut whole = 0;
            for client in [&mut a, &mut b] {
                let answer = client.read().await;
                if !answer.is("resumed", SM) {
                    assert!(answer.is("failed", SM), "{answer}");
                    continue;
                }
                client.send("<iq xmlns='jabber:client' type='get' id='p' to='example.org'><ping xmlns='urn:xmpp:ping'/></iq>").await;
                let mut bodies = Vec::new();
                loop {
                    let kit::Got::Text(text) = client.ws.next().await else {
                        break;
                    };
                    let element = kit::xmpp::parse(&text);
                    match element.name() {
                        "message" => bodies.push(body(&element)),
                        "error" => assert!(text.contains("<conflict "), "{text}"),
                        "iq" => {
                            whole += 1;
                            assert_eq!(bodies, ["one", "two"], "what was missing, once");
                            break;
                        }
                        _ => {}
                    }
                }
            }
            assert_eq!(whole, 1, "one wins");
            drop((a, b));
            let (romeo, _) = Client::resume(&server, "romeo", &previd, 3).await;
            romeo.close().await;
        }
    }
}

mod waiting {
    use super::*;

    /// S-28
    #[tokio::test]
    async fn a_close_frame_or_a_half_closed_link_keeps_the_session() {
        let server = TestServer::start().await;
        for code in [Some(1000), Some(1001), None] {
            let (mut romeo, previd) = resumable(&server).await;
            match code {
                Some(code) => romeo.ws.frame(CLOSE, code_bytes(code)).await,
                None => romeo.ws.half_close().await,
            }
            server.hibernating(1).await;
            let (romeo, _) = Client::resume(&server, "romeo", &previd, 0).await;
            romeo.close().await;
        }
    }

    /// S-29
    #[tokio::test]
    async fn no_presence_changes_while_the_session_waits_or_when_it_is_resumed() {
        let server = TestServer::start().await;
        let mut juliet = Client::available_as(&server, "juliet", "balcony").await;
        let mut romeo = Client::available_as(&server, "romeo", "orchard").await;
        befriend(&mut romeo, &mut juliet).await;
        let previd = romeo.enable_resumable().await;
        drop(romeo);
        server.hibernating(1).await;
        juliet.hears_nothing().await;
        let (romeo, _) = Client::resume(&server, "romeo", &previd, 0).await;
        juliet.hears_nothing().await;
        romeo.close().await;
        let gone = juliet.next().await;
        assert_eq!(gone.attr("type"), Some("unavailable"), "{gone}");
        assert_eq!(gone.attr("from"), Some(ROMEO));
        juliet.hears_nothing().await; // once
    }

    /// S-29, S-31
    #[tokio::test]
    async fn at_expiry_unavailable_goes_out_and_what_was_not_acked_is_kept_with_its_time() {
        let server = TestServer::with(&["sm.resume_timeout=1s"]).await;
        let mut juliet = Client::available_as(&server, "juliet", "balcony").await;
        let mut romeo = Client::available_as(&server, "romeo", "orchard").await;
        befriend(&mut romeo, &mut juliet).await;
        let previd = romeo.enable_resumable().await;
        juliet.chat(ROMEO, "seen").await;
        juliet.chat(ROMEO, "sent, not acked").await;
        juliet.sync().await;
        let got = 2;
        assert_eq!(body(&romeo.next_named("message").await), "seen");
        romeo.next_named("message").await;
        romeo.ack(got - 1).await; // all but the last
        romeo.ask_h().await;
        drop(romeo);
        server.hibernating(1).await;
        juliet.chat(ROMEO, "while it waits").await;
        let gone = juliet.next_named("presence").await;
        assert_eq!(gone.attr("type"), Some("unavailable"));
        server.sessions(1).await;
        let (mut romeo, answer) = Client::try_resume(&server, "romeo", &previd, "0").await;
        assert!(item_not_found(&answer), "{answer}");
        assert!(answer.attr("h").is_some(), "h is still known: {answer}");
        romeo.bind(Some("orchard")).await;
        romeo.send("<presence xmlns='jabber:client'/>").await;
        let heard = romeo.stored(2).await;
        assert_eq!(bodies(&heard), ["sent, not acked", "while it waits"]);
        assert!(heard.iter().all(|m| m.child("delay", DELAY).is_some()));
    }

    /// S-31: the promise is neither lost nor doubled.
    #[tokio::test]
    async fn what_waiting_sessions_all_had_is_kept_once_when_they_expire_together() {
        for is_back_early in [false, true] {
            let server = TestServer::start().await;
            let mut cut = Vec::new();
            for resource in ["orchard", "bench", "crypt"] {
                let mut romeo = Client::available_as(&server, "romeo", resource).await;
                romeo.enable("resume='true' max='1'").await;
                cut.push(romeo);
            }
            drop(cut);
            server.hibernating(3).await;
            let mut juliet = Client::login(&server, "juliet").await;
            juliet.chat("romeo@example.org", "one").await;
            juliet.chat("romeo@example.org", "two").await;
            juliet.hears_nothing().await;
            if !is_back_early {
                server.sessions(1).await; // they have expired
            }
            let mut romeo = Client::login(&server, "romeo").await;
            romeo.send("<presence xmlns='jabber:client'/>").await;
            server.sessions(2).await; // now, if not before
            assert_eq!(bodies(&romeo.stored(2).await), ["one", "two"]);
        }
    }

    /// S-38
    #[tokio::test]
    async fn hundreds_of_messages_to_a_waiting_session_all_come_at_resumption() {
        let server = TestServer::with(&["sm.max_unacked=1000", "limits.send_queue=1000"]).await;
        let (romeo, previd) = resumable(&server).await;
        drop(romeo);
        server.hibernating(1).await;
        let mut juliet = Client::login(&server, "juliet").await;
        let texts: Vec<_> = (0..700).map(|n| n.to_string()).collect();
        for text in &texts {
            juliet.chat(ROMEO, text).await;
        }
        juliet.hears_nothing().await;
        let (mut romeo, _) = Client::resume(&server, "romeo", &previd, 0).await;
        assert_eq!(romeo.bodies().await, texts);
    }

    /// S-38
    #[tokio::test]
    async fn f6_beyond_its_bound_a_waiting_session_ends_and_nothing_is_lost() {
        let server = TestServer::with(&["sm.max_unacked=50", "limits.send_queue=50"]).await;
        let (romeo, previd) = resumable(&server).await;
        drop(romeo);
        server.hibernating(1).await;
        let mut juliet = Client::login(&server, "juliet").await;
        let texts: Vec<_> = (0..300).map(|n| n.to_string()).collect();
        for text in &texts {
            juliet.chat(ROMEO, text).await;
        }
        juliet.hears_nothing().await;
        server.sessions(1).await;
        let (mut romeo, answer) = Client::try_resume(&server, "romeo", &previd, "0").await;
        assert!(item_not_found(&answer), "{answer}");
        romeo.bind(Some("orchard")).await;
        romeo.send("<presence xmlns='jabber:client'/>").await;
        assert_eq!(bodies(&romeo.stored(300).await), texts);
    }

    /// S-40
    #[tokio::test]
    async fn a_session_that_takes_the_resource_of_an_absent_one_does_not_lose_its_messages() {
        let server = TestServer::start().await;
        let (romeo, _) = resumable(&server).await;
        drop(romeo);
        server.hibernating(1).await;
        let mut juliet = Client::login(&server, "juliet").await;
        says(&mut juliet, &["one", "two"]).await;
        let mut romeo = Client::login_as(&server, "romeo", "orchard").await;
        romeo.send("<presence xmlns='jabber:client'/>").await;
        server.sessions(2).await;
        assert_eq!(bodies(&romeo.stored(2).await), ["one", "two"]);
    }

    /// S-46
    #[tokio::test]
    async fn a_session_without_resumption_that_is_cut_does_not_lose_what_was_not_acked() {
        let server = TestServer::start().await;
        let mut romeo = Client::available_as(&server, "romeo", "orchard").await;
        romeo.enable("").await;
        let mut juliet = Client::login(&server, "juliet").await;
        says(&mut juliet, &["acked", "not acked"]).await;
        romeo.next_named("message").await;
        romeo.next_named("message").await;
        romeo.ack(1).await;
        romeo.ask_h().await;
        drop(romeo);
        server.sessions(1).await;
        let mut romeo = Client::login(&server, "romeo").await;
        romeo.send("<presence xmlns='jabber:client'/>").await;
        assert_eq!(bodies(&romeo.stored(1).await), ["not acked"]);
    }
}

mod over_transports {
    use super::*;
    use kit::bosh::Bosh;

    /// A session begun over BOSH goes on over WebSocket.
    #[tokio::test]
    async fn from_bosh_to_websocket() {
        let server = TestServer::start().await;
        let mut bosh = Bosh::available(&server, "romeo").await;
        let previd = bosh.enable_resumable().await;
        let mut juliet = Client::login(&server, "juliet").await;
        juliet.chat(&bosh.jid, "one").await;
        juliet.chat(&bosh.jid, "two").await;
        juliet.sync().await;
        assert_eq!(body(&bosh.next().await), "one");
        let (mut romeo, h) = Client::resume(&server, "romeo", &previd, 1).await;
        assert_eq!(h, 0);
        assert_eq!(romeo.bodies().await, ["two"]);
        juliet.chat(&bosh.jid, "three").await;
        juliet.sync().await;
        assert_eq!(romeo.bodies().await, ["three"]);
        // The BOSH session is over, and says why.
        let mut pending = bosh.request("", "").await;
        let ended = pending.answer().await;
        assert_eq!(ended.attr("type"), Some("terminate"), "{ended}");
    }

    /// And back.
    #[tokio::test]
    async fn from_websocket_to_bosh() {
        let server = TestServer::start().await;
        let (mut romeo, previd) = resumable(&server).await;
        let mut juliet = Client::login(&server, "juliet").await;
        says(&mut juliet, &["one", "two"]).await;
        assert_eq!(body(&romeo.next().await), "one");
        drop(romeo);
        let mut bosh = Bosh::authenticated(&server, "romeo").await;
        bosh.send(&format!("<resume xmlns='{SM}' previd='{previd}' h='1'/>"))
            .await;
        let resumed = bosh.next().await;
        assert!(resumed.is("resumed", SM), "{resumed}");
        assert_eq!(body(&bosh.next().await), "two");
        says(&mut juliet, &["three"]).await;
        let mut heard = bosh.sync().await;
        heard.retain(|stanza| stanza.name() == "message");
        assert_eq!(bodies(&heard), ["three"]);
    }
}

/// Restart: in this version no session outlives the process, and no message is lost by that.
/// Where sessions do not outlive the process; where they do, see `sm_restart.rs`.
mod shutdown {
    use super::*;

    const MEMORY: &[&str] = &["sm.durability=memory"];

    #[tokio::test]
    async fn what_was_not_acked_at_a_stop_is_there_after_the_start() {
        let state = tempfile::tempdir().expect("a directory");
        let path = state.path().to_owned();
        let server = TestServer::at(state, MEMORY).await;
        let (mut romeo, _) = resumable(&server).await;
        let mut juliet = Client::login(&server, "juliet").await;
        says(&mut juliet, &["one", "two"]).await;
        romeo.next_named("message").await;
        romeo.next_named("message").await;
        let TestServer { server, state } = server;
        let stopping = tokio::spawn(server.stop());
        romeo.refused(&["system-shutdown"]).await;
        juliet.refused(&["system-shutdown"]).await;
        drop((romeo, juliet));
        assert!(stopping.await.expect("no panic").in_time);
        assert_eq!(state.path(), path);
        let server = TestServer::at(state, MEMORY).await;
        let mut romeo = Client::login(&server, "romeo").await;
        romeo.send("<presence xmlns='jabber:client'/>").await;
        assert_eq!(bodies(&romeo.stored(2).await), ["one", "two"]);
    }

    /// A session that hibernates is not lost by a stop, nor one whose link is lost at that moment.
    #[tokio::test]
    async fn sessions_that_hibernate_end_and_what_they_held_is_stored() {
        let server = TestServer::with(MEMORY).await;
        let (romeo, _) = resumable(&server).await;
        drop(romeo);
        server.hibernating(1).await;
        let mut juliet = Client::login(&server, "juliet").await;
        juliet.enable_resumable().await;
        says(&mut juliet, &["one", "two"]).await;
        let TestServer { server, state } = server;
        let stopping = tokio::spawn(server.stop());
        drop(juliet);
        assert!(stopping.await.expect("no panic").in_time);
        let server = TestServer::at(state, MEMORY).await;
        let mut romeo = Client::login(&server, "romeo").await;
        romeo.send("<presence xmlns='jabber:client'/>").await;
        assert_eq!(bodies(&romeo.stored(2).await), ["one", "two"]);
    }
}
