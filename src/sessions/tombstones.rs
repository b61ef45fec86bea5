//! What is remembered of sessions that are over: how much of their clients' stanzas was handled.

use super::SessionId;
use crate::stanza::address::BareJid;
use std::collections::{HashMap, VecDeque};

/// How many are remembered; the oldest is forgotten first.
const MAX_TOMBSTONES: usize = 10_000;

/// The last `h` of sessions that are over, for `<failed h='…'/>` (XEP-0198 §5).
#[derive(Debug, Default)]
pub(super) struct Tombstones {
    last_h: HashMap<SessionId, (BareJid, u32)>,
    oldest_first: VecDeque<SessionId>,
}

impl Tombstones {
    pub(super) fn remember(&mut self, id: SessionId, account: BareJid, h: u32) {
        if self.last_h.insert(id, (account, h)).is_some() {
            return;
        }
        self.oldest_first.push_back(id);
        if self.oldest_first.len() > MAX_TOMBSTONES
            && let Some(oldest) = self.oldest_first.pop_front()
        {
            self.last_h.remove(&oldest);
        }
    }

    #[cfg(test)]
    pub(super) fn census(&self) -> crate::census::Count {
        let count = self.last_h.len().max(self.oldest_first.len());
        crate::census::Count::memory("tombstones", count, MAX_TOMBSTONES)
    }

    /// Only its own account hears of it.
    pub(super) fn last_h(&self, id: SessionId, account: &BareJid) -> Option<u32> {
        self.last_h
            .get(&id)
            .filter(|(owner, _)| owner == account)
            .map(|&(_, h)| h)
    }
}
