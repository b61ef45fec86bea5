use super::*;

/// B-08
#[test]
fn repeated_rid_gets_the_remembered_answer_to_the_byte_and_is_not_served_again() {
    let mut session = Session::open();
    session.request(carrying(1, &["<in/>"]));
    session.window.push("<out/>");
    let first = session.responses().remove(0).1;
    let again = session.request(carrying(1, &["<in/>"]));
    session.window.push("<later/>");
    assert_eq!(session.responses(), [(again, first)]);
    assert_eq!(session.frames(), ["<in/>"]);
}

/// B-47
#[test]
fn repeated_rid_that_is_still_held_releases_the_old_request_and_answers_the_new_one() {
    let mut session = Session::open();
    let old = session.request(carrying(1, &["<in/>"]));
    let new = session.request(carrying(1, &["<in/>"]));
    assert_eq!(session.responses(), [(old, RECOVERABLE.to_owned())]);
    session.window.push("<out/>");
    assert_eq!(session.responses(), [(new, body_with("<out/>"))]);
    assert_eq!(session.frames(), ["<in/>"]);
}

/// B-47
#[test]
fn lost_request_is_answered_when_it_is_sent_again() {
    let mut session = Session::open();
    let lost = session.request(poll(1));
    session.window.on_request_lost(session.now, lost);
    assert!(!session.window.wants_output());
    session.window.push("<a/>");
    assert!(session.responses().is_empty());
    let again = session.request(poll(1));
    assert_eq!(session.responses(), [(again, body_with("<a/>"))]);
}

/// B-47
#[test]
fn client_that_goes_on_after_a_lost_request_gets_what_was_for_it() {
    let mut session = Session::open();
    let lost = session.request(poll(1));
    session.window.on_request_lost(session.now, lost);
    session.window.push("<a/>");
    let next = session.request(poll(2));
    assert_eq!(session.responses(), [(next, body_with("<a/>"))]);
    let again = session.request(poll(1));
    assert_eq!(session.responses(), [(again, EMPTY.to_owned())]);
}

#[test]
fn answer_that_was_not_yet_handed_out_when_its_connection_broke_is_not_handed_out() {
    let mut session = Session::open();
    let first = session.request(poll(1));
    let second = session.request(poll(1)); // readies an answer to `first`
    session.window.on_request_lost(session.now, first);
    session.window.push("<a/>");
    assert_eq!(session.responses(), [(second, body_with("<a/>"))]);
}

#[test]
fn request_sent_again_does_not_wait_longer_than_the_first_copy_would_have() {
    let mut session = Session::open();
    let lost = session.request(poll(1));
    session.pass(30);
    session.window.on_request_lost(session.now, lost);
    let again = session.request(poll(1));
    session.pass(30);
    assert_eq!(session.responses(), [(again, EMPTY.to_owned())]);
}

/// B-08
#[test]
fn answer_whose_connection_broke_while_it_was_written_is_remembered() {
    let mut session = Session::open();
    let lost = session.request(poll(1));
    session.window.push("<a/>");
    session.responses();
    session.window.on_request_lost(session.now, lost);
    assert_eq!(session.window.undelivered(), ["<a/>".into()]);
    let again = session.request(poll(1));
    assert_eq!(session.responses(), [(again, body_with("<a/>"))]);
    assert!(session.window.undelivered().is_empty());
}

#[test]
fn answer_given_twice_of_which_one_copy_is_lost_is_unconfirmed() {
    let mut session = Session::open();
    session.request(poll(1));
    session.window.push("<a/>");
    let again = session.request(poll(1));
    session.responses();
    let third = session.request(poll(1));
    session.responses();
    session.window.on_request_lost(session.now, third);
    assert_ne!(again, third);
    assert!(session.window.undelivered().is_empty());
    assert!(session.window.unconfirmed().contains(&"<a/>".into()));
}

/// In whatever order the two are told: a new request often comes before the old one is missed.
#[test]
fn answer_given_twice_of_which_both_copies_are_lost_is_undelivered() {
    for first_lost in [0, 1] {
        let mut session = Session::open();
        let tokens = [session.request(poll(1)), {
            session.window.push("<a/>");
            session.responses();
            session.request(poll(1))
        }];
        session.responses();
        for lost in [tokens[first_lost], tokens[1 - first_lost]] {
            session.window.on_request_lost(session.now, lost);
        }
        assert_eq!(session.window.undelivered(), ["<a/>".into()]);
    }
}

/// B-09
#[test]
fn rid_whose_answer_is_forgotten_terminates_with_item_not_found() {
    let mut session = Session::open();
    for offset in 1..=4 {
        session.request(carrying(offset, &["<in/>"]));
        session.window.push("<out/>");
        session.responses();
    }
    let old = session.request(poll(1));
    assert_eq!(session.responses(), [(old, terminated("item-not-found"))]);
    assert!(session.window.is_over());
}

/// XEP-0124 §9.2: the word of the client is better than that of the connection.
#[test]
fn answer_that_is_acknowledged_stays_delivered_when_its_connection_is_lost_afterwards() {
    let mut session = Session::with(
        Body {
            ack: Some(1),
            ..creation()
        },
        &Options::default(),
    );
    let broken = session.request(poll(1));
    session.window.push("<a/>");
    session.responses();
    session.request(Body {
        ack: Some(FIRST_RID + 1),
        ..poll(2)
    });
    session.window.on_request_lost(session.now, broken);
    assert!(session.window.undelivered().is_empty());
}

/// XEP-0124 §9.2
#[test]
fn acknowledged_answers_are_forgotten() {
    let mut session = Session::with(
        Body {
            ack: Some(1),
            ..creation()
        },
        &Options::default(),
    );
    session.request(poll(1));
    session.window.push("<a/>");
    session.responses();
    assert_eq!(
        session.window.unconfirmed(),
        ["<stream:features/>".into(), "<a/>".into()]
    );
    session.request(Body {
        ack: Some(FIRST_RID + 1),
        ..poll(2)
    });
    assert!(session.window.unconfirmed().is_empty());
    let old = session.request(poll(1));
    session.responses().into_iter().for_each(|(token, text)| {
        let expected = if token == old {
            "item-not-found"
        } else {
            "other-request"
        };
        assert_eq!(text, terminated(expected));
    });
}

/// XEP-0124 §14.3
#[test]
fn rid_sent_again_too_often_is_a_policy_violation() {
    let options = Options {
        max_repeats: 3,
        ..Options::default()
    };
    for is_answered in [false, true] {
        let mut session = Session::with(creation(), &options);
        session.request(poll(1));
        if is_answered {
            session.window.push("<a/>");
        }
        for _ in 0..3 {
            session.request(poll(1));
            session.responses();
            assert_eq!(session.window.ended(), None);
        }
        let last = session.request(poll(1));
        assert!(
            session
                .responses()
                .contains(&(last, terminated("policy-violation")))
        );
        assert!(session.window.is_over());
    }
}

mod acknowledging {
    use super::*;

    /// XEP-0124 §9.1
    #[test]
    fn answer_names_the_highest_rid_received_unless_it_is_its_own() {
        let mut session = Session::with(
            Body {
                ack: Some(1),
                ..creation()
            },
            &Options::default(),
        );
        session.request(poll(1));
        session.request(carrying(2, &["<in/>"]));
        session.window.push("<out/>");
        session.request(carrying(3, &["<in/>"]));
        let texts = session.answered().1.join("\n");
        assert!(
            texts.contains(&format!(" ack='{}'", FIRST_RID + 3)),
            "{texts}"
        );
        session.window.push("<out/>");
        assert_eq!(session.answered().1, [body_with("<out/>")]);
    }

    /// XEP-0124 §9.2
    #[test]
    fn answer_that_the_client_seems_to_miss_is_reported_once() {
        let mut session = Session::with(
            Body {
                ack: Some(1),
                ..creation()
            },
            &Options::default(),
        );
        session.request(poll(1));
        session.window.push("<missed/>");
        session.responses();
        session.pass(3);
        let token = session.request(Body {
            ack: Some(FIRST_RID),
            ..poll(2)
        });
        let report = format!(
            "<body xmlns='http://jabber.org/protocol/httpbind' report='{}' time='3000'/>",
            FIRST_RID + 1
        );
        assert_eq!(session.responses(), [(token, report)]);
        session.request(Body {
            ack: Some(FIRST_RID),
            ..carrying(3, &["<in/>"])
        });
        assert!(session.responses().is_empty());
    }

    /// XEP-0124 §9.2
    #[test]
    fn answer_that_is_still_on_its_way_is_not_reported() {
        let mut session = Session::with(
            Body {
                ack: Some(1),
                ..creation()
            },
            &Options::default(),
        );
        session.request(poll(1));
        session.window.push("<a/>");
        session.responses();
        session.request(Body {
            ack: Some(FIRST_RID),
            ..carrying(2, &["<in/>"])
        });
        assert!(session.responses().is_empty());
    }
}
