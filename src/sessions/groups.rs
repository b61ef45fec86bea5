//! Named sets of sessions, for what is sent to many at once.
//!
//! A group has no owner, no history and no affiliations: it is whoever joined it and is not over.
//! A session that hibernates stays in; groups do not outlive the process.

use super::{Session, SessionId};
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, PoisonError, RwLock};

/// In so many groups a session may be; joining one more is refused.
pub const GROUPS_PER_SESSION_MAX: usize = 64;

/// The longest name of a group, in bytes; a longer one is refused.
pub const GROUP_NAME_BYTES_MAX: usize = 256;

/// Why a session does not join a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JoinError {
    /// The session is over, or never was.
    #[error("no such session")]
    NoSuchSession,
    /// The name is empty or longer than [`GROUP_NAME_BYTES_MAX`].
    #[error("the name of a group has 1 to {GROUP_NAME_BYTES_MAX} bytes")]
    Name,
    /// It is in [`GROUPS_PER_SESSION_MAX`] groups.
    #[error("a session is in at most {GROUPS_PER_SESSION_MAX} groups")]
    TooMany,
}

#[derive(Debug, Default)]
pub(super) struct Groups {
    members: RwLock<HashMap<Arc<str>, BTreeSet<SessionId>>>,
}

impl Groups {
    /// Returns whether it was not in before.
    pub(super) fn join(&self, name: &str, session: &Session) -> Result<bool, JoinError> {
        if name.is_empty() || name.len() > GROUP_NAME_BYTES_MAX {
            return Err(JoinError::Name);
        }
        let mut joined = session.groups();
        // Under the lock that `leave_all` takes after the mailbox is closed: none stays behind.
        if !session.is_open() {
            return Err(JoinError::NoSuchSession);
        }
        if joined.iter().any(|group| **group == *name) {
            return Ok(false);
        }
        if joined.len() >= GROUPS_PER_SESSION_MAX {
            return Err(JoinError::TooMany);
        }
        let mut members = self.members.write().unwrap_or_else(PoisonError::into_inner);
        let name = match members.get_key_value(name) {
            Some((name, _)) => name.clone(),
            None => name.into(),
        };
        members
            .entry(name.clone())
            .or_default()
            .insert(session.id());
        joined.push(name);
        Ok(true)
    }

    /// Returns whether it was in.
    pub(super) fn leave(&self, name: &str, session: &Session) -> bool {
        let mut joined = session.groups();
        let before = joined.len();
        joined.retain(|group| **group != *name);
        self.remove(name, session.id());
        joined.len() != before
    }

    /// The session is over.
    pub(super) fn leave_all(&self, session: &Session) {
        let joined = std::mem::take(&mut *session.groups());
        for name in joined {
            self.remove(&name, session.id());
        }
    }

    pub(super) fn members(&self, name: &str) -> Vec<SessionId> {
        let members = self.members.read().unwrap_or_else(PoisonError::into_inner);
        let ids = members.get(name).into_iter().flatten();
        ids.copied().collect()
    }

    /// The names of all groups with how many are in each.
    pub(super) fn sizes(&self) -> Vec<(Arc<str>, usize)> {
        let members = self.members.read().unwrap_or_else(PoisonError::into_inner);
        let mut sizes: Vec<_> = members
            .iter()
            .map(|(name, ids)| (name.clone(), ids.len()))
            .collect();
        sizes.sort_unstable();
        sizes
    }

    fn remove(&self, name: &str, id: SessionId) {
        let mut members = self.members.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(ids) = members.get_mut(name) {
            ids.remove(&id);
            if ids.is_empty() {
                members.remove(name);
            }
        }
    }
}
