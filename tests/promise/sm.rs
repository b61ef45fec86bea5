//! The client's half of XEP-0198, written from the specification alone.

use std::collections::VecDeque;

/// A session that can be resumed.
pub struct Sm {
    pub previd: String,
    /// Stanzas of the server that this client has handled, modulo 2^32.
    pub handled: u32,
    /// The last `h` of the server.
    acked: u32,
    /// What the server has not acknowledged, oldest first.
    queue: VecDeque<String>,
}

impl Sm {
    /// Counters begin at `first_h`, which is 0 but for servers that are told to begin elsewhere.
    pub fn new(previd: String, first_h: u32) -> Self {
        Self {
            previd,
            handled: first_h,
            acked: first_h,
            queue: VecDeque::new(),
        }
    }

    pub fn on_sent(&mut self, stanza: String) {
        self.queue.push_back(stanza);
    }

    pub fn on_received(&mut self) {
        self.handled = self.handled.wrapping_add(1);
    }

    /// The server says how much it has handled. False: more than was ever sent.
    #[must_use]
    pub fn on_h(&mut self, h: u32) -> bool {
        let distance = h.wrapping_sub(self.acked) as usize;
        if distance > self.queue.len() {
            return false;
        }
        self.queue.drain(..distance);
        self.acked = h;
        true
    }

    pub fn unacked(&self) -> impl ExactSizeIterator<Item = &String> {
        self.queue.iter()
    }

    pub fn into_unacked(self) -> VecDeque<String> {
        self.queue
    }
}
