//! What the journal knows of a stanza that looks for its place.

use super::Local;
use crate::sessions::{Session, saved};
use crate::store::journal::{Record, STRAYS, Unit};
use crate::stream::Outbound;

/// Where the journal has a stanza that is to go elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) session: u128,
    pub(super) number: u64,
}

impl Place {
    /// That the stanza is not needed there any more.
    pub(super) fn leave(self) -> Record {
        Record::Placed {
            session: self.session,
            number: self.number,
        }
    }
}

impl Local {
    /// What is recorded while this lives goes to disk in one piece.
    pub(super) fn unit(&self) -> Option<Unit<'_>> {
        Some(self.sessions.journal()?.unit())
    }

    /// Where a stanza that a session left behind is; `None` where nothing is recorded.
    pub(super) fn place_in(&self, session: &Session, stanza: &Outbound) -> Option<Place> {
        self.sessions.journal()?;
        Some(Place {
            session: session.id().to_bits(),
            number: stanza.number,
        })
    }

    /// Records a stanza that no mailbox took.
    pub(super) fn place_of_stray(&self, stanza: &Outbound) -> Option<Place> {
        let journal = self.sessions.journal()?;
        let number = journal.append_stray(saved(stanza, || journal.number()));
        Some(Place {
            session: STRAYS,
            number,
        })
    }

    /// The stanza has its new place, or needs none.
    pub(super) fn placed(&self, place: Option<Place>) {
        if let (Some(journal), Some(place)) = (self.sessions.journal(), place) {
            journal.append(place.leave());
        }
    }
}
