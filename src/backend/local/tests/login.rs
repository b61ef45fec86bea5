use super::*;
use crate::auth::{Mechanism, SaslFailure};
use crate::backend::SaslReply;
use crate::backend::local::ConflictPolicy;
use crate::stanza::{Condition, StanzaError};
use std::collections::HashSet;

async fn plain(server: &Server, connection: Connection, name: &str, password: &str) -> SaslReply {
    let (connection, host) = (Arc::new(connection), Arc::from("example.org"));
    let mut exchange = server
        .local
        .begin_sasl(&connection, &host, Mechanism::Plain);
    let message = format!("\0{name}\0{password}").into_bytes();
    exchange.on_message(Some(message)).await
}

fn not_authorized(reply: &SaslReply) -> bool {
    matches!(reply, SaslReply::Failure(SaslFailure::NotAuthorized(_)))
}

/// A-02, A-03, A-28
#[tokio::test]
async fn the_right_password_logs_in_and_a_wrong_one_looks_like_an_unknown_account() {
    let server = Server::start().await;
    let reply = plain(&server, connection(), "Romeo", "secret").await;
    let SaslReply::Success { account, .. } = reply else {
        panic!("{reply:?}")
    };
    assert_eq!(account, bare("romeo"));
    assert!(not_authorized(
        &plain(&server, connection(), "romeo", "wrong").await
    ));
    assert!(not_authorized(
        &plain(&server, connection(), "nobody", "secret").await
    ));
}

/// A-01
#[tokio::test]
async fn plain_is_offered_on_private_links_only_and_anonymous_if_switched_on() {
    let server = Server::start().await;
    let private = server.local.offer(&connection());
    assert!(private.contains(Mechanism::Plain) && private.contains(Mechanism::ScramSha1));
    assert!(!private.contains(Mechanism::Anonymous));
    let public = server.local.offer(&Connection {
        private: false,
        ..connection()
    });
    assert!(!public.contains(Mechanism::Plain) && public.contains(Mechanism::ScramSha256));
    server
        .local
        .set_options(LocalOptions {
            anonymous: true,
            plain: false,
            ..options()
        })
        .unwrap();
    let offer = server.local.offer(&connection());
    assert!(offer.contains(Mechanism::Anonymous) && !offer.contains(Mechanism::Plain));
}

#[tokio::test]
async fn demo_accounts_log_in_from_loopback_only() {
    let demo = HashSet::from([bare("romeo")]);
    let server = Server::with(LocalOptions { demo, ..options() }, bounds()).await;
    let reply = plain(&server, connection(), "romeo", "secret").await;
    assert!(matches!(reply, SaslReply::Success { .. }));
    let afar = Connection {
        address: "192.0.2.7".parse().unwrap(),
        on_this_machine: false,
        ..connection()
    };
    let through_a_proxy = Connection {
        on_this_machine: false,
        ..connection()
    };
    for elsewhere in [afar.clone(), through_a_proxy] {
        assert!(not_authorized(
            &plain(&server, elsewhere, "romeo", "secret").await
        ));
    }
    let reply = plain(&server, afar, "juliet", "secret").await;
    assert!(matches!(reply, SaslReply::Success { .. }));
}

#[tokio::test]
async fn a_demo_account_keeps_its_password() {
    let demo = HashSet::from([bare("romeo")]);
    let server = Server::with(LocalOptions { demo, ..options() }, bounds()).await;
    let before = server.store.credentials(&bare("romeo")).await.unwrap();
    let romeo = server.bind("romeo", "orchard").await;
    let query = "<query xmlns='jabber:iq:register'><username>romeo</username>\
                 <password>other</password></query>";
    assert_eq!(condition(&romeo.ask("set", "", query).await), "not-allowed");
    assert_eq!(
        server.store.credentials(&bare("romeo")).await.unwrap(),
        before
    );
}

/// A-23
#[tokio::test(start_paused = true)]
async fn guesses_are_slowed_down_and_the_owner_gets_in_from_elsewhere() {
    let server = Server::start().await;
    for _ in 0..6 {
        assert!(not_authorized(
            &plain(&server, connection(), "romeo", "wrong").await
        ));
    }
    let before = tokio::time::Instant::now();
    plain(&server, connection(), "romeo", "wrong").await;
    assert!(
        before.elapsed() >= Duration::from_secs(1),
        "{:?}",
        before.elapsed()
    );
    let elsewhere = Connection {
        address: "192.0.2.7".parse().unwrap(),
        ..connection()
    };
    let before = tokio::time::Instant::now();
    let reply = plain(&server, elsewhere, "romeo", "secret").await;
    assert!(matches!(reply, SaslReply::Success { .. }));
    assert!(
        before.elapsed() < Duration::from_secs(3),
        "{:?}",
        before.elapsed()
    );
}

/// A-23: guesses that are made at once are as slow as those made one after the other.
#[tokio::test(start_paused = true)]
async fn guesses_made_at_once_wait_for_each_other() {
    let server = Server::start().await;
    let before = tokio::time::Instant::now();
    let guesses = (0..8).map(|_| plain(&server, connection(), "romeo", "wrong"));
    let replies = futures_util::future::join_all(guesses).await;
    assert!(replies.iter().all(not_authorized));
    let passed = before.elapsed();
    assert!(passed >= Duration::from_secs(7), "{passed:?}");
}

/// A-23: many come back at once from one address, and each lets the next one in.
#[tokio::test(start_paused = true)]
async fn a_right_password_lets_in_who_was_held_back_behind_it() {
    let server = Server::start().await;
    let (local, address) = (&server.local, connection().address);
    for _ in 0..4 {
        local.hold_back("romeo@example.org", address).await;
    }
    let before = tokio::time::Instant::now();
    let mut next = std::pin::pin!(local.hold_back("romeo@example.org", address));
    let mut context = Context::from_waker(Waker::noop());
    assert!(next.as_mut().poll(&mut context).is_pending());
    local.attempt_succeeded("romeo@example.org", address);
    next.await;
    assert!(before.elapsed().is_zero());
}

/// XEP-0175
#[tokio::test]
async fn a_guest_has_an_account_of_its_own_that_keeps_nothing() {
    let server = Server::with(
        LocalOptions {
            anonymous: true,
            ..options()
        },
        bounds(),
    )
    .await;
    let (connection, host) = (Arc::new(connection()), Arc::from("example.org"));
    let mut exchange = server
        .local
        .begin_sasl(&connection, &host, Mechanism::Anonymous);
    let SaslReply::Success { account, .. } = exchange.on_message(None).await else {
        panic!("no success")
    };
    let guest = server.client(
        server
            .local
            .bind(&connection, &account, None)
            .await
            .unwrap(),
    );
    guest.send("<presence/>").await;
    guest.settle().await;
    let juliet = server.login("juliet", "balcony").await;
    juliet
        .send(&format!("<message to='{account}'><body>a</body></message>"))
        .await;
    assert_eq!(guest.mail().len(), 1);
    let item = "<query xmlns='jabber:iq:roster'><item jid='juliet@example.org'/></query>";
    assert_eq!(condition(&guest.ask("set", "", item).await), "not-allowed");
    guest
        .send("<presence type='subscribe' to='juliet@example.org'/>")
        .await;
    assert_eq!(condition(&guest.next().await), "not-allowed");
    guest.end().await;
    juliet.mail();
    juliet
        .send(&format!("<message to='{account}'><body>a</body></message>"))
        .await;
    assert_eq!(condition(&juliet.next().await), "service-unavailable");
}

async fn bind(server: &Server, resource: Option<&str>) -> Result<Arc<Session>, StanzaError> {
    let resource = resource.map(str::to_owned);
    server
        .local
        .bind(&Arc::new(connection()), &bare("romeo"), resource)
        .await
}

/// X-32
#[tokio::test]
async fn a_resource_of_our_making_is_never_twice_the_same() {
    let server = Server::start().await;
    let one = bind(&server, None).await.unwrap();
    let other = bind(&server, None).await.unwrap();
    assert_ne!(one.jid(), other.jid());
    assert_eq!(one.jid().resource().as_str().len(), 11);
    let named = bind(&server, Some("orchard")).await.unwrap();
    assert_eq!(named.jid().as_str(), "romeo@example.org/orchard");
}

/// X-35, X-36
#[tokio::test]
async fn a_resource_that_cannot_be_is_refused() {
    let server = Server::start().await;
    for resource in ["", &"r".repeat(1024), "\u{0}", "a\u{7}b"] {
        let error = bind(&server, Some(resource)).await.unwrap_err();
        assert_eq!(error.condition, Condition::BadRequest, "{resource:?}");
    }
}

/// X-33
#[tokio::test]
async fn who_asks_for_a_resource_that_is_taken_gets_it_and_the_other_ends() {
    let server = Server::start().await;
    let old = server.bind("romeo", "orchard").await;
    let taking = bind(&server, Some("orchard"));
    let giving = async {
        let mail = std::future::poll_fn(|context| old.session.poll_mail(context, true)).await;
        let conflict = crate::sessions::Command::End(EndReason::Conflict);
        assert!(matches!(mail, Mail::Command(command) if command == conflict));
        let old_id = old.session.id();
        old.end().await;
        old_id
    };
    let (taken, old_id) = tokio::join!(taking, giving);
    assert_ne!(taken.unwrap().id(), old_id);
}

/// X-33: the other policy.
#[tokio::test]
async fn a_taken_resource_may_be_refused_unless_nobody_sits_there() {
    let options = LocalOptions {
        conflict: ConflictPolicy::Refuse,
        ..options()
    };
    let server = Server::with(options, bounds()).await;
    let old = server.bind("romeo", "orchard").await;
    let error = bind(&server, Some("orchard")).await.unwrap_err();
    assert_eq!(error.condition, Condition::Conflict);
    old.hibernate(sm());
    assert!(bind(&server, Some("orchard")).await.is_ok());
}

/// L-12
#[tokio::test]
async fn at_the_bound_a_hibernating_session_makes_room_and_an_attached_one_does_not() {
    let bounds = SessionsOptions {
        sessions_per_user: 2,
        ..bounds()
    };
    let server = Server::with(options(), bounds).await;
    let one = server.bind("romeo", "one").await;
    server.bind("romeo", "two").await;
    let error = bind(&server, Some("three")).await.unwrap_err();
    assert_eq!(error.condition, Condition::ResourceConstraint);
    one.hibernate(sm());
    assert!(bind(&server, Some("three")).await.is_ok());
    assert!(!one.session.is_open());
}

#[tokio::test]
async fn an_account_that_was_deleted_since_it_logged_in_does_not_bind() {
    let server = Server::start().await;
    server.store.delete_account(&bare("romeo")).await.unwrap();
    assert_eq!(
        bind(&server, None).await.unwrap_err().condition,
        Condition::NotAllowed
    );
}
