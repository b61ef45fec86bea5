//! A WebSocket, server side: read an event, queue a frame, flush.
//!
//! The headers of frames are tungstenite's; its protocol state keeps a buffer as long as the
//! longest message for as long as a connection lives, so that is our own: `frames` puts messages
//! together, `buffers` holds bytes while there are any.

mod buffers;
mod frames;
#[cfg(test)]
mod tests;

use buffers::{Inbox, Outbox};
use frames::{Found, FrameReader, Step, answer_to_close, write_frame};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::tungstenite::protocol::frame::coding::{CloseCode, Control, Data, OpCode};

/// What came from the peer.
#[derive(Debug, PartialEq, Eq)]
pub enum Incoming<'a> {
    /// A whole text message.
    Text(&'a str),
    /// A whole binary message.
    Binary,
    /// A part of a message, which is put aside.
    Part,
    /// A ping, whose answer is queued, or a pong: a sign of life.
    SignOfLife,
    /// The peer began or ended the closing handshake. Where it began it, the answer is queued.
    Close,
}

/// Why the connection cannot go on.
#[derive(Debug, PartialEq, Eq)]
pub enum SocketError {
    /// The peer broke RFC 6455; it hears this code (§7.4.1).
    Protocol(CloseCode),
    /// A message over the limit: refused from its header alone (§10.4).
    TooLarge,
    /// The connection is gone.
    Lost,
}

/// A WebSocket, server side.
#[derive(Debug)]
pub struct Socket<IO> {
    io: IO,
    reader: FrameReader,
    inbox: Inbox,
    outbox: Outbox,
    /// Whether bytes have come since that was last asked.
    received: bool,
    /// Our Close frame is queued: nothing else is (RFC 6455 §5.5.1).
    closing: bool,
    /// A Close frame came: what follows it is not read (RFC 6455 §5.5.1).
    closed: bool,
}

impl<IO: AsyncRead + AsyncWrite + Unpin> Socket<IO> {
    /// A socket right after the handshake. `early`: what the client sent with it (W-72).
    pub fn new(io: IO, early: &[u8], max_message_bytes: usize) -> Self {
        Self {
            io,
            reader: FrameReader::new(max_message_bytes),
            inbox: Inbox::holding(early),
            outbox: Outbox::default(),
            received: false,
            closing: false,
            closed: false,
        }
    }

    /// Another limit from the next frame on.
    pub fn set_max_message_bytes(&mut self, bytes: usize) {
        self.reader.set_max_message_bytes(bytes);
    }

    /// The next thing that came.
    pub fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Result<Incoming<'_>, SocketError>> {
        let found = match ready!(self.poll_find(cx)) {
            Ok(found) => found,
            Err(error) => return Poll::Ready(Err(error)),
        };
        Poll::Ready(match found {
            Found::Text(payload) => self.reader.text(&payload, &self.inbox),
            Found::Binary => Ok(Incoming::Binary),
            Found::Pong => Ok(Incoming::SignOfLife),
            Found::Fragment => Ok(Incoming::Part),
            Found::Ping(place) => {
                if !self.closing {
                    let payload = self.inbox.at(place); // §5.5.3
                    write_frame(self.outbox.tail(), OpCode::Control(Control::Pong), payload);
                }
                Ok(Incoming::SignOfLife)
            }
            Found::Close(place) => self.on_close(place),
        })
    }

    fn poll_find(&mut self, cx: &mut Context<'_>) -> Poll<Result<Found, SocketError>> {
        if self.closed {
            return Poll::Ready(Err(SocketError::Lost));
        }
        loop {
            match self.reader.step(&mut self.inbox) {
                Err(error) => return Poll::Ready(Err(error)),
                Ok(Step::Found(found)) => return Poll::Ready(Ok(found)),
                // It counts like a message: a peer may send them without end.
                Ok(Step::Fragment) => return Poll::Ready(Ok(Found::Fragment)),
                Ok(Step::Needs(bytes)) => {
                    let io = Pin::new(&mut self.io);
                    ready!(self.inbox.poll_fill(io, cx, bytes))?;
                    self.received = true;
                }
            }
        }
    }

    fn on_close(&mut self, place: std::ops::Range<usize>) -> Result<Incoming<'_>, SocketError> {
        self.closed = true;
        let code = answer_to_close(self.inbox.at(place))?;
        if !self.closing {
            self.queue_close(code);
        }
        Ok(Incoming::Close)
    }

    /// Whether something came since this was last asked, if only a part of a frame.
    pub fn take_received(&mut self) -> bool {
        std::mem::take(&mut self.received)
    }

    /// Queues a text message.
    pub fn queue_text(&mut self, text: &str) {
        if !self.closing {
            write_frame(
                self.outbox.tail(),
                OpCode::Data(Data::Text),
                text.as_bytes(),
            );
        }
    }

    /// Queues a ping.
    pub fn queue_ping(&mut self) {
        if !self.closing {
            write_frame(self.outbox.tail(), OpCode::Control(Control::Ping), b"");
        }
    }

    /// Begins the closing handshake (RFC 6455 §7.1.2). Nothing is queued after it.
    pub fn close(&mut self, code: CloseCode) {
        if !self.closing {
            self.queue_close(Some(code));
        }
    }

    fn queue_close(&mut self, code: Option<CloseCode>) {
        self.closing = true;
        let code = code.map(|code| u16::from(code).to_be_bytes());
        let payload: &[u8] = code.as_ref().map_or(&[], |code| code);
        write_frame(self.outbox.tail(), OpCode::Control(Control::Close), payload);
    }

    /// Writes out what is queued; pending while the peer does not take it.
    pub fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), SocketError>> {
        let mut io = Pin::new(&mut self.io);
        let written = self.outbox.poll_write(io.as_mut(), cx);
        ready!(written).map_err(|_| SocketError::Lost)?;
        io.poll_flush(cx).map_err(|_| SocketError::Lost)
    }

    /// To be called before the task sleeps: buffers that are not used are given back.
    pub fn rest(&mut self) {
        self.reader.rest();
        self.inbox.rest();
        self.outbox.rest();
    }

    /// How many bytes wait for the peer.
    pub fn queued_bytes(&self) -> usize {
        self.outbox.len()
    }

    /// The connection under it.
    pub fn into_io(self) -> IO {
        self.io
    }
}
