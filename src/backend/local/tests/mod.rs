//! The services without sockets: clients that hand stanzas in and look into their mailboxes.

mod accounts;
mod appendix_a;
mod carbons;
mod endings;
mod expiry;
mod iqs;
mod login;
mod messages;
mod offline;
mod presence;
mod repeats;
mod roster;
mod services;
mod subscriptions;
mod tokens;

use super::{Local, LocalOptions, Service};
use crate::auth::{ChannelBinding, Credentials, ITERATIONS_MIN};
use crate::backend::{Backend, Connection, Routed, Transport};
use crate::sessions::{EndReason, Mail, Session, Sessions, SessionsOptions};
use crate::stanza::address::BareJid;
use crate::stanza::{Kind, Stanza};
use crate::store::{Sqlite, Store};
use crate::stream::{Outbound, Sm};
use crate::xml::{Element, Limits, Scanner};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

/// How long a test waits for what has to come.
const PATIENCE: Duration = Duration::from_secs(10);

/// The password `secret`, derived once: in a debug build it takes its time.
static SECRET: LazyLock<Credentials> =
    LazyLock::new(|| Credentials::derive("secret", ITERATIONS_MIN).unwrap());

struct Server {
    local: Arc<Local>,
    sessions: Arc<Sessions>,
    store: Arc<dyn Store>,
    _directory: tempfile::TempDir,
}

impl Server {
    /// With the accounts `romeo`, `juliet` and `nurse` at example.org.
    async fn start() -> Self {
        Self::with(options(), bounds()).await
    }

    async fn with(options: LocalOptions, bounds: SessionsOptions) -> Self {
        Self::with_services(options, bounds, Vec::new()).await
    }

    async fn with_services(
        options: LocalOptions,
        bounds: SessionsOptions,
        services: Vec<Box<dyn Service>>,
    ) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = Arc::new(Sqlite::open(&directory.path().join("stanzad.sqlite")).unwrap());
        for name in ["romeo", "juliet", "nurse"] {
            store
                .create_account(&bare(name), SECRET.clone())
                .await
                .unwrap();
        }
        let sessions = Arc::new(Sessions::new(bounds));
        let secret = store.secret().await.unwrap();
        let local = Local::new(options, secret, sessions.clone(), store.clone(), services).unwrap();
        Self {
            local,
            sessions,
            store,
            _directory: directory,
        }
    }

    /// A bound session.
    async fn bind(&self, name: &str, resource: &str) -> Client {
        let connection = Arc::new(connection());
        let bound = self
            .local
            .bind(&connection, &bare(name), Some(resource.to_owned()))
            .await;
        self.client(bound.unwrap())
    }

    /// A bound session that has asked for the roster and sent its initial presence; what that
    /// brought is read.
    async fn login(&self, name: &str, resource: &str) -> Client {
        let client = self.bind(name, resource).await;
        client
            .send("<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>")
            .await;
        client.send("<presence/>").await;
        client.settle().await;
        client
    }

    fn client(&self, session: Arc<Session>) -> Client {
        Client {
            session,
            local: self.local.clone(),
            sessions: self.sessions.clone(),
        }
    }

    /// Romeo and Juliet see each other.
    async fn befriend(&self, one: &Client, other: &Client) {
        let (a, b) = (one.session.account(), other.session.account());
        one.send(&format!("<presence type='subscribe' to='{b}'/>"))
            .await;
        other
            .send(&format!("<presence type='subscribed' to='{a}'/>"))
            .await;
        other
            .send(&format!("<presence type='subscribe' to='{a}'/>"))
            .await;
        one.send(&format!("<presence type='subscribed' to='{b}'/>"))
            .await;
        one.mail();
        other.mail();
    }

    /// What is stored for an account, oldest first.
    async fn stored(&self, name: &str) -> Vec<String> {
        let stored = self.store.offline(&bare(name), 10_000).await.unwrap();
        stored
            .into_iter()
            .map(|one| one.message.stanza.to_string())
            .collect()
    }
}

fn options() -> LocalOptions {
    LocalOptions {
        scram_iterations: ITERATIONS_MIN,
        ..LocalOptions::for_host("example.org")
    }
}

fn bounds() -> SessionsOptions {
    SessionsOptions {
        sessions_per_user: 20,
        send_queue: 256,
        send_queue_bytes: 4 << 20,
        max_unacked: 1000,
        max_hibernating_per_user: 8,
        repeat_window: 128,
    }
}

fn connection() -> Connection {
    Connection {
        transport: Transport::WebSocket,
        subprotocol: None,
        endpoint: "web".into(),
        path: "/ws".into(),
        query: Arc::default(),
        admission: None,
        address: IpAddr::V4(Ipv4Addr::LOCALHOST),
        on_this_machine: true,
        private: true,
        binding: ChannelBinding::NONE,
    }
}

fn bare(name: &str) -> BareJid {
    BareJid::new(&format!("{name}@example.org")).unwrap()
}

struct Client {
    session: Arc<Session>,
    local: Arc<Local>,
    sessions: Arc<Sessions>,
}

impl Client {
    /// Sends a stanza and waits until the backend has taken responsibility for it.
    async fn send(&self, xml: &str) {
        match self.hand_in(xml) {
            Routed::Done | Routed::Pressed(_) => {}
            Routed::Later(later) => {
                tokio::time::timeout(PATIENCE, later)
                    .await
                    .expect("the stanza is dealt with");
            }
        }
    }

    /// Hands a stanza to the backend.
    fn hand_in(&self, xml: &str) -> Routed {
        let (name, rest) = xml.split_at(xml.find([' ', '/', '>']).unwrap());
        let xml = format!("{name} xmlns='jabber:client'{rest}");
        let mut scanner = Scanner::new(Limits::default());
        let frame = scanner.scan(&xml).unwrap();
        let stanza = Stanza::of_client(&frame, self.session.jid()).expect("a stanza");
        self.local.route(
            &self.session,
            stanza.expect("a stanza that is not refused at once"),
        )
    }

    /// What is in the mailbox now.
    fn mail(&self) -> Vec<String> {
        self.outbound()
            .into_iter()
            .map(|stanza| stanza.text.to_string())
            .collect()
    }

    fn outbound(&self) -> Vec<Outbound> {
        let mut context = Context::from_waker(Waker::noop());
        let mut mail = Vec::new();
        while let Poll::Ready(piece) = self.session.poll_mail(&mut context, true) {
            if let Mail::Stanza(stanza) = piece {
                mail.push(stanza);
            }
        }
        mail
    }

    /// What is in the mailbox now, as trees.
    fn elements(&self) -> Vec<Element> {
        self.mail()
            .iter()
            .map(|text| Element::parse(text).unwrap())
            .collect()
    }

    /// The next stanza, also one that is still on its way.
    async fn next(&self) -> Element {
        let next = std::future::poll_fn(|context| self.session.poll_mail(context, true));
        match tokio::time::timeout(PATIENCE, next)
            .await
            .expect("a stanza comes")
        {
            Mail::Stanza(stanza) => Element::parse(&stanza.text).unwrap(),
            Mail::Command(command) => panic!("{command:?} instead of a stanza"),
        }
    }

    /// Waits for what goes on behind the back of the client and reads the mailbox.
    async fn settle(&self) -> Vec<Element> {
        let state = super::state::State::of(&self.session).unwrap();
        let settled = async {
            loop {
                let _gate = state.account.gate.lock().await;
                if !state.account.is_draining() {
                    break;
                }
            }
        };
        let settled = tokio::time::timeout(PATIENCE, settled).await;
        settled.expect("stored messages are handed over");
        self.elements()
    }

    /// Sends a request to `to` (nobody: the own account) and reads the answer, which is all that
    /// comes.
    async fn ask(&self, kind: &str, to: &str, payload: &str) -> Element {
        let to = if to.is_empty() {
            String::new()
        } else {
            format!(" to='{to}'")
        };
        self.send(&format!("<iq type='{kind}' id='q'{to}>{payload}</iq>"))
            .await;
        self.next().await
    }

    /// The stream ends; what is left is dealt with.
    async fn end(self) {
        let ending = self.sessions.close(&self.session, None, EndReason::Closed);
        self.local.ended(ending).await;
    }

    /// The link is lost; the session waits to be resumed.
    fn hibernate(&self, sm: Sm) {
        let endings = self
            .sessions
            .hibernate(&self.session, Box::new(sm), Instant::now());
        assert!(endings.is_empty());
    }
}

/// Stream management that would resume.
fn sm() -> Sm {
    Sm::new(0, Some(Duration::from_secs(60)))
}

/// The condition of an error.
fn condition(stanza: &Element) -> String {
    let error = stanza.child("error", "jabber:client").expect("an error");
    error
        .children()
        .next()
        .expect("a condition")
        .name()
        .to_owned()
}

/// The text of the body.
fn body(message: &Element) -> String {
    message
        .child("body", "jabber:client")
        .expect("a body")
        .text()
}

fn kind(stanza: &Outbound) -> Kind {
    stanza.kind
}
