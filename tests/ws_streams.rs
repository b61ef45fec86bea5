//! Framed streams (RFC 7395 §3), over a socket.

mod kit;

use kit::ws::{CLOSE, code_bytes};
use kit::xmpp::{CLOSE_STREAM, OPEN, parse, plain_auth};
use kit::{BIND, CLIENT, Client, ETHERX, FRAMING, Got, PASSWORD, SASL, TestServer, Ws};
use stanzad::xml::Element;

/// What a stranger hears who sends this as the first message: texts, and the Close code.
async fn first(server: &TestServer, text: &str) -> (Vec<Element>, Option<u16>) {
    let mut ws = Ws::connect(server).await;
    ws.text(text).await;
    let (texts, code) = ws.read_to_end().await;
    (texts.iter().map(|text| parse(text)).collect(), code)
}

fn is_error(element: &Element, condition: &str) -> bool {
    element.is("error", ETHERX) && kit::xmpp::stream_condition(element) == condition
}

/// RFC 7395 §3.5: an error in place of `<open/>` has an `<open/>` of our own before it.
#[track_caller]
fn opened_and_refused(heard: &(Vec<Element>, Option<u16>), condition: &str) {
    let (elements, code) = heard;
    let [open, error, close] = elements.as_slice() else {
        panic!("{}", kit::xmpp::show(elements));
    };
    assert!(open.is("open", FRAMING), "{open}");
    assert!(is_error(error, condition), "{error}");
    assert!(close.is("close", FRAMING), "{close}");
    assert!(code.is_some());
}

fn message_to(to: &str) -> String {
    format!("<message xmlns='{CLIENT}' to='{to}' type='chat'><body>never</body></message>")
}

mod opening {
    use super::*;

    /// W-42
    #[tokio::test]
    async fn the_answer_is_a_whole_open_with_from_version_language_and_a_fresh_id() {
        let server = TestServer::start().await;
        let mut ids = std::collections::HashSet::new();
        for _ in 0..20 {
            let mut ws = Ws::connect(&server).await;
            ws.text(OPEN).await;
            let Got::Text(text) = ws.recv().await else {
                panic!("no <open/>")
            };
            assert!(text.starts_with("<open "), "{text}"); // as Strophe looks for it
            let open = parse(&text);
            assert!(open.is("open", FRAMING), "{open}");
            assert_eq!(open.attr("from"), Some("example.org"));
            assert_eq!(open.attr("version"), Some("1.0"));
            assert!(open.attr("xml:lang").is_some(), "{open}");
            let id = open.attr("id").expect("an id").to_owned();
            assert!(id.len() >= 22, "128 bits do not fit into {id}");
            assert!(ids.insert(id), "an id came twice");
        }
    }

    /// W-40
    #[tokio::test]
    async fn a_stanza_before_the_open_is_refused_and_not_processed() {
        let server = TestServer::start().await;
        let mut juliet = Client::available_as(&server, "juliet", "balcony").await;
        let heard = first(&server, &message_to(&juliet.jid)).await;
        opened_and_refused(&heard, "not-authorized");
        juliet.hears_nothing().await;
    }

    /// W-41
    #[tokio::test]
    async fn the_head_of_a_raw_tcp_stream_opens_nothing() {
        let server = TestServer::start().await;
        let head = format!(
            "<stream:stream to='example.org' version='1.0' xmlns='{CLIENT}' xmlns:stream='{ETHERX}'>"
        );
        opened_and_refused(&first(&server, &head).await, "not-well-formed");
        let whole = head.replace('>', "/>");
        let (heard, _) = first(&server, &whole).await;
        assert_eq!(heard.len(), 3);
        assert!(heard[1].is("error", ETHERX), "{}", heard[1]);
    }

    /// W-43
    #[tokio::test]
    async fn a_higher_version_is_answered_by_ours_and_none_is_left_without_an_answer() {
        let server = TestServer::start().await;
        for version in ["version='2.0'", "version='1.1'", "version='1.0'"] {
            let mut ws = Ws::connect(&server).await;
            ws.text(&OPEN.replace("version='1.0'", version)).await;
            let Got::Text(open) = ws.recv().await else {
                panic!("no <open/>")
            };
            assert_eq!(parse(&open).attr("version"), Some("1.0"));
            assert!(matches!(ws.recv().await, Got::Text(t) if t.contains("features")));
        }
        for version in ["", "version=''", "version='0.9'", "version='one'"] {
            let heard = first(&server, &OPEN.replace("version='1.0'", version)).await;
            opened_and_refused(&heard, "unsupported-version");
        }
    }

    /// W-44
    #[tokio::test]
    async fn f11_an_unknown_host_is_told_in_an_open_stream_message_by_message() {
        let server = TestServer::start().await;
        for to in [
            "example.net",
            "sub.example.org",
            "romeo@example.org",
            "@",
            "",
        ] {
            let text = OPEN.replace("to='example.org'", &format!("to='{to}'"));
            opened_and_refused(&first(&server, &text).await, "host-unknown");
        }
    }

    /// W-44, X-62: domains compare after case mapping.
    #[tokio::test]
    async fn the_host_is_known_in_any_case() {
        let server = TestServer::start().await;
        let mut ws = Ws::connect(&server).await;
        ws.text(&OPEN.replace("example.org", "EXAMPLE.Org")).await;
        let Got::Text(open) = ws.recv().await else {
            panic!("no <open/>")
        };
        assert_eq!(parse(&open).attr("from"), Some("example.org"));
    }

    /// W-45
    #[tokio::test]
    async fn without_a_host_the_default_one_answers() {
        let server = TestServer::start().await;
        let mut ws = Ws::connect(&server).await;
        ws.text(&OPEN.replace("to='example.org'", "")).await;
        let Got::Text(open) = ws.recv().await else {
            panic!("no <open/>")
        };
        assert_eq!(parse(&open).attr("from"), Some("example.org"));
        assert!(matches!(ws.recv().await, Got::Text(t) if t.contains("features")));
    }

    /// W-46
    #[tokio::test]
    async fn an_open_in_no_or_another_namespace_opens_nothing() {
        let server = TestServer::start().await;
        for namespace in ["", CLIENT, ETHERX, "urn:ietf:params:xml:ns:xmpp-framing2"] {
            let heard = first(&server, &OPEN.replace(FRAMING, namespace)).await;
            opened_and_refused(&heard, "invalid-namespace");
        }
        let bare = "<open to='example.org' version='1.0'/>";
        opened_and_refused(&first(&server, bare).await, "invalid-namespace");
    }

    /// W-47
    #[tokio::test]
    async fn a_second_open_before_authentication_does_not_leave_the_connection_half_dead() {
        let server = TestServer::start().await;
        let mut client = Client::open(&server).await;
        client.send(OPEN).await;
        client.refused(&["unsupported-stanza-type"]).await;
    }

    /// W-48
    #[tokio::test]
    async fn the_open_after_success_gives_a_new_id_and_features_with_bind_and_no_sasl() {
        let server = TestServer::start().await;
        let mut client = Client::open(&server).await;
        let before = client.stream_id.clone();
        assert!(client.features.child("mechanisms", SASL).is_some());
        assert!(client.features.child("bind", BIND).is_none());
        client.plain("romeo").await;
        assert_ne!(client.stream_id, before);
        assert!(client.features.child("mechanisms", SASL).is_none());
        assert!(client.features.child("bind", BIND).is_some());
    }

    /// W-49
    #[tokio::test]
    async fn between_success_and_the_new_open_no_stanza_is_processed() {
        let server = TestServer::start().await;
        let mut juliet = Client::available_as(&server, "juliet", "balcony").await;
        let mut romeo = Client::open(&server).await;
        romeo.send(&plain_auth("romeo", PASSWORD)).await;
        assert!(romeo.read().await.is("success", SASL));
        romeo.send(&message_to(&juliet.jid)).await;
        romeo.refused(&["not-authorized"]).await;
        juliet.hears_nothing().await;
    }
}

mod features {
    use super::*;

    /// W-58: the kit reads every message as a document of its own, prefixes and all.
    #[tokio::test]
    async fn features_are_a_message_of_their_own_that_declares_its_prefix() {
        let server = TestServer::start().await;
        let mut ws = Ws::connect(&server).await;
        ws.text(OPEN).await;
        ws.recv().await;
        let Got::Text(features) = ws.recv().await else {
            panic!("no features")
        };
        assert!(features.starts_with("<stream:features "), "{features}");
        assert!(parse(&features).is("features", ETHERX));
        assert!(features.ends_with("</stream:features>"), "{features}");
    }

    /// W-59
    #[tokio::test]
    async fn starttls_is_never_offered() {
        let server = TestServer::start().await;
        let client = Client::open(&server).await;
        let offers = |c: &Client| c.features.children().any(|f| f.name() == "starttls");
        assert!(!offers(&client));
        let client = Client::authenticated(&server, "romeo").await;
        assert!(!offers(&client));
    }

    /// W-60
    #[tokio::test]
    async fn starttls_is_refused() {
        let server = TestServer::start().await;
        let starttls = "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>";
        let mut client = Client::open(&server).await;
        client.send(starttls).await;
        client
            .refused(&["unsupported-stanza-type", "not-authorized"])
            .await;
        let mut bound = Client::login(&server, "romeo").await;
        bound.send(starttls).await;
        bound.refused(&["unsupported-stanza-type"]).await;
    }
}

mod framing {
    use super::*;

    /// Sends this as a bound Romeo: it is refused, and Juliet hears nothing.
    async fn refused(server: &TestServer, texts: &[&str], conditions: &[&str]) {
        let mut juliet = Client::available_as(server, "juliet", "balcony").await;
        let mut romeo = Client::login(server, "romeo").await;
        for text in texts {
            romeo.send(text).await;
        }
        romeo.refused(conditions).await;
        juliet.hears_nothing().await;
    }

    /// W-50
    #[tokio::test]
    async fn two_elements_in_one_message_are_refused_and_neither_is_processed() {
        let server = TestServer::start().await;
        let two = message_to("juliet@example.org").repeat(2);
        refused(&server, &[&two], &["not-well-formed"]).await;
        let spaced = two.replace("><message", "> \n <message");
        assert_ne!(spaced, two);
        refused(&server, &[&spaced], &["not-well-formed"]).await;
    }

    /// W-51
    #[tokio::test]
    async fn an_element_over_two_messages_or_a_start_tag_alone_is_refused_at_once() {
        let server = TestServer::start().await;
        let whole = message_to("juliet@example.org");
        for cut in ["<body>", "never", "</body>"] {
            let at = whole.find(cut).expect("the cut") + cut.len();
            let (head, tail) = whole.split_at(at);
            refused(&server, &[head, tail], &["not-well-formed"]).await;
            refused(&server, &[head], &["not-well-formed"]).await;
        }
    }

    /// W-52, W-57
    #[tokio::test]
    async fn white_space_or_a_byte_order_mark_before_the_element_is_refused() {
        let server = TestServer::start().await;
        let whole = message_to("juliet@example.org");
        for before in [" ", "\n", "\t", "\u{feff}"] {
            let text = format!("{before}{whole}");
            refused(&server, &[&text], &["not-well-formed"]).await;
            let heard = first(&server, &format!("{before}{OPEN}")).await;
            opened_and_refused(&heard, "not-well-formed");
        }
    }

    /// W-53, W-56
    #[tokio::test]
    async fn a_message_of_white_space_or_nothing_is_ignored() {
        let server = TestServer::start().await;
        let mut ws = Ws::connect(&server).await;
        for nothing in ["", " ", "\n", "\r\n\t "] {
            ws.text(nothing).await;
        }
        ws.text(OPEN).await;
        assert!(matches!(ws.recv().await, Got::Text(open) if open.starts_with("<open ")));
        let mut romeo = Client::login(&server, "romeo").await;
        romeo.send(" ").await;
        romeo.send("").await;
        romeo.hears_nothing().await;
    }

    /// W-54
    #[tokio::test]
    async fn white_space_after_the_element_is_harmless() {
        let server = TestServer::start().await;
        let mut ws = Ws::connect(&server).await;
        ws.text(&format!("{OPEN}\r\n \t")).await;
        assert!(matches!(ws.recv().await, Got::Text(open) if open.starts_with("<open ")));
        let mut romeo = Client::available_as(&server, "romeo", "orchard").await;
        romeo
            .send(&format!("{}\n", message_to("romeo@example.org/orchard")))
            .await;
        assert_eq!(romeo.bodies().await, ["never"]);
    }

    /// W-55
    #[tokio::test]
    async fn a_declaration_before_an_open_or_a_stanza_is_tolerated() {
        let server = TestServer::start().await;
        let mut ws = Ws::connect(&server).await;
        ws.text(&format!("<?xml version='1.0' encoding='utf-8'?>{OPEN}"))
            .await;
        assert!(matches!(ws.recv().await, Got::Text(open) if open.starts_with("<open ")));
        let mut romeo = Client::available_as(&server, "romeo", "orchard").await;
        let stanza = message_to("romeo@example.org/orchard");
        romeo
            .send(&format!("<?xml version=\"1.0\"?>{stanza}"))
            .await;
        assert_eq!(romeo.bodies().await, ["never"]);
    }

    /// W-69
    #[tokio::test]
    async fn a_stanza_in_no_namespace_is_refused_with_invalid_namespace() {
        let server = TestServer::start().await;
        let text = message_to("juliet@example.org").replace("xmlns='jabber:client' ", "");
        refused(&server, &[&text], &["invalid-namespace"]).await;
        let explicit = message_to("juliet@example.org").replace(CLIENT, "");
        refused(&server, &[&explicit], &["invalid-namespace"]).await;
    }

    /// W-70
    #[tokio::test]
    async fn f7_a_stanza_between_servers_is_refused() {
        let server = TestServer::start().await;
        let text = message_to("juliet@example.org").replace(CLIENT, "jabber:server");
        refused(&server, &[&text], &["invalid-namespace"]).await;
    }

    /// W-71
    #[tokio::test]
    async fn an_unknown_element_at_the_top_is_refused_with_unsupported_stanza_type() {
        let server = TestServer::start().await;
        for text in [
            "<pubsub xmlns='jabber:client'/>",
            "<thing xmlns='urn:example:thing'/>",
            "<features xmlns='http://etherx.jabber.org/streams'/>",
        ] {
            refused(&server, &[text], &["unsupported-stanza-type"]).await;
        }
    }
}

mod closing {
    use super::*;

    /// W-61
    #[tokio::test]
    async fn a_close_is_answered_by_a_close_and_then_the_websocket_is_closed_with_1000() {
        let server = TestServer::start().await;
        let mut stranger = Client::open(&server).await;
        let mut bound = Client::login(&server, "romeo").await;
        for client in [&mut stranger, &mut bound] {
            client.send(CLOSE_STREAM).await;
            let texts = client.ws.ends_with(1000).await;
            // Strophe knows a close by these bytes.
            assert_eq!(
                texts,
                [r#"<close xmlns="urn:ietf:params:xml:ns:xmpp-framing" />"#]
            );
        }
    }

    /// W-62, W-63, W-64
    #[tokio::test]
    async fn a_lost_link_without_stream_management_sends_unavailable_at_once() {
        let server = TestServer::start().await;
        let mut juliet = Client::available_as(&server, "juliet", "balcony").await;
        let ends: [&str; 3] = ["a Close frame", "a cut connection", "a half-closed one"];
        for how in ends {
            let mut romeo = Client::login_as(&server, "romeo", "orchard").await;
            let directed = format!("<presence xmlns='{CLIENT}' to='{}'/>", juliet.jid);
            romeo.send(&directed).await;
            assert_eq!(juliet.next().await.attr("from"), Some(&*romeo.jid));
            let jid = romeo.jid.clone();
            let kept = match how {
                "a Close frame" => {
                    romeo.ws.frame(CLOSE, code_bytes(1000)).await;
                    Some(romeo)
                }
                "a half-closed one" => {
                    romeo.ws.half_close().await;
                    Some(romeo)
                }
                _ => {
                    drop(romeo);
                    None
                }
            };
            let gone = juliet.next().await;
            assert_eq!(gone.attr("type"), Some("unavailable"), "{how}");
            assert_eq!(gone.attr("from"), Some(&*jid), "{how}");
            drop(kept);
        }
        juliet.hears_nothing().await; // once each
    }

    /// W-65
    #[tokio::test]
    async fn a_stanza_after_the_close_is_not_processed() {
        let server = TestServer::start().await;
        let mut juliet = Client::available_as(&server, "juliet", "balcony").await;
        let mut romeo = Client::login(&server, "romeo").await;
        let mut both = kit::ws::frame(kit::ws::TEXT, CLOSE_STREAM.as_bytes());
        both.extend(kit::ws::frame(
            kit::ws::TEXT,
            message_to(&juliet.jid).as_bytes(),
        ));
        romeo.ws.raw(both).await;
        romeo.ws.ends_with(1000).await;
        juliet.hears_nothing().await;
    }

    /// W-67: the kit's `refused` demands this order of every refusal in the suite.
    #[tokio::test]
    async fn a_stream_error_is_followed_by_close_and_then_the_close_frame() {
        let server = TestServer::start().await;
        let mut romeo = Client::login(&server, "romeo").await;
        romeo.send("<not-well-formed").await;
        let error = romeo.refused(&["not-well-formed"]).await;
        assert!(error.children().count() >= 1);
    }

    /// W-68
    #[tokio::test]
    async fn a_close_of_the_client_that_redirects_is_a_plain_close_and_is_not_echoed() {
        let server = TestServer::start().await;
        let mut romeo = Client::login(&server, "romeo").await;
        romeo
            .send(&format!(
                "<close xmlns='{FRAMING}' see-other-uri='wss://evil.example/ws'/>"
            ))
            .await;
        let texts = romeo.ws.ends_with(1000).await;
        assert_eq!(texts.len(), 1);
        assert!(!texts[0].contains("evil"), "{texts:?}");
    }

    /// X-66
    #[tokio::test]
    async fn what_only_servers_say_ends_only_the_stream_of_the_client_that_says_it() {
        let server = TestServer::start().await;
        let mut juliet = Client::available_as(&server, "juliet", "balcony").await;
        for text in [
            "<stream:error xmlns:stream='http://etherx.jabber.org/streams'><conflict \
             xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>",
            "<stream:features xmlns:stream='http://etherx.jabber.org/streams'/>",
            "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>",
            "<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>",
            "<challenge xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>",
            "<enabled xmlns='urn:xmpp:sm:3' id='x' resume='true'/>",
            "<resumed xmlns='urn:xmpp:sm:3' previd='x' h='0'/>",
        ] {
            for bound in [false, true] {
                let mut client = match bound {
                    true => Client::login(&server, "romeo").await,
                    false => Client::open(&server).await,
                };
                client.send(text).await;
                let (texts, code) = client.ws.read_to_end().await;
                assert!(code.is_some(), "{text}: {texts:?}");
                assert!(
                    texts.last().is_some_and(|t| t.starts_with("<close ")),
                    "{text}: {texts:?}"
                );
            }
        }
        juliet.hears_nothing().await;
    }
}

mod output {
    use super::*;

    /// W-99: the kit's `Ws::recv` checks each frame; here is one of each kind that there is.
    #[tokio::test]
    async fn every_frame_of_the_server_is_one_whole_element_unmasked_text_in_utf8() {
        let server = TestServer::with(&["sm.ack_request_frequency=1"]).await;
        let mut romeo = Client::available_as(&server, "romeo", "orchard").await;
        romeo.enable_resumable().await;
        let jid = romeo.jid.clone();
        let text = "&lt;\u{1f339}&gt; ".repeat(8000); // a length of 64 bits
        romeo.chat(&jid, &text).await;
        romeo.chat(&jid, &"x".repeat(200)).await; // one of 16
        romeo.chat("nobody@example.org", "an error").await;
        romeo
            .iq(
                "get",
                "example.org",
                "<query xmlns='http://jabber.org/protocol/disco#info'/>",
            )
            .await;
        let asked = romeo.next_where(|e| e.name() == "r").await;
        assert_eq!(asked.namespace(), "urn:xmpp:sm:3");
        let error = romeo.next_where(|e| e.attr("type") == Some("error")).await;
        assert_eq!(error.namespace(), CLIENT);
        let bodies = romeo.bodies().await;
        assert_eq!(bodies[0], "<\u{1f339}> ".repeat(8000));
        romeo.ask_h().await;
    }
}

/// L-02, L-03: bounds of a stranger.
mod bounds {
    use super::*;

    /// L-02
    #[tokio::test]
    async fn a_stanza_over_the_limit_is_refused_and_the_limit_is_lower_before_login() {
        let server = TestServer::start().await;
        let long =
            |bytes: usize| message_to("juliet@example.org").replace("never", &"x".repeat(bytes));
        let mut stranger = Client::open(&server).await;
        stranger.send(&long(11_000)).await;
        stranger.refused(&["policy-violation"]).await;
        let mut romeo = Client::available_as(&server, "romeo", "orchard").await;
        romeo.send(&long(300_000)).await;
        romeo.refused(&["policy-violation"]).await;
    }

    /// L-01
    #[tokio::test]
    async fn a_stanza_of_ten_thousand_bytes_is_served() {
        let server = TestServer::start().await;
        let mut romeo = Client::available_as(&server, "romeo", "orchard").await;
        let body = "x".repeat(200_000);
        let jid = romeo.jid.clone();
        romeo.chat(&jid, &body).await;
        assert_eq!(romeo.bodies().await, [body]);
    }

    /// L-03: unopened, opened and half logged-in streams.
    #[tokio::test]
    async fn streams_that_do_not_log_in_are_ended() {
        let server = TestServer::with(&["limits.login_timeout=1s"]).await;
        let mut silent = Ws::connect(&server).await;
        let mut open = Client::open(&server).await;
        let mut unbound = Client::authenticated(&server, "romeo").await;
        let mut bound = Client::login(&server, "juliet").await;
        let (texts, _) = silent.read_to_end().await;
        assert_eq!(texts.len(), 3, "{texts:?}");
        open.refused(&["connection-timeout"]).await;
        unbound.refused(&["connection-timeout"]).await;
        bound.hears_nothing().await;
    }
}
