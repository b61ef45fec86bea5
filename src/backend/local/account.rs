//! Accounts in use: their rosters, and who may change what at a time.

use super::lock;
use crate::sessions::Session;
use crate::stanza::ByteString;
use crate::stanza::address::BareJid;
use crate::store::{PendingRequest, RosterChange, RosterItem, Store, StoreError, StoredRoster};
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::task::Poll;
use tokio::sync::Notify;

/// The accounts in use. Each is here once, so that its locks mean something.
#[derive(Debug, Default)]
pub(super) struct Accounts {
    in_use: Mutex<HashMap<BareJid, Weak<Account>>>,
}

impl Accounts {
    /// The account of an address, whether it exists or not: nothing is looked up.
    pub(super) fn open(self: &Arc<Self>, jid: &BareJid) -> Arc<Account> {
        let mut in_use = lock(&self.in_use);
        if let Some(account) = in_use.get(jid).and_then(Weak::upgrade) {
            return account;
        }
        let account = Arc::new(Account::new(jid.clone(), Arc::downgrade(self)));
        in_use.insert(jid.clone(), Arc::downgrade(&account));
        account
    }

    fn close(&self, jid: &BareJid) {
        let mut in_use = lock(&self.in_use);
        // Somebody may have opened it anew.
        if in_use
            .get(jid)
            .is_some_and(|account| account.strong_count() == 0)
        {
            in_use.remove(jid);
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        lock(&self.in_use).len()
    }
}

/// An account in use.
#[derive(Debug)]
pub(super) struct Account {
    pub(super) jid: BareJid,
    /// `None` until it is loaded.
    roster: Mutex<Option<Roster>>,
    /// Held while the roster is loaded or changed: one change at a time, pushes in their order.
    pub(super) turn: tokio::sync::Mutex<()>,
    /// Held by whoever stores a message for the account, hands stored ones over, or becomes
    /// available, so that none is stored behind the back of a session. Only the store is waited
    /// for under it, never a client.
    pub(super) gate: Arc<tokio::sync::Mutex<()>>,
    /// Whether stored messages are being handed over; changes under the gate.
    draining: AtomicBool,
    /// A session became available while they are.
    arrival: Notify,
    home: Weak<Accounts>,
}

/// The roster of an account in use.
#[derive(Debug, Default)]
pub(super) struct Roster {
    pub(super) version: String,
    pub(super) items: BTreeMap<BareJid, RosterItem>,
    /// Requests without an answer, oldest first.
    pub(super) pending: Vec<PendingRequest>,
}

impl Account {
    fn new(jid: BareJid, home: Weak<Accounts>) -> Self {
        Self {
            jid,
            roster: Mutex::default(),
            turn: tokio::sync::Mutex::default(),
            gate: Arc::default(),
            draining: AtomicBool::new(false),
            arrival: Notify::new(),
            home,
        }
    }

    /// Loads the roster unless it is here. Returns whether there is such an account.
    pub(super) async fn load(&self, store: &dyn Store) -> Result<bool, StoreError> {
        if lock(&self.roster).is_some() {
            return Ok(true);
        }
        let _turn = self.turn.lock().await;
        if lock(&self.roster).is_some() {
            return Ok(true);
        }
        let Some(stored) = store.roster(&self.jid).await? else {
            return Ok(false);
        };
        *lock(&self.roster) = Some(Roster::from(stored));
        Ok(true)
    }

    /// Gives an account that the store does not know an empty roster.
    pub(super) fn load_nothing(&self) {
        lock(&self.roster).get_or_insert_default();
    }

    /// Looks at the roster; at an empty one while it is not loaded.
    pub(super) fn with_roster<T>(&self, look: impl FnOnce(&Roster) -> T) -> T {
        match &*lock(&self.roster) {
            Some(roster) => look(roster),
            None => look(&Roster::default()),
        }
    }

    /// Changes the roster in the store and then here. The caller holds [`Account::turn`].
    /// Returns its version.
    pub(super) async fn change(
        &self,
        store: &dyn Store,
        change: RosterChange,
    ) -> Result<String, StoreError> {
        let version = store.change_roster(&self.jid, change.clone()).await?;
        if let Some(roster) = &mut *lock(&self.roster) {
            roster.apply(change);
            roster.version.clone_from(&version);
        }
        Ok(version)
    }

    /// The account was deleted.
    pub(super) fn forget(&self) {
        *lock(&self.roster) = Some(Roster::default());
    }

    /// Whether stored messages are being handed over: what is sent now is stored behind them.
    pub(super) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }

    /// A session becomes available; the caller holds the gate. `None`: a hand-over is going on,
    /// and goes on to this session, too.
    pub(super) fn begin_draining(self: &Arc<Self>) -> Option<Draining> {
        if self.draining.swap(true, Ordering::AcqRel) {
            self.arrival.notify_one();
            return None;
        }
        Some(Draining(self.clone()))
    }

    /// Waits until one of these sessions has room or is over, or another one becomes available.
    pub(super) async fn room(&self, sessions: &[Arc<Session>]) {
        let room = std::future::poll_fn(|cx| {
            // All of them, so that each knows whom to wake.
            let ready = sessions.iter().filter(|one| one.poll_room(cx).is_ready());
            match ready.count() {
                0 => Poll::Pending,
                _ => Poll::Ready(()),
            }
        });
        tokio::select! {
            biased;
            () = room => {}
            () = self.arrival.notified() => {}
        }
    }
}

/// A hand-over of stored messages; to be dropped under the gate.
#[derive(Debug)]
pub(super) struct Draining(pub(super) Arc<Account>);

impl Drop for Draining {
    fn drop(&mut self) {
        self.0.draining.store(false, Ordering::Release);
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        if let Some(home) = self.home.upgrade() {
            home.close(&self.jid);
        }
    }
}

impl Roster {
    fn apply(&mut self, change: RosterChange) {
        for contact in change.remove {
            self.items.remove(&contact);
        }
        self.items
            .extend(change.put.into_iter().map(|item| (item.jid.clone(), item)));
        self.pending
            .retain(|request| !change.settle.contains(&request.from));
        for request in change.ask {
            if self.request_of(&request.from).is_none() {
                self.pending.push(request);
            }
        }
    }

    /// The request of somebody that has no answer yet.
    pub(super) fn request_of(&self, from: &BareJid) -> Option<&ByteString> {
        self.pending
            .iter()
            .find(|request| request.from == *from)
            .map(|request| &request.stanza)
    }
}

impl From<StoredRoster> for Roster {
    fn from(stored: StoredRoster) -> Self {
        let items = stored
            .items
            .into_iter()
            .map(|item| (item.jid.clone(), item))
            .collect();
        Self {
            version: stored.version,
            items,
            pending: stored.pending,
        }
    }
}
