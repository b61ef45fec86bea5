//! What the server and the accounts on it answer.
//!
//! A service is a module that says what it answers and answers it. [`core()`] lists those that
//! belong to the core of RFC 6121; others are given to [`super::Local::new`]. A service may have a
//! domain for itself, as rooms do.

mod carbons;
mod disco;
mod legacy_session;
mod ping;
mod register;
mod time;
mod version;

use super::Local;
use crate::backend::{BoxFuture, Routed};
use crate::sessions::Session;
use crate::stanza::{Condition, IqType, Kind, Payload, Stanza, StanzaError};
use crate::xml::Element;
use std::fmt::Debug;
use std::sync::Arc;

/// Who is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Entity {
    /// The domain.
    Domain,
    /// The account of the one who asks.
    Own,
    /// Another account. The server answers for it, whether it exists or not (RFC 6121 §8.5.1).
    Other,
}

/// An iq of type get or set.
#[derive(Debug)]
pub struct Request {
    /// Who asks.
    pub session: Arc<Session>,
    /// Who is asked.
    pub entity: Entity,
    /// The iq.
    pub stanza: Stanza,
}

impl Request {
    /// Whether it asks; otherwise it changes.
    pub fn is_get(&self) -> bool {
        self.stanza.kind == Kind::Iq(IqType::Get)
    }

    /// The whole iq as a tree.
    ///
    /// # Errors
    ///
    /// `bad-request` for a tree beyond the limits of trees.
    pub fn element(&self) -> Result<Element, StanzaError> {
        Element::parse(&self.stanza.text).map_err(|_| Condition::BadRequest.into())
    }

    /// The domain of the account or server that is asked.
    pub fn domain(&self) -> &str {
        match &self.stanza.to {
            Some(to) => to.domain().as_str(),
            None => self.session.account().domain().as_str(),
        }
    }
}

/// What a service answers: the content of the result, which is XML or nothing, or an error.
pub enum Answer {
    /// At once.
    Now(Result<String, StanzaError>),
    /// When the future is done. The next stanza of who asks waits for it.
    Later(BoxFuture<Result<String, StanzaError>>),
}

/// A part of the server that answers requests.
pub trait Service: Debug + Send + Sync + 'static {
    /// The features that it adds to disco#info of this entity (XEP-0030 §3).
    fn features(&self, _of: Entity) -> &'static [&'static str] {
        &[]
    }

    /// Whether it answers this request. The first service that does is asked; one that nobody
    /// answers gets `service-unavailable`.
    fn answers(&self, entity: Entity, request: &Payload) -> bool;

    /// Answers.
    fn answer(&self, local: &Arc<Local>, request: &Request) -> Answer;

    /// The addresses that it adds to disco#items of this domain, with their names.
    fn items(&self, _domain: &str) -> Vec<(String, String)> {
        Vec::new()
    }

    /// Whether this is a domain of its own: then [`Service::route`] gets what is addressed there.
    fn has_domain(&self, _domain: &str) -> bool {
        false
    }

    /// Takes a stanza to its domain, under the contract of [`crate::backend::Backend::route`].
    ///
    /// A session that sent presence there sends `unavailable` when it ends.
    fn route(&self, _local: &Arc<Local>, _session: &Arc<Session>, _stanza: Stanza) -> Routed {
        Routed::Done
    }
}

/// The services of the core.
pub fn core() -> Vec<Box<dyn Service>> {
    vec![
        Box::new(super::roster::RosterService),
        Box::new(disco::Disco),
        Box::new(ping::Ping),
        Box::new(carbons::Carbons),
        Box::new(time::Time),
        Box::new(version::Version),
        Box::new(register::Register),
        Box::new(legacy_session::LegacySession),
    ]
}
