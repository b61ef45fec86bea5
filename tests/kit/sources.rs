//! The tests that there are, read from their sources: for the tables that name them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Where `Cargo.toml` is.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The cells of each line of a table in Markdown that has so many.
pub fn cells<const N: usize>(table: &str) -> Vec<[String; N]> {
    let text = std::fs::read_to_string(root().join(table)).expect("the table");
    let cells = text.lines().map(|line| {
        let line = line.trim_start_matches('|').trim_end_matches('|');
        let cells = line.split('|').map(|cell| cell.trim().to_owned());
        cells.collect::<Vec<_>>()
    });
    cells.filter_map(|cells| cells.try_into().ok()).collect()
}

/// The tests that a cell names, as `file::function` between backticks.
pub fn named(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').filter(|name| name.contains("::"))
}

/// Every file below a directory with this ending.
pub fn files(directory: &Path, ending: &str, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() && !path.ends_with("node_modules") {
            files(&path, ending, found);
        } else if path.to_string_lossy().ends_with(ending) {
            found.push(path);
        }
    }
}

/// The text of a file, and its name as tables write it.
pub fn read(file: &Path) -> (String, String) {
    let text = std::fs::read_to_string(file).expect("a source");
    let name = file.strip_prefix(root()).expect("inside").display();
    (name.to_string(), text)
}

/// The tests of a file of Rust with their doc comments.
fn tests_of(text: &str) -> Vec<(String, String)> {
    let (mut tests, mut docs, mut is_test) = (Vec::new(), String::new(), false);
    for line in text.lines().map(str::trim) {
        if let Some(doc) = line.strip_prefix("///") {
            docs.push_str(doc);
            docs.push('\n');
            continue;
        }
        if line.starts_with('#') || line.starts_with("//") || line.is_empty() {
            is_test |= line.starts_with("#[") && line.contains("test");
            continue;
        }
        let function = line.trim_start_matches("async ").strip_prefix("fn ");
        if let Some((name, _)) = function.and_then(|rest| rest.split_once('('))
            && is_test
        {
            tests.push((name.to_owned(), std::mem::take(&mut docs)));
        }
        docs.clear();
        is_test = false;
    }
    tests
}

/// `file::function` of every test in Rust, with its doc comment; those of one name in one file are one.
pub fn rust_tests() -> BTreeMap<String, String> {
    let mut sources = Vec::new();
    files(&root().join("tests"), ".rs", &mut sources);
    files(&root().join("src"), ".rs", &mut sources);
    let mut tests = BTreeMap::<String, String>::new();
    for source in sources {
        let (file, text) = read(&source);
        for (name, docs) in tests_of(&text) {
            tests
                .entry(format!("{file}::{name}"))
                .or_default()
                .push_str(&docs);
        }
    }
    tests
}
