//! Floor 5: what a bound stream talks to.
//!
//! A [`Backend`] authenticates, binds, takes stanzas and deals with what a session leaves behind.
//! [`local`] is the embedded one. A gateway to an XMPP server would be another one: nothing above
//! or below this room would know.

pub mod local;

pub use crate::sessions::{Connection, Transport};

use crate::auth::{Admission, Mechanism, Offer, SaslFailure};
use crate::sessions::{Ending, Session};
use crate::stanza::address::BareJid;
use crate::stanza::{ByteString, Stanza, StanzaError};
use crate::stream::Outbound;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

/// A future that owns what it needs.
pub type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// What the client hears of a SASL step.
#[derive(Debug)]
pub enum SaslReply {
    /// `<challenge/>` with these bytes.
    Challenge(Vec<u8>),
    /// `<success/>`, with these additional data if any.
    Success {
        /// Who it is.
        account: BareJid,
        /// The last word of the mechanism, e.g. the server signature of SCRAM.
        data: Option<Vec<u8>>,
        /// What the login itself decided, such as by a token. It goes before what was decided about
        /// the link ([`Admission::then`]).
        admission: Option<Arc<Admission>>,
    },
    /// `<failure/>`
    Failure(SaslFailure),
}

/// One authentication on one stream, server side.
pub trait SaslExchange: Send {
    /// The next message of the client; `None`: it sent no initial response.
    ///
    /// The future may wait: for a look-up, or to slow down a client that guesses.
    fn on_message(&mut self, message: Option<Vec<u8>>) -> BoxFuture<SaslReply>;
}

/// What became of a stanza that was handed to the backend.
pub enum Routed {
    /// The backend has taken responsibility; it counts as handled.
    Done,
    /// The same, but a mailbox is over its bound: read no more of this client before
    /// [`Session::poll_relieved`] of that session.
    Pressed(Arc<Session>),
    /// Not yet: it counts as handled when the future is done. The next stanza of the client waits
    /// for it, so that order holds.
    Later(BoxFuture<Option<Arc<Session>>>),
}

/// What a bound stream talks to.
///
/// Methods that return a value are called from a task that carries a stream: they must not block.
pub trait Backend: Send + Sync + 'static {
    /// The mechanisms and channel bindings that this link is offered.
    fn offer(&self, connection: &Connection) -> Arc<Offer>;

    /// Begins an authentication with a mechanism that was offered.
    fn begin_sasl(
        &self,
        connection: &Arc<Connection>,
        host: &Arc<str>,
        mechanism: Mechanism,
    ) -> Box<dyn SaslExchange>;

    /// Answers a request of XEP-0077 from a client that has not logged in; called only where
    /// registration is allowed. Returns an iq.
    fn register(
        &self,
        connection: &Arc<Connection>,
        host: &Arc<str>,
        request: ByteString,
    ) -> BoxFuture<ByteString>;

    /// Binds a resource: the one asked for, or one of our making (RFC 6120 §7).
    ///
    /// # Errors
    ///
    /// The stanza error that answers the bind iq.
    fn bind(
        &self,
        connection: &Arc<Connection>,
        account: &BareJid,
        resource: Option<String>,
    ) -> BoxFuture<Result<Arc<Session>, StanzaError>>;

    /// Takes a stanza of a client.
    fn route(&self, session: &Arc<Session>, stanza: Stanza) -> Routed;

    /// Takes up a session that outlived the last process: it hibernates, and
    /// [`Session::notes`] are what this backend left there. Done before the first client comes.
    fn restore(&self, session: Arc<Session>) -> BoxFuture<()>;

    /// Deals with a stanza that outlived the last process and has no place; its number is that of
    /// its record.
    fn place_stray(&self, stray: Outbound) -> BoxFuture<()>;

    /// Deals with what a session leaves behind (rule 2 of the promise), tells its contacts, and
    /// removes it from the registry at last. Runs to its end whatever else happens.
    fn ended(&self, ending: Ending) -> BoxFuture<()>;
}
