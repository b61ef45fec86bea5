//! One `<body/>` from a client (XEP-0124 §6, §7.1).

use std::fmt;

/// The highest `rid`, 2^53 - 1: what a double holds exactly (XEP-0124 §14.1).
pub const MAX_RID: u64 = (1 << 53) - 1;

/// What a client posted: the attributes that mean something here, and its payload.
///
/// Numbers that exceed 64 bits are read as `u64::MAX`, so that whoever uses one meets its bound and not
/// an error. `route`, `secure`, `stream`, `charsets` and unknown attributes are not kept: no connection
/// to elsewhere is ever made (B-26, B-27).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Body {
    /// The request's number, rising by one. May exceed [`MAX_RID`]; the window refuses that.
    pub rid: u64,
    /// The session; `None` asks for a new one.
    pub sid: Option<String>,
    /// The domain that the client wants.
    pub to: Option<String>,
    /// Who the client says it is.
    pub from: Option<String>,
    /// `xml:lang`.
    pub lang: Option<String>,
    /// Seconds that a request may be held.
    pub wait: Option<u64>,
    /// Requests that may be held at a time.
    pub hold: Option<u64>,
    /// The highest BOSH version that the client speaks. `None` as well when it is no version.
    pub ver: Option<Version>,
    /// The `Content-Type` that the client wants of answers.
    pub content: Option<String>,
    /// The highest `rid` up to which the client has all answers; any value in a creation request
    /// says that the client acknowledges.
    pub ack: Option<u64>,
    /// Seconds for which the client wants to be away.
    pub pause: Option<u64>,
    /// Continues the key sequence (§15).
    pub key: Option<String>,
    /// Begins another key sequence (§15.5).
    pub newkey: Option<String>,
    /// `type='terminate'`.
    pub terminate: bool,
    /// The `condition` of a client that terminates with an error; for logs.
    pub condition: Option<String>,
    /// `xmpp:restart` (XEP-0206 §5).
    pub restart: bool,
    /// `xmpp:version` (XEP-0206 §3).
    pub version: Option<String>,
    /// The elements inside, in order, each a document of its own; what stood in the namespace of
    /// `<body/>` is in `jabber:client` (XEP-0206 §2).
    pub payload: Vec<String>,
}

impl Body {
    /// An empty request that asks for nothing but an answer (XEP-0124 §8).
    pub fn is_poll(&self) -> bool {
        self.payload.is_empty() && !self.restart && !self.terminate && self.pause.is_none()
    }
}

/// A version of BOSH: major and minor are numbers of their own, so 1.11 is above 1.6 (§7.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// Before the dot.
    pub major: u64,
    /// After the dot.
    pub minor: u64,
}

impl Version {
    /// Reads `major.minor`; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let (major, minor) = text.split_once('.')?;
        Some(Self {
            major: number(major)?,
            minor: number(minor)?,
        })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// Decimal digits and nothing else; what exceeds 64 bits is `u64::MAX`.
pub(super) fn number(text: &str) -> Option<u64> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().unwrap_or(u64::MAX))
}
