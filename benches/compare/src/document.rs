//! The tables in Markdown, and their place in `docs/performance.md`.

use anyhow::{Context, Result};

use crate::figures::FIGURES;
use crate::results::Results;
use crate::rows::{ROWS, Row};
use crate::servers::Server;
use crate::stats::{Summary, digits};

pub const BEGIN: &str = "<!-- compare: begin -->";
pub const END: &str = "<!-- compare: end -->";

/// Puts `text` between the markers of the document; what stands around them stays.
pub fn insert(document: &str, text: &str) -> Result<String> {
    let (before, rest) = document
        .split_once(BEGIN)
        .context("the first marker is missing")?;
    let (_, after) = rest
        .split_once(END)
        .context("the second marker is missing")?;
    Ok(format!(
        "{before}{BEGIN}\n\n{}\n\n{END}{after}",
        text.trim()
    ))
}

/// Everything that is written by the program.
pub fn render(results: &Results, machine: &[(String, String)]) -> String {
    let mut out = String::from("### The machine\n\n| | |\n|---|---|\n");
    for (name, value) in machine {
        out += &format!("| {name} | {value} |\n");
    }
    out += "\n### The figures to reach\n\n";
    out += &figures(results);
    out += "\n### What each server costs\n\n![CPU, round trips and memory of the four servers, on \
            logarithmic scales](performance.svg)\n\n";
    out += &medians(results);
    if !results.failures.is_empty() {
        out += "\n### What failed\n\n";
        for failure in &results.failures {
            out += &format!("- {failure}\n");
        }
    }
    out
}

fn figures(results: &Results) -> String {
    let mut out = String::from("| figure | to reach | seen | ratio | |\n|---|---|--:|--:|---|\n");
    for figure in FIGURES {
        let (seen, ratio, verdict) = match figure.outcome(results) {
            Some(it) => (
                it.seen,
                it.ratio,
                if it.reached { "reached" } else { "**missed**" },
            ),
            None => ("–".into(), String::new(), "not measured"),
        };
        out += &format!(
            "| {} | {} | {seen} | {ratio} | {verdict} |\n",
            figure.what, figure.to_reach
        );
    }
    out
}

fn medians(results: &Results) -> String {
    let mut out = String::from("| median (least–most)");
    for server in Server::ALL {
        out += &format!(" | {}", server.name());
    }
    out += " | stanzad : yardstick | ejabberd : stanzad | Prosody : stanzad |\n|---|";
    out += "--:|--:|--:|--:|--:|--:|--:|\n";
    for row in ROWS {
        if let Some(line) = line(results, row) {
            out += &line;
        }
    }
    out
}

/// `None` for a row of which nothing was measured.
fn line(results: &Results, row: &Row) -> Option<String> {
    let of = |server| results.of(row.key, server);
    Server::ALL.iter().find(|server| of(**server).is_some())?;
    let comma = if row.unit.is_empty() { "" } else { ", " };
    let mut out = format!("| {}{comma}{}", row.title, row.unit);
    for server in Server::ALL {
        out += &format!(" | {}", of(server).map_or("–".into(), cell));
    }
    let ratio = |over: Server, under: Server| {
        let (over, under) = (of(over)?.median, of(under)?.median);
        (under > 0.0).then(|| digits(over / under))
    };
    for (over, under) in [
        (Server::Stanzad, Server::Yardstick),
        (Server::Ejabberd, Server::Stanzad),
        (Server::Prosody, Server::Stanzad),
    ] {
        out += &format!(" | {}", ratio(over, under).unwrap_or_else(|| "–".into()));
    }
    Some(out + " |\n")
}

fn cell(summary: Summary) -> String {
    let Summary { median, min, max } = summary;
    if min == max {
        return digits(median);
    }
    format!("{} ({}–{})", digits(median), digits(min), digits(max))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn results() -> Results {
        let mut results = Results::default();
        for (server, values) in [
            (Server::Stanzad, [4.0, 5.0, 6.0]),
            (Server::Yardstick, [2.0, 2.5, 3.0]),
            (Server::Ejabberd, [100.0, 100.0, 100.0]),
        ] {
            for value in values {
                results.add("flood", server, "cpu", value);
            }
        }
        results
    }

    #[test]
    fn a_row_has_medians_extremes_and_ratios() {
        assert_eq!(
            line(&results(), &ROWS[0]).unwrap(),
            "| `flood`: CPU per delivered stanza, µs | 5.00 (4.00–6.00) | 2.50 (2.00–3.00) | 100 | \
             – | 2.00 | 20.0 | – |\n"
        );
    }

    #[test]
    fn a_row_of_which_nothing_was_measured_is_left_out() {
        assert_eq!(line(&results(), &ROWS[1]), None);
    }

    #[test]
    fn the_table_of_figures_tells_what_is_reached() {
        let text = figures(&results());
        assert!(text.contains(
            "| `flood`, CPU per stanza | ≤ 2 × yardstick | 5.00 µs | 2.00 × | reached |\n"
        ));
        assert!(text.contains("| `login`, CPU | ≤ 200 µs | – |  | not measured |\n"));
    }

    #[test]
    fn text_around_the_markers_survives() {
        let document = format!("before\n{BEGIN}\nold\n{END}\nafter\n");
        let once = insert(&document, "new").unwrap();
        assert_eq!(once, format!("before\n{BEGIN}\n\nnew\n\n{END}\nafter\n"));
        assert_eq!(insert(&once, "new").unwrap(), once);
    }

    #[test]
    fn a_document_without_markers_is_not_touched() {
        assert!(insert("by hand", "new").is_err());
    }
}
