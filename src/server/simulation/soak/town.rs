//! What guests and the process share: the disk, the options, the figures.

use super::house::House;
use super::link::Link;
use crate::config::{Config, Sources};
use crate::server::simulation::rng::Rng;
use crate::server::simulation::tables::Disk;
use crate::sessions::EndReason;
use crate::stanza::address::BareJid;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How long a session waits for its client.
pub(super) const RESUME_TIMEOUT_SECONDS: u64 = 300;

pub(super) struct Town {
    pub config: Config,
    pub disk: Disk,
    pub accounts: usize,
    /// From how many addresses guests come.
    addresses: u64,
    house: Mutex<Option<House>>,
    figures: Mutex<Figures>,
}

/// What happened so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Figures {
    /// Guests that are on their visit now.
    pub guests: usize,
    pub links: usize,
    pub turned_away: usize,
    pub wrong_passwords: usize,
    /// Sessions that were bound.
    pub sessions: usize,
    pub resumed: usize,
    pub resumed_by_other_transport: usize,
    pub not_resumed: usize,
    pub messages_sent: usize,
    pub messages_received: usize,
    /// How sessions ended, as the server says.
    pub ended: BTreeMap<&'static str, usize>,
    /// Stream errors that guests heard.
    pub errors: BTreeMap<String, usize>,
}

impl Town {
    pub fn new(accounts: usize, addresses: u64) -> Arc<Self> {
        let town = Self {
            config: config(),
            disk: Disk::default(),
            accounts,
            addresses,
            house: Mutex::default(),
            figures: Mutex::default(),
        };
        for account in 0..accounts {
            town.disk.add_account(town.jid(account));
        }
        Arc::new(town)
    }

    pub fn jid(&self, account: usize) -> BareJid {
        let jid = format!("user{account}@example.org");
        jid.parse().expect("an address")
    }

    /// How many messages are stored for those who are not here.
    pub fn stored_messages(&self) -> usize {
        let accounts = 0..self.accounts;
        accounts.map(|one| self.disk.kept(&self.jid(one))).sum()
    }

    pub fn figures(&self) -> MutexGuard<'_, Figures> {
        lock(&self.figures)
    }

    pub fn on_ended(&self, reason: EndReason) {
        *self.figures().ended.entry(reason.as_str()).or_default() += 1;
    }

    pub fn set_house(&self, house: House) {
        *lock(&self.house) = Some(house);
    }

    pub fn take_house(&self) -> Option<House> {
        lock(&self.house).take()
    }

    /// Looks at the process, if there is one.
    pub fn with_house<T>(&self, look: impl FnOnce(&House) -> T) -> Option<T> {
        lock(&self.house).as_ref().map(look)
    }

    /// A link from any address; a third of them have IPv6.
    pub fn open_link(&self, is_bosh: bool, rng: &mut Rng) -> Option<Link> {
        let number = rng.between(1, self.addresses);
        let low = u32::try_from(number).unwrap_or(u32::MAX);
        let address: IpAddr = match number % 3 {
            // Within a subscriber's /64 any.
            0 => Ipv6Addr::from_bits((0x2001_0db8 << 96) | (u128::from(low) << 64) | 1).into(),
            _ => Ipv4Addr::from_bits(0x0a00_0000 + low).into(),
        };
        let from = SocketAddr::new(address, 4000);
        let link = self.with_house(|house| Link::open(house, is_bosh, from, rng))?;
        let mut figures = self.figures();
        figures.links += 1;
        figures.turned_away += usize::from(link.is_none());
        link
    }
}

fn config() -> Config {
    let set = [
        "domain=example.org".to_owned(),
        format!("sm.resume_timeout={RESUME_TIMEOUT_SECONDS}s"),
        "sm.max_hibernating_per_user=3".to_owned(),
        "limits.sessions_per_user=6".to_owned(),
        // So low that bursts and storms meet them.
        "limits.user_stanzas_per_second=5".to_owned(),
        "limits.user_stanzas_burst=20".to_owned(),
        "limits.new_connections_per_second=5".to_owned(),
        "limits.new_connections_burst=40".to_owned(),
        "limits.logins_per_second=5".to_owned(),
        "limits.logins_burst=20".to_owned(),
        "limits.offline_messages=50".to_owned(),
    ];
    let sources = Sources {
        set: set.to_vec(),
        ..Sources::default()
    };
    Config::load(&sources).expect("the options are good")
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
