//! Requests that wait: for their turn, or for something to carry.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use super::body::Body;
use super::window::RequestToken;

/// Longest wait for a missing `rid` in a session whose `wait` is shorter.
const GAP_PATIENCE: Duration = Duration::from_secs(10);

/// What a held request may carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Whatever there is.
    Ordinary,
    /// Nothing: the answer to a pause has no payload (XEP-0124 §10).
    Pause,
}

/// A request that was served and is not yet answered.
#[derive(Debug)]
pub(super) struct Held {
    pub rid: u64,
    /// `None` while its connection is lost and the client has not sent it again.
    pub token: Option<RequestToken>,
    pub deadline: Instant,
    /// Answer at the next opportunity, with or without something to say.
    pub is_due: bool,
    pub kind: Kind,
    pub key: Option<String>,
    pub repeats: u32,
    /// The missing answer to report: its `rid`, and when it was given (XEP-0124 §9.2).
    pub report: Option<(u64, Instant)>,
}

impl Held {
    pub fn is_live(&self) -> bool {
        self.token.is_some()
    }

    /// Must it be answered, if those whose `wait` is over are answered `delay` later?
    pub fn is_due(&self, now: Instant, delay: Duration) -> bool {
        self.is_due || self.deadline + delay <= now
    }
}

/// The served and unanswered requests, in `rid` order.
#[derive(Debug, Default)]
pub(super) struct HeldRequests {
    pub queue: VecDeque<Held>,
}

impl HeldRequests {
    pub fn get_mut(&mut self, rid: u64) -> Option<&mut Held> {
        self.queue.iter_mut().find(|held| held.rid == rid)
    }

    pub fn live(&self) -> impl Iterator<Item = &Held> {
        self.queue.iter().filter(|held| held.is_live())
    }

    /// All are to be answered at the next opportunity.
    pub fn release_all(&mut self) {
        self.queue.iter_mut().for_each(|held| held.is_due = true);
    }

    pub fn lose(&mut self, token: RequestToken) {
        let lost = self
            .queue
            .iter_mut()
            .filter(|held| held.token == Some(token));
        lost.for_each(|held| held.token = None);
    }
}

/// A request that came before one with a lower `rid` (XEP-0124 §14.2).
#[derive(Debug)]
pub(super) struct Early {
    pub body: Body,
    pub token: Option<RequestToken>,
    pub at: Instant,
    pub repeats: u32,
}

/// Requests ahead of their turn. Bound: the window, so at most `requests + 1`.
#[derive(Debug, Default)]
pub(super) struct EarlyRequests {
    by_rid: BTreeMap<u64, Early>,
}

impl EarlyRequests {
    pub fn insert(&mut self, early: Early) {
        self.by_rid.insert(early.body.rid, early);
    }

    pub fn get_mut(&mut self, rid: u64) -> Option<&mut Early> {
        self.by_rid.get_mut(&rid)
    }

    pub fn take(&mut self, rid: u64) -> Option<Early> {
        self.by_rid.remove(&rid)
    }

    pub fn has_live(&self) -> bool {
        self.by_rid.values().any(|early| early.token.is_some())
    }

    pub fn lose(&mut self, token: RequestToken) {
        let lost = self
            .by_rid
            .values_mut()
            .filter(|early| early.token == Some(token));
        lost.for_each(|early| early.token = None);
    }

    /// When the first of them has waited long enough for its turn.
    pub fn next_deadline(&self, wait: Duration) -> Option<Instant> {
        let live = self.by_rid.values().filter(|early| early.token.is_some());
        live.map(|early| early.at + wait.max(GAP_PATIENCE)).min()
    }

    /// Forgets those that have waited long enough; their connections.
    pub fn expire(&mut self, now: Instant, wait: Duration) -> Vec<RequestToken> {
        let patience = wait.max(GAP_PATIENCE);
        let mut expired = Vec::new();
        self.by_rid.retain(|_, early| {
            let token = early.token.filter(|_| early.at + patience <= now);
            expired.extend(token);
            token.is_none()
        });
        expired
    }

    /// Forgets them all; their connections.
    pub fn clear(&mut self) -> Vec<RequestToken> {
        let all = std::mem::take(&mut self.by_rid);
        all.into_values().filter_map(|early| early.token).collect()
    }
}
