//! Asks the web application whether a client is to be let in (`[auth.session]`, O1).
//!
//! The application gets a POST with a JSON object: `endpoint`, `path`, `query` and `address` as
//! texts, `cookies` and `headers` as objects of texts, of which only those are passed on that are
//! listed. It answers with 2xx and an [`Admission`] in JSON, or with 401 or 403.

use super::fetch::{FetchError, Fetched, Fetcher};
use super::presented;
use crate::auth::Admission;
use axum::http::{HeaderMap, StatusCode, Uri};
use serde::Serialize;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// So many questions are out at once. Further ones wait for their turn, within the time-out of the
/// fetcher, and are answered with 503 then.
pub const QUESTIONS_MAX: usize = 256;

/// What is asked about a client.
#[derive(Debug, Clone, Copy)]
pub struct Question<'q> {
    /// The name of the `[[endpoint]]`.
    pub endpoint: &'q str,
    /// The path of the request.
    pub path: &'q str,
    /// Its query, as far as the application is to see it; without `?`.
    pub query: &'q str,
    /// The address of the client.
    pub address: IpAddr,
    /// All headers of the request.
    pub headers: &'q HeaderMap,
}

/// What of a request is passed on to which application.
#[derive(Debug, Clone)]
pub struct AskOptions {
    /// Where to ask, `http` or `https`.
    pub url: Uri,
    /// Names of cookies, as they are.
    pub cookies: Vec<String>,
    /// Names of headers, in any case.
    pub headers: Vec<String>,
    /// How long a question may wait for its turn.
    pub patience: Duration,
}

/// Asks one application.
#[derive(Debug)]
pub struct SessionAsk {
    options: AskOptions,
    fetcher: Fetcher,
    turns: Arc<Semaphore>,
}

#[derive(Serialize)]
struct Json<'q> {
    endpoint: &'q str,
    path: &'q str,
    query: &'q str,
    address: IpAddr,
    cookies: BTreeMap<String, &'q str>,
    headers: BTreeMap<String, String>,
}

impl SessionAsk {
    /// Asks by this fetcher, whose bounds hold.
    pub fn new(options: AskOptions, fetcher: Fetcher) -> Self {
        Self {
            options,
            fetcher,
            turns: Arc::new(Semaphore::new(QUESTIONS_MAX)),
        }
    }

    /// Whether a request has anything that is passed on. One that has not may be let in otherwise.
    pub fn knows(&self, headers: &HeaderMap) -> bool {
        let AskOptions {
            cookies: names,
            headers: listed,
            ..
        } = &self.options;
        let asks_of_everybody = names.is_empty() && listed.is_empty();
        asks_of_everybody
            || listed.iter().any(|name| headers.contains_key(name))
            || !presented::cookies(headers, names).is_empty()
    }

    /// What the application decides.
    ///
    /// # Errors
    ///
    /// The status that the client gets: 401 and 403 are those of the application. Whatever else
    /// comes of it, such as a time-out, a redirect or an answer that is no admission, is 503, and
    /// the log says why.
    pub async fn ask(&self, question: Question<'_>) -> Result<Admission, StatusCode> {
        let turn = tokio::time::timeout(self.options.patience, self.turns.acquire()).await;
        let Ok(Ok(_turn)) = turn else {
            return Err(unavailable(&question, &"too many questions are out"));
        };
        let json = self.json(&question);
        let answer = self.fetcher.post_json(&self.options.url, json).await;
        let answer = answer.map_err(|error: FetchError| unavailable(&question, &error))?;
        read(&answer).map_err(|refused| match refused {
            Refused::By(status) => {
                tracing::info!(
                    endpoint = question.endpoint, address = %question.address,
                    status = status.as_u16(), "refused by the web application"
                );
                status
            }
            Refused::Unclear(why) => unavailable(&question, &why),
        })
    }

    fn json(&self, question: &Question<'_>) -> Vec<u8> {
        let json = Json {
            endpoint: question.endpoint,
            path: question.path,
            query: question.query,
            address: question.address,
            cookies: presented::cookies(question.headers, &self.options.cookies),
            headers: listed(question.headers, &self.options.headers),
        };
        // Texts and maps of texts: there is always a JSON of it.
        serde_json::to_vec(&json).unwrap_or_default()
    }
}

enum Refused {
    By(StatusCode),
    Unclear(String),
}

fn read(answer: &Fetched) -> Result<Admission, Refused> {
    match answer.status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(Refused::By(answer.status)),
        status if status.is_success() => admission(&answer.body)
            .map_err(|error| Refused::Unclear(format!("its answer is no admission: {error}"))),
        status => Err(Refused::Unclear(format!("it answered {status}"))),
    }
}

/// An object, and not what else reads as one that says nothing, such as an empty list.
fn admission(body: &[u8]) -> Result<Admission, serde_json::Error> {
    let object: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(body)?;
    serde_json::from_value(object.into())
}

fn unavailable(question: &Question<'_>, why: &dyn std::fmt::Display) -> StatusCode {
    tracing::warn!(
        endpoint = question.endpoint, address = %question.address, %why,
        "the web application does not say whom to let in"
    );
    StatusCode::SERVICE_UNAVAILABLE
}

/// The headers of these names, in lower case; several of one name are one, with commas
/// (RFC 9110 §5.3).
fn listed(headers: &HeaderMap, names: &[String]) -> BTreeMap<String, String> {
    let find = |name: &String| {
        let values = headers.get_all(name.as_str()).iter();
        let values: Vec<_> = values
            .map(|value| String::from_utf8_lossy(value.as_bytes()))
            .collect();
        (!values.is_empty()).then(|| (name.to_ascii_lowercase(), values.join(", ")))
    };
    names.iter().filter_map(find).collect()
}

#[cfg(test)]
mod tests;
