//! A stream, the backend behind it, the client before it, and the link between them.

use std::sync::Arc;
use std::time::Instant;

use arc_swap::ArcSwap;
use stanzad::auth::{Refusal, SaslFailure};
use stanzad::stanza::{ByteString, Condition};
use stanzad::stream::{Event, Framing, Reply, SharedOptions, Sm, SmOptions, Stream, Transmit};
use stanzad::xml::Scanner;

use super::frames::resumption;
use super::session::{Count, Session};
use super::setup::{self, authenticated, jid, stream};
use super::spoken::Spoken;
use crate::input::Input;

const SM_NS: &str = "urn:xmpp:sm:3";
const CLIENT_NS: &str = "jabber:client";

pub struct World {
    pub options: SharedOptions,
    pub sm: SmOptions,
    pub framing: Framing,
    pub stream: Stream,
    pub now: Instant,
    pub asked: Option<Asked>,
    /// Bound to the stream, if `is_live`; else waiting to be resumed.
    pub session: Option<Session>,
    pub is_live: bool,
    pub is_paused: bool,
    pub parked: Option<Box<Sm>>,
    previds: u32,
    /// The count in the last `<resume/>`.
    resume_h: Option<u32>,
    pub link: Link,
}

/// What the backend was asked and has not answered.
#[derive(Debug)]
pub enum Asked {
    Sasl,
    Register,
    Bind { resource: Option<String> },
    Resume { previd: String },
    Route,
}

/// What this link has carried to the client.
#[derive(Debug, Default)]
pub struct Link {
    is_open: bool,
    has_error: bool,
    is_closed: bool,
    /// It ended without a close.
    pub has_left: bool,
    /// The stanza that comes is none of the session's.
    negotiating: bool,
    /// `<a/>` since the client spoke last.
    acks: usize,
    pub resumed: bool,
}

impl World {
    pub fn new(input: &mut Input<'_>) -> Self {
        let options = setup::options(input);
        let sm = options.sm.clone();
        let framing = match input.once_in(4) {
            true => Framing::Bosh,
            false => Framing::WebSocket,
        };
        let now = Instant::now();
        let options = Arc::new(ArcSwap::from_pointee(options));
        Self {
            stream: stream(now, framing, &options),
            options,
            sm,
            framing,
            now,
            asked: None,
            session: None,
            is_live: false,
            is_paused: false,
            parked: None,
            previds: 0,
            resume_h: None,
            link: Link::default(),
        }
    }

    /// The client says a frame, if the stream wants one.
    pub fn say(&mut self, text: &str) {
        if !self.stream.wants_frame() {
            return;
        }
        let limit_bytes = self.stream.max_frame_bytes();
        let spoken = Spoken::read(text, limit_bytes);
        let was_live = self.is_in_session();
        if let Spoken::Resume { h } = spoken {
            self.resume_h = h;
        }
        self.link.acks = 0;
        self.stream.on_frame(self.now, text);
        assert!(
            text.len() <= limit_bytes || self.stream.is_closing(),
            "too long a frame was read"
        );
        self.after_frame(&spoken, was_live);
        self.settle();
        if matches!(spoken, Spoken::AckRequest) && was_live && self.is_managed() {
            assert!(self.link.acks > 0, "<r/> was not answered");
        }
    }

    /// Takes what was said into the model, before anything that follows from it is looked at.
    fn after_frame(&mut self, spoken: &Spoken, was_live: bool) {
        let is_closing = self.stream.is_closing();
        let Some(session) = self.session.as_mut().filter(|_| was_live) else {
            return;
        };
        if let Some(managed) = &mut session.managed {
            match spoken {
                Spoken::Stanza => {
                    assert!(!is_closing, "a stanza ended the stream");
                    managed.taken = managed.taken.wrapping_add(1);
                }
                Spoken::Answer(Some(h)) => match session.judge_answer(*h) {
                    Count::Acked(acked) => session.acknowledge(acked),
                    Count::Stale => assert!(!is_closing, "a stale answer ended the stream"),
                    Count::TooHigh => assert!(is_closing, "an answer covers too much"),
                },
                _ => {}
            }
        } else if self.stream.is_managed() {
            let Spoken::Enable { resume } = spoken else {
                panic!("nobody asked to enable")
            };
            session.enable(self.sm.first_h, *resume && self.sm.resumable());
        }
    }

    /// Takes all that comes out of the stream, and looks whether it stands as it has to.
    pub fn settle(&mut self) {
        while let Some(event) = self.stream.poll_event() {
            self.on_event(event);
        }
        while let Some(transmit) = self.stream.poll_transmit() {
            self.on_transmit(transmit);
        }
        self.check();
    }

    fn on_event(&mut self, event: Event) {
        let asked = match event {
            Event::SaslBegin { .. } | Event::SaslResponse(_) => Asked::Sasl,
            Event::Register { .. } => Asked::Register,
            Event::Bind { resource, .. } => Asked::Bind { resource },
            Event::Resume { previd, .. } => Asked::Resume { previd },
            Event::Route(stanza) => {
                let of_sender = stanza.from.as_str() == "juliet@example.org/balcony";
                assert!(of_sender, "{}", stanza.from);
                if let Some(managed) = self.session.as_mut().and_then(|s| s.managed.as_mut()) {
                    managed.routing = true;
                }
                Asked::Route
            }
            Event::Answer(answer) => {
                let session = self.session.as_mut().expect("an answer without a session");
                return session.mailbox.push_back(answer);
            }
            Event::SaslAborted | Event::Inactive(_) | Event::Notice(_) => return,
        };
        assert!(
            self.asked.is_none(),
            "asked {asked:?} before {:?}",
            self.asked
        );
        self.asked = Some(asked);
    }

    fn on_transmit(&mut self, transmit: Transmit) {
        assert!(!self.link.is_closed, "{transmit:?} follows the close");
        let is_close = matches!(transmit, Transmit::Close(_));
        assert!(
            !self.link.has_error || is_close,
            "{transmit:?} follows the error"
        );
        assert!(self.link.is_open || matches!(transmit, Transmit::Open { .. }));
        match transmit {
            Transmit::Open { .. } => self.link.is_open = true,
            Transmit::Element(text) | Transmit::Transcoded(text) => self.on_element(text),
            Transmit::Error(text) => {
                self.link.has_error = true;
                let mut scanner = Scanner::default();
                scanner.scan(&text).expect("an error is XML");
            }
            Transmit::Leave => (self.link.has_left, self.link.is_closed) = (true, true),
            Transmit::Redirect(_) | Transmit::Close(_) => self.link.is_closed = true,
        }
    }

    fn on_element(&mut self, text: ByteString) {
        let mut scanner = Scanner::default();
        let frame = scanner.scan(&text).expect("what goes out is XML");
        let h = frame.attribute("h").and_then(|h| h.parse::<u32>().ok());
        // Before a session there are answers to requests to bind or to register.
        let is_of_session = self.is_live && !self.link.negotiating;
        let is_stanza = frame.namespace() == CLIENT_NS && is_of_session;
        let Some(session) = &mut self.session else {
            return;
        };
        match (&*frame.namespace(), frame.name()) {
            (SM_NS, "a" | "resumed") => {
                let managed = session.managed.as_mut().expect("an ack of nothing");
                assert_eq!(h, Some(managed.handled()), "{text}");
                managed.told = managed.handled();
                self.link.acks += 1;
                self.link.resumed |= frame.name() == "resumed";
            }
            (SM_NS, "r") => {
                let managed = session.managed.as_mut().expect("a request without SM");
                managed.asked = true;
            }
            _ if is_stanza => session.send(text),
            _ => {}
        }
    }

    /// What holds between any two steps.
    fn check(&self) {
        let is_over = self.stream.is_over();
        let wants_frame = self.stream.wants_frame();
        assert_eq!(
            wants_frame,
            !is_over && (self.asked.is_none() || self.stream.is_closing())
        );
        assert!(!is_over || self.stream.poll_timeout().is_none());
        assert_eq!(self.stream.is_closing(), self.link.is_closed);
        let Some(session) = self.session.as_ref().filter(|_| self.is_in_session()) else {
            return assert!(!self.stream.has_room());
        };
        let Some(managed) = &session.managed else {
            return assert!(self.stream.has_room());
        };
        let has_room = |times| {
            let bytes: usize = session.unacked().iter().map(|text| text.len()).sum();
            session.unacked().len() < self.sm.max_unacked * times
                && bytes < self.sm.max_unacked_bytes * times
        };
        let times = if self.is_paused { 4 } else { 1 };
        assert_eq!(self.stream.has_room(), has_room(times));
        let will_be_asked = managed.asked || self.stream.poll_timeout().is_some();
        assert!(has_room(1) || will_be_asked, "full, and nobody asks");
    }

    /// Whether stanzas go to and fro.
    pub fn is_in_session(&self) -> bool {
        self.is_live && !self.stream.is_closing()
    }

    pub fn is_managed(&self) -> bool {
        let session = self.session.as_ref();
        session.is_some_and(|session| session.managed.is_some())
    }

    /// The backend answers what it was asked: yes, as a rule.
    pub fn reply(&mut self, input: &mut Input<'_>) {
        let Some(asked) = self.asked.take() else {
            return;
        };
        let is_no = input.once_in(8);
        let reply = match asked {
            Asked::Sasl => match (is_no, input.once_in(4)) {
                (true, _) => Reply::SaslFailed(SaslFailure::NotAuthorized(Refusal::WrongPassword)),
                (false, true) => Reply::Challenge(input.counted_bytes().to_vec()),
                (false, false) => authenticated(),
            },
            Asked::Register => Reply::Registered("<iq xmlns='jabber:client'/>".into()),
            Asked::Bind { resource } if is_no || resource.as_deref() == Some("taken") => {
                Reply::BindRefused(Condition::Conflict.into())
            }
            Asked::Bind { .. } => self.bound(),
            Asked::Resume { previd } => self.resumed(&previd, is_no),
            Asked::Route => self.handled(),
        };
        self.hand_in(reply);
    }

    fn hand_in(&mut self, reply: Reply) {
        self.link.negotiating = matches!(
            reply,
            Reply::Bound { .. } | Reply::BindRefused(_) | Reply::Registered(_)
        );
        let is_closing = self.stream.is_closing();
        let is_resumed = matches!(reply, Reply::Resumed { .. }) && !is_closing;
        let is_bound = matches!(reply, Reply::Bound { .. }) && !is_closing;
        self.stream.on_backend(self.now, reply);
        self.is_live |= is_bound || is_resumed;
        if is_resumed {
            self.after_resumption();
        }
        self.settle();
        self.link.negotiating = false;
    }

    /// What the client does not claim to have is sent again.
    fn after_resumption(&mut self) {
        let h = self.resume_h.expect("it said a count");
        let session = self.session.as_mut().expect("it is known");
        match session.judge_resumption(h) {
            Count::Acked(acked) => {
                session.acknowledge(acked);
                session.read = acked;
            }
            _ => assert!(self.stream.is_closing(), "resumed with too high a count"),
        }
    }

    fn handled(&mut self) -> Reply {
        if let Some(managed) = self.session.as_mut().and_then(|s| s.managed.as_mut()) {
            managed.routing = false;
        }
        Reply::Handled
    }

    fn bound(&mut self) -> Reply {
        self.previds += 1;
        let previd = format!("session-{}", self.previds);
        // A session that waited is given up: its client has begun another one.
        self.parked = None;
        if !self.stream.is_closing() {
            self.session = Some(Session::new(previd.clone()));
        }
        let jid = jid();
        Reply::Bound { jid, previd }
    }

    fn resumed(&mut self, previd: &str, is_no: bool) -> Reply {
        let is_known = self.session.as_ref().is_some_and(|s| s.previd == previd);
        match self.parked.take_if(|_| is_known && !is_no) {
            Some(sm) => Reply::Resumed {
                jid: jid(),
                previd: previd.to_owned(),
                sm,
                waiting: self.session.as_ref().map_or(0, |s| s.mailbox.len()),
            },
            None => Reply::ResumeFailed { h: Some(7) },
        }
    }

    /// The client asks for its session with this count; the model follows what comes of it.
    pub fn resume(&mut self, h: u32) {
        let Some(session) = &self.session else { return };
        let text = resumption(&session.previd, h);
        self.say(&text);
    }
}
