//! What a client says and makes of what it hears, over whatever transport.

use crate::dice::Dice;
use crate::kit::CLIENT;
use crate::ledger::{Ledger, Sight, bare};
use stanzad::xml::Element;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::watch;

const CARBONS: &str = "urn:xmpp:carbons:2";
const FORWARD: &str = "urn:xmpp:forward:0";

/// What all clients of a row do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Be there and say nothing.
    Listen,
    Talk,
    /// Close the stream.
    Leave,
}

/// How a client is, for those who wait for it.
#[derive(Default)]
pub struct Status {
    /// It is logged in and has made itself known.
    is_up: AtomicBool,
    /// How many of its messages the server may not have.
    owing: AtomicUsize,
}

impl Status {
    pub fn set(&self, is_up: bool, owing: usize) {
        self.owing.store(owing, Ordering::Relaxed);
        self.is_up.store(is_up, Ordering::Relaxed);
    }

    pub fn is_up(&self) -> bool {
        self.is_up.load(Ordering::Relaxed)
    }

    pub fn is_settled(&self) -> bool {
        self.is_up() && self.owing.load(Ordering::Relaxed) == 0
    }
}

/// A client without its transport.
pub struct Person {
    /// The full address.
    pub jid: String,
    pub carbons: bool,
    /// Addresses to write to, by turns at random.
    pub peers: Vec<String>,
    /// The account whose presence this client wants, and gives its own.
    pub contact: Option<String>,
    /// Whether it has been seen.
    pub contact_is_known: bool,
    /// The pause between two messages, in milliseconds.
    pub pace: (u64, u64),
    pub dice: Dice,
    pub ledger: Arc<Ledger>,
    pub status: Arc<Status>,
    pub phase: watch::Receiver<Phase>,
}

fn presence_to(jid: &str, kind: &str) -> String {
    format!("<presence xmlns='{CLIENT}' to='{jid}' type='{kind}'/>")
}

/// A client that nobody reads waits with the next message.
pub const MAX_OWING: usize = 150;

/// How long bodies are, most of the time and sometimes.
const LENGTHS: [usize; 2] = [400, 20_000];

impl Person {
    pub fn name(&self) -> &str {
        self.jid.split('@').next().unwrap_or_default()
    }

    pub fn resource(&self) -> &str {
        self.jid.split('/').nth(1).unwrap_or_default()
    }

    pub fn phase(&self) -> Phase {
        *self.phase.borrow()
    }

    pub fn pause(&mut self) -> Duration {
        self.dice.millis(self.pace)
    }

    /// The next message.
    pub fn message(&mut self) -> String {
        let to = self.peers[self.dice.below(self.peers.len())].clone();
        let account = bare(&to);
        let number = self.ledger.next(&self.jid, account);
        let is_long = self.dice.one_in(40);
        let length = self.dice.below(LENGTHS[usize::from(is_long)]);
        format!(
            "<message xmlns='{CLIENT}' to='{to}' type='chat' id='{}|{account}|{number}'>\
             <body>{}</body></message>",
            self.jid,
            "x".repeat(length)
        )
    }

    /// What is sent as soon as the session is there: presence, carbons.
    pub fn first_stanzas(&self) -> Vec<String> {
        let mut stanzas = Vec::new();
        if self.carbons {
            stanzas.push(format!(
                "<iq xmlns='{CLIENT}' type='set' id='carbons'><enable xmlns='{CARBONS}'/></iq>"
            ));
        }
        stanzas.push(format!("<presence xmlns='{CLIENT}'/>"));
        if let Some(contact) = self.contact.as_ref().filter(|_| !self.contact_is_known) {
            stanzas.push(presence_to(contact, "subscribe"));
        }
        stanzas
    }

    /// Whether this is the answer to presence.
    pub fn is_own_presence(&self, stanza: &Element) -> bool {
        stanza.name() == "presence"
            && stanza.attr("type").is_none()
            && stanza.attr("from") == Some(&*self.jid)
    }

    /// Whether it has seen whom it wants to see.
    pub fn is_content(&self) -> bool {
        self.contact.is_none() || self.contact_is_known
    }

    /// A stanza has come, and is handled with this. Returns what there is to answer.
    pub fn hear(&mut self, stanza: &Element) -> Option<String> {
        let from = stanza.attr("from").unwrap_or_default();
        let is_contact = self.contact.as_deref() == Some(bare(from));
        match (stanza.name(), stanza.attr("type")) {
            ("presence", Some("subscribe")) => return Some(presence_to(bare(from), "subscribed")),
            ("presence", None) if is_contact => self.contact_is_known = true,
            _ => self.note(stanza),
        }
        None
    }

    fn note(&mut self, stanza: &Element) {
        match (stanza.name(), stanza.attr("type")) {
            (_, Some("error")) => {
                let refused = format!("{} is refused: {stanza}", self.jid);
                match stanza.name() {
                    "message" => self.ledger.refused(refused),
                    _ => self.ledger.fault(refused),
                }
            }
            ("message", _) => self.hear_message(stanza),
            ("presence", Some("unavailable")) => {
                let from = stanza.attr("from").unwrap_or_default();
                if bare(from) != bare(&self.jid) {
                    self.ledger.unavailable(from, &self.jid);
                }
            }
            _ => {}
        }
    }

    fn hear_message(&mut self, message: &Element) {
        let copied = |direction| {
            let copy = message.child(direction, CARBONS)?;
            copy.child("forwarded", FORWARD)?.child("message", CLIENT)
        };
        let (message, sight) = match (copied("received"), copied("sent")) {
            (Some(message), _) => (message, Sight::Received),
            (_, Some(message)) => (message, Sight::Written),
            _ => (message, Sight::Received),
        };
        let id = message.attr("id").unwrap_or_default();
        let mut parts = id.split('|');
        let (Some(sender), Some(account), Some(number)) =
            (parts.next(), parts.next(), parts.next())
        else {
            return self.ledger.fault(format!("{} got {message}", self.jid));
        };
        let from = message.attr("from").unwrap_or_default();
        match number.parse() {
            Ok(number) if from == sender => {
                self.ledger.see(sender, account, &self.jid, sight, number);
            }
            _ => self.ledger.fault(format!("{} got {message}", self.jid)),
        }
    }
}
