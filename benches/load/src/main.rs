//! A load generator for servers of XMPP over WebSocket (RFC 7395) and BOSH (XEP-0124).
//!
//! One thread, so that the server has the rest of the machine; no XML is parsed while it counts.

#![forbid(unsafe_code)]

mod args;
mod bosh;
mod crowd;
mod ledger;
mod link;
mod login;
mod meter;
mod pace;
mod report;
mod scan;
mod scenario;
mod scram;
mod session;
mod tls;
mod traffic;
mod ws;

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Parser;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use serde_json::json;

use crate::args::{Cli, Scenario};
use crate::login::Env;
use crate::report::Report;

fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(&cli) {
        Ok(report) if report.faults.any() => ExitCode::FAILURE,
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("load: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: &Cli) -> Result<Report> {
    raise_open_files();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let local = tokio::task::LocalSet::new();
    let env = Env::new(cli.scenario.common().clone())?;
    let done = local.block_on(&runtime, async {
        match &cli.scenario {
            Scenario::Login(args) => scenario::login::run(env.clone(), args).await,
            Scenario::Idle(args) => scenario::idle::run(env.clone(), args).await,
            Scenario::Flood(args) => scenario::flood::run(env.clone(), args).await,
            Scenario::Pingpong(args) => scenario::pingpong::run(env.clone(), args).await,
            Scenario::Bosh(args) => scenario::bosh::run(env.clone(), args).await,
            Scenario::Resume(args) => scenario::resume::run(env.clone(), args).await,
            Scenario::Fanout(args) => scenario::fanout::run(env.clone(), args).await,
            Scenario::Acks(args) => scenario::acks::run(env.clone(), args).await,
            Scenario::Register(args) => scenario::register::run(env.clone(), args).await,
        }
    });
    if let Some(path) = &env.args.keys {
        env.keys.write(path)?;
    }
    let complaint = env.complaint.borrow().clone();
    let mut report = match (done, &complaint) {
        (Ok(report), _) => report,
        (Err(error), Some(complaint)) if !format!("{error:#}").contains(complaint) => {
            return Err(error).context(complaint.clone());
        }
        (Err(error), _) => return Err(error),
    };
    report.complaint = complaint;
    for (name, value) in [
        ("url", json!(env.args.url)),
        ("stream_management", json!(!env.args.no_sm)),
        ("ack_every", json!(env.args.ack_every)),
        ("idle", json!(env.args.idle)),
        ("parallel", json!(env.args.parallel)),
    ] {
        report.parameters.insert(name.to_owned(), value);
    }
    report.metered = !env.args.pid.is_empty();
    let json = env.args.json.as_deref();
    if json != Some(Path::new("-")) {
        report.print();
    }
    if let Some(path) = json {
        report.write(path)?;
    }
    Ok(report)
}

/// As far as it is allowed; who needs more hears it from the connection that fails.
fn raise_open_files() {
    const ENOUGH: u64 = 200_000;
    if setrlimit(Resource::RLIMIT_NOFILE, ENOUGH, ENOUGH).is_err()
        && let Ok((_, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
    {
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    }
}
