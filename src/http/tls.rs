//! TLS.
use crate::http::peer::TlsLink;
use std::io;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::server::TlsStream;
/// Keeps the certificate.
#[derive(Debug)]
pub struct TlsKeeper {}
impl TlsKeeper {
    /// Handshake.
    pub async fn accept<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        _raw: S,
    ) -> io::Result<(TlsStream<S>, TlsLink)> {
        Err(io::ErrorKind::Unsupported.into())
    }
}
