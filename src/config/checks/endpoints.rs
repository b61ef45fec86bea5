//! Endpoints that stand in each other's way, or lack what they name.

use std::collections::HashMap;

use super::Conflict;
use crate::config::{AuthMethod, BOSH_PATH, Config, Endpoint};

pub(super) fn conflicts(config: &Config) -> Vec<Conflict> {
    let mut found = Vec::new();
    if config.endpoints.is_empty() {
        let why = "endpoint is an empty list; to serve no WebSocket set ws.enabled = false";
        found.push(Conflict {
            keys: vec!["endpoint".to_owned()],
            why: why.to_owned(),
        });
    }
    found.extend(same_names(config));
    found.extend(path_conflicts(config));
    for (index, endpoint) in config.endpoints.iter().enumerate() {
        let own = [anybody_comes_last(index, endpoint)].into_iter().flatten();
        found.extend(own);
        found.extend(unknown_tier(config, index, endpoint));
        let methods = endpoint.auth.iter();
        found.extend(methods.filter_map(|method| is_set_up(config, index, *method)));
    }
    found
}

/// Whether endpoints of `config` stand where something else is served, so that they cannot be.
pub(in crate::config) fn paths_collide(config: &Config) -> bool {
    !path_conflicts(config).is_empty()
}

/// The option `key` of the endpoint `index` is to blame, or what is named beside it.
fn blame(index: usize, key: &str, beside: &[&str], why: String) -> Conflict {
    let beside = beside.iter().map(|key| (*key).to_owned());
    let own = ["endpoint".to_owned(), format!("endpoint.{index}.{key}")];
    Conflict {
        keys: own.into_iter().chain(beside).collect(),
        why,
    }
}

fn same_names(config: &Config) -> Vec<Conflict> {
    let mut found = Vec::new();
    let mut names = HashMap::new();
    for (index, Endpoint { name, .. }) in config.endpoints.iter().enumerate() {
        if let Some(first) = names.insert(name, index) {
            let why = format!(
                "endpoints {first} and {index} (counted from 0) have the same name {name:?}"
            );
            found.push(blame(index, "name", &[], why));
        }
    }
    found
}

fn path_conflicts(config: &Config) -> Vec<Conflict> {
    let mut found = Vec::new();
    let mut paths = HashMap::new();
    let served = served_beside(config);
    for (index, endpoint) in config.endpoints.iter().enumerate() {
        let keys = std::iter::once("path").chain(std::iter::repeat("paths"));
        for (key, path) in keys.zip(endpoint.all_paths()) {
            match paths.insert(path, index) {
                Some(first) if first == index => {
                    let why =
                        format!("endpoint {index} (counted from 0) has the path {path:?} twice");
                    found.push(blame(index, key, &[], why));
                }
                Some(first) => {
                    let why = format!(
                        "endpoints {first} and {index} (counted from 0) have the same path {path:?}"
                    );
                    found.push(blame(index, key, &[], why));
                }
                None => {}
            }
            let taken = served.iter().find(|(taken, _)| path.starts_with(taken));
            if let Some((taken, option)) = taken {
                let why = format!(
                    "endpoint.{key} {path:?} is in {taken:?}, which is served already{}",
                    option.map_or(String::new(), |option| format!(" ({option})"))
                );
                let beside: Vec<&str> = option.iter().copied().collect();
                found.push(blame(index, key, &beside, why));
            }
        }
    }
    found
}

/// What is served beside the endpoints, and the option that says so.
fn served_beside(config: &Config) -> Vec<(&'static str, Option<&'static str>)> {
    let mut served = vec![("/.well-known/", None)];
    let mut add = |applies: bool, path, option| {
        if applies {
            served.push((path, Some(option)));
        }
    };
    add(config.bosh.enabled, BOSH_PATH, "bosh.enabled");
    add(
        config.web.client_dir.is_some(),
        "/client/",
        "web.client_dir",
    );
    add(config.web.console, "/console/", "web.console");
    add(config.web.console, "/console.json/", "web.console");
    served
}

fn anybody_comes_last(index: usize, endpoint: &Endpoint) -> Option<Conflict> {
    let (_, before) = endpoint.auth.split_last()?;
    if !before.contains(&AuthMethod::Anybody) {
        return None;
    }
    let name = &endpoint.name;
    let why = format!(
        "endpoint.auth of {name:?} has \"none\" before another word, which would never be asked; \
         put \"none\" last"
    );
    Some(blame(index, "auth", &[], why))
}

fn is_set_up(config: &Config, index: usize, method: AuthMethod) -> Option<Conflict> {
    let auth = &config.auth;
    let (is_set_up, needs): (bool, &[&str]) = match method {
        AuthMethod::Anybody | AuthMethod::Ticket => return None,
        AuthMethod::Jwt => (
            auth.jwt.jwks_url.is_some() || auth.jwt.jwks_file.is_some(),
            &["auth.jwt.jwks_url", "auth.jwt.jwks_file"],
        ),
        AuthMethod::Token => (auth.token.file.is_some(), &["auth.token.file"]),
        AuthMethod::Session => (auth.session.url.is_some(), &["auth.session.url"]),
    };
    if is_set_up {
        return None;
    }
    let name = &config.endpoints.get(index)?.name;
    let why = format!(
        "endpoint.auth of {name:?} has \"{method}\", which needs {}",
        needs.join(" or ")
    );
    Some(blame(index, "auth", needs, why))
}

fn unknown_tier(config: &Config, index: usize, endpoint: &Endpoint) -> Option<Conflict> {
    let tier = endpoint.tier.as_ref()?;
    if config.tiers.contains_key(tier) {
        return None;
    }
    let hint = match crate::config::load::most_like(config.tiers.keys(), tier) {
        Some(known) => format!("did you mean {known:?}?"),
        None => "write one".to_owned(),
    };
    let name = &endpoint.name;
    let why = format!("endpoint.tier {tier:?} of {name:?}: there is no [tier.{tier}]; {hint}");
    Some(blame(index, "tier", &[], why))
}
