//! The limits on who comes in: streams a second, logins a second, connections, sessions of a user.

mod kit;

use kit::bosh::{CREATE, PATH, wrap};
use kit::ws::Handshake;
use kit::xmpp::fresh_id;
use kit::{BIND, Bosh, CLIENT, Client, Http, Response, SM, TestServer, condition, within};
use std::time::{Duration, Instant};

/// Clients have addresses of their own, as a trusted proxy tells them.
const BEHIND_A_PROXY: &str = "listen.trusted_proxies=[\"127.0.0.0/8\"]";

fn from(address: &str) -> Handshake {
    Handshake::new()
        .with("X-Forwarded-For", address)
        .with("X-Forwarded-Proto", "https")
}

/// A new BOSH session of a client at this address.
async fn bosh_from(server: &TestServer, address: &str) -> Response {
    let headers = format!(
        "Content-Type: text/xml\r\nX-Forwarded-For: {address}\r\nX-Forwarded-Proto: https\r\n"
    );
    let body = wrap(&format!("rid='1' {CREATE}"), "");
    let mut http = Http::connect(server).await;
    http.request("POST", PATH, &headers, &body).await;
    http.response().await
}

/// The server is busy and says until when.
#[track_caller]
fn retry_after(response: &Response) -> u64 {
    assert_eq!(response.status, 503, "{response:?}");
    let seconds = response.header("retry-after").expect("a Retry-After");
    let seconds = seconds.parse().expect("seconds");
    assert!((1..=30).contains(&seconds), "{seconds}");
    seconds
}

/// `limits.new_connections_per_second`, `limits.new_connections_burst`
mod new_connections {
    use super::*;

    const SLOW: &[&str] = &[
        "limits.new_connections_per_second=1",
        "limits.new_connections_burst=2",
    ];

    /// Upgrades until one is refused: the door opens again while a slow machine gets to it.
    async fn upgrades(server: &TestServer, handshake: &Handshake) -> (usize, Response) {
        for served in 0..50 {
            let (response, _) = handshake.send(server).await;
            if response.status != 101 {
                return (served, response);
            }
        }
        panic!("50 came in");
    }

    #[tokio::test]
    async fn o11_an_upgrade_too_many_gets_503_and_is_served_when_it_comes_back() {
        let server = TestServer::with(SLOW).await;
        let (served, refused) = upgrades(&server, &Handshake::new()).await;
        assert!(served >= 1);
        tokio::time::sleep(Duration::from_secs(retry_after(&refused))).await;
        Client::login(&server, "romeo").await.hears_nothing().await;
    }

    #[tokio::test]
    async fn a_bosh_session_too_many_gets_503_and_is_served_when_it_comes_back() {
        let server = TestServer::with(SLOW).await;
        let mut answer = bosh_from(&server, "192.0.2.1").await;
        assert_eq!(answer.status, 200);
        while answer.status == 200 {
            answer = bosh_from(&server, "192.0.2.1").await;
        }
        tokio::time::sleep(Duration::from_secs(retry_after(&answer))).await;
        Bosh::login(&server, "romeo").await;
    }

    /// One door for both, and only for what begins: streams that are there notice nothing.
    #[tokio::test]
    async fn both_transports_come_through_one_door_and_those_inside_notice_nothing() {
        let server = TestServer::with(SLOW).await;
        let mut bosh = Bosh::login(&server, "romeo").await;
        retry_after(&upgrades(&server, &Handshake::new()).await.1);
        assert!(bosh.sync().await.is_empty());
        let page = Http::connect(&server)
            .await
            .get("/.well-known/host-meta")
            .await;
        assert_eq!(page.status, 200);
    }

    /// What the server refuses for another reason costs nobody a place.
    #[tokio::test]
    async fn a_handshake_that_is_refused_anyway_takes_no_place() {
        let server = TestServer::with(SLOW).await;
        for _ in 0..5 {
            let foreign = Handshake::new().with("Origin", "https://evil.example");
            assert_eq!(foreign.status(&server).await, 403);
            assert_eq!(
                Handshake::new()
                    .without("Sec-WebSocket-Protocol")
                    .status(&server)
                    .await,
                400
            );
        }
        assert_eq!(Handshake::new().status(&server).await, 101);
    }

    #[tokio::test]
    async fn one_address_has_a_tenth_and_others_come_in_beside_it() {
        let server = TestServer::with(&[
            BEHIND_A_PROXY,
            "limits.new_connections_per_second=10",
            "limits.new_connections_burst=40",
        ])
        .await;
        let (served, refused) = upgrades(&server, &from("192.0.2.1")).await;
        assert!((4..20).contains(&served), "{served}");
        retry_after(&refused);
        retry_after(&bosh_from(&server, "192.0.2.1").await);
        assert_eq!(from("192.0.2.2").status(&server).await, 101);
        assert_eq!(bosh_from(&server, "192.0.2.3").await.status, 200);
    }

    /// A client that logs in there and then loses its link.
    async fn lost(server: &TestServer, address: &str, name: &str) -> String {
        let (response, ws) = from(address).send(server).await;
        assert_eq!(response.status, 101);
        let mut client = Client::on(ws).await;
        client.plain(name).await;
        client.bind(None).await;
        client.enable_resumable().await
    }

    /// Strangers come until the door is shut to them.
    async fn strangers(server: &TestServer) {
        for n in 1..=250 {
            let (response, _) = from(&format!("198.51.100.{n}")).send(server).await;
            if response.status == 503 {
                return;
            }
        }
        panic!("250 came in");
    }

    #[tokio::test]
    async fn who_lost_a_link_comes_back_over_either_transport_while_strangers_are_turned_away() {
        let server = TestServer::with(&[
            BEHIND_A_PROXY,
            "limits.new_connections_per_second=1",
            "limits.new_connections_burst=40",
        ])
        .await;
        let previd = lost(&server, "192.0.2.1", "romeo").await;
        lost(&server, "192.0.2.2", "juliet").await;
        server.hibernating(2).await;
        strangers(&server).await;
        let (response, ws) = from("192.0.2.1").send(&server).await;
        assert_eq!(response.status, 101);
        let mut romeo = Client::on(ws).await;
        romeo.plain("romeo").await;
        let resumed = romeo.ask_resume(&previd, "0").await;
        assert!(resumed.is("resumed", SM), "{resumed}");
        assert_eq!(bosh_from(&server, "192.0.2.2").await.status, 200);
        // Each came back once; a second one from there is a stranger.
        strangers(&server).await;
        retry_after(&from("192.0.2.1").send(&server).await.0);
    }
}

/// `limits.logins_per_second`, `limits.logins_burst`
mod logins {
    use super::*;

    const SLOW: &[&str] = &["limits.logins_per_second=1", "limits.logins_burst=1"];

    async fn ask_to_bind(client: &mut Client) -> String {
        let id = fresh_id();
        client
            .send(&format!(
                "<iq xmlns='{CLIENT}' type='set' id='{id}'><bind xmlns='{BIND}'/></iq>"
            ))
            .await;
        id
    }

    /// These have logged in but for the bind, and then all ask for it at once.
    async fn ask_together(server: &TestServer, names: &[&str]) -> Vec<(Client, String)> {
        let mut clients = Vec::new();
        for name in names {
            clients.push(Client::authenticated(server, name).await);
        }
        let mut waiting = Vec::new();
        for mut client in clients {
            let id = ask_to_bind(&mut client).await;
            waiting.push((client, id));
        }
        waiting
    }

    #[tokio::test]
    async fn a_login_waits_for_its_turn_and_a_resumption_does_not() {
        let server = TestServer::with(SLOW).await;
        let mut lost = Client::login(&server, "romeo").await;
        let previd = lost.enable_resumable().await;
        drop(lost);
        server.hibernating(1).await;
        let mut returning = Client::authenticated(&server, "romeo").await;
        let mut waiting = ask_together(&server, &["juliet", "mercutio", "tybalt", "nurse"]).await;
        let began = Instant::now();
        let resumed = returning.ask_resume(&previd, "0").await;
        assert!(resumed.is("resumed", SM), "{resumed}");
        assert!(server.server.sessions().len() < 5, "somebody still waits");
        for (client, id) in &mut waiting {
            let bound = client.answer(id).await;
            assert_eq!(bound.attr("type"), Some("result"), "{bound}");
        }
        assert!(began.elapsed() > Duration::from_millis(1800));
    }

    /// It has taken a turn, and nothing else has happened.
    #[tokio::test]
    async fn a_client_that_leaves_while_it_waits_is_not_logged_in() {
        let server = TestServer::with(SLOW).await;
        let mut nurse = Client::authenticated(&server, "nurse").await;
        let mut waiting = ask_together(&server, &["romeo", "tybalt", "juliet"]).await;
        drop(waiting.pop());
        nurse.bind(None).await; // whose turn comes after hers
        assert_eq!(server.server.sessions().len(), 3);
    }

    #[tokio::test]
    async fn a_login_over_bosh_waits_in_the_same_line() {
        let server = TestServer::with(SLOW).await;
        let mut bosh = Bosh::authenticated(&server, "mercutio").await;
        let _waiting = ask_together(&server, &["romeo", "juliet"]).await;
        let began = Instant::now();
        let bind = format!("<bind xmlns='{BIND}'/>");
        let bound = bosh.iq("set", "", &bind).await;
        assert_eq!(bound.attr("type"), Some("result"), "{bound}");
        assert!(began.elapsed() > Duration::from_millis(900));
    }

    #[tokio::test]
    async fn a_login_that_would_wait_too_long_is_refused_and_may_come_again() {
        let server = TestServer::with(&[SLOW, &["limits.login_timeout=5m"]].concat()).await;
        let names: Vec<_> = (0..16).map(|n| kit::server::NAMES[n % 5]).collect();
        let mut waiting = ask_together(&server, &names).await;
        let (mut last, id) = waiting.pop().expect("the last one");
        let refused = last.answer(&id).await;
        assert_eq!(condition(&refused), "resource-constraint");
        let error = refused.child("error", CLIENT).expect("an error");
        assert_eq!(error.attr("type"), Some("wait"));
        tokio::time::sleep(Duration::from_secs(3)).await;
        within("a place", last.bind(None)).await;
    }
}

/// `limits.connections`, `limits.connections_per_address`
mod connections {
    use super::*;

    async fn one_too_many_is_refused(option: &str) {
        let server = TestServer::with(&[option]).await;
        let mut romeo = Client::login(&server, "romeo").await;
        let mut second = Http::connect(&server).await;
        assert_eq!(second.get("/").await.status, 200);
        let (upgrade, _) = Handshake::new().send(&server).await;
        for refused in [upgrade, bosh_from(&server, "192.0.2.1").await] {
            retry_after(&refused);
        }
        romeo.hears_nothing().await;
        drop(second);
        let served = async {
            while bosh_from(&server, "192.0.2.1").await.status != 200 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        within("a place", served).await;
    }

    #[tokio::test]
    async fn o11_one_too_many_of_all_is_refused_until_another_one_leaves() {
        one_too_many_is_refused("limits.connections=2").await;
    }

    #[tokio::test]
    async fn o11_one_too_many_of_an_address_is_refused_until_another_one_leaves() {
        one_too_many_is_refused("limits.connections_per_address=2").await;
    }
}

/// `limits.sessions_per_user`
mod sessions {
    use super::*;

    /// L-12: sessions of both transports count together.
    #[tokio::test]
    async fn o11_a_session_too_many_is_refused_over_either_transport() {
        let server = TestServer::with(&["limits.sessions_per_user=2"]).await;
        let mut one = Client::login(&server, "romeo").await;
        let mut two = Bosh::login(&server, "romeo").await;
        let mut three = Client::authenticated(&server, "romeo").await;
        let refused = three.try_bind(None).await;
        assert_eq!(condition(&refused), "resource-constraint");
        let mut four = Bosh::authenticated(&server, "romeo").await;
        let refused = four.iq("set", "", &format!("<bind xmlns='{BIND}'/>")).await;
        assert_eq!(condition(&refused), "resource-constraint");
        one.hears_nothing().await;
        assert!(two.sync().await.is_empty());
        Client::login(&server, "juliet").await;
    }

    #[tokio::test]
    async fn the_oldest_that_hibernates_makes_room() {
        let server = TestServer::with(&["limits.sessions_per_user=2"]).await;
        let mut lost = Client::login(&server, "romeo").await;
        let previd = lost.enable_resumable().await;
        drop(lost);
        server.hibernating(1).await;
        let _one = Client::login(&server, "romeo").await;
        let _two = Bosh::login(&server, "romeo").await;
        let (_, answer) = Client::try_resume(&server, "romeo", &previd, "0").await;
        assert!(answer.is("failed", SM), "{answer}");
    }
}

/// `auth.failures_per_stream`, and the throttle of guesses. A-23: those over WebSocket are with SASL.
mod failed_logins {
    use super::*;
    use kit::ETHERX;
    use kit::bosh::terminated;
    use kit::xmpp::{failure, plain_auth, stream_condition};

    ///
    #[tokio::test]
    async fn too_many_end_a_bosh_session() {
        let server = TestServer::with(&["auth.failures_per_stream=3"]).await;
        let (mut stranger, _) = Bosh::open(&server).await;
        for _ in 0..3 {
            stranger.send(&plain_auth("romeo", "wrong")).await;
            assert_eq!(failure(&stranger.next().await), "not-authorized");
        }
        let end = stranger.request("", "").await.answer().await;
        assert_eq!(terminated(&end), "remote-stream-error");
        let error = end.child("error", ETHERX).expect("why");
        assert_eq!(stream_condition(error), "policy-violation");
    }

    ///
    #[tokio::test]
    async fn guesses_over_bosh_are_slowed_together_with_those_over_websocket() {
        let server = TestServer::with(&["auth.failures_per_stream=100"]).await;
        let mut websocket = Client::open(&server).await;
        for _ in 0..5 {
            websocket.send(&plain_auth("romeo", "wrong")).await;
            assert_eq!(failure(&websocket.read().await), "not-authorized");
        }
        // What passes until it is tried counts, on a machine that is busy as well.
        let began = Instant::now();
        let (mut stranger, _) = Bosh::open(&server).await;
        stranger.send(&plain_auth("romeo", "wrong")).await;
        assert_eq!(failure(&stranger.next().await), "not-authorized");
        assert!(began.elapsed() > Duration::from_millis(900));
    }
}
