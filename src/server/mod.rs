//! Floor 7: wires the rooms.
//!
//! [`Server::start`] opens the store, puts the rooms together and listens; [`Server::reload`] takes
//! over changed options; [`Server::stop`] closes streams within a grace period and leaves nothing
//! behind that belongs on disk.

mod check;
mod demo;
mod edge;
mod endings;
mod handover;
mod options;
mod restore;
mod shutdown;
#[cfg(test)]
mod simulation;
mod start;
mod sweep;

pub use check::{Check, checks};
pub use demo::DemoAccount;
pub use handover::{Handover, HandoverError, Port};
pub use options::hosts;
pub use shutdown::Stopped;
pub use start::{Server, StartError, open_store};
