//! What signals do to a process with clients: rows E12 and W14 of `tests/rows.md`.

mod kit;

use kit::process::{Process, serve};
use kit::{Client, Handshake, Http, until};
use std::fs::{self, File};
use std::process::Command;
use std::time::{Duration, Instant};

/// E12: a thousand clients are told one after the other, and the process is gone in time.
#[tokio::test]
async fn e12_at_a_stop_a_thousand_clients_are_told_and_the_process_ends_in_time() {
    const CLIENTS: usize = 1000;
    let process = Process::start(&[
        "limits.sessions_per_user=1000",
        "limits.connections_per_address=2000",
        "limits.new_connections_per_second=10000",
        "limits.logins_per_second=10000",
        "shutdown_grace=30s",
    ])
    .await;
    let coming = (0..CLIENTS).map(|n| {
        let address = process.address;
        tokio::spawn(async move {
            let mut client = Client::over(Http::to(address).await).await;
            client.plain(kit::server::NAMES[n % 5]).await;
            client.bind(None).await;
            client
        })
    });
    let mut ends = Vec::new();
    for client in coming.collect::<Vec<_>>() {
        let mut client = client.await.expect("a login");
        ends.push(tokio::spawn(async move {
            client.refused(&["system-shutdown"]).await;
        }));
    }
    let told = Instant::now();
    process.stop().await;
    assert!(
        told.elapsed() < Duration::from_secs(30),
        "{:?}",
        told.elapsed()
    );
    for end in ends {
        end.await.expect("an end in order");
    }
}

const ONE: &str = "[[endpoint]]\nname = 'web'\npath = '/ws/'\n";
const TWO: &str = "[[endpoint]]\nname = 'web2'\npath = '/ws2/'\n";

/// W14: a file that is read again changes what it says, and a bad one nothing.
#[tokio::test]
async fn w14_a_signal_adds_an_endpoint_and_a_bad_file_changes_nothing() {
    let state = tempfile::tempdir().expect("a directory");
    kit::server::make_accounts(state.path()).await;
    let file = state.path().join("stanzad.toml");
    let log = state.path().join("log");
    fs::write(&file, ONE).expect("a file");
    let mut command = Command::new(env!("CARGO_BIN_EXE_stanzad"));
    serve(&mut command, &state, &["log.format=json"]);
    command.args(["--config".as_ref(), file.as_os_str()]);
    command.env("STANZAD_LOG", "info");
    let process = Process::spawn_logging(command, state, File::create(&log).expect("a file"));
    let address = process.address;
    let status = async |path: &str| {
        let handshake = Handshake::new().line(&format!("GET {path} HTTP/1.1"));
        handshake.over(Http::to(address).await).await.0.status
    };
    let said = |what: &str| {
        let log = fs::read_to_string(&log).expect("a log");
        log.matches(what).count()
    };
    let mut romeo = Client::over(Http::to(address).await).await;
    romeo.plain("romeo").await;
    romeo.bind(None).await;
    assert_eq!(status("/ws2/").await, 404);

    fs::write(&file, format!("{ONE}{TWO}")).expect("a file");
    process.signal("HUP");
    until("the reload", || said("\"reloaded\"") == 1).await;
    assert_eq!(status("/ws2/").await, 101);
    romeo.hears_nothing().await;

    fs::write(&file, format!("{ONE}paht = '/ws3/'\n")).expect("a file");
    process.signal("HUP");
    until("an error", || said("the options stay as they were") == 1).await;
    assert!(said("paht") > 0, "what is wrong is named");
    assert_eq!(status("/ws2/").await, 101);
    assert_eq!(status("/ws/").await, 101);
    romeo.hears_nothing().await;
    process.stop().await;
}
