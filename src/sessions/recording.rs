//! What a session tells the journal, and what it is made of again.

use super::session::Presence;
use super::{Session, SessionId};
use crate::stanza::{Kind, MessageType, Stanza};
use crate::store::journal::{
    Journal, Record, SavedCopies, SavedSession, SavedSm, SavedStanza, SavedState, Unit,
};
use crate::stream::{Arrived, Copies, Outbound, Sm};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The line of one session to the journal, if there is one.
#[derive(Debug)]
pub(super) struct Line {
    journal: Option<Arc<Journal>>,
    session: u128,
    /// What was last recorded as handled: `MANAGED` and the count.
    handled: AtomicU64,
}

const MANAGED: u64 = 1 << 32;

impl Line {
    pub(super) fn new(journal: Option<Arc<Journal>>, id: SessionId) -> Self {
        Self {
            journal,
            session: id.to_bits(),
            handled: AtomicU64::new(0),
        }
    }

    pub(super) fn append(&self, record: impl FnOnce(u128) -> Record) {
        if let Some(journal) = &self.journal {
            journal.append(record(self.session));
        }
    }

    /// A stanza is in the mailbox.
    pub(super) fn queued(&self, stanza: &Outbound) {
        if let Some(journal) = &self.journal {
            let stanza = saved(stanza, || journal.number());
            let session = self.session;
            journal.append(Record::Queued { session, stanza });
        }
    }

    pub(super) fn set_handled(&self, h: u32) {
        self.handled
            .store(MANAGED | u64::from(h), Ordering::Release);
    }
}

/// What the owner of its stream and the backend record of a session.
impl Session {
    /// Where it is recorded what happens, if it is.
    pub fn journal(&self) -> Option<&Arc<Journal>> {
        self.line().journal.as_ref()
    }

    /// What is recorded while this lives goes to disk in one piece.
    pub fn unit(&self) -> Option<Unit<'_>> {
        Some(self.journal()?.unit())
    }

    /// Stream management is on.
    pub fn record_managed(&self, sm: &Sm) {
        self.line().set_handled(sm.handled());
        let sm = self.saved_sm(sm);
        self.line()
            .append(|session| Record::Managed { session, sm });
    }

    /// So many stanzas of the client are handled.
    pub fn record_handled(&self, h: u32) {
        self.line().set_handled(h);
        self.line().append(|session| Record::Handled { session, h });
    }

    /// The client has these stanzas, which makes `acked` of them.
    pub fn record_arrived(&self, arrived: Arrived, acked: u32) {
        let Arrived {
            through,
            has_copies,
        } = arrived;
        self.line().append(|session| Record::Arrived {
            session,
            through,
            acked,
            has_copies,
        });
    }

    /// The stanza of this number was dropped by a transcoder: nobody is to have it.
    pub fn record_passed_over(&self, number: u64) {
        self.line()
            .append(|session| Record::Placed { session, number });
    }

    /// That the stanza which the backend has in hand is handled, for the store to keep together
    /// with what became of it. Empty where nothing is recorded.
    pub fn receipt(&self) -> Vec<Record> {
        let line = self.line();
        let handled = line.handled.load(Ordering::Acquire);
        if line.journal.is_none() || handled & MANAGED == 0 {
            return Vec::new();
        }
        let session = line.session;
        let h = (handled as u32).wrapping_add(1);
        vec![Record::Handled { session, h }]
    }

    pub(super) fn record_state(&self) {
        let line = self.line();
        if line.journal.is_some() {
            let state = Box::new(self.saved_state());
            line.append(|session| Record::State { session, state });
        }
    }

    /// What a transcoder has made is not saved, nor what it has dropped: nobody could go on with the
    /// session. What it holds finds its place as soon as the next process begins.
    fn saved_sm(&self, sm: &Sm) -> SavedSm {
        let resume = sm.resume_timeout();
        let resume = resume.filter(|_| self.subprotocol().is_none());
        SavedSm {
            handled: sm.handled(),
            acked: sm.acked(),
            resume_seconds: resume.map(|timeout| timeout.as_secs()),
        }
    }

    fn saved_state(&self) -> SavedState {
        let presence = self.presence();
        SavedState {
            presence: presence.map(|presence| (presence.priority, presence.text, presence.at)),
            carbons: self.carbons(),
            interested: self.is_interested(),
            inactive: self.is_inactive(),
            notes: self.notes(),
            admission: self.admission().map(|admission| (*admission).clone()),
        }
    }

    /// Takes over what it was in the last process.
    pub(super) fn restore_state(&self, state: SavedState) {
        let presence = state
            .presence
            .map(|(priority, text, at)| Presence { priority, text, at });
        self.set_presence(presence);
        self.set_carbons(state.carbons);
        self.set_inactive(state.inactive);
        if state.interested {
            self.set_interested();
        }
        self.set_notes(state.notes);
        if let Some(admission) = state.admission {
            self.set_admission(Arc::new(admission));
        }
    }

    pub(super) fn recent_record(&self) -> Record {
        Record::Recent {
            session: self.id().to_bits(),
            fingerprints: self.recent(),
        }
    }

    /// All of a session that hibernates with this stream management, as records.
    pub(super) fn to_records(&self, sm: &Sm, numbers: &mut u64) -> Vec<Record> {
        let session = self.id().to_bits();
        let mut number = || {
            *numbers += 1;
            *numbers
        };
        let mut records = vec![
            Record::Bound {
                session,
                jid: self.jid().clone(),
            },
            Record::Managed {
                session,
                sm: self.saved_sm(sm),
            },
            Record::State {
                session,
                state: Box::new(self.saved_state()),
            },
            self.recent_record(),
        ];
        let mut waiting = Vec::new();
        self.mailbox().look(|stanza| waiting.push(stanza.clone()));
        let stanzas = sm.unacked().chain(&waiting);
        records.extend(stanzas.map(|stanza| Record::Queued {
            session,
            stanza: saved(stanza, &mut number),
        }));
        records
    }
}

/// Whether it is worth keeping past the process: a client could come back for it.
pub(super) fn is_resumable(saved: &SavedSession) -> bool {
    saved.resume_seconds().is_some()
}

/// A stanza as it is saved. `number` names copies that have no number yet.
pub(crate) fn saved(stanza: &Outbound, number: impl FnOnce() -> u64) -> SavedStanza {
    let copies = stanza.copies.to_save(number);
    SavedStanza {
        number: stanza.number,
        text: stanza.text.clone(),
        at: stanza.at,
        copies: copies.map(|(number, original, arrived)| SavedCopies {
            number,
            original: (*original != stanza.text).then(|| original.clone()),
            arrived,
        }),
    }
}

/// The copies of messages, put together again from all stanzas that outlived the process.
#[derive(Debug, Default)]
pub struct Reunion {
    copies: HashMap<u64, Copies>,
    last_number: u64,
}

impl Reunion {
    /// `stanzas`: all there are.
    pub fn of<'a>(stanzas: impl IntoIterator<Item = &'a SavedStanza>) -> Self {
        let mut found = HashMap::<u64, (usize, bool, &crate::stanza::ByteString)>::new();
        for stanza in stanzas {
            let Some(copies) = &stanza.copies else {
                continue;
            };
            let original = copies.original.as_ref().unwrap_or(&stanza.text);
            let (pending, arrived, _) = found.entry(copies.number).or_insert((0, false, original));
            *pending += 1;
            *arrived |= copies.arrived;
        }
        let last_number = found.keys().copied().max().unwrap_or(0);
        let together = found
            .into_iter()
            .map(|(number, (pending, arrived, original))| {
                (number, Copies::restored(original, pending, arrived, number))
            });
        Self {
            copies: together.collect(),
            last_number,
        }
    }

    /// The highest number that copies have.
    pub(super) fn last_number(&self) -> u64 {
        self.last_number
    }

    /// A stanza as it was.
    pub fn outbound(&self, saved: SavedStanza) -> Outbound {
        let kind = Stanza::of_server(saved.text.clone())
            .map_or(Kind::Message(MessageType::Normal), |stanza| stanza.kind);
        let mut outbound = Outbound::new(saved.text, kind, saved.at);
        outbound.number = saved.number;
        if let Some(copies) = saved.copies
            && let Some(together) = self.copies.get(&copies.number)
        {
            outbound.copies = together.clone();
        }
        outbound
    }
}

/// The stream management of a session that outlived the process.
pub(super) fn restored_sm(saved: SavedSm, stanzas: Vec<Outbound>) -> Sm {
    let resume = saved.resume_seconds.map(Duration::from_secs);
    Sm::restored(saved.handled, saved.acked, resume, stanzas)
}
