//! The server as a process of its own, where signals and memory are to be seen.

use super::server;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// A running process; killed with the test.
pub struct Process {
    child: Option<Child>,
    pub address: SocketAddr,
    pub state: TempDir,
}

impl Process {
    pub async fn start(options: &[&str]) -> Self {
        Self::logging(options, "error", Stdio::inherit()).await
    }

    /// The same with another log, and where that goes.
    pub async fn logging(options: &[&str], level: &str, log: Stdio) -> Self {
        let state = tempfile::tempdir().expect("a directory");
        server::make_accounts(state.path()).await;
        Self::run(state, options, level, log)
    }

    /// Over what an earlier one left.
    pub fn over(state: TempDir, options: &[&str]) -> Self {
        Self::run(state, options, "error", Stdio::inherit())
    }

    fn run(state: TempDir, options: &[&str], level: &str, log: Stdio) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stanzad"));
        command.arg("serve");
        for setting in server::settings(state.path(), options) {
            command.args(["--set", &setting]);
        }
        let mut child = command
            .env("STANZAD_LOG", level)
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .expect("a process");
        let greeting = BufReader::new(child.stdout.take().expect("its output"));
        let url = greeting
            .lines()
            .map(|line| line.expect("a line"))
            .find_map(|line| Some(line.trim().strip_prefix("websocket")?.trim().to_owned()))
            .expect("a line that says where");
        let authority = url.trim_start_matches("ws://").split('/').next();
        let address = authority
            .expect("an address")
            .replace("localhost", "127.0.0.1");
        Self {
            child: Some(child),
            address: address.parse().unwrap_or_else(|_| panic!("{url}")),
            state,
        }
    }

    /// Resident memory in bytes.
    pub fn resident_bytes(&self) -> u64 {
        let path = format!("/proc/{}/status", self.child().id());
        let status = std::fs::read_to_string(path).expect("a living process");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.expect("VmRSS").trim().trim_end_matches(" kB");
        kib.parse::<u64>().expect("a number") * 1024
    }

    pub fn is_alive(&mut self) -> bool {
        self.child
            .as_mut()
            .expect("a process")
            .try_wait()
            .expect("a process")
            .is_none()
    }
}

impl Process {
    /// `kill -9`, and a new process over what it left.
    pub fn crash(mut self, options: &[&str]) -> Self {
        self.kill();
        let nothing = tempfile::tempdir().expect("a directory");
        let state = std::mem::replace(&mut self.state, nothing);
        Self::over(state, options)
    }

    fn child(&self) -> &Child {
        self.child.as_ref().expect("a process")
    }

    fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}
