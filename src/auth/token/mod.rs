//! Bearer tokens (RFC 6750): signed ones (JWT, RFC 7519), and a list of fixed ones.
//!
//! [`Bearers`] says what a token is worth by what it knows now. Whoever can fetch keys stands before
//! it as a [`VerifyBearer`].

mod claims;
mod fixed;
mod jwt;
mod keys;

#[cfg(test)]
pub(crate) mod tests;

pub use claims::JwtOptions;
pub use fixed::{FIXED_TOKENS_MAX, FixedTokens, FixedTokensError};
pub use keys::{KEYS_MAX, KeySet, KeySetError};

use super::Admission;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::SystemTime;

/// The longest token, in bytes; a longer one is none. A token has to pass in one element before
/// login, for which `limits.max_stanza_bytes_before_auth` leaves 10 KiB by default, in base64.
pub const TOKEN_BYTES_MAX: usize = 7 * 1024;

/// A bearer token as a client shows it (`b64token`, RFC 6750 §2.1). Never printed, not even by
/// `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(Box<str>);

impl Token {
    /// Takes what can be a token: 1 to [`TOKEN_BYTES_MAX`] bytes of its alphabet.
    pub fn new(text: &str) -> Option<Self> {
        let body = text.trim_end_matches('=');
        let is_token = |b: u8| b.is_ascii_alphanumeric() || b"-._~+/".contains(&b);
        let fits = !body.is_empty() && text.len() <= TOKEN_BYTES_MAX;
        (fits && body.bytes().all(is_token)).then(|| Self(text.into()))
    }

    /// The token, for those who check it alone.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

/// Why a token is refused, for the operator. The peer hears `invalid_token` and no more.
///
/// Never holds the token, nor more of it than a name that the operator has to compare.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It is none of the fixed ones, and nothing else is taken.
    #[error("the token is not known")]
    Unknown,
    /// It is neither a fixed one nor a JWT.
    #[error("the token is neither known nor a JWT: {0}")]
    NoJwt(&'static str),
    /// It is signed in a way that anybody could who knows the public key, or not at all.
    #[error("the token is not signed by RS, PS, ES or EdDSA")]
    Algorithm,
    /// A `crit` header, of which nothing is understood here (RFC 7515 §4.1.11).
    #[error("the token has critical extensions, which are not understood here")]
    Critical,
    /// No key has its `kid` and fits its algorithm; there may be a newer set.
    #[error("no key of the set has kid {kid:?} and fits the token's algorithm")]
    UnknownKey {
        /// Its first characters; the peer's, so not to be trusted.
        kid: Option<String>,
    },
    /// No set of keys was had yet: no fault of the token.
    #[error("there are no keys to check tokens by yet")]
    NoKeys,
    /// The signature is not that of the key.
    #[error("the signature of the token is wrong")]
    Signature,
    /// `exp` and the leeway are over.
    #[error("the token has expired")]
    Expired,
    /// `nbf` and the leeway are still to come.
    #[error("the token is not valid yet")]
    NotYet,
    /// `iss` is none, or somebody else.
    #[error("the issuer of the token is not the one configured")]
    Issuer,
    /// `aud` is none, or others.
    #[error("the audience of the token is not the one configured")]
    Audience,
    /// A claim is missing or cannot be meant.
    #[error("claim {name:?} of the token {fault}")]
    Claim {
        /// Its name, as the operator wrote it.
        name: String,
        /// What is wrong with it.
        fault: &'static str,
    },
}

impl TokenError {
    /// Whether it is our trouble and not the token's fault.
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::NoKeys)
    }

    /// Whether a newer set of keys may know better.
    pub fn wants_keys(&self) -> bool {
        matches!(self, Self::NoKeys | Self::UnknownKey { .. })
    }
}

/// What comes of [`VerifyBearer::verify`].
pub type Verification = Pin<Box<dyn Future<Output = Result<Admission, TokenError>> + Send>>;

/// Says what a token is worth. It may have to wait, for keys or for whoever issued it.
pub trait VerifyBearer: fmt::Debug + Send + Sync {
    /// The future owns what it needs, and comes to an end within seconds.
    fn verify(&self, token: Token) -> Verification;
}

/// What tokens are taken, by what is known at present.
#[derive(Debug, Clone, Default)]
pub struct Bearers {
    jwt: Option<Arc<JwtOptions>>,
    keys: Option<Arc<KeySet>>,
    fixed: Arc<FixedTokens>,
}

impl Bearers {
    /// Fixed tokens and, if there are options for them, JWTs; of these none before
    /// [`Bearers::with_keys`].
    pub fn new(jwt: Option<JwtOptions>, fixed: FixedTokens) -> Self {
        Self {
            jwt: jwt.map(Arc::new),
            keys: None,
            fixed: Arc::new(fixed),
        }
    }

    /// The same with these keys instead of the former ones.
    #[must_use]
    pub fn with_keys(&self, keys: Arc<KeySet>) -> Self {
        Self {
            keys: Some(keys),
            ..self.clone()
        }
    }

    /// The keys for JWTs, if there are some.
    pub fn keys(&self) -> Option<&Arc<KeySet>> {
        self.keys.as_ref()
    }

    /// What a token is worth at this time of day.
    ///
    /// # Errors
    ///
    /// [`TokenError`]
    pub fn check(&self, now: SystemTime, token: &Token) -> Result<Admission, TokenError> {
        if let Some(admission) = self.fixed.find(token) {
            return Ok(admission);
        }
        let Some(options) = &self.jwt else {
            return Err(TokenError::Unknown);
        };
        let signed = jwt::Signed::read(token)?;
        let keys = self.keys.as_ref().ok_or(TokenError::NoKeys)?;
        options.admission(now, &signed.claims(keys)?)
    }
}
