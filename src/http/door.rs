//! How fast newcomers are let in, and who goes first.
//!
//! Three things are told apart, at the two places where they show:
//!
//! 1. *At the door*, an upgrade or the creation of a BOSH session: over
//!    `limits.new_connections_per_second` it gets 503 with `Retry-After`. A request does not say
//!    whether its client will resume a session, and one that said so could not be believed. But the
//!    server knows from where it lost clients whose sessions wait: as many as were lost from an
//!    address may come back from it through the half of the burst that is closed to everybody else.
//!    So in a storm those who come back are let in first, and no client has to know of it. After a
//!    restart it knows how many sessions wait and not where their clients are: as many may come
//!    through that half from anywhere.
//! 2. *After authentication* it is certain: `<resume/>` is served at once, and a login, which reads
//!    roster and store and tells contacts, waits for its turn by `limits.logins_per_second`.
//!
//! One address has a tenth of the first rate, and one account a tenth of the second, so that nobody
//! alone can keep all others out. Those who come back to one address, which many may share, have a
//! quarter of the first rate.

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

/// Those who come back to one address have a part in so many: more than newcomers, as a whole house
/// may have lost its link, and never all.
const SHARES_OF_RETURNS: u64 = 4;

/// A link that is lost sooner after a resumption makes nobody expected: who comes back and goes in
/// turn has no better way in than others. A login has paid with a turn.
const STEADY_AFTER: Duration = Duration::from_secs(10);

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

    /// Somebody behind a proxy that names no client.
    #[cfg(test)]
    pub(crate) fn unnamed(address: IpAddr) -> Self {
        Self {
            address,
            is_one: false,
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
    returns_by_address: Meters<IpAddr>,
    logins: Meter,
    by_account: Meters<Box<str>>,
    /// Those who were told to come back, as far as there has not been time for them since.
    turned_away: Meter,
    expected: HashMap<IpAddr, Expected>,
    /// From wherever they come: their sessions are older than this process.
    expected_anywhere: Option<Expected>,
    warned_at: Option<Instant>,
}

/// Clients that may come back to their sessions.
#[derive(Debug)]
struct Expected {
    count: usize,
    /// When the last of these sessions expires.
    until: Instant,
}

impl Expected {
    fn is_over(&self, now: Instant) -> bool {
        self.count == 0 || self.until <= now
    }
}

/// A link that was lost, and whose session waits.
#[derive(Debug, Clone, Copy)]
pub struct Lost {
    /// Where its client was.
    pub address: IpAddr,
    /// When the client came back over it, if it did.
    pub resumed_at: Option<Instant>,
    /// When the session expires.
    pub until: Instant,
}

/// How somebody gets in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// Through the half of the burst that is open to everybody.
    Open,
    /// Through the other half, as a client was lost from there.
    Expected,
    /// Through the other half, as sessions wait whose clients may be anywhere.
    ExpectedAnywhere,
}

impl Door {
    /// A door nobody has come through.
    pub fn new(options: DoorOptions) -> Self {
        Self(Mutex::new(Inner {
            options,
            connections: Meter::default(),
            by_address: Meters::default(),
            returns_by_address: Meters::default(),
            logins: Meter::default(),
            by_account: Meters::default(),
            turned_away: Meter::default(),
            expected: HashMap::new(),
            expected_anywhere: None,
            warned_at: None,
        }))
    }

    /// Other rates from now on.
    pub fn set_options(&self, options: DoorOptions) {
        self.lock().options = options;
    }

    /// A session waits for its client.
    pub fn expect(&self, now: Instant, lost: Lost) {
        self.lock().expect(now, lost);
    }

    /// So many sessions of the last process wait, until then at most, for clients that may come
    /// from anywhere.
    pub fn expect_anywhere(&self, count: usize, until: Instant) {
        self.lock().expect_anywhere(count, until);
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
        let Some(way) = self.way_in(now, who) else {
            self.warn(now);
            return Err(self.retry_after(now, random));
        };
        self.charge(now, who, way);
        match (way, &mut self.expected_anywhere) {
            (Way::ExpectedAnywhere, Some(expected)) => {
                expected.count = expected.count.saturating_sub(1);
            }
            _ => self.note_return(now, who.address),
        }
        Ok(())
    }

    fn way_in(&self, now: Instant, who: Newcomer) -> Option<Way> {
        let rate = self.options.connections;
        let of_strangers = Rate {
            burst: rate.burst - rate.burst / 2,
            ..rate
        };
        let has_share = |meters: &Meters<IpAddr>, shares| {
            let share = rate.share(shares);
            !who.is_one || meters.wait(now, &who.address, share, 1).is_zero()
        };
        let has_room = |rate| self.connections.wait(now, rate, 1).is_zero();
        if has_share(&self.by_address, SHARES) && has_room(of_strangers) {
            return Some(Way::Open);
        }
        let way = self.expected_way(now, who.address)?;
        let may_return = has_share(&self.returns_by_address, SHARES_OF_RETURNS) && has_room(rate);
        may_return.then_some(way)
    }

    /// What everybody takes counts for the share of strangers, so that no address has both shares.
    fn charge(&mut self, now: Instant, who: Newcomer, way: Way) {
        let rate = self.options.connections;
        self.connections.charge(now, rate, 1);
        if !who.is_one {
            return;
        }
        let share = rate.share(SHARES);
        self.by_address.charge(now, who.address, share, 1);
        if way != Way::Open {
            let share = rate.share(SHARES_OF_RETURNS);
            self.returns_by_address.charge(now, who.address, share, 1);
        }
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

    fn expect(&mut self, now: Instant, lost: Lost) {
        let lately = |at| now.saturating_duration_since(at) < STEADY_AFTER;
        if lost.resumed_at.is_some_and(lately) {
            return;
        }
        let (address, until) = (subscriber(lost.address), lost.until);
        if self.expected.len() >= EXPECTED_MAX && !self.expected.contains_key(&address) {
            self.expected.retain(|_, expected| !expected.is_over(now));
            if self.expected.len() >= EXPECTED_MAX {
                return;
            }
        }
        let expected = self.expected.entry(address);
        let expected = expected.or_insert(Expected { count: 0, until });
        expected.count = expected.count.saturating_add(1);
        expected.until = expected.until.max(until);
    }

    fn expect_anywhere(&mut self, count: usize, until: Instant) {
        self.expected_anywhere = Some(Expected { count, until });
    }

    fn expected_way(&self, now: Instant, address: IpAddr) -> Option<Way> {
        let waits = |expected: Option<&Expected>| expected.is_some_and(|it| !it.is_over(now));
        if waits(self.expected.get(&address)) {
            return Some(Way::Expected);
        }
        waits(self.expected_anywhere.as_ref()).then_some(Way::ExpectedAnywhere)
    }

    /// One fewer is expected from there, whoever it was.
    fn note_return(&mut self, now: Instant, address: IpAddr) {
        let Some(expected) = self.expected.get_mut(&address) else {
            return;
        };
        expected.count = expected.count.saturating_sub(1);
        if expected.is_over(now) {
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
mod tests;
