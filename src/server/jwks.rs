//! Keys for tokens, kept fresh (`[auth.jwt]`, W6).
//!
//! A set of keys is fetched at the start and every so often after that. A token that names a key
//! which is not in the set has it fetched early, since keys may be used the moment they are
//! published. The last good set stays in force for as long as no other one can be had.

use crate::auth::{Bearers, KeySet, Token, TokenError, Verification, VerifyBearer};
use crate::http::fetch::Fetcher;
use arc_swap::ArcSwap;
use axum::http::Uri;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, watch};
use tokio::time::Instant;

/// Keys are not fetched early more often than this, however many tokens name keys that are unknown;
/// and so often is tried again after a failure.
pub const EARLY_INTERVAL: Duration = Duration::from_secs(10);

/// Where keys come from.
#[derive(Debug, Clone)]
pub struct KeySource {
    /// The address of a JWK Set.
    pub url: Uri,
    /// How often it is fetched.
    pub refresh: Duration,
}

/// Tells what bearer tokens are worth, and keeps the keys for it.
#[derive(Debug)]
pub struct KeyKeeper {
    bearers: ArcSwap<Bearers>,
    source: Option<(KeySource, Fetcher)>,
    /// When keys were last fetched, or tried to. Held while they are.
    fetched: Mutex<Option<Instant>>,
}

impl KeyKeeper {
    /// With the keys that `bearers` has, if any.
    pub fn fixed(bearers: Bearers) -> Arc<Self> {
        Arc::new(Self {
            bearers: ArcSwap::from_pointee(bearers),
            source: None,
            fetched: Mutex::default(),
        })
    }

    /// With keys from elsewhere: nothing is fetched before [`KeyKeeper::run`] or the first token.
    pub fn fetching(bearers: Bearers, source: KeySource, fetcher: Fetcher) -> Arc<Self> {
        Arc::new(Self {
            bearers: ArcSwap::from_pointee(bearers),
            source: Some((source, fetcher)),
            fetched: Mutex::default(),
        })
    }

    /// What is known at present.
    pub fn bearers(&self) -> Arc<Bearers> {
        self.bearers.load_full()
    }

    /// Fetches keys now and then until `closing` turns true. Ends at once if there is nothing to
    /// fetch.
    pub async fn run(self: Arc<Self>, mut closing: watch::Receiver<bool>) {
        let Some((source, _)) = &self.source else {
            return;
        };
        loop {
            let pause = match self.refresh().await {
                true => source.refresh,
                false => EARLY_INTERVAL.min(source.refresh),
            };
            tokio::select! {
                biased;
                // An error means that the server is gone, which is the same.
                _ = closing.wait_for(|closing| *closing) => return,
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Fetches the keys. Returns whether there are new ones.
    pub async fn refresh(&self) -> bool {
        let mut fetched = self.fetched.lock().await;
        self.fetch(&mut fetched).await
    }

    /// Fetches them because they seem old, unless that happened a moment ago. Who comes meanwhile
    /// waits for the one fetch that is under way.
    async fn refresh_early(&self) {
        let mut fetched = self.fetched.lock().await;
        if fetched.is_none_or(|at| at.elapsed() >= EARLY_INTERVAL) {
            self.fetch(&mut fetched).await;
        }
    }

    async fn fetch(&self, fetched: &mut Option<Instant>) -> bool {
        let Some((source, fetcher)) = &self.source else {
            return false;
        };
        // Before it, too: whoever waits for it may leave.
        *fetched = Some(Instant::now());
        let keys = fetch(source, fetcher).await;
        *fetched = Some(Instant::now());
        let host = source.url.host().unwrap_or_default();
        match keys {
            Ok(keys) => {
                tracing::debug!(
                    host,
                    keys = keys.len(),
                    skipped = keys.skipped(),
                    "keys fetched"
                );
                self.bearers
                    .store(Arc::new(self.bearers.load().with_keys(Arc::new(keys))));
                true
            }
            Err(reason) => {
                let in_force = self.bearers.load().keys().map_or(0, |keys| keys.len());
                tracing::error!(
                    host,
                    reason,
                    in_force,
                    "keys for tokens could not be fetched"
                );
                false
            }
        }
    }

    fn check(&self, token: &Token) -> Result<crate::auth::Admission, TokenError> {
        let now = crate::clock::time_of_day();
        self.bearers.load().check(now, token)
    }
}

async fn fetch(source: &KeySource, fetcher: &Fetcher) -> Result<KeySet, String> {
    let answer = fetcher.get(&source.url).await;
    let answer = answer.map_err(|error| error.to_string())?;
    if !answer.status.is_success() {
        return Err(format!("the answer is {}", answer.status));
    }
    let text = std::str::from_utf8(&answer.body).map_err(|error| error.to_string())?;
    KeySet::from_json(text).map_err(|error| error.to_string())
}

/// A [`KeyKeeper`] as those who log clients in need it.
#[derive(Debug, Clone)]
pub struct Verifier(Arc<KeyKeeper>);

impl Verifier {
    /// Asks this one.
    pub fn of(keeper: &Arc<KeyKeeper>) -> Self {
        Self(keeper.clone())
    }
}

impl VerifyBearer for Verifier {
    fn verify(&self, token: Token) -> Verification {
        let keeper = self.0.clone();
        Box::pin(async move {
            match keeper.check(&token) {
                Err(error) if error.wants_keys() => {}
                known => return known,
            }
            keeper.refresh_early().await;
            keeper.check(&token)
        })
    }
}

#[cfg(test)]
mod tests;
