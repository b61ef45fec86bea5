//! Whatever comes in, nobody gets in without the password.

use proptest::prelude::*;

use super::*;

/// Bytes at random, and texts that look like what the mechanisms say.
fn message() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..200),
        "(n|y|p=tls-exporter|p=x)?,(a=user@example.org)?,([a-z]=[a-zA-Z0-9=+/]{0,12},?){0,5}"
            .prop_map(String::into_bytes),
        "n,,n=user,r=[!-+--~]{0,12}".prop_map(String::into_bytes),
        "c=(biws|[a-zA-Z0-9+/=]{0,8}),r=[!-+--~]{0,40},p=[a-zA-Z0-9+/]{43}="
            .prop_map(String::into_bytes),
        "[a-z@.]{0,8}\\x00(user)?\\x00[a-o]{0,8}".prop_map(String::into_bytes),
    ]
}

fn password_mechanism() -> impl Strategy<Value = Mechanism> {
    let proving = Mechanism::ALL.map(|mechanism| match mechanism {
        Mechanism::Anonymous => Mechanism::Plain,
        mechanism => mechanism,
    });
    proptest::sample::select(proving.to_vec())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn messages_at_random_never_panic_and_never_succeed(
        mechanism in password_mechanism(),
        messages in proptest::collection::vec(proptest::option::of(message()), 1..4),
    ) {
        let mut exchange = exchange_on_tls(mechanism);
        for message in messages {
            let step = match exchange.on_message(message.as_deref()) {
                Step::LookUp { username } => exchange.on_credentials(store(&username)),
                step => step,
            };
            let challenged_or_failed = matches!(step, Step::Challenge(_) | Step::Failure(_));
            prop_assert!(challenged_or_failed, "{:?}", step);
        }
    }

    #[test]
    fn wrong_password_never_succeeds(password in "[ -~]{1,20}") {
        prop_assume!(password != PASSWORD);
        let bare = "n=user,r=nonce";
        let mut scram = exchange(Mechanism::ScramSha1);
        let server_first = challenge(send(&mut scram, format!("n,,{bare}").as_bytes()));
        let honest = ClientFinal::honest(ScramHash::Sha1, bare, &server_first);
        let answer = ClientFinal { password: &password, ..honest }.message();
        let refused = Step::Failure(Refusal::WrongPassword.into());
        prop_assert_eq!(scram.on_message(Some(&answer)), refused.clone());

        let mut plain = exchange(Mechanism::Plain);
        prop_assert_eq!(send(&mut plain, format!("\0user\0{password}").as_bytes()), refused);
    }

    #[test]
    fn falsified_final_message_never_succeeds(position in any::<prop::sample::Index>(), bit in 0u8..8) {
        let bare = "n=user,r=nonce";
        let mut exchange = exchange(Mechanism::ScramSha1);
        let server_first = challenge(send(&mut exchange, format!("n,,{bare}").as_bytes()));
        let mut answer = ClientFinal::honest(ScramHash::Sha1, bare, &server_first).message();
        let position = position.index(answer.len());
        answer[position] ^= 1u8 << bit;
        let step = exchange.on_message(Some(&answer));
        prop_assert!(matches!(step, Step::Failure(_)), "{:?}", step);
    }

    #[test]
    fn name_that_is_escaped_comes_out_as_it_went_in(name in "[a-z,=]{1,20}") {
        let escaped = name.replace('=', "=3D").replace(',', "=2C");
        let first = format!("n,,n={escaped},r=nonce");
        let step = exchange(Mechanism::ScramSha1).on_message(Some(first.as_bytes()));
        prop_assert_eq!(step, Step::LookUp { username: name });
    }
}
