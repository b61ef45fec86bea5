//! A small HTTP client, for the few questions that this server asks others: for keys, and for what a
//! web application thinks of a client.
//!
//! One request, one answer, within a time and a size. Redirects are not followed: what an operator
//! named is asked and nobody else.

use axum::http::header::{ACCEPT, CONTENT_TYPE, HeaderValue, USER_AGENT};
use axum::http::{Method, Request, StatusCode, Uri};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};
use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// How long a connection that nobody uses is kept.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// How many such connections are kept for one host.
const IDLE_CONNECTIONS_MAX: usize = 16;

/// What a [`Fetcher`] may cost.
#[derive(Debug, Clone)]
pub struct FetchOptions {
    /// From the first byte out to the last byte in, with name resolution and TLS.
    pub timeout: Duration,
    /// The longest body that is read, in bytes; a longer one is [`FetchError::TooLong`].
    pub body_bytes_max: usize,
    /// Certificates that are trusted beside those of the machine.
    pub more_roots: Vec<CertificateDer<'static>>,
}

impl Default for FetchOptions {
    /// Five seconds, 256 KiB, the certificates of the machine.
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(5),
            body_bytes_max: 256 * 1024,
            more_roots: Vec::new(),
        }
    }
}

/// Asks over HTTP/1.1, with TLS 1.2 and 1.3 where the URL is `https`. Clones share connections.
#[derive(Clone)]
pub struct Fetcher {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    timeout: Duration,
    body_bytes_max: usize,
}

/// What was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// Its status, whatever it is.
    pub status: StatusCode,
    /// Its body.
    pub body: Bytes,
}

/// Why there is no answer. Says nothing of the URL, which may hold a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// Not `http://…` or `https://…`.
    #[error("not an http or https URL")]
    Url,
    /// It took longer than [`FetchOptions::timeout`].
    #[error("no answer within {0:?}")]
    Timeout(Duration),
    /// The body is longer than [`FetchOptions::body_bytes_max`].
    #[error("an answer of more than {0} bytes")]
    TooLong(usize),
    /// No connection, no trust, or no HTTP.
    #[error("{0}")]
    Failed(String),
}

impl Fetcher {
    /// A client; connects when it is asked to.
    ///
    /// # Errors
    ///
    /// [`FetchError::Failed`] for a certificate in [`FetchOptions::more_roots`] that is none.
    pub fn new(options: FetchOptions) -> Result<Self, FetchError> {
        let mut connector = HttpConnector::new();
        connector.enforce_http(false);
        connector.set_nodelay(true);
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls(options.more_roots)?)
            .https_or_http()
            .enable_http1()
            .wrap_connector(connector);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_TIMEOUT)
            .pool_max_idle_per_host(IDLE_CONNECTIONS_MAX)
            .build(connector);
        Ok(Self {
            client,
            timeout: options.timeout,
            body_bytes_max: options.body_bytes_max,
        })
    }

    /// GET. The answer may have any status.
    ///
    /// # Errors
    ///
    /// [`FetchError`]
    pub async fn get(&self, url: &Uri) -> Result<Fetched, FetchError> {
        self.ask(Method::GET, url, None).await
    }

    /// POST of a JSON document. The answer may have any status.
    ///
    /// # Errors
    ///
    /// [`FetchError`]
    pub async fn post_json(&self, url: &Uri, json: Vec<u8>) -> Result<Fetched, FetchError> {
        self.ask(Method::POST, url, Some(json)).await
    }

    async fn ask(
        &self,
        method: Method,
        url: &Uri,
        json: Option<Vec<u8>>,
    ) -> Result<Fetched, FetchError> {
        let request = request(method, url, json).ok_or(FetchError::Url)?;
        let asked = async {
            let answer = self
                .client
                .request(request)
                .await
                .map_err(|error| failed(&error))?;
            let status = answer.status();
            let body = Limited::new(answer.into_body(), self.body_bytes_max)
                .collect()
                .await;
            let body = body.map_err(|error| self.unread(&*error))?.to_bytes();
            Ok(Fetched { status, body })
        };
        let answer = tokio::time::timeout(self.timeout, asked).await;
        answer.unwrap_or(Err(FetchError::Timeout(self.timeout)))
    }

    fn unread(&self, error: &(dyn Error + Send + Sync + 'static)) -> FetchError {
        match error.is::<LengthLimitError>() {
            true => FetchError::TooLong(self.body_bytes_max),
            false => failed(error),
        }
    }
}

impl fmt::Debug for Fetcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fetcher")
            .field("timeout", &self.timeout)
            .field("body_bytes_max", &self.body_bytes_max)
            .finish_non_exhaustive()
    }
}

fn request(method: Method, url: &Uri, json: Option<Vec<u8>>) -> Option<Request<Full<Bytes>>> {
    let is_http = matches!(url.scheme_str(), Some("http" | "https"));
    if !is_http || url.host().is_none_or(str::is_empty) {
        return None;
    }
    let mut request = Request::builder()
        .method(method)
        .uri(url.clone())
        .header(ACCEPT, HeaderValue::from_static("application/json"))
        .header(
            USER_AGENT,
            HeaderValue::from_static(concat!("stanzad/", env!("CARGO_PKG_VERSION"))),
        );
    if json.is_some() {
        request = request.header(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    let body = Full::new(Bytes::from(json.unwrap_or_default()));
    request.body(body).ok()
}

fn tls(more_roots: Vec<CertificateDer<'static>>) -> Result<ClientConfig, FetchError> {
    let failed = |error: rustls::Error| FetchError::Failed(error.to_string());
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    for root in more_roots {
        roots.add(root).map_err(failed)?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider);
    let builder = builder.with_safe_default_protocol_versions();
    let builder = builder.map_err(failed)?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

/// The error and what it comes from, which says more.
fn failed(error: &dyn Error) -> FetchError {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    FetchError::Failed(text)
}

#[cfg(test)]
pub(crate) mod tests;
