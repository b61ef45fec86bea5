//! What lets clients in: the gates of each endpoint, as the options and the embedder want them.

mod bearer;
mod session;
mod ticket;

use super::jwks::{KeyKeeper, KeySource};
use crate::auth::{
    Bearers, EntropyUnavailable, FixedTokens, FixedTokensError, JwtOptions, KeySet, KeySetError,
    Tickets, VerifyBearer,
};
use crate::config::{AuthMethod, Config, Endpoint};
use crate::http::fetch::{FetchError, FetchOptions, Fetcher};
use crate::http::gate::{Gate, Gates, Open};
use crate::http::session_ask::{AskOptions, SessionAsk};
use crate::http::transcoder::Transcoders;
use arc_swap::ArcSwap;
use axum::http::Uri;
use bearer::{AnyOf, BearerGate};
use session::{SessionGate, Shut};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use ticket::TicketGate;
use tokio::sync::watch;

/// Why `[auth]` cannot be used as it stands. The operator's to mend.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// A file cannot be read.
    #[error("{key}: {}: {source}", path.display())]
    Unreadable {
        /// The option that names it.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The file of keys is none.
    #[error("auth.jwt.jwks_file: {0}")]
    Keys(#[from] KeySetError),
    /// The file of tokens is none.
    #[error("auth.token.file: {0}")]
    Tokens(#[from] FixedTokensError),
    /// There is no asking others.
    #[error("auth: {0}")]
    Fetch(#[from] FetchError),
    /// A URL is none that can be asked.
    #[error("{key}: {text:?} cannot be asked")]
    Url {
        /// The option.
        key: &'static str,
        /// What it says.
        text: String,
    },
    /// The operating system has no random numbers.
    #[error("auth: {0}")]
    Entropy(#[from] EntropyUnavailable),
}

/// What gates are made of.
pub(super) struct Keys {
    authenticator: Option<Arc<dyn Gate>>,
    tickets: Arc<Tickets>,
    held: ArcSwap<Held>,
    /// Those who speak otherwise than in XML are let in by these.
    pub transcoders: Transcoders,
}

/// What comes from the options, and is made anew when they change.
struct Held {
    jwt: Option<Arc<KeyKeeper>>,
    fixed: Option<Arc<KeyKeeper>>,
    ask: Option<Arc<SessionAsk>>,
    jwks_url: Option<String>,
    token_cookie: Option<Arc<str>>,
    tiers: Arc<BTreeSet<String>>,
    /// Dropped, it ends the fetching of keys.
    _closing: watch::Sender<bool>,
}

impl Keys {
    /// From files and URLs that the options name. Inside a tokio runtime: keys are fetched from now
    /// on.
    pub fn load(config: &Config, authenticator: Option<Arc<dyn Gate>>) -> Result<Self, KeysError> {
        Ok(Self {
            authenticator,
            tickets: Arc::new(Tickets::new(crate::clock::now())?),
            held: ArcSwap::from_pointee(Held::load(config, None)?),
            transcoders: Transcoders::default(),
        })
    }

    /// Takes over changed options and reads the files again. On an error all stays as it was.
    pub fn reload(&self, config: &Config) -> Result<(), KeysError> {
        let former = self.held.load();
        self.held
            .store(Arc::new(Held::load(config, Some(&former))?));
        Ok(())
    }

    /// Who mints and redeems tickets.
    pub fn tickets(&self) -> &Arc<Tickets> {
        &self.tickets
    }

    /// Who says what tokens are worth that clients show in the stream; `None`: nobody is asked.
    pub fn verifier(&self, config: &Config) -> Option<Arc<dyn VerifyBearer>> {
        let held = self.held.load();
        let any_of = held.any_of([AuthMethod::Jwt, AuthMethod::Token]);
        let is_wanted = config.oauthbearer() && !any_of.is_empty();
        is_wanted.then(|| Arc::new(any_of) as Arc<dyn VerifyBearer>)
    }

    /// The gates of an endpoint.
    pub fn gates(&self, endpoint: Option<&Endpoint>) -> Gates {
        let held = self.held.load();
        let methods = endpoint.map_or(&[][..], |endpoint| &endpoint.auth);
        let mut ways: Vec<Arc<dyn Gate>> = Vec::new();
        let mut bearers = Vec::new();
        for method in methods {
            match method {
                AuthMethod::Anybody => ways.push(Arc::new(Open)),
                AuthMethod::Ticket => ways.push(Arc::new(TicketGate(self.tickets.clone()))),
                AuthMethod::Session => ways.push(match &held.ask {
                    Some(ask) => Arc::new(SessionGate::new(ask.clone(), &held.tiers)),
                    None => Arc::new(Shut),
                }),
                AuthMethod::Jwt | AuthMethod::Token => bearers.push(*method),
            }
        }
        if !bearers.is_empty() {
            // One gate for both, and the first: a token that one does not know, the other may.
            ways.insert(0, Arc::new(BearerGate(held.any_of(bearers))));
        }
        let anybody = matches!(methods, [] | [AuthMethod::Anybody]);
        Gates {
            ways: if anybody { Vec::new() } else { ways },
            last: self.authenticator.clone(),
            token_cookie: held.token_cookie.clone(),
        }
    }
}

impl Held {
    fn load(config: &Config, former: Option<&Self>) -> Result<Self, KeysError> {
        let (closing, on_closing) = watch::channel(false);
        let auth = &config.auth;
        let fixed = match &auth.token.file {
            Some(path) => {
                let text = read("auth.token.file", path)?;
                let tokens = FixedTokens::from_text(&text, config.domain())?;
                Some(KeyKeeper::fixed(Bearers::new(None, tokens)))
            }
            None => None,
        };
        let held = Self {
            jwt: jwt(config, former)?,
            fixed,
            ask: ask(config)?,
            jwks_url: auth.jwt.jwks_url.clone(),
            token_cookie: auth.jwt.cookie.as_deref().map(Into::into),
            tiers: Arc::new(config.tiers.keys().cloned().collect()),
            _closing: closing,
        };
        if let Some(keeper) = &held.jwt {
            tokio::spawn(keeper.clone().run(on_closing));
        }
        Ok(held)
    }

    fn any_of(&self, methods: impl IntoIterator<Item = AuthMethod>) -> AnyOf {
        let keeper = |method| match method {
            AuthMethod::Jwt => self.jwt.clone(),
            AuthMethod::Token => self.fixed.clone(),
            AuthMethod::Anybody | AuthMethod::Ticket | AuthMethod::Session => None,
        };
        AnyOf {
            keepers: methods.into_iter().filter_map(keeper).collect(),
            tiers: self.tiers.clone(),
        }
    }
}

fn jwt(config: &Config, former: Option<&Held>) -> Result<Option<Arc<KeyKeeper>>, KeysError> {
    let jwt = &config.auth.jwt;
    let options = JwtOptions {
        issuer: jwt.issuer.clone(),
        audience: jwt.audience.clone(),
        leeway: jwt.leeway,
        user_claim: Some(jwt.user_claim.clone()),
        tier_claim: jwt.tier_claim.clone(),
        login_claim: jwt.login_claim.clone(),
        ..JwtOptions::for_domain(config.domain())
    };
    let bearers = Bearers::new(Some(options), FixedTokens::default());
    if let Some(path) = &jwt.jwks_file {
        let keys = KeySet::from_json(&read("auth.jwt.jwks_file", path)?)?;
        return Ok(Some(KeyKeeper::fixed(bearers.with_keys(Arc::new(keys)))));
    }
    let Some(url) = &jwt.jwks_url else {
        return Ok(None);
    };
    // Until they are fetched again, the keys of the same address will do.
    let known = former.filter(|former| former.jwks_url.as_ref() == Some(url));
    let known = known.and_then(|former| former.jwt.as_ref()?.bearers().keys().cloned());
    let bearers = match known {
        Some(keys) => bearers.with_keys(keys),
        None => bearers,
    };
    let source = KeySource {
        url: uri("auth.jwt.jwks_url", url)?,
        refresh: jwt.refresh,
    };
    let fetcher = Fetcher::new(FetchOptions::default())?;
    Ok(Some(KeyKeeper::fetching(bearers, source, fetcher)))
}

fn ask(config: &Config) -> Result<Option<Arc<SessionAsk>>, KeysError> {
    let session = &config.auth.session;
    let Some(url) = &session.url else {
        return Ok(None);
    };
    let options = AskOptions {
        url: uri("auth.session.url", url)?,
        cookies: session.cookies.clone(),
        headers: session.headers.clone(),
        patience: session.timeout,
    };
    let fetcher = Fetcher::new(FetchOptions {
        timeout: session.timeout,
        ..FetchOptions::default()
    })?;
    Ok(Some(Arc::new(SessionAsk::new(options, fetcher))))
}

fn uri(key: &'static str, text: &str) -> Result<Uri, KeysError> {
    let text = text.to_owned();
    text.parse().map_err(|_| KeysError::Url { key, text })
}

/// The longest file of keys or tokens, in bytes; of a longer one the rest is not read, so that it
/// is refused.
const FILE_BYTES_MAX: u64 = 64 << 20;

fn read(key: &'static str, path: &Path) -> Result<String, KeysError> {
    use std::io::Read;
    let read = || {
        let mut text = String::new();
        let file = std::fs::File::open(path)?;
        file.take(FILE_BYTES_MAX).read_to_string(&mut text)?;
        Ok(text)
    };
    read().map_err(|source| KeysError::Unreadable {
        key,
        path: path.to_owned(),
        source,
    })
}
