//! A TCP connection that is not there: two ways for bytes, and what befalls them.

use super::rng::Rng;
use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

/// One end of a connection.
pub(super) struct End {
    cable: Cable,
    side: usize,
    sleep: Pin<Box<Sleep>>,
}

/// The connection itself, for whoever breaks it.
#[derive(Clone)]
pub(super) struct Cable(Arc<Mutex<Inner>>);

struct Inner {
    /// `ways[side]` leads away from that side.
    ways: [Way; 2],
    is_reset: bool,
    rng: Rng,
    latency: (u64, u64),
}

#[derive(Default)]
struct Way {
    chunks: VecDeque<(Instant, Vec<u8>)>,
    /// Bytes under way; those that are lost fill the buffers as well.
    bytes: usize,
    capacity: usize,
    arrives: Option<Instant>,
    /// Nothing more comes from its begin, or nobody is at its end.
    is_closed: bool,
    is_abandoned: bool,
    /// Half open: what goes in does not come out, and nobody is told.
    swallows: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

/// A connection: the client's end, the server's, and the cable between them.
pub(super) fn connect(rng: &mut Rng) -> (End, End, Cable) {
    let slow = rng.between(1, 150);
    let way = |rng: &mut Rng| Way {
        capacity: *rng.pick(&[1 << 10, 4 << 10, 16 << 10, 64 << 10]),
        ..Way::default()
    };
    let inner = Inner {
        ways: [way(rng), way(rng)],
        is_reset: false,
        rng: rng.fork(),
        latency: (slow / 10, slow),
    };
    let cable = Cable(Arc::new(Mutex::new(inner)));
    let end = |side| End {
        cable: cable.clone(),
        side,
        sleep: Box::pin(tokio::time::sleep(Duration::ZERO)),
    };
    (end(0), end(1), cable.clone())
}

impl Cable {
    /// Both ends learn at once that it is gone.
    pub fn reset(&self) {
        let mut inner = self.lock();
        inner.is_reset = true;
        inner.wake_all();
    }

    /// What is said from now on is lost, and neither end learns of it. `under_way`: also what is
    /// on its way.
    pub fn half_open(&self, ways: [bool; 2], under_way: bool) {
        let mut inner = self.lock();
        for (way, swallows) in inner.ways.iter_mut().zip(ways) {
            way.swallows |= swallows;
            if swallows && under_way {
                way.chunks.clear();
            }
        }
    }

    /// Nothing arrives before then.
    pub fn freeze(&self, until: Instant) {
        let mut inner = self.lock();
        for way in &mut inner.ways {
            for (at, _) in &mut way.chunks {
                *at = (*at).max(until);
            }
            way.arrives = Some(way.arrives.map_or(until, |at| at.max(until)));
        }
        inner.wake_all();
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn wake_all(&mut self) {
        for way in &mut self.ways {
            way.wake_reader();
            way.wake_writer();
        }
    }
}

impl Way {
    fn wake_reader(&mut self) {
        if let Some(waker) = self.reader.take() {
            waker.wake();
        }
    }

    fn wake_writer(&mut self) {
        if let Some(waker) = self.writer.take() {
            waker.wake();
        }
    }
}

impl AsyncRead for End {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let cable = self.cable.clone();
        let mut inner = cable.lock();
        if inner.is_reset {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        let way = &mut inner.ways[1 - self.side];
        way.reader = Some(cx.waker().clone());
        let Some((at, chunk)) = way.chunks.front_mut() else {
            return match way.is_closed {
                true => Poll::Ready(Ok(())),
                false => Poll::Pending,
            };
        };
        if *at > Instant::now() {
            self.sleep.as_mut().reset(*at);
            if self.sleep.as_mut().poll(cx).is_ready() {
                cx.waker().wake_by_ref();
            }
            return Poll::Pending;
        }
        let taken = chunk.len().min(buffer.remaining());
        buffer.put_slice(&chunk[..taken]);
        chunk.drain(..taken);
        if chunk.is_empty() {
            way.chunks.pop_front();
        }
        way.bytes -= taken;
        way.wake_writer();
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for End {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut guard = self.cable.lock();
        let inner = &mut *guard;
        let (low, high) = inner.latency;
        let way = &mut inner.ways[self.side];
        if inner.is_reset || way.is_abandoned || way.is_closed {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let room = way.capacity - way.bytes;
        if room == 0 {
            way.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let taken = room.min(bytes.len());
        way.bytes += taken;
        if !way.swallows {
            let at = Instant::now() + inner.rng.millis(low, high);
            let at = way.arrives.map_or(at, |last| last.max(at));
            way.arrives = Some(at);
            way.chunks.push_back((at, bytes[..taken].to_vec()));
            way.wake_reader();
        }
        Poll::Ready(Ok(taken))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut inner = self.cable.lock();
        let way = &mut inner.ways[self.side];
        if !way.swallows {
            way.is_closed = true;
            way.wake_reader();
        }
        Poll::Ready(Ok(()))
    }
}

impl Drop for End {
    fn drop(&mut self) {
        let mut inner = self.cable.lock();
        let side = self.side;
        // A half-open connection tells nobody that this end is gone.
        if !inner.ways[side].swallows {
            inner.ways[side].is_closed = true;
            inner.ways[1 - side].is_abandoned = true;
        }
        inner.wake_all();
    }
}
