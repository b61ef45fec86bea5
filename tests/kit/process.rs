//! The server as a process of its own, where signals and memory are to be seen.

use super::server;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

const STANZAD: &str = env!("CARGO_BIN_EXE_stanzad");

/// What systemd does: the socket as descriptor 3, and the variables that tell of it. A shell does
/// it, as a descriptor other than the standard ones cannot be placed by safe code.
const HAND_OVER: &str = "export LISTEN_PID=$$ LISTEN_FDS=1; exec \"$@\" 3<&0 </dev/null";

/// The arguments of `stanzad serve`.
pub fn serve(command: &mut Command, state: &TempDir, options: &[&str]) {
    command.env("STANZAD_LOG", "error").arg("serve");
    for setting in server::settings(state.path(), options) {
        command.args(["--set", &setting]);
    }
}

/// A server that is passed a socket by this name.
pub fn handing_over(
    socket: &TcpListener,
    name: &str,
    state: &TempDir,
    options: &[&str],
) -> Command {
    let socket = socket.try_clone().expect("a descriptor");
    let mut command = Command::new("sh");
    command.args(["-c", HAND_OVER, "sh", STANZAD]);
    serve(&mut command, state, options);
    command
        .env("LISTEN_FDNAMES", name)
        .stdin(Stdio::from(OwnedFd::from(socket)));
    command
}
/// How long a stop may take that has much to store.
const STOP_PATIENCE: std::time::Duration = std::time::Duration::from_secs(120);

/// Runs the command to its end, which has to come. Returns what it ended with, and what it wrote to
/// standard output and standard error.
pub async fn run_to_end(arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(STANZAD);
    command.args(arguments).env("STANZAD_LOG", "error");
    let output = tokio::task::spawn_blocking(move || command.output());
    let output = super::within("the end of the command", output).await;
    let output = output.expect("no panic").expect("a process");
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&text).into())
}

/// Sends a signal to a process.
pub fn signal(id: u32, name: &str) {
    let sent = Command::new("kill")
        .args(["-s", name, &id.to_string()])
        .status();
    assert!(sent.expect("kill").success(), "SIG{name} to {id}");
}

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

    /// The same on a socket that is passed to it.
    pub fn on(socket: &TcpListener, state: TempDir, options: &[&str]) -> Self {
        let command = handing_over(socket, "plain", &state, options);
        Self::spawn(command, state)
    }

    /// Any command that serves in the end.
    pub fn spawn(command: Command, state: TempDir) -> Self {
        Self::begin(command, state, Stdio::inherit())
    }

    /// The same with a log that goes to a file.
    pub fn spawn_logging(command: Command, state: TempDir, log: std::fs::File) -> Self {
        Self::begin(command, state, log.into())
    }

    fn run(state: TempDir, options: &[&str], level: &str, log: Stdio) -> Self {
        let mut command = Command::new(STANZAD);
        serve(&mut command, &state, options);
        command.env("STANZAD_LOG", level);
        Self::begin(command, state, log)
    }

    fn begin(mut command: Command, state: TempDir, log: Stdio) -> Self {
        let mut child = command
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
        // Of ws:// or, where there is no other port, of wss://
        let authority = url.split('/').nth(2);
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

    pub fn signal(&self, name: &str) {
        signal(self.child().id(), name);
    }

    /// SIGTERM, and its end in good order. Returns what it left.
    pub async fn stop(mut self) -> TempDir {
        self.signal("TERM");
        let mut child = self.child.take().expect("a process");
        let mut ended = None;
        super::until("the end of the process", || {
            ended = child.try_wait().expect("a process");
            ended.is_some()
        })
        .await;
        assert!(ended.expect("a status").success(), "{ended:?}");
        std::mem::replace(&mut self.state, tempfile::tempdir().expect("a directory"))
    }

    /// A clean stop, which takes the time that it takes.
    pub async fn terminate(&mut self) {
        self.signal("TERM");
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
