//! The server as a process of its own, where signals and memory are to be seen.

use super::server;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// How long a stop may take that has much to store.
const STOP_PATIENCE: std::time::Duration = std::time::Duration::from_secs(120);

/// A running process; killed with the test.
pub struct Process {
    child: Option<Child>,
    pub address: SocketAddr,
    pub state: TempDir,
}

impl Process {
    pub async fn start(options: &[&str]) -> Self {
        let state = tempfile::tempdir().expect("a directory");
        server::make_accounts(state.path()).await;
        Self::over(state, options)
    }

    /// Over what an earlier one left.
    pub fn over(state: TempDir, options: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stanzad"));
        command.arg("serve");
        for setting in server::settings(state.path(), options) {
            command.args(["--set", &setting]);
        }
        let mut child = command
            .env("STANZAD_LOG", "error")
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
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

    /// A clean stop, which takes the time that it takes.
    pub async fn terminate(&mut self) {
        let pid = self.child().id().to_string();
        let told = Command::new("kill").args(["-TERM", &pid]).status();
        assert!(told.is_ok_and(|status| status.success()), "no such process");
        let start = std::time::Instant::now();
        while self.is_alive() {
            assert!(start.elapsed() < STOP_PATIENCE, "it does not stop");
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        self.child = None;
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
