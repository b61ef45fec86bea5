//! The result: a table for people, one JSON object for programs.

use std::path::Path;

use anyhow::Result;
use serde_json::{Map, Value, json};

use crate::ledger::Faults;
use crate::meter::{Memory, Spent};

#[derive(Default)]
pub struct Report {
    pub scenario: &'static str,
    pub parameters: Map<String, Value>,
    /// What is counted, such as "stanza" or "login".
    pub unit: &'static str,
    pub units: u64,
    pub spent: Spent,
    pub latency: Latency,
    /// What the latency is of.
    pub latency_of: &'static str,
    pub memory: Vec<Step>,
    pub faults: Faults,
    pub complaint: Option<String>,
    /// Whether processes of the server were named, so that its cost is known.
    pub metered: bool,
    /// Further figures of a scenario.
    pub more: Map<String, Value>,
}

pub struct Step {
    pub label: String,
    pub sessions: usize,
    pub memory: Memory,
    /// Against the step that this one is compared with.
    pub per_session: Option<Memory>,
}

/// Times in microseconds.
#[derive(Default)]
pub struct Latency(pub Vec<u32>);

impl Latency {
    pub fn book(&mut self, micros: u64) {
        self.0.push(u32::try_from(micros).unwrap_or(u32::MAX));
    }

    pub fn percentile(&mut self, percent: f64) -> Option<u32> {
        self.0.sort_unstable();
        let last = self.0.len().checked_sub(1)?;
        self.0
            .get((last as f64 * percent / 100.0).round() as usize)
            .copied()
    }
}

impl Report {
    /// With what it was run.
    pub fn parameter(&mut self, name: &str, value: impl Into<Value>) {
        self.parameters.insert(name.to_owned(), value.into());
    }

    fn per_unit(&self, time: std::time::Duration) -> f64 {
        let micros = time.as_secs_f64() * 1e6 / self.units.max(1) as f64;
        rounded(micros)
    }

    /// The figures by name, in the order of the table.
    fn figures(&mut self) -> Vec<(&'static str, Value)> {
        let mut out = vec![("scenario", json!(self.scenario))];
        if self.units > 0 {
            let spent = &self.spent;
            out.extend([
                ("unit", json!(self.unit)),
                ("units", json!(self.units)),
                ("window_s", json!(rounded(spent.seconds))),
                (
                    "units_per_s",
                    json!((self.units as f64 / spent.seconds).round()),
                ),
                ("generator_cpu_us_per_unit", json!(self.per_unit(spent.own))),
                ("generator_cores", json!(cores(spent.own, spent.seconds))),
            ]);
        }
        if self.units > 0 && self.metered {
            let spent = &self.spent;
            out.extend([
                ("server_cpu_us_per_unit", json!(self.per_unit(spent.server))),
                ("server_user_us_per_unit", json!(self.per_unit(spent.user))),
                (
                    "server_system_us_per_unit",
                    json!(self.per_unit(spent.system)),
                ),
                ("server_cores", json!(cores(spent.server, spent.seconds))),
            ]);
        }
        if !self.latency.0.is_empty() {
            out.push(("latency_of", json!(self.latency_of)));
            for (name, percent) in [
                ("p50_us", 50.0),
                ("p99_us", 99.0),
                ("p999_us", 99.9),
                ("max_us", 100.0),
            ] {
                out.push((name, json!(self.latency.percentile(percent))));
            }
        }
        let faults = self.faults;
        out.extend([
            ("lost", json!(faults.lost)),
            ("doubled", json!(faults.doubled)),
            ("reordered", json!(faults.reordered)),
            ("dropped", json!(faults.dropped)),
        ]);
        out
    }

    pub fn print(&mut self) {
        for (name, value) in self.figures() {
            println!("{name:<28} {}", plain(&value));
        }
        for (name, value) in &self.more {
            println!("{name:<28} {}", plain(value));
        }
        if !self.memory.is_empty() {
            println!(
                "\n{:<22} {:>9} {:>12} {:>12} {:>12}   per session: {:>8} {:>8} {:>8}",
                "memory", "sessions", "rss", "pss", "anonymous", "rss", "pss", "anon"
            );
        }
        for step in &self.memory {
            let Memory {
                rss,
                pss,
                anonymous,
            } = step.memory;
            print!(
                "{:<22} {:>9} {rss:>12} {pss:>12} {anonymous:>12}",
                step.label, step.sessions
            );
            match step.per_session {
                Some(it) => println!("{:>25} {:>8} {:>8}", it.rss, it.pss, it.anonymous),
                None => println!(),
            }
        }
        if let Some(complaint) = &self.complaint {
            println!("\nfirst error: {complaint}");
        }
    }

    pub fn json(&mut self) -> Value {
        let mut out: Map<String, Value> = self
            .figures()
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect();
        out.insert("parameters".into(), Value::Object(self.parameters.clone()));
        out.extend(self.more.clone());
        let memory = self.memory.iter().map(|step| {
            json!({
                "label": step.label,
                "sessions": step.sessions,
                "bytes": bytes(&step.memory),
                "bytes_per_session": step.per_session.as_ref().map(bytes),
            })
        });
        if !self.memory.is_empty() {
            out.insert("memory".into(), memory.collect());
        }
        out.insert("error".into(), json!(self.complaint));
        Value::Object(out)
    }

    pub fn write(&mut self, path: &Path) -> Result<()> {
        let text = format!("{:#}\n", self.json());
        if path == Path::new("-") {
            print!("{text}");
            return Ok(());
        }
        Ok(std::fs::write(path, text)?)
    }
}

fn bytes(memory: &Memory) -> Value {
    json!({"rss": memory.rss, "pss": memory.pss, "anonymous": memory.anonymous})
}

fn cores(time: std::time::Duration, seconds: f64) -> f64 {
    rounded(time.as_secs_f64() / seconds)
}

/// To three digits behind the point.
pub fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_the_sorted_times() {
        let mut latency = Latency((1..=101).rev().collect());
        assert_eq!(latency.percentile(50.0), Some(51));
        assert_eq!(latency.percentile(99.0), Some(100));
        assert_eq!(Latency::default().percentile(50.0), None);
    }

    #[test]
    fn the_json_has_cost_and_faults() {
        let mut report = Report {
            scenario: "flood",
            units: 4,
            metered: true,
            spent: Spent {
                seconds: 1.0,
                server: std::time::Duration::from_micros(10),
                ..Spent::default()
            },
            faults: Faults {
                lost: 1,
                ..Faults::default()
            },
            ..Report::default()
        };
        let json = report.json();
        assert_eq!(json["server_cpu_us_per_unit"], 2.5);
        assert_eq!(json["lost"], 1);
    }
}
