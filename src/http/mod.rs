//! Floor 6: HTTP, WebSocket, BOSH, TLS.
