//! `stanzad serve`.

use super::{Failure, ServeArgs, log, supervisor};
use crate::config::{BOSH_PATH, Config, Sources};
use crate::server::{Handover, Server};
use std::io::Write;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Runs the server until it is told to stop. `sources` is what a reload reads again.
pub(super) fn run(config: Config, sources: Sources, args: &ServeArgs) -> Result<(), Failure> {
    let log = log::start(&config.log)?;
    let sockets = Handover::of_process().map_err(|error| Failure::Failed(error.to_string()))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::Failed(format!("the runtime does not start: {error}")))?;
    let outcome = runtime.block_on(serve(sockets, config, &sources, args, &log));
    // What still runs after the grace period is left behind.
    runtime.shutdown_background();
    outcome
}

async fn serve(
    sockets: Handover,
    config: Config,
    sources: &Sources,
    args: &ServeArgs,
    log: &log::LogHandle,
) -> Result<(), Failure> {
    let mut signals = Signals::new()?;
    let server = Server::start_on(sockets, config, args.demo)
        .await
        .map_err(|error| Failure::Failed(error.to_string()))?;
    // On standard output, so that it can be read apart from the log; a closed pipe is no reason
    // to stop.
    let _ = std::io::stdout().write_all(greeting(&server).as_bytes());
    supervisor::ready();
    supervisor::watch();
    loop {
        match signals.next().await {
            Told::Reload => {
                supervisor::reloading();
                reload(&server, sources, log);
                supervisor::ready();
            }
            Told::Stop(name) => {
                tracing::info!(signal = name, "stopping");
                supervisor::stopping(longest_stop(&server.config()));
                supervisor::stop_goes_on();
                break;
            }
        }
    }
    // Whoever signals twice does not want to wait.
    tokio::select! {
        stopped = server.stop() => {
            tracing::info!(in_time = stopped.in_time, "stopped");
            stopped.stored.map_err(|error| Failure::Failed(format!("the store: {error}")))
        }
        Told::Stop(name) = signals.next_stop() => {
            tracing::warn!(signal = name, "stopped at once");
            Ok(())
        }
    }
}

/// How long a stop takes at most where the store is not slow.
fn longest_stop(config: &Config) -> Duration {
    config.shutdown.delay + config.shutdown_grace + TIME_TO_STORE
}

/// An invalid file changes nothing.
fn reload(server: &Server, sources: &Sources, log: &log::LogHandle) {
    let new = match Config::load(sources) {
        Ok(new) => new,
        Err(errors) => {
            tracing::error!(%errors, "reload: the options stay as they were");
            return;
        }
    };
    let waiting = server.reload(&new);
    if let Err(failure) = log.reload(&server.config().log) {
        tracing::error!(%failure, "reload: the log level stays as it was");
    }
    tracing::info!("reloaded");
    if !waiting.is_empty() {
        tracing::warn!(keys = waiting.join(", "), "these wait for a restart");
    }
}

/// What sessions that wait for the next process may take to be stored.
const TIME_TO_STORE: Duration = Duration::from_secs(60);

/// What a signal asks for.
enum Told {
    Reload,
    Stop(&'static str),
}

struct Signals {
    hup: Signal,
    term: Signal,
    int: Signal,
}

impl Signals {
    fn new() -> Result<Self, Failure> {
        let listen =
            |kind| signal(kind).map_err(|error| Failure::Failed(format!("signals: {error}")));
        Ok(Self {
            hup: listen(SignalKind::hangup())?,
            term: listen(SignalKind::terminate())?,
            int: listen(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) -> Told {
        tokio::select! {
            _ = self.hup.recv() => Told::Reload,
            _ = self.term.recv() => Told::Stop("SIGTERM"),
            _ = self.int.recv() => Told::Stop("SIGINT"),
        }
    }

    async fn next_stop(&mut self) -> Told {
        loop {
            if let stop @ Told::Stop(_) = self.next().await {
                return stop;
            }
        }
    }
}

/// A few lines for the person who started it.
fn greeting(server: &Server) -> String {
    let config = server.config();
    let mut lines = vec![format!(
        "stanzad {} serves {}",
        env!("CARGO_PKG_VERSION"),
        config.domains.join(", ")
    )];
    lines.push(String::new());
    if config.web.console {
        lines.push(row("page", &format!("{}/", config.public_url())));
    }
    if config.web.client_dir.is_some() {
        lines.push(row(
            "web client",
            &format!("{}/client/", config.public_url()),
        ));
    }
    let urls: Vec<_> = std::iter::once(config.public_url())
        .chain(config.tls_url())
        .collect();
    if config.ws.enabled {
        for (endpoint, url) in config
            .endpoints
            .iter()
            .flat_map(|endpoint| urls.iter().map(move |url| (endpoint, url)))
        {
            lines.push(row("websocket", &url.ws(&endpoint.path)));
        }
    }
    if config.bosh.enabled {
        lines.extend(urls.iter().map(|url| row("bosh", &url.http(BOSH_PATH))));
    }
    if let Some(admin) = config.listen.admin {
        if config.admin.dashboard {
            lines.push(row("admin", &format!("http://{admin}/")));
        }
        lines.push(row("health", &format!("http://{admin}/healthz")));
    }
    let state_dir = std::fs::canonicalize(&config.state_dir);
    let state_dir = state_dir.unwrap_or_else(|_| config.state_dir.clone());
    lines.push(row("data", &state_dir.display().to_string()));
    if !server.demo().is_empty() {
        lines.push(String::new());
        for account in server.demo() {
            lines.push(row(
                "account",
                &format!("{}   password {}", account.jid, account.password),
            ));
        }
        lines.push(row(
            "",
            "new passwords at each start; they work on this machine only",
        ));
    }
    lines.push(String::new());
    lines.push("Stop it with Ctrl-C.".to_owned());
    lines.iter().map(|line| format!("{line}\n")).collect()
}

fn row(name: &str, value: &str) -> String {
    format!("  {name:<12}{value}")
}
