//! Values that do not go together.

use super::*;

#[test]
fn an_idle_timeout_has_to_be_longer_than_the_ping_interval() {
    let found = complaints(load_file("[ws]\nidle_timeout = '20s'\n"));
    assert_eq!(found.len(), 1);
    let place =
        "stanzad.toml:2: ws.idle_timeout (20s) has to be longer than ws.ping_interval (25s)";
    assert!(found[0].starts_with(place), "{}", found[0]);
}

#[test]
fn the_layer_that_was_read_last_is_to_blame() {
    let (_dir, path) = file("[ws]\nidle_timeout = '40s'");
    let set = vec!["ws.ping_interval=40s".to_owned()];
    let found = complaints(Config::load(&Sources {
        file: Some(path),
        set,
        ..Sources::default()
    }));
    assert!(
        found[0].starts_with("--set: ws.idle_timeout (40s)"),
        "{}",
        found[0]
    );
}

#[test]
fn domain_and_domains_in_one_file_are_an_error() {
    let found = complaints(load_file("domain = 'a.example'\ndomains = ['b.example']"));
    assert!(
        found[0].starts_with("stanzad.toml:2: domain and domains"),
        "{}",
        found[0]
    );
}

#[test]
fn one_path_with_and_without_its_slash_is_the_same_path() {
    let text = "[[endpoint]]\nname = 'a'\npath = '/ws'\n[[endpoint]]\nname = 'b'\npath = '/ws/'\n";
    let found = complaints(load_file(text));
    assert!(
        found[0].starts_with("stanzad.toml:6: endpoints 0 and 1"),
        "{}",
        found[0]
    );
}

#[test]
fn an_endpoint_does_not_stand_where_something_else_is_served() {
    let client = "web.client_dir=/c";
    for (path, option) in [
        ("/http-bind/", "bosh.enabled"),
        ("/client/ws", "web.client_dir"),
        ("/.well-known/ws", ".well-known"),
        ("/console/", "web.console"),
    ] {
        for key in ["path", "paths"] {
            let set = format!("endpoint.0.{key}={path}");
            let found = complaints(load_set(&[client, &set]));
            assert_eq!(found.len(), 1, "{found:?}");
            assert!(
                found[0].contains(&format!("endpoint.{key} ")),
                "{}",
                found[0]
            );
            assert!(found[0].contains(option), "{}", found[0]);
        }
    }
}

#[test]
fn an_endpoint_may_stand_where_nothing_is_served() {
    for set in [
        &["endpoint.0.path=/http-bind/", "bosh.enabled=false"][..],
        &["endpoint.0.path=/client/"],
        &["endpoint.0.path=/console/", "web.console=false"],
    ] {
        assert!(load_set(set).is_ok(), "{set:?}");
    }
}

#[test]
fn values_that_do_not_go_together_are_each_an_error() {
    let pairs: [&[&str]; 10] = [
        &["listen.plain=none"],
        &["listen.tls=127.0.0.1:5280"],
        &["ws.enabled=false", "bosh.enabled=false"],
        &["tls.key=key.pem"],
        &["listen.tls=[::]:5281", "tls.self_signed=false"],
        &[
            "limits.max_stanza_bytes=10000",
            "limits.max_stanza_bytes_before_auth=20000",
        ],
        &[
            "limits.max_stanza_bytes=1MiB",
            "limits.send_queue_bytes=512KiB",
        ],
        &["sm.ack_request_frequency=0", "sm.ack_request_delay=0s"],
        &["sm.ack_request_frequency=10", "sm.max_unacked=10"],
        &["endpoint=[]"],
    ];
    for pair in pairs {
        let errors = load_set(pair).expect_err(&pair.join(" "));
        assert_eq!(errors.0.len(), 1, "{errors}");
        assert_eq!(errors.0[0].origin, Origin::Set);
    }
}

#[test]
fn port_zero_may_stand_at_every_listener() {
    let ports = [
        "listen.plain=127.0.0.1:0",
        "listen.tls=127.0.0.1:0",
        "listen.admin=127.0.0.1:0",
    ];
    assert!(load_set(&ports).is_ok());
}

#[test]
fn the_defaults_go_together_and_deserve_no_warning() {
    assert!(Config::load(&Sources::default()).is_ok());
    assert_eq!(Config::default().warnings(), Vec::<String>::new());
}

#[test]
fn what_is_allowed_and_rarely_meant_is_a_warning() {
    let open = [
        "endpoint.0.origins=*",
        "listen.admin=0.0.0.0:5290",
        "listen.admin_public=true",
        "admin.token_file=admin.token",
    ];
    assert_eq!(load_set(&open).unwrap().warnings().len(), 2);
}

#[test]
fn the_admin_port_is_not_opened_to_the_network_by_a_slip() {
    for address in ["0.0.0.0:5290", "[::]:5290", "192.0.2.1:5290"] {
        let address = format!("listen.admin={address}");
        let (public, token) = ("listen.admin_public=true", "admin.token_file=t");
        let found = complaints(load_set(&[&address, token]));
        assert!(found[0].contains("listen.admin_public"), "{}", found[0]);
        let found = complaints(load_set(&[&address, public]));
        assert!(found[0].contains("listen.admin ("), "{}", found[0]);
        assert!(found[0].contains("admin.token_file"), "{}", found[0]);
        assert!(load_set(&[&address, public, token]).is_ok());
    }
    for address in ["127.0.0.1:5290", "[::1]:5290", "[::ffff:127.0.0.1]:5290"] {
        assert!(load_set(&[&format!("listen.admin={address}")]).is_ok());
    }
}

#[test]
fn a_burst_of_an_account_holds_the_longest_stanza() {
    let small = "limits.user_bytes_burst=100KiB";
    let found = complaints(load_set(&[small]));
    assert!(found[0].contains("holds no stanza"), "{}", found[0]);
    assert!(load_set(&[small, "limits.user_bytes_per_second=0"]).is_ok());
}
