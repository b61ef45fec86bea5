//! The bytes of one accepted connection, with or without TLS, as one type.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use super::cap::Slot;

/// One accepted connection. Holds its place under the [`ConnectionCap`](super::ConnectionCap)
/// until it is dropped, also after an upgrade took it out of HTTP.
#[derive(Debug)]
pub struct Link {
    carrier: Carrier,
    /// Given back when the link is dropped, wherever that happens.
    _slot: Slot,
}

/// Either way of carrying bytes. TLS is boxed, since its state is a kilobyte.
#[derive(Debug)]
pub(super) enum Carrier {
    Plain(RawLink),
    Tls(Box<TlsStream<RawLink>>),
}

impl Link {
    pub(super) fn new(carrier: Carrier, slot: Slot) -> Self {
        Self {
            carrier,
            _slot: slot,
        }
    }

    /// The link out of an upgraded connection, with the bytes that the client sent behind its
    /// request and that HTTP had already read (W-72); most often none.
    ///
    /// # Errors
    ///
    /// Gives `upgraded` back when the connection did not come through a
    /// [`Listener`](super::Listener): read and write it as it is.
    pub fn from_upgraded(upgraded: Upgraded) -> Result<(Self, Bytes), Upgraded> {
        let parts = upgraded.downcast::<TokioIo<Self>>()?;
        Ok((parts.io.into_inner(), parts.read_buf))
    }

    /// The TCP connection below, for its options and its readiness. Reading or writing here
    /// would bypass TLS.
    pub fn tcp(&self) -> &TcpStream {
        match &self.carrier {
            Carrier::Plain(raw) => &raw.tcp,
            Carrier::Tls(tls) => &tls.get_ref().0.tcp,
        }
    }

    /// Whether TLS ends here.
    pub fn is_tls(&self) -> bool {
        matches!(self.carrier, Carrier::Tls(_))
    }
}

/// A TCP connection whose first bytes may have been read already while looking for a PROXY
/// header.
#[derive(Debug)]
pub(super) struct RawLink {
    pub(super) tcp: TcpStream,
    /// Bytes behind the PROXY header, read before everything else; empty ever after.
    early: Vec<u8>,
}

impl RawLink {
    pub(super) fn new(tcp: TcpStream, mut early: Vec<u8>) -> Self {
        early.shrink_to_fit(); // a thousand idle links must not keep a thousand buffers
        Self { tcp, early }
    }

    fn read_early(&mut self, buf: &mut ReadBuf<'_>) {
        let len = self.early.len().min(buf.remaining());
        buf.put_slice(self.early.get(..len).unwrap_or_default());
        if len == self.early.len() {
            self.early = Vec::new();
        } else {
            self.early.drain(..len);
        }
    }
}

impl AsyncRead for RawLink {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.early.is_empty() {
            self.read_early(buf);
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.tcp).poll_read(cx, buf)
    }
}

impl AsyncWrite for RawLink {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.tcp).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.tcp).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.tcp.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }
}

impl AsyncRead for Link {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.carrier {
            Carrier::Plain(raw) => Pin::new(raw).poll_read(cx, buf),
            Carrier::Tls(tls) => Pin::new(tls).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Link {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.carrier {
            Carrier::Plain(raw) => Pin::new(raw).poll_write(cx, buf),
            Carrier::Tls(tls) => Pin::new(tls).poll_write(cx, buf),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut self.carrier {
            Carrier::Plain(raw) => Pin::new(raw).poll_write_vectored(cx, bufs),
            Carrier::Tls(tls) => Pin::new(tls).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match &self.carrier {
            Carrier::Plain(raw) => raw.is_write_vectored(),
            Carrier::Tls(tls) => tls.is_write_vectored(),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.carrier {
            Carrier::Plain(raw) => Pin::new(raw).poll_flush(cx),
            Carrier::Tls(tls) => Pin::new(tls).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.carrier {
            Carrier::Plain(raw) => Pin::new(raw).poll_shutdown(cx),
            Carrier::Tls(tls) => Pin::new(tls).poll_shutdown(cx),
        }
    }
}
