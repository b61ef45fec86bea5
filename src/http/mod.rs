//! Floor 6: HTTP, WebSocket, BOSH, TLS.

pub mod page;
