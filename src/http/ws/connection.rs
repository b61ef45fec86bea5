//! One WebSocket from the handshake to its end.

use super::socket::{Incoming, Socket, SocketError};
use crate::http::departure::{Farewell, Stopping};
use crate::http::driver::Driver;
use crate::stream::{CLOSE, Condition, StreamFault, Transmit, close_to, open};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::Sleep;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

/// `[ws]`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WsOptions {
    /// `ws.ping_interval`
    pub ping_interval: Duration,
    /// `ws.idle_timeout`
    pub idle_timeout: Duration,
}

/// So much may wait for a peer that does not read; then its mailbox fills, and its senders slow.
const MAX_QUEUED_BYTES: usize = 64 * 1024;

/// How many messages are read before everything else has its turn.
const READ_BATCH: usize = 64;

/// How long the closing handshake may take (RFC 6455 §7.1.1).
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// How much is read and thrown away after a fault, so that the peer gets to read our Close frame
/// before its own bytes meet a closed port.
const MAX_DRAINED_BYTES: u64 = 4 * 1024 * 1024;

/// Serves one WebSocket. `early`: what the client sent in the same breath as its handshake (W-72).
/// `stopping` tells when the server does.
pub fn run<IO>(
    io: IO,
    early: &[u8],
    driver: Driver,
    options: Arc<WsOptions>,
    mut stopping: Stopping,
) -> impl Future<Output = ()> + use<IO>
where
    IO: AsyncRead + AsyncWrite + Unpin,
{
    let now = crate::clock::now();
    let sleep = Box::pin(tokio::time::sleep(options.ping_interval));
    let mut connection = Connection {
        socket: Socket::new(io, early, driver.max_frame_bytes()),
        driver,
        options,
        heard_at: now,
        pinged_at: now,
        stalled_since: None,
        closing: None,
        sleep,
    };
    // A block, since a function would have its arguments twice. What comes at the end is boxed:
    // an idle connection has no room for it.
    async move {
        let end = {
            let mut my_turn = std::pin::pin!(stopping.my_turn());
            poll_fn(|cx| connection.poll(cx, my_turn.as_mut())).await
        };
        // Whatever it takes, nobody keeps the buffers of the thread for so long.
        connection.socket.rest();
        // The session is dealt with first: it does not wait for a slow closing handshake.
        Box::pin(connection.driver.finish()).await;
        // The time-out bounds a peer that neither reads nor closes.
        let close = close(connection.socket, end);
        let _ = Box::pin(tokio::time::timeout(CLOSE_TIMEOUT, close)).await;
        // The server waits, before it closes the store, until the last one is gone.
        drop(stopping);
    }
}

struct Connection<IO> {
    socket: Socket<IO>,
    driver: Driver,
    options: Arc<WsOptions>,
    /// When something last came from the peer.
    heard_at: Instant,
    pinged_at: Instant,
    /// Since when the peer has taken nothing of what waits for it.
    stalled_since: Option<Instant>,
    /// The close code to use: the stream's last words are queued.
    closing: Option<CloseCode>,
    sleep: Pin<Box<Sleep>>,
}

/// How a connection came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// This side begins the closing handshake.
    Close(CloseCode),
    /// The peer began it, and gets its answer.
    Closed,
    /// Nothing can be said any more.
    Lost,
}

impl<IO: AsyncRead + AsyncWrite + Unpin> Connection<IO> {
    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        stopping: Pin<&mut impl Future<Output = Farewell>>,
    ) -> Poll<End> {
        let now = crate::clock::now();
        if self.closing.is_none()
            && !self.driver.is_closing()
            && let Poll::Ready(farewell) = stopping.poll(cx)
        {
            self.driver.leave(now, farewell);
        }
        match self.poll_io(cx, now) {
            Ok(()) => {}
            Err(end) => return Poll::Ready(end),
        }
        self.poll_timers(cx, now)
    }

    /// Moves everything that can move; `Err` when that was the last of it.
    fn poll_io(&mut self, cx: &mut Context<'_>, now: Instant) -> Result<(), End> {
        let mut reads_left = READ_BATCH;
        loop {
            let writable = self.socket.queued_bytes() < MAX_QUEUED_BYTES;
            self.driver.poll(cx, now, writable);
            let wrote = self.queue_transmits(now);
            if let Some(code) = self.closing {
                // A peer that reads slowly gets the last words while its session goes on.
                return Err(End::Close(code));
            }
            // What is there is read before anything is written: all answers share one write. But
            // each frame is dealt with before the next: what follows it may end the stream.
            if reads_left > 0 && self.read(cx, now)? {
                reads_left -= 1;
                continue;
            }
            let flushed = self.flush(cx, now)?;
            // The mailbox was not asked while the peer took nothing; nobody else would wake us.
            let relieved = flushed && !writable;
            if !wrote && !relieved {
                break;
            }
        }
        self.driver.set_queued_bytes(self.socket.queued_bytes());
        if reads_left == 0 {
            cx.waker().wake_by_ref();
        } else {
            self.socket.rest();
            self.driver.rest();
        }
        Ok(())
    }

    /// Hands what the stream has to say to the socket. Returns whether there was something.
    fn queue_transmits(&mut self, now: Instant) -> bool {
        let mut any = false;
        while let Some(transmit) = self.driver.poll_transmit() {
            any = true;
            match transmit {
                Transmit::Leave => self.closing = Some(CloseCode::Away),
                Transmit::Open { from, id } => self.say(now, &open(&from, &id)),
                Transmit::Element(text) | Transmit::Error(text) => self.say(now, &text),
                Transmit::Transcoded(text) => self.socket.queue_text(&text),
                Transmit::Redirect(uri) => {
                    self.closing = Some(CloseCode::Normal);
                    self.say(now, &close_to(&uri));
                }
                Transmit::Close(fault) => {
                    self.closing = Some(fault.as_ref().map_or(CloseCode::Normal, close_code));
                    self.say(now, CLOSE);
                }
            }
        }
        any
    }

    /// Says something that is no stanza, or one that nobody transcodes.
    fn say(&mut self, now: Instant, element: &str) {
        if let Some(text) = self.driver.in_its_words(now, element) {
            self.socket.queue_text(&text);
        }
    }

    /// Writes out what the peer takes, and notes when it took something last. Returns whether
    /// everything is written out.
    fn flush(&mut self, cx: &mut Context<'_>, now: Instant) -> Result<bool, End> {
        let queued_bytes = self.socket.queued_bytes();
        let flushed = self.socket.poll_flush(cx);
        let progressed = self.socket.queued_bytes() != queued_bytes;
        match flushed {
            Poll::Ready(Ok(())) => self.stalled_since = None,
            Poll::Ready(Err(_)) => return Err(End::Lost),
            Poll::Pending if progressed => self.stalled_since = Some(now),
            Poll::Pending => {
                self.stalled_since.get_or_insert(now);
            }
        }
        Ok(flushed.is_ready())
    }

    /// Reads one message, if the stream wants one. Returns whether something came.
    fn read(&mut self, cx: &mut Context<'_>, now: Instant) -> Result<bool, End> {
        // Who does not read our answers is not read either: they would pile up here.
        let is_full = self.socket.queued_bytes() >= MAX_QUEUED_BYTES;
        if is_full || !self.driver.wants_frame() {
            // It cannot be heard meanwhile, and is not dead for that.
            self.heard_at = now;
            return Ok(false);
        }
        self.socket
            .set_max_message_bytes(self.driver.max_frame_bytes());
        let incoming = match self.socket.poll_read(cx) {
            Poll::Pending => {
                // A long stanza over a slow link takes its time, and its client has no other word.
                if self.socket.take_received() {
                    self.heard_at = now;
                }
                return Ok(false);
            }
            Poll::Ready(Ok(incoming)) => incoming,
            Poll::Ready(Err(SocketError::TooLarge)) => {
                // The stream says why before the Close frame does.
                let limit_bytes = self.driver.max_frame_bytes();
                self.driver
                    .on_fault(now, StreamFault::TooLarge { limit_bytes });
                return Ok(true);
            }
            Poll::Ready(Err(error)) => {
                // Who has closed its half may still hear what it asked before.
                let _ = self.socket.poll_flush(cx);
                return Err(end_of(error));
            }
        };
        self.heard_at = now;
        match incoming {
            Incoming::Text(text) => self.driver.on_frame(now, text),
            Incoming::Part | Incoming::SignOfLife => {}
            Incoming::Binary => return Err(End::Close(CloseCode::Unsupported)), // RFC 7395 §3.2
            Incoming::Close => return Err(End::Closed),
        }
        Ok(true)
    }

    fn poll_timers(&mut self, cx: &mut Context<'_>, now: Instant) -> Poll<End> {
        let stalled = self
            .stalled_since
            .is_some_and(|at| at + self.options.idle_timeout <= now);
        if stalled || self.heard_at + self.options.idle_timeout <= now {
            return Poll::Ready(End::Lost);
        }
        if self.pinged_at + self.options.ping_interval <= now {
            self.pinged_at = now;
            self.socket.queue_ping();
            if let Err(end) = self.flush(cx, now) {
                return Poll::Ready(end);
            }
            self.socket.rest();
        }
        self.sleep_until(cx, self.next_deadline());
        Poll::Pending
    }

    /// The timer is set when a deadline comes sooner than it would ring, and when it rings. It is
    /// not put off: one that rings too early costs one turn, one that is moved costs every stanza.
    fn sleep_until(&mut self, cx: &mut Context<'_>, deadline: Instant) {
        let deadline = deadline.into();
        let mut sleep = self.sleep.as_mut();
        if deadline < sleep.deadline() {
            sleep.as_mut().reset(deadline);
        }
        while sleep.as_mut().poll(cx).is_ready() {
            if sleep.deadline() >= deadline {
                cx.waker().wake_by_ref(); // it has passed already: everything has another turn
                return;
            }
            sleep.as_mut().reset(deadline);
        }
    }

    fn next_deadline(&self) -> Instant {
        let own = (self.pinged_at + self.options.ping_interval)
            .min(self.heard_at + self.options.idle_timeout);
        let stalled = self.stalled_since.map(|at| at + self.options.idle_timeout);
        [stalled, self.driver.poll_timeout()]
            .into_iter()
            .flatten()
            .fold(own, Instant::min)
    }
}

fn end_of(error: SocketError) -> End {
    match error {
        SocketError::Lost => End::Lost,
        SocketError::Protocol(code) => End::Close(code),
        SocketError::TooLarge => End::Close(CloseCode::Size),
    }
}

/// RFC 6455 §7.4.1: codes that say why.
fn close_code(fault: &StreamFault) -> CloseCode {
    match fault {
        StreamFault::TooLarge { .. } => return CloseCode::Size,
        // What browsers know for "your login is over".
        StreamFault::Revoked | StreamFault::AccessExpired => return CloseCode::Policy,
        _ => {}
    }
    match fault.condition() {
        Condition::PolicyViolation => CloseCode::Policy,
        Condition::SystemShutdown => CloseCode::Away,
        _ => CloseCode::Normal,
    }
}

/// The closing handshake (RFC 6455 §7.1.1): the server ends the TCP connection.
async fn close<IO: AsyncRead + AsyncWrite + Unpin>(mut socket: Socket<IO>, end: End) {
    match end {
        End::Lost => return,
        End::Closed => flush(&mut socket).await,
        End::Close(code) => {
            socket.close(code);
            flush(&mut socket).await;
            if !matches!(
                code,
                CloseCode::Protocol | CloseCode::Invalid | CloseCode::Size
            ) {
                await_close_frame(&mut socket).await;
            }
        }
    }
    let mut io = socket.into_io();
    let _ = io.shutdown().await;
    let _ = tokio::io::copy(&mut io.take(MAX_DRAINED_BYTES), &mut tokio::io::sink()).await;
}

async fn flush<IO: AsyncRead + AsyncWrite + Unpin>(socket: &mut Socket<IO>) {
    let poll = |cx: &mut Context<'_>| {
        let flushed = socket.poll_flush(cx);
        socket.rest();
        flushed
    };
    let _ = poll_fn(poll).await;
}

async fn await_close_frame<IO: AsyncRead + AsyncWrite + Unpin>(socket: &mut Socket<IO>) {
    let is_last = |incoming: Result<Incoming<'_>, SocketError>| {
        matches!(incoming, Ok(Incoming::Close) | Err(_))
    };
    let mut poll = |cx: &mut Context<'_>| {
        let is_last = socket.poll_read(cx).map(is_last);
        if is_last.is_pending() {
            socket.rest();
        }
        is_last
    };
    while !poll_fn(&mut poll).await {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::listener::Link;

    /// The size of what a function returns, without calling it.
    fn size_of_output<A, B, C, D, E, F>(_: impl FnOnce(A, B, C, D, E) -> F) -> usize {
        size_of::<F>()
    }

    /// With what tokio adds to each task it is to fit into 1024 bytes, a size that allocators have;
    /// the next one is 1280.
    const MAX_TASK_BYTES: usize = 928;

    /// The task is most of what an idle connection costs: it must not grow unseen.
    #[test]
    fn the_task_of_a_connection_is_small() {
        let task = size_of_output(|io: Link, early: &[u8], driver, options, stopping| {
            run(io, early, driver, options, stopping)
        });
        println!("driver {}, task {task} bytes", size_of::<Driver>());
        assert!(task <= MAX_TASK_BYTES, "{task} bytes");
    }
}
