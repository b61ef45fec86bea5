//! One authentication: nobody gets in without the password, and whoever has it does.
//!
//! The first bytes choose mechanism and link; then come the client's messages: from nowhere, from
//! templates whose parts the fuzzer fills in, or honest, with one bit changed or none.
//!
//! A success must follow from the message alone: the password of PLAIN is the account's, the proof
//! of SCRAM is the one that another implementation makes of the same words. An honest login must
//! succeed. After the end of an exchange nothing succeeds.

mod client;

use std::sync::{Arc, LazyLock};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use jid::DomainPart;
use stanzad::auth::{
    ChannelBinding, Credentials, Exchange, ITERATIONS_MIN, LinkSecurity, Mechanism, Offer, Realm,
    ScramHash, Secret, Step,
};

use crate::input::{Input, counted};
use client::PASSWORD;

/// Those that a password proves, or nothing. EXTERNAL and OAUTHBEARER prove by what is not in their
/// messages.
const MECHANISMS: [Mechanism; 8] = [
    Mechanism::ScramSha512Plus,
    Mechanism::ScramSha512,
    Mechanism::ScramSha256Plus,
    Mechanism::ScramSha256,
    Mechanism::ScramSha1Plus,
    Mechanism::ScramSha1,
    Mechanism::Plain,
    Mechanism::Anonymous,
];

const USER: &str = "user";
const BARE: &str = "n=user,r=clientnonce";
const MESSAGES_MAX: usize = 6;

static CREDENTIALS: LazyLock<Credentials> =
    LazyLock::new(|| Credentials::derive(PASSWORD, ITERATIONS_MIN).expect("a sound password"));

static REALM: LazyLock<Arc<Realm>> = LazyLock::new(|| {
    let domain: DomainPart = "example.org".parse().expect("a domain");
    let secret = Secret::from_bytes([7; Secret::SIZE_BYTES]);
    Arc::new(Realm::new(domain, secret, ITERATIONS_MIN).expect("iterations in range"))
});

/// Plays one authentication.
pub fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let mechanism = MECHANISMS[usize::from(input.below(8))];
    let Some(mut talk) = Talk::new(mechanism, input.once_in(2)) else {
        return;
    };
    for _ in 0..MESSAGES_MAX {
        if input.is_empty() {
            break;
        }
        talk.say(&mut input);
    }
}

/// The steps of an honest login; for seeds.
pub fn honest(mechanism: usize) -> Vec<u8> {
    vec![mechanism as u8, 1, HONEST, 0, HONEST, 0]
}

/// The steps that say this message first; for seeds.
pub fn saying(mechanism: usize, message: &[u8]) -> Vec<u8> {
    let mut bytes = vec![mechanism as u8, 1, RAW];
    bytes.extend(counted(message));
    bytes
}

const RAW: u8 = 0;
const HONEST: u8 = 3;

struct Talk {
    mechanism: Mechanism,
    binding: ChannelBinding,
    exchange: Exchange,
    /// The last message that could be a client-first-message.
    first: Option<Vec<u8>>,
    /// What the server said to it.
    server_first: Option<String>,
    /// So far all that was said is what an honest client says.
    is_honest: bool,
    is_over: bool,
}

impl Talk {
    /// `None` if the mechanism is not offered on such a link.
    fn new(mechanism: Mechanism, is_on_tls: bool) -> Option<Self> {
        let (link, binding) = if is_on_tls {
            let binding = ChannelBinding {
                tls_exporter: Some([0xe1; 32]),
                tls_server_end_point: Some(vec![0xe2; 32]),
            };
            (LinkSecurity::Tls(binding.clone()), binding)
        } else {
            (LinkSecurity::Confidential, ChannelBinding::NONE)
        };
        let offer = Arc::new(Offer::new(MECHANISMS, &link));
        let exchange = Exchange::new(mechanism, REALM.clone(), offer, binding.clone()).ok()?;
        Some(Self {
            mechanism,
            binding,
            exchange,
            first: None,
            server_first: None,
            is_honest: true,
            is_over: false,
        })
    }

    fn say(&mut self, input: &mut Input<'_>) {
        let (message, is_honest) = self.message(input);
        self.is_honest &= is_honest;
        let was_over = self.is_over;
        let mut step = self.exchange.on_message(message.as_deref());
        if let Step::LookUp { username } = &step {
            let account = (username == USER).then(|| CREDENTIALS.clone());
            step = self.exchange.on_credentials(account);
        }
        let honest = self.is_honest;
        match step {
            Step::Challenge(data) => {
                assert!(!was_over, "a challenge after the end");
                self.on_challenge(&data, message);
            }
            Step::Success { username, data } => {
                assert!(!was_over, "a success after the end");
                assert_eq!(username, USER, "somebody else got in");
                let message = message.expect("a success for nothing");
                self.check_success(&message, data.as_deref());
                self.is_over = true;
            }
            Step::Anonymous => {
                assert!(!was_over && self.mechanism == Mechanism::Anonymous);
                self.is_over = true;
            }
            Step::Failure(failure) => {
                assert!(
                    was_over || !honest,
                    "an honest client is refused: {failure}"
                );
                self.is_over = true;
            }
            Step::LookUp { .. } => panic!("asked for an account twice"),
            Step::Verify { .. } => panic!("asked for a token that nobody showed"),
        }
    }

    fn on_challenge(&mut self, data: &[u8], message: Option<Vec<u8>>) {
        if data.is_empty() {
            return; // the message that did not come with <auth/> is asked for
        }
        self.server_first = Some(String::from_utf8(data.to_vec()).expect("SCRAM is text"));
        self.first = message;
    }

    /// The next message, and whether an honest client would say it.
    fn message(&self, input: &mut Input<'_>) -> (Option<Vec<u8>>, bool) {
        match input.below(5) {
            RAW => (Some(input.counted_bytes().to_vec()), false),
            1 => (None, false),
            2 => (Some(self.template(input)), false),
            HONEST => {
                let changed = input.byte();
                let mut message = self.honest();
                let is_changed = changed != 0 && !message.is_empty();
                if is_changed {
                    let at = usize::from(input.short()) % message.len();
                    message[at] ^= changed;
                }
                (Some(message), !is_changed)
            }
            // The right key for other words.
            _ => {
                let c = input.text();
                let r = input.text();
                (Some(self.proven(&format!("c={c},r={r}"))), false)
            }
        }
    }

    fn gs2(&self) -> &'static str {
        if self.mechanism.binds_channel() {
            "p=tls-exporter,,"
        } else {
            "n,,"
        }
    }

    fn honest(&self) -> Vec<u8> {
        let Some(hash) = self.mechanism.scram_hash() else {
            return format!("\0{USER}\0{PASSWORD}").into_bytes();
        };
        let Some(server_first) = &self.server_first else {
            return format!("{}{BARE}", self.gs2()).into_bytes();
        };
        let nonce = client::value(server_first, 'r').unwrap_or_default();
        let mut bound = self.gs2().as_bytes().to_vec();
        if self.mechanism.binds_channel() {
            bound.extend(self.binding.tls_exporter.unwrap_or_default());
        }
        let without_proof = format!("c={},r={nonce}", BASE64.encode(bound));
        let proof = client::proof(hash, BARE, server_first, &without_proof);
        format!("{without_proof},p={}", BASE64.encode(proof)).into_bytes()
    }

    /// Words of the fuzzer's choice with the proof that belongs to them.
    fn proven(&self, without_proof: &str) -> Vec<u8> {
        let words = (self.mechanism.scram_hash(), self.bare(), &self.server_first);
        let (Some(hash), Some(bare), Some(server_first)) = words else {
            return without_proof.as_bytes().to_vec();
        };
        let proof = client::proof(hash, &bare, server_first, without_proof);
        format!("{without_proof},p={}", BASE64.encode(proof)).into_bytes()
    }

    /// What follows the GS2 header of the first message.
    fn bare(&self) -> Option<String> {
        let first = std::str::from_utf8(self.first.as_ref()?).ok()?;
        first.splitn(3, ',').nth(2).map(str::to_owned)
    }

    fn template(&self, input: &mut Input<'_>) -> Vec<u8> {
        let nonce = self.server_first.as_deref();
        let nonce = nonce
            .and_then(|first| client::value(first, 'r'))
            .unwrap_or_default();
        let text = match input.below(5) {
            0 => format!("\0{}\0{}", input.text(), input.text()),
            1 => format!(
                "{},{},n={},r={}",
                input.text(),
                input.text(),
                input.text(),
                input.text()
            ),
            2 => format!("n,a={},n=user,r={}", input.text(), input.text()),
            3 => format!(
                "c=biws,r={nonce},p={}",
                BASE64.encode(input.counted_bytes())
            ),
            _ => format!(
                "c={},r={nonce}{},p={}",
                input.text(),
                input.text(),
                input.text()
            ),
        };
        text.into_bytes()
    }

    /// Whether what was said is a proof, by our own reckoning.
    fn check_success(&self, message: &[u8], data: Option<&[u8]>) {
        let text = std::str::from_utf8(message).expect("a success of no text");
        let Some(hash) = self.mechanism.scram_hash() else {
            return check_plain(text);
        };
        let server_first = self.server_first.as_deref().expect("a challenge");
        let bare = self.bare().expect("a first message");
        let (without_proof, proof) = text.rsplit_once(",p=").expect("a proof");
        let right = client::proof(hash, &bare, server_first, without_proof);
        assert_eq!(BASE64.decode(proof), Ok(right), "a false proof got in");
        let signature = client::server_signature(hash, &bare, server_first, without_proof);
        assert_eq!(data, Some(signature.as_bytes()), "a false server signature");
        self.check_words(without_proof, server_first);
    }

    /// The proof covers these words; they must be the right ones as well.
    fn check_words(&self, without_proof: &str, server_first: &str) {
        let nonce = client::value(without_proof, 'r');
        assert_eq!(nonce, client::value(server_first, 'r'), "a foreign nonce");
        let first = self.first.as_deref().unwrap_or_default();
        let header_len = first.len() - self.bare().unwrap_or_default().len();
        let mut bound = first[..header_len].to_vec();
        if bound.starts_with(b"p=tls-exporter,") {
            bound.extend(self.binding.tls_exporter.unwrap_or_default());
        } else if bound.starts_with(b"p=") {
            bound.extend(
                self.binding
                    .tls_server_end_point
                    .as_deref()
                    .unwrap_or_default(),
            );
        }
        let c = client::value(without_proof, 'c').and_then(|c| BASE64.decode(c).ok());
        assert_eq!(c, Some(bound), "another channel or another header");
        let is_plus = self.mechanism.binds_channel();
        assert_eq!(first.starts_with(b"p="), is_plus);
    }
}

/// RFC 4616 §2: the last part is the password, once it is prepared (RFC 4013).
fn check_plain(text: &str) {
    let parts: Vec<_> = text.split('\0').collect();
    let [_, _, password] = parts[..] else {
        panic!("{text:?} got in")
    };
    let prepared = stringprep::saslprep(password).expect("a sound password");
    assert_eq!(prepared, PASSWORD, "a wrong password got in");
}

// Used by the seeds alone, and kept next to what they encode.
const _: () = assert!(MECHANISMS.len() == 8 && ScramHash::ALL.len() == 3);
