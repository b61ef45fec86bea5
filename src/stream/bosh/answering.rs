//! Which held request is answered now, and what its answer carries.

use std::sync::Arc;
use std::time::Instant;

use super::condition::{Condition, Ended};
use super::held::{Held, Kind};
use super::replay::Answered;
use super::window::{Phase, Window};
use super::wire::{Response, Writer};

impl Window {
    /// Answers every held request that must not wait longer, in `rid` order (XEP-0124 §8, §14.2).
    pub(super) fn answer_what_is_due(&mut self, now: Instant) {
        match &self.phase {
            Phase::Open => self.answer_ordinarily(now),
            Phase::Leaving => self.answer_the_last_request(now),
            Phase::Ending { condition, error } => {
                let (condition, error) = (*condition, error.clone());
                self.answer_towards_the_end(now, condition, error);
            }
            Phase::Over(_) => {}
        }
    }

    fn answer_ordinarily(&mut self, now: Instant) {
        while self.oldest_must_be_answered(now) {
            self.answer_oldest(now);
        }
    }

    fn oldest_must_be_answered(&self, now: Instant) -> bool {
        let Some(oldest) = self.held.queue.front() else {
            return false;
        };
        let is_alone = self.held.queue.len() == 1;
        if !oldest.is_live() {
            // §14.3: the client will send it again. If it does not, a later request takes over.
            return !is_alone;
        }
        let has_payload = !self.outbound.is_empty() && oldest.kind == Kind::Ordinary;
        // §8, §11
        let is_one_too_many = !self.is_congested && self.held.queue.len() > self.terms.hold;
        // A request that came early may be due before the one it waited for: both go, in order (§14.2).
        let delay = self.congestion_delay();
        let is_one_due = self.held.live().any(|held| held.is_due(now, delay));
        has_payload || is_one_too_many || is_one_due
    }

    /// §13: what is left goes out in the requests before the last, and the last says farewell.
    fn answer_the_last_request(&mut self, now: Instant) {
        while self.held.queue.len() > 1 {
            self.answer_oldest(now);
        }
        if let Some(last) = self.held.queue.pop_front() {
            self.say_farewell(now, last, None, None);
        }
        self.close(Ended::ByClient);
    }

    /// Clients read no stanzas in a terminating body, so everything else goes before it, if need be in
    /// the requests that are still to come.
    fn answer_towards_the_end(
        &mut self,
        now: Instant,
        condition: Option<Condition>,
        error: Option<Arc<str>>,
    ) {
        self.held.queue.retain(Held::is_live);
        while !self.outbound.is_empty() && !self.held.queue.is_empty() {
            self.answer_oldest(now);
        }
        while self.held.queue.len() > 1 {
            self.answer_oldest(now);
        }
        if let Some(last) = self.held.queue.pop_front() {
            self.say_farewell(now, last, condition, error);
            self.close(Ended::ByServer);
        }
    }

    fn answer_oldest(&mut self, now: Instant) {
        let Some(held) = self.held.queue.pop_front() else {
            return;
        };
        let carries = held.is_live() && held.kind == Kind::Ordinary;
        let frames = if carries {
            self.next_batch()
        } else {
            Vec::new()
        };
        let body = self.writer(now, &held).finish(&frames);
        let response = Response {
            body,
            content_type: self.content_type,
        };
        if let Some(token) = held.token {
            self.ready.push_back((token, response.clone()));
        }
        self.replay.remember(Answered {
            rid: held.rid,
            response,
            frames,
            taken_by: held.token.into_iter().collect(),
            key: held.key,
            repeats: held.repeats,
            at: now,
            is_reported: false,
        });
    }

    fn say_farewell(
        &mut self,
        now: Instant,
        last: Held,
        condition: Option<Condition>,
        error: Option<Arc<str>>,
    ) {
        let Some(token) = last.token else { return };
        self.creation = None;
        let body = self.writer(now, &last).terminate(condition).finish(&error);
        self.ready.push_back((
            token,
            Response {
                body,
                content_type: self.content_type,
            },
        ));
    }

    /// As many frames as fit into an answer; one at least, if there is one.
    fn next_batch(&mut self) -> Vec<Arc<str>> {
        let mut batch = Vec::new();
        let mut size_bytes = 0;
        while let Some(frame) = self.outbound.front() {
            size_bytes += frame.len();
            if !batch.is_empty() && size_bytes > self.max_response_bytes {
                break;
            }
            batch.extend(self.outbound.pop_front());
        }
        batch
    }

    fn writer(&mut self, now: Instant, held: &Held) -> Writer {
        if let Some(creation) = self.creation.take() {
            return creation;
        }
        let mut writer = Writer::new();
        if self.terms.acks && self.last_rid != held.rid {
            writer = writer.attribute("ack", self.last_rid); // §9.1
        }
        if let Some((missing_rid, given_at)) = held.report {
            let age = now.saturating_duration_since(given_at);
            writer = writer
                .attribute("report", missing_rid)
                .attribute("time", age.as_millis()); // §9.2
        }
        writer
    }
}
