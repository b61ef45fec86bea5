//! What a mailbox takes, and what it tells senders and its receiver.

use super::*;
use crate::budget::Budget;
use crate::stanza::{Kind, MessageType};
use std::time::SystemTime;

fn push(mailbox: &Mailbox, stanza: Outbound) -> Delivered {
    let line = Line::new(None, crate::sessions::SessionId::random());
    mailbox.push(stanza, &line)
}

fn stanza(bytes: usize) -> Outbound {
    Outbound::new(
        "x".repeat(bytes).into(),
        Kind::Message(MessageType::Chat),
        SystemTime::UNIX_EPOCH,
    )
}

fn mailbox(soft: usize, hard: usize) -> Mailbox {
    mailbox_of(&Budget::unlimited(), soft, hard)
}

fn mailbox_of(budget: &Arc<Budget>, soft: usize, hard: usize) -> Mailbox {
    let amount = |stanzas: usize| Amount {
        stanzas,
        bytes: stanzas * 100,
    };
    let bounds = Bounds {
        soft: amount(soft),
        hard: amount(hard),
    };
    Mailbox::new(bounds, Ledger::new(budget))
}

fn context() -> Context<'static> {
    Context::from_waker(Waker::noop())
}

#[test]
fn over_the_soft_bound_senders_are_pressed_and_at_the_hard_one_refused() {
    let mailbox = mailbox(2, 4);
    assert!(matches!(push(&mailbox, stanza(1)), Delivered::Queued));
    assert!(matches!(push(&mailbox, stanza(1)), Delivered::Queued));
    assert!(matches!(push(&mailbox, stanza(1)), Delivered::Pressed));
    assert!(matches!(push(&mailbox, stanza(1)), Delivered::Pressed));
    assert!(matches!(push(&mailbox, stanza(1)), Delivered::Full(_)));
    assert_eq!(mailbox.len(), 4);
}

#[test]
fn bytes_press_as_stanzas_do() {
    let mailbox = mailbox(2, 4);
    assert!(matches!(push(&mailbox, stanza(201)), Delivered::Pressed));
    assert!(matches!(push(&mailbox, stanza(201)), Delivered::Pressed));
    assert!(matches!(push(&mailbox, stanza(1)), Delivered::Full(_)));
}

#[test]
fn a_pressed_sender_goes_on_when_the_mailbox_is_below_its_bound() {
    let mailbox = mailbox(1, 4);
    push(&mailbox, stanza(1));
    push(&mailbox, stanza(1));
    assert!(mailbox.poll_relieved(&mut context()).is_pending());
    assert!(mailbox.poll_mail(&mut context(), true).is_ready());
    assert!(mailbox.poll_relieved(&mut context()).is_ready());
}

#[test]
fn a_mailbox_that_nobody_empties_has_no_room_until_somebody_does() {
    let mailbox = mailbox(1, 4);
    let Bounds { soft, hard } = mailbox.lock().bounds;
    assert!(mailbox.has_room());
    mailbox.set_bounds(Bounds {
        soft: Amount::UNLIMITED,
        hard,
    });
    assert!(!mailbox.has_room());
    assert!(mailbox.poll_room(&mut context()).is_pending());
    mailbox.set_bounds(Bounds { soft, hard });
    assert!(mailbox.poll_room(&mut context()).is_ready());
    push(&mailbox, stanza(1));
    push(&mailbox, stanza(1));
    assert!(mailbox.poll_room(&mut context()).is_pending());
    mailbox.close();
    assert!(!mailbox.has_room());
    assert!(mailbox.poll_room(&mut context()).is_ready());
}

#[test]
fn a_closed_mailbox_gives_back_what_waits_and_what_comes() {
    let mailbox = mailbox(1, 4);
    push(&mailbox, stanza(1));
    push(&mailbox, stanza(1));
    assert_eq!(mailbox.close().map(|rest| rest.len()), Some(2));
    assert!(mailbox.close().is_none(), "once");
    assert!(matches!(push(&mailbox, stanza(1)), Delivered::Gone(_)));
    assert!(mailbox.poll_relieved(&mut context()).is_ready());
}

#[test]
fn commands_come_before_stanzas_and_an_end_is_not_overruled() {
    let mailbox = mailbox(1, 4);
    push(&mailbox, stanza(1));
    mailbox.command(Command::End(EndReason::Conflict));
    mailbox.command(Command::HandOver);
    let mail = mailbox.poll_mail(&mut context(), true);
    assert!(matches!(
        mail,
        Poll::Ready(Mail::Command(Command::End(EndReason::Conflict)))
    ));
    assert!(matches!(
        mailbox.poll_mail(&mut context(), false),
        Poll::Pending
    ));
    assert!(matches!(
        mailbox.poll_mail(&mut context(), true),
        Poll::Ready(Mail::Stanza(_))
    ));
}

#[test]
fn while_much_is_held_unread_mail_presses_and_reading_it_relieves() {
    let budget = Budget::unlimited();
    let mailbox = mailbox_of(&budget, 100, 200);
    budget.set_limit(4 * stanza_bytes(1));
    let others = Ledger::new(&budget);
    let _held = others.charge(2 * stanza_bytes(1));
    assert!(matches!(push(&mailbox, stanza(1)), Delivered::Queued));
    assert!(mailbox.poll_relieved(&mut context()).is_ready());
    budget.set_limit(5 * stanza_bytes(1));
    assert!(matches!(push(&mailbox, stanza(1)), Delivered::Pressed));
    assert!(mailbox.poll_relieved(&mut context()).is_pending());
    assert!(!mailbox.has_room());
    assert!(mailbox.poll_mail(&mut context(), true).is_ready());
    assert!(mailbox.poll_relieved(&mut context()).is_ready());
    assert!(mailbox.has_room());
}

#[test]
fn when_the_budget_is_used_up_every_sender_is_pressed_until_it_is_not() {
    let budget = Budget::unlimited();
    let mailbox = mailbox_of(&budget, 100, 200);
    budget.set_limit(1000);
    let others = Ledger::new(&budget).charge(1000);
    assert!(matches!(push(&mailbox, stanza(1)), Delivered::Pressed));
    assert!(mailbox.poll_relieved(&mut context()).is_pending());
    drop(others);
    assert!(mailbox.poll_relieved(&mut context()).is_ready());
}

#[test]
fn a_stanza_is_charged_until_it_is_gone_wherever_it_went() {
    let budget = Budget::unlimited();
    let mailbox = mailbox_of(&budget, 100, 200);
    push(&mailbox, stanza(100));
    push(&mailbox, stanza(100));
    assert_eq!(budget.held(), 2 * stanza_bytes(100));
    let mail = mailbox.poll_mail(&mut context(), true);
    assert_eq!(budget.held(), 2 * stanza_bytes(100));
    drop(mail);
    assert_eq!(budget.held(), stanza_bytes(100));
    let rest = mailbox.close().unwrap();
    assert_eq!(budget.held(), stanza_bytes(100));
    drop(rest);
    assert_eq!(budget.held(), 0);
}
