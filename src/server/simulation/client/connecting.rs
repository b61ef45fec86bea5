//! From a link to a session: login, resumption or bind.

use super::{CARBONS, CLIENT, Client, Flow, PATIENCE, Session, Step};
use crate::server::simulation::managed::{Managed, NS as SM};
use crate::server::simulation::wire::{Heard, Wire};
use crate::server::simulation::world::address;
use crate::xml::Element;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use std::time::Duration;
use tokio::time::{Instant, sleep_until, timeout};

const BIND: &str = "urn:ietf:params:xml:ns:xmpp-bind";

impl Client {
    pub(super) async fn connect(&mut self) -> Step<Wire> {
        let is_bosh = self.rng.percent(self.habits.bosh_percent);
        let mut wire = Wire::open(&self.world, is_bosh, &mut self.rng).await?;
        self.note(format_args!("connects, BOSH: {is_bosh}"));
        self.log_in(&mut wire).await?;
        if self.can_resume() {
            let forgets = !self.world.is_calm() && self.rng.percent(10);
            if forgets {
                self.note(format_args!("forgets its session"));
                self.give_up_session(None);
            } else if self.resume(&mut wire).await? {
                return Some(wire);
            }
        }
        self.bind(&mut wire).await?;
        Some(wire)
    }

    pub(super) async fn log_in(&mut self, wire: &mut Wire) -> Step<()> {
        self.expect(wire, &["features"]).await?;
        let plain = BASE64.encode(format!("\0user{}\0secret", self.habits.account));
        wire.say(&format!(
            "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{plain}</auth>"
        ));
        self.expect(wire, &["success"]).await?;
        wire.restart();
        self.expect(wire, &["features"]).await?;
        Some(())
    }

    /// The next element of one of these names; `<open/>` says nothing here.
    pub(super) async fn expect(&mut self, wire: &mut Wire, names: &[&str]) -> Step<Element> {
        loop {
            let heard = timeout(self.patience(), wire.hear()).await.ok()?;
            let Heard::Element(element) = heard else {
                return None;
            };
            self.note(format_args!("< {element}"));
            match element.name() {
                name if names.contains(&name) => return Some(element),
                "open" => {}
                _ => return None,
            }
        }
    }

    /// In rough times a client may give up before the server does.
    pub(super) fn patience(&mut self) -> Duration {
        match self.world.is_calm() || self.rng.percent(97) {
            true => PATIENCE,
            false => self.rng.millis(1, 500),
        }
    }

    pub(super) fn can_resume(&self) -> bool {
        let managed = self
            .session
            .as_ref()
            .and_then(|session| session.managed.as_ref());
        managed.is_some_and(Managed::is_on)
    }

    /// Returns whether the session goes on.
    pub(super) async fn resume(&mut self, wire: &mut Wire) -> Step<bool> {
        let managed = self.session.as_mut()?.managed.as_mut()?;
        let previd = managed.previd.clone()?;
        let h = managed.tell();
        wire.say(&format!("<resume xmlns='{SM}' previd='{previd}' h='{h}'/>"));
        let answer = self.expect(wire, &["resumed", "failed"]).await?;
        let h = answer.attr("h").map(str::to_owned);
        if answer.name() == "failed" {
            self.give_up_session(h.as_deref());
            return Some(false);
        }
        if answer.attr("previd") != Some(&previd) {
            self.world
                .fail(&self.name, format!("resumed another session: {answer}"));
        }
        self.on_ack(&h.unwrap_or_default());
        let session = self.session.as_mut()?;
        session.has_error = false;
        let managed = session.managed.as_mut()?;
        for number in managed.settle_told() {
            self.world.oracle().settled(number);
        }
        for out in managed.unacked() {
            wire.say(&out.text);
        }
        Some(true)
    }

    /// The session cannot be resumed. `h`: how much of it was handled, if the server knows.
    pub(super) fn give_up_session(&mut self, h: Option<&str>) {
        if let Some(h) = h {
            self.on_ack(h);
        }
        let Some(session) = self.session.take() else {
            return;
        };
        let Some(managed) = session.managed else {
            return;
        };
        if !managed.is_on() {
            self.world.oracle().hole(session.jid);
        }
        for out in managed.into_unacked() {
            let Some(number) = out.number else { continue };
            if h.is_none() {
                if self.rng.percent(50) {
                    continue;
                }
                self.world.oracle().doubled(number);
            }
            self.again.push(out);
        }
    }

    pub(super) async fn bind(&mut self, wire: &mut Wire) -> Step<()> {
        let resource = match self.resource.take() {
            Some(resource) if self.rng.percent(30) => resource,
            _ => {
                self.resources += 1;
                format!("{}-{}", self.device, self.resources)
            }
        };
        self.resource = Some(resource.clone());
        let asked_at = Instant::now();
        let jid = format!("{}/{resource}", address(self.habits.account));
        self.note(format_args!("binds {resource}"));
        wire.say(&format!(
            "<iq xmlns='{CLIENT}' type='set' id='bind'><bind xmlns='{BIND}'>\
             <resource>{resource}</resource></bind></iq>"
        ));
        let answer = self.expect(wire, &["iq"]).await;
        if answer
            .as_ref()
            .is_none_or(|iq| iq.attr("type") != Some("result"))
        {
            // It may have been bound all the same.
            self.world.oracle().hole(jid);
            return None;
        }
        let view = self.world.oracle().bind(self.habits.account, asked_at);
        let is_managed = self.habits.is_managed;
        let first_h = self.world.config.sm.debug_first_h;
        self.session = Some(Session {
            view,
            jid,
            managed: is_managed.then(|| Managed::new(first_h)),
            plain: Vec::new(),
            plain_sync: None,
            has_error: false,
        });
        self.note(format_args!("is session {view}"));
        self.begin_session(wire).await
    }

    pub(super) async fn begin_session(&mut self, wire: &mut Wire) -> Step<()> {
        if self.habits.is_managed {
            wire.say(&format!("<enable xmlns='{SM}' resume='true'/>"));
            let deadline = Instant::now() + PATIENCE;
            while !self.habits.hurries && !self.can_resume() {
                let heard = tokio::select! {
                    biased;
                    heard = wire.hear() => heard,
                    () = sleep_until(deadline) => Heard::Lost,
                };
                if self.on_heard(wire, heard) != Flow::GoesOn {
                    self.give_up_session(None);
                    return None;
                }
            }
        }
        if self.habits.carbons {
            let iq = format!(
                "<iq xmlns='{CLIENT}' type='set' id='carbons'><enable xmlns='{CARBONS}'/></iq>"
            );
            self.say_stanza(wire, &iq, None);
        }
        self.say_stanza(wire, "<presence xmlns='jabber:client'/>", None);
        for out in std::mem::take(&mut self.again) {
            self.note(format_args!("> again {:?}", out.number));
            self.say_stanza(wire, &out.text, out.number);
        }
        Some(())
    }
}
