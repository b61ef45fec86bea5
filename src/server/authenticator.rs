//! How an application decides who comes in.

use crate::auth::Admission;
use crate::http::gate::{Deciding, Decision, Gate, Handshake, Refused};
use axum::http::StatusCode;
use std::sync::Arc;

/// Decides about clients before they have a stream.
pub trait Authenticator: Send + Sync + 'static {
    /// Decides about a handshake, before the 101 (or before a BOSH session is made).
    ///
    /// [`Handshake::admission`] is what the ways of the endpoint have found; what is returned takes
    /// its place. With [`Admission::jid`] the stream offers SASL EXTERNAL: the client logs in as
    /// that account without a password. It may take a minute; then the client hears 503.
    ///
    /// # Errors
    ///
    /// The status that the client hears: 401, 403, 404, 429, 503 and the like. A browser cannot
    /// tell them apart, the log can.
    fn admit(
        &self,
        handshake: &Handshake,
    ) -> impl Future<Output = Result<Admission, StatusCode>> + Send;
}

/// An [`Authenticator`] as a gate.
struct Asking<A>(A);

impl<A: Authenticator> Gate for Asking<A> {
    fn decide<'a>(&'a self, handshake: &'a Handshake) -> Deciding<'a> {
        Box::pin(async move {
            match self.0.admit(handshake).await {
                Ok(admission) => Decision::Admit(admission),
                Err(status) => Decision::Refuse(refused(status)),
            }
        })
    }
}

/// A status that would let the client in, or tell it of success, is none to refuse it with.
fn refused(status: StatusCode) -> Refused {
    let status = match status.is_client_error() || status.is_server_error() {
        true => status,
        false => StatusCode::FORBIDDEN,
    };
    Refused::new(status, "the application refused")
}

pub(super) fn authenticator(decides: impl Authenticator) -> Arc<dyn Gate> {
    Arc::new(Asking(decides))
}
