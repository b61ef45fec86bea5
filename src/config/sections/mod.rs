//! The options, each declared once.

mod access;
mod auth;
mod endpoint;
mod limits;
mod listen;
mod shutdown;
mod sm;
mod transport;

pub use access::{Admin, Log, Registration, Web};
pub use auth::{Auth, JwtAuth, SessionAuth, TicketAuth, TokenAuth};
pub use endpoint::{Endpoint, EndpointSm, Tier};
pub use limits::Limits;
pub use listen::{Listen, Tls};
pub use shutdown::Shutdown;
pub use sm::Sm;
pub use transport::{Bosh, Ws};

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::kinds::{domains, only_domain, optional, path, public_url, span, words};
use super::option::{Effect, Opt, section};
use super::public_url::PublicUrl;
use super::types::BuiltInHandler;
use super::units::{minutes, seconds};

section! {
    /// Who the server is, and where it keeps its things.
    Config in "" {
        /// The XMPP domains that the server answers for. The first one is the one that pages and
        /// clients are given when they name none.
        domains: Vec<String> = vec!["localhost".to_owned()], domains(), Restart;

        /// The URL under which browsers reach the server, also when a proxy stands in front. All that
        /// is told to clients comes from it: host-meta, the page, the origin that may connect. If it
        /// is absent it is made from `listen.plain`, or from `listen.tls` if only that is there.
        public_url: Option<PublicUrl> =
            None, optional(public_url(), "\"https://chat.example.org\""), Restart;

        /// The directory of the database and of the self-signed certificate. It is made, for the
        /// server's user alone, if it is not there.
        state_dir: PathBuf = PathBuf::from("stanzad-state"), path(), Restart;

        /// How long a server that is told to stop waits for its clients to go; see `shutdown.pace`.
        /// Then it stops waiting for them; what it still holds for anybody is stored before it stops,
        /// however long that takes.
        shutdown_grace: Duration = seconds(10), span(seconds(0)..=minutes(10)), Live;

        /// The handlers that come with the server and are to run, each at an address of its own below
        /// each domain. "echo" sends each message back to who sent it, at `echo.` and the domain.
        handlers: Vec<BuiltInHandler> = Vec::new(), words(0, "[\"echo\"]"), Restart;
    }
    sections {
        listen: Listen,
        tls: Tls,
        ws: Ws,
        bosh: Bosh,
        sm: Sm,
        limits: Limits,
        auth: Auth,
        registration: Registration,
        web: Web,
        admin: Admin,
        shutdown: Shutdown,
        log: Log,
    }
    fields {
        /// The `[[endpoint]]` tables: the WebSocket paths, at least one, no path or name twice.
        endpoints: Vec<Endpoint> = vec![Endpoint::default()];
        /// The `[tier.NAME]` tables.
        tiers: BTreeMap<String, Tier> = BTreeMap::new();
    }
}

/// `domain`: another way to write `domains`, so it has no field of its own.
pub(super) fn domain_option() -> Opt<Config> {
    let doc =
        &["The XMPP domain that the server answers for; short for a list of one in `domains`."];
    Opt::declare(
        ("domain", doc, Effect::Restart),
        only_domain(),
        |config| &config.domains,
        |config| &mut config.domains,
    )
}
