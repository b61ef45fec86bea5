//! Who a client says it is, and accounts that do not exist.

use super::*;

/// A-17
#[test]
fn authzid_of_anyone_but_the_own_bare_jid_is_refused() {
    for other in [
        "admin@example.org",
        "user@example.net",
        "user",
        "user@example.org/here",
        "@",
    ] {
        let refusal = refusal_of_first(&format!("n,a={other},{BARE}"));
        assert_eq!(
            refusal,
            SaslFailure::InvalidAuthzid {
                authzid: other.to_owned()
            }
        );
    }
}

/// A-22
#[test]
fn authzid_that_is_the_own_bare_jid_is_accepted() {
    let header = "n,a=User@Example.org,";
    let mut exchange = exchange(Mechanism::ScramSha256);
    let server_first = challenge(send(&mut exchange, format!("{header}{BARE}").as_bytes()));
    let honest = ClientFinal::honest(ScramHash::Sha256, BARE, &server_first);
    let answer = ClientFinal {
        binding_data: header.as_bytes(),
        ..honest
    }
    .message();
    assert!(is_let_in(&exchange.on_message(Some(&answer))));
}

/// A-28
#[test]
fn user_name_is_case_mapped_and_the_own_domain_may_follow() {
    for (sent, prepared) in [
        ("UsEr", "user"),
        ("user@example.org", "user"),
        ("User@EXAMPLE.org", "user"),
        ("ÉMILE", "émile"),
        ("a=2Cb=3Dc", "a,b=c"),
    ] {
        let first = format!("n,,n={sent},r=nonce");
        let step = exchange(Mechanism::ScramSha256).on_message(Some(first.as_bytes()));
        assert_eq!(
            step,
            Step::LookUp {
                username: prepared.to_owned()
            },
            "{sent}"
        );
    }
}

#[test]
fn name_that_no_account_can_have_is_not_authorized() {
    for sent in ["user@example.net", "us er", "user/here", "@example.org"] {
        let refusal = refusal_of_first(&format!("n,,n={sent},r=nonce"));
        assert_eq!(refusal, Refusal::ImpossibleName.into(), "{sent}");
    }
}

fn salt_for(mechanism: Mechanism, name: &str) -> String {
    let first = format!("n,,n={name},r=clientnonce");
    let server_first = challenge(send(&mut exchange(mechanism), first.as_bytes()));
    attribute(&server_first, "s").expect("a salt").to_owned()
}

/// A-19
#[test]
fn salt_of_an_unknown_account_is_stable_and_its_own_for_each_name_and_hash() {
    let ghost = salt_for(Mechanism::ScramSha256, "ghost");
    assert_eq!(ghost, salt_for(Mechanism::ScramSha256, "GHOST"));
    assert_ne!(ghost, salt_for(Mechanism::ScramSha256, "ghoul"));
    assert_ne!(ghost, salt_for(Mechanism::ScramSha1, "ghost"));
}

/// A-19
#[test]
fn unknown_account_is_challenged_like_a_known_one() {
    let first = b"n,,n=ghost,r=clientnonce";
    let unknown = challenge(send(&mut exchange(Mechanism::ScramSha256), first));
    let (_, known) = challenged();
    for letter in ["r", "s", "i", "h"] {
        let sizes = [&unknown, &known].map(|message| attribute(message, letter).map(str::len));
        assert_eq!(sizes[0], sizes[1], "{letter}");
    }
    assert_eq!(attribute(&unknown, "i"), attribute(&known, "i"));
}

/// A-03, A-19
#[test]
fn unknown_account_fails_at_the_end_with_the_condition_of_a_wrong_password() {
    let bare = "n=ghost,r=clientnonce";
    let mut exchange = exchange(Mechanism::ScramSha256);
    let server_first = challenge(send(&mut exchange, format!("n,,{bare}").as_bytes()));
    let answer = ClientFinal::honest(ScramHash::Sha256, bare, &server_first).message();
    let refusal = failure(exchange.on_message(Some(&answer)));
    assert_eq!(refusal, Refusal::UnknownAccount.into());
    assert_eq!(
        refusal.condition(),
        SaslFailure::from(Refusal::WrongPassword).condition()
    );
    assert!(refusal.is_guess());
}

#[test]
fn account_without_keys_of_the_hash_fails_as_an_unknown_one() {
    let only_sha1 = USER.keys(ScramHash::Sha1).cloned();
    let mut exchange = exchange(Mechanism::ScramSha256);
    exchange.on_message(Some(format!("n,,{BARE}").as_bytes()));
    let server_first = challenge(exchange.on_credentials(Some(only_sha1.into_iter().collect())));
    let answer = ClientFinal::honest(ScramHash::Sha256, BARE, &server_first).message();
    assert_eq!(
        failure(exchange.on_message(Some(&answer))),
        Refusal::UnknownAccount.into()
    );
}
