//! The rows of the big table, and the bars of the plot.

/// Where a row is drawn.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Panel {
    Cpu,
    Time,
    Memory,
    /// In the table alone.
    None,
}

pub struct Row {
    pub key: &'static str,
    pub title: &'static str,
    /// A short title, for the plot.
    pub short: &'static str,
    pub unit: &'static str,
    pub panel: Panel,
}

const fn row(
    key: &'static str,
    title: &'static str,
    short: &'static str,
    unit: &'static str,
    panel: Panel,
) -> Row {
    Row {
        key,
        title,
        short,
        unit,
        panel,
    }
}

pub const ROWS: &[Row] = &[
    row(
        "flood.cpu",
        "`flood`: CPU per delivered stanza",
        "flood, per stanza",
        "µs",
        Panel::Cpu,
    ),
    row(
        "flood.rate",
        "`flood`: stanzas per second",
        "",
        "1/s",
        Panel::None,
    ),
    row(
        "paced.cpu",
        "the same held at 2,000/s: CPU per stanza",
        "flood held at 2,000/s, per stanza",
        "µs",
        Panel::Cpu,
    ),
    row(
        "pingpong.cpu",
        "`pingpong`: CPU per stanza",
        "ping-pong, per stanza",
        "µs",
        Panel::Cpu,
    ),
    row(
        "pingpong.p50",
        "`pingpong`: round trip, p50",
        "ping-pong, p50",
        "µs",
        Panel::Time,
    ),
    row(
        "pingpong.p99",
        "`pingpong`: round trip, p99",
        "ping-pong, p99",
        "µs",
        Panel::Time,
    ),
    row(
        "bosh.cpu",
        "`bosh` ping-pong: CPU per stanza",
        "BOSH ping-pong, per stanza",
        "µs",
        Panel::Cpu,
    ),
    row(
        "fanout-few.cpu",
        "`fanout` to 200 sessions: CPU per delivery",
        "to 200 sessions, per delivery",
        "µs",
        Panel::Cpu,
    ),
    row(
        "fanout.cpu",
        "to 1,000 sessions: CPU per delivery",
        "",
        "µs",
        Panel::None,
    ),
    row(
        "login.cpu",
        "`login` by SCRAM-SHA-256: CPU",
        "login",
        "µs",
        Panel::Cpu,
    ),
    row(
        "resume.cpu",
        "`resume` of 5,000 at once: CPU each",
        "resumption of 5,000, each",
        "µs",
        Panel::Cpu,
    ),
    row(
        "resume.time",
        "`resume`: until all are back",
        "",
        "s",
        Panel::None,
    ),
    row("resume.lost", "`resume`: stanzas lost", "", "", Panel::None),
    row(
        "resume.doubled",
        "`resume`: stanzas doubled",
        "",
        "",
        Panel::None,
    ),
    row(
        "idle.memory",
        "memory of an idle session",
        "idle session",
        "KiB",
        Panel::Memory,
    ),
    row(
        "filled.memory",
        "the same after 60 KB in each direction",
        "after 60 KB each way",
        "KiB",
        Panel::Memory,
    ),
    row(
        "idle-tls.memory",
        "memory of an idle session, TLS",
        "idle over TLS",
        "KiB",
        Panel::Memory,
    ),
    row(
        "hibernate.memory",
        "memory of a hibernating session",
        "hibernating session",
        "KiB",
        Panel::Memory,
    ),
    row(
        "flood-sm-off.cpu",
        "`flood` without stream management",
        "",
        "µs",
        Panel::None,
    ),
    row(
        "login-halfway.cpu",
        "`login` as far as the password: connection, upgrade, SCRAM",
        "",
        "µs",
        Panel::None,
    ),
    row(
        "resume-empty.cpu",
        "`resume` with nothing waiting",
        "",
        "µs",
        Panel::None,
    ),
    row(
        "pingpong-sm-off.cpu",
        "`pingpong` without stream management",
        "",
        "µs",
        Panel::None,
    ),
    row("flood-tls.cpu", "`flood` over TLS", "", "µs", Panel::None),
    row(
        "flood-idle.cpu",
        "`flood` beside 15,000 idle sessions",
        "",
        "µs",
        Panel::None,
    ),
];

pub fn unit(key: &str) -> &'static str {
    ROWS.iter()
        .find(|row| row.key == key)
        .map_or("", |row| row.unit)
}
