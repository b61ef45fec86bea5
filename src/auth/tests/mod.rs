//! Whole authentications, with the client's part played by hand or by another implementation.

mod accounts;
mod offers;
mod oracle;
mod plain;
mod properties;
mod scram_binding;
mod scram_flow;
mod scram_names;
mod scram_syntax;
mod vectors;

use std::sync::{Arc, LazyLock};

use base64::{Engine, engine::general_purpose::STANDARD};
use jid::DomainPart;

use super::*;

const PASSWORD: &str = "pencil";
/// `client-first-message-bare` of most conversations here.
const BARE: &str = "n=user,r=clientnonce";

/// Keys of the account `user`, derived once: derivation is meant to be slow.
static USER: LazyLock<Credentials> =
    LazyLock::new(|| Credentials::derive(PASSWORD, ITERATIONS_MIN).expect("a sound password"));

fn realm() -> Arc<Realm> {
    let domain: DomainPart = "example.org".parse().expect("a domain");
    let secret = Secret::from_bytes([7; Secret::SIZE_BYTES]);
    Arc::new(Realm::new(domain, secret, ITERATIONS_MIN).expect("iterations in range"))
}

fn tls() -> ChannelBinding {
    ChannelBinding {
        tls_exporter: Some([0xe1; 32]),
        tls_server_end_point: Some(vec![0xe2; 32]),
    }
}

/// An exchange on a link without channel binding, everything enabled.
fn exchange(mechanism: Mechanism) -> Exchange {
    let offer = Arc::new(Offer::new(Mechanism::ALL, &LinkSecurity::Confidential));
    Exchange::new(mechanism, realm(), offer, ChannelBinding::NONE).expect("offered")
}

/// An exchange on a TLS link, everything enabled.
fn exchange_on_tls(mechanism: Mechanism) -> Exchange {
    let offer = Arc::new(Offer::new(Mechanism::ALL, &LinkSecurity::Tls(tls())));
    Exchange::new(mechanism, realm(), offer, tls()).expect("offered")
}

/// What a store with the one account `user` answers.
fn store(username: &str) -> Option<Credentials> {
    (username == "user").then(|| USER.clone())
}

/// Hands the message in and answers a look-up from [`store`].
fn send(exchange: &mut Exchange, message: &[u8]) -> Step {
    match exchange.on_message(Some(message)) {
        Step::LookUp { username } => exchange.on_credentials(store(&username)),
        step => step,
    }
}

#[track_caller]
fn challenge(step: Step) -> String {
    match step {
        Step::Challenge(data) => String::from_utf8(data).expect("SCRAM challenges are text"),
        step => panic!("no challenge but {step:?}"),
    }
}

#[track_caller]
fn failure(step: Step) -> SaslFailure {
    match step {
        Step::Failure(failure) => failure,
        step => panic!("no failure but {step:?}"),
    }
}

/// The value of one attribute of a server-first-message.
fn attribute<'m>(message: &'m str, letter: &str) -> Option<&'m str> {
    message
        .split(',')
        .filter_map(|part| part.split_once('='))
        .find(|(l, _)| *l == letter)?
        .1
        .into()
}

/// A client's answer to a server-first-message, each part of which a test may falsify.
struct ClientFinal<'a> {
    hash: ScramHash,
    password: &'a str,
    first_bare: &'a str,
    server_first: &'a str,
    binding_data: &'a [u8],
    nonce: &'a str,
    extensions: &'a str,
}

impl<'a> ClientFinal<'a> {
    fn honest(hash: ScramHash, first_bare: &'a str, server_first: &'a str) -> Self {
        Self {
            hash,
            password: PASSWORD,
            first_bare,
            server_first,
            binding_data: b"n,,",
            nonce: attribute(server_first, "r").expect("a nonce"),
            extensions: "",
        }
    }

    fn without_proof(&self) -> String {
        let binding_data = STANDARD.encode(self.binding_data);
        format!("c={binding_data},r={}{}", self.nonce, self.extensions)
    }

    fn proof(&self) -> Vec<u8> {
        let salt = attribute(self.server_first, "s").expect("a salt");
        let salt = STANDARD.decode(salt).expect("base64");
        let iterations = attribute(self.server_first, "i").expect("iterations");
        let iterations = iterations.parse().expect("a number");
        let salted = self
            .hash
            .salted_password(self.password.as_bytes(), &salt, iterations);
        let client_key = self.hash.hmac(&salted, b"Client Key");
        let stored_key = self.hash.digest(&client_key);
        let signed = format!(
            "{},{},{}",
            self.first_bare,
            self.server_first,
            self.without_proof()
        );
        let signature = self.hash.hmac(&stored_key, signed.as_bytes());
        client_key
            .iter()
            .zip(signature)
            .map(|(key, sign)| key ^ sign)
            .collect()
    }

    fn message(&self) -> Vec<u8> {
        let proof = STANDARD.encode(self.proof());
        format!("{},p={proof}", self.without_proof()).into_bytes()
    }
}

/// The failure that a first message ends with, on a link without channel binding.
#[track_caller]
fn refusal_of_first(message: &str) -> SaslFailure {
    failure(send(
        &mut exchange(Mechanism::ScramSha256),
        message.as_bytes(),
    ))
}

/// An exchange that has sent its server-first-message to `user`, and that message.
fn challenged() -> (Exchange, String) {
    let mut exchange = exchange(Mechanism::ScramSha256);
    let server_first = challenge(send(&mut exchange, format!("n,,{BARE}").as_bytes()));
    (exchange, server_first)
}

/// The failure that a final message made from an honest one ends with.
#[track_caller]
fn refusal_of_final(message: impl FnOnce(ClientFinal<'_>) -> Vec<u8>) -> SaslFailure {
    let (mut exchange, server_first) = challenged();
    let honest = ClientFinal::honest(ScramHash::Sha256, BARE, &server_first);
    failure(exchange.on_message(Some(&message(honest))))
}

/// Whether `user` is let in, with a server signature to check.
fn is_let_in(step: &Step) -> bool {
    matches!(step, Step::Success { username, data: Some(_) } if username == "user")
}
