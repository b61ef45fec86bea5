//! A client on WebSocket with stream management, which comes back whenever its link is lost.

use crate::kit::xmpp::{CLOSE_STREAM, OPEN, plain_auth};
use crate::kit::{BIND, CLIENT, ETHERX, FRAMING, PASSWORD, SASL, SM};
use crate::link::{Frame, Link, broken};
use crate::person::{MAX_OWING, Person, Phase};
use crate::sm::Sm;
use stanzad::xml::Element;
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::time::{Instant, sleep, sleep_until, timeout};

/// How long a login may take, until the link is taken for dead.
const LOGIN_LIMIT: Duration = Duration::from_secs(10);
/// How long an `<r/>` may go unanswered.
const ANSWER_LIMIT: Duration = Duration::from_millis(2500);
/// How often the client looks whether there is something to ask for.
const ASK_AFTER: Duration = Duration::from_millis(300);
/// The stanzas after which it asks in any case.
const ASK_EVERY: usize = 5;
/// How long it waits before it comes back, in milliseconds.
const BACK_AFTER: (u64, u64) = (0, 60);

pub struct WsClient {
    person: Person,
    address: SocketAddr,
    /// Where counters begin.
    first_h: u32,
    sm: Option<Sm>,
    /// Written while there was no stream to send it on.
    pending: VecDeque<String>,
    /// Whether the presence of this session has come back.
    is_known: bool,
    /// Stanzas since the last `<r/>`, and when that went out if it is not answered.
    unasked: usize,
    asked_at: Option<Instant>,
}

impl WsClient {
    pub fn new(person: Person, address: SocketAddr, first_h: u32) -> Self {
        Self {
            person,
            address,
            first_h,
            sm: None,
            pending: VecDeque::new(),
            is_known: false,
            unasked: 0,
            asked_at: None,
        }
    }

    /// Until it is told to leave.
    pub async fn run(mut self) {
        while self.person.phase() != Phase::Leave {
            let login = timeout(LOGIN_LIMIT, self.log_in()).await;
            if let Ok(Ok(mut link)) = login {
                let _ = self.converse(&mut link).await;
            }
            self.note_status(false);
            sleep(self.person.dice.millis(BACK_AFTER)).await;
        }
    }

    fn note_status(&self, is_linked: bool) {
        let unacked = self.sm.as_ref().map_or(0, |sm| sm.unacked().len());
        let is_up = is_linked && self.is_known && self.person.is_content();
        let owing = unacked + self.pending.len();
        self.person.status.set(is_up, owing);
    }

    /// A stream with a session: the old one, or a new one.
    async fn log_in(&mut self) -> io::Result<Link> {
        let mut link = Link::connect(self.address).await?;
        open(&mut link).await?;
        link.send(&plain_auth(self.person.name(), PASSWORD)).await?;
        let success = read(&mut link).await?;
        if !success.is("success", SASL) {
            return Err(broken("not let in"));
        }
        open(&mut link).await?;
        (self.unasked, self.asked_at) = (0, None);
        if self.sm.is_some() && self.resume(&mut link).await? {
            return Ok(link);
        }
        self.bind(&mut link).await?;
        Ok(link)
    }

    /// XEP-0198 §5. False: the session is gone.
    async fn resume(&mut self, link: &mut Link) -> io::Result<bool> {
        let Some(sm) = &mut self.sm else {
            return Ok(false);
        };
        let (previd, handled) = (&sm.previd, sm.handled);
        link.send(&format!(
            "<resume xmlns='{SM}' previd='{previd}' h='{handled}'/>"
        ))
        .await?;
        let answer = read(link).await?;
        let h = answer.attr("h").and_then(|h| h.parse().ok());
        let is_sound = h.is_none_or(|h| sm.on_h(h));
        if !is_sound {
            let fault = format!("{} never sent so much: {answer}", self.person.jid);
            self.person.ledger.fault(fault);
        }
        if answer.is("resumed", SM) {
            self.person.ledger.resumed();
            for stanza in sm.unacked() {
                link.send(stanza).await?;
            }
            self.unasked = sm.unacked().len();
            return Ok(true);
        }
        if !answer.is("failed", SM) {
            self.on_stream_error(&answer)?;
            return Err(broken("neither resumed nor failed"));
        }
        let fault = format!("{} cannot resume: {answer}", self.person.jid);
        self.person.ledger.fault(fault);
        self.forget_session();
        Ok(false)
    }

    /// What the server is not known to have is sent in the next session.
    fn forget_session(&mut self) {
        let Some(sm) = self.sm.take() else { return };
        self.person.ledger.bound_anew();
        let messages = sm.into_unacked().into_iter();
        let mut unacked: VecDeque<_> = messages.filter(|s| s.starts_with("<message")).collect();
        unacked.append(&mut self.pending);
        self.pending = unacked;
        self.is_known = false;
    }

    async fn bind(&mut self, link: &mut Link) -> io::Result<()> {
        let resource = self.person.resource();
        link.send(&format!(
            "<iq xmlns='{CLIENT}' type='set' id='bind'><bind xmlns='{BIND}'>\
             <resource>{resource}</resource></bind></iq>"
        ))
        .await?;
        let bound = read(link).await?;
        let bind = bound.child("bind", BIND);
        let jid = bind.and_then(|bind| bind.child("jid", BIND));
        if jid.map(Element::text).as_ref() != Some(&self.person.jid) {
            return Err(broken("not bound"));
        }
        link.send(&format!("<enable xmlns='{SM}' resume='true'/>"))
            .await?;
        let enabled = read(link).await?;
        let previd = enabled.attr("id").filter(|_| enabled.is("enabled", SM));
        let previd = previd.ok_or_else(|| broken("no stream management"))?;
        self.sm = Some(Sm::new(previd.to_owned(), self.first_h));
        for stanza in self.person.first_stanzas() {
            self.send(link, stanza).await?;
        }
        Ok(())
    }

    /// Counts a stanza and sends it. If the link breaks, it is sent again on the next one.
    async fn send(&mut self, link: &mut Link, stanza: String) -> io::Result<()> {
        let sm = self.sm.as_mut().ok_or_else(|| broken("no session"))?;
        sm.on_sent(stanza.clone());
        link.send(&stanza).await?;
        self.unasked += 1;
        if self.unasked >= ASK_EVERY {
            self.ask(link).await?;
        }
        Ok(())
    }

    async fn ask(&mut self, link: &mut Link) -> io::Result<()> {
        self.unasked = 0;
        self.asked_at.get_or_insert(Instant::now());
        link.send(&format!("<r xmlns='{SM}'/>")).await
    }

    /// Both directions, until the link is lost.
    async fn converse(&mut self, link: &mut Link) -> io::Result<()> {
        let mut phases = self.person.phase.clone();
        let mut talk_at = Instant::now() + self.person.pause();
        let mut look_at = Instant::now() + ASK_AFTER;
        loop {
            while self.is_known
                && let Some(stanza) = self.pending.pop_front()
            {
                self.send(link, stanza).await?;
            }
            self.note_status(true);
            tokio::select! {
                frame = link.next() => self.on_frame(link, frame?).await?,
                () = sleep_until(talk_at) => {
                    self.talk();
                    talk_at = Instant::now() + self.person.pause();
                }
                () = sleep_until(look_at) => {
                    self.look(link).await?;
                    look_at = Instant::now() + ASK_AFTER;
                }
                _ = phases.changed() => {
                    if *phases.borrow() == Phase::Leave {
                        return link.send(CLOSE_STREAM).await;
                    }
                }
            }
        }
    }

    fn talk(&mut self) {
        let unacked = self.sm.as_ref().map_or(0, |sm| sm.unacked().len());
        let is_talking = self.person.phase() == Phase::Talk;
        if is_talking && self.is_known && unacked + self.pending.len() < MAX_OWING {
            let message = self.person.message();
            self.pending.push_back(message);
        }
    }

    /// Is the link alive, and what has the server?
    async fn look(&mut self, link: &mut Link) -> io::Result<()> {
        if self.asked_at.is_some_and(|at| at.elapsed() > ANSWER_LIMIT) {
            return Err(broken("no answer"));
        }
        if self.asked_at.is_none() {
            self.ask(link).await?;
        }
        Ok(())
    }

    async fn on_frame(&mut self, link: &mut Link, frame: Frame) -> io::Result<()> {
        let text = match frame {
            Frame::Text(text) => text,
            Frame::Ping(data) => return link.pong(&data).await,
            Frame::Pong => return Ok(()),
            Frame::Close => return Err(broken("closed")),
        };
        let element = parse(&text)?;
        let h = element.attr("h").and_then(|h| h.parse().ok());
        match (element.namespace(), element.name()) {
            (SM, "r") => {
                let handled = self.sm.as_ref().map_or(0, |sm| sm.handled);
                return link.send(&format!("<a xmlns='{SM}' h='{handled}'/>")).await;
            }
            (SM, "a") => {
                self.asked_at = None;
                let (Some(h), Some(sm)) = (h, &mut self.sm) else {
                    return Err(broken("no count"));
                };
                if !sm.on_h(h) {
                    let fault = format!("{} never sent so much: {text}", self.person.jid);
                    self.person.ledger.fault(fault);
                }
                return Ok(());
            }
            (FRAMING, _) => {
                let _ = link.send(CLOSE_STREAM).await;
                return Err(broken("closed"));
            }
            (ETHERX, "error") => return self.on_stream_error(&element),
            _ => {}
        }
        if let Some(sm) = &mut self.sm {
            sm.on_received();
        }
        self.is_known |= self.person.is_own_presence(&element);
        match self.person.hear(&element) {
            Some(answer) => self.send(link, answer).await,
            None => Ok(()),
        }
    }

    /// A server that stops says so. Nothing else is an answer to what these clients do.
    fn on_stream_error(&mut self, error: &Element) -> io::Result<()> {
        let condition = error.children().next().map_or("", Element::name);
        if !matches!(condition, "system-shutdown" | "connection-timeout") {
            let jid = &self.person.jid;
            self.person.ledger.fault(format!("{jid} is told: {error}"));
        }
        Ok(())
    }
}

fn parse(text: &str) -> io::Result<Element> {
    Element::parse(text).map_err(|fault| broken(&format!("{fault}: {text}")))
}

/// The next element of a stream that is not there yet.
async fn read(link: &mut Link) -> io::Result<Element> {
    loop {
        match link.next().await? {
            Frame::Text(text) => return parse(&text),
            Frame::Ping(data) => link.pong(&data).await?,
            Frame::Pong => {}
            Frame::Close => return Err(broken("closed")),
        }
    }
}

async fn open(link: &mut Link) -> io::Result<()> {
    link.send(OPEN).await?;
    let open = read(link).await?;
    let features = read(link).await?;
    match open.is("open", FRAMING) && features.is("features", ETHERX) {
        true => Ok(()),
        false => Err(broken("no stream")),
    }
}
