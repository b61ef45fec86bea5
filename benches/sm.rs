//! Stream management (XEP-0198) at the depths that an unacked queue can have.
//!
//! `push and ack`: one stanza goes out and is queued, one `<a/>` comes in as a frame and frees the
//! oldest; the queue stays as deep as it was. The three depths should cost the same: a client that
//! acknowledges nothing for a while must not become dearer. `push`: the same without the `<a/>`;
//! every fifth stanza is followed by an `<r/>`. `ack all`: one `<a/>` frees the whole queue; the
//! cost is linear, so the figure is to be divided by the depth. `resume`: a stream takes a session
//! over and writes `<resumed/>`, the whole queue with its delay stamps, and an `<r/>`; linear, too.
//! No socket, no mailbox and no clock is in these figures.

mod kit;

use std::hint::black_box;
use std::time::{Duration, Instant, SystemTime};

use criterion::{BatchSize, BenchmarkId, Criterion, criterion_group, criterion_main};
use stanzad::stanza::address::FullJid;
use stanzad::stanza::{ByteString, Kind, MessageType};
use stanzad::stream::{Outbound, SharedOptions, Sm, Stream};

const DEPTHS: [usize; 3] = [0, 100, 10_000];
/// So many pushes are measured at once where the queue grows.
const PUSHES: usize = 100;

struct Bench {
    now: Instant,
    jid: FullJid,
    options: SharedOptions,
    text: ByteString,
}

impl Bench {
    fn new() -> Self {
        Self {
            now: Instant::now(),
            jid: "juliet@example.org/balcony".parse().expect("an address"),
            options: kit::stream_options(usize::MAX),
            text: kit::good_frame("chat").into(),
        }
    }

    fn stanza(&self) -> Outbound {
        let kind = Kind::Message(MessageType::Chat);
        Outbound::new(self.text.clone(), kind, SystemTime::UNIX_EPOCH)
    }

    /// A stream with so many stanzas in its unacked queue.
    fn stream(&self, depth: usize) -> Stream {
        let mut stream = kit::bound(self.now, &self.jid, &self.options, true);
        for _ in 0..depth {
            stream.deliver(self.now, self.stanza());
        }
        kit::drain(&mut stream);
        stream
    }
}

fn ack(h: u32) -> String {
    format!(r#"<a xmlns="urn:xmpp:sm:3" h="{h}"/>"#)
}

fn push(c: &mut Criterion) {
    let bench = Bench::new();
    let mut group = c.benchmark_group("stream management");
    for depth in DEPTHS {
        let mut stream = bench.stream(depth);
        let mut h = 0_u32;
        group.bench_function(BenchmarkId::new("push and ack", depth), |b| {
            b.iter(|| {
                stream.deliver(bench.now, bench.stanza());
                h = h.wrapping_add(1);
                stream.on_frame(bench.now, black_box(&ack(h)));
                kit::drain(&mut stream)
            })
        });
        let left = stream.sm_mut().expect("stream management").unacked_len();
        assert_eq!(left, depth);
    }
    for depth in DEPTHS {
        let name = format!("push, {PUSHES} times");
        group.bench_function(BenchmarkId::new(name, depth), |b| {
            b.iter_batched(
                || bench.stream(depth),
                |mut stream| {
                    for _ in 0..PUSHES {
                        stream.deliver(bench.now, bench.stanza());
                        black_box(kit::drain(&mut stream));
                    }
                    stream
                },
                BatchSize::PerIteration,
            )
        });
    }
    group.finish();
}

fn ack_all(c: &mut Criterion) {
    let bench = Bench::new();
    let mut group = c.benchmark_group("stream management");
    for depth in DEPTHS {
        let answer = ack(depth as u32);
        group.bench_function(BenchmarkId::new("ack all", depth), |b| {
            b.iter_batched(
                || bench.stream(depth),
                |mut stream| {
                    stream.on_frame(bench.now, black_box(&answer));
                    assert!(!stream.is_closing());
                    stream
                },
                BatchSize::PerIteration,
            )
        });
    }
    group.finish();
}

fn resume(c: &mut Criterion) {
    let bench = Bench::new();
    let mut group = c.benchmark_group("stream management");
    let hour = Some(Duration::from_secs(3600));
    for depth in DEPTHS {
        group.bench_function(BenchmarkId::new("resume", depth), |b| {
            b.iter_batched(
                || {
                    let stanzas = std::iter::repeat_with(|| bench.stanza()).take(depth);
                    let sm = Sm::restored(0, 0, hour, stanzas);
                    kit::resuming(bench.now, &bench.jid, &bench.options, sm)
                },
                |(mut stream, resumed)| {
                    stream.on_backend(bench.now, resumed);
                    assert!(kit::drain(&mut stream) > depth);
                    stream
                },
                BatchSize::PerIteration,
            )
        });
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = kit::criterion().sample_size(50);
    targets = push, ack_all, resume
}
criterion_main!(benches);
