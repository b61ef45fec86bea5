//! Stanzas and bytes of one endpoint.

use super::labels::Flow;
use crate::sessions::{Direction, StanzaKind};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use std::sync::Arc;

/// The counters of one endpoint, found once for each link: to count is two additions, without a
/// look at any label.
#[derive(Debug)]
pub struct Traffic {
    /// By direction and kind.
    lanes: [[Lane; StanzaKind::ALL.len()]; Direction::ALL.len()],
}

#[derive(Debug)]
struct Lane {
    stanzas: Counter,
    bytes: Counter,
}

impl Traffic {
    pub(super) fn new(
        stanzas: &Family<Flow, Counter>,
        bytes: &Family<Flow, Counter>,
        endpoint: &Arc<str>,
    ) -> Self {
        let lane = |direction: Direction, kind: StanzaKind| {
            let flow = Flow {
                endpoint: endpoint.clone(),
                direction: direction.as_str(),
                kind: kind.as_str(),
            };
            Lane {
                stanzas: stanzas.get_or_create_owned(&flow),
                bytes: bytes.get_or_create_owned(&flow),
            }
        };
        let lanes = |direction| StanzaKind::ALL.map(|kind| lane(direction, kind));
        Self {
            lanes: Direction::ALL.map(lanes),
        }
    }

    /// How many stanzas went through that way, and how many bytes their texts had.
    pub fn sum(&self, direction: Direction) -> (u64, u64) {
        let lanes = self.lanes[direction as usize].iter();
        lanes.fold((0, 0), |(stanzas, bytes), lane| {
            (stanzas + lane.stanzas.get(), bytes + lane.bytes.get())
        })
    }

    /// A stanza with a text of so many bytes goes through.
    pub fn count(&self, direction: Direction, kind: StanzaKind, bytes: usize) {
        let lane = &self.lanes[direction as usize][kind as usize];
        lane.stanzas.inc();
        lane.bytes.inc_by(bytes as u64);
    }
}
