//! One process of the server: everything above the sockets is the real code.

use super::network::{self, Cable, End};
use super::rng::Rng;
use super::store::SimStore;
use crate::auth::{Mechanism, Offer, SaslFailure};
use crate::backend::local::Local;
use crate::backend::{Backend, BoxFuture, Connection, Routed, SaslExchange, SaslReply, Transport};
use crate::config::Config;
use crate::http::bosh::{BoshState, routes};
use crate::http::departure::{Departure, departure};
use crate::http::driver::{Driver, Rooms};
use crate::http::ws::run;
use crate::server::{options, restore, shutdown, sweep};
use crate::sessions::{Ending, Session, Sessions};
use crate::stanza::address::BareJid;
use crate::stanza::{ByteString, Stanza, StanzaError};
use crate::store::Store;
use crate::stream::{Framing, Outbound};
use arc_swap::ArcSwap;
use axum::Router;
use std::collections::HashSet;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

/// A process, from its start to its end.
pub(super) struct Process {
    config: Config,
    rooms: Arc<Rooms>,
    local: Arc<Local>,
    store: Arc<SimStore>,
    is_up: AtomicBool,
    /// Told when it is gone.
    pub died: Notify,
    closing: watch::Sender<bool>,
    sweep: Mutex<Option<JoinHandle<()>>>,
    /// One for each connection, so that they are told in the order in which they came: a channel
    /// with several receivers wakes them in an order of chance. `None`: nobody is let in any more.
    departures: Mutex<Option<Vec<Departure>>>,
    /// The routes of BOSH, for one client each.
    routers: Mutex<Vec<Router>>,
    cables: Mutex<Vec<Cable>>,
}

impl Process {
    /// As [`crate::server::Server::start`], without ports.
    pub async fn start(config: &Config, store: &Arc<SimStore>) -> Arc<Self> {
        let dyn_store: Arc<dyn Store> = store.clone();
        let sessions = Sessions::with_journal(options::sessions(config), store.journal());
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
        let rooms = Rooms::unlimited(
            Arc::new(Trusting(local.clone())),
            sessions,
            Arc::new(ArcSwap::from_pointee(options::stream(config))),
        );
        let rooms = Arc::new(rooms);
        let restored = restore::sessions(&rooms, &dyn_store).await;
        restored.expect("the store has sessions");
        let (closing, on_closing) = watch::channel(false);
        let sweep = tokio::spawn(sweep::run(rooms.clone(), on_closing));
        Arc::new(Self {
            config: config.clone(),
            rooms,
            local,
            store: store.clone(),
            is_up: AtomicBool::new(true),
            died: Notify::new(),
            closing,
            sweep: Mutex::new(Some(sweep)),
            departures: Mutex::new(Some(Vec::new())),
            routers: Mutex::default(),
            cables: Mutex::default(),
        })
    }

    /// Whether it answers.
    pub fn is_up(&self) -> bool {
        self.is_up.load(Ordering::Relaxed)
    }

    pub fn sessions(&self) -> &Arc<Sessions> {
        &self.rooms.sessions
    }

    /// A WebSocket right after its handshake; `None`: the process stops.
    pub fn connect(&self, rng: &mut Rng) -> Option<(End, Cable)> {
        let stopping = self.departure()?.stopping();
        let (client, server, cable) = network::connect(rng);
        let connection = Arc::new(Connection {
            transport: Transport::WebSocket,
            subprotocol: None,
            endpoint: "web".into(),
            path: "/ws".into(),
            query: Arc::default(),
            admission: None,
            address: Ipv4Addr::LOCALHOST.into(),
            on_this_machine: true,
            private: true,
            binding: Default::default(),
        });
        let driver = Driver::new(self.rooms.clone(), connection, Framing::WebSocket);
        tokio::spawn(run(
            server,
            &[],
            driver,
            Arc::new(options::ws(&self.config)),
            stopping,
        ));
        lock(&self.cables).push(cable.clone());
        Some((client, cable))
    }

    /// The routes of BOSH for one client, by number; `None`: the process stops.
    pub fn bosh(&self) -> Option<usize> {
        let departure = self.departure()?;
        let options = Arc::new(ArcSwap::from_pointee(options::bosh(&self.config)));
        let state = BoshState::new(self.rooms.clone(), options, departure);
        let mut routers = lock(&self.routers);
        routers.push(routes(state));
        Some(routers.len() - 1)
    }

    /// Where a request goes; `None`: the port is closed.
    pub fn router(&self, number: usize) -> Option<Router> {
        lock(&self.routers).get(number).cloned()
    }

    fn departure(&self) -> Option<Departure> {
        let mut departures = lock(&self.departures);
        let (departure, _) = departure();
        departures.as_mut()?.push(departure.clone());
        Some(departure)
    }

    /// As [`crate::server::Server::stop`]. Returns whether all were gone in time.
    pub async fn stop(&self) -> bool {
        self.closing.send_replace(true);
        lock(&self.routers).clear();
        let departures = lock(&self.departures).take().unwrap_or_default();
        let sweep = lock(&self.sweep).take();
        let mut sweep = sweep.expect("one stop at a time");
        let store: Arc<dyn Store> = self.store.clone();
        let stopped = shutdown::stop(
            &self.config,
            &self.rooms,
            &self.local,
            &store,
            &departures,
            &mut sweep,
            async {},
        );
        let stopped = stopped.await;
        self.crash();
        assert!(stopped.swept, "the sweep comes to its end");
        stopped.stored.expect("the store takes sessions");
        stopped.in_time
    }

    /// Everything is gone at once but what the store has committed.
    ///
    /// Its tasks go on and reach nobody: the store does nothing for them any more, and every link
    /// is cut.
    pub fn crash(&self) {
        self.is_up.store(false, Ordering::Relaxed);
        self.store.crash();
        lock(&self.departures).take();
        lock(&self.routers).clear();
        if let Some(sweep) = lock(&self.sweep).take() {
            sweep.abort();
        }
        for cable in lock(&self.cables).drain(..) {
            cable.reset();
        }
        self.died.notify_waiters();
    }
}

/// The embedded services, but that whoever says a name has it: passwords are tried elsewhere, and
/// take time on other threads.
struct Trusting(Arc<Local>);

impl Backend for Trusting {
    fn offer(&self, connection: &Connection) -> Arc<Offer> {
        self.0.offer(connection)
    }

    fn begin_sasl(
        &self,
        _: &Arc<Connection>,
        host: &Arc<str>,
        _: Mechanism,
    ) -> Box<dyn SaslExchange> {
        Box::new(Plain(host.clone()))
    }

    fn register(
        &self,
        connection: &Arc<Connection>,
        host: &Arc<str>,
        request: ByteString,
    ) -> BoxFuture<ByteString> {
        self.0.register(connection, host, request)
    }

    fn bind(
        &self,
        connection: &Arc<Connection>,
        account: &BareJid,
        resource: Option<String>,
    ) -> BoxFuture<Result<Arc<Session>, StanzaError>> {
        self.0.bind(connection, account, resource)
    }

    fn route(&self, session: &Arc<Session>, stanza: Stanza) -> Routed {
        self.0.route(session, stanza)
    }

    fn restore(&self, session: Arc<Session>) -> BoxFuture<()> {
        self.0.restore(session)
    }

    fn place_stray(&self, stray: Outbound) -> BoxFuture<()> {
        self.0.place_stray(stray)
    }

    fn ended(&self, ending: Ending) -> BoxFuture<()> {
        self.0.ended(ending)
    }
}

/// PLAIN without a look at the password.
struct Plain(Arc<str>);

impl SaslExchange for Plain {
    fn on_message(&mut self, message: Option<Vec<u8>>) -> BoxFuture<SaslReply> {
        let reply = match self.account(message) {
            Some(account) => SaslReply::Success {
                account,
                data: None,
                admission: None,
            },
            None => SaslReply::Failure(SaslFailure::TemporaryAuthFailure {
                reason: "no name".to_owned(),
            }),
        };
        Box::pin(async { reply })
    }
}

impl Plain {
    fn account(&self, message: Option<Vec<u8>>) -> Option<BareJid> {
        let message = String::from_utf8(message?).ok()?;
        let name = message.split('\0').nth(1)?;
        format!("{name}@{}", self.0).parse().ok()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
