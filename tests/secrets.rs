//! Nobody speaks as another: ids that name a session are of no use to anybody else, what proves an
//! identity stands in no log, and who tampers with a login fails it.

mod kit;

use kit::bosh::terminated;
use kit::process::Process;
use kit::scram::{Hash, Scram, decode, encode, value};
use kit::xmpp::{failure, plain_auth};
use kit::{BIND, Bosh, CLIENT, Client, Http, PASSWORD, SASL, SM, STANZAS, TestServer, bodies};
use std::fs::File;

/// The log of a server that tells all that it can tell.
mod log {
    use super::*;

    async fn connect(process: &Process) -> Client {
        Client::over(Http::to(process.address).await).await
    }

    async fn scram(client: &mut Client, scram: &Scram, secrets: &mut Vec<String>) {
        let auth = format!("auth mechanism='{}'", scram.hash.mechanism());
        let challenge = client.sasl(&auth, scram.first()).await;
        let last = scram.answer(&decode(&challenge.text()));
        secrets.push(encode(&last.proof));
        secrets.push(encode(&last.message));
        secrets.push(last.server_signature.clone());
        let outcome = client.sasl("response", &last.message).await;
        if outcome.is("success", SASL) {
            client.reopen().await;
        }
    }

    /// A session with stream management that is cut and resumed, over both transports.
    async fn resume(process: &Process, secrets: &mut Vec<String>) {
        let mut romeo = connect(process).await;
        romeo.plain("romeo").await;
        romeo.bind(Some("orchard")).await;
        let previd = romeo.enable_resumable().await;
        drop(romeo);
        let mut romeo = connect(process).await;
        romeo.plain("romeo").await;
        let resumed = romeo.ask_resume(&previd, "0").await;
        assert!(resumed.is("resumed", SM), "{resumed}");
        let mut tybalt = connect(process).await;
        tybalt.plain("tybalt").await;
        let refused = tybalt.ask_resume(&previd, "0").await;
        assert!(refused.is("failed", SM), "{refused}");
        secrets.push(previd);
    }

    async fn over_bosh(process: &Process, secrets: &mut Vec<String>) {
        let mut juliet = Bosh::at(process.address).await;
        juliet.next().await;
        juliet.send(&plain_auth("juliet", PASSWORD)).await;
        assert!(juliet.next().await.is("success", SASL));
        juliet.restart().await;
        juliet
            .iq("set", "", &format!("<bind xmlns='{BIND}'/>"))
            .await;
        secrets.push(juliet.enable_resumable().await);
        secrets.push(juliet.sid.clone());
        juliet.request_of(1, "", "").await.answer().await; // a wild rid: the session ends
    }

    async fn change_password(process: &Process, secrets: &mut Vec<String>) {
        let new = "sw33t-s0rr0w-of-nurse";
        let mut nurse = connect(process).await;
        nurse.plain("nurse").await;
        nurse.bind(None).await;
        let query = format!(
            "<query xmlns='jabber:iq:register'><username>nurse</username>\
             <password>{new}</password></query>"
        );
        let changed = nurse.iq("set", "example.org", &query).await;
        assert_eq!(changed.attr("type"), Some("result"), "{changed}");
        secrets.push(new.to_owned());
    }

    #[tokio::test]
    async fn of_a_whole_conversation_holds_no_secret_even_where_it_tells_everything() {
        let place = tempfile::tempdir().expect("a directory");
        let path = place.path().join("log");
        let file = File::create(&path).expect("a file");
        let options = ["registration.enabled=true", "log.format=json"];
        let process = Process::logging(&options, "trace", file.into()).await;
        let mut secrets = vec![PASSWORD.to_owned(), "wr0ng-passw0rd".to_owned()];
        for name in kit::server::NAMES {
            secrets.push(encode(format!("\0{name}\0{PASSWORD}")));
        }
        let mut stranger = connect(&process).await;
        stranger.send(&plain_auth("romeo", "wr0ng-passw0rd")).await;
        assert_eq!(failure(&stranger.read().await), "not-authorized");
        secrets.push(encode("\0romeo\0wr0ng-passw0rd"));
        for hash in [Hash::Sha1, Hash::Sha256, Hash::Sha512] {
            for password in [PASSWORD, "wr0ng-passw0rd"] {
                let mut client = connect(&process).await;
                let exchange = Scram::new(hash, "mercutio", password);
                scram(&mut client, &exchange, &mut secrets).await;
            }
        }
        resume(&process, &mut secrets).await;
        over_bosh(&process, &mut secrets).await;
        change_password(&process, &mut secrets).await;
        drop(process);
        let log = std::fs::read_to_string(&path).expect("a log");
        for told in [
            "session bound",
            "session resumed",
            "login refused",
            "BOSH session",
        ] {
            assert!(log.contains(told), "{told} is not in the log:\n{log}");
        }
        for secret in secrets {
            assert!(!log.contains(&secret), "{secret} is in the log");
        }
    }
}

/// Whatever the transport.
mod previd {
    use super::*;

    /// S-16
    #[tokio::test]
    async fn of_another_account_is_of_no_use_over_bosh_and_its_owner_notices_nothing() {
        let server = TestServer::start().await;
        let mut romeo = Client::available_as(&server, "romeo", "orchard").await;
        let previd = romeo.enable_resumable().await;
        for _ in 0..2 {
            let mut tybalt = Bosh::authenticated(&server, "tybalt").await;
            let resume = format!("<resume xmlns='{SM}' previd='{previd}' h='0'/>");
            tybalt.send(&resume).await;
            let answer = tybalt.next().await;
            assert!(answer.is("failed", SM), "{answer}");
            assert!(answer.child("item-not-found", STANZAS).is_some());
            assert_eq!(answer.attr("h"), None, "it tells of another's session");
            // He may bind, as himself.
            let bound = tybalt
                .iq("set", "", &format!("<bind xmlns='{BIND}'/>"))
                .await;
            let jid = bound.child("bind", BIND).expect("a bind").children().next();
            assert!(jid.expect("a jid").text().starts_with("tybalt@"));
        }
        romeo.hears_nothing().await;
    }
}

/// Names a BOSH session.
mod sid {
    use super::*;

    /// B-13
    #[tokio::test]
    async fn that_differs_in_one_digit_is_unknown_and_its_owner_notices_nothing() {
        let server = TestServer::start().await;
        let mut romeo = Bosh::login(&server, "romeo").await;
        let sid = romeo.sid.clone();
        for at in 0..sid.len() {
            let digit = if &sid[at..=at] == "0" { "1" } else { "0" };
            romeo.sid = format!("{}{digit}{}", &sid[..at], &sid[at + 1..]);
            let rid = romeo.rid;
            let answer = romeo.request_of(rid, "", "").await.answer().await;
            assert_eq!(terminated(&answer), "item-not-found");
        }
        romeo.sid = sid;
        assert!(romeo.sync().await.is_empty());
    }

    /// who has a session speaks for that one alone.
    #[tokio::test]
    async fn makes_a_stanza_come_from_its_own_session_whatever_the_stanza_says() {
        let server = TestServer::start().await;
        let mut juliet = Client::login(&server, "juliet").await;
        let mut romeo = Bosh::login(&server, "romeo").await;
        for from in [
            "juliet@example.org/balcony",
            "example.org",
            "tybalt@example.org",
        ] {
            let message = format!(
                "<message xmlns='{CLIENT}' from='{from}' to='{}' type='chat'><body>I</body></message>\
                 <iq xmlns='{CLIENT}' from='{from}' to='example.org' type='get' id='p'>\
                 <ping xmlns='urn:xmpp:ping'/></iq>",
                juliet.jid
            );
            romeo.send(&message).await;
            let pong = romeo.next().await;
            assert_eq!(pong.attr("to"), Some(&*romeo.jid), "{pong}");
        }
        let heard = juliet.messages().await;
        assert_eq!(bodies(&heard), ["I", "I", "I"]);
        for message in heard {
            assert_eq!(message.attr("from"), Some(&*romeo.jid), "{message}");
        }
    }
}

/// Whoever stands between and makes the offer look weaker.
mod downgrade {
    use super::*;

    /// The proof covers what the server said; with the hash of the offer taken out or changed on
    /// the way, it is a proof of something else. A-44
    #[tokio::test]
    async fn by_a_changed_hash_of_the_offer_fails_the_login() {
        let server = TestServer::with(&["auth.failures_per_stream=100"]).await;
        let scram = Scram::new(Hash::Sha256, "romeo", PASSWORD);
        let auth = "auth mechanism='SCRAM-SHA-256'";
        let tamperings: [fn(&str) -> String; 3] = [
            |first| without_hash(first),
            |first| format!("{},h={}", without_hash(first), encode([0; 32])),
            |first| format!("{first},x=1"),
        ];
        for tamper in tamperings {
            let mut client = Client::open(&server).await;
            let challenge = client.sasl(auth, scram.first()).await;
            let first = decode(&challenge.text());
            assert!(first.contains(",h="), "{first}");
            let last = scram.answer(&tamper(&first)).message;
            let answer = client.sasl("response", last).await;
            assert_eq!(failure(&answer), "not-authorized");
        }
    }

    fn without_hash(first: &str) -> String {
        first.replace(&format!(",h={}", value(first, 'h')), "")
    }

    /// for every hash, and however often it is asked.
    #[tokio::test]
    async fn tells_no_name_apart_for_any_hash() {
        let server = TestServer::with(&["auth.failures_per_stream=100"]).await;
        for hash in [Hash::Sha1, Hash::Sha256, Hash::Sha512] {
            let mut shapes = Vec::new();
            for name in ["romeo", "nobody", "nobody", "anonymous-1"] {
                let mut client = Client::open(&server).await;
                let scram = Scram::new(hash, name, PASSWORD);
                let auth = format!("auth mechanism='{}'", hash.mechanism());
                let first = decode(&client.sasl(&auth, scram.first()).await.text());
                shapes.push((
                    first.len(),
                    value(&first, 'i').to_owned(),
                    value(&first, 's').to_owned(),
                ));
            }
            assert_eq!(shapes[1], shapes[2], "the salt is stable");
            for shape in &shapes {
                assert_eq!((shape.0, &shape.1), (shapes[0].0, &shapes[0].1));
            }
        }
    }
}
