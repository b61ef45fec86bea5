//! Keeps what a client sends within the quota of its account and the rates of its tier.

use crate::sessions::{Connection, Excess, Over, Quota, Quotas, Seat, Session, Tiers};
use crate::stanza::{ByteString, Condition, ErrorType, Stanza, StanzaError, error_reply};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often the operator is told that an account sends too fast.
const NOTE_INTERVAL: Duration = Duration::from_secs(10);

/// How often a stream that a tier has slowed looks whether there are other tiers: nobody tells it,
/// and by the old one it may have to wait for a day.
const TIERS_LOOK: Duration = Duration::from_secs(1);

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
    /// What only those have who send too fast.
    slowed: Option<Box<Slowed>>,
}

/// A stream that sends, or has sent, too fast.
#[derive(Debug, Default)]
struct Slowed {
    /// The stanza in hand was served, and the next one would be too early for the tier.
    tier_until: Option<Instant>,
    /// Until then by its account, and until then by its tier.
    by_account: Option<Instant>,
    by_tier: Option<Instant>,
    /// When to look after other tiers.
    look_at: Option<Instant>,
    noted_at: Option<Instant>,
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
            slowed: None,
        }
    }

    fn slowed(&mut self) -> &mut Slowed {
        self.slowed.get_or_insert_default()
    }

    /// The stream carries a session from now on, and is not read before its account has paid for
    /// what came over other streams.
    pub(super) fn on_session(&mut self, now: Instant, session: &Session, link: &Connection) {
        let quota = self.quotas.of(now, session.account().as_str());
        let options = self.quotas.options();
        let debt = quota.debt(now, &options);
        if options.excess == Excess::Slow && !debt.is_zero() {
            self.slowed().by_account = Some(now + debt);
        }
        self.quota = Some(quota);
        let seat = self.tiers.seat(now, session, link);
        self.slow_by_tier(now, seat.until(now));
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
        self.slowed().tier_until = Some(over.until);
        Verdict::Serve
    }

    /// The frame has been dealt with. If it was served although it is over a bound, the next one
    /// has to wait. Returns the bound.
    pub(super) fn after_frame(&mut self, now: Instant, bytes: usize) -> Option<Bound> {
        let by_tier = self.slowed.as_mut();
        let by_tier = by_tier.and_then(|slowed| slowed.tier_until.take());
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
        self.slowed().by_account = by_account;
        self.slow_by_tier(now, by_tier);
        Some(bound)
    }

    fn slow_by_tier(&mut self, now: Instant, until: Option<Instant>) {
        if until.is_some() || self.slowed.is_some() {
            let slowed = self.slowed();
            slowed.by_tier = until;
            slowed.look_at = until.map(|_| now + TIERS_LOOK);
        }
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
        let slowed = self.slowed();
        let is_worth_it = !slowed.noted_at.is_some_and(lately);
        if is_worth_it {
            slowed.noted_at = Some(now);
        }
        is_worth_it
    }

    /// Whether the client is not read for now.
    pub(super) fn is_slowed(&self) -> bool {
        let until = |slowed: &Slowed| slowed.by_account.or(slowed.by_tier);
        self.slowed.as_deref().and_then(until).is_some()
    }

    /// When it is read again, or sooner, to look after other tiers.
    pub(super) fn slowed_until(&self) -> Option<Instant> {
        let slowed = self.slowed.as_deref()?;
        let by_tier = slowed.by_tier.min(slowed.look_at);
        [slowed.by_account, by_tier].into_iter().flatten().min()
    }

    /// Time has gone on. Other tiers may have come, which hold for who is slowed, too.
    pub(super) fn on_time(&mut self, now: Instant, session: Option<&Session>, link: &Connection) {
        let Some(slowed) = self.slowed.as_deref_mut() else {
            return;
        };
        let is_to_come = |until: &Instant| *until > now;
        slowed.by_account = slowed.by_account.filter(is_to_come);
        slowed.by_tier = slowed.by_tier.filter(is_to_come);
        let (Some(session), Some(_)) = (session, slowed.by_tier) else {
            return;
        };
        let is_current = |seat: &Seat| self.tiers.is_current(seat);
        if !self.seat.as_ref().is_some_and(is_current) {
            let seat = self.tiers.seat(now, session, link);
            slowed.by_tier = seat.until(now);
            self.seat = Some(seat);
        }
        slowed.look_at = Some(now + TIERS_LOOK);
    }
}
