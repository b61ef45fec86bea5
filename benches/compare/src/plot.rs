//! The plot: horizontal bars on logarithmic scales, one panel for each unit.

use std::fmt::Write;

use crate::results::Results;
use crate::rows::{Panel, ROWS, Row};
use crate::servers::Server;
use crate::stats::digits;

const WIDTH: f64 = 860.0;
/// Where the bars begin: titles stand left of it.
const LEFT: f64 = 260.0;
/// Room for the value behind the longest bar.
const RIGHT: f64 = 90.0;
const BAR: f64 = 12.0;
const GAP: f64 = 3.0;
/// Between two groups of bars.
const SPACE: f64 = 14.0;

const PANELS: [(Panel, &str); 3] = [
    (Panel::Cpu, "CPU time of the server, µs"),
    (Panel::Time, "Time of a round trip, µs"),
    (Panel::Memory, "Memory of a session, KiB"),
];

/// Colours that differ in lightness too, and are seen on white and on black.
const STYLE: &str = "\
svg { font-family: system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif; }
text { font-size: 12px; fill: #24292f; }
.heading { font-size: 15px; font-weight: 600; }
.value, .tick { font-size: 11px; }
.tick { fill: #6a737d; }
.back { fill: #ffffff; }
.grid { stroke: #d0d7de; stroke-width: 1; }
.stanzad { fill: #1a7f5a; }
.yardstick { fill: #8c959f; }
.ejabberd { fill: #c2410c; }
.Prosody { fill: #6b5bd2; }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3; }
.tick { fill: #9198a1; }
.back { fill: #0d1117; }
.grid { stroke: #30363d; }
.stanzad { fill: #3fb98a; }
.yardstick { fill: #8b949e; }
.ejabberd { fill: #f0883e; }
.Prosody { fill: #a798f5; }
}
";

/// The whole picture. Rows and panels of which nothing was measured are left out.
pub fn draw(results: &Results) -> String {
    let mut body = String::new();
    let mut y = legend(&mut body);
    for (panel, title) in PANELS {
        let rows: Vec<Group> = ROWS
            .iter()
            .filter(|row| row.panel == panel)
            .filter_map(|row| Group::of(results, row))
            .collect();
        if !rows.is_empty() {
            y = draw_panel(&mut body, title, &rows, y);
        }
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {y:.0}\" \
         width=\"{WIDTH}\" height=\"{y:.0}\" role=\"img\" \
         aria-label=\"What stanzad, the yardstick, ejabberd and Prosody cost\">\n\
         <style>\n{STYLE}</style>\n\
         <rect class=\"back\" width=\"{WIDTH}\" height=\"{y:.0}\"/>\n{body}</svg>\n"
    )
}

/// The bars of one row.
struct Group {
    title: &'static str,
    bars: Vec<(Server, f64)>,
}

impl Group {
    fn of(results: &Results, row: &Row) -> Option<Group> {
        let bars: Vec<(Server, f64)> = Server::ALL
            .into_iter()
            .filter_map(|server| Some((server, results.of(row.key, server)?.median)))
            .filter(|(_, value)| *value > 0.0)
            .collect();
        (!bars.is_empty()).then_some(Group {
            title: row.short,
            bars,
        })
    }
}

/// A scale from a power of ten below the least value to one above the greatest.
struct Scale {
    low: i32,
    high: i32,
}

impl Scale {
    fn of(groups: &[Group]) -> Scale {
        let values = || {
            groups
                .iter()
                .flat_map(|group| &group.bars)
                .map(|(_, value)| value.log10())
        };
        let low = values().fold(f64::INFINITY, f64::min).floor() as i32;
        let high = values().fold(f64::NEG_INFINITY, f64::max).ceil() as i32;
        // A least value near its power of ten would have no bar to see.
        let near = values().fold(f64::INFINITY, f64::min) - f64::from(low) < 0.15;
        let low = if near { low - 1 } else { low };
        Scale {
            low,
            high: high.max(low + 1),
        }
    }

    fn x(&self, log: f64) -> f64 {
        let share = (log - f64::from(self.low)) / f64::from(self.high - self.low);
        LEFT + share * (WIDTH - LEFT - RIGHT)
    }
}

fn legend(out: &mut String) -> f64 {
    let mut x = LEFT;
    for server in Server::ALL {
        let name = server.name();
        let _ = writeln!(
            out,
            "<rect class=\"{name}\" x=\"{x}\" y=\"16\" width=\"12\" height=\"12\" rx=\"2\"/>\
             <text x=\"{}\" y=\"26\">{name}</text>",
            x + 18.0
        );
        x += 110.0;
    }
    44.0
}

/// Draws from `y` on and returns where the next panel begins.
fn draw_panel(out: &mut String, title: &str, groups: &[Group], y: f64) -> f64 {
    let scale = Scale::of(groups);
    let top = y + 46.0;
    let height = |group: &Group| group.bars.len() as f64 * (BAR + GAP);
    let bottom = top
        + groups
            .iter()
            .map(|group| height(group) + SPACE)
            .sum::<f64>();
    let _ = writeln!(
        out,
        "<text class=\"heading\" x=\"16\" y=\"{}\">{title}</text>",
        y + 20.0
    );
    for power in scale.low..=scale.high {
        let x = scale.x(f64::from(power));
        let _ = writeln!(
            out,
            "<line class=\"grid\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{:.1}\" y2=\"{bottom:.1}\"/>\
             <text class=\"tick\" x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
            top - 6.0,
            top - 12.0,
            tick(power),
        );
    }
    let mut y = top;
    for group in groups {
        let _ = writeln!(
            out,
            "<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            LEFT - 12.0,
            y + height(group) / 2.0 + 3.0,
            group.title
        );
        for (server, value) in &group.bars {
            let end = scale.x(value.log10());
            let _ = writeln!(
                out,
                "<rect class=\"{}\" x=\"{LEFT}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{BAR}\" \
                 rx=\"2\"/><text class=\"value\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
                server.name(),
                end - LEFT,
                end + 5.0,
                y + BAR - 2.0,
                digits(*value),
            );
            y += BAR + GAP;
        }
        y += SPACE;
    }
    bottom + 12.0
}

fn tick(power: i32) -> String {
    match power {
        0.. => {
            let whole = digits(10_f64.powi(power));
            whole
                .trim_end_matches('0')
                .strip_suffix('.')
                .map_or(whole.clone(), str::to_string)
        }
        _ => format!("{:.*}", power.unsigned_abs() as usize, 10_f64.powi(power)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scale_holds_every_value() {
        let group = Group {
            title: "",
            bars: vec![(Server::Stanzad, 4.0), (Server::Prosody, 140.0)],
        };
        let scale = Scale::of(&[group]);
        assert_eq!((scale.low, scale.high), (0, 3));
        assert_eq!(scale.x(0.0), LEFT);
        assert_eq!(scale.x(3.0), WIDTH - RIGHT);
    }

    #[test]
    fn the_least_value_has_a_bar() {
        let scale = Scale::of(&[Group {
            title: "",
            bars: vec![(Server::Stanzad, 1.0)],
        }]);
        assert!(scale.x(0.0) > LEFT);
    }

    #[test]
    fn ticks_are_plain_numbers() {
        assert_eq!(
            [-1, 0, 1, 3, 4].map(tick),
            ["0.1", "1", "10", "1,000", "10,000"]
        );
    }

    #[test]
    fn each_measured_server_has_a_bar_with_its_value() {
        let mut results = Results::default();
        results.add("flood", Server::Stanzad, "cpu", 4.25);
        results.add("flood", Server::Prosody, "cpu", 141.0);
        let plot = draw(&results);
        assert_eq!(plot.matches("class=\"value\"").count(), 2);
        assert!(plot.contains(">4.25</text>") && plot.contains(">141</text>"));
        assert!(!plot.contains("Memory of a session"));
    }
}
