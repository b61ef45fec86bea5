//! The server stops or dies, and the next one gives the session back.

use stanzad::stream::{Outbound, Sm};

use super::session::Session;
use super::setup::stream;
use super::world::{Link, World};
use crate::input::Input;

/// What outlives a process of a session: what the store is given.
struct Saved {
    handled: u32,
    acked: u32,
    resume: Option<std::time::Duration>,
    stanzas: Vec<Outbound>,
}

impl Saved {
    fn of(sm: &Sm, session: &Session) -> Self {
        Self {
            handled: sm.handled(),
            acked: sm.acked(),
            resume: sm.resume_timeout(),
            stanzas: sm.unacked().chain(&session.mailbox).cloned().collect(),
        }
    }

    fn restored(self) -> Box<Sm> {
        let sm = Sm::restored(self.handled, self.acked, self.resume, self.stanzas);
        Box::new(sm)
    }
}

impl World {
    /// The server stops: a session that can be resumed is left, with a last word on what came.
    pub fn leave(&mut self) {
        let is_left = self.is_in_session() && self.session.as_ref().is_some_and(is_resumable);
        let had_left = self.link.has_left;
        self.stream.leave(self.now);
        self.settle();
        assert_eq!(self.link.has_left, is_left || had_left);
        assert!(self.stream.is_closing(), "it stays");
        assert!(!is_left || self.stream.is_over(), "it waits for a goodbye");
        let managed = self.session.as_ref().and_then(|it| it.managed.as_ref());
        if let Some(managed) = managed.filter(|_| is_left) {
            assert_eq!(managed.told, managed.handled(), "left without a word");
        }
    }

    /// It stops in good order, and the next process takes over.
    pub fn restart(&mut self) {
        self.leave();
        self.lose();
        self.restore();
    }

    /// It dies where it stands. The store knows what the client was told, and maybe more.
    pub fn kill(&mut self, input: &mut Input<'_>) {
        if !self.is_in_session() || !self.session.as_ref().is_some_and(is_resumable) {
            return self.restart();
        }
        let sm = self.stream.sm_mut().expect("it is managed");
        let session = self.session.as_mut().expect("it is resumable");
        let mut saved = Saved::of(sm, session);
        session.wire.clear();
        let managed = session.managed.as_mut().expect("it is resumable");
        managed.forget_what_is_in_hand();
        if input.once_in(2) {
            managed.forget_untold();
            saved.handled = managed.told;
        }
        self.parked = Some(saved.restored());
        self.asked = None;
        self.stream = stream(self.now, self.framing, &self.options);
        self.link = Link::default();
        (self.is_live, self.is_paused) = (false, false);
        self.take_mailbox();
    }

    /// Nothing is left of the session but what its stream management says, and its mailbox.
    fn restore(&mut self) {
        let (Some(sm), Some(session)) = (&self.parked, &self.session) else {
            return;
        };
        self.parked = Some(Saved::of(sm, session).restored());
        self.take_mailbox();
    }

    /// What waited counts as sent from now on: which of it the client has, it says itself.
    fn take_mailbox(&mut self) {
        let (Some(sm), Some(session)) = (&self.parked, &mut self.session) else {
            return;
        };
        let waiting = session.mailbox.drain(..).map(|stanza| stanza.text);
        session.delivered.extend(waiting);
        assert!(sm.resume_timeout().is_some(), "nobody can come back for it");
        session.check(sm);
    }
}

fn is_resumable(session: &Session) -> bool {
    session.managed.as_ref().is_some_and(|it| it.resumable)
}
