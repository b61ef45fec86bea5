//! `[tier.NAME]`.

use super::*;

/// The complaint, with every one of `parts` in it.
fn complaint(set: &[&str], parts: &[&str]) {
    let found = complaints(load_set(set));
    assert_eq!(found.len(), 1, "{set:?}: {found:?}");
    for part in parts {
        assert!(found[0].contains(part), "{set:?}: {}", found[0]);
    }
}

#[test]
fn tiers_are_read_by_their_names() {
    let text = "[tier.gold]\nstanzas = '5000/1m'\nbytes = '5MiB/1m'\n\
                [tier.anonymous]\nstanzas = '500/1m'\nper = 'ip'\non_exceed = 'reject'\n\
                [[endpoint]]\ntier = 'gold'\n";
    let config = load_file(text).unwrap();
    let minute = Duration::from_secs(60);
    let gold = Tier {
        stanzas: Some(RateLimit {
            amount: 5000,
            per: minute,
        }),
        bytes: Some(RateLimit {
            amount: 5 << 20,
            per: minute,
        }),
        ..Tier::default()
    };
    assert_eq!(config.tiers["gold"], gold);
    assert_eq!(
        (gold.stanzas_at_once(), gold.bytes_at_once()),
        (5000, 5 << 20)
    );
    assert_eq!((gold.per, gold.on_exceed), (TierPer::User, OnExceed::Delay));
    let anonymous = &config.tiers["anonymous"];
    assert_eq!(
        (anonymous.per, anonymous.on_exceed),
        (TierPer::Ip, OnExceed::Reject)
    );
    assert_eq!(config.tiers.len(), 2);
    assert_eq!(config.endpoints[0].tier.as_deref(), Some("gold"));
}

#[test]
fn a_tier_is_reached_by_every_layer() {
    let file = load_file("[tier.gold]\nstanzas = '5/1s'").unwrap();
    let inline = load_file("tier = { gold = { stanzas = '5/1s' } }").unwrap();
    let set = load_set(&["tier.gold.stanzas=5/1s"]).unwrap();
    let table = load_set(&["tier.gold={ stanzas = '5/1s' }"]).unwrap();
    let environment = load_environment(&[("STANZAD_TIER__GOLD__STANZAS", "5/1s")]).unwrap();
    for other in [inline, set, table, environment] {
        assert_eq!(other, file);
    }
}

#[test]
fn a_burst_of_its_own_takes_the_place_of_the_amount() {
    let set = [
        "tier.a.stanzas=5/1s",
        "tier.a.burst=9",
        "tier.a.bytes=1MiB/1s",
        "tier.a.burst_bytes=2MiB",
    ];
    let config = load_set(&set).unwrap();
    let tier = &config.tiers["a"];
    assert_eq!((tier.stanzas_at_once(), tier.bytes_at_once()), (9, 2 << 20));
}

#[test]
fn a_tier_that_bounds_nothing_is_an_error() {
    let found = complaints(load_file("\n[tier.gold]\n"));
    assert_eq!(found.len(), 1);
    let place = "stanzad.toml:2: tier.gold.stanzas and tier.gold.bytes are both absent";
    assert!(found[0].starts_with(place), "{}", found[0]);
    complaint(
        &["tier.gold.per=ip"],
        &["--set: tier.gold.stanzas and tier.gold.bytes"],
    );
    complaint(
        &["tier.gold.bytes=1MiB/1s", "tier.gold.burst=5"],
        &["tier.gold.burst ", "tier.gold.stanzas"],
    );
    complaint(
        &["tier.gold.stanzas=1/1s", "tier.gold.burst_bytes=5MiB"],
        &["tier.gold.burst_bytes ", "tier.gold.bytes"],
    );
}

#[test]
fn a_tier_lets_the_longest_stanza_through() {
    complaint(
        &["tier.gold.bytes=100KiB/1s"],
        &[
            "tier.gold.bytes lets 100KiB",
            "limits.max_stanza_bytes (256KiB)",
        ],
    );
    complaint(
        &["tier.gold.bytes=1MiB/1s", "tier.gold.burst_bytes=100KiB"],
        &[
            "tier.gold.burst_bytes lets 100KiB",
            "limits.max_stanza_bytes (256KiB)",
        ],
    );
    assert!(load_set(&["tier.gold.bytes=1000/1s", "tier.gold.burst_bytes=256KiB"]).is_ok());
}

#[test]
fn rates_have_their_ranges() {
    let range = "allowed: \"1/1d\" to \"1000000000/1s\"";
    for rate in ["0/1s", "1000000001/1s", "5/999ms", "5/25h"] {
        complaint(
            &[&format!("tier.gold.stanzas={rate}")],
            &["tier.gold.stanzas", "out of range", range],
        );
    }
    for rate in ["5", "5/s", "5KiB/1s", "-1/1s"] {
        complaint(
            &[&format!("tier.gold.stanzas={rate}")],
            &["is not a rate", range],
        );
    }
    complaint(
        &["tier.gold.bytes=999/1s"],
        &["tier.gold.bytes", "out of range"],
    );
    complaint(&["tier.gold.bytes=1MB/1s"], &["\"5MiB/1m\""]);
    let limits = ["tier.gold.stanzas=1/1d", "tier.gold.stanzas=1000000000/1s"];
    assert!(load_set(&limits).is_ok());
}

#[test]
fn an_endpoint_names_a_tier_that_there_is() {
    let set = ["tier.gold.stanzas=5/1s", "endpoint.0.tier=glod"];
    complaint(
        &set,
        &[
            "endpoint.tier \"glod\"",
            "no [tier.glod]",
            "did you mean \"gold\"?",
        ],
    );
    complaint(
        &["endpoint.0.tier=gold"],
        &["there is no [tier.gold]; write one"],
    );
}

#[test]
fn a_misspelt_key_of_a_tier_is_told_the_nearest_one() {
    complaint(
        &["tier.gold.stanza=1"],
        &["there is no option tier.stanza; did you mean tier.stanzas?"],
    );
    complaint(&["teir.gold.stanzas=1"], &["did you mean tier.stanzas?"]);
    assert!(complaints(load_file("[teir.gold]\nstanzas = 1"))[0].ends_with("did you mean tier?"));
}

#[test]
fn what_is_no_tier_is_told_so() {
    for text in ["tier = 1", "[[tier]]\nname = 'gold'"] {
        assert!(
            complaints(load_file(text))[0].contains("[tier.NAME] tables"),
            "{text}"
        );
    }
    assert!(complaints(load_file("tier.gold = 1"))[0].contains("tier.gold.stanzas"));
    for name in ["'Gold'", "none", "'a b'", "''", "'ö'"] {
        let found = complaints(load_file(&format!("[tier.{name}]\nstanzas = '1/1s'")));
        assert!(
            found[0].contains("is not the name of a tier"),
            "{}",
            found[0]
        );
    }
}

#[test]
fn more_tiers_than_the_bound_are_an_error() {
    let text: String = (0..65)
        .map(|n| format!("[tier.t{n}]\nstanzas='1/1s'\n"))
        .collect();
    let found = complaints(load_file(&text));
    assert!(
        found[0].contains("one tier too many; allowed: 64"),
        "{}",
        found[0]
    );
}
