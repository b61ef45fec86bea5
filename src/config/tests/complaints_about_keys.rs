//! Keys that are not known.

use super::*;

/// What is suggested for `key`.
fn suggestion(key: &str) -> Option<&'static str> {
    let errors = load_set(&[&format!("{key}=1")]).expect_err(key);
    match errors.0.first().map(|error| error.problem.clone()) {
        Some(Problem::Unknown { nearest, .. }) => nearest,
        other => panic!("{key}: {other:?}"),
    }
}

#[test]
fn a_misspelt_key_is_told_the_nearest_one() {
    assert_eq!(
        suggestion("sm.unsolicited_ack_freqency"),
        Some("sm.unsolicited_ack_frequency")
    );
    assert_eq!(suggestion("sm.resume_timout"), Some("sm.resume_timeout"));
    assert_eq!(suggestion("domian"), Some("domain"));
    assert_eq!(suggestion("limit.send_queue"), Some("limits.send_queue"));
    assert_eq!(suggestion("endpoint.0.orgins"), Some("endpoint.origins"));
    assert_eq!(suggestion("sm.resume"), Some("sm.resume_timeout"));
}

#[test]
fn a_key_in_the_wrong_section_is_told_the_right_one() {
    assert_eq!(suggestion("ping_interval"), Some("ws.ping_interval"));
    assert_eq!(suggestion("ws.max_wait"), Some("bosh.max_wait"));
}

#[test]
fn a_key_like_none_is_sent_to_the_reference() {
    assert_eq!(suggestion("xyzzy"), None);
    let found = complaints(load_set(&["xyzzy=1"]));
    assert!(found[0].contains("config reference"), "{}", found[0]);
}

#[test]
fn an_unknown_key_names_its_line() {
    let found = complaints(load_file("# c\n[sm]\n\nmax_unaked = 1"));
    let expected = "stanzad.toml:4: there is no option sm.max_unaked; did you mean sm.max_unacked?";
    assert_eq!(found, [expected]);
}

#[test]
fn an_unknown_section_is_one_error_however_much_is_in_it() {
    let found = complaints(load_file("[limit]\nsend_queue = 1\nroster_items = 2"));
    assert_eq!(
        found,
        ["stanzad.toml:1: there is no option limit; did you mean limits?"]
    );
}

#[test]
fn a_section_is_no_option_and_an_option_no_section() {
    assert!(complaints(load_file("sm = true"))[0].contains("is no value for a section"));
    assert!(complaints(load_file("[domain]\nx = 1"))[0].contains("domain = a table"));
    assert!(complaints(load_file("[endpoint]\npath = '/a/'"))[0].contains("[[endpoint]]"));
}

#[test]
fn a_variable_one_slip_away_from_an_option_is_not_passed_over() {
    let found = complaints(load_environment(&[("STANZAD_DOMIAN", "example.org")]));
    assert_eq!(
        found,
        ["STANZAD_DOMIAN: there is no option domian; did you mean domain?"]
    );
}

#[test]
fn an_endpoint_that_would_leave_a_gap_is_an_error() {
    assert!(complaints(load_set(&["endpoint.2.path=/a/"]))[0].contains("counted from 0"));
    assert!(load_set(&["endpoint.1.path=/a/", "endpoint.1.name=a"]).is_ok());
}

#[test]
fn more_endpoints_than_the_bound_are_an_error() {
    let text: String = (0..65)
        .map(|i| format!("[[endpoint]]\nname='e{i}'\npath='/e{i}'\n"))
        .collect();
    assert!(complaints(load_file(&text))[0].contains("there are 65 endpoints"));
}
