//! What a client says.

use super::{CLIENT, Client};
use crate::server::simulation::managed::{NS as SM, Out};
use crate::server::simulation::oracle::Number;
use crate::server::simulation::wire::Wire;
use crate::server::simulation::world::address;

impl Client {
    pub(super) fn say_stanza(&mut self, wire: &mut Wire, text: &str, number: Option<Number>) {
        wire.say(text);
        let Some(session) = &mut self.session else {
            return;
        };
        match &mut session.managed {
            Some(managed) => managed.on_sent(Out {
                text: text.to_owned(),
                number,
            }),
            None => session.plain.extend(number),
        }
    }

    /// Tells the server what was handled.
    pub(super) fn tell(&mut self, wire: &mut Wire) {
        let Some(session) = &mut self.session else {
            return;
        };
        if let Some(managed) = &mut session.managed
            && managed.is_on()
        {
            let h = managed.tell();
            wire.say(&format!("<a xmlns='{SM}' h='{h}'/>"));
        }
    }

    /// Asks something of which the answer shows how far the server has read.
    pub(super) fn sync(&mut self, wire: &mut Wire) {
        self.tell(wire);
        self.requests += 1;
        let id = format!("sync{}", self.requests);
        let Some(session) = &mut self.session else {
            return;
        };
        match &mut session.managed {
            Some(managed) => managed.sync(id.clone()),
            None => session.plain_sync = Some((id.clone(), session.plain.len())),
        }
        let iq = format!(
            "<iq xmlns='{CLIENT}' type='get' id='{id}' to='example.org'>\
             <ping xmlns='urn:xmpp:ping'/></iq>"
        );
        self.say_stanza(wire, &iq, None);
    }

    pub(super) fn is_synced(&self) -> bool {
        let Some(session) = &self.session else {
            return true;
        };
        match &session.managed {
            Some(managed) => managed.is_synced(),
            None => session.plain_sync.is_none(),
        }
    }

    pub(super) fn write_messages(&mut self, wire: &mut Wire) {
        let Some(view) = self.session.as_ref().map(|session| session.view) else {
            return;
        };
        let most = *self.rng.pick(&[1, 3, 12]);
        for _ in 0..self.rng.between(1, most).min(self.habits.messages) {
            self.habits.messages -= 1;
            let account = self.rng.between(0, self.world.accounts() as u64 - 1) as usize;
            let full = match self.rng.percent(40) {
                true => self.world.address_of(account, &mut self.rng),
                false => None,
            };
            let number = self.world.oracle().send(view, account, full.clone());
            let to = full.unwrap_or_else(|| address(account));
            let body = match self.rng.percent(90) {
                true => "x".to_owned(),
                false => "x".repeat(self.rng.between(1_000, 8_000) as usize),
            };
            self.note(format_args!("> message {number} to {to}"));
            let text = format!(
                "<message xmlns='{CLIENT}' type='chat' to='{to}' id='m{number}'>\
                 <body>{body}</body></message>"
            );
            self.say_stanza(wire, &text, Some(number));
        }
    }
}
