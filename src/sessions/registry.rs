//! The registry: sessions by account, by full address and by id; hibernation and resumption.

use super::groups::{Groups, JoinError};
use super::logins::EndedLogins;
use super::mailbox::{Amount, Bounds, Command};
use super::observer::Observers;
use super::recording::{self, Reunion};
use super::repeats::EndedMessages;
use super::session::{Carrier, EndReason, Ending, Session, SessionId};
use super::tombstones::Tombstones;
use crate::budget::Budget;
#[cfg(test)]
use crate::census::Count;
use crate::stanza::address::{BareJid, FullJid, Jid, account_of};
use crate::store::journal::{Journal, Record, SavedSession};
use crate::stream::Sm;
use std::collections::{BTreeSet, HashMap};
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

/// Bounds of the registry, from `[limits]` and `[sm]`.
#[derive(Debug, Clone)]
pub struct SessionsOptions {
    /// `limits.sessions_per_user`
    pub sessions_per_user: usize,
    /// `limits.send_queue`: the soft bound of a mailbox while a stream carries the session.
    pub send_queue: usize,
    /// `limits.send_queue_bytes`: the same in bytes.
    pub send_queue_bytes: usize,
    /// `sm.max_unacked`: the bound of unacked queue and mailbox together while it hibernates.
    pub max_unacked: usize,
    /// `sm.max_hibernating_per_user`
    pub max_hibernating_per_user: usize,
    /// `sm.repeat_window`: how many messages a session remembers; 0: none are.
    pub repeat_window: usize,
}

/// The hard bound of a mailbox is so many times its soft one: senders are slowed at the soft
/// bound, and each of them may have had one stanza more on its way.
const HARD_OVER_SOFT: usize = 16;

/// How long a stream may take to let go of a session that another stream resumes.
const HAND_OVER_TIMEOUT: Duration = Duration::from_secs(10);

/// How long an order to let go is waited for before it is given again.
const ORDER_INTERVAL: Duration = Duration::from_secs(1);

/// How many shards the maps have; a power of two.
const SHARDS: usize = 64;

type Shard<K, V> = RwLock<HashMap<K, V>>;
type Shards<K, V> = Box<[Shard<K, V>]>;

/// Who is here.
#[derive(Debug)]
pub struct Sessions {
    options: arc_swap::ArcSwap<SessionsOptions>,
    hasher: RandomState,
    by_account: Shards<Box<str>, Vec<Arc<Session>>>,
    by_id: Shards<SessionId, Arc<Session>>,
    expiries: Mutex<BTreeSet<(Instant, SessionId)>>,
    tombstones: Mutex<Tombstones>,
    pub(super) groups: Groups,
    ended_logins: Mutex<EndedLogins>,
    journal: Option<Arc<Journal>>,
    pub(super) budget: Arc<Budget>,
    pub(super) ended_messages: Mutex<EndedMessages>,
    /// The highest number that copies of the last process had.
    last_copies: AtomicU64,
    pub(super) observers: Observers,
}

/// What came of asking for a resource.
#[derive(Debug)]
pub enum Bind {
    /// The session is here.
    Bound(Arc<Session>),
    /// This one holds the resource. [`Sessions::end`] it, await [`Sessions::gone`], ask again.
    Occupied(Arc<Session>),
    /// The account is at `limits.sessions_per_user`; its oldest hibernating session, if any, may
    /// be ended to make room.
    TooMany(Option<Arc<Session>>),
}

/// A session that goes on under a new stream.
#[derive(Debug)]
pub struct Claimed {
    /// The session.
    pub session: Arc<Session>,
    /// Its stream management.
    pub sm: Box<Sm>,
}

/// Why a session cannot be resumed: `item-not-found` whatever it is (XEP-0198 §5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClaimError {
    /// How much of the client's stanzas the session handled, if that is still known.
    pub h: Option<u32>,
    /// For the operator; the client does not hear of it.
    pub cause: ClaimFailure,
}

/// What is in the way of a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClaimFailure {
    /// This account has no such session, and had none lately.
    Unknown,
    /// The session is over.
    Over,
    /// The stream that carries it did not let go of it in time.
    NotLetGo,
}

impl ClaimError {
    const UNKNOWN: Self = Self {
        h: None,
        cause: ClaimFailure::Unknown,
    };
}

impl Sessions {
    /// An empty registry.
    pub fn new(options: SessionsOptions) -> Self {
        Self::with_journal(options, None)
    }

    /// An empty registry that records what happens to its sessions, as it happens.
    pub fn with_journal(options: SessionsOptions, journal: Option<Arc<Journal>>) -> Self {
        Self {
            journal,
            budget: Budget::unlimited(),
            options: arc_swap::ArcSwap::from_pointee(options),
            hasher: RandomState::new(),
            by_account: (0..SHARDS).map(|_| Shard::default()).collect(),
            by_id: (0..SHARDS).map(|_| Shard::default()).collect(),
            expiries: Mutex::default(),
            tombstones: Mutex::default(),
            groups: Groups::default(),
            ended_logins: Mutex::default(),
            ended_messages: Mutex::default(),
            last_copies: AtomicU64::new(0),
            observers: Observers::default(),
        }
    }

    /// Other bounds from now on; mailboxes take them up when their session next changes hands.
    pub fn set_options(&self, options: SessionsOptions) {
        self.options.store(Arc::new(options));
    }

    pub(super) fn repeat_window(&self) -> usize {
        self.options.load().repeat_window
    }

    /// The open sessions of an account, in the order in which they were bound.
    pub fn of_account(&self, account: &str) -> Vec<Arc<Session>> {
        self.of_account_where(account, |_| true)
    }

    /// Those among them that are `wanted`. Cost where there is none: a look at each.
    pub fn of_account_where(
        &self,
        account: &str,
        mut wanted: impl FnMut(&Session) -> bool,
    ) -> Vec<Arc<Session>> {
        let shard = read(self.account_shard(account));
        let all = shard.get(account).map_or(&[][..], Vec::as_slice);
        let wanted = all
            .iter()
            .filter(|session| wanted(session) && session.is_open());
        wanted.cloned().collect()
    }

    /// The open session at a full address.
    pub fn at(&self, jid: &Jid) -> Option<Arc<Session>> {
        let resource = jid.resource()?;
        let account = account_of(jid);
        let shard = read(self.account_shard(account));
        let found = shard
            .get(account)?
            .iter()
            .find(|session| session.jid().resource() == resource)?;
        found.is_open().then(|| found.clone())
    }

    /// The session of an id, open or about to go.
    pub fn by_id(&self, id: SessionId) -> Option<Arc<Session>> {
        read(self.id_shard(id)).get(&id).cloned()
    }

    /// Every open session, in the order of their ids. Cost: O(sessions); for the operator, not for
    /// routing.
    pub fn all(&self) -> Vec<Arc<Session>> {
        let shards = self.by_id.iter();
        let mut all: Vec<_> = shards
            .flat_map(|shard| read(shard).values().cloned().collect::<Vec<_>>())
            .filter(|session| session.is_open())
            .collect();
        all.sort_unstable_by_key(|session| session.id());
        all
    }

    /// How many sessions there are, hibernating ones included.
    pub fn len(&self) -> usize {
        self.by_id.iter().map(|shard| read(shard).len()).sum()
    }

    /// Whether nobody is here.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Puts a session into a group. Returns whether it was not in before.
    ///
    /// # Errors
    ///
    /// [`JoinError`]
    pub fn join(&self, group: &str, id: SessionId) -> Result<bool, JoinError> {
        let session = self.by_id(id).ok_or(JoinError::NoSuchSession)?;
        self.groups.join(group, &session)
    }

    /// Takes a session out of a group. Returns whether it was in.
    pub fn leave(&self, group: &str, id: SessionId) -> bool {
        self.by_id(id)
            .is_some_and(|session| self.groups.leave(group, &session))
    }

    /// The groups that somebody is in, by name, with how many.
    pub fn groups(&self) -> Vec<(Arc<str>, usize)> {
        self.groups.sizes()
    }

    /// A login at the web application is over: sessions that come for it later end at once
    /// ([`Sessions::is_login_over`]). Those that are here are the caller's to end.
    pub fn end_login(&self, key: &str) {
        lock(&self.ended_logins).remember(key);
    }

    /// Whether a login is over. So many of the last ones are known; see `ENDED_LOGINS_MAX`.
    pub fn is_login_over(&self, key: &str) -> bool {
        lock(&self.ended_logins).contains(key)
    }

    /// How many sessions hibernate.
    pub fn hibernating(&self) -> usize {
        lock(&self.expiries).len()
    }

    /// Asks for a resource (RFC 6120 §7.7).
    pub fn bind(&self, jid: FullJid) -> Bind {
        let options = self.options.load();
        let account: Box<str> = account_of(&jid).into();
        let _unit = self.journal.as_ref().map(|journal| journal.unit());
        let mut shard = write(self.account_shard(&account));
        let sessions = shard.entry(account).or_default();
        if let Some(holder) = sessions.iter().find(|session| *session.jid() == jid) {
            return Bind::Occupied(holder.clone());
        }
        if sessions.len() >= options.sessions_per_user {
            return Bind::TooMany(oldest_hibernating(sessions).cloned());
        }
        let repeats = self.repeats(&jid.to_bare(), sessions.first());
        let session = Arc::new(Session::new(
            SessionId::random(),
            jid,
            attached_bounds(&options),
            self.journal.clone(),
            repeats,
            &self.budget,
        ));
        session.record(|id| Record::Bound {
            session: id,
            jid: session.jid().clone(),
        });
        sessions.push(session.clone());
        write(self.id_shard(session.id())).insert(session.id(), session.clone());
        Bind::Bound(session)
    }

    /// Claims the session that `previd` names for a new stream of the same account, over the same
    /// `subprotocol` (as in [`Connection`](super::Connection)): what waits to be sent once more is
    /// in its words.
    ///
    /// If a stream still carries it, that stream is told to let go, with `conflict`. Two claims
    /// of one session are served one after the other.
    ///
    /// # Errors
    ///
    /// [`ClaimError`]: no such session, not of this account or subprotocol, not resumable, its
    /// admission has ended, or its stream does not let go within ten seconds. Its owner notices
    /// nothing of a claim by somebody else.
    pub async fn claim(
        &self,
        previd: &str,
        account: &BareJid,
        subprotocol: Option<&str>,
    ) -> Result<Claimed, ClaimError> {
        let Some(id) = SessionId::parse(previd) else {
            return Err(ClaimError::UNKNOWN);
        };
        let deadline = tokio::time::Instant::now() + HAND_OVER_TIMEOUT;
        loop {
            let session = match self.by_id(id) {
                Some(session) if session.is_claimed_by(account, subprotocol) => session,
                _ => return Err(self.claim_error(id, account)),
            };
            let mut let_go = Box::pin(session.let_go.notified());
            let_go.as_mut().enable();
            match self.take(&session) {
                Take::Taken(sm) => {
                    return Ok(Claimed {
                        session: session.clone(),
                        sm,
                    });
                }
                Take::Over => return Err(self.claim_error(id, account)),
                Take::Attached => session.command(Command::HandOver),
            }
            // The order is given anew now and then: another claim may have been served with it.
            let patience = deadline.min(tokio::time::Instant::now() + ORDER_INTERVAL);
            let let_go = tokio::time::timeout_at(patience, let_go).await.is_ok();
            if !let_go && tokio::time::Instant::now() >= deadline {
                let cause = ClaimFailure::NotLetGo;
                return Err(ClaimError { h: None, cause });
            }
        }
    }

    fn claim_error(&self, id: SessionId, account: &BareJid) -> ClaimError {
        match lock(&self.tombstones).last_h(id, account) {
            None => ClaimError::UNKNOWN,
            h => ClaimError {
                h,
                cause: ClaimFailure::Over,
            },
        }
    }

    fn take(&self, session: &Session) -> Take {
        let mut carrier = session.carrier();
        match std::mem::replace(&mut *carrier, Carrier::Attached) {
            // Of the last process, and about to end: nobody was told that it can be resumed.
            former @ Carrier::Hibernating { .. } if !former.is_resumable() => {
                *carrier = former;
                Take::Over
            }
            // Its time was over when nobody looked, such as on a machine that slept.
            Carrier::Hibernating {
                sm, until, since, ..
            } if session.access_left().is_some_and(|left| left.is_zero()) => {
                let mut expiries = lock(&self.expiries);
                expiries.remove(&(until, session.id()));
                expiries.insert((since, session.id()));
                *carrier = Carrier::Hibernating {
                    sm,
                    until: since,
                    since,
                    access_ends: true,
                };
                Take::Over
            }
            Carrier::Hibernating { sm, until, .. } => {
                lock(&self.expiries).remove(&(until, session.id()));
                session.withdraw_messages();
                session
                    .mailbox()
                    .set_bounds(attached_bounds(&self.options.load()));
                // An order to the stream that let go is none to the one that comes.
                session.mailbox().forget_hand_over();
                Take::Taken(sm)
            }
            Carrier::Attached => Take::Attached,
            Carrier::Ended => {
                *carrier = Carrier::Ended;
                Take::Over
            }
        }
    }

    /// The stream of a session lost its link: the session waits to be resumed.
    ///
    /// Returns the sessions that must end for it, because the account hibernates too many: the
    /// oldest go first.
    pub fn hibernate(&self, session: &Arc<Session>, sm: Box<Sm>, now: Instant) -> Vec<Ending> {
        // Told first: a moment later somebody may have resumed or ended it.
        self.observers.detached(session);
        self.let_hibernate(session, sm, now);
        let mut endings: Vec<_> = self.obey_late_order(session).into_iter().collect();
        let most = self.options.load().max_hibernating_per_user;
        endings.extend(self.end_surplus(session.account(), most));
        endings
    }

    fn let_hibernate(&self, session: &Arc<Session>, sm: Box<Sm>, now: Instant) {
        let options = self.options.load();
        let until = now + sm.resume_timeout().unwrap_or_default();
        let ends = session.access_left().and_then(|left| now.checked_add(left));
        let (until, access_ends) = match ends {
            Some(ends) if ends < until => (ends, true),
            _ => (until, false),
        };
        session
            .tally()
            .set_unacked(sm.unacked_len(), sm.oldest_sent());
        // Nobody empties it, so nobody is made to wait for it.
        let hard = Amount {
            stanzas: options.max_unacked.saturating_sub(sm.unacked_len()).max(1),
            bytes: attached_bounds(&options)
                .hard
                .bytes
                .saturating_sub(sm.unacked_bytes())
                .max(1),
        };
        session.mailbox().set_bounds(Bounds {
            soft: Amount::UNLIMITED,
            hard,
        });
        {
            let mut carrier = session.carrier();
            lock(&self.expiries).insert((until, session.id()));
            *carrier = Carrier::Hibernating {
                sm,
                until,
                since: now,
                access_ends,
            };
            session.expose_messages();
        }
        session.let_go.notify_waiters();
    }

    fn end_surplus(&self, account: &BareJid, most: usize) -> Vec<Ending> {
        let mut endings = Vec::new();
        loop {
            let sessions = self.of_account(account.as_str());
            let hibernating = sessions
                .iter()
                .filter(|session| session.is_hibernating())
                .count();
            if hibernating <= most {
                return endings;
            }
            let Some(oldest) = oldest_hibernating(&sessions) else {
                return endings;
            };
            endings.extend(self.end_hibernating(oldest, EndReason::TooManyHibernating));
        }
    }

    /// Ends a session for a reason of this side.
    ///
    /// One that hibernates is over at once: the caller passes the [`Ending`] to the backend. One
    /// that a stream carries is told; its owner will [`Sessions::close`] it.
    pub fn end(&self, session: &Arc<Session>, reason: EndReason) -> Option<Ending> {
        if reason == EndReason::Overflow {
            self.observers.overflowed(session);
        }
        let ending = self.end_if_hibernating(session, reason, |_| true);
        if ending.is_none() {
            // A stream that lets go of the session at this moment finds the order in `hibernate`.
            session.command(Command::End(reason));
            return self.obey_late_order(session);
        }
        ending
    }

    /// The stream may have let go between a look at the carrier and the order.
    fn obey_late_order(&self, session: &Arc<Session>) -> Option<Ending> {
        if !session.is_hibernating() {
            return None;
        }
        let reason = session.mailbox().take_end()?;
        self.end_if_hibernating(session, reason, |_| true)
    }

    /// Ends a session only if it hibernates: it may have been resumed a moment ago.
    pub fn end_hibernating(&self, session: &Arc<Session>, reason: EndReason) -> Option<Ending> {
        self.end_if_hibernating(session, reason, |_| true)
    }

    /// Looks and acts under one lock. `due`: whether one that hibernates until then is meant.
    fn end_if_hibernating(
        &self,
        session: &Arc<Session>,
        reason: EndReason,
        due: impl FnOnce(Instant) -> bool,
    ) -> Option<Ending> {
        let sm = {
            let mut carrier = session.carrier();
            match std::mem::replace(&mut *carrier, Carrier::Ended) {
                Carrier::Hibernating { sm, until, .. } if due(until) => {
                    lock(&self.expiries).remove(&(until, session.id()));
                    sm
                }
                former => {
                    *carrier = former;
                    return None;
                }
            }
        };
        Some(self.close(session, Some(sm), reason))
    }

    /// A session is over: nothing more is taken into its mailbox, and what was unacked or waiting
    /// is returned for the backend, which calls [`Sessions::remove`] when it has dealt with it.
    pub fn close(&self, session: &Arc<Session>, sm: Option<Box<Sm>>, reason: EndReason) -> Ending {
        *session.carrier() = Carrier::Ended;
        session.record(|session| Record::Ended { session });
        self.keep_messages(session, reason, crate::clock::now());
        let waiting = session.mailbox().close();
        let is_first = waiting.is_some();
        let waiting = waiting.unwrap_or_default();
        let mut leftovers = Vec::with_capacity(waiting.len());
        session.tally().set_unacked(0, None);
        if let Some(sm) = sm {
            let owner = session.account().clone();
            lock(&self.tombstones).remember(session.id(), owner, sm.handled());
            leftovers.extend(sm.into_unacked());
        }
        leftovers.extend(waiting);
        if is_first {
            self.observers.closed(session, reason); // who still finds it in its groups
        }
        self.groups.leave_all(session);
        Ending {
            session: session.clone(),
            reason,
            leftovers,
        }
    }

    /// Forgets a session whose ending the backend has dealt with; its resource is free.
    pub fn remove(&self, session: &Session) {
        session.record(|session| Record::Gone { session });
        write(self.id_shard(session.id())).remove(&session.id());
        let account = session.account().as_str();
        let mut shard = write(self.account_shard(account));
        if let Some(sessions) = shard.get_mut(account) {
            sessions.retain(|other| other.id() != session.id());
            if sessions.is_empty() {
                shard.remove(account);
            }
        }
        drop(shard);
        session.let_go.notify_waiters();
    }

    /// Waits until a session was [`Sessions::remove`]d.
    pub async fn gone(&self, session: &Session) {
        loop {
            let mut let_go = std::pin::pin!(session.let_go.notified());
            let_go.as_mut().enable();
            if self.by_id(session.id()).is_none() {
                return;
            }
            let_go.await;
        }
    }

    /// What happens to sessions is recorded here, if it is.
    pub fn journal(&self) -> Option<&Arc<Journal>> {
        self.journal.as_ref()
    }

    /// Brings a session of the last process back. It hibernates, with all its time to be resumed;
    /// one that nobody can come back for is due at once ([`Sessions::expire`]), so that what it
    /// holds finds its place.
    ///
    /// For a registry that nobody uses yet. The backend is told by the caller.
    pub fn restore(&self, saved: SavedSession, reunion: &Reunion, now: Instant) -> Arc<Session> {
        let resumable = recording::is_resumable(&saved);
        let id = SessionId::from_bits(saved.id);
        self.last_copies
            .fetch_max(reunion.last_number(), Ordering::Relaxed);
        let journal = self.journal.clone();
        let bounds = attached_bounds(&self.options.load());
        let account = saved.jid.to_bare();
        let siblings = self.of_account(account.as_str());
        let repeats = self.repeats(&account, siblings.first());
        let session = Session::new(id, saved.jid, bounds, journal, repeats, &self.budget);
        let session = Arc::new(session);
        let last = saved.stanzas.last().map_or(0, |stanza| stanza.number);
        session.mailbox().continue_after(last);
        let stanzas = saved.stanzas.into_iter();
        let stanzas = stanzas.map(|saved| {
            let mut stanza = reunion.outbound(saved);
            stanza.charge = session.charge_for(&stanza.text);
            stanza
        });
        let stanzas = stanzas.collect();
        let mut sm = saved.sm.unwrap_or_default();
        if !resumable {
            sm.resume_seconds = None;
        }
        {
            let _unit = session.unit();
            session.restore_state(saved.state);
        }
        session.line().set_handled(sm.handled);
        session.restore_recent(saved.recent);
        let sm = Box::new(recording::restored_sm(sm, stanzas));
        write(self.account_shard(session.account().as_str()))
            .entry(session.account().as_str().into())
            .or_default()
            .push(session.clone());
        write(self.id_shard(id)).insert(id, session.clone());
        self.let_hibernate(&session, sm, now);
        session
    }

    /// All sessions that hibernate, as records: what a stopping server hands to the store.
    ///
    /// For a registry that nobody uses any more.
    pub fn to_records(&self) -> Vec<Record> {
        // Copies that waited in the last process, too, have kept their number.
        let mut numbers = self.last_copies.load(Ordering::Relaxed);
        let mut records = Vec::new();
        for session in self.all() {
            if let Carrier::Hibernating { sm, .. } = &*session.carrier() {
                records.extend(session.to_records(sm, &mut numbers));
            }
        }
        records
    }

    /// What a journal is not told as it happens: which messages of each session are not taken a
    /// second time.
    pub fn recent_records(&self) -> Vec<Record> {
        let sessions = self.all();
        sessions
            .iter()
            .map(|session| session.recent_record())
            .collect()
    }

    /// Ends the sessions that hibernated long enough, or until their admission ended. Call it about once a second.
    pub fn expire(&self, now: Instant) -> Vec<Ending> {
        lock(&self.ended_messages).expire(now);
        let due: Vec<SessionId> = {
            let expiries = lock(&self.expiries);
            expiries
                .iter()
                .take_while(|(until, _)| *until <= now)
                .map(|&(_, id)| id)
                .collect()
        };
        let sessions = due.into_iter().filter_map(|id| self.by_id(id));
        sessions
            .filter_map(|session| {
                let reason = match &*session.carrier() {
                    Carrier::Hibernating {
                        access_ends: true, ..
                    } => EndReason::AccessExpired,
                    _ => EndReason::Expired,
                };
                self.end_if_hibernating(&session, reason, |until| until <= now)
            })
            .collect()
    }

    /// What the soak counts.
    #[cfg(test)]
    pub(crate) fn census(&self) -> Vec<Count> {
        let accounts = self.by_account.iter().map(|shard| read(shard).len());
        let mail = self.all().iter().map(|session| session.waiting()).sum();
        let (ended_accounts, ended) = lock(&self.ended_messages).len();
        vec![
            Count::live("sessions", self.len()),
            Count::live("hibernating", self.hibernating()),
            Count::live("accounts with sessions", accounts.sum()),
            Count::live("stanzas in mailboxes", mail),
            Count::live("bytes held", self.budget.held()),
            Count::live("ended sessions remembered", ended),
            Count::live("accounts of these", ended_accounts),
            lock(&self.tombstones).census(),
            lock(&self.ended_logins).census(),
        ]
    }

    fn account_shard(&self, account: &str) -> &Shard<Box<str>, Vec<Arc<Session>>> {
        let index = self.hasher.hash_one(account) as usize % SHARDS;
        &self.by_account[index]
    }

    fn id_shard(&self, id: SessionId) -> &Shard<SessionId, Arc<Session>> {
        let index = self.hasher.hash_one(id) as usize % SHARDS;
        &self.by_id[index]
    }
}

enum Take {
    Taken(Box<Sm>),
    Attached,
    Over,
}

fn oldest_hibernating(sessions: &[Arc<Session>]) -> Option<&Arc<Session>> {
    let since = |session: &Arc<Session>| match &*session.carrier() {
        Carrier::Hibernating { since, .. } => Some(*since),
        Carrier::Attached | Carrier::Ended => None,
    };
    let hibernating = sessions
        .iter()
        .filter_map(|session| Some((since(session)?, session)));
    let oldest = hibernating.min_by_key(|(since, _)| *since);
    oldest.map(|(_, session)| session)
}

fn attached_bounds(options: &SessionsOptions) -> Bounds {
    let soft = Amount {
        stanzas: options.send_queue,
        bytes: options.send_queue_bytes,
    };
    let hard = Amount {
        stanzas: soft.stanzas.saturating_mul(HARD_OVER_SOFT),
        bytes: soft.bytes.saturating_mul(HARD_OVER_SOFT),
    };
    Bounds { soft, hard }
}

fn read<T>(lock: &RwLock<T>) -> std::sync::RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

fn write<T>(lock: &RwLock<T>) -> std::sync::RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
