//! The order of things: round by round, scenario by scenario, server by server.
//!
//! Every measurement gets a server that was started for it alone. So none inherits the heap, the
//! caches or the sessions of the one before, and a server that fell over spoils nothing else. The
//! servers take their turns within a scenario and not one whole run after the other: what the
//! machine does meanwhile meets all of them alike. Who is first changes with round and scenario.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::accounts;
use crate::reading::Measures;
use crate::results::Results;
use crate::scenario::{SCENARIOS, Scale, Scenario};
use crate::servers::{self, Running, Server, Tools};

/// How long one measurement may take: Prosody needs a minute for its longest.
const LONGEST: Duration = Duration::from_secs(300);

/// How often a measurement is tried.
const TRIES: usize = 2;

pub struct Plan<'a> {
    pub tools: &'a Tools,
    pub work: &'a Path,
    pub only: &'a [String],
    pub servers: Vec<Server>,
    pub rounds: usize,
    pub scale: Scale,
}

impl Plan<'_> {
    pub fn run(&self) -> Result<Results> {
        let mut accounts = BTreeMap::new();
        for server in &self.servers {
            let root = self.work.join("accounts");
            accounts.insert(*server, accounts::prepare(*server, self.tools, &root)?);
        }
        let mut results = Results::default();
        for round in 0..self.rounds {
            for (index, scenario) in SCENARIOS.iter().enumerate() {
                if !self.due(scenario, round) {
                    continue;
                }
                for server in rotated(&self.servers, round + index) {
                    if scenario.servers.contains(&server) {
                        self.one(round, scenario, server, &accounts[&server], &mut results);
                    }
                }
            }
        }
        Ok(results)
    }

    fn due(&self, scenario: &Scenario, round: usize) -> bool {
        let wanted = self.only.is_empty() || self.only.iter().any(|name| name == scenario.name);
        wanted && scenario.pace.runs_in(round, self.rounds)
    }

    /// One measurement, and a second try if it fails. What fails is noted and stops nothing: half an
    /// hour's run is not to be lost.
    fn one(
        &self,
        round: usize,
        scenario: &Scenario,
        server: Server,
        accounts: &Path,
        results: &mut Results,
    ) {
        let title = format!("round {}, {}, {}", round + 1, scenario.name, server.name());
        for _ in 0..TRIES {
            let since = Instant::now();
            let outcome = self.try_one(scenario, server, accounts);
            let seconds = since.elapsed().as_secs();
            match outcome {
                Ok((said, values)) => {
                    for (measure, value) in &values {
                        results.add(scenario.name, server, measure, *value);
                    }
                    results.keep(round + 1, scenario.name, server, said);
                    let values = values
                        .iter()
                        .map(|(name, value)| format!("{name} {value:.2}"));
                    let values = values.collect::<Vec<_>>().join(", ");
                    return eprintln!("{title}: {values} ({seconds} s)");
                }
                Err(error) => {
                    results.failures.push(format!("{title}: {error:#}"));
                    eprintln!("{title}: failed: {error:#} ({seconds} s)");
                }
            }
        }
    }

    fn try_one(
        &self,
        scenario: &Scenario,
        server: Server,
        accounts: &Path,
    ) -> Result<(Value, Measures)> {
        let dir = self.work.join("run").join(server.name());
        let mut running = servers::start(server, self.tools, accounts, &dir)?;
        let url = scenario.url(&running).context("it does not speak that")?;
        let mut said = Vec::new();
        for arguments in scenario.commands(&self.scale) {
            let (answer, complaint) = self.generate(server, &running, &url, &arguments)?;
            if !running.lives() {
                bail!("the server died; its log is {}", dir.join("log").display());
            }
            // The storm counts what is lost; anywhere else a loss means that the load was not
            // served, and its cost is not comparable.
            if scenario.name != "resume" || answer.is_none() {
                complaint?;
            }
            said.push(answer.context("the generator wrote no answer")?);
        }
        let values = scenario.read(&said);
        if values.is_empty() {
            bail!("nothing to read in the generator's answer: {said:?}");
        }
        Ok((Value::Array(said), values))
    }

    /// One run of the generator: its answer, if it wrote one, and whether it is content.
    fn generate(
        &self,
        server: Server,
        running: &Running,
        url: &str,
        arguments: &[String],
    ) -> Result<(Option<Value>, Result<()>)> {
        let answer = self.work.join("answer.json");
        if answer.exists() {
            fs::remove_file(&answer)?;
        }
        let mut command = Command::new(&self.tools.load);
        command
            .args(arguments)
            .args(["--pause", server.pause()])
            .args([
                "--url",
                url,
                "--domain",
                "localhost",
                "--password",
                accounts::PASSWORD,
            ])
            .args(["--pid", &running.pid().to_string()])
            .arg("--keys")
            .arg(self.work.join(format!("keys-{}", server.name())))
            .arg("--json")
            .arg(&answer);
        let content = run(&mut command, &self.work.join("generator.log"));
        let said = fs::read_to_string(&answer).ok();
        Ok((
            said.and_then(|text| serde_json::from_str(&text).ok()),
            content,
        ))
    }
}

/// Runs the generator to its end, or kills it after `LONGEST`.
fn run(command: &mut Command, log: &PathBuf) -> Result<()> {
    let file = fs::File::create(log)?;
    let mut child = command
        .stdin(Stdio::null())
        .stdout(file.try_clone()?)
        .stderr(file)
        .spawn()?;
    let since = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if since.elapsed() > LONGEST {
            child.kill()?;
            child.wait()?;
            bail!("the generator was not done after {LONGEST:?}");
        }
        sleep(Duration::from_millis(20));
    };
    if !status.success() {
        let said = fs::read_to_string(log).unwrap_or_default();
        bail!(
            "the generator: {status}: {}",
            said.lines().last().unwrap_or("")
        );
    }
    Ok(())
}

fn rotated(servers: &[Server], by: usize) -> Vec<Server> {
    let mut servers = servers.to_vec();
    if !servers.is_empty() {
        let by = by % servers.len();
        servers.rotate_left(by);
    }
    servers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_is_first_once() {
        let first: Vec<Server> = (0..4)
            .map(|round| rotated(&Server::ALL, round)[0])
            .collect();
        assert_eq!(first, Server::ALL);
        assert_eq!(rotated(&Server::ALL, 5).len(), 4);
    }
}
