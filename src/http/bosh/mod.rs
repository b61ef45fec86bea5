//! BOSH over HTTP (XEP-0124, XEP-0206) at `/http-bind` and `/http-bind/`.
//!
//! The protocol is [`crate::stream::bosh`]; here it gets its bytes. A handler reads one POST and
//! passes its `<body/>` to the task of its session, found by `sid`; the task answers through a
//! oneshot, at once or when the window says so.
//!
//! ```text
//! POST ─ handler ─ directory (sid → task) ─ task: Window + Driver ─ stream, backend, mailbox
//!           └────────── oneshot: the answer ──────────┘
//! ```
//!
//! | threat | bound | action at the bound |
//! |---|---|---|
//! | big bodies (B-22) | twice `limits.max_stanza_bytes`; the smaller limit before login | 413, the rest is not read |
//! | slow bodies (B-45) | [`BoshHttpOptions::read_timeout`] | 408, closed |
//! | abandoned sessions (B-46) | `bosh.inactivity`, `limits.login_timeout` | the session ends |
//! | many sessions | [`BoshHttpOptions::max_sessions`], `…_before_login`, `…_of_one_address` | 503 with `Retry-After` |
//! | many requests of one session | the window of `requests`; a queue of 16 | `item-not-found`; 503 |
//! | a client that sends faster than it is served | 64 KiB wait; 4 MiB | requests are held; `policy-violation` |
//! | a client that does not fetch | mail stays in the mailbox; senders are slowed | as on WebSocket |

mod directory;
mod front;
mod handler;
mod reading;
mod refusal;
mod session;

use crate::http::departure::Departure;
use crate::http::driver::Rooms;
use crate::http::gate::Gates;
use crate::http::origin::OriginPolicy;
use crate::stream::bosh::Options;
use arc_swap::ArcSwap;
use axum::Router;
use axum::routing::any;
use directory::Directory;
use std::sync::Arc;
use std::time::Duration;

/// The paths of BOSH.
pub const PATHS: [&str; 2] = ["/http-bind/", "/http-bind"];

/// What the operator may set. Replaced as a whole on reload; read at each request.
#[derive(Debug, Clone)]
pub struct BoshHttpOptions {
    /// What sessions get that are created from now on.
    pub window: Options,
    /// The pages that may use this endpoint; any other gets 403.
    pub origins: OriginPolicy,
    /// Who may make a session.
    pub gates: Gates,
    /// How long a request may take to bring its body. Then it is answered with 408.
    pub read_timeout: Duration,
    /// How many BOSH sessions there may be, logged in or not. A further one gets 503.
    pub max_sessions: usize,
    /// How many of them may not have logged in yet.
    pub max_sessions_before_login: usize,
    /// How many of those may come from one address: the share that a single stranger can take.
    pub max_sessions_before_login_of_one_address: usize,
}

impl Default for BoshHttpOptions {
    /// Every origin is refused: the operator's are not known here.
    fn default() -> Self {
        Self {
            window: Options::default(),
            origins: OriginPolicy::Only(Vec::new()),
            gates: Gates::default(),
            read_timeout: Duration::from_secs(30),
            max_sessions: 10_000,
            max_sessions_before_login: 1_000,
            max_sessions_before_login_of_one_address: 250,
        }
    }
}

/// Everything that BOSH needs and has. Clones share it.
#[derive(Clone)]
pub struct BoshState {
    rooms: Arc<Rooms>,
    options: Arc<ArcSwap<BoshHttpOptions>>,
    departure: Departure,
    directory: Arc<Directory>,
}

impl BoshState {
    /// No sessions yet. `departure` tells when the server stops: then no session is created
    /// any more, and each that there is ends with `system-shutdown`.
    pub fn new(
        rooms: Arc<Rooms>,
        options: Arc<ArcSwap<BoshHttpOptions>>,
        departure: Departure,
    ) -> Self {
        Self {
            rooms,
            options,
            departure,
            directory: Arc::default(),
        }
    }

    /// How many BOSH sessions there are, those included that are about to go.
    pub fn sessions(&self) -> usize {
        self.directory.len()
    }

    /// What the soak counts.
    #[cfg(test)]
    pub(crate) fn census(&self) -> Vec<crate::census::Count> {
        self.directory.census()
    }

    /// Completes when no session is left, and everything of the last one is dealt with: to be
    /// awaited by a server that stops, after it said so.
    pub async fn drained(&self) {
        self.directory.drained().await;
    }
}

/// The endpoint. Requests are to have a [`Peer`](crate::http::peer::Peer) among their extensions;
/// one without is taken for a stranger on an open link.
pub fn routes(state: BoshState) -> Router {
    PATHS
        .iter()
        .fold(Router::new(), |router, path| {
            router.route(path, any(handler::serve))
        })
        .with_state(state)
}
