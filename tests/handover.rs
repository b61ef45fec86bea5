//! One process goes and the next one comes on the same listening socket, as systemd does it.

mod kit;

use kit::process::{Process, handing_over, serve};
use kit::xmpp::body;
use kit::{Client, Http, SM, server, within};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use tempfile::TempDir;
use tokio::net::{TcpStream, UnixDatagram};

const ROMEO: &str = "romeo@example.org/orchard";

/// The socket, held by whoever starts the servers.
fn socket() -> (TcpListener, SocketAddr) {
    let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let address = socket.local_addr().expect("an address");
    (socket, address)
}

async fn accounts() -> TempDir {
    let state = tempfile::tempdir().expect("a directory");
    server::make_accounts(state.path()).await;
    state
}

async fn login(address: SocketAddr, name: &str) -> Client {
    let mut client = Client::over(Http::to(address).await).await;
    client.plain(name).await;
    client
}

/// Available as the orchard, and to be resumed.
async fn orchard(address: SocketAddr) -> (Client, String) {
    let mut romeo = login(address, "romeo").await;
    romeo.bind(Some("orchard")).await;
    romeo
        .become_available("<presence xmlns='jabber:client'/>")
        .await;
    let previd = romeo.enable_resumable().await;
    (romeo, previd)
}

async fn resume(address: SocketAddr, previd: &str) -> Client {
    let mut romeo = login(address, "romeo").await;
    let answer = romeo.ask_resume(previd, "0").await;
    assert!(answer.is("resumed", SM), "{answer}");
    romeo
}

fn output(mut command: Command) -> Output {
    let piped = command.stdout(Stdio::piped()).stderr(Stdio::piped());
    piped.output().expect("an end")
}

mod a_socket_that_is_passed {
    use super::*;

    #[tokio::test]
    async fn is_served_whether_it_has_a_name_or_not() {
        let (socket, address) = socket();
        let plain = format!("listen.plain={address}");
        let mut state = accounts().await;
        for name in ["plain", "stanzad.socket"] {
            let command = handing_over(&socket, name, &state, &[&plain]);
            let process = Process::spawn(command, state);
            assert_eq!(process.address, address, "{name}");
            login(address, "romeo").await.close().await;
            state = process.stop().await;
        }
    }

    #[tokio::test]
    async fn and_that_has_another_address_than_the_option_is_told_of_with_both() {
        let (socket, address) = socket();
        let state = accounts().await;
        let options = ["listen.plain=127.0.0.1:5280"];
        let output = output(handing_over(&socket, "plain", &state, &options));
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{told}");
        let address = address.to_string();
        assert!(
            told.contains("listen.plain is 127.0.0.1:5280") && told.contains(&address),
            "{told}"
        );
    }

    /// Sockets that were meant for a parent process are none of ours.
    #[tokio::test]
    async fn to_another_process_is_not_taken() {
        let state = accounts().await;
        let mut command = Command::new(env!("CARGO_BIN_EXE_stanzad"));
        serve(&mut command, &state, &[]);
        command.env("LISTEN_PID", "1").env("LISTEN_FDS", "1");
        let process = Process::spawn(command, state);
        login(process.address, "romeo").await.close().await;
    }
}

mod between_two_processes {
    use super::*;

    #[tokio::test]
    async fn who_connects_waits_and_is_answered_by_the_next_one() {
        let (socket, address) = socket();
        let process = Process::on(&socket, accounts().await, &[]);
        let (_romeo, previd) = orchard(address).await;
        let mut juliet = login(address, "juliet").await;
        juliet.bind(None).await;
        juliet.chat(ROMEO, "before").await;
        juliet.sync().await;
        let state = process.stop().await;

        let mut waiting = Http::to(address).await;
        waiting
            .request("GET", "/.well-known/host-meta", "", "")
            .await;
        let returning = tokio::spawn(async move { resume(address, &previd).await });
        let process = Process::on(&socket, state, &[]);
        assert_eq!(waiting.response().await.status, 200);
        let mut romeo = within("a resumption", returning).await.expect("no panic");
        let heard = romeo.messages().await;
        let bodies: Vec<_> = heard.iter().map(body).collect();
        assert_eq!(bodies, ["before"]);
        process.stop().await;
    }

    /// The load goes on over three upgrades, and each connection gets an answer.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn f10_nobody_is_refused_in_three_upgrades_under_load() {
        let (socket, address) = socket();
        let mut process = Process::on(&socket, accounts().await, &[]);
        let load = Load::begin(address);
        // It does not answer the end of its link: the first stop waits for it, and the load with it.
        let (_romeo, previd) = orchard(address).await;
        for upgrade in 1..=3 {
            load.answered_more().await;
            let state = process.stop().await;
            process = Process::on(&socket, state, &[]);
            let mut romeo = resume(address, &previd).await;
            assert!(romeo.messages().await.is_empty(), "upgrade {upgrade}");
        }
        load.answered_more().await;
        load.end().await;
        process.stop().await;
    }
}

/// Clients that connect, ask and go, as fast as they are answered.
struct Load {
    counts: Arc<Counts>,
    clients: Vec<tokio::task::JoinHandle<()>>,
}

#[derive(Default, Debug)]
struct Counts {
    over: AtomicBool,
    /// 200 or 101
    served: AtomicU32,
    /// 503: a WebSocket that was asked for in the last moment.
    come_back: AtomicU32,
    refused: AtomicU32,
    unanswered: AtomicU32,
}

impl Load {
    const CLIENTS: usize = 8;
    const UPGRADE: &'static str = "Upgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
        Sec-WebSocket-Protocol: xmpp\r\n";

    fn begin(address: SocketAddr) -> Self {
        let counts = Arc::new(Counts::default());
        let client = |number: usize| {
            let counts = counts.clone();
            tokio::spawn(async move {
                while !counts.over.load(Ordering::Relaxed) {
                    let count = Self::ask(address, number.is_multiple_of(2), &counts).await;
                    count.fetch_add(1, Ordering::Relaxed);
                }
            })
        };
        let clients = (0..Self::CLIENTS).map(client).collect();
        Self { counts, clients }
    }

    async fn ask(address: SocketAddr, page: bool, counts: &Counts) -> &AtomicU32 {
        let Ok(stream) = within("a connection", TcpStream::connect(address)).await else {
            return &counts.refused;
        };
        let mut http = Http::over(Box::new(stream));
        let (path, headers) = match page {
            true => ("/.well-known/host-meta", "Connection: close\r\n"),
            false => ("/ws/", Self::UPGRADE),
        };
        http.send(format!(
            "GET {path} HTTP/1.1\r\nHost: example.org\r\n{headers}\r\n"
        ))
        .await;
        match http.try_response().await.map(|response| response.status) {
            Some(200 | 101) => &counts.served,
            Some(503) => &counts.come_back,
            Some(other) => panic!("{path}: {other}"),
            None => &counts.unanswered,
        }
    }

    /// Awaits that the load flows.
    async fn answered_more(&self) {
        let served = || self.counts.served.load(Ordering::Relaxed);
        let enough = served() + 200;
        kit::until("answers", || served() >= enough).await;
    }

    async fn end(self) {
        self.counts.over.store(true, Ordering::Relaxed);
        for client in self.clients {
            client.await.expect("a client that met nothing strange");
        }
        let counts = self.counts;
        println!("{counts:?}");
        assert_eq!(counts.refused.load(Ordering::Relaxed), 0, "{counts:?}");
        assert_eq!(counts.unanswered.load(Ordering::Relaxed), 0, "{counts:?}");
    }
}

mod the_service_manager {
    use super::*;

    async fn told(manager: &UnixDatagram) -> String {
        let mut buffer = [0; 1024];
        let length = within("a word", manager.recv(&mut buffer)).await;
        String::from_utf8(buffer[..length.expect("a word")].to_vec()).expect("UTF-8")
    }

    /// The next word that is none of the watchdog's.
    async fn news(manager: &UnixDatagram) -> String {
        loop {
            let told = told(manager).await;
            if told != "WATCHDOG=1\n" {
                return told;
            }
        }
    }

    #[tokio::test]
    async fn is_told_of_the_start_of_a_reload_of_the_stop_and_that_the_process_lives() {
        let state = accounts().await;
        let path = state.path().join("notify");
        let manager = UnixDatagram::bind(&path).expect("a socket");
        let mut command = Command::new(env!("CARGO_BIN_EXE_stanzad"));
        serve(&mut command, &state, &["shutdown_grace=3s"]);
        command
            .env("NOTIFY_SOCKET", &path)
            .env("WATCHDOG_USEC", "200000");
        let process = Process::spawn(command, state);
        assert_eq!(told(&manager).await, "READY=1\n");
        assert_eq!(told(&manager).await, "WATCHDOG=1\n");
        assert_eq!(told(&manager).await, "WATCHDOG=1\n");
        process.signal("HUP");
        let reloading = news(&manager).await;
        assert!(
            reloading.starts_with("RELOADING=1\nMONOTONIC_USEC="),
            "{reloading}"
        );
        assert_eq!(news(&manager).await, "READY=1\n");
        process.stop().await;
        // 3 s for clients and a minute for the store.
        let stopping = "STOPPING=1\nEXTEND_TIMEOUT_USEC=63000000\n";
        assert_eq!(news(&manager).await, stopping);
    }
}
