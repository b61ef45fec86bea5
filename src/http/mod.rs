//! Floor 6: HTTP, WebSocket, BOSH, TLS.

pub mod admin;
pub mod bosh;
pub mod connect_info;
pub mod departure;
pub mod door;
pub mod driver;
pub mod fetch;
pub mod files;
pub mod forwarded;
pub mod gate;
pub mod host_meta;
pub mod listener;
pub mod origin;
pub mod page;
pub mod peer;
pub mod presented;
pub mod proxy_protocol;
pub mod session_ask;
pub mod tls;
pub mod transcoder;
pub mod trusted;
pub mod ws;

use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};

/// A page that looks for host-meta elsewhere is told "not found" and not "forbidden".
pub fn nothing_here() -> Response<Body> {
    let mut response = Response::new(Body::from("There is nothing here.\n"));
    *response.status_mut() = StatusCode::NOT_FOUND;
    let headers = response.headers_mut();
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    headers.insert(header::CONTENT_TYPE, plain);
    let everybody = HeaderValue::from_static("*");
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, everybody);
    response
}
