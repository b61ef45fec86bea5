//! Keeps what a client sends within the quota of its account and the rates of its tier.

use crate::sessions::{Connection, Excess, Over, Quota, Quotas, Seat, Session, Tiers};
use crate::stanza::{ByteString, Condition, ErrorType, Stanza, StanzaError, error_reply};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often the operator is told that an account sends too fast.
const NOTE_INTERVAL: Duration = Duration::from_secs(10);

/// How fast one stream may feed its session.
#[derive(Debug)]
pub(super) struct Pace {
    quotas: Arc<Quotas>,
    tiers: Arc<Tiers>,
    /// That of the account, once there is a session.
    quota: Option<Arc<Quota>>,
    /// That of the session in a tier.
    seat: Option<Seat>,
    /// The frame in hand is over the quota.
    over: Option<Box<Over>>,
    /// The stanza in hand was served, and the next one would be too early for the tier.
    tier_until: Option<Box<Instant>>,
    slowed_until: Option<Instant>,
    noted_at: Option<Box<Instant>>,
}

/// What is to happen to a stanza.
pub(super) enum Verdict {
    /// It is served.
    Serve,
    /// It is answered with this error.
    Refuse(ByteString, Bound),
    /// The stream ends.
    Close(Bound),
}

/// Which bound somebody met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bound {
    /// That of the account, from `[limits]`.
    Account,
    /// That of the tier.
    Tier,
}

impl Pace {
    /// Before login a stream is bounded by what it may send at all.
    pub(super) fn new(quotas: Arc<Quotas>, tiers: Arc<Tiers>) -> Self {
        Self {
            quotas,
            tiers,
            quota: None,
            seat: None,
            over: None,
            tier_until: None,
            slowed_until: None,
            noted_at: None,
        }
    }

    /// The stream carries a session from now on, and is not read before its account has paid for
    /// what came over other streams.
    pub(super) fn on_session(&mut self, now: Instant, session: &Session, link: &Connection) {
        let quota = self.quotas.of(now, session.account().as_str());
        let options = self.quotas.options();
        let debt = quota.debt(now, &options);
        if options.excess == Excess::Slow && !debt.is_zero() {
            self.slowed_until = Some(now + debt);
        }
        self.quota = Some(quota);
        let seat = self.tiers.seat(now, session, link);
        self.slowed_until = self.slowed_until.max(seat.until(now));
        self.seat = Some(seat);
    }

    /// Counts a frame that is about to be read.
    pub(super) fn on_frame(&mut self, now: Instant, bytes: usize) {
        let Some(quota) = &self.quota else { return };
        self.over = quota
            .take(now, bytes, &self.quotas.options())
            .err()
            .map(Box::new);
    }

    /// The frame turned out to be a stanza.
    pub(super) fn judge(
        &mut self,
        now: Instant,
        stanza: &Stanza,
        session: &Session,
        link: &Connection,
    ) -> Verdict {
        let verdict = match self.over.as_ref().map(|over| over.excess) {
            Some(Excess::Close) => Verdict::Close(Bound::Account),
            Some(Excess::Refuse) => {
                let error = StanzaError::from(Condition::ResourceConstraint);
                match error_reply(stanza, &error.with_text("too much at once")) {
                    Some(answer) => Verdict::Refuse(answer, Bound::Account),
                    None => Verdict::Serve,
                }
            }
            Some(Excess::Slow) | None => Verdict::Serve,
        };
        if !matches!(verdict, Verdict::Serve) {
            self.over = None;
            return verdict;
        }
        self.judge_by_tier(now, stanza, session, link)
    }

    /// What the tier says to a stanza that its account may send.
    fn judge_by_tier(
        &mut self,
        now: Instant,
        stanza: &Stanza,
        session: &Session,
        link: &Connection,
    ) -> Verdict {
        let current = self.seat.take().filter(|seat| self.tiers.is_current(seat));
        let seat = current.unwrap_or_else(|| self.tiers.seat(now, session, link));
        let seat = self.seat.insert(seat);
        let bytes = stanza.text.len();
        let Err(over) = seat.take(now, bytes) else {
            return Verdict::Serve;
        };
        match over.excess {
            Excess::Slow => {}
            Excess::Close => return Verdict::Close(Bound::Tier),
            Excess::Refuse => {
                let error = StanzaError::from(Condition::PolicyViolation);
                let error = error.with_type(ErrorType::Wait);
                if let Some(answer) = error_reply(stanza, &error.with_text("too much at once")) {
                    return Verdict::Refuse(answer, Bound::Tier);
                }
                seat.charge(now, bytes);
            }
        }
        self.tier_until = Some(Box::new(over.until));
        Verdict::Serve
    }

    /// The frame has been dealt with. If it was served although it is over a bound, the next one
    /// has to wait. Returns the bound.
    pub(super) fn after_frame(&mut self, now: Instant, bytes: usize) -> Option<Bound> {
        let by_tier = self.tier_until.take().map(|until| *until);
        let by_account = self.over.take().zip(self.quota.as_ref());
        let by_account = by_account.map(|(over, quota)| {
            if over.excess != Excess::Slow {
                quota.charge(now, bytes, &self.quotas.options());
            }
            over.until
        });
        let bound = match (by_account, by_tier) {
            (None, None) => return None,
            (account, tier) if account >= tier => Bound::Account,
            _ => Bound::Tier,
        };
        self.slowed_until = by_account.max(by_tier);
        Some(bound)
    }

    /// The name of the tier that the bound is of, for the figures; "account": it is of none.
    pub(super) fn tier(&self, bound: Bound) -> Arc<str> {
        match (bound, self.place()) {
            (Bound::Tier, Some((tier, _))) => tier.into(),
            _ => "account".into(),
        }
    }

    /// The tier and the key that are to blame if the bound is that of the tier.
    pub(super) fn place(&self) -> Option<(&str, &str)> {
        self.seat.as_ref()?.place()
    }

    /// Whether the operator has not read of this stream lately.
    pub(super) fn is_worth_a_note(&mut self, now: Instant) -> bool {
        let lately = |at| now.saturating_duration_since(at) < NOTE_INTERVAL;
        let is_worth_it = !self.noted_at.as_deref().copied().is_some_and(lately);
        if is_worth_it {
            self.noted_at = Some(Box::new(now));
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
