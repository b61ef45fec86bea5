use proptest::prelude::*;

use super::*;
use crate::xml::{Limits, Scanner};

fn parse(text: &str) -> Result<Body, BodyFault> {
    Body::parse(&mut Scanner::new(body_limits(Limits::default())), text)
}

/// A `<body/>` with rid 1 and `attributes` around `content`.
fn body(attributes: &str, content: &str) -> String {
    format!(
        "<body rid='1' {attributes} xmlns='http://jabber.org/protocol/httpbind'>{content}</body>"
    )
}

#[test]
fn creation_request_is_read_attribute_by_attribute() {
    let text = "<body content='text/xml; charset=utf-8' from='user@example.com' hold='1' \
                rid='1573741820' to='example.com' route='xmpp:example.com:9999' wait='60' \
                ver='1.6' ack='1' newkey='abc' xml:lang='en' xmpp:version='1.0' \
                xmlns='http://jabber.org/protocol/httpbind' xmlns:xmpp='urn:xmpp:xbosh'/>";
    let expected = Body {
        rid: 1_573_741_820,
        to: Some("example.com".into()),
        from: Some("user@example.com".into()),
        lang: Some("en".into()),
        wait: Some(60),
        hold: Some(1),
        ver: Some(Version { major: 1, minor: 6 }),
        content: Some("text/xml; charset=utf-8".into()),
        ack: Some(1),
        newkey: Some("abc".into()),
        version: Some("1.0".into()),
        ..Body::default()
    };
    assert_eq!(parse(text), Ok(expected));
}

/// B-24
#[test]
fn restart_is_known_by_its_namespace_and_not_by_its_prefix() {
    let restart = |attributes: &str| parse(&body(attributes, "")).map(|body| body.restart);
    assert_eq!(
        restart("xmpp:restart='true' xmlns:xmpp='urn:xmpp:xbosh'"),
        Ok(true)
    );
    assert_eq!(restart("x:restart='1' xmlns:x='urn:xmpp:xbosh'"), Ok(true));
    assert_eq!(
        restart("x:restart='false' xmlns:x='urn:xmpp:xbosh'"),
        Ok(false)
    );
    assert_eq!(restart("x:restart='true' xmlns:x='urn:other'"), Ok(false));
    assert_eq!(
        restart("restart='true' xmlns:x='urn:xmpp:xbosh'"),
        Ok(false)
    );
}

#[test]
fn pause_key_and_terminate_are_read() {
    let read = parse(&body(
        "sid='s' pause='60' key='k' type='terminate' condition='bad'",
        "",
    ));
    let expected = Body {
        rid: 1,
        sid: Some("s".into()),
        pause: Some(60),
        key: Some("k".into()),
        terminate: true,
        condition: Some("bad".into()),
        ..Body::default()
    };
    assert_eq!(read, Ok(expected));
}

/// B-33
#[test]
fn payload_keeps_its_order_and_stands_alone() {
    let content = "<a xmlns='jabber:client'>1</a> <p:b xmlns='x'>2</p:b>\n";
    let read = parse(&body("xmlns:p='urn:p'", content)).unwrap();
    assert_eq!(read.payload.len(), 2);
    assert_eq!(read.payload[0], "<a xmlns='jabber:client'>1</a>");
    for document in &read.payload {
        assert!(
            Scanner::new(Limits::default()).scan(document).is_ok(),
            "{document}"
        );
    }
}

/// B-40
#[test]
fn stanzas_left_in_the_namespace_of_the_body_become_jabber_client_with_their_children() {
    let read = parse(&body("", "<message><body>hi</body></message>")).unwrap();
    let mut scanner = Scanner::new(Limits::default());
    let message = scanner.scan(&read.payload[0]).unwrap();
    assert!(message.is("message", "jabber:client"));
    assert!(message.child("body", "jabber:client").is_some());
}

/// B-16
#[test]
fn what_is_not_xml_is_refused_as_bad_request() {
    let open = "<body rid='1' xmlns='http://jabber.org/protocol/httpbind'>";
    for text in ["", " ", "rid=1", open, "<body", "{}", "\0"] {
        let fault = parse(text).unwrap_err();
        assert!(matches!(fault, BodyFault::Xml(_)), "{text:?}: {fault}");
        assert_eq!(fault.condition(), Condition::BadRequest);
    }
}

/// B-17
#[test]
fn element_of_another_name_or_namespace_is_refused() {
    for text in [
        "<body rid='1'/>",
        "<body rid='1' xmlns='jabber:client'/>",
        "<open rid='1' xmlns='http://jabber.org/protocol/httpbind'/>",
    ] {
        assert_eq!(parse(text), Err(BodyFault::NotABody), "{text}");
    }
}

/// B-18
#[test]
fn body_without_a_rid_is_refused() {
    assert_eq!(
        parse("<body xmlns='http://jabber.org/protocol/httpbind'/>"),
        Err(BodyFault::NoRid)
    );
}

/// B-19
#[test]
fn number_that_is_none_is_refused_and_an_enormous_one_is_cut_down() {
    for value in ["", "x", "-1", "+1", "1.5", "1e3", "0x10", "１"] {
        for attribute in ["wait", "hold", "ack", "pause"] {
            let fault = parse(&body(&format!("{attribute}='{value}'"), ""));
            assert_eq!(fault, Err(BodyFault::NotANumber { attribute }), "{value:?}");
        }
    }
    let enormous = "9".repeat(1000);
    let read = parse(&body(&format!("wait='{enormous}' hold='{enormous}'"), "")).unwrap();
    assert_eq!((read.wait, read.hold), (Some(u64::MAX), Some(u64::MAX)));
}

/// B-26, B-27
#[test]
fn attributes_that_mean_nothing_here_do_no_harm() {
    let strange = "route='xmpp:evil.example:22' secure='true' charsets='x' stream='s' foo='bar'";
    assert_eq!(
        parse(&body(strange, "")),
        Ok(Body {
            rid: 1,
            ..Body::default()
        })
    );
}

/// B-34
#[test]
fn document_types_and_entities_are_refused() {
    let bomb = format!("<!DOCTYPE body [<!ENTITY a 'aaaa'>]>{}", body("", "&a;"));
    assert!(matches!(parse(&bomb), Err(BodyFault::Xml(_))));
    assert!(matches!(
        parse(&body("", "<a>&a;</a>")),
        Err(BodyFault::Xml(_))
    ));
}

/// XEP-0124 §6
#[test]
fn text_beside_the_elements_is_refused_and_white_space_is_not() {
    assert_eq!(parse(&body("", "<a/>text")), Err(BodyFault::Text));
    assert_eq!(parse(&body("", "text<a/>")), Err(BodyFault::Text));
    assert_eq!(
        parse(&body("", "<a/><![CDATA[x]]><b/>")),
        Err(BodyFault::Text)
    );
    let spaced = format!("\n {}\n", body("", "\n<a/>\t<b/> "));
    assert_eq!(parse(&spaced).map(|body| body.payload.len()), Ok(2));
}

#[test]
fn xml_declaration_before_the_body_is_allowed() {
    let text = format!(
        "<?xml version='1.0' encoding='UTF-8'?>\n{}",
        body("", "<a/>")
    );
    assert_eq!(parse(&text).map(|body| body.payload.len()), Ok(1));
}

/// The stanza inside may be as deep as on a WebSocket.
#[test]
fn body_takes_no_level_of_depth_from_what_it_carries() {
    let nested = |depth: usize| format!("{}{}", "<a>".repeat(depth), "</a>".repeat(depth));
    let depth = usize::from(Limits::default().depth);
    assert!(Scanner::new(Limits::default()).scan(&nested(depth)).is_ok());
    assert!(parse(&body("", &nested(depth))).is_ok());
    assert!(parse(&body("", &nested(depth + 1))).is_err());
}

/// B-22
#[test]
fn elements_that_share_one_enormous_declaration_do_not_fill_the_memory() {
    let declaration = format!("xmlns:p='{}'", "x".repeat(10_000));
    let small = parse(&body(&declaration, "<p:a/>")).unwrap();
    assert_eq!(small.payload.len(), 1);
    let fault = parse(&body(&declaration, &"<p:a/>".repeat(1000))).unwrap_err();
    assert_eq!(fault, BodyFault::Growth);
    assert_eq!(fault.condition(), Condition::PolicyViolation);
    assert!(
        parse(&body("", &"<a/>".repeat(1000))).is_ok(),
        "small stanzas are no attack"
    );
}

proptest! {
    /// B-19
    #[test]
    fn no_input_makes_the_parser_panic(
        text in prop_oneof![".*", "<body( [a-z:]{1,8}='[^']{0,9}'){0,6}/?>.{0,20}(</body>)?"],
    ) {
        let _ = parse(&text);
        let _ = parse(&body("", &text));
    }

    /// B-33
    #[test]
    fn payload_is_every_element_in_order(names in prop::collection::vec("[a-z]{1,5}", 0..20)) {
        let content: String = names.iter().map(|name| format!("<{name} xmlns='x'/>")).collect();
        let expected: Vec<_> = names.iter().map(|name| format!("<{name} xmlns='x'/>")).collect();
        prop_assert_eq!(parse(&body("", &content)).map(|body| body.payload), Ok(expected));
    }
}
