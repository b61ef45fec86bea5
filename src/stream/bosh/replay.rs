//! The answers that a client may ask for again (XEP-0124 §14.3).

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::window::RequestToken;
use super::wire::Response;

/// One answer that was given, with what is needed to give it again.
#[derive(Debug)]
pub(super) struct Answered {
    pub rid: u64,
    pub response: Response,
    /// The frames inside.
    pub frames: Vec<Arc<str>>,
    /// The requests that took the answer and were not reported lost. Bound: one, and one more for
    /// each of [`Options::max_repeats`](super::Options::max_repeats).
    pub taken_by: Vec<RequestToken>,
    pub key: Option<String>,
    pub repeats: u32,
    pub at: Instant,
    /// The client was told that this answer seems to be missing (§9.2).
    pub is_reported: bool,
}

impl Answered {
    /// Gives the answer again, to the request `token`.
    pub fn give_to(&mut self, now: Instant, token: RequestToken) -> Response {
        self.taken_by.push(token);
        self.at = now;
        self.response.clone()
    }

    /// Every connection that took the answer broke before it was written.
    fn is_untaken(&self) -> bool {
        self.taken_by.is_empty()
    }
}

/// The last answers, in `rid` order.
///
/// Bound: `capacity` answers. A client has at most `requests` of them outstanding, and one more for
/// a pause or a terminate (§11); what falls out at the front has been received.
#[derive(Debug)]
pub(super) struct ReplayBuffer {
    answers: VecDeque<Answered>,
    capacity: usize,
}

impl ReplayBuffer {
    pub fn new(requests: u64) -> Self {
        let capacity = usize::try_from(requests)
            .unwrap_or(usize::MAX)
            .saturating_add(1);
        Self {
            answers: VecDeque::new(),
            capacity,
        }
    }

    pub fn remember(&mut self, answered: Answered) {
        self.answers.push_back(answered);
        if self.answers.len() > self.capacity {
            self.answers.pop_front();
        }
    }

    pub fn get_mut(&mut self, rid: u64) -> Option<&mut Answered> {
        self.answers.iter_mut().find(|answered| answered.rid == rid)
    }

    /// Did the answer to `rid` carry nothing? False when it is not remembered.
    pub fn was_empty(&self, rid: u64) -> bool {
        self.answers
            .iter()
            .any(|answered| answered.rid == rid && answered.frames.is_empty())
    }

    /// The client says that it has every answer up to `rid`: they are forgotten (§9.2).
    pub fn acknowledge(&mut self, rid: u64) {
        while self.answers.front().is_some_and(|oldest| oldest.rid <= rid) {
            self.answers.pop_front();
        }
    }

    /// The connection that took an answer broke before the answer was written.
    pub fn on_request_lost(&mut self, token: RequestToken) {
        for answered in &mut self.answers {
            answered.taken_by.retain(|taker| *taker != token);
        }
    }

    /// Marks the answer to `rid` as reported missing; returns when it was given, the first time, if
    /// that is at least `age` ago (§9.2).
    pub fn report(&mut self, rid: u64, now: Instant, age: Duration) -> Option<Instant> {
        let answered = self.get_mut(rid)?;
        let is_due = now.saturating_duration_since(answered.at) >= age;
        (is_due && !std::mem::replace(&mut answered.is_reported, is_due)).then_some(answered.at)
    }

    /// Frames in answers that reached no connection.
    pub fn untaken_frames(&self) -> impl Iterator<Item = &Arc<str>> {
        let untaken = self.answers.iter().filter(|it| it.is_untaken());
        untaken.flat_map(|answered| &answered.frames)
    }

    /// Forgets the answers that reached no connection: they cannot be asked for again.
    pub fn forget_untaken(&mut self) {
        self.answers.retain(|answered| !answered.is_untaken());
    }

    /// Frames in answers that went out, to requests after `rid`.
    pub fn taken_frames_after(&self, rid: u64) -> impl Iterator<Item = &Arc<str>> {
        let taken = self
            .answers
            .iter()
            .filter(move |it| !it.is_untaken() && it.rid > rid);
        taken.flat_map(|answered| &answered.frames)
    }
}
