//! The client's side of BOSH (XEP-0124): two requests at a time, each of which may be lost on its
//! way, or its answer, and comes again under its number.

use super::process::Process;
use super::rng::Rng;
use super::wire::Heard;
use super::world::World;
use crate::http::peer::Peer;
use crate::xml::Element;
use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::task::JoinHandle;
use tower_service::Service;

const NS: &str = "http://jabber.org/protocol/httpbind";

/// How often a request is sent before its link is taken for lost.
const ATTEMPTS: u32 = 4;

/// What became of a request: the body of its answer, or nothing.
type Answer = Option<String>;

pub(super) struct Bosh {
    world: Arc<World>,
    /// Where its session lives.
    process: Arc<Process>,
    router: usize,
    rng: Rng,
    sid: Option<String>,
    /// The number of the next request, and of the next answer that is due.
    rid: u64,
    due: u64,
    /// Whether answers are acknowledged (§9).
    acks: bool,
    waiting: VecDeque<String>,
    open: Vec<Open>,
    answers: BTreeMap<u64, String>,
    heard: VecDeque<Element>,
    wants_restart: bool,
    wants_end: bool,
    is_over: bool,
    /// Half open: no request arrives, and no answer.
    pub goes_nowhere: bool,
}

/// A request under way.
struct Open {
    rid: u64,
    body: String,
    attempts: u32,
    answer: Pin<Box<dyn Future<Output = Answer> + Send>>,
}

impl Bosh {
    pub fn open(world: &Arc<World>, rng: &mut Rng) -> Option<Self> {
        let process = world.process()?;
        let router = process.bosh()?;
        let mut rng = rng.fork();
        let rid = rng.between(1, 1 << 40);
        let acks = rng.percent(50);
        let wait = rng.between(1, 60);
        let mut bosh = Self {
            world: world.clone(),
            process,
            router,
            rng,
            sid: None,
            rid,
            due: rid,
            acks,
            waiting: VecDeque::new(),
            open: Vec::new(),
            answers: BTreeMap::new(),
            heard: VecDeque::new(),
            wants_restart: false,
            wants_end: false,
            is_over: false,
            goes_nowhere: false,
        };
        let ack = if acks { " ack='1'" } else { "" };
        let body = format!(
            "<body rid='{rid}' to='example.org' ver='1.11' wait='{wait}' hold='1'{ack} \
             xml:lang='en' xmpp:version='1.0' xmlns='{NS}' xmlns:xmpp='urn:xmpp:xbosh'/>"
        );
        bosh.post(body);
        Some(bosh)
    }

    pub fn say(&mut self, text: &str) {
        self.waiting.push_back(text.to_owned());
    }

    pub fn restart(&mut self) {
        self.wants_restart = true;
    }

    pub fn terminate(&mut self) {
        self.wants_end = true;
    }

    pub fn poll_hear(&mut self, cx: &mut Context<'_>) -> Poll<Heard> {
        loop {
            self.poll_open(cx);
            self.take_answers();
            if let Some(element) = self.heard.pop_front() {
                return Poll::Ready(Heard::Element(element));
            }
            if self.is_over {
                return Poll::Ready(Heard::Lost);
            }
            if !self.ask() {
                return Poll::Pending;
            }
        }
    }

    fn poll_open(&mut self, cx: &mut Context<'_>) {
        let mut i = 0;
        while i < self.open.len() {
            let Poll::Ready(answer) = self.open[i].answer.as_mut().poll(cx) else {
                i += 1;
                continue;
            };
            let Open {
                rid,
                body,
                attempts,
                ..
            } = self.open.remove(i);
            match answer {
                Some(answer) => {
                    self.answers.insert(rid, answer);
                }
                None if attempts < ATTEMPTS => {
                    let answer = self.request(body.clone());
                    let attempts = attempts + 1;
                    self.open.push(Open {
                        rid,
                        body,
                        attempts,
                        answer,
                    });
                    i = 0;
                }
                None => self.is_over = true,
            }
        }
    }

    /// Answers are read in the order of their requests.
    fn take_answers(&mut self) {
        while let Some(answer) = self.answers.remove(&self.due) {
            self.due += 1;
            let body = Element::parse(&answer).expect("an answer is an element");
            if let Some(sid) = body.attr("sid") {
                self.sid = Some(sid.to_owned());
            }
            self.heard.extend(body.children().cloned());
            if body.attr("type") == Some("terminate") {
                self.is_over = true;
                return;
            }
        }
    }

    /// The next request, if it is time for one. Returns whether it was.
    fn ask(&mut self) -> bool {
        let Some(sid) = &self.sid else { return false };
        let has_news = self.wants_restart || self.wants_end || !self.waiting.is_empty();
        let has_room = self.rid - self.due < 2;
        if !has_room || !(has_news || self.open.is_empty()) {
            return false;
        }
        let rid = self.rid;
        let ack = match self.acks && self.due != rid {
            true => format!(" ack='{}'", self.due - 1),
            false => String::new(),
        };
        let start =
            format!("<body rid='{rid}' sid='{sid}'{ack} xmlns='{NS}' xmlns:xmpp='urn:xmpp:xbosh'");
        let body = if std::mem::take(&mut self.wants_restart) {
            format!("{start} to='example.org' xmpp:restart='true'/>")
        } else {
            let end = if std::mem::take(&mut self.wants_end) {
                " type='terminate'"
            } else {
                ""
            };
            let payload: String = self.waiting.drain(..).collect();
            format!("{start}{end}>{payload}</body>")
        };
        self.post(body);
        true
    }

    fn post(&mut self, body: String) {
        let answer = self.request(body.clone());
        self.open.push(Open {
            rid: self.rid,
            body,
            attempts: 1,
            answer,
        });
        self.rid += 1;
    }

    fn request(&mut self, body: String) -> Pin<Box<dyn Future<Output = Answer> + Send>> {
        let rng = &mut self.rng;
        let fate = match (self.goes_nowhere, self.world.is_calm()) {
            (true, _) => Fate::Nowhere(rng.millis(1_000, 70_000)),
            (_, true) => Fate::Good,
            _ => match rng.weighted(&[92, 3, 3, 2]) {
                0 => Fate::Good,
                1 => Fate::Nowhere(rng.millis(0, 3_000)),
                2 => Fate::Unanswered(rng.millis(0, 3_000)),
                _ => Fate::Cut(rng.millis(0, 20_000)),
            },
        };
        let (there, back) = (rng.millis(1, 120), rng.millis(1, 120));
        let (process, router) = (self.process.clone(), self.router);
        Box::pin(async move {
            tokio::time::sleep(there).await;
            if let Fate::Nowhere(patience) = fate {
                tokio::time::sleep(patience).await;
                return None;
            }
            let died = process.died.notified();
            let router = process.router(router)?;
            let mut served = Served(tokio::spawn(serve(router, body)));
            let cut = async {
                match fate {
                    Fate::Cut(after) => tokio::time::sleep(after).await,
                    _ => std::future::pending().await,
                }
            };
            let answer = tokio::select! {
                biased;
                () = died => return None,
                () = cut => return None,
                answer = &mut served.0 => answer.ok()?,
            };
            if let Fate::Unanswered(patience) = fate {
                tokio::time::sleep(patience).await;
                return None;
            }
            tokio::time::sleep(back).await;
            Some(answer)
        })
    }
}

/// What befalls a request.
#[derive(Clone, Copy)]
enum Fate {
    Good,
    /// It does not arrive.
    Nowhere(Duration),
    /// Its answer does not.
    Unanswered(Duration),
    /// Its connection breaks after this time, if it is not answered by then.
    Cut(Duration),
}

/// A request at the server, which goes on whether its client looks or not, and ends with its
/// connection.
struct Served(JoinHandle<String>);

impl Drop for Served {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn serve(mut router: Router, body: String) -> String {
    let mut request = Request::post("/http-bind/")
        .header("Content-Type", "text/xml; charset=utf-8")
        .header("Content-Length", body.len())
        .body(Body::from(body))
        .expect("a request");
    let peer = Peer::direct(SocketAddr::from((Ipv4Addr::LOCALHOST, 1)));
    request.extensions_mut().insert(peer);
    let Ok(response) = router.call(request).await;
    let is_ok = response.status() == StatusCode::OK;
    let bytes = axum::body::to_bytes(response.into_body(), usize::MAX).await;
    let text = String::from_utf8(bytes.expect("a body").to_vec()).expect("text is UTF-8");
    match is_ok {
        true => text,
        false => format!("<body type='terminate' xmlns='{NS}'/>"),
    }
}
