//! Ping (XEP-0199).

use super::{Answer, Entity, Local, Payload, Request, Service};
use std::sync::Arc;

const NS: &str = "urn:xmpp:ping";

/// Says that it is here.
#[derive(Debug)]
pub(super) struct Ping;

impl Service for Ping {
    fn features(&self, _of: Entity) -> &'static [&'static str] {
        &[NS]
    }

    fn answers(&self, entity: Entity, request: &Payload) -> bool {
        entity != Entity::Other && request.is("ping", NS)
    }

    fn answer(&self, _local: &Arc<Local>, _request: &Request) -> Answer {
        Answer::Now(Ok(String::new()))
    }
}
