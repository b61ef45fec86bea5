//! What requests say: queries, bodies, and whom they mean.

use super::problem::Problem;
use super::{Admin, PAGE_DEFAULT, PAGE_MAX};
use crate::sessions::{PathFilter, SessionId, Target};
use crate::stanza::address;
use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::time::Duration;

/// How long the body of a request may take; then it is answered by 408.
const BODY_TIMEOUT: Duration = Duration::from_secs(15);

/// JSON, in a request or an answer.
pub(super) struct Json<T>(pub T);

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        match serde_json::to_vec(&self.0) {
            Ok(body) => ([(header::CONTENT_TYPE, "application/json")], body).into_response(),
            Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        }
    }
}

impl<T: DeserializeOwned> FromRequest<Admin> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, admin: &Admin) -> Result<Self, Problem> {
        if !is_json(request.headers()) {
            let problem = Problem::of(StatusCode::UNSUPPORTED_MEDIA_TYPE);
            return Err(problem.because("the body has to be application/json"));
        }
        let body = tokio::time::timeout(BODY_TIMEOUT, Bytes::from_request(request, admin));
        let body = body
            .await
            .map_err(|_| Problem::of(StatusCode::REQUEST_TIMEOUT))?;
        let body = body.map_err(|why| Problem::of(why.status()).because(why.body_text()))?;
        serde_json::from_slice(&body)
            .map(Self)
            .map_err(|why| Problem::bad(format_args!("the body: {why}")))
    }
}

/// A page elsewhere can send other types without asking; JSON it cannot.
fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("application/json")
}

/// The query; a name that is not known is an error.
pub(super) struct Asked<T>(pub T);

impl<T: DeserializeOwned> FromRequestParts<Admin> for Asked<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Admin) -> Result<Self, Problem> {
        let query = Query::<T>::try_from_uri(&parts.uri);
        let Query(asked) = query.map_err(|why| Problem::bad(why.body_text()))?;
        Ok(Self(asked))
    }
}

/// What stands in the path.
pub(super) struct InPath<T>(pub T);

impl<T: DeserializeOwned + Send> FromRequestParts<Admin> for InPath<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, admin: &Admin) -> Result<Self, Problem> {
        let path = Path::<T>::from_request_parts(parts, admin).await;
        let Path(found) = path.map_err(|why| Problem::bad(why.body_text()))?;
        Ok(Self(found))
    }
}

/// Whom a request means, as it was written.
#[derive(Debug, Default)]
pub(super) struct Whom<'a> {
    pub user: Option<&'a str>,
    pub session: Option<&'a str>,
    pub group: Option<&'a str>,
    pub login: Option<&'a str>,
    pub all: bool,
    pub path: Option<&'a str>,
}

impl Whom<'_> {
    /// The sessions that are meant; `None` if nobody is named, whatever the path.
    pub fn named(&self) -> Result<Option<Target>, Problem> {
        let named = [
            self.user.map(user).transpose()?,
            self.session.map(session).transpose()?.map(Target::session),
            self.group.map(Target::group),
            self.login.map(Target::login),
            self.all.then(Target::everybody),
        ];
        let mut named = named.into_iter().flatten();
        let target = named.next();
        if named.next().is_some() {
            return Err(Problem::bad(
                "one of user, session, group, login and all can be asked for, not several",
            ));
        }
        target.map(|target| self.on_path(target)).transpose()
    }

    /// The same; everybody if nobody is named.
    pub fn or_everybody(&self) -> Result<Target, Problem> {
        match self.named()? {
            Some(target) => Ok(target),
            None => self.on_path(Target::everybody()),
        }
    }

    fn on_path(&self, target: Target) -> Result<Target, Problem> {
        let Some(path) = self.path else {
            return Ok(target);
        };
        let filter: PathFilter = path.parse().map_err(Problem::bad)?;
        Ok(target.path(filter))
    }
}

fn user(text: &str) -> Result<Target, Problem> {
    let jid = address::parse_bare(text).map_err(|_| {
        Problem::bad(format_args!(
            "user: {text:?} is no bare address, such as name@example.org"
        ))
    })?;
    Ok(Target::user(&jid))
}

/// The id of a session.
pub(super) fn session(text: &str) -> Result<SessionId, Problem> {
    SessionId::parse(text).ok_or_else(|| {
        Problem::bad(format_args!(
            "session: {text:?} is no id of a session: 32 hexadecimal digits"
        ))
    })
}

/// How many things an answer is to list.
pub(super) fn limit(asked: Option<usize>) -> Result<usize, Problem> {
    match asked.unwrap_or(PAGE_DEFAULT) {
        limit @ 1..=PAGE_MAX => Ok(limit),
        other => Err(Problem::bad(format_args!(
            "limit: {other} is out of range; allowed: 1 to {PAGE_MAX}"
        ))),
    }
}

/// One page of what is sorted by key: what comes after `after`, and the key to go on from.
pub(super) fn page<T, K: Ord + Clone>(
    mut all: Vec<T>,
    key: impl Fn(&T) -> K,
    after: Option<&K>,
    limit: usize,
) -> (Vec<T>, Option<K>) {
    all.sort_unstable_by_key(&key);
    let start = after.map_or(0, |after| all.partition_point(|item| key(item) <= *after));
    let mut rest = all.split_off(start);
    let more = rest.len() > limit;
    rest.truncate(limit);
    let next = rest.last().filter(|_| more).map(&key);
    (rest, next)
}
