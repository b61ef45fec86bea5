//! `/v1/send`.

use super::Here;
use super::input::{Json, Whom, session};
use super::problem::Problem;
use crate::config::parse_duration;
use crate::sessions::Target;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use utoipa::ToSchema;

/// Longer than this no request waits for acks.
const ACKED_WITHIN_MAX: Duration = Duration::from_secs(60);

/// A stanza, and whom it is for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Send {
    target: Recipients,
    /// One `<message/>`, `<presence/>` or `<iq/>`, in `jabber:client` or without any namespace. It is
    /// sent by the domain; `from` and `to` are written anew.
    #[schema(example = "<message type='headline'><body>Lunch!</body></message>")]
    stanza: String,
    /// How long to wait until the clients have acknowledged it, such as "5s"; at most a minute.
    /// Without it the answer does not wait.
    #[schema(example = "5s")]
    acked_within: Option<String>,
}

/// Some sessions: one of `user`, `session`, `group`, `login` and `all`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Recipients {
    /// Those of the account with this bare address.
    user: Option<String>,
    /// The one with this id.
    session: Option<String>,
    /// The members of this group.
    group: Option<String>,
    /// Those of this login at the web application.
    login: Option<String>,
    /// `true`: everybody.
    #[serde(default)]
    #[schema(required = false, default = false)]
    all: bool,
    /// Only those that came by this path: `/ws`, all below one as `/ws/*`, or `*`.
    path: Option<String>,
    /// But not those with these ids.
    #[serde(default)]
    #[schema(required = false, max_items = 1000)]
    except: Vec<String>,
}

/// So many sessions may be left out of one sending.
const EXCEPT_MAX: usize = 1000;

impl Recipients {
    fn target(&self) -> Result<Target, Problem> {
        let whom = Whom {
            user: self.user.as_deref(),
            session: self.session.as_deref(),
            group: self.group.as_deref(),
            login: self.login.as_deref(),
            path: self.path.as_deref(),
            all: self.all,
        };
        let target = whom.named()?.ok_or_else(|| {
            Problem::bad("target: one of user, session, group, login and all is wanted")
        })?;
        if self.except.len() > EXCEPT_MAX {
            return Err(Problem::bad(format_args!(
                "except: {} ids are too many; allowed: {EXCEPT_MAX}",
                self.except.len()
            )));
        }
        let except = self.except.iter().map(|id| session(id));
        except
            .into_iter()
            .try_fold(target, |target, id| Ok(target.except(id?)))
    }
}

/// What has come of it.
#[derive(Debug, Serialize, ToSchema)]
pub struct Sent {
    /// Sessions with a link that it is on its way to.
    sent: usize,
    /// Hibernating sessions that it waits for.
    queued: usize,
    /// Sessions that had no room for it, and end for that, or that were over at that moment.
    dropped: usize,
    /// How many clients have acknowledged it; there if `acked_within` was. A client without stream
    /// management never does.
    #[serde(skip_serializing_if = "Option::is_none")]
    acked: Option<usize>,
}

/// Sends a stanza to each of some sessions
///
/// Each gets a copy with `to` set to its full address; nothing of the routing of RFC 6121 applies.
/// If nobody is meant, nobody gets it: that is no error.
#[utoipa::path(
    post, path = "/v1/send", tag = "sessions", request_body = Send,
    responses(
        (status = 200, body = Sent),
        (status = 400, description = "A filter, an address, an id, a time or a stanza that is none."),
        (status = 413, description = "The body is longer than 1 MiB."),
        (status = 415, description = "The body is not application/json."),
    ),
)]
pub(super) async fn send(
    Here(server): Here,
    Json(asked): Json<Send>,
) -> Result<Json<Sent>, Problem> {
    let target = asked.target.target()?;
    let within = asked.acked_within.as_deref().map(patience).transpose()?;
    let stanza = server
        .stanza(&asked.stanza)
        .map_err(|why| Problem::bad(format_args!("stanza: {why}")))?;
    let delivery = server.send(&target, &stanza).await;
    // Who waits for acks does not hold the server.
    drop(server);
    let acked = match within {
        Some(within) => Some(delivery.acked(within).await),
        None => None,
    };
    Ok(Json(Sent {
        sent: delivery.sent,
        queued: delivery.queued,
        dropped: delivery.dropped,
        acked,
    }))
}

fn patience(text: &str) -> Result<Duration, Problem> {
    let within = parse_duration(text)
        .map_err(|why| Problem::bad(format_args!("acked_within: {text:?} {why}")))?;
    if within > ACKED_WITHIN_MAX {
        return Err(Problem::bad(format_args!(
            "acked_within: {text:?} is out of range; allowed: up to a minute"
        )));
    }
    Ok(within)
}
