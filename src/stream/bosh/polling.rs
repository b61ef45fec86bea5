//! How much haste is forgiven (XEP-0124 §11, §12).

use std::time::{Duration, Instant};

/// A bucket of empty requests that may come too soon.
///
/// The XEP ends a session at the first empty request inside the interval. Networks bunch packets up,
/// and a healthy client then looks hasty, so a few are forgiven; a loop still runs dry at once.
#[derive(Debug)]
pub(super) struct PollingAllowance {
    interval: Duration,
    capacity: u32,
    left: u32,
    refilled_at: Instant,
}

impl PollingAllowance {
    pub fn new(now: Instant, interval: Duration, capacity: u32) -> Self {
        Self {
            interval,
            capacity,
            left: capacity,
            refilled_at: now,
        }
    }

    /// The client may poll as often as it likes.
    pub fn is_unlimited(&self) -> bool {
        self.interval.is_zero()
    }

    /// Pays for one hasty request; false when nothing is left to pay with.
    pub fn take(&mut self, now: Instant) -> bool {
        self.refill(now);
        let paid = self.left > 0;
        self.left = self.left.saturating_sub(1);
        paid
    }

    fn refill(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.refilled_at);
        let earned = passed.as_nanos() / self.interval.as_nanos().max(1);
        if earned == 0 {
            return;
        }
        let earned = u32::try_from(earned).unwrap_or(u32::MAX);
        self.left = self.left.saturating_add(earned).min(self.capacity);
        self.refilled_at = now;
    }
}
