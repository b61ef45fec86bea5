//! The server's own secret, and randomness.

use std::fmt;

use super::mechanism::ScramHash;

/// 32 bytes that only this server knows; it answers for accounts that do not exist.
///
/// Keep it with the accounts: a salt that changes at a restart tells which accounts were made up.
/// Never printed, not even by `Debug`.
#[derive(Clone)]
pub struct Secret([u8; Secret::SIZE_BYTES]);

impl Secret {
    /// Length of a secret, in bytes.
    pub const SIZE_BYTES: usize = 32;

    /// A fresh secret from the operating system.
    ///
    /// # Errors
    ///
    /// [`EntropyUnavailable`] when the operating system has no randomness to give.
    pub fn generate() -> Result<Self, EntropyUnavailable> {
        random_bytes().map(Self)
    }

    /// The secret that was stored earlier.
    pub fn from_bytes(bytes: [u8; Secret::SIZE_BYTES]) -> Self {
        Self(bytes)
    }

    /// The bytes, for the store alone.
    pub fn as_bytes(&self) -> &[u8; Secret::SIZE_BYTES] {
        &self.0
    }

    /// A key for one purpose, always the same for this label.
    pub fn key(&self, label: &str) -> Vec<u8> {
        self.derive(ScramHash::Sha256, label, "")
    }

    /// Bytes that are always the same for this label and subject and look random to anyone else.
    pub(super) fn derive(&self, hash: ScramHash, label: &str, subject: &str) -> Vec<u8> {
        // NUL cannot be part of any of the three, so no two inputs read alike.
        let input = format!("{label}\0{}\0{subject}", hash.name());
        hash.hmac(&self.0, input.as_bytes())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// The operating system gave no randomness; nothing that needs a salt or a nonce can go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the operating system gave no randomness: {reason}")]
pub struct EntropyUnavailable {
    reason: String,
}

/// `N` bytes from the operating system's generator.
pub(super) fn random_bytes<const N: usize>() -> Result<[u8; N], EntropyUnavailable> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| EntropyUnavailable {
        reason: error.to_string(),
    })?;
    Ok(bytes)
}
