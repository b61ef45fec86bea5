//! What an account keeps.

use super::*;

#[test]
fn derived_credentials_have_keys_of_every_hash_with_salts_of_their_own() {
    let hashes: Vec<ScramHash> = USER.iter().map(ScramKeys::hash).collect();
    assert_eq!(hashes, ScramHash::ALL);
    let salts: Vec<&[u8]> = USER.iter().map(ScramKeys::salt).collect();
    assert!(salts.iter().all(|salt| salt.len() == SALT_BYTES));
    assert!(salts[0] != salts[1] && salts[1] != salts[2] && salts[0] != salts[2]);
    let again = Credentials::derive(PASSWORD, ITERATIONS_MIN).expect("a sound password");
    assert_ne!(again, *USER);
}

#[test]
fn keys_taken_apart_and_put_together_are_the_same() {
    let rebuilt: Credentials = USER
        .iter()
        .map(|keys| {
            let [salt, stored_key, server_key] =
                [keys.salt(), keys.stored_key(), keys.server_key()].map(<[u8]>::to_vec);
            ScramKeys::from_parts(keys.hash(), keys.iterations(), salt, stored_key, server_key)
                .expect("parts of sound keys")
        })
        .collect();
    assert_eq!(rebuilt, *USER);
}

#[test]
fn first_of_two_keys_for_one_hash_stays() {
    let salts = [vec![1], vec![2]];
    let keys = salts.map(|salt| {
        ScramKeys::derive(ScramHash::Sha1, PASSWORD, salt, ITERATIONS_MIN).expect("sound")
    });
    let credentials: Credentials = keys.into_iter().collect();
    assert_eq!(credentials.strongest().map(ScramKeys::salt), Some(&[1][..]));
    assert_eq!(credentials.iter().count(), 1);
}

#[test]
fn iterations_outside_their_range_are_refused() {
    for found in [0, ITERATIONS_MIN - 1, ITERATIONS_MAX + 1, u32::MAX] {
        let refused = CredentialsError::IterationsOutOfRange { found };
        assert_eq!(Credentials::derive(PASSWORD, found), Err(refused.clone()));
        let secret = Secret::from_bytes([0; Secret::SIZE_BYTES]);
        let domain = "example.org".parse().expect("a domain");
        assert_eq!(Realm::new(domain, secret, found).err(), Some(refused));
    }
}

#[test]
fn password_that_is_empty_too_long_or_not_preparable_is_refused() {
    let refusal = |password: &str| Credentials::derive(password, ITERATIONS_MIN).err();
    assert_eq!(refusal(""), Some(CredentialsError::PasswordEmpty));
    assert_eq!(refusal("\u{ad}"), Some(CredentialsError::PasswordEmpty));
    assert_eq!(
        refusal("pen\u{7}cil"),
        Some(CredentialsError::PasswordNotPreparable)
    );
    assert_eq!(
        refusal("\u{1f512}"),
        Some(CredentialsError::PasswordNotPreparable)
    );
    let found_bytes = PASSWORD_BYTES_MAX + 1;
    assert_eq!(
        refusal(&"x".repeat(found_bytes)),
        Some(CredentialsError::PasswordTooLong { found_bytes })
    );
}

/// RFC 4013 §3.
#[test]
fn passwords_that_prepare_alike_have_the_same_keys() {
    let keys = |password| ScramKeys::derive(ScramHash::Sha1, password, vec![1; 16], ITERATIONS_MIN);
    assert_eq!(keys("IX"), keys("\u{2168}"));
    assert_eq!(keys("IX"), keys("I\u{ad}X"));
    assert_ne!(keys("IX"), keys("ix"));
}

#[test]
fn parts_of_the_wrong_size_are_no_keys() {
    let from_parts = |salt_bytes, stored_bytes, server_bytes| {
        let [salt, stored, server] = [salt_bytes, stored_bytes, server_bytes].map(|n| vec![0; n]);
        ScramKeys::from_parts(ScramHash::Sha256, ITERATIONS_MIN, salt, stored, server).err()
    };
    assert_eq!(from_parts(16, 32, 32), None);
    assert_eq!(
        from_parts(0, 32, 32),
        Some(CredentialsError::SaltSize { found_bytes: 0 })
    );
    assert_eq!(
        from_parts(65, 32, 32),
        Some(CredentialsError::SaltSize { found_bytes: 65 })
    );
    let key_size = |found_bytes| CredentialsError::KeySize {
        hash: ScramHash::Sha256,
        found_bytes,
    };
    assert_eq!(from_parts(16, 20, 32), Some(key_size(20)));
    assert_eq!(from_parts(16, 32, 64), Some(key_size(64)));
}

#[test]
fn debug_shows_neither_keys_nor_secrets() {
    let keys = ScramKeys::derive(ScramHash::Sha1, PASSWORD, vec![1], 4096).expect("sound");
    assert_eq!(
        format!("{keys:?}"),
        "ScramKeys { hash: Sha1, iterations: 4096, .. }"
    );
    assert_eq!(format!("{:?}", Secret::from_bytes([42; 32])), "Secret(..)");
}

#[test]
fn generated_secrets_differ() {
    let generate = || *Secret::generate().expect("randomness").as_bytes();
    assert_ne!(generate(), generate());
}

/// RFC 6120 §6.5: every condition has its name, and the operator a reason of their own.
#[test]
fn failure_tells_the_client_a_condition_and_the_operator_a_reason() {
    let unknown = SaslFailure::from(Refusal::UnknownAccount);
    assert_eq!(unknown.condition(), "not-authorized");
    assert!(unknown.to_string().contains("no such account"));
    let conditions: Vec<&str> = [
        SaslFailure::Aborted,
        SaslFailure::AccountDisabled,
        SaslFailure::CredentialsExpired,
        SaslFailure::EncryptionRequired,
        SaslFailure::IncorrectEncoding,
        SaslFailure::InvalidAuthzid {
            authzid: String::new(),
        },
        SaslFailure::InvalidMechanism,
        SaslFailure::MalformedRequest(Malformed::Syntax),
        SaslFailure::MechanismTooWeak,
        unknown,
        SaslFailure::TemporaryAuthFailure {
            reason: String::new(),
        },
    ]
    .iter()
    .map(SaslFailure::condition)
    .collect();
    assert_eq!(
        conditions,
        [
            "aborted",
            "account-disabled",
            "credentials-expired",
            "encryption-required",
            "incorrect-encoding",
            "invalid-authzid",
            "invalid-mechanism",
            "malformed-request",
            "mechanism-too-weak",
            "not-authorized",
            "temporary-auth-failure"
        ]
    );
}
