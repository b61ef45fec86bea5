//! The outside of a JWT: its header and its signature.

use super::keys::KeySet;
use super::{Token, TokenError};
use jsonwebtoken::{Algorithm, Header, Validation};
use serde_json::{Map, Value};
use std::collections::HashSet;

/// How much of a `kid` is shown.
const KID_CHARS_SHOWN: usize = 64;

/// A token of the form of a JWT, signed in a way that is taken.
pub(super) struct Signed<'t> {
    token: &'t Token,
    header: Header,
}

impl<'t> Signed<'t> {
    pub(super) fn read(token: &'t Token) -> Result<Self, TokenError> {
        if token.as_str().split('.').count() != 3 {
            return Err(TokenError::NoJwt("it does not have three parts"));
        }
        let header = jsonwebtoken::decode_header(token.as_str())
            .map_err(|_| TokenError::NoJwt("its header cannot be read"))?;
        if !is_asymmetric(header.alg) {
            return Err(TokenError::Algorithm);
        }
        if header.crit.is_some() {
            return Err(TokenError::Critical);
        }
        Ok(Self { token, header })
    }

    /// What it says, if it is signed by a key of the set.
    pub(super) fn claims(&self, keys: &KeySet) -> Result<Map<String, Value>, TokenError> {
        let id = self.header.kid.as_deref();
        let validation = signature_only(self.header.alg);
        let mut is_known = false;
        for key in keys.candidates(self.header.alg, id) {
            is_known = true;
            let token = jsonwebtoken::decode(self.token.as_str(), &key.key, &validation);
            if let Ok(token) = token {
                return Ok(token.claims);
            }
        }
        if is_known {
            return Err(TokenError::Signature);
        }
        Err(TokenError::UnknownKey {
            kid: id.map(|id| id.chars().take(KID_CHARS_SHOWN).collect()),
        })
    }
}

/// What is claimed is looked at elsewhere, at a time that is an argument.
fn signature_only(algorithm: Algorithm) -> Validation {
    let mut validation = Validation::new(algorithm);
    validation.required_spec_claims = HashSet::new();
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.validate_aud = false;
    validation
}

fn is_asymmetric(algorithm: Algorithm) -> bool {
    // All by name: no further one is let in by itself.
    matches!(
        algorithm,
        Algorithm::RS256
            | Algorithm::RS384
            | Algorithm::RS512
            | Algorithm::PS256
            | Algorithm::PS384
            | Algorithm::PS512
            | Algorithm::ES256
            | Algorithm::ES384
            | Algorithm::EdDSA
    )
}
