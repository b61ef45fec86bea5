//! What a transport took without stream management, in case that it gives it back.

use crate::stanza::{ByteString, Kind};
use crate::stream::{Copies, Outbound};
use std::collections::VecDeque;
use std::hash::{BuildHasher, RandomState};
use std::time::SystemTime;

/// What is known of stanzas that may be given back, newest last.
///
/// A stanza is known by a hash of its text: to keep the text would be to keep what was delivered.
#[derive(Default)]
pub(super) struct Sent {
    hasher: RandomState,
    stanzas: VecDeque<Known>,
    /// What the transport gave back, oldest first.
    pub(super) undelivered: Vec<Outbound>,
}

/// One stanza that the transport took.
struct Known {
    hash: u64,
    at: SystemTime,
    copies: Copies,
}

impl Sent {
    /// More than a client can have outstanding unless its stanzas are tiny. What is pushed out is
    /// taken for arrived.
    const MOST: usize = 256;

    pub(super) fn note(&mut self, stanza: &Outbound) {
        if self.stanzas.len() == Self::MOST
            && let Some(oldest) = self.stanzas.pop_front()
        {
            oldest.copies.arrive();
        }
        let hash = self.hasher.hash_one(&*stanza.text);
        let (at, copies) = (stanza.at, stanza.copies.clone());
        self.stanzas.push_back(Known { hash, at, copies });
    }

    /// The stanza of this text again; to be asked for the newest first. Of one that is not
    /// remembered, the time of the oldest that is comes closest.
    pub(super) fn take(&mut self, text: ByteString, kind: Kind) -> Outbound {
        let hash = self.hasher.hash_one(&*text);
        let place = self.stanzas.iter().rposition(|known| known.hash == hash);
        let found = place.and_then(|place| {
            let mut newer = self.stanzas.drain(place..);
            let found = newer.next();
            newer.for_each(|known| known.copies.arrive());
            found
        });
        let mut stanza = Outbound::new(text, kind, crate::clock::time_of_day());
        match (found, self.stanzas.front()) {
            (Some(found), _) => (stanza.at, stanza.copies) = (found.at, found.copies),
            (None, Some(oldest)) => stanza.at = oldest.at,
            (None, None) => {}
        }
        stanza
    }

    /// The others have arrived.
    pub(super) fn settle(&mut self) {
        self.stanzas
            .drain(..)
            .for_each(|known| known.copies.arrive());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stanza::MessageType;
    use std::time::Duration;

    fn second(n: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(n)
    }

    const CHAT: Kind = Kind::Message(MessageType::Chat);

    fn noted(texts: &[&str]) -> Sent {
        let mut sent = Sent::default();
        for (n, text) in (0..).zip(texts) {
            sent.note(&Outbound::new((*text).into(), CHAT, second(n)));
        }
        sent
    }

    fn time_of(sent: &mut Sent, text: &str) -> SystemTime {
        sent.take(text.into(), CHAT).at
    }

    /// Asked for the newest first, stanzas that read alike get each their own time.
    #[test]
    fn stanzas_that_read_alike_keep_their_own_times() {
        let mut sent = noted(&["a", "same", "b", "same", "c"]);
        assert_eq!(time_of(&mut sent, "same"), second(3));
        assert_eq!(time_of(&mut sent, "same"), second(1));
        assert_eq!(time_of(&mut sent, "a"), second(0));
    }

    #[test]
    fn time_that_is_forgotten_is_that_of_the_oldest_known() {
        let texts: Vec<String> = (0..300).map(|n| n.to_string()).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let mut sent = noted(&texts);
        assert_eq!(sent.stanzas.len(), Sent::MOST);
        assert_eq!(time_of(&mut sent, "299"), second(299));
        assert_eq!(time_of(&mut sent, "0"), second(44));
    }

    #[test]
    fn what_is_not_given_back_has_arrived_and_its_copies_are_needless() {
        let text = crate::stanza::ByteString::from("x");
        let copies = Copies::of(&text, 2);
        let mut stanza = Outbound::new(text.clone(), CHAT, second(0));
        stanza.copies = copies.clone();
        let mut sent = Sent::default();
        sent.note(&stanza);
        sent.settle();
        assert_eq!(copies.give_up(&text), None);
        assert_eq!(copies.give_up(&text), None);
    }
}
