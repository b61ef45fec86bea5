//! Accounts in use: their rosters, and who may change what at a time.

use super::lock;
use crate::sessions::Session;
use crate::stanza::ByteString;
use crate::stanza::address::BareJid;
use crate::store::{PendingRequest, RosterChange, RosterItem, Store, StoreError, StoredRoster};
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Weak};

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
    /// Held by whoever stores a message for the account or hands stored ones over, so that none
    /// is stored behind the back of a session that becomes available.
    pub(super) gate: Arc<tokio::sync::Mutex<()>>,
    /// Whether stored messages are being handed over; changes under the lock of `successor`.
    draining: AtomicBool,
    /// The session that came last while they are, and takes over if the one before it goes.
    successor: Mutex<Option<Arc<Session>>>,
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
            successor: Mutex::default(),
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

    /// Whether stored messages are being handed over: what is sent now waits for the gate.
    pub(super) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }

    /// A session is about to become available: it begins to get what is stored, or comes after
    /// the one that does.
    pub(super) async fn begin_draining(
        self: &Arc<Self>,
        session: &Arc<Session>,
    ) -> Option<Draining> {
        {
            let mut successor = lock(&self.successor);
            if self.draining.swap(true, Ordering::AcqRel) {
                *successor = Some(session.clone());
                return None;
            }
        }
        let mut draining = Draining {
            account: self.clone(),
            gate: None,
            ended: false,
        };
        draining.gate = Some(self.gate.clone().lock_owned().await);
        Some(draining)
    }
}

/// The hand-over of stored messages; while it lives, nothing passes the gate.
#[derive(Debug)]
pub(super) struct Draining {
    pub(super) account: Arc<Account>,
    gate: Option<tokio::sync::OwnedMutexGuard<()>>,
    ended: bool,
}

impl Draining {
    /// Who goes on; `None` ends the hand-over, so that the next session begins one of its own.
    pub(super) fn successor(&mut self) -> Option<Arc<Session>> {
        let mut successor = lock(&self.account.successor);
        let next = successor.take();
        if next.is_none() {
            self.ended = true;
            self.account.draining.store(false, Ordering::Release);
        }
        next
    }
}

impl Drop for Draining {
    fn drop(&mut self) {
        let mut successor = lock(&self.account.successor);
        // Once it has ended, the flag and the successor are those of the next one.
        if !self.ended {
            *successor = None;
            self.account.draining.store(false, Ordering::Release);
        }
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
