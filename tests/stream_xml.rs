//! XML as XMPP allows it (RFC 6120 §11), over a socket. The frames are those of `xmpp-testdata`
//! that name the item; what has to come of each stands in its manifest.

mod kit;

use kit::manifest::{Entry, entries};
use kit::{CLIENT, Client, FRAMING, Got, TestServer, Ws, body, corpus};
use stanzad::xml::Element;

/// Plays all frames of an item, before login and after; there have to be so many at least.
async fn plays(item: &str, at_least: usize) {
    let server = TestServer::start().await;
    let mut juliet = Client::available_as(&server, "juliet", "balcony").await;
    let is_of_item = |entry: &Entry| entry.conformance.iter().any(|id| id == item);
    let entries: Vec<_> = entries().into_iter().filter(is_of_item).collect();
    assert!(entries.len() >= at_least, "{} frames", entries.len());
    let mut faults = Vec::new();
    for entry in entries {
        let before = corpus::play_before_auth(server.plain(), &entry).await;
        faults.extend(before.err());
        let bound = corpus::play_bound(server.plain(), &entry, &mut juliet).await;
        faults.extend(bound.err());
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Romeo sends himself a message with this inside; returns what arrives.
async fn round_trip(attributes: &str, inner: &str) -> Element {
    let server = TestServer::start().await;
    let mut romeo = Client::available_as(&server, "romeo", "orchard").await;
    let jid = romeo.jid.clone();
    romeo
        .send(&format!(
            "<message xmlns='{CLIENT}' to='{jid}' id='m1' type='chat' {attributes}>{inner}</message>"
        ))
        .await;
    let mut messages = romeo.messages().await;
    assert_eq!(messages.len(), 1);
    messages.remove(0)
}

mod refused {
    use super::*;

    ///
    #[tokio::test]
    async fn what_is_not_well_formed() {
        plays("X-01", 30).await;
    }

    /// in place of `<open/>`, after an `<open/>` of our own.
    #[tokio::test]
    async fn what_is_not_well_formed_in_place_of_the_open() {
        let server = TestServer::start().await;
        for text in ["<open", "<a></b>", "<open xmlns='x' xmlns='y'/>", "open"] {
            let mut ws = Ws::connect(&server).await;
            ws.text(text).await;
            let Got::Text(open) = ws.next().await else {
                panic!("no <open/> before the error")
            };
            assert!(kit::xmpp::parse(&open).is("open", FRAMING));
            let (texts, code) = ws.read_to_end().await;
            assert!(texts[0].contains("<not-well-formed "), "{texts:?}");
            assert!(texts.len() == 2 && code.is_some(), "{texts:?}");
        }
    }

    ///
    #[tokio::test]
    async fn document_types_of_every_kind() {
        plays("X-02", 7).await;
    }

    /// nothing is fetched, from a port that would notice.
    #[tokio::test]
    async fn external_entities_without_a_look_at_them() {
        plays("X-03", 3).await;
        let server = TestServer::start().await;
        let trap = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        trap.set_nonblocking(true).expect("a socket");
        let port = trap.local_addr().expect("a port").port();
        let mut romeo = Client::login(&server, "romeo").await;
        romeo
            .send(&format!(
                "<!DOCTYPE m [<!ENTITY x SYSTEM 'http://127.0.0.1:{port}/x'>]>\
                 <message xmlns='{CLIENT}'><body>&x;</body></message>"
            ))
            .await;
        romeo.refused(&["restricted-xml"]).await;
        let visited = trap.accept().map_err(|error| error.kind());
        assert_eq!(visited.err(), Some(std::io::ErrorKind::WouldBlock));
    }

    ///
    #[tokio::test]
    async fn processing_instructions() {
        plays("X-04", 3).await;
    }

    ///
    #[tokio::test]
    async fn comments() {
        plays("X-05", 4).await;
    }

    ///
    #[tokio::test]
    async fn prefixes_that_are_not_declared_or_rebound() {
        plays("X-07", 15).await;
    }

    ///
    #[tokio::test]
    async fn the_same_attribute_twice() {
        plays("X-08", 5).await;
    }

    ///
    #[tokio::test]
    async fn references_to_what_is_no_character() {
        plays("X-09", 10).await;
    }

    ///
    #[tokio::test]
    async fn characters_that_xml_does_not_have() {
        plays("X-10", 6).await;
    }

    ///
    #[tokio::test]
    async fn surrogates_by_reference_and_beyond_unicode() {
        plays("X-11", 6).await;
    }

    ///
    #[tokio::test]
    async fn entities_that_xml_does_not_define() {
        plays("X-13", 3).await;
    }

    ///
    #[tokio::test]
    async fn declarations_of_another_encoding_or_two_of_them() {
        plays("X-20", 10).await;
    }

    ///
    #[tokio::test]
    async fn text_instead_of_an_element_or_after_it() {
        plays("X-22", 6).await;
    }
}

mod served {
    use super::*;

    ///
    #[tokio::test]
    async fn cdata_arrives_as_text() {
        plays("X-06", 2).await;
        let message = round_trip("", "<body>a<![CDATA[<b>&amp;]]>c</body>").await;
        assert_eq!(body(&message), "a<b>&amp;c");
    }

    ///
    #[tokio::test]
    async fn entities_and_white_space_in_attributes_survive() {
        plays("X-12", 3).await;
        let value = "&quot;&apos;&lt;&gt;&amp;&#9;&#10;&#13;&#x41;&#66;";
        let message = round_trip("", &format!("<x xmlns='urn:example' a='{value}'/>")).await;
        let child = message.child("x", "urn:example").expect("the child");
        assert_eq!(child.attr("a"), Some("\"'<>&\t\n\rAB"));
    }

    ///
    #[tokio::test]
    async fn all_of_unicode_passes_and_a_carriage_return_stays_one() {
        plays("X-14", 4).await;
        let message = round_trip(
            "",
            "<body>a&#13;b&#xD;&#10;c e\u{301} \u{fb01} \u{10fffd}</body>",
        )
        .await;
        assert_eq!(body(&message), "a\rb\r\nc e\u{301} \u{fb01} \u{10fffd}");
    }

    /// every character of the first planes, in both directions.
    #[tokio::test]
    async fn every_character_that_xml_has_arrives_unchanged() {
        let server = TestServer::with(&["limits.max_stanza_bytes=1MiB"]).await;
        let mut romeo = Client::available_as(&server, "romeo", "orchard").await;
        let jid = romeo.jid.clone();
        let all: Vec<char> = ('\u{a0}'..='\u{3ffff}')
            .filter(|c| !matches!(*c as u32 & 0xffff, 0xfffe | 0xffff))
            .collect();
        for chunk in all.chunks(60_000) {
            let text: String = chunk.iter().collect();
            romeo.chat(&jid, &text).await;
            let [got] = &romeo.bodies().await[..] else {
                panic!("one message")
            };
            assert!(*got == text, "from {:?}", chunk.first());
        }
    }

    ///
    #[tokio::test]
    async fn a_stanza_with_a_prefix_is_not_lost_in_silence() {
        plays("X-15", 1).await;
    }

    ///
    #[tokio::test]
    async fn namespaces_inside_a_payload_keep_their_meaning() {
        plays("X-19", 2).await;
        let inner = "<p:a xmlns:p='urn:p' p:x='1' x='2'><b xmlns=''><p:c/></b>\
            <d xmlns='urn:d'><e xmlns:p='urn:q' p:y='3'/></d></p:a>";
        let message = round_trip("xmlns:q='urn:q' q:z='4'", inner).await;
        let wanted = kit::xmpp::parse(&format!("<m>{inner}</m>"));
        assert_eq!(message.nodes(), wanted.nodes());
        assert_eq!(message.attr_in("z", "urn:q"), Some("4"));
    }

    ///
    #[tokio::test]
    async fn unknown_children_arrive_in_order_with_their_white_space() {
        plays("X-64", 1).await;
        let inner =
            "\n  <b xmlns='urn:b'> x <c/> y </b>text<a xmlns='urn:a'/>\t<b xmlns='urn:b'/> ";
        let message = round_trip("", inner).await;
        let wanted = kit::xmpp::parse(&format!("<m>{inner}</m>"));
        assert_eq!(message.nodes(), wanted.nodes());
    }

    ///
    #[tokio::test]
    async fn the_language_of_stanza_and_children_is_kept() {
        plays("X-59", 1).await;
        let message = round_trip(
            "xml:lang='en'",
            "<body>but soft</body><body xml:lang='cs'>tiše</body>",
        )
        .await;
        assert_eq!(message.attr("xml:lang"), Some("en"));
        let languages: Vec<_> = message.children().map(|c| c.attr("xml:lang")).collect();
        assert_eq!(languages, [None, Some("cs")]);
    }
}

mod large {
    use super::*;

    ///
    #[tokio::test]
    async fn deep_nesting_is_refused_and_no_stack_overflows() {
        plays("X-16", 4).await;
        let server = TestServer::with(&["limits.max_stanza_bytes=1MiB"]).await;
        let mut stranger = Client::open(&server).await;
        stranger.send(&"<a>".repeat(100_000)).await;
        stranger.refused(&["policy-violation"]).await;
        let mut romeo = Client::login(&server, "romeo").await;
        let deep = format!("{}{}", "<a>".repeat(10_000), "</a>".repeat(10_000));
        romeo
            .send(&format!("<message xmlns='{CLIENT}'>{deep}</message>"))
            .await;
        romeo.refused(&["policy-violation"]).await;
    }

    ///
    #[tokio::test]
    async fn huge_names_and_values() {
        plays("X-17", 4).await;
    }

    ///
    #[tokio::test]
    async fn many_attributes_namespaces_and_children() {
        plays("X-18", 6).await;
    }
}
