//! The path of an endpoint: handshake in, stream out.

use super::connection::{WsOptions, run};
use super::upgrade::{Refusal, accept};
use crate::auth::Admission;
use crate::backend::{Connection, Transport};
use crate::http::departure::{Departure, Stopping};
use crate::http::door::Newcomer;
use crate::http::driver::{Driver, Rooms};
use crate::http::gate::{Gates, Handshake, Refused};
use crate::http::listener::Link;
use crate::http::origin::OriginPolicy;
use crate::http::peer::Peer;
use crate::http::presented::Presented;
use crate::http::transcoder::{Subprotocol, Transcoders};
use crate::stream::Framing;
use arc_swap::ArcSwap;
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::Response;
use axum::routing::any;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use std::collections::BTreeMap;
use std::sync::Arc;

/// One `[[endpoint]]`.
#[derive(Clone)]
pub struct Endpoint {
    /// Its name, for the log.
    pub name: Arc<str>,
    /// Which pages may connect.
    pub origins: OriginPolicy,
    /// Who is let in.
    pub gates: Gates,
    /// What a stream needs, with the options that streams have here.
    pub rooms: Arc<Rooms>,
}

/// The endpoints by their paths, which have no slash at their end.
pub type Endpoints = BTreeMap<Arc<str>, Arc<Endpoint>>;

/// What serves them all. Clones share it.
#[derive(Clone)]
pub struct Front {
    /// Looked at for each request, so that endpoints come and go while the server runs.
    pub endpoints: Arc<ArcSwap<Endpoints>>,
    /// `[ws]`; replaced on reload.
    pub options: Arc<ArcSwap<WsOptions>>,
    /// When the server stops.
    pub departure: Departure,
    /// What is spoken beside `xmpp`.
    pub transcoders: Transcoders,
}

impl Front {
    /// Serves a request if an endpoint has its path; otherwise it is given back.
    ///
    /// # Errors
    ///
    /// The request.
    pub async fn serve(&self, request: Request) -> Result<Response<Body>, Box<Request>> {
        let Some((path, endpoint)) = self.find(request.uri().path()) else {
            return Err(Box::new(request));
        };
        Ok(match upgrade(self, endpoint, path, request).await {
            Ok(response) => response,
            Err(Turned::Away(refusal)) => refusal.response(),
            Err(Turned::Down(refused)) => refused.response(),
        })
    }

    fn find(&self, path: &str) -> Option<(Arc<str>, Arc<Endpoint>)> {
        let path = path.strip_suffix('/').unwrap_or(path);
        let endpoints = self.endpoints.load();
        let (path, endpoint) = endpoints.get_key_value(path)?;
        Some((path.clone(), endpoint.clone()))
    }
}

/// The routes of the endpoints that there are now: each path with and without the slash at its end.
/// One that is taken away later is answered with 404; one that comes later has no route here.
pub fn routes(front: Front) -> Router {
    let endpoints = front.endpoints.load_full();
    let mut router = Router::new();
    for path in endpoints.keys() {
        router = router.route(&format!("{path}/"), any(serve));
        if !path.is_empty() {
            router = router.route(path, any(serve));
        }
    }
    router.with_state(front)
}

async fn serve(State(front): State<Front>, request: Request) -> Response<Body> {
    match front.serve(request).await {
        Ok(response) => response,
        Err(_) => crate::http::nothing_here(),
    }
}

/// Why there is no stream.
enum Turned {
    Away(Refusal),
    Down(Refused),
}

impl From<Refusal> for Turned {
    fn from(refusal: Refusal) -> Self {
        Self::Away(refusal)
    }
}

async fn upgrade(
    front: &Front,
    endpoint: Arc<Endpoint>,
    path: Arc<str>,
    mut request: Request,
) -> Result<Response<Body>, Turned> {
    let (response, subprotocol) = accept(&request, &front.transcoders)?;
    let peer = request
        .extensions()
        .get::<Peer>()
        .cloned()
        .unwrap_or_else(Peer::unknown);
    if let Err(refused) = endpoint.origins.check(request.headers()) {
        let endpoint = &*endpoint.name;
        tracing::info!(endpoint, address = %peer.ip(), origin = refused.origin, "origin refused");
        return Err(Refusal::Origin.into());
    }
    let stopping = front.departure.stopping();
    if stopping.has_begun() {
        return Err(Refusal::Stopping.into());
    }
    let door = &endpoint.rooms.door;
    door.admit(crate::clock::now(), Newcomer::of(&peer))
        .map_err(Refusal::TooManyAtOnce)?;
    let handshake = handshake(&endpoint, &path, &peer, &request);
    let admission = admit(&endpoint, handshake?).await?;
    let connection = Arc::new(Connection {
        transport: Transport::WebSocket,
        subprotocol: subprotocol.shared_name(),
        endpoint: endpoint.name.clone(),
        path,
        query: without_secrets(&request),
        admission,
        address: peer.ip(),
        on_this_machine: peer.is_on_loopback(),
        private: peer.link_is_private(),
        binding: peer.channel_binding(),
    });
    let options = front.options.load_full();
    let upgrade = hyper::upgrade::on(&mut request);
    // A task of its own, so that it is as small as a stream and not as big as a request.
    let rooms = endpoint.rooms.clone();
    let driver = move || driver(rooms, connection, &subprotocol);
    tokio::spawn(stream(upgrade, driver, options, stopping));
    Ok(response)
}

/// What the gates look at, if there are any.
fn handshake(
    endpoint: &Endpoint,
    path: &Arc<str>,
    peer: &Peer,
    request: &Request,
) -> Result<Option<Handshake>, Turned> {
    if endpoint.gates.are_open() {
        return Ok(None);
    }
    let (name, path) = (endpoint.name.clone(), path.clone());
    let shown = Handshake::of(request, name, path, peer.clone(), &endpoint.gates);
    shown.map(Some).map_err(Turned::Down)
}

async fn admit(
    endpoint: &Endpoint,
    handshake: Option<Handshake>,
) -> Result<Option<Arc<Admission>>, Turned> {
    let Some(handshake) = handshake else {
        return Ok(None);
    };
    let address = handshake.address();
    endpoint.gates.admit(handshake).await.map_err(|refused| {
        refused.log(&endpoint.name, address);
        Turned::Down(refused)
    })
}

fn driver(rooms: Arc<Rooms>, connection: Arc<Connection>, subprotocol: &Subprotocol) -> Driver {
    let driver = Driver::new(rooms, connection, Framing::WebSocket);
    driver.transcoded_by(subprotocol.transcoding().cloned())
}

async fn stream(
    upgrade: OnUpgrade,
    driver: impl FnOnce() -> Driver,
    options: Arc<WsOptions>,
    stopping: Stopping,
) {
    let Ok(upgraded) = upgrade.await else { return }; // the client left first
    let driver = driver();
    // A task of its own once more: this one has room for what an upgrade needs.
    match Link::from_upgraded(upgraded) {
        Ok((link, early)) => tokio::spawn(run(link, &early, driver, options, stopping)),
        Err(other) => tokio::spawn(run(TokioIo::new(other), &[], driver, options, stopping)),
    };
}

/// The query as sessions remember it. Most clients send none, and share the empty one. Where a secret
/// is shown twice nobody knows what else is one, and nothing is kept.
fn without_secrets(request: &Request) -> Arc<str> {
    match request.uri().query() {
        None | Some("") => Arc::default(),
        query => Presented::of(request.headers(), query, None)
            .map_or_else(|_| Arc::default(), |presented| presented.query),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_remembered_without_its_secrets() {
        for (query, kept) in [
            ("", ""),
            ("?", ""),
            ("?a=1&k=SECRET&b", "a=1&b"),
            ("?%6B=SECRET&a", "a"),
            ("?access_token=SECRET", ""),
            ("?k=SECRET&a=1&k=SECRET", ""),
        ] {
            let request = Request::get(format!("/ws/{query}"));
            let request = request.body(Body::empty()).unwrap();
            assert_eq!(&*without_secrets(&request), kept, "{query}");
        }
    }
}
