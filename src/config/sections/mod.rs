//! The options, each declared once.

mod access;
mod limits;
mod listen;
mod sm;
mod transport;

pub use access::{Auth, Log, Registration, Web};
pub use limits::Limits;
pub use listen::{Listen, Tls};
pub use sm::Sm;
pub use transport::{Bosh, Endpoint, Ws};

use std::path::PathBuf;
use std::time::Duration;

use super::kinds::{domains, optional, path, public_url, span};
use super::option::section;
use super::public_url::PublicUrl;
use super::units::{minutes, seconds};

section! {
    /// Who the server is, and where it keeps its things.
    Config in "" {
        /// The XMPP domains that the server answers for. The first one is the one that pages and
        /// clients are given when they name none. `domain = "example.org"` is short for a list of one.
        domains: Vec<String> = vec!["localhost".to_owned()], domains(), Restart;

        /// The URL under which browsers reach the server, also when a proxy stands in front. All that
        /// is told to clients comes from it: host-meta, the page, the origin that may connect. If it
        /// is absent it is made from `listen.plain`, or from `listen.tls` if only that is there.
        public_url: Option<PublicUrl> =
            None, optional(public_url(), "\"https://chat.example.org\""), Restart;

        /// The directory of the database and of the self-signed certificate. It is made, for the
        /// server's user alone, if it is not there.
        state_dir: PathBuf = PathBuf::from("stanzad-state"), path(), Restart;

        /// How long a server that is told to stop waits for its clients to go, after it has sent them
        /// `<system-shutdown/>`. Then it stops in any case.
        shutdown_grace: Duration = seconds(10), span(seconds(0)..=minutes(10)), Live;
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
        log: Log,
    }
    fields {
        /// The `[[endpoint]]` tables: the WebSocket paths, at least one, no path or name twice.
        endpoints: Vec<Endpoint> = vec![Endpoint::default()];
    }
}
