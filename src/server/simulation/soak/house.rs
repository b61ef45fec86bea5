//! One process of the server for the soak: as in [`super::super::process`], with the limits of
//! `[limits]` at work, and with the tables open to be counted.

use super::town::Town;
use crate::auth::{Mechanism, Offer, Refusal, SaslFailure};
use crate::backend::local::Local;
use crate::backend::{Backend, BoxFuture, Connection, Routed, SaslExchange, SaslReply, Transport};
use crate::census::Count;
use crate::http::bosh::{BoshState, routes};
use crate::http::departure::{Departure, Stopping, departure};
use crate::http::door::{Door, Newcomer};
use crate::http::driver::{Driver, Rooms};
use crate::http::peer::Peer;
use crate::http::ws::run;
use crate::server::simulation::network;
use crate::server::simulation::rng::Rng;
use crate::server::simulation::store::SimStore;
use crate::server::simulation::websocket::WebSocket;
use crate::server::{options, restore, shutdown, sweep};
use crate::sessions::{Ending, Quotas, Session, Sessions};
use crate::stanza::address::BareJid;
use crate::stanza::{ByteString, Stanza, StanzaError};
use crate::store::Store;
use crate::stream::{Framing, Outbound};
use arc_swap::ArcSwap;
use axum::Router;
use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::{Arc, Weak};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// A process.
pub(super) struct House {
    town: Weak<Town>,
    rooms: Arc<Rooms>,
    local: Arc<Local>,
    store: Arc<SimStore>,
    bosh: BoshState,
    router: Router,
    departure: Departure,
    stopping: Stopping,
    closing: watch::Sender<bool>,
    sweep: JoinHandle<()>,
}

impl House {
    /// `is_journaled`: with `sm.durability = "always"`.
    pub async fn open(town: &Arc<Town>, is_journaled: bool, rng: Rng) -> Self {
        let config = &town.config;
        let store = SimStore::open(&town.disk, is_journaled, rng);
        let dyn_store: Arc<dyn Store> = store.clone();
        let sessions = Sessions::with_journal(options::sessions(config), store.journal());
        sessions.budget().set_limit(config.limits.memory);
        let sessions = Arc::new(sessions);
        let secret = store.secret().await.expect("the store has a secret");
        let local = Local::new(
            options::local(config, &HashSet::new()),
            secret,
            sessions.clone(),
            dyn_store.clone(),
            Vec::new(),
        );
        let local = local.expect("the options are good");
        let backend = Arc::new(Counting {
            local: local.clone(),
            town: Arc::downgrade(town),
        });
        let stream = Arc::new(ArcSwap::from_pointee(options::stream(config)));
        let rooms = Rooms {
            quotas: Arc::new(Quotas::new(options::quotas(config))),
            door: Arc::new(Door::new(options::door(config))),
            ..Rooms::unlimited(backend, sessions, stream)
        };
        let rooms = Arc::new(rooms);
        let restored = restore::sessions(&rooms, &dyn_store).await;
        restored.expect("the store has sessions");
        let (departure, stopping) = departure();
        let bosh = Arc::new(ArcSwap::from_pointee(options::bosh(config)));
        let bosh = BoshState::new(rooms.clone(), bosh, departure.clone());
        let (closing, on_closing) = watch::channel(false);
        let sweep = tokio::spawn(sweep::run(rooms.clone(), on_closing));
        Self {
            town: Arc::downgrade(town),
            router: routes(bosh.clone()),
            rooms,
            local,
            store,
            bosh,
            departure,
            stopping,
            closing,
            sweep,
        }
    }

    pub fn sessions(&self) -> &Arc<Sessions> {
        &self.rooms.sessions
    }

    pub fn router(&self) -> Router {
        self.router.clone()
    }

    /// A WebSocket right after its handshake; `None`: it was turned away.
    pub fn connect(&self, from: SocketAddr, rng: &mut Rng) -> Option<WebSocket> {
        let newcomer = Newcomer::of(&Peer::direct(from));
        let admitted = self.rooms.door.admit(crate::clock::now(), newcomer);
        if self.stopping.has_begun() || admitted.is_err() {
            return None;
        }
        let town = self.town.upgrade()?;
        let (client, server, cable) = network::connect(rng);
        let connection = Arc::new(Connection {
            transport: Transport::WebSocket,
            subprotocol: None,
            endpoint: "web".into(),
            path: "/ws".into(),
            query: Arc::default(),
            admission: None,
            address: from.ip(),
            on_this_machine: false,
            private: true,
            binding: Default::default(),
        });
        let driver = Driver::new(self.rooms.clone(), connection, Framing::WebSocket);
        let ws = Arc::new(options::ws(&town.config));
        let stopping = self.stopping.clone();
        tokio::spawn(run(server, &[], driver, ws, stopping));
        let mut socket = WebSocket::new(client, cable);
        socket.open();
        Some(socket)
    }

    /// As [`crate::server::Server::stop`]. What is left of it is given back, to be looked at.
    pub async fn stop(self) -> Remains {
        self.closing.send_replace(true);
        let (router, bosh, stopping) = (self.router, self.bosh, self.stopping);
        drop((router, bosh, stopping));
        let config = &self
            .town
            .upgrade()
            .expect("the town outlives its houses")
            .config;
        let store: Arc<dyn Store> = self.store;
        let (departures, mut sweep) = ([self.departure], self.sweep);
        let stopped = shutdown::stop(
            config,
            &self.rooms,
            &self.local,
            &store,
            &departures,
            &mut sweep,
            async {},
        );
        let stopped = stopped.await;
        assert!(stopped.in_time, "somebody did not go");
        assert!(stopped.swept, "the sweep comes to its end");
        stopped.stored.expect("the store takes sessions and closes");
        Remains {
            sessions: Arc::downgrade(&self.rooms.sessions),
            local: Arc::downgrade(&self.local),
            store: Arc::downgrade(&store),
        }
    }

    /// What there is in every table.
    pub fn census(&self) -> Vec<Count> {
        let mut all = self.rooms.sessions.census();
        all.extend(self.local.census());
        all.extend(self.bosh.census());
        all.extend(self.rooms.door.census());
        all.push(self.rooms.quotas.census());
        all.push(self.rooms.tiers.census());
        let journal = self.rooms.sessions.journal();
        all.extend(journal.into_iter().flat_map(|journal| journal.census()));
        all
    }
}

/// What a process must not leave behind.
pub(super) struct Remains {
    sessions: Weak<Sessions>,
    local: Weak<Local>,
    store: Weak<dyn Store>,
}

impl Remains {
    pub fn is_nothing(&self) -> bool {
        let counts = [
            self.sessions.strong_count(),
            self.local.strong_count(),
            self.store.strong_count(),
        ];
        counts == [0; 3]
    }
}

/// The embedded services, with one password for everybody: to derive keys takes time on other
/// threads. Who guesses is held back as ever.
struct Counting {
    local: Arc<Local>,
    town: Weak<Town>,
}

impl Backend for Counting {
    fn offer(&self, connection: &Connection) -> Arc<Offer> {
        self.local.offer(connection)
    }

    fn begin_sasl(
        &self,
        connection: &Arc<Connection>,
        host: &Arc<str>,
        _: Mechanism,
    ) -> Box<dyn SaslExchange> {
        Box::new(Plain {
            local: self.local.clone(),
            connection: connection.clone(),
            host: host.clone(),
        })
    }

    fn register(
        &self,
        connection: &Arc<Connection>,
        host: &Arc<str>,
        request: ByteString,
    ) -> BoxFuture<ByteString> {
        self.local.register(connection, host, request)
    }

    fn bind(
        &self,
        connection: &Arc<Connection>,
        account: &BareJid,
        resource: Option<String>,
    ) -> BoxFuture<Result<Arc<Session>, StanzaError>> {
        self.local.bind(connection, account, resource)
    }

    fn route(&self, session: &Arc<Session>, stanza: Stanza) -> Routed {
        self.local.route(session, stanza)
    }

    fn restore(&self, session: Arc<Session>) -> BoxFuture<()> {
        self.local.restore(session)
    }

    fn place_stray(&self, stray: Outbound) -> BoxFuture<()> {
        self.local.place_stray(stray)
    }

    fn ended(&self, ending: Ending) -> BoxFuture<()> {
        if let Some(town) = self.town.upgrade() {
            town.on_ended(ending.reason);
        }
        self.local.ended(ending)
    }
}

/// The password of everybody.
pub(super) const PASSWORD: &str = "secret";

struct Plain {
    local: Arc<Local>,
    connection: Arc<Connection>,
    host: Arc<str>,
}

impl SaslExchange for Plain {
    fn on_message(&mut self, message: Option<Vec<u8>>) -> BoxFuture<SaslReply> {
        let (local, address) = (self.local.clone(), self.connection.address);
        let text = String::from_utf8(message.unwrap_or_default()).expect("text is UTF-8");
        let mut parts = text.split('\0').skip(1);
        let (name, password) = (parts.next(), parts.next());
        let account = format!("{}@{}", name.expect("a name"), self.host);
        let account: BareJid = account.parse().expect("an address");
        let is_right = password == Some(PASSWORD);
        Box::pin(async move {
            local.hold_back(account.as_str(), address).await;
            if !is_right {
                return SaslReply::Failure(SaslFailure::NotAuthorized(Refusal::WrongPassword));
            }
            local.attempt_succeeded(account.as_str(), address);
            SaslReply::Success {
                account,
                data: None,
                admission: None,
            }
        })
    }
}
