use super::*;

/// B-30
#[test]
fn session_without_a_request_for_longer_than_inactivity_is_over() {
    let mut session = Session::open();
    session.pass(59);
    assert_eq!(session.window.ended(), None);
    session.pass(1);
    assert_eq!(session.window.ended(), Some(Ended::Inactive));
    let late = session.request(poll(1));
    assert_eq!(session.responses(), [(late, terminated("item-not-found"))]);
}

/// B-30
#[test]
fn held_request_is_activity() {
    let mut session = Session::with(
        Body {
            wait: Some(120),
            ..creation()
        },
        &Options::default(),
    );
    session.request(poll(1));
    session.pass(119);
    assert_eq!(session.window.ended(), None);
}

/// B-30, B-46
#[test]
fn session_whose_only_request_lost_its_connection_is_idle_from_then_on() {
    let mut session = Session::open();
    let lost = session.request(poll(1));
    session.responses();
    session.pass(30);
    session.window.on_request_lost(session.now, lost);
    session.window.push("<a/>");
    session.pass(60);
    assert_eq!(session.window.ended(), Some(Ended::Inactive));
    assert_eq!(session.window.undelivered(), ["<a/>".into()]);
}

#[test]
fn repeated_request_is_activity() {
    let mut session = Session::open();
    session.request(poll(1));
    session.window.push("<a/>");
    session.responses();
    session.pass(50);
    session.request(poll(1));
    session.responses();
    session.pass(50);
    assert_eq!(session.window.ended(), None);
}

/// XEP-0124 §12
#[test]
fn session_that_polls_faster_than_allowed_ends_with_policy_violation() {
    let options = Options {
        polling_tolerance: 0,
        ..Options::default()
    };
    let mut session = Session::with(
        Body {
            hold: Some(0),
            ..creation()
        },
        &options,
    );
    session.request(poll(1));
    session.responses();
    session.pass(4);
    let hasty = session.request(poll(2));
    assert_eq!(
        session.responses(),
        [(hasty, terminated("policy-violation"))]
    );
}

/// XEP-0124 §12
#[test]
fn session_that_polls_as_often_as_allowed_goes_on() {
    let options = Options {
        polling_tolerance: 0,
        ..Options::default()
    };
    let mut session = Session::with(
        Body {
            hold: Some(0),
            ..creation()
        },
        &options,
    );
    for offset in 1..100 {
        session.request(poll(offset));
        session.responses();
        session.pass(5);
    }
    assert_eq!(session.window.ended(), None);
}

/// XEP-0124 §12
#[test]
fn polling_at_once_after_an_answer_with_payload_is_no_haste() {
    let options = Options {
        polling_tolerance: 0,
        ..Options::default()
    };
    let mut session = Session::with(
        Body {
            hold: Some(0),
            ..creation()
        },
        &options,
    );
    for offset in 1..100 {
        session.window.push("<a/>");
        session.request(poll(offset));
        session.responses();
    }
    assert_eq!(session.window.ended(), None);
}

/// XEP-0124 §11
#[test]
fn empty_requests_in_a_tight_loop_end_with_policy_violation() {
    let mut session = Session::open();
    let mut offset = 0;
    while session.window.ended().is_none() {
        offset += 1;
        assert!(offset < 20, "a loop must run dry");
        session.request(poll(offset));
        session.responses();
    }
    let violation = Violation::TooFrequent { polling_seconds: 5 };
    assert_eq!(session.window.ended(), Some(Ended::Violation(violation)));
}

/// XEP-0124 §11
#[test]
fn requests_with_something_in_them_are_never_too_frequent() {
    let options = Options {
        polling_tolerance: 0,
        ..Options::default()
    };
    let mut session = Session::with(creation(), &options);
    session.request(poll(1));
    for offset in 2..100 {
        session.request(carrying(offset, &["<a/>"]));
        session.responses();
    }
    session.request(Body {
        restart: true,
        ..poll(100)
    });
    session.request(pause(101, 10));
    assert_eq!(session.window.ended(), None);
}

/// XEP-0124 §11; the false alarm of OF-3219
#[test]
fn client_that_asks_again_as_soon_as_it_is_answered_is_not_hasty() {
    let options = Options {
        polling_tolerance: 0,
        ..Options::default()
    };
    let mut session = Session::with(creation(), &options);
    for offset in 1..100 {
        session.request(poll(offset));
        session.window.push("<a/>");
        session.responses();
    }
    assert_eq!(session.window.ended(), None);
}

/// XEP-0124 §11; the false alarm of OF-3219
#[test]
fn request_after_one_that_lost_its_connection_is_not_hasty() {
    let options = Options {
        polling_tolerance: 0,
        ..Options::default()
    };
    let mut session = Session::with(creation(), &options);
    for offset in 1..100 {
        let lost = session.request(poll(offset));
        session.responses();
        session.window.on_request_lost(session.now, lost);
    }
    assert_eq!(session.window.ended(), None);
}

/// XEP-0124 §11
#[test]
fn without_a_polling_interval_every_pace_is_allowed() {
    let options = Options {
        polling: Duration::ZERO,
        polling_tolerance: 0,
        ..Options::default()
    };
    let mut session = Session::with(
        Body {
            hold: Some(0),
            ..creation()
        },
        &options,
    );
    for offset in 1..100 {
        session.request(poll(offset));
        session.responses();
    }
    assert_eq!(session.window.ended(), None);
}
