//! Links that come and go, and what a client does on a new one.

use stanzad::stream::{Finish, Framing, OpenRequest};

use super::frames::{AUTH, BIND, ENABLE, OPEN};
use super::session::{Count, Session};
use super::setup::stream;
use super::world::{Asked, Link, World};
use crate::input::Input;

impl World {
    /// The link is gone: what the stream leaves behind is looked at, and a new one begins.
    pub fn lose(&mut self) {
        // As the driver does: it waits for the backend, which may have a stanza or a session in hand.
        if matches!(self.asked, Some(Asked::Route | Asked::Resume { .. })) {
            self.reply(&mut Input::new(&[]));
        }
        self.asked = None;
        let next = stream(self.now, self.framing, &self.options);
        let finish = std::mem::replace(&mut self.stream, next).finish();
        self.take_over(finish);
        self.link = Link::default();
        (self.is_live, self.is_paused) = (false, false);
    }

    fn take_over(&mut self, finish: Finish) {
        if let Some(session) = &mut self.session {
            session.wire.clear();
        }
        match finish {
            Finish::Unbound => assert!(!self.is_live, "the session is lost"),
            Finish::Hibernate(sm) => {
                let session = self.session.as_ref().expect("it hibernates");
                assert!(session.managed.as_ref().is_some_and(|m| m.resumable));
                session.check(&sm);
                self.parked = Some(sm);
            }
            Finish::End { sm, .. } => {
                assert!(self.is_live);
                assert_eq!(sm.is_some(), self.is_managed());
                if let (Some(session), Some(sm)) = (&self.session, &sm) {
                    session.check(sm);
                }
                self.session = None;
            }
        }
    }

    /// Logs in as everybody does.
    pub fn log_in(&mut self) {
        self.open();
        self.say_for_certain(AUTH);
        self.open();
    }

    /// Begins a session, with stream management.
    pub fn begin(&mut self) {
        self.log_in();
        self.say_for_certain(BIND);
        self.say_for_certain(ENABLE);
    }

    pub fn say_for_certain(&mut self, text: &str) {
        self.say(text);
        self.reply(&mut Input::new(&[]));
    }

    pub fn open(&mut self) {
        if self.framing == Framing::WebSocket {
            return self.say(OPEN);
        }
        if self.stream.wants_frame() {
            let (to, version) = (Some("example.org".into()), Some("1.0".into()));
            self.stream.on_open(self.now, &OpenRequest { to, version });
            self.settle();
        }
    }

    /// An honest client comes back and reads everything.
    pub fn come_to_an_end(&mut self) {
        self.lose();
        if self.parked.is_none() {
            return;
        }
        self.log_in();
        let Some(h) = self.session.as_ref().map(Session::honest_h) else {
            return;
        };
        let is_honest = self
            .session
            .as_ref()
            .map(|session| session.judge_resumption(h));
        self.resume(h);
        self.reply(&mut Input::new(&[]));
        let is_redirected = self.options.load().see_other_uri.is_some();
        if is_honest == Some(Count::TooHigh) || is_redirected {
            return; // it has lied before
        }
        assert!(self.link.resumed, "an honest client is not let in");
        let session = self.session.as_mut().expect("it was resumed");
        session.read_all();
        assert_eq!(session.read, session.delivered.len(), "stanzas are lost");
    }
}
