//! Why an authentication failed: one condition for the client, one reason for the operator.

/// Why an authentication failed, one variant for each condition of RFC 6120 §6.5.
///
/// The client is told the [`condition`](Self::condition) alone. `Display` is for the operator's log
/// and may say what the client must not learn, such as that an account does not exist.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SaslFailure {
    /// The client sent `<abort/>` (§6.5.1).
    #[error("the client gave up")]
    Aborted,
    /// The account is switched off (§6.5.2). For embedders; tell only who proved the password.
    #[error("the account is disabled")]
    AccountDisabled,
    /// The password or token was right once (§6.5.3). Tell only who proved it.
    #[error("the credentials have expired")]
    CredentialsExpired,
    /// The mechanism shows the password, and the link can be read along (§6.5.4).
    #[error("a mechanism that shows a secret was asked for on a link that is not confidential")]
    EncryptionRequired,
    /// What came is not base64 (§6.5.5).
    #[error("the data is not base64")]
    IncorrectEncoding,
    /// The client asked to act as someone other than itself (§6.5.6).
    #[error("authorization as {authzid:?} was asked for by someone else")]
    InvalidAuthzid {
        /// What the client asked for; bounded by the size of a message, not to be trusted.
        authzid: String,
    },
    /// No mechanism was named, or one that is not offered (§6.5.7).
    #[error("the mechanism is not offered on this link")]
    InvalidMechanism,
    /// The data break the mechanism's syntax (§6.5.8).
    #[error("malformed: {0}")]
    MalformedRequest(Malformed),
    /// The mechanism is weaker than the operator's policy for this account (§6.5.9).
    #[error("the mechanism is too weak for this account")]
    MechanismTooWeak,
    /// The client did not prove who it is (§6.5.10). All reasons look alike to it.
    #[error("not authorized: {0}")]
    NotAuthorized(Refusal),
    /// It is our trouble; the same attempt may succeed later (§6.5.11).
    #[error("temporary: {reason}")]
    TemporaryAuthFailure {
        /// What is in trouble, for the operator.
        reason: String,
    },
}

/// What is wrong with the form of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Malformed {
    /// Longer than [`MESSAGE_BYTES_MAX`](super::MESSAGE_BYTES_MAX).
    #[error("the message is too long")]
    TooLong,
    /// Not UTF-8, or with a NUL where none may be.
    #[error("the message is not text")]
    NotText,
    /// A part is missing, repeated, out of order, or not of its form.
    #[error("the message does not follow the mechanism's syntax")]
    Syntax,
    /// The user name is empty.
    #[error("the user name is empty")]
    EmptyUsername,
    /// The password is empty.
    #[error("the password is empty")]
    EmptyPassword,
    /// A SCRAM name has a `=` that is neither `=2C` nor `=3D` (RFC 5802 §5.1).
    #[error("the user name has a bare '='")]
    BareEquals,
    /// A nonce is empty or has a character that a nonce cannot have (RFC 5802 §7).
    #[error("the nonce is empty or not printable")]
    BadNonce,
    /// The reserved `m=` asks for an extension that nobody has defined (RFC 5802 §5.1).
    #[error("the reserved attribute m= was used")]
    ReservedExtension,
    /// The GS2 flag is none of `n`, `y`, `p=`, or does not go with the mechanism (RFC 5802 §6).
    #[error("the channel-binding flag does not go with the mechanism")]
    ChannelBindingFlag,
    /// A proof is not base64 or not as long as the hash.
    #[error("the proof is not of the hash's size")]
    BadProof,
    /// A message came when none was due, such as a second answer.
    #[error("the message came out of turn")]
    OutOfTurn,
}

/// Why a client is not who it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Refusal {
    /// The proof or the password is wrong.
    #[error("wrong password")]
    WrongPassword,
    /// There is no such account, or it has no key for this hash.
    #[error("no such account, or no key of it for this mechanism")]
    UnknownAccount,
    /// No account of this domain can have this name (RFC 7622 §3.3).
    #[error("no account can have that name")]
    ImpossibleName,
    /// The final message repeats another nonce than this exchange's (RFC 5802 §5.1, `r`).
    #[error("the nonce is not this exchange's")]
    NonceMismatch,
    /// `c=` is not the GS2 header and binding of this exchange (RFC 5802 §5.1, `c`): a client at
    /// fault, or someone between the two ends of the TLS channel.
    #[error("the channel binding does not match; someone may be in between")]
    ChannelBindingMismatch,
    /// The client saw no `-PLUS` though we offered one (RFC 5802 §6, flag `y`).
    #[error("the client was not shown our -PLUS mechanisms; someone may be in between")]
    Downgraded,
    /// The token is not taken, or names no account of this domain.
    #[error("the token was refused")]
    InvalidToken,
    /// The link was admitted for one account, and this is another one.
    #[error("the link was admitted for another account")]
    OtherAccount,
    /// The channel-binding type is not one that we announced (XEP-0440 §2).
    #[error("the channel-binding type is not offered")]
    UnsupportedChannelBinding,
}

impl SaslFailure {
    /// The name of the element inside `<failure/>` (RFC 6120 §6.5).
    pub fn condition(&self) -> &'static str {
        match self {
            Self::Aborted => "aborted",
            Self::AccountDisabled => "account-disabled",
            Self::CredentialsExpired => "credentials-expired",
            Self::EncryptionRequired => "encryption-required",
            Self::IncorrectEncoding => "incorrect-encoding",
            Self::InvalidAuthzid { .. } => "invalid-authzid",
            Self::InvalidMechanism => "invalid-mechanism",
            Self::MalformedRequest(_) => "malformed-request",
            Self::MechanismTooWeak => "mechanism-too-weak",
            Self::NotAuthorized(_) => "not-authorized",
            Self::TemporaryAuthFailure { .. } => "temporary-auth-failure",
        }
    }

    /// Whether the failure counts as a guess at a password; other attempts
    /// [`Throttle::take_back`](super::Throttle::take_back).
    ///
    /// Such a failure comes after a [`Step::LookUp`](super::Step::LookUp), which named the account.
    pub fn is_guess(&self) -> bool {
        matches!(
            self,
            Self::NotAuthorized(Refusal::WrongPassword | Refusal::UnknownAccount)
        )
    }
}

impl From<Malformed> for SaslFailure {
    fn from(malformed: Malformed) -> Self {
        Self::MalformedRequest(malformed)
    }
}

impl From<Refusal> for SaslFailure {
    fn from(refusal: Refusal) -> Self {
        Self::NotAuthorized(refusal)
    }
}
