//! The client's part of SCRAM (RFC 5802), written from the RFC alone; each piece can be falsified.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hash {
    Sha1,
    Sha256,
    Sha512,
}

impl Hash {
    pub fn mechanism(self) -> &'static str {
        match self {
            Self::Sha1 => "SCRAM-SHA-1",
            Self::Sha256 => "SCRAM-SHA-256",
            Self::Sha512 => "SCRAM-SHA-512",
        }
    }

    fn digest(self, data: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha1 => Sha1::digest(data).to_vec(),
            Self::Sha256 => Sha256::digest(data).to_vec(),
            Self::Sha512 => Sha512::digest(data).to_vec(),
        }
    }

    fn hmac(self, key: &[u8], data: &[u8]) -> Vec<u8> {
        macro_rules! hmac {
            ($hash:ty) => {{
                let mut mac = Hmac::<$hash>::new_from_slice(key).expect("any length");
                mac.update(data);
                mac.finalize().into_bytes().to_vec()
            }};
        }
        match self {
            Self::Sha1 => hmac!(Sha1),
            Self::Sha256 => hmac!(Sha256),
            Self::Sha512 => hmac!(Sha512),
        }
    }

    /// RFC 5802 §2.2: `Hi`.
    fn salted(self, password: &str, salt: &[u8], iterations: u32) -> Vec<u8> {
        let mut out = vec![0; self.digest(b"").len()];
        let password = password.as_bytes();
        match self {
            Self::Sha1 => pbkdf2::pbkdf2_hmac::<Sha1>(password, salt, iterations, &mut out),
            Self::Sha256 => pbkdf2::pbkdf2_hmac::<Sha256>(password, salt, iterations, &mut out),
            Self::Sha512 => pbkdf2::pbkdf2_hmac::<Sha512>(password, salt, iterations, &mut out),
        }
        out
    }
}

/// One authentication.
#[derive(Clone)]
pub struct Scram {
    pub hash: Hash,
    pub password: String,
    /// `n,,` and the like.
    pub gs2: String,
    /// `n=…,r=…`
    pub bare: String,
    /// What follows the GS2 header inside `c=`.
    pub binding: Vec<u8>,
}

/// The last message of the client, and what the server has to answer.
pub struct Final {
    pub message: String,
    pub without_proof: String,
    pub proof: Vec<u8>,
    pub server_signature: String,
}

impl Scram {
    pub fn new(hash: Hash, name: &str, password: &str) -> Self {
        Self {
            hash,
            password: password.to_owned(),
            gs2: "n,,".to_owned(),
            bare: format!("n={name},r=fyko+d2lbbFgONRv9qkxdawL"),
            binding: Vec::new(),
        }
    }

    pub fn first(&self) -> String {
        format!("{}{}", self.gs2, self.bare)
    }

    pub fn answer(&self, server_first: &str) -> Final {
        let nonce = value(server_first, 'r');
        let c = [self.gs2.as_bytes(), &self.binding].concat();
        self.answer_with(server_first, &BASE64.encode(c), nonce)
    }

    /// The same with another `c=` and `r=`, correctly signed.
    pub fn answer_with(&self, server_first: &str, c: &str, nonce: &str) -> Final {
        let salt = BASE64.decode(value(server_first, 's')).expect("a salt");
        let iterations = value(server_first, 'i').parse().expect("iterations");
        let salted = self.hash.salted(&self.password, &salt, iterations);
        let client_key = self.hash.hmac(&salted, b"Client Key");
        let without_proof = format!("c={c},r={nonce}");
        let message = format!("{},{server_first},{without_proof}", self.bare);
        let stored_key = self.hash.digest(&client_key);
        let signature = self.hash.hmac(&stored_key, message.as_bytes());
        let proof: Vec<u8> = client_key
            .iter()
            .zip(signature)
            .map(|(a, b)| a ^ b)
            .collect();
        let server_key = self.hash.hmac(&salted, b"Server Key");
        Final {
            message: format!("{without_proof},p={}", BASE64.encode(&proof)),
            without_proof,
            proof,
            server_signature: BASE64.encode(self.hash.hmac(&server_key, message.as_bytes())),
        }
    }
}

/// The value of an attribute of a SCRAM message.
pub fn value(message: &str, letter: char) -> &str {
    let mut parts = message.split(',').filter_map(|part| part.split_once('='));
    let found = parts.find(|(name, _)| name.chars().eq([letter]));
    found
        .unwrap_or_else(|| panic!("no {letter}= in {message}"))
        .1
}

pub fn encode(text: impl AsRef<[u8]>) -> String {
    BASE64.encode(text)
}

pub fn decode(text: &str) -> String {
    String::from_utf8(BASE64.decode(text).expect("base64")).expect("UTF-8")
}
