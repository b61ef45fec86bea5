//! What was decided about a client before the stream: whom it logs in as, and until when (X5, W7).

mod kit;

use axum::http::StatusCode;
use kit::xmpp::{failure, item_not_found, parse, plain_auth, stream_condition};
use kit::{Client, Handshake, PASSWORD, SASL, TestServer};
use stanzad::Authenticator;
use stanzad::auth::Admission;
use stanzad::http::gate;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

/// Lets everybody in as the account that the query names, for as long as it says.
struct Doorman;

impl Authenticator for Doorman {
    async fn admit(&self, shown: &gate::Handshake) -> Result<Admission, StatusCode> {
        let number = |name| shown.parameter(name).and_then(|text| text.parse().ok());
        let jid = shown
            .parameter("as")
            .map(|name| format!("{name}@example.org"));
        Ok(Admission {
            jid: jid.map(|jid| jid.parse().expect("an address")),
            expires: number("ms").map(|ms| SystemTime::now() + Duration::from_millis(ms)),
            ..Admission::default()
        })
    }
}

async fn guarded(options: &[&str]) -> TestServer {
    TestServer::built(options, |builder| builder.authenticator(Doorman)).await
}

async fn connect(server: &TestServer, query: &str) -> Client {
    let handshake = Handshake::new().line(&format!("GET /ws/?{query} HTTP/1.1"));
    let (response, ws) = handshake.send(server).await;
    assert_eq!(response.status, 101, "{}", response.text());
    Client::on(ws).await
}

async fn external(client: &mut Client) {
    let auth = format!("<auth xmlns='{SASL}' mechanism='EXTERNAL'>=</auth>");
    client.send(&auth).await;
    let success = client.read().await;
    assert!(success.is("success", SASL), "{success}");
    client.reopen().await;
}

/// The last words of the server: a stream error, `<close/>` and 1008.
async fn is_turned_out(mut client: Client) {
    let (texts, code) = client.ws.read_to_end().await;
    assert_eq!(code, Some(1008), "{texts:?}");
    let error = &texts[texts.len() - 2];
    assert_eq!(stream_condition(&parse(error)), "not-authorized", "{error}");
    assert!(error.contains("has expired"), "{error}");
}

#[tokio::test]
async fn x5_who_was_let_in_as_an_account_logs_in_without_a_password() {
    let server = guarded(&[]).await;
    let mut romeo = connect(&server, "as=romeo").await;
    assert_eq!(romeo.mechanisms(), ["EXTERNAL"]);
    external(&mut romeo).await;
    romeo.bind(Some("orchard")).await;
    assert_eq!(romeo.jid, "romeo@example.org/orchard");
}

/// X5: so Strophe asks for EXTERNAL, without `=` for an empty message.
#[tokio::test]
async fn x5_an_absent_message_is_an_empty_one() {
    let server = guarded(&[]).await;
    let mut romeo = connect(&server, "as=romeo").await;
    romeo
        .send(&format!("<auth xmlns='{SASL}' mechanism='EXTERNAL'/>"))
        .await;
    let success = romeo.read().await;
    assert!(success.is("success", SASL), "{success}");
}

#[tokio::test]
async fn x5_who_was_let_in_as_an_account_logs_in_as_no_other_one() {
    let server = guarded(&[]).await;
    let mut client = connect(&server, "as=romeo").await;
    client.send(&plain_auth("juliet", PASSWORD)).await;
    assert_eq!(failure(&client.read().await), "not-authorized");
    let refused = client.sasl("auth mechanism='EXTERNAL'", "juliet@example.org");
    assert_eq!(failure(&refused.await), "invalid-authzid");
    client.plain("romeo").await;
    client.bind(None).await;
    assert_eq!(client.bare(), "romeo@example.org");
}

#[tokio::test]
async fn x5_external_is_for_accounts_that_there_are() {
    let server = guarded(&[]).await;
    let mut nobody = connect(&server, "as=nobody").await;
    let refused = nobody.sasl("auth mechanism='EXTERNAL'", "nobody@example.org");
    assert_eq!(failure(&refused.await), "not-authorized");
    let mut anybody = connect(&server, "").await;
    assert!(!anybody.mechanisms().contains(&"EXTERNAL".to_owned()));
    let refused = anybody.sasl("auth mechanism='EXTERNAL'", "romeo@example.org");
    assert_eq!(failure(&refused.await), "invalid-mechanism");
}

#[tokio::test]
async fn w7_a_session_ends_when_what_it_was_let_in_by_does() {
    let server = guarded(&[]).await;
    let mut romeo = connect(&server, "as=romeo&ms=1000").await;
    external(&mut romeo).await;
    romeo.bind(None).await;
    let previd = romeo.enable_resumable().await;
    is_turned_out(romeo).await;
    server.sessions(0).await;
    let (_, answer) = Client::try_resume(&server, "romeo", &previd, "0").await;
    assert!(item_not_found(&answer), "{answer}");
}

/// W7: the once-a-second sweep.
#[tokio::test]
async fn w7_a_session_that_hibernates_is_not_kept_for_longer_than_it_was_let_in_for() {
    let server = guarded(&[]).await;
    let mut romeo = connect(&server, "as=romeo&ms=1000").await;
    external(&mut romeo).await;
    romeo.bind(None).await;
    romeo.enable_resumable().await;
    drop(romeo);
    server.hibernating(1).await;
    server.sessions(0).await;
}

/// W7: with the clean stop of `sm.durability = "restart"` and with the journal of "always".
#[tokio::test]
async fn w7_a_restart_does_not_make_the_access_any_longer() {
    for durability in ["sm.durability=restart", "sm.durability=always"] {
        let server = guarded(&[durability]).await;
        let mut romeo = connect(&server, "as=romeo&ms=4000").await;
        external(&mut romeo).await;
        romeo.bind(None).await;
        let previd = romeo.enable_resumable().await;
        let TestServer { server, state } = server;
        let link = tokio::spawn(async move { romeo.ws.read_to_end().await });
        assert!(server.stop().await.in_time);
        link.await.expect("last words");
        // Nobody asks at this one's door, so what it knows is from the last process.
        let server = TestServer::at(state, &[durability]).await;
        let (romeo, _) = Client::resume(&server, "romeo", &previd, 0).await;
        is_turned_out(romeo).await;
        server.sessions(0).await;
    }
}

/// Counts whom it is asked about.
#[derive(Clone, Default)]
struct Asked(Arc<AtomicUsize>);

impl Authenticator for Asked {
    async fn admit(&self, shown: &gate::Handshake) -> Result<Admission, StatusCode> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok(shown.admission().clone())
    }
}

/// O1: over BOSH as over WebSocket, a flood stops at the door and not at the application.
#[tokio::test]
async fn o1_the_application_is_not_asked_about_who_is_told_to_come_back() {
    let asked = Asked::default();
    let limits = [
        "limits.new_connections_per_second=1",
        "limits.new_connections_burst=2",
    ];
    let server = TestServer::built(&limits, |builder| builder.authenticator(asked.clone())).await;
    let creation = kit::bosh::wrap(&format!("rid='1' {}", kit::bosh::CREATE), "");
    let (mut let_in, mut told_to_come_back) = (0, 0);
    for _ in 0..20 {
        match kit::bosh::post(&server, &creation).await.status {
            200 => let_in += 1,
            503 => told_to_come_back += 1,
            other => panic!("{other}"),
        }
    }
    assert!(told_to_come_back > 0);
    assert_eq!(asked.0.load(Ordering::Relaxed), let_in);
}
