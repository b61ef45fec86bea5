//! Requests that are answered by HTTP alone: they are not BOSH, or not now.

use crate::http::door::RetryAfter;
use axum::body::Body;
use axum::http::header::{ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, HeaderName, RETRY_AFTER};
use axum::http::{HeaderValue, Response, StatusCode};

/// Why a request does not reach a session. What a BOSH client must understand is told in a
/// `<body/>` instead (XEP-0124 §17).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    /// A browser or curl looks what is here.
    #[error("This is XMPP over BOSH (XEP-0124): connect with an XMPP client, which will POST.")]
    Method,
    /// The page that asks may not.
    #[error(
        "Pages of this origin may not connect: it is neither that of public_url nor among those allowed."
    )]
    Origin,
    /// More than two of the longest stanzas, or, of a stranger, than one short one.
    #[error("The body is too long.")]
    TooLarge,
    /// Slower than [`read_timeout`](super::BoshHttpOptions::read_timeout).
    #[error("The body took too long.")]
    TooSlow,
    /// Cut off, or not as HTTP wants it.
    #[error("The body could not be read.")]
    Unreadable,
    /// A bound on sessions is reached.
    #[error("Too many sessions; try again later.")]
    TooManySessions,
    /// More requests at once than the session can queue. None of them was looked at, so the
    /// client may send it again under the same rid.
    #[error("Too many requests of this session at once; send it again.")]
    TooManyRequests,
    /// The server stops.
    #[error("The server is stopping.")]
    Stopping,
    /// `limits.new_connections_per_second`
    #[error("Too many connect at present; try again in {} seconds.", .0.0)]
    TooManyAtOnce(RetryAfter),
}

impl Refusal {
    fn status(self) -> StatusCode {
        match self {
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::Origin => StatusCode::FORBIDDEN,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::Unreadable => StatusCode::BAD_REQUEST,
            Self::TooManySessions
            | Self::TooManyRequests
            | Self::Stopping
            | Self::TooManyAtOnce(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// One helpful line.
    pub fn response(self) -> Response<Body> {
        let mut response = Response::new(Body::from(format!("{self}\n")));
        *response.status_mut() = self.status();
        let headers = response.headers_mut();
        let mut set = |name: HeaderName, value: &'static str| {
            headers.insert(name, HeaderValue::from_static(value));
        };
        set(CONTENT_TYPE, "text/plain; charset=utf-8");
        set(CACHE_CONTROL, "no-store");
        match self {
            Self::Method => set(ALLOW, "POST, OPTIONS"),
            // What is left of the body is not read (RFC 9112 §9.3).
            Self::TooLarge | Self::TooSlow | Self::Unreadable => set(CONNECTION, "close"),
            Self::TooManySessions | Self::Stopping => set(RETRY_AFTER, "5"),
            Self::TooManyRequests => set(RETRY_AFTER, "1"),
            Self::TooManyAtOnce(RetryAfter(seconds)) => {
                headers.insert(RETRY_AFTER, seconds.into());
            }
            Self::Origin => {}
        }
        response
    }
}
