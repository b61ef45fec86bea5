//! What is announced where.

use super::*;

fn names(offer: &Offer) -> Vec<&'static str> {
    offer
        .mechanisms()
        .iter()
        .map(|mechanism| mechanism.name())
        .collect()
}

///
#[test]
fn tls_link_offers_everything_enabled_strongest_first() {
    let offer = Offer::new(Mechanism::ALL.into_iter().rev(), &LinkSecurity::Tls(tls()));
    assert_eq!(
        names(&offer),
        [
            "SCRAM-SHA-512-PLUS",
            "SCRAM-SHA-512",
            "SCRAM-SHA-256-PLUS",
            "SCRAM-SHA-256",
            "SCRAM-SHA-1-PLUS",
            "SCRAM-SHA-1",
            "EXTERNAL",
            "OAUTHBEARER",
            "PLAIN",
            "ANONYMOUS"
        ]
    );
}

///
#[test]
fn plus_and_binding_types_are_offered_only_where_there_is_a_value() {
    for link in [
        LinkSecurity::Confidential,
        LinkSecurity::Tls(ChannelBinding::NONE),
    ] {
        let offer = Offer::new(Mechanism::ALL, &link);
        assert!(
            !offer
                .mechanisms()
                .iter()
                .any(|mechanism| mechanism.binds_channel())
        );
        assert!(offer.binding_types().is_empty());
        assert!(!offer.binds_channel());
    }
}

///
#[test]
fn binding_types_are_left_out_where_no_plus_is_enabled() {
    let offer = Offer::new([Mechanism::ScramSha256], &LinkSecurity::Tls(tls()));
    assert!(offer.binding_types().is_empty());
    assert!(!offer.binds_channel());
}

///
#[test]
fn plain_on_a_clear_link_requires_encryption() {
    let offer = Offer::new(Mechanism::ALL, &LinkSecurity::Clear);
    assert!(!offer.contains(Mechanism::Plain));
    assert_eq!(offer.select("PLAIN"), Err(SaslFailure::EncryptionRequired));
    let without = Offer::new([Mechanism::ScramSha1], &LinkSecurity::Clear);
    assert_eq!(without.select("PLAIN"), Err(SaslFailure::InvalidMechanism));
}

/// W6
#[test]
fn w6_oauthbearer_on_a_clear_link_requires_encryption() {
    let offer = Offer::new(Mechanism::ALL, &LinkSecurity::Clear);
    assert!(!offer.contains(Mechanism::OAuthBearer) && offer.contains(Mechanism::External));
    assert_eq!(
        offer.select("OAUTHBEARER"),
        Err(SaslFailure::EncryptionRequired)
    );
}

/// X5: what is announced alone is chosen by clients that would choose SCRAM.
#[test]
fn x5_a_mechanism_announced_alone_does_not_shut_the_others_out() {
    let offer = Offer::new(Mechanism::ALL, &LinkSecurity::Tls(tls()));
    let offer = offer.announcing_only(Mechanism::External);
    assert_eq!(names(&offer), ["EXTERNAL"]);
    assert!(offer.binding_types().is_empty() && !offer.binds_channel());
    assert_eq!(offer.select("SCRAM-SHA-256"), Ok(Mechanism::ScramSha256));
    assert_eq!(
        offer.select("SCRAM-SHA-256-PLUS"),
        Err(SaslFailure::InvalidMechanism)
    );
    let h = STANDARD.encode(ScramHash::Sha256.digest(b"EXTERNAL"));
    assert_eq!(offer.downgrade_hash(ScramHash::Sha256), Some(h));
    let without = Offer::new([Mechanism::ScramSha1], &LinkSecurity::Confidential);
    assert_eq!(
        without.clone().announcing_only(Mechanism::External),
        without
    );
}

///
#[test]
fn mechanism_that_is_unknown_or_not_offered_is_invalid() {
    let offer = Offer::new([Mechanism::ScramSha256], &LinkSecurity::Confidential);
    assert_eq!(offer.select("SCRAM-SHA-256"), Ok(Mechanism::ScramSha256));
    for name in [
        "",
        "scram-sha-256",
        "SCRAM-SHA-1",
        "ANONYMOUS",
        "EXTERNAL",
        "DIGEST-MD5",
    ] {
        assert_eq!(
            offer.select(name),
            Err(SaslFailure::InvalidMechanism),
            "{name:?}"
        );
    }
    let begun = Exchange::new(
        Mechanism::Anonymous,
        realm(),
        Arc::new(offer),
        ChannelBinding::NONE,
    );
    assert_eq!(begun.err(), Some(SaslFailure::InvalidMechanism));
}

///
#[test]
fn downgrade_hash_covers_mechanisms_handled_elsewhere_and_no_list_of_types_where_none_is_sent() {
    let offer = Offer::new(
        [Mechanism::Plain, Mechanism::ScramSha1],
        &LinkSecurity::Confidential,
    )
    .with_further_mechanism("OAUTHBEARER");
    let announced = b"OAUTHBEARER\x1ePLAIN\x1eSCRAM-SHA-1";
    let h = STANDARD.encode(ScramHash::Sha512.digest(announced));
    assert_eq!(offer.downgrade_hash(ScramHash::Sha512), Some(h));
    assert_eq!(
        offer
            .without_downgrade_hash()
            .downgrade_hash(ScramHash::Sha512),
        None
    );
}

#[test]
fn name_of_every_mechanism_hash_and_type_leads_back_to_it() {
    for mechanism in Mechanism::ALL {
        assert_eq!(Mechanism::from_name(mechanism.name()), Some(mechanism));
    }
    for hash in ScramHash::ALL {
        assert_eq!(ScramHash::from_name(hash.name()), Some(hash));
    }
    for kind in ChannelBindingType::ALL {
        assert_eq!(ChannelBindingType::from_name(kind.name()), Some(kind));
    }
}

#[test]
fn debug_of_a_binding_shows_its_types_and_not_its_values() {
    assert_eq!(format!("{:?}", tls()), "[TlsExporter, TlsServerEndPoint]");
}
