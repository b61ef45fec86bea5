//! A client: one device of an account, with a mind of its own.

use super::managed::{Managed, NS as SM, Out};
use super::oracle::{Number, View, Way};
use super::rng::Rng;
use super::wire::{Heard, Wire};
use super::world::{World, address};
use crate::xml::Element;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep, sleep_until, timeout};

const CLIENT: &str = "jabber:client";
const CARBONS: &str = "urn:xmpp:carbons:2";
const FORWARD: &str = "urn:xmpp:forward:0";
const DELAY: &str = "urn:xmpp:delay";
const BIND: &str = "urn:ietf:params:xml:ns:xmpp-bind";
const CSI: &str = "urn:xmpp:csi:0";

/// How long a client waits for one answer while it connects.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a client is like.
#[derive(Debug, Clone)]
pub(super) struct Habits {
    account: usize,
    is_managed: bool,
    /// In a hundred connections.
    bosh_percent: u64,
    carbons: bool,
    /// Says everything after `<enable/>` without waiting for its answer.
    hurries: bool,
    /// Between two things that it does, in milliseconds.
    pace_ms: u64,
    /// How many messages it has to say.
    messages: u64,
}

impl Habits {
    pub fn draw(account: usize, is_managed: bool, rng: &mut Rng) -> Self {
        Self {
            account,
            is_managed,
            bosh_percent: *rng.pick(&[0, 0, 50, 100]),
            carbons: rng.percent(50),
            hurries: rng.percent(30),
            pace_ms: *rng.pick(&[200, 1_000, 3_000]),
            messages: rng.between(5, 40),
        }
    }

    /// One that comes when all are gone.
    pub fn of_collector(account: usize) -> Self {
        Self {
            account,
            is_managed: true,
            bosh_percent: 0,
            carbons: false,
            hurries: false,
            pace_ms: 1_000,
            messages: 0,
        }
    }
}

pub(super) struct Client {
    world: Arc<World>,
    rng: Rng,
    name: String,
    device: usize,
    habits: Habits,
    session: Option<Session>,
    /// What goes out with the next session.
    again: Vec<Out>,
    /// How many resources it had, and requests.
    resources: u32,
    requests: u32,
    resource: Option<String>,
}

/// A session, whatever link it has.
struct Session {
    view: View,
    jid: String,
    managed: Option<Managed>,
    /// Messages sent without stream management, and the request whose answer covers so many.
    plain: Vec<Number>,
    plain_sync: Option<(String, usize)>,
    owes_answer: bool,
    /// The server said why it ends the stream.
    has_error: bool,
}

/// How it goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flow {
    GoesOn,
    /// The link is gone.
    Lost,
    /// The server closed the stream, after everything that was said before.
    Closed,
}

/// What came while something else was expected ends the connection.
type Step<T> = Option<T>;

impl Client {
    pub fn new(world: &Arc<World>, device: usize, habits: Habits, rng: Rng) -> Self {
        Self {
            world: world.clone(),
            rng,
            name: format!("user{}/{device}", habits.account),
            device,
            habits,
            session: None,
            again: Vec::new(),
            resources: 0,
            requests: 0,
            resource: None,
        }
    }

    /// All its life: through the rough times, and then to an orderly end.
    pub async fn live(mut self) {
        while !self.world.is_calm() {
            if let Some(mut wire) = self.connect().await {
                self.be_there(&mut wire).await;
            }
            self.be_away().await;
        }
        self.end_well(self.world.calm_until).await;
    }

    /// Takes what is stored, and goes.
    pub async fn collect(mut self) {
        self.end_well(Instant::now() + Duration::from_secs(20)).await;
    }

    async fn end_well(&mut self, until: Instant) {
        for _ in 0..200 {
            let Some(mut wire) = self.connect().await else {
                sleep(Duration::from_secs(1)).await;
                continue;
            };
            self.say_stanza(&mut wire, "<presence xmlns='jabber:client'/>", None);
            if self.listen(&mut wire, until).await != Flow::GoesOn {
                continue;
            }
            if self.say_goodbye(&mut wire).await {
                return;
            }
        }
        self.world.fail(&self.name, "cannot end well".to_owned());
    }

    async fn listen(&mut self, wire: &mut Wire, until: Instant) -> Flow {
        loop {
            let heard = tokio::select! {
                biased;
                heard = wire.hear() => heard,
                () = sleep_until(until) => return Flow::GoesOn,
            };
            let flow = self.on_heard(wire, heard);
            if flow != Flow::GoesOn {
                return flow;
            }
        }
    }

    /// Acknowledges everything, closes, and waits for the server to close. Returns whether it did.
    async fn say_goodbye(&mut self, wire: &mut Wire) -> bool {
        self.sync(wire);
        let synced = async {
            while !self.is_synced() {
                let heard = wire.hear().await;
                if self.on_heard(wire, heard) != Flow::GoesOn {
                    return false;
                }
            }
            true
        };
        if !timeout(PATIENCE * 4, synced).await.unwrap_or(false) {
            return false;
        }
        self.close(wire).await
    }

    async fn close(&mut self, wire: &mut Wire) -> bool {
        self.note(format_args!("closes"));
        self.tell(wire);
        if let Some(session) = &mut self.session
            && let Some(managed) = &mut session.managed
        {
            managed.sync("close".to_owned()); // what is told after it is not read any more
        }
        wire.close();
        let closed = self.listen(wire, Instant::now() + PATIENCE).await;
        let is_bosh = matches!(wire, Wire::Bosh(_));
        let is_certain = closed == Flow::Closed && !is_bosh;
        let Some(session) = self.session.take() else {
            return true;
        };
        if session.managed.as_ref().is_some_and(|managed| !managed.is_on()) {
            self.world.oracle().hole(session.jid);
        }
        if let Some(mut managed) = session.managed
            && is_certain
        {
            // Everything before our <close/> was read before it was answered.
            let mut oracle = self.world.oracle();
            for number in managed.on_synced("close") {
                oracle.settled(number);
            }
            for out in managed.into_unacked() {
                out.number.into_iter().for_each(|number| oracle.handled(number));
            }
        }
        self.note(format_args!("is closed: {closed:?}"));
        closed != Flow::GoesOn
    }

    async fn be_away(&mut self) {
        let resume = self.world.config.sm.resume_timeout.as_millis().min(90_000) as u64;
        let away = match self.rng.weighted(&[55, 30, 15]) {
            0 => self.rng.millis(0, 1_500),
            1 => self.rng.millis(1_000, 20_000),
            _ => self.rng.millis(resume / 2, resume * 2),
        };
        let back = (Instant::now() + away).min(self.world.rough_until);
        sleep_until(back).await;
        // Nobody looks at the calm before it is there.
        sleep(Duration::from_millis(1)).await;
    }

    // --- Connecting.

    async fn connect(&mut self) -> Step<Wire> {
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

    async fn log_in(&mut self, wire: &mut Wire) -> Step<()> {
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
    async fn expect(&mut self, wire: &mut Wire, names: &[&str]) -> Step<Element> {
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
    fn patience(&mut self) -> Duration {
        match self.world.is_calm() || self.rng.percent(97) {
            true => PATIENCE,
            false => self.rng.millis(1, 500),
        }
    }

    fn can_resume(&self) -> bool {
        let managed = self.session.as_ref().and_then(|session| session.managed.as_ref());
        managed.is_some_and(Managed::is_on)
    }

    /// Returns whether the session goes on.
    async fn resume(&mut self, wire: &mut Wire) -> Step<bool> {
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
            self.world.fail(&self.name, format!("resumed another session: {answer}"));
        }
        self.on_ack(&h.unwrap_or_default());
        let session = self.session.as_mut()?;
        session.has_error = false;
        session.owes_answer = false;
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
    fn give_up_session(&mut self, h: Option<&str>) {
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

    async fn bind(&mut self, wire: &mut Wire) -> Step<()> {
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
        if answer.as_ref().is_none_or(|iq| iq.attr("type") != Some("result")) {
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
            owes_answer: false,
            has_error: false,
        });
        self.note(format_args!("is session {view}"));
        self.begin_session(wire).await
    }

    async fn begin_session(&mut self, wire: &mut Wire) -> Step<()> {
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

    // --- Listening.

    fn on_heard(&mut self, wire: &mut Wire, heard: Heard) -> Flow {
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
                let has_error = self.session.as_ref().is_some_and(|session| session.has_error);
                if has_error {
                    return Flow::Lost;
                }
                return Flow::Closed;
            }
            _ => self.world.fail(&self.name, format!("did not expect {element}")),
        }
        Flow::GoesOn
    }

    fn on_enabled(&mut self, enabled: &Element) {
        let Some(session) = &mut self.session else { return };
        let Some(managed) = &mut session.managed else { return };
        match enabled.attr("id") {
            Some(id) => managed.previd = Some(id.to_owned()),
            None => self.world.fail(&self.name, format!("no id: {enabled}")),
        }
        self.world.publish(self.habits.account, &session.jid);
    }

    fn on_request(&mut self, wire: &mut Wire) {
        if self.world.is_calm() || self.rng.percent(85) {
            self.tell(wire);
        } else if let Some(session) = &mut self.session {
            session.owes_answer = true;
        }
    }

    fn on_ack(&mut self, h: &str) {
        let Some(managed) = self.session.as_mut().and_then(|session| session.managed.as_mut())
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

    fn on_stanza(&mut self, stanza: &Element) {
        let Some(session) = &mut self.session else {
            return self.world.fail(&self.name, format!("no session for {stanza}"));
        };
        let id = stanza.attr("id").unwrap_or_default();
        let is_error = stanza.attr("type") == Some("error");
        let message = (stanza.name() == "message").then(|| read_message(stanza)).flatten();
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

    // --- Talking.

    fn say_stanza(&mut self, wire: &mut Wire, text: &str, number: Option<Number>) {
        wire.say(text);
        let Some(session) = &mut self.session else { return };
        match &mut session.managed {
            Some(managed) => managed.on_sent(Out {
                text: text.to_owned(),
                number,
            }),
            None => session.plain.extend(number),
        }
    }

    /// Tells the server what was handled.
    fn tell(&mut self, wire: &mut Wire) {
        let Some(session) = &mut self.session else { return };
        session.owes_answer = false;
        if let Some(managed) = &mut session.managed
            && managed.is_on()
        {
            let h = managed.tell();
            wire.say(&format!("<a xmlns='{SM}' h='{h}'/>"));
        }
    }

    /// Asks something of which the answer shows how far the server has read.
    fn sync(&mut self, wire: &mut Wire) {
        self.tell(wire);
        self.requests += 1;
        let id = format!("sync{}", self.requests);
        let Some(session) = &mut self.session else { return };
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

    fn is_synced(&self) -> bool {
        let Some(session) = &self.session else { return true };
        match &session.managed {
            Some(managed) => managed.is_synced(),
            None => session.plain_sync.is_none(),
        }
    }

    fn write_messages(&mut self, wire: &mut Wire) {
        let most = *self.rng.pick(&[1, 3, 12]);
        for _ in 0..self.rng.between(1, most).min(self.habits.messages) {
            self.habits.messages -= 1;
            let account = self.rng.between(0, self.world.accounts() as u64 - 1) as usize;
            let full = match self.rng.percent(40) {
                true => self.world.address_of(account, &mut self.rng),
                false => None,
            };
            let number = self.world.oracle().send(self.device, account, full.clone());
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

    // --- Doing this and that.

    async fn be_there(&mut self, wire: &mut Wire) {
        let mut patience: Option<Instant> = None;
        while !self.world.is_calm() {
            let pace = self.rng.millis(1, self.habits.pace_ms * 2);
            let next = (Instant::now() + pace).min(self.world.rough_until + Duration::from_millis(1));
            if self.listen(wire, next).await != Flow::GoesOn {
                break;
            }
            if patience.is_some_and(|until| until <= Instant::now()) {
                self.note(format_args!("leaves the link"));
                break;
            }
            if patience.is_none() && self.rng.percent(4) {
                self.note(format_args!("link is half open"));
                wire.half_open(&mut self.rng);
                patience = Some(Instant::now() + self.rng.millis(100, 60_000));
            }
            if !self.act(wire).await {
                break;
            }
        }
        if self.session.as_ref().is_some_and(|session| {
            session.managed.as_ref().is_none_or(|managed| !managed.is_on())
        }) {
            self.give_up_session(None);
        }
    }

    /// Returns whether the link is still there.
    async fn act(&mut self, wire: &mut Wire) -> bool {
        match self.rng.weighted(&[40, 10, 12, 12, 4, 4, 5, 3, 3, 3]) {
            0 => self.write_messages(wire),
            1 => wire.say_if(self.can_resume(), &format!("<r xmlns='{SM}'/>")),
            2 => self.tell(wire),
            3 => self.sync(wire),
            4 => {
                self.note(format_args!("link breaks"));
                wire.reset();
                return false;
            }
            5 => {
                let time = self.rng.millis(100, 20_000);
                self.note(format_args!("link freezes for {time:?}"));
                wire.freeze(time);
            }
            6 => {
                let time = self.rng.millis(100, 40_000);
                self.note(format_args!("looks away for {time:?}"));
                wire.look_away(time).await;
            }
            7 => {
                self.close(wire).await;
                return false;
            }
            8 => {
                let state = *self.rng.pick(&["active", "inactive"]);
                wire.say(&format!("<{state} xmlns='{CSI}'/>"));
            }
            _ => {
                let kind = *self.rng.pick(&["", " type='unavailable'"]);
                self.say_stanza(wire, &format!("<presence xmlns='{CLIENT}'{kind}/>"), None);
            }
        }
        true
    }

    fn note(&self, what: std::fmt::Arguments<'_>) {
        self.world.note(&self.name, what);
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
