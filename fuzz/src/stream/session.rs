//! What a session has to be, told by counting in the plainest way.

use std::collections::VecDeque;

use stanzad::stanza::ByteString;
use stanzad::stream::{Outbound, Sm};

/// One bound session, over all the streams that carry it.
#[derive(Debug, Default)]
pub struct Session {
    pub previd: String,
    /// What waits to be delivered.
    pub mailbox: VecDeque<Outbound>,
    /// Everything that was delivered, in order.
    pub delivered: Vec<ByteString>,
    /// How much of it the client has read.
    pub read: usize,
    /// Stanzas under way to the client, since the link is up.
    pub wire: VecDeque<ByteString>,
    pub managed: Option<Managed>,
}

/// Its stream management.
#[derive(Debug)]
pub struct Managed {
    first_h: u32,
    /// How much was delivered before `<enabled/>`.
    base: usize,
    /// So much of what was delivered is acknowledged.
    acked: usize,
    /// Stanzas of the client since `<enabled/>`.
    pub taken: u32,
    /// What of it the client was told last: an `h`.
    pub told: u32,
    /// The backend has the last one in hand.
    pub routing: bool,
    /// An `<r/>` is out that was not answered.
    pub asked: bool,
    /// `<resume/>` was granted.
    pub resumable: bool,
}

/// What an `h` of the client comes to.
#[derive(Debug, PartialEq, Eq)]
pub enum Count {
    /// It is older than the last one.
    Stale,
    /// So much is acknowledged by it.
    Acked(usize),
    /// It covers what was never sent.
    TooHigh,
}

impl Session {
    pub fn new(previd: String) -> Self {
        Self {
            previd,
            ..Self::default()
        }
    }

    pub fn enable(&mut self, first_h: u32, resumable: bool) {
        let base = self.delivered.len();
        self.managed = Some(Managed {
            first_h,
            base,
            acked: base,
            taken: 0,
            told: first_h,
            routing: false,
            asked: false,
            resumable,
        });
    }

    /// The count that the client would say.
    pub fn honest_h(&self) -> u32 {
        let managed = self.managed.as_ref();
        managed.map_or(0, |managed| managed.h_of(self.read.max(managed.base)))
    }

    /// What of `delivered` is not acknowledged.
    pub fn unacked(&self) -> &[ByteString] {
        let from = self.managed.as_ref().map(|managed| managed.acked);
        &self.delivered[from.unwrap_or(self.delivered.len())..]
    }

    /// What an `<a/>` with this count comes to.
    pub fn judge_answer(&self, h: u32) -> Count {
        let Some(managed) = &self.managed else {
            return Count::TooHigh;
        };
        let behind = managed.h_of(managed.acked).wrapping_sub(h);
        if behind != 0 && behind < 1 << 31 {
            return Count::Stale;
        }
        self.judge_resumption(h)
    }

    /// The same for `<resume/>`, which may not be stale.
    pub fn judge_resumption(&self, h: u32) -> Count {
        let Some(managed) = &self.managed else {
            return Count::TooHigh;
        };
        let ahead = h.wrapping_sub(managed.h_of(managed.acked)) as usize;
        match managed.acked + ahead {
            acked if ahead <= self.unacked().len() => Count::Acked(acked),
            _ => Count::TooHigh,
        }
    }

    pub fn acknowledge(&mut self, acked: usize) {
        if let Some(managed) = &mut self.managed {
            managed.acked = acked;
            managed.asked = false;
        }
    }

    /// A stanza went out to the client.
    pub fn send(&mut self, text: ByteString) {
        self.wire.push_back(text);
    }

    /// The client reads the next stanza: it must be the one that follows what it has.
    pub fn read_one(&mut self) {
        let Some(text) = self.wire.pop_front() else {
            return;
        };
        let expected = self.delivered.get(self.read);
        let expected = expected.unwrap_or_else(|| panic!("nobody delivered {text}"));
        assert_eq!(unstamped(&text, expected), **expected, "out of order");
        self.read += 1;
    }

    pub fn read_all(&mut self) {
        while !self.wire.is_empty() {
            self.read_one();
        }
    }

    /// What the stream left behind must be what was counted.
    pub fn check(&self, sm: &Sm) {
        let managed = self.managed.as_ref().expect("it was never enabled");
        assert_eq!(sm.handled(), managed.handled(), "handled");
        assert_eq!(sm.sent(), managed.h_of(self.delivered.len()), "sent");
        let texts: Vec<_> = sm.unacked().map(|stanza| &stanza.text).collect();
        let expected: Vec<_> = self.unacked().iter().collect();
        assert_eq!(texts, expected, "the unacked queue");
        let bytes: usize = expected.iter().map(|text| text.len()).sum();
        assert_eq!(sm.unacked_bytes(), bytes, "bytes of the unacked queue");
    }
}

impl Managed {
    /// The count after the first `n` stanzas delivered.
    fn h_of(&self, n: usize) -> u32 {
        self.first_h.wrapping_add((n - self.base) as u32)
    }

    /// The `h` that the client may be told: what the backend has taken, and not one more.
    pub fn handled(&self) -> u32 {
        let in_hand = u32::from(self.routing);
        self.first_h.wrapping_add(self.taken).wrapping_sub(in_hand)
    }

    /// The backend is gone, with the stanza that it had: the client sends it again.
    pub fn forget_what_is_in_hand(&mut self) {
        self.taken -= u32::from(std::mem::take(&mut self.routing));
    }

    /// The client sends again what it was not told of.
    pub fn forget_untold(&mut self) {
        self.taken = self.told.wrapping_sub(self.first_h);
    }
}

/// The text without the stamp that a late stanza gets, if it did not come with one.
fn unstamped(text: &str, original: &str) -> String {
    let stamp = text.find("<delay xmlns='urn:xmpp:delay'");
    let Some(from) = stamp.filter(|_| !original.contains("urn:xmpp:delay")) else {
        return text.to_owned();
    };
    let to = from + text[from..].find("/>").expect("a whole stamp") + 2;
    [&text[..from], &text[to..]].concat()
}
