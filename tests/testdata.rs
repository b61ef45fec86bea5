//! The scanner over all of `xmpp-testdata`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use stanzad::xml::{Element, FaultKind, Scanner, XmlFault};

/// `manifest.toml`; its keys are told in `xmpp-testdata/README.md`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    frame: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    about: String,
    conformance: Vec<String>,
    file: Option<PathBuf>,
    recipe: Option<Vec<Part>>,
    scanner: String,
    before_auth: Vec<String>,
    bound: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Part {
    text: String,
    repeat: Option<usize>,
}

impl Entry {
    fn text(&self) -> String {
        match (&self.file, &self.recipe) {
            (Some(file), None) => fs::read_to_string(directory().join(file)).expect(&self.name),
            (None, Some(recipe)) => recipe.iter().map(Part::text).collect(),
            _ => panic!("{}: either file or recipe", self.name),
        }
    }
}

impl Part {
    fn text(&self) -> String {
        match self.repeat {
            None => self.text.clone(),
            Some(times) => (0..times)
                .map(|n| self.text.replace("{n}", &n.to_string()))
                .collect(),
        }
    }
}

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("xmpp-testdata")
}

fn entries() -> Vec<Entry> {
    let manifest = fs::read_to_string(directory().join("manifest.toml")).expect("manifest.toml");
    toml::from_str::<Manifest>(&manifest)
        .expect("manifest.toml")
        .frame
}

fn outcome<T>(result: Result<T, XmlFault>) -> &'static str {
    match result.map_err(|fault| fault.kind()) {
        Ok(_) => "accept",
        Err(FaultKind::EmptyFrame) => "empty-frame",
        Err(kind) => kind.condition().expect("all other kinds have one"),
    }
}

#[test]
fn scanner_says_of_every_frame_what_the_manifest_says() {
    let mut scanner = Scanner::default();
    for entry in entries() {
        let text = entry.text();
        assert_eq!(
            outcome(scanner.scan(&text)),
            entry.scanner,
            "{}",
            entry.name
        );
    }
}

#[test]
fn tree_is_read_from_exactly_the_frames_that_the_scanner_accepts() {
    for entry in entries() {
        assert_eq!(
            outcome(Element::parse(&entry.text())),
            entry.scanner,
            "{}",
            entry.name
        );
    }
}

#[test]
fn every_accepted_frame_reads_back_the_same_after_it_was_written() {
    for entry in entries().iter().filter(|entry| entry.scanner == "accept") {
        let element = Element::parse(&entry.text()).expect(&entry.name);
        let written = element.to_string();
        assert_eq!(
            Element::parse(&written).as_ref(),
            Ok(&element),
            "{}",
            entry.name
        );
    }
}

#[test]
fn every_child_of_an_accepted_frame_is_the_same_as_a_document_of_its_own() {
    let mut scanner = Scanner::default();
    // Thousands of equal children tell nothing new.
    for entry in entries()
        .iter()
        .filter(|e| e.scanner == "accept" && e.file.is_some())
    {
        let text = entry.text();
        let frame = scanner.scan(&text).expect(&entry.name);
        let element = Element::parse(&text).expect(&entry.name);
        assert_eq!(
            frame.children().len(),
            element.children().count(),
            "{}",
            entry.name
        );
        for (i, child) in element.children().enumerate() {
            let document = Element::parse(&frame.child_document(i, None));
            assert_eq!(document.as_ref(), Ok(child), "{}, child {i}", entry.name);
        }
    }
}

#[test]
fn manifest_lists_every_file_once_and_nothing_else() {
    let entries = entries();
    let names: BTreeSet<_> = entries.iter().map(|entry| &entry.name).collect();
    assert_eq!(names.len(), entries.len(), "a name occurs twice");
    let listed: BTreeSet<_> = entries.iter().filter_map(|e| e.file.clone()).collect();
    let mut present = BTreeSet::new();
    for group in ["good", "bad", "hostile"] {
        for file in fs::read_dir(directory().join(group)).expect(group) {
            present.insert(Path::new(group).join(file.expect(group).file_name()));
        }
    }
    assert_eq!(listed, present);
}

#[test]
fn manifest_says_of_every_frame_what_it_is_and_what_comes_of_it() {
    for entry in entries() {
        assert!(!entry.about.is_empty(), "{}", entry.name);
        assert!(
            !entry.before_auth.is_empty() && !entry.bound.is_empty(),
            "{}",
            entry.name
        );
        let is_item = |id: &String| id.len() == 4 && id.get(1..2) == Some("-");
        assert!(entry.conformance.iter().all(is_item), "{}", entry.name);
        // What the scanner refuses, no stream takes.
        let refused = !matches!(entry.scanner.as_str(), "accept" | "empty-frame");
        assert!(
            !refused || entry.bound.contains(&entry.scanner),
            "{}",
            entry.name
        );
    }
}
