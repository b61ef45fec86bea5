//! Which requests are let in, in what order, and what each of them means.

use std::time::{Duration, Instant};

use super::body::Body;
use super::condition::{Ended, Violation};
use super::held::{Early, Held, Kind};
use super::window::{Input, Phase, Previous, RequestToken, Window};

/// The answer to a missing one is reported when it is at least this old; a younger one is still
/// on its way (XEP-0124 §9.2).
const REPORT_AFTER: Duration = Duration::from_secs(2);

impl Window {
    /// §14.2: the window is as large as `requests`; §11: one more to pause or to terminate.
    pub(super) fn last_acceptable(&self, body: &Body) -> u64 {
        let extra = u64::from(body.pause.is_some() || body.terminate);
        self.last_rid.saturating_add(self.terms.requests + extra)
    }

    /// A `rid` that was served already (§14.3).
    pub(super) fn on_repeat(&mut self, now: Instant, token: RequestToken, body: &Body) {
        let (rid, max_repeats) = (body.rid, self.max_repeats);
        let checks_key = self.keys.is_in_use();
        if let Some(held) = self.held.get_mut(rid) {
            if checks_key && held.key != body.key {
                return self.violate(token, Violation::KeyMismatch { rid });
            }
            held.repeats += 1;
            let is_too_often = held.repeats > max_repeats;
            // The old connection is let go, and the answer goes to the new one.
            if let Some(old) = held.token.replace(token) {
                self.recover(old);
            }
            if is_too_often {
                self.violate(token, Violation::TooManyRepeats { rid, max_repeats });
            }
        } else if let Some(answered) = self.replay.get_mut(rid) {
            if checks_key && answered.key != body.key {
                return self.violate(token, Violation::KeyMismatch { rid });
            }
            answered.repeats += 1;
            if answered.repeats > max_repeats {
                return self.violate(token, Violation::TooManyRepeats { rid, max_repeats });
            }
            let response = answered.give_to(now, token);
            self.ready.push_back((token, response));
        } else {
            self.violate(
                token,
                Violation::RidForgotten {
                    rid,
                    last_rid: self.last_rid,
                },
            );
        }
    }

    /// A `rid` that waits for its turn and was sent again: the payload is kept, the connection new.
    pub(super) fn on_early_repeat(&mut self, now: Instant, token: RequestToken, body: &Body) {
        let (rid, max_repeats) = (body.rid, self.max_repeats);
        let checks_key = self.keys.is_in_use();
        let Some(early) = self.early.get_mut(rid) else {
            return;
        };
        if checks_key && early.body.key != body.key {
            return self.violate(token, Violation::KeyMismatch { rid });
        }
        early.repeats += 1;
        early.at = now;
        let is_too_often = early.repeats > max_repeats;
        if let Some(old) = early.token.replace(token) {
            self.recover(old);
        }
        if is_too_often {
            self.violate(token, Violation::TooManyRepeats { rid, max_repeats });
        }
    }

    pub(super) fn serve_in_order(&mut self, now: Instant) {
        while matches!(self.phase, Phase::Open | Phase::Ending { .. }) {
            let Some(next) = self.early.take(self.last_rid + 1) else {
                return;
            };
            if let Some(violation) = self.check(&next) {
                // The request is not served, so its connection is the one to hear why.
                match next.token {
                    Some(token) => self.violate(token, violation),
                    None => self.close(Ended::Violation(violation)),
                }
                return;
            }
            self.serve(now, next);
        }
    }

    /// Does a request in its turn break a rule?
    fn check(&mut self, next: &Early) -> Option<Violation> {
        if !self.keys.advance(&next.body) {
            return Some(Violation::KeyMismatch { rid: next.body.rid });
        }
        if self.is_hasty(next) && !self.polling.take(next.at) {
            let polling_seconds = self.terms.polling.as_secs();
            return Some(Violation::TooFrequent { polling_seconds });
        }
        None
    }

    /// Is this an empty request sooner than `polling` after the one before?
    fn is_hasty(&self, next: &Early) -> bool {
        let Some(previous) = &self.previous else {
            return false;
        };
        let gap = next.at.saturating_duration_since(previous.at);
        if self.polling.is_unlimited() || !next.body.is_poll() || gap >= self.terms.polling {
            return false;
        }
        if self.terms.is_polling {
            return previous.is_poll && self.replay.was_empty(previous.rid); // §12
        }
        // §11: every request that it may make stands unanswered, and nothing is about to be said.
        let unanswered = self
            .held
            .live()
            .filter(|held| !held.is_due(next.at, Duration::ZERO))
            .count()
            + 1;
        self.outbound.is_empty() && unanswered as u64 >= self.terms.requests
    }

    /// Takes a request in its turn: its payload to the stream, the rest to the held ones.
    pub(super) fn serve(&mut self, now: Instant, request: Early) {
        let Early {
            body,
            token,
            at,
            repeats,
        } = request;
        self.last_rid = body.rid;
        self.previous = Some(Previous {
            rid: body.rid,
            at,
            is_poll: body.is_poll(),
        });
        self.idle_limit = self.terms.inactivity; // §10: back to normal with the next request
        let report = self.on_ack(now, &body);
        if let Some(seconds) = body.pause {
            self.held.release_all();
            self.idle_limit = self.terms.pause(seconds);
        }
        self.held.queue.push_back(Held {
            rid: body.rid,
            token,
            deadline: at + self.terms.wait,
            is_due: body.pause.is_some() || report.is_some(),
            kind: if body.pause.is_some() {
                Kind::Pause
            } else {
                Kind::Ordinary
            },
            key: body.key.clone(),
            repeats,
            report,
        });
        self.take_payload(body);
    }

    fn take_payload(&mut self, body: Body) {
        if !matches!(self.phase, Phase::Open) {
            return; // the stream behind is closed
        }
        if body.restart {
            self.inputs.push_back(Input::Restart {
                to: body.to,
                lang: body.lang,
            });
        } else {
            self.inputs
                .extend(body.payload.into_iter().map(Input::Frame));
        }
        if body.terminate {
            self.inputs.push_back(Input::Terminate);
            self.phase = Phase::Leaving;
        }
    }

    /// Forgets the answers that the client has; finds one that it should have by now (§9.2).
    fn on_ack(&mut self, now: Instant, body: &Body) -> Option<(u64, Instant)> {
        let ack = body.ack.filter(|_| self.terms.acks)?;
        self.replay.acknowledge(ack);
        let missing = ack.saturating_add(1);
        let given_at = self.replay.report(missing, now, REPORT_AFTER)?;
        Some((missing, given_at))
    }
}
