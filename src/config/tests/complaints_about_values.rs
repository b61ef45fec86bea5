//! Values of the wrong type or out of range.

use super::*;

#[test]
fn a_value_out_of_range_names_line_key_value_and_range() {
    let found = complaints(load_file("\n[sm]\nenabled = true\nmax_unacked = 5\n"));
    assert_eq!(
        found,
        ["stanzad.toml:4: sm.max_unacked = 5 is out of range; allowed: 10 to 1000000"]
    );
}

#[test]
fn a_duration_without_a_unit_is_told_how_to_write_it() {
    let found = complaints(load_file("[ws]\nping_interval = 25"));
    assert_eq!(found.len(), 1);
    assert!(found[0].starts_with("stanzad.toml:2: ws.ping_interval = 25 is not a duration"));
    assert!(found[0].ends_with("allowed: 1s to 1h"), "{}", found[0]);
}

#[test]
fn a_wrong_word_is_told_the_right_ones() {
    let found = complaints(load_set(&["sm.durability=forever"]));
    let expected = "--set: sm.durability = forever is none of the words; \
                    allowed: \"memory\", \"restart\", \"always\"";
    assert_eq!(found, [expected]);
}

#[test]
fn a_variable_is_named_as_the_place() {
    let found = complaints(load_environment(&[("STANZAD_SM__ENABLED", "maybe")]));
    let place = "STANZAD_SM__ENABLED: sm.enabled = maybe is neither true nor false";
    assert!(found[0].starts_with(place), "{}", found[0]);
}

#[test]
fn every_error_of_every_layer_is_told_in_the_order_of_reading() {
    let (_dir, path) = file("[ws]\nping_interval = '1ms'\n[sm]\nmax_unaked = 5\n[bosh]\nwait = 1");
    let sources = Sources {
        file: Some(path),
        environment: vec![("STANZAD_WS__PINGS".into(), "1".into())],
        set: vec!["limits.send_queue=1".into(), "nonsense".into()],
    };
    let found = complaints(Config::load(&sources));
    let places: Vec<_> = found
        .iter()
        .map(|line| line.split(": ").next().unwrap())
        .collect();
    let expected = [
        "stanzad.toml:2",
        "stanzad.toml:4",
        "stanzad.toml:6",
        "STANZAD_WS__PINGS",
        "--set",
        "--set",
    ];
    assert_eq!(places, expected);
}

#[test]
fn broken_toml_names_its_line() {
    let found = complaints(load_file("domain = 'a.example'\n[sm\nenabled = true\n"));
    assert!(found[0].starts_with("stanzad.toml:2: "), "{}", found[0]);
}

#[test]
fn a_key_that_stands_twice_is_an_error() {
    let found = complaints(load_file("[sm]\nenabled = true\nenabled = false\n"));
    assert!(found[0].starts_with("stanzad.toml:3: "), "{}", found[0]);
}

#[test]
fn a_missing_file_is_an_error_that_names_it() {
    let path = PathBuf::from("no-such-directory/stanzad.toml");
    let found = complaints(Config::load(&Sources {
        file: Some(path),
        ..Sources::default()
    }));
    assert!(found[0].contains("cannot be read"), "{}", found[0]);
}

#[test]
fn a_file_past_its_bound_is_not_read() {
    let found = complaints(load_file(&"#".repeat(2 << 20)));
    assert!(found[0].contains("more than 1048576 bytes"), "{}", found[0]);
}

#[test]
fn what_is_no_plain_path_is_no_endpoint() {
    for path in [
        "ws", "/", "", "/a b", "/../x", "/a//b", "/%2e", "/{x}", "/a?b", "/ä",
    ] {
        let text = format!("[[endpoint]]\npath = {path:?}");
        assert!(load_file(&text).is_err(), "{path}");
    }
}

#[test]
fn what_is_no_domain_is_refused() {
    for domain in [
        "",
        ".",
        "a..b.",
        "a@b",
        "a/b",
        "a b",
        "example.org:5280",
        ".a",
        &"a".repeat(2000),
    ] {
        assert!(
            load_file(&format!("domain = {domain:?}")).is_err(),
            "{domain}"
        );
    }
}

#[test]
fn a_type_that_no_option_has_is_refused_not_guessed() {
    for value in [
        "1.5",
        "1979-05-27",
        "{ a = 1 }",
        "[[1]]",
        "99999999999999999999",
    ] {
        for key in [
            "sm.max_unacked",
            "sm.enabled",
            "ws.ping_interval",
            "state_dir",
            "listen.plain",
        ] {
            assert!(
                load_file(&format!("{key} = {value}")).is_err(),
                "{key} = {value}"
            );
        }
    }
}
