//! An installed web client, served at `/client/`.
//!
//! Takes the directory as npm left it. If Converse.js is in it, `/client/` is a page of ours that
//! starts it with its configuration filled in; else the directory's own `index.html`.

mod converse;
mod path;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{any, get};
use futures_util::stream;
use tokio::fs::File;
use tokio::io::AsyncReadExt;
use tracing::warn;

use converse::{Converse, PAGE_POLICY, START_SCRIPT};

/// What a web client is told about this server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientSettings {
    /// The domain that is offered to people who type only their name.
    pub domain: String,
    /// Whether it is the only one here. With several it is only shown as an example, since
    /// a name without a domain could mean any of them.
    pub is_only_domain: bool,
    /// The path of the WebSocket endpoint on this server, such as `/ws/`.
    pub websocket_path: String,
    /// The path of BOSH, such as `/http-bind/`; `None` when it is off.
    pub bosh_path: Option<String>,
    /// Whether people may create accounts in the stream (XEP-0077), and are asked to.
    pub registration: bool,
}

/// Why a client directory cannot be served. The operator's to mend.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    /// It is not there, or no directory, or closed to us.
    #[error("web.client_dir {}: {source}", path.display())]
    Directory {
        /// The configured path.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// It has nothing to begin with.
    #[error(
        "web.client_dir {}: neither Converse.js (dist/converse.min.js) nor an index.html is in it",
        path.display()
    )]
    NoClient {
        /// The configured path.
        path: PathBuf,
    },
}

/// An installed web client.
#[derive(Debug)]
pub struct ClientFiles {
    /// Canonical.
    root: PathBuf,
    start: Start,
}

#[derive(Debug)]
enum Start {
    Converse { page: String, script: String },
    OwnIndex,
}

impl ClientFiles {
    /// Takes the directory `dir`, which the operator named; links inside it may not leave it.
    ///
    /// # Errors
    ///
    /// [`FilesError`] when it is no directory or holds no client.
    pub fn open(dir: &Path, settings: &ClientSettings) -> Result<Self, FilesError> {
        let unusable = |source| FilesError::Directory {
            path: dir.to_owned(),
            source,
        };
        let root = std::fs::canonicalize(dir).map_err(unusable)?;
        std::fs::read_dir(&root).map_err(unusable)?;
        let start = match Converse::find(&root) {
            Some(converse) => Start::Converse {
                page: converse.page(&settings.domain),
                script: converse.start_script(settings),
            },
            None if root.join("index.html").is_file() => Start::OwnIndex,
            None => {
                return Err(FilesError::NoClient {
                    path: dir.to_owned(),
                });
            }
        };
        Ok(Self { root, start })
    }

    /// `/client/` and everything below.
    pub fn router(self) -> Router {
        Router::new()
            .route("/client", get(|| async { Redirect::permanent("/client/") }))
            .route("/client/", any(serve))
            .route("/client/{*path}", any(serve))
            .with_state(Arc::new(self))
    }

    async fn find(&self, url_path: &str) -> io::Result<Option<Response>> {
        match (&self.start, url_path) {
            (Start::Converse { page, .. }, "") => {
                let policy = [(header::CONTENT_SECURITY_POLICY, PAGE_POLICY)];
                Ok(Some(
                    (policy, generated(content_type("html"), page)).into_response(),
                ))
            }
            (Start::Converse { script, .. }, START_SCRIPT) => {
                Ok(Some(generated(content_type("js"), script)))
            }
            (Start::OwnIndex, "") => self.file("index.html").await,
            (_, path) => self.file(path).await,
        }
    }

    async fn file(&self, url_path: &str) -> io::Result<Option<Response>> {
        match path::servable(&self.root, url_path).await? {
            Some(path) => file_response(&path).await.map(Some),
            None => Ok(None),
        }
    }
}

async fn serve(State(files): State<Arc<ClientFiles>>, request: Request) -> Response {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return (
            StatusCode::METHOD_NOT_ALLOWED,
            [(header::ALLOW, "GET, HEAD")],
        )
            .into_response();
    }
    let url_path = request
        .uri()
        .path()
        .strip_prefix("/client/")
        .unwrap_or_default();
    match files.find(url_path).await {
        Ok(Some(response)) => unless_known(request.headers(), response),
        Ok(None) => (StatusCode::NOT_FOUND, "No such file.\n").into_response(),
        Err(error) => {
            warn!(path = url_path, %error, "cannot serve a file of the web client");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// 304 when the browser has this very version (RFC 9110 §13.1.2).
fn unless_known(asked: &HeaderMap, response: Response) -> Response {
    let known = asked
        .get(header::IF_NONE_MATCH)
        .and_then(|known| known.to_str().ok());
    let etag = response
        .headers()
        .get(header::ETAG)
        .and_then(|etag| etag.to_str().ok());
    match (known, etag) {
        (Some(known), Some(etag)) if known.split(',').any(|one| one.trim() == etag) => {
            (StatusCode::NOT_MODIFIED, [(header::ETAG, etag.to_owned())]).into_response()
        }
        _ => response,
    }
}

fn generated(content_type: &'static str, text: &str) -> Response {
    let headers = [
        (header::CONTENT_TYPE, content_type),
        (header::CACHE_CONTROL, REVALIDATE),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, text.to_owned()).into_response()
}

async fn file_response(path: &Path) -> io::Result<Response> {
    let file = File::open(path).await?;
    let metadata = file.metadata().await?;
    let modified = metadata
        .modified()?
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let headers = [
        (header::CONTENT_TYPE, content_type_of(path).to_owned()),
        (header::CONTENT_LENGTH, metadata.len().to_string()),
        // Weak: two writes within the clock's tick would share it.
        (
            header::ETAG,
            format!("W/\"{:x}-{:x}\"", metadata.len(), modified.as_nanos()),
        ),
        (header::CACHE_CONTROL, REVALIDATE.to_owned()),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
    ];
    Ok((headers, streamed(file, metadata.len())).into_response())
}

/// The first `len_bytes` of `file`, read as they are sent: one chunk in memory per request, and
/// never more than was announced if the file grows meanwhile.
fn streamed(file: File, len_bytes: u64) -> Body {
    let chunks = stream::try_unfold(file.take(len_bytes), |mut rest| async move {
        let mut chunk = Vec::with_capacity(CHUNK_BYTES);
        let read = rest.read_buf(&mut chunk).await?;
        io::Result::Ok((read > 0).then(|| (Bytes::from(chunk), rest)))
    });
    Body::from_stream(chunks)
}

fn content_type_of(path: &Path) -> &'static str {
    let extension = path
        .extension()
        .and_then(|extension| extension.to_str())
        .unwrap_or_default();
    content_type(&extension.to_ascii_lowercase())
}

fn content_type(extension: &str) -> &'static str {
    match extension {
        "html" | "htm" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" | "map" => "application/json",
        "webmanifest" => "application/manifest+json",
        "xml" => "application/xml",
        "txt" | "md" => "text/plain; charset=utf-8",
        "wasm" => "application/wasm",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "avif" => "image/avif",
        "ico" => "image/x-icon",
        "woff" => "font/woff",
        "woff2" => "font/woff2",
        "ttf" => "font/ttf",
        "otf" => "font/otf",
        "mp3" => "audio/mpeg",
        "ogg" | "oga" => "audio/ogg",
        "wav" => "audio/wav",
        "mp4" => "video/mp4",
        "webm" => "video/webm",
        _ => "application/octet-stream",
    }
}

/// Browsers keep files but ask each time, so that an updated client is never half old.
const REVALIDATE: &str = "no-cache";
const CHUNK_BYTES: usize = 64 * 1024;

#[cfg(test)]
mod tests;
