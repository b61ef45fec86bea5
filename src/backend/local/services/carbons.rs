//! Switching carbons (XEP-0280 §4, §5).

use super::{Answer, Entity, Local, Payload, Request, Service};
use crate::backend::local::carbons::NS;
use crate::stanza::Condition;
use std::sync::Arc;

/// Switches carbons for the session that asks.
#[derive(Debug)]
pub(super) struct Carbons;

impl Service for Carbons {
    fn features(&self, of: Entity) -> &'static [&'static str] {
        if of == Entity::Other { &[] } else { &[NS] }
    }

    fn answers(&self, entity: Entity, request: &Payload) -> bool {
        entity != Entity::Other && &*request.namespace == NS
    }

    fn answer(&self, _local: &Arc<Local>, request: &Request) -> Answer {
        let payload = request.stanza.payload.as_ref();
        let on = match payload.map(|payload| &*payload.name) {
            Some("enable") if !request.is_get() => true,
            Some("disable") if !request.is_get() => false,
            _ => return Answer::Now(Err(Condition::BadRequest.into())),
        };
        request.session.set_carbons(on);
        Answer::Now(Ok(String::new()))
    }
}
