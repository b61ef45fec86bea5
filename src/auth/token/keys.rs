//! A set of public keys (JWK Set, RFC 7517).

use jsonwebtoken::jwk::{
    AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, KeyOperations, PublicKeyUse,
};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;

/// So many keys may be in a set; a set with more is refused. Few have more than three.
pub const KEYS_MAX: usize = 100;

/// An RSA key of fewer bits is not used (RFC 7518 §3.3).
const RSA_BITS_MIN: usize = 2048;

const RSA: [Algorithm; 6] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
];

/// Keys that signatures of tokens are checked by.
#[derive(Debug)]
pub struct KeySet {
    keys: Vec<Key>,
    skipped: usize,
}

#[derive(Debug)]
pub(super) struct Key {
    id: Option<String>,
    algorithms: Vec<Algorithm>,
    pub(super) key: DecodingKey,
}

/// Why a text is no set of keys that could be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeySetError {
    /// Not JSON, or not a JWK Set.
    #[error("not a JWK Set: {0}")]
    Json(String),
    /// More than [`KEYS_MAX`].
    #[error("{0} keys are more than {KEYS_MAX}")]
    TooMany(usize),
    /// Nothing in it to check a signature by.
    #[error("none of its {0} keys is a public key for RS, PS, ES or EdDSA signatures")]
    NoneUsable(usize),
}

#[derive(Deserialize)]
struct Json {
    keys: Vec<serde_json::Value>,
}

impl KeySet {
    /// Reads a set. Keys of other kinds, for other uses or too short are passed over (RFC 7517 §5),
    /// secret ones above all: whoever knows the set could sign with them.
    ///
    /// # Errors
    ///
    /// [`KeySetError`]
    pub fn from_json(text: &str) -> Result<Self, KeySetError> {
        let json: Json =
            serde_json::from_str(text).map_err(|error| KeySetError::Json(error.to_string()))?;
        let count = json.keys.len();
        if count > KEYS_MAX {
            return Err(KeySetError::TooMany(count));
        }
        let keys: Vec<Key> = json.keys.into_iter().filter_map(Key::read).collect();
        if keys.is_empty() {
            return Err(KeySetError::NoneUsable(count));
        }
        let skipped = count - keys.len();
        Ok(Self { keys, skipped })
    }

    /// How many keys can be used; at least one.
    #[allow(clippy::len_without_is_empty)] // it never is
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// How many keys were passed over.
    pub fn skipped(&self) -> usize {
        self.skipped
    }

    /// Those that a token of this algorithm and `kid` can be signed by. Where one side names no
    /// key, any may be meant.
    pub(super) fn candidates<'k>(
        &'k self,
        algorithm: Algorithm,
        id: Option<&'k str>,
    ) -> impl Iterator<Item = &'k Key> {
        self.keys.iter().filter(move |key| {
            let is_meant = match (id, &key.id) {
                (Some(wanted), Some(own)) => wanted == own,
                _ => true,
            };
            is_meant && key.algorithms.contains(&algorithm)
        })
    }
}

impl Key {
    fn read(json: serde_json::Value) -> Option<Self> {
        let jwk: Jwk = serde_json::from_value(json).ok()?;
        let common = &jwk.common;
        let has_other_use = common
            .public_key_use
            .as_ref()
            .is_some_and(|usage| *usage != PublicKeyUse::Signature);
        let verifies = common
            .key_operations
            .as_ref()
            .is_none_or(|operations| operations.contains(&KeyOperations::Verify));
        if has_other_use || !verifies {
            return None;
        }
        let mut algorithms = algorithms(&jwk.algorithm);
        if let Some(only) = common.key_algorithm {
            algorithms.retain(|algorithm| KeyAlgorithm::from(*algorithm) == only);
        }
        if algorithms.is_empty() {
            return None;
        }
        Some(Self {
            id: common.key_id.clone(),
            algorithms,
            key: DecodingKey::from_jwk(&jwk).ok()?,
        })
    }
}

/// What a key of this kind can sign by, of what is taken here.
fn algorithms(parameters: &AlgorithmParameters) -> Vec<Algorithm> {
    match parameters {
        AlgorithmParameters::RSA(rsa) if base64_bits(&rsa.n) >= RSA_BITS_MIN => RSA.to_vec(),
        AlgorithmParameters::EllipticCurve(key) => match key.curve {
            EllipticCurve::P256 => vec![Algorithm::ES256],
            EllipticCurve::P384 => vec![Algorithm::ES384],
            _ => Vec::new(),
        },
        AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => {
            vec![Algorithm::EdDSA]
        }
        _ => Vec::new(),
    }
}

/// How many bits of whole bytes there are in so much base64.
fn base64_bits(text: &str) -> usize {
    text.trim_end_matches('=').len() * 6 / 8 * 8
}
