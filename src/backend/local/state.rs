//! What the services keep with a session.

use super::account::Account;
use super::lock;
use crate::sessions::Session;
use crate::stanza::address::{BareJid, Jid};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

/// How many entities a session may have directed presence to. One more is refused.
const MAX_DIRECTED: usize = 1000;

/// What the services keep with a session; [`Session::data`].
#[derive(Debug)]
pub(super) struct State {
    /// The account, kept alive as long as it is online.
    pub(super) account: Arc<Account>,
    directed: Mutex<BTreeSet<Jid>>,
}

impl State {
    pub(super) fn new(account: Arc<Account>) -> Self {
        Self {
            account,
            directed: Mutex::default(),
        }
    }

    /// That of a session; `None` in the moment between its registration and the end of bind.
    pub(super) fn of(session: &Session) -> Option<&Self> {
        session.data()?.downcast_ref()
    }

    /// That of a session that outlived the process.
    pub(super) fn restored(account: Arc<Account>, notes: &str) -> Self {
        let directed = notes.lines().filter_map(|line| Jid::new(line).ok());
        Self {
            account,
            directed: Mutex::new(directed.collect()),
        }
    }

    /// Remembers an entity that got directed presence (RFC 6121 §4.6.1). Returns whether there was
    /// room.
    pub(super) fn remember_directed(&self, session: &Session, to: &Jid) -> bool {
        let _unit = session.unit();
        let mut directed = lock(&self.directed);
        if directed.contains(to) {
            return true;
        }
        if directed.len() >= MAX_DIRECTED {
            return false;
        }
        directed.insert(to.clone());
        session.set_notes(notes(&directed));
        true
    }

    pub(super) fn forget_directed(&self, session: &Session, to: &Jid) {
        let _unit = session.unit();
        let mut directed = lock(&self.directed);
        if directed.remove(to) {
            session.set_notes(notes(&directed));
        }
    }

    pub(super) fn take_directed(&self, session: &Session) -> BTreeSet<Jid> {
        let directed = std::mem::take(&mut *lock(&self.directed));
        if !directed.is_empty() {
            session.set_notes(String::new());
        }
        directed
    }

    /// Whether the roster of its account lets `contact` see its presence.
    pub(super) fn is_visible_to(&self, contact: &BareJid) -> bool {
        self.account.with_roster(|roster| {
            roster
                .items
                .get(contact)
                .is_some_and(|item| item.subscription.from())
        })
    }
}

/// One address a line: no address has a line break in it (RFC 7622).
fn notes(directed: &BTreeSet<Jid>) -> String {
    let lines: Vec<_> = directed.iter().map(Jid::as_str).collect();
    lines.join("\n")
}
