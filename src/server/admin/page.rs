//! The page at `/`: the routes below `/v1`, for people.

use crate::http::page::{File, serve};
use axum::Router;
use axum::extract::Path;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

/// The page, and the files that it needs. They tell nothing of the server, so nobody is asked who
/// wants them: the page asks its user for the token.
pub(super) fn router() -> Router {
    Router::new()
        .route(
            "/",
            get(|headers: HeaderMap| async move { serve(&INDEX, &headers) }),
        )
        .route("/dashboard/{file}", get(file))
}

async fn file(Path(name): Path<String>, headers: HeaderMap) -> Response {
    match FILES.iter().find(|file| file.name == name) {
        Some(file) => serve(file, &headers),
        None => super::Problem::of(StatusCode::NOT_FOUND).into_response(),
    }
}

macro_rules! files {
    ($($name:literal from $path:literal),* $(,)?) => {
        &[$(File { name: $name, text: include_str!($path) }),*]
    };
}

const INDEX: File = File {
    name: "index.html",
    text: include_str!("page/index.html"),
};

/// What the console of `[web]` has, too, is here under the same name.
const FILES: &[File] = files![
    "api.js" from "page/api.js",
    "console.css" from "../../http/page/console.css",
    "dashboard.css" from "page/dashboard.css",
    "dashboard.js" from "page/dashboard.js",
    "dom.js" from "../../http/page/dom.js",
    "favicon.svg" from "../../http/page/favicon.svg",
    "plot.js" from "page/plot.js",
    "rates.js" from "page/rates.js",
    "table.js" from "page/table.js",
];
