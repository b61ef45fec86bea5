//! How long acks take, as far as the stream knows.

use crate::stanza::{Kind, MessageType};
use crate::stream::{Outbound, Sm, SmOptions};
use std::time::{Duration, Instant, SystemTime};

const SECOND: Duration = Duration::from_secs(1);

fn options() -> SmOptions {
    SmOptions {
        enabled: true,
        unsolicited_ack_frequency: 0,
        unsolicited_ack_delay: Duration::ZERO,
        ack_request_frequency: 0,
        ack_request_delay: SECOND,
        ack_timeout: SECOND,
        resume_timeout: SECOND,
        max_hibernating_per_user: 1,
        max_unacked: 100,
        max_unacked_bytes: 10_000,
        first_h: 0,
    }
}

fn stanza() -> Outbound {
    let kind = Kind::Message(MessageType::Chat);
    Outbound::new("<message/>".into(), kind, SystemTime::UNIX_EPOCH)
}

/// Stream management that has sent a stanza at each of these times.
fn having_sent(at: &[Instant]) -> Sm {
    let mut sm = Sm::new(0, Some(SECOND));
    for &now in at {
        sm.on_sent(now, stanza(), &options());
    }
    sm
}

fn about(latency: Option<Duration>, expected: Duration) {
    let latency = latency.expect("a latency");
    let tolerance = Duration::from_millis(1);
    assert!(latency.abs_diff(expected) < tolerance, "{latency:?}");
}

/// W9
#[test]
fn w9_an_ack_takes_as_long_as_the_oldest_stanza_that_it_covers() {
    let now = Instant::now();
    let mut sm = having_sent(&[now, now + SECOND, now + SECOND * 2]);
    sm.on_answer(now + SECOND * 5, 2, &options()).unwrap();
    about(sm.take_ack_latency(), SECOND * 5);
    assert_eq!(sm.take_ack_latency(), None, "once");
    sm.on_answer(now + SECOND * 6, 3, &options()).unwrap();
    about(sm.take_ack_latency(), SECOND * 4);
    assert_eq!(sm.oldest_sent(), None);
}

#[test]
fn an_ack_that_covers_nothing_or_too_much_has_no_latency() {
    let now = Instant::now();
    let mut sm = having_sent(&[now]);
    sm.on_answer(now, 0, &options()).unwrap();
    assert_eq!(sm.take_ack_latency(), None);
    assert!(sm.on_answer(now, 7, &options()).is_err());
    assert_eq!(sm.take_ack_latency(), None);
}

/// The time for which a client was away says nothing of its acks.
#[test]
fn on_resumption_the_clock_begins_anew() {
    let now = Instant::now();
    let mut sm = having_sent(&[now, now]);
    let back = now + SECOND * 300;
    sm.on_resume(back, 1).unwrap();
    assert_eq!(sm.take_ack_latency(), None);
    sm.on_answer(back + SECOND, 2, &options()).unwrap();
    about(sm.take_ack_latency(), SECOND);
}

/// What the last process sent, it sent at no time that is known here.
#[test]
fn what_was_restored_has_no_age_before_it_is_sent_again() {
    let now = Instant::now();
    let mut sm = Sm::restored(0, 0, Some(SECOND), [stanza()]);
    assert_eq!(sm.oldest_sent(), None);
    sm.on_resume(now, 0).unwrap();
    assert!(sm.oldest_sent().is_some());
}
