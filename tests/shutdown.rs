//! The stop of a server, as a load balancer and clients see it (`[shutdown]`).

mod kit;

use kit::{Client, Http, TestServer};
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

async fn ready(admin: SocketAddr) -> u16 {
    Http::to(admin).await.get("/readyz").await.status
}

/// Awaits the end of the link, and says when it came.
fn end_of(mut client: Client) -> JoinHandle<Instant> {
    tokio::spawn(async move {
        client.ws.read_to_end().await;
        Instant::now()
    })
}

async fn resumable(server: &TestServer, name: &str) -> Client {
    let mut client = Client::login(server, name).await;
    client.enable_resumable().await;
    client
}

mod the_delay {
    use super::*;

    const DELAY: Duration = Duration::from_secs(3);

    #[tokio::test]
    async fn lets_a_load_balancer_look_elsewhere_before_a_port_closes_or_a_client_goes() {
        let server = TestServer::with(&["listen.admin=127.0.0.1:0", "shutdown.delay=3s"]).await;
        let admin = server.server.config().listen.admin.expect("a port");
        let plain = server.plain();
        let romeo = end_of(resumable(&server, "romeo").await);
        assert_eq!(ready(admin).await, 200);
        let TestServer { server, state } = server;
        let told = Instant::now();
        let stop = tokio::spawn(server.stop());
        while ready(admin).await != 503 {
            assert!(told.elapsed() < DELAY, "/readyz does not turn");
        }
        // Whoever comes now is still served.
        let mut juliet = Client::over(Http::to(plain).await).await;
        juliet.plain("juliet").await;
        juliet.bind(None).await;
        let served = told.elapsed();
        assert!(!romeo.is_finished() || served > DELAY);
        let juliet = end_of(juliet);
        assert!(stop.await.expect("a stop").in_time, "somebody did not go");
        let early = DELAY - Duration::from_millis(100);
        for gone in [romeo, juliet] {
            let gone = gone.await.expect("an end") - told;
            assert!(gone > early, "gone after {gone:?}");
        }
        assert!(TcpStream::connect(plain).await.is_err());
        assert!(TcpStream::connect(admin).await.is_err());
        drop(state);
    }
}

mod the_pace {
    use super::*;

    #[tokio::test]
    async fn e12_of_two_a_second_lets_three_clients_go_within_about_a_second_one_after_the_other() {
        let server = TestServer::with(&["shutdown.pace=2"]).await;
        let mut ends = Vec::new();
        for name in ["romeo", "juliet", "mercutio"] {
            ends.push(end_of(resumable(&server, name).await));
        }
        let told = Instant::now();
        assert!(server.server.stop().await.in_time, "somebody did not go");
        let mut gone = Vec::new();
        for end in ends {
            gone.push(end.await.expect("an end") - told);
        }
        gone.sort();
        // They are due after 0 s, 0.5 s and 1 s; a busy machine makes it later, never earlier.
        let tenth = Duration::from_millis(100);
        assert!(gone[1] >= 4 * tenth && gone[2] >= 9 * tenth, "{gone:?}");
        assert!(gone[2] < 50 * tenth, "{gone:?}");
    }

    #[tokio::test]
    async fn of_nothing_lets_all_go_at_once() {
        let server = TestServer::with(&["shutdown.pace=0"]).await;
        let mut ends = Vec::new();
        for name in ["romeo", "juliet", "mercutio"] {
            ends.push(end_of(resumable(&server, name).await));
        }
        assert!(server.server.stop().await.in_time, "somebody did not go");
        let mut gone = Vec::new();
        for end in ends {
            gone.push(end.await.expect("an end"));
        }
        gone.sort();
        let apart = gone[2] - gone[0];
        assert!(apart < Duration::from_millis(900), "{apart:?}");
    }
}
