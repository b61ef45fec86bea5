//! stanzad: the web front door for XMPP.
//!
//! A stanza enters as one WebSocket frame (RFC 7395) or inside one BOSH body (XEP-0124), is read
//! once, is numbered once (XEP-0198), reaches the sessions that it is for, and stays in a queue
//! until its client says that it has it.
//!
//! # In an application of one's own
//!
//! [`Server::builder`] takes the options and what the application puts in; [`Server::router`] is
//! merged into its axum routes, or [`Server::serve`] listens on ports of its own.
//!
//! ```no_run
//! use stanzad::{Config, Event, Listener, Server, SessionHandle, Target};
//!
//! /// Whoever comes is greeted, and all others hear of it.
//! struct Greeter;
//!
//! impl Listener for Greeter {
//!     async fn on_event(&self, session: &SessionHandle, event: &Event) {
//!         let server = session.server();
//!         let text = format!("<message><body>{} is here</body></message>", session.jid());
//!         if let (Event::Open, Ok(news)) = (event, server.stanza(&text)) {
//!             let others = Target::everybody().except(session.id());
//!             let delivery = server.send(&others, &news).await;
//!             println!("on its way to {}", delivery.sent);
//!         }
//!     }
//! }
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let xmpp = Server::builder(Config::default()).listener(Greeter).build().await?;
//! let app = axum::Router::new().merge(xmpp.router()?);
//! // axum::serve(socket, app.into_make_service_with_connect_info::<SocketAddr>()), and at the end:
//! xmpp.stop().await.stored?;
//! # Ok(()) }
//! ```
//!
//! | what the application does | by |
//! |---|---|
//! | decides who comes in, before the 101 | [`Authenticator`], and `endpoint.auth` |
//! | answers at an address of its own | [`Handler`] |
//! | hears what becomes of sessions | [`Listener`] |
//! | speaks another language on the wire | [`http::transcoder::Transcoder`] |
//! | asks, sends, closes | [`Server::exists`], [`list`](Server::list), [`send`](Server::send), [`close`](Server::close), over a [`Target`] |
//! | knows who really has what was sent | [`Delivery::acked`] |
//! | sends to some at once | [`Server::join`], [`Target::group`] |
//! | lets somebody in once, without a password | [`Server::ticket`] |
//! | shows the figures on its own page | [`Server::figures`] |
//!
//! The directory `examples` has a program for each. An application in another language does the
//! same over the admin port.
//!
//! # The rooms
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
pub use http::transcoder::{TranscodeError, Transcoder};
pub use server::{
    Authenticator, CloseReason, Delivery, Event, Handler, Listener, Server, ServerBuilder,
    SessionHandle,
};
pub use sessions::{EndReason, SessionId, SessionInfo, Target};
pub use stanza::{Stanza, StanzaError};
