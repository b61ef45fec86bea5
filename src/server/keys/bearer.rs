//! `auth = ["jwt", "token"]`, and SASL OAUTHBEARER (W6).

use super::session::unknown_tier;
use crate::auth::{Admission, Token, TokenError, Verification, VerifyBearer};
use crate::http::gate::{Deciding, Decision, Gate, Handshake, Refused};
use crate::http::presented::{Bearer, INVALID_TOKEN};
use crate::server::jwks::{KeyKeeper, Verifier};
use axum::http::{HeaderValue, StatusCode};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Tokens that one of these knows.
#[derive(Debug, Clone)]
pub(super) struct AnyOf {
    pub keepers: Vec<Arc<KeyKeeper>>,
    pub tiers: Arc<BTreeSet<String>>,
}

impl AnyOf {
    pub fn is_empty(&self) -> bool {
        self.keepers.is_empty()
    }

    async fn check(self, token: Token) -> Result<Admission, TokenError> {
        let mut refused = TokenError::Unknown;
        // The list is asked last and first: it answers at once, and knows its own for sure.
        for keeper in self.keepers.iter().rev() {
            match Verifier::of(keeper).verify(token.clone()).await {
                Ok(admission) => {
                    return match unknown_tier(&admission.tier, &self.tiers) {
                        None => Ok(admission),
                        Some(tier) => Err(TokenError::Claim {
                            name: "tier".to_owned(),
                            fault: "names a tier that is none",
                        })
                        .inspect_err(|_| tracing::warn!(tier, "a token names an unknown tier")),
                    };
                }
                // Trouble of ours goes before a fault of the token: it may be none.
                Err(error) if !refused.is_temporary() => refused = error,
                Err(_) => {}
            }
        }
        Err(refused)
    }
}

impl VerifyBearer for AnyOf {
    fn verify(&self, token: Token) -> Verification {
        Box::pin(self.clone().check(token))
    }
}

/// Lets in who shows a token.
pub(super) struct BearerGate(pub AnyOf);

impl Gate for BearerGate {
    fn decide<'a>(&'a self, handshake: &'a Handshake) -> Deciding<'a> {
        Box::pin(async move {
            let token = match &handshake.presented().bearer {
                None => return Decision::Pass,
                Some(Bearer::NoToken) => return Decision::Refuse(invalid("no token at all")),
                Some(Bearer::Token(token)) => token.clone(),
            };
            match self.0.clone().check(token).await {
                Ok(admission) => Decision::Admit(admission),
                Err(error) if error.is_temporary() => {
                    let status = StatusCode::SERVICE_UNAVAILABLE;
                    Decision::Refuse(Refused::new(status, error.to_string()))
                }
                Err(error) => Decision::Refuse(invalid(error.to_string())),
            }
        })
    }
}

/// Whatever is wrong with it, the client hears the same (RFC 6750 §3.1).
fn invalid(reason: impl Into<String>) -> Refused {
    Refused {
        challenge: Some(HeaderValue::from_static(INVALID_TOKEN)),
        ..Refused::new(StatusCode::UNAUTHORIZED, reason)
    }
}
