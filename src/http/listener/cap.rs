//! How many connections there may be: in all, and from one address.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How many connections may be open at once. Clones share the count.
#[derive(Debug, Clone)]
pub struct ConnectionCap {
    slots: Arc<Semaphore>,
    /// Connections that are being told to come back later; beyond them they are just closed.
    refusals: Arc<Semaphore>,
    addresses: Arc<Addresses>,
    max: usize,
    max_per_address: usize,
}

impl ConnectionCap {
    /// A cap of `max` connections, at most 2^29, all of which one address may take.
    pub fn new(max: usize) -> Self {
        let max = max.min(CONNECTIONS_LIMIT);
        Self {
            slots: Arc::new(Semaphore::new(max)),
            refusals: Arc::new(Semaphore::new(REFUSALS_AT_ONCE)),
            addresses: Arc::default(),
            max,
            max_per_address: max,
        }
    }

    /// The same, of which one address may take `max` connections.
    ///
    /// An address is that of the socket, or the one that a trusted proxy named by the PROXY
    /// protocol. Connections of trusted proxies that name nobody by it are not counted: each may
    /// carry the requests of many. IPv6 addresses of one /64 count as one, since that is what a
    /// single subscriber has.
    pub fn with_per_address(self, max: usize) -> Self {
        Self {
            max_per_address: max,
            ..self
        }
    }

    /// How many connections are open now, upgraded ones included.
    pub fn open(&self) -> usize {
        self.max.saturating_sub(self.slots.available_permits())
    }

    /// A place for a connection, which is given back when it is dropped; `None`: there is none.
    pub(super) fn slot(&self) -> Option<Slot> {
        let permit = self.slots.clone().try_acquire_owned().ok()?;
        Some(Slot {
            _permit: permit,
            share: None,
        })
    }

    /// Counts the connection of `slot` as one of `address`. `false`: it has too many.
    #[must_use]
    pub(super) fn assign(&self, slot: &mut Slot, address: IpAddr) -> bool {
        slot.share = self.addresses.share(address, self.max_per_address);
        slot.share.is_some()
    }

    /// Leave to say why a connection is refused; `None`: too many are being told already.
    pub(super) fn refusal(&self) -> Option<OwnedSemaphorePermit> {
        self.refusals.clone().try_acquire_owned().ok()
    }
}

/// The place of one connection under a [`ConnectionCap`].
#[derive(Debug)]
pub(super) struct Slot {
    _permit: OwnedSemaphorePermit,
    /// `None` until its address is known, and for that of a proxy.
    share: Option<Share>,
}

/// The connections of each address. Bounded by the number of slots.
#[derive(Debug, Default)]
struct Addresses(Mutex<HashMap<IpAddr, usize>>);

impl Addresses {
    fn share(self: &Arc<Self>, address: IpAddr, max: usize) -> Option<Share> {
        let key = subscriber(address);
        let mut counts = self.lock();
        let count = counts.get(&key).copied().unwrap_or(0);
        if count >= max {
            return None;
        }
        counts.insert(key, count + 1);
        Some(Share {
            addresses: self.clone(),
            key,
        })
    }

    /// Nothing under this lock panics; a poisoned one would still guard a whole map.
    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts one connection of an address until it is dropped.
#[derive(Debug)]
struct Share {
    addresses: Arc<Addresses>,
    key: IpAddr,
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut counts = self.addresses.lock();
        if let Some(count) = counts.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.key);
            }
        }
    }
}

/// What one subscriber has: an IPv4 address, or a /64 of IPv6.
fn subscriber(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.into(),
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & SUBSCRIBER_MASK).into(),
    }
}

const SUBSCRIBER_MASK: u128 = !(u64::MAX as u128);
const REFUSALS_AT_ONCE: usize = 64;
const CONNECTIONS_LIMIT: usize = 1 << 29;

#[cfg(test)]
mod tests {
    use super::*;

    fn connect(cap: &ConnectionCap, address: &str) -> Option<Slot> {
        let mut slot = cap.slot()?;
        cap.assign(&mut slot, address.parse().unwrap())
            .then_some(slot)
    }

    #[test]
    fn one_address_takes_its_share_and_others_theirs() {
        let cap = ConnectionCap::new(3).with_per_address(2);
        let first = connect(&cap, "192.0.2.1").unwrap();
        let _second = connect(&cap, "::ffff:192.0.2.1").unwrap();
        assert!(connect(&cap, "192.0.2.1").is_none());
        assert_eq!(cap.open(), 2, "what is refused takes no place");
        let other = connect(&cap, "192.0.2.2").unwrap();
        assert!(connect(&cap, "192.0.2.3").is_none(), "all places are taken");
        drop((first, other));
        assert!(connect(&cap, "192.0.2.1").is_some());
    }

    #[test]
    fn addresses_of_one_ipv6_network_share() {
        let cap = ConnectionCap::new(9).with_per_address(1);
        let _slot = connect(&cap, "2001:db8:0:1::1").unwrap();
        assert!(connect(&cap, "2001:db8:0:1:ffff::2").is_none());
        assert!(connect(&cap, "2001:db8:0:2::1").is_some());
    }

    #[test]
    fn nothing_is_kept_of_addresses_that_left() {
        let cap = ConnectionCap::new(9).with_per_address(1);
        drop(connect(&cap, "192.0.2.1"));
        assert!(cap.addresses.lock().is_empty());
    }
}
