//! SCRAM (RFC 5802, RFC 7677) with keys that are derived once.
//!
//! PBKDF2 is what makes a login dear for a client. Its result depends on the password, the salt
//! and the rounds alone, so it is kept, in a file if asked for: else the generator would be what is
//! measured.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, Result, bail};
use base64::prelude::{BASE64_STANDARD, Engine};
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::{Digest, Sha256};

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Hash {
    Sha1,
    Sha256,
}

impl Hash {
    pub fn mechanism(self) -> &'static str {
        match self {
            Hash::Sha1 => "SCRAM-SHA-1",
            Hash::Sha256 => "SCRAM-SHA-256",
        }
    }

    fn hmac(self, key: &[u8], text: &[u8]) -> Vec<u8> {
        fn of<M: Mac + KeyInit>(key: &[u8], text: &[u8]) -> Vec<u8> {
            let mut mac = <M as KeyInit>::new_from_slice(key).expect("any length will do");
            mac.update(text);
            mac.finalize().into_bytes().to_vec()
        }
        match self {
            Hash::Sha1 => of::<Hmac<Sha1>>(key, text),
            Hash::Sha256 => of::<Hmac<Sha256>>(key, text),
        }
    }

    fn digest(self, text: &[u8]) -> Vec<u8> {
        match self {
            Hash::Sha1 => Sha1::digest(text).to_vec(),
            Hash::Sha256 => Sha256::digest(text).to_vec(),
        }
    }

    fn salted(self, password: &str, salt: &[u8], rounds: u32) -> Vec<u8> {
        let mut out = vec![0; if self == Hash::Sha1 { 20 } else { 32 }];
        match self {
            Hash::Sha1 => pbkdf2::pbkdf2_hmac::<Sha1>(password.as_bytes(), salt, rounds, &mut out),
            Hash::Sha256 => {
                pbkdf2::pbkdf2_hmac::<Sha256>(password.as_bytes(), salt, rounds, &mut out)
            }
        }
        out
    }
}

#[derive(Clone)]
struct Keys {
    client: Vec<u8>,
    stored: Vec<u8>,
    server: Vec<u8>,
}

impl Keys {
    fn new(hash: Hash, client: Vec<u8>, server: Vec<u8>) -> Self {
        Self {
            stored: hash.digest(&client),
            client,
            server,
        }
    }

    fn derive(hash: Hash, password: &str, salt: &[u8], rounds: u32) -> Self {
        let salted = hash.salted(password, salt, rounds);
        Self::new(
            hash,
            hash.hmac(&salted, b"Client Key"),
            hash.hmac(&salted, b"Server Key"),
        )
    }
}

/// Keys by what they depend on: mechanism, rounds, salt, user and password, in one line of text.
#[derive(Default)]
pub struct Cache {
    keys: RefCell<HashMap<String, Keys>>,
    derived: RefCell<u64>,
}

impl Cache {
    pub fn read(path: &Path) -> Result<Self> {
        let cache = Self::default();
        if !path.exists() {
            return Ok(cache);
        }
        for line in std::fs::read_to_string(path)?.lines() {
            let mut fields = line.rsplitn(3, ' ');
            let (Some(server), Some(client), Some(name)) =
                (fields.next(), fields.next(), fields.next())
            else {
                bail!("{}: not a file of keys", path.display());
            };
            let hash = if name.starts_with("SCRAM-SHA-256 ") {
                Hash::Sha256
            } else {
                Hash::Sha1
            };
            let keys = Keys::new(
                hash,
                BASE64_STANDARD.decode(client)?,
                BASE64_STANDARD.decode(server)?,
            );
            cache.keys.borrow_mut().insert(name.to_owned(), keys);
        }
        Ok(cache)
    }

    pub fn write(&self, path: &Path) -> Result<()> {
        if self.derived() == 0 {
            return Ok(());
        }
        let mut text = String::new();
        for (name, keys) in self.keys.borrow().iter() {
            let client = BASE64_STANDARD.encode(&keys.client);
            let server = BASE64_STANDARD.encode(&keys.server);
            writeln!(text, "{name} {client} {server}")?;
        }
        std::fs::write(path, text).with_context(|| path.display().to_string())
    }

    /// How often PBKDF2 had to be done.
    pub fn derived(&self) -> u64 {
        *self.derived.borrow()
    }

    fn get(&self, hash: Hash, user: &str, password: &str, salt: &str, rounds: u32) -> Result<Keys> {
        let name = format!("{} {rounds} {salt} {user} {password}", hash.mechanism());
        if let Some(keys) = self.keys.borrow().get(&name) {
            return Ok(keys.clone());
        }
        let keys = Keys::derive(hash, password, &BASE64_STANDARD.decode(salt)?, rounds);
        *self.derived.borrow_mut() += 1;
        self.keys.borrow_mut().insert(name, keys.clone());
        Ok(keys)
    }
}

pub struct Exchange<'a> {
    hash: Hash,
    user: &'a str,
    password: &'a str,
    bare: String,
}

pub struct Final {
    pub message: String,
    signature: String,
}

impl<'a> Exchange<'a> {
    pub fn new(hash: Hash, user: &'a str, password: &'a str, nonce: &str) -> Self {
        Self {
            hash,
            user,
            password,
            bare: format!("n={user},r={nonce}"),
        }
    }

    pub fn first(&self) -> String {
        format!("n,,{}", self.bare)
    }

    pub fn answer(&self, challenge: &str, cache: &Cache) -> Result<Final> {
        let field = |name: &str| {
            challenge
                .split(',')
                .find_map(|part| part.strip_prefix(name))
                .context("a poor challenge")
        };
        let (nonce, salt) = (field("r=")?, field("s=")?);
        let rounds = field("i=")?.parse()?;
        let keys = cache.get(self.hash, self.user, self.password, salt, rounds)?;
        let unproven = format!("c=biws,r={nonce}");
        let signed = format!("{},{challenge},{unproven}", self.bare);
        let mut proof = self.hash.hmac(&keys.stored, signed.as_bytes());
        proof
            .iter_mut()
            .zip(&keys.client)
            .for_each(|(byte, key)| *byte ^= key);
        Ok(Final {
            message: format!("{unproven},p={}", BASE64_STANDARD.encode(proof)),
            signature: BASE64_STANDARD.encode(self.hash.hmac(&keys.server, signed.as_bytes())),
        })
    }
}

impl Final {
    pub fn check(&self, success: &str) -> Result<()> {
        match success.strip_prefix("v=") {
            Some(given) if given == self.signature => Ok(()),
            _ => bail!("the server does not know the password: {success}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHALLENGE: &str = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                             s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";

    fn exchange() -> Exchange<'static> {
        Exchange::new(Hash::Sha256, "user", "pencil", "rOprNGfwEbeRWgbNEkqO")
    }

    #[test]
    fn the_example_of_rfc_7677_comes_out() {
        assert_eq!(exchange().first(), "n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
        let end = exchange().answer(CHALLENGE, &Cache::default()).unwrap();
        assert_eq!(
            end.message,
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
             p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
        );
        end.check("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")
            .unwrap();
        assert!(
            end.check("v=7rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")
                .is_err()
        );
    }

    #[test]
    fn the_example_of_rfc_5802_comes_out() {
        let nonce = "fyko+d2lbbFgONRv9qkxdawL";
        let end = Exchange::new(Hash::Sha1, "user", "pencil", nonce)
            .answer(
                "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
                &Cache::default(),
            )
            .unwrap();
        assert!(end.message.ends_with(",p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts="));
        end.check("v=rmF9pqV8S7suAoZWja4dJRkFsKQ=").unwrap();
    }

    #[test]
    fn keys_are_derived_once_and_survive_in_the_file() {
        let path = std::env::temp_dir().join(format!("load-keys-{}", std::process::id()));
        let cache = Cache::default();
        let first = exchange().answer(CHALLENGE, &cache).unwrap().message;
        exchange().answer(CHALLENGE, &cache).unwrap();
        assert_eq!(cache.derived(), 1);
        cache.write(&path).unwrap();
        let read = Cache::read(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(exchange().answer(CHALLENGE, &read).unwrap().message, first);
        assert_eq!(read.derived(), 0);
    }
}
