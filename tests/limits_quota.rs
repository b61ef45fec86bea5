//! `limits.user_stanzas_per_second` and the like: what an account sends over its rate is slowed,
//! refused or ends its stream, and nobody else notices.

mod kit;

use kit::bosh::terminated;
use kit::xmpp::stream_condition;
use kit::{Bosh, CLIENT, Client, ETHERX, TestServer, bodies, condition, within};
use stanzad::xml::Element;
use std::time::{Duration, Instant};

/// Twenty a second, and no more than ten at once.
const SLOW: &[&str] = &[
    "limits.user_stanzas_per_second=20",
    "limits.user_stanzas_burst=10",
];

/// Two a second, so that what is sent at once is over it, however slow the machine.
fn strict(excess: &'static str) -> Vec<&'static str> {
    vec![
        "limits.user_stanzas_per_second=2",
        "limits.user_stanzas_burst=10",
        excess,
    ]
}

fn messages(to: &str, count: usize) -> String {
    let message = |n| {
        format!(
            "<message xmlns='{CLIENT}' to='{to}' id='m{n}' type='chat'><body>{n}</body></message>"
        )
    };
    (0..count).map(message).collect()
}

/// Sends them one by one without waiting for anything.
async fn send_all(client: &mut Client, to: &str, count: usize) {
    for n in 0..count {
        client.chat(to, &n.to_string()).await;
    }
}

/// So many bodies come, in order.
async fn hears_all(client: &mut Client, count: usize) {
    for n in 0..count {
        let message = client.next_named("message").await;
        assert_eq!(bodies(&[message]), [n.to_string()]);
    }
}

/// Two who chat while somebody else is slowed.
async fn others_chat(server: &TestServer) {
    let mut tybalt = Client::login(server, "tybalt").await;
    let mut nurse = Client::login(server, "nurse").await;
    tybalt.chat(&nurse.jid, "meanwhile").await;
    let heard = nurse.next_named("message").await;
    assert_eq!(bodies(&[heard]), ["meanwhile"]);
}

mod slow {
    use super::*;

    /// L-04
    #[tokio::test]
    async fn who_sends_too_fast_is_read_more_slowly_and_nothing_is_lost() {
        let server = TestServer::with(SLOW).await;
        let mut juliet = Client::login(&server, "juliet").await;
        let mut romeo = Client::login(&server, "romeo").await;
        let began = Instant::now();
        send_all(&mut romeo, &juliet.jid, 50).await;
        others_chat(&server).await;
        hears_all(&mut juliet, 50).await;
        assert!(began.elapsed() >= Duration::from_millis(1900));
        romeo.hears_nothing().await;
    }

    #[tokio::test]
    async fn over_bosh_as_well() {
        let server = TestServer::with(SLOW).await;
        let mut juliet = Client::login(&server, "juliet").await;
        let mut romeo = Bosh::login(&server, "romeo").await;
        let began = Instant::now();
        let mut sent = romeo.request("", &messages(&juliet.jid, 50)).await;
        others_chat(&server).await;
        hears_all(&mut juliet, 50).await;
        assert!(began.elapsed() >= Duration::from_millis(1900));
        let next = romeo.request("", "").await;
        assert_eq!(romeo.take(&mut sent).await.attr("type"), None);
        drop(next);
    }

    #[tokio::test]
    async fn sessions_of_one_account_share_over_both_transports() {
        let server = TestServer::with(SLOW).await;
        let mut juliet = Client::login(&server, "juliet").await;
        let mut one = Client::login(&server, "romeo").await;
        let mut two = Bosh::login(&server, "romeo").await;
        let began = Instant::now();
        send_all(&mut one, &juliet.jid, 25).await;
        let _sent = two.request("", &messages(&juliet.jid, 25)).await;
        for _ in 0..50 {
            juliet.next_named("message").await;
        }
        assert!(began.elapsed() >= Duration::from_millis(1900));
    }

    #[tokio::test]
    async fn a_new_session_does_not_begin_anew() {
        let server = TestServer::with(&[
            "limits.user_stanzas_per_second=2",
            "limits.user_stanzas_burst=10",
        ])
        .await;
        let mut juliet = Client::login(&server, "juliet").await;
        let began = Instant::now();
        for _ in 0..3 {
            let mut romeo = Client::login(&server, "romeo").await;
            send_all(&mut romeo, &juliet.jid, 5).await;
            romeo.close().await;
        }
        for _ in 0..15 {
            juliet.next_named("message").await;
        }
        // 15 messages and 3 closes: 8 of them are over the burst.
        assert!(began.elapsed() >= Duration::from_millis(3000));
    }

    #[tokio::test]
    async fn bytes_count_as_stanzas_do() {
        let server = TestServer::with(&[
            "limits.max_stanza_bytes=20000",
            "limits.max_stanza_bytes_before_auth=10000",
            "limits.user_bytes_per_second=20000",
            "limits.user_bytes_burst=20000",
        ])
        .await;
        let mut juliet = Client::login(&server, "juliet").await;
        let mut romeo = Client::login(&server, "romeo").await;
        let mut tybalt = Bosh::login(&server, "tybalt").await;
        let long = "x".repeat(15_000);
        let began = Instant::now();
        for _ in 0..4 {
            romeo.chat(&juliet.jid, &long).await;
        }
        for _ in 0..4 {
            juliet.next_named("message").await;
        }
        // The last one is served as soon as what is over with the third is paid.
        assert!(began.elapsed() >= Duration::from_millis(1200));
        let began = Instant::now();
        for _ in 0..4 {
            let sent = tybalt.chat(&juliet.jid, &long).await;
            juliet.next_named("message").await;
            drop(sent);
        }
        assert!(began.elapsed() >= Duration::from_millis(1200));
    }

    /// XEP-0198 §4: an ack request costs an answer, and a flood of them is slowed, too.
    #[tokio::test]
    async fn a_flood_of_ack_requests_is_slowed() {
        let server = TestServer::with(SLOW).await;
        let mut romeo = Client::login(&server, "romeo").await;
        romeo.enable("").await;
        let began = Instant::now();
        for _ in 0..49 {
            romeo.send(&format!("<r xmlns='{}'/>", kit::SM)).await;
        }
        for _ in 0..49 {
            romeo.next_where(|e| e.is("a", kit::SM)).await;
        }
        assert!(began.elapsed() >= Duration::from_millis(1900));
    }
}

mod refuse {
    use super::*;

    /// The errors among what came: all of them say why, and that it is a matter of time.
    fn refused(heard: &[Element]) -> usize {
        let errors = heard.iter().filter(|e| e.attr("type") == Some("error"));
        let mut count = 0;
        for error in errors {
            assert_eq!(condition(error), "resource-constraint");
            let kind = error.child("error", CLIENT).and_then(|e| e.attr("type"));
            assert_eq!(kind, Some("wait"));
            count += 1;
        }
        count
    }

    #[tokio::test]
    async fn what_is_too_much_is_answered_and_counts_as_handled() {
        let server = TestServer::with(&strict("limits.user_excess=refuse")).await;
        let mut juliet = Client::login(&server, "juliet").await;
        let mut romeo = Client::login(&server, "romeo").await;
        romeo.enable("").await;
        send_all(&mut romeo, &juliet.jid, 40).await;
        assert_eq!(romeo.ask_h().await, 40);
        let refused = refused(&romeo.inbox.drain(..).collect::<Vec<_>>());
        let mut served = 0;
        while served + refused < 40 {
            juliet.next_named("message").await;
            served += 1;
        }
        assert!(served >= 9 && refused >= 20, "{served} and {refused}");
        juliet.hears_nothing().await;
        others_chat(&server).await;
    }

    #[tokio::test]
    async fn over_bosh_as_well() {
        let server = TestServer::with(&strict("limits.user_excess=refuse")).await;
        let mut juliet = Client::login(&server, "juliet").await;
        let mut romeo = Bosh::login(&server, "romeo").await;
        romeo.send(&messages(&juliet.jid, 40)).await;
        let mut errors = Vec::new();
        while errors.len() < 25 {
            errors.push(romeo.next().await);
        }
        assert_eq!(refused(&errors), 25);
        assert_eq!(juliet.next_named("message").await.attr("id"), Some("m0"));
    }

    /// An error may not answer an error; so who sends too many of them is slowed.
    #[tokio::test]
    async fn what_may_not_be_answered_is_slowed() {
        let server = TestServer::with(&strict("limits.user_excess=refuse")).await;
        let mut juliet = Client::login(&server, "juliet").await;
        let mut romeo = Client::login(&server, "romeo").await;
        let began = Instant::now();
        for n in 0..16 {
            romeo
                .send(&format!(
                    "<message xmlns='{CLIENT}' to='{}' id='{n}' type='error'><error type='cancel'>\
                     <item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>",
                    juliet.jid
                ))
                .await;
        }
        for n in 0..16 {
            let id = n.to_string();
            let error = juliet.next_named("message").await;
            assert_eq!(error.attr("id"), Some(&*id));
        }
        assert!(began.elapsed() >= Duration::from_millis(2500));
    }
}

mod close {
    use super::*;

    #[tokio::test]
    async fn who_sends_too_much_is_told_and_ended() {
        let server = TestServer::with(&strict("limits.user_excess=close")).await;
        let mut juliet = Client::login(&server, "juliet").await;
        let mut romeo = Client::login(&server, "romeo").await;
        romeo.enable_resumable().await;
        send_all(&mut romeo, &juliet.jid, 40).await;
        let (texts, code) = within("an end", romeo.ws.read_to_end()).await;
        assert_eq!(code, Some(1008));
        let error = kit::xmpp::parse(&texts[texts.len() - 2]);
        assert_eq!(stream_condition(&error), "policy-violation");
        assert_eq!(juliet.next_named("message").await.name(), "message");
        server.sessions(1).await;
    }

    #[tokio::test]
    async fn over_bosh_as_well() {
        let server = TestServer::with(&strict("limits.user_excess=close")).await;
        let juliet = Client::login(&server, "juliet").await;
        let mut romeo = Bosh::login(&server, "romeo").await;
        let mut sent = romeo.request("", &messages(&juliet.jid, 40)).await;
        let end = sent.answer().await;
        assert_eq!(terminated(&end), "remote-stream-error");
        let error = end.child("error", ETHERX).expect("why");
        assert_eq!(stream_condition(error), "policy-violation");
        server.sessions(1).await;
    }
}

/// The operator may change his mind while everybody is here.
#[tokio::test]
async fn another_rate_holds_for_open_sessions_from_the_reload_on() {
    let server = TestServer::with(&strict("limits.user_excess=slow")).await;
    let mut juliet = Client::login(&server, "juliet").await;
    let mut romeo = Client::login(&server, "romeo").await;
    let mut config = (*server.server.config()).clone();
    config.limits.user_stanzas_per_second = 0;
    assert!(server.server.reload(&config).is_empty());
    let began = Instant::now();
    send_all(&mut romeo, &juliet.jid, 100).await;
    hears_all(&mut juliet, 100).await;
    assert!(began.elapsed() < Duration::from_secs(20), "not 45 seconds");
}
