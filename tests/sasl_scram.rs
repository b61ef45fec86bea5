//! SCRAM (RFC 5802, RFC 7677), channel binding (RFC 5929, RFC 9266, XEP-0440) and the downgrade
//! hash (XEP-0474), over sockets, with a client written from the RFCs.

mod kit;

use kit::scram::{Hash, Scram, decode, encode, value};
use kit::xmpp::failure;
use kit::{Client, PASSWORD, SASL, TestServer, tls};
use rustls::version::{TLS12, TLS13};
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};
use stanzad::xml::Element;

/// A server that a test may fail at as often as it likes.
async fn patient() -> TestServer {
    TestServer::with(&["auth.failures_per_stream=100"]).await
}

fn romeo() -> Scram {
    Scram::new(Hash::Sha256, "romeo", PASSWORD)
}

/// The first message out, the challenge or the failure back.
async fn first(client: &mut Client, scram: &Scram) -> Element {
    let auth = format!("auth mechanism='{}'", scram.hash.mechanism());
    client.sasl(&auth, scram.first()).await
}

async fn server_first(client: &mut Client, scram: &Scram) -> String {
    let challenge = first(client, scram).await;
    assert!(challenge.is("challenge", SASL), "{challenge}");
    decode(&challenge.text())
}

/// Runs an exchange whose last message is made by `last`, and wants it refused with one of these.
async fn refused(scram: &Scram, conditions: &[&str], last: impl Fn(&str) -> String) {
    let server = patient().await;
    let mut client = Client::open(&server).await;
    let challenge = server_first(&mut client, scram).await;
    let answer = client.sasl("response", last(&challenge)).await;
    let found = failure(&answer);
    assert!(conditions.contains(&found), "{answer}");
    client.plain("juliet").await; // the stream is in order
}

/// Refused at its first message.
async fn refused_first(message: &str, conditions: &[&str]) {
    let server = patient().await;
    let mut client = Client::open(&server).await;
    let answer = client.sasl("auth mechanism='SCRAM-SHA-256'", message).await;
    let found = failure(&answer);
    assert!(conditions.contains(&found), "{message}: {answer}");
}

mod succeeds {
    use super::*;

    ///
    #[tokio::test]
    async fn with_the_right_signature_of_the_server_for_every_hash() {
        let server = TestServer::start().await;
        for hash in [Hash::Sha1, Hash::Sha256, Hash::Sha512] {
            let scram = Scram { hash, ..romeo() };
            let mut client = Client::open(&server).await;
            let challenge = server_first(&mut client, &scram).await;
            assert!(value(&challenge, 'i').parse::<u32>().expect("i") >= 4096);
            assert!(value(&challenge, 'r').starts_with("fyko+d2lbbFgONRv9qkxdawL"));
            assert!(value(&challenge, 'r').len() > "fyko+d2lbbFgONRv9qkxdawL".len() + 16);
            let last = scram.answer(&challenge);
            let success = client.sasl("response", &last.message).await;
            assert!(success.is("success", SASL), "{success}");
            assert_eq!(value(&decode(&success.text()), 'v'), last.server_signature);
            client.reopen().await;
            client.bind(None).await;
            assert_eq!(client.bare(), "romeo@example.org");
        }
    }

    ///
    #[tokio::test]
    async fn without_an_initial_response_after_an_empty_challenge() {
        let server = TestServer::start().await;
        let mut client = Client::open(&server).await;
        client
            .send(&format!("<auth xmlns='{SASL}' mechanism='SCRAM-SHA-256'/>"))
            .await;
        let empty = client.read().await;
        assert!(empty.is("challenge", SASL), "{empty}");
        assert!(matches!(&*empty.text(), "" | "="), "{empty}");
        let challenge = client.sasl("response", romeo().first()).await;
        let last = romeo().answer(&decode(&challenge.text()));
        let success = client.sasl("response", last.message).await;
        assert!(success.is("success", SASL), "{success}");
    }

    ///
    #[tokio::test]
    async fn with_the_own_address_as_authzid_and_a_name_in_other_case() {
        let server = TestServer::start().await;
        let mut scram = Scram::new(Hash::Sha256, "ROMEO", PASSWORD);
        scram.gs2 = "n,a=romeo@example.org,".to_owned();
        let mut client = Client::open(&server).await;
        let challenge = server_first(&mut client, &scram).await;
        let success = client
            .sasl("response", scram.answer(&challenge).message)
            .await;
        assert!(success.is("success", SASL), "{success}");
    }

    /// there is no -PLUS on a link without TLS.
    #[tokio::test]
    async fn with_flag_y_where_no_plus_is_offered() {
        let server = TestServer::start().await;
        let mut scram = romeo();
        scram.gs2 = "y,,".to_owned();
        let mut client = Client::open(&server).await;
        let challenge = server_first(&mut client, &scram).await;
        let success = client
            .sasl("response", scram.answer(&challenge).message)
            .await;
        assert!(success.is("success", SASL), "{success}");
    }
}

mod is_refused {
    use super::*;

    ///
    #[tokio::test]
    async fn with_a_wrong_password() {
        let scram = Scram::new(Hash::Sha256, "romeo", "wrong");
        refused(&scram, &["not-authorized"], |challenge| {
            scram.answer(challenge).message
        })
        .await;
    }

    ///
    #[tokio::test]
    async fn with_another_nonce() {
        let scram = romeo();
        let c = encode("n,,");
        for change in [
            |nonce: &str| format!("{nonce}x"),
            |nonce: &str| nonce[..nonce.len() - 1].to_owned(),
            |_: &str| "fyko+d2lbbFgONRv9qkxdawL".to_owned(),
        ] {
            refused(
                &scram,
                &["not-authorized", "malformed-request"],
                |challenge| {
                    let nonce = change(value(challenge, 'r'));
                    scram.answer_with(challenge, &c, &nonce).message
                },
            )
            .await;
        }
    }

    ///
    #[tokio::test]
    async fn with_a_wrong_zero_empty_or_overlong_proof() {
        let scram = romeo();
        let proofs: [fn(Vec<u8>) -> Vec<u8>; 5] = [
            |mut proof| {
                proof[0] ^= 1;
                proof
            },
            |proof| vec![0; proof.len()],
            |_| vec![],
            |proof| [proof, vec![0]].concat(),
            |proof| proof[..proof.len() - 1].to_vec(),
        ];
        for change in proofs {
            refused(
                &scram,
                &["not-authorized", "malformed-request"],
                |challenge| {
                    let last = scram.answer(challenge);
                    let proof = encode(change(last.proof));
                    format!("{},p={proof}", last.without_proof)
                },
            )
            .await;
        }
    }

    ///
    #[tokio::test]
    async fn with_a_c_that_does_not_repeat_the_header_or_with_missing_parts() {
        let scram = romeo();
        for c in [
            "y,,",
            "n,a=romeo@example.org,",
            "",
            "p=tls-unique,,",
            "n,,x",
        ] {
            refused(
                &scram,
                &["not-authorized", "malformed-request"],
                |challenge| {
                    let nonce = value(challenge, 'r');
                    scram.answer_with(challenge, &encode(c), nonce).message
                },
            )
            .await;
        }
        let cuts: [fn(&str) -> String; 5] = [
            |message| message.split_once(',').expect("parts").1.to_owned(),
            |message| message.rsplit_once(',').expect("parts").0.to_owned(),
            |_| String::new(),
            |message| {
                let mut parts: Vec<_> = message.split(',').collect();
                parts.swap(0, 1);
                parts.join(",")
            },
            |message| format!("{message},x=after"),
        ];
        for cut in cuts {
            refused(
                &scram,
                &["not-authorized", "malformed-request"],
                |challenge| cut(&scram.answer(challenge).message),
            )
            .await;
        }
    }

    ///
    #[tokio::test]
    async fn with_a_binding_for_a_mechanism_without_plus_or_an_unknown_flag() {
        for gs2 in ["p=tls-exporter,,", "p=,,", "x,,", ",,", "N,,", "p,,"] {
            refused_first(
                &format!("{gs2}n=romeo,r=abc"),
                &["malformed-request", "not-authorized"],
            )
            .await;
        }
    }

    ///
    #[tokio::test]
    async fn with_the_authzid_of_another_account() {
        let server = patient().await;
        for authzid in ["juliet@example.org", "juliet", "romeo@example.net", "=40"] {
            let mut scram = romeo();
            scram.gs2 = format!("n,a={authzid},");
            let mut client = Client::open(&server).await;
            let mut answer = first(&mut client, &scram).await;
            if answer.is("challenge", SASL) {
                let last = scram.answer(&decode(&answer.text()));
                answer = client.sasl("response", last.message).await;
            }
            let found = failure(&answer);
            assert!(
                matches!(
                    found,
                    "invalid-authzid" | "not-authorized" | "malformed-request"
                ),
                "{authzid}: {answer}"
            );
        }
    }

    ///
    #[tokio::test]
    async fn with_the_reserved_extension() {
        let conditions = &["malformed-request", "not-authorized"];
        refused_first("n,,m=ext,n=romeo,r=abc", conditions).await;
        refused_first("n,,n=romeo,r=abc,m=ext", conditions).await;
    }

    ///
    #[tokio::test]
    async fn with_a_bare_equals_sign_an_empty_name_or_an_empty_nonce() {
        for message in [
            "n,,n=rom=eo,r=abc",
            "n,,n=rom=2Deo,r=abc",
            "n,,n=,r=abc",
            "n,,n=romeo,r=",
            "n,,n=romeo",
            "n,,r=abc,n=romeo",
            "n,,n=romeo,r=a b\u{7f}",
            "n=romeo,r=abc",
        ] {
            refused_first(message, &["malformed-request", "not-authorized"]).await;
        }
    }

    ///
    #[tokio::test]
    async fn for_an_unknown_account_as_for_a_known_one_with_a_stable_salt() {
        let server = patient().await;
        let unknown = Scram::new(Hash::Sha256, "nobody", PASSWORD);
        let mut salts = Vec::new();
        for _ in 0..2 {
            let mut client = Client::open(&server).await;
            let known = server_first(&mut client, &romeo()).await;
            client.send(&format!("<abort xmlns='{SASL}'/>")).await;
            client.read().await;
            let challenge = server_first(&mut client, &unknown).await;
            assert_eq!(value(&challenge, 'i'), value(&known, 'i'));
            assert_eq!(value(&challenge, 's').len(), value(&known, 's').len());
            assert_eq!(challenge.len(), known.len());
            salts.push(value(&challenge, 's').to_owned());
            let last = unknown.answer(&challenge).message;
            let answer = client.sasl("response", last).await;
            assert_eq!(failure(&answer), "not-authorized");
        }
        assert_eq!(salts[0], salts[1]);
    }
}

/// XEP-0474 §6.1, from its text.
mod downgrade_hash {
    use super::*;

    fn hash_of(client: &Client, hash: Hash) -> String {
        let mut mechanisms = client.mechanisms();
        mechanisms.sort();
        let mut text = mechanisms.join("\u{1e}");
        if let Some(element) = client
            .features
            .child("sasl-channel-binding", "urn:xmpp:sasl-cb:0")
        {
            let kinds = element.children().map(|c| c.attr("type").expect("a type"));
            let mut kinds: Vec<_> = kinds.collect();
            kinds.sort_unstable();
            text.push('\u{1f}');
            text.push_str(&kinds.join("\u{1e}"));
        }
        match hash {
            Hash::Sha1 => encode(Sha1::digest(text)),
            Hash::Sha256 => encode(Sha256::digest(text)),
            Hash::Sha512 => encode(Sha512::digest(text)),
        }
    }

    ///
    #[tokio::test]
    async fn is_that_of_the_mechanisms_and_types_that_were_offered() {
        let server = TestServer::with(&["listen.tls=127.0.0.1:0"]).await;
        for hash in [Hash::Sha1, Hash::Sha256, Hash::Sha512] {
            let scram = Scram { hash, ..romeo() };
            for secure in [false, true] {
                let mut client = match secure {
                    true => Client::over(tls::connect(&server, &TLS13).await.http).await,
                    false => Client::open(&server).await,
                };
                let challenge = server_first(&mut client, &scram).await;
                assert_eq!(value(&challenge, 'h'), hash_of(&client, hash), "{secure}");
            }
        }
    }
}

mod channel_binding {
    use super::*;

    async fn server() -> TestServer {
        TestServer::with(&["listen.tls=127.0.0.1:0", "auth.failures_per_stream=100"]).await
    }

    fn types(client: &Client) -> Vec<String> {
        let element = client
            .features
            .child("sasl-channel-binding", "urn:xmpp:sasl-cb:0")
            .expect("types");
        let types = element.children().map(|c| c.attr("type").expect("a type"));
        types.map(str::to_owned).collect()
    }

    /// Logs in with -PLUS; returns what came of it.
    async fn plus(client: &mut Client, kind: &str, data: &[u8]) -> Element {
        let mut scram = romeo();
        scram.gs2 = format!("p={kind},,");
        scram.binding = data.to_vec();
        let answer = client
            .sasl("auth mechanism='SCRAM-SHA-256-PLUS'", scram.first())
            .await;
        if !answer.is("challenge", SASL) {
            return answer;
        }
        let last = scram.answer(&decode(&answer.text()));
        client.sasl("response", last.message).await
    }

    ///
    #[tokio::test]
    async fn types_are_announced_exactly_where_plus_is() {
        let server = server().await;
        let client = Client::over(tls::connect(&server, &TLS13).await.http).await;
        let mechanisms = client.mechanisms();
        for hash in [Hash::Sha1, Hash::Sha256] {
            let name = format!("{}-PLUS", hash.mechanism());
            assert!(mechanisms.contains(&name), "{mechanisms:?}");
        }
        let types = types(&client);
        assert!(
            types.iter().any(|t| t == "tls-server-end-point"),
            "{types:?}"
        );
        assert!(types.iter().any(|t| t == "tls-exporter"), "{types:?}");
        let plain = Client::open(&server).await;
        assert!(!plain.mechanisms().iter().any(|m| m.ends_with("-PLUS")));
    }

    ///
    #[tokio::test]
    async fn the_right_data_succeed_for_each_type_on_each_version() {
        let server = server().await;
        for version in [&TLS12, &TLS13] {
            let link = tls::connect(&server, version).await;
            let mut client = Client::over(link.http).await;
            let exporter = plus(&mut client, "tls-exporter", &link.exporter).await;
            assert!(exporter.is("success", SASL), "{version:?}: {exporter}");
            let link = tls::connect(&server, version).await;
            let mut client = Client::over(link.http).await;
            let end_point = plus(&mut client, "tls-server-end-point", &link.end_point).await;
            assert!(end_point.is("success", SASL), "{version:?}: {end_point}");
        }
    }

    ///
    #[tokio::test]
    async fn wrong_data_fail_and_so_do_types_that_were_not_announced() {
        let server = server().await;
        let link = tls::connect(&server, &TLS13).await;
        let other = tls::connect(&server, &TLS13).await;
        let mut client = Client::over(link.http).await;
        for (kind, data) in [
            ("tls-exporter", &other.exporter), // of another connection: somebody in between
            ("tls-exporter", &link.end_point),
            ("tls-exporter", &vec![]),
            ("tls-server-end-point", &link.exporter),
            ("tls-unique", &link.exporter),
            ("", &link.exporter),
        ] {
            let answer = plus(&mut client, kind, data).await;
            let found = failure(&answer);
            assert!(
                matches!(found, "not-authorized" | "malformed-request"),
                "{kind}: {answer}"
            );
        }
        let last = plus(&mut client, "tls-exporter", &link.exporter).await;
        assert!(last.is("success", SASL), "{last}");
    }

    ///
    #[tokio::test]
    async fn flag_y_is_refused_where_a_plus_is_offered() {
        let server = server().await;
        let mut client = Client::over(tls::connect(&server, &TLS13).await.http).await;
        let mut scram = romeo();
        scram.gs2 = "y,,".to_owned();
        let mut answer = first(&mut client, &scram).await;
        if answer.is("challenge", SASL) {
            let last = scram.answer(&decode(&answer.text()));
            answer = client.sasl("response", last.message).await;
        }
        assert_eq!(failure(&answer), "not-authorized");
    }

    /// n with a -PLUS mechanism.
    #[tokio::test]
    async fn a_plus_mechanism_without_a_binding_is_refused() {
        let server = server().await;
        let mut client = Client::over(tls::connect(&server, &TLS13).await.http).await;
        for gs2 in ["n,,", "y,,"] {
            let message = format!("{gs2}n=romeo,r=abc");
            let answer = client
                .sasl("auth mechanism='SCRAM-SHA-256-PLUS'", message)
                .await;
            assert!(answer.is("failure", SASL), "{answer}");
        }
    }
}
