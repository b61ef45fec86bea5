//! From the operator's options to those of the rooms.

use crate::backend::local::{ConflictPolicy, LocalOptions};
use crate::config::{self, Config, OnExceed, PlainPolicy, ResourceConflict, TierPer, UserExcess};
use crate::http::bosh::BoshHttpOptions;
use crate::http::door::DoorOptions;
use crate::http::forwarded::ForwardedHeader;
use crate::http::listener::{ConnectionCap, ListenerOptions};
use crate::http::origin::{Origin, OriginPolicy};
use crate::http::tls::{CertificateSource, TlsKeeper};
use crate::http::ws::WsOptions;
use crate::rate::Rate;
use crate::sessions::{
    Allowance, Excess, QuotaOptions, SessionsOptions, SharedBy, TierOptions, Tiers,
};
use crate::stanza::address::{self, BareJid};
use crate::stream::{SmOptions, StreamOptions};
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

/// How long PROXY header and TLS handshake may take together.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// The domains in canonical form, as the streams compare them.
pub fn hosts(config: &Config) -> Vec<Arc<str>> {
    let canonical = |domain: &String| match address::parse_bare(domain) {
        Ok(jid) => jid.domain().as_str().into(),
        Err(_) => domain.as_str().into(), // the options have been checked
    };
    config.domains.iter().map(canonical).collect()
}

pub(crate) fn stream(config: &Config) -> StreamOptions {
    let (limits, sm) = (&config.limits, &config.sm);
    let defaults = crate::xml::Limits::default();
    StreamOptions {
        hosts: hosts(config),
        max_stanza_bytes: limits.max_stanza_bytes,
        max_stanza_bytes_before_auth: limits.max_stanza_bytes_before_auth,
        xml: crate::xml::Limits {
            depth: u16::try_from(limits.max_depth).unwrap_or(u16::MAX),
            attributes: u16::try_from(limits.max_attributes).unwrap_or(u16::MAX),
            namespaces: u16::try_from(limits.max_namespaces).unwrap_or(u16::MAX),
            ..defaults
        },
        ws_idle_timeout: config.ws.idle_timeout,
        bosh_inactivity: config.bosh.inactivity,
        login_timeout: limits.login_timeout,
        failures_per_stream: config.auth.failures_per_stream,
        registration: config.registration.enabled,
        see_other_uri: config.ws.see_other_uri.as_deref().map(Into::into),
        sm: SmOptions {
            enabled: sm.enabled,
            unsolicited_ack_frequency: sm.unsolicited_ack_frequency,
            unsolicited_ack_delay: sm.unsolicited_ack_delay,
            ack_request_frequency: sm.ack_request_frequency,
            ack_request_delay: sm.ack_request_delay,
            ack_timeout: sm.ack_timeout,
            resume_timeout: sm.resume_timeout,
            max_hibernating_per_user: sm.max_hibernating_per_user,
            max_unacked: sm.max_unacked,
            max_unacked_bytes: limits.send_queue_bytes,
            first_h: sm.debug_first_h,
        },
    }
}

/// The same with what an endpoint has for itself.
pub(super) fn stream_at(config: &Config, endpoint: &config::Endpoint) -> StreamOptions {
    stream(&Config {
        sm: config.sm.with(&endpoint.sm),
        ..config.clone()
    })
}

pub(super) fn sessions(config: &Config) -> SessionsOptions {
    SessionsOptions {
        sessions_per_user: config.limits.sessions_per_user,
        send_queue: config.limits.send_queue,
        send_queue_bytes: config.limits.send_queue_bytes,
        max_unacked: config.sm.max_unacked,
        max_hibernating_per_user: config.sm.max_hibernating_per_user,
        repeat_window: config.sm.repeat_window,
    }
}

pub(super) fn quotas(config: &Config) -> QuotaOptions {
    let limits = &config.limits;
    QuotaOptions {
        stanzas: Rate {
            per_second: limits.user_stanzas_per_second,
            burst: limits.user_stanzas_burst,
        },
        bytes: Rate {
            per_second: limits.user_bytes_per_second as u64,
            burst: limits.user_bytes_burst as u64,
        },
        excess: match limits.user_excess {
            UserExcess::Slow => Excess::Slow,
            UserExcess::Refuse => Excess::Refuse,
            UserExcess::Close => Excess::Close,
        },
    }
}

/// Puts the tiers into force. BOSH has that of the first endpoint.
pub(super) fn take_up_tiers(tiers: &Tiers, config: &Config) {
    let all = config.tiers.iter();
    let all = all.map(|(name, options)| (name.clone(), tier(options)));
    let endpoints = config.endpoints.iter().filter_map(|endpoint| {
        let tier = endpoint.tier.clone()?;
        Some((endpoint.name.clone(), tier))
    });
    let first = config.endpoints.first();
    let bosh = first.and_then(|endpoint| endpoint.tier.clone());
    tiers.set_options(all, endpoints, bosh);
}

fn tier(tier: &config::Tier) -> TierOptions {
    let allowance = |rate: Option<config::RateLimit>, at_once| {
        rate.map_or(Allowance::UNLIMITED, |rate| Allowance {
            amount: rate.amount,
            per: rate.per,
            at_once,
        })
    };
    TierOptions {
        shared_by: match tier.per {
            TierPer::User => SharedBy::User,
            TierPer::Session => SharedBy::Session,
            TierPer::Ip => SharedBy::Address,
            TierPer::Endpoint => SharedBy::Endpoint,
        },
        stanzas: allowance(tier.stanzas, tier.stanzas_at_once()),
        bytes: allowance(tier.bytes, tier.bytes_at_once()),
        excess: match tier.on_exceed {
            OnExceed::Delay => Excess::Slow,
            OnExceed::Reject => Excess::Refuse,
            OnExceed::Close => Excess::Close,
        },
    }
}

pub(super) fn door(config: &Config) -> DoorOptions {
    let limits = &config.limits;
    DoorOptions {
        connections: Rate {
            per_second: limits.new_connections_per_second,
            burst: limits.new_connections_burst,
        },
        logins: Rate {
            per_second: limits.logins_per_second,
            burst: limits.logins_burst,
        },
    }
}

pub(super) fn local(config: &Config, demo: &HashSet<BareJid>) -> LocalOptions {
    LocalOptions {
        hosts: hosts(config),
        scram_iterations: config.auth.scram_iterations,
        plain: config.auth.plain == PlainPolicy::Private,
        anonymous: config.auth.anonymous,
        external_beside_others: false,
        demo: demo.clone(),
        roster_items: config.limits.roster_items,
        offline_messages: config.limits.offline_messages,
        registration: config.registration.enabled,
        cancellation: config.registration.cancellation,
        conflict: match config.auth.resource_conflict {
            ResourceConflict::Replace => ConflictPolicy::Replace,
            ResourceConflict::Refuse => ConflictPolicy::Refuse,
        },
    }
}

pub(super) fn ws(config: &Config) -> WsOptions {
    WsOptions {
        ping_interval: config.ws.ping_interval,
        idle_timeout: config.ws.idle_timeout,
    }
}

pub(super) fn bosh(config: &Config) -> BoshHttpOptions {
    let bosh = &config.bosh;
    let window = crate::stream::bosh::Options {
        max_wait: bosh.max_wait,
        max_hold: u8::try_from(bosh.requests.saturating_sub(1)).unwrap_or(u8::MAX),
        inactivity: bosh.inactivity,
        polling_inactivity: bosh.inactivity.max(bosh.polling * 2),
        polling: bosh.polling,
        max_pause: bosh.max_pause,
        ..crate::stream::bosh::Options::default()
    };
    BoshHttpOptions {
        window,
        origins: origins(config, None),
        max_sessions: config.limits.connections,
        ..BoshHttpOptions::default()
    }
}

/// One cap for the ports that clients use.
pub(super) fn connections(config: &Config) -> ConnectionCap {
    let limits = &config.limits;
    ConnectionCap::new(limits.connections).with_per_address(limits.connections_per_address)
}

pub(super) fn listener(
    config: &Config,
    connections: &ConnectionCap,
    tls: Option<Arc<TlsKeeper>>,
) -> ListenerOptions {
    ListenerOptions {
        connections: connections.clone(),
        handshake_timeout: HANDSHAKE_TIMEOUT,
        header_timeout: config.limits.header_timeout,
        trusted_proxies: config.listen.trusted_proxies.iter().copied().collect(),
        forwarded_header: match config.listen.forwarded_header {
            config::ForwardedHeader::XForwardedFor => ForwardedHeader::XForwardedFor,
            config::ForwardedHeader::Forwarded => ForwardedHeader::Forwarded,
        },
        tls,
        ..ListenerOptions::default()
    }
}

/// `None`: the options name no certificate and want none of our making.
pub(super) fn certificate(config: &Config) -> Option<CertificateSource> {
    match &config.tls.cert {
        Some(cert) => {
            let key = config.tls.key.as_ref().unwrap_or(cert);
            Some(CertificateSource::Files {
                cert: cert.clone(),
                key: key.clone(),
            })
        }
        None if config.tls.self_signed => {
            let host = config.public_url().host().to_owned();
            let names = config.domains.iter().cloned().chain([host]).collect();
            Some(CertificateSource::SelfSigned {
                state_dir: config.state_dir.clone(),
                names,
            })
        }
        None => None,
    }
}

/// The pages that may use an endpoint, or, with none, BOSH: that of the first endpoint.
pub(super) fn origins(config: &Config, endpoint: Option<&crate::config::Endpoint>) -> OriginPolicy {
    let Some(endpoint) = endpoint.or(config.endpoints.first()) else {
        return OriginPolicy::Only(Vec::new());
    };
    match config.allowed_origins(endpoint) {
        None => OriginPolicy::Any,
        Some(origins) => {
            let origins = origins
                .iter()
                .filter_map(|origin| Origin::of_url(origin).ok());
            OriginPolicy::Only(origins.collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Sources;

    fn config(sets: &[&str]) -> Config {
        let set = sets.iter().map(|set| (*set).to_owned()).collect();
        let sources = Sources {
            set,
            ..Sources::default()
        };
        Config::load(&sources).unwrap()
    }

    #[test]
    fn resource_conflict_and_cancellation_reach_the_services() {
        let demo = HashSet::new();
        let defaults = local(&config(&[]), &demo);
        assert_eq!(defaults.conflict, ConflictPolicy::Replace);
        assert!(!defaults.cancellation);
        let other = config(&[
            "auth.resource_conflict=refuse",
            "registration.cancellation=true",
        ]);
        let other = local(&other, &demo);
        assert_eq!(other.conflict, ConflictPolicy::Refuse);
        assert!(other.cancellation);
    }

    #[test]
    fn the_header_that_proxies_write_reaches_the_listener() {
        let cap = ConnectionCap::new(1);
        let of = |sets: &[&str]| listener(&config(sets), &cap, None).forwarded_header;
        assert_eq!(of(&[]), ForwardedHeader::XForwardedFor);
        assert_eq!(
            of(&["listen.forwarded_header=forwarded"]),
            ForwardedHeader::Forwarded
        );
    }
}
