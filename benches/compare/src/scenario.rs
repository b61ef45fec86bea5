//! What is run: the options that the generator gets, and what is read from its answer.

use serde_json::Value;

use crate::accounts::ACCOUNTS;
use crate::reading::{Measures, hibernating, memory, traffic};
use crate::servers::{Running, Server};

/// In which rounds a scenario runs. Those in which thousands log in first take up to a minute for
/// each server, and memory differs by little from round to round.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// In every one.
    Quick,
    /// In every second one, beginning with the first.
    Slow,
    /// In the first and in the last.
    Rare,
}

impl Pace {
    pub fn runs_in(self, round: usize, rounds: usize) -> bool {
        match self {
            Pace::Quick => true,
            Pace::Slow => round.is_multiple_of(2),
            Pace::Rare => round == 0 || round + 1 == rounds,
        }
    }
}

pub struct Scenario {
    pub name: &'static str,
    pub servers: &'static [Server],
    pub pace: Pace,
    /// The generator's scenario and its options.
    arguments: fn(&Scale) -> Vec<String>,
    link: Link,
    /// The accounts of each run of the generator; there is one run for each, one after the other,
    /// against the same process.
    waves: &'static [&'static str],
    read: fn(&[Value]) -> Measures,
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
    /// How many hibernate more with each wave.
    pub hibernating: u32,
    pub resume: u32,
    /// Sessions of the account that stanzad and the yardstick deliver to, and of all servers.
    pub fanout: (u32, u32),
    pub beside: u32,
    pub settle: u32,
}

impl Scale {
    pub const FULL: Scale = Scale {
        seconds: 4,
        warmup: 1,
        logins: 1000,
        idle: (5000, 10_000),
        hibernating: 12_500,
        resume: 5000,
        fanout: (1000, 200),
        beside: 15_000,
        settle: 5,
    };
    pub const QUICK: Scale = Scale {
        seconds: 2,
        warmup: 1,
        logins: 300,
        idle: (500, 1000),
        hibernating: 500,
        resume: 500,
        fanout: (200, 50),
        beside: 2000,
        settle: 2,
    };
}

use Server::{Ejabberd, Prosody, Stanzad, Yardstick};
const ALL: &[Server] = &[Stanzad, Yardstick, Ejabberd, Prosody];
/// Those that keep sessions; the yardstick has nothing to resume, and no BOSH.
const XMPP: &[Server] = &[Stanzad, Ejabberd, Prosody];
const RUST: &[Server] = &[Stanzad, Yardstick];
const OURS: &[Server] = &[Stanzad];

const ONE: &[&str] = &["user{}"];
/// A thousand accounts each, and none twice. The limit of open files bounds how many sessions are
/// open at a time, not how many hibernate.
const WAVES: &[&str] = &["user5{}", "user6{}", "user7{}", "user8{}"];
const ACCOUNTS_OF_A_WAVE: usize = 1000;

/// What most scenarios have in common.
const TRAFFIC: Scenario = Scenario {
    name: "",
    servers: OURS,
    pace: Pace::Quick,
    arguments: |_| Vec::new(),
    link: Link::WebSocket,
    waves: ONE,
    read: |said| traffic(said, &[]),
};

pub const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "flood",
        servers: ALL,
        arguments: |scale| flood(scale, &[]),
        read: |said| traffic(said, &[("rate", "units_per_s")]),
        ..TRAFFIC
    },
    Scenario {
        name: "flood-sm-off",
        servers: OURS,
        arguments: |scale| flood(scale, &["--no-sm"]),
        ..TRAFFIC
    },
    Scenario {
        name: "flood-idle",
        servers: OURS,
        arguments: |scale| flood(scale, &["--idle", &scale.beside.to_string()]),
        ..TRAFFIC
    },
    Scenario {
        name: "flood-tls",
        servers: OURS,
        arguments: |scale| flood(scale, &[]),
        link: Link::Tls,
        ..TRAFFIC
    },
    Scenario {
        name: "paced",
        servers: ALL,
        arguments: |scale| flood(scale, &["--rate", "2000"]),
        ..TRAFFIC
    },
    Scenario {
        name: "pingpong",
        servers: ALL,
        arguments: |scale| window(scale, &["pingpong", "--pairs", "50"]),
        read: |said| traffic(said, &[("p50", "p50_us"), ("p99", "p99_us")]),
        ..TRAFFIC
    },
    Scenario {
        name: "pingpong-sm-off",
        servers: OURS,
        arguments: |scale| window(scale, &["pingpong", "--pairs", "50", "--no-sm"]),
        ..TRAFFIC
    },
    Scenario {
        name: "bosh",
        servers: XMPP,
        arguments: |scale| window(scale, &["bosh"]),
        link: Link::Bosh,
        ..TRAFFIC
    },
    Scenario {
        name: "login",
        servers: ALL,
        arguments: |scale| strings(&["login", "--logins", &scale.logins.to_string()]),
        ..TRAFFIC
    },
    Scenario {
        name: "login-halfway",
        servers: OURS,
        arguments: |scale| {
            let logins = scale.logins.to_string();
            strings(&["login", "--no-session", "--logins", &logins])
        },
        ..TRAFFIC
    },
    Scenario {
        name: "fanout",
        servers: RUST,
        arguments: |scale| fanout(scale, scale.fanout.0),
        ..TRAFFIC
    },
    // Each of them hears of each other: a peer would need minutes for a thousand.
    Scenario {
        name: "fanout-few",
        servers: ALL,
        arguments: |scale| fanout(scale, scale.fanout.1),
        ..TRAFFIC
    },
    Scenario {
        name: "resume-empty",
        servers: OURS,
        pace: Pace::Slow,
        arguments: |scale| {
            let sessions = scale.resume.to_string();
            let nothing = ["--during", "0", "--waiting", "0"];
            let mut all = strings(&["resume", "--sessions", &sessions]);
            all.extend(strings(&nothing));
            all
        },
        ..TRAFFIC
    },
    Scenario {
        name: "resume",
        servers: XMPP,
        pace: Pace::Slow,
        arguments: |scale| strings(&["resume", "--sessions", &scale.resume.to_string()]),
        read: |said| {
            traffic(
                said,
                &[
                    ("time", "all_back_s"),
                    ("lost", "lost"),
                    ("doubled", "doubled"),
                ],
            )
        },
        ..TRAFFIC
    },
    Scenario {
        name: "idle",
        servers: ALL,
        pace: Pace::Rare,
        arguments: |scale| idle(scale, &[]),
        read: |said| memory(said, "idle", "memory"),
        ..TRAFFIC
    },
    // On its own: what the messages leave behind would be taken by the next idle sessions.
    Scenario {
        name: "filled",
        servers: RUST,
        pace: Pace::Rare,
        arguments: |scale| idle(scale, &["--message-bytes", "60000"]),
        read: |said| memory(said, "after a message", "memory"),
        ..TRAFFIC
    },
    Scenario {
        name: "idle-tls",
        servers: OURS,
        pace: Pace::Rare,
        arguments: |scale| idle(scale, &[]),
        link: Link::Tls,
        read: |said| memory(said, "idle", "memory"),
        ..TRAFFIC
    },
    Scenario {
        name: "hibernate",
        servers: OURS,
        pace: Pace::Rare,
        arguments: |scale| {
            let sessions = scale.hibernating.to_string();
            strings(&[
                "idle",
                "--hibernate",
                "--settle",
                "5",
                "--sessions",
                &sessions,
            ])
        },
        waves: WAVES,
        read: hibernating,
        ..TRAFFIC
    },
];

impl Scenario {
    /// The generator's command lines, without what is the same for every scenario.
    pub fn commands(&self, scale: &Scale) -> Vec<Vec<String>> {
        let users = if self.waves.len() > 1 {
            ACCOUNTS_OF_A_WAVE
        } else {
            ACCOUNTS
        };
        let command = |user: &&str| {
            let mut all = (self.arguments)(scale);
            all.extend(strings(&["--user", user, "--users", &users.to_string()]));
            all
        };
        self.waves.iter().map(command).collect()
    }

    pub fn url(&self, running: &Running) -> Option<String> {
        match self.link {
            Link::WebSocket => Some(running.websocket.clone()),
            Link::Tls => running.websocket_tls.clone(),
            Link::Bosh => running.bosh.clone(),
        }
    }

    /// The measures in the generator's answers. An empty list is a failure.
    pub fn read(&self, said: &[Value]) -> Measures {
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
            // A write for each stanza, as clients do that know nothing of each other.
            "--burst",
            "1",
        ],
    );
    all.extend(strings(words));
    all
}

fn fanout(scale: &Scale, sessions: u32) -> Vec<String> {
    window(scale, &["fanout", "--sessions", &sessions.to_string()])
}

fn idle(scale: &Scale, words: &[&str]) -> Vec<String> {
    let mut all = strings(&[
        "idle",
        "--sessions",
        &format!("{},{}", scale.idle.0, scale.idle.1),
    ]);
    all.extend(["--settle".into(), scale.settle.to_string()]);
    // At the end links are cut: to close ten thousand streams takes ejabberd a minute.
    all.push("--hibernate".into());
    all.extend(strings(words));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slow_scenarios_run_in_fewer_rounds() {
        let rounds = |pace: Pace| {
            (0..5)
                .filter(|round| pace.runs_in(*round, 5))
                .collect::<Vec<_>>()
        };
        assert_eq!(rounds(Pace::Quick), [0, 1, 2, 3, 4]);
        assert_eq!(rounds(Pace::Slow), [0, 2, 4]);
        assert_eq!(rounds(Pace::Rare), [0, 4]);
        assert!(Pace::Rare.runs_in(0, 1));
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
