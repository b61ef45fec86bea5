//! `/v1/sessions` and `/v1/exists`.

use super::Here;
use super::input::{Asked, InPath, Json, Whom, limit, page, session};
use super::problem::Problem;
use crate::clock;
use crate::server::CloseReason;
use crate::sessions::{Direction, Session, SessionId, Tally, Target};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::{IntoParams, ToSchema};

/// A session.
#[derive(Debug, Serialize, ToSchema)]
pub struct SessionInfo {
    /// Names it. Whoever has it and the password of the account can take the session over.
    #[schema(example = "0123456789abcdef0123456789abcdef")]
    id: String,
    /// Its full address.
    #[schema(example = "romeo@example.org/orchard")]
    jid: String,
    /// Whether a stream carries it; otherwise it waits to be resumed.
    attached: bool,
    /// The endpoint that its client came by; "bosh" for BOSH. Null for a session of the last process
    /// that nobody has come back for, as all that follows up to `address`.
    endpoint: Option<String>,
    /// The path, without a slash at its end.
    path: Option<String>,
    /// The query, without what authenticates.
    query: Option<String>,
    /// "websocket" or "bosh".
    transport: Option<&'static str>,
    /// The address of the client.
    address: Option<String>,
    /// The login at the web application.
    login: Option<String>,
    /// What the application gave it when it let it in.
    data: BTreeMap<String, String>,
    /// The groups it is in.
    groups: Vec<String>,
    /// How many stanzas wait in its mailbox.
    waiting: usize,
    /// How many bytes are held for it, unacked ones included.
    held_bytes: usize,
    /// What has gone through it.
    counters: Counters,
}

/// What has gone through a session in this process: one that comes back after a restart begins anew.
#[derive(Debug, Serialize, ToSchema)]
pub struct Counters {
    /// Since when: so many seconds ago.
    seconds: f64,
    /// Stanzas from its client.
    stanzas_in: u64,
    /// Stanzas to its client.
    stanzas_out: u64,
    /// Bytes of the stanzas from its client.
    bytes_in: u64,
    /// Bytes of the stanzas to its client.
    bytes_out: u64,
    /// Stanzas that its client has not acknowledged; 0 without stream management.
    unacked: usize,
    /// How many seconds ago the oldest of them was sent; null: there is none, or that is not known.
    oldest_unacked: Option<f64>,
}

impl Counters {
    fn of(tally: &Tally) -> Self {
        let now = clock::now();
        Self {
            seconds: now.saturating_duration_since(tally.since()).as_secs_f64(),
            stanzas_in: tally.stanzas(Direction::In),
            stanzas_out: tally.stanzas(Direction::Out),
            bytes_in: tally.bytes(Direction::In),
            bytes_out: tally.bytes(Direction::Out),
            unacked: tally.unacked(),
            oldest_unacked: tally.oldest_unacked(now).map(|age| age.as_secs_f64()),
        }
    }
}

impl SessionInfo {
    pub(super) fn of(session: &Session) -> Self {
        let info = session.info();
        let text = |text: &std::sync::Arc<str>| text.as_ref().to_owned();
        Self {
            id: info.id.to_string(),
            jid: info.jid.to_string(),
            attached: info.attached,
            endpoint: info.endpoint.as_ref().map(text),
            path: info.path.as_ref().map(text),
            query: info.query.as_ref().map(text),
            transport: info.transport.map(|transport| transport.as_str()),
            address: info.address.map(|address| address.to_string()),
            login: info.login,
            data: info.data,
            groups: info.groups.iter().map(text).collect(),
            waiting: info.waiting,
            held_bytes: info.held_bytes,
            counters: Counters::of(session.tally()),
        }
    }
}

/// Which sessions are asked for. At most one of `user`, `group`, `login` and `id`; without any of
/// them all are meant.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct List {
    /// Those of the account with this bare address.
    user: Option<String>,
    /// The members of this group.
    group: Option<String>,
    /// Those of this login at the web application.
    login: Option<String>,
    /// The one with this id.
    id: Option<String>,
    /// Only those that came by this path: `/ws`, all below one as `/ws/*`, or `*`.
    path: Option<String>,
    /// How many are listed.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<usize>,
    /// Those that come after this id: what `next` said.
    after: Option<String>,
}

/// A page of sessions.
#[derive(Debug, Serialize, ToSchema)]
pub struct SessionList {
    /// In the order of their ids.
    sessions: Vec<SessionInfo>,
    /// How many are meant, on all pages.
    total: usize,
    /// What to give as `after` for the next page; null: this is the last one.
    next: Option<String>,
}

impl SessionList {
    pub(super) fn of(
        server: &super::Server,
        target: &Target,
        asked: Option<usize>,
        after: Option<&str>,
    ) -> Result<Self, Problem> {
        let limit = limit(asked)?;
        let after = after.map(session).transpose()?;
        let all = server.sessions().select(target);
        let total = all.len();
        let (found, next) = page(all, |session| session.id(), after.as_ref(), limit);
        Ok(Self {
            sessions: found
                .iter()
                .map(|session| SessionInfo::of(session))
                .collect(),
            total,
            next: next.map(|id: SessionId| id.to_string()),
        })
    }
}

/// Lists sessions
///
/// In the order of their ids, a page at a time. Cost: with `user`, `group` or `id` that of what is
/// found; otherwise a look at every session.
#[utoipa::path(
    get, path = "/v1/sessions", tag = "sessions", params(List),
    responses(
        (status = 200, body = SessionList),
        (status = 400, description = "A filter, an address or an id that is none."),
    ),
)]
pub(super) async fn list_sessions(
    Here(server): Here,
    Asked(asked): Asked<List>,
) -> Result<Json<SessionList>, Problem> {
    let whom = Whom {
        user: asked.user.as_deref(),
        session: asked.id.as_deref(),
        group: asked.group.as_deref(),
        login: asked.login.as_deref(),
        path: asked.path.as_deref(),
        all: false,
    };
    let target = whom.or_everybody()?;
    SessionList::of(&server, &target, asked.limit, asked.after.as_deref()).map(Json)
}

/// Tells all of one session
#[utoipa::path(
    get, path = "/v1/sessions/{id}", tag = "sessions",
    params(("id" = String, Path, description = "Its id.")),
    responses(
        (status = 200, body = SessionInfo),
        (status = 404, description = "It is over, or never was."),
    ),
)]
pub(super) async fn get_session(
    Here(server): Here,
    InPath(id): InPath<String>,
) -> Result<Json<SessionInfo>, Problem> {
    let id = SessionId::parse(&id).ok_or_else(|| Problem::no("session"))?;
    let found = server.sessions().select(&Target::session(id));
    let session = found.first().ok_or_else(|| Problem::no("session"))?;
    Ok(Json(SessionInfo::of(session)))
}

/// Which sessions are to end. One of `user`, `group`, `login`, `id` and `all`.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Close {
    /// Those of the account with this bare address.
    user: Option<String>,
    /// The members of this group.
    group: Option<String>,
    /// Those of this login at the web application. It stays closed, unless `path` is given: see
    /// `DELETE /v1/logins/{key}`.
    login: Option<String>,
    /// The one with this id.
    id: Option<String>,
    /// `true`: everybody.
    #[serde(default)]
    #[param(required = false, default = false)]
    all: bool,
    /// Only those that came by this path: `/ws`, all below one as `/ws/*`, or `*`.
    path: Option<String>,
    /// What their clients are told; "removed" by default.
    #[serde(default)]
    #[param(inline, required = false)]
    reason: Reason,
}

/// What clients are told whose sessions end: "logged-out" is the stream error `not-authorized`,
/// "removed" is `policy-violation`.
#[derive(Debug, Default, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// The login is over.
    LoggedOut,
    /// The operator wants it gone.
    #[default]
    Removed,
}

/// How many sessions came to an end.
#[derive(Debug, Serialize, ToSchema)]
pub struct Closed {
    /// So many.
    pub(super) closed: usize,
}

/// Ends sessions
///
/// What their clients never acknowledged goes where it goes at any end; none of them can be resumed.
/// To end all sessions, say `all=true`.
#[utoipa::path(
    delete, path = "/v1/sessions", tag = "sessions", params(Close),
    responses(
        (status = 200, body = Closed),
        (status = 400, description = "Nobody is named, or by a filter, an address or an id that is none."),
    ),
)]
pub(super) async fn close_sessions(
    Here(server): Here,
    Asked(asked): Asked<Close>,
) -> Result<Json<Closed>, Problem> {
    let whom = Whom {
        user: asked.user.as_deref(),
        session: asked.id.as_deref(),
        group: asked.group.as_deref(),
        login: asked.login.as_deref(),
        path: asked.path.as_deref(),
        all: asked.all,
    };
    let target = whom.named()?.ok_or_else(|| {
        Problem::bad("nobody is named; to end the sessions of everybody, say all=true")
    })?;
    let reason = match asked.reason {
        Reason::LoggedOut => CloseReason::LoggedOut,
        Reason::Removed => CloseReason::Removed,
    };
    let closed = server.close(&target, reason).await;
    Ok(Json(Closed { closed }))
}

/// Which sessions are asked for: one of `user`, `group`, `login` and `id`.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Sought {
    /// Those of the account with this bare address.
    user: Option<String>,
    /// The members of this group.
    group: Option<String>,
    /// Those of this login at the web application.
    login: Option<String>,
    /// The one with this id.
    id: Option<String>,
    /// Only those that came by this path: `/ws`, all below one as `/ws/*`, or `*`.
    path: Option<String>,
}

/// Whether one is here.
#[derive(Debug, Serialize, ToSchema)]
pub struct Exists {
    /// Attached or hibernating.
    exists: bool,
}

/// Asks whether one of some sessions is here
#[utoipa::path(
    get, path = "/v1/exists", tag = "sessions", params(Sought),
    responses(
        (status = 200, body = Exists),
        (status = 400, description = "Nobody is named, or by a filter, an address or an id that is none."),
    ),
)]
pub(super) async fn session_exists(
    Here(server): Here,
    Asked(asked): Asked<Sought>,
) -> Result<Json<Exists>, Problem> {
    let whom = Whom {
        user: asked.user.as_deref(),
        session: asked.id.as_deref(),
        group: asked.group.as_deref(),
        login: asked.login.as_deref(),
        path: asked.path.as_deref(),
        all: false,
    };
    let target = whom.named()?;
    let target =
        target.ok_or_else(|| Problem::bad("one of user, group, login and id is wanted"))?;
    let exists = server.exists(&target).await;
    Ok(Json(Exists { exists }))
}
