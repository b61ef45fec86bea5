//! Floor 2: the header of a stanza, stanza errors, addresses.
//!
//! A stanza is read once. What routing needs (kind, addresses, id and a few marks) is kept beside
//! the text; the payload stays text and is not touched on its way.

pub mod address;
mod delay;
mod error;
mod fingerprint;
mod header;
mod reply;
mod written;

pub use bytestring::ByteString;
pub use delay::{stamp, stamped};
pub use error::{Condition, ErrorType, StanzaError};
pub use fingerprint::Fingerprints;
pub use header::{IqType, Kind, Marks, MessageType, Payload, PresenceType, Stanza};
pub use reply::{error_kind, error_reply, iq_result};
pub use written::WrittenError;

/// The namespace of every stanza that a client sends or gets (RFC 6120 §4.8.2).
pub const CLIENT_NS: &str = "jabber:client";
