//! Who is let in: tickets, bearer tokens, the web application, over sockets.
//!
//! Tests bear the ids of the rows of `tests/rows.md` in their names.

mod kit;

use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use kit::xmpp::condition;
use kit::{BIND, Client, Handshake, SASL, SM, TestServer};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use stanzad::Target;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

fn at(path: &str) -> Handshake {
    Handshake::new().line(&format!("GET {path} HTTP/1.1"))
}

/// The path and query of a URL.
fn path_of(url: &str) -> String {
    let after_scheme = url.split_once("://").expect("a scheme").1;
    let slash = after_scheme.find('/').expect("a path");
    after_scheme[slash..].to_owned()
}

/// Logged in without a password, as whom the gate said.
async fn external(handshake: &Handshake, server: &TestServer) -> Client {
    let (response, ws) = handshake.send(server).await;
    assert_eq!(response.status, 101, "{}", response.text());
    let mut client = Client::on(ws).await;
    assert_eq!(client.mechanisms(), ["EXTERNAL"]);
    client
        .send(&format!(
            "<auth xmlns='{SASL}' mechanism='EXTERNAL'>=</auth>"
        ))
        .await;
    let success = client.read().await;
    assert!(success.is("success", SASL), "{success}");
    client.reopen().await;
    client.bind(None).await;
    client
}

/// O1: a reload that cannot take `[auth]` over opens no door.
#[tokio::test]
async fn o1_where_the_application_cannot_be_asked_nobody_is_let_in_unasked() {
    let server = TestServer::start().await;
    assert_eq!(at("/ws/").status(&server).await, 101);
    let options = [
        "endpoint=[{name='web', path='/ws/', auth=['session']}]",
        "auth.session.url=http://127.0.0.1:9/admit",
        "auth.token.file=/nonexistent/tokens",
    ];
    let config = kit::server::config(server.state_dir(), &options);
    server.server.reload(&config);
    assert_eq!(at("/ws/").status(&server).await, 503);
}

mod tickets {
    use super::*;

    const TICKETS: &str = "endpoint=[{name='web', path='/ws/', auth=['ticket']}, \
                            {name='other', path='/other/', auth=['ticket', 'none']}]";

    fn ticket(server: &TestServer, endpoint: &str, ttl: Option<Duration>) -> String {
        let romeo = "romeo@example.org".parse().expect("an address");
        let url = server.server.ticket(endpoint, &romeo, ttl);
        path_of(&url.expect("a ticket"))
    }

    /// X5
    #[tokio::test]
    async fn x5_a_ticket_lets_in_once_as_its_account_without_a_password() {
        let server = TestServer::with(&[TICKETS]).await;
        let path = ticket(&server, "web", None);
        let mut romeo = external(&at(&path), &server).await;
        assert!(romeo.jid.starts_with("romeo@example.org/"), "{}", romeo.jid);
        romeo.hears_nothing().await;
        assert_eq!(at(&path).status(&server).await, 403, "a second time");
    }

    /// X5
    #[tokio::test]
    async fn x5_without_a_ticket_with_a_wrong_one_or_too_late_nobody_gets_in() {
        let server = TestServer::with(&[TICKETS]).await;
        let short = ticket(&server, "web", Some(Duration::from_millis(1)));
        let other = ticket(&server, "other", None);
        let elsewhere = other.replace("/other/", "/ws/");
        tokio::time::sleep(Duration::from_millis(5)).await;
        for (path, status) in [
            ("/ws/", 401),
            ("/ws/?k=", 403),
            ("/ws/?k=abc", 403),
            (&short, 403),
            (&elsewhere, 403),
            ("/other/", 101),
            (&other, 101),
            ("/ws/?k=a&k=b", 400),
        ] {
            assert_eq!(at(path).status(&server).await, status, "{path}");
        }
    }

    /// X5: whoever came by a ticket is that account and no other.
    #[tokio::test]
    async fn x5_a_ticket_is_good_for_no_other_account() {
        let server = TestServer::with(&[TICKETS]).await;
        let (_, ws) = at(&ticket(&server, "web", None)).send(&server).await;
        let mut client = Client::on(ws).await;
        client
            .send(&kit::xmpp::plain_auth("juliet", kit::PASSWORD))
            .await;
        let failure = client.read().await;
        assert!(failure.is("failure", SASL), "{failure}");
        assert_eq!(
            failure
                .children()
                .next()
                .map(|c| c.name().to_owned())
                .as_deref(),
            Some("not-authorized")
        );
    }

    /// X4
    #[tokio::test]
    async fn x4_the_server_says_where_an_endpoint_is_and_that_one_is_none() {
        let server = TestServer::with(&[TICKETS, "public_url=https://chat.example.org/x"]).await;
        let url = server.server.url("other").expect("a URL");
        assert_eq!(url, "wss://chat.example.org/x/other/");
        assert!(server.server.url("nope").is_err());
        let romeo = "romeo@elsewhere.example".parse().expect("an address");
        assert!(server.server.ticket("web", &romeo, None).is_err());
    }
}

mod tokens {
    use super::*;

    const TOKEN: &str = "s3cr3t-t0k3n";

    /// A server that takes [`TOKEN`] as romeo, in tier gold.
    async fn listed() -> (TestServer, tempfile::TempDir) {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("tokens.txt");
        let hash: String = Sha256::digest(TOKEN)
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect();
        std::fs::write(&file, format!("# ours\n{hash} romeo gold\n")).expect("a file");
        let server = TestServer::with(&[
            "tier={gold={stanzas='5000/1m'}}",
            "endpoint=[{name='web', path='/ws/', auth=['token']}]",
            "auth.jwt.cookie=SESSION",
            &format!("auth.token.file={}", file.display()),
        ])
        .await;
        (server, dir)
    }

    /// W6: the ways to show a token, and the exact answer to each.
    #[tokio::test]
    async fn w6_a_token_in_header_or_query_lets_in_and_any_other_is_invalid() {
        let (server, _dir) = listed().await;
        let invalid = r#"Bearer error="invalid_token""#;
        let request = r#"Bearer error="invalid_request""#;
        let bearer = |token: &str| at("/ws/").with("Authorization", token);
        for (handshake, status, challenge) in [
            (bearer(&format!("Bearer {TOKEN}")), 101, None),
            (at(&format!("/ws/?access_token={TOKEN}")), 101, None),
            (
                at("/ws/").with("Cookie", &format!("SESSION={TOKEN}")),
                101,
                None,
            ),
            (at("/ws/"), 401, Some("Bearer")),
            (bearer("Bearer wrong"), 401, Some(invalid)),
            (at("/ws/?access_token="), 401, Some(invalid)),
            (
                at("/ws/?access_token=a").with("Authorization", "Bearer a"),
                400,
                Some(request),
            ),
            (bearer("Basic cm9tZW8="), 401, Some("Bearer")),
        ] {
            let (response, _) = handshake.send(&server).await;
            assert_eq!(response.status, status, "{handshake:?}");
            assert_eq!(
                response.header("www-authenticate").as_deref(),
                challenge,
                "{handshake:?}"
            );
        }
    }

    /// W6, W5: the tier of the token is that of the session.
    #[tokio::test]
    async fn w6_who_came_by_a_token_is_its_account_in_its_tier() {
        let (server, _dir) = listed().await;
        let handshake = at(&format!("/ws/?access_token={TOKEN}&a=1"));
        let client = external(&handshake, &server).await;
        let jid = client.jid.parse().expect("an address");
        let session = server.server.sessions().at(&jid).expect("a session");
        let admission = session.admission().expect("an admission");
        assert_eq!(admission.tier.as_deref(), Some("gold"));
        let query = session.info().query.expect("a query");
        assert_eq!(&*query, "a=1", "the token is not kept");
    }

    /// W6: in the stream.
    #[tokio::test]
    async fn w6_oauthbearer_logs_in_and_a_wrong_token_is_told_so() {
        let (_, dir) = listed().await;
        let server = TestServer::with(&[
            "tier={gold={stanzas='5000/1m'}}",
            &format!(
                "auth.token.file={}",
                dir.path().join("tokens.txt").display()
            ),
        ])
        .await;
        let mut client = Client::open(&server).await;
        assert!(client.mechanisms().contains(&"OAUTHBEARER".to_owned()));
        let message = |token: &str| format!("n,,\u{1}auth=Bearer {token}\u{1}\u{1}");
        let challenge = client
            .sasl("auth mechanism='OAUTHBEARER'", message("wrong"))
            .await;
        assert!(challenge.is("challenge", SASL), "{challenge}");
        let said = kit::scram::decode(&challenge.text());
        assert_eq!(said, r#"{"status":"invalid_token"}"#);
        let failure = client.sasl("response", "\u{1}").await;
        assert!(failure.is("failure", SASL), "{failure}");
        let success = client
            .sasl("auth mechanism='OAUTHBEARER'", message(TOKEN))
            .await;
        assert!(success.is("success", SASL), "{success}");
        client.reopen().await;
        client.bind(None).await;
        assert!(client.jid.starts_with("romeo@example.org/"));
    }

    /// A key of an issuer, and what a JWKS says of it.
    struct Issuer {
        key: rcgen::KeyPair,
        kid: &'static str,
    }

    impl Issuer {
        fn new(kid: &'static str) -> Self {
            let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).expect("a key");
            Self { key, kid }
        }

        fn jwk(&self) -> Value {
            let x = URL_SAFE_NO_PAD.encode(self.key.public_key_raw());
            json!({"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": self.kid, "x": x})
        }

        fn token(&self, claims: &Value) -> String {
            let header = json!({"alg": "EdDSA", "typ": "JWT", "kid": self.kid}).to_string();
            let part = |json: &str| URL_SAFE_NO_PAD.encode(json);
            let signed = format!("{}.{}", part(&header), part(&claims.to_string()));
            let signature = rcgen::SigningKey::sign(&self.key, signed.as_bytes());
            let signature = URL_SAFE_NO_PAD.encode(signature.expect("a signature"));
            format!("{signed}.{signature}")
        }
    }

    fn seconds_from_now(seconds: u64) -> u64 {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        now.expect("after 1970").as_secs() + seconds
    }

    async fn signed(issuer: &Issuer) -> (TestServer, tempfile::TempDir) {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("jwks.json");
        let keys = json!({"keys": [issuer.jwk()]}).to_string();
        std::fs::write(&file, keys).expect("a file");
        let server = TestServer::with(&[
            "endpoint=[{name='web', path='/ws/', auth=['jwt']}]",
            "auth.jwt.issuer=https://id.example.org",
            "auth.jwt.audience=xmpp",
            "auth.jwt.leeway=0s",
            "auth.jwt.login_claim=sid",
            &format!("auth.jwt.jwks_file={}", file.display()),
        ])
        .await;
        (server, dir)
    }

    fn claims(seconds: u64) -> Value {
        json!({"iss": "https://id.example.org", "aud": ["xmpp"], "sub": "romeo", "sid": "L1",
               "exp": seconds_from_now(seconds)})
    }

    /// W7: the session ends with its token, and cannot be resumed.
    #[tokio::test]
    async fn w7_a_session_ends_when_its_token_does_and_resumes_no_more() {
        let issuer = Issuer::new("one");
        let (server, _dir) = signed(&issuer).await;
        let token = issuer.token(&claims(4));
        let mut romeo = external(&at(&format!("/ws/?access_token={token}")), &server).await;
        let previd = romeo.enable_resumable().await;
        romeo.refused(&["not-authorized"]).await;
        assert_eq!(
            at(&format!("/ws/?access_token={token}"))
                .status(&server)
                .await,
            401
        );
        let fresh = issuer.token(&claims(60));
        let (_, ws) = at(&format!("/ws/?access_token={fresh}"))
            .send(&server)
            .await;
        let mut again = Client::on(ws).await;
        again
            .send(&format!(
                "<auth xmlns='{SASL}' mechanism='EXTERNAL'>=</auth>"
            ))
            .await;
        assert!(again.read().await.is("success", SASL));
        again.reopen().await;
        again
            .send(&format!("<resume xmlns='{SM}' previd='{previd}' h='0'/>"))
            .await;
        assert_eq!(again.read().await.name(), "failed");
    }

    /// W7, E11: the login of a token can be ended.
    #[tokio::test]
    async fn w7_the_login_that_a_token_names_ends_its_sessions() {
        let issuer = Issuer::new("one");
        let (server, _dir) = signed(&issuer).await;
        let token = issuer.token(&claims(60));
        let mut romeo = external(&at(&format!("/ws/?access_token={token}")), &server).await;
        let login = Target::login("L1");
        let closed = server.server.close(&login, stanzad::CloseReason::LoggedOut);
        assert_eq!(closed.await, 1);
        romeo.refused(&["not-authorized"]).await;
    }

    /// W6: what is not signed by the issuer for us lets nobody in.
    #[tokio::test]
    async fn w6_a_token_of_another_key_issuer_audience_or_time_is_refused() {
        let issuer = Issuer::new("one");
        let (server, _dir) = signed(&issuer).await;
        let with = |key: &str, value: Value| {
            let mut claims = claims(60);
            claims[key] = value;
            issuer.token(&claims)
        };
        let forged = Issuer::new("one").token(&claims(60));
        let unsigned = format!(
            "{}.{}.",
            URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#),
            URL_SAFE_NO_PAD.encode(claims(60).to_string())
        );
        for (what, token) in [
            ("key", forged),
            ("no signature", unsigned),
            ("issuer", with("iss", json!("https://evil.example"))),
            ("audience", with("aud", json!("mail"))),
            ("time", with("exp", json!(seconds_from_now(0) - 5))),
            ("not yet", with("nbf", json!(seconds_from_now(50)))),
            ("no end", with("exp", Value::Null)),
            ("other domain", with("sub", json!("romeo@evil.example/x"))),
        ] {
            let status = at(&format!("/ws/?access_token={token}"))
                .status(&server)
                .await;
            assert_eq!(status, 401, "{what}");
        }
    }
}

mod anonymous {
    use super::*;

    /// W8: whoever shows nothing is let in, in the tier of the endpoint.
    #[tokio::test]
    async fn w8_nobody_in_particular_gets_in_and_is_throttled_as_the_endpoint_says() {
        let server = TestServer::with(&[
            "tier={anonymous={stanzas='2/1m', per='session', on_exceed='reject'}}",
            "endpoint=[{name='web', path='/ws/', auth=['none'], tier='anonymous'}]",
            "auth.anonymous=true",
        ])
        .await;
        let mut client = Client::open(&server).await;
        client
            .send(&format!("<auth xmlns='{SASL}' mechanism='ANONYMOUS'/>"))
            .await;
        assert!(client.read().await.is("success", SASL));
        client.reopen().await;
        client.bind(None).await;
        let mut refused = 0;
        for _ in 0..5 {
            let to = client.jid.clone();
            client.chat(&to, "x").await;
            let message = client.next_named("message").await;
            if message.attr("type") == Some("error") {
                assert_eq!(condition(&message), "policy-violation", "{message}");
                refused += 1;
            }
        }
        assert_eq!(refused, 3);
    }
}

mod web_application {
    use super::*;

    /// Knows the session of one user, and answers oddly to odd ones.
    async fn application() -> String {
        let admit = |headers: HeaderMap, body: String| async move {
            let asked: Value = serde_json::from_str(&body).expect("JSON");
            assert_eq!(headers["content-type"], "application/json");
            assert!(
                asked["address"].is_string() && asked["path"] == "/ws",
                "{asked}"
            );
            match asked["cookies"]["SID"].as_str() {
                Some("good") => {
                    let admission = json!({"jid": "romeo@example.org", "login": "good",
                                           "data": {"theme": "dark"}});
                    (StatusCode::OK, admission.to_string())
                }
                Some("odd") => (StatusCode::OK, "[]".to_owned()),
                Some("tier") => (StatusCode::OK, r#"{"tier": "nope"}"#.to_owned()),
                Some("broken") => (StatusCode::INTERNAL_SERVER_ERROR, "{}".to_owned()),
                Some("slow") => {
                    tokio::time::sleep(Duration::from_secs(30)).await;
                    (StatusCode::OK, "{}".to_owned())
                }
                Some(_) => (StatusCode::FORBIDDEN, "{}".to_owned()),
                None => (StatusCode::UNAUTHORIZED, "{}".to_owned()),
            }
        };
        let app = Router::new().route("/admit", post(admit));
        let socket = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port");
        let address = socket.local_addr().expect("an address");
        tokio::spawn(async move { axum::serve(socket, app).await });
        format!("http://{address}/admit")
    }

    async fn asking() -> TestServer {
        let url = application().await;
        TestServer::with(&[
            "endpoint=[{name='web', path='/ws/', auth=['session']}]",
            &format!("auth.session.url={url}"),
            "auth.session.cookies=[\"SID\"]",
            "auth.session.timeout=500ms",
        ])
        .await
    }

    /// O1
    #[tokio::test]
    async fn o1_the_web_application_decides_by_the_cookie() {
        let server = asking().await;
        for (cookie, status) in [
            ("SID=good", 101),
            ("a=b; SID=wrong", 403),
            ("OTHER=good", 401),
            ("SID=odd", 503),
            ("SID=tier", 503),
            ("SID=broken", 503),
            ("SID=slow", 503),
        ] {
            let handshake = at("/ws/").with("Cookie", cookie);
            assert_eq!(handshake.status(&server).await, status, "{cookie}");
        }
    }

    /// O1, E3
    #[tokio::test]
    async fn o1_what_the_web_application_says_is_with_the_session() {
        let server = asking().await;
        let client = external(&at("/ws/").with("Cookie", "SID=good"), &server).await;
        let sessions = server.server.list(&Target::login("good")).await;
        assert_eq!(sessions.len(), 1);
        assert_eq!(sessions[0].data["theme"], "dark");
        assert_eq!(sessions[0].jid.as_str(), client.jid);
    }

    /// O1: an application that is away lets nobody in, and nobody out.
    #[tokio::test]
    async fn o1_an_application_that_is_away_is_a_503() {
        let server = TestServer::with(&[
            "endpoint=[{name='web', path='/ws/', auth=['session', 'none']}]",
            "auth.session.url=http://127.0.0.1:1/admit",
            "auth.session.cookies=[\"SID\"]",
        ])
        .await;
        let shown = at("/ws/").with("Cookie", "SID=good");
        assert_eq!(shown.status(&server).await, 503);
        let mut nobody = Client::open(&server).await;
        nobody.plain("romeo").await;
        assert!(nobody.features.child("bind", BIND).is_some());
    }
}
