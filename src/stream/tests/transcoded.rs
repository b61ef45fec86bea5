//! What a transcoder has made, and what it has dropped (row O10).

use super::*;
use proptest::prelude::*;

const STAMP: &str =
    "<delay xmlns='urn:xmpp:delay' from='example.org' stamp='1970-01-01T00:00:01.000Z'/>";

fn message(body: &str) -> Outbound {
    let text = format!(r#"<message xmlns="jabber:client"><body>{body}</body></message>"#);
    let at = SystemTime::UNIX_EPOCH + Duration::from_secs(1);
    Outbound::new(text.into(), Kind::Message(MessageType::Normal), at)
}

fn resume(h: usize) -> String {
    format!(r#"<resume xmlns="urn:xmpp:sm:3" previd="{PREVID}" h="{h}"/>"#)
}

impl Talk {
    /// The way of the driver: the words come first, then the count. Returns the text that was
    /// there for a transcoder, and what the client hears.
    fn deliver_as(&mut self, mut stanza: Outbound, wire: Option<&str>) -> (String, Vec<String>) {
        let text = self.stream.text_of(&stanza).to_string();
        match wire {
            None => self.stream.pass_over(&stanza),
            Some(wire) => {
                stanza.wire = Some(Box::new(wire.into()));
                self.stream.deliver(self.now, stanza);
            }
        }
        (text, self.hear())
    }
}

#[test]
fn o10_what_waited_is_stamped_before_it_is_transcoded_also_behind_what_was_dropped() {
    let mut talk = Talk::managed().resume(3);
    talk.say(&resume(0));
    let (text, heard) = talk.deliver_as(message("one"), Some("eins"));
    assert!(text.contains(STAMP), "{text}");
    assert_eq!(heard, ["eins"]);
    let (text, heard) = talk.deliver_as(message("two"), None);
    assert!(text.contains(STAMP) && heard.is_empty());
    let (text, _) = talk.deliver_as(message("three"), Some("drei"));
    assert!(text.contains(STAMP), "{text}");
    let (text, _) = talk.deliver_as(message("fresh"), Some("frisch"));
    assert!(!text.contains(STAMP), "{text}");
}

#[test]
fn o10_the_bytes_of_both_texts_count_to_the_bound() {
    let mut talk = Talk::managed();
    let stanza = message("one");
    let text = stanza.text.len();
    talk.deliver_as(stanza, Some("eins"));
    let bytes = |talk: &mut Talk| talk.stream.sm_mut().map(|sm| sm.unacked_bytes());
    assert_eq!(bytes(&mut talk), Some(text + 4));
    talk.say(r#"<a xmlns="urn:xmpp:sm:3" h="1"/>"#);
    assert_eq!(bytes(&mut talk), Some(0));
}

/// Nobody waits for a copy elsewhere, and nobody is told that its client has it.
#[test]
fn o10_a_copy_that_is_dropped_has_arrived_and_is_not_acknowledged() {
    let mut talk = Talk::managed();
    let mut stanza = message("one");
    let receipts = Arc::new(Receipts::default());
    stanza.copies = Copies::of(&stanza.text, 2);
    stanza.receipt = Receipt::of(&receipts);
    talk.deliver_as(stanza.clone(), None);
    assert_eq!(receipts.arrived(), 0);
    let copies = [stanza.copies.clone(), stanza.copies];
    assert!(
        copies
            .iter()
            .all(|copy| copy.give_up(&stanza.text).is_none())
    );
}

proptest! {
    /// Whatever is dropped, and wherever the link is lost: both sides count the same, and what is
    /// sent once more is what was sent.
    #[test]
    fn o10_what_is_missing_comes_as_it_came(
        kept in prop::collection::vec(any::<bool>(), 0..20),
        handled in any::<prop::sample::Index>(),
    ) {
        let mut talk = Talk::managed();
        let mut sent = Vec::new();
        for (at, kept) in kept.iter().enumerate() {
            let words = format!("words {at}");
            let wire = kept.then_some(&*words);
            sent.extend(talk.deliver_as(message("x"), wire).1);
        }
        sent.retain(|frame| !frame.starts_with("<r "));
        prop_assert_eq!(sent.len(), kept.iter().filter(|kept| **kept).count());
        let handled = handled.index(sent.len() + 1);
        let mut talk = talk.resume(0);
        let mut heard = talk.say(&resume(handled));
        heard.retain(|frame| !frame.starts_with("<r "));
        prop_assert_eq!(&heard[1..], &sent[handled..]);
    }
}
