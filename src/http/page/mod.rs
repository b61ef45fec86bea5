//! The built-in page: a chat that shows its wire, for newcomers and for operators.
//!
//! Everything it needs is in the binary. The page is an ordinary XMPP client of this server: it
//! gets no shortcut past `/ws/`, so what it shows is what any client would see. `console.js` is the
//! entry; the modules beside it are read by the browser as they stand here.
//!
//! The only thing that is made anew for each visitor is `/console.json`: see [`Console`].

use std::net::IpAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::http::forwarded::tell_of_a_proxy;

/// What the page learns about its server, and all that it learns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Console {
    /// The XMPP domain; completes an address that somebody typed without one.
    pub domain: String,
    /// Path of the WebSocket endpoint on this origin, such as `/ws/`.
    pub ws: String,
    /// Path of the BOSH endpoint on this origin, or `None` where BOSH is switched off.
    pub bosh: Option<String>,
    /// Accounts to offer as buttons, passwords included. Empty except in demo mode and for a peer
    /// on loopback: the caller of [`router`] decides that, as it alone knows the peer. The page
    /// then still withholds them from a request that [`names_loopback`] does not let through.
    pub accounts: Vec<DemoAccount>,
    /// Version of the server, for the header of the page.
    pub version: String,
}

/// One account that the page offers to log in as.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct DemoAccount {
    /// The bare JID.
    pub jid: String,
    /// The password in clear. It protects nothing but a demo that is reachable on loopback only.
    pub password: String,
}

impl std::fmt::Debug for DemoAccount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DemoAccount")
            .field("jid", &self.jid)
            .finish_non_exhaustive()
    }
}

/// Routes of the page: `/`, `/console.json` and `/console/{file}`.
///
/// `console` is called once for each request of `/console.json`, with the head of the request (its
/// extensions hold whatever the listener put there about the peer); it must not block. Files are
/// served with a strong `ETag` and revalidated by the browser on each load, so that a new version
/// of the server is never half old in a cache.
pub fn router<F, S>(console: F) -> Router<S>
where
    F: Fn(&Parts) -> Console + Send + Sync + 'static,
    S: Clone + Send + Sync + 'static,
{
    let console = Arc::new(console);
    let json = move |request: Request| {
        let console = Arc::clone(&console);
        async move { describe(&request.into_parts().0, &*console) }
    };
    Router::new()
        .route(
            "/",
            get(|headers: HeaderMap| async move { serve(&INDEX, &headers) }),
        )
        .route("/console/{file}", get(file))
        .route("/console.json", get(json))
}

/// True when a request was addressed to this machine by a name that only this machine has.
///
/// A peer on loopback is not yet a person at this machine: it may be a reverse proxy, which tells by
/// its headers, or a foreign page whose own name was rebound to 127.0.0.1, which tells by `Host`.
pub fn names_loopback(headers: &HeaderMap) -> bool {
    if tell_of_a_proxy(headers) {
        return false;
    }
    let host = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok());
    host.is_some_and(|host| is_loopback_name(without_port(host)))
}

fn without_port(host: &str) -> &str {
    match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _)) => address,
        None => host.split(':').next().unwrap_or(host),
    }
}

fn is_loopback_name(name: &str) -> bool {
    name.eq_ignore_ascii_case("localhost") || name.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
}

fn describe(head: &Parts, console: &(dyn Fn(&Parts) -> Console + Send + Sync)) -> Response {
    let mut console = console(head);
    if !names_loopback(&head.headers) {
        console.accounts.clear();
    }
    let Ok(body) = serde_json::to_string(&console) else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let headers = [
        (header::CONTENT_TYPE, "application/json"),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (
            header::HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ),
    ];
    (headers, body).into_response()
}

async fn file(Path(name): Path<String>, headers: HeaderMap) -> Response {
    match FILES.iter().find(|file| file.name == name) {
        Some(file) => serve(file, &headers),
        None => (StatusCode::NOT_FOUND, "no such file\n").into_response(),
    }
}

/// A file, or 304 when the browser already has this very one (RFC 9110 §13.1.2).
pub(crate) fn serve(file: &File, request: &HeaderMap) -> Response {
    let etag = file.etag();
    let known = request
        .get(header::IF_NONE_MATCH)
        .and_then(|value| value.to_str().ok());
    let fresh = known.is_some_and(|tags| matches_any(tags, &etag));
    let mut response = match fresh {
        true => StatusCode::NOT_MODIFIED.into_response(),
        false => ([(header::CONTENT_TYPE, file.content_type())], file.text).into_response(),
    };
    let headers = response.headers_mut();
    if let Ok(etag) = HeaderValue::from_str(&etag) {
        headers.insert(header::ETAG, etag);
    }
    for (name, value) in PROTECTION {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

// `If-None-Match` compares weakly: `W/` before a tag does not matter.
fn matches_any(tags: &str, etag: &str) -> bool {
    tags.split(',')
        .map(str::trim)
        .any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
}

/// A file that is in the binary.
pub(crate) struct File {
    pub name: &'static str,
    pub text: &'static str,
}

impl File {
    fn content_type(&self) -> &'static str {
        match self.name.rsplit('.').next() {
            Some("js") => "text/javascript; charset=utf-8",
            Some("css") => "text/css; charset=utf-8",
            Some("svg") => "image/svg+xml",
            _ => "text/html; charset=utf-8",
        }
    }

    fn etag(&self) -> String {
        let digest = Sha256::digest(self.text.as_bytes());
        let hex: String = digest
            .iter()
            .take(12)
            .map(|byte| format!("{byte:02x}"))
            .collect();
        format!("\"{hex}\"")
    }
}

macro_rules! files {
    ($($name:literal),* $(,)?) => {
        &[$(File { name: $name, text: include_str!($name) }),*]
    };
}

const INDEX: File = File {
    name: "index.html",
    text: include_str!("index.html"),
};

const FILES: &[File] = files![
    "acks.js",
    "bubble.js",
    "chat.js",
    "console.css",
    "console.js",
    "dom.js",
    "favicon.svg",
    "link.js",
    "linkview.js",
    "login.js",
    "raw.js",
    "scram.js",
    "session.js",
    "sm.js",
    "stream.js",
    "wellformed.js",
    "wire.js",
    "xml.js",
];

/// The page speaks to its own origin and to nobody else, runs no script that is not a file of ours,
/// and stands in nobody's frame. `'self'` in `connect-src` covers `ws:` and `wss:` of this origin
/// (CSP level 3, scheme-part match).
const PROTECTION: [(header::HeaderName, &str); 6] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
         form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CACHE_CONTROL, "no-cache"),
    (
        header::HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    ),
    (
        header::HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
];

#[cfg(test)]
mod tests;
