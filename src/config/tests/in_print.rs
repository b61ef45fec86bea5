//! The reference, the sample file, the values in force.

use super::*;
use crate::config::load::{ENDPOINT_OPTIONS, OPTIONS, TIER_OPTIONS};

fn keys() -> Vec<&'static str> {
    let own = OPTIONS.iter().map(|option| option.key);
    own.chain(TIER_OPTIONS.iter().map(|option| option.key))
        .chain(ENDPOINT_OPTIONS.iter().map(|option| option.key))
        .collect()
}

#[test]
fn the_reference_has_every_option_with_range_default_and_effect() {
    let text = reference(Format::Text);
    for key in keys() {
        assert!(text.contains(&format!("\n  {key} = ")), "{key}");
    }
    assert_eq!(text.matches("takes effect on").count(), keys().len());
}

#[test]
fn no_option_stands_twice() {
    let mut sorted = keys();
    sorted.sort_unstable();
    sorted.dedup();
    assert_eq!(sorted.len(), keys().len());
}

#[test]
fn every_default_is_within_its_own_range() {
    for option in OPTIONS.iter().filter(|option| option.key != "domains") {
        let value = option
            .default
            .clone()
            .or_else(|| option.absent.clone())
            .unwrap();
        let loaded = load_set(&[&format!("{}={value}", option.key)]);
        assert_eq!(loaded, Ok(Config::default()), "{} = {value}", option.key);
    }
}

#[test]
fn every_example_is_within_the_range_of_its_option() {
    let text = |example: &Option<String>, default: &Option<String>| {
        example.clone().or_else(|| default.clone()).unwrap()
    };
    let endpoint = ENDPOINT_OPTIONS.iter().map(|option| {
        let name = option.name_within("endpoint");
        format!(
            "endpoint.0.{name}={}",
            text(&option.example, &option.default)
        )
    });
    let tier = TIER_OPTIONS.iter().map(|option| {
        let name = option.name_within("tier");
        format!(
            "tier.gold.{name}={}",
            text(&option.example, &option.default)
        )
    });
    let set = tier.chain(endpoint).chain(["state_dir=/s".to_owned()]);
    let set: Vec<String> = set.collect();
    let set: Vec<&str> = set.iter().map(String::as_str).collect();
    let config = load_set(&set).unwrap();
    assert_eq!(load_file(&show(&config)), Ok(config));
}

#[test]
fn the_sample_file_sets_nothing_until_a_sign_is_taken_away() {
    assert_eq!(load_file(&reference(Format::Sample)), Ok(Config::default()));
}

#[test]
fn every_line_of_the_sample_file_parses_once_its_sign_is_taken_away() {
    // `domain` and `domains` are two ways to say one thing, and so are `jwks_url` and `jwks_file`, so
    // one of them stays out.
    let is_option = |line: &str| {
        let code = line
            .strip_prefix('#')
            .is_some_and(|rest| !rest.starts_with(' ') && !rest.is_empty());
        code && !line.starts_with("#domains") && !line.starts_with("#jwks_file")
    };
    let sample = reference(Format::Sample);
    let text: String = sample
        .lines()
        .map(|line| if is_option(line) { &line[1..] } else { line })
        .flat_map(|line| [line, "\n"])
        .collect();
    let (dir, path) = file(&text);
    let config = Config::load(&Sources {
        file: Some(path),
        ..Sources::default()
    })
    .unwrap();
    assert_eq!(config.tls.cert, Some(dir.path().join("fullchain.pem")));
    assert_eq!(config.sm, Sm::default());
    assert_eq!(config.limits, Limits::default());
    let set = sample
        .lines()
        .filter(|line| is_option(line) && line.contains(" = "))
        .count();
    assert_eq!(set + 2, keys().len());
    assert_eq!(
        config.endpoints[0].sm.ack_timeout,
        Some(Duration::from_secs(60))
    );
    assert_eq!(config.endpoints[0].tier.as_deref(), Some("gold"));
    assert_eq!(config.tiers["gold"].burst, Some(10_000));
}

#[test]
fn the_values_in_force_are_a_file_that_gives_them_again() {
    let far = [
        "domains=a.example,b.example",
        "public_url=https://chat.example.org/x",
        "listen.plain=none",
        "listen.tls=[::]:5281",
        "tls.self_signed=true",
        "ws.ping_interval=1500ms",
        "limits.max_stanza_bytes=300000",
        "auth.plain=never",
        "log.level=debug",
        "endpoint.0.origins=*",
        "endpoint.1.name=b",
        "endpoint.1.path=/b",
        "sm.debug_first_h=4294967295",
        "state_dir=/s",
        "listen.trusted_proxies=10.0.0.0/8",
        "web.client_dir=/a dir/with \"quotes\"",
        "handlers=echo",
        "admin.token_file=/t",
        "admin.dashboard=false",
        "log.events=/e.json",
        "auth.ticket.ttl=5m",
        "auth.jwt.issuer=https://id.example.org/ \\ü",
        "auth.jwt.audience=xmpp",
        "auth.jwt.jwks_url=https://id.example.org/jwks.json?a=1",
        "auth.jwt.tier_claim=tier",
        "auth.jwt.cookie=jwt",
        "auth.jwt.oauthbearer=false",
        "auth.token.file=/tokens",
        "auth.session.url=http://127.0.0.1:8080",
        "auth.session.cookies=JSESSIONID, sid",
        "auth.session.headers=X-Session",
        "endpoint.0.paths=/x,/y/z/",
        "endpoint.0.auth=ticket,jwt,token,session,none",
        "endpoint.0.sm.enabled=false",
        "endpoint.0.sm.unsolicited_ack_frequency=0",
        "endpoint.0.sm.ack_request_delay=1500ms",
        "endpoint.1.tier=dotted.name",
        "endpoint.1.enabled=false",
        "tier.dotted.name.stanzas=5/1s",
        "tier.gold.per=ip",
        "tier.gold.bytes=1000000/90s",
        "tier.gold.burst_bytes=3MiB",
        "tier.gold.on_exceed=reject",
    ];
    let config = load_set(&far).unwrap();
    assert_eq!(load_file(&show(&config)), Ok(config));
}

#[test]
fn a_value_that_is_not_the_default_says_so() {
    let text = show(&load_set(&["sm.max_unacked=50"]).unwrap());
    assert!(
        text.contains("\nmax_unacked = 50  # default: 1000\n"),
        "{text}"
    );
    assert!(text.contains("\nack_request_frequency = 5\n"), "{text}");
}

#[test]
fn the_documents_are_what_the_command_prints() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    for (name, format) in [
        ("configuration.md", Format::Markdown),
        ("stanzad.sample.toml", Format::Sample),
    ] {
        let kept = std::fs::read_to_string(docs.join(name)).unwrap_or_default();
        assert!(
            kept == reference(format),
            "docs/{name} is not what `stanzad config reference` prints"
        );
    }
}
