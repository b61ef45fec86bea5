//! What a driver has told the journal of its session, and what must be on disk before its client
//! hears more.

use crate::sessions::Session;
use crate::stanza::ByteString;
use crate::store::journal::Journal;
use crate::stream::{Arrived, Sm, Stream, Transmit};
use std::collections::VecDeque;
use std::task::{Context, Waker};

/// So many bytes may wait for the disk; the rest stays in the mailbox.
const MAX_HELD_BYTES: usize = 64 * 1024;

/// Compares a stream with what the journal knows of it.
#[derive(Debug, Default)]
pub(super) struct Recorder {
    /// Stanzas of the client that are recorded as handled, once stream management is.
    handled: Option<u32>,
}

impl Recorder {
    /// A session that is recorded already is resumed.
    pub(super) fn on_resumed(&mut self, sm: &Sm) {
        self.handled = Some(sm.handled());
    }

    /// Records what changed.
    pub(super) fn record(&mut self, session: &Session, stream: &mut Stream) {
        let Some(sm) = stream.sm_mut() else { return };
        let arrived = sm.take_arrived();
        match self.handled {
            None => session.record_managed(sm),
            Some(handled) if handled != sm.handled() => session.record_handled(sm.handled()),
            Some(_) => {}
        }
        self.handled = Some(sm.handled());
        if let Some(arrived) = arrived {
            session.record_arrived(arrived, sm.acked());
        }
    }

    /// The stanza in hand has been taken responsibility for, though the backend is not done: some
    /// of what became of it is recorded already.
    pub(super) fn record_early(&mut self, session: &Session) {
        if let Some(handled) = self.handled {
            session.record_handled(handled.wrapping_add(1));
        }
    }
}

/// A stanza went to a client that acknowledges nothing.
pub(super) fn record_sent(session: &Session, number: u64, has_copies: bool) {
    let arrived = Arrived {
        through: number,
        has_copies,
    };
    session.record_arrived(arrived, 0);
}

/// What waits until the disk has caught up, oldest first.
#[derive(Debug, Default)]
pub(super) struct Held {
    transmits: VecDeque<(u64, Transmit)>,
    bytes: usize,
    /// So many records are known to be on disk.
    durable: u64,
    /// Whether the disk was behind when it was last looked at: a wake-up is on its way then.
    is_behind: bool,
    /// Who is told, and when so many are.
    awaited: Option<(u64, Waker)>,
}

impl Held {
    /// Whether more stanzas may be fetched for the client.
    pub(super) fn has_room(&self) -> bool {
        self.bytes < MAX_HELD_BYTES
    }

    /// Whether the client should not be read, for the disk is behind.
    pub(super) fn is_behind(&self) -> bool {
        self.is_behind
    }

    /// Takes what the stream has to say: it may go when all that is recorded by now in `journal`
    /// is on disk.
    pub(super) fn hold(&mut self, journal: &Journal, stream: &mut Stream) {
        let mut position = None;
        while let Some(transmit) = stream.poll_transmit() {
            let position = *position.get_or_insert_with(|| journal.position());
            self.bytes += size_bytes(&transmit);
            self.transmits.push_back((position, transmit));
        }
    }

    /// Looks how far the disk is; the waker is told when that is far enough for the first, or for
    /// the client to be read again.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, journal: &Journal) {
        self.durable = journal.durable();
        self.is_behind = journal.is_behind();
        let first = self.transmits.front().map(|&(position, _)| position);
        let first = first.filter(|&position| position > self.durable);
        let behind = || self.is_behind.then(|| journal.position());
        let Some(position) = first.or_else(behind) else {
            return;
        };
        let is_awaited = self
            .awaited
            .as_ref()
            .is_some_and(|(awaited, waker)| *awaited == position && waker.will_wake(cx.waker()));
        if is_awaited {
            return;
        }
        if journal.poll_durable(cx, position).is_ready() {
            cx.waker().wake_by_ref(); // between two looks
        } else {
            self.awaited = Some((position, cx.waker().clone()));
        }
    }

    /// The first, if it may go.
    pub(super) fn pop(&mut self) -> Option<Transmit> {
        let &(position, _) = self.transmits.front()?;
        if position > self.durable {
            return None;
        }
        let (_, transmit) = self.transmits.pop_front()?;
        self.bytes -= size_bytes(&transmit);
        Some(transmit)
    }

    /// The elements among them, for good, oldest first.
    pub(super) fn take_elements(&mut self) -> Vec<ByteString> {
        self.bytes = 0;
        let all = self.transmits.drain(..);
        all.filter_map(|(_, transmit)| match transmit {
            Transmit::Element(text) => Some(text), // over BOSH nothing is transcoded
            _ => None,
        })
        .collect()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.transmits.is_empty()
    }
}

fn size_bytes(transmit: &Transmit) -> usize {
    match transmit {
        Transmit::Element(text) | Transmit::Transcoded(text) | Transmit::Error(text) => text.len(),
        Transmit::Open { .. } | Transmit::Redirect(_) | Transmit::Leave | Transmit::Close(_) => 0,
    }
}
