//! Who is at the other end, behind a listener that is the application's and not ours.

use crate::http::forwarded::believe;
use crate::http::listener::ListenerOptions;
use crate::http::peer::Peer;
use axum::Router;
use axum::extract::{ConnectInfo, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use std::net::SocketAddr;
use std::sync::Arc;

/// The same routes, whose requests have a [`Peer`] if axum knows the address of the socket
/// (`into_make_service_with_connect_info::<SocketAddr>()`): what proxies say of the client is
/// believed as on our own ports. A [`Peer`] that the application has put there stays.
pub fn with_peers(router: Router, options: ListenerOptions) -> Router {
    router.layer(from_fn_with_state(Arc::new(options), name_peer))
}

async fn name_peer(
    State(options): State<Arc<ListenerOptions>>,
    mut request: Request,
    next: Next,
) -> Response {
    let info = request.extensions().get::<ConnectInfo<SocketAddr>>();
    let socket = info.map(|ConnectInfo(socket)| *socket);
    if let (Some(socket), None) = (socket, request.extensions().get::<Peer>()) {
        let peer = believe(request.headers(), &Peer::direct(socket), &options);
        request.extensions_mut().insert(peer);
    }
    next.run(request).await
}
