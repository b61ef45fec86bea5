//! stanzad inside an application: handlers, listeners, admission, and the verbs over targets.
//!
//! Tests bear the ids of the rows of `tests/rows.md` in their names.

mod kit;

use axum::http::{HeaderValue, StatusCode};
use kit::ws::{CLOSE, code_bytes};
use kit::xmpp::{bodies, condition};
use kit::{CLIENT, Client, Handshake, Http, SM, TestServer, body, until, within};
use stanzad::auth::Admission;
use stanzad::http::gate;
use stanzad::stanza::Condition;
use stanzad::{
    Authenticator, CloseReason, Event, Handler, Listener, SessionHandle, SessionId, Stanza,
    StanzaError, Target,
};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Logged in as this account over a handshake.
async fn by(handshake: &Handshake, server: &TestServer, name: &str) -> Client {
    let (response, ws) = handshake.send(server).await;
    assert_eq!(response.status, 101, "{}", response.text());
    let mut client = Client::on(ws).await;
    client.plain(name).await;
    client.bind(None).await;
    client
}

fn path(path: &str) -> Handshake {
    Handshake::new().line(&format!("GET {path} HTTP/1.1"))
}

fn id_of(server: &TestServer, client: &Client) -> SessionId {
    let jid = client.jid.parse().expect("an address");
    server.server.sessions().at(&jid).expect("a session").id()
}

fn headline(server: &TestServer, text: &str) -> Stanza {
    let text = format!("<message type='headline'><body>{text}</body></message>");
    server.server.stanza(&text).expect("a stanza")
}

/// Everything that a listener heard, each line with the resource of its session.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Vec<(String, String)>>>);

impl Heard {
    fn of(&self, jid: &str) -> Vec<String> {
        let heard = self.0.lock().expect("whole");
        let own = heard.iter().filter(|(session, _)| session == jid);
        own.map(|(_, what)| what.clone()).collect()
    }

    fn count(&self, what: &str) -> usize {
        let heard = self.0.lock().expect("whole");
        heard
            .iter()
            .filter(|(_, said)| said.starts_with(what))
            .count()
    }
}

impl Listener for Heard {
    async fn on_event(&self, session: &SessionHandle, event: &Event) {
        let what = match event {
            Event::Open => "open".to_owned(),
            Event::Stanza(stanza) => format!("stanza {}", stanza.content()),
            Event::Detached => "detached".to_owned(),
            Event::Resumed => "resumed".to_owned(),
            Event::Error(fault) => format!("error {}", fault.condition().as_str()),
            Event::Close(reason) => format!("close {}", reason.as_str()),
        };
        let line = (session.jid().to_string(), what);
        self.0.lock().expect("whole").push(line);
    }
}

mod handlers {
    use super::*;

    const ECHO: &str = "echo.example.org";

    /// X1
    #[tokio::test]
    async fn x1_a_handler_answers_at_an_address_of_its_own() {
        let server = TestServer::with(&["handlers=[\"echo\"]"]).await;
        let mut romeo = Client::login(&server, "romeo").await;
        romeo.chat(ECHO, "hark").await;
        let answer = romeo.next_named("message").await;
        assert_eq!(body(&answer), "hark");
        assert_eq!(answer.attr("from"), Some(ECHO));
        assert_eq!(answer.attr("to"), Some(&*romeo.jid));
        assert_eq!(answer.attr("type"), Some("chat"));
    }

    /// X1
    #[tokio::test]
    async fn x1_nobody_answers_at_an_address_without_a_handler() {
        let server = TestServer::with(&["handlers=[\"echo\"]"]).await;
        let mut romeo = Client::login(&server, "romeo").await;
        romeo.chat("nope.example.org", "hark").await;
        let error = romeo.next_named("message").await;
        assert_eq!(error.attr("type"), Some("error"), "{error}");
        assert_eq!(condition(&error), "remote-server-not-found");
    }

    /// X1
    #[tokio::test]
    async fn x1_a_handler_is_found_by_disco() {
        let server = TestServer::with(&["handlers=[\"echo\"]"]).await;
        let mut romeo = Client::login(&server, "romeo").await;
        let items = "<query xmlns='http://jabber.org/protocol/disco#items'/>";
        let items = romeo.iq("get", "example.org", items).await;
        assert!(items.to_string().contains(ECHO), "{items}");
        let info = "<query xmlns='http://jabber.org/protocol/disco#info'/>";
        let info = romeo.iq("get", ECHO, info).await;
        assert_eq!(info.attr("type"), Some("result"), "{info}");
        assert!(info.to_string().contains("component"), "{info}");
    }

    /// Answers as the text of the message says.
    struct Moody;

    impl Handler for Moody {
        async fn handle(
            &self,
            from: &SessionHandle,
            stanza: Stanza,
        ) -> Result<Option<Stanza>, StanzaError> {
            match stanza.content() {
                text if text.contains("panic") => panic!("as it was told to"),
                text if text.contains("hang") => std::future::pending().await,
                text if text.contains("refuse") => Err(Condition::Forbidden.into()),
                text if text.contains("silence") => Ok(None),
                _ => Ok(Some(
                    stanza.answered(&format!("<body>{}</body>", from.jid().resource())),
                )),
            }
        }
    }

    async fn moody() -> (TestServer, Client) {
        let server = TestServer::built(&[], |builder| builder.handler("moody", Moody)).await;
        let romeo = Client::login_as(&server, "romeo", "orchard").await;
        (server, romeo)
    }

    const MOODY: &str = "moody.example.org";

    /// X1
    #[tokio::test]
    async fn x1_an_error_or_a_panic_of_a_handler_is_an_answer_and_the_session_lives() {
        let (_server, mut romeo) = moody().await;
        for (text, wanted) in [("refuse", "forbidden"), ("panic", "internal-server-error")] {
            romeo.chat(MOODY, text).await;
            let error = romeo.next_named("message").await;
            assert_eq!(condition(&error), wanted, "{error}");
        }
        romeo.chat(MOODY, "who am I").await;
        assert_eq!(body(&romeo.next_named("message").await), "orchard");
    }

    /// X1: only the exchange with the handler waits.
    #[tokio::test]
    async fn x1_a_handler_that_hangs_holds_nothing_else_up() {
        let (_server, mut romeo) = moody().await;
        romeo.chat(MOODY, "hang").await;
        romeo.chat(MOODY, "who am I").await;
        assert_eq!(body(&romeo.next_named("message").await), "orchard");
        let error = within("an answer", romeo.next_named("message")).await;
        assert_eq!(condition(&error), "remote-server-timeout", "{error}");
    }

    /// X1
    #[tokio::test]
    async fn x1_every_request_is_answered_and_no_error_is() {
        let (_server, mut romeo) = moody().await;
        let answer = romeo.iq("get", MOODY, "<silence xmlns='urn:x'/>").await;
        assert_eq!(condition(&answer), "feature-not-implemented");
        let error = format!(
            "<message xmlns='{CLIENT}' to='{MOODY}' type='error'><body>refuse</body></message>"
        );
        romeo.send(&error).await;
        romeo.hears_nothing().await;
    }
}

mod listeners {
    use super::*;

    async fn heard() -> (TestServer, Heard) {
        let heard = Heard::default();
        let listener = heard.clone();
        let server = TestServer::built(&[], |builder| builder.listener(listener)).await;
        (server, heard)
    }

    /// E4: a lost link is no end.
    #[tokio::test]
    async fn e4_a_session_that_resumes_was_detached_and_not_closed() {
        let (server, heard) = heard().await;
        let mut romeo = Client::login_as(&server, "romeo", "orchard").await;
        let jid = romeo.jid.clone();
        let previd = romeo.enable_resumable().await;
        romeo.chat("juliet@example.org", "one").await;
        romeo.sync().await;
        drop(romeo);
        server.hibernating(1).await;
        let (romeo, _) = Client::resume(&server, "romeo", &previd, 0).await;
        romeo.close().await;
        server.sessions(0).await;
        until("the last event", || heard.count("close") == 1).await;
        let events = heard.of(&jid);
        let events: Vec<_> = events.iter().map(String::as_str).collect();
        let ping = "stanza <ping xmlns='urn:xmpp:ping'/>";
        assert_eq!(
            events,
            [
                "open",
                "stanza <body>one</body>",
                ping,
                "detached",
                "resumed",
                "close closed"
            ]
        );
    }

    /// X2: each session that opens is closed once, however it ends.
    #[tokio::test]
    async fn x2_two_hundred_sessions_that_end_anyhow_are_each_closed_once() {
        let (server, heard) = heard().await;
        for round in 0..50 {
            let name = kit::server::NAMES[round % 5];
            let closes = Client::login(&server, name).await;
            closes.close().await;
            let vanishes = Client::login(&server, name).await;
            drop(vanishes);
            let mut errs = Client::login(&server, name).await;
            errs.send("<message").await;
            errs.refused(&["not-well-formed"]).await;
            let mut shuts = Client::login(&server, name).await;
            shuts.ws.frame(CLOSE, code_bytes(1001)).await;
            drop(shuts);
        }
        server.sessions(0).await;
        until("the last event", || heard.count("close") >= 200).await;
        assert_eq!(heard.count("open"), 200);
        assert_eq!(heard.count("close"), 200);
        assert_eq!(heard.count("close closed"), 50);
        assert_eq!(heard.count("close stream-error"), 50);
        assert_eq!(heard.count("close link-lost"), 100);
        assert_eq!(heard.count("error not-well-formed"), 50);
    }

    /// Takes its time for the end of a session.
    struct Slow(Heard);

    impl Listener for Slow {
        async fn on_event(&self, session: &SessionHandle, event: &Event) {
            if let Event::Close(_) = event {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            self.0.on_event(session, event).await;
        }
    }

    /// X2: also when the server stops, and the process is about to end.
    #[tokio::test]
    async fn x2_a_stop_waits_until_listeners_have_heard_of_the_ends() {
        let heard = Heard::default();
        let slow = Slow(heard.clone());
        let server = TestServer::built(&[], |builder| builder.listener(slow)).await;
        let romeo = Client::login_as(&server, "romeo", "orchard").await;
        let jid = romeo.jid.clone();
        drop(romeo);
        server.sessions(0).await;
        assert_eq!(heard.of(&jid), ["open"]);
        server.server.stop().await;
        assert_eq!(heard.of(&jid), ["open", "close link-lost"]);
    }

    /// Panics at every stanza.
    struct Broken;

    impl Listener for Broken {
        async fn on_event(&self, _session: &SessionHandle, event: &Event) {
            if let Event::Stanza(_) = event {
                panic!("as it was told to");
            }
        }
    }

    /// O9
    #[tokio::test]
    async fn o9_a_listener_that_panics_loses_nothing_but_its_own_event() {
        let heard = Heard::default();
        let after = heard.clone();
        let server =
            TestServer::built(&[], |builder| builder.listener(Broken).listener(after)).await;
        let mut romeo = Client::login_as(&server, "romeo", "orchard").await;
        let mut juliet = Client::available_as(&server, "juliet", "balcony").await;
        romeo.chat("juliet@example.org", "hark").await;
        assert_eq!(body(&juliet.next_named("message").await), "hark");
        assert_eq!(heard.of(&romeo.jid), ["open", "stanza <body>hark</body>"]);
    }

    /// Keeps a count with each session, and tells it.
    struct Counting;

    struct Count(Mutex<usize>);

    impl Listener for Counting {
        async fn on_event(&self, session: &SessionHandle, event: &Event) {
            match event {
                Event::Open => {
                    session.put(Count(Mutex::new(0)));
                }
                Event::Stanza(stanza) if stanza.marks.body => {
                    let count = session.get::<Count>().expect("it was put");
                    let now = {
                        let mut count = count.0.lock().expect("whole");
                        *count += 1;
                        *count
                    };
                    let text = format!("<message type='headline'><body>{now}</body></message>");
                    let stanza = session.server().stanza(&text).expect("a stanza");
                    session.send(&stanza).await;
                }
                _ => {}
            }
        }
    }

    /// O4, E3
    #[tokio::test]
    async fn o4_what_is_put_to_a_session_is_there_after_a_resumption() {
        let server = TestServer::built(&[], |builder| builder.listener(Counting)).await;
        let mut romeo = Client::login_as(&server, "romeo", "orchard").await;
        let previd = romeo.enable_resumable().await;
        romeo.chat("romeo@example.org/orchard", "x").await;
        let first = romeo
            .next_where(|e| e.attr("type") == Some("headline"))
            .await;
        assert_eq!(body(&first), "1");
        romeo.sync().await; // the message itself, and a pong
        drop(romeo);
        server.hibernating(1).await;
        let (mut romeo, _) = Client::resume(&server, "romeo", &previd, 3).await;
        romeo.chat("romeo@example.org/orchard", "y").await;
        let second = romeo
            .next_where(|e| e.attr("type") == Some("headline"))
            .await;
        assert_eq!(body(&second), "2");
    }
}

mod verbs {
    use super::*;

    async fn two_paths() -> TestServer {
        // The aliases of one endpoint are paths of their own.
        TestServer::built(&[], |builder| builder).await
    }

    /// E6
    #[tokio::test]
    async fn e6_what_is_sent_to_a_session_arrives_once_and_is_counted() {
        let server = two_paths().await;
        let mut romeo = Client::login(&server, "romeo").await;
        romeo.enable("").await;
        let target = Target::session(id_of(&server, &romeo));
        let delivery = server
            .server
            .send(&target, &headline(&server, "hark"))
            .await;
        assert_eq!(
            (delivery.sent, delivery.queued, delivery.dropped),
            (1, 0, 0)
        );
        let message = romeo.next_named("message").await;
        assert_eq!(body(&message), "hark");
        assert_eq!(message.attr("to"), Some(&*romeo.jid));
        assert_eq!(message.attr("from"), Some("example.org"));
        romeo.send(&format!("<a xmlns='{SM}' h='1'/>")).await;
        assert_eq!(delivery.acked(kit::PATIENCE).await, 1);
        let gone = Target::session(SessionId::random());
        let nowhere = server.server.send(&gone, &headline(&server, "hark")).await;
        assert_eq!((nowhere.sent, nowhere.queued), (0, 0));
    }

    /// O6: who really has it is counted, and who sent it can be left out.
    #[tokio::test]
    async fn o6_the_acks_of_all_sockets_of_a_user_are_counted() {
        let server = two_paths().await;
        let mut clients = Vec::new();
        for resource in ["a", "b", "c", "d"] {
            let mut client = Client::login_as(&server, "romeo", resource).await;
            client.enable("").await;
            clients.push(client);
        }
        let except = id_of(&server, &clients[3]);
        let romeo = "romeo@example.org".parse().expect("an address");
        let target = Target::user(&romeo).except(except);
        let delivery = server
            .server
            .send(&target, &headline(&server, "hark"))
            .await;
        assert_eq!(delivery.sent, 3);
        for client in &mut clients[..3] {
            assert_eq!(bodies(&client.messages().await), ["hark"]);
        }
        for client in &mut clients[..2] {
            // The answer to the ping is the second stanza.
            client.send(&format!("<a xmlns='{SM}' h='2'/>")).await;
            client.hears_nothing().await;
        }
        clients[3].hears_nothing().await;
        assert_eq!(
            delivery.acked(Duration::from_millis(200)).await,
            2,
            "one is frozen"
        );
    }

    /// O6: if no socket of a user ever had it, it waits for the user, who is named in it.
    #[tokio::test]
    async fn o6_what_no_socket_of_a_user_acknowledged_waits_for_the_user() {
        let server = two_paths().await;
        for resource in ["a", "b"] {
            let mut juliet = Client::login_as(&server, "juliet", resource).await;
            juliet.enable_resumable().await;
            drop(juliet);
        }
        server.hibernating(2).await;
        let juliet = "juliet@example.org".parse().expect("an address");
        let target = Target::user(&juliet);
        let text = "<message type='chat' to='romeo@example.org'><body>hark</body></message>";
        let stanza = server.server.stanza(text).expect("a stanza");
        assert_eq!(server.server.send(&target, &stanza).await.queued, 2);
        let closed = server.server.close(&target, CloseReason::Removed);
        assert_eq!(closed.await, 2);
        server.sessions(0).await;
        let mut juliet = Client::available_as(&server, "juliet", "c").await;
        let message = juliet.next_named("message").await;
        assert_eq!(body(&message), "hark");
        assert_eq!(message.attr("to"), Some("juliet@example.org"));
    }

    /// O6: a session that hibernates gets it when it is back.
    #[tokio::test]
    async fn o6_what_is_sent_to_a_hibernating_session_waits_for_it() {
        let server = two_paths().await;
        let mut romeo = Client::login_as(&server, "romeo", "orchard").await;
        let previd = romeo.enable_resumable().await;
        let target = Target::session(id_of(&server, &romeo));
        drop(romeo);
        server.hibernating(1).await;
        let delivery = server
            .server
            .send(&target, &headline(&server, "hark"))
            .await;
        assert_eq!((delivery.sent, delivery.queued), (0, 1));
        let (mut romeo, _) = Client::resume(&server, "romeo", &previd, 0).await;
        assert_eq!(romeo.bodies().await, ["hark"]);
    }

    /// O5
    #[tokio::test]
    async fn o5_a_user_exists_by_the_path_of_its_sockets() {
        let server = two_paths().await;
        let _romeo = Client::login(&server, "romeo").await;
        let romeo = "romeo@example.org".parse().expect("an address");
        let juliet = "juliet@example.org".parse().expect("an address");
        for (filter, is_here) in [
            ("/ws", true),
            ("/ws/", true),
            ("/ws/*", true),
            ("*", true),
            ("/push/*", false),
        ] {
            let target = Target::user(&romeo).path(filter.parse().expect("a filter"));
            assert_eq!(server.server.exists(&target).await, is_here, "{filter}");
        }
        assert!(!server.server.exists(&Target::user(&juliet)).await);
    }

    /// E7
    #[tokio::test]
    async fn e7_a_group_reaches_its_members_and_forgets_those_that_are_gone() {
        let server = two_paths().await;
        let mut clients = Vec::new();
        for name in ["romeo", "juliet", "mercutio"] {
            clients.push(Client::login(&server, name).await);
        }
        for client in &clients[..2] {
            let id = id_of(&server, client);
            assert_eq!(server.server.join("chat", id).await, Ok(true));
            assert_eq!(server.server.join("chat", id).await, Ok(false));
        }
        let target = Target::group("chat");
        let delivery = server
            .server
            .send(&target, &headline(&server, "hark"))
            .await;
        assert_eq!(delivery.sent, 2);
        assert_eq!(clients[0].bodies().await, ["hark"]);
        assert_eq!(clients[1].bodies().await, ["hark"]);
        clients[2].hears_nothing().await;
        drop(clients.remove(0));
        server.sessions(2).await;
        assert_eq!(server.server.list(&target).await.len(), 1);
        let juliet = id_of(&server, &clients[0]);
        assert!(server.server.leave("chat", juliet).await);
        assert!(!server.server.exists(&target).await);
        assert!(server.server.sessions().groups().is_empty());
    }

    /// O14
    #[tokio::test]
    async fn o14_sockets_of_a_user_are_closed_and_cannot_come_back() {
        let server = two_paths().await;
        let mut romeo = Client::login(&server, "romeo").await;
        let previd = romeo.enable_resumable().await;
        let mut juliet = Client::login(&server, "juliet").await;
        let jid = "romeo@example.org".parse().expect("an address");
        let target = Target::user(&jid);
        assert_eq!(server.server.close(&target, CloseReason::Removed).await, 1);
        romeo.refused(&["policy-violation"]).await;
        let (_, answer) = Client::try_resume(&server, "romeo", &previd, "0").await;
        assert_eq!(answer.name(), "failed", "{answer}");
        juliet.hears_nothing().await;
    }

    /// E6: who does not read is no burden to others.
    #[tokio::test]
    async fn e6_a_session_without_room_ends_and_no_other_waits() {
        let server = TestServer::with(&["limits.send_queue=16"]).await;
        let mut slow = Client::login_as(&server, "romeo", "slow").await;
        slow.enable_resumable().await;
        let id = id_of(&server, &slow);
        let target = Target::session(id);
        let mut juliet = Client::login(&server, "juliet").await;
        let big = headline(&server, &"x".repeat(50_000));
        let mut dropped = 0;
        for _ in 0..5_000 {
            dropped += server.server.send(&target, &big).await.dropped;
            if dropped > 0 {
                break;
            }
        }
        assert_eq!(dropped, 1, "there is no bound");
        juliet.hears_nothing().await;
        drop(slow);
        server.sessions(1).await;
    }
}

mod admission {
    use super::*;

    /// Lets in whoever says please, and remembers how.
    struct Polite;

    impl Authenticator for Polite {
        async fn admit(&self, shown: &gate::Handshake) -> Result<Admission, StatusCode> {
            let login = shown.cookie("SID").map(ToOwned::to_owned);
            let answer = match shown.parameter("say").as_deref() {
                Some("please") => Ok(()),
                Some("teapot") => Err(418),
                Some("welcome") => Err(200),
                Some(_) => Err(403),
                None => Err(401),
            };
            answer.map_err(|status| StatusCode::from_u16(status).expect("a status"))?;
            Ok(Admission {
                login,
                data: BTreeMap::from([("via".to_owned(), shown.path().to_owned())]),
                ..Admission::default()
            })
        }
    }

    async fn polite() -> (TestServer, Heard) {
        let heard = Heard::default();
        let listener = heard.clone();
        let server = TestServer::built(&[], |builder| {
            builder.authenticator(Polite).listener(listener)
        })
        .await;
        (server, heard)
    }

    /// E1
    #[tokio::test]
    async fn e1_the_application_decides_before_the_101() {
        let (server, _) = polite().await;
        for (query, status) in [
            ("", 401),
            ("?say=now", 403),
            ("?say=teapot", 418),
            ("?say=welcome", 403),
            ("?say=please", 101),
        ] {
            let handshake = path(&format!("/ws/{query}"));
            assert_eq!(handshake.status(&server).await, status, "{query}");
        }
    }

    /// Lets in pages of its own choice, whatever the endpoint says of origins.
    struct Choosy;

    impl Authenticator for Choosy {
        async fn admit(&self, shown: &gate::Handshake) -> Result<Admission, StatusCode> {
            match shown.headers().get("origin").map(HeaderValue::as_bytes) {
                Some(b"https://a.example" | b"https://b.example") => Ok(Admission::default()),
                _ => Err(StatusCode::FORBIDDEN),
            }
        }
    }

    /// Panics before it has decided.
    struct Startled;

    impl Authenticator for Startled {
        async fn admit(&self, _shown: &gate::Handshake) -> Result<Admission, StatusCode> {
            panic!("as it was told to");
        }
    }

    /// E1: a panic is an answer, and the connection is good for the next request.
    #[tokio::test]
    async fn e1_an_application_that_panics_lets_nobody_in_and_answers_all_the_same() {
        let build = |builder: stanzad::ServerBuilder| builder.authenticator(Startled);
        let server = TestServer::built(&[], build).await;
        for _ in 0..2 {
            assert_eq!(path("/ws/").status(&server).await, 500);
        }
    }

    /// E10: the check of origins as a function.
    #[tokio::test]
    async fn e10_the_application_decides_about_origins() {
        let options = ["endpoint.0.origins=*"];
        let build = |builder: stanzad::ServerBuilder| builder.authenticator(Choosy);
        let server = TestServer::built(&options, build).await;
        for (origin, status) in [
            ("https://a.example", 101),
            ("https://b.example", 101),
            ("https://c.example", 403),
        ] {
            let page = Handshake::new().with("Origin", origin);
            assert_eq!(page.status(&server).await, status, "{origin}");
        }
        assert_eq!(Handshake::new().status(&server).await, 403);
    }

    /// E1: BOSH is no way around it.
    #[tokio::test]
    async fn e1_bosh_is_asked_the_same() {
        let (server, _) = polite().await;
        let body = "<body xmlns='http://jabber.org/protocol/httpbind' rid='1' to='example.org' \
                    wait='1' hold='1' ver='1.6' xml:lang='en'/>";
        for (query, status) in [("", 401), ("?say=please", 200)] {
            let mut http = Http::connect(&server).await;
            http.request("POST", &format!("/http-bind/{query}"), "", body)
                .await;
            assert_eq!(http.response().await.status, status, "{query}");
        }
    }

    /// E3, E5
    #[tokio::test]
    async fn e3_what_the_application_gave_is_with_the_session_after_a_resumption() {
        let (server, _) = polite().await;
        let handshake = path("/ws?say=please&a=1&k=SECRET").with("Cookie", "SID=L1");
        let mut romeo = by(&handshake, &server, "romeo").await;
        let previd = romeo.enable_resumable().await;
        let target = Target::login("L1");
        for _ in 0..2 {
            let [info] = &server.server.list(&target).await[..] else {
                panic!("one session");
            };
            assert_eq!(info.data["via"], "/ws");
            assert_eq!(info.path.as_deref(), Some("/ws"));
            assert_eq!(info.query.as_deref(), Some("say=please&a=1"));
            assert_eq!(info.endpoint.as_deref(), Some("web"));
            assert_eq!(info.jid.as_str(), romeo.jid);
            if info.attached {
                romeo.ws.half_close().await;
                server.hibernating(1).await;
            }
        }
        let (response, ws) = handshake.send(&server).await;
        assert_eq!(response.status, 101);
        let mut again = Client::on(ws).await;
        again.plain("romeo").await;
        again
            .send(&format!("<resume xmlns='{SM}' previd='{previd}' h='0'/>"))
            .await;
        assert_eq!(again.read().await.name(), "resumed");
        assert_eq!(server.server.list(&target).await[0].data["via"], "/ws");
    }

    /// E11, O2
    #[tokio::test]
    async fn e11_o2_a_logout_closes_the_sockets_of_the_login_for_good() {
        let (server, heard) = polite().await;
        let handshake = path("/ws?say=please").with("Cookie", "SID=L1");
        let mut romeo = by(&handshake, &server, "romeo").await;
        let previd = romeo.enable_resumable().await;
        let other = path("/ws?say=please").with("Cookie", "SID=L2");
        let mut other = by(&other, &server, "romeo").await;
        let login = Target::login("L1");
        let closed = server.server.close(&login, CloseReason::LoggedOut);
        assert_eq!(closed.await, 1);
        let (texts, code) = romeo.ws.read_to_end().await;
        assert_eq!(code, Some(1008), "{texts:?}");
        assert!(texts[0].contains("not-authorized"), "{texts:?}");
        other.hears_nothing().await;
        until("the event", || heard.count("close revoked") == 1).await;
        // Whoever resumes is told that there is nothing, and a new session of the login ends.
        let (_, ws) = handshake.send(&server).await;
        let mut late = Client::on(ws).await;
        late.plain("romeo").await;
        late.send(&format!("<resume xmlns='{SM}' previd='{previd}' h='0'/>"))
            .await;
        assert_eq!(late.read().await.name(), "failed");
        late.bind(None).await;
        late.refused(&["not-authorized"]).await;
    }

    /// E11: the race between the upgrade and the stream.
    #[tokio::test]
    async fn e11_a_logout_between_the_upgrade_and_the_stream_is_not_missed() {
        let (server, _) = polite().await;
        let handshake = path("/ws?say=please").with("Cookie", "SID=L3");
        let (response, ws) = handshake.send(&server).await;
        assert_eq!(response.status, 101);
        let login = Target::login("L3");
        let closed = server.server.close(&login, CloseReason::LoggedOut);
        assert_eq!(closed.await, 0);
        let mut client = Client::on(ws).await;
        client.plain("romeo").await;
        client.bind(None).await;
        client.refused(&["not-authorized"]).await;
        server.sessions(0).await;
    }
}

mod endpoints {
    use super::*;

    /// O3, W1, O12
    #[tokio::test]
    async fn o3_w1_a_path_is_matched_exactly_with_and_without_its_slash() {
        let server =
            TestServer::with(
                &["endpoint=[{name='web', path='/ws/', paths=['/xmpp/1.0']}, \
             {name='off', path='/off/', enabled=false}]"],
            )
            .await;
        for (at, status) in [
            ("/ws/", 101),
            ("/ws", 101),
            ("/xmpp/1.0", 101),
            ("/xmpp/1.0/", 101),
            ("/ws/x", 404),
            ("/off/", 404),
            ("/WS/", 404),
        ] {
            assert_eq!(path(at).status(&server).await, status, "{at}");
        }
    }

    /// O12: off is off at once for those who come, and nobody who is there is disturbed.
    #[tokio::test]
    async fn o12_an_endpoint_is_switched_off_and_on_while_sessions_run() {
        let config = |server: &TestServer, enabled: bool| {
            let web = format!("endpoint=[{{name='web', path='/ws/', enabled={enabled}}}]");
            kit::server::config(server.state_dir(), &[&web])
        };
        let server = TestServer::start().await;
        let mut romeo = Client::login(&server, "romeo").await;
        for (enabled, status) in [(false, 404), (true, 101)] {
            server.server.reload(&config(&server, enabled));
            assert_eq!(path("/ws/").status(&server).await, status);
            romeo.hears_nothing().await;
        }
    }

    /// W14: endpoints come and go while sessions run.
    #[tokio::test]
    async fn w14_a_reload_adds_and_removes_endpoints_and_open_sessions_stay() {
        let server = TestServer::start().await;
        let mut romeo = Client::login(&server, "romeo").await;
        assert_eq!(path("/ws2/").status(&server).await, 404);
        let other = kit::server::config(
            server.state_dir(),
            &["endpoint=[{name='second', path='/ws2/'}]"],
        );
        server.server.reload(&other);
        assert_eq!(path("/ws2/").status(&server).await, 101);
        assert_eq!(path("/ws/").status(&server).await, 404);
        romeo.hears_nothing().await;
        let both = kit::server::config(server.state_dir(), &[]);
        server.server.reload(&both);
        assert_eq!(path("/ws/").status(&server).await, 101);
    }

    /// F5, W1: each endpoint acks as it is told to.
    #[tokio::test]
    async fn f5_w1_an_endpoint_has_an_ack_frequency_of_its_own() {
        let server = TestServer::with(&["endpoint=[{name='web', path='/ws/'}, \
             {name='push', path='/push/', sm={unsolicited_ack_frequency=1}}]"])
        .await;
        let mut quiet = by(&path("/ws/"), &server, "romeo").await;
        let mut eager = by(&path("/push/"), &server, "juliet").await;
        for client in [&mut quiet, &mut eager] {
            client.enable("").await;
        }
        let nobody = "nobody@nowhere.example";
        for client in [&mut quiet, &mut eager] {
            client.chat(nobody, "x").await;
        }
        let ack = eager.next_where(|e| e.namespace() == SM).await;
        assert_eq!((ack.name(), ack.attr("h")), ("a", Some("1")));
        let heard = quiet.sync().await;
        assert!(heard.iter().all(|e| e.namespace() != SM), "{heard:?}");
    }
}

mod in_an_application {
    use super::*;
    use axum::Router;
    use axum::routing::get;
    use stanzad::Server;
    use std::net::SocketAddr;

    /// Library: merged into an axum application that has routes and a fallback of its own.
    #[tokio::test]
    async fn an_application_serves_its_own_routes_and_stanzad_beside_each_other() {
        let state = tempfile::tempdir().expect("a directory");
        kit::server::make_accounts(state.path()).await;
        let config = kit::server::config(state.path(), &["web.console=false"]);
        let server = Server::builder(config).build().await.expect("a server");
        let own = Router::new()
            .route("/own", get(|| async { "own" }))
            .fallback(|| async { "fallback" });
        let app = own.merge(server.router().expect("routes"));
        let socket = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port");
        let address = socket.local_addr().expect("an address");
        let service = app.into_make_service_with_connect_info::<SocketAddr>();
        let serving = tokio::spawn(async move { axum::serve(socket, service).await });
        for (at, text) in [("/own", "own"), ("/elsewhere", "fallback")] {
            assert_eq!(Http::to(address).await.get(at).await.text(), text);
        }
        let mut romeo = Client::over(Http::to(address).await).await;
        romeo.plain("romeo").await;
        romeo.bind(None).await;
        romeo.hears_nothing().await;
        let stopped = server.stop().await;
        assert!(stopped.in_time, "a router that is still there is no client");
        stopped.stored.expect("stored");
        romeo.refused(&["system-shutdown"]).await;
        serving.abort();
    }

    /// What a program sets is looked at as what an operator writes.
    #[tokio::test]
    async fn options_that_do_not_go_together_are_refused_at_the_build() {
        let state = tempfile::tempdir().expect("a directory");
        let mut config = kit::server::config(state.path(), &[]);
        config.endpoints.clear();
        let refused = Server::builder(config).build().await;
        let refused = refused.err().expect("nothing is served");
        assert!(
            refused.to_string().contains("endpoint is an empty list"),
            "{refused}"
        );
    }

    /// Behind a listener that tells nothing of its clients, nothing private is offered.
    #[tokio::test]
    async fn without_the_address_of_a_client_plain_is_not_offered() {
        let state = tempfile::tempdir().expect("a directory");
        kit::server::make_accounts(state.path()).await;
        let config = kit::server::config(state.path(), &[]);
        let server = Server::builder(config).build().await.expect("a server");
        let app = server.router().expect("routes");
        let socket = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port");
        let address = socket.local_addr().expect("an address");
        let serving = tokio::spawn(async move { axum::serve(socket, app).await });
        let client = Client::over(Http::to(address).await).await;
        let mechanisms = client.mechanisms();
        assert!(
            mechanisms.iter().all(|name| name != "PLAIN"),
            "{mechanisms:?}"
        );
        assert!(mechanisms.iter().any(|name| name.starts_with("SCRAM")));
        drop(client);
        server.stop().await;
        serving.abort();
    }
}

mod passwords {
    use super::*;
    use kit::SASL;
    use stanzad::auth::{Refusal, SaslFailure};
    use stanzad::stanza::address::BareJid;

    /// The application knows one password for everybody, and trouble.
    struct Known;

    impl Authenticator for Known {
        const CHECKS_PASSWORDS: bool = true;

        async fn sasl(&self, account: &BareJid, password: &str) -> Result<(), SaslFailure> {
            match password {
                "open sesame" => Ok(()),
                "panic" => panic!("as it was told to by {account}"),
                _ => Err(Refusal::WrongPassword.into()),
            }
        }
    }

    /// Library: `sasl` inside the stream.
    #[tokio::test]
    async fn an_application_that_knows_the_passwords_is_asked_and_accounts_come_by_themselves() {
        let server = TestServer::built(&[], |builder| builder.authenticator(Known)).await;
        let mut client = Client::open(&server).await;
        assert_eq!(
            client.mechanisms(),
            ["PLAIN"],
            "SCRAM needs keys that nobody has"
        );
        for (password, condition) in [
            (kit::PASSWORD, "not-authorized"),
            ("panic", "temporary-auth-failure"),
        ] {
            client.send(&kit::xmpp::plain_auth("romeo", password)).await;
            let failure = client.read().await;
            assert!(failure.is("failure", SASL), "{failure}");
            assert!(failure.child(condition, SASL).is_some(), "{failure}");
        }
        client.plain_with("newcomer", "open sesame").await;
        client.bind(None).await;
        assert!(client.jid.starts_with("newcomer@example.org/"));
        client.hears_nothing().await;
    }

    /// Library: accounts of the application.
    #[tokio::test]
    async fn an_application_makes_and_removes_accounts() {
        let server = TestServer::start().await;
        let benvolio = "benvolio@example.org".parse().expect("an address");
        let password = Some("p3ac3 i s4y".to_owned());
        let added = server.server.add_account(&benvolio, password.clone()).await;
        added.expect("an account");
        assert!(
            server
                .server
                .add_account(&benvolio, password)
                .await
                .is_err(),
            "twice"
        );
        let elsewhere = "benvolio@elsewhere.example".parse().expect("an address");
        assert!(server.server.add_account(&elsewhere, None).await.is_err());
        let mut client = Client::open(&server).await;
        client.plain_with("benvolio", "p3ac3 i s4y").await;
        client.bind(None).await;
        let removed = server.server.remove_account(&benvolio).await;
        removed.expect("it was there");
        client.refused(&["not-authorized"]).await;
        assert!(
            server.server.remove_account(&benvolio).await.is_err(),
            "twice"
        );
    }
}
