//! Sessions by `sid`, and how many there are.

use super::BoshHttpOptions;
use super::front::Request;
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use tokio::sync::{mpsc, watch};

/// How many shards the map has; a power of two.
const SHARDS: usize = 64;

crate::random::unguessable! {
    /// Names a session: 128 random bits (XEP-0124 §7.2, §19.3).
    pub(super) struct Sid;
}

/// The way to the task of a session.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    /// Bounded: what does not fit is refused, and its sender comes again.
    pub requests: mpsc::Sender<Request>,
    /// Its client has logged in, so that bigger bodies are let in.
    pub is_authenticated: Arc<AtomicBool>,
    /// Its creation request came over a private link; the others have to, as well.
    pub is_private: bool,
}

/// Every BOSH session. The map is keyed at random, so that nobody can choose where a `sid` falls.
#[derive(Debug)]
pub(super) struct Directory {
    hasher: RandomState,
    shards: Box<[RwLock<HashMap<Sid, Entry>>]>,
    strangers: Mutex<Strangers>,
    total: watch::Sender<usize>,
}

/// Sessions whose client has not logged in.
#[derive(Debug, Default)]
struct Strangers {
    total: usize,
    by_address: HashMap<IpAddr, usize>,
}

impl Default for Directory {
    fn default() -> Self {
        Self {
            hasher: RandomState::new(),
            shards: (0..SHARDS).map(|_| RwLock::default()).collect(),
            strangers: Mutex::default(),
            total: watch::Sender::new(0),
        }
    }
}

impl Directory {
    /// The session of a `sid` that a client named.
    pub fn find(&self, sid: &str) -> Option<Entry> {
        let sid = Sid::parse(sid)?;
        let shard = self.shard(sid).read();
        let shard = shard.unwrap_or_else(PoisonError::into_inner);
        shard.get(&sid).cloned()
    }

    /// A place for one more session; `None` when a bound is reached.
    pub fn seat(self: &Arc<Self>, address: IpAddr, options: &BoshHttpOptions) -> Option<Seat> {
        let stranger = self.stranger(address, options)?;
        let has_room = self.total.send_if_modified(|total| {
            let has_room = *total < options.max_sessions;
            *total += usize::from(has_room);
            has_room
        });
        // From here on the seat gives back what was counted.
        has_room.then(|| Seat {
            directory: self.clone(),
            sid: Sid::random(),
            is_authenticated: Arc::default(),
            stranger: Some(stranger),
        })
    }

    pub fn len(&self) -> usize {
        *self.total.borrow()
    }

    /// What the soak counts.
    #[cfg(test)]
    pub fn census(&self) -> Vec<crate::census::Count> {
        use crate::census::Count;
        let found = self.shards.iter().map(|shard| {
            let shard = shard.read();
            shard.unwrap_or_else(PoisonError::into_inner).len()
        });
        let strangers = self.strangers();
        vec![
            Count::live("BOSH sessions", self.len()),
            Count::live("BOSH sessions to be found", found.sum()),
            Count::live("BOSH strangers", strangers.total),
            Count::live("addresses of these", strangers.by_address.len()),
        ]
    }

    pub async fn drained(&self) {
        // An error would mean that the sender, which is ours, is gone.
        let _ = self.total.subscribe().wait_for(|total| *total == 0).await;
    }

    fn stranger(self: &Arc<Self>, address: IpAddr, options: &BoshHttpOptions) -> Option<Stranger> {
        let mut strangers = self.strangers();
        let of_address = strangers.by_address.get(&address).copied().unwrap_or(0);
        let has_room = strangers.total < options.max_sessions_before_login
            && of_address < options.max_sessions_before_login_of_one_address;
        has_room.then(|| {
            strangers.total += 1;
            strangers.by_address.insert(address, of_address + 1);
            Stranger {
                directory: self.clone(),
                address,
            }
        })
    }

    fn shard(&self, sid: Sid) -> &RwLock<HashMap<Sid, Entry>> {
        &self.shards[self.hasher.hash_one(sid) as usize % SHARDS]
    }

    /// Nothing under these locks panics; a poisoned one would still guard a whole value.
    fn strangers(&self) -> MutexGuard<'_, Strangers> {
        self.strangers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// The place of one session. Dropping it frees the place.
#[derive(Debug)]
pub(super) struct Seat {
    directory: Arc<Directory>,
    sid: Sid,
    is_authenticated: Arc<AtomicBool>,
    stranger: Option<Stranger>,
}

impl Seat {
    pub fn sid(&self) -> Sid {
        self.sid
    }

    /// From now on requests find the session.
    pub fn enter(&self, requests: mpsc::Sender<Request>, is_private: bool) {
        let entry = Entry {
            requests,
            is_authenticated: self.is_authenticated.clone(),
            is_private,
        };
        self.write_shard(|shard| {
            shard.insert(self.sid, entry);
        });
    }

    /// From now on they do not.
    pub fn leave(&self) {
        self.write_shard(|shard| {
            shard.remove(&self.sid);
        });
    }

    /// The client has logged in.
    pub fn on_authenticated(&mut self) {
        if self.stranger.take().is_some() {
            self.is_authenticated.store(true, Ordering::Release);
        }
    }

    fn write_shard(&self, change: impl FnOnce(&mut HashMap<Sid, Entry>)) {
        let shard = self.directory.shard(self.sid).write();
        change(&mut shard.unwrap_or_else(PoisonError::into_inner));
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.leave();
        self.directory.total.send_modify(|total| *total -= 1);
    }
}

/// Counts one session before its login.
#[derive(Debug)]
struct Stranger {
    directory: Arc<Directory>,
    address: IpAddr,
}

impl Drop for Stranger {
    fn drop(&mut self) {
        let mut strangers = self.directory.strangers();
        strangers.total -= 1;
        if let Some(count) = strangers.by_address.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                strangers.by_address.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
    const THERE: IpAddr = IpAddr::V6(std::net::Ipv6Addr::LOCALHOST);

    fn options() -> BoshHttpOptions {
        BoshHttpOptions {
            max_sessions: 4,
            max_sessions_before_login: 3,
            max_sessions_before_login_of_one_address: 2,
            ..BoshHttpOptions::default()
        }
    }

    /// B-05
    #[test]
    fn sid_is_read_as_it_was_written_and_in_no_other_way() {
        let sid = Sid::random();
        let text = sid.to_string();
        assert_eq!(Sid::parse(&text), Some(sid));
        assert_ne!(Sid::random(), sid);
        for other in [
            &text[1..],
            &format!("{text}0"),
            &format!("+{}", &text[1..]),
            "",
        ] {
            assert_eq!(Sid::parse(other), None, "{other}");
        }
        assert_eq!(Sid::parse(&"AB".repeat(16)), None);
    }

    #[test]
    fn session_is_found_from_when_it_enters_until_it_leaves() {
        let directory = Arc::new(Directory::default());
        let seat = directory.seat(HERE, &options()).unwrap();
        let sid = seat.sid().to_string();
        assert!(directory.find(&sid).is_none());
        let (requests, _requests_to_come) = mpsc::channel(1);
        seat.enter(requests, true);
        assert!(directory.find(&sid).is_some_and(|entry| entry.is_private));
        seat.leave();
        assert!(directory.find(&sid).is_none());
        assert_eq!(directory.len(), 1);
    }

    #[test]
    fn every_bound_holds_and_every_place_comes_back() {
        let directory = Arc::new(Directory::default());
        let seat = |address| directory.seat(address, &options());
        let mut seats = vec![seat(HERE).unwrap(), seat(HERE).unwrap()];
        assert!(seat(HERE).is_none(), "the share of one address");
        seats.push(seat(THERE).unwrap());
        assert!(seat(THERE).is_none(), "all before login");
        seats[0].on_authenticated();
        seats[0].on_authenticated();
        seats.push(seat(HERE).unwrap());
        assert!(seat(THERE).is_none(), "all before login, again");
        seats[1].on_authenticated();
        assert!(seat(THERE).is_none(), "all");
        assert_eq!(directory.len(), 4);
        seats.clear();
        assert_eq!(directory.len(), 0);
        let strangers = directory.strangers();
        assert_eq!((strangers.total, strangers.by_address.len()), (0, 0));
    }
}
