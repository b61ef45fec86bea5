//! What was sent, what was acknowledged, what was received; and whether that is as promised.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::time::Instant;

/// A message, by number.
pub(super) type Number = usize;

/// A session of a client, by number: from its bind to its end, whatever links it has.
pub(super) type View = usize;

/// How a message came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Way {
    /// To its recipient, or as a carbon of what the account received.
    Live,
    /// The same, stamped with when it was sent.
    Late,
    /// A carbon of what the account sent.
    Sent,
}

#[derive(Debug)]
struct Message {
    /// The session that it was sent from.
    from: View,
    to: usize,
    /// The full address that it went to, if it did, and when.
    full: Option<String>,
    sent_at: Instant,
    /// The server said that it handled it: it owes it to the account.
    is_handled: bool,
    /// Its sender could not know, and sent it again: it may come twice.
    is_doubled: bool,
    /// A crash may have taken it, or brought it back.
    is_excused: bool,
    is_seen: bool,
    /// When the server was known to know that the account has it.
    settled_at: Option<Instant>,
}

#[derive(Debug)]
struct Session {
    account: usize,
    /// When its bind was asked for.
    asked_at: Instant,
    seen: BTreeSet<(Number, bool)>,
    /// The last that came live, by sending session: a client that has lost one without stream
    /// management may be in the next one before the last words of the former are dealt with
    /// (RFC 6120 §10.1 orders what comes over one stream).
    last: BTreeMap<View, Number>,
}

/// Longer than between a bind and the loss of its link.
const HOLE_TIME: Duration = Duration::from_secs(90);

/// The judge.
#[derive(Debug, Default)]
pub(super) struct Oracle {
    messages: Vec<Message>,
    sessions: Vec<Session>,
    /// What was not as promised.
    pub failures: Vec<String>,
    holes: BTreeSet<String>,
    /// Accounts that are owed every message: all their clients acknowledge.
    pub managed: BTreeSet<usize>,
}

impl Oracle {
    /// A session sends a message to an account.
    pub fn send(&mut self, from: View, to: usize, full: Option<String>) -> Number {
        let falls = full.as_ref().is_some_and(|full| self.holes.contains(full));
        self.messages.push(Message {
            from,
            to,
            full,
            sent_at: Instant::now(),
            is_handled: false,
            is_doubled: false,
            is_excused: falls,
            is_seen: false,
            settled_at: None,
        });
        self.messages.len() - 1
    }

    /// A session of this address was bound, and its link lost before stream management was on: what
    /// goes there may get lost.
    pub fn hole(&mut self, full: String) {
        let recent = Instant::now() - HOLE_TIME;
        for message in &mut self.messages {
            let is_recent = message.sent_at > recent && message.settled_at.is_none();
            message.is_excused |= is_recent && message.full.as_ref() == Some(&full);
        }
        self.holes.insert(full);
    }

    pub fn bind(&mut self, account: usize, asked_at: Instant) -> View {
        self.sessions.push(Session {
            account,
            asked_at,
            seen: BTreeSet::new(),
            last: BTreeMap::new(),
        });
        self.sessions.len() - 1
    }

    pub fn handled(&mut self, number: Number) {
        self.messages[number].is_handled = true;
    }

    /// Sent once more by a client that cannot know whether it was handled.
    pub fn doubled(&mut self, number: Number) {
        self.messages[number].is_doubled = true;
    }

    /// The server knows that the account has it.
    pub fn settled(&mut self, number: Number) {
        self.messages[number]
            .settled_at
            .get_or_insert_with(Instant::now);
    }

    /// What is on its way, or was on the point of arriving, is left to chance.
    pub fn crash(&mut self, recent: Instant) {
        for message in &mut self.messages {
            message.is_excused |= message.settled_at.is_none_or(|at| at > recent);
        }
    }

    pub fn receive(&mut self, view: View, number: Number, way: Way) {
        let Some(message) = self.messages.get_mut(number) else {
            return self.fail(format!("message {number} was never sent"));
        };
        let may_double = message.is_doubled || message.is_excused;
        let session = &mut self.sessions[view];
        let is_new = session.seen.insert((number, way == Way::Sent));
        if !is_new && !may_double {
            return self.fail(format!("session {view} got message {number} twice"));
        }
        if way == Way::Sent {
            return;
        }
        if message.to != session.account {
            return self.fail(format!("session {view} got message {number} of others"));
        }
        message.is_seen = true;
        let (settled_at, from) = (message.settled_at, message.from);
        if let Some(at) = settled_at
            && at < session.asked_at
            && !may_double
        {
            let age = (session.asked_at - at).as_millis();
            return self.fail(format!(
                "session {view} got message {number}, which its account acknowledged {age} ms \
                 before that session began"
            ));
        }
        if way == Way::Live && !may_double {
            let last = session.last.entry(from).or_insert(number);
            if *last > number {
                let last = *last;
                return self.fail(format!("session {view} got message {number} after {last}"));
            }
            *last = number;
        }
    }

    /// An error says that a message did not arrive.
    pub fn refused(&mut self, number: Number) {
        match self.messages.get_mut(number) {
            Some(message) if self.managed.contains(&message.to) && !message.is_excused => {
                self.fail(format!("message {number} was refused"));
            }
            Some(message) => message.is_excused = true,
            None => self.fail(format!("message {number} was refused and never sent")),
        }
    }

    /// At the end of all things everybody has what was owed.
    pub fn judge(&mut self) {
        let lost: Vec<_> = (0..self.messages.len())
            .filter(|&number| {
                let message = &self.messages[number];
                let is_owed = message.is_handled && self.managed.contains(&message.to);
                is_owed && !message.is_seen && !message.is_excused
            })
            .collect();
        if !lost.is_empty() {
            self.fail(format!("handled, and never arrived: {lost:?}"));
        }
    }

    pub fn fail(&mut self, failure: String) {
        self.failures.push(failure);
    }

    /// Messages sent, owed, and seen.
    pub fn figures(&self) -> (usize, usize, usize) {
        let owed = |message: &&Message| {
            message.is_handled && self.managed.contains(&message.to) && !message.is_excused
        };
        let seen = self.messages.iter().filter(|message| message.is_seen);
        (
            self.messages.len(),
            self.messages.iter().filter(owed).count(),
            seen.count(),
        )
    }
}
