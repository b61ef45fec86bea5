//! Key sequencing (XEP-0124 §15): each request proves that it comes from who sent the one before.

use sha1::{Digest, Sha1};
use subtle::ConstantTimeEq;

use super::body::Body;

/// What the next request's `key` must hash to, if the client uses keys at all.
#[derive(Debug, Default)]
pub(super) struct KeySequence {
    expected: Option<String>,
}

impl KeySequence {
    /// Starts with the `newkey` of the creation request; without one, keys are ignored.
    pub fn new(creation: &Body) -> Self {
        Self {
            expected: creation.newkey.clone(),
        }
    }

    pub fn is_in_use(&self) -> bool {
        self.expected.is_some()
    }

    /// Checks the key of the next request in `rid` order; false ends the session (§15.4).
    pub fn advance(&mut self, body: &Body) -> bool {
        let Some(expected) = &self.expected else {
            return true;
        };
        let Some(key) = &body.key else { return false };
        if !bool::from(
            hex_sha1(key)
                .as_bytes()
                .ct_eq(expected.to_ascii_lowercase().as_bytes()),
        ) {
            return false;
        }
        self.expected = Some(body.newkey.as_ref().unwrap_or(key).clone()); // §15.5
        true
    }
}

fn hex_sha1(text: &str) -> String {
    use std::fmt::Write;

    let mut hex = String::with_capacity(40);
    for byte in Sha1::digest(text.as_bytes()) {
        let _ = write!(hex, "{byte:02x}"); // writing to a String does not fail
    }
    hex
}
