//! SCRAM from its first message to its last.

use super::*;

/// A-09
#[test]
fn right_password_succeeds_with_every_hash() {
    for mechanism in [
        Mechanism::ScramSha1,
        Mechanism::ScramSha256,
        Mechanism::ScramSha512,
    ] {
        let mut exchange = exchange(mechanism);
        let server_first = challenge(send(&mut exchange, format!("n,,{BARE}").as_bytes()));
        let hash = mechanism.scram_hash().expect("a SCRAM mechanism");
        let answer = ClientFinal::honest(hash, BARE, &server_first).message();
        assert!(
            is_let_in(&exchange.on_message(Some(&answer))),
            "{mechanism}"
        );
    }
}

/// A-26
#[test]
fn missing_initial_response_gets_an_empty_challenge_and_may_then_be_sent() {
    let mut exchange = exchange(Mechanism::ScramSha256);
    assert_eq!(exchange.on_message(None), Step::Challenge(Vec::new()));
    let server_first = challenge(send(&mut exchange, format!("n,,{BARE}").as_bytes()));
    let answer = ClientFinal::honest(ScramHash::Sha256, BARE, &server_first).message();
    assert!(is_let_in(&exchange.on_message(Some(&answer))));
}

#[test]
fn nonce_of_each_exchange_is_its_own_and_begins_with_the_clients() {
    let (_, first) = challenged();
    let (_, second) = challenged();
    let nonces = [&first, &second].map(|message| attribute(message, "r").expect("a nonce"));
    assert_ne!(nonces[0], nonces[1]);
    for nonce in nonces {
        let ours = nonce
            .strip_prefix("clientnonce")
            .expect("ours comes after the client's");
        assert_eq!(ours.len(), 24);
    }
}

/// A-03
#[test]
fn wrong_password_is_not_authorized() {
    let refusal = refusal_of_final(|honest| {
        ClientFinal {
            password: "crayon",
            ..honest
        }
        .message()
    });
    assert_eq!(refusal, Refusal::WrongPassword.into());
    assert!(refusal.is_guess());
}

#[test]
fn unknown_extension_is_passed_over_and_signed() {
    let (mut exchange, server_first) = challenged();
    let honest = ClientFinal::honest(ScramHash::Sha256, BARE, &server_first);
    let answer = ClientFinal {
        extensions: ",x=a=b",
        ..honest
    }
    .message();
    assert!(is_let_in(&exchange.on_message(Some(&answer))));
}

/// A-08
#[test]
fn message_out_of_turn_authenticates_nobody() {
    let out_of_turn = SaslFailure::from(Malformed::OutOfTurn);
    let mut looking_up = exchange(Mechanism::ScramSha256);
    looking_up.on_message(Some(format!("n,,{BARE}").as_bytes()));
    assert_eq!(
        failure(looking_up.on_message(Some(b"c=biws,r=x,p=AA=="))),
        out_of_turn
    );
    let late = failure(looking_up.on_credentials(store("user")));
    assert_eq!(late.condition(), "temporary-auth-failure");

    let (mut exchange, server_first) = challenged();
    let answer = ClientFinal::honest(ScramHash::Sha256, BARE, &server_first).message();
    assert!(is_let_in(&exchange.on_message(Some(&answer))));
    assert_eq!(failure(exchange.on_message(Some(&answer))), out_of_turn);
}

#[test]
fn challenge_left_unanswered_is_malformed_and_ends_the_exchange() {
    let (mut exchange, server_first) = challenged();
    assert_eq!(failure(exchange.on_message(None)), Malformed::Syntax.into());
    let answer = ClientFinal::honest(ScramHash::Sha256, BARE, &server_first).message();
    assert_eq!(
        failure(exchange.on_message(Some(&answer))),
        Malformed::OutOfTurn.into()
    );
}

/// A-24
#[test]
fn message_over_the_bound_is_refused_unread_and_one_at_the_bound_is_read() {
    let fill = |bytes: usize| {
        let mut message = "n,,n=user,r=".to_owned();
        message.push_str(&"x".repeat(bytes - message.len()));
        message
    };
    challenge(send(
        &mut exchange(Mechanism::ScramSha1),
        fill(MESSAGE_BYTES_MAX).as_bytes(),
    ));
    assert_eq!(
        refusal_of_first(&fill(MESSAGE_BYTES_MAX + 1)),
        Malformed::TooLong.into()
    );
    assert_eq!(refusal_of_first(&fill(1 << 20)), Malformed::TooLong.into());
}

/// A-44
#[test]
fn server_first_message_carries_the_hash_of_the_offer_last() {
    let (_, server_first) = challenged();
    let offer = Offer::new(Mechanism::ALL, &LinkSecurity::Confidential);
    let h = offer
        .downgrade_hash(ScramHash::Sha256)
        .expect("sent unless left out");
    assert!(
        server_first.ends_with(&format!(",i=4096,h={h}")),
        "{server_first}"
    );
}
