//! The GS2 flag, and the channel that it speaks of.

use super::*;

///
#[test]
fn flag_y_is_accepted_where_no_plus_is_offered() {
    let mut exchange = exchange(Mechanism::ScramSha256);
    let server_first = challenge(send(&mut exchange, format!("y,,{BARE}").as_bytes()));
    let honest = ClientFinal::honest(ScramHash::Sha256, BARE, &server_first);
    let answer = ClientFinal {
        binding_data: b"y,,",
        ..honest
    }
    .message();
    assert!(is_let_in(&exchange.on_message(Some(&answer))));
}

///
#[test]
fn flag_y_is_refused_where_a_plus_is_offered_and_n_is_not() {
    let mut denied = exchange_on_tls(Mechanism::ScramSha256);
    let step = send(&mut denied, format!("y,,{BARE}").as_bytes());
    assert_eq!(failure(step), Refusal::Downgraded.into());
    let mut unable = exchange_on_tls(Mechanism::ScramSha256);
    let server_first = challenge(send(&mut unable, format!("n,,{BARE}").as_bytes()));
    let answer = ClientFinal::honest(ScramHash::Sha256, BARE, &server_first).message();
    assert!(is_let_in(&unable.on_message(Some(&answer))));
}

///
#[test]
fn channel_binding_with_a_mechanism_that_is_not_plus_is_malformed() {
    for mechanism in [Mechanism::ScramSha256, Mechanism::ScramSha1] {
        let mut exchange = exchange_on_tls(mechanism);
        let step = send(&mut exchange, format!("p=tls-exporter,,{BARE}").as_bytes());
        assert_eq!(failure(step), Malformed::ChannelBindingFlag.into());
    }
}

///
#[test]
fn unknown_flag_is_malformed() {
    for flag in ["x", "", "N", "p", "p=", "n=tls-exporter"] {
        let refusal = refusal_of_first(&format!("{flag},,{BARE}"));
        assert_eq!(refusal, Malformed::ChannelBindingFlag.into(), "{flag:?}");
    }
}

#[test]
fn plus_without_channel_binding_is_malformed() {
    let mut exchange = exchange_on_tls(Mechanism::ScramSha256Plus);
    let step = send(&mut exchange, format!("n,,{BARE}").as_bytes());
    assert_eq!(failure(step), Malformed::ChannelBindingFlag.into());
}

/// What a `-PLUS` with the type of `header` ends with, when the client sees `value` as the channel.
fn bind(header: &str, value: &[u8]) -> Step {
    let mut exchange = exchange_on_tls(Mechanism::ScramSha256Plus);
    let server_first = challenge(send(&mut exchange, format!("{header}{BARE}").as_bytes()));
    let binding_data = [header.as_bytes(), value].concat();
    let honest = ClientFinal::honest(ScramHash::Sha256, BARE, &server_first);
    exchange.on_message(Some(
        &ClientFinal {
            binding_data: &binding_data,
            ..honest
        }
        .message(),
    ))
}

///
#[test]
fn plus_succeeds_with_the_value_of_either_type() {
    assert!(is_let_in(&bind("p=tls-exporter,,", &[0xe1; 32])));
    assert!(is_let_in(&bind("p=tls-server-end-point,,", &[0xe2; 32])));
}

///
#[test]
fn plus_with_another_channels_value_or_none_is_not_authorized() {
    for value in [&[0xe2; 32][..], &[0xe1; 31], b""] {
        let refusal = failure(bind("p=tls-exporter,,", value));
        assert_eq!(refusal, Refusal::ChannelBindingMismatch.into(), "{value:?}");
    }
}

#[test]
fn plus_with_a_type_that_is_not_announced_is_not_authorized() {
    let binding = ChannelBinding {
        tls_exporter: None,
        ..tls()
    };
    let offer = Arc::new(Offer::new(
        Mechanism::ALL,
        &LinkSecurity::Tls(binding.clone()),
    ));
    for kind in ["tls-exporter", "tls-unique", "TLS-SERVER-END-POINT"] {
        let mechanism = Mechanism::ScramSha1Plus;
        let mut exchange =
            Exchange::new(mechanism, realm(), offer.clone(), tls()).expect("offered");
        let step = send(&mut exchange, format!("p={kind},,{BARE}").as_bytes());
        assert_eq!(
            failure(step),
            Refusal::UnsupportedChannelBinding.into(),
            "{kind}"
        );
    }
}
