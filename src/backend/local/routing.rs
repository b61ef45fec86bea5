//! Whom a stanza is for (RFC 6120 §10).

use super::state::State;
use super::{Local, Service};
use crate::backend::Routed;
use crate::sessions::Session;
use crate::stanza::address::Jid;
use crate::stanza::{Condition, Kind, Stanza};
use std::sync::Arc;

/// Where an address leads.
#[derive(Debug)]
pub(super) enum Place<'a> {
    /// The account of the sender: no address, or its bare one (§10.3).
    Own,
    /// Another account of a domain that is served here (§10.5.3).
    Account,
    /// A resource of an account that is served here (§10.5.4).
    Resource(&'a Jid),
    /// The server itself (§10.5.1).
    Domain,
    /// A resource of the server, of which there are none (§10.5.2).
    DomainResource,
    /// A domain that a service has for itself.
    Service(&'a dyn Service),
    /// A domain that is not served here (§10.4). Nothing leads there.
    Elsewhere,
}

impl Local {
    pub(super) fn route_stanza(&self, session: &Arc<Session>, stanza: Stanza) -> Routed {
        if self.is_repeat(session, &stanza) {
            return Routed::Done;
        }
        match self.tap.get() {
            Some(tap) => self.tapped(&**tap, session, stanza),
            None => self.route_on(session, stanza),
        }
    }

    pub(super) fn route_on(&self, session: &Arc<Session>, stanza: Stanza) -> Routed {
        if let Some(service) = stanza.to.as_ref().and_then(|to| self.service_at(to)) {
            return self.route_to_service(service, session, stanza);
        }
        match stanza.kind {
            Kind::Message(kind) => self.route_message(session, stanza, kind),
            Kind::Presence(kind) => self.route_presence(session, stanza, kind),
            Kind::Iq(kind) => self.route_iq(session, stanza, kind),
        }
    }

    /// The service whose domain an address is at. The domains served here belong to no service.
    fn service_at(&self, to: &Jid) -> Option<&dyn Service> {
        let domain = to.domain().as_str();
        if self.options.load().serves(domain) {
            return None;
        }
        let service = self
            .services
            .iter()
            .find(|service| service.has_domain(domain));
        service.map(|service| &**service)
    }

    pub(super) fn place<'a>(&'a self, session: &Session, to: Option<&'a Jid>) -> Place<'a> {
        let Some(to) = to else { return Place::Own };
        let domain = to.domain().as_str();
        if !self.options.load().serves(domain) {
            return self.service_at(to).map_or(Place::Elsewhere, Place::Service);
        }
        match (to.node().is_some(), to.resource().is_some()) {
            (false, false) => Place::Domain,
            (false, true) => Place::DomainResource,
            (true, true) => Place::Resource(to),
            (true, false) if to.as_str() == session.account().as_str() => Place::Own,
            (true, false) => Place::Account,
        }
    }
}

impl Local {
    fn route_to_service(
        &self,
        service: &dyn Service,
        session: &Arc<Session>,
        stanza: Stanza,
    ) -> Routed {
        if let (Kind::Presence(kind), Some(to), Some(state)) =
            (stanza.kind, &stanza.to, State::of(session))
            && !super::presence::note_directed(session, state, to, kind)
        {
            return self.refuse(session, &stanza, Condition::ResourceConstraint);
        }
        match self.arc() {
            Some(local) => service.route(&local, session, stanza),
            None => Routed::Done,
        }
    }

    /// A stanza that this server sends to a service in the name of a session that goes.
    pub(super) fn hand_to_service(
        &self,
        service: &dyn Service,
        session: &Arc<Session>,
        stanza: Stanza,
    ) {
        let Some(local) = self.arc() else { return };
        if let Routed::Later(later) = service.route(&local, session, stanza) {
            tokio::spawn(later);
        }
    }
}
