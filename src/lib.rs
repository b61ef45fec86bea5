//! stanzad: the web front door for XMPP.
//!
//! A stanza enters as one WebSocket frame (RFC 7395) or inside one BOSH body (XEP-0124), is read
//! once, is numbered once (XEP-0198), reaches the sessions that it is for, and stays in a queue
//! until its client says that it has it.
//!
//! The rooms, from the ground up; a room knows only those below it:
//!
//! | room | what happens there |
//! |---|---|
//! | [`xml`] | XML as XMPP allows it, over quick-xml: one pass, limits, no tree unless asked |
//! | [`stanza`] | the header of a stanza, stanza errors, addresses |
//! | [`stream`] | the sans-I/O core: framing, features, SASL, bind, stream management, BOSH window |
//! | [`sessions`] | who is here: registry, mailboxes, hibernation |
//! | [`backend`] | what a bound stream talks to: the embedded services |
//! | [`http`] | upgrade, BOSH, discovery, page, TLS |
//! | [`server`] | wires the rooms: start, reload, drain |
//!
//! Beside them stand [`auth`], [`store`], [`config`], [`metrics`] and [`rate`].

#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod auth;
pub mod backend;
mod budget;
#[cfg(test)]
mod census;
pub mod cli;
mod clock;
pub mod config;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
pub mod http;
pub mod metrics;
mod random;
pub mod rate;
pub mod server;
pub mod sessions;
pub mod stanza;
pub mod store;
pub mod stream;
pub mod xml;

pub use auth::Admission;
pub use config::Config;
pub use http::gate::Handshake;
pub use server::{
    Authenticator, CloseReason, Delivery, Event, Handler, Listener, Server, ServerBuilder,
    SessionHandle,
};
pub use sessions::{EndReason, SessionId, SessionInfo, Target};
pub use stanza::{Stanza, StanzaError};
