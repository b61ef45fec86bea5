//! One HTTP request: may it, what is in it, and to whom does it go.

use super::directory::Entry;
use super::front::{FIRST, Front, REQUEST_QUEUE, Request};
use super::reading::{Bounds, read};
use super::refusal::Refusal;
use super::{BoshHttpOptions, BoshState, session};
use crate::auth::Admission;
use crate::backend::{Connection, Transport};
use crate::http::door::Newcomer;
use crate::http::driver::Driver;
use crate::http::gate::{Handshake, Refused};
use crate::http::origin::OriginPolicy;
use crate::http::peer::Peer;
use crate::stream::bosh::{
    Body as BoshBody, Condition, Response as Answer, Window, body_limits, refusal,
};
use crate::stream::{Framing, OpenRequest, StreamOptions};
use crate::xml::Scanner;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_MAX_AGE, CACHE_CONTROL, CONTENT_TYPE, ORIGIN, VARY,
};
use axum::http::{HeaderMap, HeaderValue, Method, Request as HttpRequest, Response, StatusCode};
use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::sync::{mpsc, oneshot};

/// For how long a browser need not ask again, in seconds.
const PREFLIGHT_MAX_AGE: &str = "7200";

thread_local! {
    /// Scanning ends within one call, so that all requests of a thread share the buffers.
    static SCANNER: RefCell<Scanner> = RefCell::default();
}

pub(super) async fn serve(
    State(state): State<BoshState>,
    request: HttpRequest<Body>,
) -> Response<Body> {
    let options = state.options.load_full();
    let origin = request.headers().get(ORIGIN).cloned();
    if let Err(refused) = options.origins.check(request.headers()) {
        tracing::debug!(origin = refused.origin, "BOSH refused to a page");
        return Refusal::Origin.response();
    }
    let mut response = match *request.method() {
        Method::POST => on_post(&state, &options, request).await,
        Method::OPTIONS => preflight(),
        _ => Refusal::Method.response(),
    };
    allow_origin(response.headers_mut(), &options.origins, origin);
    response
}

async fn on_post(
    state: &BoshState,
    options: &BoshHttpOptions,
    request: HttpRequest<Body>,
) -> Response<Body> {
    let peer = peer(&request);
    let handshake = handshake(options, &request, &peer);
    let stream_options = state.rooms.options.load_full();
    let bounds = Bounds::new(&stream_options);
    let is_authenticated = |sid: &str| {
        find(state, &peer, sid).is_some_and(|entry| entry.is_authenticated.load(Ordering::Acquire))
    };
    let bytes = match read(request, bounds, options.read_timeout, is_authenticated).await {
        Ok(bytes) => bytes,
        Err(refusal) => return refusal.response(),
    };
    let Ok(text) = std::str::from_utf8(&bytes) else {
        return answer(refusal(Condition::BadRequest)); // RFC 6120 §11.6
    };
    let body = match parse(text, &stream_options) {
        Ok(body) => body,
        Err(condition) => return answer(refusal(condition)),
    };
    let entry = match &body.sid {
        None => None,
        Some(sid) => match find(state, &peer, sid) {
            Some(entry) => Some(entry),
            None => return answer(refusal(Condition::ItemNotFound)), // B-13, XEP-0124 §17.2
        },
    };
    let is_authenticated = entry
        .as_ref()
        .is_some_and(|entry| entry.is_authenticated.load(Ordering::Acquire));
    if !is_authenticated && text.len() > bounds.before_auth {
        return answer(refusal(Condition::PolicyViolation));
    }
    match entry {
        Some(entry) => pass_on(&entry, body).await,
        None => create(state, options, &stream_options, handshake, &peer, body).await,
    }
}

/// The session that a client names, unless it began on a better link than this one.
fn find(state: &BoshState, peer: &Peer, sid: &str) -> Option<Entry> {
    let entry = state.directory.find(sid);
    entry.filter(|entry| !entry.is_private || peer.link_is_private())
}

/// Gives a request to the task of its session and waits for the answer. When this future is
/// dropped, because the HTTP connection went away, the task notices.
async fn pass_on(entry: &Entry, body: BoshBody) -> Response<Body> {
    let (reply, reply_to_come) = oneshot::channel();
    match entry.requests.try_send(Request { body, reply }) {
        Ok(()) => {}
        Err(mpsc::error::TrySendError::Full(_)) => return Refusal::TooManyRequests.response(),
        Err(mpsc::error::TrySendError::Closed(_)) => {
            return answer(refusal(Condition::ItemNotFound));
        }
    }
    await_answer(reply_to_come).await
}

async fn await_answer(reply: oneshot::Receiver<Answer>) -> Response<Body> {
    // An error means that the session ended before it saw the request.
    let reply = reply.await;
    answer(reply.unwrap_or_else(|_| refusal(Condition::ItemNotFound)))
}

/// XEP-0124 §7
async fn create(
    state: &BoshState,
    options: &BoshHttpOptions,
    stream_options: &StreamOptions,
    handshake: Result<Option<Handshake>, Refused>,
    peer: &Peer,
    body: BoshBody,
) -> Response<Body> {
    let stopping = state.departure.stopping();
    if stopping.has_begun() {
        return Refusal::Stopping.response();
    }
    let host = match &body.to {
        None => Some(stream_options.default_host()), // B-29
        Some(to) => stream_options.host(to),
    };
    let Some(host) = host else {
        return answer(refusal(Condition::HostUnknown));
    };
    let newcomer = Newcomer::of(peer);
    if let Err(retry_after) = state.rooms.door.admit(crate::clock::now(), newcomer) {
        return Refusal::TooManyAtOnce(retry_after).response();
    }
    let Some(seat) = state.directory.seat(peer.ip(), options) else {
        tracing::warn!(address = %peer.ip(), sessions = state.directory.len(), "BOSH session refused: too many");
        return Refusal::TooManySessions.response();
    };
    // After the bounds: no flood gets through to whom the gates ask, and no ticket is used up by
    // somebody who is told to come back.
    let admission = match admit(options, handshake).await {
        Ok(admission) => admission,
        Err(refused) => {
            refused.log(NAME, peer.ip());
            return refused.response();
        }
    };
    let open = OpenRequest {
        to: Some(host.to_string()),
        // XEP-0206 §3: a client SHOULD tell it; there never was another one over BOSH.
        version: body.version.clone().or_else(|| Some("1.0".to_owned())),
    };
    let sid = seat.sid().to_string();
    let window = Window::create(
        crate::clock::now(),
        &sid,
        &host,
        FIRST,
        body,
        &options.window,
    );
    let window = match window {
        Ok(window) => window,
        Err(violation) => return answer(refusal(violation.condition())),
    };
    let (reply, reply_to_come) = oneshot::channel();
    let (requests, requests_to_come) = mpsc::channel(REQUEST_QUEUE);
    seat.enter(requests, peer.link_is_private());
    let front = Front::new(window, reply, requests_to_come);
    let connection = Arc::new(connection(peer, admission));
    let driver = Driver::new(state.rooms.clone(), connection, Framing::Bosh);
    tokio::spawn(session::run(front, driver, open, seat, stopping));
    await_answer(reply_to_come).await
}

/// The name that the log has for it, beside those of the `[[endpoint]]` tables.
const NAME: &str = "bosh";

/// The path without the slash at its end.
const PATH: &str = "/http-bind";

/// What the gates look at, if there are any.
fn handshake(
    options: &BoshHttpOptions,
    request: &HttpRequest<Body>,
    peer: &Peer,
) -> Result<Option<Handshake>, Refused> {
    if options.gates.are_open() {
        return Ok(None);
    }
    let (name, path) = (NAME.into(), PATH.into());
    Handshake::of(request, name, path, peer.clone(), &options.gates).map(Some)
}

async fn admit(
    options: &BoshHttpOptions,
    handshake: Result<Option<Handshake>, Refused>,
) -> Result<Option<Arc<Admission>>, Refused> {
    match handshake? {
        Some(handshake) => options.gates.admit(handshake).await,
        None => Ok(None),
    }
}

fn connection(peer: &Peer, admission: Option<Arc<Admission>>) -> Connection {
    Connection {
        transport: Transport::Bosh,
        subprotocol: None,
        endpoint: NAME.into(),
        path: PATH.into(),
        query: Arc::default(),
        admission,
        address: peer.ip(),
        on_this_machine: peer.is_on_loopback(),
        private: peer.link_is_private(),
        // A session outlives its connections: there is no channel to bind to.
        binding: Default::default(),
    }
}

fn peer(request: &HttpRequest<Body>) -> Peer {
    let peer = request.extensions().get::<Peer>().cloned();
    peer.unwrap_or_else(Peer::unknown)
}

fn parse(text: &str, options: &StreamOptions) -> Result<BoshBody, Condition> {
    SCANNER.with_borrow_mut(|scanner| {
        scanner.set_limits(body_limits(options.xml));
        BoshBody::parse(scanner, text).map_err(|fault| {
            tracing::debug!(reason = %fault, "unreadable BOSH body");
            fault.condition()
        })
    })
}

fn answer(answer: Answer) -> Response<Body> {
    let mut response = Response::new(Body::from(answer.body));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(answer.content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// What a browser asks before a page may POST `text/xml` elsewhere (Fetch §4.8).
fn preflight() -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    let mut set = |name, value| headers.insert(name, HeaderValue::from_static(value));
    set(ACCESS_CONTROL_ALLOW_METHODS, "POST, OPTIONS");
    set(ACCESS_CONTROL_ALLOW_HEADERS, "Content-Type");
    set(ACCESS_CONTROL_MAX_AGE, PREFLIGHT_MAX_AGE);
    response
}

/// Lets the page read the answer. Credentials are never allowed: BOSH uses no cookies, so there is
/// nothing that a browser would add (B-23).
fn allow_origin(headers: &mut HeaderMap, policy: &OriginPolicy, origin: Option<HeaderValue>) {
    match policy {
        OriginPolicy::Any => {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        }
        OriginPolicy::Only(_) => {
            headers.insert(VARY, HeaderValue::from_static("Origin"));
            if let Some(origin) = origin {
                headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            }
        }
    }
}
