//! `auth = ["session"]` (O1).

use crate::http::gate::{Deciding, Decision, Gate, Handshake, Refused};
use crate::http::session_ask::{Question, SessionAsk};
use axum::http::StatusCode;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Lets in whom the web application lets in.
pub(super) struct SessionGate {
    ask: Arc<SessionAsk>,
    tiers: Arc<BTreeSet<String>>,
}

impl SessionGate {
    pub fn new(ask: Arc<SessionAsk>, tiers: &Arc<BTreeSet<String>>) -> Self {
        let tiers = tiers.clone();
        Self { ask, tiers }
    }
}

impl Gate for SessionGate {
    fn decide<'a>(&'a self, handshake: &'a Handshake) -> Deciding<'a> {
        Box::pin(async move {
            if !self.ask.knows(handshake.headers()) {
                return Decision::Pass;
            }
            let question = Question {
                endpoint: handshake.endpoint(),
                path: handshake.path(),
                query: &handshake.presented().query,
                address: handshake.address(),
                headers: handshake.headers(),
            };
            match self.ask.ask(question).await {
                Ok(admission) => match unknown_tier(&admission.tier, &self.tiers) {
                    None => Decision::Admit(admission),
                    Some(tier) => {
                        let reason = format!("the application names a tier {tier:?} that is none");
                        Decision::Refuse(Refused::new(StatusCode::SERVICE_UNAVAILABLE, reason))
                    }
                },
                Err(status) => Decision::Refuse(Refused::new(status, "the web application")),
            }
        })
    }
}

/// Stands where the web application has to be asked and cannot be: a reload named it, and the rest of
/// `[auth]` could not be taken over. Nobody is let in unasked.
pub(super) struct Shut;

impl Gate for Shut {
    fn decide<'a>(&'a self, _handshake: &'a Handshake) -> Deciding<'a> {
        let reason = "the web application cannot be asked: [auth] was not taken over";
        let refused = Refused::new(StatusCode::SERVICE_UNAVAILABLE, reason);
        Box::pin(std::future::ready(Decision::Refuse(refused)))
    }
}

/// The tier that is named and is none.
pub(super) fn unknown_tier<'t>(
    tier: &'t Option<String>,
    tiers: &BTreeSet<String>,
) -> Option<&'t str> {
    let tier = tier.as_deref()?;
    (!tiers.contains(tier)).then_some(tier)
}
