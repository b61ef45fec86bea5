//! So much a second, and so much at once: what the limits on rates have in common.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::{Duration, Instant};

/// How much may come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// In the long run, each second; 0 is no bound.
    pub per_second: u64,
    /// At once, by whoever was silent before.
    pub burst: u64,
}

impl Rate {
    /// No bound.
    pub const UNLIMITED: Self = Self {
        per_second: 0,
        burst: 0,
    };

    /// Whether there is no bound.
    pub fn is_unlimited(self) -> bool {
        self.per_second == 0
    }

    /// The part of it that one of `shares` may have, and never nothing.
    pub fn share(self, shares: u64) -> Self {
        let part = |whole: u64| {
            if whole == 0 {
                0
            } else {
                (whole / shares).max(1)
            }
        };
        Self {
            per_second: part(self.per_second),
            burst: part(self.burst),
        }
    }

    /// How long it takes to earn `amount`.
    fn time_of(self, amount: u64) -> Duration {
        if self.is_unlimited() {
            return Duration::ZERO;
        }
        let nanoseconds = u128::from(amount) * 1_000_000_000 / u128::from(self.per_second);
        Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX))
    }
}

/// A token bucket, kept as the one moment at which it will be full again: no timer fills it, and
/// another [`Rate`] holds from the next look on. Time is an argument.
#[derive(Debug, Clone, Copy, Default)]
pub struct Meter {
    full_at: Option<Instant>,
}

impl Meter {
    /// How long until `amount` is there; zero if it is there now.
    pub fn wait(&self, now: Instant, rate: Rate, amount: u64) -> Duration {
        if rate.is_unlimited() {
            return Duration::ZERO; // also for who looked at the clock before the last one did
        }
        let missing = self.until_full(now) + rate.time_of(amount);
        missing.saturating_sub(rate.time_of(rate.burst))
    }

    /// Takes `amount`, if need be on credit: the next one waits the longer.
    pub fn charge(&mut self, now: Instant, rate: Rate, amount: u64) {
        let from = self.full_at.map_or(now, |at| at.max(now));
        // A clock has an end; a debt beyond it is as good as this one.
        self.full_at = Some(from.checked_add(rate.time_of(amount)).unwrap_or(from));
    }

    /// Whether it knows of nobody any more.
    pub fn is_full(&self, now: Instant) -> bool {
        self.until_full(now).is_zero()
    }

    fn until_full(&self, now: Instant) -> Duration {
        let at = self.full_at.unwrap_or(now);
        at.saturating_duration_since(now)
    }
}

/// A meter for each of many, of whom only those are kept that came lately.
#[derive(Debug)]
pub struct Meters<K>(HashMap<K, Meter>);

/// Most meters kept. At the bound those that are full again go; if there is none, a newcomer is not
/// counted, and the bound that all share still holds.
const METERS_MAX: usize = 65_536;

impl<K> Default for Meters<K> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: Eq + Hash> Meters<K> {
    /// How long until `key` may take `amount`.
    pub fn wait(&self, now: Instant, key: &K, rate: Rate, amount: u64) -> Duration {
        let meter = self.0.get(key).copied().unwrap_or_default();
        meter.wait(now, rate, amount)
    }

    /// Takes `amount` from the meter of `key`. Cost: constant, but for the bound.
    pub fn charge(&mut self, now: Instant, key: K, rate: Rate, amount: u64) {
        if rate.is_unlimited() {
            return;
        }
        if let Some(meter) = self.0.get_mut(&key) {
            return meter.charge(now, rate, amount);
        }
        if self.0.len() >= METERS_MAX {
            self.0.retain(|_, meter| !meter.is_full(now));
        }
        if self.0.len() < METERS_MAX {
            self.0.entry(key).or_default().charge(now, rate, amount);
        }
    }

    /// What the soak counts.
    #[cfg(test)]
    pub(crate) fn census(&self, what: &'static str) -> crate::census::Count {
        crate::census::Count::memory(what, self.0.len(), METERS_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate {
        per_second: 10,
        burst: 5,
    };

    fn milliseconds(count: u64) -> Duration {
        Duration::from_millis(count)
    }

    #[test]
    fn a_burst_goes_at_once_and_the_rest_at_the_rate() {
        let (now, mut meter) = (crate::clock::now(), Meter::default());
        for _ in 0..5 {
            assert_eq!(meter.wait(now, RATE, 1), Duration::ZERO);
            meter.charge(now, RATE, 1);
        }
        assert_eq!(meter.wait(now, RATE, 1), milliseconds(100));
        assert_eq!(meter.wait(now + milliseconds(99), RATE, 1), milliseconds(1));
        assert_eq!(meter.wait(now + milliseconds(100), RATE, 1), Duration::ZERO);
    }

    /// Two threads look at the clock, and the one that looked first comes second.
    #[test]
    fn without_a_bound_nobody_waits_not_even_who_comes_with_an_older_time() {
        let (now, mut meter) = (crate::clock::now(), Meter::default());
        meter.charge(now + milliseconds(5), Rate::UNLIMITED, 1);
        assert_eq!(meter.wait(now, Rate::UNLIMITED, 1), Duration::ZERO);
    }

    #[test]
    fn credit_is_paid_back() {
        let (now, mut meter) = (crate::clock::now(), Meter::default());
        meter.charge(now, RATE, 25);
        assert_eq!(meter.wait(now, RATE, 0), milliseconds(2000));
        assert!(!meter.is_full(now + milliseconds(2499)));
        assert!(meter.is_full(now + milliseconds(2500)));
    }

    #[test]
    fn silence_earns_a_burst_and_no_more() {
        let (now, mut meter) = (crate::clock::now(), Meter::default());
        meter.charge(now, RATE, 5);
        let later = now + Duration::from_secs(3600);
        assert_eq!(meter.wait(later, RATE, 5), Duration::ZERO);
        assert_eq!(meter.wait(later, RATE, 6), milliseconds(100));
    }

    #[test]
    fn without_a_bound_nothing_waits_whatever_is_taken() {
        let (now, mut meter) = (crate::clock::now(), Meter::default());
        meter.charge(now, Rate::UNLIMITED, u64::MAX);
        assert_eq!(meter.wait(now, Rate::UNLIMITED, u64::MAX), Duration::ZERO);
    }

    #[test]
    fn a_debt_without_end_does_no_harm() {
        let (now, mut meter) = (crate::clock::now(), Meter::default());
        for _ in 0..3 {
            meter.charge(now, RATE, u64::MAX);
        }
        assert!(!meter.wait(now, RATE, 1).is_zero());
    }

    #[test]
    fn a_share_is_never_nothing() {
        assert_eq!(RATE.share(100).per_second, 1);
        assert_eq!(Rate::UNLIMITED.share(100), Rate::UNLIMITED);
    }

    #[test]
    fn of_many_those_are_forgotten_whose_meters_are_full() {
        let (now, mut meters) = (crate::clock::now(), Meters::default());
        for key in 0..METERS_MAX {
            meters.charge(now, key, RATE, 1);
        }
        meters.charge(now, METERS_MAX, RATE, 1);
        assert_eq!(meters.0.len(), METERS_MAX);
        let later = now + milliseconds(100);
        meters.charge(later, METERS_MAX, RATE, 1);
        assert_eq!(meters.0.len(), 1);
    }
}
