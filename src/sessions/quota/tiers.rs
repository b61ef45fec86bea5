//! Tiers: the rates of those whom their admission or their endpoint puts into one.

use super::{Bill, Excess, Over, Quota, QuotaOptions, Quotas};
use crate::rate::Rate;
use crate::sessions::{Connection, Session, Transport};
use arc_swap::ArcSwap;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Who shares the rates of a tier (`tier.per`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SharedBy {
    /// The sessions of an account.
    User,
    /// Nobody.
    Session,
    /// The sessions from an address; IPv6 addresses of one /64 count as one.
    Address,
    /// The sessions of an endpoint.
    Endpoint,
}

/// So much in so long, and so much at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    /// In the long run, in each `per`; 0 is no bound. At most 2^36.
    pub amount: u64,
    /// A second to a day, in whole milliseconds.
    pub per: Duration,
    /// By whoever was silent before. At most 2^36.
    pub at_once: u64,
}

impl Allowance {
    /// No bound.
    pub const UNLIMITED: Self = Self {
        amount: 0,
        per: Duration::from_secs(1),
        at_once: 0,
    };

    /// As a rate of so many a second. They need not be whole, so each is counted as `grains`.
    fn rate(self) -> Rate {
        Rate {
            per_second: self.amount.saturating_mul(1000),
            burst: self.grains(self.at_once),
        }
    }

    fn grains(self, amount: u64) -> u64 {
        let each = u64::try_from(self.per.as_millis()).unwrap_or(u64::MAX);
        amount.saturating_mul(each)
    }
}

/// A `[tier.NAME]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TierOptions {
    /// Who shares the rates.
    pub shared_by: SharedBy,
    /// Stanzas alone count.
    pub stanzas: Allowance,
    /// Of the XML of stanzas.
    pub bytes: Allowance,
    /// What happens to what is over.
    pub excess: Excess,
}

impl TierOptions {
    fn has_rates_of(&self, other: &Self) -> bool {
        (self.stanzas, self.bytes) == (other.stanzas, other.bytes)
    }

    fn bill(&self, stanzas: u64, bytes: usize) -> Bill {
        let (of_stanzas, of_bytes) = (self.stanzas, self.bytes);
        Bill {
            stanzas: (of_stanzas.rate(), of_stanzas.grains(stanzas)),
            bytes: (of_bytes.rate(), of_bytes.grains(bytes as u64)),
        }
    }
}

/// How often a tier held somebody up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Throttled {
    /// Stanzas after which their sender had to wait.
    pub delayed: u64,
    /// Stanzas that were answered by an error.
    pub refused: u64,
    /// Streams that ended.
    pub closed: u64,
}

/// The same while it is counted.
#[derive(Debug, Default)]
struct Counters {
    delayed: AtomicU64,
    refused: AtomicU64,
    closed: AtomicU64,
}

#[derive(Debug)]
struct Tier {
    name: Box<str>,
    /// Another one for other rates: what is owed by the old ones is forgiven, as it is kept as a
    /// time, which no other rate makes shorter.
    edition: u64,
    options: TierOptions,
    counters: Arc<Counters>,
}

#[derive(Debug, Default)]
struct Table {
    tiers: HashMap<Box<str>, Arc<Tier>>,
    /// The tiers of endpoints, by the names of these.
    endpoints: HashMap<Box<str>, Box<str>>,
    /// That of clients over BOSH.
    bosh: Option<Box<str>>,
}

/// All tiers, and what those in them have left.
#[derive(Debug)]
pub struct Tiers {
    table: ArcSwap<Table>,
    /// By tier, its edition, and key.
    left: Quotas,
    editions: AtomicU64,
}

impl Default for Tiers {
    /// There are none.
    fn default() -> Self {
        Self {
            table: ArcSwap::default(),
            left: Quotas::new(QuotaOptions::UNLIMITED),
            editions: AtomicU64::new(0),
        }
    }
}

/// A place in a tier: of a session while one stream carries it.
#[derive(Debug)]
pub struct Seat {
    /// To tell when there are others.
    table: Arc<Table>,
    /// Boxed: most sessions are in no tier.
    taken: Option<Box<Taken>>,
}

#[derive(Debug)]
struct Taken {
    tier: Arc<Tier>,
    key: Box<str>,
    quota: Arc<Quota>,
}

impl Tiers {
    /// Other tiers from now on, for open sessions too. `endpoints` are those with a tier, by their
    /// names; `bosh` is the tier of clients over BOSH.
    pub fn set_options(
        &self,
        tiers: impl IntoIterator<Item = (String, TierOptions)>,
        endpoints: impl IntoIterator<Item = (String, String)>,
        bosh: Option<String>,
    ) {
        let former = self.table.load();
        let tier = |(name, options): (String, TierOptions)| {
            let name: Box<str> = name.into();
            let former = former.tiers.get(&name);
            let counters = former.map(|tier| tier.counters.clone());
            let unchanged = former.filter(|tier| tier.options.has_rates_of(&options));
            let tier = Tier {
                name: name.clone(),
                edition: unchanged.map_or_else(|| self.next_edition(), |tier| tier.edition),
                options,
                counters: counters.unwrap_or_default(),
            };
            (name, Arc::new(tier))
        };
        let endpoints = endpoints.into_iter();
        self.table.store(Arc::new(Table {
            tiers: tiers.into_iter().map(tier).collect(),
            endpoints: endpoints.map(|(at, of)| (at.into(), of.into())).collect(),
            bosh: bosh.map(Into::into),
        }));
    }

    fn next_edition(&self) -> u64 {
        self.editions.fetch_add(1, Ordering::Relaxed)
    }

    /// How often each tier held somebody up, since it is there; by their names.
    pub fn throttled(&self) -> Vec<(String, Throttled)> {
        let table = self.table.load();
        let of = |tier: &Arc<Tier>| {
            let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
            let counters = &tier.counters;
            let throttled = Throttled {
                delayed: count(&counters.delayed),
                refused: count(&counters.refused),
                closed: count(&counters.closed),
            };
            (tier.name.to_string(), throttled)
        };
        let mut all: Vec<_> = table.tiers.values().map(of).collect();
        all.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        all
    }

    /// The place of a session that this link carries: in the tier of its admission, or, if that names
    /// none that there is, of its endpoint, or in none.
    pub fn seat(&self, now: Instant, session: &Session, connection: &Connection) -> Seat {
        let table = self.table.load_full();
        let admission = session.admission();
        let admitted = admission
            .as_ref()
            .and_then(|admission| admission.tier.as_deref());
        let of_endpoint = match connection.transport {
            Transport::Bosh => table.bosh.as_deref(),
            Transport::WebSocket => table.endpoints.get(&*connection.endpoint).map(|of| &**of),
        };
        let mut names = admitted.into_iter().chain(of_endpoint);
        let tier = names.find_map(|name| table.tiers.get(name)).cloned();
        let taken = tier.map(|tier| {
            let key = key(tier.options.shared_by, session, connection);
            // No name has a line break.
            let quota = format!("{}\n{}\n{key}", tier.name, tier.edition);
            let quota = self.left.of(now, &quota);
            Taken { tier, key, quota }
        });
        let taken = taken.map(Box::new);
        Seat { table, taken }
    }

    /// Whether no other tiers came since the seat was taken.
    pub fn is_current(&self, seat: &Seat) -> bool {
        Arc::ptr_eq(&self.table.load(), &seat.table)
    }

    /// What the soak counts.
    #[cfg(test)]
    pub(crate) fn census(&self) -> crate::census::Count {
        crate::census::Count {
            what: "tiers",
            ..self.left.census()
        }
    }
}

fn key(shared_by: SharedBy, session: &Session, connection: &Connection) -> Box<str> {
    match shared_by {
        SharedBy::User => session.account().as_str().into(),
        SharedBy::Session => session.id().to_string().into(),
        SharedBy::Address => subscriber(connection.address).to_string().into(),
        SharedBy::Endpoint => (&*connection.endpoint).into(),
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

impl Seat {
    /// Counts one stanza of so many bytes.
    ///
    /// # Errors
    ///
    /// [`Over`]. What is to be slowed has been counted and is served: it is the next one that would
    /// come too early. What is to be refused or closed for has not.
    pub fn take(&self, now: Instant, bytes: usize) -> Result<(), Over> {
        let Some(Taken { tier, quota, .. }) = self.taken.as_deref() else {
            return Ok(());
        };
        let (options, counters) = (&tier.options, &tier.counters);
        let taken = match options.excess {
            Excess::Slow => {
                self.charge(now, bytes);
                match self.until(now) {
                    Some(until) => Err(Over {
                        until,
                        excess: Excess::Slow,
                    }),
                    None => Ok(()),
                }
            }
            excess => quota.take_bill(now, options.bill(1, bytes), excess),
        };
        let counter = match taken {
            Ok(()) => return taken,
            Err(over) => match over.excess {
                Excess::Slow => &counters.delayed,
                Excess::Refuse => &counters.refused,
                Excess::Close => &counters.closed,
            },
        };
        counter.fetch_add(1, Ordering::Relaxed);
        taken
    }

    /// Counts one stanza that is served although it is over.
    pub fn charge(&self, now: Instant, bytes: usize) {
        if let Some(Taken { tier, quota, .. }) = self.taken.as_deref() {
            quota.lock().charge(now, tier.options.bill(1, bytes));
        }
    }

    /// Until when the next stanza would be too early, if those in this tier are slowed.
    pub fn until(&self, now: Instant) -> Option<Instant> {
        let Taken { tier, quota, .. } = self.taken.as_deref()?;
        let is_slowed = tier.options.excess == Excess::Slow;
        let wait = quota.lock().wait(now, tier.options.bill(1, 0));
        (is_slowed && !wait.is_zero()).then(|| now + wait)
    }

    /// For the log: the tier, and the key that its rates are shared by.
    pub fn place(&self) -> Option<(&str, &str)> {
        let Taken { tier, key, .. } = self.taken.as_deref()?;
        Some((&tier.name, key))
    }
}

#[cfg(test)]
mod tests;
