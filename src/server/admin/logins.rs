//! `/v1/logins` and `/v1/revoke`: logins that are over.

use super::Here;
use super::input::{InPath, Json, Whom};
use super::problem::Problem;
use super::sessions::Closed;
use crate::server::CloseReason;
use crate::sessions::Target;
use serde::Deserialize;
use utoipa::ToSchema;

/// Ends all sessions of a login at the web application, for good
///
/// For its log-out: open sessions end with `not-authorized`, none of them can be resumed, and who
/// comes with this login later is turned away.
#[utoipa::path(
    delete, path = "/v1/logins/{key}", tag = "logins",
    params(("key" = String, Path, description = "The login, as its admission names it.")),
    responses((status = 200, body = Closed)),
)]
pub(super) async fn close_login(
    Here(server): Here,
    InPath(key): InPath<String>,
) -> Result<Json<Closed>, Problem> {
    let target = Target::login(&key);
    let closed = server.close(&target, CloseReason::LoggedOut).await;
    Ok(Json(Closed { closed }))
}

/// Who is no longer to be here: either an account or a login.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Revoke {
    /// The bare address of an account.
    user: Option<String>,
    /// A login at the web application.
    login: Option<String>,
}

/// Ends all sessions of an account or a login now
///
/// They end with `not-authorized`, and none of them can be resumed. A login stays closed. An account
/// can log in again as long as it has a password or something else that lets it in.
#[utoipa::path(
    post, path = "/v1/revoke", tag = "logins", request_body = Revoke,
    responses(
        (status = 200, body = Closed),
        (status = 400, description = "Neither an account nor a login is named, or both."),
        (status = 413, description = "The body is longer than 1 MiB."),
        (status = 415, description = "The body is not application/json."),
    ),
)]
pub(super) async fn revoke(
    Here(server): Here,
    Json(asked): Json<Revoke>,
) -> Result<Json<Closed>, Problem> {
    let whom = Whom {
        user: asked.user.as_deref(),
        login: asked.login.as_deref(),
        ..Whom::default()
    };
    let target = whom.named()?;
    let target = target.ok_or_else(|| Problem::bad("one of user and login is wanted"))?;
    let closed = server.close(&target, CloseReason::LoggedOut).await;
    Ok(Json(Closed { closed }))
}
