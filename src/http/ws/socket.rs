//! The narrow door to tungstenite: read an event, queue a frame, flush.
//!
//! tungstenite's protocol state is driven without an adapter of its own: each call lends it the
//! connection together with the task's context, so that "would block" registers the waker.

use std::io::{self, Read, Write};
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{
    CloseFrame, Role, WebSocketConfig, WebSocketContext,
};
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};

/// Grows only while a frame is longer; kept by every connection.
const READ_BUFFER_BYTES: usize = 1024;

/// The longest header of a frame without a mask (RFC 6455 §5.2).
const MAX_HEADER_BYTES: usize = 10;

/// What came from the peer.
#[derive(Debug)]
pub enum Incoming {
    /// A whole text message.
    Text(Utf8Bytes),
    /// A whole binary message.
    Binary,
    /// A ping or a pong: a sign of life. Pings are answered by the library.
    SignOfLife,
    /// The peer began or ended the closing handshake.
    Close,
}

/// Why the connection cannot go on.
#[derive(Debug)]
pub enum SocketError {
    /// The peer broke RFC 6455; it hears this code (§7.4.1).
    Protocol(CloseCode),
    /// A message over the limit: refused from its header alone (§10.4).
    TooLarge,
    /// The connection is gone.
    Lost,
}

impl From<Error> for SocketError {
    fn from(error: Error) -> Self {
        match error {
            Error::Capacity(_) => Self::TooLarge,
            Error::Utf8(_) => Self::Protocol(CloseCode::Invalid),
            Error::Protocol(
                tokio_tungstenite::tungstenite::error::ProtocolError::ResetWithoutClosingHandshake,
            ) => Self::Lost,
            Error::Protocol(_) => Self::Protocol(CloseCode::Protocol),
            _ => Self::Lost,
        }
    }
}

/// A WebSocket, server side.
pub struct Socket<IO> {
    io: IO,
    context: WebSocketContext,
    /// Bytes queued since everything was last written out.
    queued_bytes: usize,
    /// Bytes that the connection has taken.
    written_bytes: u64,
    /// The limit that the library was told.
    max_message_bytes: usize,
}

impl<IO: AsyncRead + AsyncWrite + Unpin> Socket<IO> {
    /// A socket right after the handshake. `early`: what the client sent with it (W-72).
    pub fn new(io: IO, early: &[u8], max_message_bytes: usize) -> Self {
        let config = limited(WebSocketConfig::default(), max_message_bytes)
            .read_buffer_size(READ_BUFFER_BYTES)
            // Nothing is written before `poll_flush`: what is ready goes out in one write.
            .write_buffer_size(usize::MAX / 2)
            .max_write_buffer_size(usize::MAX);
        let context =
            WebSocketContext::from_partially_read(early.to_vec(), Role::Server, Some(config));
        Self {
            io,
            context,
            queued_bytes: 0,
            written_bytes: 0,
            max_message_bytes,
        }
    }

    /// Another limit for messages whose first byte has not come yet.
    pub fn set_max_message_bytes(&mut self, bytes: usize) {
        if bytes != self.max_message_bytes {
            self.max_message_bytes = bytes;
            self.context
                .set_config(|config| *config = limited(*config, bytes));
        }
    }

    /// The next thing that came.
    pub fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Result<Incoming, SocketError>> {
        let mut io = Lent {
            io: &mut self.io,
            written_bytes: &mut self.written_bytes,
            cx,
        };
        match self.context.read(&mut io) {
            Ok(Message::Text(text)) => Poll::Ready(Ok(Incoming::Text(text))),
            Ok(Message::Binary(_)) => Poll::Ready(Ok(Incoming::Binary)),
            Ok(Message::Close(_)) => Poll::Ready(Ok(Incoming::Close)),
            Ok(other) => {
                // The library has queued the answer of a ping, or will with the next call.
                self.queued_bytes += MAX_HEADER_BYTES + other.len();
                Poll::Ready(Ok(Incoming::SignOfLife))
            }
            Err(error) if would_block(&error) => Poll::Pending,
            Err(error) => Poll::Ready(Err(error.into())),
        }
    }

    /// Queues a text message.
    pub fn queue_text(&mut self, cx: &mut Context<'_>, text: Utf8Bytes) -> Result<(), SocketError> {
        self.queued_bytes += MAX_HEADER_BYTES + text.len();
        self.write(cx, Message::Text(text))
    }

    /// Queues a ping.
    pub fn queue_ping(&mut self, cx: &mut Context<'_>) -> Result<(), SocketError> {
        self.write(
            cx,
            Message::Ping(tokio_tungstenite::tungstenite::Bytes::new()),
        )
    }

    fn write(&mut self, cx: &mut Context<'_>, message: Message) -> Result<(), SocketError> {
        let mut io = Lent {
            io: &mut self.io,
            written_bytes: &mut self.written_bytes,
            cx,
        };
        match self.context.write(&mut io, message) {
            Err(error) if !would_block(&error) => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// Begins the closing handshake (RFC 6455 §7.1.2). Nothing can be queued after it.
    pub fn close(
        &mut self,
        cx: &mut Context<'_>,
        code: CloseCode,
        reason: &'static str,
    ) -> Result<(), SocketError> {
        let mut io = Lent {
            io: &mut self.io,
            written_bytes: &mut self.written_bytes,
            cx,
        };
        let frame = CloseFrame {
            code,
            reason: Utf8Bytes::from_static(reason),
        };
        match self.context.close(&mut io, Some(frame)) {
            Err(error) if !would_block(&error) => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// Writes out what is queued; pending while the peer does not take it.
    pub fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), SocketError>> {
        let mut io = Lent {
            io: &mut self.io,
            written_bytes: &mut self.written_bytes,
            cx,
        };
        match self.context.flush(&mut io) {
            Ok(()) => {
                self.queued_bytes = 0;
                Poll::Ready(Ok(()))
            }
            Err(error) if would_block(&error) => Poll::Pending,
            Err(error) => Poll::Ready(Err(error.into())),
        }
    }

    /// How many bytes wait since everything was last written out.
    pub fn queued_bytes(&self) -> usize {
        self.queued_bytes
    }

    /// How many bytes the connection has taken so far.
    pub fn written_bytes(&self) -> u64 {
        self.written_bytes
    }

    /// The connection under it.
    pub fn into_io(self) -> IO {
        self.io
    }
}

fn limited(config: WebSocketConfig, bytes: usize) -> WebSocketConfig {
    config
        .max_message_size(Some(bytes))
        .max_frame_size(Some(bytes))
}

fn would_block(error: &Error) -> bool {
    matches!(error, Error::Io(error) if error.kind() == io::ErrorKind::WouldBlock)
}

/// A connection with the context of the task that polls it, as tungstenite wants it.
struct Lent<'io, 'cx, 'waker, IO> {
    io: &'io mut IO,
    written_bytes: &'io mut u64,
    cx: &'cx mut Context<'waker>,
}

impl<IO: AsyncRead + Unpin> Read for Lent<'_, '_, '_, IO> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut buffer = ReadBuf::new(buffer);
        match Pin::new(&mut *self.io).poll_read(self.cx, &mut buffer)? {
            Poll::Ready(()) => Ok(buffer.filled().len()),
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        }
    }
}

impl<IO: AsyncWrite + Unpin> Write for Lent<'_, '_, '_, IO> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match Pin::new(&mut *self.io).poll_write(self.cx, bytes)? {
            Poll::Ready(written) => {
                *self.written_bytes += written as u64;
                Ok(written)
            }
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match Pin::new(&mut *self.io).poll_flush(self.cx)? {
            Poll::Ready(()) => Ok(()),
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::task::Waker;
    use tokio::io::AsyncWriteExt;

    /// A masked ping with 125 bytes (RFC 6455 §5.2); the mask is zero.
    fn ping() -> Vec<u8> {
        let mut frame = vec![0x89, 0x80 | 125, 0, 0, 0, 0];
        frame.extend([b'x'; 125]);
        frame
    }

    /// What waits for a peer is known to whoever reads from it, pongs among it.
    #[tokio::test]
    async fn pongs_that_the_peer_does_not_read_count_as_queued() {
        let (mut peer, io) = tokio::io::duplex(64 * 1024);
        let mut socket = Socket::new(io, &[], 10_000);
        let mut cx = Context::from_waker(Waker::noop());
        for pings in 1..=10 {
            peer.write_all(&ping()).await.unwrap();
            let incoming = socket.poll_read(&mut cx);
            assert!(matches!(incoming, Poll::Ready(Ok(Incoming::SignOfLife))));
            assert_eq!(socket.queued_bytes(), pings * (125 + MAX_HEADER_BYTES));
        }
        assert!(socket.poll_flush(&mut cx).is_ready());
        assert_eq!(socket.queued_bytes(), 0);
    }
}
