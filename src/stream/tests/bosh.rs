//! What is different over BOSH, where opening and closing are calls and not frames.

use super::*;

fn managed_over_bosh() -> Talk {
    let mut talk = Talk::managed();
    talk.stream.framing = Framing::Bosh;
    talk
}

/// XEP-0206 §5: the session must not fall back to before its login, and its unacked queue with it.
#[test]
fn restart_of_a_bound_stream_is_a_fault_and_the_session_ends_with_all_it_has() {
    let mut talk = managed_over_bosh();
    talk.deliver("one");
    let restart = OpenRequest {
        to: Some("example.org".into()),
        version: Some("1.0".into()),
    };
    talk.stream.on_open(talk.now, &restart);
    assert!(talk.stream.is_closing());
    let Finish::End {
        sm: Some(sm),
        fault: true,
        ..
    } = talk.stream.finish()
    else {
        panic!("the session is lost")
    };
    assert_eq!(sm.unacked_len(), 1);
}

/// B-25: nor does a restart before login forget how often it failed.
#[test]
fn restart_before_login_is_a_fault() {
    let mut talk = Talk::new();
    talk.say(OPEN);
    talk.stream.on_open(talk.now, &OpenRequest::default());
    assert!(talk.stream.is_closing());
}

/// XEP-0124 §10: a client may be away for longer than `sm.ack_timeout`.
#[test]
fn request_that_is_not_answered_leaves_the_stream_alone() {
    let mut talk = managed_over_bosh();
    talk.deliver("one");
    talk.wait(Duration::from_secs(1));
    let heard = talk.wait(Duration::from_secs(600));
    assert!(heard.is_empty(), "{heard:?}");
    assert!(!talk.stream.is_closing());
}
