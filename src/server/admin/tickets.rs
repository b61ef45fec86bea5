//! `/v1/tickets`: URLs that let one client in once.

use super::Here;
use super::input::Json;
use super::problem::Problem;
use crate::config::parse_duration;
use crate::server::UrlError;
use crate::stanza::address;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use utoipa::ToSchema;

/// A longer time no ticket has.
const TTL_MAX: Duration = crate::auth::TICKET_TTL_MAX;

/// For whom a ticket is, and where.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// The bare address of the account. Whoever connects with the ticket logs in as it, by SASL
    /// EXTERNAL, without a password.
    #[schema(example = "romeo@example.org")]
    user: String,
    /// The name of the endpoint; without it the first one that takes tickets.
    endpoint: Option<String>,
    /// How long it is good, such as "60s"; an hour at most. Without it `auth.ticket.ttl`.
    #[schema(example = "60s")]
    ttl: Option<String>,
}

/// A ticket.
#[derive(Debug, Serialize, ToSchema)]
pub struct Ticket {
    /// Where to connect. It is a secret, and good for one connection.
    #[schema(example = "wss://chat.example.org/ws/?k=…")]
    url: String,
}

/// Makes a ticket: a URL that lets one client in once
///
/// It is worth nothing after its time, after it was used, and after a restart.
#[utoipa::path(
    post, path = "/v1/tickets", tag = "logins", request_body = Wanted,
    responses(
        (status = 201, body = Ticket),
        (status = 400, description = "An address or a time that is none, an account of another domain."),
        (status = 404, description = "No endpoint of this name is served."),
        (status = 409, description = "The endpoint takes no tickets: `endpoint.auth`."),
        (status = 413, description = "The body is longer than 1 MiB."),
        (status = 415, description = "The body is not application/json."),
    ),
)]
pub(super) async fn make_ticket(
    Here(server): Here,
    Json(asked): Json<Wanted>,
) -> Result<(StatusCode, Json<Ticket>), Problem> {
    let account = address::parse_bare(&asked.user).map_err(|_| {
        Problem::bad(format_args!(
            "user: {:?} is no bare address, such as name@example.org",
            asked.user
        ))
    })?;
    let ttl = asked.ttl.as_deref().map(time).transpose()?;
    let endpoint = match asked.endpoint {
        Some(name) => name,
        None => default_endpoint(&server)?,
    };
    match server.ticket(&endpoint, &account, ttl) {
        Ok(url) => Ok((StatusCode::CREATED, Json(Ticket { url }))),
        Err(why @ UrlError::NoSuchEndpoint(_)) => {
            Err(Problem::of(StatusCode::NOT_FOUND).because(why))
        }
        Err(why @ UrlError::NoTickets(_)) => Err(Problem::of(StatusCode::CONFLICT).because(why)),
        Err(why @ UrlError::NotServed(_)) => Err(Problem::bad(why)),
        Err(UrlError::Entropy(_)) => Err(Problem::of(StatusCode::INTERNAL_SERVER_ERROR)),
    }
}

fn default_endpoint(server: &super::Server) -> Result<String, Problem> {
    let config = server.config();
    let takes_tickets = |endpoint: &&crate::config::Endpoint| {
        endpoint.enabled && endpoint.auth.contains(&crate::config::AuthMethod::Ticket)
    };
    let first = config.endpoints.iter().find(takes_tickets);
    first.map(|endpoint| endpoint.name.clone()).ok_or_else(|| {
        Problem::of(StatusCode::CONFLICT)
            .because("no endpoint takes tickets: \"ticket\" is in none of their auth")
    })
}

fn time(text: &str) -> Result<Duration, Problem> {
    let ttl =
        parse_duration(text).map_err(|why| Problem::bad(format_args!("ttl: {text:?} {why}")))?;
    match ttl.is_zero() || ttl > TTL_MAX {
        true => Err(Problem::bad(format_args!(
            "ttl: {text:?} is out of range; allowed: up to an hour"
        ))),
        false => Ok(ttl),
    }
}
