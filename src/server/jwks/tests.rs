//! W6: keys that come, change, and cannot be had.

use super::*;
use crate::auth::tests_of_tokens::Issuer;
use crate::auth::{Admission, FixedTokens, JwtOptions};
use crate::http::fetch::tests::{TinyServer, Told, fetcher};
use serde_json::json;
use std::sync::Mutex as StdMutex;
use std::time::{SystemTime, UNIX_EPOCH};

/// A set that can be exchanged, or be out of reach.
#[derive(Clone, Default)]
struct Published(Arc<StdMutex<Option<String>>>);

impl Published {
    fn set(&self, issuers: &[&Issuer]) {
        let keys: Vec<_> = issuers.iter().map(|issuer| issuer.jwk()).collect();
        *self.0.lock().unwrap() = Some(json!({ "keys": keys }).to_string());
    }

    fn fail(&self) {
        *self.0.lock().unwrap() = None;
    }

    async fn serve(&self) -> TinyServer {
        let published = self.clone();
        TinyServer::start(move |_| -> Told {
            match published.0.lock().unwrap().clone() {
                Some(keys) => Some(("200 OK", "", keys)),
                None => Some(("503 Service Unavailable", "", String::new())),
            }
        })
        .await
    }
}

fn keeper(server: &TinyServer, refresh: Duration) -> Arc<KeyKeeper> {
    let bearers = Bearers::new(
        Some(JwtOptions::for_domain("example.org")),
        FixedTokens::default(),
    );
    let source = KeySource {
        url: server.url("/jwks.json"),
        refresh,
    };
    KeyKeeper::fetching(bearers, source, fetcher())
}

fn token(issuer: &Issuer) -> Token {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    issuer.token(&json!({"sub": "romeo", "exp": now.as_secs() + 600}))
}

async fn verify(keeper: &Arc<KeyKeeper>, issuer: &Issuer) -> Result<Admission, TokenError> {
    Verifier::of(keeper).verify(token(issuer)).await
}

const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test]
async fn w6_keys_are_fetched_for_the_first_token_and_then_known() {
    let (published, one) = (Published::default(), Issuer::named("one"));
    published.set(&[&one]);
    let server = published.serve().await;
    let keeper = keeper(&server, HOUR);
    for _ in 0..3 {
        let admission = verify(&keeper, &one).await.unwrap();
        assert_eq!(admission.jid.unwrap().as_str(), "romeo@example.org");
    }
    assert_eq!(server.asked().len(), 1);
}

/// W6: a key that was published a moment ago.
#[tokio::test]
async fn w6_an_unknown_kid_has_the_keys_fetched_early_and_not_more_often_than_each_ten_seconds() {
    let (one, two) = (Issuer::named("one"), Issuer::named("two"));
    let published = Published::default();
    published.set(&[&one]);
    let server = published.serve().await;
    let keeper = keeper(&server, HOUR);
    assert!(verify(&keeper, &one).await.is_ok());
    published.set(&[&one, &two]);
    // The first fetch was a moment ago.
    let refused = verify(&keeper, &two).await;
    assert!(matches!(refused, Err(TokenError::UnknownKey { .. })));
    assert_eq!(server.asked().len(), 1);
    pass(&keeper).await;
    assert!(verify(&keeper, &two).await.is_ok());
    assert_eq!(server.asked().len(), 2);
    for kid in 0..50 {
        let stranger = Issuer::named(&kid.to_string());
        assert!(verify(&keeper, &stranger).await.is_err());
    }
    assert_eq!(server.asked().len(), 2);
}

/// As if the last fetch had been so long ago that another one may come.
async fn pass(keeper: &KeyKeeper) {
    let mut fetched = keeper.fetched.lock().await;
    *fetched = fetched.map(|at| at.checked_sub(EARLY_INTERVAL).expect("a clock that runs"));
}

/// Many who come at once wait for one fetch.
#[tokio::test]
async fn w6_tokens_that_come_at_once_have_the_keys_fetched_once() {
    let (published, one) = (Published::default(), Issuer::named("one"));
    published.set(&[&one]);
    let server = published.serve().await;
    let keeper = keeper(&server, HOUR);
    let all = (0..20).map(|_| verify(&keeper, &one));
    let all = futures_util::future::join_all(all).await;
    assert!(all.iter().all(Result::is_ok));
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test]
async fn w6_the_last_good_keys_stay_in_force_while_no_others_can_be_had() {
    let (published, one) = (Published::default(), Issuer::named("one"));
    published.set(&[&one]);
    let server = published.serve().await;
    let keeper = keeper(&server, HOUR);
    assert!(keeper.refresh().await);
    published.fail();
    assert!(!keeper.refresh().await);
    assert!(verify(&keeper, &one).await.is_ok());
    *published.0.lock().unwrap() = Some(r#"{"keys":[]}"#.to_owned());
    assert!(!keeper.refresh().await);
    *published.0.lock().unwrap() = Some("<html>".to_owned());
    assert!(!keeper.refresh().await);
    assert!(verify(&keeper, &one).await.is_ok());
    drop(server);
    assert!(!keeper.refresh().await);
    assert!(verify(&keeper, &one).await.is_ok());
}

/// A key that is taken back is taken no more.
#[tokio::test]
async fn w6_a_set_takes_the_place_of_the_former_one() {
    let (one, two) = (Issuer::named("one"), Issuer::named("two"));
    let published = Published::default();
    published.set(&[&one]);
    let server = published.serve().await;
    let keeper = keeper(&server, HOUR);
    keeper.refresh().await;
    published.set(&[&two]);
    keeper.refresh().await;
    assert!(verify(&keeper, &two).await.is_ok());
    assert!(verify(&keeper, &one).await.is_err());
}

#[tokio::test]
async fn w6_before_there_are_keys_it_is_our_trouble() {
    let published = Published::default();
    let server = published.serve().await;
    let keeper = keeper(&server, HOUR);
    let refused = verify(&keeper, &Issuer::named("one")).await.unwrap_err();
    assert!(refused.is_temporary(), "{refused}");
}

/// W6: without a token that asks for it, and until the server stops.
#[tokio::test]
async fn w6_keys_are_fetched_now_and_then_until_the_server_stops() {
    let (published, one) = (Published::default(), Issuer::named("one"));
    published.set(&[&one]);
    let server = published.serve().await;
    let keeper = keeper(&server, Duration::from_millis(20));
    let (close, closing) = watch::channel(false);
    let running = tokio::spawn(keeper.clone().run(closing));
    while server.asked().len() < 3 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    close.send_replace(true);
    running.await.unwrap();
    assert!(keeper.bearers().keys().is_some());
}

#[tokio::test]
async fn w6_a_keeper_of_fixed_keys_fetches_nothing() {
    let one = Issuer::named("one");
    let keys = json!({ "keys": [one.jwk()] }).to_string();
    let bearers = Bearers::new(
        Some(JwtOptions::for_domain("example.org")),
        FixedTokens::default(),
    );
    let bearers = bearers.with_keys(Arc::new(KeySet::from_json(&keys).unwrap()));
    let keeper = KeyKeeper::fixed(bearers);
    let (_close, closing) = watch::channel(false);
    keeper.clone().run(closing).await;
    assert!(verify(&keeper, &one).await.is_ok());
    assert!(verify(&keeper, &Issuer::named("two")).await.is_err());
}
