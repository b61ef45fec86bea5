//! What is run: the options that the generator gets, and what is read from its answer.

use serde_json::Value;

use crate::servers::{Running, Server};

/// A peer has to log in thousands first, at milliseconds each, so these run in fewer rounds.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// In every round.
    Quick,
    /// In every second round, beginning with the first.
    Slow,
}

pub struct Scenario {
    pub name: &'static str,
    pub servers: &'static [Server],
    pub pace: Pace,
    /// The generator's scenario and its options.
    arguments: fn(&Scale) -> Vec<String>,
    link: Link,
    read: fn(&Value) -> Vec<(&'static str, f64)>,
}

#[derive(Clone, Copy)]
enum Link {
    WebSocket,
    Tls,
    Bosh,
}

/// How long and how many: the real measure, or a glance.
pub struct Scale {
    pub seconds: u32,
    pub warmup: u32,
    pub logins: u32,
    /// Both steps of the slope of memory.
    pub idle: (u32, u32),
    pub hibernating: (u32, u32),
    pub resume: u32,
    pub fanout: u32,
    pub beside: u32,
    pub settle: u32,
}

impl Scale {
    pub const FULL: Scale = Scale {
        seconds: 5,
        warmup: 2,
        logins: 1500,
        idle: (5000, 10_000),
        hibernating: (25_000, 50_000),
        resume: 5000,
        fanout: 1000,
        beside: 15_000,
        settle: 3,
    };
    pub const QUICK: Scale = Scale {
        seconds: 2,
        warmup: 1,
        logins: 300,
        idle: (500, 1000),
        hibernating: (1000, 2000),
        resume: 500,
        fanout: 200,
        beside: 2000,
        settle: 2,
    };
}

use Server::{Ejabberd, Prosody, Stanzad, Yardstick};
const ALL: &[Server] = &[Stanzad, Yardstick, Ejabberd, Prosody];
/// Those that keep sessions; the yardstick has nothing to resume, and no BOSH.
const XMPP: &[Server] = &[Stanzad, Ejabberd, Prosody];
const OURS: &[Server] = &[Stanzad];

pub const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "flood",
        servers: ALL,
        pace: Pace::Quick,
        arguments: |scale| flood(scale, &[]),
        link: Link::WebSocket,
        read: |said| traffic(said, &[("rate", "units_per_s")]),
    },
    Scenario {
        name: "flood-sm-off",
        servers: OURS,
        pace: Pace::Quick,
        arguments: |scale| flood(scale, &["--no-sm"]),
        link: Link::WebSocket,
        read: |said| traffic(said, &[]),
    },
    Scenario {
        name: "flood-idle",
        servers: OURS,
        pace: Pace::Quick,
        arguments: |scale| flood(scale, &["--idle", &scale.beside.to_string()]),
        link: Link::WebSocket,
        read: |said| traffic(said, &[]),
    },
    Scenario {
        name: "flood-tls",
        servers: OURS,
        pace: Pace::Quick,
        arguments: |scale| flood(scale, &[]),
        link: Link::Tls,
        read: |said| traffic(said, &[]),
    },
    Scenario {
        name: "paced",
        servers: ALL,
        pace: Pace::Quick,
        arguments: |scale| flood(scale, &["--rate", "2000"]),
        link: Link::WebSocket,
        read: |said| traffic(said, &[]),
    },
    Scenario {
        name: "pingpong",
        servers: ALL,
        pace: Pace::Quick,
        arguments: |scale| window(scale, &["pingpong", "--pairs", "50"]),
        link: Link::WebSocket,
        read: |said| traffic(said, &[("p50", "p50_us"), ("p99", "p99_us")]),
    },
    Scenario {
        name: "bosh",
        servers: XMPP,
        pace: Pace::Quick,
        arguments: |scale| window(scale, &["bosh"]),
        link: Link::Bosh,
        read: |said| traffic(said, &[]),
    },
    Scenario {
        name: "login",
        servers: ALL,
        pace: Pace::Quick,
        arguments: |scale| strings(&["login", "--logins", &scale.logins.to_string()]),
        link: Link::WebSocket,
        read: |said| traffic(said, &[]),
    },
    Scenario {
        name: "fanout",
        servers: ALL,
        pace: Pace::Quick,
        arguments: |scale| window(scale, &["fanout", "--sessions", &scale.fanout.to_string()]),
        link: Link::WebSocket,
        read: |said| traffic(said, &[]),
    },
    Scenario {
        name: "resume",
        servers: XMPP,
        pace: Pace::Slow,
        arguments: |scale| strings(&["resume", "--sessions", &scale.resume.to_string()]),
        link: Link::WebSocket,
        read: resume,
    },
    Scenario {
        name: "idle",
        servers: ALL,
        pace: Pace::Slow,
        arguments: |scale| idle(scale, scale.idle, &["--message-bytes", "60000"]),
        link: Link::WebSocket,
        read: memory,
    },
    Scenario {
        name: "idle-tls",
        servers: OURS,
        pace: Pace::Slow,
        arguments: |scale| idle(scale, scale.idle, &[]),
        link: Link::Tls,
        read: memory,
    },
    Scenario {
        name: "hibernate",
        servers: OURS,
        pace: Pace::Slow,
        arguments: |scale| idle(scale, scale.hibernating, &["--hibernate"]),
        link: Link::WebSocket,
        read: memory,
    },
];

impl Scenario {
    /// The generator's command line, without what is the same for every scenario.
    pub fn arguments(&self, scale: &Scale) -> Vec<String> {
        (self.arguments)(scale)
    }

    pub fn url(&self, running: &Running) -> Option<String> {
        match self.link {
            Link::WebSocket => Some(running.websocket.clone()),
            Link::Tls => running.websocket_tls.clone(),
            Link::Bosh => running.bosh.clone(),
        }
    }

    /// The measures in the generator's answer. An empty list is a failure.
    pub fn read(&self, said: &Value) -> Vec<(&'static str, f64)> {
        (self.read)(said)
    }
}

fn strings(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| word.to_string()).collect()
}

fn window(scale: &Scale, words: &[&str]) -> Vec<String> {
    let mut all = strings(words);
    all.extend(["--seconds".into(), scale.seconds.to_string()]);
    all.extend(["--warmup".into(), scale.warmup.to_string()]);
    all
}

fn flood(scale: &Scale, words: &[&str]) -> Vec<String> {
    let mut all = window(
        scale,
        &[
            "flood",
            "--pairs",
            "8",
            "--window",
            "64",
            "--stanza-bytes",
            "300",
        ],
    );
    all.extend(strings(words));
    all
}

fn idle(scale: &Scale, steps: (u32, u32), words: &[&str]) -> Vec<String> {
    let mut all = strings(&["idle", "--sessions", &format!("{},{}", steps.0, steps.1)]);
    all.extend(["--settle".into(), scale.settle.to_string()]);
    all.extend(strings(words));
    all
}

fn traffic(said: &Value, more: &[(&'static str, &str)]) -> Vec<(&'static str, f64)> {
    let wanted = [("cpu", "server_cpu_us_per_unit")];
    let wanted = wanted.iter().chain(more);
    wanted
        .filter_map(|(measure, name)| Some((*measure, said[*name].as_f64()?)))
        .collect()
}

fn resume(said: &Value) -> Vec<(&'static str, f64)> {
    traffic(
        said,
        &[
            ("time", "all_back_ms"),
            ("lost", "lost"),
            ("doubled", "doubled"),
        ],
    )
}

/// What the last step of a kind takes for each session. The first step of idle sessions is held
/// against an empty server, the last one against the first: only that is a slope.
fn memory(said: &Value) -> Vec<(&'static str, f64)> {
    let steps: Vec<&Value> = said["memory"].as_array().into_iter().flatten().collect();
    let last = |label: &str| {
        let step = steps.iter().rev().find(|step| step["label"] == label)?;
        Some(step["bytes_per_session"]["rss"].as_f64()? / 1024.0)
    };
    let labels = [
        ("memory", "hibernating"),
        ("memory", "idle"),
        ("after", "after a message"),
    ];
    let mut seen: Vec<(&'static str, f64)> = Vec::new();
    for (measure, label) in labels {
        if let Some(value) = last(label)
            && seen.iter().all(|(before, _)| *before != measure)
        {
            seen.push((measure, value));
        }
    }
    seen
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn step(label: &str, rss: u64) -> Value {
        json!({ "label": label, "bytes_per_session": { "rss": rss } })
    }

    #[test]
    fn memory_is_that_of_the_last_step_of_its_kind() {
        let steps = [
            step("idle", 9000),
            step("idle", 2048),
            step("after a message", 4096),
        ];
        let said = json!({ "memory": steps });
        assert_eq!(memory(&said), [("memory", 2.0), ("after", 4.0)]);
    }

    #[test]
    fn a_session_that_hibernates_is_no_idle_one() {
        let said = json!({ "memory": [step("idle", 2048), step("hibernating", 1024)] });
        assert_eq!(memory(&said), [("memory", 1.0)]);
    }

    #[test]
    fn what_the_generator_does_not_say_is_not_measured() {
        let said = json!({ "server_cpu_us_per_unit": 2.5 });
        assert_eq!(traffic(&said, &[("p50", "p50_us")]), [("cpu", 2.5)]);
    }

    #[test]
    fn every_scenario_has_a_row_in_the_table() {
        for scenario in SCENARIOS {
            let key = format!("{}.", scenario.name);
            assert!(
                crate::rows::ROWS
                    .iter()
                    .any(|row| row.key.starts_with(&key)),
                "{key}"
            );
        }
    }
}
