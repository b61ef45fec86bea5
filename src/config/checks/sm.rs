//! Options of `[sm]` that do not go together, there or at an endpoint.

use super::Conflict;
use crate::config::{Config, Sm};

pub(super) fn conflicts(config: &Config) -> Vec<Conflict> {
    let own = of(&config.sm, "");
    if !own.is_empty() {
        return own; // the endpoints would say it again
    }
    let endpoints = config.endpoints.iter().enumerate();
    endpoints
        .flat_map(|(index, endpoint)| {
            let sm = config.sm.with(&endpoint.sm);
            of(&sm, &format!("endpoint.{index}.")).into_iter()
        })
        .collect()
}

/// What is wrong with the values that come out of `[sm]` and the options `{place}sm.…`.
fn of(sm: &Sm, place: &str) -> Vec<Conflict> {
    let found = [acks_are_asked_for(sm), acks_come_before_the_bound(sm)];
    let found = found.into_iter().flatten();
    let conflict = |([first, second], why): ([&str; 2], String)| Conflict {
        keys: [first, second]
            .iter()
            .flat_map(|key| [(*key).to_owned(), format!("{place}{key}")])
            .collect(),
        why: match place {
            "" => why,
            _ => format!("at {}: {why}", place.trim_end_matches('.')),
        },
    };
    found.map(conflict).collect()
}

type Found = ([&'static str; 2], String);

fn acks_are_asked_for(sm: &Sm) -> Option<Found> {
    if !sm.enabled || sm.ack_request_frequency != 0 || !sm.ack_request_delay.is_zero() {
        return None;
    }
    let why = "sm.ack_request_frequency and sm.ack_request_delay are both 0, so the server never \
               asks for an ack and sm.max_unacked is reached in time; set one of them";
    let keys = ["sm.ack_request_frequency", "sm.ack_request_delay"];
    Some((keys, why.to_owned()))
}

fn acks_come_before_the_bound(sm: &Sm) -> Option<Found> {
    if (sm.ack_request_frequency as usize) < sm.max_unacked {
        return None;
    }
    let (frequency, bound) = (sm.ack_request_frequency, sm.max_unacked);
    let why = format!(
        "sm.ack_request_frequency ({frequency}) has to be lower than sm.max_unacked ({bound}), or \
         the queue is full before an ack is asked for"
    );
    Some((["sm.ack_request_frequency", "sm.max_unacked"], why))
}
