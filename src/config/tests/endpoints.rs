//! `[[endpoint]]` and what lets clients in there.

use super::*;

/// The complaint, with every one of `keys` in it.
fn complaint(set: &[&str], keys: &[&str]) -> String {
    let found = complaints(load_set(set));
    assert_eq!(found.len(), 1, "{set:?}: {found:?}");
    for key in keys {
        assert!(found[0].contains(key), "{set:?}: {}", found[0]);
    }
    found[0].clone()
}

/// W1
#[test]
fn w1_an_endpoint_has_further_paths() {
    let config = load_file("[[endpoint]]\npath = '/ws/1.0'\npaths = ['/ws', '/xmpp/']").unwrap();
    let paths: Vec<&str> = config.endpoints[0].all_paths().collect();
    assert_eq!(paths, ["/ws/1.0/", "/ws/", "/xmpp/"]);
}

#[test]
fn a_path_belongs_to_one_endpoint_and_stands_there_once() {
    let found = complaint(&["endpoint.0.paths=/ws"], &["has the path \"/ws/\" twice"]);
    assert!(found.starts_with("--set: endpoint 0"), "{found}");
    let second = [
        "endpoint.1.name=b",
        "endpoint.1.path=/b",
        "endpoint.1.paths=/c,/ws",
    ];
    complaint(&second, &["endpoints 0 and 1", "the same path \"/ws/\""]);
    complaint(&["endpoint.0.paths=/a,/a/"], &["endpoint.0.paths", "twice"]);
    complaint(
        &["endpoint.0.paths=/a,/"],
        &["endpoint.0.paths", "has \"/\""],
    );
}

#[test]
fn the_words_of_auth_keep_their_order() {
    let config = load_set(&["endpoint.0.auth=ticket, none"]).unwrap();
    let auth = [AuthMethod::Ticket, AuthMethod::Anybody];
    assert_eq!(config.endpoints[0].auth, auth);
    assert_eq!(Endpoint::default().auth, [AuthMethod::Anybody]);
}

#[test]
fn wrong_words_of_auth_are_told_the_right_ones() {
    let words = "allowed: at least one of \"none\", \"ticket\", \"jwt\", \"token\", \"session\"";
    for (value, why) in [
        ("oauth", "has \"oauth\", which is none of the words"),
        ("[]", "is empty"),
        ("none,none", "has \"none\" twice"),
        ("1", "has \"1\", which is none of the words"),
        ("[1]", "is not a list"),
    ] {
        complaint(&[&format!("endpoint.0.auth={value}")], &[why, words]);
    }
}

#[test]
fn none_comes_last() {
    complaint(
        &["endpoint.0.auth=none,ticket"],
        &["endpoint.auth", "put \"none\" last"],
    );
}

#[test]
fn a_word_of_auth_needs_its_section() {
    for (word, needs) in [
        ("jwt", "auth.jwt.jwks_url or auth.jwt.jwks_file"),
        ("token", "auth.token.file"),
        ("session", "auth.session.url"),
    ] {
        let auth = format!("endpoint.0.auth={word}");
        complaint(&[&auth], &["endpoint.auth of \"web\"", word, needs]);
    }
    let set_up = [
        "endpoint.0.auth=ticket,jwt,token,session",
        "auth.jwt.jwks_file=/j",
        "auth.jwt.audience=xmpp",
        "auth.token.file=/t",
        "auth.session.url=https://app.example.org/admit",
    ];
    let config = load_set(&set_up).unwrap();
    assert_eq!(config.warnings(), Vec::<String>::new());
}

#[test]
fn keys_come_from_a_url_or_a_file() {
    let both = [
        "auth.jwt.jwks_url=https://a.example/j",
        "auth.jwt.jwks_file=/j",
    ];
    complaint(&both, &["auth.jwt.jwks_url", "auth.jwt.jwks_file"]);
}

#[test]
fn what_strangers_could_pass_through_is_a_warning() {
    let open = [
        "endpoint.0.auth=jwt,session",
        "auth.jwt.jwks_url=http://id.example.org/jwks?x",
        "auth.session.url=http://app.example.org",
    ];
    let warnings = load_set(&open).unwrap().warnings();
    let keys = ["auth.jwt.audience", "auth.jwt.jwks_url", "auth.session.url"];
    assert_eq!(warnings.len(), keys.len(), "{warnings:?}");
    for (warning, key) in warnings.iter().zip(keys) {
        assert!(warning.starts_with(key), "{warning}");
    }
    let here = [
        "auth.jwt.jwks_url=http://[::1]:8080/j",
        "auth.session.url=http://localhost/a?b",
    ];
    let with = |more: &'static str| load_set(&[here[0], here[1], more]).unwrap().warnings();
    assert!(with("auth.jwt.audience=xmpp").is_empty());
    // In the stream a token of another service would do, too.
    assert!(with("auth.jwt.oauthbearer=true")[0].starts_with("auth.jwt.audience"));
    assert!(with("auth.jwt.oauthbearer=false").is_empty());
}

#[test]
fn sections_in_sections_are_reached_by_every_layer() {
    let file = load_file("[auth]\nplain = 'never'\n[auth.jwt]\nissuer = 'i'").unwrap();
    let dotted = load_file("auth.plain = 'never'\nauth.jwt.issuer = 'i'").unwrap();
    let inline = load_file("auth = { plain = 'never', jwt = { issuer = 'i' } }").unwrap();
    let set = load_set(&["auth.plain=never", "auth.jwt.issuer=i"]).unwrap();
    let variables = [
        ("STANZAD_AUTH__PLAIN", "never"),
        ("STANZAD_AUTH__JWT__ISSUER", "i"),
    ];
    let environment = load_environment(&variables).unwrap();
    assert_eq!(file.auth.jwt.issuer.as_deref(), Some("i"));
    for other in [dotted, inline, set, environment] {
        assert_eq!(other, file);
    }
}

#[test]
fn a_misspelt_key_in_a_section_of_a_section_is_told_the_nearest_one() {
    for (key, nearest) in [
        ("auth.jwt.isuer", "auth.jwt.issuer"),
        ("auth.jwks_url", "auth.jwt.jwks_url"),
        ("auth.jvt", "auth.jwt"),
        ("auth.session.cookie", "auth.session.cookies"),
        ("endpoint.0.sm.ack_timout", "endpoint.sm.ack_timeout"),
        ("endpoint.0.alias", "endpoint.paths"),
        ("admin.token", "admin.token_file"),
        ("handler", "handlers"),
    ] {
        let found = complaint(&[&format!("{key}=1")], &[]);
        if key == "endpoint.0.alias" {
            assert!(
                found.contains("there is no option endpoint.alias"),
                "{found}"
            );
        } else {
            assert!(
                found.ends_with(&format!("did you mean {nearest}?")),
                "{found}"
            );
        }
    }
    assert!(complaints(load_file("auth.jwt = 1"))[0].contains("is no value for a section"));
}

#[test]
fn an_endpoint_has_values_of_sm_of_its_own() {
    let text = "sm.ack_timeout = '5s'\n[[endpoint]]\nsm.unsolicited_ack_frequency = 1\n\
                sm.resume_timeout = '1m'\n[[endpoint]]\nname = 'b'\npath = '/b'\n\
                [endpoint.sm]\nenabled = false\n";
    let config = load_file(text).unwrap();
    let of = |index: usize| config.sm.with(&config.endpoints[index].sm);
    let first = Sm {
        unsolicited_ack_frequency: 1,
        resume_timeout: Duration::from_secs(60),
        ..config.sm.clone()
    };
    assert_eq!(of(0), first);
    assert_eq!(of(0).ack_timeout, Duration::from_secs(5));
    assert_eq!(
        of(1),
        Sm {
            enabled: false,
            ..config.sm.clone()
        }
    );
    let variable = [("STANZAD_ENDPOINT__0__SM__ENABLED", "false")];
    let config = load_environment(&variable).unwrap();
    assert_eq!(config.endpoints[0].sm.enabled, Some(false));
}

#[test]
fn every_value_of_sm_can_be_an_endpoints_own() {
    for (own, value) in [
        ("enabled", "false"),
        ("unsolicited_ack_frequency", "7"),
        ("unsolicited_ack_delay", "7s"),
        ("ack_request_frequency", "7"),
        ("ack_request_delay", "7s"),
        ("ack_timeout", "7s"),
        ("resume_timeout", "7s"),
    ] {
        let whole = load_set(&[&format!("sm.{own}={value}")]).unwrap();
        let config = load_set(&[&format!("endpoint.0.sm.{own}={value}")]).unwrap();
        assert_eq!(config.sm.with(&config.endpoints[0].sm), whole.sm, "{own}");
        let none = load_set(&[&format!("endpoint.0.sm.{own}=none")]).unwrap();
        assert_eq!(none, Config::default());
    }
}

#[test]
fn values_of_sm_go_together_at_each_endpoint() {
    let high = [
        "sm.max_unacked=20",
        "endpoint.0.sm.ack_request_frequency=20",
    ];
    complaint(
        &high,
        &[
            "at endpoint.0: ",
            "sm.ack_request_frequency (20)",
            "sm.max_unacked",
        ],
    );
    let never = [
        "sm.ack_request_delay=0s",
        "endpoint.0.sm.ack_request_frequency=0",
    ];
    complaint(
        &never,
        &[
            "at endpoint.0: ",
            "sm.ack_request_frequency",
            "sm.ack_request_delay",
        ],
    );
    // What is wrong everywhere is told once.
    complaint(
        &["sm.ack_request_frequency=1000"],
        &["--set: sm.ack_request_frequency (1000)"],
    );
}

#[test]
fn something_is_served_at_one_endpoint_or_by_bosh() {
    complaint(
        &["bosh.enabled=false", "endpoint.0.enabled=false"],
        &["bosh.enabled", "endpoint.enabled"],
    );
    assert!(load_set(&["endpoint.0.enabled=false"]).is_ok());
}

#[test]
fn urls_of_the_web_application_are_whole_urls() {
    for (url, why) in [
        ("ftp://a.example/", "has no https:// or http:// in front"),
        ("/admit", "has no https:// or http:// in front"),
        ("https://", "names no host"),
        ("https://user@a.example/", "names no host"),
        ("https://a.example:0/", "has a port that is not 1 to 65535"),
        ("https://a.example/a b", "what has to be escaped"),
        ("https://a.example/#a", "has a fragment"),
    ] {
        for key in ["auth.session.url", "auth.jwt.jwks_url"] {
            complaint(&[&format!("{key}={url}")], &[key, why]);
        }
    }
    let long = format!("auth.session.url=https://a.example/{}", "a".repeat(2048));
    complaint(&[&long], &["is too long"]);
    let url = "https://a.example:8443/a/%20?b=c&d";
    let config = load_set(&[&format!("auth.session.url={url}")]).unwrap();
    assert_eq!(config.auth.session.url.as_deref(), Some(url));
}

#[test]
fn cookies_and_headers_are_names() {
    let config = load_set(&[
        "auth.session.cookies=JSESSIONID,a",
        "auth.session.headers=X-User,x-user-2",
    ]);
    let session = config.unwrap().auth.session;
    assert_eq!(session.cookies, ["JSESSIONID", "a"]);
    assert_eq!(session.headers, ["x-user", "x-user-2"]);
    complaint(
        &["auth.session.cookies=a=b"],
        &["auth.session.cookies", "\"a=b\""],
    );
    complaint(
        &["auth.session.headers=[\"a b\"]"],
        &["auth.session.headers", "\"a b\""],
    );
    complaint(&["auth.session.headers=A,a"], &["has \"a\" twice"]);
    let many: Vec<String> = (0..33).map(|n| format!("c{n}")).collect();
    let many = format!("auth.session.cookies={}", many.join(","));
    complaint(&[&many], &["has more than 32"]);
}

#[test]
fn durations_of_auth_have_their_ranges() {
    for (key, low, high) in [
        ("auth.ticket.ttl", "0s", "61m"),
        ("auth.jwt.leeway", "500ms", "11m"),
        ("auth.jwt.refresh", "9s", "25h"),
        ("auth.session.timeout", "99ms", "31s"),
    ] {
        for value in [low, high] {
            complaint(&[&format!("{key}={value}")], &[key, "allowed: "]);
        }
    }
}

#[test]
fn names_of_claims_are_lines_of_text() {
    complaint(
        &["auth.jwt.user_claim=\"\""],
        &["auth.jwt.user_claim", "is empty"],
    );
    complaint(
        &["auth.jwt.issuer=\"a\\nb\""],
        &["auth.jwt.issuer", "control character"],
    );
    let long = format!("auth.jwt.audience={}", "a".repeat(1025));
    complaint(&[&long], &["is too long"]);
    assert_eq!(load_set(&["auth.jwt.issuer=none"]), Ok(Config::default()));
}

#[test]
fn the_handlers_that_come_with_the_server_are_known_by_name() {
    let config = load_file("handlers = ['echo']").unwrap();
    assert_eq!(config.handlers, [BuiltInHandler::Echo]);
    complaint(
        &["handlers=ecko"],
        &["handlers", "\"ecko\"", "any of \"echo\""],
    );
    assert_eq!(load_set(&["handlers=[]"]), Ok(Config::default()));
}

#[test]
fn oauthbearer_needs_tokens_to_look_at() {
    assert!(!Config::default().oauthbearer());
    for tokens in [
        "auth.jwt.jwks_file=/j",
        "auth.jwt.jwks_url=https://a/j",
        "auth.token.file=/t",
    ] {
        assert!(load_set(&[tokens]).unwrap().oauthbearer());
        assert!(
            !load_set(&[tokens, "auth.jwt.oauthbearer=false"])
                .unwrap()
                .oauthbearer()
        );
    }
}
