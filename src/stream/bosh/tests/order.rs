use super::*;

/// B-33
#[test]
fn elements_of_one_body_are_served_in_order() {
    let mut session = Session::open();
    session.request(carrying(1, &["<a/>", "<b/>", "<c/>"]));
    assert_eq!(session.frames(), ["<a/>", "<b/>", "<c/>"]);
}

/// B-06
#[test]
fn requests_out_of_order_are_served_and_answered_in_rid_order() {
    let mut session = Session::open();
    let second = session.request(carrying(2, &["<second/>"]));
    assert!(session.frames().is_empty());
    assert!(session.responses().is_empty());
    let first = session.request(carrying(1, &["<first/>"]));
    assert_eq!(session.frames(), ["<first/>", "<second/>"]);
    session.window.push("<one/>");
    assert_eq!(session.responses(), [(first, body_with("<one/>"))]);
    session.window.push("<two/>");
    assert_eq!(session.responses(), [(second, body_with("<two/>"))]);
}

/// XEP-0124 §14.2
#[test]
fn early_request_that_has_waited_long_enough_takes_the_one_before_it_along() {
    let options = Options {
        max_hold: 2,
        ..Options::default()
    };
    let mut session = Session::with(
        Body {
            hold: Some(2),
            ..creation()
        },
        &options,
    );
    let second = session.request(poll(2));
    session.pass(40);
    let first = session.request(poll(1));
    session.pass(20);
    assert_eq!(
        session.responses(),
        [(first, EMPTY.to_owned()), (second, EMPTY.to_owned())]
    );
}

/// B-07
#[test]
fn rid_beyond_the_window_terminates_with_item_not_found() {
    let mut session = Session::open();
    let held = session.request(poll(1));
    let wild = session.request(poll(4));
    assert_eq!(
        session.responses(),
        [
            (wild, terminated("item-not-found")),
            (held, terminated("other-request"))
        ]
    );
    let violation = Violation::RidBeyondWindow {
        rid: FIRST_RID + 4,
        last_acceptable: FIRST_RID + 3,
    };
    assert_eq!(session.window.ended(), Some(Ended::Violation(violation)));
    assert!(session.window.is_over());
    assert_eq!(session.window.poll_timeout(), None);
}

/// B-07
#[test]
fn window_ends_at_requests_after_the_last_rid_in_sequence() {
    let mut session = Session::open();
    session.request(poll(2));
    assert_eq!(session.window.ended(), None);
    session.request(poll(3));
    assert!(session.window.ended().is_some());
}

/// XEP-0124 §11
#[test]
fn one_more_request_is_allowed_to_pause_or_to_terminate() {
    for extra in [pause(3, 60), terminate(3)] {
        let mut session = Session::open();
        session.request(extra);
        assert_eq!(session.window.ended(), None);
        session.request(carrying(2, &["<second/>"]));
        session.request(carrying(1, &["<first/>"]));
        assert_eq!(session.frames(), ["<first/>", "<second/>"]);
    }
}

/// XEP-0124 §17.3
#[test]
fn request_whose_predecessor_stays_away_is_asked_for_again() {
    let mut session = Session::open();
    let early = session.request(carrying(2, &["<second/>"]));
    session.pass(60);
    assert_eq!(session.responses(), [(early, RECOVERABLE.to_owned())]);
    session.request(carrying(1, &["<first/>"]));
    session.request(carrying(2, &["<second/>"]));
    assert_eq!(session.frames(), ["<first/>", "<second/>"]);
}

#[test]
fn early_request_whose_connection_is_lost_keeps_its_payload() {
    let mut session = Session::open();
    let lost = session.request(carrying(2, &["<second/>"]));
    session.window.on_request_lost(session.now, lost);
    session.request(carrying(1, &["<first/>"]));
    assert_eq!(session.frames(), ["<first/>", "<second/>"]);
}

/// B-19
#[test]
fn session_that_runs_out_of_rids_ends_cleanly() {
    let mut session = Session::with(
        Body {
            rid: MAX_RID - 1,
            ..creation()
        },
        &Options::default(),
    );
    let last = session.request(Body {
        rid: MAX_RID,
        ..poll(0)
    });
    session.window.push("<a/>");
    assert_eq!(session.responses(), [(last, body_with("<a/>"))]);
    let beyond = session.request(Body {
        rid: MAX_RID + 1,
        ..poll(0)
    });
    assert_eq!(session.responses(), [(beyond, terminated("bad-request"))]);
    assert!(session.window.is_over());
}

/// B-24
#[test]
fn restart_is_passed_on_and_payload_beside_it_is_not() {
    let mut session = Session::open();
    session.request(Body {
        restart: true,
        to: Some("example.org".into()),
        lang: Some("de".into()),
        ..carrying(1, &["<dropped/>"])
    });
    let restart = Input::Restart {
        to: Some("example.org".into()),
        lang: Some("de".into()),
    };
    assert_eq!(session.inputs(), [restart]);
}

mod keys {
    use super::*;

    /// `K(n)` of the seed "seed", as a client computes them.
    const K1: &str = "e0b2ade7bb6db6f2a55ced7b8a3b3bb5b5b5b5b5";

    fn chain(length: usize) -> Vec<String> {
        use sha1::{Digest, Sha1};
        let mut keys = vec![K1.to_owned()];
        for _ in 1..length {
            let last = keys.last().map(String::as_bytes).unwrap_or_default();
            let digest = Sha1::digest(last);
            keys.push(digest.iter().map(|byte| format!("{byte:02x}")).collect());
        }
        keys.reverse();
        keys
    }

    fn keyed(offset: u64, key: &str) -> Body {
        Body {
            key: Some(key.to_owned()),
            ..carrying(offset, &["<a/>"])
        }
    }

    /// XEP-0124 §15.4, §15.5
    #[test]
    fn keys_in_sequence_are_accepted_across_a_new_sequence() {
        let keys = chain(3);
        let new = chain(2);
        let mut session = Session::with(
            Body {
                newkey: Some(keys[0].clone()),
                ..creation()
            },
            &Options::default(),
        );
        session.request(keyed(1, &keys[1]));
        session.request(Body {
            newkey: Some(new[0].clone()),
            ..keyed(2, &keys[2])
        });
        session.request(keyed(3, &new[1]));
        assert_eq!(session.frames().len(), 3);
    }

    /// XEP-0124 §15.4
    #[test]
    fn wrong_key_or_none_ends_the_session_and_its_payload_is_not_served() {
        for intruder in [keyed(1, "ffff"), carrying(1, &["<a/>"])] {
            let mut session = Session::with(
                Body {
                    newkey: Some(chain(3)[0].clone()),
                    ..creation()
                },
                &Options::default(),
            );
            let token = session.request(intruder);
            assert!(session.frames().is_empty());
            assert_eq!(session.responses(), [(token, terminated("item-not-found"))]);
        }
    }

    /// XEP-0124 §15.2
    #[test]
    fn answer_is_not_repeated_to_who_does_not_know_its_key() {
        let keys = chain(3);
        let mut session = Session::with(
            Body {
                newkey: Some(keys[0].clone()),
                ..creation()
            },
            &Options::default(),
        );
        session.request(keyed(1, &keys[1]));
        session.window.push("<secret/>");
        session.responses();
        let thief = session.request(poll(1));
        assert_eq!(session.responses(), [(thief, terminated("item-not-found"))]);
    }

    /// B-27
    #[test]
    fn keys_without_a_first_newkey_do_no_harm() {
        let mut session = Session::open();
        session.request(keyed(1, "anything"));
        assert_eq!(session.frames(), ["<a/>"]);
    }
}
