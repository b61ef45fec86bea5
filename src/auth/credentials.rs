//! What an account keeps in place of its password: SCRAM keys (RFC 5802 §3, §9).

use std::fmt;

use subtle::ConstantTimeEq;

use super::{
    identity::Realm,
    mechanism::ScramHash,
    secret::{EntropyUnavailable, random_bytes},
};

/// Fewest PBKDF2 iterations (RFC 7677 §4; clients refuse fewer).
pub const ITERATIONS_MIN: u32 = 4_096;
/// Most PBKDF2 iterations: around a second of one core at each PLAIN login.
pub const ITERATIONS_MAX: u32 = 1_000_000;
/// Default PBKDF2 iterations: some milliseconds on a server, some tens in a browser.
pub const ITERATIONS_DEFAULT: u32 = 10_000;
/// Bytes of a salt made here.
pub const SALT_BYTES: usize = 16;
/// Most bytes of a salt that came from elsewhere.
pub const SALT_BYTES_MAX: usize = 64;
/// Most bytes of a password, so that preparing one costs little.
pub const PASSWORD_BYTES_MAX: usize = 1_024;

/// The keys of one account for one hash; enough to check a login, not enough to make one.
#[derive(Clone, PartialEq, Eq)]
pub struct ScramKeys {
    hash: ScramHash,
    iterations: u32,
    salt: Vec<u8>,
    stored_key: Vec<u8>,
    server_key: Vec<u8>,
}

impl ScramKeys {
    /// Keys that were stored earlier, here or by another server.
    ///
    /// # Errors
    ///
    /// [`CredentialsError`] where a part is out of its range: `iterations` from
    /// [`ITERATIONS_MIN`] to [`ITERATIONS_MAX`], `salt` of 1 to [`SALT_BYTES_MAX`] bytes, both keys
    /// of the hash's size.
    pub fn from_parts(
        hash: ScramHash,
        iterations: u32,
        salt: Vec<u8>,
        stored_key: Vec<u8>,
        server_key: Vec<u8>,
    ) -> Result<Self, CredentialsError> {
        check_iterations(iterations)?;
        if salt.is_empty() || salt.len() > SALT_BYTES_MAX {
            return Err(CredentialsError::SaltSize {
                found_bytes: salt.len(),
            });
        }
        for key in [&stored_key, &server_key] {
            if key.len() != hash.size_bytes() {
                return Err(CredentialsError::KeySize {
                    hash,
                    found_bytes: key.len(),
                });
            }
        }
        Ok(Self {
            hash,
            iterations,
            salt,
            stored_key,
            server_key,
        })
    }

    /// Derives keys from a password, with a salt given by the caller.
    ///
    /// Meant for importing and for tests; [`Credentials::derive`] draws a salt of its own.
    /// Cost: as [`Credentials::derive`], for one hash.
    ///
    /// # Errors
    ///
    /// As [`Credentials::derive`], and [`CredentialsError::SaltSize`].
    pub fn derive(
        hash: ScramHash,
        password: &str,
        salt: Vec<u8>,
        iterations: u32,
    ) -> Result<Self, CredentialsError> {
        let password = PreparedPassword::new(password)?;
        check_iterations(iterations)?;
        let (stored_key, server_key) = password.keys(hash, &salt, iterations);
        Self::from_parts(hash, iterations, salt, stored_key, server_key)
    }

    /// Keys for an account that does not exist: always the same, and no password fits them.
    pub(super) fn decoy(realm: &Realm, hash: ScramHash, username: &str) -> Self {
        let subject = format!("{username}@{}", realm.domain());
        let mut salt = realm.secret().derive(hash, "salt", &subject);
        salt.truncate(SALT_BYTES);
        Self {
            hash,
            iterations: realm.iterations(),
            salt,
            stored_key: realm.secret().derive(hash, "stored key", &subject),
            server_key: realm.secret().derive(hash, "server key", &subject),
        }
    }

    /// The hash that the keys are for.
    pub fn hash(&self) -> ScramHash {
        self.hash
    }

    /// PBKDF2 iterations, the `i` that a client is told.
    pub fn iterations(&self) -> u32 {
        self.iterations
    }

    /// The salt, the `s` that a client is told before base64.
    pub fn salt(&self) -> &[u8] {
        &self.salt
    }

    /// H(ClientKey) (RFC 5802 §3): checks a client's proof.
    pub fn stored_key(&self) -> &[u8] {
        &self.stored_key
    }

    /// HMAC(SaltedPassword, "Server Key") (RFC 5802 §3): signs as this server.
    pub fn server_key(&self) -> &[u8] {
        &self.server_key
    }

    /// Whether this ClientKey is the one that the stored key is the hash of, in constant time.
    pub(super) fn accepts_client_key(&self, client_key: &[u8]) -> bool {
        self.hash.digest(client_key).ct_eq(&self.stored_key).into()
    }

    /// Whether the keys come from this password. Cost: all the iterations.
    pub(super) fn accepts_password(&self, password: &PreparedPassword) -> bool {
        let (stored_key, _) = password.keys(self.hash, &self.salt, self.iterations);
        stored_key.ct_eq(&self.stored_key).into()
    }
}

impl fmt::Debug for ScramKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScramKeys")
            .field("hash", &self.hash)
            .field("iterations", &self.iterations)
            .finish_non_exhaustive()
    }
}

/// The keys of one account, for up to all three hashes.
///
/// An account made here has all three; one that came from another server may have fewer, and then
/// the mechanisms of the others fail for it as a wrong password does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Credentials {
    /// At most one for each hash, strongest first.
    keys: Vec<ScramKeys>,
}

impl Credentials {
    /// Derives keys for all three hashes from a password, each with a fresh salt.
    ///
    /// The password goes through SASLprep (RFC 4013), as RFC 5802 §2.2 asks. Cost: three times
    /// PBKDF2 with `iterations`, milliseconds at [`ITERATIONS_DEFAULT`]: keep it off async threads.
    ///
    /// # Errors
    ///
    /// [`CredentialsError`]: the password is empty, over [`PASSWORD_BYTES_MAX`] or refused by
    /// SASLprep; `iterations` is outside [`ITERATIONS_MIN`] to [`ITERATIONS_MAX`]; or there is no
    /// randomness.
    pub fn derive(password: &str, iterations: u32) -> Result<Self, CredentialsError> {
        let password = PreparedPassword::new(password)?;
        check_iterations(iterations)?;
        ScramHash::ALL
            .into_iter()
            .map(|hash| {
                let salt = random_bytes::<SALT_BYTES>()?.to_vec();
                let (stored_key, server_key) = password.keys(hash, &salt, iterations);
                ScramKeys::from_parts(hash, iterations, salt, stored_key, server_key)
            })
            .collect()
    }

    /// The keys for this hash.
    pub fn keys(&self, hash: ScramHash) -> Option<&ScramKeys> {
        self.keys.iter().find(|keys| keys.hash == hash)
    }

    /// The keys of the strongest hash; none where the account cannot log in with a password.
    pub fn strongest(&self) -> Option<&ScramKeys> {
        self.keys.first()
    }

    /// All keys, strongest first.
    pub fn iter(&self) -> impl Iterator<Item = &ScramKeys> {
        self.keys.iter()
    }
}

impl FromIterator<ScramKeys> for Credentials {
    /// Collects rows of a database; of two for the same hash the first stays.
    fn from_iter<I: IntoIterator<Item = ScramKeys>>(keys: I) -> Self {
        let mut keys: Vec<ScramKeys> = keys.into_iter().collect();
        keys.sort_by_key(|keys| keys.hash);
        keys.dedup_by_key(|keys| keys.hash);
        Self { keys }
    }
}

/// Why keys could not be made, or are not keys.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CredentialsError {
    /// An empty password.
    #[error("the password is empty")]
    PasswordEmpty,
    /// Longer than [`PASSWORD_BYTES_MAX`].
    #[error("the password has {found_bytes} bytes, more than {PASSWORD_BYTES_MAX}")]
    PasswordTooLong {
        /// Its length.
        found_bytes: usize,
    },
    /// SASLprep refuses it (RFC 4013): control characters, mixed directions, or characters newer
    /// than Unicode 3.2, emoji among them.
    #[error("the password has characters that SASLprep (RFC 4013) does not allow")]
    PasswordNotPreparable,
    /// Iterations outside [`ITERATIONS_MIN`] to [`ITERATIONS_MAX`].
    #[error("{found} iterations; from {ITERATIONS_MIN} to {ITERATIONS_MAX} are allowed")]
    IterationsOutOfRange {
        /// What was asked for.
        found: u32,
    },
    /// A salt that is empty or longer than [`SALT_BYTES_MAX`].
    #[error("a salt of {found_bytes} bytes; from 1 to {SALT_BYTES_MAX} are allowed")]
    SaltSize {
        /// Its length.
        found_bytes: usize,
    },
    /// A key that is not as long as its hash.
    #[error("a key of {found_bytes} bytes for {}", hash.name())]
    KeySize {
        /// The hash it is said to be for.
        hash: ScramHash,
        /// Its length.
        found_bytes: usize,
    },
    /// No randomness for a salt.
    #[error(transparent)]
    EntropyUnavailable(#[from] EntropyUnavailable),
}

/// A password after SASLprep, for the time of one derivation.
pub(super) struct PreparedPassword(String);

impl PreparedPassword {
    pub(super) fn new(password: &str) -> Result<Self, CredentialsError> {
        if password.len() > PASSWORD_BYTES_MAX {
            return Err(CredentialsError::PasswordTooLong {
                found_bytes: password.len(),
            });
        }
        // The library's message names the character, which is a part of the password: dropped.
        let prepared =
            stringprep::saslprep(password).map_err(|_| CredentialsError::PasswordNotPreparable)?;
        if prepared.is_empty() {
            return Err(CredentialsError::PasswordEmpty);
        }
        Ok(Self(prepared.into_owned()))
    }

    /// StoredKey and ServerKey (RFC 5802 §3).
    fn keys(&self, hash: ScramHash, salt: &[u8], iterations: u32) -> (Vec<u8>, Vec<u8>) {
        #[cfg(test)]
        ROUNDS.with(|rounds| rounds.set(rounds.get() + u64::from(iterations)));
        let salted = hash.salted_password(self.0.as_bytes(), salt, iterations);
        let client_key = hash.hmac(&salted, b"Client Key");
        (hash.digest(&client_key), hash.hmac(&salted, b"Server Key"))
    }
}

#[cfg(test)]
thread_local! {
    /// The rounds of PBKDF2 that this thread has done, for tests that weigh what takes time.
    pub(super) static ROUNDS: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

pub(super) fn check_iterations(found: u32) -> Result<(), CredentialsError> {
    if (ITERATIONS_MIN..=ITERATIONS_MAX).contains(&found) {
        Ok(())
    } else {
        Err(CredentialsError::IterationsOutOfRange { found })
    }
}
