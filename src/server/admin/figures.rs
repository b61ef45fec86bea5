//! `/v1/figures`: how the server does, in a few numbers.

use super::input::Json;
use super::problem::Problem;
use super::{Admin, Here};
use crate::clock;
use crate::metrics::BOUNDS;
use crate::server::Server;
use crate::sessions::{Direction, Transport};
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use std::time::{Duration, SystemTime};
use utoipa::ToSchema;

/// How the server does, as of now.
#[derive(Debug, Serialize, ToSchema)]
pub struct Figures {
    /// When: seconds since 1970.
    time: f64,
    /// The version of the server.
    version: &'static str,
    /// The first of its domains.
    domain: String,
    /// How long it has served this port, in seconds.
    uptime: f64,
    /// Whether it is about to stop.
    stopping: bool,
    /// Who is here.
    sessions: SessionCounts,
    /// How many groups somebody is in.
    groups: usize,
    /// How many stanzas wait in mailboxes.
    waiting: usize,
    /// How many stanzas were sent and not yet acknowledged.
    unacked: usize,
    /// Stanzas since the start.
    stanzas: Flow,
    /// Bytes of their texts since the start.
    bytes: Flow,
    /// How long acks took since the start.
    acks: AckTimes,
    /// How many bytes are held for sessions.
    held_bytes: usize,
    /// What they may be (`limits.memory`); null: there is no bound.
    held_bytes_max: Option<usize>,
}

/// What went through, since the start.
#[derive(Debug, Serialize, ToSchema)]
pub struct Flow {
    /// From clients.
    r#in: u64,
    /// To clients.
    out: u64,
}

/// The times from the sending of a stanza to the `<a/>` that covers it, as a histogram.
#[derive(Debug, Serialize, ToSchema)]
pub struct AckTimes {
    /// The upper bounds of the buckets, in seconds.
    bounds: Vec<f64>,
    /// How many there are between each bound and the one before it; the last: above all.
    counts: Vec<u64>,
    /// All times together, in seconds.
    sum: f64,
}

/// How many sessions are here.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct SessionCounts {
    /// A stream carries them.
    attached: usize,
    /// They wait to be resumed.
    hibernating: usize,
    /// They came by WebSocket.
    websocket: usize,
    /// They came by BOSH.
    bosh: usize,
}

/// Tells how the server does
///
/// Cost: a look at every session.
#[utoipa::path(
    get, path = "/v1/figures", tag = "server",
    responses((status = 200, body = Figures)),
)]
pub(super) async fn get_figures(
    State(admin): State<Admin>,
    Here(server): Here,
) -> Result<Json<Figures>, Problem> {
    let uptime = clock::now().saturating_duration_since(admin.since);
    // Clients are not to wait for it.
    let figures = tokio::task::spawn_blocking(move || look(&server, uptime)).await;
    figures
        .map(Json)
        .map_err(|_| Problem::of(StatusCode::INTERNAL_SERVER_ERROR))
}

fn look(server: &Server, uptime: Duration) -> Figures {
    let sessions = server.sessions();
    let mut here = SessionCounts::default();
    let (mut waiting, mut unacked) = (0, 0);
    for session in sessions.all() {
        match session.is_attached() {
            true => here.attached += 1,
            false => here.hibernating += 1,
        }
        match session.connection().map(|link| link.transport) {
            Some(Transport::WebSocket) => here.websocket += 1,
            Some(Transport::Bosh) => here.bosh += 1,
            None => {}
        }
        waiting += session.waiting();
        unacked += session.tally().unacked();
    }
    let now = clock::time_of_day().duration_since(SystemTime::UNIX_EPOCH);
    let (stanzas_in, bytes_in) = server.figures().sum(Direction::In);
    let (stanzas_out, bytes_out) = server.figures().sum(Direction::Out);
    let acks = server.figures().acks();
    let budget = sessions.budget();
    let limit = budget.limit();
    Figures {
        time: now.unwrap_or_default().as_secs_f64(),
        version: env!("CARGO_PKG_VERSION"),
        domain: server.config().domain().to_owned(),
        uptime: uptime.as_secs_f64(),
        stopping: server.is_stopping(),
        sessions: here,
        groups: sessions.groups().len(),
        waiting,
        unacked,
        stanzas: Flow {
            r#in: stanzas_in,
            out: stanzas_out,
        },
        bytes: Flow {
            r#in: bytes_in,
            out: bytes_out,
        },
        acks: AckTimes {
            bounds: BOUNDS.to_vec(),
            counts: acks.counts().to_vec(),
            sum: acks.sum().as_secs_f64(),
        },
        held_bytes: budget.held(),
        held_bytes_max: (limit != usize::MAX).then_some(limit),
    }
}
