//! SASL on the stream (RFC 6120 §6) and PLAIN (RFC 4616), over sockets.

mod kit;

use kit::xmpp::{failure, plain_auth};
use kit::{BIND, Client, Handshake, PASSWORD, SASL, TestServer};
use std::time::{Duration, Instant};

const AUTH_PLAIN: &str = "auth mechanism='PLAIN'";

/// A client that a proxy passed on: from another machine, over http or https.
async fn from_afar(server: &TestServer, address: &str, proto: &str) -> Client {
    let handshake = Handshake::new()
        .with("X-Forwarded-For", address)
        .with("X-Forwarded-Proto", proto);
    let (response, ws) = handshake.send(server).await;
    assert_eq!(response.status, 101);
    Client::on(ws).await
}

const BEHIND_A_PROXY: &[&str] = &["listen.trusted_proxies=[\"127.0.0.0/8\"]"];

mod offers {
    use super::*;

    ///
    #[tokio::test]
    async fn scram_is_offered_and_no_plus_where_there_is_no_channel_to_bind_to() {
        let server = TestServer::start().await;
        let client = Client::open(&server).await;
        let mechanisms = client.mechanisms();
        for wanted in ["SCRAM-SHA-1", "SCRAM-SHA-256"] {
            assert!(mechanisms.iter().any(|m| m == wanted), "{mechanisms:?}");
        }
        assert!(!mechanisms.iter().any(|m| m.ends_with("-PLUS")));
        let cb = client
            .features
            .child("sasl-channel-binding", "urn:xmpp:sasl-cb:0");
        assert!(cb.is_none());
    }

    ///
    #[tokio::test]
    async fn plain_is_offered_on_private_links_only() {
        let server = TestServer::with(BEHIND_A_PROXY).await;
        let local = Client::open(&server).await;
        assert!(local.mechanisms().contains(&"PLAIN".to_owned()));
        let https = from_afar(&server, "192.0.2.1", "https").await;
        assert!(https.mechanisms().contains(&"PLAIN".to_owned()));
        let mut http = from_afar(&server, "192.0.2.1", "http").await;
        assert!(!http.mechanisms().contains(&"PLAIN".to_owned()));
        http.send(&plain_auth("romeo", PASSWORD)).await;
        assert_eq!(failure(&http.read().await), "encryption-required");
    }

    ///
    #[tokio::test]
    async fn plain_is_offered_nowhere_if_the_operator_says_never() {
        let server = TestServer::with(&["auth.plain=never"]).await;
        let mut client = Client::open(&server).await;
        assert!(!client.mechanisms().contains(&"PLAIN".to_owned()));
        client.send(&plain_auth("romeo", PASSWORD)).await;
        assert_eq!(failure(&client.read().await), "invalid-mechanism");
    }

    ///
    #[tokio::test]
    async fn a_mechanism_that_is_unknown_or_not_offered_is_invalid() {
        let server = TestServer::with(&["auth.failures_per_stream=20"]).await;
        let mut client = Client::open(&server).await;
        for mechanism in [
            "X-UNKNOWN",
            "plain",
            "SCRAM-SHA-256-PLUS",
            "EXTERNAL",
            "ANONYMOUS",
            "OAUTHBEARER",
            "DIGEST-MD5",
            "CRAM-MD5",
            "",
            "&lt;x/&gt;",
        ] {
            let answer = client
                .sasl(&format!("auth mechanism='{mechanism}'"), "")
                .await;
            assert_eq!(failure(&answer), "invalid-mechanism", "{mechanism}");
        }
        client.plain("romeo").await;
    }

    ///
    #[tokio::test]
    async fn no_mechanism_at_all_is_invalid() {
        let server = TestServer::start().await;
        let mut client = Client::open(&server).await;
        let answer = client.sasl("auth", "\0romeo\0x").await;
        assert!(matches!(
            failure(&answer),
            "invalid-mechanism" | "malformed-request"
        ));
        client.plain("romeo").await;
    }

    ///
    #[tokio::test]
    async fn anonymous_gives_an_account_of_its_own_where_it_is_switched_on() {
        let server = TestServer::with(&["auth.anonymous=true"]).await;
        let mut jids = Vec::new();
        for _ in 0..2 {
            let mut client = Client::open(&server).await;
            assert!(client.mechanisms().contains(&"ANONYMOUS".to_owned()));
            let answer = client.sasl("auth mechanism='ANONYMOUS'", "").await;
            assert!(answer.is("success", SASL), "{answer}");
            client.reopen().await;
            client.bind(None).await;
            jids.push(client.bare().to_owned());
        }
        assert_ne!(jids[0], jids[1]);
        assert!(jids.iter().all(|jid| jid.ends_with("@example.org")));
    }
}

mod plain {
    use super::*;

    ///
    #[tokio::test]
    async fn the_right_password_succeeds() {
        let server = TestServer::start().await;
        let mut client = Client::login(&server, "romeo").await;
        assert_eq!(client.bare(), "romeo@example.org");
        client.hears_nothing().await;
    }

    ///
    #[tokio::test]
    async fn a_wrong_password_and_an_unknown_account_look_alike_and_a_second_try_works() {
        let server = TestServer::start().await;
        let mut client = Client::open(&server).await;
        let wrong = client.sasl(AUTH_PLAIN, "\0romeo\0wrong").await;
        let unknown = client.sasl(AUTH_PLAIN, "\0nobody\0wrong").await;
        assert_eq!(failure(&wrong), "not-authorized");
        assert_eq!(wrong.to_string(), unknown.to_string());
        client.plain("romeo").await;
    }

    ///
    #[tokio::test]
    async fn broken_data_is_refused_and_authenticates_nobody() {
        let server = TestServer::with(&["auth.failures_per_stream=50"]).await;
        let mut client = Client::open(&server).await;
        let extra = format!("\0romeo\0{PASSWORD}\0");
        let doubled = format!("\0romeo\0{PASSWORD}\0{PASSWORD}");
        let wrong: [&[u8]; 9] = [
            b"romeo",
            b"\0romeo",
            b"\0\0\0",
            b"\0\0password",
            b"\0romeo\0",
            b"\0romeo\0\xff\xfe",
            b"\0rom\xc3eo\0password",
            extra.as_bytes(),
            doubled.as_bytes(),
        ];
        for data in wrong {
            let answer = client.sasl(AUTH_PLAIN, data).await;
            let found = failure(&answer);
            assert!(
                matches!(found, "malformed-request" | "not-authorized"),
                "{data:?}: {answer}"
            );
        }
        for text in [
            "!!!!",
            "AHJvbWVv=",
            "AHJvbWVvAA",
            "A",
            "AHJv bWVvAA==",
            "%",
            "&#65;",
        ] {
            client
                .send(&format!("<{AUTH_PLAIN} xmlns='{SASL}'>{text}</auth>"))
                .await;
            let answer = client.read().await;
            assert!(
                matches!(failure(&answer), "incorrect-encoding" | "malformed-request"),
                "{text}: {answer}"
            );
        }
        client.plain("romeo").await;
    }

    ///
    #[tokio::test]
    async fn another_accounts_authzid_is_never_logged_in_as() {
        let server = TestServer::with(&["auth.failures_per_stream=20"]).await;
        let mut client = Client::open(&server).await;
        for authzid in [
            "juliet@example.org",
            "juliet",
            "romeo@example.net",
            "@@",
            "example.org",
        ] {
            let answer = client
                .sasl(AUTH_PLAIN, format!("{authzid}\0romeo\0{PASSWORD}"))
                .await;
            assert!(
                matches!(failure(&answer), "invalid-authzid" | "not-authorized"),
                "{authzid}: {answer}"
            );
        }
    }

    ///
    #[tokio::test]
    async fn the_own_bare_address_as_authzid_is_the_own_account() {
        let server = TestServer::start().await;
        for authzid in ["romeo@example.org", "ROMEO@Example.ORG"] {
            let mut client = Client::open(&server).await;
            let answer = client
                .sasl(AUTH_PLAIN, format!("{authzid}\0romeo\0{PASSWORD}"))
                .await;
            assert!(answer.is("success", SASL), "{answer}");
            client.reopen().await;
            client.bind(None).await;
            assert_eq!(client.bare(), "romeo@example.org");
        }
    }

    ///
    #[tokio::test]
    async fn the_user_name_compares_after_case_mapping() {
        let server = TestServer::start().await;
        for name in ["ROMEO", "Romeo", "\u{ff32}omeo"] {
            let mut client = Client::open(&server).await;
            client.plain(name).await;
            client.bind(None).await;
            assert_eq!(client.bare(), "romeo@example.org", "{name}");
        }
    }
}

mod dialogue {
    use super::*;

    ///
    #[tokio::test]
    async fn an_abort_is_answered_and_the_stream_stays() {
        let server = TestServer::start().await;
        let mut client = Client::open(&server).await;
        client
            .sasl("auth mechanism='SCRAM-SHA-1'", "n,,n=romeo,r=abc")
            .await;
        client.send(&format!("<abort xmlns='{SASL}'/>")).await;
        assert_eq!(failure(&client.read().await), "aborted");
        client.plain("romeo").await;
    }

    ///
    #[tokio::test]
    async fn a_response_out_of_the_blue_or_a_second_auth_authenticates_nobody() {
        let server = TestServer::start().await;
        let mut client = Client::open(&server).await;
        let answer = client
            .sasl("response", format!("\0romeo\0{PASSWORD}"))
            .await;
        failure(&answer);
        let challenge = client
            .sasl("auth mechanism='SCRAM-SHA-1'", "n,,n=romeo,r=abc")
            .await;
        assert!(challenge.is("challenge", SASL), "{challenge}");
        let answer = client
            .sasl(AUTH_PLAIN, format!("\0romeo\0{PASSWORD}"))
            .await;
        assert!(answer.is("failure", SASL), "{answer}");
        client.plain("romeo").await;
    }

    ///
    #[tokio::test]
    async fn a_megabyte_of_sasl_is_refused_before_authentication() {
        let server = TestServer::start().await;
        let mut client = Client::open(&server).await;
        let data = "A".repeat(1 << 20);
        client
            .send(&format!("<{AUTH_PLAIN} xmlns='{SASL}'>{data}</auth>"))
            .await;
        client.refused(&["policy-violation"]).await;
        let mut inside = Client::open(&server).await;
        let answer = inside
            .sasl(AUTH_PLAIN, format!("\0romeo\0{}", "x".repeat(6000)))
            .await;
        assert!(answer.is("failure", SASL), "{answer}");
    }

    ///
    #[tokio::test]
    async fn auth_after_success_is_refused() {
        let server = TestServer::start().await;
        let auth = plain_auth("juliet", PASSWORD);
        let mut reopening = Client::open(&server).await;
        reopening.send(&plain_auth("romeo", PASSWORD)).await;
        assert!(reopening.read().await.is("success", SASL));
        reopening.send(&auth).await;
        reopening.refused(&["not-authorized"]).await;
        for mut client in [
            Client::authenticated(&server, "romeo").await,
            Client::login(&server, "romeo").await,
        ] {
            client.send(&auth).await;
            client.refused(&["unsupported-stanza-type"]).await;
        }
    }

    /// SASL2 is not served in this version; its first element is refused, before and after.
    #[tokio::test]
    async fn authenticate_of_sasl2_is_refused() {
        let server = TestServer::start().await;
        let authenticate = "<authenticate xmlns='urn:xmpp:sasl:2' mechanism='PLAIN'/>";
        let mut stranger = Client::open(&server).await;
        assert!(
            stranger
                .features
                .child("authentication", "urn:xmpp:sasl:2")
                .is_none()
        );
        stranger.send(authenticate).await;
        stranger
            .refused(&["unsupported-stanza-type", "not-authorized"])
            .await;
        let mut romeo = Client::login(&server, "romeo").await;
        assert!(romeo.features.child("bind", BIND).is_some());
        romeo.send(authenticate).await;
        romeo.refused(&["unsupported-stanza-type"]).await;
    }
}

mod throttling {
    use super::*;

    ///
    #[tokio::test]
    async fn a_stream_ends_after_so_many_wrong_passwords() {
        let server = TestServer::with(&["auth.failures_per_stream=3"]).await;
        let mut client = Client::open(&server).await;
        for _ in 0..3 {
            let answer = client.sasl(AUTH_PLAIN, "\0romeo\0wrong").await;
            assert_eq!(failure(&answer), "not-authorized");
        }
        client.refused(&["policy-violation"]).await;
    }

    /// bounds below only, as the machine may be slow.
    #[tokio::test]
    async fn wrong_passwords_of_one_source_are_slowed_and_its_owner_elsewhere_is_not_locked_out() {
        let server = TestServer::with(BEHIND_A_PROXY).await;
        let guess = async |times: usize| {
            let began = Instant::now();
            for _ in 0..times {
                let mut client = from_afar(&server, "192.0.2.66", "https").await;
                let answer = client.sasl(AUTH_PLAIN, "\0romeo\0wrong").await;
                assert_eq!(failure(&answer), "not-authorized");
            }
            began.elapsed()
        };
        guess(5).await;
        let slowed = guess(1).await;
        assert!(slowed > Duration::from_millis(900), "{slowed:?}");
        // From elsewhere the right password gets in, within the few seconds that a stranger may
        // make its owner wait.
        let began = Instant::now();
        let mut owner = from_afar(&server, "198.51.100.7", "https").await;
        owner.plain("romeo").await;
        assert!(began.elapsed() < Duration::from_secs(10));
    }
}
