//! One authentication, from `<auth/>` to its outcome (RFC 6120 §6.4).

use std::{fmt, mem, sync::Arc};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use super::{
    bearer::{self, BearerMessage},
    binding::ChannelBinding,
    credentials::{Credentials, PreparedPassword, ScramKeys},
    failure::{Malformed, Refusal, SaslFailure},
    identity::Realm,
    mechanism::{Mechanism, ScramHash},
    offer::Offer,
    plain::PlainMessage,
    scram::{Challenge, ClientFirst},
    secret::random_bytes,
    token::{TOKEN_BYTES_MAX, Token},
};

/// Most bytes of one message, after base64. A longer one is [`Malformed::TooLong`].
pub const MESSAGE_BYTES_MAX: usize = 4_096;

/// The same for OAUTHBEARER, which carries a token.
const BEARER_MESSAGE_BYTES_MAX: usize = TOKEN_BYTES_MAX + MESSAGE_BYTES_MAX;

/// Random bytes in our part of a nonce; 24 characters in base64.
const NONCE_BYTES: usize = 18;

/// The server's side of one authentication.
///
/// Feed it what the client sends, after base64, and do what each [`Step`] says. It ends with
/// [`Step::Success`], [`Step::Anonymous`] or [`Step::Failure`]; whatever comes after that is
/// refused, so an exchange that ended authenticates nobody again. To leave it half done, as at
/// `<abort/>`, drop it.
///
/// Holds the password of a PLAIN login from its message to its credentials, and no longer. A token
/// it does not keep at all.
pub struct Exchange {
    mechanism: Mechanism,
    realm: Arc<Realm>,
    offer: Arc<Offer>,
    binding: ChannelBinding,
    /// The account that the link was admitted for, if it was.
    admitted: Option<String>,
    /// Our part of the nonce.
    nonce: String,
    state: State,
}

/// What the stream does next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Send this, in base64, in `<challenge/>`; its answer goes to [`Exchange::on_message`].
    Challenge(Vec<u8>),
    /// Find the credentials of this account and hand them to [`Exchange::on_credentials`].
    LookUp {
        /// The localpart, prepared and case-mapped.
        username: String,
    },
    /// Find out what this token is worth and say so by [`Exchange::on_verified`].
    Verify {
        /// As the client shows it.
        token: Token,
    },
    /// The client is who it says.
    Success {
        /// The localpart, prepared and case-mapped; as in [`Step::LookUp`].
        username: String,
        /// What goes with `<success/>`, before base64: SCRAM's server signature.
        data: Option<Vec<u8>>,
    },
    /// The client is nobody, and allowed to be: give it an account for the time being (XEP-0175).
    Anonymous,
    /// Send `<failure/>` with this condition; the stream stays for another attempt (§6.4.5).
    Failure(SaslFailure),
}

enum State {
    /// `<auth/>` is being read.
    Start,
    /// An empty challenge asked for the message that `<auth/>` did not carry (RFC 6120 §6.4.2).
    Prompted,
    /// OAUTHBEARER: the token is being verified.
    Verifying { authzid: String },
    /// OAUTHBEARER: the client hears why before it hears that it failed (RFC 7628 §3.2.3).
    TokenRefused(Refusal),
    /// The credentials of `username` are being looked up.
    LookingUp { username: String, claim: Claim },
    /// SCRAM: the server-first-message is out. `known` is false for a made-up account.
    Challenged {
        username: String,
        known: bool,
        challenge: Box<Challenge>,
    },
    /// Nothing is due any more.
    Done,
}

/// What a client has said of itself before its credentials are known.
enum Claim {
    /// Proven already: there only has to be such an account.
    Proven,
    Plain {
        password: String,
    },
    Scram(ScramClaim),
}

struct ScramClaim {
    hash: ScramHash,
    client_first_bare: String,
    /// The client's part and ours.
    nonce: String,
    /// What `c=` will have to carry.
    binding_data: Vec<u8>,
}

/// A state to go on in and what to do meanwhile, or the end.
type Outcome = Result<(State, Step), SaslFailure>;

impl Exchange {
    /// Begins an authentication with a mechanism of the offer that the client was shown.
    ///
    /// `binding` is that of the link the offer was made for.
    ///
    /// # Errors
    ///
    /// As [`Offer::select`]; [`SaslFailure::TemporaryAuthFailure`] when the operating system gives
    /// no randomness for a nonce.
    pub fn new(
        mechanism: Mechanism,
        realm: Arc<Realm>,
        offer: Arc<Offer>,
        binding: ChannelBinding,
    ) -> Result<Self, SaslFailure> {
        offer.admit(mechanism)?;
        let nonce =
            random_bytes::<NONCE_BYTES>().map_err(|error| SaslFailure::TemporaryAuthFailure {
                reason: error.to_string(),
            })?;
        let nonce = URL_SAFE_NO_PAD.encode(nonce);
        Ok(Self {
            mechanism,
            realm,
            offer,
            binding,
            admitted: None,
            nonce,
            state: State::Start,
        })
    }

    /// The link was admitted for this account of the realm: EXTERNAL logs in as it.
    #[must_use]
    pub fn with_admitted(mut self, localpart: String) -> Self {
        self.admitted = Some(localpart);
        self
    }

    #[cfg(test)]
    pub(super) fn with_nonce(mut self, nonce: &str) -> Self {
        nonce.clone_into(&mut self.nonce);
        self
    }

    /// The mechanism in use.
    pub fn mechanism(&self) -> Mechanism {
        self.mechanism
    }

    /// Whether the next [`on_credentials`](Self::on_credentials) derives a password anew: PLAIN.
    ///
    /// That takes milliseconds to a second of one core, as many as the account has iterations;
    /// call it on a thread for blocking work, and bound how many run at once.
    pub fn is_costly(&self) -> bool {
        matches!(
            self.state,
            State::LookingUp {
                claim: Claim::Plain { .. },
                ..
            }
        )
    }

    /// The password of a PLAIN login that is being looked up, for somebody else to check: whoever
    /// takes it and goes on to [`on_credentials`](Self::on_credentials) says that it is right.
    pub fn take_password(&mut self) -> Option<String> {
        let State::LookingUp { claim, .. } = &mut self.state else {
            return None;
        };
        match mem::replace(claim, Claim::Proven) {
            Claim::Plain { password } => Some(password),
            other => {
                *claim = other;
                None
            }
        }
    }

    /// A message of the client, after base64; `None` for an `<auth/>` without an initial response.
    ///
    /// An initial response of `=` is the empty message, `Some(b"")` (RFC 6120 §6.4.2).
    pub fn on_message(&mut self, message: Option<&[u8]>) -> Step {
        let state = mem::replace(&mut self.state, State::Done);
        let outcome = match (state, message) {
            (_, Some(message)) if message.len() > self.message_bytes_max() => {
                Err(Malformed::TooLong.into())
            }
            (State::Start, None) => self.on_no_initial_response(),
            (State::Start | State::Prompted, Some(message)) => self.on_first_message(message),
            (
                State::Challenged {
                    username,
                    known,
                    challenge,
                },
                Some(message),
            ) => on_client_final(username, known, &challenge, message),
            // Whatever it says; RFC 7628 §3.2.3 has it say %x01.
            (State::TokenRefused(refusal), _) => Err(refusal.into()),
            (State::Prompted | State::Challenged { .. }, None) => Err(Malformed::Syntax.into()),
            (State::LookingUp { .. } | State::Verifying { .. } | State::Done, _) => {
                Err(Malformed::OutOfTurn.into())
            }
        };
        self.settle(outcome)
    }

    /// The answer to [`Step::LookUp`]; `None` where no such account may log in.
    ///
    /// Does the same work and answers the same whether the account exists or not (RFC 5802 §9),
    /// as far as accounts are made here, with the realm's iterations.
    pub fn on_credentials(&mut self, credentials: Option<Credentials>) -> Step {
        let outcome = match mem::replace(&mut self.state, State::Done) {
            State::LookingUp {
                username,
                claim: Claim::Plain { password },
            } => self.check_password(username, &password, credentials.as_ref()),
            State::LookingUp {
                username,
                claim: Claim::Scram(claim),
            } => Ok(self.challenge(username, claim, credentials.as_ref())),
            State::LookingUp {
                username,
                claim: Claim::Proven,
            } => self.log_in(username, credentials.is_some()),
            _ => Err(SaslFailure::TemporaryAuthFailure {
                reason: "credentials came that were not asked for".to_owned(),
            }),
        };
        self.settle(outcome)
    }

    /// The answer to [`Step::Verify`]: the localpart of the account that the token is for.
    pub fn on_verified(&mut self, verified: Result<String, SaslFailure>) -> Step {
        let outcome = match (mem::replace(&mut self.state, State::Done), verified) {
            (State::Verifying { authzid }, Ok(username)) => self
                .realm
                .check_authzid(&authzid, &username)
                .map(|()| look_up(username, Claim::Proven)),
            (State::Verifying { .. }, Err(SaslFailure::NotAuthorized(refusal))) => {
                Ok(refuse_token(refusal))
            }
            (State::Verifying { .. }, Err(failure)) => Err(failure),
            _ => Err(SaslFailure::TemporaryAuthFailure {
                reason: "a token was verified that was not asked for".to_owned(),
            }),
        };
        self.settle(outcome)
    }

    fn message_bytes_max(&self) -> usize {
        match self.mechanism {
            Mechanism::OAuthBearer => BEARER_MESSAGE_BYTES_MAX,
            _ => MESSAGE_BYTES_MAX,
        }
    }

    fn settle(&mut self, outcome: Outcome) -> Step {
        match outcome {
            Ok((state, step)) => {
                self.state = state;
                step
            }
            Err(failure) => Step::Failure(failure),
        }
    }

    fn on_no_initial_response(&self) -> Outcome {
        match self.mechanism {
            // XEP-0175 §2: the trace is not needed, and its absence not worth a round trip.
            Mechanism::Anonymous => Ok((State::Done, Step::Anonymous)),
            // The same here: Strophe sends no `=`, and cannot read an empty challenge.
            Mechanism::External => self.on_external(b""),
            _ => Ok((State::Prompted, Step::Challenge(Vec::new()))),
        }
    }

    fn on_first_message(&self, message: &[u8]) -> Outcome {
        match (self.mechanism, self.mechanism.scram_hash()) {
            (_, Some(hash)) => self.on_client_first(hash, message),
            (Mechanism::Anonymous, None) => on_trace(message),
            (Mechanism::External, None) => self.on_external(message),
            (Mechanism::OAuthBearer, None) => on_bearer(message),
            (_, None) => self.on_plain(message),
        }
    }

    fn on_plain(&self, message: &[u8]) -> Outcome {
        let PlainMessage {
            authzid,
            authcid,
            password,
        } = PlainMessage::parse(message)?;
        let username = self.realm.localpart(authcid)?;
        self.realm.check_authzid(authzid, &username)?;
        Ok(look_up(
            username,
            Claim::Plain {
                password: password.to_owned(),
            },
        ))
    }

    /// The message is the authzid and nothing else (RFC 4422 appendix A).
    fn on_external(&self, message: &[u8]) -> Outcome {
        let username = self.admitted.clone().ok_or(SaslFailure::InvalidMechanism)?;
        let authzid = std::str::from_utf8(message).map_err(|_| Malformed::NotText)?;
        self.realm.check_authzid(authzid, &username)?;
        Ok(look_up(username, Claim::Proven))
    }

    fn log_in(&self, username: String, exists: bool) -> Outcome {
        match (exists, self.mechanism) {
            (true, _) => Ok((
                State::Done,
                Step::Success {
                    username,
                    data: None,
                },
            )),
            (false, Mechanism::OAuthBearer) => Ok(refuse_token(Refusal::UnknownAccount)),
            (false, _) => Err(Refusal::UnknownAccount.into()),
        }
    }

    fn on_client_first(&self, hash: ScramHash, message: &[u8]) -> Outcome {
        let first = ClientFirst::parse(message)?;
        let binding_data = first.binding_data(self.mechanism, &self.offer, &self.binding)?;
        let username = self.realm.localpart(&first.username)?;
        self.realm.check_authzid(&first.authzid, &username)?;
        let claim = ScramClaim {
            hash,
            client_first_bare: first.bare.to_owned(),
            nonce: format!("{}{}", first.nonce, self.nonce),
            binding_data,
        };
        Ok(look_up(username, Claim::Scram(claim)))
    }

    fn challenge(
        &self,
        username: String,
        claim: ScramClaim,
        credentials: Option<&Credentials>,
    ) -> (State, Step) {
        let ScramClaim {
            hash,
            client_first_bare,
            nonce,
            binding_data,
        } = claim;
        let stored = credentials.and_then(|credentials| credentials.keys(hash));
        let known = stored.is_some();
        let keys = self.keys_or_decoy(stored, hash, &username);
        let h = self.offer.downgrade_hash(hash);
        let challenge = Challenge::new(keys, &client_first_bare, nonce, binding_data, h.as_deref());
        let step = Step::Challenge(challenge.server_first().as_bytes().to_vec());
        (
            State::Challenged {
                username,
                known,
                challenge: Box::new(challenge),
            },
            step,
        )
    }

    fn check_password(
        &self,
        username: String,
        password: &str,
        credentials: Option<&Credentials>,
    ) -> Outcome {
        // A password that no account can have: the same answer for every name.
        let password = PreparedPassword::new(password).map_err(|_| Refusal::WrongPassword)?;
        let stored = credentials.and_then(Credentials::strongest);
        let known = stored.is_some();
        let accepted = self
            .keys_or_decoy(stored, ScramHash::Sha512, &username)
            .accepts_password(&password);
        match (known, accepted) {
            (true, true) => Ok((
                State::Done,
                Step::Success {
                    username,
                    data: None,
                },
            )),
            (true, false) => Err(Refusal::WrongPassword.into()),
            (false, _) => Err(Refusal::UnknownAccount.into()),
        }
    }

    /// The decoy is made in both cases, for the same work.
    fn keys_or_decoy(
        &self,
        stored: Option<&ScramKeys>,
        hash: ScramHash,
        username: &str,
    ) -> ScramKeys {
        let decoy = ScramKeys::decoy(&self.realm, hash, username);
        stored.cloned().unwrap_or(decoy)
    }
}

impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            State::Start => "start",
            State::Prompted => "prompted",
            State::Verifying { .. } => "verifying",
            State::TokenRefused(_) => "token refused",
            State::LookingUp { .. } => "looking up",
            State::Challenged { .. } => "challenged",
            State::Done => "done",
        };
        f.debug_struct("Exchange")
            .field("mechanism", &self.mechanism)
            .field("state", &state)
            .finish_non_exhaustive()
    }
}

fn look_up(username: String, claim: Claim) -> (State, Step) {
    let step = Step::LookUp {
        username: username.clone(),
    };
    (State::LookingUp { username, claim }, step)
}

fn on_bearer(message: &[u8]) -> Outcome {
    let BearerMessage { authzid, token } = BearerMessage::parse(message)?;
    Ok(match token {
        Some(token) => (State::Verifying { authzid }, Step::Verify { token }),
        None => refuse_token(Refusal::InvalidToken),
    })
}

fn refuse_token(refusal: Refusal) -> (State, Step) {
    let step = Step::Challenge(bearer::REFUSAL.to_vec());
    (State::TokenRefused(refusal), step)
}

fn on_client_final(
    username: String,
    known: bool,
    challenge: &Challenge,
    message: &[u8],
) -> Outcome {
    match challenge.verify(message) {
        Ok(data) if known => Ok((
            State::Done,
            Step::Success {
                username,
                data: Some(data),
            },
        )),
        Ok(_) => Err(Refusal::UnknownAccount.into()),
        Err(SaslFailure::NotAuthorized(Refusal::WrongPassword)) if !known => {
            Err(Refusal::UnknownAccount.into())
        }
        Err(failure) => Err(failure),
    }
}

/// The trace of RFC 4505 §2 says who one might be; nobody checks it and nothing here keeps it.
fn on_trace(message: &[u8]) -> Outcome {
    std::str::from_utf8(message).map_err(|_| Malformed::NotText)?;
    Ok((State::Done, Step::Anonymous))
}
