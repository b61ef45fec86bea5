//! The four servers: how each is started on a port of its own, in a directory of its own.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::accounts;

/// How long a server may take until its port answers; ejabberd needs about two seconds.
const START: Duration = Duration::from_secs(60);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, clap::ValueEnum)]
pub enum Server {
    Stanzad,
    Yardstick,
    Ejabberd,
    Prosody,
}

impl Server {
    pub const ALL: [Server; 4] = [
        Server::Stanzad,
        Server::Yardstick,
        Server::Ejabberd,
        Server::Prosody,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Server::Stanzad => "stanzad",
            Server::Yardstick => "yardstick",
            Server::Ejabberd => "ejabberd",
            Server::Prosody => "Prosody",
        }
    }

    pub fn by_name(name: &str) -> Option<Server> {
        Server::ALL.into_iter().find(|server| server.name() == name)
    }

    /// How long a client waits after the upgrade. ejabberd 23.01 loses one frame of some thousands
    /// that come right behind its 101; the login then hangs, and all who wait for it.
    pub fn pause(self) -> &'static str {
        match self {
            Server::Ejabberd => "20ms",
            _ => "0",
        }
    }

    /// What the server says its version is, or what Debian says.
    pub fn version(self, tools: &Tools) -> String {
        let package = |name: &str| {
            output(Command::new("dpkg-query").args(["-W", "-f=${Version}", name]))
                .map(|version| format!("Debian package {version}"))
        };
        let version = match self {
            Server::Stanzad => output(Command::new(&tools.stanzad).arg("--version")),
            Server::Yardstick => Ok("`benches/limit` of this repository".into()),
            Server::Ejabberd => package("ejabberd"),
            Server::Prosody => package("prosody"),
        };
        version.unwrap_or_else(|_| "unknown".into())
    }
}

/// The programs that are started.
pub struct Tools {
    pub stanzad: PathBuf,
    pub limit: PathBuf,
    pub load: PathBuf,
    /// The templates of the settings.
    pub settings: PathBuf,
}

/// A server that runs. It is killed when this goes: what it would write on the way out, nobody
/// reads.
pub struct Running {
    child: Child,
    pub port: u16,
    pub websocket: String,
    pub websocket_tls: Option<String>,
    pub bosh: Option<String>,
}

impl Running {
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether it still runs: what died under the load was not measured.
    pub fn lives(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only where the process is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts a server afresh: `dir` is emptied, and `accounts` is what `accounts::prepare` made.
pub fn start(server: Server, tools: &Tools, accounts: &Path, dir: &Path) -> Result<Running> {
    let (port, tls_port) = free_ports()?;
    if dir.exists() {
        fs::remove_dir_all(dir)?;
    }
    accounts::copy(accounts, dir)?;
    let mut command = command(server, tools, dir, port, tls_port)?;
    let log = fs::File::create(dir.join("log"))?;
    command
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log);
    let child = command
        .spawn()
        .with_context(|| format!("{} does not start", server.name()))?;
    let path = match server {
        Server::Ejabberd | Server::Prosody => "ws",
        _ => "ws/",
    };
    let tls_port = (server == Server::Stanzad).then_some(tls_port);
    let mut running = Running {
        child,
        port,
        websocket: format!("ws://127.0.0.1:{port}/{path}"),
        websocket_tls: tls_port.map(|port| format!("wss://127.0.0.1:{port}/{path}")),
        bosh: match server {
            Server::Stanzad => Some(format!("http://127.0.0.1:{port}/http-bind/")),
            Server::Yardstick => None,
            Server::Ejabberd | Server::Prosody => Some(format!("http://127.0.0.1:{port}/bosh")),
        },
    };
    await_port(server, &mut running, dir)?;
    Ok(running)
}

fn command(server: Server, tools: &Tools, dir: &Path, port: u16, tls_port: u16) -> Result<Command> {
    let settings = |name: &str| -> Result<PathBuf> {
        let text = fs::read_to_string(tools.settings.join(name))?;
        let to = dir.join(name);
        fs::write(&to, fill(&text, dir, port, tls_port))?;
        Ok(to)
    };
    Ok(match server {
        Server::Stanzad => {
            let mut command = Command::new(&tools.stanzad);
            command
                .arg("--config")
                .arg(settings("stanzad.toml")?)
                .arg("serve");
            command
        }
        Server::Yardstick => {
            let mut command = Command::new(&tools.limit);
            command.arg("--listen").arg(format!("127.0.0.1:{port}"));
            command
        }
        Server::Prosody => {
            let mut command = Command::new("prosody");
            command
                .arg("--config")
                .arg(settings("prosody.cfg.lua")?)
                .arg("-F");
            command
        }
        Server::Ejabberd => erlang(dir, &settings("ejabberd.yml")?),
    })
}

/// The emulator itself and not `ejabberdctl`: so its process is ours, its directory is ours, and
/// as it is given no name it asks for no `epmd`.
pub fn erlang(dir: &Path, settings: &Path) -> Command {
    let mut command = Command::new("erl");
    command
        .current_dir(dir)
        .env("HOME", dir)
        .env("EJABBERD_CONFIG_PATH", settings)
        .env("EJABBERD_LOG_PATH", dir.join("ejabberd.log"))
        .env("ERL_LIBS", "/usr/lib/x86_64-linux-gnu")
        .env("ERL_CRASH_DUMP_BYTES", "0")
        // As in Debian's `ejabberdctl`, with more ports: one for each connection.
        .args(["-noinput", "+K", "true", "+P", "250000", "+Q", "131072"])
        .args([
            "-mnesia",
            "dir",
            &format!("{:?}", dir.join("spool").display().to_string()),
        ])
        .args(["-s", "ejabberd"]);
    command
}

/// Puts ports and directory in the place of the words between @ signs.
pub fn fill(text: &str, dir: &Path, port: u16, tls_port: u16) -> String {
    text.replace("@DIR@", &dir.display().to_string())
        .replace("@PORT@", &port.to_string())
        .replace("@TLS_PORT@", &tls_port.to_string())
}

fn await_port(server: Server, running: &mut Running, dir: &Path) -> Result<()> {
    let since = Instant::now();
    while TcpStream::connect(("127.0.0.1", running.port)).is_err() {
        let log = || fs::read_to_string(dir.join("log")).unwrap_or_default();
        ensure!(
            running.lives(),
            "{} ended at its start:\n{}",
            server.name(),
            log()
        );
        if since.elapsed() > START {
            bail!(
                "{} does not answer after {START:?}:\n{}",
                server.name(),
                log()
            );
        }
        sleep(Duration::from_millis(50));
    }
    // Caches are filled and timers armed after the port opened.
    sleep(Duration::from_millis(500));
    Ok(())
}

/// Two ports that nobody listens on. Both are held until both are known, so that they differ.
fn free_ports() -> Result<(u16, u16)> {
    let one = TcpListener::bind("127.0.0.1:0")?;
    let two = TcpListener::bind("127.0.0.1:0")?;
    Ok((one.local_addr()?.port(), two.local_addr()?.port()))
}

pub fn output(command: &mut Command) -> Result<String> {
    let output = command.output()?;
    ensure!(output.status.success(), "{command:?}: {}", output.status);
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_string())
}
