//! Values that are allowed alone and not together.

use std::collections::HashMap;

use super::units::{format_duration, format_size};
use super::{Config, Origins};

/// Values that do not go together.
pub(super) struct Conflict {
    /// The keys concerned; the one that was set last is to blame.
    pub keys: Vec<String>,
    /// What is wrong and what to do.
    pub why: String,
}

/// All of them.
pub(super) fn conflicts(config: &Config) -> Vec<Conflict> {
    let checks = [
        link_is_pinged_before_it_is_dead,
        something_is_listened_on,
        listeners_differ,
    ];
    let checks = checks
        .into_iter()
        .chain([something_is_served, key_has_a_certificate]);
    let checks = checks.chain([tls_has_a_certificate, bytes_before_auth_are_fewer]);
    let checks = checks.chain([
        redirection_stays_secure,
        queue_holds_a_stanza,
        burst_holds_a_stanza,
        admin_is_closed,
        acks_are_asked_for,
        acks_come_before_the_bound,
    ]);
    let mut found: Vec<Conflict> = checks.filter_map(|check| check(config)).collect();
    found.extend(endpoint_conflicts(config));
    found
}

fn conflict(keys: &[&str], why: String) -> Option<Conflict> {
    Some(Conflict {
        keys: keys.iter().map(|key| (*key).to_owned()).collect(),
        why,
    })
}

fn link_is_pinged_before_it_is_dead(config: &Config) -> Option<Conflict> {
    let ws = &config.ws;
    if ws.idle_timeout > ws.ping_interval {
        return None;
    }
    let (idle, ping) = (
        format_duration(ws.idle_timeout),
        format_duration(ws.ping_interval),
    );
    let why = format!(
        "ws.idle_timeout ({idle}) has to be longer than ws.ping_interval ({ping}), or every quiet \
         link is taken for dead before it is asked"
    );
    conflict(&["ws.idle_timeout", "ws.ping_interval"], why)
}

/// RFC 7395 §3.6.1: a client that came by wss is not sent to ws.
fn redirection_stays_secure(config: &Config) -> Option<Conflict> {
    let uri = config.ws.see_other_uri.as_ref()?;
    if !config.public_url().is_secure() || uri.starts_with("wss:") {
        return None;
    }
    let why = format!("ws.see_other_uri ({uri}) has to be wss, as public_url is https");
    conflict(&["ws.see_other_uri", "public_url"], why)
}

fn something_is_listened_on(config: &Config) -> Option<Conflict> {
    if config.listen.plain.is_some() || config.listen.tls.is_some() {
        return None;
    }
    let why = "listen.plain and listen.tls are both \"none\"; set one of them";
    conflict(&["listen.plain", "listen.tls"], why.to_owned())
}

fn listeners_differ(config: &Config) -> Option<Conflict> {
    let listen = &config.listen;
    let named = [
        ("listen.plain", listen.plain),
        ("listen.tls", listen.tls),
        ("listen.admin", listen.admin),
    ];
    let mut seen = HashMap::new();
    for (key, address) in named {
        // Port 0 is a different free port each time.
        let Some(address) = address.filter(|address| address.port() != 0) else {
            continue;
        };
        if let Some(other) = seen.insert(address, key) {
            let why = format!("{other} and {key} are both {address}; each needs a port of its own");
            return conflict(&[other, key], why);
        }
    }
    None
}

fn something_is_served(config: &Config) -> Option<Conflict> {
    if config.ws.enabled || config.bosh.enabled {
        return None;
    }
    let why = "ws.enabled and bosh.enabled are both false; no client could connect";
    conflict(&["ws.enabled", "bosh.enabled"], why.to_owned())
}

fn key_has_a_certificate(config: &Config) -> Option<Conflict> {
    if config.tls.key.is_none() || config.tls.cert.is_some() {
        return None;
    }
    let why = "tls.key is set and tls.cert is not; set it to the certificate of that key";
    conflict(&["tls.key", "tls.cert"], why.to_owned())
}

fn tls_has_a_certificate(config: &Config) -> Option<Conflict> {
    if config.listen.tls.is_none() || config.tls.cert.is_some() || config.tls.self_signed {
        return None;
    }
    let why =
        "listen.tls needs a certificate: set tls.cert, or allow one by tls.self_signed = true";
    conflict(
        &["listen.tls", "tls.cert", "tls.self_signed"],
        why.to_owned(),
    )
}

fn bytes_before_auth_are_fewer(config: &Config) -> Option<Conflict> {
    let limits = &config.limits;
    if limits.max_stanza_bytes_before_auth <= limits.max_stanza_bytes {
        return None;
    }
    let before = format_size(limits.max_stanza_bytes_before_auth);
    let after = format_size(limits.max_stanza_bytes);
    let why = format!(
        "limits.max_stanza_bytes_before_auth ({before}) allows a stranger more than \
         limits.max_stanza_bytes ({after}) allows an account"
    );
    conflict(
        &[
            "limits.max_stanza_bytes_before_auth",
            "limits.max_stanza_bytes",
        ],
        why,
    )
}

fn queue_holds_a_stanza(config: &Config) -> Option<Conflict> {
    let limits = &config.limits;
    if limits.send_queue_bytes >= limits.max_stanza_bytes {
        return None;
    }
    let (queue, stanza) = (
        format_size(limits.send_queue_bytes),
        format_size(limits.max_stanza_bytes),
    );
    let why = format!(
        "limits.send_queue_bytes ({queue}) holds no stanza of limits.max_stanza_bytes ({stanza})"
    );
    conflict(&["limits.send_queue_bytes", "limits.max_stanza_bytes"], why)
}

fn burst_holds_a_stanza(config: &Config) -> Option<Conflict> {
    let limits = &config.limits;
    if limits.user_bytes_per_second == 0 || limits.user_bytes_burst >= limits.max_stanza_bytes {
        return None;
    }
    let (burst, stanza) = (
        format_size(limits.user_bytes_burst),
        format_size(limits.max_stanza_bytes),
    );
    let why = format!(
        "limits.user_bytes_burst ({burst}) holds no stanza of limits.max_stanza_bytes ({stanza})"
    );
    conflict(&["limits.user_bytes_burst", "limits.max_stanza_bytes"], why)
}

/// It asks for no password, so nobody is to open it to the network by a slip.
fn admin_is_closed(config: &Config) -> Option<Conflict> {
    let listen = &config.listen;
    let address = listen.admin?;
    if address.ip().to_canonical().is_loopback() || listen.admin_public {
        return None;
    }
    let why = format!(
        "listen.admin ({address}) can be reached from other machines and asks for no password; \
         use a loopback address, or set listen.admin_public = true if a firewall guards it"
    );
    conflict(&["listen.admin", "listen.admin_public"], why)
}

fn acks_are_asked_for(config: &Config) -> Option<Conflict> {
    let sm = &config.sm;
    if !sm.enabled || sm.ack_request_frequency != 0 || !sm.ack_request_delay.is_zero() {
        return None;
    }
    let why = "sm.ack_request_frequency and sm.ack_request_delay are both 0, so the server never \
               asks for an ack and sm.max_unacked is reached in time; set one of them";
    conflict(
        &["sm.ack_request_frequency", "sm.ack_request_delay"],
        why.to_owned(),
    )
}

fn acks_come_before_the_bound(config: &Config) -> Option<Conflict> {
    let sm = &config.sm;
    if (sm.ack_request_frequency as usize) < sm.max_unacked {
        return None;
    }
    let (frequency, bound) = (sm.ack_request_frequency, sm.max_unacked);
    let why = format!(
        "sm.ack_request_frequency ({frequency}) has to be lower than sm.max_unacked ({bound}), or \
         the queue is full before an ack is asked for"
    );
    conflict(&["sm.ack_request_frequency", "sm.max_unacked"], why)
}

/// What is served beside the endpoints.
const RESERVED_PATHS: [&str; 3] = [super::BOSH_PATH, "/client/", "/.well-known/"];

fn endpoint_conflicts(config: &Config) -> Vec<Conflict> {
    let mut found = Vec::new();
    if config.endpoints.is_empty() {
        let why = "endpoint is an empty list; to serve no WebSocket set ws.enabled = false";
        found.extend(conflict(&["endpoint"], why.to_owned()));
    }
    let (mut names, mut paths) = (HashMap::new(), HashMap::new());
    for (index, endpoint) in config.endpoints.iter().enumerate() {
        let mut blame = |key: &str, why: String| {
            let key = format!("endpoint.{index}.{key}");
            found.extend(conflict(&["endpoint", &key], why));
        };
        if let Some(first) = names.insert(&endpoint.name, index) {
            let name = &endpoint.name;
            blame(
                "name",
                format!(
                    "endpoints {first} and {index} (counted from 0) have the same name {name:?}"
                ),
            );
        }
        if let Some(first) = paths.insert(&endpoint.path, index) {
            let path = &endpoint.path;
            blame(
                "path",
                format!(
                    "endpoints {first} and {index} (counted from 0) have the same path {path:?}"
                ),
            );
        }
        if let Some(reserved) = RESERVED_PATHS
            .iter()
            .find(|path| endpoint.path.starts_with(**path))
        {
            blame(
                "path",
                format!(
                    "endpoint.path {:?} is in {reserved:?}, which is served already",
                    endpoint.path
                ),
            );
        }
    }
    found
}

impl Config {
    /// What is allowed and yet may not be meant: a sentence for each, for `config check` and the log.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        let mut warn = |applies: bool, text: &str| {
            if applies {
                warnings.push(text.to_owned());
            }
        };
        let tls = self.listen.tls.is_some();
        warn(
            self.tls.cert.is_some() && !tls,
            "tls.cert is set and listen.tls is not: the certificate is not used",
        );
        warn(
            self.public_url
                .as_ref()
                .is_some_and(|url| !url.is_secure() && !is_loopback(url.host())),
            "public_url is http: what browsers send can be read on the way",
        );
        warn(
            self.listen
                .plain
                .is_some_and(|address| !address.ip().is_loopback())
                && self.listen.trusted_proxies.is_empty(),
            "listen.plain can be reached from other machines without TLS",
        );
        warn(
            self.listen
                .admin
                .is_some_and(|address| !address.ip().is_loopback()),
            "listen.admin can be reached from other machines, and it asks for no password",
        );
        warn(
            self.endpoints
                .iter()
                .any(|endpoint| endpoint.origins == Origins::Any),
            "endpoint.origins is \"*\": any web page may open a stream in the browser of a visitor",
        );
        warn(
            self.sm.debug_first_h != 0,
            "sm.debug_first_h is set: for tests only",
        );
        warn(
            self.registration.enabled,
            "registration.enabled: anybody can make an account",
        );
        warnings
    }
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || address
            .parse::<std::net::IpAddr>()
            .is_ok_and(|ip| ip.is_loopback())
}
