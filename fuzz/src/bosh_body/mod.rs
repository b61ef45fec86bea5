//! BOSH without the HTTP: the reading of a `<body/>`, and one session's window.
//!
//! The first byte chooses. A body is read as a document and as a tree, which must say the same, and
//! each stanza in it must mean alone what it meant inside.
//!
//! A session gets requests in any order and more than once, with keys or without, over links that
//! break; its `rid` may begin near the end of the numbers. What must hold: every request gets one
//! answer, unless its link broke; payload reaches the stream once and in the order of the `rid`s;
//! the answers to one `rid` are the same to the byte; the client, who reads the answers in order,
//! gets every frame once and in order; no frame vanishes. A frame has not vanished that the client
//! had acknowledged (XEP-0124 §9.2) before the connection that brought it was reported broken.

mod answers;
mod reading;
mod session;

use crate::input::Input;

const READING: u8 = 0;

/// Reads a body, or plays a session.
pub fn run(data: &[u8]) {
    let mut input = Input::new(data);
    match input.below(2) {
        READING => reading::run(input.remaining()),
        _ => session::run(&mut input),
    }
}

/// A body that carries a frame; for seeds.
pub fn carrying(frame: &[u8]) -> Vec<u8> {
    let head = b"<body xmlns='http://jabber.org/protocol/httpbind' rid='1573741820' sid='s'>";
    [&[READING], &head[..], frame, b"</body>"].concat()
}

/// A session whose numbers begin so far before the last one; for seeds.
pub fn prologue(before_last: u8) -> Vec<u8> {
    session::prologue(before_last)
}
