//! Tiers that would throttle nobody, or everybody.

use super::Conflict;
use crate::config::load::TIER_OPTIONS;
use crate::config::units::format_size;
use crate::config::{Config, Tier};

pub(super) fn conflicts(config: &Config) -> Vec<Conflict> {
    let longest = config.limits.max_stanza_bytes;
    let tiers = config.tiers.iter();
    tiers
        .flat_map(|(name, tier)| of(name, tier, longest))
        .collect()
}

fn of(name: &str, tier: &Tier, longest: usize) -> Vec<Conflict> {
    let mut found = Vec::new();
    let mut blame = |keys: &[&str], why: String| {
        let own = keys.iter().map(|key| match key.contains('.') {
            true => (*key).to_owned(),
            false => format!("tier.{name}.{key}"),
        });
        let keys = own.chain([format!("tier.{name}")]).collect();
        found.push(Conflict { keys, why });
    };
    if tier.stanzas.is_none() && tier.bytes.is_none() {
        let why = format!(
            "tier.{name}.stanzas and tier.{name}.bytes are both absent; set one of them, or the \
             tier bounds nothing"
        );
        // Whatever was said of it is the place to say more.
        let all = TIER_OPTIONS.iter();
        let all: Vec<_> = all.map(|option| option.name_within("tier")).collect();
        blame(&all, why);
        return found;
    }
    if tier.burst.is_some() && tier.stanzas.is_none() {
        let why = format!("tier.{name}.burst is set and tier.{name}.stanzas is not; set it, too");
        blame(&["burst", "stanzas"], why);
    }
    if tier.burst_bytes.is_some() && tier.bytes.is_none() {
        let why =
            format!("tier.{name}.burst_bytes is set and tier.{name}.bytes is not; set it, too");
        blame(&["burst_bytes", "bytes"], why);
    }
    let at_once = tier.bytes_at_once();
    if tier.bytes.is_some() && at_once < longest as u64 {
        let key = match tier.burst_bytes {
            Some(_) => "burst_bytes",
            None => "bytes",
        };
        let (at_once, longest) = (
            format_size(usize::try_from(at_once).unwrap_or(usize::MAX)),
            format_size(longest),
        );
        let why = format!(
            "tier.{name}.{key} lets {at_once} come at once, which holds no stanza of \
             limits.max_stanza_bytes ({longest})"
        );
        blame(&["bytes", "burst_bytes", "limits.max_stanza_bytes"], why);
    }
    found
}
