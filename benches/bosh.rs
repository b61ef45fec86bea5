//! What BOSH adds to a stanza (XEP-0124), without HTTP.
//!
//! `read a body`: one `<body/>` as a client posts it, empty, with one chat message of 419 bytes, or
//! with ten; each stanza becomes a document of its own, and the stream scans it again. `one stanza
//! each way`: a request with a message comes in, its payload is taken, a message goes out in the
//! answer to the request that was held: the whole way through the window, reading included.

mod kit;

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use stanzad::stream::bosh::{Body, Options, RequestToken, Window, body_limits};
use stanzad::xml::{Limits, Scanner};

const CREATION: &str = "<body xmlns='http://jabber.org/protocol/httpbind' \
    xmlns:xmpp='urn:xmpp:xbosh' rid='1' to='example.org' ver='1.6' wait='60' hold='1' \
    xmpp:version='1.0' xml:lang='en'/>";

fn body(rid: u64, payload: &str) -> String {
    format!(
        "<body xmlns='http://jabber.org/protocol/httpbind' rid='{rid}' \
         sid='0123456789abcdef0123456789abcdef'>{payload}</body>"
    )
}

fn read(c: &mut Criterion) {
    let chat = kit::good_frame("chat");
    let mut scanner = Scanner::new(body_limits(Limits::default()));
    let mut group = c.benchmark_group("bosh");
    for (name, payload) in [
        ("empty", String::new()),
        ("one message", chat.clone()),
        ("ten messages", chat.repeat(10)),
    ] {
        let text = body(2, &payload);
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_function(BenchmarkId::new("read a body", name), |b| {
            b.iter(|| Body::parse(&mut scanner, black_box(&text)).expect("a body"))
        });
    }
    group.finish();
}

fn exchange(c: &mut Criterion) {
    let chat = kit::good_frame("chat");
    let out: Arc<str> = chat.as_str().into();
    let now = Instant::now();
    let mut scanner = Scanner::new(body_limits(Limits::default()));
    let creation = Body::parse(&mut scanner, CREATION).expect("a body");
    let (mut rid, token, options) = (1, RequestToken(1), Options::default());
    let window = Window::create(now, "sid", "example.org", token, creation, &options);
    let mut window = window.expect("a session");
    assert!(window.poll_response(now).is_some());
    c.bench_function("bosh/one stanza each way", |b| {
        b.iter(|| {
            rid += 1;
            let request = Body::parse(&mut scanner, &body(rid, &chat)).expect("a body");
            window.on_request(now, RequestToken(rid), request);
            while let Some(input) = window.poll_input() {
                black_box(input);
            }
            window.push(out.clone());
            window.poll_response(now).expect("an answer")
        })
    });
    assert!(!window.is_over());
}

criterion_group! {
    name = benches;
    config = kit::criterion();
    targets = read, exchange
}
criterion_main!(benches);
