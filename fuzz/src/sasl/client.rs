//! The client's part of SCRAM (RFC 5802), written from the RFC alone.

use std::sync::{Mutex, OnceLock};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};
use stanzad::auth::ScramHash;

pub const PASSWORD: &str = "pencil";

/// The proof (RFC 5802 §3) of the right password for what was said.
pub fn proof(hash: ScramHash, bare: &str, server_first: &str, without_proof: &str) -> Vec<u8> {
    let client_key = hmac(hash, &salted(hash, server_first), b"Client Key");
    let stored_key = digest(hash, &client_key);
    let signed = format!("{bare},{server_first},{without_proof}");
    let signature = hmac(hash, &stored_key, signed.as_bytes());
    let pairs = client_key.iter().zip(signature);
    pairs.map(|(key, signature)| key ^ signature).collect()
}

/// What the server proves itself by.
pub fn server_signature(
    hash: ScramHash,
    bare: &str,
    server_first: &str,
    without_proof: &str,
) -> String {
    let server_key = hmac(hash, &salted(hash, server_first), b"Server Key");
    let signed = format!("{bare},{server_first},{without_proof}");
    let signature = hmac(hash, &server_key, signed.as_bytes());
    format!("v={}", BASE64.encode(signature))
}

/// The value of an attribute of a message.
pub fn value(message: &str, letter: char) -> Option<&str> {
    let mut parts = message.split(',').filter_map(|part| part.split_once('='));
    let found = parts.find(|(name, _)| name.chars().eq([letter]));
    found.map(|(_, value)| value)
}

/// RFC 5802 §2.2: `Hi`, remembered, since it is slow.
fn salted(hash: ScramHash, server_first: &str) -> Vec<u8> {
    type Known = Vec<(ScramHash, String, Vec<u8>)>;
    static KNOWN: OnceLock<Mutex<Known>> = OnceLock::new();
    let mut known = KNOWN.get_or_init(Mutex::default).lock().expect("no panic");
    let salt = value(server_first, 's').expect("a salt");
    if let Some((.., key)) = known.iter().find(|(of, s, _)| *of == hash && s == salt) {
        return key.clone();
    }
    let bytes = BASE64.decode(salt).expect("a salt in base64");
    let iterations = value(server_first, 'i').and_then(|i| i.parse().ok());
    let iterations = iterations.expect("a number of iterations");
    let mut key = vec![0; hash.size_bytes()];
    let password = PASSWORD.as_bytes();
    match hash {
        ScramHash::Sha1 => pbkdf2::pbkdf2_hmac::<Sha1>(password, &bytes, iterations, &mut key),
        ScramHash::Sha256 => pbkdf2::pbkdf2_hmac::<Sha256>(password, &bytes, iterations, &mut key),
        ScramHash::Sha512 => pbkdf2::pbkdf2_hmac::<Sha512>(password, &bytes, iterations, &mut key),
    }
    known.push((hash, salt.to_owned(), key.clone()));
    // Accounts that do not exist have salts, too, and there is no end of them.
    if known.len() > 8 {
        known.remove(3);
    }
    key
}

fn digest(hash: ScramHash, data: &[u8]) -> Vec<u8> {
    match hash {
        ScramHash::Sha1 => Sha1::digest(data).to_vec(),
        ScramHash::Sha256 => Sha256::digest(data).to_vec(),
        ScramHash::Sha512 => Sha512::digest(data).to_vec(),
    }
}

fn hmac(hash: ScramHash, key: &[u8], data: &[u8]) -> Vec<u8> {
    macro_rules! hmac {
        ($hash:ty) => {{
            let mut mac = Hmac::<$hash>::new_from_slice(key).expect("any length");
            mac.update(data);
            mac.finalize().into_bytes().to_vec()
        }};
    }
    match hash {
        ScramHash::Sha1 => hmac!(Sha1),
        ScramHash::Sha256 => hmac!(Sha256),
        ScramHash::Sha512 => hmac!(Sha512),
    }
}
