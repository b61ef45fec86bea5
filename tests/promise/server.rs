//! The real binary on a port and a directory that stay the same when it is started again.

use crate::kit::PASSWORD;
use stanzad::auth::{Credentials, ITERATIONS_MIN};
use stanzad::store::{Sqlite, Store};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

pub const HOST: &str = "example.org";

/// A stop takes no longer: `shutdown_grace` and something for a busy machine.
const STOP_LIMIT: Duration = Duration::from_secs(30);

pub struct Server {
    child: Child,
    options: Vec<String>,
    pub address: SocketAddr,
    state: TempDir,
}

/// The name of account number `n`.
pub fn account(n: usize) -> String {
    format!("p{n}@{HOST}")
}

impl Server {
    /// A server with so many accounts, told `options` as `--set` takes them.
    pub async fn start(accounts: usize, options: &[String]) -> Self {
        let state = tempfile::tempdir().expect("a directory");
        make_accounts(&state, accounts).await;
        let mut options = options.to_vec();
        options.push(format!("domain={HOST}"));
        options.push(format!("state_dir={}", state.path().display()));
        let any_port = "127.0.0.1:0".parse().expect("an address");
        let (child, address) = spawn(&options, any_port);
        Self {
            child,
            options,
            address,
            state,
        }
    }

    /// Starts again what has ended. Blocks until it listens.
    pub fn start_again(&mut self) {
        (self.child, self.address) = spawn(&self.options, self.address);
    }

    /// SIGTERM, and awaits the end. Blocks.
    pub fn stop(&mut self) -> Result<ExitStatus, String> {
        let pid = self.child.id();
        let command = format!("kill -TERM {pid}");
        let sent = Command::new("sh").args(["-c", &command]).status();
        if !sent.is_ok_and(|status| status.success()) {
            return Err(format!("{pid} cannot be signalled"));
        }
        let start = Instant::now();
        while start.elapsed() < STOP_LIMIT {
            if let Ok(Some(status)) = self.child.try_wait() {
                return Ok(status);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        self.kill();
        Err(format!("the server does not stop within {STOP_LIMIT:?}"))
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// The end of the process, if it has ended although nobody asked for it.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Keeps the directory for a person to look into, and says where it is.
    pub fn keep_state(&mut self) -> String {
        self.state.disable_cleanup(true);
        self.state.path().display().to_string()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

fn spawn(options: &[String], address: SocketAddr) -> (Child, SocketAddr) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stanzad"));
    command.arg("serve");
    command.args(["--set", &format!("listen.plain={address}")]);
    for option in options {
        command.args(["--set", option]);
    }
    let log = std::env::var("STANZAD_LOG").unwrap_or_else(|_| "error".to_owned());
    let mut child = command
        .env("STANZAD_LOG", log)
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .expect("a process");
    let greeting = BufReader::new(child.stdout.take().expect("its output"));
    let url = greeting
        .lines()
        .map_while(Result::ok)
        .find_map(|line| Some(line.trim().strip_prefix("websocket")?.trim().to_owned()))
        .expect("a line that says where");
    let authority = url.trim_start_matches("ws://").split('/').next();
    let authority = authority.expect("an address");
    let address = authority.replace("localhost", "127.0.0.1");
    (
        child,
        address.parse().unwrap_or_else(|_| panic!("{authority}")),
    )
}

async fn make_accounts(state: &TempDir, count: usize) {
    let credentials = Credentials::derive(PASSWORD, ITERATIONS_MIN).expect("a sound password");
    let accounts = (0..count).map(|n| {
        let jid = account(n).parse().expect("an address");
        (jid, credentials.clone())
    });
    let store = Sqlite::open(&state.path().join("stanzad.sqlite")).expect("a store");
    store
        .import_accounts(accounts.collect())
        .await
        .expect("accounts");
    store.close().await.expect("a closed store");
}
