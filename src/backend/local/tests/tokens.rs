//! Logging in by what was decided before the stream (EXTERNAL), and by a token (OAUTHBEARER).

use super::*;
use crate::auth::{
    Admission, Mechanism, Refusal, SaslFailure, Token, TokenError, Verification, VerifyBearer,
};
use crate::backend::{SaslExchange, SaslReply};

const INVALID_TOKEN: &[u8] = br#"{"status":"invalid_token"}"#;

/// A link that was admitted for an account.
fn admitted(account: &str) -> Connection {
    let admission = Admission {
        jid: Some(account.parse().unwrap()),
        ..Admission::default()
    };
    Connection {
        admission: Some(Arc::new(admission)),
        ..connection()
    }
}

fn begin(server: &Server, connection: Connection, mechanism: Mechanism) -> Box<dyn SaslExchange> {
    server
        .local
        .begin_sasl(&Arc::new(connection), &"example.org".into(), mechanism)
}

async fn external(server: &Server, connection: Connection, message: Option<&str>) -> SaslReply {
    let mut exchange = begin(server, connection, Mechanism::External);
    let message = message.map(|message| message.as_bytes().to_vec());
    exchange.on_message(message).await
}

async fn plain(server: &Server, connection: Connection, name: &str, password: &str) -> SaslReply {
    let mut exchange = begin(server, connection, Mechanism::Plain);
    let message = format!("\0{name}\0{password}").into_bytes();
    exchange.on_message(Some(message)).await
}

#[track_caller]
fn account(reply: SaslReply) -> BareJid {
    match reply {
        SaslReply::Success { account, .. } => account,
        reply => panic!("{reply:?}"),
    }
}

#[track_caller]
fn failure(reply: SaslReply) -> SaslFailure {
    match reply {
        SaslReply::Failure(failure) => failure,
        reply => panic!("{reply:?}"),
    }
}

/// Tokens are names of accounts; some have faults.
#[derive(Debug)]
struct Names;

impl VerifyBearer for Names {
    fn verify(&self, token: Token) -> Verification {
        let admission = match token.as_str() {
            "expired" => Err(TokenError::Expired),
            "too-early" => Err(TokenError::NoKeys),
            "gate" => Ok(Admission::default()),
            name => match name.replace('~', "@").parse() {
                Ok(jid) => Ok(Admission {
                    jid: Some(jid),
                    login: Some("L1".to_owned()),
                    ..Admission::default()
                }),
                Err(_) => Err(TokenError::Unknown),
            },
        };
        Box::pin(std::future::ready(admission))
    }
}

async fn with_tokens() -> Server {
    let server = Server::start().await;
    server.local.set_verifier(Some(Arc::new(Names)));
    server
}

/// `@` is no part of a token.
fn message(gs2: &str, token: &str) -> Option<Vec<u8>> {
    Some(format!("{gs2}\u{1}auth=Bearer {token}\u{1}\u{1}").into_bytes())
}

/// What the client hears of a token in the end.
async fn oauthbearer(server: &Server, connection: Connection, gs2: &str, token: &str) -> SaslReply {
    let mut exchange = begin(server, connection, Mechanism::OAuthBearer);
    match exchange.on_message(message(gs2, token)).await {
        SaslReply::Challenge(data) => {
            assert_eq!(data, INVALID_TOKEN);
            exchange.on_message(Some(b"\x01".to_vec())).await
        }
        reply => reply,
    }
}

#[tokio::test]
async fn x5_external_is_offered_alone_where_the_link_was_admitted_for_an_account() {
    let server = Server::start().await;
    let names = |connection: &Connection| {
        let offer = server.local.offer(connection);
        offer.mechanisms().to_vec()
    };
    assert!(!names(&connection()).contains(&Mechanism::External));
    assert_eq!(names(&admitted("romeo@example.org")), [Mechanism::External]);
    let public = Connection {
        private: false,
        ..admitted("romeo@example.org")
    };
    assert_eq!(names(&public), [Mechanism::External]);
    assert!(!names(&admitted("romeo@example.net")).contains(&Mechanism::External));
    let gate = Connection {
        admission: Some(Arc::default()),
        ..connection()
    };
    assert_eq!(names(&gate), names(&connection()));
    let both = LocalOptions {
        external_beside_others: true,
        ..options()
    };
    server.local.set_options(both).unwrap();
    let all = names(&admitted("romeo@example.org"));
    assert!(all.contains(&Mechanism::External) && all.contains(&Mechanism::ScramSha256));
}

/// X5: the initial response is absent (Strophe), empty (`=`), or the account itself.
#[tokio::test]
async fn x5_external_logs_in_as_the_account_of_the_link_and_needs_no_password() {
    let server = Server::start().await;
    for message in [
        None,
        Some(""),
        Some("romeo@example.org"),
        Some("ROMEO@example.org"),
    ] {
        let reply = external(&server, admitted("romeo@example.org"), message).await;
        assert_eq!(account(reply), bare("romeo"), "{message:?}");
    }
}

#[tokio::test]
async fn x5_external_logs_in_as_nobody_else() {
    let server = Server::start().await;
    for authzid in ["juliet@example.org", "romeo@example.net", "romeo", "x"] {
        let reply = external(&server, admitted("romeo@example.org"), Some(authzid)).await;
        let refused = failure(reply);
        assert_eq!(refused.condition(), "invalid-authzid", "{authzid}");
    }
    let unknown = external(&server, admitted("nobody@example.org"), Some("")).await;
    assert_eq!(failure(unknown), Refusal::UnknownAccount.into());
    for link in [connection(), admitted("romeo@example.net")] {
        let not_offered = external(&server, link, Some("")).await;
        assert_eq!(failure(not_offered), SaslFailure::InvalidMechanism);
    }
}

/// X5: the other mechanisms are for the same account, too.
#[tokio::test]
async fn x5_on_an_admitted_link_a_password_lets_in_its_account_and_no_other() {
    let server = Server::with(
        LocalOptions {
            anonymous: true,
            ..options()
        },
        bounds(),
    )
    .await;
    let link = || admitted("romeo@example.org");
    assert_eq!(
        account(plain(&server, link(), "romeo", "secret").await),
        bare("romeo")
    );
    let other = failure(plain(&server, link(), "juliet", "secret").await);
    assert_eq!(other, Refusal::OtherAccount.into());
    assert_eq!(other.condition(), "not-authorized");
    let mut guest = begin(&server, link(), Mechanism::Anonymous);
    let guest = failure(guest.on_message(None).await);
    assert_eq!(guest, Refusal::OtherAccount.into());
}

#[tokio::test]
async fn w6_oauthbearer_is_offered_on_private_links_if_tokens_are_taken() {
    let server = Server::start().await;
    assert!(
        !server
            .local
            .offer(&connection())
            .contains(Mechanism::OAuthBearer)
    );
    let not_offered = oauthbearer(&server, connection(), "n,,", "romeo~example.org").await;
    assert_eq!(failure(not_offered), SaslFailure::InvalidMechanism);
    server.local.set_verifier(Some(Arc::new(Names)));
    assert!(
        server
            .local
            .offer(&connection())
            .contains(Mechanism::OAuthBearer)
    );
    let public = Connection {
        private: false,
        ..connection()
    };
    assert!(!server.local.offer(&public).contains(Mechanism::OAuthBearer));
    let withheld = oauthbearer(&server, public, "n,,", "romeo~example.org").await;
    assert_eq!(failure(withheld), SaslFailure::EncryptionRequired);
    server.local.set_verifier(None);
    assert!(
        !server
            .local
            .offer(&connection())
            .contains(Mechanism::OAuthBearer)
    );
}

/// W6: with the authzid that Strophe sends, and without one.
#[tokio::test]
async fn w6_a_token_logs_in_and_its_admission_goes_with_it() {
    let server = with_tokens().await;
    for gs2 in ["n,,", "y,,", "n,a=romeo@example.org,"] {
        let reply = oauthbearer(&server, connection(), gs2, "romeo~example.org").await;
        let SaslReply::Success {
            account, admission, ..
        } = reply
        else {
            panic!("{gs2}: {reply:?}")
        };
        assert_eq!(account, bare("romeo"));
        assert_eq!(admission.unwrap().login.as_deref(), Some("L1"));
    }
}

/// RFC 7628 §4.3: an empty challenge asks for what `<auth/>` did not bring.
#[tokio::test]
async fn w6_a_token_may_come_with_the_response() {
    let server = with_tokens().await;
    let mut exchange = begin(&server, connection(), Mechanism::OAuthBearer);
    let prompt = exchange.on_message(None).await;
    assert!(matches!(prompt, SaslReply::Challenge(data) if data.is_empty()));
    let reply = exchange
        .on_message(message("n,,", "romeo~example.org"))
        .await;
    assert_eq!(account(reply), bare("romeo"));
}

/// RFC 7628 §3.2.2, §3.2.3: why comes first, and the failure after the answer, whatever it is.
#[tokio::test]
async fn w6_a_token_that_is_not_taken_is_invalid_whatever_is_wrong_with_it() {
    let server = with_tokens().await;
    for token in [
        "expired",
        "gate",
        "romeo~example.net",
        "nobody~example.org",
        "",
        "a b",
    ] {
        for answer in [b"\x01".to_vec(), Vec::new(), b"anything".to_vec()] {
            let mut exchange = begin(&server, connection(), Mechanism::OAuthBearer);
            let told = exchange.on_message(message("n,,", token)).await;
            assert!(
                matches!(&told, SaslReply::Challenge(data) if data == INVALID_TOKEN),
                "{token:?}: {told:?}"
            );
            let refused = failure(exchange.on_message(Some(answer)).await);
            assert_eq!(refused.condition(), "not-authorized", "{token:?}");
        }
    }
}

#[tokio::test]
async fn w6_a_token_acts_for_its_own_account_only() {
    let server = with_tokens().await;
    let other = oauthbearer(
        &server,
        connection(),
        "n,a=juliet@example.org,",
        "romeo~example.org",
    );
    assert_eq!(failure(other.await).condition(), "invalid-authzid");
    let link = admitted("juliet@example.org");
    let other = oauthbearer(&server, link, "n,,", "romeo~example.org").await;
    assert_eq!(failure(other), Refusal::OtherAccount.into());
    let same = oauthbearer(
        &server,
        admitted("romeo@example.org"),
        "n,,",
        "romeo~example.org",
    );
    assert_eq!(account(same.await), bare("romeo"));
}

/// Without keys it is our trouble: the client may try again.
#[tokio::test]
async fn w6_without_keys_a_login_by_token_fails_for_the_time_being() {
    let server = with_tokens().await;
    let reply = oauthbearer(&server, connection(), "n,,", "too-early").await;
    assert_eq!(failure(reply).condition(), "temporary-auth-failure");
}

/// A long token fits, and one that is too long is told so before it is looked at.
#[tokio::test]
async fn w6_a_token_of_seven_kibibytes_passes_and_a_message_of_more_than_that_does_not() {
    let server = with_tokens().await;
    let long = format!("romeo~example.org{}", "=".repeat(7000));
    let mut exchange = begin(&server, connection(), Mechanism::OAuthBearer);
    let told = exchange.on_message(message("n,,", &"e".repeat(7000))).await;
    assert!(!matches!(told, SaslReply::Failure(_)), "{told:?}");
    let mut exchange = begin(&server, connection(), Mechanism::OAuthBearer);
    let told = exchange.on_message(message("n,,", &long.repeat(2))).await;
    assert_eq!(failure(told).condition(), "malformed-request");
}

/// Nobody guesses at a password by a token or a ticket: the throttle is left alone.
#[tokio::test(start_paused = true)]
async fn x5_w6_neither_tokens_nor_tickets_slow_anybody_down() {
    let server = with_tokens().await;
    let before = tokio::time::Instant::now();
    for _ in 0..20 {
        failure(external(&server, admitted("nobody@example.org"), Some("")).await);
        failure(oauthbearer(&server, connection(), "n,,", "nobody~example.org").await);
    }
    assert!(
        before.elapsed() < Duration::from_secs(1),
        "{:?}",
        before.elapsed()
    );
}
