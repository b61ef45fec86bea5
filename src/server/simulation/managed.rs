//! Stream management as a client does it (XEP-0198), written from the specification: it shares
//! nothing with the server's.

use super::oracle::Number;
use std::collections::VecDeque;

pub(super) const NS: &str = "urn:xmpp:sm:3";

/// A stanza that was sent.
#[derive(Debug, Clone)]
pub(super) struct Out {
    pub text: String,
    /// Which message it is, if it is one of those that are counted.
    pub number: Option<Number>,
}

/// What a client keeps of its stream management.
#[derive(Debug)]
pub(super) struct Managed {
    /// What `<enabled/>` gave; `None` before it came.
    pub previd: Option<String>,
    /// How many stanzas were handled here, and the last that the server was told of it.
    heard: u32,
    told: u32,
    /// The last `h` of the server, and what it does not cover.
    acked: u32,
    unacked: VecDeque<Out>,
    /// Messages that were received, with the count that covers each, and not surely acknowledged.
    unsettled: VecDeque<(u32, Number)>,
    /// Requests whose answer shows that the server has heard of so much.
    syncs: VecDeque<(String, u32)>,
}

impl Managed {
    /// Both counters begin at `first`, which is 0 but for tests.
    pub fn new(first: u32) -> Self {
        Self {
            previd: None,
            heard: first,
            told: first,
            acked: first,
            unacked: VecDeque::new(),
            unsettled: VecDeque::new(),
            syncs: VecDeque::new(),
        }
    }

    pub fn is_on(&self) -> bool {
        self.previd.is_some()
    }

    /// A stanza was sent since `<enable/>`.
    pub fn on_sent(&mut self, out: Out) {
        self.unacked.push_back(out);
    }

    /// A stanza came; counted since `<enabled/>`.
    pub fn on_stanza(&mut self, message: Option<Number>) {
        if !self.is_on() {
            return;
        }
        self.heard = self.heard.wrapping_add(1);
        self.unsettled
            .extend(message.map(|number| (self.heard, number)));
    }

    /// The `h` to tell.
    pub fn tell(&mut self) -> u32 {
        self.told = self.heard;
        self.heard
    }

    /// The server tells its `h`. Returns what it covers.
    pub fn on_ack(&mut self, h: &str) -> Result<Vec<Out>, String> {
        let h: u32 = h.parse().map_err(|_| format!("h is {h:?}"))?;
        let newly = h.wrapping_sub(self.acked);
        let sent = self.unacked.len();
        if newly as usize > sent {
            let acked = self.acked;
            return Err(format!("h={h} after {acked}, with {sent} unacked"));
        }
        self.acked = h;
        Ok(self.unacked.drain(..newly as usize).collect())
    }

    pub fn unacked(&self) -> impl Iterator<Item = &Out> {
        self.unacked.iter()
    }

    /// It cannot be resumed: what is not covered.
    pub fn into_unacked(self) -> VecDeque<Out> {
        self.unacked
    }

    /// Sends a request after what was told last.
    pub fn sync(&mut self, id: String) {
        self.syncs.push_back((id, self.told));
    }

    /// Whether the answer to a request came. Returns the messages that are settled by it.
    pub fn on_synced(&mut self, id: &str) -> Vec<Number> {
        let Some(place) = self.syncs.iter().position(|(other, _)| other == id) else {
            return Vec::new();
        };
        let told = self.syncs.drain(..=place).next_back();
        told.map(|(_, told)| self.settle(told)).unwrap_or_default()
    }

    pub fn is_synced(&self) -> bool {
        self.syncs.is_empty()
    }

    /// The server knows of everything that was told.
    pub fn settle_told(&mut self) -> Vec<Number> {
        self.settle(self.told)
    }

    fn settle(&mut self, told: u32) -> Vec<Number> {
        let covers = |h: u32| told.wrapping_sub(h) < 1 << 31;
        let count = self
            .unsettled
            .iter()
            .take_while(|(h, _)| covers(*h))
            .count();
        self.unsettled
            .drain(..count)
            .map(|(_, number)| number)
            .collect()
    }
}
