//! How fast frames are read with every check, over the events of quick-xml alone.
//!
//! `cargo bench --bench frames`: every frame of `xmpp-testdata` that is in order goes (1) through
//! `Scanner::scan`, which is what each frame of a client goes through, and (2) through the loop
//! `Reader::read_event` and nothing else: tokens are found and end tags are compared, names,
//! attributes, namespaces and characters are not looked at. The figure of a frame is the bytes per
//! second of (1) over those of (2), each the best of many short runs taken in turns, so that other
//! work on the machine cancels out. The last lines have the medians: of all frames, and of those
//! that clients send (`good/`). With a name after `--`, only frames whose name holds it are shown.

mod kit;

use std::hint::black_box;
use std::time::{Duration, Instant};

use quick_xml::Reader;
use quick_xml::events::Event;
use stanzad::xml::Scanner;

/// One short run.
const RUN: Duration = Duration::from_micros(200);
const ROUNDS: usize = 300;

fn main() {
    let rounds = if kit::is_measuring() { ROUNDS } else { 1 };
    let wanted = std::env::args()
        .skip(1)
        .find(|argument| !argument.starts_with('-'));
    let mut scanner = Scanner::default();
    let mut ratios = Vec::new();
    println!("   bytes  events ns    scan ns  scan MB/s   ratio");
    for frame in kit::accepted_frames() {
        if wanted
            .as_ref()
            .is_some_and(|wanted| !frame.name.contains(wanted))
        {
            continue;
        }
        let text = frame.text();
        let (events, scan) = measure(&mut scanner, &text, rounds);
        let ratio = events / scan;
        let speed = text.len() as f64 / scan * 1e3;
        println!(
            "{:8} {events:10.0} {scan:10.0} {speed:10.0} {ratio:7.2}  {}",
            text.len(),
            frame.name
        );
        ratios.push((frame.group().to_owned(), ratio));
    }
    let good = ratios.iter().filter(|(group, _)| group == "good");
    println!("median of frames that clients send: {:.3}", median(good));
    println!(
        "median of all accepted frames:      {:.3}",
        median(ratios.iter())
    );
}

/// The least time that the events alone took, and that the scan took, in nanoseconds.
fn measure(scanner: &mut Scanner, text: &str, rounds: usize) -> (f64, f64) {
    let (mut events, mut scan) = (f64::MAX, f64::MAX);
    let (mut times_events, mut times_scan) = (1, 1);
    for _ in 0..rounds {
        let took = time(times_events, || count_events(black_box(text)));
        times_events = times_in_a_run(took);
        events = events.min(took);
        let took = time(times_scan, || {
            let frame = scanner.scan(black_box(text)).expect("in order");
            frame.children().len()
        });
        times_scan = times_in_a_run(took);
        scan = scan.min(took);
    }
    (events, scan)
}

fn time(times: u32, mut work: impl FnMut() -> usize) -> f64 {
    let began = Instant::now();
    for _ in 0..times {
        black_box(work());
    }
    began.elapsed().as_secs_f64() * 1e9 / f64::from(times)
}

fn times_in_a_run(nanoseconds: f64) -> u32 {
    (RUN.as_secs_f64() * 1e9 / nanoseconds).clamp(1.0, 1e5) as u32
}

fn count_events(text: &str) -> usize {
    let mut reader = Reader::from_str(text);
    let mut events = 0;
    loop {
        match reader.read_event().expect("in order") {
            Event::Eof => return events,
            event => {
                black_box(&event);
                events += 1;
            }
        }
    }
}

fn median<'a>(ratios: impl Iterator<Item = &'a (String, f64)>) -> f64 {
    let mut ratios: Vec<_> = ratios.map(|(_, ratio)| *ratio).collect();
    ratios.sort_by(f64::total_cmp);
    ratios.get(ratios.len() / 2).copied().unwrap_or(f64::NAN)
}
