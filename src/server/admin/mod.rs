//! The admin port: what an application in any language, and an operator, do with the server.
//!
//! The routes below `/v1` are the verbs of [`Server`] over HTTP, in JSON; `docs/admin.md` tells
//! about them, and `/v1/openapi.json` describes each. What goes wrong is told as RFC 9457 wants it.
//! `/` is a page for people, made of the same routes.

mod document;
mod endpoints;
mod figures;
mod groups;
mod guard;
mod input;
mod logins;
mod options;
mod page;
mod problem;
mod send;
mod sessions;
mod tickets;

pub use guard::AdminError;

use super::Server;
use super::handle::WeakServer;
use crate::config::Config;
use axum::Router;
use axum::extract::{DefaultBodyLimit, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware;
use axum::response::Response;
use guard::Guard;
use problem::Problem;
use std::time::Instant;

/// The longest body of a request; a longer one is answered by 413.
const BODY_BYTES_MAX: usize = 1024 * 1024;

/// So many things one answer lists at most.
const PAGE_MAX: usize = 1000;

/// So many it lists if the request does not say.
const PAGE_DEFAULT: usize = 100;

/// What handlers have.
#[derive(Clone)]
struct Admin {
    /// The server holds the task that serves this port, so not the other way round.
    server: WeakServer,
    since: Instant,
}

/// What has to be read before the port is served.
pub(super) struct Prepared {
    guard: Guard,
    dashboard: bool,
}

impl Prepared {
    /// # Errors
    ///
    /// [`AdminError`]
    pub fn of(config: &Config) -> Result<Self, AdminError> {
        Ok(Self {
            guard: Guard::of(config)?,
            dashboard: config.admin.dashboard,
        })
    }

    /// All routes of the admin port but those that are open to everybody. `more` is guarded as `/v1`
    /// is.
    pub fn router(self, server: WeakServer, more: Router) -> Router {
        let admin = Admin {
            server,
            since: crate::clock::now(),
        };
        let guarded = document::routes()
            .method_not_allowed_fallback(not_allowed)
            .with_state(admin)
            .merge(more);
        let guarded = guarded
            .layer(middleware::map_response(answered_now))
            .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
            .layer(middleware::from_fn_with_state(self.guard, guard::check));
        match self.dashboard {
            true => guarded.merge(page::router()),
            false => guarded,
        }
    }
}

async fn not_allowed() -> Problem {
    Problem::of(StatusCode::METHOD_NOT_ALLOWED)
}

/// For paths without a route.
pub(super) async fn nothing_here() -> Problem {
    Problem::of(StatusCode::NOT_FOUND)
}

/// What is so now may not be so when it is asked for again.
fn is_so_now(headers: &mut HeaderMap) {
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
}

async fn answered_now(mut response: Response) -> Response {
    is_so_now(response.headers_mut());
    response
}

/// The server, as long as it is there.
struct Here(Server);

impl FromRequestParts<Admin> for Here {
    type Rejection = Problem;

    async fn from_request_parts(_: &mut Parts, admin: &Admin) -> Result<Self, Problem> {
        let server = admin.server.upgrade();
        server
            .map(Self)
            .ok_or_else(|| Problem::of(StatusCode::SERVICE_UNAVAILABLE).because("the server stops"))
    }
}
