//! The mechanisms by name and strength, and the hashes that SCRAM is built on.

use std::fmt;

use hmac::{EagerHash, Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};

/// A SASL mechanism that this server can speak.
///
/// Ordered by preference: the strongest compares lowest, so that a sorted list is the order in
/// which mechanisms are announced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mechanism {
    /// SCRAM-SHA-512 bound to the TLS channel.
    ScramSha512Plus,
    /// SCRAM-SHA-512.
    ScramSha512,
    /// SCRAM-SHA-256 bound to the TLS channel (RFC 7677).
    ScramSha256Plus,
    /// SCRAM-SHA-256 (RFC 7677).
    ScramSha256,
    /// SCRAM-SHA-1 bound to the TLS channel (RFC 5802).
    ScramSha1Plus,
    /// SCRAM-SHA-1 (RFC 5802), which every client and server has to know (RFC 6120 §13.8).
    ScramSha1,
    /// Nothing but what was decided about the link before the stream (RFC 4422 appendix A).
    External,
    /// A bearer token (RFC 7628); for links that nobody reads along.
    OAuthBearer,
    /// The password itself (RFC 4616); for links that nobody reads along.
    Plain,
    /// No account at all (RFC 4505, XEP-0175).
    Anonymous,
}

impl Mechanism {
    /// Every mechanism, strongest first.
    pub const ALL: [Self; 10] = [
        Self::ScramSha512Plus,
        Self::ScramSha512,
        Self::ScramSha256Plus,
        Self::ScramSha256,
        Self::ScramSha1Plus,
        Self::ScramSha1,
        Self::External,
        Self::OAuthBearer,
        Self::Plain,
        Self::Anonymous,
    ];

    /// The registered name, as announced in `<mechanism/>`.
    pub fn name(self) -> &'static str {
        match self {
            Self::ScramSha512Plus => "SCRAM-SHA-512-PLUS",
            Self::ScramSha512 => "SCRAM-SHA-512",
            Self::ScramSha256Plus => "SCRAM-SHA-256-PLUS",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha1Plus => "SCRAM-SHA-1-PLUS",
            Self::ScramSha1 => "SCRAM-SHA-1",
            Self::External => "EXTERNAL",
            Self::OAuthBearer => "OAUTHBEARER",
            Self::Plain => "PLAIN",
            Self::Anonymous => "ANONYMOUS",
        }
    }

    /// The mechanism of this registered name; names are upper case (RFC 4422 §3.1).
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.name() == name)
    }

    /// The hash, where the mechanism is one of the SCRAM family.
    pub fn scram_hash(self) -> Option<ScramHash> {
        match self {
            Self::ScramSha512Plus | Self::ScramSha512 => Some(ScramHash::Sha512),
            Self::ScramSha256Plus | Self::ScramSha256 => Some(ScramHash::Sha256),
            Self::ScramSha1Plus | Self::ScramSha1 => Some(ScramHash::Sha1),
            Self::External | Self::OAuthBearer | Self::Plain | Self::Anonymous => None,
        }
    }

    /// Whether the client shows a secret by which anybody could log in who reads along.
    pub fn shows_secret(self) -> bool {
        matches!(self, Self::Plain | Self::OAuthBearer)
    }

    /// Whether a wrong guess at a password can be made with it.
    pub fn asks_for_password(self) -> bool {
        self == Self::Plain || self.scram_hash().is_some()
    }

    /// Whether the mechanism proves that both ends see the same TLS channel: a `-PLUS`.
    pub fn binds_channel(self) -> bool {
        matches!(
            self,
            Self::ScramSha512Plus | Self::ScramSha256Plus | Self::ScramSha1Plus
        )
    }
}

impl fmt::Display for Mechanism {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The hash function of a SCRAM mechanism; the strongest compares lowest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ScramHash {
    /// SHA-512, 64 bytes.
    Sha512,
    /// SHA-256, 32 bytes.
    Sha256,
    /// SHA-1, 20 bytes. Sound in HMAC and PBKDF2, which is all that SCRAM uses it for.
    Sha1,
}

impl ScramHash {
    /// Every hash, strongest first.
    pub const ALL: [Self; 3] = [Self::Sha512, Self::Sha256, Self::Sha1];

    /// The name inside the mechanism's name, such as `SHA-256`; a stable text for a database row.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sha512 => "SHA-512",
            Self::Sha256 => "SHA-256",
            Self::Sha1 => "SHA-1",
        }
    }

    /// The hash of this name, as [`ScramHash::name`] wrote it.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.name() == name)
    }

    /// Bytes of one digest, and so of a StoredKey, a ServerKey and a proof.
    pub fn size_bytes(self) -> usize {
        match self {
            Self::Sha512 => 64,
            Self::Sha256 => 32,
            Self::Sha1 => 20,
        }
    }

    /// H(data) (RFC 5802 §2.2).
    pub(super) fn digest(self, data: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha512 => Sha512::digest(data).to_vec(),
            Self::Sha256 => Sha256::digest(data).to_vec(),
            Self::Sha1 => Sha1::digest(data).to_vec(),
        }
    }

    /// HMAC(key, data) (RFC 5802 §2.2).
    pub(super) fn hmac(self, key: &[u8], data: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha512 => hmac::<Sha512>(key, data),
            Self::Sha256 => hmac::<Sha256>(key, data),
            Self::Sha1 => hmac::<Sha1>(key, data),
        }
    }

    /// Hi(password, salt, i) (RFC 5802 §2.2), the slow one: milliseconds at the default of 10,000.
    pub(super) fn salted_password(self, password: &[u8], salt: &[u8], iterations: u32) -> Vec<u8> {
        let mut salted = vec![0; self.size_bytes()];
        match self {
            Self::Sha512 => pbkdf2::pbkdf2_hmac::<Sha512>(password, salt, iterations, &mut salted),
            Self::Sha256 => pbkdf2::pbkdf2_hmac::<Sha256>(password, salt, iterations, &mut salted),
            Self::Sha1 => pbkdf2::pbkdf2_hmac::<Sha1>(password, salt, iterations, &mut salted),
        }
        salted
    }
}

fn hmac<D: EagerHash>(key: &[u8], data: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<D>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(data);
    mac.finalize().into_bytes().to_vec()
}
