//! How much an account may send, all its sessions together, and whoever shares a tier.
//!
//! The count belongs to the account and not to a session, so that neither more sessions nor new
//! ones give more. It is kept for as long as it knows something: until it is full again.

mod tiers;

pub use tiers::{Allowance, Seat, SharedBy, Throttled, TierOptions, Tiers};

use crate::rate::{Meter, Rate};
use arc_swap::ArcSwap;
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What happens to what an account sends over its rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Excess {
    /// It is served, and its sender is not read before its time has come.
    Slow,
    /// It is answered by `resource-constraint`. What no error may answer is slowed.
    Refuse,
    /// It ends the stream with `policy-violation`. What is no stanza is slowed.
    Close,
}

/// The rate of each account, from `[limits]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuotaOptions {
    /// `limits.user_stanzas_per_second`, `limits.user_stanzas_burst`. Acks and the like count, too.
    pub stanzas: Rate,
    /// `limits.user_bytes_per_second`, `limits.user_bytes_burst`
    pub bytes: Rate,
    /// `limits.user_excess`
    pub excess: Excess,
}

impl QuotaOptions {
    /// No account is bounded.
    pub const UNLIMITED: Self = Self {
        stanzas: Rate::UNLIMITED,
        bytes: Rate::UNLIMITED,
        excess: Excess::Slow,
    };
}

/// An element is over the rate of its account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Over {
    /// When it would be within.
    pub until: Instant,
    /// What is to happen to it.
    pub excess: Excess,
}

/// What one account has left.
#[derive(Debug, Default)]
pub struct Quota(Mutex<Left>);

#[derive(Debug, Default, Clone, Copy)]
struct Left {
    stanzas: Meter,
    bytes: Meter,
}

/// What an element costs, each with the rate that it is counted by.
#[derive(Debug, Clone, Copy)]
struct Bill {
    stanzas: (Rate, u64),
    bytes: (Rate, u64),
}

impl QuotaOptions {
    fn bill(&self, bytes: usize) -> Bill {
        Bill {
            stanzas: (self.stanzas, 1),
            bytes: (self.bytes, bytes as u64),
        }
    }
}

impl Quota {
    /// Counts one element of so many bytes.
    ///
    /// # Errors
    ///
    /// [`Over`]. What is to be slowed has been counted, as it is served; what is to be refused has
    /// not, so that who sends on and on is served at the rate and not shut out.
    pub fn take(&self, now: Instant, bytes: usize, options: &QuotaOptions) -> Result<(), Over> {
        self.take_bill(now, options.bill(bytes), options.excess)
    }

    fn take_bill(&self, now: Instant, bill: Bill, excess: Excess) -> Result<(), Over> {
        let mut left = self.lock();
        let wait = left.wait(now, bill);
        let is_over = !wait.is_zero();
        if !is_over || excess == Excess::Slow {
            left.charge(now, bill);
        }
        match is_over {
            true => Err(Over {
                until: now + wait,
                excess,
            }),
            false => Ok(()),
        }
    }

    /// Counts one element that is served although it is over the rate.
    pub fn charge(&self, now: Instant, bytes: usize, options: &QuotaOptions) {
        self.lock().charge(now, options.bill(bytes));
    }

    /// How long an element of no size would have to wait: what the account owes from before.
    pub fn debt(&self, now: Instant, options: &QuotaOptions) -> Duration {
        self.lock().wait(now, options.bill(0))
    }

    /// Nothing under this lock panics; a poisoned one would still guard a whole value.
    fn lock(&self) -> MutexGuard<'_, Left> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Left {
    fn wait(&self, now: Instant, Bill { stanzas, bytes }: Bill) -> Duration {
        let of_stanzas = self.stanzas.wait(now, stanzas.0, stanzas.1);
        let of_bytes = self.bytes.wait(now, bytes.0, bytes.1);
        of_stanzas.max(of_bytes)
    }

    fn charge(&mut self, now: Instant, Bill { stanzas, bytes }: Bill) {
        self.stanzas.charge(now, stanzas.0, stanzas.1);
        self.bytes.charge(now, bytes.0, bytes.1);
    }

    fn is_full(&self, now: Instant) -> bool {
        self.stanzas.is_full(now) && self.bytes.is_full(now)
    }
}

/// How many shards the map has; a power of two.
const SHARDS: usize = 64;

type Shard = Mutex<HashMap<Box<str>, Arc<Quota>>>;

/// The quotas of all accounts that are here or were lately.
#[derive(Debug)]
pub struct Quotas {
    options: ArcSwap<QuotaOptions>,
    hasher: RandomState,
    shards: Box<[Shard]>,
}

/// A shard is looked through for quotas that nobody needs when it has so many more than it has used.
const SPARE: usize = 64;

impl Quotas {
    /// Nobody has sent anything yet.
    pub fn new(options: QuotaOptions) -> Self {
        Self {
            options: ArcSwap::from_pointee(options),
            hasher: RandomState::new(),
            shards: (0..SHARDS).map(|_| Shard::default()).collect(),
        }
    }

    /// Other rates from now on, for open sessions too.
    pub fn set_options(&self, options: QuotaOptions) {
        self.options.store(Arc::new(options));
    }

    /// The rates in force.
    pub fn options(&self) -> QuotaOptions {
        **self.options.load()
    }

    /// The quota of an account, to be kept by each stream that carries a session of it. Not on the
    /// way of a stanza: what is there locks its own account alone.
    pub fn of(&self, now: Instant, account: &str) -> Arc<Quota> {
        let index = self.hasher.hash_one(account) as usize % SHARDS;
        let mut shard = self.shards[index]
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(quota) = shard.get(account) {
            return quota.clone();
        }
        if shard.len() == shard.capacity().max(SPARE) {
            shard.retain(|_, quota| Arc::strong_count(quota) > 1 || !quota.lock().is_full(now));
        }
        shard.entry(account.into()).or_default().clone()
    }

    /// What the soak counts.
    #[cfg(test)]
    pub(crate) fn census(&self) -> crate::census::Count {
        let lengths = self.shards.iter().map(|shard| {
            let shard = shard.lock();
            shard.unwrap_or_else(PoisonError::into_inner).len()
        });
        crate::census::Count::memory("quotas", lengths.sum(), 2 * SHARDS * SPARE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(excess: Excess) -> QuotaOptions {
        QuotaOptions {
            stanzas: Rate {
                per_second: 10,
                burst: 5,
            },
            bytes: Rate {
                per_second: 1000,
                burst: 2000,
            },
            excess,
        }
    }

    fn milliseconds(count: u64) -> Duration {
        Duration::from_millis(count)
    }

    #[test]
    fn a_sender_that_is_slowed_sends_at_the_rate_in_the_long_run() {
        let (start, quota) = (crate::clock::now(), Quota::default());
        let options = options(Excess::Slow);
        let mut now = start;
        for _ in 0..105 {
            if let Err(over) = quota.take(now, 1, &options) {
                assert_eq!(over.excess, Excess::Slow);
                now = over.until;
            }
        }
        assert_eq!(now - start, Duration::from_secs(10));
    }

    #[test]
    fn bytes_slow_as_stanzas_do() {
        let (now, quota) = (crate::clock::now(), Quota::default());
        let options = options(Excess::Slow);
        assert_eq!(quota.take(now, 2000, &options), Ok(()));
        let over = quota.take(now, 500, &options).unwrap_err();
        assert_eq!(over.until - now, milliseconds(500));
    }

    /// Two sessions do not give twice as much.
    #[test]
    fn sessions_of_one_account_share_and_those_of_another_do_not() {
        let now = crate::clock::now();
        let quotas = Quotas::new(options(Excess::Slow));
        let options = quotas.options();
        let (one, two) = (quotas.of(now, "a@b"), quotas.of(now, "a@b"));
        for quota in [&one, &two, &one, &two, &one] {
            assert_eq!(quota.take(now, 1, &options), Ok(()));
        }
        assert!(two.take(now, 1, &options).is_err());
        let other = quotas.of(now, "c@b");
        assert_eq!(other.take(now, 1, &options), Ok(()));
    }

    /// Nor does a new session.
    #[test]
    fn what_was_sent_is_not_forgotten_with_the_session() {
        let now = crate::clock::now();
        let quotas = Quotas::new(options(Excess::Slow));
        let options = quotas.options();
        for _ in 0..5 {
            let quota = quotas.of(now, "a@b");
            assert_eq!(quota.take(now, 1, &options), Ok(()));
        }
        assert!(quotas.of(now, "a@b").take(now, 1, &options).is_err());
    }

    /// Or a client would send one element more with each stream that it opens.
    #[test]
    fn a_new_stream_knows_what_its_account_owes() {
        let options = options(Excess::Slow);
        let quotas = Quotas::new(options);
        let now = Instant::now();
        let quota = quotas.of(now, "romeo@example.org");
        assert!(quota.debt(now, &options).is_zero());
        while quota.take(now, 0, &options).is_ok() {}
        let debt = quotas.of(now, "romeo@example.org").debt(now, &options);
        assert!(!debt.is_zero());
        assert!(quota.debt(now + debt, &options).is_zero());
    }

    #[test]
    fn what_is_refused_does_not_count_so_that_the_next_one_in_time_passes() {
        for excess in [Excess::Refuse, Excess::Close] {
            let (now, quota) = (crate::clock::now(), Quota::default());
            let options = options(excess);
            for _ in 0..5 {
                assert_eq!(quota.take(now, 1, &options), Ok(()));
            }
            for _ in 0..100 {
                let over = quota.take(now, 1, &options).unwrap_err();
                assert_eq!((over.until - now, over.excess), (milliseconds(100), excess));
            }
            assert_eq!(quota.take(now + milliseconds(100), 1, &options), Ok(()));
        }
    }

    #[test]
    fn who_is_gone_and_owes_nothing_is_forgotten() {
        let now = crate::clock::now();
        let quotas = Quotas::new(options(Excess::Slow));
        let options = quotas.options();
        let held = quotas.of(now, "here@b");
        for n in 0..100_000 {
            let quota = quotas.of(now + milliseconds(n), &format!("{n}@b"));
            quota.charge(now + milliseconds(n), 1, &options);
        }
        let kept = quotas
            .shards
            .iter()
            .map(|shard| shard.lock().unwrap().len());
        assert!(kept.sum::<usize>() < 2 * SHARDS * SPARE);
        assert!(Arc::ptr_eq(&held, &quotas.of(now, "here@b")));
    }
}
