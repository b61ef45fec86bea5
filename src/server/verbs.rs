//! What an application does with the sessions that are here.

use super::{Delivery, Server};
use crate::auth::Credentials;
use crate::backend::local::accounts::{self, AccountError};
use crate::http::driver;
use crate::sessions::{Delivered, EndReason, JoinError, Session, SessionId, SessionInfo, Target};
use crate::stanza::address::{self, BareJid, Jid};
use crate::stanza::{Stanza, StanzaError, WrittenError};
use crate::stream::{Copies, Outbound, Receipt, Receipts};
use std::collections::HashMap;
use std::sync::Arc;

/// Why an application ends a session. What its client never acknowledged goes where it goes at any
/// end; the client cannot resume.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloseReason {
    /// Its login is over: stream error `not-authorized`, WebSocket close code 1008.
    LoggedOut,
    /// The operator wants it gone: stream error `policy-violation`, WebSocket close code 1008.
    Removed,
}

impl Server {
    /// Whether one of these sessions is here. Cost: as stated at [`Target`].
    pub async fn exists(&self, target: &Target) -> bool {
        !self.sessions().select(target).is_empty()
    }

    /// These sessions.
    pub async fn list(&self, target: &Target) -> Vec<SessionInfo> {
        let sessions = self.sessions().select(target);
        sessions.iter().map(|session| session.info()).collect()
    }

    /// The domain as an address: who sends what the application says.
    fn address(&self) -> Result<Jid, WrittenError> {
        let domain = self.config().domain().to_owned();
        address::parse(&domain).map_err(|_| WrittenError::Header("the domain"))
    }

    /// A stanza as the application wrote it, sent by the domain.
    ///
    /// # Errors
    ///
    /// [`WrittenError`]
    pub fn stanza(&self, text: &str) -> Result<Stanza, WrittenError> {
        Stanza::written(text, &self.address()?)
    }

    /// Sends a copy to each of these sessions, with `to` set to its full address; nothing of the
    /// routing of RFC 6121 applies. It is numbered and acknowledged as any other stanza. A session
    /// that reads too slowly loses no other's time: at its bound (`limits.send_queue`) it ends.
    ///
    /// Cost: one copy of the text for each session.
    pub async fn send(&self, target: &Target, stanza: &Stanza) -> Delivery {
        let sessions = self.sessions().select(target);
        let receipts = Arc::new(Receipts::default());
        let mut delivery = Delivery {
            receipts: receipts.clone(),
            ..Delivery::default()
        };
        let mut copies = copies(&sessions, stanza);
        for session in &sessions {
            let text = stanza.addressed_to(session.jid()).text;
            let mut copy = Outbound::new(text, stanza.kind, crate::clock::time_of_day());
            copy.receipt = Receipt::of(&receipts);
            if let Some(copies) = copies.get_mut(session.account().as_str()) {
                copy.copies = copies.clone();
            }
            self.deliver(session, copy, &mut delivery);
        }
        delivery
    }

    fn deliver(&self, session: &Arc<Session>, copy: Outbound, delivery: &mut Delivery) {
        let attached = session.is_attached();
        match session.deliver(copy) {
            Delivered::Queued | Delivered::Pressed if attached => delivery.sent += 1,
            Delivered::Queued | Delivered::Pressed => delivery.queued += 1,
            Delivered::Full(copy) => {
                let _ = copy.copies.give_up(&copy.text);
                delivery.dropped += 1;
                self.end(session, EndReason::Overflow);
            }
            Delivered::Gone(copy) => {
                let _ = copy.copies.give_up(&copy.text);
                delivery.dropped += 1;
            }
        }
    }

    /// Ends these sessions. Returns how many. A login that is closed as a whole ([`Target::login`]
    /// without a path and an exception) stays so: whoever comes with it later is turned away, as soon
    /// as there is a session. The last 65,536 such logins are remembered, and not past the end of the
    /// process.
    pub async fn close(&self, target: &Target, reason: CloseReason) -> usize {
        if let Some(key) = target.whole_login() {
            self.sessions().end_login(key);
        }
        let sessions = self.sessions().select(target);
        let reason = match reason {
            CloseReason::LoggedOut => EndReason::Revoked,
            CloseReason::Removed => EndReason::Removed,
        };
        for session in &sessions {
            self.end(session, reason);
        }
        sessions.len()
    }

    fn end(&self, session: &Arc<Session>, reason: EndReason) {
        if let Some(ending) = self.sessions().end(session, reason) {
            let rooms = self.rooms().clone();
            tokio::spawn(async move { driver::end(&rooms, ending).await });
        }
    }

    /// Makes an account, with a password or with none: then its client comes in by what
    /// [`admit`](super::Authenticator::admit) says, by a ticket or by a token.
    ///
    /// # Errors
    ///
    /// [`AccountError`]: it is there already, it is of another domain, the password is refused, or
    /// the store is in trouble.
    pub async fn add_account(
        &self,
        account: &BareJid,
        password: Option<String>,
    ) -> Result<(), AccountError> {
        let hosts = super::options::hosts(&self.config());
        if !hosts
            .iter()
            .any(|host| **host == *account.domain().as_str())
        {
            return Err(AccountError::Address(account.to_string()));
        }
        let credentials = match password {
            Some(password) => self.local().credentials_of(password).await?,
            None => Credentials::from_iter([]),
        };
        accounts::create(&**self.local().store(), account, credentials).await
    }

    /// Deletes an account: its contacts see it go, its sessions end, nothing is kept.
    ///
    /// # Errors
    ///
    /// [`StanzaError`]: `item-not-found`, or what the store is in trouble with.
    pub async fn remove_account(&self, account: &BareJid) -> Result<(), StanzaError> {
        self.local().delete_account(account).await
    }

    /// Puts a session into a group, in which it is until it leaves or ends. Returns whether it was
    /// not in before.
    ///
    /// # Errors
    ///
    /// [`JoinError`]
    pub async fn join(&self, group: &str, id: SessionId) -> Result<bool, JoinError> {
        self.sessions().join(group, id)
    }

    /// Takes a session out of a group. Returns whether it was in.
    pub async fn leave(&self, group: &str, id: SessionId) -> bool {
        self.sessions().leave(group, id)
    }
}

/// What the copies for one account share: where it has several, one that is acknowledged is enough.
/// If none is, the account gets it anew, and so at its bare address.
fn copies(sessions: &[Arc<Session>], stanza: &Stanza) -> HashMap<Box<str>, Copies> {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for session in sessions {
        *counts.entry(session.account().as_str()).or_default() += 1;
    }
    let shared = counts.into_iter().filter(|(_, count)| *count > 1);
    let copies = shared.map(|(account, count)| {
        let text = match address::parse(account) {
            Ok(account) => stanza.addressed_to(&account).text,
            Err(_) => stanza.text.clone(), // it is the account of a session, so that this does not happen
        };
        (account.into(), Copies::of(&text, count))
    });
    copies.collect()
}
