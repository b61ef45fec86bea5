//! The tables of RFC 6121 appendix A against the rules.

use crate::backend::local::subscriptions::{Move, Outcome, Standing};
use proptest::prelude::*;

/// The states of RFC 6121 appendix A.1, in its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    None,
    NoneOut,
    NoneIn,
    NoneOutIn,
    To,
    ToIn,
    From,
    FromOut,
    Both,
}

use State::*;

const STATES: [State; 9] = [
    None, NoneOut, NoneIn, NoneOutIn, To, ToIn, From, FromOut, Both,
];

impl State {
    fn standing(self) -> Standing {
        Standing {
            to: matches!(self, To | ToIn | Both),
            from: matches!(self, From | FromOut | Both),
            pending_out: matches!(self, NoneOut | NoneOutIn | FromOut),
            pending_in: matches!(self, NoneIn | NoneOutIn | ToIn),
            approved: false,
        }
    }
}

/// One row of a table: does it pass, and what comes of it, for each of [`STATES`].
type Row = [(bool, State); 9];

const Y: bool = true;
const N: bool = false;

/// Appendix A.2: outbound subscribe, unsubscribe, subscribed, unsubscribed.
const OUTBOUND: [(Move, Row); 4] = [
    (
        Move::Subscribe,
        [
            (Y, NoneOut),
            (Y, NoneOut),
            (Y, NoneOutIn),
            (Y, NoneOutIn),
            (Y, To),
            (Y, ToIn),
            (Y, FromOut),
            (Y, FromOut),
            (Y, Both),
        ],
    ),
    (
        Move::Unsubscribe,
        [
            (Y, None),
            (Y, None),
            (Y, NoneIn),
            (Y, NoneIn),
            (Y, None),
            (Y, NoneIn),
            (Y, From),
            (Y, From),
            (Y, From),
        ],
    ),
    (
        Move::Subscribed,
        [
            (N, None),
            (N, NoneOut),
            (Y, From),
            (Y, FromOut),
            (N, To),
            (Y, Both),
            (N, From),
            (N, FromOut),
            (N, Both),
        ],
    ),
    (
        Move::Unsubscribed,
        [
            (N, None),
            (N, NoneOut),
            (Y, None),
            (Y, NoneOut),
            (N, To),
            (Y, To),
            (Y, None),
            (Y, NoneOut),
            (Y, To),
        ],
    ),
];

/// Appendix A.3: inbound subscribe, unsubscribe, subscribed, unsubscribed.
const INBOUND: [(Move, Row); 4] = [
    (
        Move::Subscribe,
        [
            (Y, NoneIn),
            (Y, NoneOutIn),
            (N, NoneIn),
            (N, NoneOutIn),
            (Y, ToIn),
            (N, ToIn),
            (N, From),
            (N, FromOut),
            (N, Both),
        ],
    ),
    (
        Move::Unsubscribe,
        [
            (N, None),
            (N, NoneOut),
            (Y, None),
            (Y, NoneOut),
            (N, To),
            (Y, To),
            (Y, None),
            (Y, NoneOut),
            (Y, To),
        ],
    ),
    (
        Move::Subscribed,
        [
            (N, None),
            (Y, To),
            (N, NoneIn),
            (Y, ToIn),
            (N, To),
            (N, ToIn),
            (N, From),
            (Y, Both),
            (N, Both),
        ],
    ),
    (
        Move::Unsubscribed,
        [
            (N, None),
            (Y, None),
            (N, NoneIn),
            (Y, NoneIn),
            (Y, None),
            (Y, NoneIn),
            (N, From),
            (Y, From),
            (Y, From),
        ],
    ),
];

fn without_approval(outcome: Outcome) -> (bool, Standing) {
    (
        outcome.passes,
        Standing {
            approved: false,
            ..outcome.standing
        },
    )
}

#[test]
fn every_outbound_stanza_does_what_appendix_a_2_says() {
    for (sent, row) in OUTBOUND {
        for (state, (passes, after)) in STATES.into_iter().zip(row) {
            let outcome = state.standing().outbound(sent);
            assert_eq!(
                without_approval(outcome),
                (passes, after.standing()),
                "{sent:?} in {state:?}"
            );
        }
    }
}

#[test]
fn every_inbound_stanza_does_what_appendix_a_3_says() {
    for (got, row) in INBOUND {
        for (state, (passes, after)) in STATES.into_iter().zip(row) {
            let outcome = state.standing().inbound(got);
            assert_eq!(
                without_approval(outcome),
                (passes, after.standing()),
                "{got:?} in {state:?}"
            );
            let granted_before = matches!(state, From | FromOut | Both);
            assert_eq!(outcome.grants, got == Move::Subscribe && granted_before);
        }
    }
}

fn any_move() -> impl Strategy<Value = Move> {
    prop_oneof![
        Just(Move::Subscribe),
        Just(Move::Subscribed),
        Just(Move::Unsubscribe),
        Just(Move::Unsubscribed),
    ]
}

/// Two rosters, and stanzas that go between them and arrive at once.
#[derive(Debug, Default)]
struct Pair {
    sides: [Standing; 2],
}

impl Pair {
    fn play(&mut self, side: usize, sent: Move) {
        let outcome = self.sides[side].outbound(sent);
        self.sides[side] = outcome.standing;
        if outcome.passes {
            self.arrive(1 - side, sent);
        }
    }

    fn arrive(&mut self, side: usize, got: Move) {
        let outcome = self.sides[side].inbound(got);
        self.sides[side] = outcome.standing;
        if outcome.grants {
            self.arrive(1 - side, Move::Subscribed);
        }
    }
}

proptest! {
    /// Whatever the two do, their rosters agree on who sees whom and who waits for whom.
    #[test]
    fn two_rosters_never_contradict_each_other(
        moves in prop::collection::vec((0..2_usize, any_move()), 0..40),
    ) {
        let mut pair = Pair::default();
        for (side, sent) in moves {
            pair.play(side, sent);
            let [a, b] = pair.sides;
            prop_assert_eq!(a.to, b.from);
            prop_assert_eq!(a.from, b.to);
            prop_assert_eq!(a.pending_out, b.pending_in);
            prop_assert_eq!(a.pending_in, b.pending_out);
            for side in pair.sides {
                prop_assert!(!side.to || !side.pending_out);
            }
        }
    }
}
