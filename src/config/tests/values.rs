//! What is read from a file and from the command line.

use super::*;

#[test]
fn without_any_source_there_are_the_defaults() {
    assert_eq!(Config::load(&Sources::default()), Ok(Config::default()));
}

#[test]
fn an_empty_file_changes_nothing() {
    assert_eq!(load_file(""), Ok(Config::default()));
}

#[test]
fn every_key_of_a_typical_file_is_read() {
    let (dir, path) = file(TYPICAL);
    let config = Config::load(&Sources {
        file: Some(path),
        ..Sources::default()
    })
    .unwrap();
    assert_eq!(config.domains, ["example.org"]);
    assert_eq!(config.public_ws_url("/ws/"), "wss://chat.example.org/ws/");
    assert_eq!(config.state_dir, Path::new("/var/lib/stanzad"));
    assert_eq!(
        config.listen.plain,
        Some(SocketAddr::from(([127, 0, 0, 1], 5280)))
    );
    assert_eq!(config.listen.tls, Some("[::]:5281".parse().unwrap()));
    assert_eq!(config.listen.admin, Some("127.0.0.1:5290".parse().unwrap()));
    let networks: Vec<_> = config
        .listen
        .trusted_proxies
        .iter()
        .map(|n| n.to_string())
        .collect();
    assert_eq!(networks, ["127.0.0.0/8", "::1/128"]);
    assert_eq!(config.tls.cert, Some(dir.path().join("fullchain.pem")));
    assert_eq!(config.tls.key, Some(dir.path().join("privkey.pem")));
    assert_eq!(config.ws.ping_interval, Duration::from_secs(25));
    assert_eq!(config.ws.idle_timeout, Duration::from_secs(90));
    assert_eq!(config.sm.resume_timeout, Duration::from_secs(600));
    assert_eq!(config.sm.durability, Durability::Restart);
    assert_eq!(config.limits.max_stanza_bytes, 256 * 1024);
    assert_eq!(config.limits.max_stanza_bytes_before_auth, 10 * 1024);
    let origins = Origins::List(vec!["https://app.example.org".into()]);
    let web = Endpoint {
        name: "web".into(),
        path: "/ws/".into(),
        origins,
        ..Endpoint::default()
    };
    assert_eq!(config.endpoints, [web]);
}

const TYPICAL: &str = r#"
    domain     = "example.org"
    public_url = "https://chat.example.org"
    state_dir  = "/var/lib/stanzad"

    [listen]
    plain = "127.0.0.1:5280"
    tls   = "[::]:5281"
    admin = "127.0.0.1:5290"
    trusted_proxies = ["127.0.0.0/8", "::1"]

    [tls]
    cert = "fullchain.pem"
    key  = "privkey.pem"

    [ws]
    ping_interval = "25s"
    idle_timeout  = "90s"

    [bosh]
    enabled = true

    [sm]
    enabled = true
    unsolicited_ack_frequency = 0
    ack_request_frequency = 5
    resume_timeout = "10m"
    max_unacked = 1000
    max_hibernating_per_user = 8
    durability = "restart"

    [limits]
    max_stanza_bytes = "256KiB"
    max_stanza_bytes_before_auth = "10KiB"
    sessions_per_user = 20
    send_queue = 256

    [[endpoint]]
    name = "web"
    path = "/ws/"
    origins = ["https://app.example.org"]
"#;

#[test]
fn several_domains_are_a_list_in_normal_form() {
    let config = load_file("domains = ['Example.ORG', 'example.net.']").unwrap();
    assert_eq!(config.domains, ["example.org", "example.net"]);
}

#[test]
fn none_switches_off_what_may_be_absent() {
    let config = load_set(&["listen.plain=none", "listen.tls=[::]:5281"]).unwrap();
    assert_eq!(config.listen.plain, None);
    assert_eq!(config.listen.tls, Some("[::]:5281".parse().unwrap()));
}

#[test]
fn an_endpoint_in_a_file_takes_the_place_of_the_default_one() {
    let text = "[[endpoint]]\nname = 'a'\npath = '/a'\n[[endpoint]]\nname = 'b'\npath = '/b/c/'\n";
    let config = load_file(text).unwrap();
    let paths: Vec<_> = config
        .endpoints
        .iter()
        .map(|endpoint| endpoint.path.as_str())
        .collect();
    assert_eq!(paths, ["/a/", "/b/c/"]);
}

#[test]
fn origins_are_kept_as_browsers_write_them() {
    let config = load_set(&["endpoint.0.origins=HTTPS://App.example.org:443/,http://[::1]:80"]);
    let origins = vec![
        "https://app.example.org".to_owned(),
        "http://[::1]".to_owned(),
    ];
    assert_eq!(config.unwrap().endpoints[0].origins, Origins::List(origins));
}

#[test]
fn dotted_and_inline_forms_of_toml_mean_the_same() {
    let dotted = load_file("sm.max_unacked = 50").unwrap();
    assert_eq!(load_file("sm = { max_unacked = 50 }"), Ok(dotted.clone()));
    assert_eq!(load_file("[sm]\nmax_unacked = 0x32"), Ok(dotted));
}

#[test]
fn a_relative_path_starts_from_its_file_but_on_the_command_line_from_here() {
    let (dir, path) = file("state_dir = 'state'");
    let mut sources = Sources {
        file: Some(path),
        ..Sources::default()
    };
    assert_eq!(
        Config::load(&sources).unwrap().state_dir,
        dir.path().join("state")
    );
    sources.set = vec!["state_dir=state".into()];
    assert_eq!(
        Config::load(&sources).unwrap().state_dir,
        Path::new("state")
    );
}
