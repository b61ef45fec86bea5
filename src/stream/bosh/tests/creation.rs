use super::*;

fn answer_to(body: Body, options: &Options) -> String {
    let mut session = Session::unanswered(body, options);
    let (tokens, mut texts) = session.answered();
    assert_eq!(tokens, [RequestToken(0)]);
    texts.remove(0)
}

/// B-01, B-04
#[test]
fn creation_answer_names_every_term_of_the_session() {
    let answer = answer_to(creation(), &Options::default());
    assert_eq!(
        answer,
        "<body xmlns='http://jabber.org/protocol/httpbind' sid='some-sid' wait='60' requests='2' \
         hold='1' inactivity='60' ver='1.6' from='example.org' polling='5' maxpause='120' \
         xmlns:xmpp='urn:xmpp:xbosh' xmpp:version='1.0' xmpp:restartlogic='true' \
         xmlns:stream='http://etherx.jabber.org/streams'/>"
    );
}

/// B-01
#[test]
fn wait_and_hold_are_the_lower_of_what_is_asked_and_what_is_allowed() {
    let options = Options {
        max_wait: Duration::from_secs(30),
        max_hold: 2,
        ..Options::default()
    };
    let generous = answer_to(
        Body {
            wait: Some(u64::MAX),
            hold: Some(u64::MAX),
            ..creation()
        },
        &options,
    );
    assert!(
        generous.contains("wait='30' requests='3' hold='2'"),
        "{generous}"
    );
    let modest = answer_to(
        Body {
            wait: Some(7),
            hold: Some(1),
            ..creation()
        },
        &options,
    );
    assert!(
        modest.contains("wait='7' requests='2' hold='1'"),
        "{modest}"
    );
}

/// B-01
#[test]
fn version_is_the_lower_one_compared_number_by_number() {
    let announced = |asked: &str| {
        answer_to(
            Body {
                ver: Version::parse(asked),
                ..creation()
            },
            &Options::default(),
        )
    };
    assert!(announced("1.6").contains("ver='1.6'"));
    assert!(announced("1.11").contains("ver='1.11'"));
    assert!(announced("1.110").contains("ver='1.11'"));
    assert!(announced("2.0").contains("ver='1.11'"));
    assert!(
        announced("").contains("ver='1.11'"),
        "a client without a version gets ours"
    );
}

/// B-04
#[test]
fn features_that_are_there_in_time_travel_in_the_creation_answer() {
    let mut session = Session::unanswered(creation(), &Options::default());
    session.window.push("<stream:features/>");
    let (_, texts) = session.answered();
    assert!(
        texts[0].ends_with("'><stream:features/></body>"),
        "{}",
        texts[0]
    );
    assert_eq!(texts[0].matches("xmlns:stream=").count(), 1);
}

/// B-04
#[test]
fn features_that_come_later_travel_in_the_next_answer_with_their_prefix_declared() {
    let mut session = Session::unanswered(creation(), &Options::default());
    session.responses();
    let token = session.request(poll(1));
    session.window.push("<stream:features/>");
    let answer = "<body xmlns='http://jabber.org/protocol/httpbind' \
                  xmlns:stream='http://etherx.jabber.org/streams'><stream:features/></body>";
    assert_eq!(session.responses(), [(token, answer.to_owned())]);
}

/// B-01
#[test]
fn acks_are_announced_to_a_client_that_acks() {
    let silent = answer_to(creation(), &Options::default());
    assert!(!silent.contains(" ack="));
    let acking = answer_to(
        Body {
            ack: Some(1),
            ..creation()
        },
        &Options::default(),
    );
    assert!(acking.contains(" ack='1000'"), "{acking}");
}

/// B-02, B-03, B-20
#[test]
fn content_type_is_never_the_clients_own_words() {
    let typed = |content: Option<&str>| {
        let body = Body {
            content: content.map(str::to_owned),
            ..creation()
        };
        let mut session = Session::unanswered(body, &Options::default());
        session
            .window
            .poll_response(session.now)
            .map(|(_, response)| response.content_type)
    };
    assert_eq!(typed(None), Some("text/xml; charset=utf-8"));
    assert_eq!(typed(Some("text/html")), Some("text/xml; charset=utf-8"));
    assert_eq!(
        typed(Some("text/xml\r\nSet-Cookie: a=b")),
        Some("text/xml; charset=utf-8")
    );
    assert_eq!(
        typed(Some("Application/XML; x=y")),
        Some("application/xml; charset=utf-8")
    );
}

/// B-21
#[test]
fn markup_in_names_comes_back_escaped() {
    let session = Window::create(
        Instant::now(),
        "a'><b/>",
        "\"&\n",
        RequestToken(0),
        creation(),
        &Options::default(),
    );
    let (_, response) = session.unwrap().poll_response(Instant::now()).unwrap();
    assert!(
        response.text().contains("sid='a&apos;&gt;&lt;b/&gt;'"),
        "{}",
        response.text()
    );
    assert!(
        response.text().contains("from='&quot;&amp;&#10;'"),
        "{}",
        response.text()
    );
}

#[test]
fn polling_session_may_stand_idle_for_longer() {
    let answer = answer_to(
        Body {
            wait: Some(0),
            ..creation()
        },
        &Options::default(),
    );
    assert!(
        answer.contains("wait='0' requests='2' hold='1' inactivity='120'"),
        "{answer}"
    );
}

#[test]
fn what_is_set_to_zero_is_not_announced() {
    let options = Options {
        polling: Duration::ZERO,
        max_pause: Duration::ZERO,
        ..Options::default()
    };
    let answer = answer_to(creation(), &options);
    assert!(
        !answer.contains("polling=") && !answer.contains("maxpause="),
        "{answer}"
    );
}

/// B-19
#[test]
fn creation_with_a_rid_above_the_limit_is_refused() {
    let body = Body {
        rid: MAX_RID + 1,
        ..creation()
    };
    let refused = Window::create(
        Instant::now(),
        "sid",
        "example.org",
        RequestToken(0),
        body,
        &Options::default(),
    );
    let violation = refused.map(|_| ()).unwrap_err();
    assert_eq!(violation, Violation::RidTooLarge { rid: MAX_RID + 1 });
    assert_eq!(violation.condition(), Condition::BadRequest);
}

/// B-13, B-28, B-29
#[test]
fn refusal_without_a_session_is_a_terminating_body() {
    assert_eq!(
        refusal(Condition::HostUnknown).text(),
        terminated("host-unknown")
    );
    assert_eq!(
        refusal(Condition::ItemNotFound).content_type,
        "text/xml; charset=utf-8"
    );
}
