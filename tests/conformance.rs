//! `conformance.md` and the tests say the same.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The groups of the checklist, the last number in each, and the numbers that it does not use.
const GROUPS: [(char, u32, &[u32]); 8] = [
    (
        'W',
        99,
        &[
            32, 34, 35, 36, 38, 39, 66, 78, 79, 80, 81, 82, 83, 84, 85, 86, 87, 88, 89, 90, 91, 92,
            93, 94, 95, 96, 97,
        ],
    ),
    ('X', 66, &[21, 23, 24, 25, 26, 27, 28, 29, 57, 60, 61, 63]),
    ('S', 47, &[30, 32, 33, 36, 37]),
    ('B', 48, &[15, 37, 41, 42, 43]),
    ('D', 11, &[]),
    ('A', 44, &[10, 11, 27, 29, 42]),
    ('P', 31, &[3, 4, 8, 9, 21, 23, 26]),
    ('L', 18, &[9, 13, 14, 15]),
];

/// A row of the table: the tests that it names, as `file::function`, and what it says of the item.
struct Row {
    tests: Vec<String>,
    state: String,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// `W-01` and the like, wherever they stand.
fn ids(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '-');
    words.filter(|word| is_id(word))
}

fn is_id(word: &str) -> bool {
    let Some((group, number)) = word.split_once('-') else {
        return false;
    };
    let is_group = group.len() == 1 && GROUPS.iter().any(|(g, ..)| group.starts_with(*g));
    is_group && number.len() == 2 && number.bytes().all(|b| b.is_ascii_digit())
}

fn rows() -> BTreeMap<String, Row> {
    let text = std::fs::read_to_string(root().join("tests/conformance.md")).expect("the table");
    let mut rows = BTreeMap::new();
    for line in text.lines() {
        let cells: Vec<_> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [id, state, tests] = cells.as_slice() else {
            continue;
        };
        if !is_id(id) {
            continue;
        }
        let tests = tests.split('`').filter(|name| name.contains("::"));
        let row = Row {
            tests: tests.map(str::to_owned).collect(),
            state: (*state).to_owned(),
        };
        let twice = rows.insert((*id).to_owned(), row).is_some();
        assert!(!twice, "{id} stands there twice");
    }
    rows
}

/// Every file of Rust below a directory.
fn sources(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() && !path.ends_with("node_modules") {
            sources(&path, found);
        } else if path.extension().is_some_and(|end| end == "rs") {
            found.push(path);
        }
    }
}

/// The tests of a file with the items that their doc comments name.
fn tests_of(text: &str) -> Vec<(String, BTreeSet<String>)> {
    let (mut tests, mut items, mut is_test) = (Vec::new(), BTreeSet::new(), false);
    for line in text.lines().map(str::trim) {
        if let Some(doc) = line.strip_prefix("///") {
            items.extend(ids(doc).map(str::to_owned));
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
            tests.push((name.to_owned(), std::mem::take(&mut items)));
        }
        items.clear();
        is_test = false;
    }
    tests
}

/// `file::function` of every test, with its items.
fn all_tests() -> BTreeMap<String, BTreeSet<String>> {
    let mut files = Vec::new();
    sources(&root().join("tests"), &mut files);
    sources(&root().join("src"), &mut files);
    let mut tests = BTreeMap::<String, BTreeSet<String>>::new();
    for file in files {
        let text = std::fs::read_to_string(&file).expect("a source");
        let file = file
            .strip_prefix(root())
            .expect("inside")
            .display()
            .to_string();
        for (name, items) in tests_of(&text) {
            tests
                .entry(format!("{file}::{name}"))
                .or_default()
                .extend(items);
        }
    }
    tests
}

#[test]
fn every_item_of_the_checklist_stands_in_the_table_and_no_other() {
    let rows = rows();
    let wanted: BTreeSet<_> = GROUPS
        .iter()
        .flat_map(|(group, last, gaps)| {
            let numbers = (1..=*last).filter(|n| !gaps.contains(n));
            numbers.map(move |n| format!("{group}-{n:02}"))
        })
        .collect();
    let found: BTreeSet<_> = rows.keys().cloned().collect();
    let missing: Vec<_> = wanted.difference(&found).collect();
    let more: Vec<_> = found.difference(&wanted).collect();
    assert!(
        missing.is_empty() && more.is_empty(),
        "missing {missing:?}, not of the list {more:?}"
    );
}

#[test]
fn every_test_in_the_table_exists_and_names_its_item() {
    let tests = all_tests();
    for (id, row) in rows() {
        for test in &row.tests {
            let items = tests
                .get(test)
                .unwrap_or_else(|| panic!("{id}: there is no test {test}"));
            assert!(
                items.contains(&id),
                "{test} does not say that it is for {id}"
            );
        }
    }
}

#[test]
fn an_item_is_tested_or_the_table_says_why_not() {
    for (id, row) in rows() {
        match row.state.as_str() {
            "tested" => assert!(!row.tests.is_empty(), "{id} names no test"),
            why => assert!(
                why.starts_with("not ") && why.len() > 20,
                "{id}: why? {why:?}"
            ),
        }
    }
}
