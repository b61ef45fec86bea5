//! The bounded mailbox of one session.

use super::EndReason;
use super::recording::Line;
use crate::budget::{Ledger, Level, stanza_bytes};
use crate::stream::Outbound;
use atomic_waker::AtomicWaker;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

/// How much a mailbox holds. Whichever is met first counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// From here on senders are slowed: [`Delivered::Pressed`].
    pub soft: Amount,
    /// From here on nothing is taken: [`Delivered::Full`].
    pub hard: Amount,
}

/// So many stanzas, or so many bytes of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Amount {
    /// How many stanzas.
    pub stanzas: usize,
    /// How many bytes their texts have.
    pub bytes: usize,
}

impl Amount {
    /// More than there will ever be.
    pub const UNLIMITED: Self = Self {
        stanzas: usize::MAX,
        bytes: usize::MAX,
    };

    fn exceeds(self, bound: Self) -> bool {
        self.stanzas > bound.stanzas || self.bytes > bound.bytes
    }

    fn reaches(self, bound: Self) -> bool {
        self.stanzas >= bound.stanzas || self.bytes >= bound.bytes
    }
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
    ledger: Arc<Ledger>,
    receiver: AtomicWaker,
}

#[derive(Debug)]
struct Inner {
    queue: VecDeque<Outbound>,
    bytes: usize,
    /// The number of the last stanza that was taken.
    last_number: u64,
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
    pub(super) fn new(bounds: Bounds, ledger: Arc<Ledger>) -> Self {
        let inner = Inner {
            queue: VecDeque::new(),
            bytes: 0,
            last_number: 0,
            bounds,
            open: true,
            command: None,
            pressed: Vec::new(),
        };
        Self {
            inner: Mutex::new(inner),
            ledger,
            receiver: AtomicWaker::new(),
        }
    }

    /// Takes a stanza, numbers it, and tells `line` of it.
    pub(super) fn push(&self, mut stanza: Outbound, line: &Line) -> Delivered {
        let mut inner = self.lock();
        if !inner.open {
            return Delivered::Gone(stanza);
        }
        if inner.amount().reaches(inner.bounds.hard) {
            return Delivered::Full(stanza);
        }
        inner.bytes += stanza.text.len();
        inner.last_number += 1;
        stanza.number = inner.last_number;
        line.queued(&stanza); // under the lock, so that the journal has the order of the queue
        stanza.charge = self.ledger.charge(stanza_bytes(stanza.text.len()));
        inner.queue.push_back(stanza);
        let pressed = self.is_pressed(&inner) || self.level() == Level::Full;
        drop(inner);
        self.receiver.wake();
        if pressed {
            Delivered::Pressed
        } else {
            Delivered::Queued
        }
    }

    /// Takes a stanza back that the receiver has fetched last, in its old place. One whose mailbox
    /// is closed meanwhile has no place any more.
    pub(super) fn put_back(&self, stanza: Outbound) {
        let mut inner = self.lock();
        if inner.open {
            inner.bytes += stanza.text.len();
            inner.queue.push_front(stanza);
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

    /// The order to end that nobody has obeyed yet.
    pub(super) fn take_end(&self) -> Option<EndReason> {
        let mut inner = self.lock();
        let Some(Command::End(reason)) = inner.command else {
            return None;
        };
        inner.command = None;
        Some(reason)
    }

    /// The session has been handed over.
    pub(super) fn forget_hand_over(&self) {
        let mut inner = self.lock();
        if inner.command == Some(Command::HandOver) {
            inner.command = None;
        }
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
        inner.bytes -= stanza.text.len();
        self.relieve(&mut inner);
        Poll::Ready(Mail::Stanza(stanza))
    }

    /// Ready when the queue is below its soft bound and the budget is not used up, or when it is
    /// closed. Nobody is told of the budget: who waits looks again after a while.
    pub(super) fn poll_relieved(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut inner = self.lock();
        if !inner.open || !(self.is_pressed(&inner) || self.level() == Level::Full) {
            return Poll::Ready(());
        }
        inner.await_relief(cx);
        Poll::Pending
    }

    /// Ready when the queue is below its soft bound and somebody empties it, or closed. Unlike
    /// [`Mailbox::poll_relieved`] it waits while the session hibernates.
    pub(super) fn poll_room(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut inner = self.lock();
        if !inner.open || self.has_room_in(&inner) {
            return Poll::Ready(());
        }
        inner.await_relief(cx);
        Poll::Pending
    }

    pub(super) fn has_room(&self) -> bool {
        let inner = self.lock();
        inner.open && self.has_room_in(&inner)
    }

    pub(super) fn set_bounds(&self, bounds: Bounds) {
        let mut inner = self.lock();
        inner.bounds = bounds;
        self.relieve(&mut inner);
    }

    /// Takes nothing more; returns what was waiting. `None`: it was closed already.
    pub(super) fn close(&self) -> Option<VecDeque<Outbound>> {
        let mut inner = self.lock();
        if !std::mem::replace(&mut inner.open, false) {
            return None;
        }
        inner.bytes = 0;
        inner.pressed.drain(..).for_each(Waker::wake);
        Some(std::mem::take(&mut inner.queue))
    }

    /// Goes on after this number.
    pub(super) fn continue_after(&self, number: u64) {
        self.lock().last_number = number;
    }

    /// Looks at what waits, oldest first.
    pub(super) fn look(&self, look: impl FnMut(&Outbound)) {
        self.lock().queue.iter().for_each(look);
    }

    pub(super) fn is_open(&self) -> bool {
        self.lock().open
    }

    pub(super) fn len(&self) -> usize {
        self.lock().queue.len()
    }

    fn level(&self) -> Level {
        self.ledger.budget().level()
    }

    /// Over its soft bound; or with unread mail while the server holds much for others, too. The
    /// latter ends with the mail, so who waits for it is told when that is read.
    fn is_pressed(&self, inner: &Inner) -> bool {
        inner.amount().exceeds(inner.bounds.soft)
            || (inner.queue.len() > 1 && self.level() != Level::Free)
    }

    /// A mailbox that nobody empties has no soft bound; it has no room for what can wait.
    fn has_room_in(&self, inner: &Inner) -> bool {
        inner.bounds.soft != Amount::UNLIMITED && !self.is_pressed(inner)
    }

    fn relieve(&self, inner: &mut Inner) {
        if !self.is_pressed(inner) {
            inner.pressed.drain(..).for_each(Waker::wake);
        }
        inner.give_back_memory();
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing under this lock panics; a poisoned one would still hold a whole queue.
        self.inner
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Inner {
    fn amount(&self) -> Amount {
        Amount {
            stanzas: self.queue.len(),
            bytes: self.bytes,
        }
    }

    fn await_relief(&mut self, cx: &Context<'_>) {
        let mut pressed = self.pressed.iter();
        if !pressed.any(|waker| waker.will_wake(cx.waker())) {
            self.pressed.push(cx.waker().clone());
        }
    }

    fn give_back_memory(&mut self) {
        const SPARE: usize = 4;
        if self.queue.is_empty() && self.queue.capacity() > SPARE {
            self.queue.shrink_to_fit();
        }
    }
}

#[cfg(test)]
mod tests;
