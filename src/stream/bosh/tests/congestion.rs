use super::*;

/// Back-pressure: a client with all its requests open cannot send more.
#[test]
fn while_congested_a_further_request_is_held_beside_the_first() {
    let mut session = Session::open();
    session.window.set_congested(true);
    let first = session.request(carrying(1, &["<a/>"]));
    let second = session.request(carrying(2, &["<b/>"]));
    assert_eq!(session.frames(), ["<a/>", "<b/>"]);
    assert!(session.responses().is_empty());
    session.window.set_congested(false);
    assert_eq!(session.responses(), [(first, EMPTY.to_owned())]);
    session.pass(60);
    assert_eq!(session.responses(), [(second, EMPTY.to_owned())]);
}

/// Or two clients that flood each other would wait for one another forever.
#[test]
fn while_congested_frames_still_go_out_at_once() {
    let mut session = Session::open();
    session.window.set_congested(true);
    let first = session.request(carrying(1, &["<a/>"]));
    session.request(carrying(2, &["<b/>"]));
    session.window.push("<c/>");
    assert_eq!(session.responses(), [(first, body_with("<c/>"))]);
}

#[test]
fn while_congested_wait_and_pause_hold_as_ever() {
    let mut session = Session::open();
    session.window.set_congested(true);
    let (first, second) = (session.request(poll(1)), session.request(poll(2)));
    session.pass(60);
    let both = [(first, EMPTY.to_owned()), (second, EMPTY.to_owned())];
    assert_eq!(session.responses(), both);
    let held = session.request(poll(3));
    let pause = session.request(Body {
        pause: Some(10),
        ..poll(4)
    });
    let both = [(held, EMPTY.to_owned()), (pause, EMPTY.to_owned())];
    assert_eq!(session.responses(), both);
}

/// B-48 the other way round: an answer at once is what lets it send more.
#[test]
fn while_congested_a_client_that_polls_is_answered_ten_seconds_later() {
    let polls = Body {
        wait: Some(0),
        ..creation()
    };
    let mut session = Session::with(polls, &Options::default());
    session.window.set_congested(true);
    let token = session.request(carrying(1, &["<a/>"]));
    assert!(session.responses().is_empty());
    let due = session.window.poll_timeout();
    assert_eq!(due, Some(session.now + Duration::from_secs(10)));
    session.pass(10);
    assert_eq!(session.responses(), [(token, EMPTY.to_owned())]);
}
