//! The accept loop: from a listening port to requests with a [`Peer`](crate::http::peer::Peer).
//!
//! What it stands for, so that no handler has to:
//!
//! | threat | bound | action at the bound |
//! |---|---|---|
//! | too many connections, in all or from one address | [`ConnectionCap`] | answered `503` with `Retry-After`, closed (TLS: closed) |
//! | slow TLS or PROXY handshakes | [`ListenerOptions::handshake_timeout`] | closed |
//! | slow or idle requests (L-10) | [`ListenerOptions::header_timeout`] | closed |
//! | big headers (W-75) | [`ListenerOptions::max_header_bytes`], 100 headers | `431`, closed |
//! | no file descriptors left | - | accepting pauses, connections go on |
//!
//! After an upgrade the connection belongs to whoever upgraded it: see [`Link::from_upgraded`].

mod cap;
mod connection;
mod link;

use std::future::Future;
use std::io;
use std::net::{self, Ipv6Addr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tracing::{debug, info, warn};

use crate::http::forwarded::ForwardedHeader;
use crate::http::tls::TlsKeeper;
use crate::http::trusted::TrustedProxies;
pub use cap::ConnectionCap;
use connection::Accepted;
#[cfg(feature = "fuzzing")]
pub(crate) use connection::serve_bytes;
pub use link::Link;

/// How a listener treats its connections.
#[derive(Debug, Clone)]
pub struct ListenerOptions {
    /// The bound on open connections, upgraded ones included. Share one cap among listeners to
    /// bound their sum.
    pub connections: ConnectionCap,
    /// Longest time for the PROXY header and the TLS handshake together.
    pub handshake_timeout: Duration,
    /// Longest time for the head of a request, which is also how long a kept-alive connection
    /// may idle between requests.
    pub header_timeout: Duration,
    /// Largest head of a request, request line included, in bytes; at least 8192, which is what
    /// one read may bring.
    pub max_header_bytes: usize,
    /// The proxies whose PROXY headers and forwarding headers are believed.
    pub trusted_proxies: TrustedProxies,
    /// Which forwarding header trusted proxies write.
    pub forwarded_header: ForwardedHeader,
    /// TLS for every connection of this listener, or plain HTTP.
    pub tls: Option<Arc<TlsKeeper>>,
}

impl Default for ListenerOptions {
    /// Plain HTTP, 20,000 connections, nobody trusted.
    fn default() -> Self {
        Self {
            connections: ConnectionCap::new(20_000),
            handshake_timeout: Duration::from_secs(10),
            header_timeout: Duration::from_secs(15),
            max_header_bytes: 16 * 1024,
            trusted_proxies: TrustedProxies::default(),
            forwarded_header: ForwardedHeader::default(),
            tls: None,
        }
    }
}

/// Why a port cannot be listened on. The operator's to mend.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Another process has the port.
    #[error("cannot listen on {address}: the port is in use by another process")]
    InUse {
        /// The address of the configuration.
        address: SocketAddr,
    },
    /// The operating system reserves the port, as Unix does below 1024.
    #[error("cannot listen on {address}: not permitted (ports below 1024 are reserved)")]
    NotPermitted {
        /// The address of the configuration.
        address: SocketAddr,
    },
    /// No network interface of this machine has the address.
    #[error("cannot listen on {address}: this machine has no such address")]
    NoSuchAddress {
        /// The address of the configuration.
        address: SocketAddr,
    },
    /// Anything else that the operating system says.
    #[error("cannot listen on {address}: {source}")]
    Other {
        /// The address of the configuration.
        address: SocketAddr,
        /// What the operating system said.
        source: io::Error,
    },
}

impl ListenError {
    fn new(address: SocketAddr, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::AddrInUse => Self::InUse { address },
            io::ErrorKind::PermissionDenied => Self::NotPermitted { address },
            io::ErrorKind::AddrNotAvailable => Self::NoSuchAddress { address },
            _ => Self::Other { address, source },
        }
    }
}

/// A bound port. Connections wait in its backlog until [`serve`](Self::serve) takes them.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    address: SocketAddr,
    options: ListenerOptions,
}

impl Listener {
    /// Binds `address`; port 0 takes a free one, see [`address`](Self::address). `[::]` takes
    /// IPv4 too. To be called inside a tokio runtime.
    ///
    /// # Errors
    ///
    /// [`ListenError`], which names the address and the reason.
    pub fn bind(address: SocketAddr, options: ListenerOptions) -> Result<Self, ListenError> {
        let socket = bound_socket(address).map_err(|e| ListenError::new(address, e))?;
        Self::over(socket, options)
    }

    /// Takes a socket that listens already, as it is: its backlog and whether it takes IPv4 too
    /// were decided by whoever opened it. To be called inside a tokio runtime.
    ///
    /// # Errors
    ///
    /// [`ListenError`]
    pub fn over(socket: net::TcpListener, options: ListenerOptions) -> Result<Self, ListenError> {
        let unknown = SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0));
        let address = socket
            .local_addr()
            .map_err(|e| ListenError::new(unknown, e))?;
        // The runtime waits, not the socket.
        let nonblocking = socket.set_nonblocking(true);
        let socket = nonblocking.and_then(|()| TcpListener::from_std(socket));
        Ok(Self {
            socket: socket.map_err(|e| ListenError::new(address, e))?,
            address,
            options,
        })
    }

    /// The address that is listened on, with the real port.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves `app` until `stop` completes, then ends in good order: the port closes at once,
    /// idle connections close, running requests are answered to their end, upgraded connections
    /// are left to their owners. A connection that was taken and has asked for nothing yet has a
    /// second for it: its client found the port open and counts on an answer. Where the socket was
    /// passed to the process it stays open outside, and who connects from now on waits there.
    ///
    /// Returns when the last connection that still speaks HTTP is gone, which a slow client can
    /// delay: bound the wait from outside. Dropping the future cuts those connections.
    pub async fn serve(self, app: Router, stop: impl Future<Output = ()>) {
        let Self {
            socket, options, ..
        } = self;
        let options = Arc::new(options);
        let (ending, on_ending) = watch::channel(false);
        let mut stop = pin!(stop);
        loop {
            let (tcp, socket_address) = tokio::select! {
                biased;
                () = &mut stop => break,
                accepted = accept(&socket) => accepted,
            };
            let options = Arc::clone(&options);
            start(tcp, socket_address, options, app.clone(), on_ending.clone());
        }
        drop((socket, app, on_ending));
        ending.send_replace(true);
        ending.closed().await;
    }
}

/// Gives the connection a slot and a task, or turns it away.
fn start(
    tcp: TcpStream,
    socket: SocketAddr,
    options: Arc<ListenerOptions>,
    app: Router,
    on_ending: watch::Receiver<bool>,
) {
    let Some(mut slot) = options.connections.slot() else {
        warn!(%socket, "connection refused: too many are open");
        return turn_away(tcp, &options);
    };
    // Whom a proxy speaks for, its PROXY header may tell.
    let is_proxy = options.trusted_proxies.contain(socket.ip());
    if !is_proxy && !options.connections.assign(&mut slot, socket.ip()) {
        info!(%socket, "connection refused: its address has too many");
        return turn_away(tcp, &options);
    }
    let accepted = Accepted {
        tcp,
        socket,
        slot,
        options,
    };
    tokio::spawn(connection::run(accepted, app, on_ending));
}

/// Says `503` where that costs nothing: a TLS handshake is what an overloaded server must save.
fn turn_away(tcp: TcpStream, options: &ListenerOptions) {
    if options.tls.is_some() {
        return;
    }
    if let Some(permit) = options.connections.refusal() {
        tokio::spawn(async move {
            connection::refuse_overloaded(tcp).await;
            drop(permit);
        });
    }
}

/// The next connection. Errors of one connection are skipped; when the process has run out of
/// something, accepting pauses, since trying again at once would only burn a core.
async fn accept(socket: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match socket.accept().await {
            Ok((tcp, address)) => {
                let address = SocketAddr::new(address.ip().to_canonical(), address.port());
                return (tcp, address);
            }
            Err(error) if is_of_one_connection(&error) => debug!(%error, "connection lost early"),
            Err(error) => {
                warn!(%error, "cannot accept connections, pausing");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset
    )
}

fn bound_socket(address: SocketAddr) -> io::Result<net::TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    if address.ip() == Ipv6Addr::UNSPECIFIED {
        socket.set_only_v6(false)?;
    }
    // A restart must not wait for the old connections in TIME_WAIT. On Windows the same option
    // would let two processes share the port.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Connections that wait for `accept`: enough for everybody who reconnects within one pause.
const BACKLOG: i32 = 1024;
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

#[cfg(test)]
mod tests;
