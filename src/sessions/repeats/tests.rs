//! Which messages count as repeats.

use super::*;
use crate::sessions::{Bind, SessionsOptions};
use crate::stanza::address::FullJid;
use crate::stream::Sm;

const MESSAGE: u64 = 42;
const ROMEO: &str = "romeo@example.org";

fn with_window(repeat_window: usize) -> Sessions {
    Sessions::new(SessionsOptions {
        sessions_per_user: 100,
        send_queue: 2,
        send_queue_bytes: 1_000_000,
        max_unacked: 5,
        max_hibernating_per_user: 100,
        repeat_window,
    })
}

fn sessions() -> Sessions {
    with_window(4)
}

fn bind_as(sessions: &Sessions, jid: &str) -> Arc<Session> {
    match sessions.bind(FullJid::new(jid).unwrap()) {
        Bind::Bound(session) => session,
        other => panic!("{jid}: {other:?}"),
    }
}

fn bind(sessions: &Sessions, resource: &str) -> Arc<Session> {
    bind_as(sessions, &format!("{ROMEO}/{resource}"))
}

fn hibernate(sessions: &Sessions, session: &Arc<Session>) {
    let sm = Box::new(Sm::new(0, Some(Duration::from_secs(600))));
    assert!(sessions.hibernate(session, sm, Instant::now()).is_empty());
}

fn end(sessions: &Sessions, session: &Arc<Session>, reason: EndReason) {
    sessions.close(session, None, reason);
    sessions.remove(session);
}

/// A session that handled [`MESSAGE`] and ended.
fn ended(sessions: &Sessions, reason: EndReason) {
    let session = bind(sessions, "first");
    assert!(!sessions.note_message(&session, MESSAGE));
    end(sessions, &session, reason);
}

#[test]
fn what_a_lost_session_sent_is_a_repeat_in_the_next_one_and_once_only() {
    let sessions = sessions();
    ended(&sessions, EndReason::LinkLost);
    let second = bind(&sessions, "second");
    assert!(sessions.note_message(&second, MESSAGE));
    assert!(!sessions.note_message(&second, MESSAGE));
}

#[test]
fn a_session_that_ended_in_order_leaves_nothing_to_repeat() {
    for reason in [EndReason::Closed, EndReason::Revoked] {
        let sessions = sessions();
        ended(&sessions, reason);
        assert!(!sessions.note_message(&bind(&sessions, "second"), MESSAGE));
    }
}

#[test]
fn every_other_ending_is_a_loss() {
    for reason in [
        EndReason::Expired,
        EndReason::TooManyHibernating,
        EndReason::Conflict,
        EndReason::Overflow,
        EndReason::StreamError,
        EndReason::Shutdown,
    ] {
        let sessions = sessions();
        ended(&sessions, reason);
        assert!(sessions.note_message(&bind(&sessions, "second"), MESSAGE));
    }
}

#[test]
fn a_session_may_repeat_itself() {
    let sessions = sessions();
    let session = bind(&sessions, "first");
    assert!(!sessions.note_message(&session, MESSAGE));
    hibernate(&sessions, &session);
    assert!(!sessions.note_message(&session, MESSAGE));
}

#[test]
fn another_account_repeats_nothing() {
    let sessions = sessions();
    ended(&sessions, EndReason::LinkLost);
    let nurse = bind_as(&sessions, "nurse@example.org/second");
    assert!(!sessions.note_message(&nurse, MESSAGE));
}

#[test]
fn while_a_stream_carries_the_first_session_nothing_repeats_it() {
    let sessions = sessions();
    let first = bind(&sessions, "first");
    sessions.note_message(&first, MESSAGE);
    assert!(!sessions.note_message(&bind(&sessions, "second"), MESSAGE));
}

/// Two pages of one web client that count their ids from 1: one loses its link.
#[test]
fn a_session_that_was_there_before_the_first_copy_does_not_repeat_it() {
    let sessions = sessions();
    let first = bind(&sessions, "first");
    let other = bind(&sessions, "other");
    sessions.note_message(&first, MESSAGE);
    hibernate(&sessions, &first);
    assert!(!sessions.note_message(&other, MESSAGE));
    assert!(sessions.note_message(&bind(&sessions, "second"), MESSAGE));
}

#[tokio::test]
async fn a_session_that_was_resumed_is_not_lost_any_more() {
    let sessions = sessions();
    let first = bind(&sessions, "first");
    sessions.note_message(&first, MESSAGE);
    hibernate(&sessions, &first);
    let account = first.account().clone();
    let claimed = sessions
        .claim(&first.id().to_string(), &account, None)
        .await;
    assert!(claimed.is_ok());
    assert!(!sessions.note_message(&bind(&sessions, "second"), MESSAGE));
    assert_eq!(first.recent(), [MESSAGE]);
}

#[test]
fn a_repeat_that_is_lost_in_its_turn_may_be_repeated() {
    let sessions = sessions();
    ended(&sessions, EndReason::LinkLost);
    let second = bind(&sessions, "second");
    assert!(sessions.note_message(&second, MESSAGE));
    end(&sessions, &second, EndReason::LinkLost);
    assert!(sessions.note_message(&bind(&sessions, "third"), MESSAGE));
}

#[test]
fn no_more_than_the_window_is_remembered_and_the_oldest_goes_first() {
    let sessions = sessions();
    let session = bind(&sessions, "first");
    for message in 0..6 {
        sessions.note_message(&session, message);
    }
    assert_eq!(session.recent(), [2, 3, 4, 5]);
}

#[test]
fn a_window_of_0_remembers_nothing_of_sessions_that_end() {
    let sessions = with_window(0);
    assert!(!sessions.remembers_messages());
    ended(&sessions, EndReason::LinkLost);
    assert!(!sessions.note_message(&bind(&sessions, "second"), MESSAGE));
}

#[test]
fn what_was_refused_in_the_end_may_be_sent_again() {
    let sessions = sessions();
    let first = bind(&sessions, "first");
    sessions.note_message(&first, MESSAGE);
    first.forget_message(MESSAGE);
    end(&sessions, &first, EndReason::LinkLost);
    assert!(!sessions.note_message(&bind(&sessions, "second"), MESSAGE));
}

#[test]
fn what_found_no_place_may_be_sent_again_whether_its_session_hibernates_or_ended() {
    let sessions = sessions();
    let account: BareJid = ROMEO.parse().unwrap();
    ended(&sessions, EndReason::LinkLost);
    sessions.forget_message(&account, MESSAGE);
    let second = bind(&sessions, "second");
    assert!(!sessions.note_message(&second, MESSAGE));
    hibernate(&sessions, &second);
    sessions.forget_message(&account, MESSAGE);
    assert!(!sessions.note_message(&bind(&sessions, "third"), MESSAGE));
}

#[test]
fn an_ended_session_is_remembered_for_an_hour() {
    let sessions = sessions();
    ended(&sessions, EndReason::LinkLost);
    let second = bind(&sessions, "second");
    let before = Instant::now() + ENDED_KEPT - Duration::from_secs(60);
    assert!(sessions.expire(before).is_empty());
    assert_eq!(lock(&sessions.ended_messages).accounts.len(), 1);
    assert!(sessions.expire(Instant::now() + ENDED_KEPT).is_empty());
    assert!(lock(&sessions.ended_messages).accounts.is_empty());
    assert!(!sessions.note_message(&second, MESSAGE));
}

#[test]
fn an_account_has_so_many_lost_sessions_and_the_oldest_is_forgotten() {
    let sessions = sessions();
    for message in 0..=MAX_LOST_PER_ACCOUNT as u64 {
        let session = bind(&sessions, "first");
        sessions.note_message(&session, message);
        end(&sessions, &session, EndReason::LinkLost);
    }
    let last = bind(&sessions, "last");
    assert!(!sessions.note_message(&last, 0));
    assert!(sessions.note_message(&last, 1));
}

#[test]
fn all_accounts_together_have_so_many_ended_sessions_and_the_oldest_is_forgotten() {
    let sessions = sessions();
    ended(&sessions, EndReason::LinkLost);
    for n in 0..MAX_ENDED {
        let session = bind_as(&sessions, &format!("nurse{}@example.org/a", n / 10));
        sessions.note_message(&session, MESSAGE);
        end(&sessions, &session, EndReason::LinkLost);
    }
    assert!(!sessions.note_message(&bind(&sessions, "second"), MESSAGE));
    let kept = lock(&sessions.ended_messages);
    assert_eq!(kept.oldest_first.len(), MAX_ENDED);
    assert_eq!(kept.accounts.len(), MAX_ENDED / 10);
}

#[test]
fn a_session_that_sent_nothing_takes_no_place_among_the_lost() {
    let sessions = sessions();
    ended(&sessions, EndReason::LinkLost);
    for _ in 0..=MAX_LOST_PER_ACCOUNT {
        let session = bind(&sessions, "silent");
        end(&sessions, &session, EndReason::LinkLost);
    }
    assert!(sessions.note_message(&bind(&sessions, "second"), MESSAGE));
}

#[test]
fn a_session_from_the_store_counts_as_lost_and_repeats_nothing_of_others() {
    let sessions = sessions();
    let first = bind(&sessions, "first");
    let other = bind(&sessions, "other");
    first.restore_recent(vec![1, MESSAGE]);
    other.restore_recent(Vec::new());
    assert_eq!(first.recent(), [1, MESSAGE]);
    assert!(!sessions.note_message(&other, MESSAGE));
    assert!(sessions.note_message(&bind(&sessions, "second"), MESSAGE));
    assert_eq!(first.recent(), [1]);
}
