//! The names of all figures, and what they say.

use super::Figures;
use super::labels::{Build, Outcome};
use super::{Resumption, process};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Metric, Registry};

/// A registry with all of these figures.
pub(super) fn all(figures: &Figures) -> Registry {
    let mut registry = Registry::default();
    sessions(figures, &mut registry);
    traffic(figures, &mut registry);
    acks(figures, &mut registry);
    house(figures, &mut registry);
    registry
}

fn add(registry: &mut Registry, name: &str, help: &str, figure: impl Metric) {
    registry.register(name, help, figure);
}

fn sessions(figures: &Figures, registry: &mut Registry) {
    let gauges = &figures.gauges;
    for outcome in Resumption::ALL {
        let outcome = outcome.as_str();
        drop(figures.resumptions.get_or_create(&Outcome { outcome }));
    }
    add(
        registry,
        "stanzad_sessions",
        "Sessions that are here",
        gauges.sessions.clone(),
    );
    add(
        registry,
        "stanzad_sessions_opened",
        "Sessions that were bound",
        figures.opened.clone(),
    );
    add(
        registry,
        "stanzad_sessions_detached",
        "Times that a stream let go of a session which can be resumed",
        figures.detached.clone(),
    );
    add(
        registry,
        "stanzad_sessions_ended",
        "Sessions that are over",
        figures.ended.clone(),
    );
    add(
        registry,
        "stanzad_resumptions",
        "What came of requests to resume a session",
        figures.resumptions.clone(),
    );
    add(
        registry,
        "stanzad_logins",
        "What came of authentications",
        figures.logins.clone(),
    );
    add(
        registry,
        "stanzad_connections",
        "Open connections, without those to the admin port",
        gauges.connections.clone(),
    );
}

fn traffic(figures: &Figures, registry: &mut Registry) {
    let gauges = &figures.gauges;
    add(
        registry,
        "stanzad_stanzas",
        "Stanzas from and to clients with a session",
        figures.stanzas.clone(),
    );
    add(
        registry,
        "stanzad_stanza_bytes",
        "Bytes of these stanzas",
        figures.bytes.clone(),
    );
    add(
        registry,
        "stanzad_throttled",
        "Stanzas beyond what their sender may send",
        figures.throttled.clone(),
    );
    add(
        registry,
        "stanzad_senders_slowed",
        "Times that a sender was made to wait for a slow receiver",
        figures.slowed.clone(),
    );
    add(
        registry,
        "stanzad_mailbox_stanzas",
        "Stanzas that wait in mailboxes",
        gauges.waiting.clone(),
    );
    add(
        registry,
        "stanzad_mailbox_stanzas_max",
        "Stanzas in the fullest mailbox",
        gauges.waiting_most.clone(),
    );
    add(
        registry,
        "stanzad_mailbox_overflows",
        "Stanzas that found a mailbox full",
        figures.overflows.clone(),
    );
}

fn acks(figures: &Figures, registry: &mut Registry) {
    let gauges = &figures.gauges;
    add(
        registry,
        "stanzad_unacked_stanzas",
        "Stanzas that were sent and not acknowledged",
        gauges.unacked.clone(),
    );
    add(
        registry,
        "stanzad_unacked_stanzas_max",
        "The same, of the session that has most",
        gauges.unacked_most.clone(),
    );
    add(
        registry,
        "stanzad_unacked_oldest_seconds",
        "How long ago the oldest of them was sent",
        gauges.oldest.clone(),
    );
    add(
        registry,
        "stanzad_ack_seconds",
        "From the sending of a stanza to its ack: one observation for each ack, of the oldest stanza",
        figures.acks.clone(),
    );
    add(
        registry,
        "stanzad_stanzas_resent",
        "Stanzas that were sent once more on resumption",
        figures.resent.clone(),
    );
}

fn house(figures: &Figures, registry: &mut Registry) {
    let gauges = &figures.gauges;
    add(
        registry,
        "stanzad_store_seconds",
        "How long calls to the store take, commit and waiting for their turn included",
        figures.store.clone(),
    );
    add(
        registry,
        "stanzad_memory_held_bytes",
        "What is held for clients",
        gauges.held.clone(),
    );
    add(
        registry,
        "stanzad_memory_limit_bytes",
        "limits.memory",
        gauges.limit.clone(),
    );
    add(
        registry,
        "stanzad_events_lost",
        "Lines that the event log could not write",
        figures.events_lost.clone(),
    );
    let version = env!("CARGO_PKG_VERSION");
    add(
        registry,
        "stanzad_build",
        "Which stanzad this is",
        Info::new(Build { version }),
    );
    add(
        registry,
        "process_start_time_seconds",
        "When the server began, in seconds since 1970",
        gauges.began.clone(),
    );
    if process::resident_bytes().is_some() {
        add(
            registry,
            "process_resident_memory_bytes",
            "Resident memory of the process",
            gauges.resident.clone(),
        );
    }
}
