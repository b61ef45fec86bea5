//! Floor 3: the sans-I/O core of one stream (RFC 6120, RFC 7395, XEP-0198).
//!
//! No socket, no clock, no task, no channel: time is an argument, randomness a function. The owner
//! of a [`Stream`] calls, in this order and until nothing more comes:
//!
//! 1. [`Stream::on_frame`] with the next frame, only while [`Stream::wants_frame`];
//!    [`Stream::deliver`] with the next stanza for the client, only while [`Stream::has_room`];
//!    [`Stream::on_timeout`] when [`Stream::poll_timeout`] has come;
//! 2. [`Stream::poll_event`], answering with [`Stream::on_backend`];
//! 3. [`Stream::poll_transmit`], writing what comes in order.
//!
//! When the link is gone or [`Stream::is_over`], [`Stream::finish`] tells what becomes of the
//! session. WebSocket and BOSH share all of it and differ in their framing.

pub mod bosh;
mod copies;
mod fault;
mod input;
mod interface;
mod managed;
mod negotiation;
mod options;
mod receipt;
mod sent;
mod sm;
mod unacked;
mod write;

#[cfg(test)]
mod tests;

pub use copies::Copies;
pub use fault::{Condition, StreamFault};
pub use interface::{Event, Finish, Framing, Notice, OpenRequest, Outbound, Reply, Transmit};
pub use options::{SharedOptions, StreamOptions};
pub use receipt::{Receipt, Receipts};
pub use sm::{Arrived, Sm, SmOptions};
pub use unacked::{HandledCountTooHigh, UnackedQueue};
pub use write::{CLOSE, close_to, open};

use crate::auth::Offer;
use crate::stanza::ByteString;
use crate::stanza::address::{BareJid, FullJid};
use crate::xml::{Frame, Scanner};
use input::Input;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// One stream, from its first byte to its end.
#[derive(Debug)]
pub struct Stream {
    shared_options: SharedOptions,
    /// As of the last frame, stanza or time-out: a stanza asks for them ten times.
    options: Arc<StreamOptions>,
    framing: Framing,
    /// Until the client has logged in.
    offer: Option<Arc<Offer>>,
    random: fn() -> u128,
    state: State,
    /// The domain that the client speaks to.
    host: Arc<str>,
    /// Whether the head of our stream went out.
    opened: bool,
    began_at: Instant,
    /// Whether the client is not read at present.
    paused: bool,
    transmits: VecDeque<Transmit>,
    events: VecDeque<Event>,
}

/// Where a stream is. Each state owns its data.
#[derive(Debug)]
enum State {
    /// Before the first `<open/>`.
    Opening,
    /// Features with SASL are out (RFC 6120 §6).
    Unauthenticated { failures: u32, sasl: Sasl },
    /// `<success/>` is out; a new `<open/>` must come (RFC 7395 §3.7).
    Reopening { account: BareJid },
    /// Features with bind are out.
    Authenticated {
        account: BareJid,
        asked: Option<Asked>,
    },
    /// A session.
    Bound(Box<Bound>),
    /// Our `<close/>` is out.
    Closing { finish: Finish, until: Instant },
    /// Both are.
    Closed { finish: Finish },
}

/// Where an authentication is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sasl {
    Idle,
    /// The backend's turn.
    Asked,
    /// The client's turn.
    Challenged,
}

/// What the backend was asked, after authentication.
#[derive(Debug)]
enum Asked {
    /// The id of the bind iq.
    Bind {
        id: String,
    },
    Resume {
        h: u32,
    },
}

/// A bound stream.
#[derive(Debug)]
struct Bound {
    jid: FullJid,
    previd: String,
    sm: Option<Box<Sm>>,
    /// The backend has a stanza in hand: the next one waits, so that order and `h` hold.
    routing: bool,
    /// So many of the next stanzas were sent while the session hibernated.
    stale: usize,
}

/// How long a client may take to answer our `<close/>`.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// A client whose own sending is paused cannot get an ack through: its window is so many times as
/// wide then, so that two clients that flood each other do not wait for one another forever.
const PAUSED_WINDOW_FACTOR: usize = 4;

thread_local! {
    /// Scanning ends within one call, so that all streams of a thread share the buffers.
    static SCANNER: RefCell<Scanner> = RefCell::new(Scanner::new(crate::xml::Limits::default()));
}

impl Stream {
    /// A stream whose link is up. `random` gives 128 unguessable bits a call.
    pub fn new(
        now: Instant,
        framing: Framing,
        offer: Arc<Offer>,
        options: SharedOptions,
        random: fn() -> u128,
    ) -> Self {
        let shared_options = options;
        let options = shared_options.load_full();
        let host = options.default_host();
        Self {
            shared_options,
            options,
            framing,
            offer: Some(offer),
            random,
            state: State::Opening,
            host,
            opened: false,
            began_at: now,
            paused: false,
            transmits: VecDeque::new(),
            events: VecDeque::new(),
        }
    }

    /// A reload reaches open streams.
    fn take_up_options(&mut self) {
        let options = self.shared_options.load();
        if !Arc::ptr_eq(&options, &self.options) {
            self.options = Arc::clone(&options);
        }
    }

    /// To be called before the task sleeps: what a burst needed is given back.
    pub fn rest(&mut self) {
        if self.transmits.is_empty() {
            self.transmits = VecDeque::new();
        }
        if self.events.is_empty() {
            self.events = VecDeque::new();
        }
    }

    /// Whether a frame may come: the backend is not asked anything that must be known first.
    pub fn wants_frame(&self) -> bool {
        match &self.state {
            State::Opening | State::Reopening { .. } | State::Closing { .. } => true,
            State::Unauthenticated { sasl, .. } => *sasl != Sasl::Asked,
            State::Authenticated { asked, .. } => asked.is_none(),
            State::Bound(bound) => !bound.routing,
            State::Closed { .. } => false,
        }
    }

    /// The longest frame that is accepted now, in bytes (XEP-0478).
    pub fn max_frame_bytes(&self) -> usize {
        let options = &self.options;
        match self.state {
            State::Opening | State::Unauthenticated { .. } => options.max_stanza_bytes_before_auth,
            _ => options.max_stanza_bytes,
        }
    }

    /// A complete element from the client.
    pub fn on_frame(&mut self, now: Instant, text: &str) {
        self.take_up_options();
        let limit_bytes = self.max_frame_bytes();
        if text.len() > limit_bytes {
            return self.fail(now, StreamFault::TooLarge { limit_bytes });
        }
        let limits = self.options.xml;
        SCANNER.with_borrow_mut(|scanner| {
            scanner.set_limits(limits);
            match scanner.scan(text) {
                Ok(frame) => self.on_element(now, &frame),
                Err(fault) => self.on_unreadable(now, fault),
            }
        });
    }

    /// The link broke the framing: too long a message, a binary one. Ends the stream.
    pub fn on_fault(&mut self, now: Instant, fault: StreamFault) {
        self.fail(now, fault);
    }

    fn on_unreadable(&mut self, now: Instant, fault: crate::xml::XmlFault) {
        // RFC 7395 §3.8: white space is no keepalive here, but old clients send it; do no harm.
        if fault == crate::xml::XmlFault::Empty {
            return;
        }
        if !matches!(self.state, State::Closing { .. } | State::Closed { .. }) {
            self.fail(now, StreamFault::Xml(fault));
        }
    }

    /// The one table of (state, element): every pair is answered.
    fn on_element(&mut self, now: Instant, frame: &Frame<'_, '_>) {
        let input = match Input::read(frame, self.framing) {
            Ok(input) => input,
            Err(_) if self.is_closing() => return,
            Err(fault) => return self.fail(now, fault),
        };
        match (&self.state, input) {
            // RFC 6120 §4.4: after our close only the client's close counts.
            (State::Closing { .. }, Input::Close) => self.on_close(),
            (State::Closing { .. } | State::Closed { .. }, _) => {}
            (_, Input::Close) => self.on_close(),
            (_, Input::Open(open)) => self.on_open(now, &open),
            // RFC 7395 §3.4: nothing before <open/>; RFC 6120 §6.4.6: nor between success and it.
            (State::Opening | State::Reopening { .. }, _) => {
                self.fail(now, StreamFault::NotAuthorized);
            }
            (State::Unauthenticated { .. }, input) => self.on_negotiation(now, frame, input),
            (State::Authenticated { .. }, input) => self.on_authenticated(now, frame, input),
            (State::Bound(_), input) => self.on_bound(now, frame, input),
        }
    }

    /// The client opens the stream, or restarts it after authentication.
    pub fn on_open(&mut self, now: Instant, open: &OpenRequest) {
        self.take_up_options();
        match self.state {
            State::Opening | State::Reopening { .. } => {}
            State::Closing { .. } | State::Closed { .. } => return,
            // RFC 7395 §3.7, XEP-0206 §5: only after authentication.
            _ => return self.fail(now, StreamFault::UnexpectedOpen),
        }
        let options = self.options.clone();
        let host = match &open.to {
            None => Some(options.default_host()),
            Some(to) => options.host(to),
        };
        let known = host.is_some();
        if let Some(host) = host {
            self.host = host;
        }
        self.send_open();
        if !known {
            let to = open.to.clone().unwrap_or_default();
            return self.fail(now, StreamFault::HostUnknown { to });
        }
        if !speaks_version_1(open.version.as_deref()) {
            return self.fail(now, StreamFault::UnsupportedVersion);
        }
        let is_new = matches!(self.state, State::Opening);
        match &options.see_other_uri {
            Some(uri) if is_new && self.framing == Framing::WebSocket => self.redirect(uri),
            _ => self.send_features(&options),
        }
    }

    /// RFC 7395 §3.6.1: before any features, which is where clients heed it.
    fn redirect(&mut self, uri: &Arc<str>) {
        self.transmits.push_back(Transmit::Redirect(uri.clone()));
        self.state = State::Closed {
            finish: Finish::Unbound,
        };
    }

    fn send_open(&mut self) {
        let id = format!("{:032x}", (self.random)());
        self.opened = true;
        self.transmits.push_back(Transmit::Open {
            from: self.host.clone(),
            id,
        });
    }

    fn send_features(&mut self, options: &StreamOptions) {
        match std::mem::replace(&mut self.state, State::Opening) {
            State::Reopening { account } => {
                self.offer = None;
                self.element(write::features_after_auth(options, self.framing));
                self.state = State::Authenticated {
                    account,
                    asked: None,
                };
            }
            _ => {
                if let Some(offer) = &self.offer {
                    self.element(write::features_before_auth(options, offer, self.framing));
                }
                self.state = State::Unauthenticated {
                    failures: 0,
                    sasl: Sasl::Idle,
                };
            }
        }
    }

    /// The client closes the stream (RFC 7395 §3.6).
    pub fn on_close(&mut self) {
        match self.take_state() {
            State::Closing { finish, .. } | State::Closed { finish } => {
                self.state = State::Closed { finish };
            }
            mut state => {
                if !self.opened {
                    self.send_open();
                }
                self.tell_before_close(&mut state);
                self.transmits.push_back(Transmit::Close(None));
                self.state = State::Closed {
                    finish: ended(state, true, false),
                };
            }
        }
    }

    /// Ends the stream from this side: a fault of the client, a conflict, a shutdown.
    fn fail(&mut self, now: Instant, fault: StreamFault) {
        if self.is_closing() {
            return;
        }
        if !self.opened {
            self.send_open(); // RFC 7395 §3.5: an error needs an open stream to stand in
        }
        let mut state = self.take_state();
        if fault.is_of_this_side() {
            self.tell_before_close(&mut state);
        }
        self.transmits
            .push_back(Transmit::Error(write::stream_error(&fault)));
        self.transmits
            .push_back(Transmit::Close(Some(fault.clone())));
        let keeps_session = fault.keeps_session();
        self.events.push_back(Event::Notice(Notice::Fault(fault)));
        let finish = if keeps_session {
            lost(state)
        } else {
            ended(state, false, true)
        };
        self.state = State::Closing {
            finish,
            until: now + CLOSE_TIMEOUT,
        };
    }

    /// Another stream takes over the session (XEP-0198 §5): `conflict`, and the session stays.
    pub fn hand_over(&mut self, now: Instant) {
        self.fail(now, StreamFault::Resumed);
    }

    /// The server stops, and the session goes on without it: the link is let go of, so that the
    /// client comes back for its session. One that cannot be resumed ends.
    pub fn leave(&mut self, now: Instant) {
        let resumable = matches!(&self.state, State::Bound(bound)
            if bound.sm.as_ref().is_some_and(|sm| sm.resume_timeout().is_some()));
        if !resumable {
            return self.fail(now, StreamFault::Shutdown);
        }
        let mut state = self.take_state();
        self.tell_before_close(&mut state);
        self.transmits.push_back(Transmit::Leave);
        self.state = State::Closed {
            finish: lost(state),
        };
    }

    /// This side ends the session and says why.
    pub fn end(&mut self, now: Instant, fault: StreamFault) {
        self.fail(now, fault);
    }

    /// Whether one more stanza may go to the client.
    pub fn has_room(&self) -> bool {
        let State::Bound(bound) = &self.state else {
            return false;
        };
        let Some(sm) = &bound.sm else { return true };
        let times = if self.paused { PAUSED_WINDOW_FACTOR } else { 1 };
        sm.has_room(&self.options.sm, times)
    }

    /// The client is not read at present, because whom it sends to is slow, or is read again.
    pub fn set_paused(&mut self, now: Instant, paused: bool) {
        self.take_up_options(); // its owner calls this with each turn
        if self.paused && !paused {
            self.on_unpaused(now);
        }
        self.paused = paused;
    }

    /// What the backend says.
    pub fn on_backend(&mut self, now: Instant, reply: Reply) {
        match reply {
            Reply::Handled => self.on_handled(now),
            Reply::Bound { jid, previd } => self.on_bound_reply(jid, previd),
            Reply::BindRefused(error) => self.on_bind_refused(&error),
            Reply::Resumed {
                jid,
                previd,
                sm,
                waiting,
            } => {
                self.on_resumed(now, jid, previd, sm, waiting);
            }
            Reply::ResumeFailed { h } => self.on_resume_failed(h),
            Reply::Challenge(data) => self.on_challenge(&data),
            Reply::Authenticated { account, data } => self.on_authenticated_reply(account, data),
            Reply::SaslFailed(failure) => self.on_sasl_failed(now, failure),
            Reply::Registered(answer) => self.on_registered(answer),
        }
    }

    /// A time that was asked for has come.
    pub fn on_timeout(&mut self, now: Instant) {
        self.take_up_options();
        if let State::Closing { until, .. } = &self.state {
            if *until <= now {
                self.on_close();
            }
            return;
        }
        if self
            .login_deadline()
            .is_some_and(|deadline| deadline <= now)
        {
            return self.fail(now, StreamFault::LoginTimeout);
        }
        self.on_sm_timeout(now);
    }

    /// When [`Stream::on_timeout`] is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        match &self.state {
            State::Closing { until, .. } => Some(*until),
            State::Closed { .. } => None,
            State::Bound(_) => self.sm_deadline(),
            _ => self.login_deadline(),
        }
    }

    /// A client has so long to log in (RFC 6120 §13.12).
    fn login_deadline(&self) -> Option<Instant> {
        match self.state {
            State::Bound(_) | State::Closing { .. } | State::Closed { .. } => None,
            _ => Some(self.began_at + self.options.login_timeout),
        }
    }

    /// What goes out next.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.transmits.pop_front()
    }

    /// What the backend is to do next.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Whether our `<close/>` is out or about to be.
    pub fn is_closing(&self) -> bool {
        matches!(self.state, State::Closing { .. } | State::Closed { .. })
    }

    /// Whether stream management is on, so that what is not acked is kept.
    pub fn is_managed(&self) -> bool {
        matches!(&self.state, State::Bound(bound) if bound.sm.is_some())
    }

    /// The stream management of the session, also when the stream is over.
    pub fn sm(&self) -> Option<&Sm> {
        match &self.state {
            State::Bound(bound) => bound.sm.as_deref(),
            State::Closing { finish, .. } | State::Closed { finish } => match finish {
                Finish::Hibernate(sm) => Some(sm),
                Finish::End { sm, .. } => sm.as_deref(),
                Finish::Unbound => None,
            },
            _ => None,
        }
    }

    /// The same, to change.
    pub fn sm_mut(&mut self) -> Option<&mut Sm> {
        match &mut self.state {
            State::Bound(bound) => bound.sm.as_deref_mut(),
            State::Closing { finish, .. } | State::Closed { finish } => match finish {
                Finish::Hibernate(sm) => Some(sm),
                Finish::End { sm, .. } => sm.as_deref_mut(),
                Finish::Unbound => None,
            },
            _ => None,
        }
    }

    /// Whether both sides have closed, or the client took too long to.
    pub fn is_over(&self) -> bool {
        matches!(self.state, State::Closed { .. })
    }

    /// Whether the client has logged in: bigger frames are allowed from here on.
    pub fn is_authenticated(&self) -> bool {
        matches!(
            self.state,
            State::Reopening { .. } | State::Authenticated { .. } | State::Bound(_)
        )
    }

    /// The link is gone, or the stream is over: what becomes of the session?
    ///
    /// The caller has waited for [`Reply::Handled`] first, so that `h` is right at resumption.
    pub fn finish(mut self) -> Finish {
        match self.take_state() {
            State::Closing { finish, .. } | State::Closed { finish } => finish,
            state => lost(state),
        }
    }

    fn take_state(&mut self) -> State {
        std::mem::replace(
            &mut self.state,
            State::Closed {
                finish: Finish::Unbound,
            },
        )
    }

    fn element(&mut self, text: impl Into<ByteString>) {
        self.transmits.push_back(Transmit::Element(text.into()));
    }
}

/// The link of a stream in this state is lost (RFC 7395 §3.6, XEP-0198 §5).
fn lost(state: State) -> Finish {
    match state {
        State::Bound(bound) => match bound.sm {
            Some(sm) if sm.resume_timeout().is_some() => Finish::Hibernate(sm),
            sm => Finish::End {
                sm,
                closed_by_client: false,
                fault: false,
            },
        },
        State::Closing { finish, .. } | State::Closed { finish } => finish,
        _ => Finish::Unbound,
    }
}

/// A stream in this state was closed for good.
fn ended(state: State, closed_by_client: bool, fault: bool) -> Finish {
    match state {
        State::Bound(bound) => Finish::End {
            sm: bound.sm,
            closed_by_client,
            fault,
        },
        State::Closing { finish, .. } | State::Closed { finish } => finish,
        _ => Finish::Unbound,
    }
}

/// RFC 6120 §4.7.5: a higher version is answered by ours, one below 1.0 is not spoken here.
fn speaks_version_1(version: Option<&str>) -> bool {
    let Some((major, minor)) = version.and_then(|version| version.split_once('.')) else {
        return false;
    };
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    is_number(major) && is_number(minor) && !major.trim_start_matches('0').is_empty()
}
