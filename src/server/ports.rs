//! The ports: all bound before one is served.

use super::handover::{Assigned, Port};
use super::options;
use crate::config::Config;
use crate::http::listener::{ConnectionCap, ListenError, Listener};
use crate::http::tls::TlsKeeper;
use std::sync::Arc;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// The ports, bound but not yet served.
pub(super) struct Ports {
    plain: Option<Listener>,
    tls: Option<Listener>,
    admin: Option<Listener>,
    cap: ConnectionCap,
}

impl Ports {
    /// Binds all ports before one is served. Port 0 in the options becomes the port taken.
    pub(super) fn bind(
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
            cap,
        })
    }

    /// What counts the connections to them, but for the admin port.
    pub(super) fn cap(&self) -> &ConnectionCap {
        &self.cap
    }

    pub(super) fn serve(
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
