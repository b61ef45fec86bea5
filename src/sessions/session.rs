//! One session.

use super::connection::Connection;
use super::mailbox::{Bounds, Command, Delivered, Mail, Mailbox};
use super::recording::Line;
use super::repeats::Repeats;
use super::tally::Tally;
use super::values::Values;
use crate::auth::Admission;
use crate::budget::{Budget, Charge, Ledger, stanza_bytes};
use crate::stanza::ByteString;
use crate::stanza::address::{BareJid, FullJid};
use crate::store::journal::{Journal, Record};
use crate::stream::{Outbound, Sm};
use std::any::Any;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant, SystemTime};

crate::random::unguessable! {
    /// Names a session, and is the `previd` of stream management (XEP-0198 §5).
    pub struct SessionId;
}

/// Why a session is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EndReason {
    /// The client said `<close/>`, or `terminate` over BOSH.
    Closed,
    /// The link is gone and the session could not be resumed.
    LinkLost,
    /// It hibernated for longer than `sm.resume_timeout`.
    Expired,
    /// Its account hibernates more sessions than `sm.max_hibernating_per_user`.
    TooManyHibernating,
    /// Another session took its resource (RFC 6120 §7.7.2.2).
    Conflict,
    /// Its mailbox is full and nobody empties it.
    Overflow,
    /// All sessions together are at `limits.memory`, and this is one of those that hold most.
    Memory,
    /// The client broke the rules of the stream.
    StreamError,
    /// The account was deleted or its password changed.
    Revoked,
    /// The operator or the application ended it.
    Removed,
    /// What its client was let in by was good until then ([`Admission::expires`]).
    AccessExpired,
    /// The server stops.
    Shutdown,
}

impl EndReason {
    /// The word that the log shows.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::LinkLost => "link-lost",
            Self::Expired => "expired",
            Self::TooManyHibernating => "too-many-hibernating",
            Self::Conflict => "conflict",
            Self::Overflow => "overflow",
            Self::Memory => "memory",
            Self::StreamError => "stream-error",
            Self::Revoked => "revoked",
            Self::Removed => "removed",
            Self::AccessExpired => "access-expired",
            Self::Shutdown => "shutdown",
        }
    }
}

/// The last available presence that a session broadcast.
#[derive(Debug, Clone)]
pub struct Presence {
    /// −128 to 127 (RFC 6121 §4.7.2.3).
    pub priority: i8,
    /// The stanza, with its sender stamped and without `to`.
    pub text: ByteString,
    /// When it was sent.
    pub at: SystemTime,
}

/// What is left of a session that is over.
#[derive(Debug)]
pub struct Ending {
    /// The session; its mailbox is closed.
    pub session: Arc<Session>,
    /// Why.
    pub reason: EndReason,
    /// What its client never acknowledged or never got, oldest first.
    pub leftovers: Vec<Outbound>,
}

impl Ending {
    /// Tells the operator.
    pub fn log(&self) {
        tracing::info!(
            session = %self.session.id().short(), jid = %self.session.jid(),
            reason = self.reason.as_str(), leftovers = self.leftovers.len(), "session ended"
        );
    }
}

/// What carries a session.
#[derive(Debug)]
pub(super) enum Carrier {
    /// A stream, whose owner polls the mailbox.
    Attached,
    /// Nothing; it waits to be resumed.
    Hibernating {
        sm: Box<Sm>,
        until: Instant,
        since: Instant,
        /// `until` is when its admission ends.
        access_ends: bool,
    },
    /// Nothing ever again.
    Ended,
}

impl Carrier {
    /// Whether a client may come back for it.
    pub(super) fn is_resumable(&self) -> bool {
        matches!(self, Self::Hibernating { sm, .. } if sm.resume_timeout().is_some())
    }
}

/// How its client came in.
#[derive(Debug, Default)]
struct CameBy {
    connection: Option<Arc<Connection>>,
    admission: Option<Arc<Admission>>,
}

/// What a client owns once bound. Shared by its stream, the registry and the backend.
pub struct Session {
    id: SessionId,
    jid: FullJid,
    account: BareJid,
    mailbox: Mailbox,
    ledger: Arc<Ledger>,
    /// It was told to end for the sake of the budget.
    goes_for_memory: AtomicBool,
    line: Line,
    carrier: Mutex<Carrier>,
    /// Told when the carrier changed: somebody may wait for the session to be let go.
    pub(super) let_go: tokio::sync::Notify,
    presence: Mutex<Option<Presence>>,
    carbons: AtomicBool,
    interested: AtomicBool,
    inactive: AtomicBool,
    came_by: Mutex<CameBy>,
    groups: Mutex<Vec<Arc<str>>>,
    tally: Tally,
    notes: Mutex<String>,
    pub(super) repeats: Repeats,
    data: OnceLock<Arc<dyn Any + Send + Sync>>,
    values: Values,
}

impl Session {
    pub(super) fn new(
        id: SessionId,
        jid: FullJid,
        bounds: Bounds,
        journal: Option<Arc<Journal>>,
        repeats: Repeats,
        budget: &Arc<Budget>,
    ) -> Self {
        let ledger = Ledger::new(budget);
        Self {
            id,
            line: Line::new(journal, id),
            account: jid.to_bare(),
            jid,
            mailbox: Mailbox::new(bounds, ledger.clone()),
            ledger,
            goes_for_memory: AtomicBool::new(false),
            carrier: Mutex::new(Carrier::Attached),
            let_go: tokio::sync::Notify::new(),
            presence: Mutex::new(None),
            carbons: AtomicBool::new(false),
            interested: AtomicBool::new(false),
            inactive: AtomicBool::new(false),
            came_by: Mutex::default(),
            groups: Mutex::default(),
            tally: Tally::new(),
            notes: Mutex::default(),
            repeats,
            data: OnceLock::new(),
            values: Values::default(),
        }
    }

    /// Its id, which is also its `previd`.
    pub fn id(&self) -> SessionId {
        self.id
    }

    /// Its full address.
    pub fn jid(&self) -> &FullJid {
        &self.jid
    }

    /// Whose session it is.
    pub fn account(&self) -> &BareJid {
        &self.account
    }

    /// Puts a stanza into the mailbox, whether a stream carries the session or it hibernates.
    pub fn deliver(&self, stanza: Outbound) -> Delivered {
        let _unit = self.unit(); // before the lock of the mailbox: see `Journal`
        self.mailbox.push(stanza, &self.line)
    }

    /// Whether it takes stanzas: it is not over.
    pub fn is_open(&self) -> bool {
        self.mailbox.is_open()
    }

    /// For the owner of its stream: the stanza that came last does not go to the client. It is the
    /// first in the mailbox once more.
    pub fn put_back(&self, stanza: Outbound) {
        self.mailbox.put_back(stanza);
    }

    /// For the owner of its stream: this is what goes to the client in the place of the text.
    pub fn set_wire(&self, stanza: &mut Outbound, wire: ByteString) {
        stanza.wire = Some(Box::new(wire));
        let bytes = stanza_bytes(stanza.size_bytes());
        stanza.charge.resize(&self.ledger, bytes);
    }

    /// How many stanzas wait in the mailbox.
    pub fn waiting(&self) -> usize {
        self.mailbox.len()
    }

    /// What of `limits.memory` is held for it: in its mailbox, unacked, and with its transport.
    pub fn held(&self) -> usize {
        self.ledger.held()
    }

    /// What a stanza is charged with that is held for this session.
    pub(super) fn charge_for(&self, text: &ByteString) -> Charge {
        self.ledger.charge(stanza_bytes(text.len()))
    }

    /// So many bytes wait with the transport, which keeps the charge.
    pub fn charge_transport(&self, charge: &mut Charge, bytes: usize) {
        charge.resize(&self.ledger, bytes);
    }

    /// Whether it was told to end for the sake of the budget.
    pub(super) fn goes_for_memory(&self) -> bool {
        self.goes_for_memory.load(Ordering::Relaxed)
    }

    /// It is told so now.
    pub(super) fn set_goes_for_memory(&self) {
        self.goes_for_memory.store(true, Ordering::Relaxed);
    }

    /// Whether a stream carries it.
    pub fn is_attached(&self) -> bool {
        matches!(*self.carrier(), Carrier::Attached)
    }

    /// Whether it waits to be resumed.
    pub fn is_hibernating(&self) -> bool {
        matches!(*self.carrier(), Carrier::Hibernating { .. })
    }

    /// For the owner of its stream: the next command or, if wanted, stanza.
    pub fn poll_mail(&self, cx: &mut Context<'_>, wants_stanzas: bool) -> Poll<Mail> {
        self.mailbox.poll_mail(cx, wants_stanzas)
    }

    /// For a sender that was [`Delivered::Pressed`]: ready when it may go on.
    pub fn poll_relieved(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.mailbox.poll_relieved(cx)
    }

    /// Whether a stream carries it and its mailbox is below the soft bound: room for what can wait.
    pub fn has_room(&self) -> bool {
        self.mailbox.has_room()
    }

    /// Ready when [`Session::has_room`], or when the session is over.
    pub fn poll_room(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.mailbox.poll_room(cx)
    }

    /// Tells the owner of its stream what to do.
    pub fn command(&self, command: Command) {
        self.mailbox.command(command);
    }

    /// Its presence, if it is available.
    pub fn presence(&self) -> Option<Presence> {
        lock(&self.presence).clone()
    }

    /// Its priority, if it is available. Cheaper than [`Session::presence`].
    pub fn priority(&self) -> Option<i8> {
        lock(&self.presence)
            .as_ref()
            .map(|presence| presence.priority)
    }

    /// Replaces its presence; returns the former one. `None`: unavailable.
    pub fn set_presence(&self, presence: Option<Presence>) -> Option<Presence> {
        let former = std::mem::replace(&mut *lock(&self.presence), presence);
        self.record_state();
        former
    }

    /// Whether it gets carbons (XEP-0280).
    pub fn carbons(&self) -> bool {
        self.carbons.load(Ordering::Relaxed)
    }

    /// Switches carbons.
    pub fn set_carbons(&self, on: bool) {
        self.carbons.store(on, Ordering::Relaxed);
        self.record_state();
    }

    /// Whether it asked for the roster, so that it gets pushes (RFC 6121 §2.1.6).
    pub fn is_interested(&self) -> bool {
        self.interested.load(Ordering::Relaxed)
    }

    /// It asked for the roster.
    pub fn set_interested(&self) {
        self.interested.store(true, Ordering::Relaxed);
        self.record_state();
    }

    /// Whether its user looks elsewhere (XEP-0352).
    pub fn is_inactive(&self) -> bool {
        self.inactive.load(Ordering::Relaxed)
    }

    /// Switches client state.
    pub fn set_inactive(&self, inactive: bool) {
        self.inactive.store(inactive, Ordering::Relaxed);
        self.record_state();
    }

    /// The link that carries it, or carried it last; `None` if the last process had it and nobody
    /// has come back for it.
    pub fn connection(&self) -> Option<Arc<Connection>> {
        lock(&self.came_by).connection.clone()
    }

    /// What was decided about its client. `None` says nothing.
    pub fn admission(&self) -> Option<Arc<Admission>> {
        lock(&self.came_by).admission.clone()
    }

    /// The subprotocol of the link that carries it, or carried it last, if that has a transcoder.
    pub fn subprotocol(&self) -> Option<Arc<str>> {
        let came_by = lock(&self.came_by);
        came_by.connection.as_ref()?.subprotocol.clone()
    }

    /// Whether a client of this account that speaks like this may go on with it.
    pub(super) fn is_claimed_by(&self, account: &BareJid, subprotocol: Option<&str>) -> bool {
        self.account == *account && self.subprotocol().as_deref() == subprotocol
    }

    /// A stream over this link carries it. An admission that comes with it takes the place of the
    /// former one; a link without any changes nothing of it. One that names no account let nobody
    /// in by itself: what it does not say stays as it was, such as the login and the end.
    pub fn set_connection(&self, connection: Arc<Connection>) {
        let admission = connection.admission.clone();
        lock(&self.came_by).connection = Some(connection);
        match (admission, self.admission()) {
            (None, _) => {}
            (Some(of_link), Some(former)) if of_link.jid.is_none() => {
                let expires = of_link.expires.or(former.expires);
                let both = former.then(&of_link);
                self.set_admission(Arc::new(Admission { expires, ..both }));
            }
            (Some(admission), _) => self.set_admission(admission),
        }
    }

    /// What was decided about its client is this from now on. It outlives the process with the
    /// session.
    pub fn set_admission(&self, admission: Arc<Admission>) {
        let former = lock(&self.came_by).admission.replace(admission.clone());
        if former.is_none_or(|former| former != admission) {
            self.record_state();
        }
    }

    /// How long its admission is still good for; `None`: without an end.
    pub(super) fn access_left(&self) -> Option<Duration> {
        let expires = self.admission()?.expires?;
        let left = expires.duration_since(crate::clock::time_of_day());
        Some(left.unwrap_or_default())
    }

    /// What has gone through it, and what is on its way.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// What the backend wants to know again if the session outlives the process.
    pub fn notes(&self) -> String {
        lock(&self.notes).clone()
    }

    /// Replaces [`Session::notes`].
    pub fn set_notes(&self, notes: String) {
        *lock(&self.notes) = notes;
        self.record_state();
    }

    /// What the backend keeps with the session; set once, at bind.
    pub fn data(&self) -> Option<&Arc<dyn Any + Send + Sync>> {
        self.data.get()
    }

    /// Sets what the backend keeps with the session. Returns whether it was the first time.
    pub fn set_data(&self, data: Arc<dyn Any + Send + Sync>) -> bool {
        self.data.set(data).is_ok()
    }

    /// Keeps a value with it, one of each type. Returns the one that was there before.
    pub fn put<T: Any + Send + Sync>(&self, value: T) -> Option<Arc<T>> {
        self.values.put(value)
    }

    /// The value of this type.
    pub fn get<T: Any + Send + Sync>(&self) -> Option<Arc<T>> {
        self.values.get()
    }

    /// The value of this type; if there is none, this one from now on.
    pub fn get_or_put<T: Any + Send + Sync>(&self, make: impl FnOnce() -> T) -> Arc<T> {
        self.values.get_or_put(make)
    }

    /// The groups that it has joined.
    pub(super) fn groups(&self) -> MutexGuard<'_, Vec<Arc<str>>> {
        lock(&self.groups)
    }

    pub(super) fn line(&self) -> &Line {
        &self.line
    }

    pub(super) fn record(&self, record: impl FnOnce(u128) -> Record) {
        self.line.append(record);
    }

    pub(super) fn mailbox(&self) -> &Mailbox {
        &self.mailbox
    }

    pub(super) fn carrier(&self) -> MutexGuard<'_, Carrier> {
        lock(&self.carrier)
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("id", &self.id)
            .field("jid", &self.jid)
            .finish_non_exhaustive()
    }
}

/// Nothing under these locks panics; a poisoned one would still guard a whole value.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
