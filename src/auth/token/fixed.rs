//! Fixed tokens: a file of the operator's, which knows the tokens by their hashes.

use super::{Token, claims};
use crate::auth::Admission;
use crate::stanza::address::BareJid;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::fmt;

/// So many tokens may be listed; a longer list is refused.
pub const FIXED_TOKENS_MAX: usize = 100_000;

type Hash = [u8; 32];

/// Tokens that are good until they leave the list.
///
/// They are found by their SHA-256, so how long it takes says nothing of how much of a guess is
/// right.
#[derive(Default)]
pub struct FixedTokens(HashMap<Hash, Holder>);

#[derive(Clone)]
struct Holder {
    account: BareJid,
    tier: Option<String>,
}

/// A list that cannot be read. Says which line, and nothing that stands in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FixedTokensError {
    /// A line is not `sha256-hex account [tier]`.
    #[error("line {line}: {fault}")]
    Line {
        /// Counted from one.
        line: usize,
        /// What is wrong with it.
        fault: &'static str,
    },
    /// [`FIXED_TOKENS_MAX`]
    #[error("more than {FIXED_TOKENS_MAX} tokens")]
    TooMany,
}

impl FixedTokens {
    /// Reads a list: a token a line, as the SHA-256 of it in 64 hexadecimal digits, the account
    /// (a bare address, or a node at `domain`) and, if it has one, its tier. Empty lines and those
    /// that begin with `#` mean nothing.
    ///
    /// # Errors
    ///
    /// [`FixedTokensError`]
    pub fn from_text(text: &str, domain: &str) -> Result<Self, FixedTokensError> {
        let mut tokens = HashMap::new();
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let at = |fault| FixedTokensError::Line {
                line: index + 1,
                fault,
            };
            let (hash, holder) = read(line, domain).map_err(at)?;
            if tokens.insert(hash, holder).is_some() {
                return Err(at("the same token stands above"));
            }
            if tokens.len() > FIXED_TOKENS_MAX {
                return Err(FixedTokensError::TooMany);
            }
        }
        Ok(Self(tokens))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn find(&self, token: &Token) -> Option<Admission> {
        if self.0.is_empty() {
            return None;
        }
        let hash: Hash = Sha256::digest(token.as_str().as_bytes()).into();
        let holder = self.0.get(&hash)?.clone();
        Some(Admission {
            jid: Some(holder.account),
            tier: holder.tier,
            ..Admission::default()
        })
    }
}

impl fmt::Debug for FixedTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FixedTokens({})", self.0.len())
    }
}

fn read(line: &str, domain: &str) -> Result<(Hash, Holder), &'static str> {
    let mut words = line.split_whitespace();
    let hash = words.next().and_then(hash);
    let hash = hash.ok_or("the first word is no SHA-256 in 64 hexadecimal digits")?;
    let account = words.next().ok_or("there is no account")?;
    let account = claims::account(account, domain).ok_or("the account cannot be one")?;
    let tier = words.next().map(str::to_owned);
    match words.next() {
        None => Ok((hash, Holder { account, tier })),
        Some(_) => Err("there is something after the tier"),
    }
}

fn hash(digits: &str) -> Option<Hash> {
    let digits = digits.as_bytes();
    if digits.len() != 64 {
        return None;
    }
    let mut hash = [0; 32];
    for (byte, pair) in hash.iter_mut().zip(digits.chunks_exact(2)) {
        let high = char::from(pair[0]).to_digit(16)?;
        let low = char::from(pair[1]).to_digit(16)?;
        *byte = (high * 16 + low) as u8;
    }
    Some(hash)
}
