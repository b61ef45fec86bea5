//! Which sessions end when all of them together hold too much (`limits.memory`).

use super::session::{EndReason, Ending, Session};
use super::{Budget, Sessions};
use crate::budget::Level;
use std::cmp::Reverse;
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

    /// If the budget is used up, ends those that hold most, until the others hold less: first
    /// those that hibernate, then those whose clients do not read. Call it about once a second and
    /// when [`Budget::reached`]. Cost: O(sessions) if it is used up, else nothing.
    pub fn relieve(&self) -> Relief {
        let mut relief = Relief::default();
        if self.budget.level() != Level::Full {
            return relief;
        }
        let mut staying = self.holders();
        let all: usize = staying.iter().map(|(held, _)| held).sum();
        let mut excess = all.saturating_sub(self.budget.relief());
        staying.sort_by_cached_key(|(held, session)| (session.is_attached(), Reverse(*held)));
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
