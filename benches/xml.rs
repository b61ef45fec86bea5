//! How fast frames are read, against the events of quick-xml alone over the same bytes.
//!
//! The ratio is what counts: it does not depend on the machine. The frames are the good ones of
//! `xmpp-testdata` that are files: openings, presence, messages, OMEMO, archive queries.

use std::fs;
use std::hint::black_box;
use std::path::Path;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use quick_xml::Reader;
use quick_xml::events::Event;
use stanzad::xml::{Element, Scanner};

fn good_frames() -> Vec<String> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("xmpp-testdata/good");
    let files = fs::read_dir(directory).expect("xmpp-testdata");
    let mut paths: Vec<_> = files
        .map(|file| file.expect("xmpp-testdata").path())
        .collect();
    paths.sort();
    paths
        .iter()
        .map(|path| fs::read_to_string(path).expect("a frame"))
        .collect()
}

fn count_events(text: &str) -> usize {
    let mut reader = Reader::from_str(text);
    let mut events = 0;
    loop {
        match reader.read_event().expect("good frames are well-formed") {
            Event::Eof => return events,
            event => {
                black_box(event);
                events += 1;
            }
        }
    }
}

fn read(c: &mut Criterion) {
    let mixed = good_frames();
    let chat: Vec<_> = mixed
        .iter()
        .filter(|text| text.contains("chat-markers"))
        .cloned()
        .collect();
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
                    black_box(
                        scanner
                            .scan(black_box(text))
                            .expect("good")
                            .children()
                            .len(),
                    );
                }
            })
        });
        group.bench_function(BenchmarkId::new("quick_xml_events", name), |b| {
            b.iter(|| {
                frames
                    .iter()
                    .map(|text| count_events(black_box(text)))
                    .sum::<usize>()
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

criterion_group!(benches, read);
criterion_main!(benches);
