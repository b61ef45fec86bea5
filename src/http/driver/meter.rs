//! Counts what goes through a stream.

use crate::auth::{Mechanism, SaslFailure};
use crate::metrics::{Figures, Traffic};
use crate::sessions::{Direction, Session};
use crate::stanza::Stanza;
use crate::stream::Outbound;
use std::sync::Arc;

/// What one stream counts with.
#[derive(Debug)]
pub(super) struct Meter {
    traffic: Arc<Traffic>,
    /// Of the frame in hand, as it came.
    frame_bytes: u32,
    /// The one that was begun last, until its outcome is counted.
    mechanism: Option<Mechanism>,
}

impl Meter {
    pub(super) fn new(figures: &Figures, endpoint: &Arc<str>) -> Self {
        Self {
            traffic: figures.traffic(endpoint),
            frame_bytes: 0,
            mechanism: None,
        }
    }

    /// A frame is about to be read.
    pub(super) fn on_frame(&mut self, bytes: usize) {
        // A frame is far shorter than 4 GiB (`limits.max_stanza_bytes`).
        self.frame_bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
    }

    /// It turned out to be a stanza.
    pub(super) fn on_stanza(&self, session: &Session, stanza: &Stanza) {
        let (kind, bytes) = (stanza.kind.into(), self.frame_bytes as usize);
        self.traffic.count(Direction::In, kind, bytes);
        session.tally().count(Direction::In, bytes);
    }

    /// A stanza goes to the client.
    pub(super) fn on_sent(&self, session: &Session, stanza: &Outbound) {
        let said = stanza.wire.as_deref().unwrap_or(&stanza.text);
        let (kind, bytes) = (stanza.kind.into(), said.len());
        self.traffic.count(Direction::Out, kind, bytes);
        session.tally().count(Direction::Out, bytes);
    }

    /// An authentication begins.
    pub(super) fn on_mechanism(&mut self, mechanism: Mechanism) {
        self.mechanism = Some(mechanism);
    }

    /// It is over.
    pub(super) fn on_login(&mut self, figures: &Figures, outcome: Result<(), &SaslFailure>) {
        figures.login(self.mechanism.take(), outcome);
    }
}
