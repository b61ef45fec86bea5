use super::*;

/// B-10
#[test]
fn empty_request_is_held_for_wait_seconds_and_then_answered_by_an_empty_body() {
    let mut session = Session::open();
    let token = session.request(poll(1));
    session.pass(59);
    assert!(session.responses().is_empty());
    assert!(session.window.wants_output());
    session.pass(1);
    assert_eq!(session.responses(), [(token, EMPTY.to_owned())]);
    assert!(!session.window.wants_output());
}

/// B-11
#[test]
fn further_request_releases_the_held_one_at_once() {
    let mut session = Session::open();
    let held = session.request(poll(1));
    assert!(session.responses().is_empty());
    session.request(carrying(2, &["<a/>"]));
    assert_eq!(session.responses(), [(held, EMPTY.to_owned())]);
}

/// B-12
#[test]
fn payload_goes_out_in_the_held_request_at_once() {
    let mut session = Session::open();
    let held = session.request(poll(1));
    session.window.push("<a/>");
    session.window.push("<b/>");
    assert_eq!(session.responses(), [(held, body_with("<a/><b/>"))]);
    assert_eq!(session.window.queued_bytes(), 0);
}

#[test]
fn payload_that_finds_no_request_waits_for_the_next_one() {
    let mut session = Session::open();
    session.window.push("<a/>");
    assert!(session.responses().is_empty());
    assert_eq!(session.window.queued_bytes(), 4);
    let next = session.request(poll(1));
    assert_eq!(session.responses(), [(next, body_with("<a/>"))]);
}

/// B-31
#[test]
fn never_more_requests_are_held_than_promised() {
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
    let first = session.request(poll(1));
    session.request(poll(2));
    assert!(session.responses().is_empty());
    session.request(poll(3));
    assert_eq!(session.responses(), [(first, EMPTY.to_owned())]);
}

/// B-48
#[test]
fn session_with_wait_or_hold_zero_is_answered_at_once() {
    for body in [
        Body {
            wait: Some(0),
            ..creation()
        },
        Body {
            hold: Some(0),
            ..creation()
        },
    ] {
        let mut session = Session::with(body, &Options::default());
        let token = session.request(poll(1));
        assert_eq!(session.responses(), [(token, EMPTY.to_owned())]);
    }
}

#[test]
fn answer_that_would_be_too_large_leaves_the_rest_for_the_next_one() {
    let options = Options {
        max_response_bytes: 8,
        ..Options::default()
    };
    let mut session = Session::with(creation(), &options);
    session.request(poll(1));
    for frame in ["<a/>", "<b/>", "<a-large-one/>", "<c/>"] {
        session.window.push(frame);
    }
    let mut texts = session.answered().1;
    for offset in 2..4 {
        session.request(poll(offset));
        texts.extend(session.answered().1);
    }
    let expected = ["<a/><b/>", "<a-large-one/>", "<c/>"];
    assert_eq!(texts, expected.map(body_with));
}

mod pausing {
    use super::*;

    /// B-32
    #[test]
    fn pause_answers_all_requests_at_once_with_empty_bodies() {
        let mut session = Session::open();
        let held = session.request(poll(1));
        let pausing = session.request(pause(2, 60));
        assert_eq!(
            session.responses(),
            [(held, EMPTY.to_owned()), (pausing, EMPTY.to_owned())]
        );
    }

    /// XEP-0124 §10
    #[test]
    fn answer_to_a_pause_has_no_payload_which_then_waits_for_the_next_request() {
        let mut session = Session::open();
        let pausing = session.request(pause(1, 60));
        assert!(!session.window.wants_output());
        session.window.push("<a/>");
        assert_eq!(session.responses(), [(pausing, EMPTY.to_owned())]);
        let next = session.request(poll(2));
        assert_eq!(session.responses(), [(next, body_with("<a/>"))]);
    }

    /// B-32
    #[test]
    fn paused_session_lives_until_the_pause_is_over() {
        let mut session = Session::open();
        session.request(pause(1, 100));
        session.responses();
        session.pass(99);
        assert_eq!(session.window.ended(), None);
        session.pass(1);
        assert_eq!(session.window.ended(), Some(Ended::Inactive));
    }

    /// B-32
    #[test]
    fn pause_is_cut_down_to_maxpause() {
        let mut session = Session::open();
        session.request(pause(1, u64::MAX));
        session.responses();
        session.pass(120);
        assert_eq!(session.window.ended(), Some(Ended::Inactive));
    }

    /// XEP-0124 §10
    #[test]
    fn next_request_sets_inactivity_back_to_normal() {
        let mut session = Session::open();
        session.request(pause(1, 120));
        session.responses();
        session.pass(100);
        session.request(poll(2));
        session.window.push("<a/>");
        session.responses();
        session.pass(60);
        assert_eq!(session.window.ended(), Some(Ended::Inactive));
    }

    #[test]
    fn pause_with_the_value_of_inactivity_only_releases_the_held_requests() {
        let options = Options {
            max_pause: Duration::ZERO,
            ..Options::default()
        };
        let mut session = Session::with(creation(), &options);
        session.request(poll(1));
        session.request(pause(2, 60));
        assert_eq!(session.responses().len(), 2);
        session.pass(59);
        assert_eq!(session.window.ended(), None);
    }
}
