//! RFC 7395 §3: what is one frame, and what opens and closes a stream.

use super::*;

/// W-42: Strophe wants the first frame to begin with `<open `.
#[test]
fn the_answer_to_open_is_one_open_element_with_a_fresh_id() {
    let mut talk = Talk::new();
    let first = talk.say(OPEN);
    assert!(first[0].starts_with(
        r#"<open xmlns="urn:ietf:params:xml:ns:xmpp-framing" from="example.org" id=""#
    ));
    assert!(first[0].ends_with(r#" version="1.0" xml:lang="en"/>"#));
    let second = Talk::new().say(OPEN);
    assert_ne!(first[0], second[0]);
}

/// W-58, W-59, A-01: no STARTTLS, no bind before login.
#[test]
fn features_before_login_are_a_document_of_their_own() {
    let heard = Talk::new().say(OPEN);
    assert_eq!(heard.len(), 2);
    assert_eq!(
        heard[1],
        r#"<stream:features xmlns:stream="http://etherx.jabber.org/streams"><mechanisms xmlns="urn:ietf:params:xml:ns:xmpp-sasl"><mechanism>PLAIN</mechanism><mechanism>ANONYMOUS</mechanism></mechanisms><limits xmlns="urn:xmpp:stream-limits:0"><max-bytes>10240</max-bytes><idle-seconds>90</idle-seconds></limits></stream:features>"#
    );
}

/// W-48, S-01: no legacy session feature, which would cost Strophe a round trip.
#[test]
fn features_after_login_hold_bind_and_stream_management_and_no_session() {
    let mut talk = Talk::new();
    let first = talk.say(OPEN)[0].clone();
    talk.say(AUTH);
    let heard = talk.say(OPEN);
    assert_ne!(heard[0], first);
    assert!(heard[1].contains("<bind xmlns="));
    assert!(heard[1].contains(r#"<sm xmlns="urn:xmpp:sm:3"/>"#));
    assert!(heard[1].contains("<max-bytes>262144</max-bytes>"));
    assert!(!heard[1].contains("session") && !heard[1].contains("mechanisms"));
}

/// W-44: `<open/>`, host-unknown, `<close/>`, in this order.
#[test]
fn an_unknown_domain_hears_so_after_an_open_of_ours() {
    let heard = Talk::new().say(&OPEN.replace("example.org", "example.com"));
    assert_eq!(heard.len(), 3);
    assert!(heard[0].starts_with("<open "));
    assert!(heard[1].contains("<host-unknown "));
    assert_eq!(
        heard[2],
        r#"<close xmlns="urn:ietf:params:xml:ns:xmpp-framing" />"#
    );
}

/// W-45, X-62
#[test]
fn the_domain_compares_after_case_mapping_and_defaults_to_the_first() {
    for (to, from) in [(r#"to="EXAMPLE.net""#, "example.net"), ("", "example.org")] {
        let heard = Talk::new().say(&OPEN.replace(r#"to="example.org""#, to));
        assert!(heard[0].contains(&format!(r#"from="{from}""#)), "{heard:?}");
    }
}

/// W-43
#[test]
fn a_higher_version_is_answered_by_ours_and_odd_ones_are_refused() {
    assert_eq!(Talk::new().say(&OPEN.replace("1.0", "2.0")).len(), 2);
    for version in ["0.9", "1", "", "one", "-1.0", "1.x"] {
        Talk::new().expect_fault(&OPEN.replace("1.0", version), "unsupported-version");
    }
    Talk::new().expect_fault(
        &OPEN.replace(r#" version="1.0""#, ""),
        "unsupported-version",
    );
}

/// W-40, X-30
#[test]
fn nothing_comes_before_open() {
    for frame in [MESSAGE, AUTH, r#"<r xmlns="urn:xmpp:sm:3"/>"#] {
        let mut talk = Talk::new();
        talk.expect_fault(frame, "not-authorized");
    }
}

/// W-41, W-46
#[test]
fn open_in_another_namespace_opens_nothing() {
    for frame in [
        r#"<open to="example.org" version="1.0"/>"#,
        r#"<open xmlns="jabber:client" to="example.org" version="1.0"/>"#,
        r#"<stream:stream xmlns:stream="http://etherx.jabber.org/streams" version="1.0"/>"#,
    ] {
        Talk::new().expect_fault(frame, "invalid-namespace");
    }
}

/// W-47
#[test]
fn a_second_open_ends_the_stream() {
    let mut talk = Talk::new();
    talk.say(OPEN);
    talk.expect_fault(OPEN, "unsupported-stanza-type");
    Talk::bound().expect_fault(OPEN, "unsupported-stanza-type");
}

/// W-49
#[test]
fn between_success_and_the_new_open_nothing_is_processed() {
    let mut talk = Talk::new();
    talk.say(OPEN);
    talk.say(AUTH);
    talk.expect_fault(MESSAGE, "not-authorized");
}

/// W-50, W-51, W-52, X-22
#[test]
fn a_frame_is_exactly_one_element() {
    for frame in [
        &format!("{MESSAGE}{MESSAGE}"),
        "<message xmlns='jabber:client'>",
        "</message>",
        "text",
        &format!(" {MESSAGE}"),
        &format!("\u{feff}{MESSAGE}"),
        &format!("{MESSAGE}text"),
    ] {
        Talk::bound().expect_fault(frame, "not-well-formed");
    }
}

/// W-53, W-54, W-55
#[test]
fn white_space_alone_or_behind_and_a_declaration_do_no_harm() {
    let mut talk = Talk::bound();
    assert!(talk.say(" \n").is_empty());
    assert!(talk.say("").is_empty());
    assert!(talk.say(&format!("{MESSAGE}\n ")).is_empty());
    assert!(
        talk.say(&format!("<?xml version='1.0'?>{MESSAGE}"))
            .is_empty()
    );
    assert_eq!(talk.routed.len(), 2);
}

/// W-69, W-70
#[test]
fn a_stanza_outside_jabber_client_is_refused() {
    for namespace in ["", "jabber:server", "urn:ietf:params:xml:ns:xmpp-framing"] {
        Talk::bound().expect_fault(
            &MESSAGE.replace("jabber:client", namespace),
            "invalid-namespace",
        );
    }
}

/// X-15
#[test]
fn a_stanza_with_a_prefix_is_refused() {
    let frame = "<c:message xmlns:c='jabber:client'><c:body>hi</c:body></c:message>";
    Talk::bound().expect_fault(frame, "bad-namespace-prefix");
}

/// W-60, W-71, X-66
#[test]
fn an_unknown_element_is_refused() {
    for frame in [
        "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>",
        "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>",
        "<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>",
        "<s:features xmlns:s='http://etherx.jabber.org/streams'/>",
        "<x xmlns='jabber:client'/>",
    ] {
        Talk::bound().expect_fault(frame, "unsupported-stanza-type");
        let mut talk = Talk::new();
        talk.say(OPEN);
        talk.expect_fault(frame, "unsupported-stanza-type");
    }
}

/// X-02, X-04, X-05, X-16
#[test]
fn what_xmpp_forbids_of_xml_has_its_own_conditions() {
    let deep = "<a>".repeat(70) + &"</a>".repeat(70);
    for (frame, condition) in [
        (
            "<!DOCTYPE x><message xmlns='jabber:client'/>",
            "restricted-xml",
        ),
        (
            "<!-- c --><message xmlns='jabber:client'/>",
            "restricted-xml",
        ),
        (
            "<message xmlns='jabber:client'><?p i?></message>",
            "restricted-xml",
        ),
        (
            "<message xmlns='jabber:client'>&nbsp;</message>",
            "restricted-xml",
        ),
        (
            "<?xml version='1.0' encoding='latin1'?><message xmlns='jabber:client'/>",
            "unsupported-encoding",
        ),
        (
            &format!("<message xmlns='jabber:client'>{deep}</message>"),
            "policy-violation",
        ),
    ] {
        Talk::bound().expect_fault(frame, condition);
        let mut talk = Talk::new();
        talk.say(OPEN);
        talk.expect_fault(frame, condition);
    }
}

/// X-01: in place of `<open/>`, after an `<open/>` of our own (RFC 7395 §3.5).
#[test]
fn rubbish_in_place_of_open_is_answered_in_an_open_stream() {
    let heard = Talk::new().say("<open");
    assert!(heard[0].starts_with("<open ") && heard[1].contains("<not-well-formed "));
    assert_eq!(heard[2], CLOSE);
}

/// L-02: a much lower limit before login.
#[test]
fn a_frame_over_the_limit_is_a_policy_violation() {
    let big = |bytes: usize| MESSAGE.replace("hi", &"x".repeat(bytes));
    let mut talk = Talk::new();
    talk.say(OPEN);
    assert_eq!(talk.stream.max_frame_bytes(), 10_240);
    talk.expect_fault(&big(10_240), "policy-violation");
    let mut talk = Talk::bound();
    assert!(talk.say(&big(200_000)).is_empty());
    talk.expect_fault(&big(262_144), "policy-violation");
}

/// W-61
#[test]
fn close_is_answered_by_close() {
    for mut talk in [Talk::new(), Talk::bound()] {
        let heard = talk.say(r#"<close xmlns="urn:ietf:params:xml:ns:xmpp-framing"/>"#);
        assert_eq!(heard.last().unwrap(), CLOSE);
        assert!(talk.stream.is_over());
    }
}

/// W-68
#[test]
fn see_other_uri_of_a_client_is_a_plain_close() {
    let heard = Talk::bound().say(
        r#"<close xmlns="urn:ietf:params:xml:ns:xmpp-framing" see-other-uri="wss://evil.example/"/>"#,
    );
    assert_eq!(heard, [CLOSE]);
}

/// W-65, RFC 6120 §4.4
#[test]
fn after_our_close_nothing_is_processed_and_the_client_has_five_seconds() {
    let mut talk = Talk::bound();
    talk.expect_fault("<x/>", "unsupported-stanza-type");
    assert!(talk.say(MESSAGE).is_empty());
    assert!(talk.say("rubbish").is_empty());
    assert!(talk.routed.is_empty());
    talk.wait(Duration::from_secs(5));
    assert!(talk.stream.is_over());
}

/// L-03
#[test]
fn a_client_that_does_not_log_in_is_sent_away() {
    let mut talk = Talk::new();
    talk.say(OPEN);
    assert!(talk.wait(Duration::from_secs(29)).is_empty());
    let heard = talk.wait(Duration::from_secs(1));
    assert!(heard[0].contains("<connection-timeout "), "{heard:?}");
}

/// W-68, RFC 7395 §3.6.1: before features, and streams that are open stay.
#[test]
fn a_server_that_is_emptied_sends_new_streams_elsewhere() {
    let mut bound = Talk::bound();
    let elsewhere = StreamOptions {
        see_other_uri: Some("wss://other.example.org/ws/?a=1&b=2".into()),
        ..options()
    };
    bound.options.store(Arc::new(elsewhere.clone()));
    assert!(bound.say(MESSAGE).is_empty());
    let mut talk = Talk::with(elsewhere);
    let heard = talk.say(OPEN);
    assert_eq!(heard.len(), 2);
    assert!(heard[0].starts_with("<open "));
    assert_eq!(
        heard[1],
        r#"<close xmlns="urn:ietf:params:xml:ns:xmpp-framing" see-other-uri="wss://other.example.org/ws/?a=1&amp;b=2" />"#
    );
    assert!(talk.stream.is_over());
}
