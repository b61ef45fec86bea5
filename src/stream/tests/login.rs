//! RFC 6120 §6 and §7: SASL and resource binding.

use super::*;

fn auth(mechanism: &str, data: &str) -> String {
    format!(
        r#"<auth xmlns="urn:ietf:params:xml:ns:xmpp-sasl" mechanism="{mechanism}">{data}</auth>"#
    )
}

fn failure(condition: &str) -> String {
    format!(r#"<failure xmlns="urn:ietf:params:xml:ns:xmpp-sasl"><{condition}/></failure>"#)
}

fn opened() -> Talk {
    let mut talk = Talk::new();
    talk.say(OPEN);
    talk
}

/// A-03
#[test]
fn a_wrong_password_leaves_the_stream_for_another_try() {
    let mut talk = opened();
    assert_eq!(
        talk.say(&auth("PLAIN", "AGEAYg==")),
        [failure("not-authorized")]
    );
    assert!(talk.say(AUTH)[0].starts_with("<success "));
}

/// A-05, A-06
#[test]
fn a_mechanism_that_is_not_offered_is_invalid() {
    let mut talk = opened();
    assert_eq!(
        talk.say(&auth("SCRAM-SHA-1", "biws")),
        [failure("invalid-mechanism")]
    );
    let nameless = r#"<auth xmlns="urn:ietf:params:xml:ns:xmpp-sasl">AA==</auth>"#;
    assert_eq!(talk.say(nameless), [failure("invalid-mechanism")]);
}

/// A-04
#[test]
fn data_that_are_not_base64_are_incorrectly_encoded() {
    for data in ["!!", "A", "AGp1bGlldABzZWNyZXQ", " AA==", "&#65;A=="] {
        assert_eq!(
            opened().say(&auth("PLAIN", data)),
            [failure("incorrect-encoding")],
            "{data}"
        );
    }
}

/// A-26: an empty challenge, and `=` for data of zero length.
#[test]
fn without_an_initial_response_the_client_is_asked_for_it() {
    let mut talk = opened();
    let asked = talk.say(r#"<auth xmlns="urn:ietf:params:xml:ns:xmpp-sasl" mechanism="PLAIN"/>"#);
    assert_eq!(
        asked,
        [r#"<challenge xmlns="urn:ietf:params:xml:ns:xmpp-sasl">=</challenge>"#]
    );
    let answer = talk.say(
        r#"<response xmlns="urn:ietf:params:xml:ns:xmpp-sasl">AGp1bGlldABzZWNyZXQ=</response>"#,
    );
    assert_eq!(
        answer,
        [r#"<success xmlns="urn:ietf:params:xml:ns:xmpp-sasl">dg==</success>"#]
    );
}

/// A-07
#[test]
fn abort_fails_and_leaves_the_stream() {
    let mut talk = opened();
    talk.say(r#"<auth xmlns="urn:ietf:params:xml:ns:xmpp-sasl" mechanism="PLAIN"/>"#);
    let aborted = talk.say(r#"<abort xmlns="urn:ietf:params:xml:ns:xmpp-sasl"/>"#);
    assert_eq!(aborted, [failure("aborted")]);
    assert!(talk.say(AUTH)[0].starts_with("<success "));
}

/// A-08
#[test]
fn a_response_out_of_the_blue_and_a_second_auth_authenticate_nobody() {
    let mut talk = opened();
    let response =
        r#"<response xmlns="urn:ietf:params:xml:ns:xmpp-sasl">AGp1bGlldABzZWNyZXQ=</response>"#;
    assert_eq!(talk.say(response), [failure("malformed-request")]);
    talk.say(r#"<auth xmlns="urn:ietf:params:xml:ns:xmpp-sasl" mechanism="PLAIN"/>"#);
    assert_eq!(talk.say(AUTH), [failure("malformed-request")]);
}

/// A-23, RFC 6120 §6.4.5
#[test]
fn too_many_failures_end_the_stream() {
    let mut talk = opened();
    talk.say(&auth("PLAIN", "AGEAYg=="));
    talk.say(&auth("PLAIN", "AGEAYg=="));
    let heard = talk.say(&auth("PLAIN", "AGEAYg=="));
    assert_eq!(heard[0], failure("not-authorized"));
    assert!(heard[1].contains("<policy-violation "), "{heard:?}");
}

/// A-25
#[test]
fn auth_after_login_is_refused() {
    let mut talk = opened();
    talk.say(AUTH);
    talk.expect_fault(AUTH, "not-authorized");
    Talk::bound().expect_fault(AUTH, "unsupported-stanza-type");
}

/// X-30
#[test]
fn a_stanza_before_login_is_refused() {
    opened().expect_fault(MESSAGE, "not-authorized");
    opened().expect_fault(BIND, "not-authorized");
}

/// X-31
#[test]
fn a_stanza_between_login_and_bind_is_refused() {
    let mut talk = Talk::new();
    talk.log_in();
    talk.expect_fault(MESSAGE, "not-authorized");
}

/// X-33: a conflict leaves the stream, and another resource may be asked for.
#[test]
fn a_refused_resource_may_be_followed_by_another() {
    let mut talk = Talk::new();
    talk.log_in();
    let refused = talk.say(&BIND.replace("balcony", "taken"));
    assert!(refused[0].contains(r#"type="error" id="b""#) && refused[0].contains("<conflict "));
    assert!(talk.say(BIND)[0].contains("<jid>"));
}

/// X-37
#[test]
fn a_malformed_bind_is_a_bad_request() {
    for (from, to) in [
        (r#"type="set""#, r#"type="get""#),
        (r#"id="b""#, ""),
        ("</iq>", "<x/></iq>"),
    ] {
        let mut talk = Talk::new();
        talk.log_in();
        let refused = talk.say(&BIND.replace(from, to));
        assert!(refused[0].contains("<bad-request "), "{refused:?}");
        assert!(talk.say(BIND)[0].contains("<jid>"));
    }
}

/// X-36
#[test]
fn an_empty_resource_is_one_of_our_making() {
    let mut talk = Talk::new();
    talk.log_in();
    assert!(talk.say(&BIND.replace("balcony", ""))[0].contains("/balcony</jid>"));
}

/// X-34
#[test]
fn a_second_bind_is_not_allowed() {
    let mut talk = Talk::bound();
    talk.say(BIND);
    assert!(
        talk.answers[0].text.contains("<not-allowed "),
        "{:?}",
        talk.answers
    );
    assert!(talk.routed.is_empty());
}

#[test]
fn registration_before_login_only_where_it_is_allowed() {
    let request =
        r#"<iq xmlns="jabber:client" type="get" id="r"><query xmlns="jabber:iq:register"/></iq>"#;
    opened().expect_fault(request, "not-authorized");
    let mut talk = Talk::with(StreamOptions {
        registration: true,
        ..options()
    });
    assert!(talk.say(OPEN)[1].contains("http://jabber.org/features/iq-register"));
    assert_eq!(talk.say(request), ["<iq/>"]);
    assert!(talk.say(AUTH)[0].starts_with("<success "));
}
