//! The unacked queue of one session (XEP-0198 §4).
//!
//! Bookkeeping only: no socket, no clock, no XML. The stream pushes a stanza when it hands it to
//! the transport and reports every ack answer it reads. `h` counts modulo 2^32, so "older" and
//! "newer" are decided by distance, never with `<`.

use std::collections::VecDeque;

/// An `h` that covers stanzas never sent (XEP-0198 §6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("client acknowledged h={h} but only {sent} stanzas were sent")]
pub struct HandledCountTooHigh {
    /// What the client said.
    pub h: u32,
    /// How many stanzas were sent, modulo 2^32.
    pub sent: u32,
}

/// Stanzas sent but not yet handled by the client, oldest first.
///
/// Invariant: `acked_h + stanzas.len()` (modulo 2^32) is the number of stanzas sent in this
/// session, resumptions included. Its bound is the owner's: the stream takes nothing from the
/// mailbox while the queue holds `sm.max_unacked` stanzas.
#[derive(Debug)]
pub struct UnackedQueue<S> {
    /// The last `h` accepted from the client; 0 at `<enabled/>`.
    acked_h: u32,
    stanzas: VecDeque<S>,
}

impl<S> UnackedQueue<S> {
    /// An empty queue whose count begins at `first_h`: 0, but for tests of the wrap.
    pub fn new(first_h: u32) -> Self {
        Self {
            acked_h: first_h,
            stanzas: VecDeque::new(),
        }
    }

    /// Adds a stanza that goes to the transport now.
    pub fn push(&mut self, stanza: S) {
        self.stanzas.push_back(stanza);
    }

    /// Drops the stanzas the client reports as handled, each through `arrived`; returns how many
    /// that was.
    ///
    /// `h` is a running total since `<enabled/>`, modulo 2^32, as carried by `<a/>` and
    /// `<resume/>`; it is not a delta. Cost: O(stanzas dropped).
    ///
    /// # Errors
    ///
    /// [`HandledCountTooHigh`] when `h` covers stanzas never sent, which is also how an `h` older
    /// than the last one looks. The queue is then unchanged.
    ///
    /// Spec: XEP-0198 §4 <https://xmpp.org/extensions/xep-0198.html#acking>
    pub fn on_ack_answer(
        &mut self,
        h: u32,
        arrived: impl FnMut(S),
    ) -> Result<usize, HandledCountTooHigh> {
        let handled = h.wrapping_sub(self.acked_h) as usize;
        if handled > self.stanzas.len() {
            return Err(HandledCountTooHigh {
                h,
                sent: self.sent(),
            });
        }
        self.stanzas.drain(..handled).for_each(arrived);
        self.acked_h = h;
        self.give_back_memory();
        Ok(handled)
    }

    /// Whether `h` lies a little behind the last one accepted: an answer overtaken by another.
    ///
    /// Within 2^31 of the past it is old; anything else was never sent.
    pub fn is_stale(&self, h: u32) -> bool {
        let behind = self.acked_h.wrapping_sub(h);
        behind != 0 && behind < 1 << 31
    }

    /// How many stanzas were sent in this session, modulo 2^32.
    pub fn sent(&self) -> u32 {
        // The bound of the queue is far below 2^32, so the cast loses nothing.
        self.acked_h.wrapping_add(self.stanzas.len() as u32)
    }

    /// How many stanzas wait for an ack.
    pub fn len(&self) -> usize {
        self.stanzas.len()
    }

    /// Whether the client has handled all that was sent.
    pub fn is_empty(&self) -> bool {
        self.stanzas.is_empty()
    }

    /// The waiting stanzas, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &S> {
        self.stanzas.iter()
    }

    /// The same, to change.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut S> {
        self.stanzas.iter_mut()
    }

    /// The oldest waiting stanza.
    pub fn oldest(&self) -> Option<&S> {
        self.stanzas.front()
    }

    /// The waiting stanzas, oldest first, for good: the session is over.
    pub fn into_stanzas(self) -> impl Iterator<Item = S> {
        self.stanzas.into_iter()
    }

    /// An idle session keeps no ring of the size that a burst once needed.
    fn give_back_memory(&mut self) {
        const SPARE: usize = 4;
        if self.stanzas.is_empty() && self.stanzas.capacity() > SPARE {
            self.stanzas.shrink_to_fit();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn queue(first_h: u32, sent: u32) -> UnackedQueue<u32> {
        let mut queue = UnackedQueue::new(first_h);
        (0..sent).for_each(|n| queue.push(n));
        queue
    }

    /// S-45
    #[test]
    fn ack_answer_frees_only_what_it_names() {
        let mut queue = queue(0, 5);
        assert_eq!(queue.on_ack_answer(2, drop), Ok(2));
        assert_eq!(queue.iter().copied().collect::<Vec<_>>(), [2, 3, 4]);
    }

    /// S-44
    #[test]
    fn ack_answer_that_wraps_past_zero_drops_the_stanzas_in_between() {
        let mut queue = queue(u32::MAX - 1, 5);
        assert_eq!(queue.sent(), 3);
        assert_eq!(queue.on_ack_answer(1, drop), Ok(3));
        assert_eq!(queue.iter().copied().collect::<Vec<_>>(), [3, 4]);
    }

    /// S-10
    #[test]
    fn ack_beyond_sent_count_is_a_fault_and_keeps_the_queue() {
        let mut queue = queue(u32::MAX, 2);
        assert_eq!(
            queue.on_ack_answer(2, drop),
            Err(HandledCountTooHigh { h: 2, sent: 1 })
        );
        assert_eq!(queue.len(), 2);
    }

    /// S-12
    #[test]
    fn an_answer_overtaken_by_another_is_stale_also_across_the_wrap() {
        let mut queue = queue(u32::MAX, 3);
        queue.on_ack_answer(1, drop).unwrap();
        assert!(queue.is_stale(u32::MAX));
        assert!(queue.is_stale(0));
        assert!(!queue.is_stale(1));
        assert!(!queue.is_stale(2));
    }

    proptest! {
        /// S-44: against a reference that counts in 64 bits and never wraps.
        #[test]
        fn the_queue_agrees_with_counting_in_64_bits(
            first in prop_oneof![Just(0_u64), Just(u64::from(u32::MAX) - 3), any::<u32>().prop_map(u64::from)],
            steps in prop::collection::vec((0_u8..6, 0_u64..8), 0..200),
        ) {
            let mut queue = UnackedQueue::new(first as u32);
            let (mut sent, mut acked) = (first, first);
            for (push, ack) in steps {
                for _ in 0..push {
                    queue.push(sent);
                    sent += 1;
                }
                let h = acked + ack;
                let answer = queue.on_ack_answer(h as u32, drop);
                prop_assert_eq!(answer.is_ok(), h <= sent);
                if answer.is_ok() { acked = h; }
                prop_assert_eq!(queue.sent(), sent as u32);
                prop_assert!(queue.iter().copied().eq(acked..sent));
            }
        }
    }
}
