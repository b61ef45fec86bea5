//! `rows.md` and the tests say the same.

#[path = "kit/sources.rs"]
#[allow(dead_code)] // it serves another table as well
mod sources;

use std::collections::{BTreeMap, BTreeSet};

/// The systems of the table, and the last row of each.
const SYSTEMS: [(char, u32); 5] = [('X', 14), ('E', 13), ('W', 15), ('O', 15), ('F', 11)];

/// What may be said of a row. Behind it and a semicolon may stand what is left to do.
const STATES: [&str; 4] = [
    "proved",
    "in work",
    "waits for the cluster",
    "waits for the gateway",
];
/// A row that will not come says why.
const NOT_BUILT: &str = "not built: ";

/// What the table says of a row.
struct Row {
    became: String,
    tests: Vec<String>,
    state: String,
}

fn wanted() -> BTreeSet<String> {
    let rows = SYSTEMS.iter().flat_map(|(system, last)| {
        let numbers = 1..=*last;
        numbers.map(move |number| format!("{system}{number}"))
    });
    rows.collect()
}

/// A letter of a system and a number, whether or not there is such a row.
fn is_id(word: &str) -> bool {
    let Some(number) = word.strip_prefix(|c| SYSTEMS.iter().any(|(system, _)| *system == c)) else {
        return false;
    };
    !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit())
}

/// The rows that a test is for: the first words of its name, as in `f5_w1_an_endpoint_…`.
fn rows_of(test: &str) -> impl Iterator<Item = String> {
    let (_, name) = test.rsplit_once("::").unwrap_or(("", test));
    name.split('_')
        .map(str::to_uppercase)
        .take_while(|word| is_id(word))
}

fn rows() -> BTreeMap<String, Row> {
    let mut rows = BTreeMap::new();
    for [id, became, tests, state] in sources::cells("tests/rows.md") {
        if !is_id(&id) {
            continue;
        }
        let row = Row {
            became,
            tests: sources::named(&tests).map(str::to_owned).collect(),
            state,
        };
        let twice = rows.insert(id.clone(), row).is_some();
        assert!(!twice, "{id} stands there twice");
    }
    rows
}

/// Of a file of the web clients' tests, what stands between `test('` or `step('` and the next quote.
fn titles(text: &str) -> impl Iterator<Item = &str> {
    let calls = ["test('", "step('"];
    calls.into_iter().flat_map(move |call| {
        let behind = text.split(call).skip(1);
        behind.filter_map(|rest| rest.split('\'').next())
    })
}

/// `file::name` of every test, be it in Rust or with a web client.
fn all_tests() -> BTreeSet<String> {
    let mut tests: BTreeSet<_> = sources::rust_tests().into_keys().collect();
    let mut clients = Vec::new();
    let directory = sources::root().join("tests/clients");
    sources::files(&directory, ".test.mjs", &mut clients);
    for client in clients {
        let (file, text) = sources::read(&client);
        tests.extend(titles(&text).map(|title| format!("{file}::{title}")));
    }
    tests
}

#[test]
fn every_row_stands_in_the_table_and_no_other() {
    let (wanted, rows) = (wanted(), rows());
    let found: BTreeSet<_> = rows.keys().cloned().collect();
    let missing: Vec<_> = wanted.difference(&found).collect();
    let more: Vec<_> = found.difference(&wanted).collect();
    assert!(
        missing.is_empty() && more.is_empty(),
        "missing {missing:?}, not of the list {more:?}"
    );
    for (id, row) in rows {
        assert!(!row.became.is_empty(), "{id}: what became of it?");
    }
}

#[test]
fn every_test_in_the_table_exists_and_bears_the_id_of_its_row() {
    let tests = all_tests();
    for (id, row) in rows() {
        for test in &row.tests {
            assert!(tests.contains(test), "{id}: there is no test {test}");
            assert!(
                rows_of(test).any(|row| row == id),
                "{id} is not in the name of {test}"
            );
        }
    }
}

#[test]
fn a_test_bears_no_id_that_is_not_of_the_list() {
    let wanted = wanted();
    for test in all_tests() {
        for row in rows_of(&test) {
            assert!(wanted.contains(&row), "{test}: there is no row {row}");
        }
    }
}

#[test]
fn every_row_has_a_state_and_what_is_proved_has_a_test() {
    let mut counts = BTreeMap::<String, Vec<String>>::new();
    for (id, row) in rows() {
        let state = row.state.split(';').next().unwrap_or_default().trim();
        if let Some(why) = state.strip_prefix(NOT_BUILT) {
            assert!(why.len() > 20, "{id}: why? {why:?}");
            counts.entry("not built".to_owned()).or_default().push(id);
            continue;
        }
        assert!(STATES.contains(&state), "{id}: {state:?} is no state");
        if state != "in work" && row.state.contains("in work") {
            let partly = counts.entry("in work in part".to_owned());
            partly.or_default().push(id.clone());
        }
        let needs_test = state == "proved";
        assert!(!needs_test || !row.tests.is_empty(), "{id} names no test");
        counts.entry(state.to_owned()).or_default().push(id);
    }
    for (state, rows) in counts {
        println!("{} {state}: {}", rows.len(), rows.join(" "));
    }
}
