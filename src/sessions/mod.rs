//! Floor 4: who is here.
//!
//! A [`Session`] is what a client owns once bound: address, mailbox, presence, carbons and CSI
//! state. A stream carries it ([`Session::is_attached`]); when the link is lost the session
//! hibernates, keeps receiving into its bounded mailbox, and is claimed by the next stream.
//!
//! [`Sessions`] finds sessions by account, by full address and by id. No lock here is shared by
//! two accounts on the hot path but the read side of a shard.

mod connection;
mod groups;
mod info;
mod logins;
mod mailbox;
mod observer;
mod quota;
mod recording;
mod registry;
mod relief;
mod repeats;
mod session;
mod tally;
mod target;
mod tombstones;
mod values;

#[cfg(test)]
mod tests;

pub use crate::budget::Budget;
pub use connection::{Connection, Transport};
pub use groups::{GROUP_NAME_BYTES_MAX, GROUPS_PER_SESSION_MAX, JoinError};
pub use info::SessionInfo;
pub use mailbox::{Amount, Bounds, Command, Delivered, Mail};
pub use observer::Observer;
pub use quota::{
    Allowance, Excess, Over, Quota, QuotaOptions, Quotas, Seat, SharedBy, Throttled, TierOptions,
    Tiers,
};
pub use recording::Reunion;
pub(crate) use recording::saved;
pub use registry::{Bind, ClaimError, ClaimFailure, Claimed, Sessions, SessionsOptions};
pub use relief::Relief;
pub use session::{EndReason, Ending, Presence, Session, SessionId};
pub use tally::{Direction, StanzaKind, Tally};
pub use target::{PathFilter, PathFilterError, Target};
