//! A client on BOSH: two requests at a time, each made again with the same bytes until it is answered.

use crate::dice::Dice;
use crate::http::{Pool, post};
use crate::kit::bosh::wrap;
use crate::kit::xmpp::plain_auth;
use crate::kit::{BIND, CLIENT, ETHERX, HTTPBIND, PASSWORD, SASL};
use crate::link::broken;
use crate::person::{MAX_OWING, Person, Phase};
use stanzad::xml::Element;
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};

/// What a client says when it opens a session. The wait is short, so that a frozen request is
/// noticed soon.
const CREATE: &str = "to='example.org' wait='2' hold='1' ver='1.11' xml:lang='en' \
    xmpp:version='1.0' xmlns:xmpp='urn:xmpp:xbosh' content='text/xml; charset=utf-8'";
const RESTART: &str = "to='example.org' xmpp:restart='true' xmlns:xmpp='urn:xmpp:xbosh'";
/// When a request is made again: `wait` and something for a busy machine.
const REQUEST_LIMIT: Duration = Duration::from_millis(3500);
const LOGIN_LIMIT: Duration = Duration::from_secs(30);
/// The pause before a request is made again, in milliseconds.
const AGAIN_AFTER: (u64, u64) = (0, 40);
/// How many requests a client may have open (XEP-0124 §7.2, `requests`).
const REQUESTS: usize = 2;

/// A client that logs in once. Its session has to live as long as it does.
pub struct BoshClient {
    person: Person,
    address: SocketAddr,
    pending: VecDeque<String>,
    is_known: bool,
}

impl BoshClient {
    pub fn new(person: Person, address: SocketAddr) -> Self {
        Self {
            person,
            address,
            pending: VecDeque::new(),
            is_known: false,
        }
    }

    /// Until it is told to leave. A session that ends before is a fault, and another one begins.
    pub async fn run(mut self) {
        while self.person.phase() != Phase::Leave {
            let mut session = Session::new(self.address, self.person.dice.fork(7));
            let outcome = match timeout(LOGIN_LIMIT, self.log_in(&mut session)).await {
                Ok(Ok(())) => self.converse(&mut session).await,
                Ok(Err(error)) => Err(error),
                Err(late) => Err(late.into()),
            };
            if let Err(error) = outcome {
                let jid = &self.person.jid;
                self.person.ledger.bound_anew();
                self.person
                    .ledger
                    .fault(format!("{jid}: its session is over: {error}"));
                let mut again: VecDeque<_> = session.unanswered().collect();
                again.append(&mut self.pending);
                self.pending = again;
            }
            self.is_known = false;
            self.person.status.set(false, self.pending.len());
        }
    }

    async fn log_in(&mut self, session: &mut Session) -> io::Result<()> {
        session.request(CREATE, Vec::new());
        session.expect("features", ETHERX).await?;
        session.say(plain_auth(self.person.name(), PASSWORD));
        session.expect("success", SASL).await?;
        session.request(RESTART, Vec::new());
        session.expect("features", ETHERX).await?;
        let resource = self.person.resource();
        session.say(format!(
            "<iq xmlns='{CLIENT}' type='set' id='bind'><bind xmlns='{BIND}'>\
             <resource>{resource}</resource></bind></iq>"
        ));
        let bound = session.expect("iq", CLIENT).await?;
        if bound.attr("type") != Some("result") {
            return Err(broken(&format!("not bound: {bound}")));
        }
        for stanza in self.person.first_stanzas().into_iter().rev() {
            self.pending.push_front(stanza);
        }
        Ok(())
    }

    async fn converse(&mut self, session: &mut Session) -> io::Result<()> {
        let mut phases = self.person.phase.clone();
        let mut talk_at = Instant::now() + self.person.pause();
        loop {
            while let Some(element) = session.inbox.pop_front() {
                self.is_known |= self.person.is_own_presence(&element);
                self.pending.extend(self.person.hear(&element));
            }
            self.ask(session);
            let owing = self.pending.len() + session.unanswered().count();
            let is_up = self.is_known && self.person.is_content();
            self.person.status.set(is_up, owing);
            tokio::select! {
                answered = session.hear() => answered?,
                () = sleep_until(talk_at) => {
                    if self.person.phase() == Phase::Talk && owing < MAX_OWING && self.is_known {
                        let message = self.person.message();
                        self.pending.push_back(message);
                    }
                    talk_at = Instant::now() + self.person.pause();
                }
                _ = phases.changed() => {
                    if *phases.borrow() == Phase::Leave {
                        session.request("type='terminate'", Vec::new());
                        let _ = timeout(REQUEST_LIMIT, session.hear()).await;
                        return Ok(());
                    }
                }
            }
        }
    }

    /// What there is to say goes out at once, if it may; the server always has a request to answer.
    fn ask(&mut self, session: &mut Session) {
        let has_words = !self.pending.is_empty() && session.open.len() < REQUESTS;
        if has_words || session.open.is_empty() {
            session.request("", self.pending.drain(..).collect());
        }
    }
}

/// One BOSH session, as its client sees it.
struct Session {
    address: SocketAddr,
    dice: Dice,
    sid: Option<String>,
    rid: u64,
    /// The requests that are not answered, and what is in each.
    open: BTreeMap<u64, Vec<String>>,
    /// Answers that came before those to earlier requests.
    early: BTreeMap<u64, Element>,
    /// The rid whose answer is read next.
    next_answer: u64,
    inbox: VecDeque<Element>,
    pool: Pool,
    answers: mpsc::UnboundedReceiver<(u64, Element)>,
    answered: mpsc::UnboundedSender<(u64, Element)>,
    requests: JoinSet<()>,
}

impl Session {
    fn new(address: SocketAddr, mut dice: Dice) -> Self {
        let (answered, answers) = mpsc::unbounded_channel();
        let rid = 1000 + dice.below(1_000_000) as u64;
        Self {
            address,
            dice,
            sid: None,
            rid,
            open: BTreeMap::new(),
            early: BTreeMap::new(),
            next_answer: rid,
            inbox: VecDeque::new(),
            pool: Pool::default(),
            answers,
            answered,
            requests: JoinSet::new(),
        }
    }

    fn say(&mut self, stanza: String) {
        self.request("", vec![stanza]);
    }

    /// Makes a request; its answer comes with [`Self::hear`].
    fn request(&mut self, attributes: &str, stanzas: Vec<String>) {
        let rid = self.rid;
        self.rid += 1;
        let sid = self.sid.as_ref().map(|sid| format!("sid='{sid}' "));
        let sid = sid.unwrap_or_default();
        let body = wrap(&format!("rid='{rid}' {sid}{attributes}"), &stanzas.concat());
        self.open.insert(rid, stanzas);
        let request = Request {
            address: self.address,
            pool: self.pool.clone(),
            body,
            dice: self.dice.fork(rid),
        };
        let answered = self.answered.clone();
        self.requests.spawn(async move {
            let answer = request.until_answered().await;
            let _ = answered.send((rid, answer));
        });
    }

    /// Awaits an answer and puts what is in it into the inbox, in the order of requests. It may be
    /// dropped and called again.
    async fn hear(&mut self) -> io::Result<()> {
        let Some((rid, body)) = self.answers.recv().await else {
            return Err(broken("no answers any more"));
        };
        while self.requests.try_join_next().is_some() {}
        self.early.insert(rid, body);
        while let Some(body) = self.early.remove(&self.next_answer) {
            self.open.remove(&self.next_answer);
            self.next_answer += 1;
            if let Some(sid) = body.attr("sid") {
                self.sid = Some(sid.to_owned());
            }
            self.inbox.extend(body.children().cloned());
            if body.attr("type") == Some("terminate") {
                return Err(broken(&body.to_string()));
            }
        }
        Ok(())
    }

    /// The next element has to be this one.
    async fn expect(&mut self, name: &str, namespace: &str) -> io::Result<Element> {
        loop {
            if let Some(element) = self.inbox.pop_front() {
                return match element.is(name, namespace) {
                    true => Ok(element),
                    false => Err(broken(&format!("no <{name}/> but {element}"))),
                };
            }
            if self.open.is_empty() {
                self.request("", Vec::new());
            }
            self.hear().await?;
        }
    }

    /// Messages in requests that were never answered.
    fn unanswered(&self) -> impl Iterator<Item = String> + '_ {
        let stanzas = self.open.values().flatten();
        stanzas.filter(|s| s.starts_with("<message")).cloned()
    }
}

struct Request {
    address: SocketAddr,
    pool: Pool,
    body: String,
    dice: Dice,
}

impl Request {
    async fn until_answered(mut self) -> Element {
        loop {
            let answer = post(self.address, &self.pool, &self.body, REQUEST_LIMIT).await;
            let body = answer.ok().and_then(|text| Element::parse(&text).ok());
            // "type='error'" lets a connection go that another request took over from (§17.3).
            let is_answer =
                |body: &Element| body.is("body", HTTPBIND) && body.attr("type") != Some("error");
            if let Some(body) = body.filter(is_answer) {
                return body;
            }
            sleep(self.dice.millis(AGAIN_AFTER)).await;
        }
    }
}
