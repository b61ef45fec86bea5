//! A session, as an application holds it.

use super::{CloseReason, Delivery, Server};
use crate::sessions::{JoinError, Session, SessionId, SessionInfo, Target};
use crate::stanza::Stanza;
use crate::stanza::address::FullJid;
use std::any::Any;
use std::sync::Arc;

/// A session, as a [`Listener`](super::Listener) or [`Handler`](super::Handler) gets it.
#[derive(Clone)]
pub struct SessionHandle {
    server: Server,
    session: Arc<Session>,
}

impl SessionHandle {
    pub(super) fn new(server: &Server, session: &Arc<Session>) -> Self {
        let (server, session) = (server.clone(), session.clone());
        Self { server, session }
    }

    /// Its name.
    pub fn id(&self) -> SessionId {
        self.session.id()
    }

    /// Its full address.
    pub fn jid(&self) -> &FullJid {
        self.session.jid()
    }

    /// What is to be told of it now.
    pub fn info(&self) -> SessionInfo {
        self.session.info()
    }

    /// The server that it is at.
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// Keeps a value with the session, one of each type, as long as the session lives. It outlives
    /// lost links and not the process. Returns the one that was there before.
    pub fn put<T: Any + Send + Sync>(&self, value: T) -> Option<Arc<T>> {
        self.session.put(value)
    }

    /// The value of this type that was [`put`](Self::put).
    pub fn get<T: Any + Send + Sync>(&self) -> Option<Arc<T>> {
        self.session.get()
    }

    /// Sends it a copy: [`Server::send`].
    pub async fn send(&self, stanza: &Stanza) -> Delivery {
        self.server.send(&Target::session(self.id()), stanza).await
    }

    /// Ends it: [`Server::close`]. Returns whether it was there.
    pub async fn close(&self, reason: CloseReason) -> bool {
        let target = Target::session(self.id());
        self.server.close(&target, reason).await > 0
    }

    /// Puts it into a group: [`Server::join`].
    ///
    /// # Errors
    ///
    /// [`JoinError`]
    pub async fn join(&self, group: &str) -> Result<bool, JoinError> {
        self.server.join(group, self.id()).await
    }

    /// Takes it out of a group: [`Server::leave`].
    pub async fn leave(&self, group: &str) -> bool {
        self.server.leave(group, self.id()).await
    }
}
