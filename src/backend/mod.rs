//! Floor 5: what a bound stream talks to.

pub mod local;
