//! What a message costs between frame in and frame out, without sockets, tasks and the disk.
//!
//! Two clients of a server as installed (but for `sm.durability`, which `journal.rs` measures), both
//! with stream management: the frame of one is scanned, its header is read, its sender stamped, a
//! repeat looked for, the recipient found in the registry, and the message put into its mailbox;
//! the stream of the other takes it from there, numbers and queues it, and hands it out to be
//! written. Every fifth message the other is asked for an ack and answers. `chat`: 419 bytes.
//! `300 bytes`: the message of the load generator's flood. `60 KB`: the copies show. `beside
//! 100,000 sessions`: the same as `300 bytes` with that many others in the registry.

mod kit;

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use stanzad::auth::{ChannelBinding, Credentials, ITERATIONS_MIN};
use stanzad::backend::local::{Local, LocalOptions};
use stanzad::backend::{Backend, Connection, Routed, Transport};
use stanzad::sessions::{Bind, Mail, Session, Sessions, SessionsOptions};
use stanzad::stanza::address::BareJid;
use stanzad::store::{Sqlite, Store};
use stanzad::stream::{Event, Reply, Stream, Transmit};

/// How many different ids there are: more than a session remembers, so that none is a repeat.
const IDS: usize = 512;

struct Client {
    session: Arc<Session>,
    stream: Stream,
    /// What it got; the `h` it answers.
    got: u32,
}

struct Server {
    now: Instant,
    local: Arc<Local>,
    romeo: Client,
    juliet: Client,
    _directory: tempfile::TempDir,
}

impl Server {
    /// With Romeo and Juliet, and so many sessions that do nothing.
    async fn start(others: usize) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("stanzad.sqlite");
        let store = Arc::new(Sqlite::open(&path).expect("a store"));
        let sessions = Arc::new(Sessions::new(SessionsOptions {
            sessions_per_user: 20,
            send_queue: 256,
            send_queue_bytes: 4 << 20,
            max_unacked: 1_000,
            max_hibernating_per_user: 8,
            repeat_window: 128,
        }));
        for n in 0..others {
            let jid = format!("user{n}@example.org/web")
                .parse()
                .expect("an address");
            assert!(matches!(sessions.bind(jid), Bind::Bound(_)));
        }
        let secret = store.secret().await.expect("a secret");
        let options = LocalOptions::for_host("example.org");
        let local = Local::new(options, secret, sessions, store.clone(), Vec::new());
        let local = local.expect("options that can be");
        let credentials = Credentials::derive("secret", ITERATIONS_MIN).expect("sound");
        let mut clients = Vec::new();
        for (name, resource) in [("romeo", "orchard"), ("juliet", "balcony")] {
            let account: BareJid = format!("{name}@example.org").parse().expect("an address");
            let created = store.create_account(&account, credentials.clone()).await;
            created.expect("an account");
            let connection = Arc::new(connection());
            let session = local
                .bind(&connection, &account, Some(resource.into()))
                .await;
            clients.push(Client::new(session.expect("a session")));
        }
        let juliet = clients.pop().expect("two clients");
        let romeo = clients.pop().expect("two clients");
        Self {
            now: Instant::now(),
            local,
            romeo,
            juliet,
            _directory: directory,
        }
    }

    /// A frame of Romeo's, up to where it would be written to Juliet's socket.
    fn pass(&mut self, frame: &str) {
        self.romeo.stream.on_frame(self.now, frame);
        let Some(Event::Route(stanza)) = self.romeo.stream.poll_event() else {
            panic!("a message is routed");
        };
        assert!(matches!(
            self.local.route(&self.romeo.session, stanza),
            Routed::Done
        ));
        self.romeo.stream.on_backend(self.now, Reply::Handled);
        self.juliet.read(self.now);
    }
}

impl Client {
    fn new(session: Arc<Session>) -> Self {
        let options = kit::stream_options(1_000);
        let stream = kit::bound(Instant::now(), session.jid(), &options, true);
        Self {
            session,
            stream,
            got: 0,
        }
    }

    /// What its stream does with its mailbox.
    fn read(&mut self, now: Instant) {
        let mut cx = Context::from_waker(Waker::noop());
        let before = self.got;
        while let Poll::Ready(Mail::Stanza(stanza)) = self.session.poll_mail(&mut cx, true) {
            self.stream.deliver(now, stanza);
            self.got = self.got.wrapping_add(1);
        }
        assert_ne!(self.got, before, "a message comes");
        let mut is_asked = false;
        while let Some(transmit) = self.stream.poll_transmit() {
            is_asked |= matches!(&transmit, Transmit::Element(text) if text.starts_with("<r "));
            black_box(transmit);
        }
        if is_asked {
            let answer = format!(r#"<a xmlns="urn:xmpp:sm:3" h="{}"/>"#, self.got);
            self.stream.on_frame(now, &answer);
        }
    }
}

fn connection() -> Connection {
    Connection {
        transport: Transport::WebSocket,
        subprotocol: None,
        endpoint: "web".into(),
        path: "/ws".into(),
        query: Arc::default(),
        admission: None,
        address: IpAddr::V4(Ipv4Addr::LOCALHOST),
        on_this_machine: true,
        private: true,
        binding: ChannelBinding::NONE,
    }
}

fn flood_message(id: usize, bytes: usize) -> String {
    let start = format!(
        "<message xmlns='jabber:client' to='juliet@example.org/balcony' type='chat' id='m{id:06}'><body>"
    );
    let end = "</body></message>";
    let body = "x".repeat(bytes.saturating_sub(start.len() + end.len()));
    format!("{start}{body}{end}")
}

fn messages(c: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let _guard = runtime.enter();
    let chat = kit::good_frame("chat");
    let (id, _) = chat
        .split_once("id=\"")
        .expect("an id")
        .1
        .split_once('"')
        .expect("an id");
    let chats: Vec<_> = (0..IDS)
        .map(|n| chat.replace(id, &format!("m{n:035}")))
        .collect();
    let flood: Vec<_> = (0..IDS).map(|n| flood_message(n, 300)).collect();
    let long: Vec<_> = (0..IDS).map(|n| flood_message(n, 60_000)).collect();
    let mut group = c.benchmark_group("message");
    for (name, frames, others) in [
        ("chat", &chats, 0),
        ("300 bytes", &flood, 0),
        ("60 KB", &long, 0),
        ("300 bytes, beside 100,000 sessions", &flood, 100_000),
    ] {
        let mut server = runtime.block_on(Server::start(others));
        let mut next = frames.iter().cycle();
        group.throughput(Throughput::Elements(1));
        group.bench_function(BenchmarkId::from_parameter(name), |b| {
            b.iter(|| server.pass(next.next().expect("a frame")))
        });
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = kit::criterion();
    targets = messages
}
criterion_main!(benches);
