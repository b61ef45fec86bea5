//! Which sessions end when all of them together hold too much (`limits.memory`).

use super::session::{EndReason, Ending, Session};
use super::{Budget, Sessions};
use crate::budget::Level;
use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;

/// What was done about too much that is held.
#[derive(Debug, Default)]
pub struct Relief {
    /// Sessions that hibernated: the caller passes these to the backend.
    pub endings: Vec<Ending>,
    /// How many sessions with a stream were told to end.
    pub told: usize,
}

impl Sessions {
    /// What all sessions hold, and may hold.
    pub fn budget(&self) -> &Arc<Budget> {
        &self.budget
    }

    /// If the budget is used up, ends sessions of those accounts that hold most, and of these the
    /// largest first, until the others hold less. Whether a session hibernates breaks ties only:
    /// else a client that does not read would cost others their sessions before its own. Call it
    /// about once a second and when [`Budget::reached`]. Cost: O(n log n) for n sessions if it is
    /// used up, else nothing.
    pub fn relieve(&self) -> Relief {
        let mut relief = Relief::default();
        if self.budget.level() != Level::Full {
            return relief;
        }
        let mut staying = self.holders();
        let all: usize = staying.iter().map(|(held, _)| held).sum();
        let mut excess = all.saturating_sub(self.budget.relief());
        let by_account = held_by_account(&staying);
        staying.sort_by_cached_key(|(held, session)| {
            let of_account = by_account.get(session.account().as_str());
            (Reverse(of_account), Reverse(*held), session.is_attached())
        });
        for (held, session) in staying {
            if excess == 0 {
                break;
            }
            excess = excess.saturating_sub(held);
            session.set_goes_for_memory();
            match self.end(&session, EndReason::Memory) {
                Some(ending) => relief.endings.push(ending),
                None => relief.told += 1,
            }
        }
        relief
    }

    /// The sessions that hold something and are not about to go, with how much that is.
    fn holders(&self) -> Vec<(usize, Arc<Session>)> {
        let all = self.all().into_iter();
        let holders = all.map(|session| (session.held(), session));
        holders
            .filter(|(held, session)| *held > 0 && !session.goes_for_memory())
            .collect()
    }
}

/// What each account holds in all these sessions.
fn held_by_account(holders: &[(usize, Arc<Session>)]) -> HashMap<Box<str>, usize> {
    let mut by_account = HashMap::new();
    for (held, session) in holders {
        let account = session.account().as_str().into();
        *by_account.entry(account).or_default() += held;
    }
    by_account
}
