//! Proof that nothing is lost, doubled or out of order: each flow numbers its stanzas from 0.

use std::collections::BTreeSet;
use std::ops::AddAssign;

/// One flow, from one sender to one receiver.
#[derive(Default)]
pub struct Ledger {
    pub sent: u64,
    pub received: u64,
    next: u64,
    missing: BTreeSet<u64>,
    doubled: u64,
    reordered: u64,
}

#[derive(Default, Clone, Copy, Debug, PartialEq)]
pub struct Faults {
    pub lost: u64,
    pub doubled: u64,
    pub reordered: u64,
    pub dropped: u64,
}

impl Ledger {
    pub fn number(&mut self) -> u64 {
        self.sent += 1;
        self.sent - 1
    }

    /// Books a stanza; whether it is one that was waited for.
    pub fn book(&mut self, number: u64) -> bool {
        if number == self.next {
            self.next += 1;
        } else if number > self.next {
            self.missing.extend(self.next..number);
            self.next = number + 1;
        } else if self.missing.remove(&number) {
            self.reordered += 1;
        } else {
            self.doubled += 1;
            return false;
        }
        self.received += 1;
        true
    }

    pub fn in_flight(&self) -> u64 {
        self.sent.saturating_sub(self.received)
    }

    pub fn faults(&self) -> Faults {
        Faults {
            lost: self.in_flight(),
            doubled: self.doubled,
            reordered: self.reordered,
            dropped: 0,
        }
    }
}

impl Faults {
    pub fn any(&self) -> bool {
        *self != Self::default()
    }
}

impl AddAssign for Faults {
    fn add_assign(&mut self, other: Self) {
        self.lost += other.lost;
        self.doubled += other.doubled;
        self.reordered += other.reordered;
        self.dropped += other.dropped;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(sent: u64, booked: &[u64]) -> Faults {
        let mut ledger = Ledger::default();
        for _ in 0..sent {
            ledger.number();
        }
        for number in booked {
            ledger.book(*number);
        }
        ledger.faults()
    }

    #[test]
    fn what_comes_once_and_in_order_is_no_fault() {
        assert!(!after(4, &[0, 1, 2, 3]).any());
    }

    #[test]
    fn a_stanza_that_never_comes_makes_the_result_fail() {
        for booked in [&[0, 1][..], &[0, 2], &[1, 2]] {
            let faults = after(3, booked);
            assert_eq!(
                faults,
                Faults {
                    lost: 1,
                    ..Faults::default()
                }
            );
            assert!(faults.any());
        }
    }

    #[test]
    fn a_stanza_that_comes_twice_makes_the_result_fail() {
        let faults = after(3, &[0, 1, 1, 2]);
        assert_eq!(
            faults,
            Faults {
                doubled: 1,
                ..Faults::default()
            }
        );
        assert!(faults.any());
    }

    #[test]
    fn a_doubled_stanza_does_not_hide_a_lost_one() {
        let faults = after(3, &[0, 0, 1]);
        assert_eq!((faults.lost, faults.doubled), (1, 1));
    }

    #[test]
    fn stanzas_that_change_places_are_out_of_order_and_not_lost() {
        let faults = after(3, &[1, 0, 2]);
        assert_eq!(
            faults,
            Faults {
                reordered: 1,
                ..Faults::default()
            }
        );
        assert!(faults.any());
    }
}
