//! Loading, as an operator sees it.

mod any_input;
mod complaints_about_keys;
mod complaints_about_pairs;
mod complaints_about_values;
mod endpoints;
mod in_print;
mod precedence;
mod tiers;
mod values;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::*;

/// A file of these lines; the directory lives as long as the guard.
fn file(text: &str) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("stanzad.toml");
    std::fs::write(&path, text).unwrap();
    (dir, path)
}

fn load_file(text: &str) -> Result<Config, ConfigErrors> {
    let (_dir, path) = file(text);
    Config::load(&Sources {
        file: Some(path),
        ..Sources::default()
    })
}

fn load_set(arguments: &[&str]) -> Result<Config, ConfigErrors> {
    let set = arguments
        .iter()
        .map(|argument| (*argument).to_owned())
        .collect();
    Config::load(&Sources {
        set,
        ..Sources::default()
    })
}

fn load_environment(variables: &[(&str, &str)]) -> Result<Config, ConfigErrors> {
    let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    let environment = variables.iter().map(own).collect();
    Config::load(&Sources {
        environment,
        ..Sources::default()
    })
}

/// The lines of the errors, without the directory of the file.
fn complaints(result: Result<Config, ConfigErrors>) -> Vec<String> {
    let errors = result.expect_err("a complaint").to_string();
    let short = |line: &str| match line.find("stanzad.toml") {
        Some(at) => line[at..].to_owned(),
        None => line.to_owned(),
    };
    errors.lines().map(short).collect()
}
