//! The figures to reach, and whether they are.

use crate::results::Results;
use crate::rows::unit;
use crate::servers::Server;
use crate::stats::digits;

pub struct Figure {
    pub what: &'static str,
    pub to_reach: &'static str,
    /// What stanzad is measured by.
    key: &'static str,
    /// What its value is divided by.
    over: Over,
    at_most: f64,
}

enum Over {
    /// The value itself is the figure.
    Nothing,
    /// The value itself, in the worst round: what must never happen has no median.
    Worst,
    /// The same key of another server.
    Server(Server),
    /// Another key of stanzad.
    Key(&'static str),
}

/// What became of a figure.
#[derive(Debug, PartialEq)]
pub struct Outcome {
    /// The median of stanzad, with its unit.
    pub seen: String,
    /// Against what it is held, or nothing.
    pub ratio: String,
    pub reached: bool,
}

const fn figure(
    what: &'static str,
    to_reach: &'static str,
    key: &'static str,
    over: Over,
    at_most: f64,
) -> Figure {
    Figure {
        what,
        to_reach,
        key,
        over,
        at_most,
    }
}

use Over::{Key, Nothing, Worst};
const YARDSTICK: Over = Over::Server(Server::Yardstick);
const EJABBERD: Over = Over::Server(Server::Ejabberd);

/// A million sessions in 4 GiB.
const KIB_OF_A_MILLION: f64 = 4.0 * 1024.0 * 1024.0 / 1_000_000.0;

pub const FIGURES: &[Figure] = &[
    figure(
        "`flood`, CPU per stanza",
        "≤ 2 × yardstick",
        "flood.cpu",
        YARDSTICK,
        2.0,
    ),
    figure("", "≤ 1/15 of ejabberd", "flood.cpu", EJABBERD, 1.0 / 15.0),
    figure(
        "`flood` at 2,000/s, CPU",
        "≤ 1.5 × yardstick",
        "paced.cpu",
        YARDSTICK,
        1.5,
    ),
    figure(
        "`pingpong`, CPU per stanza",
        "≤ 1.5 × yardstick",
        "pingpong.cpu",
        YARDSTICK,
        1.5,
    ),
    figure(
        "`pingpong`, p50",
        "≤ 1.5 × yardstick",
        "pingpong.p50",
        YARDSTICK,
        1.5,
    ),
    figure(
        "`pingpong`, p99",
        "≤ 1.5 × yardstick",
        "pingpong.p99",
        YARDSTICK,
        1.5,
    ),
    figure("", "≤ 1/5 of ejabberd", "pingpong.p99", EJABBERD, 0.2),
    figure(
        "memory of an idle session",
        "≤ 4 KiB",
        "idle.memory",
        Nothing,
        4.0,
    ),
    figure(
        "… after 60 KB each way",
        "≤ 5 KiB",
        "filled.memory",
        Nothing,
        5.0,
    ),
    figure("… over TLS", "≤ 14 KiB", "idle-tls.memory", Nothing, 14.0),
    figure(
        "1,000,000 hibernating sessions",
        "4 GiB, 4.19 KiB each",
        "hibernate.memory",
        Nothing,
        KIB_OF_A_MILLION,
    ),
    figure("`login`, CPU", "≤ 200 µs", "login.cpu", Nothing, 200.0),
    figure("", "≤ 1/7 of ejabberd", "login.cpu", EJABBERD, 1.0 / 7.0),
    figure(
        "`resume` of 5,000, CPU each",
        "≤ 100 µs",
        "resume.cpu",
        Nothing,
        100.0,
    ),
    figure(
        "`resume`, until all are back",
        "≤ 1/5 of ejabberd",
        "resume.time",
        EJABBERD,
        0.2,
    ),
    figure(
        "`resume`, lost in any round",
        "0",
        "resume.lost",
        Worst,
        0.0,
    ),
    figure(
        "`resume`, doubled in any round",
        "0",
        "resume.doubled",
        Worst,
        0.0,
    ),
    figure(
        "`bosh` ping-pong, CPU",
        "≤ 1/5 of ejabberd",
        "bosh.cpu",
        EJABBERD,
        0.2,
    ),
    figure(
        "`fanout` to 1,000, CPU per delivery",
        "≤ `flood`",
        "fanout.cpu",
        Key("flood.cpu"),
        1.0,
    ),
    figure(
        "stream management in `flood`, on against off",
        "≤ 1.05 ×",
        "flood.cpu",
        Key("flood-sm-off.cpu"),
        1.05,
    ),
    figure(
        "stream management in `pingpong`, on against off",
        "≤ 1.05 ×",
        "pingpong.cpu",
        Key("pingpong-sm-off.cpu"),
        1.05,
    ),
    figure(
        "`flood` beside 15,000 idle sessions",
        "≤ 1.1 × without them",
        "flood-idle.cpu",
        Key("flood.cpu"),
        1.1,
    ),
];

impl Figure {
    /// `None` where something that it needs was not measured.
    pub fn outcome(&self, results: &Results) -> Option<Outcome> {
        let stanzad = results.of(self.key, Server::Stanzad)?;
        let seen = match self.over {
            Worst => stanzad.max,
            _ => stanzad.median,
        };
        let base = match self.over {
            Nothing | Worst => 1.0,
            Over::Server(server) => results.of(self.key, server)?.median,
            Key(key) => results.of(key, Server::Stanzad)?.median,
        };
        let value = seen / base;
        let ratio = match self.over {
            Nothing | Worst => String::new(),
            // Such a small share is easier read upside down.
            _ if value < 0.5 => format!("1/{}", digits(1.0 / value)),
            _ => format!("{} ×", digits(value)),
        };
        let seen = format!("{} {}", digits(seen), unit(self.key))
            .trim_end()
            .to_string();
        Some(Outcome {
            seen,
            ratio,
            reached: value <= self.at_most,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(key: &str, over: &str) -> &'static Figure {
        FIGURES
            .iter()
            .find(|figure| figure.key == key && figure.to_reach == over)
            .unwrap()
    }

    #[test]
    fn a_figure_is_reached_at_its_bound_and_missed_above() {
        let mut results = Results::default();
        results.add("flood", Server::Stanzad, "cpu", 4.0);
        results.add("flood", Server::Yardstick, "cpu", 2.0);
        let figure = of("flood.cpu", "≤ 2 × yardstick");
        let outcome = figure.outcome(&results).unwrap();
        assert_eq!(
            (outcome.seen.as_str(), outcome.ratio.as_str()),
            ("4.00 µs", "2.00 ×")
        );
        assert!(outcome.reached);
        results.add("flood", Server::Stanzad, "cpu", 4.2);
        assert!(!figure.outcome(&results).unwrap().reached);
    }

    #[test]
    fn a_share_of_a_peer_is_told_as_a_fraction() {
        let mut results = Results::default();
        results.add("bosh", Server::Stanzad, "cpu", 10.0);
        results.add("bosh", Server::Ejabberd, "cpu", 160.0);
        let outcome = of("bosh.cpu", "≤ 1/5 of ejabberd")
            .outcome(&results)
            .unwrap();
        assert_eq!((outcome.ratio.as_str(), outcome.reached), ("1/16.0", true));
    }

    #[test]
    fn one_lost_stanza_in_one_round_misses_the_figure() {
        let mut results = Results::default();
        for lost in [0.0, 0.0, 1.0] {
            results.add("resume", Server::Stanzad, "lost", lost);
        }
        let outcome = of("resume.lost", "0").outcome(&results).unwrap();
        assert_eq!((outcome.seen.as_str(), outcome.reached), ("1.00", false));
    }

    #[test]
    fn what_was_not_measured_is_neither_reached_nor_missed() {
        let mut results = Results::default();
        results.add("flood", Server::Stanzad, "cpu", 4.0);
        assert_eq!(
            of("flood.cpu", "≤ 1/15 of ejabberd").outcome(&results),
            None
        );
    }

    #[test]
    fn every_figure_is_a_row_of_the_table() {
        for figure in FIGURES {
            assert!(
                crate::rows::ROWS.iter().any(|row| row.key == figure.key),
                "{}",
                figure.key
            );
        }
    }
}
