//! What reading a frame costs: the scan that every frame goes through, the events of quick-xml
//! alone, and the tree that is made only of what the server itself answers.
//!
//! `mixed`: the files of `xmpp-testdata/good` up to 5 KB, one after the other: openings, presence,
//! messages, OMEMO, archive queries. `chat`: one message of 419 bytes with chat state, receipt,
//! marker and origin-id. `body_60k`: one message with a body of 60 KB. The bytes per second of
//! `scan` and of `quick_xml_events` belong together; `frames.rs` has the ratio frame by frame.

mod kit;

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use quick_xml::Reader;
use quick_xml::events::Event;
use stanzad::xml::{Element, Scanner};

const MIXED_BYTES_MAX: usize = 5_000;

fn count_events(text: &str) -> usize {
    let mut reader = Reader::from_str(text);
    let mut events = 0;
    loop {
        match reader.read_event().expect("good frames are well-formed") {
            Event::Eof => return events,
            event => {
                black_box(&event);
                events += 1;
            }
        }
    }
}

fn read(c: &mut Criterion) {
    let accepted = kit::accepted_frames();
    let good = accepted.iter().filter(|frame| frame.group() == "good");
    let mut mixed: Vec<_> = good.map(kit::Entry::text).collect();
    mixed.retain(|text| text.len() <= MIXED_BYTES_MAX);
    let chat = vec![kit::good_frame("chat")];
    let body = "Soft! what light through yonder window breaks? ".repeat(1280);
    let long = vec![format!(
        "<message xmlns='jabber:client'><body>{body}</body></message>"
    )];
    for (name, frames) in [("mixed", &mixed), ("chat", &chat), ("body_60k", &long)] {
        let bytes = frames.iter().map(String::len).sum::<usize>();
        let mut group = c.benchmark_group("read");
        group.throughput(Throughput::Bytes(bytes as u64));
        let mut scanner = Scanner::default();
        group.bench_function(BenchmarkId::new("scan", name), |b| {
            b.iter(|| {
                for text in frames {
                    let frame = scanner.scan(black_box(text)).expect("good");
                    black_box(frame.children().len());
                }
            })
        });
        group.bench_function(BenchmarkId::new("quick_xml_events", name), |b| {
            b.iter(|| {
                let counts = frames.iter().map(|text| count_events(black_box(text)));
                counts.sum::<usize>()
            })
        });
        group.bench_function(BenchmarkId::new("tree", name), |b| {
            b.iter(|| {
                for text in frames {
                    black_box(Element::parse(black_box(text)).expect("good"));
                }
            })
        });
        group.finish();
    }
}

criterion_group! {
    name = benches;
    config = kit::criterion();
    targets = read
}
criterion_main!(benches);
