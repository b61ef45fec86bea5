use super::*;

const FAREWELL: &str = "<body xmlns='http://jabber.org/protocol/httpbind' type='terminate'/>";

/// B-14
#[test]
fn terminate_is_served_and_every_request_is_answered() {
    let mut session = Session::open();
    let held = session.request(poll(1));
    let last = session.request(Body {
        terminate: true,
        ..carrying(2, &["<presence/>"])
    });
    assert_eq!(
        session.inputs(),
        [Input::Frame("<presence/>".into()), Input::Terminate]
    );
    assert_eq!(
        session.responses(),
        [(held, EMPTY.to_owned()), (last, FAREWELL.to_owned())]
    );
    assert_eq!(session.window.ended(), Some(Ended::ByClient));
    assert!(session.window.is_over());
}

/// B-14
#[test]
fn what_the_stream_says_to_the_last_payload_goes_out_in_the_request_before() {
    let mut session = Session::open();
    let held = session.request(poll(1));
    let last = session.request(terminate(2));
    session.window.push("<error/>");
    assert_eq!(
        session.responses(),
        [(held, body_with("<error/>")), (last, FAREWELL.to_owned())]
    );
}

#[test]
fn what_no_request_can_carry_after_terminate_is_undelivered() {
    let mut session = Session::open();
    session.request(terminate(1));
    session.window.push("<a/>");
    session.responses();
    assert_eq!(session.window.undelivered(), ["<a/>".into()]);
}

/// B-14
#[test]
fn request_after_terminate_finds_no_session() {
    let mut session = Session::open();
    session.request(terminate(1));
    session.responses();
    let late = session.request(carrying(2, &["<a/>"]));
    assert_eq!(session.responses(), [(late, terminated("item-not-found"))]);
    assert!(session.frames().is_empty());
}

/// B-39
#[test]
fn stream_error_comes_as_remote_stream_error_with_the_element_inside() {
    let mut session = Session::open();
    let held = session.request(poll(1));
    session
        .window
        .on_stream_error("<stream:error><conflict/></stream:error>");
    let farewell = "<body xmlns='http://jabber.org/protocol/httpbind' type='terminate' \
                    condition='remote-stream-error' \
                    xmlns:stream='http://etherx.jabber.org/streams'>\
                    <stream:error><conflict/></stream:error></body>";
    assert_eq!(session.responses(), [(held, farewell.to_owned())]);
    assert_eq!(session.window.ended(), Some(Ended::ByServer));
}

#[test]
fn end_waits_for_a_request_to_tell_it() {
    let mut session = Session::open();
    session.window.end(Some(Condition::SystemShutdown));
    assert!(session.responses().is_empty());
    assert!(!session.window.is_over());
    let next = session.request(carrying(1, &["<too-late/>"]));
    assert_eq!(session.responses(), [(next, terminated("system-shutdown"))]);
    assert!(session.frames().is_empty());
    assert!(session.window.is_over());
}

#[test]
fn frames_that_are_queued_go_out_before_the_end_is_told() {
    let mut session = Session::open();
    let held = session.request(poll(1));
    session.window.push("<last/>");
    session.window.end(None);
    assert_eq!(session.responses(), [(held, body_with("<last/>"))]);
    let next = session.request(poll(2));
    assert_eq!(session.responses(), [(next, FAREWELL.to_owned())]);
}

#[test]
fn all_open_requests_are_answered_when_the_session_ends() {
    let options = Options {
        max_hold: 2,
        polling: Duration::ZERO,
        ..Options::default()
    };
    let mut session = Session::with(
        Body {
            hold: Some(2),
            ..creation()
        },
        &options,
    );
    let (first, second) = (session.request(poll(1)), session.request(poll(2)));
    let early = session.request(poll(4));
    session.window.end(None);
    assert_eq!(
        session.responses(),
        [
            (first, EMPTY.to_owned()),
            (second, FAREWELL.to_owned()),
            (early, terminated("other-request"))
        ]
    );
}

#[test]
fn end_that_nobody_comes_to_hear_is_over_after_inactivity() {
    let mut session = Session::open();
    session.window.push("<a/>");
    session.window.end(None);
    session.responses();
    session.pass(60);
    assert!(session.window.is_over());
    assert_eq!(session.window.undelivered(), ["<a/>".into()]);
}

#[test]
fn session_that_ends_before_its_creation_is_answered_says_so_in_that_answer() {
    let mut session = Session::unanswered(creation(), &Options::default());
    session.window.end(Some(Condition::HostGone));
    assert_eq!(
        session.responses(),
        [(RequestToken(0), terminated("host-gone"))]
    );
}

/// The promise: nothing is silently lost.
#[test]
fn undelivered_and_unconfirmed_frames_are_told_apart() {
    let mut session = Session::open();
    session.request(poll(1));
    session.window.push("<sent/>");
    session.responses();
    session.window.push("<waiting/>");
    session.pass(60);
    assert_eq!(session.window.undelivered(), ["<waiting/>".into()]);
    assert_eq!(
        session.window.unconfirmed(),
        ["<stream:features/>".into(), "<sent/>".into()]
    );
}

/// Neither lost nor doubled: who takes a frame back has it, and nobody else.
#[test]
fn withdrawn_frames_are_in_no_later_answer() {
    let mut session = Session::open();
    let lost = session.request(poll(1));
    session.window.push("<lost/>");
    session.responses();
    session.window.on_request_lost(session.now, lost);
    session.window.push("<waiting/>");
    session.window.end(None);
    let withdrawn = session.window.withdraw();
    assert_eq!(withdrawn, ["<lost/>".into(), "<waiting/>".into()]);
    assert!(session.window.undelivered().is_empty());
    let again = session.request(poll(1));
    assert_eq!(session.responses(), [(again, terminated("item-not-found"))]);
}

/// §8: who gets an answer and has no request open makes the next one at once.
#[test]
fn after_inactivity_the_answer_to_the_last_request_is_withdrawn_too() {
    let mut session = Session::open();
    session.request(poll(1));
    session.window.push("<received/>");
    session.responses();
    session.request(poll(2));
    session.window.push("<lost/>");
    session.responses();
    session.pass(60);
    assert_eq!(session.window.ended(), Some(Ended::Inactive));
    assert_eq!(session.window.withdraw(), ["<lost/>".into()]);
}

#[test]
fn answer_to_the_last_request_of_a_client_that_says_goodbye_is_not_withdrawn() {
    let mut session = Session::open();
    session.request(poll(1));
    session.window.push("<received/>");
    session.responses();
    session.request(Body {
        terminate: true,
        ..poll(2)
    });
    session.inputs();
    session.responses();
    assert!(session.window.withdraw().is_empty());
}
