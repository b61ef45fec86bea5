//! Figures for the operator, in the text format of Prometheus: beside the floors, as the store is.
//!
//! [`Figures`] belong to one server: two servers in a process have their own. They are counted where
//! things happen, by atomic additions on counters that were found before: no lock, no look at
//! labels, no text. What can be seen at any time, such as who is here, is looked at when somebody
//! asks. `docs/metrics.md` has the table of all of them.

mod histogram;
mod labels;
mod process;
mod register;
mod scrape;
mod store;
mod traffic;

#[cfg(test)]
mod tests;

pub use histogram::{BOUNDS, Histogram};
pub use prometheus_client::encoding::prometheus_text::CONTENT_TYPE;
pub use store::Measured;
pub use traffic::Traffic;

use crate::auth::{Mechanism, SaslFailure};
use crate::sessions::{ClaimFailure, Direction, EndReason, Observer, Session, Sessions};
use labels::{Flow, Login, Operation, Outcome, Reason, Throttled, Way};
use prometheus_client::encoding::prometheus_text;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;
use scrape::Gauges;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, OnceLock, PoisonError, RwLock, Weak};
use std::time::Duration;

/// The figures of one server.
#[derive(Debug)]
pub struct Figures {
    registry: Registry,
    gauges: Gauges,
    /// Which hold the figures, as one of their observers.
    sessions: OnceLock<Weak<Sessions>>,
    connections: OnceLock<Connections>,
    /// By the name of the endpoint.
    traffic: RwLock<HashMap<Arc<str>, Arc<Traffic>>>,
    stanzas: Family<Flow, Counter>,
    bytes: Family<Flow, Counter>,
    throttled: Family<Throttled, Counter>,
    slowed: Counter,
    opened: Family<Way, Counter>,
    detached: Counter,
    ended: Family<Reason, Counter>,
    resumptions: Family<Outcome, Counter>,
    resent: Counter,
    acks: Histogram,
    logins: Family<Login, Counter>,
    overflows: Counter,
    store: Family<Operation, Histogram>,
    store_reads: Histogram,
    store_writes: Histogram,
    events_lost: Counter,
}

/// Knows how many there are.
struct Connections(Box<dyn Fn() -> usize + Send + Sync>);

/// What was done about a client that sends too much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ThrottleAction {
    /// It is not read for a while.
    Slowed,
    /// Its stanza was answered with an error.
    Refused,
    /// Its stream was ended.
    Closed,
}

/// What came of a `<resume/>` that named a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resumption {
    /// The session goes on.
    Resumed,
    /// This account has no such session, and had none lately.
    Unknown,
    /// The session is over.
    Over,
    /// The stream that carries it did not let go of it in time.
    NotLetGo,
    /// The client says that it got more than was sent (XEP-0198 §6).
    CountTooHigh,
    /// The stream was over before the session was found; it can still be resumed.
    TooLate,
}

impl Default for Figures {
    fn default() -> Self {
        Self::new()
    }
}

impl Figures {
    /// All at zero.
    pub fn new() -> Self {
        let mut figures = Self::unregistered();
        figures.registry = register::all(&figures);
        figures
    }

    fn unregistered() -> Self {
        let store = Family::<Operation, Histogram>::default();
        let operation = |operation| store.get_or_create_owned(&Operation { operation });
        Self {
            registry: Registry::default(),
            gauges: Gauges::new(),
            sessions: OnceLock::new(),
            connections: OnceLock::new(),
            traffic: RwLock::default(),
            stanzas: Family::default(),
            bytes: Family::default(),
            throttled: Family::default(),
            slowed: Counter::default(),
            opened: Family::default(),
            detached: Counter::default(),
            ended: Family::default(),
            resumptions: Family::default(),
            resent: Counter::default(),
            acks: Histogram::default(),
            logins: Family::default(),
            overflows: Counter::default(),
            store_reads: operation("read"),
            store_writes: operation("write"),
            store,
            events_lost: Counter::default(),
        }
    }

    /// The sessions to look at when somebody asks. Only the first call counts; without one there
    /// are none.
    pub fn watch_sessions(&self, sessions: &Arc<Sessions>) {
        let _ = self.sessions.set(Arc::downgrade(sessions));
    }

    /// Who knows how many connections are open. Only the first call counts; without one there are
    /// none.
    pub fn watch_connections(&self, count: impl Fn() -> usize + Send + Sync + 'static) {
        let _ = self.connections.set(Connections(Box::new(count)));
    }

    /// All figures as of now, in the text format of Prometheus 0.0.4 ([`CONTENT_TYPE`]). An
    /// application puts its own text of this format behind it to have both on one page; no name
    /// begins alike but those of the process.
    ///
    /// Cost: O(sessions).
    pub fn encode(&self) -> String {
        let connections = self.connections.get().map_or(0, |count| (count.0)());
        let sessions = self.sessions.get().and_then(Weak::upgrade);
        self.gauges.set(sessions.as_deref(), connections);
        let mut text = String::new();
        // Nothing fails in writing to memory.
        let _ = prometheus_text::encode(&mut text, &self.registry);
        text
    }

    /// The registry, for an application that encodes it in a way of its own. What is looked at on
    /// demand is as of the last [`Figures::encode`].
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// The counters of an endpoint. Names of endpoints are the operator's: there are few.
    pub fn traffic(&self, endpoint: &Arc<str>) -> Arc<Traffic> {
        let known = self.traffic.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(traffic) = known.get(endpoint) {
            return traffic.clone();
        }
        drop(known);
        let mut known = self.traffic.write().unwrap_or_else(PoisonError::into_inner);
        let traffic = known
            .entry(endpoint.clone())
            .or_insert_with(|| Arc::new(Traffic::new(&self.stanzas, &self.bytes, endpoint)));
        traffic.clone()
    }

    /// How many stanzas went through all endpoints that way, and how many bytes their texts had.
    pub fn sum(&self, direction: Direction) -> (u64, u64) {
        let known = self.traffic.read().unwrap_or_else(PoisonError::into_inner);
        let sums = known.values().map(|traffic| traffic.sum(direction));
        sums.fold((0, 0), |(a, b), (stanzas, bytes)| (a + stanzas, b + bytes))
    }

    /// The times between the sending of a stanza and the `<a/>` that covers it.
    pub fn acks(&self) -> &Histogram {
        &self.acks
    }

    /// A client of this tier sends too much.
    pub fn throttled(&self, tier: &Arc<str>, action: ThrottleAction) {
        let action = match action {
            ThrottleAction::Slowed => "slowed",
            ThrottleAction::Refused => "refused",
            ThrottleAction::Closed => "closed",
        };
        let tier = tier.clone();
        self.throttled
            .get_or_create(&Throttled { tier, action })
            .inc();
    }

    /// A client waits because one to whom it sends is slow.
    pub fn slowed(&self) {
        self.slowed.inc();
    }

    /// A client asked for its session.
    pub fn resumption(&self, outcome: Resumption) {
        let outcome = outcome.as_str();
        self.resumptions.get_or_create(&Outcome { outcome }).inc();
    }

    /// So many stanzas were sent once more, as their session was resumed.
    pub fn resent(&self, stanzas: usize) {
        self.resent.inc_by(stanzas as u64);
    }

    /// An `<a/>` came, so long after the oldest stanza that it covers was sent.
    pub fn acked(&self, after: Duration) {
        self.acks.observe(after);
    }

    /// Somebody logged in, or did not. `mechanism`: the one that was begun.
    pub fn login(&self, mechanism: Option<Mechanism>, outcome: Result<(), &SaslFailure>) {
        let mechanism = mechanism.map_or("none", Mechanism::name);
        let outcome = outcome.map_or_else(SaslFailure::condition, |()| "success");
        self.logins
            .get_or_create(&Login { mechanism, outcome })
            .inc();
    }

    /// Where the times of the store go.
    pub fn store(&self) -> (Histogram, Histogram) {
        (self.store_reads.clone(), self.store_writes.clone())
    }

    /// How many lines the event log lost; for the log to add to.
    pub fn events_lost(&self) -> Counter {
        self.events_lost.clone()
    }
}

impl Resumption {
    /// Every outcome.
    pub const ALL: [Self; 6] = [
        Self::Resumed,
        Self::Unknown,
        Self::Over,
        Self::NotLetGo,
        Self::CountTooHigh,
        Self::TooLate,
    ];

    /// The word that the figure shows.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Resumed => "resumed",
            Self::Unknown => "unknown",
            Self::Over => "over",
            Self::NotLetGo => "not-let-go",
            Self::CountTooHigh => "count-too-high",
            Self::TooLate => "too-late",
        }
    }
}

impl From<ClaimFailure> for Resumption {
    fn from(failure: ClaimFailure) -> Self {
        match failure {
            ClaimFailure::Unknown => Self::Unknown,
            ClaimFailure::Over => Self::Over,
            ClaimFailure::NotLetGo => Self::NotLetGo,
        }
    }
}

impl Observer for Figures {
    fn opened(&self, session: &Arc<Session>) {
        let transport = scrape::transport(session);
        self.opened.get_or_create(&Way { transport }).inc();
    }

    fn detached(&self, _: &Arc<Session>) {
        self.detached.inc();
    }

    fn closed(&self, _: &Arc<Session>, reason: EndReason) {
        let reason = reason.as_str();
        self.ended.get_or_create(&Reason { reason }).inc();
    }

    fn overflowed(&self, _: &Arc<Session>) {
        self.overflows.inc();
    }
}

impl fmt::Debug for Connections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Connections({})", (self.0)())
    }
}
