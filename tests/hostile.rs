//! A server that runs as a process of its own, and those who do not mean well: the process stays up,
//! others chat on, and the memory comes back.

mod kit;

use kit::manifest::entries;
use kit::process::Process;
use kit::ws::{TEXT, frame};
use kit::{Client, Got, Http, TestServer, body, condition, corpus, within};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// What memory may have grown by after everything was played once more: allocators keep some.
const MARGIN_BYTES: u64 = 24 * 1024 * 1024;

/// A witness from another account, who chats with herself all the while.
struct Witness(Client);

impl Witness {
    async fn new(process: &Process) -> Self {
        let mut client = Client::over(Http::to(process.address).await).await;
        client.plain("nurse").await;
        client.bind(Some("witness")).await;
        client
            .become_available("<presence xmlns='jabber:client'/>")
            .await;
        Self(client)
    }

    async fn chats_on(&mut self, text: &str) {
        let own = self.0.jid.clone();
        self.0.chat(&own, text).await;
        assert_eq!(self.0.bodies().await, [text]);
    }
}

/// All of `xmpp-testdata`: the exact answer to each.
#[tokio::test]
async fn every_frame_of_the_corpus_gets_its_answer_and_nobody_else_notices() {
    let mut process = Process::start(&[]).await;
    let mut witness = Witness::new(&process).await;
    let mut juliet = Client::over(Http::to(process.address).await).await;
    juliet.plain("juliet").await;
    juliet.bind(Some("balcony")).await;
    juliet
        .become_available("<presence xmlns='jabber:client'/>")
        .await;
    let (mut resident, mut faults) = (Vec::new(), Vec::new());
    for _round in 0..2 {
        for entry in entries() {
            faults.extend(
                corpus::play_before_auth(process.address, &entry)
                    .await
                    .err(),
            );
            let bound = corpus::play_bound(process.address, &entry, &mut juliet).await;
            faults.extend(bound.err());
            witness.chats_on(&entry.name).await;
            assert!(process.is_alive(), "{}", entry.name);
        }
        resident.push(process.resident_bytes());
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(
        resident[1] <= resident[0] + MARGIN_BYTES,
        "memory grows: {resident:?}"
    );
}

async fn login(process: &Process, name: &str) -> Client {
    let mut client = Client::over(Http::to(process.address).await).await;
    client.plain(name).await;
    client.bind(None).await;
    client
}

/// L-05
#[tokio::test]
async fn a_receiver_that_does_not_read_holds_its_sender_back_and_costs_bounded_memory() {
    const MESSAGES: usize = 12_000;
    let process = Process::start(&[]).await;
    let mut witness = Witness::new(&process).await;
    let mut romeo = login(&process, "romeo").await;
    let mut juliet = login(&process, "juliet").await;
    let before = process.resident_bytes();
    let sent = Arc::new(AtomicUsize::new(0));
    let (to, count) = (romeo.jid.clone(), sent.clone());
    let sending = tokio::spawn(async move {
        let filling = "x".repeat(4096);
        for n in 0..MESSAGES {
            let text = format!(
                "<message xmlns='jabber:client' to='{to}' type='chat'><body>{n} {filling}</body></message>"
            );
            // Not within the kit's patience: it is the point that this takes long.
            let io = juliet.ws.io();
            tokio::io::AsyncWriteExt::write_all(io, &frame(TEXT, text.as_bytes()))
                .await
                .expect("a connection");
            count.store(n + 1, Ordering::Relaxed);
        }
        juliet.hears_nothing().await;
    });
    // Until the sender is stuck, or done.
    let mut last = usize::MAX;
    while last != sent.load(Ordering::Relaxed) {
        last = sent.load(Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(700)).await;
        witness.chats_on("meanwhile").await;
    }
    assert!(last < MESSAGES, "the sender was not held back");
    let grown = process.resident_bytes().saturating_sub(before);
    assert!(grown < MARGIN_BYTES, "{grown} bytes for who does not read");
    // Once the receiver reads, all of it comes, in order.
    for n in 0..MESSAGES {
        let message = romeo.next_named("message").await;
        let text = body(&message);
        assert_eq!(text.split(' ').next(), Some(&*n.to_string()));
    }
    sending.await.expect("no panic");
}

/// L-12
#[tokio::test]
async fn more_resources_than_allowed_are_refused_and_the_others_stay() {
    let server = TestServer::with(&["limits.sessions_per_user=20"]).await;
    let mut clients = Vec::new();
    for _ in 0..20 {
        clients.push(Client::login(&server, "romeo").await);
    }
    for _ in 0..20 {
        let mut client = Client::authenticated(&server, "romeo").await;
        let answer = client.try_bind(None).await;
        assert_eq!(condition(&answer), "resource-constraint");
    }
    for client in &mut clients {
        client.hears_nothing().await;
    }
}

/// L-16
#[tokio::test]
async fn hundreds_of_dropped_sessions_leave_neither_memory_nor_presence() {
    let process = Process::start(&["sm.max_hibernating_per_user=3"]).await;
    let mut resident = Vec::new();
    for _round in 0..4 {
        for n in 0..75 {
            let mut romeo = login(&process, "romeo").await;
            romeo
                .become_available("<presence xmlns='jabber:client'/>")
                .await;
            if n % 2 == 0 {
                romeo.enable("resume='true' max='1'").await;
            }
        }
        resident.push(process.resident_bytes());
    }
    assert!(
        resident[3] <= resident[1] + MARGIN_BYTES / 2,
        "{resident:?}"
    );
    // The last of them expire, and then nobody is there: a message is kept, and comes once.
    let mut juliet = login(&process, "juliet").await;
    juliet.chat("romeo@example.org", "to whom?").await;
    juliet.hears_nothing().await;
    let mut romeo = login(&process, "romeo").await;
    romeo.send("<presence xmlns='jabber:client'/>").await;
    let kept = within("a kept message", romeo.next_named("message")).await;
    assert_eq!(body(&kept), "to whom?");
    let more = romeo.messages().await;
    assert!(more.is_empty(), "{}", kit::xmpp::show(&more));
}

/// L-17
#[tokio::test]
async fn a_flood_of_stanzas_before_authentication_is_cut_off() {
    let server = TestServer::start().await;
    let mut juliet = Client::available_as(&server, "juliet", "balcony").await;
    let mut stranger = Client::open(&server).await;
    let text = "<message xmlns='jabber:client' to='juliet@example.org'><body>x</body></message>";
    stranger
        .ws
        .raw(frame(TEXT, text.as_bytes()).repeat(10_000))
        .await;
    stranger.refused(&["not-authorized"]).await;
    assert_eq!(stranger.ws.next().await, Got::End);
    juliet.hears_nothing().await;
}
