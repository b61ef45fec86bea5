//! Floor 6: HTTP, WebSocket, BOSH, TLS.

pub mod driver;
pub mod forwarded;
pub mod listener;
pub mod peer;
pub mod proxy_protocol;
pub mod tls;
pub mod trusted;
pub mod ws;
