//! Credentials and SASL mechanisms, the server's side.
//!
//! Bookkeeping and arithmetic only: no socket, no clock, no task, no database. The stream tells an
//! [`Exchange`] what the client sent and does what its [`Step`] says; whoever owns the accounts
//! answers a [`Step::LookUp`] with the [`Credentials`] that it stored, or with none.
//!
//! ```text
//! <auth/>      → Exchange::new, on_message → LookUp → on_credentials → Challenge
//! <response/>  →                on_message → Success | Failure
//! ```
//!
//! A password is never stored: what an account keeps are SCRAM keys ([`ScramKeys`], RFC 5802 §3),
//! from which neither the password nor a login elsewhere can be had. An account that does not
//! exist answers as one that does, with a stable salt and the same work ([`Realm`]).
//!
//! Two things are left to the caller. PLAIN derives the password anew at each login, which is
//! meant to be slow: ask [`Exchange::is_costly`] and leave the async threads for it. And guesses
//! cost nothing until a [`Throttle`] makes them wait.

mod admission;
pub(crate) mod bearer;
mod binding;
mod credentials;
mod exchange;
mod failure;
mod identity;
mod mechanism;
mod offer;
mod plain;
mod scram;
mod secret;
mod throttle;
mod ticket;
mod token;

#[cfg(test)]
mod tests;

#[cfg(test)]
pub(crate) use token::tests as tests_of_tokens;

pub use admission::Admission;
pub use binding::{ChannelBinding, ChannelBindingType};
pub use credentials::{
    Credentials, CredentialsError, ITERATIONS_DEFAULT, ITERATIONS_MAX, ITERATIONS_MIN,
    PASSWORD_BYTES_MAX, SALT_BYTES, SALT_BYTES_MAX, ScramKeys,
};
pub use exchange::{Exchange, MESSAGE_BYTES_MAX, Step};
pub use failure::{Malformed, Refusal, SaslFailure};
pub use identity::Realm;
pub use mechanism::{Mechanism, ScramHash};
pub use offer::{LinkSecurity, Offer};
pub use secret::{EntropyUnavailable, Secret};
pub use throttle::{Throttle, ThrottleLimits};
pub use ticket::{TICKET_BYTES_MAX, TICKET_TTL_MAX, TicketError, Tickets, USED_TICKETS_MAX};
pub use token::{
    Bearers, FIXED_TOKENS_MAX, FixedTokens, FixedTokensError, JwtOptions, KEYS_MAX, KeySet,
    KeySetError, TOKEN_BYTES_MAX, Token, TokenError, Verification, VerifyBearer,
};
