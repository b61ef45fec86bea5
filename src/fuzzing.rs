//! What the fuzz targets need and nobody else: the way into rooms that are entered by a socket.
//!
//! Only with the feature `fuzzing`, and no part of the public interface.

use axum::Router;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::http::listener::{self, ListenerOptions};
use crate::http::peer::Peer;

/// Serves HTTP as a listener does, to `peer`, over anything that carries bytes.
///
/// Ends when the connection does, or when it was upgraded and `app` has let go of it.
pub async fn serve_http<I>(io: I, peer: Peer, options: ListenerOptions, app: Router)
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    listener::serve_bytes(io, peer, options, app).await;
}
