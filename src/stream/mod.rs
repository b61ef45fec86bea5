//! Floor 3: the sans-I/O core.

mod sm;
mod unacked;

pub use sm::{Sm, SmOptions};
pub use unacked::{HandledCountTooHigh, UnackedQueue};

use crate::stanza::{ByteString, Kind};
use std::time::SystemTime;

/// A stanza on its way to a client.
#[derive(Debug, Clone)]
pub struct Outbound {
    /// The element, standing alone, as it goes to the client.
    pub text: ByteString,
    /// What it is.
    pub kind: Kind,
    /// When this server got or made it: the stamp, if it comes late.
    pub at: SystemTime,
}
