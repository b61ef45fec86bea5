//! One visit of somebody: a login, a few words, and one of the ways in which links and sessions
//! end.

use super::house::PASSWORD;
use super::link::Link;
use super::town::Town;
use crate::server::simulation::managed::NS as SM;
use crate::server::simulation::rng::Rng;
use crate::server::simulation::wire::Heard;
use crate::xml::Element;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout_at};

const BIND: &str = "urn:ietf:params:xml:ns:xmpp-bind";
const CARBONS: &str = "urn:xmpp:carbons:2";

/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(40);

/// How many links a session has at most.
const MAX_LINKS: usize = 3;

/// What came while something else was expected ends the visit.
type Step<T> = Option<T>;

pub(super) struct Guest {
    town: Arc<Town>,
    rng: Rng,
    account: usize,
    is_bosh: bool,
    /// The session, once stream management is on, and how much came since.
    previd: Option<String>,
    handled: u32,
}

/// How a visit goes on after some time on a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Close,
    Reset,
    Silence,
    /// Another link resumes the session while this one is still there.
    Overtake,
}

impl Guest {
    pub fn new(town: &Arc<Town>, mut rng: Rng) -> Self {
        let account = rng.between(0, town.accounts as u64 - 1) as usize;
        let is_bosh = rng.percent(35);
        Self {
            town: town.clone(),
            rng,
            account,
            is_bosh,
            previd: None,
            handled: 0,
        }
    }

    /// Somebody who comes for what is stored.
    pub fn collector(town: &Arc<Town>, account: usize, rng: Rng) -> Self {
        let guest = Self::new(town, rng);
        Self {
            account,
            is_bosh: false,
            ..guest
        }
    }

    pub async fn visit(mut self) {
        self.town.figures().guests += 1;
        if self.rng.percent(5) {
            self.guess().await;
        } else {
            self.come_and_go().await;
        }
        self.town.figures().guests -= 1;
    }

    /// Tries wrong passwords, as often as it is let.
    async fn guess(&mut self) {
        for _ in 0..self.rng.between(1, 12) {
            let Some(mut link) = self.town.open_link(self.is_bosh, &mut self.rng) else {
                return;
            };
            if self.log_in(&mut link, "wrong").await.is_none() {
                return;
            }
        }
    }

    async fn come_and_go(&mut self) {
        let mut link = match self.arrive().await {
            Some(link) => link,
            None => return,
        };
        for _ in 0..MAX_LINKS {
            let time = self.rng.millis(1_000, 60_000);
            let is_there = self.stay(&mut link, time).await;
            match (is_there, self.fate()) {
                (true, Fate::Close) => {
                    self.leave(link).await;
                    return;
                }
                (true, Fate::Overtake) => {
                    let Some(new) = self.come_back().await else {
                        return;
                    };
                    link = new;
                    continue;
                }
                (true, Fate::Silence) => {
                    link.fall_silent();
                    self.listen(&mut link, Duration::from_secs(100)).await;
                }
                (true, Fate::Reset) | (false, _) => {}
            }
            drop(link);
            if self.previd.is_none() || self.rng.percent(35) {
                return; // the session, if it waits, expires
            }
            self.be_away().await;
            link = match self.come_back().await {
                Some(link) => link,
                None => return,
            };
        }
        self.leave(link).await;
    }

    fn fate(&mut self) -> Fate {
        match self.rng.weighted(&[35, 40, 10, 15]) {
            0 => Fate::Close,
            1 => Fate::Reset,
            2 => Fate::Silence,
            _ if self.previd.is_none() => Fate::Reset,
            _ => Fate::Overtake,
        }
    }

    async fn be_away(&mut self) {
        let away = match self.rng.weighted(&[60, 30, 10]) {
            0 => self.rng.millis(0, 20_000),
            1 => self.rng.millis(10_000, 290_000),
            _ => self.rng.millis(280_000, 600_000),
        };
        sleep(away).await;
    }

    /// A link with a new session.
    async fn arrive(&mut self) -> Step<Link> {
        let mut link = self.town.open_link(self.is_bosh, &mut self.rng)?;
        self.log_in(&mut link, PASSWORD).await?.then_some(())?;
        self.begin(&mut link).await?;
        Some(link)
    }

    /// A link with the old session, or with a new one if that is gone.
    async fn come_back(&mut self) -> Step<Link> {
        let was_bosh = self.is_bosh;
        if self.rng.percent(40) {
            self.is_bosh = !self.is_bosh;
        }
        let mut link = self.town.open_link(self.is_bosh, &mut self.rng)?;
        self.log_in(&mut link, PASSWORD).await?.then_some(())?;
        let (previd, h) = (self.previd.take()?, self.handled);
        link.say(&format!("<resume xmlns='{SM}' previd='{previd}' h='{h}'/>"));
        let answer = self.expect(&mut link, &["resumed", "failed"]).await?;
        if answer.name() == "failed" {
            self.town.figures().not_resumed += 1;
            self.begin(&mut link).await?;
            return Some(link);
        }
        self.previd = Some(previd);
        let mut figures = self.town.figures();
        figures.resumed += 1;
        figures.resumed_by_other_transport += usize::from(was_bosh != self.is_bosh);
        drop(figures);
        Some(link)
    }

    /// Returns whether the password was taken.
    async fn log_in(&mut self, link: &mut Link, password: &str) -> Step<bool> {
        self.expect(link, &["features"]).await?;
        let plain = BASE64.encode(format!("\0user{}\0{password}", self.account));
        link.say(&format!(
            "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{plain}</auth>"
        ));
        let answer = self.expect(link, &["success", "failure"]).await?;
        if answer.name() == "failure" {
            self.town.figures().wrong_passwords += 1;
            return Some(false);
        }
        link.restart();
        self.expect(link, &["features"]).await?;
        Some(true)
    }

    async fn begin(&mut self, link: &mut Link) -> Step<()> {
        // A few devices have a name of their own: who has it already is replaced.
        let resource = match self.rng.percent(30) {
            true => "phone".to_owned(),
            false => format!("r{:x}", self.rng.next()),
        };
        link.say(&format!(
            "<iq xmlns='jabber:client' type='set' id='bind'><bind xmlns='{BIND}'>\
             <resource>{resource}</resource></bind></iq>"
        ));
        let answer = self.expect(link, &["iq"]).await?;
        (answer.attr("type") == Some("result")).then_some(())?;
        self.town.figures().sessions += 1;
        self.previd = None;
        if self.rng.percent(85) {
            link.say(&format!("<enable xmlns='{SM}' resume='true'/>"));
            let enabled = self.expect(link, &["enabled"]).await?;
            self.previd = enabled.attr("id").map(str::to_owned);
            self.handled = 0; // counted from here on
        }
        if self.rng.percent(30) {
            link.say(&format!(
                "<iq xmlns='jabber:client' type='set' id='c'><enable xmlns='{CARBONS}'/></iq>"
            ));
        }
        link.say("<presence xmlns='jabber:client'/>");
        if self.rng.percent(10) {
            let to = self.somebody();
            link.say(&format!(
                "<presence xmlns='jabber:client' to='{to}/phone'/>"
            ));
        }
        Some(())
    }

    fn somebody(&mut self) -> String {
        let account = self.rng.between(0, self.town.accounts as u64 - 1);
        format!("user{account}@example.org")
    }

    /// Says a few words and listens. Returns whether the link is still there.
    async fn stay(&mut self, link: &mut Link, time: Duration) -> bool {
        let words = match self.rng.weighted(&[50, 40, 1]) {
            0 => 1,
            1 => 2,
            _ => 40, // over the quota
        };
        for _ in 0..words {
            let (to, id) = (self.somebody(), self.rng.next());
            link.say(&format!(
                "<message xmlns='jabber:client' type='chat' to='{to}' id='{id:x}'>\
                 <body>hello</body></message>"
            ));
        }
        self.town.figures().messages_sent += words;
        if !self.listen(link, time).await {
            return false;
        }
        self.acknowledge(link);
        true
    }

    /// Returns whether the link is still there.
    async fn listen(&mut self, link: &mut Link, time: Duration) -> bool {
        let until = Instant::now() + time;
        loop {
            match timeout_at(until, link.hear()).await {
                Err(_) => return true,
                Ok(Heard::Lost) => return false,
                Ok(Heard::Element(element)) => self.on_element(link, &element),
            }
        }
    }

    async fn leave(&mut self, mut link: Link) {
        self.acknowledge(&mut link);
        link.close();
        self.listen(&mut link, PATIENCE).await;
    }

    fn acknowledge(&mut self, link: &mut Link) {
        if self.previd.is_some() {
            let h = self.handled;
            link.say(&format!("<a xmlns='{SM}' h='{h}'/>"));
        }
    }

    fn on_element(&mut self, link: &mut Link, element: &Element) {
        match element.name() {
            "message" | "presence" | "iq" => {
                self.handled = self.handled.wrapping_add(1);
                let is_message = element.name() == "message";
                self.town.figures().messages_received += usize::from(is_message);
            }
            "r" => self.acknowledge(link),
            "error" => {
                let condition = element.children().next().map(Element::name);
                let condition = condition.unwrap_or_default().to_owned();
                *self.town.figures().errors.entry(condition).or_default() += 1;
            }
            _ => {}
        }
    }

    /// The next element of one of these names. `None`: the link is gone, or nothing comes.
    async fn expect(&mut self, link: &mut Link, names: &[&str]) -> Step<Element> {
        let until = Instant::now() + PATIENCE;
        loop {
            let heard = timeout_at(until, link.hear()).await.ok()?;
            let Heard::Element(element) = heard else {
                return None;
            };
            if names.contains(&element.name()) {
                return Some(element);
            }
            self.on_element(link, &element);
            if matches!(element.name(), "error" | "close") {
                return None;
            }
        }
    }

    /// Takes all that is stored, and goes. Returns whether it could.
    pub async fn collect(mut self) -> bool {
        let Some(mut link) = self.arrive().await else {
            return false;
        };
        self.listen(&mut link, Duration::from_secs(20)).await;
        self.leave(link).await;
        true
    }
}
