//! BOSH sessions (XEP-0124 §7–§17, XEP-0206): two HTTP connections, one stream.

mod kit;

use kit::bosh::{Bosh, CREATE, body_of, create, post, terminated, wrap};
use kit::xmpp::{bodies, stream_condition};
use kit::{BIND, CLIENT, Client, ETHERX, HTTPBIND, TestServer, body, condition};
use std::time::{Duration, Instant};

const XBOSH: &str = "urn:xmpp:xbosh";

fn number(body: &stanzad::xml::Element, name: &str) -> Option<u64> {
    body.attr(name).map(|n| n.parse().expect("a number"))
}

fn message(to: &str, text: &str) -> String {
    format!("<message xmlns='{CLIENT}' to='{to}' type='chat'><body>{text}</body></message>")
}

mod creation {
    use super::*;

    /// B-01
    #[tokio::test]
    async fn the_answer_grants_no_more_than_was_asked_for_and_tells_the_terms() {
        let server = TestServer::start().await;
        let body = create(&server, CREATE).await;
        assert!(body.attr("sid").is_some());
        assert!(number(&body, "wait").expect("wait") <= 60);
        let hold = number(&body, "hold").expect("hold");
        assert!(hold <= 1);
        assert!(number(&body, "requests").expect("requests") > hold);
        assert!(number(&body, "inactivity").expect("inactivity") > 0);
        assert_eq!(body.attr("ver"), Some("1.11"));
        assert_eq!(body.attr("from"), Some("example.org"));
        let modest = create(&server, "to='example.org' wait='5' hold='1' ver='1.6'").await;
        assert!(number(&modest, "wait").expect("wait") <= 5);
        assert_eq!(modest.attr("ver"), Some("1.6"));
        let greedy = create(&server, "to='example.org' wait='9999' hold='99' ver='9.9'").await;
        assert!(number(&greedy, "wait").expect("wait") <= 60);
        let hold = number(&greedy, "hold").expect("hold");
        assert!(number(&greedy, "requests").expect("requests") > hold);
        assert_eq!(greedy.attr("ver"), Some("1.11"));
    }

    /// B-02: the kit checks it on every answer.
    #[tokio::test]
    async fn answers_are_text_xml_in_utf8() {
        let server = TestServer::start().await;
        let response = post(&server, &wrap(&format!("rid='1' {CREATE}"), "")).await;
        assert_eq!(
            response.header("content-type").as_deref(),
            Some("text/xml; charset=utf-8")
        );
    }

    /// B-04
    #[tokio::test]
    async fn features_come_with_restartlogic_and_version() {
        let server = TestServer::start().await;
        let (bosh, features) = Bosh::open(&server).await;
        assert!(features.is("features", ETHERX));
        assert_eq!(bosh.creation.attr_in("restartlogic", XBOSH), Some("true"));
        assert_eq!(bosh.creation.attr_in("version", XBOSH), Some("1.0"));
        let mechanisms = features.child("mechanisms", kit::SASL).expect("mechanisms");
        let mut names = mechanisms.children().map(|m| m.text());
        assert!(names.all(|name| !name.ends_with("-PLUS")));
    }

    /// B-05
    #[tokio::test]
    async fn sids_never_repeat_and_have_128_bits_that_differ() {
        let server = TestServer::start().await;
        let mut sids = Vec::<String>::new();
        for _ in 0..20 {
            let body = create(&server, CREATE).await;
            let sid = body.attr("sid").expect("a sid").to_owned();
            assert!(sid.len() >= 22, "{sid}");
            for other in &sids {
                let same = sid.bytes().zip(other.bytes()).filter(|(a, b)| a == b);
                assert!(same.count() < sid.len() / 2, "{sid} is near {other}");
            }
            sids.push(sid);
        }
    }

    /// B-28
    #[tokio::test]
    async fn an_unknown_host_is_told() {
        let server = TestServer::start().await;
        for to in ["example.net", "sub.example.org", "@@"] {
            let body = create(&server, &format!("to='{to}' wait='60' hold='1'")).await;
            assert_eq!(terminated(&body), "host-unknown", "{to}");
        }
    }

    /// B-29
    #[tokio::test]
    async fn without_a_host_the_default_one_answers() {
        let server = TestServer::start().await;
        let body = create(&server, "wait='60' hold='1'").await;
        assert_eq!(body.attr("from"), Some("example.org"), "{body}");
    }

    /// B-13
    #[tokio::test]
    async fn an_unknown_sid_is_not_found() {
        let server = TestServer::start().await;
        let long = "a".repeat(5000);
        for sid in ["x", "", "../../x", &long] {
            let response = post(&server, &wrap(&format!("rid='1' sid='{sid}'"), "")).await;
            assert_eq!(terminated(&body_of(&response)), "item-not-found", "{sid}");
        }
    }
}

mod login {
    use super::*;

    /// B-24
    #[tokio::test]
    async fn a_restart_after_sasl_gives_features_with_bind() {
        let server = TestServer::start().await;
        let (mut bosh, _) = Bosh::open(&server).await;
        bosh.send(&kit::xmpp::plain_auth("romeo", kit::PASSWORD))
            .await;
        assert!(bosh.next().await.is("success", kit::SASL));
        let features = bosh.restart().await;
        assert!(features.child("bind", BIND).is_some(), "{features}");
        assert!(
            features.child("mechanisms", kit::SASL).is_none(),
            "{features}"
        );
    }

    /// B-25
    #[tokio::test]
    async fn a_restart_before_sasl_gives_no_session() {
        let server = TestServer::start().await;
        let (mut bosh, _) = Bosh::open(&server).await;
        let mut pending = bosh
            .request(&format!("xmpp:restart='true' xmlns:xmpp='{XBOSH}'"), "")
            .await;
        let answer = pending.answer().await;
        let offers_bind = answer.children().any(|e| e.child("bind", BIND).is_some());
        assert!(!offers_bind, "{answer}");
    }

    /// B-38, B-39
    #[tokio::test]
    async fn a_stanza_before_authentication_is_not_processed_and_the_error_comes_as_terminate() {
        let server = TestServer::start().await;
        let mut juliet = Client::available_as(&server, "juliet", "balcony").await;
        let (mut bosh, _) = Bosh::open(&server).await;
        let mut pending = bosh.request("", &message(&juliet.jid, "never")).await;
        let answer = pending.answer().await;
        assert_eq!(terminated(&answer), "remote-stream-error");
        let error = answer.child("error", ETHERX).expect("a stream error");
        assert_eq!(stream_condition(error), "not-authorized");
        juliet.hears_nothing().await;
        let mut pending = bosh.request("", "").await;
        assert_eq!(terminated(&pending.answer().await), "item-not-found");
    }
}

mod order {
    use super::*;

    /// B-06
    #[tokio::test]
    async fn requests_that_arrive_out_of_order_are_served_in_order() {
        let server = TestServer::start().await;
        let mut juliet = Client::available_as(&server, "juliet", "balcony").await;
        let mut bosh = Bosh::available(&server, "romeo").await;
        let mut held = Vec::new();
        for round in 0..5 {
            let (a, b) = (format!("{round}a"), format!("{round}b"));
            let (first, second) = (message(&juliet.jid, &a), message(&juliet.jid, &b));
            held.push(bosh.request_of(bosh.rid + 1, "", &second).await);
            juliet.hears_nothing().await; // the one before it is missing
            held.push(bosh.request_of(bosh.rid, "", &first).await);
            bosh.rid += 2;
            let arrived = [
                juliet.next_named("message").await,
                juliet.next_named("message").await,
            ];
            assert_eq!(bodies(&arrived), [a, b]);
        }
    }

    /// B-07
    #[tokio::test]
    async fn a_rid_beyond_the_window_ends_the_session() {
        let server = TestServer::start().await;
        for beyond in [3, 100, 1 << 40] {
            let mut bosh = Bosh::available(&server, "romeo").await;
            let rid = bosh.rid + beyond;
            let mut wild = bosh.request_of(rid, "", "").await;
            assert_eq!(
                terminated(&wild.answer().await),
                "item-not-found",
                "{beyond}"
            );
            let mut next = bosh.request("", "").await;
            assert_eq!(terminated(&next.answer().await), "item-not-found");
        }
    }

    /// B-08
    #[tokio::test]
    async fn a_repeated_rid_gets_the_remembered_answer_and_is_not_processed_again() {
        let server = TestServer::start().await;
        let mut juliet = Client::available_as(&server, "juliet", "balcony").await;
        let mut bosh = Bosh::available(&server, "romeo").await;
        let inner = format!(
            "{}<iq xmlns='{CLIENT}' type='get' id='p' to='example.org'><ping xmlns='urn:xmpp:ping'/></iq>",
            message(&juliet.jid, "once")
        );
        let mut pending = bosh.request("", &inner).await;
        let first = pending.response().await;
        assert!(first.text().contains("type=\"result\"") || first.text().contains("type='result'"));
        for _ in 0..3 {
            let mut again = bosh.request_of(pending.rid, "", &inner).await;
            assert_eq!(again.response().await.body, first.body); // byte by byte
        }
        assert_eq!(juliet.bodies().await, ["once"]);
    }

    /// B-09
    #[tokio::test]
    async fn a_rid_that_is_too_old_ends_the_session() {
        let server = TestServer::start().await;
        let mut bosh = Bosh::available(&server, "romeo").await;
        for _ in 0..5 {
            bosh.sync().await;
        }
        let rid = bosh.rid - 5;
        let mut old = bosh.request_of(rid, "", "").await;
        assert_eq!(terminated(&old.answer().await), "item-not-found");
    }

    /// B-47
    #[tokio::test]
    async fn a_repeat_of_a_request_that_is_held_takes_its_place() {
        let server = TestServer::start().await;
        let mut juliet = Client::available_as(&server, "juliet", "balcony").await;
        let mut bosh = Bosh::available(&server, "romeo").await;
        let inner = message(&juliet.jid, "held");
        let mut held = bosh.request("", &inner).await;
        juliet.next_named("message").await; // so it is
        let mut again = bosh.request_of(held.rid, "", &inner).await;
        held.answer().await; // released
        juliet.chat(&bosh.jid.clone(), "to the new one").await;
        let answer = again.answer().await;
        let message = answer.child("message", CLIENT).expect("the message");
        assert_eq!(body(message), "to the new one");
    }

    /// B-33
    #[tokio::test]
    async fn several_stanzas_in_a_body_are_served_in_order() {
        let server = TestServer::start().await;
        let mut juliet = Client::available_as(&server, "juliet", "balcony").await;
        let mut bosh = Bosh::available(&server, "romeo").await;
        let texts: Vec<_> = (0..20).map(|n| n.to_string()).collect();
        let inner: String = texts
            .iter()
            .map(|text| message(&juliet.jid, text))
            .collect();
        let _held = bosh.request("", &inner).await;
        let mut arrived = Vec::new();
        while arrived.len() < texts.len() {
            arrived.push(juliet.next_named("message").await);
        }
        assert_eq!(bodies(&arrived), texts);
    }
}

mod holding {
    use super::*;

    /// B-10
    #[tokio::test]
    async fn an_empty_request_is_held_for_wait_and_then_answered_by_an_empty_body() {
        let server = TestServer::start().await;
        let create = CREATE.replace("wait='60'", "wait='2'");
        let mut bosh = Bosh::create_with(&server, &create).await;
        while bosh.inbox.is_empty() {
            bosh.send("").await;
        }
        let began = Instant::now();
        let answer = bosh.exchange("").await;
        assert!(
            began.elapsed() >= Duration::from_millis(1500),
            "{:?}",
            began.elapsed()
        );
        assert_eq!(answer.children().count(), 0, "{answer}");
        assert_eq!(answer.attr("type"), None);
    }

    /// B-11
    #[tokio::test]
    async fn a_further_request_releases_the_held_one() {
        let server = TestServer::start().await;
        let mut bosh = Bosh::available(&server, "romeo").await;
        let mut first = bosh.request("", "").await;
        let mut second = bosh.request("", "").await;
        let answer = first.answer().await;
        assert_eq!(answer.children().count(), 0, "{answer}");
        let _third = bosh.request("", "").await;
        second.answer().await;
    }

    /// B-12, B-36
    #[tokio::test]
    async fn a_payload_goes_out_in_the_held_request_at_once() {
        let server = TestServer::start().await;
        let mut juliet = Client::available_as(&server, "juliet", "balcony").await;
        let mut bosh = Bosh::available(&server, "romeo").await;
        let mut held = bosh.request("", "").await;
        juliet.chat(&bosh.jid, "by websocket").await;
        let answer = held.answer().await; // within the kit's patience; wait is 60 seconds
        let message = answer.child("message", CLIENT).expect("the message");
        assert_eq!(body(message), "by websocket");
        let _held = bosh.chat(&juliet.jid, "by bosh").await;
        assert_eq!(body(&juliet.next_named("message").await), "by bosh");
    }

    /// B-36
    #[tokio::test]
    async fn two_bosh_sessions_talk_to_each_other() {
        let server = TestServer::start().await;
        let mut romeo = Bosh::available(&server, "romeo").await;
        let mut juliet = Bosh::available(&server, "juliet").await;
        let mut held = juliet.request("", "").await;
        let _sent = romeo.chat(&juliet.jid, "hello").await;
        let answer = held.answer().await;
        assert_eq!(body(answer.child("message", CLIENT).expect("it")), "hello");
    }

    /// B-31
    #[tokio::test]
    async fn never_more_requests_are_held_than_was_promised() {
        let server = TestServer::start().await;
        let mut juliet = Client::available_as(&server, "juliet", "balcony").await;
        let mut bosh = Bosh::available(&server, "romeo").await;
        let mut all = Vec::new();
        for _ in 0..4 {
            all.push(bosh.chat(&juliet.jid, "here is one").await);
            juliet.next_named("message").await; // it has arrived
        }
        // hold is 1: all but the last are answered.
        let last = all.pop().expect("four");
        for mut pending in all {
            let answer = pending.answer().await;
            assert_eq!(answer.attr("type"), None, "{answer}");
        }
        drop(last);
    }

    /// B-32
    #[tokio::test]
    async fn a_pause_answers_all_requests_at_once_with_nothing() {
        let server = TestServer::start().await;
        let mut bosh = Bosh::available(&server, "romeo").await;
        assert_eq!(number(&bosh.creation, "maxpause"), Some(120));
        let mut held = bosh.request("", "").await;
        let mut pause = bosh.request("pause='60'", "").await;
        for pending in [&mut held, &mut pause] {
            let answer = pending.answer().await;
            assert_eq!(answer.attr("type"), None, "{answer}");
            assert_eq!(answer.children().count(), 0, "{answer}");
        }
        bosh.sync().await; // and it goes on
    }

    /// B-48
    #[tokio::test]
    async fn wait_or_hold_of_0_is_answered_at_once() {
        let server = TestServer::start().await;
        for terms in ["wait='0' hold='1'", "wait='60' hold='0'"] {
            let attributes = CREATE.replace("wait='60' hold='1'", terms);
            let mut bosh = Bosh::create_with(&server, &attributes).await;
            for _ in 0..3 {
                let mut pending = bosh.request("", "").await;
                pending.answer().await; // and not after 60 seconds
                bosh.keep(pending);
            }
        }
    }
}

mod content {
    use super::*;

    /// B-40
    #[tokio::test]
    async fn stanzas_left_in_the_namespace_of_the_body_become_those_of_clients() {
        let server = TestServer::start().await;
        let mut juliet = Client::available_as(&server, "juliet", "balcony").await;
        let mut bosh = Bosh::available(&server, "romeo").await;
        let inner = format!(
            "<message to='{}' type='chat'><body>inherited</body><x xmlns='urn:x'><y/></x></message>",
            juliet.jid
        );
        let _held = bosh.request("", &inner).await;
        let message = juliet.next_named("message").await;
        assert_eq!(message.namespace(), CLIENT);
        assert_eq!(body(&message), "inherited"); // found in jabber:client
        let x = message.child("x", "urn:x").expect("the payload");
        assert!(x.child("y", "urn:x").is_some());
        assert!(!message.to_string().contains(HTTPBIND), "{message}");
    }

    /// B-36: what comes out of a body is as it would be on a WebSocket.
    #[tokio::test]
    async fn errors_come_as_on_any_stream() {
        let server = TestServer::start().await;
        let mut bosh = Bosh::login(&server, "romeo").await;
        let answer = bosh
            .iq("get", "example.org", "<x xmlns='urn:example'/>")
            .await;
        assert_eq!(condition(&answer), "service-unavailable");
    }

    /// B-39
    #[tokio::test]
    async fn a_stream_error_comes_as_terminate_with_the_error_inside() {
        let server = TestServer::start().await;
        let mut bosh = Bosh::login(&server, "romeo").await;
        let mut pending = bosh.request("", "<thing xmlns='urn:example'/>").await;
        let answer = pending.answer().await;
        assert_eq!(terminated(&answer), "remote-stream-error");
        let error = answer.child("error", ETHERX).expect("a stream error");
        assert_eq!(stream_condition(error), "unsupported-stanza-type");
    }
}

mod ending {
    use super::*;

    /// Romeo over BOSH, whom Juliet sees.
    async fn seen(server: &TestServer, juliet: &mut Client) -> Bosh {
        let mut bosh = Bosh::login(server, "romeo").await;
        let presence = format!("<presence xmlns='{CLIENT}' to='{}'/>", juliet.jid);
        bosh.exchange(&format!(
            "{presence}<iq xmlns='{CLIENT}' type='get' id='x' to='example.org'><ping xmlns='urn:xmpp:ping'/></iq>"
        ))
        .await;
        assert_eq!(juliet.next().await.attr("from"), Some(&*bosh.jid));
        bosh
    }

    /// B-14
    #[tokio::test]
    async fn a_terminate_serves_its_payload_and_answers_what_is_held_and_the_sid_is_dead() {
        let server = TestServer::start().await;
        let mut juliet = Client::available_as(&server, "juliet", "balcony").await;
        let mut bosh = seen(&server, &mut juliet).await;
        let mut held = bosh.request("", "").await;
        let last = message(&juliet.jid, "last words");
        let answer = bosh.terminate(&last).await;
        assert_eq!(answer.attr("type"), Some("terminate"), "{answer}");
        assert_eq!(answer.attr("condition"), None, "{answer}");
        held.answer().await;
        assert_eq!(body(&juliet.next().await), "last words");
        assert_eq!(juliet.next().await.attr("type"), Some("unavailable"));
        let mut after = bosh.request("", "").await;
        assert_eq!(terminated(&after.answer().await), "item-not-found");
        server.sessions(1).await;
    }

    /// B-30
    #[tokio::test]
    async fn without_a_request_for_longer_than_inactivity_the_session_ends() {
        let server = TestServer::with(&["bosh.inactivity=5s"]).await;
        let mut juliet = Client::available_as(&server, "juliet", "balcony").await;
        let mut bosh = seen(&server, &mut juliet).await;
        assert_eq!(number(&bosh.creation, "inactivity"), Some(5));
        let began = Instant::now();
        let gone = juliet.next().await;
        assert_eq!(gone.attr("type"), Some("unavailable"), "{gone}");
        assert!(
            began.elapsed() >= Duration::from_millis(3500),
            "{:?}",
            began.elapsed()
        );
        let mut after = bosh.request("", "").await;
        assert_eq!(terminated(&after.answer().await), "item-not-found");
    }

    /// What a lost session still held is kept, also without stream management.
    #[tokio::test]
    async fn what_a_lost_session_never_fetched_is_kept() {
        let server = TestServer::with(&["bosh.inactivity=5s"]).await;
        let bosh = Bosh::available(&server, "romeo").await;
        let mut juliet = Client::login(&server, "juliet").await;
        juliet.chat("romeo@example.org", "one").await;
        juliet.chat(&bosh.jid, "two").await;
        juliet.hears_nothing().await;
        server.sessions(1).await;
        let mut romeo = Client::login(&server, "romeo").await;
        romeo.send(&format!("<presence xmlns='{CLIENT}'/>")).await;
        assert_eq!(bodies(&romeo.stored(2).await), ["one", "two"]);
    }

    /// A server that stops tells those who wait.
    #[tokio::test]
    async fn at_a_stop_held_requests_are_answered_with_terminate() {
        let server = TestServer::start().await;
        let mut juliet = Client::available_as(&server, "juliet", "balcony").await;
        let mut bosh = Bosh::available(&server, "romeo").await;
        let mut held = bosh.chat(&juliet.jid, "bye").await;
        assert_eq!(body(&juliet.next_named("message").await), "bye"); // so it is held
        let stopping = tokio::spawn(server.server.stop());
        let answer = held.answer().await;
        assert_eq!(terminated(&answer), "remote-stream-error");
        let error = answer.child("error", ETHERX).expect("why");
        assert_eq!(stream_condition(error), "system-shutdown");
        drop((held, bosh, juliet));
        assert!(stopping.await.expect("no panic").in_time);
    }
}
