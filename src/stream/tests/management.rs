//! XEP-0198: enable, acks, requests, counters.

use super::*;

const R: &str = r#"<r xmlns="urn:xmpp:sm:3"/>"#;

fn a(h: u32) -> String {
    format!(r#"<a xmlns="urn:xmpp:sm:3" h="{h}"/>"#)
}

fn with_sm(change: impl FnOnce(&mut SmOptions)) -> StreamOptions {
    let mut options = options();
    change(&mut options.sm);
    options
}

/// S-02, S-03, S-17
#[test]
fn enable_and_resume_before_their_time_are_unexpected() {
    let failed = r#"<failed xmlns="urn:xmpp:sm:3"><unexpected-request xmlns="urn:ietf:params:xml:ns:xmpp-stanzas"/></failed>"#;
    let enable = r#"<enable xmlns="urn:xmpp:sm:3" resume="true"/>"#;
    let resume = format!(r#"<resume xmlns="urn:xmpp:sm:3" previd="{PREVID}" h="0"/>"#);
    let mut talk = Talk::new();
    talk.say(OPEN);
    assert_eq!(talk.say(enable), [failed]);
    assert_eq!(talk.say(&resume), [failed]);
    talk.say(AUTH);
    talk.say(OPEN);
    assert_eq!(talk.say(enable), [failed]);
}

/// S-05
#[test]
fn without_resume_nothing_resumable_is_granted() {
    let mut talk = Talk::bound();
    assert_eq!(
        talk.say(r#"<enable xmlns="urn:xmpp:sm:3"/>"#),
        [r#"<enabled xmlns="urn:xmpp:sm:3"/>"#]
    );
    assert!(matches!(
        talk.stream.finish(),
        Finish::End { sm: Some(_), .. }
    ));
}

/// S-04, S-42: a smaller `max` is honoured, a larger one is not.
#[test]
fn max_is_the_smaller_of_what_is_asked_and_offered() {
    for (asked, granted) in [("60", "60"), ("9999", "600"), ("0", "600"), ("x", "600")] {
        let enable = format!(r#"<enable xmlns="urn:xmpp:sm:3" resume="1" max="{asked}"/>"#);
        let heard = Talk::bound().say(&enable);
        assert!(
            heard[0].contains(&format!(r#"max="{granted}""#)),
            "{heard:?}"
        );
    }
}

/// S-06
#[test]
fn a_second_enable_is_refused_and_resets_no_counter() {
    let mut talk = Talk::managed();
    talk.say(MESSAGE);
    let heard = talk.say(r#"<enable xmlns="urn:xmpp:sm:3"/>"#);
    assert!(heard[0].starts_with("<failed "), "{heard:?}");
    assert_eq!(talk.say(R), [a(1)]);
}

#[test]
fn switched_off_it_is_not_offered_and_enable_fails() {
    let mut talk = Talk::with(with_sm(|sm| sm.enabled = false));
    talk.say(OPEN);
    talk.say(AUTH);
    assert!(!talk.say(OPEN)[1].contains("urn:xmpp:sm:3"));
    assert!(
        talk.say(&format!(
            r#"<resume xmlns="urn:xmpp:sm:3" previd="{PREVID}" h="0"/>"#
        ))[0]
            .starts_with("<failed ")
    );
    talk.say(BIND);
    assert!(talk.say(r#"<enable xmlns="urn:xmpp:sm:3"/>"#)[0].contains("<unexpected-request "));
    assert!(talk.say(MESSAGE).is_empty());
}

/// S-07
#[test]
fn stanzas_before_enable_do_not_count() {
    let mut talk = Talk::bound();
    talk.say(MESSAGE);
    talk.deliver("before");
    let mut talk = talk.enable();
    assert_eq!(talk.say(R), [a(0)]);
    assert!(talk.say(&a(0)).is_empty());
}

/// S-08
#[test]
fn h_counts_stanzas_only_and_those_answered_by_an_error_too() {
    let mut talk = Talk::managed();
    talk.say(MESSAGE);
    talk.say(r#"<active xmlns="urn:xmpp:csi:0"/>"#);
    talk.say(R);
    talk.say(&a(0));
    talk.say(r#"<iq xmlns="jabber:client" type="get"/>"#);
    assert!(talk.answers[0].text.contains("<bad-request "));
    assert_eq!(talk.say(R), [a(2)]);
}

/// Rule 1 of the promise: what the backend has not taken does not count.
#[test]
fn h_covers_a_stanza_when_the_backend_has_it_and_not_before() {
    let mut talk = Talk::managed();
    talk.backend_is_slow = true;
    talk.say(MESSAGE);
    assert!(!talk.stream.wants_frame());
    assert!(talk.handled().is_empty());
    assert_eq!(talk.say(R), [a(1)]);
}

/// S-10
#[test]
fn an_h_above_what_was_sent_ends_the_stream_with_both_numbers() {
    let mut talk = Talk::managed();
    talk.deliver("one");
    let heard = talk.say(&a(2));
    assert!(heard[0].contains("<undefined-condition "));
    assert!(
        heard[0]
            .contains(r#"<handled-count-too-high xmlns="urn:xmpp:sm:3" h="2" send-count="1"/>"#)
    );
    assert!(matches!(
        talk.stream.finish(),
        Finish::End { fault: true, .. }
    ));
}

/// S-11, S-12
#[test]
fn an_answer_that_is_no_count_or_an_old_one_frees_nothing() {
    let mut talk = Talk::managed();
    talk.deliver("one");
    talk.deliver("two");
    talk.say(&a(1));
    for h in [
        "",
        r#"h="""#,
        r#"h="-1""#,
        r#"h="x""#,
        r#"h="4294967296""#,
        r#"h="+1""#,
        r#"h="0""#,
    ] {
        assert!(
            talk.say(&format!(r#"<a xmlns="urn:xmpp:sm:3" {h}/>"#))
                .is_empty(),
            "{h}"
        );
    }
    let Finish::Hibernate(sm) = talk.stream.finish() else {
        panic!()
    };
    assert_eq!(sm.unacked_len(), 1);
}

/// S-13
#[test]
fn every_request_is_answered() {
    let mut talk = Talk::managed();
    for _ in 0..5000 {
        assert_eq!(talk.say(R), [a(0)]);
    }
}

/// The frequency of unsolicited acks counts stanzas handled since `<enabled/>`, and nothing else.
#[test]
fn unsolicited_acks_come_after_every_nth_handled_stanza() {
    for (n, expected) in [(0, vec![]), (1, (1..=10).collect()), (3, vec![3, 6, 9])] {
        let mut talk = Talk::with(with_sm(|sm| sm.unsolicited_ack_frequency = n)).bind();
        talk.say(MESSAGE); // before <enable/>: does not count
        let mut talk = talk.enable();
        let mut acks = Vec::new();
        for _ in 0..10 {
            acks.extend(talk.say(MESSAGE));
            talk.say(r#"<active xmlns="urn:xmpp:csi:0"/>"#); // a nonza: does not count
        }
        assert_eq!(
            acks,
            expected.into_iter().map(a).collect::<Vec<_>>(),
            "every {n}th"
        );
        assert_eq!(talk.say(R), [a(10)]);
    }
}

#[test]
fn a_lone_stanza_is_acked_after_the_delay_and_only_once() {
    let mut talk = Talk::with(with_sm(|sm| sm.unsolicited_ack_frequency = 4))
        .bind()
        .enable();
    assert!(talk.say(MESSAGE).is_empty());
    assert!(talk.wait(Duration::from_millis(999)).is_empty());
    assert_eq!(talk.wait(Duration::from_millis(1)), [a(1)]);
    assert!(talk.wait(Duration::from_secs(20)).is_empty());
}

#[test]
fn a_reload_reaches_open_streams() {
    let mut talk = Talk::managed();
    assert!(talk.say(MESSAGE).is_empty());
    talk.options
        .store(Arc::new(with_sm(|sm| sm.unsolicited_ack_frequency = 1)));
    assert_eq!(talk.say(MESSAGE), [a(2)]);
}

/// S-43: after every fifth stanza, one request at a time.
#[test]
fn an_ack_is_requested_after_every_nth_stanza_sent() {
    let mut talk = Talk::managed();
    let requests: Vec<usize> = (1..=12)
        .filter(|n| talk.deliver(&n.to_string()).contains(&R.to_owned()))
        .collect();
    assert_eq!(requests, [5], "the first request is not answered yet");
    assert_eq!(talk.say(&a(5)), [R], "seven more were sent meanwhile");
}

#[test]
fn a_lone_stanza_is_asked_for_after_the_delay() {
    let mut talk = Talk::managed();
    talk.deliver("one");
    assert_eq!(talk.wait(Duration::from_secs(1)), [R]);
    assert!(talk.say(&a(1)).is_empty());
    assert!(talk.wait(Duration::from_secs(100)).is_empty());
}

#[test]
fn a_request_that_is_not_answered_means_that_the_link_is_dead() {
    let mut talk = Talk::managed();
    talk.deliver("one");
    talk.wait(Duration::from_secs(1));
    let heard = talk.wait(Duration::from_secs(60));
    assert!(heard[0].contains("<connection-timeout "), "{heard:?}");
    assert!(matches!(talk.stream.finish(), Finish::Hibernate(_)));
}

/// A client may answer at once and handle what it got later.
#[test]
fn what_an_answer_does_not_cover_is_asked_for_again() {
    let mut talk = Talk::managed();
    talk.deliver("one");
    assert_eq!(talk.wait(Duration::from_secs(1)), [R]);
    assert!(talk.say(&a(0)).is_empty());
    assert_eq!(talk.wait(Duration::from_secs(1)), [R]);
    assert!(talk.say(&a(1)).is_empty());
    assert!(talk.wait(Duration::from_secs(100)).is_empty());
}

#[test]
fn a_full_queue_is_asked_for_again_even_if_requests_go_by_number_alone() {
    let options = with_sm(|sm| {
        sm.max_unacked = 1;
        sm.ack_request_delay = Duration::ZERO;
    });
    let mut talk = Talk::with(options).bind().enable();
    assert_eq!(talk.deliver("one")[1], R);
    assert!(talk.say(&a(0)).is_empty());
    assert!(!talk.stream.has_room());
    assert_eq!(talk.wait(Duration::from_secs(1)), [R]);
}

/// Overflow never drops: nothing more is taken from the mailbox.
#[test]
fn at_its_bound_the_unacked_queue_takes_nothing_more() {
    let mut talk = Talk::with(with_sm(|sm| sm.max_unacked = 10))
        .bind()
        .enable();
    for n in 0..10 {
        talk.deliver(&n.to_string());
    }
    assert!(!talk.stream.has_room());
    talk.stream.set_paused(talk.now, true);
    assert!(
        talk.stream.has_room(),
        "its acks cannot get through while it is paused"
    );
    talk.stream.set_paused(talk.now, false);
    talk.say(&a(4));
    assert!(talk.stream.has_room());
}

/// S-44: in `<a/>` of both sides.
#[test]
fn both_counters_wrap_from_4294967295_to_0() {
    let mut talk = Talk::with(with_sm(|sm| sm.first_h = u32::MAX - 1))
        .bind()
        .enable();
    for n in [u32::MAX, 0, 1] {
        talk.say(MESSAGE);
        assert_eq!(talk.say(R), [a(n)]);
    }
    for n in [u32::MAX, 0, 1] {
        talk.deliver("x");
        assert!(talk.say(&a(n)).is_empty());
    }
    let Finish::Hibernate(sm) = talk.stream.finish() else {
        panic!()
    };
    assert_eq!(sm.unacked_len(), 0);
}

/// S-14
#[test]
fn an_ack_without_news_is_fine() {
    let mut talk = Talk::managed();
    assert!(talk.say(&a(0)).is_empty());
    assert!(talk.say(&a(0)).is_empty());
}

#[test]
fn nonzas_of_stream_management_without_it_are_refused() {
    Talk::bound().expect_fault(R, "unsupported-stanza-type");
    Talk::bound().expect_fault(&a(0), "unsupported-stanza-type");
}
