//! The bounded mailbox of one session.

use super::EndReason;
use crate::stream::Outbound;
use atomic_waker::AtomicWaker;
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

/// How much a mailbox holds, in stanzas.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// From here on senders are slowed: [`Delivered::Pressed`].
    pub soft: usize,
    /// From here on nothing is taken: [`Delivered::Full`].
    pub hard: usize,
}

/// What became of a stanza that was pushed.
#[derive(Debug)]
pub enum Delivered {
    /// It is in the mailbox.
    Queued,
    /// It is in the mailbox, which is over its soft bound: its sender should wait for
    /// [`super::Session::poll_relieved`] before it sends more.
    Pressed,
    /// The mailbox is at its hard bound. The stanza comes back; the session must end.
    Full(Outbound),
    /// The session is over. The stanza comes back; it must go elsewhere.
    Gone(Outbound),
}

/// What the owner of a stream is told to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// Another stream resumes the session: let go of it (`conflict`, XEP-0198 §5).
    HandOver,
    /// End the session.
    End(EndReason),
}

/// Stanzas on their way to one session, oldest first. One receiver, many senders.
#[derive(Debug)]
pub(super) struct Mailbox {
    inner: Mutex<Inner>,
    receiver: AtomicWaker,
}

#[derive(Debug)]
struct Inner {
    queue: VecDeque<Outbound>,
    bounds: Bounds,
    open: bool,
    command: Option<Command>,
    /// Senders that wait until the queue is below its soft bound.
    pressed: Vec<Waker>,
}

/// What the receiver finds.
#[derive(Debug)]
pub enum Mail {
    /// Something to obey, before anything else.
    Command(Command),
    /// The next stanza.
    Stanza(Outbound),
}

impl Mailbox {
    pub(super) fn new(bounds: Bounds) -> Self {
        let inner = Inner {
            queue: VecDeque::new(),
            bounds,
            open: true,
            command: None,
            pressed: Vec::new(),
        };
        Self {
            inner: Mutex::new(inner),
            receiver: AtomicWaker::new(),
        }
    }

    pub(super) fn push(&self, stanza: Outbound) -> Delivered {
        let mut inner = self.lock();
        if !inner.open {
            return Delivered::Gone(stanza);
        }
        if inner.queue.len() >= inner.bounds.hard {
            return Delivered::Full(stanza);
        }
        inner.queue.push_back(stanza);
        let pressed = inner.queue.len() > inner.bounds.soft;
        drop(inner);
        self.receiver.wake();
        if pressed {
            Delivered::Pressed
        } else {
            Delivered::Queued
        }
    }

    /// Tells the receiver what to do. An order to end is not overruled by a later one.
    pub(super) fn command(&self, command: Command) {
        let mut inner = self.lock();
        if !matches!(inner.command, Some(Command::End(_))) {
            inner.command = Some(command);
        }
        drop(inner);
        self.receiver.wake();
    }

    /// The next piece of mail; stanzas only while `wants_stanzas`.
    pub(super) fn poll_mail(&self, cx: &mut Context<'_>, wants_stanzas: bool) -> Poll<Mail> {
        // Registered first, so that a push between the look and the registration is not missed.
        self.receiver.register(cx.waker());
        let mut inner = self.lock();
        if let Some(command) = inner.command.take() {
            return Poll::Ready(Mail::Command(command));
        }
        if !wants_stanzas {
            return Poll::Pending;
        }
        let Some(stanza) = inner.queue.pop_front() else {
            return Poll::Pending;
        };
        inner.relieve();
        Poll::Ready(Mail::Stanza(stanza))
    }

    /// Ready when the queue is below its soft bound, or closed.
    pub(super) fn poll_relieved(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut inner = self.lock();
        if !inner.open || inner.queue.len() <= inner.bounds.soft {
            return Poll::Ready(());
        }
        if !inner
            .pressed
            .iter()
            .any(|waker| waker.will_wake(cx.waker()))
        {
            inner.pressed.push(cx.waker().clone());
        }
        Poll::Pending
    }

    pub(super) fn set_bounds(&self, bounds: Bounds) {
        let mut inner = self.lock();
        inner.bounds = bounds;
        inner.relieve();
    }

    /// Takes nothing more; returns what was waiting.
    pub(super) fn close(&self) -> VecDeque<Outbound> {
        let mut inner = self.lock();
        inner.open = false;
        inner.pressed.drain(..).for_each(Waker::wake);
        std::mem::take(&mut inner.queue)
    }

    pub(super) fn is_open(&self) -> bool {
        self.lock().open
    }

    pub(super) fn len(&self) -> usize {
        self.lock().queue.len()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing under this lock panics; a poisoned one would still hold a whole queue.
        self.inner
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Inner {
    fn relieve(&mut self) {
        if self.queue.len() <= self.bounds.soft {
            self.pressed.drain(..).for_each(Waker::wake);
        }
        const SPARE: usize = 16;
        if self.queue.is_empty() && self.queue.capacity() > SPARE {
            self.queue.shrink_to_fit();
        }
    }
}
