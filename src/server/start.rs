//! A server from its start to its stop.

use super::demo::{self, DemoAccount};
use super::edge::Edge;
use super::handover::{Assigned, Handover, HandoverError, Port};
use super::{Stopped, options, restore, shutdown, sweep};
use crate::backend::local::{Local, OptionsError};
use crate::config::{Config, Durability};
use crate::http::admin;
use crate::http::departure::{Departure, departure};
use crate::http::door::Door;
use crate::http::driver::Rooms;
use crate::http::files::FilesError;
use crate::http::listener::{ConnectionCap, ListenError, Listener};
use crate::http::tls::{CertificateReport, TlsError, TlsKeeper};
use crate::sessions::{Quotas, Sessions};
use crate::stanza::address::BareJid;
use crate::store::{Journaling, Sqlite, Store, StoreError};
use crate::stream::SharedOptions;
use arc_swap::ArcSwap;
use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

/// Why a server does not start. The operator's to mend.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// `state_dir` cannot be made, or a file in it not be used.
    #[error("state_dir {}: {source}", path.display())]
    StateDir {
        /// The directory.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The database cannot be opened.
    #[error("store: {0}")]
    Store(#[from] StoreError),
    /// The embedded services do not like their options.
    #[error(transparent)]
    Options(#[from] OptionsError),
    /// A port cannot be listened on.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// Sockets that were passed do not go with the options.
    #[error(transparent)]
    Handover(#[from] HandoverError),
    /// The certificate cannot be used.
    #[error("tls: {0}")]
    Tls(#[from] TlsError),
    /// No certificate, and none of our making is wanted.
    #[error(
        "listen.tls is set, tls.cert is not, and tls.self_signed is false: there is no certificate"
    )]
    NoCertificate,
    /// `web.client_dir` cannot be served.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// `serve --demo` on an address that others can reach.
    #[error("--demo is for loopback: listen.{0} is another address")]
    DemoInPublic(&'static str),
    /// `serve --demo` over an account that somebody made for real.
    #[error(
        "--demo would replace the password of {0}, which is no demo account: use another state_dir"
    )]
    DemoAccount(BareJid),
}

/// A server that runs.
pub struct Server {
    config: Config,
    rooms: Arc<Rooms>,
    local: Arc<Local>,
    store: Arc<dyn Store>,
    edge: Edge,
    tls: Option<Arc<TlsKeeper>>,
    demo: Vec<DemoAccount>,
    draining: Arc<AtomicBool>,
    departure: Departure,
    /// Tells the listeners to close their ports.
    closing: watch::Sender<bool>,
    listeners: JoinSet<()>,
    sweep: JoinHandle<()>,
}

/// The ports, bound but not yet served.
struct Ports {
    plain: Option<Listener>,
    tls: Option<Listener>,
    admin: Option<Listener>,
}

impl Server {
    /// Opens the store, puts the rooms together and listens. Inside a tokio runtime.
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
        mut config: Config,
        demo: bool,
    ) -> Result<Self, StartError> {
        let sockets = sockets.assign(&config.listen)?;
        warn(&config);
        if demo {
            refuse_public_demo(&config)?;
        }
        let store = open_store(&config)?;
        let demo = match demo {
            true => demo::prepare(&store, &config.state_dir, config.domain()).await?,
            false => {
                demo::clear(&store, &config.state_dir).await?;
                Vec::new()
            }
        };
        let (local, rooms) = rooms(&config, &store, &demo).await?;
        let (departure, stopping) = departure();
        let (closing, on_closing) = watch::channel(false);
        let tls = tls(&config)?;
        let ports = Ports::bind(sockets, &mut config, tls.as_ref())?;
        let edge = Edge::new(&config);
        let app = edge.router(&config, &rooms, &demo, &stopping)?;
        drop(stopping);
        // After all that may fail: a start that fails changes nothing of what is stored.
        restore::sessions(&rooms, &store).await?;
        let draining = Arc::new(AtomicBool::new(false));
        let admin = admin::router(readiness(&draining));
        let listeners = ports.serve(app, admin, &on_closing);
        let sweep = tokio::spawn(sweep::run(rooms.clone(), on_closing));
        Ok(Self {
            config,
            rooms,
            local,
            store,
            edge,
            tls,
            demo,
            draining,
            departure,
            closing,
            listeners,
            sweep,
        })
    }

    /// The options in force, with the ports that were really taken.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The demo accounts, if this is a demo.
    pub fn demo(&self) -> &[DemoAccount] {
        &self.demo
    }

    /// The certificate that is served, if TLS is.
    pub fn certificate(&self) -> Option<Arc<CertificateReport>> {
        self.tls.as_ref().map(|tls| tls.report())
    }

    /// Who is here.
    pub fn sessions(&self) -> &Arc<Sessions> {
        &self.rooms.sessions
    }

    /// Takes over changed options and reads the certificate again. Returns the keys that wait for
    /// a restart. A certificate that cannot be used leaves the old one in place.
    pub fn reload(&mut self, new: &Config) -> Vec<&'static str> {
        let waiting = Config::diff_needing_restart(&self.config, new);
        self.config.take_over(new);
        warn(&self.config);
        self.rooms
            .options
            .store(Arc::new(options::stream(&self.config)));
        self.rooms
            .sessions
            .set_options(options::sessions(&self.config));
        self.rooms.quotas.set_options(options::quotas(&self.config));
        self.rooms.door.set_options(options::door(&self.config));
        self.rooms
            .sessions
            .budget()
            .set_limit(self.config.limits.memory);
        let demo = self
            .demo
            .iter()
            .map(|account| account.jid.clone())
            .collect();
        if let Err(error) = self.local.set_options(options::local(&self.config, &demo)) {
            tracing::error!(%error, "options of the services stay as they were");
        }
        self.edge.reload(&self.config);
        self.reload_certificate();
        waiting
    }

    fn reload_certificate(&self) {
        let (Some(tls), Some(source)) = (&self.tls, options::certificate(&self.config)) else {
            return;
        };
        match tls.reload(&source) {
            Ok(report) => report_certificate(&report),
            Err(error) => tracing::error!(%error, "the certificate stays as it was"),
        }
    }

    /// Says on `/readyz` that it stops, closes the ports, lets go of every client at the pace of
    /// `[shutdown]`, waits within `shutdown_grace` until all are gone and what the sessions that
    /// ended left behind is dealt with, and hands those that can be resumed to the store
    /// (`sm.durability`).
    pub async fn stop(mut self) -> Stopped {
        self.draining.store(true, Ordering::Relaxed);
        tokio::time::sleep(self.config.shutdown.delay).await;
        self.closing.send_replace(true);
        let ports = async { while self.listeners.join_next().await.is_some() {} };
        shutdown::stop(
            &self.config,
            &self.rooms,
            &self.local,
            &self.store,
            std::slice::from_ref(&self.departure),
            &mut self.sweep,
            ports,
        )
        .await
    }
}

impl Ports {
    /// Binds all ports before one is served. Port 0 in the options becomes the port taken.
    fn bind(
        mut sockets: Assigned,
        config: &mut Config,
        tls: Option<&Arc<TlsKeeper>>,
    ) -> Result<Self, ListenError> {
        let cap = options::connections(config);
        let plain_options = options::listener(config, &cap, None);
        let tls_options = options::listener(config, &cap, tls.cloned());
        // Whoever watches the server must get in when nobody else does.
        let admin_options = options::listener(config, &ConnectionCap::new(ADMIN_CONNECTIONS), None);
        let listen = &mut config.listen;
        Ok(Self {
            plain: open(sockets.take(Port::Plain), &mut listen.plain, plain_options)?,
            tls: open(sockets.take(Port::Tls), &mut listen.tls, tls_options)?,
            admin: open(sockets.take(Port::Admin), &mut listen.admin, admin_options)?,
        })
    }

    fn serve(
        self,
        app: axum::Router,
        admin: axum::Router,
        closing: &watch::Receiver<bool>,
    ) -> JoinSet<()> {
        let mut listeners = JoinSet::new();
        for (listener, app) in [
            (self.plain, app.clone()),
            (self.tls, app),
            (self.admin, admin),
        ] {
            let Some(listener) = listener else { continue };
            let mut closing = closing.clone();
            listeners.spawn(listener.serve(app, async move {
                let _ = closing.wait_for(|closing| *closing).await;
            }));
        }
        listeners
    }
}

/// Opens the store of `state_dir`, and makes both if they are not there.
///
/// # Errors
///
/// [`StartError::StateDir`], [`StartError::Store`]
pub fn open_store(config: &Config) -> Result<Arc<dyn Store>, StartError> {
    make_state_dir(config)?;
    let path = config.state_dir.join(DATABASE);
    make_private_file(&path)?;
    let journaling = match config.sm.durability {
        Durability::Always => Journaling::On,
        Durability::Restart | Durability::Memory => Journaling::Off,
    };
    Ok(Arc::new(Sqlite::open_with(&path, &[], journaling)?))
}

/// SQLite gives the files beside the database the mode that the database has.
fn make_private_file(path: &std::path::Path) -> Result<(), StartError> {
    use std::os::unix::fs::OpenOptionsExt;
    let file = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(path);
    file.map(drop).map_err(|source| StartError::StateDir {
        path: path.to_owned(),
        source,
    })
}

/// The name of the database in `state_dir`.
const DATABASE: &str = "stanzad.sqlite";

/// Connections to the admin port.
const ADMIN_CONNECTIONS: usize = 64;

/// Listens on the socket that was passed, or else binds one.
fn open(
    passed: Option<std::net::TcpListener>,
    address: &mut Option<std::net::SocketAddr>,
    options: crate::http::listener::ListenerOptions,
) -> Result<Option<Listener>, ListenError> {
    let Some(wanted) = *address else {
        return Ok(None);
    };
    let listener = match passed {
        Some(socket) => Listener::over(socket, options)?,
        None => Listener::bind(wanted, options)?,
    };
    *address = Some(listener.address());
    Ok(Some(listener))
}

async fn rooms(
    config: &Config,
    store: &Arc<dyn Store>,
    demo: &[DemoAccount],
) -> Result<(Arc<Local>, Arc<Rooms>), StartError> {
    let sessions = Sessions::with_journal(options::sessions(config), store.journal());
    sessions.budget().set_limit(config.limits.memory);
    let sessions = Arc::new(sessions);
    let secret = store.secret().await?;
    let demo: HashSet<_> = demo.iter().map(|account| account.jid.clone()).collect();
    let local = Local::new(
        options::local(config, &demo),
        secret,
        sessions.clone(),
        store.clone(),
        Vec::new(),
    )?;
    let shared: SharedOptions = Arc::new(ArcSwap::from_pointee(options::stream(config)));
    let rooms = Rooms {
        backend: local.clone(),
        sessions,
        options: shared,
        quotas: Arc::new(Quotas::new(options::quotas(config))),
        door: Arc::new(Door::new(options::door(config))),
    };
    Ok((local, Arc::new(rooms)))
}

fn tls(config: &Config) -> Result<Option<Arc<TlsKeeper>>, StartError> {
    if config.listen.tls.is_none() {
        return Ok(None);
    }
    let source = options::certificate(config).ok_or(StartError::NoCertificate)?;
    let host = config.public_url.as_ref().map(|url| url.host().to_owned());
    let keeper = TlsKeeper::load(&source, host)?;
    report_certificate(&keeper.report());
    Ok(Some(Arc::new(keeper)))
}

/// What is allowed and yet may not be meant.
fn warn(config: &Config) {
    for warning in config.warnings() {
        tracing::warn!("{warning}");
    }
}

fn report_certificate(report: &CertificateReport) {
    tracing::info!(
        sha256 = report.fingerprint,
        issuer = report.issuer,
        "certificate in use"
    );
    for warning in &report.warnings {
        tracing::warn!(%warning, "certificate");
    }
}

fn readiness(draining: &Arc<AtomicBool>) -> admin::Readiness {
    let draining = draining.clone();
    Arc::new(move || match draining.load(Ordering::Relaxed) {
        true => vec!["draining: the server stops".to_owned()],
        false => Vec::new(),
    })
}

fn refuse_public_demo(config: &Config) -> Result<(), StartError> {
    let listen = &config.listen;
    for (name, address) in [("plain", listen.plain), ("tls", listen.tls)] {
        if address.is_some_and(|address| !address.ip().to_canonical().is_loopback()) {
            return Err(StartError::DemoInPublic(name));
        }
    }
    Ok(())
}

/// For the server's user alone: it holds keys and messages.
fn make_state_dir(config: &Config) -> Result<(), StartError> {
    use std::os::unix::fs::DirBuilderExt;
    let path = &config.state_dir;
    let made = std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path);
    made.map_err(|source| StartError::StateDir {
        path: path.clone(),
        source,
    })
}
