//! The session request of RFC 3921 §3, which does nothing and is still sent.

use super::{Answer, Entity, Local, Payload, Request, Service};
use std::sync::Arc;

const NS: &str = "urn:ietf:params:xml:ns:xmpp-session";

/// Says yes. The feature is not advertised, for it would cost each login a round trip.
#[derive(Debug)]
pub(super) struct LegacySession;

impl Service for LegacySession {
    fn answers(&self, entity: Entity, request: &Payload) -> bool {
        entity != Entity::Other && request.is("session", NS)
    }

    fn answer(&self, _local: &Arc<Local>, _request: &Request) -> Answer {
        Answer::Now(Ok(String::new()))
    }
}
