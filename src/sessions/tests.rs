//! The registry: who holds a resource, who may claim a session, and what is left of it.

use super::*;
use crate::budget::stanza_bytes;
use crate::stanza::address::{BareJid, FullJid};
use crate::stanza::{Kind, MessageType};
use crate::store::journal::{Record, SavedCopies, SavedSession, SavedSm, SavedStanza, SavedState};
use crate::stream::{Copies, Outbound, Sm};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant, SystemTime};

fn bounds() -> SessionsOptions {
    SessionsOptions {
        sessions_per_user: 4,
        send_queue: 2,
        send_queue_bytes: 1_000_000,
        max_unacked: 5,
        max_hibernating_per_user: 2,
        repeat_window: 128,
    }
}

pub(super) fn sessions() -> Sessions {
    Sessions::new(bounds())
}

fn jid(text: &str) -> FullJid {
    FullJid::new(text).unwrap()
}

fn account(text: &str) -> BareJid {
    BareJid::new(text).unwrap()
}

pub(super) fn bind(sessions: &Sessions, text: &str) -> Arc<Session> {
    match sessions.bind(jid(text)) {
        Bind::Bound(session) => session,
        other => panic!("{text}: {other:?}"),
    }
}

fn sm() -> Box<Sm> {
    Box::new(Sm::new(0, Some(Duration::from_secs(600))))
}

fn stanza(text: &str) -> Outbound {
    Outbound::new(
        text.to_owned().into(),
        Kind::Message(MessageType::Chat),
        SystemTime::UNIX_EPOCH,
    )
}

fn texts(ending: &Ending) -> Vec<String> {
    ending
        .leftovers
        .iter()
        .map(|stanza| stanza.text.to_string())
        .collect()
}

/// S-39: 128 random bits, none derived from another.
#[test]
fn ids_parse_back_and_never_repeat() {
    let ids: std::collections::HashSet<_> =
        (0..1000).map(|_| SessionId::random().to_string()).collect();
    assert_eq!(ids.len(), 1000);
    for id in &ids {
        assert_eq!(SessionId::parse(id).unwrap().to_string(), *id);
    }
}

/// S-35
#[test]
fn text_that_is_no_id_is_refused_whatever_it_is() {
    let id = SessionId::random().to_string();
    let upper = "A".repeat(32);
    let long = "0".repeat(1_000_000);
    for text in [
        "",
        "x",
        "../../etc/passwd",
        "<a/>",
        &upper,
        &long,
        &format!("+{}", &id[1..]),
    ] {
        assert!(SessionId::parse(text).is_none());
    }
}

#[test]
fn a_session_is_found_by_account_by_address_and_by_id() {
    let sessions = sessions();
    let session = bind(&sessions, "a@example.org/one");
    bind(&sessions, "a@example.org/two");
    bind(&sessions, "b@example.org/one");
    assert_eq!(sessions.of_account("a@example.org").len(), 2);
    assert_eq!(
        sessions.at(&jid("a@example.org/one")).unwrap().id(),
        session.id()
    );
    assert!(sessions.at(&jid("a@example.org/three")).is_none());
    assert_eq!(sessions.by_id(session.id()).unwrap().jid(), session.jid());
    assert_eq!(sessions.len(), 3);
}

///
#[test]
fn a_resource_has_one_holder_until_it_is_removed() {
    let sessions = sessions();
    let first = bind(&sessions, "a@example.org/one");
    assert!(
        matches!(sessions.bind(jid("a@example.org/one")), Bind::Occupied(holder) if holder.id() == first.id())
    );
    let ending = sessions.close(&first, None, EndReason::Conflict);
    assert!(matches!(
        sessions.bind(jid("a@example.org/one")),
        Bind::Occupied(_)
    ));
    sessions.remove(&ending.session);
    bind(&sessions, "a@example.org/one");
}

/// L-12
#[test]
fn an_account_has_so_many_sessions_and_its_oldest_hibernating_one_makes_room() {
    let sessions = sessions();
    let all: Vec<_> = (0..4)
        .map(|n| bind(&sessions, &format!("a@example.org/{n}")))
        .collect();
    assert!(matches!(
        sessions.bind(jid("a@example.org/x")),
        Bind::TooMany(None)
    ));
    let now = Instant::now();
    sessions.hibernate(&all[2], sm(), now);
    sessions.hibernate(&all[1], sm(), now + Duration::from_secs(1));
    let Bind::TooMany(Some(oldest)) = sessions.bind(jid("a@example.org/x")) else {
        panic!()
    };
    assert_eq!(oldest.id(), all[2].id());
    bind(&sessions, "b@example.org/x");
}

#[test]
fn a_page_that_reloads_leaves_no_more_ghosts_than_allowed() {
    let sessions = sessions();
    let now = Instant::now();
    let mut ended = Vec::new();
    for n in 0..3 {
        let session = bind(&sessions, &format!("a@example.org/{n}"));
        ended.extend(sessions.hibernate(&session, sm(), now + Duration::from_secs(n)));
    }
    assert_eq!(ended.len(), 1, "the oldest goes first");
    assert_eq!(*ended[0].session.jid(), jid("a@example.org/0"));
    assert_eq!(ended[0].reason, EndReason::TooManyHibernating);
}

#[tokio::test]
async fn a_hibernating_session_keeps_what_comes_and_is_claimed_with_it() {
    let sessions = sessions();
    let session = bind(&sessions, "a@example.org/one");
    sessions.hibernate(&session, sm(), Instant::now());
    assert!(matches!(session.deliver(stanza("x")), Delivered::Queued));
    let claimed = sessions
        .claim(&session.id().to_string(), &account("a@example.org"), None)
        .await
        .unwrap();
    assert_eq!(claimed.session.waiting(), 1);
    assert!(claimed.session.is_attached());
    assert_eq!(sessions.hibernating(), 0);
}

/// S-16: and its owner notices nothing.
#[tokio::test]
async fn another_account_never_claims_a_session() {
    let sessions = sessions();
    let session = bind(&sessions, "a@example.org/one");
    sessions.hibernate(&session, sm(), Instant::now());
    let id = session.id().to_string();
    let refused = sessions
        .claim(&id, &account("b@example.org"), None)
        .await
        .unwrap_err();
    assert_eq!(refused.h, None);
    assert!(session.is_hibernating());
    assert!(
        sessions
            .claim(&id, &account("a@example.org"), None)
            .await
            .is_ok()
    );
}

/// S-31: the last `h` of a session that is over, for its own account only.
#[tokio::test]
async fn a_dead_session_leaves_its_last_h() {
    let sessions = sessions();
    let session = bind(&sessions, "a@example.org/one");
    let ending = sessions.close(
        &session,
        Some(Box::new(Sm::new(41, None))),
        EndReason::Closed,
    );
    sessions.remove(&ending.session);
    let id = session.id().to_string();
    let own = sessions
        .claim(&id, &account("a@example.org"), None)
        .await
        .unwrap_err();
    assert_eq!((own.h, own.cause), (Some(41), ClaimFailure::Over));
    let other = sessions
        .claim(&id, &account("b@example.org"), None)
        .await
        .unwrap_err();
    assert_eq!((other.h, other.cause), (None, ClaimFailure::Unknown));
}

/// S-19, S-25: the stream is told, and claims are served one after the other.
#[tokio::test]
async fn a_claim_of_an_attached_session_waits_until_its_stream_lets_go() {
    let sessions = Arc::new(sessions());
    let session = bind(&sessions, "a@example.org/one");
    let id = session.id().to_string();
    let claim = |sessions: Arc<Sessions>, id: String| async move {
        sessions.claim(&id, &account("a@example.org"), None).await
    };
    let first = tokio::spawn(claim(sessions.clone(), id.clone()));
    let mail = std::future::poll_fn(|cx| session.poll_mail(cx, false)).await;
    assert!(matches!(mail, Mail::Command(Command::HandOver)));
    sessions.hibernate(&session, sm(), Instant::now());
    assert!(first.await.unwrap().is_ok());
    let second = tokio::spawn(claim(sessions.clone(), id));
    let mail = std::future::poll_fn(|cx| session.poll_mail(cx, false)).await;
    assert!(matches!(mail, Mail::Command(Command::HandOver)));
    sessions.hibernate(&session, sm(), Instant::now());
    assert!(second.await.unwrap().is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_does_not_let_go_makes_the_claim_fail_after_ten_seconds() {
    let sessions = sessions();
    let session = bind(&sessions, "a@example.org/one");
    let refused = sessions
        .claim(&session.id().to_string(), &account("a@example.org"), None)
        .await;
    assert_eq!(refused.unwrap_err().h, None);
}

#[test]
fn hibernation_ends_at_its_time_and_leaves_what_waited_in_order() {
    let sessions = sessions();
    let session = bind(&sessions, "a@example.org/one");
    session.deliver(stanza("one"));
    let now = Instant::now();
    sessions.hibernate(&session, sm(), now);
    session.deliver(stanza("two"));
    assert!(sessions.expire(now + Duration::from_secs(599)).is_empty());
    let endings = sessions.expire(now + Duration::from_secs(600));
    assert_eq!(texts(&endings[0]), ["one", "two"]);
    assert!(matches!(
        session.deliver(stanza("late")),
        Delivered::Gone(_)
    ));
    assert!(sessions.of_account("a@example.org").is_empty());
    assert!(sessions.expire(now + Duration::from_secs(9999)).is_empty());
}

/// Rule 3 of the promise: at its bound a hibernating session ends, and nothing is dropped.
#[test]
fn a_hibernating_session_takes_stanzas_up_to_the_bound_of_the_unacked_queue() {
    let sessions = sessions();
    let session = bind(&sessions, "a@example.org/one");
    sessions.hibernate(&session, sm(), Instant::now());
    for n in 0..5 {
        assert!(
            matches!(session.deliver(stanza(&n.to_string())), Delivered::Queued),
            "{n}"
        );
    }
    assert!(matches!(session.deliver(stanza("5")), Delivered::Full(_)));
    let ending = sessions.end(&session, EndReason::Overflow).unwrap();
    assert_eq!(ending.leftovers.len(), 5);
}

#[tokio::test]
async fn who_waits_for_a_session_to_go_is_told() {
    let sessions = Arc::new(sessions());
    let session = bind(&sessions, "a@example.org/one");
    let waiting = {
        let (sessions, session) = (sessions.clone(), session.clone());
        tokio::spawn(async move { sessions.gone(&session).await })
    };
    tokio::task::yield_now().await;
    let ending = sessions.close(&session, None, EndReason::Closed);
    sessions.remove(&ending.session);
    waiting.await.unwrap();
    assert!(sessions.is_empty());
}

/// An order that comes while the stream lets go is obeyed, and none is left for the next stream.
#[tokio::test]
async fn orders_do_not_outlive_the_stream_that_they_were_for() {
    let sessions = sessions();
    let session = bind(&sessions, "a@example.org/one");
    session.command(Command::HandOver);
    sessions.hibernate(&session, sm(), Instant::now());
    let id = session.id().to_string();
    let claimed = sessions
        .claim(&id, &account("a@example.org"), None)
        .await
        .unwrap();
    let mail = std::future::poll_fn(|cx| std::task::Poll::Ready(session.poll_mail(cx, false)));
    assert!(mail.await.is_pending(), "the new stream is told to let go");
    session.command(Command::End(EndReason::Revoked));
    let endings = sessions.hibernate(&session, claimed.sm, Instant::now());
    assert_eq!(endings.len(), 1);
    assert_eq!(endings[0].reason, EndReason::Revoked);
    assert!(!session.is_open());
}

#[test]
fn a_session_that_was_resumed_is_not_ended_for_having_hibernated() {
    let sessions = sessions();
    let session = bind(&sessions, "a@example.org/one");
    assert!(
        sessions
            .end_hibernating(&session, EndReason::TooManyHibernating)
            .is_none()
    );
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(
        session.poll_mail(&mut cx, false).is_pending(),
        "its stream is left alone"
    );
}

/// Sessions of accounts `a`, `b` and so on that hold so many bytes of text each.
fn holding(sessions: &Sessions, bytes: &[usize]) -> Vec<Arc<Session>> {
    let names = ["a", "b", "c", "d"];
    let bound = names.iter().zip(bytes).map(|(name, bytes)| {
        let session = bind(sessions, &format!("{name}@example.org/x"));
        session.deliver(stanza(&"x".repeat(*bytes)));
        session
    });
    bound.collect()
}

#[test]
fn nobody_ends_while_all_hold_less_than_they_may() {
    let sessions = sessions();
    sessions.budget().set_limit(100_000);
    let all = holding(&sessions, &[50_000, 40_000]);
    sessions.hibernate(&all[0], sm(), Instant::now());
    let relief = sessions.relieve();
    assert!(relief.endings.is_empty());
    assert_eq!(relief.told, 0);
}

/// The session at `address` holds so many bytes of text.
fn hold(sessions: &Sessions, address: &str, bytes: usize) -> Arc<Session> {
    let session = bind(sessions, address);
    session.deliver(stanza(&"x".repeat(bytes)));
    session
}

/// Those that ended because all held too much, in this order.
fn ended(relief: &Relief) -> Vec<SessionId> {
    let endings = relief.endings.iter();
    endings.map(|ending| ending.session.id()).collect()
}

#[test]
fn at_the_budget_a_client_that_does_not_read_ends_before_small_hibernating_sessions_of_others() {
    let sessions = sessions();
    sessions.budget().set_limit(100_000);
    let all = holding(&sessions, &[60_000, 5_000, 25_000, 10_000]);
    for session in &all[1..] {
        sessions.hibernate(session, sm(), Instant::now());
    }
    let relief = sessions.relieve();
    assert_eq!((relief.endings.len(), relief.told), (0, 1));
    assert!(all[0].goes_for_memory());
    assert!(all[1..].iter().all(|session| session.is_hibernating()));
}

#[test]
fn at_the_budget_the_account_goes_first_that_holds_most_in_all_its_sessions() {
    let sessions = sessions();
    sessions.budget().set_limit(100_000);
    let one = hold(&sessions, "a@example.org/one", 40_000);
    let two = hold(&sessions, "a@example.org/two", 20_000);
    let other = hold(&sessions, "b@example.org/x", 45_000);
    for session in [&two, &other, &one] {
        sessions.hibernate(session, sm(), Instant::now());
    }
    let relief = sessions.relieve();
    assert_eq!(ended(&relief), [one.id()]);
    assert_eq!(relief.endings[0].reason, EndReason::Memory);
    // What it held counts until it is somewhere else.
    assert!(sessions.budget().held() >= 100_000);
    drop(relief);
    assert!(sessions.budget().held() < 80_000);
    sessions.budget().set_limit(60_000);
    assert_eq!(ended(&sessions.relieve()), [other.id()], "now it is b");
}

#[test]
fn of_those_that_hold_the_same_a_hibernating_one_goes_first() {
    let sessions = sessions();
    sessions.budget().set_limit(100_000);
    let all = holding(&sessions, &[40_000, 40_000, 40_000]);
    sessions.hibernate(&all[1], sm(), Instant::now());
    let relief = sessions.relieve();
    assert_eq!(ended(&relief), [all[1].id()]);
    assert_eq!(relief.told, 0);
}

#[test]
fn a_client_that_does_not_read_is_told_once_to_end() {
    let sessions = sessions();
    sessions.budget().set_limit(100_000);
    let all = holding(&sessions, &[60_000, 40_000]);
    sessions.hibernate(&all[1], sm(), Instant::now());
    all[0].deliver(stanza(&"x".repeat(50_000)));
    for told in [1, 0] {
        let relief = sessions.relieve();
        assert_eq!((relief.endings.len(), relief.told), (0, told));
    }
    let mut context = Context::from_waker(Waker::noop());
    assert!(matches!(
        all[0].poll_mail(&mut context, false),
        Poll::Ready(Mail::Command(Command::End(EndReason::Memory)))
    ));
}

/// What comes back from the store after a restart counts like anything else.
#[test]
fn a_session_that_is_brought_back_is_charged_with_what_it_holds() {
    let sessions = sessions();
    let text = "x".repeat(1000);
    let saved = SavedSession {
        id: 1,
        jid: jid("a@example.org/x"),
        sm: Some(SavedSm::default()),
        ended: false,
        state: SavedState::default(),
        recent: Vec::new(),
        stanzas: vec![SavedStanza {
            text: text.clone().into(),
            ..SavedStanza::default()
        }],
    };
    let session = sessions.restore(saved, &Reunion::default(), Instant::now());
    assert_eq!(session.held(), stanza_bytes(1000));
    assert_eq!(sessions.budget().held(), stanza_bytes(1000));
    let ending = sessions.end(&session, EndReason::Expired);
    assert_eq!(ending.map(|ending| texts(&ending)), Some(vec![text]));
    assert_eq!(sessions.budget().held(), 0);
}

/// A message that waits over two stops has the number of the first one; what comes between them
/// must get another.
#[test]
fn copies_of_different_messages_are_told_apart_over_two_stops() {
    let text = "<message xmlns='jabber:client' id='first'/>";
    let waiting = SavedStanza {
        number: 1,
        text: text.into(),
        copies: Some(SavedCopies {
            number: 1,
            original: None,
            arrived: false,
        }),
        ..SavedStanza::default()
    };
    let saved = SavedSession {
        id: 7,
        jid: jid("juliet@example.org/a"),
        sm: Some(SavedSm {
            resume_seconds: Some(600),
            ..SavedSm::default()
        }),
        ended: false,
        state: SavedState::default(),
        recent: Vec::new(),
        stanzas: vec![waiting],
    };
    let sessions = sessions();
    let reunion = Reunion::of(&saved.stanzas);
    let restored = sessions.restore(saved, &reunion, Instant::now());
    let second = stanza("<message xmlns='jabber:client' id='second'/>");
    let copies = Copies::of(&second.text, 2);
    for session in [restored, bind(&sessions, "juliet@example.org/b")] {
        let mut copy = second.clone();
        copy.copies = copies.clone();
        session.deliver(copy);
        if !session.is_hibernating() {
            sessions.hibernate(&session, sm(), Instant::now());
        }
    }
    let mut numbers = Vec::new();
    for record in sessions.to_records() {
        if let Record::Queued { stanza, .. } = record {
            let number = stanza.copies.map(|copies| copies.number);
            numbers.push((stanza.text.contains("second"), number));
        }
    }
    numbers.sort();
    let (first, second) = ((false, Some(1)), (true, Some(2)));
    assert_eq!(numbers, [first, second, second]);
}

/// An admission that ends so many seconds from now; the clock has to be held.
fn ends_in(seconds: u64) -> Arc<crate::auth::Admission> {
    Arc::new(crate::auth::Admission {
        login: Some("L1".to_owned()),
        expires: Some(crate::clock::time_of_day() + Duration::from_secs(seconds)),
        ..Default::default()
    })
}

/// W7
#[tokio::test(start_paused = true)]
async fn w7_a_session_hibernates_until_its_admission_ends_and_not_longer() {
    let _held = crate::clock::held::hold();
    let sessions = sessions();
    let session = bind(&sessions, "a@example.org/one");
    session.set_admission(ends_in(60));
    let now = crate::clock::now();
    sessions.hibernate(&session, sm(), now);
    assert!(sessions.expire(now + Duration::from_secs(59)).is_empty());
    let endings = sessions.expire(now + Duration::from_secs(60));
    assert_eq!(endings[0].reason, EndReason::AccessExpired);
}

/// W7: an admission that lasts longer than `sm.resume_timeout` changes nothing.
#[tokio::test(start_paused = true)]
async fn w7_a_session_with_a_long_admission_expires_as_others_do() {
    let _held = crate::clock::held::hold();
    let sessions = sessions();
    let session = bind(&sessions, "a@example.org/one");
    session.set_admission(ends_in(6000));
    let now = crate::clock::now();
    sessions.hibernate(&session, sm(), now);
    let endings = sessions.expire(now + Duration::from_secs(600));
    assert_eq!(endings[0].reason, EndReason::Expired);
}

/// W7: also where the clock was set, or the machine slept, while it hibernated.
#[tokio::test(start_paused = true)]
async fn w7_a_session_whose_admission_has_ended_is_not_resumed_and_ends_at_the_next_sweep() {
    let _held = crate::clock::held::hold();
    let sessions = sessions();
    let session = bind(&sessions, "a@example.org/one");
    sessions.hibernate(&session, sm(), crate::clock::now());
    session.set_admission(ends_in(0));
    let previd = session.id().to_string();
    let refused = sessions.claim(&previd, session.account(), None).await;
    assert!(refused.is_err());
    let endings = sessions.expire(crate::clock::now());
    assert_eq!(endings[0].reason, EndReason::AccessExpired);
    assert_eq!(sessions.hibernating(), 0);
}

/// W7, with `sm.durability = "restart"`: what the next process makes of what this one hands over.
#[tokio::test(start_paused = true)]
async fn w7_an_admission_outlives_the_process_with_its_session() {
    let _held = crate::clock::held::hold();
    let sessions = sessions();
    let session = bind(&sessions, "a@example.org/one");
    session.set_admission(ends_in(60));
    let now = crate::clock::now();
    sessions.hibernate(&session, sm(), now);
    let records = sessions.to_records();
    let state = records.iter().find_map(|record| match record {
        Record::State { state, .. } => Some((**state).clone()),
        _ => None,
    });
    let saved = SavedSession {
        id: session.id().to_bits(),
        jid: session.jid().clone(),
        sm: Some(SavedSm {
            resume_seconds: Some(600),
            ..SavedSm::default()
        }),
        ended: false,
        state: state.expect("the state"),
        recent: Vec::new(),
        stanzas: Vec::new(),
    };
    let next = self::sessions();
    let restored = next.restore(saved, &Reunion::default(), now);
    assert_eq!(restored.admission(), session.admission());
    assert!(next.expire(now + Duration::from_secs(59)).is_empty());
    let endings = next.expire(now + Duration::from_secs(60));
    assert_eq!(endings[0].reason, EndReason::AccessExpired);
}

/// W7, with `sm.durability = "always"`: it is recorded when it is decided, and once.
#[test]
fn w7_an_admission_is_recorded_when_it_is_decided() {
    let journal = Arc::new(crate::store::journal::Journal::new(1, Box::new(|| {})));
    let sessions = Sessions::with_journal(bounds(), Some(journal.clone()));
    let session = bind(&sessions, "a@example.org/one");
    let admission = Arc::new(crate::auth::Admission {
        login: Some("L1".to_owned()),
        ..Default::default()
    });
    for _ in 0..3 {
        session.set_admission(admission.clone());
    }
    let taken = journal.take().records;
    let states: Vec<_> = taken
        .iter()
        .filter_map(|record| match record {
            Record::State { state, .. } => Some(state.admission.clone()),
            _ => None,
        })
        .collect();
    assert_eq!(states, [Some((*admission).clone())]);
}

/// O10
#[test]
fn o10_a_stanza_that_is_put_back_is_the_first_of_what_is_left_behind() {
    let sessions = sessions();
    let session = bind(&sessions, "a@example.org/one");
    for text in ["first", "second"] {
        session.deliver(stanza(text));
    }
    let mut cx = Context::from_waker(Waker::noop());
    let Poll::Ready(Mail::Stanza(mut first)) = session.poll_mail(&mut cx, true) else {
        panic!("no stanza")
    };
    let held = session.held();
    session.set_wire(&mut first, "other words".into());
    assert_eq!(session.held(), held + "other words".len());
    session.put_back(first);
    let ending = sessions.close(&session, None, EndReason::StreamError);
    assert_eq!(texts(&ending), ["first", "second"]);
}
