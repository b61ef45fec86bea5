//! What the text says, and that the documentation has all of it.

use super::*;
use crate::auth::Refusal;
use crate::sessions::{Direction, StanzaKind};
use std::collections::BTreeSet;

/// A line of a sample: name, labels and value.
fn samples(text: &str) -> Vec<(&str, &str, f64)> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let (series, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("{line}"));
            let (name, labels) = series.split_once('{').unwrap_or((series, ""));
            let value = value.parse().unwrap_or_else(|_| panic!("{line}"));
            (name, labels.trim_end_matches('}'), value)
        })
        .collect()
}

fn value(figures: &Figures, name: &str, labels: &[&str]) -> Option<f64> {
    let text = figures.encode();
    let all = samples(&text);
    let found = all.iter().find(|(n, of_series, _)| {
        *n == name && labels.iter().all(|label| of_series.contains(label))
    });
    found.map(|(_, _, value)| *value)
}

#[test]
fn two_servers_in_a_process_have_their_own_figures() {
    let (ours, theirs) = (Figures::new(), Figures::new());
    ours.slowed();
    let name = "stanzad_senders_slowed_total";
    assert_eq!(value(&ours, name, &[]), Some(1.0));
    assert_eq!(value(&theirs, name, &[]), Some(0.0));
}

#[test]
fn counters_of_an_endpoint_are_found_once_and_shared() {
    let figures = Figures::new();
    let (a, b) = (figures.traffic(&"a".into()), figures.traffic(&"b".into()));
    assert!(Arc::ptr_eq(&a, &figures.traffic(&"a".into())));
    a.count(Direction::In, StanzaKind::Message, 100);
    a.count(Direction::In, StanzaKind::Message, 50);
    b.count(Direction::Out, StanzaKind::Iq, 7);
    let labels = [r#"endpoint="a""#, r#"direction="in""#, r#"kind="message""#];
    assert_eq!(value(&figures, "stanzad_stanzas_total", &labels), Some(2.0));
    let bytes = value(&figures, "stanzad_stanza_bytes_total", &labels);
    assert_eq!(bytes, Some(150.0));
    let labels = [r#"endpoint="b""#, r#"direction="out""#, r#"kind="iq""#];
    assert_eq!(value(&figures, "stanzad_stanzas_total", &labels), Some(1.0));
}

#[test]
fn logins_are_told_apart_by_mechanism_and_outcome() {
    let figures = Figures::new();
    let failure = SaslFailure::NotAuthorized(Refusal::WrongPassword);
    figures.login(Some(Mechanism::Plain), Ok(()));
    figures.login(Some(Mechanism::Plain), Err(&failure));
    figures.login(None, Err(&SaslFailure::InvalidMechanism));
    for (mechanism, outcome) in [
        ("PLAIN", "success"),
        ("PLAIN", "not-authorized"),
        ("none", "invalid-mechanism"),
    ] {
        let labels = [
            &*format!("mechanism=\"{mechanism}\""),
            &*format!("outcome=\"{outcome}\""),
        ];
        assert_eq!(value(&figures, "stanzad_logins_total", &labels), Some(1.0));
    }
}

/// Whatever an operator calls an endpoint, the text stays what it is.
#[test]
fn a_name_with_quotes_and_line_ends_is_escaped() {
    let figures = Figures::new();
    figures.traffic(&"a\"b\\c\nd".into());
    let text = figures.encode();
    assert!(text.contains(r#"endpoint="a\"b\\c\nd""#), "{text}");
    assert!(!samples(&text).is_empty());
}

#[test]
fn buckets_of_a_histogram_add_up() {
    let figures = Figures::new();
    for ms in [0, 3, 3, 400, 100_000] {
        figures.acked(Duration::from_millis(ms));
    }
    let bucket = |le: &str| {
        let label = format!("le=\"{le}\"");
        value(&figures, "stanzad_ack_seconds_bucket", &[&label])
    };
    assert_eq!(bucket("0.005"), Some(3.0));
    assert_eq!(bucket("0.5"), Some(4.0));
    assert_eq!(bucket("60"), Some(4.0));
    assert_eq!(bucket("+Inf"), Some(5.0));
    assert_eq!(value(&figures, "stanzad_ack_seconds_count", &[]), Some(5.0));
}

/// Figures of which there is one of each series, so that all names are in the text.
fn all_at_work() -> (Figures, Arc<Sessions>) {
    let figures = Figures::new();
    figures.traffic(&"default".into());
    figures.throttled(&"account".into(), ThrottleAction::Slowed);
    figures.login(None, Ok(()));
    let sessions = crate::sessions::Sessions::new(crate::sessions::SessionsOptions {
        sessions_per_user: 1,
        send_queue: 1,
        send_queue_bytes: 1,
        max_unacked: 1,
        max_hibernating_per_user: 1,
        repeat_window: 0,
    });
    let sessions = Arc::new(sessions);
    let jid = crate::stanza::address::FullJid::new("romeo@example.org/orchard").unwrap();
    let crate::sessions::Bind::Bound(session) = sessions.bind(jid) else {
        panic!("nobody else is here");
    };
    figures.opened(&session);
    figures.closed(&session, EndReason::Closed);
    figures.watch_sessions(&sessions);
    figures.watch_connections(|| 3);
    (figures, sessions)
}

/// W9: the table has each figure by its name, with its kind and labels, and no other.
#[test]
fn w9_the_documentation_has_the_table_of_all_figures() {
    let (figures, _sessions) = all_at_work();
    let text = figures.encode();
    assert_eq!(value(&figures, "stanzad_connections", &[]), Some(3.0));
    let told: BTreeSet<_> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE "))
        .map(|line| {
            let (name, kind) = line.split_once(' ').unwrap();
            let labels = labels_of(&text, name);
            format!("| `{name}` | {kind} | {labels} |")
        })
        .collect();
    let documented = std::fs::read_to_string("docs/metrics.md").unwrap();
    let documented: BTreeSet<_> = documented
        .lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| line.split(" | ").take(3).collect::<Vec<_>>().join(" | ") + " |")
        .collect();
    assert_eq!(documented, told);
}

/// The names of the labels of a figure, without that of buckets.
fn labels_of(text: &str, name: &str) -> String {
    let series = text.lines().find(|line| {
        let rest = line.strip_prefix(name);
        rest.is_some_and(|rest| rest.starts_with(['{', ' ']) || rest.starts_with("_bucket"))
    });
    let (_, labels) = series
        .and_then(|line| line.split_once('{'))
        .unwrap_or_default();
    let names = labels
        .split("\",")
        .filter_map(|label| label.split_once("=\""))
        .map(|(name, _)| name)
        .filter(|name| *name != "le");
    let names: Vec<_> = names.map(|name| format!("`{name}`")).collect();
    names.join(", ")
}
