//! Stream management of one session (XEP-0198 1.6): both counters, and when to ask and to ack.
//!
//! No XML and no clock here; [`super::Stream`] reads the nonzas and calls in. The state outlives
//! the stream: it hibernates with the session and goes on under the next stream.

use super::Outbound;
use super::sent::Stopwatch;
use super::unacked::{HandledCountTooHigh, UnackedQueue};
use std::time::Instant;

/// Frequencies and bounds, from `[sm]`; read anew at every use, so a reload reaches open streams.
#[derive(Debug, Clone)]
pub struct SmOptions {
    /// `sm.enabled`
    pub enabled: bool,
    /// `sm.unsolicited_ack_frequency`: an `<a/>` after every Nth handled stanza; 0 is off.
    pub unsolicited_ack_frequency: u32,
    /// `sm.unsolicited_ack_delay`: how long a handled stanza waits for its unsolicited `<a/>`;
    /// zero: for as long as it takes.
    pub unsolicited_ack_delay: std::time::Duration,
    /// `sm.ack_request_frequency`: an `<r/>` after every Nth stanza sent; 0: by time alone.
    pub ack_request_frequency: u32,
    /// `sm.ack_request_delay`: how long a sent stanza waits for its `<r/>`; zero: by number alone.
    pub ack_request_delay: std::time::Duration,
    /// `sm.ack_timeout`: an `<r/>` unanswered for so long means that the link is dead.
    pub ack_timeout: std::time::Duration,
    /// `sm.resume_timeout`: how long a session hibernates.
    pub resume_timeout: std::time::Duration,
    /// `sm.max_hibernating_per_user`
    pub max_hibernating_per_user: usize,
    /// `sm.max_unacked`: stanzas in the unacked queue; at the bound nothing more is sent.
    pub max_unacked: usize,
    /// `limits.send_queue_bytes`: the same in bytes.
    pub max_unacked_bytes: usize,
    /// `sm.debug_first_h`: where both counters begin; 0, but for tests of the wrap.
    pub first_h: u32,
}

impl SmOptions {
    /// Whether sessions may be resumed at all.
    pub fn resumable(&self) -> bool {
        !self.resume_timeout.is_zero() && self.max_hibernating_per_user > 0
    }
}

/// The stream management of one session.
#[derive(Debug)]
pub struct Sm {
    /// Stanzas of the client that are handled since `<enabled/>`, modulo 2^32.
    handled: u32,
    /// `handled` as the client knows it from the last `<a/>` or `<resumed/>`.
    told: u32,
    /// When the oldest stanza that the client was not told of was handled.
    untold_since: Option<Instant>,
    unacked: UnackedQueue<Outbound>,
    unacked_bytes: usize,
    /// Stanzas sent since the last `<r/>`.
    unrequested: u32,
    /// When the oldest of them was sent, or when an answer left some of those before unacked.
    unrequested_since: Option<Instant>,
    /// When the `<r/>` went out that is not answered yet.
    requested_at: Option<Instant>,
    first_h: u32,
    /// How long the session may hibernate; `None`: not resumable.
    resume: Option<std::time::Duration>,
    /// What the client has acknowledged since it was last asked after.
    arrived: Option<Arrived>,
    stopwatch: Stopwatch,
    /// What [`Sm::take_ack_latency`] takes.
    ack_latency: Option<std::time::Duration>,
}

/// Stanzas that the client has acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrived {
    /// [`Outbound::number`] of the last of them.
    pub through: u64,
    /// Whether one of them may have copies elsewhere.
    pub has_copies: bool,
}

/// How long a full unacked queue waits for its next `<r/>` if `sm.ack_request_delay` is zero.
const FULL_QUEUE_REQUEST_DELAY: std::time::Duration = std::time::Duration::from_secs(1);

impl Sm {
    /// Counters at `<enabled/>`. `resume`: how long the session may hibernate, if at all.
    pub fn new(first_h: u32, resume: Option<std::time::Duration>) -> Self {
        Self {
            handled: first_h,
            told: first_h,
            untold_since: None,
            unacked: UnackedQueue::new(first_h),
            unacked_bytes: 0,
            unrequested: 0,
            unrequested_since: None,
            requested_at: None,
            first_h,
            resume,
            arrived: None,
            stopwatch: Stopwatch::default(),
            ack_latency: None,
        }
    }

    /// Stream management that outlived the process. Which of the stanzas the client has, it says
    /// when it resumes; so all of them count as sent.
    pub fn restored(
        handled: u32,
        acked: u32,
        resume: Option<std::time::Duration>,
        stanzas: impl IntoIterator<Item = Outbound>,
    ) -> Self {
        let mut sm = Self::new(handled, resume);
        sm.unacked = UnackedQueue::new(acked);
        for stanza in stanzas {
            sm.unacked_bytes += stanza.size_bytes();
            sm.unacked.push(stanza);
        }
        sm
    }

    /// What the client has acknowledged since this was last called.
    pub fn take_arrived(&mut self) -> Option<Arrived> {
        self.arrived.take()
    }

    /// How long the oldest stanza that the last `<a/>` covered had been on its way; once for each
    /// `<a/>` that covers any. Not of what a `<resume/>` covers: that is as long as a client is
    /// away.
    pub fn take_ack_latency(&mut self) -> Option<std::time::Duration> {
        self.ack_latency.take()
    }

    /// When the oldest unacked stanza was last sent; `None`: there is none, or the last process
    /// sent it.
    pub fn oldest_sent(&self) -> Option<Instant> {
        self.stopwatch.instant(self.unacked.oldest()?.sent)
    }

    /// How many stanzas of the client are handled, modulo 2^32: the `h` we send.
    pub fn handled(&self) -> u32 {
        self.handled
    }

    /// How many stanzas were sent to the client, modulo 2^32.
    pub fn sent(&self) -> u32 {
        self.unacked.sent()
    }

    /// How many stanzas the client has acknowledged, modulo 2^32.
    pub fn acked(&self) -> u32 {
        // The bound of the queue is far below 2^32, so the cast loses nothing.
        self.sent().wrapping_sub(self.unacked.len() as u32)
    }

    /// How many stanzas the client has not acknowledged.
    pub fn unacked_len(&self) -> usize {
        self.unacked.len()
    }

    /// How many bytes are kept of them.
    pub fn unacked_bytes(&self) -> usize {
        self.unacked_bytes
    }

    /// How long the session may hibernate; `None` if `<resume/>` was not granted.
    pub fn resume_timeout(&self) -> Option<std::time::Duration> {
        self.resume
    }

    /// The unacked stanzas, oldest first.
    pub fn unacked(&self) -> impl Iterator<Item = &Outbound> {
        self.unacked.iter()
    }

    /// The unacked stanzas of a session that is over.
    pub fn into_unacked(self) -> impl Iterator<Item = Outbound> {
        self.unacked.into_stanzas()
    }

    /// The backend took responsibility for one stanza of the client.
    ///
    /// Returns whether an unsolicited `<a/>` is due: after every Nth stanza since `<enabled/>`.
    pub(super) fn on_handled(&mut self, now: Instant, options: &SmOptions) -> bool {
        self.handled = self.handled.wrapping_add(1);
        self.untold_since.get_or_insert(now);
        let n = options.unsolicited_ack_frequency;
        n != 0 && self.handled.wrapping_sub(self.first_h).is_multiple_of(n)
    }

    /// Whether more is handled than the client was told.
    pub(super) fn has_news(&self) -> bool {
        self.told != self.handled
    }

    /// An answer that is waited for may take as long again.
    pub(super) fn restart_answer_deadline(&mut self, now: Instant) {
        if let Some(requested_at) = &mut self.requested_at {
            *requested_at = now;
        }
    }

    /// The `h` for an `<a/>` or `<resumed/>` that goes out now.
    pub(super) fn tell(&mut self) -> u32 {
        self.told = self.handled;
        self.untold_since = None;
        self.handled
    }

    /// When the unsolicited `<a/>` of a lone stanza is due.
    pub(super) fn untold_deadline(&self, options: &SmOptions) -> Option<Instant> {
        let off = options.unsolicited_ack_frequency == 0 || options.unsolicited_ack_delay.is_zero();
        if off || self.told == self.handled {
            return None;
        }
        Some(self.untold_since? + options.unsolicited_ack_delay)
    }

    /// Whether one more stanza may be sent: the unacked queue is below `times` its bounds.
    pub(super) fn has_room(&self, options: &SmOptions, times: usize) -> bool {
        self.unacked.len() < options.max_unacked.saturating_mul(times)
            && self.unacked_bytes < options.max_unacked_bytes.saturating_mul(times)
    }

    /// A stanza goes to the transport. Returns whether an `<r/>` is due.
    pub(super) fn on_sent(
        &mut self,
        now: Instant,
        mut stanza: Outbound,
        options: &SmOptions,
    ) -> bool {
        stanza.sent = self.stopwatch.read(now);
        self.unacked_bytes += stanza.size_bytes();
        self.unacked.push(stanza);
        self.unrequested = self.unrequested.saturating_add(1);
        self.unrequested_since.get_or_insert(now);
        self.request_is_due(options)
    }

    /// One request at a time: a client that is behind is not asked again before it answers.
    fn request_is_due(&self, options: &SmOptions) -> bool {
        self.requested_at.is_none()
            && ((options.ack_request_frequency != 0
                && self.unrequested >= options.ack_request_frequency)
                || (self.unrequested > 0 && !self.has_room(options, 1)))
    }

    /// An `<r/>` goes out now.
    pub(super) fn on_request_sent(&mut self, now: Instant) {
        self.requested_at = Some(now);
        self.unrequested = 0;
        self.unrequested_since = None;
    }

    /// When the `<r/>` for a lone stanza is due.
    pub(super) fn request_deadline(&self, options: &SmOptions) -> Option<Instant> {
        if self.requested_at.is_some() {
            return None;
        }
        let delay = match options.ack_request_delay {
            delay if !delay.is_zero() => delay,
            // No further stanza will bring the number about: an answer has to make room first.
            _ if !self.has_room(options, 1) => FULL_QUEUE_REQUEST_DELAY,
            _ => return None,
        };
        Some(self.unrequested_since? + delay)
    }

    /// When an unanswered `<r/>` means that the link is dead.
    pub(super) fn answer_deadline(&self, options: &SmOptions) -> Option<Instant> {
        Some(self.requested_at? + options.ack_timeout)
    }

    /// The client said how much it handled. Returns whether the next `<r/>` is due.
    ///
    /// An answer overtaken by another one is ignored (XEP-0198 §4 counts up only). A client may
    /// answer before it has handled what it got, so what an answer leaves is asked for again.
    pub(super) fn on_answer(
        &mut self,
        now: Instant,
        h: u32,
        options: &SmOptions,
    ) -> Result<bool, HandledCountTooHigh> {
        if self.unacked.is_stale(h) {
            return Ok(false);
        }
        let oldest = self.oldest_sent().filter(|_| h != self.acked());
        self.forget_handled(h)?;
        self.ack_latency = oldest.map(|sent| now.saturating_duration_since(sent));
        self.requested_at = None;
        if self.unacked.is_empty() {
            self.unrequested = 0;
            self.unrequested_since = None;
        } else {
            self.unrequested_since.get_or_insert(now);
        }
        Ok(self.request_is_due(options))
    }

    fn forget_handled(&mut self, h: u32) -> Result<(), HandledCountTooHigh> {
        let (bytes, arrived) = (&mut self.unacked_bytes, &mut self.arrived);
        self.unacked.on_ack_answer(h, |stanza| {
            *bytes -= stanza.size_bytes();
            stanza.copies.arrive();
            stanza.receipt.arrive();
            let had_copies = arrived.is_some_and(|arrived| arrived.has_copies);
            *arrived = Some(Arrived {
                through: stanza.number,
                has_copies: had_copies || stanza.copies.are_some(),
            });
        })?;
        Ok(())
    }

    /// The session goes on under a new stream whose client has handled `h` (XEP-0198 §5).
    ///
    /// What it has not handled stays in the queue and is sent again now by the caller, who asks
    /// for an ack after it.
    pub(super) fn on_resume(&mut self, now: Instant, h: u32) -> Result<(), HandledCountTooHigh> {
        // No stale answers here: a client that resumes says how much it has handled.
        self.forget_handled(h)?;
        self.requested_at = None;
        self.unrequested = 0;
        self.unrequested_since = None;
        let sent = self.stopwatch.read(now);
        self.unacked
            .iter_mut()
            .for_each(|stanza| stanza.sent = sent);
        Ok(())
    }
}
