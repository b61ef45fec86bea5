//! The inside of a JWT: what it claims, and what that means here.

use super::TokenError;
use crate::auth::Admission;
use crate::stanza::address::{self, BareJid};
use jid::NodePart;
use serde_json::{Map, Value};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The longest node of an address, in bytes (RFC 7622 §3.3).
const NODE_BYTES_MAX: usize = 1023;

/// What JWTs have to claim, and what their claims mean (`[auth.jwt]`).
#[derive(Debug, Clone)]
pub struct JwtOptions {
    /// The domain of accounts that a token names without one.
    pub domain: Arc<str>,
    /// Who has to have issued it (`iss`); `None`: anybody who has a key of the set.
    pub issuer: Option<String>,
    /// Whom it has to be for (`aud`, or one of them); `None`: anybody, so also another service of
    /// the same issuer.
    pub audience: Option<String>,
    /// How wrong the clocks may be: a token is good for so long after its `exp`, and the session
    /// as long, and so long before its `nbf`.
    pub leeway: Duration,
    /// The claim that names the account: a bare address, or a node at `domain`. `None`: tokens name
    /// no account, and are a gate only.
    pub user_claim: Option<String>,
    /// The claim that names the tier, if the token has it.
    pub tier_claim: Option<String>,
    /// The claim that names the login that the session ends with, such as `sid`, if the token has
    /// it.
    pub login_claim: Option<String>,
}

impl JwtOptions {
    /// Any issuer and audience, one minute of leeway, the account from `sub`.
    pub fn for_domain(domain: &str) -> Self {
        Self {
            domain: domain.into(),
            issuer: None,
            audience: None,
            leeway: Duration::from_secs(60),
            user_claim: Some("sub".to_owned()),
            tier_claim: None,
            login_claim: None,
        }
    }

    /// What a token with these claims is worth. `exp` has to be there; `nbf`, `iss` and `aud` count
    /// as RFC 7519 §4.1 says.
    pub(super) fn admission(
        &self,
        now: SystemTime,
        claims: &Map<String, Value>,
    ) -> Result<Admission, TokenError> {
        let expires = self.expires(claims)?;
        if expires <= now {
            return Err(TokenError::Expired);
        }
        let not_before = time(claims, "nbf")?;
        let latest = now.checked_add(self.leeway).unwrap_or(now);
        if not_before.is_some_and(|begins| begins > latest) {
            return Err(TokenError::NotYet);
        }
        if let Some(issuer) = self.issuer.as_deref()
            && claims.get("iss").and_then(Value::as_str) != Some(issuer)
        {
            return Err(TokenError::Issuer);
        }
        if let Some(audience) = self.audience.as_deref()
            && !is_for(claims.get("aud"), audience)
        {
            return Err(TokenError::Audience);
        }
        Ok(Admission {
            jid: self.account(claims)?,
            login: text(claims, self.login_claim.as_deref())?.map(str::to_owned),
            tier: text(claims, self.tier_claim.as_deref())?.map(str::to_owned),
            expires: Some(expires),
            ..Admission::default()
        })
    }

    fn expires(&self, claims: &Map<String, Value>) -> Result<SystemTime, TokenError> {
        let exp = time(claims, "exp")?.ok_or_else(|| fault("exp", "is missing"))?;
        exp.checked_add(self.leeway)
            .ok_or_else(|| fault("exp", "is no time"))
    }

    fn account(&self, claims: &Map<String, Value>) -> Result<Option<BareJid>, TokenError> {
        let Some(name) = self.user_claim.as_deref() else {
            return Ok(None);
        };
        let user = text(claims, Some(name))?.ok_or_else(|| fault(name, "is missing"))?;
        let account = account(user, &self.domain);
        account
            .map(Some)
            .ok_or_else(|| fault(name, "is neither a bare address nor the name of an account"))
    }
}

/// A bare address, or a node at this domain.
pub(super) fn account(text: &str, domain: &str) -> Option<BareJid> {
    if text.contains('@') {
        return address::parse_bare(text).ok();
    }
    if text.len() > NODE_BYTES_MAX {
        return None;
    }
    let node = NodePart::new(text).ok()?;
    address::parse_bare(&format!("{}@{domain}", node.as_str())).ok()
}

fn is_for(audience: Option<&Value>, wanted: &str) -> bool {
    match audience {
        Some(Value::String(one)) => one == wanted,
        Some(Value::Array(all)) => all.iter().any(|one| one.as_str() == Some(wanted)),
        _ => false,
    }
}

fn text<'c>(
    claims: &'c Map<String, Value>,
    name: Option<&str>,
) -> Result<Option<&'c str>, TokenError> {
    let Some(name) = name else { return Ok(None) };
    match claims.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(fault(name, "is no text")),
    }
}

/// NumericDate (RFC 7519 §2): seconds, perhaps with a fraction.
fn time(claims: &Map<String, Value>, name: &str) -> Result<Option<SystemTime>, TokenError> {
    let Some(value) = claims.get(name) else {
        return Ok(None);
    };
    let since = match (value.as_u64(), value.as_f64()) {
        (Some(seconds), _) => Some(Duration::from_secs(seconds)),
        (None, Some(seconds)) => Duration::try_from_secs_f64(seconds).ok(),
        (None, None) => None,
    };
    let time = since.and_then(|since| UNIX_EPOCH.checked_add(since));
    time.map(Some).ok_or_else(|| fault(name, "is no time"))
}

fn fault(name: &str, fault: &'static str) -> TokenError {
    TokenError::Claim {
        name: name.to_owned(),
        fault,
    }
}
