//! Floor 3: the sans-I/O core.

pub mod bosh;
