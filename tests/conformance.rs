//! `conformance.md` and the tests say the same.

#[path = "kit/sources.rs"]
#[allow(dead_code)] // it serves another table as well
mod sources;

use std::collections::{BTreeMap, BTreeSet};

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
    let mut rows = BTreeMap::new();
    for [id, state, tests] in sources::cells("tests/conformance.md") {
        if !is_id(&id) {
            continue;
        }
        let tests = sources::named(&tests).map(str::to_owned).collect();
        let twice = rows.insert(id.clone(), Row { tests, state }).is_some();
        assert!(!twice, "{id} stands there twice");
    }
    rows
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
    let tests = sources::rust_tests();
    for (id, row) in rows() {
        for test in &row.tests {
            let docs = tests
                .get(test)
                .unwrap_or_else(|| panic!("{id}: there is no test {test}"));
            assert!(
                ids(docs).any(|item| item == id),
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
