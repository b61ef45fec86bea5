//! One connection, from the first byte to its end or its upgrade.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::header::{CONNECTION, CONTENT_LENGTH, HOST, TRANSFER_ENCODING, UPGRADE};
use axum::http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Version};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{HttpService, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Notify, watch};
use tokio::time::timeout;
use tower_service::Service;
use tracing::debug;

use super::cap::Slot;
use super::link::{Carrier, Link, RawLink};
use super::{ListenerOptions, turn_away};
use crate::http::forwarded::believe;
use crate::http::peer::Peer;
use crate::http::proxy_protocol::{Preface, ProxyHeader, V2_HEADER_MAX_BYTES, read_preface};

/// A connection that has its slot and has not been read from.
pub(super) struct Accepted {
    pub(super) tcp: TcpStream,
    pub(super) socket: SocketAddr,
    pub(super) slot: Slot,
    pub(super) options: Arc<ListenerOptions>,
}

/// Runs the connection to its end, to its upgrade, or, once `on_ending` says so, to the end of
/// its running request.
pub(super) async fn run(accepted: Accepted, app: Router, mut on_ending: watch::Receiver<bool>) {
    let socket = accepted.socket;
    let options = Arc::clone(&accepted.options);
    // Boxed: its state is several kilobytes and would stay in the task for the whole connection.
    let opening = Box::pin(timeout(options.handshake_timeout, open(accepted)));
    let opened = tokio::select! {
        opened = opening => opened.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())),
        () = last_call(&mut on_ending) => return,
    };
    match opened {
        Ok((link, peer)) => serve_http(link, peer, options, app, on_ending).await,
        Err(error) => debug!(%socket, %error, "connection ended in its handshake"),
    }
}

/// PROXY header, then TLS: whatever this listener expects before HTTP.
async fn open(accepted: Accepted) -> io::Result<(Link, Peer)> {
    let Accepted {
        mut tcp,
        socket,
        mut slot,
        options,
    } = accepted;
    tcp.set_nodelay(true)?;
    let mut peer = Peer::direct(socket);
    let mut early = Vec::new();
    if options.trusted_proxies.contain(socket.ip()) {
        let header = read_proxy_header(&mut tcp, &mut early).await?;
        apply_proxy_header(&mut peer, header);
    }
    if peer.proxied && !options.connections.assign(&mut slot, peer.ip()) {
        turn_away(tcp, &options);
        return Err(io::Error::other("too many connections of one client"));
    }
    let raw = RawLink::new(tcp, early);
    let Some(keeper) = &options.tls else {
        return Ok((Link::new(Carrier::Plain(raw), slot), peer));
    };
    let (stream, tls) = keeper.accept(raw).await?;
    peer.secure = true;
    peer.tls = Some(tls);
    Ok((Link::new(Carrier::Tls(Box::new(stream)), slot), peer))
}

/// Reads until the PROXY header is whole or absent; `early` then holds what follows it.
async fn read_proxy_header(
    tcp: &mut TcpStream,
    early: &mut Vec<u8>,
) -> io::Result<Option<ProxyHeader>> {
    early.reserve_exact(EARLY_READ_BYTES);
    loop {
        let unread = (V2_HEADER_MAX_BYTES - early.len().min(V2_HEADER_MAX_BYTES)) as u64;
        if (&mut *tcp).take(unread).read_buf(early).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        match read_preface(early) {
            Preface::Incomplete => {}
            Preface::Absent => return Ok(None),
            Preface::Invalid => {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    "malformed PROXY header",
                ));
            }
            Preface::Header(header) => {
                early.drain(..header.len_bytes);
                return Ok(Some(header));
            }
        }
    }
}

fn apply_proxy_header(peer: &mut Peer, header: Option<ProxyHeader>) {
    let Some(ProxyHeader {
        source: Some(source),
        tls,
        ..
    }) = header
    else {
        return;
    };
    peer.address = source;
    peer.proxied = true;
    peer.secure = tls == Some(true);
}

async fn serve_http(
    link: Link,
    peer: Peer,
    options: Arc<ListenerOptions>,
    app: Router,
    mut on_ending: watch::Receiver<bool>,
) {
    let socket = peer.socket;
    let http = http(&options);
    let asked = Notify::new();
    let service = service_fn(|request| {
        asked.notify_one();
        answer(request, &peer, &options, app.clone())
    });
    let mut serving = pin!(
        http.serve_connection(TokioIo::new(link), service)
            .with_upgrades()
    );
    let ended = tokio::select! {
        ended = serving.as_mut() => ended,
        told = ending(&mut on_ending) => match told {
            Ending::InGoodOrder => tokio::select! {
                ended = finish(serving, &asked) => ended,
                _ = on_ending.changed() => return, // the listener itself was dropped
            },
            Ending::AtOnce => return,
        },
    };
    if let Err(error) = ended {
        debug!(%socket, %error, "HTTP connection ended");
    }
}

/// Answers what has been asked and then ends, or the first request if it comes soon.
async fn finish<S>(
    mut serving: Pin<&mut http1::UpgradeableConnection<TokioIo<Link>, S>>,
    asked: &Notify,
) -> hyper::Result<()>
where
    S: HttpService<Incoming, ResBody = Body>,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    tokio::select! {
        ended = serving.as_mut() => return ended,
        _ = timeout(LAST_CALL, asked.notified()) => {}
    }
    serving.as_mut().graceful_shutdown();
    serving.await
}

/// Waits until the listener ends, and then as long as a connection still has for its handshake.
async fn last_call(on_ending: &mut watch::Receiver<bool>) {
    if let Ending::InGoodOrder = ending(on_ending).await {
        let dropped = on_ending.changed();
        let _ = timeout(LAST_CALL, dropped).await;
    }
}

/// The same for the fuzzer, which has no socket.
#[cfg(feature = "fuzzing")]
pub(crate) async fn serve_bytes<I>(io: I, peer: Peer, options: ListenerOptions, app: Router)
where
    I: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let http = http(&options);
    let service = service_fn(move |request| answer(request, &peer, &options, app.clone()));
    // What goes wrong with the connection is the peer's doing.
    let _ = http
        .serve_connection(TokioIo::new(io), service)
        .with_upgrades()
        .await;
}

enum Ending {
    InGoodOrder,
    AtOnce,
}

async fn ending(on_ending: &mut watch::Receiver<bool>) -> Ending {
    match on_ending.wait_for(|ending| *ending).await {
        Ok(_) => Ending::InGoodOrder,
        Err(_) => Ending::AtOnce,
    }
}

fn http(options: &ListenerOptions) -> http1::Builder {
    let mut http = http1::Builder::new();
    let max_header_bytes = options.max_header_bytes.max(BUFFER_MIN_BYTES);
    http.timer(TokioTimer::new())
        .header_read_timeout(options.header_timeout)
        .max_buf_size(max_header_bytes)
        .max_header_size(max_header_bytes);
    http
}

/// One request: names its peer, and refuses what must not reach a handler.
fn answer(
    mut request: Request<Incoming>,
    peer: &Peer,
    options: &ListenerOptions,
    mut app: Router,
) -> impl Future<Output = Result<Response<Body>, Infallible>> + use<> {
    let refused = if upgrade_announces_a_body(request.headers()) {
        Some("An upgrade request must not have a body.\n")
    } else if !names_one_host(&request) {
        Some("A request names its host, and names it once.\n")
    } else {
        None
    };
    let believed = believe(request.headers(), peer, options);
    request.extensions_mut().insert(believed);
    async move {
        if let Some(why) = refused {
            return Ok(bad_request(why));
        }
        app.call(request).await
    }
}

/// An upgrade with a body leaves two readings of the bytes behind its head: body, or first bytes
/// of the new protocol. Refused, so that nobody can smuggle one as the other (W-77). Outside an
/// upgrade, hyper takes `Transfer-Encoding` over `Content-Length` and closes the connection after
/// the answer, as RFC 9112 §6.1 demands.
fn upgrade_announces_a_body(headers: &HeaderMap) -> bool {
    let has_length = headers
        .get(CONTENT_LENGTH)
        .is_some_and(|length| length != "0");
    headers.contains_key(UPGRADE) && (has_length || headers.contains_key(TRANSFER_ENCODING))
}

/// RFC 9112 §3.2: one `Host`; two of them are two readings of whom the request is for. HTTP/1.0
/// may leave it out.
fn names_one_host<B>(request: &Request<B>) -> bool {
    match request.headers().get_all(HOST).iter().count() {
        0 => request.version() < Version::HTTP_11,
        count => count == 1,
    }
}

fn bad_request(why: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::from(why));
    *response.status_mut() = StatusCode::BAD_REQUEST;
    response
        .headers_mut()
        .insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

/// Tells a connection over the cap to come back, without reading what it asks.
///
/// Lingers a moment for the request: closing with unread bytes resets the connection, and the
/// reset may overtake the answer.
pub(super) async fn refuse_overloaded(mut tcp: TcpStream) {
    let lingering = async {
        tcp.write_all(OVERLOADED).await?;
        tcp.shutdown().await?;
        let mut sink = [0; 1024];
        while tcp.read(&mut sink).await? > 0 {}
        io::Result::Ok(())
    };
    let _ = timeout(REFUSAL_LINGER, lingering).await; // it is refused either way
}

const OVERLOADED: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\n\
    Retry-After: 10\r\n\
    Connection: close\r\n\
    Content-Type: text/plain\r\n\
    Content-Length: 47\r\n\
    \r\n\
    Too many connections; try again in 10 seconds.\n";
/// What a connection that was taken before the end has for its first request.
const LAST_CALL: Duration = Duration::from_secs(1);
const REFUSAL_LINGER: Duration = Duration::from_millis(500);
/// Room for a PROXY header and a small request behind it.
const EARLY_READ_BYTES: usize = 1024;
/// Below this hyper panics.
const BUFFER_MIN_BYTES: usize = 8192;
