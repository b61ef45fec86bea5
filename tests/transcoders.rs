//! Rows O10 and E2: subprotocols in other words than XML, over sockets.

mod kit;

/// The example is a part of what is tested: its mapping, and that it runs as its comment says.
#[allow(dead_code)]
#[path = "../examples/json_transcoder/main.rs"]
mod json_transcoder;

use json_transcoder::{Json, SUBPROTOCOL as JSON};
use kit::scram::{Hash, Scram, decode};
use kit::ws::Words;
use kit::xmpp::{h, item_not_found};
use kit::{CLIENT, Client, Handshake, PASSWORD, SASL, SM, TestServer, Ws, body};
use stanzad::sessions::Connection;
use stanzad::xml::{Element, Node};
use stanzad::{TranscodeError, Transcoder};
use std::borrow::Cow;
use std::sync::atomic::{AtomicU32, Ordering};

type Transcoded<'f> = Result<Option<Cow<'f, str>>, TranscodeError>;

/// Text as it is: what comes over the wire is kept as it came.
const AS_IT_IS: Words = Words {
    say: str::to_owned,
    hear: str::to_owned,
};

const IN_JSON: Words = Words {
    say: |xml| json_transcoder::to_json(xml).expect("XML"),
    hear: |json| json_transcoder::to_xml(json).expect("JSON"),
};

/// XML of a kind: every message for a client is marked with a number of its own, every third is
/// dropped, and so is what a client says in whispers.
#[derive(Default)]
struct EveryThird(AtomicU32);

const EVERY_THIRD: &str = "every-third";

impl Transcoder for EveryThird {
    fn inbound<'f>(&self, _: &Connection, frame: &'f str) -> Transcoded<'f> {
        match frame {
            "garbage" => Err(TranscodeError::new("garbage")),
            "vast" => Ok(Some(format!("<vast>{}</vast>", " ".repeat(1 << 20)).into())),
            frame => Ok((!frame.contains("whisper")).then_some(frame.into())),
        }
    }

    fn outbound<'f>(&self, connection: &Connection, element: &'f str) -> Transcoded<'f> {
        assert_eq!(connection.subprotocol.as_deref(), Some(EVERY_THIRD));
        let Some(rest) = element.strip_prefix("<message") else {
            return Ok(Some(element.into()));
        };
        let number = self.0.fetch_add(1, Ordering::Relaxed) + 1;
        let is_third = number.is_multiple_of(3);
        Ok((!is_third).then(|| format!("<message n='{number}'{rest}").into()))
    }
}

/// Panics at what it is told to panic at, has no word for roses, and asks for no ack.
struct Timid;

const TIMID: &str = "timid";

impl Transcoder for Timid {
    fn inbound<'f>(&self, _: &Connection, frame: &'f str) -> Transcoded<'f> {
        assert!(!frame.contains("boo!"), "it is frightened");
        Ok(Some(frame.into()))
    }

    fn outbound<'f>(&self, _: &Connection, element: &'f str) -> Transcoded<'f> {
        assert!(!element.contains("thunder"), "it is frightened");
        if element.starts_with("<r ") {
            return Ok(None);
        }
        match element.contains("rose") {
            true => Err(TranscodeError::new("no word for it")),
            false => Ok(Some(element.into())),
        }
    }
}

async fn server(options: &[&str]) -> TestServer {
    TestServer::built(options, |builder| {
        builder
            .transcoder(JSON, Json)
            .transcoder(EVERY_THIRD, EveryThird::default())
            .transcoder(TIMID, Timid)
    })
    .await
}

fn offer(subprotocols: &str) -> Handshake {
    Handshake::new().replace("Sec-WebSocket-Protocol", subprotocols)
}

async fn socket(server: &TestServer, subprotocol: &str, words: Option<Words>) -> Ws {
    let (response, mut ws) = offer(subprotocol).send(server).await;
    assert_eq!(response.status, 101, "{response:?}");
    ws.words = words;
    ws
}

/// Logged in over a subprotocol, without a resource.
async fn authenticated(server: &TestServer, subprotocol: &str, name: &str) -> Client {
    let words = match subprotocol {
        JSON => Some(IN_JSON),
        "xmpp" => None,
        _ => Some(AS_IT_IS),
    };
    let mut client = Client::on(socket(server, subprotocol, words).await).await;
    client.plain(name).await;
    client
}

async fn bound(server: &TestServer, subprotocol: &str, name: &str, resource: &str) -> Client {
    let mut client = authenticated(server, subprotocol, name).await;
    client.bind(Some(resource)).await;
    client
}

async fn resume(server: &TestServer, subprotocol: &str, previd: &str, h: u32) -> (Client, Element) {
    let mut client = authenticated(server, subprotocol, "romeo").await;
    let answer = client.ask_resume(previd, &h.to_string()).await;
    (client, answer)
}

const ROMEO: &str = "romeo@example.org/orchard";
const JULIET: &str = "juliet@example.org/balcony";

/// The same element reads the same, in whatever order its attributes are.
fn canonical(element: &Element) -> String {
    let mut attributes: Vec<_> = element.attributes().iter().collect();
    attributes.sort_by_key(|a| (&a.namespace, &a.name));
    let nodes = element.nodes().iter().map(|node| match node {
        Node::Text(text) => format!("{text:?}"),
        Node::Element(child) => canonical(child),
    });
    let nodes: Vec<_> = nodes.collect();
    let (name, namespace) = (element.name(), element.namespace());
    format!("{{{namespace}}}{name}{attributes:?}{nodes:?}")
}

mod json {
    use super::*;
    use json_transcoder::{converse, serve, to_json, to_xml};
    use proptest::prelude::*;

    const MESSAGE: &str = "<message xmlns='jabber:client' type='chat' id='m1' xml:lang='en' \
        to='{to}'><body>&lt;&amp;\"\u{1f339}\" \\ {\"name\":1}\n</body>  <x xmlns='urn:example:x' \
        xmlns:y='urn:example:y' y:a='1' a='2'>one<z xmlns=''/>two</x></message>";

    /// Logs in by SCRAM.
    async fn scram(server: &TestServer, subprotocol: &str, name: &str, resource: &str) -> Client {
        let words = (subprotocol == JSON).then_some(IN_JSON);
        let mut client = Client::on(socket(server, subprotocol, words).await).await;
        let scram = Scram::new(Hash::Sha256, name, PASSWORD);
        let auth = format!("auth mechanism='{}'", scram.hash.mechanism());
        let challenge = client.sasl(&auth, scram.first()).await;
        let last = scram.answer(&decode(&challenge.text()));
        let success = client.sasl("response", last.message).await;
        assert!(success.is("success", SASL), "{success}");
        client.reopen().await;
        client.bind(Some(resource)).await;
        client
    }

    /// What both hear of the same talk, each over its own subprotocol.
    async fn chat(server: &TestServer, ours: &str, theirs: &str) -> Vec<String> {
        let mut romeo = scram(server, ours, "romeo", "orchard").await;
        let mut juliet = bound(server, theirs, "juliet", "balcony").await;
        let mut heard = vec![romeo.jid.clone(), juliet.jid.clone()];
        romeo.enable("").await;
        juliet.enable("").await;
        let said = MESSAGE.replace("{to}", JULIET);
        romeo.send(&said).await;
        let message = juliet.next_named("message").await;
        heard.push(canonical(&message));
        juliet.send(&MESSAGE.replace("{to}", ROMEO)).await;
        heard.push(canonical(&romeo.next_named("message").await));
        juliet
            .send("<presence xmlns='jabber:client'><status/></presence>")
            .await;
        heard.push(canonical(&juliet.next_named("presence").await));
        let missing =
            "<iq xmlns='jabber:client' type='get' id='i1'><q xmlns='urn:example:q'/></iq>";
        romeo.send(missing).await;
        heard.push(canonical(&romeo.answer("i1").await));
        romeo.ack(2).await; // the message, the answer
        juliet.ack(2).await; // the message, the presence
        heard.push(romeo.ask_h().await.to_string());
        heard.push(juliet.ask_h().await.to_string());
        romeo.close().await;
        juliet.close().await;
        heard
    }

    /// O10
    #[tokio::test]
    async fn o10_the_same_chat_goes_over_xmpp_and_over_json() {
        let server = server(&[]).await;
        let plain = chat(&server, "xmpp", "xmpp").await;
        assert_eq!(plain.len(), 8);
        for (ours, theirs) in [(JSON, JSON), (JSON, "xmpp"), ("xmpp", JSON)] {
            assert_eq!(chat(&server, ours, theirs).await, plain, "{ours}, {theirs}");
        }
    }

    #[tokio::test]
    async fn the_example_converses_as_its_comment_says() {
        let state = tempfile::tempdir().expect("a directory");
        let server = serve(state.path()).await.expect("a server");
        let address = server.config().listen.plain.expect("a port");
        let talk = converse(address, &server.demo()[0]).await;
        talk.expect("a talk");
    }

    /// O10
    #[tokio::test]
    async fn o10_what_is_no_json_is_not_well_formed() {
        let server = server(&[]).await;
        for frame in ["<presence/>", "{", "[]", "{}", r#"{"name":"a b"}"#, ""] {
            let mut client = Client::on(socket(&server, JSON, Some(IN_JSON)).await).await;
            client.ws.frame(kit::ws::TEXT, frame).await;
            client.refused(&["not-well-formed"]).await;
        }
    }

    fn a_name() -> impl Strategy<Value = String> {
        "[a-zA-Zä_][a-zA-Z0-9ä_.-]{0,6}"
    }

    fn a_namespace() -> impl Strategy<Value = String> {
        prop::sample::select(vec!["", "jabber:client", "urn:example:a", "urn:b\"'&<>"])
            .prop_map(str::to_owned)
    }

    fn a_text() -> impl Strategy<Value = String> {
        "[ -~\t\n\rä\u{85}\u{2028}\u{1f339}]{0,12}"
    }

    fn a_head() -> impl Strategy<Value = Element> {
        let attributes = prop::collection::btree_map((a_namespace(), a_name()), a_text(), 0..4);
        let head = (a_name(), a_namespace(), attributes, any::<bool>());
        head.prop_map(|(name, namespace, attributes, has_language)| {
            let mut element = Element::new(name, namespace);
            for ((namespace, name), value) in attributes {
                match namespace.as_str() {
                    "" => element.set_attr(name, value),
                    namespace => element.push_attr_in(name, namespace, value),
                }
            }
            if has_language {
                element.set_attr("xml:lang", "en");
            }
            element
        })
    }

    fn an_element() -> impl Strategy<Value = Element> {
        a_head().prop_recursive(5, 24, 4, |inner| {
            let child = prop_oneof![inner.prop_map(Ok), a_text().prop_map(Err)];
            let children = prop::collection::vec(child, 0..4);
            (a_head(), children).prop_map(|(mut element, nodes)| {
                for node in nodes {
                    match node {
                        Ok(child) => element.push(child),
                        Err(text) => element.push_text(&text),
                    }
                }
                element
            })
        })
    }

    proptest! {
        /// O10
        #[test]
        fn o10_any_element_comes_back_from_json_as_it_was(element in an_element()) {
            let json = to_json(&element.to_string()).unwrap();
            let back = Element::parse(&to_xml(&json).unwrap()).unwrap();
            prop_assert_eq!(canonical(&back), canonical(&element));
            prop_assert_eq!(to_json(&back.to_string()).unwrap(), json);
        }

        #[test]
        fn any_json_is_refused_or_one_element_or_refused_as_xml(
            name in ".{0,4}", key in ".{0,8}", text in ".{0,8}", other in ".{0,20}"
        ) {
            let _ = to_xml(&other);
            let json = serde_json::json!({
                "name": name, "xmlns": text, "attrs": {key: text}, "children": [text, {"name": name}],
            });
            // Nothing that is written closes more than was opened.
            if let Ok(xml) = to_xml(&json.to_string())
                && let Ok(element) = Element::parse(&xml)
            {
                prop_assert_eq!(element.name(), &*name);
                prop_assert_eq!(element.children().count(), 1);
            }
        }
    }
}

mod dropping {
    use super::*;

    /// Juliet says these numbers to Romeo; all of it is with the server when this returns.
    async fn says(juliet: &mut Client, numbers: std::ops::RangeInclusive<u32>) {
        for number in numbers {
            juliet.chat(ROMEO, &number.to_string()).await;
        }
        juliet.hears_nothing().await;
    }

    async fn bodies(romeo: &mut Client, count: usize) -> Vec<String> {
        let mut bodies = Vec::new();
        while bodies.len() < count {
            bodies.push(body(&romeo.next_named("message").await));
        }
        bodies
    }

    fn raw(client: &Client) -> Vec<String> {
        let heard = client.ws.heard.iter();
        let messages = heard.filter(|frame| frame.starts_with("<message"));
        messages.cloned().collect()
    }

    /// O10: `h` agrees after a resumption, and what is sent once more is what was sent.
    #[tokio::test]
    async fn o10_what_is_dropped_is_in_no_count_and_a_resend_is_the_same_byte_for_byte() {
        let server = server(&[]).await;
        let mut romeo = bound(&server, EVERY_THIRD, "romeo", "orchard").await;
        let mut juliet = Client::login(&server, "juliet").await;
        let previd = romeo.enable_resumable().await;
        says(&mut juliet, 1..=6).await;
        assert_eq!(bodies(&mut romeo, 4).await, ["1", "2", "4", "5"]);
        let sent = raw(&romeo);
        assert!(sent[3].starts_with("<message n='5'"), "{sent:?}");
        romeo.ack(1).await;
        romeo.ask_h().await;
        drop(romeo);
        server.hibernating(1).await;
        says(&mut juliet, 7..=10).await;
        // It has handled 1 and 2, and has lost 4 and 5.
        let (mut romeo, resumed) = resume(&server, EVERY_THIRD, &previd, 2).await;
        assert!(resumed.is("resumed", SM), "{resumed}");
        assert_eq!(h(&resumed), 0);
        assert_eq!(bodies(&mut romeo, 5).await, ["4", "5", "7", "8", "10"]);
        assert_eq!(raw(&romeo)[..2], sent[2..]);
        says(&mut juliet, 11..=12).await;
        assert_eq!(bodies(&mut romeo, 1).await, ["11"]);
        // A second time, and with nothing missing but the last two.
        let sent = raw(&romeo);
        drop(romeo);
        server.hibernating(1).await;
        let (mut romeo, resumed) = resume(&server, EVERY_THIRD, &previd, 6).await;
        assert!(resumed.is("resumed", SM), "{resumed}");
        assert_eq!(bodies(&mut romeo, 2).await, ["10", "11"]);
        assert_eq!(raw(&romeo), sent[4..]);
        romeo.ack(8).await;
        romeo.sync().await; // the answer to its ping is the ninth
        romeo.ack(9).await;
        assert_eq!(romeo.ask_h().await, 1);
        romeo.ack(10).await;
        romeo.refused(&["undefined-condition"]).await; // there is no tenth
    }

    /// O10: nor without stream management, and nobody else gets it.
    #[tokio::test]
    async fn o10_a_message_that_is_dropped_is_nobodys() {
        let server = server(&[]).await;
        let mut romeo = bound(&server, EVERY_THIRD, "romeo", "orchard").await;
        let mut juliet = Client::login(&server, "juliet").await;
        says(&mut juliet, 1..=3).await;
        assert_eq!(bodies(&mut romeo, 2).await, ["1", "2"]);
        romeo.hears_nothing().await;
        romeo.close().await;
        let mut romeo = Client::available_as(&server, "romeo", "orchard").await;
        romeo.hears_nothing().await;
    }

    /// O10: what is no stanza may be dropped as well.
    #[tokio::test]
    async fn o10_a_request_that_is_dropped_is_not_heard() {
        let server = server(&["sm.ack_request_frequency=1"]).await;
        let mut romeo = bound(&server, TIMID, "romeo", "orchard").await;
        let mut juliet = Client::login(&server, "juliet").await;
        romeo.enable_resumable().await;
        says(&mut juliet, 1..=2).await;
        assert_eq!(bodies(&mut romeo, 2).await, ["1", "2"]);
        romeo.hears_nothing().await;
        romeo.ack(3).await;
        romeo.hears_nothing().await;
    }

    /// O10: a frame that is dropped has not come.
    #[tokio::test]
    async fn o10_a_stanza_of_the_client_that_is_dropped_is_not_handled() {
        let server = server(&[]).await;
        let mut romeo = bound(&server, EVERY_THIRD, "romeo", "orchard").await;
        let mut juliet = Client::login_as(&server, "juliet", "balcony").await;
        romeo.enable("").await;
        romeo.chat(JULIET, "whisper").await;
        romeo.chat(JULIET, "aloud").await;
        assert_eq!(romeo.ask_h().await, 1);
        assert_eq!(juliet.bodies().await, ["aloud"]);
    }

    #[tokio::test]
    async fn frames_that_are_dropped_have_their_price() {
        let options = [
            "limits.user_stanzas_per_second=5",
            "limits.user_stanzas_burst=5",
        ];
        let server = server(&options).await;
        let mut romeo = bound(&server, EVERY_THIRD, "romeo", "orchard").await;
        let start = std::time::Instant::now();
        for _ in 0..12 {
            romeo.send("whisper").await;
        }
        romeo.sync().await;
        assert!(start.elapsed().as_millis() > 900, "{:?}", start.elapsed());
    }
}

mod resuming {
    use super::*;

    /// O10
    #[tokio::test]
    async fn o10_another_subprotocol_never_resumes_and_the_stream_notices_nothing() {
        let server = server(&[]).await;
        for (mine, others) in [
            (EVERY_THIRD, ["xmpp", JSON]),
            (JSON, ["xmpp", EVERY_THIRD]),
            ("xmpp", [JSON, EVERY_THIRD]),
        ] {
            let mut romeo = bound(&server, mine, "romeo", "orchard").await;
            let previd = romeo.enable_resumable().await;
            for other in others {
                let (_, answer) = resume(&server, other, &previd, 0).await;
                assert!(item_not_found(&answer), "{mine} by {other}: {answer}");
                romeo.hears_nothing().await;
            }
            let handled = romeo.ask_h().await;
            drop(romeo);
            server.hibernating(1).await;
            for other in others {
                let (mut client, answer) = resume(&server, other, &previd, 0).await;
                assert!(item_not_found(&answer), "{mine} by {other}: {answer}");
                client.bind(None).await;
                client.close().await;
            }
            // Those were the answers to its pings.
            let (romeo, answer) = resume(&server, mine, &previd, 2).await;
            assert!(answer.is("resumed", SM), "{mine}: {answer}");
            assert_eq!(h(&answer), handled);
            romeo.close().await;
        }
    }

    /// O10: what a transcoder has made does not outlive the process; what it was made of does.
    #[tokio::test]
    async fn o10_after_a_restart_nothing_is_resumed_and_nothing_is_lost() {
        for durability in ["restart", "always"] {
            let option = format!("sm.durability=\"{durability}\"");
            let first = server(&[&option]).await;
            let mut romeo = bound(&first, EVERY_THIRD, "romeo", "orchard").await;
            let mut juliet = Client::login(&first, "juliet").await;
            let previd = romeo.enable_resumable().await;
            for text in ["one", "two", "three", "four"] {
                juliet.chat(ROMEO, text).await;
            }
            juliet.hears_nothing().await;
            for text in ["one", "two", "four"] {
                assert_eq!(body(&romeo.next_named("message").await), text);
            }
            romeo.ack(1).await;
            romeo.ask_h().await;
            drop((romeo, juliet));
            first.hibernating(1).await;
            let TestServer { server, state } = first;
            server.stop().await.stored.expect("a store");
            drop(server);
            let second = TestServer::at(state, &[&option]).await;
            let (mut romeo, answer) = resume(&second, "xmpp", &previd, 2).await;
            assert!(item_not_found(&answer), "{durability}: {answer}");
            second.sessions(0).await;
            romeo.bind(Some("orchard")).await;
            let presence = format!("<presence xmlns='{CLIENT}'/>");
            romeo.become_available(&presence).await;
            let stored = romeo.stored(2).await;
            assert_eq!(kit::bodies(&stored), ["two", "four"], "{durability}");
        }
    }
}

mod failing {
    use super::*;

    /// O10
    #[tokio::test]
    async fn o10_a_panic_harms_one_session_and_loses_no_message() {
        let server = server(&[]).await;
        let mut romeo = bound(&server, TIMID, "romeo", "orchard").await;
        let mut tybalt = bound(&server, TIMID, "tybalt", "street").await;
        let mut juliet = Client::login(&server, "juliet").await;
        romeo.enable_resumable().await;
        juliet.chat(ROMEO, "lightning").await;
        assert_eq!(body(&romeo.next_named("message").await), "lightning");
        romeo.ack(1).await;
        romeo.ask_h().await;
        juliet.chat(ROMEO, "thunder").await;
        juliet.chat(ROMEO, "rain").await;
        romeo.refused(&["internal-server-error"]).await;
        tybalt.hears_nothing().await;
        server.sessions(2).await; // it is over, and not to be resumed
        let mut romeo = Client::available_as(&server, "romeo", "orchard").await;
        let stored = romeo.stored(2).await;
        assert_eq!(kit::bodies(&stored), ["thunder", "rain"]);
        romeo.close().await;
        let mut tybalt = tybalt;
        tybalt.send("boo!").await;
        tybalt.refused(&["internal-server-error"]).await;
        server.sessions(1).await;
    }

    /// O10: without stream management, too.
    #[tokio::test]
    async fn o10_what_cannot_be_said_ends_the_stream_and_is_kept() {
        let server = server(&[]).await;
        let mut romeo = bound(&server, TIMID, "romeo", "orchard").await;
        let mut juliet = Client::login(&server, "juliet").await;
        juliet.chat(ROMEO, "a rose").await;
        juliet.chat(ROMEO, "by any other name").await;
        romeo.refused(&["internal-server-error"]).await;
        server.sessions(1).await;
        let mut romeo = Client::available_as(&server, "romeo", "orchard").await;
        let stored = romeo.stored(2).await;
        assert_eq!(kit::bodies(&stored), ["a rose", "by any other name"]);
    }

    /// O10
    #[tokio::test]
    async fn o10_a_frame_that_cannot_be_read_ends_the_session_alone() {
        let server = server(&[]).await;
        let mut romeo = bound(&server, EVERY_THIRD, "romeo", "orchard").await;
        romeo.enable_resumable().await;
        romeo.send("garbage").await;
        romeo.refused(&["not-well-formed"]).await;
        server.sessions(0).await;
    }

    /// O10: the limit holds for what came and for what it became.
    #[tokio::test]
    async fn o10_a_frame_may_be_no_longer_than_others_before_and_after() {
        let server = server(&[]).await;
        let long = "whisper".repeat(200_000);
        for frame in ["vast", &long] {
            let mut romeo = bound(&server, EVERY_THIRD, "romeo", "orchard").await;
            romeo.send(frame).await;
            romeo.refused(&["policy-violation"]).await;
            server.sessions(0).await;
        }
    }
}

mod handshake {
    use super::*;

    /// E2
    #[tokio::test]
    async fn e2_the_first_of_an_offer_that_is_spoken_is_chosen() {
        let server = server(&[]).await;
        for (offered, chosen) in [
            ("v1.foo, xmpp", "xmpp"),
            ("xmpp, xmpp-json", "xmpp"),
            ("xmpp-json, xmpp", "xmpp-json"),
            ("v1.foo,timid,xmpp-json", "timid"),
        ] {
            let (response, _) = offer(offered).send(&server).await;
            assert_eq!(response.status, 101, "{offered}");
            let name = response.header("sec-websocket-protocol");
            assert_eq!(name.as_deref(), Some(chosen), "{offered}");
        }
        for offered in ["v1.foo", "XMPP-JSON", "xmpp-json2, json", ""] {
            assert_eq!(offer(offered).status(&server).await, 400, "{offered}");
        }
        let none = Handshake::new().without("Sec-WebSocket-Protocol");
        assert_eq!(none.status(&server).await, 400);
    }

    /// E2
    #[tokio::test]
    async fn e2_without_a_transcoder_xmpp_alone_is_spoken() {
        let server = TestServer::start().await;
        assert_eq!(offer("xmpp-json").status(&server).await, 400);
        let (response, _) = offer("xmpp-json, xmpp").send(&server).await;
        let name = response.header("sec-websocket-protocol");
        assert_eq!(name.as_deref(), Some("xmpp"));
    }
}
