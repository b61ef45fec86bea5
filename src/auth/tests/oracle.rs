//! Another implementation as the client: rsasl.

use rsasl::prelude::{Mechname, SASLClient, SASLConfig, State};

use super::*;

/// Plays a whole login; `Ok` holds the last step, `Err` what the client did not like.
fn log_in(mechanism: Mechanism, name: &str, password: &str) -> Result<Step, String> {
    let (name, password) = (name.to_owned(), password.to_owned());
    let config = SASLConfig::with_credentials(None, name, password).map_err(|e| e.to_string())?;
    let offered = [Mechname::parse(mechanism.name().as_bytes()).map_err(|e| e.to_string())?];
    let mut client = SASLClient::new(config)
        .start_suggested(&offered)
        .map_err(|e| e.to_string())?;
    // This client passes over what it does not know without signing it (RFC 5802 §5.1 wants both).
    let offer = Offer::new(Mechanism::ALL, &LinkSecurity::Confidential).without_downgrade_hash();
    let mut server = Exchange::new(mechanism, realm(), Arc::new(offer), ChannelBinding::NONE)
        .map_err(|e| e.to_string())?;
    let mut input: Option<Vec<u8>> = None;
    loop {
        let mut output = Vec::new();
        let state = client
            .step(input.as_deref(), &mut output)
            .map_err(|e| e.to_string())?;
        match send(&mut server, &output) {
            Step::Challenge(data) => input = Some(data),
            Step::Success { username, data } => {
                if let Some(signature) = &data {
                    // The client checks the server's signature, or fails here.
                    let mut rest = Vec::new();
                    let state = client
                        .step(Some(signature), &mut rest)
                        .map_err(|e| e.to_string())?;
                    assert!(matches!(state, State::Finished(_)));
                } else {
                    assert!(matches!(state, State::Finished(_)));
                }
                return Ok(Step::Success { username, data });
            }
            step => return Ok(step),
        }
    }
}

const SPOKEN: [Mechanism; 4] = [
    Mechanism::ScramSha512,
    Mechanism::ScramSha256,
    Mechanism::ScramSha1,
    Mechanism::Plain,
];

#[test]
fn other_client_logs_in_with_every_mechanism_and_accepts_our_signature() {
    for mechanism in SPOKEN {
        let outcome = log_in(mechanism, "user", PASSWORD);
        assert!(
            matches!(&outcome, Ok(Step::Success { username, .. }) if username == "user"),
            "{mechanism}: {outcome:?}"
        );
    }
}

#[test]
fn other_client_is_refused_with_a_wrong_password_and_as_an_unknown_account() {
    for mechanism in SPOKEN {
        for (name, password) in [("user", "crayon"), ("ghost", PASSWORD)] {
            let outcome = log_in(mechanism, name, password).expect("a refusal is no client error");
            assert_eq!(
                failure(outcome).condition(),
                "not-authorized",
                "{mechanism} {name}"
            );
        }
    }
}
