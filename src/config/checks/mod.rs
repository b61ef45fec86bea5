//! Values that are allowed alone and not together.

mod endpoints;
mod sm;
mod tiers;

pub(super) use endpoints::paths_collide;

use std::collections::HashMap;

use super::units::{format_duration, format_size};
use super::{AuthMethod, Config, Origins};

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
        admin_has_a_token,
        keys_have_one_source,
    ]);
    let mut found: Vec<Conflict> = checks.filter_map(|check| check(config)).collect();
    found.extend(sm::conflicts(config));
    found.extend(tiers::conflicts(config));
    found.extend(endpoints::conflicts(config));
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
    if config.bosh.enabled {
        return None;
    }
    if !config.ws.enabled {
        let why = "ws.enabled and bosh.enabled are both false; no client could connect";
        return conflict(&["ws.enabled", "bosh.enabled"], why.to_owned());
    }
    // That there are none at all is told elsewhere.
    let endpoints = &config.endpoints;
    if endpoints.is_empty() || endpoints.iter().any(|endpoint| endpoint.enabled) {
        return None;
    }
    let mut keys = vec!["bosh.enabled".to_owned()];
    keys.extend((0..endpoints.len()).map(|index| format!("endpoint.{index}.enabled")));
    let why = "bosh.enabled and endpoint.enabled of every endpoint are false; no client could \
               connect";
    Some(Conflict {
        keys,
        why: why.to_owned(),
    })
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

/// It has no TLS, so nobody is to open it to the network by a slip.
fn admin_is_closed(config: &Config) -> Option<Conflict> {
    let listen = &config.listen;
    let address = listen.admin?;
    if address.ip().to_canonical().is_loopback() || listen.admin_public {
        return None;
    }
    let why = format!(
        "listen.admin ({address}) can be reached from other machines and has no TLS; use a \
         loopback address, or set listen.admin_public = true if nobody can listen in"
    );
    conflict(&["listen.admin", "listen.admin_public"], why)
}

fn admin_has_a_token(config: &Config) -> Option<Conflict> {
    let address = config.listen.admin?;
    if address.ip().to_canonical().is_loopback() || config.admin.token_file.is_some() {
        return None;
    }
    let why = format!(
        "listen.admin ({address}) can be reached from other machines, so admin.token_file has to \
         name the file of the token that it asks for"
    );
    conflict(&["listen.admin", "admin.token_file"], why)
}

fn keys_have_one_source(config: &Config) -> Option<Conflict> {
    let jwt = &config.auth.jwt;
    if jwt.jwks_url.is_none() || jwt.jwks_file.is_none() {
        return None;
    }
    let why = "auth.jwt.jwks_url and auth.jwt.jwks_file are both set; keep one";
    conflict(&["auth.jwt.jwks_url", "auth.jwt.jwks_file"], why.to_owned())
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
                .is_some_and(|address| !address.ip().to_canonical().is_loopback()),
            "listen.admin can be reached from other machines without TLS: who listens in reads the \
             token",
        );
        warn(
            self.endpoints
                .iter()
                .any(|endpoint| endpoint.origins == Origins::Any),
            "endpoint.origins is \"*\": any web page may open a stream in the browser of a visitor",
        );
        let asks = |method| {
            self.endpoints
                .iter()
                .any(|endpoint| endpoint.auth.contains(&method))
        };
        let jwt = &self.auth.jwt;
        let keys = jwt.jwks_url.is_some() || jwt.jwks_file.is_some();
        let takes_jwt = asks(AuthMethod::Jwt) || (keys && jwt.oauthbearer);
        warn(
            takes_jwt && jwt.audience.is_none(),
            "auth.jwt.audience is not set: a token that was made for another service will do, too",
        );
        let in_clear = |url: &Option<String>| url.as_deref().is_some_and(is_in_clear);
        warn(
            in_clear(&jwt.jwks_url),
            "auth.jwt.jwks_url is http: who is on the way can give keys of their own",
        );
        warn(
            in_clear(&self.auth.session.url),
            "auth.session.url is http: what clients are let in by can be read on the way",
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

/// Whether what is sent there leaves this machine without TLS.
fn is_in_clear(url: &str) -> bool {
    let site = url.splitn(4, '/').take(3).collect::<Vec<_>>().join("/");
    let site = site.split(['?', '#']).next().unwrap_or_default();
    super::PublicUrl::parse(site).is_ok_and(|url| !url.is_secure() && !is_loopback(url.host()))
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || address
            .parse::<std::net::IpAddr>()
            .is_ok_and(|ip| ip.is_loopback())
}
