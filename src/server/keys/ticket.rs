//! `auth = ["ticket"]` (X5).

use crate::auth::{TicketError, Tickets};
use crate::http::gate::{Deciding, Decision, Gate, Handshake, Refused};
use axum::http::StatusCode;
use std::sync::Arc;

/// Lets in who shows a ticket, once.
pub(super) struct TicketGate(pub Arc<Tickets>);

impl Gate for TicketGate {
    fn decide<'a>(&'a self, handshake: &'a Handshake) -> Deciding<'a> {
        Box::pin(async move {
            let Some(ticket) = &handshake.presented().ticket else {
                return Decision::Pass;
            };
            let now = crate::clock::now();
            match self.0.redeem(now, handshake.endpoint(), ticket) {
                Ok(admission) => Decision::Admit(admission),
                Err(error) => Decision::Refuse(Refused::new(status(error), error.to_string())),
            }
        })
    }
}

fn status(error: TicketError) -> StatusCode {
    match error {
        TicketError::TooMany => StatusCode::SERVICE_UNAVAILABLE,
        TicketError::Bad
        | TicketError::Expired
        | TicketError::Used
        | TicketError::OtherEndpoint => StatusCode::FORBIDDEN,
    }
}
