//! Floor 6: HTTP, WebSocket, BOSH, TLS.

pub mod admin;
pub mod bosh;
pub mod departure;
pub mod door;
pub mod driver;
pub mod files;
pub mod forwarded;
pub mod host_meta;
pub mod listener;
pub mod origin;
pub mod page;
pub mod peer;
pub mod proxy_protocol;
pub mod tls;
pub mod trusted;
pub mod ws;
