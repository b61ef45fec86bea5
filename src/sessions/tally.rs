//! What has gone through one session, for the operator.

use crate::clock;
use crate::stanza::Kind;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// What has gone through one session, and what is on its way. Of this process: a session that comes
/// back after a restart begins anew.
///
/// The owner of its stream writes, and there is one at a time; whoever reads may see one figure a
/// stanza later than another.
#[derive(Debug)]
pub struct Tally {
    since: Instant,
    stanzas: [AtomicU64; 2],
    bytes: [AtomicU64; 2],
    unacked: AtomicU32,
    /// When the oldest of them was sent: milliseconds after `since`, and one more; 0: unknown.
    oldest: AtomicU64,
}

/// Which way a stanza goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From the client.
    In,
    /// To the client.
    Out,
}

impl Direction {
    /// Both.
    pub const ALL: [Self; 2] = [Self::In, Self::Out];

    /// The word that figures show.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::In => "in",
            Self::Out => "out",
        }
    }
}

impl Tally {
    pub(super) fn new() -> Self {
        Self {
            since: clock::now(),
            stanzas: Default::default(),
            bytes: Default::default(),
            unacked: AtomicU32::new(0),
            oldest: AtomicU64::new(0),
        }
    }

    /// For the owner of the stream: a stanza with a text of so many bytes goes through.
    pub fn count(&self, direction: Direction, bytes: usize) {
        // One writer at a time, so a load and a store will do: no locked instruction.
        let add = |counter: &AtomicU64, n: u64| {
            counter.store(counter.load(Ordering::Relaxed) + n, Ordering::Relaxed);
        };
        add(&self.stanzas[direction as usize], 1);
        add(&self.bytes[direction as usize], bytes as u64);
    }

    /// For the owner of the stream: so many stanzas are unacked, and the oldest of them was sent
    /// then, as far as that is known.
    pub fn set_unacked(&self, count: usize, oldest: Option<Instant>) {
        let oldest = oldest.map_or(0, |at| {
            let since = at.saturating_duration_since(self.since);
            u64::try_from(since.as_millis()).map_or(u64::MAX, |ms| ms.saturating_add(1))
        });
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        self.unacked.store(count, Ordering::Relaxed);
        self.oldest.store(oldest, Ordering::Relaxed);
    }

    /// Since when it is here.
    pub fn since(&self) -> Instant {
        self.since
    }

    /// How many stanzas went through.
    pub fn stanzas(&self, direction: Direction) -> u64 {
        self.stanzas[direction as usize].load(Ordering::Relaxed)
    }

    /// How many bytes their texts had.
    pub fn bytes(&self, direction: Direction) -> u64 {
        self.bytes[direction as usize].load(Ordering::Relaxed)
    }

    /// How many stanzas the client has not acknowledged; 0 without stream management.
    pub fn unacked(&self) -> usize {
        self.unacked.load(Ordering::Relaxed) as usize
    }

    /// How long ago the oldest of them was sent; `None`: there is none, or it was sent by the last
    /// process.
    pub fn oldest_unacked(&self, now: Instant) -> Option<Duration> {
        let ms = self.oldest.load(Ordering::Relaxed).checked_sub(1)?;
        let sent = self.since.checked_add(Duration::from_millis(ms))?;
        Some(now.saturating_duration_since(sent))
    }
}

/// The three kinds of stanzas.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StanzaKind {
    /// `<message/>`
    Message,
    /// `<presence/>`
    Presence,
    /// `<iq/>`
    Iq,
}

impl StanzaKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Message, Self::Presence, Self::Iq];

    /// The name of the element.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Message => "message",
            Self::Presence => "presence",
            Self::Iq => "iq",
        }
    }
}

impl From<Kind> for StanzaKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Message(_) => Self::Message,
            Kind::Presence(_) => Self::Presence,
            Kind::Iq(_) => Self::Iq,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_direction_is_counted_on_its_own() {
        let tally = Tally::new();
        tally.count(Direction::In, 10);
        tally.count(Direction::In, 5);
        tally.count(Direction::Out, 7);
        let figures = Direction::ALL.map(|way| (tally.stanzas(way), tally.bytes(way)));
        assert_eq!(figures, [(2, 15), (1, 7)]);
    }

    #[test]
    fn the_oldest_unacked_stanza_ages_until_there_is_none() {
        let tally = Tally::new();
        let sent = tally.since() + Duration::from_secs(1);
        tally.set_unacked(3, Some(sent));
        let age = tally.oldest_unacked(sent + Duration::from_secs(9));
        assert_eq!((tally.unacked(), age), (3, Some(Duration::from_secs(9))));
        tally.set_unacked(0, None);
        assert_eq!(tally.oldest_unacked(sent), None);
    }

    #[test]
    fn a_stanza_that_was_sent_as_the_session_began_has_an_age() {
        let tally = Tally::new();
        tally.set_unacked(1, Some(tally.since()));
        assert_eq!(tally.oldest_unacked(tally.since()), Some(Duration::ZERO));
    }
}
