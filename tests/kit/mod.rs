//! What the conformance suite plays with: a server for each test, and clients that can do wrong.
//!
//! Everything goes over real sockets on loopback. A client reads what the server sends strictly:
//! each frame is checked against W-99 on its way in. Nothing sleeps to find out that nothing comes:
//! a ping goes out behind it, and what has not come before its answer does not come.

// Every test file is a program of its own and uses its part of this.
#![allow(dead_code, unused_imports)]

pub mod bosh;
pub mod corpus;
pub mod http;
pub mod manifest;
pub mod process;
pub mod scram;
pub mod server;
pub mod tls;
pub mod ws;
pub mod xmpp;

pub use bosh::Bosh;
pub use http::{Http, Response};
pub use server::{PASSWORD, TestServer};
pub use ws::{Got, Handshake, Ws};
pub use xmpp::{Client, bodies, body, condition};

use std::future::Future;
use std::time::Duration;

pub const CLIENT: &str = "jabber:client";
pub const STANZAS: &str = "urn:ietf:params:xml:ns:xmpp-stanzas";
pub const STREAMS: &str = "urn:ietf:params:xml:ns:xmpp-streams";
pub const SASL: &str = "urn:ietf:params:xml:ns:xmpp-sasl";
pub const BIND: &str = "urn:ietf:params:xml:ns:xmpp-bind";
pub const SM: &str = "urn:xmpp:sm:3";
pub const FRAMING: &str = "urn:ietf:params:xml:ns:xmpp-framing";
pub const ETHERX: &str = "http://etherx.jabber.org/streams";
pub const DELAY: &str = "urn:xmpp:delay";
pub const HTTPBIND: &str = "http://jabber.org/protocol/httpbind";

/// No test waits longer for one thing, on a machine however busy.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Awaits what has to come.
#[track_caller]
pub fn within<F: Future>(what: &'static str, future: F) -> impl Future<Output = F::Output> {
    let caller = std::panic::Location::caller();
    async move {
        match tokio::time::timeout(PATIENCE, future).await {
            Ok(output) => output,
            Err(_) => panic!("{caller}: {what} does not come"),
        }
    }
}

/// Awaits that something inside the server has come to pass which shows on no wire.
pub async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = std::time::Instant::now();
    while !holds() {
        assert!(start.elapsed() < PATIENCE, "{what} does not come to pass");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
