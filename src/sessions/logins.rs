//! Logins at the web application that are over: what comes too late for them is turned away.

use std::collections::{HashSet, VecDeque};

/// So many are remembered; the oldest is forgotten first.
const ENDED_LOGINS_MAX: usize = 65_536;

#[derive(Debug, Default)]
pub(super) struct EndedLogins {
    keys: HashSet<Box<str>>,
    oldest_first: VecDeque<Box<str>>,
}

impl EndedLogins {
    pub(super) fn remember(&mut self, key: &str) {
        if !self.keys.insert(key.into()) {
            return;
        }
        self.oldest_first.push_back(key.into());
        if self.oldest_first.len() > ENDED_LOGINS_MAX
            && let Some(oldest) = self.oldest_first.pop_front()
        {
            self.keys.remove(&oldest);
        }
    }

    pub(super) fn contains(&self, key: &str) -> bool {
        self.keys.contains(key)
    }

    #[cfg(test)]
    pub(super) fn census(&self) -> crate::census::Count {
        let count = self.keys.len().max(self.oldest_first.len());
        crate::census::Count::memory("ended logins", count, ENDED_LOGINS_MAX)
    }
}
