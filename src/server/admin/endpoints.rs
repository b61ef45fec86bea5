//! `/v1/endpoints`: where clients come in.

use super::Here;
use super::input::Json;
use crate::config::{self, BOSH_PATH, Config};
use serde::Serialize;
use utoipa::ToSchema;

/// A WebSocket endpoint.
#[derive(Debug, Serialize, ToSchema)]
pub struct Endpoint {
    /// Its name.
    name: String,
    /// Where it is served; the first is its path, the others are further ones.
    paths: Vec<String>,
    /// The URLs of these paths, as clients see them (`public_url`).
    #[schema(example = json!(["wss://chat.example.org/ws/"]))]
    urls: Vec<String>,
    /// Whether it is served.
    enabled: bool,
    /// The tier of those whom nothing else gives one.
    tier: Option<String>,
    /// What lets a client in: "ticket", "jwt", "token", "session", or "none", which lets everybody in.
    auth: Vec<String>,
    /// The origins of web pages that may open a stream; "*": all.
    origins: Vec<String>,
}

/// The way for clients without WebSocket.
#[derive(Debug, Serialize, ToSchema)]
pub struct Bosh {
    /// Its path.
    path: &'static str,
    /// Its URL, as clients see it.
    url: String,
}

/// Where clients come in.
#[derive(Debug, Serialize, ToSchema)]
pub struct EndpointList {
    /// In the order of the options; the first is the default one.
    endpoints: Vec<Endpoint>,
    /// Null: BOSH is not served.
    bosh: Option<Bosh>,
}

/// Lists the endpoints that clients come in by
#[utoipa::path(
    get, path = "/v1/endpoints", tag = "server",
    responses((status = 200, body = EndpointList)),
)]
pub(super) async fn list_endpoints(Here(server): Here) -> Json<EndpointList> {
    let config = server.config();
    let endpoints = config.endpoints.iter();
    Json(EndpointList {
        endpoints: endpoints.map(|endpoint| told(&config, endpoint)).collect(),
        bosh: config.bosh.enabled.then(|| Bosh {
            path: BOSH_PATH,
            url: config.public_bosh_url(),
        }),
    })
}

fn told(config: &Config, endpoint: &config::Endpoint) -> Endpoint {
    let origins = config.allowed_origins(endpoint);
    Endpoint {
        name: endpoint.name.clone(),
        paths: endpoint.all_paths().map(str::to_owned).collect(),
        urls: endpoint
            .all_paths()
            .map(|path| config.public_ws_url(path))
            .collect(),
        enabled: config.ws.enabled && endpoint.enabled,
        tier: endpoint.tier.clone(),
        auth: endpoint.auth.iter().map(ToString::to_string).collect(),
        origins: origins.unwrap_or_else(|| vec!["*".to_owned()]),
    }
}
