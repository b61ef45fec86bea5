//! Floor 7: wires the rooms.
//!
//! [`Server::start`] opens the store, puts the rooms together and listens; [`Server::reload`] takes
//! over changed options; [`Server::stop`] closes streams within a grace period and leaves nothing
//! behind that belongs on disk.

mod demo;
mod edge;
mod options;
mod shutdown;
mod start;
mod sweep;

pub use demo::DemoAccount;
pub use start::{Server, StartError};
