//! A server from its start to its stop.

use super::builder::ServerBuilder;
use super::edge::Edge;
use super::handover::Handover;
use super::keys::Keys;
use super::listeners::Listeners;
use super::ports::Ports;
use super::start::{Parts, report_certificate, warn};
use super::{DemoAccount, EventLog, StartError, Stopped, admin, options, restore, shutdown, sweep};
use crate::backend::local::Local;
use crate::config::{Config, Problem};
use crate::http::admin as health;
use crate::http::connect_info::with_peers;
use crate::http::departure::{Departure, departure};
use crate::http::driver::Rooms;
use crate::http::listener::ConnectionCap;
use crate::http::tls::{CertificateReport, TlsKeeper};
use crate::metrics::Figures;
use crate::sessions::Sessions;
use crate::store::Store;
use arc_swap::ArcSwap;
use axum::Router;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

/// A server. Clones are handles of the same one.
///
/// Made by [`Server::builder`]. It serves on ports of its own ([`Server::serve`]), or inside an
/// axum application ([`Server::router`]), or both. Whoever made it lets go of it by
/// [`Server::stop`]: then clients are told, and sessions are stored (`sm.durability`).
#[derive(Clone)]
pub struct Server(Arc<Inner>);

struct Inner {
    config: ArcSwap<Config>,
    rooms: Arc<Rooms>,
    local: Arc<Local>,
    store: Arc<dyn Store>,
    events: Option<Arc<EventLog>>,
    /// The application's listeners.
    told: Option<Arc<Listeners>>,
    edge: Edge,
    tls: Option<Arc<TlsKeeper>>,
    demo: Vec<DemoAccount>,
    draining: Arc<AtomicBool>,
    departure: Departure,
    /// Tells the listeners and the sweep to come to an end.
    closing: watch::Sender<bool>,
    listeners: Mutex<JoinSet<()>>,
    /// Held while the options change: each change begins with what the last one left.
    changing: Mutex<()>,
    /// None: the server has stopped, or is about to.
    sweep: Mutex<Option<JoinHandle<()>>>,
}

/// How long a stop waits until the event log is whole.
const EVENTS_TIMEOUT: Duration = Duration::from_secs(5);

/// Leads to the server once it is there, and as long as it is. For what the server itself holds.
#[derive(Clone, Default)]
pub(super) struct WeakServer(Arc<OnceLock<Weak<Inner>>>);

impl WeakServer {
    pub fn upgrade(&self) -> Option<Server> {
        self.0.get()?.upgrade().map(Server)
    }
}

impl Server {
    /// A server with these options, which an application puts its own parts into.
    pub fn builder(config: Config) -> ServerBuilder {
        ServerBuilder::new(config)
    }

    /// A server that listens on the ports of its options. Inside a tokio runtime.
    ///
    /// `demo`: make two accounts with fresh passwords, good on loopback only. Without it, those
    /// that an earlier demo made are deleted.
    ///
    /// # Errors
    ///
    /// [`StartError`]
    pub async fn start(config: Config, demo: bool) -> Result<Self, StartError> {
        Self::start_on(Handover::default(), config, demo).await
    }

    /// The same on sockets that are open already; what is not among them is bound.
    ///
    /// # Errors
    ///
    /// [`StartError`]
    pub async fn start_on(
        sockets: Handover,
        config: Config,
        demo: bool,
    ) -> Result<Self, StartError> {
        Self::builder(config).demo(demo).start_on(sockets).await
    }

    /// `sockets`: listen, on these and on what is bound. Nothing that is stored is changed by a
    /// start that fails.
    pub(super) async fn assemble(
        parts: Parts,
        keys: Keys,
        weak: &WeakServer,
        sockets: Option<Handover>,
    ) -> Result<Self, StartError> {
        let mut config = parts.config;
        let ports = match sockets {
            Some(sockets) => Some(Ports::bind(
                sockets.assign(&config.listen)?,
                &mut config,
                parts.tls.as_ref(),
            )?),
            None => None,
        };
        let prepared = admin::Prepared::of(&config)?;
        let (departure, _) = departure();
        let edge = Edge::new(&config, &parts.rooms, &departure, keys);
        let app = edge.router(&config, &parts.demo)?;
        restore::sessions(&parts.rooms, &parts.store).await?;
        let (closing, on_closing) = watch::channel(false);
        let sweep = tokio::spawn(sweep::run(parts.rooms.clone(), on_closing));
        let server = Self(Arc::new(Inner {
            config: ArcSwap::from_pointee(config),
            rooms: parts.rooms,
            local: parts.local,
            store: parts.store,
            events: parts.events,
            told: parts.told,
            edge,
            tls: parts.tls,
            demo: parts.demo,
            draining: Arc::default(),
            departure,
            closing,
            listeners: Mutex::default(),
            changing: Mutex::default(),
            sweep: Mutex::new(Some(sweep)),
        }));
        server.take_up_verifier(&server.config());
        let _ = weak.0.set(Arc::downgrade(&server.0)); // it is new
        if let Some(ports) = ports {
            server.listen(ports, app, prepared);
        }
        Ok(server)
    }

    fn listen(&self, ports: Ports, app: Router, prepared: admin::Prepared) {
        let app = app.fallback_service(self.0.edge.fallback());
        let metrics = health::metrics(self.figures().clone());
        let admin = health::router(self.readiness())
            .merge(prepared.router(self.weak(), metrics))
            .fallback(admin::nothing_here);
        let cap = ports.cap().clone();
        self.figures().watch_connections(move || cap.open());
        *lock(&self.0.listeners) = ports.serve(app, admin, &self.0.closing.subscribe());
    }

    /// Serves on the ports of the options until `shutdown` is ready, and stops.
    ///
    /// # Errors
    ///
    /// [`StartError::Listen`] and the like: then it has stopped, and nothing is lost.
    /// [`StartError::Store`] if what clients were promised could not be stored.
    pub async fn serve(self, shutdown: impl Future<Output = ()> + Send) -> Result<(), StartError> {
        if let Err(error) = self.open_ports() {
            self.stop().await;
            return Err(error);
        }
        shutdown.await;
        Ok(self.stop().await.stored?)
    }

    fn open_ports(&self) -> Result<(), StartError> {
        let mut config = (*self.config()).clone();
        let sockets = Handover::default().assign(&config.listen)?;
        let ports = Ports::bind(sockets, &mut config, self.0.tls.as_ref())?;
        let app = self.0.edge.router(&config, &self.0.demo)?;
        let prepared = admin::Prepared::of(&config)?;
        self.0.config.store(Arc::new(config));
        self.0.edge.reload(&self.config());
        self.listen(ports, app, prepared);
        Ok(())
    }

    /// The routes of clients, for an axum application: the endpoints, BOSH, discovery, and the
    /// pages of `[web]`. They have no fallback, and want nothing of the application.
    ///
    /// Serve them with `into_make_service_with_connect_info::<SocketAddr>()`, so that the address of
    /// a client is known (`listen.trusted_proxies` counts here, too), or put a
    /// [`Peer`](crate::http::peer::Peer) into the extensions of each request. Without either, nothing
    /// is known of a client, and what needs a private link, such as PLAIN, is not offered to it.
    ///
    /// An endpoint that a reload adds is not among them. Keep a handle of the server for as long as
    /// they are served: without one no session that hibernates comes to an end, and neither handlers
    /// nor listeners are asked.
    ///
    /// # Errors
    ///
    /// [`StartError::Files`] for a `web.client_dir` that holds no client.
    pub fn router(&self) -> Result<Router, StartError> {
        let config = self.config();
        let router = self.0.edge.router(&config, &self.0.demo)?;
        let peers = options::listener(&config, &ConnectionCap::new(usize::MAX), None);
        Ok(with_peers(router, peers))
    }

    /// The options in force, with the ports that were really taken.
    pub fn config(&self) -> Arc<Config> {
        self.0.config.load_full()
    }

    /// The demo accounts, if this is a demo.
    pub fn demo(&self) -> &[DemoAccount] {
        &self.0.demo
    }

    /// The certificate that is served, if TLS is.
    pub fn certificate(&self) -> Option<Arc<CertificateReport>> {
        self.0.tls.as_ref().map(|tls| tls.report())
    }

    /// Who is here.
    pub fn sessions(&self) -> &Arc<Sessions> {
        &self.0.rooms.sessions
    }

    pub(super) fn keys(&self) -> &Keys {
        self.0.edge.keys()
    }

    /// What is counted for the operator. An application that has figures of its own puts
    /// [`Figures::encode`] before them on its page.
    pub fn figures(&self) -> &Arc<Figures> {
        &self.0.rooms.figures
    }

    pub(super) fn local(&self) -> &Arc<Local> {
        &self.0.local
    }

    pub(super) fn rooms(&self) -> &Arc<Rooms> {
        &self.0.rooms
    }

    /// Takes over changed options and reads the certificate again. Returns the keys that wait for
    /// a restart. A certificate that cannot be used leaves the old one in place.
    pub fn reload(&self, new: &Config) -> Vec<&'static str> {
        let _changing = lock(&self.0.changing);
        let mut config = (*self.config()).clone();
        let waiting = Config::diff_needing_restart(&config, new);
        config.take_over(new);
        warn(&config);
        self.take_up(&config);
        if let Some(events) = &self.0.events {
            events.reopen();
        }
        self.0.config.store(Arc::new(config));
        self.reload_certificate();
        waiting
    }

    /// Changes options until the next reload or restart; see [`Config::with_changes`].
    ///
    /// # Errors
    ///
    /// What is wrong with them; then nothing is changed.
    pub fn change_options(
        &self,
        changes: &serde_json::Map<String, serde_json::Value>,
    ) -> Result<(), Vec<Problem>> {
        let _changing = lock(&self.0.changing);
        let config = self.config().with_changes(changes)?;
        if changes.keys().any(|key| key.starts_with("auth.")) {
            let keys = self.0.edge.keys().reload(&config);
            keys.map_err(|error| {
                let why = error.to_string();
                vec![Problem::Conflict { why }]
            })?;
        }
        self.take_up(&config);
        self.0.config.store(Arc::new(config));
        let keys: Vec<_> = changes.keys().map(String::as_str).collect();
        tracing::info!(
            keys = keys.join(", "),
            "options changed until the next reload"
        );
        Ok(())
    }

    fn take_up(&self, config: &Config) {
        let Rooms {
            sessions,
            options: shared,
            quotas,
            tiers,
            door,
            ..
        } = &*self.0.rooms;
        shared.store(Arc::new(options::stream(config)));
        sessions.set_options(options::sessions(config));
        quotas.set_options(options::quotas(config));
        options::take_up_tiers(tiers, config);
        door.set_options(options::door(config));
        sessions.budget().set_limit(config.limits.memory);
        let demo = self.0.demo.iter().map(|account| account.jid.clone());
        let local = options::local(config, &demo.collect());
        if let Err(error) = self.0.local.set_options(local) {
            tracing::error!(%error, "options of the services stay as they were");
        }
        self.0.edge.reload(config);
        self.take_up_verifier(config);
    }

    fn take_up_verifier(&self, config: &Config) {
        let verifier = self.0.edge.keys().verifier(config);
        self.0.local.set_verifier(verifier);
    }

    fn reload_certificate(&self) {
        let (Some(tls), Some(source)) = (&self.0.tls, options::certificate(&self.config())) else {
            return;
        };
        match tls.reload(&source) {
            Ok(report) => report_certificate(&report),
            Err(error) => tracing::error!(%error, "the certificate stays as it was"),
        }
    }

    /// Whether it is about to stop, or has.
    pub fn is_stopping(&self) -> bool {
        self.0.draining.load(Ordering::Relaxed)
    }

    fn weak(&self) -> WeakServer {
        WeakServer(Arc::new(Arc::downgrade(&self.0).into()))
    }

    fn readiness(&self) -> health::Readiness {
        let draining = self.0.draining.clone();
        Arc::new(move || match draining.load(Ordering::Relaxed) {
            true => vec!["draining: the server stops".to_owned()],
            false => Vec::new(),
        })
    }

    /// Says on `/readyz` that it stops, closes its ports, lets go of every client at the pace of
    /// `[shutdown]`, waits within `shutdown_grace` until all are gone and what the sessions that
    /// ended left behind is dealt with, and hands those that can be resumed to the store
    /// (`sm.durability`). Then the [listeners](super::Listener) have heard of all that, too.
    ///
    /// What comes by a [`Server::router`] meanwhile is turned away. A second stop has nothing to
    /// do, and does not wait for the first.
    pub fn stop(&self) -> impl Future<Output = Stopped> + Send + use<> {
        let server = self.clone();
        async move { server.stop_now().await }
    }

    async fn stop_now(&self) -> Stopped {
        let Some(mut sweep) = lock(&self.0.sweep).take() else {
            return Stopped {
                in_time: true,
                swept: true,
                stored: Ok(()),
            };
        };
        let config = self.config();
        self.0.draining.store(true, Ordering::Relaxed);
        tokio::time::sleep(config.shutdown.delay).await;
        self.0.closing.send_replace(true);
        let mut listeners = std::mem::take(&mut *lock(&self.0.listeners));
        let ports = async { while listeners.join_next().await.is_some() {} };
        let stopped = shutdown::stop(
            &config,
            &self.0.rooms,
            &self.0.local,
            &self.0.store,
            std::slice::from_ref(&self.0.departure),
            &mut sweep,
            ports,
        )
        .await;
        if let Some(listeners) = &self.0.told {
            listeners.finish().await;
        }
        self.finish_events().await;
        stopped
    }

    async fn finish_events(&self) {
        let Some(events) = self.0.events.clone() else {
            return;
        };
        let finish = tokio::task::spawn_blocking(move || events.finish());
        if tokio::time::timeout(EVENTS_TIMEOUT, finish).await.is_err() {
            tracing::error!("the event log is not whole: the disk does not answer");
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // Without a stop nothing is stored; but nothing goes on either.
        self.closing.send_replace(true);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
