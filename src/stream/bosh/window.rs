//! One BOSH session: requests come in, in any order and more than once; payload goes to the stream
//! once and in order, and every request gets one answer.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::body::{Body, MAX_RID};
use super::condition::{Condition, Ended, Violation};
use super::held::{Early, EarlyRequests, HeldRequests, Kind};
use super::keys::KeySequence;
use super::options::{Options, Terms};
use super::polling::PollingAllowance;
use super::replay::ReplayBuffer;
use super::wire::{Response, Writer, content_type};

/// Names one HTTP request to the driver. The driver chooses it; it must not repeat in a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestToken(pub u64);

/// What a request has for the stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// One element: a stanza or a nonza, as a document of its own.
    Frame(String),
    /// The stream starts anew (XEP-0206 §5). Elements in the same body are dropped, as §5 asks.
    Restart {
        /// The domain, if the client repeats it.
        to: Option<String>,
        /// The client's `xml:lang`.
        lang: Option<String>,
    },
    /// The client ends the session (XEP-0124 §13); nothing follows.
    Terminate,
}

/// How much later a client that polls is answered while what it sent has not been taken.
const CONGESTION_DELAY: Duration = Duration::from_secs(10);

/// The sans-I/O state of one BOSH session (XEP-0124, XEP-0206).
///
/// After [`create`](Self::create), and after each of [`on_request`](Self::on_request),
/// [`on_timeout`](Self::on_timeout), [`on_request_lost`](Self::on_request_lost),
/// [`push`](Self::push), [`end`](Self::end) and [`on_stream_error`](Self::on_stream_error), call in this order:
///
/// 1. [`poll_input`](Self::poll_input) until `None`, and `push` what the stream has to say to it;
/// 2. [`poll_response`](Self::poll_response) until `None`;
/// 3. [`poll_timeout`](Self::poll_timeout), and `on_timeout` when that time has come;
/// 4. drop the window when [`is_over`](Self::is_over).
///
/// What the stream says between 1 and 2 shares an answer: the first features travel in the creation
/// answer. Payload is handed out in `rid` order and once. A frame goes out in the oldest held request;
/// nothing is ever sent twice but in the answer to a repeated `rid`, which is the same to the byte.
///
/// Bounds: `hold` held requests, `requests + 1` early ones, `requests + 1` remembered answers. What
/// waits to go out is the caller's to bound, by [`queued_bytes`](Self::queued_bytes).
#[derive(Debug)]
pub struct Window {
    pub(super) terms: Terms,
    pub(super) max_response_bytes: usize,
    pub(super) max_repeats: u32,
    pub(super) content_type: &'static str,
    pub(super) phase: Phase,
    /// The creation answer, until it is given.
    pub(super) creation: Option<Writer>,
    /// The highest `rid` received with none missing below it.
    pub(super) last_rid: u64,
    pub(super) previous: Option<Previous>,
    pub(super) keys: KeySequence,
    pub(super) polling: PollingAllowance,
    pub(super) early: EarlyRequests,
    pub(super) held: HeldRequests,
    pub(super) replay: ReplayBuffer,
    pub(super) inputs: VecDeque<Input>,
    pub(super) outbound: VecDeque<Arc<str>>,
    pub(super) ready: VecDeque<(RequestToken, Response)>,
    /// The stream behind is slower than the client.
    pub(super) is_congested: bool,
    /// Since when no request is open; `None` while one is.
    idle_since: Option<Instant>,
    pub(super) idle_limit: Duration,
}

/// Where a session stands.
#[derive(Debug)]
pub(super) enum Phase {
    Open,
    /// The client sent its last request.
    Leaving,
    /// This side has ended it; the client hears it once it has everything else.
    Ending {
        condition: Option<Condition>,
        error: Option<Arc<str>>,
    },
    Over(Ended),
}

/// The request served last.
#[derive(Debug)]
pub(super) struct Previous {
    pub rid: u64,
    pub at: Instant,
    pub is_poll: bool,
}

impl Window {
    /// Opens a session with its creation request (XEP-0124 §7).
    ///
    /// `sid` is the session's name: unguessable, never used before (B-05). `from` is the domain that
    /// serves it. That the domain in `body.to` is served here is for the caller to check, with
    /// [`refusal`](super::refusal).
    ///
    /// # Errors
    ///
    /// [`Violation::RidTooLarge`]: answer with a refusal of its condition.
    pub fn create(
        now: Instant,
        sid: &str,
        from: &str,
        token: RequestToken,
        body: Body,
        options: &Options,
    ) -> Result<Self, Violation> {
        let rid = body.rid;
        if rid > MAX_RID {
            return Err(Violation::RidTooLarge { rid });
        }
        let terms = Terms::new(&body, options);
        let mut window = Self {
            max_response_bytes: options.max_response_bytes,
            max_repeats: options.max_repeats,
            content_type: content_type(body.content.as_deref()),
            phase: Phase::Open,
            creation: Some(Writer::new().creation(sid, from, &body, &terms)),
            last_rid: rid,
            previous: None,
            keys: KeySequence::new(&body),
            polling: PollingAllowance::new(now, terms.polling, options.polling_tolerance),
            early: EarlyRequests::default(),
            held: HeldRequests::default(),
            replay: ReplayBuffer::new(terms.requests),
            inputs: VecDeque::new(),
            outbound: VecDeque::new(),
            ready: VecDeque::new(),
            is_congested: false,
            idle_since: None,
            idle_limit: terms.inactivity,
            terms,
        };
        window.serve(
            now,
            Early {
                body,
                token: Some(token),
                at: now,
                repeats: 0,
            },
        );
        window.held.release_all(); // the creation request is answered, never held (§7.2)
        Ok(window)
    }

    /// A request of this session came in on `token`. Cost: O(window + payload).
    ///
    /// It may be new, ahead of its turn, or sent again; every request gets exactly one answer from
    /// [`poll_response`](Self::poll_response), unless it is reported lost before.
    pub fn on_request(&mut self, now: Instant, token: RequestToken, body: Body) {
        let rid = body.rid;
        if matches!(self.phase, Phase::Over(_) | Phase::Leaving) {
            return self.refuse(token, Condition::ItemNotFound); // §13: the session is gone
        }
        self.idle_since = None;
        if rid > MAX_RID {
            self.violate(token, Violation::RidTooLarge { rid });
        } else if rid <= self.last_rid {
            self.on_repeat(now, token, &body);
        } else if rid > self.last_acceptable(&body) {
            let last_acceptable = self.last_acceptable(&body);
            self.violate(
                token,
                Violation::RidBeyondWindow {
                    rid,
                    last_acceptable,
                },
            );
        } else if self.early.get_mut(rid).is_some() {
            self.on_early_repeat(now, token, &body);
        } else {
            self.early.insert(Early {
                body,
                token: Some(token),
                at: now,
                repeats: 0,
            });
            self.serve_in_order(now);
        }
        self.note_idleness(now);
    }

    /// The connection of a request went away before its answer was written whole.
    ///
    /// Nothing is lost by it: a held request waits for the client to send it again (§14.3), and an
    /// answer that was handed out stays remembered. Unknown tokens are ignored.
    pub fn on_request_lost(&mut self, now: Instant, token: RequestToken) {
        self.ready.retain(|(to, _)| *to != token);
        self.held.lose(token);
        self.early.lose(token);
        self.replay.on_request_lost(token);
        self.note_idleness(now);
    }

    /// The time from [`poll_timeout`](Self::poll_timeout) has come.
    pub fn on_timeout(&mut self, now: Instant) {
        // §17.3: a recoverable error makes the client send this request and those before it again.
        for token in self.early.expire(now, self.terms.wait) {
            self.recover(token);
        }
        self.note_idleness(now);
        if self.idle_deadline().is_some_and(|deadline| deadline <= now) {
            self.close(Ended::Inactive); // §10: without informing the client
        }
    }

    /// Queues a frame for the client: a stanza, a nonza, features. It is a document of its own, but
    /// that the prefix `stream` may be left undeclared.
    pub fn push(&mut self, frame: impl Into<Arc<str>>) {
        self.outbound.push_back(frame.into());
    }

    /// Slows the client down, or lets it go on: while congested, a further request does not release
    /// the one that is held, unless there is something to say.
    ///
    /// A client that has all its `requests` open cannot send more, whereas what is said to it still
    /// gets through: the only way to slow down a sender that keeps both directions alive. Up to
    /// `requests` are then held, more than `hold` promises; `wait` holds as ever, but that a client
    /// that polls, which would be answered at once, is answered ten seconds later.
    pub fn set_congested(&mut self, is_congested: bool) {
        self.is_congested = is_congested;
    }

    /// Ends the session from this side; without a condition it is a normal end.
    ///
    /// The client hears it in its next answer after the frames that are queued, at the latest when it
    /// polls; if it does not come, the session is over after `inactivity`. Payload that comes after
    /// this call is dropped. A second call changes nothing.
    pub fn end(&mut self, condition: Option<Condition>) {
        self.start_ending(condition, None);
    }

    /// The stream ended with `error`, a whole `<stream:error/>` element (XEP-0206 §6). As
    /// [`end`](Self::end), with the condition remote-stream-error.
    pub fn on_stream_error(&mut self, error: impl Into<Arc<str>>) {
        self.start_ending(Some(Condition::RemoteStreamError), Some(error.into()));
    }

    /// The next thing that a request has for the stream, in `rid` order.
    pub fn poll_input(&mut self) -> Option<Input> {
        self.inputs.pop_front()
    }

    /// The next answer to write.
    pub fn poll_response(&mut self, now: Instant) -> Option<(RequestToken, Response)> {
        self.answer_what_is_due(now);
        self.note_idleness(now);
        self.ready.pop_front()
    }

    /// When to call [`on_timeout`](Self::on_timeout); `None` when over.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let delay = self.congestion_delay();
        let held = self.held.live().map(|held| held.deadline + delay);
        let early = self.early.next_deadline(self.terms.wait);
        held.chain(early).chain(self.idle_deadline()).min()
    }

    /// Everything is said; the window has no further use but [`undelivered`](Self::undelivered).
    pub fn is_over(&self) -> bool {
        self.ended().is_some() && self.ready.is_empty()
    }

    /// How the session ended, once it has.
    pub fn ended(&self) -> Option<Ended> {
        match self.phase {
            Phase::Over(ended) => Some(ended),
            _ => None,
        }
    }

    /// A frame pushed now would go out at once.
    pub fn wants_output(&self) -> bool {
        self.held.live().any(|held| held.kind == Kind::Ordinary)
    }

    /// Bytes of frames that wait for a request to carry them. Cost: O(frames).
    pub fn queued_bytes(&self) -> usize {
        self.outbound.iter().map(|frame| frame.len()).sum()
    }

    /// Frames that the client has not received, oldest first: in no answer, or only in answers whose
    /// connection was lost and that nobody asked for again.
    pub fn undelivered(&self) -> Vec<Arc<str>> {
        self.replay
            .untaken_frames()
            .chain(&self.outbound)
            .cloned()
            .collect()
    }

    /// Frames that went out, oldest first, without proof that they arrived: neither an `ack` nor a
    /// `rid` that the client could not have used before it had them. Stream management knows better,
    /// where it is on.
    pub fn unconfirmed(&self) -> Vec<Arc<str>> {
        let confirmed_rid = self.last_rid.saturating_sub(self.terms.requests);
        self.replay
            .taken_frames_after(confirmed_rid)
            .cloned()
            .collect()
    }

    /// Takes back what the client has not received: no answer will carry it any more.
    ///
    /// That is [`undelivered`](Self::undelivered). After a silence of `inactivity` it is also what the
    /// answer to the very last request carried: a client that gets an answer and has no request open
    /// makes the next one at once (XEP-0124 §8), so this one was lost on its way.
    pub fn withdraw(&mut self) -> Vec<Arc<str>> {
        let mut frames: Vec<_> = self.replay.untaken_frames().cloned().collect();
        if self.ended() == Some(Ended::Inactive) {
            let before_last = self.last_rid.saturating_sub(1);
            frames.extend(self.replay.taken_frames_after(before_last).cloned());
        }
        self.replay.forget_untaken();
        frames.extend(self.outbound.drain(..));
        frames
    }

    pub(super) fn congestion_delay(&self) -> Duration {
        if self.is_congested && self.terms.is_polling {
            CONGESTION_DELAY
        } else {
            Duration::ZERO
        }
    }

    fn start_ending(&mut self, condition: Option<Condition>, error: Option<Arc<str>>) {
        if matches!(self.phase, Phase::Open) {
            self.phase = Phase::Ending { condition, error };
        }
    }

    /// Ends the session at once for what `offender` did; the others hear of it too (§17.2).
    pub(super) fn violate(&mut self, offender: RequestToken, violation: Violation) {
        self.held.lose(offender);
        self.early.lose(offender);
        self.refuse(offender, violation.condition());
        self.close(Ended::Violation(violation));
    }

    /// The session is over; requests that are still open learn it.
    pub(super) fn close(&mut self, ended: Ended) {
        self.phase = Phase::Over(ended);
        let held = std::mem::take(&mut self.held.queue);
        let open = held.into_iter().filter_map(|held| held.token);
        for token in open.chain(self.early.clear()).collect::<Vec<_>>() {
            self.refuse(token, Condition::OtherRequest);
        }
    }

    fn refuse(&mut self, token: RequestToken, condition: Condition) {
        let body = Writer::new().terminate(Some(condition)).finish([]);
        self.ready.push_back((
            token,
            Response {
                body,
                content_type: self.content_type,
            },
        ));
    }

    /// Lets a connection go with an answer that means "send it again" (§17.3).
    pub(super) fn recover(&mut self, token: RequestToken) {
        let body = Writer::new().attribute("type", "error").finish([]);
        self.ready.push_back((
            token,
            Response {
                body,
                content_type: self.content_type,
            },
        ));
    }

    fn idle_deadline(&self) -> Option<Instant> {
        let is_over = matches!(self.phase, Phase::Over(_));
        self.idle_since
            .filter(|_| !is_over)
            .map(|since| since + self.idle_limit)
    }

    fn note_idleness(&mut self, now: Instant) {
        if self.held.live().next().is_some() || self.early.has_live() {
            self.idle_since = None;
        } else {
            self.idle_since.get_or_insert(now);
        }
    }
}
