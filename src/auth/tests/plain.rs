//! PLAIN and ANONYMOUS.

use super::*;

fn log_in(message: &[u8]) -> Step {
    send(&mut exchange(Mechanism::Plain), message)
}

fn success() -> Step {
    Step::Success {
        username: "user".to_owned(),
        data: None,
    }
}

/// A-02, A-22, A-28
#[test]
fn right_password_succeeds_with_the_name_as_clients_write_it() {
    for message in [
        "\0user\0pencil",
        "\0USER\0pencil",
        "\0user@example.org\0pencil",
        "user@example.org\0user\0pencil",
        "User@Example.ORG\0uSer\0pencil",
    ] {
        assert_eq!(log_in(message.as_bytes()), success(), "{message:?}");
    }
}

/// A-03
#[test]
fn wrong_password_and_unknown_account_have_the_same_condition() {
    let wrong = failure(log_in(b"\0user\0crayon"));
    let unknown = failure(log_in(b"\0ghost\0pencil"));
    assert_eq!(wrong, Refusal::WrongPassword.into());
    assert_eq!(unknown, Refusal::UnknownAccount.into());
    assert_eq!(wrong.condition(), unknown.condition());
}

/// A-19: weighed and not timed.
#[test]
fn unknown_account_costs_as_much_as_a_known_one() {
    use crate::auth::credentials::ROUNDS;
    let cost_of = |message: &[u8]| {
        ROUNDS.set(0);
        log_in(message);
        ROUNDS.get()
    };
    let _derived_by_now = log_in(b"\0user\0pencil");
    let known = cost_of(b"\0user\0crayon");
    assert_eq!(known, u64::from(ITERATIONS_MIN));
    assert_eq!(cost_of(b"\0ghost\0crayon"), known);
    assert_eq!(cost_of(b"\0user\0pencil"), known);
}

/// A-04
#[test]
fn broken_message_is_malformed() {
    for message in [
        &b""[..],
        b"\0user",
        b"\0user\0pencil\0",
        b"\0\0pencil",
        b"\0user\0",
        b"\xff\0u\0p",
    ] {
        assert_eq!(
            failure(log_in(message)).condition(),
            "malformed-request",
            "{message:?}"
        );
    }
}

/// A-18
#[test]
fn authzid_of_another_account_is_refused_before_the_password_is_looked_at() {
    for authzid in [
        "admin@example.org",
        "user@example.net",
        "user",
        "user@example.org/here",
    ] {
        let message = format!("{authzid}\0user\0pencil");
        let refusal = SaslFailure::InvalidAuthzid {
            authzid: authzid.to_owned(),
        };
        assert_eq!(failure(log_in(message.as_bytes())), refusal);
    }
}

#[test]
fn password_that_no_account_can_have_is_wrong_and_not_an_error() {
    let refused = SaslFailure::from(Refusal::WrongPassword);
    assert_eq!(failure(log_in("\0user\0pen\u{7}cil".as_bytes())), refused);
    let long = format!("\0user\0{}", "x".repeat(PASSWORD_BYTES_MAX + 1));
    assert_eq!(failure(log_in(long.as_bytes())), refused);
}

/// RFC 4013 §3: a soft hyphen vanishes.
#[test]
fn password_is_prepared_before_it_is_compared() {
    assert_eq!(log_in("\0user\0pen\u{ad}cil".as_bytes()), success());
}

#[test]
fn missing_initial_response_gets_an_empty_challenge() {
    let mut exchange = exchange(Mechanism::Plain);
    assert_eq!(exchange.on_message(None), Step::Challenge(Vec::new()));
    assert_eq!(send(&mut exchange, b"\0user\0pencil"), success());
}

#[test]
fn only_the_check_of_a_plain_password_is_costly() {
    let mut plain = exchange(Mechanism::Plain);
    assert!(!plain.is_costly());
    plain.on_message(Some(b"\0user\0pencil"));
    assert!(plain.is_costly());
    plain.on_credentials(store("user"));
    assert!(!plain.is_costly());

    let mut scram = exchange(Mechanism::ScramSha256);
    scram.on_message(Some(b"n,,n=user,r=nonce"));
    assert!(!scram.is_costly());
}

#[test]
fn account_with_keys_of_one_hash_alone_logs_in() {
    let only_sha1 = USER.keys(ScramHash::Sha1).cloned();
    let mut exchange = exchange(Mechanism::Plain);
    exchange.on_message(Some(b"\0user\0pencil"));
    assert_eq!(
        exchange.on_credentials(Some(only_sha1.into_iter().collect())),
        success()
    );
}

#[test]
fn account_without_any_keys_cannot_log_in() {
    let mut exchange = exchange(Mechanism::Plain);
    exchange.on_message(Some(b"\0user\0pencil"));
    let step = exchange.on_credentials(Some(Credentials::default()));
    assert_eq!(failure(step), Refusal::UnknownAccount.into());
}

#[test]
fn debug_of_an_exchange_keeps_the_password_to_itself() {
    let mut exchange = exchange(Mechanism::Plain);
    exchange.on_message(Some(b"\0user\0pencil"));
    assert_eq!(
        format!("{exchange:?}"),
        r#"Exchange { mechanism: Plain, state: "looking up", .. }"#
    );
}

#[test]
fn anonymous_is_let_in_with_a_trace_or_without() {
    assert_eq!(
        exchange(Mechanism::Anonymous).on_message(None),
        Step::Anonymous
    );
    assert_eq!(
        exchange(Mechanism::Anonymous).on_message(Some(b"")),
        Step::Anonymous
    );
    assert_eq!(
        exchange(Mechanism::Anonymous).on_message(Some(b"guest")),
        Step::Anonymous
    );
    let not_text = exchange(Mechanism::Anonymous).on_message(Some(b"\xff"));
    assert_eq!(failure(not_text), Malformed::NotText.into());
}
