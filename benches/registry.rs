//! Routing through the registry with 1, 1,000 and 100,000 sessions in it.
//!
//! `full address`: the session at a full address is found, a stanza is put into its mailbox and
//! taken out again, as its stream would. `account`: the same for all sessions of a bare address.
//! `id`: the look-up of a resumption. The addresses are asked for in an order that no cache knows,
//! so what grows from 1,000 to 100,000 sessions is the way to the memory, not the work.
//! `bind and close`: one more session comes and goes.

mod kit;

use std::hint::black_box;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::SystemTime;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use stanzad::sessions::{
    Bind, Delivered, EndReason, Mail, Session, SessionId, Sessions, SessionsOptions,
};
use stanzad::stanza::address::{FullJid, Jid};
use stanzad::stanza::{ByteString, Kind, MessageType};
use stanzad::stream::Outbound;

const SIZES: [usize; 3] = [1, 1_000, 100_000];
/// Steps over the addresses: a prime, so that all of them come by.
const STRIDE: usize = 7_919;

struct Registry {
    sessions: Sessions,
    addresses: Vec<Jid>,
    ids: Vec<SessionId>,
    at: usize,
}

impl Registry {
    fn new(size: usize) -> Self {
        let sessions = Sessions::new(SessionsOptions {
            sessions_per_user: 20,
            send_queue: 256,
            send_queue_bytes: 4 << 20,
            max_unacked: 1_000,
            max_hibernating_per_user: 8,
            repeat_window: 128,
        });
        let jids = (0..size).map(|n| full(&format!("user{n}@example.org/web")));
        let bound: Vec<_> = jids.map(|jid| bind(&sessions, jid)).collect();
        Self {
            addresses: bound.iter().map(|s| s.jid().clone().into()).collect(),
            ids: bound.iter().map(|session| session.id()).collect(),
            sessions,
            at: 0,
        }
    }

    fn next(&mut self) -> usize {
        self.at = (self.at + STRIDE) % self.ids.len();
        self.at
    }
}

fn full(text: &str) -> FullJid {
    text.parse().expect("an address")
}

fn bind(sessions: &Sessions, jid: FullJid) -> Arc<Session> {
    match sessions.bind(jid) {
        Bind::Bound(session) => session,
        other => panic!("{other:?}"),
    }
}

/// Into the mailbox, and out of it.
fn pass(session: &Session, text: &ByteString) {
    let kind = Kind::Message(MessageType::Chat);
    let stanza = Outbound::new(text.clone(), kind, SystemTime::UNIX_EPOCH);
    assert!(matches!(session.deliver(stanza), Delivered::Queued));
    let mut cx = Context::from_waker(Waker::noop());
    match session.poll_mail(&mut cx, true) {
        Poll::Ready(Mail::Stanza(stanza)) => drop(black_box(stanza)),
        other => panic!("{other:?}"),
    }
}

fn route(c: &mut Criterion) {
    let text = ByteString::from(kit::good_frame("chat"));
    for size in SIZES {
        let mut registry = Registry::new(size);
        let mut group = c.benchmark_group("registry");
        group.bench_function(BenchmarkId::new("full address", size), |b| {
            b.iter(|| {
                let at = registry.next();
                let session = registry.sessions.at(&registry.addresses[at]);
                pass(&session.expect("it is here"), &text);
            })
        });
        let accounts: Vec<_> = registry.addresses.iter().map(Jid::to_bare).collect();
        group.bench_function(BenchmarkId::new("account", size), |b| {
            b.iter(|| {
                let at = registry.next();
                let sessions = registry.sessions.of_account(accounts[at].as_str());
                sessions.iter().for_each(|session| pass(session, &text));
            })
        });
        group.bench_function(BenchmarkId::new("id", size), |b| {
            b.iter(|| {
                let at = registry.next();
                registry
                    .sessions
                    .by_id(registry.ids[at])
                    .expect("it is here")
            })
        });
        let newcomer = full("newcomer@example.org/web");
        group.bench_function(BenchmarkId::new("bind and close", size), |b| {
            b.iter(|| {
                let session = bind(&registry.sessions, newcomer.clone());
                let ending = registry.sessions.close(&session, None, EndReason::Closed);
                registry.sessions.remove(&ending.session);
            })
        });
        group.finish();
    }
}

criterion_group! {
    name = benches;
    config = kit::criterion();
    targets = route
}
criterion_main!(benches);
