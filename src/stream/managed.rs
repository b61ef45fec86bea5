//! A bound stream: stanzas in both directions, and stream management (XEP-0198).

use super::input::{Input, count};
use super::{
    Bound, Event, Finish, Framing, Notice, Outbound, Sm, State, Stream, StreamFault, Transmit,
    write,
};
use crate::stanza::{
    ByteString, Condition, IqType, Kind, Stanza, StanzaError, error_reply, stamped,
};
use crate::xml::Frame;
use std::time::{Duration, Instant, SystemTime};

const BIND_NS: &str = "urn:ietf:params:xml:ns:xmpp-bind";

impl Stream {
    pub(super) fn on_bound(&mut self, now: Instant, frame: &Frame<'_, '_>, input: Input) {
        match input {
            Input::Stanza => self.on_stanza(now, frame),
            Input::AckRequest => self.on_ack_request(now),
            Input::AckAnswer { h } => self.on_ack_answer(now, h.as_deref()),
            Input::Enable { resume, max } => self.on_enable(resume, max),
            // XEP-0198 §5: a bound stream has a session already.
            Input::Resume { .. } => self.element(write::sm_failed("unexpected-request", None)),
            Input::Inactive(inactive) => self.events.push_back(Event::Inactive(inactive)),
            // RFC 6120 §4.9.1: an error of the peer ends the stream.
            Input::Error => self.on_close(),
            Input::Auth { .. } | Input::Response { .. } | Input::Abort => {
                self.fail(now, StreamFault::UnsupportedStanzaType); // RFC 6120 §6.4.6
            }
            Input::Open(_) | Input::Close => {} // dealt with for all states
        }
    }

    fn on_stanza(&mut self, now: Instant, frame: &Frame<'_, '_>) {
        let State::Bound(bound) = &mut self.state else {
            return;
        };
        match Stanza::of_client(frame, &bound.jid) {
            Some(Ok(stanza)) if is_second_bind(&stanza) => {
                // RFC 6120 §7.6.2
                let answer = error_reply(&stanza, &StanzaError::from(Condition::NotAllowed));
                self.answer(answer, stanza.kind);
                self.on_handled(now);
            }
            Some(Ok(stanza)) => {
                bound.routing = true;
                self.events.push_back(Event::Route(stanza));
            }
            Some(Err(refused)) => {
                let answer = refused.reply(bound.jid.as_str(), &self.host);
                self.answer(answer, Kind::Iq(IqType::Error));
                // XEP-0198 §4: what is answered by an error is handled, too.
                self.on_handled(now);
            }
            None => self.fail(now, StreamFault::UnsupportedStanzaType),
        }
    }

    /// An answer of the stream itself takes the way of all stanzas: through the mailbox.
    fn answer(&mut self, text: Option<ByteString>, kind: Kind) {
        if let Some(text) = text {
            let at = SystemTime::UNIX_EPOCH; // never stamped: only messages and presences are
            self.events
                .push_back(Event::Answer(Outbound::new(text, kind, at)));
        }
    }

    pub(super) fn on_handled(&mut self, now: Instant) {
        let options = &self.options;
        let bound = match &mut self.state {
            State::Bound(bound) => bound,
            // The stream ended while the backend had the stanza in hand: it counts all the same.
            State::Closing { finish, .. } | State::Closed { finish } => {
                if let Finish::Hibernate(sm) | Finish::End { sm: Some(sm), .. } = finish {
                    sm.on_handled(now, &options.sm);
                }
                return;
            }
            _ => return,
        };
        bound.routing = false;
        let Some(sm) = &mut bound.sm else { return };
        if sm.on_handled(now, &options.sm) {
            let h = sm.tell();
            self.transmits.push_back(Transmit::Element(write::ack(h)));
        }
    }

    /// XEP-0198 §4: always answered, at once.
    fn on_ack_request(&mut self, now: Instant) {
        let State::Bound(bound) = &mut self.state else {
            return;
        };
        match &mut bound.sm {
            Some(sm) => {
                let h = sm.tell();
                self.element(write::ack(h));
            }
            None => self.fail(now, StreamFault::UnsupportedStanzaType),
        }
    }

    fn on_ack_answer(&mut self, now: Instant, h: Option<&str>) {
        let options = &self.options;
        let State::Bound(bound) = &mut self.state else {
            return;
        };
        let Some(sm) = &mut bound.sm else {
            return self.fail(now, StreamFault::UnsupportedStanzaType);
        };
        // Something that is no count frees nothing; the next answer will.
        let Some(h) = count(h) else { return };
        match sm.on_answer(now, h, &options.sm) {
            Ok(true) => self.request_ack(now),
            Ok(false) => {}
            Err(fault) => self.fail(now, StreamFault::HandledCountTooHigh(fault)),
        }
    }

    /// XEP-0198 §3.
    fn on_enable(&mut self, resume: bool, max: Option<u64>) {
        let options = &self.options;
        let State::Bound(bound) = &mut self.state else {
            return;
        };
        if !options.sm.enabled || bound.sm.is_some() {
            return self.element(write::sm_failed("unexpected-request", None));
        }
        let resume =
            (resume && options.sm.resumable()).then(|| granted(max, options.sm.resume_timeout));
        bound.sm = Some(Box::new(Sm::new(options.sm.first_h, resume)));
        let enabled = write::enabled(resume.map(|max| (&*bound.previd, max)));
        self.element(enabled);
        self.events
            .push_back(Event::Notice(Notice::Managed { resume }));
    }

    /// A stanza for the client, only while [`Stream::has_room`]. Counted and queued here and
    /// nowhere else, so that both sides count the same (XEP-0198 §4).
    pub fn deliver(&mut self, now: Instant, stanza: Outbound) {
        self.take_up_options();
        let options = &self.options;
        let State::Bound(bound) = &mut self.state else {
            return;
        };
        let transmit = match bound.stale > 0 {
            true => anew(&stanza, &self.host),
            false => first(&stanza),
        };
        bound.stale = bound.stale.saturating_sub(1);
        self.transmits.push_back(transmit);
        let request_is_due = match &mut bound.sm {
            Some(sm) => sm.on_sent(now, stanza, &options.sm),
            None => {
                if self.framing == Framing::WebSocket {
                    stanza.copies.arrive(); // over BOSH the transport knows better
                }
                false
            }
        };
        if request_is_due {
            self.request_ack(now);
        }
    }

    /// The text of a stanza that [`Stream::deliver`] would send now: for a transcoder, which has its
    /// say before.
    pub fn text_of(&self, stanza: &Outbound) -> ByteString {
        match &self.state {
            State::Bound(bound) if bound.stale > 0 => late(stanza, &self.host),
            _ => stanza.text.clone(),
        }
    }

    /// In the place of [`Stream::deliver`]: the stanza does not go to the client, and counts for
    /// neither side.
    pub fn pass_over(&mut self, stanza: &Outbound) {
        if let State::Bound(bound) = &mut self.state {
            bound.stale = bound.stale.saturating_sub(1);
        }
        stanza.copies.arrive();
    }

    /// The last word before a close: what the client need not send again elsewhere.
    pub(super) fn tell_before_close(&mut self, state: &mut State) {
        if let State::Bound(bound) = state
            && let Some(sm) = &mut bound.sm
            && sm.has_news()
        {
            let h = sm.tell();
            self.transmits.push_back(Transmit::Element(write::ack(h)));
        }
    }

    /// The client is read again: it has as long to answer as if it had been asked now.
    pub(super) fn on_unpaused(&mut self, now: Instant) {
        if let State::Bound(bound) = &mut self.state
            && let Some(sm) = &mut bound.sm
        {
            sm.restart_answer_deadline(now);
        }
    }

    fn request_ack(&mut self, now: Instant) {
        let State::Bound(bound) = &mut self.state else {
            return;
        };
        let Some(sm) = &mut bound.sm else { return };
        sm.on_request_sent(now);
        self.transmits
            .push_back(Transmit::Element(write::ACK_REQUEST.into()));
    }

    /// XEP-0198 §5: `<resumed/>`, then exactly what is missing, in order. All of it is stamped
    /// (XEP-0203): a client that finds stamps on some stanzas only shows them out of order.
    pub(super) fn resend(&mut self, now: Instant) {
        let State::Bound(bound) = &mut self.state else {
            return;
        };
        let Bound {
            previd,
            sm: Some(sm),
            ..
        } = &mut **bound
        else {
            return;
        };
        let h = sm.tell();
        self.transmits
            .push_back(Transmit::Element(write::resumed(previd, h)));
        let again = sm.unacked_len();
        let missing = sm.unacked().map(|stanza| anew(stanza, &self.host));
        self.transmits.extend(missing);
        self.events
            .push_back(Event::Notice(Notice::Resumed { again }));
        if again > 0 {
            self.request_ack(now);
        }
    }

    pub(super) fn on_sm_timeout(&mut self, now: Instant) {
        let options = &self.options;
        let answer_counts = self.silence_is_loss();
        let State::Bound(bound) = &mut self.state else {
            return;
        };
        let Some(sm) = &mut bound.sm else { return };
        let due = |deadline: Option<Instant>| deadline.is_some_and(|deadline| deadline <= now);
        if due(sm.untold_deadline(&options.sm)) {
            let h = sm.tell();
            self.transmits.push_back(Transmit::Element(write::ack(h)));
        }
        if answer_counts && due(sm.answer_deadline(&options.sm)) {
            return self.fail(now, StreamFault::AckTimeout);
        }
        if due(sm.request_deadline(&options.sm)) {
            self.request_ack(now);
        }
    }

    pub(super) fn sm_deadline(&self) -> Option<Instant> {
        let options = &self.options;
        let State::Bound(bound) = &self.state else {
            return None;
        };
        let sm = bound.sm.as_ref()?;
        let answer = sm.answer_deadline(&options.sm);
        let answer = answer.filter(|_| self.silence_is_loss());
        [
            sm.untold_deadline(&options.sm),
            answer,
            sm.request_deadline(&options.sm),
        ]
        .into_iter()
        .flatten()
        .min()
    }
}

impl Stream {
    /// Whether an unanswered `<r/>` means that the link is dead.
    fn silence_is_loss(&self) -> bool {
        // While the backend has a stanza in hand nothing is read, so no answer can come; and the
        // session may only be let go when `h` is right. A BOSH client may be away for as long as
        // it was granted, and its `inactivity` tells when it is lost (XEP-0124 §10).
        let is_routing = matches!(&self.state, State::Bound(bound) if bound.routing);
        // Nor can one come while the client is not read. If nothing more may be sent either, the
        // link is of no use any more, and the client says in its `<resume/>` what it has handled.
        let is_heard = !self.paused || !self.has_room();
        !is_routing && is_heard && self.framing == Framing::WebSocket
    }
}

fn is_second_bind(stanza: &Stanza) -> bool {
    stanza.to.is_none()
        && stanza
            .payload
            .as_ref()
            .is_some_and(|payload| payload.is("bind", BIND_NS))
}

/// What the client asked for, if that is less than what we offer (XEP-0198 §3).
fn granted(max: Option<u64>, offered: Duration) -> Duration {
    match max {
        Some(max) if max > 0 => offered.min(Duration::from_secs(max)),
        _ => offered,
    }
}

/// A stanza that its client gets in time.
fn first(stanza: &Outbound) -> Transmit {
    match stanza.wire.as_deref() {
        Some(wire) => Transmit::Transcoded(wire.clone()),
        None => Transmit::Element(stanza.text.clone()),
    }
}

/// A stanza that comes late or once more. What a transcoder has made is as it was the first time.
fn anew(stanza: &Outbound, host: &str) -> Transmit {
    match stanza.wire.as_deref() {
        Some(wire) => Transmit::Transcoded(wire.clone()),
        None => Transmit::Element(late(stanza, host)),
    }
}

/// A stanza that comes late, with the time when it should have come. One that carries a stamp
/// already, and every iq, goes as it is.
fn late(stanza: &Outbound, host: &str) -> ByteString {
    let may_be_stamped = !matches!(stanza.kind, Kind::Iq(_));
    if may_be_stamped && !stanza.text.contains("urn:xmpp:delay") {
        stamped(&stanza.text, host, stanza.at)
    } else {
        stanza.text.clone()
    }
}
