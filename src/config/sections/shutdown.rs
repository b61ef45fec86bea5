//! `[shutdown]`.

use std::time::Duration;

use crate::config::kinds::{count, span};
use crate::config::option::section;
use crate::config::units::{minutes, seconds};

section! {
    /// How a server that is told to stop goes: it says on `/readyz` that it does, waits for
    /// `shutdown.delay`, closes its ports, and lets go of its clients one after the other. Sessions
    /// with stream management are kept for the next process (`sm.durability`); the others are sent
    /// `<system-shutdown/>`.
    Shutdown in "shutdown." {
        /// How long `/readyz` says no before anything else happens, so that a load balancer looks
        /// elsewhere first.
        delay: Duration = seconds(0), span(seconds(0)..=minutes(10)), Live;

        /// How many clients are let go of in a second, so that they do not all come back in the same
        /// breath; 0 lets go of all at once. It is raised where `shutdown_grace` would not suffice.
        pace: u32 = 1000, count(0..=1_000_000, "clients a second"), Live;
    }
}
