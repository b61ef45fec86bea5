//! A link is lost, and the session goes on (XEP-0198 §5).

use super::*;
use proptest::prelude::*;

const R: &str = r#"<r xmlns="urn:xmpp:sm:3"/>"#;

fn resume(h: impl std::fmt::Display) -> String {
    format!(r#"<resume xmlns="urn:xmpp:sm:3" previd="{PREVID}" h="{h}"/>"#)
}

fn resumed(h: u32) -> String {
    format!(r#"<resumed xmlns="urn:xmpp:sm:3" previd="{PREVID}" h="{h}"/>"#)
}

fn bodies(heard: &[String]) -> Vec<&str> {
    let body = |text: &'_ str| -> Option<(usize, usize)> {
        Some((text.find("<body>")? + 6, text.find("</body>")?))
    };
    heard
        .iter()
        .filter_map(|text| body(text).map(|(from, to)| &text[from..to]))
        .collect()
}

/// S-20, S-21, S-22
#[test]
fn resumption_sends_exactly_what_is_missing_in_order_and_goes_on_counting() {
    let mut talk = Talk::managed();
    talk.say(MESSAGE);
    for body in ["one", "two", "three"] {
        talk.deliver(body);
    }
    let mut talk = talk.resume(0);
    let heard = talk.say(&resume(1));
    assert_eq!(heard[0], resumed(1));
    assert_eq!(bodies(&heard), ["two", "three"]);
    assert_eq!(heard[3], R);
    talk.say(MESSAGE);
    assert_eq!(talk.say(R), [r#"<a xmlns="urn:xmpp:sm:3" h="2"/>"#]);
    talk.deliver("four");
    assert!(talk.say(r#"<a xmlns="urn:xmpp:sm:3" h="4"/>"#).is_empty());
}

/// All or none: mixed stamps put Converse's display out of order.
#[test]
fn everything_sent_late_is_stamped_and_what_comes_after_it_is_not() {
    let mut talk = Talk::managed();
    talk.deliver("unacked");
    let mut talk = talk.resume(1);
    let heard = talk.say(&resume(0));
    let stamp =
        "<delay xmlns='urn:xmpp:delay' from='example.org' stamp='1970-01-01T00:00:01.000Z'/>";
    assert!(heard[1].contains("unacked") && heard[1].contains(stamp));
    assert!(talk.deliver("waited")[0].contains(stamp));
    assert!(!talk.deliver("fresh")[0].contains("urn:xmpp:delay"));
}

#[test]
fn what_is_sent_late_twice_carries_one_stamp() {
    let mut talk = Talk::managed();
    talk.deliver("unacked");
    let mut talk = talk.resume(0);
    talk.say(&resume(0));
    let mut talk = talk.resume(0);
    let heard = talk.say(&resume(0));
    assert_eq!(heard[1].matches("urn:xmpp:delay").count(), 1);
}

/// S-15: `h` tells what need not be sent again; then bind works.
#[test]
fn an_unknown_previd_fails_and_bind_works_after_it() {
    let mut talk = Talk::new();
    talk.log_in();
    for previd in ["nope", "", "../../etc/passwd", "&lt;x/&gt;"] {
        let heard = talk.say(&format!(
            r#"<resume xmlns="urn:xmpp:sm:3" previd="{previd}" h="0"/>"#
        ));
        assert_eq!(
            heard,
            [
                r#"<failed xmlns="urn:xmpp:sm:3" h="7"><item-not-found xmlns="urn:ietf:params:xml:ns:xmpp-stanzas"/></failed>"#
            ]
        );
    }
    assert!(talk.say(BIND)[0].contains("<jid>"));
}

/// S-24
#[test]
fn a_resume_without_a_count_is_a_bad_request() {
    let mut talk = Talk::managed();
    talk.deliver("one");
    let mut talk = talk.resume(0);
    for h in ["-1", "x", "", "4294967296"] {
        let heard = talk.say(&resume(h));
        assert!(
            heard[0].starts_with("<failed ") && heard[0].contains("<bad-request "),
            "{heard:?}"
        );
    }
    let without = format!(r#"<resume xmlns="urn:xmpp:sm:3" previd="{PREVID}"/>"#);
    assert!(talk.say(&without)[0].contains("<bad-request "));
    assert_eq!(talk.say(&resume(0))[0], resumed(0));
}

/// S-24, S-10
#[test]
fn a_resume_whose_h_is_too_high_ends_the_session_and_loses_nothing() {
    let mut talk = Talk::managed();
    talk.deliver("one");
    let mut talk = talk.resume(0);
    talk.expect_fault(&resume(2), "undefined-condition");
    let Finish::End { sm: Some(sm), .. } = talk.stream.finish() else {
        panic!()
    };
    assert_eq!(sm.into_unacked().count(), 1);
}

/// S-18
#[test]
fn resume_after_bind_is_unexpected() {
    assert!(Talk::managed().say(&resume(0))[0].contains("<unexpected-request "));
}

/// S-19: the old stream hears why; the session goes on elsewhere.
#[test]
fn a_stream_whose_session_is_resumed_elsewhere_gets_conflict_and_keeps_nothing_back() {
    let mut talk = Talk::managed();
    talk.deliver("one");
    talk.stream.hand_over(talk.now);
    let heard = talk.hear();
    assert!(
        heard[0].contains("<conflict ") && heard[1] == CLOSE,
        "{heard:?}"
    );
    let Finish::Hibernate(sm) = talk.stream.finish() else {
        panic!()
    };
    assert_eq!(sm.unacked_len(), 1);
}

/// S-26
#[test]
fn a_session_is_resumed_a_thousand_times() {
    let mut talk = Talk::managed();
    for n in 0..1000 {
        talk.deliver(&n.to_string());
        talk.say(MESSAGE);
        talk = talk.resume(0);
        let heard = talk.say(&resume(n));
        assert_eq!(heard[0], resumed(n + 1));
        assert_eq!(bodies(&heard), [n.to_string()]);
    }
}

/// S-27, S-28
#[test]
fn after_close_the_session_is_dead_and_after_a_lost_link_it_is_not() {
    let mut talk = Talk::managed();
    talk.say(r#"<close xmlns="urn:ietf:params:xml:ns:xmpp-framing"/>"#);
    assert!(matches!(
        talk.stream.finish(),
        Finish::End {
            closed_by_client: true,
            ..
        }
    ));
    assert!(matches!(
        Talk::managed().stream.finish(),
        Finish::Hibernate(_)
    ));
    assert!(matches!(
        Talk::bound().stream.finish(),
        Finish::End {
            closed_by_client: false,
            ..
        }
    ));
}

/// S-44: in `<resume/>` and `<resumed/>`.
#[test]
fn resumption_counts_across_the_wrap() {
    let mut options = options();
    options.sm.first_h = u32::MAX;
    let mut talk = Talk::with(options).bind().enable();
    talk.say(MESSAGE);
    for body in ["one", "two", "three"] {
        talk.deliver(body);
    }
    let mut talk = talk.resume(0);
    let heard = talk.say(&resume(0));
    assert_eq!(heard[0], resumed(0));
    assert_eq!(bodies(&heard), ["two", "three"]);
}

/// What a client saw and sent, by its own count.
#[derive(Default)]
struct Client {
    got: Vec<u32>,
    h: u32,
    sent: u32,
    acked_h: u32,
}

impl Client {
    /// Reads the first `seen` of the frames; the others are lost with the link.
    fn read(&mut self, heard: &[String], seen: usize) {
        for text in &heard[..seen.min(heard.len())] {
            if let [body] = bodies(std::slice::from_ref(text))[..] {
                self.got.push(body.parse().unwrap());
                self.h = self.h.wrapping_add(1);
            }
        }
    }
}

#[derive(Debug, Clone)]
enum Step {
    /// The server delivers one.
    Deliver,
    /// The client sends one; whether it gets through before the link breaks.
    Send,
    /// The client acks what it got.
    Ack,
    /// The link is cut: so many of the last frames never arrive.
    Cut { lost: usize },
    /// Time passes.
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => Just(Step::Deliver),
        4 => Just(Step::Send),
        3 => Just(Step::Ack),
        2 => (0_usize..12).prop_map(|lost| Step::Cut { lost }),
        1 => (0_u64..3).prop_map(Step::Wait),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// The promise, in both directions: each stanza once and in order, whatever is cut.
    #[test]
    fn nothing_is_lost_or_doubled_over_links_that_break(
        first_h in prop_oneof![Just(0_u32), Just(u32::MAX - 4), any::<u32>()],
        steps in prop::collection::vec(step(), 1..120),
    ) {
        let mut options = options();
        options.sm.first_h = first_h;
        let mut talk = Talk::with(options).bind().enable();
        let mut client = Client { h: first_h, acked_h: first_h, ..Client::default() };
        let (mut delivered, mut received) = (0_u32, Vec::new());
        // Frames in flight to the client.
        let mut wire: Vec<String> = Vec::new();
        for step in steps.into_iter().chain([Step::Cut { lost: 0 }]) {
            match step {
                Step::Deliver if talk.stream.has_room() => {
                    wire.extend(talk.deliver(&delivered.to_string()));
                    delivered += 1;
                }
                Step::Deliver => {}
                Step::Send => {
                    wire.extend(talk.say(&MESSAGE.replace("hi", &client.sent.to_string())));
                    client.sent += 1;
                }
                Step::Ack => {
                    let all = std::mem::take(&mut wire);
                    client.read(&all, all.len());
                    let h = client.h;
                    wire.extend(talk.say(&format!(r#"<a xmlns="urn:xmpp:sm:3" h="{h}"/>"#)));
                }
                Step::Wait(seconds) => wire.extend(talk.wait(Duration::from_secs(seconds))),
                Step::Cut { lost } => {
                    let seen = wire.len().saturating_sub(lost);
                    client.read(&std::mem::take(&mut wire), seen);
                    received.extend(talk.routed.iter().map(|stanza| stanza.text.clone()));
                    talk = talk.resume(0);
                    let heard = talk.say(&resume(client.h));
                    let handled: u32 = heard[0].rsplit("h=\"").next().unwrap()
                        .trim_end_matches("\"/>").parse().unwrap();
                    // All that was said got through: the client has nothing to send again.
                    prop_assert_eq!(handled.wrapping_sub(first_h), client.sent);
                    client.acked_h = handled;
                    wire = heard;
                }
            }
        }
        client.read(&wire, wire.len());
        prop_assert_eq!(&client.got, &(0..delivered).collect::<Vec<_>>());
        let texts: Vec<_> = received.iter().map(|text| text.to_string()).collect();
        let expected: Vec<_> = (0..client.sent).map(|n| n.to_string()).collect();
        prop_assert_eq!(bodies(&texts), expected.iter().map(String::as_str).collect::<Vec<_>>());
    }
}

/// XEP-0198 §4: the last ack before a close spares the client to send again what is handled.
#[test]
fn a_close_of_either_side_is_preceded_by_what_was_handled() {
    let ack = r#"<a xmlns="urn:xmpp:sm:3" h="1"/>"#;
    let mut talk = Talk::managed();
    talk.say(MESSAGE);
    let heard = talk.say(r#"<close xmlns="urn:ietf:params:xml:ns:xmpp-framing"/>"#);
    assert_eq!(heard, [ack, CLOSE]);
    let mut talk = Talk::managed();
    talk.say(MESSAGE);
    talk.stream.end(talk.now, StreamFault::Shutdown);
    assert_eq!(talk.hear()[0], ack);
}

/// The backend takes responsibility for a stanza while the stream ends: it counts.
#[test]
fn a_stanza_in_hand_when_the_stream_ends_is_counted() {
    let mut talk = Talk::managed();
    talk.backend_is_slow = true;
    talk.say(MESSAGE);
    talk.stream.end(talk.now, StreamFault::Shutdown);
    talk.handled();
    let Finish::End { sm: Some(sm), .. } = talk.stream.finish() else {
        panic!()
    };
    assert_eq!(sm.handled(), 1);
}

/// The login time-out strikes while the session is claimed: what it holds is not taken for acked.
#[test]
fn a_session_that_is_claimed_too_late_waits_for_the_next_stream_with_all_it_holds() {
    let mut talk = Talk::managed();
    talk.deliver("one");
    let Finish::Hibernate(sm) = talk.stream.finish() else {
        panic!()
    };
    let mut late = Talk::new();
    late.log_in();
    late.stream.on_frame(late.now, &resume(0));
    assert!(matches!(
        late.stream.poll_event(),
        Some(Event::Resume { .. })
    ));
    late.wait(Duration::from_secs(31));
    let jid = account().with_resource_str("balcony").unwrap();
    let previd = PREVID.to_owned();
    let reply = Reply::Resumed {
        jid,
        previd,
        sm,
        waiting: 0,
    };
    late.stream.on_backend(late.now, reply);
    let Finish::Hibernate(sm) = late.stream.finish() else {
        panic!("it is lost")
    };
    assert_eq!(sm.unacked_len(), 1);
}

/// A client that waits for a slow recipient cannot answer, and is not dead for that.
#[test]
fn an_ack_that_cannot_be_read_is_not_missed_until_the_client_is_read_again() {
    let mut talk = Talk::managed();
    talk.deliver("one");
    talk.wait(Duration::from_secs(1));
    talk.stream.set_paused(talk.now, true);
    assert!(talk.wait(Duration::from_secs(300)).is_empty());
    talk.stream.set_paused(talk.now, false);
    assert!(talk.wait(Duration::from_secs(59)).is_empty());
    assert!(talk.wait(Duration::from_secs(1))[0].contains("<connection-timeout "));
}

/// RFC 7395 §3.6: no `<close/>`, so that the client comes back; and it need not send again what
/// was handled.
#[test]
fn a_server_that_stops_leaves_a_session_that_can_be_resumed_after_a_last_ack() {
    let mut talk = Talk::managed();
    talk.say(MESSAGE);
    talk.stream.leave(talk.now);
    let ack = r#"<a xmlns="urn:xmpp:sm:3" h="1"/>"#;
    assert_eq!(talk.hear(), [ack, "(the link ends)"]);
    assert!(talk.stream.is_over());
    assert_eq!(talk.resume(0).say(&resume(0)), [resumed(1)]);
}

#[test]
fn a_server_that_stops_ends_a_session_that_cannot_be_resumed() {
    let mut talk = Talk::bound();
    talk.stream.leave(talk.now);
    let heard = talk.hear();
    assert!(heard[0].contains("<system-shutdown "), "{heard:?}");
    assert_eq!(heard[1..], [CLOSE]);
    assert!(matches!(talk.stream.finish(), Finish::End { .. }));
}
