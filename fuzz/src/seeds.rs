//! What a fuzzer begins with.

use std::fs;
use std::path::Path;

use crate::{bosh_body, http_upgrade, sasl, stream};

/// The longest frame that is worth mutating.
const FRAME_MAX_BYTES: usize = 4096;

/// The seeds of every target, by its name.
pub fn all() -> Vec<(&'static str, Vec<Vec<u8>>)> {
    let frames = frames();
    vec![
        ("stream", of_stream(&frames)),
        ("bosh_body", of_bosh_body(&frames)),
        ("sasl", of_sasl()),
        ("http_upgrade", of_http_upgrade()),
        ("xml_frame", frames),
    ]
}

/// The frames of `xmpp-testdata` that stand in a file.
fn frames() -> Vec<Vec<u8>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../xmpp-testdata");
    let directories = ["good", "bad", "hostile"].map(|name| fs::read_dir(root.join(name)));
    let entries = directories.into_iter().flatten().flatten();
    let mut files: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    files.sort();
    let frames = files.iter().map(|file| fs::read(file).expect("a frame"));
    frames
        .filter(|frame| frame.len() <= FRAME_MAX_BYTES)
        .collect()
}

/// Each frame to a session, and sessions whose counters are about to wrap, of a server that stays
/// or stops.
fn of_stream(frames: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let with_frame = frames.iter().enumerate().map(|(i, frame)| {
        let first_h = u8::try_from(i % 8).unwrap_or_default();
        [stream::prologue(first_h), stream::saying(frame)].concat()
    });
    let alone = (0..8).map(stream::prologue);
    let message = stream::saying(b"<message xmlns='jabber:client' to='romeo@example.net'/>");
    let stops = |n: u8| [stream::stopping(n / 4), stream::stopping(n % 4)].concat();
    let stopping = (0..8).map(|n| [stream::prologue(n), message.clone(), stops(n)].concat());
    with_frame.chain(alone).chain(stopping).collect()
}

/// Each frame inside a body, and sessions near the end of their numbers.
fn of_bosh_body(frames: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let inside = frames.iter().map(|frame| bosh_body::carrying(frame));
    inside.chain((0..8).map(bosh_body::prologue)).collect()
}

fn of_sasl() -> Vec<Vec<u8>> {
    #[rustfmt::skip]
    let messages: &[&[u8]] = &[
        b"\0user\0pencil", b"user@example.org\0user\0pencil", b"\0user\0crayon", b"\0ghost\0pencil",
        b"n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL", b"y,,n=user,r=x", b"n,a=user@example.org,n=user,r=x",
        b"p=tls-exporter,,n=user,r=x", b"p=tls-server-end-point,,n=user,r=x", b"n,,n=us=2Cer=3D,r=x",
        b"n,,m=x,n=user,r=x", b"n,,n=user,r=x,x=y", b"n,,n=user@example.org,r=x", b"=", b"",
    ];
    let honest = (0..8).map(sasl::honest);
    let said = messages
        .iter()
        .flat_map(|message| (0..8).map(|mechanism| sasl::saying(mechanism, message)));
    honest.chain(said).collect()
}

fn of_http_upgrade() -> Vec<Vec<u8>> {
    const HANDSHAKE: &str = "GET /ws/ HTTP/1.1\r\nHost: example.org\r\nUpgrade: websocket\r\n\
        Connection: keep-alive, Upgrade\r\nSec-WebSocket-Version: 13\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: xmpp\r\n";
    #[rustfmt::skip]
    let more = [
        "", "Origin: https://chat.example.org\r\n", "Origin: https://evil.example\r\n",
        "X-Forwarded-For: 192.0.2.1, 10.0.0.1\r\nX-Forwarded-Proto: https\r\n",
        "Forwarded: for=\"[2001:db8::1]:4711\";proto=https, for=10.1.1.1\r\n",
        "Content-Length: 0\r\n", "Transfer-Encoding: chunked\r\n", "Host: other.example\r\n",
        "Via: 1.1 proxy\r\nX-Real-IP: 127.0.0.1\r\n",
    ];
    let prefaces: [&[u8]; 5] = [
        b"",
        b"PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n",
        b"PROXY UNKNOWN\r\n",
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x01\xc6\x33\x64\x01\xdc\x04\x01\xbb",
        b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0",
    ];
    let mut seeds = Vec::new();
    for (i, lines) in more.iter().enumerate() {
        for preface in prefaces {
            let request = format!("{HANDSHAKE}{lines}\r\n");
            let flags = 1 | (i as u8 & 1) << 1;
            let bytes = [preface, request.as_bytes()].concat();
            seeds.push(http_upgrade::flagged(flags, &bytes));
        }
        let request = format!("{HANDSHAKE}{lines}\r\nbehind");
        seeds.push(http_upgrade::flagged(0, request.as_bytes()));
    }
    seeds
}
