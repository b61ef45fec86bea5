//! What both transports share above the stream: the backend, the session and its mailbox.
//!
//! A [`Driver`] moves things between a [`Stream`] and what stands behind it and decides nothing.
//! The transport calls [`Driver::poll`], writes what [`Driver::poll_transmit`] gives, and feeds
//! frames while [`Driver::wants_frame`]. At the end it awaits [`Driver::finish`].

mod expiry;
mod meter;
mod pace;
mod pending;
mod recorder;
mod sent;
mod transcoded;

use super::door::{Door, DoorOptions, Lost};
use crate::auth::Admission;
use crate::backend::{Backend, Connection, Routed, SaslExchange, Transport};
use crate::budget::Charge;
use crate::http::departure::Farewell;
use crate::http::transcoder::Transcoding;
use crate::metrics::{Figures, Resumption, ThrottleAction};
use crate::sessions::{
    Claimed, Command, Delivered, EndReason, Mail, QuotaOptions, Quotas, Session, Sessions, Tiers,
};
use crate::stanza::{ByteString, Stanza, error_kind};
use crate::store::journal::Journal;
use crate::stream::{
    Event, Finish, Framing, Notice, OpenRequest, Outbound, Reply, SharedOptions, Sm, Stream,
    StreamFault, Transmit,
};
use expiry::Expiry;
use meter::Meter;
use pace::{Bound, Pace, Verdict};
use pending::{Answer, Pending};
use recorder::{Held, Recorder, record_sent};
use sent::Sent;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

/// How many stanzas leave the mailbox in one go, before the transport writes.
const MAIL_BATCH: usize = 64;

/// How long one stanza to a full mailbox slows its sender. Whoever reads slowly slows others, but
/// does not stop them: what comes on meets the hard bound of the mailbox, where its session ends.
const PRESSED_TIMEOUT: Duration = Duration::from_secs(2);

/// How often a sender that is slowed looks whether it still is: nobody tells it when the budget
/// (`limits.memory`) has room again.
const PRESSED_LOOK: Duration = Duration::from_millis(100);

/// A session whose mailbox our client filled over its bound, or that it sent to while all hold too
/// much: our client waits for it.
struct Pressed {
    session: Arc<Session>,
    /// But not for longer than until then.
    until: Instant,
    look_at: Instant,
}

/// What a driver needs of the server.
#[derive(Clone)]
pub struct Rooms {
    /// Who answers.
    pub backend: Arc<dyn Backend>,
    /// Who is here.
    pub sessions: Arc<Sessions>,
    /// The options of streams.
    pub options: SharedOptions,
    /// How much each account may send.
    pub quotas: Arc<Quotas>,
    /// How much those may send who are in a tier.
    pub tiers: Arc<Tiers>,
    /// How fast newcomers are let in.
    pub door: Arc<Door>,
    /// What is counted for the operator.
    pub figures: Arc<Figures>,
}

impl Rooms {
    /// Rooms in which neither accounts nor newcomers are bounded.
    pub fn unlimited(
        backend: Arc<dyn Backend>,
        sessions: Arc<Sessions>,
        options: SharedOptions,
    ) -> Self {
        Self {
            backend,
            sessions,
            options,
            quotas: Arc::new(Quotas::new(QuotaOptions::UNLIMITED)),
            tiers: Arc::default(),
            door: Arc::new(Door::new(DoorOptions::UNLIMITED)),
            figures: Arc::default(),
        }
    }
}

/// A stream with what stands behind it.
pub struct Driver {
    stream: Stream,
    rooms: Arc<Rooms>,
    connection: Arc<Connection>,
    expiry: Expiry,
    session: Option<Arc<Session>>,
    /// When this stream took over a session that had hibernated.
    resumed_at: Option<Box<Instant>>,
    /// Another stream wants the session: its client is here already.
    handed_over: bool,
    exchange: Option<Box<dyn SaslExchange>>,
    pending: Option<Pending>,
    pressed: Option<Box<Pressed>>,
    /// Our client waits also while its account sends too much.
    pace: Pace,
    /// An order that waits until the backend is done with the stanza in hand.
    command: Option<Command>,
    /// Why this side ended the session, if it did.
    reason: Option<EndReason>,
    /// The last stanzas for the client, over BOSH without stream management.
    sent: Option<Box<Sent>>,
    recorder: Recorder,
    /// What waits for the disk; a session that is not recorded never has any.
    held: Option<Box<Held>>,
    /// What waits with the transport.
    queued: Charge,
    meter: Meter,
    /// Who speaks with the client, if that is not in XML.
    transcoding: Option<Arc<Transcoding>>,
}

impl Driver {
    /// A driver for a link that is up.
    pub fn new(rooms: Arc<Rooms>, connection: Arc<Connection>, framing: Framing) -> Self {
        let now = crate::clock::now();
        let offer = rooms.backend.offer(&connection);
        let stream = Stream::new(
            now,
            framing,
            offer,
            rooms.options.clone(),
            crate::random::bits,
        );
        Self {
            stream,
            pace: Pace::new(rooms.quotas.clone(), rooms.tiers.clone()),
            meter: Meter::new(&rooms.figures, &connection.endpoint),
            rooms,
            expiry: Expiry::of(now, connection.admission.as_deref()),
            connection,
            session: None,
            resumed_at: None,
            handed_over: false,
            exchange: None,
            pending: None,
            pressed: None,
            command: None,
            reason: None,
            sent: None,
            recorder: Recorder::default(),
            held: None,
            queued: Charge::default(),
            transcoding: None,
        }
    }

    /// What the client says and hears goes through this.
    pub fn transcoded_by(self, transcoding: Option<Arc<Transcoding>>) -> Self {
        Self {
            transcoding,
            ..self
        }
    }

    /// Whether a frame may be fed: otherwise leave it where it is, and its sender is slowed.
    pub fn wants_frame(&self) -> bool {
        let is_free = self.pending.is_none() && self.pressed.is_none() && !self.pace.is_slowed();
        let is_behind = self.held.as_ref().is_some_and(|held| held.is_behind());
        is_free && self.stream.wants_frame() && self.held_has_room() && !is_behind
    }

    /// The longest frame that is accepted now, in bytes.
    pub fn max_frame_bytes(&self) -> usize {
        self.stream.max_frame_bytes()
    }

    /// Whether the client has logged in.
    pub fn is_authenticated(&self) -> bool {
        self.stream.is_authenticated()
    }

    /// Whether both sides have closed the stream.
    pub fn is_over(&self) -> bool {
        self.stream.is_over()
    }

    /// Whether our close is out or about to be.
    pub fn is_closing(&self) -> bool {
        self.stream.is_closing()
    }

    /// A frame from the client.
    pub fn on_frame(&mut self, now: Instant, text: &str) {
        match self.transcoding {
            None => self.on_xml(now, text, text.len()),
            Some(_) => self.on_foreign_frame(now, text),
        }
    }

    /// An element that came in so many bytes.
    fn on_xml(&mut self, now: Instant, text: &str, came_bytes: usize) {
        let bytes = text.len().max(came_bytes);
        self.pace.on_frame(now, bytes);
        self.meter.on_frame(came_bytes);
        self.in_unit(|driver| {
            driver.stream.on_frame(now, text);
            driver.on_events(now);
        });
        self.note_acks();
        if let Some(bound) = self.pace.after_frame(now, bytes) {
            self.note_throttled(ThrottleAction::Slowed, bound);
            if self.pace.is_worth_a_note(now) {
                self.log_excess("slowed", bound);
            }
        }
    }

    fn journal(&self) -> Option<&Arc<Journal>> {
        self.session.as_ref()?.journal()
    }

    /// One step, which is recorded in one piece.
    fn in_unit<T>(&mut self, step: impl FnOnce(&mut Self) -> T) -> T {
        // The step that brings the session begins nothing else.
        let session = self.session.as_ref();
        let Some(session) = session.filter(|session| session.journal().is_some()) else {
            return step(self);
        };
        let session = session.clone();
        let unit = session.unit();
        let done = step(self);
        self.recorder.record(&session, &mut self.stream);
        if unit.is_some_and(|unit| unit.has_strays()) && self.pending.is_some() {
            self.recorder.record_early(&session);
        }
        done
    }

    /// The client opens or restarts the stream (BOSH).
    pub fn on_open(&mut self, now: Instant, open: &OpenRequest) {
        self.stream.on_open(now, open);
        self.on_events(now);
    }

    /// The client closes the stream (BOSH).
    pub fn on_close(&mut self) {
        self.stream.on_close();
    }

    /// The client broke the framing.
    pub fn on_fault(&mut self, now: Instant, fault: StreamFault) {
        self.stream.on_fault(now, fault);
        self.on_events(now);
    }

    /// The server stops. A session that can be resumed goes on without this stream, or ends.
    pub fn leave(&mut self, now: Instant, farewell: Farewell) {
        match farewell {
            Farewell::UntilLater => self.stream.leave(now),
            Farewell::ForGood => {
                self.reason.get_or_insert(EndReason::Shutdown);
                self.stream.end(now, StreamFault::Shutdown);
            }
        }
        self.on_events(now);
    }

    /// When [`Driver::poll`] is to be called again in any case.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let pressed = self.pressed.as_ref();
        let pressed = pressed.map(|pressed| pressed.until.min(pressed.look_at));
        [
            pressed,
            self.expiry.poll_timeout(),
            self.pace.slowed_until(),
            self.stream.poll_timeout(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// To be called before the task sleeps: what a burst needed is given back.
    pub fn rest(&mut self) {
        self.stream.rest();
    }

    /// What goes to the client next.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        let held = self.held.as_mut();
        if let Some(transmit) = held.and_then(|held| held.pop()) {
            return Some(transmit);
        }
        let some_waits = self.held.as_ref().is_some_and(|held| !held.is_empty());
        if some_waits || self.journal().is_some() {
            return None;
        }
        self.stream.poll_transmit()
    }

    /// So many bytes wait with the transport until the client takes them: they count to what is
    /// held for its session.
    pub fn set_queued_bytes(&mut self, bytes: usize) {
        if let Some(session) = &self.session {
            session.charge_transport(&mut self.queued, bytes);
        }
    }

    /// Moves everything that can move. `writable`: the transport takes more stanzas.
    ///
    /// The waker of `cx` is told when there is more to do. Call again after writing what came.
    pub fn poll(&mut self, cx: &mut Context<'_>, now: Instant, writable: bool) {
        if self.stream.poll_timeout().is_some_and(|due| due <= now) {
            self.stream.on_timeout(now);
            self.on_events(now);
        }
        if self.expiry.has_come(now) && !matches!(self.command, Some(Command::End(_))) {
            self.command = Some(Command::End(EndReason::AccessExpired));
        }
        let mut batch = MAIL_BATCH;
        loop {
            self.poll_pressed(cx, now);
            let progressed = self.in_unit(|driver| driver.poll_pending(cx, now)) | self.obey(now);
            let mail = batch > 0 && self.poll_mail(cx, now, writable);
            batch -= usize::from(mail);
            if !progressed && !mail {
                break;
            }
        }
        if batch == 0 {
            cx.waker().wake_by_ref();
        }
        self.poll_journal(cx);
        self.note_unacked();
    }

    fn note_acks(&mut self) {
        let acked = self.stream.sm_mut().and_then(Sm::take_ack_latency);
        if let Some(latency) = acked {
            self.rooms.figures.acked(latency);
        }
    }

    /// Looked at from outside, where nobody can see into the stream.
    fn note_unacked(&self) {
        if let (Some(session), Some(sm)) = (&self.session, self.stream.sm()) {
            let tally = session.tally();
            tally.set_unacked(sm.unacked_len(), sm.oldest_sent());
        }
    }

    /// What was said goes out when it is true on disk.
    fn poll_journal(&mut self, cx: &mut Context<'_>) {
        let Some(journal) = self.journal().cloned() else {
            return;
        };
        let held = self.held.get_or_insert_default();
        held.hold(&journal, &mut self.stream);
        held.poll(cx, &journal);
    }

    fn held_has_room(&self) -> bool {
        self.held.as_ref().is_none_or(|held| held.has_room())
    }

    fn poll_pressed(&mut self, cx: &mut Context<'_>, now: Instant) {
        if let Some(pressed) = &mut self.pressed {
            if pressed.until <= now || pressed.session.poll_relieved(cx).is_ready() {
                self.pressed = None;
            } else {
                pressed.look_at = now + PRESSED_LOOK;
            }
        }
        let session = self.session.as_deref();
        self.pace.on_time(now, session, &self.connection);
        let paused = self.pressed.is_some() || self.pace.is_slowed();
        self.stream.set_paused(now, paused);
    }

    /// One piece of mail. Commands come before stanzas, and also to a stream without room.
    fn poll_mail(&mut self, cx: &mut Context<'_>, now: Instant, writable: bool) -> bool {
        let Some(session) = &self.session else {
            return false;
        };
        let wanted = writable && self.held_has_room() && self.stream.has_room();
        match session.poll_mail(cx, wanted) {
            Poll::Pending => return false,
            Poll::Ready(Mail::Command(command)) => self.command = Some(command),
            Poll::Ready(Mail::Stanza(stanza)) => {
                let mut stanza = stanza;
                if self.transcoding.is_some() && !self.transcode(now, &mut stanza) {
                    return true;
                }
                let Some(session) = &self.session else {
                    return true;
                };
                self.meter.on_sent(session, &stanza);
                let bosh = self.connection.transport == Transport::Bosh;
                if !self.stream.is_managed() {
                    if bosh {
                        self.sent.get_or_insert_default().note(&stanza);
                    }
                    record_sent(session, stanza.number, stanza.copies.are_some());
                }
                self.stream.deliver(now, stanza);
            }
        }
        true
    }

    /// Lets go of the session when the stanza in hand is dealt with, so that `h` is right.
    fn obey(&mut self, now: Instant) -> bool {
        if self.pending.is_some() {
            return false;
        }
        let Some(command) = self.command.take() else {
            return false;
        };
        match command {
            Command::HandOver => {
                self.handed_over = true;
                self.stream.hand_over(now);
            }
            Command::End(reason) => {
                self.reason.get_or_insert(reason);
                self.stream.end(now, fault_of(reason));
            }
        }
        self.on_events(now);
        true
    }

    fn poll_pending(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        let Some(pending) = &mut self.pending else {
            return false;
        };
        let Poll::Ready(answer) = pending.poll(cx) else {
            return false;
        };
        self.pending = None;
        self.on_answer(now, answer);
        true
    }

    fn on_answer(&mut self, now: Instant, answer: Answer) {
        let is_claim = matches!(answer, Answer::Claimed(_));
        let was_closing = self.stream.is_closing();
        let reply = match answer {
            Answer::Reply(reply) => {
                if !matches!(reply, Reply::Challenge(_)) {
                    self.exchange = None;
                }
                reply
            }
            Answer::Authenticated {
                account,
                data,
                admission,
            } => {
                self.exchange = None;
                self.log_authenticated(account.as_str());
                self.meter.on_login(&self.rooms.figures, Ok(()));
                if let Some(admission) = admission {
                    self.set_admission(now, &admission);
                }
                Reply::Authenticated { account, data }
            }
            Answer::Bound(session) => {
                tracing::info!(
                    session = %session.id().short(), jid = %session.jid(),
                    transport = self.connection.transport.as_str(),
                    endpoint = &*self.connection.endpoint, address = %self.connection.address,
                    "session bound"
                );
                let reply = Reply::Bound {
                    jid: session.jid().clone(),
                    previd: session.id().to_string(),
                };
                let sessions = &self.rooms.sessions;
                sessions.opened(&session, self.connection.clone());
                self.pace.on_session(now, &session, &self.connection);
                self.on_session(now, session);
                reply
            }
            Answer::Claimed(Claimed { session, sm }) => {
                self.recorder.on_resumed(&sm);
                self.resumed_at = Some(Box::new(now));
                let reply = Reply::Resumed {
                    jid: session.jid().clone(),
                    previd: session.id().to_string(),
                    sm,
                    waiting: session.waiting(),
                };
                let sessions = &self.rooms.sessions;
                sessions.resumed(&session, self.connection.clone());
                self.pace.on_session(now, &session, &self.connection);
                self.on_session(now, session);
                reply
            }
            Answer::NotClaimed(error) => {
                self.rooms.figures.resumption(error.cause.into());
                Reply::ResumeFailed { h: error.h }
            }
            Answer::Routed(pressed) => {
                self.press(now, pressed);
                Reply::Handled
            }
        };
        self.stream.on_backend(now, reply);
        self.on_events(now);
        if is_claim {
            let outcome = claimed(was_closing, self.stream.is_closing());
            self.rooms.figures.resumption(outcome);
        }
        self.end_if_login_is_over();
    }

    /// Its login at the web application ended between the upgrade and this moment.
    fn end_if_login_is_over(&mut self) {
        let Some(session) = &self.session else { return };
        let admission = session.admission();
        let login = admission
            .as_ref()
            .and_then(|admission| admission.login.as_deref());
        if login.is_some_and(|login| self.rooms.sessions.is_login_over(login)) {
            self.rooms.sessions.end(session, EndReason::Revoked);
        }
    }

    /// The login decided something itself: it goes before what was decided about the link.
    fn set_admission(&mut self, now: Instant, of_login: &Arc<Admission>) {
        let admission = match &self.connection.admission {
            Some(of_link) => Arc::new(of_link.then(of_login)),
            None => of_login.clone(),
        };
        self.expiry = Expiry::of(now, Some(&admission));
        self.connection = Arc::new(Connection {
            admission: Some(admission),
            ..Connection::clone(&self.connection)
        });
    }

    /// A session is bound or resumed. One that comes back over a link without an admission has its
    /// own still.
    fn on_session(&mut self, now: Instant, session: Arc<Session>) {
        self.expiry = Expiry::of(now, session.admission().as_deref());
        self.session = Some(session);
    }

    fn log_authenticated(&self, account: &str) {
        tracing::debug!(account, address = %self.connection.address, "authenticated");
    }

    fn on_events(&mut self, now: Instant) {
        while let Some(event) = self.stream.poll_event() {
            self.on_event(now, event);
        }
    }

    fn on_event(&mut self, now: Instant, event: Event) {
        match event {
            Event::SaslBegin {
                mechanism,
                initial,
                host,
            } => {
                self.meter.on_mechanism(mechanism);
                let backend = &self.rooms.backend;
                let mut exchange = backend.begin_sasl(&self.connection, &host, mechanism);
                self.pending = Some(Pending::Sasl(exchange.on_message(initial)));
                self.exchange = Some(exchange);
            }
            Event::SaslResponse(data) => {
                let exchange = self.exchange.as_mut();
                self.pending =
                    exchange.map(|exchange| Pending::Sasl(exchange.on_message(Some(data))));
            }
            Event::SaslAborted => self.exchange = None,
            Event::Register { host, request } => {
                let answer = self
                    .rooms
                    .backend
                    .register(&self.connection, &host, request);
                self.pending = Some(Pending::Register(answer));
            }
            Event::Bind { account, resource } => {
                let bound = self
                    .rooms
                    .backend
                    .bind(&self.connection, &account, resource);
                let turn = self.rooms.door.login_turn(now, account.as_str());
                self.pending = Some(Pending::login(turn, bound));
            }
            Event::Resume { account, previd } => {
                let sessions = self.rooms.sessions.clone();
                let subprotocol = self.connection.subprotocol.clone();
                let claim = async move {
                    let claimed = sessions.claim(&previd, &account, subprotocol.as_deref());
                    claimed.await
                };
                self.pending = Some(Pending::Claim(Box::pin(claim)));
            }
            Event::Route(stanza) => self.on_route(now, stanza),
            Event::Answer(stanza) => self.on_own_answer(now, stanza),
            Event::Inactive(inactive) => {
                if let Some(session) = &self.session {
                    session.set_inactive(inactive);
                }
            }
            Event::Notice(notice) => self.log(&notice),
        }
    }

    fn on_route(&mut self, now: Instant, stanza: Stanza) {
        let Some(session) = &self.session else { return };
        self.meter.on_stanza(session, &stanza);
        match self.pace.judge(now, &stanza, session, &self.connection) {
            Verdict::Serve => {}
            Verdict::Refuse(answer, bound) => return self.refuse(now, &stanza, answer, bound),
            Verdict::Close(bound) => {
                self.note_throttled(ThrottleAction::Closed, bound);
                self.log_excess("closed", bound);
                return self.stream.end(now, StreamFault::TooFast);
            }
        }
        match self.rooms.backend.route(session, stanza) {
            Routed::Later(future) => self.pending = Some(Pending::Route(future)),
            Routed::Pressed(full) => {
                self.press(now, Some(full));
                self.stream.on_backend(now, Reply::Handled);
            }
            Routed::Done => self.stream.on_backend(now, Reply::Handled),
        }
    }

    /// The stanza is over a bound of its sender. It is answered, and so it is handled.
    fn refuse(&mut self, now: Instant, stanza: &Stanza, answer: ByteString, bound: Bound) {
        self.note_throttled(ThrottleAction::Refused, bound);
        if self.pace.is_worth_a_note(now) {
            self.log_excess("refused", bound);
        }
        let (kind, at) = (error_kind(stanza.kind), crate::clock::time_of_day());
        self.on_own_answer(now, Outbound::new(answer, kind, at));
        self.stream.on_backend(now, Reply::Handled);
    }

    fn note_throttled(&self, action: ThrottleAction, bound: Bound) {
        let tier = self.pace.tier(bound);
        self.rooms.figures.throttled(&tier, action);
    }

    fn log_excess(&self, action: &str, bound: Bound) {
        let Some(session) = &self.session else { return };
        let (id, account) = (session.id().short(), session.account());
        match (bound, self.pace.place()) {
            (Bound::Tier, Some((tier, key))) => tracing::info!(
                session = %id, %account, action, tier, key,
                "more is sent than a tier allows"
            ),
            _ => tracing::info!(session = %id, %account, action, "an account sends too fast"),
        }
    }

    fn press(&mut self, now: Instant, full: Option<Arc<Session>>) {
        if full.is_some() {
            self.rooms.figures.slowed();
        }
        let pressed = |session| Pressed {
            session,
            until: now + PRESSED_TIMEOUT,
            look_at: now + PRESSED_LOOK,
        };
        self.pressed = full.map(pressed).map(Box::new);
    }

    fn on_own_answer(&mut self, now: Instant, stanza: Outbound) {
        let Some(session) = &self.session else { return };
        match session.deliver(stanza) {
            Delivered::Queued | Delivered::Gone(_) => {}
            Delivered::Pressed => {
                let session = session.clone();
                self.press(now, Some(session));
            }
            Delivered::Full(_) => {
                self.rooms.sessions.end(session, EndReason::Overflow);
            }
        }
    }

    /// Elements of [`Driver::poll_transmit`] that the transport knows it did not deliver, oldest
    /// first; to be called before [`Driver::finish`]. The stanzas among them go the way of what a
    /// session leaves behind. Where stream management is on it knows better, and they are ignored.
    pub fn give_back(&mut self, elements: &[Arc<str>]) {
        // What waits for the disk was not even taken.
        let held = self.held.take().map(|mut held| held.take_elements());
        let held = held.unwrap_or_default();
        let sent = self.sent.get_or_insert_default();
        let held = held.iter().rev().map(|element| &**element);
        let newest_first = held.chain(elements.iter().rev().map(|element| &**element));
        let newest_first = newest_first.filter_map(|element| {
            let Stanza { text, kind, .. } = Stanza::of_server(element.into())?;
            Some(sent.take(text, kind))
        });
        let mut undelivered: Vec<_> = newest_first.collect();
        undelivered.reverse();
        sent.undelivered = undelivered;
        sent.settle();
    }

    /// The link is gone, or the stream is over. Runs to its end: no stanza in hand is forgotten.
    pub async fn finish(mut self) {
        let now = crate::clock::now();
        if !matches!(
            self.pending,
            Some(Pending::Sasl(_) | Pending::Turn(..)) | None
        ) {
            // In units, as at any other time: what becomes of the stanza, and that it is handled.
            std::future::poll_fn(
                |cx| match self.in_unit(|driver| driver.poll_pending(cx, now)) {
                    true => Poll::Ready(()),
                    false => Poll::Pending,
                },
            )
            .await;
        }
        let Some(session) = self.session.take() else {
            return;
        };
        let mut undelivered = Vec::new();
        if let Some(mut sent) = self.sent.take() {
            sent.settle();
            undelivered = sent.undelivered;
        }
        let finish = self.stream.finish();
        if let Some(Command::End(reason)) = self.command {
            self.reason.get_or_insert(reason); // the stream ended before it was obeyed
        }
        let (sm, reason) = match outcome(finish, self.reason) {
            Outcome::Hibernates(sm) => {
                if !self.handed_over {
                    let lost = Lost {
                        address: self.connection.address,
                        resumed_at: self.resumed_at.as_deref().copied(),
                        until: now + sm.resume_timeout().unwrap_or_default(),
                    };
                    self.rooms.door.expect(now, lost);
                }
                return hibernate(&self.rooms, &session, sm, now).await;
            }
            Outcome::IsOver(sm, reason) => (sm, reason),
        };
        let is_managed = sm.is_some();
        let mut ending = self.rooms.sessions.close(&session, sm, reason);
        if !is_managed {
            ending.leftovers.splice(0..0, undelivered);
        }
        end(&self.rooms, ending).await;
    }

    fn log(&mut self, notice: &Notice) {
        let session = self
            .session
            .as_ref()
            .map(|session| session.id().short())
            .unwrap_or_default();
        let address = self.connection.address;
        match notice {
            Notice::AuthenticationFailed(failure) => {
                tracing::info!(%address, reason = %failure, "login refused");
                let sessions = &self.rooms.sessions;
                sessions.login_refused(&self.connection, failure);
                self.meter.on_login(&self.rooms.figures, Err(failure));
            }
            Notice::Managed { resume } => {
                let resume_seconds = resume.map(|max| max.as_secs());
                tracing::debug!(session, resume_seconds, "stream management enabled");
            }
            Notice::Resumed { again } => {
                let transport = self.connection.transport.as_str();
                tracing::info!(session, transport, %address, again, "session resumed");
                self.rooms.figures.resent(*again);
            }
            Notice::ResumeFailed => tracing::info!(%address, "resumption refused"),
            Notice::Fault(fault) => {
                let condition = fault.condition().as_str();
                tracing::info!(session, %address, condition, reason = %fault, "stream error");
                if let Some(session) = &self.session {
                    self.rooms.sessions.faulted(session, fault);
                }
            }
        }
    }
}

/// What came of a session that was claimed: whether its stream was over before it had the session,
/// and whether it is now.
fn claimed(was_closing: bool, is_closing: bool) -> Resumption {
    match (was_closing, is_closing) {
        (true, _) => Resumption::TooLate,
        (false, true) => Resumption::CountTooHigh,
        (false, false) => Resumption::Resumed,
    }
}

async fn hibernate(rooms: &Rooms, session: &Arc<Session>, sm: Box<Sm>, now: Instant) {
    let seconds = sm.resume_timeout().unwrap_or_default().as_secs();
    let unacked = sm.unacked_len();
    tracing::info!(session = %session.id().short(), jid = %session.jid(), unacked, seconds, "session hibernates");
    for ending in rooms.sessions.hibernate(session, sm, now) {
        end(rooms, ending).await;
    }
}

/// Passes a session that is over to the backend, and tells the operator.
pub async fn end(rooms: &Rooms, ending: crate::sessions::Ending) {
    ending.log();
    rooms.backend.ended(ending).await;
}

/// What becomes of a session.
#[derive(Debug)]
enum Outcome {
    Hibernates(Box<Sm>),
    IsOver(Option<Box<Sm>>, EndReason),
}

/// What becomes of a session whose stream came to this. An order to end it holds also if the stream
/// had let go of it before, for another stream or for a lost link.
fn outcome(finish: Finish, ordered: Option<EndReason>) -> Outcome {
    let (sm, reason) = match finish {
        Finish::Hibernate(sm) if ordered.is_none() => return Outcome::Hibernates(sm),
        Finish::Hibernate(sm) => (Some(sm), EndReason::LinkLost),
        Finish::End {
            sm,
            closed_by_client: true,
            ..
        } => (sm, EndReason::Closed),
        Finish::End {
            sm, fault: true, ..
        } => (sm, EndReason::StreamError),
        Finish::End { sm, .. } => (sm, EndReason::LinkLost),
        Finish::Unbound => (None, EndReason::LinkLost),
    };
    Outcome::IsOver(sm, ordered.unwrap_or(reason))
}

/// What the client hears when this side ends its session.
fn fault_of(reason: EndReason) -> StreamFault {
    match reason {
        EndReason::Conflict => StreamFault::Conflict,
        EndReason::Revoked => StreamFault::Revoked,
        EndReason::Removed => StreamFault::Removed,
        EndReason::AccessExpired => StreamFault::AccessExpired,
        EndReason::Shutdown => StreamFault::Shutdown,
        EndReason::Overflow
        | EndReason::Memory
        | EndReason::TooManyHibernating
        | EndReason::Closed
        | EndReason::LinkLost
        | EndReason::Expired
        | EndReason::StreamError => StreamFault::Overflow,
    }
}

#[cfg(test)]
mod admissions;

#[cfg(test)]
mod tests {
    use super::*;

    fn hibernating() -> Finish {
        Finish::Hibernate(Box::new(Sm::new(0, Some(Duration::from_secs(600)))))
    }

    #[test]
    fn a_session_whose_link_is_lost_hibernates() {
        assert!(matches!(
            outcome(hibernating(), None),
            Outcome::Hibernates(_)
        ));
    }

    /// Its stream had let go of it for another one when the account was revoked.
    #[test]
    fn an_order_to_end_holds_also_when_the_stream_has_let_go() {
        let outcome = outcome(hibernating(), Some(EndReason::Revoked));
        assert!(matches!(
            outcome,
            Outcome::IsOver(Some(_), EndReason::Revoked)
        ));
    }

    #[test]
    fn the_reason_of_this_side_goes_before_that_of_the_stream() {
        let finish = Finish::End {
            sm: None,
            closed_by_client: false,
            fault: true,
        };
        let outcome = outcome(finish, Some(EndReason::Conflict));
        assert!(matches!(
            outcome,
            Outcome::IsOver(None, EndReason::Conflict)
        ));
    }
}
