//! Keeps what a client sends within the quota of its account.

use crate::sessions::{Excess, Over, Quota, Quotas, Session};
use crate::stanza::{ByteString, Condition, Stanza, StanzaError, error_reply};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often the operator is told that an account sends too fast.
const NOTE_INTERVAL: Duration = Duration::from_secs(10);

/// How fast one stream may feed its session.
#[derive(Debug)]
pub(super) struct Pace {
    quotas: Arc<Quotas>,
    /// That of the account, once there is a session.
    quota: Option<Arc<Quota>>,
    /// The frame in hand is over the quota.
    over: Option<Over>,
    slowed_until: Option<Instant>,
    noted_at: Option<Instant>,
}

/// What is to happen to a stanza.
pub(super) enum Verdict {
    /// It is served.
    Serve,
    /// It is answered with this error.
    Refuse(ByteString),
    /// The stream ends.
    Close,
}

impl Pace {
    /// Before login a stream is bounded by what it may send at all.
    pub(super) fn new(quotas: Arc<Quotas>) -> Self {
        Self {
            quotas,
            quota: None,
            over: None,
            slowed_until: None,
            noted_at: None,
        }
    }

    /// The stream carries a session from now on, and is not read before its account has paid for
    /// what came over other streams.
    pub(super) fn on_session(&mut self, now: Instant, session: &Session) {
        let quota = self.quotas.of(now, session.account().as_str());
        let options = self.quotas.options();
        let debt = quota.debt(now, &options);
        if options.excess == Excess::Slow && !debt.is_zero() {
            self.slowed_until = Some(now + debt);
        }
        self.quota = Some(quota);
    }

    /// Counts a frame that is about to be read.
    pub(super) fn on_frame(&mut self, now: Instant, bytes: usize) {
        let Some(quota) = &self.quota else { return };
        self.over = quota.take(now, bytes, &self.quotas.options()).err();
    }

    /// The frame turned out to be a stanza.
    pub(super) fn judge(&mut self, stanza: &Stanza) -> Verdict {
        let verdict = match self.over.map(|over| over.excess) {
            Some(Excess::Close) => Verdict::Close,
            Some(Excess::Refuse) => {
                let error = StanzaError::from(Condition::ResourceConstraint);
                match error_reply(stanza, &error.with_text("too much at once")) {
                    Some(answer) => Verdict::Refuse(answer),
                    None => Verdict::Serve,
                }
            }
            Some(Excess::Slow) | None => Verdict::Serve,
        };
        if !matches!(verdict, Verdict::Serve) {
            self.over = None;
        }
        verdict
    }

    /// The frame has been dealt with. If it was served although it is over the quota, the next one
    /// has to wait. Returns whether the operator should read of it.
    pub(super) fn after_frame(&mut self, now: Instant, bytes: usize) -> bool {
        let (Some(over), Some(quota)) = (self.over.take(), &self.quota) else {
            return false;
        };
        if over.excess != Excess::Slow {
            quota.charge(now, bytes, &self.quotas.options());
        }
        self.slowed_until = Some(over.until);
        self.is_worth_a_note(now)
    }

    /// Whether the operator has not read of this stream lately.
    pub(super) fn is_worth_a_note(&mut self, now: Instant) -> bool {
        let lately = |at| now.saturating_duration_since(at) < NOTE_INTERVAL;
        let is_worth_it = !self.noted_at.is_some_and(lately);
        if is_worth_it {
            self.noted_at = Some(now);
        }
        is_worth_it
    }

    /// Whether the client is not read for now.
    pub(super) fn is_slowed(&self) -> bool {
        self.slowed_until.is_some()
    }

    /// When it is read again.
    pub(super) fn slowed_until(&self) -> Option<Instant> {
        self.slowed_until
    }

    /// Time has gone on.
    pub(super) fn on_time(&mut self, now: Instant) {
        self.slowed_until = self.slowed_until.filter(|until| *until > now);
    }
}
