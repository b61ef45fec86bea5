//! How an application decides who comes in.

use super::guarded::{Outcome, guarded};
use crate::auth::{Admission, Refusal, SaslFailure};
use crate::backend::BoxFuture;
use crate::backend::local::Passwords;
use crate::http::gate::{Deciding, Decision, Gate, Handshake, Refused};
use crate::stanza::address::BareJid;
use axum::http::StatusCode;
use std::sync::Arc;
use std::time::Duration;

/// How long an application may take to decide about a handshake; then the client hears 503.
const ADMIT_TIMEOUT: Duration = Duration::from_secs(60);

/// How long an application may take to check a password; then the client may try again later.
const PASSWORD_TIMEOUT: Duration = Duration::from_secs(30);

/// Decides who comes in: before there is a stream, and who logs in within it.
pub trait Authenticator: Send + Sync + 'static {
    /// Whether the application knows the passwords, and not the store of the server. Then PLAIN is
    /// the only mechanism with a password that is offered, on private links, and
    /// [`sasl`](Self::sasl) is asked. Default: no.
    const CHECKS_PASSWORDS: bool = false;

    /// Decides about a handshake, before the 101 (or before a BOSH session is made).
    ///
    /// [`Handshake::admission`] is what the ways of the endpoint have found; what is returned takes
    /// its place. With [`Admission::jid`] the stream offers SASL EXTERNAL: the client logs in as
    /// that account, which has to be there ([`Server::add_account`](super::Server::add_account)),
    /// without a password. It may take a minute; then the client hears 503. If it panics, 500.
    ///
    /// Default: whom the endpoint lets in is let in.
    ///
    /// # Errors
    ///
    /// The status that the client hears: 401, 403, 404, 429, 503 and the like. A browser cannot
    /// tell them apart, the log can.
    fn admit(
        &self,
        handshake: &Handshake,
    ) -> impl Future<Output = Result<Admission, StatusCode>> + Send {
        std::future::ready(Ok(handshake.admission().clone()))
    }

    /// Whether this is the password of the account. Asked if
    /// [`CHECKS_PASSWORDS`](Self::CHECKS_PASSWORDS) says so; guesses are slowed before it is. An
    /// account whose password is right is made if it is not there.
    ///
    /// Default: nobody's is right.
    ///
    /// # Errors
    ///
    /// What the client hears, most often `Err(Refusal::WrongPassword.into())`. One that panics, or
    /// takes longer than half a minute, is a `temporary-auth-failure`.
    fn sasl(
        &self,
        account: &BareJid,
        password: &str,
    ) -> impl Future<Output = Result<(), SaslFailure>> + Send {
        let _ = (account, password);
        std::future::ready(Err(Refusal::WrongPassword.into()))
    }
}

/// An [`Authenticator`] as what the rooms ask.
struct Asking<A>(A);

impl<A: Authenticator> Gate for Asking<A> {
    fn decide<'a>(&'a self, handshake: &'a Handshake) -> Deciding<'a> {
        Box::pin(async move {
            let asked = guarded(ADMIT_TIMEOUT, self.0.admit(handshake)).await;
            Decision::Refuse(match asked {
                Outcome::Done(Ok(admission)) => return Decision::Admit(admission),
                Outcome::Done(Err(status)) => refused(status),
                Outcome::Panicked => {
                    let status = StatusCode::INTERNAL_SERVER_ERROR;
                    Refused::new(status, "the application panicked")
                }
                Outcome::TookTooLong => {
                    let status = StatusCode::SERVICE_UNAVAILABLE;
                    Refused::new(status, "the application took too long")
                }
            })
        })
    }
}

struct Checking<A>(Arc<Asking<A>>);

impl<A: Authenticator> Passwords for Checking<A> {
    fn check(&self, account: BareJid, password: String) -> BoxFuture<Result<(), SaslFailure>> {
        let asked = self.0.clone();
        Box::pin(async move {
            let reason = match guarded(PASSWORD_TIMEOUT, asked.0.sasl(&account, &password)).await {
                Outcome::Done(checked) => return checked,
                Outcome::Panicked => "the application panicked",
                Outcome::TookTooLong => "the application took too long",
            };
            tracing::error!(%account, reason, "a password was not checked");
            let reason = reason.to_owned();
            Err(SaslFailure::TemporaryAuthFailure { reason })
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

/// What an authenticator decides, and by which way it is asked.
pub(super) struct Decides {
    pub gate: Arc<dyn Gate>,
    pub passwords: Option<Arc<dyn Passwords>>,
}

impl Decides {
    pub fn of<A: Authenticator>(decides: A) -> Self {
        let gate = Arc::new(Asking(decides));
        let passwords = A::CHECKS_PASSWORDS.then(|| Arc::new(Checking(gate.clone())) as _);
        Self { gate, passwords }
    }
}
