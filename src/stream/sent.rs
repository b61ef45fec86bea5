//! When stanzas were sent, in four bytes each, which fit where an [`Outbound`](super::Outbound) has
//! room: an unacked queue can be long.

use std::time::{Duration, Instant};

/// The unit.
const TICK: Duration = Duration::from_micros(100);

/// When a stanza was last sent, by the [`Stopwatch`] of its session. By default that is unknown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Sent(u32);

/// Runs from the first reading on. Its readings are good for four days: what was sent longer ago
/// looks younger.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Stopwatch {
    began: Option<Instant>,
    /// The last reading: by then, whatever was read before.
    last: Option<Instant>,
}

impl Stopwatch {
    pub(super) fn read(&mut self, now: Instant) -> Sent {
        let began = *self.began.get_or_insert(now);
        self.last = Some(now);
        Sent(ticks(began, now))
    }

    /// When that was, not after the last reading.
    pub(super) fn instant(&self, sent: Sent) -> Option<Instant> {
        let (began, last) = (self.began?, self.last?);
        if sent == Sent::default() {
            return None;
        }
        let ago = ticks(began, last).wrapping_sub(sent.0);
        Some(last.checked_sub(TICK * ago).unwrap_or(began))
    }
}

/// From 1, modulo 2^32, and never 0, which is unknown.
fn ticks(began: Instant, now: Instant) -> u32 {
    let ticks = now.saturating_duration_since(began).as_micros() / TICK.as_micros();
    (ticks as u32).wrapping_add(1).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::Outbound;

    #[test]
    fn a_reading_is_found_again_to_the_tick_or_two() {
        let now = Instant::now();
        let mut watch = Stopwatch::default();
        let first = watch.read(now);
        let later = now + Duration::from_millis(1234);
        let second = watch.read(later);
        let differs = |a: Instant, b: Instant| {
            a.saturating_duration_since(b)
                .max(b.saturating_duration_since(a))
                > TICK * 2
        };
        assert!(!differs(watch.instant(first).unwrap(), now));
        assert!(!differs(watch.instant(second).unwrap(), later));
        assert_eq!(watch.instant(Sent::default()), None);
    }

    #[test]
    fn readings_hold_across_the_wrap_of_the_counter() {
        let now = Instant::now();
        let mut watch = Stopwatch::default();
        watch.read(now);
        let before = now + TICK * (u32::MAX - 50);
        let sent = watch.read(before);
        let after = before + TICK * 100;
        watch.read(after);
        let ago = after - watch.instant(sent).unwrap();
        assert!(ago.abs_diff(TICK * 100) <= TICK * 2, "{ago:?}");
    }

    /// The stamp costs no memory.
    #[test]
    fn a_stanza_in_a_queue_is_as_small_as_without_it() {
        // 96, and 8 for the box of what a transcoder has made.
        assert!(size_of::<Outbound>() <= 104, "{}", size_of::<Outbound>());
    }
}
