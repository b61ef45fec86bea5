//! Which layer wins.

use super::*;

#[test]
fn set_beats_the_environment_which_beats_the_file() {
    let (_dir, path) =
        file("[sm]\nmax_unacked = 11\nack_request_frequency = 6\n[ws]\nidle_timeout = '80s'");
    let environment = [
        ("STANZAD_SM__MAX_UNACKED", "12"),
        ("STANZAD_SM__ACK_REQUEST_FREQUENCY", "7"),
    ];
    let sources = Sources {
        file: Some(path),
        environment: environment
            .map(|(k, v)| (k.to_owned(), v.to_owned()))
            .into(),
        set: vec!["sm.max_unacked=13".into()],
    };
    let config = Config::load(&sources).unwrap();
    assert_eq!(config.sm.max_unacked, 13);
    assert_eq!(config.sm.ack_request_frequency, 7);
    assert_eq!(config.ws.idle_timeout, Duration::from_secs(80));
}

#[test]
fn the_last_of_two_sets_counts() {
    let config = load_set(&["sm.enabled=true", "sm.enabled=false"]).unwrap();
    assert!(!config.sm.enabled);
}

#[test]
fn a_variable_reaches_into_sections_and_endpoints() {
    let variables = [
        ("STANZAD_DOMAIN", "example.org"),
        ("STANZAD_SM__ENABLED", "false"),
        ("STANZAD_ENDPOINT__0__PATH", "/chat/"),
        ("STANZAD_LISTEN__TRUSTED_PROXIES", "10.0.0.0/8, ::1"),
    ];
    let config = load_environment(&variables).unwrap();
    assert_eq!(config.domain(), "example.org");
    assert!(!config.sm.enabled);
    assert_eq!(config.endpoints[0].path, "/chat/");
    assert_eq!(config.listen.trusted_proxies.len(), 2);
}

#[test]
fn variables_that_are_not_ours_are_left_alone() {
    let others = [
        ("STANZAD_LOG", "trace"),
        ("STANZAD_CONFIG", "/etc/stanzad.toml"),
        ("STANZAD_SERVICE_HOST", "10.0.0.1"),
        ("STANZAD_PORT_5280_TCP", "tcp://10.0.0.1:5280"),
        ("PATH", "/bin"),
    ];
    assert_eq!(load_environment(&others), Ok(Config::default()));
}

#[test]
fn a_stronger_layer_may_write_domains_where_a_weaker_one_wrote_domain() {
    let (_dir, path) = file("domain = 'example.org'");
    let set = vec!["domains=a.example,b.example".to_owned()];
    let config = Config::load(&Sources {
        file: Some(path),
        set,
        ..Sources::default()
    })
    .unwrap();
    assert_eq!(config.domains, ["a.example", "b.example"]);
}

#[test]
fn toml_on_the_command_line_replaces_all_endpoints() {
    let config = load_set(&["endpoint=[{name='x', path='/x', origins='*'}]"]).unwrap();
    let path = "/x/".to_owned();
    assert_eq!(
        config.endpoints,
        [Endpoint {
            name: "x".into(),
            path,
            origins: Origins::Any,
            ..Endpoint::default()
        }]
    );
}
