//! The path of an endpoint: handshake in, stream out.

use super::connection::{WsOptions, run};
use super::upgrade::{Refusal, accept};
use crate::backend::{Connection, Transport};
use crate::http::departure::Stopping;
use crate::http::door::Newcomer;
use crate::http::driver::{Driver, Rooms};
use crate::http::listener::Link;
use crate::http::origin::OriginPolicy;
use crate::http::peer::Peer;
use crate::stream::Framing;
use arc_swap::ArcSwap;
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::Response;
use axum::routing::any;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

/// One `[[endpoint]]`.
#[derive(Clone)]
pub struct Endpoint {
    /// Its name, for the log.
    pub name: Arc<str>,
    /// Its path, without a slash at its end.
    pub path: Arc<str>,
    /// Who may connect; replaced on reload.
    pub origins: Arc<ArcSwap<OriginPolicy>>,
    /// `[ws]`; replaced on reload.
    pub options: Arc<ArcSwap<WsOptions>>,
    /// What a stream needs.
    pub rooms: Arc<Rooms>,
    /// Turns true when the server stops. The server is done when every copy is gone.
    pub stopping: Stopping,
}

/// The routes of an endpoint: its path with and without the slash at its end.
pub fn routes(endpoint: Endpoint) -> Router {
    let bare = endpoint.path.clone();
    let mut router = Router::new().route(&format!("{bare}/"), any(serve));
    if !bare.is_empty() {
        router = router.route(&bare, any(serve));
    }
    router.with_state(endpoint)
}

async fn serve(State(endpoint): State<Endpoint>, request: Request) -> Response<Body> {
    match upgrade(endpoint, request) {
        Ok(response) => response,
        Err(refusal) => refusal.response(),
    }
}

fn upgrade(endpoint: Endpoint, mut request: Request) -> Result<Response<Body>, Refusal> {
    let response = accept(&request)?;
    let peer = request
        .extensions()
        .get::<Peer>()
        .cloned()
        .unwrap_or_else(unknown_peer);
    if let Err(refused) = endpoint.origins.load().check(request.headers()) {
        let endpoint = &*endpoint.name;
        tracing::info!(endpoint, address = %peer.ip(), origin = refused.origin, "origin refused");
        return Err(Refusal::Origin);
    }
    if endpoint.stopping.has_begun() {
        return Err(Refusal::Stopping);
    }
    let door = &endpoint.rooms.door;
    door.admit(crate::clock::now(), Newcomer::of(&peer))
        .map_err(Refusal::TooManyAtOnce)?;
    let connection = Arc::new(Connection {
        transport: Transport::WebSocket,
        endpoint: endpoint.name.clone(),
        path: endpoint.path.clone(),
        query: Arc::default(),
        admission: None,
        address: peer.ip(),
        on_this_machine: peer.is_on_loopback(),
        private: peer.link_is_private(),
        binding: peer.channel_binding(),
    });
    // A task of its own, so that it is as small as a stream and not as big as a request.
    tokio::spawn(stream(
        hyper::upgrade::on(&mut request),
        endpoint,
        connection,
    ));
    Ok(response)
}

async fn stream(upgrade: OnUpgrade, endpoint: Endpoint, connection: Arc<Connection>) {
    let Ok(upgraded) = upgrade.await else { return }; // the client left first
    let driver = Driver::new(endpoint.rooms, connection, Framing::WebSocket);
    let options = endpoint.options.load_full();
    let stopping = endpoint.stopping;
    // A task of its own once more: this one has room for what an upgrade needs.
    match Link::from_upgraded(upgraded) {
        Ok((link, early)) => tokio::spawn(run(link, &early, driver, options, stopping)),
        Err(other) => tokio::spawn(run(TokioIo::new(other), &[], driver, options, stopping)),
    };
}

/// Behind a listener that is not ours nothing is known of the peer, and nothing is trusted.
fn unknown_peer() -> Peer {
    Peer {
        proxied: true,
        ..Peer::direct(SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)))
    }
}
