//! `limits.memory`: a server whose clients do not read stays inside its budget and loses nothing.
//!
//! The server is a process of its own, so that its memory can be seen. Receivers log in, become
//! available, switch stream management on and never read; one in ten loses its link. Senders send
//! to all of them as fast as the server reads. Then the server stops, and every message that it
//! has acknowledged has to be in the database, once: as stored for the account, or in a session.
//!
//! As a test it is small. `STUCK` says how many receivers there are, `SENDERS`, `BYTES`, `MEMORY_MIB`
//! and `SECONDS` the rest, and it prints how memory went:
//!
//! ```sh
//! STUCK=10000 cargo test --release --test overflow -- --nocapture
//! ```

mod kit;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use kit::process::Process;
use kit::xmpp::{Client, h, parse};
use kit::{CLIENT, Http, PASSWORD, SM};
use stanzad::auth::{Credentials, ITERATIONS_MIN};
use stanzad::store::{Sqlite, Store};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpSocket;

const MIB: u64 = 1 << 20;

/// What a client does not read fills this, then the server's side.
const RECEIVE_BUFFER_BYTES: u32 = 4096;

/// So many messages, and then the sender asks for an ack.
const BATCH: usize = 20;

/// How many clients log in at once.
const LOGINS: usize = 16;

#[derive(Clone, Copy)]
struct Run {
    receivers: usize,
    senders: usize,
    /// Of each sender.
    messages: usize,
    text_bytes: usize,
    memory_mib: u64,
    /// How long they send at most.
    time: Duration,
}

/// What came of it.
struct Figures {
    resident_before: u64,
    resident_most: u64,
    acked: usize,
    /// Of the acknowledged ones.
    missing: usize,
    doubled: usize,
    in_sessions: usize,
    stored: usize,
    sessions_left: usize,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_that_do_not_read_cost_no_more_than_the_budget_and_nothing_is_lost() {
    let run = match std::env::var_os("STUCK") {
        None => SMALL,
        Some(_) => as_asked(),
    };
    let figures = figures(run).await;
    assert!(figures.acked > 500, "only {} were taken", figures.acked);
    assert_eq!((figures.missing, figures.doubled), (0, 0));
    assert!(
        figures.sessions_left < run.receivers + run.senders,
        "nobody had to end"
    );
    // Without a budget it would be all that was sent.
    let grown = figures
        .resident_most
        .saturating_sub(figures.resident_before);
    assert!(grown < 4 * run.memory_mib * MIB, "grown by {grown} bytes");
}

/// The size of it as a test.
const SMALL: Run = Run {
    receivers: 30,
    senders: 3,
    messages: 800,
    text_bytes: 16_000,
    memory_mib: 8,
    time: Duration::from_secs(15),
};

/// The size that the environment asks for.
fn as_asked() -> Run {
    let number = |name: &str, default: usize| {
        std::env::var(name).map_or(default, |value| value.parse().expect("a number"))
    };
    Run {
        receivers: number("STUCK", 10_000),
        senders: number("SENDERS", 20),
        messages: usize::MAX,
        text_bytes: number("BYTES", 8000),
        memory_mib: number("MEMORY_MIB", 128) as u64,
        time: Duration::from_secs(number("SECONDS", 60) as u64),
    }
}

async fn figures(run: Run) -> Figures {
    let state = tempfile::tempdir().expect("a directory");
    make_accounts(state.path(), run.receivers).await;
    let memory = format!("limits.memory={}MiB", run.memory_mib);
    let mut process = Process::over(
        state,
        &[
            &memory,
            "auth.scram_iterations=4096",
            "limits.offline_messages=1000000",
            "limits.connections=19000",
            "limits.connections_per_address=19000",
            "limits.login_timeout=5m",
            "ws.idle_timeout=1h",
            "sm.ack_timeout=1h",
            "sm.resume_timeout=1h",
            "shutdown_grace=2s",
        ],
    );
    let started = Instant::now();
    let receivers = log_in(process.address, run.receivers).await;
    let resident_before = process.resident_bytes();
    println!(
        "{} receivers are there after {:.0?}: {} MiB resident; limits.memory is {} MiB",
        run.receivers,
        started.elapsed(),
        resident_before / MIB,
        run.memory_mib
    );
    let (taken, resident_most) = send(&process, run).await;
    process.terminate().await;
    drop(receivers);
    let mut figures = Figures {
        resident_before,
        resident_most,
        acked: taken.iter().sum(),
        missing: 0,
        doubled: 0,
        in_sessions: 0,
        stored: 0,
        sessions_left: 0,
    };
    count(process.state.path(), run.receivers, &taken, &mut figures).await;
    println!(
        "acked {}, in sessions {}, stored {}, missing {}, doubled {}; sessions left {} of {}; resident {} MiB at most",
        figures.acked,
        figures.in_sessions,
        figures.stored,
        figures.missing,
        figures.doubled,
        figures.sessions_left,
        run.receivers + run.senders,
        figures.resident_most / MIB,
    );
    figures
}

fn name(number: usize) -> String {
    format!("r{number}")
}

async fn make_accounts(state: &Path, receivers: usize) {
    let credentials = Credentials::derive(PASSWORD, ITERATIONS_MIN).expect("a sound password");
    let store = Sqlite::open(&state.join("stanzad.sqlite")).expect("a store");
    let names = (0..receivers).map(name).chain(["sender".to_owned()]);
    let accounts = names.map(|name| {
        let jid = format!("{name}@example.org").parse().expect("an address");
        (jid, credentials.clone())
    });
    let made = store.import_accounts(accounts.collect()).await;
    made.expect("accounts");
    store.close().await.expect("a closed store");
}

/// Those that keep their link. The others hibernate.
async fn log_in(address: SocketAddr, count: usize) -> Vec<Client> {
    let next = Arc::new(AtomicUsize::new(0));
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..LOGINS {
        let next = next.clone();
        tasks.spawn(async move {
            let mut clients = Vec::new();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= count {
                    return clients;
                }
                let client = log_in_one(address, number).await;
                if number % 10 != 9 {
                    clients.push(client);
                }
            }
        });
    }
    tasks.join_all().await.into_iter().flatten().collect()
}

async fn log_in_one(address: SocketAddr, number: usize) -> Client {
    let socket = TcpSocket::new_v4().expect("a socket");
    let small = socket.set_recv_buffer_size(RECEIVE_BUFFER_BYTES);
    small.expect("a small buffer");
    let io = socket.connect(address).await.expect("a connection");
    let mut client = Client::over(Http::over(Box::new(io))).await;
    client.plain(&name(number)).await;
    client.bind(Some("stuck")).await;
    client.enable_resumable().await;
    client.send(&format!("<presence xmlns='{CLIENT}'/>")).await;
    client.next_named("presence").await;
    client
}

/// Sends for a while. Returns how many messages of each sender were acknowledged, and how much
/// memory the server had at most.
async fn send(process: &Process, run: Run) -> (Vec<usize>, u64) {
    let is_over = Arc::new(AtomicBool::new(false));
    let mut acked = Vec::new();
    let mut tasks = Vec::new();
    for sender in 0..run.senders {
        let counter = Arc::new(AtomicU32::new(0));
        acked.push(counter.clone());
        let (address, is_over) = (process.address, is_over.clone());
        tasks.push(tokio::spawn(async move {
            send_one(address, sender, run, &counter, &is_over).await;
        }));
    }
    let (started, mut most, mut told_at) = (Instant::now(), 0, None);
    let sum = |acked: &[Arc<AtomicU32>]| -> usize {
        let counts = acked.iter().map(|count| count.load(Ordering::Relaxed));
        counts.map(|count| count as usize).sum()
    };
    while started.elapsed() < run.time && !tasks.iter().all(|task| task.is_finished()) {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let resident = process.resident_bytes();
        most = most.max(resident);
        let second = started.elapsed().as_secs();
        if second % 5 == 0 && told_at.replace(second) != Some(second) {
            println!(
                "{second:4} s: {} MiB resident, {} acked",
                resident / MIB,
                sum(&acked)
            );
        }
    }
    is_over.store(true, Ordering::Relaxed);
    for task in &tasks {
        task.abort();
    }
    for task in tasks {
        let ended = task.await;
        assert!(ended.is_ok() || ended.is_err_and(|error| error.is_cancelled()));
    }
    let taken = acked
        .iter()
        .map(|count| count.load(Ordering::Relaxed) as usize);
    (taken.collect(), most)
}

async fn send_one(
    address: SocketAddr,
    sender: usize,
    run: Run,
    acked: &AtomicU32,
    is_over: &AtomicBool,
) {
    let mut client = Client::over(Http::to(address).await).await;
    client.send(&plain_auth()).await;
    client.read().await;
    client.reopen().await;
    client.bind(Some(&format!("s{sender}"))).await;
    client.enable("resume='true'").await;
    let padding = "x".repeat(run.text_bytes);
    let mut sent = 0;
    while sent < run.messages && !is_over.load(Ordering::Relaxed) {
        let mut frames = Vec::new();
        for _ in 0..BATCH.min(run.messages - sent) {
            let to = name((sent * run.senders + sender) % run.receivers);
            let message = format!(
                "<message xmlns='{CLIENT}' to='{to}@example.org' type='chat' id='{sender}-{sent}'><body>{padding}</body></message>"
            );
            frames.extend(kit::ws::frame(kit::ws::TEXT, message.as_bytes()));
            sent += 1;
        }
        let ask = format!("<r xmlns='{SM}'/>");
        frames.extend(kit::ws::frame(kit::ws::TEXT, ask.as_bytes()));
        // It may take its time: a sender is slowed.
        client.ws.io().write_all(&frames).await.expect("a link");
        let answer = next_ack(&mut client).await;
        acked.store(answer, Ordering::Relaxed);
    }
    let () = std::future::pending().await; // its session is there until the end
}

fn plain_auth() -> String {
    let data = BASE64.encode(format!("\0sender\0{PASSWORD}"));
    format!(
        "<auth xmlns='{}' mechanism='PLAIN'>{data}</auth>",
        kit::SASL
    )
}

/// The next `h`; with all the patience that it takes.
async fn next_ack(client: &mut Client) -> u32 {
    loop {
        let io = client.ws.io();
        let mut head = [0; 2];
        io.read_exact(&mut head).await.expect("a frame");
        let length = match head[1] {
            126 => u64::from(io.read_u16().await.expect("a length")),
            127 => io.read_u64().await.expect("a length"),
            short => u64::from(short),
        };
        let mut payload = vec![0; usize::try_from(length).expect("a length")];
        io.read_exact(&mut payload).await.expect("a payload");
        let text = String::from_utf8(payload).expect("UTF-8");
        if text.starts_with("<a ") {
            return h(&parse(&text));
        }
        assert!(!text.starts_with("<message"), "a message bounced: {text}");
    }
}

/// Looks for every message in what the server has left.
async fn count(state: &Path, receivers: usize, taken: &[usize], figures: &mut Figures) {
    let store = Sqlite::open(&state.join("stanzad.sqlite")).expect("a store");
    let mut found = HashMap::<(usize, usize), usize>::new();
    let saved = store.sessions().await.expect("sessions");
    figures.sessions_left = saved.sessions.len();
    let held = saved.sessions.iter().flat_map(|session| &session.stanzas);
    for id in held
        .chain(&saved.strays)
        .filter_map(|stanza| id_of(&stanza.text))
    {
        figures.in_sessions += 1;
        *found.entry(id).or_default() += 1;
    }
    for number in 0..receivers {
        let account = format!("{}@example.org", name(number));
        let account = account.parse().expect("an address");
        let stored = store.offline(&account, usize::MAX).await;
        for stored in stored.expect("what is stored") {
            let id = id_of(&stored.message.stanza);
            figures.stored += 1;
            *found.entry(id.expect("a message of ours")).or_default() += 1;
        }
    }
    for (sender, taken) in taken.iter().enumerate() {
        let places = (0..*taken).map(|number| found.get(&(sender, number)).copied());
        figures.missing += places.filter(|places| places.is_none()).count();
    }
    figures.doubled = found.values().filter(|places| **places > 1).count();
    store.close().await.expect("a closed store");
}

/// Which message it is, if it is one of ours.
fn id_of(text: &str) -> Option<(usize, usize)> {
    let message = text.strip_prefix("<message")?;
    let (_, id) = message
        .split_once(" id='")
        .or(message.split_once(" id=\""))?;
    let (id, _) = id.split_once(['\'', '"'])?;
    let (sender, number) = id.split_once('-')?;
    Some((sender.parse().ok()?, number.parse().ok()?))
}
