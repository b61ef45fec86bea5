//! What is committed, as tables: accounts, and what the journal says of sessions.

use crate::stanza::address::BareJid;
use crate::store::journal::{Record, SavedSession, SavedStanza, SavedState};
use crate::store::{
    Kept, OfflineMessage, RosterChange, SavedSessions, StoredMessage, StoredRoster,
};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

/// What is committed; outlives every process.
#[derive(Clone, Default)]
pub(super) struct Disk(Arc<Mutex<Tables>>);

#[derive(Default)]
pub(super) struct Tables {
    pub accounts: BTreeMap<BareJid, Row>,
    last_id: i64,
    /// Without their stanzas.
    sessions: BTreeMap<u128, SavedSession>,
    /// By session and number; also of sessions that are not there.
    stanzas: BTreeMap<(u128, u64), SavedStanza>,
}

#[derive(Default)]
pub(super) struct Row {
    pub roster: StoredRoster,
    changes: u64,
    /// By time and id.
    offline: BTreeMap<(SystemTime, i64), OfflineMessage>,
}

impl Disk {
    pub fn add_account(&self, account: BareJid) {
        self.lock().accounts.insert(account, Row::default());
    }

    /// How many messages are kept for an account.
    pub fn kept(&self, account: &BareJid) -> usize {
        let tables = self.lock();
        tables
            .accounts
            .get(account)
            .map_or(0, |row| row.offline.len())
    }

    /// How many sessions are kept, and stanzas of sessions.
    pub fn sessions(&self) -> (usize, usize) {
        let tables = self.lock();
        (tables.sessions.len(), tables.stanzas.len())
    }

    pub fn lock(&self) -> MutexGuard<'_, Tables> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tables {
    pub fn keep(&mut self, account: &BareJid, message: OfflineMessage, limit: usize) -> Kept {
        let Some(row) = self.accounts.get_mut(account) else {
            return Kept::NoAccount;
        };
        if row.offline.len() >= limit {
            return Kept::Full;
        }
        let message = OfflineMessage {
            at: to_the_microsecond(message.at),
            ..message
        };
        let is_kept = row.offline.values().any(|kept| *kept == message);
        if !is_kept {
            self.last_id += 1;
            row.offline.insert((message.at, self.last_id), message);
        }
        Kept::Kept
    }

    pub fn oldest(&self, account: &BareJid, limit: usize) -> Vec<StoredMessage> {
        let Some(row) = self.accounts.get(account) else {
            return Vec::new();
        };
        let oldest = row.offline.iter().take(limit);
        oldest
            .map(|(&(_, id), message)| StoredMessage {
                id,
                message: message.clone(),
            })
            .collect()
    }

    pub fn forget(&mut self, account: &BareJid, ids: &[i64]) {
        if let Some(row) = self.accounts.get_mut(account) {
            row.offline.retain(|(_, id), _| !ids.contains(id));
        }
    }

    /// Carries out records in their order.
    pub fn record(&mut self, records: Vec<Record>) {
        for record in records {
            self.record_one(record);
        }
    }

    fn record_one(&mut self, record: Record) {
        match record {
            Record::Bound { session, jid } => {
                self.sessions
                    .entry(session)
                    .or_insert_with(|| SavedSession {
                        id: session,
                        jid,
                        sm: None,
                        ended: false,
                        state: SavedState::default(),
                        recent: Vec::new(),
                        stanzas: Vec::new(),
                    });
            }
            Record::Managed { session, sm } => self.with(session, |row| row.sm = Some(sm)),
            Record::Queued { session, stanza } => {
                let at = to_the_microsecond(stanza.at);
                let number = stanza.number;
                self.stanzas
                    .insert((session, number), SavedStanza { at, ..stanza });
            }
            Record::Arrived {
                session,
                through,
                acked,
                has_copies,
            } => self.arrive(session, through, acked, has_copies),
            Record::Handled { session, h } => self.with(session, |row| {
                if let Some(sm) = &mut row.sm {
                    sm.handled = h;
                }
            }),
            Record::State { session, state } => self.with(session, |row| row.state = *state),
            Record::Recent {
                session,
                fingerprints,
            } => self.with(session, |row| row.recent = fingerprints),
            Record::Ended { session } => self.with(session, |row| row.ended = true),
            Record::Placed { session, number } => {
                self.stanzas.remove(&(session, number));
            }
            Record::Gone { session } => {
                self.sessions.remove(&session);
                self.stanzas.retain(|(other, _), _| *other != session);
            }
            Record::HandedOver { account, ids } => self.forget(&account, &ids),
        }
    }

    fn with(&mut self, session: u128, change: impl FnOnce(&mut SavedSession)) {
        if let Some(row) = self.sessions.get_mut(&session) {
            change(row);
        }
    }

    fn arrive(&mut self, session: u128, through: u64, acked: u32, has_copies: bool) {
        let range = (session, 0)..=(session, through);
        let keys: Vec<_> = self.stanzas.range(range).map(|(&key, _)| key).collect();
        let gone = keys.iter().filter_map(|key| self.stanzas.remove(key));
        let arrived: Vec<_> = gone
            .filter_map(|stanza| Some(stanza.copies?.number))
            .collect();
        for stanza in self.stanzas.values_mut().filter(|_| has_copies) {
            if let Some(copies) = &mut stanza.copies {
                copies.arrived |= arrived.contains(&copies.number);
            }
        }
        self.with(session, |row| {
            if let Some(sm) = &mut row.sm {
                sm.acked = acked;
            }
        });
    }

    /// The sessions with their stanzas, and the stanzas that have no session.
    pub fn sessions(&self) -> SavedSessions {
        let mut sessions = self.sessions.clone();
        let mut strays = Vec::new();
        for ((session, _), stanza) in &self.stanzas {
            match sessions.get_mut(session) {
                Some(session) => session.stanzas.push(stanza.clone()),
                None => strays.push(stanza.clone()),
            }
        }
        SavedSessions {
            sessions: sessions.into_values().collect(),
            strays,
            next_number: self.next_number(),
        }
    }

    /// Above every number of a stanza or of copies.
    pub fn next_number(&self) -> u64 {
        let stanzas = self.stanzas.values();
        let numbers = stanzas.map(|stanza| {
            let copies = stanza.copies.as_ref();
            stanza.number.max(copies.map_or(0, |copies| copies.number))
        });
        numbers.max().unwrap_or(0) + 1
    }
}

impl Row {
    pub fn apply(&mut self, change: RosterChange) {
        if change.touches_items() {
            self.changes += 1;
            self.roster.version = self.changes.to_string();
        }
        let roster = &mut self.roster;
        let is_replaced = |jid: &BareJid| {
            change.remove.contains(jid) || change.put.iter().any(|item| item.jid == *jid)
        };
        roster.items.retain(|item| !is_replaced(&item.jid));
        roster.items.extend(change.put);
        roster
            .pending
            .retain(|request| !change.settle.contains(&request.from));
        for request in change.ask {
            if roster
                .pending
                .iter()
                .all(|other| other.from != request.from)
            {
                roster.pending.push(request);
            }
        }
    }
}

/// As the real store keeps it.
fn to_the_microsecond(at: SystemTime) -> SystemTime {
    let since = at.duration_since(SystemTime::UNIX_EPOCH);
    let micros = since.unwrap_or_default().as_micros();
    SystemTime::UNIX_EPOCH + Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX))
}
