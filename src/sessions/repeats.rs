//! Messages that come twice, because their sender could not know that they had come.
//!
//! A client whose session is lost sends again, in its next one, what was not acknowledged. So each
//! session remembers fingerprints of the messages that were handled for it, and when it is lost,
//! the sessions that its account binds afterwards look there. Two clients of one account that use
//! the same ids do not get into each other's way: a session repeats nothing that came after it was
//! bound, and nothing of a session that a stream carries or that its client closed.

use super::{EndReason, Session, SessionId, Sessions};
use crate::stanza::address::BareJid;
use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

#[cfg(test)]
mod tests;

/// How many lost sessions of one account are remembered; the oldest is forgotten first.
const MAX_LOST_PER_ACCOUNT: usize = 16;

/// How many ended sessions of all accounts are remembered; the oldest is forgotten first.
const MAX_ENDED: usize = 10_000;

/// How long a session that ended is remembered.
const ENDED_KEPT: Duration = Duration::from_secs(60 * 60);

/// How a message that was handled came.
#[derive(Debug, Clone, Copy)]
struct Origin {
    /// How many sessions its account had bound when it came.
    binds: u64,
    /// The same session sent the like before: its ids tell nothing, and it is none of a repeat.
    is_common: bool,
}

/// Some messages, oldest first. What each new one is compared with stands apart, so that it is
/// compared with many at a time.
#[derive(Debug, Default)]
struct Messages {
    fingerprints: VecDeque<u64>,
    origins: VecDeque<Origin>,
}

impl Messages {
    fn push(&mut self, fingerprint: u64, origin: Origin) {
        self.fingerprints.push_back(fingerprint);
        self.origins.push_back(origin);
    }

    fn remove(&mut self, at: usize) {
        self.fingerprints.remove(at);
        self.origins.remove(at);
    }

    /// The first of this fingerprint that is `wanted`.
    fn position(&self, fingerprint: u64, wanted: impl Fn(&Origin) -> bool) -> Option<usize> {
        if !self.holds(fingerprint) {
            return None;
        }
        let mut all = self.fingerprints.iter().zip(&self.origins);
        all.position(|(other, origin)| *other == fingerprint && wanted(origin))
    }

    /// Looks at all of them, since to stop at one would be slower.
    fn holds(&self, fingerprint: u64) -> bool {
        let (front, back) = self.fingerprints.as_slices();
        let is_in = |some: &[u64]| {
            some.iter()
                .fold(false, |is_in, one| is_in | (*one == fingerprint))
        };
        is_in(front) | is_in(back)
    }
}

/// The last messages of one session. Takes no memory before the first one.
#[derive(Debug, Default)]
struct Handled(Mutex<Messages>);

impl Handled {
    fn remember(&self, fingerprint: u64, binds: u64, window: usize) {
        let mut messages = lock(&self.0);
        let like = messages.position(fingerprint, |_| true);
        if let Some(at) = like {
            messages.remove(at);
        }
        while messages.origins.len() >= window.max(1) {
            messages.remove(0);
        }
        let is_common = like.is_some();
        messages.push(fingerprint, Origin { binds, is_common });
    }

    /// Forgets one message of this fingerprint that came before the bind of this number.
    fn take(&self, fingerprint: u64, before: u64) -> bool {
        let mut messages = lock(&self.0);
        let is_telling = |origin: &Origin| origin.binds < before && !origin.is_common;
        let found = messages.position(fingerprint, is_telling);
        if let Some(at) = found {
            messages.remove(at);
        }
        found.is_some()
    }

    fn is_empty(&self) -> bool {
        lock(&self.0).origins.is_empty()
    }
}

/// What the sessions of one account share.
#[derive(Debug, Default)]
struct Account {
    binds: AtomicU64,
    /// How many are in `lost`: as long as there is none, nobody takes the lock.
    count: AtomicUsize,
    lost: Mutex<VecDeque<(SessionId, Arc<Handled>)>>,
}

impl Account {
    fn add(&self, id: SessionId, handled: &Arc<Handled>) {
        let mut lost = lock(&self.lost);
        if handled.is_empty() || lost.iter().any(|(other, _)| *other == id) {
            return;
        }
        if lost.len() == MAX_LOST_PER_ACCOUNT {
            lost.pop_front();
        }
        lost.push_back((id, handled.clone()));
        self.count.store(lost.len(), Ordering::Release);
    }

    fn remove(&self, id: SessionId) {
        if self.has_none() {
            return;
        }
        let mut lost = lock(&self.lost);
        lost.retain(|(other, _)| *other != id);
        self.count.store(lost.len(), Ordering::Release);
    }

    fn has_none(&self) -> bool {
        self.count.load(Ordering::Acquire) == 0
    }

    fn take(&self, fingerprint: u64, before: u64) -> bool {
        if self.has_none() {
            return false;
        }
        let lost = lock(&self.lost);
        lost.iter()
            .any(|(_, handled)| handled.take(fingerprint, before))
    }
}

/// The part of one session in this.
#[derive(Debug)]
pub(super) struct Repeats {
    account: Arc<Account>,
    /// The number of its bind; 0 is before all others.
    bound: AtomicU64,
    handled: Arc<Handled>,
}

impl Repeats {
    fn new(account: Arc<Account>) -> Self {
        let bound = account.binds.fetch_add(1, Ordering::Relaxed) + 1;
        Self {
            account,
            bound: AtomicU64::new(bound),
            handled: Arc::default(),
        }
    }

    fn binds(&self) -> u64 {
        self.account.binds.load(Ordering::Relaxed)
    }
}

impl Session {
    /// The fingerprints of the messages that were handled for it, oldest first: what
    /// [`Session::restore_recent`] wants when the session comes back in another process.
    pub fn recent(&self) -> Vec<u64> {
        let messages = lock(&self.repeats.handled.0);
        let all = messages.fingerprints.iter().zip(&messages.origins);
        let telling = all.filter(|(_, origin)| !origin.is_common);
        telling.map(|(fingerprint, _)| *fingerprint).collect()
    }

    /// Gives a session that comes back from the store its memory. It counts as lost until it is
    /// claimed, and repeats nothing of other sessions itself.
    pub fn restore_recent(&self, fingerprints: Vec<u64>) {
        let repeats = &self.repeats;
        repeats.bound.store(0, Ordering::Relaxed);
        let origin = Origin {
            binds: repeats.binds(),
            is_common: false,
        };
        *lock(&repeats.handled.0) = Messages {
            origins: fingerprints.iter().map(|_| origin).collect(),
            fingerprints: fingerprints.into(),
        };
        repeats.account.add(self.id(), &repeats.handled);
    }

    /// The message was refused in the end: its client may send it again.
    pub fn forget_message(&self, fingerprint: u64) {
        self.repeats.handled.take(fingerprint, u64::MAX);
    }

    /// Its stream is gone: others of its account may repeat what it sent.
    pub(super) fn expose_messages(&self) {
        self.repeats.account.add(self.id(), &self.repeats.handled);
    }

    /// It has a stream again, or its client has no reason to send anything again.
    pub(super) fn withdraw_messages(&self) {
        self.repeats.account.remove(self.id());
    }
}

impl Sessions {
    /// Whether messages are remembered at all.
    pub fn remembers_messages(&self) -> bool {
        self.repeat_window() > 0
    }

    /// Takes note of a message. Returns whether it was handled before, for a session of the same
    /// account that is lost: then it must not be delivered.
    ///
    /// Each first copy excuses one second copy. Cost while no session of the account is lost: an
    /// uncontended lock.
    pub fn note_message(&self, session: &Session, fingerprint: u64) -> bool {
        let repeats = &session.repeats;
        let bound = repeats.bound.load(Ordering::Relaxed);
        let is_repeat = repeats.account.take(fingerprint, bound);
        let handled = &repeats.handled;
        handled.remember(fingerprint, repeats.binds(), self.repeat_window());
        is_repeat
    }

    /// A message was refused long after it was taken, and nobody knows which session has sent it.
    pub fn forget_message(&self, account: &BareJid, fingerprint: u64) {
        let sessions = self.of_account(account.as_str());
        let mut here = sessions.iter().map(|session| &session.repeats.handled);
        if !here.any(|handled| handled.take(fingerprint, u64::MAX)) {
            let ended = lock(&self.ended_messages).of(account);
            ended.map(|ended| ended.take(fingerprint, u64::MAX));
        }
    }

    /// The part of a session that is being bound. `sibling`: one that its account has.
    pub(super) fn repeats(&self, account: &BareJid, sibling: Option<&Arc<Session>>) -> Repeats {
        let shared = sibling.map(|sibling| sibling.repeats.account.clone());
        let ended = || lock(&self.ended_messages).of(account);
        Repeats::new(shared.or_else(ended).unwrap_or_default())
    }

    /// A session is over. If it was lost, its account can bind others that repeat its messages.
    pub(super) fn keep_messages(&self, session: &Session, reason: EndReason, now: Instant) {
        if !is_loss(reason) || !self.remembers_messages() {
            return session.withdraw_messages();
        }
        session.expose_messages();
        if !session.repeats.handled.is_empty() {
            lock(&self.ended_messages).add(session, now);
        }
    }
}

/// Whether a client whose session ended so may send again what was not acknowledged.
fn is_loss(reason: EndReason) -> bool {
    match reason {
        // A client that leaves in order is done, and one that is turned away stays away.
        EndReason::Closed | EndReason::Revoked | EndReason::Removed => false,
        EndReason::LinkLost
        | EndReason::Expired
        | EndReason::AccessExpired
        | EndReason::TooManyHibernating
        | EndReason::Conflict
        | EndReason::Overflow
        | EndReason::Memory
        | EndReason::StreamError
        | EndReason::Shutdown => true,
    }
}

/// Accounts whose ended sessions are remembered, whether they have others or not.
#[derive(Debug, Default)]
pub(super) struct EndedMessages {
    /// With how many of `oldest_first` are of the account.
    accounts: HashMap<BareJid, (Arc<Account>, usize)>,
    oldest_first: VecDeque<(Instant, BareJid, SessionId)>,
}

impl EndedMessages {
    fn of(&self, account: &BareJid) -> Option<Arc<Account>> {
        self.accounts.get(account).map(|(shared, _)| shared.clone())
    }

    fn add(&mut self, session: &Session, now: Instant) {
        let jid = session.account().clone();
        let shared = || (session.repeats.account.clone(), 0);
        let (_, count) = self.accounts.entry(jid.clone()).or_insert_with(shared);
        *count += 1;
        self.oldest_first.push_back((now, jid, session.id()));
        if self.oldest_first.len() > MAX_ENDED {
            self.forget_oldest();
        }
    }

    /// How many accounts, and how many sessions.
    #[cfg(test)]
    pub(super) fn len(&self) -> (usize, usize) {
        (self.accounts.len(), self.oldest_first.len())
    }

    /// Forgets what was kept long enough.
    pub(super) fn expire(&mut self, now: Instant) {
        let due = |(ended, ..): &(Instant, _, _)| *ended + ENDED_KEPT <= now;
        while self.oldest_first.front().is_some_and(due) {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        let Some((_, jid, id)) = self.oldest_first.pop_front() else {
            return;
        };
        let Some((account, count)) = self.accounts.get_mut(&jid) else {
            return;
        };
        account.remove(id);
        *count -= 1;
        if *count == 0 {
            self.accounts.remove(&jid);
        }
    }
}

/// Nothing under these locks panics; a poisoned one would still guard a whole value.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
