//! The routes that browsers and clients see.

use super::{DemoAccount, options};
use crate::config::{BOSH_PATH, Config};
use crate::http::bosh::{self, BoshHttpOptions, BoshState};
use crate::http::departure::Stopping;
use crate::http::driver::Rooms;
use crate::http::files::{ClientFiles, ClientSettings, FilesError};
use crate::http::host_meta::{self, Endpoints};
use crate::http::origin::OriginPolicy;
use crate::http::page;
use crate::http::peer::Peer;
use crate::http::ws::{self, WsOptions};
use arc_swap::ArcSwap;
use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use std::sync::Arc;

/// What of the edge changes on reload.
pub(super) struct Edge {
    pub ws: Arc<ArcSwap<WsOptions>>,
    pub bosh: Arc<ArcSwap<BoshHttpOptions>>,
    /// By the name of the endpoint.
    pub origins: Vec<(String, Arc<ArcSwap<OriginPolicy>>)>,
}

impl Edge {
    pub fn new(config: &Config) -> Self {
        let shared = |policy| Arc::new(ArcSwap::from_pointee(policy));
        let of = |endpoint: &crate::config::Endpoint| {
            (
                endpoint.name.clone(),
                shared(options::origins(config, Some(endpoint))),
            )
        };
        Self {
            ws: Arc::new(ArcSwap::from_pointee(options::ws(config))),
            bosh: Arc::new(ArcSwap::from_pointee(options::bosh(config))),
            origins: config.endpoints.iter().map(of).collect(),
        }
    }

    /// Takes over what changed. Endpoints that are new or gone wait for a restart.
    pub fn reload(&self, config: &Config) {
        self.ws.store(Arc::new(options::ws(config)));
        self.bosh.store(Arc::new(options::bosh(config)));
        for (name, policy) in &self.origins {
            let endpoint = config
                .endpoints
                .iter()
                .find(|endpoint| endpoint.name == *name);
            if endpoint.is_some() {
                policy.store(Arc::new(options::origins(config, endpoint)));
            }
        }
    }

    /// All of it as one router.
    ///
    /// # Errors
    ///
    /// [`FilesError`] for a `web.client_dir` that holds no client.
    pub fn router(
        &self,
        config: &Config,
        rooms: &Arc<Rooms>,
        demo: &[DemoAccount],
        stopping: &Stopping,
    ) -> Result<Router, FilesError> {
        let mut router = Router::new();
        if config.ws.enabled {
            for (endpoint, (_, origins)) in config.endpoints.iter().zip(&self.origins) {
                let served = ws::Endpoint {
                    name: endpoint.name.as_str().into(),
                    path: endpoint.path.trim_end_matches('/').into(),
                    origins: origins.clone(),
                    options: self.ws.clone(),
                    rooms: rooms.clone(),
                    stopping: stopping.clone(),
                };
                router = router.merge(ws::routes(served));
            }
        }
        router = router.merge(host_meta::router(&discovery(config)));
        if config.bosh.enabled {
            let state = BoshState::new(rooms.clone(), self.bosh.clone(), stopping.clone());
            router = router.merge(bosh::routes(state));
        }
        if config.web.console {
            router = router.merge(console(config, demo));
        }
        if let Some(files) = client_files(config)? {
            router = router.merge(files.router());
        }
        Ok(router.fallback(nothing_here))
    }
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
    let websocket: Vec<&str> = match config.ws.enabled {
        true => config
            .endpoints
            .iter()
            .rev()
            .map(|endpoint| &*endpoint.path)
            .collect(),
        false => Vec::new(),
    };
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

/// A page that looks for host-meta elsewhere is told "not found" and not "forbidden".
async fn nothing_here() -> impl IntoResponse {
    let headers = [
        (header::CONTENT_TYPE, "text/plain; charset=utf-8"),
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
    ];
    (StatusCode::NOT_FOUND, headers, "There is nothing here.\n")
}
