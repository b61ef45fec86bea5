//! Figures that are looked at when somebody asks.

use super::labels::Standing;
use super::process;
use crate::clock;
use crate::sessions::{Session, Sessions, Transport};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use std::sync::atomic::AtomicU64;
use std::time::SystemTime;

type Seconds = Gauge<f64, AtomicU64>;

#[derive(Debug)]
pub(super) struct Gauges {
    pub sessions: Family<Standing, Gauge>,
    pub connections: Gauge,
    pub waiting: Gauge,
    pub waiting_most: Gauge,
    pub unacked: Gauge,
    pub unacked_most: Gauge,
    pub oldest: Seconds,
    pub held: Gauge,
    pub limit: Gauge,
    pub resident: Gauge,
    pub began: Seconds,
}

const TRANSPORTS: [&str; 3] = ["websocket", "bosh", UNKNOWN];

/// Of a session that outlived the last process, until its client is back.
const UNKNOWN: &str = "none";

const STATES: [&str; 2] = ["attached", "hibernating"];

/// The word for what carries a session, or carried it last.
pub(super) fn transport(session: &Session) -> &'static str {
    let connection = session.connection();
    connection.map_or(UNKNOWN, |connection| connection.transport.as_str())
}

impl Gauges {
    pub(super) fn new() -> Self {
        let began: Seconds = Gauge::default();
        let now = clock::time_of_day().duration_since(SystemTime::UNIX_EPOCH);
        began.set(now.unwrap_or_default().as_secs_f64());
        Self {
            sessions: Family::default(),
            connections: Gauge::default(),
            waiting: Gauge::default(),
            waiting_most: Gauge::default(),
            unacked: Gauge::default(),
            unacked_most: Gauge::default(),
            oldest: Gauge::default(),
            held: Gauge::default(),
            limit: Gauge::default(),
            resident: Gauge::default(),
            began,
        }
    }

    /// Looks at everything.
    pub(super) fn set(&self, sessions: Option<&Sessions>, connections: usize) {
        self.connections.set(number(connections));
        if let Some(bytes) = process::resident_bytes() {
            self.resident.set(i64::try_from(bytes).unwrap_or(i64::MAX));
        }
        if let Some(sessions) = sessions {
            self.held.set(number(sessions.budget().held()));
            self.limit.set(number(sessions.budget().limit()));
            self.set_sessions(&Census::of(sessions));
        }
    }

    fn set_sessions(&self, census: &Census) {
        for (transport, of_transport) in TRANSPORTS.into_iter().zip(census.standing) {
            for (state, count) in STATES.into_iter().zip(of_transport) {
                let standing = Standing { transport, state };
                self.sessions.get_or_create(&standing).set(number(count));
            }
        }
        self.waiting.set(number(census.waiting));
        self.waiting_most.set(number(census.waiting_most));
        self.unacked.set(number(census.unacked));
        self.unacked_most.set(number(census.unacked_most));
        self.oldest.set(census.oldest_seconds);
    }
}

#[derive(Debug, Default)]
struct Census {
    /// By transport and state.
    standing: [[usize; STATES.len()]; TRANSPORTS.len()],
    waiting: usize,
    waiting_most: usize,
    unacked: usize,
    unacked_most: usize,
    oldest_seconds: f64,
}

impl Census {
    fn of(sessions: &Sessions) -> Self {
        let now = clock::now();
        let mut census = Self::default();
        for session in sessions.all() {
            let transport = match session.connection().map(|link| link.transport) {
                Some(Transport::WebSocket) => 0,
                Some(Transport::Bosh) => 1,
                None => 2,
            };
            let state = usize::from(!session.is_attached());
            census.standing[transport][state] += 1;
            let (waiting, unacked) = (session.waiting(), session.tally().unacked());
            census.waiting += waiting;
            census.waiting_most = census.waiting_most.max(waiting);
            census.unacked += unacked;
            census.unacked_most = census.unacked_most.max(unacked);
            if let Some(age) = session.tally().oldest_unacked(now) {
                census.oldest_seconds = census.oldest_seconds.max(age.as_secs_f64());
            }
        }
        census
    }
}

/// `limits.memory` may be without a bound.
fn number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
