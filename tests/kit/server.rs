//! A server inside the test, on ports of its own, with accounts.

use stanzad::auth::{Credentials, ITERATIONS_MIN};
use stanzad::config::{Config, Sources};
use stanzad::server::{Handover, Server, ServerBuilder};
use stanzad::store::{Sqlite, Store};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::LazyLock;
use tempfile::TempDir;

/// The domain that is served.
pub const HOST: &str = "example.org";
/// The accounts that are there, and nobody else.
pub const NAMES: [&str; 5] = ["romeo", "juliet", "mercutio", "tybalt", "nurse"];
/// The password of each of them.
pub const PASSWORD: &str = "r0m30-myr0m30";

/// Derivation is meant to be slow, so it is done once.
static CREDENTIALS: LazyLock<Credentials> =
    LazyLock::new(|| Credentials::derive(PASSWORD, ITERATIONS_MIN).expect("a sound password"));

/// A running server. It goes with the test.
pub struct TestServer {
    pub server: Server,
    pub state: TempDir,
}

impl TestServer {
    /// A server with options for tests.
    pub async fn start() -> Self {
        Self::with(&[]).await
    }

    /// The same with more options, as `--set` takes them.
    pub async fn with(options: &[&str]) -> Self {
        let state = tempfile::tempdir().expect("a directory");
        Self::at(state, options).await
    }

    /// The same over a directory that an earlier server has used.
    pub async fn at(state: TempDir, options: &[&str]) -> Self {
        make_accounts(state.path()).await;
        let config = config(state.path(), options);
        let server = Server::start(config, false).await.expect("a server");
        Self { server, state }
    }

    /// A server that an application puts something into.
    pub async fn built(
        options: &[&str],
        build: impl FnOnce(ServerBuilder) -> ServerBuilder,
    ) -> Self {
        let state = tempfile::tempdir().expect("a directory");
        make_accounts(state.path()).await;
        let config = config(state.path(), options);
        let builder = build(Server::builder(config));
        let server = builder.start_on(Handover::default()).await;
        let server = server.expect("a server");
        Self { server, state }
    }

    /// Where it listens without TLS.
    pub fn plain(&self) -> SocketAddr {
        self.server.config().listen.plain.expect("a port")
    }

    /// Where it listens with TLS, if it was told to.
    pub fn tls(&self) -> SocketAddr {
        self.server.config().listen.tls.expect("a port")
    }

    /// Where its certificate is, as it made it.
    pub fn state_dir(&self) -> &Path {
        self.state.path()
    }

    /// Awaits that so many sessions wait to be resumed.
    pub async fn hibernating(&self, count: usize) {
        let sessions = self.server.sessions();
        super::until("hibernation", || sessions.hibernating() == count).await;
    }

    /// Awaits that so many sessions are there, hibernating ones among them.
    pub async fn sessions(&self, count: usize) {
        let sessions = self.server.sessions();
        super::until("the number of sessions", || sessions.len() == count).await;
    }
}

/// The options of a test server.
pub fn config(state: &Path, options: &[&str]) -> Config {
    let sources = Sources {
        set: settings(state, options),
        ..Sources::default()
    };
    Config::load(&sources).expect("options in order")
}

/// What every test server is told, and then `options`.
pub fn settings(state: &Path, options: &[&str]) -> Vec<String> {
    let state_dir = format!("state_dir={}", state.display());
    let ours = [
        "domain=example.org",
        "listen.plain=127.0.0.1:0",
        "auth.scram_iterations=4096",
        // Nobody asks and nobody is told but in tests of that: what comes is then exact.
        "sm.ack_request_frequency=0",
        "sm.ack_request_delay=1m",
        "bosh.polling=0s",
        &state_dir,
    ];
    let all = ours.iter().chain(options);
    all.map(|option| (*option).to_owned()).collect()
}

/// Makes the accounts in the store of a server that is not running.
pub async fn make_accounts(state: &Path) {
    let store = Sqlite::open(&state.join("stanzad.sqlite")).expect("a store");
    let accounts = NAMES.iter().map(|name| {
        let jid = format!("{name}@{HOST}").parse().expect("an address");
        (jid, CREDENTIALS.clone())
    });
    store
        .import_accounts(accounts.collect())
        .await
        .expect("accounts");
    store.close().await.expect("a closed store");
}
