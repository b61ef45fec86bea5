//! `/v1/groups`.

use super::Here;
use super::input::{Asked, InPath, Json, limit, page};
use super::problem::Problem;
use super::sessions::SessionList;
use crate::sessions::{JoinError, SessionId, Target};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};

/// Which part of a list is asked for.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// How many are listed.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<usize>,
    /// Those that come after this one: what `next` said.
    after: Option<String>,
}

/// A group.
#[derive(Debug, Serialize, ToSchema)]
pub struct Group {
    /// Its name.
    name: String,
    /// How many sessions are in it.
    size: usize,
}

/// A page of groups.
#[derive(Debug, Serialize, ToSchema)]
pub struct GroupList {
    /// In the order of their names.
    groups: Vec<Group>,
    /// How many there are, on all pages.
    total: usize,
    /// What to give as `after` for the next page; null: this is the last one.
    next: Option<String>,
}

/// Lists the groups that somebody is in
#[utoipa::path(
    get, path = "/v1/groups", tag = "groups", params(Part),
    responses((status = 200, body = GroupList)),
)]
pub(super) async fn list_groups(
    Here(server): Here,
    Asked(asked): Asked<Part>,
) -> Result<Json<GroupList>, Problem> {
    let limit = limit(asked.limit)?;
    let all = server.sessions().groups();
    let total = all.len();
    let after: Option<Arc<str>> = asked.after.map(Into::into);
    let (found, next) = page(all, |(name, _)| name.clone(), after.as_ref(), limit);
    let group = |(name, size): (Arc<str>, usize)| Group {
        name: name.as_ref().to_owned(),
        size,
    };
    Ok(Json(GroupList {
        groups: found.into_iter().map(group).collect(),
        total,
        next: next.map(|name| name.as_ref().to_owned()),
    }))
}

/// Lists the sessions in a group
///
/// A group is whoever is in it: one that nobody is in is empty, and not an error.
#[utoipa::path(
    get, path = "/v1/groups/{group}", tag = "groups",
    params(("group" = String, Path, description = "Its name."), Part),
    responses(
        (status = 200, body = SessionList),
        (status = 400, description = "A limit or an id that is none."),
    ),
)]
pub(super) async fn get_group(
    Here(server): Here,
    InPath(group): InPath<String>,
    Asked(asked): Asked<Part>,
) -> Result<Json<SessionList>, Problem> {
    let target = Target::group(&group);
    SessionList::of(&server, &target, asked.limit, asked.after.as_deref()).map(Json)
}

/// Puts a session into a group
///
/// It is in until it leaves or ends; a hibernating one stays in.
#[utoipa::path(
    put, path = "/v1/groups/{group}/{session}", tag = "groups",
    params(
        ("group" = String, Path, description = "The name of the group, up to 256 bytes."),
        ("session" = String, Path, description = "The id of the session."),
    ),
    responses(
        (status = 201, description = "It is in now."),
        (status = 204, description = "It was in before."),
        (status = 400, description = "A name that is none."),
        (status = 404, description = "There is no such session."),
        (status = 409, description = "It is in 64 groups, and there is no room for more."),
    ),
)]
pub(super) async fn join_group(
    Here(server): Here,
    InPath((group, id)): InPath<(String, String)>,
) -> Result<StatusCode, Problem> {
    let id = SessionId::parse(&id).ok_or_else(|| Problem::no("session"))?;
    match server.join(&group, id).await {
        Ok(true) => Ok(StatusCode::CREATED),
        Ok(false) => Ok(StatusCode::NO_CONTENT),
        Err(JoinError::NoSuchSession) => Err(Problem::no("session")),
        Err(why @ JoinError::Name) => Err(Problem::bad(why)),
        Err(why @ JoinError::TooMany) => Err(Problem::of(StatusCode::CONFLICT).because(why)),
    }
}

/// Takes a session out of a group
#[utoipa::path(
    delete, path = "/v1/groups/{group}/{session}", tag = "groups",
    params(
        ("group" = String, Path, description = "The name of the group."),
        ("session" = String, Path, description = "The id of the session."),
    ),
    responses(
        (status = 204, description = "It is out."),
        (status = 404, description = "It was not in, or is over."),
    ),
)]
pub(super) async fn leave_group(
    Here(server): Here,
    InPath((group, id)): InPath<(String, String)>,
) -> Result<StatusCode, Problem> {
    let id = SessionId::parse(&id).ok_or_else(|| Problem::no("session"))?;
    match server.leave(&group, id).await {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(Problem::of(StatusCode::NOT_FOUND).because("it is not in this group")),
    }
}
