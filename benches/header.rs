//! What the header of a stanza costs, once its frame is read.
//!
//! `read and stamp`: what routing wants to know (kind, addresses, id, marks of a message), and the
//! copy of the text whose start tag names the sender; this is what every stanza of a client pays
//! besides the scan. `address to a resource`: another copy with another `to`, scan included.
//! `fingerprint`: by which a message that is sent again is known; paid by every message with an
//! id. `delay stamp`: what a stanza pays that comes late. `read from the store`: a stanza that this
//! server wrote before, scan included.

mod kit;

use std::hint::black_box;
use std::time::SystemTime;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use stanzad::stanza::address::{FullJid, Jid};
use stanzad::stanza::{Fingerprints, Kind, Stanza, stamped};
use stanzad::xml::Scanner;

fn sender() -> FullJid {
    "romeo@example.org/orchard".parse().expect("an address")
}

fn stanza(text: &str) -> Stanza {
    let mut scanner = Scanner::default();
    let frame = scanner.scan(text).expect("good");
    let read = Stanza::of_client(&frame, &sender());
    read.expect("a stanza").expect("not refused")
}

fn header(c: &mut Criterion) {
    let (sender, mut scanner) = (sender(), Scanner::default());
    let mut group = c.benchmark_group("header");
    for name in [
        "chat",
        "groupchat",
        "presence-with-caps",
        "ping",
        "body-60k",
    ] {
        let text = match name {
            "body-60k" => kit::good_frame("chat")
                .replace("</body>", &format!("{}</body>", "x".repeat(60_000))),
            name => kit::good_frame(name),
        };
        let frame = scanner.scan(&text).expect("good");
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_function(BenchmarkId::new("read and stamp", name), |b| {
            b.iter(|| Stanza::of_client(black_box(&frame), &sender))
        });
    }
    group.finish();
}

fn rewrites(c: &mut Criterion) {
    let chat = stanza(&kit::good_frame("chat"));
    let fingerprints = Fingerprints::new(b"a key");
    let to: Jid = "juliet@example.org/garden".parse().expect("an address");
    let mut group = c.benchmark_group("chat");
    assert!(matches!(chat.kind, Kind::Message(_)));
    group.bench_function("address to a resource", |b| {
        b.iter(|| black_box(&chat).addressed_to(&to))
    });
    group.bench_function("fingerprint", |b| {
        b.iter(|| fingerprints.of(black_box(&chat)))
    });
    group.bench_function("delay stamp", |b| {
        b.iter(|| stamped(black_box(&chat.text), "example.org", SystemTime::UNIX_EPOCH))
    });
    group.bench_function("read from the store", |b| {
        b.iter(|| Stanza::of_server(black_box(&chat.text).clone()))
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = kit::criterion();
    targets = header, rewrites
}
criterion_main!(benches);
