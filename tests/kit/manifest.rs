//! `xmpp-testdata`, read as its README tells.

use serde::Deserialize;
use std::path::{Path, PathBuf};

#[derive(Deserialize)]
struct Manifest {
    frame: Vec<Entry>,
}

/// One frame, and what has to come of it.
#[derive(Deserialize)]
pub struct Entry {
    pub name: String,
    pub conformance: Vec<String>,
    file: Option<PathBuf>,
    recipe: Option<Vec<Part>>,
    pub before_auth: Vec<String>,
    pub bound: Vec<String>,
}

#[derive(Deserialize)]
struct Part {
    text: String,
    repeat: Option<usize>,
}

impl Entry {
    /// The frame itself.
    pub fn text(&self) -> String {
        match (&self.file, &self.recipe) {
            (Some(file), None) => {
                std::fs::read_to_string(directory().join(file)).expect(&self.name)
            }
            (None, Some(recipe)) => recipe.iter().map(Part::text).collect(),
            _ => panic!("{}: either file or recipe", self.name),
        }
    }
}

impl Part {
    fn text(&self) -> String {
        let Some(times) = self.repeat else {
            return self.text.clone();
        };
        let numbered = |n: usize| self.text.replace("{n}", &n.to_string());
        (0..times).map(numbered).collect()
    }
}

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("xmpp-testdata")
}

pub fn entries() -> Vec<Entry> {
    let manifest = std::fs::read_to_string(directory().join("manifest.toml"));
    let manifest: Manifest = toml::from_str(&manifest.expect("manifest.toml")).expect("a manifest");
    manifest.frame
}
