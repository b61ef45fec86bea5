//! What waits between a connection and its frames.
//!
//! Few connections have something to move at any one moment, so the room for it belongs to the
//! thread: a connection takes a buffer when bytes come or go, and gives it back before its task
//! sleeps. An idle connection has none, whatever it moved before.

use super::SocketError;
use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// How long a buffer of the pool is: so much one read takes, unless a longer frame is under way.
pub(super) const POOLED_BYTES: usize = 32 * 1024;

/// So many of each kind a thread keeps: a connection that has to keep its own for a while leaves
/// the next one something.
const MAX_POOLED: usize = 4;

thread_local! {
    /// All bytes of these are initialised, so that nobody has to do it again before a read.
    static FOR_READING: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
    /// These are empty.
    static FOR_WRITING: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

type Pool = std::thread::LocalKey<RefCell<Vec<Vec<u8>>>>;

fn give_back(pool: &'static Pool, buffer: Vec<u8>) {
    pool.with_borrow_mut(|pool| {
        if pool.len() < MAX_POOLED {
            pool.push(buffer);
        }
    });
}

/// Bytes that came and are not read yet.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
}

impl Inbox {
    /// An inbox with what came before.
    pub fn holding(early: &[u8]) -> Self {
        Self {
            bytes: early.to_vec(),
            start: 0,
            end: early.len(),
        }
    }

    /// What is not read yet.
    pub fn unread(&mut self) -> &mut [u8] {
        &mut self.bytes[self.start..self.end]
    }

    /// The next `len` unread bytes count as read. Returns where they are until the next fill.
    pub fn consume(&mut self, len: usize) -> std::ops::Range<usize> {
        let start = self.start;
        self.start = (start + len).min(self.end);
        start..self.start
    }

    /// What [`Inbox::consume`] told of.
    pub fn at(&self, place: std::ops::Range<usize>) -> &[u8] {
        &self.bytes[place]
    }

    #[cfg(test)]
    pub fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    /// Reads more, behind what is there. `needed_bytes`: how long the unread part is to become; it
    /// grows with what really comes, not with what a peer announces.
    pub fn poll_fill(
        &mut self,
        io: Pin<&mut impl AsyncRead>,
        cx: &mut Context<'_>,
        needed_bytes: usize,
    ) -> Poll<Result<(), SocketError>> {
        self.make_room(needed_bytes);
        let mut room = ReadBuf::new(&mut self.bytes[self.end..]);
        ready!(io.poll_read(cx, &mut room)).map_err(|_| SocketError::Lost)?;
        match room.filled().len() {
            0 => Poll::Ready(Err(SocketError::Lost)),
            read => {
                self.end += read;
                Poll::Ready(Ok(()))
            }
        }
    }

    fn make_room(&mut self, needed_bytes: usize) {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        }
        let unread_bytes = self.end - self.start;
        if self.bytes.len() < POOLED_BYTES {
            let pooled = FOR_READING.with_borrow_mut(Vec::pop);
            let mut roomy = pooled.unwrap_or_else(|| vec![0; POOLED_BYTES]);
            roomy[..unread_bytes].copy_from_slice(self.unread());
            self.bytes = roomy;
        } else if self.end == self.bytes.len() {
            self.bytes.copy_within(self.start..self.end, 0);
            if unread_bytes == self.bytes.len() {
                let doubled = unread_bytes.saturating_mul(2);
                self.bytes
                    .resize(doubled.min(needed_bytes.max(unread_bytes + 1)), 0);
            }
        } else {
            return;
        }
        (self.start, self.end) = (0, unread_bytes);
    }

    /// The task is about to sleep: what is unread is kept in about as many bytes as it has. A long
    /// frame that comes in small pieces is not copied with each of them.
    pub fn rest(&mut self) {
        let unread_bytes = self.end - self.start;
        if self.bytes.len() <= 2 * unread_bytes && self.bytes.len() != POOLED_BYTES {
            return;
        }
        let unread = self.unread().to_vec();
        (self.start, self.end) = (0, unread.len());
        let used = std::mem::replace(&mut self.bytes, unread);
        if used.len() == POOLED_BYTES {
            give_back(&FOR_READING, used);
        }
    }
}

/// Bytes on their way out.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    bytes: Vec<u8>,
    written: usize,
}

impl Outbox {
    /// How many bytes wait.
    pub fn len(&self) -> usize {
        self.bytes.len() - self.written
    }

    #[cfg(test)]
    pub fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    /// Where more is written to.
    pub fn tail(&mut self) -> &mut Vec<u8> {
        if self.bytes.capacity() == 0 {
            let pooled = FOR_WRITING.with_borrow_mut(Vec::pop);
            self.bytes = pooled.unwrap_or_else(|| Vec::with_capacity(POOLED_BYTES));
        }
        &mut self.bytes
    }

    /// Writes until nothing is left; pending while the peer takes no more.
    pub fn poll_write(
        &mut self,
        mut io: Pin<&mut impl AsyncWrite>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        while self.written < self.bytes.len() {
            let taken = ready!(io.as_mut().poll_write(cx, &self.bytes[self.written..]))?;
            if taken == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.written += taken;
        }
        self.bytes.clear();
        self.written = 0;
        Poll::Ready(Ok(()))
    }

    /// The task is about to sleep: what waits is kept in about as many bytes as it has.
    pub fn rest(&mut self) {
        if self.bytes.capacity() <= 2 * self.len() {
            return;
        }
        let waiting = self.bytes[self.written..].to_vec();
        self.written = 0;
        let mut used = std::mem::replace(&mut self.bytes, waiting);
        if used.capacity() == POOLED_BYTES {
            used.clear();
            give_back(&FOR_WRITING, used);
        }
    }
}
