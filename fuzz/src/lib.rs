//! Fuzz targets of stanzad. Each takes bytes and panics if something that must hold does not.
//!
//! The targets are here and not in the binaries, so that a test on a stable toolchain can replay
//! what a fuzzer found.

#![forbid(unsafe_code)]

pub mod bosh_body;
pub mod http_upgrade;
pub mod input;
#[cfg(test)]
mod replay;
mod rxml_oracle;
pub mod sasl;
pub mod seeds;
pub mod stream;
pub mod xml_frame;
