//! The software and its version (XEP-0092).

use super::{Answer, Entity, Local, Payload, Request, Service};
use std::sync::Arc;

const NS: &str = "jabber:iq:version";

/// Names the software; not the operating system, which helps attackers only.
#[derive(Debug)]
pub(super) struct Version;

impl Service for Version {
    fn features(&self, of: Entity) -> &'static [&'static str] {
        if of == Entity::Domain { &[NS] } else { &[] }
    }

    fn answers(&self, entity: Entity, request: &Payload) -> bool {
        entity == Entity::Domain && request.is("query", NS)
    }

    fn answer(&self, _local: &Arc<Local>, _request: &Request) -> Answer {
        let version = env!("CARGO_PKG_VERSION");
        Answer::Now(Ok(format!(
            "<query xmlns='{NS}'><name>stanzad</name><version>{version}</version></query>"
        )))
    }
}
