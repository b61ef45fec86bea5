//! Slows down who guesses passwords, without locking out whom they guess at.

use std::{
    collections::{BTreeMap, HashMap, hash_map::RandomState},
    hash::BuildHasher,
    net::{IpAddr, Ipv6Addr},
    time::{Duration, Instant},
};

/// How hard guessing is slowed down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ThrottleLimits {
    /// Failures of one account from one address that cost nothing; default 3.
    pub free_failures: u32,
    /// Failures from one address, whatever the account, that cost nothing; default 20, as an office
    /// or a mobile network may share one address.
    pub address_free_failures: u32,
    /// Failures of one account, wherever from, that cost nothing; default 10.
    pub account_free_failures: u32,
    /// Delay after the first failure that is not free; it doubles with each further one.
    /// Default 500 ms.
    pub base: Duration,
    /// Longest delay for one address; default 15 s.
    pub cap: Duration,
    /// Longest delay that an account suffers for failures from elsewhere; default 2 s. Low, because
    /// strangers can cause it and its owner has to sit it out.
    pub account_cap: Duration,
    /// Time without a failure after which earlier ones are forgotten; default 10 min.
    pub forget_after: Duration,
    /// Most counters kept; default 65,536, about 10 MiB. Each failure touches three. At the bound
    /// the counter whose last failure is oldest goes.
    pub counters_max: usize,
}

impl Default for ThrottleLimits {
    fn default() -> Self {
        Self {
            free_failures: 3,
            address_free_failures: 20,
            account_free_failures: 10,
            base: Duration::from_millis(500),
            cap: Duration::from_secs(15),
            account_cap: Duration::from_secs(2),
            forget_after: Duration::from_secs(600),
            counters_max: 65_536,
        }
    }
}

/// Counts failed logins and says how long the next one has to wait.
///
/// An attempt counts as a failure from its beginning and until it succeeds, so attempts that are
/// made at once stand behind each other.
///
/// Three counts run side by side, and the longest wait of the three holds: of the account from this
/// address, of the address, and of the account from anywhere. Only the first two grow to the full
/// cap, and both need failures from that very address; so a stranger elsewhere can make an owner
/// wait [`account_cap`](ThrottleLimits::account_cap) and no longer, however much they guess.
///
/// An IPv6 address counts as its /64, which is what one subscriber holds. Time is an argument.
/// A wait runs from the beginning of the last attempt that failed or has not succeeded yet.
#[derive(Debug)]
pub struct Throttle {
    limits: ThrottleLimits,
    counters: HashMap<Key, Counter>,
    /// Keys by last failure, oldest first. Invariant: one entry for each counter.
    by_age: BTreeMap<Age, Key>,
    /// Tells counters apart that failed in the same instant.
    failures_seen: u64,
    /// Names are kept as keyed hashes, so a counter's size does not depend on what a peer sent.
    hasher: RandomState,
}

type Key = u64;
type Age = (Instant, u64);

#[derive(Debug)]
struct Counter {
    /// Attempts that have not succeeded.
    failures: u32,
    /// When the last of them began.
    age: Age,
}

/// What is counted.
#[derive(Hash)]
enum Subject<'a> {
    AccountFromAddress(&'a str, IpAddr),
    Address(IpAddr),
    Account(&'a str),
}

impl Throttle {
    /// A throttle that has seen no failure.
    pub fn new(limits: ThrottleLimits) -> Self {
        Self {
            limits,
            counters: HashMap::new(),
            by_age: BTreeMap::new(),
            failures_seen: 0,
            hasher: RandomState::new(),
        }
    }

    /// Begins an attempt at `account` from `address`, which then counts as a failure until
    /// [`Throttle::on_success`] or [`Throttle::take_back`].
    ///
    /// `account` is the prepared name, of an account that exists or not: both count alike. `waited`
    /// is how long this attempt was held back already: what strangers do makes it wait for
    /// [`account_cap`](ThrottleLimits::account_cap) in all. Cost: O(log counters).
    ///
    /// # Errors
    ///
    /// How long to hold the attempt back before it is begun anew. Nothing is counted then, so that
    /// who gives up while waiting makes nobody wait longer.
    pub fn begin(
        &mut self,
        now: Instant,
        waited: Duration,
        account: &str,
        address: IpAddr,
    ) -> Result<(), Duration> {
        let delay = self.delay_after(now, waited, account, address);
        if !delay.is_zero() {
            return Err(delay);
        }
        self.count_attempt(now, account, address);
        Ok(())
    }

    fn delay_after(
        &self,
        now: Instant,
        waited: Duration,
        account: &str,
        address: IpAddr,
    ) -> Duration {
        let limits = &self.limits;
        let [pair, of_address, of_account] = subjects(account, network(address));
        let of_pair = self.wait(now, &pair, limits.free_failures, limits.cap);
        let free = limits.address_free_failures;
        let of_address = self.wait(now, &of_address, free, limits.cap);
        let free = limits.account_free_failures;
        let of_account = self.wait(now, &of_account, free, limits.account_cap);
        let left = limits.account_cap.saturating_sub(waited);
        of_pair.max(of_address).max(of_account.min(left))
    }

    fn count_attempt(&mut self, now: Instant, account: &str, address: IpAddr) {
        self.forget_old(now);
        for subject in subjects(account, network(address)) {
            self.count(now, &subject);
        }
    }

    /// The attempt succeeded: forgets the failures of this account from this address, and of others
    /// only the attempt itself: an attacker must not clear their address by logging in to an
    /// account of their own.
    pub fn on_success(&mut self, account: &str, address: IpAddr) {
        let [pair, of_address, of_account] = subjects(account, network(address));
        let key = self.key(&pair);
        if let Some(counter) = self.counters.remove(&key) {
            self.by_age.remove(&counter.age);
        }
        self.discount(&of_address);
        self.discount(&of_account);
    }

    /// The attempt came to an end that says nothing of the password.
    pub fn take_back(&mut self, account: &str, address: IpAddr) {
        for subject in subjects(account, network(address)) {
            self.discount(&subject);
        }
    }

    /// Counters kept at present; at most [`ThrottleLimits::counters_max`].
    pub fn counters(&self) -> usize {
        self.counters.len()
    }

    fn key(&self, subject: &Subject<'_>) -> Key {
        self.hasher.hash_one(subject)
    }

    fn wait(&self, now: Instant, subject: &Subject<'_>, free: u32, cap: Duration) -> Duration {
        let Some(counter) = self.counters.get(&self.key(subject)) else {
            return Duration::ZERO;
        };
        let since = now.saturating_duration_since(counter.age.0);
        if since >= self.limits.forget_after {
            return Duration::ZERO;
        }
        self.penalty(counter.failures, free, cap)
            .saturating_sub(since)
    }

    fn penalty(&self, failures: u32, free: u32, cap: Duration) -> Duration {
        match failures.saturating_sub(free) {
            0 => Duration::ZERO,
            // 2^31 times any sensible base is over any cap.
            excess => self
                .limits
                .base
                .saturating_mul(1 << (excess - 1).min(31))
                .min(cap),
        }
    }

    fn count(&mut self, now: Instant, subject: &Subject<'_>) {
        let key = self.key(subject);
        self.failures_seen += 1;
        let age = (now, self.failures_seen);
        let counter = self
            .counters
            .entry(key)
            .or_insert(Counter { failures: 0, age });
        self.by_age.remove(&counter.age);
        counter.failures = counter.failures.saturating_add(1);
        counter.age = age;
        self.by_age.insert(age, key);
        if self.counters.len() > self.limits.counters_max {
            self.drop_oldest();
        }
    }

    fn discount(&mut self, subject: &Subject<'_>) {
        let key = self.key(subject);
        let Some(counter) = self.counters.get_mut(&key) else {
            return;
        };
        counter.failures = counter.failures.saturating_sub(1);
        if counter.failures == 0
            && let Some(counter) = self.counters.remove(&key)
        {
            self.by_age.remove(&counter.age);
        }
    }

    fn forget_old(&mut self, now: Instant) {
        while let Some((age, _)) = self.by_age.first_key_value()
            && now.saturating_duration_since(age.0) >= self.limits.forget_after
        {
            self.drop_oldest();
        }
    }

    fn drop_oldest(&mut self) {
        if let Some((_, key)) = self.by_age.pop_first() {
            self.counters.remove(&key);
        }
    }
}

impl Default for Throttle {
    fn default() -> Self {
        Self::new(ThrottleLimits::default())
    }
}

/// What an attempt counts for.
fn subjects(account: &str, address: IpAddr) -> [Subject<'_>; 3] {
    [
        Subject::AccountFromAddress(account, address),
        Subject::Address(address),
        Subject::Account(account),
    ]
}

/// The address as far as one subscriber holds it: IPv4 whole, IPv6 by its first 64 bits.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
    }
}

#[cfg(test)]
mod tests;
