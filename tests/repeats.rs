//! Messages that a client sends again after its session was lost: delivered once (XEP-0198 §5).

mod kit;

use kit::bosh::Bosh;
use kit::xmpp::bodies;
use kit::{BIND, CLIENT, Client, DELAY, SM, TestServer, condition};

const JULIET: &str = "juliet@example.org";

fn message(id: &str, text: &str) -> String {
    message_to(JULIET, "chat", id, text)
}

fn message_to(to: &str, kind: &str, id: &str, text: &str) -> String {
    format!(
        "<message xmlns='{CLIENT}' to='{to}' id='{id}' type='{kind}'><body>{text}</body></message>"
    )
}

/// The same from a client that says when it first tried.
fn again(message: &str) -> String {
    let stamp = format!("<delay xmlns='{DELAY}' stamp='2026-01-01T00:00:00Z'/>");
    message.replace("</message>", &format!("{stamp}</message>"))
}

async fn juliet(server: &TestServer) -> Client {
    Client::available_as(server, "juliet", "balcony").await
}

/// All of it is dealt with when this returns.
async fn sends(client: &mut Client, messages: &[&str]) {
    for message in messages {
        client.send(message).await;
    }
    client.hears_nothing().await;
}

/// Romeo sends this and loses his link; the session without stream management is over.
async fn lost(server: &TestServer, messages: &[&str]) {
    let others = server.server.sessions().len();
    let mut romeo = Client::login(server, "romeo").await;
    sends(&mut romeo, messages).await;
    drop(romeo);
    server.sessions(others).await;
}

/// The same with stream management: the session can be resumed.
async fn hibernating(server: &TestServer, messages: &[&str]) -> String {
    let hibernating = server.server.sessions().hibernating();
    let mut romeo = Client::login(server, "romeo").await;
    let previd = romeo.enable_resumable().await;
    sends(&mut romeo, messages).await;
    drop(romeo);
    server.hibernating(hibernating + 1).await;
    previd
}

mod lost_sessions {
    use super::*;

    #[tokio::test]
    async fn after_a_failed_resumption_what_comes_again_is_counted_and_not_delivered() {
        let server = TestServer::with(&["sm.resume_timeout=1s"]).await;
        let mut juliet = juliet(&server).await;
        let (one, two, new) = (
            message("1", "one"),
            message("2", "two"),
            message("3", "new"),
        );
        let previd = hibernating(&server, &[&one, &two]).await;
        server.sessions(1).await;
        let (mut romeo, answer) = Client::try_resume(&server, "romeo", &previd, "0").await;
        assert!(answer.is("failed", SM), "{answer}");
        romeo.bind(None).await;
        romeo.enable_resumable().await;
        sends(&mut romeo, &[&again(&one), &again(&two), &new]).await;
        assert_eq!(romeo.ask_h().await, 4); // with the ping behind them
        assert_eq!(juliet.bodies().await, ["one", "two", "new"]);
    }

    #[tokio::test]
    async fn a_client_that_forgot_its_session_and_logs_in_anew_is_delivered_once() {
        let server = TestServer::start().await;
        let mut juliet = juliet(&server).await;
        let one = message("1", "one");
        hibernating(&server, &[&one]).await;
        let mut romeo = Client::login(&server, "romeo").await;
        sends(&mut romeo, &[&one]).await;
        assert_eq!(juliet.bodies().await, ["one"]);
    }

    #[tokio::test]
    async fn without_stream_management_it_is_the_same() {
        let server = TestServer::start().await;
        let mut juliet = juliet(&server).await;
        let one = message("1", "one");
        lost(&server, &[&one]).await;
        let mut romeo = Client::login(&server, "romeo").await;
        sends(&mut romeo, &[&one]).await;
        assert_eq!(juliet.bodies().await, ["one"]);
    }

    /// The old link is silent, and the server does not know yet that it is gone.
    #[tokio::test]
    async fn a_session_that_loses_its_resource_to_the_next_one_is_lost() {
        let server = TestServer::start().await;
        let mut juliet = juliet(&server).await;
        let one = message("1", "one");
        for enable in [true, false] {
            let mut half_open = Client::login_as(&server, "romeo", "orchard").await;
            if enable {
                half_open.enable_resumable().await;
            }
            sends(&mut half_open, &[&one]).await;
            let mut romeo = Client::login_as(&server, "romeo", "orchard").await;
            sends(&mut romeo, &[&one]).await;
            assert_eq!(juliet.bodies().await, ["one"]);
            romeo.close().await;
        }
    }

    /// XEP-0359 §3.2: the id may change on the way, the origin-id does not.
    #[tokio::test]
    async fn an_origin_id_tells_a_repeat_with_another_id() {
        let server = TestServer::start().await;
        let mut juliet = juliet(&server).await;
        let with_origin = |id: &str| {
            let origin = "<origin-id xmlns='urn:xmpp:sid:0' id='o'/></message>";
            message(id, "one").replace("</message>", origin)
        };
        lost(&server, &[&with_origin("1")]).await;
        let mut romeo = Client::login(&server, "romeo").await;
        sends(&mut romeo, &[&with_origin("2")]).await;
        assert_eq!(juliet.bodies().await, ["one"]);
    }

    #[tokio::test]
    async fn a_repeat_is_stored_once_and_copied_once() {
        let server = TestServer::start().await;
        let mut other = Client::available_as(&server, "romeo", "street").await;
        let carbons = "<enable xmlns='urn:xmpp:carbons:2'/>";
        other.iq("set", "", carbons).await;
        let one = message("1", "one");
        lost(&server, &[&one]).await;
        let mut romeo = Client::login(&server, "romeo").await;
        sends(&mut romeo, &[&one]).await;
        assert_eq!(other.messages().await.len(), 1);
        let mut juliet = Client::available_as(&server, "juliet", "balcony").await;
        assert_eq!(bodies(&juliet.stored(1).await), ["one"]);
    }

    #[tokio::test]
    async fn a_reload_switches_it_off_and_on() {
        let server = TestServer::start().await;
        let mut juliet = juliet(&server).await;
        let one = message("1", "one");
        let mut config = (*server.server.config()).clone();
        for (window, delivered) in [(0, 2), (128, 1)] {
            config.sm.repeat_window = window;
            assert!(server.server.reload(&config).is_empty());
            lost(&server, &[&one]).await;
            lost(&server, &[&one]).await;
            assert_eq!(juliet.bodies().await.len(), delivered, "{window}");
        }
    }
}

mod no_repeats {
    use super::*;

    #[tokio::test]
    async fn switched_off_every_copy_is_delivered() {
        let server = TestServer::with(&["sm.repeat_window=0"]).await;
        let mut juliet = juliet(&server).await;
        let one = message("1", "one");
        lost(&server, &[&one]).await;
        hibernating(&server, &[&one]).await;
        let mut romeo = Client::login(&server, "romeo").await;
        sends(&mut romeo, &[&one]).await;
        assert_eq!(juliet.bodies().await, ["one", "one", "one"]);
    }

    #[tokio::test]
    async fn one_session_may_use_an_id_for_two_messages_and_send_one_twice() {
        let server = TestServer::start().await;
        let mut juliet = juliet(&server).await;
        let (one, other) = (message("1", "one"), message("1", "other"));
        let mut romeo = Client::login(&server, "romeo").await;
        sends(&mut romeo, &[&one, &other, &one]).await;
        assert_eq!(juliet.bodies().await, ["one", "other", "one"]);
    }

    #[tokio::test]
    async fn a_session_that_is_resumed_may_use_its_ids_again() {
        let server = TestServer::start().await;
        let mut juliet = juliet(&server).await;
        let one = message("1", "one");
        let previd = hibernating(&server, &[&one]).await;
        let (mut romeo, _) = Client::resume(&server, "romeo", &previd, 1).await;
        sends(&mut romeo, &[&one]).await;
        assert_eq!(juliet.bodies().await, ["one", "one"]);
    }

    #[tokio::test]
    async fn two_pages_that_use_the_same_ids_are_both_delivered() {
        let server = TestServer::start().await;
        let mut juliet = juliet(&server).await;
        let one = message("1", "one");
        let mut page = Client::login(&server, "romeo").await;
        let mut other = Client::login(&server, "romeo").await;
        sends(&mut page, &[&one]).await;
        sends(&mut other, &[&one]).await;
        assert_eq!(juliet.bodies().await, ["one", "one"]);
        // And when the first one has lost its link.
        let two = message("2", "two");
        sends(&mut page, &[&two]).await;
        drop(page);
        server.sessions(2).await;
        sends(&mut other, &[&two]).await;
        assert_eq!(juliet.bodies().await, ["two", "two"]);
    }

    #[tokio::test]
    async fn after_a_close_in_order_ids_may_begin_anew() {
        let server = TestServer::start().await;
        let mut juliet = juliet(&server).await;
        let one = message("1", "one");
        for _ in 0..2 {
            let mut romeo = Client::login(&server, "romeo").await;
            sends(&mut romeo, &[&one]).await;
            romeo.close().await;
        }
        assert_eq!(juliet.bodies().await, ["one", "one"]);
    }

    #[tokio::test]
    async fn another_content_addressee_or_account_is_another_message() {
        let server = TestServer::start().await;
        let mut juliet = juliet(&server).await;
        let mut nurse = Client::available_as(&server, "nurse", "house").await;
        let one = message("1", "one");
        lost(&server, &[&one]).await;
        let mut romeo = Client::login(&server, "romeo").await;
        let to_nurse = message_to("nurse@example.org", "chat", "1", "one");
        sends(&mut romeo, &[&message("1", "other"), &to_nurse]).await;
        let mut mercutio = Client::login(&server, "mercutio").await;
        sends(&mut mercutio, &[&one]).await;
        assert_eq!(juliet.bodies().await, ["one", "other", "one"]);
        assert_eq!(nurse.bodies().await, ["one"]);
    }

    #[tokio::test]
    async fn what_has_no_id_is_delivered_each_time() {
        let server = TestServer::start().await;
        let mut juliet = juliet(&server).await;
        let one = message("1", "one").replace(" id='1'", "");
        lost(&server, &[&one]).await;
        let mut romeo = Client::login(&server, "romeo").await;
        sends(&mut romeo, &[&one]).await;
        assert_eq!(juliet.bodies().await, ["one", "one"]);
    }

    #[tokio::test]
    async fn what_was_refused_the_first_time_is_delivered_the_second() {
        let server = TestServer::start().await;
        let one = message_to("juliet@example.org/balcony", "normal", "1", "one");
        let mut romeo = Client::login(&server, "romeo").await;
        romeo.enable_resumable().await;
        romeo.send(&one).await;
        let error = romeo.next_named("message").await;
        assert_eq!(condition(&error), "service-unavailable");
        drop(romeo);
        server.hibernating(1).await;
        let mut juliet = juliet(&server).await;
        let mut romeo = Client::login(&server, "romeo").await;
        sends(&mut romeo, &[&one]).await;
        assert_eq!(juliet.bodies().await, ["one"]);
    }
}

mod over_bosh {
    use super::*;

    async fn bound(server: &TestServer, resource: &str) -> Bosh {
        let mut romeo = Bosh::authenticated(server, "romeo").await;
        let bind = format!("<bind xmlns='{BIND}'><resource>{resource}</resource></bind>");
        let answer = romeo.iq("set", "", &bind).await;
        assert_eq!(answer.attr("type"), Some("result"), "{answer}");
        romeo
    }

    /// In one request with a ping behind them, whose answer is all that comes.
    async fn sends(client: &mut Bosh, messages: &[&str]) {
        let ping = format!(
            "<iq xmlns='{CLIENT}' to='example.org' type='get' id='p'><ping xmlns='urn:xmpp:ping'/></iq>"
        );
        client.send(&(messages.concat() + &ping)).await;
        let pong = client.next().await;
        assert_eq!(pong.attr("id"), Some("p"), "{pong}");
        assert!(client.inbox.is_empty(), "{:?}", client.inbox);
    }

    #[tokio::test]
    async fn a_session_that_times_out_is_lost() {
        let server = TestServer::with(&["bosh.inactivity=5s"]).await;
        let mut juliet = juliet(&server).await;
        let one = message("1", "one");
        let mut romeo = bound(&server, "orchard").await;
        sends(&mut romeo, &[&one]).await;
        drop(romeo);
        server.sessions(1).await;
        let mut romeo = bound(&server, "street").await;
        sends(&mut romeo, &[&again(&one)]).await;
        assert_eq!(juliet.bodies().await, ["one"]);
    }

    #[tokio::test]
    async fn a_failed_resumption_is_followed_by_repeats_over_either_transport() {
        let server = TestServer::with(&["sm.resume_timeout=1s", "bosh.inactivity=5s"]).await;
        let mut juliet = juliet(&server).await;
        let one = message("1", "one");
        let previd = hibernating(&server, &[&one]).await;
        server.sessions(1).await;
        let mut romeo = Bosh::authenticated(&server, "romeo").await;
        romeo
            .send(&format!("<resume xmlns='{SM}' previd='{previd}' h='0'/>"))
            .await;
        let answer = romeo.next().await;
        assert!(answer.is("failed", SM), "{answer}");
        romeo
            .iq("set", "", &format!("<bind xmlns='{BIND}'/>"))
            .await;
        let previd = romeo.enable_resumable().await;
        let two = message("2", "two");
        sends(&mut romeo, &[&one, &two]).await;
        drop(romeo);
        server.sessions(1).await;
        let (mut romeo, answer) = Client::try_resume(&server, "romeo", &previd, "0").await;
        assert!(answer.is("failed", SM), "{answer}");
        romeo.bind(None).await;
        super::sends(&mut romeo, &[&one, &two]).await;
        assert_eq!(juliet.bodies().await, ["one", "two"]);
    }

    #[tokio::test]
    async fn a_session_that_loses_its_resource_to_the_next_one_is_lost() {
        let server = TestServer::start().await;
        let mut juliet = juliet(&server).await;
        let one = message("1", "one");
        let mut silent = bound(&server, "orchard").await;
        sends(&mut silent, &[&one]).await;
        let mut romeo = bound(&server, "orchard").await;
        sends(&mut romeo, &[&one]).await;
        let mut over_websocket = Client::login_as(&server, "romeo", "orchard").await;
        super::sends(&mut over_websocket, &[&one]).await;
        assert_eq!(juliet.bodies().await, ["one"]);
    }

    #[tokio::test]
    async fn after_a_terminate_in_order_ids_may_begin_anew() {
        let server = TestServer::start().await;
        let mut juliet = juliet(&server).await;
        let one = message("1", "one");
        for _ in 0..2 {
            let mut romeo = bound(&server, "orchard").await;
            sends(&mut romeo, &[&one]).await;
            romeo.terminate("").await;
        }
        assert_eq!(juliet.bodies().await, ["one", "one"]);
    }
}
