//! The time (XEP-0202).

use super::{Answer, Entity, Local, Payload, Request, Service};
use crate::stanza::stamp;
use std::sync::Arc;

const NS: &str = "urn:xmpp:time";

/// Tells the time of the server, in UTC: where it stands is nobody's business.
#[derive(Debug)]
pub(super) struct Time;

impl Service for Time {
    fn features(&self, of: Entity) -> &'static [&'static str] {
        if of == Entity::Domain { &[NS] } else { &[] }
    }

    fn answers(&self, entity: Entity, request: &Payload) -> bool {
        entity == Entity::Domain && request.is("time", NS)
    }

    fn answer(&self, _local: &Arc<Local>, _request: &Request) -> Answer {
        let utc = stamp(crate::clock::time_of_day());
        Answer::Now(Ok(format!(
            "<time xmlns='{NS}'><tzo>+00:00</tzo><utc>{utc}</utc></time>"
        )))
    }
}
