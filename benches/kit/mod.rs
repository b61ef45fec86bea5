//! What several benches share: short runs, frames of `xmpp-testdata`, a bound stream.

#![allow(dead_code)] // no bench uses all of it

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use criterion::Criterion;
use serde::Deserialize;
use stanzad::auth::{LinkSecurity, Mechanism, Offer};
use stanzad::stanza::address::{BareJid, FullJid};
use stanzad::stream::{
    Event, Framing, Reply, SharedOptions, Sm, SmOptions, Stream, StreamOptions, Transmit,
};

/// Long enough for a figure within some per cent, short enough for a file within a minute.
pub fn criterion() -> Criterion {
    Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_millis(1500))
}

/// Whether this is `cargo bench` and not a test that the bench runs at all.
pub fn is_measuring() -> bool {
    let mut is_bench = false;
    for argument in std::env::args() {
        match argument.as_str() {
            "--test" => return false,
            "--bench" => is_bench = true,
            _ => {}
        }
    }
    is_bench
}

/// One frame of `xmpp-testdata`.
#[derive(Deserialize)]
pub struct Entry {
    pub name: String,
    scanner: String,
    file: Option<String>,
    recipe: Option<Vec<Part>>,
}

#[derive(Deserialize)]
struct Manifest {
    frame: Vec<Entry>,
}

#[derive(Deserialize)]
struct Part {
    text: String,
    repeat: Option<usize>,
}

impl Entry {
    /// The name of its group.
    pub fn group(&self) -> &str {
        self.name.split('/').next().unwrap_or_default()
    }

    pub fn text(&self) -> String {
        let parts = self.recipe.iter().flatten().map(Part::text);
        match &self.file {
            Some(file) => std::fs::read_to_string(testdata(file)).expect("a frame"),
            None => parts.collect(),
        }
    }
}

impl Part {
    fn text(&self) -> String {
        let numbered = |n: usize| self.text.replace("{n}", &n.to_string());
        self.repeat
            .map_or(self.text.clone(), |n| (0..n).map(numbered).collect())
    }
}

/// The frames that are in order.
pub fn accepted_frames() -> Vec<Entry> {
    let manifest = std::fs::read_to_string(testdata("manifest.toml")).expect("xmpp-testdata");
    let manifest: Manifest = toml::from_str(&manifest).expect("the manifest");
    let frames = manifest.frame.into_iter();
    frames.filter(|frame| frame.scanner == "accept").collect()
}

/// One frame that is a file of `good/`.
pub fn good_frame(name: &str) -> String {
    std::fs::read_to_string(testdata(&format!("good/{name}.xml"))).expect("a frame")
}

fn testdata(file: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("xmpp-testdata")
        .join(file)
}

/// The options of a server as installed, but for the length of the unacked queue.
pub fn stream_options(max_unacked: usize) -> SharedOptions {
    Arc::new(ArcSwap::from_pointee(StreamOptions {
        hosts: vec!["example.org".into()],
        max_stanza_bytes: 1 << 18,
        max_stanza_bytes_before_auth: 10 << 10,
        xml: stanzad::xml::Limits::default(),
        ws_idle_timeout: Duration::from_secs(90),
        bosh_inactivity: Duration::from_secs(60),
        login_timeout: Duration::from_secs(30),
        failures_per_stream: 3,
        registration: false,
        see_other_uri: None,
        sm: SmOptions {
            enabled: true,
            unsolicited_ack_frequency: 0,
            unsolicited_ack_delay: Duration::from_secs(1),
            ack_request_frequency: 5,
            ack_request_delay: Duration::from_secs(1),
            ack_timeout: Duration::from_secs(60),
            resume_timeout: Duration::from_secs(600),
            max_hibernating_per_user: 8,
            max_unacked,
            max_unacked_bytes: usize::MAX,
            first_h: 0,
        },
    }))
}

const OPEN: &str =
    r#"<open xmlns="urn:ietf:params:xml:ns:xmpp-framing" to="example.org" version="1.0"/>"#;
const AUTH: &str =
    r#"<auth xmlns="urn:ietf:params:xml:ns:xmpp-sasl" mechanism="PLAIN">AGEAYg==</auth>"#;
const BIND: &str = r#"<iq xmlns="jabber:client" type="set" id="b"><bind xmlns="urn:ietf:params:xml:ns:xmpp-bind"/></iq>"#;
const ENABLE: &str = r#"<enable xmlns="urn:xmpp:sm:3" resume="true"/>"#;
const RESUME: &str =
    r#"<resume xmlns="urn:xmpp:sm:3" previd="0123456789abcdef0123456789abcdef" h="0"/>"#;
const PREVID: &str = "0123456789abcdef0123456789abcdef";

/// A stream that has logged in.
fn authenticated(now: Instant, jid: &FullJid, options: &SharedOptions) -> Stream {
    let offer = Arc::new(Offer::new([Mechanism::Plain], &LinkSecurity::Confidential));
    let mut stream = Stream::new(now, Framing::WebSocket, offer, options.clone(), counted_ids);
    stream.on_frame(now, OPEN);
    stream.on_frame(now, AUTH);
    assert!(matches!(stream.poll_event(), Some(Event::SaslBegin { .. })));
    let account: BareJid = jid.to_bare();
    stream.on_backend(
        now,
        Reply::Authenticated {
            account,
            data: None,
        },
    );
    stream.on_frame(now, OPEN);
    stream
}

/// A stream with a bound resource, with stream management or without.
pub fn bound(now: Instant, jid: &FullJid, options: &SharedOptions, managed: bool) -> Stream {
    let mut stream = authenticated(now, jid, options);
    stream.on_frame(now, BIND);
    assert!(matches!(stream.poll_event(), Some(Event::Bind { .. })));
    let bound = Reply::Bound {
        jid: jid.clone(),
        previd: PREVID.into(),
    };
    stream.on_backend(now, bound);
    if managed {
        stream.on_frame(now, ENABLE);
        assert!(stream.is_managed());
    }
    drain(&mut stream);
    stream
}

/// A stream whose client has asked to resume a session, and the answer that the backend has for it.
pub fn resuming(now: Instant, jid: &FullJid, options: &SharedOptions, sm: Sm) -> (Stream, Reply) {
    let mut stream = authenticated(now, jid, options);
    stream.on_frame(now, RESUME);
    assert!(matches!(stream.poll_event(), Some(Event::Resume { .. })));
    drain(&mut stream);
    let resumed = Reply::Resumed {
        jid: jid.clone(),
        previd: PREVID.into(),
        sm: Box::new(sm),
        waiting: 0,
    };
    (stream, resumed)
}

/// Takes what the stream has to say; returns how many elements that is.
pub fn drain(stream: &mut Stream) -> usize {
    while stream.poll_event().is_some() {}
    let mut elements = 0;
    while let Some(transmit) = stream.poll_transmit() {
        elements += usize::from(matches!(&transmit, Transmit::Element(_)));
        std::hint::black_box(transmit);
    }
    elements
}

fn counted_ids() -> u128 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    u128::from(NEXT.fetch_add(1, Ordering::Relaxed))
}
