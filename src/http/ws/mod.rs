//! XMPP over WebSocket (RFC 6455, RFC 7395).
//!
//! [`upgrade`] decides about the handshake, `connection` drives the stream, `socket` is the
//! narrow door to the WebSocket library.

mod connection;
mod route;
mod socket;
pub mod upgrade;

pub use connection::WsOptions;
#[cfg(test)]
pub(crate) use connection::run;
pub use route::{Endpoint, Endpoints, Front, routes};
