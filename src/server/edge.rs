//! The routes that browsers and clients see.

use super::keys::Keys;
use super::{DemoAccount, options};
use crate::config::{self, BOSH_PATH, Config};
use crate::http::bosh::{self, BoshHttpOptions, BoshState};
use crate::http::departure::Departure;
use crate::http::driver::Rooms;
use crate::http::files::{ClientFiles, ClientSettings, FilesError};
use crate::http::host_meta::{self, Endpoints};
use crate::http::peer::Peer;
use crate::http::ws::{self, Front};
use crate::http::{nothing_here, page};
use crate::stream::SharedOptions;
use arc_swap::ArcSwap;
use axum::Router;
use axum::extract::Request;
use axum::routing::{MethodRouter, any};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// What of the edge changes on reload.
pub(super) struct Edge {
    front: Front,
    bosh: Arc<ArcSwap<BoshHttpOptions>>,
    rooms: Arc<Rooms>,
    /// The options of the streams of each endpoint, by its name: open streams share them, so they
    /// stay when the endpoint is replaced.
    options: Mutex<HashMap<String, SharedOptions>>,
    keys: Keys,
}

impl Edge {
    pub fn new(config: &Config, rooms: &Arc<Rooms>, departure: &Departure, keys: Keys) -> Self {
        let edge = Self {
            front: Front {
                endpoints: Arc::default(),
                options: Arc::new(ArcSwap::from_pointee(options::ws(config))),
                departure: departure.clone(),
                transcoders: keys.transcoders.clone(),
            },
            bosh: Arc::new(ArcSwap::from_pointee(BoshHttpOptions::default())),
            rooms: rooms.clone(),
            options: Mutex::default(),
            keys,
        };
        edge.take_up(config);
        edge
    }

    /// Takes over what changed. Endpoints come and go; who is in stays as it came in.
    pub fn reload(&self, config: &Config) {
        if let Err(error) = self.keys.reload(config) {
            tracing::error!(%error, "tickets and tokens are looked at as before");
        }
        self.take_up(config);
    }

    /// What clients are let in by.
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    fn take_up(&self, config: &Config) {
        self.front.options.store(Arc::new(options::ws(config)));
        let gates = self.keys.gates(config.endpoints.first());
        self.bosh.store(Arc::new(BoshHttpOptions {
            gates,
            ..options::bosh(config)
        }));
        let mut served = ws::Endpoints::new();
        for endpoint in enabled(config) {
            let at = Arc::new(self.endpoint(config, endpoint));
            for path in std::iter::once(&endpoint.path).chain(&endpoint.paths) {
                served.insert(path.trim_end_matches('/').into(), at.clone());
            }
        }
        self.front.endpoints.store(Arc::new(served));
    }

    fn endpoint(&self, config: &Config, endpoint: &config::Endpoint) -> ws::Endpoint {
        let rooms = Rooms {
            options: self.stream_options(config, endpoint),
            ..(*self.rooms).clone()
        };
        ws::Endpoint {
            name: endpoint.name.as_str().into(),
            origins: options::origins(config, Some(endpoint)),
            gates: self.keys.gates(Some(endpoint)),
            rooms: Arc::new(rooms),
        }
    }

    fn stream_options(&self, config: &Config, endpoint: &config::Endpoint) -> SharedOptions {
        let wanted = Arc::new(options::stream_at(config, endpoint));
        let mut all = self.options.lock().unwrap_or_else(PoisonError::into_inner);
        let shared = all
            .entry(endpoint.name.clone())
            .or_insert_with(|| Arc::new(ArcSwap::new(wanted.clone())));
        shared.store(wanted);
        shared.clone()
    }

    /// All of it as one router, to be merged into another one: it has no fallback. Endpoints that
    /// a reload adds have no route in it.
    ///
    /// # Errors
    ///
    /// [`FilesError`] for a `web.client_dir` that holds no client.
    pub fn router(&self, config: &Config, demo: &[DemoAccount]) -> Result<Router, FilesError> {
        let mut router = ws::routes(self.front.clone());
        router = router.merge(host_meta::router(&discovery(config)));
        if config.bosh.enabled {
            let departure = self.front.departure.clone();
            let state = BoshState::new(self.rooms.clone(), self.bosh.clone(), departure);
            router = router.merge(bosh::routes(state));
        }
        if config.web.console {
            router = router.merge(console(config, demo));
        }
        if let Some(files) = client_files(config)? {
            router = router.merge(files.router());
        }
        Ok(router)
    }

    /// What answers where a router of [`Edge::router`] has no route, on ports of our own: endpoints
    /// that came later, or 404.
    pub fn fallback(&self) -> MethodRouter {
        let front = self.front.clone();
        any(move |request: Request| async move {
            let served = front.serve(request).await;
            served.unwrap_or_else(|_| nothing_here())
        })
    }
}

/// The endpoints that are served.
fn enabled(config: &Config) -> impl DoubleEndedIterator<Item = &config::Endpoint> {
    let endpoints = config.endpoints.iter();
    endpoints.filter(|endpoint| config.ws.enabled && endpoint.enabled)
}

/// The page at `/`; it learns the passwords of demo accounts where they are good: on loopback.
fn console(config: &Config, demo: &[DemoAccount]) -> Router {
    let settings = client_settings(config);
    let demo: Vec<_> = demo
        .iter()
        .map(|account| page::DemoAccount {
            jid: account.jid.to_string(),
            password: account.password.clone(),
        })
        .collect();
    page::router(move |request| {
        let here = request
            .extensions
            .get::<Peer>()
            .is_some_and(Peer::is_on_loopback);
        page::Console {
            domain: settings.domain.clone(),
            ws: settings.websocket_path.clone(),
            bosh: settings.bosh_path.clone(),
            accounts: if here { demo.clone() } else { Vec::new() },
            version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    })
}

/// The web client of `web.client_dir`, if one is named.
pub(super) fn client_files(config: &Config) -> Result<Option<ClientFiles>, FilesError> {
    let dir = config.web.client_dir.as_ref();
    dir.map(|dir| ClientFiles::open(dir, &client_settings(config)))
        .transpose()
}

/// Where clients find what (XEP-0156). Converse takes the last link of a kind, so the first
/// endpoint, which is the default one, comes last.
fn discovery(config: &Config) -> Endpoints {
    let url = config.public_url().to_string();
    let websocket = enabled(config).rev().map(|endpoint| &*endpoint.path);
    let websocket: Vec<&str> = websocket.collect();
    let bosh: &[&str] = if config.bosh.enabled {
        &[BOSH_PATH]
    } else {
        &[]
    };
    let endpoints = Endpoints::below(&url, &websocket, bosh);
    // Whoever reads host-meta over https, and many clients anyway, take secure links only.
    match config.tls_url() {
        Some(url) => endpoints.and(Endpoints::below(&url.to_string(), &websocket, bosh)),
        None => endpoints,
    }
}

fn client_settings(config: &Config) -> ClientSettings {
    let first = config.endpoints.first();
    ClientSettings {
        domain: config.domain().to_owned(),
        is_only_domain: config.domains.len() == 1,
        websocket_path: first.map_or("/ws/", |endpoint| &endpoint.path).to_owned(),
        registration: config.registration.enabled,
        bosh_path: config.bosh.enabled.then(|| BOSH_PATH.to_owned()),
    }
}
