//! How fast newcomers are let in, and who goes first.
//!
//! Three things are told apart, at the two places where they show:
//!
//! 1. *At the door*, an upgrade or the creation of a BOSH session: over
//!    `limits.new_connections_per_second` it gets 503 with `Retry-After`. A request does not say
//!    whether its client will resume a session, and one that said so could not be believed. But the
//!    server knows from where it lost clients whose sessions wait: as many as were lost from an
//!    address may come back from it through the half of the burst that is closed to everybody else.
//!    So in a storm those who come back are let in first, and no client has to know of it.
//! 2. *After authentication* it is certain: `<resume/>` is served at once, and a login, which reads
//!    roster and store and tells contacts, waits for its turn by `limits.logins_per_second`.
//!
//! One address has a tenth of the first rate, and one account a tenth of the second, so that nobody
//! alone can keep all others out.

use super::peer::Peer;
use crate::rate::{Meter, Meters, Rate};
use crate::stanza::{Condition, StanzaError};
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The rates of newcomers, from `[limits]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DoorOptions {
    /// `limits.new_connections_per_second`, `limits.new_connections_burst`
    pub connections: Rate,
    /// `limits.logins_per_second`, `limits.logins_burst`
    pub logins: Rate,
}

impl DoorOptions {
    /// Everybody comes in at once.
    pub const UNLIMITED: Self = Self {
        connections: Rate::UNLIMITED,
        logins: Rate::UNLIMITED,
    };
}

/// One address, or one account, has a part in so many of a rate.
const SHARES: u64 = 10;

/// How long a login may wait for its turn. One that would wait for longer is refused at once with
/// `resource-constraint`.
const LOGIN_PATIENCE: Duration = Duration::from_secs(10);

/// The longest `Retry-After`, in seconds.
const RETRY_AFTER_MAX: u64 = 30;

/// Most addresses that clients are expected back from. At the bound those whose time is over are
/// forgotten; if there are none, a further one counts as a stranger.
const EXPECTED_MAX: usize = 65_536;

/// How often the operator is told that newcomers are turned away.
const WARNING_INTERVAL: Duration = Duration::from_secs(10);

/// Come back in so many seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryAfter(pub u64);

/// The server cannot take the login in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct TooManyLogins;

/// Who is at the door.
#[derive(Debug, Clone, Copy)]
pub struct Newcomer {
    address: IpAddr,
    /// It stands for itself, so that it has a share and no more: not a machine that many share, as
    /// a proxy is which tells nothing of its clients.
    is_one: bool,
}

impl Newcomer {
    /// The other end of a request.
    pub fn of(peer: &Peer) -> Self {
        let tells_nothing = peer.proxied && peer.address == peer.socket;
        Self {
            address: subscriber(peer.ip()),
            is_one: !tells_nothing && !peer.ip().is_loopback(),
        }
    }
}

/// The door that all ports and both transports share.
#[derive(Debug)]
pub struct Door(Mutex<Inner>);

#[derive(Debug)]
struct Inner {
    options: DoorOptions,
    connections: Meter,
    by_address: Meters<IpAddr>,
    logins: Meter,
    by_account: Meters<Box<str>>,
    /// Those who were told to come back, as far as there has not been time for them since.
    turned_away: Meter,
    expected: HashMap<IpAddr, Expected>,
    warned_at: Option<Instant>,
}

/// Clients that may come back to their sessions.
#[derive(Debug)]
struct Expected {
    count: u32,
    /// When the last of these sessions expires.
    until: Instant,
}

impl Door {
    /// A door nobody has come through.
    pub fn new(options: DoorOptions) -> Self {
        Self(Mutex::new(Inner {
            options,
            connections: Meter::default(),
            by_address: Meters::default(),
            logins: Meter::default(),
            by_account: Meters::default(),
            turned_away: Meter::default(),
            expected: HashMap::new(),
            warned_at: None,
        }))
    }

    /// Other rates from now on.
    pub fn set_options(&self, options: DoorOptions) {
        self.lock().options = options;
    }

    /// A session waits until then for its client, who was here last.
    pub fn expect(&self, now: Instant, address: IpAddr, until: Instant) {
        self.lock().expect(now, subscriber(address), until);
    }

    /// Asks for one more stream.
    ///
    /// # Errors
    ///
    /// [`RetryAfter`], of which each has another, so that they do not come back together.
    pub fn admit(&self, now: Instant, who: Newcomer) -> Result<(), RetryAfter> {
        let random = crate::random::bits() as u64;
        let admitted = self.lock().admit(now, who, random);
        if let Err(RetryAfter(seconds)) = admitted {
            tracing::debug!(address = %who.address, seconds, "a newcomer is turned away");
        }
        admitted
    }

    /// How long a login of this account has to wait for its turn, which is taken by this.
    ///
    /// # Errors
    ///
    /// The answer to one that would have to wait too long.
    pub fn login_turn(&self, now: Instant, account: &str) -> Result<Duration, StanzaError> {
        let turn = self.lock().login_turn(now, account);
        match turn {
            Ok(wait) if wait.is_zero() => {}
            Ok(wait) => tracing::debug!(account, ?wait, "a login waits for its turn"),
            Err(TooManyLogins) => {
                tracing::info!(account, "a login is refused: too many wait");
            }
        }
        turn.map_err(|TooManyLogins| {
            let error = StanzaError::from(Condition::ResourceConstraint);
            error.with_text("too many log in at present")
        })
    }

    /// What the soak counts.
    #[cfg(test)]
    pub(crate) fn census(&self) -> Vec<crate::census::Count> {
        let inner = self.lock();
        vec![
            inner.by_address.census("addresses at the door"),
            inner.by_account.census("accounts at the door"),
            crate::census::Count::memory(
                "addresses expected back",
                inner.expected.len(),
                EXPECTED_MAX,
            ),
        ]
    }

    /// Nothing under this lock panics; a poisoned one would still guard a whole value.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn admit(&mut self, now: Instant, who: Newcomer, random: u64) -> Result<(), RetryAfter> {
        let rate = self.options.connections;
        if !self.has_room(now, who) {
            self.warn(now);
            return Err(self.retry_after(now, random));
        }
        self.connections.charge(now, rate, 1);
        if who.is_one {
            let share = rate.share(SHARES);
            self.by_address.charge(now, who.address, share, 1);
        }
        self.note_return(now, who.address);
        Ok(())
    }

    fn has_room(&self, now: Instant, who: Newcomer) -> bool {
        let rate = self.options.connections;
        let of_strangers = Rate {
            burst: rate.burst - rate.burst / 2,
            ..rate
        };
        let share = rate.share(SHARES);
        let has_share = !who.is_one || self.by_address.wait(now, &who.address, share, 1).is_zero();
        if has_share && self.connections.wait(now, of_strangers, 1).is_zero() {
            return true;
        }
        self.is_expected(now, who.address) && self.connections.wait(now, rate, 1).is_zero()
    }

    /// Somewhere within the time in which all who were turned away lately can be let in.
    fn retry_after(&mut self, now: Instant, random: u64) -> RetryAfter {
        let rate = Rate {
            burst: 0,
            ..self.options.connections
        };
        self.turned_away.charge(now, rate, 1);
        let window = self.turned_away.wait(now, rate, 0).as_secs() + 1;
        RetryAfter(1 + random % window.min(RETRY_AFTER_MAX))
    }

    fn warn(&mut self, now: Instant) {
        let lately = |at| now.saturating_duration_since(at) < WARNING_INTERVAL;
        if !self.warned_at.is_some_and(lately) {
            self.warned_at = Some(now);
            let per_second = self.options.connections.per_second;
            tracing::warn!(per_second, "newcomers are turned away: too many at once");
        }
    }

    fn expect(&mut self, now: Instant, address: IpAddr, until: Instant) {
        if self.expected.len() >= EXPECTED_MAX && !self.expected.contains_key(&address) {
            self.expected.retain(|_, expected| expected.until > now);
            if self.expected.len() >= EXPECTED_MAX {
                return;
            }
        }
        let expected = self.expected.entry(address);
        let expected = expected.or_insert(Expected { count: 0, until });
        expected.count = expected.count.saturating_add(1);
        expected.until = expected.until.max(until);
    }

    fn is_expected(&self, now: Instant, address: IpAddr) -> bool {
        let expected = self.expected.get(&address);
        expected.is_some_and(|expected| expected.until > now)
    }

    /// One fewer is expected from there, whoever it was.
    fn note_return(&mut self, now: Instant, address: IpAddr) {
        let Some(expected) = self.expected.get_mut(&address) else {
            return;
        };
        expected.count -= 1;
        if expected.count == 0 || expected.until <= now {
            self.expected.remove(&address);
        }
    }

    /// How long a login waits. Each stands behind those that came before it.
    fn login_turn(&mut self, now: Instant, account: &str) -> Result<Duration, TooManyLogins> {
        let rate = self.options.logins;
        let share = rate.share(SHARES);
        let account = Box::from(account);
        let of_all = self.logins.wait(now, rate, 1);
        let of_account = self.by_account.wait(now, &account, share, 1);
        let wait = of_all.max(of_account);
        if wait > LOGIN_PATIENCE {
            return Err(TooManyLogins);
        }
        self.logins.charge(now, rate, 1);
        self.by_account.charge(now, account, share, 1);
        Ok(wait)
    }
}

/// What one subscriber has: an IPv4 address, or a /64 of IPv6.
fn subscriber(address: IpAddr) -> IpAddr {
    const NETWORK: u128 = !(u64::MAX as u128);
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.into(),
        IpAddr::V6(v6) if v6.is_loopback() => v6.into(),
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & NETWORK).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn door() -> Inner {
        let rate = Rate {
            per_second: 100,
            burst: 100,
        };
        let door = Door::new(DoorOptions {
            connections: rate,
            logins: rate,
        });
        door.0.into_inner().unwrap()
    }

    fn somebody(n: u8) -> Newcomer {
        Newcomer {
            address: [192, 0, 2, n].into(),
            is_one: true,
        }
    }

    fn crowd() -> Newcomer {
        Newcomer {
            is_one: false,
            ..somebody(0)
        }
    }

    /// How many of so many get in now.
    fn admitted(door: &mut Inner, now: Instant, who: Newcomer, tries: usize) -> usize {
        let tries = 0..tries;
        tries.filter(|_| door.admit(now, who, 0).is_ok()).count()
    }

    #[test]
    fn half_of_the_burst_gets_in_at_once_and_the_rest_at_the_rate() {
        let (mut now, mut door) = (crate::clock::now(), door());
        assert_eq!(admitted(&mut door, now, crowd(), 1000), 50);
        now += Duration::from_millis(100);
        assert_eq!(admitted(&mut door, now, crowd(), 1000), 10);
        now += Duration::from_secs(60);
        assert_eq!(admitted(&mut door, now, crowd(), 1000), 50);
    }

    #[test]
    fn who_lost_its_link_comes_back_before_those_who_never_were_here() {
        let (mut now, mut door) = (crate::clock::now(), door());
        for _ in 0..60 {
            door.expect(now, somebody(1).address, now + Duration::from_secs(600));
        }
        assert_eq!(admitted(&mut door, now, crowd(), 1000), 50);
        assert_eq!(admitted(&mut door, now, somebody(1), 1000), 50);
        // While some are still to come back, nobody else takes the place that time gives.
        now += Duration::from_millis(100);
        assert_eq!(admitted(&mut door, now, crowd(), 1000), 0);
        assert_eq!(admitted(&mut door, now, somebody(1), 1000), 10);
        // All are back: the address has no privilege any more.
        now += Duration::from_millis(500);
        assert_eq!(admitted(&mut door, now, somebody(1), 1000), 0);
    }

    #[test]
    fn an_expired_session_opens_no_door() {
        let (now, mut door) = (crate::clock::now(), door());
        door.expect(now, somebody(1).address, now);
        admitted(&mut door, now, crowd(), 1000);
        assert_eq!(admitted(&mut door, now, somebody(1), 9), 0);
    }

    #[test]
    fn one_address_has_a_tenth_and_leaves_the_rest_to_others() {
        let (now, mut door) = (crate::clock::now(), door());
        for n in 0..5 {
            assert_eq!(admitted(&mut door, now, somebody(n), 1000), 10);
        }
        assert_eq!(admitted(&mut door, now, somebody(5), 1000), 0);
    }

    #[test]
    fn those_turned_away_are_spread_over_the_time_that_they_take() {
        let (now, mut door) = (crate::clock::now(), door());
        admitted(&mut door, now, crowd(), 50);
        let refused = |door: &mut Inner, random| door.admit(now, crowd(), random).unwrap_err().0;
        assert_eq!(refused(&mut door, u64::MAX), 1);
        let longest = (0..1000).map(|random| refused(&mut door, random)).max();
        assert!(longest >= Some(10), "{longest:?}");
        let longest = (0..100_000).map(|random| refused(&mut door, random)).max();
        assert_eq!(longest, Some(RETRY_AFTER_MAX));
    }

    #[test]
    fn logins_stand_in_line_and_a_line_too_long_is_refused() {
        let (now, mut door) = (crate::clock::now(), door());
        let mut turn = |n: u32| door.login_turn(now, &format!("{n}@b"));
        for n in 0..100 {
            assert_eq!(turn(n), Ok(Duration::ZERO));
        }
        for n in 1..=1000 {
            assert_eq!(turn(100 + n), Ok(Duration::from_millis(10) * n));
        }
        assert_eq!(turn(2000), Err(TooManyLogins));
        let later = now + Duration::from_secs(20);
        assert_eq!(door.login_turn(later, "a@b"), Ok(Duration::ZERO));
    }

    #[test]
    fn one_account_that_logs_in_again_and_again_holds_up_itself_alone() {
        let (now, mut door) = (crate::clock::now(), door());
        while door.login_turn(now, "a@b").is_ok() {}
        let other = door.login_turn(now, "c@d");
        assert!(
            other.is_ok_and(|wait| wait < Duration::from_secs(2)),
            "{other:?}"
        );
    }

    #[test]
    fn without_bounds_nobody_waits() {
        let door = Door::new(DoorOptions::UNLIMITED);
        let (now, mut door) = (crate::clock::now(), door.0.into_inner().unwrap());
        assert_eq!(admitted(&mut door, now, somebody(1), 1000), 1000);
        for _ in 0..1000 {
            assert_eq!(door.login_turn(now, "a@b"), Ok(Duration::ZERO));
        }
    }
}
