//! What the copies of one message know of each other.

use crate::stanza::ByteString;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

/// Shared by the copies of one message that go to several sessions of an account: to each resource
/// at the bare address, or as carbons.
///
/// When a session ends, a copy that it did not acknowledge is delivered anew only if no other copy
/// has arrived or may still arrive. So the account gets the message, and gets it once, in whatever
/// order its sessions end. The default value is that of a stanza without other copies.
#[derive(Debug, Clone, Default)]
pub struct Copies(Option<Arc<Shared>>);

#[derive(Debug)]
struct Shared {
    /// Copies that may still arrive.
    pending: AtomicUsize,
    arrived: AtomicBool,
    /// The message itself: a carbon is only its wrapping.
    original: ByteString,
    /// What they are known by on disk.
    number: OnceLock<u64>,
}

impl Copies {
    /// For `count` copies of `original`.
    pub fn of(original: &ByteString, count: usize) -> Self {
        if count <= 1 {
            return Self::default();
        }
        Self(Some(Arc::new(Shared {
            pending: AtomicUsize::new(count),
            arrived: AtomicBool::new(false),
            original: original.clone(),
            number: OnceLock::new(),
        })))
    }

    /// For `pending` copies that outlived the process.
    pub fn restored(original: &ByteString, pending: usize, arrived: bool, number: u64) -> Self {
        Self(Some(Arc::new(Shared {
            pending: AtomicUsize::new(pending),
            arrived: AtomicBool::new(arrived),
            original: original.clone(),
            number: number.into(),
        })))
    }

    /// Whether there are some.
    pub fn are_some(&self) -> bool {
        self.0.is_some()
    }

    /// What is to be known of them after the process: the number that all copies share, which
    /// `number` gives to those that have none; the message; and whether a copy has arrived.
    pub fn to_save(&self, number: impl FnOnce() -> u64) -> Option<(u64, &ByteString, bool)> {
        let shared = self.0.as_ref()?;
        let number = *shared.number.get_or_init(number);
        Some((
            number,
            &shared.original,
            shared.arrived.load(Ordering::Acquire),
        ))
    }

    /// A client has acknowledged its copy, or got it and acknowledges nothing.
    pub fn arrive(&self) {
        if let Some(shared) = &self.0 {
            shared.arrived.store(true, Ordering::Release);
        }
    }

    /// This copy will not arrive. Call it once a copy. Returns the message if that was the last
    /// hope for it: it must be delivered anew. `text` is that of this copy.
    #[must_use]
    pub fn give_up(&self, text: &ByteString) -> Option<ByteString> {
        let Some(shared) = &self.0 else {
            return Some(text.clone());
        };
        let was_last = shared.pending.fetch_sub(1, Ordering::AcqRel) == 1;
        let is_lost = was_last && !shared.arrived.load(Ordering::Acquire);
        is_lost.then(|| shared.original.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> ByteString {
        text.to_owned().into()
    }

    #[test]
    fn a_stanza_without_copies_is_always_delivered_anew() {
        assert_eq!(Copies::default().give_up(&text("x")), Some(text("x")));
        assert_eq!(
            Copies::of(&text("x"), 1).give_up(&text("x")),
            Some(text("x"))
        );
    }

    #[test]
    fn the_last_copy_to_be_given_up_is_delivered_anew_as_the_message_that_it_wraps() {
        let copies = Copies::of(&text("message"), 3);
        assert_eq!(copies.give_up(&text("message")), None);
        assert_eq!(copies.give_up(&text("message")), None);
        assert_eq!(copies.give_up(&text("carbon")), Some(text("message")));
    }

    #[test]
    fn a_copy_that_arrived_makes_all_others_needless() {
        let copies = Copies::of(&text("x"), 2);
        copies.arrive();
        assert_eq!(copies.give_up(&text("x")), None);
        assert_eq!(copies.give_up(&text("x")), None);
    }
}
