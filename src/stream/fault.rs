//! Why this side ends a stream, and what the peer hears of it.

use super::HandledCountTooHigh;
use crate::xml::{FaultKind, XmlFault};

/// The stream error conditions that this server sends (RFC 6120 §4.9.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // the names are those of the RFC
pub enum Condition {
    BadNamespacePrefix,
    Conflict,
    ConnectionTimeout,
    HostUnknown,
    InternalServerError,
    InvalidNamespace,
    NotAuthorized,
    NotWellFormed,
    PolicyViolation,
    ResourceConstraint,
    RestrictedXml,
    SystemShutdown,
    UndefinedCondition,
    UnsupportedEncoding,
    UnsupportedStanzaType,
    UnsupportedVersion,
}

impl Condition {
    /// The name of the element on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BadNamespacePrefix => "bad-namespace-prefix",
            Self::Conflict => "conflict",
            Self::ConnectionTimeout => "connection-timeout",
            Self::HostUnknown => "host-unknown",
            Self::InternalServerError => "internal-server-error",
            Self::InvalidNamespace => "invalid-namespace",
            Self::NotAuthorized => "not-authorized",
            Self::NotWellFormed => "not-well-formed",
            Self::PolicyViolation => "policy-violation",
            Self::ResourceConstraint => "resource-constraint",
            Self::RestrictedXml => "restricted-xml",
            Self::SystemShutdown => "system-shutdown",
            Self::UndefinedCondition => "undefined-condition",
            Self::UnsupportedEncoding => "unsupported-encoding",
            Self::UnsupportedStanzaType => "unsupported-stanza-type",
            Self::UnsupportedVersion => "unsupported-version",
        }
    }
}

/// Why this side ended a stream. The peer's doing, but for the last group.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StreamFault {
    /// Not XML, or not of the part that XMPP allows, or beyond a limit.
    #[error("{0}")]
    Xml(XmlFault),
    /// A frame exceeds `limits.max_stanza_bytes`, or the smaller limit before login.
    #[error("a stanza of more than {limit_bytes} bytes")]
    TooLarge {
        /// The limit.
        limit_bytes: usize,
    },
    /// A frame that the transcoder of its subprotocol cannot read.
    #[error("a frame that cannot be transcoded: {0}")]
    Untranscodable(String),
    /// A WebSocket message that is binary (RFC 7395 §3.2).
    #[error("a binary message")]
    Binary,
    /// An element in a namespace that it does not have here (RFC 6120 §4.9.3.10).
    #[error("an element in the wrong namespace")]
    InvalidNamespace,
    /// A stanza with a prefix (RFC 6120 §4.9.3.2): no web client would understand it.
    #[error("a stanza with a namespace prefix")]
    BadNamespacePrefix,
    /// An element that means nothing here or now (RFC 6120 §4.9.3.24).
    #[error("an element that is not expected")]
    UnsupportedStanzaType,
    /// `<open/>` on a stream that is open and need not restart (RFC 7395 §3.7).
    #[error("a second <open/>")]
    UnexpectedOpen,
    /// The domain is not served here (RFC 6120 §4.9.3.6).
    #[error("the domain {to:?} is not served here")]
    HostUnknown {
        /// What the client asked for.
        to: String,
    },
    /// The version is below 1.0, or none (RFC 6120 §4.9.3.25).
    #[error("the version of the stream is not 1.0")]
    UnsupportedVersion,
    /// A stanza, or what else needs a login, before one (RFC 6120 §4.9.3.12).
    #[error("an element that has to wait for login and bind")]
    NotAuthorized,
    /// `auth.failures_per_stream` (RFC 6120 §6.4.5).
    #[error("too many failed logins")]
    TooManyFailures,
    /// `limits.login_timeout`
    #[error("no login in time")]
    LoginTimeout,
    /// An `h` covers stanzas never sent (XEP-0198 §6).
    #[error("{0}")]
    HandledCountTooHigh(HandledCountTooHigh),
    /// `<r/>` was not answered within `sm.ack_timeout`. The session stays.
    #[error("no ack in time")]
    AckTimeout,
    /// Another stream resumed the session (XEP-0198 §5). The session stays.
    #[error("the session was resumed by another stream")]
    Resumed,
    /// Another session took the resource (RFC 6120 §7.7.2.2).
    #[error("another session took the resource")]
    Conflict,
    /// Its client reads too little of what it gets.
    #[error("too many stanzas wait for the client")]
    Overflow,
    /// Its account sends more than `limits.user_stanzas_per_second` and the like allow.
    #[error("the account sends too much")]
    TooFast,
    /// The account is gone, or its password is another one.
    #[error("the credentials are no longer valid")]
    Revoked,
    /// The operator or the application ended it.
    #[error("the session was ended by the operator")]
    Removed,
    /// The token, or what else the client was let in by, was good until now.
    #[error("the access that was granted has expired")]
    AccessExpired,
    /// The transcoder of its subprotocol cannot say what the client is to hear, or panicked.
    #[error("the transcoder failed: {0}")]
    Transcoder(String),
    /// The server stops.
    #[error("the server stops")]
    Shutdown,
}

impl StreamFault {
    /// The condition sent in `<stream:error/>` before `<close/>` (RFC 6120 §4.9.3).
    pub fn condition(&self) -> Condition {
        match self {
            // No `_` arm: a new fault chooses its wire form here.
            Self::Xml(fault) => xml_condition(fault.kind()),
            Self::TooLarge { .. } | Self::TooManyFailures | Self::TooFast | Self::Removed => {
                Condition::PolicyViolation
            }
            Self::Untranscodable(_) => Condition::NotWellFormed,
            Self::Binary | Self::UnsupportedStanzaType | Self::UnexpectedOpen => {
                Condition::UnsupportedStanzaType
            }
            Self::InvalidNamespace => Condition::InvalidNamespace,
            Self::BadNamespacePrefix => Condition::BadNamespacePrefix,
            Self::HostUnknown { .. } => Condition::HostUnknown,
            Self::UnsupportedVersion => Condition::UnsupportedVersion,
            Self::NotAuthorized | Self::Revoked | Self::AccessExpired => Condition::NotAuthorized,
            Self::LoginTimeout | Self::AckTimeout => Condition::ConnectionTimeout,
            Self::HandledCountTooHigh(_) => Condition::UndefinedCondition,
            Self::Resumed | Self::Conflict => Condition::Conflict,
            Self::Overflow => Condition::ResourceConstraint,
            Self::Transcoder(_) => Condition::InternalServerError,
            Self::Shutdown => Condition::SystemShutdown,
        }
    }

    /// Whether the client has done nothing wrong.
    pub fn is_of_this_side(&self) -> bool {
        matches!(
            self,
            Self::AckTimeout
                | Self::Resumed
                | Self::Conflict
                | Self::Overflow
                | Self::Revoked
                | Self::Removed
                | Self::AccessExpired
                | Self::Transcoder(_)
                | Self::Shutdown
        )
    }

    /// Whether the session may be resumed afterwards: not when its client broke the rules.
    pub fn keeps_session(&self) -> bool {
        matches!(self, Self::AckTimeout | Self::Resumed)
    }
}

fn xml_condition(kind: FaultKind) -> Condition {
    match kind {
        FaultKind::EmptyFrame | FaultKind::NotWellFormed => Condition::NotWellFormed,
        FaultKind::RestrictedXml => Condition::RestrictedXml,
        FaultKind::UnsupportedEncoding => Condition::UnsupportedEncoding,
        FaultKind::PolicyViolation => Condition::PolicyViolation,
    }
}
