//! Floor 7: wires the rooms.
//!
//! [`Server::start`] opens the store, puts the rooms together and listens; [`Server::reload`] takes
//! over changed options; [`Server::stop`] closes streams within a grace period and leaves nothing
//! behind that belongs on disk.

mod admin;
mod authenticator;
mod builder;
mod check;
mod delivery;
mod demo;
mod edge;
mod endings;
mod events;
mod guarded;
mod handle;
mod handlers;
mod handover;
pub mod jwks;
mod keys;
mod listeners;
mod options;
mod ports;
mod restore;
mod session_handle;
mod shutdown;
#[cfg(test)]
mod simulation;
mod start;
mod sweep;
mod urls;
mod verbs;

pub use admin::AdminError;
pub use authenticator::Authenticator;
pub use builder::ServerBuilder;
pub use check::{Check, checks};
pub use delivery::Delivery;
pub use demo::DemoAccount;
pub use events::EventLog;
pub use handle::Server;
use handle::WeakServer;
pub use handlers::{Echo, Handler};
pub use handover::{Handover, HandoverError, Port};
pub use keys::KeysError;
pub use listeners::{Event, Listener};
pub use options::hosts;
#[cfg(test)]
pub(crate) use options::stream as options_for_tests;
pub use session_handle::SessionHandle;
pub use shutdown::Stopped;
pub use start::{StartError, open_store};
pub use urls::UrlError;
pub use verbs::CloseReason;
