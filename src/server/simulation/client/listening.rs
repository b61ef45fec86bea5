//! What the server says.

use super::{CARBONS, CLIENT, Client, Flow};
use crate::server::simulation::managed::NS as SM;
use crate::server::simulation::oracle::{Number, Way};
use crate::server::simulation::wire::{Heard, Wire};
use crate::xml::Element;

const FORWARD: &str = "urn:xmpp:forward:0";
const DELAY: &str = "urn:xmpp:delay";

impl Client {
    pub(super) fn on_heard(&mut self, wire: &mut Wire, heard: Heard) -> Flow {
        let Heard::Element(element) = heard else {
            self.note(format_args!("< nothing more"));
            return Flow::Lost;
        };
        self.note(format_args!("< {element}"));
        match (element.name(), element.namespace()) {
            ("message" | "presence" | "iq", CLIENT) => self.on_stanza(&element),
            ("r", SM) => self.on_request(wire),
            ("a", SM) => self.on_ack(element.attr("h").unwrap_or_default()),
            ("enabled", SM) => self.on_enabled(&element),
            ("error", _) => {
                if let Some(session) = &mut self.session {
                    session.has_error = true;
                }
            }
            ("close", _) => {
                let has_error = self
                    .session
                    .as_ref()
                    .is_some_and(|session| session.has_error);
                if has_error {
                    return Flow::Lost;
                }
                return Flow::Closed;
            }
            _ => self
                .world
                .fail(&self.name, format!("did not expect {element}")),
        }
        Flow::GoesOn
    }

    pub(super) fn on_enabled(&mut self, enabled: &Element) {
        let Some(session) = &mut self.session else {
            return;
        };
        let Some(managed) = &mut session.managed else {
            return;
        };
        match enabled.attr("id") {
            Some(id) => managed.previd = Some(id.to_owned()),
            None => self.world.fail(&self.name, format!("no id: {enabled}")),
        }
        self.world.publish(self.habits.account, &session.jid);
    }

    pub(super) fn on_request(&mut self, wire: &mut Wire) {
        if self.world.is_calm() || self.rng.percent(85) {
            self.tell(wire);
        }
    }

    pub(super) fn on_ack(&mut self, h: &str) {
        let Some(managed) = self
            .session
            .as_mut()
            .and_then(|session| session.managed.as_mut())
        else {
            return;
        };
        match managed.on_ack(h) {
            Ok(covered) => {
                let mut oracle = self.world.oracle();
                let numbers = covered.into_iter().filter_map(|out| out.number);
                numbers.for_each(|number| oracle.handled(number));
            }
            Err(fault) => self.world.fail(&self.name, fault),
        }
    }

    pub(super) fn on_stanza(&mut self, stanza: &Element) {
        let Some(session) = &mut self.session else {
            return self
                .world
                .fail(&self.name, format!("no session for {stanza}"));
        };
        let id = stanza.attr("id").unwrap_or_default();
        let is_error = stanza.attr("type") == Some("error");
        let message = (stanza.name() == "message")
            .then(|| read_message(stanza))
            .flatten();
        // A carbon of what the account sent is nothing that it is owed.
        let owed = message.filter(|(_, way)| *way != Way::Sent && !is_error);
        if let Some(managed) = &mut session.managed {
            managed.on_stanza(owed.map(|(number, _)| number));
        }
        let mut oracle = self.world.oracle();
        let failures = oracle.failures.len();
        match message {
            Some((number, _)) if is_error => oracle.refused(number),
            Some((number, way)) => oracle.receive(session.view, number, way),
            None if stanza.name() == "iq" => {
                if let Some(managed) = &mut session.managed {
                    for number in managed.on_synced(id) {
                        oracle.settled(number);
                    }
                } else if let Some((sync, count)) = &session.plain_sync
                    && sync == id
                {
                    for number in session.plain.drain(..*count) {
                        oracle.handled(number);
                    }
                    session.plain_sync = None;
                }
            }
            None => {}
        }
        let failure = oracle.failures.get(failures).cloned();
        drop(oracle);
        if let Some(failure) = failure {
            self.note(format_args!("FAILURE {failure}"));
        }
    }
}

/// Which message this is, and how it comes.
fn read_message(stanza: &Element) -> Option<(Number, Way)> {
    let carbon = |name| stanza.child(name, CARBONS).map(|carbon| (name, carbon));
    let (way, message) = match carbon("received").or_else(|| carbon("sent")) {
        None => (Way::Live, stanza),
        Some((name, carbon)) => {
            let way = if name == "sent" { Way::Sent } else { Way::Live };
            let forwarded = carbon.child("forwarded", FORWARD)?;
            (way, forwarded.child("message", CLIENT)?)
        }
    };
    let is_late = stanza.child("delay", DELAY).is_some() || message.child("delay", DELAY).is_some();
    let way = match way {
        Way::Live if is_late => Way::Late,
        way => way,
    };
    let number = message.attr("id")?.strip_prefix('m')?.parse().ok()?;
    Some((number, way))
}
