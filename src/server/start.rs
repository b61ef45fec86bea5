//! What a server is put together from.

use super::EventLog;
use super::demo::{self, DemoAccount};
use super::handover::HandoverError;
use super::keys::KeysError;
use super::listeners::Listeners;
use super::{AdminError, options};
use crate::backend::local::{Local, OptionsError, Service};
use crate::config::{Config, Durability};
use crate::http::door::Door;
use crate::http::driver::Rooms;
use crate::http::files::FilesError;
use crate::http::listener::ListenError;
use crate::http::tls::{CertificateReport, CertificateSource, TlsError, TlsKeeper};
use crate::http::transcoder::SubprotocolError;
use crate::metrics::{Figures, Measured};
use crate::sessions::{Quotas, Sessions, Tiers};
use crate::stanza::address::BareJid;
use crate::store::{Journaling, Sqlite, Store, StoreError};
use crate::stream::SharedOptions;
use arc_swap::ArcSwap;
use std::path::PathBuf;
use std::sync::Arc;

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
    /// Options that a program set do not go together.
    #[error("options: {0}")]
    Conflict(String),
    /// The database cannot be opened.
    #[error("store: {0}")]
    Store(#[from] StoreError),
    /// The embedded services do not like their options.
    #[error(transparent)]
    Options(#[from] OptionsError),
    /// A port cannot be listened on.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// Files or URLs of `[auth]` cannot be used.
    #[error(transparent)]
    Keys(#[from] KeysError),
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
    /// A transcoder was given for a subprotocol that cannot have one.
    #[error(transparent)]
    Subprotocol(#[from] SubprotocolError),
    /// `log.events` cannot be written.
    #[error("log.events {}: {source}", path.display())]
    Events {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The admin port cannot be guarded.
    #[error(transparent)]
    Admin(#[from] AdminError),
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

/// Everything of a server, put together and not yet listening.
pub(super) struct Parts {
    pub config: Config,
    pub rooms: Arc<Rooms>,
    pub local: Arc<Local>,
    pub store: Arc<dyn Store>,
    pub events: Option<Arc<EventLog>>,
    pub told: Option<Arc<Listeners>>,
    pub tls: Option<Arc<TlsKeeper>>,
    pub demo: Vec<DemoAccount>,
}

impl Parts {
    /// Opens the store and puts the rooms together.
    pub async fn assemble(
        config: Config,
        demo: bool,
        services: Vec<Box<dyn Service>>,
        listeners: Listeners,
    ) -> Result<Self, StartError> {
        warn(&config);
        if demo {
            refuse_public_demo(&config)?;
        }
        let figures = Arc::new(Figures::new());
        let store = open_store(&config)?;
        let store: Arc<dyn Store> = Arc::new(Measured::new(store, &figures));
        let demo = match demo {
            true => demo::prepare(&store, &config.state_dir, config.domain()).await?,
            false => {
                demo::clear(&store, &config.state_dir).await?;
                Vec::new()
            }
        };
        let events = open_events(&config, &figures)?;
        let listeners = (!listeners.is_empty()).then(|| Arc::new(listeners));
        let mut sessions = Sessions::with_journal(options::sessions(&config), store.journal());
        sessions.budget().set_limit(config.limits.memory);
        sessions.add_observer(figures.clone());
        if let Some(events) = &events {
            sessions.add_observer(events.clone());
        }
        if let Some(listeners) = &listeners {
            sessions.add_observer(listeners.clone());
        }
        let sessions = Arc::new(sessions);
        figures.watch_sessions(&sessions);
        let demo_jids = demo.iter().map(|account| account.jid.clone()).collect();
        let local = Local::new(
            options::local(&config, &demo_jids),
            store.secret().await?,
            sessions.clone(),
            store.clone(),
            services,
        )?;
        if let Some(listeners) = &listeners {
            local.set_tap(listeners.clone());
        }
        let rooms = Arc::new(rooms(&config, local.clone(), sessions, figures));
        let tls = tls(&config)?;
        Ok(Self {
            config,
            rooms,
            local,
            store,
            events,
            told: listeners,
            tls,
            demo,
        })
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

/// `log.events`, if it is wanted.
fn open_events(config: &Config, figures: &Figures) -> Result<Option<Arc<EventLog>>, StartError> {
    let Some(path) = config.log.events.clone() else {
        return Ok(None);
    };
    match EventLog::open(&path, figures.events_lost()) {
        Ok(events) => Ok(Some(Arc::new(events))),
        Err(source) => Err(StartError::Events { path, source }),
    }
}

fn rooms(
    config: &Config,
    local: Arc<Local>,
    sessions: Arc<Sessions>,
    figures: Arc<Figures>,
) -> Rooms {
    let shared: SharedOptions = Arc::new(ArcSwap::from_pointee(options::stream(config)));
    let tiers = Tiers::default();
    options::take_up_tiers(&tiers, config);
    Rooms {
        backend: local,
        sessions,
        options: shared,
        quotas: Arc::new(Quotas::new(options::quotas(config))),
        tiers: Arc::new(tiers),
        door: Arc::new(Door::new(options::door(config))),
        figures,
    }
}

fn tls(config: &Config) -> Result<Option<Arc<TlsKeeper>>, StartError> {
    if config.listen.tls.is_none() {
        return Ok(None);
    }
    let source = options::certificate(config).ok_or(StartError::NoCertificate)?;
    let host = config.public_url.as_ref().map(|url| url.host().to_owned());
    let keeper = TlsKeeper::load(&source, host)?;
    let report = keeper.report();
    report_certificate(&report);
    if matches!(source, CertificateSource::SelfSigned { .. }) {
        tracing::warn!(
            sha256 = report.fingerprint,
            "tls.cert is not set: the certificate is self-signed, and browsers warn of it"
        );
    }
    Ok(Some(Arc::new(keeper)))
}

/// What is allowed and yet may not be meant.
pub(super) fn warn(config: &Config) {
    for warning in config.warnings() {
        tracing::warn!("{warning}");
    }
}

pub(super) fn report_certificate(report: &CertificateReport) {
    tracing::info!(
        sha256 = report.fingerprint,
        issuer = report.issuer,
        "certificate in use"
    );
    for warning in &report.warnings {
        tracing::warn!(%warning, "certificate");
    }
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
