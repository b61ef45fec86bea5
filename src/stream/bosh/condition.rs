//! Why a BOSH session ends: what the client reads and what the operator reads.

/// A terminal binding condition (XEP-0124 §17.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// The `<body/>` is unacceptable in form.
    BadRequest,
    /// The domain in `to` is no longer served here.
    HostGone,
    /// The domain in `to` is unknown here.
    HostUnknown,
    /// The creation request lacks `to`.
    ImproperAddressing,
    /// A fault of our own.
    InternalServerError,
    /// The `sid`, `rid` or `key` is not one of a living session, or its answer is forgotten.
    ItemNotFound,
    /// Another request of the same session ended it.
    OtherRequest,
    /// The client broke the session's rules on pace or repetition.
    PolicyViolation,
    /// The stream behind the session cannot be reached.
    RemoteConnectionFailed,
    /// The stream ended with a `<stream:error/>`, which the body carries (XEP-0206 §6).
    RemoteStreamError,
    /// The server stops.
    SystemShutdown,
    /// None of the others.
    UndefinedCondition,
}

impl Condition {
    /// The value of the `condition` attribute.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BadRequest => "bad-request",
            Self::HostGone => "host-gone",
            Self::HostUnknown => "host-unknown",
            Self::ImproperAddressing => "improper-addressing",
            Self::InternalServerError => "internal-server-error",
            Self::ItemNotFound => "item-not-found",
            Self::OtherRequest => "other-request",
            Self::PolicyViolation => "policy-violation",
            Self::RemoteConnectionFailed => "remote-connection-failed",
            Self::RemoteStreamError => "remote-stream-error",
            Self::SystemShutdown => "system-shutdown",
            Self::UndefinedCondition => "undefined-condition",
        }
    }
}

/// What a client did that ended its session. Always the peer's doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// The `rid` lies beyond the window (XEP-0124 §14.2).
    #[error("rid {rid} is beyond the window that ends at {last_acceptable}")]
    RidBeyondWindow {
        /// The `rid` of the request.
        rid: u64,
        /// The highest `rid` that would have been accepted.
        last_acceptable: u64,
    },
    /// The answer to a repeated `rid` is no longer remembered (XEP-0124 §14.3).
    #[error("rid {rid} is repeated, but its answer is forgotten; the last rid was {last_rid}")]
    RidForgotten {
        /// The `rid` of the request.
        rid: u64,
        /// The highest `rid` received in sequence.
        last_rid: u64,
    },
    /// The `rid` is above 2^53 - 1 (XEP-0124 §14.1).
    #[error("rid {rid} is above 2^53 - 1")]
    RidTooLarge {
        /// The `rid` of the request.
        rid: u64,
    },
    /// The `key` does not continue the key sequence (XEP-0124 §15.4).
    #[error("the key of rid {rid} does not continue the key sequence")]
    KeyMismatch {
        /// The `rid` of the request.
        rid: u64,
    },
    /// Empty requests came faster than `polling` allows (XEP-0124 §11, §12).
    #[error("empty requests arrive faster than one in {polling_seconds} seconds")]
    TooFrequent {
        /// The announced `polling` interval.
        polling_seconds: u64,
    },
    /// One `rid` was repeated more often than [`Options::max_repeats`](super::Options::max_repeats)
    /// (XEP-0124 §14.3).
    #[error("rid {rid} was repeated more than {max_repeats} times")]
    TooManyRepeats {
        /// The `rid` of the request.
        rid: u64,
        /// The limit.
        max_repeats: u32,
    },
}

impl Violation {
    /// The condition in the terminating body (XEP-0124 §17.2).
    pub fn condition(self) -> Condition {
        match self {
            // The same for too large and too small: an attacker learns nothing (§14.3).
            Self::RidBeyondWindow { .. } | Self::RidForgotten { .. } | Self::KeyMismatch { .. } => {
                Condition::ItemNotFound
            }
            Self::RidTooLarge { .. } => Condition::BadRequest,
            Self::TooFrequent { .. } | Self::TooManyRepeats { .. } => Condition::PolicyViolation,
        }
    }
}

/// How a session came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The client sent `type='terminate'` (XEP-0124 §13).
    ByClient,
    /// This side ended it, by [`end`](super::Window::end) or a stream error.
    ByServer,
    /// The client made no request for longer than `inactivity` or its pause (XEP-0124 §10).
    Inactive,
    /// The client broke a rule.
    Violation(Violation),
}
